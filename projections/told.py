"""What a model file tells of itself, taken out of the `header` that events carry.

That is what `study` (`daemon/content`) has put there beside the plain summary: `told` becomes texts and tags, `facts`
is found by a search. A header that was read before there was any studying has neither. Whatever is not of the shape
that we write counts as nothing.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

import msgspec

MOST_LETTERS = 4_000
"""So many letters of what a header tells are searched besides the texts that people see."""


class Told(msgspec.Struct, frozen=True):
    """What a file tells of itself: texts, the names of tags, and `words`, all that a search looks in."""

    description: str = ""
    trigger_words: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    words: tuple[str, ...] = ()


NOTHING = Told()


def told_of(header: Mapping[str, Any]) -> Told:
    """Give what the `header` of an event tells."""
    told, facts = _object(header.get("told")), _object(header.get("facts"))
    if not told and not facts:
        return NOTHING
    texts = texts_told(header)
    words = _within(MOST_LETTERS, [*_said(facts), *texts.trigger_words, *_trained(facts), texts.description])
    return msgspec.structs.replace(texts, words=words)


def texts_told(header: Mapping[str, Any]) -> Told:
    """Give what the `header` of an event tells, without the words, for where nobody searches."""
    told = _object(header.get("told"))
    if not told:
        return NOTHING
    return Told(_text(told.get("description")), _texts(told.get("trigger_words")), _texts(told.get("tags")))


def tags_told(header: Mapping[str, Any]) -> tuple[str, ...]:
    """Give the names of the tags that the `header` of an event tells, and nothing else."""
    told = header.get("told")
    return _texts(_object(told).get("tags")) if told else ()


def told_in(header_json: str) -> Told:
    """Give what a header tells that the read tables hold."""
    kept = _KEPT.decode(header_json)
    return told_of({"told": kept.told, "facts": kept.facts})


class _Kept(msgspec.Struct):
    told: Any = None
    facts: Any = None


_KEPT = msgspec.json.Decoder(_Kept)  # which passes over the rest, some kilobytes of it


def _said(facts: Mapping[str, Any]) -> Iterator[str]:
    """Give what is short, and says most: what the model is called, by whom it is and of what kind."""
    modelspec, training = _object(facts.get("modelspec")), _object(facts.get("training"))
    yield from (_text(modelspec.get(field)) for field in ("title", "author", "tags"))
    yield _text(facts.get("base_model"))
    yield _text(training.get("ss_output_name"))


def _trained(facts: Mapping[str, Any]) -> Iterator[str]:
    yield from (_text(_object(each).get("word")) for each in _list(facts.get("trained_words")))


def _within(letters: int, texts: Iterable[str]) -> tuple[str, ...]:
    """Give the texts, each once, up to so many letters in all; the one that is too much is cut."""
    kept: list[str] = []
    for text in dict.fromkeys(text for text in texts if text):
        if letters <= 0:
            break
        kept.append(text[:letters])
        letters -= len(text)
    return tuple(kept)


def _object(value: object) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else []


def _texts(value: object) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text for each in _list(value) if (text := _text(each))))


def _text(value: object) -> str:
    return value.strip() if isinstance(value, str) else ""
