"""Which models hold a piece of one or two letters, or a piece or whole word that is common.

Of such there are few, and words are made of them: what holds a word holds its pieces, and what holds a whole word holds
every part of that. So few texts are left to be looked through. A bitmap for each piece is made once somebody has
listed or searched, in the background, some ten seconds of CPU at 100,000 models; until then the texts of the others are
looked through.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from itertools import chain

from pyroaring import BitMap

from .searching import GRAM, LAYERS, NAME, Document

AT_ONCE = 200  # models: for some 10 ms nobody can search meanwhile
SAMPLE = 1_000  # models that are looked at for what is common
COMMON_WORD, COMMON_PIECE, MOST_COMMON = 0.02, 0.02, 1_000
"""Common is what this part of all models holds, and so many of each at most: some 15 MiB at 100,000 models."""

Layers = list[BitMap]
_TOKEN = re.compile(r"[^\W_]{4,24}")


class Grams:
    """By each piece, the models that hold it, by layer; and those with such a start of a word in their name."""

    def __init__(self, last: int) -> None:
        """Begin with nothing known of the models up to the last."""
        self._layers: dict[str, Layers] = {}
        self._starts: dict[str, BitMap] = {}
        self._common: frozenset[str] | None = None
        self._done, self._last = 0, last

    @property
    def ready(self) -> bool:
        """Whether all models are in."""
        return self._done == self._last

    def rest(self) -> BitMap:
        """Give the models that are not in yet."""
        return BitMap(range(self._done + 1, self._last + 1))

    def next(self) -> Sequence[int]:
        """Give the models that are wanted next."""
        if self._common is None:
            return range(1, self._last + 1, self._last // SAMPLE + 1)
        return range(self._done + 1, min(self._done + AT_ONCE, self._last) + 1)

    def make(self, documents: Iterable[Document]) -> None:
        """Take those in that `next` has given."""
        wanted = self.next()
        if self._common is None:
            self._common = _common_among(documents, len(wanted))
            return
        self._done = wanted[-1]
        self._add(documents)
        if self.ready:
            for found in chain(self._starts.values(), *self._layers.values()):
                found.shrink_to_fit()

    def find(self, word: str) -> Layers:
        """Give the models that may hold a word, by layer; for one or two letters those that do hold it.

        Of those that are in.
        """
        pieces = {word} if len(word) < GRAM else {word[at : at + 2] for at in range(len(word) - 1)}
        pieces |= {word[at : at + GRAM] for at in range(len(word) - GRAM + 1)} & self._layers.keys()
        found = [self._layers.get(piece) for piece in pieces]
        if None in found:
            return _nowhere()
        known = [each for each in found if each is not None]
        return list(known[0]) if len(known) == 1 else [BitMap.intersection(*each) for each in zip(*known, strict=True)]

    def sure(self, word: str) -> Layers:
        """Give models that hold a word of three letters or more, by layer; not all of them."""
        holding = [self._layers[piece] for piece in self._common or () if word in piece and piece in self._layers]
        return [BitMap.union(*each) for each in zip(*holding, strict=True)] if holding else _nowhere()

    def starts(self, word: str) -> BitMap | None:
        """Give the models of which a word of their name begins with one or two letters; None where not known."""
        return self._starts.get(word, BitMap()) if self.ready and len(word) < GRAM else None

    # In step

    def leave(self, models: Iterable[int], before: Callable[[int], Document | None]) -> None:
        """Let models out whose texts are about to change; of some it is not known what they were."""
        for model in models:
            if model > self._done:
                continue
            document = before(model)
            if document is None:
                for found in chain(self._starts.values(), *self._layers.values()):
                    found.discard(model)
                continue
            for layer, text in enumerate(document.layers):
                for piece in self._pieces(text):
                    self._layers[piece][layer].discard(model)
            for piece in _starts(document.layers[NAME]):
                self._starts[piece].discard(model)

    def join(self, documents: Sequence[Document]) -> None:
        """Take models in whose texts have changed, and new ones."""
        last = max([self._last, *(document.model for document in documents)])
        self._done, self._last = (last if self.ready else self._done), last
        self._add(document for document in documents if document.model <= self._done)

    def _add(self, documents: Iterable[Document]) -> None:
        found = [defaultdict[str, list[int]](list) for _ in LAYERS]
        starts = defaultdict[str, list[int]](list)
        for document in documents:
            model = document.model
            for by_piece, text in zip(found, document.layers, strict=True):
                for piece in self._pieces(text):
                    by_piece[piece].append(model)
            for piece in _starts(document.layers[NAME]):
                starts[piece].append(model)
        for layer, by_piece in enumerate(found):
            for piece, models in by_piece.items():
                if piece not in self._layers:
                    self._layers[piece] = _nowhere()
                self._layers[piece][layer].update(models)
        for piece, models in starts.items():
            self._starts.setdefault(piece, BitMap()).update(models)

    def _pieces(self, text: str) -> set[str]:
        pairs = list(map(str.__add__, text, text[1:]))
        found = {*text, *pairs}
        if self._common:
            found |= self._common.intersection(map(str.__add__, pairs, text[2:]))
            found |= self._common.intersection(_TOKEN.findall(text))
        return found


def _common_among(documents: Iterable[Document], count: int) -> frozenset[str]:
    """Give what is common among some models: three letters, and whole words."""
    pieces, words = Counter[str](), Counter[str]()
    for document in documents:
        text = "\n".join(document.layers)
        pieces.update({text[at : at + GRAM] for at in range(len(text) - GRAM + 1)})
        words.update(set(_TOKEN.findall(text)))
    common = ((pieces, COMMON_PIECE), (words, COMMON_WORD))
    return frozenset(
        piece for counts, part in common for piece, held in counts.most_common(MOST_COMMON) if held >= part * count
    )


def _nowhere() -> Layers:
    return [BitMap() for _ in LAYERS]


def _starts(name: str) -> set[str]:
    found = set[str]()
    for at in range(len(name)):
        if at == 0 or not name[at - 1].isalnum():
            found.add(name[at])
            found.add(name[at : at + 2])
    return found
