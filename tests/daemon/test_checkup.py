"""Looking a library over: each kind of damage is found and named, and a sound library is called sound."""

import os
import shutil
import sqlite3
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from hikaze.daemon.checkup import Checkup, NoLibrary, check
from hikaze.daemon.imagestore import ImageStore
from hikaze.events.catalog import (
    ImageAdded,
    ImageRemoved,
    TagCreated,
)
from hikaze.events.log import EventLog
from hikaze.events.record import New
from PIL import Image

from .sound import MODEL, append, make_sound


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a library with a model, a pending model, and a picture of each."""
    return make_sound(tmp_path_factory.mktemp("sound"))


@pytest.fixture
def data(sound: Path, tmp_path: Path) -> Path:
    """Give a copy of the library to damage."""
    return Path(shutil.copytree(sound, tmp_path / "data"))


def look(data: Path) -> Checkup:
    """Look a library over without waiting."""
    return check(str(data), pause=lambda _seconds: None)


def found(data: Path) -> list[tuple[str, str]]:
    """Give part and text of each finding; every one has a cure."""
    findings = look(data).findings
    assert all(each.cure for each in findings)
    return [(each.part, each.what.replace(str(data), "DATA")) for each in findings]


def sql(path: Path, *statements: str) -> None:
    """Do to a database what no program of ours would; the triggers of the log that refuse it are gone then."""
    with sqlite3.connect(path) as db:
        guard = "SELECT name FROM sqlite_schema WHERE type = 'trigger' AND sql LIKE '%RAISE(%'"
        for (name,) in db.execute(guard).fetchall():
            db.execute(f'DROP TRIGGER "{name}"')
        for statement in statements:
            db.execute(statement)
    db.close()


def picture(data: Path, tier: str) -> Path:
    """Give the file of a tier of the model's picture."""
    return Path(ImageStore(str(data)).path(MODEL, 0, tier))


def test_a_sound_library_has_no_findings(data: Path) -> None:
    """All events and all picture files are looked at, and nothing is changed."""
    before = {path: path.read_bytes() for path in data.rglob("*") if path.is_file()}

    assert look(data) == Checkup(events=8, pictures=4, findings=[])
    assert {path: path.read_bytes() for path in before} == before


def test_a_folder_without_a_library_is_refused(tmp_path: Path) -> None:
    """Nothing is made where nothing is."""
    with pytest.raises(NoLibrary, match="name its folder with --data"):
        look(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("damage", "where"),
    [
        ("UPDATE events SET body = replace(CAST(body AS TEXT), 'one', 'eno') WHERE position = 2", "2"),
        ("UPDATE events SET actor = 'other' WHERE position IN (3, 4, 6)", "3 to 4, 6"),
        ("DELETE FROM events WHERE position = 5", "5"),
        ("UPDATE events SET time = 'x' WHERE position = 8", "8"),
    ],
)
def test_a_changed_event_is_found(data: Path, damage: str, where: str) -> None:
    """Every damaged place in the log is named, those behind the first too."""
    sql(data / "log.db", damage)

    ((part, what),) = found(data)
    assert part == "log"
    assert what.startswith(f"damaged in the log: {where}")


def test_a_log_that_is_none_is_found(data: Path) -> None:
    """A file that is no database is a finding, not a crash."""
    (data / "log.db").write_bytes(b"x" * 10_000)

    ((part, what),) = found(data)
    assert part == "log"
    assert "cannot be read" in what


def test_the_log_of_another_program_is_found(data: Path) -> None:
    """A database of somebody else is told apart from a damaged log."""
    sql(data / "log.db", "PRAGMA application_id = 1")

    assert ("log", "DATA/log.db is no log of Hikaze") in found(data)


def test_a_torn_log_is_found(data: Path) -> None:
    """A page of the file that holds nothing any more is a finding."""
    with open(data / "log.db", "r+b") as file:
        file.seek(4096 * 2)
        file.write(bytes(4096 * (os.path.getsize(data / "log.db") // 4096 - 3)))

    assert {part for part, _ in found(data)} == {"log"}


@pytest.mark.parametrize(
    ("damage", "finding"),
    [
        ("UPDATE models SET name = 'eno'", "the read table models differs from the log in 1 rows"),
        ("DELETE FROM model_tags", "the read table model_tags differs from the log in 1 rows"),
        ("INSERT INTO tags VALUES (2, 'x', 'x')", "the read table tags differs from the log in 1 rows"),
        ("DROP TABLE covers", "the read table covers is missing"),
        ("CREATE TABLE other (x)", "the read table other is not ours"),
        (
            "UPDATE view_positions SET version = 999",
            "the read tables in DATA/views.db are of another version of Hikaze",
        ),
        (
            "UPDATE view_positions SET checksum = 1",
            "the read tables in DATA/views.db do not follow from this log, but from another copy",
        ),
        (
            "UPDATE view_positions SET position = 99",
            "the read tables in DATA/views.db do not follow from this log, but from another copy",
        ),
    ],
)
def test_read_tables_that_do_not_follow_from_the_log_are_found(data: Path, damage: str, finding: str) -> None:
    """The read tables are compared, row by row, with what the log says."""
    sql(data / "views.db", damage)

    assert found(data) == [("views", finding)]


def test_missing_and_broken_read_tables_are_found(data: Path) -> None:
    """Without read tables the pictures are looked at all the same."""
    (data / "views.db").write_bytes(b"x" * 10_000)
    assert [part for part, _ in found(data)] == ["views"]

    os.remove(data / "views.db")
    assert found(data) == [("views", "the read tables in DATA/views.db are not there")]
    assert look(data).pictures == 4


def test_read_tables_behind_the_log_are_compared_where_they_stand(data: Path) -> None:
    """A daemon commits to the log first: read tables that are behind it are right."""
    log = EventLog(str(data / "log.db"))
    log.begin()
    log.append([New("library", TagCreated(2, "later"))], actor="test", action=bytes(16))
    log.commit()
    log.close()

    assert look(data) == Checkup(events=9, pictures=4, findings=[])


@pytest.mark.parametrize("tier", ["high", "medium", "low"])
@pytest.mark.parametrize(
    ("damage", "finding"),
    [
        (os.remove, "picture files are missing"),
        (lambda path: os.truncate(path, 60), "picture files are damaged"),
        (lambda path: path.write_bytes(b"no picture"), "picture files are damaged"),
        (lambda path: Image.new("RGB", (8, 8)).save(path, "PNG"), "picture files are damaged"),
    ],
)
def test_a_damaged_picture_is_found(data: Path, tier: str, damage: Callable[[Path], object], finding: str) -> None:
    """Each tier must be there, be a WebP and decode."""
    damage(picture(data, tier))

    assert found(data) == [("images", f"{finding}: images/ab/{MODEL}_0_{tier}.webp")]


def test_a_pending_models_lost_picture_is_found(data: Path) -> None:
    """The original picture of a pending model must be there too."""
    os.remove(data / "images/pending/1.png")

    assert found(data) == [("images", "picture files are missing: images/pending/1.png")]


@pytest.mark.parametrize("name", [f"ab/{MODEL}_1_high.webp", "ab/notes.txt", "pending/2.png", "stray.webp"])
def test_a_file_of_no_picture_is_found(data: Path, name: str) -> None:
    """What lies among the pictures and belongs to none is named."""
    (data / "images" / name).write_bytes(b"")

    assert found(data) == [("images", f"files belong to no picture: images/{name}")]


def test_a_picture_on_its_way_is_no_finding(data: Path) -> None:
    """A picture that a daemon is putting in place has a marker, and what was taken away is kept for undo."""
    for name in (f"ab/{MODEL}_1_high.webp", f"tmp/{MODEL}_1.intent", f"removed/{MODEL}_2_high.webp"):
        (data / "images" / name).parent.mkdir(exist_ok=True)
        (data / "images" / name).write_bytes(b"")

    assert found(data) == []


def test_what_a_daemon_does_meanwhile_is_no_finding(data: Path) -> None:
    """What looks wrong is looked at again, with what the log tells by then."""
    os.rename(picture(data, "low"), data / f"images/ab/{MODEL}_1_low.webp")

    def work(_seconds: float) -> None:
        append(data, ImageRemoved(MODEL, 0), ImageAdded(MODEL, 1, "PNG", 64, 48))
        for tier in ("high", "medium"):
            os.rename(picture(data, tier), data / f"images/ab/{MODEL}_1_{tier}.webp")

    assert check(str(data), pause=work).findings == []


def test_progress_tells_what_is_looked_at(data: Path) -> None:
    """Whoever waits hears of each part, never beyond its end."""
    told: list[tuple[str, int, int]] = []
    check(str(data), lambda *step: told.append(step))

    assert {what for what, _, _ in told} >= {"building the read tables anew", "decoding the pictures"}
    assert all(done <= of for _, done, of in told)


def test_nothing_is_left_open_to_others(data: Path) -> None:
    """Files that SQLite makes for reading have the mode of the database."""
    for name in ("log.db", "views.db"):
        os.chmod(data / name, 0o600)
    look(data)

    assert {stat.S_IMODE(path.stat().st_mode) for path in data.glob("*.db*")} == {0o600}
