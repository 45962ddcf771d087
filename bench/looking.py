"""The look at an unchanged library: the look alone, and a start of the daemon until it has checked every file."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from statistics import median

from hikaze.daemon.scan import Known, look
from hikaze.events.pathtext import to_path
from hikaze.projections import models
from hikaze.projections.runner import reader

from .daemon import Daemon, put_unknown_file, wait_until_pending
from .desk import Desk
from .library import MODEL_ROOT, Library
from .measure import Row, below, median_time, seconds, side_by_side, times_the_floor_at_most

TIMES = 5
SETTLED_S = 2.2  # a file that has not changed for so long is at rest at the first look


def rows(desk: Desk) -> Iterator[Row]:
    """One look, and one start."""
    library = desk.large
    desk.tell("scan: find and our look in turn")
    known = _known(library)
    list_all = ["find", library.root, "-printf", "%p %s %T@ %i\n"]
    floor, ours = side_by_side(TIMES, lambda: _run(list_all), lambda: _look(library, known))
    yield Row(
        f"look at {library.models:,} known files, warm",
        "find -printf, warm",
        floor,
        ours,
        seconds,
        times_the_floor_at_most(1.8),
        f"{(library.models - 1) // 50 + 1:,} folders",
    )
    desk.tell("start: the real daemon on that library")
    bare = median_time(TIMES, lambda: _run([sys.executable, "-c", "pass"]))
    starts = [_start(library, number) for number in range(TIMES)]
    yield Row(
        f"start with {library.models:,} known files until it serves",
        "python -c pass",
        bare,
        median(ready for ready, _ in starts),
        seconds,
        below(0.7, seconds),
    )
    yield Row(
        "... from then until it has looked at all of them",
        "find -printf, warm",
        floor,
        median(looked for _, looked in starts),
        seconds,
        below(1.0, seconds),
        "seen by one unknown file, which is listed when the first look ends",
    )


def _known(library: Library) -> dict[str, Known]:
    library.build()
    with closing(reader(library.views)) as db:
        return {to_path(path): (size, mtime, ino) for path, size, mtime, ino in models.in_root(db, MODEL_ROOT)}


def _look(library: Library, known: dict[str, Known]) -> None:
    found = look(library.root, known)
    assert not found.new, found.new[0]
    assert not found.changed, found.changed[0]
    assert not found.gone, found.gone[0]


def _start(library: Library, number: int) -> tuple[float, float]:
    """Start the daemon; give the seconds until it is ready, and from then until the first look has ended.

    The look writes down what it found when it is through, so a file that nobody knows, put there while no daemon
    ran, becomes visible at the end of the first look and not before.
    """
    path = put_unknown_file(library, number)
    time.sleep(SETTLED_S)
    with Daemon(library) as daemon, daemon.client() as client:
        looked = wait_until_pending(client, path, pause=0.005)
        return daemon.ready_after, looked - daemon.begun - daemon.ready_after


def _run(command: list[str]) -> None:
    with open(os.devnull, "wb") as nowhere:
        subprocess.run(command, stdout=nowhere, check=True)  # noqa: S603
