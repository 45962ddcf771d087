"""Which tags a header ever told, and which a person took off: known for good, whatever becomes of names and owners."""

from typing import Any

import pytest
from hikaze.events.catalog import (
    Event,
    File,
    ModelHeaderRead,
    ModelImported,
    ModelTagged,
    ModelUntagged,
    PendingChanged,
    PendingFound,
    PendingHeaderRead,
    PendingImported,
    PendingTagged,
    PendingUntagged,
    TagCreated,
    TagDeleted,
    TagRenamed,
    TagsMerged,
)
from hikaze.events.log import EventLog
from hikaze.events.record import New
from hikaze.projections import tags
from hikaze.projections.runner import Views, dump
from hikaze.projections.tagpast import taken_off_model, taken_off_pending, told_by_header
from hypothesis import given, settings
from hypothesis import strategies as st

from ..conftest import stream_of

FILE = File("/p/x", 1, 10, 5, 1, 7)
XL, PONY = TagCreated(1, "SDXL"), TagCreated(2, "Pony")
OFF = ModelUntagged("a1", 1)


def header(*names: str) -> dict[str, Any]:
    """Make a header that tells tags."""
    return {"told": {"tags": list(names)}}


@pytest.mark.parametrize(
    ("history", "model", "pending"),
    [
        ([ModelImported("a1", "x", "loras", 1, header=header("SDXL"))], {"sdxl"}, set()),
        ([ModelImported("a1", "x", "loras", 1, header={"told": "SDXL"})], set(), set()),
        ([ModelImported("b2", "x", "loras", 1, header=header("SDXL"))], set(), set()),
        # all that was ever told, however it is spelled
        (
            [ModelImported("a1", "x", "loras", 1, header=header("SDXL")), ModelHeaderRead("a1", header(" PONY"))],
            {"sdxl", "pony"},
            set(),
        ),
        ([PendingFound(7, FILE, "x", None, in_place=True, header=header("SDXL"))], set(), {"sdxl"}),
        ([PendingChanged(7, FILE, None, header("a")), PendingHeaderRead(7, header("b"))], set(), {"a", "b"}),
        # it goes with the pending model, unless nothing of that became the model's
        ([PendingHeaderRead(7, header("a")), PendingImported(7, "a1", "imported")], {"a"}, set()),
        ([PendingHeaderRead(7, header("a")), PendingImported(7, "a1", "merged")], {"a"}, set()),
        ([PendingHeaderRead(7, header("a")), PendingImported(7, "a1", "deleted")], set(), set()),
        ([PendingHeaderRead(7, header("a")), PendingImported(7, "a1", "ignored")], set(), {"a"}),
        # what became of the tag since is another matter
        ([XL, ModelHeaderRead("a1", header("SDXL")), TagRenamed(1, "XL"), TagDeleted(1)], {"sdxl"}, set()),
    ],
)
def test_what_a_header_told(replay, history: list[Event], model: set[str], pending: set[str]) -> None:
    """It is known of a model and of a pending model which tags any of their headers ever told."""
    db = replay(history)

    assert (told_by_header(db, "a1"), told_by_header(db, 7)) == (model, pending)


@pytest.mark.parametrize(
    ("history", "off"),
    [
        ([XL], set()),
        ([XL, ModelTagged("a1", 1, "header"), OFF], {"sdxl"}),
        ([XL, ModelTagged("b2", 1), ModelUntagged("b2", 1)], set()),
        # who puts it on again has changed their mind; and may do so again
        ([XL, ModelTagged("a1", 1), OFF, ModelTagged("a1", 1)], set()),
        ([XL, ModelTagged("a1", 1), OFF, ModelTagged("a1", 1), OFF], {"sdxl"}),
        # a tag that is deleted is taken off all that had it
        ([XL, ModelTagged("a1", 1, "header"), TagDeleted(1)], {"sdxl"}),
        ([XL, ModelTagged("b2", 1, "header"), TagDeleted(1)], set()),
        ([XL, ModelTagged("a1", 1), TagDeleted(1), TagCreated(3, "sdxl"), ModelTagged("a1", 3)], set()),
        # by its old name and by its new one
        ([XL, OFF, TagRenamed(1, "XL")], {"sdxl", "xl"}),
        ([XL, OFF, TagRenamed(1, "sdxl")], {"sdxl"}),
        ([XL, PONY, OFF, TagRenamed(1, "PONY")], {"sdxl"}),  # which another tag has: it stays as it is
        ([XL, TagRenamed(1, "XL"), OFF], {"xl"}),
        ([XL, OFF, TagRenamed(1, "XL"), ModelTagged("a1", 1)], {"sdxl"}),
        # merged into another: that too, but where it is carried
        ([XL, PONY, OFF, TagsMerged(1, 2)], {"sdxl", "pony"}),
        ([XL, PONY, OFF, ModelTagged("a1", 2), TagsMerged(1, 2)], {"sdxl"}),
        ([XL, PONY, ModelUntagged("a1", 2), ModelTagged("a1", 1), TagsMerged(1, 2)], set()),
    ],
)
def test_what_was_taken_off(replay, history: list[Event], off: set[str]) -> None:
    """A tag that a person took off is known by each of its names, until a person puts it on again."""
    assert taken_off_model(replay(history), "a1") == off


@pytest.mark.parametrize(
    ("history", "model", "pending"),
    [
        ([XL, PendingTagged(7, 1, "header"), PendingUntagged(7, 1)], set(), {"sdxl"}),
        ([XL, PendingTagged(7, 1), PendingUntagged(7, 1), PendingTagged(7, 1)], set(), set()),
        ([XL, PendingTagged(7, 1, "header"), TagDeleted(1)], set(), {"sdxl"}),
        ([XL, PendingUntagged(7, 1), TagRenamed(1, "XL")], set(), {"sdxl", "xl"}),
        ([XL, PendingUntagged(7, 1), PendingImported(7, "a1", "imported")], {"sdxl"}, set()),
        ([XL, PendingUntagged(7, 1), PendingImported(7, "a1", "merged")], {"sdxl"}, set()),
        ([XL, PendingUntagged(7, 1), PendingImported(7, "a1", "overridden")], {"sdxl"}, set()),
        ([XL, PendingUntagged(7, 1), PendingImported(7, "a1", "deleted")], set(), set()),
        ([XL, PendingUntagged(7, 1), PendingImported(7, "a1", "ignored")], set(), {"sdxl"}),
        # a model that carries it has it from somebody
        ([XL, ModelTagged("a1", 1), PendingUntagged(7, 1), PendingImported(7, "a1", "merged")], set(), set()),
    ],
)
def test_what_was_taken_off_a_pending_model(replay, history: list[Event], model: set[str], pending: set[str]) -> None:
    """What a person took off a pending model is taken off the model it becomes, where that does not carry it."""
    db = replay(history)

    assert (taken_off_model(db, "a1"), taken_off_pending(db, 7)) == (model, pending)


def test_what_a_header_tells_no_more() -> None:
    """A tag that goes by what files say, in the streams of sidecars, nobody took off; it may be told again."""
    log = EventLog(":memory:", durable=False)
    views = Views(":memory:", log)
    both = header("SDXL", "Pony")
    told = [New("sidecars/model/a1", ModelHeaderRead("a1", both)), New("pending/7", PendingHeaderRead(7, both))]
    put = [New("sidecars/model/a1", ModelTagged("a1", 1, "header"))]
    gone = [New("sidecars/model/a1", OFF), New("sidecars/pending/7", PendingUntagged(7, 1))]
    log.begin()
    log.append([New("tag/1", XL), *told, *put, *gone], actor="daemon", action=bytes(16))
    log.commit()
    views.catch_up()

    db = views.db
    assert tags.of_model(db, "a1") == {}
    assert (taken_off_model(db, "a1"), taken_off_pending(db, 7)) == (set(), set())
    assert (told_by_header(db, "a1"), told_by_header(db, 7)) == ({"pony"}, {"pony"})


TAGS, OWNERS, ORIGINS = st.integers(1, 3), st.sampled_from(["a1", "b2"]), st.sampled_from(["user", "header"])
NAMES = st.sampled_from(["SDXL", "sdxl", "Pony", "XL"])
EVENTS = st.one_of(
    st.builds(TagCreated, TAGS, NAMES),
    st.builds(TagRenamed, TAGS, NAMES),
    st.builds(TagsMerged, TAGS, TAGS),
    st.builds(TagDeleted, TAGS),
    st.builds(ModelTagged, OWNERS, TAGS, ORIGINS),
    st.builds(ModelUntagged, OWNERS, TAGS),
    st.builds(PendingTagged, st.just(7), TAGS, ORIGINS),
    st.builds(PendingUntagged, st.just(7), TAGS),
    st.builds(PendingHeaderRead, st.just(7), NAMES.map(header)),
    st.builds(PendingImported, st.just(7), OWNERS, st.sampled_from(["imported", "merged", "deleted", "ignored"])),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(EVENTS, max_size=25))
def test_one_by_one_or_all_at_once(history: list[Event]) -> None:
    """Rows that were worked out event by event are those of a rebuild; and what is carried is never taken off."""
    log = EventLog(":memory:", durable=False)
    views = Views(":memory:", log)
    for event in history:
        log.begin()
        log.append([New(stream_of(event), event)], actor="x", action=bytes(16))
        log.commit()
        views.catch_up()

    db = views.db
    assert dump(db) == dump(Views(":memory:", log).db)
    carried = {tags.tag_key(name) for name in tags.of_model(db, "a1").values()}
    assert taken_off_model(db, "a1") & carried == set()
