"""What each model is, and where its content lies."""

from typing import Any

import msgspec
import pytest
from hikaze.events.catalog import (
    Changes,
    Event,
    File,
    ImageAdded,
    LocationFound,
    LocationLost,
    LocationMoved,
    LocationRefreshed,
    LocationReplaced,
    ModelEdited,
    ModelImported,
    ModelTagged,
    Prompts,
    RootAdded,
    RootCameOnline,
    RootWentOffline,
    Texts,
)
from hikaze.projections import models
from hikaze.projections.models import Location, Model


def file_at(path: str, root: int = 1, ino: int = 7) -> File:
    """Make a file of 10 bytes at a path."""
    return File(path, root, 10, 5, 1, ino)


TEXTS = Texts("Brush", "", Prompts("ink wash"), ("inkwash",))
IMPORTED = ModelImported("a1", "Ink", "loras", 10, TEXTS, {"rank": 16}, 7)
X, Y = file_at("/m/X Ä.safetensors"), file_at("/m/y.safetensors", ino=8)
FOUND = LocationFound("a1", X)


@pytest.mark.parametrize(
    ("history", "model"),
    [
        ([], None),
        ([ModelTagged("a1", 1), FOUND], None),
        ([IMPORTED], Model("a1", "Ink", "loras", 10, TEXTS, favorite=False, version=1, own=TEXTS)),
        (
            [IMPORTED, ModelEdited("a1", Changes(favorite=True, name="Tusche", description=""))],
            Model(
                "a1",
                "Tusche",
                "loras",
                10,
                msgspec.structs.replace(TEXTS, description=""),
                favorite=True,
                version=2,
                own=msgspec.structs.replace(TEXTS, description=""),
                given=frozenset({"favorite", "name", "description"}),
            ),
        ),
        (
            [IMPORTED, ModelTagged("a1", 1), ModelTagged("a1", 2), ImageAdded("a1", 0, "PNG", 1, 1), FOUND],
            Model("a1", "Ink", "loras", 10, TEXTS, favorite=False, version=4, own=TEXTS),
        ),
        (
            [IMPORTED, ModelEdited("a1", Changes(favorite=True)), ModelImported("a1", "New", "vae", 10)],
            Model("a1", "New", "vae", 10, Texts(), favorite=True, version=3, given=frozenset({"favorite"})),
        ),
    ],
)
def test_a_model(replay, history: list[Event], model: Model | None) -> None:
    """A model is what its import said and edits changed; its version counts its own events, not its files'."""
    assert models.get(replay(history), "a1") == model


def test_the_columns_of_the_contract(replay) -> None:
    """The table `models` holds what other programs may read, every key of its texts included."""
    row = (
        replay([IMPORTED, FOUND])
        .execute("SELECT path, name, type, size_bytes, created_at, meta_json FROM models")
        .fetchone()
    )

    assert row is not None
    assert row[:5] == ("/m/X Ä.safetensors", "Ink", "loras", 10, 2)
    assert msgspec.json.decode(row[5]) == {
        "description": "Brush",
        "community_links": "",
        "prompts": {"positive": "ink wash", "negative": ""},
        "trigger_words": ["inkwash"],
    }


@pytest.mark.parametrize(
    ("history", "locations"),
    [
        ([FOUND], {X.path: False}),
        ([FOUND, LocationFound("a1", Y)], {X.path: False, Y.path: False}),
        ([FOUND, LocationLost("a1", X.path)], {X.path: True}),
        ([FOUND, LocationLost("a1", X.path), FOUND], {X.path: False}),
        ([FOUND, LocationMoved("a1", X.path, Y)], {Y.path: False}),
        ([FOUND, LocationMoved("a1", X.path, X)], {X.path: False}),
        ([FOUND, LocationReplaced("a1", X.path)], {}),
        ([FOUND, LocationReplaced("b2", X.path)], {X.path: False}),
        ([FOUND, LocationLost("b2", X.path)], {X.path: False}),
        ([FOUND, LocationFound("b2", X)], {}),
        ([FOUND, LocationFound("b2", X), LocationMoved("a1", X.path, Y)], {Y.path: False}),
        ([LocationRefreshed("a1", X)], {X.path: False}),
    ],
)
def test_locations(replay, history: list[Event], locations: dict[str, bool]) -> None:
    """A model's content lies where it was found, until it is moved from there, or other content found there."""
    found = models.locations(replay([IMPORTED, *history]), "a1")

    assert {location.path: location.lost for location in found} == locations


@pytest.mark.parametrize(
    ("history", "path"),
    [
        ([IMPORTED], ""),
        ([IMPORTED, FOUND, LocationFound("a1", Y)], X.path),
        ([FOUND, IMPORTED], X.path),
        ([IMPORTED, FOUND, LocationFound("a1", Y), LocationLost("a1", X.path)], Y.path),
        ([IMPORTED, FOUND, LocationFound("a1", Y), LocationFound("b2", X)], Y.path),
        ([IMPORTED, FOUND, LocationLost("a1", X.path)], X.path),
        ([IMPORTED, FOUND, LocationReplaced("a1", X.path)], X.path),
        ([IMPORTED, LocationFound("a1", file_at("/m/\0dcff.pt"))], "/m/\ufffd.pt"),
        ([IMPORTED, FOUND, ModelImported("a1", "New", "vae", 10)], X.path),
    ],
)
def test_the_path_that_is_shown(replay, history: list[Event], path: str) -> None:
    """A model shows the first of its paths that is not lost, and the last it had where it has none."""
    row = replay(history).execute("SELECT path, file_words FROM models WHERE sha256 = 'a1'").fetchone()

    assert row is not None
    assert row[0] == path
    assert row[1] == path.rpartition("/")[2].lower().replace("ä", "a")


def test_a_location_whole(replay) -> None:
    """A location tells of its file as it was found, and gives it back as events tell of it."""
    db = replay([IMPORTED, FOUND, LocationRefreshed("a1", msgspec.structs.replace(X, mtime_ns=6))])

    found = models.location(db, X.path)

    assert found is not None
    assert found == Location(X.path, "a1", 1, 10, 6, 1, 7, lost=False)
    assert found.file() == msgspec.structs.replace(X, mtime_ns=6)
    assert models.location(db, Y.path) is None


def test_what_the_scanner_asks(replay) -> None:
    """What should lie in a root, the same file at another path, and the sizes of known content can be asked for."""
    db = replay([IMPORTED, FOUND, LocationFound("a1", Y), LocationLost("a1", Y.path)])

    assert models.in_root(db, 1) == [(X.path, 10, 5, 7)]
    assert [location.path for location in models.same_file(db, file_at("/m/new"))] == [X.path]
    assert models.same_file(db, X) == []
    assert models.sizes_known(db, [9, 10, 10]) == {10}


HERE: list[Event] = [RootAdded(1, "/m", "model", "loras"), RootCameOnline(1, 1, 1), IMPORTED]


@pytest.mark.parametrize(
    ("history", "besides", "here"),
    [
        ([*HERE, FOUND], "", True),
        ([*HERE, FOUND], X.path, False),
        ([*HERE, FOUND, LocationFound("a1", Y)], X.path, True),
        ([*HERE, FOUND, LocationLost("a1", X.path)], "", False),
        ([*HERE, FOUND, RootWentOffline(1, "absent")], "", False),
        ([IMPORTED, FOUND], "", False),
    ],
)
def test_whether_the_content_is_here(replay, history: list[Event], besides: str, here: bool) -> None:
    """A model is here if one of its files is, in a root that is."""
    assert models.has_present_location(replay(history), "a1", besides) is here


def test_edits_of_texts() -> None:
    """A change replaces the fields it names and leaves the others."""
    assert models.edited(TEXTS, Changes()) == TEXTS
    assert models.edited(TEXTS, Changes(trigger_words=(), name="x")) == msgspec.structs.replace(TEXTS, trigger_words=())
    assert models.texts_of(models.meta_json(TEXTS)) == TEXTS


def test_every_word_is_folded_for_search(replay) -> None:
    """A search looks in name, texts and file name, without case and accents."""
    row: Any = replay([IMPORTED, FOUND]).execute("SELECT words, file_words, name_key FROM models").fetchone()

    assert row == ("ink\nbrush\ninkwash\nink wash", "x a.safetensors", "ink")
