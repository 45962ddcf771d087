"""What uploads under way leave in a drop folder: the bytes that are here, and a record of what they are to become.

Both lie beside their goal under hidden names, which no look takes for a model: the last step is a rename. The record
says how many bytes were safe on the disk when it was written. Only those count when a part is opened again: a power
cut may leave a longer file whose end was never written. All of this waits for the disk: call it from a thread.
"""

import errno
import os
import shutil
import stat
import threading
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager, suppress

import msgspec

from . import place
from .hashing import named

PREFIX = ".hikaze-upload-"
_PART, _RECORD, _NEW = ".part", ".state", ".new"  # none of them a name that a sidecar or picture may have
_FULL = frozenset({errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)})
_LARGEST_RECORD = 1 << 16
# Neither a link nor a pipe that somebody put there is followed or waited for.
_CAREFUL = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


class NoRoom(Exception):
    """The disk of a drop folder cannot hold what is sent; what is here stays."""


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """What an upload is to become, and how far it is."""

    key: str
    name: str
    size: int | None
    """All its bytes; None where whoever sends it has not said, and sends it in one go."""
    at: int
    """When a piece of it came last, in ms since 1970."""
    safe: int = 0
    """So many bytes were on the disk when this was written."""
    once: bool = False
    """It came without a key: nobody can go on with it."""
    goal: str | None = None
    """The name that it was about to get, and the inode that bears it if that came about."""
    ino: int = 0


def part_path(folder: str, key: str) -> str:
    """Give the path of the bytes of an upload."""
    return os.path.join(folder, PREFIX + key + _PART)


def _record_path(folder: str, key: str) -> str:
    return os.path.join(folder, PREFIX + key + _RECORD)


# Records ----------------------------------------------------------------------------------------------


def read_record(folder: str, key: str) -> Record | None:
    """Give the record of an upload in a folder, None where there is none that can be read. Raises OSError."""
    try:
        with open(_record_path(folder, key), "rb", opener=_no_link) as file:
            found = msgspec.json.decode(file.read(_LARGEST_RECORD), type=Record)
    except (FileNotFoundError, msgspec.DecodeError, UnicodeDecodeError):
        return None
    # Where a disk takes `Foo` and `foo` for one name it may be another's. And whoever else may write to the folder may
    # have made it up: a name that is a path would lead out of the folder.
    names = (found.name, found.name if found.goal is None else found.goal)
    return found if found.key == key and all(map(_is_name, names)) else None


def _is_name(name: str) -> bool:
    return name not in ("", ".", "..") and not set(name) & {"/", "\\", "\0"}


def write_record(folder: str, record: Record) -> None:
    """Put a record in the place of the one before, durable with the folder's next sync at the latest."""
    new = os.path.join(folder, PREFIX + record.key + _NEW)
    with open(new, "wb", opener=_private) as file:
        file.write(msgspec.json.encode(record))
        file.flush()
        os.fsync(file.fileno())
    os.replace(new, _record_path(folder, record.key))


def begin(folder: str, record: Record) -> None:
    """Write the first record of an upload; what an earlier one of its key left without a record goes."""
    with plainly(folder):
        with suppress(FileNotFoundError):
            os.unlink(part_path(folder, record.key))
        write_record(folder, record)
        place.fsync_dir(folder)


def discard(folder: str, key: str) -> None:
    """Remove all that an upload left; the bytes first, for without a record nobody knows what they are."""
    for path in (part_path(folder, key), os.path.join(folder, PREFIX + key + _NEW), _record_path(folder, key)):
        with suppress(FileNotFoundError):
            os.unlink(path)
    place.fsync_dir(folder)


def keys_in(folder: str) -> set[str]:
    """Give the keys of all uploads that left something in a folder."""
    with os.scandir(folder) as entries:
        names = [entry.name for entry in entries if entry.name.startswith(PREFIX)]
    return {os.path.splitext(name[len(PREFIX) :])[0] for name in names}


def bytes_here(folder: str, record: Record) -> int:
    """Give how many bytes of an upload count."""
    try:
        return min(os.lstat(part_path(folder, record.key)).st_size, record.safe)
    except FileNotFoundError:
        return 0


def require_space(folder: str, wanted: int) -> None:
    """Raise `NoRoom` unless the disk of a folder has room for so many bytes more."""
    try:
        place.require_space(folder, wanted)
    except place.NoSpace as error:
        raise NoRoom(str(error)) from error


# Parts ------------------------------------------------------------------------------------------------


class Part:
    """The bytes of one upload, open for more of them. Threads may call it one after the other, or at once."""

    def __init__(self, folder: str, record: Record) -> None:
        """Open it at the end of what counts; what lies behind that goes."""
        self.record = record
        self._folder = folder
        self._lock = threading.Lock()
        with plainly(folder):
            self._file = open(part_path(folder, record.key), "ab", buffering=0, opener=_private)  # noqa: SIM115
            try:
                self._begin_at(min(os.fstat(self._file.fileno()).st_size, record.safe))
            except BaseException:
                self._file.close()
                raise

    def _begin_at(self, here: int) -> None:
        if not stat.S_ISREG(os.fstat(self._file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "no regular file", self._file.name)
        self.here = here
        self._file.truncate(here)

    @property
    def unsafe(self) -> int:
        """How many bytes are not known to be on the disk."""
        return self.here - self.record.safe

    def write(self, block: bytes) -> None:
        """Add bytes. Raises `NoRoom`, with as many of them added as there was room for."""
        rest = memoryview(block)
        with self._lock, plainly(self._folder):
            while rest:
                written = self._file.write(rest) or 0
                self.here += written
                rest = rest[written:]

    def sync(self, at: int) -> None:
        """Have all bytes on the disk, and the record say so."""
        with self._lock, plainly(self._folder):
            os.fsync(self._file.fileno())
            self._write_down(at)

    def cut(self, here: int, at: int) -> None:
        """Let the last bytes go, and keep so many."""
        with self._lock:
            self._file.truncate(here)
            self.here = here
            os.fsync(self._file.fileno())
            self._write_down(at)

    def keep(self, at: int) -> None:
        """Keep what can be kept when something has gone wrong: if the disk takes no more, what was safe before."""
        try:
            self.sync(at)
        except (OSError, NoRoom):
            with self._lock, suppress(OSError):
                self._file.truncate(self.record.safe)
            self.here = self.record.safe

    def close(self) -> None:
        """Close it."""
        with self._lock:
            self._file.close()

    def _write_down(self, at: int) -> None:
        record = msgspec.structs.replace(self.record, safe=self.here, at=at)
        write_record(self._folder, record)
        self.record = record


# The end ----------------------------------------------------------------------------------------------


def finish(folder: str, record: Record) -> str:
    """Give an upload whose bytes are all here and synced its name, or that name with a number; gives the path."""
    part = part_path(folder, record.key)
    ino = os.lstat(part).st_ino
    while True:
        goal = place.free_name(folder, record.name)
        # For `ended`, after a crash; a disk that is so full that it takes no record takes a new name all the same.
        with suppress(NoRoom), plainly(folder):
            write_record(folder, msgspec.structs.replace(record, goal=goal, ino=ino))
        target = os.path.join(folder, goal)
        try:
            place.rename_no_replace(part, target)
        except FileExistsError:  # somebody else was faster
            continue
        _clear(folder, record.key)
        return target


def ended(folder: str, record: Record) -> str | None:
    """Give the path of an upload that had got its name when something ended the daemon; what it left goes then."""
    if record.goal is None:
        return None
    part, target = part_path(folder, record.key), os.path.join(folder, record.goal)
    if not place.finish_rename(part, target) and (os.path.lexists(part) or not _is_it(target, record)):
        return None
    place.confirm(part, target)
    _clear(folder, record.key)
    return target


def _clear(folder: str, key: str) -> None:
    """Remove the record of an upload that is done; where that fails it tells the same again, until a sweep."""
    with suppress(OSError):
        discard(folder, key)


def _is_it(target: str, record: Record) -> bool:
    try:
        found = os.lstat(target)
    except FileNotFoundError:
        return False
    return found.st_ino == record.ino and found.st_size == record.size


# Sweeping ---------------------------------------------------------------------------------------------


def sweep(folder: str, key: str, *, oldest: int) -> tuple[Record, str] | None:
    """Look after what is left of an upload: remove it if nothing came since `oldest` (ms), finish it if all is here.

    Gives its record and its path where it is finished. Raises `NoRoom` and OSError.
    """
    record = read_record(folder, key)
    if record is None:
        if _changed_ms(folder, key) < oldest:
            discard(folder, key)
        return None
    path = ended(folder, record)
    if path is None and bytes_here(folder, record) == record.size:
        path = finish(folder, record)
    elif path is None and (record.once or record.at < oldest):
        discard(folder, key)
    return None if path is None else (record, path)


def _changed_ms(folder: str, key: str) -> int:
    return max(_times(os.path.join(folder, PREFIX + key + ending) for ending in (_PART, _RECORD, _NEW)), default=0)


def _times(paths: Iterable[str]) -> Iterator[int]:
    for path in paths:
        with suppress(FileNotFoundError):
            yield os.lstat(path).st_mtime_ns // 1_000_000


# Opening ----------------------------------------------------------------------------------------------


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | _CAREFUL, 0o600)


def _no_link(path: str, flags: int) -> int:
    return os.open(path, flags | _CAREFUL)


@contextmanager
def plainly(folder: str) -> Generator[None]:
    """Say in plain words that a disk is full, or takes no file so large."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            free = shutil.disk_usage(folder).free
            raise NoRoom(
                f"the disk of {named(folder)} is full ({free:,} bytes are free): make room there, then go on"
            ) from error
        if error.errno == errno.EFBIG:
            raise NoRoom(
                f"the file system of {named(folder)} takes no file so large, as FAT32 takes none of 4 GiB: use a drop"
                " folder on another disk"
            ) from error
        raise
