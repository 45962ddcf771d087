"""The `migrations` view: which earlier libraries came along, which of their rows, and what of them did not."""

from typing import Any

import apsw
import msgspec

from ..events.catalog import LegacyForm, MigrationBegun, MigrationEnded, RowMigrated, RowRefused
from ..events.record import Stored
from .tables import Tables, rows

VERSION = 1
SCHEMA = """
CREATE TABLE migrations (
    op TEXT PRIMARY KEY,
    database TEXT NOT NULL,
    images TEXT NOT NULL,
    form TEXT NOT NULL,
    state TEXT NOT NULL,
    reason TEXT NOT NULL DEFAULT '',
    actor TEXT NOT NULL,
    action BLOB NOT NULL,
    began INTEGER NOT NULL,
    ended INTEGER,
    already INTEGER NOT NULL DEFAULT 0,
    position INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE migrated_rows (
    digest TEXT PRIMARY KEY,
    op TEXT NOT NULL,
    form TEXT NOT NULL,
    table_name TEXT NOT NULL,
    row TEXT NOT NULL,
    outcome TEXT NOT NULL,
    model TEXT,
    pending INTEGER,
    is_missing INTEGER NOT NULL,
    tags INTEGER NOT NULL,
    images INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE migrated_parts (owner TEXT NOT NULL, part TEXT NOT NULL, PRIMARY KEY (owner, part)) WITHOUT ROWID;
CREATE TABLE migration_problems (
    op TEXT NOT NULL,
    n INTEGER NOT NULL,
    table_name TEXT NOT NULL,
    row TEXT NOT NULL,
    what TEXT NOT NULL,
    PRIMARY KEY (op, n)
) WITHOUT ROWID;
"""
INDEXES = """
CREATE INDEX migrated_rows_by_op ON migrated_rows (op, table_name, row);
CREATE INDEX migration_problems_by_row ON migration_problems (op, table_name, row);
"""
HANDLES = (MigrationBegun, RowMigrated, RowRefused, MigrationEnded)


def apply(db: Tables, stored: Stored) -> None:
    """Bring one event into the view. States: open, done, cancelled, failed."""
    match stored.event:
        case MigrationBegun(op=op, database=database, images=images, form=form):
            db.execute(
                "INSERT OR REPLACE INTO migrations (op, database, images, form, state, actor, action, began, position)"
                " VALUES (?, ?, ?, ?, 'open', ?, ?, ?, ?)",
                (op, database, images, form, stored.actor, stored.action, stored.time, stored.position),
            )
        case RowMigrated() as event:
            db.execute(
                "INSERT OR REPLACE INTO migrated_rows VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    event.digest,
                    event.op,
                    event.form,
                    event.table,
                    event.row,
                    event.outcome,
                    event.model,
                    event.pending,
                    int(event.is_missing),
                    event.tags,
                    event.images,
                ),
            )
            owner = owner_of(event.model, event.pending)
            for part in event.parts:
                db.execute("INSERT OR IGNORE INTO migrated_parts VALUES (?, ?)", (owner, part))
        case RowRefused(op=op, table=table, row=row, what=what):
            db.execute("INSERT INTO migration_problems VALUES (?, ?, ?, ?, ?)", (op, stored.position, table, row, what))
        case MigrationEnded(op=op, status=status, reason=reason, already=already):
            db.execute(
                "UPDATE migrations SET state = ?, reason = ?, ended = ?, already = ? WHERE op = ?",
                (status, reason, stored.time, already, op),
            )
        case _:
            pass


def owner_of(model: str | None, pending: int | None) -> str:
    """Give the name under which it is kept what came to a model, or to a pending model."""
    return model or f"pending/{pending}"


def label(form: LegacyForm, table: str, row: str) -> str:
    """Give the name of a row of an earlier library as people see it: what was written there is told apart by it."""
    return f"Hikaze {form[1:]}, {table} {row[:12]}"


# Queries ----------------------------------------------------------------------------------------------


class Migration(msgspec.Struct, frozen=True):
    """A migration that was begun; `database` and `images` are in the form of `pathtext`, `state` as in `apply`."""

    op: str
    database: str
    images: str
    form: LegacyForm
    state: str
    reason: str
    actor: str
    action: bytes
    already: int


class Counts(msgspec.Struct, frozen=True):
    """What came with a migration: rows that became, or were united with, models and pending models, and what
    came with them. Of the rows `united` were united with what was known, and the files of `missing` are gone.
    """

    models: int
    pending: int
    united: int
    missing: int
    tags: int
    images: int
    unused_tags: int
    problems: int


class Problem(msgspec.Struct, frozen=True):
    """What did not come along: a row of an earlier library or a part of it, by its table and id there."""

    table: str
    id: str
    what: str


_SELECT = "SELECT op, database, images, form, state, reason, actor, action, already FROM migrations "


def unfinished(db: apsw.Connection) -> list[Migration]:
    """Give the migrations that were begun and have not ended, oldest first."""
    return _migrations(db, "WHERE state = 'open' ORDER BY position")


def get(db: apsw.Connection, op: str) -> Migration | None:
    """Give a migration by its id, None where there is none."""
    return next(iter(_migrations(db, "WHERE op = ?", (op,))), None)


def is_taken(db: apsw.Connection, digest: str) -> bool:
    """Tell whether a row that says exactly this came along before."""
    return bool(db.execute("SELECT 1 FROM migrated_rows WHERE digest = ?", (digest,)).get)


def taken_by(db: apsw.Connection, digest: str) -> str | None:
    """Give the id of the migration with which a row came along, None where it has not."""
    return db.execute("SELECT op FROM migrated_rows WHERE digest = ?", (digest,)).get


def became(db: apsw.Connection, database: str, table: str, row: str) -> tuple[str | None, int | None] | None:
    """Give (model, pending) of what a row of a database became when it came along last; None where it never has."""
    return db.execute(
        "SELECT r.model, r.pending FROM migrations m JOIN migrated_rows r ON r.op = m.op"
        " WHERE m.database = ? AND r.table_name = ? AND r.row = ? ORDER BY m.position DESC LIMIT 1",
        (database, table, row),
    ).fetchone()


def parts(db: apsw.Connection, *owners: str) -> set[str]:
    """Give the digests of all tags and texts that came along to some owners, see `owner_of`."""
    return {
        part for owner in owners for (part,) in db.execute("SELECT part FROM migrated_parts WHERE owner = ?", (owner,))
    }


def is_refused(db: apsw.Connection, op: str, table: str, row: str, what: str) -> bool:
    """Tell whether a migration has told of a problem already."""
    found = "SELECT 1 FROM migration_problems WHERE op = ? AND table_name = ? AND row = ? AND what = ?"
    return bool(db.execute(found, (op, table, row, what)).get)


def counts(db: apsw.Connection, op: str) -> Counts:
    """Count what came with a migration."""
    (figures,) = rows(
        db,
        "SELECT count(*) FILTER (WHERE model IS NOT NULL),"
        " count(*) FILTER (WHERE model IS NULL AND pending IS NOT NULL),"
        " count(*) FILTER (WHERE outcome = 'united' AND coalesce(model, pending) IS NOT NULL),"
        " count(*) FILTER (WHERE is_missing), coalesce(sum(tags), 0), coalesce(sum(images), 0),"
        " count(*) FILTER (WHERE coalesce(model, pending) IS NULL),"
        " (SELECT count(*) FROM migration_problems p WHERE p.op = ?1) FROM migrated_rows WHERE op = ?1",
        (op,),
    )
    return Counts(*figures)


def problems(db: apsw.Connection, op: str) -> list[Problem]:
    """Give what did not come along with a migration, in the order it was told."""
    found = "SELECT table_name, row, what FROM migration_problems WHERE op = ? ORDER BY n"
    return [Problem(*row) for row in rows(db, found, (op,))]


def _migrations(db: apsw.Connection, which: str, values: tuple[str, ...] = ()) -> list[Migration]:
    return [_migration(row) for row in rows(db, _SELECT + which, values)]


def _migration(row: list[Any]) -> Migration:
    *before, action, already = row
    return Migration(*before, action=bytes(action), already=already)
