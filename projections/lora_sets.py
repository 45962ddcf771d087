"""The `lora_sets` view: the sets of LoRAs that somebody saved under a name."""

from typing import Any

import apsw
import msgspec

from ..events.catalog import LoraSetDeleted, LoraSetSaved
from ..events.record import Stored
from .paging import Page, key_of, page_of
from .tables import Tables, rows
from .text import tag_key

VERSION = 1
SCHEMA = """
CREATE TABLE lora_sets (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    name_key TEXT NOT NULL,
    note TEXT NOT NULL,
    loras_json TEXT NOT NULL,
    created INTEGER NOT NULL,
    changed INTEGER NOT NULL,
    version INTEGER NOT NULL,
    deleted INTEGER NOT NULL DEFAULT 0
);
"""
INDEXES = "CREATE INDEX lora_sets_by_name ON lora_sets (name_key, id) WHERE NOT deleted;"
HANDLES = (LoraSetSaved, LoraSetDeleted)

_WHOLE = """json_object('id', id, 'name', name, 'note', note, 'loras', json(loras_json), 'created', created,
    'changed', changed, 'version', version)"""


def apply(db: Tables, stored: Stored) -> None:
    """Bring one event into the view. One that was deleted is kept hidden, so that its number stays taken."""
    match stored.event:
        case LoraSetSaved(lora_set=number, name=name, note=note, loras=loras):
            whole = [msgspec.structs.asdict(each) for each in loras]
            db.execute(
                "INSERT INTO lora_sets (id, name, name_key, note, loras_json, created, changed, version)"
                " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6, ?7)"
                " ON CONFLICT (id) DO UPDATE SET name = excluded.name, name_key = excluded.name_key,"
                " note = excluded.note, loras_json = excluded.loras_json, changed = excluded.changed,"
                " version = excluded.version, deleted = 0",
                (number, name, tag_key(name), note, _encoded(whole).decode(), stored.time, stored.version),
            )
        case LoraSetDeleted(lora_set=number):
            db.execute("UPDATE lora_sets SET deleted = 1, version = ? WHERE id = ?", (stored.version, number))
        case _:
            pass


_encoded = msgspec.json.Encoder().encode


def page(db: apsw.Connection, *, limit: int, cursor: str | None = None) -> Page:
    """Give a page of sets, by name. Raises `BadCursor`."""
    key = key_of(cursor, (str, int)) if cursor else ("", 0)
    found = db.execute(
        f"SELECT {_WHOLE}, name_key, id FROM lora_sets WHERE NOT deleted AND (name_key, id) > (?, ?)"  # noqa: S608
        " ORDER BY name_key, id LIMIT ?",
        (*key, limit + 1),
    )
    return page_of(found, limit)


def get(db: apsw.Connection, number: int) -> dict[str, Any] | None:
    """Give a set whole, None where there is none."""
    found = db.execute(f"SELECT {_WHOLE} FROM lora_sets WHERE id = ? AND NOT deleted", (number,)).get  # noqa: S608
    return None if found is None else msgspec.json.decode(found)


def named(db: apsw.Connection, name: str) -> int | None:
    """Give the number of the set of a name, in whatever case, None where there is none."""
    found = rows(db, "SELECT id FROM lora_sets WHERE name_key = ? AND NOT deleted LIMIT 1", (tag_key(name),))
    return found[0][0] if found else None


def last_number(db: apsw.Connection) -> int:
    """Give the last number that was given to a set, also to one that is deleted."""
    return rows(db, "SELECT coalesce(max(id), 0) FROM lora_sets")[0][0]
