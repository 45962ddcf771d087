"""What takes how much room: each file once, and nothing that is not there."""

from typing import Any

import apsw
from hikaze.events.catalog import (
    Event,
    File,
    LocationFound,
    LocationLost,
    ModelImported,
    ModelTagged,
    PendingFound,
    RootAdded,
    RootCameOnline,
    RootRemoved,
    RootWentOffline,
    TagCreated,
)
from hikaze.projections import storage
from hikaze.projections.finding import Finder
from hikaze.projections.storage import DAY_MS, read_stock

A, B, C, D = "a" * 64, "b" * 64, "c" * 64, "d" * 64
NOW = 1_000 * DAY_MS
HISTORY: list[Event] = [
    RootAdded(1, "/m", "model", "loras"),
    RootCameOnline(1, 1, 1),
    RootAdded(2, "/n", "model", "vae"),
    RootCameOnline(2, 2, 1),
    RootAdded(3, "/p", "pending"),
    RootCameOnline(3, 3, 1),
    ModelImported(A, "a", "loras", 100, created_at=NOW - DAY_MS),
    ModelImported(B, "b", "vae", 20, created_at=NOW - 10 * DAY_MS),
    ModelImported(C, "c", "loras", 3, created_at=NOW - 400 * DAY_MS),
    LocationFound(A, File("/m/a", 1, 100, 5, 1, 7)),
    LocationFound(A, File("/m/hard", 1, 100, 5, 1, 7)),
    LocationFound(A, File("/n/copy", 2, 100, 5, 1, 8)),
    LocationFound(B, File("/n/b", 2, 20, 5, 1, 9)),
    LocationFound(B, File("/m/link", 1, 20, 5, 1, 9)),
    LocationFound(C, File("/n/c", 2, 3, 5, 1, 10)),
    TagCreated(1, "ink"),
    TagCreated(2, "sea"),
    TagCreated(3, "unused"),
    ModelTagged(A, 1),
    ModelTagged(A, 2),
    ModelTagged(C, 1),
    PendingFound(1, File("/p/x", 3, 1_000, 5, 1, 20), "x", None, False),
    PendingFound(2, File("/p/hard", 3, 1_000, 5, 1, 20), "x", None, False),
]


def stored(db: apsw.Connection) -> dict[str, Any]:
    """Give what takes how much room."""
    return storage.storage(db, read_stock(db), NOW)


def by(name: str, amounts: list[dict[str, Any]]) -> dict[Any, tuple[int, int]]:
    """Give models and bytes by one of their fields."""
    return {amount[name]: (amount["models"], amount["bytes"]) for amount in amounts}


def test_what_takes_how_much_room(replay) -> None:
    """A hard link counts once, a copy again; a model with two tags counts for both, and one of two roots in both."""
    found = stored(replay(HISTORY))

    assert found["total"] == {"models": 3, "bytes": 223, "files": 4}
    assert found["offline"] == found["missing"] == {"models": 0, "bytes": 0}
    assert [
        (root["path"], root["models"], root["files"], root["bytes"], root["pending_files"], root["pending_bytes"])
        for root in found["roots"]
    ] == [("/m", 2, 2, 120, 0, 0), ("/n", 3, 3, 123, 0, 0), ("/p", 0, 0, 0, 1, 1_000)]
    assert by("type", found["types"]) == {"loras": (2, 203), "vae": (1, 20)}
    assert by("name", found["tags"]) == {"ink": (2, 203), "sea": (1, 200)}
    assert by("age", found["ages"]) == {
        "week": (1, 200),
        "month": (1, 20),
        "quarter": (0, 0),
        "year": (0, 0),
        "older": (1, 3),
    }


def test_what_is_away_and_what_is_gone(replay) -> None:
    """Only what is here counts; what lies on a disk that is away, and what lies nowhere, is told apart."""
    history = [
        *HISTORY,
        ModelImported(D, "d", "loras", 7, created_at=NOW),
        LocationFound(D, File("/m/d", 1, 7, 5, 1, 11)),
        LocationLost(D, "/m/d"),
        RootWentOffline(2, "absent"),
    ]
    found = stored(replay(history))

    assert found["total"] == {"models": 2, "bytes": 120, "files": 2}
    assert found["offline"] == {"models": 1, "bytes": 3}
    assert found["missing"] == {"models": 1, "bytes": 7}
    assert by("type", found["types"]) == {"loras": (3, 100), "vae": (1, 20)}
    assert [(root["path"], root["state"], root["bytes"]) for root in found["roots"]] == [
        ("/m", "online", 120),
        ("/n", "offline", 123),
        ("/p", "online", 0),
    ]
    assert found["roots"][1]["files"] == 3


def test_a_root_that_is_watched_no_more(replay) -> None:
    """It is not in the list, and what lies in it alone is away."""
    found = stored(replay([*HISTORY, RootRemoved(2)]))

    assert [root["root"] for root in found["roots"]] == [1, 3]
    assert found["offline"] == {"models": 1, "bytes": 3}


def test_what_searches_know(replay) -> None:
    """What a finder holds in memory tells the same as the tables, and stays as it was given."""
    db = replay([*HISTORY, LocationLost(C, "/n/c"), RootWentOffline(2, "absent")])
    read, known = read_stock(db), Finder().stock(db, 0)

    assert list(known.sizes) == list(read.sizes)
    assert (known.types, known.tags, known.kept, known.several) == (read.types, read.tags, read.kept, read.several)
    assert storage.storage(db, known, NOW) == stored(db)


def test_an_empty_library(replay) -> None:
    """There is nothing, and no age takes any room."""
    found = stored(replay([]))

    assert found["total"] == {"models": 0, "bytes": 0, "files": 0}
    assert (found["roots"], found["types"], found["tags"]) == ([], [], [])
    assert {amount["bytes"] for amount in found["ages"]} == {0}
