"""The faces of our nodes on ComfyUI's own page, on the front ends that people have, in both ways of drawing nodes."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, expect

from ..journeys.browsing import browser as browser
from . import graphs
from .studio import CHECKPOINT, LORAS, Canvas, Studio, shown, studio

pytestmark = [pytest.mark.comfyui, pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(600)]

# The front end that ComfyUI 0.3.75 comes with is 1.32.9. 1.27 draws no DOM widget in its preview of Vue nodes.
WAYS = [("1.27.10", "canvas"), (None, "canvas"), (None, "vue"), ("1.58.1", "canvas"), ("1.58.1", "vue")]


@pytest.fixture(scope="module", params=["1.27.10", None, "1.58.1"], ids=["1.27.10", "1.32.9", "1.58.1"])
def place(
    request: pytest.FixtureRequest, browser: Browser, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Studio]:
    """Give a ComfyUI with a library: the checkpoint and two LoRAs are imported, one LoRA is pending."""
    with studio(tmp_path_factory.mktemp("studio"), browser, request.param) as made:
        made.import_all("tiny", "ink", "line")
        yield made


@pytest.fixture(params=["canvas", "vue"])
def canvas(request: pytest.FixtureRequest, place: Studio) -> Iterator[Canvas]:
    """Give an empty canvas."""
    if (place.comfyui.frontend, request.param) not in WAYS:
        pytest.skip("this front end draws no DOM widget there")
    with place.canvas(request.param) as opened:
        opened.complaints.clear()  # 1.27 stumbles over a setting of its own while it starts
        yield opened
        assert opened.complaints == []


def three(place: Studio) -> dict[str, Any]:
    """Give a list of three LoRAs, as we write it."""
    return {"version": 2, "LoRAs": [place.entry(name) for name in ("ink", "line", "glow")]}


def names(canvas: Canvas, number: int) -> list[str]:
    """Give the names in the text of a LoRA loader."""
    return [entry["name"] for entry in canvas.payload(number)["LoRAs"]]


def row(face: Locator, name: str) -> Locator:
    """Give a row of a list."""
    return face.get_by_role("listitem").filter(has_text=name)


def test_choose_and_run(place: Studio, canvas: Canvas) -> None:
    """A checkpoint and LoRAs that are chosen over the canvas are seen on the nodes, and a picture comes out."""
    canvas.run_js("app.loadApiJson(given, 'made')", graphs.picture("", []))
    canvas.settle()
    loader, loras = canvas.numbers(CHECKPOINT)[0], canvas.numbers(LORAS)[0]
    canvas.arrange({loader: (80, 160), loras: (480, 160)})

    canvas.face(loader).get_by_role("button", name="Choose a checkpoint").click()
    canvas.choose("Dreamscape", "Use this checkpoint")
    face = canvas.face(loader)
    expect(face.get_by_role("button", name="Dreamscape: choose another checkpoint")).to_be_visible()
    expect(face).to_contain_text("In your library")
    shown(face.locator("img"))
    assert canvas.payload(loader) == {"ckpt_path": place.path("tiny")}

    canvas.face(loras).get_by_role("button", name="Choose LoRAs").click()
    canvas.choose("ink", "line", re.compile("^Use"))
    expect(canvas.face(loras).get_by_role("listitem")).to_have_count(2)
    assert names(canvas, loras) == ["ink", "line"]
    canvas.picture(f"chosen-{place.name}-{canvas.mode}")

    before = len(canvas.comfyui.get("/history"))
    canvas.page.keyboard.press("Control+Enter")
    canvas.wait_for(lambda: len(canvas.comfyui.get("/history")) > before, "the prompt was not done")
    entry = list(canvas.comfyui.get("/history").values())[-1]
    assert entry["status"]["status_str"] == "success", json.dumps(entry["status"], indent=1)
    assert len(entry["outputs"]["9"]["images"]) == 1


def test_list_is_worked_with(place: Studio, canvas: Canvas) -> None:
    """Switches, strengths, order and removal write the node's text; each is one step of undo."""
    number = canvas.add(LORAS, payload=three(place))
    face = canvas.face(number)
    expect(face.get_by_role("listitem")).to_have_count(3)
    expect(row(face, "glow")).to_contain_text("Not imported yet")
    steps: list[str] = [canvas.text(number)]

    def see(expected: Any, actual: Any) -> None:
        canvas.wait_for(lambda: actual() == expected, f"{actual()} is not {expected}")
        steps.append(canvas.text(number))

    def entries(field: str) -> list[Any]:
        return [entry[field] for entry in canvas.payload(number)["LoRAs"]]

    face.get_by_role("switch", name="line on").click()
    see([True, False, True], lambda: entries("enabled"))
    drag(canvas, face.get_by_role("spinbutton", name="Strength of ink for the model"), across=30)
    see([1.25, 1, 1], lambda: entries("strength_model"))
    field = face.get_by_role("spinbutton", name="Strength of glow for CLIP")
    field.click()
    canvas.page.keyboard.type("-0,5")
    canvas.page.keyboard.press("Enter")
    see([1, 1, -0.5], lambda: entries("strength_clip"))
    grip = face.get_by_role("button", name=re.compile("^Move ink"))
    drag(canvas, grip, to=row(face, "glow"))
    see(["line", "glow", "ink"], lambda: names(canvas, number))
    face.get_by_role("button", name=re.compile("^Move line")).press("ArrowDown")
    see(["glow", "line", "ink"], lambda: names(canvas, number))
    canvas.picture(f"list-{place.name}-{canvas.mode}")
    face.get_by_role("button", name="All off").click()
    see([False, False, False], lambda: entries("enabled"))
    face.get_by_role("button", name="All on").click()
    see([True, True, True], lambda: entries("enabled"))
    face.get_by_role("button", name="Remove line").click()
    see(["glow", "ink"], lambda: names(canvas, number))

    for text in reversed(steps[:-1]):
        canvas.undo()
        canvas.wait_for(lambda text=text: canvas.text(number) == text, "undo did not bring back one step")
    expect(canvas.face(number).get_by_role("switch", name="line on")).to_be_checked()


def drag(canvas: Canvas, what: Locator, across: int = 0, to: Locator | None = None) -> None:
    """Drag something sideways, or to the middle of something else."""
    box = what.bounding_box()
    target = to.bounding_box() if to else None
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    canvas.page.mouse.move(x, y)
    canvas.page.mouse.down()
    canvas.page.mouse.move(x + across, target["y"] + target["height"] / 2 if target else y, steps=8)
    canvas.page.mouse.up()


def test_keys_stay_with_the_face(place: Studio, canvas: Canvas) -> None:
    """What is typed into a field deletes no node, and reaches no shortcut of the canvas."""
    number = canvas.add(LORAS, payload=three(place))
    face = canvas.face(number)
    field = face.get_by_role("spinbutton", name="Strength of ink for the model")
    field.click()
    for key in ("Delete", "Backspace", "r", "w", "m", "Control+a", "Control+c", "Control+v", "Escape"):
        canvas.page.keyboard.press(key)
    face.get_by_role("switch", name="line on").focus()
    canvas.page.keyboard.press("Delete")
    canvas.page.keyboard.press("Backspace")

    assert canvas.numbers(LORAS) == [number]
    assert canvas.payload(number) == three(place)


def test_copies_keep_it(place: Studio, canvas: Canvas) -> None:
    """A copy, a clone, and a node that goes into a subgraph and out of it again keep what was chosen, each its own."""
    number = canvas.add(LORAS, payload=three(place))
    text = canvas.text(number)

    canvas.select(number)
    canvas.run_js("app.canvas.copyToClipboard(app.canvas.selectedItems); app.canvas.pasteFromClipboard()")
    canvas.settle()
    assert canvas.texts(LORAS) == [text, text]
    other = next(each for each in canvas.numbers(LORAS) if each != number)
    canvas.arrange({number: (80, 160), other: (560, 160)})
    canvas.face(other).get_by_role("button", name="All off").click()
    canvas.wait_for(lambda: canvas.text(other) != text, "the copy did not change")
    assert canvas.text(number) == text

    canvas.select(number)
    canvas.run_js("app.graph.convertToSubgraph(app.canvas.selectedItems)")
    canvas.settle()
    inner = canvas.run_js(
        "const sub = app.graph.nodes.find((n) => n.subgraph).subgraph; return sub.nodes.map((n) => n.widgets[0].value)"
    )
    assert inner == [text]
    prompt = canvas.prompt()
    assert text in [node["inputs"]["hikaze_payload"] for node in prompt.values()]
    canvas.run_js("const node = app.graph.nodes.find((n) => n.subgraph); app.canvas.openSubgraph(node.subgraph, node)")
    canvas.settle()
    expect(canvas.page.get_by_role("switch", name="ink on")).to_be_visible()
    canvas.picture(f"subgraph-{place.name}-{canvas.mode}")


def test_saved_here_opened_there(place: Studio, canvas: Canvas) -> None:
    """A workflow that was saved with nodes drawn one way opens the other way, with the same faces, and live too."""
    loader = canvas.add(CHECKPOINT, (60, 160), {"ckpt_path": place.path("tiny")})
    loras = canvas.add(LORAS, (460, 160), three(place))
    expect(canvas.face(loras).get_by_role("listitem")).to_have_count(3)
    saved, texts = canvas.workflow(), (canvas.text(loader), canvas.text(loras))
    prompt = canvas.prompt()
    if place.comfyui.frontend == "1.27.10":
        modes = ["canvas"]
    else:
        modes = ["vue" if canvas.mode == "canvas" else "canvas", canvas.mode]

    for mode in modes:
        canvas.clear()
        canvas.draw_by(mode)
        canvas.load(saved)
        expect(canvas.face(loader)).to_contain_text("Dreamscape")
        expect(canvas.face(loras).get_by_role("listitem")).to_have_count(3)
        assert (canvas.text(loader), canvas.text(loras)) == texts
        assert canvas.prompt() == prompt
        canvas.face(loras).get_by_role("switch", name="line on").click()
        canvas.wait_for(lambda: canvas.text(loras) != texts[1], "the switch did nothing")
    canvas.draw_by(modes[0])
    expect(canvas.face(loras).get_by_role("listitem")).to_have_count(3)


def test_old_spellings(canvas: Canvas) -> None:
    """What earlier versions wrote is shown, stays as it is until it is changed, and is then written our way."""
    old = json.dumps(
        {
            "version": 1,
            "LoRAs": [{"name": "ink", "full_path": "ink.safetensors", "MStrength": "0.7", "toggleOn": False}],
        }
    )
    number = canvas.add(LORAS, payload=old)
    face = canvas.face(number)

    expect(face.get_by_role("spinbutton", name="Strength of ink for the model")).to_have_value("0.70")
    expect(face.get_by_role("switch", name="ink on")).not_to_be_checked()
    assert canvas.text(number) == old
    face.get_by_role("switch", name="ink on").click()
    entry = {
        "name": "ink",
        "full_path": "ink.safetensors",
        "strength_model": 0.7,
        "strength_clip": 1,
        "sha256": None,
        "enabled": True,
    }
    canvas.wait_for(lambda: canvas.payload(number) == {"version": 2, "LoRAs": [entry]}, "it is not written our way")


def test_unreadable_text_is_told_and_kept(place: Studio, canvas: Canvas) -> None:
    """A text with a bad entry is not emptied: the face says what a run would say, and the text stays."""
    text = json.dumps([{"path": place.path("ink")}, {"name": "Odd", "path": place.path("line"), "enabled": "yes"}])
    number = canvas.add(LORAS, payload=text)

    expect(canvas.face(number).get_by_role("alert")).to_contain_text('LoRA 2 (Odd): "enabled" must be true or false.')
    assert canvas.text(number) == text
    canvas.picture(f"unreadable-{place.name}-{canvas.mode}")


def test_daemon_goes_and_comes(place: Studio, canvas: Canvas) -> None:
    """While the daemon is away the face says so and keeps the name of the file; when it is back, all is as before."""
    number = canvas.add(CHECKPOINT, payload={"ckpt_path": place.path("tiny")})
    face = canvas.face(number)
    expect(face).to_contain_text("In your library")

    place.house.stop()
    expect(face).to_contain_text("hikazed is not running", timeout=60_000)
    place.house.start()
    expect(face).to_contain_text("In your library", timeout=60_000)
    shown(face.locator("img"))
