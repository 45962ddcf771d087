"""The page follows what happens: on the disk, on other pages, and while the daemon was away."""

import pytest
from playwright.sync_api import Browser, Route, expect

from .browsing import House, Visit, context_of

pytestmark = [pytest.mark.journey, pytest.mark.browser]

AWAY = "hikazed does not answer; trying again"


def is_write(route: Route) -> bool:
    """Whether a request would change a model."""
    return route.request.method == "PATCH"


def test_on_every_open_page(inn: House, guest: Visit, browser: Browser) -> None:
    """A file that is dropped on the disk, and what one page makes of it, appear on two pages without a touch."""
    context = context_of(browser)
    other = Visit(context.new_page()).open(inn, "?view=pending")
    guest.open(inn, "?view=pending")
    inn.drop("Everywhere", 1, picture=True)
    for each in (guest, other):
        expect(each.pending("Everywhere").get_by_role("img", name="Picture of Everywhere")).to_be_visible()

    guest.go_to_library()
    other.pending("Everywhere").get_by_role("button", name="Import Everywhere").click()
    expect(guest.model("Everywhere").locator("img")).to_be_visible()
    other.go_to_library()
    expect(other.model("Everywhere")).to_be_visible()
    inn.patch("Everywhere", name="Everywhere at once", tags=["seen"])

    for each in (guest, other):
        expect(each.model("Everywhere at once")).to_contain_text("seen")
        expect(each.tag("seen")).to_be_visible()
    context.close()


def test_an_edit_while_the_daemon_is_away(house: House, visit: Visit) -> None:
    """What is typed while nobody answers is kept, said to be unsaved, and saved when the daemon is back."""
    house.bring_in("Patient", 1)
    group = visit.open_details("Patient").get_by_role("group", name="Prompt", exact=True)
    house.stop()
    expect(visit.page.get_by_text(AWAY)).to_be_visible()
    group.get_by_role("textbox").fill("typed into the void")
    group.get_by_role("textbox").blur()
    expect(group).to_contain_text("What you typed is kept here and saved when it is back.")

    house.start()

    expect(visit.said).to_be_visible(timeout=30_000)
    expect(group.get_by_role("status")).to_have_text("Saved")
    expect(group.get_by_role("textbox")).to_have_value("typed into the void")
    assert house.model("Patient")["prompts"]["positive"] == "typed into the void"


def test_an_edit_survives_a_reload_meanwhile(house: House, visit: Visit) -> None:
    """What is typed while nobody answers survives that the page is loaded anew before it could be saved."""
    house.bring_in("Stubborn", 2)
    group = visit.open_details("Stubborn").get_by_role("group", name="Negative prompt", exact=True)
    visit.page.route("**/api/models/*", lambda route: route.abort() if is_write(route) else route.continue_())
    group.get_by_role("textbox").fill("not to be lost")
    group.get_by_role("textbox").blur()
    expect(group).to_contain_text("What you typed is kept here")
    visit.page.on("dialog", lambda dialog: dialog.accept())  # the browser asks whether to leave
    visit.page.reload()
    expect(group.get_by_role("textbox")).to_have_value("not to be lost")

    visit.page.unroute_all()

    expect(group.get_by_role("status")).to_have_text("Saved")
    assert house.model("Stubborn")["prompts"]["negative"] == "not to be lost"


def test_a_disk_that_is_away(house: House, visit: Visit) -> None:
    """Models of a folder that is not here say so in words, and the details why; when it is back, so are they."""
    house.bring_in("Far", 3)
    loras, away = house.home / "loras", house.home / "unplugged"
    loras.rename(away)

    expect(visit.model("Far")).to_contain_text("Offline", timeout=40_000)
    details = visit.open_details("Far")
    expect(details).to_contain_text("The disk or folder it lies on is not here now.")
    expect(details.get_by_role("region", name="Where it lies")).to_contain_text("Offline")
    expect(visit.page.get_by_role("button", name="1 thing needs you")).to_be_visible()
    away.rename(loras)

    expect(visit.model("Far")).not_to_contain_text("Offline", timeout=40_000)
    expect(details.get_by_role("region", name="Where it lies")).to_contain_text("Present")
    expect(visit.said).to_be_visible()


def test_the_list_catches_up_after_a_restart(house: House, visit: Visit) -> None:
    """What came into the library, and what left the disk, while the daemon was away is right when it is back."""
    house.bring_in("Stays", 4)
    house.bring_in("Leaves", 5)
    expect(visit.models).to_have_count(2)
    house.kill()
    expect(visit.page.get_by_text(AWAY)).to_be_visible()
    (house.home / "loras" / "Leaves.safetensors").unlink()
    house.drop("Arrives", 6)

    house.start()

    expect(visit.model("Leaves")).to_contain_text("Missing")
    expect(visit.page.get_by_role("navigation").get_by_role("button", name="Pending, 1 file waits")).to_be_visible()
    expect(visit.model("Stays")).not_to_contain_text("Missing")
