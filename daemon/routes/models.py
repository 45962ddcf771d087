"""Handlers for models, types and tags."""

from typing import Any

import msgspec
from aiohttp import web

from ...events.pathtext import to_text
from ...events.record import now_ms
from ...projections import images, library, pending, tags
from ...projections.parts import All, Not, Part, Tagged, Typed, asks_for_words
from ...projections.query import parse
from .. import bulk, edits, tagging
from ..http import ApiError, answer, how, limit_of, number, one, read_body, read_raw, sha256_of, version_of, whole
from ..names import canonical_type
from ..pictured import MOST_LOOKED_AT
from ..services import Services
from ..shapes import ModelPatch, ModelsPatch, TagBody

MOST_TAGS = 50  # beside a query: each is a condition in SQL, which takes a thousand of them
FACETS = 100
MOST_FACETS = 1_000
MOST_OFFSET = 10_000_000


async def get_types(services: Services, _request: web.Request) -> web.Response:
    """Give the types that exist."""
    return answer({"items": library.types(services.library.db), "next": None})


async def list_models(services: Services, request: web.Request) -> web.Response:
    """Give a page of models, of those a query means, or what lies at a path."""
    path = one(request, "path")
    if path is not None:
        return await _at_path(services, path)
    order = one(request, "sort")
    if order not in (None, "best", *library.ORDERS):
        raise ApiError(422, f"sort must be one of best, {', '.join(library.ORDERS)}")
    tags_, not_tags = request.query.getall("tag", []), request.query.getall("not_tag", [])
    if len(tags_) + len(not_tags) > MOST_TAGS:
        raise ApiError(422, f"at most {MOST_TAGS} tags can be asked for at once")
    asked = (one(request, "q") or "").strip()
    if asked or order == "best" or not request.query.keys().isdisjoint(("facets", "offset")):
        return await _find(services, request, order)
    services.library.expect_searches()
    query = library.Query(
        type=type_of(request),
        tags=tuple(tags_),
        not_tags=tuple(not_tags),
        order=msgspec.convert(order or "name", library.Order),
    )
    page = library.page(services.library.db, query, limit=limit_of(request), cursor=one(request, "cursor"))
    return answer(page.json())


async def _find(services: Services, request: web.Request, order: str | None) -> web.Response:
    """Give a page of the models that all of the parameters together mean, with how many there are."""
    part = _asked(request)
    cursor, goes_on = one(request, "cursor"), "offset" in request.query
    if cursor and goes_on:
        raise ApiError(422, "a page begins behind a cursor or behind an offset, not both")
    facets = number(request, "facets", least=0, most=MOST_FACETS, default=0 if cursor or goes_on else FACETS)
    best_first = order == "best" or (order is None and asks_for_words(part))
    page = await services.library.find(
        part,
        order="best" if best_first else msgspec.convert(order or "name", library.Order),
        limit=limit_of(request),
        cursor=cursor,
        offset=number(request, "offset", least=0, most=MOST_OFFSET, default=0),
        facets=facets,
    )
    return answer(page.json())


def type_of(request: web.Request) -> str | None:
    """Give the type that is asked for by parameter: as in a query, `lora` means `loras`."""
    type_ = one(request, "type") or None
    try:
        return None if type_ is None else canonical_type(type_)
    except ValueError:
        return type_  # which no model has


def _asked(request: web.Request) -> Part:
    parts = [parse(one(request, "q") or "", now_ms=now_ms(), type_of=canonical_type, zone=None)]
    type_ = type_of(request)
    if type_ is not None:
        parts.append(Typed(type_))
    parts += [Tagged(name, "exact") for name in request.query.getall("tag", [])]
    parts += [Not(Tagged(name, "exact")) for name in request.query.getall("not_tag", [])]
    return parts[0] if len(parts) == 1 else All(tuple(parts))


async def _at_path(services: Services, path: str) -> web.Response:
    db = services.library.db
    found = library.at_path(db, to_text(path))
    match found:
        case ("model", str(sha256)):
            return answer({"model": await whole_model(services, sha256), "pending": None})
        case ("pending", int(number)):
            return answer({"model": None, "pending": pending.card(db, number)})
        case _:
            raise ApiError(404, "no model is known at this path; it may not have been seen yet")


async def whole_model(services: Services, sha256: str) -> dict[str, Any]:
    """Give a model whole, with the prompts that its pictures offer."""
    db = services.library.db
    found = library.whole(db, sha256)
    if found is None:
        raise ApiError(404, f"there is no model {sha256[:12]}; it may not be imported yet")
    there = [(f"{sha256}_{seq}", at) for seq, at in images.positions(db, sha256, MOST_LOOKED_AT)]
    return found | {"offered_prompts": await services.pictured.offered(there)}


async def get_model(services: Services, request: web.Request) -> web.Response:
    """Give a model whole."""
    found = await whole_model(services, sha256_of(request.match_info["sha256"]))
    return answer(found, headers={"ETag": f'"{found["version"]}"'})


async def patch_model(services: Services, request: web.Request) -> web.Response:
    """Change a model."""
    sha256 = sha256_of(request.match_info["sha256"])
    raw = await read_raw(request)
    patch: ModelPatch = await read_body(request, ModelPatch)
    version = version_of(request)
    written = await services.library.write(lambda db: edits.edit_model(db, sha256, patch, version), **how(request, raw))
    found = await whole_model(services, sha256)
    return answer(found | {"position": written.position}, headers={"ETag": f'"{found["version"]}"'})


async def patch_models(services: Services, request: web.Request) -> web.Response:
    """Change several models, as one action."""
    raw = await read_raw(request)
    patch: ModelsPatch = await read_body(request, ModelsPatch)
    written = await services.library.write(lambda db: bulk.edit_models(db, patch), **how(request, raw))
    return answer(dict(written.value) | {"position": written.position})


async def list_tags(services: Services, request: web.Request) -> web.Response:
    """Give a page of tags."""
    page = tags.page(services.library.db, limit=limit_of(request), cursor=one(request, "cursor"))
    return answer(page.json())


async def create_tag(services: Services, request: web.Request) -> web.Response:
    """Make a tag; one that exists is given as it is."""
    raw = await read_raw(request)
    body: TagBody = await read_body(request, TagBody)
    written = await services.library.write(lambda db: tagging.create(db, body.name), **how(request, raw))
    return answer(dict(written.value) | {"position": written.position, "merged": False})


async def rename_tag(services: Services, request: web.Request) -> web.Response:
    """Spell a tag otherwise; a name that another tag has merges the two."""
    number_ = whole(request.match_info["id"], "id", least=1)
    raw = await read_raw(request)
    body: TagBody = await read_body(request, TagBody)
    written = await services.library.write(lambda db: tagging.rename(db, number_, body.name), **how(request, raw))
    return answer(dict(written.value) | {"position": written.position})


async def delete_tag(services: Services, request: web.Request) -> web.Response:
    """Take a tag off everything."""
    number_ = whole(request.match_info["id"], "id", least=1)
    written = await services.library.write(lambda db: tagging.delete(db, number_), **how(request))
    return answer({"position": written.position})
