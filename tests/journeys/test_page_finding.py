"""Finding the right model on the page: as one types, by tags, types and orders; and the address holds it all."""

import re
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from .browsing import House, Visit, context_of
from .harness import png

pytestmark = [pytest.mark.journey, pytest.mark.browser]

ALL = ["Amber Portrait", "Blue Castle", "Crimson Knight", "Dusk Harbour", "Frost Garden"]
BY_SIZE = ["Frost Garden", "Dusk Harbour", "Crimson Knight", "Blue Castle", "Amber Portrait"]


@pytest.fixture(scope="module")
def stocked(inn: House) -> House:
    """Give a library that nobody changes."""
    told: tuple[tuple[str, dict[str, Any]], ...] = (
        ("Amber Portrait", {"tags": ["anime", "portrait"], "description": "Warm light from the left."}),
        ("Blue Castle", {"tags": ["landscape", "fantasy"]}),
        ("Crimson Knight", {"tags": ["anime", "fantasy"]}),
        ("Dusk Harbour", {"tags": ["landscape"], "favorite": True}),
        ("Ember Study", {"tags": ["anime", "nsfw"]}),
        ("Frost Garden", {"type": "checkpoints"}),
    )
    for number, (name, change) in enumerate(told, 1):
        inn.bring_in(name, number, size=(8, 32 * number), **change)
    first = inn.model("Amber Portrait")["sha256"]
    for colour in ("orange", "teal"):
        inn.give(first, png((300, 400), colour))
    return inn


@pytest.fixture
def at(guest: Visit, stocked: House) -> Visit:
    """Give a page with all that is there."""
    guest.open(stocked)
    expect(guest.models).to_have_count(len(ALL))
    return guest


def params(page: Page) -> str:
    """Give the search part of the address."""
    return page.evaluate("location.search")


def test_it_finds_as_one_types(at: Visit) -> None:
    """Letter by letter the list holds what is typed so far, best first; emptied, it holds all again."""
    at.search.press_sequentially("crims")
    expect(at.models).to_have_count(1)
    expect(at.model("Crimson Knight")).to_be_visible()
    expect(at.total).to_have_text("1 model")
    expect(at.page.get_by_role("button", name="Order by Best match")).to_be_visible()

    at.search.fill("warm light")
    expect(at.model("Amber Portrait")).to_be_visible()
    expect(at.models).to_have_count(1)

    at.page.get_by_role("button", name="Clear the search").click()
    expect(at.models).to_have_count(len(ALL))
    expect(at.search).to_be_focused()


def test_tags_have_three_states(at: Visit) -> None:
    """A press includes, another excludes, a third lets it be; counts follow, and what would give nothing is hidden."""
    expect(at.tag("landscape")).to_have_accessible_name(re.compile(r"landscape\W+2"))
    at.tag("anime").click()
    expect(at.tag("anime")).to_have_accessible_name(re.compile("included"))
    expect(at.tag("anime")).to_have_attribute("aria-pressed", "true")
    expect(at.models).to_have_count(2)
    expect(at.tag("landscape")).to_have_count(0)
    expect(at.tag("fantasy")).to_have_accessible_name(re.compile(r"fantasy\W+1"))

    at.tag("fantasy").click()
    expect(at.models).to_have_count(1)
    expect(at.model("Crimson Knight")).to_be_visible()

    at.tag("fantasy").click()
    expect(at.tag("fantasy")).to_have_accessible_name(re.compile("fantasy.*, excluded"))
    expect(at.tag("fantasy")).to_have_attribute("aria-pressed", "mixed")
    expect(at.model("Amber Portrait")).to_be_visible()
    expect(at.models).to_have_count(1)

    at.tag("fantasy").click()
    expect(at.tag("fantasy")).to_have_attribute("aria-pressed", "false")
    at.page.get_by_role("button", name="Clear tags").click()
    expect(at.models).to_have_count(len(ALL))


def test_nsfw_is_hidden_until_asked(at: Visit) -> None:
    """Models tagged nsfw are left out, whatever is searched for, until somebody asks for them."""
    expect(at.model("Ember Study")).to_have_count(0)
    at.search.fill("ember")
    expect(at.page.get_by_role("heading", name="Nothing found")).to_be_visible()
    expect(at.page.get_by_text("1 model is hidden, tagged nsfw.")).to_be_visible()

    at.page.get_by_role("button", name="Show nsfw").click()
    expect(at.model("Ember Study")).to_be_visible()
    at.page.get_by_role("button", name="nsfw shown").click()

    expect(at.model("Ember Study")).to_have_count(0)


def test_orders(at: Visit) -> None:
    """Models stand by name until another order is chosen; one more press turns it round."""
    assert at.names() == ALL
    at.page.get_by_role("button", name="Order by Name").click()
    at.page.get_by_role("menuitemradio", name="Size").click()
    expect(at.models.first).to_contain_text("Frost Garden")
    assert at.names() == BY_SIZE

    at.page.get_by_role("button", name="Largest first").click()
    expect(at.models.first).to_contain_text("Amber Portrait")

    assert at.names() == BY_SIZE[::-1]


def test_types_are_tabs(at: Visit) -> None:
    """Each type that has models is a tab with its number, and the arrow keys go from one to the next."""
    expect(at.page.get_by_role("tablist", name="Types").get_by_role("tab")).to_have_text(
        [re.compile(r"All\s+6"), re.compile(r"checkpoints\s+1"), re.compile(r"loras\s+5")]
    )
    at.tab("checkpoints").click()
    expect(at.models).to_have_count(1)
    expect(at.model("Frost Garden")).to_be_visible()

    at.page.keyboard.press("ArrowRight")
    expect(at.tab("loras")).to_be_focused()
    at.page.keyboard.press("Enter")

    expect(at.tab("loras")).to_have_attribute("aria-selected", "true")
    expect(at.models).to_have_count(4)


def test_the_address_holds_the_view(at: Visit, stocked: House, browser: Browser) -> None:
    """Reloaded, gone back from, or opened by somebody else, an address leads to the same view."""
    at.tab("loras").click()
    at.tag("anime").click()
    at.tag("fantasy").click()
    at.tag("fantasy").click()
    at.open_details("Amber Portrait")
    there = at.page.url

    at.page.reload()
    expect(at.details("Amber Portrait")).to_be_visible()
    expect(at.models).to_have_count(1)
    expect(at.tag("fantasy")).to_have_accessible_name(re.compile("excluded"))

    context = context_of(browser)
    other = Visit(context.new_page()).open(stocked)
    other.page.goto(there)
    expect(other.details("Amber Portrait")).to_be_visible()
    expect(other.models).to_have_count(1)
    context.close()

    at.page.go_back()
    expect(at.details()).to_have_count(0)
    at.page.go_back()
    expect(at.tag("fantasy")).to_have_accessible_name(re.compile("included"))
    at.page.go_back()
    at.page.go_back()
    expect(at.models).to_have_count(4)
    at.page.go_back()
    expect(at.models).to_have_count(len(ALL))
    assert params(at.page) == ""
    at.page.go_forward()
    expect(at.models).to_have_count(4)


def test_what_is_typed_is_in_the_address(at: Visit) -> None:
    """A search is kept by a reload, and its letters are no steps for the back button."""
    at.open_details("Blue Castle")
    at.search.press_sequentially("knight")
    expect(at.model("Crimson Knight")).to_be_visible()
    expect(at.page).to_have_url(re.compile("q=knight"))

    at.page.reload()
    expect(at.search).to_have_value("knight")
    expect(at.models).to_have_count(1)
    at.page.go_back()

    expect(at.search).to_have_value("")
    expect(at.details()).to_have_count(0)


def test_density_and_layout_are_remembered(at: Visit) -> None:
    """The number of columns and the dense list are as they were left, also after a reload."""
    slider = at.page.get_by_role("slider", name="Columns")
    slider.focus()
    for _ in range(12):
        at.page.keyboard.press("ArrowLeft")
    expect(slider).to_have_attribute("aria-valuetext", "2 columns")
    expect(at.grid).to_have_attribute("aria-colcount", "2")
    at.page.reload()
    expect(at.grid).to_have_attribute("aria-colcount", "2")
    at.page.keyboard.press("Tab")
    at.page.get_by_role("slider", name="Columns").focus()
    at.page.keyboard.press("End")
    expect(at.grid).to_have_attribute("aria-colcount", "10")

    at.page.get_by_role("button", name="List", exact=True).click()
    expect(at.grid.get_by_role("row")).to_have_count(len(ALL))
    expect(at.model("Dusk Harbour")).to_contain_text("landscape")
    at.page.reload()

    expect(at.grid.get_by_role("row")).to_have_count(len(ALL))
    expect(at.page.get_by_role("button", name="List", exact=True)).to_have_attribute("aria-pressed", "true")


def test_a_card_tells_the_rest(at: Visit, stocked: House) -> None:
    """The pointer at rest on a card brings what the card does not say, and its other pictures one after the other."""
    card = at.model("Amber Portrait")
    at.page.emulate_media(reduced_motion="no-preference")
    at.page.reload()
    expect(card.locator("img")).to_have_count(1)
    cover = card.locator("img").get_attribute("src")
    card.hover()

    expect(at.page.get_by_text(str(stocked.home / "loras" / "Amber Portrait.safetensors"))).to_be_visible()
    expect(card.locator("img.over")).to_be_visible()
    assert card.locator("img.over").last.get_attribute("src") != cover


def test_a_broken_picture_says_so(at: Visit, stocked: House) -> None:
    """A picture whose file is gone is told in words, where the picture would be."""
    base = stocked.model("Amber Portrait")["images"][0]
    at.page.route(re.compile(f"{base}.webp"), lambda route: route.fulfill(status=404))
    at.page.reload()

    expect(at.model("Amber Portrait")).to_contain_text("This picture cannot be shown")
