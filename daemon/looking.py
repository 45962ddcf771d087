"""Looks at files for the observer, in threads: what lies at a path, what it holds, and what is really gone."""

import os
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Self

import apsw

from ..events.catalog import File
from ..events.pathtext import to_path, to_text
from ..projections import models, pending
from . import roots as rooting
from .content.guess import guess_type
from .content.header import Header, read
from .content.reading import header_dict
from .grounds import Absent, Recorded
from .hashing import Hashed
from .listing import KEPT, Listing
from .names import type_of_folder
from .probe import facts
from .rootcheck import Identity, is_network
from .roots import Root
from .scan import Known, Seen, is_too_deep, stat_file
from .settle import Facts
from .sightings import Sighting, known_files

FEW = 20  # files for which to look for each possible marker is quicker than to list their folder
SAMPLE = 8  # known files looked for when another disk may lie at a root's path

AsKnown = tuple[str, int, int]
"""Path, size in bytes and mtime in ns of a file as it is known."""


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What tells one file from another; the numbers as they stand in the read tables (`roots.signed`)."""

    size: int
    mtime_ns: int
    dev: int
    ino: int
    real: str = ""
    """Its path free of links to folders, where one of the other paths looked at leads to the same file."""

    @classmethod
    def of(cls, seen: Seen) -> Self:
        """Take the fingerprint of a file that was looked at."""
        return cls(seen.size, seen.mtime_ns, rooting.signed(seen.dev), rooting.signed(seen.ino))

    def is_of(self, file: File) -> bool:
        """Tell whether a file is as it was sighted."""
        return (self.size, self.mtime_ns, self.ino) == (file.size, file.mtime_ns, file.ino)


@dataclass(frozen=True, slots=True)
class Looked:
    """What a look at one file saw; `gone` says that nothing is there, `unreadable` that it could not be opened."""

    path: str
    root: Root
    seen: Seen | None = None
    facts: Facts | None = None
    gone: bool = False
    unreadable: bool = False
    folder: tuple[str, int] | None = None
    """The folder it lies in, and the device that lies on."""
    far: bool = False

    @property
    def unfinished(self) -> bool:
        """Whether what lies there lacks something, and is not being written just now."""
        facts_ = self.facts
        if facts_ is None or self.unreadable or facts_.writing:
            return False
        return facts_.size == 0 or facts_.marker or facts_.holes or facts_.shortfall is not None

    @property
    def is_written(self) -> bool:
        """Whether some program has it open for writing."""
        return self.facts is not None and not self.unreadable and bool(self.facts.writing)

    def as_whole(self) -> "Looked":
        """Give the same, with nothing lacking in the file."""
        return self if self.facts is None else replace(self, facts=replace(self.facts, shortfall=None, holes=False))

    @property
    def falls_short(self) -> bool:
        """Whether its header, or parts that were never written, are all that speaks against it."""
        facts_ = self.facts
        return facts_ is not None and not self.unreadable and (facts_.shortfall is not None or facts_.holes)

    @property
    def network(self) -> bool:
        """Whether the file may lie on another machine."""
        return self.far or (self.root.identity is not None and is_network(self.root.identity.fstype))


# Files that may have arrived


def look_at_files(
    roots: Sequence[Root],
    files: Sequence[tuple[str, bool]],
    marked: Listing[frozenset[str]],
    *,
    far: bool = False,
) -> list[Looked]:
    """Look at files (path, whether it was renamed to it) in the roots that are here.

    `marked` tells which names in a folder have a downloader's marker beside them; for a few it is looked for. `far`
    says that the files lie on another machine, though their root may not.
    """
    looked: list[Looked] = []
    # Once for all of these files: a folder that has just changed would be listed anew for each of them, and for 200 of
    # 2,000 files there that took 0.3 s.
    marked_in = lru_cache(maxsize=KEPT)(marked.of) if len(files) > FEW else None
    for path, renamed in files:
        root = rooting.of_path(roots, path)
        if root is not None and not root.offline and not is_too_deep(root.path, path):
            looked.append(_look_at_file(Looked(path, root, gone=True, far=far), renamed, marked_in))
    return looked


def _look_at_file(nothing: Looked, renamed: bool, marked_in: Callable[[str], frozenset[str]] | None) -> Looked:
    """Look at the file of a look that saw nothing yet."""
    path = nothing.path
    try:
        seen = stat_file(path)
        if seen is None:
            return nothing
        folder, name = os.path.split(path)
        marker = None if marked_in is None else name in marked_in(folder)
        told = facts(path, marker=marker, renamed=renamed, network=nothing.network)
        device = os.stat(folder).st_dev
    except FileNotFoundError:
        return nothing
    except OSError as error:
        return _look_at_unreadable(nothing, error)
    return replace(nothing, seen=seen, facts=told, gone=False, folder=(folder, device))


def _look_at_unreadable(nothing: Looked, error: OSError) -> Looked:
    """Keep a file waiting that is there and cannot be read."""
    try:
        seen = stat_file(nothing.path)
    except OSError:
        seen = None
    if seen is None:
        return replace(nothing, gone=False)
    reason = f"cannot be read ({error.strerror}); make it readable for the user that runs hikazed"
    told = Facts(seen.size or 1, seen.mtime_ns, seen.ctime_ns, seen.dev, seen.ino, shortfall=reason)
    return replace(nothing, seen=seen, facts=told, gone=False, unreadable=True)


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
    type_ = root.type or _type_told(root, seen.path, header, tensors)
    return Sighting(
        file=rooting.as_file(seen, root.id),
        kind=root.kind,
        type=type_,
        header=header_dict(header, tensors, type_),
        sha256=sha256,
    )


def sighted(root: Root, path: str, hashed: Hashed) -> Sighting | None:
    """Look at a hashed file once more; None where it is not, or no more, what was hashed."""
    try:
        seen = stat_file(path)
        if seen is None or (seen.size, seen.mtime_ns) != (hashed.size, hashed.mtime_ns):
            return None
        return replace(sighting_of(root, seen, hashed.sha256), further=hashed.further)
    except OSError:
        return None


def header_of(wanted: AsKnown, type_: str | None) -> dict[str, Any] | None:
    """Read what a file of a type says of itself; None where it is not, or no more, as it is known. Raises OSError."""
    path = wanted[0]
    if not _is_as_known(wanted):
        return None
    header, tensors = read(path)
    told = header_dict(header, tensors, type_)
    return told if _is_as_known(wanted) else None  # it may have been written over meanwhile


def _is_as_known(wanted: AsKnown) -> bool:
    path, size, mtime_ns = wanted
    seen = stat_file(path)
    return seen is not None and (seen.size, seen.mtime_ns) == (size, mtime_ns)


def _type_told(root: Root, path: str, header: Header, tensors: Any) -> str | None:
    """Give the type of a dropped file: by the innermost subfolder that names one, else by the header."""
    below = os.path.relpath(os.path.dirname(path), root.path)
    for name in reversed(below.split(os.sep)):
        if (type_ := type_of_folder(name)) is not None:
            return type_
    return guess_type(header, tensors)


def with_others(db: apsw.Connection, roots: Sequence[Root], sightings: Sequence[Sighting]) -> list[Sighting]:
    """Look at the other paths under which each file is known, as the observer does in three parts."""
    others = others_of(db, sightings)
    return placed(roots, sightings, others, fingerprints(paths_among(sightings, others)))


def others_of(db: apsw.Connection, sightings: Sequence[Sighting]) -> list[list[File]]:
    """Give the other files as which each sighted one is known."""
    return [known_files(db, sighting.file) for sighting in sightings]


def paths_among(sightings: Sequence[Sighting], others: Sequence[Sequence[File]]) -> list[str]:
    """Give the paths that have to be looked at before sightings are placed."""
    texts = [sighting.file.path for sighting in sightings]
    texts += [file.path for known in others for file in known]
    return [to_path(text) for text in dict.fromkeys(texts)]


def fingerprints(paths: Iterable[str]) -> dict[str, Fingerprint | None]:
    """Look at files: None where there is none; left out is what cannot be looked at."""
    found: dict[str, Fingerprint | None] = {}
    for path in paths:
        try:
            seen = stat_file(path)
        except OSError:
            continue
        found[path] = None if seen is None else Fingerprint.of(seen)
    _tell_apart(found)
    return found


def _tell_apart(found: dict[str, Fingerprint | None]) -> None:
    """Say of files that are one and the same where each really lies: it may be one name, reached in two ways."""
    same: dict[tuple[int, int], list[str]] = {}
    for path, print_ in found.items():
        if print_ is not None:
            same.setdefault((print_.dev, print_.ino), []).append(path)
    for paths in same.values():
        for path in paths if len(paths) > 1 else ():
            folder, name = os.path.split(path)
            if (print_ := found[path]) is not None:
                found[path] = replace(print_, real=os.path.join(os.path.realpath(folder), name))


def placed(
    roots: Sequence[Root],
    sightings: Sequence[Sighting],
    others: Sequence[Sequence[File]],
    seen: Mapping[str, Fingerprint | None],
) -> list[Sighting]:
    """Say of each sighting from where its file has gone, and where it is as well, by what lies at those paths.

    What is no more as it was sighted is left out: an import, perhaps, was faster.
    """
    online = {root.id for root in roots if not root.offline}
    return [
        _placed(sighting, known, online, seen, now)
        for sighting, known in zip(sightings, others, strict=True)
        if (now := seen.get(to_path(sighting.file.path))) is not None and now.is_of(sighting.file)
    ]


def _placed(
    sighting: Sighting,
    known: Sequence[File],
    online: set[int],
    seen: Mapping[str, Fingerprint | None],
    now: Fingerprint,
) -> Sighting:
    gone: set[str] = set()
    linked: set[str] = set()
    for file in known:
        path = to_path(file.path)
        if path not in seen:
            continue  # it cannot be looked at: nothing is known of it
        other = seen[path]
        if other is not None and other.ino == sighting.file.ino:
            if _is_one_name(sighting, file, now, other):
                gone.add(file.path)
            elif other.dev == sighting.file.dev:
                linked.add(file.path)
        elif file.root in online or file.dev == sighting.file.dev:
            gone.add(file.path)  # in a root that is away, this may be a copy of it on a copied disk
    return replace(sighting, gone=frozenset(gone), linked=frozenset(linked)) if gone or linked else sighting


def _is_one_name(sighting: Sighting, file: File, now: Fingerprint, other: Fingerprint) -> bool:
    """Tell whether a file is known by a link to its folder that is followed no more, as it is reached another way now.

    Each root follows a link of its own to a folder outside, but none into what is a root by now.
    """
    if not other.real or other.real != now.real:
        return False
    return file.root == sighting.file.root or now.real == to_path(sighting.file.path)


def moved_here(db: apsw.Connection, found: Sequence[Seen], root: Root) -> set[str]:
    """Give the paths of those files that are known by another path: they have come to rest long ago."""
    return {seen.path for seen in found if known_files(db, rooting.as_file(seen, root.id))}


def known_as_they_are(db: apsw.Connection, found: Sequence[Seen]) -> set[str]:
    """Give the paths of those files that are known as they are, by this path or another: nothing lacks in them.

    Not those of which an earlier library tells alone: it may have found them half downloaded.
    """
    prints = ((one.path, (rooting.signed(one.ino), one.size, one.mtime_ns)) for one in found)
    return {path for path, print_ in prints if db.execute(_KNOWN_AS_IT_IS, print_).get}


_KNOWN_AS_IT_IS = (
    "SELECT 1 FROM locations WHERE ino = ?1 AND size_bytes = ?2 AND mtime_ns = ?3 AND NOT claimed"
    " UNION ALL SELECT 1 FROM pending_import WHERE ino = ?1 AND size_bytes = ?2 AND mtime_ns = ?3"
    " UNION ALL SELECT 1 FROM pending_away WHERE ino = ?1 AND size_bytes = ?2 AND mtime_ns = ?3"
)


# Files that may be gone


def really_gone(roots: Sequence[Root], paths: Iterable[str], busy: set[str]) -> list[Absent]:
    """Look at paths that may be gone; absence counts only in a root that is proven present after the look.

    Whether it is believed depends on what is found where the file was, see `grounds`.
    """
    gone: dict[int, list[Absent]] = {}
    present = {root.id: root for root in roots if not root.offline}
    dark: dict[str, bool] = {}
    grounds: dict[str, tuple[str, int] | None] = {}
    for path in paths:
        root = rooting.of_path(roots, path)
        if root is None or root.id not in present or path in busy:
            continue
        try:
            if stat_file(path) is not None:  # a folder of the file's name is no file
                continue
        except OSError:
            continue
        folder, is_link = os.path.dirname(path), os.path.islink(path)
        if _lies_in_the_dark(folder, root.path, dark):
            continue
        ground = _ground(os.path.dirname(os.path.realpath(path)) if is_link else folder, grounds)
        if ground is not None:
            gone.setdefault(root.id, []).append(Absent(path, root.id, *ground, is_link))
    return [absent for number, found in gone.items() if rooting.is_here(present[number]) for absent in found]


def _ground(folder: str, found: dict[str, tuple[str, int] | None]) -> tuple[str, int] | None:
    """Give the nearest folder that exists on the way to one, itself included, and its device; None in doubt."""
    if folder not in found:
        try:
            found[folder] = folder, os.stat(folder).st_dev
        except (FileNotFoundError, NotADirectoryError):
            above = os.path.dirname(folder)
            found[folder] = None if above == folder else _ground(above, found)
        except OSError:
            found[folder] = None
    return found[folder]


def recorded(db: apsw.Connection, missing: Sequence[Absent]) -> dict[str, Recorded]:
    """Give what the read tables tell of the devices of missing files, by path.

    Nothing is told of a file that nobody has seen: an earlier library told of it while its root was away.
    """
    found: dict[str, Recorded] = {}
    beside: dict[tuple[int, int], set[str]] = {}
    for absent in missing:
        row = db.execute(_DEVICE_AT, (to_text(absent.path),)).fetchone()
        if row is None or not row[0]:
            continue
        key = absent.root, row[0]
        if key not in beside:
            beside[key] = {os.path.dirname(to_path(path)) for (path,) in db.execute(_ON_DEVICE, key)}
        found[absent.path] = Recorded(rooting.unsigned(row[0]), beside[key])
    return found


_DEVICE_AT = (
    "SELECT dev FROM locations WHERE path = ?1 UNION ALL SELECT dev FROM pending_import WHERE path = ?1"
    " UNION ALL SELECT dev FROM pending_away WHERE path = ?1"
)
_ON_DEVICE = (
    "SELECT path FROM locations WHERE root = ?1 AND dev = ?2 AND NOT lost"
    " UNION ALL SELECT path FROM pending_import WHERE root = ?1 AND dev = ?2"
)


def folders_of(paths: Iterable[str]) -> set[str]:
    """Give the folders that some paths lie in."""
    return {os.path.dirname(path) for path in paths}


def count_known(db: apsw.Connection, root: int) -> int:
    """Count the files that should lie in a root."""
    row = db.execute(
        "SELECT (SELECT count(*) FROM locations WHERE root = ?1 AND NOT lost)"
        " + (SELECT count(*) FROM pending_import WHERE root = ?1 AND state = 'waiting')",
        (root,),
    ).fetchone()
    return 0 if row is None else row[0]


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


def identities(paths: Iterable[str]) -> set[tuple[int, int]]:
    """Give (device, inode) of the folders that can be reached."""
    found: set[tuple[int, int]] = set()
    for path in paths:
        try:
            info = os.stat(path)
        except OSError:
            continue
        found.add((info.st_dev, info.st_ino))
    return found


def known_in(db: apsw.Connection, root: int, under: str | None = None) -> dict[str, Known]:
    """Give what should lie in a root, or with `under` in that folder of it, as the scan compares it."""
    if under is not None:
        found = db.execute(_KNOWN_UNDER, (root, *_inside(under)))
    else:
        found = [*models.in_root(db, root), *pending.in_root(db, root)]
    return {to_path(path): (size, mtime_ns, rooting.unsigned(ino)) for path, size, mtime_ns, ino in found}


# `+root`: by the index of the paths; that of the roots would go through all of a root.
_KNOWN_UNDER = (
    "SELECT path, size_bytes, mtime_ns, ino FROM locations WHERE +root = ?1 AND path >= ?2 AND path < ?3 AND NOT lost"
    " UNION ALL SELECT path, size_bytes, mtime_ns, ino FROM pending_import"
    " WHERE +root = ?1 AND path >= ?2 AND path < ?3 AND state = 'waiting'"
    " UNION ALL SELECT path, size_bytes, mtime_ns, ino FROM pending_away"
    " WHERE +root = ?1 AND path >= ?2 AND path < ?3 AND state = 'hidden'"
)


def known_below(db: apsw.Connection, folder: str) -> list[str]:
    """Give the paths below a folder where something should lie."""
    rows = db.execute(
        "SELECT path FROM locations WHERE path >= ? AND path < ? AND NOT lost"
        " UNION SELECT path FROM pending_import WHERE path >= ? AND path < ?"
        " UNION SELECT path FROM pending_away WHERE path >= ? AND path < ? AND state = 'hidden'",
        _inside(folder) * 3,
    )
    return [to_path(row[0]) for row in rows]


def other_names(db: apsw.Connection, file: File, *, of_models: bool = False) -> list[str]:
    """Give the paths under which a file is known besides its own, as it was before it changed: its hard links.

    `of_models`: only those where models are.
    """
    which = _NAMES_OF_MODELS if of_models else f"{_NAMES_OF_MODELS} UNION {_NAMES_OF_PENDING}"
    return [to_path(path) for (path,) in db.execute(which, (file.ino, file.dev, file.path))]


_NAMES_OF_MODELS = "SELECT path FROM locations WHERE ino = ?1 AND dev = ?2 AND path <> ?3 AND NOT lost"
_NAMES_OF_PENDING = (
    "SELECT path FROM pending_import WHERE ino = ?1 AND dev = ?2 AND path <> ?3 AND state = 'waiting'"
    " UNION SELECT path FROM pending_away WHERE ino = ?1 AND dev = ?2 AND path <> ?3 AND state = 'hidden'"
)


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


def sample(db: apsw.Connection, root: int) -> list[AsKnown]:
    """Give a few of the files that are known in a root; none where there is none."""
    rows = [*models.in_root(db, root), *pending.in_root(db, root)]
    few = rows[:: max(1, len(rows) // SAMPLE)][: SAMPLE + 1]
    return [(to_path(path), size, mtime_ns) for path, size, mtime_ns, _ in few]


def any_as_known(files: Iterable[AsKnown]) -> bool:
    """Tell whether a file of its size lies where one of some files is known; its time may be that of a copy."""
    return any(seen.size == size for path, size, _ in files if (seen := fingerprints([path]).get(path)) is not None)


def is_known(db: apsw.Connection, root: int, found: Iterable[Seen]) -> bool:
    """Tell whether one of some files lies where one of its size is known; its time may be that of a copy."""
    return any(seen.size in {row[0] for row in db.execute(_SIZES_AT, (root, to_text(seen.path)))} for seen in found)


_SIZES_AT = (
    "SELECT size_bytes FROM locations WHERE +root = ?1 AND path = ?2 AND NOT lost"
    " UNION ALL SELECT size_bytes FROM pending_import WHERE +root = ?1 AND path = ?2"
)


# Roots


def as_before(roots: Sequence[Root]) -> list[bool]:
    """Tell of each root whether it is the folder it was: cheaper than to identify it, for it is done at rest."""
    return [_is_as_before(root) for root in roots]


def _is_as_before(root: Root) -> bool:
    if root.identity is None:
        return False
    try:
        info = os.stat(root.path)
        fsid = os.statvfs(root.path).f_fsid if hasattr(os, "statvfs") else info.st_dev
    except OSError:
        return False
    return rooting.is_same(Identity(fsid, info.st_ino, root.identity.fstype), root)


def free_space(roots: Sequence[Root]) -> dict[int, tuple[int, int]]:
    """Give, by root, the free and all bytes of the disk it lies on; left out where it cannot be asked."""
    found: dict[int, tuple[int, int]] = {}
    for root in roots:
        with suppress(OSError):
            usage = shutil.disk_usage(root.path)
            found[root.id] = usage.free, usage.total
    return found
