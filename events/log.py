"""The append-only log: every fact in order, durable, each with its place in a chain of checksums.

One connection writes, in one transaction at a time (`begin`, `append`, `commit`); any number read. The
database refuses UPDATE and DELETE, a gap in the positions, and a version that does not follow the last one
of its stream. A checksum covers an event's row and the checksum before it, so that a changed, lost or
exchanged row is found when it is read: SQLite's own checks do not see a flipped bit in a row.
"""

import os
import struct
import time
from collections.abc import Callable, Iterator, Sequence
from zlib import crc32

import apsw
import msgspec

from .catalog import Event
from .codec import Codec, Kind, UnknownEvent, kind_of

APPLICATION_ID = 0x48494B5A  # "HIKZ": `file` and other programs can tell whose database this is
FORMAT = 1
STREAMS_REMEMBERED = 50_000  # stream heads kept in memory, about 10 MiB; beyond it they are read again

SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE kinds (id INTEGER PRIMARY KEY, name TEXT NOT NULL, schema INTEGER NOT NULL, UNIQUE (name, schema));
CREATE TABLE streams (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE hosts (id INTEGER PRIMARY KEY, uid BLOB NOT NULL UNIQUE);
CREATE TABLE events (
    position INTEGER PRIMARY KEY,
    stream INTEGER NOT NULL REFERENCES streams,
    version INTEGER NOT NULL,
    kind INTEGER NOT NULL REFERENCES kinds,
    time INTEGER NOT NULL,
    id BLOB NOT NULL,
    host INTEGER NOT NULL REFERENCES hosts,
    actor TEXT NOT NULL,
    action BLOB NOT NULL,
    body BLOB NOT NULL,
    checksum INTEGER NOT NULL,
    UNIQUE (stream, version)
);
CREATE TABLE commands (
    key TEXT PRIMARY KEY,
    time INTEGER NOT NULL,
    request BLOB NOT NULL,
    position INTEGER NOT NULL,
    reply BLOB NOT NULL
) WITHOUT ROWID;
CREATE TRIGGER events_follow BEFORE INSERT ON events
WHEN NEW.position <> 1 + coalesce((SELECT max(position) FROM events), 0)
    OR NEW.version <> 1 + coalesce((SELECT max(version) FROM events WHERE stream = NEW.stream), 0)
BEGIN SELECT RAISE(ABORT, 'the log is append-only: an event must follow the last one'); END;
"""
APPEND_ONLY = "".join(
    f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table}"
    f" BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;\n"
    for table in ("events", "streams", "kinds", "hosts", "meta")
    for verb in ("UPDATE", "DELETE")
)

_ROW = """SELECT e.position, e.stream, e.version, e.kind, e.time, e.id, e.host, e.actor, e.action, e.body, e.checksum
FROM events e WHERE e.position > ? ORDER BY e.position LIMIT ?"""


class LogError(Exception):
    """The log could not be opened, read or written."""


class WrongVersion(LogError):
    """A stream is not at the version that was expected: somebody else wrote to it."""

    def __init__(self, stream: str, expected: int, actual: int) -> None:
        """Say which stream, at which version it was expected, and at which it is."""
        super().__init__(
            f"{stream} is at version {actual}, not at {expected}; read it again and repeat the change"
        )
        self.expected, self.actual = expected, actual


class DamagedEvent(LogError):
    """An event does not match its checksum, or is not there."""

    def __init__(self, position: int) -> None:
        """Say which position is damaged."""
        super().__init__(
            f"event {position} in the log is damaged; stop the daemon and run `hikazed check` to see how far it goes"
        )
        self.position = position


class NewerLog(LogError):
    """The log holds what only a newer program understands."""


class New(msgspec.Struct, frozen=True):
    """An event to append to a stream; `expected` is the version the stream must be at, None for any."""

    stream: str
    event: Event
    expected: int | None = None


class Stored(msgspec.Struct, frozen=True, gc=False):
    """An event in the log. `time` is in ms since 1970 UTC; `id`, `host` and `action` are 16 bytes each."""

    position: int
    stream: str
    version: int
    time: int
    id: bytes
    host: bytes
    actor: str
    action: bytes
    event: Event


def new_id(time_ms: int) -> bytes:
    """Make a globally unique, time-ordered id of 16 bytes (UUID version 7, RFC 9562 section 5.7)."""
    random = bytearray(os.urandom(10))
    random[0] = 0x70 | (random[0] & 0x0F)
    random[2] = 0x80 | (random[2] & 0x3F)
    return time_ms.to_bytes(6, "big") + bytes(random)


def now_ms() -> int:
    """Give the wall clock in ms since 1970 UTC."""
    return time.time_ns() // 1_000_000


_NUMBERS = struct.Struct("<qqqqqq").pack


def _checksum(  # noqa: PLR0913 - it covers the whole row, in the order of the columns
    before: int,
    position: int,
    stream: int,
    version: int,
    kind: int,
    time_ms: int,
    id_: bytes,
    host: int,
    actor: str,
    action: bytes,
    body: bytes,
) -> int:
    numbers = _NUMBERS(position, stream, version, kind, time_ms, host)
    return crc32(body, crc32(actor.encode(), crc32(numbers + id_ + action, before)))


class EventLog:
    """The log in one SQLite file, open for reading and, in one thread, for writing.

    A connection is not shared between threads: the writer's is used by whoever calls `begin`, readers
    open their own with `reader`.
    """

    def __init__(
        self,
        path: str,
        *,
        host: bytes = bytes(16),
        codec: Codec | None = None,
        clock: Callable[[], int] = now_ms,
        durable: bool = True,
    ) -> None:
        """Open the log at `path` (":memory:" for one that is not kept), and make it where there is none.

        `host` is the 16-byte id of this installation. Raises `NewerLog` for a file of a later format and
        `LogError` for a file that is no log of ours.
        """
        self.path = path
        self._codec = codec or Codec()
        self._clock = clock
        self._db = apsw.Connection(path)
        self._db.set_busy_timeout(10_000)
        self._prepare(durable)
        self._load_names()
        self._host = self._host_number(host)
        self._heads: dict[str, tuple[int, int]] = {}
        self.head, self._chain = self._last()

    def _prepare(self, durable: bool) -> None:
        db = self._db
        application, version = db.pragma("application_id"), db.pragma("user_version")
        if application not in (0, APPLICATION_ID) or (application == 0 and db.pragma("schema_version") != 0):
            raise LogError(f"{self.path} is another program's database; name another data folder")
        if isinstance(version, int) and version > FORMAT:
            raise NewerLog(f"{self.path} was written by a newer Hikaze (format {version}); update this one")
        db.pragma("journal_mode", "wal")
        db.pragma("synchronous", "full" if durable else "off")
        db.pragma("foreign_keys", False)
        db.pragma("journal_size_limit", 64 << 20)
        if version == 0:
            with db:
                db.execute(SCHEMA + APPEND_ONLY)
                db.execute("INSERT INTO meta VALUES ('log_id', ?)", (new_id(self._clock()),))
                db.pragma("application_id", APPLICATION_ID)
                db.pragma("user_version", FORMAT)

    def _load_names(self) -> None:
        kinds = self._db.execute("SELECT id, name, schema FROM kinds").fetchall()
        self._kinds: dict[int, Kind] = {number: (name, schema) for number, name, schema in kinds}
        self._kind_numbers = {kind: number for number, kind in self._kinds.items()}
        self._hosts: dict[int, bytes] = dict(self._db.execute("SELECT id, uid FROM hosts").fetchall())
        self.log_id = bytes(self._db.execute("SELECT value FROM meta WHERE key = 'log_id'").get)

    def _host_number(self, uid: bytes) -> int:
        for number, known in self._hosts.items():
            if known == uid:
                return number
        with self._db:
            self._db.execute("INSERT INTO hosts (uid) VALUES (?)", (uid,))
        number = self._db.last_insert_rowid()
        self._hosts[number] = uid
        return number

    def _last(self) -> tuple[int, int]:
        row = self._db.execute(
            "SELECT position, checksum FROM events ORDER BY position DESC LIMIT 1"
        ).fetchone()
        return (0, 0) if row is None else (row[0], row[1])

    def close(self) -> None:
        """Close the writing connection; what is committed stays."""
        self._db.close()

    # Writing ------------------------------------------------------------------------------------------

    def unknown_kinds(self) -> list[Kind]:
        """Give the names and forms in the log that only a newer program understands; with any, do not write."""
        return [kind for kind in self._kinds.values() if not self._codec.knows(kind)]

    def begin(self) -> None:
        """Start a transaction. Nothing else may write to the log until `commit` or `rollback`."""
        unknown = self.unknown_kinds()
        if unknown:
            name, schema = unknown[0]
            raise NewerLog(
                f"this library was written by a newer Hikaze (event {name!r}, form {schema}); update this one to write to it"
            )
        self._db.execute("BEGIN IMMEDIATE")

    def commit(self) -> None:
        """Make everything appended since `begin` durable."""
        self._db.execute("COMMIT")

    def rollback(self) -> None:
        """Take back everything appended since `begin`."""
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")
        self._heads.clear()
        self._load_names()
        self.head, self._chain = self._last()

    def append(self, new: Sequence[New], *, actor: str, action: bytes) -> list[Stored]:
        """Append events, in order, as (part of) one action. Call between `begin` and `commit`.

        Raises `WrongVersion`, before anything is written, where a stream is not at its expected version.
        """
        self._expect(new)
        time_ms = self._clock()
        stored: list[Stored] = []
        for item in new:
            stored.append(self._append_one(item, time_ms, actor, action))
        return stored

    def _expect(self, new: Sequence[New]) -> None:
        for item in new:
            if item.expected is not None:
                actual = self._head_of(item.stream)[1]
                if actual != item.expected:
                    raise WrongVersion(item.stream, item.expected, actual)

    def _append_one(self, item: New, time_ms: int, actor: str, action: bytes) -> Stored:
        stream, version = self._head_of(item.stream)
        kind = self._kind_number(kind_of(item.event))
        position, version = self.head + 1, version + 1
        id_, body = new_id(time_ms), self._codec.encode(item.event)
        checksum = _checksum(
            self._chain, position, stream, version, kind, time_ms, id_, self._host, actor, action, body
        )
        self._db.execute(
            "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (position, stream, version, kind, time_ms, id_, self._host, actor, action, body, checksum),
        )
        self.head, self._chain = position, checksum
        self._heads[item.stream] = stream, version
        return Stored(
            position, item.stream, version, time_ms, id_, self._hosts[self._host], actor, action, item.event
        )

    def _head_of(self, stream: str) -> tuple[int, int]:
        known = self._heads.get(stream)
        if known is not None:
            return known
        if len(self._heads) >= STREAMS_REMEMBERED:
            self._heads.clear()
        row = self._db.execute("SELECT id FROM streams WHERE name = ?", (stream,)).fetchone()
        if row is None:
            self._db.execute("INSERT INTO streams (name) VALUES (?)", (stream,))
            head = self._db.last_insert_rowid(), 0
        else:
            last = self._db.execute("SELECT max(version) FROM events WHERE stream = ?", row).get
            head = row[0], last or 0
        self._heads[stream] = head
        return head

    def _kind_number(self, kind: Kind) -> int:
        number = self._kind_numbers.get(kind)
        if number is None:
            self._db.execute("INSERT INTO kinds (name, schema) VALUES (?, ?)", kind)
            number = self._db.last_insert_rowid()
            self._kinds[number] = kind
            self._kind_numbers[kind] = number
        return number

    # Clients' keys --------------------------------------------------------------------------------------

    def answered(self, key: str) -> tuple[bytes, int, bytes] | None:
        """Give (request, position, reply) of the write a client made under an idempotency key, if it did."""
        row = self._db.execute(
            "SELECT request, position, reply FROM commands WHERE key = ?", (key,)
        ).fetchone()
        return None if row is None else (bytes(row[0]), row[1], bytes(row[2]))

    def answer(self, key: str, request: bytes, reply: bytes) -> None:
        """Keep the reply to a client's write, in the transaction of its events."""
        self._db.execute(
            "INSERT INTO commands VALUES (?, ?, ?, ?, ?)", (key, self._clock(), request, self.head, reply)
        )

    def forget_answers(self, before_ms: int) -> None:
        """Drop replies older than a time; a client that repeats a write after that writes anew."""
        with self._db:
            self._db.execute("DELETE FROM commands WHERE time < ?", (before_ms,))

    # Reading --------------------------------------------------------------------------------------------

    def reader(self) -> "LogReader":
        """Open the log for reading, on a connection of its own; not for ":memory:"."""
        return LogReader(apsw.Connection(self.path, flags=apsw.SQLITE_OPEN_READONLY), self._codec, owned=True)

    def own_reader(self) -> "LogReader":
        """Read through the writing connection, in its thread."""
        return LogReader(self._db, self._codec, owned=False)


class LogReader:
    """Reads the log in order, verifying each event against the chain."""

    def __init__(self, db: apsw.Connection, codec: Codec, *, owned: bool) -> None:
        """Read through a connection; `owned` says that closing the reader closes it."""
        self._db = db
        self._codec = codec
        self._owned = owned
        self._streams: dict[int, str] = {}
        self._hosts: dict[int, bytes] = {}
        self._kinds: dict[int, Callable[[bytes], Event]] = {}
        if owned:
            db.set_busy_timeout(10_000)

    def close(self) -> None:
        """Close the connection if it is the reader's own."""
        if self._owned:
            self._db.close()

    def head(self) -> int:
        """Give the position of the last event, 0 where there is none."""
        return self._db.execute("SELECT coalesce(max(position), 0) FROM events").get

    def read(self, after: int = 0, limit: int = -1) -> Iterator[Stored]:
        """Give the events behind position `after`, at most `limit` (-1: all), in order.

        Raises `DamagedEvent` at the first that does not match the chain, and `NewerLog` at the first that
        only a newer program understands; what was given before is sound.
        """
        before, chain = after, self._checksum_at(after)
        streams, kinds, hosts = self._streams, self._kinds, self._hosts
        for row in self._db.execute(_ROW, (after, limit)):
            # Written out, not called: this loop bounds how fast a library comes back from its log.
            position, stream, version, kind, time_ms, id_, host, actor, action, body, checksum = row
            numbers = _NUMBERS(position, stream, version, kind, time_ms, host)
            chain = crc32(body, crc32(actor.encode(), crc32(numbers + id_ + action, chain)))
            before += 1
            if position != before or checksum != chain:
                raise DamagedEvent(before)
            name = streams.get(stream) or self._stream(stream, position)
            decode = kinds.get(kind) or self._decoder(kind)
            uid = hosts.get(host) or self._host(host)
            try:
                event = decode(body)
            except msgspec.DecodeError as error:
                raise LogError(f"event {position} in the log cannot be understood: {error}") from error
            yield Stored(position, name, version, time_ms, id_, uid, actor, action, event)

    def _checksum_at(self, position: int) -> int:
        row = self._db.execute("SELECT checksum FROM events WHERE position = ?", (position,)).fetchone()
        return 0 if row is None else row[0]

    def _stream(self, number: int, position: int) -> str:
        row = self._db.execute("SELECT name FROM streams WHERE id = ?", (number,)).fetchone()
        if row is None:
            raise DamagedEvent(position)
        if len(self._streams) >= STREAMS_REMEMBERED:
            self._streams.clear()
        self._streams[number] = row[0]
        return row[0]

    def _host(self, number: int) -> bytes:
        row = self._db.execute("SELECT uid FROM hosts WHERE id = ?", (number,)).fetchone()
        self._hosts[number] = bytes(row[0]) if row else bytes(16)
        return self._hosts[number]

    def _decoder(self, number: int) -> Callable[[bytes], Event]:
        kind = self._db.execute("SELECT name, schema FROM kinds WHERE id = ?", (number,)).fetchone()
        if kind is None:
            raise LogError(
                f"the log names a kind of event, {number}, that it does not hold; run `hikazed check`"
            )
        try:
            decode = self._codec.decoder(kind)
        except UnknownEvent as error:
            raise NewerLog(f"{error}; update Hikaze to read on") from None
        self._kinds[number] = decode
        return decode
