"""The way in over HTTP: the visible route table, who may come in, and how errors are told."""

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import apsw
import msgspec
from aiohttp import web

from ..events.errors import LogError, NewerLog, WrongVersion
from ..events.writer import KeyReused, Unwritable
from ..projections.paging import BadCursor
from ..projections.query import BadQuery
from ..projections.runner import is_torn
from .access import Policy, check, read_head, security_headers
from .edits import NotFound, Refused, Stale
from .importer import AlreadyQueued, NoSuchPending, Paused
from .legacy.library import NotALibrary, SourceBusy
from .lorasets import BadSet, NoSuchSet, SetStale
from .migration.run import AnotherUnderWay, MigrationFailed
from .newroot import NotBeside, NotPossible
from .pictures import PictureRefused
from .roots import NoSuchRoot
from .services import Services
from .tagging import BadTag, NoSuchTag
from .trash import TrashUnavailable

MAX_JSON = 4 << 20  # bytes: a list of 200,000 ids is 1.6 MB
MAX_LIMIT = 1_000
DEFAULT_LIMIT = 100
PROBLEM = "application/problem+json"
LATER = {"Retry-After": "5"}

log = logging.getLogger(__name__)

Handler = Callable[[Services, web.Request], Awaitable[web.StreamResponse]]

TITLES = {
    400: "Not understood",
    401: "Not allowed in",
    403: "Refused",
    404: "Not found",
    405: "Not that way",
    409: "Conflict",
    412: "Changed meanwhile",
    413: "Too large",
    415: "Not of that kind",
    416: "Out of range",
    422: "Not possible",
    431: "Too large",
    500: "A fault of ours",
    503: "Not now",
    507: "No room",
}


class ApiError(Exception):
    """An answer other than what was asked for: a status, and a sentence that says what to do."""

    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None = None) -> None:
        """Answer with a status and a detail."""
        super().__init__(detail)
        self.status, self.detail, self.headers = status, detail, dict(headers or {})


@dataclass(frozen=True, slots=True)
class Param:
    """A parameter in the query or the path, with the type of its value for OpenAPI."""

    name: str
    about: str
    type: Any = str
    required: bool = False
    repeats: bool = False
    where: str = "query"


@dataclass(frozen=True, slots=True)
class Route:
    """A route: what is asked for, who answers, and what OpenAPI says of it."""

    method: str
    path: str
    handler: Handler
    about: str
    params: tuple[Param, ...] = ()
    body: Any = None
    answers: Mapping[int, Any] = field(default_factory=dict[int, Any])
    problems: tuple[int, ...] = ()


_STATUS_OF: tuple[tuple[type[Exception] | tuple[type[Exception], ...], int], ...] = (
    ((NotFound, NoSuchPending, NoSuchRoot, NoSuchSet, NoSuchTag), 404),
    ((AlreadyQueued, AnotherUnderWay, NotBeside, Paused, SourceBusy), 409),
    ((Stale, SetStale, WrongVersion), 412),
    ((Refused, BadSet, BadTag, BadCursor, PictureRefused, KeyReused, NotALibrary, MigrationFailed, NotPossible), 422),
    ((NewerLog, Unwritable, LogError, TrashUnavailable), 503),
)


def problem(status: int, detail: str, headers: Mapping[str, str] | None = None, **more: Any) -> web.Response:
    """Give an error as a problem document (RFC 9457), with more members where there is more to say."""
    title = TITLES.get(status, "Error")
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail, **more}
    return web.Response(
        body=msgspec.json.encode(body), status=status, content_type=PROBLEM, headers=dict(headers or {})
    )


def answer(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """Give a value as JSON."""
    body = value if isinstance(value, bytes) else msgspec.json.encode(value)
    return web.Response(
        body=body,
        status=status,
        content_type="application/json",
        headers={"Cache-Control": "no-store"} | dict(headers or {}),
    )


def as_problem(error: Exception) -> web.Response | None:
    """Give the answer to an error that a request may cause, None where it is a fault of ours."""
    if isinstance(error, ApiError):
        return problem(error.status, error.detail, error.headers)
    if isinstance(error, web.HTTPException):
        detail = {
            404: "there is nothing at this address; GET /api/openapi.json lists what there is",
            405: "this address does not take that method; GET /api/openapi.json lists what it takes",
            413: f"the body is too large; at most {MAX_JSON:,} bytes are taken here",
        }.get(error.status, error.reason)
        kept = {key: value for key, value in error.headers.items() if key == "Allow"}
        return problem(error.status, detail, kept)
    if isinstance(error, BadQuery):
        return problem(422, str(error), at=error.at)
    for kinds, status in _STATUS_OF:
        if isinstance(error, kinds):
            return problem(status, str(error), LATER if status == 503 else {})
    if is_torn(error):
        return problem(503, "the read tables are damaged and are being built anew; try again in a moment", LATER)
    if isinstance(error, apsw.FullError):
        return problem(503, "the disk is full; free some space and try again", LATER)
    if isinstance(error, (apsw.IOError, apsw.BusyError)):
        return problem(503, f"the read tables could not be read ({error}); see to the disk and try again", LATER)
    if isinstance(error, ConnectionError):  # nobody hears it, and it is no fault of ours
        return problem(400, "the connection broke off before the request was whole; send it again")
    if isinstance(error, OSError) and error.errno is not None:
        return problem(503, f"the disk refused ({error.strerror}); see to it and try again", LATER)
    return None


# Reading requests -------------------------------------------------------------------------------------


async def read_body(request: web.Request, kind: Any, *, most: int = MAX_JSON) -> Any:
    """Read the JSON body of a request; 400 where it is no JSON, 422 where it is not what is taken here."""
    if (request.content_length or 0) > most or (request.content_length is None and most < MAX_JSON):
        raise ApiError(413, f"the body is too large; at most {most:,} bytes are taken here", {"Connection": "close"})
    raw = await read_raw(request)
    if not raw and kind.__struct_fields__ == ():
        raw = b"{}"
    try:
        return msgspec.json.decode(raw, type=kind)
    except msgspec.ValidationError as error:
        raise ApiError(422, f"the body is not what is taken here: {error}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ApiError(400, f"the body is not JSON: {error}") from error


async def read_raw(request: web.Request) -> bytes:
    """Read a body of at most `MAX_JSON` bytes."""
    try:
        return await request.read()
    except web.HTTPRequestEntityTooLarge as error:
        raise ApiError(413, f"the body is too large; at most {MAX_JSON:,} bytes are taken here") from error


def one(request: web.Request, name: str, *, required: bool = False) -> str | None:
    """Give a query parameter that may be there once."""
    values = request.query.getall(name, [])
    if len(values) > 1:
        raise ApiError(422, f"{name} may be given once")
    if not values and required:
        raise ApiError(422, f"{name} is missing; add ?{name}=...")
    return values[0] if values else None


def number(request: web.Request, name: str, *, least: int, most: int, default: int | None = None) -> int:
    """Give a whole number from the query, within bounds."""
    text = one(request, name, required=default is None)
    return default if text is None and default is not None else whole(text or "", name, least=least, most=most)


def whole(text: str, name: str, *, least: int = 0, most: int = 2**53) -> int:
    """Read a whole number in plain digits, within bounds."""
    if not (text.isascii() and text.isdigit() and len(text) <= 16 and least <= int(text) <= most):
        raise ApiError(422, f"{name} must be a whole number from {least} to {most}")
    return int(text)


def limit_of(request: web.Request) -> int:
    """Give how many items a page is to have."""
    return number(request, "limit", least=1, most=MAX_LIMIT, default=DEFAULT_LIMIT)


def sha256_of(text: str) -> str:
    """Check a model's hash; 404 where it can be none."""
    if len(text) != 64 or set(text) - set("0123456789abcdef"):
        raise ApiError(404, "a model is named by its SHA-256, 64 lower-case hexadecimal digits")
    return text


def version_of(request: web.Request) -> int | None:
    """Give the version that If-Match names, None where there is no such header or it is `*`."""
    text = request.headers.get("If-Match")
    if text is None or text.strip() == "*":
        return None
    return whole(text.strip().removeprefix("W/").strip('"'), "If-Match", least=0)


def actor_of(request: web.Request) -> str:
    """Give who writes, as the client says: the page, the command line, ComfyUI, or a program of the user's."""
    named = request.headers.get("X-Hikaze-Actor", "")
    return named if named in ("page", "cli", "comfyui") else "api"


def how(request: web.Request, body: bytes = b"") -> dict[str, Any]:
    """Give what a write needs to know of its request: the actor, and the idempotency key with what it stands for."""
    key = request.headers.get("Idempotency-Key")
    if key is not None and not (1 <= len(key) <= 200 and key.isascii() and key.isprintable()):
        raise ApiError(422, "an Idempotency-Key has 1 to 200 printable ASCII characters")
    line = f"{request.method} {request.path_qs}\n".encode(errors="surrogateescape")
    return {"actor": actor_of(request), "key": key, "request": hashlib.sha256(line + body).digest()}


# Serving ----------------------------------------------------------------------------------------------


def make_app(services: Services, routes: tuple[Route, ...], policy: Policy, *, over_socket: bool) -> web.Application:
    """Make the web application of one listener: the same routes, with that listener's rules of access."""
    app = web.Application(
        middlewares=[_guard(policy, over_socket=over_socket, services=services)], client_max_size=MAX_JSON
    )
    for route in routes:
        handler = _bound(services, route.handler)
        if route.method == "GET":
            app.router.add_get(route.path, handler)  # HEAD too
        else:
            app.router.add_route(route.method, route.path, handler)
    return app


def _bound(services: Services, handler: Handler) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def handle(request: web.Request) -> web.StreamResponse:
        return await handler(services, request)

    return handle


def _guard(policy: Policy, *, over_socket: bool, services: Services) -> Any:
    @web.middleware
    async def guard(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        refusal = None
        if over_socket and not services.may_connect(request.transport):
            refused = problem(403, "this socket is another user's; start a daemon of your own with `hikazed run`")
            return _with_headers(request, refused)
        head = read_head(
            request.method,
            request.path,
            lambda name: request.headers.getall(name, []),
            request.query.get("k"),
            over_socket=over_socket,
        )
        refusal = check(head, policy)
        if refusal is not None:
            refused = problem(refusal.status, refusal.detail, refusal.headers)
            return _with_headers(request, refused)
        try:
            response = await handler(request)
        except asyncio.CancelledError:
            raise
        except Exception as error:
            # The outermost edge of a request: whatever went wrong becomes an answer.
            if is_torn(error):
                services.library.mend()
            told = as_problem(error)
            if told is None:
                log.exception("%s %s failed", request.method, request.path)
                told = problem(500, "an error in Hikaze itself; its log has the details")
            response = told
        return _with_headers(request, response)

    return guard


def _with_headers(request: web.Request, response: web.StreamResponse) -> web.StreamResponse:
    if not response.prepared:
        for name, value in security_headers(request.path).items():
            response.headers.setdefault(name, value)
    return response
