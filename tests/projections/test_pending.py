"""The model files that were seen and are not imported."""

from typing import Any

import msgspec
import pytest
from hikaze.events.catalog import (
    Changes,
    Event,
    File,
    ImportFailed,
    ImportRequested,
    PendingChanged,
    PendingDismissed,
    PendingEdited,
    PendingFound,
    PendingImported,
    PendingLost,
    PendingMoved,
    PendingPictured,
    PendingRecognised,
    PendingReturned,
    PendingTagged,
    PendingUntagged,
    RootAdded,
    RootCameOnline,
    RootWentOffline,
    TagCreated,
    Texts,
)
from hikaze.projections import pending
from hikaze.projections.pending import Pending


def file_at(path: str, ino: int = 7, size: int = 10) -> File:
    """Make a file at a path."""
    return File(path, 1, size, 5, 1, ino)


def found(number: int, path: str, *, in_place: bool = False) -> PendingFound:
    """Make the event of a new pending model at a path, with an inode of its own."""
    return PendingFound(number, file_at(path, number), f"name {number}", "loras", in_place, {"rank": 16})


X, Y = "/p/x.pt", "/p/y.pt"
FIRST, SECOND = found(1, X), found(2, Y)
WRITTEN = PendingEdited(1, Changes(description="mine"))


@pytest.mark.parametrize(
    ("history", "seen", "away"),
    [
        ([FIRST, SECOND], {1: (X, "waiting"), 2: (Y, "waiting")}, {}),
        ([FIRST, FIRST], {1: (X, "waiting")}, {}),
        # lost: gone from the list, unless somebody wrote to it
        ([FIRST, PendingLost(1)], {}, {1: (X, "gone")}),
        ([FIRST, WRITTEN, PendingLost(1)], {1: (X, "missing")}, {}),
        ([FIRST, PendingTagged(1, 5), PendingLost(1)], {1: (X, "missing")}, {}),
        ([FIRST, PendingTagged(1, 5), PendingUntagged(1, 5), PendingLost(1)], {1: (X, "missing")}, {}),
        ([FIRST, PendingPictured(1, ".png", "person", 1, 1), PendingLost(1)], {1: (X, "missing")}, {}),
        ([FIRST, PendingPictured(1, ".png", "companion", 1, 1), PendingLost(1)], {}, {1: (X, "gone")}),
        # and back, the same one, wherever it lies now
        ([FIRST, PendingLost(1), PendingReturned(1, file_at(X), in_place=False)], {1: (X, "waiting")}, {}),
        ([FIRST, PendingLost(1), PendingMoved(1, file_at(Y), "y", None, in_place=False)], {1: (Y, "waiting")}, {}),
        ([FIRST, WRITTEN, PendingLost(1), PendingReturned(1, file_at(Y), in_place=False)], {1: (Y, "waiting")}, {}),
        # dismissed: away until it changes or returns
        ([FIRST, PendingDismissed(1)], {}, {1: (X, "hidden")}),
        ([FIRST, PendingDismissed(1, "t")], {}, {1: (X, "trashed")}),
        ([FIRST, WRITTEN, PendingDismissed(1, "t")], {}, {1: (X, "trashed")}),
        ([FIRST, PendingDismissed(1), PendingLost(1)], {}, {1: (X, "gone")}),
        ([FIRST, PendingDismissed(1), PendingChanged(1, file_at(X, size=11), None)], {1: (X, "waiting")}, {}),
        ([FIRST, PendingDismissed(1, "t"), PendingReturned(1, file_at(X), in_place=False)], {1: (X, "waiting")}, {}),
        # a path is one's at a time: who was there has lost its file, and keeps what was written
        ([FIRST, found(2, X)], {2: (X, "waiting")}, {1: (X, "gone")}),
        ([FIRST, WRITTEN, found(2, X)], {1: (X, "missing"), 2: (X, "waiting")}, {}),
        (
            [FIRST, SECOND, PendingMoved(2, file_at(X, 2), "x", None, in_place=False)],
            {2: (X, "waiting")},
            {1: (X, "gone")},
        ),
        ([FIRST, PendingDismissed(1), found(2, X)], {2: (X, "waiting")}, {1: (X, "gone")}),
        (
            [FIRST, PendingLost(1), found(2, X), PendingReturned(1, file_at(Y, 1), in_place=False)],
            {1: (Y, "waiting"), 2: (X, "waiting")},
            {},
        ),
        (
            [
                FIRST,
                PendingLost(1),
                found(2, X),
                PendingTagged(2, 5),
                PendingReturned(1, file_at(X, 1), in_place=False),
            ],
            {1: (X, "waiting"), 2: (X, "missing")},
            {},
        ),
        # imported: the record ends, wherever it was
        ([FIRST, PendingImported(1, "a1", "imported")], {}, {}),
        ([FIRST, PendingLost(1), PendingImported(1, "a1", "merged")], {}, {}),
        ([FIRST, PendingImported(1, "a1", "ignored")], {1: (X, "waiting")}, {}),
        # for one that nobody knows
        ([PendingLost(1), PendingReturned(1, file_at(X), in_place=False), WRITTEN], {}, {}),
    ],
)
def test_who_is_seen(
    replay, history: list[Event], seen: dict[int, tuple[str, str]], away: dict[int, tuple[str, str]]
) -> None:
    """A pending model is in the list while its file is there or somebody wrote to it, and is never forgotten before."""
    db = replay(history)

    assert rows(db, "pending_import") == seen
    assert rows(db, "pending_away") == away


def rows(db: Any, table: str) -> dict[int, tuple[str, str]]:
    """Give path and state of each pending model in a table."""
    return {row[0]: row[1:] for row in db.execute(f"SELECT id, path, state FROM {table}")}  # noqa: S608


def test_one_whole(replay) -> None:
    """A pending model holds what was seen, what people wrote, which fields those were, and its picture."""
    edit = Changes(name="Ink", type="vae", trigger_words=("ink",))
    db = replay(
        [FIRST, PendingEdited(1, edit), PendingPictured(1, ".webp", "companion", 1, 1), PendingRecognised(1, "a1")]
    )

    assert pending.get(db, 1) == Pending(
        id=1,
        path=X,
        root=1,
        size=10,
        mtime_ns=5,
        dev=1,
        ino=1,
        name="Ink",
        type="vae",
        texts=Texts(trigger_words=("ink",)),
        given=frozenset({"name", "type", "trigger_words"}),
        written=True,
        in_place=False,
        state="waiting",
        picture=".webp",
        picture_position=3,
        picture_origin="companion",
        replaces=None,
        sha256="a1",
        header={"rank": 16},
        version=4,
        own=Texts(trigger_words=("ink",)),
    )
    assert pending.get(db, 2) is None


@pytest.mark.parametrize(
    ("history", "type_", "sha256"),
    [
        ([PendingChanged(1, file_at(X), "vae", {"new": 1})], "vae", ""),
        ([PendingChanged(1, file_at(X), None, {"new": 1})], "loras", ""),
        ([PendingEdited(1, Changes(type="clip")), PendingChanged(1, file_at(X), "vae", {"new": 1})], "clip", ""),
    ],
)
def test_other_content(replay, history: list[Event], type_: str, sha256: str) -> None:
    """Other content brings its own header and type, but not instead of a type that a person gave."""
    one = pending.get(replay([FIRST, PendingRecognised(1, "a1"), *history]), 1)

    assert one is not None
    assert (one.type, one.sha256, one.header) == (type_, sha256, {"new": 1})


@pytest.mark.parametrize(
    ("history", "number"),
    [
        ([], None),
        ([FIRST], 1),
        ([FIRST, PendingLost(1)], 1),
        ([FIRST, PendingLost(1), found(2, X), PendingLost(2)], 2),
        ([FIRST, WRITTEN, PendingLost(1), found(2, X), PendingLost(2)], 1),
        ([FIRST, WRITTEN, PendingLost(1), found(2, X)], 2),
        ([FIRST, WRITTEN, PendingLost(1), found(2, X), PendingDismissed(2)], 2),
    ],
)
def test_who_lies_at_a_path(replay, history: list[Event], number: int | None) -> None:
    """At a path lies the one whose file is there, hidden ones too; else who was last seen there and matters most."""
    one = pending.at_path(replay(history), X)

    assert (one.id if one else None) == number


def test_what_the_scanner_asks(replay) -> None:
    """What should lie in a root, which file that is, who waits, and who may be a known model can be asked for."""
    lost, hidden = found(3, "/p/lost"), found(4, "/p/hidden", in_place=True)
    db = replay([FIRST, SECOND, lost, PendingLost(3), hidden, PendingDismissed(4), PendingRecognised(2, "a1")])

    assert sorted(pending.in_root(db, 1)) == [("/p/hidden", 10, 5, 4), (X, 10, 5, 1), (Y, 10, 5, 2)]
    assert [one.id for one in pending.same_file(db, file_at("/p/new", 3))] == [3]
    assert pending.same_file(db, file_at(X, 1)) == []
    assert pending.waiting(db) == [1, 2]
    assert pending.to_compare(db, {10, 11}) == [(X, (10, 5, 1))]
    assert pending.to_compare(db, {11}) == []
    assert (pending.last_number(db), pending.count(db)) == (4, 2)


def test_a_page(replay) -> None:
    """Pending models are listed newest first, each with its tags, its picture and what became of its import."""
    here: list[Event] = [RootAdded(1, "/p", "pending"), RootCameOnline(1, 1, 1), TagCreated(5, "ink")]
    asked: list[Event] = [ImportRequested("o1", 2), ImportFailed("o1", 2, "the disk is full")]
    odd = PendingFound(2, file_at("/p/\0dcff.pt"), "\ufffd", None, in_place=True, replaces="b2")
    db = replay([*here, FIRST, PendingTagged(1, 5), PendingPictured(1, ".png", "companion", 1, 1), odd, *asked])

    page = pending.page(db, limit=9)

    assert [msgspec.json.decode(item) for item in page.items] == [
        {
            "id": 2,
            "name": "\ufffd",
            "path": "/p/\ufffd.pt",
            "name_valid": False,
            "type": None,
            "size_bytes": 10,
            "created_at": 8,
            "tags": [],
            "image": None,
            "in_place": True,
            "state": "waiting",
            "sha256": None,
            "replaces": "b2",
            "import": {"state": "failed", "reason": "the disk is full", "model": None},
        },
        {
            "id": 1,
            "name": "name 1",
            "path": X,
            "name_valid": True,
            "type": "loras",
            "size_bytes": 10,
            "created_at": 5,
            "tags": ["ink"],
            "image": "1.png",
            "in_place": False,
            "state": "waiting",
            "sha256": None,
            "replaces": None,
            "import": None,
        },
    ]
    assert pending.card(db, 1) == msgspec.json.decode(page.items[1])
    assert pending.card(db, 9) is None


def test_a_root_that_is_away(replay) -> None:
    """What lies in a root that is away is offline, not missing."""
    history = [RootAdded(1, "/p", "pending"), RootCameOnline(1, 1, 1), FIRST, RootWentOffline(1, "absent")]
    card = pending.card(replay(history), 1)

    assert card is not None
    assert card["state"] == "offline"


def test_who_waits_for_an_import_is_not_compared(replay) -> None:
    """A pending model whose import is queued is not asked about: its import hashes it; once that failed it is."""
    queued, failed = ImportRequested("op", 1), ImportFailed("op", 1, "no disk")

    assert pending.to_compare(replay([FIRST, queued]), {10}) == []
    assert pending.to_compare(replay([FIRST, queued, failed]), {10}) == [(X, (10, 5, 1))]
