"""A stand-in for the daemon: it answers on a unix socket what a test told it to, and remembers what it was asked."""

import json
import shutil
import socketserver
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest


@dataclass(frozen=True)
class Asked:
    """A request as it came."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: Any


@dataclass(frozen=True)
class Said:
    """An answer: a status and a value for JSON, or blocks of an event stream; `breaks` ends without an answer."""

    status: int = 200
    value: Any = None
    stream: list[bytes] | None = None
    stays: bool = False
    breaks: bool = False


@dataclass
class StandIn:
    """What it answers, by method and path, and what it was asked. Of several answers the last stays."""

    socket: str
    asked: list[Asked] = field(default_factory=list)
    answers: dict[tuple[str, str], list[Said | Callable[[Asked], Said]]] = field(default_factory=dict)
    ending: threading.Event = field(default_factory=threading.Event)

    def says(self, method: str, path: str, value: Any = None, status: int = 200, **how: Any) -> None:
        """Answer a request with a value; a second call for it is its second answer."""
        self.answers.setdefault((method, path), []).append(Said(status, value, **how))

    def takes(self, method: str, path: str, value: dict[str, Any]) -> None:
        """Answer a change with the value as it is after it."""
        self.answers.setdefault((method, path), []).append(lambda asked: Said(200, value | asked.body))

    def reply(self, asked: Asked) -> Said:
        """Give the answer to a request."""
        self.asked.append(asked)
        several = self.answers.get((asked.method, asked.path))
        if not several:
            return Said(404, {"status": 404, "detail": f"there is no {asked.path}; ask for something else"})
        found = several.pop(0) if len(several) > 1 else several[0]
        return found(asked) if callable(found) else found


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        url = urlsplit(self.path)
        assert isinstance(self.server, _Server)
        stand_in = self.server.stand_in
        said = stand_in.reply(Asked(self.command, url.path, parse_qs(url.query), dict(self.headers.items()), body))
        self.close_connection = True
        if said.breaks:
            return
        self.send_response(said.status)
        self.send_header("Content-Type", "text/event-stream" if said.stream is not None else "application/json")
        self.send_header("Connection", "close")
        self.end_headers()
        for block in [json.dumps(said.value).encode()] if said.stream is None else said.stream:
            self.wfile.write(block)
            self.wfile.flush()
        if said.stays:
            stand_in.ending.wait(20)

    do_POST = do_PATCH = do_DELETE = do_GET  # noqa: N815 - the names that http.server asks for

    def log_message(self, *_: Any, **__: Any) -> None:
        """Say nothing."""


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    stand_in: StandIn

    def handle_error(self, *_: Any, **__: Any) -> None:
        """A caller that hangs up is no error."""


@pytest.fixture
def daemon() -> Iterator[StandIn]:
    """Give a stand-in that serves; its socket lies in a short folder, for the system takes 107 bytes."""
    folder = tempfile.mkdtemp(prefix="hk")
    stand_in = StandIn(f"{folder}/s")
    with _Server(stand_in.socket, _Handler) as server:
        server.stand_in = stand_in
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield stand_in
        finally:
            stand_in.ending.set()
            server.shutdown()
            thread.join()
            shutil.rmtree(folder)


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Give what mounts a small disk with some options."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def mount(options: str) -> Path:
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", folder], check=True)
        return folder

    yield mount
    subprocess.run(["umount", "--lazy", folder], check=True)  # busy while a traceback holds a database
