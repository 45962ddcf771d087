"""All that is known of a model, or of a pending one, as titles and values for a person to read."""

import os
from collections.abc import Iterator, Mapping
from typing import Any

from ..content.wording import in_words
from .terminal import moment, number, size

Facts = Iterator[tuple[str, object]]

_HASH_NOTES = {
    "claimed": "an earlier library told of it; the bytes were not compared yet",
    "denied": "an earlier library told of it, but other content lies where it had the file",
}
_ORIGINS = {"header": "from the header", "provider": "from a sidecar"}
_LONGEST = 70  # characters of a note that are shown of a sidecar


def of_model(model: Mapping[str, Any]) -> Facts:
    """Give the facts of a model, as the API gives it whole."""
    yield "name", model["name"]
    yield from _filled(("before", ", ".join(_earlier(model))))
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
    yield from _offered(model)
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
    yield from _offered(pending)
    yield from _beside_and_inside(pending)


def _earlier(model: Mapping[str, Any]) -> Iterator[str]:
    for name in model.get("earlier_names", ()):
        yield f"{name['name']} (a file)" if name["kind"] == "file" else name["name"]


def _words(known: Mapping[str, Any]) -> Facts:
    tag_origins, origins = known.get("tag_origins", {}), known.get("origins", {})
    yield from _filled(
        ("tags", ", ".join(_from(tag_origins.get(tag), tag) for tag in known["tags"])),
        ("words", _from(origins.get("trigger_words"), ", ".join(known["trigger_words"]))),
        ("about", _from(origins.get("description"), known["description"])),
        ("links", _from(origins.get("community_links"), known["community_links"])),
        ("prompt", _from(origins.get("prompts"), known["prompts"]["positive"])),
        ("negative", _from(origins.get("prompts"), known["prompts"]["negative"])),
    )


def _from(origin: str | None, text: str) -> str:
    """Say of a text where it comes from, unless it is a person's."""
    note = _ORIGINS.get(origin or "")
    return f"{text} ({note})" if text and note else text


def _offered(known: Mapping[str, Any]) -> Facts:
    """Give the prompts that a picture was made with, where nobody has written any."""
    offered = known.get("offered_prompts")
    if not offered or any(known["prompts"].values()):
        return
    _, _, sequence = offered["image"].rpartition("_")
    picture = f"picture …_{sequence}" if "_" in offered["image"] else "its picture"
    for title, text in (("prompt", offered["positive"]), ("negative prompt", offered["negative"])):
        if text:
            yield "offered", f"{title} (from {picture}): {text}"


def _beside_and_inside(known: Mapping[str, Any]) -> Facts:
    for provided in known.get("provided", ()):
        yield "sidecar", _said(provided)
    header = known["header"]
    told = list(in_words(header))
    yield from (("header", f"{title}: {text}") for title, text in told)
    covered = {"rules", "parameters", "problem"} if told else {"rules"}
    for key, value in header.items():
        if isinstance(value, (str, int, float)) and key not in covered:
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
