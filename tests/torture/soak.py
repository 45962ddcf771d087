"""`make soak SECONDS=3600`: storm and rest in turn on one daemon, and whether anything of it grows.

After each rest it takes samples; at the end it prints the slope of each by least squares, and exits with 1 if one is
not flat. What may grow with use, such as the log, is shown beside it and not judged.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hikaze.daemon.library import NEWS_KEPT
from rich.console import Console
from rich.table import Table

from . import truth
from .story import Plot, Story
from .unreliable import Faults

STORM_S = 4.0
REST_S = 12.0  # so that the storm is a quarter of the time
WARM = 0.25  # of the samples are left out at the start: caches fill, threads start, the allocator finds its size
WARM_EVENTS = NEWS_KEPT  # and those until so many events are kept in memory as ever will be, about a quarter of an hour
MOST_FILES = 60  # few, so that there are as many after some minutes as there will be
FEWEST = 8  # samples without which a slope says nothing
MiB = 1 << 20


@dataclass(frozen=True)
class Bound:
    """What counts as flat: a slope of at most `per_hour`, or a growth over the whole run of at most `noise`."""

    unit: str
    scale: float
    per_hour: float
    noise: float


BOUNDS: Mapping[str, Bound] = {
    # 24 MiB a day is what a user might see; in a short run the allocator's own ups and downs are larger than that.
    "memory (RSS)": Bound("MiB", 1 / MiB, 1.0, 6.0),
    # None is kept open from one storm to the next; one or two belong to whatever runs while a sample is taken.
    "file descriptors": Bound("", 1, 0.5, 3.0),
    # The pool of threads grows to its limit once (the number of cores + 4) and stays.
    "threads": Bound("", 1, 0.5, 4.0),
    # Checkpoints let the files be written over from their start; SQLite's default lets one grow to 1,000 pages.
    "WAL (log and views)": Bound("MiB", 1 / MiB, 1.0, 8.0),
    # At rest nothing is under way, and no file waits but those that really are unfinished, which are left out here.
    "queue (work, imports, waiting files)": Bound("", 1, 0.5, 3.0),
    # One for each folder; the storm has a bounded number of them, which changes from rest to rest.
    "inotify watches": Bound("", 1, 20.0, 120.0),
}
GROWS = ("log and views", "events", "files in the roots")
"""What is shown without being judged."""


@dataclass(frozen=True)
class Sample:
    """What was seen at one time, in seconds since the start."""

    at: float
    values: Mapping[str, float]


def sample(story: Story, began: float) -> Sample:
    """Look at the daemon of a story, which is at rest."""
    process, status = story.daemon.process, story.status()
    assert process is not None
    proc, data = Path(f"/proc/{process.pid}"), story.daemon.data
    lines = dict(line.split(":", 1) for line in (proc / "status").read_text().splitlines())
    under_way = len(status["work"]) + sum(status["imports"][key] for key in ("queued", "running"))
    unfinished = sum(not at.finished for at in truth.walk(story.roots, story.finished).values())
    values = {
        "memory (RSS)": 1024 * int(lines["VmRSS"].split()[0]),
        "file descriptors": len(list((proc / "fd").iterdir())),
        "threads": int(lines["Threads"]),
        "WAL (log and views)": _sizes(data, "*.db-wal"),
        "queue (work, imports, waiting files)": under_way + max(0, len(status["waiting"]) - unfinished),
        "inotify watches": _watches(proc),
        "log and views": _sizes(data, "*.db"),
        "events": status["position"],
        "files in the roots": sum(path.is_file() for root in story.roots for path in Path(root).rglob("*")),
    }
    return Sample(time.monotonic() - began, values)


def _sizes(folder: Path, pattern: str) -> int:
    return sum(path.stat().st_size for path in folder.glob(pattern))


def _watches(proc: Path) -> int:
    """Count the inotify watches of a process, see proc_pid_fdinfo(5)."""
    found = 0
    for path in (proc / "fdinfo").iterdir():
        try:
            found += path.read_text().count("inotify wd:")
        except OSError:  # closed meanwhile
            continue
    return found


def slope(samples: Sequence[Sample], name: str) -> float:
    """Give by how much a value grows in an hour, by least squares."""
    times, values = [one.at / 3600 for one in samples], [one.values[name] for one in samples]
    middle, mean = sum(times) / len(times), sum(values) / len(values)
    spread = sum((at - middle) ** 2 for at in times)
    return sum((at - middle) * (value - mean) for at, value in zip(times, values, strict=True)) / spread


def is_flat(samples: Sequence[Sample], name: str) -> bool:
    """Tell whether a value does not grow, by its bound."""
    bound = BOUNDS[name]
    per_hour = slope(samples, name) * bound.scale
    hours = (samples[-1].at - samples[0].at) / 3600
    return per_hour <= bound.per_hour or per_hour * hours <= bound.noise


def table(samples: Sequence[Sample]) -> Table:
    """Give the table of slopes."""
    made = Table(title=f"Soak: {len(samples)} samples over {samples[-1].at - samples[0].at:,.0f} s")
    for name in ("", "first", "last", "least", "most", "slope an hour", "flat"):
        made.add_column(name, justify="left" if not name else "right")
    for name in (*BOUNDS, *GROWS):
        bound = BOUNDS.get(name, Bound("MiB", 1 / MiB, 0, 0) if name == GROWS[0] else Bound("", 1, 0, 0))
        values = [one.values[name] * bound.scale for one in samples]
        verdict = "" if name in GROWS else "yes" if is_flat(samples, name) else "NO"
        shown = (values[0], values[-1], min(values), max(values), slope(samples, name) * bound.scale)
        made.add_row(
            f"{name} {bound.unit}".strip(), *(f"{value:,.1f}" for value in shown), verdict,
            style="red" if verdict == "NO" else "",
        )  # fmt: skip
    return made


def plot_of(seed: int) -> Plot:
    """Give the plot of a soak: what a busy person does, and a daemon that is left alone."""
    return Plot(seed, Faults(), storms=1, storm_s=STORM_S, hardlinks=True, pause=0.05, most_files=MOST_FILES)


def soak(seconds: float, plot: Plot, folder: Path, console: Console) -> tuple[Story, list[Sample]]:
    """Storm and rest until the time is over; gives what was seen after each rest."""
    story = Story(plot, folder, lambda line: console.print(line, highlight=False, markup=False))
    samples: list[Sample] = []
    began = time.monotonic()
    try:
        story.begin()
        while time.monotonic() - began < seconds and not story.counts.failed:
            story.storm(len(samples))
            rested = time.monotonic()
            story.rest()
            time.sleep(max(0.0, REST_S - (time.monotonic() - rested)))
            samples.append(sample(story, began))
            console.print(_line(samples[-1]), highlight=False)
        if not story.counts.failed:
            story.settle_up()
    finally:
        story.end()
    return story, samples


def _line(one: Sample) -> str:
    told = (f"{name.split(' (')[0]} {one.values[name] * bound.scale:,.1f} {bound.unit}".strip()
            for name, bound in BOUNDS.items())  # fmt: skip
    return f"{one.at:6.0f} s  {', '.join(told)}"


def main(argv: Sequence[str]) -> int:
    """Soak, print the slopes."""
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__)
    parser.add_argument("--seconds", type=float, default=3600.0, help="how long (3600)")
    parser.add_argument("--seed", type=int, default=1, help="of the storms")
    chosen = parser.parse_args(argv)
    console = Console(width=140)
    folder = Path(tempfile.mkdtemp(prefix="hikaze-soak-"))
    story, samples = soak(chosen.seconds, plot_of(chosen.seed), folder / "soak", console)
    for line in (*story.counts.lost, *story.counts.duplicates, *story.counts.divergences):
        console.print(line, style="red", highlight=False, markup=False)
    warm = [one for one in samples if one.values["events"] >= WARM_EVENTS]
    judged = warm[-int(len(samples) * (1 - WARM)) :]
    if len(judged) < FEWEST:
        console.print(
            f"{len(judged)} of {len(samples)} samples were taken when all caches were full, too few for a slope:"
            " give it half an hour at least"
        )
        return 1
    console.print(table(judged))
    return 1 if story.counts.failed or not all(is_flat(judged, name) for name in BOUNDS) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
