"""The orders of a search's pages: all models sorted by a value of theirs, kept in order while values change."""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import apsw
import msgspec
from pyroaring import BitMap

Key = tuple[Any, bytes]
FEW = 200
"""Up to so many models are sorted for a page; more are met soon enough while the order is walked."""
BLOCK = 1_024
"""The order is walked in blocks of so many: a bitmap of each tells how many of its models were found."""
SPARSE = 30
"""So few models of a block are sorted by their keys; with more it is quicker to look at all of the block."""
MANY = 300
"""Above so many changes all of an order is read anew, which takes some 30 ms at 100,000 models."""


class Order:
    """All models, by rowid, in the order of a value and then of their hash."""

    def __init__(self, column: str, value: Callable[[int], Any], digest: Callable[[int], bytes]) -> None:
        """Order by a column of `models` that has an index with the hash; `value` and `digest` give a model's."""
        self._column, self._value, self._digest = column, value, digest
        self._models: array[int] | None = None
        self._blocks: dict[int, BitMap] = {}  # of the models as they lie now

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
        self._blocks.clear()
        if len(models) > MANY:
            self._models = None  # read anew when somebody asks
            return
        for model in models:
            del self._models[bisect_left(self._models, self.key(model), key=self.key)]

    def join(self, models: Iterable[int]) -> None:
        """Put models in whose values have changed."""
        self._blocks.clear()
        if self._models is not None:
            for model in models:
                self._models.insert(bisect_left(self._models, self.key(model), key=self.key), model)

    def take(
        self, db: apsw.Connection, found: BitMap, count: int, after: Key | None, *, down: bool, skip: int = 0
    ) -> list[int]:
        """Give the first `count` of some models in this order, or in the opposite one, behind a key.

        Or, without a key, behind the first `skip` of them.
        """
        if skip >= len(found):
            return []
        if len(found) <= FEW:
            return self._sorted(found, after, down=down)[skip : skip + count]
        models = self._all(db)
        begin, end = 0, len(models)
        if after is not None and down:
            end = bisect_left(models, after, key=self.key)
        elif after is not None:
            begin = bisect_right(models, after, key=self.key)
        if len(found) == len(models):  # nothing is passed over
            some = memoryview(models)[begin:end]
            return (some[::-1] if down else some)[skip : skip + count].tolist()
        return self._walked(models, found, range(begin, end), down=down, count=count, skip=skip)

    def _walked(
        self, models: "array[int]", found: BitMap, places: range, *, down: bool, count: int, skip: int
    ) -> list[int]:
        """Give the first `count` of some models that lie at some places, behind the first `skip`."""
        taken: list[int] = []
        for some in _by_blocks(places, down=down):
            block = self._block(models, some) if len(some) == BLOCK else None
            held = BLOCK if block is None else found.intersection_cardinality(block)
            if block is not None and held <= skip:
                skip -= held
                continue
            if block is not None and held < SPARSE:
                met = sorted(found & block, key=self.key)
            else:
                met = list(filter(found.__contains__, models[some.start : some.stop]))
            taken += (met[::-1] if down else met)[skip:]
            skip = max(0, skip - len(met))
            if len(taken) >= count:
                break
        return taken[:count]

    def _block(self, models: "array[int]", places: range) -> BitMap:
        number = places.start // BLOCK
        if number not in self._blocks:
            self._blocks[number] = BitMap(models[places.start : places.stop])
        return self._blocks[number]

    def _sorted(self, found: BitMap, after: Key | None, *, down: bool) -> list[int]:
        keyed = sorted(((self.key(model), model) for model in found), reverse=down)
        if after is not None:
            keyed = [each for each in keyed if (each[0] < after if down else each[0] > after)]
        return [model for _, model in keyed]

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


def _by_blocks(places: range, *, down: bool) -> Iterator[range]:
    """Give places by the blocks they lie in, the last one first if it goes down."""
    blocks = range(places.start // BLOCK, (places.stop - 1) // BLOCK + 1)
    for block in reversed(blocks) if down else blocks:
        yield range(max(places.start, block * BLOCK), min(places.stop, (block + 1) * BLOCK))


_NUMBERS = msgspec.json.Decoder(list[int])
