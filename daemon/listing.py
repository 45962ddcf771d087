"""What the names in a folder tell, worked out once as long as the folder does not change."""

import os
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from .scan import siblings

KEPT = 8  # folders; a folder of 20,000 files takes some 5 MiB
CLOCK_TICK_NS = 1_000_000_000  # a folder that changed within this may change again and keep its time

_Told = TypeVar("_Told")


class Listing(Generic[_Told]):
    """Gives what `tell` makes of the names in a folder.

    For one after the other of 20,000 files in a folder, to list it each time would take 20,000 times as long.
    """

    def __init__(self, tell: Callable[[list[str]], _Told], wall_ns: Callable[[], int] = time.time_ns) -> None:
        """Ask `tell`; `wall_ns` is the wall clock in ns since 1970."""
        self._tell = tell
        self._wall_ns = wall_ns
        self._kept: dict[str, tuple[int, _Told]] = {}

    def of(self, folder: str) -> _Told:
        """Give what the names in a folder tell; nothing is in one that is not there. Raises OSError."""
        now, changed = self._wall_ns(), _changed_at(folder)
        kept = self._kept.get(folder)
        if kept is not None and kept[0] == changed:
            return kept[1]
        told = self._tell(siblings(folder))
        self._kept.pop(folder, None)
        if abs(now - changed) > CLOCK_TICK_NS:
            self._kept[folder] = changed, told
            while len(self._kept) > KEPT:
                self._kept.pop(next(iter(self._kept)), None)
        return told


def _changed_at(folder: str) -> int:
    try:
        return os.stat(folder).st_mtime_ns
    except FileNotFoundError:
        return 0
