"""The way itself: a request to ComfyUI's `/hikaze/PATH` becomes one to the daemon's `/PATH`, streamed both ways."""

import contextlib
from collections.abc import Callable, Mapping
from typing import Any

import aiohttp
from aiohttp import web
from yarl import URL

from .whereabouts import Address

PREFIX = "/hikaze/"
CONNECT_S = 10.0

# What the daemon reads of a request. Not the origin and the cookies of ComfyUI's page, which are none of its affair.
_TAKEN_ALONG = (
    "Accept",
    "Accept-Encoding",
    "Cache-Control",
    "Content-Length",
    "Content-Type",
    "Idempotency-Key",
    "If-Match",
    "If-Modified-Since",
    "If-None-Match",
    "If-Range",
    "Last-Event-ID",
    "Range",
    "X-Hikaze",
)
# Of one connection only (RFC 9110, 7.6.1); date and server are said by ComfyUI itself.
_LEFT_BEHIND = frozenset({
    "connection", "date", "keep-alive", "proxy-authenticate", "proxy-authorization", "server", "te", "trailer",
    "transfer-encoding", "upgrade",
})  # fmt: skip

_AWAY = (aiohttp.ClientConnectionError, ConnectionError, TimeoutError)


class DaemonAway(Exception):
    """Nothing answers where the daemon should be, or it went away before it had answered."""


def target_of(raw: str) -> str:
    """Give what is asked of the daemon, path and query as they were sent, from a request's own."""
    return "/" + raw.partition(PREFIX)[2]


class Proxy:
    """Forwards requests to the daemon, wherever it is at that moment."""

    def __init__(self, find: Callable[[], Address | None]) -> None:
        """Take what tells where the daemon is; it is asked each time, so that one started anew is found."""
        self._find = find
        self._at: Address | None = None
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Close the connections to the daemon."""
        session, self._session, self._at = self._session, None, None
        if session is not None:
            await session.close()

    async def forward(self, request: web.Request) -> web.StreamResponse:
        """Give the daemon's answer to a request. Raises `DaemonAway`."""
        method, target = request.method, target_of(request.rel_url.raw_path_qs)
        headers = {name: value for name in _TAKEN_ALONG for value in request.headers.getall(name, [])[:1]}
        body = request.content if request.body_exists else None
        async with contextlib.AsyncExitStack() as stack:
            try:
                answer = await stack.enter_async_context(await self._asked(method, target, headers, body))
            except _AWAY as error:
                raise DaemonAway from error
            return await _passed_on(request, answer)

    async def ask(self, method: str, target: str, body: Any = None, key: str | None = None) -> tuple[int, Any]:
        """Ask the daemon something for ourselves: gives the status, and the answer decoded. Raises `DaemonAway`."""
        headers = {"X-Hikaze": "1", "Content-Type": "application/json"}
        headers |= {} if key is None else {"Idempotency-Key": key}
        try:
            async with await self._asked(method, target, headers, None, json=body) as answer:
                return answer.status, await answer.json(content_type=None)
        except (*_AWAY, aiohttp.ClientPayloadError) as error:
            raise DaemonAway from error
        except ValueError:
            return 502, None

    async def _asked(self, method: str, target: str, headers: Mapping[str, str], data: Any, **more: Any) -> Any:
        at = self._find()
        if at is None:
            raise DaemonAway
        session = await self._session_at(at)
        own = {"Host": "localhost"} if at.socket else {"Authorization": f"Bearer {at.token}"}
        url = URL(("http://localhost" if at.socket else at.url.rstrip("/")) + target, encoded=True)
        said = {**headers, **own, "X-Hikaze-Actor": "comfyui"}
        return session.request(method, url, headers=said, data=data, allow_redirects=False, **more)

    async def _session_at(self, at: Address) -> aiohttp.ClientSession:
        if self._session is None or self._at != at:
            await self.close()
            # A connection for each request: one that is kept may belong to a daemon that has gone meanwhile.
            connector = (
                aiohttp.UnixConnector(at.socket, force_close=True, limit=0)
                if at.socket
                else aiohttp.TCPConnector(force_close=True, limit=0)
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                auto_decompress=False,
                cookie_jar=aiohttp.DummyCookieJar(),
                skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type", "User-Agent"),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S),
            )
            self._at = at
        return self._session


async def _passed_on(request: web.Request, answer: aiohttp.ClientResponse) -> web.StreamResponse:
    """Pass an answer on as it comes; one that breaks off breaks off here, too, and is not taken for a whole one."""
    response = web.StreamResponse(status=answer.status, reason=answer.reason)
    for name, value in answer.headers.items():
        if name.lower() not in _LEFT_BEHIND:
            response.headers.add(name, value)
    await response.prepare(request)
    try:
        async for chunk in answer.content.iter_any():
            await response.write(chunk)
        await response.write_eof()
    except (aiohttp.ClientError, ConnectionError):
        if request.transport is not None:
            request.transport.abort()
    return response
