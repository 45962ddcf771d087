"""Every event there is: what can happen in a library. Read this file first.

An event is a fact in the past tense, never changed once it is written. Its stored name is the `tag`, its
form the `SCHEMA` number; both are written out, so that renaming a class here changes nothing on disk.
Adding a field with a default keeps the form; any other change is a new form and needs an upcaster
(`events/codec.py`) and a golden file (`tests/events/golden/`). Paths are in the form of `pathtext`,
times are milliseconds since 1970 UTC unless the name says `_ns`, sizes are bytes.
"""

from typing import Any, ClassVar, Literal

import msgspec
from msgspec import UNSET, UnsetType

Strategy = Literal["merge", "override", "ignore", "delete"]
Status = Literal["imported", "merged", "overridden", "deleted", "ignored"]
RootKind = Literal["model", "pending"]


class Value(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A part of an event."""


class File(Value, frozen=True):
    """A file as it was looked at: where it lies and what tells that it is still the same.

    `dev` and `ino`, which the system gives as unsigned, stand here as signed 64-bit numbers: SQLite has no others.
    """

    path: str
    root: int
    size: int
    mtime_ns: int
    dev: int
    ino: int


class Prompts(Value, frozen=True):
    """The prompts that go well with a model."""

    positive: str = ""
    negative: str = ""


class Changes(Value, frozen=True):
    """The fields somebody gave a new value; a field left out stays as it is."""

    name: str | UnsetType = UNSET
    type: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    community_links: str | UnsetType = UNSET
    prompts: Prompts | UnsetType = UNSET
    trigger_words: tuple[str, ...] | UnsetType = UNSET
    favorite: bool | UnsetType = UNSET


class Texts(Value, frozen=True):
    """What is written about a model."""

    description: str = ""
    community_links: str = ""
    prompts: Prompts = Prompts()
    trigger_words: tuple[str, ...] = ()


class Event(msgspec.Struct, frozen=True, omit_defaults=True, gc=False, tag_field="event"):
    """Something that happened."""

    SCHEMA: ClassVar[int] = 1


# Roots: the watched folders ---------------------------------------------------------------------------


class RootAdded(Event, frozen=True, tag="root-added"):
    """A folder came under watch: a model root holds models of one type, a pending root is a drop folder."""

    root: int
    path: str
    kind: RootKind
    type: str | None = None


class RootRemoved(Event, frozen=True, tag="root-removed"):
    """A folder is watched no more; what lay in it is away, not lost."""

    root: int


class RootWentOffline(Event, frozen=True, tag="root-went-offline"):
    """A root could not be proven present: its folder is gone, or another disk lies at its path."""

    root: int
    why: Literal["absent", "foreign"]


class RootCameOnline(Event, frozen=True, tag="root-came-online"):
    """A root was proven present, by file system and inode."""

    root: int
    fsid: int
    ino: int
    fstype: str = ""


# Pending models: seen, and not imported ---------------------------------------------------------------


class PendingFound(Event, frozen=True, tag="pending-found"):
    """A model file that nobody knew had come to rest; its id is its own for ever."""

    pending: int
    file: File
    name: str
    type: str | None
    in_place: bool
    header: dict[str, Any] = {}
    replaces: str | None = None


class PendingChanged(Event, frozen=True, tag="pending-changed"):
    """The file of a pending model has other content now."""

    pending: int
    file: File
    type: str | None
    header: dict[str, Any] = {}


class PendingMoved(Event, frozen=True, tag="pending-moved"):
    """The file of a pending model lies elsewhere now, unchanged; a stem or folder told a new name or type."""

    pending: int
    file: File
    name: str
    type: str | None
    in_place: bool


class PendingLost(Event, frozen=True, tag="pending-lost"):
    """The file of a pending model is gone, though its root is here."""

    pending: int


class PendingReturned(Event, frozen=True, tag="pending-returned"):
    """The file of a lost or dismissed pending model is here again."""

    pending: int
    file: File
    in_place: bool


class PendingEdited(Event, frozen=True, tag="pending-edited"):
    """Somebody wrote to a pending model."""

    pending: int
    changes: Changes


class PendingTagged(Event, frozen=True, tag="pending-tagged"):
    """Somebody put a tag on a pending model."""

    pending: int
    tag: int


class PendingUntagged(Event, frozen=True, tag="pending-untagged"):
    """Somebody took a tag off a pending model."""

    pending: int
    tag: int


class PendingPictured(Event, frozen=True, tag="pending-pictured"):
    """A pending model got a picture; the original lies in `images/pending/<pending><extension>`."""

    pending: int
    extension: str
    origin: Literal["companion", "person"]
    width: int
    height: int
    texts: dict[str, str] = {}


class PendingRecognised(Event, frozen=True, tag="pending-recognised"):
    """The content of a pending model turned out to be a known model's."""

    pending: int
    model: str


class PendingDismissed(Event, frozen=True, tag="pending-dismissed"):
    """Somebody sent a pending model away: a dropped file to the trash, one in place is hidden till it changes."""

    pending: int
    trash: str | None = None


class PendingImported(Event, frozen=True, tag="pending-imported"):
    """A pending model's record ended: its content is a model's now, or was sent to the trash as known."""

    pending: int
    model: str
    status: Status


# Imports: the only way in -----------------------------------------------------------------------------


class ImportRequested(Event, frozen=True, tag="import-requested"):
    """Somebody asked for a pending model to be imported; it waits its turn."""

    op: str
    pending: int
    strategy: Strategy | None = None
    type: str | None = None


class ImportPlanned(Event, frozen=True, tag="import-planned"):
    """An import knows its content and what it will do to the disk; from here on a crash is finished or undone."""

    op: str
    pending: int
    model: str
    status: Status
    file: File
    header: dict[str, Any] = {}
    target: str | None = None
    target_root: int | None = None
    copies: bool = False
    trash: str | None = None


class ImportCompleted(Event, frozen=True, tag="import-completed"):
    """An import did what it planned; the facts that follow from it stand beside this one."""

    op: str
    pending: int
    model: str
    status: Status
    path: str | None = None


class ImportTidied(Event, frozen=True, tag="import-tidied"):
    """Nothing is left of an import's scaffolding: no second copy, no original picture."""

    op: str


class ImportConflicted(Event, frozen=True, tag="import-conflicted"):
    """The content is known already and nobody has said what to do; nothing was changed."""

    op: str
    pending: int
    model: str


class ImportFailed(Event, frozen=True, tag="import-failed"):
    """An import could not be done; all is as it was."""

    op: str
    pending: int
    reason: str


class ImportCancelled(Event, frozen=True, tag="import-cancelled"):
    """Somebody took an import back before it was done; all is as it was."""

    op: str
    pending: int


# Models: imported content -----------------------------------------------------------------------------


class ModelImported(Event, frozen=True, tag="model-imported"):
    """Content became a model, identified by the SHA-256 of its bytes."""

    model: str
    name: str
    type: str
    size: int
    texts: Texts = Texts()
    header: dict[str, Any] = {}
    pending: int | None = None


class ModelEdited(Event, frozen=True, tag="model-edited"):
    """Somebody wrote to a model."""

    model: str
    changes: Changes


class ModelTagged(Event, frozen=True, tag="model-tagged"):
    """Somebody put a tag on a model."""

    model: str
    tag: int


class ModelUntagged(Event, frozen=True, tag="model-untagged"):
    """Somebody took a tag off a model."""

    model: str
    tag: int


# Locations: where a model's content lies ---------------------------------------------------------------


class LocationFound(Event, frozen=True, tag="location-found"):
    """A model's content lies at a path (once more, if it was lost there)."""

    model: str
    file: File


class LocationMoved(Event, frozen=True, tag="location-moved"):
    """A file of a model lies elsewhere now."""

    model: str
    came_from: str
    file: File


class LocationRefreshed(Event, frozen=True, tag="location-refreshed"):
    """A file of a model was touched; its bytes were compared and are the same."""

    model: str
    file: File


class LocationLost(Event, frozen=True, tag="location-lost"):
    """A file of a model is gone, though its root is here."""

    model: str
    path: str


class LocationReplaced(Event, frozen=True, tag="location-replaced"):
    """Other content lies at the path of a model's file; the path is the model's no more."""

    model: str
    path: str


# Images -----------------------------------------------------------------------------------------------


class ImageAdded(Event, frozen=True, tag="image-added"):
    """A model got a picture; `width`, `height`, `format` and `texts` tell of the original."""

    model: str
    seq: int
    format: str
    width: int
    height: int
    texts: dict[str, str] = {}


class ImageRemoved(Event, frozen=True, tag="image-removed"):
    """A picture was taken away from a model; its number is not used again."""

    model: str
    seq: int


class CoverChosen(Event, frozen=True, tag="cover-chosen"):
    """A picture became the one that stands for its model."""

    model: str
    seq: int


# Tags -------------------------------------------------------------------------------------------------


class TagCreated(Event, frozen=True, tag="tag-created"):
    """A tag came into use, in this spelling."""

    tag: int
    name: str


class TagRenamed(Event, frozen=True, tag="tag-renamed"):
    """A tag is spelled otherwise now, wherever it stands."""

    tag: int
    name: str


class TagsMerged(Event, frozen=True, tag="tags-merged"):
    """One tag became another: what had the first has the second now."""

    tag: int
    into: int


class TagDeleted(Event, frozen=True, tag="tag-deleted"):
    """A tag was taken off everything and is no more."""

    tag: int


# Trash ------------------------------------------------------------------------------------------------


class FileTrashed(Event, frozen=True, tag="file-trashed"):
    """A file went to the trash, with a record that restore uses."""

    trash: str
    path: str
    root: int
    size: int
    reason: Literal["dismissed", "merged", "overridden", "deleted"]
    pending: int | None = None
    model: str | None = None


EVENTS: tuple[type[Event], ...] = tuple(Event.__subclasses__())
