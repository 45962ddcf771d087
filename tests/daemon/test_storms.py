"""What is told of dropped hints and of a computer that slept."""

from hikaze.daemon.storms import TOLD_FOR_S, Storms


def limit() -> int:
    """Give the length of the queue, as most systems have it."""
    return 16_384


def whats(storms: Storms, now: float) -> list[str]:
    """Give what is told."""
    return [what for what, _ in storms.warnings(now)]


def test_dropped_hints_are_told_of() -> None:
    """While the roots are looked at, and some minutes longer."""
    storms = Storms(limit)
    assert storms.warnings(0.0) == []

    storms.dropped_hints(1, 10.0)
    storms.dropped_hints(2, 10.1)

    what = "more files changed at once than the system could tell of, its event queue overflowed;"
    storms.looked(1, 11.0)
    assert whats(storms, 1000.0) == [f"{what} all folders are being looked at"]
    storms.looked(2, 1001.0)
    assert whats(storms, 1001.0 + TOLD_FOR_S - 1) == [f"{what} all folders were looked at"]
    assert whats(storms, 1001.0 + TOLD_FOR_S + 1) == []


def test_hints_dropped_often() -> None:
    """Only if it happens again and again there is something to do; each watched root's report is the same drop."""
    storms = Storms(limit)
    for root in range(5):
        storms.dropped_hints(root, 0.0)
    assert "sysctl" not in storms.warnings(1.0)[0][1]

    storms.dropped_hints(1, 600.0)
    storms.dropped_hints(1, 1200.0)

    cure = "it happens often: sudo sysctl -w fs.inotify.max_queued_events=131072"
    assert [cure for _, cure in storms.warnings(1201.0)] == [cure]
    storms.dropped_hints(1, 9000.0)
    assert "sysctl" not in storms.warnings(9001.0)[0][1]


def test_a_pause_is_told_of() -> None:
    """With how long it was; an older storm of another kind is not told of anew for it."""
    storms = Storms(limit)
    storms.dropped_hints(1, 0.0)
    storms.looked(1, 1.0)

    storms.paused(3600.4, [1, 2], 5000.0)
    storms.looked(1, 5001.0)

    assert whats(storms, 5002.0) == [
        "the computer slept or hikazed was stopped for 3600 s; all folders are being looked at"
    ]
