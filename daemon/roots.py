"""The watched folders as the daemon works with them: which there should be, and which root a path lies in."""

import os
from collections.abc import Iterable, Sequence

import apsw
import msgspec

from ..events.catalog import File, RootAdded, RootCameOnline, RootKind, RootRemoved, RootWentOffline
from ..events.pathtext import to_path, to_text
from ..events.record import New
from ..events.writer import Decision
from .rootcheck import Identity, identify
from .scan import Seen


class Root(msgspec.Struct, frozen=True):
    """A watched folder. `path` is for the os functions; `identity` is what it was last proven to be."""

    id: int
    path: str
    kind: RootKind
    type: str | None
    offline: bool
    why: str | None
    identity: Identity | None

    def holds(self, path: str) -> bool:
        """Tell whether a path lies below this root."""
        return path == self.path or path.startswith(self.path.rstrip(os.sep) + os.sep)


class Wanted(msgspec.Struct, frozen=True):
    """A folder that should be watched."""

    path: str
    kind: RootKind
    type: str | None = None


def every(db: apsw.Connection) -> list[Root]:
    """Give the roots that are watched."""
    rows = db.execute(
        "SELECT id, path, kind, type, offline, why, fsid, ino, fstype FROM roots WHERE NOT removed ORDER BY id"
    )
    return [Root(row[0], to_path(row[1]), row[2], row[3], bool(row[4]), row[5], _identity(row[6:])) for row in rows]


def _identity(columns: Sequence[object]) -> Identity | None:
    fsid, ino, fstype = columns
    return Identity(fsid, ino, str(fstype)) if isinstance(fsid, int) and isinstance(ino, int) else None


def adjust(db: apsw.Connection, wanted: Sequence[Wanted]) -> Decision:
    """Decide which roots come and go, so that those wanted are watched. A path that comes back keeps its id."""
    known = {
        (path, kind, type_): (number, bool(removed))
        for number, path, kind, type_, removed in db.execute("SELECT id, path, kind, type, removed FROM roots")
    }
    last = max((number for number, _ in known.values()), default=0)
    events: list[New] = []
    keys = {(to_text(root.path), root.kind, root.type) for root in wanted}
    for key, (number, removed) in known.items():
        if key not in keys and not removed:
            events.append(New(f"root/{number}", RootRemoved(number)))
    for root in wanted:
        key = (to_text(root.path), root.kind, root.type)
        number, removed = known.get(key, (0, True))
        if not removed:
            continue
        if not number:
            last += 1
            number = last
        known[key] = (number, False)
        events.append(New(f"root/{number}", RootAdded(number, to_text(root.path), root.kind, root.type)))
    return Decision(events)


def comes_online(root: int, identity: Identity) -> Decision:
    """A root was proven present."""
    event = RootCameOnline(root, signed(identity.fsid), signed(identity.ino), identity.fstype)
    return Decision([New(f"root/{root}", event)])


def goes_offline(root: int, *, foreign: bool) -> Decision:
    """A root could not be proven present."""
    return Decision([New(f"root/{root}", RootWentOffline(root, "foreign" if foreign else "absent"))])


def is_here(root: Root) -> bool:
    """Look whether a root is the folder it was proven to be. Waits as long as its file system does not answer."""
    return is_same(identify(root.path), root)


def is_same(now: Identity | None, root: Root) -> bool:
    """Tell whether what was found at a root's path is what it was proven to be."""
    known = root.identity
    return now is not None and known is not None and (signed(now.fsid), signed(now.ino)) == (known.fsid, known.ino)


def of_path(roots: Iterable[Root], path: str) -> Root | None:
    """Give the innermost root that a path lies in."""
    return max((root for root in roots if root.holds(path)), key=lambda root: len(root.path), default=None)


def as_file(seen: Seen, root: int) -> File:
    """Give a file that was looked at as an event tells of it."""
    return File(to_text(seen.path), root, seen.size, seen.mtime_ns, signed(seen.dev), signed(seen.ino))


def signed(number: int) -> int:
    """Fit an unsigned 64-bit number of the system (an inode, a file system's id) into SQLite's signed one."""
    return number - (1 << 64) if number >= 1 << 63 else number


def unsigned(number: int) -> int:
    """Undo `signed`."""
    return number + (1 << 64) if number < 0 else number
