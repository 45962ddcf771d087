"""Makes a backup of a library, a daemon at work on it or not: the log as it is at one moment, and its pictures.

The moment is that at which the log is read. A picture that the log names then never changes, and one that is
taken away later lies in `images/removed/`. The originals of pending models' pictures go when their import ends:
those get second names before the log is read, and keep them until they are copied.
"""

import errno
import os
import re
import secrets
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field
from importlib.metadata import version
from io import BufferedReader
from pathlib import PurePath
from types import TracebackType
from typing import BinaryIO, Self

import apsw

from ..events.catalog import ImageAdded, ImageRemoved, PendingImported, PendingPictured
from ..events.record import Stored, now_ms
from . import archive, exchange
from .archive import ABOUT, HOST, LOG, Head, MemberUnreadable, begins_like_a_backup
from .checklog import RESTORE, Finding, Progress, check_log, check_wal, log_id, open_log
from .hashing import NotRegular, named, open_regular
from .imagestore import ImageStore
from .pictures import TIERS
from .place import fsync_dir, make_folder, rename_no_replace

_PAGES = 1_000  # of the log between two reports
_EVERY = 200  # pictures between two reports
_TRIES = 5  # to find a moment at which every original is still there; the second is enough unless the disk is slow
_PENDING_FILE = re.compile(r"\d{1,18}\.[a-z]{1,5}")


class BackupFailed(Exception):
    """No backup was made, and nothing is left of it; the message is one sentence that says what to do."""


@dataclass(frozen=True, slots=True)
class Made:
    """A backup that is whole: `size` in bytes, and the pictures that should be in it and were not there."""

    path: str
    position: int
    pictures: int
    size: int
    missing: list[str]


@dataclass(slots=True)
class Named:
    """The pictures that events tell of: those of models, and whether they are still there; and the originals."""

    images: dict[str, bool] = field(default_factory=dict[str, bool])
    pending: dict[int, str] = field(default_factory=dict[int, str])

    def take(self, stored: Stored) -> None:
        """Take in what an event tells of a picture."""
        match stored.event:
            case ImageAdded(model=model, seq=seq):
                self.images[f"{model}_{seq}"] = True
            case ImageRemoved(model=model, seq=seq):
                self.images[f"{model}_{seq}"] = False
            case PendingPictured(pending=pending, extension=extension):
                self.pending[pending] = extension
            case PendingImported(pending=pending, status=status) if status != "ignored":
                self.pending.pop(pending, None)
            case _:
                pass

    def originals(self) -> list[str]:
        """Give the names of the files in `images/pending/`."""
        return [f"{pending}{extension}" for pending, extension in sorted(self.pending.items())]


def back_up(
    data: str,
    target: str,
    *,
    overwrite: bool = False,
    progress: Progress = lambda _what, _done, _all: None,
    pause: Callable[[float], None] = time.sleep,
    clock: Callable[[], int] = now_ms,
) -> Made:
    """Write a backup of the library in a data folder to a file; a daemon may be at work on it.

    With `overwrite` an earlier backup at that place is replaced, once the new one is whole. Raises `BackupFailed`.
    """
    _refuse(data, target, overwrite)
    try:
        with Workplace(target) as work, Pins(ImageStore(data)) as pins:
            log, named_ = _moment(data, work, pins, progress, pause)
            made = _write(data, work, log, named_, pins, progress, clock())
            work.put_in_place(overwrite)
            return made
    except (OSError, apsw.Error) as error:
        raise _failed(target, error) from error


def _refuse(data: str, target: str, overwrite: bool) -> None:
    """Say before any work what would be in its way at the end."""
    if exchange.is_interrupted(data):
        raise BackupFailed(
            "a restore of this library was cut off in the middle: start the daemon, or run `hikazed restore` again,"
            " which finishes it; then back up"
        )
    if not os.path.exists(os.path.join(data, LOG)):
        raise BackupFailed(f"there is no library in {named(data)}; name its folder with --data")
    folder = os.path.dirname(target)
    if os.path.isdir(target):
        example = os.path.join(target, "hikaze.tar")
        raise BackupFailed(f"{named(target)} is a folder; name a file, such as {named(example)}")
    if not os.path.isdir(folder):
        raise BackupFailed(f"there is no folder {named(folder)}; make it, or name another place")
    if PurePath(os.path.realpath(folder)).is_relative_to(os.path.realpath(data)):
        raise BackupFailed(
            f"{named(target)} lies in the data folder itself and would be lost with it; name a place elsewhere, best"
            " on another disk"
        )
    if os.path.lexists(target):
        _refuse_to_replace(target, overwrite)


def _refuse_to_replace(target: str, overwrite: bool) -> None:
    if not overwrite:
        raise BackupFailed(f"{named(target)} is there already; name another file, or say --overwrite to replace it")
    try:
        is_ours = os.path.isfile(target) and not os.path.islink(target) and begins_like_a_backup(target)
    except OSError as error:
        raise BackupFailed(f"{named(target)} cannot be read ({error.strerror}); name another file") from error
    if not is_ours:
        raise BackupFailed(f"{named(target)} is no backup of Hikaze, and only those are replaced; name another file")


def _failed(target: str, error: OSError | apsw.Error) -> BackupFailed:
    folder = named(os.path.dirname(target))
    if isinstance(error, apsw.FullError) or getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT):
        return BackupFailed(f"the disk of {folder} is full; make room there, or name a place elsewhere")
    if isinstance(error, FileExistsError):
        return BackupFailed(f"{named(target)} was made by somebody else meanwhile; name another file")
    if getattr(error, "errno", None) == errno.EFBIG:
        return BackupFailed(f"the disk of {folder} takes no file so large (FAT: 4 GiB); name a place on another disk")
    why = error.strerror or error if isinstance(error, OSError) else error
    return BackupFailed(f"the backup could not be written to {folder} ({why}); see to it, or name a place elsewhere")


# Where it is made --------------------------------------------------------------------------------------


class Workplace:
    """A folder beside the backup to be, where it is made; gone when the work ends, and taken over from a killed one."""

    def __init__(self, target: str) -> None:
        """Work beside `target`."""
        self.target = target
        self.folder = os.path.join(os.path.dirname(target), f".{os.path.basename(target)}.hikaze-part")
        self.log = os.path.join(self.folder, "log.db")
        self.archive = os.path.join(self.folder, "backup.tar")
        self.manifest = os.path.join(self.folder, "manifest.json")
        self._lock = -1

    def __enter__(self) -> Self:
        """Make the folder, and have it alone."""
        with suppress(FileExistsError):
            os.mkdir(self.folder, 0o700)
        self._lock = os.open(os.path.join(self.folder, "lock"), os.O_RDWR | os.O_CREAT, 0o600)
        if not _locked(self._lock):
            os.close(self._lock)
            raise BackupFailed(f"another backup to {named(self.target)} is under way; wait until it has ended")
        self.clear()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave nothing."""
        os.close(self._lock)
        shutil.rmtree(self.folder, ignore_errors=True)

    def clear(self) -> None:
        """Remove what an earlier try has left."""
        for path in (self.log, self.archive, self.manifest):
            with suppress(FileNotFoundError):
                os.remove(path)

    def put_in_place(self, overwrite: bool) -> None:
        """Give the finished backup its name, durably."""
        if overwrite:
            os.replace(self.archive, self.target)
            fsync_dir(os.path.dirname(self.target))
        else:
            rename_no_replace(self.archive, self.target)


if sys.platform == "win32":

    def _locked(_fd: int) -> bool:
        return True  # Windows removes no file that another process has open: `clear` fails

else:
    import fcntl

    def _locked(fd: int) -> bool:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:  # a network disk without locks: then two backups to one file are the user's to avoid
            return True
        return True


class Pins:
    """Second names for the originals of pending models' pictures, so that none goes while a backup needs it.

    They lie in `images/tmp/`, which a daemon clears when it starts: nothing stays after a crash. A disk that gives
    no second names is done without; then an original may be gone before it is copied, and the log is read again.
    """

    def __init__(self, store: ImageStore) -> None:
        """Give no second name yet."""
        self._store = store
        self._prefix = os.path.join(store.staging, f"backup-{secrets.token_hex(8)}-")
        self._inodes: dict[str, int] = {}
        self._works = True

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take the second names away."""
        for name in self._inodes:
            with suppress(OSError):
                os.remove(self._prefix + name)

    def take(self) -> None:
        """Give a second name to every original that has none yet, or has become another file."""
        try:
            with os.scandir(self._store.pending_folder) as entries:
                files = [(entry.name, entry.inode()) for entry in entries if _PENDING_FILE.fullmatch(entry.name)]
        except FileNotFoundError:
            return
        for name, inode in files:
            if self._works and self._inodes.get(name) != inode:
                self._pin(name, inode)

    def _pin(self, name: str, inode: int) -> None:
        try:
            make_folder(self._store.staging)
            with suppress(FileNotFoundError):
                os.remove(self._prefix + name)
            os.link(os.path.join(self._store.pending_folder, name), self._prefix + name)
        except FileNotFoundError:
            self._inodes.pop(name, None)  # gone between the two
        except OSError:
            self._works = False
        else:
            self._inodes[name] = inode

    def find(self, name: str) -> str:
        """Give the path at which an original can be read, if it can."""
        pinned = self._prefix + name
        return pinned if name in self._inodes else os.path.join(self._store.pending_folder, name)

    def are_there(self, names: list[str]) -> bool:
        """Tell whether all of these originals can be read."""
        return all(os.path.exists(self.find(name)) for name in names)


# The moment ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Moment:
    """The log at one moment: its name, the position of its last event, and the checksum there."""

    log_id: str
    position: int
    checksum: int


def _moment(
    data: str, work: Workplace, pins: Pins, progress: Progress, pause: Callable[[float], None]
) -> tuple[Moment, Named]:
    """Copy the log as it is at a moment, verify it, and find out which pictures it names."""
    path, found = os.path.join(data, LOG), Named()
    for _ in range(_TRIES):
        work.clear()
        pins.take()
        _copy_log(data, work.log, pins, progress)
        found = Named()
        _refuse_damage(data, [*check_wal(path, pause), *check_log(work.log, progress, found.take, settled=True)])
        if pins.are_there(found.originals()):
            break  # else, at last: they are told as missing
    with closing(open_log(work.log, settled=True)) as db:
        last = db.execute("SELECT position, checksum FROM events ORDER BY position DESC LIMIT 1").fetchone() or (0, 0)
        return Moment(log_id(db).hex(), *last), found


def _copy_log(data: str, copy: str, pins: Pins, progress: Progress) -> None:
    path = os.path.join(data, LOG)
    try:
        _copy(path, copy, pins, progress)
    except (apsw.NotADBError, apsw.CorruptError, apsw.SQLError) as error:
        _refuse_damage(data, [Finding("log", f"{path} cannot be read ({error})", RESTORE)])


def _copy(path: str, copy: str, pins: Pins, progress: Progress) -> None:
    flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE | apsw.SQLITE_OPEN_URI
    name = copy.replace("%", "%25").replace("?", "%3f").replace("#", "%23")
    os.close(os.open(copy, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    # Nobody else has the copy, and its disk may know no locks; what it is worth is decided by reading it.
    with closing(open_log(path)) as log, closing(apsw.Connection(f"file:{name}?nolock=1", flags=flags)) as db:
        db.pragma("journal_mode", "off")
        db.pragma("synchronous", "off")
        log.execute("BEGIN")
        log.execute("SELECT max(position) FROM events").fetchall()  # this is the moment: from here on it stands still
        pins.take()
        with db.backup("main", log, "main") as copying:
            while not copying.done:
                copying.step(_PAGES)
                total = copying.page_count
                progress("copying the log", total - copying.remaining, total)


def _refuse_damage(data: str, findings: list[Finding]) -> None:
    if not findings:
        return
    first = findings[0]
    if "newer Hikaze" in first.what:
        raise BackupFailed(f"no backup was made: {first.what}")
    more = f" (and {len(findings) - 1} more)" if len(findings) > 1 else ""
    raise BackupFailed(
        f"no backup was made, for it would hold the same damage: {first.what}{more}. Keep the whole folder"
        f" {named(data)} in a copy, then see to what `hikazed check` says"
    )


# The archive --------------------------------------------------------------------------------------------


def _write(data: str, work: Workplace, log: Moment, found: Named, pins: Pins, progress: Progress, made_at: int) -> Made:
    head = Head(ABOUT, archive.FORMAT, version("hikaze"), made_at, log.log_id, log.position, log.checksum)
    missing: list[str] = []
    pictures = 0
    with ExitStack() as stack:
        file = stack.enter_context(open(work.archive, "xb", opener=_private))
        writer = archive.Writer(file, stack.enter_context(open(work.manifest, "x+b", opener=_private)), head)
        with open(work.log, "rb") as source:
            writer.add(LOG, source)
        os.remove(work.log)
        _add_host(writer, data)
        total = len(found.images) * len(TIERS) + len(found.pending)
        for name, paths, is_needed in _pictures(ImageStore(data), found, pins):
            if pictures % _EVERY == 0:
                progress("copying the pictures", pictures, total)
            if _add_first(writer, name, paths):
                pictures += 1
            elif is_needed:
                missing.append(name)
        writer.finish(missing)
        file.flush()
        os.fsync(file.fileno())
        size = file.tell()
    return Made(work.target, log.position, pictures, size, missing)


def _pictures(store: ImageStore, found: Named, pins: Pins) -> Iterator[tuple[str, tuple[str, ...], bool]]:
    """Give each picture file: its name, where it may lie (it may be moved under our eyes), and if it must be there."""
    for base, is_there in sorted(found.images.items()):
        model, _, seq = base.partition("_")
        for tier in TIERS:
            place = store.path(model, int(seq), tier)
            removed = os.path.join(store.removed, os.path.basename(place))
            folder = model[:2] if is_there else "removed"
            yield f"images/{folder}/{os.path.basename(place)}", (place, removed, place), is_there
    for name in found.originals():
        yield f"images/pending/{name}", (pins.find(name),), True


def _add_first(writer: archive.Writer, name: str, paths: tuple[str, ...]) -> bool:
    """Add the file that lies at the first of some paths; tell whether there was one that could be read."""
    for path in paths:
        try:
            source: BinaryIO = BufferedReader(open_regular(path))
        except (OSError, NotRegular):
            continue
        with source:
            try:
                writer.add(name, source)
            except MemberUnreadable:
                continue
            return True
    return False


def _add_host(writer: archive.Writer, data: str) -> None:
    _add_first(writer, HOST, (os.path.join(data, HOST),))


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
