"""Works out, in the background, the AutoV3 of older models that may have the tensors of another one.

What is imported has its AutoV3 at once. Of what was there before, it is worked out only where it can matter, for
nobody wants his disks read for hours: where another model has as many tensors and numbers, and the two files end alike
(the last 64 KiB are of the tensors), so that few are read whole that are no relatives. Files that lie on other machines
are left alone. Whatever a person may wait for comes first.
"""

import asyncio
import os
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence

import apsw

from ..events.pathtext import shown, to_path
from ..events.writer import Decision, Unwritable
from ..projections import hashes, models
from ..projections.hashes import Akin
from .busy import Busy
from .comparing import Observing
from .disks import Disks, NoAnswer
from .hashing import Hashed, ReadingStopped
from .library import Library
from .presence import Presence
from .sightings import further_hashes

TASK = "relatives"
WHAT = "looking for models with the same tensors"
GATHER_S = 10.0  # after a root came, or models: there is no hurry
GIVE_WAY_S = 0.1  # between two looks at whether somebody still needs the cores
REST = 4.0  # times as long as a file took it is rested from
PAUSE = 20.0  # times as long as it took to see what there is to compare, before that is seen again
TAILS_KEPT = 100_000  # of files that were looked at, some 30 MiB

File = tuple[str, int, int, int, int]
"""Path (as in `pathtext`), root, size in bytes, mtime in ns and inode."""


class Relatives:
    """The models that are to be compared. `follow` does it; all of it runs in the event loop, but for the reading."""

    def __init__(
        self,
        library: Library,
        disks: Disks,
        presence: Presence,
        busy: Busy,
        observing: Observing,
        stopping: threading.Event,
        *,
        must_wait: Callable[[], bool],
        gather_s: float = GATHER_S,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Compare for a library; `must_wait` tells, from any thread, whether files are hashed that somebody waits for.

        Once `stopping` is set a file that is being hashed is given up. `clock` is a monotonic one, in seconds.
        """
        self._library = library
        self._disks = disks
        self._presence = presence
        self._busy = busy
        self._at = observing
        self._stopping = stopping
        self._must_wait = must_wait
        self._gather_s = gather_s
        self._clock = clock
        self._sleep = sleep
        self._tails: dict[File, str | None] = {}
        self._wake = asyncio.Event()

    def look(self) -> None:
        """There may be more to compare."""
        self._wake.set()

    async def follow(self) -> None:
        """Compare what is to be compared, for ever."""
        while True:
            await self._wake.wait()
            await self._sleep(self._gather_s)
            self._wake.clear()
            begun = self._clock()
            groups: list[list[Akin]] = await self._library.with_reader(hashes.may_be_relatives)
            looked = self._clock() - begun
            try:
                for group in groups:
                    await self._compare(group)
            except Unwritable:
                self._wake.set()  # it is not written yet
                raise
            finally:
                self._library.news.finished(TASK)
            await self._sleep(PAUSE * looked)

    async def _compare(self, group: Sequence[Akin]) -> None:
        """Work out the AutoV3 of those of a group of which a file ends as another's does."""
        files = {akin: file for akin in group if (file := self._file_of(akin)) is not None}
        tails = {akin: await self._tail(file) for akin, file in files.items()}
        counts = Counter(tail for tail in tails.values() if tail is not None)
        for akin, tail in tails.items():
            if akin.autov3 is None and tail is not None and counts[tail] > 1:
                await self._hash(akin, files[akin])

    def _file_of(self, akin: Akin) -> File | None:
        online = {root.id for root in self._presence.online()}
        there = (file for file in akin.files if file[1] in online and to_path(file[0]) not in self._busy.paths)
        return next(there, None)

    async def _tail(self, file: File) -> str | None:
        if file not in self._tails:
            await self._give_way()
            self._tell(file)
            begun = self._clock()
            if len(self._tails) >= TAILS_KEPT:
                self._tails.pop(next(iter(self._tails)))
            self._tails[file] = await self._disks.tail_of(to_path(file[0]))
            await self._sleep(REST * (self._clock() - begun))
        return self._tails[file]

    async def _hash(self, akin: Akin, file: File) -> None:
        loop, path = asyncio.get_running_loop(), to_path(file[0])

        def tell(done: int) -> None:
            loop.call_soon_threadsafe(self._tell, file, done)
            while self._is_needed() and not self._stopping.wait(GIVE_WAY_S):
                pass

        await self._give_way()
        begun = self._clock()
        try:
            hashed = await self._disks.hash_file(path, self._stopping, tell)
        except NoAnswer:
            return  # its root is seen to by others, and comes again
        except (ReadingStopped, OSError):
            self._at.look_again([path])
            return
        if hashed.sha256 == akin.model:
            await self._library.write(lambda db: _called(db, hashed), actor="watcher")
        else:
            self._tails[file] = None  # other content, at the same size and time: not to be read again and again
            self._at.look_again([path])
        await self._sleep(REST * (self._clock() - begun))

    def _tell(self, file: File, done: int = 0) -> None:
        self._library.news.progress(TASK, what=WHAT, path=shown(file[0]), bytes=done, bytes_total=file[2])

    def _is_needed(self) -> bool:
        return self._must_wait() or self._busy.hashing >= max(1, (os.cpu_count() or 1) - 1)

    async def _give_way(self) -> None:
        while self._is_needed():
            await self._sleep(GIVE_WAY_S)


def _called(db: apsw.Connection, hashed: Hashed) -> Decision:
    known = models.get(db, hashed.sha256) is not None
    return Decision(further_hashes(db, hashed.sha256, hashed.further) if known else ())
