"""The power fails under the store: every answered write is there, whole, and the read tables follow from the log.

`HIKAZE_TORTURE=all` tells thousands of stories instead of some; `python -m tests.torture.test_store_power SEED` one.
"""

import logging
import os
import random
import sys
import tempfile
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest

from .faultvfs import Fault, disk
from .powercuts import SHM, power_cuts
from .storelife import Ledger, run_life, wrong_in

STORIES = 1_500 if os.environ.get("HIKAZE_TORTURE") == "all" else 30


@pytest.fixture(autouse=True)
def _in_silence() -> Iterator[None]:
    """Let the library not say hundreds of times that the disk failed."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.fixture
def folder() -> Iterator[Path]:
    """Give a folder in memory where there is one."""
    with tempfile.TemporaryDirectory(prefix="hk-power-", dir=SHM if os.path.isdir(SHM) else None) as made:
        yield Path(made)


@pytest.mark.slow
@pytest.mark.unhurried
def test_any_sectors_may_be_lost() -> None:
    """Whatever of the unsynced sectors a power cut keeps, wherever, after kills and failed syncs, nothing is lost."""
    cuts = power_cuts(1, STORIES)

    assert cuts.wrong == []
    assert (cuts.stories, cuts.images > 3 * STORIES, cuts.promises > STORIES) == (STORIES, True, True)


def syncs_of_the_log(folder: Path) -> list[int]:
    """Give which syncs of a life, counted from 1, are those of the log's -wal."""
    with disk() as sound:
        assert run_life(str(folder / "sound"), Ledger(seldom=True)) is None
    syncs = [name for kind, name in sound.log if kind == "sync"]
    return [number for number, name in enumerate(syncs, 1) if name == "log.db-wal"]


@pytest.mark.slow
@pytest.mark.unhurried
def test_nothing_follows_a_hole(folder: Path) -> None:
    """After a failed sync and a kill, what the system shows of the lost write is written anew before anything else."""
    wrong: list[str] = []
    for number, cut in product(syncs_of_the_log(folder), (60, 120, 200, 300)):
        top, ledger = folder / f"{number}-{cut}", Ledger(seldom=True)
        first, second, left = top / "first", top / "second", top / "left"
        for made in (first, second, left):
            made.mkdir(parents=True)
        with disk("hikaze-first") as failing:
            failing.plan = Fault("sync", number)
            run_life(str(first), ledger, dying=failing.cut)
        ledger.lives += 1  # few checkpoints again
        with disk("hikaze-second") as again:
            again.inherit(failing, str(first), str(second))
            again.powerless_at = cut
            run_life(str(second), ledger)
            again.crash_into(str(second), str(left), random.Random(number), "none")  # noqa: S311
        wrong += [f"sync {number}, cut at {cut}: {one}" for one in wrong_in(str(left), ledger)]
    assert wrong == []


if __name__ == "__main__":
    print(power_cuts(int(sys.argv[1]), 1))  # noqa: T201
