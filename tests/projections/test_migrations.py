"""The view of migrations: what came along, what did not, and what came once."""

import pytest
from hikaze.events.catalog import Event, MigrationBegun, MigrationEnded, RowMigrated, RowRefused
from hikaze.projections import migrations
from hikaze.projections.migrations import Counts, Problem

from ..conftest import Replay

BEGUN = MigrationBegun("o1", "/old/db", "/old/images", "v1")
MODEL = RowMigrated("o1", "d1", "v1", "models", "1", "new", model="a1", tags=2, images=1, parts=("x",))
UNITED = RowMigrated("o1", "d2", "v1", "models", "2", "united", model="a1", is_missing=True, tags=1, parts=("y",))
PENDING = RowMigrated("o1", "d3", "v1", "models", "3", "new", pending=7, parts=("z",))
TAG = RowMigrated("o1", "d4", "v1", "tags", "t", "new", tags=1)
REFUSED = RowRefused("o1", "models", "9", "it is broken")
ALL: list[Event] = [BEGUN, MODEL, UNITED, PENDING, TAG, REFUSED]


def test_what_came(replay: Replay) -> None:
    """Each row is counted once, by what it became; what did not come is named in the order it was told."""
    db = replay([*ALL, RowRefused("o2", "models", "1", "of another")])

    assert migrations.counts(db, "o1") == Counts(2, 1, 1, 1, 4, 1, 1, 1)
    assert migrations.problems(db, "o1") == [Problem("models", "9", "it is broken")]
    assert migrations.counts(db, "none") == Counts(0, 0, 0, 0, 0, 0, 0, 0)


@pytest.mark.parametrize(
    ("history", "state", "left"),
    [
        ([], "open", ["o1"]),
        ([MigrationEnded("o1", "done", already=3)], "done", []),
        ([MigrationEnded("o1", "cancelled")], "cancelled", []),
        ([MigrationEnded("o1", "failed", "the disk is gone")], "failed", []),
    ],
)
def test_how_it_ended(replay: Replay, history: list[Event], state: str, left: list[str]) -> None:
    """A migration is unfinished until it is told how it ended."""
    db = replay([BEGUN, *history])
    known = migrations.get(db, "o1")

    assert known is not None
    assert (known.state, known.database, known.images, known.form) == (state, "/old/db", "/old/images", "v1")
    assert [one.op for one in migrations.unfinished(db)] == left
    assert migrations.get(db, "o2") is None


def test_what_came_once(replay: Replay) -> None:
    """A row is known by all it says, by its place, and by the owner that it came to."""
    db = replay([*ALL, MigrationBegun("o2", "/old/db", "/old/images", "v1")])

    assert [migrations.is_taken(db, digest) for digest in ("d1", "d9")] == [True, False]
    assert [migrations.taken_by(db, digest) for digest in ("d1", "d9")] == ["o1", None]
    assert migrations.became(db, "/old/db", "models", "1") == ("a1", None)
    assert migrations.became(db, "/old/db", "models", "3") == (None, 7)
    assert migrations.became(db, "/other/db", "models", "1") is None
    assert migrations.parts(db, "a1") == {"x", "y"}
    assert migrations.parts(db, "a1", "pending/7") == {"x", "y", "z"}
    assert migrations.is_refused(db, "o1", "models", "9", "it is broken")
    assert not migrations.is_refused(db, "o2", "models", "9", "it is broken")
