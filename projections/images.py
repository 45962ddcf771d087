"""The `images` view: the pictures of each model, in order, and the one that stands for it."""

import apsw

from ..events.catalog import CoverChosen, ImageAdded, ImageRemoved
from ..events.record import Stored
from .tables import Tables, rows

VERSION = 2
SCHEMA = """
CREATE TABLE images (
    model_hash TEXT NOT NULL,
    seq INTEGER NOT NULL,
    width INTEGER NOT NULL,
    height INTEGER NOT NULL,
    position INTEGER NOT NULL,
    original TEXT NOT NULL,
    PRIMARY KEY (model_hash, seq)
) WITHOUT ROWID;
CREATE TABLE covers (model_hash TEXT PRIMARY KEY, seq INTEGER, next_seq INTEGER NOT NULL) WITHOUT ROWID;
"""
INDEXES = ""
HANDLES = (ImageAdded, ImageRemoved, CoverChosen)


def apply(db: Tables, stored: Stored) -> None:
    """Bring one event into the view. The first picture becomes cover; a cover taken away gives way to the first."""
    match stored.event:
        case ImageAdded(model=model, seq=seq, width=width, height=height, original=original):
            db.execute(
                "INSERT OR REPLACE INTO images VALUES (?, ?, ?, ?, ?, ?)",
                (model, seq, width, height, stored.position, original),
            )
            db.execute(
                "INSERT INTO covers VALUES (?, ?, ?) ON CONFLICT (model_hash) DO UPDATE SET"
                " seq = coalesce(seq, excluded.seq), next_seq = max(next_seq, excluded.next_seq)",
                (model, seq, seq + 1),
            )
        case ImageRemoved(model=model, seq=seq):
            db.execute("DELETE FROM images WHERE model_hash = ? AND seq = ?", (model, seq))
            db.execute(
                "UPDATE covers SET seq = (SELECT min(i.seq) FROM images i WHERE i.model_hash = covers.model_hash)"
                " WHERE model_hash = ? AND seq = ?",
                (model, seq),
            )
        case CoverChosen(model=model, seq=seq):
            db.execute(
                "UPDATE covers SET seq = i.seq FROM images i WHERE i.model_hash = covers.model_hash"
                " AND i.seq = ? AND covers.model_hash = ?",
                (seq, model),
            )
        case _:
            pass


def sequences(db: apsw.Connection, model: str) -> list[int]:
    """Give the numbers of a model's pictures, in order."""
    return [row[0] for row in db.execute("SELECT seq FROM images WHERE model_hash = ? ORDER BY seq", (model,))]


def has(db: apsw.Connection, model: str, seq: int) -> bool:
    """Tell whether a model has a picture of this number."""
    return bool(db.execute("SELECT 1 FROM images WHERE model_hash = ? AND seq = ?", (model, seq)).get)


def positions(db: apsw.Connection, model: str, limit: int) -> list[tuple[int, int]]:
    """Give (number, position of the event that tells of it) of a model's pictures: its cover, then the others."""
    return rows(
        db,
        "SELECT i.seq, i.position FROM images i LEFT JOIN covers c ON c.model_hash = i.model_hash"
        " WHERE i.model_hash = ? ORDER BY i.seq IS NOT c.seq, i.seq LIMIT ?",
        (model, limit),
    )


def position(db: apsw.Connection, model: str, seq: int) -> int | None:
    """Give the position of the event that tells of a picture, None where there is no such picture."""
    return db.execute("SELECT position FROM images WHERE model_hash = ? AND seq = ?", (model, seq)).get


def has_original(db: apsw.Connection, model: str, digest: str) -> bool:
    """Tell whether a picture of a model was made of the file with this SHA-256, in hexadecimal."""
    return bool(db.execute("SELECT 1 FROM images WHERE model_hash = ? AND original = ?", (model, digest)).get)


def cover(db: apsw.Connection, model: str) -> int | None:
    """Give the number of the picture that stands for a model, None where it has none."""
    return db.execute("SELECT seq FROM covers WHERE model_hash = ?", (model,)).get


def next_sequence(db: apsw.Connection, model: str) -> int:
    """Give the number of a model's next picture; numbers of removed pictures are not used again."""
    return db.execute("SELECT next_seq FROM covers WHERE model_hash = ?", (model,)).get or 0


def every(db: apsw.Connection) -> list[tuple[str, int]]:
    """Give (model, seq) of every picture there is."""
    return rows(db, "SELECT model_hash, seq FROM images ORDER BY model_hash, seq")
