"""Lives of a library's store, as the daemon leads them: each write is asked for, and what became of it is kept.

A life imports a model through `Library`, by the decisions of the daemon itself. `ledger` knows what was answered and
what was refused, and `wrong_in` looks at a data folder afterwards: whoever was answered finds all of it, whoever was
refused finds nothing or, where the answer said so, all of it; never half.
"""

import asyncio
import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import apsw
from hikaze.daemon import roots
from hikaze.daemon.edits import edit_model, edit_pending
from hikaze.daemon.importplan import Done, facts_of, of_import
from hikaze.daemon.library import Library
from hikaze.daemon.pictures import Picture
from hikaze.daemon.rootcheck import Identity
from hikaze.daemon.roots import Wanted
from hikaze.daemon.shapes import ModelPatch, PendingPatch
from hikaze.daemon.sightings import Outcome, Sighting, see
from hikaze.daemon.tagging import create
from hikaze.events.catalog import File, ImportPlanned, ImportRequested, ImportTidied
from hikaze.events.errors import LogError
from hikaze.events.log import EventLog
from hikaze.events.writer import Decide, Decision, Unwritable, Written
from hikaze.projections.runner import Views, dump

TRIES = 4
CHECKPOINTS = (30, 1_000)  # pages: many in a life as short as these, or none, which is SQLite's own
WANTED = (Wanted("/m/loras", "model", "loras"), Wanted("/drop", "pending"))
MAYBE = ("may or may not", "is full")
"""What a refusal says that leaves open whether the write was kept."""


class LifeEnds(Exception):
    """The library cannot be written any more: it must be restarted, or the power is gone."""


@dataclass(slots=True)
class Asked:
    """A write that was asked for: how many events it decided, and what was said of it."""

    name: str
    events: int = 0
    answered: bool = False
    open: bool = True  # refused, or never answered: it may be there whole


@dataclass
class Ledger:
    """What was asked for, by the action that its events carry."""

    asked: dict[bytes, Asked] = field(default_factory=dict[bytes, Asked])
    answers: dict[str, tuple[int, Any]] = field(default_factory=dict[str, tuple[int, Any]])
    """Position and value of what was answered under a key."""
    lives: int = 0
    seldom: bool = False
    """Whether the first life has few checkpoints, not many; then they take turns."""

    def promise(self, name: str) -> bytes:
        """Begin a write; gives its action."""
        action = hashlib.sha256(f"{len(self.asked)} {name}".encode()).digest()[:16]
        self.asked[action] = Asked(name)
        return action

    @property
    def promises(self) -> int:
        """How many writes were answered."""
        return sum(one.answered for one in self.asked.values())


async def live(
    data: str, ledger: Ledger, heal: Callable[[], None] = lambda: None, dying: Callable[[], None] = lambda: None
) -> None:
    """Open the library, import a model and write to it, and close it.

    `heal` is called when a write is refused twice, `dying` when the life ends early, before the library is closed.
    Raises `LifeEnds`, `apsw.Error` or `LogError` where it cannot go on; the library is closed then as well.
    """
    ledger.lives += 1
    library = Library(data, host=b"h" * 16)
    pages = CHECKPOINTS[(ledger.lives + ledger.seldom + 1) % 2]
    library._log._db.wal_autocheckpoint(pages)
    library._views.db.wal_autocheckpoint(pages)
    library.start()
    try:
        await _Life(library, ledger, heal).import_one(ledger.lives)
    except LifeEnds:
        dying()
        raise
    finally:
        library.close()


class _Life:
    def __init__(self, library: Library, ledger: Ledger, heal: Callable[[], None]) -> None:
        self._library, self._ledger, self._heal = library, ledger, heal

    async def import_one(self, number: int) -> None:
        """Do everything that is written when a dropped file becomes a model, and somebody edits it."""
        file = File(f"/drop/{number}.safetensors", 2, 256, number, 1, number)
        model = hashlib.sha256(str(number).encode()).hexdigest()
        await self._write("roots", lambda db: roots.adjust(db, WANTED))
        for root in (1, 2):
            await self._write("online", lambda _db, root=root: roots.comes_online(root, Identity(root, root, "ext4")))
        header = {"modelspec.title": "A" * 4_500}  # more than a page, so that a write is torn in many ways
        seen = await self._write("see", lambda db: see(db, [Sighting(file, "pending", "loras", header)]))
        pending = _outcome(seen).found[0]
        words = PendingPatch(tags=["ink", f"tag {number}"], description="Said by a person. " * 40)
        await self._write("edit", lambda db: edit_pending(db, pending, words, None), key=f"edit {number}")
        await self._together([f"together {number} {one}" for one in range(3)])
        op = f"op{number}"
        asked = of_import(op, ImportRequested(op, pending, None, "loras"))
        await self._write("request", lambda _db: Decision([asked], op), key=f"import {number}")
        target = f"/m/loras/{number}.safetensors"
        plan = ImportPlanned(op, pending, model, "imported", file, header, target, 1)
        await self._write("plan", lambda _db: Decision([of_import(op, plan)]))
        done = Done(plan, "loras", None, Picture("PNG", ".png", 30, 20, {}), 0, File(target, 1, 256, number, 1, number))
        await self._write("complete", lambda db: Decision(facts_of(db, done)))
        await self._write("tidy", lambda _db: Decision([of_import(op, ImportTidied(op))]))
        name = ModelPatch(name=f"Model {number}", favorite=True)
        await self._write("rename", lambda db: edit_model(db, model, name, None), key=f"rename {number}")

    async def _write(self, name: str, decide: Decide, key: str | None = None) -> Written:
        for turn in range(TRIES):
            if turn == 2:
                self._heal()
            written = await self._once(name, decide, key)
            if written is not None:
                return written
        raise LifeEnds(name)

    async def _together(self, names: Sequence[str]) -> None:
        """Ask for several writes at once, which are committed together; those that are refused once more."""
        for turn in range(TRIES):
            if turn == 2:
                self._heal()
            done = await asyncio.gather(*(self._once("tag", _tag(name), None) for name in names))
            names = [name for name, one in zip(names, done, strict=True) if one is None]
        if names:
            raise LifeEnds("together")

    async def _once(self, name: str, decide: Decide, key: str | None) -> Written | None:
        action = self._ledger.promise(name)
        asked = self._ledger.asked[action]

        def counted(db: apsw.Connection) -> Decision:
            decision = decide(db)
            asked.events = len(decision.events)
            return decision

        try:
            written = await self._library.write(counted, actor="page", action=action, key=key, request=name.encode())
        except (Unwritable, LogError) as error:
            asked.open = any(word in str(error) for word in MAYBE)
            if "restart the daemon" in str(error):
                raise LifeEnds(str(error)) from error
            return None
        asked.answered, asked.open = not written.repeated, False
        if written.repeated:
            asked.events = 0
        if key is not None:
            self._ledger.answers[key] = written.position, written.value
        return written


def _tag(name: str) -> Decide:
    return lambda db: create(db, name)


def _outcome(written: Written) -> Outcome:
    return written.value


# Afterwards -------------------------------------------------------------------------------------------


def wrong_in(data: str, ledger: Ledger) -> list[str]:
    """Say what is not as it must be in a data folder, after whatever happened to it. Opens it, as a start does."""
    path = os.path.join(data, "log.db")
    if not os.path.exists(path):
        return ["the log is gone"] if ledger.promises else []
    try:
        opened = EventLog(path, durable=False)
    except LogError as error:
        return [str(error)]
    with closing(opened) as log:
        log.verify_tail()
        log.verify_structure()
        if log.damage is not None:
            return [str(log.damage)]
        found = [*_wrong_writes(log, ledger), *_wrong_answers(log, ledger)]
        with closing(Views(os.path.join(data, "views.db"), log)) as views, closing(Views(":memory:", log)) as fresh:
            if dump(views.db) != dump(fresh.db):
                found.append("the read tables differ from a replay")
        return found


def _wrong_writes(log: EventLog, ledger: Ledger) -> Iterator[str]:
    there = Counter(stored.action for stored in log.own_reader().read())
    for action, asked in ledger.asked.items():
        count = there.pop(action, 0)
        if asked.answered and count != asked.events:
            yield f"lost: {asked.name} was answered, and {count} of its {asked.events} events are there"
        elif not asked.answered and count and (not asked.open or count != asked.events):
            yield f"half: {asked.name} was refused, and {count} of its {asked.events} events are there"
    if there:
        yield f"{sum(there.values())} events were never asked for"


def _wrong_answers(log: EventLog, ledger: Ledger) -> Iterator[str]:
    for key, (position, _) in ledger.answers.items():
        kept = log.answered(key)
        if kept is None or kept[1] != position:
            yield f"lost: the answer under the key {key!r}"


def writes_again(data: str) -> bool:
    """Tell whether a library opens and takes a write."""

    async def write() -> Written:
        library = Library(data, host=b"h" * 16)
        library.start()
        try:
            return await library.write(_tag("after all"), actor="page")
        finally:
            library.close()

    return asyncio.run(write()).position > 0


def run_life(
    data: str, ledger: Ledger, heal: Callable[[], None] = lambda: None, dying: Callable[[], None] = lambda: None
) -> Exception | None:
    """Lead one life to its end; gives what ended it early."""
    os.makedirs(data, exist_ok=True)
    try:
        asyncio.run(live(data, ledger, heal, dying))
    except (LifeEnds, apsw.Error, LogError, OSError) as error:
        return error
    return None
