"""Equal content in several files, and relatives: what they would give back, and never too much."""

from collections.abc import Sequence
from typing import Any

import apsw
import pytest
from hikaze.events.catalog import (
    ClaimConfirmed,
    Event,
    File,
    LocationClaimed,
    LocationFound,
    LocationLost,
    ModelHashed,
    ModelImported,
    PendingFound,
    PendingLost,
    PendingRecognised,
    RootAdded,
    RootCameOnline,
    RootRemoved,
    RootWentOffline,
)
from hikaze.projections import duplicates
from hikaze.projections.copies import Trace, count_sure, number_files
from hikaze.projections.paging import BadCursor
from hypothesis import given
from hypothesis import strategies as st

A, B, C = "a" * 64, "b" * 64, "c" * 64
V3 = "3" * 64
ROOTS: list[Event] = [
    RootAdded(1, "/m", "model", "loras"),
    RootCameOnline(1, 1, 1),
    RootAdded(2, "/n", "model", "loras"),
    RootCameOnline(2, 2, 1),
]


def imported(model: str = A, size: int = 100, header: dict[str, Any] | None = None, *, claimed: bool = False) -> Event:
    """Make a model."""
    return ModelImported(model, f"model {model[0]}", "loras", size, header=header or {}, claimed=claimed)


def file_at(path: str, ino: int, *, mtime_ns: int = 5, dev: int = 1) -> File:
    """Make a file; its root is 1 below /m, else 2."""
    return File(path, 1 if path.startswith("/m") else 2, 100, mtime_ns, dev, ino)


def lies(path: str, ino: int, model: str = A, **how: int) -> Event:
    """Make a file of a model."""
    return LocationFound(model, file_at(path, ino, **how))


def waits(path: str, ino: int, number: int = 1, model: str = A) -> list[Event]:
    """Make a pending model that was recognised."""
    return [PendingFound(number, file_at(path, ino), "x", "loras", True), PendingRecognised(number, model)]


def groups(db: apsw.Connection, **how: Any) -> list[dict[str, Any]]:
    """Give all groups."""
    return duplicates.page(db, limit=100, **how)["items"]


def places(group: dict[str, Any]) -> list[tuple[str, str, int | None]]:
    """Give path, state and file of each place of a group."""
    return [(place["path"], place["state"], place["file"]) for place in group["locations"]]


TWO = [*ROOTS, imported(), lies("/m/x", 7), lies("/n/x", 8)]


@pytest.mark.parametrize(
    ("more", "gives_back", "found"),
    [
        ([], 100, [("/m/x", "present", 1), ("/n/x", "present", 2)]),
        ([lies("/m/hard", 7)], 100, [("/m/hard", "present", 1), ("/m/x", "present", 1), ("/n/x", "present", 2)]),
        ([RootWentOffline(2, "absent")], 0, [("/m/x", "present", 1), ("/n/x", "offline", 2)]),
        ([RootWentOffline(1, "absent"), RootRemoved(2)], 0, [("/m/x", "offline", 1), ("/n/x", "offline", 2)]),
        ([lies("/m/gone", 9), LocationLost(A, "/m/gone")], 100, None),
        ([LocationClaimed(A, file_at("/m/claimed", 9))], 100, None),
        ([LocationClaimed(A, file_at("/m/claimed", 9)), ClaimConfirmed(A, file_at("/m/claimed", 9))], 200, None),
        (waits("/n/again", 9), 200, [("/m/x", "present", 1), ("/n/x", "present", 2), ("/n/again", "present", 3)]),
        ([*waits("/n/again", 9), PendingLost(1)], 100, [("/m/x", "present", 1), ("/n/x", "present", 2)]),
    ],
)
def test_equal_content(replay, more: list[Event], gives_back: int, found: list[tuple[str, str, int]] | None) -> None:
    """Every path is shown; what would be given back counts the files that are here and were hashed, but for one."""
    (group,) = groups(replay([*TWO, *more]))

    assert (group["kind"], group["sha256"], group["gives_back"]) == ("equal", A, gives_back)
    assert group["files"] == gives_back // 100 + (RootRemoved(2) not in more)
    if found is not None:
        assert places(group) == found


@pytest.mark.parametrize(
    "history",
    [
        [lies("/m/x", 7)],
        [lies("/m/x", 7), lies("/m/hard", 7)],
        [lies("/m/x", 7), lies("/n/x", 7, dev=2)],  # seen before and after a start that dealt device numbers anew
        [lies("/m/x", 7), lies("/m/touched", 7, mtime_ns=6)],  # one name was looked at again, the other was not yet
        [lies("/m/x", 7), lies("/n/x", 8), LocationLost(A, "/n/x")],
        [lies("/m/x", 7), LocationClaimed(A, File("/z/x", 0, 100, 5, 1, 9))],
        waits("/n/again", 9),
        [lies("/m/x", 7), *waits("/m/hard", 7)],
    ],
)
def test_one_file_is_no_duplicate(replay, history: list[Event]) -> None:
    """Hard links, one file seen twice, what is gone, and a claim in no known root are no second file."""
    db = replay([*ROOTS, imported(), *history])

    assert groups(db) == []
    assert duplicates.duplicated(db) == []
    assert not duplicates.is_duplicated(db, A)


@pytest.mark.parametrize(
    ("more", "is_one"),
    [
        ([], True),
        ([RootWentOffline(2, "absent")], False),
        ([RootWentOffline(2, "absent"), *waits("/m/again", 9)], True),
        ([LocationLost(A, "/n/x")], False),
        ([LocationLost(A, "/n/x"), LocationClaimed(A, file_at("/m/claimed", 9))], False),
    ],
)
def test_what_a_search_calls_a_duplicate(replay, more: list[Event], is_one: bool) -> None:
    """It is content that lies in two files or more that are here for sure."""
    db = replay([imported(B), *TWO, *more])

    assert duplicates.duplicated(db) == ([2] if is_one else [])
    assert duplicates.is_duplicated(db, A) is is_one


def header(tensors: int = 2, **metadata: str) -> dict[str, Any]:
    """Make what is kept of a header."""
    return {
        "format": "safetensors",
        "tensor_count": tensors,
        "dtypes": {"F16": 10},
        "metadata": metadata,
        "cut": ["long"],
        "problem": None,
    }


RELATIVES: list[Event] = [
    *ROOTS,
    imported(A, 100, header(epoch="1", same="s")),
    imported(B, 150, header(epoch="2", same="s", title="t")),
    lies("/m/a", 7),
    lies("/m/b", 8, B),
    ModelHashed(A, {"autov3": V3}),
    ModelHashed(B, {"autov3": V3}),
]


def test_relatives(replay) -> None:
    """Each tells what it would give back, the group what all but the largest would, and in what they differ."""
    (group,) = groups(replay(RELATIVES))

    assert (group["kind"], group["autov3"], group["gives_back"]) == ("relatives", V3, 100)
    assert group["differs"] == ["epoch", "title"]
    assert [(one["sha256"], one["gives_back"], one["origin"]) for one in group["models"]] == [
        (A, 100, "computed"),
        (B, 150, "computed"),
    ]


TOLD = imported(C, 200, header(sshs_model_hash=V3))


@pytest.mark.parametrize(
    ("more", "members", "gives_back"),
    [
        ([RootWentOffline(1, "absent")], {A: 0, B: 0}, 0),
        ([LocationLost(B, "/m/b")], None, 0),
        ([TOLD], {A: 100, B: 150}, 100),
        ([TOLD, lies("/n/c", 9, C)], {A: 100, B: 150, C: 0}, 100),
        ([TOLD, lies("/n/c", 9, C), ModelHashed(C, {"autov3": V3})], {A: 100, B: 150, C: 200}, 250),
        ([TOLD, lies("/n/c", 9, C), ModelHashed(C, {"autov3": "4" * 64})], {A: 100, B: 150}, 100),
    ],
)
def test_who_is_a_relative(replay, more: list[Event], members: dict[str, int] | None, gives_back: int) -> None:
    """Those that have files are; what only a header tells gives nothing back, and the bytes may say otherwise."""
    found = groups(replay([*RELATIVES, *more]))

    if members is None:
        assert found == []
    else:
        (group,) = found
        assert {one["sha256"]: one["gives_back"] for one in group["models"]} == members
        assert group["gives_back"] == gives_back


@pytest.mark.parametrize(
    ("one", "other", "differs"),
    [
        ({}, header(), None),
        (header(), header(), []),
        (header(long="beg"), header(), []),
        (header(long="beg"), header(long="end"), ["long"]),
        (header(long="beg"), header() | {"cut": []}, ["long"]),
        (header() | {"metadata": ["odd"]}, header(k="v"), ["k"]),
    ],
)
def test_in_what_relatives_differ(replay, one: Any, other: Any, differs: list[str] | None) -> None:
    """Keys are told that certainly differ; nothing is where a header was never read, or too long to be kept."""
    history = [imported(A, header=one), imported(B, header=other), *RELATIVES[len(ROOTS) + 2 :]]
    (group,) = groups(replay([*ROOTS, *history]))

    assert group["differs"] == differs


def test_order_pages_and_totals(replay) -> None:
    """What gives most back comes first; each page goes on behind the one before, and all tell the same totals."""
    db = replay([*RELATIVES, lies("/n/a", 9, A), lies("/n/b", 10, B)])
    whole = duplicates.page(db, limit=10)

    assert [(group["kind"], group["gives_back"]) for group in whole["items"]] == [
        ("relatives", 200),
        ("equal", 150),
        ("equal", 100),
    ]
    assert whole["totals"] == {
        "equal": {"groups": 2, "gives_back": 250},
        "relatives": {"groups": 1, "gives_back": 200},
    }
    paged, cursor = list[Any](), None
    for _ in range(3):
        page = duplicates.page(db, limit=1, cursor=cursor)
        paged += page["items"]
        cursor = page["next"]
    assert (paged, cursor) == (whole["items"], None)
    assert [group["kind"] for group in groups(db, kind="equal")] == ["equal", "equal"]
    with pytest.raises(BadCursor):
        duplicates.page(db, limit=1, cursor="odd")


TRACES = st.lists(st.builds(Trace, *(st.integers(0, 2) for _ in range(3)), st.booleans()), max_size=8)


@given(TRACES)
def test_numbers_of_files(traces: Sequence[Trace]) -> None:
    """Numbers begin at 1 without gaps; two inodes are never one file, and the same inode and time always are."""
    numbers = number_files(traces)

    assert sorted(set(numbers)) == list(range(1, len(set(numbers)) + 1))
    for trace, number in zip(traces, numbers, strict=True):
        for other, another in zip(traces, numbers, strict=True):
            assert trace.ino == other.ino or number != another
            assert (trace.ino, trace.mtime_ns) != (other.ino, other.mtime_ns) or number == another
    assert count_sure(traces) <= len({trace.ino for trace in traces if trace.is_sure}) * 3
