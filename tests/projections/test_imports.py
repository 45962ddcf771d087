"""The queue of imports, and how each ended."""

import pytest
from hikaze.events.catalog import (
    Event,
    File,
    ImportCancelled,
    ImportCompleted,
    ImportConflicted,
    ImportFailed,
    ImportPlanned,
    ImportRequested,
    ImportTidied,
)
from hikaze.projections import imports
from hikaze.projections.imports import Import

FILE = File("/p/x.pt", 1, 10, 5, 1, 7)
ASKED = ImportRequested("o1", 7, "merge", "loras")
PLANNED = ImportPlanned("o1", 7, "a1", "imported", FILE, {"rank": 16}, "/m/x.pt", 2)
COMPLETED = ImportCompleted("o1", 7, "a1", "imported", "/m/\0dcff.pt")
ACTION = bytes(15) + b"\1"


def one(state: str, **what: object) -> Import:
    """Make the import o1 as the queue should know it."""
    plain = dict.fromkeys(("status", "model", "path", "reason", "plan"))
    return Import("o1", 7, "merge", "loras", "page", ACTION, state, **plain | what)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("history", "expected"),
    [
        ([], one("queued")),
        ([PLANNED], one("planned", status="imported", model="a1", plan=PLANNED)),
        (
            [PLANNED, COMPLETED],
            one("completed", status="imported", model="a1", path="/m/\ufffd.pt", plan=PLANNED),
        ),
        (
            [PLANNED, COMPLETED, ImportTidied("o1")],
            one("completed", status="imported", model="a1", path="/m/\ufffd.pt"),
        ),
        ([ImportConflicted("o1", 7, "a1")], one("conflict", model="a1")),
        ([ImportFailed("o1", 7, "no space")], one("failed", reason="no space")),
        ([ImportCancelled("o1", 7)], one("cancelled")),
    ],
)
def test_an_import(replay, history: list[Event], expected: Import) -> None:
    """An import waits, is planned, and ends in one of four ways; its plan is kept until nothing is left to tidy."""
    assert imports.get(replay([ASKED, *history]), "o1") == expected


def test_the_queue(replay) -> None:
    """What is not done is found in the order it was asked for, and what has left scaffolding behind as well."""
    asked = [ImportRequested(op, number) for number, op in enumerate(("z", "y", "x", "w"), 1)]
    planned = ImportPlanned("y", 2, "a1", "imported", FILE)
    db = replay([*asked, planned, ImportCancelled("x", 3), ImportCompleted("w", 4, "b2", "merged")])

    assert [found.op for found in imports.unfinished(db)] == ["z", "y"]
    assert [found.op for found in imports.untidied(db)] == ["w"]
    assert [imports.open_import_of(db, number) for number in (1, 2, 3, 9)] == ["z", "y", None, None]
    assert imports.counts(db) == {"queued": 1, "planned": 1}
    assert imports.get(db, "v") is None
