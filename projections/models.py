"""The `models` view: what each model is, and where its content lies."""

from collections.abc import Sequence
from typing import Any

import apsw
import msgspec
from msgspec import UNSET

from ..events.catalog import (
    Changes,
    CoverChosen,
    File,
    ImageAdded,
    ImageRemoved,
    LocationFound,
    LocationLost,
    LocationMoved,
    LocationRefreshed,
    LocationReplaced,
    ModelEdited,
    ModelImported,
    ModelTagged,
    ModelUntagged,
    Texts,
)
from ..events.pathtext import shown
from ..events.record import Stored
from .tables import Tables, rows
from .text import fold

VERSION = 1
SCHEMA = """
CREATE TABLE models (
    sha256 TEXT PRIMARY KEY,
    path TEXT NOT NULL,
    name TEXT NOT NULL,
    type TEXT NOT NULL,
    size_bytes INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    meta_json TEXT NOT NULL,
    favorite INTEGER NOT NULL DEFAULT 0,
    name_key TEXT NOT NULL,
    words TEXT NOT NULL,
    file_words TEXT NOT NULL DEFAULT '',
    changed_at INTEGER NOT NULL,
    version INTEGER NOT NULL,
    header_json TEXT NOT NULL
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
    found_at INTEGER NOT NULL
);
CREATE INDEX locations_by_model ON locations (model_hash);
"""
INDEXES = """
CREATE INDEX models_by_name ON models (name_key, sha256);
CREATE INDEX models_by_added ON models (created_at, sha256);
CREATE INDEX models_by_size ON models (size_bytes, sha256);
CREATE INDEX models_by_changed ON models (changed_at, sha256);
CREATE INDEX models_by_type_name ON models (type, name_key, sha256);
CREATE INDEX models_by_type_added ON models (type, created_at, sha256);
CREATE INDEX models_by_type_size ON models (type, size_bytes, sha256);
CREATE INDEX models_by_type_changed ON models (type, changed_at, sha256);
CREATE INDEX locations_by_inode ON locations (ino, size_bytes, mtime_ns);
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
        case LocationFound(model=model, file=file) | LocationRefreshed(model=model, file=file):
            _place(db, model, file, stored.time)
        case LocationMoved(model=model, came_from=came_from, file=file):
            db.execute(_FORGET, (came_from, model))
            _place(db, model, file, stored.time)
        case LocationLost(model=model, path=path):
            db.execute("UPDATE locations SET lost = 1 WHERE path = ? AND model_hash = ?", (path, model))
            db.execute(_SHOW_BEST_PATH, (model,))
        case LocationReplaced(model=model, path=path):
            db.execute(_FORGET, (path, model))
            db.execute(_SHOW_BEST_PATH, (model,))
        case _:
            pass


_FORGET = "DELETE FROM locations WHERE path = ? AND model_hash = ?"

# A model without any location keeps the last path it had: people remember files by it.
_SHOW_BEST_PATH = (
    "UPDATE models SET (path, file_words) = (SELECT shown, words FROM locations WHERE model_hash = models.sha256"
    " ORDER BY lost, found_at, path LIMIT 1)"
    " WHERE sha256 = ? AND EXISTS (SELECT 1 FROM locations WHERE model_hash = models.sha256)"
)
_TAKE_PATH_AWAY = (
    "UPDATE models SET (path, file_words) = (SELECT shown, words FROM locations WHERE model_hash = models.sha256"
    " AND path <> ?1 ORDER BY lost, found_at, path LIMIT 1)"
    " WHERE sha256 = (SELECT model_hash FROM locations WHERE path = ?1 AND model_hash <> ?2)"
    " AND EXISTS (SELECT 1 FROM locations WHERE model_hash = models.sha256 AND path <> ?1)"
)


def _touch(db: Tables, model: str, stored: Stored) -> None:
    db.overwrite("UPDATE models SET changed_at = ?, version = ? WHERE sha256 = ?", (stored.time, stored.version, model))


def _import(db: Tables, event: ModelImported, stored: Stored) -> None:
    db.execute(
        "INSERT INTO models (sha256, path, name, type, size_bytes, created_at, meta_json, name_key, words,"
        " changed_at, version, header_json) VALUES (?, '', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (sha256) DO UPDATE SET name = excluded.name, type = excluded.type,"
        " meta_json = excluded.meta_json, name_key = excluded.name_key, words = excluded.words,"
        " changed_at = excluded.changed_at, version = excluded.version, header_json = excluded.header_json",
        (
            event.model,
            event.name,
            event.type,
            event.size,
            stored.time,
            meta_json(event.texts),
            fold(event.name),
            _words(event.name, event.texts),
            stored.time,
            stored.version,
            _encoded(event.header).decode(),
        ),
    )
    db.execute(_SHOW_BEST_PATH, (event.model,))


def _edit(db: Tables, model: str, changes: Changes, stored: Stored) -> None:
    row = db.select("SELECT name, type, meta_json, favorite FROM models WHERE sha256 = ?", (model,)).fetchone()
    if row is None:
        return
    texts = edited(texts_of(row[2]), changes)
    name = row[0] if changes.name is UNSET else changes.name
    type_ = row[1] if changes.type is UNSET else changes.type
    favorite = row[3] if changes.favorite is UNSET else int(changes.favorite)
    db.execute(
        "UPDATE models SET name = ?, type = ?, meta_json = ?, favorite = ?, name_key = ?, words = ?,"
        " changed_at = ?, version = ? WHERE sha256 = ?",
        (
            name,
            type_,
            meta_json(texts),
            favorite,
            fold(name),
            _words(name, texts),
            stored.time,
            stored.version,
            model,
        ),
    )


def _place(db: Tables, model: str, file: File, time_ms: int) -> None:
    path = shown(file.path)
    db.execute(_TAKE_PATH_AWAY, (file.path, model))
    db.execute(
        "INSERT INTO locations VALUES (?, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?)"
        " ON CONFLICT (path) DO UPDATE SET model_hash = excluded.model_hash, root = excluded.root,"
        " size_bytes = excluded.size_bytes, mtime_ns = excluded.mtime_ns, dev = excluded.dev,"
        " ino = excluded.ino, lost = 0",
        (
            file.path,
            model,
            file.root,
            file.size,
            file.mtime_ns,
            file.dev,
            file.ino,
            path,
            fold(path.replace("\\", "/").rpartition("/")[2]),
            time_ms,
        ),
    )
    db.execute(_SHOW_BEST_PATH, (model,))


def edited(texts: Texts, changes: Changes) -> Texts:
    """Give texts with somebody's changes in place."""
    new: dict[str, Any] = {
        field: getattr(changes, field) for field in Texts.__struct_fields__ if getattr(changes, field) is not UNSET
    }
    return msgspec.structs.replace(texts, **new) if new else texts


def meta_json(texts: Texts) -> str:
    """Give the texts as the column `meta_json` holds them: every key is there."""
    return _encoded(
        {
            "description": texts.description,
            "community_links": texts.community_links,
            "prompts": {"positive": texts.prompts.positive, "negative": texts.prompts.negative},
            "trigger_words": texts.trigger_words,
        }
    ).decode()


_TEXTS = msgspec.json.Decoder(Texts)
_encoded = msgspec.json.Encoder().encode


def texts_of(meta: str) -> Texts:
    """Give the texts that a column `meta_json` holds."""
    return _TEXTS.decode(meta)


def _words(name: str, texts: Texts) -> str:
    parts = name, texts.description, *texts.trigger_words, texts.prompts.positive, texts.prompts.negative
    return fold("\n".join(part for part in parts if part))


# Queries ----------------------------------------------------------------------------------------------


class Model(msgspec.Struct, frozen=True):
    """What a decision needs to know of a model."""

    sha256: str
    name: str
    type: str
    size: int
    texts: Texts
    favorite: bool
    version: int


class Location(msgspec.Struct, frozen=True):
    """A path of a model's content, with the fingerprint of the file that was found to hold it."""

    path: str
    model: str
    root: int
    size: int
    mtime_ns: int
    dev: int
    ino: int
    lost: bool

    def file(self) -> File:
        """Give the file as an event tells of it."""
        return File(self.path, self.root, self.size, self.mtime_ns, self.dev, self.ino)


_LOCATION = "SELECT path, model_hash, root, size_bytes, mtime_ns, dev, ino, lost FROM locations "


def get(db: apsw.Connection, sha256: str) -> Model | None:
    """Give a model by its hash, None where there is none."""
    row = db.execute(
        "SELECT sha256, name, type, size_bytes, meta_json, favorite, version FROM models WHERE sha256 = ?",
        (sha256,),
    ).fetchone()
    if row is None:
        return None
    return Model(row[0], row[1], row[2], row[3], texts_of(row[4]), bool(row[5]), row[6])


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
    *plain, lost = row
    return Location(*plain, lost=bool(lost))
