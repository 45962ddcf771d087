"""Look a library over, changing nothing: the log's chain, the read tables against a replay, the picture files.

The log is the authority. It is read once to the end for its chain, and once more into read tables of our own
in a temporary folder, at the position at which those of the library stand; so a daemon may write meanwhile.
"""

import os
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from typing import Any

import apsw

from ..events.codec import Codec
from ..events.log import APPLICATION_ID, FORMAT, DamagedEvent, EventLog, LogError, LogReader, NewerLog
from ..events.pathtext import shown, to_text
from ..projections import images
from ..projections.runner import VIEWS, Views, reader, view_name
from .imagestore import ImageStore
from .pictures import TIERS, PictureRefused, inspect

LOG, VIEWS_FILE = "log.db", "views.db"
START = "start the daemon anew, which makes them again, or run `hikazed rebuild` without it"
REBUILD = "stop the daemon with `hikazed stop`, then run `hikazed rebuild`"

_CHUNK = 5_000  # events between two reports
_BATCH = 256
_EXAMPLES = 10  # damaged events, rows and files that are named; of more only the number is given
_SETTLING_SECONDS = 1.0  # what looks wrong while a daemon works is looked at again after this
_TIER_FILE = re.compile(r"([0-9a-f]{64}_\d{1,18})_(?:high|medium|low)\.webp")
_FOLDER = re.compile("[0-9a-f]{2}")

Progress = Callable[[str, int, int], None]
"""Called with (what is looked at, how many are done, how many there are)."""


class NoLibrary(Exception):
    """There is no library in the data folder."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong: in the `log`, the `views` or the `images`, with what to do about it."""

    part: str
    what: str
    cure: str


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
) -> Checkup:
    """Look over the library in a data folder; a daemon may be at work on it. Raises `NoLibrary`."""
    path = os.path.join(data, LOG)
    if not os.path.exists(path):
        raise NoLibrary(f"there is no library in {data}; name its folder with --data")
    try:
        log = LogReader(apsw.Connection(path, flags=apsw.SQLITE_OPEN_READONLY), Codec(), owned=True)
    except apsw.Error as error:
        return Checkup(0, 0, [Finding("log", f"{path} cannot be opened ({error})", _RESTORE)])
    with closing(log):
        return _check(data, path, log, progress, pause)


_RESTORE = "keep the file as it is, and put a backup of the data folder in its place"


def _check(data: str, path: str, log: LogReader, progress: Progress, pause: Callable[[float], None]) -> Checkup:
    findings = list(check_log(path, log, progress))
    if findings:
        # What a damaged log tells cannot judge the rest.
        return Checkup(_head(log), 0, findings)
    with (
        tempfile.TemporaryDirectory(prefix="hikaze-check-") as folder,
        closing(Replay(log, folder, progress)) as replay,
    ):
        findings += check_views(os.path.join(data, VIEWS_FILE), replay)
        replay.up_to_end()
        pictures, damaged = check_images(data, replay, progress, pause)
        return Checkup(log.head(), pictures, [*findings, *damaged])


def _head(log: LogReader) -> int:
    try:
        return log.head()
    except apsw.Error:
        return 0


# The log ----------------------------------------------------------------------------------------------


def check_log(path: str, log: LogReader, progress: Progress) -> Iterator[Finding]:
    """Read every event, and SQLite's own structures."""
    try:
        with closing(apsw.Connection(path, flags=apsw.SQLITE_OPEN_READONLY)) as db:
            db.set_busy_timeout(10_000)
            yield from _log_file(path, db)
        yield from _log_events(log, progress)
    except apsw.Error as error:
        yield Finding("log", f"{path} cannot be read to its end ({error})", _RESTORE)


def _log_file(path: str, db: apsw.Connection) -> Iterator[Finding]:
    version = db.pragma("user_version")
    if db.pragma("application_id") != APPLICATION_ID:
        yield Finding("log", f"{path} is no log of Hikaze", "name the right folder with --data")
    elif isinstance(version, int) and version > FORMAT:
        yield Finding("log", f"{path} was written by a newer Hikaze", "update this one")
    elif (said := db.execute("PRAGMA integrity_check(1)").get) != "ok":
        yield Finding("log", f"SQLite finds {path} damaged ({said})", _RESTORE)


def _log_events(log: LogReader, progress: Progress) -> Iterator[Finding]:
    damaged: list[int] = []
    after, head = 0, log.head()
    while True:
        try:
            for stored in log.read(after):
                after = stored.position
                if after % _CHUNK == 0:
                    progress("reading the log", after, max(head, after))
            break
        except NewerLog as error:
            yield Finding("log", str(error), "update this Hikaze, then check again")
            break
        except LogError as error:  # go on behind it: how far the damage goes is what people want to know
            after = error.position if isinstance(error, DamagedEvent) else after + 1
            damaged.append(after)
    if damaged:
        yield Finding("log", f"damaged in the log: {_spans(damaged)} of {head:,} events", _RESTORE)


def _spans(positions: list[int]) -> str:
    spans: list[tuple[int, int]] = []
    for position in positions:
        if spans and position == spans[-1][1] + 1:
            spans[-1] = spans[-1][0], position
        else:
            spans.append((position, position))
    named = [f"{first}" if first == last else f"{first} to {last}" for first, last in spans[:_EXAMPLES]]
    return ", ".join(named) + (f" and {len(spans) - _EXAMPLES:,} more places" if len(spans) > _EXAMPLES else "")


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


def check_views(path: str, replay: Replay) -> Iterator[Finding]:
    """Compare the library's read tables with a replay of the log to the same position."""
    if not os.path.exists(path):
        yield Finding("views", f"the read tables in {path} are not there", START)
        return
    try:
        with closing(reader(path)) as db:
            db.execute("ATTACH ? AS replay", (replay.path,))
            db.execute("BEGIN")  # one moment for all tables, whatever a daemon writes
            yield from _compare(path, db, replay)
    except apsw.Error as error:
        yield Finding("views", f"{path} cannot be read ({error})", REBUILD)


def _compare(path: str, db: apsw.Connection, replay: Replay) -> Iterator[Finding]:
    rows: list[Any] = db.execute("SELECT view, version, position, checksum FROM main.view_positions").fetchall()
    places: set[tuple[int, int]] = {(position, checksum) for _, _, position, checksum in rows}
    if {(view, version) for view, version, _, _ in rows} != {(view_name(view), view.VERSION) for view in VIEWS}:
        yield Finding("views", f"the read tables in {path} are of another version of Hikaze", START)
        return
    position, checksum = max(places)
    if len(places) > 1 or replay.checksum_at(position) != checksum:
        yield Finding("views", f"the read tables in {path} do not follow from this log, but from another copy", START)
        return
    if (said := db.execute("PRAGMA main.integrity_check(1)").get) != "ok":
        yield Finding("views", f"SQLite finds {path} damaged ({said})", REBUILD)
    replay.up_to(position)
    yield from _differences(db, "view_positions")


def _differences(db: apsw.Connection, apart: str) -> Iterator[Finding]:
    """Compare table by table; `apart` is left out, since it names the log."""
    listed = "SELECT name FROM pragma_table_list WHERE schema = ? AND type = 'table' AND name NOT LIKE 'sqlite_%'"
    ours, theirs = ({row[0] for row in db.execute(listed, (schema,))} for schema in ("replay", "main"))
    for table in sorted((ours | theirs) - {apart}):
        if table not in ours or table not in theirs:
            yield Finding("views", f"the read table {table} is {'missing' if table in ours else 'not ours'}", REBUILD)
        elif count := _rows_apart(db, table):
            yield Finding("views", f"the read table {table} differs from the log in {count:,} rows", REBUILD)


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
    """
    store = ImageStore(data)
    expected = _expected(store, replay.db)
    broken = _broken(sorted(expected), progress)
    orphans = _orphans(store, replay.db, expected)
    if broken or orphans:
        pause(_SETTLING_SECONDS)
        replay.up_to_end()
        expected = _expected(store, replay.db)
        broken = _broken(sorted(expected.intersection(broken)), progress)
        orphans = sorted(set(orphans).intersection(_orphans(store, replay.db, expected)))
    return len(expected), list(_image_findings(data, broken, orphans))


def _image_findings(data: str, broken: dict[str, str], orphans: list[str]) -> Iterator[Finding]:
    for why, what, cure in (
        (_MISSING, "picture files are missing", _PICTURE_CURE),
        (_DAMAGED, "picture files are damaged", _PICTURE_CURE),
    ):
        if paths := [path for path, found in broken.items() if found == why]:
            yield Finding("images", f"{what}: {_named(data, paths)}", cure)
    if orphans:
        cure = "move them out of the images folder; nothing refers to them"
        yield Finding("images", f"files belong to no picture: {_named(data, orphans)}", cure)


_MISSING, _DAMAGED = "missing", "damaged"
_PICTURE_CURE = "put them back from a backup, or remove the picture from its model and upload it again"


def _named(data: str, paths: list[str]) -> str:
    names = ", ".join(shown(to_text(os.path.relpath(path, data))) for path in paths[:_EXAMPLES])
    return names + (f" and {len(paths) - _EXAMPLES:,} more" if len(paths) > _EXAMPLES else "")


def _expected(store: ImageStore, db: apsw.Connection) -> set[str]:
    tiers = {store.path(model, seq, tier) for model, seq in images.every(db) for tier in TIERS}
    waiting = db.execute("SELECT id, picture FROM pending_import WHERE picture IS NOT NULL")
    return tiers | {store.pending_path(pending, extension) for pending, extension in waiting}


def _broken(paths: list[str], progress: Progress) -> dict[str, str]:
    """Decode pictures on all cores; a batch at a time, so that a million of them do not queue up in memory."""
    broken: dict[str, str] = {}
    with ThreadPoolExecutor(os.cpu_count() or 1, "check-picture") as pool:
        for start in range(0, len(paths), _BATCH):
            batch = paths[start : start + _BATCH]
            progress("decoding the pictures", start, len(paths))
            broken |= {path: why for path, why in zip(batch, pool.map(_fault, batch), strict=True) if why}
    return broken


def _fault(path: str) -> str | None:
    try:
        picture = inspect(path)
    except FileNotFoundError:
        return _MISSING
    except (PictureRefused, OSError):
        return _DAMAGED
    return None if picture.extension == os.path.splitext(path)[1] else _DAMAGED


def _orphans(store: ImageStore, db: apsw.Connection, expected: set[str]) -> list[str]:
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
    return sorted(set(found) - expected)


def _is_on_its_way(store: ImageStore, path: str) -> bool:
    match = _TIER_FILE.fullmatch(os.path.basename(path))
    return match is not None and os.path.exists(os.path.join(store.staging, f"{match[1]}.intent"))


def _files(folder: str) -> list[str]:
    return [os.path.join(folder, name) for name in _entries(folder)]


def _entries(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return []
