"""What the files that were looked at mean: pure decisions from the read tables and what was seen.

A sighting is a model file at rest. Whether it is a known file at its old or a new path, known content in a
new file, or something new is decided here, inside the writer, against the committed state.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import apsw
import msgspec

from ..events.catalog import (
    Event,
    File,
    LocationFound,
    LocationLost,
    LocationMoved,
    LocationRefreshed,
    LocationReplaced,
    PendingChanged,
    PendingFound,
    PendingImported,
    PendingLost,
    PendingMoved,
    PendingRecognised,
    PendingReturned,
    RootKind,
)
from ..events.log import New
from ..events.pathtext import shown
from ..events.writer import Decision
from ..projections import models, pending
from ..projections.models import Location
from ..projections.pending import Pending


@dataclass(frozen=True, slots=True)
class Sighting:
    """A model file at rest. `type` is the guess by folder and header; `gone` and `linked` are those of the
    paths known for the same inode, size and time where that file is no more, or is the very same file;
    `sha256` is given where the content was hashed.
    """

    file: File
    kind: RootKind
    root_type: str | None
    type: str | None
    header: dict[str, Any] = field(default_factory=dict[str, Any])
    gone: frozenset[str] = frozenset()
    linked: frozenset[str] = frozenset()
    sha256: str | None = None

    @property
    def in_place(self) -> bool:
        """Whether the file lies in a model root, where it stays when it is imported."""
        return self.kind == "model"

    @property
    def stem(self) -> str:
        """The name people see at first: the file's name less its extension, undecodable bytes shown as such."""
        return shown(os.path.splitext(os.path.basename(self.file.path))[0]) or "unnamed"


class Outcome(msgspec.Struct):
    """What came of some sightings: counts, the pending models found, and the paths whose content must be hashed."""

    added: int = 0
    moved: int = 0
    changed: int = 0
    returned: int = 0
    missing: int = 0
    found: list[int] = []
    confirm: list[str] = []

    def join(self, other: "Outcome") -> None:
        """Add another outcome to this one."""
        for name in ("added", "moved", "changed", "returned", "missing"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.found = self.found + other.found
        self.confirm = self.confirm + other.confirm


def of_pending(number: int, event: Event) -> New:
    """Put an event into the stream of a pending model."""
    return New(f"pending/{number}", event)


def of_model(sha256: str, event: Event) -> New:
    """Put an event into the stream of a model."""
    return New(f"model/{sha256}", event)


def of_files(sha256: str, event: Event) -> New:
    """Put an event into the stream of a model's files: apart from its own, so that a move disturbs no editor."""
    return New(f"files/{sha256}", event)


def see(db: apsw.Connection, sightings: Iterable[Sighting]) -> Decision:
    """Decide what sightings mean; the value is an `Outcome`."""
    reader = _Reader(db)
    for sighting in sightings:
        reader.read(sighting)
    return Decision(reader.events, reader.outcome)


def lose(db: apsw.Connection, paths: Iterable[str]) -> Decision:
    """Decide what it means that nothing lies at some paths any more, though their root is here."""
    events: list[New] = []
    for path in paths:
        location = models.location(db, path)
        if location is not None and not location.lost:
            events.append(of_files(location.model, LocationLost(location.model, path)))
        known = pending.at_path(db, path)
        if known is not None and known.state in ("waiting", "hidden"):
            events.append(of_pending(known.id, PendingLost(known.id)))
    return Decision(events, Outcome(missing=len(events)))


class _Reader:
    """Reads sightings one after the other, as if each had been written before the next."""

    def __init__(self, db: apsw.Connection) -> None:
        self._db = db
        self._last = pending.last_number(db)
        self._settled: set[str] = set()
        self.events: list[New] = []
        self.outcome = Outcome()

    def read(self, seen: Sighting) -> None:
        path = seen.file.path
        if path in self._settled:
            return
        self._settled.add(path)
        location = models.location(self._db, path)
        if location is not None:
            self._at_location(seen, location)
            return
        known = pending.at_path(self._db, path)
        if known is not None and self._is_same(seen, known):
            self._again(seen, known)
        elif not self._elsewhere(seen):
            if known is not None and known.state in ("waiting", "missing", "hidden"):
                self._changed(seen, known)
            else:
                self._new(seen)

    # At a path that was a model's

    def _at_location(self, seen: Sighting, location: Location) -> None:
        file = seen.file
        unchanged = (file.size, file.mtime_ns, file.ino) == (location.size, location.mtime_ns, location.ino)
        if unchanged and (seen.sha256 in (None, location.model)):
            if location.lost or file.root != location.root:
                self.events.append(of_files(location.model, LocationFound(location.model, file)))
                self.outcome.returned += 1
        elif seen.sha256 == location.model:
            event = LocationFound if location.lost else LocationRefreshed
            self.events.append(of_files(location.model, event(location.model, file)))
            self.outcome.returned += location.lost
        elif seen.sha256 is None and file.size == location.size and not self._moves_here(seen):
            self.outcome.confirm.append(file.path)  # touched, or other content of the same size: the bytes tell
        else:
            self.events.append(of_files(location.model, LocationReplaced(location.model, file.path)))
            self.outcome.changed += 1
            if not self._elsewhere(seen):
                self._new(seen, replaces=location.model)

    # A file known by another path

    def _moves_here(self, seen: Sighting) -> bool:
        return any(there.path in seen.gone | seen.linked for there in models.same_file(self._db, seen.file))

    def _elsewhere(self, seen: Sighting) -> bool:
        if seen.sha256 is not None and seen.in_place and models.get(self._db, seen.sha256):
            self._place(seen, seen.sha256)
            return True
        for there in models.same_file(self._db, seen.file):
            if there.path in self._settled:
                continue
            if there.path in seen.gone | seen.linked:
                self._model_file(seen, there)
                return True
        for known in pending.same_file(self._db, seen.file):
            if known.path in seen.gone and known.path not in self._settled:
                self._pending_file(seen, known)
                return True
        return False

    def _model_file(self, seen: Sighting, there: Location) -> None:
        model = there.model
        if not seen.in_place:  # known content in a drop folder waits there, and says what it is
            if there.path in seen.gone and not there.lost:
                self.events.append(of_files(model, LocationLost(model, there.path)))
            self.events.append(of_pending(self._new(seen), PendingRecognised(self._last, model)))
        elif there.path in seen.gone:
            self._settled.add(there.path)
            self.events.append(of_files(model, LocationMoved(model, there.path, seen.file)))
            self.outcome.moved += 1
        else:
            self.events.append(of_files(model, LocationFound(model, seen.file)))
            self.outcome.added += 1

    def _pending_file(self, seen: Sighting, known: Pending) -> None:
        self._settled.add(known.path)
        name = known.name
        if "name" not in known.given:
            name = seen.stem
        type_ = known.type if "type" in known.given else (seen.type or known.type)
        self.events.append(of_pending(known.id, PendingMoved(known.id, seen.file, name, type_, seen.in_place)))
        self.outcome.moved += 1

    def _place(self, seen: Sighting, model: str) -> None:
        """A model's content lies in a model root: its old place if it was lost there, else one more."""
        lost = [there for there in models.locations(self._db, model) if there.lost and there.path != seen.file.path]
        base = os.path.basename(seen.file.path)
        old = next((there for there in lost if os.path.basename(there.path) == base), lost[0] if lost else None)
        if old is not None and old.path not in self._settled:
            self._settled.add(old.path)
            self.events.append(of_files(model, LocationMoved(model, old.path, seen.file)))
            self.outcome.moved += 1
        else:
            self.events.append(of_files(model, LocationFound(model, seen.file)))
            self.outcome.added += 1

    # A file that nobody knows, or that is pending already

    def _is_same(self, seen: Sighting, known: Pending) -> bool:
        file = seen.file
        return (file.size, file.mtime_ns, file.ino) == (known.size, known.mtime_ns, known.ino)

    def _again(self, seen: Sighting, known: Pending) -> None:
        if known.state == "waiting" and (known.root, known.in_place) == (seen.file.root, seen.in_place):
            return
        if known.state == "hidden":
            return
        self.events.append(of_pending(known.id, PendingReturned(known.id, seen.file, seen.in_place)))
        self.outcome.returned += 1
        self.outcome.found.append(known.id)

    def _changed(self, seen: Sighting, known: Pending) -> None:
        self.events.append(of_pending(known.id, PendingChanged(known.id, seen.file, seen.type, seen.header)))
        self.outcome.changed += 1
        self._watch_for_known_content(seen, known.id)

    def _new(self, seen: Sighting, replaces: str | None = None) -> int:
        self._last += 1
        self.events.append(
            of_pending(
                self._last,
                PendingFound(self._last, seen.file, seen.stem, seen.type, seen.in_place, seen.header, replaces),
            )
        )
        self.outcome.added += 1
        self._watch_for_known_content(seen, self._last)
        return self._last

    def _watch_for_known_content(self, seen: Sighting, number: int) -> None:
        self.outcome.found.append(number)
        if seen.sha256 is None and models.sizes_known(self._db, [seen.file.size]):
            self.outcome.confirm.append(seen.file.path)


def recognise(db: apsw.Connection, number: int, seen: Sighting) -> Decision:
    """Decide what it means that a pending model's content was hashed: known content in a model root is a location."""
    known = pending.get(db, number)
    if known is None or seen.sha256 is None or known.path != seen.file.path or known.mtime_ns != seen.file.mtime_ns:
        return Decision((), Outcome())
    if models.get(db, seen.sha256) is None:
        return Decision((), Outcome())
    if not known.in_place or known.written:
        already = known.sha256 == seen.sha256
        events = [] if already else [of_pending(number, PendingRecognised(number, seen.sha256))]
        return Decision(events, Outcome())
    reader = _Reader(db)
    reader._place(seen, seen.sha256)
    reader.events.append(of_pending(number, PendingImported(number, seen.sha256, "merged")))
    return Decision(reader.events, reader.outcome)


def known_paths(db: apsw.Connection, file: File) -> list[str]:
    """Give the other paths under which a file of this inode, size and time is known: the caller looks at them."""
    return [there.path for there in models.same_file(db, file)] + [there.path for there in pending.same_file(db, file)]


def as_outcome(value: Any) -> Outcome:
    """Give the `Outcome` that a write of this module answered."""
    return value if isinstance(value, Outcome) else Outcome()
