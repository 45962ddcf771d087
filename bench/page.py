"""The page in a real Chromium, over 100,000 models: load, keystroke, scroll, and a drop until it is seen."""

import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from .desk import MODELS, Desk
from .measure import Row, below, mebibytes, quantile, seconds, times_the_floor_at_most

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

LOADS = 7
TYPED = ("gilded knight", "neon city 12", "porcelain dragon", "velvet horizon 9", "misty gar")
DROPS = 15
LONG_S = 0.05

# Both are times of the page's own clock: from the navigation, and from the key, until what came of it was painted.
FLOOR_LOAD = "<!doctype html><title>nothing</title><p>nothing"
PAINTED_CARDS = """
() => new Promise((resolve) => {
  const look = () => {
    const there = [...document.querySelectorAll('[data-at] img')].filter((image) => image.complete).length > 0
    if (there) requestAnimationFrame(() => setTimeout(() => resolve(performance.now())))
    else setTimeout(look, 2)
  }
  look()
})
"""
PAINTED = "() => new Promise((done) => requestAnimationFrame(() => setTimeout(() => done(performance.now()))))"
# Notes when a key went down, and when the page's answer to it stood there: the list's number of models or names differ.
LISTEN_TO_KEYS = """
() => {
  window.took = []
  let begun = null
  document.addEventListener('keydown', () => (begun = performance.now()), true)
  new MutationObserver(() => {
    const then = begun
    if (then === null) return
    requestAnimationFrame(() => setTimeout(() => {
      if (begun === then) begun = null, window.took.push(performance.now() - then)
    }))
  }).observe(document.querySelector('#models'), { childList: true, subtree: true, characterData: true })
}
"""
# A fetch of what the page would ask for, and nothing else.
FETCH = """
async (q) => {
  const begin = performance.now()
  const head = { Authorization: `Bearer ${localStorage.getItem('hikaze.token')}` }
  const asked = new URLSearchParams({ q, offset: '0', limit: '100', facets: '60', not_tag: 'nsfw' })
  await (await fetch(`/api/models?${asked}`, { headers: head, cache: 'no-store' })).json()
  return performance.now() - begin
}
"""
SEEN = """
(name) => new Promise((resolve) => {
  const look = () => {
    const here = document.querySelector('main').textContent.includes(name)
    if (here) requestAnimationFrame(() => setTimeout(() => resolve(Date.now())))
    else setTimeout(look, 2)
  }
  look()
})
"""


def rows(desk: Desk) -> Iterator[Row]:
    """Load the page, type, scroll, and drop files."""
    chromium = shutil.which("chromium")
    if chromium is None:
        raise RuntimeError("this machine has no Chromium; on Debian: apt-get install chromium")
    # Not needed to run Hikaze: the development environment has it (`make lint` makes that).
    from playwright.sync_api import sync_playwright

    from tests.journeys.browsing import House, lived_in
    from tests.journeys.scrolling import stock

    models = desk.scaled(MODELS)
    desk.tell(f"page: making a library of {models:,} models, a third of them with pictures")
    house = House(Path(desk.folder("page")))
    stock(house, models)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        for running in lived_in(house):
            context = browser.new_context(viewport={"width": 1440, "height": 900}, reduced_motion="reduce")
            page = context.new_page()
            page.goto(running.link())
            page.evaluate(PAINTED_CARDS)
            yield from _load(desk, context, running.url, models)
            yield from _keys(desk, page, models)
            yield from _scroll(desk, browser, page, models)
            yield from _drop(desk, page, running)
        browser.close()


def _load(desk: Desk, context: "BrowserContext", url: str, models: int) -> Iterator[Row]:
    desk.tell(f"page: {LOADS} loads, each in a tab of its own, in turn with an empty page's")
    floors, took = list[float](), list[float]()
    for _ in range(LOADS):
        for address, painted, times in ((f"{url}/icon.svg", PAINTED, floors), (url, PAINTED_CARDS, took)):
            page = context.new_page()
            page.goto(address, wait_until="commit")
            times.append(page.evaluate(painted) / 1000)
            page.close()
    yield Row(
        f"load of {models:,} until cards with pictures are painted",
        "the icon alone, painted",
        median(floors),
        median(took),
        seconds,
        below(1.0, seconds),
    )


def _keys(desk: Desk, page: "Page", models: int) -> Iterator[Row]:
    desk.tell(f"page: {sum(map(len, TYPED))} letters into the search field")
    from playwright.sync_api import TimeoutError as TooLate

    from tests.journeys.scrolling import NONE_IS_AWAITED

    page.evaluate(LISTEN_TO_KEYS)
    field, floors = page.get_by_role("searchbox", name="Search", exact=True), list[float]()
    for text in TYPED:
        field.fill("")
        page.wait_for_function(NONE_IS_AWAITED)
        for at, letter in enumerate(text):
            before = page.evaluate("took.length")
            floors.append(page.evaluate(FETCH, text[: at + 1]) / 1000)
            field.press(letter)
            with suppress(TooLate):  # a letter that changes nothing in sight has nothing to wait for
                page.wait_for_function(f"() => took.length > {before}", timeout=1_000)
    took = [each / 1000 for each in page.evaluate("took")]
    what = f"keystroke to painted result of {models:,}"
    yield Row(f"{what}, p50", "fetch of the same query", median(floors), median(took), seconds, below(0.2, seconds))
    p99 = quantile(took, 0.99)
    yield Row(f"{what}, p99", "fetch of the same query, p99", quantile(floors, 0.99), p99, seconds)
    field.fill("")
    page.wait_for_function(NONE_IS_AWAITED)


def _scroll(desk: Desk, browser: "Browser", page: "Page", models: int) -> Iterator[Row]:
    from tests.journeys.scrolling import heap, through

    desk.tell("page: scrolling by wheel and by dragging")
    through(browser, page, "drag")
    before = heap(page)
    for way in ("wheel", "drag"):
        told = through(browser, page, way, frames=120)
        longest = max(told.tasks_ms) / 1000
        frame = told.ms / 1000 / told.frames
        note = f"{told.nodes:,} nodes at most; {len(told.longer_than(LONG_S * 1000))} tasks over 50 ms"
        yield Row(f"scrolling {models:,} by {way}, a frame", "60 Hz", 1 / 60, frame, seconds, None, note)
        yield Row("... its longest task, CPU", "-", 0, longest, seconds, below(LONG_S, seconds))
    yield Row(
        "memory of the page after scrolling", "before", before, heap(page), mebibytes, times_the_floor_at_most(1.2)
    )


def _drop(desk: Desk, page: "Page", house: Any) -> Iterator[Row]:
    desk.tell(f"page: {DROPS} files dropped on the disk, until each is painted")
    page.get_by_role("navigation").get_by_role("button", name="Pending").click()
    floors, took = list[float](), list[float]()
    for number in range(DROPS):
        begun = time.time()
        house.drop(f"Dropped {number}", 7_000 + number)
        made = time.time()
        floors.append(made - begun)
        took.append(page.evaluate(SEEN, f"Dropped {number}") / 1000 - made)
    what = "a file renamed into the drop folder until its card is painted"
    yield Row(what, "making the file", median(floors), median(took), seconds, below(1.0, seconds))
    yield Row("... slowest", "making the file, slowest", max(floors), max(took), seconds, below(1.0, seconds))
