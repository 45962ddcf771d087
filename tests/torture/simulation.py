"""A simulated world: hints go astray, the clock jumps, the process dies, and the disk plays tricks.

A story is told in a `World`: it has a `Disk`, starts, stops and kills the daemon (`Life`), lets time pass, and
writes down what people did.
"""

import asyncio
import logging
import os
import random
import shutil
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import apsw
from hikaze.daemon.importer import Ended, Wish
from hikaze.daemon.library import Library
from hikaze.daemon.roots import Wanted
from hikaze.daemon.watch import Hint
from hikaze.events.pathtext import to_path
from hikaze.events.writer import Unwritable

from .life import Life
from .simdisk import Disk, holds
from .virtual import VirtualLoop
from .words import Deed

PERSON, QUEUE = "page", "cli"
"""Who edits, and who asks for imports: the log tells afterwards whose deed was under way when the process died."""
WEATHER = ("prompt", "late", "shuffled", "doubled", "scattered", "lossy", "none")

_Value = TypeVar("_Value")


class Divergence(AssertionError):
    """The library does not say what is true: `kind` is `lost`, `duplicate`, `divergence` or `fault`."""

    def __init__(self, kind: str, what: str) -> None:
        """Say what is wrong."""
        super().__init__(f"{kind}: {what}")
        self.kind = kind


@dataclass(frozen=True)
class _Unplugged:
    """What the library knew when a root was unplugged: the log's head, and where each pending model lay."""

    head: int
    pending: dict[int, str]

    @classmethod
    def of(cls, library: Library) -> "_Unplugged":
        waiting: list[Any] = library.db.execute(
            "SELECT id, path FROM pending_import WHERE state = 'waiting'"
        ).fetchall()
        return cls(library.news.head, {number: to_path(path) for number, path in waiting})

    def lost(self, events: list[dict[str, Any]], root: str) -> list[str]:
        """Give the paths in a root that were said to be lost since then."""
        lost = [to_path(event["data"]["path"]) for event in events if event["type"] == "location-lost"]
        lost += [
            self.pending[event["data"]["pending"]]
            for event in events
            if event["type"] == "pending-lost" and event["data"]["pending"] in self.pending
        ]
        return [path for path in lost if holds(root, path)]


class World:
    """Where a story happens. Use as a context manager; `top` is an empty folder."""

    def __init__(self, top: Path, seed: int) -> None:
        """Begin with empty folders and no daemon."""
        self.dice = random.Random(seed)  # noqa: S311 - a story must be told again
        self.top, self.data = top, f"{top}/data"
        os.mkdir(self.data)
        self.disk = Disk(top, {name: f"{top}/{name}" for name in ("loras", "vae", "drop")})
        self.now = 1_000.0
        self.life: Life | None = None
        self.weather = "prompt"
        self.asleep_s = 0.0  # for how long the computer has slept
        self.blind = False  # hints were lost that nobody told of
        self.aliases = False  # there are links to files: of what changes at their far end no hint tells
        self._unplugged: dict[str, _Unplugged | None] = {}
        self.deeds: list[Deed] = []
        self.told: list[str] = []
        self.crashes = 0
        self.colours = 0
        self.notes = 0
        self._unclear: tuple[int, str, Callable[[list[dict[str, Any]]], dict[str, Any] | None]] | None = None
        self._faults = _Faults()

    def __enter__(self) -> "World":
        """Listen to what the daemon logs as its own faults."""
        self._faults.listen()
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Clear everything away."""
        for each in self.disk.open:
            each.file.close()
        if self.life is not None:
            self.life.loop.dead = True
            self.life.bury()
        self._faults.end()

    def tell(self, what: str) -> None:
        """Write down what happens, for whoever must understand the story."""
        self.told.append(what.replace(str(self.top) + "/", ""))

    # The daemon

    @property
    def up(self) -> Life:
        """The daemon; it is started if it does not run."""
        if self.life is None:
            self.start()
        assert self.life is not None
        return self.life

    @property
    def db(self) -> apsw.Connection:
        """The read tables."""
        return self.up.library.db

    def wanted(self) -> list[Wanted]:
        """Give the roots of the configuration."""
        paths = self.disk.roots
        return [
            Wanted(paths["loras"], "model", "loras"),
            Wanted(paths["vae"], "model", "vae"),
            Wanted(paths["drop"], "pending"),
        ]

    def start(self, *, without: str | None = None) -> None:
        """Start the daemon, and let it come to where it serves."""
        self.tell("the daemon starts" + (f" without {without}" if without else ""))
        loop = VirtualLoop(self.dice, self.now, self.remember_disk)
        self.life = Life(self.data, self.disk, loop, lambda: self.asleep_s)
        self.blind = False
        wanted = [root for root in self.wanted() if without is None or root.path != self.disk.roots[without]]
        self.do(self.life.open(wanted), at_most_s=600.0)
        if self.life is not None:
            self._clear_up(self.life)

    def stop(self) -> None:
        """Stop the daemon in order."""
        if self.life is None:
            return
        self.tell("the daemon is stopped")
        self.do(self.life.close(), at_most_s=600.0)
        if self.life is not None:
            self._end()

    def kill(self, after_jobs: int = 0) -> None:
        """Kill the daemon, now or after some more of what it does."""
        if self.life is not None:
            self.tell(f"the daemon is killed after {after_jobs} more jobs")
            if after_jobs:
                self.life.loop.die_after(after_jobs)
            else:
                self._running(lambda loop: loop.die_now())

    def remember_disk(self) -> None:
        """Keep the data folder as it is at the moment of a death: what is done to clear up does not count."""
        shutil.copytree(self.data, f"{self.data}.then", symlinks=True)

    def _end(self) -> None:
        assert self.life is not None
        life, self.life = self.life, None
        self.now = life.loop.now + 1.0
        self._check_faults(life)
        life.bury()
        self.disk.watches.clear()
        self.disk.hints.clear()
        if life.loop.dead:
            self.crashes += 1
            shutil.rmtree(self.data)
            os.rename(f"{self.data}.then", self.data)
            for name in ("log.db-shm", "views.db-shm"):
                Path(self.data, name).unlink(missing_ok=True)

    def _check_faults(self, life: Life) -> None:
        faults = [*self._faults.take(), *life.loop.complaints]
        if faults:
            raise Divergence("fault", faults[0])

    # Time and hints

    def pass_time(self, seconds: float) -> None:
        """Let time pass."""
        if self.life is None:
            self.now += seconds
            return
        self._running(lambda loop: loop.run_for(seconds))

    def pass_jobs(self, jobs: int) -> None:
        """Let the daemon do a few things, and stand still in the midst of them."""
        if self.life is not None:
            self._running(lambda loop: loop.run_jobs(jobs, 3.0))

    def do(self, work: Coroutine[Any, Any, _Value], *, at_most_s: float = 60.0) -> _Value | None:
        """Let the daemon do something and give what came of it, None where it died meanwhile or is not done."""
        assert self.life is not None
        task = self.life.loop.create_task(work)
        self._running(lambda loop: loop.run_until(task, at_most_s))
        if task.done() and not task.cancelled():
            return task.result()
        return None

    def _running(self, run: Callable[[VirtualLoop], Any]) -> None:
        assert self.life is not None
        for name in self._unplugged:
            if self.disk.holds_models(name):
                self._unplugged[name] = None
        self.deliver()
        before = self.disk.inventory()
        run(self.life.loop)
        self._after_run(before)

    def _after_run(self, before: dict[str, tuple[int, int, int]]) -> None:
        assert self.life is not None
        after = self.disk.inventory()
        kept = set(after.values())
        for path, state in before.items():
            if state not in kept and not path.endswith(".json"):
                raise Divergence("lost", f"the daemon changed or removed the only name of {path}")
        if self.life.loop.dead:
            self._end()
        else:
            self._check_faults(self.life)
            self.disk.tell_echo(before, after)

    def deliver(self) -> None:
        """Let the hints that wait reach the daemon, as the weather is."""
        assert self.life is not None
        hints, self.disk.hints = self.disk.hints, []
        match self.weather:
            case "late":
                cut = self.dice.randrange(len(hints) + 1)
                hints, self.disk.hints = hints[:cut], hints[cut:]
            case "shuffled":
                self.dice.shuffle(hints)
            case "doubled":
                hints = [hint for hint in hints for _ in range(2)]
            case "lossy":
                kept = [hint for hint in hints if self.dice.randrange(3)]
                self.blind = self.blind or len(kept) < len(hints)
                hints = kept
            case "none":
                self.blind = self.blind or bool(hints)
                hints = []
            case _:
                pass
        for hint in hints:
            if self.weather == "scattered":
                self.life.loop.call_later(self.dice.uniform(0.0, 1.5), self.life.hint, hint)
            else:
                self.life.hint(hint)

    def overflow(self) -> None:
        """Let the queue of hints overflow: all that wait are dropped, and that is told."""
        if self.life is not None:
            self.tell("the queue overflows")
            self.disk.hints = [Hint("lost", shown) for shown in self.disk.watches]

    def _clear_up(self, life: Life) -> None:
        """After a start, find out whether what was under way when the last life ended has happened."""
        if self._unclear is None:
            return
        (head, kind, read), self._unclear = self._unclear, None
        events = [event for event in self.events(life, head) if event["actor"] == PERSON]
        what = read(events) if events else None
        if what is not None:
            self.deeds.append(Deed(events[-1]["position"], kind, what))

    def events(self, life: Life, after: int = 0) -> list[dict[str, Any]]:
        """Give what is in the log behind a position."""
        return life.library._read_log(after, 100_000)

    # Roots

    def unplug(self, name: str) -> None:
        """Take a root's folder away, and remember what the library knew to be there."""
        self._unplugged[name] = None if self.life is None else _Unplugged.of(self.life.library)
        self.disk.unplug(name)

    def plug_in(self, name: str) -> None:
        """Put a root's folder back; nothing in it may have been taken for lost meanwhile.

        Unless a model came to lie in another folder at its place: with the name of a known one that is a reason to
        believe that the other folder was meant.
        """
        then = self._unplugged.pop(name, None)
        if self.life is not None and then is not None:
            for path in then.lost(self.events(self.life, then.head), self.disk.roots[name]):
                self._must_not_lie_there(name, path)
        self.disk.plug_in(name)

    def _must_not_lie_there(self, name: str, path: str) -> None:
        parked = self.disk.parked[name] + path[len(self.disk.roots[name]) :]
        # Of a file with a second name elsewhere it is no news that it has gone there.
        if os.path.isfile(parked) and os.stat(parked).st_nlink == 1:
            raise Divergence("lost", f"{path!r} counts as lost, and its root was away")

    # What people do

    def deed(
        self,
        kind: str,
        work: Callable[[Life], Coroutine[Any, Any, _Value]],
        read: Callable[[list[dict[str, Any]]], dict[str, Any] | None],
        refusals: tuple[type[Exception], ...] = (),
    ) -> _Value | None:
        """Do what a person does; once it is acknowledged, or found in the log after a death, it must stay.

        `read` gives what to write down, from the events that it made.
        """
        life = self.up
        head = life.library.news.head
        self._unclear = head, kind, read
        try:
            value = self.do(work(life))
        except (Unwritable, *refusals) as error:
            self._unclear = None
            self.tell(f"  refused: {error}")
            return None
        if self.life is not life:
            return None  # it died: `_clear_up` finds out
        self._unclear = None
        events = [event for event in self.events(life, head) if event["actor"] == PERSON]
        what = read(events) if events else None
        if what is not None:
            self.deeds.append(Deed(events[-1]["position"], kind, what))
        return value

    def ask_import(self, number: int, wish: Wish, *, waits: bool) -> Ended | None:
        """Ask for an import, and wait for its end or not."""
        life = self.up
        work = life.importer.one(number, wish, actor=QUEUE, key=None, request=b"")
        if waits:
            return self.do(work, at_most_s=300.0)
        task = life.loop.create_task(work)
        task.add_done_callback(_heard)
        return None


def _heard(task: "asyncio.Future[Any]") -> None:
    """Nobody waits for the answer: what it was is found in the log."""
    if not task.cancelled():
        task.exception()


class _Faults(logging.Handler):
    """Keeps what the daemon logs as a fault of its own: something with a traceback."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self._kept: list[str] = []

    def listen(self) -> None:
        logger = logging.getLogger("hikaze")
        logger.addHandler(self)
        logger.propagate = False

    def end(self) -> None:
        logger = logging.getLogger("hikaze")
        logger.removeHandler(self)
        logger.propagate = True

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info:
            self._kept.append(self.format(record))

    def take(self) -> list[str]:
        kept, self._kept = self._kept, []
        return kept
