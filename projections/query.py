"""The language of searches: what a person writes, read once into one object that says which models are meant.

The object is made of the parts in `parts.py`. All of the language is in docs/search.md.
"""

import re
from collections.abc import Callable
from datetime import UTC, tzinfo

import msgspec

from .amounts import BadAmount, sizes, times
from .parts import (
    OPERATORS,
    STATES,
    Added,
    All,
    Any,
    Hashed,
    Is,
    Not,
    Part,
    Path,
    Sized,
    State,
    Tagged,
    Typed,
    Used,
    Word,
)
from .text import fold

MOST_CHARACTERS = 2_000
MOST_TERMS = 50
MOST_DEPTH = 20

_SURROGATE = re.compile("[\ud800-\udfff]")
_OPENING = '"“”„'
_TYPEWRITTEN = re.compile('"((?:[^"]|"")*+)"')
_TYPESET = re.compile("[“”„]([^“”]*)[“”]")
_FIELD = re.compile(r"([^\W\d_]+):")
_FIELDS = ("tag", "type", "size", "added", "used", "is", "hash", "path", "name")
_OTHER_STATES = {"favourite": "favorite"}
_LEAST_DIGITS = 4
_MOST_DIGITS = 64
_SHOWN = 60  # letters of what is wrong, repeated to whoever wrote it


class BadQuery(ValueError):
    """A query that says nothing we understand; `at` is where, counted in characters from 0.

    `message` says what is wrong there and how to mend it; the error's own text says where, too.
    """

    def __init__(self, message: str, at: int, cure: str = "") -> None:
        """Say what is wrong at a place, and how to mend it."""
        super().__init__(f"{message} at character {at + 1}" + (f"; {cure}" if cure else ""))
        self.message, self.at = message + (f"; {cure}" if cure else ""), at


def parse(text: str, *, now_ms: int, type_of: Callable[[str], str], zone: tzinfo | None = UTC) -> Part:
    """Read a query; one that is empty means every model.

    Ages are counted from `now_ms`; dates are those of `zone`, None for the clock of this machine. `type_of` gives the
    type that a person means by a word, and raises ValueError where it can be none. Raises `BadQuery`, nothing else.
    """
    if len(text) > MOST_CHARACTERS:
        raise BadQuery("this query is too long", MOST_CHARACTERS, f"it may have {MOST_CHARACTERS:,} characters")
    strange = _SURROGATE.search(text)
    if strange is not None:
        raise BadQuery("here is half a character, which is no text", strange.start(), "leave it out")
    return _Reader(text, _Meaning(now_ms, type_of, zone)).all_of_it()


class _Meaning(msgspec.Struct, frozen=True):
    """What words mean depends on the hour, the place and the types there are."""

    now_ms: int
    type_of: Callable[[str], str]
    zone: tzinfo | None


class _Reader:
    """A query while it is read, from its beginning to its end."""

    def __init__(self, text: str, meaning: _Meaning) -> None:
        self._text, self._meaning = text, meaning
        self._at, self._terms = 0, 0

    def all_of_it(self) -> Part:
        self._skip()
        if self._at == len(self._text):
            return All(())
        part = None if self._ends() else self._any(0)
        if part is None or self._at < len(self._text):  # only what would end a group is left behind
            cure = 'leave it out, or put what it belongs to in quotes: "a) b"'
            raise BadQuery("nothing is open that this parenthesis would close", self._at, cure)
        return part

    def _any(self, depth: int) -> Part:
        parts = [self._all(depth)]
        while self._operator() == "OR":
            parts.append(self._all(depth, behind=self._take("OR")))
        return parts[0] if len(parts) == 1 else Any(tuple(parts))

    def _all(self, depth: int, behind: int | None = None) -> Part:
        """Read terms up to an OR or the end of the group; `behind` is where the OR stands that they follow."""
        parts: list[Part] = []
        while True:
            word = self._operator()
            if word == "AND" and parts:
                behind = self._take("AND")
                if self._ends() or self._operator() in ("AND", "OR"):
                    raise BadQuery("nothing stands behind this AND", behind, 'add it, or write "AND" in quotes')
            elif word in ("AND", "OR") and not parts:
                raise self._lonely(word, behind)
            elif self._ends() or word == "OR":
                break
            parts.append(self._factor(depth))
        if not parts:
            raise self._lonely("OR", behind)
        return parts[0] if len(parts) == 1 else All(tuple(parts))

    def _lonely(self, word: str, behind: int | None) -> BadQuery:
        if behind is not None:
            return BadQuery("nothing stands behind this OR", behind, 'add it, or write "OR" in quotes')
        return BadQuery(f"nothing stands before this {word}", self._at, f'add it, or write "{word}" in quotes')

    def _factor(self, depth: int) -> Part:
        at, is_not = self._at, self._operator() == "NOT"
        if depth >= MOST_DEPTH and (is_not or self._text[at] in "-("):
            raise BadQuery("this lies too deep", at, f"parentheses and NOT may lie {MOST_DEPTH} deep")
        if is_not:
            self._take("NOT")
            if self._ends() or self._operator() in ("AND", "OR"):
                raise BadQuery("nothing stands behind this NOT", at, 'add it, or write "NOT" in quotes')
            return Not(self._factor(depth + 1))
        if self._text[at] == "-":
            self._at += 1
            if self._at == len(self._text) or self._text[self._at].isspace() or self._text[self._at] == ")":
                raise BadQuery("a minus stands alone", at, 'put it right before what is not wanted, or in quotes: "-"')
            return Not(self._factor(depth + 1))
        if self._text[at] == "(":
            return self._group(depth)
        return self._leaf()

    def _group(self, depth: int) -> Part:
        at = self._at
        self._at += 1
        self._skip()
        if self._text[self._at : self._at + 1] == ")":
            raise BadQuery("these parentheses are empty", at, "leave them out, or put something between them")
        if self._at == len(self._text):
            raise BadQuery("this parenthesis is not closed", at, "close it, or put it in quotes")
        part = self._any(depth + 1)
        if self._at == len(self._text):
            raise BadQuery("this parenthesis is not closed", at, "close it, or put it in quotes")
        self._at += 1
        self._skip()
        return part

    # One term -----------------------------------------------------------------------------------------

    def _leaf(self) -> Part:
        at = self._at
        self._terms += 1
        if self._terms > MOST_TERMS:
            raise BadQuery("this is too much at once", at, f"at most {MOST_TERMS} words can be asked for at once")
        field = self._field()
        if field:
            self._at += len(field) + 1
            value_at, value = self._value(field)
            part = self._of_field(field.lower(), value, value_at)
        elif self._text[at] in _OPENING:
            part = Word(self._searched(self._phrase(), at))
        else:
            part = Word(self._searched(self._bare(), at))
        self._skip()
        return part

    def _field(self) -> str:
        """Give the name of the field that begins here, nothing where a word does."""
        found = _FIELD.match(self._text, self._at)
        if found is None:
            return ""
        name, behind = found.group(1), self._text[found.end() : found.end() + 2]
        if name.lower() in _FIELDS:
            return name
        if behind == "//" or (len(name) == 1 and behind[:1] in ("/", "\\")):  # an address, or a drive
            return ""
        word = self._text[self._at : min(self._word_end(self._at), self._at + _SHOWN)]
        raise BadQuery(
            f'there is no field "{name[:_SHOWN]}"',
            self._at,
            f'the fields are {", ".join(_FIELDS[:-1])} and {_FIELDS[-1]}; put what is none in quotes: "{word}"',
        )

    def _value(self, field: str) -> tuple[int, str]:
        """Give where a field's value begins, and the value."""
        at = self._at
        next_ = self._text[at : at + 1]
        if next_ and next_ in _OPENING:
            return at + 1, self._phrase()
        if next_ == "(":
            raise BadQuery(f"{field}: takes one value", at, f"write ({field}:a OR {field}:b), or put it in quotes")
        value = self._bare()
        if not value:
            raise BadQuery(f"{field}: lacks its value", at, "write it right behind the colon, without a space")
        return at, value

    def _of_field(self, field: str, value: str, at: int) -> Part:
        match field:
            case "tag":
                return Tagged(value[:-1], "prefix") if value.endswith("*") else Tagged(value)
            case "type":
                return self._typed(value, at)
            case "size":
                return Sized(*self._amount(lambda: sizes(value), at))
            case "added":
                return Added(*self._amount(lambda: times(value, self._meaning.now_ms, self._meaning.zone), at))
            case "used":
                return Used(*self._amount(lambda: times(value, self._meaning.now_ms, self._meaning.zone), at))
            case "is":
                return _is(value, at)
            case "hash":
                return _hashed(value, at)
            case "path":
                return Path(self._searched(value.replace("\\", "/"), at))
            case _:
                return Word(self._searched(value, at), "name")

    def _typed(self, value: str, at: int) -> Typed:
        try:
            return Typed(self._meaning.type_of(value))
        except ValueError as error:
            raise BadQuery("this is no type", at, str(error)) from error

    @staticmethod
    def _amount(read: Callable[[], tuple[int, int]], at: int) -> tuple[int, int]:
        try:
            return read()
        except BadAmount as error:
            raise BadQuery(error.what, at + error.at, error.cure) from error

    def _phrase(self) -> str:
        """Read what stands in quotes; a plain quotation mark among it is written twice."""
        opened = self._at
        found = (_TYPEWRITTEN if self._text[opened] == '"' else _TYPESET).match(self._text, opened)
        if found is None:
            raise BadQuery("this quotation mark is not closed", opened, "close it")
        text = found.group(1)
        if not text.strip():
            raise BadQuery("nothing stands between these quotation marks", opened, "leave them out, or fill them")
        self._at = found.end()
        return text.replace('""', '"') if found.re is _TYPEWRITTEN else text

    def _bare(self) -> str:
        at = self._at
        self._at = self._word_end(at)
        return self._text[at : self._at]

    def _word_end(self, at: int) -> int:
        """Give where a word ends; parentheses that open and close within it are its own, as in `name(v2)`."""
        start = at
        while at < len(self._text):
            character = self._text[at]
            if character.isspace() or character in _OPENING or character == ")":
                break
            if character == "(":
                closed = 0 if self._text[start:at] in OPERATORS else self._closed(at)
                if not closed:
                    break
                at = closed
            at += 1
        return at

    def _closed(self, at: int) -> int:
        """Give where the parenthesis at a place is closed within its word, 0 where it is not."""
        depth = 0
        for place in range(at, len(self._text)):
            character = self._text[place]
            if character.isspace() or character in _OPENING:
                return 0
            depth += (character == "(") - (character == ")")
            if depth == 0:
                return place
        return 0

    def _searched(self, text: str, at: int) -> str:
        if not fold(text):
            raise BadQuery("here stand only marks, which a search passes over", at, "add the letter they belong to")
        return text

    # Where we are -------------------------------------------------------------------------------------

    def _skip(self) -> None:
        while self._at < len(self._text) and self._text[self._at].isspace():
            self._at += 1

    def _ends(self) -> bool:
        return self._at == len(self._text) or self._text[self._at] == ")"

    def _operator(self) -> str:
        """Give the operator that stands here, nothing where none does."""
        word = self._text[self._at : self._word_end(self._at)]
        return word if word in OPERATORS else ""

    def _take(self, word: str) -> int:
        """Go behind an operator, and give where it stands."""
        at = self._at
        self._at += len(word)
        self._skip()
        return at


def _is(value: str, at: int) -> Is:
    what = _OTHER_STATES.get(value.lower(), value.lower())
    if what not in STATES:
        raise BadQuery(f"nothing is known as is:{value[:_SHOWN]}", at, f"there is is: {', '.join(STATES)}")
    return Is(msgspec.convert(what, State))


def _hashed(value: str, at: int) -> Hashed:
    wrong = re.search("[^0-9a-fA-F]", value)
    if wrong is not None:
        raise BadQuery("a hash has only the digits 0 to 9 and a to f", at + wrong.start(), "copy it anew")
    if not _LEAST_DIGITS <= len(value) <= _MOST_DIGITS:
        raise BadQuery(
            "a hash is looked for by its first digits", at, f"give {_LEAST_DIGITS} to {_MOST_DIGITS} of them"
        )
    return Hashed(value.lower())
