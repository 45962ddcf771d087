"""What people change by hand: the fields, tags and cover of models, the fields of pending models, dismissals."""

import unicodedata
from collections.abc import Callable, Iterable
from typing import Any

import apsw
from msgspec import UNSET

from ..events.catalog import (
    Changes,
    CoverChosen,
    Event,
    FileTrashed,
    ModelEdited,
    ModelTagged,
    ModelUntagged,
    PendingDismissed,
    PendingEdited,
    PendingTagged,
    PendingUntagged,
    Prompts,
)
from ..events.writer import Decision
from ..projections import images, models, pending, tags
from . import tagging
from .names import canonical_type
from .shapes import ModelPatch, PendingPatch
from .sightings import of_model, of_pending, of_trash


class NotFound(LookupError):
    """There is no such model, pending model or picture."""


class Stale(Exception):
    """Somebody else changed it meanwhile (If-Match did not match)."""


class Refused(ValueError):
    """A value that cannot be; the message says what to do."""


def edit_model(db: apsw.Connection, sha256: str, patch: ModelPatch, version: int | None) -> Decision:
    """Decide an edit of a model; `version` is the one the edit was made on, None for any."""
    known = models.get(db, sha256)
    if known is None:
        raise NotFound(f"there is no model {sha256[:12]}; it may not be imported yet")
    _must_be_at(known.version, version)
    fields = _changes(patch, known) | _favorite(patch, known)
    events: list[Event] = [ModelEdited(sha256, Changes(**fields))] if fields else []
    tagger = tagging.Tagger(db)
    events += _tagged(
        tagger,
        patch,
        tags.of_model(db, sha256),
        lambda tag: ModelTagged(sha256, tag),
        lambda tag: ModelUntagged(sha256, tag),
    )
    if patch.cover is not UNSET:
        if not images.has(db, sha256, patch.cover):
            raise Refused(f"this model has no picture {patch.cover}; choose one of {images.sequences(db, sha256)}")
        if images.cover(db, sha256) != patch.cover:
            events.append(CoverChosen(sha256, patch.cover))
    return Decision([*tagger.events, *(of_model(sha256, event) for event in events)])


def edit_pending(db: apsw.Connection, number: int, patch: PendingPatch, version: int | None) -> Decision:
    """Decide an edit of a pending model; `version` is the one the edit was made on, None for any."""
    known = _pending(db, number)
    _must_be_at(known.version, version)
    fields = _changes(patch, known)
    if "type" not in fields and patch.type is not UNSET and "type" not in known.given:
        fields["type"] = canonical(patch.type)  # a guess that somebody confirms is a guess no more
    if "name" not in fields and patch.name is not UNSET and "name" not in known.given:
        fields["name"] = clean_name(patch.name)
    events: list[Event] = [PendingEdited(number, Changes(**fields))] if fields else []
    tagger = tagging.Tagger(db)
    events += _tagged(
        tagger,
        patch,
        tags.of_pending(db, number),
        lambda tag: PendingTagged(number, tag),
        lambda tag: PendingUntagged(number, tag),
    )
    return Decision([*tagger.events, *(of_pending(number, event) for event in events)])


def dismiss(db: apsw.Connection, number: int, trashed: FileTrashed | None) -> Decision:
    """Decide that a pending model is sent away; `trashed` tells of its file, None for one in place."""
    known = _pending(db, number)
    events = [] if trashed is None else [of_trash(trashed)]
    dismissed = PendingDismissed(number, None if trashed is None else trashed.trash)
    return Decision([*events, of_pending(known.id, dismissed)])


def canonical(type_: str) -> str:
    """Give a type as ComfyUI spells it; raises `Refused`."""
    try:
        return canonical_type(type_)
    except ValueError as error:
        raise Refused(str(error)) from error


def clean_name(name: str) -> str:
    """Give a name as it is kept: trimmed; raises `Refused` where nothing is left."""
    name = name.strip()
    if not name:
        raise Refused("a name cannot be empty")
    if any(unicodedata.category(c) == "Cc" for c in name):
        raise Refused("a name cannot hold control characters")
    return name


def _pending(db: apsw.Connection, number: int) -> pending.Pending:
    known = pending.get(db, number)
    if known is None:
        raise NotFound(f"there is no pending model {number}; list them with `hikazed pending`")
    return known


def _must_be_at(actual: int, expected: int | None) -> None:
    if expected is not None and actual != expected:
        raise Stale(f"somebody changed it meanwhile (it is at version {actual}, not {expected}); read it and try again")


def _changes(patch: PendingPatch, known: models.Model | pending.Pending) -> dict[str, Any]:
    """Give the fields of a patch that differ from what people see, or that so far only a sidecar says so."""
    wanted: dict[str, Any] = {}
    if patch.name is not UNSET:
        wanted["name"] = clean_name(patch.name)
    if patch.type is not UNSET:
        wanted["type"] = canonical(patch.type)
    for field in ("description", "community_links"):
        value = getattr(patch, field)
        if value is not UNSET:
            wanted[field] = value
    if patch.trigger_words is not UNSET:
        wanted["trigger_words"] = tuple(dict.fromkeys(word.strip() for word in patch.trigger_words if word.strip()))
    if patch.prompts is not UNSET:
        before = known.texts.prompts
        positive, negative = patch.prompts.positive, patch.prompts.negative
        wanted["prompts"] = Prompts(
            before.positive if positive is UNSET else positive, before.negative if negative is UNSET else negative
        )
    current = {"name": known.name, "type": known.type}
    return {
        field: value
        for field, value in wanted.items()
        if (value != current[field] if field in current else _is_new(value, known, field))
    }


def _tagged(
    tagger: tagging.Tagger,
    patch: PendingPatch,
    have: Iterable[int],
    on: Callable[[int], Event],
    off: Callable[[int], Event],
) -> list[Event]:
    """Give the events that bring the tags of a patch about, where `have` stands now."""
    if patch.tags is not UNSET:
        return tagging.replace(tagger, have, patch.tags, on, off)
    return tagging.change(tagger, have, patch.add_tags or (), patch.remove_tags or (), on, off)


def _is_new(value: Any, known: models.Model | pending.Pending, field: str) -> bool:
    """Tell whether a text is to be written: it is another, or is somebody's now, so that no sidecar changes it."""
    seen = getattr(known.texts, field)
    return value != seen or (seen != getattr(known.own, field) and field not in known.given)


def _favorite(patch: ModelPatch, known: models.Model) -> dict[str, Any]:
    if patch.favorite is UNSET or (patch.favorite == known.favorite and not _is_told_favorite(known)):
        return {}
    return {"favorite": patch.favorite}


def _is_told_favorite(known: models.Model) -> bool:
    return known.favorite and "favorite" not in known.given
