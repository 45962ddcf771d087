"""Pages of models, one model whole, and the counts of everything."""

from typing import Any

import apsw
import msgspec
import pytest
from hikaze.events.catalog import (
    Changes,
    CoverChosen,
    Event,
    File,
    ImageAdded,
    LocationFound,
    LocationLost,
    LocationReplaced,
    ModelEdited,
    ModelImported,
    ModelTagged,
    PendingFound,
    Prompts,
    RootAdded,
    RootCameOnline,
    RootRemoved,
    RootWentOffline,
    TagCreated,
    Texts,
)
from hikaze.projections import library
from hikaze.projections.finding_orders import FEW
from hikaze.projections.library import Query

from .searched import page_of, searched

ROOTS: list[Event] = [RootAdded(1, "/m", "model", "loras"), RootCameOnline(1, 1, 1), RootAdded(2, "/n", "model", "vae")]
TAGS: list[Event] = [TagCreated(1, "Ink"), TagCreated(2, "photo"), TagCreated(3, "Straße")]


def file_at(path: str, root: int = 1) -> File:
    """Make a file of 10 bytes at a path."""
    return File(path, root, 10, 5, 1, 7)


IMPORTED = ModelImported("a1", "Ink", "loras", 10, Texts("Brush", "", Prompts("wash"), ("inkwash",)), {"rank": 16})
X = LocationFound("a1", file_at("/m/x.pt"))
N = LocationFound("a1", file_at("/n/x.pt", 2))


def test_a_model_whole(replay) -> None:
    """A model is given with all that is known of it, its tags by name and its pictures by base name."""
    tagged: list[Event] = [ModelTagged("a1", 2), ModelTagged("a1", 1)]
    pictures: list[Event] = [ImageAdded("a1", seq, "PNG", 1, 1) for seq in (10, 9, 2)]
    db = replay([*ROOTS, *TAGS, IMPORTED, N, X, *tagged, *pictures, CoverChosen("a1", 9)])

    found = library.whole(db, "a1")

    card = {
        "sha256": "a1",
        "name": "Ink",
        "type": "loras",
        "size_bytes": 10,
        "created_at": 8,
        "changed_at": 16,
        "favorite": False,
        "tags": ["Ink", "photo"],
        "images": ["a1_2", "a1_9", "a1_10"],
        "cover": 9,
        "path": "/m/x.pt",
        "name_valid": True,
        "state": "present",
    }
    assert found == card | {
        "description": "Brush",
        "community_links": "",
        "prompts": {"positive": "wash", "negative": ""},
        "trigger_words": ["inkwash"],
        "provided": [],
        "origins": {"description": "user", "community_links": "none", "prompts": "user", "trigger_words": "user"},
        "hash_state": "confirmed",
        "denied": [],
        "tag_origins": {"Ink": "user", "photo": "user"},
        "earlier_names": [],
        "locations": [
            {"path": "/m/x.pt", "root": 1, "name_valid": True, "state": "present", "claimed": False},
            {"path": "/n/x.pt", "root": 2, "name_valid": True, "state": "offline", "claimed": False},
        ],
        "header": {"rank": 16},
        "uses": 0,
        "last_used": None,
        "version": 7,
    }
    assert library.card(db, "a1") == card
    assert [msgspec.json.decode(item) for item in library.page(db, Query(), limit=9).items] == [card]
    assert (library.whole(db, "b2"), library.card(db, "b2")) == (None, None)


@pytest.mark.parametrize(
    ("history", "path", "state"),
    [
        ([], None, "missing"),
        ([X], "/m/x.pt", "present"),
        ([N, X], "/m/x.pt", "present"),
        ([N], "/n/x.pt", "offline"),
        ([X, LocationLost("a1", "/m/x.pt")], "/m/x.pt", "missing"),
        ([N, X, LocationLost("a1", "/m/x.pt")], "/n/x.pt", "offline"),
        ([X, RootWentOffline(1, "absent")], "/m/x.pt", "offline"),
        ([X, RootRemoved(1)], "/m/x.pt", "offline"),
        ([X, LocationReplaced("a1", "/m/x.pt")], "/m/x.pt", "missing"),
        ([LocationFound("a1", file_at("/m/x.pt", 9))], "/m/x.pt", "missing"),
    ],
)
def test_where_a_model_is(replay, history: list[Event], path: str | None, state: str) -> None:
    """A model shows its best path: one that is here, else one whose root is away, else the last it had."""
    card = library.card(replay([*ROOTS, IMPORTED, *history]), "a1")

    assert card is not None
    assert (card["path"], card["state"]) == (path, state)


def test_a_name_that_is_not_valid(replay) -> None:
    """A path that is no valid UTF-8 is shown with replacement characters, and said to be so."""
    card = library.card(replay([*ROOTS, IMPORTED, LocationFound("a1", file_at("/m/\0dcff.pt"))]), "a1")

    assert card is not None
    assert (card["path"], card["name_valid"]) == ("/m/\ufffd.pt", False)


@pytest.fixture
def db(replay) -> apsw.Connection:
    """Make a library of three models: a1 and b2 are LoRAs, c3 is a VAE."""
    history: list[Event] = [
        *TAGS,
        IMPORTED,
        ModelImported("b2", "Café 100%", "loras", 30),
        ModelImported("c3", "apple_Jack", "vae", 20),
        *[ModelTagged(model, tag) for model, tag in (("a1", 1), ("a1", 2), ("b2", 1), ("c3", 3))],
        ModelEdited("b2", Changes(favorite=True)),
        LocationFound("c3", file_at("/m/Old Name.safetensors")),
    ]
    return replay([*ROOTS, *history])


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (Query(), ["c3", "b2", "a1"]),
        (Query(order="-name"), ["a1", "b2", "c3"]),
        (Query(order="added"), ["a1", "b2", "c3"]),
        (Query(order="-size"), ["b2", "c3", "a1"]),
        (Query(order="-changed"), ["b2", "c3", "a1"]),
        (Query(type="loras"), ["b2", "a1"]),
        (Query(type="clip"), []),
        (Query(tags=("ink",)), ["b2", "a1"]),
        (Query(tags=("INK", "Photo")), ["a1"]),
        (Query(tags=("ink", "nothing")), []),
        (Query(tags=("STRASSE",)), ["c3"]),
        (Query(tags=("ink",), type="vae"), []),
        (Query(not_tags=("ink",)), ["c3"]),
        (Query(not_tags=("nothing",)), ["c3", "b2", "a1"]),
        (Query(tags=("ink",), not_tags=("photo",)), ["b2"]),
    ],
)
def test_who_is_found(db: apsw.Connection, query: Query, found: list[str]) -> None:
    """A page holds the models of a type with all the tags and none of the others, in order."""
    page = library.page(db, query, limit=9)

    assert ([msgspec.json.decode(item)["sha256"] for item in page.items], page.next) == (found, None)


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("CAFE",), ["b2"]),
        (("brush",), ["a1"]),
        (("old name",), ["c3"]),
        (("photo",), ["a1"]),
        (("ink", "wash"), ["a1"]),
        (("0%",), ["b2"]),
        (("e_j",), ["c3"]),
        (("e%j",), []),
        (("'; --",), []),
    ],
)
def test_who_holds_words(db: apsw.Connection, words: tuple[str, ...], found: list[str]) -> None:
    """A search finds the models that hold all words, wherever they stand and whatever they are made of."""
    page = page_of(db, *words)

    assert ([msgspec.json.decode(item)["sha256"] for item in page.items], page.next) == (found, None)


@pytest.mark.parametrize("carriers", [3, 60, 400])
@pytest.mark.parametrize("order", ["name", "-added"])
def test_a_tag_is_found_whichever_way(replay, carriers: int, order: Any) -> None:
    """Rare, middling and common tags lead to the same page: the way there is chosen by their count."""
    models: list[Event] = [ModelImported(f"{number:03}", f"{number % 7}", "loras", 1) for number in range(400)]
    tagged: list[Event] = [ModelTagged(f"{number:03}", 1) for number in range(carriers)]
    others: list[Event] = [ModelTagged(f"{number:03}", 2) for number in range(0, 400, 2)]
    db = replay([*TAGS, *models, *tagged, *others])
    keys = {"name": lambda n: (n % 7, n), "-added": lambda n: -n}

    for wanted, numbers in ((("ink",), range(carriers)), (("ink", "photo"), range(0, carriers, 2))):
        page = library.page(db, Query(tags=wanted, order=order), limit=20)
        expected = sorted(numbers, key=keys[order])
        assert [int(msgspec.json.decode(item)["sha256"]) for item in page.items] == expected[:20]


@pytest.mark.parametrize(
    "query", [Query(), Query(type="loras"), Query(order="-added"), Query(type="vae", order="size")]
)
def test_a_page_walks_an_index(db: apsw.Connection, query: Query) -> None:
    """The keys of a page come from an index in its order: nothing is sorted that is not shown."""
    plan = plan_of(db, query)
    column = {"name": "name", "-added": "added", "size": "size"}[query.order]

    assert any(f"USING COVERING INDEX models_by_{'type_' if query.type else ''}{column}" in step for step in plan)
    assert "USE TEMP B-TREE FOR ORDER BY" not in plan[: plan.index("SCAN k")]


def plan_of(db: apsw.Connection, query: Query) -> list[str]:
    """Give the steps in which SQLite makes a page."""
    asked: list[tuple[str, Any]] = []

    def keep(_: apsw.Cursor, statement: str, values: Any) -> bool:
        asked.append((statement, values))
        return True

    db.exec_trace = keep
    library.page(db, query, limit=5)
    db.exec_trace = None
    plan: Any = db.execute("EXPLAIN QUERY PLAN " + asked[-1][0], asked[-1][1]).fetchall()
    return [step[3] for step in plan]


def test_who_lies_at_a_path(replay) -> None:
    """A path is a model's, or a pending model's: whichever file lies there now."""
    pending = PendingFound(7, file_at("/m/x.pt"), "x", None, in_place=True)

    for history, found in (
        ([IMPORTED, X], ("model", "a1")),
        ([IMPORTED, X, LocationLost("a1", "/m/x.pt")], ("model", "a1")),
        ([IMPORTED, X, LocationLost("a1", "/m/x.pt"), pending], ("pending", 7)),
        ([pending], ("pending", 7)),
        ([], None),
    ):
        assert library.at_path(replay(history), "/m/x.pt") == found


def test_types_and_counts(db: apsw.Connection) -> None:
    """The types that models or roots have are listed with their counts, and everything is counted."""
    assert library.types(db) == [
        {"type": "loras", "models": 2, "pending": 0},
        {"type": "vae", "models": 1, "pending": 0},
    ]
    assert library.counts(db) == {"models": 3, "pending": 0, "tags": 3, "images": 0, "locations": 1}


def test_a_word_is_found_however_common(replay) -> None:
    """A word on more models than are sorted, and one on few, both lead to all their models, in order."""
    names = [f"common {number:05d}" for number in range(FEW + 10)] + ["rare"]
    db = replay([ModelImported(f"{number:06d}", name, "loras", 1) for number, name in enumerate(names)])

    common = page_of(db, "common", order="-name", limit=3)
    rare = page_of(db, "RARE", limit=3)

    assert [msgspec.json.decode(card)["name"] for card in common.items] == names[-2:-5:-1]
    assert common.next is not None
    assert [msgspec.json.decode(card)["name"] for card in rare.items] == ["rare"]


def test_the_start_of_a_hash_finds_its_model(replay) -> None:
    """Six or more digits from the start of a hash are a word that its model holds."""
    db = replay([ModelImported("abcdef0123", "x", "loras", 1), ModelImported("0123abcdef", "y", "loras", 1)])

    assert [card["name"] for card in searched(db, "abcdef")] == ["x"]
