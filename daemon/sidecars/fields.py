"""Reading the fields of a sidecar: whatever a value is, it becomes what is wanted or nothing, and stays small.

What a field is not fit for is left out and named in `problem`; the other fields are taken none the less.
"""

from collections.abc import Iterable, Iterator, Set
from typing import Any

from ...events.catalog import Prompts, Provided
from . import cleantext
from .values import MAX_LINE_IN, is_nothing, line_of, number_of, plain, split_words, tag_of, texts_in, word_of

MAX_WORDS = 500
MAX_TAGS = 200
MAX_LINKS = 30

MAX_FACTS = 80
MAX_FACTS_TEXT = 16_000
"""The most characters of all facts together."""

_MAX_COMPLAINTS = 5
_MAX_SHEETS = 500
_NO_BASE_MODEL = frozenset(("", "unknown", "other", "none", "null", "n/a", "undefined"))


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
        if not isinstance(value, dict) and not is_nothing(value):
            self._complain(key)
        return Sheet(value, self._complaints, f"{self._path}{key}.")

    def less(self, key: str, fields: Set[str]) -> "Sheet":
        """Give the same without some fields of the object in a field."""
        inner = self.raw(key)
        if not isinstance(inner, dict):
            return self
        rest = {name: value for name, value in inner.items() if name not in fields}
        return Sheet(self._fields | {key: rest}, self._complaints, self._path)

    def sheets(self, key: str) -> list["Sheet"]:
        """Give the objects in a field that is a list of them."""
        value = self.raw(key)
        if not isinstance(value, list) and not is_nothing(value):
            self._complain(key)
        items = value[:_MAX_SHEETS] if isinstance(value, list) else []
        return [Sheet(item, self._complaints, f"{self._path}{key}.") for item in items if isinstance(item, dict)]

    def text(self, *keys: str) -> str:
        """Give the first of some fields that says something, as clean text of any number of lines."""
        return next(filter(None, (self._text(key) for key in keys)), "")

    def line(self, *keys: str) -> str:
        """Give the first of some fields that says something, on one line."""
        return line_of(next(filter(None, (self._text(key, MAX_LINE_IN) for key in keys)), ""))

    def number(self, key: str) -> int | float | None:
        """Give a number, also where it is written as text; None where there is none."""
        value = number_of(self.raw(key))
        if value is None and not is_nothing(self.raw(key)):
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

    def _text(self, key: str, most: int = cleantext.MAX_IN) -> str:
        value = self.raw(key)
        if isinstance(value, str):
            return cleantext.clean(value[:most], most).strip()
        if isinstance(value, int | float) and not isinstance(value, bool):
            return "" if number_of(value) is None else str(value)
        if isinstance(value, list):
            return "\n".join(self._texts(key))
        if not is_nothing(value):
            self._complain(key)
        return ""

    def _texts(self, key: str) -> list[str]:
        value = self.raw(key)
        texts = [text for given in _some(texts_in(value)) if (text := cleantext.clean(given).strip())]
        if not texts and not is_nothing(value):
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
        self._notes: dict[str, None] = {}
        self._descriptions: dict[str, None] = {}
        self._links: list[str] = []
        self._words: list[str] = []
        self._tags: list[str] = []
        self._facts: dict[str, Any] = {}

    def sheet(self, fields: object) -> Sheet:
        """Read an object; what makes no sense in it is named in `problem`."""
        return Sheet(fields, self.complaints)

    def note(self, *texts: str) -> None:
        """Add what its user wrote; a text that is there already is not added again."""
        self._notes |= dict.fromkeys(filter(None, texts))

    def describe(self, *texts: str) -> None:
        """Add what its provider wrote; a text that is there already is not added again."""
        self._descriptions |= dict.fromkeys(filter(None, texts))

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
        words = list(dict.fromkeys(filter(None, map(word_of, self._words))))
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
