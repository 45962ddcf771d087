"""Kills an import at every call that changes a disk, or has that call fail, and looks at what comes of it.

strace does the killing: `inject=CALL:signal=KILL:when=N` ends the process when one thread is about to make its
N-th such call (strace 6.1: the call is not made any more). What a process leaves behind after a call is what it
leaves before the next one, so these are all the states that a kill can leave. `error=...` lets the call fail.
"""

import contextlib
import json
import os
import queue
import re
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from .aftermath import contents
from .scenes import SCENES, Scene

AT_ONCE = 2  # stories told side by side
PATIENCE_S = 90.0  # after that a story that says nothing is ended, and fails
EXAMPLES = 20  # failures that are kept word for word

OPENS = ("open", "openat", "creat")
WRITES = ("write", "pwrite64", "pwritev", "pwritev2", "ftruncate", "fallocate", "copy_file_range", "sendfile")
SYNCS = ("fsync", "fdatasync", "sync_file_range")
NAMES = ("rename", "renameat", "renameat2", "link", "linkat", "mkdir", "mkdirat")
REMOVALS = ("unlink", "unlinkat", "rmdir")
CALLS = (*OPENS, *WRITES, *SYNCS, *NAMES, *REMOVALS)

_TOP = Path(__file__).parents[2]
_CALL = re.compile(r"(\d+) +([a-z0-9_]+)\((.*)")


@dataclass(frozen=True, slots=True)
class Call:
    """The `number`-th call of its name in a thread, as strace counts; `text` is how it looked when it was recorded."""

    thread: str
    name: str
    number: int
    text: str


@dataclass(frozen=True, slots=True)
class Story:
    """A scene in which a call is where the process is killed ("KILL"), or which fails with an error ("EIO").

    With `again`, the start that follows is killed as well.
    """

    scene: str
    fault: str
    call: Call
    again: Call | None = None

    def __str__(self) -> str:
        """Name the story so that one can look for it."""
        then = "" if self.again is None else f", then at {_shown(self.again)}"
        return f"{self.scene}: {self.fault} at {_shown(self.call)}{then}"


@dataclass(slots=True)
class Counts:
    """What came of stories. `lost` is what had been acknowledged and was not there any more."""

    stories: int = 0
    operations: int = 0
    crashes: int = 0
    lost: int = 0
    duplicates: int = 0
    divergences: int = 0
    failures: list[str] = field(default_factory=list[str])

    def add(self, told: "Told") -> None:
        """Count a story in."""
        self.stories += 1
        self.operations += told.acts
        self.crashes += told.deaths
        self.lost += bool(told.lost)
        self.duplicates += bool(told.duplicates)
        self.divergences += bool(told.divergences)
        wrong = [*told.lost, *told.duplicates, *told.divergences]
        if wrong and len(self.failures) < EXAMPLES:
            self.failures.append(f"{told.story}\n    " + "\n    ".join(wrong))


@dataclass(slots=True)
class Told:
    """What one story came to: how often it died, and what is wrong with how it ended."""

    story: Story
    acts: int = 1
    deaths: int = 0
    lost: list[str] = field(default_factory=list[str])
    duplicates: list[str] = field(default_factory=list[str])
    divergences: list[str] = field(default_factory=list[str])


Progress = Callable[[int, int, Counts], None]
"""Called with (stories told, stories there are, what came of them)."""


def run_all(progress: Progress = lambda _done, _all, _counts: None, budget: int | None = None) -> Counts:
    """Tell the stories of every scene, all of them or `budget` of them, spread evenly; gives what came of them."""
    with Stage() as stage:
        told = spread(stories(stage), budget)
        counts = Counts()
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for done, one in enumerate(pool.map(stage.tell, told), 1):
                counts.add(one)
                progress(done, len(told), counts)
    return counts


def stories(stage: "Stage", scenes: Sequence[str] = tuple(SCENES)) -> list[Story]:
    """Give every story of some scenes: each is lived through once, to see which calls it makes."""
    found: list[Story] = []
    for name in scenes:
        if SCENES[name].elsewhere and stage.other is None:
            continue
        calls = stage.record(name)
        found += [Story(name, fault, call) for call in calls for fault in _faults(SCENES[name], call)]
        midst = Story(name, "KILL", calls[len(calls) * 2 // 3])
        found += [replace(midst, again=call) for call in stage.record_start_after(midst)]
    return found


def spread(told: Sequence[Story], budget: int | None) -> list[Story]:
    """Choose `budget` of the stories, evenly over all of them and always the same."""
    if budget is None or budget >= len(told):
        return list(told)
    return [told[number * len(told) // budget] for number in range(budget)]


def _faults(scene: Scene, call: Call) -> list[str]:
    """Give what can go wrong with a call: a disk may be full, or broken, wherever it is written to.

    A source that cannot be removed after it was copied stays, and is found again: no story ends as it should by that.
    """
    if scene.elsewhere and call.name in REMOVALS and call.text.startswith('"drop/'):
        return ["KILL"]
    if call.name in REMOVALS or (call.name in OPENS and "O_CREAT" not in call.text and call.name != "creat"):
        return ["KILL", "EIO"]
    return ["KILL", "EIO", "ENOSPC"]


def _shown(call: Call) -> str:
    return f"{call.name} {call.number} in {call.thread} ({call.text[:110]})"


# The stage --------------------------------------------------------------------------------------------


class Stage:
    """Where stories are told: two programs that live through them, folders on two disks, and how each should end."""

    def __init__(self) -> None:
        """Take nothing yet; it is a context manager."""
        self._stack = contextlib.ExitStack()
        self._tellers: queue.SimpleQueue[Teller] = queue.SimpleQueue()
        self._endings: dict[str, Any] = {}
        self.other: Path | None = None

    def __enter__(self) -> "Stage":
        """Start the programs."""
        with self._stack:
            self._disk = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="hk-")))
            shm = Path("/dev/shm")  # noqa: S108 - the one other file system that most machines have
            self._fast = self._disk
            if shm.is_dir() and shm.stat().st_dev != self._disk.stat().st_dev:
                self._fast = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="hk-", dir=shm)))
                self.other = self._disk
            for _ in range(AT_ONCE):
                self._tellers.put(self._stack.enter_context(Teller()))
            self._stack = self._stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        """End them, and remove the folders."""
        self._stack.close()

    # Recording

    def record(self, scene: str) -> list[Call]:
        """Live through a scene undisturbed: give the calls at which it may die. What it leads to is remembered."""
        with self._scene(scene) as here:
            told, calls = here.watched("act", answered=False)
            assert any(one["said"] == "answered" for one in told), (told, here.errors())
            after = here.live("look after", answered=True)
            faults = [one["what"] for one in after if one["said"] == "fault"]
            assert not faults, (scene, faults)
            self._endings[scene] = _ending(after)
            return [call for call in calls if call.thread in here.scene.threads]

    def expect(self, scene: str, ending: dict[str, Any]) -> None:
        """Have the stories of a scene judged by another ending: to see the judge at work."""
        self._endings[scene] = self._endings[scene] | ending

    def record_start_after(self, story: Story) -> list[Call]:
        """Live through a death: give the calls of the start that follows, at which it may die again."""
        with self._scene(story.scene) as here:
            here.live("act", story=story)
            _, calls = here.watched("look after", answered=False)
            return calls

    @contextlib.contextmanager
    def _scene(self, scene: str) -> Generator["_Here"]:
        teller = self._tellers.get()
        try:
            with contextlib.ExitStack() as stack:
                top, other = (
                    Path(stack.enter_context(tempfile.TemporaryDirectory(dir=place)))
                    for place in (self._fast, self._disk)
                )
                yield _Here(teller, scene, SCENES[scene], top, other)
        finally:
            self._tellers.put(teller)

    # Telling

    def tell(self, story: Story) -> Told:
        """Tell a story, and see how it ends."""
        came = Told(story)
        with self._scene(story.scene) as here:
            before = here.live("act", story=story)
            came.deaths += before[-1]["code"] == -9
            came.lost += [f"gone after the death: {what}" for what in here.gone(self._endings[story.scene]["files"])]
            answered = [one["position"] for one in before if one["said"] in ("prepared", "answered")]
            is_done = any(one["said"] == "answered" for one in before)
            came.divergences += [f"unclear: {one['why']}" for one in before if _is_unclear(one)]
            if story.fault == "KILL" and before[-1]["code"] not in (0, -9):
                came.divergences.append(here.errors())
            if story.again is not None:
                second = here.live("look after", answered=is_done, story=story, again=True)
                came.deaths += second[-1]["code"] == -9
            after = here.live("look after", answered=is_done)
            self._judge(came, after, max(answered), here.errors())
        return came

    def _judge(self, came: Told, after: list[dict[str, Any]], position: int, errors: str) -> None:
        opened = next((one["position"] for one in after if one["said"] == "opened"), -1)
        if opened < position:
            came.lost.append(f"the log had {position} events that were acknowledged, and has {opened}")
        for one in after:
            if one["said"] == "fault":
                (came.lost if "answered" in one["what"] else came.divergences).append(one["what"])
        ending, wanted = _ending(after), self._endings[came.story.scene]
        for part in wanted:
            if ending.get(part) != wanted[part]:
                found = came.duplicates if part == "facts" and _twice(ending, wanted) else came.divergences
                found.append(f"{part}: {ending.get(part)} instead of {wanted[part]}")
        if not ending:
            came.divergences.append(errors)


def _ending(after: list[dict[str, Any]]) -> dict[str, Any]:
    return next((one["state"] for one in after if one["said"] == "ends"), {})


def _twice(ending: dict[str, Any], wanted: dict[str, Any]) -> bool:
    """Tell whether something was told to the log more often than it happened."""
    return any(count > wanted["facts"].get(kind, 0) for kind, count in ending.get("facts", {}).items())


def _is_unclear(one: dict[str, Any]) -> bool:
    """Tell whether a refusal says nothing that a person could act on."""
    return one["said"] == "refused" and (len(one["why"]) < 20 or "error in Hikaze itself" in one["why"])


@dataclass(frozen=True, slots=True)
class _Here:
    """One library, and the program that lives in it."""

    teller: "Teller"
    name: str
    scene: Scene
    top: Path
    other: Path

    def live(
        self, what: str, *, answered: bool = False, story: Story | None = None, again: bool = False
    ) -> list[dict[str, Any]]:
        """Let the program do its part, with what the story has in store for it; gives what it said."""
        call = None if story is None else story.again if again else story.call
        if story is None or call is None:
            return self.teller.live(self._ask(what, answered, dies=False, retries=False), None)
        fault = "signal=KILL" if story.fault == "KILL" or again else f"error={story.fault}"
        injected = [f"inject={spec}" for spec in self.scene.refused if what == "act"]
        injected.append(f"inject={call.name}:{fault}:when={call.number}")
        ask = self._ask(what, answered, dies=True, retries=story.fault != "KILL")
        return self.teller.live(ask, lambda threads: _strace([threads[call.thread]], injected, os.devnull))

    def watched(self, what: str, *, answered: bool) -> tuple[list[dict[str, Any]], list[Call]]:
        """Let the program do its part undisturbed; gives what it said, and the calls it made in our folders."""
        with tempfile.NamedTemporaryFile(prefix="hk-strace-") as file:
            seen: dict[str, str] = {}

            def watch(threads: dict[str, int]) -> "subprocess.Popen[str]":
                seen.update({str(number): name for name, number in threads.items()})
                refused = [f"inject={spec}" for spec in self.scene.refused]
                return _strace(list(threads.values()), refused, file.name)

            told = self.teller.live(self._ask(what, answered, dies=True, retries=False), watch)
            lines = Path(file.name).read_text(encoding="utf-8", errors="replace").splitlines()
        return told, list(self._calls(lines, seen))

    def _calls(self, lines: list[str], threads: dict[str, str]) -> Iterator[Call]:
        counts: dict[tuple[str, str], int] = {}
        refused = {name.lstrip("?") for spec in self.scene.refused for name in spec.partition(":")[0].split(",")}
        for line in lines:
            match = _CALL.match(line)
            if match is None or match[1] not in threads:
                continue  # the end of a call that another thread's came between
            thread, name, text = threads[match[1]], match[2], match[3]
            number = counts[thread, name] = counts.get((thread, name), 0) + 1
            if name not in refused and any(str(folder) in text for folder in (self.top, self.other)):
                yield Call(thread, name, number, self._shortened(text))

    def _shortened(self, text: str) -> str:
        return text.replace(f"{self.top}/", "").replace(f"{self.other}/", "other:")

    def _ask(self, what: str, answered: bool, *, dies: bool, retries: bool) -> dict[str, Any]:
        return {
            "do": what,
            "scene": self.name,
            "top": str(self.top),
            "other": str(self.other),
            "errors": str(self.top / "errors"),
            "answered": answered,
            "dies": dies,
            "retries": retries,
        }

    def errors(self) -> str:
        """Give what the program had to say on its standard error."""
        return (self.top / "errors").read_text(encoding="utf-8", errors="replace")[-3000:]

    def gone(self, wanted: dict[str, str]) -> list[str]:
        """Give what should be there in the end and of which no whole copy is anywhere."""
        loras = (self.other if self.scene.elsewhere else self.top) / "loras"
        there = set(contents(self.top, loras).values())
        return [path for path, sha256 in wanted.items() if sha256 and sha256 not in there]


def _strace(threads: list[int], expressions: list[str], output: str) -> "subprocess.Popen[str]":
    """Attach strace to threads, and wait until it is."""
    calls = ",".join(f"?{name}" for name in CALLS)
    how = ["-y", "-s", "64", "-o", output, "-e", f"trace={calls}"]
    how += [part for expression in expressions for part in ("-e", expression)]
    how += [part for number in threads for part in ("-p", str(number))]
    strace = subprocess.Popen(["strace", *how], stderr=subprocess.PIPE, text=True)
    assert strace.stderr is not None
    for _ in threads:
        said = strace.stderr.readline()
        assert said.rstrip().endswith("attached"), said
    return strace


class Teller:
    """The program of `one_import`, which lives through one part of a story after the other."""

    def __enter__(self) -> "Teller":
        """Start it."""
        self._program = subprocess.Popen(
            [sys.executable, "-m", "tests.torture.one_import"],
            cwd=_TOP,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        assert self._program.stdin is not None
        assert self._program.stdout is not None
        self._program.stdin.close()
        self._program.wait(PATIENCE_S)
        self._program.stdout.close()

    def live(
        self, ask: dict[str, Any], attach: Callable[[dict[str, int]], "subprocess.Popen[str]"] | None
    ) -> list[dict[str, Any]]:
        """Let it live through a part; `attach` puts strace to the threads it names. Gives all that it said."""
        impatience = threading.Timer(PATIENCE_S, os.killpg, (self._program.pid, signal.SIGKILL))
        impatience.start()
        try:
            return self._live(ask, attach)
        finally:
            impatience.cancel()

    def _live(
        self, ask: dict[str, Any], attach: Callable[[dict[str, int]], "subprocess.Popen[str]"] | None
    ) -> list[dict[str, Any]]:
        self._say(ask)
        told: list[dict[str, Any]] = []
        strace = None
        while not told or told[-1]["said"] != "ended":
            told.append(self._hear())
            if told[-1]["said"] == "ready":
                strace = None if attach is None else attach(told[-1]["threads"])
                self._say("go")
        if strace is not None:
            strace.communicate(timeout=PATIENCE_S)
        return told

    def _say(self, what: Any) -> None:
        assert self._program.stdin is not None
        self._program.stdin.write(json.dumps(what) + "\n")
        self._program.stdin.flush()

    def _hear(self) -> dict[str, Any]:
        assert self._program.stdout is not None
        line = self._program.stdout.readline()
        assert line, "the program of one_import has ended"
        return json.loads(line)
