"""The observer: hints in, looks at real files, facts out. The hints and its clock are the test's."""

import asyncio
import errno
import os
import shutil
import threading
from collections.abc import Awaitable, Callable, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import apsw
import pytest
from hikaze.daemon import roots
from hikaze.daemon.disks import Disks
from hikaze.daemon.hashing import Hashed
from hikaze.daemon.looking import Looked
from hikaze.daemon.pauses import Clocks
from hikaze.daemon.roots import Root, Wanted
from hikaze.daemon.scan import Look
from hikaze.daemon.sightings import of_files, of_model, of_pending
from hikaze.daemon.watch import Hint, Shortage
from hikaze.events.catalog import File, LocationFound, ModelImported, PendingFound
from hikaze.events.errors import DamagedEvent
from hikaze.events.writer import Decision
from hikaze.projections import models, pending
from PIL import Image

from .home import Hints, Home, home
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


def test_a_root_that_somebody_else_finds_back(tmp_path: Path) -> None:
    """It is looked at, whoever was first to see that it is here."""

    async def play(at: Home) -> None:
        os.rename(at.vae, tmp_path / "away")
        await at.observer.check_roots()
        assert any(root.offline for root in roots.every(at.db))
        age(put_model(tmp_path / "away" / "a.safetensors", 1))
        os.rename(tmp_path / "away", at.vae)
        await at.observer.check_roots()
        assert not any(root.offline for root in roots.every(at.db))
        await at.until(at.observer.waiting)
        await look_later(at, 3)

        await at.until(lambda: at.at(at.vae / "a.safetensors"))

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


def test_a_file_that_is_moved_and_overwritten(tmp_path: Path) -> None:
    """Other bytes are found also where a move and a rewrite that keeps size and time are seen in one look."""

    async def play(at: Home) -> None:
        path = await own(at)
        before, there = path.stat(), path.with_name("moved.safetensors")
        path.rename(there)
        with open(there, "r+b") as file:
            file.write(model_bytes(2))
        os.utime(there, ns=(before.st_atime_ns, before.st_mtime_ns))
        assert (there.stat().st_size, there.stat().st_ino) == (before.st_size, before.st_ino)
        at.hints.deliver(Hint("written", str(there)))
        await at.until(at.observer.waiting)
        await look_later(at, 2.1)

        number = await at.until(lambda: at.at(there))
        assert getattr(pending.get(at.db, number), "replaces", "") == sha_of(1)

    run(tmp_path, play)


def rewrite(path: Path, seed: int) -> None:
    """Write other content of its size into a file, and give it its old time back."""
    before, content = path.stat(), model_bytes(seed)
    assert len(content) == before.st_size
    with open(path, "r+b") as file:
        file.write(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


class Counting(Disks):
    """Disks that count the looks at files."""

    looks = 0

    async def look_at_files(self, roots: Sequence[Root], files: Sequence[tuple[str, bool]]) -> list[Looked]:
        """Look, and count it."""
        found = await super().look_at_files(roots, files)
        self.looks += bool(files)
        return found


async def rest(at: Home, path: Path) -> None:
    """Let a file come to rest, and be taken."""
    disks = at.disks
    assert isinstance(disks, Counting)
    for _ in range(4):
        looks = disks.looks
        at.now += 2.1
        at.observer.look_again([str(path)])
        await at.until(lambda looks=looks: disks.looks > looks)


def content(at: Home, path: Path) -> str:
    """Give the model that a pending model's content is known to be."""
    return getattr(pending.get(at.db, at.at(path)), "sha256", "?")


def test_a_pending_model_that_is_overwritten(tmp_path: Path) -> None:
    """What says which model it is, and gets other content of its size with its old time, says what it is, links too."""

    async def go() -> None:
        async with home(tmp_path, disks=Counting) as at:
            await own(at, "a", 1)
            await own(at, "b", 2)
            dropped = put_model(at.drop / "d.safetensors", 1)
            linked = at.drop / "l.safetensors"
            linked.symlink_to(dropped)
            number, other = await at.see(dropped), await at.see(linked)
            await at.until(lambda: {content(at, dropped), content(at, linked)} == {sha_of(1)})
            for seed, known in ((2, sha_of(2)), (3, ""), (1, sha_of(1))):
                rewrite(dropped, seed)
                at.hints.deliver(Hint("written", str(dropped)))
                await rest(at, dropped)
                await at.until(lambda known=known: {content(at, dropped), content(at, linked)} == {known})
            assert (at.at(dropped), at.at(linked)) == (number, other)

    asyncio.run(go())


@pytest.mark.parametrize("with_folder", [False, True])
def test_a_file_that_is_overwritten_and_moved(tmp_path: Path, with_folder: bool) -> None:
    """Other bytes are found also where a file is moved, or its folder, before anybody looked at what was written."""

    async def play(at: Home) -> None:
        folder, new = at.loras / "old", at.loras / "new"
        folder.mkdir()
        path = put_model(folder / "a.safetensors", 1)
        await at.bring_in(await at.see(path))
        rewrite(path, 2)
        at.hints.deliver(Hint("written", str(path)))
        if with_folder:
            folder.rename(new)
            at.hints.deliver(Hint("folder", str(new), str(folder)))
        else:
            new.mkdir()
            path.rename(new / path.name)
            at.hints.deliver(Hint("arrived", str(new / path.name), str(path)))

        number = await at.until(lambda: at.at(new / path.name))
        assert getattr(pending.get(at.db, number), "replaces", "") == sha_of(1)

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


class SlowHashing(Disks):
    """Disks that begin to hash only when they are let."""

    def __init__(self, hint_source: Any) -> None:
        """Look as all disks do."""
        super().__init__(hint_source)
        self.asked, self.may = asyncio.Event(), asyncio.Event()

    async def hash_file(
        self, path: str, stop: threading.Event, progress: Callable[[int], None] = lambda _done: None
    ) -> Hashed:
        """Wait, then hash."""
        self.asked.set()
        await self.may.wait()
        return await super().hash_file(path, stop, progress)


def test_what_changes_before_it_is_compared(tmp_path: Path) -> None:
    """A file that was at rest when its hash was asked for, and is written to since, waits to come to rest again."""
    made: list[SlowHashing] = []

    def disks(hint_source: Any) -> Disks:
        made.append(SlowHashing(hint_source))
        return made[0]

    async def go() -> None:
        async with home(tmp_path, disks=disks) as at:
            path = await own(at)
            os.utime(path, ns=(5, 5))
            at.hints.deliver(Hint("arrived", str(path)))
            await made[0].asked.wait()
            path.write_bytes(model_bytes(2))
            made[0].may.set()
            await at.until(at.observer.waiting)
            assert "has just changed" in at.observer.waiting()[0][1]
            assert at.states(sha_of(1)) == {str(path): False}
            assert await at.events("location-replaced") == []
            await look_later(at, 2.1)

            await at.until(lambda: at.at(path))

    asyncio.run(go())


class LateHashing(Counting):
    """Disks that tell the hash of a file only when they are let."""

    late = ""

    def __init__(self, hint_source: Any) -> None:
        """Look as all disks do."""
        super().__init__(hint_source)
        self.hashed, self.may = asyncio.Event(), asyncio.Event()

    async def hash_file(
        self, path: str, stop: threading.Event, progress: Callable[[int], None] = lambda _done: None
    ) -> Hashed:
        """Hash, then wait."""
        found = await super().hash_file(path, stop, progress)
        if path == self.late:
            self.hashed.set()
            await self.may.wait()
        return found


@pytest.mark.parametrize("moves", [False, True])
def test_what_is_overwritten_while_it_is_compared(tmp_path: Path, moves: bool) -> None:
    """A file that is hashed, and gets other content of its size with its old time meanwhile, is hashed once more."""
    made: list[LateHashing] = []

    def disks(hint_source: Any) -> Disks:
        made.append(LateHashing(hint_source))
        return made[0]

    async def go() -> None:
        async with home(tmp_path, disks=disks) as at:
            await own(at, "a", 1)
            await own(at, "b", 2)
            dropped = put_model(at.drop / "d.safetensors", 1)
            made[0].late = str(dropped)
            await at.see(dropped)
            await made[0].hashed.wait()
            rewrite(dropped, 2)
            at.hints.deliver(Hint("written", str(dropped)))
            await rest(at, dropped)
            if moves:
                there = dropped.rename(at.drop / "moved.safetensors")
                at.hints.deliver(Hint("arrived", str(there), str(dropped)))
                await at.until(lambda: at.at(there))
                dropped = there
            made[0].may.set()

            await at.until(lambda: content(at, dropped) == sha_of(2))

    asyncio.run(go())


def test_many_files_that_vanish(tmp_path: Path) -> None:
    """What is much of a root is looked at a second time before it is believed, and that is told meanwhile."""

    async def play(at: Home) -> None:
        paths = [age(put_model(at.vae / f"{number}.safetensors", number)) for number in range(60)]
        await at.observer.scan()
        await look_later(at, 3)
        await at.until(lambda: all(at.at(path) for path in paths))
        kept = paths[0].rename(tmp_path / "kept")
        for path in paths[1:]:
            path.unlink()
        assert (await at.observer.scan()).outcome.missing == 0
        assert [what for what, _ in at.observer.warnings()] == [
            f"60 of the 60 files in {at.vae} vanished at once; that is looked at again before it is believed"
        ]
        kept.rename(paths[0])
        await look_later(at, 4.9)
        await asyncio.sleep(0.05)
        assert await at.events("pending-lost") == []
        await look_later(at, 0.2)

        await at.until(lambda: not at.at(paths[1]))
        assert len(await at.events("pending-lost")) == 59
        assert at.at(paths[0])
        assert at.observer.warnings() == []

    run(tmp_path, play)


@pytest.mark.parametrize("witnessed", [True, False])
def test_a_folder_made_anew_at_a_root(tmp_path: Path, witnessed: bool) -> None:
    """Where the root was seen to be deleted it is the root; else it is another folder, and nothing is missing."""

    async def play(at: Home) -> None:
        path = await own(at)
        os.rename(at.loras, tmp_path / "elsewhere")  # so that the new folder gets another inode
        at.loras.mkdir()
        ended = "deleted" if witnessed else "moved"
        at.hints.deliver(Hint("folder-gone", str(at.loras), ended=ended))
        await asyncio.sleep(0.05)
        await at.observer.scan()
        await at.observer.scan()

        assert at.states(sha_of(1)) == {str(path): witnessed}
        (root,) = [root for root in roots.every(at.db) if root.path == str(at.loras)]
        assert (root.offline, at.observer.watched(root)) == (not witnessed, "events" if witnessed else None)

    run(tmp_path, play)


def test_a_deletion_of_long_ago_proves_nothing(tmp_path: Path) -> None:
    """A root that was deleted and made anew, and is swapped later, is another folder then."""

    async def play(at: Home) -> None:
        path = await own(at)
        at.hints.deliver(Hint("folder-gone", str(at.loras), ended="deleted"))
        await asyncio.sleep(0.05)
        await at.observer.scan()  # it is there, with the inode it had
        os.rename(at.loras, tmp_path / "elsewhere")
        at.loras.mkdir()
        await at.observer.scan()

        assert at.states(sha_of(1)) == {str(path): False}
        assert not models.has_present_location(at.db, sha_of(1))

    run(tmp_path, play)


@pytest.mark.parametrize(("content", "comes_back"), [(model_bytes(1), True), (model_bytes(1, 512), False)])
def test_a_known_file_in_a_folder_that_was_swapped_in(tmp_path: Path, content: bytes, comes_back: bool) -> None:
    """A file of its size at a known path proves a root, though it was copied there just now; another does not."""

    async def play(at: Home) -> None:
        path = await own(at)
        os.rename(at.loras, tmp_path / "elsewhere")
        at.loras.mkdir()
        await at.observer.scan()
        assert not models.has_present_location(at.db, sha_of(1))
        path.write_bytes(content)
        at.now += 60
        await at.observer.scan()

        assert models.has_present_location(at.db, sha_of(1)) == comes_back

    run(tmp_path, play)


def test_after_a_sleep_everything_is_looked_at(tmp_path: Path) -> None:
    """What changed meanwhile may have given no hint; it is told that the computer slept."""
    slept, reads = [0.0], count()

    def clocks() -> Clocks:
        return Clocks(0.0, slept[0] if next(reads) % 2 else 0.0)  # before each rest, and after it

    async def go() -> None:
        async with home(tmp_path, clocks=clocks) as at:
            await at.observer.scan()
            path = age(put_model(at.vae / "a.safetensors", 1))
            slept[0] = 3600.0

            await at.until(at.observer.waiting)
            await look_later(at, 3)
            await at.until(lambda: at.at(path))
            what = "the computer slept or hikazed was stopped for 3600 s;"
            looked = [(f"{what} all folders were looked at", "nothing need be done")]
            await at.until(lambda: at.observer.warnings() == looked)

    asyncio.run(go())


class ShortHints(Hints):
    """A stand-in for a watcher that was granted too few watches, until it asks for them again."""

    lacks = True

    def shortage(self) -> Shortage | None:
        """Lack two folders below the LoRAs."""
        where = {folder: 2 for folder in self.folders if folder.endswith("loras")}
        return Shortage(8, 10, 8, "sudo sysctl -w fs.inotify.max_user_watches=524288", where) if self.lacks else None

    def cover(self) -> list[str]:
        """Get the watches."""
        self.lacks = False
        return [folder for folder in self.folders if folder.endswith("loras")]


def test_where_watches_are_lacking_it_is_looked(tmp_path: Path) -> None:
    """Changes there are seen by looking now and then; it is told, and the watches are asked for again and again."""

    async def go() -> None:
        async with home(tmp_path, hints=ShortHints) as at:
            how = {root.path: at.observer.watched(root) for root in roots.every(at.db)}
            assert how == {str(at.loras): "both", str(at.vae): "events", str(at.drop): "events"}
            put_model(at.loras / "a.safetensors", 1)
            at.now += 20

            await at.until(at.observer.waiting)
            await at.until(lambda: at.observer.warnings() == [])
            assert {at.observer.watched(root) for root in roots.every(at.db)} == {"events"}

    asyncio.run(go())


def test_a_shortage_is_told_with_its_cure(tmp_path: Path) -> None:
    """In one sentence, and with the line that lifts the limit."""

    class Always(ShortHints):
        def cover(self) -> list[str]:
            return []

    async def go() -> None:
        async with home(tmp_path, hints=Always) as at:
            what = "the system watches 8 of 10 folders; changes in the others are seen only by looking now and then"
            assert at.observer.warnings() == [(what, "sudo sysctl -w fs.inotify.max_user_watches=524288")]

    asyncio.run(go())


class RefusedHints(Hints):
    """A stand-in for a watcher that the system grants nothing."""

    refuses = True

    def watch(self, folder: str, shown_as: str | None = None) -> None:
        """Refuse the folder of the VAEs, as long as it is to."""
        if self.refuses and folder.endswith("vae"):
            raise OSError(errno.EMFILE, "no more inotify instances")
        super().watch(folder, shown_as)


def test_a_root_that_cannot_be_watched(tmp_path: Path) -> None:
    """It is looked at now and then, that is told with the cure, and it is watched as soon as the system lets us."""

    async def go() -> None:
        at = Home(tmp_path, hints=RefusedHints)
        at.library.start()
        wanted = [Wanted(str(at.loras), "model", "loras"), Wanted(str(at.vae), "model", "vae")]
        await at.library.write(lambda db: roots.adjust(db, wanted), actor="daemon")
        at.observer.start()
        try:
            await at.until(lambda: at.hints.folders and at.observer.warnings())
            (_, vae) = roots.every(at.db)
            assert at.observer.watched(vae) == "looks"
            assert "max_user_instances" in at.observer.warnings()[0][1]
            assert isinstance(at.hints, RefusedHints)
            at.hints.refuses = False

            await at.until(lambda: at.observer.watched(vae) == "events")
            assert at.observer.warnings() == []
        finally:
            await at.importer.close()
            await at.observer.close()
            at.library.close()

    asyncio.run(go())


@pytest.mark.parametrize("content", [b"", model_bytes(1)[:-20]])
@pytest.mark.parametrize("by", ["its own name", "another name"])
def test_a_models_file_that_is_cut(tmp_path: Path, content: bytes, by: str) -> None:
    """It is no location any more, though it never comes to rest; also where it was cut by another of its names."""

    async def play(at: Home) -> None:
        path = await own(at)
        other = at.drop / "other.safetensors"
        other.hardlink_to(path)
        name = path if by == "its own name" else other
        name.write_bytes(content)
        at.hints.deliver(Hint("written", str(name)))

        await at.until(lambda: at.states(sha_of(1)) == {str(path): True})
        await at.until(lambda: str(name) in dict(at.observer.waiting()))  # the import's own look may have been first

    run(tmp_path, play)


def test_a_models_file_that_is_being_overwritten(tmp_path: Path) -> None:
    """While a program has it open and it has another size, it is no location."""

    async def play(at: Home) -> None:
        path = await own(at)
        with path.open("ab") as file:
            file.write(b"more")
            file.flush()
            at.hints.deliver(Hint("arrived", str(path)))
            await at.until(lambda: at.states(sha_of(1)) in ({str(path): True}, {}))

    run(tmp_path, play)


def test_a_known_file_that_falls_short_is_followed(tmp_path: Path) -> None:
    """What lacks something, and was taken as it is, is taken as it is at its next path as well."""

    async def play(at: Home) -> None:
        path = at.loras / "a.safetensors"
        path.write_bytes(model_bytes(1)[:-20])
        seen = path.stat()
        file = File(str(path), 1, seen.st_size, seen.st_mtime_ns, seen.st_dev, seen.st_ino)
        found = of_pending(1, PendingFound(1, file, "a", "loras", True, {}))
        await at.library.write(lambda _db: Decision([found]), actor="watcher")
        moved = path.rename(at.vae / "a.safetensors")
        at.hints.deliver(Hint("arrived", str(moved), str(path)))

        await at.until(lambda: at.at(moved) == 1)
        assert str(moved) not in dict(at.observer.waiting())  # the first look may have met it at its old path

    run(tmp_path, play)


def test_what_a_scan_found_is_taken_without_a_hint(tmp_path: Path) -> None:
    """A file that had not come to rest when it was scanned is looked at again when it is time."""

    async def play(at: Home) -> None:
        await asyncio.sleep(0.1)
        path = put_model(at.loras / "a.safetensors", 1)
        await at.observer.scan()
        assert not at.at(path)
        at.now += 3

        await at.until(lambda: at.at(path))

    run(tmp_path, play)


def test_a_file_in_a_folder_too_deep_is_left_alone(tmp_path: Path) -> None:
    """No look enters its folder, so that a hint of it is not taken in either."""

    async def play(at: Home) -> None:
        folder = at.loras / "/".join("d" * 66)
        folder.mkdir(parents=True)
        deep = put_model(folder / "a.safetensors", 1)
        at.hints.deliver(Hint("arrived", str(deep)))
        await at.see(put_model(at.loras / "b.safetensors", 2))

        assert not at.at(deep)

    run(tmp_path, play)


def test_what_was_to_be_compared_when_the_daemon_ended(tmp_path: Path) -> None:
    """It is compared when the daemon starts, though nobody has kept what was asked for."""

    async def first(at: Home) -> None:
        path = await own(at)
        copy = put_model(at.vae / "c.safetensors", 1)
        seen = copy.stat()
        file = File(str(copy), 2, seen.st_size, seen.st_mtime_ns, seen.st_dev, seen.st_ino)
        found = of_pending(7, PendingFound(7, file, "c", "vae", True, {}))
        await at.library.write(lambda _db: Decision([found]), actor="watcher")
        assert list(at.states(sha_of(1))) == [str(path)]

    async def second(at: Home) -> None:
        await at.until(lambda: len(at.states(sha_of(1))) == 2)

    run(tmp_path, first)
    run(tmp_path, second)


def test_what_could_not_be_compared_while_its_root_was_away(tmp_path: Path) -> None:
    """It is compared when the root comes back."""

    async def play(at: Home) -> None:
        dropped = await at.see(put_model(at.drop / "d.safetensors", 1))
        os.rename(at.drop, tmp_path / "away")
        await at.observer.scan()
        await own(at)
        await asyncio.sleep(0.7)
        assert getattr(pending.get(at.db, dropped), "sha256", "") == ""
        os.rename(tmp_path / "away", at.drop)
        await at.until(lambda: getattr(pending.get(at.db, dropped), "sha256", "") == sha_of(1))

    run(tmp_path, play)


@pytest.mark.parametrize("known_as", ["model", "pending"])
def test_a_linked_folder_that_is_reached_another_way_now(tmp_path: Path, known_as: str) -> None:
    """Its files are followed to where they are reached without the link, and stand there alone."""

    async def play(at: Home) -> None:
        (store := tmp_path / "store").mkdir()
        age(put_model(store / "a.safetensors", 1))
        (at.loras / "to").symlink_to(store)
        path, new = at.loras / "to" / "a.safetensors", at.loras / "before" / "a.safetensors"
        await at.observer.scan()
        await look_later(at, 3)
        number = await at.until(lambda: at.at(path))
        if known_as == "model":
            await at.bring_in(number)
        (at.loras / "before").symlink_to(store)
        await at.observer.scan()

        if known_as == "model":
            await at.until(lambda: at.states(sha_of(1)) == {str(new): False})
        await at.until(lambda: not at.at(path))
        assert at.at(new) == (number if known_as == "pending" else 0)

    run(tmp_path, play)


def test_a_folder_that_two_roots_lead_to(tmp_path: Path) -> None:
    """What lies outside is a file of each root that has a link to it, look after look, imported or not."""

    async def play(at: Home) -> None:
        (tmp_path / "outside").mkdir()
        for seed in (1, 2):
            put_model(tmp_path / "outside" / f"{seed}.safetensors", seed)
        for root in (at.loras, at.vae):
            (root / "link").symlink_to(tmp_path / "outside")
        pairs = [[root / "link" / f"{seed}.safetensors" for root in (at.loras, at.vae)] for seed in (1, 2)]
        at.now += 3
        await at.observer.scan()
        at.now += 3
        await at.until(lambda: all(at.at(path) for pair in pairs for path in pair))
        await at.bring_in(at.at(pairs[0][0]))
        await at.until(lambda: at.states(sha_of(1)) == {str(path): False for path in pairs[0]})
        head = -1
        while head != at.library.news.head:  # what follows an import is told in the background
            head = at.library.news.head
            await asyncio.sleep(0.3)
        for _ in range(2):
            await at.observer.scan()

        assert at.library.news.head == head
        assert all(at.at(path) for path in pairs[1])

    run(tmp_path, play)


def test_a_link_to_a_folder_with_a_models_name(tmp_path: Path) -> None:
    """It is looked into, and left when it goes."""

    async def play(at: Home) -> None:
        (store := tmp_path / "store").mkdir()
        age(put_model(store / "a.safetensors", 1))
        link = at.loras / "x.safetensors"
        link.symlink_to(store)
        at.hints.deliver(Hint("created", str(link)))
        at.now += 3
        await at.until(lambda: at.at(link / "a.safetensors") or at.observer.waiting())
        await look_later(at, 3)
        await at.until(lambda: at.at(link / "a.safetensors"))
        link.unlink()
        at.hints.deliver(Hint("gone", str(link)))
        await asyncio.sleep(0.05)
        await look_later(at, 1.1)

        await at.until(lambda: not at.at(link / "a.safetensors"))

    run(tmp_path, play)


class CountingDisks(Disks):
    """Disks that count how often roots are looked at."""

    looks = 0

    async def look(self, *args: Any, **how: Any) -> Look:
        """Count, and look."""
        CountingDisks.looks += 1
        return await super().look(*args, **how)


def test_nothing_is_looked_at_over_and_over_while_nothing_can_be_written(tmp_path: Path) -> None:
    """With a damaged log the roots are left alone for long, and the damage is told."""

    async def go() -> None:
        async with home(tmp_path, disks=CountingDisks, unwritable_s=(0.02, 60.0)) as at:
            await own(at)
            at.library._log._db.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
            id_ = bytes.fromhex((await at.library.events(2, 1))[0]["id"])
            content = (at.data / "log.db").read_bytes()
            (at.data / "log.db").write_bytes(content.replace(id_, bytes([id_[0] ^ 1]) + id_[1:]))
            with pytest.raises(DamagedEvent):
                await at.library.events(0, 100)
            put_model(at.loras / "b.safetensors", 2)
            at.hints.deliver(Hint("arrived", str(at.loras / "b.safetensors")))
            await at.until(at.observer.warnings)
            before = CountingDisks.looks
            await asyncio.sleep(0.5)
            assert CountingDisks.looks == before
            at.now += 61
            await at.until(lambda: CountingDisks.looks > before)

    asyncio.run(go())
