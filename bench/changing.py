"""How soon a change on the disk is seen by who asks the API: a file renamed in, copied in, moved, deleted."""

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from watchdog.observers.inotify_c import InotifyConstants, inotify_add_watch, inotify_init

from .daemon import Client, Daemon
from .desk import Desk
from .library import Library, make, put_file
from .measure import Row, below, quantile, seconds
from .truth import on_disk

TIMES = 200
EVERY_S = 0.05  # between two changes
ASK_EVERY_S = 0.001
AT_MOST_S = 60.0
MODELS = 2_000  # so that what is deleted is no mass that vanishes at once
OPEN_AT_ONCE = 4  # files that are being copied: the second half of each comes 0.2 s after the first
MEDIAN_S, P99_S = 0.05, 0.3  # the aims, beyond what a kind of change has to wait for
QUIET_S = 2.0  # a file that was written is at rest when nothing has touched it for so long
GRACE_S = 1.0  # a file that is gone may be about to appear elsewhere: so long its loss is held back

Step = tuple[str, float] | None
"""The path to ask for and when its change began (perf_counter); None where a step has completed no change."""
Answer = Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class _Kind:
    """A kind of change: its steps for some files, the event that ends it, and how its answer differs from before."""

    name: str
    change: Callable[[Sequence[str], str], Iterator[Step]]
    event: int
    is_visible: Callable[[Answer], bool]
    waits_s: float = 0.0
    why: str = ""


def rows(desk: Desk) -> Iterator[Row]:
    """Each kind of change some 200 times, one every 50 ms: to a raw inotify event, then to the daemon's answer."""
    library = make(desk.folder("change"), MODELS)
    models = sorted(on_disk(library.root))
    outside, raw = desk.folder("change-outside"), desk.folder("change-raw")
    with Daemon(library) as daemon, daemon.client() as client:
        for kind in _KINDS:
            desk.tell(f"change: {TIMES} times {kind.name}, raw inotify, then the real daemon")
            files, into = _where(kind, outside, raw)
            floor = _raw(kind, kind.change(files, into), into)
            files, into = _where_in(library, kind, outside, models)
            ours = _follow(client, kind.change(files, into), kind.is_visible)
            yield from _told(kind, floor, ours)


def _told(kind: _Kind, floor: Sequence[float], ours: Sequence[float]) -> Iterator[Row]:
    beyond = f"{kind.why}; {seconds(median(ours) - kind.waits_s)} beyond that" if kind.why else ""
    yield Row(
        f"{kind.name} to visible, median",
        "to raw inotify event",
        median(floor),
        median(ours),
        seconds,
        below(kind.waits_s + MEDIAN_S, seconds),
        beyond or "in the API, asked every ms over the socket",
    )
    yield Row(
        "... p99",
        "the same, p99",
        quantile(floor, 0.99),
        quantile(ours, 0.99),
        seconds,
        below(kind.waits_s + P99_S, seconds),
    )


# The changes ------------------------------------------------------------------------------------------


def _renames(files: Sequence[str], into: str) -> Iterator[Step]:
    for file in files:
        path = os.path.join(into, os.path.basename(file))
        begun = time.perf_counter()
        os.rename(file, path)
        yield path, begun


def _copies(files: Sequence[str], into: str) -> Iterator[Step]:
    """Write each in two halves, while the next ones are begun; the change is what closes it."""
    under_way = deque[tuple[Any, bytes]]()
    for file in [*files, *[None] * OPEN_AT_ONCE]:
        if file is not None:
            with open(file, "rb") as source:
                content = source.read()
            copy = open(os.path.join(into, os.path.basename(file)), "wb", buffering=0)  # noqa: SIM115 - closed below
            copy.write(content[: len(content) // 2])
            under_way.append((copy, content[len(content) // 2 :]))
        if file is not None and len(under_way) <= OPEN_AT_ONCE:
            yield None
            continue
        copy, rest = under_way.popleft()
        copy.write(rest)
        begun = time.perf_counter()
        copy.close()
        yield copy.name, begun


def _deletes(files: Sequence[str], _into: str) -> Iterator[Step]:
    for file in files:
        begun = time.perf_counter()
        os.unlink(file)
        yield file, begun


def _is_pending(answer: Answer) -> bool:
    return answer is not None and answer["pending"] is not None


def _is_present(answer: Answer) -> bool:
    return answer is not None and answer["model"] is not None and answer["model"]["state"] == "present"


def _is_missing(answer: Answer) -> bool:
    return answer is not None and answer["model"] is not None and answer["model"]["state"] == "missing"


_RENAME_IN = _Kind("rename-in", _renames, InotifyConstants.IN_MOVED_TO, _is_pending)
_COPY_IN = _Kind(
    "copy-in (its close)",
    _copies,
    InotifyConstants.IN_CLOSE_WRITE,
    _is_pending,
    QUIET_S,
    f"a written file is taken after {QUIET_S:.0f} s of quiet",
)
_MOVE = _Kind("move within a root", _renames, InotifyConstants.IN_MOVED_TO, _is_present)
_DELETE = _Kind(
    "delete",
    _deletes,
    InotifyConstants.IN_DELETE,
    _is_missing,
    GRACE_S,
    f"a loss is held back for {GRACE_S:.0f} s, for it may be a move",
)
_KINDS = (_RENAME_IN, _COPY_IN, _MOVE, _DELETE)


def _where(kind: _Kind, outside: str, raw: str) -> tuple[list[str], str]:
    """Give new files for the raw measurement of a kind of change, and the folder that they come to."""
    into = os.path.join(raw, kind.name)
    os.mkdir(into)
    files = into if kind is _DELETE else outside
    return [put_file(files, f"raw {kind.name} {number}", number) for number in range(TIMES)], into


def _where_in(library: Library, kind: _Kind, outside: str, models: Sequence[str]) -> tuple[list[str], str]:
    """Give files of the library, or new ones for it, and the folder that they come to."""
    if kind is _MOVE:
        return list(models[:TIMES]), os.path.dirname(models[-1])
    if kind is _DELETE:
        return list(models[TIMES : 2 * TIMES]), ""
    return [put_file(outside, f"{kind.name} {number}", number) for number in range(TIMES)], library.drop


# Taking time ------------------------------------------------------------------------------------------


def _follow(client: Client, steps: Iterator[Step], is_visible: Callable[[Answer], bool]) -> list[float]:
    """Take a step every 50 ms; give the seconds from each change until an answer shows it.

    Changes become visible in the order in which they are made: the oldest that is not is asked for.
    """
    waiting = deque[tuple[str, float]]()
    delays: list[float] = []
    due, more = time.perf_counter(), True
    while more or waiting:
        if more and time.perf_counter() >= due:
            due += EVERY_S
            step = next(steps, ...)
            more = step is not ...
            if isinstance(step, tuple):
                waiting.append(step)
        elif waiting and is_visible(client.at_path(waiting[0][0])):
            delays.append(time.perf_counter() - waiting.popleft()[1])
        elif waiting and time.perf_counter() - waiting[0][1] > AT_MOST_S:
            raise RuntimeError(f"{waiting[0][0]} was not seen to change: {client.json('/api/status')}")
        else:
            time.sleep(ASK_EVERY_S)
    return delays


def _raw(kind: _Kind, steps: Iterator[Step], folder: str) -> list[float]:
    """Give the seconds from each change to its event, which another thread waits for."""
    seen: list[float] = []
    arrived = threading.Semaphore(0)
    descriptor = inotify_init()
    inotify_add_watch(descriptor, os.fsencode(folder), kind.event)

    def wait() -> None:
        for _ in range(TIMES):
            os.read(descriptor, 4096)
            seen.append(time.perf_counter())
            arrived.release()

    thread = threading.Thread(target=wait)
    thread.start()
    begun: list[float] = []
    for step in steps:
        if step is not None:
            begun.append(step[1])
            arrived.acquire()
            time.sleep(0.002)
    thread.join()
    os.close(descriptor)
    return [end - begin for begin, end in zip(begun, seen, strict=True)]
