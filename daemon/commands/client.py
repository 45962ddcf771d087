"""Talk to a running daemon: find it, ask it, and listen to its live stream.

Over its unix socket, where the kernel says who is who. Over TCP, with the token from its `daemon.json`, only
where the daemon announced no socket (Windows): on TCP another program may sit where a dead daemon was.
Server-sent events: https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation

ClientError
├── NoDaemon    nothing answers where a daemon should be
├── Broken      it went away before it had answered
└── Refused     it answered, and the answer is no
"""

import http.client
import json
import os
import socket
import struct
import urllib.parse
import uuid
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from ..config import SOCKET_FILE
from ..instance import Running, find_running, pid_alive

CONNECT_SECONDS = 10.0
ANSWER_SECONDS = 60.0  # of a read, which the daemon answers in milliseconds; a write may hash 30 GB first
PAGE = 1000  # the most that a list gives at once

_ADVICE = "start one with `hikazed run`, or say with --data or --socket where it is"
_FRUITLESS = 3  # connections in a row that end without a word: then it is not the connection

Query = Iterable[tuple[str, str | int]]


class ClientError(Exception):
    """The daemon could not be asked, or said no; the message is one sentence that says what to do."""


class NoDaemon(ClientError):
    """Nothing answers where a daemon should be."""


class Broken(ClientError):
    """The daemon went away before it had answered."""


class Refused(ClientError):
    """The daemon said no: `status` is the HTTP status, `body` the decoded answer."""

    def __init__(self, status: int, body: Any) -> None:
        """Take the sentence from the problem document (RFC 9457), where it is one."""
        super().__init__(_sentence(status, body))
        self.status = status
        self.body = body


@dataclass(frozen=True, slots=True)
class Message:
    """One message of the live stream: an event of the log at a `position`, or another kind (None) such as progress."""

    kind: str
    position: int | None
    data: Any


def find(config_dir: str, data: str | None = None, socket_path: str | None = None) -> Running:
    """Give where the daemon is: by its socket, else by its data folder, else the one this user started last.

    Raises `NoDaemon`, and what `instance.find_running` raises.
    """
    found = find_running(config_dir, data, socket_path)
    if found is None and data is not None and socket_path is None:
        beside = os.path.join(data, SOCKET_FILE)
        found = find_running(config_dir, data, beside) if os.path.exists(beside) else None
    if found is None:
        where = f" at {socket_path}" if socket_path else f" on {data}" if data else ""
        raise NoDaemon(f"no daemon is running{where}; {_ADVICE}")
    return found


class Client:
    """Asks one daemon; each request has a connection of its own, so that threads may share a client."""

    def __init__(self, running: Running, *, must_be_this: bool = False) -> None:
        """Ask the daemon that was found; `must_be_this` refuses another one that has taken over its socket."""
        self.running = running
        self._must_be_this = must_be_this

    def get(self, path: str, query: Query = ()) -> Any:
        """Give the answer to a read, decoded. Raises `ClientError`."""
        return self._ask("GET", _target(path, query), None, {}, ANSWER_SECONDS)

    def send(self, method: str, path: str, body: object, headers: Mapping[str, str] | None = None) -> Any:
        """Give the answer to a write, decoded, however long it takes. Raises `ClientError`.

        A connection that breaks is tried once more, under the same key: the daemon does the write once.
        """
        encoded = json.dumps(body).encode()
        more = {"Content-Type": "application/json", "Idempotency-Key": str(uuid.uuid4()), **(headers or {})}
        return self._ask(method, path, encoded, more, None)

    def items(self, path: str, query: Query = (), limit: int | None = None) -> Iterator[Any]:
        """Give the items of a list, page by page, at most `limit`."""
        left, cursor = limit, None
        while left is None or left > 0:
            page = self.page(path, query, limit=PAGE if left is None else min(PAGE, left), cursor=cursor)
            yield from page["items"]
            left = None if left is None else left - len(page["items"])
            cursor = page["next"]
            if cursor is None:
                return

    def page(self, path: str, query: Query = (), *, limit: int = PAGE, cursor: str | None = None) -> Any:
        """Give one page of a list: `items`, and `next`, the cursor of the page after it."""
        return self.get(path, [*query, ("limit", limit), *([("cursor", cursor)] if cursor else [])])

    def listen(self, after: int) -> "Stream":
        """Open the live stream behind a position of the log."""
        connection = self._connect(None)
        sock = connection.sock
        headers = {"Accept": "text/event-stream", "Last-Event-ID": str(after), **self._headers()}
        try:
            with _spoken():
                connection.request("GET", f"/api/events?after={after}", headers=headers)
                response = connection.getresponse()
                answer = None if response.status == 200 else _decoded(response.read())
        except BaseException:
            connection.close()
            raise
        if response.status != 200:
            connection.close()
            raise Refused(response.status, answer)
        return Stream(connection, sock, response)

    def follow(self, after: int) -> Generator[Message]:
        """Give what the live stream says behind a position, taken up again where its connection breaks.

        Ends only by raising: `NoDaemon` when the daemon is gone.
        """
        fruitless = 0
        while fruitless < _FRUITLESS:
            fruitless += 1
            with suppress(Broken), closing(self.listen(after)) as stream:
                for message in stream:
                    fruitless = 0
                    after = after if message.position is None else message.position
                    yield message
        raise _broken()

    def process(self) -> int | None:
        """Give the process id of the daemon, None where only the daemon itself could tell: it is in a container.

        On Linux the kernel says who serves the socket; elsewhere it is what the daemon announced, once it answers.
        """
        with closing(self._connect(CONNECT_SECONDS)) as connection:
            if (peer := _peer(connection.sock)) is not None:
                return peer or None
        self.get("/api/status")
        return self.running.pid or None

    def _ask(
        self, method: str, target: str, body: bytes | None, headers: Mapping[str, str], seconds: float | None
    ) -> Any:
        try:
            return self._ask_once(method, target, body, headers, seconds)
        except Broken:
            pass
        return self._ask_once(method, target, body, headers, seconds)

    def _ask_once(
        self, method: str, target: str, body: bytes | None, headers: Mapping[str, str], seconds: float | None
    ) -> Any:
        with closing(self._connect(seconds)) as connection, _spoken():
            connection.request(method, target, body=body, headers={**self._headers(), **headers})
            response = connection.getresponse()
            answer = _decoded(response.read())
        if response.status >= 300:
            raise Refused(response.status, answer)
        return answer

    def _headers(self) -> dict[str, str]:
        headers = {"X-Hikaze": "1", "X-Hikaze-Actor": "cli", "Connection": "close"}
        if self.running.socket is None:
            headers["Authorization"] = f"Bearer {self.running.token}"
        return headers

    def _connect(self, seconds: float | None) -> http.client.HTTPConnection:
        connection = _connection(self.running)
        try:
            connection.connect()
        except OSError as error:
            connection.close()
            raise self._unreached(error) from error
        if self._must_be_this and self._is_another(connection.sock):
            connection.close()
            raise NoDaemon(f"no daemon is running on {self.running.data}, though one was; {_ADVICE}")
        connection.sock.settimeout(seconds)
        return connection

    def _is_another(self, sock: socket.socket) -> bool:
        """Tell whether another process serves the socket and the one we look for is no more.

        Only both together: a daemon in a container announces an id that means another process here.
        """
        peer = _peer(sock)
        return bool(peer) and peer != self.running.pid and pid_alive(self.running.pid) is False

    def _unreached(self, error: OSError) -> ClientError:
        where = self.running.socket or self.running.url
        if isinstance(error, PermissionError):
            return ClientError(f"cannot talk to the daemon at {where}: it belongs to another user; become that user")
        if isinstance(error, TimeoutError):
            return ClientError(f"the daemon at {where} does not answer; look at its own output, or start it anew")
        if isinstance(error, (FileNotFoundError, NotADirectoryError, ConnectionError)):
            data = f" on {self.running.data}" if self.running.data else f" at {where}"
            return NoDaemon(f"no daemon is running{data}; {_ADVICE}")
        return ClientError(f"cannot talk to the daemon at {where} ({error}); {_ADVICE}")


class Stream:
    """The live stream on one connection, read in one thread; any other may `hang_up`."""

    def __init__(
        self, connection: http.client.HTTPConnection, sock: socket.socket, response: http.client.HTTPResponse
    ) -> None:
        """Read the response that has begun; the connection is closed with the stream."""
        self._connection = connection
        self._socket = sock
        self._response = response

    def __iter__(self) -> Iterator[Message]:
        """Give the messages as they come. Raises `Broken` when the daemon ends the stream."""
        with _spoken():
            yield from messages(iter(self._response.readline, b""))
        raise _broken()

    def hang_up(self) -> None:
        """End the reading, from any thread."""
        with suppress(OSError):  # the daemon was quicker
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the connection, in the thread that reads."""
        self._response.close()
        self._connection.close()


def messages(lines: Iterable[bytes]) -> Iterator[Message]:
    """Take an event stream apart; what is no JSON is passed over, as a comment is."""
    kind, position, data = "message", None, []
    for line in lines:
        text = line.decode("utf-8", "replace").rstrip("\r\n")
        if not text:  # the end of a message
            if data:
                with suppress(ValueError):
                    yield Message(kind, position, json.loads("\n".join(data)))
            kind, position, data = "message", None, []
        field, _, value = text.partition(":")
        value = value.removeprefix(" ")
        match field:
            case "event":
                kind = value
            case "id":
                position = int(value) if value.isdecimal() else None
            case "data":
                data.append(value)
            case _:  # a comment begins with the colon, and its field is empty
                pass


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a unix socket; the daemon knows it there as `localhost`."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=CONNECT_SECONDS)
        self._path = path

    def connect(self) -> None:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.settimeout(CONNECT_SECONDS)
            sock.connect(self._path)
        except BaseException:
            sock.close()
            raise
        self.sock = sock


def _connection(running: Running) -> http.client.HTTPConnection:
    if running.socket is not None:
        return _UnixConnection(running.socket)
    url = urllib.parse.urlsplit(running.url)
    return http.client.HTTPConnection(url.hostname or "127.0.0.1", url.port, timeout=CONNECT_SECONDS)


def _peer(sock: socket.socket) -> int | None:
    """Give the process that listens at the other end (unix(7), SO_PEERCRED), 0 where it is out of our sight."""
    if not hasattr(socket, "SO_PEERCRED") or sock.family != socket.AF_UNIX:
        return None
    credentials = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return struct.unpack("3i", credentials)[0]


@contextmanager
def _spoken() -> Iterator[None]:
    try:
        yield
    except TimeoutError as error:  # not `Broken`: asking again would be as long
        raise ClientError(
            f"the daemon has not answered for {ANSWER_SECONDS:.0f} seconds; look at its own output"
        ) from error
    except (OSError, http.client.HTTPException) as error:
        raise _broken() from error


def _broken() -> Broken:
    return Broken("the daemon ended the connection before it had answered; see with `hikazed status` how it is")


def _target(path: str, query: Query) -> str:
    return f"{path}?{encoded}" if (encoded := urllib.parse.urlencode(list(query))) else path


def _decoded(body: bytes) -> Any:
    try:
        return json.loads(body) if body else None
    except ValueError:
        return body.decode("utf-8", "replace")


def _sentence(status: int, body: Any) -> str:
    if isinstance(body, dict):
        for key in ("detail", "title"):
            if isinstance(text := body.get(key), str) and text:
                return text
    return f"the daemon answered with the HTTP status {status}; is it a daemon of this version?"
