"""What waits to be looked at, in bounded memory."""

from hikaze.daemon.backlog import MOST_FILES, MOST_FOLDERS, Backlog
from hypothesis import given
from hypothesis import strategies as st


def drained(backlog: Backlog) -> list[tuple[int, str | None]]:
    """Take all folders that wait."""
    taken: list[tuple[int, str | None]] = []
    while (one := backlog.take_folder()) is not None:
        taken.append(one)
    return taken


def test_files_wait_once() -> None:
    """A rename that was hinted at is not forgotten because of another hint."""
    backlog = Backlog()
    assert not backlog

    backlog.add_file("/r/a", renamed=True)
    backlog.add_file("/r/a")
    backlog.add_file("/r/b")

    assert backlog
    assert backlog.take_files() == {"/r/a": True, "/r/b": False}
    assert not backlog


def test_too_many_files() -> None:
    """Beyond the bound the list is dropped, and whoever filled it is told."""
    backlog = Backlog()

    assert all(backlog.add_file(str(number)) for number in range(MOST_FILES))
    assert not backlog.add_file("one more")
    assert not backlog


def test_a_folder_that_waits_covers_those_below() -> None:
    """A look at a folder is a look at all below it; one at the root at all of it."""
    backlog = Backlog()
    backlog.add_folder(1, "/r/a")
    backlog.add_folder(1, "/r/a/b")
    backlog.add_folder(1, "/r/ab")
    assert sorted(drained(backlog), key=str) == [(1, "/r/a"), (1, "/r/ab")]

    backlog.add_folder(1, "/r/a")
    backlog.add_root(1)
    backlog.add_folder(1, "/r/b")
    backlog.add_folder(2, "/s/b")
    assert sorted(drained(backlog), key=str) == [(1, None), (2, "/s/b")]


def test_too_many_folders() -> None:
    """Many folders of one root become one look at the root."""
    backlog = Backlog()
    for number in range(MOST_FOLDERS + 1):
        backlog.add_folder(1, f"/r/{number}")

    assert drained(backlog) == [(1, None)]


FOLDERS = st.lists(st.sampled_from(["/r/a", "/r/a/b", "/r/a/b/c", "/r/ab", "/r/d", "/r/d/e"]))


@given(FOLDERS)
def test_nothing_is_forgotten(folders: list[str]) -> None:
    """Each folder that was added is looked at, by itself or with one above it."""
    backlog = Backlog()
    for folder in folders:
        backlog.add_folder(1, folder)
    taken = [folder for _, folder in drained(backlog)]

    assert all(any(f"{folder}/".startswith(f"{above}/") for above in taken) for folder in folders)
