"""Handlers for the watched folders: add one, pause it, have it watched again, remove it."""

import asyncio
from typing import Any

import apsw
from aiohttp import web

from ...events.pathtext import shown, to_text
from ...events.writer import Decision
from ...projections import roots as view
from .. import newroot, telling
from .. import roots as rooting
from ..http import answer, how, read_body, read_raw, whole
from ..newroot import Examined, NotPossible
from ..roots import Root, Wanted
from ..services import Services
from ..shapes import RootBody, RootPatch

Counts = dict[int, tuple[int, int]]

PATIENCE_S = 25.0  # for the folder that is to be added: a disk in a NAS may need 20 to spin up


def state_of(services: Services, root: Root) -> dict[str, Any]:
    """Give what status tells of a root."""
    return {
        "id": root.id,
        "path": shown(to_text(root.path)),
        "kind": root.kind,
        "type": root.type,
        "state": "paused" if root.paused else "offline" if root.offline else "online",
        "why": root.why,
        "watched": services.observer.watched(root),
        "polled_every_s": services.observer.polled_every(root),
    }


async def list_roots(services: Services, _request: web.Request) -> web.Response:
    """Give the watched folders, each with what is wrong with it and the cure."""
    counts: Counts = await services.library.with_reader(view.counts)
    items = [_whole(services, root, counts) for root in rooting.every(services.library.db)]
    return answer({"items": items, "next": None})


def _whole(services: Services, root: Root, counts: Counts) -> dict[str, Any]:
    why, cure = _trouble(services, root) or (None, None)
    files, pending = counts.get(root.id, (0, 0))
    more = {"why": why, "cure": cure, "models": files, "pending": pending, "origin": root.origin}
    return state_of(services, root) | more


def _trouble(services: Services, root: Root) -> telling.Trouble | None:
    if root.paused:
        return telling.of_pause(root)
    if root.why == "unseen":
        return telling.of_unseen(root)
    found = services.observer.told_of(root)
    return found[0] if found else services.observer.hint_shortage(root)


async def add_root(services: Services, request: web.Request) -> web.Response:
    """Watch a folder from now on; the answer does not wait for the look at it."""
    raw = await read_raw(request)
    body: RootBody = await read_body(request, RootBody)
    wanted = newroot.wanted(body.path, body.kind, body.type)
    found = None if _is_watched(services, wanted) else await _examined(services, wanted)

    def decide(db: apsw.Connection) -> Decision:
        same = None if found is None else newroot.same_as(wanted, found, rooting.every(db))
        return rooting.add(db, wanted) if same is None else Decision((), same.id)

    written = await services.library.write(decide, **how(request, raw))
    await services.observer.roots_changed()
    await services.observer.judge(int(written.value))
    return await _answered(services, int(written.value), written.position)


def _is_watched(services: Services, wanted: Wanted) -> bool:
    known = rooting.every(services.library.db)
    return any((root.path, root.kind, root.type) == (wanted.path, wanted.kind, wanted.type) for root in known)


async def _examined(services: Services, wanted: Wanted) -> Examined:
    known = rooting.every(services.library.db)
    try:
        async with asyncio.timeout(PATIENCE_S):
            return await asyncio.to_thread(newroot.examine, wanted.path, services.data, known)
    except TimeoutError as error:
        path = shown(to_text(wanted.path))
        raise NotPossible(
            f"{path} does not answer; see to the machine or network that holds it, then add it"
        ) from error


async def patch_root(services: Services, request: web.Request) -> web.Response:
    """Leave a root alone, or have it watched again."""
    number = _number(request)
    raw = await read_raw(request)
    patch: RootPatch = await read_body(request, RootPatch)
    written = await services.library.write(
        lambda db: rooting.pause(db, number, paused=patch.paused), **how(request, raw)
    )
    if patch.paused:
        services.importer.leave(number, "its folder was paused; resume that, then import it")
    await services.observer.roots_changed()
    await services.observer.judge(number)
    return await _answered(services, number, written.position)


async def remove_root(services: Services, request: web.Request) -> web.Response:
    """Watch a root no more; what is known of what lies in it is kept."""
    number = _number(request)
    written = await services.library.write(lambda db: rooting.remove(db, number), **how(request))
    services.importer.leave(number, "its folder was removed; add that again, then import it")
    await services.observer.roots_changed()
    return answer({"position": written.position})


async def _answered(services: Services, number: int, position: int) -> web.Response:
    counts: Counts = await services.library.with_reader(view.counts)
    root = _whole(services, rooting.get(services.library.db, number), counts)
    return answer(root | {"position": position})


def _number(request: web.Request) -> int:
    return whole(request.match_info["id"], "id", least=1)
