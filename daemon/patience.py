"""Threads that may hang in a file system for ever, and what goes on all the same."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any, TypeVar

GRACE_S = 3.0  # at the end, for what is about to end by itself
THREADS = 32  # Python's own choice is six on two cores: a few that hang would leave none

_Result = TypeVar("_Result")


class Pool(ThreadPoolExecutor):
    """A pool of threads that does not wait for ever for those that hang. See `hangs` once it is shut down."""

    def __init__(self, grace_s: float = GRACE_S) -> None:
        """Wait so many seconds for threads at the end."""
        super().__init__(THREADS, "hikaze-disk")
        self._grace_s = grace_s
        self._under_way: set[Future[Any]] = set()

    def submit(self, fn: Callable[..., _Result], /, *args: Any, **kwargs: Any) -> Future[_Result]:
        """Have a thread do something."""
        future = super().submit(fn, *args, **kwargs)
        self._under_way.add(future)
        future.add_done_callback(self._under_way.discard)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take nothing on any more; `wait` for what is under way, but not longer than the grace."""
        super().shutdown(wait=False, cancel_futures=cancel_futures)
        if wait:
            _wait_for(self._under_way, self._grace_s)

    def hangs(self) -> bool:
        """Tell whether a thread is still at work."""
        return bool(self._under_way)


def _wait_for(futures: set[Future[Any]], seconds: float) -> None:
    wait(list(futures), timeout=seconds)


def within(seconds: float, act: Callable[..., _Result], *args: Any) -> _Result:
    """Do something that may hang, and give what came of it; `TimeoutError` when that takes longer.

    The thread that hangs is left to itself, and does not keep the program from ending.
    """
    done: Future[_Result] = Future()

    def work() -> None:
        try:
            done.set_result(act(*args))
        except Exception as error:  # noqa: BLE001 - it is raised where the result is asked for
            done.set_exception(error)

    threading.Thread(target=work, name="hikaze-patience", daemon=True).start()
    return done.result(timeout=seconds)
