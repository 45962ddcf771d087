"""Tests of following what is to be compared, where it is moved meanwhile."""

import pytest
from hikaze.daemon.comparing import forget, moved_along


@pytest.mark.parametrize(
    ("came_from", "path", "is_folder", "now"),
    [
        ("/m/a.pt", "/m/b.pt", False, {"/m/a.pt": "/m/b.pt"}),
        ("/m/b.pt", "/m/c.pt", False, {}),
        ("/m/a.pt", "/m/a.preview.png", False, {}),
        ("/m/a.pt", "/m/a.pt.part", False, {}),
        ("/m/in", "/m/out", True, {"/m/in/c.pt": "/m/out/c.pt"}),
        ("/m/a.pt", "/m/out", True, {}),
    ],
)
def test_what_was_moved_is_compared_where_it_lies(
    came_from: str, path: str, is_folder: bool, now: dict[str, str]
) -> None:
    """What was moved, itself or with its folder, is to be compared there, as long as it has the name of a model."""
    assert moved_along(["/m/a.pt", "/m/in/c.pt", "/m/inside.pt"], came_from, path, is_folder=is_folder) == now


@pytest.mark.parametrize(
    ("path", "is_folder", "left"),
    [
        ("/m/a.pt", False, ["/m/in/c.pt", "/m/inside.pt"]),
        ("/m/in", True, ["/m/a.pt", "/m/inside.pt"]),
        ("/m/in", False, ["/m/a.pt", "/m/in/c.pt", "/m/inside.pt"]),
    ],
)
def test_what_went_out_of_sight_is_not_compared(path: str, is_folder: bool, left: list[str]) -> None:
    """What was deleted or moved away, itself or with its folder, is to be compared no more."""
    paths = dict.fromkeys(["/m/a.pt", "/m/in/c.pt", "/m/inside.pt"])

    forget(paths, path, is_folder=is_folder)

    assert list(paths) == left
