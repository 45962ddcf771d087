"""The `roots` view: the watched folders, and whether each is here."""

import apsw

from ..events.catalog import (
    RootAdded,
    RootCameOnline,
    RootPaused,
    RootRemoved,
    RootResumed,
    RootWentOffline,
)
from ..events.record import Stored
from .tables import Tables

VERSION = 2
# `removed` says that it is watched no more, `refused` that the user removed it: only the user brings it back.
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
    removed INTEGER NOT NULL DEFAULT 0,
    paused INTEGER NOT NULL DEFAULT 0,
    refused INTEGER NOT NULL DEFAULT 0,
    origin TEXT NOT NULL DEFAULT 'configuration'
);
"""
INDEXES = ""
HANDLES = (RootAdded, RootRemoved, RootPaused, RootResumed, RootWentOffline, RootCameOnline)


def apply(db: Tables, stored: Stored) -> None:
    """Bring one event into the view. A root is away until it has been proven present.

    What is found out about a root that is paused, or removed, by the time it is told says nothing of it any more.
    """
    match stored.event:
        case RootAdded(root=root, path=path, kind=kind, type=type_, origin=origin):
            db.execute(
                "INSERT INTO roots (id, path, kind, type, offline, why, origin) VALUES (?, ?, ?, ?, 1, 'unseen', ?)"
                " ON CONFLICT (id) DO UPDATE SET path = excluded.path, kind = excluded.kind, type = excluded.type,"
                " origin = excluded.origin, removed = 0, refused = 0, offline = 1,"
                " paused = paused AND excluded.origin <> 'user',"
                " why = iif(paused AND excluded.origin <> 'user', 'paused', 'unseen')",
                (root, path, kind, type_, origin),
            )
        case RootRemoved(root=root, by=by):
            db.execute(
                "UPDATE roots SET removed = 1, refused = ?, offline = 1, why = 'removed', fsid = NULL, ino = NULL"
                " WHERE id = ?",
                (int(by == "user"), root),
            )
        case RootPaused(root=root):
            db.execute("UPDATE roots SET paused = 1, offline = 1, why = 'paused' WHERE id = ? AND NOT removed", (root,))
        case RootResumed(root=root):
            db.execute(
                "UPDATE roots SET paused = 0, offline = 1, why = 'unseen' WHERE id = ? AND paused AND NOT removed",
                (root,),
            )
        case RootWentOffline(root=root, why=why):
            db.execute("UPDATE roots SET offline = 1, why = ? WHERE id = ? AND NOT paused AND NOT removed", (why, root))
        case RootCameOnline(root=root, fsid=fsid, ino=ino, fstype=fstype):
            db.execute(
                "UPDATE roots SET offline = 0, why = NULL, fsid = ?, ino = ?, fstype = ?"
                " WHERE id = ? AND NOT paused AND NOT removed",
                (fsid, ino, fstype, root),
            )
        case _:
            pass


def paused_pending(db: apsw.Connection) -> set[int]:
    """Give the ids of the pending models that lie in roots that are paused."""
    return {
        number
        for (number,) in db.execute(
            "SELECT p.id FROM roots r CROSS JOIN pending_import p ON p.root = r.id WHERE r.paused AND NOT r.removed"
        )
    }


def counts(db: apsw.Connection) -> dict[int, tuple[int, int]]:
    """Give, by root, how many files of models and how many pending models lie in it, here or away."""
    files = dict(db.execute("SELECT root, count(*) FROM locations WHERE NOT lost GROUP BY root"))
    waiting = dict(db.execute("SELECT root, count(*) FROM pending_import GROUP BY root"))
    return {root: (files.get(root, 0), waiting.get(root, 0)) for root in files.keys() | waiting.keys()}
