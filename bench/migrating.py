"""What users already have: how long it takes to come along, what memory that costs, and how soon it can be stopped."""

import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from . import beside, earlier, plainly
from .beside import Beside
from .daemon import Daemon
from .desk import Desk
from .earlier import Earlier
from .hearing import Ear
from .library import Library
from .measure import Row, below, mebibytes, seconds, timed, times_the_floor_at_most
from .stock import Stock
from .taken import cpu_s, most_memory

MODELS = 10_000
PART = 10  # the small library has a tenth of the models: the memory taken must not tell the two apart
ROUTE = "/api/migration/migrate_legacy_db"
SETTLED_S = 2.2  # a file that has not changed for so long is at rest at the first look
SILENT_S = 120.0  # so long without an event that is waited for, and something is wrong
CANCEL_AFTER = 10  # rows

Make = Callable[[str, str, int, Stock], Earlier]


def rows(desk: Desk) -> Iterator[Row]:
    """A library of v1, one of v2, and models with the sidecars of every manager; each with a tenth of it as well."""
    stock = Stock()
    yield from _earlier(
        desk, "v1", earlier.make_v1, stock, 1.5, "encode or decode its pictures two at a time, copy them"
    )
    yield from _earlier(desk, "v2", earlier.make_v2, stock, 3.0, "decode its pictures two at a time, copy them")
    yield from _beside(desk, stock)


# Earlier libraries ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Ran:
    """A migration that was done: seconds of it, of a second one, until all claims are confirmed; bytes of memory."""

    took: float
    again: float
    confirmed: float
    cpu: float
    memory_before: float
    memory: float
    told: int


@dataclass(frozen=True, slots=True)
class _Place:
    """An earlier library, the model root it knows, and where new libraries are made that watch this root."""

    folder: str
    root: str
    earlier: Earlier

    def library(self, name: str) -> Library:
        """Make the folders of a new library."""
        return _new_library(self.folder, name, self.root, self.earlier.models)


def _earlier(desk: Desk, form: str, make: Make, stock: Stock, aim: float, how: str) -> Iterator[Row]:
    models = desk.scaled(MODELS)
    with _made(desk, f"{form}-few", make, models // PART, stock) as place:
        few = _migrate(desk, place)
    with _made(desk, form, make, models, stock) as place:
        floors = [_floor(place)]
        many = _migrate(desk, place)
        floors.append(_floor(place))
        cancelled = _cancel(place)
        read = timed(lambda: plainly.read_rows(place.earlier))
        pictures = len(place.earlier.to_encode) + len(place.earlier.to_copy)
    name = f"{models:,} models of {form}"
    yield Row(
        f"migrate {name}",
        how,
        sum(floors) / len(floors),
        many.took,
        seconds,
        times_the_floor_at_most(aim),
        f"{pictures:,} picture files; {many.cpu:.1f} s of CPU; progress was told {many.told:,} times",
    )
    yield Row("... once more, with nothing new", "read its rows", read, many.again, seconds)
    yield Row("... from its end until the claimed hashes are confirmed", "", 0, many.confirmed, seconds)
    yield Row(
        f"most memory of the daemon with {name}",
        f"{models // PART:,} models",
        few.memory,
        many.memory,
        mebibytes,
        times_the_floor_at_most(1.3),
        f"{mebibytes(few.memory_before)} and {mebibytes(many.memory_before)} before it began",
    )
    yield Row(f"cancel a migration of {form}", "", 0, cancelled, seconds, below(2, seconds))


@contextmanager
def _made(desk: Desk, name: str, make: Make, models: int, stock: Stock) -> Iterator[_Place]:
    """Give an earlier library, which is removed in the end: a large one takes gigabytes."""
    desk.tell(f"{name}: making an earlier library of {models:,} models with their pictures")
    folder = desk.folder(name)
    root, data = (os.path.join(folder, part) for part in ("models", "earlier"))
    os.mkdir(data)
    earlier.make_files(root, models)
    place = _Place(folder, root, make(data, root, models, stock))
    time.sleep(SETTLED_S)
    try:
        yield place
    finally:
        shutil.rmtree(folder)


def _migrate(desk: Desk, place: _Place) -> _Ran:
    """Migrate twice, in a daemon that has looked at the models before."""
    models, hashed = place.earlier.models, place.earlier.hashed
    desk.tell(f"{place.earlier.form}: {models:,} models into the real daemon")
    with Daemon(place.library("whole")) as daemon, Ear(daemon.program()) as ear:
        ear.wait("pending-found", models, at_most=SILENT_S)
        memory_before, cpu_before = most_memory(daemon.pid), cpu_s(daemon.pid)
        begun = time.perf_counter()
        _ask(daemon, place)
        took = time.perf_counter() - begun
        cpu = cpu_s(daemon.pid) - cpu_before
        ended = ear.wait("migration-ended", 1, at_most=SILENT_S)
        confirmed = ear.wait("claim-confirmed", hashed, at_most=SILENT_S) - ended
        again = timed(lambda: _ask(daemon, place))
        if len(ear.heard("row-migrated")) < models:
            raise RuntimeError(f"of {models:,} rows only {len(ear.heard('row-migrated')):,} came")
        told = sum(count for task, count in ear.progress.items() if task.startswith("migration"))
        return _Ran(took, again, max(0.0, confirmed), cpu, memory_before, most_memory(daemon.pid), told)


def _cancel(place: _Place) -> float:
    """Give the seconds from the wish to cancel until the migration has ended."""
    with Daemon(place.library("cancelled")) as daemon, Ear(daemon.program()) as ear:
        ear.wait("pending-found", place.earlier.models, at_most=SILENT_S)
        migration = threading.Thread(target=_ask, args=(daemon, place))
        migration.start()
        ear.wait("row-migrated", CANCEL_AFTER, at_most=SILENT_S)
        begun = time.perf_counter()
        daemon.program().send("DELETE", ROUTE, {})
        migration.join()
        took = time.perf_counter() - begun
        if len(ear.heard("row-migrated")) >= place.earlier.models:
            raise RuntimeError("the migration was over before it was cancelled: measure at a larger scale")
        return took


def _ask(daemon: Daemon, place: _Place) -> Any:
    body = {"legacy_db_path": place.earlier.database, "legacy_images_dir": place.earlier.images}
    return daemon.program().send("POST", ROUTE, body)


def _floor(place: _Place) -> float:
    """Give the seconds of what cannot be left out: read the rows, make tiers, see that a picture is whole, copy it."""
    target = os.path.join(place.folder, "copied")
    os.mkdir(target)
    read = timed(lambda: plainly.read_rows(place.earlier))
    copied = timed(lambda: plainly.copy_files(place.earlier.to_copy, target))
    shutil.rmtree(target)
    made = plainly.encode_time(place.earlier.to_encode) + plainly.decode_time(place.earlier.to_copy)
    return read + copied + made


# Sidecars ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Seen:
    """A first look at models with sidecars: seconds from the start of the daemon until all of a kind are visible."""

    found: float
    told: float
    pictured: float
    cpu: float
    memory: float


def _beside(desk: Desk, stock: Stock) -> Iterator[Row]:
    models = desk.scaled(MODELS)
    few, _ = _looked(desk, "sidecars-few", models // PART, stock)
    many, floors = _looked(desk, "sidecars", models, stock)
    yield Row(
        f"start with {models:,} models until the last sidecar is visible",
        "read headers, sidecars, INSERT, plainly",
        floors[0],
        many.told,
        seconds,
        below(60, seconds),
        f"the models themselves after {seconds(many.found)}; {many.cpu:.1f} s of CPU until the last preview",
    )
    yield Row(
        "... until the last preview is",
        "decode them two at a time, copy them",
        floors[1],
        many.pictured,
        seconds,
        times_the_floor_at_most(3),
    )
    yield Row(
        f"most memory of the daemon with {models:,} sidecars",
        f"{models // PART:,} sidecars",
        few.memory,
        many.memory,
        mebibytes,
        times_the_floor_at_most(1.3),
    )


def _looked(desk: Desk, name: str, models: int, stock: Stock) -> tuple[_Seen, tuple[float, float]]:
    desk.tell(f"{name}: making {models:,} models with sidecars and previews, and starting the real daemon on them")
    folder = desk.folder(name)
    root = os.path.join(folder, "models")
    made = beside.make(root, models, stock)
    time.sleep(SETTLED_S)
    try:
        seen = _look(_new_library(folder, "whole", root, models))
        return seen, _floors_beside(folder, made)
    finally:
        shutil.rmtree(folder)


def _look(library: Library) -> _Seen:
    with Daemon(library) as daemon, Ear(daemon.program()) as ear:
        found, told, pictured = (
            ear.wait(kind, library.models, at_most=SILENT_S) - daemon.begun
            for kind in ("pending-found", "pending-provided", "pending-pictured")
        )
        return _Seen(found, told, pictured, cpu_s(daemon.pid), most_memory(daemon.pid))


def _floors_beside(folder: str, made: Beside) -> tuple[float, float]:
    target = os.path.join(folder, "copied")
    os.mkdir(target)
    read = timed(lambda: plainly.read_beside(made, os.path.join(folder, "plain.db")))
    copied = timed(lambda: plainly.copy_files(made.previews, target))
    return read, copied + plainly.decode_time(made.previews)


def _new_library(folder: str, name: str, root: str, models: int) -> Library:
    data, drop = (os.path.join(folder, name, part) for part in ("data", "drop"))
    for path in (data, drop):
        os.makedirs(path, 0o700)
    return Library(data, root, drop, models, 0)
