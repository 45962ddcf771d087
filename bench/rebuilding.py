"""How fast all read tables come back from the log."""

import os
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import apsw
from hikaze.events.codec import Codec
from hikaze.events.log import EventLog

from .desk import Desk
from .library import Library
from .measure import Row, a_second, from_on, side_by_side, times_the_floor_at_least

TIMES = 3


def rows(desk: Desk) -> Iterator[Row]:
    """Reading the log, and building the tables from it."""
    library = desk.large
    desk.tell(f"rebuild: reading {library.events:,} events, plainly and as the log does")
    select, decode, read = side_by_side(
        TIMES, lambda: _select(library), lambda: _decode(library), lambda: _read(library)
    )
    events = library.events
    yield Row(
        "read, check and decode the log",
        "SELECT alone",
        events / select,
        events / read,
        a_second,
        from_on(1_000_000, a_second),
        f"decoding without checking {a_second(events / decode)}",
    )
    library.build()
    final = _Final(library)
    desk.tell("rebuild: the final tables plainly, and ours, in turn")
    write, ours = side_by_side(TIMES, final.write, lambda: _rebuild(library))
    yield Row(
        f"rebuild from {events:,} events",
        "decode, then executemany the final tables",
        events / (decode + write),
        events / ours,
        a_second,
        times_the_floor_at_least(0.4),
        f"{ours:.2f} s; {ours / events * 1e6:.2f} s a million (aim < 6 s)",
    )


def _select(library: Library) -> None:
    with closing(apsw.Connection(library.log, flags=apsw.SQLITE_OPEN_READONLY)) as db:
        for _ in db.execute("SELECT * FROM events ORDER BY position"):
            pass


def _decode(library: Library) -> None:
    codec = Codec()
    with closing(apsw.Connection(library.log, flags=apsw.SQLITE_OPEN_READONLY)) as db:
        kinds: list[Any] = db.execute("SELECT id, name, schema FROM kinds").fetchall()
        decoders = {number: codec.decoder((name, schema)) for number, name, schema in kinds}
        for kind, body in db.execute("SELECT kind, body FROM events ORDER BY position"):
            decoders[kind](body)


def _read(library: Library) -> None:
    with closing(EventLog(library.log)) as log, closing(log.reader()) as reader:
        for _ in reader.read():
            pass


def _rebuild(library: Library) -> None:
    for suffix in ("", "-wal", "-shm"):
        if os.path.exists(library.views + suffix):
            os.remove(library.views + suffix)
    library.build()


class _Final:
    """The tables as they are in the end, in memory: what a rebuild would write if it had nothing to work out."""

    def __init__(self, library: Library) -> None:
        self._path = library.views + ".floor"
        with closing(apsw.Connection(library.views, flags=apsw.SQLITE_OPEN_READONLY)) as db:
            made = "FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'"
            self._tables: list[Any] = db.execute(f"SELECT name, sql {made} AND type = 'table'").fetchall()
            self._indexes: list[Any] = db.execute(f"SELECT sql {made} AND type = 'index'").fetchall()
            self._rows: dict[str, list[Any]] = {
                name: db.execute(f'SELECT * FROM "{name}"').fetchall()  # noqa: S608
                for name, _ in self._tables
            }

    def write(self) -> None:
        if os.path.exists(self._path):
            os.remove(self._path)
        with closing(apsw.Connection(self._path)) as db:
            db.pragma("journal_mode", "off")
            db.pragma("synchronous", "off")
            db.pragma("cache_size", -256_000)
            db.execute("BEGIN")
            for _, sql in self._tables:
                db.execute(sql)
            for name, rows in self._rows.items():
                if rows:
                    db.executemany(f'INSERT INTO "{name}" VALUES ({",".join("?" * len(rows[0]))})', rows)  # noqa: S608
            for (sql,) in self._indexes:
                db.execute(sql)
            db.execute("COMMIT")
        os.remove(self._path)
