"""Searches: pages of the models that a query means, best matches first, with the counts of their tags and types.

A `Finder` holds in memory what it needs to know of all models. It learns that when somebody first lists or searches,
and is told of every event since (`hear`), so that a page shows what was written before it was asked for. What it knows
of the rows follows them, and its answers are those of a plain look at every row.
"""

import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from heapq import heapreplace
from operator import sub
from typing import Any, Literal

import apsw
import msgspec
from pyroaring import BitMap

from . import searching
from .finding_parts import BEFORE, IN_NAME, TIERS, Question
from .finding_reasons import reasons
from .finding_rows import Rows, digest_of
from .finding_words import spelled
from .library import Order, cards
from .paging import cursor_of, key_of
from .parts import Part, asks_for_words
from .storage import Stock
from .tables import rows
from .touched import Touched

Best = Literal["best"]
_TAGS_AT_ONCE = 200
_FEW = 200
"""The tags of so few models are counted by their links, of more tag by tag."""
_FIELD = 1_000
_TAGS_OF = """SELECT t.tag_id, count(*) FROM models m JOIN model_tags t ON t.model_hash = m.sha256
    WHERE m.rowid IN (SELECT value FROM json_each(?)) GROUP BY t.tag_id"""
_KEYS = {
    "name": ("name_key", str),
    "added": ("created_at", int),
    "size": ("size_bytes", int),
    "changed": ("changed_at", int),
}


class Found(msgspec.Struct, frozen=True):
    """A page of what a query found: the items as JSON, `total` of all that was found, and the facets if asked for."""

    items: list[str]
    next: str | None
    total: int
    facets: dict[str, list[dict[str, Any]]] | None = None

    def json(self) -> bytes:
        """Give the page as the JSON that the API answers."""
        rest: dict[str, Any] = {"next": self.next, "total": self.total}
        if self.facets is not None:
            rest["facets"] = self.facets
        return b'{"items":[' + ",".join(self.items).encode() + b"]," + msgspec.json.encode(rest)[1:]


class Finder:
    """Finds models; for queries in any thread, and for a writer that tells of events."""

    def __init__(self) -> None:
        """Begin with nothing known; `make_ready` reads it, or the first search."""
        self._lock = threading.Lock()
        self.telling = threading.RLock()
        """Whoever commits rows and tells of them holds it meanwhile: no search sees the ones without the other."""
        self._touched: Touched | None = None  # None while nobody has searched
        self._known: Rows | None = None
        self._generation = -1

    def hear(self, touched: Touched) -> None:
        """Learn what events touched whose rows are committed; to be called before those are answered."""
        with self.telling:
            if self._touched is not None:
                self._touched.add(touched)

    def page(
        self,
        db: apsw.Connection,
        part: Part,
        *,
        order: Order | Best = "best",
        limit: int,
        cursor: str | None = None,
        facets: int = 0,
        generation: int = 0,
    ) -> Found:
        """Give a page of the models that a query means, with the counts of at most so many tags (0: no facets).

        `generation` tells files of read tables apart: in another one all is read anew. Raises `BadCursor`.
        """
        with self._lock, transaction(db):
            question = Question(db, self._fresh(db, generation))
            found = question.find(part)
            models, next_ = self._models(db, question, part, order, limit, cursor)
            counted = self._facets(db, found, facets) if facets else None
            ranked = _ranked(question, part, models) if asks_for_words(part) else {}
            told = zip(cards(db, models), reasons(db, part, models, ranked), strict=True)
            return Found([_with(item, why) for item, why in told], next_, len(found), counted)

    def make_ready(self, db: apsw.Connection, generation: int) -> bool:
        """Make some of what lets words be found quickly, first read what is needed at all; False when all is made."""
        with self._lock, transaction(db):
            known = self._fresh(db, generation)  # orders and pieces are those of the rows that are known
            if known.terms.grams.ready:
                return False
            known.terms.make_grams(lambda models: searching.documents(db, models))
            if known.terms.grams.ready:
                for order in known.orders.values():
                    order.make_ready(db)
            return not known.terms.grams.ready

    def stock(self, db: apsw.Connection, generation: int) -> Stock:
        """Give what is known of the sizes, types, tags and places of all models; it is the caller's to keep."""
        with self._lock, transaction(db):
            return self._fresh(db, generation).stock()

    @property
    def has_begun(self) -> bool:
        """Whether anything is known yet."""
        return self._known is not None

    @property
    def is_ready(self) -> bool:
        """Whether nothing is left to make ready for what is known."""
        known = self._known
        return known is None or known.terms.grams.ready

    # What is known

    def _fresh(self, db: apsw.Connection, generation: int) -> Rows:
        """Give what is known, in step with all that was told before; in the transaction of the query."""
        with self.telling:
            touched, self._touched = self._touched, Touched()
            rows(db, "SELECT 1 FROM models LIMIT 1")  # the rows as they are from here on
        if self._known is None or self._generation != generation or not self._refresh(db, self._known, touched):
            self._known = None
            self._known, self._generation = Rows(db), generation
        return self._known

    def _refresh(self, db: apsw.Connection, known: Rows, touched: Touched | None) -> bool:
        try:
            return not touched or known.refresh(db, touched)
        except BaseException:
            self._known = None  # half of it may be old
            raise

    # Pages

    def _models(
        self, db: apsw.Connection, question: Question, part: Part, order: str, limit: int, cursor: str | None
    ) -> tuple[list[int], str | None]:
        if order == "best":
            return self._best(db, question, part, limit, cursor)
        down, name = order.startswith("-"), order.lstrip("-")
        column, kind = _KEYS[name]
        after = None
        if cursor:
            value, sha256 = key_of(cursor, (kind, str))
            after = (spelled(value) if kind is str else value), digest_of(sha256)
        known = question.known.orders[name]
        models = known.take(db, question.find(part), limit + 1, after, down=down)
        return models[:limit], _next(db, models, limit, column)

    def _best(
        self, db: apsw.Connection, question: Question, part: Part, limit: int, cursor: str | None
    ) -> tuple[list[int], str | None]:
        first, after = 0, None
        if cursor:
            first, name, sha256 = key_of(cursor, (int, str, str))
            after = spelled(name), digest_of(sha256)
        found: list[int] = []
        for models in _tiers(question, part, first):
            found += question.known.orders["name"].take(db, models, limit + 1 - len(found), after, down=False)
            after = None
            if len(found) > limit:
                break
        if len(found) <= limit:
            return found, None
        last = next(tier for tier in TIERS if found[limit - 1] in question.find(part, tier))
        return found[:limit], _next(db, found, limit, "name_key", last)

    # Facets

    def _facets(self, db: apsw.Connection, found: BitMap, most: int) -> dict[str, list[dict[str, Any]]]:
        known = self._known
        assert known is not None
        types = [(type_, found.intersection_cardinality(models)) for type_, models in known.types.items()]
        tags = _few_tags(db, found) if len(found) <= _FEW else _many_tags(known, found, most)
        named = ((known.names[tag].key, known.names[tag].name, count) for tag, count in tags if tag in known.names)
        ordered = sorted(named, key=lambda each: (-each[2], each[0]))[:most]
        return {
            "tags": [{"name": name, "count": count} for _, name, count in ordered],
            "types": [
                {"type": type_, "count": count}
                for type_, count in sorted(types, key=lambda each: (-each[1], each[0]))
                if count
            ],
        }


@contextmanager
def transaction(db: apsw.Connection) -> Generator[None]:
    """See the tables as they are at the first look into them, whatever is written meanwhile."""
    with db:
        yield


def _few_tags(db: apsw.Connection, found: BitMap) -> list[tuple[int, int]]:
    return rows(db, _TAGS_OF, (msgspec.json.encode(list(found)).decode(),))


def _many_tags(known: Rows, found: BitMap, most: int) -> list[tuple[int, int]]:
    """Count tag by tag, those on most models first, until no other can be among those that are wanted."""
    counts: list[tuple[int, int]] = []
    best = [0] * most  # a heap of the highest counts
    met_by = _met_by(known.all, found)
    tags = known.tags_by_size()
    for begin in range(0, len(tags), _TAGS_AT_ONCE):
        some = tags[begin : begin + _TAGS_AT_ONCE]
        if len(known.tags[some[0]]) < best[0]:
            break
        met = met_by([known.tags[tag] for tag in some])
        more = [(tag, count) for tag, count in zip(some, met, strict=True) if count and count >= best[0]]
        counts += more
        for _, count in more:
            if count > best[0]:
                heapreplace(best, count)
    return [(tag, count) for tag, count in counts if count >= best[0]]


def _met_by(everything: BitMap, found: BitMap) -> Callable[[list[BitMap]], Iterable[int]]:
    """Give what counts the members that sets have in common with what was found.

    Of many models, by those that were not found: they are a field of bits, in which to look is twice as quick as to
    compare two lists.
    """
    if len(found) < _FIELD:
        return lambda sets: map(found.intersection_cardinality, sets)
    others = everything - found
    return lambda sets: map(sub, map(len, sets), map(others.intersection_cardinality, sets))


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


def _ranked(question: Question, part: Part, models: Iterable[int]) -> dict[int, int]:
    """Give the tiers of models, all in a name as one."""
    left, ranked = BitMap(models), dict[int, int]()
    for tier in range(IN_NAME, BEFORE + 1):
        met = left & question.find(part, tier)
        ranked.update(dict.fromkeys(met, tier))
        left -= met
        if not left:
            break
    return ranked


def _next(db: apsw.Connection, models: list[int], limit: int, column: str, *before: int) -> str | None:
    if len(models) <= limit:
        return None
    key: Any = db.execute(f"SELECT {column}, sha256 FROM models WHERE rowid = ?", (models[limit - 1],)).fetchone()  # noqa: S608
    return cursor_of((*before, *key))


def _with(item: str, why: tuple[str | None, str | None]) -> str:
    found_by, earlier = why
    told = msgspec.json.encode({"found_by": found_by, "earlier": earlier}).decode()
    return f"{item[:-1]},{told[1:]}"
