"""Where a file lies now that a payload names: by its path, its hash, its names."""

from typing import Any

import pytest
from hikaze.events.catalog import (
    Event,
    File,
    LocationFound,
    LocationLost,
    LocationMoved,
    ModelImported,
    PendingFound,
    PendingRecognised,
    RootAdded,
    RootCameOnline,
)
from hikaze.projections.resolving import Resolved, Sought, resolve

HERE: list[Event] = [
    RootAdded(1, "/m", "model", "loras"),
    RootCameOnline(1, 1, 1),
    RootAdded(2, "/away", "model", "loras"),
]


def file(path: str, root: int = 1) -> File:
    """Give a file at a path."""
    return File(path, root, 10, 5, 1, 7)


HISTORY: list[Event] = [
    *HERE,
    ModelImported("a1", "Ink", "loras", 10),
    LocationFound("a1", file("/m/ink.pt")),
    LocationFound("a1", file("/away/ink.pt", 2)),
    LocationMoved("a1", "/m/ink.pt", file("/m/new/Brush.safetensors")),
    ModelImported("b2", "Other", "vae", 10),
    LocationFound("b2", file("/m/sub/brush.safetensors")),
    ModelImported("c3", "Gone", "loras", 10),
    LocationFound("c3", file("/m/gone.pt")),
    LocationFound("c3", file("/m/copy.pt")),
    LocationLost("c3", "/m/gone.pt"),
    PendingFound(7, file("/m/wait.pt"), "wait", "loras", in_place=True),
    PendingFound(8, file("/m/drop.pt"), "drop", None, in_place=False),
    PendingFound(9, file("/m/dup.pt"), "dup", "loras", in_place=True),
    PendingRecognised(9, "c3"),
]


@pytest.mark.parametrize(
    ("sought", "here", "found"),
    [
        (Sought("/m/copy.pt"), True, [("/m/copy.pt", "path")]),
        (Sought("/m/wait.pt"), True, [("/m/wait.pt", "path")]),
        (Sought("/m/ink.pt", "A1 "), False, [("/m/new/Brush.safetensors", "sha256")]),
        (Sought("/m/ink.pt"), False, [("/m/new/Brush.safetensors", "earlier")]),
        (Sought("/m/gone.pt"), False, [("/m/copy.pt", "earlier"), ("/m/dup.pt", "earlier")]),
        (Sought("/x/gone.pt", "ff"), False, [("/m/copy.pt", "earlier"), ("/m/dup.pt", "earlier")]),
        (Sought("D:\\loras\\WAIT.pt"), False, [("/m/wait.pt", "name")]),
        (Sought("/x/drop.pt"), False, []),
        (Sought(name="ink"), False, [("/m/new/Brush.safetensors", "name")]),
        (
            Sought("/x/brush.safetensors"),
            False,
            [("/m/new/Brush.safetensors", "name"), ("/m/sub/brush.safetensors", "name")],
        ),
        (
            Sought("/x/brush.safetensors", type="vae"),
            False,
            [("/m/sub/brush.safetensors", "name"), ("/m/new/Brush.safetensors", "name")],
        ),
        (Sought("/away/ink.pt"), False, [("/m/new/Brush.safetensors", "earlier")]),
        (Sought("/x/nothing.pt"), False, []),
        (Sought(name="/"), False, []),
    ],
)  # fmt: skip
def test_where_it_lies_now(replay: Any, sought: Sought, here: bool, found: list[tuple[str, str]]) -> None:
    """The content itself is offered alone; without it what lay there before, then what is called so, if it is here."""
    told: Resolved = resolve(replay(HISTORY), sought)

    assert (told.here, [(each.path, each.by) for each in told.candidates]) == (here, found)
