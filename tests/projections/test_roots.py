"""The watched folders, and whether each is here."""

import pytest
from hikaze.events.catalog import Event, RootAdded, RootCameOnline, RootRemoved, RootWentOffline

ADDED = RootAdded(1, "/m", "model", "loras")
HERE = RootCameOnline(1, 11, 2, "ext4")


@pytest.mark.parametrize(
    ("history", "row"),
    [
        ([ADDED], (1, "/m", "model", "loras", 1, "unseen", None, None, "", 0)),
        ([ADDED, HERE], (1, "/m", "model", "loras", 0, None, 11, 2, "ext4", 0)),
        ([ADDED, HERE, RootWentOffline(1, "absent")], (1, "/m", "model", "loras", 1, "absent", 11, 2, "ext4", 0)),
        ([ADDED, HERE, RootRemoved(1)], (1, "/m", "model", "loras", 1, "removed", None, None, "ext4", 1)),
        ([ADDED, HERE, RootRemoved(1), ADDED], (1, "/m", "model", "loras", 1, "unseen", None, None, "ext4", 0)),
        ([HERE], None),
    ],
)
def test_a_root(replay, history: list[Event], row: tuple[object, ...] | None) -> None:
    """A root is away until it is proven present, and is remembered when it goes; what proved it is not."""
    columns = "id, path, kind, type, offline, why, fsid, ino, fstype, removed"
    assert replay(history).execute(f"SELECT {columns} FROM roots").fetchone() == row  # noqa: S608
