"""The real daemon as a process, and the leanest client of its unix socket."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

from hikaze.daemon.commands import client as program
from hikaze.daemon.instance import Running

from .library import TYPE, Library, put_file
from .taken import is_stopped

PENDING = "/api/migration/pending_models?limit=1"  # newest first


class Daemon(AbstractContextManager["Daemon"]):
    """A daemon on a library; it serves once this is made, and is stopped on leaving."""

    def __init__(self, library: Library) -> None:
        """Start it; nothing it writes lies outside the library's folders and those beside them."""
        home = os.path.join(os.path.dirname(library.data), "home")
        os.makedirs(home, exist_ok=True)
        self._socket = os.path.join(library.data, "s.sock")
        self.begun = time.perf_counter()
        with open(os.path.join(home, "daemon.log"), "ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own program
                [
                    *(sys.executable, "-m", "hikaze.daemon", "run", "--listen", "127.0.0.1:0"),
                    *("--data", library.data, "--socket", self._socket),
                    *("--models", f"{TYPE}={library.root}", "--pending", library.drop),
                ],
                stdout=subprocess.PIPE,
                stderr=log,
                env=_without_the_user(home),
            )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        self.ready_after = time.perf_counter() - self.begun
        if not line.startswith(b"ready "):
            self._process.wait()
            with open(os.path.join(home, "daemon.log"), encoding="utf-8", errors="replace") as log:
                raise RuntimeError(f"the daemon did not start: {log.read()[-2000:]}")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    @property
    def pid(self) -> int:
        """The number of the process."""
        return self._process.pid

    @contextmanager
    def suspended(self) -> Iterator[None]:
        """Hold it still for a while, as a machine that sleeps or is overloaded does."""
        self._process.send_signal(signal.SIGSTOP)
        try:
            while not is_stopped(self.pid):
                time.sleep(0.001)
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it as a power cut would end the process: at once, wherever it is."""
        self._process.kill()
        self._process.wait()

    def client(self) -> "Client":
        """Connect to it."""
        return Client(self._socket)

    def program(self) -> program.Client:
        """Give the client of `hikazed` itself, for writes and for the live stream."""
        return program.Client(Running(url="", socket=self._socket, token="", pid=self.pid, data="", version=""))


class Client(AbstractContextManager["Client"]):
    """One connection to the unix socket, kept alive; HTTP/1.1 as far as the daemon's answers need it."""

    def __init__(self, path: str) -> None:
        """Connect to the daemon at a socket."""
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(path)
        self._file = self._socket.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        self._socket.close()

    def get(self, target: str) -> bytes:
        """Give the body of an answer; raises RuntimeError for another status than 200."""
        status, body = self._ask(target)
        if status != 200:
            raise RuntimeError(f"GET {target}: {status} {body[:500]!r}")
        return body

    def json(self, target: str) -> Any:
        """Give the body of an answer, decoded."""
        return json.loads(self.get(target))

    def at_path(self, path: str) -> Any:
        """Give what is known at a path: `{"model": ..., "pending": ...}`, or None."""
        target = f"/api/models?path={quote(path)}"
        status, body = self._ask(target)
        if status not in (200, 404):
            raise RuntimeError(f"GET {target}: {status} {body[:500]!r}")
        return json.loads(body) if status == 200 else None

    def _ask(self, target: str) -> tuple[int, bytes]:
        self._socket.sendall(f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        status, length = self._file.readline(), 0
        while (line := self._file.readline()) not in (b"\r\n", b""):
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        return int(status.split(b" ")[1]), self._file.read(length)


def put_unknown_file(library: Library, number: int) -> str:
    """Put a file nobody knows into the model root; gives its path."""
    return put_file(library.root, f"unknown_{number}", number)


def wait_until_pending(client: Client, path: str, *, pause: float, at_most: float = 60.0) -> float:
    """Ask until the newest pending model is the file at `path`; gives the clock (perf_counter) then."""
    wanted = json.dumps(path).encode()
    deadline = time.perf_counter() + at_most
    while wanted not in client.get(PENDING):
        if time.perf_counter() > deadline:
            raise RuntimeError(f"{path} did not become visible in {at_most:.0f} s: {client.json('/api/status')}")
        if pause:
            time.sleep(pause)
    return time.perf_counter()


def _without_the_user(home: str) -> dict[str, str]:
    """Give an environment in which the daemon finds no folder of the user's."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HIKAZE_", "XDG_"))}
    for name in ("NOTIFY_SOCKET", "STATE_DIRECTORY", "WATCHDOG_USEC"):
        kept.pop(name, None)
    return kept | {"HOME": home}
