"""What is true, found out without any of our own ways of looking: a walk of the disk, a hash of each file.

The rules of what belongs to a library are written down once more here, from `design.md` and ARCHITECTURE, and not
taken from the program: a mistake made there must not be made here as well. Then the read tables are held against it.
"""

import hashlib
import json
import os
import sqlite3
import stat
import struct
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from hikaze.events.pathtext import shown, to_path, to_text

EXTENSIONS = (".safetensors", ".sft", ".ckpt", ".pt", ".pt2", ".pth", ".bin", ".pkl", ".gguf")
UNFINISHED = (".part", ".crdownload", ".tmp", ".aria2")
"""Of the endings of unfinished downloads those that the storm uses."""
DEEPEST = 64
_Key = TypeVar("_Key")
SHOWN = 100  # of the waiting files `/api/status` names so many


# The disk ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class OnDisk:
    """A model file that lies in a root."""

    path: str
    size: int
    mtime_ns: int
    ino: int
    sha256: str
    finished: bool
    """Nothing about it says that it is not all there: it must have been taken."""


def walk(roots: Sequence[str], finished: Collection[str] = ()) -> dict[str, OnDisk]:
    """Give each model file in the roots that are there, by its path.

    `finished` are the hashes of contents that are whole; of a file with other content it is only known what its
    header says.
    """
    found: dict[str, OnDisk] = {}
    for root in roots:
        if os.path.isdir(root):
            others = [other for other in roots if other != root]
            for path in _Walk(root, others).files():
                at = _on_disk(path, finished)
                if at is not None:
                    found[path] = at
    return found


def is_model(name: str) -> bool:
    """Tell whether a file of this name is a model."""
    low = name.lower()
    return not name.startswith(".") and low.endswith(EXTENSIONS) and os.path.splitext(low)[1] in EXTENSIONS


class _Walk:
    """One root: first all real folders, then the links to folders, level by level and by name."""

    def __init__(self, root: str, others: Sequence[str]) -> None:
        self.root = root
        self.others = {_ident(other) for other in others if os.path.isdir(other)}
        self.entered: set[tuple[int, int]] = set()
        self.covered = [os.path.realpath(root)]
        self.links: list[tuple[str, int]] = []

    def files(self) -> Iterator[str]:
        yield from self.below(self.root, 0)
        while self.links:
            level, self.links = sorted(self.links), []
            for link, depth in level:
                if self.is_followed(link):
                    self.covered.append(os.path.realpath(link))
                    yield from self.below(link, depth)

    def below(self, folder: str, depth: int) -> Iterator[str]:
        try:
            names = os.listdir(folder)
            self.entered.add(_ident(folder))
        except OSError:
            return
        for name in names:
            path = f"{folder}/{name}"
            mode = _mode(path)
            if stat.S_ISREG(mode):
                if is_model(name):
                    yield path
            elif stat.S_ISDIR(mode) and not name.startswith(".") and depth < DEEPEST:
                if os.path.islink(path):
                    self.links.append((path, depth + 1))
                else:
                    yield from self.below(path, depth + 1)

    def is_followed(self, link: str) -> bool:
        """Tell whether a link leads to something that is not seen without it, and is nobody else's."""
        target = os.path.realpath(link)
        if _ident(target) in self.entered or _is_in(self.covered[0], target):
            return False
        for covered in self.covered:
            below = os.path.relpath(target, covered)
            if _is_in(target, covered) and not any(name.startswith(".") for name in below.split(os.sep) if name != "."):
                return False
        above = [target[:end] for end in range(1, len(target) + 1) if target[end : end + 1] in ("", os.sep)]
        return not any(_ident(folder) in self.others for folder in above)


def _is_in(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)


def _ident(path: str) -> tuple[int, int]:
    info = os.stat(path)
    return info.st_dev, info.st_ino


def _mode(path: str) -> int:
    """Give what kind of thing a path leads to; nothing where it leads nowhere, or is too long to be used."""
    try:
        return os.stat(path).st_mode
    except OSError:
        return 0


def _on_disk(path: str, finished: Collection[str]) -> OnDisk | None:
    try:
        content, info = Path(path).read_bytes(), os.stat(path)
    except OSError:
        return None
    sha256 = hashlib.sha256(content).hexdigest()
    is_finished = not _has_marker(path) and (sha256 in finished or _may_be_whole(path, content))
    return OnDisk(path, info.st_size, info.st_mtime_ns, info.st_ino, sha256, is_finished)


def _has_marker(path: str) -> bool:
    folder, name = os.path.split(path)
    wanted = {name.casefold() + ending for ending in UNFINISHED}
    return any(sibling.casefold() in wanted for sibling in os.listdir(folder))


def _may_be_whole(path: str, content: bytes) -> bool:
    """Tell whether something of unknown content is certainly taken: not empty, and of no format that says its size."""
    head = content[:1]
    if not content or path.lower().endswith((".safetensors", ".sft", ".gguf")) or head in (b"P", b"G", b"\x80"):
        return False
    return len(content) > 8 and not _looks_like_safetensors(content)


def _looks_like_safetensors(content: bytes) -> bool:
    (length,) = struct.unpack_from("<Q", content)
    return length < 100_000_000 and content[8:9] == b"{"


# The read tables --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Place:
    """Where the tables say that a model's content lies, or lay."""

    path: str
    model: str
    lost: bool
    root: int
    device: int = 0  # 0: on which was not told


@dataclass(frozen=True)
class Candidate:
    """A pending model as the tables have it; those out of sight too."""

    id: int
    path: str
    state: str
    size: int
    mtime_ns: int
    ino: int
    sha256: str
    in_place: bool
    written: bool
    device: int = 0  # 0: on which was not told


@dataclass(frozen=True)
class Tables:
    """What the read tables say, all at one moment."""

    roots: dict[int, tuple[str, bool]]
    """Path, and whether it is offline."""
    places: list[Place]
    pending: list[Candidate]
    away: list[Candidate]
    models: dict[str, str]
    """The texts of each model, as JSON."""
    texts: dict[int, str]
    """Those of each pending model that is shown."""
    model_tags: dict[str, frozenset[str]]
    pending_tags: dict[int, frozenset[str]]
    images: dict[str, list[int]]
    pictured: dict[int, str]
    """The ending of the picture of each pending model that is shown and has one."""
    undecided: frozenset[int]
    """Pending models whose import met known content: somebody was asked what to do."""


def tables(data: Path) -> Tables:
    """Read the tables of a library; a daemon may be at work on it."""
    db = sqlite3.connect(f"file:{quote(str(data / 'views.db'))}?mode=ro", uri=True, timeout=20)
    try:
        db.execute("BEGIN")
        return Tables(
            {row[0]: (to_path(row[1]), bool(row[2])) for row in db.execute(_ROOTS)},
            [Place(to_path(row[0]), row[1], bool(row[2]), *row[3:]) for row in db.execute(_PLACES)],
            [_candidate(row) for row in db.execute(_PENDING.format("pending_import"))],
            [_candidate(row) for row in db.execute(_PENDING.format("pending_away"))],
            dict(db.execute("SELECT sha256, meta_json FROM models")),
            dict(db.execute("SELECT id, meta_json FROM pending_import")),
            _gathered(db.execute(_TAGS.format("model_tags", "model_hash"))),
            _gathered(db.execute(_TAGS.format("pending_model_tags", "model_id"))),
            _listed(db.execute("SELECT model_hash, seq FROM images ORDER BY model_hash, seq")),
            dict(db.execute("SELECT id, picture FROM pending_import WHERE picture IS NOT NULL")),
            frozenset(row[0] for row in db.execute("SELECT pending FROM imports WHERE state = 'conflict'")),
        )
    finally:
        db.close()


_ROOTS = "SELECT id, path, offline FROM roots WHERE NOT removed"
_PLACES = "SELECT path, model_hash, lost, root, dev FROM locations"
_PENDING = "SELECT id, path, state, size_bytes, mtime_ns, ino, sha256, in_place, written, dev FROM {}"
_TAGS = "SELECT m.{1}, t.name FROM {0} m JOIN tags t ON t.id = m.tag_id"


def _candidate(row: Sequence[Any]) -> Candidate:
    number, path, state, size, mtime_ns, ino, sha256, in_place, written, device = row
    unsigned = ino if ino >= 0 else ino + (1 << 64)
    return Candidate(
        number,
        to_path(path),
        state,
        size,
        mtime_ns,
        unsigned,
        sha256,
        in_place=bool(in_place),
        written=bool(written),
        device=device,
    )


def _gathered(rows: Iterable[tuple[_Key, str]]) -> dict[_Key, frozenset[str]]:
    found: dict[_Key, set[str]] = {}
    for key, name in rows:
        found.setdefault(key, set()).add(name)
    return {key: frozenset(names) for key, names in found.items()}


def _listed(rows: Iterable[tuple[str, int]]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for key, number in rows:
        found.setdefault(key, []).append(number)
    return found


# The comparison ---------------------------------------------------------------------------------------


@dataclass
class Apart:
    """Where the tables and the disk differ; each is a sentence with the path in question."""

    divergences: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    duplicates: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])

    def __bool__(self) -> bool:
        """Tell whether there is any difference."""
        return bool(self.divergences or self.duplicates)


def compare(disk: Mapping[str, OnDisk], told: Tables, waiting: Mapping[str, str]) -> Apart:
    """Hold the tables against the disk; `waiting` gives why files are not at rest, by path as people see it."""
    apart = Apart()
    off = [path for path, offline in told.roots.values() if offline]
    here = {path: at for path, at in disk.items() if not any(_is_in(path, root) for root in off)}
    places = {place.path: place for place in told.places}
    listed = {one.path: one for one in told.pending if one.state == "waiting"}
    hidden = {one.path: one for one in told.away if one.state == "hidden"}
    apart.duplicates += [
        (path, "waits as several pending models")
        for path, count in Counter(one.path for one in told.pending if one.state == "waiting").items()
        if count > 1
    ]
    for path, at in here.items():
        place, one = places.get(path), listed.get(path)
        if place is not None and not place.lost and one is not None:
            apart.duplicates.append((path, "is a location and waits to be imported as well"))
        wrong = _wrong_with(at, place, one, hidden.get(path), told, waiting)
        if wrong is not None:
            apart.divergences.append((path, wrong))
    apart.divergences += _without_file(here, told, off)
    return apart


def _wrong_with(
    at: OnDisk,
    place: Place | None,
    one: Candidate | None,
    hidden: Candidate | None,
    told: Tables,
    waiting: Mapping[str, str],
) -> str | None:
    """Tell what is wrong with what is told of a file."""
    if place is not None and place.lost and at.finished:
        return f"lies there, and counts as missing from model {place.model[:8]}"
    if place is not None and not place.lost:
        if place.model == at.sha256:
            return None
        return f"counts as model {place.model[:8]}, and holds {at.sha256[:8]} (finished: {at.finished})"
    if hidden is not None and (hidden.size, hidden.mtime_ns, hidden.ino) == (at.size, at.mtime_ns, at.ino):
        return None
    if not at.finished and (shown(to_text(at.path)) in waiting or len(waiting) >= SHOWN):
        return None
    if one is None:
        return f"is not known ({at.size} bytes, {at.sha256[:8]}, finished: {at.finished})"
    if (one.size, one.mtime_ns, one.ino) != (at.size, at.mtime_ns, at.ino):
        return f"waits as it was before: {one} instead of {at}"
    if at.sha256 in told.models and one.sha256 != at.sha256:
        return f"waits as {one.id}, and nobody noticed that it is model {at.sha256[:8]}"
    if at.sha256 in told.models and one.in_place and not one.written and one.id not in told.undecided:
        return f"waits as {one.id}, though it is model {at.sha256[:8]} in a model root"
    if at.sha256 not in told.models and one.sha256:
        return f"waits as {one.id}, and is taken for model {one.sha256[:8]}"
    return None


def _without_file(here: Mapping[str, OnDisk], told: Tables, off: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Give what is told of files that are not there."""
    there = [(at.path, at.device, f"a location of {at.model[:8]}") for at in told.places if not at.lost]
    there += [(at.path, at.device, f"the pending model {at.id}") for at in told.pending if at.state == "waiting"]
    for path, device, what in there:
        if path not in here and not any(_is_in(path, root) for root in off) and not _may_be_unplugged(path, device):
            yield path, f"is {what}, and no file is there"


def _may_be_unplugged(path: str, device: int) -> bool:
    """Tell whether a file lay behind a link to a folder that is not there, or on another disk than where it was now is.

    That is how an unplugged disk looks too: the daemon must not believe that such a file is gone.
    """
    folder = os.path.dirname(path)
    while folder != os.path.dirname(folder):
        if os.path.islink(folder) and not os.path.exists(folder):
            return True
        folder = os.path.dirname(folder)
    return device != 0 and _device_towards(os.path.dirname(os.path.realpath(path))) != device


def _device_towards(folder: str) -> int:
    """Give the device of the nearest folder that exists on the way to one."""
    while not os.path.exists(folder):
        folder = os.path.dirname(folder)
    return os.stat(folder).st_dev


def waiting_of(status: Mapping[str, object]) -> dict[str, str]:
    """Give why files wait, by path as people see it, from the answer to `/api/status`."""
    entries = status["waiting"]
    assert isinstance(entries, list)
    return {entry["path"]: entry["reason"] for entry in entries}


def as_json(told: str) -> dict[str, object]:
    """Give the texts of a column `meta_json`."""
    return json.loads(told)
