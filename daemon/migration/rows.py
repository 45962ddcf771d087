"""Brings the rows of an earlier library along: pictures are made ready and put in place, then the row is written down.

Each row is one transaction of the log. Its pictures come to their places before, with an intent beside them that a
crash leaves to `ImageStore.recover`; so the row is there with all its pictures, or it is not there and comes again.
"""

import asyncio
import os
from collections.abc import Callable, Set
from contextlib import suppress
from dataclasses import replace

import apsw

from ...events.writer import Decide, Decision, Unwritable, Written
from ...projections import images, pending
from ...projections.pending import Pending
from .. import uniting
from ..busy import Busy
from ..imagestore import ImageStore
from ..legacy.library import Broken, Row, Unused
from ..library import Library
from ..pictures import PictureRefused, digest
from .look import Lookout
from .model import bring_to_model
from .pending import bring_to_pending
from .pictures import Ready, with_tiers
from .plan import Came, Changed, Ending, Look, Owner, bring_tag, ending_of, gives_way, is_done, once, owner_of, refuse
from .ready import RETRY_S, Patience, Prepared, Preparing, Task

ANEW_S = 0.02  # before a row is tried again that somebody else was faster than


class Rows:
    """Brings rows along for one library. Belongs to the event loop."""

    def __init__(
        self,
        library: Library,
        store: ImageStore,
        busy: Busy,
        lookout: Lookout,
        writing_at: Callable[[str], asyncio.Lock],
        *,
        retry_s: float = RETRY_S,
    ) -> None:
        """Work on a library; under the lock of `writing_at` nobody else writes down what lies at a path."""
        self._library = library
        self._store = store
        self._busy = busy
        self._lookout = lookout
        self._writing_at = writing_at
        self.patience = Patience(retry_s)
        self._ready = Preparing(library, store, lookout, self.patience)

    async def prepare(self, task: Task, row: Row) -> Prepared | None:
        """Make a row's pictures ready before its turn; None where it came along before."""
        return await self._ready.prepare(task, row)

    async def discard(self, prepared: Prepared) -> None:
        """Remove what is staged for a row."""
        await self._ready.discard(prepared)

    # Its turn -----------------------------------------------------------------------------------------

    async def bring(self, task: Task, prepared: Prepared) -> None:
        """Bring a row along. Raises `GivenUp`: then nobody knows whether the log has it, until it takes something."""
        try:
            while not await self._bring_once(task, prepared):
                await asyncio.sleep(ANEW_S)
        finally:
            await self._ready.discard(prepared)

    async def _bring_once(self, task: Task, prepared: Prepared) -> bool:
        owner = owner_of(self._library.db, task.database, prepared.row)
        act = self._to_model if owner.model is not None else self._to_pending
        async with self._busy.alone_with(owner.lock):
            try:
                await self.patience.until_done(lambda: act(task, prepared, owner))
            except Changed:
                return False
        return True

    async def _write(self, task: Task, decide: Decide) -> Written:
        return await self._library.write(decide, actor=task.actor, action=task.action)

    # To a model

    async def _to_model(self, task: Task, prepared: Prepared, owner: Owner) -> None:
        row, sha256 = prepared.row, owner.model or ""
        await self._library.caught_up()
        if is_done(self._library.db, task.op, row.digest):
            await self._settle(prepared, sha256)
            return
        look = await self._lookout.look(row)
        ends = gives_way(self._library.db, row, look)
        if ending_of(ends) != prepared.ending:
            await self._ready.prepare_ending(prepared, ends)
        problems = await self._place(task, prepared, owner)
        async with self._writing_at(row.path or ""):
            if not await self._lookout.is_as(look):
                look = await self._lookout.look(row)
            came = self._came(task, prepared, owner, look, problems, tuple(prepared.placed), prepared.ending)
            try:
                await self._write(task, lambda db: bring_to_model(db, task.database, came))
            except Unwritable:
                raise  # the log may have it all the same
            except Exception:
                await self._take_back(prepared, sha256)
                raise
        await self._settle(prepared, sha256)

    async def _place(self, task: Task, prepared: Prepared, owner: Owner) -> list[str]:
        """Put a row's pictures into their places as those of a model; gives what is wrong with them."""
        db, sha256, problems = self._library.db, owner.model or "", list[str]()
        known = once(db, task.database, owner, prepared.row, prepared.ending)
        seq, placed = images.next_sequence(db, sha256), list[tuple[int, Ready]]()
        for ready in prepared.ready:
            came = set[str]() if ready is prepared.last else known  # what a pending model has, nobody took from it
            # A row may have one picture twice; that of the pending model that ends comes only where the row has it not.
            again = ready is prepared.last and any(ready.original == other.original for _, other in placed)
            if again or _is_known(db, sha256, ready, came):
                continue
            try:
                ready = await self._ready.in_thread(with_tiers, self._store, ready)
            except PictureRefused as error:
                problems.append(f"its picture {ready.label} did not come along: {error}")
                continue
            placed.append((seq + len(placed), ready))
            prepared.placed = list(placed)
            await asyncio.to_thread(self._store.promote, ready.token, sha256, prepared.placed[-1][0])
        return problems

    async def _settle(self, prepared: Prepared, sha256: str) -> None:
        for seq, _ in prepared.placed:
            await asyncio.to_thread(self._store.settle, sha256, seq)
        if prepared.ending is not None:
            await self._drop_others(prepared.ending.pending)

    async def _take_back(self, prepared: Prepared, sha256: str) -> None:
        """The log refused the row: its pictures are on their way again, as they are.

        They are not made anew: tiers that were taken over from the earlier library would be others then.
        """
        while prepared.placed:
            seq, ready = prepared.placed[-1]
            await asyncio.to_thread(self._store.demote, ready.token, sha256, seq)
            prepared.placed.pop()

    # To a pending model

    async def _to_pending(self, task: Task, prepared: Prepared, owner: Owner) -> None:
        row, number = prepared.row, owner.pending or 0
        await self._library.caught_up()
        if not is_done(self._library.db, task.op, row.digest):
            look = await self._lookout.look(row)
            known = None if owner.new else pending.get(self._library.db, number)
            chosen, problems = await self._choose(task, prepared, owner, known)
            is_companion = chosen is None and owner.instead is not None
            if is_companion:
                chosen = await self._companion_of(prepared, owner)
            await self._keep(number, chosen)
            async with self._writing_at(row.path or ""):
                if not await self._lookout.is_as(look):
                    look = await self._lookout.look(row)
                pictures = () if chosen is None else ((0, chosen),)
                came = self._came(task, prepared, owner, look, problems, pictures)
                came = replace(came, companion=is_companion)
                try:
                    await self._write(task, lambda db: bring_to_pending(db, task.database, came))
                except Unwritable:
                    raise
                except Exception:
                    await self._unkeep(number, chosen)
                    raise
        await self._drop_others(number)

    async def _choose(
        self, task: Task, prepared: Prepared, owner: Owner, known: Pending | None
    ) -> tuple[Ready | None, list[str]]:
        """Choose the picture that becomes a pending model's: it has one. Tells of the others."""
        came = once(self._library.db, task.database, owner, prepared.row)
        has = await self._original_of(known)
        new = {
            ready.original: ready
            for ready in prepared.pictures
            if ready.original != has and uniting.part_of("picture", ready.original) not in came
        }
        fresh = list(new.values())
        may_take = known is None or known.picture is None or known.picture_origin != "person"
        left = fresh[1:] if may_take else fresh
        problems = [f"its picture {ready.label} did not come along: a pending model has one" for ready in left]
        return (fresh[0] if fresh and may_take else None), problems

    async def _companion_of(self, prepared: Prepared, owner: Owner) -> Ready | None:
        """Take over the picture of the pending model that another comes instead of."""
        if prepared.last is None:
            await self._ready.take_last(prepared, pending.get(self._library.db, owner.instead or 0))
        return prepared.last

    async def _original_of(self, known: Pending | None) -> str:
        """Give the SHA-256 of the picture that a pending model has."""
        if known is None or known.picture is None:
            return ""
        if known.picture_original:
            return known.picture_original
        with suppress(FileNotFoundError):
            return await asyncio.to_thread(digest, self._store.pending_path(known.id, known.picture))
        return ""

    async def _keep(self, number: int, chosen: Ready | None) -> None:
        """Put an original into its place as a pending model's; when it is there already, it was tried before."""
        if chosen is not None and os.path.exists(self._store.incoming(chosen.token)):
            extension, incoming = chosen.picture.extension, self._store.incoming(chosen.token)
            await asyncio.to_thread(self._store.keep_pending, number, extension, incoming)

    async def _unkeep(self, number: int, chosen: Ready | None) -> None:
        """The log refused the row: its picture is on its way again."""
        if chosen is not None:
            place = self._store.pending_path(number, chosen.picture.extension)
            await asyncio.to_thread(os.replace, place, self._store.incoming(chosen.token))
            await self._drop_others(number)

    async def _drop_others(self, number: int) -> None:
        """Let a pending model have no other original than the log says."""
        but = pending.picture_of(self._library.db, number)
        await asyncio.to_thread(lambda: self._store.drop_pending(number, but=but))

    # To either

    def _came(
        self,
        task: Task,
        prepared: Prepared,
        owner: Owner,
        look: Look,
        problems: list[str],
        pictures: tuple[tuple[int, Ready], ...],
        ending: Ending | None = None,
    ) -> Came:
        told = (*prepared.problems, *problems)
        return Came(task.op, prepared.row, look, owner, ending, pictures, told, prepared.in_part)

    # What is no row of a model ------------------------------------------------------------------------

    async def bring_other(self, task: Task, item: Broken | Unused) -> None:
        """Bring along a tag that stands on nothing, or tell of what cannot be used."""

        def decide(db: apsw.Connection) -> Decision:
            if isinstance(item, Unused):
                return bring_tag(db, task.op, item, task.form)
            return refuse(db, task.op, item)

        async def write() -> None:
            await self._write(task, decide)

        await self.patience.until_done(write)


def _is_known(db: apsw.Connection, sha256: str, ready: Ready, came: Set[str]) -> bool:
    """Tell whether a model has a picture of the same file, or had one that somebody took away."""
    part = uniting.part_of("picture", ready.original)
    return part in came or images.has_original(db, sha256, ready.original)
