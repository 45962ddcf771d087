"""The library as the daemon holds it: the log, the read tables, the one writer, and the news of both.

Everything that changes the library goes through `write`; every answer comes from `db`, a connection of the
event loop's own, or in a thread from `with_reader`.
"""

import asyncio
import os
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any

import apsw
import msgspec

from ..events.codec import kind_of
from ..events.log import ANSWERS_KEPT_MS, EventLog, Stored, now_ms
from ..events.writer import Decide, Writer, Written
from ..projections.runner import Progress, Views, reader

NEWS_KEPT = 10_000  # events kept in memory for the live streams; who is further behind reads the log
READERS = 4  # threads for searches that take long: more than cores, so that a slow one holds up no other

Message = dict[str, Any]


class Library:
    """The log and its views in a data folder, open for one event loop. `close` ends it."""

    def __init__(self, data: str, *, host: bytes, progress: Progress = lambda _done, _all: None) -> None:
        """Open (or make) the library in a data folder; rebuilding the views calls `progress`.

        Raises what `EventLog` and `Views` raise: `NewerLog`, `DamagedEvent`, `LogError`.
        """
        self._views_path = os.path.join(data, "views.db")
        self._log = EventLog(os.path.join(data, "log.db"), host=host)
        self._log.forget_answers(now_ms() - ANSWERS_KEPT_MS)
        self.newer = self._log.unknown_kinds()
        self._views = Views(self._views_path, self._log, progress=progress)
        for name in ("log.db", "views.db"):
            os.chmod(os.path.join(data, name), 0o600)
        self.db = reader(self._views_path)
        self._readers = threading.local()
        self._opened: list[apsw.Connection] = []
        self._pool = ThreadPoolExecutor(READERS, "hikaze-reader")
        self.news = News(self._log.head)
        self._writer = Writer(self._log, self._views, self._announce)

    def start(self) -> None:
        """Start writing; call from the event loop that will read the news."""
        self._loop = asyncio.get_running_loop()
        self._writer.start()

    def close(self) -> None:
        """Write what waits, then close everything."""
        self._writer.stop()
        self.db.close()
        for connection in self._opened:
            connection.interrupt()  # nobody waits any more for what is still being searched
        self._pool.shutdown()
        for connection in self._opened:
            connection.close()
        self._views.close()
        self._log.close()

    def problem(self) -> str | None:
        """Say why the last write could not be done, None where it could."""
        return self._writer.problem

    async def write(self, decide: Decide, **how: Any) -> Written:
        """Do a write and wait until it is durable and readable; takes what `Writer.submit` takes."""
        return await self._writer.write(decide, **how)

    def reader(self) -> apsw.Connection:
        """Open one more connection to the read tables; whoever asks closes it."""
        return reader(self._views_path)

    async def with_reader(self, query: Callable[..., Any], *args: Any) -> Any:
        """Run a query that may take long in a thread, on a connection of that thread: `query(db, *args)`."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._in_thread, query, args)

    def _in_thread(self, query: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        db: apsw.Connection | None = getattr(self._readers, "db", None)
        if db is None:
            db = self._readers.db = reader(self._views_path)
            self._opened.append(db)
        return query(db, *args)

    async def events(self, after: int, limit: int) -> list[Message]:
        """Give events of the log behind a position, oldest first, as the API shows them."""
        return await asyncio.to_thread(self._read_log, after, limit)

    def _read_log(self, after: int, limit: int) -> list[Message]:
        log = self._log.reader()
        try:
            return [message(stored) for stored in islice(log.read(after, limit), limit)]
        finally:
            log.close()

    def _announce(self, written: list[Stored]) -> None:
        self._loop.call_soon_threadsafe(self.news.tell, [message(stored) for stored in written])


class News:
    """What happened lately and what is under way, for any number of followers; belongs to the event loop."""

    def __init__(self, head: int) -> None:
        """Start behind the event at position `head`."""
        self.head = head
        self._recent: deque[Message] = deque(maxlen=NEWS_KEPT)
        self._progress: dict[str, Message] = {}
        self._beat = 0
        self._changed = asyncio.Event()

    def tell(self, events: list[Message]) -> None:
        """Tell the followers what was committed."""
        self._recent.extend(events)
        self.head = events[-1]["position"]
        self.nudge()

    def progress(self, task: str, **what: Any) -> None:
        """Tell the followers how far a task is; `done=True`-like ends are told by `finished`."""
        self._beat += 1
        self._progress[task] = {"task": task, "beat": self._beat, **what}
        self.nudge()

    def finished(self, task: str) -> None:
        """Take a task off what is under way."""
        if self._progress.pop(task, None) is not None:
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
        """Give, each time something changed, the progress that is new to this follower (perhaps none)."""
        seen = 0
        while True:
            changed = self._changed
            fresh = [task for task in self._progress.values() if task["beat"] > seen]
            seen = self._beat
            yield fresh
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
