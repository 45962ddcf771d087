"""All that is known of a model, or of a pending one, as titles and values for a person to read."""

import os
from collections.abc import Iterator, Mapping
from typing import Any

from .terminal import moment, number, size

Facts = Iterator[tuple[str, object]]

_HASH_NOTES = {
    "claimed": "an earlier library told of it; the bytes were not compared yet",
    "denied": "an earlier library told of it, but other content lies where it had the file",
}
_LONGEST = 70  # characters of a note that are shown of a sidecar


def of_model(model: Mapping[str, Any]) -> Facts:
    """Give the facts of a model, as the API gives it whole."""
    yield "name", model["name"]
    yield "type", model["type"]
    yield "sha256", model["sha256"]
    if note := _HASH_NOTES.get(model.get("hash_state", "")):
        yield "hash", note
    yield "size", f"{size(model['size_bytes'])} ({model['size_bytes']:,} bytes)"
    yield "added", moment(model["created_at"])
    yield "state", model["state"]
    for place in model["locations"]:
        yield place["state"], place["path"] + (" (not compared yet)" if place.get("claimed") else "")
    for denied in model.get("denied", ()):
        yield "denied", f"{denied['path']} is {denied['sha256']}"
    if model.get("favorite"):
        yield "favorite", "yes"
    yield from _words(model)
    yield from _filled(("pictures", ", ".join(model["images"])), ("cover", model["cover"]))
    yield from _beside_and_inside(model)


def of_pending(pending: Mapping[str, Any]) -> Facts:
    """Give the facts of a pending model, as the API gives it whole."""
    yield "id", pending["id"]
    yield "name", pending["name"]
    yield "type", pending["type"] or "not known; say it with --type when it is imported"
    yield "size", f"{size(pending['size_bytes'])} ({pending['size_bytes']:,} bytes)"
    yield "seen", moment(pending["created_at"])
    yield pending["state"], pending["path"]
    yield from _filled(("content of", pending["sha256"]), ("instead of", pending.get("replaces")))
    yield from _words(pending)
    yield from _filled(("picture", pending.get("image")))
    yield from _beside_and_inside(pending)


def _words(known: Mapping[str, Any]) -> Facts:
    yield from _filled(
        ("tags", ", ".join(known["tags"])),
        ("words", ", ".join(known["trigger_words"])),
        ("about", known["description"]),
        ("links", known["community_links"]),
        ("prompt", known["prompts"]["positive"]),
        ("negative", known["prompts"]["negative"]),
    )


def _beside_and_inside(known: Mapping[str, Any]) -> Facts:
    for provided in known.get("provided", ()):
        yield "sidecar", _said(provided)
    for key, value in known["header"].items():
        if isinstance(value, (str, int, float)):
            yield "header", f"{key}: {value}"


def _said(provided: Mapping[str, Any]) -> str:
    """Say in a line what a sidecar says."""
    counts = (("trigger_words", "word"), ("tags", "tag"), ("links", "link"))
    parts = [
        repr(provided["name"]) if provided["name"] else "",
        f"noted {_shortened(provided['notes'])!r}" if provided["notes"] else "",
        "a description" if provided["description"] else "",
        *(number(len(provided[field]), noun) for field, noun in counts if provided[field]),
        "prompts" if any(provided["prompts"].values()) else "",
        "a favorite" if provided["favorite"] else "",
        provided["problem"],
    ]
    said = ", ".join(part for part in parts if part) or "nothing that is shown"
    return f"{os.path.basename(provided['path'])} ({provided['source']}): {said}"


def _shortened(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"


def _filled(*facts: tuple[str, object]) -> Facts:
    yield from ((title, value) for title, value in facts if value not in ("", None))
