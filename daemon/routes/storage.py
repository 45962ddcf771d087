"""Handlers for what takes room on the disks: duplicates, and storage."""

from typing import Any

import apsw
from aiohttp import web
from msgspec import convert

from ...events.record import now_ms
from ...projections import duplicates
from .. import roots
from ..http import ApiError, answer, limit_of, one
from ..services import Services


async def list_duplicates(services: Services, request: web.Request) -> web.Response:
    """Give a page of what lies on the disks more than once. Nothing is looked at, and nothing changed."""
    kind = one(request, "kind")
    if kind is not None and kind not in duplicates.KINDS:
        raise ApiError(422, f"kind must be one of {', '.join(duplicates.KINDS)}")
    wanted = None if kind is None else convert(kind, duplicates.Kind)
    limit, cursor = limit_of(request), one(request, "cursor")

    def read(db: apsw.Connection) -> dict[str, Any]:
        return duplicates.page(db, limit=limit, cursor=cursor, kind=wanted)

    return answer(await services.library.with_reader(read))  # it may take longer than the event loop should be held


async def get_storage(services: Services, _request: web.Request) -> web.Response:
    """Give what takes how much room. No disk is touched for it that may not answer."""
    found = await services.library.storage(now_ms())
    free = await services.free_space(roots.every(services.library.db))
    for root in found["roots"]:
        root["free_bytes"], root["disk_bytes"] = free.get(root["root"], (None, None))
    return answer(found)
