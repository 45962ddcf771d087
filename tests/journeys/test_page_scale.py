"""A hundred thousand models on the page: what is not in sight is not there, and scrolling never stalls."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from .browsing import House, Visit, context_of, lived_in
from .scrolling import NODES, NONE_IS_AWAITED, heap, stock, through, watched

pytestmark = [pytest.mark.journey, pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(900)]

MODELS = 100_000
MOST_NODES = 2_000
LONG_MS = 50


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Give a daemon with a hundred thousand models."""
    house = House(tmp_path_factory.mktemp("large"))
    stock(house, MODELS)
    yield from lived_in(house)


@pytest.fixture
def at(browser: Browser, large: House) -> Iterator[Visit]:
    """Give a page with all of them."""
    context = context_of(browser, viewport={"width": 1440, "height": 900})
    visit = Visit(context.new_page())
    visit.page.goto(large.link())
    expect(visit.total).to_have_text(f"{MODELS:,} models", timeout=120_000)
    visit.page.wait_for_function(NONE_IS_AWAITED)
    yield visit
    context.close()


@pytest.mark.parametrize("columns", [2, 6, 10, 0])
def test_scrolling(browser: Browser, at: Visit, columns: int) -> None:
    """By wheel and by dragging, in cards of any size and in the list, few nodes are there and no task is long."""
    layout = f"{{'layout': 'grid', 'columns': {columns}}}" if columns else "{'layout': 'list'}"
    at.page.evaluate(f"localStorage.setItem('hikaze.preferences', JSON.stringify({layout}))")
    at.page.reload()
    at.page.wait_for_function(NONE_IS_AWAITED)
    through(browser, at.page, "wheel")  # what is compiled at its first use is compiled
    for way in ("wheel", "drag"):
        scrolled = through(browser, at.page, way)

        assert scrolled.nodes < MOST_NODES
        assert scrolled.longer_than(LONG_MS) == [], way
    expect(at.models.last).to_have_attribute("data-at", str(MODELS - 1))


def test_keys_lead_to_both_ends(browser: Browser, at: Visit) -> None:
    """End and Home lead from one end to the other at once, with the focus, and no task is long."""
    at.models.first.focus()
    for key, cell in (("End", MODELS - 1), ("Home", 0), ("End", MODELS - 1), ("Home", 0)):

        def go(key: str = key, cell: int = cell) -> None:
            at.page.keyboard.press(key)
            expect(at.grid.locator(f'[data-at="{cell}"]')).to_be_focused()
            expect(at.grid.locator(f'[data-at="{cell}"] .name')).to_be_visible()

        _, tasks = watched(browser, at.page, go)
        assert max(tasks) < LONG_MS, key
        assert at.page.evaluate(NODES) < MOST_NODES


def test_memory_is_steady(browser: Browser, at: Visit) -> None:
    """Gone through a second time, the list takes no more memory than after the first."""
    through(browser, at.page, "drag")
    through(browser, at.page, "drag")
    before = heap(at.page)
    for _ in range(2):
        through(browser, at.page, "drag")

    assert heap(at.page) < before * 1.2
