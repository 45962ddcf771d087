"""Handlers for sets of LoRAs."""

from typing import Any

from aiohttp import web

from ...projections import lora_sets as view
from .. import lorasets
from ..http import answer, how, limit_of, one, problem, read_body, read_raw, version_of, whole
from ..services import Services
from ..shapes import LoraSetBody


async def list_sets(services: Services, request: web.Request) -> web.Response:
    """Give a page of sets, by name."""
    page = view.page(services.library.db, limit=limit_of(request), cursor=one(request, "cursor"))
    return answer(page.json())


async def get_set(services: Services, request: web.Request) -> web.Response:
    """Give a set whole."""
    return _whole(services, _number(request), {})


async def create_set(services: Services, request: web.Request) -> web.Response:
    """Save a new set."""
    raw = await read_raw(request)
    body: LoraSetBody = await read_body(request, LoraSetBody)
    try:
        written = await services.library.write(lambda db: lorasets.create(db, body), **how(request, raw))
    except lorasets.NameTaken as error:
        return problem(409, str(error), existing=error.existing)
    return _whole(services, int(written.value), {"position": written.position})


async def replace_set(services: Services, request: web.Request) -> web.Response:
    """Save into a set that is there."""
    number, version = _number(request), version_of(request)
    raw = await read_raw(request)
    body: LoraSetBody = await read_body(request, LoraSetBody)
    try:
        written = await services.library.write(
            lambda db: lorasets.replace(db, number, body, version), **how(request, raw)
        )
    except lorasets.NameTaken as error:
        return problem(409, str(error), existing=error.existing)
    return _whole(services, number, {"position": written.position})


async def delete_set(services: Services, request: web.Request) -> web.Response:
    """Delete a set."""
    number, version = _number(request), version_of(request)
    written = await services.library.write(lambda db: lorasets.delete(db, number, version), **how(request))
    return answer({"position": written.position})


def _whole(services: Services, number: int, more: dict[str, Any]) -> web.Response:
    found = view.get(services.library.db, number)
    if found is None:
        raise lorasets.NoSuchSet(f"there is no set of LoRAs {number}; list them with GET /api/lora-sets")
    return answer(found | more, headers={"ETag": f'"{found["version"]}"'})


def _number(request: web.Request) -> int:
    return whole(request.match_info["id"], "id", least=1)
