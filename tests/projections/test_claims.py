"""What an earlier library says of a model's content, until somebody has seen the bytes."""

import pytest
from hikaze.events.catalog import (
    ClaimConfirmed,
    ClaimDenied,
    Event,
    File,
    LocationClaimed,
    LocationFound,
    LocationLost,
    LocationMoved,
    LocationRefreshed,
    LocationReplaced,
    ModelImported,
    RootAdded,
    RootCameOnline,
)
from hikaze.projections import claims, library, models
from hikaze.projections.finding import Finder
from hikaze.projections.parts import Word

HERE: list[Event] = [RootAdded(1, "/m", "model", "loras"), RootCameOnline(1, 1, 1)]
OLD = ModelImported("a1", "Ink", "loras", 10, claimed=True, path="C:\\old\\Ink Ä.pt", created_at=1_700_000_000_000)


def file_at(path: str, ino: int = 7) -> File:
    """Make a file of 10 bytes at a path."""
    return File(path, 1, 10, 5, 1, ino)


X, Y = file_at("/m/x.pt"), file_at("/m/y.pt", 8)
CLAIMED = LocationClaimed("a1", X)
DENIED = [ClaimDenied("a1", X.path, "b2"), LocationReplaced("a1", X.path)]


@pytest.mark.parametrize(
    ("history", "state", "claimed"),
    [
        ([OLD], "claimed", {}),
        ([OLD, CLAIMED], "claimed", {X.path: True}),
        ([OLD, CLAIMED, LocationLost("a1", X.path), LocationFound("a1", X, claimed=True)], "claimed", {X.path: True}),
        ([OLD, CLAIMED, LocationMoved("a1", X.path, Y, claimed=True)], "claimed", {Y.path: True}),
        ([OLD, CLAIMED, LocationRefreshed("a1", X)], "claimed", {X.path: True}),
        ([OLD, CLAIMED, ClaimConfirmed("a1", X)], "confirmed", {X.path: False}),
        # the bytes were seen elsewhere: the content is there, and the other path is still to be looked at
        ([OLD, CLAIMED, LocationFound("a1", Y)], "confirmed", {X.path: True, Y.path: False}),
        # a second claim takes nothing back
        ([OLD, CLAIMED, ClaimConfirmed("a1", X), CLAIMED, OLD], "confirmed", {X.path: False}),
        ([OLD, CLAIMED, ModelImported("a1", "Ink", "loras", 10), LocationFound("a1", X)], "confirmed", {X.path: False}),
        ([OLD, CLAIMED, *DENIED], "denied", {}),
        ([OLD, CLAIMED, *DENIED, LocationFound("a1", Y)], "confirmed", {Y.path: False}),
        ([OLD, CLAIMED, *DENIED, LocationFound("a1", X)], "confirmed", {X.path: False}),
    ],
)
def test_how_a_hash_is_known(replay, history: list[Event], state: str, claimed: dict[str, bool]) -> None:
    """A hash is a claim until content with it was seen, and a location until its own bytes were."""
    found = library.whole(replay([*HERE, *history]), "a1")

    assert found is not None
    assert found["hash_state"] == state
    assert {place["path"]: place["claimed"] for place in found["locations"]} == claimed


def test_a_claim_is_as_good_as_a_location(replay) -> None:
    """A claimed file counts as present, one that is gone as lost; both are told apart from what was seen."""
    db = replay([*HERE, OLD, CLAIMED, LocationClaimed("a1", Y, lost=True)])

    assert models.has_present_location(db, "a1")
    assert [(one.path, one.lost, one.claimed) for one in models.locations(db, "a1")] == [
        (X.path, False, True),
        (Y.path, True, True),
    ]
    assert claims.count(db) == 1


def test_a_model_from_an_earlier_library(replay) -> None:
    """It has the path and the time that library gave, is found by its old file name, and is missing."""
    db = replay([*HERE, OLD])
    found = library.whole(db, "a1")

    assert found is not None
    assert (found["path"], found["created_at"], found["state"]) == ("C:\\old\\Ink Ä.pt", 1_700_000_000_000, "missing")
    assert len(Finder().page(db, Word("a.pt"), limit=2).items) == 1


@pytest.mark.parametrize(
    ("history", "is_told"),
    [
        (DENIED, True),
        ([*DENIED, ModelImported("b2", "other", "loras", 10)], True),
        ([*DENIED, LocationFound("a1", Y)], True),
        ([*DENIED, LocationFound("a1", X)], False),
    ],
)
def test_denied_claims(replay, history: list[Event], is_told: bool) -> None:
    """A model tells of what was denied, whatever comes of the file: unless its content was seen there after all."""
    db = replay([*HERE, OLD, CLAIMED, *history])
    denied = models.Denied("a1", X.path, "b2")

    assert models.denied_of(db, "a1") == ([denied] if is_told else [])
    found = library.whole(db, "a1")
    assert found is not None
    assert found["denied"] == ([{"path": X.path, "sha256": "b2"}] if is_told else [])


def test_a_location_in_a_root_that_nobody_knows(replay) -> None:
    """It is missing, and so is a model that has no other."""
    found = library.whole(replay([*HERE, OLD, LocationClaimed("a1", File("/z/x.pt", 0, 10, 5, 1, 7))]), "a1")

    assert found is not None
    assert (found["state"], found["path"], found["locations"][0]["state"]) == ("missing", "/z/x.pt", "missing")
