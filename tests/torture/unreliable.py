"""The daemon with hints that cannot be relied on: `unreliable.py FAULTS` and the flags of `hikazed run`.

FAULTS is JSON of `Faults`: with which chance a hint is dropped, told twice, or comes late and so out of order. The
chances follow from a seed; which hint they meet hangs on what the disk does.
"""

import dataclasses
import heapq
import itertools
import json
import os
import random
import sys
import threading
import time
from collections.abc import Callable, Sequence

from hikaze.daemon.__main__ import parser
from hikaze.daemon.app import run
from hikaze.daemon.config import load
from hikaze.daemon.watch import Hint, Watcher


@dataclasses.dataclass(frozen=True)
class Faults:
    """What befalls hints: chances from 0 to 1, and the longest delay in seconds.

    `in_order` says that a late hint holds up those behind it, as the system's own queue does.
    """

    seed: int = 0
    drop: float = 0.0
    double: float = 0.0
    delay: float = 0.0
    longest_s: float = 0.0
    in_order: bool = False


class Unreliable(Watcher):
    """A source of hints that loses some, repeats some and is late with some."""

    def __init__(self, deliver: Callable[[Hint], None], faults: Faults) -> None:
        """Watch as ever, and deliver what is left, one hint at a time."""
        self._pass_on = deliver
        self._faults = faults
        self._dice = random.Random(faults.seed)  # noqa: S311 - dice, so that a story can be repeated
        self._late: list[tuple[float, int, Hint]] = []
        self._number = itertools.count()
        self._last_due = 0.0
        self._changed = threading.Condition()
        self._closed = False
        self._line = threading.Thread(target=self._serve, name="unreliable-hints", daemon=True)
        self._line.start()
        super().__init__(self._take)

    def close(self) -> None:
        """Deliver nothing more."""
        super().close()
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._line.join()

    def _take(self, hint: Hint) -> None:
        faults = self._faults
        with self._changed:
            if self._dice.random() < faults.drop:
                return
            for _ in range(2 if self._dice.random() < faults.double else 1):
                late = self._dice.random() * faults.longest_s if self._dice.random() < faults.delay else 0.0
                due = time.monotonic() + late
                if faults.in_order:
                    due = self._last_due = max(due, self._last_due)
                heapq.heappush(self._late, (due, next(self._number), hint))
            self._changed.notify()

    def _serve(self) -> None:
        while True:
            with self._changed:
                while not self._closed and (not self._late or self._late[0][0] > time.monotonic()):
                    self._changed.wait(self._late[0][0] - time.monotonic() if self._late else None)
                if self._closed:
                    return
                _, _, hint = heapq.heappop(self._late)
            self._pass_on(hint)


def main(argv: Sequence[str]) -> int:
    """Run the daemon."""
    faults = Faults(**json.loads(argv[0]))
    config = load(vars(parser().parse_args(["run", *argv[1:]])), os.environ)
    return run(config, hint_source=lambda deliver: Unreliable(deliver, faults))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
