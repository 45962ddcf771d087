"""The floors of a migration: the plainest way to read the same rows, and to make or copy the same pictures."""

import json
import os
import random
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from io import BytesIO
from pathlib import Path

import apsw
from PIL import Image

from .beside import Beside
from .earlier import Earlier
from .measure import timed
from .stock import encode_plainly

AT_ONCE = 2
SAMPLE = 60  # pictures that stand for all


def read_rows(earlier: Earlier) -> int:
    """Read every row with its tags, and the JSON in it; gives how many."""
    with closing(apsw.Connection(earlier.database, flags=apsw.SQLITE_OPEN_READONLY)) as db:
        return sum(len(list(_rows(db, table, tags))) for table, tags in _TABLES[earlier.form])


_TABLES = {
    "v1": (("extra_json FROM models m", "model_tags t ON t.tag_id = tags.id WHERE t.model_id = m.id"),),
    "v2": (
        ("meta_json FROM models m", "model_tags t ON t.tag_id = tags.id WHERE t.model_hash = m.sha256"),
        ("meta_json FROM pending_import m", "pending_model_tags t ON t.tag_id = tags.id WHERE t.model_id = m.id"),
    ),
}


def _rows(db: apsw.Connection, table: str, tags: str) -> Iterator[object]:
    sql = f"SELECT m.*, (SELECT json_group_array(name) FROM tags JOIN {tags}), {table}"  # noqa: S608 - from above
    for *_, names, texts in db.execute(sql):
        yield json.loads(names), json.loads(texts or "{}")


def copy_files(paths: Sequence[str], folder: str) -> None:
    """Copy files into a folder."""
    for number, path in enumerate(paths):
        shutil.copyfile(path, os.path.join(folder, str(number)))


def encode_time(paths: Sequence[str]) -> float:
    """Give the seconds that the tiers of all these pictures take, two at a time, from a sample of them."""
    return _sampled(paths, lambda path: encode_plainly(Path(path).read_bytes()))


def decode_time(paths: Sequence[str]) -> float:
    """Give the seconds that decoding all these pictures takes, two at a time, from a sample of them."""
    return _sampled(paths, _decode)


def _decode(path: str) -> None:
    with Image.open(BytesIO(Path(path).read_bytes())) as opened:
        opened.load()


def _sampled(paths: Sequence[str], work: Callable[[str], object]) -> float:
    sample = random.Random(1).sample(paths, min(SAMPLE, len(paths)))  # noqa: S311 - the same in every run
    if not sample:
        return 0.0
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return timed(lambda: list(pool.map(work, sample))) * len(paths) / len(sample)


def read_beside(beside: Beside, path: str) -> None:
    """Read headers and sidecars, take their JSON apart, and keep it all, in one durable transaction."""
    Path(path).unlink(missing_ok=True)
    with closing(apsw.Connection(path)) as db:
        db.pragma("journal_mode", "wal")
        db.execute("CREATE TABLE files (path TEXT PRIMARY KEY, size INTEGER, header TEXT, sidecar TEXT)")
        with db:
            db.executemany("INSERT INTO files VALUES (?, ?, ?, ?)", map(_told, beside.models, beside.sidecars))


def _told(model: str, sidecar: str) -> tuple[str, int, str, str]:
    with open(model, "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        size = os.fstat(file.fileno()).st_size
    with open(sidecar, encoding="utf-8") as file:
        text = file.read()
    told = text if sidecar.endswith(".txt") else json.loads(text)
    return model, size, json.dumps(header), json.dumps(told)
