"""What pictures tell, on the page: how each was made, and its prompts for the taking."""

import re

import pytest
from playwright.sync_api import Locator, expect

from .browsing import House, Visit
from .test_picture_info import SEED, graph, infotext, png_with

pytestmark = [pytest.mark.journey, pytest.mark.browser]


def test_prompts_are_taken_by_a_click(house: House, visit: Visit) -> None:
    """The prompt of a preview is shown as offered; one click makes it the model's, and it is offered no more."""
    (house.home / "drop" / "Aurora.png").write_bytes(png_with(parameters=infotext(prompt="<b>northern</b> lights")))
    house.bring_in("Aurora", 1)
    details = visit.open_details("Aurora")
    offered = details.get_by_role("group").filter(has_text="The pictures say").last
    expect(offered).to_contain_text("<b>northern</b> lights")
    prompt = details.get_by_role("textbox", name="Prompt", exact=True)
    expect(prompt).to_have_value("")

    offered.get_by_role("button", name="Use as prompts").click()

    expect(prompt).to_have_value(re.compile("<b>northern</b> lights"))
    expect(details.get_by_role("button", name="Use as prompts")).to_have_count(0)
    expect(details.locator("b")).to_have_count(0)
    model = house.model("Aurora")
    house.wait_for(lambda: house.model("Aurora")["prompts"]["negative"] == "fog", "both prompts are kept")
    assert model["sha256"] == house.model("Aurora")["sha256"]
    assert visit.complaints == []


def test_how_a_picture_was_made(house: House, visit: Visit) -> None:
    """All that a picture tells is shown when it is opened; a file that is known leads to its model, and back."""
    house.bring_in("Beacon", 1)
    (house.home / "drop" / "Coast.png").write_bytes(png_with(prompt=graph("Beacon.safetensors")))
    house.bring_in("Coast", 2)
    details = visit.open_details("Coast")

    large = open_large(visit, details)
    made = large.get_by_role("region", name="How it was made")
    expect(made.get_by_role("definition").filter(has_text=str(SEED))).to_be_visible()
    expect(made.get_by_role("definition").filter(has_text="ComfyUI")).to_be_visible()
    expect(made.get_by_role("listitem").filter(has_text="v1-5.ckpt")).to_contain_text("not in the library")
    made.get_by_role("button", name="Open Beacon").click()

    expect(large).to_be_hidden()
    beacon = visit.details("Beacon")
    expect(beacon.get_by_role("textbox", name="Name")).to_have_value("Beacon")
    expect(beacon.get_by_role("region", name="How it was made")).to_have_count(0)
    visit.page.go_back()
    expect(visit.details("Coast")).to_be_visible()
    visit.page.keyboard.press("Escape")
    expect(visit.details()).to_have_count(0)
    assert visit.complaints == []


def test_a_pending_picture(house: House, visit: Visit) -> None:
    """Before an import the picture tells as much, and its prompts can be taken already."""
    visit.go_to_pending()
    (house.home / "drop" / "Dune.png").write_bytes(png_with(parameters=infotext()))
    house.drop("Dune", 3)
    expect(visit.pending("Dune").get_by_role("img", name="Picture of Dune")).to_be_visible()
    details = visit.open_pending("Dune")

    made = details.get_by_role("region", name="How it was made")
    expect(made.get_by_role("definition").filter(has_text=str(SEED))).to_be_visible()
    made.get_by_role("button", name="Use as prompts").click()

    expect(details.get_by_role("button", name="Use as prompts")).to_have_count(0)
    number = house.pending()["Dune"]["id"]

    def told() -> tuple[str, str]:
        whole = house.ask("GET", "/api/migration/pending_model", id=number)
        return whole["prompts"]["negative"], whole["origins"]["prompts"]

    house.wait_for(lambda: told() == ("fog", "user"), "both prompts are kept")
    assert visit.complaints == []


def open_large(visit: Visit, details: Locator) -> Locator:
    """Open the picture that is shown large; gives the dialog."""
    details.get_by_role("button", name="Open large").click()
    large = visit.page.get_by_role("dialog").filter(has=visit.page.get_by_role("group", name="Zoom"))
    expect(large).to_be_visible()
    return large
