"""The watched folders as the daemon works with them: which there should be, and which root a path lies in.

Which there should be is said by the configuration, a ComfyUI, and the user, while the daemon runs. The user has the
last word: a root that the user added stays though the configuration does not name it, and one that the user removed
stays removed though it does.
"""

import os
from collections.abc import Iterable, Mapping, Sequence

import apsw
import msgspec

from ..events.catalog import (
    File,
    RootAdded,
    RootCameOnline,
    RootKind,
    RootOrigin,
    RootPaused,
    RootRemoved,
    RootResumed,
    RootWentOffline,
)
from ..events.pathtext import to_path, to_text
from ..events.record import New
from ..events.writer import Decision
from ..projections import comfyui
from .names import MODEL_EXTENSIONS, NO_MODELS
from .rootcheck import Identity, identify
from .scan import Seen


class NoSuchRoot(LookupError):
    """No root of this id is watched."""


class Root(msgspec.Struct, frozen=True):
    """A watched folder. `path` is for the os functions; `identity` is what it was last proven to be.

    One that is paused is offline, and nothing in it may be touched.
    """

    id: int
    path: str
    kind: RootKind
    type: str | None
    offline: bool
    why: str | None
    identity: Identity | None
    paused: bool = False
    origin: RootOrigin = "configuration"
    endings: tuple[str, ...] = ()
    """Those that a ComfyUI looks for there, beside those of every model."""

    def holds(self, path: str) -> bool:
        """Tell whether a path lies below this root."""
        return path == self.path or path.startswith(self.path.rstrip(os.sep) + os.sep)


class Wanted(msgspec.Struct, frozen=True):
    """A folder that should be watched."""

    path: str
    kind: RootKind
    type: str | None = None
    origin: RootOrigin = "configuration"


def every(db: apsw.Connection) -> list[Root]:
    """Give the roots that are watched."""
    rows = db.execute(
        "SELECT id, path, kind, type, offline, why, fsid, ino, fstype, paused, origin"
        " FROM roots WHERE NOT removed ORDER BY id"
    )
    endings = {path: _of_models(those) for path, those in comfyui.endings(db).items()}
    return [
        Root(
            number,
            to_path(path),
            kind,
            type_,
            bool(offline),
            why,
            _identity(proof),
            bool(paused),
            origin,
            endings.get(path, ()) if kind == "model" else (),
        )
        for number, path, kind, type_, offline, why, *proof, paused, origin in rows
    ]


def _of_models(endings: Iterable[str]) -> tuple[str, ...]:
    """Give those endings that only there are a model's: packs also list those of texts and pictures."""
    return tuple(each for each in endings if each not in MODEL_EXTENSIONS and each not in NO_MODELS)


def _identity(columns: Sequence[object]) -> Identity | None:
    fsid, ino, fstype = columns
    return Identity(fsid, ino, str(fstype)) if isinstance(fsid, int) and isinstance(ino, int) else None


def get(db: apsw.Connection, number: int) -> Root:
    """Give a root that is watched, by its id. Raises `NoSuchRoot`."""
    found = next((root for root in every(db) if root.id == number), None)
    if found is None:
        raise NoSuchRoot(f"no folder with the number {number} is watched; GET /api/roots lists those that are")
    return found


# Which there should be --------------------------------------------------------------------------------


class _Known(msgspec.Struct, frozen=True):
    """A root that is or was watched."""

    number: int
    removed: bool
    refused: bool
    origin: RootOrigin


_Key = tuple[str, RootKind, str | None]


def _key(root: Wanted) -> _Key:
    return to_text(root.path), root.kind, root.type


def _known(db: apsw.Connection) -> dict[_Key, _Known]:
    rows = db.execute("SELECT path, kind, type, id, removed, refused, origin FROM roots")
    return {
        (path, kind, type_): _Known(number, bool(removed), bool(refused), origin)
        for path, kind, type_, number, removed, refused, origin in rows
    }


def _last(known: Mapping[_Key, _Known]) -> int:
    return max((root.number for root in known.values()), default=0)


def known_as(db: apsw.Connection, wanted: Wanted) -> _Known | None:
    """Give the root that was this folder for this type before, watched or not."""
    return _known(db).get(_key(wanted))


def last_number(db: apsw.Connection) -> int:
    """Give the last number that was given to a root."""
    return _last(_known(db))


def adjust(db: apsw.Connection, wanted: Sequence[Wanted]) -> Decision:
    """Decide at the start which roots come and go, by what the configuration and a ComfyUI want.

    A path that comes back keeps its id. What the user added stays, and is not made something else; what the user
    removed does not come. What a running ComfyUI told of stays until it tells otherwise.
    """
    known = _known(db)
    last = _last(known)
    users = {key[0] for key, root in known.items() if root.origin == "user" and not root.removed}
    keys = {_key(root) for root in wanted} | {(path, "model", type_) for path, type_ in comfyui.paths(db)}
    events: list[New] = []
    for key, root in known.items():
        if key not in keys and not root.removed and root.origin != "user":
            events.append(New(f"root/{root.number}", RootRemoved(root.number)))
    for one in wanted:
        key = _key(one)
        before = known.get(key)
        if key[0] in users or (before is not None and (before.refused or not before.removed)):
            continue
        number = last + 1 if before is None else before.number
        last = max(last, number)
        known[key] = _Known(number, removed=False, refused=False, origin=one.origin)
        events.append(_added(number, one))
    return Decision(events)


def add(db: apsw.Connection, wanted: Wanted) -> Decision:
    """Decide to watch a folder that the user wants; the value is its id. One that is watched stays as it is."""
    known = _known(db)
    before = known.get(_key(wanted))
    if before is not None and not before.removed:
        return Decision((), before.number)
    number = _last(known) + 1 if before is None else before.number
    return Decision([_added(number, wanted)], number)


def remove(db: apsw.Connection, number: int) -> Decision:
    """Decide to watch a root no more, until the user adds it again. Raises `NoSuchRoot`."""
    root = get(db, number)
    return Decision([New(f"root/{root.id}", RootRemoved(root.id, by="user"))], root.id)


def pause(db: apsw.Connection, number: int, *, paused: bool) -> Decision:
    """Decide to leave a root alone, or to watch it again; the value is its id. Raises `NoSuchRoot`."""
    root = get(db, number)
    if root.paused == paused:
        return Decision((), root.id)
    return Decision([New(f"root/{root.id}", RootPaused(root.id) if paused else RootResumed(root.id))], root.id)


def _added(number: int, wanted: Wanted) -> New:
    event = RootAdded(number, to_text(wanted.path), wanted.kind, wanted.type, wanted.origin)
    return New(f"root/{number}", event)


def destinations(known: Sequence[Root], type_: str, planned: Sequence[str], ours: frozenset[str]) -> tuple[str, ...]:
    """Give the model folders of a type, the first being where imports go.

    First those that are `planned`, in the order of the configuration; then those that the user added. A folder of
    `ours`, which nobody named, stands behind those that somebody did.
    """
    place = {path: index for index, path in enumerate(planned)}
    paths = [root.path for root in known if root.kind == "model" and root.type == type_]
    return tuple(sorted(paths, key=lambda path: (path in ours, place.get(path, len(place)))))


# Whether they are here --------------------------------------------------------------------------------


def comes_online(root: int, identity: Identity) -> Decision:
    """A root was proven present."""
    event = RootCameOnline(root, signed(identity.fsid), signed(identity.ino), identity.fstype)
    return Decision([New(f"root/{root}", event)])


def goes_offline(root: int, *, foreign: bool) -> Decision:
    """A root could not be proven present."""
    return Decision([New(f"root/{root}", RootWentOffline(root, "foreign" if foreign else "absent"))])


def if_watched(db: apsw.Connection, number: int, told: Decision) -> Decision:
    """Give what was found out about a root, unless it was paused or removed while somebody looked."""
    return told if any(root.id == number and not root.paused for root in every(db)) else Decision()


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
