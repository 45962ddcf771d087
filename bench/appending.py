"""Durable appends: the writer as the daemon uses it, log and read tables together."""

import asyncio
import hashlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from statistics import median

import apsw
from hikaze.events.catalog import Event, ModelImported, ModelTagged, ModelUntagged, TagCreated
from hikaze.events.log import EventLog
from hikaze.events.record import New, Stored
from hikaze.events.writer import Decision, Projector, Writer
from hikaze.projections.runner import Views

from .desk import Desk
from .measure import Row, a_second, below, from_on, quantile, seconds, times_the_floor_at_least

TIMES = 3
RUN_S = 1.0
MODELS = 1_000
PRODUCERS = 64
PAGE = 4096
WAL_PAGES = 1_000  # after so many SQLite begins its WAL anew, and writes over it


def rows(desk: Desk) -> Iterator[Row]:
    """One producer that waits for each answer; then 64."""
    desk.tell("append: 4 KiB with fdatasync, one producer, 64 producers, in turn")
    folder = desk.folder("append")
    shop = _Shop(os.path.join(folder, "whole"))
    log_alone = _Shop(os.path.join(folder, "log"), views=False)
    floors: list[float] = []
    in_place: list[float] = []
    singles: list[list[float]] = []
    manys: list[list[float]] = []
    alone: list[float] = []
    for _ in range(TIMES):
        floors.append(_floor(os.path.join(folder, "appended")))
        in_place.append(_floor(os.path.join(folder, "in-place"), pages=WAL_PAGES))
        singles.append(shop.one_producer())
        alone.append(len(log_alone.one_producer()) / RUN_S)
        manys.append(asyncio.run(shop.producers(PRODUCERS)))
    log_alone_64 = len(asyncio.run(log_alone.producers(PRODUCERS))) / RUN_S
    shop.close()
    log_alone.close()
    floor, ours = median(floors), median(map(len, singles)) / RUN_S
    yield Row(
        "durable appends, 1 producer",
        "4 KiB appended + fdatasync",
        floor,
        ours,
        a_second,
        times_the_floor_at_least(0.9),
        f"the log alone {a_second(median(alone))}; 4 KiB written over in place {a_second(median(in_place))};"
        f" p50 {seconds(median(map(median, singles)))}, p99 {seconds(median(quantile(run, 0.99) for run in singles))}",
    )
    yield Row(
        f"durable appends, {PRODUCERS} producers",
        "the same",
        floor,
        median(map(len, manys)) / RUN_S,
        a_second,
        from_on(30_000, a_second),
        f"the log alone {a_second(log_alone_64)}; p50 {seconds(median(map(median, manys)))}",
    )
    yield Row(
        f"... p99 of the wait for an answer, {PRODUCERS} producers",
        "1 / the same",
        1 / floor,
        median(quantile(run, 0.99) for run in manys),
        seconds,
        below(0.01, seconds),
    )


class _NoViews:
    """Stands in for the read tables, to see what the log costs alone."""

    def __init__(self) -> None:
        self.db = apsw.Connection(":memory:")

    def begin(self) -> None: ...
    def apply(self, events: Sequence[Stored]) -> None: ...
    def commit(self) -> None: ...
    def rollback(self) -> None: ...
    def catch_up(self) -> None: ...
    def mend(self) -> None: ...
    def shrink(self) -> None: ...

    def wal_bytes(self) -> int:
        return 0


class _Shop:
    """A library of 1,000 models whose tags are put on and taken off, an event a write."""

    def __init__(self, folder: str, *, views: bool = True) -> None:
        os.mkdir(folder)
        self._log = EventLog(os.path.join(folder, "log.db"))
        self._views = Views(os.path.join(folder, "views.db"), self._log) if views else None
        projector: Projector = self._views or _NoViews()
        self._writer = Writer(self._log, projector)
        self._writer.start()
        self._models = [hashlib.sha256(str(number).encode()).hexdigest() for number in range(MODELS)]
        self._submit(
            New("tag/1", TagCreated(1, "a tag")),
            *(New(f"model/{model}", ModelImported(model, model[:8], "loras", 1)) for model in self._models),
        )
        self._turn = 0

    def close(self) -> None:
        self._writer.stop()
        if self._views is not None:
            self._views.close()
        self._log.close()

    def one_producer(self) -> list[float]:
        """Write for a second; give how long each write took, in seconds."""
        waits: list[float] = []
        end = time.perf_counter() + RUN_S
        while (begin := time.perf_counter()) < end:
            self._submit(self._next())
            waits.append(time.perf_counter() - begin)
        return waits

    async def producers(self, count: int) -> list[float]:
        """The same with so many that each wait for their own."""
        waits: list[float] = []
        end = time.perf_counter() + RUN_S

        async def produce() -> None:
            while (begin := time.perf_counter()) < end:
                await self._writer.write(_decides(self._next()), actor="api")
                waits.append(time.perf_counter() - begin)

        await asyncio.gather(*(produce() for _ in range(count)))
        return waits

    def _submit(self, *events: New) -> None:
        self._writer.submit(_decides(*events), actor="api").result()

    def _next(self) -> New:
        turn, self._turn = self._turn, self._turn + 1
        model = self._models[turn % MODELS]
        event: Event = ModelUntagged(model, 1) if turn // MODELS % 2 else ModelTagged(model, 1)
        return New(f"model/{model}", event)


def _decides(*events: New) -> Callable[[apsw.Connection], Decision]:
    return lambda _db: Decision(events)


def _floor(path: str, *, pages: int = 0) -> float:
    """Give how often a second 4 KiB can be made durable: at the end of a file, or in one that has `pages` already.

    A plain INSERT in SQLite's WAL lies near the first, which is what shared/limits.md measures by; the second is
    what the disk can do where no file grows.
    """
    block = os.urandom(PAGE)
    with open(path, "wb", buffering=0) as file:
        file.write(block * pages)
        os.fsync(file.fileno())
        done, end = 0, time.perf_counter() + RUN_S
        while time.perf_counter() < end:
            os.pwrite(file.fileno(), block, (done % pages if pages else done) * PAGE)
            os.fdatasync(file.fileno())
            done += 1
    return done / RUN_S
