"""The page in a real Chromium, against a real daemon with a library of its own."""

import contextlib
import http.client
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlencode

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect, sync_playwright
from safetensors.numpy import save_file

from .harness import form

DEADLINE_S = 60.0  # for what the daemon does: CI is slow, and loaded
# What a page may never do is heard from its first script on.
LISTEN = """
window.violations = []
document.addEventListener('securitypolicyviolation', (event) => {
  window.violations.push(`${event.violatedDirective} ${event.blockedURI}`)
})
"""

expect.set_options(timeout=20_000)

T = TypeVar("T")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Give one Chromium for all tests here."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("this machine has no Chromium; on Debian: apt-get install chromium")
    quiet = ("--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", *quiet]
        )
        yield running
        running.close()


@dataclass
class House:
    """A daemon with a library, a drop folder and a folder for LoRAs of its own."""

    home: Path
    url: str = ""
    process: "subprocess.Popen[str] | None" = None

    def __post_init__(self) -> None:
        """Make the folders."""
        for folder in (self.home / "drop", self.home / "loras"):
            folder.mkdir(parents=True, exist_ok=True)

    # The daemon

    def start(self) -> None:
        """Start the daemon; at the address it had, where it ran before."""
        listen = self.url.removeprefix("http://") or "127.0.0.1:0"
        command = [sys.executable, "-m", "hikaze.daemon", "run", "--data", str(self.home / "data")]
        command += ["--models", f"loras={self.home / 'loras'}", "--pending", str(self.home / "drop")]
        command += ["--listen", listen, "--socket", str(self.home / "s")]
        places = {"HOME": "", "XDG_CONFIG_HOME": "config", "XDG_RUNTIME_DIR": "run", "XDG_DATA_HOME": "share"}
        environment = os.environ | {name: str(self.home / folder) for name, folder in places.items()}
        with (self.home / "log").open("a") as log:
            self.process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=log, text=True)
        assert self.process.stdout is not None
        ready = self.process.stdout.readline().split()
        assert ready[:1] == ["ready"], (self.home / "log").read_text()
        self.url = ready[1]

    def stop(self) -> None:
        """Stop the daemon as `systemctl stop` does."""
        if self.process is not None:
            self.process.terminate()
            self.process.communicate(timeout=20)
            self.process = None

    def kill(self) -> None:
        """End the daemon as a power failure would."""
        if self.process is not None:
            self.process.kill()
            self.process.communicate()
            self.process = None

    # What it is asked

    def ask(self, method: str, path: str, body: Any = None, **query: object) -> Any:
        """Call the API over the socket."""
        return self.send(method, path, None if body is None else json.dumps(body), "application/json", **query)

    def send(self, method: str, path: str, body: "str | bytes | None", kind: str, **query: object) -> Any:
        """Call the API over the socket with a body as it is."""
        connection = http.client.HTTPConnection("localhost")
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.connect(str(self.home / "s"))
        try:
            head = {"Content-Type": kind, "X-Hikaze": "1"}
            connection.request(method, f"{path}?{urlencode(query)}" if query else path, body, head)
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()

    def link(self) -> str:
        """Give a link with a one-time code, as `hikazed open` does."""
        return self.ask("POST", "/api/session", {})["url"]

    def status(self) -> Any:
        """Give how the daemon does."""
        return self.ask("GET", "/api/status")

    def pending(self) -> dict[str, Any]:
        """Give what is pending, by name."""
        return {one["name"]: one for one in self.ask("GET", "/api/migration/pending_models", limit=1000)["items"]}

    def model(self, name: str) -> Any:
        """Give a model of the library whole, by its name; None where there is none."""
        found = [one for one in self.ask("GET", "/api/models", limit=1000)["items"] if one["name"] == name]
        return self.ask("GET", f"/api/models/{found[0]['sha256']}") if found else None

    def patch(self, name: str, /, **change: Any) -> Any:
        """Change a model as another client does."""
        return self.ask("PATCH", f"/api/models/{self.model(name)['sha256']}", change)

    def events(self, *kinds: str) -> list[Any]:
        """Give the events of some kinds."""
        found: list[Any] = []
        position: int | None = 0
        while position is not None:
            page = self.ask("GET", "/api/events", after=position, limit=1000)
            found, position = found + page["items"], page["next"]
        return [event for event in found if event["type"] in kinds]

    def wait_for(self, condition: Callable[[], T | None], what: str) -> T:
        """Ask again and again until there is something."""
        until = time.monotonic() + DEADLINE_S
        while not (found := condition()):
            assert time.monotonic() < until, f"not within {DEADLINE_S:.0f} s: {what}"
            time.sleep(0.03)
        return found

    # What it is given

    def drop(
        self,
        name: str,
        content: int,
        *,
        picture: bool = False,
        known_type: bool = True,
        size: tuple[int, int] = (8, 32),
    ) -> Path:
        """Drop a LoRA with content of one's choice into the drop folder, whole at once."""
        target = self.home / "drop" / f"{name}.safetensors"
        if picture:
            Image.new("RGB", (256, 320), (200, 120, 40)).save(target.with_suffix(".png"))
        lora(self.home / "made.tmp", content, known_type=known_type, size=size).rename(target)
        return target

    def bring_in(
        self, name: str, content: int, *, picture: bool = False, size: tuple[int, int] = (8, 32), **change: Any
    ) -> str:
        """Have a model in the library, with a change made to it; gives its SHA-256."""
        self.drop(name, content, picture=picture, size=size)
        number = self.wait_for(lambda: self.pending().get(name), f"{name} is pending")["id"]
        done = self.ask("POST", "/api/migration/import_a_model", {"id": number})
        assert done.get("status") == "imported", done
        if change:
            self.ask("PATCH", f"/api/models/{done['sha256']}", change)
        return done["sha256"]

    def give(self, sha256: str, picture: bytes) -> str:
        """Give a model a picture; gives its base name."""
        body, kind = form(picture, {"sha256": sha256})
        return self.send("POST", "/api/images/upload", body, kind)["base_name"]


def lora(path: Path, content: int, *, known_type: bool = True, size: tuple[int, int] = (8, 32)) -> Path:
    """Write a LoRA whose content is like no other's."""
    weight = np.random.default_rng(content).random(size, dtype=np.float32)
    keys = ("lora_unet_a.lora_down.weight", "lora_unet_a.lora_up.weight") if known_type else ("a", "b")
    save_file({keys[0]: weight, keys[1]: weight.T.copy()}, path)
    return path


@dataclass
class Visit:
    """A page in a browser profile of its own, and what it complained of and asked for."""

    page: Page
    complaints: list[str] = field(default_factory=list[str])
    requests: list[str] = field(default_factory=list[str])

    def __post_init__(self) -> None:
        """Listen from the start."""
        self.page.add_init_script(LISTEN)
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))

    # Where one goes

    def open(self, house: House, view: str = "") -> "Visit":
        """Open the page with a link of the daemon, in a view of it."""
        link = house.link()
        self.page.goto(link.replace("/#", f"/{view}#") if view else link)
        expect(self.said).to_be_visible()
        return self

    def go_to_pending(self) -> None:
        """Go to what is pending."""
        self.page.get_by_role("navigation").get_by_role("button", name="Pending").click()
        expect(self.page.get_by_role("heading", name="Pending")).to_be_visible()

    def go_to_library(self) -> None:
        """Go to the library."""
        self.page.get_by_role("navigation").get_by_role("button", name="Library").click()

    def choose_in_menu(self, name: str) -> None:
        """Choose something in the menu of the floating bar."""
        more, item = self.page.get_by_role("toolbar").get_by_role("button", name="More"), self.item_of_menu(name)
        more.click()
        with contextlib.suppress(AssertionError):
            expect(item).to_be_visible(timeout=3_000)
        if not item.is_visible():  # what came meanwhile closed it, or it was pressed before it was there: press again
            more.click()
        item.click()

    def item_of_menu(self, name: str) -> Locator:
        """Give what can be chosen in a menu that is open."""
        return self.page.get_by_role("menuitem", name=name, exact=True)

    # What is there

    @property
    def said(self) -> Locator:
        """What the page says of the folders that are watched."""
        return self.page.get_by_role("banner").get_by_text("Watching 2 folders")

    @property
    def search(self) -> Locator:
        """The field one searches with."""
        return self.page.get_by_role("searchbox", name="Search", exact=True)

    @property
    def grid(self) -> Locator:
        """The list of what is found, as cards or rows."""
        return self.page.get_by_role("grid", name="Models")

    @property
    def models(self) -> Locator:
        """All models of the list that are in sight."""
        return self.grid.locator("[data-at]")

    @property
    def total(self) -> Locator:
        """How many models are found."""
        return self.page.get_by_role("region", name="Library").get_by_role("status").first

    @property
    def pendings(self) -> Locator:
        """All pending models in sight."""
        return self.page.get_by_role("list", name="Pending models").get_by_role("article")

    def model(self, name: str) -> Locator:
        """Give a model of the library, as a card or a row."""
        return self.models.filter(has_text=name)

    def pending(self, name: str) -> Locator:
        """Give the card of a pending model."""
        return self.page.get_by_role("article", name=name)

    def details(self, name: str = "") -> Locator:
        """Give the pane that tells all about a model or a pending model."""
        return self.page.get_by_role("region", name=f"Details of {name}")

    def dialog(self, name: str) -> Locator:
        """Give a dialog."""
        return self.page.get_by_role("dialog", name=name)

    def tag(self, name: str) -> Locator:
        """Give the chip of a tag."""
        return self.page.get_by_role("group", name="Tags", exact=True).get_by_role(
            "button", name=re.compile(rf"^{re.escape(name)}\b")
        )

    def tab(self, name: str) -> Locator:
        """Give the tab of a type."""
        return self.page.get_by_role("tab", name=name)

    def open_details(self, name: str) -> Locator:
        """Open all about a model of the library by a click; gives the pane."""
        self.model(name).click()
        expect(self.details(name)).to_be_visible()
        return self.details(name)

    def open_pending(self, name: str) -> Locator:
        """Open all about a pending model; gives the pane."""
        self.pending(name).get_by_role("button", name=f"Details of {name}").click()
        return self.details(name)

    def names(self) -> list[str]:
        """Give the names of the models in sight, in their order."""
        return self.models.locator(".name").all_inner_texts()

    def bring(self, name: str) -> None:
        """Import a pending model with its button, and go to the library."""
        self.pending(name).get_by_role("button", name=f"Import {name}").click()
        expect(self.pending(name)).to_have_count(0)
        self.go_to_library()
        expect(self.model(name)).to_be_visible()

    def strangers(self, house: House) -> list[str]:
        """Give the requests that did not go to the daemon."""
        own = (house.url + "/", "blob:", "data:")
        return [url for url in self.requests if not url.startswith(own)]


def context_of(browser: Browser, **how: Any) -> BrowserContext:
    """Give a browser profile of its own; nothing in it moves."""
    return browser.new_context(reduced_motion="reduce", **how)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """Give a running daemon with an empty library."""
    yield from lived_in(House(tmp_path))


@pytest.fixture(scope="module")
def inn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Give a running daemon, the same to all tests of a file: each keeps to names and contents of its own."""
    yield from lived_in(House(tmp_path_factory.mktemp("inn")))


def lived_in(house: House) -> Iterator[House]:
    """Have a daemon run for as long as it is used."""
    try:
        house.start()
        yield house
    finally:
        house.stop()


@pytest.fixture
def visit(browser: Browser, house: House) -> Iterator[Visit]:
    """Give a page that was opened with its link."""
    context = context_of(browser)
    yield Visit(context.new_page()).open(house)
    context.close()


@pytest.fixture
def guest(browser: Browser) -> Iterator[Visit]:
    """Give a page that is not opened yet: for those who share a daemon."""
    context = context_of(browser, viewport={"width": 1440, "height": 900})
    yield Visit(context.new_page())
    context.close()


def files_of(paths: Mapping[str, bytes]) -> list[dict[str, Any]]:
    """Give files as they are handed to a page: by name and content."""
    return [{"name": name, "mimeType": "", "buffer": content} for name, content in paths.items()]
