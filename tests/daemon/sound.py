"""A small library that is sound, made as the daemon makes it: a model, a pending model, and a picture of each."""

import os
from pathlib import Path

from hikaze.daemon.imagestore import ImageStore
from hikaze.daemon.pictures import write_tiers
from hikaze.events.catalog import (
    Event,
    File,
    ImageAdded,
    LocationFound,
    ModelImported,
    ModelTagged,
    PendingFound,
    PendingPictured,
    RootAdded,
    TagCreated,
)
from hikaze.events.log import EventLog
from hikaze.events.record import New
from hikaze.projections.runner import Views
from PIL import Image

MODEL = "ab" * 32
HISTORY: list[Event] = [
    RootAdded(1, "/models", "model", "loras"),
    ModelImported(MODEL, "one", "loras", 10),
    LocationFound(MODEL, File("/models/one", 1, 10, 5, 1, 2)),
    TagCreated(1, "anime"),
    ModelTagged(MODEL, 1),
    ImageAdded(MODEL, 0, "PNG", 64, 48),
    PendingFound(1, File("/models/two", 1, 10, 5, 1, 3), "two", "loras", in_place=True),
    PendingPictured(1, ".png", "companion", 64, 48),
]


def append(data: Path, *events: Event) -> None:
    """Let these events happen, as the daemon does it: in the log, and in the read tables."""
    log = EventLog(str(data / "log.db"))
    log.begin()
    log.append([New("library", event) for event in events], actor="test", action=bytes(16))
    log.commit()
    Views(str(data / "views.db"), log).close()
    log.close()


def add_picture(data: Path, seq: int, colour: str = "red") -> None:
    """Put the files of a picture of the model in place."""
    store = ImageStore(str(data))
    original = data / "original.png"
    Image.new("RGB", (64, 48), colour).save(original)
    os.makedirs(os.path.dirname(store.path(MODEL, seq, "high")), exist_ok=True)
    write_tiers(str(original), lambda tier: store.path(MODEL, seq, tier))
    original.unlink()


def make_sound(data: Path) -> Path:
    """Make the library in a folder."""
    data.mkdir(exist_ok=True)
    append(data, *HISTORY)
    for folder in ("images/pending", "images/tmp"):
        (data / folder).mkdir(parents=True)
    Image.new("RGB", (64, 48), "red").save(data / "images/pending/1.png")
    (data / "host").write_text("ab" * 16 + "\n")
    add_picture(data, 0)
    return data
