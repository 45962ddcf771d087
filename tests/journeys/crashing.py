"""The daemon, but killed at a named moment of an import: `crashing.py MOMENT` and the flags of `hikazed run`.

Moments are `before STEP`, `after STEP`, and some in the midst of a step (`MIDST`). It dies only once there is a
file `doom` in the working folder, so that a journey can set its scene first; where that file says `full`, the
disk is full at that moment instead.
"""

import dataclasses
import errno
import os
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Any

from hikaze.daemon.__main__ import parser
from hikaze.daemon.app import run
from hikaze.daemon.config import load
from hikaze.daemon.imagestore import ImageStore
from hikaze.daemon.ingest import STEPS, Job, Step, Tools

MIDST = {
    "copying": "the source is being copied to another disk",
    "promoted": "the picture is in its place, and the log does not know it",
    "written": "the log knows all, and the picture is not settled",
    "removed": "the source of a copy is gone, and the original picture is still there",
}
MOMENTS = (*(f"before {step.__name__}" for step in STEPS), *MIDST, f"after {STEPS[-1].__name__}")
"""Those worth trying: after a step is before the next one."""
FULL = ("promoted", "removed", *(f"before {name}" for name in ("make_pictures", "place_file", "complete", "tidy")))
"""Those at which a full disk is worth trying."""

DOOM = "doom"

Die = Callable[[str], None]


def dying_at(moment: str) -> Die:
    """Give a function that ends this process, as `kill -9` does, when it is told of `moment`."""

    def die(now: str) -> None:
        if now != moment or not os.path.exists(DOOM):
            return
        with open(DOOM, encoding="ascii") as doom:
            if doom.read() == "full":
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.kill(os.getpid(), signal.SIGKILL)

    return die


class Behind:
    """Something with a few of its parts exchanged."""

    def __init__(self, real: Any, **exchanged: Any) -> None:
        """Stand before `real`."""
        self._real, self._exchanged = real, exchanged

    def __getattr__(self, name: str) -> Any:
        """Give what was exchanged, else what is there."""
        return self._exchanged[name] if name in self._exchanged else getattr(self._real, name)


class Store(ImageStore):
    """A picture store in which one may die."""

    def __init__(self, data: str, die: Die) -> None:
        """Keep pictures in a data folder."""
        super().__init__(data)
        self._die = die

    def promote(self, token: str, sha256: str, seq: int) -> None:
        """Put tiers into their places."""
        super().promote(token, sha256, seq)
        self._die("promoted")

    def settle(self, sha256: str, seq: int) -> None:
        """Let them stay."""
        self._die("written")
        super().settle(sha256, seq)

    def drop_pending(self, pending: int, *, but: str | None = None) -> None:
        """Remove a pending model's originals."""
        self._die("removed")
        super().drop_pending(pending, but=but)


def with_deaths(tools: Tools, die: Die) -> Tools:
    """Give the tools of an import with the moments in the midst of steps."""

    def progress(task: str, **what: Any) -> None:
        die(str(what.get("what")))
        tools.library.news.progress(task, **what)

    library: Any = Behind(tools.library, news=Behind(tools.library.news, progress=progress))
    return dataclasses.replace(tools, library=library, store=Store(tools.data, die))


def mortal(step: Step, die: Die) -> Step:
    """Give a step that may be the last."""

    async def step_(tools: Tools, job: Job) -> None:
        die(f"before {step.__name__}")
        await step(with_deaths(tools, die), job)
        die(f"after {step.__name__}")

    return step_


def main(argv: Sequence[str]) -> int:
    """Run the daemon until its moment."""
    die = dying_at(argv[0])
    config = load(vars(parser().parse_args(["run", *argv[1:]])), os.environ)
    return run(config, steps=[mortal(step, die) for step in STEPS])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
