"""Which pieces of texts are worth a bitmap of their own, judged by some of the models.

What holds the pairs of letters of a word need not hold the word. Three letters whose pairs are in many texts get a
bitmap; those of others leave few texts to look through. Words that are common get one, too, for they hold all of their
parts.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from .searching import GRAM, LAYERS, Document

SAMPLE = 500  # models that are looked at
MANY_HOLD = 0.04
"""Three letters have a bitmap where such a part of all models holds their pairs: to look through 8,000 takes 4 ms."""
COMMON_WORD, MOST_WORDS = 0.02, 1_000
ROOM = 240
"""Bytes for each model that the bitmaps of three letters may take: some 23 MiB at 100,000."""
_DENSE = (
    1 / 16
)  # of this part of all models a bitmap takes a bit for each model, of fewer two bytes for each that is in
_LETTERS = 1_000  # of each text: the rest is much the same
_TOKEN = re.compile(r"[^\W_]{3,24}")


class Common(msgspec.Struct, frozen=True):
    """Three letters that have a bitmap, by layer, and whole words."""

    triples: tuple[frozenset[str], ...]
    words: frozenset[str]

    def words_in(self, text: str) -> frozenset[str]:
        """Give the words that have a bitmap and stand in a text."""
        return self.words.intersection(_TOKEN.findall(text))


def common_among(documents: Sequence[Document]) -> Common:
    """Judge by some models."""
    wanted = [
        (held_by, layer, triple, takes)
        for layer in range(len(LAYERS))
        for triple, held_by, takes in _judged([document.layers[layer] for document in documents])
        if held_by >= MANY_HOLD
    ]
    triples = [set[str]() for _ in LAYERS]
    room = float(ROOM)
    for _, layer, triple, takes in sorted(wanted, reverse=True):
        room -= takes
        if room < 0:
            break
        triples[layer].add(triple)
    return Common(tuple(map(frozenset, triples)), _words(documents))


def _judged(texts: Sequence[str]) -> Iterator[tuple[str, float, float]]:
    """Give three letters with the part of some texts that holds their pairs, and the bytes a model they would take."""
    possible, actual = Counter[str](), Counter[str]()
    for text in filter(None, (each[:_LETTERS] for each in texts)):
        pairs, behind = set(map(str.__add__, text, text[1:])), defaultdict[str, list[str]](list)
        for pair in pairs:
            behind[pair[0]].append(pair[1])
        possible.update([pair + letter for pair in pairs for letter in behind[pair[1]]])
        actual.update({text[at : at + GRAM] for at in range(len(text) - GRAM + 1)})
    for triple, held_by in possible.items():
        yield triple, held_by / len(texts), 2 * min(actual[triple] / len(texts), _DENSE)


def _words(documents: Iterable[Document]) -> frozenset[str]:
    words, count = Counter[str](), 0
    for count, document in enumerate(documents, 1):  # noqa: B007
        words.update(set(_TOKEN.findall("\n".join(document.layers))))
    return frozenset(word for word, held in words.most_common(MOST_WORDS) if held >= COMMON_WORD * count)
