"""The queue of imports: asked for one by one or all at once, worked off in order, carried over a restart."""

import asyncio
import logging
import secrets
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import apsw
import msgspec

from ..events.catalog import ImportCancelled, ImportRequested, Strategy
from ..events.record import New
from ..events.writer import Decision, Unwritable
from ..projections import imports, pending, pendinglist, roots
from .importplan import Failed, ImportStopped, Withdrawn, end_of, of_import
from .ingest import AFTER_PLAN, STEPS, Job, Step, Tools, job_of, let_go, take_hold, take_up

Group = Literal["conflict", "failed"]
"""The pending models that wait and whose last import ended so."""

WORKERS = 2  # hashing two files at once is nearly twice as fast, a third only makes one disk seek
LOOK_EVERY_S = 1.0  # at whether what an import waits for answers
TIDY_S = 5.0  # so long the start waits for what an import has left; it goes on after that
RETRY_S = 10.0  # what the log could not take (disk full) is tried again after this

log = logging.getLogger(__name__)


class NoSuchPending(LookupError):
    """There is no pending model of this id."""


class Paused(Exception):
    """The pending model lies in a root that is paused."""


class AlreadyQueued(Exception):
    """The pending model waits to be imported already."""


class Ended(msgspec.Struct, frozen=True):
    """How an import ended: the state of its record, with what belongs to it."""

    op: str
    pending: int
    state: str
    position: int
    status: str | None = None
    sha256: str | None = None
    path: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Wish:
    """What to do with pending models that are to be imported."""

    strategy: Strategy | None = None
    type: str | None = None


class _Amount:
    """How much of the queue is done since it was last empty: imports, and the bytes of their files."""

    def __init__(self) -> None:
        self._sizes: dict[str, int] = {}
        self._done = self._total = self._bytes = self._bytes_total = 0

    def add(self, jobs: Sequence[Job], sizes: Mapping[int, int]) -> None:
        """Take in imports, with the sizes of files by pending model."""
        self._sizes |= {job.op: sizes.get(job.pending, 0) for job in jobs}
        self._total += len(jobs)
        self._bytes_total += sum(self._sizes[job.op] for job in jobs)

    def finish(self, job: Job) -> None:
        """Count an import as done, however it ended."""
        self._done += 1
        self._bytes += self._sizes.pop(job.op, 0)

    def forget(self, job: Job) -> None:
        """Count an import no more that was taken back before it began."""
        self._total -= 1
        self._bytes_total -= self._sizes.pop(job.op, 0)

    def figures(self) -> dict[str, int]:
        """Give what there is to tell."""
        return {
            "done": self._done,
            "total": self._total,
            "bytes": self._bytes,
            "bytes_total": self._bytes_total,
        }


class Importer:
    """Works off the queue. `start` takes up what a restart left; `close` stops after the step under way."""

    def __init__(
        self,
        tools: Tools,
        look_again: Callable[[Sequence[str]], None],
        imported: Callable[[str], Awaitable[None]],
        steps: Sequence[Step] = STEPS,
        *,
        retry_s: float = RETRY_S,
    ) -> None:
        """Work with `tools`; `look_again` gets the paths an import touched, `imported` the hash of each model."""
        self._tools = tools
        self._library = tools.library
        self._look_again = look_again
        self._imported = imported
        self._steps = tuple(steps)
        self._retry_s = retry_s
        self._queue: deque[Job] = deque()
        self._running: dict[str, Job] = {}
        self._waiters: dict[str, asyncio.Future[Ended]] = {}
        self._wake = asyncio.Event()
        self._workers: list[asyncio.Task[None]] = []
        self._tasks: set[asyncio.Task[Any]] = set()
        self._of = _Amount()

    async def recover(self) -> None:
        """Take up what a crash interrupted: finished once started. Call before anybody looks at the disk."""
        db = self._library.db
        untidied = [job for job in map(job_of, imports.untidied(db)) if job.resumed]
        late = [job for job in untidied if not await self._is_tidied(job)]
        jobs = [job_of(known) for known in imports.unfinished(db)]
        begun = [job for job in jobs if job.resumed]
        for job in (*late, *begun):
            take_hold(self._tools, job)
        every = [*late, *begun, *(job for job in jobs if not job.resumed)]
        self._enqueue(every, pendinglist.sizes(db, [job.pending for job in every]))

    async def _is_tidied(self, job: Job) -> bool:
        """Tidy up behind an import that was done; False where the disk refuses: a worker tries until it does not.

        Where the disk does not answer it goes on beside.
        """
        job.done = True
        task = asyncio.create_task(self._tidy_up(job))
        await asyncio.wait([task], timeout=TIDY_S)
        if not task.done():
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            return True
        return task.result()

    async def _tidy_up(self, job: Job) -> bool:
        try:
            await self._steps[-1](self._tools, job)
        except (Unwritable, OSError) as error:
            log.warning("the import of pending model %d is tidied up later: %s", job.pending, error)
            return False
        return True

    def start(self) -> None:
        """Start working."""
        self._workers = [asyncio.create_task(self._work(), name=f"import-{n}") for n in range(WORKERS)]

    async def close(self) -> None:
        """Stop; what is under way goes on at the next start."""
        for job in self._running.values():
            job.stop.set()
        ending = [*self._workers, *self._tasks]
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)

    # Asking ---------------------------------------------------------------------------------------------

    async def one(self, number: int, wish: Wish, *, actor: str, key: str | None, request: bytes) -> Ended:
        """Import one pending model and wait until it has ended.

        Raises `NoSuchPending`, `AlreadyQueued`, `Paused`, and what a write raises. The import goes on if nobody waits.
        """
        job = Job(secrets.token_hex(8), number, wish.strategy, wish.type, actor, secrets.token_bytes(16), waited=True)
        sizes: dict[int, int] = {}

        def ask(db: apsw.Connection) -> Decision:
            sizes.update(pendinglist.sizes(db, [number]))
            if number not in sizes:
                raise NoSuchPending(f"there is no pending model {number}; list them with `hikazed pending`")
            if imports.open_import_of(db, number) is not None:
                raise AlreadyQueued(f"pending model {number} is being imported already")
            if number in roots.paused_pending(db):
                raise Paused(f"the folder of pending model {number} is paused; resume that, then import it")
            return Decision([_request(job.op, number, wish)], job.op)

        written = await self._library.write(ask, actor=actor, action=job.action, key=key, request=request)
        if written.repeated:
            return await self._outcome(str(written.value))
        waiter = self._waiters[job.op] = asyncio.get_running_loop().create_future()
        self._enqueue([job], sizes)
        return await asyncio.shield(waiter)

    async def many(
        self, which: Sequence[int] | Group | None, wish: Wish, *, actor: str, key: str | None, request: bytes
    ) -> tuple[int, int, str]:
        """Queue several pending models, a group, or all that wait: (how many, the position, the action's id)."""
        action = secrets.token_bytes(16)
        jobs: list[Job] = []
        sizes: dict[int, int] = {}

        def ask(db: apsw.Connection) -> Decision:
            chosen = _chosen(db, which)
            ops = [(secrets.token_hex(8), number) for number in chosen if imports.open_import_of(db, number) is None]
            sizes.update(pendinglist.sizes(db, chosen))
            jobs[:] = [Job(op, number, wish.strategy, wish.type, actor, action) for op, number in ops]
            return Decision([_request(op, number, wish) for op, number in ops], [len(ops), action.hex()])

        written = await self._library.write(ask, actor=actor, action=action, key=key, request=request)
        queued, name = written.value
        if not written.repeated:
            self._enqueue(jobs, sizes)
        return queued, written.position, name

    async def cancel(self, numbers: Set[int] | None = None, *, actor: str) -> tuple[int, int]:
        """Take back every import that has not put a file into its place (None: of all): (how many, the position).

        Those that read or copy a file are told to stop: what comes of them is told by the events.
        """

        def is_meant(job: Job) -> bool:
            return numbers is None or job.pending in numbers

        waiting = [job for job in self._queue if job.plan is None and is_meant(job)]
        stopping = [job for job in self._running.values() if _can_stop(job) and is_meant(job)]
        taken = {job.op for job in waiting}
        self._queue = deque(job for job in self._queue if job.op not in taken)
        events = [of_import(job.op, ImportCancelled(job.op, job.pending)) for job in waiting]
        try:
            written = await self._library.write(lambda _db: Decision(events), actor=actor)
        except Exception:
            self._queue.extendleft(reversed(waiting))
            self._wake.set()
            raise
        for job in stopping:
            job.stop.set()
        for job in waiting:
            self._of.forget(job)
            self._tell(job, written.position)
        self._show()
        return len(waiting) + sum(map(_can_stop, stopping)), written.position

    def leave(self, root: int, why: str) -> None:
        """A root is paused or removed: what of it is being read and has changed nothing yet fails, and says why."""
        for job in self._running.values():
            if job.plan is None and job.subject is not None and job.subject.root == root:
                job.halted = why
                job.stop.set()

    def under_way(self) -> dict[str, int]:
        """Give how many imports wait, run, and were done since the queue was last empty, with the bytes of all."""
        return {"queued": len(self._queue), "running": len(self._running)} | self._of.figures()

    # Working --------------------------------------------------------------------------------------------

    def _enqueue(self, jobs: Sequence[Job], sizes: Mapping[int, int]) -> None:
        if not self._queue and not self._running:
            self._of = _Amount()
        self._of.add(jobs, sizes)
        self._queue.extend(jobs)
        self._wake.set()
        self._show()

    async def _outcome(self, op: str) -> Ended:
        """Give how an import that was asked for before ended, or will end."""
        known = imports.get(self._library.db, op)
        if known is not None and known.state not in ("queued", "planned"):
            return _ended(known, self._library.news.head)
        waiter = self._waiters.get(op)
        if waiter is None:
            waiter = self._waiters[op] = asyncio.get_running_loop().create_future()
        return await asyncio.shield(waiter)

    async def _work(self) -> None:
        while True:
            while not self._queue:
                self._wake.clear()
                await self._wake.wait()
            job = self._queue.popleft()
            task = asyncio.create_task(self._to_its_end(job), name=f"import-of-{job.pending}")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            while not task.done() and not self._hangs(job):
                await asyncio.wait([task], timeout=LOOK_EVERY_S)

    def _hangs(self, job: Job) -> bool:
        """Tell whether an import waits for a file system that does not answer: it waits on, and others go on."""
        return not all(self._tools.answers(path) for path in job.busy)

    async def _to_its_end(self, job: Job) -> None:
        try:
            await self._run(job)
        except Exception as error:
            # The outermost edge of an import: whoever waits must hear of it, and the next one must run.
            log.exception("the import of pending model %d could not be ended", job.pending)
            waiter = self._waiters.pop(job.op, None)
            if waiter is not None and not waiter.done():
                waiter.set_exception(error)

    async def _run(self, job: Job) -> None:
        self._running[job.op] = job
        try:
            await self._through(job)
        except Exception:
            # The outermost edge of an import: a fault of ours must not stop the queue.
            log.exception("import of pending model %d failed", job.pending)
            await self._end(job, Failed("an error in Hikaze itself; its log has the details"))
        finally:
            self._running.pop(job.op, None)
            self._of.finish(job)
            paths = let_go(self._tools, job)
            await job.held.aclose()
            self._library.news.finished(f"import/{job.op}")
            self._show()
            self._look_again(paths)

    async def _through(self, job: Job) -> None:
        try:
            if job.resumed and not job.done:
                await take_up(self._tools, job)
            for step in self._steps[-1 if job.done else AFTER_PLAN if job.resumed else 0 :]:
                await self._persist(job, partial(step, self._tools, job))
                if job.stop.is_set() and job.plan is None:
                    raise Withdrawn("cancelled")
        except ImportStopped as stopped:
            await self._end(job, Failed(job.halted) if job.halted and isinstance(stopped, Withdrawn) else stopped)
        else:
            await self._persist(job, self._library.caught_up)
            self._tell(job, job.position)
            if job.planned.status == "imported":
                await self._imported(job.planned.model)

    async def _end(self, job: Job, stopped: ImportStopped) -> None:
        async def write() -> None:
            written = await self._library.write(
                lambda db: Decision(end_of(db, job.op, job.pending, stopped)), actor=job.actor, action=job.action
            )
            await self._library.caught_up()
            self._tell(job, written.position)

        await self._persist(job, write)

    async def _persist(self, job: Job, act: Callable[[], Awaitable[None]]) -> None:
        """Do what writes to the log until the log takes it; whoever waits is told at once that it does not.

        The same where the disk refuses once there is a plan: the steps that can still turn back say so with `Failed`,
        in the others the file has its new place already, and only going on leaves nothing half.
        """
        while True:
            try:
                await act()
            except (Unwritable, OSError) as error:
                if isinstance(error, OSError) and job.plan is None:
                    raise Failed(f"the disk refused ({error.strerror or error}); see to it and try again") from error
                log.warning("import of pending model %d waits: %s", job.pending, error)
                waiter = self._waiters.pop(job.op, None)
                if waiter is not None and not waiter.done():
                    waiter.set_exception(error)
                await asyncio.sleep(self._retry_s)
            else:
                return

    def _tell(self, job: Job, position: int) -> None:
        waiter = self._waiters.pop(job.op, None)
        known = imports.get(self._library.db, job.op)
        if waiter is not None and not waiter.done() and known is not None:
            waiter.set_result(_ended(known, position))

    def _show(self) -> None:
        if self._queue or self._running:
            self._library.news.progress("imports", what="importing", **self._of.figures())
        else:
            self._library.news.finished("imports")


def _chosen(db: apsw.Connection, which: Sequence[int] | Group | None) -> list[int]:
    """Give the pending models that are meant, those in paused roots only where named; raises `NoSuchPending`."""
    waiting, paused = pending.waiting(db), roots.paused_pending(db)
    if which is None:
        return [number for number in waiting if number not in paused]
    if isinstance(which, str):
        there = set(waiting) - paused
        return [number for number in pendinglist.ids(db, which) if number in there]
    numbers = [int(number) for number in which]
    for number in sorted(set(numbers).difference(waiting)):
        if pending.get(db, number) is None:
            raise NoSuchPending(f"there is no pending model {number}; list them with `hikazed pending`")
    return list(dict.fromkeys(numbers))


def _can_stop(job: Job) -> bool:
    """Tell whether nothing lies in its new place yet, and something is read for long before it does."""
    return job.plan is None or (job.plan.copies and job.placed is None and not job.done)


def _request(op: str, number: int, wish: Wish) -> New:
    return of_import(op, ImportRequested(op, number, wish.strategy, wish.type))


def _ended(known: imports.Import, position: int) -> Ended:
    return Ended(known.op, known.pending, known.state, position, known.status, known.model, known.path, known.reason)
