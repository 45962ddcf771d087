"""The brake on mass disappearance: when much of a root seems to vanish at once, it is looked at again before belief.

Pure: the clock is an argument, seconds of a monotonic one. It decides about paths that were looked at and are not
there, in a root that is proven present. An unplugged disk can pass for a present one whose files were deleted (a
share that answers with an empty folder, a disk in the moment it fails); five seconds later it cannot, as a rule.
"""

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

LEAST = 50
"""So many may always vanish at once."""

SHARE = 5
"""More than one in so many is much of a root."""

WINDOW_S = 5.0
"""What vanishes within so many seconds vanishes at once: `rm -rf` of a large folder comes to us in pieces."""

HOLD_S = 5.0
"""How long after it was first seen missing a held path is looked at again."""


@dataclass(slots=True)
class _Root:
    believed: deque[tuple[float, int]] = field(default_factory=deque[tuple[float, int]])
    """When how many losses were believed without being held, the last few seconds."""
    held: dict[str, float] = field(default_factory=dict[str, float])
    """Path -> when it is to be looked at again, in that order."""
    known: int = 0


class Brake:
    """Decides which losses are believed now, and holds the others for a second look."""

    def __init__(self) -> None:
        """Begin with nothing held."""
        self._roots: dict[int, _Root] = {}
        self._second: set[str] = set()

    def asks(self, root: int, missing: int, now: float) -> bool:
        """Tell whether `believe` needs to know how many files should lie in the root, which takes some counting."""
        state = self._roots.get(root)
        return missing > LEAST or (state is not None and (bool(state.held) or _recent(state, now) + missing > LEAST))

    def believe(self, root: int, missing: Sequence[str], known: int, now: float) -> list[str]:
        """Give those of some missing paths whose loss is believed; the others are held.

        `known` is how many files should lie in the root, these included (anything, where `asks` says no). A path
        that was held and given back by `due` is believed: it was looked at twice, and both times the root was here.
        """
        state = self._roots.setdefault(root, _Root())
        second = [path for path in missing if path in self._second]
        first = [path for path in missing if path not in self._second and path not in state.held]
        self._second.difference_update(second)
        recent = _recent(state, now)
        if state.held or is_much(recent + len(first), known + recent):
            state.known = max(state.known, known) if state.held else known
            state.held.update(dict.fromkeys(first, now + HOLD_S))
            return second
        if first:
            state.believed.append((now, len(first)))
        return second + first

    def due(self, now: float) -> list[str]:
        """Give the held paths that are to be looked at again now; whoever asks looks at them."""
        ripe: list[str] = []
        for state in self._roots.values():
            while state.held and next(iter(state.held.values())) <= now:
                path = next(iter(state.held))
                del state.held[path]
                ripe.append(path)
        self._second.update(ripe)
        return ripe

    def next_look(self) -> float:
        """Give when held paths are to be looked at again, infinity where none is held."""
        return min((next(iter(state.held.values())) for state in self._roots.values() if state.held), default=math.inf)

    def looked(self, paths: Sequence[str]) -> None:
        """What `due` gave was looked at; what was not missing then must be held anew if it vanishes later."""
        self._second.difference_update(paths)

    def forget(self, root: int) -> None:
        """A root is away or another one now: nothing in it is held."""
        self._roots.pop(root, None)

    def held(self) -> dict[int, tuple[int, int]]:
        """Give for each root that is held (paths held, files that should lie in it)."""
        return {root: (len(state.held), state.known) for root, state in self._roots.items() if state.held}


def _recent(state: _Root, now: float) -> int:
    while state.believed and state.believed[0][0] <= now - WINDOW_S:
        state.believed.popleft()
    return sum(count for _, count in state.believed)


def is_much(vanished: int, known: int) -> bool:
    """Tell whether so many of the known files of a root are too many to vanish unquestioned."""
    return vanished > LEAST and vanished * SHARE > known
