"""Reads the whole log again now and then, in the background, for what a failing disk did to it since it was written."""

import logging
import threading
import time
from collections.abc import Callable
from contextlib import closing

import apsw

from ..events.errors import DamagedLog
from ..events.reader import LogReader
from ..projections.runner import find_torn

FIRST_AFTER_S = 300.0  # the start has looked at the last events, and has better things to do
AGAIN_AFTER_S = 7 * 24 * 3_600.0
CHUNK = 2_000  # events between two rests: some 10 ms
REST = 4.0  # rests this many times as long as it works, a fifth of a core

log = logging.getLogger(__name__)


class Inspection:
    """A thread that looks over the log and the read tables. `start` it, and `close` it before they are closed."""

    def __init__(
        self,
        open_log: Callable[[], LogReader],
        views: str,
        condemn: Callable[[DamagedLog], None],
        mend: Callable[[], None],
        *,
        first_after_s: float = FIRST_AFTER_S,
    ) -> None:
        """Tell `condemn` of damage in the log, and `mend` of damage in the read tables at the path `views`."""
        self._open_log, self._views = open_log, views
        self._condemn, self._mend = condemn, mend
        self._wait_s = first_after_s
        self._stopping = threading.Event()
        self._reading: LogReader | None = None
        self._thread = threading.Thread(target=self._run, name="hikaze-inspection", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def close(self) -> None:
        """Stop looking."""
        self._stopping.set()
        if self._reading is not None:
            self._reading.interrupt()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(self._wait_s):
            self._wait_s = AGAIN_AFTER_S
            try:
                self.look()
            except apsw.InterruptError:
                return
            except (apsw.Error, OSError):
                log.warning("the library could not be looked over", exc_info=True)  # busy or unreadable: next time

    def look(self) -> None:
        """Look over everything once, resting in between."""
        with closing(self._open_log()) as events:
            self._reading = events
            try:
                damage = self._damaged_event(events)
                if damage is None and not self._stopping.is_set():
                    damage = events.damaged_structure()
            finally:
                self._reading = None
        if damage is not None:
            self._condemn(damage)
        elif not self._stopping.is_set() and find_torn(self._views) is not None:
            self._mend()

    def _damaged_event(self, events: LogReader) -> DamagedLog | None:
        """Read every event, some at a time, so that no long reading keeps the write-ahead log from being cut back."""
        position, head = 0, events.head()
        while position < head and not self._stopping.is_set():
            began, upto = time.monotonic(), min(position + CHUNK, head)
            damage = events.damage_behind(position, upto)
            if damage is not None:
                return damage
            position = upto
            self._stopping.wait(REST * (time.monotonic() - began))
        return None
