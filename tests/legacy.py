"""Data folders of the earlier Hikazes, built from simple values by the schemas of `shared/legacy-formats.md`.

What is left out of a row has a plain value; what is given is stored as it is, however wrong. JSON columns take text
or what is to be encoded. The databases are closed without a checkpoint, in WAL mode, unless `wal=False`.
"""

import hashlib
import io
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apsw
from PIL import Image

V1_NAME, V2_NAME = "hikaze_mm.sqlite3", "hikaze_model_manager.db"

V1_SCHEMA = """
CREATE TABLE schema_version (version INTEGER NOT NULL);
CREATE TABLE models (
    id INTEGER PRIMARY KEY AUTOINCREMENT, path TEXT UNIQUE, name TEXT, type TEXT NOT NULL, size_bytes INTEGER,
    hash_hex TEXT NOT NULL, created_at INTEGER, meta_json TEXT, extra_json TEXT
);
CREATE TABLE tags (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE, color TEXT, created_at INTEGER);
CREATE TABLE model_tags (
    model_id INTEGER REFERENCES models(id) ON DELETE CASCADE, tag_id INTEGER REFERENCES tags(id) ON DELETE CASCADE,
    PRIMARY KEY (model_id, tag_id)
);
CREATE TABLE directories (id INTEGER PRIMARY KEY, path TEXT UNIQUE, alias TEXT, parent_id INTEGER);
"""
V1_FIRST_SCHEMA = V1_SCHEMA.replace(
    "extra_json TEXT\n",
    "extra_json TEXT,\n    dir_path TEXT, mtime_ns INTEGER, hash_algo TEXT DEFAULT 'sha256', updated_at INTEGER\n",
)
V1_SYSTEM_TAGS = ("checkpoint", "lora", "embedding", "vae", "upscale", "ultralytics", "other")

V2_SCHEMA = """
CREATE TABLE models (
    sha256 TEXT PRIMARY KEY, path TEXT NOT NULL, name TEXT, type TEXT, size_bytes INTEGER, created_at INTEGER,
    meta_json TEXT
);
CREATE TABLE tags (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE);
CREATE TABLE model_tags (
    model_hash TEXT REFERENCES models(sha256) ON DELETE CASCADE, tag_id INTEGER REFERENCES tags(id) ON DELETE CASCADE,
    PRIMARY KEY (model_hash, tag_id)
);
CREATE TABLE pending_import (
    id INTEGER PRIMARY KEY, path TEXT UNIQUE, sha256 TEXT, name TEXT, type TEXT, size_bytes INTEGER,
    created_at INTEGER, meta_json TEXT
);
CREATE TABLE pending_model_tags (
    model_id INTEGER REFERENCES pending_import(id) ON DELETE CASCADE,
    tag_id INTEGER REFERENCES tags(id) ON DELETE CASCADE, PRIMARY KEY (model_id, tag_id)
);
CREATE TABLE db_meta (key TEXT PRIMARY KEY, value TEXT);
INSERT INTO db_meta VALUES ('db_version', '2'), ('tags_id_max', '0');
"""
V2_EARLY_SCHEMA = """
CREATE TABLE models (
    sha256 TEXT PRIMARY KEY, path TEXT NOT NULL, name TEXT, type TEXT, base TEXT, size_bytes INTEGER,
    created_at INTEGER, last_used_at INTEGER, meta_json TEXT
);
CREATE TABLE tags (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE, color TEXT, created_at INTEGER);
CREATE TABLE model_tags (model_hash TEXT, tag_id INTEGER, PRIMARY KEY (model_hash, tag_id));
CREATE TABLE pending_import (
    path TEXT PRIMARY KEY, model_id INTEGER, legacy_tags_json TEXT, name TEXT, type TEXT, base TEXT,
    size_bytes INTEGER, created_at INTEGER, meta_json TEXT
);
"""

Values = Mapping[str, Any]


@dataclass(frozen=True)
class Raw:
    """Bytes that are stored as text, whatever they are."""

    data: bytes


def build_v1(
    folder: Path,
    *rows: Values,
    tags: Iterable[str] = (),
    colours: Mapping[str, str] | None = None,
    images: Mapping[str, bytes] | None = None,
    schema: str = V1_SCHEMA,
    name: str = V1_NAME,
    wal: bool = True,
) -> Path:
    """Build v1's data folder, and give it. `rows` are columns of `models` and `tags`, names that stand on it; as in
    v1 the type is one of them, too. `tags` stand on nothing, `images` are files in `images/` by name.
    """
    db = _create(folder / name, schema, wal=wal)
    db.execute("INSERT INTO schema_version VALUES (?)", (2 if schema == V1_SCHEMA else 1,))
    for tag in (*V1_SYSTEM_TAGS, *tags):
        _tag(db, tag)
    for number, row in enumerate(rows, 1):
        plain: dict[str, Any] = {
            "id": number,
            "path": f"/models/loras/model{number}.safetensors",
            "type": "loras",
            "size_bytes": 100 + number,
            "hash_hex": "",
            "created_at": 1_756_700_000_000 + number,
        }
        values = plain | dict(row)
        values.setdefault("name", _base_name(values["path"]))
        names = [*values.pop("tags", ()), *([values["type"]] if values["type"] else [])]
        _insert(db, "models", values)
        _tie(db, "model_tags", values["id"], names)
    for tag, colour in (colours or {}).items():
        _tag(db, tag)
        db.execute("UPDATE tags SET color = ? WHERE name = ?", (colour, tag))
    _leave(db, folder / name)
    _put(folder / "images", images)
    (folder / "config.json").write_text(json.dumps({"host": "127.0.0.1", "port": 8789, "model_roots": []}))
    return folder


def build_v2(
    folder: Path,
    *rows: Values,
    pending: Iterable[Values] = (),
    tags: Iterable[str] = (),
    images: Mapping[str, bytes] | None = None,
    schema: str = V2_SCHEMA,
    name: str = V2_NAME,
    wal: bool = True,
) -> Path:
    """Build Hikaze 2's data folder, and give it. `rows` are columns of `models`, `pending` of `pending_import`, both
    with `tags`, names that stand on it. `tags` stand on nothing; `images` are files in `images/` by name, those of
    pending models as `pending/...`.
    """
    db = _create(folder / name, schema, wal=wal)
    for tag in tags:
        _tag(db, tag)
    for number, row in enumerate(rows, 1):
        values: dict[str, Any] = {"sha256": f"{number:064x}", "path": f"/models/loras/model{number}.safetensors"}
        values |= {"type": "loras", "size_bytes": 100 + number, "created_at": 1_760_000_000_000 + number} | dict(row)
        values.setdefault("name", os.path.splitext(_base_name(values["path"]) or "")[0])
        names = values.pop("tags", ())
        _insert(db, "models", values)
        _tie(db, "model_tags", values["sha256"], names)
    for number, row in enumerate(pending, 1):
        values = {} if schema == V2_EARLY_SCHEMA else {"id": number, "sha256": ""}
        values |= {"path": f"/models/loras/pending{number}.safetensors", "type": "lora"}
        values |= {"size_bytes": 200 + number, "created_at": 1_750_000_000_000 + number} | dict(row)
        values.setdefault("name", os.path.splitext(_base_name(values["path"]) or "")[0])
        names = values.pop("tags", ())
        _insert(db, "pending_import", values)
        if names:
            _tie(db, "pending_model_tags", values["id"], names)
    _leave(db, folder / name)
    _put(folder / "images", images)
    (folder / "images" / "pending").mkdir(exist_ok=True)
    (folder / "types_cache.json").write_text(json.dumps({"version": 1, "types": ["loras"]}))
    return folder


def picture(colour: str = "red", kind: str = "PNG", size: tuple[int, int] = (40, 30)) -> bytes:
    """Give the bytes of a small picture in one colour."""
    made = io.BytesIO()
    Image.new("RGB", size, colour).save(made, kind)
    return made.getvalue()


def tiers(
    sha256: str, seq: int, colour: str = "red", which: Iterable[str] = ("high", "medium", "low")
) -> dict[str, bytes]:
    """Give the files that Hikaze 2 keeps of one picture, by name."""
    sides = {"high": (40, 30), "medium": (26, 20), "low": (13, 10)}
    return {f"{sha256}_{seq}_{tier}.webp": picture(colour, "WEBP", sides[tier]) for tier in which}


def fingerprint(folder: Path) -> dict[str, tuple[int, int, str]]:
    """Give what tells that nothing in a folder changed: of every file and folder its mode, its mtime, its bytes."""
    found: dict[str, tuple[int, int, str]] = {}
    for path in sorted([folder, *folder.rglob("*")]):
        stat = path.lstat()
        digest = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        found[str(path.relative_to(folder))] = (stat.st_mode, stat.st_mtime_ns, digest)
    return found


def _base_name(path: Any) -> str | None:
    return None if path is None else str(path).replace("\\", "/").rpartition("/")[2]


def _create(path: Path, schema: str, *, wal: bool) -> apsw.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    db = apsw.Connection(str(path))
    db.pragma("synchronous", "off")
    if wal:
        db.pragma("journal_mode", "wal")
        db.pragma("wal_autocheckpoint", 0)
    db.execute(schema)
    db.execute("BEGIN")
    return db


def _leave(db: apsw.Connection, path: Path) -> None:
    """Commit, and close the database as a program that is killed does: with its -wal, which holds everything."""
    db.execute("COMMIT")
    db.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
    db.close()
    path.with_name(path.name + "-shm").unlink(missing_ok=True)


def _insert(db: apsw.Connection, table: str, values: Values) -> None:
    marks, bound = _bound(*(_json(column, value) for column, value in values.items()))
    db.execute(f"INSERT INTO {table} ({', '.join(values)}) VALUES ({', '.join(marks)})", bound)  # noqa: S608


def _json(column: str, value: Any) -> Any:
    return json.dumps(value) if column.endswith("_json") and isinstance(value, dict | list) else value


def _bound(*values: Any) -> tuple[list[str], list[Any]]:
    """Give the marks and the bindings of values."""
    marks = ["CAST(? AS TEXT)" if isinstance(value, Raw) else "?" for value in values]
    return marks, [value.data if isinstance(value, Raw) else value for value in values]


def _tag(db: apsw.Connection, name: Any) -> None:
    (mark,), bound = _bound(name)
    db.execute(f"INSERT OR IGNORE INTO tags (name) VALUES ({mark})", bound)  # noqa: S608


def _tie(db: apsw.Connection, table: str, owner: Any, names: Iterable[Any]) -> None:
    for name in names:
        _tag(db, name)
        (mine, its), bound = _bound(owner, name)
        db.execute(f"INSERT OR IGNORE INTO {table} SELECT {mine}, id FROM tags WHERE name IS {its}", bound)  # noqa: S608


def _put(folder: Path, images: Mapping[str, bytes] | None) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in (images or {}).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
