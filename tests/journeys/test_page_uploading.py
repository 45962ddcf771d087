"""Uploading on the page: by the file picker and by drop, with pictures, over a killed daemon; bytes arrive equal."""

import hashlib
from pathlib import Path

import pytest
from playwright.sync_api import Route, expect

from .browsing import House, Visit, files_of, lora
from .harness import big, png
from .test_page_gallery import hand_over

pytestmark = [pytest.mark.journey, pytest.mark.browser]

MEGABYTES = 30  # more than three pieces


def sha(path: Path) -> str:
    """Give the SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_by_the_file_picker(inn: House, guest: Visit, tmp_path: Path) -> None:
    """A model that is chosen is sent into the drop folder with the picture beside it, and waits there with both."""
    guest.open(inn, "?view=pending")
    model, picture = lora(tmp_path / "Chosen.safetensors", 1), tmp_path / "Chosen.png"
    picture.write_bytes(png())
    with guest.page.expect_file_chooser() as chooser:
        guest.page.get_by_role("button", name="Add files").first.click()
    chooser.value.set_files([model, picture])

    uploads = guest.page.get_by_role("list", name="Uploads")
    expect(uploads.get_by_role("listitem").filter(has_text="Chosen.safetensors")).to_contain_text("Here")
    expect(guest.pending("Chosen").get_by_role("img", name="Picture of Chosen")).to_be_visible()
    assert sha(inn.home / "drop" / "Chosen.safetensors") == sha(model)
    uploads.get_by_role("button", name="Take Chosen.safetensors off this list").click()
    uploads.get_by_role("button", name="Take Chosen.png off this list").click()
    expect(uploads).to_have_count(0)


def test_by_drop(inn: House, guest: Visit, tmp_path: Path) -> None:
    """Several files that are dropped onto the library are sent all, and what is no model is named."""
    guest.open(inn)
    made = {name: lora(tmp_path / f"{name}.safetensors", at) for at, name in enumerate(("Left", "Right"), 10)}
    files = {f"{name}_safetensors": path.read_bytes() for name, path in made.items()}
    hand_over(guest.page.get_by_role("main"), "drop", **files, Left_png=png(), stray_zip=b"PK")

    expect(guest.page.get_by_text("stray.zip is no model file")).to_be_visible()
    guest.go_to_pending()
    for name in made:
        expect(guest.pending(name)).to_be_visible()
    expect(guest.pending("Left").get_by_role("img", name="Picture of Left")).to_be_visible()
    for name, path in made.items():
        assert sha(inn.home / "drop" / f"{name}.safetensors") == sha(path)


def test_over_a_killed_daemon(house: House, visit: Visit, tmp_path: Path) -> None:
    """Killed in the middle of an upload and started again, the daemon gets the rest by itself, and all is equal."""
    model = big(tmp_path / "Large.safetensors", MEGABYTES)
    visit.go_to_pending()
    sent: list[str] = []

    def power_cut(route: Route) -> None:
        sent.append(route.request.url)
        if len(sent) == 4:  # it asked how much is there, and two pieces are
            house.kill()
        route.continue_()

    visit.page.route("**/api/migration/upload?*", power_cut)
    with visit.page.expect_file_chooser() as chooser:
        visit.page.get_by_role("button", name="Add files").first.click()
    chooser.value.set_files(model)
    upload = visit.page.get_by_role("list", name="Uploads").get_by_role("listitem")
    expect(upload).to_contain_text("goes on by itself")
    assert house.process is None

    house.start()

    expect(upload).to_contain_text("Here", timeout=60_000)
    arrived = house.home / "drop" / "Large.safetensors"
    assert sha(arrived) == sha(model)
    assert not [url for url in sent[4:] if "offset=0&" in url + "&" and url != sent[0]]
    expect(visit.pending("Large")).to_be_visible()


def test_an_upload_can_be_cancelled(house: House, visit: Visit, tmp_path: Path) -> None:
    """An upload that is given up leaves nothing behind."""
    visit.go_to_pending()
    held: list[Route] = []
    visit.page.route("**/api/migration/upload?*offset=8388608*", lambda route: held.append(route))
    with visit.page.expect_file_chooser() as chooser:
        visit.page.get_by_role("button", name="Add files").first.click()
    chooser.value.set_files(files_of({"Given up.safetensors": big(tmp_path / "a", 12).read_bytes()}))  # type: ignore[arg-type]
    upload = visit.page.get_by_role("list", name="Uploads").get_by_role("listitem")
    expect(upload).to_contain_text("8.39 MB of")
    upload.get_by_role("button", name="Cancel the upload of Given up.safetensors").click()

    expect(upload).to_have_count(0)
    house.wait_for(lambda: not list((house.home / "drop").rglob("*.safetensors*")), "nothing is left")
    expect(visit.page.get_by_text("Nothing waits for you")).to_be_visible()
