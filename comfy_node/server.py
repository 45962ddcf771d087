"""Our part of ComfyUI's server: the routes to the daemon, and the task that tells it of folders and uses.

`begin` is called once, while ComfyUI loads its packs: before it gives its routes to its server.
"""

import asyncio
import json
import logging
import os
import socket
import subprocess
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from aiohttp import web
from yarl import URL

from . import starting, whereabouts
from .door import Head, Refusal, Rules, access_of, check, check_start, may_start, read_head, rules_of
from .proxy import DaemonAway, Proxy, target_of
from .telling import Teller
from .usage import Counter

VERSION = "0.1.0"
ROUTE, WAY, START = "/hikaze/{tail:.*}", "/hikaze-way", "/hikaze-start"

START_S = 60.0  # so long a page waits: the read tables of a large library may have to be built anew
POLL_S = 0.2
CHECK_S = 2.0  # so long a daemon may take to say that it is here
_PROBLEM = "application/problem+json"

log = logging.getLogger(__name__)


def begin() -> None:
    """Add our routes to this ComfyUI's server, and the task that tells the daemon; without a server nothing."""
    # ComfyUI's own modules, which it has loaded by now.
    import folder_paths  # pyright: ignore[reportMissingImports]
    from comfy.cli_args import args  # pyright: ignore[reportMissingImports]
    from server import PromptServer  # pyright: ignore[reportAttributeAccessIssue]

    server = getattr(PromptServer, "instance", None)
    if server is None:
        return  # somebody looks at our nodes without running ComfyUI
    if any(getattr(route, "path", None) == ROUTE for route in server.routes):
        log.warning("Hikaze is installed twice in this ComfyUI; remove one of the two from custom_nodes.")
        return
    env, pack = os.environ, os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    rules = rules_of(getattr(args, "listen", None), socket.gethostname(), env)
    proxy = Proxy(lambda: whereabouts.find(env))
    counter = Counter(lambda prompt_id: was_queued(server.prompt_queue, prompt_id))
    teller = Teller(
        folder_paths.base_path,
        folder_paths.folder_names_and_paths,
        counter,
        lambda: whereabouts.find(env),
        proxy.ask,
    )
    Way(proxy, rules, env, pack).add_to(server.routes)
    server.add_on_prompt_handler(noting(counter))
    follow(server.app, proxy, teller)


def follow(app: web.Application, proxy: Proxy, teller: Teller) -> None:
    """Run the teller while an application runs, and close the proxy with it."""
    running: list[asyncio.Task[None]] = []

    async def start(_app: web.Application) -> None:
        running.append(asyncio.get_running_loop().create_task(teller.run()))

    async def stop(_app: web.Application) -> None:
        for task in running:
            task.cancel()
        await proxy.close()

    app.on_startup.append(start)
    app.on_shutdown.append(stop)


def noting(counter: Counter) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Give what ComfyUI calls with each prompt that somebody sends, before it looks at it."""

    def note(asked: dict[str, Any]) -> dict[str, Any]:
        # ComfyUI would give it an id of its own otherwise, by which we could not ask whether it was queued.
        prompt_id = str(asked.setdefault("prompt_id", str(uuid.uuid4())))
        counter.note(prompt_id, asked.get("prompt"), at_s=time.monotonic(), time_ms=time.time_ns() // 1_000_000)
        return asked

    return note


def was_queued(queue: Any, prompt_id: str) -> bool:
    """Tell whether ComfyUI's queue has taken a prompt: it waits, runs, or is done."""
    running, waiting = getattr(queue, "get_current_queue_volatile", queue.get_current_queue)()
    if any(item[1] == prompt_id for item in (*running, *waiting)):
        return True
    try:
        return bool(queue.get_history(prompt_id=prompt_id, map_function=lambda _done: True))
    except TypeError:  # an older ComfyUI, which copies all of what a prompt has made
        return bool(queue.get_history(prompt_id=prompt_id))


class Way:
    """The routes: `/hikaze/PATH`, what the page asks about the daemon, and the wish to have it started."""

    def __init__(self, proxy: Proxy, rules: Rules, env: Mapping[str, str], pack: str) -> None:
        """Take the proxy, the rules of this ComfyUI, its environment, and the folder of the pack."""
        self._proxy, self._rules, self._env, self._pack = proxy, rules, env, pack
        self._starting = asyncio.Lock()
        self._started: subprocess.Popen[bytes] | None = None

    def add_to(self, routes: web.RouteTableDef) -> None:
        """Add the routes to a table."""
        routes.route("*", ROUTE)(self.forward)
        routes.get(WAY)(self.tell)
        routes.post(START)(self.start)

    async def forward(self, request: web.Request) -> web.StreamResponse:
        """Pass a request on to the daemon, if whoever asks may."""
        head = _head(request, URL.build(path=target_of(request.rel_url.raw_path), encoded=True).path)
        refusal = check(head, self._rules)
        if refusal is not None:
            return _refused(refusal)
        try:
            return await self._proxy.forward(request)
        except DaemonAway:
            return _problem(502, "Daemon away", await self._how(head), "away")

    async def tell(self, request: web.Request) -> web.Response:
        """Tell a page whether the daemon answers, what it may do, and how the daemon is started."""
        head = _head(request, WAY)
        refusal = check(head, self._rules)
        if refusal is not None:
            return _refused(refusal)
        if self._started is not None:
            self._started.poll()  # one that has ended is let go of
        command = await asyncio.to_thread(starting.find, self._env, self._pack)
        can_start = may_start(head, self._rules) and command is not None and bool(command.argv)
        return _json(
            {
                "daemon": await self._is_here(),
                "access": access_of(head, self._rules),
                "can_start": can_start,
                "how": starting.how(command, is_near=may_start(head, self._rules)),
                "version": VERSION,
            }
        )

    async def start(self, request: web.Request) -> web.Response:
        """Start the daemon, and answer when it does."""
        refusal = check_start(_head(request, START), self._rules)
        if refusal is not None:
            return _refused(refusal)
        async with self._starting:  # two pages that ask at once start one
            if await self._is_here():
                return _json({"daemon": True})
            command = await asyncio.to_thread(starting.find, self._env, self._pack)
            if command is None or not command.argv:
                return _problem(409, "Not found", starting.how(command, is_near=True), "away")
            try:
                self._started = await asyncio.to_thread(starting.launch, command, self._env)
            except starting.CannotStart as error:
                return _problem(502, "Not started", str(error), "away")
            return await self._wait_for(command, self._started)

    async def _wait_for(self, command: starting.Command, process: "subprocess.Popen[bytes]") -> web.Response:
        end = time.monotonic() + START_S
        while time.monotonic() < end:
            if await self._is_here():
                return _json({"daemon": True})
            code = process.poll()
            if code is not None and not (command.returns and code == 0):
                why = await asyncio.to_thread(starting.last_words, self._env)
                detail = f"The daemon ended at once{f' ({why})' if why else ''}; start it by hand with {command.said}."
                return _problem(502, "Not started", detail, "away")
            await asyncio.sleep(POLL_S)
        return _problem(502, "Not started", "The daemon was started, and does not answer yet; wait a moment.", "away")

    async def _is_here(self) -> bool:
        try:
            status, _ = await asyncio.wait_for(self._proxy.ask("GET", "/api/tags?limit=1"), CHECK_S)
        except (DaemonAway, asyncio.TimeoutError):  # noqa: UP041 - another kind in Python 3.10, which ComfyUI may have
            return False
        return status < 500

    async def _how(self, head: Head) -> str:
        command = await asyncio.to_thread(starting.find, self._env, self._pack)
        return starting.how(command, is_near=may_start(head, self._rules))


def _head(request: web.Request, path: str) -> Head:
    return read_head(request.method, path, request.remote, lambda name: request.headers.getall(name, []))


def _json(value: Any) -> web.Response:
    return web.json_response(value, headers={"Cache-Control": "no-store"})


def _refused(refusal: Refusal) -> web.Response:
    return _problem(refusal.status, "Refused", refusal.detail, refusal.kind)


def _problem(status: int, title: str, detail: str, way: str) -> web.Response:
    """Give an error as the daemon does (RFC 9457); `way` says that it comes from here, and which it is."""
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail, "way": way}
    return web.Response(
        body=json.dumps(body).encode(),
        status=status,
        content_type=_PROBLEM,
        headers={"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"},
    )
