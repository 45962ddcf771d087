"""The live stream: every event once and in order, over any break, with progress in between."""

import http.client
import json
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from .harness import Daemon, Make, OverSocket, big


@dataclass
class Follower:
    """Someone who follows the stream in a thread."""

    daemon: Daemon
    last: int | None = None
    seen: list[tuple[int | None, str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Connect, and begin to read."""
        self._connection = OverSocket(self.daemon.socket, 30)
        headers = {"Accept": "text/event-stream"}
        if self.last is not None:
            headers["Last-Event-ID"] = str(self.last)
        self._connection.request("GET", "/api/events", headers=headers)
        self._response = self._connection.getresponse()
        assert self._response.headers["Content-Type"] == "text/event-stream"
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        try:
            for number, kind, data in messages(self._response):
                self.seen.append((number, kind, data))
        except (OSError, http.client.HTTPException, ValueError, AttributeError):
            pass  # the stream broke, or we hung up

    def positions(self) -> list[int]:
        """Give the positions of the events that came."""
        return [number for number, _, _ in self.seen if number is not None]

    def close(self) -> None:
        """Hang up."""
        if self._connection.sock is not None:
            self._connection.sock.shutdown(socket.SHUT_RDWR)
        self._thread.join(5)
        self._connection.close()

    def wait_end(self) -> None:
        """Wait until the stream ends."""
        self._thread.join(5)
        assert not self._thread.is_alive()


def messages(response: http.client.HTTPResponse) -> Iterator[tuple[int | None, str, Any]]:
    """Give (id, event, data) of each message of a stream (the HTML standard, server-sent events)."""
    fields: dict[str, str] = {}
    for raw in response:
        line = raw.decode().rstrip("\n")
        if line:
            name, _, value = line.partition(": ")
            fields[name] = value
        elif "data" in fields:
            yield int(fields["id"]) if "id" in fields else None, fields.get("event", ""), json.loads(fields["data"])
            fields = {}


@pytest.fixture
def follow() -> Iterator[Callable[..., Follower]]:
    """Make followers that hang up at the end."""
    made: list[Follower] = []

    def follow_(daemon: Daemon, last: int | None = None) -> Follower:
        made.append(Follower(daemon, last))
        return made[-1]

    yield follow_
    for follower in made:
        follower.close()


def test_no_gap_and_no_doubling_over_a_restart(daemon: Daemon, follow: Callable[..., Follower]) -> None:
    """Whoever resumes by the last id gets every event exactly once, over a restart and a kill."""
    first = follow(daemon, 0)
    for number in range(10):
        daemon.post("/api/tags", {"name": f"before {number}"})
    daemon.wait_for(lambda: len(first.positions()) >= daemon.get("/api/status")["position"])
    daemon.restart(kill=True)
    first.wait_end()
    for number in range(10):
        daemon.post("/api/tags", {"name": f"between {number}"})
    second = follow(daemon, first.positions()[-1])
    for number in range(10):
        daemon.post("/api/tags", {"name": f"after {number}"})

    head = daemon.get("/api/status")["position"]
    daemon.wait_for(lambda: [*first.positions(), *second.positions()][-1] == head)
    assert first.positions() + second.positions() == list(range(1, head + 1))
    told = [data for _, kind, data in (*first.seen, *second.seen) if kind == "tag-created"]
    assert [data["data"]["name"] for data in told] == [
        f"{when} {number}" for when in ("before", "between", "after") for number in range(10)
    ]
    assert told == daemon.events("tag-created")


def test_from_now_on(daemon: Daemon, follow: Callable[..., Follower]) -> None:
    """Without an id the stream begins with what happens next; with one of another log it says `reset`."""
    daemon.post("/api/tags", {"name": "old"})
    live, lost = follow(daemon), follow(daemon, 10**9)
    daemon.post("/api/tags", {"name": "new"})

    daemon.wait_for(lambda: live.positions())
    assert [data["data"]["name"] for _, kind, data in live.seen if kind == "tag-created"] == ["new"]
    daemon.wait_for(lambda: [kind for _, kind, _ in lost.seen][:1] == ["reset"])


@pytest.mark.slow
def test_progress_while_a_large_file_is_hashed(make_daemon: Make, follow: Callable[..., Follower]) -> None:
    """The import of a large file tells in the stream how far it is, and its outcome."""
    daemon = make_daemon().start()
    path = daemon.put(big(daemon.staging / "big", 600), daemon.drop / "loras" / "big.safetensors")
    number = daemon.wait_pending(path)["id"]
    follower = follow(daemon)

    assert daemon.import_one(number).json["status"] == "imported"

    daemon.wait_for(lambda: "import-completed" in [kind for _, kind, _ in follower.seen])
    told = [data for _, kind, data in follower.seen if kind == "progress" and data.get("what") == "hashing"]
    assert len(told) >= 2
    assert {(data["pending"], data["total"]) for data in told} == {
        (number, (daemon.loras / "big.safetensors").stat().st_size)
    }
    done = [data["done"] for data in told]
    assert done == sorted(done)
    assert 0 < done[-1] <= told[0]["total"]
    assert daemon.get("/api/status")["work"] == []


def test_pages_of_the_log(daemon: Daemon) -> None:
    """The log is read in pages: each event has a position, an id of its own, an actor, an action and a host."""
    daemon.ask("POST", "/api/tags", {"name": "x"}, {"X-Hikaze-Actor": "page"})
    sha256 = daemon.bring_in(daemon.drop / "x.safetensors")
    events = daemon.events()
    assert [event["position"] for event in events] == list(range(1, len(events) + 1))
    assert len({event["id"] for event in events}) == len(events)
    assert len({event["host"] for event in events}) == 1
    by_kind = {event["type"]: event for event in events}
    assert by_kind["tag-created"]["actor"] == "page"
    assert by_kind["pending-found"]["actor"] == "watcher"
    assert by_kind["model-imported"]["stream"] == f"model/{sha256}"
    assert by_kind["model-imported"]["action"] == by_kind["import-completed"]["action"]
    assert by_kind["model-imported"]["action"] != by_kind["tag-created"]["action"]
    small = daemon.get("/api/events", limit=2)
    assert [event["position"] for event in small["items"]] == [1, 2]
    assert small["next"] == 2


def test_a_repeated_write_is_done_once(daemon: Daemon) -> None:
    """A write with an idempotency key that is sent again is answered as before, after a restart too."""

    def send() -> Any:
        return daemon.ask("POST", "/api/tags", {"name": "once"}, {"Idempotency-Key": "k1"})

    first = send()
    daemon.restart(kill=True)
    again = send()
    assert (again.status, again.json) == (first.status, first.json)
    assert len(daemon.events("tag-created")) == 1
    other = daemon.ask("POST", "/api/tags", {"name": "another"}, {"Idempotency-Key": "k1"})
    assert other.status == 422


def test_a_lost_update_is_refused(daemon: Daemon) -> None:
    """If-Match with the version somebody read guards what another wrote meanwhile."""
    sha256 = daemon.bring_in(daemon.drop / "x.safetensors")
    read = daemon.ask("GET", f"/api/models/{sha256}")
    daemon.patch(f"/api/models/{sha256}", {"description": "theirs"})

    late = daemon.ask("PATCH", f"/api/models/{sha256}", {"description": "mine"}, {"If-Match": read.headers["ETag"]})

    assert late.status == 412
    assert late.detail
    assert daemon.model(sha256)["description"] == "theirs"
