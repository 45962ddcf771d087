"""The page at `/`, in a real Chromium, against the real daemon."""

import pytest
from playwright.sync_api import Browser, expect

from .browsing import House, Visit

pytestmark = [pytest.mark.journey, pytest.mark.browser]


def test_from_drop_to_library(house: House, visit: Visit) -> None:
    """A dropped file appears without a touch, and one click makes it a model with its picture."""
    house.drop("Aurora", 1, picture=True)

    card = visit.pending("Aurora")
    expect(card).to_contain_text("Dropped")
    expect(card.get_by_role("img", name="Picture of Aurora")).to_be_visible()
    assert visit.page.title() == "(1) Hikaze"
    card.get_by_role("button", name="Import Aurora").click()

    cover = visit.model("Aurora").get_by_role("img", name="Picture of Aurora")
    expect(cover).to_be_visible()
    visit.page.wait_for_function("image => image.complete && image.naturalWidth > 0", arg=cover.element_handle())
    expect(visit.pending("Aurora")).to_have_count(0)
    expect(visit.page.get_by_text("Nothing waits for you")).to_be_visible()
    assert [item["name"] for item in house.ask("GET", "/api/models")["items"]] == ["Aurora"]


def test_page_is_quiet_and_keeps_to_itself(house: House, visit: Visit) -> None:
    """From drop to search the console stays empty, and every request goes to the daemon."""
    house.drop("Quiet", 2, picture=True)
    visit.pending("Quiet").get_by_role("button", name="Import Quiet").click()
    expect(visit.model("Quiet")).to_be_visible()
    visit.page.keyboard.press("/")
    visit.page.keyboard.type("quiet")
    expect(visit.model("Quiet")).to_be_visible()
    visit.page.get_by_role("searchbox").fill("nothing like it")
    expect(visit.page.get_by_text("Nothing found")).to_be_visible()

    assert visit.complaints == []
    assert [url for url in visit.requests if not url.startswith(house.url + "/")] == []


def test_same_content_again_is_a_choice(house: House, visit: Visit) -> None:
    """Content that is known shows the four strategies, each with what it does, and does the one that is clicked."""
    house.drop("First", 3)
    visit.pending("First").get_by_role("button", name="Import First").click()
    expect(visit.model("First")).to_be_visible()
    house.drop("Second", 3)
    expect(visit.pending("Second")).to_be_visible()
    number = house.ask("GET", "/api/migration/pending_models")["items"][0]["id"]
    house.ask("PATCH", f"/api/migration/pending_model?id={number}", {"name": "A better name"})
    card = visit.pending("A better name")
    card.get_by_role("button", name="Import").click()

    expect(card).to_contain_text("In the library already as First")
    expect(card.locator(".choice strong")).to_have_text(["Merge", "Override", "Ignore", "Delete"])
    expect(card.get_by_role("button", name="Override")).to_contain_text("The file goes to the trash.")
    card.get_by_role("button", name="Override").click()

    expect(visit.model("A better name")).to_be_visible()
    expect(visit.model("First")).to_have_count(0)
    expect(card).to_have_count(0)


def test_hostile_name_is_text(house: House, visit: Visit) -> None:
    """A name full of markup is shown as it is spelled, pending and imported, and does nothing."""
    name = "<img src=x onerror=document.title='owned'>&amp;\u202egnp"
    house.drop(name, 4)
    title = visit.page.get_by_role("heading", name="onerror")
    expect(title).to_have_text(name)
    visit.pending("onerror").get_by_role("button", name="Import").click()

    expect(visit.model("onerror").get_by_role("heading")).to_have_text(name)
    assert visit.page.locator("img[src='x']").count() == 0
    assert "owned" not in visit.page.title()


def test_unknown_type_waits_for_a_word(house: House, visit: Visit) -> None:
    """A file that does not tell its type cannot be imported until somebody chooses one."""
    house.drop("Riddle", 5, known_type=False)
    card = visit.pending("Riddle")
    button = card.get_by_role("button", name="Import Riddle")
    expect(button).to_be_disabled()
    choice = card.get_by_role("combobox", name="Type of Riddle")
    expect(choice.locator("option:checked")).to_have_text("type?")

    choice.select_option("loras")
    expect(button).to_be_enabled()
    button.click()

    expect(visit.model("Riddle")).to_contain_text("loras")


def test_dismiss_asks_in_the_page(house: House, visit: Visit) -> None:
    """Dismissing asks first, in the card; Escape keeps the file, a second click sends it to the trash."""
    house.drop("Unwanted", 6)
    card = visit.pending("Unwanted")
    dropped = house.home / "drop" / "Unwanted.safetensors"
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
    for number in range(3):
        house.drop(f"Many {number}", 10 + number)
    visit.page.get_by_role("button", name="Import all 3").click()

    expect(visit.page.locator("#library-list > li")).to_have_count(3)
    expect(visit.page.locator("#pending-list > li")).to_have_count(0)


def test_unfinished_file_says_why_it_waits(house: House, visit: Visit) -> None:
    """A file that another program still writes is named, with the reason why it is not pending yet."""
    with (house.home / "drop" / "slow.safetensors").open("wb") as file:
        file.write(b"\0" * 100)
        file.flush()
        waiting = visit.page.get_by_role("list", name="Files that are not complete yet")
        expect(waiting).to_contain_text("slow.safetensors is open for writing in another program")
    (house.home / "drop" / "slow.safetensors").unlink()

    expect(waiting).to_be_hidden()


def test_lost_model_says_so(house: House, visit: Visit) -> None:
    """A model whose file is gone stays in the library, and says so in words."""
    house.drop("Gone", 7)
    visit.pending("Gone").get_by_role("button", name="Import Gone").click()
    expect(visit.model("Gone")).to_be_visible()

    (house.home / "loras" / "Gone.safetensors").unlink()

    expect(visit.model("Gone")).to_contain_text("Missing")


def test_reconnects_after_a_restart(house: House, visit: Visit) -> None:
    """While the daemon is away the page says so; when it is back the page goes on by itself, with what it missed."""
    house.stop()
    expect(visit.page.get_by_text("hikazed does not answer; trying again")).to_be_visible()
    house.drop("Meanwhile", 8)

    house.start()

    expect(visit.page.get_by_text("Watching 2 folders")).to_be_visible(timeout=20_000)
    expect(visit.pending("Meanwhile")).to_be_visible()
    house.drop("Afterwards", 9)
    expect(visit.pending("Afterwards")).to_be_visible()


def test_code_is_good_once_and_leaves_the_address(house: House, browser: Browser) -> None:
    """The link lets one browser in and vanishes from its address; elsewhere it opens the card that says what to do."""
    link = house.link()
    first, second = browser.new_context(), browser.new_context()
    page = first.new_page()
    page.goto(link)
    expect(page.get_by_text("Nothing waits for you")).to_be_visible()
    assert page.url == house.url + "/"
    page.reload()
    expect(page.get_by_text("Nothing waits for you")).to_be_visible()

    other = second.new_page()
    other.goto(link)
    expect(other.get_by_role("alert")).to_contain_text("used already or is too old")
    expect(other.get_by_text("hikazed open", exact=True)).to_be_visible()
    assert other.url == house.url + "/"
    other.goto(house.link())

    expect(other.get_by_text("Nothing waits for you")).to_be_visible()
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
    house.drop("Long_" + "w" * 180, 20)
    visit.page.set_viewport_size({"width": 390, "height": 844})
    expect(visit.pending("Long_")).to_be_visible()

    assert visit.page.evaluate("document.documentElement.scrollWidth") == 390
