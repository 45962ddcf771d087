"""The page at `/`, in a real Chromium, against the real daemon: what arrives, and the page's own manners."""

import re

import pytest
from playwright.sync_api import Browser, expect

from .browsing import House, Visit

pytestmark = [pytest.mark.journey, pytest.mark.browser]


def test_from_drop_to_library(house: House, visit: Visit) -> None:
    """A dropped file appears without a touch, and one click makes it a model with its picture."""
    visit.go_to_pending()
    house.drop("Aurora", 1, picture=True)

    card = visit.pending("Aurora")
    expect(card).to_contain_text("Dropped")
    expect(card.get_by_role("img", name="Picture of Aurora")).to_be_visible()
    expect(visit.page).to_have_title("(1) Hikaze")
    card.get_by_role("button", name="Import Aurora").click()
    expect(visit.pending("Aurora")).to_have_count(0)
    expect(visit.page.get_by_text("Nothing waits for you")).to_be_visible()

    visit.go_to_library()
    cover = visit.model("Aurora").locator("img")
    expect(cover).to_be_visible()
    visit.page.wait_for_function("image => image.complete && image.naturalWidth > 0", arg=cover.element_handle())
    expect(visit.page).to_have_title("Hikaze")
    assert [item["name"] for item in house.ask("GET", "/api/models")["items"]] == ["Aurora"]


def test_page_is_quiet_and_keeps_to_itself(house: House, visit: Visit) -> None:
    """From drop to search the console stays empty, and every request goes to the daemon."""
    visit.go_to_pending()
    house.drop("Quiet", 2, picture=True)
    visit.bring("Quiet")
    visit.page.keyboard.press("/")
    visit.page.keyboard.type("quiet")
    expect(visit.search).to_have_value("quiet")
    expect(visit.model("Quiet")).to_be_visible()
    visit.search.fill("nothing like it")
    expect(visit.page.get_by_role("heading", name="Nothing found")).to_be_visible()

    assert visit.complaints == []
    assert visit.page.evaluate("violations") == []
    assert visit.strangers(house) == []


def test_same_content_again_is_a_choice(house: House, visit: Visit) -> None:
    """Content that is known shows the four strategies, each with what it does, and does the one that is clicked."""
    visit.go_to_pending()
    house.drop("First", 3)
    visit.pending("First").get_by_role("button", name="Import First").click()
    expect(visit.pending("First")).to_have_count(0)
    house.drop("Second", 3)
    expect(visit.pending("Second")).to_be_visible()
    number = house.ask("GET", "/api/migration/pending_models")["items"][0]["id"]
    house.ask("PATCH", f"/api/migration/pending_model?id={number}", {"name": "A better name"})
    card = visit.pending("A better name")
    card.get_by_role("button", name="Import").click()

    expect(card).to_contain_text("In the library already")
    card.get_by_role("button", name="Compare and decide").click()
    choice = visit.dialog("The library has this already")
    expect(choice.get_by_role("row", name="Name First A better name")).to_be_visible()
    expect(choice.locator("button strong")).to_have_text(["Merge", "Override", "Ignore", "Delete"])
    expect(choice.get_by_role("button", name="Override")).to_contain_text("The file goes to the trash.")
    choice.get_by_role("button", name="Override").click()

    expect(choice).to_be_hidden()
    expect(card).to_have_count(0)
    visit.go_to_library()
    expect(visit.model("A better name")).to_be_visible()
    expect(visit.model("First")).to_have_count(0)


def test_hostile_name_is_text(house: House, visit: Visit) -> None:
    """A name full of markup is shown as it is spelled, pending and imported, and does nothing."""
    name = "<img src=x onerror=document.title='owned'>&amp;\u202egnp"
    visit.go_to_pending()
    house.drop(name, 4)
    expect(visit.page.get_by_role("article").get_by_role("heading")).to_have_text(name)
    visit.page.get_by_role("article").get_by_role("button", name="Import").click()
    visit.go_to_library()
    visit.model("onerror").click()

    expect(visit.model("onerror").locator(".name")).to_have_text(name)
    expect(visit.page.get_by_role("region", name="Details of").get_by_role("textbox", name="Name")).to_have_value(name)
    assert visit.page.locator("img[src='x']").count() == 0
    assert "owned" not in visit.page.title()


def test_unknown_type_waits_for_a_word(house: House, visit: Visit) -> None:
    """A file that does not tell its type cannot be imported until somebody chooses one."""
    visit.go_to_pending()
    house.drop("Riddle", 5, known_type=False)
    card = visit.pending("Riddle")
    button = card.get_by_role("button", name="Import Riddle")
    expect(button).to_be_disabled()
    choice = card.get_by_role("combobox", name="Type of Riddle")
    expect(choice.locator("option:checked")).to_have_text("type?")

    choice.select_option("loras")
    expect(button).to_be_enabled()
    visit.bring("Riddle")

    expect(visit.open_details("Riddle").get_by_role("combobox", name="Type")).to_have_value("loras")


def test_dismiss_asks_in_the_page(house: House, visit: Visit) -> None:
    """Dismissing asks first, in the card; Escape keeps the file, a second click sends it to the trash."""
    visit.go_to_pending()
    dropped = house.drop("Unwanted", 6)
    card = visit.pending("Unwanted")
    card.get_by_role("button", name="Dismiss Unwanted").click()
    expect(card.get_by_role("button", name="Move to trash")).to_be_focused()
    visit.page.keyboard.press("Escape")
    expect(card.get_by_role("button", name="Import Unwanted")).to_be_visible()
    assert dropped.exists()

    card.get_by_role("button", name="Dismiss Unwanted").click()
    card.get_by_role("button", name="Move to trash").click()

    expect(card).to_have_count(0)
    assert not dropped.exists()


def test_import_all(house: House, visit: Visit) -> None:
    """One button imports all that is pending."""
    visit.go_to_pending()
    for number in range(3):
        house.drop(f"Many {number}", 10 + number)
    visit.page.get_by_role("button", name="Import all 3").click()

    expect(visit.pendings).to_have_count(0)
    visit.go_to_library()
    expect(visit.models).to_have_count(3)


def test_unfinished_file_says_why_it_waits(house: House, visit: Visit) -> None:
    """A file that another program still writes is named, with the reason why it is not pending yet."""
    visit.go_to_pending()
    with (house.home / "drop" / "slow.safetensors").open("wb") as file:
        file.write(b"\0" * 100)
        file.flush()
        waiting = visit.page.get_by_role("list", name="Files that are not complete yet")
        expect(waiting).to_contain_text(re.compile(r"slow\.safetensors\s+is open for writing in another program"))
    (house.home / "drop" / "slow.safetensors").unlink()

    expect(waiting).to_be_hidden()


def test_lost_model_says_so(house: House, visit: Visit) -> None:
    """A model whose file is gone stays in the library, and says so in words."""
    house.bring_in("Gone", 7)
    expect(visit.model("Gone")).to_be_visible()

    (house.home / "loras" / "Gone.safetensors").unlink()

    expect(visit.model("Gone")).to_contain_text("Missing")


def test_reconnects_after_a_restart(house: House, visit: Visit) -> None:
    """While the daemon is away the page says so; when it is back the page goes on by itself, with what it missed."""
    visit.go_to_pending()
    house.stop()
    expect(visit.page.get_by_text("hikazed does not answer; trying again")).to_be_visible()
    house.drop("Meanwhile", 8)

    house.start()

    expect(visit.said).to_be_visible(timeout=30_000)
    expect(visit.pending("Meanwhile")).to_be_visible()
    house.drop("Afterwards", 9)
    expect(visit.pending("Afterwards")).to_be_visible()


def test_code_is_good_once_and_leaves_the_address(house: House, browser: Browser) -> None:
    """The link lets one browser in and vanishes from its address; elsewhere it opens the card that says what to do."""
    link = house.link()
    first, second = browser.new_context(), browser.new_context()
    page = first.new_page()
    page.goto(link)
    expect(page.get_by_text("Your library is empty")).to_be_visible()
    assert page.url == house.url + "/"
    page.reload()
    expect(page.get_by_text("Your library is empty")).to_be_visible()

    other = second.new_page()
    other.goto(link)
    expect(other.get_by_role("alert")).to_contain_text("used already or is too old")
    expect(other.get_by_text("hikazed open", exact=True)).to_be_visible()
    assert other.url == house.url + "/"
    other.goto(house.link())

    expect(other.get_by_text("Your library is empty")).to_be_visible()
    first.close()
    second.close()


def test_key_that_is_no_longer_good(visit: Visit) -> None:
    """When the daemon no longer takes the page's key, the page gives it up and says how to get a new one."""
    visit.page.evaluate("localStorage.setItem('hikaze.token', 'stale')")

    visit.page.reload()

    expect(visit.page.get_by_role("alert")).to_contain_text("no longer good")
    assert visit.page.evaluate("localStorage.getItem('hikaze.token')") is None


def test_fits_a_phone(house: House, visit: Visit) -> None:
    """On a screen of 390 pixels nothing is cut off sideways, whatever the name."""
    visit.go_to_pending()
    house.drop("Long_" + "w" * 180, 20)
    visit.page.set_viewport_size({"width": 390, "height": 844})
    expect(visit.pending("Long_")).to_be_visible()
    assert visit.page.evaluate("document.documentElement.scrollWidth") == 390
    visit.pending("Long_").get_by_role("button", name="Import").click()
    expect(visit.pending("Long_")).to_have_count(0)
    visit.go_to_library()
    expect(visit.model("Long_")).to_be_visible()

    assert visit.page.evaluate("document.documentElement.scrollWidth") == 390
