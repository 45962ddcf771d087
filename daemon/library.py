"""The library as the daemon holds it: the log, the read tables, the one writer, and the news of both.

Everything that changes the library goes through `write`; every answer comes from `db`, a connection of the
event loop's own, or in a thread from `with_reader`.

What is damaged is never written behind. In the log it ends all writing, and the read tables are served as they
stand; in the read tables it has them built anew.
"""

import asyncio
import contextlib
import gc
import logging
import os
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import islice, takewhile
from typing import Any

import apsw
import msgspec

from ..events.codec import kind_of
from ..events.database import wal_bytes
from ..events.errors import DamagedLog, LogError
from ..events.log import EventLog
from ..events.record import Stored, now_ms
from ..events.schema import ANSWERS_KEPT_MS
from ..events.writer import Decide, Decision, Writer, Written
from ..projections.finding import Finder, Found, transaction
from ..projections.parts import Part
from ..projections.runner import Progress, Views, reader
from ..projections.storage import storage
from .inspection import Inspection

ENDED_KEPT = 200  # tasks that have ended, for followers who are told ten times a second
NEWS_KEPT = 1_000  # events kept in memory for the live streams, each 1 to 10 KB; who is further behind reads the log
ROOM = 1 << 20  # bytes that must fit on the disk before a library that found it full is written again
LONG_WAL = 256 << 20  # bytes: our own readers are done in seconds and let none grow that far
READERS = 4  # threads for searches that take long: more than cores, so that a slow one holds up no other
THREAD_CACHE_KIB = 2_048  # of each: with more, four of them held 40 MiB after a migration of 10,000 models

Message = dict[str, Any]
Warn = tuple[str, str]
"""What is wrong, and its cure."""

log = logging.getLogger(__name__)


class Library:
    """The log and its views in a data folder, open for one event loop. `close` ends it."""

    def __init__(
        self,
        data: str,
        *,
        host: bytes,
        progress: Progress = lambda _done, _all: None,
        long_wal: int = LONG_WAL,
    ) -> None:
        """Open (or make) the library in a data folder; rebuilding the views calls `progress`.

        Damage in the log that read tables are there for is in `damage`. Raises what `EventLog` and `Views` raise:
        `DamagedLog` where they cannot be built either, `LogError`, also where the log of a library is gone.
        """
        self._data, self._long_wal = data, long_wal
        self._views_path = os.path.join(data, "views.db")
        _refuse_without_log(data)
        self._log = EventLog(os.path.join(data, "log.db"), host=host)
        self._log.verify_tail()
        self.newer = self._log.unknown_kinds() if self._log.damage is None else []
        self._forget_answers()
        self._finder = Finder()
        self._views = Views(
            self._views_path, self._log, progress=progress, heard=self._finder.hear, telling=self._finder.telling
        )
        for name in ("log.db", "views.db"):
            os.chmod(os.path.join(data, name), 0o600)
        self._generation, self._db = self._views.generation, reader(self._views_path)
        self._readers = threading.local()
        self._opened: list[apsw.Connection] = []
        self._pool = ThreadPoolExecutor(READERS, "hikaze-reader")
        # One thread, since the finder answers one after the other: each thread keeps memory of its own.
        self._finding = ThreadPoolExecutor(1, "hikaze-finder")
        self.news = News(self._log.head)
        self._writer = Writer(self._log, self._views, self._announce, has_room=self._has_room)
        self._mending = self._readying = False
        self._inspection = Inspection(self._log.reader, self._views_path, self._condemn, self.mend)

    def _forget_answers(self) -> None:
        if self._log.damage is None:
            try:
                self._log.forget_answers(now_ms() - ANSWERS_KEPT_MS)
            except (apsw.FullError, apsw.IOError) as error:
                log.warning("old answers are kept: %s", error)

    def start(self) -> None:
        """Start writing; call from the event loop that will read the news."""
        self._loop = asyncio.get_running_loop()
        self._writer.start()
        self._inspection.start()

    def close(self) -> None:
        """Write what waits, then close everything."""
        self._inspection.close()
        self._writer.stop()
        self._db.close()
        for connection in self._opened:
            connection.interrupt()  # nobody waits any more for what is still being searched
        self._pool.shutdown()
        self._finding.shutdown(cancel_futures=True)
        for connection in self._opened:
            connection.close()
        self._views.close()
        self._log.close()

    @property
    def db(self) -> apsw.Connection:
        """The read tables, for the event loop."""
        if self._generation != self._views.generation:  # the file was exchanged for a new one
            self._generation, self._db = self._views.generation, reader(self._views_path)
        return self._db

    @property
    def damage(self) -> DamagedLog | None:
        """What is damaged in the log, so that nothing is written to it; None where nothing is known to be."""
        return self._log.damage

    @property
    def is_writable(self) -> bool:
        """Whether nothing is known to keep the library from being written."""
        return self._log.damage is None and self._writer.problem is None

    def warnings(self) -> list[Warn]:
        """Say what keeps the library from being written, or will."""
        problem = self._log.damage or self._writer.problem
        found = [] if problem is None else [(f"nothing can be written: {problem.what}", problem.cure)]
        for name in ("log.db", "views.db"):
            if wal_bytes(os.path.join(self._data, name)) > self._long_wal:
                told = (
                    f"{name}-wal grows and cannot be cut back, because another program keeps {name} open and reads it"
                )
                found.append((told, "end that program"))
        return found

    def mend(self) -> None:
        """Have the read tables built anew, because they are damaged; from any thread."""
        if not self._mending:
            self._mending = True
            self._writer.between(self._mend)

    def _mend(self) -> None:
        log.warning("the read tables are damaged; they are built anew from the log")
        try:
            self._writer.mend()
        finally:
            self._mending = False

    def _condemn(self, damage: DamagedLog) -> None:
        log.error("%s", damage)
        self._log.damage = self._log.damage or damage

    def _has_room(self) -> bool:
        """Tell whether something fits on the disk, by writing it: quotas and reserves do not show otherwise."""
        path = os.path.join(self._data, ".room")
        try:
            with open(path, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
                file.write(os.urandom(ROOM))  # what a disk that compresses cannot make small
                file.flush()
                os.fsync(file.fileno())
        except OSError:
            return False
        finally:
            with contextlib.suppress(OSError):
                os.remove(path)
        return True

    async def write(self, decide: Decide, **how: Any) -> Written:
        """Do a write and wait until it is durable and readable; takes what `Writer.submit` takes."""
        return await self._writer.write(decide, **how)

    async def caught_up(self) -> None:
        """Wait until `db` holds all that was written: behind a disk that refused the rows they are made up first.

        For whoever decides outside of the writer by what is known. Raises what a write raises.
        """
        await self._writer.write(lambda _db: Decision(), actor="daemon")

    def reader(self) -> apsw.Connection:
        """Open one more connection to the read tables; whoever asks closes it."""
        return reader(self._views_path)

    async def with_reader(self, query: Callable[..., Any], *args: Any) -> Any:
        """Run a query that may take long in a thread, on a connection of that thread: `query(db, *args)`."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._in_thread, query, args)

    async def find(self, part: Part, **how: Any) -> Found:
        """Give a page of the models that a query means, as they are after every write that was answered before.

        Takes what `Finder.page` takes. Raises `BadCursor`.
        """

        def ask(db: apsw.Connection) -> Found:
            return self._finder.page(db, part, **how, generation=self._readers.db[0])

        found = await asyncio.get_running_loop().run_in_executor(self._finding, self._in_thread, ask, ())
        if not self._readying and not self._finder.is_ready:
            self._readying = True
            self._make_more_ready()
        return found

    async def storage(self, at_ms: int) -> dict[str, Any]:
        """Give what takes how much room at a time, in ms since 1970 UTC, after every write that was answered before."""

        def ask(db: apsw.Connection) -> dict[str, Any]:
            with transaction(db):
                return storage(db, self._finder.stock(db, self._readers.db[0]), at_ms)

        return await asyncio.get_running_loop().run_in_executor(self._finding, self._in_thread, ask, ())

    def expect_searches(self) -> None:
        """Somebody looks at the library, and may search soon: read what that takes, in the background."""
        if not self._readying and not self._finder.has_begun:
            self._readying = True
            self._make_more_ready()

    def _make_more_ready(self) -> None:
        """Go on with what makes searches quick, behind those that wait already."""
        with contextlib.suppress(RuntimeError):  # we are closing
            self._finding.submit(self._in_thread, self._make_ready, ())

    def _make_ready(self, db: apsw.Connection) -> None:
        try:
            self._readying = self._finder.make_ready(db, self._readers.db[0])
        except apsw.InterruptError:
            return  # we are closing
        except apsw.Error as error:
            self._readying = False
            log.warning("searches stay slow for now: %s", error)
        if self._readying:
            self._make_more_ready()
        else:
            # What searches are answered from stays for long. Left among what is collected, a full collection walks over
            # all of it: 29 ms at 100,000 models, in the middle of one answer of 300.
            gc.freeze()

    def _in_thread(self, query: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        generation = self._views.generation
        known: tuple[int, apsw.Connection] | None = getattr(self._readers, "db", None)
        if known is None or known[0] != generation:
            known = self._readers.db = generation, reader(self._views_path, THREAD_CACHE_KIB)
            self._opened.append(known[1])
        return query(known[1], *args)

    async def events(self, after: int, limit: int) -> list[Message]:
        """Give events of the log behind a position, oldest first, as the API shows them."""
        return await asyncio.to_thread(self._read_log, after, limit)

    async def holds(self, position: int, event: str) -> bool:
        """Tell whether the log has an event of this id (hexadecimal) at a position."""
        if position > self.news.head:
            return False
        found = await self.events(position - 1, 1)
        return bool(found) and (found[0]["position"], found[0]["id"]) == (position, event)

    def _read_log(self, after: int, limit: int) -> list[Message]:
        events = self._log.reader()
        try:
            return [message(stored) for stored in islice(events.read(after, limit), limit)]
        except DamagedLog as damage:
            self._condemn(damage)
            raise
        finally:
            events.close()

    def _announce(self, written: list[Stored]) -> None:
        self._loop.call_soon_threadsafe(self.news.tell, [message(stored) for stored in written])


def _refuse_without_log(data: str) -> None:
    """Begin no empty log beside the read tables of another: they would be emptied to match."""
    if os.path.exists(os.path.join(data, "views.db")) and not os.path.exists(os.path.join(data, "log.db")):
        raise LogError(
            f"log.db, which holds the library, is gone from {data}; put it back, or bring a backup back with"
            " `hikazed restore FILE`. To begin anew, move views.db and images away"
        )


class News:
    """What happened lately and what is under way, for any number of followers; belongs to the event loop."""

    def __init__(self, head: int) -> None:
        """Start behind the event at position `head`."""
        self.head = head
        self._recent: deque[Message] = deque(maxlen=NEWS_KEPT)
        self._progress: dict[str, Message] = {}
        self._ended: deque[Message] = deque(maxlen=ENDED_KEPT)
        self._beat = 0
        self._changed = asyncio.Event()

    def tell(self, events: list[Message]) -> None:
        """Tell the followers what was committed."""
        self._recent.extend(events)
        self.head = events[-1]["position"]
        self.nudge()

    def progress(self, task: str, **what: Any) -> None:
        """Tell the followers how far a task is; its end is told by `finished`.

        `task` names it: one of that name is one task. Beside it stand `what` is done, in words, and of these what is
        known: `done` of `total`, counted in what the task is about (of one import, `import/<op>`, bytes; it names its
        `pending` and `op`), `bytes` of `bytes_total`, and the `path` at hand. `docs/stream.md` lists the tasks.
        """
        self._beat += 1
        self._progress[task] = {"task": task, "beat": self._beat, **what}
        self.nudge()

    def finished(self, task: str) -> None:
        """Take a task off what is under way, and tell the followers so: `{task, ended: true}`."""
        if self._progress.pop(task, None) is not None:
            self._beat += 1
            self._ended.append({"task": task, "beat": self._beat, "ended": True})
            self.nudge()

    def under_way(self) -> list[Message]:
        """Give the tasks under way, each with how far it is."""
        return [{key: value for key, value in task.items() if key != "beat"} for task in self._progress.values()]

    def since(self, position: int) -> list[Message] | None:
        """Give what happened behind a position, None where that is longer ago than is kept here."""
        if position >= self.head:
            return []
        if not self._recent or self._recent[0]["position"] > position + 1:
            return None
        return list(islice(self._recent, position + 1 - self._recent[0]["position"], None))

    async def follow(self) -> AsyncIterator[list[Message]]:
        """Give, each time something changed, the progress and the ends of tasks that are new to this follower.

        There may be none. At first it is all that is under way.
        """
        seen, heard = 0, self._beat
        while True:
            changed = self._changed
            ended = list(takewhile(lambda task, heard=heard: task["beat"] > heard, reversed(self._ended)))
            fresh = ended + [task for task in self._progress.values() if task["beat"] > seen]
            seen = heard = self._beat
            yield sorted(fresh, key=lambda task: task["beat"])
            await changed.wait()

    def nudge(self) -> None:
        """Wake every follower, though nothing changed."""
        self._changed.set()
        self._changed = asyncio.Event()


def message(stored: Stored) -> Message:
    """Give an event as the API shows it."""
    name, schema = kind_of(stored.event)
    data = msgspec.to_builtins(stored.event)
    data.pop("event", None)
    return {
        "position": stored.position,
        "id": stored.id.hex(),
        "time": stored.time,
        "type": name,
        "schema": schema,
        "stream": stored.stream,
        "version": stored.version,
        "actor": stored.actor,
        "action": stored.action.hex(),
        "host": stored.host.hex(),
        "data": data,
    }
