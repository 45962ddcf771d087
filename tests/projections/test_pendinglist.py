"""Which pending models a list is asked for."""

from typing import Any

import msgspec
import pytest
from hikaze.events.catalog import (
    Changes,
    Event,
    File,
    ImportCancelled,
    ImportConflicted,
    ImportFailed,
    ImportPlanned,
    ImportRequested,
    PendingEdited,
    PendingFound,
    PendingLost,
    PendingTagged,
    RootAdded,
    RootCameOnline,
    RootWentOffline,
    TagCreated,
)
from hikaze.projections import pending, pendinglist
from hikaze.projections.pendinglist import Wanted


def found(number: int, name: str, root: int = 1) -> PendingFound:
    """Make a pending model in a root, in a file of another name."""
    file = File(f"/p{root}/file {number}.pt", root, 10 * number, 5, 1, number)
    return PendingFound(number, file, name, "loras", in_place=False)


def failed(op: str, number: int) -> list[Event]:
    """Make an import that failed."""
    return [ImportRequested(op, number), ImportFailed(op, number, "why")]


HISTORY: list[Event] = [
    RootAdded(1, "/p1", "pending"),
    RootCameOnline(1, 1, 1),
    RootAdded(2, "/p2", "pending"),
    RootCameOnline(2, 1, 2),
    *(found(number, name) for number, name in enumerate(("Åsa ink", "Ink wash", "gone", "four", "five", "six"), 1)),
    found(7, "away", 2),
    RootWentOffline(2, "absent"),
    PendingEdited(3, Changes(description="kept")),
    PendingLost(3),
    *failed("a", 1),
    ImportRequested("b", 1),
    ImportConflicted("b", 1, "m1"),
    *failed("c", 2),
    ImportRequested("d", 4),
    ImportRequested("e", 5),
    ImportPlanned("e", 5, "m2", "imported", File("/p1/file 5.pt", 1, 50, 5, 1, 5)),
    ImportRequested("f", 6),
    ImportCancelled("f", 6),
    RootAdded(3, "/m3", "model", "vae"),
    RootCameOnline(3, 1, 3),
    PendingFound(8, File("/m3/eight.pt", 3, 80, 5, 1, 8), "eight", "vae", in_place=True),
]


def wanted(states: str = "", imports: str = "", words: str = "") -> Wanted:
    """Say what is wanted in words."""
    return Wanted(frozenset(states.split()), frozenset(imports.split()), tuple(words.split()))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("asked", "numbers"),
    [
        (wanted(), [8, 7, 6, 5, 4, 3, 2, 1]),
        (wanted("missing offline"), [7, 3]),
        (wanted("waiting"), [8, 6, 5, 4, 2, 1]),
        (wanted(imports="conflict"), [1]),
        (wanted(imports="failed"), [2]),
        (wanted(imports="queued running"), [5, 4]),
        (wanted(imports="cancelled"), [6]),
        (wanted(words="INK"), [2, 1]),
        (wanted(words="asa ink"), [1]),
        (wanted(words="file 3.PT"), [3]),
        (wanted(words="p1"), []),
        (wanted("waiting", "failed conflict", "wash"), [2]),
        (wanted(words="ink")._replace(type="loras"), [2, 1]),
        (Wanted(type="vae"), [8]),
        (Wanted(in_place=True), [8]),
        (Wanted(type="loras", in_place=False), [7, 6, 5, 4, 3, 2, 1]),
    ],
)
def test_what_is_wanted(replay: Any, asked: Wanted, numbers: list[int]) -> None:
    """All that is asked for must be so; the newest come first, and all of them are counted on every page."""
    db = replay(HISTORY)

    listed, cursor = list[int](), None
    while True:
        page = pending.page(db, limit=2, cursor=cursor, wanted=asked)
        told = msgspec.json.decode(page.json())
        assert told["total"] == len(numbers)
        listed += [each["id"] for each in told["items"]]
        cursor = told["next"]
        if cursor is None:
            break
    assert listed == numbers


def test_groups_and_sizes(replay: Any) -> None:
    """The ids by how the last import stands, and the sizes of files, those of unknown ones left out."""
    db = replay([*HISTORY, TagCreated(1, "x"), PendingTagged(2, 1)])

    assert (pendinglist.ids(db, "conflict"), pendinglist.ids(db, "failed")) == ([1], [2])
    assert pendinglist.sizes(db, [2, 9, 7]) == {2: 20, 7: 70}
