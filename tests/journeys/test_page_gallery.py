"""The pictures of a model, on the page: added in three ways, made the cover, deleted, and looked at closely."""

import base64
import re

import pytest
from playwright.sync_api import Locator, expect

from .browsing import House, Visit, files_of
from .harness import png
from .test_picture_info import SEED, infotext, png_with

pytestmark = [pytest.mark.journey, pytest.mark.browser]

# Hands files to an element, as a drag that ends there or a paste does.
HAND_OVER = """
(element, { kind, files }) => {
  const data = new DataTransfer()
  for (const { name, type, content } of files) {
    const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0))
    data.items.add(new File([bytes], name, { type }))
  }
  const how = { bubbles: true, cancelable: true, dataTransfer: data }
  if (kind === 'paste') {
    element.dispatchEvent(new ClipboardEvent('paste', { bubbles: true, cancelable: true, clipboardData: data }))
  } else for (const each of ['dragenter', 'dragover', 'drop']) element.dispatchEvent(new DragEvent(each, how))
}
"""


def hand_over(target: Locator, kind: str, **files: bytes) -> None:
    """Drop or paste pictures; a name is a file's, its `_` the dot."""
    told = [
        {"name": name.replace("_", "."), "type": "image/png", "content": base64.b64encode(content).decode()}
        for name, content in files.items()
    ]
    target.evaluate(HAND_OVER, {"kind": kind, "files": told})


def test_pictures_are_added_by_file_drop_and_paste(inn: House, guest: Visit) -> None:
    """A picture that is chosen, dropped or pasted is sent and shown, in that order; the first is the cover."""
    inn.bring_in("Gallery", 1)
    guest.open(inn)
    details = guest.open_details("Gallery")
    gallery = details.get_by_role("region", name="Pictures")
    expect(gallery.get_by_role("button", name="Drop pictures here, paste them, or choose files")).to_be_visible()

    with guest.page.expect_file_chooser() as chooser:
        gallery.get_by_text("Add pictures").click()
    chooser.value.set_files(files_of({"one.png": png((30, 40), "red")}))  # type: ignore[arg-type]
    expect(gallery.get_by_role("button", name="Open large: Picture 1 of 1")).to_be_visible()
    hand_over(details, "drop", two_png=png((30, 40), "green"))
    expect(gallery.get_by_role("button", name="Open large: Picture 2 of 2")).to_be_visible()
    hand_over(guest.page.locator("body"), "paste", three_png=png((30, 40), "blue"))
    expect(gallery.get_by_role("button", name="Open large: Picture 3 of 3")).to_be_visible()

    expect(gallery.get_by_role("option")).to_have_count(3)
    expect(gallery.get_by_role("option", name="Picture 1 of 3, the cover")).to_be_visible()
    assert guest.page.evaluate("location.pathname") == "/"
    assert len(inn.model("Gallery")["images"]) == 3


def test_cover_and_deletion(inn: House, guest: Visit) -> None:
    """Another picture is made the cover, on the card too; deleting one asks first, and the cover moves on."""
    sha256 = inn.bring_in("Covers", 2)
    bases = [inn.give(sha256, png((30, 40), colour)) for colour in ("red", "green", "blue")]
    guest.open(inn)
    gallery = guest.open_details("Covers").get_by_role("region", name="Pictures")
    gallery.get_by_role("option", name="Picture 2 of 3").click()
    gallery.get_by_role("button", name="Set as cover").click()

    expect(gallery.get_by_role("option", name="Picture 2 of 3, the cover")).to_be_visible()
    expect(guest.model("Covers").locator("img").first).to_have_attribute("src", re.compile(bases[1]))
    gallery.get_by_role("button", name="Delete", exact=True).click()
    sure = gallery.get_by_role("group", name="Delete this picture?")
    expect(sure.get_by_role("button", name="Keep")).to_be_focused()
    guest.page.keyboard.press("Escape")
    expect(sure).to_have_count(0)
    assert len(inn.model("Covers")["images"]) == 3
    gallery.get_by_role("button", name="Delete", exact=True).click()
    sure.get_by_role("button", name="Delete").click()

    expect(gallery.get_by_role("option")).to_have_count(2)
    assert inn.model("Covers")["images"] == [bases[0], bases[2]]
    expect(guest.model("Covers").locator("img").first).to_have_attribute("src", re.compile(bases[0]))


def test_a_picture_large(inn: House, guest: Visit) -> None:
    """A picture opens as large as the window, with what it tells of how it was made; the arrow keys turn pages."""
    sha256 = inn.bring_in("Close", 3)
    inn.give(sha256, png_with(parameters=infotext()))
    inn.give(sha256, png((600, 900), "teal"))
    guest.open(inn)
    gallery = guest.open_details("Close").get_by_role("region", name="Pictures")
    gallery.get_by_role("button", name="Open large").click()

    large = guest.dialog("Close")
    made = large.get_by_role("region", name="How it was made")
    expect(made.get_by_role("definition").filter(has_text=str(SEED))).to_be_visible()
    expect(made.get_by_role("listitem").filter(has_text="v1-5")).to_contain_text("not in the library")
    guest.page.keyboard.press("ArrowRight")
    expect(large.get_by_text("Picture 2 of 2")).to_be_visible()
    expect(made).to_contain_text("This picture does not tell how it was made.")
    large.get_by_role("button", name="100 %").click()
    expect(large.get_by_role("button", name="100 %")).to_have_attribute("aria-pressed", "true")
    guest.page.keyboard.press("Escape")

    expect(large).to_be_hidden()
    expect(gallery.get_by_role("button", name="Open large")).to_be_focused()


def test_what_is_no_picture(inn: House, guest: Visit) -> None:
    """A file that is no picture is named with what can be done, and can be given up."""
    inn.bring_in("Picky", 4)
    guest.open(inn)
    gallery = guest.open_details("Picky").get_by_role("region", name="Pictures")
    with guest.page.expect_file_chooser() as chooser:
        gallery.get_by_text("Add pictures").click()
    chooser.value.set_files({"name": "notes.png", "mimeType": "image/png", "buffer": b"no picture at all"})

    item = gallery.get_by_role("listitem").filter(has_text="notes.png")
    expect(item.get_by_role("button", name="Try notes.png again")).to_be_visible()
    item.get_by_role("button", name="Give up notes.png").click()

    expect(item).to_have_count(0)
    assert inn.model("Picky")["images"] == []
