"""How long after a storm of changes the library is right again: after a burst, and when the kernel dropped events."""

import json
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

import apsw

from .daemon import Daemon, put_unknown_file, wait_until_pending
from .desk import Desk
from .library import Library, make, put_file
from .measure import Row, below, mebibytes, median_time, seconds
from .taken import cpu_s, most_memory
from .truth import on_disk, some_of, wait_until_true

BURST = 10_000
MOVED = 10_000  # a tenth of the library: more than a fifth that seems to vanish is looked at once more, 5 s later
NEW = 10_000
DELETED = REWRITTEN = 1_000
QUEUE = "/proc/sys/fs/inotify/max_queued_events"
TIMES = 3
AT_MOST_S = 180.0
ASKED_FIRST = 50  # paths
SETTLED_S = 2.2  # a file that has not changed for so long is at rest at the first look
SEEN_FIRST = 2_000_000  # the number of a file that tells that the first look is over


# A burst ----------------------------------------------------------------------------------------------


def burst(desk: Desk) -> Iterator[Row]:
    """Ten thousand files are renamed into the drop folder, as fast as it goes."""
    count = desk.scaled(BURST)
    desk.tell(f"burst: {count:,} files into the drop folder of the real daemon")
    library = make(desk.folder("burst"), 0)
    outside = desk.folder("burst-outside")
    files = [put_file(outside, f"file_{number}", number) for number in range(count)]
    with Daemon(library) as daemon:
        _wait_for_first_look(daemon, library)
        cpu_before = cpu_s(daemon.pid)
        for file in files:
            os.rename(file, os.path.join(library.drop, os.path.basename(file)))
        last = time.perf_counter()
        expected = on_disk(library.root, library.drop)
        right = wait_until_true(library, expected, some_of(list(expected), ASKED_FIRST), at_most=AT_MOST_S)
        cpu = cpu_s(daemon.pid) - cpu_before
    yield Row(
        f"burst of {count:,} renamed files: last rename to every file right",
        "stat, read headers, INSERT, plainly",
        median_time(TIMES, lambda: _take_in_plainly(library.drop, os.path.join(outside, "plain.db"))),
        right - last,
        seconds,
        below(3, seconds),
        f"the read tables equal a walk of the disk; {cpu:.1f} s of CPU from the first rename on",
    )


def _take_in_plainly(folder: str, path: str) -> None:
    """Do what cannot be left out when a folder's new files are taken in; in one durable transaction."""
    Path(path).unlink(missing_ok=True)
    with closing(apsw.Connection(path)) as db:
        db.pragma("journal_mode", "wal")
        db.execute("CREATE TABLE files (path TEXT PRIMARY KEY, size INTEGER, mtime INTEGER, ino INTEGER, header TEXT)")
        with db:
            db.executemany("INSERT INTO files VALUES (?, ?, ?, ?, ?)", _seen_plainly(folder))


def _seen_plainly(folder: str) -> Iterator[tuple[str, int, int, int, str]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            info = entry.stat()
            with open(entry.path, "rb") as file:
                header = file.read(int.from_bytes(file.read(8), "little"))
            yield entry.path, info.st_size, info.st_mtime_ns, info.st_ino, json.dumps(json.loads(header))


# An overflow ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Storm:
    """Which files of a library are to be moved, deleted and written anew, and how many new ones are to come."""

    moved: Sequence[str]
    deleted: Sequence[str]
    rewritten: Sequence[str]
    new: int

    @property
    def changes(self) -> int:
        """How many files it touches."""
        return len(self.moved) + len(self.deleted) + len(self.rewritten) + self.new

    def rage(self) -> list[str]:
        """Change the disk; gives all paths where something is or was, each kind of change after the other."""
        folders = sorted({os.path.dirname(path) for path in (*self.moved, *self.deleted, *self.rewritten)})
        new = [put_file(folder, f"new_{number}", number) for number, folder in zip(range(self.new), cycle(folders))]
        for number, path in enumerate(self.rewritten):
            put_file(os.path.dirname(path), Path(path).stem, number)
        moved = [_move(path, folder) for path, folder in zip(self.moved, cycle(folders))]
        for path in self.deleted:
            os.unlink(path)
        return [*new, *self.rewritten, *self.moved, *moved, *self.deleted]


def overflow(desk: Desk) -> Iterator[Row]:
    """More files of a large library change than the kernel keeps events for, while the daemon is held still."""
    library = desk.large
    library.build()
    storm = _storm(desk, library)
    desk.tell(f"overflow: {storm.changes:,} files change while the real daemon is held still")
    with Daemon(library) as daemon:
        _wait_for_first_look(daemon, library)
        at_rest, cpu_before = most_memory(daemon.pid), cpu_s(daemon.pid)
        with daemon.suspended():
            touched = storm.rage()
            expected = on_disk(library.root, library.drop)
            time.sleep(SETTLED_S)
        begun = time.perf_counter()
        right = wait_until_true(library, expected, some_of(touched, ASKED_FIRST), at_most=AT_MOST_S)
        cpu, most = cpu_s(daemon.pid) - cpu_before, most_memory(daemon.pid)
    yield Row(
        f"overflow, {storm.changes:,} of {len(expected):,} files changed: until every file is right",
        "scandir + stat, the same tree",
        median_time(TIMES, lambda: on_disk(library.root, library.drop)),
        right - begun,
        seconds,
        below(10, seconds),
        f"from SIGCONT; {cpu:.1f} s of CPU; at most {mebibytes(most)}, {mebibytes(at_rest)} before",
    )


def _storm(desk: Desk, library: Library) -> _Storm:
    """Choose what is changed: a file that is made or moved puts two events into the queue, which must overflow."""
    files = sorted(on_disk(library.root))
    deleted, rewritten = (min(desk.scaled(number), len(files) // 100) for number in (DELETED, REWRITTEN))
    moved = min(desk.scaled(MOVED), len(files) // 10)
    held = int(Path(QUEUE).read_bytes())
    new = max(desk.scaled(NEW), round(1.1 * held / 2) - moved)
    ends = [moved, moved + deleted, moved + deleted + rewritten]
    return _Storm(files[: ends[0]], files[ends[0] : ends[1]], files[ends[1] : ends[2]], new)


def _move(path: str, folder: str) -> str:
    target = os.path.join(folder, f"moved_{os.path.basename(path)}")
    os.rename(path, target)
    return target


def _wait_for_first_look(daemon: Daemon, library: Library) -> None:
    path = put_unknown_file(library, SEEN_FIRST)
    with daemon.client() as client:
        wait_until_pending(client, path, pause=0.05)
