"""By which names models were known before, to people and on the disk."""

from typing import Any

import pytest
from hikaze.events.catalog import (
    Changes,
    Event,
    File,
    LocationClaimed,
    LocationFound,
    LocationLost,
    LocationMoved,
    LocationReplaced,
    ModelEdited,
    ModelImported,
    PendingEdited,
    PendingFound,
    PendingImported,
    PendingMoved,
    PendingReturned,
)
from hikaze.projections import earlier
from hikaze.projections.earlier import Earlier

IMPORTED = ModelImported("a1", "Ink", "loras", 10)
OTHER = ModelImported("b2", "Other", "loras", 10)


def file_at(path: str) -> File:
    """Make a file at a path."""
    return File(path, 1, 10, 5, 1, 7)


def found(path: str, model: str = "a1") -> LocationFound:
    """A file of a model lies at a path."""
    return LocationFound(model, file_at(path))


def named(name: str) -> ModelEdited:
    """Somebody gives the model a name."""
    return ModelEdited("a1", Changes(name=name))


def dropped(path: str) -> PendingFound:
    """A file was found that may become the model."""
    return PendingFound(7, file_at(path), "x", "loras", in_place=False)


X, Y = found("/m/X Ä.pt"), found("/m/y.pt")


@pytest.mark.parametrize(
    ("history", "names"),
    [
        ([IMPORTED], []),
        ([IMPORTED, named("Tusche")], [("name", "Ink")]),
        ([IMPORTED, named("Tusche"), named("Sumi")], [("name", "Ink"), ("name", "Tusche")]),
        # what it is called now is no earlier name, in whatever spelling
        ([IMPORTED, named("Tusche"), named("Ink")], [("name", "Tusche")]),
        ([IMPORTED, named("INK")], []),
        ([IMPORTED, named("Tusche"), named("INK"), named("Sumi")], [("name", "INK"), ("name", "Tusche")]),
        ([IMPORTED, ModelEdited("a1", Changes(description="x"))], []),
        ([IMPORTED, ModelImported("a1", "Tusche", "loras", 10)], [("name", "Ink")]),
        ([named("nobody's"), IMPORTED], []),
    ],
)
def test_names_that_people_gave(replay, history: list[Event], names: list[tuple[str, str]]) -> None:
    """A name that was replaced is kept, in its last spelling."""
    assert of(replay(history)) == names


@pytest.mark.parametrize(
    ("history", "names"),
    [
        ([X], []),
        # moved: renamed, or to another folder
        ([X, LocationMoved("a1", "/m/X Ä.pt", file_at("/m/new.pt"))], [("file", "X Ä.pt")]),
        ([X, LocationMoved("a1", "/m/X Ä.pt", file_at("/n/x a.pt"))], []),
        ([X, LocationMoved("a1", "/m/X Ä.pt", file_at("/m/y.pt")), X], []),
        # another file has the name still, or again
        ([X, found("/n/X Ä.pt"), LocationMoved("a1", "/m/X Ä.pt", file_at("/m/new.pt"))], []),
        # lost: it is missed by that name, until it turns up by another
        ([X, LocationLost("a1", "/m/X Ä.pt")], []),
        ([X, LocationLost("a1", "/m/X Ä.pt"), Y], []),
        (
            [X, LocationLost("a1", "/m/X Ä.pt"), LocationMoved("a1", "/m/X Ä.pt", file_at("/m/new.pt"))],
            [("file", "X Ä.pt")],
        ),
        # replaced: by other content, which may be a known model's
        ([X, Y, LocationReplaced("a1", "/m/X Ä.pt")], [("file", "X Ä.pt")]),
        ([X, Y, OTHER, found("/m/X Ä.pt", "b2")], [("file", "X Ä.pt")]),
        # of a model without any file people remember the last
        ([X, LocationReplaced("a1", "/m/X Ä.pt")], []),
        ([X, LocationReplaced("a1", "/m/X Ä.pt"), Y], [("file", "X Ä.pt")]),
        ([X, OTHER, found("/m/X Ä.pt", "b2")], []),
        ([X, LocationReplaced("a1", "/m/X Ä.pt"), found("/n/x a.pt")], []),
        ([found("C:\\m\\x.pt"), LocationMoved("a1", "C:\\m\\x.pt", file_at("C:\\m\\y.pt"))], [("file", "x.pt")]),
        ([found("/m/\0dcff.pt"), LocationMoved("a1", "/m/\0dcff.pt", file_at("/m/y.pt"))], [("file", "\ufffd.pt")]),
    ],
)
def test_names_of_files(replay, history: list[Event], names: list[tuple[str, str]]) -> None:
    """The name of a file is kept when none of the model's files has it any more, here or missed."""
    assert of(replay([IMPORTED, *history])) == names


def test_where_an_earlier_library_had_it(replay) -> None:
    """A model that an earlier library told of had its file's name there, if the file has another one now."""
    claimed = ModelImported("a1", "Ink", "loras", 10, claimed=True, path="/old/was.pt")

    assert of(replay([claimed])) == []
    assert of(replay([claimed, LocationClaimed("a1", file_at("/m/was.pt"))])) == []
    assert of(replay([claimed, LocationClaimed("a1", file_at("/m/is.pt"))])) == [("file", "was.pt")]


ENDED = PendingImported(7, "a1", "imported")


@pytest.mark.parametrize(
    ("history", "names"),
    [
        ([dropped("/p/x.pt"), IMPORTED, found("/m/x.pt"), ENDED], []),
        # the name was taken in the folder of the import
        ([dropped("/p/x.pt"), IMPORTED, found("/m/x (2).pt"), ENDED], [("file", "x.pt")]),
        (
            [
                dropped("/p/x.pt"),
                PendingMoved(7, file_at("/p/y.pt"), "y", "loras", in_place=False),
                PendingReturned(7, file_at("/p/z.pt"), in_place=False),
                IMPORTED,
                found("/m/z.pt"),
                ENDED,
            ],
            [("file", "x.pt"), ("file", "y.pt")],
        ),
        # what people called it
        (
            [
                dropped("/p/x.pt"),
                PendingEdited(7, Changes(name="First")),
                PendingEdited(7, Changes(name="Ink")),
                PendingEdited(7, Changes(description="no name")),
                IMPORTED,
                found("/m/x.pt"),
                ENDED,
            ],
            [("name", "First")],
        ),
        # united with a model that is known by other names
        (
            [
                IMPORTED,
                found("/m/ink.pt"),
                dropped("/p/x.pt"),
                PendingEdited(7, Changes(name="Tusche")),
                PendingImported(7, "a1", "merged"),
            ],
            [("name", "Tusche"), ("file", "x.pt")],
        ),
        ([IMPORTED, found("/m/ink.pt"), dropped("/p/x.pt"), PendingImported(7, "a1", "deleted")], []),
        ([IMPORTED, found("/m/ink.pt"), dropped("/p/x.pt"), PendingImported(7, "a1", "ignored")], []),
    ],
)
def test_names_from_before_the_import(replay, history: list[Event], names: list[tuple[str, str]]) -> None:
    """What a pending model and its file were called, before they became the model, or a part of it, is kept."""
    db = replay(history)

    assert of(db) == names
    if any(event.status != "ignored" for event in history if isinstance(event, PendingImported)):
        assert db.execute("SELECT count(*) FROM pending_names").get == 0


def test_what_a_search_asks(replay) -> None:
    """All of them can be asked for, with what a search compares."""
    moved = LocationMoved("a1", "/m/X Ä.pt", file_at("/m/new.pt"))
    db = replay([IMPORTED, OTHER, X, moved, named("Tusche"), ModelEdited("b2", Changes(name="x"))])

    assert earlier.every(db) == [
        Earlier("a1", "name", "Ink", "ink"),
        Earlier("a1", "file", "X Ä.pt", "x a.pt"),
        Earlier("b2", "name", "Other", "other"),
    ]
    assert earlier.of_model(db, "b2") == [Earlier("b2", "name", "Other", "other")]


def of(db: Any) -> list[tuple[str, str]]:
    """Give kind and spelling of the earlier names of the model."""
    return [(one.kind, one.shown) for one in earlier.of_model(db, "a1")]
