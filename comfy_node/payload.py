"""What a node's one text widget says: all spellings of it that were ever written, read strictly.

A bad entry is an error that names it, and never empties a list. `web/src/comfy/payload.ts` reads the same; the cases
that both are held to lie in `tests/payloads.json`.
"""

import json
import math
import re
from dataclasses import dataclass
from typing import Any, NoReturn

LISTS = ("LoRAs", "loras", "LoRAList", "loRAList")
PATHS = ("full_path", "fullPath", "path")
MODEL_STRENGTHS = ("strength_model", "MStrength", "strengthModel")
CLIP_STRENGTHS = ("strength_clip", "CStrength", "strengthClip")
SWITCHES = ("enabled", "toggleOn")
VERSIONS = (1, 2)

_NUMBER = re.compile(r"\s*[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)
# No file is named by NUL, or by half of a surrogate pair.
_IN_NO_PATH = re.compile("[\0\ud800-\udfff]")


class PayloadError(Exception):
    """A payload cannot be read; the message is one sentence, and names the entry where it is one."""


@dataclass(frozen=True)
class Lora:
    """One entry of a LoRA list; `name` and `sha256` are for the node's face alone."""

    path: str
    name: str = ""
    strength_model: float = 1.0
    strength_clip: float = 1.0
    sha256: str | None = None
    enabled: bool = True

    @property
    def works(self) -> bool:
        """Whether it changes anything: switched on, with a strength."""
        return self.enabled and not self.strength_model == self.strength_clip == 0

    @property
    def label(self) -> str:
        """What to call it in a sentence: its name, or that of its file."""
        return self.name or _last_part(self.path)


def read_checkpoint(text: str) -> str:
    """Give the path in a checkpoint payload; empty where none is chosen."""
    content = _parse(text)
    if content is None:
        return ""
    if not isinstance(content, dict):
        raise PayloadError('The payload must be an object with "ckpt_path".')
    return _path(content, ("ckpt_path",), "")


def read_loras(text: str) -> list[Lora]:
    """Give the entries of a LoRA payload, in order; none where none are chosen."""
    return [_lora(entry, number) for number, entry in enumerate(_entries(_parse(text)), 1)]


def named(number: int, label: str) -> str:
    """Name an entry of a list in a sentence."""
    return f"LoRA {number} ({label})" if label else f"LoRA {number}"


def _parse(text: str) -> Any:
    text = text.strip()
    if not text:
        return None
    try:
        return json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise PayloadError("The payload is not valid JSON.") from error


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"JSON has no {constant}")


def _entries(content: Any) -> list[Any]:
    if content is None:
        return []
    if isinstance(content, list):
        return content
    # A list under a name that nobody knows must not pass for an empty one.
    if not isinstance(content, dict) or (content.keys() - {"version"} and not content.keys() & {*LISTS}):
        raise PayloadError('The payload must be a list of LoRAs, or an object that has one under "LoRAs".')
    _check_version(content.get("version"))
    for key in LISTS:
        if not isinstance(content.get(key), list | None):
            raise PayloadError(f'"{key}" must be a list.')
    filled = [key for key in LISTS if content.get(key)]
    if len(filled) > 1:
        raise PayloadError(f'The payload has two lists of LoRAs, under "{filled[0]}" and "{filled[1]}".')
    return content[filled[0]] if filled else []


def _check_version(version: Any) -> None:
    known = {*VERSIONS, *map(str, VERSIONS)}
    if version is None or (isinstance(version, int | float | str) and version is not True and version in known):
        return
    raise PayloadError(f"Version {json.dumps(version, ensure_ascii=False)} of the payload is not known.")


def _lora(entry: Any, number: int) -> Lora:
    if not isinstance(entry, dict):
        raise PayloadError(f"{named(number, '')} must be an object.")
    name = entry.get("name")
    name = name if isinstance(name, str) else ""
    path = _path(entry, PATHS, f"{named(number, name)}: ")
    prefix = f"{named(number, name or _last_part(path))}: "
    return Lora(
        path,
        name,
        _strength(entry, MODEL_STRENGTHS, prefix),
        _strength(entry, CLIP_STRENGTHS, prefix),
        _checksum(entry.get("sha256")),
        _switch(entry, prefix),
    )


def _path(entry: dict[str, Any], spellings: tuple[str, ...], prefix: str) -> str:
    key, path = _first(entry, spellings, nothing=(None, ""))
    if path is None:
        return ""
    if not isinstance(path, str):
        raise PayloadError(f'{prefix}"{key}" must be text.')
    if _IN_NO_PATH.search(path):
        raise PayloadError(f'{prefix}"{key}" has characters that no path can have.')
    return path


def _strength(entry: dict[str, Any], spellings: tuple[str, ...], prefix: str) -> float:
    key, value = _first(entry, spellings)
    if value is None:
        return 1.0
    strength = _number(value)
    if not math.isfinite(strength):
        raise PayloadError(f'{prefix}"{key}" must be a number.')
    return strength


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return math.nan
    if isinstance(value, str) and not _NUMBER.fullmatch(value):
        return math.nan
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _switch(entry: dict[str, Any], prefix: str) -> bool:
    key, value = _first(entry, SWITCHES)
    if not isinstance(value, bool | None):
        raise PayloadError(f'{prefix}"{key}" must be true or false.')
    return value is not False


def _checksum(value: Any) -> str | None:
    return (value.strip().lower() or None) if isinstance(value, str) else None


def _first(entry: dict[str, Any], spellings: tuple[str, ...], nothing: tuple[Any, ...] = (None,)) -> tuple[str, Any]:
    """Give the first spelling that says something, and what it says; without any, nothing."""
    for key in spellings:
        value = entry.get(key)
        if not any(value is nought or value == nought for nought in nothing):
            return key, value
    return spellings[0], None


def _last_part(path: str) -> str:
    return re.split(r"[/\\]", path)[-1]
