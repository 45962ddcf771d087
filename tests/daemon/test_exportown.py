"""A library learns nothing from its own exports, and everything from another's."""

import asyncio

import pytest
from hikaze.daemon.export.own import OwnExports
from hikaze.daemon.sidecars.look import Beside
from hikaze.events.catalog import Provided, Sidecar
from hikaze.events.errors import LogError

MINE, OTHER = "ab" * 32, "cd" * 32
OURS = {"exported": {"position": 3, "event": "aa"}}
THEIRS = {"exported": {"position": 4, "event": "aa"}}


class Log:
    """A log that holds one event, and counts how often it is asked."""

    def __init__(self, *, damaged: bool = False) -> None:
        """Be whole, or not."""
        self.asked = 0
        self.damaged = damaged

    async def holds(self, position: int, event: str) -> bool:
        """Tell whether the event is that one."""
        self.asked += 1
        if self.damaged:
            raise LogError("it is damaged")
        return (position, event) == (3, "aa")


@pytest.mark.parametrize(
    ("owner", "provided", "is_own"),
    [
        (MINE, Provided(notes="n", facts=OURS), True),
        (MINE, Provided(notes="n", sha256=MINE, facts=OURS), True),
        (MINE, Provided(notes="n", sha256=OTHER, facts=OURS), False),
        (7, Provided(notes="n", sha256=OTHER, facts=OURS), True),
        (MINE, Provided(notes="n", facts=THEIRS), False),
        (MINE, Provided(notes="n"), False),
        (MINE, Provided(notes="n", facts={"exported": "x"}), False),
    ],
)
def test_what_is_its_own(owner: str | int, provided: Provided, is_own: bool) -> None:
    """It is, where the log holds the moment of the export, and it lies beside the content that it tells of."""
    sidecar = Sidecar("/m/a.json", "a1111", 1, 1)
    found = Beside(told=[(sidecar, provided)])
    asyncio.run(OwnExports(Log().holds).set_aside([(owner, found)]))

    assert (found.told, found.silent) == (([], [sidecar]) if is_own else ([(sidecar, provided)], []))


def test_the_log_is_asked_once() -> None:
    """All files of one export have the same moment."""

    async def play() -> None:
        log = Log()
        own = OwnExports(log.holds)
        files = [Beside(told=[(Sidecar(f"/{n}", "text", 1, 1), Provided(facts=OURS))]) for n in range(9)]
        await own.set_aside((MINE, found) for found in files)
        assert log.asked == 1
        assert not any(found.told for found in files)

    asyncio.run(play())


def test_a_damaged_log_is_no_reason_to_stop() -> None:
    """Nothing is written behind it anyway."""
    found = Beside(told=[(Sidecar("/a", "text", 1, 1), Provided(facts=OURS))])
    asyncio.run(OwnExports(Log(damaged=True).holds).set_aside([(MINE, found)]))

    assert found.told == []
