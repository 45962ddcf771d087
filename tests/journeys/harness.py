"""The real daemon as a process, and what a journey needs around it: requests, waiting, files to show it."""

import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

import numpy as np
from PIL import Image
from safetensors.numpy import save_file

PROGRAM = ("-m", "hikaze.daemon", "run")
START_S = 60.0  # CI is slow, and loaded
POLL_S = 0.02

T = TypeVar("T")
Json = Any


@dataclass(frozen=True)
class Answer:
    """What the daemon answered."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Json:
        """Give the body as JSON."""
        return json.loads(self.body)

    @property
    def detail(self) -> str:
        """Give the sentence of a problem document."""
        assert self.headers["Content-Type"].startswith("application/problem+json"), (self.status, self.body)
        return self.json["detail"]


class OverSocket(http.client.HTTPConnection):
    """A connection to a unix socket."""

    def __init__(self, path: str, seconds: float) -> None:
        """Connect to `path` when asked something."""
        super().__init__("localhost", timeout=seconds)
        self._path = path

    def connect(self) -> None:
        """Open the connection."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


@dataclass
class Daemon:
    """A daemon in a folder of its own: `data`, one drop folder, and model roots of three types.

    `loras` has two roots. Nothing outside of `folder` (and `more`) is touched: home and settings point into it.
    """

    folder: Path
    more: Sequence[str] = ()
    program: Sequence[str] = PROGRAM
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    process: subprocess.Popen[str] | None = None
    url: str = ""
    quiet: bool = False  # a traceback on stderr is expected
    stranger: bool = False  # it runs as another user, whose socket is not for us: we ask over TCP

    def __post_init__(self) -> None:
        """Make the folders."""
        self.data = self.folder / "data"
        self.drop = self.data / "pending"
        self.loras, self.more_loras = self.folder / "models" / "loras", self.folder / "second" / "loras"
        self.checkpoints, self.vae = self.folder / "models" / "checkpoints", self.folder / "models" / "vae"
        self.home, self.staging = self.folder / "home", self.folder / "staging"
        self.roots = [
            ("loras", self.loras),
            ("loras", self.more_loras),
            ("checkpoints", self.checkpoints),
            ("vae", self.vae),
        ]
        for made in (self.home, self.staging, *(path for _, path in self.roots)):
            made.mkdir(parents=True, exist_ok=True)
        # Not below `folder`, whose path may be too long: the system takes 107 bytes.
        self._short = tempfile.mkdtemp(prefix="hkj")
        self.socket = f"{self._short}/s"

    # The process

    def start(self, *, wait: bool = True, scan: bool = True) -> "Daemon":
        """Start it, and wait until it serves and watches."""
        assert self.process is None
        with open(self._stderr, "ab") as stderr:
            self.process = subprocess.Popen(
                [sys.executable, *self.program, *self._flags()],
                stdout=subprocess.PIPE,
                stderr=stderr,
                stdin=subprocess.DEVNULL,
                text=True,
                env=self.env(),
                cwd=self.home,
            )
        if wait:
            self.wait_ready()
        if wait and scan:
            self.post("/api/scan")  # from now on a rename is seen as one; before, a file must first lie still for 2 s
        return self

    def wait_ready(self) -> str:
        """Read the line that says that it serves."""
        assert self.process is not None
        assert self.process.stdout is not None
        os.set_blocking(self.process.stdout.fileno(), False)
        line = self.wait_for(self._first_line, START_S, "the daemon is ready")
        word, self.url, what, path = line.split(" ", 3)
        assert (word, what, path.strip()) == ("ready", "socket", self.socket)
        return line

    def _first_line(self) -> str:
        assert self.process is not None
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        return line if line.endswith("\n") else ""

    def stop(self, seconds: float = 10.0) -> int:
        """Ask it to stop, and give its exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.wait_end(seconds)

    def wait_end(self, seconds: float = 10.0) -> int:
        """Wait until it has ended, and give its exit code; negative is the signal that ended it."""
        assert self.process is not None
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the daemon did not end in {seconds} s:\n{self.stderr()}") from None
        if self.process.stdout is not None:
            self.process.stdout.close()
        self.process = None
        return code

    def kill(self) -> None:
        """End it as a power failure would."""
        assert self.process is not None
        self.process.kill()
        self.wait_end()

    def restart(self, *, kill: bool = False) -> "Daemon":
        """Stop or kill it, and start it again."""
        if self.process is not None:
            if kill:
                self.kill()
            else:
                assert self.stop() == 0
        return self.start()

    def close(self) -> None:
        """End it whatever happened, and see that it complained of nothing unexpected."""
        if self.process is not None:
            self.kill()
        shutil.rmtree(self._short, ignore_errors=True)
        complaints = self.stderr()
        assert self.quiet or "Traceback" not in complaints, complaints

    def env(self) -> dict[str, str]:
        """Give the environment: the machine's, less what points to the user."""
        kept = {
            name: value for name, value in os.environ.items() if name in ("PATH", "PYTHONPATH", "LANG", "LC_ALL", "TZ")
        }
        own = {
            "HOME": self.home,
            "XDG_CONFIG_HOME": self.home / "config",
            "XDG_DATA_HOME": self.home / "share",
            "XDG_RUNTIME_DIR": self.home / "run",
        }
        return kept | {name: str(value) for name, value in own.items()} | dict(self.environment)

    def _flags(self) -> list[str]:
        roots = [flag for kind, path in self.roots for flag in ("--models", f"{kind}={path}")]
        where = ["--data", str(self.data), "--listen", "127.0.0.1:0", "--socket", self.socket]
        return [*where, *roots, *self.more]

    @property
    def _stderr(self) -> Path:
        return self.folder / "stderr"

    def stderr(self) -> str:
        """Give what it wrote on stderr so far."""
        return self._stderr.read_text(errors="replace") if self._stderr.exists() else ""

    # Requests

    def ask(
        self,
        method: str,
        path: str,
        body: Json = None,
        headers: Mapping[str, str] | None = None,
        seconds: float = 30.0,
    ) -> Answer:
        """Ask over the socket: a value is sent as JSON, bytes as they are."""
        if self.stranger:
            return self.ask_tcp(method, path, body, {"Authorization": f"Bearer {self.token()}"} | dict(headers or {}))
        return self.ask_socket(method, path, body, headers, seconds)

    def ask_socket(
        self,
        method: str,
        path: str,
        body: Json = None,
        headers: Mapping[str, str] | None = None,
        seconds: float = 30.0,
    ) -> Answer:
        """Ask over the socket, as a program of the same user does."""
        connection = OverSocket(self.socket, seconds)
        try:
            return _ask(connection, method, path, body, headers or {})
        finally:
            connection.close()

    def ask_tcp(self, method: str, path: str, body: Json = None, headers: Mapping[str, str] | None = None) -> Answer:
        """Ask over TCP, as a browser would: no header is added."""
        connection = http.client.HTTPConnection(str(urlsplit(self.url).netloc), timeout=30)
        try:
            return _ask(connection, method, path, body, headers or {})
        finally:
            connection.close()

    def token(self) -> str:
        """Give what opens the API on TCP."""
        return json.loads((self.data / "secrets.json").read_bytes())["token"]

    def get(self, address: str, **query: object) -> Json:
        """Read something that is there."""
        found = self.ask("GET", _with_query(address, query))
        assert found.status == 200, (address, found.status, found.body)
        return found.json

    def post(self, path: str, body: Json = None) -> Json:
        """Do something that works."""
        return self._write("POST", path, {} if body is None else body)

    def patch(self, path: str, body: Json) -> Json:
        """Change something that can be changed."""
        return self._write("PATCH", path, body)

    def delete(self, path: str) -> Json:
        """Remove something that is there."""
        return self._write("DELETE", path, None)

    def _write(self, method: str, path: str, body: Json) -> Json:
        found = self.ask(method, path, body, {"X-Hikaze": "1"})
        assert found.status in (200, 202), (method, path, found.status, found.body)
        return found.json

    def upload(self, path: str, picture: bytes, **fields: str) -> Answer:
        """Send a picture as a form."""
        body, kind = form(picture, fields)
        return self.ask("POST", path, body, {"X-Hikaze": "1", "Content-Type": kind})

    # What it knows

    def pending(self) -> list[Json]:
        """Give the pending models, newest first."""
        return self.get("/api/migration/pending_models", limit=1000)["items"]

    def models(self) -> list[Json]:
        """Give the models by name."""
        return self.get("/api/models", limit=1000)["items"]

    def model(self, sha256: str) -> Json:
        """Give a model whole."""
        return self.get(f"/api/models/{sha256}")

    def states(self, sha256: str) -> dict[str, str]:
        """Give the state of each of a model's locations."""
        return {location["path"]: location["state"] for location in self.model(sha256)["locations"]}

    def events(self, *kinds: str, after: int = 0) -> list[Json]:
        """Give the events of the log, those of some kinds or all."""
        found: list[Json] = []
        position: int | None = after
        while position is not None:
            page = self.get("/api/events", after=position, limit=1000)
            found += page["items"]
            position = page["next"]
        return [event for event in found if not kinds or event["type"] in kinds]

    def waiting(self) -> dict[str, str]:
        """Give why files wait, by path."""
        return {entry["path"]: entry["reason"] for entry in self.get("/api/status")["waiting"]}

    # What it is asked to do

    def put(self, source: Path, target: Path) -> Path:
        """Rename a finished file to where the daemon sees it, as a download that is done."""
        target.parent.mkdir(parents=True, exist_ok=True)
        source.rename(target)
        return target

    def put_lora(self, target: Path, seed: int = 1, **how: Any) -> Path:
        """Let a LoRA appear at a path."""
        return self.put(lora(self.staging / "new.safetensors", seed, **how), target)

    def wait_for(self, condition: Callable[[], T], seconds: float = 6.0, what: str = "") -> T:
        """Ask again and again until there is something; whatever is asked raises is the reason at the end."""
        until = time.monotonic() + seconds
        while True:
            found = condition()
            if found:
                return found
            if self.process is not None and self.process.poll() is not None:
                raise AssertionError(
                    f"{what or condition}: the daemon ended with {self.process.returncode}:\n{self.stderr()}"
                )
            if time.monotonic() > until:
                raise AssertionError(f"not within {seconds} s: {what or condition}\n{self._told()}")
            time.sleep(POLL_S)

    def _told(self) -> str:
        try:
            status, events = json.dumps(self.get("/api/status"), indent=1), self.events()[-20:]
        except (OSError, AssertionError, http.client.HTTPException) as error:
            return f"stderr:\n{self.stderr()}\nno status: {error!r}"
        lines = (f"{event['position']} {event['type']} {json.dumps(event['data'])[:300]}" for event in events)
        return "\n".join((f"stderr:\n{self.stderr()}", f"status: {status}", "the last events:", *lines))

    def wait_pending(self, path: Path | str, seconds: float = 6.0) -> Json:
        """Wait until a file is a pending model, with its picture looked for."""
        found = self.wait_for(lambda: self.pending_at(path), seconds, f"{path} is pending")
        return found[0]

    def pending_at(self, path: Path | str) -> list[Json]:
        """Give the pending models whose file lies at a path."""
        return [one for one in self.pending() if one["path"] == str(path)]

    def import_one(self, number: int, strategy: str | None = None, kind: str | None = None) -> Answer:
        """Ask for an import."""
        body = {"id": number, "conflict_strategy": strategy, "type": kind}
        return self.ask("POST", "/api/migration/import_a_model", body, {"X-Hikaze": "1"})

    def bring_in(self, target: Path, seed: int = 1, **how: Any) -> str:
        """Let a LoRA appear and import it; gives its SHA-256."""
        self.put_lora(target, seed, **how)
        done = self.import_one(self.wait_pending(target)["id"])
        assert (done.status, done.json.get("status")) == (200, "imported"), done.body
        return done.json["sha256"]

    def quiesce(self, seconds: float = 10.0) -> int:
        """Wait until nothing is written for a while, imports included; gives the position of the last event."""
        last = (-1, time.monotonic())

        def is_still() -> bool:
            nonlocal last
            status = self.get("/api/status")
            busy = status["imports"]["queued"] + status["imports"]["running"]
            if status["position"] != last[0] or busy:
                last = (status["position"], time.monotonic())
            return time.monotonic() - last[1] > 0.2

        self.wait_for(is_still, seconds, "nothing is written any more")
        return last[0]


Make = Callable[..., Daemon]


def _ask(
    connection: http.client.HTTPConnection, method: str, path: str, body: Json, headers: Mapping[str, str]
) -> Answer:
    raw, kind = body, {}
    if body is not None and not isinstance(body, bytes):
        raw, kind = json.dumps(body).encode(), {"Content-Type": "application/json"}
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it may answer before it has read everything
        connection.request(method, path, raw, kind | dict(headers))
    response = connection.getresponse()
    return Answer(response.status, response.headers, response.read())


def _with_query(path: str, query: Mapping[str, object]) -> str:
    parts = "&".join(f"{name}={quote(str(value), safe='')}" for name, value in query.items())
    return f"{path}?{parts}" if parts else path


def form(picture: bytes, fields: Mapping[str, str], name: str = "image") -> tuple[bytes, str]:
    """Give the body and the content type of a multipart form with a picture."""
    mark = "----hikaze-journey"
    parts = [
        f'--{mark}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'.encode()
        for key, value in fields.items()
    ]
    head = (
        f'--{mark}\r\nContent-Disposition: form-data; name="{name}"; filename="a.png"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    )
    return b"".join(
        (*parts, head.encode(), picture, f"\r\n--{mark}--\r\n".encode())
    ), f"multipart/form-data; boundary={mark}"


# Files ------------------------------------------------------------------------------------------------


def lora(path: Path, seed: int = 1, metadata: Mapping[str, str] | None = None, rank: int = 4) -> Path:
    """Write a LoRA as trainers do; another seed is other content of the same size."""
    rng = np.random.default_rng(seed)
    block = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_k"
    tensors = {
        f"{block}.lora_down.weight": rng.random((rank, 64), dtype=np.float32),
        f"{block}.lora_up.weight": rng.random((64, rank), dtype=np.float32),
        f"{block}.alpha": np.array(float(rank), dtype=np.float32),
    }
    save_file(tensors, path, metadata={"ss_network_module": "networks.lora"} | dict(metadata or {}))
    return path


def checkpoint(path: Path, seed: int = 1) -> Path:
    """Write a checkpoint in the shape of Stable Diffusion's: U-Net, VAE and text encoder in one file."""
    rng = np.random.default_rng(seed)
    names = (
        "model.diffusion_model.input_blocks.0.0.weight",
        "model.diffusion_model.middle_block.0.in_layers.0.weight",
        "model.diffusion_model.out.2.weight",
        "first_stage_model.decoder.conv_in.weight",
        "first_stage_model.encoder.conv_in.weight",
        "cond_stage_model.transformer.text_model.embeddings.position_embedding.weight",
    )
    save_file({name: rng.random((8, 8), dtype=np.float32) for name in names}, path)
    return path


def picture(path: Path, size: tuple[int, int] = (300, 200), colour: str = "teal", **how: Any) -> Path:
    """Write a picture of one colour; the format is the name's."""
    Image.new("RGB", size, colour).save(path, **how)
    return path


def png(size: tuple[int, int] = (300, 200), colour: str = "teal") -> bytes:
    """Give a PNG of one colour."""
    with tempfile.TemporaryDirectory() as folder:
        return picture(Path(folder) / "a.png", size, colour).read_bytes()


def files_below(folder: Path) -> list[str]:
    """Give the paths of all files below a folder, relative to it."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() or path.is_symlink())


def picture_files(daemon: Daemon) -> list[str]:
    """Give the picture files of a data folder, those taken away left out."""
    return [path for path in files_below(daemon.data / "images") if not path.startswith("removed/")]


def tier_files(base_names: Iterable[str]) -> list[str]:
    """Give the files that pictures of these names have."""
    return sorted(f"{name[:2]}/{name}_{tier}.webp" for name in base_names for tier in ("high", "low", "medium"))


def big(path: Path, megabytes: int, seed: int = 1) -> Path:
    """Write a whole safetensors file of some size, without holes."""
    size = megabytes << 20
    header = json.dumps({"a": {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}}).encode()
    block = np.random.default_rng(seed).bytes(1 << 20)
    with open(path, "wb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        file.writelines(block for _ in range(megabytes))
    return path
