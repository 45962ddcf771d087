"""What a look at a file on the disk sees: the live half of `settle`.

A read lease (`fcntl(F_SETLEASE, F_RDLCK)`, fcntl(2)) is granted only while nobody has the file open for writing,
and that includes a writable mapping whose descriptor is closed. It is better than any timer, on Linux, for files
of our own on local disks; everywhere else the answer is None. While the lease is held another program's open for
writing waits; it is given back in the next system call.
"""

import errno
import os
import sys

from . import names
from .content import header
from .settle import Facts

if sys.platform == "linux":
    import fcntl
    import signal


def facts(path: str, *, marker: bool | None = None, renamed: bool = False, network: bool = False) -> Facts:
    """Look at the file at this path, which is opened for reading at most, and once.

    `marker` says whether a downloader's control file lies beside it, where the caller has the folder's listing;
    left out, it is looked for. `network` says that writers may sit on another machine, so that only a writer here
    can be told. Raises OSError, also where the path leads to anything but a regular file (a folder, a FIFO).
    """
    temporary = names.is_temporary(os.path.basename(path))
    if marker is None:
        marker = _marker_beside(path)
    with header.open_regular(path) as file:
        before = os.fstat(file.fileno())
        writing = open_for_writing(file.fileno())
        holes = has_holes(file.fileno(), before.st_size)
        shortfall = None
        if not (temporary or marker or writing):
            shortfall = header.shortfall(header.extent_from(file, before.st_size, path), before.st_size)
        seen = os.fstat(file.fileno())
    if _state(seen) != _state(before):
        writing = True  # it changed under our eyes, whatever the lease said
    elif network and not writing:
        writing = None
    return Facts(
        size=seen.st_size,
        mtime_ns=seen.st_mtime_ns,
        ctime_ns=seen.st_ctime_ns,
        dev=seen.st_dev,
        ino=seen.st_ino,
        temporary=temporary,
        marker=marker,
        holes=holes,
        writing=writing,
        shortfall=shortfall,
        renamed=renamed,
    )


def _state(seen: os.stat_result) -> tuple[int, int]:
    return (seen.st_size, seen.st_mtime_ns)


def _marker_beside(path: str) -> bool:
    folder, name = os.path.split(path)
    return any(os.path.lexists(os.path.join(folder, marker)) for marker in names.marker_names(name))


def has_holes(descriptor: int, size: int) -> bool:
    """Tell whether parts of an open file of `size` bytes were never written: it is sparse or preallocated.

    False where the file system cannot tell. It moves the descriptor's position to the start.
    """
    seek_hole: int | None = getattr(os, "SEEK_HOLE", None)
    if size == 0 or seek_hole is None:
        return False
    try:
        return os.lseek(descriptor, 0, seek_hole) < size
    except OSError:  # EINVAL where unsupported, ENXIO where the file was truncated meanwhile
        return False
    finally:
        os.lseek(descriptor, 0, os.SEEK_SET)


def open_for_writing(path_or_descriptor: str | int) -> bool | None:
    """Tell whether any process, ours included, has the file open for writing; None where that cannot be told.

    A descriptor must be open for reading only. A path that cannot be opened raises OSError.
    """
    if sys.platform != "linux":
        return None
    if isinstance(path_or_descriptor, str):
        with header.open_regular(path_or_descriptor) as file:
            return open_for_writing(file.fileno())
    granted = _take_lease(path_or_descriptor)
    if granted:
        fcntl.fcntl(path_or_descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    return None if granted is None else not granted


def _take_lease(descriptor: int) -> bool | None:
    """Take a read lease; False where a writer is in the way, None where there can be none."""
    if sys.platform != "linux":
        return None
    try:
        # Whoever opens the file for writing while we hold the lease makes the kernel signal us. The default, SIGIO,
        # ends a process that does not expect it; SIGURG is ignored by default, and nothing of ours listens to it.
        # Giving a lease back undoes this choice, so it is made each time.
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except OSError as error:
        # EACCES: the file is another user's. EINVAL and the like: this file system has no leases.
        return False if error.errno == errno.EAGAIN else None
    return True
