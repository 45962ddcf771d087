"""Further hashes come with the SHA-256, and for older models where they may have relatives."""

import asyncio
import hashlib
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
from hikaze.daemon.disks import Disks
from hikaze.daemon.hashing import Hashed, unheard
from hikaze.daemon.presence import Presence
from hikaze.daemon.relatives import Relatives
from hikaze.daemon.roots import as_file, every, of_path
from hikaze.daemon.scan import stat_file
from hikaze.daemon.sightings import of_files, of_model
from hikaze.events.catalog import LocationClaimed, LocationFound, ModelHashed, ModelImported
from hikaze.events.record import New
from hikaze.events.writer import Decision
from hikaze.projections import hashes
from safetensors.numpy import save_file

from .home import Home, home

Play = Callable[[Home], Awaitable[None]]


def run(top: Path, play: Play, **how: Any) -> None:
    """Let something happen in a library at work."""

    async def go() -> None:
        async with home(top, **how) as at_work:
            await play(at_work)

    asyncio.run(go())


def put(path: Path, seed: int, **metadata: str) -> Path:
    """Write a model; the same seed gives the same tensors."""
    part = path.with_suffix(".part")
    save_file({"a": np.random.default_rng(seed).random(2_000, np.float32)}, part, metadata=metadata or None)
    part.rename(path)
    return path


def sha_of(path: Path) -> str:
    """Give the hash of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def autov3_of(path: Path) -> str:
    """Give the AutoV3 of a file, plainly."""
    content = path.read_bytes()
    return hashlib.sha256(content[8 + int.from_bytes(content[:8], "little") :]).hexdigest()


async def older(at: Home, path: Path, *, sha256: str = "", claimed: bool = False) -> str:
    """Have a model in the library as an older Hikaze wrote it, or as an earlier library told of it."""
    seen, root = stat_file(str(path)), of_path(every(at.db), str(path))
    assert seen is not None
    assert root is not None
    model, file = sha256 or sha_of(path), as_file(seen, root.id)
    header = {"format": "safetensors", "tensor_count": 1, "parameters": 2_000, "dtypes": {"F32": 2_000}}
    born = ModelImported(model, path.stem, "loras", file.size, header=header, claimed=claimed)
    lies = LocationClaimed(model, file) if claimed else LocationFound(model, file)
    events: list[New] = [of_model(model, born), of_files(model, lies)]
    await at.library.write(lambda _db: Decision(events), actor="daemon")
    return model


async def event(at: Home, kind: str) -> dict[str, Any]:
    """Give the one event of a kind, whole."""
    (found,) = [one for one in await at.library.events(0, 1000) if one["type"] == kind]
    return found


# With the SHA-256 -------------------------------------------------------------------------------------


def test_an_import_tells_them(tmp_path: Path) -> None:
    """They are written together with the model, disturb no editor of it, and are told once."""

    async def play(at: Home) -> None:
        path = put(at.drop / "a.safetensors", 1)
        sha256, autov3 = sha_of(path), autov3_of(path)
        await at.bring_in(await at.see(path), type_="loras")

        born, told = await event(at, "model-imported"), await event(at, "model-hashed")
        assert told["data"] == {"model": sha256, "hashes": {"autov3": autov3}}
        assert (told["action"], told["stream"]) == (born["action"], f"files/{sha256}")
        assert hashes.computed(at.db, sha256) == {"autov3": autov3}
        copy = put(at.drop / "b.safetensors", 1)
        await at.bring_in(await at.see(copy), "ignore")
        assert len(await at.events("model-hashed")) == 1

    run(tmp_path, play)


def test_a_claim_that_is_confirmed_tells_them(tmp_path: Path) -> None:
    """The background's hash of a claimed file is as good as that of an import."""

    async def play(at: Home) -> None:
        path = put(at.loras / "a.safetensors", 1)
        sha256 = await older(at, path, claimed=True)
        at.observer.confirm_claims()
        await at.until(lambda: bool(hashes.computed(at.db, sha256)))

        assert hashes.computed(at.db, sha256) == {"autov3": autov3_of(path)}
        assert (await event(at, "claim-confirmed"))["action"] == (await event(at, "model-hashed"))["action"]

    run(tmp_path, play)


def test_a_comparison_tells_them(tmp_path: Path) -> None:
    """A copy of an older model's content that is hashed to be known tells what that model is called."""

    async def play(at: Home) -> None:
        path = put(at.loras / "a.safetensors", 1)
        sha256 = await older(at, path)
        await at.see(put(at.drop / "copy.safetensors", 1))
        await at.until(lambda: bool(hashes.computed(at.db, sha256)))

        assert hashes.computed(at.db, sha256) == {"autov3": autov3_of(path)}

    run(tmp_path, play)


def test_what_has_none(tmp_path: Path) -> None:
    """A file that is too short, and no safetensors file, has no further hash, and no event says so."""

    async def play(at: Home) -> None:
        path = at.drop / "a.pt"
        path.write_bytes(b"no model at all" * 10)
        await at.bring_in(await at.see(path), type_="loras")

        assert len(await at.events("model-imported")) == 1
        assert await at.events("model-hashed") == []

    run(tmp_path, play)


# Older models -----------------------------------------------------------------------------------------


class Counted(Disks):
    """Disks that tell which files were hashed."""

    def __init__(self, hint_source: Any) -> None:
        """Look as all disks do."""
        super().__init__(hint_source)
        self.hashed: list[str] = []

    async def hash_file(self, path: str, stop: threading.Event, progress: Callable[[int], None] = unheard) -> Hashed:
        """Hash, and remember it."""
        self.hashed.append(path)
        return await super().hash_file(path, stop, progress)


class Again:
    """Stands in for the observer, and takes down what is to be looked at again."""

    def __init__(self) -> None:
        """Nothing yet."""
        self.paths: list[str] = []

    def look_again(self, paths: list[str]) -> None:
        """Take it down."""
        self.paths += paths


class Here:
    """Stands in for what knows the roots that are here."""

    def __init__(self, at: Home) -> None:
        """All roots are."""
        self.online = lambda: every(at.db)


class Search:
    """The search for relatives, without its patience."""

    def __init__(self, at: Home) -> None:
        """Search in a library at work."""
        self.wait = False
        self.again = Again()
        self.disks = Counted(at.disks)
        self.relatives = Relatives(
            at.library,
            self.disks,
            cast("Presence", Here(at)),
            at.busy,
            cast("Any", self.again),
            threading.Event(),
            must_wait=lambda: self.wait,
            gather_s=0,
            sleep=lambda _s: asyncio.sleep(0.001),
        )

    async def until(self, at: Home, condition: Callable[[], object]) -> None:
        """Search until something holds."""
        task = asyncio.create_task(self.relatives.follow())
        self.relatives.look()
        try:
            await at.until(condition)
        finally:
            task.cancel()


def is_done(at: Home) -> bool:
    """Tell whether the search is at rest."""
    return not any(task["task"] == "relatives" for task in at.library.news.under_way())


def test_older_models_with_the_same_tensors(tmp_path: Path) -> None:
    """Those are read whole of which the files end alike; of others with as many numbers only the end is."""

    async def play(at: Home) -> None:
        files = [put(at.loras / "a.safetensors", 1), put(at.loras / "b.safetensors", 1, note="other")]
        other = put(at.loras / "c.safetensors", 2)
        models = [await older(at, path) for path in (*files, other)]
        search = Search(at)
        await search.until(at, lambda: all(hashes.computed(at.db, model) for model in models[:2]))

        assert sorted(search.disks.hashed) == sorted(map(str, files))
        assert hashes.computed(at.db, models[0]) == hashes.computed(at.db, models[1]) == {"autov3": autov3_of(files[0])}
        assert hashes.computed(at.db, models[2]) == {}
        await search.until(at, lambda: is_done(at))
        assert len(search.disks.hashed) == 2

    run(tmp_path, play)


def test_a_newer_relative_of_an_older_model(tmp_path: Path) -> None:
    """The one that has its AutoV3 is not read again."""

    async def play(at: Home) -> None:
        first, second = put(at.loras / "a.safetensors", 1), put(at.loras / "b.safetensors", 1, note="other")
        known, model = await older(at, first), await older(at, second)
        told = of_files(known, ModelHashed(known, {"autov3": autov3_of(first)}))
        await at.library.write(lambda _db: Decision([told]), actor="daemon")
        search = Search(at)
        await search.until(at, lambda: hashes.computed(at.db, model))

        assert search.disks.hashed == [str(second)]

    run(tmp_path, play)


def test_it_gives_way(tmp_path: Path) -> None:
    """Nothing is read while files are hashed that somebody waits for."""

    async def play(at: Home) -> None:
        for name, note in (("a", "one"), ("b", "two")):
            await older(at, put(at.loras / f"{name}.safetensors", 1, note=note))
        search = Search(at)
        search.wait = True
        task = asyncio.create_task(search.relatives.follow())
        search.relatives.look()
        await asyncio.sleep(0.2)
        assert search.disks.hashed == []
        search.wait = False
        await at.until(lambda: len(search.disks.hashed) == 2)
        task.cancel()

    run(tmp_path, play)


def test_a_file_that_holds_something_else(tmp_path: Path) -> None:
    """Nothing is told of a model by a file that is not its content; it is looked at again, and not read again."""

    async def play(at: Home) -> None:
        wrong, right = put(at.loras / "a.safetensors", 1), put(at.loras / "b.safetensors", 1, note="other")
        model = await older(at, wrong, sha256="0" * 64)
        other = await older(at, right)
        search = Search(at)
        await search.until(at, lambda: hashes.computed(at.db, other) and search.again.paths)

        assert search.again.paths == [str(wrong)]
        assert hashes.computed(at.db, model) == {}
        await search.until(at, lambda: is_done(at))
        assert sorted(search.disks.hashed) == [str(wrong), str(right)]

    run(tmp_path, play)
