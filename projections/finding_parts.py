"""Which models are meant by the parts of a query, and how well each meets its words.

How well is a tier, 0 the best: all that a tier admits, those below it admit, too. So the models of a tier are those of
the query if its words may only stand where the tier says, without those of the tier above.
"""

from collections.abc import Iterable, Sequence

import apsw
from pyroaring import BitMap

from .finding_places import folded
from .finding_rows import Rows
from .finding_words import spelled
from .parts import Added, All, Any, Hashed, Is, Not, Part, Path, Sized, Tagged, Typed, Used, Word
from .searching import FILES, HAD_FILES, HAD_NAMES, NAME, TEXTS
from .tables import rows
from .text import fold, tag_key

EQUAL, BEGINS, STARTS, IN_NAME, IN_TAGS, IN_FILES, ANYWHERE, BEFORE = TIERS = range(8)
_HASH_LEAST = 6
_HASH_DIGITS = frozenset("0123456789abcdef")
_HASHES = """SELECT m.rowid FROM models m WHERE m.sha256 >= ?1 AND m.sha256 < ?2 UNION
    SELECT m.rowid FROM hashes h JOIN models m ON m.sha256 = h.model_hash
    WHERE (h.hash >= ?1 AND h.hash < ?2) OR (h.hash = substr(?1, 1, 12) AND h.kind = 'autov3')"""


class Question:
    """What is asked of the models as they are now; each part is worked out once."""

    def __init__(self, db: apsw.Connection, known: Rows) -> None:
        """Ask the rows in memory, and the tables for what is not there."""
        self._db, self.known = db, known
        self._found: dict[tuple[Part, int], BitMap] = {}

    def find(self, part: Part, tier: int = BEFORE) -> BitMap:
        """Give the models that a part means, with its words where the tier admits them; not to be changed."""
        key = part, tier if isinstance(part, (Word, All, Any)) else BEFORE
        if key not in self._found:
            self._found[key] = self._find(part, tier)
        return self._found[key]

    def _find(self, part: Part, tier: int) -> BitMap:
        known = self.known
        match part:
            case All(parts=parts):
                return self._all(parts, tier)
            case Any(parts=parts):
                return BitMap.union(BitMap(), *(self.find(each, tier) for each in parts))
            case Not(part=inner):
                return known.all - self.find(inner)
            case Word():
                return self._word(part, tier)
            case Tagged():
                return self._tagged(part)
            case Typed(type=type_):
                return known.types.get(type_, BitMap())
            case Sized(least=least, most=most):
                return known.orders["size"].between(self._db, least, most)
            case Added(since=since, until=until):
                return known.orders["added"].between(self._db, since, until)
            case Used(since=since, until=until):
                return known.orders["used"].between(self._db, max(since, 1), until)  # 0 is never
            case Is(what=what):
                return self._state(what)
            case Hashed(prefix=prefix):
                return self._hashed(prefix)
            case Path(text=text):
                return self._path(folded(text))

    def _all(self, parts: Sequence[Part], tier: int) -> BitMap:
        found = self._called(parts, tier) if tier <= BEGINS else None
        for each in sorted((each for each in parts if not isinstance(each, Not)), key=_cost):
            if tier <= BEGINS and isinstance(each, Word):
                continue  # they are what it is called
            more = self.find(each, tier)
            found = more if found is None else found & more
            if not found:
                return found
        found = self.known.all if found is None else found
        for each in parts:
            if isinstance(each, Not) and found:
                found = found - self.find(each.part)
        return found

    def _called(self, parts: Sequence[Part], tier: int) -> BitMap | None:
        """Give the models whose name is, or begins with, the words as they were typed; None without any."""
        words = [fold(each.text) for each in parts if isinstance(each, Word)]
        return self._named(" ".join(words), tier) if words else None

    def _named(self, name: str, tier: int) -> BitMap:
        begin = spelled(name)
        # The byte 00 comes before all letters, FF occurs in none.
        return self.known.orders["name"].beginning(self._db, begin, begin + ("\0" if tier == EQUAL else "\xff"))

    def _word(self, part: Word, tier: int) -> BitMap:
        word, terms = fold(part.text), self.known.terms
        if tier <= BEGINS:
            return self._named(word, tier)
        term = terms.find(self._db, word)
        if tier == STARTS:
            return terms.starts(term)
        places = [term.layers[NAME]]
        if part.field == "name":
            return term.layers[NAME] | term.layers[HAD_NAMES] if tier == BEFORE else places[0]
        if tier >= IN_TAGS:
            places.append(terms.tagged(term, self._tag_holds))
        if tier >= IN_FILES and "/" not in word:  # it stands before the files there, and in none
            places.append(term.layers[FILES])
        if tier >= ANYWHERE:
            places += [term.layers[TEXTS], *self._hash_begins(word)]
        if tier == BEFORE:
            places += [term.layers[HAD_NAMES], term.layers[HAD_FILES]]
        return places[0] if len(places) == 1 else BitMap.union(*places)

    def _hash_begins(self, word: str) -> list[BitMap]:
        return [self._hashed(word)] if len(word) >= _HASH_LEAST and _HASH_DIGITS.issuperset(word) else []

    def _hashed(self, prefix: str) -> BitMap:
        return BitMap([model for (model,) in rows(self._db, _HASHES, (prefix, prefix + "g"))])

    def _tag_holds(self, word: str) -> BitMap:
        return self._carrying(tag for tag, name in self.known.tags.names.items() if word in name.folded)

    def _tagged(self, part: Tagged) -> BitMap:
        names = self.known.tags.names.items()
        if part.match == "exact":
            key = tag_key(part.name)
            return self._carrying(tag for tag, name in names if name.key == key)
        asked = fold(part.name)
        if part.match == "prefix":
            return self._carrying(tag for tag, name in names if name.folded.startswith(asked))
        return self._carrying(tag for tag, name in names if name.folded == asked)

    def _carrying(self, tags: Iterable[int]) -> BitMap:
        by_tag = self.known.tags.by_tag
        found = [by_tag[tag] for tag in tags if tag in by_tag]
        return found[0] if len(found) == 1 else BitMap.union(BitMap(), *found)

    def _state(self, what: str) -> BitMap:
        known, places = self.known, self.known.places
        match what:
            case "present":
                return places.present()
            case "offline":
                return places.offline()
            case "missing":
                return known.all - places.present() - places.offline()
            case "duplicate":
                return places.duplicates(self._db)
            case "unused":
                return known.orders["used"].between(self._db, 0, 0)
            case "untagged":
                return known.tags.untagged(known.all)
            case _:
                return known.favorites

    def _path(self, text: str) -> BitMap:
        places = self.known.places
        found = places.in_folders(text)
        head, slash, tail = text.rpartition("/")
        if not slash:
            return found | self.known.terms.find(self._db, text).layers[FILES]
        if not tail:
            return found
        # A text that ends within a file's name: of one that lies in such a folder, where there is but one file.
        begun = self.known.terms.find(self._db, "/" + tail).layers[FILES] & places.in_folders_ending(head + "/")
        several = begun & places.several()
        return found | (begun - several) | self._at(several, text)

    def _at(self, models: BitMap, text: str) -> BitMap:
        paths = "SELECT l.shown FROM locations l JOIN models m ON m.sha256 = l.model_hash WHERE m.rowid = ?"
        return BitMap([m for m in models if any(text in folded(path) for (path,) in rows(self._db, paths, (m,)))])


def _cost(part: Part) -> int:
    """Give what to ask first: what costs little, or leaves few."""
    match part:
        case Hashed() | Typed() | Is() | Tagged():
            return 0
        case Word(text=text):
            return 20 - min(len(text), 10)
        case _:
            return 5


def words_of(part: Part) -> list[Word]:
    """Give the words that a query asks for, in their order; not those that it does not want."""
    match part:
        case Word():
            return [part]
        case All(parts=parts) | Any(parts=parts):
            return [word for each in parts for word in words_of(each)]
        case _:
            return []


def asks_for_hash(part: Part) -> bool:
    """Tell whether a query asks for a hash."""
    match part:
        case Hashed():
            return True
        case All(parts=parts) | Any(parts=parts):
            return any(asks_for_hash(each) for each in parts)
        case _:
            return False
