"""What ComfyUI used: which files of ours its prompts load."""

from datetime import UTC, datetime
from typing import Any

from hikaze.daemon.shapes import UseBody
from hikaze.daemon.uses import count
from hikaze.events.catalog import (
    File,
    LocationFound,
    ModelImported,
    ModelUsed,
    PendingFound,
    PendingImported,
    PendingUsed,
    RootAdded,
)
from hikaze.events.record import New
from hikaze.events.writer import Decision
from hikaze.projections import models

from .library import Memory

SHA = "0a" * 32
NOW = 2_000_000_000_000


def file(path: str) -> File:
    """Give a file at a path."""
    return File(path, 1, 10, 5, 1, 7)


def library() -> Memory:
    """Give a library with a model at two paths and a pending model."""
    memory = Memory()
    history: list[Any] = [
        RootAdded(1, "/m", "model", "loras"),
        ModelImported(SHA, "Ink", "loras", 10),
        LocationFound(SHA, file("/m/a.pt")),
        LocationFound(SHA, file("/m/\0dcff.pt")),
        PendingFound(7, file("/m/p.pt"), "p", "loras", in_place=True),
    ]
    memory.write(lambda _db: Decision([New("s", event) for event in history]))
    return memory


def test_uses_are_counted_by_model() -> None:
    """Paths and hashes of one model are one; what is none of ours is told, and no error; tomorrow is now."""
    memory, day = library(), datetime(2026, 1, 1, tzinfo=UTC)
    used = [
        UseBody(path="/m/a.pt", count=2, last=day),
        UseBody(path="/m/\0dcff.pt"),
        UseBody(sha256=SHA, last=NOW + 5),
        UseBody(path="/m/p.pt", count=3, last=7),
        UseBody(path="/m/x\0dcff.pt"),
        UseBody(sha256="0b" * 32),
    ]
    events = memory.write(lambda db: count(db, used, NOW))
    assert events == [ModelUsed(SHA, 4, NOW), PendingUsed(7, 3, 7)]
    assert memory.value == {"counted": 2, "unknown": ["/m/x\ufffd.pt", "0b" * 32]}
    assert models.uses(memory.db, SHA) == (4, NOW)
    known = models.get(memory.db, SHA)
    assert known is not None
    assert known.version == 2  # as its import left it


def test_an_import_brings_its_uses_along() -> None:
    """What was used before it was imported is not unused."""
    memory = library()
    memory.write(lambda db: count(db, [UseBody(path="/m/p.pt", count=3, last=7)], NOW))
    memory.write(lambda _db: Decision([New("s", PendingImported(7, SHA, "merged"))]))
    assert models.uses(memory.db, SHA) == (3, 7)
    memory.write(lambda _db: Decision([New("s", PendingImported(7, SHA, "merged"))]))
    assert models.uses(memory.db, SHA) == (3, 7)
    assert models.uses(memory.db, "0b" * 32) == (0, None)
