"""What was with tags: which a header ever told of a model or pending model, and which a person took off it.

What a file tells of itself is put on once, and never where a person took it off: a person has the last word, for good.
So both are kept by `tag_key`, apart from the tags that are there, and go with a pending model into the model it
becomes. These are tables of the view `tags`, which brings the events in; an owner is a model's hash, or the number of
a pending model.
"""

from collections.abc import Iterable

import apsw

from .tables import Tables
from .text import tag_key

Owner = str | int

# What was: `told` by a header, or taken `off` by a person.
SCHEMA = """
CREATE TABLE model_tags_past (
    owner TEXT NOT NULL, what TEXT NOT NULL, tag_key TEXT NOT NULL, PRIMARY KEY (owner, what, tag_key)
) WITHOUT ROWID;
CREATE TABLE pending_tags_past (
    owner INTEGER NOT NULL, what TEXT NOT NULL, tag_key TEXT NOT NULL, PRIMARY KEY (owner, what, tag_key)
) WITHOUT ROWID;
"""

# As events come in -------------------------------------------------------------------------------------


def hear(db: Tables, owner: Owner, names: Iterable[str]) -> None:
    """A header of an owner told tags."""
    for name in names:
        db.execute(_HEAR[_is_model(owner)], (owner, tag_key(name)))


def take_off(db: Tables, owner: Owner, tag: int) -> None:
    """A person took a tag off an owner. Call while the tag is known."""
    db.execute(_TAKE_OFF[_is_model(owner)], (owner, tag))


def withdraw(db: Tables, owner: Owner, tag: int) -> None:
    """A tag went because the header tells it no more: told again, it comes again. Call while the tag is known."""
    db.execute(_WITHDRAW[_is_model(owner)], (owner, tag))


def take_off_all(db: Tables, tag: int) -> None:
    """A person took a tag off everything. Call while the tag is there."""
    for past, tagged, owner in _TABLES:
        db.execute(
            f"INSERT OR IGNORE INTO {past} SELECT c.{owner}, 'off', t.name_key FROM tags t"  # noqa: S608 - our own text
            f" JOIN {tagged} c ON c.tag_id = t.id WHERE t.id = ?",
            (tag,),
        )


def rename(db: Tables, tag: int, key: str) -> None:
    """A tag gets another key, unless that is taken: off whom it was taken, it stays taken off. Call before."""
    for past, tagged, owner in _TABLES:
        db.execute(
            f"INSERT OR IGNORE INTO {past} SELECT o.owner, 'off', ?2 FROM tags t"  # noqa: S608
            f" JOIN {past} o ON o.tag_key = t.name_key AND o.what = 'off'"
            f" WHERE t.id = ?1 AND NOT EXISTS (SELECT 1 FROM {tagged} c WHERE c.{owner} = o.owner AND c.tag_id = ?1)"
            " AND NOT EXISTS (SELECT 1 FROM tags x WHERE x.name_key = ?2 AND x.id <> ?1)",
            (tag, key),
        )


def merge(db: Tables, tag: int, into: int) -> None:
    """A tag became another: off whom it was taken, and who does not carry the other, that is taken off as well.

    Call while both are known, and once all that carried the first carry the second.
    """
    for past, tagged, owner in _TABLES:
        db.execute(
            f"INSERT OR IGNORE INTO {past} SELECT o.owner, 'off', n.name_key FROM tags t JOIN tags n ON n.id = ?2"  # noqa: S608
            f" JOIN {past} o ON o.tag_key = t.name_key AND o.what = 'off'"
            f" WHERE t.id = ?1 AND NOT EXISTS (SELECT 1 FROM {tagged} c WHERE c.{owner} = o.owner AND c.tag_id = ?2)",
            (tag, into),
        )


def become(db: Tables, pending: int, model: str) -> None:
    """A pending model's record ended in a model, whose tags have come: one that it carries is not taken off it."""
    db.execute(_BECOME, (model, pending))


def drop(db: Tables, pending: int) -> None:
    """Forget a pending model, whose record ended."""
    db.execute("DELETE FROM pending_tags_past WHERE owner = ?", (pending,))


_TABLES = (("model_tags_past", "model_tags", "model_hash"), ("pending_tags_past", "pending_model_tags", "model_id"))
_HEAR = {
    True: "INSERT OR IGNORE INTO model_tags_past VALUES (?, 'told', ?)",
    False: "INSERT OR IGNORE INTO pending_tags_past VALUES (?, 'told', ?)",
}
_TAKE_OFF = {
    True: "INSERT OR IGNORE INTO model_tags_past SELECT ?, 'off', name_key FROM tags WHERE id = ?",
    False: "INSERT OR IGNORE INTO pending_tags_past SELECT ?, 'off', name_key FROM tags WHERE id = ?",
}
_WITHDRAW = {
    True: "DELETE FROM model_tags_past WHERE owner = ? AND what = 'told'"
    " AND tag_key = (SELECT name_key FROM tags WHERE id = ?)",
    False: "DELETE FROM pending_tags_past WHERE owner = ? AND what = 'told'"
    " AND tag_key = (SELECT name_key FROM tags WHERE id = ?)",
}
_BECOME = """INSERT OR IGNORE INTO model_tags_past SELECT ?1, p.what, p.tag_key FROM pending_tags_past p
WHERE p.owner = ?2 AND (p.what = 'told' OR NOT EXISTS (SELECT 1 FROM tags t
    JOIN model_tags m ON m.tag_id = t.id AND m.model_hash = ?1 WHERE t.name_key = p.tag_key))"""


def _is_model(owner: Owner) -> bool:
    return isinstance(owner, str)


# Queries ----------------------------------------------------------------------------------------------


def told_by_header(db: apsw.Connection, owner: Owner) -> set[str]:
    """Give the `tag_key` of every tag that a header ever told of a model (by hash) or pending model (by number)."""
    return _keys(db, "model_tags_past" if _is_model(owner) else "pending_tags_past", owner, "told")


def taken_off_model(db: apsw.Connection, sha256: str) -> set[str]:
    """Give the `tag_key` of every tag that a person took off a model, and did not put on again."""
    return _keys(db, "model_tags_past", sha256, "off") - _carried(db, "model_tags", "model_hash", sha256)


def taken_off_pending(db: apsw.Connection, pending: int) -> set[str]:
    """Give the `tag_key` of every tag that a person took off a pending model, and did not put on again."""
    return _keys(db, "pending_tags_past", pending, "off") - _carried(db, "pending_model_tags", "model_id", pending)


def _keys(db: apsw.Connection, past: str, owner: Owner, what: str) -> set[str]:
    found = db.execute(f"SELECT tag_key FROM {past} WHERE owner = ? AND what = ?", (owner, what))  # noqa: S608
    return {key for (key,) in found}


def _carried(db: apsw.Connection, table: str, column: str, owner: Owner) -> set[str]:
    # Asked here, so that of the very many tags that are put on none need look whether it was ever taken off.
    found = db.execute(
        f"SELECT t.name_key FROM {table} c JOIN tags t ON t.id = c.tag_id WHERE c.{column} = ?",  # noqa: S608
        (owner,),
    )
    return {key for (key,) in found}
