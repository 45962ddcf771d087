"""The table of mounted file systems: what lies where, and a thread that hears of every mount and unmount."""

import logging
import os
import re
import select
import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

MOUNTINFO = "/proc/self/mountinfo"

_OCTAL = re.compile(r"\\([0-7]{3})")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Mount:
    """A mounted file system. `number` is the mount's own: the same file system mounted again has another one."""

    number: str
    device: str
    point: str
    """The real path of the folder it is mounted on."""
    fstype: str
    """The kernel's name of the file system type, such as `ext4`."""


def parsed(mountinfo: str) -> list[Mount]:
    """Read the text of /proc/self/mountinfo, see proc_pid_mountinfo(5), in its order; skips what is no mount."""
    mounts: list[Mount] = []
    for line in mountinfo.split("\n"):
        mount, separator, source = line.partition(" - ")
        fields = mount.split(" ")
        if separator and len(fields) > 4:
            mounts.append(Mount(fields[0], fields[2], _unescaped(fields[4]), source.split(" ")[0]))
    return mounts


def read() -> list[Mount]:
    """Give what is mounted now, for this process; nothing where the system does not tell."""
    return parsed(text())


def text() -> str:
    """Give the text of the system's table of mounts; empty where it has none."""
    if sys.platform != "linux":
        return ""
    try:
        return os.fsdecode(Path(MOUNTINFO).read_bytes())
    except OSError:
        return ""


def fstype_of(path: str, mountinfo: str) -> str:
    """Give the type of the file system that holds a real absolute path; empty if no mount point does.

    Of two mounts on one point the later lies on top.
    """
    fstypes = {mount.point: mount.fstype for mount in parsed(mountinfo)}
    parts = path.rstrip("/").split("/")
    for end in range(len(parts), 0, -1):
        fstype = fstypes.get("/".join(parts[:end]) or "/")
        if fstype is not None:
            return fstype
    return ""


def changed_points(before: Sequence[Mount], now: Sequence[Mount]) -> set[str]:
    """Give the mount points on which something was mounted or unmounted between two readings."""
    return {mount.point for mount in set(before) ^ set(now)}


def concerned(points: Iterable[str], folder: str) -> bool:
    """Tell whether what lies in or below a folder (a real path) may be another thing since those points changed.

    It is where one of them is the folder, lies in it, or holds it.
    """
    return any(_holds(folder, point) or _holds(point, folder) for point in points)


def _holds(folder: str, path: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def _unescaped(field: str) -> str:
    """Undo the kernel's writing of blank, tab, line feed and backslash as octal numbers."""
    return _OCTAL.sub(lambda number: chr(int(number[1], 8)), field)


class MountWatch:
    """Calls `changed` from a thread of its own after every mount and unmount. `close` ends it.

    Where the system cannot tell it never calls, and costs nothing: whoever relies on it looks now and then as well.
    """

    def __init__(self, changed: Callable[[], None]) -> None:
        """Call `changed`; begin with `start`."""
        self._changed = changed
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to listen."""
        if sys.platform != "linux":
            return
        try:
            table = os.open(MOUNTINFO, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            log.warning("mounts are noticed by looking alone: %s cannot be read (%s)", MOUNTINFO, error.strerror)
            return
        end_of_wait, self._wake = os.pipe()
        self._thread = threading.Thread(
            target=self._listen, args=(table, end_of_wait), name="hikaze-mounts", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Listen no more; `changed` is not called after it returns."""
        thread, self._thread = self._thread, None
        if thread is not None:
            os.write(self._wake, b"!")
            thread.join()
            os.close(self._wake)

    def _listen(self, table: int, end_of_wait: int) -> None:
        poll = select.poll()
        # The table is always readable; a change of it is told as an error, see proc_pid_mountinfo(5).
        poll.register(table, select.POLLERR | select.POLLPRI)
        poll.register(end_of_wait, select.POLLIN)
        try:
            while end_of_wait not in {descriptor for descriptor, _ in poll.poll()}:
                self._changed()
        finally:
            os.close(table)
            os.close(end_of_wait)
