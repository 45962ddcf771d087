"""The `roots` view: the watched folders, and whether each is here."""

from ..events.catalog import RootAdded, RootCameOnline, RootRemoved, RootWentOffline
from ..events.record import Stored
from .tables import Tables

VERSION = 1
SCHEMA = """
CREATE TABLE roots (
    id INTEGER PRIMARY KEY,
    path TEXT NOT NULL,
    kind TEXT NOT NULL,
    type TEXT,
    offline INTEGER NOT NULL,
    why TEXT,
    fsid INTEGER,
    ino INTEGER,
    fstype TEXT NOT NULL DEFAULT '',
    removed INTEGER NOT NULL DEFAULT 0
);
"""
INDEXES = ""
HANDLES = (RootAdded, RootRemoved, RootWentOffline, RootCameOnline)


def apply(db: Tables, stored: Stored) -> None:
    """Bring one event into the view. A root is away until it has been proven present."""
    match stored.event:
        case RootAdded(root=root, path=path, kind=kind, type=type_):
            db.execute(
                "INSERT INTO roots (id, path, kind, type, offline, why) VALUES (?, ?, ?, ?, 1, 'unseen')"
                " ON CONFLICT (id) DO UPDATE SET path = excluded.path, kind = excluded.kind,"
                " type = excluded.type, removed = 0, offline = 1, why = 'unseen'",
                (root, path, kind, type_),
            )
        case RootRemoved(root=root):
            db.execute(
                "UPDATE roots SET removed = 1, offline = 1, why = 'removed', fsid = NULL, ino = NULL WHERE id = ?",
                (root,),
            )
        case RootWentOffline(root=root, why=why):
            db.execute("UPDATE roots SET offline = 1, why = ? WHERE id = ?", (why, root))
        case RootCameOnline(root=root, fsid=fsid, ino=ino, fstype=fstype):
            db.execute(
                "UPDATE roots SET offline = 0, why = NULL, fsid = ?, ino = ?, fstype = ? WHERE id = ?",
                (fsid, ino, fstype, root),
            )
        case _:
            pass
