"""The real daemon as a process, and the leanest client of its unix socket."""

import json
import os
import socket
import subprocess
import sys
import time
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Self

from .library import TYPE, Library, small_safetensors

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

    def client(self) -> "Client":
        """Connect to it."""
        return Client(self._socket)


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
        self._socket.sendall(f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        status, length = self._file.readline(), 0
        while (line := self._file.readline()) not in (b"\r\n", b""):
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        body = self._file.read(length)
        if b" 200 " not in status:
            raise RuntimeError(f"GET {target}: {status!r} {body[:500]!r}")
        return body

    def json(self, target: str) -> Any:
        """Give the body of an answer, decoded."""
        return json.loads(self.get(target))


def put_unknown_file(library: Library, number: int) -> str:
    """Put a file nobody knows into the model root; gives its path."""
    path = os.path.join(library.root, f"unknown_{number}.safetensors")
    with open(path, "wb") as file:
        file.write(small_safetensors(number))
    return path


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
