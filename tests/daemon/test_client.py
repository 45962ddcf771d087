"""Asking a daemon: over its socket, through what may break, and along its live stream."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hikaze.daemon.commands.client import Broken, Client, ClientError, Message, NoDaemon, Refused, find, messages
from hikaze.daemon.instance import Running, announce
from hypothesis import given
from hypothesis import strategies as st

TOKEN = "t" * 43
GONE = 2**22 + 1  # above the highest process id that Linux gives


def running(socket: str | None = None, **more: Any) -> Running:
    """Give what a daemon announces."""
    known: dict[str, Any] = {"url": "", "token": "", "pid": 0, "data": "/data", "version": "0.1.0"}
    return Running(socket=socket, **{**known, **more})


@pytest.fixture
def client(daemon: Any) -> Client:
    """Give a client of the stand-in."""
    return Client(running(daemon.socket))


def until_broken(stream: Iterable[Message]) -> list[Message]:
    """Give the messages of a stream up to its end, which it must tell."""
    coming, found = iter(stream), list[Message]()
    try:
        while True:
            found.append(next(coming))
    except Broken:
        return found


def sse(kind: str, data: object, position: int | None = None) -> bytes:
    """Write a message as the live stream does."""
    head = "" if position is None else f"id: {position}\n"
    return f"{head}event: {kind}\ndata: {json.dumps(data)}\n\n".encode()


def test_a_read_gives_what_the_daemon_says(daemon: Any, client: Client) -> None:
    """A read is one GET with the query encoded, in our name, and the answer decoded."""
    daemon.says("GET", "/api/models", {"items": [], "next": None})

    assert client.get("/api/models", [("q", "ü &"), ("tag", "a"), ("tag", "b")]) == {"items": [], "next": None}
    (asked,) = daemon.asked
    assert asked.query == {"q": ["ü &"], "tag": ["a", "b"]}
    assert asked.headers["Host"] == "localhost"
    assert asked.headers["X-Hikaze-Actor"] == "cli"
    assert "Authorization" not in asked.headers


def test_a_write_says_that_it_is_one(daemon: Any, client: Client) -> None:
    """A write is marked, is JSON, and carries a key of its own."""
    daemon.says("POST", "/api/scan", {"scanned": 1})
    client.send("POST", "/api/scan", {})
    client.send("POST", "/api/scan", {}, {"If-Match": '"3"'})

    first, second = daemon.asked
    assert (first.body, first.headers["X-Hikaze"], first.headers["Content-Type"]) == ({}, "1", "application/json")
    assert second.headers["If-Match"] == '"3"'
    assert first.headers["Idempotency-Key"] != second.headers["Idempotency-Key"]


def test_a_write_that_breaks_is_asked_once_more_under_its_key(daemon: Any, client: Client) -> None:
    """A connection that ends without an answer is tried again, so that the daemon can tell the repetition."""
    daemon.says("POST", "/api/scan", breaks=True)
    daemon.says("POST", "/api/scan", {"scanned": 1})

    assert client.send("POST", "/api/scan", {}) == {"scanned": 1}
    first, second = daemon.asked
    assert first.headers["Idempotency-Key"] == second.headers["Idempotency-Key"]


def test_what_breaks_twice_is_told(daemon: Any, client: Client) -> None:
    """A daemon that ends every connection is not asked for ever."""
    daemon.says("GET", "/api/status", breaks=True)

    with pytest.raises(Broken, match="ended the connection"):
        client.get("/api/status")
    assert len(daemon.asked) == 2


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({"status": 422, "detail": "say it otherwise"}, "say it otherwise"),
        ({"title": "Not possible"}, "Not possible"),
        ({"status": "conflict"}, "HTTP status 422"),
        ("", "HTTP status 422"),
    ],
)
def test_a_refusal_is_the_daemons_own_sentence(daemon: Any, client: Client, body: Any, sentence: str) -> None:
    """An answer that is a refusal becomes an error with the problem document's sentence, and keeps what was said."""
    daemon.says("GET", "/api/status", body, 422)

    with pytest.raises(Refused, match=sentence) as refused:
        client.get("/api/status")
    assert (refused.value.status, refused.value.body) == (422, body)


def test_a_list_is_read_page_by_page(daemon: Any, client: Client) -> None:
    """All items come, each page behind the cursor of the one before it."""
    daemon.says("GET", "/api/tags", {"items": [1, 2], "next": "c1"})
    daemon.says("GET", "/api/tags", {"items": [3], "next": None})

    assert list(client.items("/api/tags")) == [1, 2, 3]
    assert [asked.query.get("cursor") for asked in daemon.asked] == [None, ["c1"]]


def test_a_list_with_a_limit_asks_for_no_more(daemon: Any, client: Client) -> None:
    """Of a limit the daemon hears, so that it makes no page that nobody reads."""
    daemon.says("GET", "/api/tags", {"items": [1, 2], "next": "c1"})

    assert list(client.items("/api/tags", limit=2)) == [1, 2]
    assert [asked.query["limit"] for asked in daemon.asked] == [["2"]]


def test_the_stream_gives_events_and_progress(daemon: Any, client: Client) -> None:
    """Events carry their position, progress has none, comments are nothing."""
    blocks = [b"retry: 1000\n\n", sse("model-tagged", {"a": 1}, 8), b": still here\n\n", sse("progress", {"done": 2})]
    daemon.says("GET", "/api/events", stream=blocks)
    stream = client.listen(7)

    assert until_broken(stream) == [Message("model-tagged", 8, {"a": 1}), Message("progress", None, {"done": 2})]
    stream.close()
    assert daemon.asked[0].query == {"after": ["7"]}
    assert daemon.asked[0].headers["Accept"] == "text/event-stream"


def test_a_stream_that_breaks_is_taken_up_where_it_was(daemon: Any, client: Client) -> None:
    """Following goes on behind the last event that came, and ends when nothing comes any more."""
    daemon.says("GET", "/api/events", stream=[sse("a", {}, 1), sse("b", {}, 2)])
    daemon.says("GET", "/api/events", stream=[sse("c", {}, 3)])
    daemon.says("GET", "/api/events", stream=[])

    assert [message.kind for message in until_broken(client.follow(0))] == ["a", "b", "c"]
    assert [asked.query["after"][0] for asked in daemon.asked] == ["0", "2", "3", "3", "3"]


def test_another_thread_can_end_a_stream(daemon: Any, client: Client) -> None:
    """Hanging up wakes the thread that waits for the next message."""
    daemon.says("GET", "/api/events", stream=[sse("a", {}, 1)], stays=True)
    stream, heard = client.listen(0), threading.Event()

    def read() -> None:
        with suppress(Broken):
            for _ in stream:
                heard.set()
        stream.close()

    reader = threading.Thread(target=read)
    reader.start()
    assert heard.wait(5)
    stream.hang_up()
    reader.join(5)
    assert not reader.is_alive()


def test_a_refused_stream_is_a_refusal(client: Client) -> None:
    """A stream that is not given says why."""
    with pytest.raises(Refused, match="there is no /api/events"):
        client.listen(0)


@given(st.lists(st.tuples(st.text("ab-", min_size=1), st.integers(0, 10**15) | st.none(), st.text())))
def test_any_messages_come_through_the_stream(sent: list[tuple[str, int | None, str]]) -> None:
    """What is written as an event stream is read as the same messages."""
    lines = b"".join(sse(kind, data, position) for kind, position, data in sent).splitlines(keepends=True)

    assert [(each.kind, each.position, each.data) for each in messages(lines)] == sent


@given(st.lists(st.binary(max_size=30)))
def test_a_stream_of_anything_is_read_without_an_error(lines: list[bytes]) -> None:
    """Whatever bytes come, reading them gives messages or none."""
    list(messages(lines))


def test_several_lines_of_data_are_one_value() -> None:
    """A value may be written over several lines, with any line ending, and without a kind."""
    assert list(messages([b"data: [1,\r\n", b"data:2]\r\n", b"\r\n"])) == [Message("message", None, [1, 2])]


def test_where_nobody_listens_there_is_no_daemon(tmp_path: Path) -> None:
    """A socket that is not there, or that nobody serves, is said to be no running daemon."""
    for name in ("none", "file"):
        (tmp_path / "file").touch()
        with pytest.raises(NoDaemon, match="start one with `hikazed run`"):
            Client(running(str(tmp_path / name))).get("/api/status")


def test_a_path_too_long_for_a_socket_is_told() -> None:
    """What the system refuses to connect to is one sentence too."""
    with pytest.raises(ClientError, match="cannot talk to the daemon at /aaa"):
        Client(running("/" + "a" * 200)).get("/api/status")


def test_the_daemon_is_found_by_what_is_named(tmp_path: Path) -> None:
    """The socket counts before the data folder, that before the daemon started last."""
    config, data = tmp_path / "config", tmp_path / "data"
    one, other = running("/one", data="/one"), running("/other", data=str(data))
    announce(one, [str(config)])
    announce(other, [str(data)])
    (tmp_path / "socket").touch()

    assert find(str(config)) == one
    assert find(str(config), str(data)) == other
    assert find(str(config), str(data), "/one") == one
    assert find(str(config), socket_path=str(tmp_path / "socket")).socket == str(tmp_path / "socket")


def test_a_socket_in_the_data_folder_is_found(tmp_path: Path) -> None:
    """A daemon that could not announce itself is found by the socket it has in its data folder."""
    (tmp_path / "hikazed.sock").touch()

    found = find(str(tmp_path / "config"), str(tmp_path))
    assert (found.socket, found.data) == (str(tmp_path / "hikazed.sock"), str(tmp_path))


@pytest.mark.parametrize("named", [(None, None), ("/nowhere", None), (None, "/nowhere/s"), ("/nowhere", "/nowhere/s")])
def test_a_daemon_that_said_nothing_is_not_there(tmp_path: Path, named: tuple[str | None, str | None]) -> None:
    """Where nothing was announced, the message says how to start a daemon."""
    with pytest.raises(NoDaemon, match="`hikazed run`"):
        find(str(tmp_path), *named)


@pytest.mark.skipif(sys.platform != "linux", reason="SO_PEERCRED is Linux's")
def test_another_daemon_on_the_same_socket_is_not_the_one_that_was_named(daemon: Any) -> None:
    """Of a data folder whose daemon died, the daemon that has its socket now is not asked instead."""
    daemon.says("GET", "/api/status", {})
    dead = running(daemon.socket, pid=GONE)

    with pytest.raises(NoDaemon, match="no daemon is running on /data"):
        Client(dead, must_be_this=True).get("/api/status")
    assert Client(dead).get("/api/status") == {}
    assert Client(running(daemon.socket, pid=os.getpid()), must_be_this=True).get("/api/status") == {}


@pytest.mark.skipif(sys.platform != "linux", reason="SO_PEERCRED is Linux's")
def test_the_kernel_says_which_process_the_daemon_is(client: Client) -> None:
    """The process id is that of whoever serves the socket, whatever was announced."""
    assert client.process() == os.getpid()


def test_without_a_socket_the_token_opens_the_way() -> None:
    """On TCP the request bears the token that was announced."""
    server = """
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = b'"%s"' % self.headers["Authorization"].encode()
        self.send_response(200); self.send_header("Content-Length", str(len(body))); self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_): pass
server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.handle_request()
"""
    with subprocess.Popen([sys.executable, "-c", server], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        client = Client(running(None, url=f"http://127.0.0.1:{port}", token=TOKEN))
        assert client.get("/api/status") == f"Bearer {TOKEN}"
