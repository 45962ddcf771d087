"""The one writer: a thread that decides, appends, projects and commits what waits together.

A write is a decision: a function that reads the committed state and gives the events that follow from it.
Decisions run one after the other in the writer's thread, so nothing can come between the look and the
write. All that waits is committed in one transaction (group commit), which makes a durable write cheap
under load; whoever asked is answered after the commit.
"""

import asyncio
import contextlib
import logging
import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Protocol

import apsw
import msgspec

from .database import WAL_LIMIT, is_full
from .errors import DamagedLog, LogError, WrongVersion
from .log import EventLog
from .record import New, Stored, new_id, now_ms

BATCH = 500  # decisions in one transaction: bounds how long the first of them waits for its answer
PROBE_S = 1.0  # how often it is tried whether the disk takes writes again
WAL_LOOK = 64  # commits between two looks at the size of the write-ahead logs

log = logging.getLogger(__name__)


class Projector(Protocol):
    """What keeps read tables in step with the log."""

    db: apsw.Connection

    def begin(self) -> None:
        """Start a transaction on the read tables."""
        ...

    def apply(self, events: Sequence[Stored]) -> None:
        """Bring events, in order, into the read tables."""
        ...

    def commit(self) -> None:
        """Commit the read tables at the position of the last event applied."""
        ...

    def rollback(self) -> None:
        """Forget what was applied since `begin`."""
        ...

    def catch_up(self) -> None:
        """Bring the read tables to the end of the log, whatever happened before."""
        ...

    def mend(self) -> None:
        """Build the read tables anew, because their file is damaged."""
        ...

    def wal_bytes(self) -> int:
        """Give the size of their write-ahead log."""
        ...

    def shrink(self) -> None:
        """Start their write-ahead log anew, unless somebody reads it right now."""
        ...


class Unwritable(Exception):
    """Nothing can be written now; the message says why and what to do, and `what` and `cure` say it apart."""

    def __init__(self, what: str, cure: str = "") -> None:
        """Say what is wrong, and what to do about it."""
        super().__init__(f"{what}; {cure}" if cure else what)
        self.what, self.cure = what, cure


class TornViews(Exception):
    """SQLite finds the read tables damaged."""


class KeyReused(Exception):
    """An idempotency key came again with another request."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What follows from a write: the events to append, and the value for whoever asked (JSON-able)."""

    events: Sequence[New] = ()
    value: Any = None


@dataclass(frozen=True, slots=True)
class Written:
    """The answer to a write: the position of the last event of it, the value, and whether it was a repetition."""

    position: int
    value: Any
    repeated: bool = False


Decide = Callable[[apsw.Connection], Decision]


@dataclass(slots=True)
class _Write:
    decide: Decide
    actor: str
    action: bytes | None
    key: str | None
    request: bytes
    answer: "Future[Written] | _InLoop" = field(default_factory=Future["Written"])


@dataclass(frozen=True, slots=True)
class _InLoop:
    """An answer that a coroutine waits for: the answers of a batch reach their loop by one call, not one each."""

    loop: asyncio.AbstractEventLoop
    future: "asyncio.Future[Written]"


class Writer:
    """The thread that writes. Whoever makes it calls `start`, and `stop` when nobody writes any more."""

    def __init__(
        self,
        log_: EventLog,
        projector: Projector,
        announce: Callable[[list[Stored]], None] = lambda _: None,
        *,
        has_room: Callable[[], bool] = lambda: True,
        probe_s: float = PROBE_S,
        wal_limit: int = WAL_LIMIT,
    ) -> None:
        """Write to a log and its read tables; `announce` is told, in the writer's thread, what was committed.

        While writing fails it is tried every `probe_s` seconds whether it works again; never before `has_room`.
        """
        self._has_room, self._probe_s, self._wal_limit = has_room, probe_s, wal_limit
        self._log = log_
        self._projector = projector
        self._announce = announce
        self._waiting: queue.SimpleQueue[_Write | Callable[[], None] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="hikaze-writer", daemon=True)
        self._stale = False  # the read tables could not be written and must catch up first
        self._torn = False  # their file is damaged
        self._broken: Unwritable | None = None  # the disk failed under a commit: what it holds is not known
        self.problem: Unwritable | None = None
        """Why the last transaction could not be written, None once one could."""
        self._commits = 0
        self._stopping = threading.Lock()
        self._stopped = False

    def start(self) -> None:
        """Start the thread; the log's connection and the projector's belong to it from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Write what waits and end the thread; later writes are refused."""
        with self._stopping:
            self._stopped = True
            self._waiting.put(None)
        if self._thread.is_alive():  # it may never have been started
            self._thread.join()

    def submit(
        self,
        decide: Decide,
        *,
        actor: str,
        action: bytes | None = None,
        key: str | None = None,
        request: bytes = b"",
    ) -> "Future[Written]":
        """Queue a write and give its answer to be.

        `action` groups writes that are one deed of a user (default: each its own). With an idempotency `key`
        the write happens once: the same key and `request` again gets the first answer, and another request
        raises `KeyReused`. What the decision raises, the answer raises; then nothing was written. A decision
        may be asked more than once, where another one broke the transaction they shared.
        """
        answer: Future[Written] = Future()
        self._queue(_Write(decide, actor, action, key, request, answer))
        return answer

    async def write(
        self,
        decide: Decide,
        *,
        actor: str,
        action: bytes | None = None,
        key: str | None = None,
        request: bytes = b"",
    ) -> Written:
        """Do a write and wait for its answer, from a coroutine; takes what `submit` takes."""
        loop = asyncio.get_running_loop()
        answer = _InLoop(loop, loop.create_future())
        self._queue(_Write(decide, actor, action, key, request, answer))
        return await answer.future

    def between(self, work: Callable[[], None]) -> None:
        """Queue work on the log or the read tables that is no write; done in the writer's thread, between two."""
        with self._stopping:
            if not self._stopped:
                self._waiting.put(work)

    def mend(self) -> None:
        """Build the read tables anew; for whoever found them damaged. In the writer's thread: see `between`."""
        self._torn = True
        self._guarded(self._catch_up)

    def _queue(self, write: _Write) -> None:
        with self._stopping:
            if not self._stopped:
                self._waiting.put(write)
                return
        _answer([(write, None, Unwritable("the daemon is stopping; try again when it runs"))])

    def _run(self) -> None:
        while batch := self._take():
            self._commit_together(batch)

    def _take(self) -> list[_Write]:
        """Give what waits, in order, or nothing at the end."""
        batch: list[_Write] = []
        write = self._next()
        while write is not None:
            if isinstance(write, _Write):
                batch.append(write)
            else:
                write()
            if len(batch) == BATCH:
                return batch
            try:
                write = self._waiting.get_nowait() if batch else self._next()
            except queue.Empty:
                return batch
        if batch:
            self._waiting.put(None)  # nothing comes behind it: found again when this batch is done
        return batch

    def _next(self) -> "_Write | Callable[[], None] | None":
        """Wait for what comes next; while nothing can be written, try now and then whether that is over."""
        while True:
            try:
                return self._waiting.get(timeout=self._probe_s if self._may_recover() else None)
            except queue.Empty:
                self._guarded(self._probe)

    def _may_recover(self) -> bool:
        return self._broken is None and self._log.damage is None and self.problem is not None

    def _probe(self) -> None:
        if self._has_room():
            self._catch_up()
            self._log.touch()
            self.problem = None
            log.info("the library can be written again")

    def _guarded(self, work: Callable[[], None]) -> None:
        """Do what nobody waits for; a disk that fails meanwhile is a problem to tell of."""
        try:
            work()
        except (apsw.Error, OSError, LogError) as error:
            self._back_out()
            self._note(self._told(error))

    def _commit_together(self, batch: list[_Write], *, mended: bool = False) -> None:
        try:
            done = self._write_together(batch)
        except Exception as error:  # noqa: BLE001 - the edge of the thread: whoever waits must hear of it
            self._back_out()
            if isinstance(error, TornViews) and not mended:
                log.warning("the read tables are damaged (%s); they are built anew", error)
                self.mend()
                self._commit_together(batch, mended=True)
            elif len(batch) == 1:
                self._refuse(batch[0], error)
            else:
                for write in batch:  # one of them broke the transaction: each for itself now
                    self._commit_together([write], mended=mended)
            return
        try:
            self._commit_log()
        except (apsw.Error, Unwritable) as error:
            # What the log holds now is not known: none is tried again, lest it is done twice.
            self._back_out()
            self._stale = True
            done.refused += [(write, error) for write, _ in done.answered]
            for write, refusal in done.refused:
                self._refuse(write, refusal)
            return
        self._publish(done)

    def _write_together(self, batch: list[_Write]) -> "_Done":
        if self._broken is not None:
            raise self._broken
        self._catch_up()
        self._log.begin()
        self._projector.begin()
        done = _Done()
        for write in batch:
            try:
                decision = self._decide(write)
            except (apsw.CorruptError, apsw.NotADBError) as error:
                raise TornViews(str(error)) from error
            except (apsw.Error, DamagedLog):
                raise  # the transaction may be gone
            except Exception as error:  # noqa: BLE001 - whatever a decision raises belongs to whoever asked
                done.refused.append((write, error))
                continue
            try:
                done.answered.append((write, self._record(write, decision, done.stored)))
            except WrongVersion as error:
                done.refused.append((write, error))
        return done

    def _catch_up(self) -> None:
        if self._stale and not self._torn:
            try:
                self._projector.catch_up()
            except (apsw.CorruptError, apsw.NotADBError, apsw.IOError) as error:
                if isinstance(error, apsw.IOError) and _code(error) not in _UNREADABLE:
                    raise
                log.warning("the read tables cannot be brought up to date (%s); they are built anew", error)
                self._torn = True
        if self._torn:
            self._projector.mend()
        self._stale = self._torn = False

    def _decide(self, write: _Write) -> Decision | Written:
        before = None if write.key is None else self._log.answered(write.key)
        if before is None:
            return write.decide(self._projector.db)
        request, position, reply = before
        if request != write.request:
            raise KeyReused("this Idempotency-Key was used for another request; make a new one")
        return Written(position, msgspec.json.decode(reply), repeated=True)

    def _record(self, write: _Write, decision: Decision | Written, written: list[Stored]) -> Written:
        if isinstance(decision, Written):
            return decision
        if decision.events:
            action = write.action or new_id(now_ms())
            stored = self._log.append(decision.events, actor=write.actor, action=action)
            try:
                self._projector.apply(stored)
            except (apsw.CorruptError, apsw.NotADBError) as error:
                raise TornViews(str(error)) from error
            written.extend(stored)
        if write.key is not None:
            self._log.answer(write.key, write.request, msgspec.json.encode(decision.value))
        return Written(self._log.head, decision.value)

    def _commit_log(self) -> None:
        try:
            self._log.commit()
        except apsw.Error as error:
            self._log.unsettle()
            if isinstance(error, apsw.IOError) and _is_failed_sync(error) and not self._log.disk_is_full():
                # After a failed fsync the kernel may call the lost pages clean, and the next one would succeed over
                # the hole (fsyncgate, 2018): nothing may be acknowledged before the log was opened anew.
                self._broken = Unwritable(
                    f"the disk of the data folder failed ({error}), and the last writes may or may not have been kept",
                    "see to the disk, then restart the daemon",
                )
                raise self._broken from error
            raise

    def _publish(self, done: "_Done") -> None:
        self.problem = None
        try:
            self._projector.commit()
        except apsw.Error as error:
            log.warning("the read tables could not be written (%s); they are brought up to date when they can", error)
            self._back_out()
            self._stale = True
            self._note(self._told(error))
        try:
            if done.stored:
                self._announce(done.stored)
        except Exception:
            log.exception("what was written could not be announced")  # it is durable: whoever asked must hear so
        refused: list[_Told] = [(write, None, error) for write, error in done.refused]
        _answer(refused + [(write, value, None) for write, value in done.answered])
        self._commits += 1
        if self._commits % WAL_LOOK == 0:
            self._guarded(self._bound_wals)

    def _bound_wals(self) -> None:
        """Readers that overlap without end keep SQLite from starting a write-ahead log anew: wait for a gap."""
        for part in (self._log, self._projector):
            if part.wal_bytes() > self._wal_limit:
                part.shrink()

    def _back_out(self) -> None:
        for backs_out in (self._log.rollback, self._projector.rollback):
            try:
                backs_out()
            except apsw.Error as error:
                log.warning("a transaction could not be taken back (%s); the next write will try again", error)

    def _refuse(self, write: _Write, error: Exception) -> None:
        if isinstance(error, (apsw.Error, OSError, TornViews)):
            log.error("a write failed: %s", error)
            error = self._told(error)
        elif not isinstance(error, (LogError, Unwritable)):
            log.error("a write could not be recorded", exc_info=error)
        if isinstance(error, DamagedLog):
            error = Unwritable(error.what, error.cure)
        self._note(error)
        _answer([(write, None, error)])

    def _note(self, error: Exception) -> None:
        if isinstance(error, Unwritable):
            self.problem = error

    def _told(self, error: Exception) -> Exception:
        """Give an error of the disk in words for whoever asked."""
        full = self._log.disk_is_full() or is_full(self._projector.db)
        if isinstance(error, apsw.FullError) or (isinstance(error, apsw.IOError) and full):
            return Unwritable("the disk of the data folder is full", "free some space, and writing goes on by itself")
        if isinstance(error, (apsw.CorruptError, apsw.NotADBError)):
            self._log.damage = self._log.damage or DamagedLog(f"SQLite finds the log damaged ({error})")
            return self._log.damage
        if isinstance(error, TornViews):
            return Unwritable(
                f"the read tables are damaged and could not be built anew ({error})",
                "stop the daemon and run `hikazed rebuild`",
            )
        if isinstance(error, (apsw.Error, OSError)):
            return Unwritable(
                f"the library could not be written ({error}), and what was asked may or may not have been kept",
                "if it happens again, stop the daemon and run `hikazed check`",
            )
        return error


_UNREADABLE = (
    apsw.SQLITE_IOERR_READ,
    apsw.SQLITE_IOERR_SHORT_READ,
    apsw.SQLITE_IOERR_DATA,
    apsw.SQLITE_IOERR_CORRUPTFS,
)


def _code(error: apsw.IOError) -> int:
    return getattr(error, "extendedresult", apsw.SQLITE_IOERR)  # what did not come from SQLite has none


_SYNCS = (apsw.SQLITE_IOERR_FSYNC, apsw.SQLITE_IOERR_DIR_FSYNC)


def _is_failed_sync(error: apsw.IOError) -> bool:
    """Tell whether it may have been a sync that failed: where SQLite does not say, we take it for one."""
    return _code(error) in (apsw.SQLITE_IOERR, *_SYNCS)


_Told = tuple[_Write, Written | None, Exception | None]


@dataclass(slots=True)
class _Done:
    stored: list[Stored] = field(default_factory=list[Stored])
    answered: list[tuple[_Write, Written]] = field(default_factory=list[tuple[_Write, Written]])
    refused: list[tuple[_Write, Exception]] = field(default_factory=list[tuple[_Write, Exception]])


def _answer(told: Sequence[_Told]) -> None:
    """Give whoever waits the answer or the error."""
    loops: dict[asyncio.AbstractEventLoop, list[_Told]] = {}
    for write, value, error in told:
        if isinstance(write.answer, _InLoop):
            loops.setdefault(write.answer.loop, []).append((write, value, error))
        elif write.answer.set_running_or_notify_cancel():
            _settle(write.answer, value, error)
    for loop, those in loops.items():
        with contextlib.suppress(RuntimeError):  # the loop was closed: nobody waits there any more
            loop.call_soon_threadsafe(_answer_in_loop, those)


def _answer_in_loop(told: Sequence[_Told]) -> None:
    for write, value, error in told:
        assert isinstance(write.answer, _InLoop)
        if not write.answer.future.done():
            _settle(write.answer.future, value, error)


def _settle(
    answer: "Future[Written] | asyncio.Future[Written]", value: Written | None, error: Exception | None
) -> None:
    if error is not None:
        answer.set_exception(error)
    elif value is not None:
        answer.set_result(value)
