"""The import, from the wish to the model: its steps, its queue, and what is left when something goes wrong."""

import asyncio
import errno
import hashlib
import os
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hikaze.daemon import ingest, trash
from hikaze.daemon.edits import edit_model, edit_pending
from hikaze.daemon.importer import AlreadyQueued, NoSuchPending, Wish
from hikaze.daemon.ingest import STEPS, Job, Tools
from hikaze.daemon.shapes import ModelPatch, PendingPatch, PromptsPatch
from hikaze.daemon.sightings import lose
from hikaze.events.writer import Unwritable
from hikaze.projections import images, imports, models, pending, tags
from PIL import Image

from .home import HINTS, Home, home
from .library import model_bytes, put_model

Play = Callable[[Home], Awaitable[None]]


def run(top: Path, play: Play, **how: Any) -> None:
    """Let something happen in a library at work."""

    async def go() -> None:
        async with home(top, **how) as at_work:
            await play(at_work)

    asyncio.run(go())


def sha_of(seed: int) -> str:
    """Give the hash of a tiny model's content."""
    return hashlib.sha256(model_bytes(seed)).hexdigest()


def put_picture(path: Path, colour: str = "red") -> None:
    """Write a picture."""
    Image.new("RGB", (32, 32), colour).save(path)


@pytest.fixture
def other_disk() -> Iterator[Path]:
    """Give a folder on another file system; skips where there is none."""
    shm = Path("/dev/shm")  # noqa: S108 - the one other file system that most machines have
    if not shm.is_dir() or shm.stat().st_dev == Path(tempfile.gettempdir()).stat().st_dev:
        pytest.skip("there is no other file system here")
    with tempfile.TemporaryDirectory(dir=shm) as folder:
        yield Path(folder)


def before(name: str, act: Callable[[Tools, Job], Awaitable[None]]) -> list[ingest.Step]:
    """Give the steps with something that happens before one of them."""

    def wrapped(step: ingest.Step) -> ingest.Step:
        async def run_(tools: Tools, job: Job) -> None:
            await act(tools, job)
            await step(tools, job)

        return run_ if step.__name__ == name else step

    return [wrapped(step) for step in STEPS]


def test_a_dropped_file_becomes_a_model(tmp_path: Path) -> None:
    """It lies in the folder of its type, with the picture that lay beside it, and nothing else is left."""

    async def play(at: Home) -> None:
        put_picture(at.drop / "a.png")
        number = await at.see(put_model(at.drop / "a.safetensors", 1))
        await at.library.write(lambda db: edit_pending(db, number, PendingPatch(tags=["x"]), None), actor="page")
        ended = await at.bring_in(number)

        path = str(at.loras / "a.safetensors")
        assert (ended.state, ended.status, ended.sha256, ended.path) == ("completed", "imported", sha_of(1), path)
        assert at.states(sha_of(1)) == {path: False}
        assert images.cover(at.db, sha_of(1)) == 0
        assert list(tags.of_model(at.db, sha_of(1)).values()) == ["x"]
        assert [name.name for name in at.drop.iterdir()] == ["a.png"]
        assert os.listdir(at.store.pending_folder) == os.listdir(at.store.staging) == []
        assert at.busy.paths == set()
        assert ended.position == at.library.news.head

    run(tmp_path, play)


def test_a_taken_name_gets_a_suffix(tmp_path: Path) -> None:
    """Nothing is overwritten, also when the name is taken at the last moment."""

    async def play(at: Home) -> None:
        number = await at.see(put_model(at.drop / "a.safetensors", 1))
        ended = await at.bring_in(number)

        assert ended.path == str(at.loras / "a (2).safetensors")
        assert (at.loras / "a.safetensors").read_bytes() == b"other"
        assert (at.loras / "a (2).safetensors").read_bytes() == model_bytes(1)

    async def take_name(tools: Tools, _job: Job) -> None:
        Path(tools.order("loras")[0], "a.safetensors").write_bytes(b"other")

    for moment in ("plan", "place_file"):
        (top := tmp_path / moment).mkdir()
        run(top, play, steps=before(moment, take_name))


def test_two_of_one_name_at_once(tmp_path: Path) -> None:
    """Two files of one name that are imported at the same time get two names."""

    async def play(at: Home) -> None:
        numbers = [
            await at.see(put_model(at.drop / folder / "a.safetensors", seed)) for seed, folder in enumerate("xy")
        ]
        ends = await asyncio.gather(*(at.bring_in(number) for number in numbers))

        assert [ended.status for ended in ends] == ["imported", "imported"]
        assert sorted(path.name for path in at.loras.iterdir()) == ["a (2).safetensors", "a.safetensors"]

    run(tmp_path, play)


def test_two_of_one_content_at_once(tmp_path: Path) -> None:
    """One of them becomes the model, the other one is a conflict and says whose content it has."""

    async def play(at: Home) -> None:
        numbers = [await at.see(put_model(at.drop / f"{name}.safetensors", 1)) for name in "ab"]
        ends = await asyncio.gather(*(at.bring_in(number) for number in numbers))

        assert sorted(ended.state for ended in ends) == ["completed", "conflict"]
        (left,) = pending.waiting(at.db)
        found = pending.get(at.db, left)
        assert found is not None
        assert found.sha256 == sha_of(1)
        assert Path(found.path).exists()

    run(tmp_path, play)


def test_from_another_disk(tmp_path: Path, other_disk: Path) -> None:
    """The file is copied, and its source is removed once the log knows the copy."""

    async def play(at: Home) -> None:
        number = await at.see(put_model(at.drop / "a.safetensors", 1))
        ended = await at.bring_in(number)

        assert ended.status == "imported"
        assert [path.name for path in at.loras.iterdir()] == ["a.safetensors"]
        assert (at.loras / "a.safetensors").read_bytes() == model_bytes(1)
        assert list(at.drop.iterdir()) == []

    run(tmp_path, play, models_at=other_disk)


OLD = ModelPatch(name="Old", description="old", prompts=PromptsPatch(positive="old"), tags=["one", "two"])
NEW = PendingPatch(
    name="New",
    description="new",
    community_links="new",
    prompts=PromptsPatch(positive="new", negative="new"),
    tags=["two", "three"],
)
MERGED = {"name": "Old", "description": "old", "links": "new", "prompts": ("old", "new"), "tags": "one three two"}
OVERRIDDEN = {"name": "New", "description": "new", "links": "new", "prompts": ("new", "new"), "tags": "three two"}


@pytest.mark.parametrize(
    ("strategy", "patch", "words", "cover"),
    [
        ("merge", NEW, MERGED, 0),
        ("override", NEW, OVERRIDDEN, 1),
        ("override", PendingPatch(description="new"), {"name": "Old", "description": "new", "tags": "one two"}, 1),
        ("merge", PendingPatch(), {"name": "Old", "description": "old", "prompts": ("old", ""), "tags": "one two"}, 0),
    ],
)
def test_what_comes_of_a_conflict(tmp_path: Path, strategy: str, patch: PendingPatch, words: Any, cover: int) -> None:
    """Merge fills what is empty, unites tags and appends the picture; override takes what somebody gave."""

    async def play(at: Home) -> None:
        put_picture(at.drop / "a.png")
        await at.bring_in(await at.see(put_model(at.drop / "a.safetensors", 1)))
        await at.library.write(lambda db: edit_model(db, sha_of(1), OLD, None), actor="page")
        put_picture(at.drop / "b.png", "blue")
        number = await at.see(put_model(at.drop / "b.safetensors", 1))
        await at.library.write(lambda db: edit_pending(db, number, patch, None), actor="page")
        ended = await at.bring_in(number, strategy)

        assert ended.state == "completed"
        model = models.get(at.db, sha_of(1))
        assert model is not None
        is_now = {
            "name": model.name,
            "description": model.texts.description,
            "links": model.texts.community_links,
            "prompts": (model.texts.prompts.positive, model.texts.prompts.negative),
            "tags": " ".join(sorted(tags.of_model(at.db, sha_of(1)).values())),
        }
        assert is_now == is_now | words
        assert images.sequences(at.db, sha_of(1)) == [0, 1]
        assert images.cover(at.db, sha_of(1)) == cover
        (entry,) = trash.entries(str(at.data / "trash"))
        assert Path(entry.file).read_bytes() == model_bytes(1)
        assert at.states(sha_of(1)) == {str(at.loras / "a.safetensors"): False}

    run(tmp_path, play)


@pytest.mark.parametrize(
    ("strategy", "state", "left"),
    [("ignore", "ignored", True), ("delete", "deleted", False), (None, None, True)],
)
def test_known_content_that_brings_nothing(tmp_path: Path, strategy: Any, state: str | None, left: bool) -> None:
    """Ignore and a conflict leave file and record; delete sends the file to the trash and ends the record."""

    async def play(at: Home) -> None:
        await at.bring_in(await at.see(put_model(at.drop / "a.safetensors", 1)))
        path = put_model(at.drop / "b.safetensors", 1)
        ended = await at.bring_in(await at.see(path), strategy)

        assert ended.status == state
        assert path.exists() == bool(at.at(path)) == left

    run(tmp_path, play)


def test_the_last_copy_is_not_deleted(tmp_path: Path) -> None:
    """Delete is refused where the model's file is gone, also if nobody has noticed yet."""

    async def play(at: Home) -> None:
        await at.bring_in(await at.see(put_model(at.drop / "a.safetensors", 1)))
        number = await at.see(put_model(at.drop / "b.safetensors", 1))
        (at.loras / "a.safetensors").unlink()
        ended = await at.bring_in(number, "delete")

        assert ended.state == "failed"
        assert "last copy" in (ended.reason or "")
        assert (at.drop / "b.safetensors").exists()
        assert (await at.bring_in(number, "merge")).path == str(at.loras / "b.safetensors")

    run(tmp_path, play)


@pytest.mark.parametrize("strategy", [None, "merge", "override", "ignore"])
def test_a_strategy_is_for_known_content(tmp_path: Path, strategy: Any) -> None:
    """What is new is imported, whatever is to be done with what is known."""

    async def play(at: Home) -> None:
        ended = await at.bring_in(await at.see(put_model(at.drop / "a.safetensors", 1)), strategy)

        assert ended.status == "imported"

    run(tmp_path, play)


def test_what_is_written_during_an_import_is_kept(tmp_path: Path) -> None:
    """Words and pictures that come while the file is hashed or moved come along."""

    async def write(tools: Tools, job: Job) -> None:
        patch = PendingPatch(description="late", tags=["late"])
        await tools.library.write(lambda db: edit_pending(db, job.pending, patch, None), actor="page")
        if job.picture_at is None:
            token = tools.store.new_token()
            Image.new("RGB", (40, 20)).save(tools.store.incoming(token), "PNG")
            await at_work[0].gallery.give_pending(job.pending, token, actor="page")

    at_work: list[Home] = []

    async def play(at: Home) -> None:
        at_work.append(at)
        ended = await at.bring_in(await at.see(put_model(at.drop / "a.safetensors", 1)))

        assert ended.status == "imported"
        model = models.get(at.db, sha_of(1))
        assert model is not None
        assert model.texts.description == "late"
        assert list(tags.of_model(at.db, sha_of(1)).values()) == ["late"]
        assert images.sequences(at.db, sha_of(1)) == [0]
        assert os.listdir(at.store.pending_folder) == os.listdir(at.store.staging) == []

    run(tmp_path, play, steps=before("complete", write))


@pytest.mark.parametrize("moment", ["plan", "make_pictures", "complete", "tidy"])
def test_a_log_that_cannot_be_written(tmp_path: Path, moment: str) -> None:
    """Whoever waits is told at once; the import goes on when there is room again, and is done once."""
    failures = iter([True, True, False])

    async def fail(_tools: Tools, _job: Job) -> None:
        if next(failures, False):
            raise Unwritable("the disk is full")

    async def play(at: Home) -> None:
        put_picture(at.drop / "a.png")
        number = await at.see(put_model(at.drop / "a.safetensors", 1))
        with pytest.raises(Unwritable):
            await at.bring_in(number)
        await at.until(lambda: not at.importer.under_way()["running"])

        assert at.states(sha_of(1)) == {str(at.loras / "a.safetensors"): False}
        assert images.sequences(at.db, sha_of(1)) == [0]

    run(tmp_path, play, steps=before(moment, fail))


def test_what_follows_an_import_fails(tmp_path: Path) -> None:
    """The disk refuses something after all was written: it is tried again, and nothing is written twice."""
    failures = iter([True, True, False])

    async def complete(tools: Tools, job: Job) -> None:
        await ingest.complete(tools, job)
        if next(failures, False):
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    async def play(at: Home) -> None:
        put_picture(at.drop / "a.png")
        number = await at.see(put_model(at.drop / "a.safetensors", 1))
        with pytest.raises(OSError, match="Input/output"):
            await at.bring_in(number)
        await at.until(lambda: not at.importer.under_way()["running"])

        assert len(await at.events("import-completed", "model-imported", "location-found", "image-added")) == 4
        assert at.states(sha_of(1)) == {str(at.loras / "a.safetensors"): False}
        assert os.listdir(at.store.staging) == []

    run(tmp_path, play, steps=[complete if step is ingest.complete else step for step in STEPS])


@pytest.mark.parametrize("name", ["check", "hash_content", "plan"])
def test_a_disk_that_refuses_before_anything_is_done(tmp_path: Path, name: str) -> None:
    """The import fails and says that it was the disk; it can be asked for again."""
    failures = iter([True])

    async def fail(_tools: Tools, _job: Job) -> None:
        if next(failures, False):
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    async def play(at: Home) -> None:
        number = await at.see(put_model(at.drop / "a.safetensors", 1))
        ended = await at.bring_in(number)

        assert (ended.state, ended.reason) == (
            "failed",
            "the disk refused (Input/output error); see to it and try again",
        )
        assert (await at.bring_in(number)).state == "completed"

    run(tmp_path, play, steps=before(name, fail))


def test_a_file_that_changes_while_it_is_hashed(tmp_path: Path) -> None:
    """The import fails and leaves all as it was; nothing is known by a wrong hash."""

    async def touch(_tools: Tools, job: Job) -> None:
        os.utime(job.file.path, ns=(1, 1))

    async def play(at: Home) -> None:
        ended = await at.bring_in(await at.see(put_model(at.drop / "a.safetensors", 1)))

        assert ended.state == "failed"
        assert "has changed" in (ended.reason or "")
        assert (at.drop / "a.safetensors").exists()
        assert at.db.execute("SELECT count(*) FROM models").get == 0

    run(tmp_path, play, steps=before("hash_content", touch))


def test_what_cannot_be_imported(tmp_path: Path) -> None:
    """A file that is gone, a type that nobody told or that has no folder: each refusal says what to do."""

    async def play(at: Home) -> None:
        unknown = at.drop / "x.pt"
        unknown.write_bytes(b"pickle" * 10)
        number = await at.see(unknown)
        assert "its type is not known" in ((await at.bring_in(number)).reason or "")
        assert "no folder for models of type gligen" in ((await at.bring_in(number, None, "gligen")).reason or "")
        assert (await at.bring_in(number, None, "vae")).path == str(at.vae / "x.pt")

        number = await at.see(put_model(at.drop / "a.safetensors", 1))
        (at.drop / "a.safetensors").unlink()
        assert "its file is gone" in ((await at.bring_in(number)).reason or "")
        with pytest.raises(NoSuchPending):
            await at.bring_in(99)
        with pytest.raises(NoSuchPending):
            await at.importer.many([99], Wish(), **HINTS)

    run(tmp_path, play)


def test_a_pending_model_that_ends_before_the_plan(tmp_path: Path) -> None:
    """What the observer ended while it was hashed is not imported as well: nothing is planned, and the file stays."""

    async def ended_meanwhile(tools: Tools, job: Job) -> None:
        await tools.library.write(lambda db: lose(db, [job.file.path]), actor="watcher")

    async def play(at: Home) -> None:
        path = put_model(at.drop / "a.safetensors", 1)
        ended = await at.bring_in(await at.see(path))

        assert (ended.state, ended.status) == ("failed", None)
        assert "was moved or taken in meanwhile" in (ended.reason or "")
        assert path.exists()
        assert await at.events("import-planned", "model-imported") == []

    run(tmp_path, play, steps=before("plan", ended_meanwhile))


def test_the_queue(tmp_path: Path) -> None:
    """Many are worked off in order, none twice; what waits can be taken back."""

    async def play(at: Home) -> None:
        numbers = [await at.see(put_model(at.drop / f"{n}.safetensors", n)) for n in range(5)]
        assert (await at.importer.many(numbers[:2], Wish(), **HINTS))[0] == 2
        assert (await at.importer.many(None, Wish(), **HINTS))[0] == 3
        with pytest.raises(AlreadyQueued):
            await at.bring_in(numbers[0])
        assert (await at.importer.cancel(actor="page"))[0] == 5
        assert at.importer.under_way()["queued"] == 0
        assert (await at.importer.many(None, Wish(), **HINTS))[0] == 5
        at.importer.start()
        await at.until(lambda: not pending.waiting(at.db))

        planned = [data["pending"] for data in await at.events("import-planned")]
        assert sorted(planned) == numbers
        assert all(abs(planned.index(number) - place) <= 1 for place, number in enumerate(numbers))  # two at a time
        assert at.db.execute("SELECT count(*) FROM models").get == 5

    run(tmp_path, play, works=False)


def test_a_running_import_is_taken_back(tmp_path: Path) -> None:
    """What has touched nothing yet ends as cancelled, what has is finished."""
    reached = asyncio.Event()
    going_on = asyncio.Event()

    async def wait(_tools: Tools, _job: Job) -> None:
        reached.set()
        await going_on.wait()

    async def play(at: Home) -> None:
        number = await at.see(put_model(at.drop / "a.safetensors", 1))
        task = asyncio.create_task(at.bring_in(number))
        await reached.wait()
        assert (await at.importer.cancel(actor="page"))[0] == 1
        going_on.set()

        assert (await task).state == "cancelled"
        assert at.at(at.drop / "a.safetensors") == number

    run(tmp_path, play, steps=before("plan", wait))


@pytest.mark.parametrize("step", [step.__name__ for step in STEPS])
@pytest.mark.parametrize("crosses", [False, True])
def test_an_interrupted_import_is_finished(tmp_path: Path, request: Any, step: str, crosses: bool) -> None:
    """Stopped before any step, with the next start it is done, once, and nothing is left over."""
    models_at = request.getfixturevalue("other_disk") if crosses else None

    async def never(_tools: Tools, _job: Job) -> None:
        reached.set()
        await asyncio.Event().wait()

    async def first(at: Home) -> None:
        put_picture(at.drop / "a.png")
        await at.importer.many([await at.see(put_model(at.drop / "a.safetensors", 1))], Wish(), **HINTS)
        await reached.wait()

    async def second(at: Home) -> None:
        await at.until(lambda: not imports.unfinished(at.db) and not imports.untidied(at.db))
        await at.until(lambda: not at.busy.paths)

        assert at.states(sha_of(1)) == {str(at.loras / "a.safetensors"): False}
        assert [path.name for path in at.loras.iterdir()] == ["a.safetensors"]
        assert [path.name for path in at.drop.iterdir()] == ["a.png"]
        assert images.sequences(at.db, sha_of(1)) == [0]
        assert os.listdir(at.store.pending_folder) == os.listdir(at.store.staging) == []
        assert pending.waiting(at.db) == []
        assert len(await at.events("model-imported")) == len(await at.events("import-completed")) == 1

    reached = asyncio.Event()
    run(tmp_path, first, steps=before(step, never), models_at=models_at)
    run(tmp_path, second, models_at=models_at)


def test_tidying_up_that_the_disk_refuses_at_the_start(tmp_path: Path, other_disk: Path) -> None:
    """The start does not fail for it: it is done later, and till then the source of a copy is no new model."""
    failures = iter([True, True, False])

    async def never(_tools: Tools, _job: Job) -> None:
        reached.set()
        await asyncio.Event().wait()

    async def fail(_tools: Tools, _job: Job) -> None:
        if next(failures, False):
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    async def first(at: Home) -> None:
        await at.importer.many([await at.see(put_model(at.drop / "a.safetensors", 1))], Wish(), **HINTS)
        await reached.wait()

    async def second(at: Home) -> None:
        assert (at.drop / "a.safetensors").exists()
        await at.until(lambda: not imports.untidied(at.db))
        await at.until(lambda: not at.busy.paths)

        assert list(at.drop.iterdir()) == []
        assert pending.waiting(at.db) == []
        assert len(await at.events("pending-found")) == len(await at.events("import-tidied")) == 1

    reached = asyncio.Event()
    run(tmp_path, first, steps=before("tidy", never), models_at=other_disk)
    run(tmp_path, second, steps=before("tidy", fail), models_at=other_disk)


def test_an_interrupted_import_whose_file_is_gone(tmp_path: Path, other_disk: Path) -> None:
    """It fails, says so, and removes what it had begun to copy."""

    async def never(_tools: Tools, job: Job) -> None:
        Path(ingest._part(job.planned, job.planned.target or "")).write_bytes(b"half")
        reached.set()
        await asyncio.Event().wait()

    async def first(at: Home) -> None:
        await at.importer.many([await at.see(put_model(at.drop / "a.safetensors", 1))], Wish(), **HINTS)
        await reached.wait()
        (at.drop / "a.safetensors").unlink()

    async def second(at: Home) -> None:
        await at.until(lambda: not imports.unfinished(at.db))

        (failed,) = await at.events("import-failed")
        assert "gone after the interruption" in failed["reason"]
        assert list(at.loras.iterdir()) == []

    reached = asyncio.Event()
    run(tmp_path, first, steps=before("place_file", never), models_at=other_disk)
    run(tmp_path, second, models_at=other_disk)


@pytest.mark.parametrize("theirs", [b"", b"somebody's"])
def test_a_name_that_was_reserved_before_a_crash(tmp_path: Path, theirs: bytes) -> None:
    """The empty file with which the name was taken gives way to the model; a file of somebody else never does."""

    async def never(_tools: Tools, job: Job) -> None:
        Path(job.planned.target or "").write_bytes(theirs)
        reached.set()
        await asyncio.Event().wait()

    async def first(at: Home) -> None:
        await at.importer.many([await at.see(put_model(at.drop / "a.safetensors", 1))], Wish(), **HINTS)
        await reached.wait()

    async def second(at: Home) -> None:
        await at.until(lambda: not imports.unfinished(at.db) and not imports.untidied(at.db))

        name = "a (2).safetensors" if theirs else "a.safetensors"
        assert at.states(sha_of(1)) == {str(at.loras / name): False}
        assert len(list(at.loras.iterdir())) == 1 + bool(theirs)

    reached = asyncio.Event()
    run(tmp_path, first, steps=before("place_file", never))
    run(tmp_path, second)


@pytest.mark.skipif(sys.platform != "linux", reason="who writes to a file is known by its lease, which Linux has")
def test_a_reserved_name_that_somebody_writes_to(tmp_path: Path) -> None:
    """An empty file that is open for writing is not taken for ours."""

    async def never(_tools: Tools, _job: Job) -> None:
        reached.set()
        await asyncio.Event().wait()

    async def first(at: Home) -> None:
        await at.importer.many([await at.see(put_model(at.drop / "a.safetensors", 1))], Wish(), **HINTS)
        await reached.wait()

    async def second(at: Home) -> None:
        await at.until(lambda: not imports.unfinished(at.db) and not imports.untidied(at.db))
        assert at.states(sha_of(1)) == {str(at.loras / "a (2).safetensors"): False}

    reached = asyncio.Event()
    run(tmp_path, first, steps=before("place_file", never))
    with (tmp_path / "loras" / "a.safetensors").open("wb"):
        run(tmp_path, second)
