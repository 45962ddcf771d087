"""How many files of models and pending models each root has, and which pending models are paused."""

from hikaze.events.catalog import (
    File,
    LocationFound,
    LocationLost,
    ModelImported,
    PendingFound,
    RootAdded,
    RootCameOnline,
    RootPaused,
    RootRemoved,
)
from hikaze.projections import roots


def file(name: str, root: int) -> File:
    """Give a file in a root."""
    return File(f"/{root}/{name}", root, 1, 2, 3, ord(name))


HISTORY = [
    RootAdded(1, "/1", "model", "loras"),
    RootAdded(2, "/2", "pending"),
    RootCameOnline(1, 7, 8),
    ModelImported("a1", "Ink", "loras", 1),
    LocationFound("a1", file("a", 1)),
    LocationFound("a1", file("b", 1)),
    LocationFound("a1", file("c", 1)),
    LocationLost("a1", "/1/c"),
    PendingFound(1, file("d", 1), "d", None, in_place=True),
    PendingFound(2, file("e", 2), "e", None, in_place=False),
]


def test_counts(replay) -> None:
    """Files that are here or away count; those that are lost do not, and an empty root is left out."""
    db = replay([*HISTORY, RootAdded(3, "/3", "pending"), RootPaused(2)])

    assert roots.counts(db) == {1: (2, 1), 2: (0, 1)}


def test_paused_pending_models(replay) -> None:
    """A pending model is paused while its root is, and not while that is watched no more."""
    assert roots.paused_pending(replay(HISTORY)) == set()
    assert roots.paused_pending(replay([*HISTORY, RootPaused(2)])) == {2}
    assert roots.paused_pending(replay([*HISTORY, RootPaused(2), RootRemoved(2)])) == set()
