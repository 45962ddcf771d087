"""Looking a log over: each planted damage is found and named with its cure; what a crash leaves is none."""

import os
import re
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import apsw
import pytest
from hikaze.daemon import guard
from hikaze.daemon.checklog import wal_is_damaged
from hikaze.daemon.checkup import NoLibrary, check
from hikaze.daemon.imagestore import ImageStore
from hikaze.events.catalog import ImportPlanned, ImportRequested, TagCreated
from hikaze.events.log import EventLog
from hikaze.events.record import New
from PIL import Image

from .sound import HISTORY, MODEL, append, make_sound

COLUMNS = ["stream", "version", "kind", "time", "id", "host", "actor", "action", "body", "checksum"]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a sound library."""
    return make_sound(tmp_path_factory.mktemp("sound"))


@pytest.fixture
def data(sound: Path, tmp_path: Path) -> Path:
    """Give a copy of it to damage."""
    return Path(shutil.copytree(sound, tmp_path / "data"))


def look(data: Path) -> list[tuple[str, str]]:
    """Give part and text of each finding; every one has a cure."""
    findings = check(str(data), pause=lambda _seconds: None).findings
    assert all(each.cure for each in findings)
    return [(each.part, each.what.replace(str(data), "DATA")) for each in findings]


def unguarded(path: Path, *statements: str) -> None:
    """Change a log as a fault of the disk may, behind the back of its guard, which is put back."""
    with apsw.Connection(str(path)) as db:
        triggers = db.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:
            db.execute(f'DROP TRIGGER "{name}"')
        for statement in statements:
            db.execute(statement)
        for _, sql in triggers:
            db.execute(str(sql))
    db.close()


SPOIL = {"id": "zeroblob(16)", "action": "x'00'", "body": "replace(CAST(body AS TEXT), 'one', 'eno')", "actor": "'me'"}


@pytest.mark.parametrize("column", COLUMNS)
def test_every_column_is_covered(data: Path, column: str) -> None:
    """Whatever is changed in an event's row is found at its position."""
    changed = SPOIL.get(column, f"{column} + 100")
    unguarded(data / "log.db", f"UPDATE events SET {column} = {changed} WHERE position = 2")  # noqa: S608

    parts = look(data)
    assert {part for part, _ in parts} == {"log"}
    assert any(re.search(r"damaged in the log: 2\b", what) for _, what in parts)


def flip_in_file(data: Path, what: bytes) -> None:
    """Flip a bit in the first occurrence of some bytes in the log's file."""
    content = bytearray((data / "log.db").read_bytes())
    content[content.index(what)] ^= 1
    (data / "log.db").write_bytes(content)


def zero_page(path: Path, number: int) -> None:
    """Let a page of a database hold nothing any more."""
    with open(path, "r+b") as file:
        file.seek(4096 * number)
        file.write(bytes(4096))


def exchange_rows(data: Path) -> None:
    move = "UPDATE events SET position = {} WHERE position = {}"
    unguarded(data / "log.db", *(move.format(*pair) for pair in ((-1, 3), (3, 4), (4, -1))))


def newer_kind(data: Path) -> None:
    unguarded(data / "log.db", "UPDATE kinds SET schema = 9 WHERE name = 'tag-created'")


def without_streams(data: Path) -> None:
    with apsw.Connection(str(data / "log.db")) as db:
        db.execute("DROP TABLE streams")
    db.close()


def garbage_tail(data: Path) -> None:
    with open(data / "log.db", "r+b") as file:
        file.seek(-4096, os.SEEK_END)
        file.write(b"\xa5" * 4096)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda data: flip_in_file(data, b'"name":"one"'), "damaged in the log: 2 of 8 events"),
        (lambda data: flip_in_file(data, b"library"), "damaged in the log: 1"),
        (lambda data: unguarded(data / "log.db", "DELETE FROM events WHERE position = 5"), "damaged in the log: 5"),
        (lambda data: unguarded(data / "log.db", "DELETE FROM hosts"), "damaged in the log: 1 to 8 of 8"),
        (lambda data: unguarded(data / "log.db", "DELETE FROM meta"), "has lost its name"),
        (exchange_rows, "damaged in the log: 3"),
        (newer_kind, "damaged in the log: 4|newer Hikaze"),
        (lambda data: unguarded(data / "log.db", "PRAGMA application_id = 1"), "is no log of Hikaze"),
        (lambda data: unguarded(data / "log.db", "PRAGMA user_version = 9"), "written by a newer Hikaze"),
        (without_streams, "cannot be read"),
        (lambda data: (data / "log.db").write_bytes(b""), "is no log of Hikaze"),
        (lambda data: (data / "log.db").write_bytes(b"x" * 9_999), "cannot be read"),
        (lambda data: os.truncate(data / "log.db", 4096 * 4), "damaged|cannot be read"),
        (lambda data: os.truncate(data / "log.db", 5_000), "damaged|cannot be read"),
        (lambda data: zero_page(data / "log.db", 0), "cannot be read"),
        (lambda data: zero_page(data / "log.db", 4), "damaged|cannot be read"),
        (garbage_tail, "damaged|cannot be read"),
        (lambda data: (data / "log.db").unlink(), "the log is missing"),
    ],
)
def test_damage_to_the_log_is_named(data: Path, damage: Callable[[Path], object], said: str) -> None:
    """Each kind of damage is a finding on the log, and nothing else is judged by a damaged log."""
    damage(data)
    parts = look(data)

    assert {part for part, _ in parts} == {"log"}
    assert any(re.search(said, what) for _, what in parts), parts


def test_every_page_of_the_log_counts(data: Path) -> None:
    """A page that is zeroed is found, whichever it is; free pages there are none in a log."""
    pages = (data / "log.db").stat().st_size // 4096
    content = (data / "log.db").read_bytes()
    for number in range(pages):
        (data / "log.db").write_bytes(content)
        zero_page(data / "log.db", number)
        assert look(data), number


def test_a_log_that_lost_its_last_events_is_told_by_the_read_tables(data: Path) -> None:
    """The chain of a log that ends early is whole: only the read tables know that there was more."""
    unguarded(data / "log.db", "DELETE FROM events WHERE position = 8")
    finding = check(str(data), pause=lambda _seconds: None).findings[0]

    assert finding.part == "views"
    assert "they tell of 8 events, more than the log has" in finding.cure


def test_a_folder_with_nothing_of_a_library(tmp_path: Path) -> None:
    """Folders that a daemon would make are no library that has lost its log."""
    for name in ("images/pending", "images/tmp", "pending"):
        (tmp_path / name).mkdir(parents=True)
    with pytest.raises(NoLibrary):
        look(tmp_path)


# The guard ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("DROP TRIGGER events_no_update", "events_no_update is missing"),
        ("CREATE TRIGGER sly AFTER INSERT ON events BEGIN SELECT 1; END", "sly is not ours"),
        (
            "DROP TRIGGER events_no_delete;CREATE TRIGGER events_no_delete BEFORE DELETE ON events BEGIN SELECT 1; END",
            "events_no_delete was changed",
        ),
    ],
)
def test_a_broken_guard_is_found_and_mended(data: Path, change: str, said: str) -> None:
    """Without its triggers a log is right for now; they are missed, and `rebuild` puts them back."""
    with sqlite3.connect(data / "log.db") as db:
        db.executescript(change)
    db.close()
    assert look(data) == [("log", f"the log's guard against changes is not whole: {said}")]

    assert guard.mend(str(data / "log.db"))

    assert look(data) == []
    assert not guard.mend(str(data / "log.db"))
    with sqlite3.connect(data / "log.db") as db, pytest.raises(sqlite3.IntegrityError):
        db.execute("DELETE FROM events")
    db.close()


# The -wal -------------------------------------------------------------------------------------------------


@pytest.fixture
def with_wal(data: Path) -> tuple[Path, bytes]:
    """Give a library as a killed daemon leaves it, and its -wal with seven commits."""
    log = EventLog(str(data / "log.db"))
    for number in range(2, 9):
        log.begin()
        log.append([New("library", TagCreated(number, f"tag {number}"))], actor="t", action=bytes(16))
        log.commit()
    left = {name: (data / name).read_bytes() for name in ("log.db", "log.db-wal")}
    log.close()
    for name, content in left.items():
        (data / name).write_bytes(content)
    return data, left["log.db-wal"]


def test_what_a_killed_daemon_leaves_is_sound(with_wal: tuple[Path, bytes]) -> None:
    """Commits that wait in the -wal are events like others, and one that a power cut tore was never told of."""
    data, wal = with_wal
    assert look(data) == []
    for cut in (1, 24, 4_000, 4_121):
        (data / "log.db-wal").write_bytes(wal[:-cut])
        assert not wal_is_damaged(str(data / "log.db-wal"))
    (data / "log.db-wal").write_bytes(b"")
    assert not wal_is_damaged(str(data / "log.db-wal"))


@pytest.mark.parametrize("at", [0, 3, 9, 17, 25, 60, 5_000, 9_000])
def test_garbage_in_the_wal_is_found(with_wal: tuple[Path, bytes], at: int) -> None:
    """SQLite lets the log end before what is damaged and says nothing: whole commits behind it tell."""
    data, wal = with_wal
    (data / "log.db-wal").write_bytes(wal[:at] + bytes([wal[at] ^ 0xFF]) + wal[at + 1 :])

    assert look(data) == [("log", "DATA/log.db-wal, which holds the last events, is damaged: some of them may be lost")]


def test_a_wal_of_something_else_is_found(data: Path) -> None:
    """A -wal that is none of SQLite's is told of."""
    (data / "log.db-wal").write_bytes(b"\xa5" * 50_000)

    assert [part for part, _ in look(data)] == ["log"]


# Read tables, pictures, leftovers -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE view_positions SET log_id = zeroblob(16)", "do not follow from this log, but from another copy"),
        ("DROP INDEX pending_import_by_root", "pending_import_by_root is not as it should be"),
        ("CREATE INDEX extra ON models (name)", "extra is not as it should be"),
        ("DELETE FROM images", "the read table images differs from the log in 1 rows"),
        ("DELETE FROM view_positions", "of another version of Hikaze"),
    ],
)
def test_read_tables_are_compared_whole(data: Path, statement: str, said: str) -> None:
    """Rows, indexes, and which log they come from: nothing else than a replay gives is right."""
    with sqlite3.connect(data / "views.db") as db:
        db.execute(statement)
    db.close()
    assert [part for part, _ in look(data)] == ["views"]
    assert said in look(data)[0][1]


@pytest.mark.slow
def test_torn_read_tables_are_found(data: Path) -> None:
    """Whichever page of the read tables is zeroed, it is missed; one that holds nothing is not."""
    content = (data / "views.db").read_bytes()
    for number in range(len(content) // 4096):
        (data / "views.db").write_bytes(content)
        zero_page(data / "views.db", number)
        found = look(data)
        assert {part for part, _ in found} <= {"views"}
        assert found, number


@pytest.mark.parametrize(("tier", "size"), [("high", (63, 48)), ("medium", (64, 48)), ("low", (22, 16))])
def test_a_picture_of_another_size_is_found(data: Path, tier: str, size: tuple[int, int]) -> None:
    """The log knows the size of the original, and so that of each tier."""
    Image.new("RGB", size).save(ImageStore(str(data)).path(MODEL, 0, tier), "WEBP")

    what = f"picture files have another size than their picture: images/ab/{MODEL}_0_{tier}.webp"
    assert look(data) == [("images", what)]


def test_what_interrupted_work_left_is_found_after_a_day(data: Path) -> None:
    """An import that has not ended, and files that nobody finished: at first somebody may be at it."""
    file = next(event.file for event in HISTORY if hasattr(event, "pending") and hasattr(event, "file"))  # type: ignore[attr-defined]
    append(data, ImportRequested("op1", 1))
    log = EventLog(str(data / "log.db"))
    log.begin()
    planned = ImportPlanned("op1", 1, MODEL, "merged", file)
    log.append([New("import/op1", planned)], actor="t", action=bytes(16))
    log.commit()
    log.close()
    (data / "images/tmp/abcd_high.webp").write_bytes(b"")
    assert [part for part, _ in look(data)] == []

    tomorrow = (data / "log.db").stat().st_mtime_ns // 1_000_000 + 25 * 3_600_000
    found = check(str(data), pause=lambda _seconds: None, clock=lambda: tomorrow).findings
    assert [(each.part, each.what.rpartition(": ")[2]) for each in found] == [
        ("imports", "op1"),
        ("images", "images/tmp/abcd_high.webp"),
    ]
