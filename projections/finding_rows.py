"""What a search needs to know of all models, in memory: read once, and brought in step with what events touched.

A model is called by its rowid here, for good: models are never deleted, and a rebuild gives them the same numbers.
"""

from array import array
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import TypeVar

import apsw
from pyroaring import BitMap

from . import searching
from .finding_cards import Cards
from .finding_orders import Order
from .finding_places import Places
from .finding_reading import Reading, read
from .finding_tags import Tags
from .finding_words import Kept, Terms
from .storage import Stock
from .tables import rows
from .touched import Touched

MANY = 5_000
"""Above so many touched models all is read anew, in a second or two at 100,000."""

_DIGEST = 32
_AT_ONCE = 2_000

Key = TypeVar("Key")


class Rows:
    """The models with their tags, types, places, words and orders."""

    def __init__(self, db: apsw.Connection) -> None:
        """Read all of it."""
        self.all = BitMap()
        self.types: dict[str, BitMap] = {}
        self.favorites = BitMap()
        self.kept = Kept()
        self.places = Places()
        self._digests = bytearray(_DIGEST)
        self._numbers = {name: array("q", (0,)) for name in ("size", "added", "changed", "used")}
        self._grow(rows(db, "SELECT coalesce(max(rowid), 0) FROM models")[0][0])
        found = read(db)
        while some := list(islice(found, _AT_ONCE)):
            self._put_plain(some)
            self.places.put(place for each in some for place in each.places)
            for each in some:
                self.kept.put(each.document)
        self.places.read_roots(db)
        self.tags = Tags(db, self._last)
        self.terms = Terms(self.kept, self.all)
        self.cards = Cards(self.tags)
        size, added, changed, used = (numbers.__getitem__ for numbers in self._numbers.values())
        self.orders = {
            "name": Order("name_key", self.kept.name, self.digest),
            "size": Order("size_bytes", size, self.digest),
            "added": Order("created_at", added, self.digest),
            "changed": Order("changed_at", changed, self.digest),
            "used": Order("used_at", used, self.digest),
        }

    def digest(self, model: int) -> bytes:
        """Give a model's hash, as bytes."""
        return bytes(self._digests[model * _DIGEST : (model + 1) * _DIGEST])

    def stock(self) -> Stock:
        """Give a copy of what tells how much room is taken, and by what."""
        several = BitMap(self.places.several())
        return Stock(
            self._numbers["size"][:], _copied(self.types), _copied(self.tags.by_tag), self.places.kept(), several
        )

    # In step

    def refresh(self, db: apsw.Connection, touched: Touched) -> bool:
        """Read anew what events touched; False where that is so much that all should be."""
        if touched.is_much or len(touched.models) + len(touched.tags) > MANY:
            return False
        models = searching.rowids(db, touched.models)
        new = {model for model in models if model not in self.all}  # they may have had tags before
        tagged = sorted(new.union(searching.rowids(db, touched.tagged)))
        if models:
            self._refresh_models(db, models, BitMap(searching.rowids(db, touched.worded)))
        if models or touched.tags:
            self.tags.refresh(db, tagged, touched.tags, self._last)
        if tagged or touched.tags:
            self.terms.forget_tags()
        if touched.roots:
            self.places.read_roots(db)
        if touched.pending:
            self.places.doubt_files()
        self.cards.forget(None if touched.tags or touched.roots else models)
        return True

    def _refresh_models(self, db: apsw.Connection, models: Sequence[int], worded: BitMap) -> None:
        known = [model for model in models if model in self.all]
        for order in self.orders.values():
            order.leave(known)
        for found in (*self.types.values(), self.favorites):
            found.difference_update(BitMap(models))
        self._grow(models[-1])
        now = list(read(db, models))
        self._put_plain(now)
        said = [each for each in now if each.document.model in worded]
        self.terms.change([each.document for each in said])
        for order in self.orders.values():
            order.join(models)
        if said:
            self.places.refresh(worded, (place for each in said for place in each.places))

    @property
    def _last(self) -> int:
        return len(self._numbers["size"]) - 1

    def _grow(self, last: int) -> None:
        """Make room for models up to the last."""
        missing = last - self._last
        if missing > 0:
            self._digests.extend(bytes(missing * _DIGEST))
            for numbers in self._numbers.values():
                numbers.frombytes(bytes(missing * numbers.itemsize))

    def _put_plain(self, found: Iterable[Reading]) -> None:
        types, favorites = dict[str, list[int]](), list[int]()
        sizes, addeds, changeds, useds = self._numbers.values()
        for model, sha256, type_, size, added, changed, used, favorite in [each.plain for each in found]:
            self._digests[model * _DIGEST : (model + 1) * _DIGEST] = digest_of(sha256)
            sizes[model], addeds[model], changeds[model], useds[model] = size, added, changed, used
            types.setdefault(type_, []).append(model)
            if favorite:
                favorites.append(model)
        for type_, models in types.items():
            self.types.setdefault(type_, BitMap()).update(models)
            self.all.update(models)
        self.favorites.update(favorites)


def _copied(sets: Mapping[Key, BitMap]) -> dict[Key, BitMap]:
    return {key: BitMap(models) for key, models in sets.items() if models}


def digest_of(sha256: str) -> bytes:
    """Give the bytes of a hash, in the order of its digits; short ones are filled up."""
    try:
        return bytes.fromhex(sha256.ljust(2 * _DIGEST, "0"))
    except ValueError:  # none that the daemon ever writes
        return sha256.encode().ljust(_DIGEST, b"\0")[:_DIGEST]
