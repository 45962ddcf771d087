"""Edits of several models at once."""

from typing import Any

import msgspec
import pytest
from hikaze.daemon.bulk import edit_models
from hikaze.daemon.edits import Refused, edit_model
from hikaze.daemon.learning import learnt_of_model
from hikaze.daemon.shapes import ModelPatch, ModelsPatch
from hikaze.daemon.sightings import of_model, of_sidecars_of_model
from hikaze.daemon.tagging import BadTag, Tagger
from hikaze.events.catalog import (
    Changes,
    Event,
    ModelEdited,
    ModelImported,
    ModelProvided,
    ModelTagged,
    ModelUntagged,
    Provided,
    Sidecar,
    TagCreated,
)
from hikaze.events.writer import Decision
from hikaze.projections import models, tags
from hypothesis import given
from hypothesis import strategies as st

from .library import Memory

A, B, C, NOBODY = "a" * 64, "b" * 64, "c" * 64, "0" * 64


def library() -> Memory:
    """Give three models: one tagged Anime, one a favourite, one that a sidecar calls a favourite."""
    memory = Memory()
    memory.write(
        lambda _db: Decision([of_model(each, ModelImported(each, each[:1], "loras", 10)) for each in (A, B, C)])
    )
    memory.write(lambda db: edit_model(db, A, ModelPatch(tags=["Anime"]), None))
    memory.write(lambda db: edit_model(db, B, ModelPatch(favorite=True), None))
    says = ModelProvided(C, Sidecar("/m/c.json", "lora-manager", 1, 1), Provided(favorite=True))
    memory.write(lambda _db: Decision([of_sidecars_of_model(C, says)]))
    return memory


@pytest.mark.parametrize(
    ("patch", "events", "counts"),
    [
        (
            ModelsPatch([C, A, C, B], add_tags=["ANIME"]),
            [ModelTagged(C, 1), ModelTagged(B, 1)],
            {"changed": 2, "unchanged": 1, "unknown": []},
        ),
        (
            ModelsPatch([A, NOBODY, B], add_tags=["New", "NEW "], remove_tags=["anime", "never seen"]),
            [TagCreated(2, "New"), ModelUntagged(A, 1), ModelTagged(A, 2), ModelTagged(B, 2)],
            {"changed": 2, "unchanged": 0, "unknown": [NOBODY]},
        ),
        (
            ModelsPatch([A, B, C], type="unet", favorite=True),
            [
                ModelEdited(A, Changes(type="diffusion_models", favorite=True)),
                ModelEdited(B, Changes(type="diffusion_models")),
                ModelEdited(C, Changes(type="diffusion_models", favorite=True)),
            ],
            {"changed": 3, "unchanged": 0, "unknown": []},
        ),
        (ModelsPatch([NOBODY], add_tags=["New"]), [], {"changed": 0, "unchanged": 0, "unknown": [NOBODY]}),
        (ModelsPatch([A], type="lora", favorite=False), [], {"changed": 0, "unchanged": 1, "unknown": []}),
    ],
)
def test_several_models(patch: ModelsPatch, events: list[Event], counts: dict[str, Any]) -> None:
    """What differs is written, once; what is no model is named, and makes no tag."""
    memory = library()

    assert memory.write(lambda db: edit_models(db, patch)) == events
    assert memory.value == counts
    assert memory.write(lambda db: edit_models(db, patch)) == []


@pytest.mark.parametrize(
    ("patch", "error"),
    [
        (ModelsPatch([A], add_tags=["x", "Anime"], remove_tags=["anime"]), BadTag),
        (ModelsPatch([A, NOBODY], add_tags=["x"], remove_tags=[" "]), BadTag),
        (ModelsPatch([NOBODY], add_tags=["\x00"]), BadTag),
        (ModelsPatch([A], add_tags=["x"], type="no such"), Refused),
        (ModelsPatch([f"{n:064x}" for n in range(1_001)], add_tags=[str(n) for n in range(100)]), Refused),
    ],
)
def test_what_cannot_be_is_refused_as_a_whole(patch: ModelsPatch, error: type[Exception]) -> None:
    """One bad value, or more than one transaction should hold, and nothing is done."""
    with pytest.raises(error):
        library().write(lambda db: edit_models(db, patch))


@pytest.mark.parametrize("body", [{"models": [A]}, {"models": [], "type": "vae"}, {"models": ["A"], "type": "vae"}])
def test_bodies_that_are_not_taken(body: dict[str, Any]) -> None:
    """Nothing to change, no models, or what cannot be a hash is refused before anything is looked at."""
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(body, ModelsPatch)


def test_a_tag_of_the_header_stays_off() -> None:
    """What a person takes off several models, the header of none puts on again."""
    memory = library()

    def learn(rules: int) -> None:
        def decide(db: Any) -> Decision:
            tagger = Tagger(db)
            learnt = learnt_of_model(db, tagger, A, {"told": {"tags": ["SDXL 1.0"]}, "rules": rules})
            return Decision([*tagger.events, *(of_sidecars_of_model(A, event) for event in learnt)])

        memory.write(decide)

    learn(1)
    assert "SDXL 1.0" in tags.of_model(memory.db, A).values()

    memory.write(lambda db: edit_models(db, ModelsPatch([A, B], remove_tags=["sdxl 1.0"])))
    learn(2)
    assert list(tags.of_model(memory.db, A).values()) == ["Anime"]


def test_if_match_sees_it() -> None:
    """An edit of several raises the version of each that it changes, as an edit of one does."""
    memory = library()
    before = {each: models.get(memory.db, each) for each in (A, B)}
    memory.write(lambda db: edit_models(db, ModelsPatch([A, B], add_tags=["anime", "new"])))

    now = {each: models.get(memory.db, each) for each in (A, B)}
    assert [now[each].version - before[each].version for each in (A, B)] == [1, 2]  # type: ignore[union-attr]


NAMES = st.lists(st.sampled_from(["anime", "Anime", "two", "three"]), max_size=2)


@given(
    st.lists(st.sampled_from([A, B, C]), min_size=1, max_size=4),
    NAMES,
    NAMES,
    st.sampled_from([msgspec.UNSET, "vae", "loras"]),
    st.sampled_from([msgspec.UNSET, True, False]),
)
def test_several_are_as_one_by_one(
    wanted: list[str], add: list[str], remove: list[str], type_: Any, favorite: Any
) -> None:
    """The library is the same whether models are edited at once or one after the other."""
    remove = [name for name in remove if name.casefold() not in {each.casefold() for each in add}]
    fields = {"add_tags": add, "remove_tags": remove, "type": type_, "favorite": favorite}
    at_once, one_by_one = library(), library()
    at_once.write(lambda db: edit_models(db, ModelsPatch(wanted, **fields)))
    for each in dict.fromkeys(wanted):
        one_by_one.write(lambda db, each=each: edit_model(db, each, ModelPatch(**fields), None))

    for each in (A, B, C):
        assert models.get(at_once.db, each) == models.get(one_by_one.db, each)
        assert tags.of_model(at_once.db, each) == tags.of_model(one_by_one.db, each)
