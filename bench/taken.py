"""What a process has taken of the machine so far, as the kernel tells it (proc(5)): memory, CPU, wake-ups."""

import os
import re
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Taken:
    """Seconds of CPU of the threads there are, and how often one of them began to wait."""

    cpu_s: float
    waits: int


def memory(pid: int) -> tuple[float, float]:
    """Give RSS and PSS in bytes (proc_pid_smaps(5))."""
    found = dict(re.findall(r"^(Rss|Pss): +(\d+) kB$", _read(f"/proc/{pid}/smaps_rollup"), re.MULTILINE))
    return int(found["Rss"]) * 1024.0, int(found["Pss"]) * 1024.0


def most_memory(pid: int) -> float:
    """Give the highest RSS it ever had, in bytes (proc_pid_status(5))."""
    return int(re.findall(r"^VmHWM:\s+(\d+) kB$", _read(f"/proc/{pid}/status"), re.MULTILINE)[0]) * 1024.0


def cpu_s(pid: int) -> float:
    """Give the seconds of CPU, those of threads that have ended included; in ticks of 10 ms (proc_pid_stat(5))."""
    user, system = _read(f"/proc/{pid}/stat").rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def is_stopped(pid: int) -> bool:
    """Tell whether a signal has stopped it (proc_pid_stat(5))."""
    return _read(f"/proc/{pid}/stat").rpartition(")")[2].split()[0] == "T"


def taken(pid: int) -> Taken:
    """Sum over the threads: in nanoseconds where the kernel tells (schedstat), since a tick of `stat` is 10 ms."""
    ran, waits = 0, 0
    for thread in os.listdir(f"/proc/{pid}/task"):
        status = _read(f"/proc/{pid}/task/{thread}/status")
        waits += int(re.findall(r"^voluntary_ctxt_switches:\s+(\d+)$", status, re.MULTILINE)[0])
        ran += _ran_ns(pid, thread)
    return Taken(ran / 1e9, waits)


def _ran_ns(pid: int, thread: str) -> int:
    try:
        return int(_read(f"/proc/{pid}/task/{thread}/schedstat").split()[0])
    except FileNotFoundError:
        user, system = _read(f"/proc/{pid}/task/{thread}/stat").rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) * 1_000_000_000 // os.sysconf("SC_CLK_TCK")


def _read(path: str) -> str:
    return Path(path).read_text(encoding="utf-8", errors="replace")
