"""What the daemon takes while nothing happens: memory, CPU, and how often it wakes up."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

from .daemon import Daemon, put_unknown_file, wait_until_pending
from .desk import Desk
from .measure import Row, below, mebibytes, percent

CALM_S = 3.0
WATCH_S = 20.0
MIB = 2.0**20


@dataclass(frozen=True, slots=True)
class _Taken:
    """What a process has taken so far: seconds of CPU, and how often one of its threads began to wait."""

    cpu_s: float
    waits: int


def rows(desk: Desk) -> Iterator[Row]:
    """A daemon with 10,000 known files and one with 100,000, watched at the same time."""
    libraries = (desk.small, desk.large)
    for library in libraries:
        library.build()
    desk.tell(f"rest: two daemons, {WATCH_S:.0f} s")
    bare = _bare_memory()
    with ExitStack() as stack:
        daemons = [stack.enter_context(Daemon(library)) for library in libraries]
        for daemon, library in zip(daemons, libraries, strict=True):
            with daemon.client() as client:  # its first look is over, and it has done some work
                wait_until_pending(client, put_unknown_file(library, 1_000_000), pause=0.05)
        time.sleep(CALM_S)
        memory = [_memory(daemon.pid) for daemon in daemons]
        before = [_taken(daemon.pid) for daemon in daemons]
        time.sleep(WATCH_S)
        after = [_taken(daemon.pid) for daemon in daemons]
    for library, (rss, pss), most in zip(libraries, memory, (80, 150), strict=True):
        yield Row(
            f"memory at rest, {library.models:,} known files",
            "RSS of python -c pass",
            bare,
            rss,
            mebibytes,
            below(most * MIB, mebibytes),
            f"PSS {mebibytes(pss)}",
        )
    for library, one, two in zip(libraries, before, after, strict=True):
        yield Row(
            f"CPU at rest, {library.models:,} known files",
            "",
            0,
            (two.cpu_s - one.cpu_s) / WATCH_S,
            percent,
            below(0.001, percent),
            f"{(two.waits - one.waits) / WATCH_S:.1f} wake-ups a second",
        )


def _bare_memory() -> float:
    with subprocess.Popen(
        [sys.executable, "-c", "print(flush=True); input()"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        rss, _ = _memory(process.pid)
        process.communicate(b"\n")
    return rss


def _memory(pid: int) -> tuple[float, float]:
    """Give RSS and PSS in bytes (proc_pid_smaps(5))."""
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
        found = dict(re.findall(r"^(Rss|Pss): +(\d+) kB$", file.read(), re.MULTILINE))
    return int(found["Rss"]) * 1024.0, int(found["Pss"]) * 1024.0


def _taken(pid: int) -> _Taken:
    """Sum over the threads: in nanoseconds where the kernel tells (schedstat), since a tick of `stat` is 10 ms."""
    ran, waits = 0, 0
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/status", encoding="utf-8", errors="replace") as file:
            waits += int(re.findall(r"^voluntary_ctxt_switches:\s+(\d+)$", file.read(), re.MULTILINE)[0])
        ran += _ran_ns(pid, thread)
    return _Taken(ran / 1e9, waits)


def _ran_ns(pid: int, thread: str) -> int:
    try:
        with open(f"/proc/{pid}/task/{thread}/schedstat", encoding="ascii") as file:
            return int(file.read().split()[0])
    except FileNotFoundError:
        with open(f"/proc/{pid}/task/{thread}/stat", encoding="utf-8", errors="replace") as file:
            user, system = file.read().rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) * 1_000_000_000 // os.sysconf("SC_CLK_TCK")
