"""The daemon's side of one process for a far file system: orders out, answers and hints in, each in bounded time."""

import asyncio
import contextlib
import errno
import itertools
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..disks import NoAnswer
from ..watch import Hint
from . import wire
from .wire import Beat, Done, Order, Refused, Told

LOOK_EVERY_S = 0.5  # between two looks at whether an order got on
REAP_S = 1.0  # so long a killed process is waited for; one that hangs in the kernel dies when that lets it


def no_answer(about: str) -> NoAnswer:
    """Say that something did not answer."""
    return NoAnswer(errno.ETIMEDOUT, "its file system does not answer", about)


@dataclass(slots=True)
class _Asked:
    answer: asyncio.Future[Any]
    silent_s: float = 0.0


class FarProcess:
    """A process that touches one far file system. `start` begins, `kill` ends; it never outlives the daemon.

    When an order shows no sign of life for `limit_s` seconds, or the process ends, all orders fail with
    `NoAnswer`, the process is killed, and `lost` is called, once.
    """

    def __init__(self, about: str, limit_s: float, hear: Callable[[Hint], None], lost: Callable[[], None]) -> None:
        """Make one for the file system called `about`; `hear` gets the hints of its watcher."""
        self._about = about
        self._limit_s = limit_s
        self._hear = hear
        self._lost: Callable[[], None] | None = lost
        self._numbers = itertools.count(1)
        self._asked: dict[int, _Asked] = {}
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def pid(self) -> int:
        """The process' id."""
        return self._process.pid

    async def start(self) -> None:
        """Start the process. Raises OSError where that cannot be done."""
        ours, theirs = socket.socketpair()
        # From the event loop's own thread: the process asks to be killed when the thread that started it ends.
        # Its working folder is a near one, and -P keeps it from looking for modules there.
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own program; takes a millisecond
                [sys.executable, "-P", "-m", f"{__package__}.side"],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                cwd=os.sep,
                start_new_session=True,
            )
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
        self._reader, self._writer = await asyncio.open_connection(sock=ours)
        self._tasks = [asyncio.create_task(self._listen()), asyncio.create_task(self._mind())]

    async def ask(self, name: str, *args: Any, patience_s: float | None = None) -> Any:
        """Have an order done and give what came of it. Raises `NoAnswer` and what the order raises.

        `patience_s` is for who cannot wait as long as the process is given; the order goes on without him.
        """
        number = next(self._numbers)
        asked = self._asked[number] = _Asked(asyncio.get_running_loop().create_future())
        self._send(Order(number, name, args))
        try:
            done, _ = await asyncio.wait([asked.answer], timeout=patience_s)
            if not done:
                # Whoever asked is gone when it fails, and nobody else is to be told.
                asked.answer.add_done_callback(lambda answer: answer.cancelled() or answer.exception())
                raise no_answer(self._about)
            return asked.answer.result()
        except asyncio.CancelledError:
            self._asked.pop(number, None)
            raise

    def post(self, name: str, *args: Any) -> None:
        """Have an order done without an answer."""
        self._send(Order(0, name, args))

    def kill(self) -> None:
        """End the process, whatever it is doing; what was asked of it fails."""
        lost, self._lost = self._lost, None
        if lost is None:
            return
        for task in self._tasks:
            if task is not asyncio.current_task():
                task.cancel()
        self._writer.close()
        self._process.kill()
        for asked in self._asked.values():
            if not asked.answer.done():
                asked.answer.set_exception(no_answer(self._about))
                asked.answer.exception()  # it may be that nobody waits any more
        self._asked.clear()
        lost()

    async def gone(self) -> bool:
        """Wait a moment for the killed process; tell whether it has ended."""
        for _ in range(int(REAP_S / 0.02)):
            if self.has_ended():
                return True
            await asyncio.sleep(0.02)
        return self.has_ended()

    def has_ended(self) -> bool:
        """Tell whether the process has ended, and forget it by the system if so."""
        return self._process.poll() is not None

    def _send(self, order: Order) -> None:
        if self._lost is not None:
            self._writer.write(wire.packed(order))

    async def _listen(self) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, OSError):
            while True:
                length = wire.length_of(await self._reader.readexactly(wire.LENGTH_BYTES))
                self._take(wire.unpacked(await self._reader.readexactly(length)))
        self.kill()

    def _take(self, message: wire.Message) -> None:
        match message:
            case Beat(number):
                if number in self._asked:
                    self._asked[number].silent_s = 0.0
            case Done(number, value):
                asked = self._asked.pop(number, None)
                if asked is not None and not asked.answer.done():
                    asked.answer.set_result(value)
            case Refused(number, error):
                asked = self._asked.pop(number, None)
                if asked is not None and not asked.answer.done():
                    asked.answer.set_exception(error)
            case Told(hint):
                self._hear(hint)
            case Order():
                pass

    async def _mind(self) -> None:
        """Count how long orders show no sign of life. Not by the clock: the daemon may have been stopped meanwhile."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            for asked in self._asked.values():
                asked.silent_s += LOOK_EVERY_S
            if any(asked.silent_s >= self._limit_s for asked in self._asked.values()):
                self.kill()
                return
