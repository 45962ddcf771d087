"""An event loop with a clock of its own: it never waits, and the work of threads is done in it, in an order of dice.

Whoever sleeps is woken as soon as nobody has anything to do, and by then the clock says that the time has passed.
What a thread would do is a job: it begins and is answered after pauses that the dice give, so that whatever can
come between a look at the disk and its answer does come between them, and comes again with the same seed.
"""

import asyncio
import random
from collections.abc import Callable
from typing import Any

PAUSES_S = (0.0, 0.0, 0.0, 0.0, 0.001, 0.02, 0.1)
"""What the dice choose from before a job begins, and again before it is answered."""


class VirtualLoop(asyncio.BaseEventLoop):
    """Runs callbacks as any loop does. `die_after` sets when the process ends; then no job is done any more."""

    def __init__(self, dice: random.Random, now: float, died: Callable[[], None]) -> None:
        """Begin at `now`, in seconds of the monotonic clock; `died` is called at the very moment of the death."""
        super().__init__()
        self._selector = _Jump(self)
        self._dice = dice
        self._died = died
        self._jobs_left: int | None = None
        self._pause_in: int | None = None
        self.now = now
        self.jobs = 0
        self.dead = False
        self.complaints: list[str] = []
        self.set_exception_handler(self._complain)

    def time(self) -> float:
        """Give the time of the story, in seconds."""
        return self.now

    def die_after(self, jobs: int | None) -> None:
        """End the process before the job after the next `jobs` ones; None takes that back."""
        self._jobs_left = jobs

    def run_for(self, seconds: float) -> None:
        """Run until so much time has passed, or until the process dies."""
        end = self.call_later(seconds, self.stop)
        self.run_forever()
        end.cancel()

    def die_now(self) -> None:
        """End the process where it stands."""
        self._jobs_left = 0
        self.call_soon(self.is_over)
        self.run_for(0.0)

    def run_jobs(self, jobs: int, at_most_s: float) -> None:
        """Run until so many jobs are done: the process then stands still in the midst of things."""
        self._pause_in = jobs
        self.run_for(at_most_s)
        self._pause_in = None

    def run_until(self, task: "asyncio.Future[Any]", at_most_s: float) -> bool:
        """Run until something is done, and tell whether it is."""
        task.add_done_callback(self._stop_for)
        self.run_for(at_most_s)
        task.remove_done_callback(self._stop_for)
        return task.done()

    def _stop_for(self, _: "asyncio.Future[Any]") -> None:
        self.stop()

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> "asyncio.Future[Any]":  # noqa: ARG002
        """Have a job done; no thread is started."""
        if self.dead:
            raise asyncio.CancelledError
        answer = self.create_future()
        self.call_later(self.pause(), self._do, answer, func, args)
        return answer

    def pause(self) -> float:
        """Let the dice say how long something takes, in seconds."""
        return self._dice.choice(PAUSES_S)

    def is_over(self) -> bool:
        """Count one more thing that the process does to the world; tell whether it died before it."""
        if self.dead:
            return True
        if self._jobs_left is not None:
            self._jobs_left -= 1
            if self._jobs_left < 0:
                self.dead = True
                self._died()
                self.stop()
                return True
        self.jobs += 1
        if self._pause_in is not None:
            self._pause_in -= 1
            if self._pause_in <= 0:
                self.stop()
        return False

    def _do(self, answer: "asyncio.Future[Any]", func: Callable[..., Any], args: tuple[Any, ...]) -> None:
        if self.is_over():
            return
        try:
            value, error = func(*args), None
        except Exception as raised:  # noqa: BLE001 - whoever asked gets it, as from a thread
            value, error = None, raised
        self.call_later(self.pause(), _settle, answer, value, error)

    def _complain(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if not self.dead:
            self.complaints.append(f"{context.get('message')}: {context.get('exception')!r}")

    def _process_events(self, _events: list[Any]) -> None:
        """There are none."""

    def _write_to_self(self) -> None:
        """Nobody sleeps who would have to be woken."""


class _Jump:
    """Stands where a loop waits for the system: it lets the time pass at once."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop

    def select(self, timeout: float | None) -> list[Any]:
        if timeout is None:
            raise RuntimeError("everybody waits for somebody else, and nothing will ever happen")
        self._loop.now += max(timeout, 0.0)
        return []


def _settle(answer: "asyncio.Future[Any]", value: Any, error: Exception | None) -> None:
    if answer.done():  # whoever asked waits no more
        return
    if error is None:
        answer.set_result(value)
    else:
        answer.set_exception(error)
