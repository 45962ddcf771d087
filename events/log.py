"""The append-only log: every fact in order, durable, each with its place in a chain of checksums.

One connection writes, in one transaction at a time (`begin`, `append`, `commit`); any number read. The
database refuses UPDATE and DELETE, a gap in the positions, and a version that does not follow the last one
of its stream. A checksum covers an event's row, the names that its numbers stand for and the checksum before
it, so that a changed, lost or exchanged row is found when it is read: SQLite's own checks do not see a flipped
bit in a row.
"""

import errno
import os
import random
import struct
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from zlib import crc32

import apsw
import msgspec

from .catalog import Event
from .codec import Codec, Kind, UnknownEvent, kind_of

APPLICATION_ID = 0x48494B5A  # "HIKZ": `file` and other programs can tell whose database this is
FORMAT = 1
STREAMS_REMEMBERED = 50_000  # stream heads kept in memory, about 10 MiB; beyond it they are read again
TAIL = 10_000  # events whose checksums are looked at before anything is written behind them: 50 ms
WAL_LIMIT = 64 << 20  # bytes: what a write-ahead log that grew beyond it is cut back to

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
_KEYS = {
    "streams": "id = NEW.id OR name = NEW.name",
    "kinds": "id = NEW.id OR (name = NEW.name AND schema = NEW.schema)",
    "hosts": "id = NEW.id OR uid = NEW.uid",
    "meta": "key = NEW.key",
}
ANSWERS_KEPT_MS = 30 * 24 * 3_600_000  # a client that repeats a write after that writes anew
APPEND_ONLY = "".join(
    f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table}"
    f" BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;\n"
    for table in ("events", *_KEYS)
    for verb in ("UPDATE", "DELETE")
) + "".join(  # INSERT OR REPLACE deletes without asking the DELETE trigger
    f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table}"  # noqa: S608 - our own names
    f" WHEN EXISTS (SELECT 1 FROM {table} WHERE {same})"
    f" BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;\n"
    for table, same in _KEYS.items()
)
ANSWERS_STAY = f"""
CREATE TRIGGER commands_no_update BEFORE UPDATE ON commands
BEGIN SELECT RAISE(ABORT, 'an answer given is not changed'); END;
CREATE TRIGGER commands_no_delete BEFORE DELETE ON commands
WHEN OLD.time > CAST(strftime('%s', 'now') AS INTEGER) * 1000 - {ANSWERS_KEPT_MS}
BEGIN SELECT RAISE(ABORT, 'an answer is kept for thirty days'); END;
"""

_ROWS = """SELECT e.position, s.name, e.version, e.kind, e.time, e.id, e.host, e.actor, e.action, e.body, e.checksum
FROM events e LEFT JOIN streams s ON s.id = e.stream WHERE e.position > ? ORDER BY e.position LIMIT ?"""


REPAIR = (
    "stop the daemon and run `hikazed check` to see how far it goes, then put a backup in its place with"
    " `hikazed restore`"
)


class LogError(Exception):
    """The log could not be opened, read or written.

    LogError
    |-- WrongVersion         a stream is not at the version that was expected
    |-- NewerLog             only a newer program understands it
    `-- DamagedLog           it is not what was written
        `-- DamagedEvent     and this is the first event of which that is known
    """


class WrongVersion(LogError):
    """A stream is not at the version that was expected: somebody else wrote to it."""

    def __init__(self, stream: str, expected: int, actual: int) -> None:
        """Say which stream, at which version it was expected, and at which it is."""
        super().__init__(f"{stream} is at version {actual}, not at {expected}; read it again and repeat the change")
        self.expected, self.actual = expected, actual


class DamagedLog(LogError):
    """What the log holds is not what was written to it; nothing may be written behind it."""

    def __init__(self, what: str) -> None:
        """Say what is damaged; the message adds the cure."""
        super().__init__(f"{what}; {REPAIR}")
        self.what, self.cure = what, REPAIR


class DamagedEvent(DamagedLog):
    """An event does not match its checksum, or is not there."""

    def __init__(self, position: int) -> None:
        """Say which position is damaged."""
        super().__init__(f"event {position} in the log is damaged")
        self.position = position


class NewerLog(LogError):
    """The log holds what only a newer program understands."""


class New(msgspec.Struct, frozen=True):
    """An event to append to a stream.

    `expected` is the version the stream must be at before this write (all that is appended together), None for any.
    """

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


# Unique, not secret: asking the system for each id costs a fifth of an append.
_random = random.Random(os.urandom(32))  # noqa: S311


def new_id(time_ms: int) -> bytes:
    """Make a globally unique, time-ordered id of 16 bytes (UUID version 7, RFC 9562 section 5.7)."""
    bits = _random.getrandbits(74)
    number = time_ms << 80 | 0x7 << 76 | (bits >> 62) << 64 | 0b10 << 62 | (bits & (1 << 62) - 1)
    return number.to_bytes(16, "big")


def now_ms() -> int:
    """Give the wall clock in ms since 1970 UTC."""
    return time.time_ns() // 1_000_000


_NUMBERS = struct.Struct("<qqq").pack


def _kind_bytes(kind: Kind) -> bytes:
    return f"{kind[0]} {kind[1]}".encode()


def _checksum(  # `LogReader.read` has the same written out
    before: int,
    position: int,
    stream: str,
    version: int,
    kind: bytes,
    time_ms: int,
    id_: bytes,
    host: bytes,
    actor: str,
    action: bytes,
    body: bytes,
) -> int:
    parts = _NUMBERS(position, version, time_ms), id_, host, action, kind, stream.encode(), actor.encode(), body
    return crc32(b"\0".join(parts), before)


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
        self._uid = host
        self._heads: dict[str, tuple[int, int]] = {}
        self.damage: DamagedLog | None = None
        """What was found damaged: nothing is written any more."""
        self._settled = False
        self._db = _open(path)
        try:
            self._prepare(durable)
            self._load_names()
            self.head, self._chain = self._last()
        except apsw.NotADBError:
            self._db.close()
            raise LogError(f"{path} is no database; name another data folder, or restore a backup") from None
        except apsw.CorruptError as error:
            self._db.close()
            raise DamagedLog(f"SQLite finds {path} damaged ({error})") from None
        except BaseException:
            self._db.close()
            raise

    def _prepare(self, durable: bool) -> None:
        db = self._db
        db.set_busy_timeout(BUSY_MS)
        application, version = db.pragma("application_id"), db.pragma("user_version")
        if application not in (0, APPLICATION_ID) or (application == 0 and db.pragma("schema_version") != 0):
            raise LogError(f"{self.path} is another program's database; name another data folder")
        if isinstance(version, int) and version > FORMAT:
            raise NewerLog(f"{self.path} was written by a newer Hikaze (format {version}); update this one")
        db.pragma("journal_mode", "wal")
        db.pragma("synchronous", "full" if durable else "off")
        db.pragma("foreign_keys", False)
        db.pragma("journal_size_limit", WAL_LIMIT)
        if version == 0:
            with db:
                db.execute(SCHEMA + APPEND_ONLY + ANSWERS_STAY)
                db.execute("INSERT INTO meta VALUES ('log_id', ?)", (new_id(self._clock()),))
                db.pragma("application_id", APPLICATION_ID)
                db.pragma("user_version", FORMAT)

    def _load_names(self) -> None:
        kinds: list[Any] = self._db.execute("SELECT id, name, schema FROM kinds").fetchall()
        self._kinds: dict[int, Kind] = {number: (name, schema) for number, name, schema in kinds}
        self._kind_numbers = {kind: number for number, kind in self._kinds.items()}
        self._host: int | None = self._db.execute("SELECT id FROM hosts WHERE uid = ?", (self._uid,)).get
        self.log_id = bytes(self._db.execute("SELECT value FROM meta WHERE key = 'log_id'").get)

    def _last(self) -> tuple[int, int]:
        row = self._db.execute("SELECT position, checksum FROM events ORDER BY position DESC LIMIT 1").fetchone()
        return (0, 0) if row is None else (row[0], row[1])

    def close(self) -> None:
        """Close the writing connection; what is committed stays."""
        self._db.close()

    # Writing ------------------------------------------------------------------------------------------

    def unknown_kinds(self) -> list[Kind]:
        """Give the names and forms in the log that only a newer program understands; with any, do not write."""
        return [kind for kind in self._kinds.values() if not self._codec.knows(kind)]

    def begin(self) -> None:
        """Start a transaction. Nothing else may write to the log until `commit` or `rollback`.

        Raises `DamagedLog` where damage is known, and `NewerLog` where a newer program wrote.
        """
        if self.damage is not None:
            raise self.damage
        unknown = self.unknown_kinds()
        if unknown:
            name, schema = unknown[0]
            raise NewerLog(
                f"this library was written by a newer Hikaze (event {name!r}, form {schema});"
                " update this one to write to it"
            )
        if not self._settled:
            self._settle()
        self._db.execute("BEGIN IMMEDIATE")

    def _settle(self) -> None:
        """Bring what an earlier run left in the write-ahead log into the database, before anything follows it.

        Where a sync failed, the system may show us pages that the disk never got, and call them clean (fsyncgate,
        2018): what is appended behind them would be lost with them at a power cut. Copied, they are written anew.
        """
        self._db.set_busy_timeout(0)
        try:
            self._db.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
            self._settled = True
        except apsw.BusyError:
            pass  # somebody reads what an earlier run wrote; asked again at the next write
        finally:
            self._db.set_busy_timeout(BUSY_MS)

    def commit(self) -> None:
        """Make everything appended since `begin` durable."""
        self._db.execute("COMMIT")

    def touch(self) -> None:
        """Write a page and sync it, changing nothing: raises what a write would raise now."""
        self.begin()
        try:
            self._db.pragma("user_version", FORMAT)
            self.commit()
        except apsw.Error:
            self.rollback()
            raise

    def unsettle(self) -> None:
        """After a commit that failed: nothing is written before what is committed is known to be on the disk."""
        self._settled = False

    def disk_is_full(self) -> bool:
        """Tell whether the last error was the system's: no space, or none within the quota."""
        return is_full(self._db)

    def wal_bytes(self) -> int:
        """Give the size of the write-ahead log, 0 where there is none."""
        return wal_bytes(self.path)

    def shrink(self) -> None:
        """Bring the write-ahead log into the database and start it anew, unless somebody reads it right now."""
        shrink(self._db)

    def rollback(self) -> None:
        """Take back everything appended since `begin`."""
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")
        self._heads.clear()
        self._load_names()
        self.head, self._chain = self._last()

    def append(self, new: Sequence[New], *, actor: str, action: bytes) -> list[Stored]:
        """Append events, in order, as (part of) one action. Call between `begin` and `commit`.

        Raises `WrongVersion`, before anything is written, where a stream is not at its expected version. After
        any other error (an event that could not be read back, say) part of it may be written: roll back.
        """
        self._expect(new)
        time_ms = self._clock()
        return [self._append_one(item, time_ms, actor, action) for item in new]

    def _expect(self, new: Sequence[New]) -> None:
        for item in new:
            if item.expected is not None:
                _, actual = self._head_of(item.stream)
                if actual != item.expected:
                    raise WrongVersion(item.stream, item.expected, actual)

    def _append_one(self, item: New, time_ms: int, actor: str, action: bytes) -> Stored:
        stream, version = self._head_of(item.stream)
        kind, uid = kind_of(item.event), self._uid
        position, version = self.head + 1, version + 1
        id_, body = new_id(time_ms), self._codec.encode(item.event)
        self._codec.decoder(kind)(body)  # what cannot be read back would be in the way of everything after it
        checksum = _checksum(
            self._chain,
            position,
            item.stream,
            version,
            _kind_bytes(kind),
            time_ms,
            id_,
            uid,
            actor,
            action,
            body,
        )
        stream = stream or self._insert("streams (name)", (item.stream,))
        kind_number, host = self._kind_number(kind), self._host_number()
        self._db.execute(
            "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (position, stream, version, kind_number, time_ms, id_, host, actor, action, body, checksum),
        )
        self.head, self._chain = position, checksum
        self._heads[item.stream] = stream, version
        return Stored(position, item.stream, version, time_ms, id_, uid, actor, action, item.event)

    def _head_of(self, stream: str) -> tuple[int, int]:
        """Give number and version of a stream; (0, 0) for one that has no event yet."""
        known = self._heads.get(stream)
        if known is not None:
            return known
        if len(self._heads) >= STREAMS_REMEMBERED:
            self._heads.clear()
        number = self._db.execute("SELECT id FROM streams WHERE name = ?", (stream,)).get
        if number is None:
            return 0, 0
        self._heads[stream] = number, self._last_version(stream, number)
        return self._heads[stream]

    def _last_version(self, stream: str, number: int) -> int:
        """Give a stream's last version. An index told its number and version: the rows themselves must say the same."""
        db, last = self._db, "SELECT version, position FROM events WHERE stream = ? ORDER BY version DESC LIMIT 1"
        version, position = db.execute(last, (number,)).fetchone() or (0, 0)
        same = "SELECT count(*) FROM events WHERE position = ? AND +stream = ? AND +version = ?"
        named = db.execute("SELECT name FROM streams NOT INDEXED WHERE id = ?", (number,)).get
        if named != stream or (position and not db.execute(same, (position, number, version)).get):
            self.damage = DamagedLog(f"the index of the log does not fit its events at {stream!r}")
            raise self.damage
        return version

    def _kind_number(self, kind: Kind) -> int:
        number = self._kind_numbers.get(kind)
        if number is None:
            number = self._kind_numbers[kind] = self._insert("kinds (name, schema)", kind)
            self._kinds[number] = kind
        return number

    def _host_number(self) -> int:
        if self._host is None:
            self._host = self._insert("hosts (uid)", (self._uid,))
        return self._host

    def _insert(self, table: str, values: tuple[Any, ...]) -> int:
        marks = ", ".join("?" * len(values))
        self._db.execute(f"INSERT INTO {table} VALUES ({marks})", values)  # noqa: S608 - our own names
        return self._db.last_insert_rowid()

    # Clients' keys --------------------------------------------------------------------------------------

    def answered(self, key: str) -> tuple[bytes, int, bytes] | None:
        """Give (request, position, reply) of the write a client made under an idempotency key, if it did."""
        row = self._db.execute(_ANSWERS + " WHERE key = ?", (key,)).fetchone()
        if row is None:
            return None
        if not _is_sound(row):
            self.damage = DamagedLog("an answer that is kept in the log is damaged")
            raise self.damage
        return bytes(row[2]), row[3], bytes(row[4])[:-4]

    def answer(self, key: str, request: bytes, reply: bytes) -> None:
        """Keep the reply to a client's write, in the transaction of its events."""
        time_ms = self._clock()
        sealed = reply + _seal_of(key, time_ms, request, self.head, reply)
        self._db.execute("INSERT INTO commands VALUES (?, ?, ?, ?, ?)", (key, time_ms, request, self.head, sealed))

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

    def verify_tail(self) -> None:
        """Look at the last events, and at the first of each kind that is not known; what is damaged stops writing."""
        reader = self.own_reader()
        self.damage = self.damage or reader.damage_behind(max(0, self.head - TAIL), self.head)
        for number, kind in self._kinds.items():
            if self.damage is None and not self._codec.knows(kind):
                first = self._db.execute("SELECT min(position) FROM events WHERE kind = ?", (number,)).get
                self.damage = None if first is None else reader.damage_behind(first - 1, first)

    def verify_structure(self) -> None:
        """Let SQLite look over the whole file; what is damaged stops writing."""
        self.damage = self.damage or self.own_reader().damaged_structure()


BUSY_MS = 10_000  # how long a connection waits for another's lock
SHRINK_MS = 200  # how long writing waits for readers to be done with a write-ahead log that is too long
FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))

_ANSWERS = "SELECT key, time, request, position, reply FROM commands"


def _seal_of(key: str, time_ms: int, request: bytes, position: int, reply: bytes) -> bytes:
    """Give the checksum of an answer, kept behind its reply."""
    parts = _NUMBERS(time_ms, position, len(request)), key.encode(), request, reply
    return crc32(b"\0".join(parts)).to_bytes(4, "big")


def _is_sound(row: Any) -> bool:
    key, time_ms, request, position, sealed = row
    try:
        return _seal_of(key, time_ms, request, position, sealed[:-4]) == sealed[-4:]
    except (AttributeError, TypeError, struct.error):  # a column has another type
        return False


def is_full(db: apsw.Connection) -> bool:
    """Tell whether the last error a connection met was the system's: no space, or none within the quota."""
    return db.system_errno in FULL


def wal_bytes(path: str) -> int:
    """Give the size of a database's write-ahead log, 0 where there is none."""
    try:
        return os.stat(path + "-wal").st_size
    except FileNotFoundError:
        return 0


def shrink(db: apsw.Connection) -> None:
    """Bring a write-ahead log into its database and start it anew, unless somebody reads it right now."""
    db.set_busy_timeout(SHRINK_MS)
    try:
        db.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    except apsw.BusyError:
        pass
    finally:
        db.set_busy_timeout(BUSY_MS)


def _open(path: str) -> apsw.Connection:
    if path != ":memory:":  # SQLite gives its -wal and -shm the mode of the file
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600))
    return apsw.Connection(path)


class LogReader:
    """Reads the log in order, verifying each event against the chain."""

    def __init__(self, db: apsw.Connection, codec: Codec, *, owned: bool) -> None:
        """Read through a connection; `owned` says that closing the reader closes it."""
        self._db = db
        self._codec = codec
        self._owned = owned
        self._hosts: dict[int, bytes] = {}
        self._kinds: dict[int, tuple[bytes, Callable[[bytes], Event]]] = {}
        if owned:
            db.set_busy_timeout(BUSY_MS)

    def close(self) -> None:
        """Close the connection if it is the reader's own."""
        if self._owned:
            self._db.close()

    def interrupt(self) -> None:
        """End what is being read, from another thread: it raises `apsw.InterruptError`."""
        self._db.interrupt()

    def head(self) -> int:
        """Give the position of the last event, 0 where there is none."""
        return self._db.execute("SELECT coalesce(max(position), 0) FROM events").get

    def checksum_at(self, position: int) -> int:
        """Give the checksum of the chain at a position, 0 where there is no such event."""
        return self._db.execute("SELECT checksum FROM events WHERE position = ?", (position,)).get or 0

    def read(self, after: int = 0, limit: int = -1) -> Iterator[Stored]:
        """Give the events behind position `after`, at most `limit` (-1: all), in order.

        Raises `DamagedEvent` at the first that does not match the chain, and `NewerLog` at the first that
        only a newer program understands; what was given before is sound.
        """
        last = after
        kinds, hosts = self._kinds, self._hosts
        try:
            chain = self.checksum_at(after)
            for row in self._db.execute(_ROWS, (after, limit)):
                # Written out, not called: this loop bounds how fast a library comes back from its log.
                position, stream, version, kind, time_ms, id_, host, actor, action, body, checksum = row
                kind_bytes, decode = kinds.get(kind) or self._kind(kind)
                uid = hosts.get(host) or self._host(host)
                numbers = _NUMBERS(position, version, time_ms)
                parts = numbers, id_, uid, action, kind_bytes, stream.encode(), actor.encode(), body
                chain = crc32(b"\0".join(parts), chain)
                if position != last + 1 or checksum != chain:
                    raise DamagedEvent(last + 1)
                last = position
                yield Stored(position, stream, version, time_ms, id_, uid, actor, action, decode(body))
        except msgspec.DecodeError as error:
            raise LogError(f"event {last} in the log cannot be understood: {error}") from error
        except (apsw.CorruptError, UnicodeDecodeError, AttributeError, TypeError, struct.error) as error:
            raise DamagedEvent(last + 1) from error  # a column has another type, or none, or the page is torn

    def damage_behind(self, after: int, upto: int) -> DamagedLog | None:
        """Look at the events behind position `after`, up to another: what is damaged, None where nothing is.

        What only a newer program understands is no damage.
        """
        last = after
        try:
            for stored in self.read(after, upto - after):
                last = stored.position
        except NewerLog:
            return None  # its checksum was right
        except DamagedLog as error:
            return error
        except LogError as error:
            return DamagedLog(str(error))
        return None if last == upto else DamagedEvent(last + 1)

    def damaged_structure(self) -> DamagedLog | None:
        """Let SQLite look over tables and indexes, and look at the kept answers: what is damaged, None for nothing."""
        try:
            said = self._db.execute("PRAGMA integrity_check(1)").get
            if said != "ok":
                return DamagedLog(f"SQLite finds the log damaged ({said})")
            broken = sum(not _is_sound(row) for row in self._db.execute(_ANSWERS))
        except (apsw.CorruptError, apsw.NotADBError, UnicodeDecodeError) as error:
            return DamagedLog(f"SQLite finds the log damaged ({error})")
        return DamagedLog(f"{broken:,} answers that are kept in the log are damaged") if broken else None

    def _host(self, number: int) -> bytes:
        uid: bytes | None = self._db.execute("SELECT uid FROM hosts WHERE id = ?", (number,)).get
        if uid is None:
            return b""  # the checksum will not match
        self._hosts[number] = uid
        return uid

    def _kind(self, number: int) -> tuple[bytes, Callable[[bytes], Event]]:
        kind = self._db.execute("SELECT name, schema FROM kinds WHERE id = ?", (number,)).fetchone()
        if kind is None:
            return b"", _not_understood  # the checksum will not match
        try:
            decode = self._codec.decoder(kind)
        except UnknownEvent:
            decode = _not_understood
        self._kinds[number] = _kind_bytes(kind), decode
        return self._kinds[number]


def _not_understood(_body: bytes) -> Event:
    raise NewerLog("the log holds events that only a newer Hikaze understands; update this one to read on")
