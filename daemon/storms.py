"""What went over the watching like a storm: dropped hints, a sleep of the computer. Pure: the clock is an argument.

It is told while the folders are looked at for it, and for some minutes after; hints dropped again and again, with
the setting that helps.
"""

import math
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

TOLD_FOR_S = 300.0
"""So long after its end a storm is still told of: somebody may come to look why all disks were busy."""

OFTEN = 3
OFTEN_WITHIN_S = 3600.0
"""Hints dropped so many times in so many seconds call for a longer queue."""

ONE_S = 2.0
"""Each watched folder reports the same loss: within so many seconds it is one."""


@dataclass(slots=True)
class _Storm:
    """The last one of its kind. Times are monotonic, in seconds."""

    began: float = -math.inf
    ended: float = -math.inf
    to_look_at: set[int] = field(default_factory=set[int])

    def begin(self, roots: Iterable[int], now: float) -> None:
        self.began = now
        self.to_look_at.update(roots)

    def looked(self, root: int, now: float) -> None:
        if root in self.to_look_at:
            self.to_look_at.discard(root)
            self.ended = now

    def told(self, now: float) -> str | None:
        if self.to_look_at:
            return "all folders are being looked at"
        return "all folders were looked at" if now - max(self.began, self.ended) < TOLD_FOR_S else None


class Storms:
    """The storms of late, and the roots that are still to be looked at for them."""

    def __init__(self, queue_limit: Callable[[], int]) -> None:
        """`queue_limit` gives how many events the system keeps for who is slow to take them; 0 if it cannot tell."""
        self._queue_limit = queue_limit
        self._drop, self._pause = _Storm(), _Storm()
        self._drops: deque[float] = deque(maxlen=OFTEN)
        self._paused_s = 0.0

    def dropped_hints(self, root: int, now: float) -> None:
        """Hints of a root were dropped; all of it is to be looked at."""
        if now - self._drop.began > ONE_S:
            self._drops.append(now)
        self._drop.begin([root], now)

    def paused(self, seconds: float, roots: Iterable[int], now: float) -> None:
        """Nothing ran for some time; those roots are to be looked at."""
        self._paused_s = seconds
        self._pause.begin(roots, now)

    def looked(self, root: int, now: float) -> None:
        """All of a root was looked at, or it is away and will be when it comes back."""
        self._drop.looked(root, now)
        self._pause.looked(root, now)

    def warnings(self, now: float) -> list[tuple[str, str]]:
        """Say what happened of late, each with its cure."""
        found: list[tuple[str, str]] = []
        if (looking := self._drop.told(now)) is not None:
            what = "more files changed at once than the system could tell of, its event queue overflowed;"
            found.append((f"{what} {looking}", self._cure_of_drops(now)))
        if (looking := self._pause.told(now)) is not None:
            what = f"the computer slept or hikazed was stopped for {self._paused_s:.0f} s;"
            found.append((f"{what} {looking}", "nothing need be done"))
        return found

    def _cure_of_drops(self, now: float) -> str:
        if len(self._drops) < OFTEN or now - self._drops[0] > OFTEN_WITHIN_S:
            return "nothing need be done; the library is right once that look has ended"
        longer = max(1 << 17, 4 * self._queue_limit())
        return f"it happens often: sudo sysctl -w fs.inotify.max_queued_events={longer}"
