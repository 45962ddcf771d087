"""Queries on what earlier libraries say of files: what is still to be hashed, and what turned out otherwise."""

import apsw
import msgspec

from ..events.pathtext import shown
from .tables import rows


class Claim(msgspec.Struct, frozen=True):
    """A file that an earlier library says is a model's content, as it was found there or as it was told of."""

    path: str
    model: str
    size: int
    mtime_ns: int
    ino: int


class Denied(msgspec.Struct, frozen=True):
    """A file that is not what an earlier library said; its path as people see it."""

    model: str
    name: str
    path: str


def to_confirm(db: apsw.Connection, root: int, after: str, limit: int) -> list[Claim]:
    """Give claimed files that should lie in a root, in order of their paths, beginning behind one path."""
    found = rows(
        db,
        "SELECT path, model_hash, size_bytes, mtime_ns, ino FROM locations"
        " WHERE claimed AND path > ? AND +root = ? AND NOT lost ORDER BY path LIMIT ?",
        (after, root, limit),
    )
    return [Claim(*row) for row in found]


def left(db: apsw.Connection) -> tuple[int, int]:
    """Give how many claimed files wait to be hashed in roots that are here, and their bytes."""
    row = db.execute(
        "SELECT count(*), coalesce(sum(l.size_bytes), 0) FROM locations l JOIN roots r ON r.id = l.root"
        " WHERE l.claimed AND NOT l.lost AND NOT r.offline AND NOT r.removed"
    ).fetchone()
    return (0, 0) if row is None else (row[0], row[1])


def count(db: apsw.Connection) -> int:
    """Give how many claimed files wait to be hashed, those in roots that are away included."""
    return db.execute("SELECT count(*) FROM locations WHERE claimed AND NOT lost").get


def denied(db: apsw.Connection, limit: int) -> tuple[int, list[Denied]]:
    """Give how many files are not what an earlier library said and wait for somebody to see to them, and the first.

    That is over once bytes of the model were seen anywhere; or once the file was imported, was dismissed, or is gone.
    Of a file that holds a known model's content, once it is gone. The model tells of it for good.
    """
    found = rows(
        db,
        """SELECT count(*) OVER (), d.model_hash, m.name, d.path
        FROM denied_claims d JOIN models m ON m.sha256 = d.model_hash
        WHERE m.claimed AND (EXISTS (SELECT 1 FROM pending_import p
                WHERE p.path = d.path AND p.state = 'waiting' AND p.replaces = d.model_hash)
            OR (d.was_known AND EXISTS (SELECT 1 FROM locations l
                WHERE l.path = d.path AND l.model_hash = d.actual AND NOT l.lost)))
        ORDER BY d.denied_at, d.path LIMIT ?""",
        (limit,),
    )
    return (found[0][0] if found else 0), [Denied(model, name, shown(path)) for _, model, name, path in found]
