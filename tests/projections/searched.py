"""Searches for words in read tables, as tests of other views ask."""

from typing import Any

import apsw
import msgspec
from hikaze.projections.finding import Finder, Found
from hikaze.projections.parts import All, Word


def page_of(db: apsw.Connection, *words: str, order: Any = "name", limit: int = 100) -> Found:
    """Give a page of the models that hold all words."""
    return Finder().page(db, All(tuple(map(Word, words))), order=order, limit=limit)


def searched(db: apsw.Connection, *words: str) -> list[dict[str, Any]]:
    """Give the cards of the models that hold all words."""
    return [msgspec.json.decode(item) for item in page_of(db, *words).items]
