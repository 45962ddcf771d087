"""What the names in a folder tell, worked out once as long as it does not change."""

import os
from pathlib import Path

from hikaze.daemon.listing import CLOCK_TICK_NS, KEPT, Listing


def test_a_folder_is_listed_when_it_changed(tmp_path: Path) -> None:
    """It is listed again after a change, and as long as a change may not show in its time."""
    listed: list[list[str]] = []
    changed = os.stat(tmp_path).st_mtime_ns
    now = changed

    def tell(names: list[str]) -> int:
        listed.append(names)
        return len(names)

    listing = Listing(tell, wall_ns=lambda: now)
    assert [listing.of(str(tmp_path)) for _ in range(2)] == [0, 0]
    assert len(listed) == 2
    now += 2 * CLOCK_TICK_NS
    assert [listing.of(str(tmp_path)) for _ in range(3)] == [0, 0, 0]
    assert len(listed) == 3
    (tmp_path / "a").touch()
    os.utime(tmp_path, ns=(now, now + 1))
    assert listing.of(str(tmp_path)) == 1
    assert listing.of(str(tmp_path / "no")) == 0


def test_few_folders_are_kept(tmp_path: Path) -> None:
    """Only some folders are remembered, the latest."""
    count = 0

    def tell(_names: list[str]) -> int:
        nonlocal count
        count += 1
        return count

    listing = Listing(tell, wall_ns=lambda: 0)
    folders = [tmp_path / str(number) for number in range(KEPT + 1)]
    for folder in folders:
        folder.mkdir()
        listing.of(str(folder))

    assert listing.of(str(folders[-1])) == KEPT + 1
    assert listing.of(str(folders[0])) == KEPT + 2
