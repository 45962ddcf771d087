"""What the stories of `killing` are about: a library that is prepared, and one thing that is done to it."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hikaze.daemon import dismissing, roots
from hikaze.daemon.edits import edit_model, edit_pending
from hikaze.daemon.looking import sighting_of
from hikaze.daemon.rootcheck import identify
from hikaze.daemon.roots import Wanted
from hikaze.daemon.scan import stat_file
from hikaze.daemon.shapes import ModelPatch, PendingPatch, PromptsPatch
from hikaze.daemon.sightings import lose, see
from hikaze.daemon.trash import TrashUnavailable
from hikaze.events.catalog import Strategy
from hikaze.projections import images
from PIL import Image

from ..daemon.home import HINTS, Home
from ..daemon.library import model_bytes, put_model

Answer = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Scene:
    """A library that `prepare` sets up, and what `act` does to it, unless it is done already.

    `act` gives what was answered, None where nothing was left to do. `elsewhere` puts the folder of the LoRAs on
    another disk; `refused` names the system calls that the file system of the story does not know, each with the
    error that it answers, and `threads` those in which the story may die.
    """

    prepare: Callable[[Home], Awaitable[None]]
    act: Callable[[Home], Awaitable[Answer | None]]
    elsewhere: bool = False
    refused: tuple[str, ...] = ()
    threads: tuple[str, ...] = ("loop", "writer", "disk")


SEED, OTHER = 1, 2
SHA = hashlib.sha256(model_bytes(SEED)).hexdigest()
WORDS = PendingPatch(
    name="Given",
    description="new",
    community_links="new",
    prompts=PromptsPatch(positive="new", negative="new"),
    tags=["two", "three"],
)
OLD_WORDS = ModelPatch(description="old", prompts=PromptsPatch(positive="old"), tags=["one", "two"])


async def online(at: Home) -> None:
    """Have the roots watched and proven present, as the observer does at the start."""
    wanted = [
        Wanted(str(at.loras), "model", "loras"),
        Wanted(str(at.vae), "model", "vae"),
        Wanted(str(at.drop), "pending"),
    ]
    await at.library.write(lambda db: roots.adjust(db, wanted), actor="daemon")
    for root in roots.every(at.db):
        found = identify(root.path)
        assert found is not None
        if root.identity is None:
            came = roots.comes_online(root.id, found)
            await at.library.write(lambda _db, came=came: came, actor="watcher")


async def found(at: Home, path: Path, seed: int, colour: str | None = None) -> int:
    """Put a model file, and a picture beside it, where the observer finds them; gives its number."""
    put_model(path, seed)
    root = roots.of_path(roots.every(at.db), str(path))
    seen = stat_file(str(path))
    assert root is not None
    assert seen is not None
    sighting = sighting_of(root, seen)
    await at.library.write(lambda db: see(db, [sighting]), actor="watcher")
    if colour is not None:
        _put_picture(path.with_suffix(".png"), colour)
        await at.gallery.take_companion(at.at(path))
    return at.at(path)


async def written(at: Home, path: Path, seed: int = SEED) -> None:
    """Put a model file with a picture, and let somebody write words to it."""
    number = await found(at, path, seed, "blue")
    await at.library.write(lambda db: edit_pending(db, number, WORDS, None), actor="page")


async def known(at: Home) -> None:
    """Let there be a model with words, tags and a picture."""
    await at.bring_in(await found(at, at.loras / "old.safetensors", SEED, "red"))
    await at.library.write(lambda db: edit_model(db, SHA, OLD_WORDS, None), actor="page")


def _put_picture(path: Path, colour: str) -> None:
    Image.new("RGB", (32, 32), colour).save(path)


def _import_of(path: Callable[[Home], Path], strategy: Strategy | None = None) -> Callable[[Home], Awaitable[Any]]:
    """Give what imports the pending model at a path, if it still waits there."""

    async def act(at: Home) -> Answer | None:
        number = at.at(path(at))
        if not number:
            return None
        ended = await at.bring_in(number, strategy)
        return {"position": ended.position, "state": ended.state, "reason": ended.reason}

    return act


def _dropped(at: Home) -> Path:
    return at.drop / "x.safetensors"


# New content


async def _prepare_dropped(at: Home) -> None:
    await found(at, at.loras / "x.safetensors", OTHER)  # its name is taken
    await written(at, _dropped(at))


async def _prepare_elsewhere(at: Home) -> None:
    await written(at, _dropped(at))


async def _prepare_in_place(at: Home) -> None:
    await written(at, at.vae / "x.safetensors")


# Known content


async def _prepare_known(at: Home) -> None:
    await known(at)
    await written(at, _dropped(at))


async def _prepare_lost(at: Home) -> None:
    await known(at)
    path = at.loras / "old.safetensors"
    path.unlink()
    await at.library.write(lambda db: lose(db, [str(path)]), actor="watcher")
    await written(at, _dropped(at))


async def _prepare_second_in_place(at: Home) -> None:
    await known(at)
    await written(at, at.loras / "x.safetensors")


# Pictures


async def _upload(at: Home) -> Answer | None:
    if len(images.sequences(at.db, SHA)) > 1:
        return None
    token = at.store.new_token()
    await asyncio.to_thread(_receive, at.store.incoming(token))
    _, told = await at.gallery.add(SHA, token, **HINTS)
    return {"position": told.position, "state": "uploaded", "reason": None}


def _receive(path: str) -> None:
    with open(path, "xb") as out:
        Image.new("RGB", (32, 32), "green").save(out, "PNG")


async def _remove_picture(at: Home) -> Answer | None:
    if not images.has(at.db, SHA, 0):
        return None
    told = await at.gallery.remove(SHA, 0, **HINTS)
    return {"position": told.position, "state": "removed", "reason": None}


async def _dismiss(at: Home) -> Answer | None:
    number = at.at(_dropped(at))
    if not number:
        return None
    try:
        told = await dismissing.dismiss(at.library, at.busy, str(at.data), number, **HINTS)
    except TrashUnavailable as error:
        return {"position": 0, "state": "refused", "reason": str(error)}
    return {"position": told.position, "state": "removed", "reason": None}


_LINKING = ("renameat2:error=EINVAL",)
_RESERVING = (*_LINKING, "?link,linkat:error=EPERM")
_ON_DISK = ("disk",)

SCENES: dict[str, Scene] = {
    "dropped": Scene(_prepare_dropped, _import_of(_dropped)),
    "dropped, to another disk": Scene(_prepare_elsewhere, _import_of(_dropped), elsewhere=True),
    "in place": Scene(_prepare_in_place, _import_of(lambda at: at.vae / "x.safetensors")),
    "merged": Scene(_prepare_known, _import_of(_dropped, "merge")),
    "overridden": Scene(_prepare_known, _import_of(_dropped, "override")),
    "back to its old place": Scene(_prepare_lost, _import_of(_dropped, "merge"), elsewhere=True),
    "deleted": Scene(_prepare_known, _import_of(_dropped, "delete")),
    "deleted in place, on another disk": Scene(
        _prepare_second_in_place, _import_of(lambda at: at.loras / "x.safetensors", "delete"), elsewhere=True
    ),
    "uploaded picture": Scene(known, _upload),
    "removed picture": Scene(known, _remove_picture),
    "dismissed": Scene(_prepare_elsewhere, _dismiss),
    "dismissed, moved by link": Scene(_prepare_elsewhere, _dismiss, False, _LINKING, _ON_DISK),
    "dismissed, moved by reservation": Scene(_prepare_elsewhere, _dismiss, False, _RESERVING, _ON_DISK),
    "dropped, moved by link": Scene(_prepare_dropped, _import_of(_dropped), False, _LINKING, _ON_DISK),
    "deleted, moved by link": Scene(_prepare_known, _import_of(_dropped, "delete"), False, _LINKING, _ON_DISK),
    "dropped, moved by reservation": Scene(_prepare_dropped, _import_of(_dropped), False, _RESERVING, _ON_DISK),
    "deleted, moved by reservation": Scene(_prepare_known, _import_of(_dropped, "delete"), False, _RESERVING, _ON_DISK),
}
