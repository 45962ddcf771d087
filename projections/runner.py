"""Keeps the views in step with the log: catches up, rebuilds beside and swaps, serves readers.

All views lie in one file, and each saves its position in the transaction of its rows. The file may be
deleted at any time; where a view's version is not the file's, all of it is built anew beside and renamed.

SQLite does not see a flipped bit in a row. So a file that is closed whole gets a seal, its checksum in a file beside
it, and is opened again only if it still has it.
"""

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from types import ModuleType
from typing import Any, Protocol, cast
from zlib import crc32

import apsw

from ..events.catalog import Event
from ..events.database import BUSY_MS, WAL_LIMIT, shrink, wal_bytes
from ..events.errors import DamagedLog, NewerLog
from ..events.log import EventLog
from ..events.reader import LogReader
from ..events.record import Stored
from . import comfyui, hashes, images, imports, lora_sets, migrations, models, pending, roots, searching, tags
from .tables import Tables, rows
from .touched import Touched, touched_by

CHUNK = 2_000  # events between two looks at the clock of whoever watches a rebuild
REBUILD_CACHE = 32_000  # KiB; 256,000 is a tenth faster at 100,000 models, and the process keeps that memory

Apply = Callable[[Tables, Stored], None]
Progress = Callable[[int, int], None]
"""Called with (events done, events in all)."""
Heard = Callable[[Touched], None]
"""Called, in the thread that writes, with what was touched by events whose rows are committed."""


class View(Protocol):
    """A module of this package that builds a view: what `roots`, `tags`, `models` ... have in common."""

    VERSION: int
    SCHEMA: str
    INDEXES: str
    HANDLES: tuple[type[Event], ...]

    def apply(self, db: Tables, stored: Stored) -> None:
        """Bring one event into the view."""
        ...


def view_name(view: View) -> str:
    """Give the name under which a view's version and position are kept."""
    return cast("ModuleType", view).__name__.rpartition(".")[2]


VIEWS: tuple[View, ...] = tuple(
    cast("View", module)
    for module in (roots, tags, models, images, pending, imports, migrations, hashes, comfyui, lora_sets, searching)
)

_SEARCHING = cast("View", searching)

_POSITIONS = """CREATE TABLE view_positions (
    view TEXT PRIMARY KEY, version INTEGER NOT NULL, position INTEGER NOT NULL,
    log_id BLOB NOT NULL, checksum INTEGER NOT NULL
) WITHOUT ROWID;"""


class Views:
    """The read tables in one SQLite file, or in memory; a `Projector` for the writer.

    The connection `db` belongs to whoever writes. Readers open their own with `reader`.
    """

    def __init__(
        self,
        path: str,
        log: EventLog,
        *,
        views: Sequence[View] = VIEWS,
        progress: Progress = lambda _done, _all: None,
        heard: Heard = lambda _touched: None,
        telling: AbstractContextManager[object] | None = None,
    ) -> None:
        """Open the views of a log at `path` (":memory:" to keep nothing), building them where they are out of date.

        `telling` is held from when rows are committed until `heard` knows.
        """
        self.path = path
        self.generation = 0
        """How often the file was exchanged for a new one: readers of an older one open it again."""
        self._log = log
        self._views = tuple(views)
        self._progress = progress
        self._heard, self._touched = heard, Touched()
        self._telling = telling or contextlib.nullcontext()
        if path != ":memory:":
            _remove(path + ".new")
            if not self._is_current():  # checked by seal and versions, and by log, position and checksum there
                self.rebuild()
        try:
            self._begin_with_file()
        except (apsw.Error, LookupError, TypeError, ValueError) as error:
            if isinstance(error, apsw.Error) and not is_torn(error):
                raise
            self.db.close()  # rows that no event has left there: a view met what it cannot understand
            self.rebuild()
            self._begin_with_file()

    def _begin_with_file(self) -> None:
        self.db = apsw.Connection(self.path)
        self._set_up(self.db)
        self._in = _Inlet(self._views, self.db)
        if self.path == ":memory:":
            self._create(self.db)
            self._index(self.db)
        self._position = self._read_position()
        try:
            if self._log.damage is None:
                self.catch_up()
        except DamagedLog as error:
            self._log.damage = error  # nothing is written any more; the rows are what the log said when it was whole

    def close(self) -> None:
        """Close the writing connection, and seal the file if all of it is in one piece."""
        self.db.close()
        if self.path != ":memory:" and not wal_bytes(self.path):
            seal(self.path)

    @property
    def position(self) -> int:
        """The position of the last event that the committed rows hold."""
        return self._position

    # The writer's side --------------------------------------------------------------------------------

    def begin(self) -> None:
        """Start a transaction on the read tables."""
        self.db.execute("BEGIN IMMEDIATE")
        self._at = self._position

    def apply(self, events: Iterable[Stored]) -> None:
        """Bring events, in order, into the read tables."""
        events = list(events)
        touched = self._touched_by(events)
        self._at = self._in.take(events) or self._at
        if touched.worded:
            searching.follow(self.db, touched.worded)
        self._touched.add(touched)

    def _touched_by(self, events: Sequence[Stored]) -> Touched:
        return touched_by(self.db, events) if _SEARCHING in self._views else Touched()

    def commit(self) -> None:
        """Commit the rows together with the position they stand at."""
        if self._at != self._position:
            _save_position(self.db, self._at, self._log.own_reader())
        with self._telling:
            self.db.execute("COMMIT")
            touched, self._touched = self._touched, Touched()
            if touched:
                self._heard(touched)
        self._position = self._at

    def rollback(self) -> None:
        """Forget what was applied since `begin`."""
        if self.db.in_transaction:
            self.db.execute("ROLLBACK")
        self._in.forget()
        self._at, self._touched = self._position, Touched()

    def catch_up(self) -> None:
        """Bring the rows to the end of the log (or to its first event that only a newer program understands)."""
        reader = self._log.own_reader()
        if self._position > reader.head():
            raise RuntimeError("the views are ahead of the log")  # _is_current has ruled it out for files
        for chunk in _chunks(reader.read(self._position)):
            self.begin()
            try:
                self.apply(chunk)
                self.commit()
            except BaseException:
                self.rollback()
                raise
            self._progress(self._position, reader.head())

    def mend(self) -> None:
        """Build the views anew and go on with them; readers of the old file read on there until they open the new."""
        self.db.close()  # first: the last to close a file removes the -wal of that name
        try:
            self.rebuild()
        except BaseException:
            with contextlib.suppress(apsw.Error):
                self._begin_with_file()
            raise
        self._begin_with_file()
        self.generation += 1

    def wal_bytes(self) -> int:
        """Give the size of the write-ahead log."""
        return 0 if self.path == ":memory:" else wal_bytes(self.path)

    def shrink(self) -> None:
        """Start the write-ahead log anew, unless somebody reads it right now."""
        shrink(self.db)

    # Opening and rebuilding ---------------------------------------------------------------------------

    def rebuild(self) -> None:
        """Build all views anew from the log into a new file and put it in place of the old.

        Where that fails the old ones are as they were, and nothing is left of the new. Raises `DamagedLog` where
        the log cannot be read to its end.
        """
        if self._log.damage is not None:
            raise self._log.damage
        new = self.path + ".new"
        _remove(new)
        try:
            self._build(new)
        except BaseException:
            _remove(new)  # a full disk needs the room
            raise
        put_in_place(new, self.path)

    def _build(self, path: str) -> None:
        db = apsw.Connection(path)
        try:
            db.pragma("journal_mode", "off")
            db.pragma("synchronous", "off")
            db.pragma("cache_size", -REBUILD_CACHE)
            self._create(db)
            self._replay(db, self._log.own_reader())
            self._index(db)
            db.pragma("synchronous", "full")
            db.pragma("journal_mode", "wal")  # which writes a page, and so syncs them all
        finally:
            db.close()
        os.chmod(path, 0o600)

    def _replay(self, db: apsw.Connection, reader: LogReader) -> None:
        head, inlet, position = reader.head(), _Inlet(self._views, db), 0
        db.execute("BEGIN")
        for chunk in _chunks(reader.read()):
            position = inlet.take(chunk)
            self._progress(position, head)
        _save_position(db, position, reader)
        db.execute("COMMIT")
        if _SEARCHING in self._views:
            with db:
                searching.fill(db)

    def _create(self, db: apsw.Connection) -> None:
        with db:
            db.execute(_POSITIONS)
            for view in self._views:
                db.execute(view.SCHEMA)
                db.execute(
                    "INSERT INTO view_positions VALUES (?, ?, 0, ?, 0)",
                    (view_name(view), view.VERSION, self._log.log_id),
                )

    def _index(self, db: apsw.Connection) -> None:
        with db:
            for view in self._views:
                db.execute(view.INDEXES)
            db.execute("PRAGMA optimize")

    def _is_current(self) -> bool:
        if not os.path.exists(self.path) or not unseal(self.path):
            return False
        try:
            db = apsw.Connection(self.path)
            try:
                found = rows(db, "SELECT view, version, log_id, position, checksum FROM view_positions")
            finally:
                db.close()
        except apsw.Error:
            return False
        versions = {(view, version, bytes(log_id)) for view, version, log_id, _, _ in found}
        places = {(position, checksum) for _, _, _, position, checksum in found}
        return versions == {
            (view_name(view), view.VERSION, self._log.log_id) for view in self._views
        } and self._log_passed(places)

    def _log_passed(self, places: set[tuple[int, int]]) -> bool:
        """Tell whether all views stand at one place that the log has: it may be another copy, or an older one."""
        position, checksum = places.pop()
        if places:
            return False
        if position > self._log.head:  # an older copy of the log was put in place; or it has lost its end
            self._log.verify_structure()
        if self._log.damage is not None:
            return True  # they are the better witness now
        return position <= self._log.head and self._log.own_reader().checksum_at(position) == checksum

    def _set_up(self, db: apsw.Connection) -> None:
        db.set_busy_timeout(BUSY_MS)
        db.pragma("journal_mode", "wal")
        db.pragma("synchronous", "normal")
        db.pragma("journal_size_limit", WAL_LIMIT)

    def _read_position(self) -> int:
        position: Any = self.db.execute("SELECT min(position) FROM view_positions").get
        self._at = position
        return position


READER_CACHE_KIB = 16_384  # a page of cards touches some 400 leaves, which SQLite's 2 MiB do not hold for the next


def reader(path: str, cache_kib: int = READER_CACHE_KIB) -> apsw.Connection:
    """Open the read tables for reading only, with so much cache in KiB; one connection per thread."""
    db = apsw.Connection(path, flags=apsw.SQLITE_OPEN_READONLY)
    db.set_busy_timeout(BUSY_MS)
    db.pragma("query_only", True)
    db.pragma("cache_size", -cache_kib)
    return db


def put_in_place(new: str, path: str) -> None:
    """Exchange the read tables at `path`, which nobody writes, for others that are closed and whole."""
    for suffix in (SEAL, "", "-wal", "-shm"):  # the old file before its -wal: without that it may be torn
        _remove(path + suffix)
    os.replace(new, path)
    _remove(new + SEAL)


def is_torn(error: Exception) -> bool:
    """Tell whether an error says that the read tables are damaged."""
    if isinstance(error, apsw.SQLError):
        return "malformed JSON" in str(error)  # all JSON in them is ours
    return isinstance(error, (apsw.CorruptError, apsw.NotADBError))


def find_torn(path: str) -> Exception | None:
    """Let SQLite look over the read tables; what is wrong with them, None for nothing."""
    db = reader(path)
    try:
        said = db.execute("PRAGMA quick_check(1)").get
    except (apsw.CorruptError, apsw.NotADBError) as error:
        return error
    finally:
        db.close()
    return None if said == "ok" else apsw.CorruptError(str(said))


def dump(db: apsw.Connection) -> dict[str, list[tuple[Any, ...]]]:
    """Give every row of every table, in the order of their contents: what two replays must have in common."""
    listed = "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite_%'"
    names = rows(db, listed)  # without the inside of an index of words, which tells when what came
    return {name: sorted(rows(db, f'SELECT * FROM "{name}"'), key=repr) for (name,) in names}  # noqa: S608


class _Inlet:
    """Where events come into the tables of one database: to the views that handle them, each to its own tables."""

    def __init__(self, views: Sequence[View], db: apsw.Connection) -> None:
        self._tables = [Tables(db) for _ in views]
        self._routes: dict[type[Event], list[tuple[Apply, Tables]]] = {}
        for view, tables in zip(views, self._tables, strict=True):
            for event in view.HANDLES:
                self._routes.setdefault(event, []).append((view.apply, tables))

    def take(self, events: Iterable[Stored]) -> int:
        """Bring events into the tables, in order; give the position of the last, 0 for none."""
        routes, position = self._routes, 0
        for stored in events:
            for apply, tables in routes.get(type(stored.event), ()):
                apply(tables, stored)
            position = stored.position
        for tables in self._tables:
            tables.flush()
        return position

    def forget(self) -> None:
        """Drop what has not reached the database yet."""
        for tables in self._tables:
            tables.forget()


def _chunks(events: Iterator[Stored]) -> Iterator[list[Stored]]:
    """Give events by `CHUNK`, up to the first that only a newer program understands.

    The log refuses to be written then, and says why; what we understand is served.
    """
    chunk: list[Stored] = []
    try:
        for stored in events:
            chunk.append(stored)
            if len(chunk) == CHUNK:
                yield chunk
                chunk = []
    except NewerLog:
        pass
    if chunk:
        yield chunk


def _save_position(db: apsw.Connection, position: int, log: LogReader) -> None:
    db.execute("UPDATE view_positions SET position = ?, checksum = ?", (position, log.checksum_at(position)))


def _remove(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.remove(path)


# The seal ---------------------------------------------------------------------------------------------

SEAL = ".seal"
_BLOCK = 1 << 20


def seal(path: str) -> None:
    """Keep the checksum of a file beside it. It is derived: where it cannot be written there is none."""
    with contextlib.suppress(OSError), open(path + SEAL, "w", encoding="ascii", opener=_ours_alone) as file:
        file.write(f"{_checksum(path):08x}")


def unseal(path: str) -> bool:
    """Take the seal off a file that is to be written; False where the file is not what was sealed.

    A file without one, after a crash, may be as it should be.
    """
    try:
        with open(path + SEAL, "rb") as file:
            told = file.read(64)
        os.remove(path + SEAL)
    except FileNotFoundError:
        return True
    return told == f"{_checksum(path):08x}".encode()


def _checksum(path: str) -> int:
    found = 0
    with open(path, "rb") as file:
        while block := file.read(_BLOCK):
            found = crc32(block, found)
    return found


def _ours_alone(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
