"""The pictures of each model, and the one that stands for it."""

import pytest
from hikaze.events.catalog import CoverChosen, Event, ImageAdded, ImageRemoved
from hikaze.projections import images


def added(seq: int) -> ImageAdded:
    """Make the event of a new picture."""
    return ImageAdded("a1", seq, "PNG", 8, 8)


@pytest.mark.parametrize(
    ("history", "sequences", "cover", "next_sequence"),
    [
        ([], [], None, 0),
        ([added(0), added(1)], [0, 1], 0, 2),
        ([added(0), added(1), CoverChosen("a1", 1)], [0, 1], 1, 2),
        ([added(0), added(1), CoverChosen("a1", 5)], [0, 1], 0, 2),
        ([added(0), added(1), ImageRemoved("a1", 0)], [1], 1, 2),
        ([added(0), added(1), added(2), CoverChosen("a1", 2), ImageRemoved("a1", 2)], [0, 1], 0, 3),
        ([added(0), added(1), ImageRemoved("a1", 1)], [0], 0, 2),
        ([added(0), ImageRemoved("a1", 0)], [], None, 1),
        ([added(0), ImageRemoved("a1", 0), added(1)], [1], 1, 2),
        ([added(10), added(9)], [9, 10], 10, 11),
        ([ImageRemoved("a1", 0), CoverChosen("a1", 0)], [], None, 0),
    ],
)
def test_pictures(replay, history: list[Event], sequences: list[int], cover: int | None, next_sequence: int) -> None:
    """The first picture is the cover until another is chosen or it goes; a number is never used again."""
    db = replay(history)

    assert (images.sequences(db, "a1"), images.cover(db, "a1"), images.next_sequence(db, "a1")) == (
        sequences,
        cover,
        next_sequence,
    )


def test_every_picture(replay) -> None:
    """All pictures of all models can be listed, and asked for one by one."""
    db = replay([added(1), ImageAdded("b2", 0, "GIF", 1, 1), added(0)])

    assert images.every(db) == [("a1", 0), ("a1", 1), ("b2", 0)]
    assert (images.has(db, "a1", 1), images.has(db, "b2", 1)) == (True, False)
