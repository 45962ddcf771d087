"""What the files that were looked at mean: pure decisions from the read tables and what was seen.

A sighting is a model file at rest. Whether it is a known file at its old or a new path, known content in a
new file, or something new is decided here, inside the writer, against the committed state.

What an earlier library says of a file is a claim until its bytes were hashed. Nothing else confirms or denies it,
and it is no proof of anything: a file that is moved takes its claim along, another name of it is a new file.
"""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import apsw
import msgspec

from ..events.catalog import (
    ClaimConfirmed,
    ClaimDenied,
    Event,
    File,
    FileTrashed,
    LocationFound,
    LocationLost,
    LocationMoved,
    LocationRefreshed,
    LocationReplaced,
    ModelHashed,
    PendingChanged,
    PendingFound,
    PendingImported,
    PendingLost,
    PendingMoved,
    PendingRecognised,
    PendingReturned,
    RootKind,
)
from ..events.pathtext import shown
from ..events.record import New
from ..events.writer import Decision
from ..projections import hashes, imports, models, pending
from ..projections.models import Location
from ..projections.pending import Pending
from .carrying import said_beside
from .learning import Header, forgotten_of_model, learnt_of_model, learnt_of_pending, tags_of_new, tags_of_pending
from .tagging import Tagger

_Known = TypeVar("_Known", Location, Pending)


@dataclass(frozen=True, slots=True)
class Sighting:
    """A model file at rest. `type` is the guess by folder and header; `gone` and `linked` are those of the
    paths known for the same inode, size and time (`known_files`) where that file is no more, or is the very
    same file; `sha256` is given where the content was hashed, and then `further` hashes of it by kind.
    """

    file: File
    kind: RootKind
    type: str | None
    header: dict[str, Any] = field(default_factory=dict[str, Any])
    gone: frozenset[str] = frozenset()
    linked: frozenset[str] = frozenset()
    sha256: str | None = None
    further: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def in_place(self) -> bool:
        """Whether the file lies in a model root, where it stays when it is imported."""
        return self.kind == "model"

    @property
    def stem(self) -> str:
        """The name people see at first: the file's name less its extension, undecodable bytes shown as such."""
        return shown(os.path.splitext(os.path.basename(self.file.path))[0]) or "unnamed"


class Outcome(msgspec.Struct):
    """What came of some sightings: counts, the pending models found, and the paths whose content must be hashed.

    `claimed` counts the files found, at a new path or again, of which an earlier library alone says what they hold.
    """

    added: int = 0
    moved: int = 0
    changed: int = 0
    returned: int = 0
    missing: int = 0
    claimed: int = 0
    found: list[int] = []
    confirm: list[str] = []

    def join(self, other: "Outcome") -> None:
        """Add another outcome to this one."""
        for name in ("added", "moved", "changed", "returned", "missing", "claimed"):
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


def of_sidecars_of_pending(number: int, event: Event) -> New:
    """Put an event into the stream of what sidecars say of a pending model: what they say disturbs no editor."""
    return New(f"sidecars/pending/{number}", event)


def of_sidecars_of_model(sha256: str, event: Event) -> New:
    """Put an event into the stream of what sidecars say of a model."""
    return New(f"sidecars/model/{sha256}", event)


def of_trash(event: FileTrashed) -> New:
    """Put the event of a trashed file into the stream of its entry in the trash."""
    return New(f"trash/{os.path.basename(event.trash)}", event)


def see(db: apsw.Connection, sightings: Iterable[Sighting]) -> Decision:
    """Decide what sightings mean; the value is an `Outcome`. Of several at one path the last counts.

    What was moved is followed first: only then is it known which path was left, and which was overwritten.
    """
    reader = _Reader(db)
    latest = {sighting.file.path: sighting for sighting in sightings}
    rest = [sighting for sighting in latest.values() if not reader.follow(sighting)]
    reader.take_in_dropped()
    for sighting in rest:
        reader.read(sighting)
    for sighting in latest.values():
        reader.call(sighting)
    return reader.decision()


def lose(db: apsw.Connection, paths: Iterable[str]) -> Decision:
    """Decide what it means that nothing lies at some paths any more, though their root is here."""
    events: list[New] = []
    for path in dict.fromkeys(paths):
        location = models.location(db, path)
        if location is not None and not location.lost:
            events.append(of_files(location.model, LocationLost(location.model, path)))
        known = pending.at_path(db, path)
        if known is not None and known.state in _IS_THERE:
            events.append(of_pending(known.id, PendingLost(known.id)))
    return Decision(events, Outcome(missing=len(events)))


def break_off(db: apsw.Connection, files: Iterable[File]) -> Decision:
    """Decide what it means that files which are not whole lie at some paths: what a model had there it has no more."""
    events: list[New] = []
    for file in files:
        location = models.location(db, file.path)
        if location is not None and not location.lost and not _is_same(file, location):
            events.append(of_files(location.model, LocationLost(location.model, file.path)))
    return Decision(events, Outcome(missing=len(events)))


def suspend(db: apsw.Connection, files: Iterable[File]) -> Decision:
    """Decide what it means that files hold other content than is claimed, and are not whole: judged when they are."""
    events: list[New] = []
    for file in files:
        location = models.location(db, file.path)
        if location is not None and location.claimed and not location.lost and _is_same(file, location):
            events.append(of_files(location.model, LocationLost(location.model, file.path)))
    return Decision(events, Outcome(missing=len(events)))


def recognise(db: apsw.Connection, number: int, seen: Sighting) -> Decision:
    """Decide what it means that a pending model's content was hashed: known content in a model root is a location.

    Where somebody wrote to the pending model it stays, and shows what it is: an import may merge the two. One that was
    known for another content has changed, though it looks as before.
    """
    known, sha256 = pending.get(db, number), seen.sha256
    if known is None or known.path != seen.file.path or not _is_same(seen.file, known) or sha256 is None:
        return Decision((), Outcome())
    if imports.open_import_of(db, number) is not None:
        return Decision((), Outcome())  # its import has begun, and decides
    reader, model = _Reader(db), models.get(db, sha256)
    reader.call(seen)
    if model is not None and known.in_place and not known.written:
        reader.place(seen, sha256)
        reader.unite(seen, known, sha256)
    elif known.sha256 != sha256:
        reader.tell_content(seen, known, None if model is None else sha256)
    return reader.decision()


def recognised(known: Pending, model: str) -> list[New]:
    """Give the event that a pending model's content is a model's, unless that is known."""
    if known.sha256 == model:
        return []
    return [of_pending(known.id, PendingRecognised(known.id, model))]


def further_hashes(db: apsw.Connection, model: str, found: Mapping[str, str]) -> list[New]:
    """Give the event that further hashes of a model's content were worked out, unless they are known."""
    known = hashes.computed(db, model)
    if all(known.get(kind) == hash_ for kind, hash_ in found.items()):
        return []
    return [of_files(model, ModelHashed(model, dict(found)))]


def known_files(db: apsw.Connection, file: File) -> list[File]:
    """Give the files of this inode, size and time that are known by other paths: the caller looks at them."""
    rows = db.execute(_KNOWN_FILES, (file.ino, file.size, file.mtime_ns, file.path))
    return [File(path, root, file.size, file.mtime_ns, dev, file.ino) for path, root, dev in rows]


_KNOWN_FILES = " UNION ALL ".join(
    f"SELECT path, root, dev FROM {table} WHERE ino = ?1 AND size_bytes = ?2 AND mtime_ns = ?3 AND path <> ?4"  # noqa: S608
    for table in ("locations", "pending_import", "pending_away")
)


def as_outcome(value: Any) -> Outcome:
    """Give the `Outcome` that a write of this module answered."""
    return value if isinstance(value, Outcome) else Outcome()


_IS_THERE = ("waiting", "hidden")


class _Reader:
    """Reads sightings one after the other, as if each had been written before the next."""

    def __init__(self, db: apsw.Connection) -> None:
        self._db = db
        self._tagger = Tagger(db)
        self._learnt: set[str] = set()
        self._doubted: dict[str, Header] = {}  # models, and what a file says that is not theirs
        self._called: set[str] = set()
        self._last = pending.last_number(db)
        self._left: set[str] = set()  # paths whose file was followed to another
        self._taken: dict[str, str | None] = {}  # paths that another file took, and the model it is of
        self._denied: list[New] = []
        self._moves: list[New] = []
        self._rest: list[New] = []
        self._dropped: list[tuple[Sighting, Location, Location | None]] = []  # models' files, moved to drop folders
        self.outcome = Outcome()

    def decision(self) -> Decision:
        """Give what follows: what is denied, what was overwritten, then what moved. A move forgets the path it left.

        Tags are made before they are put on.
        """
        facts = [*self._denied, *self._overwritten(), *self._moves, *self._rest, *self._forgotten()]
        return Decision([*self._tagger.events, *facts], self.outcome)

    def call(self, seen: Sighting) -> None:
        """Take in by which further hashes a known content that was hashed is called."""
        model = seen.sha256
        if model is not None and model not in self._called and models.get(self._db, model) is not None:
            self._rest += further_hashes(self._db, model, seen.further)
            self._called.add(model)

    # A file that was moved

    def follow(self, seen: Sighting) -> bool:
        """Take in a file that is known by another path and gone from there; False where it is none."""
        if not seen.gone:
            return False
        location, known = models.location(self._db, seen.file.path), pending.at_path(self._db, seen.file.path)
        if (location and _is_same(seen.file, location)) or (known and _is_same(seen.file, known)):
            return False
        there = self._gone_from(seen, models.same_file(self._db, seen.file))
        if there is not None and seen.sha256 in (None, there.model):
            self._follow_model(seen, there, location)
            return True
        before = self._gone_from(seen, pending.same_file(self._db, seen.file))
        if before is not None and seen.sha256 is None:
            self._left.add(before.path)
            self._taken[seen.file.path] = None
            self._move_pending(seen, before)
            return True
        return False

    def _gone_from(self, seen: Sighting, there: Sequence[_Known]) -> _Known | None:
        gone = [one for one in there if one.path in seen.gone and one.path not in self._left]
        name = os.path.basename(seen.file.path)
        return next((one for one in gone if os.path.basename(one.path) == name), gone[0] if gone else None)

    def _follow_model(self, seen: Sighting, there: Location, location: Location | None) -> None:
        model, claimed = there.model, there.claimed and seen.sha256 is None
        if location is not None and location.model == model:  # over another file of the same content
            self._refresh(seen, location, claimed=claimed)
            return
        self._left.add(there.path)
        if seen.in_place:
            self._taken[seen.file.path] = model
            self._moves.append(of_files(model, LocationMoved(model, there.path, seen.file, claimed)))
            self._learn(seen, model)
            self.outcome.moved += 1
            self.outcome.claimed += claimed
        else:  # known content in a drop folder waits there, and says what it is
            self._dropped.append((seen, there, location))

    def take_in_dropped(self) -> None:
        """Take in files of models that lie in drop folders now; once all moves are known: paths may be taken."""
        for seen, there, location in self._dropped:
            if there.path in self._taken:
                self._moves.append(of_files(there.model, LocationReplaced(there.model, there.path)))
            elif not there.lost:
                self._moves.append(of_files(there.model, LocationLost(there.model, there.path)))
            self._arrive(seen, location, there.model if seen.sha256 or not there.claimed else None)

    def tell_content(self, seen: Sighting, known: Pending, model: str | None) -> None:
        """Take in that a pending model, which stays, holds a model's content, or none's: not what it is known for."""
        if known.sha256:
            self._become_pending(seen, None)
        if model is not None:
            self._rest.append(of_pending(known.id, PendingRecognised(known.id, model)))

    def _becomes_location(self, seen: Sighting, known: Pending) -> bool:
        """Take in known content that has come into a model root; not where somebody wrote to it, or is importing it."""
        if not (seen.in_place and known.sha256) or known.written or models.get(self._db, known.sha256) is None:
            return False
        if imports.open_import_of(self._db, known.id) is not None:
            return False
        self._taken[seen.file.path] = known.sha256
        self.place(seen, known.sha256)
        self.unite(seen, known, known.sha256)
        return True

    def unite(self, seen: Sighting, known: Pending, model: str) -> None:
        """A pending model turned out to be a model's content, and its file is one of that model's now."""
        said = said_beside(self._db, known.id, model, seen.header)
        self._learn(seen, model, known.id)
        self._rest += [of_sidecars_of_model(model, event) for event in said]
        self._rest.append(of_pending(known.id, PendingImported(known.id, model, "merged")))
        self.outcome.found.append(known.id)  # for the picture that was kept for it

    def _learn(self, seen: Sighting, model: str, number: int | None = None) -> None:
        """Take in what a model's file says of itself, where it was not read before, or by rules not as good."""
        if model in self._learnt:
            return
        self._learnt.add(model)
        proven = seen.sha256 == model and self._is_claimed(model)
        learnt = learnt_of_model(self._db, self._tagger, model, seen.header, number=number, is_proven=proven)
        self._rest += [of_sidecars_of_model(model, event) for event in learnt]

    def _forgotten(self) -> Iterator[New]:
        """What was read of a file that was claimed to be a model's is not said of the model, if it is not."""
        for model, header in self._doubted.items():
            if model not in self._learnt and self._is_claimed(model):
                for event in forgotten_of_model(self._db, self._tagger, model, header):
                    yield of_sidecars_of_model(model, event)

    def _is_claimed(self, model: str) -> bool:
        known = models.get(self._db, model)
        return known is not None and known.claimed

    def _learn_of_pending(self, seen: Sighting, number: int) -> None:
        self._tag(number, learnt_of_pending(self._db, self._tagger, number, seen.header))

    def _move_pending(self, seen: Sighting, known: Pending) -> None:
        if self._becomes_location(seen, known):
            return
        name = known.name if "name" in known.given else seen.stem
        type_ = known.type if "type" in known.given else (seen.type or known.type)
        self._moves.append(of_pending(known.id, PendingMoved(known.id, seen.file, name, type_, seen.in_place)))
        self._learn_of_pending(seen, known.id)
        self.outcome.moved += 1
        self._watch_for_known_content(seen, known.id, known.sha256)

    def _overwritten(self) -> Iterator[New]:
        """What lay at a path that another file took is there no more, unless that file was followed elsewhere."""
        for path, model in self._taken.items():
            if path in self._left:
                continue
            location, known = models.location(self._db, path), pending.at_path(self._db, path)
            if location is not None and location.model != model:
                yield of_files(location.model, LocationReplaced(location.model, path))
                self.outcome.changed += 1
            if known is not None and known.state in _IS_THERE:
                yield of_pending(known.id, PendingLost(known.id))

    # Any other file

    def read(self, seen: Sighting) -> None:
        """Take in a file that was not moved."""
        if seen.file.path in self._left:
            self._arrive(seen, None, self._known_content(seen))
            return
        location = models.location(self._db, seen.file.path)
        if location is not None:
            self._at_location(seen, location)
            return
        known = pending.at_path(self._db, seen.file.path)
        if known is not None and _is_same(seen.file, known):
            self._again(seen, known)
        else:
            self._arrive(seen, None, self._known_content(seen))

    def _at_location(self, seen: Sighting, location: Location) -> None:
        file, model = seen.file, self._known_content(seen)
        if location.claimed:
            self._at_claimed(seen, location, model)
        elif _is_same(file, location) and seen.sha256 in (None, location.model):
            if location.lost or file.root != location.root:
                self._found(seen, location.model)
                self._learn(seen, location.model)
                self.outcome.returned += 1
        elif model == location.model:
            self._refresh(seen, location)
        elif model is None and seen.sha256 is None and file.size == location.size:
            self.outcome.confirm.append(file.path)  # touched, or other content of the same size: the bytes tell
        else:
            self._arrive(seen, location, model)

    def _at_claimed(self, seen: Sighting, location: Location, model: str | None) -> None:
        """A file lies where an earlier library says that a model's content does: its hash tells whether it is."""
        file, claimed = seen.file, location.model
        if seen.sha256 is None and not _is_same(file, location):
            self.outcome.confirm.append(file.path)
        elif seen.sha256 is None and (location.lost or file.root != location.root):
            self._found(seen, claimed, claimed=True)
            self._learn(seen, claimed)
            self.outcome.returned += 1
        elif seen.sha256 == claimed:
            if location.lost:
                self._found(seen, claimed)
                self.outcome.returned += 1
            self._rest.append(of_files(claimed, ClaimConfirmed(claimed, file)))
            self._learn(seen, claimed)
        elif seen.sha256 is not None:
            self._denied.append(of_files(claimed, ClaimDenied(claimed, file.path, seen.sha256)))
            self._doubted[claimed] = seen.header
            self._arrive(seen, location, model)

    def _refresh(self, seen: Sighting, location: Location, *, claimed: bool = False) -> None:
        if location.lost or location.claimed != claimed:
            self._found(seen, location.model, claimed=claimed)
        else:
            self._rest.append(of_files(location.model, LocationRefreshed(location.model, seen.file)))
        self._learn(seen, location.model)
        self.outcome.returned += location.lost

    def _known_content(self, seen: Sighting) -> str | None:
        """Give the model of a content that was hashed, or that is there under another name as well (a hard link)."""
        if seen.sha256 is not None:
            return seen.sha256 if models.get(self._db, seen.sha256) else None
        if not seen.linked:
            return None
        others = models.same_file(self._db, seen.file)
        return next((there.model for there in others if there.path in seen.linked and not there.claimed), None)

    def _arrive(self, seen: Sighting, location: Location | None, model: str | None) -> None:
        """A file came to a path; `location` is what lay there before, `model` the one that has its content."""
        if model is not None and seen.in_place:
            self._taken[seen.file.path] = model
            self.place(seen, model)
            self._learn(seen, model)
            return
        replaces = None
        if location is not None and seen.file.path not in self._left:
            replaces = location.model
            self._rest.append(of_files(replaces, LocationReplaced(replaces, seen.file.path)))
            self.outcome.changed += 1
        number = self._become_pending(seen, replaces)
        if model is not None:
            self._rest.append(of_pending(number, PendingRecognised(number, model)))
        self._watch_for_known_content(seen, number, model or "")

    def _become_pending(self, seen: Sighting, replaces: str | None) -> int:
        known = None if seen.file.path in self._left else pending.at_path(self._db, seen.file.path)
        if known is not None and replaces is None and known.state in ("waiting", "missing", "hidden"):
            self._rest.append(of_pending(known.id, PendingChanged(known.id, seen.file, seen.type, seen.header)))
            self._tag(known.id, tags_of_pending(self._db, self._tagger, known.id, seen.header))
            self.outcome.changed += 1
            return known.id
        self._last += 1
        found = PendingFound(self._last, seen.file, seen.stem, seen.type, seen.in_place, seen.header, replaces)
        self._rest.append(of_pending(self._last, found))
        self._tag(self._last, tags_of_new(self._tagger, self._last, seen.header))
        self.outcome.added += 1
        return self._last

    def _tag(self, number: int, told: Iterable[Event]) -> None:
        """Put on a pending model what its file says of itself: it shows at once, before anything is hashed."""
        self._rest += [of_sidecars_of_pending(number, event) for event in told]

    def place(self, seen: Sighting, model: str) -> None:
        """A model's content lies in a model root: its old place if it was lost there, else one more."""
        lost = [there for there in models.locations(self._db, model) if self._may_have_moved(there, seen)]
        base = os.path.basename(seen.file.path)
        old = next((there for there in lost if os.path.basename(there.path) == base), lost[0] if lost else None)
        if old is None:
            self._found(seen, model)
            self.outcome.added += 1
        else:
            self._left.add(old.path)
            self._moves.append(of_files(model, LocationMoved(model, old.path, seen.file)))
            self.outcome.moved += 1

    def _may_have_moved(self, there: Location, seen: Sighting) -> bool:
        return there.lost and there.path != seen.file.path and there.path not in self._left

    def _found(self, seen: Sighting, model: str, *, claimed: bool = False) -> None:
        self._rest.append(of_files(model, LocationFound(model, seen.file, claimed)))
        self.outcome.claimed += claimed

    def _again(self, seen: Sighting, known: Pending) -> None:
        """The file of a pending model is where it was; it may have been away, or its root may be another one."""
        if known.state == "hidden":
            return
        if known.state == "waiting":
            if (known.root, known.in_place) != (seen.file.root, seen.in_place):
                self._move_pending(seen, known)
            elif not known.sha256:  # an import may have been in the way when it was compared
                self._watch_for_known_content(seen, known.id, known.sha256)
            return
        if self._becomes_location(seen, known):
            return
        self._rest.append(of_pending(known.id, PendingReturned(known.id, seen.file, seen.in_place)))
        self._learn_of_pending(seen, known.id)
        self.outcome.returned += 1
        self._watch_for_known_content(seen, known.id, known.sha256)

    def _watch_for_known_content(self, seen: Sighting, number: int, model: str) -> None:
        """Have the picture of a pending model looked for, and its content compared where it may be a model's."""
        self.outcome.found.append(number)
        if not model and seen.sha256 is None and models.sizes_known(self._db, [seen.file.size]):
            self.outcome.confirm.append(seen.file.path)


def _is_same(file: File, known: Location | Pending) -> bool:
    return (file.size, file.mtime_ns, file.ino) == (known.size, known.mtime_ns, known.ino)
