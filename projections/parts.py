"""What a search asks for: a tree of parts that says which models are meant, and how it is written out."""

import re
from typing import Literal, get_args

import msgspec

from .amounts import FIRST_MS, LAST_MS, MOST_BYTES, NO_BYTES, moment_text

OPERATORS = ("AND", "OR", "NOT")

State = Literal["missing", "offline", "present", "duplicate", "untagged", "favorite", "unused"]
STATES: tuple[str, ...] = get_args(State)


class Word(msgspec.Struct, frozen=True):
    """The text, folded, is part of what is searched in.

    `any`: of its names, tags, trigger words, texts, prompts and file names, those before too; six hexadecimal digits
    or more may also begin its hash. `name`: of its name alone, or of one it had before. `text` is never all marks that
    folding drops.
    """

    text: str
    field: Literal["any", "name"] = "any"


class Tagged(msgspec.Struct, frozen=True):
    """It carries a tag of this name.

    `folded`: equal when both are folded (`text.fold`). `prefix`: the folded tag begins with the folded name, which may
    be empty. `exact`: equal by `text.tag_key`; only callers that name a tag itself ask so, no text does.
    """

    name: str
    match: Literal["folded", "prefix", "exact"] = "folded"


class Typed(msgspec.Struct, frozen=True):
    """Its type is this one."""

    type: str


class Sized(msgspec.Struct, frozen=True):
    """Its size lies between these, in bytes, both included."""

    least: int
    most: int


class Added(msgspec.Struct, frozen=True):
    """It was added between these times, in ms since 1970 UTC, both included."""

    since: int
    until: int


class Used(msgspec.Struct, frozen=True):
    """A prompt that loads it was queued last between these times, in ms since 1970 UTC, both included."""

    since: int
    until: int


class Is(msgspec.Struct, frozen=True):
    """It is in this state.

    `missing`, `offline` and `present` are the state that its card shows; `duplicate`: its content lies in two files
    or more, as `duplicates` counts them; `untagged`: it has no tag; `unused`: no prompt that loads it was ever queued.
    """

    what: State


class Hashed(msgspec.Struct, frozen=True):
    """One of its known hashes begins with these lower-case hexadecimal digits."""

    prefix: str


class Path(msgspec.Struct, frozen=True):
    """One of its paths holds the text, both folded; of slashes it has only `/`, so turn those of a path, too."""

    text: str


class Not(msgspec.Struct, frozen=True):
    """It is not so."""

    part: "Part"


class All(msgspec.Struct, frozen=True):
    """Every one of these holds; of none, every model."""

    parts: tuple["Part", ...]


class Any(msgspec.Struct, frozen=True):
    """At least one of these holds."""

    parts: tuple["Part", ...]


Part = Word | Tagged | Typed | Sized | Added | Used | Is | Hashed | Path | Not | All | Any


def asks_for_words(part: Part) -> bool:
    """Tell whether some word is asked for, so that models match better or worse."""
    match part:
        case Word():
            return True
        case All(parts=parts) | Any(parts=parts):
            return any(asks_for_words(each) for each in parts)
        case _:
            return False


def text_of(part: Part) -> str:
    """Write a query out, so that `parse` in UTC gives the same part; but for `exact` tags, which no text asks for."""
    match part:
        case All(parts=parts):
            return " ".join(_grouped(each, (All, Any)) for each in parts)
        case Any(parts=parts):
            return " OR ".join(_grouped(each, (Any,)) for each in parts)
        case Not(part=inner):
            return "-" + _grouped(inner, (All, Any))
        case _:
            return _term(part)


def _grouped(part: Part, kinds: tuple[type, ...]) -> str:
    return f"({text_of(part)})" if isinstance(part, kinds) else text_of(part)


def _term(part: Part) -> str:
    match part:
        case Word(text=text, field=field):
            return ("name:" if field == "name" else "") + _quoted(text)
        case Tagged(name=name, match=how):
            return "tag:" + (_quoted(name, "*") if how == "prefix" else _quoted(name))
        case Typed(type=type_):
            return "type:" + _quoted(type_)
        case Sized(least=least, most=most):
            return "size:" + _size_text(least, most)
        case Added(since=since, until=until):
            return "added:" + _added_text(since, until)
        case Used(since=since, until=until):
            return "used:" + _added_text(since, until)
        case Is(what=what):
            return "is:" + what
        case Hashed(prefix=prefix):
            return "hash:" + prefix
        case Path(text=text):
            return "path:" + _quoted(text)
        case _:
            raise TypeError(part)


def _size_text(least: int, most: int) -> str:
    if (least, most) == NO_BYTES:
        return "<0"
    return f">={least}" if most == MOST_BYTES else f"{least}..{most}"


def _added_text(since: int, until: int) -> str:
    if until == LAST_MS:
        return ">=" + moment_text(since)
    if since == FIRST_MS:
        return "<=" + moment_text(until)
    return f"{moment_text(since)}..{moment_text(until)}"


_PLAIN = re.compile(r"\w[\w.-]*")


def _quoted(text: str, more: str = "") -> str:
    if _PLAIN.fullmatch(text) and text not in OPERATORS:
        return text + more
    return '"' + (text + more).replace('"', '""') + '"'
