"""Handlers for pending models and their import."""

import asyncio
import os
import secrets
from typing import Any

from aiohttp import web

from ..events.catalog import FileTrashed
from ..events.log import now_ms
from ..events.pathtext import to_path, to_text
from ..projections import library, pending
from . import edits, trash
from .edits import canonical
from .header import read_tensors
from .http import ApiError, answer, how, limit_of, number, one, problem, read_body, read_raw, version_of
from .importer import Ended, Wish
from .roots import Root, every, of_path
from .scan import stat_file
from .services import Services
from .shapes import ImportBody, PendingPatch

MOST_TENSORS = 20_000  # shown of one file; the largest models in use have about 5,000


async def list_pending(services: Services, request: web.Request) -> web.Response:
    """Give a page of pending models, newest first."""
    page = pending.page(services.library.db, limit=limit_of(request), cursor=one(request, "cursor"))
    return answer(page.json())


async def get_pending(services: Services, request: web.Request) -> web.Response:
    """Give a pending model whole."""
    whole = await _whole(services, _id(request))
    return answer(whole, headers={"ETag": f'"{whole["version"]}"'})


async def _whole(services: Services, number_: int) -> dict[str, Any]:
    db = services.library.db
    card, found = pending.card(db, number_), pending.get(db, number_)
    if card is None or found is None:
        raise ApiError(404, f"there is no pending model {number_}; list them with `hikazed pending`")
    tensors = await asyncio.to_thread(_tensors, to_path(found.path))
    return card | {
        "description": found.texts.description,
        "community_links": found.texts.community_links,
        "prompts": {"positive": found.texts.prompts.positive, "negative": found.texts.prompts.negative},
        "trigger_words": found.texts.trigger_words,
        "header": found.header,
        "tensors": tensors,
        "version": found.version,
    }


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
    if found is None:  # a repetition is answered as the first time, everything else is refused
        written = await services.library.write(lambda db: edits.dismiss(db, number_, None), **ways)
        return answer({"position": written.position})
    path = to_path(found.path)
    if path in services.tools.busy.paths:
        raise ApiError(409, "it is being imported now; cancel the import first, or wait for it")
    services.tools.busy.paths.add(path)
    try:
        trashed = None
        if not found.in_place and found.state == "waiting":
            roots = every(services.library.db)
            trashed = await asyncio.to_thread(_to_trash, services.data, roots, found)
        try:
            written = await services.library.write(lambda db: edits.dismiss(db, number_, trashed), **ways)
        except BaseException:
            if trashed is not None:
                await asyncio.to_thread(_put_back, trashed)
            raise
    finally:
        services.tools.busy.paths.discard(path)
    services.observer.look_again([path])
    return answer({"position": written.position})


def _to_trash(data: str, roots: list[Root], found: pending.Pending) -> FileTrashed | None:
    path = to_path(found.path)
    root = of_path(roots, path)
    seen = stat_file(path)
    if seen is not None and (seen.size, seen.mtime_ns) != (found.size, found.mtime_ns):
        raise ApiError(409, "its file has changed since it was found; look at it again in a moment")
    if seen is None:
        return None  # there is nothing left to move
    planned = trash.plan(path, data, root.path if root else os.path.dirname(path), secrets.token_hex(8))
    record = trash.Record(path=found.path, size=found.size, trashed_at=now_ms(), reason="dismissed")
    try:
        trash.move(planned, record)
    except FileNotFoundError:
        return None  # somebody was quicker: there is nothing left to move
    return FileTrashed(to_text(planned.entry), found.path, found.root, found.size, "dismissed", found.id)


def _put_back(trashed: FileTrashed) -> None:
    """The log could not be told: the file goes back to where it was."""
    entry = trash.read_entry(to_path(trashed.trash))
    if entry is not None:
        trash.restore(entry)


async def import_models(services: Services, request: web.Request) -> web.Response:
    """Import one pending model and answer with what came of it, or queue several."""
    raw = await read_raw(request)
    body: ImportBody = await read_body(request, ImportBody)
    wish = Wish(body.conflict_strategy, None if body.type is None else canonical(body.type))
    ways = how(request, raw)
    if isinstance(body.id, int):
        return _told(services, await services.importer.one(body.id, wish, **ways))
    numbers = None if body.id == "all" else [int(each) for each in body.id]
    queued, position, action = await services.importer.many(numbers, wish, **ways)
    return answer({"queued": queued, "action": action, "position": position}, 202)


def _told(services: Services, ended: Ended) -> web.Response:
    db = services.library.db
    match ended.state:
        case "completed":
            value = {"status": ended.status, "sha256": ended.sha256, "path": ended.path}
            return answer(value | {"position": ended.position})
        case "conflict":
            existing = library.whole(db, ended.sha256 or "")
            card = pending.card(db, ended.pending)
            return answer({"status": "conflict", "pending": card, "existing": existing}, 409)
        case "cancelled":
            return problem(409, "the import was cancelled before anything was done")
        case _:
            return problem(422, ended.reason or "the import failed")


async def cancel_imports(services: Services, request: web.Request) -> web.Response:
    """Take back the imports that have not touched anything yet."""
    cancelled, position = await services.importer.cancel(actor=how(request)["actor"])
    return answer({"cancelled": cancelled, "position": position})


def _id(request: web.Request) -> int:
    return number(request, "id", least=1, most=2**53)
