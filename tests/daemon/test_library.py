"""The library as the daemon holds it: what is damaged is told, never written behind, and mended where it can be."""

import asyncio
import os
import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import apsw
import pytest
from hikaze.daemon.inspection import Inspection
from hikaze.daemon.library import Library, Message, News
from hikaze.daemon.tagging import create
from hikaze.events.errors import DamagedEvent, DamagedLog, LogError
from hikaze.events.log import EventLog
from hikaze.events.writer import Unwritable
from hikaze.projections.runner import is_torn

HOST = b"h" * 16
TAGS = 400


async def in_library(folder: Path, story: Callable[[Library], Awaitable[None]], **how: Any) -> None:
    """Let something happen in a library that is open."""
    library = Library(str(folder), host=HOST, **how)
    library.start()
    try:
        await story(library)
    finally:
        library.close()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Give a data folder with some tags, closed."""

    async def make(library: Library) -> None:
        writes = [
            library.write(lambda db, number=number: create(db, f"tag {number}"), actor="page") for number in range(TAGS)
        ]
        await asyncio.gather(*writes)

    asyncio.run(in_library(tmp_path, make))
    return tmp_path


def count(library: Library) -> int:
    """Count the tags that are served."""
    return library.db.execute("SELECT count(*) FROM tags").get


def spoil_event(data: Path, position: int) -> None:
    """Change a byte of an event, as a failing disk does."""
    with closing(EventLog(str(data / "log.db"), host=HOST)) as log:
        id_ = next(iter(log.own_reader().read(position - 1, 1))).id
    content = (data / "log.db").read_bytes()  # SQLite leaves copies behind in pages it has split
    (data / "log.db").write_bytes(content.replace(id_, bytes([id_[0] ^ 1]) + id_[1:]))


@pytest.mark.parametrize("position", [1, TAGS - 1, TAGS])
def test_a_damaged_log_is_served_and_not_written(data: Path, position: int) -> None:
    """Damage in the log is found at the start: what is known is served, writes say what is wrong and the cure."""
    spoil_event(data, position)

    async def story(library: Library) -> None:
        assert count(library) == TAGS
        with pytest.raises(Unwritable, match=f"event {position} in the log is damaged.*hikazed restore"):
            await library.write(lambda db: create(db, "more"), actor="page")
        what, cure = library.warnings()[0]
        assert what == f"nothing can be written: event {position} in the log is damaged"
        assert "hikazed check" in cure
        assert count(library) == TAGS

    asyncio.run(in_library(data, story))


def test_damage_that_a_reader_meets(data: Path) -> None:
    """Who reads the log and meets damage hears of it, and from then on nothing is written."""

    async def story(library: Library) -> None:
        await library.write(lambda db: create(db, "before"), actor="page")
        library._log._db.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        spoil_event(data, 7)
        with pytest.raises(DamagedEvent, match="event 7"):
            await library.events(0, 100)
        with pytest.raises(Unwritable, match="event 7"):
            await library.write(lambda db: create(db, "behind"), actor="page")

    asyncio.run(in_library(data, story))


def test_a_log_that_lost_its_end(data: Path) -> None:
    """A log that is shorter than its read tables know is looked over; damaged, it is not believed."""
    with closing(apsw.Connection(str(data / "log.db"))) as db:
        root = db.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'events'").get
    content = bytearray((data / "log.db").read_bytes())
    page = (root - 1) * 4096
    cells = int.from_bytes(content[page + 3 : page + 5], "big")
    last = int.from_bytes(content[page + 8 : page + 12], "big")  # the rightmost child of the root
    assert content[page] == 5
    assert cells
    leaf = (last - 1) * 4096
    content[leaf + 3 : leaf + 5] = (int.from_bytes(content[leaf + 3 : leaf + 5], "big") - 1).to_bytes(2, "big")
    (data / "log.db").write_bytes(content)

    async def story(library: Library) -> None:
        assert library.damage is not None
        assert count(library) == TAGS

    asyncio.run(in_library(data, story))


def test_a_log_that_is_gone(data: Path) -> None:
    """Where the log is gone no new one is begun, and the read tables stay as they are; put back, all is there."""
    (data / "log.db").rename(data / "aside")
    before = (data / "views.db").read_bytes()

    with pytest.raises(LogError, match=r"log\.db.* is gone .*hikazed restore"):
        Library(str(data), host=HOST)

    assert not (data / "log.db").exists()
    assert (data / "views.db").read_bytes() == before
    (data / "aside").rename(data / "log.db")

    async def look(library: Library) -> None:
        assert count(library) == TAGS

    asyncio.run(in_library(data, look))


def test_read_tables_that_tear_are_built_anew(data: Path) -> None:
    """Damage that a query meets has the read tables built anew while the daemon runs, and every reader sees them."""

    async def story(library: Library) -> None:
        path = data / "views.db"
        with closing(apsw.Connection(str(path))) as db:
            root = db.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'tags'").get
            db.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        with open(path, "r+b") as file:
            file.seek((root - 1) * 4096)
            file.write(bytes(4096))
        with pytest.raises(apsw.CorruptError) as met, closing(library.reader()) as db:
            db.execute("SELECT * FROM tags").fetchall()
        assert is_torn(met.value)
        library.mend()
        library.mend()
        await library.write(lambda db: create(db, "more"), actor="page")
        assert count(library) == TAGS + 1
        assert await library.with_reader(lambda db: db.execute("SELECT count(*) FROM tags").get) == TAGS + 1
        assert library._views.generation == 1

    asyncio.run(in_library(data, story))
    assert not [name for name in os.listdir(data) if name.startswith("views.db.new")]


def test_the_inspection_finds_what_the_start_does_not(data: Path) -> None:
    """Read in the background, every event, index and answer is looked at, with rests, and damage is told."""
    with closing(apsw.Connection(str(data / "log.db"))) as db:
        db.execute("DROP TRIGGER commands_no_update")
        db.execute("INSERT INTO commands VALUES ('k', 1, x'00', 1, x'0000000000')")
    told: list[DamagedLog] = []
    with closing(EventLog(str(data / "log.db"), host=HOST)) as log:
        log.verify_tail()
        assert log.damage is None
        inspection = Inspection(log.reader, str(data / "views.db"), told.append, lambda: None, first_after_s=0.01)
        inspection.start()
        deadline = time.monotonic() + 20
        while not told:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        inspection.close()
    assert "1 answers that are kept in the log are damaged" in str(told[0])


def test_a_sound_library_is_found_sound(data: Path) -> None:
    """The inspection says nothing of a library that is as it was written, while it is written."""
    told: list[Any] = []

    async def story(library: Library) -> None:
        looking = Inspection(library._log.reader, str(data / "views.db"), told.append, lambda: told.append("views"))
        looked = threading.Thread(target=looking.look)
        looked.start()
        for number in range(50):
            await library.write(lambda db, number=number: create(db, f"later {number}"), actor="page")
        looked.join()

    asyncio.run(in_library(data, story))
    assert told == []


def test_a_write_ahead_log_that_grows_is_told(data: Path) -> None:
    """A program that keeps reading and so lets a write-ahead log grow is told of, with the cure."""

    async def story(library: Library) -> None:
        assert library.warnings() == []
        with closing(apsw.Connection(str(data / "views.db"))) as other:
            other.execute("BEGIN; SELECT count(*) FROM tags")
            for number in range(20):
                await library.write(lambda db, number=number: create(db, f"later {number}"), actor="page")
            assert ("views.db-wal", "end that program") in [
                (what.split()[0], cure) for what, cure in library.warnings()
            ]

    asyncio.run(in_library(data, story, long_wal=100_000))


def test_followers_hear_how_far_tasks_are_and_that_they_end() -> None:
    """Who follows is told what is under way, what is new of it, and each end that comes later; who comes later not."""

    async def go() -> None:
        news = News(0)
        news.progress("over", done=1)
        news.finished("over")
        news.progress("scan", what="looking", done=1, total=3)
        early = news.follow()
        assert names(await anext(early)) == [("scan", 1)]
        news.progress("scan", what="looking", done=2, total=3)
        news.finished("scan")
        news.finished("scan")
        news.progress("import/a", done=7)
        assert names(await anext(early)) == [("scan", "ended"), ("import/a", 7)]
        assert names(await anext(news.follow())) == [("import/a", 7)]
        assert news.under_way() == [{"task": "import/a", "done": 7}]

    def names(told: list[Message]) -> list[tuple[str, int | str]]:
        return [(task["task"], "ended" if "ended" in task else task["done"]) for task in told]

    asyncio.run(go())
