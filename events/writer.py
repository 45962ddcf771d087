"""The one writer: a thread that decides, appends, projects and commits what waits together.

A write is a decision: a function that reads the committed state and gives the events that follow from it.
Decisions run one after the other in the writer's thread, so nothing can come between the look and the
write. All that waits is committed in one transaction (group commit), which makes a durable write cheap
under load; whoever asked is answered after the commit.
"""

import asyncio
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
    answer: "Future[Written]" = field(default_factory=Future)


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
        self._stale = False

    def start(self) -> None:
        """Start the thread; the log's connection and the projector's belong to it from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Write what waits and end the thread."""
        self._waiting.put(None)
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
        raises `KeyReused`. What the decision raises, the answer raises; then nothing was written.
        """
        write = _Write(decide, actor, action, key, request)
        self._waiting.put(write)
        return write.answer

    async def write(self, decide: Decide, **how: Any) -> Written:
        """Do a write and wait for its answer, from a coroutine; takes what `submit` takes."""
        return await asyncio.wrap_future(self.submit(decide, **how))

    def _run(self) -> None:
        while (batch := self._take()) is not None:
            try:
                self._commit_together(batch)
            except Exception:
                # The outermost edge of the thread: whoever waits must hear of it, and the next write may work.
                log.exception("a batch of writes failed")
                for write in batch:
                    if not write.answer.done():
                        write.answer.set_exception(Unwritable("the write failed; see the daemon's log"))

    def _take(self) -> list[_Write] | None:
        batch = [self._waiting.get()]
        while batch[-1] is not None and len(batch) < BATCH:
            try:
                batch.append(self._waiting.get_nowait())
            except queue.Empty:
                break
        if batch[-1] is None:
            batch.pop()
            if not batch:
                return None
            self._waiting.put(None)
        return [write for write in batch if write is not None]

    def _commit_together(self, batch: list[_Write]) -> None:
        try:
            self._try_together(batch)
        except (apsw.Error, LogError, OSError) as error:
            self._back_out()
            if len(batch) == 1:
                self._refuse(batch[0], error)
                return
            for write in batch:  # one of them broke the transaction: each for itself now
                self._commit_together([write])

    def _try_together(self, batch: list[_Write]) -> None:
        if self._stale:
            self._projector.catch_up()
            self._stale = False
        self._log.begin()
        self._projector.begin()
        written: list[Stored] = []
        answers: list[tuple[_Write, Written]] = []
        refused: list[tuple[_Write, Exception]] = []
        for write in batch:
            try:
                answers.append((write, self._do(write, written)))
            except WrongVersion as error:
                refused.append((write, error))
            except (apsw.Error, LogError, OSError):
                raise
            except Exception as error:  # noqa: BLE001 - whatever a decision raises belongs to whoever asked
                refused.append((write, error))
        self._log.commit()
        try:
            self._projector.commit()
        except apsw.Error:
            log.exception(
                "the read tables could not be written; they are brought up to date before the next write"
            )
            self._projector.rollback()
            self._stale = True
        if written:
            self._announce(written)
        for write, error in refused:
            _settle(write.answer, error=error)
        for write, answer in answers:
            _settle(write.answer, answer)

    def _do(self, write: _Write, written: list[Stored]) -> Written:
        if write.key is not None:
            before = self._log.answered(write.key)
            if before is not None:
                request, position, reply = before
                if request != write.request:
                    raise KeyReused("this Idempotency-Key was used for another request; make a new one")
                return Written(position, msgspec.json.decode(reply), repeated=True)
        decision = write.decide(self._projector.db)
        if decision.events:
            action = write.action or new_id(now_ms())
            stored = self._log.append(decision.events, actor=write.actor, action=action)
            self._projector.apply(stored)
            written.extend(stored)
        if write.key is not None:
            self._log.answer(write.key, write.request, msgspec.json.encode(decision.value))
        return Written(self._log.head, decision.value)

    def _back_out(self) -> None:
        self._log.rollback()
        self._projector.rollback()

    def _refuse(self, write: _Write, error: Exception) -> None:
        if isinstance(error, apsw.FullError):
            error = Unwritable("the disk of the data folder is full; free some space, nothing was changed")
        elif isinstance(error, (apsw.Error, OSError)):
            log.error("a write failed: %s", error)
            error = Unwritable(f"the library could not be written ({error}); nothing was changed")
        _settle(write.answer, error=error)


def _settle(answer: "Future[Written]", value: Written | None = None, error: Exception | None = None) -> None:
    if not answer.set_running_or_notify_cancel():
        return
    if error is not None:
        answer.set_exception(error)
    elif value is not None:
        answer.set_result(value)
