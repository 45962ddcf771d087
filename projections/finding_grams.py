"""Which models hold a piece of one or two letters, or a piece or whole word that is common.

Of such there are few, and words are made of them: what holds a word holds its pieces, and what holds a whole word holds
every part of that. So few texts are left to be looked through. A bitmap for each piece is made once somebody has
listed or searched, in the background, some ten seconds of CPU at 100,000 models; until then the texts of the others are
looked through.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence

from pyroaring import BitMap

from .finding_common import SAMPLE, Common, common_among
from .searching import GRAM, LAYERS, NAME, Document

AT_ONCE = 100  # models: for some 10 ms nobody can search meanwhile

Layers = list[BitMap]


class Grams:
    """By each piece, the models that hold it, by layer; and those with such a start of a word in their name."""

    def __init__(self, last: int) -> None:
        """Begin with nothing known of the models up to the last."""
        self._layers: list[dict[str, BitMap]] = [{} for _ in LAYERS]
        self._starts: dict[str, BitMap] = {}
        self._common: Common | None = None
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
        if self._common is None:
            self._common = common_among(list(documents))
            return
        self._done = self.next()[-1]
        self._add(documents)
        if self.ready:
            for found in self._all():
                found.shrink_to_fit()

    def find(self, word: str) -> Layers:
        """Give the models that may hold a word, by layer; for one or two letters those that do hold it.

        Of those that are in.
        """
        if len(word) < GRAM:
            return [pieces.get(word, BitMap()) for pieces in self._layers]
        return [self._holding(layer, word) for layer in range(len(LAYERS))]

    def _holding(self, layer: int, word: str) -> BitMap:
        """Give the models of which a layer holds the pieces of a word; a pair within a triple adds nothing."""
        known, triples = self._layers[layer], self._triples(layer)
        is_triple = [word[at : at + GRAM] in triples for at in range(len(word) - GRAM + 1)]
        asked = {word[at : at + GRAM] for at, is_one in enumerate(is_triple) if is_one}
        asked |= {
            word[at : at + 2]
            for at, (before, behind) in enumerate(zip([False, *is_triple], [*is_triple, False], strict=True))
            if not before and not behind
        }
        found = [known.get(piece) for piece in asked]
        held = [each for each in found if each is not None]
        return BitMap.intersection(*held) if len(held) == len(found) else BitMap()

    def sure(self, word: str) -> Layers:
        """Give models that hold a word of three letters or more, by layer; of three that are common all of them."""
        holding = [piece for piece in self._common.words if word in piece] if self._common else []
        return [
            known.get(word, BitMap())
            if word in self._triples(layer)
            else BitMap.union(BitMap(), *(known[piece] for piece in holding if piece in known))
            for layer, known in enumerate(self._layers)
        ]

    def starts(self, word: str) -> BitMap | None:
        """Give the models of which a word of their name begins with one or two letters; None where not known."""
        return self._starts.get(word, BitMap()) if self.ready and len(word) < GRAM else None

    def _triples(self, layer: int) -> frozenset[str]:
        return self._common.triples[layer] if self._common else frozenset()

    # In step

    def leave(self, models: Iterable[int], before: Callable[[int], Document | None]) -> None:
        """Let models out whose texts are about to change; of some it is not known what they were."""
        for model in models:
            if model > self._done:
                continue
            document = before(model)
            if document is None:
                for found in self._all():
                    found.discard(model)
                continue
            for layer, known in enumerate(self._layers):
                for piece in self._pieces(document, layer):
                    known[piece].discard(model)
            for piece in _starts(document.layers[NAME]):
                self._starts[piece].discard(model)

    def join(self, documents: Sequence[Document]) -> None:
        """Take models in whose texts have changed, and new ones."""
        last = max([self._last, *(document.model for document in documents)])
        self._done, self._last = (last if self.ready else self._done), last
        self._add(document for document in documents if document.model <= self._done)

    def _all(self) -> Iterator[BitMap]:
        for known in (self._starts, *self._layers):
            yield from known.values()

    def _add(self, documents: Iterable[Document]) -> None:
        found = [defaultdict[str, list[int]](list) for _ in LAYERS]
        starts = defaultdict[str, list[int]](list)
        for document in documents:
            model = document.model
            for layer, by_piece in enumerate(found):
                for piece in self._pieces(document, layer):
                    by_piece[piece].append(model)
            for piece in _starts(document.layers[NAME]):
                starts[piece].append(model)
        for known, by_piece in zip((self._starts, *self._layers), (starts, *found), strict=True):
            for piece, models in by_piece.items():
                if piece not in known:
                    known[piece] = BitMap()
                known[piece].update(models)

    def _pieces(self, document: Document, layer: int) -> set[str]:
        text = document.layers[layer]
        found = {*text, *map(str.__add__, text, text[1:])}
        if self._common and text:
            triples = self._common.triples[layer]
            if triples:
                found |= triples.intersection([text[at : at + GRAM] for at in range(len(text) - GRAM + 1)])
            found |= self._common.words_in(text)
        return found


def _starts(name: str) -> set[str]:
    found = set[str]()
    for at in range(len(name)):
        if at == 0 or not name[at - 1].isalnum():
            found.add(name[at])
            found.add(name[at : at + 2])
    return found
