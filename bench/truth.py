"""The truth of a library: what lies on the disk, walked plainly, and when the read tables say the same."""

import os
import time
from collections.abc import Mapping, Sequence
from contextlib import closing

import apsw
from hikaze.daemon.roots import signed
from hikaze.events.pathtext import to_text
from hikaze.projections import models, pending
from hikaze.projections.runner import reader

from .library import DROP_ROOT, MODEL_ROOT, Library

ASK_EVERY_S = 0.01
Files = dict[str, tuple[int, int, int]]
"""Size in bytes, mtime in ns and inode, by path as the read tables write it."""

_AT_PATH = (
    "SELECT size_bytes, mtime_ns, ino FROM locations WHERE path = ?1 AND NOT lost"
    " UNION ALL SELECT size_bytes, mtime_ns, ino FROM pending_import WHERE path = ?1 AND state = 'waiting'"
)


def on_disk(*folders: str) -> Files:
    """Give every file in some folders, by scandir and stat; all files there have to be model files."""
    found: Files = {}
    waiting = list(folders)
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
                else:
                    info = entry.stat(follow_symlinks=False)
                    found[to_text(entry.path)] = (info.st_size, info.st_mtime_ns, signed(info.st_ino))
    return found


def wait_until_true(library: Library, files: Mapping[str, object], first: Sequence[str], *, at_most: float) -> float:
    """Ask the read tables until they hold exactly these files, each as it is; gives the clock (perf_counter) then.

    The paths in `first`, of files that are there or must not be, are asked for before all others, because a
    daemon at work should not be slowed down by whoever watches it. Raises RuntimeError after `at_most` seconds.
    """
    deadline = time.perf_counter() + at_most
    with closing(reader(library.views)) as db:
        while True:
            now = time.perf_counter()
            if all(_is_right(db, files, path) for path in first) and not _wrong(db, files):
                return now
            if now > deadline:
                wrong = _wrong(db, files)
                raise RuntimeError(f"{len(wrong):,} files are not right after {at_most:.0f} s, as {wrong[:3]}")
            time.sleep(max(ASK_EVERY_S, time.perf_counter() - now))


def some_of(paths: Sequence[str], count: int) -> list[str]:
    """Give `count` of the paths, evenly spread, the last of all first."""
    return list(paths[:: -max(1, len(paths) // count)])


def _is_right(db: apsw.Connection, files: Mapping[str, object], path: str) -> bool:
    expected = [files[path]] if path in files else []
    return db.execute(_AT_PATH, (path,)).fetchall() == expected


def _wrong(db: apsw.Connection, files: Mapping[str, object]) -> list[str]:
    """Give the paths that are unknown, known twice, known and not there, or known to be otherwise."""
    db.execute("BEGIN")  # one state of the tables, whatever is written meanwhile
    try:
        known = [
            row for root in (MODEL_ROOT, DROP_ROOT) for view in (models, pending) for row in view.in_root(db, root)
        ]
    finally:
        db.execute("COMMIT")
    wrong = [path for path, *file in known if files.get(path) != tuple(file)]
    if wrong or len(known) != len(files):
        paths = {path for path, *_ in known}
        wrong += files.keys() - paths
        wrong += [] if len(paths) == len(known) else ["a path is known twice"]
    return wrong
