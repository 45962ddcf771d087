"""An export writes beside the models what the library knows, names what it could not write, and goes on."""

import asyncio
import json
import os
import stat
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from hikaze.daemon.edits import edit_model
from hikaze.daemon.export.beside import Told
from hikaze.daemon.export.run import Exporter, NoSuchModel, Report, UnderWay, Wish
from hikaze.daemon.shapes import ModelPatch, PromptsPatch
from PIL import Image

from .home import Home, home
from .library import put_model
from .test_importer import sha_of

PATCH = ModelPatch(
    description="mine",
    tags=["anime", "flat"],
    trigger_words=["w, x"],
    prompts=PromptsPatch(positive="p", negative="n"),
    favorite=True,
)


def run(top: Path, play: Callable[[Home, Exporter], Awaitable[None]], count: int = 1, **how: Any) -> None:
    """Let something happen in a library at work, with some models about which something is known."""

    async def go() -> None:
        async with home(top) as at:
            for seed in range(1, count + 1):
                await at.bring_in(await at.see(put_model(at.drop / f"m{seed}.safetensors", seed)))
                await at.library.write(lambda db, seed=seed: edit_model(db, sha_of(seed), PATCH, None), actor="page")
            await play(at, Exporter(at.library, at.store, how.pop("answers", lambda _path: True), **how))

    asyncio.run(go())


def beside(at: Home) -> list[str]:
    """Give what lies in the model root, but for the models."""
    return sorted(name for name in os.listdir(at.loras) if not name.endswith(".safetensors"))


def outcome(report: Report) -> tuple[int, int, int, int]:
    """Give the counts of a report."""
    return report.written, report.unchanged, report.pictures, report.not_written


def test_what_is_known_lies_beside_the_model(tmp_path: Path) -> None:
    """Texts, tags and words are there for all who may read the model; to export again changes nothing."""

    async def play(at: Home, exporter: Exporter) -> None:
        (at.loras / "m1.safetensors").chmod(0o640)
        report = await exporter.run(Wish("lora-manager", (sha_of(1),)))

        file = at.loras / "m1.metadata.json"
        said = json.loads(file.read_bytes())
        assert (outcome(report), report.paths) == ((1, 0, 0, 0), [str(file)])
        assert (said["notes"], said["tags"], said["trainedWords"]) == ("mine", ["anime", "flat"], ["w, x"])
        assert (said["favorite"], said["sha256"], said["hikaze"]["says"]["prompts"]) == (
            True,
            sha_of(1),
            {"positive": "p", "negative": "n"},
        )
        assert stat.S_IMODE(file.stat().st_mode) == 0o640
        before = file.read_bytes()
        assert outcome(await exporter.run(Wish("lora-manager", replace=True))) == (0, 1, 0, 0)
        assert (file.read_bytes(), beside(at)) == (before, ["m1.metadata.json"])

    run(tmp_path, play)


def test_a_library_without_its_word_writes_nothing(tmp_path: Path) -> None:
    """Nobody asked: nothing of ours lies in a model folder; a dry run tells and writes nothing either."""

    async def play(at: Home, exporter: Exporter) -> None:
        assert beside(at) == []
        report = await exporter.run(Wish("a1111", dry_run=True, pictures=True))
        assert (report.written, report.paths) == (1, [str(at.loras / "m1.json")])
        assert beside(at) == []

    run(tmp_path, play)


def test_what_lies_there_stays_unless_asked(tmp_path: Path) -> None:
    """Another's file is named and left alone; with `replace` it is kept, and what it alone says comes along."""

    async def play(at: Home, exporter: Exporter) -> None:
        file = at.loras / "m1.metadata.json"
        file.write_text('{"notes": "theirs", "hers": 1}')
        report = await exporter.run(Wish("lora-manager"))
        assert outcome(report) == (0, 0, 0, 1)
        assert (report.skipped[0].path, "replace" in report.skipped[0].why) == (str(file), True)
        assert file.read_text() == '{"notes": "theirs", "hers": 1}'

        assert outcome(await exporter.run(Wish("lora-manager", replace=True))) == (1, 0, 0, 0)
        assert beside(at) == ["m1.metadata.json", "m1.metadata.json.bak-1"]
        assert json.loads(file.read_bytes())["hers"] == 1
        assert (at.loras / "m1.metadata.json.bak-1").read_text() == '{"notes": "theirs", "hers": 1}'

    run(tmp_path, play)


def test_the_cover_comes_along(tmp_path: Path) -> None:
    """It is written where no preview lies, in whatever program's naming, and never onto one."""

    async def play(at: Home, exporter: Exporter) -> None:
        for seed in (1, 2, 3):
            token = at.store.new_token()
            Image.new("RGB", (20, 30), "red").save(at.store.incoming(token), "PNG")
            await at.gallery.add(sha_of(seed), token, actor="page")
        (at.loras / "m2.PNG").write_bytes(b"theirs")
        (at.loras / "m3.preview.mp4").write_bytes(b"theirs")

        report = await exporter.run(Wish("text", pictures=True))
        assert outcome(report) == (3, 0, 1, 0)
        assert beside(at) == ["m1.md", "m1.preview.webp", "m2.PNG", "m2.md", "m3.md", "m3.preview.mp4"]
        with Image.open(at.loras / "m1.preview.webp") as picture:
            assert (picture.format, picture.size) == ("WEBP", (20, 30))
        assert outcome(await exporter.run(Wish("text", pictures=True))) == (0, 3, 0, 0)

    run(tmp_path, play, count=3)


def test_every_file_of_a_model_gets_its_own(tmp_path: Path) -> None:
    """A model that lies at several paths is written of at each; a name may be any bytes."""

    async def play(at: Home, exporter: Exporter) -> None:
        odd = os.fsencode(at.loras) + b"/sub/odd\xff.safetensors"
        os.mkdir(os.path.dirname(odd))
        os.link(os.fsencode(at.loras / "m1.safetensors"), odd)
        await at.observer.scan()
        await at.until(lambda: len(at.states(sha_of(1))) == 2)

        assert outcome(await exporter.run(Wish("lora-manager"))) == (2, 0, 0, 0)
        assert sorted(os.listdir(os.path.dirname(odd))) == [b"odd\xff.metadata.json", b"odd\xff.safetensors"]
        assert json.loads((at.loras / "m1.metadata.json").read_bytes())["file_name"] == "m1"
        with open(os.path.dirname(odd) + b"/odd\xff.metadata.json", "rb") as file:
            assert json.load(file)["file_name"] == "odd\ufffd"
        assert outcome(await exporter.run(Wish("lora-manager"))) == (0, 2, 0, 0)

    run(tmp_path, play)


def test_two_models_of_one_name_share_no_file(tmp_path: Path) -> None:
    """`foo.md` would tell of `foo.safetensors` and `foo.ckpt`: it is written for neither."""

    async def play(at: Home, exporter: Exporter) -> None:
        (at.loras / "m1.ckpt").write_bytes(b"another")
        report = await exporter.run(Wish("text"))
        assert outcome(report) == (1, 0, 0, 1)
        assert "m1.ckpt lies there, too" in report.skipped[0].why
        assert beside(at) == ["m1.ckpt", "m2.md"]

    run(tmp_path, play, count=2)


def test_a_model_that_is_not_here(tmp_path: Path) -> None:
    """It is named with its state; one that nobody knows of is an error before anything is written."""

    async def play(at: Home, exporter: Exporter) -> None:
        (at.loras / "m1.safetensors").unlink()
        await at.observer.scan()
        await at.until(lambda: all(at.states(sha_of(1)).values()))
        report = await exporter.run(Wish("text"))
        assert outcome(report) == (1, 0, 0, 1)
        assert "missing" in report.skipped[0].why
        with pytest.raises(NoSuchModel):
            await exporter.run(Wish("a1111", (sha_of(2), "0" * 64)))
        assert beside(at) == ["m2.md"]

    run(tmp_path, play, count=2)


def test_a_file_that_just_went_away(tmp_path: Path) -> None:
    """Where the model's file is gone before anybody noticed nothing is written beside its empty place."""

    async def play(at: Home, exporter: Exporter) -> None:
        at.hints.deliver = lambda _hint: None
        (at.loras / "m1.safetensors").rename(tmp_path / "elsewhere")
        report = await exporter.run(Wish("text"))
        assert outcome(report) == (0, 0, 0, 1)
        assert "scan" in report.skipped[0].why

    run(tmp_path, play)


def test_what_cannot_be_written_holds_nobody_up(tmp_path: Path) -> None:
    """It is named with the reason, and the others are written."""

    async def play(at: Home, exporter: Exporter) -> None:
        (at.loras / "m1.md").mkdir()
        (at.loras / "m2.md").symlink_to("m1.md")
        report = await exporter.run(Wish("text", replace=True))
        assert outcome(report) == (1, 0, 0, 2)
        assert {Path(each.path).name for each in report.skipped} == {"m1.md", "m2.md"}

    run(tmp_path, play, count=3)


def test_a_disk_that_does_not_answer(tmp_path: Path) -> None:
    """What lies on it is named at once, and nothing of it is touched."""

    async def play(at: Home, exporter: Exporter) -> None:
        report = await exporter.run(Wish("text"))
        assert outcome(report) == (0, 0, 0, 2)
        assert "does not answer" in report.skipped[0].why
        assert beside(at) == []

    run(tmp_path, play, count=2, answers=lambda _path: False)


def test_a_disk_that_hangs(tmp_path: Path) -> None:
    """After the time that one file may take its root is left alone, and the export ends."""
    released, asked = threading.Event(), list[str]()

    def hang(path: str, *_: Any) -> list[Told]:
        asked.append(path)
        released.wait(20)
        return []

    async def play(at: Home, exporter: Exporter) -> None:
        try:
            report = await exporter.run(Wish("text"))
        finally:
            released.set()
        assert beside(at) == []
        assert outcome(report) == (0, 0, 0, 2)
        assert len(asked) == 1

    run(tmp_path, play, count=2, limit_s=0.05, write=hang)


def test_a_cancel_ends_it(tmp_path: Path) -> None:
    """What is written stays whole, the rest is not written, and the next export goes on; one runs at a time."""

    async def play(at: Home, exporter: Exporter) -> None:
        assert not exporter.cancel()
        task = asyncio.create_task(exporter.run(Wish("text")))
        await at.until(lambda: at.library.news.under_way())
        with pytest.raises(UnderWay):
            await exporter.run(Wish("text"))
        assert exporter.cancel()
        report = await task
        assert report.cancelled
        assert report.written < 5
        assert len(beside(at)) == report.written
        assert at.library.news.under_way() == []

        report = await exporter.run(Wish("text"))
        assert report.written + report.unchanged == 5

    run(tmp_path, play, count=5)


def test_the_library_does_not_take_its_own_words_for_news(tmp_path: Path) -> None:
    """A look at everything, and a restart, find nothing new in what it wrote; what somebody changes is read."""

    async def play(at: Home, exporter: Exporter) -> None:
        before = at.library.news.head
        for form in ("lora-manager", "civitai-info", "a1111", "stability-matrix", "swarm", "text"):
            await exporter.run(Wish(form))
        for name in beside(at):
            os.utime(at.loras / name, (1, 1))
        await at.observer.scan()
        file = at.loras / "m1.metadata.json"
        changed = json.loads(file.read_bytes()) | {"notes": "theirs"}
        part = at.loras / ".part"
        part.write_text(json.dumps(changed))
        os.utime(part, (time.time() - 60, time.time() - 60))
        part.rename(file)
        at.observer.look_again([str(at.loras / "m1.safetensors")])
        await at.observer.scan()
        await at.until(lambda: at.library.news.head > before, 20)
        events = await at.library.events(before, 100)
        assert [event["type"] for event in events] == ["model-provided"]
        assert events[0]["data"]["provided"]["notes"] == "theirs"

    run(tmp_path, play)
