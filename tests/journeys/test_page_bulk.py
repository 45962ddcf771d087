"""Several models at once, on the page: chosen by pointer and keys, changed in one action."""

import re

import pytest
from playwright.sync_api import Locator, expect

from .browsing import House, Visit

pytestmark = [pytest.mark.journey, pytest.mark.browser]

NAMES = [f"Study {letter}" for letter in "ABCDEF"]


@pytest.fixture(scope="module")
def stocked(inn: House) -> House:
    """Give a library of six."""
    for number, name in enumerate(NAMES, 1):
        inn.bring_in(name, number, tags=["old"])
    return inn


@pytest.fixture
def at(guest: Visit, stocked: House) -> Visit:
    """Give a page with all six."""
    guest.open(stocked)
    expect(guest.models).to_have_count(len(NAMES))
    return guest


def chosen(visit: Visit) -> Locator:
    """Give the pane of what is chosen."""
    return visit.page.get_by_role("complementary", name="Chosen models")


def are_chosen(visit: Visit, *names: str) -> None:
    """See that just these models are chosen, and that the page says how many."""
    count = len(names)
    expect(chosen(visit).get_by_role("heading", level=2)).to_have_text(f"{count} model{'s' * (count > 1)} chosen")
    expect(visit.grid.locator("[aria-selected=true] .name")).to_have_text(list(names))


def test_chosen_by_pointer_and_keys(at: Visit) -> None:
    """Ctrl and a click choose one more or leave it, Shift reaches, Ctrl+A takes all, Escape leaves the choice."""
    at.model("Study B").click(modifiers=["Control"])
    are_chosen(at, "Study B")
    at.model("Study D").click(modifiers=["Control"])
    are_chosen(at, "Study B", "Study D")
    at.model("Study F").click(modifiers=["Shift"])
    are_chosen(at, "Study B", "Study D", "Study E", "Study F")
    at.model("Study B").click(modifiers=["Control"])
    are_chosen(at, "Study D", "Study E", "Study F")

    at.model("Study A").focus()
    at.page.keyboard.press("Control+a")
    are_chosen(at, *NAMES)
    at.page.keyboard.press("Escape")
    expect(chosen(at)).to_have_count(0)

    at.page.keyboard.press("Home")
    at.page.keyboard.press("Space")
    are_chosen(at, "Study A")
    at.page.keyboard.press("Shift+ArrowRight")
    are_chosen(at, "Study A", "Study B")


def test_all_are_changed_in_one_action(at: Visit, stocked: House) -> None:
    """Tags, type and favourite of all that are chosen change at once: the history has it as one action."""
    before = stocked.status()["position"]
    at.model("Study A").click(modifiers=["Control"])
    at.model("Study C").click(modifiers=["Shift"])
    are_chosen(at, "Study A", "Study B", "Study C")
    pane = chosen(at)
    adding = pane.get_by_role("combobox", name="Tags to add: Add a tag")
    adding.fill("new")
    adding.press("Enter")
    pane.get_by_role("button", name="Remove old all").click()
    pane.get_by_role("combobox", name="Type").select_option("checkpoints")
    pane.get_by_role("radio", name="On", exact=True).check()
    pane.get_by_role("button", name="Change 3 models").click()

    expect(at.page.get_by_text("3 changed")).to_be_visible()
    for name in NAMES[:3]:
        model = stocked.model(name)
        assert (model["tags"], model["type"], model["favorite"]) == (["new"], "checkpoints", True)
    assert [stocked.model(name)["tags"] for name in NAMES[3:]] == [["old"]] * 3
    done = stocked.events("model-edited", "model-tagged", "model-untagged")
    assert len({event["action"] for event in done if event["position"] > before}) == 1

    at.page.keyboard.press("Escape")
    expect(at.tab("checkpoints")).to_contain_text("3")
    expect(at.tag("new")).to_have_accessible_name(re.compile(r"new\W+3"))
    expect(at.model("Study A").get_by_role("button", name="Study A is a favourite")).to_be_visible()
