"""Puts files in their place: moves and copies that never overwrite, and that a crash leaves whole.

NotPlaced
├── ContentDiffers    what was read or written is not what was expected
└── NoSpace           the disk has too little room
"""

import ctypes
import errno
import hashlib
import itertools
import os
import shutil
import stat
import sys
import threading
import unicodedata
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from io import FileIO

from .hashing import advise, hash_file, named, open_regular, read_steadily, unheard

_LONGEST_NAME = 255  # bytes: NAME_MAX of the file systems people keep models on
_SYNC_EVERY = 256 << 20

_AT_FDCWD = -100  # fcntl.h
_RENAME_NOREPLACE = 1  # linux/fs.h
# What a kernel or file system answers to a call it does not know. EPERM is what FAT says to hard links.
_NOT_KNOWN_HERE = frozenset((errno.EINVAL, errno.ENOSYS, errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP))


class NotPlaced(Exception):
    """A file could not be put where it should be; it is still where it was."""


class ContentDiffers(NotPlaced):
    """The bytes at a path are not those that were expected; both SHA-256 are lower-case hex."""

    def __init__(self, path: str, cure: str, *, expected: str, found: str) -> None:
        super().__init__(f"{named(path)} does not hold the content it should: {cure}.")
        self.expected = expected
        self.found = found


class NoSpace(NotPlaced):
    """A disk has too little room; `needed` and `free` are bytes."""

    def __init__(self, folder: str, *, needed: int, free: int) -> None:
        super().__init__(
            f"{named(folder)} has {_size(free)} free and {_size(needed)} are needed: make room there, then try again."
        )
        self.needed = needed
        self.free = free


# Three ways to rename within a file system without ever overwriting, the best first

Way = Callable[[str, str], None]


def rename_exclusively(source: str, target: str) -> None:
    """Rename by renameat2(RENAME_NOREPLACE), in one step: Linux on local file systems and SMB."""
    if sys.platform != "linux":
        raise _not_known()
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "renameat2"):
        raise _not_known()
    old, new = _c_string(source), _c_string(target)
    if libc.renameat2(_AT_FDCWD, old, _AT_FDCWD, new, _RENAME_NOREPLACE) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), source, None, target)


def link_and_unlink(source: str, target: str) -> None:
    """Rename by a second name and the removal of the first: NFS and macOS.

    Killed between the two, both names stay: see `finish_rename`. The second is durable before the first goes: else a
    power cut could take both.
    """
    if sys.platform == "win32":
        raise _not_known()
    os.link(source, target, follow_symlinks=False)
    try:
        fsync_dir(os.path.dirname(target))
        os.unlink(source)
    except OSError:
        os.unlink(target)
        raise


def reserve_and_rename(source: str, target: str) -> None:
    """Take the name with an empty file and rename onto that: file systems that know nothing better.

    A program that replaces our empty file between the two loses its own; killed there, the empty file stays.
    Windows needs no reservation, its rename refuses a taken name.
    """
    if sys.platform == "win32":
        os.rename(source, target)
        return
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        os.rename(source, target)
    except OSError:
        if os.lstat(target).st_size == 0:
            os.unlink(target)
        raise


WAYS: tuple[Way, ...] = (rename_exclusively, link_and_unlink, reserve_and_rename)


def _not_known() -> OSError:
    return OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))


def _c_string(path: str) -> bytes:
    raw = os.fsencode(path)
    if b"\0" in raw:  # C would end the path there and rename something else
        raise ValueError("embedded null byte")
    return raw


def rename_no_replace(source: str, target: str, *, ways: Sequence[Way] = WAYS) -> None:
    """Move a file within its file system, never onto an existing one; durable when it returns.

    A symbolic link is itself moved. Raises `FileExistsError` when `target` is taken, `OSError` (EXDEV) when
    it lies on another file system, and any other `OSError`, all with `source` still in place.
    """
    _first_that_works(ways, source, target)
    fsync_dir(os.path.dirname(target))
    if os.path.dirname(source) != os.path.dirname(target):
        fsync_dir(os.path.dirname(source))


def finish_rename(source: str, target: str) -> bool:
    """Finish a `rename_no_replace` that was killed with both names in place; False if there is none to finish.

    Only for the recovery of a move that is known to have begun: a hard link that someone made looks the same.
    """
    try:
        if not _are_two_names_of_one_file(source, target):
            return False
    except FileNotFoundError:
        return False
    fsync_dir(os.path.dirname(target))
    os.unlink(source)
    fsync_dir(os.path.dirname(source))
    return True


def confirm(source: str, target: str) -> None:
    """Make the move of a file durable that was done before a crash: what did it may not have come to that.

    Raises `OSError` where the disk does not confirm it.
    """
    fsync_dir(os.path.dirname(target))
    if os.path.isdir(os.path.dirname(source)):  # a dropped folder may be gone by now, and with it the name
        fsync_dir(os.path.dirname(source))


def _first_that_works(ways: Sequence[Way], source: str, target: str) -> None:
    *others, last = ways
    for way in others:
        try:
            way(source, target)
        except OSError as error:
            if error.errno not in _NOT_KNOWN_HERE:
                raise
        else:
            return
    last(source, target)


def _are_two_names_of_one_file(source: str, target: str) -> bool:
    one, other = os.lstat(source), os.lstat(target)
    return os.path.samestat(one, other) and one.st_nlink > 1 and not _is_one_entry(source, target)


def _is_one_entry(source: str, target: str) -> bool:
    """Tell whether two spellings lead to a single directory entry: removing one would remove both."""
    folders = os.path.dirname(source) or ".", os.path.dirname(target) or "."
    return os.path.samefile(*folders) and _folded_name(source) == _folded_name(target)


def _folded_name(path: str) -> str:
    return unicodedata.normalize("NFC", os.path.basename(path)).casefold()


# Copying to another file system


def copy_verified(
    source: str,
    part: str,
    target: str,
    *,
    expected_sha256: str,
    progress: Callable[[int], None] = unheard,
    stop: threading.Event | None = None,
    write: Callable[[int, memoryview], int] = os.write,
) -> None:
    """Copy a file by way of `part` (see `part_name`); name it `target` once the disk proved to hold it.

    Permission bits and mtime come along. A `part` that a killed try left behind is replaced; on any failure
    it is removed, and `source` is never touched. `progress` goes from 0 to the file's size in bytes; writing
    and reading back count half each. Raises `NoSpace`, `ContentDiffers`, `FileExistsError` when `target` is
    taken, what `hash_file` raises, and `OSError`.
    """
    folder = os.path.dirname(target)
    _must_be_a_part(part, target)
    if os.path.lexists(target):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), target)
    _discard(part)
    with open_regular(source) as file:
        status = os.fstat(file.fileno())
        size = status.st_size
        require_space(folder, size)
        with _removed_on_failure(part):
            with _no_space_said_plainly(folder, size), _created(part) as fd:
                found = _copy(file, status, fd, write, progress=lambda done: progress(done // 2), stop=stop)
                _must_match(source, "it changed, so import it again", expected_sha256, found)
                written = hash_file(part, progress=lambda done: progress((size + done) // 2), stop=stop).sha256
                _must_match(part, "check that disk before you try again", expected_sha256, written)
                _dress_alike(part, status)
                os.fsync(fd)
            rename_no_replace(part, target)


def part_name(name: str, operation: str) -> str:
    """Name the unfinished copy of a file: hidden, told apart by its operation, and not too long."""
    ending = f".{operation}.part"
    return "." + _shortened(name, _LONGEST_NAME - 1 - len(os.fsencode(ending))) + ending


def require_space(folder: str, size: int) -> None:
    """Raise `NoSpace` unless the disk of `folder` has `size` bytes free for us."""
    usage = shutil.disk_usage(folder)
    # A total of 0 is how a file system says that it does not know, as a tmpfs without a limit does.
    if usage.total and usage.free < size:
        raise NoSpace(folder, needed=size, free=usage.free)


def _must_be_a_part(part: str, target: str) -> None:
    """Guard the one name that is overwritten and removed here."""
    folder, name = os.path.split(part)
    if folder != os.path.dirname(target) or not (name.startswith(".") and name.endswith(".part")):
        raise ValueError(f"{named(part)} is no part file beside {named(target)}: name it by part_name().")


def _discard(part: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(part)


@contextmanager
def _no_space_said_plainly(folder: str, size: int) -> Generator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise NoSpace(folder, needed=size, free=shutil.disk_usage(folder).free) from error


@contextmanager
def _removed_on_failure(part: str) -> Generator[None]:
    try:
        yield
    except BaseException:
        _discard(part)
        raise


@contextmanager
def _created(part: str) -> Generator[int]:
    """Give a new file of our own to write."""
    fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
    try:
        yield fd
    finally:
        os.close(fd)


def _copy(
    file: FileIO,
    status: os.stat_result,
    fd: int,
    write: Callable[[int, memoryview], int],
    *,
    progress: Callable[[int], None],
    stop: threading.Event | None,
) -> str:
    """Write all of `file`, out of memory and onto the disk as it goes; give the SHA-256 of what was read."""
    digest = hashlib.sha256()
    done = synced = 0
    with closing(read_steadily(file, status, progress=progress, stop=stop)) as blocks:
        for block in blocks:
            digest.update(block)
            _write_all(fd, block, write)
            done += len(block)
            if done - synced >= _SYNC_EVERY:
                synced = done
                _onto_the_disk(fd)
    _onto_the_disk(fd)
    return digest.hexdigest()


def _write_all(fd: int, block: memoryview, write: Callable[[int, memoryview], int]) -> None:
    while block:
        block = block[write(fd, block) :]


def _onto_the_disk(fd: int) -> None:
    """Write out what the page cache holds and drop it, so that it reads back from the disk alone."""
    os.fsync(fd)
    advise(fd, 0, 0, "POSIX_FADV_DONTNEED")


def _must_match(path: str, cure: str, expected: str, found: str) -> None:
    if found != expected:
        raise ContentDiffers(path, cure, expected=expected, found=found)


def _dress_alike(part: str, status: os.stat_result) -> None:
    """Give the copy the original's permission bits and mtime, where the file system keeps such things."""
    with suppress(OSError):
        os.chmod(part, stat.S_IMODE(status.st_mode) & 0o777)
    with suppress(OSError):
        os.utime(part, ns=(status.st_atime_ns, status.st_mtime_ns))


def _size(count: int) -> str:
    """Say a number of bytes as disks are sold: 6.9 GB."""
    amount = float(count)
    for unit in ("bytes", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:.0f} bytes" if unit == "bytes" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"


# Names and folders


def free_name(folder: str, name: str, taken: Callable[[str], bool] = os.path.lexists) -> str:
    """Give the first of `name`, `stem (2).ext`, `stem (3).ext`... that is free, at most 255 bytes long.

    `taken` is asked about whole paths. Whoever uses the name must still not replace: another may be faster.
    """
    for candidate in _candidates(name):
        if not taken(os.path.join(folder, candidate)):
            return candidate
    raise AssertionError("the candidates never end")


def _candidates(name: str) -> Iterator[str]:
    yield _with_suffix(name, "")
    for number in itertools.count(2):
        yield _with_suffix(name, f" ({number})")


def _with_suffix(name: str, suffix: str) -> str:
    """Put a suffix before the extension and shorten the stem to make it fit."""
    stem, extension = os.path.splitext(name)
    room = _LONGEST_NAME - len(os.fsencode(suffix + extension))
    if room < 1:  # the "extension" is nearly all of the name
        stem, extension, room = name, "", _LONGEST_NAME - len(suffix)
    return _shortened(stem, room) + suffix + extension


def _shortened(text: str, room: int) -> str:
    """Cut a name to at most `room` bytes, at the end of a character."""
    while len(os.fsencode(text)) > room:
        text = text[:-1]
    return text


def same_filesystem(path: str, folder: str) -> bool:
    """Tell whether a file at `path` can be renamed into `folder`, going by the folder that holds it.

    Two mounts of one disk, as containers have them, share a device number but no rename: they count as two.
    """
    return _mount(os.path.dirname(path) or ".") == _mount(folder)


def _mount(folder: str) -> tuple[int, str]:
    """Give the device number of a folder, and on Linux the id of its mount (proc(5), fdinfo)."""
    if sys.platform != "linux":
        return os.stat(folder).st_dev, ""
    fd = os.open(folder, os.O_PATH | os.O_DIRECTORY)
    try:
        return os.fstat(fd).st_dev, _mount_id(fd)
    finally:
        os.close(fd)


def _mount_id(fd: int) -> str:
    try:
        with open(f"/proc/self/fdinfo/{fd}", encoding="ascii") as lines:
            return next((line for line in lines if line.startswith("mnt_id:")), "")
    except OSError:  # no /proc here: the rename itself will tell
        return ""


def make_folder(path: str) -> None:
    """Make a folder and those above it that are missing, each for us alone (0700), and durable."""
    if os.path.isdir(path):
        return
    above = os.path.dirname(path)
    if above:
        make_folder(above)
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        if not os.path.isdir(path):
            raise
    fsync_dir(above)


def fsync_dir(path: str) -> None:
    """Make the names in a folder durable, where the system can; an I/O error is raised."""
    if sys.platform == "win32":
        return
    try:
        fd = os.open(path or ".", os.O_RDONLY | os.O_DIRECTORY)
    except PermissionError:  # a folder may be written without being readable: then there is no way to sync it
        return
    try:
        os.fsync(fd)
    except OSError as error:
        if error.errno not in _NOT_KNOWN_HERE:
            raise
    finally:
        os.close(fd)
