"""The append-only log: every fact in order, durable, each with its place in a chain of checksums.

One connection writes, in one transaction at a time (`begin`, `append`, `commit`); any number read. The
database refuses UPDATE and DELETE, a gap in the positions, and a version that does not follow the last one
of its stream. A checksum covers an event's row, the names that its numbers stand for and the checksum before
it, so that a changed, lost or exchanged row is found when it is read: SQLite's own checks do not see a flipped
bit in a row.
"""

import os
from collections.abc import Callable, Sequence
from typing import Any

import apsw

from .answers import ANSWERS, is_sound, seal_of
from .codec import Codec, Kind, kind_of
from .database import BUSY_MS, WAL_LIMIT, is_full, shrink, wal_bytes
from .errors import DamagedLog, LogError, NewerLog, WrongVersion
from .reader import LogReader
from .record import New, Stored, bytes_of_kind, checksum_of, new_id, now_ms
from .schema import ANSWERS_STAY, APPEND_ONLY, APPLICATION_ID, FORMAT, SCHEMA

STREAMS_REMEMBERED = 50_000  # stream heads kept in memory, about 10 MiB; beyond it they are read again
TAIL = 10_000  # events whose checksums are looked at before anything is written behind them: 50 ms


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
        checksum = checksum_of(
            self._chain,
            position,
            item.stream,
            version,
            bytes_of_kind(kind),
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
        row = self._db.execute(ANSWERS + " WHERE key = ?", (key,)).fetchone()
        if row is None:
            return None
        if not is_sound(row):
            self.damage = DamagedLog("an answer that is kept in the log is damaged")
            raise self.damage
        return bytes(row[2]), row[3], bytes(row[4])[:-4]

    def answer(self, key: str, request: bytes, reply: bytes) -> None:
        """Keep the reply to a client's write, in the transaction of its events."""
        time_ms = self._clock()
        sealed = reply + seal_of(key, time_ms, request, self.head, reply)
        self._db.execute("INSERT INTO commands VALUES (?, ?, ?, ?, ?)", (key, time_ms, request, self.head, sealed))

    def forget_answers(self, before_ms: int) -> None:
        """Drop replies older than a time; a client that repeats a write after that writes anew."""
        with self._db:
            self._db.execute("DELETE FROM commands WHERE time < ?", (before_ms,))

    # Reading --------------------------------------------------------------------------------------------

    def reader(self) -> LogReader:
        """Open the log for reading, on a connection of its own; not for ":memory:"."""
        return LogReader(apsw.Connection(self.path, flags=apsw.SQLITE_OPEN_READONLY), self._codec, owned=True)

    def own_reader(self) -> LogReader:
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


def _open(path: str) -> apsw.Connection:
    if path != ":memory:":  # SQLite gives its -wal and -shm the mode of the file
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600))
    return apsw.Connection(path)
