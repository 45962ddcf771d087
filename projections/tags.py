"""The `tags` view: all tags, what each stands on, and what was with it there before (`tagpast`)."""

from collections.abc import Sequence

import apsw
import msgspec

from ..events.catalog import (
    ModelHeaderRead,
    ModelImported,
    ModelTagged,
    ModelUntagged,
    Origin,
    PendingChanged,
    PendingFound,
    PendingHeaderRead,
    PendingImported,
    PendingTagged,
    PendingUntagged,
    TagCreated,
    TagDeleted,
    TagRenamed,
    TagsMerged,
)
from ..events.record import Stored
from . import tagpast
from .paging import Page, key_of, page_of
from .tables import Tables, rows
from .text import tag_key
from .told import tags_told

VERSION = 3
SCHEMA = (
    tagpast.SCHEMA
    + """
CREATE TABLE tags (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, name_key TEXT NOT NULL UNIQUE);
CREATE TABLE tag_numbers (one INTEGER PRIMARY KEY CHECK (one = 1), last INTEGER NOT NULL);
CREATE TABLE model_tags (
    model_hash TEXT NOT NULL, tag_id INTEGER NOT NULL, origin TEXT NOT NULL, PRIMARY KEY (model_hash, tag_id)
) WITHOUT ROWID;
CREATE TABLE pending_model_tags (
    model_id INTEGER NOT NULL, tag_id INTEGER NOT NULL, origin TEXT NOT NULL, PRIMARY KEY (model_id, tag_id)
) WITHOUT ROWID;
INSERT INTO tag_numbers VALUES (1, 0);
"""
)
INDEXES = """
CREATE INDEX model_tags_by_tag ON model_tags (tag_id, model_hash);
CREATE INDEX pending_model_tags_by_tag ON pending_model_tags (tag_id, model_id);
"""
HANDLES = (
    PendingFound,
    PendingChanged,
    PendingHeaderRead,
    ModelImported,
    ModelHeaderRead,
    ModelTagged,
    ModelUntagged,
    PendingImported,
    PendingTagged,
    PendingUntagged,
    TagCreated,
    TagRenamed,
    TagsMerged,
    TagDeleted,
)


def apply(db: Tables, stored: Stored) -> None:
    """Bring one event into the view."""
    match stored.event:
        case PendingFound(pending=owner, header=header) | PendingChanged(pending=owner, header=header):
            tagpast.hear(db, owner, tags_told(header))
        case PendingHeaderRead(pending=owner, header=header):
            tagpast.hear(db, owner, tags_told(header))
        case ModelImported(model=owner, header=header) | ModelHeaderRead(model=owner, header=header):
            tagpast.hear(db, owner, tags_told(header))
        case ModelTagged(model=model, tag=tag, origin=origin):
            db.execute(_PUT_ON_MODEL, (model, tag, origin))
        case ModelUntagged(model=model, tag=tag):
            (tagpast.take_off if _is_of_a_person(stored) else tagpast.withdraw)(db, model, tag)
            db.execute("DELETE FROM model_tags WHERE model_hash = ? AND tag_id = ?", (model, tag))
        case PendingTagged(pending=pending, tag=tag, origin=origin):
            db.execute(_PUT_ON_PENDING, (pending, tag, origin))
        case PendingUntagged(pending=pending, tag=tag):
            (tagpast.take_off if _is_of_a_person(stored) else tagpast.withdraw)(db, pending, tag)
            db.execute("DELETE FROM pending_model_tags WHERE model_id = ? AND tag_id = ?", (pending, tag))
        case PendingImported(pending=pending, model=model, status=status) if status != "ignored":
            if status != "deleted":
                tagpast.become(db, pending, model)
            tagpast.drop(db, pending)
            db.execute("DELETE FROM pending_model_tags WHERE model_id = ?", (pending,))
        case TagCreated(tag=tag, name=name):  # OR IGNORE: a name is one tag's, the first one's
            db.execute("INSERT OR IGNORE INTO tags VALUES (?, ?, ?)", (tag, name, tag_key(name)))
            db.execute("UPDATE tag_numbers SET last = max(last, ?)", (tag,))
        case TagRenamed(tag=tag, name=name):
            tagpast.rename(db, tag, tag_key(name))
            db.execute("UPDATE OR IGNORE tags SET name = ?, name_key = ? WHERE id = ?", (name, tag_key(name), tag))
        case TagsMerged(tag=tag, into=into) if tag != into:
            _merge(db, tag, into)
        case TagDeleted(tag=tag):
            tagpast.take_off_all(db, tag)
            _forget(db, tag)
        case _:
            pass


def _is_of_a_person(stored: Stored) -> bool:
    return not stored.stream.startswith("sidecars/")  # which is what files say: nobody took it off by hand


# A tag that is there stays as it is, and is a person's once a person has put it there too.
_OF_A_PERSON = "ON CONFLICT DO UPDATE SET origin = 'user' WHERE excluded.origin = 'user'"
_PUT_ON_MODEL = f"INSERT INTO model_tags VALUES (?, ?, ?) {_OF_A_PERSON}"  # noqa: S608 - our own text, as below
_PUT_ON_PENDING = f"INSERT INTO pending_model_tags VALUES (?, ?, ?) {_OF_A_PERSON}"  # noqa: S608


def _merge(db: Tables, tag: int, into: int) -> None:
    for table, owner in (("model_tags", "model_hash"), ("pending_model_tags", "model_id")):
        db.execute(
            f"INSERT INTO {table} SELECT {owner}, ?, origin FROM {table} WHERE tag_id = ? {_OF_A_PERSON}",  # noqa: S608
            (into, tag),
        )
    tagpast.merge(db, tag, into)
    _forget(db, tag)


def _forget(db: Tables, tag: int) -> None:
    db.execute("DELETE FROM model_tags WHERE tag_id = ?", (tag,))
    db.execute("DELETE FROM pending_model_tags WHERE tag_id = ?", (tag,))
    db.execute("DELETE FROM tags WHERE id = ?", (tag,))


def find(db: apsw.Connection, name: str) -> tuple[int, str] | None:
    """Give (id, spelling) of the tag that `name` spells, None where there is none."""
    return db.execute("SELECT id, name FROM tags WHERE name_key = ?", (tag_key(name),)).fetchone()


def name_of(db: apsw.Connection, tag: int) -> str | None:
    """Give a tag's spelling by its id, None where there is no such tag."""
    return db.execute("SELECT name FROM tags WHERE id = ?", (tag,)).get


def last_number(db: apsw.Connection) -> int:
    """Give the highest tag id ever used."""
    return db.execute("SELECT last FROM tag_numbers").get


def of_model(db: apsw.Connection, model: str) -> dict[int, str]:
    """Give the tags of a model: id to name."""
    return dict(
        rows(
            db,
            "SELECT t.id, t.name FROM model_tags m JOIN tags t ON t.id = m.tag_id WHERE m.model_hash = ?"
            " ORDER BY t.name_key",
            (model,),
        )
    )


def of_pending(db: apsw.Connection, pending: int) -> dict[int, str]:
    """Give the tags of a pending model: id to name."""
    return dict(
        rows(
            db,
            "SELECT t.id, t.name FROM pending_model_tags m JOIN tags t ON t.id = m.tag_id WHERE m.model_id = ?"
            " ORDER BY t.name_key",
            (pending,),
        )
    )


def carriers(db: apsw.Connection, tag: int, models: Sequence[str]) -> set[str]:
    """Give those of some models that carry a tag."""
    found = db.execute(
        "SELECT m.model_hash FROM json_each(?) j CROSS JOIN model_tags m ON m.model_hash = j.value AND m.tag_id = ?",
        (msgspec.json.encode(models).decode(), tag),
    )
    return {model for (model,) in found}


def origins_of_model(db: apsw.Connection, model: str) -> dict[int, Origin]:
    """Give where each tag of a model comes from, by the tag's id."""
    return dict(rows(db, "SELECT tag_id, origin FROM model_tags WHERE model_hash = ?", (model,)))


def origins_of_pending(db: apsw.Connection, pending: int) -> dict[int, Origin]:
    """Give where each tag of a pending model comes from, by the tag's id."""
    return dict(rows(db, "SELECT tag_id, origin FROM pending_model_tags WHERE model_id = ?", (pending,)))


def named_origins_of_model(db: apsw.Connection, model: str) -> dict[str, Origin]:
    """Give where each tag of a model comes from, by the tag's name."""
    return dict(
        rows(
            db,
            "SELECT t.name, m.origin FROM model_tags m JOIN tags t ON t.id = m.tag_id WHERE m.model_hash = ?"
            " ORDER BY t.name_key",
            (model,),
        )
    )


def named_origins_of_pending(db: apsw.Connection, pending: int) -> dict[str, Origin]:
    """Give where each tag of a pending model comes from, by the tag's name."""
    return dict(
        rows(
            db,
            "SELECT t.name, m.origin FROM pending_model_tags m JOIN tags t ON t.id = m.tag_id WHERE m.model_id = ?"
            " ORDER BY t.name_key",
            (pending,),
        )
    )


def page(db: apsw.Connection, *, limit: int, cursor: str | None = None) -> Page:
    """Give a page of tags `{id, name, models, pending}` in the order of their folded names."""
    where, key = ("WHERE t.name_key > ?", key_of(cursor, (str,))) if cursor else ("", ())
    return page_of(
        db.execute(
            f"""SELECT json_object('id', t.id, 'name', t.name,
                'models', (SELECT count(*) FROM model_tags m WHERE m.tag_id = t.id),
                'pending', (SELECT count(*) FROM pending_model_tags p WHERE p.tag_id = t.id)), t.name_key
            FROM tags t {where} ORDER BY t.name_key LIMIT ?""",  # noqa: S608
            (*key, limit + 1),
        ),
        limit,
    )
