"""Killed at any call that changes a disk, or refused it, an upload loses nothing that was answered, and ends whole."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ..daemon.uploadfolder import NAME, Sender, drop_folder
from ..machine import needs_strace
from .one_upload import DATA

CALLS = ("openat", "write", "ftruncate", "fsync", "rename", "renameat2", "unlink")
FAULTS = ("signal=KILL", "error=EIO", "error=ENOSPC")
NEEDS_NO_ROOM = ("openat", "unlink")
MOST = 40  # calls of one name that one upload makes, at most

pytestmark = [needs_strace, pytest.mark.slow, pytest.mark.timeout(300)]


@dataclass
class Story:
    """What an upload answered before it ended, and whether it was killed or refused something."""

    answers: list[str] = field(default_factory=list[str])
    reached: bool = False

    @property
    def answered(self) -> int:
        """How many bytes it had said were here."""
        if self.answers and self.answers[-1].startswith("done"):
            return len(DATA)
        return int(self.answers[-1]) if self.answers else 0


class Teller:
    """The program that uploads, time and again."""

    def __init__(self) -> None:
        """Start it."""
        program = [sys.executable, "-m", "tests.torture.one_upload"]
        top, pipe = Path(__file__).parents[2], subprocess.PIPE
        self._program = subprocess.Popen(program, cwd=top, stdin=pipe, stdout=pipe, text=True)

    def tell(self, folder: Path, call: str, fault: str, number: int) -> Story:
        """Upload into a folder, and let the disk work's `number`-th call of a name be the last, or fail."""
        self._say(str(folder))
        log = folder.with_suffix(".strace")
        how = ["-o", str(log), "-e", f"trace={call}", "-e", f"inject={call}:{fault}:when={number}"]
        with subprocess.Popen(["strace", *how, "-p", self._hear()], stderr=subprocess.PIPE, text=True) as strace:
            assert strace.stderr is not None
            assert strace.stderr.readline().rstrip().endswith("attached")
            self._say("go on")
            story = Story()
            while (said := self._hear()) != "ended":
                story.answers.append(said)
        text = log.read_text(errors="replace")
        story.reached = "INJECTED" in text or "killed by" in text
        return story

    def close(self) -> None:
        """End it."""
        self._program.communicate(timeout=20)

    def _say(self, line: str) -> None:
        assert self._program.stdin is not None
        self._program.stdin.write(line + "\n")
        self._program.stdin.flush()

    def _hear(self) -> str:
        assert self._program.stdout is not None
        line = self._program.stdout.readline()
        assert line.endswith("\n")
        return line.rstrip("\n")


@pytest.fixture(scope="module")
def teller() -> Iterator[Teller]:
    """Give a program that uploads."""
    made = Teller()
    yield made
    made.close()


@pytest.mark.parametrize(
    ("call", "fault"),
    [(call, fault) for call in CALLS for fault in FAULTS if fault != "error=ENOSPC" or call not in NEEDS_NO_ROOM],
)
def test_killed_at_every_call(teller: Teller, tmp_path: Path, call: str, fault: str) -> None:
    """Wherever it ends what was answered is here, and the next start and the rest of the bytes make the file once."""
    for number in range(1, MOST):
        folder = tmp_path / f"{number}"
        folder.mkdir()
        story = teller.tell(folder, call, fault, number)
        if not story.reached:
            assert number > 1
            return
        if fault != "signal=KILL":
            assert story.answers[-1].startswith("done"), (number, story)
        asyncio.run(_ends_well(folder, story.answered))
    raise AssertionError("an upload makes more calls than were thought of")


async def _ends_well(folder: Path, answered: int) -> None:
    sender = Sender(drop_folder(folder))
    await sender.uploads.sweep()
    if not (folder / NAME).exists():
        here = (await sender.send(size=len(DATA))).offset
        assert answered <= here < len(DATA)
        assert (await sender.send([DATA[here:]], here, size=len(DATA))).done
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {NAME: DATA}
