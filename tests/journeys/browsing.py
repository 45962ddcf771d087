"""The page in a real Chromium, against a real daemon with a library of its own."""

import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright
from safetensors.numpy import save_file

expect.set_options(timeout=10_000)


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

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Call the API over the socket."""
        connection = http.client.HTTPConnection("localhost")
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.connect(str(self.home / "s"))
        try:
            head = {"Content-Type": "application/json"}
            connection.request(method, path, None if body is None else json.dumps(body), head)
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()

    def link(self) -> str:
        """Give a link with a one-time code, as `hikazed open` does."""
        return self.ask("POST", "/api/session", {})["url"]

    def drop(self, name: str, content: int, *, picture: bool = False, known_type: bool = True) -> None:
        """Drop a LoRA with content of one's choice into the drop folder, whole at once."""
        weight = np.random.default_rng(content).random((8, 32), dtype=np.float32)
        keys = ("lora_unet_a.lora_down.weight", "lora_unet_a.lora_up.weight") if known_type else ("a", "b")
        made = self.home / "made.tmp"
        save_file({keys[0]: weight, keys[1]: weight.T.copy()}, made)
        if picture:
            Image.new("RGB", (256, 320), (200, 120, 40)).save(self.home / "drop" / f"{name}.png")
        made.rename(self.home / "drop" / f"{name}.safetensors")


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """Give a running daemon with an empty library."""
    for folder in ("drop", "loras"):
        (tmp_path / folder).mkdir()
    made = House(tmp_path)
    try:
        made.start()
        yield made
    finally:
        made.stop()


@dataclass
class Visit:
    """A page in a browser profile of its own, and what it complained of and asked for."""

    page: Page
    complaints: list[str] = field(default_factory=list[str])
    requests: list[str] = field(default_factory=list[str])

    def __post_init__(self) -> None:
        """Listen from the start."""
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))

    def pending(self, name: str) -> Locator:
        """Give the card of a pending model."""
        return self.page.locator("#pending-list > li", has_text=name)

    def model(self, name: str) -> Locator:
        """Give the card of a model in the library."""
        return self.page.locator("#library-list > li", has_text=name)


@pytest.fixture
def visit(browser: Browser, house: House) -> Iterator[Visit]:
    """Give a page that was opened with its link."""
    context = browser.new_context(reduced_motion="reduce")
    made = Visit(context.new_page())
    made.page.goto(house.link())
    expect(made.page.get_by_text("Watching 2 folders")).to_be_visible()
    yield made
    context.close()
