"""Which file a path in a payload means, and whether it can be loaded. What is gone is not looked for elsewhere."""

import os
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from .modelfile import FileFault, Stamp, check
from .payload import Lora, named

_WINDOWS = re.compile(r"[A-Za-z]:[\\/]|\\\\")


class Refusal(Exception):
    """What a payload names cannot be loaded; the message is for the user, and names each entry."""


@dataclass(frozen=True)
class Folders:
    """ComfyUI's folders of one type: how it looks up a relative path, and which endings it takes (none: all)."""

    kind: str
    look_up: Callable[[str], str | None]
    endings: Collection[str]
    windows: bool = os.name == "nt"


def find(path: str, folders: Folders) -> str:
    """Give the absolute path of a whole model file; anything else is a FileFault."""
    place = _place(path, folders)
    ending = os.path.splitext(place)[1].lower()
    if folders.endings and ending not in folders.endings:
        raise FileFault(f"it is no model file by its name, which should end with {', '.join(sorted(folders.endings))}")
    check(place)
    return place


def _place(path: str, folders: Folders) -> str:
    if not folders.windows and _WINDOWS.match(path):
        raise FileFault("this is a path of Windows, and ComfyUI does not run there; choose it again in the node")
    if os.path.isabs(path):
        return path
    if ".." in re.split(r"[/\\]", path):
        raise FileFault(f"it leads out of ComfyUI's {folders.kind}; choose it again in the node")
    place = folders.look_up(path)
    if place is not None:
        return place
    if "\\" in path and not folders.windows:
        raise FileFault("this is a path of Windows, and ComfyUI does not run there; choose it again in the node")
    raise FileFault(f"there is no such file in ComfyUI's {folders.kind}; choose it again in the node")


def find_checkpoint(path: str, folders: Folders) -> str:
    """Give the checkpoint file that a payload names."""
    if not path:
        raise Refusal("No checkpoint is chosen: choose one in the node.")
    try:
        return find(path, folders)
    except FileFault as fault:
        raise Refusal(f"Checkpoint at {path}: {fault}.") from fault


def find_loras(loras: Sequence[Lora], folders: Folders) -> list[tuple[Lora, str]]:
    """Give the entries that do something, each with its file; a Refusal names every one that cannot be loaded."""
    found: list[tuple[Lora, str]] = []
    faults: list[str] = []
    for number, lora in enumerate(loras, 1):
        if not lora.works:
            continue
        try:
            found.append((lora, _find_lora(lora, folders)))
        except FileFault as fault:
            place = f" at {lora.path}" if lora.path else ""
            faults.append(f"{named(number, lora.label)}{place}: {fault}.")
    if faults:
        raise Refusal("\n".join(faults))
    return found


def _find_lora(lora: Lora, folders: Folders) -> str:
    if not lora.path:
        raise FileFault("no file is chosen; choose one in the node, or remove the entry")
    return find(lora.path, folders)


def fingerprint(paths: Sequence[str], folders: Folders) -> str:
    """Tell by a text whether the files behind paths are still the ones they were; what is not there has a text, too."""
    return "\n".join(_fingerprint(path, folders) for path in paths)


def _fingerprint(path: str, folders: Folders) -> str:
    try:
        return str(Stamp.of(_place(path, folders)))
    except (FileFault, OSError):
        return f"not there: {path}"
