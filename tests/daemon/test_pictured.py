"""What pictures tell is read from the log, and what was read last is remembered."""

import asyncio
from typing import Any, cast

from hikaze.daemon.library import Library
from hikaze.daemon.pictured import REMEMBERED, Pictured
from hikaze.daemon.shapes import OfferedPrompts
from hikaze.events.errors import DamagedLog


class Log:
    """A stand-in for the library: pictures by the position of their event; a position that is not there is damaged."""

    def __init__(self, texts: dict[int, dict[str, str]]) -> None:
        """Hold the texts of pictures."""
        self.texts = texts
        self.read: list[int] = []

    async def events(self, after: int, _limit: int) -> list[dict[str, Any]]:
        """Give the event behind a position."""
        self.read.append(after + 1)
        if after + 1 not in self.texts:
            raise DamagedLog("torn")
        return [{"data": {"format": "PNG", "width": 1, "height": 2, "texts": self.texts[after + 1]}}]


def prompt(words: str) -> dict[str, str]:
    """Give the texts of a picture with a prompt."""
    return {"parameters": f"{words}\nSteps: 20, Seed: 1", "exif": "AAAA"}


def offered(log: Log, *asked: list[tuple[str, int]]) -> list[OfferedPrompts | None]:
    """Give what is offered of each of some lists of pictures, asked one after the other."""

    async def ask() -> list[OfferedPrompts | None]:
        pictured = Pictured(cast("Library", log))
        return [await pictured.offered(pictures) for pictures in asked]

    return asyncio.run(ask())


def test_the_first_with_a_prompt() -> None:
    """The first picture that has a prompt offers it, and none is read behind that one."""
    log = Log({1: {}, 2: prompt("a cat"), 3: prompt("a dog")})

    assert offered(log, [("x_0", 1), ("x_1", 2), ("x_2", 3)]) == [OfferedPrompts("a cat", "", "x_1")]
    assert log.read == [1, 2]
    assert offered(log, [], [("x_0", 1)]) == [None, None]


def test_what_was_read_is_remembered() -> None:
    """A picture is read once, until many others were."""
    log = Log({at: prompt(f"picture {at}") for at in range(1, REMEMBERED + 3)})
    ask: list[list[tuple[str, int]]] = [[("x", at)] for at in (1, 1, *range(2, REMEMBERED + 2), 1)]

    assert [one.positive for one in offered(log, *ask) if one][:2] == ["picture 1", "picture 1"]
    assert log.read == [*range(1, REMEMBERED + 2), 1]


def test_a_damaged_log() -> None:
    """Where the log cannot be read nothing is offered, and the model is shown all the same."""
    assert offered(Log({}), [("x_0", 7)]) == [None]


def test_all_that_is_told() -> None:
    """Texts come without the blocks that they were read from."""
    told = asyncio.run(Pictured(cast("Library", Log({5: prompt("a cat")}))).told(5))

    assert (told.format, told.width, told.height, list(told.texts)) == ("PNG", 1, 2, ["parameters"])
    assert told.generation.positive == "a cat"
