"""How soon a file that is renamed into the drop folder is seen by who asks the API."""

import os
import threading
import time
from collections.abc import Iterator
from statistics import median

from watchdog.observers.inotify_c import InotifyConstants, inotify_add_watch, inotify_init

from .daemon import Daemon, wait_until_pending
from .desk import Desk
from .library import make, small_safetensors
from .measure import Row, below, quantile, seconds

TIMES = 100
BURST = 10_000


def rows(desk: Desk) -> Iterator[Row]:
    """One file after the other, then ten thousand at once."""
    desk.tell(f"rename: {TIMES} renames, raw inotify")
    raw = _raw(desk.folder("inotify"))
    library = make(desk.folder("rename"), 0)
    outside = desk.folder("outside")
    with Daemon(library) as daemon, daemon.client() as client:
        desk.tell(f"rename: {TIMES} renames into the drop folder of the real daemon")
        delays: list[float] = []
        for number in range(TIMES):
            path = os.path.join(library.drop, f"dropped {number}.safetensors")
            came_from = _file(outside, number)
            time.sleep(0.02)
            begin = time.perf_counter()
            os.rename(came_from, path)
            delays.append(wait_until_pending(client, path, pause=0) - begin)
        yield Row(
            "rename to visible in the API, median",
            "rename to raw inotify event",
            median(raw),
            median(delays),
            seconds,
            below(0.05, seconds),
            "asked without pause, over the unix socket",
        )
        yield Row(
            "... p99",
            "the same, p99",
            quantile(raw, 0.99),
            quantile(delays, 0.99),
            seconds,
            below(0.3, seconds),
        )
        count = desk.scaled(BURST)
        desk.tell(f"rename: a burst of {count:,} files")
        files = [_file(outside, TIMES + number) for number in range(count)]
        for file in files:
            os.rename(file, os.path.join(library.drop, os.path.basename(file)))
        last = time.perf_counter()
        while client.json("/api/status")["counts"]["pending"] < TIMES + count:
            time.sleep(0.02)
            if time.perf_counter() - last > 120:
                raise RuntimeError(f"the burst did not become visible: {client.json('/api/status')}")
        yield Row(
            f"burst of {count:,} renamed files: last rename to all visible",
            "",
            0,
            time.perf_counter() - last,
            seconds,
            below(3, seconds),
        )


def _file(folder: str, number: int) -> str:
    path = os.path.join(folder, f"file_{number}.safetensors")
    with open(path, "wb") as file:
        file.write(small_safetensors(number))
    return path


def _raw(folder: str) -> list[float]:
    """Give the seconds from each rename to its event, which another thread waits for."""
    seen: list[float] = []
    arrived = threading.Semaphore(0)
    descriptor = inotify_init()
    inotify_add_watch(descriptor, os.fsencode(folder), InotifyConstants.IN_MOVED_TO)

    def wait() -> None:
        for _ in range(TIMES):
            os.read(descriptor, 4096)
            seen.append(time.perf_counter())
            arrived.release()

    thread = threading.Thread(target=wait)
    thread.start()
    begun: list[float] = []
    for number in range(TIMES):
        path = _file(os.path.dirname(folder), number)
        time.sleep(0.002)
        begun.append(time.perf_counter())
        os.rename(path, os.path.join(folder, str(number)))
        arrived.acquire()
    thread.join()
    os.close(descriptor)
    return [end - begin for begin, end in zip(begun, seen, strict=True)]
