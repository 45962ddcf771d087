"""The library over ComfyUI's canvas: what is chosen, kept as a set or gone, and what never reaches the canvas."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from ..journeys.browsing import browser as browser
from .studio import CHECKPOINT, LORAS, Canvas, Studio, studio

pytestmark = [pytest.mark.comfyui, pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(600)]

# The oldest front end and the newest: what lies between them is what `test_face` opens it on.
FRONTENDS = ["1.27.10", "1.58.1"]


@pytest.fixture(scope="module", params=FRONTENDS)
def place(
    request: pytest.FixtureRequest, browser: Browser, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Studio]:
    """Give a ComfyUI with a library: the checkpoint and two LoRAs are imported, one LoRA is pending."""
    with studio(tmp_path_factory.mktemp("studio"), browser, request.param) as made:
        made.import_all("tiny", "ink", "line")
        yield made


@pytest.fixture
def canvas(place: Studio) -> Iterator[Canvas]:
    """Give an empty canvas."""
    with place.canvas("canvas") as opened:
        opened.complaints.clear()  # 1.27 stumbles over a setting of its own while it starts
        yield opened
        assert opened.complaints == []


def open_on(canvas: Canvas, number: int) -> None:
    """Open the library from a node's face."""
    canvas.face(number).get_by_role("button", name=re.compile("^Choose LoRAs|^Choose a checkpoint")).click()
    expect(canvas.overlay.locator("[data-at]").first).to_be_visible()


def tiles(canvas: Canvas) -> list[str]:
    """Give the names in the bar of what is chosen."""
    return canvas.overlay.locator(".tile .name").all_inner_texts()


def test_nothing_reaches_the_canvas(place: Studio, canvas: Canvas) -> None:
    """Keys, pastes and Escape in the library leave graph, address and history as they are, and give the focus back."""
    number = canvas.add(LORAS, payload={"version": 2, "LoRAs": [place.entry("ink")]})
    canvas.select(number)
    before, address = canvas.workflow()["nodes"], canvas.page.url
    steps = canvas.page.evaluate("history.length")
    queued = len(canvas.comfyui.get("/history"))
    open_on(canvas, number)

    expect(canvas.overlay.get_by_role("searchbox")).to_be_focused()
    for key in ("w", "r", "m", "Backspace", "Control+a", "Control+v", "Delete"):
        canvas.page.keyboard.press(key)
    canvas.overlay.locator("[data-at]").last.click()
    for key in ("Delete", "Control+c", "Control+v", "b", "Shift+Enter"):
        canvas.page.keyboard.press(key)
    canvas.picture(f"overlay-{place.name}")
    canvas.overlay.get_by_role("button", name="Clear", exact=True).click()
    canvas.page.keyboard.press("Escape")
    canvas.overlay.get_by_role("button", name="Discard it").click()

    expect(canvas.page.locator("dialog.hk-overlay")).to_have_count(0)
    assert canvas.workflow()["nodes"] == before
    assert (canvas.page.url, canvas.page.evaluate("history.length")) == (address, steps)
    assert len(canvas.comfyui.get("/history")) == queued
    assert canvas.page.evaluate("!document.activeElement.closest('dialog, iframe')")


def test_a_set_is_kept_and_loaded(place: Studio, canvas: Canvas) -> None:
    """What stays keeps its strengths, the order comes by drag, and a set brings all of it to another node."""
    ink = place.entry("ink") | {"strength_model": 0.6, "strength_clip": 0.4, "enabled": False}
    first = canvas.add(LORAS, payload={"version": 2, "LoRAs": [ink]})
    open_on(canvas, first)
    canvas.overlay.locator("[data-at]").filter(has_text="line").click()
    canvas.overlay.get_by_role("button", name="Not imported").click()
    canvas.overlay.locator("[data-at]").filter(has_text="glow").click()
    canvas.overlay.locator(".tile").last.drag_to(canvas.overlay.locator(".tile").first)
    assert tiles(canvas) == ["glow", "ink", "line"]

    canvas.overlay.get_by_role("button", name="Sets").click()
    name = f"Evening {place.name}"
    canvas.overlay.get_by_role("textbox", name="Name", exact=True).fill(name)
    canvas.overlay.get_by_role("textbox", name="Note", exact=True).fill("At dusk.")
    canvas.overlay.get_by_role("button", name="Save as set").click()
    expect(canvas.overlay.get_by_text(f"Set “{name}” is saved")).to_be_visible()
    canvas.overlay.get_by_role("button", name="Use 3 LoRAs").click()
    expect(canvas.face(first).get_by_role("listitem")).to_have_count(3)

    second = canvas.add(LORAS, at=(900, 160))
    open_on(canvas, second)
    canvas.overlay.get_by_role("button", name="Sets").click()
    canvas.overlay.get_by_role("button", name=name).first.click()
    expect(canvas.overlay.locator(".tile")).to_have_count(3)
    canvas.picture(f"set-{place.name}")
    canvas.page.keyboard.press("Control+Enter")
    expect(canvas.page.locator("dialog.hk-overlay")).to_have_count(0)

    written = canvas.payload(second)
    assert written == canvas.payload(first)
    assert [entry["full_path"] for entry in written["LoRAs"]] == [place.path(each) for each in ("glow", "ink", "line")]
    kept = written["LoRAs"][1]
    assert (kept["strength_model"], kept["strength_clip"], kept["enabled"]) == (0.6, 0.4, False)


def test_a_gone_path_is_offered_where_it_lies_now(place: Studio, canvas: Canvas) -> None:
    """A file that was moved is offered at its new path, and the node names that once somebody has said so."""
    old = Path(place.path("line"))
    new = old.parent / "moved" / "line-2.safetensors"
    number = canvas.add(LORAS, payload={"version": 2, "LoRAs": [place.entry("line")]})
    new.parent.mkdir()
    old.rename(new)
    try:
        place.house.wait_for(lambda: place.house.model("line")["path"] == str(new), "the move is seen")
        open_on(canvas, number)
        expect(canvas.overlay.get_by_text("line is not where the node says.")).to_be_visible()
        canvas.picture(f"gone-{place.name}")
        canvas.overlay.get_by_role("button", name=f"Use that one, {new}").click()
        expect(canvas.overlay.get_by_text("is not where the node says")).to_have_count(0)
        canvas.overlay.get_by_role("button", name="Use 1 LoRA").click()
        expect(canvas.page.locator("dialog.hk-overlay")).to_have_count(0)

        assert canvas.payload(number)["LoRAs"][0]["full_path"] == str(new)
    finally:
        new.rename(old)
        new.parent.rmdir()
    place.house.wait_for(lambda: place.house.model("line")["path"] == str(old), "it is back")


def test_it_opens_without_the_daemon_and_goes_on_by_itself(place: Studio, canvas: Canvas) -> None:
    """Away, the library says how the daemon is started; once it is back, one chooses as if nothing had been."""
    number = canvas.add(CHECKPOINT)
    place.house.stop()
    try:
        canvas.face(number).get_by_role("button", name="Choose a checkpoint").click()
        expect(canvas.overlay.get_by_text("hikazed does not answer")).to_be_visible()
        expect(canvas.overlay.get_by_text("This goes on by itself")).to_be_visible()
        canvas.picture(f"away-{place.name}")
    finally:
        place.house.start()
    card = canvas.overlay.locator("[data-at]").filter(has_text="Dreamscape")
    expect(card).to_be_visible()

    place.house.stop()
    try:
        expect(canvas.overlay.get_by_text("hikazed does not answer")).to_be_visible()
    finally:
        place.house.start()
    expect(canvas.overlay.get_by_text("hikazed does not answer")).to_have_count(0)
    card.dblclick()
    expect(canvas.page.locator("dialog.hk-overlay")).to_have_count(0)

    assert canvas.payload(number) == {"ckpt_path": place.path("tiny")}
