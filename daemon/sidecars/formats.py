"""What the files beside a model tell of it: which file is one of which program, and what it says.

Such a file is hostile and broken until shown otherwise: whatever its bytes are, reading it takes bounded time and
memory, never raises, and gives the same each time. The formats are told of in the modules that read them.
"""

import codecs
import json
import re
from collections.abc import Callable
from typing import Any

from ...events.catalog import Provided
from .. import names
from . import civitai, managers, ours, webui
from . import text as sidecar_text

MAX_BYTES = 16 * 1024 * 1024
"""The most bytes of a sidecar that are read; one with its pictures inside has some MiB, others some KiB."""

MAX_ENTRIES = 400_000
"""The most values that a JSON file may list; the largest answers of Civitai have some 10,000.

Counted before the file is decoded, for 16 MiB of empty lists would become a gigabyte of objects.
"""

SOURCES = ("text", "lora-manager", "a1111", "stability-matrix", "rgthree", "swarm", "civitai-info")
"""The formats, those first in which people write their own words."""

Reader = Callable[[dict[str, Any], str], Provided | None]

_READERS: dict[str, Reader] = {
    "lora-manager": managers.read_lora_manager,
    "a1111": webui.read_a1111,
    "stability-matrix": managers.read_stability_matrix,
    "rgthree": managers.read_rgthree,
    "swarm": webui.read_swarm,
    "civitai-info": civitai.read,
}


def source_of(sidecar_name: str, model_name: str) -> str | None:
    """Give the format that a file beside a model has by its name, None where it is no sidecar of this model."""
    return names.source_of_sidecar(sidecar_name, model_name)


def parse(source: str, data: bytes, name: str) -> Provided | None:
    """Give what a sidecar of this name says, None where it is none of its format, but some other program's file.

    It never raises: where nothing, or not all, can be taken, `problem` says why, as a sentence without its subject.
    `data` is all of the file, or its first `MAX_BYTES` + 1 bytes where it has more. A `source` that is none of
    `SOURCES` gives None.
    """
    reader = _READERS.get(source)
    if reader is None and source != "text":
        return None
    if len(data) > MAX_BYTES:
        return _unreadable(source, f"is larger than {MAX_BYTES // 1024**2} MiB, which no such file is", "")
    if is_binary(data):
        return _unreadable(source, "is no text", "")
    text = decoded(data)
    if reader is None:
        return sidecar_text.read(text)
    try:
        fields = _json(text)
    except _NoJson as problem:
        return _unreadable(source, str(problem), text)
    if not isinstance(fields, dict):
        return _unreadable(source, "is no JSON object, as such a file is", "")
    return ours.with_mark(source, fields, reader(fields, _stem(name, source)))


def decoded(data: bytes) -> str:
    """Give the text of a file in UTF-8, UTF-16 or, where it is neither, in what Windows writes in the West.

    Null bytes are left out, and a byte that is none of UTF-8's among many that are becomes U+FFFD.
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding, "replace").replace("\0", "")
    start = data[:_START]
    if _is_utf16(start):
        encoding = "utf-16-be" if start[::2].count(0) else "utf-16-le"
        return data.decode(encoding, "replace").replace("\0", "")
    text = data.decode("utf-8", "replace")
    part = text[:_TELLING]
    if part.count("\ufffd") * 2 > len(part) - len(part.encode("ascii", "ignore")):
        text = _western(data)
    return text.replace("\0", "")


def is_binary(data: bytes) -> bool:
    """Tell whether a file is no text: more than a tenth of its beginning is control characters."""
    start = data[:_START]
    if start.startswith(tuple(mark for mark, _ in _MARKS)) or _is_utf16(start):
        return False
    return sum(start.count(control) for control in _CONTROLS) * 10 > len(start)


def _is_utf16(start: bytes) -> bool:
    """Tell whether a third of what a file begins with, or more, are null bytes, all of them in every other place."""
    return start.count(0) * 3 > len(start) >= 2 and not (start[::2].count(0) and start[1::2].count(0))


def _western(data: bytes) -> str:
    try:
        return data.decode("cp1252")
    except UnicodeDecodeError:
        return data.decode("latin-1")


class _NoJson(Exception):
    """A text is no JSON; the message is the problem, a sentence without its subject."""


def _json(text: str) -> object:
    if _entries(text) > MAX_ENTRIES and _entries(_STRINGS.sub("", text)) > MAX_ENTRIES:
        raise _NoJson("lists more values than any such file does")
    try:
        return json.loads(text, strict=False, parse_constant=_no_number) if text.strip() else {}
    except json.JSONDecodeError as error:
        raise _NoJson(f"is no JSON: {error.msg.lower()} in line {error.lineno}, column {error.colno}") from error
    except RecursionError as error:
        raise _NoJson("has lists within lists deeper than any such file does") from error
    except ValueError as error:  # a number of more than 4300 digits
        raise _NoJson("has a number that is none") from error


def _entries(text: str) -> int:
    """Give at least as many as there are values in a JSON text; commas in its strings are counted with them."""
    return text.count(",") + text.count("[") + text.count("{")


def _no_number(_: str) -> None:
    """Take NaN and Infinity, which are no JSON, for nothing."""


def _unreadable(source: str, problem: str, text: str) -> Provided | None:
    # A broken or odd `foo.json` can be anybody's; all other names are of one program alone.
    if source == "a1111" and not webui.mentions_a1111(text):
        return None
    return Provided(problem=problem)


def _stem(name: str, source: str) -> str:
    """Give the stem of the model by the name of its sidecar."""
    endings = [ending for ending, of in names.SIDECAR_ENDINGS if of == source and name.lower().endswith(ending)]
    owner = name[: -len(max(endings, key=len))] if endings else name
    return names.stem(owner) if source == "rgthree" else owner


_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_STRINGS = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_CONTROLS = bytes({*range(32)} - {*b"\t\n\f\r\x1b"})
_START = 200  # bytes in which it shows whether a text is UTF-16, or no text at all
_TELLING = 1024**2  # characters in which it shows whether a text is UTF-8
