"""Searches: pages of the models that a query means, best matches first, with the counts of their tags and types.

A `Finder` holds in memory what it needs to know of all models. It learns that when somebody first lists or searches,
and is told of every event since (`hear`), so that a page shows what was written before it was asked for. What it knows
of the rows follows them, and its answers are those of a plain look at every row.
"""

import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import apsw
import msgspec
from pyroaring import BitMap

from .finding_pages import Asked, Best, page_of, ranked
from .finding_parts import Question
from .finding_reading import documents
from .finding_reasons import reasons
from .finding_rows import Rows
from .library import Order
from .parts import Part, asks_for_words
from .storage import Stock
from .tables import rows
from .touched import Touched


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
        offset: int = 0,
        facets: int = 0,
        generation: int = 0,
    ) -> Found:
        """Give a page of the models that a query means, with the counts of at most so many tags (0: no facets).

        It begins behind the page that gave the cursor, or behind so many models. `generation` tells files of read
        tables apart: in another one all is read anew. Raises `BadCursor`.
        """
        with self._lock, transaction(db):
            question = Question(db, self._fresh(db, generation))
            found = question.find(part)
            models, next_ = page_of(db, question, part, Asked(order, limit, cursor, offset))
            counted = _facets(question.known, found, facets) if facets else None
            tiers = ranked(question, part, models) if asks_for_words(part) else {}
            told = zip(question.known.cards.of(db, models), reasons(db, part, models, tiers), strict=True)
            return Found([_with(item, why) for item, why in told], next_, len(found), counted)

    def make_ready(self, db: apsw.Connection, generation: int) -> bool:
        """Make some of what lets words be found quickly, first read what is needed at all; False when all is made."""
        with self._lock, transaction(db):
            known = self._fresh(db, generation)  # orders and pieces are those of the rows that are known
            if known.terms.grams.ready:
                return False
            known.terms.make_grams(lambda models: documents(db, models))
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


@contextmanager
def transaction(db: apsw.Connection) -> Generator[None]:
    """See the tables as they are at the first look into them, whatever is written meanwhile."""
    with db:
        yield


def _facets(known: Rows, found: BitMap, most: int) -> dict[str, list[dict[str, Any]]]:
    types = [(type_, found.intersection_cardinality(models)) for type_, models in known.types.items()]
    return {
        "tags": [{"name": name, "count": count} for name, count in known.tags.commonest(known.all, found, most)],
        "types": [
            {"type": type_, "count": count}
            for type_, count in sorted(types, key=lambda each: (-each[1], each[0]))
            if count
        ],
    }


def _with(item: str, why: tuple[str | None, str | None]) -> str:
    found_by, earlier = why
    told = msgspec.json.encode({"found_by": found_by, "earlier": earlier}).decode()
    return f"{item[:-1]},{told[1:]}"
