"""Handlers for the daemon itself: status, scan, the log and its live stream, sessions, the page."""

import asyncio
import os
import time
from importlib import resources
from typing import Any

import msgspec
from aiohttp import web

from ...projections import claims, library
from .. import roots, telling
from ..access import security_headers
from ..http import ApiError, answer, limit_of, number, one, read_body
from ..library import Message
from ..services import Services
from ..shapes import NoBody, SessionBody
from .roots import state_of

MAX_SESSION = 1_024  # bytes of the one body that is read before it is known who sends it
HEARTBEAT_S = 15.0
STREAM_CHUNK = 500  # events read from the log at a time for a follower who is behind
PROGRESS_EVERY_S = 0.1  # a task tells its progress no more often than this to one follower

# By our own table: the system's (on Windows the registry) may call a script text/plain, and then no browser runs it.
KINDS = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".json": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
    ".webp": "image/webp",
    ".woff2": "font/woff2",
}
ASSETS = "assets/"  # the build names what lies in here by its content, so nothing changes under its name


async def get_status(services: Services, _request: web.Request) -> web.Response:
    """Tell what the daemon is, has and does."""
    db = services.library.db
    watched = [state_of(services, root) for root in roots.every(db)]
    warnings = [*services.library.warnings(), *services.notes, *services.observer.warnings()]
    warnings += await _denied(services)
    return answer(
        {
            "version": services.version,
            "position": services.library.news.head,
            "roots": watched,
            "counts": library.counts(db) | {"unconfirmed": claims.count(db)},
            "work": services.library.news.under_way(),
            "imports": services.importer.under_way(),
            "waiting": [{"path": path, "reason": reason} for path, reason in services.observer.waiting()[:100]],
            "warnings": [{"what": what, "cure": cure} for what, cure in warnings],
        }
    )


async def _denied(services: Services) -> list[telling.Trouble]:
    count, first = await services.library.with_reader(claims.denied, telling.MOST_DENIED)
    return [telling.of_denied(count, first)] if count else []


async def scan(services: Services, request: web.Request) -> web.Response:
    """Look at all disks now."""
    await read_body(request, NoBody)
    found = await services.observer.scan()
    outcome = found.outcome
    return answer(
        {
            "scanned": found.files,
            "added": outcome.added,
            "moved": outcome.moved,
            "changed": outcome.changed,
            "returned": outcome.returned,
            "missing": outcome.missing,
            "unreadable": found.unreadable,
            "position": services.library.news.head,
        }
    )


# The log ----------------------------------------------------------------------------------------------


async def get_events(services: Services, request: web.Request) -> web.StreamResponse:
    """Give events of the log, or follow it live."""
    after = number(request, "after", least=0, most=2**53, default=0)
    if "text/event-stream" in request.headers.get("Accept", "") and request.method == "GET":
        return await _stream(services, request, after)
    limit = limit_of(request)
    items = await services.library.events(after, limit)
    more = bool(items) and items[-1]["position"] < services.library.news.head
    return answer({"items": items, "next": items[-1]["position"] if more else None})


async def _stream(services: Services, request: web.Request, after: int) -> web.StreamResponse:
    position = after
    last = request.headers.get("Last-Event-ID")
    if last is not None and len(last) <= 16 and last.isascii() and last.isdigit():
        position = int(last)
    elif one(request, "after") is None:
        position = services.library.news.head
    response = web.StreamResponse(
        headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    )
    services.streams.add(response)
    for name, value in security_headers(request.path).items():
        response.headers[name] = value
    await response.prepare(request)
    try:
        await response.write(b"retry: 1000\n\n")
        await _follow(services, response, position)
    except (ConnectionError, asyncio.CancelledError):
        pass  # the follower went away, or the daemon stops
    finally:
        services.streams.discard(response)
    return response


async def _follow(services: Services, response: web.StreamResponse, position: int) -> None:
    news = services.library.news
    if position > news.head:
        await response.write(_sse("reset", {"position": news.head}))
        position = news.head
    changes = news.follow()
    waiting: asyncio.Task[Any] | None = None
    while not services.stopping.is_set():
        waiting = waiting or asyncio.ensure_future(anext(changes))
        done, _ = await asyncio.wait({waiting}, timeout=HEARTBEAT_S)
        if not done:
            await response.write(b": still here\n\n")
            continue
        progress: list[Message] = waiting.result()
        waiting = None
        position = await _send_since(services, response, position)
        for task in progress:
            await response.write(_sse("progress", {key: value for key, value in task.items() if key != "beat"}))
        if progress:
            await asyncio.sleep(PROGRESS_EVERY_S)


async def _send_since(services: Services, response: web.StreamResponse, position: int) -> int:
    while position < services.library.news.head:
        events = services.library.news.since(position)
        if events is None:
            events = await services.library.events(position, STREAM_CHUNK)
        if not events:
            break
        lines = [_sse(event["type"], event, event["position"]) for event in events[:STREAM_CHUNK]]
        await response.write(b"".join(lines))
        position = events[:STREAM_CHUNK][-1]["position"]
    return position


def _sse(kind: str, data: Message, position: int | None = None) -> bytes:
    head = b"" if position is None else b"id: %d\n" % position
    return b"%bevent: %b\ndata: %b\n\n" % (head, kind.encode(), msgspec.json.encode(data))


# Sessions ---------------------------------------------------------------------------------------------


async def session(services: Services, request: web.Request) -> web.Response:
    """Give the token for a one-time code; or a code, to a caller who is allowed in already."""
    body: SessionBody = await read_body(request, SessionBody, most=MAX_SESSION)
    now = time.monotonic_ns() // 1_000_000
    if body.code is None:
        if not services.is_trusted(request):
            raise ApiError(401, "send the code of the link that `hikazed open` makes")
        code = services.codes.mint(now)
        return answer({"code": code, "url": f"{services.url}/#code={code}"})
    if not services.codes.redeem(body.code, now):
        raise ApiError(401, "this link was used already or is too old; make a new one with `hikazed open`")
    return answer({"token": services.secrets.token, "image_key": services.secrets.image_key})


# The page ---------------------------------------------------------------------------------------------


async def static(services: Services, request: web.Request) -> web.Response:
    """Give a file of the page."""
    name = request.match_info.get("name") or "index.html"
    body = services.page.get(name)
    if body is None:
        raise web.HTTPNotFound
    kind = KINDS.get(os.path.splitext(name)[1], "application/octet-stream")
    return web.Response(
        body=body,
        content_type=kind,
        charset="utf-8" if kind.startswith("text/") else None,
        headers={"Cache-Control": "max-age=31536000, immutable" if name.startswith(ASSETS) else "no-cache"},
    )


def page_files() -> dict[str, bytes]:
    """Read the files of the page, by their names below `/`; what ComfyUI's page loads of us ComfyUI serves."""
    found: dict[str, bytes] = {}
    folders = [("", resources.files("hikaze.web") / "dist")]
    while folders:
        prefix, folder = folders.pop()
        for entry in folder.iterdir():
            if f"{prefix}{entry.name}" == "comfy":
                continue
            if entry.is_dir():
                folders.append((f"{prefix}{entry.name}/", entry))
            else:
                found[prefix + entry.name] = entry.read_bytes()
    return found
