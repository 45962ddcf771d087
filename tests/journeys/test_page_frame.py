"""The frame of the page: folders, an empty library, the floating bar, themes, and keys for everything."""

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from .browsing import House, Visit, lora

pytestmark = [pytest.mark.journey, pytest.mark.browser]


def box(locator: Locator) -> dict[str, float]:
    """Give where something stands, when it stands still."""
    found: Any = locator.bounding_box()
    assert found is not None
    return found


def ground(page: Page) -> str:
    """Give the colour that the page stands on."""
    return page.evaluate("getComputedStyle(document.body).backgroundColor")


def test_an_empty_library_greets(house: House, visit: Visit) -> None:
    """An empty library tells what to do next, and leads there."""
    hello = visit.page.get_by_role("region", name="Your library is empty")
    expect(hello.get_by_role("heading", level=3)).to_have_count(3)
    hello.get_by_role("button", name="Folders").click()
    expect(visit.dialog("Folders")).to_be_visible()
    visit.page.keyboard.press("Escape")
    hello.get_by_role("button", name="Bring it along").click()
    expect(visit.dialog("An earlier library")).to_be_visible()
    visit.page.keyboard.press("Escape")

    house.drop("Firstling", 1)
    expect(hello.get_by_role("heading", name="1 file waits to be imported")).to_be_visible()
    hello.get_by_role("button", name="Go to pending").click()
    visit.bring("Firstling")

    expect(hello).to_have_count(0)


def test_folders(house: House, visit: Visit, tmp_path: Path) -> None:
    """A folder is added, paused, resumed and removed, each with its state in words; what it refuses, it says why."""
    more = tmp_path / "more"
    more.mkdir()
    lora(more / "Found there.safetensors", 1)
    visit.choose_in_menu("Folders")
    folders = visit.dialog("Folders")
    row = folders.get_by_role("listitem").filter(has_text=str(more))
    expect(folders.get_by_role("listitem").filter(has_text=str(house.home / "loras"))).to_contain_text("Online")
    folders.get_by_role("textbox", name="Folder").fill(str(tmp_path / "nowhere"))
    folders.get_by_label("Type of its models").fill("checkpoints")
    folders.get_by_role("button", name="Add folder").click()
    expect(folders.get_by_role("alert")).to_contain_text("nowhere")

    folders.get_by_role("textbox", name="Folder").fill(str(more))
    folders.get_by_role("button", name="Add folder").click()
    expect(row).to_contain_text("Online")
    expect(row).to_contain_text("added here")
    expect(folders.get_by_role("alert")).to_have_count(0)
    house.wait_for(lambda: "Found there" in house.pending(), "what lies in it is pending")
    house.ask("POST", "/api/migration/import_a_model", {"id": house.pending()["Found there"]["id"]})

    row.get_by_role("button", name=f"Pause {more}").click()
    expect(row).to_contain_text("Paused")
    visit.page.keyboard.press("Escape")
    expect(visit.model("Found there")).to_contain_text("Offline")
    visit.choose_in_menu("Folders")
    row.get_by_role("button", name=f"Resume {more}").click()
    expect(row).to_contain_text("Online")
    visit.page.keyboard.press("Escape")
    expect(visit.model("Found there")).not_to_contain_text("Offline")
    visit.choose_in_menu("Folders")

    row.get_by_role("button", name=f"Remove {more}").click()
    expect(row).to_contain_text("everything you wrote is kept")
    row.get_by_role("button", name="Stop watching").click()
    expect(row).to_have_count(0)
    visit.page.keyboard.press("Escape")
    expect(visit.model("Found there")).to_be_visible()
    assert (more / "Found there.safetensors").exists()


def test_the_floating_bar(inn: House, guest: Visit) -> None:
    """The bar is dragged and moved by keys, never leaves the window, and stands where it was after a reload."""
    guest.open(inn)
    bar = guest.page.get_by_role("toolbar", name="Tools")
    handle = bar.get_by_role("button", name="Move this bar")
    begin, grip = box(bar), box(handle)
    guest.page.mouse.move(grip["x"] + 5, grip["y"] + 10)
    guest.page.mouse.down()
    guest.page.mouse.move(300, 300, steps=6)
    guest.page.mouse.up()
    there = box(bar)
    assert abs(there["x"] + 5 - 300) < 12, (begin, there)
    assert abs(there["y"] + grip["y"] - begin["y"] + 10 - 300) < 12

    guest.page.reload()
    expect(bar).to_be_visible()
    guest.page.wait_for_function(
        "([bar, x]) => Math.abs(bar.getBoundingClientRect().x - x) < 3", arg=[bar.element_handle(), there["x"]]
    )
    handle.focus()
    guest.page.keyboard.press("ArrowRight")
    guest.page.keyboard.press("ArrowDown")
    moved = box(bar)
    assert moved["x"] > there["x"]
    assert moved["y"] > there["y"]

    grip = box(handle)
    guest.page.mouse.move(grip["x"] + 5, grip["y"] + 10)
    guest.page.mouse.down()
    guest.page.mouse.move(3000, -500, steps=6)
    guest.page.mouse.up()
    for width, height in ((1440, 900), (700, 500)):
        guest.page.set_viewport_size({"width": width, "height": height})
        guest.page.wait_for_function(
            "bar => { const { left, top, right, bottom } = bar.getBoundingClientRect();"
            " return left >= 0 && top >= 0 && right <= innerWidth && bottom <= innerHeight }",
            arg=bar.element_handle(),
        )


def test_themes(inn: House, guest: Visit) -> None:
    """The page is dark or light as chosen, remembers it, and follows the system where that is chosen."""
    guest.page.emulate_media(color_scheme="dark")
    guest.open(inn)
    theme = guest.page.get_by_role("toolbar").get_by_role("button", name=re.compile("^Theme"))
    expect(theme).to_have_accessible_name("Theme: As the system")
    dark = ground(guest.page)
    guest.page.emulate_media(color_scheme="light")
    expect(guest.page.locator("html")).to_have_attribute("data-theme", "light")
    light = ground(guest.page)
    assert dark != light

    theme.click()
    expect(theme).to_have_accessible_name("Theme: Dark")
    expect(guest.page.locator("html")).to_have_attribute("data-theme", "dark")
    guest.page.reload()
    expect(theme).to_have_accessible_name("Theme: Dark")
    assert ground(guest.page) == dark
    theme.click()

    expect(theme).to_have_accessible_name("Theme: Light")
    assert ground(guest.page) == light


def test_without_a_mouse(house: House, visit: Visit) -> None:
    """From a fresh page by keys alone: find a model, open it, edit it, close it, choose two, make one a favourite."""
    for number, name in enumerate(("Anvil", "Bellows", "Chisel", "Drill"), 1):
        house.bring_in(name, number)
    expect(visit.models).to_have_count(4)
    keys = visit.page.keyboard
    keys.press("/")
    expect(visit.search).to_be_focused()
    keys.type("bell")
    expect(visit.models).to_have_count(1)
    keys.press("ArrowDown")
    expect(visit.model("Bellows")).to_be_focused()
    keys.press("Enter")

    details = visit.details("Bellows")
    expect(details.get_by_role("textbox", name="Name")).to_be_visible()
    field = details.get_by_role("textbox", name="Prompt", exact=True)
    for _ in range(60):
        if field.evaluate("field => field === document.activeElement"):
            break
        keys.press("Tab")
    expect(field).to_be_focused()
    keys.type("by keys alone")
    expect(details.get_by_role("group", name="Prompt", exact=True).get_by_role("status")).to_have_text("Saved")
    keys.press("Escape")
    keys.press("Escape")
    expect(details).to_have_count(0)
    expect(visit.model("Bellows")).to_be_focused()

    keys.press("/")
    keys.press("Escape")
    expect(visit.models).to_have_count(4)
    keys.press("ArrowDown")
    expect(visit.model("Anvil")).to_be_focused()
    keys.press("f")
    house.wait_for(lambda: house.model("Anvil")["favorite"], "it is a favourite")
    keys.press("Space")
    keys.press("Shift+ArrowRight")
    expect(visit.page.get_by_role("heading", name="2 models chosen")).to_be_visible()
    keys.press("Escape")
    expect(visit.page.get_by_role("heading", name="2 models chosen")).to_have_count(0)
    keys.press("p")
    expect(visit.page.get_by_role("heading", name="Pending")).to_be_visible()
    keys.press("?")
    expect(visit.dialog("Keys")).to_be_visible()
    keys.press("Escape")

    assert house.model("Bellows")["prompts"]["positive"] == "by keys alone"
    assert visit.complaints == []
