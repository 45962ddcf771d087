"""A real ComfyUI as a process, with a base folder of its own, and our pack in it as a link to this repository.

`tools/comfyui.sh` sets it up; where it is not, tests that need it are skipped.
"""

import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

REPOSITORY = Path(__file__).parents[2]
PLACE = REPOSITORY / ".cache" / "comfyui"
PYTHON = PLACE / "venv" / "bin" / "python"
PROBE = Path(__file__).with_name("probe")

DEADLINE_S = 300.0  # its first start compiles all of torch's modules, on a machine that may be loaded
TYPES = ("checkpoints", "loras", "vae", "embeddings")

T = TypeVar("T")
Graph = dict[str, dict[str, Any]]


def is_here() -> bool:
    """Tell whether a ComfyUI was set up."""
    return (PLACE / "ready").is_file()


class Refused(Exception):
    """ComfyUI did not take a prompt; `body` is its answer."""

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        """Keep the answer."""
        super().__init__(f"{status}: {json.dumps(body, ensure_ascii=False)}")
        self.status, self.body = status, body

    def reasons(self, node: str) -> list[str]:
        """Give what is said against a node."""
        return [error["details"] for error in self.body["node_errors"][node]["errors"]]


@dataclass
class ComfyUI:
    """A ComfyUI; `packs` are the folders in its custom_nodes, by the names they have there.

    `frontend` is the version of another front end than its own, 1.27.10 or 1.58.1.
    """

    base: Path
    packs: Mapping[str, Path] = field(default_factory=lambda: {"hikaze": REPOSITORY, "probe": PROBE})
    arguments: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    frontend: str | None = None
    port: int = 0
    process: "subprocess.Popen[bytes] | None" = None

    def __post_init__(self) -> None:
        """Make its folders, and put the packs into place."""
        for kind in TYPES:
            (self.base / "models" / kind).mkdir(parents=True, exist_ok=True)
        for folder in ("custom_nodes", "input", "output", "temp", "user", "home"):
            (self.base / folder).mkdir(exist_ok=True)
        for name, pack in self.packs.items():
            (self.base / "custom_nodes" / name).symlink_to(pack)

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"

    def folder(self, kind: str) -> Path:
        """Give its own folder for a type of models."""
        return self.base / "models" / kind

    def log(self) -> str:
        """Give all that it has said."""
        return (self.base / "log").read_text(encoding="utf-8", errors="replace")

    # The process

    def start(self) -> None:
        """Start it, at the port it had before, if it ran; returns when it answers."""
        self.port = self.port or free_port()
        command = [str(PYTHON), "-u", "main.py", "--cpu", "--listen", "127.0.0.1", "--port", str(self.port)]
        command += ["--base-directory", str(self.base), "--disable-auto-launch", "--disable-api-nodes"]
        command += ["--database-url", f"sqlite:///{self.base / 'user' / 'comfyui.db'}", *self.arguments]
        if self.frontend is not None:
            command += ["--front-end-root", str(PLACE / "frontends" / self.frontend)]
        with (self.base / "log").open("ab") as log:
            self.process = subprocess.Popen(
                command,
                cwd=PLACE / "comfyui",
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self.wait(self._is_up)

    def stop(self) -> None:
        """Stop it as Ctrl+C does, which it obeys quickly."""
        if self.process is None:
            return
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    def _environment(self) -> dict[str, str]:
        """Give it a home of its own, and nothing that leads Python or Hikaze elsewhere."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "HIKAZE_", "XDG_"))}
        home = str(self.base / "home")
        own = {"HOME": home, "XDG_RUNTIME_DIR": home, "HF_HUB_OFFLINE": "1", "PYTHONDONTWRITEBYTECODE": ""}
        return kept | own | dict(self.environment)

    def _is_up(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, f"ComfyUI ended at its start:\n{self.log()[-4000:]}"
        try:
            return "system" in self.get("/system_stats")
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False

    def wait(self, condition: Callable[[], T], why: str = "ComfyUI did not get there") -> T:
        """Wait until a condition holds, and give what it gave."""
        end = time.monotonic() + DEADLINE_S
        while time.monotonic() < end:
            found = condition()
            if found:
                return found
            time.sleep(0.1)
        raise AssertionError(f"{why}:\n{self.log()[-4000:]}")

    # Its API

    def get(self, path: str) -> Any:
        """Ask for something; the answer is JSON."""
        with urllib.request.urlopen(self.url + path, timeout=30) as answer:
            return json.load(answer)

    def post(self, path: str, body: Any) -> Any:
        """Send something; the answer is JSON, or nothing. What is not taken is a Refused."""
        asked = urllib.request.Request(
            self.url + path, json.dumps(body).encode(), {"Content-Type": "application/json"}, method="POST"
        )
        try:
            with urllib.request.urlopen(asked, timeout=60) as answer:
                return json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            with error:
                raise Refused(error.code, json.loads(error.read() or b"{}")) from None

    def node(self, name: str) -> dict[str, Any]:
        """Give what ComfyUI says of a node."""
        return self.get(f"/object_info/{name}").get(name, {})

    def queue(self, graph: Graph) -> str:
        """Queue a prompt in API format, and give its id."""
        return self.post("/prompt", {"prompt": graph})["prompt_id"]

    def done(self, prompt: str) -> dict[str, Any]:
        """Wait for a prompt, and give its entry of the history."""
        return self.wait(lambda: self.get(f"/history/{prompt}").get(prompt), "the prompt was not done")

    def run(self, graph: Graph) -> dict[str, Any]:
        """Run a prompt that must not fail, and give the outputs by node."""
        entry = self.done(self.queue(graph))
        assert entry["status"]["status_str"] == "success", json.dumps(entry["status"], indent=1)
        return entry["outputs"]


def cached(entry: dict[str, Any]) -> set[str]:
    """Give the nodes of a run that ComfyUI had no need to run again."""
    return set(dict(entry["status"]["messages"])["execution_cached"]["nodes"])


def free_port() -> int:
    """Give a port that nobody has."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]
