"""Paths as text that JSON and SQLite can hold, whatever bytes a file's name is made of.

On Linux a file name is bytes and need not be UTF-8. Python hands such a byte over as a lone surrogate
(PEP 383), which no JSON encoder takes. A NUL cannot occur in a path, so here an undecodable unit becomes
NUL and its four hexadecimal digits. The form is one to one, and a valid path is its own text.
"""

import re

_SURROGATE = re.compile("[\ud800-\udfff]")
_ESCAPED = re.compile("\0([0-9a-f]{4})")


def to_text(path: str) -> str:
    """Give the text of a path as Python's `os` functions write it (surrogate escapes included)."""
    if path.isascii():
        return path
    return _SURROGATE.sub(lambda unit: f"\0{ord(unit.group()):04x}", path)


def to_path(text: str) -> str:
    """Give back the path for Python's `os` functions; the inverse of `to_text`."""
    if "\0" not in text:
        return text
    return _ESCAPED.sub(lambda unit: chr(int(unit.group(1), 16)), text)


def shown(text: str) -> str:
    """Give the path as people see it: every undecodable unit is U+FFFD, the replacement character."""
    return _ESCAPED.sub("\ufffd", text) if "\0" in text else text


def is_valid(text: str) -> bool:
    """Tell whether the path is valid UTF-8, so that programs which pass paths as text can open it."""
    return "\0" not in text
