"""What a search needs to know of all models, in memory: read once, and brought in step with what events touched.

A model is called by its rowid here, for good: models are never deleted, and a rebuild gives them the same numbers.
"""

from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, TypeVar

import apsw
import msgspec
from pyroaring import BitMap

from . import searching
from .finding_orders import Order
from .finding_places import Places
from .finding_words import Kept, Terms
from .storage import Stock
from .tables import rows
from .text import fold
from .touched import Touched

MANY = 5_000
"""Above so many touched models all is read anew, in a second at 100,000."""

_PLAIN = "SELECT m.rowid, m.sha256, m.type, m.size_bytes, m.created_at, m.changed_at, m.favorite FROM models m"
_AMONG = "WHERE m.rowid IN (SELECT value FROM json_each(?))"
_TAGS = "SELECT m.rowid, json_group_array(t.tag_id) FROM models m JOIN model_tags t ON t.model_hash = m.sha256"
_DIGEST = 32
_AT_ONCE = 20_000


Key = TypeVar("Key")


class Tag(msgspec.Struct, frozen=True):
    """A tag as it is shown, its key, and its name folded."""

    name: str
    key: str
    folded: str


class Rows:
    """The models with their tags, types, places, words and orders."""

    def __init__(self, db: apsw.Connection) -> None:
        """Read all of it."""
        self.all = BitMap()
        self.types: dict[str, BitMap] = {}
        self.favorites = BitMap()
        self.tags: dict[int, BitMap] = {}
        self.names: dict[int, Tag] = {}
        self.kept = Kept()
        self._digests = bytearray(_DIGEST)
        self._numbers = {"size": array("q", (0,)), "added": array("q", (0,)), "changed": array("q", (0,))}
        self._untagged: BitMap | None = None
        self._tags_by_size: list[int] | None = None
        for document in searching.documents(db):
            self.kept.put(document)
        self._grow(rows(db, "SELECT coalesce(max(rowid), 0) FROM models")[0][0])
        self._put_plain(db.execute(f"{_PLAIN} ORDER BY m.rowid"))
        self._put_tags(db.execute(f"{_TAGS} GROUP BY m.sha256"))
        self._name_tags(db)
        self.places = Places(db)
        self.terms = Terms(self.kept, self.all)
        size, added, changed = (numbers.__getitem__ for numbers in self._numbers.values())
        self.orders = {
            "name": Order("name_key", self.kept.name, self.digest),
            "size": Order("size_bytes", size, self.digest),
            "added": Order("created_at", added, self.digest),
            "changed": Order("changed_at", changed, self.digest),
        }

    def digest(self, model: int) -> bytes:
        """Give a model's hash, as bytes."""
        return bytes(self._digests[model * _DIGEST : (model + 1) * _DIGEST])

    def untagged(self) -> BitMap:
        """Give the models without a tag."""
        if self._untagged is None:
            self._untagged = self.all - BitMap.union(BitMap(), *self.tags.values())
        return self._untagged

    def tags_by_size(self) -> list[int]:
        """Give all tags that are in use, those on most models first."""
        if self._tags_by_size is None:
            self._tags_by_size = sorted(self.tags, key=lambda tag: len(self.tags[tag]), reverse=True)
        return self._tags_by_size

    def stock(self) -> Stock:
        """Give a copy of what tells how much room is taken, and by what."""
        several = BitMap(self.places.several())
        return Stock(self._numbers["size"][:], _copied(self.types), _copied(self.tags), self.places.kept(), several)

    # In step

    def refresh(self, db: apsw.Connection, touched: Touched) -> bool:
        """Read anew what events touched; False where that is so much that all should be."""
        if touched.is_much or len(touched.models) + len(touched.tags) > MANY:
            return False
        models = searching.rowids(db, touched.models)
        if models:
            self._refresh_models(db, models, touched)
        if touched.tags or touched.tagged or models:
            self._refresh_tags(db, touched)
        if touched.roots:
            self.places.read_roots(db)
        if touched.pending:
            self.places.doubt_files()
        return True

    def _refresh_models(self, db: apsw.Connection, models: Sequence[int], touched: Touched) -> None:
        known = [model for model in models if model in self.all]
        for order in self.orders.values():
            order.leave(known)
        worded = searching.rowids(db, touched.worded)
        asked = (msgspec.json.encode(models).decode(),)
        for found in (*self.types.values(), self.favorites):
            found.difference_update(BitMap(models))
        self._grow(models[-1])
        self._put_plain(db.execute(f"{_PLAIN} {_AMONG} ORDER BY m.rowid", asked))
        self.terms.change(list(searching.documents(db, worded)))
        for order in self.orders.values():
            order.join(models)
        if worded:
            self.places.refresh(db, worded)

    def _refresh_tags(self, db: apsw.Connection, touched: Touched) -> None:
        if touched.tagged:
            tagged = searching.rowids(db, touched.tagged)
            self._forget_tags(tagged)
            self._put_tags(db.execute(f"{_TAGS} {_AMONG} GROUP BY m.sha256", (msgspec.json.encode(tagged).decode(),)))
        for tag in touched.tags:
            carry = "SELECT m.rowid FROM model_tags t JOIN models m ON m.sha256 = t.model_hash WHERE t.tag_id = ?"
            self.tags[tag] = BitMap([model for (model,) in rows(db, carry, (tag,))])
        if touched.tags:
            self._name_tags(db)
        if touched.tags or touched.tagged:
            self._forget_unknown_tags()
            self.terms.forget_tags()
        self._untagged = self._tags_by_size = None

    def _forget_tags(self, models: Sequence[int]) -> None:
        old = BitMap(models)
        for found in self.tags.values():
            if not found.isdisjoint(old):
                found.difference_update(old)

    def _grow(self, last: int) -> None:
        """Make room for models up to the last."""
        missing = last + 1 - len(self._numbers["size"])
        if missing > 0:
            self._digests.extend(bytes(missing * _DIGEST))
            for numbers in self._numbers.values():
                numbers.frombytes(bytes(missing * numbers.itemsize))

    def _put_plain(self, found: Iterable[Any]) -> None:
        types, favorites = dict[str, list[int]](), list[int]()
        sizes, addeds, changeds = self._numbers.values()
        for model, sha256, type_, size, added, changed, favorite in found:
            self._digests[model * _DIGEST : (model + 1) * _DIGEST] = digest_of(sha256)
            sizes[model], addeds[model], changeds[model] = size, added, changed
            types.setdefault(type_, []).append(model)
            if favorite:
                favorites.append(model)
        for type_, models in types.items():
            self.types.setdefault(type_, BitMap()).update(models)
            self.all.update(models)
        self.favorites.update(favorites)

    def _put_tags(self, found: Iterator[Any]) -> None:
        while some := list(islice(found, _AT_ONCE)):
            by_tag: defaultdict[int, list[int]] = defaultdict(list)
            for model, tags in some:
                for tag in _NUMBERS.decode(tags):
                    by_tag[tag].append(model)
            for tag, models in by_tag.items():
                self.tags.setdefault(tag, BitMap()).update(models)

    def _name_tags(self, db: apsw.Connection) -> None:
        found = rows(db, "SELECT id, name, name_key FROM tags")
        self.names = {tag: Tag(name, key, fold(name)) for tag, name, key in found}
        self._forget_unknown_tags()

    def _forget_unknown_tags(self) -> None:
        for tag in self.tags.keys() - self.names.keys():
            del self.tags[tag]


def _copied(sets: Mapping[Key, BitMap]) -> dict[Key, BitMap]:
    return {key: BitMap(models) for key, models in sets.items() if models}


_NUMBERS = msgspec.json.Decoder(list[int])


def digest_of(sha256: str) -> bytes:
    """Give the bytes of a hash, in the order of its digits; short ones are filled up."""
    try:
        return bytes.fromhex(sha256.ljust(2 * _DIGEST, "0"))
    except ValueError:  # none that the daemon ever writes
        return sha256.encode().ljust(_DIGEST, b"\0")[:_DIGEST]
