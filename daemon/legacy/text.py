"""Values from an earlier library's database, made safe: whatever stands in a column becomes clean text or a number.

A value comes as SQLite's name of its kind and its bytes (`Cell`), since text there need not be valid in any encoding.
"""

import json
import os
import re
import unicodedata
from collections.abc import Iterable
from typing import Any, cast

Cell = tuple[str, bytes | None]
"""What `typeof` says of a value (or "large", where it was not read), and its bytes."""

MOST_BYTES = 4 << 20
"""The largest value that is read: the largest body that our own API takes."""
NESTED = 3  # how often JSON is looked for inside a string: programs encode twice by mistake, hardly more often
DEEPEST = 50  # levels: what people have in these fields has three

_SURROGATE = re.compile("[\ud800-\udfff]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]+")
_WHOLE = re.compile(r"[+-]?\d{1,19}")


def text_of(cell: Cell, encoding: str = "utf-8") -> str:
    """Give a value as clean text; what is no text in the database's `encoding` becomes U+FFFD."""
    return clean(_decoded(cell, encoding, "replace"))


def path_of(cell: Cell, encoding: str = "utf-8") -> str:
    """Give a value as a path; bytes that are no UTF-8 become what Python's `os` functions make of them."""
    if cell[0] == "blob" or encoding == "utf-8":
        return os.fsdecode((cell[1] or b"").replace(b"\0", b"")).strip()
    return text_of(cell, encoding).strip()


def _decoded(cell: Cell, encoding: str, errors: str) -> str:
    kind, data = cell
    return (data or b"").decode("utf-8" if kind == "blob" else encoding, errors)


def clean(text: str) -> str:
    """Give a text without NULs and lone surrogates, which neither JSON nor SQLite takes."""
    return _SURROGATE.sub("\ufffd", text.replace("\0", "")).removeprefix("\ufeff")


def one_line(text: str) -> str:
    """Give a text without control characters, in NFC, as a name is kept."""
    return unicodedata.normalize("NFC", _CONTROL.sub(" ", text)).strip()


def brief(text: str, most: int = 80) -> str:
    """Give a text as it can stand in a sentence: in one line, and not long."""
    text = one_line(clean(text))
    return text if len(text) <= most else f"{text[:most]}…"


def number_of(text: str) -> int | None:
    """Give the whole number that a text says (`12`, `12.0`, ` 1.2e3 `), None where it says none of 64 bits."""
    text = text.strip()
    try:
        value = int(text) if _WHOLE.fullmatch(text) else int(float(text))
    except (ValueError, OverflowError):
        return None
    return value if -(2**63) <= value < 2**63 else None


def json_of(text: str) -> tuple[Any, str]:
    """Give what a JSON text says, also where that is JSON in a string once more, and what is wrong with it, if so."""
    value: Any = text
    for _ in range(NESTED):
        if not isinstance(value, str) or not value.strip():
            break
        try:
            value = json.loads(value.removeprefix("\ufeff"))
        except ValueError as error:
            return None, f"is no valid JSON ({brief(str(error))}): {brief(text)}"
        except RecursionError:
            return None, "is JSON that is nested too deeply"
    return (None, "is JSON that is nested too deeply") if _is_deep(value) else (None if value == "" else value, "")


def _is_deep(value: Any) -> bool:
    level = [value]
    for _ in range(DEEPEST):
        level = [inside for item in level for inside in _inside(item) if isinstance(inside, list | dict)]
    return bool(level)


def _inside(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return cast("dict[str, Any]", value).values()
    return cast("list[Any]", value) if isinstance(value, list) else ()


def object_of(text: str) -> tuple[dict[str, Any], str]:
    """Give the object that a JSON text holds, empty where it holds nothing, and what is wrong with it, if so."""
    value, wrong = json_of(text)
    if wrong or value is None or value == []:
        return {}, wrong
    if not isinstance(value, dict):
        return {}, f"holds no object: {brief(text)}"
    return cast("dict[str, Any]", value), ""


def inner(value: Any) -> Any:
    """Give what stands in a JSON string where an object or a list is due; what is no JSON stays as it is."""
    if isinstance(value, str) and value.strip()[:1] in ("{", "[", '"'):
        found, wrong = json_of(value)
        return value if wrong else found
    return value


def words(value: Any) -> str | None:
    """Give the text that a JSON value stands for: a list is one item a line. None where it stands for none."""
    match value:
        case None:
            return ""
        case str():
            return clean(value)
        case bool() | float():
            return str(value)
        case int():
            return str(value) if abs(value) < 2**64 else None
        case list():
            lines = [words(item) for item in cast("list[Any]", value) if not isinstance(item, list | dict)]
            whole = len(lines) == len(cast("list[Any]", value)) and None not in lines
            return "\n".join(line for line in lines if line) if whole else None
        case _:
            return None
