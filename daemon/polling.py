"""How often to look at what others change from elsewhere, without hints. Pure: the clock is an argument."""

from dataclasses import dataclass

SHORTEST_S = 15.0
LONGEST_S = 300.0
SHARE = 20.0
"""A look is followed by a rest of so many times its length: looking takes a twentieth of the time at most."""


@dataclass(slots=True)
class _Polled:
    every: float
    next_at: float


class Polling:
    """When each root is looked at next; a root is anything that can be told from another by its number."""

    def __init__(self, shortest_s: float = SHORTEST_S, longest_s: float = LONGEST_S) -> None:
        """Look at each root at least so long, and at most so long, after the last look; in seconds."""
        self._shortest_s = shortest_s
        self._longest_s = longest_s
        self._polled: dict[int, _Polled] = {}

    def looked(self, root: int, *, now: float, took: float, changed: bool) -> None:
        """Take down a look that has just ended: how many seconds it took, and whether it found changes.

        Where something changed more is likely to, so the next look comes sooner; a look that takes longer
        than the shortest pause is rested from all the same.
        """
        rest = max(took, self._shortest_s) if changed else took * SHARE
        every = min(max(rest, self._shortest_s), self._longest_s)
        self._polled[root] = _Polled(every, now + every)

    def take_due(self, root: int, now: float) -> bool:
        """Tell whether a root is to be looked at now; then not again before that look, unless it never ends.

        One that never was looked at is not due: it is looked at when it comes.
        """
        polled = self._polled.get(root)
        if polled is None or now < polled.next_at:
            return False
        polled.next_at = now + self._longest_s
        return True

    def every(self, root: int) -> float:
        """Give the seconds between two looks at a root, as things are."""
        polled = self._polled.get(root)
        return self._shortest_s if polled is None else polled.every
