"""What the read tables tell of model files and of what was read beside them, many at a time."""

import os
from collections.abc import Iterable
from dataclasses import dataclass

import apsw

from ...events.pathtext import to_path, to_text
from ...projections.provided import OF_MODELS, OF_PENDING
from .beside import PREVIEW
from .look import Print


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a model file: who it is of, what was read beside it, and whether a picture is missing."""

    owner: str | int
    fingerprint: tuple[int, int]
    prints: frozenset[Print]
    pictureless: bool


def known_of(db: apsw.Connection, paths: Iterable[str]) -> dict[str, Known]:
    """Give what is known of the model files at some paths; left out is where none is known to lie."""
    found: dict[str, Known] = {}
    for path in paths:
        text = (to_text(path),)
        row = db.execute(_MODEL_AT, text).fetchone()
        shelf = OF_MODELS
        if row is None:
            row = db.execute(_PENDING_AT, text).fetchone()
            shelf = OF_PENDING
        if row is not None:
            owner, size, mtime_ns, pictureless = row
            read = db.execute(_PRINTS[shelf.table], (owner,))
            prints = frozenset((source, size_, when) for source, size_, when in read)
            found[path] = Known(owner, (size, mtime_ns), prints, bool(pictureless))
    return found


_MODEL_AT = (
    "SELECT l.model_hash, l.size_bytes, l.mtime_ns, c.model_hash IS NULL FROM locations l"
    " LEFT JOIN covers c ON c.model_hash = l.model_hash WHERE l.path = ? AND NOT l.lost"
)
_PENDING_AT = (
    "SELECT id, size_bytes, mtime_ns, picture IS NULL FROM pending_import WHERE path = ? AND state = 'waiting'"
)
# One that could not be read is tried again: its permissions, which leave no trace in it, may be others now.
_PRINTS = {
    shelf.table: f"SELECT source, size_bytes, mtime_ns FROM {shelf.table} WHERE owner = ?"  # noqa: S608
    f" AND (provided_json IS NULL OR source = '{PREVIEW}' OR instr(provided_json, '\"problem\":') = 0)"
    for shelf in (OF_MODELS, OF_PENDING)
}


def files_behind(db: apsw.Connection, folder: str, behind: str, most: int) -> list[str]:
    """Give the next paths below a folder, in order, at which files of models or pending models lie."""
    low = to_text(folder.rstrip(os.sep) + os.sep)
    high = low[:-1] + chr(ord(low[-1]) + 1)
    found = db.execute(_FILES, (behind, high, most))
    return list(dict.fromkeys(to_path(path) for (path,) in found))


_FILES = (
    "SELECT path FROM locations WHERE path > ?1 AND path < ?2 AND NOT lost"
    " UNION ALL SELECT path FROM pending_import WHERE path > ?1 AND path < ?2 AND state = 'waiting'"
    " ORDER BY path LIMIT ?3"
)
