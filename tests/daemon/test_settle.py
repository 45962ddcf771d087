"""When a file has come to rest."""

import math
from dataclasses import replace

import pytest
from hikaze.daemon import settle
from hikaze.daemon.settle import Facts, Settling, Taken, Verdict, Waiting
from hypothesis import given
from hypothesis import strategies as st

WALL = 1_795_000_000_000_000_000
SECOND = 1_000_000_000
OLD = Facts(size=10, mtime_ns=WALL - 100 * SECOND, ctime_ns=WALL - 100 * SECOND, dev=1, ino=2)
FRESH = replace(OLD, mtime_ns=WALL, ctime_ns=WALL)


def aged(seconds: float) -> Facts:
    return replace(OLD, ctime_ns=WALL - int(seconds * SECOND))


def judge(facts: Facts, *, network: bool = False) -> Verdict:
    return Settling().look("/a", facts, now=50.0, wall_ns=WALL, network=network)


def reason(verdict: Verdict) -> str:
    assert isinstance(verdict, Waiting)
    return verdict.reason


def again_at(verdict: Verdict) -> float:
    return verdict.again_at if isinstance(verdict, Waiting) else math.nan


@pytest.mark.parametrize(
    ("facts", "wait"),
    [
        (OLD, None),
        (aged(2), None),
        (aged(1.5), 0.5),
        (FRESH, 2),
        (replace(OLD, mtime_ns=WALL), 2),
        (replace(OLD, mtime_ns=WALL + 10**18), 2),
        (replace(FRESH, renamed=True), None),
        (replace(OLD, temporary=True), math.inf),
        (replace(FRESH, renamed=True, temporary=True), math.inf),
        (replace(OLD, marker=True), 1),
        (replace(FRESH, renamed=True, marker=True), 1),
        (replace(OLD, writing=True), 0.25),
        (replace(FRESH, renamed=True, writing=True), 0.25),
        (replace(OLD, writing=False), None),
        (replace(FRESH, writing=False), 2),
        (replace(OLD, size=0), 1),
        (replace(FRESH, renamed=True, size=0), 1),
        (replace(OLD, shortfall="is short"), 1),
        (replace(FRESH, renamed=True, shortfall="is short"), 1),
        (replace(OLD, holes=True), None),
        (replace(aged(59), holes=True), 1),
        (replace(FRESH, renamed=True, holes=True), 60),
        (replace(OLD, mtime_ns=WALL + SECOND, holes=True), 60),
    ],
)
def test_the_first_look(facts: Facts, wait: float | None):
    """One look takes a file that is known to be at rest, and says how long to wait for any other."""
    verdict = judge(facts)

    assert verdict == Taken() if wait is None else again_at(verdict) == pytest.approx(50 + wait)


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        (replace(FRESH, temporary=True, marker=True), "unfinished download"),
        (replace(FRESH, marker=True, writing=True), "control file"),
        (replace(FRESH, writing=True, size=0), "open for writing"),
        (replace(FRESH, size=0, shortfall="is short"), "is empty"),
        (replace(FRESH, shortfall="is short", holes=True), "is short"),
        (replace(FRESH, holes=True), "not written yet"),
        (FRESH, "just changed"),
    ],
)
def test_the_reason_is_the_surest_one(facts: Facts, words: str):
    """Of several reasons to wait a person hears the one that tells most."""
    assert words in reason(judge(facts))


@pytest.mark.parametrize(
    ("seconds", "wait"), [(0, 15), (20, 15), (3599, 15), (3600, None), (-5, 15)], ids=lambda value: str(value)
)
def test_a_network_file_is_looked_at_twice(seconds: float, wait: float | None):
    """A file on another machine waits for two equal looks, unless it is older than any clock is wrong."""
    facts = replace(OLD, mtime_ns=WALL - int(7200 * SECOND), ctime_ns=WALL - int(seconds * SECOND))
    verdict = judge(facts, network=True)

    assert verdict == Taken() if wait is None else again_at(verdict) == pytest.approx(50 + wait)


def test_timestamps_in_the_future():
    """Where the clock cannot be believed, two equal looks two seconds apart take the file."""
    facts = replace(OLD, mtime_ns=WALL + 10**18)
    settling = Settling()

    assert again_at(settling.look("/a", facts, now=0, wall_ns=WALL)) == 2
    assert again_at(settling.look("/a", facts, now=1.5, wall_ns=WALL)) == 2
    changed = replace(facts, size=11)
    assert again_at(settling.look("/a", changed, now=1.9, wall_ns=WALL)) == pytest.approx(3.9)
    assert settling.look("/a", changed, now=4, wall_ns=WALL) == Taken()


@pytest.mark.parametrize(
    ("facts", "pauses"),
    [
        (replace(OLD, writing=True), [0.25, 0.5, 1, 2, 4, 5, 5]),
        (replace(OLD, shortfall="is short"), [1, 2, 4, 8, 16, 32, 60, 60]),
        (replace(OLD, size=0), [1, 2, 4, 8, 16, 32, 60, 60]),
        (replace(OLD, marker=True), [1, 2, 4, 8, 16, 32, 60, 60]),
    ],
)
def test_pauses_double(facts: Facts, pauses: list[float]):
    """While nothing changes the looks become rarer, up to a bound."""
    settling, now, seen = Settling(), 0.0, []
    for _ in pauses:
        due = again_at(settling.look("/a", facts, now=now, wall_ns=WALL))
        seen.append(due - now)
        now = due

    assert seen == pauses


def test_a_hint_does_not_lengthen_a_pause():
    """A look before its time leaves the time of the next one as it was."""
    settling = Settling()
    facts = replace(OLD, shortfall="is short")
    settling.look("/a", facts, now=0, wall_ns=WALL)
    settling.look("/a", facts, now=1, wall_ns=WALL)

    assert again_at(settling.look("/a", facts, now=1.5, wall_ns=WALL)) == 3
    assert again_at(settling.look("/a", facts, now=2.9, wall_ns=WALL)) == 3


def test_a_download_that_moves_again_is_looked_at_soon():
    """Pauses grown over a stalled download begin anew once it grows."""
    settling = Settling()
    stalled = replace(OLD, marker=True)
    for now in (0, 1, 3, 7):
        settling.look("/a", stalled, now=now, wall_ns=WALL)

    assert again_at(settling.look("/a", replace(stalled, size=99), now=10, wall_ns=WALL)) == 11


def test_a_file_being_written_is_looked_at_ever_less():
    """While a program writes, growth is expected, and does not bring the looks closer."""
    settling, now, pauses = Settling(), 0.0, []
    for size in range(1, 8):
        due = again_at(settling.look("/a", replace(OLD, size=size, writing=True), now=now, wall_ns=WALL))
        pauses.append(due - now)
        now = due

    assert pauses == [0.25, 0.5, 1, 2, 4, 5, 5]


def test_waiting_due_and_forget():
    """The files that wait are listed with their reasons until they are taken or forgotten."""
    settling = Settling()
    settling.look("/written", replace(OLD, writing=True), now=0, wall_ns=WALL)
    settling.look("/part", replace(OLD, temporary=True), now=0, wall_ns=WALL)
    settling.look("/empty", replace(OLD, size=0), now=0, wall_ns=WALL)
    settling.look("/old", OLD, now=0, wall_ns=WALL)

    assert [path for path, _ in settling.waiting()] == ["/written", "/part", "/empty"]
    assert settling.next_look() == 0.25
    assert settling.due(0.2) == []
    assert settling.due(1) == ["/written", "/empty"]

    settling.forget("/empty")
    settling.forget("/unknown")
    assert settling.look("/written", OLD, now=1, wall_ns=WALL) == Taken()
    assert [path for path, _ in settling.waiting()] == ["/part"]
    assert settling.next_look() == math.inf


def test_the_memory_is_bounded():
    """Beyond the limit the file looked at longest ago is forgotten."""
    settling = Settling(limit=2)
    for path in ("/a", "/b", "/a", "/c"):
        settling.look(path, FRESH, now=0, wall_ns=WALL)

    assert [path for path, _ in settling.waiting()] == ["/a", "/c"]


EVENTS = st.lists(st.tuples(st.floats(0.01, 5), st.sampled_from(["write", "look", "rewrite"])), max_size=40)


@given(events=EVENTS, ahead=st.integers(0, 10**6), network=st.booleans())
def test_a_file_that_keeps_changing_is_never_taken(events: list[tuple[float, str]], ahead: int, network: bool):
    """No file is taken before it has been quiet for its time, whenever it is looked at.

    Its disk's clock may run ahead of ours, and on a network up to an hour behind.
    """
    quiet = settle.NETWORK_QUIET if network else settle.QUIET
    skew = (ahead - 3500 if network and ahead % 2 else ahead) * SECOND
    settling, now, changed = Settling(), 0.0, 0.0
    facts = replace(OLD, mtime_ns=WALL + skew, ctime_ns=WALL + skew)
    for pause, event in events:
        now += pause
        wall = WALL + int(now * SECOND)
        if event == "look":
            verdict = settling.look("/a", facts, now=now, wall_ns=wall, network=network)
            # The last microsecond is lost in the floats of the test itself.
            assert verdict != Taken() or now - changed >= quiet - 1e-6
        else:
            changed = now
            grown = 1 if event == "write" else 0
            facts = replace(facts, size=facts.size + grown, mtime_ns=wall + skew, ctime_ns=wall + skew)


@given(
    facts=st.builds(
        Facts,
        size=st.integers(1, 10**12),
        mtime_ns=st.integers(0, 2**62),
        ctime_ns=st.integers(0, 2**62),
        dev=st.just(1),
        ino=st.just(2),
        holes=st.booleans(),
        writing=st.sampled_from([None, False]),
        renamed=st.booleans(),
    ),
    busy=st.integers(0, 10),
    start=st.floats(0, 1e9),
    network=st.booleans(),
)
def test_a_file_at_rest_is_always_taken(facts: Facts, busy: int, start: float, network: bool):
    """Once nothing holds it back, a file is taken within the longest pause and the longest quiet."""
    settling, now, looks = Settling(), start, 0

    def look(facts: Facts) -> Verdict:
        return settling.look("/a", facts, now=now, wall_ns=WALL + int(now * SECOND), network=network)

    for _ in range(busy):
        now = again_at(look(replace(facts, writing=True)))
    rested = now
    while isinstance(verdict := look(facts), Waiting):
        now, looks = verdict.again_at, looks + 1
        assert looks < 10
    assert now - rested <= settle.HOLES_QUIET + 1
    assert settling.waiting() == []
