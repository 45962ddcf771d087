"""What events touch: the models, tags and roots of which somebody who holds a copy of the rows must look again."""

from collections.abc import Iterable

import apsw
import msgspec

from ..events.catalog import (
    CoverChosen,
    Event,
    File,
    ImageAdded,
    ImageRemoved,
    ModelHashed,
    ModelTagged,
    ModelUntagged,
    ModelUsed,
    RootAdded,
    RootCameOnline,
    RootPaused,
    RootRemoved,
    RootResumed,
    RootWentOffline,
    TagCreated,
    TagDeleted,
    TagRenamed,
    TagsMerged,
)
from ..events.record import Stored

_TELL_NO_WORDS = (ModelTagged, ModelUntagged, ImageAdded, ImageRemoved, CoverChosen, ModelHashed, ModelUsed)


MOST = 10_000
"""So many models and tags are told one by one: with more whoever holds a copy reads all of it anew."""


class Touched(msgspec.Struct):
    """Models by hash: `models` in whatever way, `worded` in words or places, `tagged` in tags; tags by id.

    `is_much` says that they were too many to be named.
    """

    models: set[str] = msgspec.field(default_factory=set[str])
    worded: set[str] = msgspec.field(default_factory=set[str])
    tagged: set[str] = msgspec.field(default_factory=set[str])
    tags: set[int] = msgspec.field(default_factory=set[int])
    roots: bool = False
    pending: bool = False
    is_much: bool = False

    def add(self, other: "Touched") -> None:
        """Take in what others touched."""
        self.models |= other.models
        self.worded |= other.worded
        self.tagged |= other.tagged
        self.tags |= other.tags
        self.roots |= other.roots
        self.pending |= other.pending
        self.is_much |= other.is_much or len(self.models) + len(self.tags) > MOST
        if self.is_much:
            for named in (self.models, self.worded, self.tagged, self.tags):
                named.clear()

    def __bool__(self) -> bool:
        return bool(self.models or self.tags or self.roots or self.pending or self.is_much)


def touched_by(db: apsw.Connection, events: Iterable[Stored]) -> Touched:
    """Give what events are going to touch; to be asked before they are brought into the rows.

    A file that comes to a path takes it from the model that had it there, of which its event does not speak.
    """
    touched = Touched()
    for stored in events:
        _note(touched, stored.event)
        file = getattr(stored.event, "file", None)
        if isinstance(file, File) and hasattr(stored.event, "model"):
            before = db.execute("SELECT model_hash FROM locations WHERE path = ?", (file.path,)).get
            if before is not None:
                touched.models.add(before)
                touched.worded.add(before)
    return touched


def _note(touched: Touched, event: Event) -> None:
    model = getattr(event, "model", None)
    if isinstance(model, str):
        touched.models.add(model)
        if isinstance(event, (ModelTagged, ModelUntagged)):
            touched.tagged.add(model)
        elif not isinstance(event, _TELL_NO_WORDS):
            touched.worded.add(model)
    if hasattr(event, "pending"):
        touched.pending = True
    match event:
        case TagCreated(tag=tag) | TagRenamed(tag=tag) | TagDeleted(tag=tag):
            touched.tags.add(tag)
        case TagsMerged(tag=tag, into=into):
            touched.tags |= {tag, into}
        case RootAdded() | RootRemoved() | RootPaused() | RootResumed() | RootWentOffline() | RootCameOnline():
            touched.roots = True
        case _:
            pass
