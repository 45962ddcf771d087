"""The disk fails under the store at every call there is: nothing answered is lost, nothing is half, and it goes on.

`HIKAZE_TORTURE=all` lets every call fail in every way; without it each call fails in one of them, in turn.
"""

import logging
import os
import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import product
from pathlib import Path
from typing import Any, cast

import apsw
import pytest
from hikaze.daemon.commands.terminal import Progress
from hikaze.daemon.commands.upkeep import _build_in_place
from hikaze.events.errors import LogError
from hikaze.events.log import EventLog
from hikaze.projections.runner import Views, dump

from .faultvfs import KINDS, Fault, disk
from .storelife import Ledger, LifeEnds, run_life, wrong_in

ALL = os.environ.get("HIKAZE_TORTURE") == "all"
SHM = "/dev/shm"  # noqa: S108 - the fastest place for small files; the system's own where it is not there
PARTS = 8  # so that none takes long on a machine that has other things to do
WAYS = tuple(product(("IOERR", "FULL"), (False, True)))

pytestmark = [pytest.mark.slow, pytest.mark.unhurried]


@pytest.fixture(autouse=True)
def _in_silence() -> Iterator[None]:
    """Let the library not say hundreds of times that the disk failed."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.fixture
def folder() -> Iterator[Path]:
    """Give a folder in memory where there is one."""
    with tempfile.TemporaryDirectory(prefix="hk-store-", dir=SHM if os.path.isdir(SHM) else None) as made:
        yield Path(made)


def faults(calls: Counter[str]) -> Iterator[Fault]:
    """Give the faults to try, for as many calls of each kind."""
    for kind in KINDS:
        for number in range(1, calls[kind] + 1):
            for error, lasting in WAYS if ALL else (WAYS[number % len(WAYS)],):
                yield Fault(kind, number, error, lasting)


@pytest.mark.parametrize("part", range(PARTS))
def test_every_call_of_an_import_fails(folder: Path, part: int) -> None:
    """Whichever write, sync, truncation or open fails, with an I/O error or a full disk, once or from then on."""
    with disk() as sound:
        assert run_life(str(folder / "sound"), Ledger()) is None
    wrong: list[str] = []
    hit: Counter[str] = Counter()
    for number, fault in enumerate(faults(sound.calls)):
        if number % PARTS == part:
            top = folder / str(number)
            told, files = fail_in_an_import(top, fault)
            shutil.rmtree(top)
            wrong += [f"{fault}: {one}" for one in told]
            hit.update(files)
    assert wrong == []
    assert {"log.db-wal", "views.db-wal"} <= hit.keys()


def fail_in_an_import(folder: Path, fault: Fault) -> tuple[list[str], list[str]]:
    """Live under a fault, then (of writes, after each fifth) again without it, then cut the power.

    Gives what was wrong, and which files failed.
    """
    data, left, ledger = str(folder / "data"), folder / "left", Ledger()
    left.mkdir(parents=True)
    with disk() as failing:
        failing.plan = fault

        def heal() -> None:
            failing.plan = None

        ended = run_life(data, ledger, heal)
        heal()
        wrong = _may_end(fault, ended) + wrong_in(data, ledger)
        if not (ALL or fault.kind != "write" or fault.number % 5 == 0):
            return wrong, [name for _, name in failing.failed]
        again = run_life(data, ledger)
        wrong += [f"the next start failed: {again!r}"] if again is not None else []
        wrong += wrong_in(data, ledger)
        failing.crash_into(data, str(left), random.Random(0), "none")  # noqa: S311
    wrong += [f"after a power cut {one}" for one in wrong_in(str(left), ledger)]
    return wrong, [name for _, name in failing.failed]


def _may_end(fault: Fault, ended: Exception | None) -> list[str]:
    """Say what is wrong with how a life under a fault ended: only a failed sync of the log may end it, or the start."""
    if ended is None or not isinstance(ended, LifeEnds):
        return []  # the start failed and said so
    if fault.kind == "sync" and fault.error == "IOERR" and "restart the daemon" in str(ended):
        return []
    return [f"it did not go on: {ended}"]


class Quiet:
    """Progress that nobody watches."""

    def show(self, *_: object) -> None:
        """Show nothing."""


def at_start(data: str) -> None:
    """Open the read tables as a start does."""
    with closing(EventLog(f"{data}/log.db", host=b"h" * 16)) as log:
        Views(f"{data}/views.db", log).close()


def by_command(data: str) -> None:
    """Do what `hikazed rebuild` does."""
    _build_in_place(data, cast("Progress", Quiet()))


@pytest.mark.parametrize("rebuild", [at_start, by_command])
def test_every_call_of_a_rebuild_fails(folder: Path, rebuild: Callable[[str], None]) -> None:
    """A rebuild that fails leaves the read tables as they were, or none; never half ones, and no room is wasted."""
    assert run_life(str(folder / "sound"), Ledger()) is None
    before = rows(folder / "sound")
    with disk() as sound:
        rebuild(str(stale(folder, "all")))
    failed = 0
    for number, fault in enumerate(faults(sound.calls)):
        data = stale(folder, str(number))
        with disk() as failing:
            failing.plan = fault
            try:
                rebuild(str(data))
            except (apsw.Error, LogError):
                failed += 1
                assert not (data / "views.db.new").exists(), fault
            failing.plan = None
            if (data / "views.db").exists():
                assert rows(data) == before, fault
            at_start(str(data))
        assert rows(data) == before, fault
        shutil.rmtree(data)
    assert failed > 10


def stale(folder: Path, name: str) -> Path:
    """Copy a library whose read tables must be built anew, though they are right: their seal is broken."""
    data = folder / name
    shutil.copytree(folder / "sound", data)
    (data / "views.db.seal").write_text("broken")
    return data


def rows(data: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Give every row of the read tables."""
    with closing(apsw.Connection(str(data / "views.db"))) as db:
        return dump(db)


@pytest.mark.parametrize("there", [("views.db.new",), ("views.db.new", "views.db-wal"), ()])
def test_a_crash_in_the_middle_of_the_exchange(folder: Path, there: tuple[str, ...]) -> None:
    """With the old read tables gone and the new ones not in their place yet, the next start has them again."""
    data = folder / "data"
    assert run_life(str(data), Ledger()) is None
    before = rows(data)
    content = (data / "views.db").read_bytes()
    for name in ("views.db", "views.db.seal"):
        (data / name).unlink()
    for name in there:
        (data / name).write_bytes(content)

    at_start(str(data))

    assert rows(data) == before
