"""Tells whether a watched root is proven present.

The absence of a file is only believed where its root is proven to be there: the folder can be reached, and
lies on the file system it lay on before. An unplugged drive leaves its empty mount point behind, which is a
folder as well, but one of another file system.
"""

import os
import re
import stat
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Presence = Literal["online", "offline", "foreign"]

MOUNTINFO = "/proc/self/mountinfo"

_NETWORK = frozenset({
    "9p", "afs", "beegfs", "ceph", "cifs", "coda", "davfs", "drvfs", "fuse", "glusterfs", "lustre", "ncpfs", "nfs",
    "nfs4", "orangefs", "prl_fs", "smb2", "smb3", "smbfs", "vboxsf", "virtiofs", "vmhgfs", "webdav",
})  # fmt: skip
_OCTAL = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True)
class Identity:
    """What tells one folder from another that is later found at the same path."""

    fsid: int
    """The file system's id (`f_fsid` of statvfs; the device number where there is no statvfs)."""
    ino: int
    fstype: str
    """The kernel's name of the file system type, such as `ext4`; empty where it cannot be told."""


def identify(path: str) -> Identity | None:
    """Tell which folder is at the path now; None when no folder can be reached there.

    It waits for as long as the file system does not answer, so call it away from the event loop.
    """
    try:
        info = os.stat(path)
        fsid = os.statvfs(path).f_fsid if hasattr(os, "statvfs") else info.st_dev
    except OSError:
        return None
    if not stat.S_ISDIR(info.st_mode):
        return None
    return Identity(fsid, info.st_ino, _fstype_at(path))


def judge(known: Identity | None, now: Identity | None, *, has_known_files: bool, sample_found: bool) -> Presence:
    """Decide from a root's recorded identity and the present one whether the root is there.

    "foreign" is another folder under the root's path, the empty mount point of an unplugged drive perhaps, or one
    that was swapped for it: what is not in it is offline, not missing.
    """
    if now is None:
        return "offline"
    if known is None or (known.fsid, known.ino) == (now.fsid, now.ino):
        return "online"
    if not has_known_files or sample_found:
        # A disk can come back under another id (xfs and FAT derive it from the device number), a folder be restored.
        return "online"
    return "foreign"


def is_network(fstype: str) -> bool:
    """Tell whether changes made elsewhere can reach this type of file system without any hint of it."""
    return fstype in _NETWORK or fstype.startswith("fuse.")


def fstype_of(path: str, mountinfo: str) -> str:
    """Give the type of the file system that holds a real absolute path; empty if no mount point does.

    `mountinfo` is the text of /proc/self/mountinfo, see proc_pid_mountinfo(5).
    """
    parts = path.rstrip("/").split("/")
    fstypes = _mounts(mountinfo)
    for end in range(len(parts), 0, -1):
        fstype = fstypes.get("/".join(parts[:end]) or "/")
        if fstype is not None:
            return fstype
    return ""


def _fstype_at(path: str) -> str:
    if sys.platform != "linux":
        return ""
    try:
        mountinfo = os.fsdecode(Path(MOUNTINFO).read_bytes())
    except OSError:
        return ""
    return fstype_of(os.path.realpath(path), mountinfo)


def _mounts(mountinfo: str) -> Mapping[str, str]:
    """Read mount points and their types; of two mounts on one point the later lies on top."""
    fstypes: dict[str, str] = {}
    for line in mountinfo.split("\n"):
        mount, separator, device = line.partition(" - ")
        fields = mount.split(" ")
        if separator and len(fields) > 4:
            fstypes[_unescaped(fields[4])] = device.split(" ")[0]
    return fstypes


def _unescaped(field: str) -> str:
    """Undo the kernel's writing of blank, tab, line feed and backslash as octal numbers."""
    return _OCTAL.sub(lambda number: chr(int(number[1], 8)), field)
