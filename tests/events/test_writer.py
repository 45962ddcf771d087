"""Writes are decided one after the other, committed together, and answered when they are durable."""

import asyncio
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import ClassVar

import apsw
import msgspec
import pytest
from hikaze.events.catalog import Event, TagCreated, TagRenamed
from hikaze.events.codec import Codec, UnknownEvent
from hikaze.events.errors import DamagedEvent, NewerLog, WrongVersion
from hikaze.events.log import EventLog
from hikaze.events.record import New, Stored
from hikaze.events.writer import Decide, Decision, KeyReused, Unwritable, Writer, Written
from hikaze.projections import tags
from hikaze.projections.runner import Views, dump, reader


class Blessed(Event, frozen=True, tag="tag-blessed"):
    """An event that the catalogue of today does not have."""

    SCHEMA: ClassVar[int] = 1

    tag: int


class Log(EventLog):
    """A log that tells how often it was committed, and whose disk can fail."""

    commits = 0
    fails: Exception | None = None

    def commit(self) -> None:
        """Commit, or fail the way the disk does."""
        if self.fails is not None:
            raise self.fails
        super().commit()
        self.commits += 1


class Shown(Views):
    """Read tables whose disk can fail."""

    fails: Exception | None = None
    fails_to_apply: Exception | None = None

    def apply(self, events: Sequence[Stored]) -> None:  # type: ignore[override]
        """Apply all, or break after it."""
        super().apply(events)
        if self.fails_to_apply is not None:
            raise self.fails_to_apply

    def commit(self) -> None:
        """Commit, or fail the way the disk does."""
        if self.fails is not None:
            raise self.fails
        super().commit()


class Library:
    """A log, its read tables and a writer that is started when enough waits."""

    def __init__(self, folder: Path) -> None:
        """Make a library in a folder."""
        self.log = Log(str(folder / "log.db"), durable=False)
        self.views = Shown(str(folder / "views.db"), self.log)
        self.announced: list[list[int]] = []
        self.writer = Writer(self.log, self.views, self.announce)

    def announce(self, stored: list[Stored]) -> None:
        """Keep the positions of what was announced together."""
        self.announced.append([event.position for event in stored])

    def submit(self, decide: Decide, **how: str | bytes) -> "Future[Written]":
        """Queue a write of the page's."""
        return self.writer.submit(decide, actor="page", **how)  # type: ignore[arg-type]

    def names(self) -> list[str]:
        """Give the names of all tags, as a reader would see them."""
        return [row[1] for row in dump(self.views.db)["tags"]]

    def events(self) -> list[Event]:
        """Give all events of the log."""
        return [stored.event for stored in self.log.reader().read()]


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    """Make a library, whose writer a test starts; it is stopped after the test."""
    library = Library(tmp_path)
    yield library
    if library.writer._thread.is_alive():
        library.writer.stop()


def create(tag: int, expected: int | None = None) -> Decide:
    """Decide to create a tag, and give its id."""
    return lambda _: Decision([New(f"tag/{tag}", TagCreated(tag, f"tag {tag}"), expected)], {"id": tag})


def fail(error: Exception) -> Decide:
    """Decide nothing, for an error."""

    def decide(_: apsw.Connection) -> Decision:
        raise error

    return decide


def results(answers: Sequence["Future[Written]"]) -> list[object]:
    """Give what came of some writes: the position, or the error's type."""
    return [type(error) if (error := answer.exception(timeout=10)) else answer.result().position for answer in answers]


def test_what_waits_is_committed_together(library: Library) -> None:
    """Writes that wait share one commit and one announcement, and each gets its own position."""
    answers = [library.submit(create(tag)) for tag in range(1, 21)]
    library.writer.start()

    assert results(answers) == list(range(1, 21))
    assert (library.log.commits, library.announced) == (1, [list(range(1, 21))])
    assert len(library.names()) == 20


def test_a_decision_sees_those_before_it(library: Library) -> None:
    """A decision reads the tables as the writes before it left them, also those that wait beside it."""
    seen: list[int] = []

    def decide(db: apsw.Connection) -> Decision:
        seen.append(tags.last_number(db))
        return create(tags.last_number(db) + 1)(db)

    answers = [library.submit(decide) for _ in range(3)]
    library.writer.start()

    assert (results(answers), seen) == ([1, 2, 3], [0, 1, 2])


def broken(db: apsw.Connection) -> Decision:
    """Decide with SQL that no SQLite understands."""
    db.execute("SELEKT")
    return Decision()


@pytest.mark.parametrize(
    ("decide", "error"),
    [
        (fail(LookupError("no such model")), LookupError),
        (create(1, expected=7), WrongVersion),
        (broken, Unwritable),
        (lambda _: Decision([New("tag/9", TagCreated(9, "\ud800"))]), UnicodeEncodeError),
        (lambda _: Decision([New("tag/8", TagCreated(8, "x")), New("tag/9", TagCreated(9, "\ud800"))]), ValueError),
        (lambda _: Decision([New("tag/9", TagCreated(2**70, "x"))]), OverflowError),
        (lambda _: Decision([New("tag/9", TagCreated(9, None))]), msgspec.ValidationError),  # type: ignore[arg-type]
        (lambda _: Decision([New("tag/9", Blessed(9))]), UnknownEvent),
    ],
)
def test_one_that_fails_leaves_the_others(library: Library, decide: Decide, error: type[Exception]) -> None:
    """A write that fails, however late, is refused with its reason and leaves no trace; those beside it are written."""
    answers = [library.submit(create(1)), library.submit(decide), library.submit(create(2))]
    library.writer.start()

    found = results(answers)

    assert [found[0], found[2]] == [1, 2]
    assert issubclass(found[1], error)  # type: ignore[arg-type]
    assert library.events() == [TagCreated(1, "tag 1"), TagCreated(2, "tag 2")]
    assert library.names() == ["tag 1", "tag 2"]


def test_a_full_disk(library: Library) -> None:
    """When the disk is full nobody is told that something was written, and when there is space it goes on."""
    library.log.fails = apsw.FullError("full")
    answers = [library.submit(create(tag)) for tag in (1, 2)]
    library.writer.start()
    assert results(answers) == [Unwritable, Unwritable]
    assert "free some space" in str(answers[0].exception())

    library.log.fails = None
    assert library.submit(create(3)).result(10).position == 1
    assert (library.names(), library.announced) == (["tag 3"], [[1]])


def test_a_failed_sync_ends_writing(library: Library) -> None:
    """After a commit whose sync failed nothing more is acknowledged until the daemon is started again."""
    library.log.fails = apsw.IOError("sync")
    library.writer.start()
    first = library.submit(create(1))
    assert results([first]) == [Unwritable]
    library.log.fails = None

    with pytest.raises(Unwritable, match="restart the daemon"):
        library.submit(create(2)).result(10)
    assert library.events() == []


@pytest.mark.parametrize(
    "code",
    [
        apsw.SQLITE_FULL,
        apsw.SQLITE_IOERR_WRITE,
        apsw.SQLITE_IOERR_SHMSIZE,
        apsw.SQLITE_IOERR_SHMMAP,
        apsw.SQLITE_IOERR_TRUNCATE,
        apsw.SQLITE_BUSY,
    ],
)
def test_other_failures_pass(library: Library, code: int) -> None:
    """A commit that fails otherwise is refused, nothing of it is there, and the next write works."""
    library.log.fails = apsw.exception_for(code)
    library.writer.start()
    assert results([library.submit(create(1))]) == [Unwritable]
    library.log.fails = None

    assert library.submit(create(2)).result(10).position == 1
    assert (library.names(), library.writer.problem) == (["tag 2"], None)


def test_a_commit_that_failed_is_not_repeated(library: Library) -> None:
    """Of writes that were committed together in vain none is tried again: it might be done twice."""
    asked: list[int] = []

    def counted(tag: int) -> Decide:
        def decide(db: apsw.Connection) -> Decision:
            asked.append(tag)
            return create(tag)(db)

        return decide

    library.log.fails = apsw.FullError("full")
    answers = [library.submit(counted(tag)) for tag in (1, 2, 3)]
    library.writer.start()

    assert results(answers) == [Unwritable] * 3
    assert asked == [1, 2, 3]


class Kept(Log):
    """A log whose commit succeeds and says that it failed."""

    lies = True

    def commit(self) -> None:
        """Commit, and then fail once."""
        super().commit()
        if self.lies:
            self.lies = False
            raise apsw.exception_for(apsw.SQLITE_IOERR_SHMSIZE)


def test_a_commit_that_was_kept_after_all(tmp_path: Path) -> None:
    """Where a refused write is in the log after all, the read tables have it, and its repetition under its key."""
    log = Kept(str(tmp_path / "log.db"), durable=False)
    views = Views(str(tmp_path / "views.db"), log)
    writer = Writer(log, views)
    writer.start()
    how = {"actor": "page", "key": "k1"}
    with pytest.raises(Unwritable, match="may or may not have been kept"):
        writer.submit(create(1), **how).result(10)  # type: ignore[arg-type]

    assert writer.submit(create(1), **how).result(10) == Written(1, {"id": 1}, repeated=True)  # type: ignore[arg-type]
    assert [row[1] for row in dump(views.db)["tags"]] == ["tag 1"]
    writer.stop()


def test_it_notices_by_itself_that_there_is_room(tmp_path: Path) -> None:
    """While the disk is full it tries by itself; with room again the problem is gone before anybody writes."""
    room = threading.Event()
    log = Log(str(tmp_path / "log.db"), durable=False)
    writer = Writer(log, Views(":memory:", log), has_room=room.is_set, probe_s=0.01)
    log.fails = apsw.FullError("full")
    writer.start()
    assert results([writer.submit(create(1), actor="page")]) == [Unwritable]
    assert isinstance(writer.problem, Unwritable)
    assert writer.problem.cure == "free some space, and writing goes on by itself"
    time.sleep(0.05)
    assert writer.problem is not None

    log.fails = None
    room.set()
    deadline = time.monotonic() + 10
    while writer.problem is not None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    writer.stop()
    assert log.head == 0


def test_read_tables_that_catch_up_by_themselves(library: Library) -> None:
    """Rows that a full disk did not take are there when it has room, without another write."""
    library.writer._probe_s = 0.01
    library.views.fails = apsw.FullError("full")
    library.writer.start()
    assert library.submit(create(1)).result(10).position == 1
    deadline = time.monotonic() + 10
    while library.writer.problem is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)

    library.views.fails = None
    while library.writer.problem is not None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert library.names() == ["tag 1"]


def test_read_tables_that_are_damaged(library: Library) -> None:
    """A decision that meets damage in the read tables is asked again on new ones."""
    torn = [apsw.CorruptError("torn")]

    def decide(db: apsw.Connection) -> Decision:
        if torn:
            raise torn.pop()
        return create(tags.last_number(db) + 1)(db)

    library.writer.start()
    results([library.submit(create(1))])
    assert library.submit(decide).result(10).value == {"id": 2}
    assert (library.views.generation, library.names()) == (1, ["tag 1", "tag 2"])


def test_nothing_is_written_behind_damage(library: Library) -> None:
    """Where damage in the log is known every write is refused with the cure, and no probe changes that."""
    library.writer.start()
    results([library.submit(create(1))])
    library.log.damage = DamagedEvent(1)

    with pytest.raises(Unwritable, match=r"event 1 in the log is damaged.*hikazed restore"):
        library.submit(create(2)).result(10)
    assert library.writer.problem is not None
    assert library.writer.problem.what == "event 1 in the log is damaged"


@pytest.mark.slow
def test_a_log_that_readers_never_leave(tmp_path: Path) -> None:
    """Readers that overlap without a gap do not let the write-ahead log grow: writing waits until they have passed."""
    log = EventLog(str(tmp_path / "log.db"), durable=False)
    views = Views(str(tmp_path / "views.db"), log)
    writer = Writer(log, views, wal_limit=1 << 20)
    done = threading.Event()

    def read() -> None:
        db = reader(views.path)
        while not done.is_set():
            db.execute("BEGIN; SELECT count(*) FROM tags")
            time.sleep(0.02)
            db.execute("COMMIT")
        db.close()

    readers = [threading.Thread(target=read) for _ in range(3)]
    for one in readers:
        one.start()
    writer.start()
    largest = 0
    for number in range(1, 1_500):
        writer.submit(create(number), actor="page").result(10)
        largest = max(largest, views.wal_bytes())
    done.set()
    for one in readers:
        one.join()
    writer.stop()
    views.close()
    assert largest < 8 << 20  # 32 MiB without


def test_read_tables_that_fail(library: Library) -> None:
    """What is durable is acknowledged though the read tables could not be written; the next write makes up for it."""
    library.views.fails = apsw.FullError("full")
    library.writer.start()
    assert library.submit(create(1)).result(10).position == 1

    library.views.fails = None
    assert library.submit(create(2)).result(10).position == 2
    assert library.names() == ["tag 1", "tag 2"]


def test_a_view_that_breaks(library: Library) -> None:
    """An event that a view cannot take is not written."""
    library.views.fails_to_apply = KeyError("a view's mistake")
    library.writer.start()
    assert results([library.submit(create(1))]) == [KeyError]

    library.views.fails_to_apply = None
    assert library.submit(create(2)).result(10).position == 1
    assert (library.events(), library.names()) == ([TagCreated(2, "tag 2")], ["tag 2"])


def test_an_announcement_that_fails(tmp_path: Path) -> None:
    """Whoever wrote hears that it is durable, whatever becomes of the announcement."""

    def announce(_: list[Stored]) -> None:
        raise OSError("nobody listens")

    log = Log(str(tmp_path / "log.db"), durable=False)
    writer = Writer(log, Views(":memory:", log), announce)
    writer.start()

    assert writer.submit(create(1), actor="page").result(10) == Written(1, {"id": 1})
    writer.stop()


def test_a_key_writes_once(library: Library) -> None:
    """The same request under the same key is written once and answered alike, in one batch or later."""
    how = {"key": "k1", "request": b"create 1"}
    together = [library.submit(create(1), **how) for _ in range(2)]
    library.writer.start()
    later = library.submit(create(1), **how)

    assert [answer.result(10) for answer in [*together, later]] == [
        Written(1, {"id": 1}),
        Written(1, {"id": 1}, repeated=True),
        Written(1, {"id": 1}, repeated=True),
    ]
    assert library.events() == [TagCreated(1, "tag 1")]


def test_a_key_is_for_one_request(library: Library) -> None:
    """Another request under a key that was used is refused; a write that failed has not used its key."""
    library.writer.start()
    how = {"key": "k1", "request": b"create 1"}
    assert results([library.submit(fail(LookupError()), **how), library.submit(create(1), **how)]) == [LookupError, 1]

    with pytest.raises(KeyReused, match="make a new one"):
        library.submit(create(2), key="k1", request=b"create 2").result(10)
    assert library.events() == [TagCreated(1, "tag 1")]


def test_events_of_an_action_carry_it(library: Library) -> None:
    """Each write is an action of its own, or part of the one that it names."""
    library.writer.start()
    answers = [library.submit(create(1)), library.submit(create(2), action=b"a" * 16), library.submit(create(3))]
    results(answers)
    actions = [stored.action for stored in library.log.reader().read()]

    assert (actions[1], len(set(actions)), {len(action) for action in actions}) == (b"a" * 16, 3, {16})


def test_a_decision_without_events(library: Library) -> None:
    """A write that has nothing to say is answered at the position where the log is."""
    library.writer.start()
    library.submit(create(1)).result(10)

    assert library.submit(lambda _: Decision((), "as it was")).result(10) == Written(1, "as it was")
    assert library.announced == [[1]]


def test_stop_writes_what_waits(library: Library) -> None:
    """Stopping writes what waits; whoever comes later is told that the daemon is stopping."""
    answers = [library.submit(create(tag)) for tag in range(1, 1_201)]
    library.writer.start()
    library.writer.stop()

    assert results(answers) == list(range(1, 1_201))
    with pytest.raises(Unwritable, match="stopping"):
        library.submit(create(2_000)).result(10)


def test_write_from_a_coroutine(library: Library) -> None:
    """A coroutine waits for its write without holding up the others."""
    library.writer.start()

    async def write() -> list[int]:
        writes = [library.writer.write(create(tag), actor="page") for tag in (1, 2, 3)]
        return [written.position for written in await asyncio.gather(*writes)]

    assert asyncio.run(write()) == [1, 2, 3]


def test_a_newer_library_is_served_and_not_written(tmp_path: Path) -> None:
    """In a library with an event of a newer program every write is refused; what came before is served."""
    newer = EventLog(str(tmp_path / "log.db"), codec=Codec((TagCreated, TagRenamed, Blessed)), durable=False)
    newer.begin()
    newer.append(
        [New("tag/1", TagCreated(1, "ink")), New("tag/1", Blessed(1)), New("tag/1", TagRenamed(1, "x"))],
        actor="page",
        action=bytes(16),
    )
    newer.commit()
    newer.close()

    library = Library(tmp_path)
    library.writer.start()

    with pytest.raises(NewerLog, match="update this one to write to it"):
        library.submit(create(2)).result(10)
    assert (library.names(), library.views.position, library.log.head) == (["ink"], 1, 3)
    library.writer.stop()
