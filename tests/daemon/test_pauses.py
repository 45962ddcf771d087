"""Whether the computer slept, or the program was stopped."""

import pytest
from hikaze.daemon.pauses import Clocks, pause, read_clocks


@pytest.mark.parametrize(
    ("before", "after", "meant_s", "seconds"),
    [
        (Clocks(100, 100), Clocks(102, 102), 2, 0),
        (Clocks(100, 100), Clocks(131, 131), 2, 0),  # late, but nothing is lost
        (Clocks(100, 100), Clocks(140, 140), 2, 38),  # stopped
        (Clocks(100, 100), Clocks(101, 161), 2, 60),  # asleep
        (Clocks(100, 5100), Clocks(102, 5102), 2, 0),  # it slept before
        (Clocks(100, 100), Clocks(200, 300), 2, 100),
    ],
)
def test_pause(before: Clocks, after: Clocks, meant_s: float, seconds: float) -> None:
    """A pause is a long sleep of the computer, or a rest that was much longer than it was meant to be."""
    assert pause(before, after, meant_s) == seconds


def test_read_clocks() -> None:
    """Both clocks go forward."""
    before, after = read_clocks(), read_clocks()

    assert (after.awake_s, after.all_s) >= (before.awake_s, before.all_s)
    assert pause(before, after, 2) == 0
