"""Where a file lies now that somebody names by a path which leads nowhere any more: by its hash, then by its names.

Nothing here is more than an offer: two files of one name may be two models, and whoever asked chooses.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal

import apsw
import msgspec

from ..events.pathtext import is_valid, to_text
from . import models
from .earlier import file_of
from .tables import rows
from .text import fold

MOST = 20

By = Literal["path", "sha256", "earlier", "name"]

_LIES = """SELECT l.path, m.name, m.type, m.sha256, NULL, m.size_bytes FROM locations l
    JOIN models m ON m.sha256 = l.model_hash JOIN roots r ON r.id = l.root
    WHERE NOT l.lost AND NOT r.offline AND {} ORDER BY l.found_at, l.path""".format
_WAITS = """SELECT p.path, p.name, p.type, nullif(p.sha256, ''), p.id, p.size_bytes FROM pending_import p
    JOIN roots r ON r.id = p.root
    WHERE p.state = 'waiting' AND p.in_place AND NOT r.offline AND {} ORDER BY p.id""".format


class Sought(msgspec.Struct, frozen=True):
    """A file as a payload names it; `type` says which of several that fit equally well comes first."""

    path: str = ""
    sha256: str = ""
    name: str = ""
    type: str | None = None


class Candidate(msgspec.Struct, frozen=True):
    """A file that is here, of a model or of a pending model, and by what it was found."""

    path: str
    name: str
    type: str | None
    sha256: str | None
    pending: int | None
    size_bytes: int
    by: By


class Resolved(msgspec.Struct, frozen=True):
    """Whether the path itself leads to a known file that is here, and all that may be meant, the likeliest first."""

    here: bool
    candidates: tuple[Candidate, ...]


def resolve(db: apsw.Connection, sought: Sought) -> Resolved:
    """Find what may be meant; what is found by a hash is the content itself, so nothing else is offered beside it."""
    path = to_text(sought.path)
    here = list(_rows(db, "path", "{}.path = ?", (path,))) if path else []
    if here:
        return Resolved(True, tuple(here[:1]))
    same = _by_hash(db, sought.sha256.strip().lower(), "sha256") if sought.sha256 else []
    found = same or [*_by_earlier(db, path), *_by_name(db, sought)]
    found.sort(key=lambda each: (_PLACES[each.by], sought.type is not None and each.type != sought.type))
    best: dict[str, Candidate] = {}
    for each in found:
        if is_valid(each.path):  # no payload can hold the path of one that is not
            best.setdefault(each.path, each)
    return Resolved(False, tuple(best.values())[:MOST])


_PLACES: dict[By, int] = {"path": 0, "sha256": 1, "earlier": 2, "name": 3}


def _by_hash(db: apsw.Connection, sha256: str, by: By) -> list[Candidate]:
    """Give the files of a content; of a pending model only once it is known to be that."""
    return [
        *_models(db, by, "m.sha256 = ?", (sha256,)),
        *_pending(db, by, "p.sha256 = ?", (sha256,)),
    ]


def _by_earlier(db: apsw.Connection, path: str) -> list[Candidate]:
    """Give the files of a model that lay at the path."""
    at = models.location(db, path) if path else None
    return [] if at is None else _by_hash(db, at.model, "earlier")


def _by_name(db: apsw.Connection, sought: Sought) -> Iterator[Candidate]:
    """Give the files that are called so, then those of models that are, or had a file that was."""
    files = {fold(name) for name in (file_of(sought.path), file_of(sought.name)) if name}
    names = {*files, *map(_stem, files)}
    for file in sorted(files):
        yield from _models(db, "name", "l.words = ?", (file,))
    yield from (each for each in _pending(db, "name", "true", ()) if fold(file_of(each.path)) in files)
    for name in sorted(names):
        yield from _models(db, "name", "m.name_key = ?", (name,))
    for file in sorted(files):
        had = rows(db, "SELECT model_hash FROM names_had WHERE kind = 'file' AND folded = ?", (file,))
        for (sha256,) in had:
            yield from _by_hash(db, sha256, "earlier")


def _stem(file: str) -> str:
    return file.rpartition(".")[0] or file


def _rows(db: apsw.Connection, by: By, condition: str, values: tuple[str, ...]) -> Iterator[Candidate]:
    yield from _models(db, by, condition.format("l"), values)
    yield from _pending(db, by, condition.format("p"), values)


def _models(db: apsw.Connection, by: By, condition: str, values: Iterable[str]) -> Iterator[Candidate]:
    return (_candidate(row, by) for row in rows(db, _LIES(condition), tuple(values)))


def _pending(db: apsw.Connection, by: By, condition: str, values: Iterable[str]) -> Iterator[Candidate]:
    return (_candidate(row, by) for row in rows(db, _WAITS(condition), tuple(values)))


def _candidate(row: Sequence[Any], by: By) -> Candidate:
    path, name, type_, sha256, number, size = row
    return Candidate(path, name, type_, sha256, number, size, by)
