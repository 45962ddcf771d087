"""The stories that `make torture` tells beside the storms, each for its share of the time.

What is wrong with one is told when it happens, by the words of those stories themselves.
"""

import time
from collections.abc import Callable

from .. import machine
from .killing import run_all
from .powercuts import power_cuts
from .story import Counts
from .test_stories import run as simulate

Say = Callable[[str], None]

SIMULATED = 0.15  # of the time
POWER_CUTS = 0.1
KILLED = 0.25
ALL_KILLED_S = 1800.0  # with so much time each killing is told, however long that takes
A_KILLING_S = 0.25  # about, on two cores
CUTS_AT_ONCE = 50


def others(seed: int, seconds: float, say: Say) -> Counts:
    """Tell stories of every other kind; what is killed at each system call needs strace."""
    total = simulations(seed, seconds * SIMULATED, say)
    total.join(cuts(seed, seconds * POWER_CUTS, say))
    if machine.MAY_TRACE:
        total.join(killings(None if seconds >= ALL_KILLED_S else int(seconds * KILLED / A_KILLING_S), say))
    else:
        say("strace is not here: no import is killed at its system calls")
    return total


def simulations(seed: int, seconds: float, say: Say) -> Counts:
    """Short stories inside one process, with a simulated disk, clock and crash."""
    found = simulate(seed=seed, seconds=seconds, progress=say)
    say(f"simulated: {found}")
    return _counts(found["stories"], found["operations"], found["crashes"], found, "simulations")


def cuts(seed: int, seconds: float, say: Say) -> Counts:
    """Lives of the store that end when the power fails."""
    total, until = Counts(), time.monotonic() + seconds
    while time.monotonic() < until:
        found = power_cuts(seed + total.stories, CUTS_AT_ONCE)
        total.join(Counts(stories=found.stories, promises=found.promises, crashes=found.crashes, lost=found.wrong))
        for line in found.wrong:
            say(line)
    say(f"power cuts: {total.stories} stories, {total.promises:,} promises, {total.crashes:,} power cuts")
    return total


def killings(budget: int | None, say: Say) -> Counts:
    """Imports that are killed at their system calls, all or so many of them."""

    def progress(done: int, of: int, so_far: object) -> None:
        if done % 200 == 0:
            say(f"killed: {done:,} of {of:,} stories; {so_far}")

    found = run_all(progress, budget)
    for line in found.failures:
        say(line)
    wrong = {name: getattr(found, name) for name in ("lost", "duplicates", "divergences")}
    say(f"killed: {found.stories:,} stories, {found.crashes:,} crashes, {wrong}")
    return _counts(found.stories, found.operations, found.crashes, wrong, "killings")


def _counts(stories: int, operations: int, crashes: int, wrong: dict[str, int], kind: str) -> Counts:
    """Give counts of which the words were told already."""
    told = {name: [f"{kind}: see above"] * wrong[name] for name in ("lost", "duplicates", "divergences")}
    return Counts(
        stories=stories,
        operations=operations,
        crashes=crashes,
        lost=told["lost"],
        duplicates=told["duplicates"],
        divergences=told["divergences"],
    )
