"""All tags, and what each stands on."""

import msgspec
import pytest
from hikaze.events.catalog import (
    Event,
    ModelTagged,
    ModelUntagged,
    PendingImported,
    PendingTagged,
    PendingUntagged,
    TagCreated,
    TagDeleted,
    TagRenamed,
    TagsMerged,
)
from hikaze.projections import tags

INK, PHOTO = TagCreated(1, "Ink"), TagCreated(2, "photo")
ON = ModelTagged("a1", 1)


@pytest.mark.parametrize(
    ("history", "found"),
    [
        ([INK, ON], {1: "Ink"}),
        ([INK, ON, ON], {1: "Ink"}),
        ([INK, ON, ModelUntagged("a1", 1)], {}),
        ([INK, ModelUntagged("a1", 1), ON], {1: "Ink"}),
        ([INK, ON, ModelTagged("b2", 1), ModelUntagged("b2", 1)], {1: "Ink"}),
        ([INK, PHOTO, ModelTagged("a1", 2), ON], {1: "Ink", 2: "photo"}),
        ([INK, ON, TagRenamed(1, "Tusche")], {1: "Tusche"}),
        ([INK, PHOTO, ON, TagRenamed(1, "PHOTO")], {1: "Ink"}),
        ([INK, PHOTO, ON, TagsMerged(1, 2)], {2: "photo"}),
        ([INK, PHOTO, ON, ModelTagged("a1", 2), TagsMerged(1, 2)], {2: "photo"}),
        ([INK, ON, TagsMerged(1, 1)], {1: "Ink"}),
        ([INK, ON, TagDeleted(1)], {}),
        ([INK, ON, TagDeleted(1), INK], {}),
    ],
)
def test_tags_of_a_model(replay, history: list[Event], found: dict[int, str]) -> None:
    """A model has a tag from when it is put on until it is taken off, merged into another or deleted."""
    assert tags.of_model(replay(history), "a1") == found


@pytest.mark.parametrize(
    ("history", "found"),
    [
        ([INK, PendingTagged(7, 1)], {1: "Ink"}),
        ([INK, PendingTagged(7, 1), PendingUntagged(7, 1)], {}),
        ([INK, PHOTO, PendingTagged(7, 1), TagsMerged(1, 2)], {2: "photo"}),
        ([INK, PendingTagged(7, 1), PendingImported(7, "a1", "imported")], {}),
        ([INK, PendingTagged(7, 1), PendingImported(7, "a1", "ignored")], {1: "Ink"}),
    ],
)
def test_tags_of_a_pending_model(replay, history: list[Event], found: dict[int, str]) -> None:
    """A pending model has its tags until it is imported; one whose import was ignored keeps them."""
    assert tags.of_pending(replay(history), 7) == found


def test_a_tag_is_found_by_any_spelling(replay) -> None:
    """A tag answers to every spelling of its name, in the first one; a taken name stays with whoever has it."""
    db = replay([TagCreated(1, "Straße"), TagCreated(2, "STRASSE")])

    assert [tags.find(db, name) for name in ("strasse", "STRAßE", "Gasse")] == [(1, "Straße"), (1, "Straße"), None]
    assert (tags.name_of(db, 1), tags.name_of(db, 2)) == ("Straße", None)


def test_numbers_are_not_used_again(replay) -> None:
    """The last number counts tags that are no more."""
    assert [tags.last_number(replay(history)) for history in ([], [INK, PHOTO, TagDeleted(2)])] == [0, 2]


def test_a_page_of_tags(replay) -> None:
    """Tags are listed by their folded names, each with how many models and pending models have it."""
    history = [PHOTO, INK, ON, ModelTagged("b2", 1), PendingTagged(7, 1), PendingTagged(7, 2)]

    assert [msgspec.json.decode(item) for item in tags.page(replay(history), limit=9).items] == [
        {"id": 1, "name": "Ink", "models": 2, "pending": 1},
        {"id": 2, "name": "photo", "models": 0, "pending": 1},
    ]
