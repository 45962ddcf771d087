"""A byte of the store changes on the disk: it is found and named, or nothing of what is served depends on it.

`HIKAZE_TORTURE=all` changes thousands of bytes instead of some hundred.
"""

import logging
import os
import random
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import apsw
import pytest
from hikaze.daemon.inspection import Inspection
from hikaze.events.errors import DamagedLog, LogError, NewerLog
from hikaze.events.log import EventLog
from hikaze.projections.runner import Views, dump

from .storelife import Ledger, run_life

FLIPS = 6_000 if os.environ.get("HIKAZE_TORTURE") == "all" else 300
SHM = "/dev/shm"  # noqa: S108 - the fastest place for small files; the system's own where it is not there

pytestmark = [pytest.mark.slow, pytest.mark.unhurried]
Served = tuple[Any, ...]


@pytest.fixture(autouse=True)
def _in_silence() -> Iterator[None]:
    """Let the library not say hundreds of times that it is damaged."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.fixture
def folder() -> Iterator[Path]:
    """Give a folder with a library that was closed, in memory where there is one."""
    with tempfile.TemporaryDirectory(prefix="hk-rot-", dir=SHM if os.path.isdir(SHM) else None) as made:
        assert [run_life(made, ledger) for ledger in [Ledger()] for _ in range(2)] == [None, None]
        yield Path(made)


def flips(path: Path, seed: int) -> Iterator[tuple[int, bytes]]:
    """Give contents of a file with one byte changed, each with where; every page has its turn."""
    dice, content = random.Random(seed), path.read_bytes()  # noqa: S311
    pages = len(content) // 4096
    for number in range(FLIPS):
        place = number % pages * 4096 + dice.randrange(4096)
        if number % 3 == 0:  # the head of a page, where its cells are listed
            place = number % pages * 4096 + dice.randrange(100)
        spoilt = bytearray(content)
        spoilt[place] ^= 1 << dice.randrange(8) if dice.random() < 0.5 else dice.randrange(1, 256)
        yield place, bytes(spoilt)


def served(log: EventLog, views: Views) -> Served:
    """Give all that is served of a library: its events, the answers under keys, and the read tables."""
    keys = [f"{what} {number}" for number in (1, 2) for what in ("edit", "import", "rename")]
    rows = dump(views.db)
    rows.pop("view_positions")  # names the log, which a reader of events does not see
    return list(log.own_reader().read()), [log.answered(key) for key in keys], rows


def opened(folder: Path) -> Served | None:
    """Open a library as a start does, and inspect it as the daemon does in the background; None where it is refused."""
    try:
        with closing(EventLog(str(folder / "log.db"), host=b"h" * 16)) as log:
            log.verify_tail()
            with closing(Views(str(folder / "views.db"), log)) as views:
                found: list[DamagedLog] = []
                Inspection(log.reader, views.path, found.append, lambda: None).look()
                if log.damage is not None or found:
                    return None
                if log.unknown_kinds():
                    return None  # it says that a newer program wrote it, and is not written
                return served(log, views)
    except (LogError, NewerLog, apsw.Error):
        return None


def test_rot_in_the_log(folder: Path, tmp_path: Path) -> None:
    """One changed byte anywhere in the log is found, at the start or by the inspection, or changes nothing."""
    sound, undetected, found = opened(folder), [], 0
    for name in (*(path.name for path in folder.glob("*.seal")), "views.db"):
        shutil.copy(folder / name, tmp_path)
    for place, content in flips(folder / "log.db", 1):
        (tmp_path / "log.db").write_bytes(content)
        for left in ("log.db-wal", "log.db-shm"):
            (tmp_path / left).unlink(missing_ok=True)
        now = opened(tmp_path)
        found += now is None
        if now not in (None, sound):
            undetected.append(place)
    assert undetected == []
    assert found > FLIPS / 10


def test_rot_in_the_read_tables(folder: Path, tmp_path: Path) -> None:
    """One changed byte anywhere in the read tables has them built anew at the next start."""
    sound = opened(folder)
    seal = (folder / "views.db.seal").read_bytes()
    shutil.copy(folder / "log.db", tmp_path)
    for place, content in flips(folder / "views.db", 2):
        (tmp_path / "views.db").write_bytes(content)
        (tmp_path / "views.db.seal").write_bytes(seal)
        assert opened(tmp_path) == sound, place
