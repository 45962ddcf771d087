"""The table of mounted file systems, read and listened to."""

import subprocess
import threading
from pathlib import Path

import pytest
from hikaze.daemon.mounts import Mount, MountWatch, changed_points, concerned, parsed, read

from ..machine import needs_mount

MOUNTINFO = r"""22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
41 22 8:17 / /mnt/big\040disk rw,relatime shared:7 master:2 - xfs /dev/sdb1 rw,noquota
"""


def test_parsed() -> None:
    """Each line is a mount; what is none is passed over."""
    assert parsed(MOUNTINFO + "garbage\n1 2 - x") == [
        Mount("22", "8:1", "/", "ext4"),
        Mount("41", "8:17", "/mnt/big disk", "xfs"),
    ]


def test_changed_points() -> None:
    """Mounted, unmounted, and mounted anew on the same point: each is a change there."""
    disk, nas = Mount("41", "8:17", "/mnt/disk", "xfs"), Mount("42", "0:45", "/mnt/nas", "nfs4")
    anew = Mount("43", "8:17", "/mnt/disk", "xfs")

    assert changed_points([disk], [disk]) == set()
    assert changed_points([disk], [disk, nas]) == {"/mnt/nas"}
    assert changed_points([disk, nas], [disk]) == {"/mnt/nas"}
    assert changed_points([disk], [anew]) == {"/mnt/disk"}


@pytest.mark.parametrize(
    ("folder", "is_concerned"),
    [("/mnt/disk", True), ("/mnt", True), ("/mnt/disk/models", True), ("/mnt/disks", False), ("/home", False)],
)
def test_concerned(folder: str, is_concerned: bool) -> None:
    """A folder is concerned by a mount on it, in it, or above it."""
    assert concerned({"/mnt/disk"}, folder) == is_concerned


@needs_mount
def test_every_mount_is_told(tmp_path: Path) -> None:
    """A mount and an unmount each wake the listener; after it is closed nothing does."""
    woken = threading.Event()
    watch = MountWatch(woken.set)
    watch.start()
    before = read()
    try:
        subprocess.run(["mount", "-t", "tmpfs", "none", str(tmp_path)], check=True)
        try:
            assert woken.wait(10)
            assert str(tmp_path) in changed_points(before, read())
            woken.clear()
        finally:
            subprocess.run(["umount", str(tmp_path)], check=True)
        assert woken.wait(10)
        assert str(tmp_path) not in changed_points(before, read())
    finally:
        watch.close()
    assert "hikaze-mounts" not in {thread.name for thread in threading.enumerate()}
