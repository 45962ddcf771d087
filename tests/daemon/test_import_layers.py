"""What an import brings along of sidecars and of earlier libraries, and what it leaves to people."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from hikaze.daemon.content.study import RULES
from hikaze.daemon.edits import edit_model, edit_pending
from hikaze.daemon.ingest import STEPS, Step, plan
from hikaze.daemon.learning import learnt_of_model, learnt_of_pending
from hikaze.daemon.shapes import ModelPatch, PendingPatch, PromptsPatch
from hikaze.daemon.sightings import lose, of_pending, of_sidecars_of_model, of_sidecars_of_pending
from hikaze.daemon.tagging import Tagger
from hikaze.daemon.uniting import united
from hikaze.daemon.watch import Hint
from hikaze.events.catalog import (
    Event,
    ImageAdded,
    ModelHeaderRead,
    ModelTagged,
    PendingPictured,
    PendingProvided,
    PendingTagged,
    Prompts,
    Provided,
    RowMigrated,
    Sidecar,
    Texts,
)
from hikaze.events.record import New
from hikaze.events.writer import Decision
from hikaze.projections import headers, images, models, pending, tags
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from PIL import Image

from .home import Home, home
from .library import model_bytes, put_model

Play = Callable[[Home], Awaitable[None]]
SHA = hashlib.sha256(model_bytes(1)).hexdigest()
NOTES = Sidecar("/d/a.txt", "text", 10, 5)
CIVITAI = Sidecar("/d/a.civitai.info", "civitai-info", 10, 5)
SAID = Provided(description="theirs", trigger_words=("w",), tags=("style",), favorite=True)


def run(top: Path, play: Play, **how: Any) -> None:
    """Let something happen in a library at work."""

    async def go() -> None:
        async with home(top, **how) as at_work:
            await play(at_work)

    asyncio.run(go())


async def write(at: Home, *events: New) -> None:
    """Write events as they are."""
    await at.library.write(lambda _db: Decision(list(events)), actor="daemon")


def told(number: int, sidecar: Sidecar, said: Provided) -> New:
    """Make the event that a sidecar of a pending model was read."""
    return of_sidecars_of_pending(number, PendingProvided(number, sidecar, said))


async def tag(at: Home, owner: int | str, *names: str) -> None:
    """Put tags on a pending model or a model as its sidecars do."""

    def decide(db: Any) -> Decision:
        tagger = Tagger(db)
        numbers = tagger.ids(names)
        events: list[New] = []
        for number in numbers:
            event: Event
            if isinstance(owner, int):
                event = PendingTagged(owner, number, "provider")
                events.append(of_sidecars_of_pending(owner, event))
            else:
                event = ModelTagged(owner, number, "provider")
                events.append(of_sidecars_of_model(owner, event))
        return Decision([*tagger.events, *events])

    await at.library.write(decide, actor="daemon")


async def patch(at: Home, number: int, **fields: Any) -> None:
    """Write to a pending model as a person does."""
    await at.library.write(lambda db: edit_pending(db, number, PendingPatch(**fields), None), actor="page")


def model(at: Home) -> models.Model:
    """Give the model."""
    known = models.get(at.db, SHA)
    assert known is not None
    return known


def tags_of(at: Home) -> dict[str, str]:
    """Give the tags of the model, and where each comes from."""
    origins = tags.origins_of_model(at.db, SHA)
    return {name: origins[number] for number, name in tags.of_model(at.db, SHA).items()}


def test_an_import_brings_what_the_sidecars_said(tmp_path: Path) -> None:
    """Rows and tags come along as the sidecars', words and empty fields as the person's; the version counts no row."""

    async def play(at: Home) -> None:
        number = await at.see(put_model(at.drop / "a.safetensors", 1))
        await write(at, told(number, NOTES, Provided(notes="old")), told(number, CIVITAI, SAID))
        await tag(at, number, "style")
        await patch(at, number, trigger_words=[], tags=["style", "mine"])
        await at.bring_in(number)

        known = model(at)
        assert (known.own, known.given) == (Texts(), {"trigger_words"})
        assert (known.texts, known.favorite) == (Texts("old\n\ntheirs"), True)
        assert known.version == 2  # it was imported, and a person's tag came along
        assert models.provided(at.db, SHA) == [(CIVITAI, SAID), (NOTES, Provided(notes="old"))]
        assert tags_of(at) == {"style": "provider", "mine": "user"}
        assert pending.provided(at.db, number) == []

    run(tmp_path, play)


def test_a_merge_fills_what_people_left_empty(tmp_path: Path) -> None:
    """A person's words fill a field that so far only a sidecar filled; what only a sidecar says replaces none."""

    async def play(at: Home) -> None:
        first = await at.see(put_model(at.drop / "a.safetensors", 1))
        await write(at, told(first, CIVITAI, SAID))
        await at.bring_in(first)
        second = await at.see(put_model(at.drop / "b.safetensors", 1))
        await write(at, told(second, NOTES, Provided(notes="noted", links=("https://b",))))
        await patch(at, second, description="mine")
        await at.bring_in(second, "merge")

        assert model(at).own == Texts("mine")
        assert model(at).texts == Texts("mine", "https://b", trigger_words=("w",))

        third = await at.see(put_model(at.drop / "c.safetensors", 1))
        await write(at, told(third, NOTES, Provided(notes="newer")))
        await at.bring_in(third, "override")
        assert model(at).own == Texts("mine")

    run(tmp_path, play)


def test_tags_of_sidecars_take_none_off_and_do_not_come_back(tmp_path: Path) -> None:
    """Over a model comes no tag that somebody took off it, and an override by sidecars' tags alone takes none off."""

    async def play(at: Home) -> None:
        first = await at.see(put_model(at.drop / "a.safetensors", 1))
        await write(at, told(first, CIVITAI, SAID))
        await tag(at, first, "style")
        await at.bring_in(first)
        await at.library.write(lambda db: edit_model(db, SHA, ModelPatch(tags=["kept"]), None), actor="page")
        second = await at.see(put_model(at.drop / "b.safetensors", 1))
        await write(at, told(second, NOTES, Provided(tags=("style", "ink"))))
        await tag(at, second, "style", "ink")
        await at.bring_in(second, "override")

        assert tags_of(at) == {"kept": "user", "ink": "provider"}

        third = await at.see(put_model(at.drop / "c.safetensors", 1))
        await patch(at, third, tags=["ink"])
        await at.bring_in(third, "override")
        assert tags_of(at) == {"ink": "user"}

    run(tmp_path, play)


def test_content_that_becomes_a_location_brings_them_too(tmp_path: Path) -> None:
    """A pending model that turns out to be a model's content leaves that model what its sidecars said."""

    async def play(at: Home) -> None:
        await at.bring_in(await at.see(put_model(at.drop / "a.safetensors", 1)))
        (at.loras / "a.safetensors").unlink()
        await at.library.write(lambda db: lose(db, [str(at.loras / "a.safetensors")]), actor="daemon")
        dropped = put_model(at.drop / "b.safetensors", 1)
        number = await at.see(dropped)
        await write(at, told(number, CIVITAI, SAID))
        await tag(at, number, "style")
        await at.until(lambda: (known := pending.get(at.db, number)) and known.sha256)
        dropped.rename(at.loras / "b.safetensors")
        at.hints.deliver(Hint("arrived", str(at.loras / "b.safetensors")))
        await at.until(lambda: pending.get(at.db, number) is None)

        assert models.provided(at.db, SHA) == [(CIVITAI, SAID)]
        assert tags_of(at) == {"style": "provider"}

    run(tmp_path, play)


# What the file says of itself

TOLD = {"rules": 1, "told": {"tags": ["SDXL", "style"]}}


async def read(at: Home, number: int, header: dict[str, Any]) -> None:
    """Have the header of a pending model's file tell something."""

    def decide(db: Any) -> Decision:
        tagger = Tagger(db)
        learnt = learnt_of_pending(db, tagger, number, header)
        return Decision([*tagger.events, *(of_sidecars_of_pending(number, event) for event in learnt)])

    await at.library.write(decide, actor="daemon")


def learn(at: Home, header: dict[str, Any]) -> list[Event]:
    """Give what would follow if the header of the model's file told something now."""
    return learnt_of_model(at.db, Tagger(at.db), SHA, header)


BETTER = {"rules": 1_000_000, "told": {"tags": ["SDXL", "style", "new"]}}


def test_an_import_brings_what_the_header_told(tmp_path: Path) -> None:
    """Its tags come along as the header's, but for those that somebody took off, now and whenever it is read again."""

    async def play(at: Home) -> None:
        number = await at.see(put_model(at.drop / "a.safetensors", 1))
        await read(at, number, TOLD | {"rules": 999_999})
        await patch(at, number, tags=["style", "mine"])
        await at.bring_in(number)

        assert tags_of(at) == {"style": "header", "mine": "user"}
        assert [event.tag for event in learn(at, BETTER) if isinstance(event, ModelTagged)] == [tag_named(at, "new")]

    run(tmp_path, play)


def tag_named(at: Home, name: str) -> int:
    """Give the id that a tag has, or would get."""
    found = tags.find(at.db, name)
    return tags.last_number(at.db) + 1 if found is None else found[0]


def test_a_merge_brings_what_the_header_told(tmp_path: Path) -> None:
    """It comes to a model that nobody had read, unless somebody took it off the one or the other."""

    async def play(at: Home) -> None:
        await at.bring_in(await at.see(put_model(at.drop / "a.safetensors", 1)))
        await tag(at, SHA, "style")
        await at.library.write(lambda db: edit_model(db, SHA, ModelPatch(tags=["kept"]), None), actor="page")
        second = await at.see(put_model(at.drop / "b.safetensors", 1))
        await read(at, second, {"rules": 999_999, "told": {"tags": ["SDXL", "style", "off"]}})
        await patch(at, second, tags=["SDXL", "style"])
        await at.bring_in(second, "merge")

        assert tags_of(at) == {"kept": "user", "SDXL": "header"}
        better = {"rules": 1_000_000, "told": {"tags": ["SDXL", "style", "off"]}}
        assert [event for event in learn(at, better) if isinstance(event, ModelTagged)] == []

    run(tmp_path, play)


def test_an_override_leaves_what_the_header_tells(tmp_path: Path) -> None:
    """It is that of both: only what somebody took off the pending model goes."""

    def planned(header: dict[str, Any]) -> Step:
        async def plan_(tools: Any, job: Any) -> None:
            await plan(tools, job)
            job.plan = replace(job.planned, header=header)

        return plan_

    async def play(at: Home) -> None:
        first = await at.see(put_model(at.drop / "a.safetensors", 1))
        await read(at, first, TOLD | {"rules": 999_999})
        await at.bring_in(first)
        assert tags_of(at) == {"SDXL": "header", "style": "header"}
        second = await at.see(put_model(at.drop / "b.safetensors", 1))
        await patch(at, second, tags=["mine"])
        await at.bring_in(second, "override")
        assert tags_of(at) == {"SDXL": "header", "style": "header", "mine": "user"}
        third = await at.see(put_model(at.drop / "c.safetensors", 1))
        await read(at, third, TOLD | {"rules": 999_999})
        await patch(at, third, tags=["style", "other"])
        await at.bring_in(third, "override")
        assert tags_of(at) == {"style": "header", "other": "user"}

    steps = [planned(TOLD) if step is plan else step for step in STEPS]
    run(tmp_path, play, steps=steps)


def test_a_model_of_which_nobody_knew_what_it_says(tmp_path: Path) -> None:
    """A merge tells it: what the file says of itself is the same for both."""

    async def play(at: Home) -> None:
        await at.bring_in(await at.see(put_model(at.drop / "a.safetensors", 1)))
        await write(at, of_sidecars_of_model(SHA, ModelHeaderRead(SHA, {})))
        assert headers.rules_of_model(at.db, SHA) == 0
        await at.bring_in(await at.see(put_model(at.drop / "b.safetensors", 1)), "merge")

        assert headers.rules_of_model(at.db, SHA) == RULES

    run(tmp_path, play)


ROW = RowMigrated("op", "d", "v1", "models", "12", "new")


def test_a_merge_of_an_earlier_librarys_model_loses_nothing(tmp_path: Path) -> None:
    """What differs is appended with its source named, what is there already is not said twice, words are united."""

    async def play(at: Home) -> None:
        first = await at.see(put_model(at.drop / "a.safetensors", 1))
        await patch(at, first, description="mine\nand more", trigger_words=["a"], prompts=PromptsPatch(positive="p"))
        await at.bring_in(first)
        second = await at.see(put_model(at.drop / "b.safetensors", 1))
        await write(at, New("migration/op", RowMigrated("op", "d", "v1", "models", "12", "new", pending=second)))
        await patch(
            at,
            second,
            description="and more",
            community_links="https://b",
            trigger_words=["b", "a"],
            prompts=PromptsPatch(positive="q", negative="n"),
        )
        await at.bring_in(second, "merge")

        assert model(at).own == Texts(
            "mine\nand more", "https://b", Prompts("p\n\nFrom Hikaze 1, models 12:\nq", "n"), ("a", "b")
        )

    run(tmp_path, play)


@pytest.mark.parametrize(
    ("strategy", "is_legacy", "pictures"),
    [("merge", True, [0]), ("merge", False, [0, 1]), ("override", True, [0, 1])],
)
def test_one_picture_of_both(tmp_path: Path, strategy: Any, is_legacy: bool, pictures: list[int]) -> None:
    """A picture that an earlier library had of both, by its file's hash, is not merged into the model once more."""

    async def play(at: Home) -> None:
        await at.bring_in(await at.see(put_model(at.drop / "a.safetensors", 1)))
        await write(at, New(f"model/{SHA}", ImageAdded(SHA, 0, "PNG", 32, 32, original="ff")))
        number = await at.see(put_model(at.drop / "b.safetensors", 1))
        Path(at.store.pending_folder).mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (32, 32), "red").save(at.store.pending_path(number, ".png"))
        await write(at, of_pending(number, PendingPictured(number, ".png", "person", 32, 32, original="ff")))
        if is_legacy:
            await write(at, New("migration/op", RowMigrated("op", "d", "v1", "models", "12", "new", pending=number)))
        await at.bring_in(number, strategy)

        assert images.sequences(at.db, SHA) == pictures
        assert all(images.has_original(at.db, SHA, "ff") for _ in pictures)

    run(tmp_path, play)


TEXT = st.sampled_from(["", " ", "a", "b", "a\nb"])
TEXTS = st.builds(
    Texts, TEXT, TEXT, st.builds(Prompts, TEXT, TEXT), st.lists(st.sampled_from("xyz"), max_size=3).map(tuple)
)


@given(TEXTS, TEXTS)
def test_united_texts_hold_both_and_are_united_once(first: Texts, second: Texts) -> None:
    """All that either says is said, and saying it again changes nothing."""
    both = united(first, second, "L")

    assert first.description.strip() in both.description
    assert second.description.strip() in both.description
    assert second.prompts.negative.strip() in both.prompts.negative
    assert {*first.trigger_words, *second.trigger_words} == set(both.trigger_words)
    assert united(both, second, "L") == both
