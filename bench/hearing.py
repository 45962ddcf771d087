"""Who listens to the daemon's live stream while it works: what it told of, how often, and when."""

import threading
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from contextlib import AbstractContextManager, suppress
from types import TracebackType

from hikaze.daemon.commands.client import Broken, Client

LOOK_EVERY_S = 0.01


class Ear(AbstractContextManager["Ear"]):
    """Listens from the log's beginning, in a thread of its own, as an open page does."""

    def __init__(self, client: Client) -> None:
        """Begin to listen."""
        self._times = defaultdict[str, list[float]](list)
        self.progress = Counter[str]()
        self._stream = client.listen(0)
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stream.hang_up()
        self._thread.join()

    def heard(self, kind: str) -> Sequence[float]:
        """Give when each event of a kind was heard (perf_counter)."""
        return self._times[kind]

    def wait(self, kind: str, count: int, *, at_most: float) -> float:
        """Wait until so many events of a kind were heard; gives the clock (perf_counter) at the last of them.

        Raises RuntimeError after `at_most` seconds without one.
        """
        seen, deadline = 0, time.perf_counter() + at_most
        while len(heard := self._times[kind]) < count:
            if len(heard) > seen:
                seen, deadline = len(heard), time.perf_counter() + at_most
            if time.perf_counter() > deadline:
                raise RuntimeError(f"of {count:,} events {kind} only {len(heard):,} came, the last {at_most:.0f} s ago")
            time.sleep(LOOK_EVERY_S)
        return heard[count - 1]

    def _listen(self) -> None:
        with suppress(Broken):  # it ends with the daemon, or when we hang up
            for message in self._stream:
                if message.kind == "progress":
                    self.progress[str(message.data.get("task"))] += 1
                else:
                    self._times[message.kind].append(time.perf_counter())
        self._stream.close()
