"""What the fields of an earlier library's row mean, each by itself. Pure; complaints go into a list of sentences."""

import hashlib
import json
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, cast

from ...projections.text import tag_key
from .. import tagging
from ..names import canonical_type, stem
from .text import brief, clean, inner, one_line, words

LONGEST_NAME = 500
LONGEST_PATH = 32_767  # characters: no system takes more
MOST_UNKNOWN = 20  # fields without a place here that are named one by one

SYSTEM_TAGS = frozenset({"checkpoint", "lora", "embedding", "vae", "upscale", "ultralytics", "other"})
"""The tags that v1 made in every library by itself."""

_ALIASES = {"checkpoints": "checkpoint", "loras": "lora", "embeddings": "embedding", "upscale_models": "upscale"}
_NO_TYPE = frozenset({"", "other", "unknown"})
_HASH = re.compile(r"[0-9a-f]{64}")
_OF_WINDOWS = re.compile(r"[A-Za-z]:[\\/]|\\\\")
_REPO = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")
_KNOWN = frozenset(
    [
        *("description", "community_links", "images", "images_count", "prompts"),
        *("usage", "civitai_url", "hf_repo", "params"),
        *("positive", "negative", "prompt", "negative_prompt"),
    ]
)

Problems = list[str]


def hash_of(text: str, algorithm: str, problems: Problems) -> str | None:
    """Give a hash as we write it, None where there is none or it cannot be a SHA-256."""
    text, algorithm = text.strip().lower(), algorithm.strip().lower().replace("-", "")
    if not text:
        return None
    if algorithm not in ("", "sha256"):
        problems.append(f"its hash is of the kind {brief(algorithm)}, not SHA-256; it comes without a hash")
        return None
    if not _HASH.fullmatch(text):
        problems.append(f"its hash {brief(text)} is no SHA-256; it comes without a hash")
        return None
    return text


def type_of(text: str, problems: Problems) -> str | None:
    """Give ComfyUI's name of a type in either of the earlier spellings, None where it says none."""
    if text.strip().casefold() in _NO_TYPE:
        return None
    try:
        return canonical_type(text)
    except ValueError:
        problems.append(f"its type {brief(text)} cannot be the name of a model folder; it comes without a type")
        return None


def checked_path(text: str, problems: Problems, *, on_windows: bool = os.name == "nt") -> str | None:
    """Give a path as it stands there, None where there is none; one that cannot be of this system is named."""
    if not text:
        return None
    if len(text) > LONGEST_PATH:
        problems.append(f"its path has {len(text)} characters, more than a path can have: {brief(text)}")
        return None
    if of_windows(text) != on_windows and (of_windows(text) or text.startswith("/")):
        problems.append(f"its path {brief(text, 300)} is a path of another system")
    elif not os.path.isabs(text):
        problems.append(f"its path {brief(text, 300)} is not absolute")
    return text


def of_windows(path: str) -> bool:
    """Tell whether a path is one of Windows: with a drive, or a share."""
    return _OF_WINDOWS.match(path) is not None


def base_name(path: str) -> str:
    """Give the last part of a path of any system."""
    return path.replace("\\", "/").rpartition("/")[2] if of_windows(path) else path.rpartition("/")[2]


def name_of(text: str, path: str | None, sha256: str | None, problems: Problems) -> str:
    """Give the name people see: less the extension where it is the file's own name; never empty."""
    of_file = one_line(clean(base_name(path or "")))
    name = one_line(text) or of_file or (sha256 or "")[:12] or "unnamed"
    if name == of_file:
        name = stem(name)
    if len(name) > LONGEST_NAME:
        problems.append(f"its name has {len(name)} characters; the first {LONGEST_NAME} came along")
    return name[:LONGEST_NAME].strip()


def tags_of(names: Iterable[str], raw_type: str, problems: Problems) -> tuple[str, ...]:
    """Give the tags that people put on a row: clean, each once, less those that repeat the row's type."""
    raw = raw_type.strip().casefold()
    repeating = {raw, *_spellings(raw)}
    found: dict[str, str] = {}
    for name in names:
        tag = clean_tag(name, problems)
        if tag is not None and tag.casefold() not in repeating:
            found.setdefault(tag_key(tag), tag)
    return tuple(found.values())


def clean_tag(name: str, problems: Problems) -> str | None:
    """Give a tag's name as it is kept, None where it cannot be."""
    name = one_line(clean(name))
    try:
        return tagging.clean(name) if name else None
    except tagging.BadTag as error:
        problems.append(f"its tag {brief(name)} did not come along: {error}")
        return None


def _spellings(raw: str) -> set[str]:
    """Give how v1 and Hikaze 2 call the type that is said; `lycoris`, which we take for it, is a tag of its own."""
    return {raw} | {name for pair in _ALIASES.items() if raw in pair for name in pair}


@dataclass
class Said:
    """What the JSON of a row says."""

    description: str = ""
    links: str = ""
    positive: str = ""
    negative: str = ""
    images: list[str] = field(default_factory=list[str])


def said(objects: dict[str, dict[str, Any]], problems: Problems) -> Said:
    """Give what the JSON columns of a row say, by column; the first that has a field is right about it."""
    fields: dict[str, Any] = {}
    for column, given in objects.items():
        for key, value in given.items():
            if key in _KNOWN:
                fields[key] = fields.get(key) or value
        _name_unknown(column, given, problems)
    positive, negative, further = _prompts(fields, problems)
    parts = [
        _text(fields, "description", problems),
        _headed("Usage", _text(fields, "usage", problems)),
        _headed("Parameters", _params(fields.get("params"), problems)),
        *further,
    ]
    description = "\n\n".join(part for part in parts if part)
    return Said(description, _links(fields, problems), positive, negative, _images(fields.get("images"), problems))


def _text(fields: dict[str, Any], key: str, problems: Problems) -> str:
    value = words(fields.get(key))
    if value is None:
        problems.append(f"its {key} is no text and did not come along: {_shown(fields[key])}")
        return ""
    return value if value.strip() else ""


def _headed(heading: str, text: str) -> str:
    return f"{heading}:\n{text}" if text else ""


def _params(value: Any, problems: Problems) -> str:
    value = inner(value)
    if not isinstance(value, dict):
        return _text({"params": value}, "params", problems)
    lines: list[str] = []
    for key, item in cast("dict[str, Any]", value).items():
        line = words(item)
        if line is None:
            line = _shown(item, 10_000)
        lines.append(f"{clean(key)}: {line}")
    return "\n".join(lines)


def _prompts(fields: dict[str, Any], problems: Problems) -> tuple[str, str, list[str]]:
    """Give the positive and the negative prompt, and what a second one of either says, under a heading."""
    value = inner(fields.get("prompts"))
    if isinstance(value, str | list):
        value = {"positive": cast("Any", value)}
    elif value is not None and not isinstance(value, dict):
        problems.append(f"its prompts are no object and did not come along: {_shown(value)}")
        value = None
    given = fields | cast("dict[str, Any]", value or {})
    found: list[str] = []
    further: list[str] = []
    for key, other, heading in (
        ("positive", "prompt", "Prompt"),
        ("negative", "negative_prompt", "Negative prompt"),
    ):
        first, second = _text(given, key, problems), _text(given, other, problems)
        found.append(first or second)
        if first and second and first.strip() != second.strip():
            further.append(_headed(heading, second))
    return found[0], found[1], further


def _links(fields: dict[str, Any], problems: Problems) -> str:
    links = _text(fields, "community_links", problems)
    repo = _text(fields, "hf_repo", problems).strip()
    if _REPO.fullmatch(repo):
        repo = f"https://huggingface.co/{repo}"
    for further in (_text(fields, "civitai_url", problems).strip(), repo):
        if further and further not in links.splitlines():
            links = f"{links}\n{further}" if links else further
    return links


def _images(value: Any, problems: Problems) -> list[str]:
    """Give the file names of the pictures that a list of addresses names, each once, never with a folder."""
    value = inner(value)
    listed = cast("list[Any]", value) if isinstance(value, list) else [value] if value else []
    found: dict[str, None] = {}
    for item in listed:
        name = _file_name(item)
        if name is not None:
            found[name] = None
        elif item:
            problems.append(f"its picture {_shown(item)} is no name of a file in the folder of pictures")
    return list(found)


def _file_name(address: Any) -> str | None:
    if not isinstance(address, str):
        return None
    parts = re.split(r"[/\\]", clean(address).partition("?")[0].partition("#")[0].strip())
    return None if ".." in parts or parts[-1] in ("", ".") else parts[-1]


def _name_unknown(column: str, given: dict[str, Any], problems: Problems) -> None:
    unknown = [key for key, value in given.items() if key not in _KNOWN and value not in (None, "", [], {}, False)]
    problems.extend(
        f"its {column} holds {brief(key)}, for which there is no place: {_shown(given[key])}"
        for key in unknown[:MOST_UNKNOWN]
    )
    if len(unknown) > MOST_UNKNOWN:
        problems.append(f"its {column} holds {len(unknown) - MOST_UNKNOWN} more fields for which there is no place")


def _shown(value: Any, most: int = 80) -> str:
    return brief(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str), most)


def digest(*says: Any) -> str:
    """Give the SHA-256 of what something says, in hexadecimal."""
    return hashlib.sha256(json.dumps(says).encode()).hexdigest()
