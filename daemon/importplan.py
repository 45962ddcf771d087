"""What an import does: pure decisions from the read tables, the content's hash, and the wish of whoever asked.

ImportStopped         an import ended without having been done
├── Failed            it cannot be done; the message is the reason and what to do
├── Conflict          the content is known and nobody said what to do with it
└── Withdrawn         somebody cancelled it
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import apsw

from ..events.catalog import (
    Changes,
    CoverChosen,
    Event,
    File,
    FileTrashed,
    ImageAdded,
    ImportCancelled,
    ImportCompleted,
    ImportConflicted,
    ImportFailed,
    ImportPlanned,
    LocationFound,
    ModelEdited,
    ModelImported,
    ModelTagged,
    ModelUntagged,
    PendingImported,
    Prompts,
    Status,
    Strategy,
    Texts,
)
from ..events.record import New
from ..projections import imports, models, pending, tags
from ..projections.layers import FIELDS, is_own
from ..projections.models import Model
from ..projections.pending import Pending
from ..projections.tagpast import taken_off_pending
from ..projections.text import tag_key
from .carrying import said_beside
from .learning import learnt_of_model, names_told, tags_of_model
from .pictures import Picture
from .sightings import further_hashes, of_files, of_model, of_pending, of_sidecars_of_model, of_trash, recognised
from .tagging import Tagger
from .uniting import united

STATUS_OF: dict[Strategy, Status] = {
    "merge": "merged",
    "override": "overridden",
    "ignore": "ignored",
    "delete": "deleted",
}
BRINGS: tuple[Status, ...] = ("imported", "merged", "overridden")
"""The outcomes that bring file, words and picture of a pending model to a model."""


class ImportStopped(Exception):
    """An import ended without having been done."""


class Failed(ImportStopped):
    """It cannot be done; the message is the reason and what to do."""


class Conflict(ImportStopped):
    """The content is known and nobody said what to do with it."""

    def __init__(self, model: str) -> None:
        """Name the model that has the content."""
        super().__init__("this content is already in the library; say merge, override, ignore or delete")
        self.model = model


class Withdrawn(ImportStopped):
    """Somebody cancelled it."""


class PictureChanged(Exception):
    """The pending model got another picture while its import made the one it had."""


@dataclass(frozen=True, slots=True)
class Done:
    """What an import has done, so that it can become fact.

    `type` is what whoever asked said, `picture_at` the event of the picture that was made ready to be the model's
    number `sequence`; `picture` is None where there is none that can be shown, `placed` where no file came to lie.
    """

    planned: ImportPlanned
    type: str | None
    picture_at: int | None
    picture: Picture | None
    sequence: int
    placed: File | None
    further: Mapping[str, str] = field(default_factory=dict[str, str])
    """Hashes of the content beside its SHA-256, by kind; none where it was hashed before an interruption."""


def of_import(op: str, event: Event) -> New:
    """Put an event into the stream of an import."""
    return New(f"import/{op}", event)


# Before anything is done


def status_of(strategy: Strategy | None, *, known: bool, lies_elsewhere: bool) -> Status | None:
    """Give what an import comes to; None where somebody must decide.

    A strategy is for content that is known: what is new is imported, but nothing is where somebody wants it deleted.
    `lies_elsewhere` says that a present file of the model is there besides this one. Raises `Failed`.
    """
    if strategy == "delete" and not lies_elsewhere:
        raise Failed("this is the last copy of its content that is here; nothing was deleted")
    if not known:
        return "imported"
    return None if strategy is None else STATUS_OF[strategy]


def goes_to_trash(status: Status, *, in_place: bool, lies_elsewhere: bool) -> bool:
    """Tell whether the file is one too many."""
    return status == "deleted" or (status in ("merged", "overridden") and not in_place and lies_elsewhere)


def type_of(status: Status, asked: str | None, subject: Pending, known: Model | None) -> str:
    """Give the type of the model that comes of an import. Raises `Failed` where nobody has told it."""
    told = asked or (subject.type if known is None or "type" in subject.given else None)
    type_ = told if known is None or (status == "overridden" and told is not None) else known.type
    if type_ is None:
        raise Failed(f"its type is not known; say it, for example with `hikazed import {subject.id} --type loras`")
    return type_


# When all is done


def facts_of(db: apsw.Connection, done: Done) -> list[New]:
    """Give every event that a completed import appends, with what people wrote until now. Raises `PictureChanged`.

    None where they were appended before, and something failed behind them.
    """
    planned = done.planned
    record = imports.get(db, planned.op)
    if record is not None and record.state == "completed":
        return []
    events: list[New] = []
    subject = pending.get(db, planned.pending)
    if subject is not None and planned.status in BRINGS:
        if subject.picture_position != done.picture_at:
            raise PictureChanged
        events += [of_model(planned.model, event) for event in _words(db, done, subject)]
        events += further_hashes(db, planned.model, done.further)
        tagger = Tagger(db)
        said = [*_told(db, tagger, planned, subject), *said_beside(db, subject.id, planned.model, planned.header)]
        events += [*tagger.events, *(of_sidecars_of_model(planned.model, event) for event in said)]
        events += [of_model(planned.model, event) for event in _picture(done, subject)]
    if done.placed is not None:
        events.append(of_files(planned.model, LocationFound(planned.model, done.placed)))
    if planned.trash is not None:
        events.append(_to_trash(planned, planned.trash))
    if planned.status != "ignored":
        ended = PendingImported(planned.pending, planned.model, planned.status)
        events.append(of_pending(planned.pending, ended))
    path = planned.target or (planned.file.path if planned.trash is None else None)
    completed = ImportCompleted(planned.op, planned.pending, planned.model, planned.status, path)
    return [*events, of_import(planned.op, completed)]


def _words(db: apsw.Connection, done: Done, subject: Pending) -> list[Event]:
    """Give the events that bring name, texts and tags of the pending model, as people gave them, to the model."""
    planned, known = done.planned, models.get(db, done.planned.model)
    type_ = type_of(planned.status, done.type, subject, known)
    tagged = _tags(db, planned, subject)
    if known is None:
        return [_born(planned, subject, type_), *tagged]
    fields = _overriding(known, subject, type_) if planned.status == "overridden" else _merging(known, subject)
    return [*([ModelEdited(planned.model, Changes(**fields))] if fields else []), *tagged]


def _overriding(known: Model, subject: Pending, type_: str) -> dict[str, Any]:
    fields = _differing(known.own, _filled(subject.own, known.own))
    if "name" in subject.given and subject.name != known.name:
        fields["name"] = subject.name
    if type_ != known.type:
        fields["type"] = type_
    return fields


def _merging(known: Model, subject: Pending) -> dict[str, Any]:
    if subject.legacy:
        return _differing(known.own, united(known.own, subject.own, subject.legacy))
    return _differing(known.own, _filled(known.own, subject.own))


def _tags(db: apsw.Connection, planned: ImportPlanned, subject: Pending) -> list[Event]:
    """Give the tags that come off the model, and those that people put on the pending model.

    Tags that nobody but a sidecar or a header put there take none off. What the header tells stays, for it is that of
    both, unless somebody took it off the pending model.
    """
    have, come = tags.origins_of_model(db, planned.model), tags.origins_of_pending(db, subject.id)
    replaces = planned.status == "overridden" and "user" in come.values()
    told = names_told(planned.header).keys() - taken_off_pending(db, subject.id)
    stays = {tag for tag, name in tags.of_model(db, planned.model).items() if tag_key(name) in told}
    off = [tag for tag in have if replaces and tag not in come and tag not in stays]
    on = [tag for tag, origin in come.items() if origin == "user" and have.get(tag) != "user"]
    return [*(ModelUntagged(planned.model, tag) for tag in off), *(ModelTagged(planned.model, tag) for tag in on)]


def _told(db: apsw.Connection, tagger: Tagger, planned: ImportPlanned, subject: Pending) -> list[Event]:
    """Give the events that bring what the file says of itself, where it was not read before by rules as good."""
    model, header, known = planned.model, planned.header, models.get(db, planned.model)
    if known is None:
        return tags_of_model(db, tagger, model, header, number=subject.id)
    return learnt_of_model(db, tagger, model, header, number=subject.id, is_proven=known.claimed)


def _born(planned: ImportPlanned, subject: Pending, type_: str) -> ModelImported:
    emptied = tuple(field for field in FIELDS if field in subject.given and not is_own(subject.own, set(), field))
    size, header = planned.file.size, planned.header
    return ModelImported(planned.model, subject.name, type_, size, subject.own, header, subject.id, given=emptied)


def _filled(first: Texts, second: Texts) -> Texts:
    """Give the first texts, with those of the second where they are empty."""
    return Texts(
        first.description or second.description,
        first.community_links or second.community_links,
        Prompts(first.prompts.positive or second.prompts.positive, first.prompts.negative or second.prompts.negative),
        first.trigger_words or second.trigger_words,
    )


def _differing(before: Texts, after: Texts) -> dict[str, Any]:
    fields = ((name, getattr(after, name)) for name in Texts.__struct_fields__)
    return {name: value for name, value in fields if value != getattr(before, name)}


def _picture(done: Done, subject: Pending) -> list[Event]:
    picture, model = done.picture, done.planned.model
    if picture is None:
        return []
    shape = picture.format, picture.width, picture.height
    added = ImageAdded(model, done.sequence, *shape, picture.texts, subject.picture_original)
    return [added, CoverChosen(model, done.sequence)] if done.planned.status == "overridden" else [added]


def _to_trash(planned: ImportPlanned, entry: str) -> New:
    file = planned.file
    reason = planned.status if planned.status in ("merged", "overridden") else "deleted"
    return of_trash(FileTrashed(entry, file.path, file.root, file.size, reason, planned.pending, planned.model))


# When nothing is done


def end_of(db: apsw.Connection, op: str, number: int, stopped: ImportStopped) -> list[New]:
    """Give the events with which an import ends that was not done; none where it has ended already."""
    record = imports.get(db, op)
    if record is None or record.state not in ("queued", "planned"):
        return []
    match stopped:
        case Conflict(model=model):
            known = pending.get(db, number)
            return [
                of_import(op, ImportConflicted(op, number, model)),
                *([] if known is None else recognised(known, model)),
            ]
        case Withdrawn():
            return [of_import(op, ImportCancelled(op, number))]
        case _:
            return [of_import(op, ImportFailed(op, number, str(stopped)))]
