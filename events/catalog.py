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
RootOrigin = Literal["configuration", "comfyui", "user"]
"""Who names a root: the settings, a ComfyUI, or somebody who added it while the daemon ran."""
Origin = Literal["user", "header", "provider"]
"""Where a tag comes from: a person, the model file itself, or a file that another program wrote beside it."""
LegacyForm = Literal["v1", "v2"]


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


class Sidecar(Value, frozen=True):
    """A file beside a model that tells of it, as it was when it was read; `source` names its format."""

    path: str
    source: str
    size: int
    mtime_ns: int


class Provided(Value, frozen=True):
    """What a sidecar says of a model. None of it is what somebody wrote in Hikaze, and none of it replaces that.

    `notes` and `favorite` are what its user wrote in the program whose file it is; the rest comes from providers.
    Texts are clean: no markup is left in them. `sha256` is the content that the sidecar says it tells of. `facts`
    holds what has no field of ours, under its own name. `problem` says why nothing, or not all, could be taken.
    """

    name: str = ""
    notes: str = ""
    description: str = ""
    links: tuple[str, ...] = ()
    prompts: Prompts = Prompts()
    trigger_words: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    favorite: bool = False
    sha256: str = ""
    facts: dict[str, Any] = {}
    problem: str = ""


class Folders(Value, frozen=True):
    """The folders of one type, the first being where new models go, and which endings are looked for there.

    Without any endings it is every ending, as in ComfyUI.
    """

    type: str
    paths: tuple[str, ...]
    extensions: tuple[str, ...] = ()


class ChosenLora(Value, frozen=True):
    """A LoRA in a set, as the payload of a node has it: where its file lies, and how strongly it is used."""

    name: str
    full_path: str
    strength_model: float = 1.0
    strength_clip: float = 1.0
    sha256: str | None = None
    enabled: bool = True


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
    origin: RootOrigin = "configuration"


class RootRemoved(Event, frozen=True, tag="root-removed"):
    """A folder is watched no more; what lay in it is away, not lost.

    One that the user removed stays removed, whatever the configuration names, until the user adds it again.
    """

    root: int
    by: Literal["configuration", "user"] = "configuration"


class RootPaused(Event, frozen=True, tag="root-paused"):
    """The user had a root left alone: nothing in it is touched, and what lies in it counts as away."""

    root: int


class RootResumed(Event, frozen=True, tag="root-resumed"):
    """The user had a paused root watched again; it is away until it is proven present."""

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


class ComfyuiFoldersTold(Event, frozen=True, tag="comfyui-folders-told"):
    """A running ComfyUI, known by its base folder, told which folders of models it has: all of them, as of now."""

    base: str
    folders: tuple[Folders, ...]


# Pending models: seen, and not imported ---------------------------------------------------------------


class PendingFound(Event, frozen=True, tag="pending-found"):
    """A model file that nobody knew had come to rest; its id is its own for ever.

    `created_at` is when an earlier library had found it. Its root is 0 where an earlier library tells of a file
    in no folder of ours.
    """

    pending: int
    file: File
    name: str
    type: str | None
    in_place: bool
    header: dict[str, Any] = {}
    replaces: str | None = None
    created_at: int | None = None


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
    """Somebody put a tag on a pending model, or it came from where `origin` says."""

    pending: int
    tag: int
    origin: Origin = "user"


class PendingUntagged(Event, frozen=True, tag="pending-untagged"):
    """Somebody took a tag off a pending model."""

    pending: int
    tag: int


class PendingPictured(Event, frozen=True, tag="pending-pictured"):
    """A pending model got a picture; the original lies in `images/pending/<pending><extension>`.

    `original` is the SHA-256 of that file, in hexadecimal, where it is known.
    """

    pending: int
    extension: str
    origin: Literal["companion", "person"]
    width: int
    height: int
    texts: dict[str, str] = {}
    original: str = ""


class PendingProvided(Event, frozen=True, tag="pending-provided"):
    """A sidecar of a pending model was read."""

    pending: int
    sidecar: Sidecar
    provided: Provided


class PendingHeaderRead(Event, frozen=True, tag="pending-header-read"):
    """What the file of a pending model says of itself was read anew, by better rules; its bytes are the same."""

    pending: int
    header: dict[str, Any]


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
    """Content became a model, identified by the SHA-256 of its bytes.

    `claimed` says that an earlier library gave the hash and nobody has seen such bytes; `path` is where that library
    had the file, and `created_at` when it came to it. `given` names the fields that a person left empty on purpose.
    """

    model: str
    name: str
    type: str
    size: int
    texts: Texts = Texts()
    header: dict[str, Any] = {}
    pending: int | None = None
    given: tuple[str, ...] = ()
    claimed: bool = False
    path: str = ""
    created_at: int | None = None


class ModelEdited(Event, frozen=True, tag="model-edited"):
    """Somebody wrote to a model."""

    model: str
    changes: Changes


class ModelTagged(Event, frozen=True, tag="model-tagged"):
    """Somebody put a tag on a model, or it came from where `origin` says."""

    model: str
    tag: int
    origin: Origin = "user"


class ModelUntagged(Event, frozen=True, tag="model-untagged"):
    """Somebody took a tag off a model."""

    model: str
    tag: int


class ModelProvided(Event, frozen=True, tag="model-provided"):
    """A sidecar of a model was read; it lies, or lay, beside one of the model's files."""

    model: str
    sidecar: Sidecar
    provided: Provided


class ModelHeaderRead(Event, frozen=True, tag="model-header-read"):
    """What a file of a model says of itself was read: for the first time, or by better rules."""

    model: str
    header: dict[str, Any]


class ModelHashed(Event, frozen=True, tag="model-hashed"):
    """Further hashes of a model's content were worked out from its bytes, in lower-case hexadecimal.

    By kind: `autov1` (8 digits; SHA-256 of 64 KiB from 1 MiB on) and `autov3` (64 digits; SHA-256 of a safetensors
    file behind its header), as AUTOMATIC1111's programs have them.
    """

    model: str
    hashes: dict[str, str]


# Use --------------------------------------------------------------------------------------------------


class ModelUsed(Event, frozen=True, tag="model-used"):
    """A ComfyUI queued prompts that load a model: how many since it told of that before, and when the last."""

    model: str
    count: int
    last: int


class PendingUsed(Event, frozen=True, tag="pending-used"):
    """A ComfyUI queued prompts that load the file of a pending model."""

    pending: int
    count: int
    last: int


class LoraSetSaved(Event, frozen=True, tag="lora-set-saved"):
    """Somebody saved LoRAs, in their order, under a name: a new set, or in place of what the set held."""

    lora_set: int
    name: str
    note: str = ""
    loras: tuple[ChosenLora, ...] = ()


class LoraSetDeleted(Event, frozen=True, tag="lora-set-deleted"):
    """Somebody deleted a set of LoRAs; its number is not used again."""

    lora_set: int


# Locations: where a model's content lies ---------------------------------------------------------------


class LocationFound(Event, frozen=True, tag="location-found"):
    """A model's content lies at a path (once more, if it was lost there).

    `claimed` says that it was `LocationClaimed` and is not confirmed yet.
    """

    model: str
    file: File
    claimed: bool = False


class LocationMoved(Event, frozen=True, tag="location-moved"):
    """A file of a model lies elsewhere now; `claimed` as in `LocationFound`."""

    model: str
    came_from: str
    file: File
    claimed: bool = False


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


class LocationClaimed(Event, frozen=True, tag="location-claimed"):
    """An earlier library says that a model's content lies at a path; nobody has hashed what lies there.

    `lost` says that nothing lies there, though its root is here.
    """

    model: str
    file: File
    lost: bool = False


class ClaimConfirmed(Event, frozen=True, tag="claim-confirmed"):
    """A file that an earlier library told of was hashed, and is what was claimed."""

    model: str
    file: File


class ClaimDenied(Event, frozen=True, tag="claim-denied"):
    """A file that an earlier library told of was hashed, and is other content, `actual`; what follows from it
    stands beside this event.
    """

    model: str
    path: str
    actual: str


# Images -----------------------------------------------------------------------------------------------


class ImageAdded(Event, frozen=True, tag="image-added"):
    """A model got a picture; `width`, `height`, `format` and `texts` tell of the original.

    `original` is the SHA-256 of the original's file, in hexadecimal, where it is known.
    """

    model: str
    seq: int
    format: str
    width: int
    height: int
    texts: dict[str, str] = {}
    original: str = ""


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


# Migration: what an earlier Hikaze had ----------------------------------------------------------------


class MigrationBegun(Event, frozen=True, tag="migration-begun"):
    """Somebody asked for the library of an earlier Hikaze; `database` and `images` are paths as in `pathtext`."""

    op: str
    database: str
    images: str
    form: LegacyForm


class RowMigrated(Event, frozen=True, tag="row-migrated"):
    """All of a row of an earlier library came along: to a model, to a pending model, or as a tag.

    `digest` is the SHA-256 of all that the row says, so that it does not come twice; `table` and `row` name it there.
    `outcome` says whether something new was made of it, or it was united with what was known. `tags` and `images`
    count what came with it and was not there before. `parts` are short digests of the tags and texts that it says:
    what somebody takes away later does not come again with a row that has changed.
    """

    op: str
    digest: str
    form: LegacyForm
    table: str
    row: str
    outcome: Literal["new", "united"]
    model: str | None = None
    pending: int | None = None
    is_missing: bool = False
    tags: int = 0
    images: int = 0
    parts: tuple[str, ...] = ()


class RowRefused(Event, frozen=True, tag="row-refused"):
    """A row of an earlier library, or a part of it, did not come along; `what` says which and why."""

    op: str
    table: str
    row: str
    what: str


class MigrationEnded(Event, frozen=True, tag="migration-ended"):
    """A migration came to its end, was cancelled, or could not be done."""

    op: str
    status: Literal["done", "cancelled", "failed"]
    reason: str = ""
    already: int = 0


EVENTS: tuple[type[Event], ...] = tuple(Event.__subclasses__())
