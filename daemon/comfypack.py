"""Our node pack in a ComfyUI: put there as a copy, brought up to date, and taken out again.

A copy, and no link to where Hikaze is installed: that may be another user's folder, is not to be seen from a container,
and goes away with a Python. A clone or a link that somebody made is theirs, and is left alone.
"""

import contextlib
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Literal

from . import comfyui

FOLDER = "hikaze"
NOTE = "installed.json"  # says that the folder is ours, its version, and how the daemon is started
PACKS = "custom_nodes"

# What a clone of the repository has at its top; a package has no such place.
DOOR = '''"""ComfyUI's door to Hikaze, for a clone of this repository, or a link to it, in its custom_nodes."""

from typing import Any

# ComfyUI's page imports each .js below this folder.
WEB_DIRECTORY = "./web/dist/comfy"


async def comfy_entrypoint() -> Any:
    """Give ComfyUI our nodes; nothing is imported before it asks."""
    from .comfy_node.pack import open_pack

    return open_pack()
'''

Done = Literal["installed", "updated", "removed", "absent"]


class CannotInstall(Exception):
    """The pack cannot be put into this ComfyUI, or taken out; the message says what to do."""


def install(folder: str, version: str, command: Sequence[str]) -> tuple[str, Done]:
    """Put the pack into the ComfyUI in a folder, in place of an earlier copy; `command` starts our command line.

    Gives where it is. Raises `CannotInstall` and OSError.
    """
    packs = _packs(folder)
    place = os.path.join(packs, FOLDER)
    _refuse_others(packs, place)
    before = os.path.lexists(place)
    new, old = place + ".new.disabled", place + ".old.disabled"  # names that ComfyUI passes over
    _remove(new)
    os.makedirs(new)
    try:
        _write(new, version, command)
        if before:
            _remove(old)
            os.rename(place, old)
        os.rename(new, place)
    except BaseException:
        _remove(new)
        raise
    _remove(old)
    return place, "updated" if before else "installed"


def uninstall(folder: str) -> tuple[str, Done]:
    """Take the copy out of the ComfyUI in a folder. Raises `CannotInstall` and OSError."""
    packs = _packs(folder)
    place = os.path.join(packs, FOLDER)
    if not os.path.lexists(place):
        return place, "absent"
    if not _is_ours(place):
        raise CannotInstall(f"{place} was not put there by `hikazed install`; remove it yourself if it is to go")
    _remove(place)
    return place, "removed"


def _packs(folder: str) -> str:
    """Give the folder of the node packs of a ComfyUI, or of a folder given to it as --base-directory."""
    packs = os.path.join(folder, PACKS)
    if os.path.isdir(packs):
        return packs
    if comfyui.is_comfyui(folder):
        os.makedirs(packs, exist_ok=True)
        return packs
    raise CannotInstall(f"{folder} is no ComfyUI folder: give the one that holds main.py and {PACKS}")


def _refuse_others(packs: str, place: str) -> None:
    for name in sorted(os.listdir(packs)):
        other = os.path.join(packs, name)
        is_pack = os.path.isfile(os.path.join(other, "comfy_node", "pack.py")) and not name.endswith(".disabled")
        if is_pack and not (other == place and _is_ours(place)):
            raise CannotInstall(f"this ComfyUI has Hikaze already, in {other}: update it there, or remove it first")
    if os.path.lexists(place) and not _is_ours(place):
        raise CannotInstall(f"{place} is there already and is none of ours; give it another name first")


def _is_ours(place: str) -> bool:
    return not os.path.islink(place) and os.path.isfile(os.path.join(place, NOTE))


def _write(place: str, version: str, command: Sequence[str]) -> None:
    for name, content in _files():
        path = os.path.join(place, *name.split("/"))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(content)
    note = {"version": version, "command": list(command)}
    with open(os.path.join(place, NOTE), "w", encoding="utf-8") as file:
        json.dump(note, file)


def _files() -> Iterator[tuple[str, bytes]]:
    """Give what the pack is made of, by names below its folder: its door, its Python, its page, its words."""
    yield "__init__.py", DOOR.encode()
    yield from _below("comfy_node", resources.files("hikaze.comfy_node"), ".py")
    yield from _below("web/dist/comfy", resources.files("hikaze.web") / "dist" / "comfy", "")
    # Beside it, here and where it is installed: a folder of words alone, which Python knows no package in.
    yield from _below("locales", resources.files("hikaze.comfy_node") / ".." / "locales", ".json")


def _below(name: str, folder: Traversable, ending: str) -> Iterator[tuple[str, bytes]]:
    if not folder.is_dir():
        return
    for entry in folder.iterdir():
        if entry.is_dir():
            if entry.name != "__pycache__":
                yield from _below(f"{name}/{entry.name}", entry, ending)
        elif entry.name.endswith(ending):
            yield f"{name}/{entry.name}", entry.read_bytes()


def _remove(path: str) -> None:
    if os.path.islink(path) or os.path.isfile(path):
        os.unlink(path)
        return
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(path)
