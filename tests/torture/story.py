"""One story of the truth test: a library, storms on its folders, a user, a daemon that is stopped and killed, and rest.

All of it follows from the seed, as far as processes that race can: the same seed gives the same plot, and each of
its processes makes the same choices from what it finds.
"""

import dataclasses
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path

from ..journeys.harness import Answer, Daemon
from . import contents, ledger, truth, user
from . import storm as storming
from .seen import code_of
from .truth import Apart
from .unreliable import Faults

TOP = Path(__file__).parents[2]
UNRELIABLE = Path(__file__).with_name("unreliable.py")
RIGHT_S = 90.0  # until the library must be right: a file that seemed stalled is looked at again within a minute
STILL_S = 3.0  # without a new event, after which hints that were lost will not come any more
START_S = 60.0
WRITING = frozenset({"append", "truncate", "overwrite", "write_slowly", "rewrite_keeping_time"})

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Plot:
    """What happens in a story; times are in seconds."""

    seed: int
    faults: Faults
    storms: int = 2
    rounds: int = 2
    storm_s: float = 8.0
    kills: bool = False
    stops: bool = False
    symlinks: bool = False
    hardlinks: bool = False
    root_moves: bool = False
    keeps_time: bool = False
    other_disk: bool = False
    deep: bool = False
    made_anew: bool = False
    most_files: int = 260
    pause: float = 0.02

    @property
    def unaided(self) -> bool:
        """Whether the library must get right without a scan: every change gave a hint, and no hint was lost.

        What happens at the far end of a link to a file gives none at the link.
        """
        return self.faults.drop == 0 and not self.symlinks


def plot_of(seed: int) -> Plot:
    """Give the plot that a seed stands for."""
    rng = random.Random(f"plot {seed}")  # noqa: S311 - dice, so that a story can be repeated
    drop = rng.choice((0.0, 0.0, 0.0, 0.1, 0.5, 1.0))
    late, kills = rng.choice((0.0, 0.0, 0.3)), rng.random() < 0.6
    root_moves, made_anew = rng.random() < 0.3, rng.random() < 0.2
    is_watched = drop == 0 and not (kills or root_moves or made_anew)
    faults = Faults(seed, drop, rng.choice((0.0, 0.3)), late, 1.5)
    plot = Plot(
        seed=seed,
        faults=faults,
        storms=rng.choice((1, 2, 3)),
        storm_s=12.0 if kills else 8.0,  # a start takes a second or two
        kills=kills,
        stops=rng.random() < 0.5,
        symlinks=rng.random() < 0.4,
        hardlinks=rng.random() < 0.5,
        root_moves=root_moves,
        made_anew=made_anew,
        keeps_time=is_watched and rng.random() < 0.7,
        other_disk=rng.random() < 0.4,
        deep=rng.random() < 0.15,
    )
    # A file that is written to keeping its time, and then moved, looks as before: only hints in their order tell.
    return dataclasses.replace(plot, faults=dataclasses.replace(faults, in_order=plot.keeps_time))


@dataclass
class Counts:
    """What came of some stories; the last three must be empty."""

    stories: int = 0
    rests: int = 0
    unaided: int = 0
    """Rests after which the library was right by itself."""
    operations: int = 0
    promises: int = 0
    crashes: int = 0
    lost: list[str] = field(default_factory=list[str])
    duplicates: list[str] = field(default_factory=list[str])
    divergences: list[str] = field(default_factory=list[str])

    def join(self, other: "Counts") -> None:
        """Add what came of others."""
        for one in dataclasses.fields(self):
            setattr(self, one.name, getattr(self, one.name) + getattr(other, one.name))

    @property
    def failed(self) -> bool:
        """Whether anything was wrong."""
        return bool(self.lost or self.duplicates or self.divergences)


class Story:
    """One story on its way; `run` tells it and gives what came of it."""

    def __init__(self, plot: Plot, folder: Path, tell: Tell = lambda _line: None) -> None:
        """Make its folders; `tell` gets a line now and then."""
        self.plot, self.folder, self.tell = plot, folder, tell
        self.rng = random.Random(f"story {plot.seed}")  # noqa: S311 - dice, so that a story can be repeated
        self.counts = Counts(stories=1)
        self.far = Path(tempfile.mkdtemp(prefix="hkt", dir="/dev/shm")) if _has_shm(plot) else None
        more = () if self.far is None else ("--models", f"loras={self.far}")
        program = (str(UNRELIABLE), json.dumps(dataclasses.asdict(plot.faults)))
        (folder / "d").mkdir(parents=True)
        self.daemon = Daemon(folder / "d", more=more, program=program)
        self.roots = [str(self.daemon.drop), *(str(path) for _, path in self.daemon.roots)]
        self.roots += [] if self.far is None else [str(self.far)]
        self.outside = folder / "outside"
        self.outside.mkdir()
        self.finished = contents.hashes()
        self.sacred: dict[Path, bytes] = {}
        self.asked = 0
        self.processes: list[subprocess.Popen[str]] = []

    @property
    def promised(self) -> Path:
        """The journal of the user."""
        return self.folder / "user.journal"

    def run(self) -> Counts:
        """Tell it to the end; nothing of it runs any more after that."""
        try:
            self.begin()
            for number in range(self.plot.rounds):
                self.storm(number)
                self.rest()
                if self.counts.failed:
                    break
            if not self.counts.failed:
                self.settle_up()
        except (AssertionError, OSError, HTTPException, sqlite3.Error) as error:
            self.counts.divergences.append(f"seed {self.plot.seed}: {error!r}\n{traceback.format_exc()}")
            self.tell(f"{self.plot}\nthe folder is {self.folder}")
        finally:
            self.end()
        return self.counts

    def begin(self) -> None:
        """Start the daemon."""
        self.daemon.start(scan=False)
        self._lay_sacred()

    def end(self) -> None:
        """End whatever runs."""
        for process in self.processes:
            if process.poll() is None:
                process.kill()
                process.wait()
        try:
            self.daemon.close()
        except AssertionError as error:
            self.counts.divergences.append(f"seed {self.plot.seed}: the daemon complained: {error}")
        if self.far is not None:
            shutil.rmtree(self.far, ignore_errors=True)

    def _lay_sacred(self) -> None:
        """Put files that nobody may touch into each model root; a drop folder is there to be emptied."""
        for number, root in enumerate(self.roots[1:]):
            if self.plot.made_anew and root == str(self.daemon.vae):
                continue
            path = Path(root) / contents.LOST / "kept.safetensors"
            path.parent.mkdir(parents=True)
            self.sacred[path] = contents.safetensors(100 + number, 700)
            path.write_bytes(self.sacred[path])

    # A storm

    def storm(self, number: int) -> None:
        """Let storms rage and the user work for a while, and trouble the daemon meanwhile."""
        storms = [self._begin_storm(number, one) for one in range(self.plot.storms)]
        settings = user.Settings(self.plot.seed, self.daemon.socket, str(self.promised), self.asked)
        using = self._begin("user", dataclasses.asdict(settings))
        until = time.monotonic() + self.plot.storm_s
        while time.monotonic() < until:
            self._trouble(until - time.monotonic())
        for process in storms:
            process.terminate()
        for process in storms:
            self.counts.operations += int(_told(process) or 0)
        using.terminate()
        _told(using)
        self.processes.clear()
        self.asked += 1_000

    def _begin_storm(self, number: int, one: int) -> "subprocess.Popen[str]":
        plot = self.plot
        settings = storming.Settings(
            seed=plot.seed * 100 + number * 10 + one,
            roots=self.roots,
            outside=str(self.outside),
            journal=str(self.folder / f"storm{number}{one}.journal"),
            pause=plot.pause,
            symlinks=plot.symlinks,
            hardlinks=plot.hardlinks,
            root_moves=plot.root_moves and one == 0,
            keeps_time=plot.keeps_time,
            deep=plot.deep,
            most_files=plot.most_files,
            made_anew=str(self.daemon.vae) if plot.made_anew and one == 0 else "",
        )
        return self._begin("storm", dataclasses.asdict(settings), f"storm{number}{one}")

    def _begin(self, module: str, settings: dict[str, object], name: str = "") -> "subprocess.Popen[str]":
        """Start a process, and wait until it is at work."""
        path = self.folder / f"{name or module}.json"
        path.write_text(json.dumps(settings))
        with open(self.folder / f"{name or module}.stderr", "ab") as stderr:
            process = subprocess.Popen(
                [sys.executable, "-m", f"{__package__}.{module}", str(path)],
                cwd=TOP,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
            )
        self.processes.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == storming.AT_WORK, f"{process.args} did not begin"
        return process

    def _trouble(self, left: float) -> None:
        """Do one thing to the daemon, or leave it alone for a while; ends with the daemon at work."""
        deeds: list[Callable[[], None]] = [lambda: None]
        deeds += [self._pause, self._pause] if self.plot.stops else []
        deeds += [self._kill, self._kill, self._kill_at_start, self._restart] if self.plot.kills else []
        time.sleep(min(left, self.rng.uniform(0.2, 5.0)))
        self.rng.choice(deeds)()

    def _pause(self) -> None:
        process = self.daemon.process
        assert process is not None
        process.send_signal(signal.SIGSTOP)
        time.sleep(self.rng.uniform(0.1, 2.0))
        process.send_signal(signal.SIGCONT)

    def _kill(self) -> None:
        self.daemon.kill()
        self.counts.crashes += 1
        time.sleep(self.rng.choice((0.0, 0.0, 0.5, 2.0)))
        self._start()

    def _kill_at_start(self) -> None:
        self._kill()
        self.daemon.kill()
        self.daemon.start(wait=False)
        time.sleep(self.rng.uniform(0.0, 1.0))
        self.daemon.kill()
        self.counts.crashes += 2
        self._start()

    def _restart(self) -> None:
        assert self.daemon.stop(30) == 0, self.daemon.stderr()[-2000:]
        time.sleep(self.rng.choice((0.0, 1.0)))
        self._start()

    def _start(self) -> None:
        self.daemon.start(wait=False)
        self.daemon.wait_ready()

    # At rest

    def rest(self) -> None:
        """Wait until all is quiet, and hold the tables against the disk."""
        self.counts.rests += 1
        apart = self._until_right(RIGHT_S if self.plot.unaided else 0.0)
        if not apart:
            self.counts.unaided += 1
        elif self.plot.unaided:
            self._blame("it did not get right by itself", apart)
        else:
            self.daemon.post("/api/scan")
            apart = self._until_right(RIGHT_S)
            if apart:
                self._blame("it was not right after a scan", apart)
        for path, content in self.sacred.items():
            if not path.exists() or path.read_bytes() != content:
                self.counts.divergences.append(f"seed {self.plot.seed}: {path} was touched")

    def _until_right(self, seconds: float) -> Apart:
        """Wait until tables and disk agree and stay so; gives what is apart after `seconds` and some quiet."""
        until, still = time.monotonic() + seconds, (-1, time.monotonic())
        agreed = False
        while True:
            status = self.status()
            if status["position"] != still[0] or status["imports"]["queued"] + status["imports"]["running"]:
                still = status["position"], time.monotonic()
            apart = self.compare(status)
            now = time.monotonic()
            if not apart and agreed and now - still[1] > STILL_S / 3:
                return apart
            if apart and now > until and now - still[1] > STILL_S:
                return apart
            agreed = not apart
            time.sleep(0.3)

    def status(self) -> ledger.Json:
        """Give what the daemon tells of itself."""
        return self.daemon.wait_for(lambda: self.daemon.get("/api/status"), START_S, "the status is told")

    def compare(self, status: ledger.Json) -> Apart:
        """Hold the tables against the disk as both are now."""
        disk = truth.walk(self.roots, self.finished)
        told = truth.tables(self.daemon.data)
        apart = truth.compare(disk, told, truth.waiting_of(status))
        if not self.plot.made_anew:  # a root that was made anew while nobody looked may be another folder
            apart.divergences += [(path, "is here, and counts as away") for path, away in told.roots.values() if away]
        return apart

    def _blame(self, what: str, apart: Apart) -> None:
        for found, into in ((apart.divergences, self.counts.divergences), (apart.duplicates, self.counts.duplicates)):
            into += [f"seed {self.plot.seed}: {what}: {path!r} {why}" for path, why in found]
        for path, _ in [*apart.divergences, *apart.duplicates][:3]:
            self.tell(self.about(path))
        self.tell(f"{self.plot}\nthe folder is {self.folder}; the daemon's last words:\n{self.daemon.stderr()[-1500:]}")

    def about(self, path: str) -> str:
        """Give what was done lately to a path or the folders above it, by the storms and in the log."""
        journals = sorted(self.folder.glob("storm*.journal"))
        lines = [line for line in storming.journal_lines(journals) if _concerns(line, path)]
        name = os.path.basename(path)
        events = [json.dumps(event) for event in self.daemon.events()]
        told = [line[:600] for line in events if json.dumps(name)[1:-1] in line]
        return "\n".join((f"--- {path!r}", *lines[-12:], "in the log:", *told[-8:]))

    def _was_written_to(self, path: str) -> bool:
        """Tell whether a storm wrote to the file at a path: it may have had it open when it was moved away."""
        journals = sorted(self.folder.glob("storm*.journal"))
        return any(repr(path) in line and line.split(" ")[2] in WRITING for line in storming.journal_lines(journals))

    # The end of it

    def settle_up(self) -> None:
        """Hold what was promised against the library, and have the library look itself over."""
        where = f"seed {self.plot.seed}: "
        changes, events = ledger.asked(self.promised), self.daemon.events()
        story = ledger.told(events)
        book = ledger.Ledger(
            changes, events, story, truth.tables(self.daemon.data), self._picture_of, self._picture_of_pending
        )
        self.counts.promises += sum(change.promised for change in changes)
        self.counts.lost += [where + line for line in book.lost()]
        self.counts.divergences += [where + line for line in book.apart()]
        self.counts.duplicates += [where + line for line in story.duplicates]
        if not self.plot.root_moves and not self.plot.made_anew:
            self.counts.lost += [where + line for line in _gone_from_trash(events, self._was_written_to)]
        self._check(where)

    def _check(self, where: str) -> None:
        command = [sys.executable, "-m", "hikaze.daemon", "check", "--data", str(self.daemon.data), "--json"]
        done = subprocess.run(command, env=self.daemon.env(), capture_output=True, text=True, check=False)
        if done.returncode != 0:
            self.counts.divergences.append(f"{where}`hikazed check` says {done.stdout[:2000]} {done.stderr[:2000]}")

    def _picture_of(self, sha256: str, seq: int) -> int | None:
        return _shown(self.daemon.ask("GET", f"/api/images/{sha256}_{seq}.webp?quality=high"))

    def _picture_of_pending(self, number: int) -> int | None:
        return _shown(self.daemon.ask("GET", f"/api/images/pending/{number}"))


def tell(plot: Plot, folder: Path, say: Tell = lambda _line: None) -> Counts:
    """Tell a story in a new folder; the folder stays where something was wrong."""
    where = folder / f"seed{plot.seed}"
    shutil.rmtree(where, ignore_errors=True)
    counts = Story(plot, where, say).run()
    if not counts.failed:
        shutil.rmtree(where, ignore_errors=True)
    return counts


def _has_shm(plot: Plot) -> bool:
    there = Path("/dev/shm")  # noqa: S108 - the one other file system that most machines have
    return plot.other_disk and there.is_dir() and there.stat().st_dev != Path(tempfile.gettempdir()).stat().st_dev


def _told(process: "subprocess.Popen[str]") -> str:
    try:
        told, _ = process.communicate(timeout=60)
    except subprocess.TimeoutExpired:
        process.kill()
        raise AssertionError(f"{process.args} did not end") from None
    assert process.returncode == 0, f"{process.args} ended with {process.returncode}"
    return told.strip()


def _concerns(line: str, path: str) -> bool:
    """Tell whether a line of a storm's journal is about a path or a folder above it."""
    while path.count(os.sep) > 3:
        if repr(path) in line:
            return True
        path = os.path.dirname(path)
    return False


def _shown(answer: Answer) -> int | None:
    return code_of(answer.body) if answer.status == 200 else None


def _gone_from_trash(events: Sequence[ledger.Json], was_written_to: Callable[[str], bool]) -> list[str]:
    """Give the trashed files that are not in the trash, or not whole; a program that has one open goes on writing."""
    entries = {event["data"]["trash"]: event["data"] for event in events if event["type"] == "file-trashed"}
    gone: list[str] = []
    for entry, data in entries.items():
        kept = [path for path in Path(truth.to_path(entry)).glob("*") if path.name != "record.json"]
        # Of a link it is the link that goes to the trash, and the size is that of the file it led to.
        sizes = [data["size"] if path.is_symlink() else path.stat().st_size for path in kept]
        if not sizes or (data["size"] not in sizes and not was_written_to(truth.to_path(data["path"]))):
            gone.append(f"{data['path']!r} of {data['size']} bytes went to the trash as {entry!r}, where is {sizes}")
    return gone
