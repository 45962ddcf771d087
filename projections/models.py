"""The `models` view: what each model is, and where its content lies."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import apsw
import msgspec
from msgspec import UNSET

from ..events.catalog import (
    Changes,
    ClaimConfirmed,
    ClaimDenied,
    CoverChosen,
    File,
    ImageAdded,
    ImageRemoved,
    LocationClaimed,
    LocationFound,
    LocationLost,
    LocationMoved,
    LocationRefreshed,
    LocationReplaced,
    ModelEdited,
    ModelHeaderRead,
    ModelImported,
    ModelProvided,
    ModelTagged,
    ModelUntagged,
    ModelUsed,
    PendingEdited,
    PendingFound,
    PendingImported,
    PendingMoved,
    PendingReturned,
    PendingUsed,
    Texts,
)
from ..events.pathtext import shown
from ..events.record import Stored
from . import earlier
from .headers import rules_of
from .layers import Row, effective, is_favorite, words
from .provided import OF_MODELS
from .tables import Tables, rows
from .text import fold
from .texts import edited, given_in, meta_json, texts_of
from .told import told_in, told_of

VERSION = 5
# The long columns stand last: SQLite reads through all that stand before the one it looks for.
SCHEMA = (
    OF_MODELS.schema
    + """
CREATE TABLE models (
    sha256 TEXT PRIMARY KEY,
    path TEXT NOT NULL,
    name TEXT NOT NULL,
    type TEXT NOT NULL,
    size_bytes INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    favorite INTEGER NOT NULL DEFAULT 0,
    own_favorite INTEGER NOT NULL DEFAULT 0,
    claimed INTEGER NOT NULL DEFAULT 0,
    header_rules INTEGER NOT NULL DEFAULT 0,
    name_key TEXT NOT NULL,
    file_words TEXT NOT NULL DEFAULT '',
    changed_at INTEGER NOT NULL,
    uses INTEGER NOT NULL DEFAULT 0,
    used_at INTEGER NOT NULL DEFAULT 0,
    version INTEGER NOT NULL,
    words TEXT NOT NULL,
    meta_json TEXT NOT NULL,
    header_json TEXT NOT NULL,
    given_json TEXT NOT NULL DEFAULT '[]',
    own_json TEXT NOT NULL DEFAULT '{}'
);
CREATE TABLE locations (
    path TEXT PRIMARY KEY,
    model_hash TEXT NOT NULL,
    root INTEGER NOT NULL,
    size_bytes INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    dev INTEGER NOT NULL,
    ino INTEGER NOT NULL,
    lost INTEGER NOT NULL,
    shown TEXT NOT NULL,
    words TEXT NOT NULL,
    found_at INTEGER NOT NULL,
    claimed INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX locations_by_model ON locations (model_hash);
CREATE TABLE pending_uses (id INTEGER PRIMARY KEY, uses INTEGER NOT NULL, used_at INTEGER NOT NULL);
CREATE TABLE denied_claims (
    model_hash TEXT NOT NULL,
    path TEXT NOT NULL,
    actual TEXT NOT NULL,
    was_known INTEGER NOT NULL,
    denied_at INTEGER NOT NULL,
    PRIMARY KEY (model_hash, path)
) WITHOUT ROWID;
"""
    + earlier.SCHEMA
)
INDEXES = """
CREATE INDEX models_by_name ON models (name_key, sha256);
CREATE INDEX models_by_added ON models (created_at, sha256);
CREATE INDEX models_by_size ON models (size_bytes, sha256);
CREATE INDEX models_by_changed ON models (changed_at, sha256);
CREATE INDEX models_by_used ON models (used_at, sha256);
CREATE INDEX models_by_type_name ON models (type, name_key, sha256);
CREATE INDEX models_by_type_added ON models (type, created_at, sha256);
CREATE INDEX models_by_type_size ON models (type, size_bytes, sha256);
CREATE INDEX models_by_type_changed ON models (type, changed_at, sha256);
CREATE INDEX models_by_type_used ON models (type, used_at, sha256);
CREATE INDEX models_by_rules ON models (header_rules);
CREATE INDEX locations_by_inode ON locations (ino, size_bytes, mtime_ns);
CREATE INDEX locations_claimed ON locations (path) WHERE claimed;
CREATE INDEX locations_by_root ON locations (root) WHERE NOT lost;
"""
HANDLES = (
    ModelImported,
    ModelEdited,
    ModelTagged,
    ModelUntagged,
    ImageAdded,
    ImageRemoved,
    CoverChosen,
    LocationFound,
    LocationMoved,
    LocationRefreshed,
    LocationLost,
    LocationReplaced,
    LocationClaimed,
    ClaimConfirmed,
    ClaimDenied,
    ModelProvided,
    ModelHeaderRead,
    PendingFound,
    PendingMoved,
    PendingReturned,
    PendingEdited,
    PendingImported,
    ModelUsed,
    PendingUsed,
)


def apply(db: Tables, stored: Stored) -> None:
    """Bring one event into the view."""
    match stored.event:
        case ModelTagged(model=model) | ModelUntagged(model=model):
            _touch(db, model, stored)
        case ImageAdded(model=model) | ImageRemoved(model=model) | CoverChosen(model=model):
            _touch(db, model, stored)
        case ModelImported() as event:
            _import(db, event, stored)
        case ModelEdited(model=model, changes=changes):
            _edit(db, model, changes, stored)
        case ModelProvided(model=model, sidecar=sidecar, provided=provided):
            if _is_known(db, model):
                OF_MODELS.put(db, model, sidecar, provided, stored.position)
                _show(db, model)
        case ModelHeaderRead(model=model, header=header):
            db.execute(
                "UPDATE models SET header_json = ?, header_rules = ? WHERE sha256 = ?",
                (_encoded(header).decode(), rules_of(header), model),
            )
            _show(db, model)
        case LocationFound(model=model, file=file, claimed=claimed):
            _place(db, model, file, stored.time, _LIES, claimed=claimed)
        case LocationMoved(model=model, came_from=came_from, file=file, claimed=claimed):
            db.execute(_FORGET, (came_from, model))
            _place(db, model, file, stored.time, _LIES, claimed=claimed)
        case LocationRefreshed(model=model, file=file):
            _place(db, model, file, stored.time, _LIES_AS_BEFORE, claimed=None)
        case ClaimConfirmed(model=model, file=file):
            _place(db, model, file, stored.time, _LIES, claimed=False)
        case LocationClaimed(model=model, file=file, lost=lost):
            _place(db, model, file, stored.time, _IS_SAID_TO_LIE, claimed=True)
            if lost:
                _lose(db, model, file.path)
        case ClaimDenied(model=model, path=path, actual=actual):
            db.execute(_DENY, (model, path, actual, actual, stored.time))
        case LocationLost(model=model, path=path):
            _lose(db, model, path)
        case LocationReplaced(model=model, path=path):
            db.execute(_FORGET, (path, model))
            db.execute(_SHOW_BEST_PATH, (model,))
        case PendingFound(pending=pending, file=file) | PendingMoved(pending=pending, file=file):
            earlier.lie(db, pending, file.path)
        case PendingReturned(pending=pending, file=file):
            earlier.lie(db, pending, file.path)
        case PendingEdited(pending=pending, changes=changes):
            earlier.call(db, pending, changes)
        case PendingImported(pending=pending, model=model, status=status) if status != "ignored":
            if status != "deleted":
                earlier.become(db, pending, model)
                db.execute(_USED_BEFORE, (pending, model))
            earlier.drop(db, pending)
            db.execute("DELETE FROM pending_uses WHERE id = ?", (pending,))
        case ModelUsed(model=model, count=count, last=last):
            db.execute(
                "UPDATE models SET uses = uses + ?, used_at = max(used_at, ?) WHERE sha256 = ?", (count, last, model)
            )
        case PendingUsed(pending=pending, count=count, last=last):
            db.execute(_USE_PENDING, (pending, count, last))
        case _:
            pass


_USE_PENDING = (
    "INSERT INTO pending_uses VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE"
    " SET uses = uses + excluded.uses, used_at = max(used_at, excluded.used_at)"
)
_USED_BEFORE = (
    "UPDATE models SET uses = models.uses + p.uses, used_at = max(models.used_at, p.used_at)"
    " FROM (SELECT uses, used_at FROM pending_uses WHERE id = ?) p WHERE sha256 = ?"
)
_FORGET = "DELETE FROM locations WHERE path = ? AND model_hash = ?"

_BEST_PATH = (
    "(path, file_words) = (SELECT shown, words FROM locations WHERE model_hash = models.sha256"
    " ORDER BY lost, found_at, path LIMIT 1)"
    " WHERE sha256 = ?1 AND EXISTS (SELECT 1 FROM locations WHERE model_hash = models.sha256)"
)
_encoded = msgspec.json.Encoder().encode

# A model without any location keeps the last path it had: people remember files by it.
_SHOW_BEST_PATH = f"UPDATE models SET {_BEST_PATH}"  # noqa: S608
# Content that was seen is claimed no more, wherever else it is said to lie; an earlier library may have its size wrong.
_SHOW_BEST_PATH_SEEN = f"UPDATE models SET claimed = 0, size_bytes = iif(claimed, ?2, size_bytes), {_BEST_PATH}"  # noqa: S608
_TAKE_PATH_AWAY = (
    "UPDATE models SET (path, file_words) = (SELECT shown, words FROM locations WHERE model_hash = models.sha256"
    " AND path <> ?1 ORDER BY lost, found_at, path LIMIT 1)"
    " WHERE sha256 = (SELECT model_hash FROM locations WHERE path = ?1 AND model_hash <> ?2)"
    " AND EXISTS (SELECT 1 FROM locations WHERE model_hash = models.sha256 AND path <> ?1)"
)


_PLACE = (
    "INSERT INTO locations (path, model_hash, root, size_bytes, mtime_ns, dev, ino, lost, shown, words, found_at,"
    " claimed) VALUES (?, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?, ?)"
    " ON CONFLICT (path) DO UPDATE SET model_hash = excluded.model_hash, root = excluded.root,"
    " size_bytes = excluded.size_bytes, mtime_ns = excluded.mtime_ns, dev = excluded.dev, ino = excluded.ino, lost = 0"
)
_LIES = _PLACE + ", claimed = excluded.claimed"
_LIES_AS_BEFORE = _PLACE + ", claimed = iif(model_hash = excluded.model_hash, claimed, 0)"
_IS_SAID_TO_LIE = _PLACE + ", claimed = iif(model_hash = excluded.model_hash, claimed, 1)"
_DENY = (
    "INSERT OR REPLACE INTO denied_claims VALUES (?, ?, ?, (SELECT EXISTS (SELECT 1 FROM models WHERE sha256 = ?)), ?)"
)


def _touch(db: Tables, model: str, stored: Stored) -> None:
    if stored.stream.startswith("sidecars/"):
        return  # nobody has edited the model
    db.overwrite("UPDATE models SET changed_at = ?, version = ? WHERE sha256 = ?", (stored.time, stored.version, model))


def _import(db: Tables, event: ModelImported, stored: Stored) -> None:
    name, path, told = event.name, shown(event.path), told_of(event.header)
    texts = effective(event.texts, frozenset(event.given), (), told)
    own = meta_json(event.texts)
    db.execute(
        "INSERT INTO models (sha256, path, name, type, size_bytes, created_at, meta_json, name_key, words,"
        " file_words, changed_at, version, header_json, claimed, given_json, own_json, header_rules)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (sha256) DO UPDATE SET name = excluded.name, type = excluded.type,"
        " meta_json = excluded.meta_json, name_key = excluded.name_key, words = excluded.words,"
        " path = iif(path = '', excluded.path, path), file_words = iif(path = '', excluded.file_words, file_words),"
        " changed_at = excluded.changed_at, version = excluded.version, header_json = excluded.header_json,"
        " header_rules = excluded.header_rules, claimed = min(claimed, excluded.claimed), own_json = excluded.own_json,"
        " given_json = iif(given_json LIKE '%\"favorite\"%',"
        " json_insert(excluded.given_json, '$[#]', 'favorite'), excluded.given_json)",
        (
            event.model,
            path,
            name,
            event.type,
            event.size,
            stored.time if event.created_at is None else event.created_at,
            own if texts is event.texts else meta_json(texts),
            fold(name),
            fold(words(name, texts, (), told)),
            _file_words(path) if path else "",
            stored.time,
            stored.version,
            _encoded(event.header).decode(),
            int(event.claimed),
            _encoded(sorted(event.given)).decode() if event.given else "[]",
            own,
            rules_of(event.header),
        ),
    )
    db.execute(_SHOW_BEST_PATH, (event.model,))


def _is_known(db: Tables, model: str) -> bool:
    # What is said of no model is not kept: nobody need ask at an import, of which there are so many.
    return db.select("SELECT 1 FROM models WHERE sha256 = ?", (model,)).fetchone() is not None


def _edit(db: Tables, model: str, changes: Changes, stored: Stored) -> None:
    if given_in(changes) <= {"type", "favorite"}:
        _mark(db, model, changes, stored)
        return
    row = db.select(
        "SELECT name, type, own_json, own_favorite, given_json FROM models WHERE sha256 = ?", (model,)
    ).fetchone()
    if row is None:
        return
    given = set(msgspec.json.decode(row[4])) | given_in(changes)
    name = row[0] if changes.name is UNSET else changes.name
    db.execute(
        "UPDATE models SET name = ?, type = ?, own_json = ?, own_favorite = ?, given_json = ?, name_key = ?,"
        " changed_at = ?, version = ? WHERE sha256 = ?",
        (
            name,
            row[1] if changes.type is UNSET else changes.type,
            meta_json(edited(texts_of(row[2]), changes)),
            row[3] if changes.favorite is UNSET else int(changes.favorite),
            _encoded(sorted(given)).decode(),
            fold(name),
            stored.time,
            stored.version,
            model,
        ),
    )
    _show(db, model)


# What somebody gave is theirs, whatever sidecars say.
_GIVEN_TOO = (
    "given_json = (SELECT json_group_array(value ORDER BY value) FROM"
    " (SELECT value FROM json_each(given_json) UNION SELECT value FROM json_each(?)))"
)
_MARK = (
    "UPDATE models SET favorite = coalesce(?, favorite), own_favorite = coalesce(?, own_favorite),"  # noqa: S608
    f" {_GIVEN_TOO}, changed_at = ?, version = ? WHERE sha256 = ?"
)
_MARK_TYPE = _MARK.replace("SET ", "SET type = ?, ")


def _mark(db: Tables, model: str, changes: Changes, stored: Stored) -> None:
    """Do an edit that changes no text: many are made at once, so nothing is read and no text is worked out anew."""
    favorite = None if changes.favorite is UNSET else int(changes.favorite)
    values = favorite, favorite, _encoded(sorted(given_in(changes))).decode(), stored.time, stored.version, model
    if changes.type is UNSET:
        db.execute(_MARK, values)
    else:
        db.execute(_MARK_TYPE, (changes.type, *values))


def _show(db: Tables, model: str) -> None:
    """Work out what people see: what somebody wrote, and below it what the sidecars and the file itself say."""
    row = db.select(
        "SELECT name, own_json, own_favorite, given_json, header_json FROM models WHERE sha256 = ?",
        (model,),
    ).fetchone()
    if row is None:
        return
    rows_, told = OF_MODELS.said(db, model), told_in(row[4])
    own, given = texts_of(row[1]), set(msgspec.json.decode(row[3]))
    texts = effective(own, given, rows_, told)
    favorite = is_favorite(bool(row[2]), given, rows_)
    db.execute(
        "UPDATE models SET meta_json = ?, favorite = ?, words = ? WHERE sha256 = ?",
        (meta_json(texts), int(favorite), fold(words(row[0], texts, rows_, told)), model),
    )


def _lose(db: Tables, model: str, path: str) -> None:
    db.execute("UPDATE locations SET lost = 1 WHERE path = ? AND model_hash = ?", (path, model))
    db.execute(_SHOW_BEST_PATH, (model,))


def _place(db: Tables, model: str, file: File, time_ms: int, sql: str, *, claimed: bool | None) -> None:
    path = shown(file.path)
    db.execute(_TAKE_PATH_AWAY, (file.path, model))
    db.execute(
        sql,
        (
            file.path,
            model,
            file.root,
            file.size,
            file.mtime_ns,
            file.dev,
            file.ino,
            path,
            _file_words(path),
            time_ms,
            int(bool(claimed)),
        ),
    )
    if claimed is False:
        db.execute(_SHOW_BEST_PATH_SEEN, (model, file.size))
    else:
        db.execute(_SHOW_BEST_PATH, (model,))


def _file_words(path: str) -> str:
    return fold(earlier.file_of(path))


# Queries ----------------------------------------------------------------------------------------------


class Model(msgspec.Struct, frozen=True):
    """What a decision needs to know of a model.

    `texts` and `favorite` are what people see, `own` is what somebody wrote in Hikaze, and `given` names the fields
    that somebody gave, emptied ones too. `claimed` says that only an earlier library tells of its hash.
    """

    sha256: str
    name: str
    type: str
    size: int
    texts: Texts
    favorite: bool
    version: int
    own: Texts = Texts()
    given: frozenset[str] = frozenset()
    claimed: bool = False


class Location(msgspec.Struct, frozen=True):
    """A path of a model's content, with the fingerprint of the file that was found to hold it.

    `claimed` says that nobody has hashed that file: an earlier library told of it.
    """

    path: str
    model: str
    root: int
    size: int
    mtime_ns: int
    dev: int
    ino: int
    lost: bool
    claimed: bool = False

    def file(self) -> File:
        """Give the file as an event tells of it."""
        return File(self.path, self.root, self.size, self.mtime_ns, self.dev, self.ino)


_LOCATION = "SELECT path, model_hash, root, size_bytes, mtime_ns, dev, ino, lost, claimed FROM locations "


def get(db: apsw.Connection, sha256: str) -> Model | None:
    """Give a model by its hash, None where there is none."""
    row = db.execute(
        "SELECT sha256, name, type, size_bytes, meta_json, favorite, version, own_json, given_json, claimed"
        " FROM models WHERE sha256 = ?",
        (sha256,),
    ).fetchone()
    if row is None:
        return None
    *plain, meta, favorite, version, own, given, claimed = row
    return Model(
        *plain,
        texts=texts_of(meta),
        favorite=bool(favorite),
        version=version,
        own=texts_of(own),
        given=frozenset(msgspec.json.decode(given)),
        claimed=bool(claimed),
    )


class Mark(NamedTuple):
    """What marks a model: its type, whether it is a favourite, and whether somebody here has said so."""

    type: str
    favorite: bool
    is_said: bool


def marks(db: apsw.Connection, models: Sequence[str]) -> dict[str, Mark]:
    """Give the marks of those of some hashes that are models', in their order."""
    found = rows(
        db,
        "SELECT m.sha256, m.type, m.favorite, m.given_json LIKE '%\"favorite\"%' FROM json_each(?) j"
        " CROSS JOIN models m ON m.sha256 = j.value ORDER BY j.id",
        (msgspec.json.encode(models).decode(),),
    )
    return {sha256: Mark(type_, bool(favorite), bool(said)) for sha256, type_, favorite, said in found}


def uses(db: apsw.Connection, sha256: str) -> tuple[int, int | None]:
    """Give how many prompts that were queued load a model, and when the last was (ms since 1970 UTC; None: never)."""
    row = db.execute("SELECT uses, nullif(used_at, 0) FROM models WHERE sha256 = ?", (sha256,)).fetchone()
    return (0, None) if row is None else (row[0], row[1])


def provided(db: apsw.Connection, sha256: str) -> list[Row]:
    """Give what each sidecar says of a model, that which was read last first."""
    return OF_MODELS.of(db, sha256)


def provided_tags(db: apsw.Connection, sha256: str) -> set[str]:
    """Give the `tag_key` of every tag that a sidecar ever gave a model."""
    return OF_MODELS.tags(db, sha256)


class Denied(msgspec.Struct, frozen=True):
    """A claim that the bytes deny: an earlier library has a model at a path, where the content `actual` lies."""

    model: str
    path: str
    actual: str


def denied_of(db: apsw.Connection, sha256: str) -> list[Denied]:
    """Give the denied claims on a model's content, for good: unless it was seen at that path after all."""
    return [
        Denied(*row)
        for row in rows(
            db,
            "SELECT d.model_hash, d.path, d.actual FROM denied_claims d WHERE d.model_hash = ? AND NOT EXISTS"
            " (SELECT 1 FROM locations l WHERE l.path = d.path AND l.model_hash = d.model_hash)"
            " ORDER BY d.denied_at, d.path",
            (sha256,),
        )
    ]


def sizes_known(db: apsw.Connection, sizes: Sequence[int]) -> set[int]:
    """Give those of some sizes that a known model's content has."""
    return {size for size in set(sizes) if db.execute("SELECT 1 FROM models WHERE size_bytes = ?", (size,)).get}


def sizes(db: apsw.Connection) -> set[int]:
    """Give the sizes of the contents of all models."""
    return {size for (size,) in db.execute("SELECT DISTINCT size_bytes FROM models")}


def location(db: apsw.Connection, path: str) -> Location | None:
    """Give the location at a path, None where no model's content was found there."""
    return next(iter(_locations(db, "WHERE path = ?", (path,))), None)


def locations(db: apsw.Connection, model: str) -> list[Location]:
    """Give all locations of a model, lost ones included."""
    return _locations(db, "WHERE model_hash = ? ORDER BY found_at, path", (model,))


def same_file(db: apsw.Connection, file: File) -> list[Location]:
    """Give the locations whose file has the inode, size and time of `file`: the same file, by another path."""
    return _locations(
        db,
        "WHERE ino = ? AND size_bytes = ? AND mtime_ns = ? AND path <> ?",
        (file.ino, file.size, file.mtime_ns, file.path),
    )


def in_root(db: apsw.Connection, root: int) -> list[tuple[str, int, int, int]]:
    """Give (path, size, mtime_ns, ino) of what should lie in a root."""
    return rows(db, "SELECT path, size_bytes, mtime_ns, ino FROM locations WHERE root = ? AND NOT lost", (root,))


def has_present_location(db: apsw.Connection, model: str, besides: str = "") -> bool:
    """Tell whether a model's content is here: in a root that is present, at another path than `besides`."""
    return bool(
        db.execute(
            "SELECT 1 FROM locations l JOIN roots r ON r.id = l.root"
            " WHERE l.model_hash = ? AND NOT l.lost AND NOT r.offline AND l.path <> ? LIMIT 1",
            (model, besides),
        ).get
    )


def _locations(db: apsw.Connection, which: str, values: tuple[str | int, ...]) -> list[Location]:
    return [_location(row) for row in rows(db, _LOCATION + which, values)]


def _location(row: list[Any]) -> Location:
    *plain, lost, claimed = row
    return Location(*plain, lost=bool(lost), claimed=bool(claimed))
