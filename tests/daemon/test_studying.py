"""Headers that were read by older rules, or never, are read again in the background."""

import asyncio
import json
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hikaze.daemon.content.study import RULES
from hikaze.daemon.disks import Disks, NoAnswer
from hikaze.daemon.edits import edit_model, edit_pending
from hikaze.daemon.looking import AsKnown
from hikaze.daemon.roots import Root, as_file, every, of_path
from hikaze.daemon.scan import stat_file
from hikaze.daemon.shapes import ModelPatch, PendingPatch
from hikaze.daemon.sightings import of_files, of_model, of_pending, of_sidecars_of_model
from hikaze.daemon.studying import TASK, WHAT, Answer, read_anew
from hikaze.events.catalog import File, LocationClaimed, LocationFound, ModelHeaderRead, ModelImported, PendingFound
from hikaze.events.record import New
from hikaze.events.writer import Decision
from hikaze.projections import headers, pending, tags
from safetensors.numpy import save_file

from .home import Home, home
from .library import Memory

Play = Callable[[Home], Awaitable[None]]
A, B = "a" * 64, "b" * 64


def run(top: Path, play: Play, **how: Any) -> None:
    """Let something happen in a library at work."""

    async def go() -> None:
        async with home(top, **how) as at_work:
            await play(at_work)

    asyncio.run(go())


def put(path: Path, base: str = "sdxl_base_v1-0", words: str = "mychar") -> Path:
    """Write a LoRA with the metadata of its training."""
    trained = json.dumps({"10_mychar": dict.fromkeys(words.split(), 10)})
    tensors = {
        f"lora_unet_a.lora_{side}.weight": np.zeros(shape, np.float16)
        for side, shape in (("down", (4, 8)), ("up", (8, 4)))
    }
    metadata = {"ss_base_model_version": base, "ss_network_module": "networks.lora", "ss_tag_frequency": trained}
    save_file(tensors, path, metadata)
    return path


def file_at(at: Home, path: Path) -> File:
    """Give a file as it is known to lie in its root, whether it lies there or not."""
    root = of_path(every(at.db), str(path))
    assert root is not None
    seen = stat_file(str(path))
    return File(str(path), root.id, 1, 1, 1, 1) if seen is None else as_file(seen, root.id)


async def write(at: Home, *events: New) -> None:
    """Write events as they are."""
    await at.library.write(lambda _db: Decision(list(events)), actor="daemon")


async def tell(
    at: Home, sha256: str, path: Path, header: dict[str, Any] | None = None, *, claimed: bool = False
) -> None:
    """Have a model in the library as an older Hikaze wrote it."""
    file = file_at(at, path)
    born = ModelImported(sha256, path.stem, "loras", file.size, header=header or {}, claimed=claimed)
    lies = LocationClaimed(sha256, file) if claimed else LocationFound(sha256, file)
    await write(at, of_model(sha256, born), of_files(sha256, lies))


def rules_of(at: Home, *models: str) -> list[int]:
    """Give by which rules the headers of models were read."""
    return [headers.rules_of_model(at.db, model) for model in models]


def tags_of(at: Home, sha256: str) -> dict[str, str]:
    """Give the tags of a model, and where each comes from."""
    origins = tags.origins_of_model(at.db, sha256)
    return {name: origins[number] for number, name in tags.of_model(at.db, sha256).items()}


async def again(at: Home) -> None:
    """Have the roots come once more."""
    at.observer.confirm_claims()
    await at.observer.check_roots()


def test_what_an_older_hikaze_wrote(tmp_path: Path) -> None:
    """Models and pending models get what their files say; nobody has edited them, and it is done once."""

    async def play(at: Home) -> None:
        number = 7
        lora, dropped = put(at.loras / "a.safetensors"), put(at.drop / "b.safetensors")
        os.utime(lora, ns=(1, 1))
        await tell(at, A, lora, {"format": "safetensors"})
        found = PendingFound(number, file_at(at, dropped), "b", "loras", in_place=False)
        await write(at, of_pending(number, found))
        await again(at)
        await at.until(lambda: (rules_of(at, A), headers.rules_of_pending(at.db, number)) == ([RULES], RULES))

        assert tags_of(at, A)["SDXL"] == "header"
        assert "SDXL" in tags.of_pending(at.db, number).values()
        known = pending.get(at.db, number)
        assert known is not None
        assert (known.version, known.written) == (1, False)
        await again(at)
        await asyncio.sleep(0.2)
        assert len(await at.events("model-header-read")) == 1
        assert len(await at.events("pending-header-read")) == 1

    run(tmp_path, play)


def test_it_is_done_at_the_start(tmp_path: Path) -> None:
    """A library that was written by an older Hikaze is read when the daemon starts, once its folders are found here."""

    async def before(at: Home) -> None:
        await tell(at, A, put(at.loras / "a.safetensors"))

    async def after(at: Home) -> None:
        await at.until(lambda: rules_of(at, A) == [RULES])

    run(tmp_path, before)
    run(tmp_path, after)


def test_nothing_to_read(tmp_path: Path) -> None:
    """No file is opened where all headers were read by the rules of today."""
    asked: list[str] = []

    class Counting(Disks):
        async def header_of(self, root: Root, wanted: AsKnown, type_: str | None) -> dict[str, Any] | None:
            asked.append(wanted[0])
            return await super().header_of(root, wanted, type_)

    async def play(at: Home) -> None:
        await at.see(put(at.drop / "a.safetensors"))
        await at.bring_in(at.at(at.drop / "a.safetensors"))
        await at.see(put(at.drop / "b.safetensors", words="other"))
        await again(at)
        await asyncio.sleep(0.2)

        assert asked == []
        assert at.library.news.under_way() == []

    run(tmp_path, play, disks=Counting)


def test_better_rules(tmp_path: Path) -> None:
    """When the rules get better all is read again, and what a person took off stays off."""

    async def before(at: Home) -> None:
        number = await at.see(put(at.drop / "a.safetensors"))
        ended = await at.bring_in(number)
        assert ended.sha256 is not None
        assert "SDXL" in tags_of(at, ended.sha256)
        await at.library.write(
            lambda db: edit_model(db, ended.sha256 or "", ModelPatch(tags=["mine"]), None), actor="page"
        )
        other = await at.see(put(at.drop / "b.safetensors", words="other"))
        await at.library.write(lambda db: edit_pending(db, other, PendingPatch(tags=[]), None), actor="page")

    class Better(Disks):
        async def header_of(self, root: Root, wanted: AsKnown, type_: str | None) -> dict[str, Any] | None:
            found = await super().header_of(root, wanted, type_)
            return None if found is None else found | {"rules": RULES + 1, "told": {"tags": ["SDXL", "Pony"]}}

    async def after(at: Home) -> None:
        await at.until(lambda: not headers.count_to_read(at.db, RULES + 1))
        (sha256,) = [row[0] for row in at.db.execute("SELECT sha256 FROM models")]
        assert tags_of(at, sha256) == {"mine": "user", "Pony": "header"}
        number = at.at(at.drop / "b.safetensors")
        assert list(tags.of_pending(at.db, number).values()) == ["Pony"]
        await at.bring_in(number)
        await again(at)
        (other,) = [row[0] for row in at.db.execute("SELECT sha256 FROM models WHERE sha256 <> ?", (sha256,))]
        await at.until(lambda: not headers.count_to_read(at.db, RULES + 1))
        assert tags_of(at, other) == {"Pony": "header"}

    run(tmp_path, before)
    run(tmp_path, after, disks=Better, rules=RULES + 1)


def test_a_claimed_model(tmp_path: Path) -> None:
    """What an earlier library claims need not be hashed for its file to be read."""

    class Slow(Disks):
        async def hash_file(self, *_: Any, **__: Any) -> Any:
            await asyncio.sleep(60)

    async def play(at: Home) -> None:
        await tell(at, A, put(at.loras / "a.safetensors"), claimed=True)
        await again(at)
        await at.until(lambda: rules_of(at, A) == [RULES])

        assert tags_of(at, A)["SDXL"] == "header"

    run(tmp_path, play, disks=Slow)


def test_files_that_are_not_as_they_are_known(tmp_path: Path) -> None:
    """They are left alone, and tried again when their root comes; another file of the model does as well."""
    tried: list[str] = []

    class Counting(Disks):
        async def header_of(self, root: Root, wanted: AsKnown, type_: str | None) -> dict[str, Any] | None:
            tried.append(os.path.basename(wanted[0]))
            return await super().header_of(root, wanted, type_)

    async def play(at: Home) -> None:
        gone, there = at.vae / "gone.safetensors", put(at.loras / "there.safetensors")
        refused = at.vae / "folder.safetensors"
        refused.mkdir()
        await tell(at, A, gone)
        await tell(at, B, refused)
        at.observer.confirm_claims()
        await at.until(lambda: len(tried) == 2)
        await write(at, of_files(A, LocationFound(A, file_at(at, there))))
        at.observer.confirm_claims()
        await at.until(lambda: rules_of(at, A) == [RULES])
        assert tried == ["gone.safetensors", "folder.safetensors", "there.safetensors"]
        os.rename(at.vae, tmp_path / "away")
        await at.observer.check_roots()
        os.rename(tmp_path / "away", at.vae)
        await at.observer.check_roots()
        await at.until(lambda: len(tried) == 4)
        assert (tried[-1], rules_of(at, B)) == ("folder.safetensors", [0])

    run(tmp_path, play, disks=Counting)


def test_a_file_system_that_is_silent(tmp_path: Path) -> None:
    """Nothing more is asked of it until its root is found here again."""
    asked: list[str] = []

    class Silent(Disks):
        is_silent = True

        async def header_of(self, root: Root, wanted: AsKnown, type_: str | None) -> dict[str, Any] | None:
            asked.append(wanted[0])
            if self.is_silent:
                raise NoAnswer
            return await super().header_of(root, wanted, type_)

    async def play(at: Home) -> None:
        await tell(at, A, put(at.loras / "a.safetensors"))
        await tell(at, B, put(at.loras / "b.safetensors", words="other"))
        at.observer.confirm_claims()
        await at.until(lambda: asked)
        assert isinstance(at.disks, Silent)
        at.disks.is_silent = False
        await at.until(lambda: rules_of(at, A, B) == [RULES, RULES])

        assert len(asked) == 3

    run(tmp_path, play, disks=Silent)


def test_status_says_so(tmp_path: Path) -> None:
    """While it works, the status has a line for it, and none afterwards; it waits while imports need the cores."""

    async def play(at: Home) -> None:
        told: list[dict[str, Any]] = []
        progress = at.library.news.progress
        at.library.news.progress = lambda task, **what: (told.append({"task": task, **what}), progress(task, **what))  # type: ignore[method-assign,func-returns-value]
        for number in range(3):
            await tell(at, str(number) * 64, put(at.loras / f"{number}.safetensors", words=f"w{number}"))
        at.busy.hashing = os.cpu_count() or 1
        at.observer.confirm_claims()
        await asyncio.sleep(0.3)
        assert rules_of(at, "0" * 64) == [0]
        at.busy.hashing = 0
        await at.until(lambda: not headers.count_to_read(at.db, RULES))
        await at.until(lambda: not at.library.news.under_way())

        lines = [one for one in told if one["task"] == TASK]
        assert lines
        assert {(one["what"], one["total"]) for one in lines} == {(WHAT, 3)}

    run(tmp_path, play)


# What is decided

FILE = File("/m/a.pt", 1, 10, 5, 1, 7)
HEADER = {"rules": RULES, "told": {"tags": ["SDXL"]}}


def known() -> Memory:
    """Give a library with a model and a pending model that nobody has read."""
    born = ModelImported(A, "a", "loras", 10)
    found = PendingFound(1, File("/m/b.pt", 1, 10, 5, 1, 8), "b", "loras", in_place=True)
    made = Memory()
    events = [of_model(A, born), of_files(A, LocationFound(A, FILE)), of_pending(1, found)]
    made.write(lambda _db: Decision(events))
    return made


def test_both_are_written_at_once() -> None:
    """A model and a pending model share the tag that both tell."""
    library = known()
    answers = [Answer(A, "/m/a.pt", 10, 5, HEADER), Answer(1, "/m/b.pt", 10, 5, HEADER)]
    events = library.write(lambda db: read_anew(db, answers))

    assert [type(event).__name__ for event in events] == [
        "TagCreated",
        "ModelHeaderRead",
        "ModelTagged",
        "PendingHeaderRead",
        "PendingTagged",
    ]
    assert library.write(lambda db: read_anew(db, answers)) == []


@pytest.mark.parametrize(
    "answer",
    [
        Answer(A, "/m/a.pt", 11, 5, HEADER),
        Answer(A, "/m/a.pt", 10, 6, HEADER),
        Answer(B, "/m/a.pt", 10, 5, HEADER),
        Answer(A, "/m/b.pt", 10, 5, HEADER),
        Answer(1, "/m/b.pt", 10, 6, HEADER),
        Answer(2, "/m/b.pt", 10, 5, HEADER),
    ],
)
def test_what_was_read_of_another_file(answer: Answer) -> None:
    """Where the file is known to be another by now, nothing follows from what was read."""
    assert known().write(lambda db: read_anew(db, [answer])) == []


def test_what_is_looked_for() -> None:
    """Pages give whose header is to be read by which files; what cannot be read is passed by."""
    library = known()
    library.write(lambda _db: Decision([of_model(B, ModelImported(B, "b", "loras", 10))]))
    first = headers.models_to_read(library.db, RULES, headers.START, 1)
    second = headers.models_to_read(library.db, RULES, first.next or headers.START, 1)
    third = headers.models_to_read(library.db, RULES, second.next or headers.START, 1)

    assert first.items == []  # its root is not here
    assert (first.next, second.next, third.next) == ((0, 1), (0, 2), None)
    library.write(lambda _db: Decision([of_sidecars_of_model(A, ModelHeaderRead(A, HEADER))]))
    assert headers.models_to_read(library.db, RULES, headers.START, 9).next == (0, 2)
    assert headers.count_to_read(library.db, RULES) == 0
