"""Which models hold a word, by where it stands: guessed by its letters, looked up in their texts, and remembered.

The texts of models lie in memory in UTF-8, each byte as one letter (`spelled`): Python finds a text in texts of such
letters twice as quickly as bytes in bytes, and their order is the same. In UTF-8 the bytes FE and FF never occur, so
that FF parts a model's layers (see `searching`) and FE stands for texts that are too long to be kept here. Which of
them may hold a word tell `Grams`, the pieces of words; of the long ones the index of three letters.
"""

from array import array
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence

import apsw
import msgspec
from pyroaring import BitMap

from .finding_grams import Grams
from .searching import FILES, GRAM, HAD_FILES, HAD_NAMES, LAYERS, NAME, SHORT, TEXTS, Document, candidates

PART, LONG = "\xff", "\xfe"
TEXTS_KEPT = 24 << 20  # bytes of texts kept in memory in all: 100,000 models with 150 letters each take 20 MiB
LONGEST_KEPT = 2_000
TERMS_KEPT = 3 << 20  # bytes of what was found for words
FEW_CHANGES = 100
"""Up to so many changed models are looked up for every word that is remembered; with more all words are forgotten."""

Layers = list[BitMap]


def spelled(text: str) -> str:
    """Give a text as one letter for each byte of its UTF-8."""
    return text if text.isascii() else text.encode().decode("latin-1")


def _read(text: str) -> str:
    return text if text.isascii() else text.encode("latin-1").decode()


# The name stands there, too; whoever asks for texts asks for names as well.
_LOOK = "SELECT rowid FROM models WHERE rowid IN (SELECT value FROM json_each(?)) AND instr(words, ?)"


class Kept:
    """The texts of all models by rowid, as far as they are kept."""

    def __init__(self, room: int = TEXTS_KEPT) -> None:
        """Begin with none, and with room for so many bytes; there is no model 0."""
        self.texts: list[str] = [""]
        self.long = BitMap()  # their texts are in the index
        self.left = BitMap()  # and not kept here
        self.had = BitMap()  # had names before
        self._name_ends, self._texts_ends = array("I", (0,)), array("I", (0,))
        self._room = room

    def put(self, document: Document) -> None:
        """Keep what is searched of a model, in place of what was there."""
        model, layers = document.model, [spelled(layer) for layer in document.layers]
        missing = model + 1 - len(self.texts)
        if missing > 0:
            self.texts += [""] * missing
            for ends in (self._name_ends, self._texts_ends):
                ends.frombytes(bytes(missing * ends.itemsize))
        for those in (self.long, self.left, self.had):
            those.discard(model)
        self._room += len(self.texts[model])
        if len(document.layers[TEXTS]) > SHORT:
            self.long.add(model)
            if len(layers[TEXTS]) > min(LONGEST_KEPT, self._room):
                self.left.add(model)
                layers[TEXTS] = LONG
        if layers[HAD_NAMES] or layers[HAD_FILES]:
            self.had.add(model)
        self._name_ends[model] = len(layers[NAME])
        self._texts_ends[model] = len(layers[NAME]) + len(PART) + len(layers[TEXTS])
        self.texts[model] = PART.join(layers)
        self._room -= len(self.texts[model])

    def name(self, model: int) -> str:
        """Give a model's folded name."""
        return self.texts[model][: self._name_ends[model]]

    def named(self, models: Iterable[int], asked: str) -> list[int]:
        """Give those of some models whose name holds a word."""
        texts, ends = self.texts, self._name_ends
        return [model for model in models if asked in texts[model][: ends[model]]]

    def begun(self, models: Iterable[int], asked: str) -> list[int]:
        """Give those of some models of which a word of the name begins with a text."""
        texts, ends, behind = self.texts, self._name_ends, f" {asked}"
        return [
            model
            for model in models
            if (text := texts[model]).startswith(asked)
            or text.find(behind, 0, ends[model]) >= 0
            or begins(text[: ends[model]], asked)
        ]

    def told(self, models: Iterable[int], asked: str) -> list[int]:
        """Give those of some models whose texts hold a word."""
        texts, begins_, ends = self.texts, self._name_ends, self._texts_ends
        return [model for model in models if asked in texts[model][begins_[model] : ends[model]]]

    def filed(self, models: Iterable[int], asked: str) -> list[int]:
        """Give those of some models of which what stands behind their texts holds a word: files, and earlier names."""
        texts, begins_ = self.texts, self._texts_ends
        return [model for model in models if asked in texts[model][begins_[model] :]]

    def document(self, model: int) -> Document | None:
        """Give what is searched of a model, None where it is too long to be kept."""
        if model in self.left:
            return None
        return Document(model, tuple(map(_read, self.texts[model].split(PART))))


class Term:
    """Where a word was found. Of `starts` a word of their name begins with it; of `tagged` a tag holds it."""

    __slots__ = ("layers", "spelled", "starts", "tagged", "word")

    def __init__(self, word: str, layers: Layers) -> None:
        """Keep what was found for a folded word."""
        self.word, self.spelled, self.layers = word, spelled(word), layers
        self.starts: BitMap | None = None
        self.tagged: BitMap | None = None

    @property
    def size(self) -> int:
        """About so many bytes are taken."""
        kept = [*self.layers, *(each for each in (self.starts, self.tagged) if each is not None)]
        return 500 + sum(100 + min(2 * len(found), 8_192 * (1 + (found.max() >> 16))) for found in kept if found)


class Terms:
    """What was found for words, those that were asked for last."""

    def __init__(self, kept: Kept, everything: BitMap) -> None:
        """Search in kept texts; `everything` is all models, and is kept by whoever made this."""
        self._kept, self._all = kept, everything
        self._terms: OrderedDict[str, Term] = OrderedDict()
        self._size = 0
        self.grams = Grams(len(kept.texts) - 1)

    def find(self, db: apsw.Connection, word: str) -> Term:
        """Give where a folded word stands."""
        term = self._terms.get(word)
        if term is None:
            term = self._terms[word] = Term(word, self._layers(db, word))
            self._grow(term.size)
        self._terms.move_to_end(word)
        return term

    def starts(self, term: Term) -> BitMap:
        """Give the models of which a word of their name begins with the word."""
        if term.starts is None:
            before, begun = term.size, self.grams.starts(term.word[:2])
            if begun is None or len(term.word) >= GRAM:
                held = term.layers[NAME] if begun is None else term.layers[NAME] & begun
                begun = BitMap(self._kept.begun(held, term.spelled))
            term.starts = begun
            self._grow(term.size - before)
        return term.starts

    def tagged(self, term: Term, tags: Callable[[str], BitMap]) -> BitMap:
        """Give the models that have a tag which holds the word; `tags` works it out."""
        if term.tagged is None:
            before = term.size
            term.tagged = tags(term.word)
            self._grow(term.size - before)
        return term.tagged

    def _grow(self, size: int) -> None:
        self._size += size
        while self._size > TERMS_KEPT and len(self._terms) > 1:
            self._size -= self._terms.popitem(last=False)[1].size

    # In step

    def forget_tags(self) -> None:
        """Tags were put on or taken off, or changed."""
        for term in self._terms.values():
            before, term.tagged = term.size, None
            self._size += term.size - before

    def change(self, documents: Sequence[Document]) -> None:
        """Keep other texts of some models, or of new ones, and bring in step what was found in them."""
        models = [document.model for document in documents]
        self.grams.leave(models, self._kept.document)
        for document in documents:
            self._kept.put(document)
        self.grams.join(documents)
        if len(documents) > FEW_CHANGES:
            self._terms.clear()
            self._size = 0
            return
        for term in self._terms.values():
            _change(term, BitMap(models), documents)

    def make_grams(self, read: Callable[[Sequence[int]], Iterable[Document]]) -> None:
        """Make some of the grams; `read` gives what is not kept."""
        models = self.grams.next()
        known = [document for model in models if (document := self._kept.document(model))]
        left = self._kept.left & BitMap(models)
        self.grams.make(known + list(read(list(left)) if left else ()))

    # Finding

    def _layers(self, db: apsw.Connection, word: str) -> Layers:
        known, rest, long = self.grams.find(word), self._scan(word), self._kept.long
        if len(word) < GRAM:
            if not self.grams.rest():
                return known
            sure, asked, long = known, [rest] * len(LAYERS), long & rest
        else:
            indexed, sure = candidates(db, word), self.grams.sure(word)
            long = long if indexed is None else long & BitMap(indexed)
            asked = [each | rest for each in known]
            asked[TEXTS] = asked[TEXTS] - self._kept.long | long
        left = [each - those for each, those in zip(asked, sure, strict=True)]
        found = self._verified(db, word, left, long - sure[TEXTS])
        return [each | those for each, those in zip(found, sure, strict=True)]

    def _scan(self, word: str) -> BitMap:
        """Give those that may hold a word of the models whose pieces are not known yet."""
        asked, texts, rest = spelled(word), self._kept.texts, self.grams.rest()
        return BitMap([model for model in rest if asked in texts[model]]) | (self._kept.left & rest)

    def _verified(self, db: apsw.Connection, word: str, layers: Layers, long: BitMap) -> Layers:
        """Leave out the candidates that do not hold the word; `long` may hold it in texts that are not kept."""
        asked, kept = spelled(word), self._kept
        holding = BitMap([model for model in BitMap.union(*layers) if asked in kept.texts[model]])
        layers = [each & holding for each in layers]
        elsewhere = BitMap.union(*(found for layer, found in enumerate(layers) if layer != TEXTS))
        found = [BitMap() for _ in layers]
        found[NAME] = BitMap(kept.named(layers[NAME], asked))
        # What may hold the word in its texts alone holds it there.
        found[TEXTS] = (layers[TEXTS] - elsewhere) | BitMap(kept.told(layers[TEXTS] & elsewhere, asked))
        found[FILES] = BitMap(kept.filed(layers[FILES] - kept.had, asked))
        for model in elsewhere & kept.had:
            parts = kept.texts[model].split(PART)
            for layer in (FILES, HAD_NAMES, HAD_FILES):
                if asked in parts[layer]:
                    found[layer].add(model)
        unsure = long & kept.left
        if unsure:
            found[TEXTS].update(_look_in_rows(db, unsure, word))
        return found


def _change(term: Term, old: BitMap, documents: Iterable[Document]) -> None:
    for layer in term.layers:
        layer.difference_update(old)
    if term.starts is not None:
        term.starts.difference_update(old)
    for document in documents:
        for layer, text in enumerate(document.layers):
            if term.word in text:
                term.layers[layer].add(document.model)
        if term.starts is not None and begins(spelled(document.layers[NAME]), term.spelled):
            term.starts.add(document.model)


def _look_in_rows(db: apsw.Connection, models: Iterable[int], word: str) -> list[int]:
    asked = msgspec.json.encode(list(models)).decode()
    return [model for (model,) in db.execute(_LOOK, (asked, word))]


def begins(name: str, asked: str) -> bool:
    """Tell whether a word of a folded name begins with some text; both as `spelled` gives them."""
    at = name.find(asked)
    while at >= 0:
        if at == 0 or not _read(name[:at])[-1:].isalnum():
            return True
        at = name.find(asked, at + 1)
    return False
