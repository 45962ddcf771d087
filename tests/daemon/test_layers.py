"""What people write over what sidecars say."""

from typing import Any

import pytest
from hikaze.daemon.edits import edit_model, edit_pending
from hikaze.daemon.shapes import ModelPatch, PendingPatch, PromptsPatch
from hikaze.daemon.sightings import of_model, of_pending, of_sidecars_of_model, of_sidecars_of_pending
from hikaze.events.catalog import (
    Changes,
    Event,
    File,
    ModelEdited,
    ModelImported,
    ModelProvided,
    PendingEdited,
    PendingFound,
    PendingProvided,
    Prompts,
    Provided,
    Sidecar,
    Texts,
)
from hikaze.events.writer import Decision
from hikaze.projections import models, pending

from .library import Memory

A = "a" * 64
CIVITAI = Sidecar("/m/x.civitai.info", "civitai-info", 10, 5)
SAID = Provided(
    description="theirs", prompts=Prompts("good", "bad"), trigger_words=("w",), links=("https://a",), favorite=True
)


@pytest.fixture
def memory() -> Memory:
    """Give a library with a model and a pending model of which a sidecar tells."""
    memory = Memory()
    history = [
        of_model(A, ModelImported(A, "name", "loras", 10, Texts(community_links="mine"))),
        of_sidecars_of_model(A, ModelProvided(A, CIVITAI, SAID)),
        of_pending(1, PendingFound(1, File("/d/a.pt", 1, 10, 5, 1, 7), "a", "loras", False)),
        of_sidecars_of_pending(1, PendingProvided(1, CIVITAI, SAID)),
    ]
    memory.write(lambda _db: Decision(history))
    return memory


@pytest.mark.parametrize(
    ("patch", "changes"),
    [
        (ModelPatch(), None),
        (ModelPatch(description="mine"), Changes(description="mine")),
        # emptied: nothing is there now, and no sidecar fills it
        (ModelPatch(description=""), Changes(description="")),
        (ModelPatch(trigger_words=[]), Changes(trigger_words=())),
        (ModelPatch(favorite=False), Changes(favorite=False)),
        # the same words, said by a person: from now on theirs
        (ModelPatch(description="theirs"), Changes(description="theirs")),
        (ModelPatch(favorite=True), Changes(favorite=True)),
        # a part of a field leaves the other part as it is seen
        (ModelPatch(prompts=PromptsPatch(positive="better")), Changes(prompts=Prompts("better", "bad"))),
        # theirs already
        (ModelPatch(community_links="mine"), None),
    ],
)
def test_edits_over_what_a_sidecar_says(memory: Memory, patch: ModelPatch, changes: Changes | None) -> None:
    """What a person says of a field is written once, also where it is what a sidecar says, and stays."""
    events: list[Event] = [] if changes is None else [ModelEdited(A, changes)]
    assert memory.write(lambda db: edit_model(db, A, patch, 1)) == events
    assert memory.write(lambda db: edit_model(db, A, patch, None)) == []

    seen = models.get(memory.db, A)
    later = Provided(description="new", prompts=Prompts("new", "new"), trigger_words=("new",), links=("new",))
    memory.write(lambda _db: Decision([of_sidecars_of_model(A, ModelProvided(A, CIVITAI, later))]))
    now = models.get(memory.db, A)
    assert seen is not None
    assert now is not None
    for field in models.given_in(changes) if changes else ():
        assert read(now, field) == read(seen, field)


def read(model: models.Model, field: str) -> Any:
    """Give what people see of a field."""
    return model.favorite if field == "favorite" else getattr(model.texts, field)


def test_edits_of_a_pending_model(memory: Memory) -> None:
    """The same holds for a pending model: its empty description is the person's, the rest is filled."""
    events = memory.write(lambda db: edit_pending(db, 1, PendingPatch(description=""), 1))

    assert events == [PendingEdited(1, Changes(description=""))]
    known = pending.get(memory.db, 1)
    assert known is not None
    assert known.texts == Texts("", "https://a", Prompts("good", "bad"), ("w",))
    assert known.own == Texts()
