"""End another process in order, and know when it has ended."""

import contextlib
import os
import select
import signal
import time
from collections.abc import Callable

from .instance import pid_alive

_LOOK_EVERY = 0.05  # seconds


def end(pid: int, seconds: float, is_gone: Callable[[], bool]) -> bool:
    """Ask a process to end and wait at most `seconds`; tell whether it is gone.

    By a Linux process descriptor, which means this process and never another that got its id. Elsewhere the id
    is looked at; where that tells nothing (Windows, which ends the process at once) `is_gone` is asked.
    Raises `PermissionError` where it belongs to another user.
    """
    try:
        descriptor = os.pidfd_open(pid) if hasattr(os, "pidfd_open") else None
    except ProcessLookupError:
        return True
    except PermissionError:
        raise
    except OSError:  # a kernel or sandbox without it
        descriptor = None
    if descriptor is None:
        return _end_by_id(pid, seconds, is_gone)
    try:
        return _end_by_descriptor(descriptor, seconds)
    finally:
        os.close(descriptor)


def _end_by_descriptor(descriptor: int, seconds: float) -> bool:
    with contextlib.suppress(ProcessLookupError):
        signal.pidfd_send_signal(descriptor, signal.SIGTERM)
    waiting = select.poll()
    waiting.register(descriptor, select.POLLIN)
    return bool(waiting.poll(seconds * 1000))


def _end_by_id(pid: int, seconds: float, is_gone: Callable[[], bool]) -> bool:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        alive = pid_alive(pid)
        if alive is False or (alive is None and is_gone()):
            return True
        time.sleep(_LOOK_EVERY)
    return False
