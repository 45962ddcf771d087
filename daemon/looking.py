"""Looks at files for the observer, in threads: what lies at a path, what it holds, and what is really gone."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import apsw

from ..events.catalog import File
from ..events.pathtext import to_path, to_text
from ..projections import models, pending
from . import roots as rooting
from .header import Header, guess_type, read, summary
from .listing import Listing
from .names import type_of_folder
from .probe import facts
from .rootcheck import is_network
from .roots import Root
from .scan import Known, Seen, stat_file
from .settle import Facts
from .sightings import Sighting, known_files

FEW = 20  # files for which to look for each possible marker is quicker than to list their folder
SAMPLE = 8  # known files looked for when another disk may lie at a root's path


@dataclass(frozen=True, slots=True)
class Looked:
    """What a look at one file saw; `gone` says that nothing is there, `unreadable` that it could not be opened."""

    path: str
    root: Root
    seen: Seen | None = None
    facts: Facts | None = None
    gone: bool = False
    unreadable: bool = False

    @property
    def network(self) -> bool:
        """Whether the file may lie on another machine."""
        return self.root.identity is not None and is_network(self.root.identity.fstype)


# Files that may have arrived


def look_at_files(
    roots: Sequence[Root], files: Sequence[tuple[str, bool]], marked: Listing[frozenset[str]]
) -> list[Looked]:
    """Look at files (path, whether it was renamed to it) in the roots that are here.

    `marked` tells which names in a folder have a downloader's marker beside them; for a few it is looked for.
    """
    looked: list[Looked] = []
    for path, renamed in files:
        root = rooting.of_path(roots, path)
        if root is not None and not root.offline:
            looked.append(_look_at_file(root, path, renamed, marked if len(files) > FEW else None))
    return looked


def _look_at_file(root: Root, path: str, renamed: bool, marked: Listing[frozenset[str]] | None) -> Looked:
    nothing = Looked(path, root, gone=True)
    try:
        seen = stat_file(path)
        if seen is None:
            return nothing
        folder, name = os.path.split(path)
        marker = None if marked is None else name in marked.of(folder)
        told = facts(path, marker=marker, renamed=renamed, network=nothing.network)
    except FileNotFoundError:
        return nothing
    except OSError as error:
        return _look_at_unreadable(root, path, error)
    return Looked(path, root, seen, told)


def _look_at_unreadable(root: Root, path: str, error: OSError) -> Looked:
    """Keep a file waiting that is there and cannot be read."""
    try:
        seen = stat_file(path)
    except OSError:
        seen = None
    if seen is None:
        return Looked(path, root)
    reason = f"cannot be read ({error.strerror}); make it readable for the user that runs hikazed"
    told = Facts(seen.size or 1, seen.mtime_ns, seen.ctime_ns, seen.dev, seen.ino, shortfall=reason)
    return Looked(path, root, seen, told, unreadable=True)


def sightings_of(taken: Sequence[Looked]) -> list[Sighting]:
    """Read what files at rest hold; one that went away meanwhile is left out: a hint or the next look will tell."""
    found: list[Sighting] = []
    for looked in taken:
        if looked.seen is not None:
            try:
                found.append(sighting_of(looked.root, looked.seen))
            except OSError:
                continue
    return found


def sighting_of(root: Root, seen: Seen, sha256: str | None = None) -> Sighting:
    """Read what a file holds. Raises OSError."""
    header, tensors = read(seen.path)
    return Sighting(
        file=rooting.as_file(seen, root.id),
        kind=root.kind,
        type=root.type or _type_told(root, seen.path, header, tensors),
        header=dict(summary(header)),
        sha256=sha256,
    )


def _type_told(root: Root, path: str, header: Header, tensors: Any) -> str | None:
    """Give the type of a dropped file: by the innermost subfolder that names one, else by the header."""
    below = os.path.relpath(os.path.dirname(path), root.path)
    for name in reversed(below.split(os.sep)):
        if (type_ := type_of_folder(name)) is not None:
            return type_
    return guess_type(header, tensors)


def with_others(db: apsw.Connection, roots: Sequence[Root], sightings: Sequence[Sighting]) -> list[Sighting]:
    """Look at the other paths under which each file is known: has it gone from there, or is it there as well.

    What is no more as it was sighted is left out: an import, perhaps, was faster.
    """
    online = {root.id for root in roots if not root.offline}
    return [
        _with_others(sighting, known_files(db, sighting.file), online)
        for sighting in sightings
        if _fingerprint(to_path(sighting.file.path)) == (sighting.file.size, sighting.file.mtime_ns, sighting.file.ino)
    ]


def _with_others(sighting: Sighting, known: list[File], online: set[int]) -> Sighting:
    gone: set[str] = set()
    linked: set[str] = set()
    for file in known:
        try:
            other = stat_file(to_path(file.path))
        except OSError:
            continue  # it cannot be looked at: nothing is known of it
        if other is not None and rooting.signed(other.ino) == sighting.file.ino:
            if rooting.signed(other.dev) == sighting.file.dev:
                linked.add(file.path)
        elif file.root in online or file.dev == sighting.file.dev:
            gone.add(file.path)  # in a root that is away, this may be a copy of it on a copied disk
    return replace(sighting, gone=frozenset(gone), linked=frozenset(linked)) if gone or linked else sighting


def _fingerprint(path: str) -> tuple[int, int, int] | None:
    try:
        seen = stat_file(path)
    except OSError:
        return None
    return None if seen is None else (seen.size, seen.mtime_ns, rooting.signed(seen.ino))


def moved_here(db: apsw.Connection, found: Sequence[Seen], root: Root) -> set[str]:
    """Give the paths of those files that are known by another path: they have come to rest long ago."""
    return {seen.path for seen in found if known_files(db, rooting.as_file(seen, root.id))}


# Files that may be gone


def really_gone(roots: Sequence[Root], paths: Iterable[str], busy: set[str]) -> list[str]:
    """Look at paths that may be gone; absence counts only in a root that is proven present after the look."""
    gone: dict[int, list[str]] = {}
    present = {root.id: root for root in roots if not root.offline}
    dark: dict[str, bool] = {}
    for path in paths:
        root = rooting.of_path(roots, path)
        if root is None or root.id not in present or path in busy:
            continue
        try:
            os.stat(path)
        except (FileNotFoundError, NotADirectoryError):
            if not _lies_in_the_dark(os.path.dirname(path), root.path, dark):
                gone.setdefault(root.id, []).append(path)
        except OSError:
            continue
    return [path for number, found in gone.items() if rooting.is_here(present[number]) for path in found]


def _lies_in_the_dark(folder: str, top: str, dark: dict[str, bool]) -> bool:
    """Tell whether a folder lies behind a link to a folder that is not there, on an unplugged drive perhaps."""
    if len(folder) <= len(top):
        return False
    if folder not in dark:
        is_dangling = os.path.islink(folder) and not os.path.exists(folder)
        dark[folder] = is_dangling or _lies_in_the_dark(os.path.dirname(folder), top, dark)
    return dark[folder]


# Folders


def folders_among(paths: Sequence[str]) -> list[str]:
    """Give those of some paths that are folders, or links to one."""
    return [path for path in paths if os.path.isdir(path)]


def identities(roots: Iterable[Root]) -> set[tuple[int, int]]:
    """Give (device, inode) of the roots that can be reached."""
    found: set[tuple[int, int]] = set()
    for root in roots:
        try:
            info = os.stat(root.path)
        except OSError:
            continue
        found.add((info.st_dev, info.st_ino))
    return found


def known_in(db: apsw.Connection, root: int) -> dict[str, Known]:
    """Give what should lie in a root, as the scan compares it."""
    rows = [*models.in_root(db, root), *pending.in_root(db, root)]
    return {to_path(path): (size, mtime_ns, ino if ino >= 0 else ino + (1 << 64)) for path, size, mtime_ns, ino in rows}


def known_below(db: apsw.Connection, folder: str) -> list[str]:
    """Give the paths below a folder where something should lie."""
    rows = db.execute(
        "SELECT path FROM locations WHERE path >= ? AND path < ? AND NOT lost"
        " UNION SELECT path FROM pending_import WHERE path >= ? AND path < ?"
        " UNION SELECT path FROM pending_away WHERE path >= ? AND path < ? AND state = 'hidden'",
        _inside(folder) * 3,
    )
    return [to_path(row[0]) for row in rows]


def without_picture(db: apsw.Connection, folder: str, *, deep: bool) -> list[int]:
    """Give the pending models in a folder (`deep`: and in those below it) that have no picture."""
    rows = db.execute(
        "SELECT id, path FROM pending_import WHERE path >= ? AND path < ? AND picture IS NULL AND state = 'waiting'",
        _inside(folder),
    )
    top = to_text(folder.rstrip(os.sep))
    return [number for number, path in rows if deep or os.path.dirname(path) == top]


def _inside(folder: str) -> tuple[str, str]:
    """Give between which texts the paths below a folder lie."""
    low = to_text(folder.rstrip(os.sep) + os.sep)
    return low, low[:-1] + chr(ord(low[-1]) + 1)


def sample(db: apsw.Connection, root: int) -> tuple[bool, bool]:
    """Tell whether files are known in a root, and whether one of a few of them lies there now."""
    rows = [*models.in_root(db, root), *pending.in_root(db, root)]
    for path, size, mtime_ns, _ in rows[:: max(1, len(rows) // SAMPLE)][: SAMPLE + 1]:
        seen = _fingerprint(to_path(path))
        if seen is not None and seen[:2] == (size, mtime_ns):
            return True, True
    return bool(rows), False
