"""A server as ComfyUI's is, less ComfyUI: our routes on it, each also below /api, and what they are asked."""

import asyncio
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from aiohttp import web
from hikaze.comfy_node import whereabouts
from hikaze.comfy_node.door import Rules
from hikaze.comfy_node.proxy import Proxy
from hikaze.comfy_node.server import Way, follow
from hikaze.comfy_node.telling import Teller
from hikaze.comfy_node.usage import Counter

LARGEST = 1 << 20  # bytes of a body that ComfyUI takes; ours are streamed, and may be larger


@contextmanager
def serving(
    env: Mapping[str, str], pack: Path, *, rules: Rules | None = None, base: str = "/nowhere", known: Any = None
) -> Iterator[SimpleNamespace]:
    """Serve in a thread of its own; gives `url`, the table of folders `known`, the `counter` and its `queued` ids."""
    ready, ended, found = threading.Event(), asyncio.Event(), SimpleNamespace(known={} if known is None else known)
    found.queued = set[str]()
    found.counter = Counter(found.queued.__contains__)

    async def main() -> None:
        found.loop = asyncio.get_running_loop()
        proxy = Proxy(lambda: whereabouts.find(env))
        found.teller = Teller(base, found.known, found.counter, lambda: whereabouts.find(env), proxy.ask)
        routes = web.RouteTableDef()
        Way(proxy, rules or Rules(beyond=False), env, str(pack)).add_to(routes)
        app = web.Application(client_max_size=LARGEST)
        for each in routes:
            assert isinstance(each, web.RouteDef)
            app.router.add_route(each.method, "/api" + each.path, each.handler)
        app.add_routes(routes)
        follow(app, proxy, found.teller)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        found.port = runner.addresses[0][1]
        ready.set()
        await ended.wait()
        await runner.cleanup()

    thread = threading.Thread(target=lambda: asyncio.run(main()))
    thread.start()
    try:
        assert ready.wait(30)
        yield found
    finally:
        found.loop.call_soon_threadsafe(ended.set)
        thread.join()
