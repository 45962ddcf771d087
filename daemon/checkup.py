"""Look a library over, changing nothing: the log's chain, the read tables against a replay, the picture files.

The log is the authority. It is read once to the end for its chain, and once more into read tables of our own
in a temporary folder, at the position at which those of the library stand; so a daemon may write meanwhile.
"""

import os
import re
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass
from itertools import islice
from typing import Any

import apsw

from ..events.codec import Codec
from ..events.log import EventLog
from ..events.pathtext import shown, to_text
from ..events.reader import LogReader
from ..events.record import now_ms
from ..projections.runner import VIEWS, Views, reader, view_name
from . import exchange
from .checklog import Finding, Progress, check_guard, check_log, check_wal, log_id, open_log
from .imagestore import ImageStore
from .pictures import TIERS, PictureRefused, inspect, tier_sizes

LOG, VIEWS_FILE = "log.db", "views.db"
START = "start the daemon anew, which makes them again, or run `hikazed rebuild` without it"
REBUILD = "stop the daemon with `hikazed stop`, then run `hikazed rebuild`"

_CHUNK = 5_000  # events between two reports
_BATCH = 256
_EXAMPLES = 10  # damaged rows and files that are named; of more only the number is given
_SETTLING_SECONDS = 1.0  # what looks wrong while a daemon works is looked at again after this
_STALE_MS = 24 * 3_600_000  # no import of one file takes a day, and a daemon clears up when it starts
_TIER_FILE = re.compile(r"([0-9a-f]{64}_\d{1,18})_(?:high|medium|low)\.webp")
_FOLDER = re.compile("[0-9a-f]{2}")

Size = tuple[int, int]


class NoLibrary(Exception):
    """There is no library in the data folder."""


@dataclass(frozen=True, slots=True)
class Checkup:
    """What was looked at, and what is wrong with it."""

    events: int
    pictures: int
    findings: list[Finding]


def check(
    data: str,
    progress: Progress = lambda _what, _done, _all: None,
    *,
    pause: Callable[[float], None] = time.sleep,
    clock: Callable[[], int] = now_ms,
) -> Checkup:
    """Look over the library in a data folder; a daemon may be at work on it. Raises `NoLibrary`."""
    path = os.path.join(data, LOG)
    if exchange.is_interrupted(data):
        return Checkup(0, 0, [_INTERRUPTED])
    if not os.path.exists(path):
        if not _has_rest_of_a_library(data):
            raise NoLibrary(f"there is no library in {data}; name its folder with --data")
        return Checkup(0, 0, [Finding("log", f"the log is missing: there is no {path}", _LOG_IS_MISSING)])
    findings = [*check_wal(path, pause), *check_log(path, progress)]
    if findings:
        # What a damaged log tells cannot judge the rest.
        return Checkup(_head(path), 0, findings)
    with closing(LogReader(open_log(path), Codec(), owned=True)) as log:
        return _check_rest(data, log, progress, pause, clock)


_INTERRUPTED = Finding(
    "log",
    "a restore was cut off in the middle: the data folder holds no whole library until it is finished",
    "start the daemon, or run `hikazed rebuild` or `hikazed restore` again: each finishes it, and nothing is lost",
)
_LOG_IS_MISSING = (
    "put log.db back where it was, or bring a backup back with `hikazed restore FILE`;"
    " do not start the daemon before, which would begin a new log"
)


def _has_rest_of_a_library(data: str) -> bool:
    if any(os.path.exists(os.path.join(data, name)) for name in (VIEWS_FILE, f"{LOG}-wal")):
        return True
    return any(_FOLDER.fullmatch(name) for name in _entries(ImageStore(data).folder))


def _head(path: str) -> int:
    try:
        with closing(open_log(path)) as db:
            return db.execute("SELECT coalesce(max(position), 0) FROM events").get
    except apsw.Error:
        return 0


def _check_rest(
    data: str, log: LogReader, progress: Progress, pause: Callable[[float], None], clock: Callable[[], int]
) -> Checkup:
    path = os.path.join(data, LOG)
    findings = list(check_guard(path))
    with (
        tempfile.TemporaryDirectory(prefix="hikaze-check-") as folder,
        closing(Replay(log, folder, progress)) as replay,
    ):
        findings += check_views(os.path.join(data, VIEWS_FILE), path, replay)
        replay.up_to_end()
        pictures, damaged = check_images(data, replay, progress, pause)
        findings += [*damaged, *check_leftovers(data, path, replay, clock() - _STALE_MS)]
        return Checkup(log.head(), pictures, findings)


class Replay:
    """The read tables that follow from the log, made anew in a file of their own."""

    def __init__(self, log: LogReader, folder: str, progress: Progress) -> None:
        """Start with no event; `folder` is the caller's to remove."""
        self.path = os.path.join(folder, "replay.db")
        self._log = log
        self._progress = progress
        self._empty = EventLog(":memory:")  # Views wants a log of its own: this one is fed by hand
        self._views = Views(self.path, self._empty)
        self._views.db.pragma("synchronous", "off")
        self._views.db.pragma("cache_size", -128_000)
        self.db = self._views.db
        self.position = 0

    def close(self) -> None:
        """Close the file."""
        self._views.close()
        self._empty.close()

    def head(self) -> int:
        """Give the position of the last event there is."""
        return self._log.head()

    def checksum_at(self, position: int) -> int:
        """Give the checksum of the log at a position, 0 where there is no such event."""
        return self._log.checksum_at(position)

    def up_to_end(self) -> None:
        """Bring the tables to the end of the log."""
        self.up_to(self.head())

    def up_to(self, position: int) -> None:
        """Bring the tables to a position of the log; they never go back."""
        if position <= self.position:
            return
        events = self._log.read(self.position, position - self.position)
        self._views.begin()
        while chunk := list(islice(events, _CHUNK)):
            self._views.apply(chunk)
            self._progress("building the read tables anew", chunk[-1].position, position)
        self._views.commit()
        self.position = position


# The read tables --------------------------------------------------------------------------------------


def check_views(path: str, log_path: str, replay: Replay) -> Iterator[Finding]:
    """Compare the library's read tables with a replay of the log to the same position."""
    if not os.path.exists(path):
        yield Finding("views", f"the read tables in {path} are not there", START)
        return
    try:
        with closing(reader(path)) as db:
            db.execute("ATTACH ? AS replay", (replay.path,))
            db.execute("BEGIN")  # one moment for all tables, whatever a daemon writes
            yield from _compare(path, db, log_path, replay)
    except apsw.Error as error:
        yield Finding("views", f"{path} cannot be read ({error})", REBUILD)


def _compare(path: str, db: apsw.Connection, log_path: str, replay: Replay) -> Iterator[Finding]:
    rows: list[Any] = db.execute("SELECT view, version, log_id, position, checksum FROM main.view_positions").fetchall()
    if {(view, version) for view, version, *_ in rows} != {(view_name(view), view.VERSION) for view in VIEWS}:
        yield Finding("views", f"the read tables in {path} are of another version of Hikaze", START)
        return
    places: set[tuple[int, int, bytes]] = {(position, checksum, bytes(log)) for _, _, log, position, checksum in rows}
    position, checksum, log = max(places)
    with closing(open_log(log_path)) as of:
        is_this_log = log == log_id(of)
    if len(places) > 1 or not is_this_log or replay.checksum_at(position) != checksum:
        cure = _LOST_EVENTS.format(position) if is_this_log and position > replay.head() else START
        yield Finding("views", f"the read tables in {path} do not follow from this log, but from another copy", cure)
        return
    if (said := db.execute("PRAGMA main.integrity_check(1)").get) != "ok":
        yield Finding("views", f"SQLite finds {path} damaged ({said})", REBUILD)
    replay.up_to(position)
    yield from _differences(db, "view_positions")


_LOST_EVENTS = (
    "they tell of {:,} events, more than the log has: if log.db was not replaced by an older copy, it has lost some."
    " Keep the data folder as it is, in a copy, before you " + START
)


def _differences(db: apsw.Connection, apart: str) -> Iterator[Finding]:
    """Compare table by table; `apart` is left out, since it names the log."""
    listed = "SELECT name FROM pragma_table_list WHERE schema = ? AND type = 'table' AND name NOT LIKE 'sqlite_%'"
    ours, theirs = ({row[0] for row in db.execute(listed, (schema,))} for schema in ("replay", "main"))
    for table in sorted((ours | theirs) - {apart}):
        if table not in ours or table not in theirs:
            yield Finding("views", f"the read table {table} is {'missing' if table in ours else 'not ours'}", REBUILD)
        elif count := _rows_apart(db, table):
            yield Finding("views", f"the read table {table} differs from the log in {count:,} rows", REBUILD)
    listed = (
        "SELECT type, name, sql FROM {}.sqlite_schema WHERE type IN ('index', 'trigger', 'view') AND sql IS NOT NULL"
    )
    ours, theirs = (set(db.execute(listed.format(schema))) for schema in ("replay", "main"))
    for name in sorted({name for _, name, _ in ours ^ theirs}):
        yield Finding("views", f"the read tables' {name} is not as it should be", REBUILD)


def _rows_apart(db: apsw.Connection, table: str) -> int:
    sides = f'"main"."{table}"', f'"replay"."{table}"'
    more = [
        db.execute(f"SELECT count(*) FROM (SELECT * FROM {one} EXCEPT SELECT * FROM {other})").get  # noqa: S608
        for one, other in (sides, sides[::-1])
    ]
    one, other = (db.execute(f"SELECT count(*) FROM {side}").get for side in sides)  # noqa: S608
    return max(*more, abs(one - other))


# The picture files ------------------------------------------------------------------------------------


def check_images(
    data: str, replay: Replay, progress: Progress, pause: Callable[[float], None]
) -> tuple[int, list[Finding]]:
    """Decode every picture that the log tells of, and look for files that it does not; say how many, and what is wrong.

    What looks wrong is looked at once more with what the log tells by then: a daemon adds and removes pictures.
    The log has no checksum of a picture: a change that leaves it a whole picture of its size is not seen.
    """
    store = ImageStore(data)
    expected = _expected(store, replay.db)
    broken = _broken(expected, expected, progress)
    orphans = _orphans(store, replay.db, expected)
    if broken or orphans:
        pause(_SETTLING_SECONDS)
        replay.up_to_end()
        expected = _expected(store, replay.db)
        broken = _broken(expected, expected.keys() & broken.keys(), progress)
        orphans = sorted(set(orphans).intersection(_orphans(store, replay.db, expected)))
    return len(expected), list(_image_findings(data, broken, orphans))


def _image_findings(data: str, broken: dict[str, str], orphans: list[str]) -> Iterator[Finding]:
    for why, what in (
        (_MISSING, "picture files are missing"),
        (_DAMAGED, "picture files are damaged"),
        (_OTHER, "picture files have another size than their picture"),
    ):
        if paths := [path for path, found in broken.items() if found == why]:
            yield Finding("images", f"{what}: {_named(data, paths)}", _PICTURE_CURE)
    if orphans:
        cure = "move them out of the images folder; nothing refers to them"
        yield Finding("images", f"files belong to no picture: {_named(data, orphans)}", cure)


_MISSING, _DAMAGED, _OTHER = "missing", "damaged", "other"
_PICTURE_CURE = "put them back from a backup, or remove the picture from its model and upload it again"


def _named(data: str, paths: list[str]) -> str:
    names = ", ".join(shown(to_text(os.path.relpath(path, data))) for path in paths[:_EXAMPLES])
    return names + (f" and {len(paths) - _EXAMPLES:,} more" if len(paths) > _EXAMPLES else "")


def _expected(store: ImageStore, db: apsw.Connection) -> dict[str, Size | None]:
    """Give the path of every picture file there should be, with its size in pixels where the log tells it."""
    found: dict[str, Size | None] = {}
    for model, seq, *size in db.execute("SELECT model_hash, seq, width, height FROM images"):
        sizes = tier_sizes(*size) if min(size) > 0 else {}
        found |= {store.path(model, seq, tier): sizes.get(tier) for tier in TIERS}
    waiting = db.execute("SELECT id, picture FROM pending_import WHERE picture IS NOT NULL")
    return found | {store.pending_path(pending, extension): None for pending, extension in waiting}


def _broken(expected: dict[str, Size | None], which: Iterable[str], progress: Progress) -> dict[str, str]:
    """Decode pictures on all cores; a batch at a time, so that a million of them do not queue up in memory."""
    broken: dict[str, str] = {}
    paths = sorted(which)
    with ThreadPoolExecutor(os.cpu_count() or 1, "check-picture") as pool:
        for start in range(0, len(paths), _BATCH):
            batch = paths[start : start + _BATCH]
            progress("decoding the pictures", start, len(paths))
            faults = pool.map(_fault, batch, [expected[path] for path in batch])
            broken |= {path: why for path, why in zip(batch, faults, strict=True) if why}
    return broken


def _fault(path: str, size: Size | None) -> str | None:
    try:
        picture = inspect(path)
    except FileNotFoundError:
        return _MISSING
    except (PictureRefused, OSError):
        return _DAMAGED
    if picture.extension != os.path.splitext(path)[1]:
        return _DAMAGED
    return _OTHER if size not in (None, (picture.width, picture.height)) else None


def _orphans(store: ImageStore, db: apsw.Connection, expected: dict[str, Size | None]) -> list[str]:
    """Give the files that no picture has; what a daemon is putting in place has a marker, or will be known soon."""
    kept = db.execute("SELECT id FROM pending_away UNION SELECT pending FROM imports WHERE NOT tidied").fetchall()
    away = {str(pending) for (pending,) in kept}
    found: list[str] = []
    for entry in _entries(store.folder):
        path = os.path.join(store.folder, entry)
        if _FOLDER.fullmatch(entry):
            found += (each for each in _files(path) if not _is_on_its_way(store, each))
        elif path == store.pending_folder:
            found += (each for each in _files(path) if os.path.basename(each).partition(".")[0] not in away)
        elif path not in (store.staging, store.removed):
            found.append(path)
    return sorted(set(found) - expected.keys())


def _is_on_its_way(store: ImageStore, path: str) -> bool:
    match = _TIER_FILE.fullmatch(os.path.basename(path))
    markers = (os.path.join(store.staging, f"{match[1]}.{kind}") for kind in ("intent", "removal")) if match else ()
    return any(map(os.path.exists, markers))


def _files(folder: str) -> list[str]:
    return [os.path.join(folder, name) for name in _entries(folder)]


def _entries(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return []


# What interrupted work has left -----------------------------------------------------------------------


def check_leftovers(data: str, log_path: str, replay: Replay, before_ms: int) -> Iterator[Finding]:
    """Look for work that began before a time (ms since 1970 UTC) and has not ended."""
    if ops := _planned_before(log_path, replay.db, before_ms):
        what = f"imports that were begun over a day ago have not ended: {', '.join(ops[:_EXAMPLES])}"
        yield Finding("imports", what, "start the daemon, which finishes them or says in its log what they wait for")
    if files := _files_before(ImageStore(data).staging, before_ms):
        what = f"files of interrupted work are left: {_named(data, files)}"
        yield Finding("images", what, "start the daemon anew, which finishes or removes them")


def _planned_before(log_path: str, db: apsw.Connection, before_ms: int) -> list[str]:
    planned = [op for (op,) in db.execute("SELECT op FROM imports WHERE state = 'planned' ORDER BY position")]
    last = "SELECT max(time) FROM events WHERE stream = (SELECT id FROM streams WHERE name = ?)"
    with closing(open_log(log_path)) as log:
        return [op for op in planned if (log.execute(last, (f"import/{op}",)).get or 0) < before_ms]


def _files_before(folder: str, before_ms: int) -> list[str]:
    found: list[str] = []
    for path in _files(folder):
        with suppress(FileNotFoundError):
            status = os.lstat(path)
            if max(status.st_mtime, status.st_ctime) * 1000 < before_ms:
                found.append(path)
    return sorted(found)
