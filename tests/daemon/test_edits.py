"""What people change by hand."""

from typing import Any

import msgspec
import pytest
from hikaze.daemon.edits import NotFound, Refused, Stale, dismiss, edit_model, edit_pending
from hikaze.daemon.shapes import ModelPatch, PendingPatch, PromptsPatch
from hikaze.daemon.sightings import of_model, of_pending
from hikaze.daemon.tagging import BadTag
from hikaze.events.catalog import (
    Changes,
    CoverChosen,
    Event,
    File,
    FileTrashed,
    ImageAdded,
    ModelEdited,
    ModelImported,
    ModelTagged,
    ModelUntagged,
    PendingDismissed,
    PendingEdited,
    PendingFound,
    PendingTagged,
    PendingUntagged,
    Prompts,
    TagCreated,
    Texts,
)
from hikaze.events.writer import Decision

from .library import Memory

A = "a" * 64


@pytest.fixture
def memory() -> Memory:
    """Give a library with one model, which has two pictures, and one pending model."""
    texts = Texts(description="old", prompts=Prompts("good", "bad"))
    memory = Memory()
    history = [
        of_model(A, ModelImported(A, "name", "loras", 10, texts)),
        of_model(A, ImageAdded(A, 0, "PNG", 1, 1)),
        of_model(A, ImageAdded(A, 1, "PNG", 1, 1)),
        of_pending(1, PendingFound(1, File("/d/a.pt", 1, 10, 5, 1, 7), "a", "loras", False)),
    ]
    memory.write(lambda _db: Decision(history))
    return memory


@pytest.mark.parametrize(
    ("patch", "events"),
    [
        (ModelPatch(), []),
        (ModelPatch(name="name", type="lora", description="old", favorite=False, cover=0, tags=[]), []),
        (ModelPatch(prompts=PromptsPatch(positive="good")), []),
        (ModelPatch(name=" New "), [ModelEdited(A, Changes(name="New"))]),
        (ModelPatch(type="unet"), [ModelEdited(A, Changes(type="diffusion_models"))]),
        (ModelPatch(prompts=PromptsPatch(negative="")), [ModelEdited(A, Changes(prompts=Prompts("good", "")))]),
        (ModelPatch(trigger_words=["x", " x ", " ", "y"]), [ModelEdited(A, Changes(trigger_words=("x", "y")))]),
        (ModelPatch(favorite=True), [ModelEdited(A, Changes(favorite=True))]),
        (ModelPatch(cover=1), [CoverChosen(A, 1)]),
        (
            ModelPatch(tags=["Anime", "ANIME", "Été"]),
            [TagCreated(1, "Anime"), TagCreated(2, "Été"), ModelTagged(A, 1), ModelTagged(A, 2)],
        ),
    ],
)
def test_edits_of_a_model(memory: Memory, patch: ModelPatch, events: list[Event]) -> None:
    """What differs from what is known is written, once."""
    assert memory.write(lambda db: edit_model(db, A, patch, None)) == events
    assert memory.write(lambda db: edit_model(db, A, patch, None)) == []


def test_tags_are_replaced_as_a_whole(memory: Memory) -> None:
    """The list that is given is the one that stands; a name in another case is the tag that there is."""
    memory.write(lambda db: edit_model(db, A, ModelPatch(tags=["One", "Two"]), None))

    events = memory.write(lambda db: edit_model(db, A, ModelPatch(tags=["TWO", "three"]), None))
    assert events == [TagCreated(3, "three"), ModelUntagged(A, 1), ModelTagged(A, 3)]


def test_tags_are_put_on_and_taken_off(memory: Memory) -> None:
    """What is to be put on or taken off is said alone, and tags that somebody else put on meanwhile stay."""
    memory.write(lambda db: edit_model(db, A, ModelPatch(tags=["One", "Two"]), None))

    patch = ModelPatch(add_tags=["TWO", "three"], remove_tags=["one", "never seen"])
    assert memory.write(lambda db: edit_model(db, A, patch, None)) == [
        TagCreated(3, "three"),
        ModelUntagged(A, 1),
        ModelTagged(A, 3),
    ]
    assert memory.write(lambda db: edit_model(db, A, patch, None)) == []
    assert memory.write(lambda db: edit_pending(db, 1, PendingPatch(add_tags=["x"]), None)) == [
        TagCreated(4, "x"),
        PendingTagged(1, 4),
    ]
    assert memory.write(lambda db: edit_pending(db, 1, PendingPatch(remove_tags=["X"]), None)) == [
        PendingUntagged(1, 4)
    ]
    with pytest.raises(BadTag):
        memory.write(lambda db: edit_model(db, A, ModelPatch(add_tags=["x"], remove_tags=["X "]), None))


@pytest.mark.parametrize("kind", [ModelPatch, PendingPatch])
@pytest.mark.parametrize("other", [{"add_tags": ["x"]}, {"remove_tags": []}])
def test_a_list_of_tags_is_whole_or_a_change(kind: type[PendingPatch], other: dict[str, Any]) -> None:
    """The whole list and a change of it exclude each other."""
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"tags": []} | other, kind)


@pytest.mark.parametrize(
    ("patch", "events"),
    [
        (PendingPatch(), []),
        (PendingPatch(description=""), []),
        (PendingPatch(name="a"), [PendingEdited(1, Changes(name="a"))]),
        (PendingPatch(type="loras"), [PendingEdited(1, Changes(type="loras"))]),
        (PendingPatch(description="new"), [PendingEdited(1, Changes(description="new"))]),
        (PendingPatch(prompts=PromptsPatch(positive="p")), [PendingEdited(1, Changes(prompts=Prompts("p", "")))]),
        (PendingPatch(tags=["x"]), [TagCreated(1, "x"), PendingTagged(1, 1)]),
    ],
)
def test_edits_of_a_pending_model(memory: Memory, patch: PendingPatch, events: list[Event]) -> None:
    """What differs is written; so is a guess that somebody confirms, for then it is a guess no more."""
    assert memory.write(lambda db: edit_pending(db, 1, patch, None)) == events
    assert memory.write(lambda db: edit_pending(db, 1, patch, None)) == []


def test_tags_of_a_pending_model_come_off(memory: Memory) -> None:
    """An empty list takes all tags off."""
    memory.write(lambda db: edit_pending(db, 1, PendingPatch(tags=["x"]), None))

    assert memory.write(lambda db: edit_pending(db, 1, PendingPatch(tags=[]), None)) == [PendingUntagged(1, 1)]


def test_an_edit_of_an_older_version_is_refused(memory: Memory) -> None:
    """An edit names the version it was made on, and changes nothing where that is not the newest."""
    memory.write(lambda db: edit_model(db, A, ModelPatch(name="first"), 3))
    with pytest.raises(Stale, match="at version 4, not 3"):
        memory.write(lambda db: edit_model(db, A, ModelPatch(name="second"), 3))
    memory.write(lambda db: edit_pending(db, 1, PendingPatch(name="first"), 1))
    with pytest.raises(Stale, match="at version 2, not 1"):
        memory.write(lambda db: edit_pending(db, 1, PendingPatch(name="second"), 1))

    assert memory.write(lambda db: edit_model(db, A, ModelPatch(name="first"), None)) == []


@pytest.mark.parametrize(
    ("decide", "error", "words"),
    [
        (lambda db: edit_model(db, "b" * 64, ModelPatch(), None), NotFound, "no model bbbbbbbbbbbb"),
        (lambda db: edit_pending(db, 2, PendingPatch(), None), NotFound, "no pending model 2"),
        (lambda db: dismiss(db, 2, None), NotFound, "no pending model 2"),
        (lambda db: edit_model(db, A, ModelPatch(name="  "), None), Refused, "cannot be empty"),
        (lambda db: edit_model(db, A, ModelPatch(type="../x"), None), Refused, "ComfyUI model folder"),
        (lambda db: edit_model(db, A, ModelPatch(cover=2), None), Refused, r"no picture 2; choose one of \[0, 1\]"),
    ],
)
def test_refusals(memory: Memory, decide: Any, error: type[Exception], words: str) -> None:
    """What cannot be is refused with a sentence that says what to do."""
    with pytest.raises(error, match=words):
        memory.write(decide)


def test_dismissals(memory: Memory) -> None:
    """A dismissed file in the trash is told of in the stream of its entry."""
    trashed = FileTrashed("/t/e1", "/d/a.pt", 1, 10, "dismissed", 1)
    decision = dismiss(memory.db, 1, trashed)

    assert [(new.stream, new.event) for new in decision.events] == [
        ("trash/e1", trashed),
        ("pending/1", PendingDismissed(1, "/t/e1")),
    ]
    assert memory.write(lambda db: dismiss(db, 1, None)) == [PendingDismissed(1)]
