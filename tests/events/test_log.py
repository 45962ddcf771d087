"""The log keeps what it was given, refuses to be changed, and notices when it was."""

import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import apsw
import msgspec
import pytest
from hikaze.events.catalog import Event, ModelTagged, TagCreated, TagRenamed
from hikaze.events.codec import Codec
from hikaze.events.errors import DamagedEvent, LogError, NewerLog, WrongVersion
from hikaze.events.log import EventLog
from hikaze.events.record import New, Stored, new_id
from hikaze.events.schema import APPLICATION_ID

HOST, ACTION = b"host" * 4, b"deed" * 4


class Blessed(Event, frozen=True, tag="model-blessed"):
    """An event that the catalogue of today does not have."""

    SCHEMA: ClassVar[int] = 1

    model: str


@pytest.fixture
def path(tmp_path: Path) -> str:
    """Name a log in an empty folder."""
    return str(tmp_path / "log.db")


@pytest.fixture
def log(path: str) -> EventLog:
    """Open a log with three events in two streams, written at the times 1 and 2."""
    times = iter(range(1, 100))
    log = EventLog(path, host=HOST, clock=lambda: next(times), durable=False)
    append(log, New("tag/1", TagCreated(1, "ink")))
    append(log, New("model/a1", ModelTagged("a1", 1)), New("tag/1", TagRenamed(1, "Ink")))
    return log


def append(log: EventLog, *new: New) -> list[Stored]:
    """Append events as one action, durably."""
    log.begin()
    stored = log.append(new, actor="page", action=ACTION)
    log.commit()
    return stored


def test_what_is_appended_is_read(log: EventLog) -> None:
    """Events come back in order, each with its stream, version, time, host, actor and action."""
    found = list(log.reader().read())

    assert [msgspec.structs.replace(stored, id=b"") for stored in found] == [
        Stored(1, "tag/1", 1, 2, b"", HOST, "page", ACTION, TagCreated(1, "ink")),
        Stored(2, "model/a1", 1, 3, b"", HOST, "page", ACTION, ModelTagged("a1", 1)),
        Stored(3, "tag/1", 2, 3, b"", HOST, "page", ACTION, TagRenamed(1, "Ink")),
    ]
    assert len({stored.id for stored in found}) == 3


def test_append_gives_what_is_stored(log: EventLog) -> None:
    """What `append` gives is what a reader will read."""
    stored = append(log, New("tag/2", TagCreated(2, "水")))

    assert list(log.reader().read(after=3)) == stored


@pytest.mark.parametrize(("after", "limit", "positions"), [(0, 2, [1, 2]), (1, -1, [2, 3]), (3, -1, []), (9, -1, [])])
def test_read_a_part(log: EventLog, after: int, limit: int, positions: list[int]) -> None:
    """Reading begins behind a position and stops at a limit."""
    assert [stored.position for stored in log.reader().read(after, limit)] == positions


def test_a_log_is_reopened(log: EventLog, path: str) -> None:
    """A log that is opened again goes on where it was, under the same id, chain and versions."""
    log.close()

    again = EventLog(path, host=b"other" * 3 + b"!")
    append(again, New("tag/1", TagRenamed(1, "INK"), expected=2))

    assert (again.log_id, again.head) == (log.log_id, 4)
    assert [(stored.version, stored.host) for stored in again.reader().read(after=2)] == [
        (2, HOST),
        (3, b"other" * 3 + b"!"),
    ]


def test_the_file_is_ours_alone(log: EventLog, path: str) -> None:
    """The log, and what SQLite lays beside it, can be read by their owner only."""
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in Path(path).parent.iterdir()}

    assert modes == {"log.db": 0o600, "log.db-wal": 0o600, "log.db-shm": 0o600}
    assert log.head == 3


# The database refuses -------------------------------------------------------------------------------

ROW = "(%d, %d, %d, 1, 1, x'00', 1, 'page', x'00', x'00', 0)"


@pytest.mark.parametrize(
    "sql",
    [
        *map("UPDATE {} SET rowid = rowid".format, ("events", "streams", "kinds", "hosts")),
        "UPDATE meta SET value = x'00'",
        "UPDATE events SET body = x'00' WHERE position = 2",
        *map("DELETE FROM {}".format, ("events", "streams", "kinds", "hosts", "meta")),
        "INSERT OR REPLACE INTO events SELECT * FROM events WHERE position = 3",
        "REPLACE INTO events VALUES " + ROW % (3, 2, 2),
        "INSERT INTO events VALUES " + ROW % (5, 1, 3),
        "INSERT INTO events VALUES " + ROW % (0, 1, 3),
        "INSERT INTO events VALUES " + ROW % (4, 1, 4),
        "INSERT INTO events VALUES " + ROW % (4, 1, 2),
        "INSERT OR REPLACE INTO events VALUES " + ROW % (4, 1, 2),
        "INSERT OR REPLACE INTO streams VALUES (1, 'tag/9')",
        "INSERT OR REPLACE INTO streams VALUES (9, 'tag/1')",
        "INSERT OR REPLACE INTO kinds VALUES (1, 'tag-blessed', 1)",
        "INSERT OR REPLACE INTO kinds VALUES (9, 'tag-created', 1)",
        "INSERT OR REPLACE INTO hosts VALUES (1, x'00')",
        "INSERT OR REPLACE INTO meta VALUES ('log_id', x'00')",
    ],
)
def test_the_database_refuses(log: EventLog, path: str, sql: str) -> None:
    """From any connection: no event is changed, taken out, exchanged, put between, or put in out of turn."""
    before = list(log.reader().read())
    other = apsw.Connection(path)

    with pytest.raises(apsw.ConstraintError, match="append-only"):
        other.execute(sql)

    assert list(log.reader().read()) == before


# Damage is found --------------------------------------------------------------------------------------


def tampered(path: str, sql: str) -> None:
    """Change a log as a failing disk would: past its triggers."""
    db = apsw.Connection(path)
    triggers: Any = db.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'").fetchall()
    for (name,) in triggers:
        db.execute(f"DROP TRIGGER {name}")
    db.execute(sql)
    db.close()


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE events SET stream = 99 WHERE position = 1",
        "UPDATE events SET version = 3 WHERE position = 1",
        "UPDATE events SET kind = 2 WHERE position = 1",
        "UPDATE events SET kind = 99 WHERE position = 1",
        "UPDATE events SET time = time + 1 WHERE position = 1",
        "UPDATE events SET time = 'soon' WHERE position = 1",
        "UPDATE events SET id = x'01' || substr(id, 2) WHERE position = 1",
        "UPDATE events SET host = 99 WHERE position = 1",
        "UPDATE events SET actor = 'pagf' WHERE position = 1",
        "UPDATE events SET actor = CAST(x'ff616765' AS TEXT) WHERE position = 1",
        "UPDATE events SET actor = x'70616765' WHERE position = 1",
        "UPDATE events SET action = zeroblob(16) WHERE position = 1",
        "UPDATE events SET body = CAST(replace(CAST(body AS TEXT), 'ink', 'inl') AS BLOB) WHERE position = 1",
        "UPDATE events SET checksum = checksum + 1 WHERE position = 1",
        "UPDATE events SET position = -1 WHERE position = 1",
        "DELETE FROM events WHERE position = 1",
        "UPDATE streams SET name = 'tag/2' WHERE id = 1",
        "UPDATE kinds SET name = 'tag-deleted' WHERE id = 1",
        "UPDATE hosts SET uid = zeroblob(16)",
    ],
)
def test_damage_is_named(log: EventLog, path: str, sql: str) -> None:
    """Whatever in a row is not as it was written, the event is named when it is read."""
    tampered(path, sql)

    with pytest.raises(DamagedEvent, match="event 1 in the log is damaged") as caught:
        list(log.reader().read())
    assert caught.value.position == 1


def test_what_lies_before_the_damage_is_given(log: EventLog, path: str) -> None:
    """Events before a damaged one are read, the damaged one is named."""
    tampered(path, "UPDATE events SET body = x'7b7d' WHERE position = 3")
    reading = log.reader().read()

    assert [next(reading).position for _ in range(2)] == [1, 2]
    with pytest.raises(DamagedEvent, match="event 3"):
        next(reading)


def test_any_flipped_byte_is_found(log: EventLog, path: str) -> None:
    """One flipped byte anywhere in the stored row of an event is an error, never another event."""
    sound = list(log.reader().read())
    log.close()  # which brings all into the file
    file = Path(path)
    content = file.read_bytes()
    start, end = content.index(sound[1].id), content.index(b'"tag":1}', content.index(sound[1].id)) + 8

    for offset in range(start, end + 5):
        file.write_bytes(content[:offset] + bytes([content[offset] ^ 0x11]) + content[offset + 1 :])
        again = EventLog(path, durable=False)
        with pytest.raises(LogError):
            list(again.reader().read())
        again.close()


def test_two_rows_do_not_change_places(log: EventLog, path: str) -> None:
    """An event cannot take another's place: the chain covers the order."""
    tampered(
        path,
        "UPDATE events SET position = CASE position WHEN 2 THEN -3 ELSE -2 END WHERE position > 1;"
        "UPDATE events SET position = -position WHERE position < 0",
    )

    with pytest.raises(DamagedEvent, match="event 2"):
        list(log.reader().read())


# Writing ------------------------------------------------------------------------------------------------


def test_wrong_version(log: EventLog) -> None:
    """A write for a stream that has moved on is refused before anything of it is written."""
    log.begin()
    with pytest.raises(WrongVersion, match="tag/1 is at version 2, not at 1") as caught:
        log.append(
            [New("tag/2", TagCreated(2, "b")), New("tag/1", TagRenamed(1, "x"), expected=1)],
            actor="page",
            action=ACTION,
        )
    log.commit()

    assert (caught.value.expected, caught.value.actual, log.head) == (1, 2, 3)


def test_a_new_stream_is_at_version_0(log: EventLog) -> None:
    """Whoever expects a stream at version 0 is the first to write to it."""
    [first] = append(log, New("tag/2", TagCreated(2, "b"), expected=0))

    assert first.version == 1
    log.begin()
    with pytest.raises(WrongVersion):
        log.append([New("tag/2", TagCreated(2, "b"), expected=0)], actor="page", action=ACTION)
    log.rollback()


def test_a_version_stands_for_the_whole_write(log: EventLog) -> None:
    """Several events for one stream in one write expect the version before all of them."""
    twice = [New("tag/1", TagRenamed(1, name), expected=2) for name in ("x", "y")]

    assert [stored.version for stored in append(log, *twice)] == [3, 4]


def test_rollback_leaves_nothing(log: EventLog) -> None:
    """What was taken back was never there: no event, and no number of a stream, kind or host."""
    other = EventLog(log.path, host=b"second host here")
    other.begin()
    other.append([New("model/b2", ModelTagged("b2", 1)), New("tag/7", TagCreated(7, "x"))], actor="page", action=ACTION)
    other.rollback()
    [stored] = append(other, New("model/c3", ModelTagged("c3", 1)))

    assert (stored.position, stored.version) == (4, 1)
    assert [found.stream for found in log.reader().read()] == ["tag/1", "model/a1", "tag/1", "model/c3"]


def test_a_reader_sees_commits_alone(log: EventLog) -> None:
    """What is not committed is not there for a reader."""
    reader = log.reader()
    log.begin()
    log.append([New("tag/2", TagCreated(2, "b"))], actor="page", action=ACTION)
    assert (reader.head(), len(list(reader.read()))) == (3, 3)

    log.commit()
    assert (reader.head(), len(list(reader.read()))) == (4, 4)


def test_ids_are_in_order_of_time() -> None:
    """An id is a UUID of version 7: unique, and sorted by the millisecond it was made in."""
    ids = [new_id(time_ms) for time_ms in (1, 1, 2, 1_760_000_000_000)]

    assert len(set(ids)) == 4
    assert sorted(ids, key=lambda id_: id_[:6]) == ids
    assert {(id_[6] >> 4, id_[8] >> 6) for id_ in ids} == {(7, 2)}


# Other files, other programs ------------------------------------------------------------------------------


def database(pragmas: str) -> Callable[[Path], None]:
    """Give what makes a database of another program."""

    def make(file: Path) -> None:
        db = apsw.Connection(str(file))
        db.execute(f"CREATE TABLE t (x); {pragmas}")
        db.close()

    return make


@pytest.mark.parametrize(
    ("make", "error", "says"),
    [
        (lambda file: file.write_bytes(b"no database, but longer than a hundred bytes" * 9), LogError, "no database"),
        (database(""), LogError, "another program's"),
        (database("PRAGMA application_id = 7"), LogError, "another program's"),
        (database(f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = 9"), NewerLog, "update this one"),
    ],
)
def test_what_is_no_log(path: str, make: Callable[[Path], None], error: type[Exception], says: str) -> None:
    """A file that is no log of ours is refused with a word on what to do, and left as it was."""
    make(Path(path))
    before = Path(path).read_bytes()

    with pytest.raises(error, match=says):
        EventLog(path)
    assert Path(path).read_bytes() == before


def test_a_newer_event_stops_writing(log: EventLog, path: str) -> None:
    """With an event of a newer program in it the log is read up to there, refuses to be written, and says so."""
    log.close()
    newer = EventLog(path, host=HOST, codec=Codec((TagCreated, ModelTagged, TagRenamed, Blessed)))
    append(newer, New("model/a1", Blessed("a1")))
    newer.close()

    log = EventLog(path, host=b"another host 16b")
    with pytest.raises(NewerLog, match="'model-blessed', form 1"):
        log.begin()
    reading = log.reader().read()

    assert log.unknown_kinds() == [("model-blessed", 1)]
    assert [next(reading).position for _ in range(3)] == [1, 2, 3]
    with pytest.raises(NewerLog, match="update"):
        next(reading)


# Clients' keys -----------------------------------------------------------------------------------------------


def test_answers_are_kept_for_a_while(log: EventLog) -> None:
    """The reply to a client's write is kept with its request, until it is old enough to be forgotten."""
    log.begin()
    log.answer("key", b"request", b"reply")
    log.commit()
    assert log.answered("key") == (b"request", 3, b"reply")

    log.forget_answers(before_ms=1_000)
    assert log.answered("key") is None


def test_a_fresh_answer_is_not_changed(tmp_path: Path) -> None:
    """The database refuses to change an answer, and to drop one that is younger than thirty days."""
    log = EventLog(str(tmp_path / "log.db"))
    log.begin()
    log.answer("key", b"request", b"reply")
    log.commit()

    for change in ("UPDATE commands SET reply = x'00'", "DELETE FROM commands"):
        other = apsw.Connection(str(tmp_path / "log.db"))
        with pytest.raises(apsw.ConstraintError):
            other.execute(change)
        other.close()
    assert log.answered("key") == (b"request", 0, b"reply")
    log.close()
