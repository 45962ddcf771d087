"""Importing on the page: conflicts side by side, many at once with their progress, and what failed."""

import re

import pytest
from playwright.sync_api import Browser, Locator, expect

from .browsing import House, Visit, context_of

pytestmark = [pytest.mark.journey, pytest.mark.browser]

MANY = 400
CONFLICT = "The library has this already"


def conflict(visit: Visit, house: House, name: str, content: int, **change: object) -> Locator:
    """Import content that is known, under another name, and open what is asked; gives the dialog."""
    house.drop(name, content, picture=True)
    number = house.wait_for(lambda: house.pending().get(name), f"{name} is pending")["id"]
    if change:
        house.ask("PATCH", "/api/migration/pending_model", change, id=number)
    visit.pending(name).get_by_role("button", name=f"Import {name}").click()
    visit.pending(name).get_by_role("button", name=f"Compare and decide on {name}").click()
    expect(visit.dialog(CONFLICT)).to_be_visible()
    return visit.dialog(CONFLICT)


def decide(choice: Locator, strategy: str) -> None:
    """Decide a conflict."""
    choice.get_by_role("button", name=strategy).click()
    expect(choice).to_be_hidden()


def test_what_is_there_beside_what_comes(inn: House, guest: Visit) -> None:
    """A conflict shows both with their pictures and what differs; merging adds what the model lacks."""
    inn.bring_in("Harbour", 1, tags=["sea"], description="At dawn.")
    guest.open(inn, "?view=pending")
    choice = conflict(guest, inn, "Harbour again", 1, tags=["dawn"], description="At dusk.")

    expect(choice.get_by_role("img", name="Picture of Harbour", exact=True)).to_be_visible()
    expect(choice.get_by_role("img", name="Picture of Harbour again")).to_be_visible()
    for field, there, comes in (("Tags", "sea", "dawn"), ("Description", "At dawn.", "At dusk.")):
        row = choice.get_by_role("row").filter(has=guest.page.get_by_role("rowheader", name=field))
        expect(row.get_by_role("cell")).to_have_text([there, comes])
    decide(choice, "Merge")
    expect(guest.pending("Harbour again")).to_have_count(0)

    merged = inn.model("Harbour")
    assert (merged["tags"], merged["description"], len(merged["images"])) == (["dawn", "sea"], "At dawn.", 1)


def test_ignore_and_delete(inn: House, guest: Visit) -> None:
    """Ignored, the file and the model stay as they are; deleted, the file goes to the trash and the model stays."""
    inn.bring_in("Lake", 2)
    guest.open(inn, "?view=pending")
    decide(conflict(guest, inn, "Lake ignored", 2), "Ignore")
    decide(conflict(guest, inn, "Lake deleted", 2), "Delete")

    expect(guest.pending("Lake deleted")).to_have_count(0)
    assert not (inn.home / "drop" / "Lake deleted.safetensors").exists()
    assert (inn.home / "drop" / "Lake ignored.safetensors").exists()
    assert inn.model("Lake")["images"] == []


def test_the_same_for_all(house: House, visit: Visit) -> None:
    """Of several conflicts, one word decides all."""
    for number in range(3):
        house.bring_in(f"There {number}", 10 + number)
    visit.go_to_pending()
    for number in range(3):
        house.drop(f"Comes {number}", 10 + number)
    house.wait_for(lambda: len(house.pending()) == 3, "all wait")
    for waits in house.pending().values():
        house.ask("PATCH", "/api/migration/pending_model", {"description": "said before"}, id=waits["id"])
    visit.page.get_by_role("button", name="Import all 3").click()
    visit.page.get_by_role("radio", name="Conflicts 3").check(force=True)
    visit.pendings.first.get_by_role("button", name="Compare and decide").click()
    choice = visit.dialog(CONFLICT)
    expect(choice.get_by_text("1 of 3")).to_be_visible()

    choice.get_by_role("checkbox", name="Do the same for all 3 conflicts").check()
    choice.get_by_role("button", name="Override").click()

    expect(choice).to_be_hidden()
    expect(visit.pendings).to_have_count(0)
    assert [house.model(f"There {number}")["description"] for number in range(3)] == ["said before"] * 3


def test_many_with_their_progress(house: House, visit: Visit, browser: Browser) -> None:
    """Many imports say how far they are, also to a page that is opened meanwhile, and can be cancelled."""
    for number in range(MANY):
        house.drop(f"Many {number}", 1000 + number)
    house.wait_for(lambda: house.status()["counts"]["pending"] == MANY, "all are pending")
    visit.go_to_pending()
    visit.page.get_by_role("button", name=f"Import all {MANY}").click()
    said = re.compile(rf"Importing \d+ of {MANY}")
    expect(visit.page.get_by_role("main").get_by_role("status").get_by_text(said)).to_be_visible()
    key = visit.page.evaluate("JSON.stringify(localStorage)")
    visit.page.close()

    context = context_of(browser)
    context.add_init_script(f"for (const [name, value] of Object.entries({key})) localStorage.setItem(name, value)")
    again = Visit(context.new_page())
    again.page.goto(f"{house.url}/?view=pending")
    expect(again.page.get_by_role("main").get_by_role("status").get_by_text(said)).to_be_visible()
    expect(again.page.get_by_role("progressbar", name="Imports")).to_be_visible()
    again.page.get_by_role("button", name="Cancel what waits").click()

    expect(again.page.get_by_text(re.compile(r"\d+ imports cancelled"))).to_be_visible()
    expect(again.page.get_by_role("progressbar", name="Imports")).to_have_count(0)
    counts = house.status()["counts"]
    assert counts["pending"] > 0
    assert counts["models"] + counts["pending"] == MANY
    expect(again.page.get_by_role("button", name=f"Import all {counts['pending']}")).to_be_visible()
    context.close()


def test_what_failed_stays_and_is_tried_again(house: House, visit: Visit) -> None:
    """An import that cannot be done stays with its reason; when the cause is gone, a click does it."""
    visit.go_to_pending()
    house.drop("Homeless", 30)
    card = visit.pending("Homeless")
    card.get_by_role("combobox", name="Type of Homeless").select_option("embeddings")
    card.get_by_role("button", name="Import Homeless").click()
    expect(card.get_by_role("alert")).to_contain_text("embeddings")

    (house.home / "embeddings").mkdir()
    house.ask("POST", "/api/roots", {"path": str(house.home / "embeddings"), "kind": "model", "type": "embeddings"})
    card.get_by_role("button", name="Try again: Homeless").click()

    expect(card).to_have_count(0)
    assert (house.home / "embeddings" / "Homeless.safetensors").exists()


def test_put_right_before_it_is_imported(inn: House, guest: Visit) -> None:
    """What is pending can be given its name, tags and texts first, and comes into the library with them."""
    guest.open(inn, "?view=pending")
    inn.drop("raw_name-v2", 40)
    guest.open_pending("raw_name-v2")
    details = guest.details()
    group = details.get_by_role("group", name="Name", exact=True)
    group.get_by_role("textbox").fill("A proper name")
    expect(group.get_by_role("status")).to_have_text("Saved")
    expect(guest.details("A proper name")).to_be_visible()
    tags = details.get_by_role("combobox", name="Tags: Add a tag")
    tags.fill("proper")
    tags.press("Enter")
    expect(details.get_by_role("region", name="What the file says")).to_be_visible()
    expect(details.get_by_role("button", name="Import", exact=True)).to_be_enabled()
    details.get_by_role("button", name="Import", exact=True).click()

    inn.wait_for(lambda: inn.model("A proper name"), "it is imported")
    assert inn.model("A proper name")["tags"] == ["proper"]


def test_the_count_is_seen_from_everywhere(house: House, visit: Visit) -> None:
    """How many files wait is told in the library, too: on top, in the floating bar, and in the title."""
    house.drop("One", 1)
    house.drop("Two", 2)

    expect(visit.page.get_by_role("navigation").get_by_role("button", name="Pending, 2 files wait")).to_be_visible()
    bar = visit.page.get_by_role("toolbar", name="Tools")
    expect(bar.get_by_role("button", name="Pending, 2 files wait")).to_be_visible()
    expect(visit.page).to_have_title("(2) Hikaze")
    bar.get_by_role("button", name="Import 2 files").click()

    expect(visit.models).to_have_count(2)
    expect(visit.page).to_have_title("Hikaze")
