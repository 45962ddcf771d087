"""Pending models that come from an earlier library."""

import pytest
from hikaze.events.catalog import (
    Changes,
    Event,
    File,
    ImageAdded,
    PendingDismissed,
    PendingEdited,
    PendingFound,
    PendingImported,
    PendingLost,
    PendingPictured,
    PendingReturned,
    RowMigrated,
)
from hikaze.projections import images, pending

FILE = File("/p/x.pt", 1, 10, 5, 1, 7)
NOWHERE = File("/old/x.pt", 0, 10, 0, 0, 0)
FOUND = PendingFound(12, FILE, "x", "loras", in_place=True, created_at=1_700_000_000_000)
ROW = RowMigrated("op", "d", "v1", "models", "12", "new", pending=12)


@pytest.mark.parametrize(
    ("history", "state"),
    [
        ([FOUND, ROW], "waiting"),
        ([FOUND, ROW, PendingLost(12)], "missing"),
        ([FOUND, PendingLost(12), ROW], "missing"),
        ([PendingFound(12, NOWHERE, "x", None, in_place=False), ROW], "missing"),
        ([PendingFound(12, NOWHERE, "x", None, in_place=False), PendingLost(12), ROW], "missing"),
        (
            [PendingFound(12, NOWHERE, "x", None, in_place=False), ROW, PendingReturned(12, FILE, in_place=True)],
            "waiting",
        ),
        ([FOUND, PendingDismissed(12), ROW], None),
    ],
)
def test_what_comes_along_is_kept(replay, history: list[Event], state: str | None) -> None:
    """It is as if somebody had written to it, so it stays when its file is not there; who was dismissed stays away."""
    card = pending.card(replay(history), 12)

    assert (card["state"] if card else None) == state


def test_where_it_came_from(replay) -> None:
    """It says which row it was, the first if it was several, and when the earlier library had found it."""
    later = RowMigrated("op", "e", "v2", "pending_import", "3", "united", pending=12)
    db = replay([FOUND, ROW, later])

    known = pending.get(db, 12)
    assert known is not None
    assert (known.legacy, known.written, known.version) == ("Hikaze 1, models 12", True, 1)
    card = pending.card(db, 12)
    assert card is not None
    assert card["created_at"] == 1_700_000_000_000


def test_in_no_folder_of_ours(replay) -> None:
    """It takes no path from a file that is there, waits for nothing, and goes on as itself when it is seen."""
    other = PendingFound(1, FILE, "x", "loras", in_place=True)
    old = PendingFound(12, File(FILE.path, 0, 10, 0, 0, 0), "x", None, in_place=False)
    db = replay([other, old, PendingEdited(12, Changes(description="d"))])

    assert pending.waiting(db) == [1]
    assert pending.in_root(db, 0) == []
    at = pending.at_path(db, FILE.path)
    assert at is not None
    assert at.id == 1


def test_ids_are_never_used_again(replay) -> None:
    """Every id that was ever a pending model's is known, also when its record has ended."""
    db = replay([FOUND, PendingImported(12, "a1", "imported")])

    assert [number for number in range(1, 14) if pending.was_used(db, number)] == [12]
    assert pending.last_number(db) == 12


def test_pictures_are_told_apart_by_their_files(replay) -> None:
    """A picture that came from an earlier library is known by the hash of its file."""
    db = replay(
        [
            FOUND,
            PendingPictured(12, ".png", "person", 1, 1, original="ff"),
            ImageAdded("a1", 0, "PNG", 1, 1, original="ee"),
        ]
    )

    known = pending.get(db, 12)
    assert known is not None
    assert known.picture_original == "ff"
    assert (images.has_original(db, "a1", "ee"), images.has_original(db, "a1", "ff")) == (True, False)
