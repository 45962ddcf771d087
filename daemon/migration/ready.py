"""Makes rows of an earlier library ready before their turn: their pictures, as far as can be; and waits for disks."""

import asyncio
import errno
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from ...events.catalog import LegacyForm
from ...events.writer import Unwritable
from ...projections import images, pending
from ...projections.pending import Pending
from ..imagestore import ImageStore
from ..legacy.library import Picture, Row
from ..library import Library
from ..pictures import PictureRefused
from .look import Lookout
from .pictures import Ready, receive, with_tiers
from .plan import Ending, ending_of, is_done, text_of

AT_ONCE = 2  # pictures that are made at once: each takes a core, and up to 400 MiB for the largest
RETRY_S = 5.0  # what the disk could not take (it is full) is tried again after this
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EMFILE, errno.ENFILE)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Task:
    """A migration under way: `database` is its source, in the form of `pathtext`."""

    op: str
    form: LegacyForm
    database: str
    actor: str
    action: bytes


@dataclass(slots=True)
class Prepared:
    """A row of which all is made ready that can be before its turn.

    `last` is the picture of the pending model that ends. `placed` are the pictures that came to their places as a
    model's, each with its number, before it is known whether the log has the row.
    """

    row: Row
    pictures: list[Ready] = field(default_factory=list[Ready])
    problems: list[str] = field(default_factory=list[str])
    in_part: bool = False
    ending: Ending | None = None
    last: Ready | None = None
    placed: list[tuple[int, Ready]] = field(default_factory=list[tuple[int, Ready]])

    @property
    def ready(self) -> list[Ready]:
        """All pictures, that of the pending model that ends behind those of the row."""
        return [*self.pictures, *([] if self.last is None else [self.last])]


class GivenUp(Exception):
    """Somebody wants no more rows while one waits for the disk."""


class Patience:
    """Waits for a disk that takes nothing; `stop`, set, says that nobody wants it to wait any longer."""

    def __init__(self, retry_s: float = RETRY_S) -> None:
        """Try again every so many seconds."""
        self.retry_s = retry_s
        self.stop = asyncio.Event()

    async def until_done(self, act: Callable[[], Awaitable[None]]) -> None:
        """Do something until the disk takes it. Raises `GivenUp` where it does not and `stop` is set."""
        is_told = False
        while True:
            try:
                await act()
            except (Unwritable, OSError) as error:
                if self.stop.is_set():
                    raise GivenUp from error
                if not is_told:
                    log.warning("the migration waits: %s", error)
                is_told = True
                with suppress(TimeoutError):
                    async with asyncio.timeout(self.retry_s):
                        await self.stop.wait()
            else:
                return


class Preparing:
    """Makes rows ready for one library. Belongs to the event loop."""

    def __init__(self, library: Library, store: ImageStore, lookout: Lookout, patience: Patience) -> None:
        """Stage pictures in a store."""
        self._library = library
        self._store = store
        self._lookout = lookout
        self._patience = patience
        self._encoders = asyncio.Semaphore(AT_ONCE)

    async def prepare(self, task: Task, row: Row) -> Prepared | None:
        """Make a row's pictures ready; None where it came along before."""
        if is_done(self._library.db, task.op, row.digest):
            return None
        prepared = Prepared(await self._lookout.as_ours(row))
        try:
            for picture in row.pictures:
                await self._patience.until_done(lambda picture=picture: self._prepare_picture(prepared, picture))
            if row.sha256 is not None:
                known = pending.at_path(self._library.db, text_of(prepared.row))
                await self._patience.until_done(lambda: self.prepare_ending(prepared, known))
        except BaseException:
            await self.discard(prepared)
            raise
        return prepared

    async def _prepare_picture(self, prepared: Prepared, picture: Picture) -> None:
        sha256, path = prepared.row.sha256, picture.original or picture.tiers["high"]
        try:
            ready = await self.in_thread(receive, self._store, path, picture.label)
            if sha256 is not None and images.has_original(self._library.db, sha256, ready.original):
                await asyncio.to_thread(self._store.discard, ready.token)
                return
            if sha256 is not None:
                ready = await self._tiers_of(ready, picture.tiers)
            prepared.pictures.append(ready)
        except PictureRefused as error:
            prepared.problems.append(f"its picture {picture.label} did not come along: {error}")
        except OSError as error:
            if error.errno in _FULL:
                raise
            prepared.problems.append(f"its picture {picture.label} could not be read: {error.strerror or error}")
            prepared.in_part = True

    async def _tiers_of(self, ready: Ready, tiers: Mapping[str, str]) -> Ready:
        try:
            return await self.in_thread(with_tiers, self._store, ready, tiers)
        except BaseException:
            await asyncio.to_thread(self._store.discard, ready.token)
            raise

    async def prepare_ending(self, prepared: Prepared, known: Pending | None) -> None:
        """Make the picture of the pending model ready that ends, if it does."""
        if prepared.last is not None:
            await asyncio.to_thread(self._store.discard, prepared.last.token)
        prepared.ending, prepared.last = ending_of(known), None
        await self.take_last(prepared, known)
        if prepared.last is not None:
            ready, prepared.last = prepared.last, None
            with suppress(PictureRefused):
                prepared.last = await self._tiers_of(ready, {})

    async def in_thread(self, make: Callable[..., Ready], *args: Any) -> Ready:
        """Do something with a picture, at most `AT_ONCE` at once."""
        async with self._encoders:
            return await asyncio.to_thread(make, *args)

    async def discard(self, prepared: Prepared) -> None:
        """Remove what is staged for a row."""
        for ready in prepared.ready:
            await asyncio.to_thread(self._store.discard, ready.token)

    async def take_last(self, prepared: Prepared, known: Pending | None) -> None:
        """Take in the picture of a pending model, if it has one."""
        if known is None or known.picture is None:
            return
        with suppress(PictureRefused, FileNotFoundError):  # it was looked at when it was taken, and is no more
            prepared.last = await self.in_thread(
                receive, self._store, self._store.pending_path(known.id, known.picture)
            )
