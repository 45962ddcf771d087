"""Killed at any call that changes a disk, or refused it, an import is whole after the next start, and done once."""

import re
from collections.abc import Iterator

import pytest

from ..machine import needs_strace
from .killing import Call, Counts, Stage, Story, run_all, spread, stories
from .scenes import SCENES
from .syncing import undurable

BUDGET = 200  # stories here; all of them, some eight thousand, in `make torture`

pytestmark = [needs_strace, pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    """Give a stage for stories that are told one by one."""
    with Stage() as made:
        yield made


@pytest.mark.timeout(900)
def test_killed_at_every_call(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing acknowledged is lost, nothing is done twice, and nothing half is left, wherever it happens."""

    def show(done: int, of: int, counts: Counts) -> None:
        if done % 20 == 0:
            with capsys.disabled():
                print(f" {done} of {of} stories, {counts.crashes} deaths;", end="", flush=True)  # noqa: T201

    counts = run_all(show, BUDGET)

    assert counts.failures == []
    assert (counts.lost, counts.duplicates, counts.divergences) == (0, 0, 0)
    assert counts.stories == BUDGET
    assert counts.crashes > BUDGET / 3  # the calls are counted right: where a story is to end by a kill, it does


@pytest.mark.parametrize(
    ("scene", "fault", "call"),
    [
        # What a picture, a file or a row had already become when the disk refused the next step was done again, left
        # half, or told as having changed nothing.
        ("in place", "EIO", r'loop unlink ".*\.intent"'),
        ("dropped, to another disk", "EIO", r"writer pwrite64 .*views\.db-wal"),
        ("dropped, to another disk", "ENOSPC", r"disk fsync .*<other:loras>"),
        ("merged", "EIO", r"disk fsync .*<data/trash/[0-9a-f]{16}>"),
        ("dropped", "EIO", r"disk fsync .*<loras>"),
        ("overridden", "EIO", r"disk openat .*O_PATH"),
        ("dropped, moved by reservation", "KILL", r"disk rename .*drop/x"),
        ("dismissed", "KILL", r"writer pwrite64 .*log\.db-wal"),
        ("dismissed", "ENOSPC", r"disk fsync .*<data/trash/[0-9a-f]{16}>"),
    ],
)
def test_what_went_wrong_once(stage: Stage, scene: str, fault: str, call: str) -> None:
    """Each of these calls once made a story end badly."""
    if SCENES[scene].elsewhere and stage.other is None:
        pytest.skip("there is no other file system here")
    calls = [one for one in stage.record(scene) if re.match(call, f"{one.thread} {one.name} {one.text}")]
    assert calls

    for one in spread([Story(scene, fault, each) for each in calls], 4):
        told = stage.tell(one)
        assert (told.lost, told.duplicates, told.divergences) == ([], [], []), str(one)


SCAFFOLDING = ("data/images/tmp", "data/images/pending")
"""What a power cut may bring back, for the next start to remove it; the databases have `powercuts`."""


@pytest.mark.parametrize("scene", SCENES)
def test_durable_before_anybody_relies_on_it(stage: Stage, scene: str) -> None:
    """When the log tells of something, and when the old name of a file goes, nothing it rests on is undurable."""
    if SCENES[scene].elsewhere and stage.other is None:
        pytest.skip("there is no other file system here")
    seen = 0
    for call, left in undurable(stage.record(scene)):
        tells = call.name == "fdatasync" and "data/log.db-wal" in call.text
        goes = call.name == "unlink" and '.safetensors")' in call.text
        forgets = call.name == "unlink" and '.removal")' in call.text
        if tells or goes or forgets:
            rests_on = {path for path in left if not path.startswith((*SCAFFOLDING, "data/log.db", "data/views.db"))}
            assert rests_on - {"data"} == set(), call
            seen += 1

    assert seen or "reservation" in scene


def test_what_a_power_cut_takes_away() -> None:
    """A file is undurable until it is synced, a name until its folder is; what fails changes nothing."""
    story = [
        ("openat", 'AT_FDCWD</>, "a/x", O_WRONLY|O_CREAT, 0600) = 5<a/x>', set[str]()),
        ("write", '5<a/x>, "...", 3) = 3', {"a"}),
        ("fsync", "6<a>) = 0", {"a", "a/x"}),
        ("rename", '"a/x", "b/y") = 0', {"a/x"}),
        ("fsync", "5<b/y>) = 0", {"a", "b", "b/y"}),
        ("unlink", '"c/z") = -1 ENOENT (No such file or directory)', {"a", "b"}),
        ("fsync", "6<a>) = 0", {"a", "b"}),
        ("link", '"b/y", "a/x") = 0', {"b"}),
        ("mkdir", '"d/e", 0700) = 0', {"a", "b"}),
        ("close", "5) = 0", {"a", "b", "d"}),
    ]
    calls = [Call("disk", name, 1, text) for name, text, _ in story]

    assert [left for _, left in undurable(calls)] == [before for _, _, before in story]


def test_a_divergence_is_found(stage: Stage) -> None:
    """The judge is awake: a story that ends otherwise than its scene, or without what was there, is told so."""
    here = stage.record("in place")
    story = Story("in place", "KILL", here[0])
    stage.expect("in place", {"tags": ["three", "two", "never written"], "files": {"vae/gone": "0" * 64}})
    try:
        told = stage.tell(story)
    finally:
        stage.record("in place")

    assert told.deaths == 1
    assert told.lost == ["gone after the death: vae/gone"]
    assert {wrong.partition(":")[0] for wrong in told.divergences} == {"files", "tags"}


def test_the_stories_are_spread_evenly() -> None:
    """A budget takes stories from first to last, each once, and always the same."""
    every = [Story("in place", "KILL", Call("loop", "fsync", number, "")) for number in range(10)]

    assert [one.call.number for one in spread(every, 4)] == [0, 2, 5, 7]
    assert spread(every, None) == spread(every, 99) == every


def test_every_kind_of_call_is_reached(stage: Stage) -> None:
    """Opens, writes, syncs, renames, links, removals and new folders are all among what the stories die at."""
    told = [one for scene in ("dropped, to another disk", "deleted, moved by link") for one in stories(stage, [scene])]

    kinds = {one.call.name for one in told}
    assert kinds >= {"openat", "write", "pwrite64", "fsync", "fdatasync", "renameat2", "unlink", "mkdir", "linkat"}
    assert {one.fault for one in told} == {"KILL", "EIO", "ENOSPC"}
    assert any(one.again is not None for one in told)
