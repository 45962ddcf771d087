"""How often a root without hints is looked at."""

import pytest
from hikaze.daemon.polling import LONGEST_S, SHORTEST_S, Polling
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("took", "changed", "every"),
    [
        (0.1, False, 15.0),  # never sooner than that
        (1.0, False, 20.0),  # twenty times what it took
        (100.0, False, 300.0),  # never later than that
        (1.0, True, 15.0),  # where something changed more may
        (40.0, True, 40.0),  # but not all of the time is spent on looking
    ],
)
def test_the_pause_after_a_look(took: float, changed: bool, every: float) -> None:
    """It follows from how long the look took, and whether it found anything."""
    polling = Polling()
    polling.looked(1, now=1000.0, took=took, changed=changed)

    assert polling.every(1) == every
    assert not polling.take_due(1, 1000.0 + every - 0.1)
    assert polling.take_due(1, 1000.0 + every)


def test_a_look_is_due_once() -> None:
    """While it is under way it is not due again; one that never ended is tried again after the longest pause."""
    polling = Polling(1.0, 10.0)
    polling.looked(1, now=0.0, took=0.0, changed=False)

    assert polling.take_due(1, 5.0)
    assert not polling.take_due(1, 14.9)
    assert polling.take_due(1, 15.0)


def test_a_root_that_was_never_looked_at() -> None:
    """It is looked at when it comes, not by polling."""
    assert not Polling().take_due(1, 1e9)
    assert Polling().every(1) == SHORTEST_S


@given(took=st.floats(0, 1e6), changed=st.booleans(), now=st.floats(0, 1e9))
def test_the_pause_has_bounds(took: float, changed: bool, now: float) -> None:
    """However long a look takes, the next is at most five minutes away, and at least a quarter of one."""
    polling = Polling()
    polling.looked(1, now=now, took=took, changed=changed)

    assert SHORTEST_S <= polling.every(1) <= LONGEST_S
