"""What comes from other programs, on the page: what sidecars say, what a hash is worth, and an earlier library."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Locator, expect
from safetensors.numpy import save_file

from .. import legacy
from .browsing import House, Visit
from .harness import png

pytestmark = [pytest.mark.journey, pytest.mark.browser]

MANY = 3_000
EARLIER = "Bring an earlier library along"
WORDS = "Words of a stranger <img src=x onerror=document.title='owned'>"


@pytest.fixture
def bringing(visit: Visit) -> Locator:
    """Give the dialog that brings an earlier library along."""
    return visit.dialog("An earlier library")


# Sidecars ---------------------------------------------------------------------------------------------


def test_details_say_who_says_what(house: House, visit: Visit) -> None:
    """All about a pending model shows what a file beside it says, under the name of the program that wrote it."""
    visit.go_to_pending()
    beside(house, "Aurora", notes="best at 0.7", trainedWords=["aurora style"], base_model="SDXL 1.0")
    house.drop("Aurora", 1)

    details = visit.open_pending("Aurora")

    sidecars = details.get_by_role("region", name="What sidecars say")
    expect(details.get_by_role("group", name="Description")).to_contain_text("best at 0.7")
    expect(details.get_by_role("group", name="Trigger words")).to_contain_text("from a sidecar")
    sidecars.get_by_text("LoRA Manager").click()
    expect(sidecars).to_contain_text("Aurora.metadata.json")
    expect(sidecars).to_contain_text("best at 0.7")
    expect(sidecars.get_by_role("heading", name="Trigger words")).to_be_visible()
    expect(sidecars.get_by_text("aurora style", exact=True)).to_be_visible()


def test_strangers_words_stay_words(house: House, visit: Visit) -> None:
    """Markup in what a sidecar says is shown as it is spelled, or not at all, and does nothing."""
    visit.go_to_pending()
    beside(house, "Sly", notes=WORDS, tags=["<b>bold</b>"], model_name=WORDS)
    house.drop("Sly", 2)

    visit.page.get_by_role("article").get_by_role("button", name="Details of").click()
    details = visit.page.get_by_role("region", name="Details of")
    details.get_by_text("LoRA Manager").click()

    expect(details).to_contain_text("Words of a stranger")
    assert details.locator("img, b").count() == 0
    assert "owned" not in visit.page.title()
    assert visit.complaints == []


def test_details_follow_what_happens(house: House, visit: Visit) -> None:
    """While all about a model is open, a sidecar that changes and a text that somebody writes appear in it."""
    sha256 = house.bring_in("Live", 3)
    details = visit.open_details("Live")
    expect(details.get_by_role("region", name="Where it lies")).to_be_visible()
    description = details.get_by_role("group", name="Description")

    sidecar = {"file_name": "Live", "notes": "from the other program", "civitai": {}}
    (house.home / "loras" / "Live.metadata.json").write_text(json.dumps(sidecar))
    expect(description).to_contain_text("from the other program")

    house.ask("PATCH", f"/api/models/{sha256}", {"description": "my own"})

    expect(description).to_contain_text("my own")
    expect(details.get_by_text("from a sidecar")).to_have_count(0)
    expect(details.get_by_role("region", name="What sidecars say")).to_contain_text("LoRA Manager")


def test_details_by_keyboard(house: House, visit: Visit) -> None:
    """Enter on a name opens all about it, Escape closes it, and the name has the focus again."""
    visit.go_to_pending()
    house.drop("Keys", 4)
    name = visit.pending("Keys").get_by_role("button", name="Details of Keys")
    name.focus()

    visit.page.keyboard.press("Enter")
    expect(visit.details("Keys").get_by_role("textbox", name="Name")).to_have_value("Keys")
    visit.page.keyboard.press("Escape")

    expect(visit.details("Keys")).to_have_count(0)
    expect(name).to_be_focused()


# An earlier library -----------------------------------------------------------------------------------


def test_earlier_library_by_keyboard(house: House, visit: Visit, bringing: Locator, tmp_path: Path) -> None:
    """The folder of an earlier library, typed and sent with Enter, brings its models, and the report counts them."""
    sha256 = lora(house.home / "loras" / "Old.safetensors", 5)
    source = legacy.build_v1(
        tmp_path / "v1",
        row(house, "Old", sha256, images=["/media/model_1_1756700000000_a.png"]),
        row(house, "Unhashed", ""),
        images={"model_1_1756700000000_a.png": png()},
    )
    more = visit.page.get_by_role("toolbar").get_by_role("button", name="More")
    more.focus()
    visit.page.keyboard.press("Enter")
    item = visit.page.get_by_role("menuitem", name=EARLIER)
    expect(item).to_be_visible()
    visit.page.keyboard.type("Bring")
    expect(item).to_be_focused()
    visit.page.keyboard.press("Enter")
    expect(bringing.get_by_label("Its folder")).to_be_focused()

    visit.page.keyboard.type(str(source))
    visit.page.keyboard.press("Enter")

    expect(bringing).to_contain_text("It came along.")
    expect(bringing.get_by_role("listitem").filter(has_text="1 model")).to_be_visible()
    expect(bringing.get_by_role("listitem").filter(has_text="1 picture")).to_be_visible()
    expect(bringing.get_by_role("button", name="Close").last).to_be_focused()
    visit.page.keyboard.press("Enter")
    expect(bringing).to_be_hidden()
    expect(more).to_be_focused()
    expect(visit.model("Old").locator("img")).to_be_visible()
    visit.go_to_pending()
    expect(visit.pending("Unhashed")).to_be_visible()
    assert visit.complaints == []


def test_refused_folder_says_why(visit: Visit, bringing: Locator, tmp_path: Path) -> None:
    """A folder without an earlier library is refused with a reason, and what was typed is still there."""
    visit.choose_in_menu(EARLIER)
    bringing.get_by_label("Its folder").fill(str(tmp_path / "nothing"))
    bringing.get_by_role("button", name="Bring it along").click()

    expect(bringing.get_by_role("alert")).not_to_be_empty()
    expect(bringing.get_by_label("Its folder")).to_have_value(str(tmp_path / "nothing"))


def test_report_names_what_did_not_come(house: House, visit: Visit, bringing: Locator, tmp_path: Path) -> None:
    """A row whose JSON is broken, or whose picture is gone, is named by table and id."""
    whole = row(house, "Whole", hashlib.sha256(b"a").hexdigest())
    lost = row(house, "Lost picture", hashlib.sha256(b"b").hexdigest(), images=["/media/model_2_1_gone.png"])
    source = legacy.build_v1(tmp_path / "v1", whole, lost)

    bring(visit, bringing, source)

    expect(bringing).to_contain_text("did not come along")
    expect(bringing.get_by_role("listitem").filter(has_text="models 2")).to_be_visible()


def test_claim_is_said_in_words(house: House, visit: Visit, bringing: Locator, tmp_path: Path) -> None:
    """A hash that nobody could confirm, and one that the file denies, are told in all about the model."""
    lora(house.home / "loras" / "Other.safetensors", 6)
    denied = row(house, "Other", hashlib.sha256(b"not this").hexdigest())
    gone = row(house, "Gone", hashlib.sha256(b"gone").hexdigest())
    bring(visit, bringing, legacy.build_v1(tmp_path / "v1", denied, gone))
    visit.page.keyboard.press("Enter")
    expect(bringing).to_be_hidden()

    expect(visit.open_details("Gone")).to_contain_text("it has not been confirmed yet")
    visit.page.keyboard.press("Escape")
    details = visit.open_details("Other")

    expect(details).to_contain_text("Other content lies here than an earlier library said")
    expect(details).to_contain_text(str(house.home / "loras" / "Other.safetensors"))


def test_cancel(house: House, visit: Visit, bringing: Locator, tmp_path: Path) -> None:
    """A migration that takes long shows how far it is, can be cancelled, and what came until then is here."""
    begin_long(house, visit, bringing, tmp_path)

    bringing.get_by_role("button", name="Cancel").click()

    expect(bringing).to_contain_text("Cancelled.")
    came = house.status()["counts"]["models"]
    assert 0 < came < MANY


def test_page_loaded_anew_in_the_middle(house: House, visit: Visit, bringing: Locator, tmp_path: Path) -> None:
    """A page that is loaded anew while a library comes along says how far it is, and gets the report in the end."""
    begin_long(house, visit, bringing, tmp_path)

    visit.page.reload()

    expect(visit.page.get_by_text("Bringing along")).to_be_visible()
    visit.choose_in_menu(EARLIER)
    expect(bringing).to_contain_text(f"of {MANY:,}")
    bringing.get_by_role("button", name="Cancel").click()
    expect(bringing.get_by_role("listitem").filter(has_text="models")).to_be_visible()


def test_dialogs_fit_a_phone(house: House, visit: Visit, bringing: Locator) -> None:
    """On a screen of 390 pixels neither dialog is cut off sideways, whatever it has to say."""
    visit.go_to_pending()
    visit.page.set_viewport_size({"width": 390, "height": 844})
    beside(house, "Wide", notes="w" * 400, tags=["t" * 200])
    house.drop("Wide", 7)
    details = visit.open_pending("Wide")
    details.get_by_text("LoRA Manager").click()
    assert cut_off(details) == 0
    visit.page.keyboard.press("Escape")
    expect(details).to_have_count(0)

    visit.choose_in_menu(EARLIER)

    expect(bringing).to_be_visible()
    assert cut_off(bringing) == 0
    assert visit.page.evaluate("document.documentElement.scrollWidth") == 390


# What the tests begin with ----------------------------------------------------------------------------


def beside(house: House, name: str, **told: Any) -> None:
    """Put LoRA Manager's sidecar of a model that is to be dropped into the drop folder."""
    whole = {"file_name": name, "model_name": name, "civitai": {}, **told}
    (house.home / "drop" / f"{name}.metadata.json").write_text(json.dumps(whole))


def lora(path: Path, seed: int) -> str:
    """Write a LoRA into a model folder; gives its SHA-256."""
    weight = np.random.default_rng(seed).random((8, 32), dtype=np.float32)
    made = path.parent.parent / "made.tmp"
    save_file({"lora_unet_a.lora_down.weight": weight, "lora_unet_a.lora_up.weight": weight.T.copy()}, made)
    made.rename(path)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def row(house: House, name: str, sha256: str, **texts: Any) -> dict[str, Any]:
    """Give a row of v1 for a file in the folder for LoRAs, which may be there or not."""
    path = str(house.home / "loras" / f"{name}.safetensors")
    return {"path": path, "hash_hex": sha256, "extra_json": {"description": f"about {name}", **texts}}


def bring(visit: Visit, bringing: Locator, source: Path) -> None:
    """Bring an earlier library along, and wait for the report."""
    visit.choose_in_menu(EARLIER)
    bringing.get_by_label("Its folder").fill(str(source))
    bringing.get_by_role("button", name="Bring it along").click()
    expect(bringing).to_contain_text("It came along.")


def begin_long(house: House, visit: Visit, bringing: Locator, folder: Path) -> None:
    """Begin to bring a large library along, until it says how far it is."""
    rows = [row(house, f"Many {number}", f"{number:064x}") for number in range(1, MANY + 1)]
    source = legacy.build_v1(folder / "v1", *rows)
    visit.choose_in_menu(EARLIER)
    bringing.get_by_label("Its folder").fill(str(source))
    visit.page.keyboard.press("Enter")
    expect(bringing).to_contain_text(f"of {MANY:,}")


def cut_off(dialog: Locator) -> int:
    """Give how many pixels of a dialog's content do not fit into its width."""
    return dialog.evaluate("dialog => dialog.scrollWidth - dialog.clientWidth")
