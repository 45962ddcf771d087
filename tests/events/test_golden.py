"""Every event as it was ever stored can still be read, and says what it said.

`golden/<name>.<schema>.json` is the stored body of one event of each form, made once and never edited. A new event,
or a new form of one, gets its value in `EXPECTED` and then its file by `.venv/bin/python tests/events/test_golden.py`,
which writes what is missing and touches nothing else. The files of older forms stay, with the value that their
upcaster makes of them in `OLDER`. A field that came to a form later, with a default, is in a second file of that form,
`golden/<name>.<schema>.added.json`, and in `ADDED`; the first file has no such field, and stays.
"""

from pathlib import Path

import msgspec
import pytest
from hikaze.events.catalog import (
    EVENTS,
    Changes,
    ChosenLora,
    ClaimConfirmed,
    ClaimDenied,
    ComfyuiFoldersTold,
    CoverChosen,
    Event,
    File,
    FileTrashed,
    Folders,
    ImageAdded,
    ImageRemoved,
    ImportCancelled,
    ImportCompleted,
    ImportConflicted,
    ImportFailed,
    ImportPlanned,
    ImportRequested,
    ImportTidied,
    LocationClaimed,
    LocationFound,
    LocationLost,
    LocationMoved,
    LocationRefreshed,
    LocationReplaced,
    LoraSetDeleted,
    LoraSetSaved,
    MigrationBegun,
    MigrationEnded,
    ModelEdited,
    ModelHashed,
    ModelHeaderRead,
    ModelImported,
    ModelProvided,
    ModelTagged,
    ModelUntagged,
    ModelUsed,
    PendingChanged,
    PendingDismissed,
    PendingEdited,
    PendingFound,
    PendingHeaderRead,
    PendingImported,
    PendingLost,
    PendingMoved,
    PendingPictured,
    PendingProvided,
    PendingRecognised,
    PendingReturned,
    PendingTagged,
    PendingUntagged,
    PendingUsed,
    Prompts,
    Provided,
    RootAdded,
    RootCameOnline,
    RootPaused,
    RootRemoved,
    RootResumed,
    RootWentOffline,
    RowMigrated,
    RowRefused,
    Sidecar,
    TagCreated,
    TagDeleted,
    TagRenamed,
    TagsMerged,
    Texts,
)
from hikaze.events.codec import Codec, Kind, kind_of

GOLDEN = Path(__file__).parent / "golden"
SHA = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
OTHER = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
OP = "0197f3c2-5d3e-7c11-9a52-1f6d8a2b4c3d"
FILE = File("/lora/水墨 \0dcff.safetensors", 2, 151_112_296, 1_760_000_000_123_456_789, 2049, 9_007_199_254_740_993)
HEADER = {"ss_base_model_version": "sdxl_base_v1-0", "tensors": 722, "rank": [16, 32]}
STUDIED = HEADER | {
    "rules": 1,
    "facts": {
        "base_model": "SDXL",
        "family": "sdxl",
        "adapter": {"kind": "LoRA", "ranks": [16, 32], "alpha": 16.0, "targets": ["unet"]},
        "trained_words": [{"word": "水墨", "count": 30}],
        "modelspec": {"title": "Ink"},
    },
    "told": {"tags": ["SDXL"], "trigger_words": ["水墨"], "description": "Brush & ink"},
}
CHANGES = Changes(
    name="Ink",
    type="loras",
    description="Brush & ink",
    community_links="https://example.org/1",
    prompts=Prompts("ink wash", "photo"),
    trigger_words=("inkwash", "水墨"),
    favorite=True,
)
SIDECAR = Sidecar("/lora/水墨 \0dcff.metadata.json", "lora-manager", 4_711, 1_760_000_000_123_456_789)
PROVIDED = Provided(
    name="Ink of the East",
    notes="at 0.8",
    description="Brush & ink\n\nfor landscapes",
    links=("https://example.org/1", "https://example.org/2"),
    prompts=Prompts("ink wash", "photo"),
    trigger_words=("inkwash", "水墨"),
    tags=("style", "SDXL 1.0"),
    favorite=True,
    sha256=SHA,
    facts={"base_model": "SDXL 1.0", "strength": 0.8, "nsfw_level": 1, "images": [{"width": 1024}]},
    problem="`civitai` is no object",
)

EXPECTED: tuple[Event, ...] = (
    RootAdded(2, "/lora", "model", "loras"),
    RootRemoved(2),
    RootPaused(2),
    RootResumed(2),
    RootWentOffline(2, "foreign"),
    RootCameOnline(2, -8_446_744_073_709_551_615, 131_073, "ext4"),
    ComfyuiFoldersTold(
        "/comfy", (Folders("loras", ("/lora", "/nas/水墨 \0dcff"), (".safetensors", ".sft")), Folders("wild", ("/w",)))
    ),
    PendingFound(7, FILE, "水墨", "loras", in_place=False, header=HEADER, replaces=SHA),
    PendingChanged(7, FILE, None, HEADER),
    PendingMoved(7, FILE, "ink", "loras", in_place=True),
    PendingLost(7),
    PendingReturned(7, FILE, in_place=True),
    PendingEdited(7, CHANGES),
    PendingTagged(7, 3),
    PendingUntagged(7, 3),
    PendingPictured(7, ".png", "companion", 1024, 1536, {"parameters": "ink wash\nSteps: 20"}),
    PendingProvided(7, SIDECAR, PROVIDED),
    PendingHeaderRead(7, STUDIED),
    PendingRecognised(7, SHA),
    PendingDismissed(7, "7-ink"),
    PendingImported(7, SHA, "merged"),
    ImportRequested(OP, 7, "override", "loras"),
    ImportPlanned(OP, 7, SHA, "imported", FILE, HEADER, "/lora/ink.safetensors", 2, copies=True, trash="7-ink"),
    ImportCompleted(OP, 7, SHA, "imported", "/lora/ink.safetensors"),
    ImportTidied(OP),
    ImportConflicted(OP, 7, SHA),
    ImportFailed(OP, 7, "the disk is full; free some space and import it again"),
    ImportCancelled(OP, 7),
    ModelImported(
        SHA, "Ink", "loras", 151_112_296, Texts("Brush & ink", "", Prompts("ink wash"), ("inkwash",)), HEADER, 7
    ),
    ModelEdited(SHA, Changes(description="", favorite=False)),
    ModelTagged(SHA, 3),
    ModelUntagged(SHA, 3),
    ModelProvided(SHA, SIDECAR, PROVIDED),
    ModelHeaderRead(SHA, STUDIED),
    ModelHashed(SHA, {"autov1": "559ac2d1", "autov3": OTHER}),
    ModelUsed(SHA, 3, 1_760_000_000_000),
    PendingUsed(7, 2, 1_760_000_000_000),
    LoraSetSaved(
        4,
        "水墨 look",
        "at night",
        (ChosenLora("Ink", "/lora/ink.safetensors", 0.8, 0.0, SHA, enabled=False), ChosenLora("", "b.safetensors")),
    ),
    LoraSetDeleted(4),
    LocationFound(SHA, FILE),
    LocationMoved(SHA, "/lora/old.safetensors", FILE),
    LocationRefreshed(SHA, FILE),
    LocationLost(SHA, "/lora/ink.safetensors"),
    LocationReplaced(SHA, "/lora/ink.safetensors"),
    LocationClaimed(SHA, FILE, lost=True),
    ClaimConfirmed(SHA, FILE),
    ClaimDenied(SHA, "/lora/ink.safetensors", OTHER),
    ImageAdded(SHA, 0, "PNG", 1024, 1536, {"parameters": "ink wash"}),
    ImageRemoved(SHA, 0),
    CoverChosen(SHA, 2),
    TagCreated(3, "Straße"),
    TagRenamed(3, "Gasse"),
    TagsMerged(3, 1),
    TagDeleted(3),
    FileTrashed("7-ink", "/drop/ink.safetensors", 1, 151_112_296, "dismissed", 7, SHA),
    MigrationBegun(OP, "/old/data/hikaze_mm.sqlite3", "/old/data/images", "v1"),
    RowMigrated(
        OP,
        SHA,
        "v2",
        "pending_import",
        "12",
        "united",
        SHA,
        7,
        is_missing=True,
        tags=2,
        images=1,
        parts=("5f3a", "9c01"),
    ),
    RowRefused(OP, "models", "12", "its picture is no picture"),
    MigrationEnded(OP, "cancelled", "somebody cancelled it", 3),
)
ADDED: tuple[Event, ...] = (
    RootAdded(2, "/lora", "model", "loras", "user"),
    RootRemoved(2, by="user"),
    PendingFound(7, FILE, "水墨", None, in_place=True, created_at=1_757_000_000_000),
    PendingTagged(7, 3, "provider"),
    PendingPictured(7, ".png", "person", 1024, 1536, original=SHA),
    ModelImported(
        SHA,
        "Ink",
        "loras",
        151_112_296,
        given=("description",),
        claimed=True,
        path="/old/水墨.safetensors",
        created_at=1_757_000_000_000,
    ),
    ModelTagged(SHA, 3, "header"),
    LocationFound(SHA, FILE, claimed=True),
    LocationMoved(SHA, "/lora/old.safetensors", FILE, claimed=True),
    ImageAdded(SHA, 0, "PNG", 1024, 1536, original=SHA),
)
OLDER: dict[Kind, Event] = {}


def file_of(kind: Kind) -> Path:
    """Give the golden file of a form of an event."""
    return GOLDEN / f"{kind[0]}.{kind[1]}.json"


def file_with_more(kind: Kind) -> Path:
    """Give the golden file of a form of an event with the fields that came to it later."""
    return GOLDEN / f"{kind[0]}.{kind[1]}.added.json"


def test_every_event_has_a_golden_file() -> None:
    """Each event in the catalogue has its expected value, and a golden file for its form of today."""
    assert {type(event) for event in EXPECTED} == set(EVENTS)
    assert [kind_of(event) for event in EXPECTED if not file_of(kind_of(event)).exists()] == []


@pytest.mark.parametrize(
    ("kind", "expected"), [*((kind_of(event), event) for event in EXPECTED), *OLDER.items()], ids=str
)
def test_a_golden_file_says_what_it_said(kind: Kind, expected: Event) -> None:
    """A body that was stored once decodes to exactly the event that it told of."""
    assert Codec().decoder(kind)(file_of(kind).read_bytes()) == expected


@pytest.mark.parametrize("expected", ADDED, ids=kind_of)
def test_a_field_that_was_added_says_what_it_said(expected: Event) -> None:
    """A body with fields that came later decodes to exactly the event that it told of."""
    assert Codec().decoder(kind_of(expected))(file_with_more(kind_of(expected)).read_bytes()) == expected


def test_every_field_is_in_a_golden_file() -> None:
    """For each field of each event there is a stored value that is not its default."""
    told = {(type(event), field) for event in [*EXPECTED, *ADDED] for field in _told(event)}

    assert {(event, field) for event in EVENTS for field in event.__struct_fields__} - told == set()


def _told(event: Event) -> list[str]:
    defaults = {field.name: field.default for field in msgspec.structs.fields(event)}
    return [name for name in event.__struct_fields__ if getattr(event, name) != defaults[name]]


def test_no_golden_file_is_forgotten() -> None:
    """Each golden file, of whatever age, has the value that it must decode to."""
    known = {file_of(kind) for kind in [*map(kind_of, EXPECTED), *OLDER]}
    known |= {file_with_more(kind_of(event)) for event in ADDED}

    assert set(GOLDEN.iterdir()) == known


def write_missing() -> None:
    """Write the golden files that are not there yet."""
    files = [(file_of(kind_of(event)), event) for event in EXPECTED]
    files += [(file_with_more(kind_of(event)), event) for event in ADDED]
    for path, event in files:
        if not path.exists():
            path.write_bytes(Codec().encode(event))


if __name__ == "__main__":
    write_missing()
