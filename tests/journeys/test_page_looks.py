"""How the page looks, in every state, both themes, wide and narrow: without faults for anybody, and to be looked at.

The screenshots are written to `.cache/screenshots`, or to the folder that HIKAZE_SCREENSHOTS names.
"""

import os
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from .browsing import House, Visit, context_of, lived_in
from .furnishing import furnish

pytestmark = [pytest.mark.journey, pytest.mark.browser, pytest.mark.slow]

REPO = Path(__file__).parents[2]
SCREENSHOTS = Path(os.environ.get("HIKAZE_SCREENSHOTS") or REPO / ".cache" / "screenshots")
AXE = REPO / "web" / "node_modules" / "axe-core" / "axe.min.js"
SIZES = ((1440, 900), (390, 844))
RUN_AXE = """
async () => {
  const { violations } = await axe.run(document, { resultTypes: ['violations'] })
  return violations.flatMap(({ id, nodes }) => nodes.map(({ target, failureSummary, html }) =>
    `${id} at ${target.join(' ')}: ${failureSummary} ${html.slice(0, 300)}`))
}
"""
# Whether every picture in the window has come, or has failed to.
PICTURES_ARE_HERE = """
() => [...document.images].every((image) => {
  const { top, bottom, width } = image.getBoundingClientRect()
  return width === 0 || bottom < 0 || top > innerHeight || image.complete
})
"""
# What is wider than the window, though the document does not scroll sideways.
CUT_OFF = "document.documentElement.scrollWidth - innerWidth"


# States -----------------------------------------------------------------------------------------------


def grid(visit: Visit, _house: House) -> None:
    """All models as cards."""
    expect(visit.models).not_to_have_count(0)


def rows(visit: Visit, _house: House) -> None:
    """All models as a list."""
    visit.page.get_by_role("button", name="List", exact=True).click()
    expect(visit.grid.get_by_role("row")).not_to_have_count(0)


def found(visit: Visit, _house: House) -> None:
    """A search with tags, all of which are shown."""
    visit.search.fill("sdxl OR flux")
    expect(visit.page).to_have_url(re.compile("q="))
    visit.tag("portrait").click()
    expect(visit.tag("portrait")).to_have_attribute("aria-pressed", "true")
    visit.tag("sdxl").click()
    visit.tag("sdxl").click()
    expect(visit.tag("sdxl")).to_have_attribute("aria-pressed", "mixed")
    expect(visit.models).not_to_have_count(0)


def all_tags(visit: Visit, _house: House) -> None:
    """All tags, unfolded."""
    visit.page.get_by_role("button", name="All tags").click()
    expect(visit.page.get_by_role("button", name="Fewer tags")).to_be_visible()


def help_(visit: Visit, _house: House) -> None:
    """How to search."""
    visit.page.get_by_role("button", name="How to search").click()
    expect(visit.page.get_by_text("Words stand side by side")).to_be_visible()


def slip(visit: Visit, _house: House) -> None:
    """A query that cannot be read."""
    visit.search.fill('portrait -"ink')
    expect(visit.page.get_by_text("This quotation mark is not closed")).to_be_visible()
    visit.complaints.clear()  # the browser notes the refusal, which is what is looked at here


def nothing(visit: Visit, _house: House) -> None:
    """A search that finds nothing."""
    visit.search.fill("undressed")
    expect(visit.page.get_by_role("heading", name="Nothing found")).to_be_visible()


def order(visit: Visit, _house: House) -> None:
    """The menu of orders."""
    visit.page.get_by_role("button", name="Order by Name").click()
    expect(visit.page.get_by_role("menuitemradio", name="Date added")).to_be_visible()


def details(visit: Visit, house: House) -> None:
    """All about a model."""
    show_model(visit, house, "Ink Wash Landscapes")


def missing(visit: Visit, house: House) -> None:
    """All about a model whose file is gone."""
    show_model(visit, house, "Rain on Glass")


def editing(visit: Visit, house: House) -> None:
    """Tags that are completed, in the details."""
    show_model(visit, house, "Porcelain Portraits XL")
    visit.page.get_by_role("combobox", name="Tags: Add a tag").press_sequentially("ph")
    expect(visit.page.get_by_role("option", name="photographic")).to_be_visible()


def conflicting(visit: Visit, house: House) -> None:
    """A text that somebody else changed, in the details."""
    show_model(visit, house, "Mossy Ruins")

    others: list[Any] = []

    def meanwhile(route: Any) -> None:
        if route.request.method == "PATCH" and not others:
            others.append(route)
            house.patch("Mossy Ruins", prompts={"positive": f"ruins in a forest at {visit.page.viewport_size}"})
        route.continue_()

    visit.page.route("**/api/models/*", meanwhile)
    visit.page.get_by_role("textbox", name="Prompt", exact=True).fill("ruins under moss, soft light")
    expect(visit.page.get_by_role("button", name="Keep yours")).to_be_visible()
    visit.complaints.clear()  # the browser notes the refusal, which is what is looked at here


def lightbox(visit: Visit, house: House) -> None:
    """A picture large, with how it was made."""
    show_model(visit, house, "Ink Wash Landscapes")
    visit.page.get_by_role("button", name="Open large").click()
    expect(visit.page.get_by_role("region", name="How it was made").get_by_text("DPM++ 2M", exact=True)).to_be_visible()


def chosen(visit: Visit, _house: House) -> None:
    """Several models that are chosen."""
    for name in ("Alpine Haze", "Amber Portraits", "Bauhaus Grid"):
        visit.model(name).focus()
        visit.page.keyboard.press("Space")
    if visit.page.viewport_size == {"width": 390, "height": 844}:
        visit.page.get_by_role("button", name="Change", exact=True).click()
    expect(visit.page.get_by_role("region", name="chosen")).to_be_visible()


def pending(visit: Visit, _house: House) -> None:
    """What waits to be imported."""
    visit.page.goto(f"{_house.url}/?view=pending")
    expect(visit.pendings).not_to_have_count(0)


def pending_pane(visit: Visit, house: House) -> None:
    """All about what waits."""
    visit.page.goto(f"{house.url}/?view=pending&id={house.pending()['Winter Valley LoRA']['id']}")
    expect(visit.page.get_by_role("region", name="Details of Winter Valley LoRA")).to_be_visible()


def conflict(visit: Visit, house: House) -> None:
    """What is there and what comes, side by side."""
    pending(visit, house)
    visit.page.get_by_role("button", name="Compare and decide on Ink Wash (copy)").click()
    expect(visit.dialog("The library has this already").get_by_role("button", name="Merge")).to_be_visible()


def folders(visit: Visit, _house: House) -> None:
    """The watched folders."""
    visit.choose_in_menu("Folders")
    expect(visit.dialog("Folders").get_by_role("listitem")).not_to_have_count(0)


def migration(visit: Visit, _house: House) -> None:
    """An earlier library, asked for."""
    visit.choose_in_menu("Bring an earlier library along")
    expect(visit.dialog("An earlier library")).to_be_visible()


def keys(visit: Visit, _house: House) -> None:
    """The keys."""
    visit.page.keyboard.press("?")
    expect(visit.dialog("Keys")).to_be_visible()


def menu(visit: Visit, _house: House) -> None:
    """The menu of the floating bar."""
    visit.page.get_by_role("toolbar").get_by_role("button", name="More").click()
    expect(visit.page.get_by_role("menuitem", name="Keys")).to_be_visible()


def door(visit: Visit, house: House) -> None:
    """What a browser without a key sees."""
    visit.page.add_init_script("localStorage.removeItem('hikaze.token')")
    visit.page.goto(house.url)
    expect(visit.page.get_by_role("heading", name="Open this page with its link")).to_be_visible()


def empty(visit: Visit, _house: House) -> None:
    """An empty library."""
    expect(visit.page.get_by_role("heading", name="Your library is empty")).to_be_visible()


def pending_empty(visit: Visit, house: House) -> None:
    """Nothing that waits."""
    visit.page.goto(f"{house.url}/?view=pending")
    expect(visit.page.get_by_text("Nothing waits for you")).to_be_visible()


def show_model(visit: Visit, house: House, name: str) -> None:
    """Open all about a model by its address."""
    visit.page.goto(f"{house.url}/?model={house.model(name)['sha256']}")
    expect(visit.page.get_by_role("region", name=f"Details of {name}")).to_be_visible()
    expect(visit.page.get_by_role("textbox", name="Name", exact=True)).to_be_visible()


State = Callable[[Visit, House], None]
FURNISHED: tuple[State, ...] = (
    *(grid, rows, found, all_tags, help_, slip, nothing, order, details, missing, editing, conflicting, lightbox),
    *(chosen, pending, pending_pane, conflict, folders, migration, keys, menu, door),
)
EMPTY: tuple[State, ...] = (empty, pending_empty)


# The tests --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def furnished(inn: House) -> House:
    """Give a daemon with a library that looks like somebody's."""
    furnish(inn)
    return inn


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Give a daemon with nothing."""
    yield from lived_in(House(tmp_path_factory.mktemp("bare")))


@pytest.fixture(scope="module")
def axe() -> str:
    """Give the code that looks for what keeps people out; it comes with what the page is built of."""
    subprocess.run(["sh", str(REPO / "tools" / "web.sh"), "install"], check=True, stdout=subprocess.DEVNULL)
    return AXE.read_text("utf-8")


def look(browser: Browser, house: House, theme: str, state: State, axe: str) -> list[str]:
    """Bring a state about at both sizes, and take its picture; gives what is wrong with it."""
    faults: list[str] = []
    kept = f"localStorage.setItem('hikaze.preferences', '{{\"theme\":\"{theme}\"}}')"
    for width, height in SIZES:
        context = context_of(browser, viewport={"width": width, "height": height})
        visit = Visit(context.new_page())
        visit.page.add_init_script(f"localStorage.getItem('hikaze.preferences') ?? {kept}")
        visit.page.goto(house.link())
        expect(visit.page.get_by_role("banner")).to_be_visible()
        state(visit, house)
        visit.page.wait_for_function(PICTURES_ARE_HERE)
        visit.page.evaluate("document.fonts.ready")
        name = f"{state.__name__.strip('_')}-{theme}-{width}.png"
        visit.page.screenshot(path=SCREENSHOTS / name, animations="disabled")
        expect(visit.page.locator("html")).to_have_attribute("data-theme", theme)
        visit.page.evaluate(axe)
        told = [
            *(f"cut off sideways by {cut}" for cut in [visit.page.evaluate(CUT_OFF)] if cut > 0),
            *visit.page.evaluate("violations"),
            *visit.complaints,
            *visit.strangers(house),
            *visit.page.evaluate(RUN_AXE),
        ]
        faults += [f"{name}: {each}" for each in told]
        context.close()
    return faults


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("state", FURNISHED)
def test_a_furnished_library(browser: Browser, furnished: House, theme: str, state: State, axe: str) -> None:
    """Nobody is kept out, nothing is cut off sideways, nothing is asked of others, and the console is empty."""
    faults = look(browser, furnished, theme, state, axe)

    assert not faults, "\n".join(faults)


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("state", EMPTY)
def test_with_nothing_in_it(browser: Browser, bare: House, theme: str, state: State, axe: str) -> None:
    """The same holds where nothing is there yet."""
    faults = look(browser, bare, theme, state, axe)

    assert not faults, "\n".join(faults)
