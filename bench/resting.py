"""What the daemon takes while nothing happens: memory, CPU, and how often it wakes up."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack

from .daemon import Daemon, put_unknown_file, wait_until_pending
from .desk import Desk
from .measure import Row, below, mebibytes, percent
from .taken import memory, taken

CALM_S = 3.0
WATCH_S = 60.0
SHORTEST_WATCH_S = 5.0
MIB = 2.0**20
MOST_MIB = (80, 80, 150)


def rows(desk: Desk) -> Iterator[Row]:
    """Daemons with 1,000, 10,000 and 100,000 known files, watched at the same time for a minute."""
    libraries = (desk.tiny, desk.small, desk.large)
    for library in libraries:
        library.build()
    watch_s = max(SHORTEST_WATCH_S, WATCH_S * desk.scale)
    bare = _bare_memory()
    with ExitStack() as stack:
        daemons = [stack.enter_context(Daemon(library)) for library in libraries]
        for daemon, library in zip(daemons, libraries, strict=True):
            with daemon.client() as client:  # its first look is over, and it has done some work
                wait_until_pending(client, put_unknown_file(library, 1_000_000), pause=0.05)
        desk.tell(f"rest: {len(daemons)} daemons, {watch_s:.0f} s")
        time.sleep(CALM_S)
        before = [taken(daemon.pid) for daemon in daemons]
        time.sleep(watch_s)
        after = [taken(daemon.pid) for daemon in daemons]
        memories = [memory(daemon.pid) for daemon in daemons]
    for library, (rss, pss), most in zip(libraries, memories, MOST_MIB, strict=True):
        yield Row(
            f"memory at rest, {library.models:,} known files",
            "RSS of python -c pass",
            bare,
            rss,
            mebibytes,
            below(most * MIB, mebibytes),
            f"PSS {mebibytes(pss)}, where {len(daemons)} daemons share their code",
        )
    for library, one, two in zip(libraries, before, after, strict=True):
        yield Row(
            f"CPU over {watch_s:.0f} s at rest, {library.models:,} known files",
            "",
            0,
            (two.cpu_s - one.cpu_s) / watch_s,
            percent,
            below(0.001, percent),
            f"{(two.waits - one.waits) / watch_s:.1f} wake-ups a second",
        )


def _bare_memory() -> float:
    with subprocess.Popen(
        [sys.executable, "-c", "print(flush=True); input()"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        rss, _ = memory(process.pid)
        process.communicate(b"\n")
    return rss
