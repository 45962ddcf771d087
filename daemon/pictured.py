"""What pictures tell of how they were made: read from the log in a thread, and what was read last is remembered.

The texts of a picture stand in the event that tells of it, and nowhere else; nothing of it ever changes.
"""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

import apsw
import msgspec

from ..events.errors import LogError
from ..projections import references
from ..projections.references import Link, Wanted
from .generation.reading import read
from .generation.told import Generation, Reference
from .library import Library
from .shapes import ImageInfo, ImageReference, OfferedPrompts, Prompts

MOST_LOOKED_AT = 5
"""Pictures of a model that are looked at for a prompt to offer; each is an event to read."""
REMEMBERED = 256
"""Pictures whose prompts are remembered, at most 100 KB each and usually one."""

_BLOCKS = {"exif", "xmp"}  # the blocks of `pictures.Picture.texts`, of which the texts stand there too
_FORMATS = {".png": "PNG", ".jpg": "JPEG", ".webp": "WEBP", ".gif": "GIF", ".avif": "AVIF"}


class Told(msgspec.Struct, frozen=True):
    """What the event of a picture tells: the original's format and size in pixels, its texts, and what they mean."""

    format: str | None
    width: int
    height: int
    texts: dict[str, str]
    generation: Generation


class Pictured:
    """Reads what pictures tell; of one event loop."""

    def __init__(self, library: Library) -> None:
        """Read from a library's log."""
        self._library = library
        self._prompts: dict[int, tuple[str, str]] = {}

    async def told(self, position: int) -> Told:
        """Give what the picture of the event at a position tells. Raises `LogError` where it cannot be read."""
        events = await self._library.events(position - 1, 1)
        return await asyncio.to_thread(_told, events[0]["data"] if events else {})

    async def offered(self, pictures: Iterable[tuple[str, int]]) -> OfferedPrompts | None:
        """Give the prompts of the first of some pictures (base name, position of its event) that has any."""
        for image, position in pictures:
            positive, negative = await self._prompts_of(position)
            if positive or negative:
                return OfferedPrompts(positive, negative, image)
        return None

    async def _prompts_of(self, position: int) -> tuple[str, str]:
        known = self._prompts.pop(position, None)
        if known is None:
            try:
                found = (await self.told(position)).generation
            except LogError:
                return "", ""  # the log is damaged, which is told elsewhere: the model itself is still shown
            known = found.positive, found.negative
        self._prompts[position] = known  # the latest stands last
        while len(self._prompts) > REMEMBERED:
            self._prompts.pop(next(iter(self._prompts)))
        return known

    async def linked(self, generation: Generation) -> list[Link]:
        """Give for each file that a picture refers to the model that is meant."""
        wanted = [Wanted(one.kind, one.name, one.hash, one.hash_kind) for one in generation.references]
        return await self._library.with_reader(_link, wanted) if wanted else []


def info(image: str, told: Told, links: Iterable[Link]) -> ImageInfo:
    """Give what a picture of this base name tells, as the API shows it."""
    made = told.generation
    seed = None if made.seed is None else str(made.seed)
    return ImageInfo(
        image=image,
        format=told.format,
        width=told.width,
        height=told.height,
        source=made.source,
        prompts=Prompts(made.positive, made.negative),
        seed=made.seed,
        seed_text=seed,
        sampler=made.sampler,
        scheduler=made.scheduler,
        steps=made.steps,
        cfg=made.cfg,
        size=made.size,
        denoise=made.denoise,
        clip_skip=made.clip_skip,
        model=made.model,
        references=[_referred(one, link) for one, link in zip(made.references, links, strict=True)],
        texts=told.texts,
        problem=made.problem,
    )


def _referred(one: Reference, link: Link) -> ImageReference:
    return ImageReference(
        kind=one.kind,
        name=one.name,
        hash=one.hash,
        hash_kind=one.hash_kind,
        weight=one.weight,
        sha256=link.sha256,
        linked_by=link.linked_by,
        model_name=link.model_name,
        candidates=link.candidates,
    )


def _link(db: apsw.Connection, wanted: list[Wanted]) -> list[Link]:
    return references.link(db, wanted)


def _told(data: Mapping[str, Any]) -> Told:
    texts: dict[str, str] = data.get("texts") or {}
    kept = {key: text for key, text in texts.items() if key not in _BLOCKS}
    format_ = data.get("format") or _FORMATS.get(data.get("extension", ""))
    return Told(format_, data.get("width", 0), data.get("height", 0), kept, read(texts))
