"""Whether a watched root is proven present."""

import os
import sys
from pathlib import Path

import pytest
from hikaze.daemon.rootcheck import Identity, Presence, fstype_of, identify, is_network, judge
from hypothesis import given
from hypothesis import strategies as st

DISK = Identity(fsid=0xA1, ino=2, fstype="ext4")
RECREATED = Identity(fsid=0xA1, ino=77, fstype="ext4")
OTHER_DISK = Identity(fsid=0xB2, ino=2, fstype="ext4")

MOUNTINFO = r"""22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 0:26 / /proc rw,nosuid - proc proc rw
41 22 8:17 / /mnt/big\040disk rw,relatime shared:7 master:2 - xfs /dev/sdb1 rw,noquota
42 22 0:45 / /mnt/nas rw - nfs4 nas:/models rw,vers=4.2
43 42 0:46 / /mnt/nas/inner rw - ext4 /dev/loop0 rw
44 22 0:47 / /mnt/over rw - ext4 /dev/sdc1 rw
45 44 0:48 / /mnt/over rw - fuse.sshfs host:/ rw
46 22 0:49 / /mnt/back\134slash rw - btrfs /dev/sdd1 rw
"""


@pytest.mark.parametrize(
    ("known", "now", "has_known_files", "sample_found", "presence"),
    [
        (None, None, False, False, "offline"),
        (DISK, None, True, False, "offline"),
        (None, DISK, False, False, "online"),
        (DISK, DISK, True, False, "online"),
        (DISK, RECREATED, True, False, "foreign"),
        (DISK, RECREATED, True, True, "online"),
        (DISK, RECREATED, False, False, "online"),
        (DISK, OTHER_DISK, True, False, "foreign"),
        (DISK, OTHER_DISK, True, True, "online"),
        (DISK, OTHER_DISK, False, False, "online"),
    ],
)
def test_judge(
    known: Identity | None,
    now: Identity | None,
    has_known_files: bool,
    sample_found: bool,
    presence: Presence,
) -> None:
    """A root is there if its folder lies on the file system it lay on, or at least some of its files do."""
    assert judge(known, now, has_known_files=has_known_files, sample_found=sample_found) == presence


@given(st.builds(Identity, st.integers(), st.integers(), st.text()), st.booleans(), st.booleans())
def test_unchanged_root(identity: Identity, has_known_files: bool, sample_found: bool) -> None:
    """A root that is the same folder as ever is there, whatever its files are."""
    presence = judge(identity, identity, has_known_files=has_known_files, sample_found=sample_found)

    assert presence == "online"


def test_identify(tmp_path: Path) -> None:
    """A folder is the same after a rename, and another when it is made anew while the old one exists."""
    folder = tmp_path / "folder"
    folder.mkdir()
    before = identify(str(folder))
    assert before is not None

    folder.rename(tmp_path / "old")
    folder.mkdir()
    anew = identify(str(folder))

    assert identify(str(tmp_path / "old")) == before
    assert anew is not None
    assert (anew.fsid, anew.fstype) == (before.fsid, before.fstype)
    assert anew.ino != before.ino


def test_identify_what_is_no_folder(tmp_path: Path) -> None:
    """What is not there, or no folder, has no identity."""
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "nothing")

    assert [identify(str(tmp_path / name)) for name in ("file", "link", "nothing", "file/below")] == [None] * 4


def test_identify_through_a_link(tmp_path: Path) -> None:
    """A root that is a link is the folder it leads to."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "folder")

    assert identify(str(tmp_path / "link")) == identify(str(tmp_path / "folder"))


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="needs /proc")
def test_identify_another_file_system(tmp_path: Path) -> None:
    """Another file system has another id and says its type."""
    here, proc = identify(str(tmp_path)), identify("/proc")

    assert here is not None
    assert proc is not None
    assert here.fsid != proc.fsid
    assert (here.fstype != "", proc.fstype) == (True, "proc")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has names that are no UTF-8")
def test_identify_with_a_name_in_no_encoding(tmp_path: Path) -> None:
    """A folder whose name is no UTF-8 has an identity like any other."""
    path = os.fsdecode(os.fsencode(tmp_path) + b"/\xff")
    Path(path).mkdir()

    assert identify(path) is not None


@pytest.mark.parametrize(
    ("path", "fstype"),
    [
        ("/", "ext4"),
        ("/home/someone", "ext4"),
        ("/processes", "ext4"),
        ("/proc/1", "proc"),
        ("/mnt/big disk/models", "xfs"),
        ("/mnt/big", "ext4"),
        ("/mnt/nas", "nfs4"),
        ("/mnt/nas/loras/", "nfs4"),
        ("/mnt/nas/inner/x", "ext4"),
        ("/mnt/over/x", "fuse.sshfs"),
        ("/mnt/back\\slash", "btrfs"),
    ],
)
def test_fstype_of(path: str, fstype: str) -> None:
    """A path lies on the file system whose mount point is the nearest above it, the last one mounted there."""
    assert fstype_of(path, MOUNTINFO) == fstype


@pytest.mark.parametrize("mountinfo", ["", "\n", "garbage", "1 2 3 - ext4", " - "])
def test_fstype_unknown(mountinfo: str) -> None:
    """Where the mounts cannot be read the type is empty."""
    assert fstype_of("/models", mountinfo) == ""


@pytest.mark.parametrize(
    ("fstype", "network"),
    [
        ("nfs", True), ("nfs4", True), ("cifs", True), ("smb3", True), ("9p", True), ("virtiofs", True),
        ("fuse.sshfs", True), ("ceph", True), ("afs", True), ("drvfs", True),
        ("ext4", False), ("xfs", False), ("btrfs", False), ("fuseblk", False), ("tmpfs", False), ("", False),
    ],
)  # fmt: skip
def test_is_network(fstype: str, network: bool) -> None:
    """File systems that others can change without a hint to us are told by their type."""
    assert is_network(fstype) == network
