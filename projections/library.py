"""Queries across the views: pages of models, one model whole, and the counts of everything."""

from collections.abc import Mapping, Sequence, Set
from math import isqrt
from typing import Any, Literal, get_args

import apsw
import msgspec

from ..events.catalog import Provided, Sidecar, Texts
from ..events.pathtext import shown
from . import earlier, models, tags
from .layers import Row, origins
from .paging import Page, key_of, page_of
from .told import told_of

Order = Literal["name", "-name", "added", "-added", "size", "-size", "changed", "-changed", "used", "-used"]
ORDERS: tuple[str, ...] = get_args(Order)

_KEYS: dict[str, tuple[str, type]] = {
    "name": ("name_key", str),
    "added": ("created_at", int),
    "size": ("size_bytes", int),
    "changed": ("changed_at", int),
    "used": ("used_at", int),
}

_STATE = "CASE WHEN r.id IS NULL THEN 2 WHEN r.offline THEN 1 WHEN l.lost THEN 2 ELSE 0 END"
_STATE_NAME = "CASE {} WHEN 0 THEN 'present' WHEN 1 THEN 'offline' ELSE 'missing' END".format
_NAME_VALID = "json(iif(instr(l.path, char(0)), 'false', 'true'))"
_CARD_WITH = f"""json_object('sha256', m.sha256, 'name', m.name, 'type', m.type, 'size_bytes', m.size_bytes,
    'created_at', m.created_at, 'changed_at', m.changed_at, 'favorite', json(iif(m.favorite, 'true', 'false')),{{}}
    'images', json((SELECT json_group_array(m.sha256 || '_' || i.seq ORDER BY i.seq) FROM images i
        WHERE i.model_hash = m.sha256)),
    'cover', (SELECT c.seq FROM covers c WHERE c.model_hash = m.sha256),
    'path', coalesce(l.shown, nullif(m.path, '')), 'name_valid', {_NAME_VALID},
    'state', {_STATE_NAME(_STATE)})""".format  # noqa: S608 - our own text, as in all of this module
_CARD = _CARD_WITH(
    """ 'tags', json((SELECT json_group_array(t.name ORDER BY t.name_key) FROM model_tags mt
        JOIN tags t ON t.id = mt.tag_id WHERE mt.model_hash = m.sha256)),"""
)
_PLACE = f"""json_object('path', l.shown, 'root', l.root, 'name_valid', {_NAME_VALID},
    'state', {_STATE_NAME(_STATE)}, 'claimed', json(iif(l.claimed, 'true', 'false')))"""
_BEST_LOCATION = f"""LEFT JOIN locations l ON l.rowid = (SELECT l.rowid FROM locations l
        LEFT JOIN roots r ON r.id = l.root WHERE l.model_hash = m.sha256 ORDER BY {_STATE}, l.found_at, l.path LIMIT 1)
    LEFT JOIN roots r ON r.id = l.root"""  # noqa: S608


class Query(msgspec.Struct, frozen=True):
    """Which models: of a type, with and without tags (by name, AND), in an order."""

    type: str | None = None
    tags: tuple[str, ...] = ()
    not_tags: tuple[str, ...] = ()
    order: Order = "name"


def page(db: apsw.Connection, query: Query, *, limit: int, cursor: str | None = None) -> Page:
    """Give a page of models. Ties in the order are broken by the hash; raises `BadCursor`."""
    wanted = [tags.find(db, name) for name in query.tags]
    if None in wanted:
        return Page([], None)  # nothing carries a tag that does not exist
    unwanted = [found for name in query.not_tags if (found := tags.find(db, name))]
    column, kind = _KEYS[query.order.lstrip("-")]
    down = query.order.startswith("-")
    source, where = _tagged(db, [tag[0] for tag in wanted if tag], limit)
    where += [f"NOT {_CARRIES.format(tag[0])}" for tag in unwanted]
    values: list[Any] = []
    if query.type is not None:
        where.append("m.type = ?")
        values.append(query.type)
    if cursor:
        where.append(f"(m.{column}, m.sha256) {'<' if down else '>'} (?, ?)")
        values.extend(key_of(cursor, (kind, str)))
    direction = "DESC" if down else "ASC"
    order = f"ORDER BY m.{column} {direction}, m.sha256 {direction}"
    # The keys first, the cards of this page alone after that: a card costs far more than a key.
    keys = f"SELECT m.sha256 AS key FROM {source} WHERE {' AND '.join(where) or 'true'} {order} LIMIT ?"  # noqa: S608
    rows = db.execute(
        f"SELECT {_CARD}, m.{column}, m.sha256 FROM ({keys}) k CROSS JOIN models m ON m.sha256 = k.key"  # noqa: S608
        f" {_BEST_LOCATION} {order}",
        (*values, limit + 1),
    )
    return page_of(rows, limit)


_CARRIES = "EXISTS (SELECT 1 FROM model_tags w WHERE w.model_hash = m.sha256 AND w.tag_id = {})"
_IS_AMONG = "+m.sha256 IN (SELECT w.model_hash FROM model_tags w WHERE w.tag_id = {})"


def _tagged(db: apsw.Connection, wanted: Sequence[int], limit: int) -> tuple[str, list[str]]:
    """Give where to find the models with all of some tags, and what to ask of them.

    To walk the index of the order until a page is full takes `limit` * models / (models with the tag) steps; to
    begin at the tag, as many as it has models. They are even at the root of `limit` * models. Well below it we
    begin at the tag and sort, well above we walk and ask of each model; between them the tag's models are looked
    up once and the walk looks there. With more asked of a model a walk may never fill its page, so we rather begin
    at the tag. At 100,000 models the wrong way costs over 10 ms.
    """
    if not wanted:
        return "models m", []
    even = isqrt(limit * (db.execute("SELECT max(rowid) FROM models").get or 0)) + 1
    (count, rarest), *others = sorted((_count_up_to(db, tag, even), tag) for tag in wanted)
    where = [_CARRIES.format(tag) for _, tag in others]
    if count < (even if others else even // 4):
        begin = f"(SELECT model_hash FROM model_tags WHERE tag_id = {rarest}) h"  # noqa: S608
        return f"{begin} CROSS JOIN models m ON m.sha256 = h.model_hash", where
    return "models m", [(_IS_AMONG if count < even else _CARRIES).format(rarest), *where]


def _count_up_to(db: apsw.Connection, tag: int, most: int) -> int:
    return db.execute("SELECT count(*) FROM (SELECT 1 FROM model_tags WHERE tag_id = ? LIMIT ?)", (tag, most)).get


def cards(db: apsw.Connection, models: Sequence[int]) -> list[str]:
    """Give models as a page shows them, in their order, by their rowids: each a JSON object, without its `tags`."""
    found = db.execute(
        f"SELECT {_CARD_WITH('')} FROM json_each(?) j CROSS JOIN models m ON m.rowid = j.value {_BEST_LOCATION}"  # noqa: S608
        " ORDER BY j.key",
        (msgspec.json.encode(models).decode(),),
    )
    return [card for (card,) in found]


def card(db: apsw.Connection, sha256: str) -> dict[str, Any] | None:
    """Give a model as a page shows it, None where there is none."""
    row = db.execute(f"SELECT {_CARD} FROM models m {_BEST_LOCATION} WHERE m.sha256 = ?", (sha256,)).get  # noqa: S608
    return None if row is None else msgspec.json.decode(row)


def whole(db: apsw.Connection, sha256: str) -> dict[str, Any] | None:
    """Give a model with everything known of it, None where there is none; all of it as it was at one moment."""
    with db:
        return _whole(db, sha256)


def _whole(db: apsw.Connection, sha256: str) -> dict[str, Any] | None:
    row = db.execute(
        f"SELECT {_CARD}, m.meta_json, m.header_json FROM models m {_BEST_LOCATION} WHERE m.sha256 = ?",  # noqa: S608
        (sha256,),
    ).fetchone()
    known = models.get(db, sha256)
    if row is None or known is None:
        return None
    locations = db.execute(
        f"SELECT {_PLACE} FROM locations l LEFT JOIN roots r ON r.id = l.root WHERE l.model_hash = ?"  # noqa: S608
        f" ORDER BY {_STATE}, l.found_at, l.path",
        (sha256,),
    )
    denied, header = models.denied_of(db, sha256), msgspec.json.decode(row[2])
    uses, last_used = models.uses(db, sha256)
    return (
        msgspec.json.decode(row[0])
        | msgspec.json.decode(row[1])
        | layered(known.own, known.given, models.provided(db, sha256), header)
        | {
            "tag_origins": tags.named_origins_of_model(db, sha256),
            "earlier_names": [{"kind": one.kind, "name": one.shown} for one in earlier.of_model(db, sha256)],
            "hash_state": ("denied" if denied else "claimed") if known.claimed else "confirmed",
            "denied": [{"path": shown(one.path), "sha256": one.actual} for one in denied],
            "locations": [msgspec.json.decode(line[0]) for line in locations],
            "header": header,
            "uses": uses,
            "last_used": last_used,
            "version": known.version,
        }
    )


def layered(own: Texts, given: Set[str], rows: Sequence[Row], header: Mapping[str, Any]) -> dict[str, Any]:
    """Give what each sidecar says, that which was read last first, and whose each text is."""
    return {"provided": [_told(*row) for row in rows], "origins": origins(own, given, rows, told_of(header))}


def _told(sidecar: Sidecar, said: Provided) -> dict[str, Any]:
    prompts = {"positive": said.prompts.positive, "negative": said.prompts.negative}
    return {"source": sidecar.source, "path": shown(sidecar.path)} | msgspec.structs.asdict(said) | {"prompts": prompts}


def at_path(db: apsw.Connection, path: str) -> tuple[str, str | int] | None:
    """Give ("model", hash) or ("pending", id) of what lies at a path (in the form of `pathtext`), None if nothing."""
    found = models.location(db, path)
    if found is not None and not found.lost:
        return "model", found.model
    pending = db.execute("SELECT id FROM pending_import WHERE path = ?", (path,)).get
    if pending is not None:
        return "pending", pending
    return None if found is None else ("model", found.model)


def types(db: apsw.Connection) -> list[dict[str, Any]]:
    """Give the types that exist (models, pending models or roots have them) with their counts, by name."""
    rows = db.execute(
        """SELECT type, sum(models), sum(pending) FROM (
            SELECT type, count(*) AS models, 0 AS pending FROM models GROUP BY type
            UNION ALL SELECT type, 0, count(*) FROM pending_import WHERE type IS NOT NULL GROUP BY type
            UNION ALL SELECT type, 0, 0 FROM roots WHERE type IS NOT NULL AND NOT removed GROUP BY type
        ) GROUP BY type ORDER BY type"""
    )
    return [{"type": type_, "models": known, "pending": pending} for type_, known, pending in rows]


def counts(db: apsw.Connection) -> dict[str, int]:
    """Give how many models, pending models, tags, pictures and locations there are."""
    tables = {
        "models": "models",
        "pending": "pending_import",
        "tags": "tags",
        "images": "images",
        "locations": "locations",
    }
    return {name: db.execute(f"SELECT count(*) FROM {table}").get for name, table in tables.items()}  # noqa: S608
