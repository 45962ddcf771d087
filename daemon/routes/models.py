"""Handlers for models, types and tags."""

import msgspec
from aiohttp import web

from ...events.pathtext import to_text
from ...projections import library, pending, tags
from .. import edits, tagging
from ..http import ApiError, answer, how, limit_of, one, read_body, read_raw, sha256_of, version_of, whole
from ..services import Services
from ..shapes import ModelPatch, TagBody

MOST_TERMS = 50  # of a search: each is a condition in SQL, which takes a thousand of them


async def get_types(services: Services, _request: web.Request) -> web.Response:
    """Give the types that exist."""
    return answer({"items": library.types(services.library.db), "next": None})


async def list_models(services: Services, request: web.Request) -> web.Response:
    """Give a page of models, or what lies at a path."""
    path = one(request, "path")
    if path is not None:
        return _at_path(services, path)
    order = one(request, "sort") or "name"
    if order not in library.ORDERS:
        raise ApiError(422, f"sort must be one of {', '.join(library.ORDERS)}")
    query = library.Query(
        type=one(request, "type") or None,
        words=tuple((one(request, "q") or "").split()),
        tags=tuple(request.query.getall("tag", [])),
        not_tags=tuple(request.query.getall("not_tag", [])),
        order=msgspec.convert(order, library.Order),
    )
    if len(query.words) > MOST_TERMS or len(query.tags) + len(query.not_tags) > MOST_TERMS:
        raise ApiError(422, f"at most {MOST_TERMS} words and {MOST_TERMS} tags can be asked for at once")
    limit, cursor = limit_of(request), one(request, "cursor")
    if query.words:  # a search may take longer than the event loop should be held
        page = await services.library.with_reader(lambda db: library.page(db, query, limit=limit, cursor=cursor))
    else:
        page = library.page(services.library.db, query, limit=limit, cursor=cursor)
    return answer(page.json())


def _at_path(services: Services, path: str) -> web.Response:
    db = services.library.db
    found = library.at_path(db, to_text(path))
    match found:
        case ("model", str(sha256)):
            return answer({"model": library.whole(db, sha256), "pending": None})
        case ("pending", int(number)):
            return answer({"model": None, "pending": pending.card(db, number)})
        case _:
            raise ApiError(404, "no model is known at this path; it may not have been seen yet")


def _whole(services: Services, sha256: str) -> dict[str, object]:
    found = library.whole(services.library.db, sha256)
    if found is None:
        raise ApiError(404, f"there is no model {sha256[:12]}; it may not be imported yet")
    return found


async def get_model(services: Services, request: web.Request) -> web.Response:
    """Give a model whole."""
    found = _whole(services, sha256_of(request.match_info["sha256"]))
    return answer(found, headers={"ETag": f'"{found["version"]}"'})


async def patch_model(services: Services, request: web.Request) -> web.Response:
    """Change a model."""
    sha256 = sha256_of(request.match_info["sha256"])
    raw = await read_raw(request)
    patch: ModelPatch = await read_body(request, ModelPatch)
    version = version_of(request)
    written = await services.library.write(lambda db: edits.edit_model(db, sha256, patch, version), **how(request, raw))
    found = _whole(services, sha256)
    return answer(found | {"position": written.position}, headers={"ETag": f'"{found["version"]}"'})


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
    number = whole(request.match_info["id"], "id", least=1)
    raw = await read_raw(request)
    body: TagBody = await read_body(request, TagBody)
    written = await services.library.write(lambda db: tagging.rename(db, number, body.name), **how(request, raw))
    return answer(dict(written.value) | {"position": written.position})


async def delete_tag(services: Services, request: web.Request) -> web.Response:
    """Take a tag off everything."""
    number = whole(request.match_info["id"], "id", least=1)
    written = await services.library.write(lambda db: tagging.delete(db, number), **how(request))
    return answer({"position": written.position})
