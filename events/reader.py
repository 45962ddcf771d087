"""Reads the log in order, and tells what of it is damaged."""

import struct
from collections.abc import Callable, Iterator
from zlib import crc32

import apsw
import msgspec

from .answers import ANSWERS, is_sound
from .catalog import Event
from .codec import Codec, UnknownEvent
from .database import BUSY_MS
from .errors import DamagedEvent, DamagedLog, LogError, NewerLog
from .record import Stored, bytes_of_kind, pack_numbers

_ROWS = """SELECT e.position, s.name, e.version, e.kind, e.time, e.id, e.host, e.actor, e.action, e.body, e.checksum
FROM events e LEFT JOIN streams s ON s.id = e.stream WHERE e.position > ? ORDER BY e.position LIMIT ?"""


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
                numbers = pack_numbers(position, version, time_ms)
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
            broken = sum(not is_sound(row) for row in self._db.execute(ANSWERS))
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
        self._kinds[number] = bytes_of_kind(kind), decode
        return self._kinds[number]


def _not_understood(_body: bytes) -> Event:
    raise NewerLog("the log holds events that only a newer Hikaze understands; update this one to read on")
