"""Puts a file of ours beside a model: whole or not at all, never onto another, what it replaces kept beside it.

All of it blocks; call it in a thread.
"""

import errno
import itertools
import os
import stat
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from typing import Literal

from ..place import part_name, rename_no_replace

Outcome = Literal["written", "unchanged"]

Make = Callable[[bytes | None], bytes | None]
"""Gives the bytes of a file from those of the one that lies there; None where those need no change."""

_LINK = "a symbolic link lies there, and it is not followed; remove it, or write the file it leads to yourself"
_TAKEN = "a file lies there; with `replace` it is kept beside the new one"


class NotWritten(Exception):
    """A file was not written; the message says why. What lay there lies there as it was."""


def put(path: str, make: Make, *, mode: int, most: int, replace: bool = False, dry_run: bool = False) -> Outcome:
    """Write what `make` gives to a path; where another file lies there only if `replace` is asked, and it is kept
    as the first free of `path`.bak-1, .bak-2 and so on.

    A new file gets the permission bits `mode`, one that replaces another those of that. A file that lies there and
    has more than `most` bytes is left alone. Raises `NotWritten`, `OSError`, and what `make` raises.
    """
    found = _look(path)
    former = None if found is None else _read(path, found, most)
    data = make(former)
    if data is None:
        return "unchanged"
    if found is not None and not replace:
        raise NotWritten(_TAKEN)
    if dry_run:
        _must_be_writable(os.path.dirname(path))
    else:
        with _part(path, data, mode if found is None else stat.S_IMODE(found.st_mode) & 0o777) as part:
            if found is None:
                _rename(part, path)
            else:
                _exchange(part, path, found)
    return "written"


def why(error: OSError) -> str:
    """Say why a disk did not take a file, and what to do."""
    match error.errno:
        case errno.EROFS | errno.EACCES | errno.EPERM:
            return "the folder may not be written; let the daemon's user write there"
        case errno.ENOSPC | errno.EDQUOT:
            return "the disk is full; make room there"
        case errno.ENAMETOOLONG:
            return "its name would be too long for the disk; give the model's file a shorter one"
        case errno.ENOENT | errno.ENOTDIR:
            return "its folder is gone; have the daemon look again with `hikazed scan`"
        case _:
            return f"the disk refused ({error.strerror or error}); see to it"


def _must_be_writable(folder: str) -> None:
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), folder)


def _look(path: str) -> os.stat_result | None:
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return None
    if stat.S_ISLNK(found.st_mode):
        raise NotWritten(_LINK)
    if not stat.S_ISREG(found.st_mode):
        raise NotWritten("what lies there is no file; move it away")
    return found


def _read(path: str, found: os.stat_result, most: int) -> bytes:
    if found.st_size > most:
        raise NotWritten(f"a file of {found.st_size:,} bytes lies there, too large for a sidecar; move it away")
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    with open(os.open(path, flags), "rb") as file:
        if not os.path.samestat(os.fstat(file.fileno()), found):
            raise NotWritten(_CHANGED)
        return file.read(most)


_CHANGED = "another program wrote there at the same time; export once more"


@contextmanager
def _part(path: str, data: bytes, mode: int) -> Generator[str]:
    """Write a file durably under a name of its own beside its place; nothing is left of it in the end."""
    folder, name = os.path.split(path)
    part = os.path.join(folder, part_name(name, "export"))
    with suppress(FileNotFoundError):  # of an export that was killed
        os.unlink(part)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    try:
        with open(os.open(part, flags, 0o600), "wb") as file:
            file.write(data)
            if hasattr(os, "fchmod"):
                with suppress(OSError):  # a file system that keeps no such bits
                    os.fchmod(file.fileno(), mode)
            file.flush()
            os.fsync(file.fileno())
        yield part
    finally:
        with suppress(OSError):
            os.unlink(part)


def _rename(part: str, path: str) -> None:
    try:
        rename_no_replace(part, path)
    except FileExistsError as error:
        raise NotWritten(_CHANGED) from error


def _exchange(part: str, path: str, found: os.stat_result) -> None:
    """Give a path to a part; the file that is there goes aside, and comes back where this does not work out.

    Killed between the two renames, that file is there under its new name alone. To replace it in one step instead
    would lose what another program writes there at that moment.
    """
    kept = _put_aside(path)
    try:
        _must_be(kept, found)
        _rename(part, path)
    except BaseException:
        with suppress(OSError):  # whoever was faster keeps the place; the former file is there under its new name
            rename_no_replace(kept, path)
        raise


def _put_aside(path: str) -> str:
    folder, name = os.path.split(path)
    for number in itertools.count(1):
        kept = os.path.join(folder, f"{name}.bak-{number}")
        try:
            rename_no_replace(path, kept)
        except FileExistsError:
            continue
        return kept
    raise AssertionError("the numbers never end")


def _must_be(path: str, found: os.stat_result) -> None:
    now = os.lstat(path)
    if (now.st_ino, now.st_size, now.st_mtime_ns) != (found.st_ino, found.st_size, found.st_mtime_ns):
        raise NotWritten(_CHANGED)
