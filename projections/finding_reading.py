"""What searches need of models, read in one go: their facts, what is searched of them, and where they lie."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby, islice
from operator import itemgetter
from typing import Any

import apsw
import msgspec
from pyroaring import BitMap

from .searching import Document
from .tables import rows

Place = tuple[int, int | None, int, str]
"""A model, a root, whether it is lost there, and the path; of a model without locations its last path, and no root."""


class Reading(msgspec.Struct, frozen=True, gc=False):
    """One model: its rowid and plain columns as `Rows` takes them, what is searched of it, and where it lies."""

    plain: tuple[Any, ...]
    document: Document
    places: list[Place]


_AT_ONCE = 2_000
_SOME = "WHERE m.rowid IN (SELECT value FROM json_each(?))"
_PLAIN = 8  # columns: what `Reading.plain` holds
_MODELS = """SELECT m.rowid, m.sha256, m.type, m.size_bytes, m.created_at, m.changed_at, m.used_at, m.favorite,
    m.name_key, m.words, m.path, m.file_words, l.path, l.root, l.lost, l.shown, l.words
    FROM models m LEFT JOIN locations l ON l.model_hash = m.sha256"""
_RENAMED = "SELECT DISTINCT m.rowid FROM earlier_names e CROSS JOIN models m ON m.sha256 = e.model_hash"
_EARLIER = f"""SELECT m.rowid, e.kind, group_concat(e.folded, char(10) ORDER BY e.folded)
    FROM models m CROSS JOIN earlier_names e ON e.model_hash = m.sha256 {_SOME} GROUP BY m.rowid, e.kind"""  # noqa: S608


def read(db: apsw.Connection, models: Sequence[int] | None = None) -> Iterator[Reading]:
    """Give some models, by their rowids, or all, in the order of those."""
    which, values = ("", ()) if models is None else (_SOME, (_json(models),))
    renamed = BitMap([model for (model,) in rows(db, _RENAMED)]) if models is None else BitMap(models)
    by_model = groupby(db.execute(f"{_MODELS} {which} ORDER BY m.rowid", values), itemgetter(0))
    while some := [list(lines) for _, lines in islice(by_model, _AT_ONCE)]:
        earlier = _earlier(db, [model for (model, *_), *_ in some if model in renamed])
        for lines in some:
            yield _reading(lines, earlier)


def documents(db: apsw.Connection, models: Sequence[int]) -> Iterator[Document]:
    """Give what is searched of some models."""
    return (each.document for each in read(db, models))


def _reading(lines: list[Any], earlier: Mapping[int, Sequence[str]]) -> Reading:
    first = lines[0]
    model, name, words, path, file_words, located = first[0], *first[_PLAIN : _PLAIN + 5]
    if located is None:  # it has no location
        places: list[Place] = [(model, None, 1, path)] if path else []
        files = file_words and f"/{file_words}"
    elif len(lines) == 1:
        places, files = [(model, *first[13:16])], f"/{first[16]}"
    else:
        lines.sort(key=itemgetter(12))
        places = [(model, *line[13:16]) for line in lines]
        files = "\n".join([f"/{line[16]}" for line in lines])
    said = name, words[len(name) + 1 :], files, *earlier.get(model, _NONE)
    return Reading(first[:_PLAIN], Document(model, said), places)


def _earlier(db: apsw.Connection, models: Iterable[int]) -> dict[int, list[str]]:
    """Give the names and the file names that some models had before."""
    found: dict[int, list[str]] = {}
    for model, kind, names in rows(db, _EARLIER, (_json(models),)):
        found.setdefault(model, ["", ""])[_KINDS[kind]] = names
    return found


_NONE = ("", "")
_KINDS = {"name": 0, "file": 1}


def _json(models: Iterable[int]) -> str:
    return msgspec.json.encode(list(models)).decode()
