"""What follows from what a model file says of itself: pure decisions from the read tables and a header that was read.

A tag that a header tells is put on once, when a header first tells it, and never where a person took one of that name
off: who takes a tag off has the last word, by whatever rules and however often the file is read. One that only the
reading before told, of other content or by worse rules, goes again. All of it belongs into the streams of what
sidecars say, for nobody has edited anything.
"""

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from typing import Any

import apsw
import msgspec

from ..events.catalog import (
    Event,
    ModelHeaderRead,
    ModelTagged,
    ModelUntagged,
    Origin,
    PendingHeaderRead,
    PendingTagged,
    PendingUntagged,
)
from ..projections import headers, models, pending, tags
from ..projections.tagpast import taken_off_model, taken_off_pending, told_by_header
from ..projections.text import tag_key
from ..projections.told import tags_told
from .tagging import BadTag, Tagger, clean

MOST_TAGS = 50
"""Tags that are taken from one header."""

Header = Mapping[str, Any]
"""A header as events carry it, made by whichever version of `content.reading`."""


def names_told(header: Header) -> dict[str, str]:
    """Give the names of the tags that a header tells, as tags are kept, by `tag_key`."""
    found: dict[str, str] = {}
    for name in tags_told(header)[:MOST_TAGS]:
        try:
            kept = clean(name)
        except BadTag:
            continue
        found.setdefault(tag_key(kept), kept)
    return found


# Pending models


def tags_of_new(tagger: Tagger, number: int, header: Header) -> list[Event]:
    """Give the events by which a pending model that was not known has the tags that its header tells."""
    return [PendingTagged(number, tag, "header") for tag in tagger.ids(names_told(header).values())]


def tags_of_pending(
    db: apsw.Connection, tagger: Tagger, number: int, header: Header, *, instead_of: int | None = None
) -> list[Event]:
    """Give the events by which a pending model comes to the tags that its header tells.

    `instead_of` is the pending model that it takes the place of, whose tags come along.
    """
    names, before = names_told(header), headers.of_pending(db, number)
    if not (names or before):
        return []
    past = _Past.of_pending(db, number)
    barred, have = past.barred, past.have.keys()
    if instead_of is not None:
        other = _Past.of_pending(db, instead_of)
        barred, have = barred | other.barred, have | other.have.keys()
    return [
        *(PendingUntagged(number, tag) for tag in past.withdrawn(before, names)),
        *(PendingTagged(number, tag, "header") for tag in _new(tagger, names, barred, have)),
    ]


def learnt_of_pending(db: apsw.Connection, tagger: Tagger, number: int, header: Header) -> list[Event]:
    """Give what follows from a pending model's header that was read anew; nothing where the rules are no better."""
    if headers.rules_of(header) <= headers.rules_of_pending(db, number):
        return []
    return [PendingHeaderRead(number, dict(header)), *tags_of_pending(db, tagger, number, header)]


def withdrawn_of_pending(db: apsw.Connection, number: int, header: Header) -> set[int]:
    """Give the tags of a pending model that are there for its header alone, and that a better reading tells no more."""
    if headers.rules_of(header) <= headers.rules_of_pending(db, number):
        return set()
    return set(_Past.of_pending(db, number).withdrawn(headers.of_pending(db, number), names_told(header)))


# Models


def tags_of_model(
    db: apsw.Connection, tagger: Tagger, model: str, header: Header, *, number: int | None = None
) -> list[Event]:
    """Give the events by which a model comes to the tags that its header tells.

    `number` is that of the pending model that becomes it, or a part of it: its tags come along, what its headers told
    was told, and what a person took off it is not put on the model.
    """
    names, before = names_told(header), headers.of_model(db, model)
    if not (names or before):
        return []
    past = _Past.of_model(db, model)
    barred, have = past.barred, past.have.keys()
    if number is not None:
        other = _Past.of_pending(db, number)
        barred, have = barred | other.barred, have | other.have.keys()
    return [
        *(ModelUntagged(model, tag) for tag in past.withdrawn(before, names)),
        *(ModelTagged(model, tag, "header") for tag in _new(tagger, names, barred, have)),
    ]


def learnt_of_model(
    db: apsw.Connection,
    tagger: Tagger,
    model: str,
    header: Header,
    *,
    number: int | None = None,
    is_proven: bool = False,
) -> list[Event]:
    """Give what follows from the header of a known model's file; nothing where it was read by rules as good.

    `is_proven` says that the file was hashed just now, for the first time: what was read before of one that was
    claimed to be the model's may be another file's.
    """
    rules, known_rules = headers.rules_of(header), headers.rules_of_model(db, model)
    is_news = rules > known_rules
    if is_proven and rules and not is_news:
        is_news = rules == known_rules and headers.of_model(db, model) != _as_stored(header)
    if not is_news:
        return []
    return [ModelHeaderRead(model, dict(header)), *tags_of_model(db, tagger, model, header, number=number)]


def forgotten_of_model(db: apsw.Connection, tagger: Tagger, model: str, header: Header) -> list[Event]:
    """Give what follows where a file that was claimed to be a model's is not: what it said is not said of the model."""
    if not headers.rules_of(header) or headers.of_model(db, model) != _as_stored(header):
        return []
    return [ModelHeaderRead(model, {}), *tags_of_model(db, tagger, model, {})]


def _as_stored(header: Header) -> Any:
    return msgspec.json.decode(msgspec.json.encode(header))


# Both


@dataclass(frozen=True, slots=True)
class _Past:
    """The tags of a model or pending model: its own, and by `tag_key` what was with them until now."""

    have: dict[int, str]
    origins: dict[int, Origin]
    barred: set[str]
    """What a header told before, and what a person took off."""
    named: set[str]
    """What sidecars named."""

    @classmethod
    def of_pending(cls, db: apsw.Connection, number: int) -> "_Past":
        barred = told_by_header(db, number) | taken_off_pending(db, number)
        origins = tags.origins_of_pending(db, number)
        return cls(tags.of_pending(db, number), origins, barred, pending.provided_tags(db, number))

    @classmethod
    def of_model(cls, db: apsw.Connection, model: str) -> "_Past":
        barred = told_by_header(db, model) | taken_off_model(db, model)
        return cls(tags.of_model(db, model), tags.origins_of_model(db, model), barred, models.provided_tags(db, model))

    def withdrawn(self, before: Header, names: Mapping[str, str]) -> Iterator[int]:
        """Give the tags that are there for nothing but that the header told them as it was read before."""
        no_more = names_told(before).keys() - names.keys() - self.named
        for tag, name in self.have.items():
            if self.origins[tag] == "header" and tag_key(name) in no_more:
                yield tag


def _new(tagger: Tagger, names: Mapping[str, str], barred: Set[str], have: Set[int]) -> list[int]:
    return [tag for tag in tagger.ids(name for key, name in names.items() if key not in barred) if tag not in have]
