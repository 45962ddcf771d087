"""A library of many thousand models, made quickly, and what scrolling through it costs a page.

`make bench ARGS=page` measures with the same: see bench/page.py.
"""

import hashlib
import json
import os
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from hikaze.daemon.content.study import RULES
from hikaze.events.catalog import (
    Event,
    File,
    ImageAdded,
    LocationFound,
    ModelImported,
    ModelTagged,
    RootAdded,
    TagCreated,
    Texts,
)
from hikaze.events.log import EventLog
from hikaze.events.pathtext import to_text
from hikaze.events.record import New, new_id, now_ms
from playwright.sync_api import Browser, Page

from .browsing import House
from .harness import picture

CHUNK = 20_000
TAGS = ("anime", "portrait", "landscape", "style", "sdxl", "flux", "pony", "concept", "clothing", "lighting", "poster")
FIRST = ("Ethereal", "Neon", "Velvet", "Gilded", "Midnight", "Porcelain", "Crystal", "Hollow", "Pastel", "Misty")
SECOND = ("Portrait", "Horizon", "Knight", "Garden", "City", "Armor", "Dragon", "Fashion", "Mecha", "Detail")
FRAMES = 60  # of a way through the list

# Goes through the list, a step a frame; each look at the number of nodes is between frames, and counts the frames.
THROUGH = """
async ([frames, way]) => {
  const port = document.querySelector('[role=grid]')
  const whole = port.scrollHeight - port.clientHeight
  let nodes = 0
  port.scrollTop = 0
  await new Promise(requestAnimationFrame)
  const begin = performance.now()
  for (let frame = 0; frame <= frames; frame += 1) {
    port.scrollTop = way === 'wheel' ? port.scrollTop + 400 : whole * (frame / frames)
    await new Promise(requestAnimationFrame)
    nodes = Math.max(nodes, document.getElementsByTagName('*').length)
  }
  return { nodes, ms: performance.now() - begin }
}
"""
NODES = "document.getElementsByTagName('*').length"
NONE_IS_AWAITED = "() => document.querySelectorAll('[data-at]').length > 0 && !document.querySelector('.waiting')"


def stock(house: House, models: int) -> None:
    """Give a house that has not started yet so many models, as if each had been imported from a disk that is away.

    A third of them have a picture. No file of a model is there: then nothing has to be looked at.
    """
    (house.home / "loras").rmdir()
    data = house.home / "data"
    data.mkdir(mode=0o700)
    log = EventLog(str(data / "log.db"), durable=False)
    events = _history(house, models)
    try:
        while chunk := list(islice(events, CHUNK)):
            log.begin()
            log.append(chunk, actor="watcher", action=new_id(now_ms()))
            log.commit()
    finally:
        log.close()
    _put_pictures(data / "images", models)


def _sha(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


def _has_picture(number: int) -> bool:
    return number % 3 == 0


def name_of(number: int) -> str:
    """Give the name of a model."""
    pick = random.Random(number)  # noqa: S311 - the same names in every run
    return f"{pick.choice(FIRST)} {pick.choice(SECOND)} {number}"


def _history(house: House, models: int) -> Iterator[New]:
    root = house.home / "loras"
    yield New("root/1", RootAdded(1, to_text(str(root)), "model", "loras"))
    for number, name in enumerate(TAGS, 1):
        yield New(f"tag/{number}", TagCreated(number, name))
    now = now_ms()
    for number in range(models):
        sha256, name, pick = _sha(number), name_of(number), random.Random(number)  # noqa: S311
        age = (models - number) * 60_000
        told: list[Event] = [
            ModelImported(
                sha256, name, "loras", 10_000_000 + number, Texts("words"), {"rules": RULES}, created_at=now - age
            )
        ]
        told += [ModelTagged(sha256, tag) for tag in sorted(set(pick.choices(range(1, len(TAGS) + 1), k=2)))]
        if _has_picture(number):
            told.append(ImageAdded(sha256, 0, "PNG", 300, 400))
        yield from (New(f"model/{sha256}", event) for event in told)
        path = to_text(str(root / f"{name}.safetensors"))
        yield New(
            f"files/{sha256}", LocationFound(sha256, File(path, 1, 10_000_000 + number, now * 1_000_000, 1, number + 1))
        )


def _put_pictures(images: Path, models: int) -> None:
    images.mkdir(mode=0o700)
    drawn: list[Path] = []
    for at, colour in enumerate(("teal", "salmon", "goldenrod", "slateblue", "seagreen")):
        drawn.append(images.parent / f"drawn{at}.webp")
        picture(drawn[-1], (300, 400), colour)
    for number in filter(_has_picture, range(models)):
        sha256 = _sha(number)
        folder = images / sha256[:2]
        folder.mkdir(exist_ok=True)
        for tier in ("low", "medium"):
            os.link(drawn[number % len(drawn)], folder / f"{sha256}_0_{tier}.webp")


@dataclass
class Scrolled:
    """What going through a list cost: nodes at most, and each task of the page's main thread by its own CPU time."""

    nodes: int
    ms: float
    frames: int
    tasks_ms: list[float]

    def longer_than(self, ms: float) -> list[float]:
        """Give the tasks that took more CPU than that, the longest first."""
        return sorted((task for task in self.tasks_ms if task > ms), reverse=True)


def through(browser: Browser, page: Page, way: str, frames: int = FRAMES) -> Scrolled:
    """Scroll through the list, `wheel` by steps of a wheel, `drag` from the top to its end, and wait for the rows."""

    def go() -> Any:
        told = page.evaluate(THROUGH, [frames, way])
        page.wait_for_function(NONE_IS_AWAITED)
        return told

    told, tasks = watched(browser, page, go)
    return Scrolled(max(told["nodes"], page.evaluate(NODES)), told["ms"], frames, tasks)


def watched(browser: Browser, page: Page, act: Callable[[], Any]) -> tuple[Any, list[float]]:
    """Do something, and give what it gives with the CPU time in ms of each task of the page's main thread.

    CPU, and not the clock's time: on a machine that is busy a task of a few ms may last long, which is not its fault.
    """
    page.evaluate("1")  # what went before is over
    browser.start_tracing(page=page, categories=["toplevel", "devtools.timeline", "blink.user_timing"])
    page.evaluate("performance.mark('hikaze-here')")
    try:
        told = act()
    finally:
        events = json.loads(browser.stop_tracing())["traceEvents"]
    ours = {event["pid"] for event in events if event.get("name") == "hikaze-here"}
    mains = {
        (event["pid"], event["tid"])
        for event in events
        if event.get("name") == "thread_name" and event["args"]["name"] == "CrRendererMain" and event["pid"] in ours
    }
    return told, [
        event.get("tdur", 0) / 1000
        for event in events
        if event.get("name", "").endswith("RunTask") and (event["pid"], event["tid"]) in mains
    ]


def heap(page: Page) -> float:
    """Give the bytes of the page's JavaScript that are in use, garbage taken away."""
    session = page.context.new_cdp_session(page)
    try:
        for _ in range(2):  # what the first lets go of, the second takes away
            session.send("HeapProfiler.collectGarbage")
        session.send("Performance.enable")
        found = {each["name"]: each["value"] for each in session.send("Performance.getMetrics")["metrics"]}
        return found["JSHeapUsedSize"]
    finally:
        session.detach()
