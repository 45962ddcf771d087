"""Handlers for a ComfyUI that tells of itself: its folders, and what it used; and where a file lies that it names."""

import asyncio
from typing import Any

import msgspec
from aiohttp import web

from ...events.pathtext import shown
from ...events.record import now_ms
from ...projections import resolving
from .. import comfytold, uses
from .. import roots as rooting
from ..comfytold import Examined
from ..edits import canonical
from ..http import ApiError, answer, how, one, read_body, read_raw
from ..services import Services
from ..shapes import ComfyuiBody, UsageBody

PATIENCE_S = 10.0  # for dozens of folders, each on a disk of its own perhaps


async def tell_folders(services: Services, request: web.Request) -> web.Response:
    """Watch the folders that a ComfyUI has, but for those that the user removed; the answer awaits no look at them."""
    raw = await read_raw(request)
    body: ComfyuiBody = await read_body(request, ComfyuiBody)
    told, odd = comfytold.sorted_out(body.folders)
    examined = await _examined(services, told, body.base)
    written = await services.library.write(lambda db: comfytold.adjust(db, body.base, examined), **how(request, raw))
    await services.observer.roots_changed()
    left_out = [{"path": shown(path), "why": why} for path, why in odd] + written.value["left_out"]
    return answer({"roots": written.value["roots"], "left_out": left_out, "position": written.position})


async def _examined(services: Services, told: comfytold.Told, base: str) -> Examined:
    known = rooting.every(services.library.db)
    try:
        async with asyncio.timeout(PATIENCE_S):
            return await asyncio.to_thread(comfytold.examine, told, base, services.data, known)
    except TimeoutError as error:
        raise ApiError(
            503, "a disk that ComfyUI's folders lie on does not answer; see to it, and tell again"
        ) from error


async def tell_usage(services: Services, request: web.Request) -> web.Response:
    """Count what a ComfyUI used."""
    raw = await read_raw(request)
    body: UsageBody = await read_body(request, UsageBody)
    written = await services.library.write(lambda db: uses.count(db, body.used, now_ms()), **how(request, raw))
    return answer(dict(written.value) | {"position": written.position})


async def resolve(services: Services, request: web.Request) -> web.Response:
    """Give where a file lies now that is named by a path, a hash or a name."""
    type_ = one(request, "type")
    sought = resolving.Sought(
        one(request, "path") or "",
        one(request, "sha256") or "",
        one(request, "name") or "",
        canonical(type_) if type_ else None,
    )
    if not (sought.path or sought.sha256 or sought.name):
        raise ApiError(422, "say what to look for: ?path=, ?sha256= or ?name=")
    found: resolving.Resolved = await services.library.with_reader(resolving.resolve, sought)
    first = found.candidates[0] if found.candidates else None
    told: dict[str, Any] = {
        "here": found.here,
        "found_by": first and first.by,
        "path": first and shown(first.path),
        "candidates": [msgspec.to_builtins(each) | {"path": shown(each.path)} for each in found.candidates],
    }
    return answer(told)
