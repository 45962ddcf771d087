"""Editing a model on the page: it saves as one goes, and never writes over somebody else's words."""

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Locator, Route, expect

from .browsing import House, Visit

pytestmark = [pytest.mark.journey, pytest.mark.browser]


def during_the_next_save(visit: Visit, act: Callable[[], object]) -> None:
    """Have something happen while the page's next write is on its way."""
    done: list[Route] = []

    def meanwhile(route: Route) -> None:
        if route.request.method == "PATCH" and not done:
            done.append(route)
            act()
        route.continue_()

    visit.page.route("**/api/models/*", meanwhile)


def write(details: Locator, label: str, text: str) -> Locator:
    """Write into a field of prose, which is opened with its pencil; gives the group it stands in."""
    group = details.get_by_role("group", name=label, exact=True)
    group.get_by_role("button", name=f"Edit {label}").click()
    group.get_by_role("textbox", name=label).fill(text)
    return group


def saved(group: Locator) -> None:
    """See that a field says it is saved."""
    expect(group.get_by_role("status")).to_have_text("Saved")


def test_every_field_saves_as_one_goes(inn: House, guest: Visit) -> None:
    """What is written into any field is saved without a button, says so, and is there after a reload."""
    inn.bring_in("Sketch", 1)
    inn.bring_in("Tagged", 2, tags=["watercolour"])
    guest.open(inn)
    details = guest.open_details("Sketch")
    group = details.get_by_role("group", name="Name", exact=True)
    group.get_by_role("textbox").fill("Sketchbook")
    saved(group)
    details = guest.details("Sketchbook")

    details.get_by_role("button", name="Favourite").click()
    for label, text in (("Prompt", "ink, wash"), ("Negative prompt", "photo")):
        group = details.get_by_role("group", name=label, exact=True)
        group.get_by_role("textbox").fill(text)
        saved(group)
    tags = details.get_by_role("combobox", name="Tags: Add a tag")
    tags.press_sequentially("water")
    details.get_by_role("option", name="watercolour").click()
    tags.fill("a tag of my own")
    tags.press("Enter")
    saved(details.get_by_role("group", name="Tags", exact=True))
    words = details.get_by_role("textbox", name="Trigger words: Add a trigger word")
    words.fill("sumi-e")
    words.press("Enter")
    saved(details.get_by_role("group", name="Trigger words", exact=True))
    saved(write(details, "Description", "**Bold** strokes, see [notes](https://example.org/notes)"))
    saved(write(details, "Links", "https://example.org/sketch"))
    details.get_by_role("combobox", name="Type").select_option("checkpoints")
    saved(details.get_by_role("group", name="Type", exact=True))
    guest.page.reload()

    expect(details.get_by_role("textbox", name="Name")).to_have_value("Sketchbook")
    expect(details.get_by_role("button", name="Favourite")).to_have_attribute("aria-pressed", "true")
    expect(details.get_by_role("textbox", name="Prompt", exact=True)).to_have_value("ink, wash")
    expect(details.get_by_role("textbox", name="Negative prompt")).to_have_value("photo")
    expect(details.get_by_role("list", name="Tags").get_by_role("listitem")).to_have_text(
        ["a tag of my own", "watercolour"]
    )
    expect(details.get_by_role("list", name="Trigger words").get_by_role("listitem")).to_have_text(["sumi-e"])
    expect(details.locator("strong", has_text="Bold")).to_be_visible()
    expect(details.get_by_role("link", name="example.org/sketch")).to_be_visible()
    expect(details.get_by_role("combobox", name="Type")).to_have_value("checkpoints")
    assert guest.complaints == []


def test_the_same_field_meanwhile(inn: House, guest: Visit) -> None:
    """Where somebody else wrote into the same field, both are shown, nothing is overwritten, and mine can be kept."""
    inn.bring_in("Fought over", 3, prompts={"positive": "a harbour"})
    guest.open(inn)
    group = guest.open_details("Fought over").get_by_role("group", name="Prompt", exact=True)
    during_the_next_save(guest, lambda: inn.patch("Fought over", prompts={"positive": "theirs"}))
    group.get_by_role("textbox").fill("mine")

    conflict = group.get_by_role("alert")
    expect(conflict).to_contain_text("Somebody else changed this meanwhile.")
    expect(conflict.get_by_role("definition")).to_have_text(["mine", "theirs"])
    expect(group.get_by_role("textbox")).to_have_value("mine")
    assert inn.model("Fought over")["prompts"]["positive"] == "theirs"
    conflict.get_by_role("button", name="Keep yours").click()

    saved(group)
    expect(conflict).to_have_count(0)
    assert inn.model("Fought over")["prompts"]["positive"] == "mine"


def test_theirs_can_be_taken(inn: House, guest: Visit) -> None:
    """Of two texts one can also take the other's, and nothing is written then."""
    inn.bring_in("Given up", 4, prompts={"positive": "a harbour"})
    guest.open(inn)
    group = guest.open_details("Given up").get_by_role("group", name="Prompt", exact=True)
    during_the_next_save(guest, lambda: inn.patch("Given up", prompts={"positive": "theirs"}))
    group.get_by_role("textbox").fill("mine")
    version = inn.model("Given up")["version"]

    group.get_by_role("button", name="Take theirs").click()

    expect(group.get_by_role("textbox")).to_have_value("theirs")
    expect(group.get_by_role("alert")).to_have_count(0)
    assert inn.model("Given up")["prompts"]["positive"] == "theirs"
    assert inn.model("Given up")["version"] >= version


def test_another_field_meanwhile(inn: House, guest: Visit) -> None:
    """Where somebody else wrote into another field, both are kept and nobody is asked."""
    inn.bring_in("Shared", 5)
    guest.open(inn)
    details = guest.open_details("Shared")
    group = details.get_by_role("group", name="Negative prompt", exact=True)
    during_the_next_save(guest, lambda: inn.patch("Shared", prompts={"positive": "from elsewhere"}, add_tags=["far"]))

    group.get_by_role("textbox").fill("fog")

    saved(group)
    expect(details.get_by_role("textbox", name="Prompt", exact=True)).to_have_value("from elsewhere")
    expect(details.get_by_role("list", name="Tags").get_by_role("listitem")).to_have_text(["far"])
    expect(details.get_by_role("alert")).to_have_count(0)
    assert inn.model("Shared")["prompts"] == {"positive": "from elsewhere", "negative": "fog"}


def test_a_path_is_text_to_copy(inn: House, guest: Visit) -> None:
    """Where the file lies is text that can be copied, and no link."""
    inn.bring_in("Somewhere", 6)
    grant(guest.page.context)
    guest.open(inn)
    details = guest.open_details("Somewhere")
    there = details.get_by_role("region", name="Where it lies")
    path = str(inn.home / "loras" / "Somewhere.safetensors")

    expect(there).to_contain_text("Present")
    expect(there).to_contain_text(path)
    expect(there.get_by_role("link")).to_have_count(0)
    there.get_by_role("button", name="Copy the path").click()

    expect(there.get_by_role("button", name="Copied")).to_be_visible()
    assert guest.page.evaluate("navigator.clipboard.readText()") == path


def test_the_pane_can_be_resized(inn: House, guest: Visit) -> None:
    """The pane's edge can be dragged and moved by keys, and its width is remembered."""
    inn.bring_in("Wide", 7)
    guest.open(inn)
    guest.open_details("Wide")
    pane = guest.page.get_by_role("complementary", name="Details")
    edge = guest.page.get_by_role("separator", name="Width of the details")
    before, at = pane.bounding_box(), edge.bounding_box()
    assert before is not None
    assert at is not None

    guest.page.mouse.move(at["x"] + at["width"] / 2, 450)
    guest.page.mouse.down()
    guest.page.mouse.move(at["x"] - 120, 450, steps=5)
    guest.page.mouse.up()
    wider = pane.bounding_box()
    assert wider is not None
    assert wider["width"] > before["width"] + 80
    guest.page.reload()
    expect(edge).to_have_attribute("aria-valuenow", edge.get_attribute("aria-valuenow") or "")
    kept = pane.bounding_box()
    assert kept is not None
    assert abs(kept["width"] - wider["width"]) < 3

    edge.focus()
    guest.page.keyboard.press("End")
    expect(edge).to_have_attribute("aria-valuenow", "24")


def grant(context: BrowserContext) -> None:
    """Let a page read and write the clipboard."""
    context.grant_permissions(["clipboard-read", "clipboard-write"])
