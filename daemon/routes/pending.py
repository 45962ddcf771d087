"""Handlers for pending models and their import."""

import asyncio
from typing import Any, TypeVar

import apsw
from aiohttp import web

from ...events.pathtext import to_path
from ...projections import library, pending, roots, tags
from ...projections.finding import transaction
from ...projections.pendinglist import IMPORTS, STATES, Wanted
from ...projections.query import MOST_CHARACTERS
from .. import dismissing, edits
from ..content.header import read_tensors
from ..edits import canonical
from ..http import ApiError, answer, how, limit_of, number, one, problem, read_body, read_raw, version_of, whole
from ..importer import Ended, Wish
from ..services import Services
from ..shapes import ImportBody, PendingPatch
from .models import type_of, whole_model

Value = TypeVar("Value", bound=str)

PATIENCE_S = 5.0  # for a file that is read while somebody waits for the answer
MOST_TENSORS = 20_000  # shown of one file; the largest models in use have about 5,000


async def list_pending(services: Services, request: web.Request) -> web.Response:
    """Give a page of the pending models that are asked for, newest first."""
    limit, cursor, wanted = limit_of(request), one(request, "cursor"), _wanted(request)

    def ask(db: apsw.Connection) -> pending.Listed:
        with transaction(db):
            return pending.page(db, limit=limit, cursor=cursor, wanted=wanted)

    page: pending.Listed = await services.library.with_reader(ask)
    return answer(page.json())


def _wanted(request: web.Request) -> Wanted:
    words = (one(request, "q") or "").split()
    if sum(map(len, words)) > MOST_CHARACTERS:
        raise ApiError(422, f"q has at most {MOST_CHARACTERS:,} characters")
    in_place = one(request, "in_place")
    if in_place not in (None, "0", "1"):
        raise ApiError(422, "in_place is 1 for those that lie in a model folder, 0 for those that do not")
    return Wanted(
        frozenset(_each_of(request, "state", STATES)),
        frozenset(_each_of(request, "import", IMPORTS)),
        tuple(words),
        type_of(request),
        None if in_place is None else in_place == "1",
    )


def _each_of(request: web.Request, name: str, known: tuple[Value, ...]) -> list[Value]:
    """Give the values of a parameter that may be repeated; 422 where one is none of those that are known."""
    wanted = request.query.getall(name, [])
    if not set(wanted) <= set(known):
        raise ApiError(422, f"{name} must be one of {', '.join(known)}; it may be repeated")
    return [each for each in known if each in wanted]


async def get_pending(services: Services, request: web.Request) -> web.Response:
    """Give a pending model whole."""
    whole = await _whole(services, _id(request))
    return answer(whole, headers={"ETag": f'"{whole["version"]}"'})


async def _whole(services: Services, number_: int) -> dict[str, Any]:
    found = pending.get(services.library.db, number_)
    tensors = [] if found is None else await _tensors_of(services, to_path(found.path))
    known, position = _known(services.library.db, number_), None if found is None else found.picture_position
    offered = await services.pictured.offered([] if position is None else [(str(number_), position)])
    return known | {"tensors": tensors, "offered_prompts": offered}


def _known(db: apsw.Connection, number_: int) -> dict[str, Any]:
    """Give all that is known of a pending model, as it was at one moment."""
    db.execute("BEGIN")
    try:
        card, found, rows = pending.card(db, number_), pending.get(db, number_), pending.provided(db, number_)
        tag_origins = tags.named_origins_of_pending(db, number_)
    finally:
        db.execute("ROLLBACK")
    if card is None or found is None:
        raise ApiError(404, f"there is no pending model {number_}; list them with `hikazed pending`")
    return (
        card
        | library.layered(found.own, found.given, rows, found.header)
        | {
            "tag_origins": tag_origins,
            "description": found.texts.description,
            "community_links": found.texts.community_links,
            "prompts": {"positive": found.texts.prompts.positive, "negative": found.texts.prompts.negative},
            "trigger_words": found.texts.trigger_words,
            "header": found.header,
            "version": found.version,
        }
    )


async def _tensors_of(services: Services, path: str) -> list[dict[str, Any]]:
    """Read which tensors a file holds; none where that cannot be read now, on a disk that does not answer perhaps."""
    if not services.tools.answers(path):
        return []
    try:
        async with asyncio.timeout(PATIENCE_S):
            return await asyncio.to_thread(_tensors, path)
    except TimeoutError:
        return []


def _tensors(path: str) -> list[dict[str, Any]]:
    try:
        found = read_tensors(path)
    except OSError:
        return []
    return [{"name": one_.name, "dtype": one_.dtype, "shape": one_.shape} for one_ in found[:MOST_TENSORS]]


async def patch_pending(services: Services, request: web.Request) -> web.Response:
    """Change a pending model."""
    number_ = _id(request)
    raw = await read_raw(request)
    patch: PendingPatch = await read_body(request, PendingPatch)
    version = version_of(request)
    written = await services.library.write(
        lambda db: edits.edit_pending(db, number_, patch, version), **how(request, raw)
    )
    whole = await _whole(services, number_)
    return answer(whole | {"position": written.position}, headers={"ETag": f'"{whole["version"]}"'})


async def dismiss(services: Services, request: web.Request) -> web.Response:
    """Send a pending model away: a dropped file to the trash, one in place out of sight."""
    number_, ways = _id(request), how(request)
    found = pending.get(services.library.db, number_)
    if found is not None and not found.in_place and number_ in roots.paused_pending(services.library.db):
        raise ApiError(409, "its folder is paused; resume that, then dismiss it")
    if found is not None and not found.in_place and not services.tools.answers(to_path(found.path)):
        raise ApiError(409, "the file system of its folder does not answer; try again when it does")
    try:
        written = await dismissing.dismiss(services.library, services.tools.busy, services.data, number_, **ways)
    except dismissing.NotNow as error:
        raise ApiError(409, str(error)) from error
    if found is not None:
        services.observer.look_again([to_path(found.path)])
    return answer({"position": written.position})


async def import_models(services: Services, request: web.Request) -> web.Response:
    """Import one pending model and answer with what came of it, or queue several."""
    raw = await read_raw(request)
    body: ImportBody = await read_body(request, ImportBody)
    wish = Wish(body.conflict_strategy, None if body.type is None else canonical(body.type))
    ways = how(request, raw)
    if isinstance(body.id, int):
        return await _told(services, await services.importer.one(body.id, wish, **ways))
    which = None if body.id == "all" else body.id
    queued, position, action = await services.importer.many(which, wish, **ways)
    return answer({"queued": queued, "action": action, "position": position}, 202)


async def _told(services: Services, ended: Ended) -> web.Response:
    db = services.library.db
    match ended.state:
        case "completed":
            value = {"status": ended.status, "sha256": ended.sha256, "path": ended.path}
            return answer(value | {"position": ended.position})
        case "conflict":
            existing = await whole_model(services, ended.sha256 or "")
            card = pending.card(db, ended.pending)
            return answer({"status": "conflict", "pending": card, "existing": existing}, 409)
        case "cancelled":
            return problem(409, "the import was cancelled before anything was done")
        case _:
            return problem(422, ended.reason or "the import failed")


async def cancel_imports(services: Services, request: web.Request) -> web.Response:
    """Take back imports, of some pending models or all, that have not put a file into its place yet."""
    numbers = {whole(each, "id", least=1) for each in request.query.getall("id", [])}
    cancelled, position = await services.importer.cancel(numbers or None, actor=how(request)["actor"])
    return answer({"cancelled": cancelled, "position": position})


def _id(request: web.Request) -> int:
    return number(request, "id", least=1, most=2**53)
