"""The tags of models, in memory: by tag which models have it, and by model which it has.

The one answers what is asked of tags, and counts those of many models; the other counts those of few, and shows them.
"""

from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Sequence, Set
from heapq import heapreplace, nlargest
from itertools import chain, islice
from operator import sub
from typing import Any

import apsw
import msgspec
from pyroaring import BitMap

from .tables import rows
from .text import fold

FEW = 2_000
"""The tags of so few models are counted by their links, of more tag by tag."""
CHANGED = 5_000
"""With the tags of so many models changed all links are packed anew, which takes a fifth of a second at a million."""

_TAGS = "SELECT m.rowid, json_group_array(t.tag_id) FROM models m JOIN model_tags t ON t.model_hash = m.sha256"
_AMONG = "WHERE m.rowid IN (SELECT value FROM json_each(?))"
_CARRY = "SELECT m.rowid FROM model_tags t JOIN models m ON m.sha256 = t.model_hash WHERE t.tag_id = ?"
_AT_ONCE = 20_000
_TAGS_AT_ONCE = 200
_FIELD = 1_000


class Tag(msgspec.Struct, frozen=True):
    """A tag as it is shown, its key, and its name folded."""

    name: str
    key: str
    folded: str


class Links:
    """By model, its tags: packed, and beside that those of models whose tags changed since."""

    def __init__(self, last: int, most: int) -> None:
        """Begin with none, of models up to the last, and with tags whose number is so high at most."""
        kind = "H" if most < 2**16 else "Q"
        self._packed = array(kind)  # the tags of one model after those of another, in any order of these
        self._begins, self._ends = (array("I", bytes(4 * (last + 1))) for _ in range(2))
        self._changed: dict[int, Sequence[int]] = {}

    def put(self, model: int, tags: Sequence[int]) -> None:
        """Keep a model's tags, of which none were known."""
        self._begins[model] = len(self._packed)
        self._packed.extend(tuple(tags))
        self._ends[model] = len(self._packed)

    def change(self, model: int, tags: Sequence[int]) -> None:
        """Keep other tags of a model."""
        self._changed[model] = tuple(tags)

    def settle(self, last: int) -> None:
        """After changes, and with models up to another last: make sure that most of it is packed."""
        for places in (self._begins, self._ends):
            places.frombytes(bytes(places.itemsize * max(0, last + 1 - len(places))))
        if len(self._changed) > CHANGED:
            packed = Links(last, max(chain(self._packed, *self._changed.values()), default=0))
            for model in range(1, last + 1):
                if tags := self.of(model):
                    packed.put(model, tags)
            self._packed, self._begins, self._ends = packed._packed, packed._begins, packed._ends
            self._changed = {}

    def of(self, model: int) -> Sequence[int]:
        """Give a model's tags."""
        if model in self._changed:
            return self._changed[model]
        return self._packed[self._begins[model] : self._ends[model]]

    def count(self, models: Iterable[int]) -> Counter[int]:
        """Count the tags of some models, of each once."""
        asked = BitMap(models)
        changed = asked & BitMap(self._changed)
        rest = asked - changed
        places = map(slice, map(self._begins.__getitem__, rest), map(self._ends.__getitem__, rest))
        counts = Counter(chain.from_iterable(map(self._packed.__getitem__, places)))
        counts.update(chain.from_iterable(map(self._changed.__getitem__, changed)))
        return counts


class Tags:
    """All tags, and who has them. A tag that has no name is on nothing here, until it is named."""

    def __init__(self, db: apsw.Connection, last: int) -> None:
        """Read them, of models up to the last."""
        self.by_tag: dict[int, BitMap] = {}
        self.names: dict[int, Tag] = {}
        self._links = Links(last, db.execute("SELECT coalesce(max(tag_id), 0) FROM model_tags").get)
        self._untagged: BitMap | None = None
        self._by_size: list[int] | None = None
        self._name(db)
        found = db.execute(f"{_TAGS} GROUP BY m.sha256")
        while some := list(islice(found, _AT_ONCE)):
            self._put(some)

    def untagged(self, everything: BitMap) -> BitMap:
        """Give those of all models that have no tag."""
        if self._untagged is None:
            self._untagged = everything - BitMap.union(BitMap(), *self.by_tag.values())
        return self._untagged

    def shown(self, model: int) -> str:
        """Give the names of a model's tags as JSON, in their order."""
        names = self.names
        known = [names[tag] for tag in self._links.of(model)]
        return msgspec.json.encode([tag.name for tag in sorted(known, key=_key)]).decode()

    def commonest(self, everything: BitMap, found: BitMap, most: int) -> list[tuple[str, int]]:
        """Give the names of the tags that most of some models have, with how many do, and no more than so many."""
        counts = self._links.count(found) if len(found) <= FEW else self._counted(everything, found, most)
        if len(counts) > most:  # most of them are not wanted, and names cost more than numbers
            least = nlargest(most, counts.values())[-1] if most else 0
            counts = {tag: count for tag, count in counts.items() if count >= least}
        named = [(-count, self.names[tag]) for tag, count in counts.items()]
        named.sort(key=lambda each: (each[0], each[1].key))
        return [(tag.name, -count) for count, tag in named[:most]]

    def _counted(self, everything: BitMap, found: BitMap, most: int) -> dict[int, int]:
        """Count tag by tag, those on most models first, until no other can be among those that are wanted."""
        counts: list[tuple[int, int]] = []
        best = [0] * most  # a heap of the highest counts
        met_by, tags = _met_by(everything, found), self._by_their_size()
        for begin in range(0, len(tags), _TAGS_AT_ONCE):
            some = tags[begin : begin + _TAGS_AT_ONCE]
            if len(self.by_tag[some[0]]) < best[0]:
                break
            met = met_by([self.by_tag[tag] for tag in some])
            more = [(tag, count) for tag, count in zip(some, met, strict=True) if count and count >= best[0]]
            counts += more
            for _, count in more:
                if count > best[0]:
                    heapreplace(best, count)
        return dict(counts)

    def _by_their_size(self) -> list[int]:
        """Give all tags that are in use, those on most models first."""
        if self._by_size is None:
            self._by_size = sorted(self.by_tag, key=lambda tag: len(self.by_tag[tag]), reverse=True)
        return self._by_size

    # In step

    def refresh(self, db: apsw.Connection, tagged: Sequence[int], tags: Set[int], last: int) -> None:
        """Read anew the tags of some models, and who has some tags; with models up to another last."""
        self._links.settle(last)
        self._untagged = None
        if not tagged and not tags:
            return
        self._by_size = None
        if tags:
            self._name(db)
        asked = (msgspec.json.encode(tagged).decode(),)
        now = dict(rows(db, f"{_TAGS} {_AMONG} GROUP BY m.sha256", asked)) if tagged else {}
        for model in tagged:
            self._change(model, set(_NUMBERS.decode(now.get(model, "[]"))))
        for tag in tags:
            carry = rows(db, _CARRY, (tag,)) if tag in self.names else []
            self._turn(tag, BitMap([model for (model,) in carry]))
        self._links.settle(last)

    def _change(self, model: int, all_now: Set[int]) -> None:
        before, now = set(self._links.of(model)), all_now & self.names.keys()
        for tag in before - now:
            self.by_tag.get(tag, BitMap()).discard(model)
        for tag in now - before:
            self.by_tag.setdefault(tag, BitMap()).add(model)
        self._links.change(model, list(now))

    def _turn(self, tag: int, now: BitMap) -> None:
        for model in self.by_tag.get(tag, BitMap()) ^ now:
            others = [each for each in self._links.of(model) if each != tag]
            self._links.change(model, [*others, tag] if model in now else others)
        if now:
            self.by_tag[tag] = now
        else:
            self.by_tag.pop(tag, None)

    def _put(self, found: Iterable[Any]) -> None:
        by_tag: dict[int, list[int]] = {}
        for model, written in found:
            tags = [tag for tag in _NUMBERS.decode(written) if tag in self.names]
            self._links.put(model, tags)
            for tag in tags:
                by_tag.setdefault(tag, []).append(model)
        for tag, models in by_tag.items():
            self.by_tag.setdefault(tag, BitMap()).update(models)

    def _name(self, db: apsw.Connection) -> None:
        found = rows(db, "SELECT id, name, name_key FROM tags")
        self.names = {tag: Tag(name, key, fold(name)) for tag, name, key in found}


def _key(tag: Tag) -> str:
    return tag.key


def _met_by(everything: BitMap, found: BitMap) -> Callable[[list[BitMap]], Iterable[int]]:
    """Give what counts the members that sets have in common with what was found.

    Of many models, by those that were not found: they are a field of bits, in which to look is twice as quick as to
    compare two lists.
    """
    if len(found) < _FIELD:
        return lambda sets: map(found.intersection_cardinality, sets)
    others = everything - found
    return lambda sets: map(sub, map(len, sets), map(others.intersection_cardinality, sets))


_NUMBERS = msgspec.json.Decoder(list[int])
