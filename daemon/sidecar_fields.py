"""Reading the fields of a sidecar: whatever a value is, it becomes what is wanted or nothing, and stays small.

What a field is not fit for is left out and named in `problem`; the other fields are taken none the less.
"""

import math
import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Any

from ..events.catalog import Prompts, Provided
from . import cleantext

MAX_LINE = 500
"""The most characters of a name and of a fact."""

MAX_WORD = 1_000
"""The most characters of a trigger word."""

MAX_WORDS = 500
MAX_TAGS = 200
MAX_TAG = 200
"""The most characters of a tag, as `tagging.LONGEST`."""

MAX_LINKS = 30

MAX_FACTS = 80
MAX_FACT_ITEMS = 30
MAX_FACTS_TEXT = 16_000
"""The most characters of all facts together."""

_MAX_DEPTH = 4
_MAX_NUMBER = 2**53
_MAX_COMPLAINTS = 5
_MAX_ITEMS = 20_000
_SHA256 = re.compile(r"(?:0x)?([0-9a-f]{64})", re.IGNORECASE)
_NO_BASE_MODEL = frozenset(("", "unknown", "other", "none", "null", "n/a", "undefined"))
_SPACES = re.compile(r"\s+")
_BRACKETS = {")": "(", "]": "[", "}": "{"}


class Sheet:
    """An object of a sidecar, read field by field; one that is not there has no fields."""

    def __init__(self, fields: object, complaints: list[str] | None = None, path: str = "") -> None:
        """Read `fields`, if it is an object; add the names of what makes no sense to `complaints`."""
        self._fields: dict[Any, Any] = fields if isinstance(fields, dict) else {}
        self._complaints: list[str] = [] if complaints is None else complaints
        self._path = path

    def __bool__(self) -> bool:
        """Tell whether there is any field."""
        return bool(self._fields)

    def __contains__(self, key: str) -> bool:
        """Tell whether a field is there, whatever it holds."""
        return key in self._fields

    @property
    def keys(self) -> frozenset[str]:
        """The names of the fields."""
        return frozenset(self._fields)

    def raw(self, key: str) -> object:
        """Give a field as it is, None where it is not there."""
        return self._fields.get(key)

    def sheet(self, key: str) -> "Sheet":
        """Give a field that is an object."""
        value = self.raw(key)
        if not isinstance(value, dict) and not _is_nothing(value):
            self._complain(key)
        return Sheet(value, self._complaints, f"{self._path}{key}.")

    def sheets(self, key: str) -> list["Sheet"]:
        """Give the objects in a field that is a list of them."""
        value = self.raw(key)
        if not isinstance(value, list) and not _is_nothing(value):
            self._complain(key)
        items = value[:_MAX_ITEMS] if isinstance(value, list) else []
        return [Sheet(item, self._complaints, f"{self._path}{key}.") for item in items if isinstance(item, dict)]

    def text(self, *keys: str) -> str:
        """Give the first of some fields that says something, as clean text of any number of lines."""
        return next(filter(None, (self._text(key) for key in keys)), "")

    def line(self, *keys: str) -> str:
        """Give the first of some fields that says something, on one line."""
        return line_of(self.text(*keys))

    def number(self, key: str) -> int | float | None:
        """Give a number, also where it is written as text; None where there is none."""
        value = number_of(self.raw(key))
        if value is None and not _is_nothing(self.raw(key)):
            self._complain(key)
        return value

    def flag(self, key: str) -> bool:
        """Tell whether a field says yes."""
        value = self.raw(key)
        return value is True or value == 1 or (isinstance(value, str) and value.strip().lower() in ("true", "yes", "1"))

    def words(self, key: str, *separators: str) -> list[str]:
        """Give trigger words: a list of them, each perhaps several with commas between, or one such text."""
        return [word for text in self._texts(key) for word in split_words(text, *separators)]

    def names(self, key: str) -> list[str]:
        """Give tags: a list of names, or one text with commas between them."""
        value = self.raw(key)
        texts = self._texts(key)
        return [name for text in texts for name in text.split(",")] if isinstance(value, str) else texts

    def _text(self, key: str) -> str:
        value = self.raw(key)
        if isinstance(value, str):
            return cleantext.clean(value, cleantext.MAX_IN).strip()
        if isinstance(value, int | float) and not isinstance(value, bool):
            return "" if number_of(value) is None else str(value)
        if isinstance(value, list):
            return "\n".join(self._texts(key))
        if not _is_nothing(value):
            self._complain(key)
        return ""

    def _texts(self, key: str) -> list[str]:
        value = self.raw(key)
        texts = [text for given in _some(_texts_in(value, _MAX_DEPTH)) if (text := cleantext.clean(given).strip())]
        if not texts and not _is_nothing(value):
            self._complain(key)
        return texts

    def _complain(self, key: str) -> None:
        name = f"{self._path}{key}"
        if name not in self._complaints and len(self._complaints) < _MAX_COMPLAINTS:
            self._complaints.append(name)


class Draft:
    """What a sidecar says, gathered bit by bit."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.name = ""
        self.positive = ""
        self.negative = ""
        self.favorite = False
        self.sha256 = ""
        self.complaints: list[str] = []
        self._notes: list[str] = []
        self._descriptions: list[str] = []
        self._links: list[str] = []
        self._words: list[str] = []
        self._tags: list[str] = []
        self._facts: dict[str, Any] = {}

    def sheet(self, fields: object) -> Sheet:
        """Read an object; what makes no sense in it is named in `problem`."""
        return Sheet(fields, self.complaints)

    def note(self, *texts: str) -> None:
        """Add what its user wrote; a text that is there already is not added again."""
        self._notes += (text for text in texts if text and text not in self._notes)

    def describe(self, *texts: str) -> None:
        """Add what its provider wrote; a text that is there already is not added again."""
        self._descriptions += (text for text in texts if text and text not in self._descriptions)

    def link(self, *addresses: str) -> None:
        """Add links; what is no address in the web is left out."""
        self._links += filter(None, map(cleantext.web_address, addresses))

    def trigger(self, words: Iterable[str]) -> None:
        """Add trigger words."""
        self._words += words

    def tag(self, names: Iterable[str]) -> None:
        """Add tags."""
        self._tags += names

    def base_model(self, name: str) -> None:
        """Add the base model, a tag: the first that is given, and does not say that nobody knows."""
        if "base_model" not in self._facts and name.strip().lower() not in _NO_BASE_MODEL:
            self.tag([name])
            self.fact("base_model", name)

    def fact(self, name: str, value: object) -> None:
        """Add a fact, unless it says nothing; of two under one name the first stays."""
        kept = plain(value)
        if name not in self._facts and kept is not None and kept is not False:
            self._facts[name] = kept

    def facts(self, sheet: Sheet, fields: dict[str, str]) -> None:
        """Add facts from the fields of an object: the field's name there, and the fact's name with us."""
        for field, name in fields.items():
            self.fact(name, sheet.raw(field))

    def prompts(self, positive: str, negative: str) -> None:
        """Take two prompts that belong together, unless there are some already."""
        if not self.positive and not self.negative:
            self.positive, self.negative = positive, negative

    def provided(self) -> Provided:
        """Give all of it, each part within its bounds."""
        notes, description = "\n\n".join(self._notes), "\n\n".join(self._descriptions)
        texts = {"notes": notes, "description": description, "positive": self.positive, "negative": self.negative}
        cut = [name for name, text in texts.items() if len(text) > cleantext.MAX_OUT]
        words = list(dict.fromkeys(filter(None, map(_word_of, self._words))))
        tags = _distinct_tags(filter(None, map(tag_of, self._tags)))
        links = list(dict.fromkeys(self._links))
        cut += [
            name
            for name, found, most in (
                ("trigger words", words, MAX_WORDS),
                ("tags", tags, MAX_TAGS),
                ("links", links, MAX_LINKS),
            )
            if len(found) > most
        ]
        return Provided(
            name=line_of(self.name),
            notes=cleantext.shortened(notes, cleantext.MAX_OUT),
            description=cleantext.shortened(description, cleantext.MAX_OUT),
            links=tuple(links[:MAX_LINKS]),
            prompts=Prompts(
                cleantext.shortened(self.positive, cleantext.MAX_OUT),
                cleantext.shortened(self.negative, cleantext.MAX_OUT),
            ),
            trigger_words=tuple(words[:MAX_WORDS]),
            tags=tuple(tags[:MAX_TAGS]),
            favorite=self.favorite,
            sha256=self.sha256,
            facts=_within(self._facts),
            problem=_problem(self.complaints, cut),
        )


def line_of(text: str) -> str:
    """Give a text on one line of at most `MAX_LINE` characters."""
    return cleantext.shortened(_SPACES.sub(" ", text).strip(), MAX_LINE)


def _word_of(word: str) -> str:
    word = _SPACES.sub(" ", word).strip()
    return word if len(word) <= MAX_WORD else ""


def tag_of(name: str) -> str:
    """Give a tag's name as it is kept, nothing where none can be made of it."""
    name = unicodedata.normalize("NFC", _SPACES.sub(" ", name).strip())
    return name if len(name) <= MAX_TAG and not any(unicodedata.category(c) in ("Cc", "Cs") for c in name) else ""


def sha256_of(value: object) -> str:
    """Give a SHA-256 in lower case, nothing where it is none."""
    found = _SHA256.fullmatch(value.strip()) if isinstance(value, str) else None
    return found.group(1).lower() if found else ""


def number_of(value: object) -> int | float | None:
    """Give a finite number, also where it is written as text; None where it is none, or one nobody means."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, str):
        text = value.strip()
        if len(text) > 40 or not text.isascii():
            return None
        try:
            value = float(text)
        except ValueError:
            return None
    if not math.isfinite(value) or abs(value) > _MAX_NUMBER:
        return None
    return int(value) if value == int(value) and not isinstance(value, int) else value


def identifier_of(value: object) -> int | None:
    """Give a provider's number of something, which is whole and above 0."""
    number = number_of(value)
    return number if isinstance(number, int) and number > 0 else None


def split_words(text: str, *separators: str) -> list[str]:
    """Split a text at its line ends, at `separators` and at the commas that stand in no brackets."""
    for separator in separators:
        text = text.replace(separator, "\n")
    return [word for line in text.split("\n") for part in _split_at_commas(line) if (word := part.strip())]


def _split_at_commas(text: str) -> Iterator[str]:
    if "," not in text:
        yield text
        return
    inside = _bracketed(text)
    start, depth = 0, 0
    for at, letter in enumerate(text):
        depth += inside.get(at, 0)
        if letter == "," and depth == 0:
            yield text[start:at]
            start = at + 1
    yield text[start:]


def _bracketed(text: str) -> dict[int, int]:
    """Give where a pair of brackets opens (1) and closes (-1); one that has no other is no bracket but a face."""
    opened: dict[str, list[int]] = {opening: [] for opening in _BRACKETS.values()}
    pairs: dict[int, int] = {}
    for at, letter in enumerate(text):
        if letter in opened:
            opened[letter].append(at)
        elif letter in _BRACKETS and opened[_BRACKETS[letter]]:
            pairs[opened[_BRACKETS[letter]].pop()] = 1
            pairs[at] = -1
    return pairs


def plain(value: object, depth: int = _MAX_DEPTH) -> Any:
    """Give a value as a fact: clean, with no more than some items in it, None where nothing is left."""
    if isinstance(value, str):
        return line_of(cleantext.clean(value, MAX_LINE * 4)) or None
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return number_of(value)
    if depth == 0:
        return None
    if isinstance(value, list):
        items = (plain(item, depth - 1) for item in value[:MAX_FACT_ITEMS])
        return [item for item in items if item is not None] or None
    if isinstance(value, dict):
        pairs = ((line_of(cleantext.clean(str(key), 100)), plain(part, depth - 1)) for key, part in _first(value))
        return {key: part for key, part in pairs if key and part is not None} or None
    return None


def _first(value: dict[Any, Any]) -> list[tuple[Any, Any]]:
    return list(value.items())[:MAX_FACT_ITEMS] if len(value) <= _MAX_ITEMS else []


def _is_nothing(value: object) -> bool:
    return value is None or value is False or value in ("", "{}", "[]", [], {}) or (value == 0)


def _texts_in(value: object, depth: int) -> Iterator[str]:
    """Give the texts in a value that should be a list of texts, whatever it is."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, int | float) and not isinstance(value, bool):
        if number_of(value) is not None:
            yield str(value)
    elif isinstance(value, dict):
        yield from _texts_in(next((value[key] for key in ("word", "name", "tag") if key in value), None), 0)
    elif isinstance(value, list) and depth:
        for item in value[:_MAX_ITEMS]:
            yield from _texts_in(item, depth - 1)


def _distinct_tags(names: Iterable[str]) -> list[str]:
    """Give each tag once, in its first spelling."""
    kept: dict[str, str] = {}
    for name in names:
        kept.setdefault(name.casefold(), name)
    return list(kept.values())


def _some(texts: Iterable[str]) -> Iterator[str]:
    """Give some texts, as many as one field may have."""
    left = cleantext.MAX_IN
    for text in texts:
        yield text
        left -= len(text) + 1
        if left < 0:
            return


def _within(facts: dict[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    left = MAX_FACTS_TEXT
    for name, value in list(facts.items())[:MAX_FACTS]:
        size = len(name) + len(repr(value))
        if size <= left:
            kept[name] = value
            left -= size
    return kept


def _problem(complaints: list[str], cut: list[str]) -> str:
    sentences = [
        f"has fields that make no sense, which were left out: {', '.join(map(line_of, complaints))}"
        if complaints
        else "",
        f"has more than can be kept of: {', '.join(cut)}" if cut else "",
    ]
    return "; it ".join(filter(None, sentences))
