"""Reads how a picture was made from the texts it carries (`pictures.Picture.texts`), whoever wrote them.

Nothing here raises, whatever the texts are, and all of it is bounded: a text is looked through a few times at most.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from .comfy import read_graph, read_page
from .infotext import is_infotext, read_infotext
from .others import (
    fields_of,
    read_draw_things,
    read_dream,
    read_fooocus,
    read_invoke,
    read_novelai,
    read_swarm,
)
from .told import Generation, united

MAX_LETTERS = 4 * 1024 * 1024
"""Characters of one text beyond which it is not read; a picture keeps no more than a quarter of that."""

# Where generators put one text that tells it all: PNG keywords, EXIF tags, and the comment of a JPEG or GIF.
_PLACES = ("parameters", "UserComment", "comment", "ImageDescription", "XPComment", "Comment", "user_comment")
_LABELLED = re.compile(r"\s{0,20}(prompt|workflow)\s{0,20}:\s{0,20}(?=\{)", re.IGNORECASE)


def read(texts: Mapping[str, str]) -> Generation:
    """Give how a picture was made; a `Generation` of nothing where its texts do not tell."""
    kept = {key: text for key, text in texts.items() if len(text) <= MAX_LETTERS}
    graph = _graph(kept)
    written = next((told for told in _written(kept) if told is not None), None)
    if written is not None and graph is not None:
        # What a node wrote beside the graph holds the prompt as it was used, and hashes; the graph is the origin.
        both = united(written, graph)
        return msgspec.structs.replace(both, source="comfyui") if written.source == "a1111" else both
    return written or graph or Generation()


def _written(texts: Mapping[str, str]) -> Iterator[Generation | None]:
    """Give what each text tells that is no graph, the surest first."""
    objects = {place: fields for place in _PLACES if (fields := fields_of(texts.get(place, ""))) is not None}
    readers: tuple[Callable[[Mapping[str, Any]], Generation | None], ...] = (read_swarm, read_fooocus)
    for fields in objects.values():
        yield from (reader(fields) for reader in readers)
    for key in ("invokeai_metadata", "sd-metadata"):
        if (fields := fields_of(texts.get(key, ""))) is not None:
            yield read_invoke(fields)
    if "Dream" in texts:
        yield read_dream(texts["Dream"])
    for place in ("Comment", "comment", "UserComment"):
        fields = objects.get(place)
        if fields is not None and _is_novelai(texts, fields):
            yield read_novelai(fields, texts.get("Description", ""), texts.get("Source"))
    if "xmp" in texts:
        yield read_draw_things(texts["xmp"])
    for place in _PLACES:
        if place not in objects and is_infotext(texts.get(place, "")):
            yield read_infotext(texts[place])


def _is_novelai(texts: Mapping[str, str], fields: Mapping[str, Any]) -> bool:
    return texts.get("Software", "").startswith("NovelAI") or {"uc", "noise_schedule", "prompt"} <= fields.keys()


def _graph(texts: Mapping[str, str]) -> Generation | None:
    """Give what ComfyUI's graph tells: the one that ran, else the one of its page."""
    found = _Graphs()
    for kind in ("prompt", "workflow"):
        if texts.get(kind, "").lstrip().startswith("{"):
            found.take(kind, texts[kind])
    for place in ("Make", "Model", *_PLACES):
        text = texts.get(place, "")
        if label := _LABELLED.match(text):
            found.take(label[1].lower(), text[label.end() :])
        elif "class_type" in text or "nodes" in text:
            found.take_inner(text)
    for reader, several in ((read_graph, found.ran), (read_page, found.pages)):
        for fields in several:
            if (told := reader(fields)) is not None:
                return told
    return Generation(source="comfyui", problem="its workflow is broken off, or no JSON") if found.broken else None


@dataclass(slots=True)
class _Graphs:
    """The objects that should be a graph as it ran, and those that should be one of the page."""

    ran: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    pages: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    broken: bool = False

    def take(self, kind: str, value: object) -> None:
        """Take a graph of a kind: an object, or the text of one."""
        fields = fields_of(value) if isinstance(value, str) else value
        if isinstance(fields, dict):
            (self.ran if kind == "prompt" else self.pages).append(fields)
        else:
            self.broken = True

    def take_inner(self, text: str) -> None:
        """Take the graphs in an object: it is one itself, or has one under the name of its kind."""
        fields = fields_of(text)
        if fields is None:
            return
        if any(isinstance(value, dict) and "class_type" in value for value in fields.values()):
            self.ran.append(fields)
        for kind in ("prompt", "workflow"):
            inner = fields.get(kind)
            if isinstance(inner, dict) or (isinstance(inner, str) and inner.lstrip().startswith("{")):
                self.take(kind, inner)
