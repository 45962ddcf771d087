"""Every event as it was ever stored can still be read, and says what it said.

`golden/<name>.<schema>.json` is the stored body of one event of each form, made once and never edited. A new event,
or a new form of one, gets its value in `EXPECTED` and then its file by `.venv/bin/python tests/events/test_golden.py`,
which writes what is missing and touches nothing else. The files of older forms stay, with the value that their
upcaster makes of them in `OLDER`.
"""

from pathlib import Path

import pytest
from hikaze.events.catalog import (
    EVENTS,
    Changes,
    CoverChosen,
    Event,
    File,
    FileTrashed,
    ImageAdded,
    ImageRemoved,
    ImportCancelled,
    ImportCompleted,
    ImportConflicted,
    ImportFailed,
    ImportPlanned,
    ImportRequested,
    ImportTidied,
    LocationFound,
    LocationLost,
    LocationMoved,
    LocationRefreshed,
    LocationReplaced,
    ModelEdited,
    ModelImported,
    ModelTagged,
    ModelUntagged,
    PendingChanged,
    PendingDismissed,
    PendingEdited,
    PendingFound,
    PendingImported,
    PendingLost,
    PendingMoved,
    PendingPictured,
    PendingRecognised,
    PendingReturned,
    PendingTagged,
    PendingUntagged,
    Prompts,
    RootAdded,
    RootCameOnline,
    RootRemoved,
    RootWentOffline,
    TagCreated,
    TagDeleted,
    TagRenamed,
    TagsMerged,
    Texts,
)
from hikaze.events.codec import Codec, Kind, kind_of

GOLDEN = Path(__file__).parent / "golden"
SHA = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
OP = "0197f3c2-5d3e-7c11-9a52-1f6d8a2b4c3d"
FILE = File("/lora/水墨 \0dcff.safetensors", 2, 151_112_296, 1_760_000_000_123_456_789, 2049, 9_007_199_254_740_993)
HEADER = {"ss_base_model_version": "sdxl_base_v1-0", "tensors": 722, "rank": [16, 32]}
CHANGES = Changes(
    name="Ink",
    type="loras",
    description="Brush & ink",
    community_links="https://example.org/1",
    prompts=Prompts("ink wash", "photo"),
    trigger_words=("inkwash", "水墨"),
    favorite=True,
)

EXPECTED: tuple[Event, ...] = (
    RootAdded(2, "/lora", "model", "loras"),
    RootRemoved(2),
    RootWentOffline(2, "foreign"),
    RootCameOnline(2, -8_446_744_073_709_551_615, 131_073, "ext4"),
    PendingFound(7, FILE, "水墨", "loras", in_place=False, header=HEADER, replaces=SHA),
    PendingChanged(7, FILE, None, HEADER),
    PendingMoved(7, FILE, "ink", "loras", in_place=True),
    PendingLost(7),
    PendingReturned(7, FILE, in_place=True),
    PendingEdited(7, CHANGES),
    PendingTagged(7, 3),
    PendingUntagged(7, 3),
    PendingPictured(7, ".png", "companion", 1024, 1536, {"parameters": "ink wash\nSteps: 20"}),
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
    LocationFound(SHA, FILE),
    LocationMoved(SHA, "/lora/old.safetensors", FILE),
    LocationRefreshed(SHA, FILE),
    LocationLost(SHA, "/lora/ink.safetensors"),
    LocationReplaced(SHA, "/lora/ink.safetensors"),
    ImageAdded(SHA, 0, "PNG", 1024, 1536, {"parameters": "ink wash"}),
    ImageRemoved(SHA, 0),
    CoverChosen(SHA, 2),
    TagCreated(3, "Straße"),
    TagRenamed(3, "Gasse"),
    TagsMerged(3, 1),
    TagDeleted(3),
    FileTrashed("7-ink", "/drop/ink.safetensors", 1, 151_112_296, "dismissed", 7, SHA),
)
OLDER: dict[Kind, Event] = {}


def file_of(kind: Kind) -> Path:
    """Give the golden file of a form of an event."""
    return GOLDEN / f"{kind[0]}.{kind[1]}.json"


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


def test_no_golden_file_is_forgotten() -> None:
    """Each golden file, of whatever age, has the value that it must decode to."""
    known = {file_of(kind) for kind in [*map(kind_of, EXPECTED), *OLDER]}

    assert set(GOLDEN.iterdir()) == known


def write_missing() -> None:
    """Write the golden files that are not there yet."""
    for event in EXPECTED:
        path = file_of(kind_of(event))
        if not path.exists():
            path.write_bytes(Codec().encode(event))


if __name__ == "__main__":
    write_missing()
