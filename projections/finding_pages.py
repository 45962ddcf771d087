"""The pages of a search: which of the models that were found stand on one, and the cursor of the next."""

from collections.abc import Iterable, Iterator
from typing import Any, Literal

import apsw
import msgspec
from pyroaring import BitMap

from . import library
from .finding_orders import Key
from .finding_parts import BEFORE, IN_NAME, TIERS, Question
from .finding_rows import digest_of
from .finding_words import spelled
from .paging import cursor_of, key_of
from .parts import Part, asks_for_words

Best = Literal["best"]
_KEYS = {
    "name": ("name_key", str),
    "added": ("created_at", int),
    "size": ("size_bytes", int),
    "changed": ("changed_at", int),
    "used": ("used_at", int),
}


class Asked(msgspec.Struct, frozen=True):
    """Which page: so many models behind those of the page that gave the cursor, or behind so many of all."""

    order: library.Order | Best
    limit: int
    cursor: str | None = None
    offset: int = 0


def page_of(db: apsw.Connection, question: Question, part: Part, asked: Asked) -> tuple[list[int], str | None]:
    """Give the models of a page and the cursor of the next one, None at the end. Raises `BadCursor`."""
    if asked.order == "best":
        return _best(db, question, part, asked)
    down, name = asked.order.startswith("-"), asked.order.lstrip("-")
    column, kind = _KEYS[name]
    after: Key | None = None
    if asked.cursor:
        value, sha256 = key_of(asked.cursor, (kind, str))
        after = (spelled(value) if kind is str else value), digest_of(sha256)
    order, found = question.known.orders[name], question.find(part)
    models = order.take(db, found, asked.limit + 1, after, down=down, skip=asked.offset)
    return models[: asked.limit], _next(db, models, asked.limit, column)


def ranked(question: Question, part: Part, models: Iterable[int]) -> dict[int, int]:
    """Give the tiers of models, all in a name as one."""
    left, tiers = BitMap(models), dict[int, int]()
    for tier in range(IN_NAME, BEFORE + 1):
        met = left & question.find(part, tier)
        tiers.update(dict.fromkeys(met, tier))
        left -= met
        if not left:
            break
    return tiers


def _best(db: apsw.Connection, question: Question, part: Part, asked: Asked) -> tuple[list[int], str | None]:
    first, after, skip = 0, None, asked.offset
    if asked.cursor:
        first, name, sha256 = key_of(asked.cursor, (int, str, str))
        after = spelled(name), digest_of(sha256)
    found: list[int] = []
    for models in _tiers(question, part, first):
        passed = min(skip, len(models))
        skip -= passed
        if passed < len(models):
            count = asked.limit + 1 - len(found)
            found += question.known.orders["name"].take(db, models, count, after, down=False, skip=passed)
        after = None
        if len(found) > asked.limit:
            break
    if len(found) <= asked.limit:
        return found, None
    last = next(tier for tier in TIERS if found[asked.limit - 1] in question.find(part, tier))
    return found[: asked.limit], _next(db, found, asked.limit, "name_key", last)


def _tiers(question: Question, part: Part, first: int) -> Iterator[BitMap]:
    """Give the models of each tier, from a first one on, without those of the tiers before."""
    if not asks_for_words(part):
        yield question.find(part)
        return
    before = BitMap()
    for tier in TIERS:
        models = question.find(part, tier)
        if tier >= first:
            yield models - before
        before = before | models


def _next(db: apsw.Connection, models: list[int], limit: int, column: str, *before: int) -> str | None:
    if len(models) <= limit:
        return None
    key: Any = db.execute(f"SELECT {column}, sha256 FROM models WHERE rowid = ?", (models[limit - 1],)).fetchone()  # noqa: S608
    return cursor_of((*before, *key))
