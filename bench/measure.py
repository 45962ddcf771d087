"""What a benchmark gives: rows, each a figure of ours beside a floor from the same run; and how to take time."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import median

Show = Callable[[float], str]
Work = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Aim:
    """What shared/limits.md asks for, as text and as a check of (floor, ours)."""

    text: str
    holds: Callable[[float, float], bool]


@dataclass(frozen=True, slots=True)
class Row:
    """One figure. `how` says how the floor was measured; a floor of 0 is none, an aim of None is none."""

    what: str
    how: str
    floor: float
    ours: float
    show: Show
    aim: Aim | None = None
    note: str = ""

    @property
    def ratio(self) -> str:
        """Ours as a multiple of the floor."""
        if not self.floor:
            return "-"
        ratio = self.ours / self.floor
        return f"{ratio:.2f}" if ratio < 100 else f"{ratio:,.0f}"

    @property
    def met(self) -> str:
        """Whether the aim is met."""
        if self.aim is None:
            return "-"
        return "yes" if self.aim.holds(self.floor, self.ours) else "NO"


# Aims -------------------------------------------------------------------------------------------------


def times_the_floor_at_least(ratio: float) -> Aim:
    """Ask for a rate that is not far below the floor's."""
    return Aim(f">= {ratio:g} x", lambda floor, ours: ours >= ratio * floor)


def times_the_floor_at_most(ratio: float) -> Aim:
    """Ask for a time or size that is not far above the floor's."""
    return Aim(f"<= {ratio:g} x", lambda floor, ours: ours <= ratio * floor)


def below(most: float, show: Show) -> Aim:
    """Ask for less than a fixed value."""
    return Aim(f"< {show(most)}", lambda _floor, ours: ours < most)


def from_on(least: float, show: Show) -> Aim:
    """Ask for a fixed value or more."""
    return Aim(f">= {show(least)}", lambda _floor, ours: ours >= least)


# Values for people ------------------------------------------------------------------------------------


def seconds(value: float) -> str:
    """Show a time that is given in seconds."""
    if value < 1e-3:
        return f"{value * 1e6:.0f} us"
    return f"{value * 1e3:.3g} ms" if value < 0.9995 else f"{value:.2f} s"


def bytes_a_second(value: float) -> str:
    """Show a rate in bytes a second."""
    return f"{value / 1e9:.2f} GB/s"


def a_second(value: float) -> str:
    """Show a rate."""
    return f"{value:,.0f}/s"


def mebibytes(value: float) -> str:
    """Show a size that is given in bytes."""
    return f"{value / 2**20:.1f} MiB"


def percent(value: float) -> str:
    """Show a part of one."""
    return f"{value:.3%}"


# Taking time ------------------------------------------------------------------------------------------


def timed(work: Work) -> float:
    """Do something and give how long it took, in seconds."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def median_time(times: int, work: Work) -> float:
    """Do something several times and give the median of how long it took, in seconds."""
    return median(timed(work) for _ in range(times))


def side_by_side(times: int, *works: Work) -> tuple[float, ...]:
    """Do several things in turn, `times` over, and give the median time of each, in seconds.

    In turn, because other programs share the machine: what slows one of them down slows all.
    """
    return tuple(map(median, zip(*([timed(work) for work in works] for _ in range(times)), strict=True)))


def quantile(values: Iterable[float], part: float) -> float:
    """Give the value that `part` of all values lie below."""
    ordered: Sequence[float] = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]
