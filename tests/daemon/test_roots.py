"""The watched folders: which come and go, and which a path lies in."""

from pathlib import Path
from typing import Any

import pytest
from hikaze.daemon import roots
from hikaze.daemon.rootcheck import Identity, identify
from hikaze.daemon.roots import NoSuchRoot, Root, Wanted
from hikaze.events.catalog import Event, RootAdded, RootPaused, RootRemoved, RootResumed
from hikaze.projections.runner import Views
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

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


MINE = Wanted("/mine", "model", "vae", "user")


def test_the_user_has_the_last_word() -> None:
    """What the user added stays though nobody names it; what the user removed stays away though somebody does."""
    memory = Memory()
    memory.write(lambda db: roots.adjust(db, [LORAS, DROP]))
    memory.write(lambda db: roots.add(db, MINE))
    assert memory.value == 3
    assert memory.write(lambda db: roots.add(db, MINE)) == []
    assert memory.value == 3
    assert memory.write(lambda db: roots.remove(db, 1)) == [RootRemoved(1, by="user")]
    with pytest.raises(NoSuchRoot, match="1 is watched"):
        memory.write(lambda db: roots.remove(db, 1))

    assert memory.write(lambda db: roots.adjust(db, [LORAS, DROP])) == []
    assert memory.write(lambda db: roots.adjust(db, [])) == [RootRemoved(2)]
    assert memory.write(lambda db: roots.adjust(db, [LORAS, DROP])) == [RootAdded(2, "/d", "pending")]
    assert [root.id for root in roots.every(memory.db)] == [2, 3]

    again = Wanted("/m/loras", "model", "loras", "user")
    assert memory.write(lambda db: roots.add(db, again)) == [RootAdded(1, "/m/loras", "model", "loras", "user")]
    assert memory.write(lambda db: roots.adjust(db, [])) == [RootRemoved(2)]
    assert [(root.id, root.origin) for root in roots.every(memory.db)] == [(1, "user"), (3, "user")]


def test_a_users_root_is_made_nothing_else() -> None:
    """Where the configuration wants a folder as something else than the user added it as, the user's stands."""
    memory = Memory()
    memory.write(lambda db: roots.add(db, MINE))

    assert memory.write(lambda db: roots.adjust(db, [Wanted("/mine", "pending")])) == []


def test_a_paused_root_is_away_whatever_is_found_out() -> None:
    """It stays paused until it is resumed; then it is away until it is proven present, as what it was before."""
    memory = Memory()
    memory.write(lambda db: roots.adjust(db, [LORAS]))
    came = roots.comes_online(1, Identity(7, 8, "ext4"))
    memory.write(lambda db: roots.if_watched(db, 1, came))
    assert memory.write(lambda db: roots.pause(db, 1, paused=True)) == [RootPaused(1)]
    assert memory.write(lambda db: roots.pause(db, 1, paused=True)) == []
    assert memory.write(lambda db: roots.if_watched(db, 1, came)) == []
    memory.write(lambda _db: came)
    memory.write(lambda _db: roots.goes_offline(1, foreign=True))
    memory.write(lambda db: roots.adjust(db, []))
    memory.write(lambda db: roots.adjust(db, [LORAS]))
    (root,) = roots.every(memory.db)
    assert (root.paused, root.offline, root.why) == (True, True, "paused")

    assert memory.write(lambda db: roots.pause(db, 1, paused=False)) == [RootResumed(1)]
    (root,) = roots.every(memory.db)
    assert (root.paused, root.offline, root.why) == (False, True, "unseen")
    memory.write(lambda _db: came)
    assert memory.write(lambda db: roots.pause(db, 1, paused=True)) == [RootPaused(1)]
    memory.write(lambda db: roots.pause(db, 1, paused=False))
    assert roots.get(memory.db, 1).identity == Identity(7, 8, "ext4")


def test_where_imports_go() -> None:
    """First what the configuration names, in its order; then what the user added; last what nobody named."""
    known = [
        Root(1, "/data/loras", "model", "loras", False, None, None),
        Root(2, "/b", "model", "loras", False, None, None),
        Root(3, "/mine", "model", "loras", False, None, None, origin="user"),
        Root(4, "/a", "model", "loras", True, "paused", None, paused=True),
        Root(5, "/vae", "model", "vae", False, None, None),
        Root(6, "/drop", "pending", None, False, None, None),
    ]
    ours = frozenset({"/data/loras"})

    assert roots.destinations(known, "loras", ["/a", "/b"], ours) == ("/a", "/b", "/mine", "/data/loras")
    assert roots.destinations(known, "loras", ["/data/loras"], ours)[-1] == "/data/loras"
    assert roots.destinations(known, "clip", ["/a"], ours) == ()


FOLDERS = [LORAS, DROP, MINE, Wanted("/d", "model", "vae")]
STEPS = st.one_of(
    st.tuples(st.just("start"), st.sets(st.integers(0, len(FOLDERS) - 1))),
    st.tuples(st.sampled_from(["add", "remove", "pause", "resume", "comes", "goes"]), st.integers(0, len(FOLDERS) - 1)),
)


@settings(deadline=None)
@given(st.lists(STEPS, max_size=25))
def test_any_order_ends_in_the_same_rows(steps: list[tuple[str, Any]]) -> None:
    """Whatever is done in whatever order: the log tells all of it again, and what the user said last holds."""
    memory, said = Memory(), dict[tuple[str, str], str]()
    for step, what in steps:
        if _do(memory, step, what) and step in ("add", "remove"):  # one that is watched already is left as it is
            said[_name(FOLDERS[what])] = step
    watched = {(root.path, root.kind): root for root in roots.every(memory.db)}

    assert {name for name, last in said.items() if last == "add"} <= watched.keys()
    assert not {name for name, last in said.items() if last == "remove"} & watched.keys()
    assert all(root.offline and root.why == "paused" for root in watched.values() if root.paused)
    again = Views(":memory:", memory.log)
    assert again.db.execute("SELECT * FROM roots").fetchall() == memory.db.execute("SELECT * FROM roots").fetchall()


def _name(folder: Wanted | Root) -> tuple[str, str]:
    return folder.path, folder.kind


def _do(memory: Memory, step: str, what: Any) -> list[Event]:
    if step == "start":
        return memory.write(lambda db: roots.adjust(db, [FOLDERS[each] for each in sorted(what)]))
    folder = FOLDERS[what]
    if step == "add":
        return memory.write(lambda db: roots.add(db, replace(folder, origin="user")))
    root = next((root for root in roots.every(memory.db) if _name(root) == _name(folder)), None)
    if root is None:
        return []
    match step:
        case "remove":
            return memory.write(lambda db: roots.remove(db, root.id))
        case "pause" | "resume":
            return memory.write(lambda db: roots.pause(db, root.id, paused=step == "pause"))
        case "comes":
            return memory.write(lambda _db: roots.comes_online(root.id, Identity(1, root.id, "ext4")))
        case _:
            return memory.write(lambda _db: roots.goes_offline(root.id, foreign=False))
