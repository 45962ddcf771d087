"""What the handlers work with, handed down by `app`: nothing here does anything of its own."""

import asyncio
from asyncio import BaseTransport
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from aiohttp import web

from .access import Codes
from .export.run import Exporter
from .gallery import Gallery
from .imagestore import ImageStore
from .importer import Importer
from .ingest import Tools
from .instance import Secrets
from .library import Library
from .migration.run import Migration
from .observer import Observer
from .pictured import Pictured
from .roots import Root
from .uploading import Uploads


@dataclass(slots=True)
class Services:
    """The parts of a running daemon."""

    version: str
    data: str
    library: Library
    store: ImageStore
    gallery: Gallery
    pictured: Pictured
    tools: Tools
    importer: Importer
    observer: Observer
    migration: Migration
    uploads: Uploads
    exporter: Exporter
    secrets: Secrets
    codes: Codes
    may_connect: Callable[[BaseTransport | None], bool]
    is_trusted: Callable[[web.Request], bool]
    free_space: Callable[[Sequence[Root]], Awaitable[Mapping[int, tuple[int, int]]]]
    """Gives, by root, the free and all bytes of its disk; those are left out that it would not do to ask."""
    page: Mapping[str, bytes]
    stopping: asyncio.Event
    url: str = ""
    notes: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    """Warnings of the start, each with its cure."""
    streams: set[web.StreamResponse] = field(default_factory=set[web.StreamResponse])
    """The live streams that are open."""
