"""Roots that are paused, resumed, removed and added while the observer is at work. Hints and clock are the test's."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path
from threading import Event
from typing import Any

from hikaze.daemon import roots
from hikaze.daemon.disks import Disks
from hikaze.daemon.hashing import Hashed, ReadingStopped
from hikaze.daemon.rootcheck import Identity
from hikaze.daemon.roots import Root, Wanted
from hikaze.daemon.scan import Look
from hikaze.daemon.watch import Hint

from .home import Home, home
from .library import model_bytes, put_model


class Touched(Disks):
    """Disks that tell which roots were asked for."""

    def __init__(self, hint_source: Any) -> None:
        """Touch as all disks do."""
        super().__init__(hint_source)
        self.roots: set[str] = set()

    async def as_before(self, roots: Sequence[Root]) -> list[bool]:
        """Remember, and look."""
        self.roots |= {root.path for root in roots}
        return await super().as_before(roots)

    async def identify(self, path: str) -> Identity | None:
        """Remember, and look."""
        self.roots.add(path)
        return await super().identify(path)

    async def look(self, root: Root, *args: Any, **how: Any) -> Look:
        """Remember, and look."""
        self.roots.add(root.path)
        return await super().look(root, *args, **how)


def run(top: Path, play: Callable[[Home], Awaitable[None]], disks: Callable[[Any], Disks] = Disks) -> None:
    """Let something happen in a library at work."""

    async def go() -> None:
        async with home(top, disks=disks) as at_work:
            await play(at_work)

    asyncio.run(go())


def number_of(at: Home, path: Path) -> int:
    """Give the id of a root."""
    return next(root.id for root in roots.every(at.db) if root.path == str(path))


async def pause(at: Home, path: Path, *, paused: bool = True) -> None:
    """Pause a root, or resume it."""
    number = number_of(at, path)
    await at.library.write(lambda db: roots.pause(db, number, paused=paused), actor="page")
    await at.observer.roots_changed()
    await at.observer.judge(number)


async def remove(at: Home, path: Path) -> None:
    """Remove a root."""
    number = number_of(at, path)
    await at.library.write(lambda db: roots.remove(db, number), actor="page")
    await at.observer.roots_changed()


async def add(at: Home, path: Path, type_: str) -> None:
    """Add a root for models."""
    await at.library.write(lambda db: roots.add(db, Wanted(str(path), "model", type_, "user")), actor="page")
    await at.observer.roots_changed()
    await at.observer.judge(number_of(at, path))


def states(at: Home) -> dict[str, tuple[bool, str | None]]:
    """Give whether each root is away, and why, by its folder's name."""
    return {Path(root.path).name: (root.offline, root.why) for root in roots.every(at.db)}


def test_a_paused_root_is_not_touched(tmp_path: Path) -> None:
    """It is not identified, looked at or watched, however often the others are; resumed, it is all of it again."""

    async def play(at: Home) -> None:
        disks = at.disks
        assert isinstance(disks, Touched)
        await pause(at, at.loras)
        assert str(at.loras) not in at.hints.folders
        disks.roots.clear()
        await at.observer.scan()
        await at.observer.check_roots()
        assert disks.roots == {str(at.vae), str(at.drop)}
        assert states(at) == {"loras": (True, "paused"), "vae": (False, None), "drop": (False, None)}
        assert at.observer.warnings() == []

        put_model(at.loras / "a.safetensors", 1)
        await pause(at, at.loras, paused=False)
        assert states(at)["loras"] == (False, None)
        assert str(at.loras) in at.hints.folders
        await at.observer.scan()
        at.now += 10
        await at.until(lambda: str(at.loras) in disks.roots)

    run(tmp_path, play, Touched)


def test_what_waits_in_a_paused_root_is_waited_for_no_more(tmp_path: Path) -> None:
    """A file that has not come to rest is forgotten, hints are left alone, and nothing is looked at over and over."""

    async def play(at: Home) -> None:
        path = at.loras / "a.safetensors"
        path.write_bytes(model_bytes(1)[:-1])
        at.hints.deliver(Hint("written", str(path)))
        await at.until(lambda: [one for one, _ in at.observer.waiting()] == [str(path)])

        await pause(at, at.loras)
        assert at.observer.waiting() == []
        at.hints.deliver(Hint("arrived", str(put_model(at.loras / "b.safetensors", 2))))
        await at.see(put_model(at.vae / "c.safetensors", 3))
        assert at.at(at.loras / "b.safetensors") == 0
        assert at.observer.waiting() == []

    run(tmp_path, play)


def test_a_removed_root_is_left(tmp_path: Path) -> None:
    """It is watched no more; added again it is the same root, and all that lies in it is looked at."""

    async def play(at: Home) -> None:
        number = number_of(at, at.loras)
        await remove(at, at.loras)
        assert str(at.loras) not in at.hints.folders
        await at.observer.scan()
        assert "loras" not in states(at)

        await add(at, at.loras, "loras")
        assert number_of(at, at.loras) == number
        assert states(at)["loras"] == (False, None)

    run(tmp_path, play)


def test_no_other_root_looks_into_a_paused_one(tmp_path: Path) -> None:
    """Neither the one around it, nor one from which a link leads there, sees what lies in it as its own."""

    async def play(at: Home) -> None:
        inner = at.loras / "inner"
        inner.mkdir()
        await add(at, inner, "vae")
        await pause(at, inner)
        put_model(inner / "a.safetensors", 1)
        (at.vae / "link").symlink_to(inner)
        found = await at.observer.scan()

        assert (found.files, found.outcome.added, found.unreadable) == (0, 0, [])
        assert at.observer.waiting() == []
        assert not [path for path in at.hints.folders if path.endswith("link")]

    run(tmp_path, play)


class Hashing(Disks):
    """Disks on which a hash goes on until it may end."""

    def __init__(self, hint_source: Any) -> None:
        """Hash as all disks do, later."""
        super().__init__(hint_source)
        self.begun, self.may = asyncio.Event(), asyncio.Event()
        self.stopped: list[str] = []

    async def hash_file(self, path: str, stop: Event, progress: Any = lambda _done: None) -> Hashed:
        """Wait, then hash."""
        self.begun.set()
        await self.may.wait()
        try:
            return await super().hash_file(path, stop, progress)
        except ReadingStopped:
            self.stopped.append(path)
            raise


def test_a_hash_in_a_paused_root_is_given_up(tmp_path: Path) -> None:
    """What was to be compared is compared when the root is resumed."""

    async def play(at: Home) -> None:
        disks = at.disks
        assert isinstance(disks, Hashing)
        first = put_model(at.loras / "a.safetensors", 1)
        done = await at.bring_in(await at.see(first))
        copy = put_model(at.loras / "copy.safetensors", 1)
        await at.see(copy)
        await disks.begun.wait()
        await pause(at, at.loras)
        disks.may.set()
        await at.until(lambda: disks.stopped == [str(copy)])

        await pause(at, at.loras, paused=False)
        assert done.sha256 is not None
        await at.until(lambda: str(copy) in at.states(done.sha256 or ""))

    run(tmp_path, play, Hashing)


def test_files_in_a_paused_root_are_not_looked_at(tmp_path: Path) -> None:
    """Of paths that others ask for, those in a paused root are left out; one in a root inside it is looked at."""
    path, inner = put_model(tmp_path / "m" / "a.safetensors", 1), put_model(tmp_path / "m" / "in" / "b.safetensors", 2)

    async def look(paths: Iterable[Path]) -> set[str]:
        disks = Disks()
        disks.take_roots(
            [
                Root(1, str(tmp_path / "m"), "model", "loras", True, "paused", None, paused=True),
                Root(2, str(tmp_path / "m" / "in"), "model", "vae", False, None, None),
            ]
        )
        assert [disks.answers(str(one)) for one in paths] == [False, True]
        return set(await disks.fingerprints([str(one) for one in paths]))

    assert asyncio.run(look([path, inner])) == {str(inner)}
