"""Queries on what model files say of themselves, and on those of which that was read by older rules, or not at all.

The number of the rules by which a header was read stands in it, as `rules`; 0 is said of one without.
"""

from collections.abc import Mapping
from typing import Any

import apsw
import msgspec

from .tables import rows

START = (-1, 0)
"""Where to begin: before the first."""


class Unread(msgspec.Struct, frozen=True):
    """A model (by its hash) or pending model (by its number) whose header is to be read, with its files that are here.

    `files` are (path, root, size, mtime in ns).
    """

    owner: str | int
    type: str | None
    files: tuple[tuple[str, int, int, int], ...]


class Page(msgspec.Struct, frozen=True):
    """Some of them, and where the next begin; None behind the last."""

    items: list[Unread]
    next: tuple[int, int] | None


def rules_of(header: Mapping[str, Any]) -> int:
    """Give the number of the rules by which a header was read."""
    rules = header.get("rules")
    return rules if isinstance(rules, int) and 0 < rules < 2**31 else 0


def rules_of_model(db: apsw.Connection, model: str) -> int:
    """Give the number of the rules by which a model's header was read; 0 where none was, or there is no model."""
    return db.execute("SELECT header_rules FROM models WHERE sha256 = ?", (model,)).get or 0


def rules_of_pending(db: apsw.Connection, pending: int) -> int:
    """Give the number of the rules by which a pending model's header was read; out of sight it counts too."""
    return (
        db.execute(
            "SELECT header_rules FROM pending_import WHERE id = ?1"
            " UNION ALL SELECT header_rules FROM pending_away WHERE id = ?1",
            (pending,),
        ).get
        or 0
    )


def of_model(db: apsw.Connection, model: str) -> dict[str, Any]:
    """Give what was read of a model's file; nothing where there is no such model."""
    row = db.execute("SELECT header_json FROM models WHERE sha256 = ?", (model,)).get
    return msgspec.json.decode(row) if row else {}


def of_pending(db: apsw.Connection, pending: int) -> dict[str, Any]:
    """Give what was read of a pending model's file, out of sight too; nothing where there is none."""
    row = db.execute(
        "SELECT header_json FROM pending_import WHERE id = ?1 UNION ALL SELECT header_json FROM pending_away"
        " WHERE id = ?1",
        (pending,),
    ).get
    return msgspec.json.decode(row) if row else {}


def models_to_read(db: apsw.Connection, rules: int, after: tuple[int, int], limit: int) -> Page:
    """Give models whose header was read by older rules than these, or never, and their files that are here."""
    return _page(rows(db, _MODELS, (rules, *after, limit)))


def pending_to_read(db: apsw.Connection, rules: int, after: tuple[int, int], limit: int) -> Page:
    """Give pending models whose header was read by older rules than these, and their files that are here."""
    return _page(rows(db, _PENDING, (rules, *after, limit)))


def count_to_read(db: apsw.Connection, rules: int) -> int:
    """Count the models and pending models whose header was read by older rules and whose files are here."""
    return db.execute(
        "SELECT (SELECT count(*) FROM models m WHERE m.header_rules < ?1 AND EXISTS (SELECT 1 FROM locations l"
        " JOIN roots r ON r.id = l.root AND NOT r.offline AND NOT r.removed"
        " WHERE l.model_hash = m.sha256 AND NOT l.lost))"
        " + (SELECT count(*) FROM pending_import p JOIN roots r ON r.id = p.root AND NOT r.offline AND NOT r.removed"
        " WHERE p.header_rules < ?1 AND p.state = 'waiting')",
        (rules,),
    ).get


# What was read meanwhile is in the index no more where it was; the cursor only passes by what could not be read.
_MODELS = """SELECT u.header_rules, u.at, u.sha256, u.type, r.id IS NOT NULL, l.path, l.root, l.size_bytes, l.mtime_ns
FROM (SELECT header_rules, rowid AS at, sha256, type FROM models
    WHERE header_rules < ?1 AND (header_rules, rowid) > (?2, ?3) ORDER BY header_rules, rowid LIMIT ?4) u
LEFT JOIN locations l ON l.model_hash = u.sha256 AND NOT l.lost
LEFT JOIN roots r ON r.id = l.root AND NOT r.offline AND NOT r.removed
ORDER BY u.header_rules, u.at, l.claimed, l.found_at, l.path"""
_PENDING = """SELECT u.header_rules, u.id, u.id, u.type, r.id IS NOT NULL, u.path, u.root, u.size_bytes, u.mtime_ns
FROM (SELECT * FROM pending_import WHERE header_rules < ?1 AND (header_rules, id) > (?2, ?3)
    ORDER BY header_rules, id LIMIT ?4) u
LEFT JOIN roots r ON r.id = u.root AND NOT r.offline AND NOT r.removed AND u.state = 'waiting'
ORDER BY u.header_rules, u.id"""


def _page(found: list[Any]) -> Page:
    items: dict[str | int, Unread] = {}
    for _, _, owner, type_, is_here, *file in found:
        before = items.get(owner)
        files = () if before is None else before.files
        items[owner] = Unread(owner, type_, (*files, tuple(file)) if is_here else files)
    end = (found[-1][0], found[-1][1]) if found else None
    return Page([item for item in items.values() if item.files], end)
