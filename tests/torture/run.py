"""`make torture SECONDS=3600 SEED=1`: story after story until the time is over, and one table at the end.

Exits with 1 if an acknowledged event was lost, anything is there twice, or tables and disk diverged. What went wrong
is told when it happens, with its seed, and the story's folder is kept.
"""

import argparse
import logging
import math
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import count
from pathlib import Path

from rich.console import Console
from rich.table import Table

from .others import others
from .story import Counts, plot_of, tell


def torture(seeds: Iterator[int], seconds: float, folder: Path, console: Console, *, jobs: int = 1) -> Counts:
    """Tell stories, `jobs` at once, until the time is over; each that has begun is told to its end."""
    total, until, began = Counts(), time.monotonic() + seconds, time.monotonic()
    with ThreadPoolExecutor(jobs) as pool:
        waiting: set[Future[Counts]] = set()
        while True:
            while len(waiting) < jobs and time.monotonic() < until and (seed := next(seeds, None)) is not None:
                waiting.add(pool.submit(_story, seed, folder, console))
            if not waiting:
                break
            done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            for one in done:
                total.join(one.result())
            console.print(
                f"{time.monotonic() - began:5.0f} s  {total.stories} stories, {total.operations:,} operations,"
                f" {total.promises:,} promises, {total.crashes} crashes; lost {len(total.lost)},"
                f" twice {len(total.duplicates)}, apart {len(total.divergences)}",
                highlight=False,
            )
    return total


def _story(seed: int, folder: Path, console: Console) -> Counts:
    """Tell one story, and what was wrong with it."""
    with _TELLING:
        console.print(f"story {seed} begins", highlight=False)
    counts = tell(plot_of(seed), folder, lambda line: console.print(line, highlight=False, markup=False))
    for line in (*counts.lost, *counts.duplicates, *counts.divergences):
        console.print(line, style="red", highlight=False, markup=False)
    return counts


_TELLING = threading.Lock()


def table(counts: Counts, seconds: float) -> Table:
    """Give the one table in which torture ends."""
    made = Table(title=f"Torture, {seconds:,.0f} s")
    made.add_column("")
    made.add_column("", justify="right")
    bad = "red" if counts.failed else "green"
    rows = (
        ("stories run", counts.stories, ""),
        ("operations on the disk", counts.operations, ""),
        ("changes acknowledged to the user", counts.promises, ""),
        ("crashes survived", counts.crashes, ""),
        ("times at rest, the library right by itself", f"{counts.unaided:,} of {counts.rests:,}", ""),
        ("acknowledged events lost", len(counts.lost), bad),
        ("duplicates", len(counts.duplicates), bad),
        ("divergences", len(counts.divergences), bad),
    )
    for name, value, style in rows:
        made.add_row(name, value if isinstance(value, str) else f"{value:,}", style=style)
    return made


def main(argv: Sequence[str]) -> int:
    """Torture, print the table."""
    parser = argparse.ArgumentParser(prog="make torture", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0, help="how long to go on (600)")
    parser.add_argument("--seed", type=int, default=None, help="the first seed; the next ones follow it")
    parser.add_argument("--stories", type=int, default=None, help="so many stories of the truth test, and no others")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="stories at once")
    chosen = parser.parse_args(argv)
    console, began = Console(width=160), time.monotonic()
    first = chosen.seed if chosen.seed is not None else int(time.time()) % 1_000_000
    folder = Path(tempfile.mkdtemp(prefix="hikaze-torture-"))
    logging.disable(logging.CRITICAL)  # what the libraries of the stories say in here of their faults is meant
    console.print(f"seeds from {first}; what fails is kept in {folder}", highlight=False)
    total = Counts()
    if chosen.stories is None:
        total.join(others(first, chosen.seconds, lambda line: console.print(line, highlight=False, markup=False)))
        seconds, seeds = chosen.seconds - (time.monotonic() - began), count(first)
    else:
        seconds, seeds = math.inf, iter(range(first, first + chosen.stories))
    total.join(torture(seeds, seconds, folder, console, jobs=chosen.jobs))
    console.print(table(total, time.monotonic() - began))
    if not any(folder.iterdir()):
        folder.rmdir()
    return 1 if total.failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
