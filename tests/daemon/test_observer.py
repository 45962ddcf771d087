"""The observer: hints in, looks at real files, facts out. The hints and its clock are the test's."""

import asyncio
import os
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from hikaze.daemon.sightings import of_files, of_model
from hikaze.daemon.watch import Hint
from hikaze.events.catalog import File, LocationFound, ModelImported
from hikaze.events.writer import Decision
from hikaze.projections import models, pending
from PIL import Image

from .home import Home, home
from .library import model_bytes, put_model
from .test_importer import sha_of

Play = Callable[[Home], Awaitable[None]]


def run(top: Path, play: Play) -> None:
    """Let something happen in a library at work."""

    async def go() -> None:
        async with home(top) as at_work:
            await play(at_work)

    asyncio.run(go())


async def look_later(at: Home, seconds: float) -> None:
    """Let time go by, and the observer look at its clock."""
    at.now += seconds
    at.observer.look_again([])


async def own(at: Home, name: str = "a", seed: int = 1) -> Path:
    """Have a model in a model root."""
    path = put_model(at.loras / f"{name}.safetensors", seed)
    await at.bring_in(await at.see(path))
    return path


def age(path: Path) -> Path:
    """Make a file look as if nobody had touched it for long."""
    os.utime(path, ns=(1, 1))
    return path


def test_a_renamed_file_is_seen_at_once(tmp_path: Path) -> None:
    """A rename says that the file is done: nothing is waited for."""

    async def play(at: Home) -> None:
        number = await at.see(put_model(at.drop / "Loras" / "a.safetensors", 1))

        found = pending.get(at.db, number)
        assert found is not None
        assert (found.name, found.type, found.in_place) == ("a", "loras", False)
        assert at.observer.waiting() == []

    run(tmp_path, play)


def test_a_growing_file_waits(tmp_path: Path) -> None:
    """A file that was just written is taken when it stays as it is, and says why it waits until then."""

    async def play(at: Home) -> None:
        path = at.drop / "a.safetensors"
        path.write_bytes(model_bytes(1)[:-20])
        at.hints.deliver(Hint("created", str(path)))
        await at.until(at.observer.waiting)
        await look_later(at, 100)
        await asyncio.sleep(0.05)
        assert not at.at(path)
        path.write_bytes(model_bytes(1))
        at.hints.deliver(Hint("written", str(path)))
        await at.until(lambda: "has just changed" in at.observer.waiting()[0][1])
        await look_later(at, 2.1)

        await at.until(lambda: at.at(path))
        assert at.observer.waiting() == []

    run(tmp_path, play)


@pytest.mark.parametrize("first", ["gone", "arrived"])
def test_a_move_between_roots_is_no_loss(tmp_path: Path, first: str) -> None:
    """In whatever order the two hints come, the file is followed; it is never missing, and not hashed again."""

    async def play(at: Home) -> None:
        path, target = await own(at), at.vae / "b.safetensors"
        os.rename(path, target)
        hints = {"gone": Hint("gone", str(path)), "arrived": Hint("arrived", str(target))}
        at.hints.deliver(hints.pop(first))
        await asyncio.sleep(0.02)
        at.hints.deliver(*hints.values())
        await at.until(lambda: at.states(sha_of(1)) == {str(target): False})
        await look_later(at, 1.1)
        await asyncio.sleep(0.05)

        assert at.states(sha_of(1)) == {str(target): False}
        assert await at.events("location-lost", "pending-lost", "location-refreshed") == []

    run(tmp_path, play)


def test_a_file_that_is_gone_is_missing_after_a_while(tmp_path: Path) -> None:
    """Its model stays, with everything, and the file may come back."""

    async def play(at: Home) -> None:
        path = await own(at)
        path.unlink()
        at.hints.deliver(Hint("gone", str(path)))
        await asyncio.sleep(0.05)
        assert at.states(sha_of(1)) == {str(path): False}
        await look_later(at, 1.1)
        await at.until(lambda: at.states(sha_of(1)) == {str(path): True})
        put_model(path, 1)
        at.hints.deliver(Hint("arrived", str(path)))

        await at.until(lambda: at.states(sha_of(1)) == {str(path): False})

    run(tmp_path, play)


def test_a_hint_is_only_a_hint(tmp_path: Path) -> None:
    """What is said to be gone and lies there is there; what is said to have come and is not, is not."""

    async def play(at: Home) -> None:
        path = await own(at)
        at.hints.deliver(Hint("gone", str(path)))
        at.hints.deliver(Hint("folder-gone", str(at.loras / "no")))
        at.hints.deliver(Hint("arrived", str(at.loras / "no.safetensors")))
        await asyncio.sleep(0.05)
        head = at.library.news.head
        await look_later(at, 1.1)
        await asyncio.sleep(0.05)

        assert at.states(sha_of(1)) == {str(path): False}
        assert at.library.news.head == head

    run(tmp_path, play)


def test_a_root_that_vanishes_is_away(tmp_path: Path) -> None:
    """Its files are offline and none is missing; it says so, and all is well when it is back."""

    async def play(at: Home) -> None:
        path = await own(at)
        os.rename(at.loras, tmp_path / "away")
        at.hints.deliver(Hint("folder-gone", str(at.loras)))
        at.hints.deliver(Hint("gone", str(path)))
        await at.observer.scan()
        await look_later(at, 5)
        await asyncio.sleep(0.05)
        assert at.states(sha_of(1)) == {str(path): False}
        assert not models.has_present_location(at.db, sha_of(1))
        assert [what for what, _ in at.observer.warnings()] == [f"the folder {at.loras} is away"]
        at.hints.folders.clear()
        os.rename(tmp_path / "away", at.loras)
        await at.observer.scan()

        assert models.has_present_location(at.db, sha_of(1))
        assert str(at.loras) in at.hints.folders
        assert at.observer.warnings() == []

    run(tmp_path, play)


def test_a_scan_counts(tmp_path: Path) -> None:
    """A full look tells what it took in; a second one finds nothing to tell."""

    async def play(at: Home) -> None:
        moved, lost = await own(at, "moved", 1), await own(at, "lost", 2)
        os.rename(moved, at.vae / "moved.safetensors")
        lost.unlink()
        age(put_model(at.drop / "new.safetensors", 3))
        age(put_model(at.loras / "copy.safetensors", 1))
        first = await at.observer.scan()
        await look_later(at, 3)
        await at.until(lambda: len(at.states(sha_of(1))) == 2)
        second = await at.observer.scan()

        outcome = first.outcome
        assert (first.files, outcome.moved, outcome.missing) == (3, 1, 1)
        assert (second.files, second.outcome.added, second.outcome.moved, second.outcome.missing) == (3, 0, 0, 0)

    run(tmp_path, play)


def test_dropped_hints_bring_a_full_look(tmp_path: Path) -> None:
    """Where the system has dropped hints, the whole folder is looked at."""

    async def play(at: Home) -> None:
        path = await own(at)
        os.rename(path, at.loras / "b.safetensors")
        at.hints.deliver(Hint("lost", str(at.loras)))

        await at.until(lambda: at.states(sha_of(1)) == {str(at.loras / "b.safetensors"): False})

    run(tmp_path, play)


def test_a_folder_that_is_renamed(tmp_path: Path) -> None:
    """All files below it are followed."""

    async def play(at: Home) -> None:
        (at.loras / "x").mkdir()
        await own(at, "x/a", 1)
        await own(at, "x/b", 2)
        os.rename(at.loras / "x", at.loras / "y")
        at.hints.deliver(Hint("folder", str(at.loras / "y"), str(at.loras / "x")))
        await at.until(lambda: str(at.loras / "y/b.safetensors") in at.states(sha_of(2)))
        await look_later(at, 1.1)
        await asyncio.sleep(0.05)

        assert at.states(sha_of(1)) == {str(at.loras / "y/a.safetensors"): False}
        assert await at.events("location-lost") == []

    run(tmp_path, play)


def test_a_link_to_an_unplugged_drive(tmp_path: Path) -> None:
    """What lies behind a link that leads nowhere now is not missing."""

    async def play(at: Home) -> None:
        (drive := tmp_path / "drive").mkdir()
        put_model(drive / "a.safetensors", 1)
        (at.loras / "ext").symlink_to(drive)
        path = at.loras / "ext" / "a.safetensors"
        age(path)
        at.hints.deliver(Hint("created", str(at.loras / "ext")))
        at.now += 10
        await at.until(lambda: at.at(path) or at.observer.waiting())
        await look_later(at, 10)
        await at.until(lambda: at.at(path))
        assert str(at.loras / "ext") in at.hints.folders
        os.rename(drive, tmp_path / "gone")
        at.hints.deliver(Hint("folder-gone", str(at.loras / "ext")))
        await asyncio.sleep(0.02)
        await look_later(at, 1.1)
        await at.observer.scan()

        assert at.at(path)

    run(tmp_path, play)


def test_a_picture_that_comes_after_its_model(tmp_path: Path) -> None:
    """It is taken, and only for the model whose it is."""

    async def play(at: Home) -> None:
        numbers = [await at.see(put_model(at.drop / f"{name}.safetensors", n)) for n, name in enumerate("ab")]
        Image.new("RGB", (8, 8)).save(at.drop / "b.preview.png")
        at.hints.deliver(Hint("written", str(at.drop / "b.preview.png")))

        await at.until(lambda: pending.picture_of(at.db, numbers[1]) == ".png")
        assert pending.picture_of(at.db, numbers[0]) is None

    run(tmp_path, play)


def test_a_picture_that_came_while_nobody_watched(tmp_path: Path) -> None:
    """The first look at a root takes the pictures of the pending models in it."""

    async def first(at: Home) -> None:
        await at.see(put_model(at.drop / "a.safetensors", 1))

    async def second(at: Home) -> None:
        await at.until(lambda: pending.picture_of(at.db, 1) == ".png")

    run(tmp_path, first)
    Image.new("RGB", (8, 8)).save(tmp_path / "drop" / "A.PNG")
    run(tmp_path, second)


def test_a_file_being_imported_is_left_alone(tmp_path: Path) -> None:
    """Neither its arrival nor its absence is taken in before the import is done with it."""

    async def play(at: Home) -> None:
        path = put_model(at.drop / "a.safetensors", 1)
        at.busy.paths.add(str(path))
        at.hints.deliver(Hint("arrived", str(path)))
        await asyncio.sleep(0.05)
        assert not at.at(path)
        at.busy.paths.clear()
        number = await at.see(path)
        at.busy.paths.add(str(path))
        path.unlink()
        at.hints.deliver(Hint("gone", str(path)))
        await look_later(at, 1.1)
        await at.observer.scan()
        assert at.at(path) == number
        at.busy.paths.clear()
        at.observer.look_again([str(path)])
        await asyncio.sleep(0.05)
        await look_later(at, 1.1)

        await at.until(lambda: not at.at(path))

    run(tmp_path, play)


def test_known_content_is_recognised(tmp_path: Path) -> None:
    """A copy of a model's file becomes its location in a model root; in a drop folder it says whose it is."""

    async def play(at: Home) -> None:
        path = await own(at)
        copy, dropped = Path(shutil.copy(path, at.vae / "c.safetensors")), put_model(at.drop / "d.safetensors", 1)
        other = put_model(at.loras / "e.safetensors", 2)
        for one in (copy, dropped, other):
            at.hints.deliver(Hint("arrived", str(one)))
        await at.until(lambda: at.states(sha_of(1)) == {str(path): False, str(copy): False})
        number = await at.until(lambda: at.at(dropped))

        await at.until(lambda: getattr(pending.get(at.db, number), "sha256", "") == sha_of(1))
        assert at.at(other)
        assert not at.at(copy)

    run(tmp_path, play)


def test_a_file_that_is_overwritten(tmp_path: Path) -> None:
    """Other bytes of the same size are found by hash: the path is a pending model that names the old one."""

    async def play(at: Home) -> None:
        path = await own(at)
        put_model(path, 2)
        at.hints.deliver(Hint("arrived", str(path)))
        number = await at.until(lambda: at.at(path))
        assert getattr(pending.get(at.db, number), "replaces", "") == sha_of(1)
        assert at.states(sha_of(1)) == {}
        await at.bring_in(number)
        os.utime(path, ns=(5, 5))
        at.hints.deliver(Hint("arrived", str(path)))

        await at.until(lambda: at.db.execute("SELECT mtime_ns FROM locations").get == 5)
        assert at.states(sha_of(2)) == {str(path): False}

    run(tmp_path, play)


def test_stopping_while_a_file_is_hashed(tmp_path: Path) -> None:
    """Nobody waits for the end of a large file."""

    async def play(at: Home) -> None:
        path = at.vae / "big.gguf"
        path.touch()
        os.truncate(path, 8 << 30)
        here = File(str(path), 2, 8 << 30, 1, 1, 1)
        born = ModelImported(sha_of(1), "big", "vae", 8 << 30)
        events = [of_model(sha_of(1), born), of_files(sha_of(1), LocationFound(sha_of(1), here))]
        await at.library.write(lambda _db: Decision(events), actor="page")
        os.utime(path, ns=(1, 2))
        at.hints.deliver(Hint("arrived", str(path)))
        at.now += 100
        await asyncio.sleep(0.1)

    assert asyncio.run(_timed(tmp_path, play)) < 2


async def _timed(top: Path, play: Play) -> float:
    loop = asyncio.get_running_loop()
    async with home(top) as at_work:
        await play(at_work)
        begin = loop.time()
    return loop.time() - begin
