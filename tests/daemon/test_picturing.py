"""Which pending models have their pictures looked for."""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path

import pytest
from hikaze.daemon.picturing import Picturing

from .home import home

TakePictures = Callable[[Sequence[int]], Coroutine[None, None, None]]


def picture(top: Path, play: Callable[[Callable[[TakePictures], Picturing]], Coroutine[None, None, None]]) -> None:
    """Let something happen to the pictures of a library at work."""

    async def go() -> None:
        async with home(top) as at_work:
            await play(lambda take: Picturing(at_work.library, take))

    asyncio.run(go())


async def follow(picturing: Picturing) -> None:
    """Let it take what waits."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(0.2):
            await picturing.follow()


def test_what_changes_meanwhile(tmp_path: Path) -> None:
    """A pending model that becomes another while its picture is taken is looked at once more after that."""

    async def play(make: Callable[[TakePictures], Picturing]) -> None:
        taken: list[list[int]] = []

        async def take(numbers: Sequence[int]) -> None:
            taken.append(list(numbers))
            if len(taken) == 1:
                picturing.look_for([2])
            await asyncio.sleep(0)

        picturing = make(take)
        picturing.look_for([1, 2, 3])
        await follow(picturing)

        assert taken == [[1, 2, 3], [2]]

    picture(tmp_path, play)


def test_what_could_not_be_taken(tmp_path: Path) -> None:
    """Where taking them failed all are looked for again."""

    async def play(make: Callable[[TakePictures], Picturing]) -> None:
        taken: list[list[int]] = []

        async def take(numbers: Sequence[int]) -> None:
            taken.append(list(numbers))
            if len(taken) == 1:
                raise OSError("the disk is away")

        picturing = make(take)
        picturing.look_for([1, 2])
        with pytest.raises(OSError, match="away"):
            await picturing.follow()
        await follow(picturing)

        assert taken == [[1, 2], [1, 2]]

    picture(tmp_path, play)
