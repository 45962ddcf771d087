"""The orders of a search's pages: all models sorted by a value of theirs, kept in order while values change."""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Any

import apsw
import msgspec
from pyroaring import BitMap

Key = tuple[Any, bytes]
FEW = 1_000
"""Up to so many models are sorted for a page; more are met soon enough while all of the order is walked."""
MANY = 300
"""Above so many changes all of an order is read anew, which takes some 30 ms at 100,000 models."""


class Order:
    """All models, by rowid, in the order of a value and then of their hash."""

    def __init__(self, column: str, value: Callable[[int], Any], digest: Callable[[int], bytes]) -> None:
        """Order by a column of `models` that has an index with the hash; `value` and `digest` give a model's."""
        self._column, self._value, self._digest = column, value, digest
        self._models: array[int] | None = None

    def key(self, model: int) -> Key:
        """Give what a model is sorted by."""
        return self._value(model), self._digest(model)

    def make_ready(self, db: apsw.Connection) -> None:
        """Read the order now, rather than when somebody asks."""
        self._all(db)

    def leave(self, models: Sequence[int]) -> None:
        """Take models out whose values are about to change."""
        if self._models is None:
            return
        if len(models) > MANY:
            self._models = None  # read anew when somebody asks
            return
        for model in models:
            del self._models[bisect_left(self._models, self.key(model), key=self.key)]

    def join(self, models: Iterable[int]) -> None:
        """Put models in whose values have changed."""
        if self._models is not None:
            for model in models:
                self._models.insert(bisect_left(self._models, self.key(model), key=self.key), model)

    def take(self, db: apsw.Connection, found: BitMap, count: int, after: Key | None, *, down: bool) -> list[int]:
        """Give the first `count` of some models in this order, or in the opposite one, behind a key."""
        if len(found) <= FEW:
            return self._sorted(found, count, after, down=down)
        models = memoryview(self._all(db))
        if down:
            end = len(models) if after is None else bisect_left(models, after, key=self.key)
            return list(islice(filter(found.__contains__, models[:end][::-1]), count))
        begin = 0 if after is None else bisect_right(models, after, key=self.key)
        return list(islice(filter(found.__contains__, models[begin:]), count))

    def _sorted(self, found: BitMap, count: int, after: Key | None, *, down: bool) -> list[int]:
        keyed = sorted(((self.key(model), model) for model in found), reverse=down)
        if after is not None:
            keyed = [each for each in keyed if (each[0] < after if down else each[0] > after)]
        return [model for _, model in keyed[:count]]

    def between(self, db: apsw.Connection, least: Any, most: Any) -> BitMap:
        """Give the models whose value lies between two, both included."""
        models = self._all(db)
        begin = bisect_left(models, least, key=self._value)
        end = bisect_right(models, most, key=self._value)
        if end - begin <= len(models) // 2:
            return BitMap(models[begin : max(begin, end)])
        return BitMap(range(1, len(models) + 1)) - BitMap(models[:begin]) - BitMap(models[end:])

    def beginning(self, db: apsw.Connection, text: str, end: str) -> BitMap:
        """Give the models whose value, a text, lies from one text up to another, that one left out."""
        models = self._all(db)
        begin = bisect_left(models, text, key=self._value)
        return BitMap(models[begin : bisect_left(models, end, key=self._value)])

    def _all(self, db: apsw.Connection) -> "array[int]":
        if self._models is None:
            read = f"SELECT json_group_array(id) FROM (SELECT rowid AS id FROM models ORDER BY {self._column}, sha256)"  # noqa: S608
            self._models = array("I", _NUMBERS.decode(db.execute(read).get))
        return self._models


_NUMBERS = msgspec.json.Decoder(list[int])
