"""The `imports` view: the queue of imports and how each ended."""

from typing import Any

import apsw
import msgspec

from ..events.catalog import (
    ImportCancelled,
    ImportCompleted,
    ImportConflicted,
    ImportFailed,
    ImportPlanned,
    ImportRequested,
    ImportTidied,
)
from ..events.pathtext import shown
from ..events.record import Stored
from .tables import Tables, rows

VERSION = 1
SCHEMA = """
CREATE TABLE imports (
    op TEXT PRIMARY KEY,
    position INTEGER NOT NULL,
    pending INTEGER NOT NULL,
    strategy TEXT,
    type TEXT,
    actor TEXT NOT NULL,
    action BLOB NOT NULL,
    state TEXT NOT NULL,
    status TEXT,
    model TEXT,
    path TEXT,
    reason TEXT,
    plan_json TEXT,
    tidied INTEGER NOT NULL DEFAULT 0,
    requested_at INTEGER NOT NULL,
    ended_at INTEGER
) WITHOUT ROWID;
CREATE INDEX imports_open ON imports (position) WHERE state IN ('queued', 'planned');
CREATE INDEX imports_untidy ON imports (position) WHERE state = 'completed' AND NOT tidied;
CREATE INDEX imports_by_pending ON imports (pending, position);
"""
INDEXES = ""
HANDLES = (
    ImportRequested,
    ImportPlanned,
    ImportCompleted,
    ImportTidied,
    ImportConflicted,
    ImportFailed,
    ImportCancelled,
)


def apply(db: Tables, stored: Stored) -> None:
    """Bring one event into the view. States: queued, planned, completed, conflict, failed, cancelled."""
    match stored.event:
        case ImportRequested(op=op, pending=pending, strategy=strategy, type=type_):
            db.execute(
                "INSERT OR REPLACE INTO imports (op, position, pending, strategy, type, actor, action, state,"
                " requested_at) VALUES (?, ?, ?, ?, ?, ?, ?, 'queued', ?)",
                (op, stored.position, pending, strategy, type_, stored.actor, stored.action, stored.time),
            )
        case ImportPlanned(op=op, model=model, status=status) as plan:
            db.execute(
                "UPDATE imports SET state = 'planned', status = ?, model = ?, plan_json = ? WHERE op = ?",
                (status, model, msgspec.json.encode(plan).decode(), op),
            )
        case ImportCompleted(op=op, model=model, status=status, path=path):
            _end(db, op, stored, "completed", status, model, None if path is None else shown(path), None)
        case ImportTidied(op=op):
            db.execute("UPDATE imports SET tidied = 1, plan_json = NULL WHERE op = ?", (op,))
        case ImportConflicted(op=op, model=model):
            _end(db, op, stored, "conflict", None, model, None, None)
        case ImportFailed(op=op, reason=reason):
            _end(db, op, stored, "failed", None, None, None, reason)
        case ImportCancelled(op=op):
            _end(db, op, stored, "cancelled", None, None, None, None)
        case _:
            pass


def _end(
    db: Tables,
    op: str,
    stored: Stored,
    state: str,
    status: str | None,
    model: str | None,
    path: str | None,
    reason: str | None,
) -> None:
    db.execute(
        "UPDATE imports SET state = ?, status = ?, model = coalesce(?, model), path = ?, reason = ?,"
        " ended_at = ? WHERE op = ?",
        (state, status, model, path, reason, stored.time, op),
    )


class Import(msgspec.Struct, frozen=True):
    """An import as the queue knows it; `action` is the deed of the user it is part of."""

    op: str
    pending: int
    strategy: Any
    type: str | None
    actor: str
    action: bytes
    state: str
    status: Any
    model: str | None
    path: str | None
    reason: str | None
    plan: ImportPlanned | None


_SELECT = (
    "SELECT op, pending, strategy, type, actor, action, state, status, model, path, reason, plan_json FROM imports "
)
_PLAN = msgspec.json.Decoder(ImportPlanned)


def get(db: apsw.Connection, op: str) -> Import | None:
    """Give an import by its id, None where there is none."""
    return next(iter(_imports(db, "WHERE op = ?", (op,))), None)


def unfinished(db: apsw.Connection) -> list[Import]:
    """Give the imports that wait or are under way, in the order they were asked for."""
    return _imports(db, "WHERE state IN ('queued', 'planned') ORDER BY position")


def untidied(db: apsw.Connection) -> list[Import]:
    """Give the completed imports that have left scaffolding behind."""
    return _imports(db, "WHERE state = 'completed' AND NOT tidied ORDER BY position")


def open_import_of(db: apsw.Connection, pending: int) -> str | None:
    """Give the id of the import of a pending model that waits or is under way, None where there is none."""
    return db.execute("SELECT op FROM imports WHERE pending = ? AND state IN ('queued', 'planned')", (pending,)).get


def model_of(db: apsw.Connection, pending: int) -> str | None:
    """Give the model that a pending model became, or was united with, by its import; None where it was not imported."""
    return db.execute(
        "SELECT model FROM imports WHERE pending = ? AND state = 'completed' AND status <> 'ignored'"
        " ORDER BY position DESC LIMIT 1",
        (pending,),
    ).get


def counts(db: apsw.Connection) -> dict[str, int]:
    """Give how many imports wait and how many are under way."""
    found = rows(db, "SELECT state, count(*) FROM imports WHERE state IN ('queued', 'planned') GROUP BY state")
    return {"queued": 0, "planned": 0} | dict(found)


def _imports(db: apsw.Connection, which: str, values: tuple[str, ...] = ()) -> list[Import]:
    return [_import(row) for row in rows(db, _SELECT + which, values)]


def _import(row: list[Any]) -> Import:
    *plain, plan = row
    return Import(*plain, plan=None if plan is None else _PLAN.decode(plan))
