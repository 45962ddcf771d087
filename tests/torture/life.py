"""One life of the daemon: what `daemon/app.py` builds, less the servers, on a `VirtualLoop`."""

import asyncio
import os
from collections.abc import Callable
from typing import Any

from hikaze.daemon import dismissing, roots
from hikaze.daemon.busy import Busy
from hikaze.daemon.disks import Disks
from hikaze.daemon.gallery import Gallery
from hikaze.daemon.imagestore import ImageStore
from hikaze.daemon.importer import Importer
from hikaze.daemon.ingest import Tools
from hikaze.daemon.library import Library
from hikaze.daemon.mounts import MountWatch
from hikaze.daemon.observer import Observer
from hikaze.daemon.pauses import Clocks
from hikaze.daemon.roots import Wanted
from hikaze.daemon.watch import Hint, Shortage
from hikaze.events.writer import Decide, Unwritable, Writer, Written
from hikaze.projections import images, pending

from .simdisk import Disk
from .virtual import VirtualLoop


def _to_nobody(_: Hint) -> None:
    """Nobody listens yet."""


class _Writer(Writer):
    """Writes without a thread: when the dice say so, and then what waits together."""

    def __init__(self, loop: VirtualLoop, *args: Any, **how: Any) -> None:
        super().__init__(*args, **how)
        self._virtual, self._is_due = loop, False

    def start(self) -> None:
        pass

    def stop(self) -> None:
        super().stop()
        if not self._virtual.dead:
            self._write_all()

    def _queue(self, write: Any) -> None:
        super()._queue(write)
        if not self._is_due:
            self._is_due = True
            self._virtual.call_later(self._virtual.pause(), self._write_waiting)

    def _write_waiting(self) -> None:
        self._is_due = False
        if not self._virtual.is_over():
            self._write_all()

    def _write_all(self) -> None:
        batch: list[Any] = []
        while not self._waiting.empty():
            each = self._waiting.get()
            if callable(each):
                each()
            elif each is not None:
                batch.append(each)
        if batch:
            self._commit_together(batch)


class _Library(Library):
    """A library that is written in the loop, and whose disk may be full."""

    def __init__(self, data: str, loop: VirtualLoop) -> None:
        super().__init__(data, host=b"h" * 16)
        self._virtual = loop
        self._writer = _Writer(loop, self._log, self._views, self._announce)
        self.full_until = 0.0

    async def write(self, decide: Decide, **how: Any) -> Written:
        if self._virtual.time() < self.full_until:
            raise Unwritable("the disk of the data folder is full", "free some space")
        written = await super().write(decide, **how)
        await asyncio.sleep(self._virtual.pause())
        return written


class _Watches:
    """Stands in for the watcher: the disk asks it who watches what, and the world delivers the hints."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk

    def watch(self, folder: str, shown_as: str | None = None) -> None:
        real = os.path.realpath(folder)
        if not os.path.isdir(real):
            raise FileNotFoundError(2, "There is no folder to watch here", folder)
        self._disk.watches[shown_as or folder] = real

    def unwatch(self, folder: str, shown_as: str | None = None) -> None:
        self._disk.watches.pop(shown_as or folder, None)

    def watched(self) -> frozenset[str]:
        return frozenset(self._disk.watches)

    def shortage(self) -> Shortage | None:
        return None

    def cover(self) -> list[str]:
        return []

    def close(self) -> None:
        self._disk.watches.clear()


class _NoMounts(MountWatch):
    """Hears of no mount: a story must not hang on what this machine does."""

    def start(self) -> None:
        pass

    def close(self) -> None:
        pass


class _Observer(Observer):
    """An observer that is told of mounts by the story."""

    def __init__(self, *args: Any, **how: Any) -> None:
        super().__init__(*args, **how)
        self._mounts = _NoMounts(self._mounts_changed)

    def mounted(self) -> None:
        """Something was mounted, or unmounted."""
        self._mounts_changed()


class Life:
    """One life of the daemon."""

    def __init__(self, data: str, disk: Disk, loop: VirtualLoop, asleep_s: Callable[[], float]) -> None:
        """Build the parts, in the daemon's order; `asleep_s` says for how many seconds the computer has slept."""
        self.loop = loop
        self.library = _Library(data, loop)
        self.busy, self.store = Busy(), ImageStore(data)
        disks = Disks(self._listen, clock=self.loop.time)
        self.gallery = Gallery(self.library, self.store, self.busy, disks)
        order = {"loras": (disk.roots["loras"],), "vae": (disk.roots["vae"],)}
        tools = Tools(
            self.library,
            self.store,
            self.busy,
            data,
            lambda type_: order.get(type_, ()),
            self.gallery.take_companion,
            disks.answers,
        )
        self._disk, self._data, self.hint = disk, data, _to_nobody
        self.observer = _Observer(
            self.library,
            self.busy,
            self.gallery.take_companions,
            disks=disks,
            clock=self.loop.time,
            clocks=lambda: Clocks(self.loop.time(), self.loop.time() + asleep_s()),
        )
        self.importer = Importer(tools, self.observer.look_again, self.observer.compare_with_known)

    def _listen(self, deliver: Callable[[Hint], None]) -> Any:
        self.hint = deliver
        return _Watches(self._disk)

    async def open(self, wanted: list[Wanted]) -> None:
        """Start everything."""
        self.library.start()
        await self.library.write(lambda db: roots.adjust(db, wanted), actor="daemon")
        await asyncio.to_thread(self._recover_images)
        await self.importer.recover()
        await dismissing.recover(self.library, self._data)
        self.observer.start()
        self.importer.start()

    def _recover_images(self) -> None:
        db = self.library.reader()
        self.store.recover(lambda sha, seq: images.has(db, sha, seq), lambda number: pending.picture_of(db, number))
        db.close()

    async def close(self) -> None:
        """Stop everything, in order."""
        await self.importer.close()
        await self.observer.close()

    def bury(self) -> None:
        """Clear away what is left of a life that was stopped or killed."""
        self.loop.die_after(None)
        left = asyncio.all_tasks(self.loop)
        for task in left:
            task.cancel()
        if left:
            self.loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        self.library.close()
        self.loop.close()
