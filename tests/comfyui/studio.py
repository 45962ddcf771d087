"""ComfyUI's page in a real Chromium: a ComfyUI with our pack, our daemon behind it, and a canvas to work on."""

import io
import json
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import Browser, FrameLocator, Locator, Page, expect

from ..journeys.browsing import House
from .harness import REPOSITORY, ComfyUI, is_here
from .tiny import LAST_LAYER, write_checkpoint, write_lora

CHECKPOINT, LORAS = "HikazeCheckpointLoader", "HikazeLoraPowerLoader"
DEADLINE_MS = 60_000
SCREENSHOTS = Path(os.environ.get("HIKAZE_SCREENSHOTS") or REPOSITORY / ".cache" / "screenshots")

# The page's own objects, by the names under which every front end has them.
APP = "window.comfyAPI.app.app"
# What nobody wants to see in a test: the first visit's templates, and words about versions.
QUIET = {
    "Comfy.TutorialCompleted": True,
    "Comfy.VersionCompatibility.DisableWarnings": True,
    "Comfy.Notification.ShowVersionUpdates": False,
    "Comfy.EnableTooltips": False,
    "Comfy.Workflow.ConfirmDelete": False,
    "Comfy.UseNewMenu": "Top",
}


@dataclass
class Canvas:
    """ComfyUI's page. `mode` is how it draws nodes: `canvas`, or `vue`."""

    page: Page
    comfyui: ComfyUI
    mode: str
    complaints: list[str] = field(default_factory=list[str])

    def __post_init__(self) -> None:
        """Listen from the start."""
        self.page.set_default_timeout(DEADLINE_MS)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def open(self) -> "Canvas":
        """Open the page, on an empty canvas."""
        for name, value in (QUIET | {"Comfy.VueNodes.Enabled": self.mode == "vue"}).items():
            self.comfyui.post(f"/settings/{name}", value)
        self.page.goto(self.comfyui.url)
        self.page.wait_for_function(
            f"Boolean(window.comfyAPI?.app?.app?.graph && LiteGraph.registered_node_types.{LORAS})"
        )
        self.page.wait_for_function(f"Boolean({APP}.extensionManager?.workflow?.activeWorkflow?.changeTracker)")
        self.clear()
        return self

    def run_js(self, script: str, argument: Any = None) -> Any:
        """Run a script that knows `app`."""
        return self.page.evaluate(f"async (given) => {{ const app = {APP}; {script} }}", argument)

    # The graph

    def clear(self) -> None:
        """Take everything off the canvas, as a state that undo knows."""
        self.run_js("app.graph.clear(); app.canvas.ds.reset(); app.canvas.setDirty(true, true)")
        self.settle()

    def add(self, kind: str, at: tuple[int, int] = (420, 160), payload: Any = None) -> int:
        """Add a node, as the menu does; gives its id."""
        number = self.run_js(
            """
            const node = LiteGraph.createNode(given.kind)
            node.pos = given.at
            if (given.payload !== null) node.widgets.find((w) => w.name === 'hikaze_payload').value = given.payload
            app.graph.add(node)
            return Number(node.id)
            """,
            {
                "kind": kind,
                "at": list(at),
                "payload": payload if payload is None or isinstance(payload, str) else json.dumps(payload),
            },
        )
        self.settle()
        return number

    def settle(self) -> None:
        """Have undo know the state as it is, and what is drawn follow."""
        self.run_js(
            """
            const tracker = app.extensionManager.workflow.activeWorkflow.changeTracker
            tracker.captureCanvasState ? tracker.captureCanvasState() : tracker.checkState()
            app.canvas.setDirty(true, true)
            await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))
            """
        )

    def payload(self, number: int) -> Any:
        """Give what a node's text says."""
        return json.loads(self.text(number))

    def text(self, number: int) -> str:
        """Give a node's text."""
        return self.run_js(
            "return app.graph.getNodeById(given).widgets.find((w) => w.name === 'hikaze_payload').value", number
        )

    def numbers(self, kind: str) -> list[int]:
        """Give the ids of all nodes of a kind."""
        return self.run_js("return app.graph.nodes.filter((n) => n.type === given).map((n) => Number(n.id))", kind)

    def select(self, number: int) -> None:
        """Select a node alone."""
        self.run_js("app.canvas.deselectAll?.(); app.canvas.selectNode(app.graph.getNodeById(given))", number)

    def arrange(self, places: dict[int, tuple[int, int]]) -> None:
        """Put nodes where they are seen whole, and all others out of sight."""
        self.run_js(
            """
            const made = app.graph.serialize()
            made.nodes.forEach((node, at) => (node.pos = given[node.id] ?? [3000 + 500 * at, 160]))
            await app.loadGraphData(made)
            app.canvas.ds.reset()
            """,
            {str(number): list(place) for number, place in places.items()},
        )
        self.settle()

    def texts(self, kind: str) -> list[str]:
        """Give the texts of all nodes of a kind."""
        return self.run_js(
            "return app.graph.nodes.filter((n) => n.type === given).map((n) => n.widgets[0].value)", kind
        )

    def widgets(self, number: int) -> list[str]:
        """Give the names of a node's widgets."""
        return self.run_js("return app.graph.getNodeById(given).widgets.map((w) => w.name)", number)

    def size(self, number: int) -> list[float]:
        """Give how large a node is."""
        return self.run_js("return Array.from(app.graph.getNodeById(given).size)", number)

    def workflow(self) -> Any:
        """Give the workflow as it is saved."""
        return self.run_js("return app.graph.serialize()")

    def load(self, workflow: Any) -> None:
        """Open a workflow."""
        self.run_js("await app.loadGraphData(given)", workflow)
        self.settle()

    def prompt(self) -> Any:
        """Give what would be queued, in API format."""
        return self.run_js("return (await app.graphToPrompt()).output")

    def undo(self) -> None:
        """Undo the last change, as Ctrl+Z does."""
        self.run_js("await app.extensionManager.workflow.activeWorkflow.changeTracker.undo()")

    def draw_by(self, mode: str) -> None:
        """Have nodes drawn the other way, as the setting does."""
        self.run_js("await app.extensionManager.setting.set('Comfy.VueNodes.Enabled', given)", mode == "vue")
        self.mode = mode
        self.settle()

    # What is seen

    def face(self, number: int) -> Locator:
        """Give the face of a node."""
        handle = self.page.evaluate_handle(
            f"(id) => {APP}.graph.getNodeById(id).widgets.find((w) => w.name === 'hikaze_payload').element", number
        )
        mark = f"face-{number}"
        handle.evaluate("(element, mark) => element.setAttribute('data-test', mark)", mark)
        return self.page.locator(f'[data-test="{mark}"]')

    @property
    def overlay(self) -> FrameLocator:
        """Give the library over the canvas."""
        return self.page.frame_locator("dialog.hk-overlay iframe")

    def choose(self, *names: str | re.Pattern[str]) -> None:
        """Choose models in the library over the canvas, and press the button that is named last."""
        *models, button = names
        for name in models:
            self.overlay.locator("[data-at]").filter(has_text=name).click()
        self.overlay.get_by_role("button", name=button).click()
        expect(self.page.locator("dialog.hk-overlay")).to_have_count(0)

    def wait_for(self, condition: Callable[[], Any], what: str) -> Any:
        """Ask again and again until there is something."""
        return self.comfyui.wait(condition, what)

    def picture(self, name: str) -> None:
        """Keep a picture of the page, for somebody to look at."""
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self.page.wait_for_timeout(400)  # fades end
        self.page.screenshot(path=SCREENSHOTS / f"comfyui-{name}.png")


@dataclass
class Studio:
    """A ComfyUI, and a daemon that knows its models."""

    comfyui: ComfyUI
    house: House
    browser: Browser

    @property
    def name(self) -> str:
        """What to call its front end."""
        return self.comfyui.frontend or "1.32.9"

    def path(self, name: str) -> str:
        """Give the path of a model."""
        kind = "checkpoints" if name == "tiny" else "loras"
        return str(self.comfyui.folder(kind) / f"{name}.safetensors")

    def entry(self, name: str) -> dict[str, Any]:
        """Give a LoRA as a text of ours has it."""
        strengths = {"strength_model": 1, "strength_clip": 1}
        return {"name": name, "full_path": self.path(name), **strengths, "sha256": None, "enabled": True}

    def import_all(self, *names: str) -> None:
        """Have models in the library, each with a picture; the checkpoint gets a name of its own."""
        for tint, name in enumerate(names):
            number = self.house.wait_for(lambda name=name: self.house.pending().get(name), f"{name} is pending")["id"]
            done = self.house.ask("POST", "/api/migration/import_a_model", {"id": number})
            assert done.get("status") == "imported", done
            self.house.give(done["sha256"], painting(tint))
        if "tiny" in names:
            self.house.patch("tiny", name="Dreamscape")

    @contextmanager
    def canvas(self, mode: str) -> Iterator[Canvas]:
        """Give ComfyUI's page in a browser profile of its own."""
        context = self.browser.new_context(reduced_motion="reduce", viewport={"width": 1440, "height": 900})
        try:
            yield Canvas(context.new_page(), self.comfyui, mode).open()
        finally:
            context.close()


def painting(tint: int) -> bytes:
    """Paint a sun over the sea, for the eye that looks at what a test kept."""
    picture = Image.new("RGB", (512, 640))
    draw = ImageDraw.Draw(picture)
    for y in range(640):
        draw.line([(0, y), (512, y)], fill=(60 + 50 * tint, 90 + y // 8, 200 - y // 5))
    draw.ellipse([140, 120, 372, 352], fill=(240, 200 - 30 * tint, 150))
    kept = io.BytesIO()
    picture.save(kept, "PNG")
    return kept.getvalue()


def environment_of(house: House) -> dict[str, str]:
    """Give what leads a ComfyUI to the daemon of a house."""
    return {"XDG_CONFIG_HOME": str(house.home / "config"), "XDG_RUNTIME_DIR": str(house.home / "run")}


@contextmanager
def studio(folder: Path, browser: Browser, frontend: str | None) -> Iterator[Studio]:
    """Have a ComfyUI and a daemon run for as long as they are used."""
    if not is_here():
        pytest.skip("this machine has no ComfyUI for tests: tools/comfyui.sh")
    comfyui, house = ComfyUI(folder / "comfyui", frontend=frontend), House(folder / "house")
    comfyui.environment = environment_of(house)
    write_checkpoint(comfyui.folder("checkpoints") / "tiny.safetensors")
    for number, name in enumerate(("ink", "line", "glow"), 1):
        write_lora(comfyui.folder("loras") / f"{name}.safetensors", 0.01 * number, (LAST_LAYER,))
    try:
        house.start()
        comfyui.start()
        yield Studio(comfyui, house, browser)
    finally:
        comfyui.stop()
        house.stop()


def shown(locator: Locator) -> None:
    """Wait until a picture is there and has been read."""
    expect(locator).to_be_visible()
    handle = locator.element_handle()
    assert handle is not None
    locator.page.wait_for_function("(image) => image.complete && image.naturalWidth > 0", arg=handle)
