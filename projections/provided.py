"""What sidecars say of models and of pending models: the tables of both views, and the queries on them.

A row is what one sidecar says. It stays when the sidecar is gone. Where another sidecar of the format says the very
same of the same owner, as one does that was moved, the older row counts no more; it is kept without its facts, so that
the file is known to have been read.
"""

from dataclasses import dataclass
from typing import Any

import apsw
import msgspec

from ..events.catalog import Provided, Sidecar
from .layers import Row
from .tables import Tables
from .text import tag_key

Owner = str | int


@dataclass(frozen=True, slots=True)
class Shelf:
    """The rows for the owners of one kind, in a table, and the tags they ever gave, in another."""

    table: str
    owner_type: str

    @property
    def schema(self) -> str:
        """The tables, as SQL."""
        return f"""
CREATE TABLE {self.table} (
    owner {self.owner_type} NOT NULL,
    path TEXT NOT NULL,
    source TEXT NOT NULL,
    size_bytes INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    position INTEGER NOT NULL,
    provided_json TEXT,
    PRIMARY KEY (owner, path)
);
CREATE TABLE {self.table}_tags (
    owner {self.owner_type} NOT NULL, tag_key TEXT NOT NULL, PRIMARY KEY (owner, tag_key)
) WITHOUT ROWID;
"""

    # As events come in

    def put(self, db: Tables, owner: Owner, sidecar: Sidecar, provided: Provided, position: int) -> None:
        """Keep what a sidecar says."""
        facts = _encoded(provided).decode()
        db.execute(
            f"UPDATE {self.table} SET provided_json = NULL"  # noqa: S608 - our own text, as in all of this module
            " WHERE owner = ? AND source = ? AND provided_json = ? AND path <> ?",
            (owner, sidecar.source, facts, sidecar.path),
        )
        db.execute(
            f"INSERT OR REPLACE INTO {self.table} VALUES (?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
            (owner, sidecar.path, sidecar.source, sidecar.size, sidecar.mtime_ns, position, facts),
        )
        for tag in provided.tags:
            db.execute(f"INSERT OR IGNORE INTO {self.table}_tags VALUES (?, ?)", (owner, tag_key(tag.strip())))  # noqa: S608

    def drop(self, db: Tables, owner: Owner) -> None:
        """Forget an owner, whose record ended."""
        db.execute(f"DELETE FROM {self.table} WHERE owner = ?", (owner,))  # noqa: S608
        db.execute(f"DELETE FROM {self.table}_tags WHERE owner = ?", (owner,))  # noqa: S608

    def said(self, db: Tables, owner: Owner) -> list[Row]:
        """Give what counts for an owner while events come in, the newest first."""
        return [_row(row) for row in db.select(self._select, (owner,))]

    # Queries

    def of(self, db: apsw.Connection, owner: Owner) -> list[Row]:
        """Give what counts for an owner, the newest first."""
        return [_row(row) for row in db.execute(self._select, (owner,))]

    def tags(self, db: apsw.Connection, owner: Owner) -> set[str]:
        """Give the `tag_key` of every tag that a sidecar ever gave an owner."""
        return {key for (key,) in db.execute(f"SELECT tag_key FROM {self.table}_tags WHERE owner = ?", (owner,))}  # noqa: S608

    @property
    def _select(self) -> str:
        return (
            f"SELECT path, source, size_bytes, mtime_ns, provided_json FROM {self.table}"  # noqa: S608
            " WHERE owner = ? AND provided_json IS NOT NULL ORDER BY position DESC"
        )


OF_MODELS = Shelf("model_provided", "TEXT")
OF_PENDING = Shelf("pending_provided", "INTEGER")

_encoded = msgspec.json.Encoder(order="deterministic").encode
_PROVIDED = msgspec.json.Decoder(Provided)


def _row(row: tuple[Any, ...]) -> Row:
    path, source, size, mtime_ns, facts = row
    return Sidecar(path, source, size, mtime_ns), _PROVIDED.decode(facts)
