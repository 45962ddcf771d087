"""Libraries of earlier Hikazes: the database and the pictures of v1 and v2, on the same model files.

Of v1 every other model is hashed; of v2 four of five are imported. Four of five have a picture, of v2's every
third a second one. The tables are those of the programs themselves.
"""

import hashlib
import json
import os
import random
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass

import apsw

from .library import FILES_A_FOLDER, TYPE, name_of, small_safetensors, some_words
from .stock import Stock, put

TAGS = 200
TAGS_EACH = 6
SYSTEM_TAGS = ("lora", "loras", "checkpoint", "embedding", "vae", "upscale", "ultralytics", "other")
MADE_AT = 1_756_700_000_000  # ms since 1970
IMAGE_EVERY_MS = 60_000

_V1 = """
CREATE TABLE schema_version (version INTEGER NOT NULL);
INSERT INTO schema_version VALUES (2);
CREATE TABLE models (id INTEGER PRIMARY KEY AUTOINCREMENT, path TEXT UNIQUE, name TEXT, type TEXT NOT NULL,
  size_bytes INTEGER, hash_hex TEXT NOT NULL, created_at INTEGER, meta_json TEXT, extra_json TEXT);
CREATE TABLE tags (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE, color TEXT, created_at INTEGER);
CREATE TABLE model_tags (model_id INTEGER REFERENCES models(id) ON DELETE CASCADE,
  tag_id INTEGER REFERENCES tags(id) ON DELETE CASCADE, PRIMARY KEY (model_id, tag_id));
CREATE TABLE directories (id INTEGER PRIMARY KEY AUTOINCREMENT, path TEXT UNIQUE, alias TEXT, parent_id INTEGER);
"""
_V2 = """
CREATE TABLE db_meta (key TEXT PRIMARY KEY, value TEXT);
INSERT INTO db_meta VALUES ('db_version', '2');
CREATE TABLE models (sha256 TEXT PRIMARY KEY, path TEXT NOT NULL, name TEXT, type TEXT, size_bytes INTEGER,
  created_at INTEGER, meta_json TEXT);
CREATE TABLE tags (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE);
CREATE TABLE model_tags (model_hash TEXT REFERENCES models(sha256), tag_id INTEGER, PRIMARY KEY (model_hash, tag_id));
CREATE TABLE pending_import (id INTEGER PRIMARY KEY AUTOINCREMENT, path TEXT UNIQUE, sha256 TEXT, name TEXT, type TEXT,
  size_bytes INTEGER, created_at INTEGER, meta_json TEXT);
CREATE TABLE pending_model_tags (model_id INTEGER REFERENCES pending_import(id), tag_id INTEGER,
  PRIMARY KEY (model_id, tag_id));
"""


@dataclass(frozen=True, slots=True)
class Earlier:
    """An earlier library: where its database and pictures lie, and what is in it.

    `to_encode` are pictures that must become tiers, `to_copy` those that are taken as they are.
    """

    form: str
    database: str
    images: str
    models: int
    hashed: int
    to_encode: Sequence[str]
    to_copy: Sequence[str]


@dataclass(frozen=True, slots=True)
class _File:
    number: int
    path: str
    size: int
    sha256: str


def make_files(root: str, models: int) -> None:
    """Write the model files of an earlier library into a model root, in folders of 50."""
    for number in range(models):
        path = _path(root, number)
        if number % FILES_A_FOLDER == 0:
            os.makedirs(os.path.dirname(path))
        put(path, small_safetensors(number))


def make_v1(folder: str, root: str, models: int, stock: Stock) -> Earlier:
    """Make a data folder of v1 that knows the first `models` files of a model root."""
    images = os.path.join(folder, "images")
    os.mkdir(images)
    encode: list[str] = []
    copy: list[str] = []
    database = os.path.join(folder, "hikaze_mm.sqlite3")
    with closing(_database(database, _V1)) as db, db:
        db.executemany("INSERT INTO tags (name, created_at) VALUES (?, ?)", [(name, MADE_AT) for name in _v1_tags()])
        for number, file in enumerate(_files(root, models), 1):
            hashed = number % 2 == 0
            pictures = [_put_v1_picture(images, number, stock)] if number % 5 else []
            (encode if hashed else copy).extend(pictures)
            spelling = number % 3 % 2  # both spellings occur, each with the tag that repeats it
            extra = _texts(number) | {"images": [f"/media/{os.path.basename(path)}" for path in pictures]}
            row = (
                number,
                file.path,
                os.path.basename(file.path),
                SYSTEM_TAGS[spelling],
                file.size,
                file.sha256 if hashed else "",
            )
            sql = "INSERT INTO models VALUES (?, ?, ?, ?, ?, ?, ?, NULL, ?)"
            db.execute(sql, (*row, MADE_AT + number, json.dumps(extra)))
            tags = [spelling + 1, *(tag + len(SYSTEM_TAGS) for tag in _tags_of(number))]
            db.executemany("INSERT INTO model_tags VALUES (?, ?)", [(number, tag) for tag in tags])
    return Earlier("v1", database, images, models, models // 2, encode, copy)


def make_v2(folder: str, root: str, models: int, stock: Stock) -> Earlier:
    """Make a data folder of v2 that knows the first `models` files of a model root."""
    images = os.path.join(folder, "images")
    os.makedirs(os.path.join(images, "pending"))
    copy: list[str] = []
    hashed = 0
    database = os.path.join(folder, "hikaze_model_manager.db")
    with closing(_database(database, _V2)) as db, db:
        db.executemany("INSERT INTO tags (name) VALUES (?)", [(name,) for name in _tag_names()])
        for number, file in enumerate(_files(root, models), 1):
            is_model = number % 5 != 0
            hashed += is_model
            keep = _put_v2_model if is_model else _put_v2_pending
            copy += keep(db, images, number, file, stock)
    return Earlier("v2", database, images, models, hashed, (), copy)


def _put_v2_model(db: apsw.Connection, images: str, number: int, file: _File, stock: Stock) -> list[str]:
    written: list[str] = []
    sequence = range(0 if number % 10 == 1 else 2 if number % 3 == 0 else 1)
    for seq in sequence:
        for tier, content in stock.tiers(number + seq).items():
            written.append(put(os.path.join(images, f"{file.sha256}_{seq}_{tier}.webp"), content))
    meta = _texts(number) | {"images_count": len(sequence)}
    row = (file.sha256, file.path, name_of(file.number), TYPE, file.size, MADE_AT + number, json.dumps(meta))
    db.execute("INSERT INTO models VALUES (?, ?, ?, ?, ?, ?, ?)", row)
    tags = [(file.sha256, tag) for tag in _tags_of(number)]
    db.executemany("INSERT INTO model_tags VALUES (?, ?)", tags)
    return written


def _put_v2_pending(db: apsw.Connection, images: str, number: int, file: _File, stock: Stock) -> list[str]:
    written: list[str] = []
    if number % 10:
        extension, content = stock.original(number)
        written.append(put(os.path.join(images, "pending", f"{number}{extension}"), content))
    row = (number, file.path, os.path.basename(file.path), "lora", file.size, MADE_AT + number)
    sql = "INSERT INTO pending_import VALUES (?, ?, '', ?, ?, ?, ?, ?)"
    db.execute(sql, (*row, json.dumps(_texts(number) | {"images": []})))
    tags = [(number, tag) for tag in _tags_of(number)]
    db.executemany("INSERT INTO pending_model_tags VALUES (?, ?)", tags)
    return written


def _put_v1_picture(images: str, number: int, stock: Stock) -> str:
    extension, content = stock.original(number)
    name = f"model_{number}_{MADE_AT + number * IMAGE_EVERY_MS}_{number:05}{extension}"
    return put(os.path.join(images, name), content)


# What is in them --------------------------------------------------------------------------------------


def _texts(number: int) -> dict[str, object]:
    """Give what a user wrote: every fourth model has nothing."""
    if number % 4 == 0:
        return {}
    pick = random.Random(number)  # noqa: S311 - the same words in every run
    words = some_words(60)
    pick.shuffle(words)
    return {
        "description": f"{' '.join(words[:40])}\n\nUse it at {pick.randrange(4, 11) / 10}.",
        "community_links": f"https://civitai.com/models/{100_000 + number}",
        "prompts": {"positive": ", ".join(words[:12]), "negative": "lowres, bad hands"},
    }


def _tags_of(number: int) -> list[int]:
    return random.Random(number).sample(range(1, TAGS + 1), TAGS_EACH)  # noqa: S311


def _tag_names() -> list[str]:
    return [f"tag {number}" for number in range(1, TAGS + 1)]


def _v1_tags() -> list[str]:
    return [*SYSTEM_TAGS, *_tag_names()]


def _files(root: str, models: int) -> Iterator[_File]:
    for number in range(models):
        content = small_safetensors(number)
        yield _File(number, _path(root, number), len(content), hashlib.sha256(content).hexdigest())


def _path(root: str, number: int) -> str:
    return os.path.join(root, f"{number // FILES_A_FOLDER:05}", f"{name_of(number).replace(' ', '_')}.safetensors")


def _database(path: str, schema: str) -> apsw.Connection:
    db = apsw.Connection(path)
    db.pragma("journal_mode", "wal")
    db.execute(schema).fetchall()
    return db
