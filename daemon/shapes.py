"""What goes over the API: the bodies it takes and the answers it gives, from which OpenAPI is made."""

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from ..events.catalog import LegacyForm, Origin, Strategy
from ..projections.references import LinkedBy
from .export.formats import Format

Name = Annotated[str, Meta(min_length=1, max_length=500)]
Text = Annotated[str, Meta(max_length=100_000)]
Word = Annotated[str, Meta(min_length=1, max_length=1_000)]
TagName = Annotated[str, Meta(min_length=1, max_length=1_000)]
TagNames = Annotated[list[TagName], Meta(max_length=1_000)]
TypeName = Annotated[str, Meta(min_length=1, max_length=64)]
Sequence = Annotated[int, Meta(ge=0, le=2**53)]
Number = Annotated[int, Meta(ge=1, le=2**53)]
Hash = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]


class Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A body that is taken; a field we do not know is refused, so that a slip is not lost in silence."""


class PromptsPatch(Body, frozen=True):
    """The prompts to change."""

    positive: Text | UnsetType = UNSET
    negative: Text | UnsetType = UNSET


class PendingPatch(Body, frozen=True):
    """The fields of a pending model to change; one left out stays.

    `tags` is the whole new list of names; `add_tags` and `remove_tags`, in its place, leave other tags as they are.
    """

    name: Name | UnsetType = UNSET
    type: TypeName | UnsetType = UNSET
    description: Text | UnsetType = UNSET
    community_links: Text | UnsetType = UNSET
    prompts: PromptsPatch | UnsetType = UNSET
    trigger_words: Annotated[list[Word], Meta(max_length=1_000)] | UnsetType = UNSET
    tags: TagNames | UnsetType = UNSET
    add_tags: TagNames | UnsetType = UNSET
    remove_tags: TagNames | UnsetType = UNSET

    def __post_init__(self) -> None:
        """Refuse the whole list together with changes of it: nobody could say what was meant."""
        if self.tags is not UNSET and (self.add_tags is not UNSET or self.remove_tags is not UNSET):
            raise ValueError("give either `tags`, the whole list, or `add_tags` and `remove_tags`")


class ModelPatch(PendingPatch, frozen=True):
    """The fields of a model to change; one left out stays. `cover` is the number of one of its pictures."""

    favorite: bool | UnsetType = UNSET
    cover: Sequence | UnsetType = UNSET


class ModelsPatch(Body, frozen=True):
    """What to change of several models, as one action; what is left out stays."""

    models: Annotated[list[Hash], Meta(min_length=1, max_length=50_000)]
    add_tags: TagNames | UnsetType = UNSET
    remove_tags: TagNames | UnsetType = UNSET
    type: TypeName | UnsetType = UNSET
    favorite: bool | UnsetType = UNSET

    def __post_init__(self) -> None:
        """Refuse a change of nothing."""
        if all(each is UNSET for each in (self.add_tags, self.remove_tags, self.type, self.favorite)):
            raise ValueError("say what to change: `add_tags`, `remove_tags`, `type` or `favorite`")


class TagBody(Body, frozen=True):
    """A tag's name."""

    name: TagName


class SessionBody(Body, frozen=True):
    """A one-time code; left out by a caller who is allowed in already and wants a link."""

    code: Annotated[str, Meta(min_length=1, max_length=200)] | None = None


class ImportBody(Body, frozen=True):
    """What to import: one pending model, several, all, or those whose last import is in conflict or has failed."""

    id: Number | Annotated[list[Number], Meta(min_length=1, max_length=200_000)] | Literal["all", "conflict", "failed"]
    conflict_strategy: Strategy | None = None
    type: TypeName | None = None


class MigrateBody(Body, frozen=True):
    """Where an earlier library lies: its data folder, the folder above that, or its database, as a whole path.

    `legacy_images_dir` is the folder of its pictures where that is not `images` beside the database.
    """

    legacy_db_path: Annotated[str, Meta(min_length=1, max_length=32_767)]
    legacy_images_dir: Annotated[str, Meta(min_length=1, max_length=32_767)] | None = None


class ExportBody(Body, frozen=True):
    """What to write beside the files of models: in which format, of which models (by hash) or all.

    Nothing that lies there is overwritten; with `replace` it is kept beside the new file. `pictures` writes the cover
    too, where no preview lies. `dry_run` writes nothing and tells what would be.
    """

    format: Format
    models: Annotated[list[Hash], Meta(min_length=1, max_length=50_000)] | Literal["all"]
    replace: bool = False
    pictures: bool = False
    dry_run: bool = False


class NoBody(Body, frozen=True):
    """Nothing: `{}` or no body at all."""


WholePath = Annotated[str, Meta(min_length=1, max_length=32_767)]
Strength = Annotated[float, Meta(ge=-1_000_000, le=1_000_000)]


class ComfyuiFolders(Body, frozen=True):
    """The folders of one type, the first being where new models go; without `extensions` every ending counts."""

    type: Annotated[str, Meta(min_length=1, max_length=200)]
    paths: Annotated[list[WholePath], Meta(max_length=1_000)]
    extensions: Annotated[list[Annotated[str, Meta(max_length=100)]], Meta(max_length=1_000)] = []


class ComfyuiBody(Body, frozen=True):
    """All folders of models that the ComfyUI in the folder `base` has now; NUL and four digits are a unit of no UTF-8.

    Those that it told of before and does not name now are watched no more, unless somebody else names them.
    """

    base: WholePath
    folders: Annotated[list[ComfyuiFolders], Meta(max_length=1_000)]


class UseBody(Body, frozen=True):
    """How many prompts that load a file were queued, and when the last: in ms since 1970 UTC, or as ISO 8601 has it."""

    path: WholePath | UnsetType = UNSET
    sha256: Hash | UnsetType = UNSET
    count: Annotated[int, Meta(ge=1, le=1_000_000_000)] = 1
    last: Annotated[int, Meta(ge=1, le=2**53)] | datetime | UnsetType = UNSET

    def __post_init__(self) -> None:
        """Refuse a use of nothing, or of two things."""
        if (self.path is UNSET) == (self.sha256 is UNSET):
            raise ValueError("name what was used by `path` or by `sha256`")


class UsageBody(Body, frozen=True):
    """What a ComfyUI used since it told of that before."""

    used: Annotated[list[UseBody], Meta(max_length=20_000)]


class LoraEntry(Body, frozen=True):
    """A LoRA in a set, as the payload of a node has it."""

    full_path: Annotated[str, Meta(max_length=32_767)]
    name: Annotated[str, Meta(max_length=1_000)] = ""
    strength_model: Strength = 1.0
    strength_clip: Strength = 1.0
    sha256: str | None = None
    enabled: bool = True


class LoraSetBody(Body, frozen=True):
    """LoRAs in their order, to be saved under a name."""

    name: Name
    loras: Annotated[list[LoraEntry], Meta(max_length=1_000)]
    note: Annotated[str, Meta(max_length=10_000)] = ""


# Answers ----------------------------------------------------------------------------------------------


class Problem(msgspec.Struct):
    """An error, as RFC 9457 has it; `detail` says what to do, `at` where in a query, in characters from 0."""

    type: str
    title: str
    status: int
    detail: str
    at: int | UnsetType = UNSET
    offset: int | UnsetType = UNSET
    """How many bytes of an upload are here."""
    existing: int | UnsetType = UNSET
    """The set of LoRAs that has the name already."""


class Written(msgspec.Struct):
    """A write was done; `position` is that of its last event."""

    position: int


class Prompts(msgspec.Struct):
    """The prompts that go well with a model."""

    positive: str
    negative: str


class OfferedPrompts(msgspec.Struct):
    """The prompts that a picture was made with, offered as those of its model; `image` is the picture's base name."""

    positive: str
    negative: str
    image: str


State = Literal["present", "offline", "missing"]


class ModelCard(msgspec.Struct, kw_only=True):
    """A model as a list shows it. `images` are base names, `cover` is the number of one of them."""

    sha256: str
    name: str
    type: str
    size_bytes: int
    created_at: int
    changed_at: int
    favorite: bool
    tags: list[str]
    images: list[str]
    cover: int | None
    path: str | None
    name_valid: bool
    state: State


class Location(msgspec.Struct):
    """A path where a model's content lies, or lay.

    `claimed` says that an earlier library told of it, and that nobody has compared its bytes yet.
    """

    path: str
    root: int
    name_valid: bool
    state: State
    claimed: bool


class Provided(msgspec.Struct):
    """What a sidecar, a file of another program, says of a model. `source` names its format.

    `notes` and `favorite` are what its user wrote there, `facts` is what has no field of ours, `problem` says why
    nothing, or not all, could be taken.
    """

    source: str
    path: str
    name: str
    notes: str
    description: str
    links: list[str]
    prompts: Prompts
    trigger_words: list[str]
    tags: list[str]
    favorite: bool
    sha256: str
    facts: dict[str, Any]
    problem: str


WrittenBy = Literal["user", "provider", "header", "none"]


class Origins(msgspec.Struct):
    """Whose each text is: somebody's who wrote or emptied it in Hikaze, that of sidecars, the header's, or nobody's."""

    description: WrittenBy
    community_links: WrittenBy
    prompts: WrittenBy
    trigger_words: WrittenBy


class EarlierName(msgspec.Struct):
    """A name that a model had before: one that somebody gave it, or that of a file which held its content."""

    kind: Literal["name", "file"]
    name: str


class Denied(msgspec.Struct):
    """A path where an earlier library has a model's content, and where the content `sha256` lies."""

    path: str
    sha256: str


class ModelWhole(ModelCard, kw_only=True):
    """A model with everything known of it.

    `provided` are its sidecars, that which was read last first. `tag_origins` tells by the name of each tag where it
    comes from: a person, the header of the model file, or a sidecar (provider). `header` is what the file says of
    itself: `metadata` as it stands there, `facts` as we read them, `told` what became tags and texts of it.
    `offered_prompts` are those of its cover, else of the first picture that carries some; nobody wrote them to it.
    `hash_state` is claimed where an earlier library alone tells of the hash, and denied where other content lies at
    one of the paths it gave. `uses` counts the prompts that ComfyUI queued and that load it, `last_used` says when the
    last was.
    """

    description: str
    community_links: str
    prompts: Prompts
    trigger_words: list[str]
    provided: list[Provided]
    origins: Origins
    tag_origins: dict[str, Origin]
    earlier_names: list[EarlierName]
    offered_prompts: OfferedPrompts | None
    hash_state: Literal["confirmed", "claimed", "denied"]
    denied: list[Denied]
    locations: list[Location]
    uses: int
    last_used: int | None
    header: dict[str, Any]
    version: int


class ImportState(msgspec.Struct):
    """How the last import of a pending model stands: queued, planned (its file is being placed), or how it ended.

    `model` is the hash of the model that has the content, where there is a conflict.
    """

    state: Literal["queued", "planned", "completed", "conflict", "failed", "cancelled"]
    reason: str | None
    model: str | None


class PendingCard(msgspec.Struct, kw_only=True):
    """A pending model as a list shows it. `sha256` is given where its content is known to be a model's."""

    id: int
    name: str
    path: str
    name_valid: bool
    type: str | None
    size_bytes: int
    created_at: int
    tags: list[str]
    image: str | None
    in_place: bool
    state: str
    sha256: str | None
    replaces: str | None
    import_: ImportState | None = msgspec.field(name="import")


class TensorShape(msgspec.Struct):
    """A tensor that a file holds."""

    name: str
    dtype: str
    shape: list[int]


class PendingWhole(PendingCard, kw_only=True):
    """A pending model with everything known of it; `tensors` are read from the file, none where it is away.

    `tag_origins` and `header` are as those of a model, and `offered_prompts` are those of its picture.
    """

    description: str
    community_links: str
    prompts: Prompts
    trigger_words: list[str]
    provided: list[Provided]
    origins: Origins
    tag_origins: dict[str, Origin]
    offered_prompts: OfferedPrompts | None
    header: dict[str, Any]
    tensors: list[TensorShape]
    version: int


class ModelPage(msgspec.Struct):
    """A page of models."""

    items: list[ModelCard]
    next: str | None


FoundBy = Literal["name", "tag", "trigger_words", "text", "file", "hash", "earlier_name", "earlier_file"]


class FoundCard(ModelCard, kw_only=True):
    """A model that a search found.

    `found_by` is the best place where a word of the query was found, null where it asks for none; `earlier` is the
    name that the model or its file had before, where that alone holds the word.
    """

    found_by: FoundBy | None = None
    earlier: str | None = None


class TagFacet(msgspec.Struct):
    """How many of the models found have a tag."""

    name: str
    count: int


class TypeFacet(msgspec.Struct):
    """How many of the models found are of a type."""

    type: str
    count: int


class Facets(msgspec.Struct):
    """The tags and types of the models found, those of most models first."""

    tags: list[TagFacet]
    types: list[TypeFacet]


class FoundPage(msgspec.Struct):
    """A page of what a search found: `total` counts all of it, `facets` come where they are asked for."""

    items: list[FoundCard]
    next: str | None
    total: int
    facets: Facets | UnsetType = UNSET


class AtPath(msgspec.Struct):
    """What lies at a path: a model or a pending model, the other null."""

    model: ModelWhole | None
    pending: PendingCard | None


class PendingPage(msgspec.Struct):
    """A page of pending models; `total` counts those on all pages."""

    items: list[PendingCard]
    next: str | None
    total: int


class TypeCount(msgspec.Struct):
    """A type, and how many models and pending models have it."""

    type: str
    models: int
    pending: int


class TypePage(msgspec.Struct):
    """The types that exist."""

    items: list[TypeCount]
    next: str | None


class Tag(msgspec.Struct):
    """A tag, and on how many models and pending models it stands."""

    id: int
    name: str
    models: int
    pending: int


class TagPage(msgspec.Struct):
    """A page of tags."""

    items: list[Tag]
    next: str | None


class TagWritten(msgspec.Struct):
    """A tag as it is now. `merged` says that it became another one, which is this."""

    id: int
    name: str
    position: int
    merged: bool = False


class ModelWritten(ModelWhole, kw_only=True):
    """A model as it is after a write."""

    position: int


class ModelsWritten(msgspec.Struct):
    """How many of several models were changed, and how many were so already; `unknown` are no models here."""

    changed: int
    unchanged: int
    unknown: list[str]
    position: int


class PendingWritten(PendingWhole, kw_only=True):
    """A pending model as it is after a write."""

    position: int


class ImageNames(msgspec.Struct):
    """The base names of a model's pictures, in order of their numbers."""

    images: list[str]


class ImageCount(msgspec.Struct):
    """How many pictures a model has."""

    count: int


class ImageReference(msgspec.Struct, kw_only=True):
    """A file that was used to make a picture, as the picture has it, and the model that is meant.

    `kind` is a type as ComfyUI calls it. `hash` is often the beginning of one; `hash_kind` says which it is where the
    picture's format tells: sha256, autov1, autov2, autov3, blake3, crc32, or tensors (SHA-256 of a file behind its
    header). `sha256`, `model_name` and `linked_by` are the model's, its name now, and by what it is known: null where
    none is known for sure. `candidates` counts the models that fit.
    """

    kind: str
    name: str
    hash: str | None
    hash_kind: str | None
    weight: float | None
    sha256: str | None
    linked_by: LinkedBy | None
    model_name: str | None
    candidates: int


class ImageInfo(msgspec.Struct, kw_only=True):
    """What a picture tells of how it was made; null where it does not.

    `image` is the base name of a model's picture, or a pending model's id. `format`, `width` and `height` are those
    of the original. `source` is the program whose form the texts have. `seed` may have 64 bits, more than JavaScript's
    numbers keep; `seed_text` has the same digits. `size` is what the sampler made, as `[width, height]`. `model` is
    the name of the main model as it is written. `texts` are the picture's texts as they are, without the EXIF and XMP
    blocks. `problem` says why not all of them could be read.
    """

    image: str
    format: str | None
    width: int
    height: int
    source: str | None
    prompts: Prompts
    seed: int | None
    seed_text: str | None
    sampler: str | None
    scheduler: str | None
    steps: int | None
    cfg: float | None
    size: tuple[int, int] | None
    denoise: float | None
    clip_skip: int | None
    model: str | None
    references: list[ImageReference]
    texts: dict[str, str]
    problem: str | None


class ImageWritten(msgspec.Struct):
    """A picture that was added."""

    base_name: str
    seq: int
    position: int


class ImportDone(msgspec.Struct):
    """An import that was done."""

    status: Literal["imported", "merged", "overridden", "deleted", "ignored"]
    sha256: str
    path: str | None
    position: int


class ImportQueued(msgspec.Struct):
    """Imports that were queued; their outcomes come in the stream, under this action."""

    queued: int
    action: str
    position: int


class ImportConflict(msgspec.Struct):
    """The content is known: decide with a `conflict_strategy`."""

    status: Literal["conflict"]
    pending: PendingCard
    existing: ModelWhole


class ImportsCancelled(msgspec.Struct):
    """How many imports were taken back, or told to stop; one that gets its file into place first is done."""

    cancelled: int
    position: int


class NotMigrated(msgspec.Struct):
    """What did not come along with a migration: a row of the earlier library or a part of it, and why."""

    table: str
    id: str
    what: str


class Migrated(msgspec.Struct):
    """What came of a migration.

    `models` and `pending` count the rows that became one or were united with one, `united` those of them that were
    united, `missing` those whose file is gone, `already` those that came along before and say the same. `tags` and
    `images` are what they brought. `problems` names all that did not come along, `unwatched` folders that no root of
    ours holds.
    """

    status: Literal["done", "cancelled"]
    form: LegacyForm
    models: int
    pending: int
    united: int
    missing: int
    tags: int
    images: int
    already: int
    problems: list[NotMigrated]
    unwatched: list[str]
    position: int


class MigrationCancelled(msgspec.Struct):
    """Whether there was a migration to cancel."""

    cancelled: bool
    position: int


class NotExported(msgspec.Struct):
    """A file that was not written, and why."""

    path: str
    why: str


class Exported(msgspec.Struct):
    """What came of an export: how many files of the format were written, said it all already, or were not written.

    `pictures` counts those written beside. `paths` and `skipped` name the first thousand written and not written.
    """

    written: int
    unchanged: int
    pictures: int
    not_written: int
    paths: list[str]
    skipped: list[NotExported]
    cancelled: bool
    dry_run: bool


class ExportCancelled(msgspec.Struct):
    """Whether there was an export to cancel."""

    cancelled: bool


class Copy(msgspec.Struct, kw_only=True):
    """A path where a model's content lies, or lay. Paths with one `file` number are one file: links, or one folder
    seen through two roots.

    `pending` is given where the file is that of a pending model. `claimed` as in a location.
    """

    path: str
    root: int
    name_valid: bool
    state: State
    claimed: bool
    pending: int | None
    file: int | None


class Equal(msgspec.Struct, kw_only=True, tag_field="kind", tag="equal"):
    """A model whose content lies in several files. `files` counts those that are here and were hashed; all of them but
    one would give `gives_back` bytes back.
    """

    gives_back: int
    sha256: str
    name: str
    type: str
    size_bytes: int
    files: int
    locations: list[Copy]


class Relative(msgspec.Struct, kw_only=True):
    """A model that has all its tensors in common with others; without its files there were `gives_back` bytes more.

    `origin` says who tells its AutoV3: it was `computed` from the bytes, or the `header` tells it, which may be a copy
    of another's and gives nothing back.
    """

    sha256: str
    name: str
    type: str
    size_bytes: int
    gives_back: int
    origin: Literal["computed", "header"]
    files: int
    locations: list[Copy]


class Relatives(msgspec.Struct, kw_only=True, tag_field="kind", tag="relatives"):
    """Models with the same tensors and other metadata; all of them but the one that takes most would give `gives_back`
    bytes back.

    `differs` names the metadata in which their headers differ; null where one of them was never read.
    """

    gives_back: int
    autov3: str
    differs: list[str] | None
    models: list[Relative]


class DuplicateTotal(msgspec.Struct):
    """How many groups of a kind there are, and the bytes they would give back."""

    groups: int
    gives_back: int


class DuplicateTotals(msgspec.Struct):
    """The totals of both kinds; 0 of one that was not asked for. What both have in common is in both."""

    equal: DuplicateTotal
    relatives: DuplicateTotal


class DuplicatePage(msgspec.Struct):
    """A page of what lies on the disks more than once."""

    items: list[Equal | Relatives]
    next: str | None
    totals: DuplicateTotals


class Amount(msgspec.Struct, kw_only=True):
    """How many models, and the bytes that their files take."""

    models: int
    bytes: int


class StoredInAll(Amount, kw_only=True):
    """All that is here; a file is counted once, however many names it has."""

    files: int


class StoredInRoot(Amount, kw_only=True):
    """What lies, or lay when it was here, in a root; a file with names in two roots counts in both.

    Pending models are counted apart. The free and whole bytes of its disk are null where it is not asked, because it
    is away or may not answer.
    """

    root: int
    path: str
    kind: str
    type: str | None
    state: Literal["online", "offline"]
    files: int
    pending_files: int
    pending_bytes: int
    free_bytes: int | None
    disk_bytes: int | None


class StoredOfType(Amount, kw_only=True):
    """What the models of a type take."""

    type: str


class StoredWithTag(Amount, kw_only=True):
    """What the models with a tag take; a model with several tags counts for each."""

    id: int
    name: str


class StoredOfAge(Amount, kw_only=True):
    """What the models take that were added within `days`, and before those of the age before it."""

    age: Literal["week", "month", "quarter", "year", "older"]
    days: int | None


class Storage(msgspec.Struct):
    """What takes how much room. `types`, `tags` and `ages` count what is here; `offline` and `missing` what is not."""

    total: StoredInAll
    offline: Amount
    missing: Amount
    roots: list[StoredInRoot]
    types: list[StoredOfType]
    tags: list[StoredWithTag]
    ages: list[StoredOfAge]


class Scanned(msgspec.Struct):
    """What a full look at the disks found."""

    scanned: int
    added: int
    moved: int
    changed: int
    returned: int
    missing: int
    unreadable: list[str]
    position: int


class Session(msgspec.Struct, omit_defaults=True):
    """What a page needs to talk to the daemon; or a code, for who may hand one out."""

    token: str | None = None
    image_key: str | None = None
    code: str | None = None
    url: str | None = None


class LeftOut(msgspec.Struct):
    """A folder that a ComfyUI told of and that is not watched on that account, and why."""

    path: str
    why: str


class ComfyuiTold(msgspec.Struct):
    """The roots that a ComfyUI's folders are, by id, and those of its folders that are none."""

    roots: list[int]
    left_out: list[LeftOut]
    position: int


class UsageTold(msgspec.Struct):
    """How many files' uses were counted; `unknown` are the paths and hashes of those that are none of ours."""

    counted: int
    unknown: list[str]
    position: int


class LoraInSet(msgspec.Struct):
    """A LoRA in a set, as the payload of a node has it."""

    name: str
    full_path: str
    strength_model: float
    strength_clip: float
    sha256: str | None
    enabled: bool


class LoraSet(msgspec.Struct):
    """A set of LoRAs, in their order."""

    id: int
    name: str
    note: str
    loras: list[LoraInSet]
    created: int
    changed: int
    version: int


class LoraSetWritten(LoraSet):
    """A set of LoRAs as it is after a write."""

    position: int


class LoraSetPage(msgspec.Struct):
    """A page of sets, by name."""

    items: list[LoraSet]
    next: str | None


ResolvedBy = Literal["path", "sha256", "earlier", "name"]


class Candidate(msgspec.Struct):
    """A file that is here and may be the one that is meant: of a model, or of a pending model."""

    path: str
    name: str
    type: str | None
    sha256: str | None
    pending: int | None
    size_bytes: int
    by: ResolvedBy


class Resolved(msgspec.Struct):
    """Where a file lies now. `here`: where it is said to; else the candidates, the likeliest, `path`, first."""

    here: bool
    found_by: ResolvedBy | None
    path: str | None
    candidates: list[Candidate]


class RootState(msgspec.Struct):
    """A watched folder. What lies in one that is offline or paused counts as away, and is not lost.

    `watched` tells how changes in it are seen: by events, by looks now and then, or both ways. `polled_every_s` is how
    often it is looked at because others may change it without an event.
    """

    id: int
    path: str
    kind: str
    type: str | None
    state: Literal["online", "offline", "paused"]
    why: str | None
    watched: Literal["events", "looks", "both"] | None
    polled_every_s: float | None


class RootWhole(RootState):
    """A watched folder whole. `why` says what is wrong with it, `cure` what to do; null where nothing is wrong.

    `models` counts the files of models in it, `pending` the pending models, whether they are here or away. `origin`
    says who names it: the configuration, a ComfyUI, or the user, who added it.
    """

    cure: str | None
    models: int
    pending: int
    origin: Literal["configuration", "comfyui", "user"]


class RootWritten(RootWhole):
    """A watched folder, and the position of what was written."""

    position: int


class RootPage(msgspec.Struct):
    """All watched folders."""

    items: list[RootWhole]
    next: str | None


class RootBody(msgspec.Struct, forbid_unknown_fields=True):
    """A folder to watch: for models of one type, or a drop folder (`pending`), which has no type.

    `path` is absolute, or begins with `~`. `models` is taken for `model`.
    """

    path: str
    kind: Literal["model", "models", "pending"]
    type: str | None = None


class RootPatch(msgspec.Struct, forbid_unknown_fields=True):
    """Whether a watched folder is to be left alone."""

    paused: bool


class Trouble(msgspec.Struct):
    """Something that is wrong, and the cure."""

    what: str
    cure: str


class Waiting(msgspec.Struct):
    """A file that has not come to rest, and why."""

    path: str
    reason: str


class Status(msgspec.Struct):
    """What the daemon is, has and does."""

    version: str
    position: int
    roots: list[RootState]
    counts: dict[str, int]
    work: list[dict[str, Any]]
    imports: dict[str, int]
    waiting: list[Waiting]
    warnings: list[Trouble]


class LogEvent(msgspec.Struct):
    """An event of the log."""

    position: int
    id: str
    time: int
    type: str
    schema: int
    stream: str
    version: int
    actor: str
    action: str
    host: str
    data: dict[str, Any]


class EventPage(msgspec.Struct):
    """Events of the log, oldest first; `next` is the position to go on from."""

    items: list[LogEvent]
    next: int | None


class Uploaded(msgspec.Struct):
    """How an upload stands: `offset` bytes are here; `path` is where it lies once it is done, as far as is known."""

    upload: str | None
    name: str
    offset: int
    size: int
    done: bool
    path: str | None


class UploadCancelled(msgspec.Struct):
    """Whether there was anything to cancel."""

    upload: str
    cancelled: bool
