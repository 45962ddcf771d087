"""What sidecars that were read mean: pure decisions from the read tables and what the sidecars say.

What a sidecar says is told of the content that lies beside it now, once: a sidecar that was moved with its model, or
that was touched, says nothing new. A tag is put on when a sidecar names it for the first time, never again, and never
where a person took one of that name off, so that who takes it off has the last word; nothing is ever taken off. See
`projections.layers` for how it meets what people wrote.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import apsw
import msgspec

from ...events.catalog import Event, ModelProvided, ModelTagged, PendingProvided, PendingTagged, Provided, Sidecar
from ...events.record import New
from ...events.writer import Decision
from ...projections import images, models, pending, tags
from ...projections.provided import OF_MODELS, OF_PENDING, Shelf
from ...projections.tagpast import taken_off_model, taken_off_pending
from ...projections.text import tag_key
from ..sightings import of_sidecars_of_model, of_sidecars_of_pending
from ..tagging import BadTag, Tagger, clean

PREVIEW = "preview"
"""The source of what lies where a preview picture would and cannot be shown; it only says why."""

TEXT = "text"
"""The source of plain notes: what a person wrote, and what that person may take away again."""

_NOTHING = Provided()


@dataclass(frozen=True, slots=True)
class Report:
    """What the sidecars beside a model file say; `path` as in `pathtext`, size and mtime are those of the model file.

    Those whose words count for more come first.
    """

    path: str
    size: int
    mtime_ns: int
    told: Sequence[tuple[Sidecar, Provided]] = ()


@dataclass(frozen=True, slots=True)
class Owner:
    """The model (by its hash) or pending model (by its number) that a file is of."""

    id: str | int
    size: int
    mtime_ns: int
    has_picture: bool
    """Whether it ever had a picture, as a model; whether it has one now, as a pending model."""

    @property
    def shelf(self) -> Shelf:
        """Where the read tables keep what its sidecars say."""
        return OF_MODELS if isinstance(self.id, str) else OF_PENDING

    def provided(self, sidecar: Sidecar, provided: Provided) -> New:
        """Give the event that a sidecar of it was read."""
        if isinstance(self.id, str):
            return of_sidecars_of_model(self.id, ModelProvided(self.id, sidecar, provided))
        return of_sidecars_of_pending(self.id, PendingProvided(self.id, sidecar, provided))

    def tagged(self, tag: int) -> New:
        """Give the event that a sidecar put a tag on it."""
        if isinstance(self.id, str):
            event: Event = ModelTagged(self.id, tag, "provider")
            return of_sidecars_of_model(self.id, event)
        return of_sidecars_of_pending(self.id, PendingTagged(self.id, tag, "provider"))


def owner_at(db: apsw.Connection, path: str) -> Owner | None:
    """Give the model whose content lies at a path, else the pending model that waits there; None for neither."""
    there = models.location(db, path)
    if there is not None and not there.lost:
        had_picture = images.next_sequence(db, there.model) > 0
        return Owner(there.model, there.size, there.mtime_ns, had_picture)
    found = pending.at_path(db, path)
    if found is not None and found.state == "waiting":
        return Owner(found.id, found.size, found.mtime_ns, found.picture is not None)
    return None


def read_beside(db: apsw.Connection, reports: Iterable[Report]) -> Decision:
    """Decide what follows from sidecars that were read; the value is how many said something new.

    Where other content lies at the path than was there when they were read, nothing does: it is not known whose
    they are, and they are read again when that content is known.
    """
    reader = _Reader(db)
    for report in reports:
        owner = owner_at(db, report.path)
        if owner is not None and (owner.size, owner.mtime_ns) == (report.size, report.mtime_ns):
            reader.take(owner, report.told)
    return reader.decision()


@dataclass(slots=True)
class _Known:
    """What the sidecars of an owner are known to say, with what was read meanwhile; its tags."""

    said: dict[tuple[str, str], Provided]
    """By source and path, what was read last at the end."""
    barred: set[str]
    """`tag_key` of every tag that one of them ever named, and of those that a person took off."""
    tags: set[int]

    def news(self, sidecar: Sidecar, provided: Provided) -> Provided | None:
        """Give what is to be told of a sidecar that was read, None where it says nothing new.

        One that cannot be read any more says what it said, and why nothing is known of what it says now. One that a
        provider has emptied, as programs do that ask it for what it has no more, says nothing.
        """
        before = self.said.get((sidecar.source, sidecar.path))
        if provided == _NOTHING and (before is None or sidecar.source != TEXT):
            return None
        if provided == Provided(problem=provided.problem) and provided.problem:
            last = self._last_of(sidecar.source) if before is None else before
            provided = msgspec.structs.replace(last, problem=provided.problem)
        if before is not None:
            return None if before == provided else provided
        is_told = any(source == sidecar.source and one == provided for (source, _), one in self.said.items())
        return None if is_told else provided

    def _last_of(self, source: str) -> Provided:
        return next((one for (other, _), one in reversed(self.said.items()) if other == source), _NOTHING)

    def hear(self, sidecar: Sidecar, provided: Provided) -> None:
        """Take in what a sidecar says now."""
        self.said.pop((sidecar.source, sidecar.path), None)
        self.said[sidecar.source, sidecar.path] = provided


class _Reader:
    """Takes in reports one after the other, as if each had been written before the next."""

    def __init__(self, db: apsw.Connection) -> None:
        self._db = db
        self._tagger = Tagger(db)
        self._owners: dict[str | int, _Known] = {}
        self._events: list[New] = []
        self._new = 0

    def decision(self) -> Decision:
        """Give what follows; tags are made before they are put on."""
        return Decision([*self._tagger.events, *self._events], self._new)

    def take(self, owner: Owner, told: Sequence[tuple[Sidecar, Provided]]) -> None:
        """Take in what the sidecars beside one file of an owner say. The last word is that which counts for most."""
        known = self._known(owner)
        for sidecar, provided in reversed(told):
            if sidecar.source == PREVIEW and owner.has_picture:
                continue
            news = known.news(sidecar, provided)
            if news is None:
                continue
            known.hear(sidecar, news)
            self._events.append(owner.provided(sidecar, news))
            self._events += [owner.tagged(tag) for tag in self._new_tags(known, news)]
            self._new += 1

    def _known(self, owner: Owner) -> _Known:
        known = self._owners.get(owner.id)
        if known is None:
            shelf = owner.shelf
            newest_first = shelf.of(self._db, owner.id)
            said = {(sidecar.source, sidecar.path): provided for sidecar, provided in reversed(newest_first)}
            barred = shelf.tags(self._db, owner.id) | self._taken_off(owner)
            known = self._owners[owner.id] = _Known(said, barred, self._tags(owner))
        return known

    def _taken_off(self, owner: Owner) -> set[str]:
        if isinstance(owner.id, str):
            return taken_off_model(self._db, owner.id)
        return taken_off_pending(self._db, owner.id)

    def _tags(self, owner: Owner) -> set[int]:
        if isinstance(owner.id, str):
            return set(tags.of_model(self._db, owner.id))
        return set(tags.of_pending(self._db, owner.id))

    def _new_tags(self, known: _Known, provided: Provided) -> list[int]:
        """Give the tags to be put on: those that no sidecar named before, that nobody took off, and that are not there.

        What is `barred` of them is kept in mind for the next sidecar.
        """
        names: list[str] = []
        for name in provided.tags:
            try:
                kept = clean(name)
            except BadTag:
                continue
            if (key := tag_key(kept)) not in known.barred:
                known.barred.add(key)
                names.append(kept)
        new = [tag for tag in self._tagger.ids(names) if tag not in known.tags]
        known.tags.update(new)
        return new
