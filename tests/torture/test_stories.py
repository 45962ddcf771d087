"""Short stories in a simulated world: whatever happens, in the end the library says what is true, and has lost nothing.

`python -m tests.torture.test_stories SEED` tells one story again, and looks for the shortest one that ends as badly;
`--stories N` or `--seconds S` tells many, from the story SEED on.
"""

import argparse
import contextlib
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from .chance import Numbers
from .plot import HAPPENINGS, come_to_rest
from .simulation import Divergence, World

REPOSITORY = Path(__file__).parents[2]
LENGTH = (10, 50)
NUMBERS = 8
OPENING = 32
SHM = "/dev/shm"  # noqa: S108 - the fastest place for small files; where it is not there, the system's own
COUNTED = {"lost": "lost", "duplicate": "duplicates", "divergence": "divergences", "fault": "divergences"}

Story = list[tuple[str, tuple[int, ...]]]
"""Names of what happens, each with the numbers that choose."""


# Telling ----------------------------------------------------------------------------------------------


def story_of(seed: int) -> Story:
    """Give the story of a seed."""
    dice = random.Random(seed)  # noqa: S311
    names, weights = list(HAPPENINGS), [weight for weight, _ in HAPPENINGS.values()]
    opening = ("open_story", tuple(dice.randrange(256) for _ in range(OPENING)))
    return [opening] + [
        (name, tuple(dice.randrange(256) for _ in range(NUMBERS)))
        for name in dice.choices(names, weights, k=dice.randint(*LENGTH))
    ]


@contextlib.contextmanager
def world_of(seed: int) -> Iterator[World]:
    """Give an empty world in a folder of its own; what goes wrong in it is raised with what was told until then."""
    where = SHM if os.path.isdir(SHM) else None
    with tempfile.TemporaryDirectory(prefix="hk-story-", dir=where) as folder, World(Path(folder), seed) as world:
        try:
            yield world
        except Exception as error:
            error.add_note("\n".join(world.told))
            raise


def tell(story: Story, seed: int, counts: Counter[str]) -> None:
    """Tell a story to its end. Raises what went wrong."""
    counts["stories"] += 1
    with world_of(seed) as world:
        try:
            for name, numbers in story:
                HAPPENINGS[name][1](world, Numbers(numbers))
                counts["operations"] += 1
            come_to_rest(world)
        finally:
            counts["crashes"] += world.crashes


def tell_many(
    seed: int, *, stories: int | None = None, seconds: float | None = None, progress: Callable[[str], None] = print
) -> Counter[str]:
    """Tell story after story from one seed on, so many or so long; `progress` hears how each bad one ends."""
    counts: Counter[str] = Counter(dict.fromkeys(("stories", "operations", "crashes", *COUNTED.values()), 0))
    until = None if seconds is None else time.monotonic() + seconds
    while counts["stories"] != stories and (until is None or time.monotonic() < until):
        now = seed + counts["stories"]
        try:
            tell(story_of(now), now, counts)
        except Exception as error:  # noqa: BLE001 - whatever a story brings to light is counted, and named by its seed
            counts[COUNTED[error.kind] if isinstance(error, Divergence) else "divergences"] += 1
            progress(f"story {now} ends badly: {error!r}; again by: python -m tests.torture.test_stories {now}")
    return counts


def run(
    *,
    seed: int = 1,
    stories: int | None = None,
    seconds: float | None = None,
    progress: Callable[[str], None] = print,
) -> dict[str, int]:
    """Tell many stories in a process of their own, in which the order of sets is always the same.

    Gives how many stories, operations and crashes there were, and what was lost, stood twice, or was not true.
    """
    limit = ["--stories", str(stories)] if stories is not None else ["--seconds", str(seconds or 60)]
    command = [sys.executable, "-W", "error", "-m", "tests.torture.test_stories", str(seed), *limit]
    with subprocess.Popen(command, cwd=REPOSITORY, env=_same_order(), stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        last = ""
        for line in child.stdout:
            if last:
                progress(last)
            last = line.rstrip("\n")
    if child.returncode not in (0, 1):
        raise RuntimeError(f"the stories broke off with exit code {child.returncode}: {last}")
    return json.loads(last)


def _same_order() -> dict[str, str]:
    return os.environ | {"PYTHONHASHSEED": "0"}


# Shortening -------------------------------------------------------------------------------------------

_VARYING = re.compile(r"'[^']*'|\b[0-9a-f]{8}\b|[0-9]+")


def how_it_ends(story: Story, seed: int) -> str | None:
    """Tell how a story ends badly, in words that do not depend on its names; None if it ends well."""
    try:
        tell(story, seed, Counter())
    except Exception as error:  # noqa: BLE001 - as in `tell_many`
        return f"{type(error).__name__} {_VARYING.sub('*', str(error).partition(chr(10))[0])}"
    return None


def shortest(story: Story, seed: int, seconds: float = 60.0) -> Story:
    """Leave out of a story that ends badly what can be left out, and make its numbers zeros where they may be."""
    until, how = time.monotonic() + seconds, how_it_ends(story, seed)

    def as_bad(other: Story) -> bool:
        return time.monotonic() < until and how_it_ends(other, seed) == how

    size = len(story)
    while size:
        at = 0
        while at < len(story):
            shorter = story[:at] + story[at + size :]
            story, at = (shorter, at) if as_bad(shorter) else (story, at + size)
        size //= 2
    for at in range(len(story)):
        for which in range(len(story[at][1])):
            name, numbers = story[at]
            simpler = [*story[:at], (name, (*numbers[:which], 0, *numbers[which + 1 :])), *story[at + 1 :]]
            story = simpler if numbers[which] and as_bad(simpler) else story
    return story


def _tell_again(seed: int) -> int:
    story = story_of(seed)
    if how_it_ends(story, seed) is None:
        sys.stdout.write(f"story {seed} ends well\n")
        return 0
    try:
        tell(shortest(story, seed), seed, Counter())
    except Exception as error:  # noqa: BLE001 - as in `tell_many`
        sys.stdout.write("\n".join([*error.__notes__, f"{error!r}", str(error), ""]))
    return 1


def main(argv: Sequence[str]) -> int:
    """Tell one story, or many."""
    parser = argparse.ArgumentParser(prog="python -m tests.torture.test_stories", description=__doc__)
    parser.add_argument("seed", type=int)
    parser.add_argument("--stories", type=int)
    parser.add_argument("--seconds", type=float)
    asked = parser.parse_args(argv)
    if os.environ.get("PYTHONHASHSEED") != "0":
        command = [sys.executable, "-m", "tests.torture.test_stories", *argv]
        return subprocess.run(command, cwd=REPOSITORY, env=_same_order(), check=False).returncode
    if asked.stories is None and asked.seconds is None:
        return _tell_again(asked.seed)
    counts = tell_many(asked.seed, stories=asked.stories, seconds=asked.seconds, progress=_say)
    _say(json.dumps(counts))
    return int(any(counts[name] for name in COUNTED.values()))


def _say(line: str) -> None:
    sys.stdout.write(line.replace("\n", " ") + "\n")
    sys.stdout.flush()


# Under pytest -----------------------------------------------------------------------------------------

OFTEN = [name for name, (weight, _) in HAPPENINGS.items() for _ in range(weight)]


class Stories(RuleBasedStateMachine):
    """A world in which anything can happen, and which comes to rest in the end."""

    @initialize(seed=st.integers(0, 2**32 - 1), numbers=st.tuples(*[st.integers(0, 255)] * OPENING))
    def begin(self, seed: int, numbers: tuple[int, ...]) -> None:
        """Make a world with a library in it."""
        self.is_whole = False
        self.stack = contextlib.ExitStack()
        self.world = self.stack.enter_context(world_of(seed))
        self.happens("open_story", numbers)

    @rule(what=st.sampled_from(OFTEN), numbers=st.tuples(*[st.integers(0, 255)] * NUMBERS))
    def happens(self, what: str, numbers: tuple[int, ...]) -> None:
        """Let something happen."""
        self.is_whole = False
        HAPPENINGS[what][1](self.world, Numbers(numbers))
        self.is_whole = True

    def teardown(self) -> None:
        """Let the storm end, and judge."""
        with self.stack:
            if self.is_whole:
                come_to_rest(self.world)


def settings_for(stories: int, steps: int) -> settings:
    """Give what tells hypothesis to make so many stories, always the same.

    It is not to shorten one that ends badly: that takes minutes, and the story is told in words beside the error.
    """
    return settings(
        max_examples=stories,
        stateful_step_count=steps,
        derandomize=True,
        database=None,
        deadline=None,
        print_blob=True,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
    )


def test_a_few_stories() -> None:
    """Twelve stories end well."""
    run_state_machine_as_test(Stories, settings=settings_for(12, 20))


@pytest.mark.slow
@pytest.mark.unhurried
@pytest.mark.timeout(900)
def test_many_stories() -> None:
    """Four hundred stories end well, with some 12,000 operations and 300 crashes."""
    ended_badly: list[str] = []
    counts = run(seed=1, stories=400, progress=ended_badly.append)

    assert ended_badly == []
    assert counts["stories"] == 400
    assert [counts[name] for name in ("lost", "duplicates", "divergences")] == [0, 0, 0]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
