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

from .log import EventLog, LogError, New, Stored, WrongVersion, new_id, now_ms

BATCH = 500  # decisions in one transaction: bounds how long the first of them waits for its answer

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


class Unwritable(Exception):
    """Nothing can be written now; the message says why and what to do."""


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
        self, log_: EventLog, projector: Projector, announce: Callable[[list[Stored]], None] = lambda _: None
    ) -> None:
        """Write to a log and its read tables; `announce` is told, in the writer's thread, what was committed."""
        self._log = log_
        self._projector = projector
        self._announce = announce
        self._waiting: queue.SimpleQueue[_Write | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="hikaze-writer", daemon=True)
        self._stale = False  # the read tables could not be written and must catch up first
        self._broken: Unwritable | None = None  # the disk failed under a commit: what it holds is not known
        self.problem: str | None = None
        """Why the last transaction could not be written, None once one could."""
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
        write = self._waiting.get()
        while write is not None:
            batch.append(write)
            if len(batch) == BATCH:
                return batch
            try:
                write = self._waiting.get_nowait()
            except queue.Empty:
                return batch
        if batch:
            self._waiting.put(None)  # nothing comes behind it: found again when this batch is done
        return batch

    def _commit_together(self, batch: list[_Write]) -> None:
        try:
            done = self._write_together(batch)
        except Exception as error:  # noqa: BLE001 - the edge of the thread: whoever waits must hear of it
            self._back_out()
            if len(batch) == 1:
                self._refuse(batch[0], error)
                return
            for write in batch:  # one of them broke the transaction: each for itself now
                self._commit_together([write])
            return
        self._publish(done)

    def _write_together(self, batch: list[_Write]) -> "_Done":
        if self._broken is not None:
            raise self._broken
        if self._stale:
            self._projector.catch_up()
            self._stale = False
        self._log.begin()
        self._projector.begin()
        done = _Done()
        for write in batch:
            try:
                decision = self._decide(write)
            except apsw.Error:
                raise  # the transaction may be gone
            except Exception as error:  # noqa: BLE001 - whatever a decision raises belongs to whoever asked
                done.refused.append((write, error))
                continue
            try:
                done.answered.append((write, self._record(write, decision, done.stored)))
            except WrongVersion as error:
                done.refused.append((write, error))
        self._commit_log()
        return done

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
            self._projector.apply(stored)
            written.extend(stored)
        if write.key is not None:
            self._log.answer(write.key, write.request, msgspec.json.encode(decision.value))
        return Written(self._log.head, decision.value)

    def _commit_log(self) -> None:
        try:
            self._log.commit()
        except apsw.IOError as error:
            # After a failed fsync the kernel may call the lost pages clean, and the next one would succeed over
            # the hole (fsyncgate, 2018): nothing may be acknowledged before the log was opened anew.
            self._broken = Unwritable(
                f"the disk of the data folder failed ({error}); see to it, then restart the daemon."
                " The last writes may or may not have been kept"
            )
            raise self._broken from error

    def _publish(self, done: "_Done") -> None:
        self.problem = None
        try:
            self._projector.commit()
        except apsw.Error:
            log.exception("the read tables could not be written; they are brought up to date before the next write")
            self._projector.rollback()
            self._stale = True
        try:
            if done.stored:
                self._announce(done.stored)
        except Exception:
            log.exception("what was written could not be announced")  # it is durable: whoever asked must hear so
        refused: list[_Told] = [(write, None, error) for write, error in done.refused]
        _answer(refused + [(write, value, None) for write, value in done.answered])

    def _back_out(self) -> None:
        for backs_out in (self._log.rollback, self._projector.rollback):
            try:
                backs_out()
            except apsw.Error:
                log.exception("a transaction could not be taken back; the next write will try again")

    def _refuse(self, write: _Write, error: Exception) -> None:
        if isinstance(error, apsw.FullError):
            error = Unwritable("the disk of the data folder is full; free some space, nothing was changed")
        elif isinstance(error, (apsw.Error, OSError)):
            log.error("a write failed: %s", error)
            error = Unwritable(
                f"the library could not be written ({error}); nothing was changed. If it happens again, stop the"
                " daemon and run `hikazed check`"
            )
        elif not isinstance(error, (LogError, Unwritable)):
            log.error("a write could not be recorded", exc_info=error)
        if isinstance(error, Unwritable):
            self.problem = str(error)
        _answer([(write, None, error)])


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
