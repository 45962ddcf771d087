"""Edits of several models at once: one decision, one action, and events only where something changes."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import apsw
from msgspec import UNSET

from ..events.catalog import Changes, Event, ModelEdited, ModelTagged, ModelUntagged
from ..events.writer import Decision
from ..projections import models, tags
from ..projections.models import Mark
from . import tagging
from .edits import Refused, canonical
from .shapes import ModelsPatch
from .sightings import of_model

MOST_CHANGES = 100_000  # models times tags: they are one transaction, behind which all other writes wait


@dataclass(frozen=True, slots=True)
class _Tags:
    """What tags change: those to take off and to put on, each with the models that carry it now."""

    off: list[tuple[int, set[str]]] = field(default_factory=list[tuple[int, set[str]]])
    on: list[tuple[int, set[str]]] = field(default_factory=list[tuple[int, set[str]]])

    def of(self, sha256: str) -> Iterator[Event]:
        """Give what changes of one model."""
        yield from (ModelUntagged(sha256, tag) for tag, carriers in self.off if sha256 in carriers)
        yield from (ModelTagged(sha256, tag) for tag, carriers in self.on if sha256 not in carriers)


def edit_models(db: apsw.Connection, patch: ModelsPatch) -> Decision:
    """Decide an edit of several models; the value is `{changed, unchanged, unknown}`. Raises `Refused`, `BadTag`."""
    wanted = list(dict.fromkeys(patch.models))
    type_ = None if patch.type is UNSET else canonical(patch.type)
    _refuse_too_much(patch, len(wanted))
    known = models.marks(db, wanted)
    tagger = tagging.Tagger(db)
    tagged = _tags(db, tagger, patch, list(known))
    changes = [(sha256, [*_edited(sha256, mark, type_, patch), *tagged.of(sha256)]) for sha256, mark in known.items()]
    changed = sum(bool(events) for _, events in changes)
    value = {
        "changed": changed,
        "unchanged": len(known) - changed,
        "unknown": [sha256 for sha256 in wanted if sha256 not in known],
    }
    return Decision([*tagger.events, *(of_model(sha256, each) for sha256, events in changes for each in events)], value)


def _refuse_too_much(patch: ModelsPatch, count: int) -> None:
    names = len(patch.add_tags or ()) + len(patch.remove_tags or ())
    if count * names > MOST_CHANGES:
        raise Refused(f"{names:,} tags on {count:,} models are too much at once; change fewer models, or fewer tags")


def _tags(db: apsw.Connection, tagger: tagging.Tagger, patch: ModelsPatch, known: list[str]) -> _Tags:
    """Give what tags change; a name that is no tag yet becomes one where there is a model to put it on."""
    add, remove = patch.add_tags or [], patch.remove_tags or []
    tagging.refuse_both(add, remove)
    if not known:
        return _Tags()
    return _Tags(
        off=[(tag, tags.carriers(db, tag, known)) for tag in tagger.known(remove)],
        on=[(tag, tags.carriers(db, tag, known)) for tag in tagger.ids(add)],
    )


def _edited(sha256: str, mark: Mark, type_: str | None, patch: ModelsPatch) -> Iterator[Event]:
    fields: dict[str, Any] = {}
    if type_ is not None and type_ != mark.type:
        fields["type"] = type_
    if patch.favorite is not UNSET and (patch.favorite != mark.favorite or (mark.favorite and not mark.is_said)):
        fields["favorite"] = patch.favorite
    if fields:
        yield ModelEdited(sha256, Changes(**fields))
