"""`make bench`: what Hikaze can do, each figure beside a floor that was measured in the same run."""

import argparse
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

from rich.console import Console
from rich.table import Table

from . import (
    appending,
    changing,
    hashing,
    killing,
    looking,
    migrating,
    page,
    paging,
    pictures,
    rebuilding,
    resting,
    searching,
    storming,
)
from .desk import Desk
from .measure import Row

BENCHES: Mapping[str, Callable[[Desk], Iterator[Row]]] = {
    "hash": hashing.rows,
    "tiers": pictures.rows,
    "append": appending.rows,
    "change": changing.rows,
    "burst": storming.burst,
    "rebuild": rebuilding.rows,
    "scan": looking.rows,
    "pages": paging.rows,
    "search": searching.rows,
    "page": page.rows,
    "rest": resting.rows,
    "migrate": migrating.rows,
    # The last two change the large library.
    "kill": killing.rows,
    "overflow": storming.overflow,
}
ALSO: Mapping[str, Sequence[str]] = {"rename": ("change", "burst"), "idle": ("rest",)}
WIDTH = 170  # where the table goes into a file


def main() -> int:
    """Measure what was asked for and print the table; 1 where something could not be measured."""
    args = _parser().parse_args()
    if sys.platform != "linux":
        return _refuse("the floors are Linux's (inotify, /proc, GNU find): measure there")
    asked = {name for given in args.bench for name in ALSO.get(given, (given,))}
    chosen = [name for name in BENCHES if name in asked] or list(BENCHES)
    begin, busy = time.monotonic(), _busy_with_others()
    with Desk(args.scale) as desk:
        found, failed = _measure(desk, chosen)
    took = time.monotonic() - begin
    console = Console(width=None if sys.stdout.isatty() else WIDTH, highlight=False)
    console.print(_table(found))
    console.print(
        f"{platform.python_implementation()} {platform.python_version()}, {os.cpu_count()} cores, {platform.release()};"
        f" scale {args.scale:g}; {took:.0f} s, in which other programs took"
        f" {(_busy_with_others() - busy) / took:.1f} cores (well under 0.1, or measure again)"
    )
    return _refuse(f"could not be measured: {', '.join(failed)}") if failed else 0


def _measure(desk: Desk, chosen: Sequence[str]) -> tuple[list[Row], list[str]]:
    found: list[Row] = []
    failed: list[str] = []
    for name in chosen:
        try:
            found += BENCHES[name](desk)
        except Exception:  # noqa: BLE001 - the outermost edge: the other benchmarks still tell something
            Console(stderr=True).print_exception()
            failed.append(name)
    return found, failed


def _busy_with_others() -> float:
    """Give the seconds of CPU that programs other than ours have taken since the machine's start (proc_stat(5))."""
    with open("/proc/stat", encoding="ascii") as file:
        user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, file.readline().split()[1:9])
    ours = sum(os.times()[:4])  # with the children that have ended
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK") - ours


def _table(found: Sequence[Row]) -> Table:
    table = Table("what", "floor", *("", "ours", "ratio", "aim", "met", "note"), pad_edge=False)
    for column in (2, 3, 4, 5):
        table.columns[column].justify = "right"
    for row in found:
        floor = row.show(row.floor) if row.floor else "-"
        aim = "-" if row.aim is None else row.aim.text
        table.add_row(row.what, row.how or "-", floor, row.show(row.ours), row.ratio, aim, row.met, row.note)
    return table


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make bench ARGS=...", description=__doc__)
    parser.add_argument(
        "bench", nargs="*", choices=[*BENCHES, *ALSO, []], help="which (default: all)", metavar="|".join(BENCHES)
    )
    parser.add_argument("--scale", type=_scale, default=1.0, help="0.1 measures on a tenth of the models and bytes")
    return parser


def _scale(text: str) -> float:
    value = float(text)
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError("must be above 0 and at most 1")
    return value


def _refuse(why: str) -> int:
    Console(stderr=True, highlight=False).print(f"bench: {why}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
