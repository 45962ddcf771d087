"""Searches at the socket of the real daemon: random queries, each with its facets, over 100,000 models."""

import random
import time
from collections.abc import Iterator
from statistics import median
from urllib.parse import urlencode

from . import searchlib
from .daemon import Client, Daemon
from .desk import MODELS, Desk
from .measure import Row, below, mebibytes, quantile, seconds, timed
from .taken import memory, taken

QUERIES = 1_000
NEXT_PAGES = 3  # one in so many asks for the page behind the first, too
SEED = 5
READY_S = 180.0  # how long the first search may go on making things ready in the background


def rows(desk: Desk) -> Iterator[Row]:
    """Search for the first time, and then a thousand times."""
    models = desk.scaled(MODELS)
    desk.tell(f"search: making a library of {models:,} models with texts and {searchlib.TAGS:,} tags")
    library = searchlib.make(desk.folder("searched"), models)
    library.build()
    with Daemon(library) as daemon, daemon.client() as client:
        time.sleep(5)  # its first look is over
        before, _ = memory(daemon.pid)
        first = timed(lambda: client.get(_target("anime", "")))
        desk.tell("search: until all is ready for short words")
        _wait_until_quiet(daemon.pid)
        desk.tell(f"search: {QUERIES:,} random queries")
        pick = random.Random(SEED)  # noqa: S311 - the same queries in every run
        floors, took, told = list[float](), list[float](), ""
        for number in range(QUERIES):
            text, sort = searchlib.query(pick, models)
            floors.append(timed(lambda: client.get("/")))
            took.append(timed(lambda text=text, sort=sort: client.get(_target(text, sort))))
            told = f"slowest: {text!r} {sort}" if took[-1] == max(took) else told
            if number % NEXT_PAGES == 0:
                _next_page(client, text, sort, took)
        after, _ = memory(daemon.pid)
    what = f"search of {models:,} with facets, socket"
    floor = median(floors)
    yield Row(f"{what}, p50", "GET / there", floor, median(took), seconds)
    p99 = quantile(took, 0.99)
    yield Row(f"{what}, p99", "GET / there, p99", quantile(floors, 0.99), p99, seconds, below(0.02, seconds))
    yield Row(f"{what}, slowest of {len(took):,}", "GET / there, slowest", max(floors), max(took), seconds, None, told)
    yield Row(f"{what}, the first ever", "GET / there", floor, first, seconds, below(1.5, seconds))
    yield Row("memory after searches", "before any", before, after, mebibytes, below(150 * 2**20, mebibytes))


def _target(text: str, sort: str, cursor: str = "") -> str:
    asked = {"q": text, "facets": "100"} | ({"sort": sort} if sort else {}) | ({"cursor": cursor} if cursor else {})
    return f"/api/models?{urlencode(asked)}"


def _next_page(client: Client, text: str, sort: str, took: list[float]) -> None:
    cursor = client.json(_target(text, sort))["next"]
    if cursor:
        took.append(timed(lambda: client.get(_target(text, sort, cursor))))


def _wait_until_quiet(pid: int) -> None:
    """Wait until a process takes hardly any CPU for two seconds."""
    deadline = time.monotonic() + READY_S
    before = taken(pid).cpu_s
    while time.monotonic() < deadline:
        time.sleep(2)
        now = taken(pid).cpu_s
        if now - before < 0.2:
            return
        before = now
