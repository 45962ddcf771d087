"""A disk under SQLite that fails when it is told to, and of which a power cut keeps what it likes.

`Disk` is a VFS of SQLite's that passes everything on to the real files, so that a program sees what any program sees
until it crashes. Beside them it keeps what would be on the platter: a write is *pending* until its file is synced,
and a crash keeps any subset of the pending sectors, older ones of a sector as well as its newest. A sync that fails
forgets what was pending, as Linux does (fsyncgate, 2018): programs see it still, the platter never gets it, and the
next sync succeeds.

What the VFS does not see: the `-shm` file, which SQLite maps by itself and which no crash needs; and renames and
removals by the program, which are taken as done when a crash looks at the folder.
"""

import gc
import os
import random
import shutil
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import apsw

SECTOR = 512
KINDS = ("open", "write", "sync", "truncate")
ERRORS = {
    ("open", "IOERR"): apsw.SQLITE_CANTOPEN,
    ("write", "IOERR"): apsw.SQLITE_IOERR_WRITE,
    ("sync", "IOERR"): apsw.SQLITE_IOERR_FSYNC,
    ("truncate", "IOERR"): apsw.SQLITE_IOERR_TRUNCATE,
}


@dataclass(frozen=True, slots=True)
class Fault:
    """Which call fails: the `number`-th (from 1) of a kind, on any file; `lasting`: all from then on."""

    kind: str
    number: int
    error: str = "IOERR"
    lasting: bool = False


@dataclass(slots=True)
class Write:
    """Bytes that were written and not synced yet."""

    offset: int
    data: bytes


@dataclass(slots=True)
class Cut:
    """A truncation that was not synced yet."""

    size: int


@dataclass(slots=True)
class Platter:
    """What is on the disk of one file for certain, and what may be."""

    sure: bytearray
    pending: list[Write | Cut] = field(default_factory=list[Write | Cut])
    named: bool = True  # its entry in the folder is on the disk

    def sync(self) -> None:
        """Bring everything pending to the disk."""
        for change in self.pending:
            _apply(self.sure, change)
        self.pending.clear()


class Disk(apsw.VFS):
    """The VFS. `plan` says what fails, `calls` how often each kind of call was made."""

    def __init__(self, name: str) -> None:
        """Register under a name, in front of the system's own VFS."""
        self.calls: Counter[str] = Counter()
        self.log: list[tuple[str, str]] = []
        """Each call: its kind, and the base name of its file."""
        self.plan: Fault | None = None
        self.failed: list[tuple[str, str]] = []
        """The calls that failed because of the plan."""
        self.powerless_at = 0
        """After this many calls of any kind the power is cut; 0 for never."""
        self._platters: dict[int, Platter] = {}
        self._ghosts: dict[str, Platter] = {}
        self._lock = threading.RLock()
        self.below = apsw.vfs_names()[0]
        super().__init__(name, self.below)

    def xOpen(self, name: Any, flags: list[int]) -> "DiskFile":  # noqa: N802 - SQLite's names
        """Open a file, or fail."""
        path = _path(name)
        with self._lock:
            self.count("open", path)
            is_new = path == "" or not os.path.exists(path)
            file = DiskFile(self, name, flags, path)
            if path:
                self._know(path, is_new=is_new)
            return file

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802
        """Delete a file; the deletion is on the disk for certain if the folder is synced."""
        with self._lock:
            if self.is_dead:
                return  # SQLite has nobody to tell of an error here
            platter = self._platters.pop(os.stat(filename).st_ino, None) if os.path.exists(filename) else None
            super().xDelete(filename, syncdir)
            if syncdir:
                self._ghosts.pop(filename, None)
            elif platter is not None and platter.named:
                self._ghosts[filename] = platter

    def count(self, kind: str, path: str) -> None:
        """Count a call, and fail if it is its turn."""
        self._dead()
        name = os.path.basename(path)
        self.calls[kind] += 1
        self.log.append((kind, name))
        if self.powerless_at and len(self.log) >= self.powerless_at:
            self.powerless_at = -1
            self._dead()
        plan = self.plan
        if plan is not None and plan.kind == kind:
            turn = self.calls[kind] - plan.number
            if turn == 0 or (turn > 0 and plan.lasting):
                self.failed.append((kind, name))
                raise apsw.exception_for(ERRORS.get((kind, plan.error), apsw.SQLITE_FULL))

    @property
    def is_dead(self) -> bool:
        """Tell whether the power is cut."""
        return self.powerless_at < 0

    def _dead(self) -> None:
        if self.is_dead:
            raise apsw.exception_for(apsw.SQLITE_IOERR)

    def platter_of(self, path: str) -> Platter:
        """Give what is on the disk of an open file."""
        return self._platters[os.stat(path).st_ino]

    def _know(self, path: str, *, is_new: bool) -> None:
        number = os.stat(path).st_ino
        if is_new:
            self._platters[number] = Platter(bytearray(), named=False)
        elif number not in self._platters:
            with open(path, "rb") as file:
                self._platters[number] = Platter(bytearray(file.read()))

    def sync_folder(self) -> None:
        """Bring every entry to the disk, as the system's VFS does at the first sync of a journal or a -wal."""
        self._ghosts.clear()
        for platter in self._platters.values():
            platter.named = True

    def cut(self) -> None:
        """Cut the power now: no call works any more."""
        self.powerless_at = -1

    # After a crash --------------------------------------------------------------------------------------

    def inherit(self, other: "Disk", folder: str, target: str) -> None:
        """Go on where only the program was killed: the system shows what it wrote, the disk has what it had."""
        for entry in os.scandir(folder):
            if entry.is_file() and not entry.name.endswith("-shm"):
                copy = os.path.join(target, entry.name)
                shutil.copyfile(entry.path, copy)
                known = other._platters.get(entry.inode())
                if known is not None:
                    clone = Platter(bytearray(known.sure), list(known.pending), known.named)
                    self._platters[os.stat(copy).st_ino] = clone

    def crash_into(self, folder: str, target: str, dice: random.Random, keep: str) -> None:
        """Write into `target` what a power cut leaves of `folder`.

        `keep` says how much of what is pending: none, all, first or any. `first` keeps what was written first, and
        tears the last write; `any` keeps any sectors, in any order.
        """
        found: dict[str, Platter] = {}
        for entry in os.scandir(folder):
            if entry.is_file() and not entry.name.endswith("-shm"):
                known = self._platters.get(entry.inode())
                if known is None:
                    with open(entry.path, "rb") as file:
                        known = Platter(bytearray(file.read()))
                found[entry.name] = known
        for path, ghost in self._ghosts.items():
            if os.path.basename(path) not in found and keep != "all" and dice.random() < 0.5:
                found[os.path.basename(path)] = ghost
        for name, platter in found.items():
            if platter.named or keep == "all" or dice.random() < 0.5:
                with open(os.path.join(target, name), "wb") as file:
                    file.write(_left(platter, dice, keep))


class DiskFile(apsw.VFSFile):
    """An open file of a `Disk`."""

    def __init__(self, disk: Disk, name: Any, flags: list[int], path: str) -> None:
        """Open it with the system's VFS."""
        self._disk, self._path = disk, path
        super().__init__(disk.below, name, flags)
        self._platter: Platter | None = None

    def _here(self) -> Platter | None:
        if self._platter is None and self._path:
            self._platter = self._disk.platter_of(self._path)
        return self._platter

    def xWrite(self, data: Any, offset: int) -> None:  # noqa: N802
        """Write, or write the first half and fail."""
        with self._disk._lock:
            platter = self._here()
            try:
                self._disk.count("write", self._path)
            except apsw.Error:
                if not self._disk.is_dead:
                    self._put(platter, bytes(data[: len(data) // 2]), offset)
                raise
            self._put(platter, bytes(data), offset)

    def _put(self, platter: Platter | None, data: bytes, offset: int) -> None:
        super().xWrite(data, offset)
        if platter is not None:
            platter.pending.append(Write(offset, data))

    def xTruncate(self, newsize: int) -> None:  # noqa: N802
        """Truncate, or fail."""
        with self._disk._lock:
            platter = self._here()
            self._disk.count("truncate", self._path)
            super().xTruncate(newsize)
            if platter is not None:
                platter.pending.append(Cut(newsize))

    def xSync(self, flags: int) -> None:  # noqa: N802, ARG002
        """Sync, or fail and forget what was to be synced. The real file is not synced: that would only take time."""
        with self._disk._lock:
            platter = self._here()
            try:
                self._disk.count("sync", self._path)
            except apsw.Error:
                if platter is not None and not self._disk.is_dead:
                    platter.pending.clear()
                raise
            if platter is not None:
                platter.sync()
                if not platter.named and self._path.endswith(("-wal", "-journal")):
                    self._disk.sync_folder()


def _path(name: Any) -> str:
    if name is None:
        return ""
    return os.path.realpath(name if isinstance(name, str) else name.filename())


def _apply(content: bytearray, change: Write | Cut) -> None:
    if isinstance(change, Cut):
        if change.size <= len(content):
            del content[change.size :]
        else:
            content.extend(bytes(change.size - len(content)))
        return
    end = change.offset + len(change.data)
    if end > len(content):
        content.extend(bytes(end - len(content)))
    content[change.offset : end] = change.data


def _left(platter: Platter, dice: random.Random, keep: str) -> bytes:
    content = bytearray(platter.sure)
    changes = platter.pending
    if keep == "none":
        changes = []
    elif keep == "first" and changes:
        changes = list(changes[: dice.randrange(len(changes) + 1)])
        if changes and isinstance(last := changes[-1], Write):
            changes[-1] = Write(last.offset, last.data[: dice.randrange(len(last.data) + 1)])
    elif keep == "any":
        share = dice.choice((0.1, 0.5, 0.9))
        changes = [piece for change in changes for piece in _sectors(change) if dice.random() < share]
    for change in changes:
        _apply(content, change)
    return bytes(content)


def _sectors(change: Write | Cut) -> Iterator[Write | Cut]:
    if isinstance(change, Cut):
        yield change
        return
    start, end = change.offset, change.offset + len(change.data)
    while start < end:
        stop = min(end, (start // SECTOR + 1) * SECTOR)
        yield Write(start, change.data[start - change.offset : stop - change.offset])
        start = stop


@contextmanager
def disk(name: str = "hikaze-torture") -> Iterator[Disk]:
    """Put a disk under every database that is opened meanwhile, whoever opens it."""
    made, unheard = Disk(name), sys.unraisablehook
    apsw.set_default_vfs(name)
    # SQLite has nobody to tell of a checkpoint that failed when a file was closed; Python would.
    sys.unraisablehook = lambda told: None if issubclass(told.exc_type, apsw.Error) else unheard(told)
    try:
        yield made
        gc.collect()
    finally:
        sys.unraisablehook = unheard
        apsw.set_default_vfs(made.below)
        made.unregister()
