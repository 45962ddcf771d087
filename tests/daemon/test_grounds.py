"""On what ground a missing file is believed to be deleted, and not on a disk that is not mounted."""

import pytest
from hikaze.daemon.grounds import Absent, Grounds, Recorded

ROOT, DISK, OTHER = 10, 20, 30


def gone(path: str, ground: str, device: int, *, is_link: bool = False) -> Absent:
    """Say that nothing lies at a path, and what was found on the way there."""
    return Absent(path, 1, ground, device, is_link)


def test_a_file_deleted_from_a_folder_that_was_seen() -> None:
    """Its folder, or the nearest above it, lies on the device it lay on: the file is deleted."""
    grounds = Grounds()
    grounds.saw(1, {"/r/sub": ROOT})

    assert grounds.believes(gone("/r/sub/a", "/r/sub", ROOT), None)
    assert grounds.believes(gone("/r/sub/a", "/r", ROOT), None)
    assert grounds.held() == {}


def test_an_unmounted_disk_below_a_root() -> None:
    """Its empty mount point lies on another device: nothing there is believed to be gone, and it is told."""
    grounds = Grounds()
    grounds.saw(1, {"/r": ROOT, "/r/disk": DISK, "/r/disk/deep": DISK})

    for path in ("/r/disk/a", "/r/disk/deep/b"):
        assert not grounds.believes(gone(path, "/r/disk", ROOT), Recorded(DISK))

    assert grounds.held() == {1: {"/r/disk": 2}}
    grounds.begin(1)
    assert grounds.held() == {}


def test_a_mount_point_that_went_with_its_disk() -> None:
    """Some systems remove the mount point of a drive that is pulled out: that deletes nothing either."""
    grounds = Grounds()
    grounds.saw(1, {"/r": ROOT, "/r/disk": DISK})

    assert not grounds.believes(gone("/r/disk/a", "/r", ROOT), Recorded(DISK))


def test_a_disk_that_comes_back_under_another_number() -> None:
    """Once a known file is seen on it, the new number stands for the old one."""
    grounds = Grounds()
    grounds.saw(1, {"/r/disk/one": DISK, "/r/disk/two": DISK})
    assert not grounds.believes(gone("/r/disk/two/a", "/r/disk/two", OTHER), Recorded(DISK))

    grounds.saw(1, {"/r/disk/one": OTHER})

    assert grounds.believes(gone("/r/disk/two/a", "/r/disk/two", OTHER), Recorded(DISK))


def test_a_download_into_an_empty_mount_point() -> None:
    """A new file there says nothing of the files of the disk."""
    grounds = Grounds()
    grounds.saw(1, {"/r/disk": DISK})
    grounds.saw(1, {}, {"/r/disk": ROOT})

    assert not grounds.believes(gone("/r/disk/a", "/r/disk", ROOT), Recorded(DISK))


@pytest.mark.parametrize(
    ("recorded", "believed"),
    [
        (None, True),
        (Recorded(ROOT), True),
        (Recorded(DISK), False),
        (Recorded(DISK, {"/r/elsewhere"}), False),
        (Recorded(DISK, {"/r/here"}), True),
    ],
)
def test_a_folder_that_this_run_has_not_seen(recorded: Recorded | None, believed: bool) -> None:
    """The recorded device counts, or its number now: that of the folders of other files recorded with it."""
    grounds = Grounds()
    grounds.saw(1, {"/r/here": ROOT, "/r/elsewhere": OTHER})

    assert grounds.believes(gone("/r/sub/a", "/r/sub", ROOT), recorded) == believed


def test_a_known_file_below_proves_its_folder() -> None:
    """After the machine was started anew all numbers are others; where known files lie no disk is missing."""
    grounds = Grounds()
    grounds.saw(1, {"/r/sub/deep": ROOT})

    assert grounds.believes(gone("/r/sub/other/a", "/r/sub", ROOT), Recorded(DISK))
    assert not grounds.believes(gone("/r/subs/a", "/r/subs", ROOT), Recorded(DISK))


def test_a_link_to_nothing() -> None:
    """The file behind a link is deleted if its folder's disk is there; the folder of the link does not matter."""
    grounds = Grounds()
    grounds.saw(1, {"/r": ROOT})

    assert grounds.believes(gone("/r/a", "/disk/models", DISK, is_link=True), Recorded(DISK))
    assert not grounds.believes(gone("/r/a", "/disk", ROOT, is_link=True), Recorded(DISK))
    assert grounds.believes(gone("/r/a", "/r", ROOT), Recorded(DISK))  # the link itself was deleted


def test_a_root_that_was_taken_out_once() -> None:
    """That says that its unmounted disks are gone for good; of those seen since then it says nothing."""
    grounds = Grounds()
    grounds.give_up(1, ["/r/disk/a"])
    grounds.saw(1, {"/r/new": OTHER})

    assert grounds.believes(gone("/r/disk/a", "/r/disk", ROOT), Recorded(DISK))
    assert not grounds.believes(gone("/r/disk/b", "/r/disk", ROOT), Recorded(DISK))
    assert not grounds.believes(gone("/r/new/a", "/r/new", ROOT), Recorded(OTHER))


def test_folders_are_forgotten() -> None:
    """Of folders in which nothing is known any more nothing is kept."""
    grounds = Grounds()
    grounds.saw(1, {f"/r/{number}": ROOT for number in range(100)})

    grounds.keep(1, {"/r/1", "/r/2"})

    assert grounds.size(1) == 2
