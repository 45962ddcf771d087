"""When much of a root vanishes at once, it is looked at again before it is believed."""

import math

from hikaze.daemon.brake import HOLD_S, LEAST, WINDOW_S, Brake, is_much
from hypothesis import given
from hypothesis import strategies as st


def paths(count: int, start: int = 0) -> list[str]:
    """Give some paths, others for another start."""
    return [f"/root/{number}" for number in range(start, start + count)]


def test_few_are_believed_at_once() -> None:
    """Fifty files may vanish from however small a root, and a fifth from however large a one."""
    assert Brake().believe(1, paths(50), 50, 0.0) == paths(50)
    assert Brake().believe(1, paths(200), 1000, 0.0) == paths(200)


def test_many_are_held_and_looked_at_again() -> None:
    """More than a fifth and more than fifty are held; five seconds later they are looked at again and believed."""
    brake = Brake()

    assert brake.believe(1, paths(60), 200, 10.0) == []
    assert brake.held() == {1: (60, 200)}
    assert brake.next_look() == 10.0 + HOLD_S
    assert brake.due(14.9) == []
    assert brake.due(15.0) == paths(60)
    assert brake.believe(1, paths(60), 200, 15.1) == paths(60)
    assert (brake.held(), brake.next_look()) == ({}, math.inf)


def test_what_comes_back_is_not_lost() -> None:
    """What lies there at the second look is not believed to be gone, and is held anew when it vanishes again."""
    brake = Brake()
    brake.believe(1, paths(60), 60, 0.0)
    again = brake.due(HOLD_S)
    brake.looked(again)  # all of them are there

    assert brake.believe(1, paths(60), 60, 20.0) == []


def test_pieces_add_up() -> None:
    """What is deleted within five seconds counts together: a long `rm -rf` is held from where it becomes much."""
    brake = Brake()

    assert brake.believe(1, paths(40), 100, 0.0) == paths(40)
    assert brake.believe(1, paths(40, 40), 60, 1.0) == []
    assert brake.believe(1, paths(1, 80), 60, 2.0) == []
    assert brake.due(1.0 + HOLD_S) == paths(40, 40)
    assert brake.due(2.0 + HOLD_S) == paths(1, 80)


def test_slow_losses_are_believed() -> None:
    """What vanishes more slowly than that is somebody tidying up."""
    brake = Brake()

    for number in range(10):
        now = number * (WINDOW_S + 0.1)
        assert brake.believe(1, paths(40, 40 * number), 400 - 40 * number, now) == paths(40, 40 * number)


def test_roots_are_apart() -> None:
    """What vanishes from one root holds nothing in another; a root that goes away holds nothing any more."""
    brake = Brake()
    brake.believe(1, paths(60), 60, 0.0)

    assert brake.believe(2, paths(3, 100), 60, 0.0) == paths(3, 100)
    brake.forget(1)
    assert brake.held() == {}


QUARTERS = st.integers(0, 32).map(lambda quarters: quarters / 4)  # seconds that add up without rounding
BATCHES = st.lists(st.tuples(QUARTERS, st.integers(1, 120)), min_size=1, max_size=30)


@given(st.integers(0, 1500), BATCHES)
def test_the_rule(more: int, batches: list[tuple[float, int]]) -> None:
    """In no five seconds are losses believed unseen-twice that are much; each other waits its time; none is lost."""
    brake, now, total = Brake(), 0.0, more + sum(count for _, count in batches)
    first_seen: dict[str, float] = {}
    at_once: list[tuple[float, int, int]] = []
    believed: set[str] = set()
    for pause, count in [*batches, *[(HOLD_S, 0)] * 3]:
        now += pause
        again = brake.due(now)
        new = paths(count, len(first_seen))
        first_seen |= dict.fromkeys(new, now)
        asked = [*again, *new]
        known = total - len(believed) if brake.asks(1, len(asked), now) else 0
        taken = brake.believe(1, asked, known, now)
        brake.looked(asked)
        assert not believed & set(taken)
        assert all(now - first_seen[path] >= HOLD_S for path in taken if path in set(again))
        unseen = [path for path in taken if path not in set(again)]
        at_once.append((now, len(unseen), total - len(believed)))
        believed |= set(taken)
    for end, _, _ in at_once:
        inside = [(count, known) for when, count, known in at_once if end - WINDOW_S < when <= end and count]
        if inside:
            assert not is_much(sum(count for count, _ in inside), max(known for _, known in inside))
    assert believed == set(first_seen)
    assert brake.held() == {}
    assert sum(count for _, count, _ in at_once[:1]) <= max(LEAST, total // 5)
