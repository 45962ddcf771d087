"""What pictures tell, on the page: how each was made, and its prompts for the taking."""

import pytest
from playwright.sync_api import Locator, expect

from .browsing import House, Visit
from .test_picture_info import SEED, graph, infotext, png_with

pytestmark = [pytest.mark.journey, pytest.mark.browser]


@pytest.fixture
def details(visit: Visit) -> Locator:
    """Give the dialog that tells all about a model."""
    return visit.page.locator("#details")


def test_prompts_are_taken_by_a_click(house: House, visit: Visit, details: Locator) -> None:
    """The prompt of a preview is shown as offered; one click makes it the model's, and it is offered no more."""
    (house.home / "drop" / "Aurora.png").write_bytes(png_with(parameters=infotext(prompt="<b>northern</b> lights")))
    house.drop("Aurora", 1)
    visit.pending("Aurora").get_by_role("button", name="Import Aurora").click()
    visit.model("Aurora").get_by_role("button", name="Aurora").click()
    expect(details.get_by_role("heading", name="Offered prompt")).to_contain_text("from its picture")
    expect(details.get_by_role("heading", name="Prompt", exact=True)).to_have_count(0)

    details.get_by_role("button", name="Use as prompts").click()

    expect(details.locator(".part", has=visit.page.get_by_role("heading", name="Prompt", exact=True))).to_contain_text(
        "<b>northern</b> lights"
    )
    expect(details.get_by_role("button", name="Use as prompts")).to_have_count(0)
    expect(details.locator("b")).to_have_count(0)
    model = house.ask("GET", "/api/models")["items"][0]["sha256"]
    assert house.ask("GET", f"/api/models/{model}")["prompts"]["negative"] == "fog"
    assert visit.complaints == []


def test_how_a_picture_was_made(house: House, visit: Visit, details: Locator) -> None:
    """All that a picture tells is shown when it is opened; a file that is known leads to its model, and back."""
    house.drop("Beacon", 1)
    visit.pending("Beacon").get_by_role("button", name="Import Beacon").click()
    expect(visit.model("Beacon")).to_be_visible()
    (house.home / "drop" / "Coast.png").write_bytes(png_with(prompt=graph("Beacon.safetensors")))
    house.drop("Coast", 2)
    visit.pending("Coast").get_by_role("button", name="Import Coast").click()
    visit.model("Coast").get_by_role("button", name="Coast").click()

    details.get_by_text("How it was made").click()

    expect(details.get_by_role("definition").filter(has_text=str(SEED))).to_be_visible()
    expect(details.get_by_role("definition").filter(has_text="ComfyUI")).to_be_visible()
    expect(details.get_by_role("definition").filter(has_text="(not here)")).to_have_text("v1-5.ckpt (not here)")
    details.get_by_role("button", name="Beacon").click()
    expect(details.get_by_role("heading", name="Beacon", exact=True)).to_be_visible()
    expect(details.get_by_text("How it was made")).to_have_count(0)
    visit.page.keyboard.press("Escape")
    expect(details).to_be_hidden()
    assert visit.complaints == []


def test_a_pending_picture(house: House, visit: Visit, details: Locator) -> None:
    """Before an import the picture tells as much, and its prompts can be taken already."""
    (house.home / "drop" / "Dune.png").write_bytes(png_with(parameters=infotext()))
    house.drop("Dune", 3)
    expect(visit.pending("Dune").get_by_role("img", name="Picture of Dune")).to_be_visible()
    visit.pending("Dune").get_by_role("button", name="Dune", exact=True).click()

    details.get_by_text("How it was made").click()
    expect(details.get_by_role("definition").filter(has_text=str(SEED))).to_be_visible()
    details.get_by_role("button", name="Use as prompts").first.click()

    expect(details.get_by_role("button", name="Use as prompts")).to_have_count(0)
    number = house.ask("GET", "/api/migration/pending_models")["items"][0]["id"]
    told = house.ask("GET", f"/api/migration/pending_model?id={number}")
    assert (told["prompts"]["negative"], told["origins"]["prompts"]) == ("fog", "user")
    assert visit.complaints == []
