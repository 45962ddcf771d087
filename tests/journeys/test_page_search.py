"""The search field of the page, in a real Chromium, against the real daemon."""

import pytest
from playwright.sync_api import expect

from .browsing import House, Visit

pytestmark = [pytest.mark.journey, pytest.mark.browser]


def test_searching_on_the_page(house: House, visit: Visit) -> None:
    """The page understands the language, says beneath the field what it cannot read, and how many it found."""
    for content, name in enumerate(("Ink wash", "Watercolour", "Дракон"), 1):
        house.drop(name, content)
        visit.pending(name).get_by_role("button", name=f"Import {name}").click()
        expect(visit.model(name)).to_be_visible()
    field, slip, count = (
        visit.page.get_by_role("searchbox"),
        visit.page.locator("#slip"),
        visit.page.locator("#library-count"),
    )
    expect(count).to_have_text("3")
    expect(visit.page.get_by_role("alert")).to_have_count(0)

    field.fill("-wash type:lora")
    expect(count).to_have_text("2 of 3")
    expect(visit.model("Ink wash")).to_have_count(0)
    expect(visit.model("Дракон")).to_be_visible()

    field.fill('-wash "type')
    expect(slip).to_have_text("This quotation mark is not closed at character 7; close it")
    expect(visit.page.get_by_role("alert")).to_be_visible()
    expect(visit.model("Дракон")).to_be_visible()
    assert field.get_attribute("aria-invalid") == "true"
    assert visit.page.locator(".toast.bad").count() == 0

    field.fill("д")
    expect(slip).to_be_hidden()
    expect(count).to_have_text("1 of 3")
    assert field.get_attribute("aria-invalid") == "false"

    field.fill("")
    expect(count).to_have_text("3")
    expect(visit.model("Ink wash")).to_be_visible()
    assert [url for url in visit.requests if not url.startswith(house.url + "/")] == []
