"""The search field of the page, in a real Chromium, against the real daemon."""

import re

import pytest
from playwright.sync_api import expect

from .browsing import House, Visit

pytestmark = [pytest.mark.journey, pytest.mark.browser]


def test_searching_on_the_page(house: House, visit: Visit) -> None:
    """The page understands the language, says beneath the field what it cannot read, and how many it found."""
    for content, name in enumerate(("Ink wash", "Watercolour", "Дракон"), 1):
        house.bring_in(name, content)
    field, count = visit.search, visit.total
    slip = visit.page.get_by_role("search").get_by_role("status")
    expect(count).to_have_text("3 models")
    expect(slip).to_have_count(0)

    field.fill("-wash type:lora")
    expect(count).to_have_text("2 models")
    expect(visit.model("Ink wash")).to_have_count(0)
    expect(visit.model("Дракон")).to_be_visible()

    field.fill('-wash "type')
    expect(slip).to_contain_text("This quotation mark is not closed")
    expect(slip.locator("mark")).to_have_text('"')
    expect(visit.model("Дракон")).to_be_visible()
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(field).to_have_accessible_description(re.compile("This quotation mark is not closed"))
    assert visit.page.get_by_role("alert").count() == 0

    field.fill("д")
    expect(slip).to_have_count(0)
    expect(count).to_have_text("1 model")
    expect(field).not_to_have_attribute("aria-invalid", "true")

    field.fill("")
    expect(count).to_have_text("3 models")
    expect(visit.model("Ink wash")).to_be_visible()
    assert visit.strangers(house) == []
