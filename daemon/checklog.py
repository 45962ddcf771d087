"""Look a log over, changing nothing: its file, its chain of checksums, its guard, and what waits in its -wal."""

import struct
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass

import apsw

from ..events.codec import Codec
from ..events.errors import DamagedEvent, LogError, NewerLog
from ..events.reader import LogReader
from ..events.record import Stored
from ..events.schema import APPLICATION_ID, FORMAT
from . import guard

RESTORE = "keep the data folder as it is, in a copy, and bring a backup back with `hikazed restore FILE`"

_EVERY = 5_000  # events between two reports
_EXAMPLES = 10  # damaged places that are named; of more only the number is given

Progress = Callable[[str, int, int], None]
"""Called with (what is looked at, how many are done, how many there are)."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong: in the `log`, the `views`, the `images` or the `imports`, with what to do about it."""

    part: str
    what: str
    cure: str


def open_log(path: str, *, settled: bool = False) -> apsw.Connection:
    """Open a log for reading only; `settled` is a file that nobody writes to, beside which nothing may be made."""
    if not settled:
        db = apsw.Connection(path, flags=apsw.SQLITE_OPEN_READONLY)
        db.set_busy_timeout(10_000)
        return db
    name = path.replace("%", "%25").replace("?", "%3f").replace("#", "%23")  # https://sqlite.org/uri.html
    return apsw.Connection(f"file:{name}?immutable=1", flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI)


def check_log(
    path: str,
    progress: Progress,
    each: Callable[[Stored], None] = lambda _stored: None,
    *,
    settled: bool = False,
) -> list[Finding]:
    """Read every event, and SQLite's own structures; `each` is handed the events that are sound, in order."""
    found: list[Finding] = []
    try:
        with closing(open_log(path, settled=settled)) as db:
            if db.pragma("application_id") != APPLICATION_ID:
                return [Finding("log", f"{path} is no log of Hikaze", "name the right folder with --data")]
            found += _file(path, db)
            found += _events(db, progress, each)
    except apsw.Error as error:
        found.append(Finding("log", f"{path} cannot be read to its end ({error})", RESTORE))
    return found


def check_guard(path: str) -> Iterator[Finding]:
    """See that the log's triggers are there, which refuse changes: the events are right without them, for now."""
    with closing(open_log(path)) as db:
        if faults := guard.faults(db):
            named = ", ".join(faults[:_EXAMPLES])
            cure = "stop the daemon with `hikazed stop`, then run `hikazed rebuild`, which makes the guard whole"
            yield Finding("log", f"the log's guard against changes is not whole: {named}", cure)


def _file(path: str, db: apsw.Connection) -> Iterator[Finding]:
    version = db.pragma("user_version")
    if isinstance(version, int) and version > FORMAT:
        yield Finding("log", f"{path} was written by a newer Hikaze", "update this one")
    elif damage := LogReader(db, Codec(), owned=False).damaged_structure():
        yield Finding("log", damage.what, RESTORE)
    elif len(log_id(db)) != 16:
        yield Finding("log", f"{path} has lost its name, by which it is told from other logs", RESTORE)


def log_id(db: apsw.Connection) -> bytes:
    """Give the 16 bytes by which a log is told from others; none where they are lost."""
    found = db.execute("SELECT value FROM meta WHERE key = 'log_id'").get
    return found if isinstance(found, bytes) else b""


def _events(db: apsw.Connection, progress: Progress, each: Callable[[Stored], None]) -> Iterator[Finding]:
    log = LogReader(db, Codec(), owned=False)
    damaged: list[int] = []
    after, head = 0, log.head()
    while True:
        try:
            for stored in log.read(after):
                after = stored.position
                each(stored)
                if after % _EVERY == 0:
                    progress("reading the log", after, max(head, after))
            break
        except NewerLog as error:
            yield Finding("log", str(error), "update this Hikaze, then check again")
            break
        except LogError as error:  # go on behind it: how far the damage goes is what people want to know
            after = error.position if isinstance(error, DamagedEvent) else after + 1
            damaged.append(after)
    if damaged:
        yield Finding("log", f"damaged in the log: {_spans(damaged)} of {head:,} events", RESTORE)


def _spans(positions: list[int]) -> str:
    spans: list[tuple[int, int]] = []
    for position in positions:
        if spans and position == spans[-1][1] + 1:
            spans[-1] = spans[-1][0], position
        else:
            spans.append((position, position))
    named = [f"{first}" if first == last else f"{first} to {last}" for first, last in spans[:_EXAMPLES]]
    return ", ".join(named) + (f" and {len(spans) - _EXAMPLES:,} more places" if len(spans) > _EXAMPLES else "")


# What waits in the -wal -----------------------------------------------------------------------------------
# Its form is that of https://sqlite.org/fileformat2.html#walformat. SQLite passes over what is damaged in it,
# silently: to it the log simply ends before.

_MAGIC = 0x377F0682  # its last bit tells in which order the bytes of the checksummed words are
_WAL_HEADER = struct.Struct(">8I")
_FRAME_HEADER = struct.Struct(">6I")
_MASK = 0xFFFFFFFF
_TORN = 1  # commits that a power cut may leave behind a frame that never reached the disk: its own, no other


def wal_is_damaged(path: str) -> bool:
    """Tell whether a -wal has lost commits that were durable; one that a crash cut off in its last commit has not.

    A daemon may be writing to it: what looks damaged then is to be looked at again. Costs 0.3 s for 4 MiB.
    """
    try:
        with open(path, "rb") as file:
            return _has_lost(file.read())
    except FileNotFoundError:
        return False


def _has_lost(wal: bytes) -> bool:
    if not wal:
        return False
    if len(wal) < _WAL_HEADER.size:
        return True
    magic, _version, page, _number, *salts, first, second = _WAL_HEADER.unpack_from(wal)
    order = ">" if magic & 1 else "<"
    sums = _summed(order, wal[:24], (0, 0))
    if magic & ~1 != _MAGIC or sums != (first, second) or not 512 <= page <= 65_536:
        return True
    return _commits_behind_damage(wal, order, page, salts, sums) > _TORN


def _commits_behind_damage(wal: bytes, order: str, page: int, salts: list[int], sums: tuple[int, int]) -> int:
    """Count the commits of the file's last generation that lie behind the first frame which is not sound."""
    commits, is_sound = 0, True
    for start in range(_WAL_HEADER.size, len(wal) - _FRAME_HEADER.size - page + 1, _FRAME_HEADER.size + page):
        _page, commit, *rest = _FRAME_HEADER.unpack_from(wal, start)
        if is_sound:
            body = start + _FRAME_HEADER.size
            sums = _summed(order, wal[body : body + page], _summed(order, wal[start : start + 8], sums))
            is_sound = rest == [*salts, *sums]
        elif rest[:2] == salts and commit:
            commits += 1
    return commits


def _summed(order: str, data: bytes, sums: tuple[int, int]) -> tuple[int, int]:
    one, two = sums
    for first, second in struct.iter_unpack(f"{order}2I", data):
        one = (one + first + two) & _MASK
        two = (two + second + one) & _MASK
    return one, two


def check_wal(path: str, pause: Callable[[float], None]) -> Iterator[Finding]:
    """See that the -wal of a log has lost nothing; looks twice where it seems so, for a daemon may write to it."""
    wal = f"{path}-wal"
    if not wal_is_damaged(wal):
        return
    pause(1.0)
    if wal_is_damaged(wal):
        yield Finding("log", f"{wal}, which holds the last events, is damaged: some of them may be lost", _WAL_CURE)


_WAL_CURE = (
    "keep the data folder as it is, in a copy; then start the daemon, which goes on with what is left, or bring a"
    " newer backup back with `hikazed restore FILE`"
)
