"""How soon the daemon is back after kill -9 in the middle of its work."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from statistics import median

import apsw
from hikaze.projections import pending
from hikaze.projections.runner import reader

from .daemon import Daemon
from .desk import Desk
from .library import Library, put_file
from .measure import Row, below, median_time, seconds
from .truth import on_disk, some_of, wait_until_true

TIMES = 5
BURST = 400  # files the daemon is busy with; it writes down two hundred at a time
AT_MOST_S = 60.0
ASKED_FIRST = 50  # paths
ASK_EVERY_S = 0.002
SETTLED_S = 2.2  # a file that has not changed for so long is at rest at the first look
IMPORTS = "import PIL.Image, aiohttp.web, apsw, msgspec, platformdirs, watchdog.observers, yaml"


def rows(desk: Desk) -> Iterator[Row]:
    """With a thousand models and with a hundred thousand."""
    for library in (desk.tiny, desk.large):
        library.build()
        desk.tell(f"kill: {TIMES} times, {library.models:,} models")
        bare = median_time(TIMES, lambda: subprocess.run([sys.executable, "-c", IMPORTS], check=True))  # noqa: S603
        walk = median_time(TIMES, lambda library=library: on_disk(library.root, library.drop))
        bursts = [_burst(desk, library, number) for number in range(TIMES)]
        time.sleep(SETTLED_S)
        kills = [_kill(library, burst) for burst in bursts]
        yield Row(
            f"kill -9 at work to ready, {library.models:,} models",
            "python -c 'import ...', its packages",
            bare,
            median(kill.ready_s for kill in kills),
            seconds,
            below(0.7, seconds),
            "from the signal on; the aim is that of a start with nothing changed",
        )
        yield Row(
            "... from then until every file is right",
            "scandir + stat, the same tree",
            walk,
            median(kill.right_s for kill in kills),
            seconds,
            below(1.0, seconds),
            f"first look, and {median(kill.left for kill in kills):.0f} of {BURST} files that were left; same aim",
        )


@dataclass(frozen=True, slots=True)
class _Kill:
    """How many files were not taken in at the signal, seconds from it to ready, and from then until all is right."""

    left: int
    ready_s: float
    right_s: float


def _burst(desk: Desk, library: Library, number: int) -> str:
    """Make a folder of files that nobody knows."""
    folder = desk.folder(f"kill-{library.models}-{number}")
    for file in range(BURST):
        put_file(folder, f"killed_{file}", number * BURST + file)
    return folder


def _kill(library: Library, burst: str) -> _Kill:
    """Kill the daemon between two writes of a burst, start it again at once, and wait until it is right.

    The burst is a folder that is renamed into the model root. Its files were at rest before, so that no figure holds a
    wait for quiet.
    """
    folder = os.path.join(library.root, os.path.basename(burst))
    came = {os.path.join(folder, os.path.basename(path)): seen for path, seen in on_disk(burst).items()}
    expected = on_disk(library.root, library.drop) | came
    with Daemon(library) as victim, closing(reader(library.views)) as db:
        before = pending.count(db)
        os.rename(burst, folder)
        _wait_for_more_than(before, db)
        begun = time.perf_counter()
        victim.kill()
        left = before + BURST - pending.count(db)
    with Daemon(library) as daemon:
        ready = daemon.begun + daemon.ready_after
        right = wait_until_true(library, expected, some_of(list(came), ASKED_FIRST), at_most=AT_MOST_S)
        return _Kill(left, ready - begun, right - ready)


def _wait_for_more_than(count: int, db: apsw.Connection) -> None:
    deadline = time.perf_counter() + AT_MOST_S
    while pending.count(db) <= count:
        if time.perf_counter() > deadline:
            raise RuntimeError(f"no file of the burst was taken in after {AT_MOST_S:.0f} s")
        time.sleep(ASK_EVERY_S)
