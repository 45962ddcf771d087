"""The names that models had before: by which people, and notes of theirs, may still call them.

A `name` is one that somebody gave it, a `file` the name of a file that held its content, in a drop folder too. What is
its name now, of a file that is lost as well, is no earlier one; compared is what `fold` leaves. These are tables of
the view `models`, and changes to its rows fill them: no event that changes no name pays for this.
"""

import apsw
import msgspec

from ..events.catalog import Changes
from ..events.pathtext import shown
from .tables import Tables, rows
from .text import fold

# No OR REPLACE: the conflict clause of the statement that sets off a trigger would count in its place.
_KEEP = "INSERT INTO names_had VALUES ({}) ON CONFLICT DO UPDATE SET shown = excluded.shown".format
_BASE = "substr({0}, length(rtrim({0}, replace(replace({0}, '/', ''), '\\', ''))) + 1)".format
"""What of a path stands behind its last separator; `file_of` in SQL."""

SCHEMA = f"""
CREATE TABLE names_had (
    model_hash TEXT NOT NULL, kind TEXT NOT NULL, folded TEXT NOT NULL, shown TEXT NOT NULL,
    PRIMARY KEY (model_hash, kind, folded)
) WITHOUT ROWID;
CREATE TABLE pending_names (
    pending INTEGER NOT NULL, kind TEXT NOT NULL, folded TEXT NOT NULL, shown TEXT NOT NULL,
    PRIMARY KEY (pending, kind, folded)
) WITHOUT ROWID;
CREATE TRIGGER model_renamed AFTER UPDATE OF name ON models WHEN old.name_key <> new.name_key BEGIN
    {_KEEP("old.sha256, 'name', old.name_key, old.name")};
END;
CREATE TRIGGER path_left AFTER UPDATE OF path ON models WHEN old.path <> '' AND old.file_words <> new.file_words BEGIN
    {_KEEP(f"old.sha256, 'file', old.file_words, {_BASE('old.path')}")};
END;
CREATE TRIGGER location_left AFTER DELETE ON locations BEGIN
    {_KEEP(f"old.model_hash, 'file', old.words, {_BASE('old.shown')}")};
END;
CREATE TRIGGER location_taken AFTER UPDATE OF model_hash ON locations WHEN old.model_hash <> new.model_hash BEGIN
    {_KEEP(f"old.model_hash, 'file', old.words, {_BASE('old.shown')}")};
END;
CREATE VIEW earlier_names AS SELECT h.model_hash, h.kind, h.shown, h.folded
    FROM names_had h JOIN models m ON m.sha256 = h.model_hash
    WHERE h.folded <> '' AND iif(h.kind = 'name', m.name_key, m.file_words) <> h.folded
    AND NOT (h.kind = 'file' AND EXISTS
        (SELECT 1 FROM locations l WHERE l.model_hash = h.model_hash AND l.words = h.folded));
"""  # noqa: S608 - our own text

# As events come in -------------------------------------------------------------------------------------


def file_of(path: str) -> str:
    """Give the name of the file at a path, as people see it."""
    return path.replace("\\", "/").rpartition("/")[2]


def lie(db: Tables, pending: int, path: str) -> None:
    """The file of a pending model lies at a path, in the form of `pathtext`."""
    name = file_of(shown(path))
    db.execute(_CALL, (pending, "file", fold(name), name))


def call(db: Tables, pending: int, changes: Changes) -> None:
    """Somebody may have given a pending model a name."""
    if isinstance(changes.name, str):
        db.execute(_CALL, (pending, "name", fold(changes.name), changes.name))


def become(db: Tables, pending: int, model: str) -> None:
    """A pending model's record ended in a model: by what it was called the model can be found."""
    db.execute(_BECOME, (model, pending))


def drop(db: Tables, pending: int) -> None:
    """Forget a pending model, whose record ended."""
    db.execute("DELETE FROM pending_names WHERE pending = ?", (pending,))


_CALL = "INSERT OR REPLACE INTO pending_names VALUES (?, ?, ?, ?)"
# All but what it is called now: that would be a row for every import.
_BECOME = """INSERT OR IGNORE INTO names_had SELECT ?1, p.kind, p.folded, p.shown FROM pending_names p
WHERE p.pending = ?2 AND NOT (p.kind = 'name' AND p.folded = (SELECT name_key FROM models WHERE sha256 = ?1))
AND NOT (p.kind = 'file' AND EXISTS (SELECT 1 FROM locations l WHERE l.model_hash = ?1 AND l.words = p.folded))"""

# Queries ----------------------------------------------------------------------------------------------


class Earlier(msgspec.Struct, frozen=True):
    """A name that a model had: `kind` is `name` or `file`, `shown` its spelling, `folded` what a search compares."""

    model: str
    kind: str
    shown: str
    folded: str


def every(db: apsw.Connection) -> list[Earlier]:
    """Give all earlier names of all models."""
    return [Earlier(*row) for row in rows(db, f"{_SELECT} {_ORDER}")]


def of_model(db: apsw.Connection, sha256: str) -> list[Earlier]:
    """Give the earlier names of a model: what people called it first, then what its files were called."""
    return [Earlier(*row) for row in rows(db, f"{_SELECT} WHERE model_hash = ? {_ORDER}", (sha256,))]


_SELECT = "SELECT model_hash, kind, shown, folded FROM earlier_names"
_ORDER = "ORDER BY model_hash, kind DESC, folded"
