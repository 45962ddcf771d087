"""The hashes of a file, as fast as core or disk allow, and only of a file that held still meanwhile.

ReadingStopped
├── Cancelled     someone asked to stop
├── FileChanged   the file is not, or no longer, what it was when the reading began
└── NotRegular    a folder, a pipe or a device
"""

import ctypes
import os
import stat
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass
from io import FileIO

from ..events.pathtext import shown, to_text
from .digests import BLOCKS_KEPT, Digests
from .filetime import mtime_ns

# With a thread that reads ahead, blocks of 1 and 2 MiB hash at 0.96 to 0.98 of `openssl speed`, 512 KiB at
# 0.92; 4 MiB falls out of the cache of many cores. Two MiB wait for the GIL half as often as one.
_BLOCK = 2 << 20
_BLOCKS_AHEAD = 4
_CHECK_EVERY = 256 << 20
_CACHE_WINDOW = 64 << 20
_SECONDS_BETWEEN_PROGRESS = 0.1

_CACHESTAT = 451  # cachestat(2), Linux 6.5; this number on every architecture but alpha


class ReadingStopped(Exception):
    """A reading ended before it could be trusted."""


class Cancelled(ReadingStopped):
    """Someone asked to stop."""


class FileChanged(ReadingStopped):
    """The file changed, moved or vanished while it was read."""


class NotRegular(ReadingStopped):
    """The path leads to something that is no regular file."""


@dataclass(frozen=True, slots=True)
class Hashed:
    """A content's SHA-256 (lower-case hex), and the file it was read from (size in bytes, mtime in ns).

    `autov1` is None where the file is too short for it, `autov3` where it is no safetensors file.
    """

    sha256: str
    size: int
    mtime_ns: int
    dev: int
    ino: int
    autov1: str | None = None
    autov3: str | None = None

    @property
    def further(self) -> dict[str, str]:
        """The hashes beside the SHA-256, by kind, as `ModelHashed` tells them."""
        found = {"autov1": self.autov1, "autov3": self.autov3}
        return {kind: hash_ for kind, hash_ in found.items() if hash_ is not None}


def unheard(_done: int) -> None:
    """Take a report of progress that nobody waits for."""


def hash_file(
    path: str,
    *,
    progress: Callable[[int], None] = unheard,
    stop: threading.Event | None = None,
    read_ahead: bool = True,
) -> Hashed:
    """Hash a whole file; `progress` gets the bytes done, about ten times a second and at the end.

    `read_ahead` reads in a second thread. Leave it out where as many files are hashed at once as there are
    cores: on two cores two files then reached 1.9 times the rate of one, and 1.6 times with it.
    Raises `FileChanged` when the file did not hold still, `Cancelled` within one block of `stop` being set,
    `NotRegular`, and what the system says (`OSError`) when the file cannot be opened or read.
    """
    with open_regular(path) as source:
        status = os.fstat(source.fileno())
        side_by_side = read_ahead and (os.cpu_count() or 1) > 1
        digests = Digests(status.st_size, side_by_side=side_by_side)
        keep = BLOCKS_KEPT if side_by_side else 1
        reading = read_steadily(source, status, progress=progress, stop=stop, read_ahead=read_ahead, keep=keep)
        with closing(reading) as blocks, closing(digests):
            for block in blocks:
                digests.take(block)
    return Hashed(
        digests.sha256.hexdigest(),
        status.st_size,
        mtime_ns(status),
        status.st_dev,
        status.st_ino,
        digests.autov1,
        digests.autov3,
    )


def open_regular(path: str) -> FileIO:
    """Open a regular file to read, unbuffered. Links are followed, since people make them; no pipe is waited for.

    Raises `NotRegular`, and `OSError` when it cannot be opened.
    """
    try:
        source = FileIO(path, "rb", opener=_open_without_waiting)
    except IsADirectoryError as error:
        raise NotRegular(f"{named(path)} is a folder, not a file: choose a model file.") from error
    if not stat.S_ISREG(os.fstat(source.fileno()).st_mode):
        source.close()
        raise NotRegular(f"{named(path)} is a pipe or a device, not a file: choose a model file.")
    return source


def read_steadily(
    source: FileIO,
    before: os.stat_result,
    *,
    progress: Callable[[int], None] = unheard,
    stop: threading.Event | None = None,
    read_ahead: bool = True,
    keep: int = 1,
) -> Generator[memoryview]:
    """Give a file's bytes in blocks, each valid until the next is asked for; close it if you leave early.

    With `keep` above 1, for which it must read ahead, each is valid until that many more were asked for.

    `before` is the file's fstat. Only when it ends without an exception was what it gave the content of that
    very file, at its path, all the time. It leaves the page cache as it was, as far as the system lets it.
    Raises as `hash_file` does.
    """
    done = checked = 0
    told = time.monotonic()
    size = before.st_size
    with closing(_read_ahead(source, size, keep) if read_ahead else _read_in_turn(source, size)) as blocks:
        for block in blocks:
            if stop is not None and stop.is_set():
                raise Cancelled(f"Reading {named(source.name)} was cancelled: start it again when you want to.")
            yield block
            done += len(block)
            if done - checked >= _CHECK_EVERY:
                checked = done
                _must_hold_still(source, before)
            if time.monotonic() - told >= _SECONDS_BETWEEN_PROGRESS:
                told = time.monotonic()
                progress(done)
    if done < before.st_size:
        raise _changed(source.name)
    _must_hold_still(source, before)
    _must_lie_at_its_path(source, before)
    progress(done)


def named(path: str) -> str:
    """Give a path as an error message may carry it, whatever bytes it is made of."""
    return shown(to_text(path))


def _open_without_waiting(path: str, flags: int) -> int:
    """Open for reading without blocking on a pipe that has no writer."""
    fd = os.open(path, flags | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0))
    if hasattr(os, "O_NONBLOCK"):
        os.set_blocking(fd, True)
    return fd


def _must_hold_still(source: FileIO, before: os.stat_result) -> None:
    if _identity(os.fstat(source.fileno())) != _identity(before):
        raise _changed(source.name)


def _must_lie_at_its_path(source: FileIO, before: os.stat_result) -> None:
    """Refuse a file that was moved away, or replaced by another one, while it was read."""
    try:
        now = os.stat(source.name)
    except OSError as error:
        raise _changed(source.name) from error
    if _identity(now) != _identity(before):
        raise _changed(source.name)


def _identity(status: os.stat_result) -> tuple[int, ...]:
    """Give what changes when a file is written or replaced.

    The ctime too: a downloader that sets the mtime back after writing cannot set that one back.
    """
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def _changed(path: str) -> FileChanged:
    return FileChanged(
        f"{named(path)} changed, moved or vanished while it was read: wait until nothing writes to it, then try again."
    )


def _read_ahead(source: FileIO, size: int, keep: int) -> Generator[memoryview]:
    """Give `size` bytes, or fewer if the file ends before, in blocks that a thread reads ahead of their use.

    A block is valid until `keep` more were asked for.

    Never by mmap: a file that is truncated under a mapping kills the process (SIGBUS).
    """
    cache = _CacheBehind(source.fileno(), size)
    buffers = [memoryview(bytearray(min(_BLOCK, max(size, 1)))) for _ in range(_BLOCKS_AHEAD + keep - 1)]
    used: deque[memoryview] = deque()
    reader = ThreadPoolExecutor(max_workers=1, thread_name_prefix="hikaze-read-ahead")
    done = 0
    try:
        ahead = deque((buffer, reader.submit(source.readinto, buffer)) for buffer in buffers)
        while done < size:
            buffer, read = ahead.popleft()
            count = min(read.result() or 0, size - done)
            if not count:
                return
            yield buffer[:count]
            done += count
            used.append(buffer)
            if len(used) == keep:
                free = used.popleft()
                ahead.append((free, reader.submit(source.readinto, free)))
            if cache.is_behind(done):
                reader.submit(cache.leave_behind, done)
    finally:
        reader.shutdown(cancel_futures=True)
        cache.leave_behind(done + _CACHE_WINDOW)


def _read_in_turn(source: FileIO, size: int) -> Generator[memoryview]:
    """Give what `_read_ahead` gives, reading each block when it is asked for."""
    cache = _CacheBehind(source.fileno(), size)
    buffer = memoryview(bytearray(min(_BLOCK, max(size, 1))))
    done = 0
    try:
        while done < size and (count := source.readinto(buffer[: size - done])):
            yield buffer[:count]
            done += count
            cache.leave_behind(done)
    finally:
        cache.leave_behind(done + _CACHE_WINDOW)


# The page cache


class _Span(ctypes.Structure):
    """`struct cachestat_range` of linux/mman.h."""

    _fields_ = (("offset", ctypes.c_uint64), ("length", ctypes.c_uint64))


class _CacheState(ctypes.Structure):
    """`struct cachestat` of linux/mman.h, in pages."""

    _fields_ = tuple(
        (name, ctypes.c_uint64) for name in ("cached", "dirty", "writeback", "evicted", "recently_evicted")
    )


class _CacheBehind:
    """Keeps the page cache as it was: what we brought in by reading is dropped behind us, in 64 MiB windows.

    A window that was mostly there before we began is there for somebody else, perhaps for ComfyUI that loads
    the model next, and stays. Where cachestat(2) is missing (before Linux 6.5) no window is known to be
    anyone's; pages that a process has mapped or written are kept by the kernel all the same.
    """

    def __init__(self, fd: int, size: int) -> None:
        self._fd = fd
        self._foreign = _windows_in_cache(fd, size)
        self._left = 0
        advise(fd, 0, 0, "POSIX_FADV_SEQUENTIAL")

    def is_behind(self, done: int) -> bool:
        """Tell whether a window ends at `done` bytes or before, and was not yet left behind."""
        return self._left + _CACHE_WINDOW <= done

    def leave_behind(self, done: int) -> None:
        """Drop the windows that end at `done` bytes or before."""
        while self._left + _CACHE_WINDOW <= done:
            if self._left // _CACHE_WINDOW not in self._foreign:
                advise(self._fd, self._left, _CACHE_WINDOW, "POSIX_FADV_DONTNEED")
            self._left += _CACHE_WINDOW


def _windows_in_cache(fd: int, size: int) -> set[int]:
    """Give the numbers of the file's windows of which more than half is in the page cache."""
    if sys.platform != "linux":
        return set()
    syscall = ctypes.CDLL(None, use_errno=True).syscall
    state = _CacheState()
    in_cache: set[int] = set()
    for start in range(0, size, _CACHE_WINDOW):
        length = min(_CACHE_WINDOW, size - start)
        span = _Span(start, length)
        if syscall(ctypes.c_long(_CACHESTAT), fd, ctypes.byref(span), ctypes.byref(state), 0) != 0:
            return set()
        if 2 * state.cached * os.sysconf("SC_PAGESIZE") > length:
            in_cache.add(start // _CACHE_WINDOW)
    return in_cache


def advise(fd: int, start: int, length: int, advice: str) -> None:
    """Tell the system how we read; it is only advice, so a refusal changes nothing."""
    if hasattr(os, "posix_fadvise"):
        with suppress(OSError):
            os.posix_fadvise(fd, start, length, getattr(os, advice))
