"""The watched folders: which come and go, and which a path lies in."""

from pathlib import Path

import pytest
from hikaze.daemon import roots
from hikaze.daemon.rootcheck import identify
from hikaze.daemon.roots import Root, Wanted
from hikaze.events.catalog import RootAdded, RootRemoved
from hypothesis import given
from hypothesis import strategies as st

from .library import Memory

LORAS, DROP = Wanted("/m/loras", "model", "loras"), Wanted("/d", "pending")


def test_roots_come_and_go() -> None:
    """A path that comes back keeps its number; one that serves something else now is another root."""
    memory = Memory()
    steps = [
        ([LORAS, DROP], [RootAdded(1, "/m/loras", "model", "loras"), RootAdded(2, "/d", "pending")]),
        ([LORAS, DROP], []),
        ([LORAS], [RootRemoved(2)]),
        ([DROP, LORAS], [RootAdded(2, "/d", "pending")]),
        ([Wanted("/d", "model", "vae"), LORAS], [RootRemoved(2), RootAdded(3, "/d", "model", "vae")]),
    ]
    for wanted, events in steps:
        assert memory.write(lambda db, wanted=wanted: roots.adjust(db, wanted)) == events
    assert [(root.id, root.path, root.offline, root.why) for root in roots.every(memory.db)] == [
        (1, "/m/loras", True, "unseen"),
        (3, "/d", True, "unseen"),
    ]


def test_a_root_is_here_while_it_is_the_same_folder(tmp_path: Path) -> None:
    """Another folder at its path is not the root, and no folder is not."""
    (tmp_path / "r").mkdir()
    memory = Memory().with_roots(Wanted(str(tmp_path / "r"), "pending"))
    (root,) = roots.every(memory.db)
    assert not root.offline
    assert roots.is_here(root)

    (tmp_path / "r").rename(tmp_path / "away")
    assert not roots.is_here(root)
    (tmp_path / "r").mkdir()
    assert not roots.is_here(root)
    assert identify(root.path) is not None


@pytest.mark.parametrize(
    ("path", "number"),
    [("/m/a", 1), ("/m/x/a", 2), ("/m/xy/a", 1), ("/m/x", 2), ("/n/a", None), ("/", None)],
)
def test_the_innermost_root_counts(path: str, number: int | None) -> None:
    """A path lies in the innermost root that holds it."""
    known = [Root(1, "/m", "model", "loras", False, None, None), Root(2, "/m/x", "pending", None, False, None, None)]
    found = roots.of_path(known, path)

    assert (found and found.id) == number


@given(st.integers(0, (1 << 64) - 1))
def test_numbers_of_the_system_fit(number: int) -> None:
    """An unsigned number fits SQLite's signed one, and is told apart from any other."""
    signed = roots.signed(number)

    assert -(1 << 63) <= signed < 1 << 63
    assert signed % (1 << 64) == number
