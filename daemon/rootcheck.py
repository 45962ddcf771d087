"""Tells whether a watched root is proven present.

The absence of a file is only believed where its root is proven to be there: the folder can be reached, and
lies on the file system it lay on before. An unplugged drive leaves its empty mount point behind, which is a
folder as well, but one of another file system.
"""

import os
import stat
from dataclasses import dataclass
from typing import Literal

from . import mounts
from .mounts import fstype_of

Presence = Literal["online", "offline", "foreign"]

_NETWORK = frozenset({
    "9p", "afs", "beegfs", "ceph", "cifs", "coda", "davfs", "drvfs", "fuse", "glusterfs", "lustre", "ncpfs", "nfs",
    "nfs4", "orangefs", "prl_fs", "smb2", "smb3", "smbfs", "vboxsf", "virtiofs", "vmhgfs", "webdav",
})  # fmt: skip


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
    return Identity(fsid, info.st_ino, fstype_of(os.path.realpath(path), mounts.text()))


def obstacle(path: str) -> str:
    """Say what lies at a root's path instead of a folder; empty where nothing does. Waits as `identify` does."""
    try:
        info = os.lstat(path)
        if stat.S_ISLNK(info.st_mode):
            info = os.stat(path)
    except FileNotFoundError:
        return "a link to nothing lies there" if os.path.islink(path) else ""
    except OSError as error:
        return f"it cannot be reached ({error.strerror})"
    return "" if stat.S_ISDIR(info.st_mode) else "a file lies there"


def judge(
    known: Identity | None,
    now: Identity | None,
    *,
    has_known_files: bool,
    sample_found: bool,
    was_deleted: bool = False,
) -> Presence:
    """Decide from a root's recorded identity and the present one whether the root is there.

    `was_deleted` says that its deletion was witnessed: a folder made anew in its place is the root.

    "foreign" is another folder under the root's path, the empty mount point of an unplugged drive perhaps, or one
    that was swapped for it: what is not in it is offline, not missing.
    """
    if now is None:
        return "offline"
    if known is None or (known.fsid, known.ino) == (now.fsid, now.ino):
        return "online"
    if was_deleted and known.fsid == now.fsid:
        return "online"
    if not has_known_files or sample_found:
        # A disk can come back under another id (xfs and FAT derive it from the device number), a folder be restored.
        return "online"
    return "foreign"


def is_network(fstype: str) -> bool:
    """Tell whether changes made elsewhere can reach this type of file system without any hint of it."""
    return fstype in _NETWORK or fstype.startswith("fuse.")
