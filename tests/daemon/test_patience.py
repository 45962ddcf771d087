"""What goes on though a thread hangs."""

import threading
import time

import pytest
from hikaze.daemon.patience import Pool, within


def test_a_pool_does_not_wait_for_ever() -> None:
    """At the end it waits for what is about to end, and says whether something hangs."""
    hung, pool = threading.Event(), Pool(grace_s=0.2)
    pool.submit(hung.wait)
    began = time.monotonic()
    pool.shutdown()
    assert pool.hangs()
    assert time.monotonic() - began >= 0.2
    hung.set()

    for _ in range(1000):
        if not pool.hangs():
            break
        time.sleep(0.01)
    assert not pool.hangs()


def test_a_pool_waits_for_what_ends() -> None:
    """What is under way is let come to its end."""
    pool, done = Pool(grace_s=30.0), threading.Event()

    def work() -> None:
        time.sleep(0.1)
        done.set()

    future = pool.submit(work)
    pool.shutdown()

    assert done.is_set()
    assert future.done()


def test_what_is_done_within_a_time() -> None:
    """The result is given, an error is raised, and what takes too long is left to itself."""
    hung = threading.Event()

    assert within(30.0, max, 1, 2) == 2
    with pytest.raises(ZeroDivisionError):
        within(30.0, divmod, 1, 0)
    with pytest.raises(TimeoutError):
        within(0.05, hung.wait)
    hung.set()
