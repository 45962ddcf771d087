"""The values in a sidecar, each made what is wanted of it: whatever it is, it becomes that, or nothing."""

import re
import unicodedata
from collections.abc import Iterator
from typing import Any

from . import cleantext

MAX_LINE = 500
"""The most characters of a name and of a fact."""

MAX_LINE_IN = 4 * MAX_LINE
"""The most characters that are looked at for a line, markup included."""

MAX_WORD = 1_000
"""The most characters of a trigger word."""

MAX_TAG = 200
"""The most characters of a tag, as `tagging.LONGEST`."""

MAX_FACT_ITEMS = 30

_MAX_DEPTH = 4
_MAX_NUMBER = 2**53
_MAX_ITEMS = 20_000
_SHA256 = re.compile(r"(?:0x)?([0-9a-f]{64})", re.IGNORECASE)
_SPACES = re.compile(r"\s+")
_BRACKETS = {")": "(", "]": "[", "}": "{"}


def line_of(text: str) -> str:
    """Give a text on one line of at most `MAX_LINE` characters."""
    return cleantext.shortened(_SPACES.sub(" ", text).strip(), MAX_LINE)


def word_of(word: str) -> str:
    """Give a trigger word on one line, nothing where it is no word but an essay."""
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
    if not abs(value) <= _MAX_NUMBER:  # nor is NaN
        return None
    return int(value) if value == int(value) else value


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
        return line_of(cleantext.clean(value[:MAX_LINE_IN])) or None
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
        pairs = ((line_of(cleantext.clean(str(key)[:100])), plain(part, depth - 1)) for key, part in _first(value))
        return {key: part for key, part in pairs if key and part is not None} or None
    return None


def _first(value: dict[Any, Any]) -> list[tuple[Any, Any]]:
    return list(value.items())[:MAX_FACT_ITEMS] if len(value) <= _MAX_ITEMS else []


def is_nothing(value: object) -> bool:
    """Tell whether a value says nothing, in whatever way."""
    return value is None or value is False or value in ("", "{}", "[]", [], {}) or (value == 0)


def texts_in(value: object, depth: int = _MAX_DEPTH) -> Iterator[str]:
    """Give the texts in a value that should be a list of texts, whatever it is."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, int | float) and not isinstance(value, bool):
        if number_of(value) is not None:
            yield str(value)
    elif isinstance(value, dict):
        yield from texts_in(next((value[key] for key in ("word", "name", "tag") if key in value), None), 0)
    elif isinstance(value, list) and depth:
        for item in value[:_MAX_ITEMS]:
            yield from texts_in(item, depth - 1)
