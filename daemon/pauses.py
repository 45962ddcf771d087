"""Whether the computer slept, or the program was stopped. Pure: the clocks are arguments.

What changed on the disks meanwhile may have given no hint: a network file system forgets who listens, and a queue
that nobody reads overflows.
"""

import time
from dataclasses import dataclass

LONG_S = 30.0
"""Shorter pauses lose nothing: hints wait in the system's queue, and an overflow of it is told."""


@dataclass(frozen=True, slots=True)
class Clocks:
    """A reading of both clocks, in seconds: `awake_s` stands still while the computer sleeps, `all_s` does not."""

    awake_s: float
    all_s: float


def read_clocks() -> Clocks:
    """Read the system's clocks; where it has no clock that counts sleep, both are the same."""
    awake = time.monotonic()
    if not hasattr(time, "CLOCK_BOOTTIME"):
        return Clocks(awake, awake)
    return Clocks(awake, time.clock_gettime(time.CLOCK_BOOTTIME))


def pause(before: Clocks, after: Clocks, meant_s: float) -> float:
    """Give for how many seconds nothing ran though it was meant to rest for `meant_s` only; 0 if not for long.

    `before` and `after` were read around the rest.
    """
    asleep = (after.all_s - before.all_s) - (after.awake_s - before.awake_s)
    stopped = after.awake_s - before.awake_s - meant_s
    return max((length for length in (asleep, stopped) if length > LONG_S), default=0.0)
