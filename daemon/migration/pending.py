"""What follows for a pending model from a row of an earlier library: pure decisions."""

from collections.abc import Iterable, Sequence

import apsw

from ...events.catalog import (
    Changes,
    Event,
    PendingEdited,
    PendingFound,
    PendingLost,
    PendingPictured,
    PendingProvided,
    PendingRecognised,
    PendingReturned,
    PendingTagged,
    Texts,
)
from ...events.record import New
from ...events.writer import Decision
from ...projections import pending, tags
from ...projections.pending import Pending
from .. import uniting
from ..learning import tags_of_pending
from ..legacy.library import Row
from ..sightings import of_pending, of_sidecars_of_pending
from ..tagging import Tagger
from .plan import Came, Changed, differing, end, is_done, label, must_be_owned, new_to, once, text_of


def bring_to_pending(db: apsw.Connection, database: str, came: Came) -> Decision:
    """Decide what follows for a pending model from a row. Raises `Changed`."""
    if is_done(db, came.op, came.row.digest):
        return Decision()
    must_be_owned(db, database, came)
    number = came.owner.pending or 0
    known = None if came.owner.new else _known(db, number, came)
    tagger = Tagger(db)
    texts, names = new_to(came.row, once(db, database, came.owner, came.row))
    have = tags.origins_of_pending(db, number)
    ids = [tag for tag in tagger.ids(names) if have.get(tag) != "user"]
    before = _before(db, came)
    there = _found(number, came, before) if known is None else _back(known, came)
    told = _told(db, tagger, there, before, ids)
    facts: list[Event] = [
        *_edited(number, known, came.row, texts),
        *(PendingTagged(number, tag) for tag in ids),
        *_pictured(number, came),
        *(PendingLost(number) for _ in there if came.look.is_missing and came.look.file.root),
    ]
    ended = end(came, "new" if known is None else "united", len(ids), pending=number)
    return Decision(
        [
            *tagger.events,
            *(of_pending(number, event) for event in there),
            *([] if before is None else _taken_over(db, number, before)),
            *(of_sidecars_of_pending(number, event) for event in told),
            *ended,  # first: from here on it is kept, and in sight, as if somebody had written to it
            *(of_pending(number, event) for event in facts),
        ]
    )


def _known(db: apsw.Connection, number: int, came: Came) -> Pending:
    found = pending.get(db, number) or pending.at_path(db, text_of(came.row))
    if found is None or found.id != number:
        raise Changed
    return found


def _before(db: apsw.Connection, came: Came) -> Pending | None:
    """Give the pending model that another comes instead of: the path is no more its own, and so it is no more."""
    if came.owner.instead is None:
        return None
    before = pending.get(db, came.owner.instead)
    if before is None:
        raise Changed
    return before


def _found(number: int, came: Came, before: Pending | None) -> list[Event]:
    row, look = came.row, came.look
    unseen = None if look.state == "present" else before
    found = PendingFound(
        pending=number,
        file=look.file if unseen is None else unseen.file(),
        name=row.name,
        type=row.type or look.type or (None if before is None else before.type),
        in_place=look.kind == "model",
        header=look.header if unseen is None else unseen.header,
        replaces=None if before is None else before.replaces,
        created_at=row.created_at,
    )
    return [found]


def _told(
    db: apsw.Connection, tagger: Tagger, there: Iterable[Event], before: Pending | None, put: Sequence[int]
) -> list[Event]:
    """Give the events that put on a new pending model what its file tells, besides what is `put` on it anyway."""
    found = [event for event in there if isinstance(event, PendingFound)]
    instead = None if before is None else before.id
    told = [
        event for one in found for event in tags_of_pending(db, tagger, one.pending, one.header, instead_of=instead)
    ]
    return [event for event in told if not (isinstance(event, PendingTagged) and event.tag in put)]


def _taken_over(db: apsw.Connection, number: int, before: Pending) -> list[New]:
    """Give the events that bring along what was found out of a pending model by itself."""
    origins = tags.origins_of_pending(db, before.id)
    said: list[Event] = [
        *(PendingTagged(number, tag, origin) for tag, origin in origins.items() if origin != "user"),
        *(PendingProvided(number, *row) for row in reversed(pending.provided(db, before.id))),
    ]
    known = [PendingRecognised(number, before.sha256)] if before.sha256 else []
    return [
        *(of_sidecars_of_pending(number, event) for event in said),
        *(of_pending(number, event) for event in known),
    ]


def _back(known: Pending, came: Came) -> list[Event]:
    """A pending model that was out of sight is shown again: an earlier library has something to say of it."""
    look = came.look
    if look.state == "present" and known.state in ("hidden", "gone"):
        return [PendingReturned(known.id, look.file, look.kind == "model")]
    return [PendingReturned(known.id, known.file(), known.in_place)] if known.state == "hidden" else []


def _edited(number: int, known: Pending | None, row: Row, texts: Texts) -> list[Event]:
    before = Texts() if known is None else known.own
    fields = differing(before, uniting.united(before, texts, label(row)))
    if known is not None and known.type is None and row.type is not None:
        fields["type"] = row.type
    return [PendingEdited(number, Changes(**fields))] if fields else []


def _pictured(number: int, came: Came) -> list[Event]:
    return [
        PendingPictured(
            pending=number,
            extension=ready.picture.extension,
            origin="companion" if came.companion else "person",
            width=ready.picture.width,
            height=ready.picture.height,
            texts=ready.picture.texts,
            original=ready.original,
        )
        for _, ready in came.pictures
    ]
