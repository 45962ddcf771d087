"""What is being worked on."""

import asyncio

import pytest
from hikaze.daemon.busy import Busy


def test_one_at_a_time() -> None:
    """Those that want the same wait for each other, whatever becomes of the one before; then it is forgotten."""

    async def play() -> None:
        busy, order = Busy(), list[str]()

        async def work(name: str) -> None:
            async with busy.alone_with("a"):
                order.append(f"{name} begins")
                await asyncio.sleep(0)
                if name == "two":
                    raise ValueError
                order.append(f"{name} ends")

        ends = await asyncio.gather(*(work(name) for name in ("one", "two", "three")), return_exceptions=True)
        assert [type(end) for end in ends] == [type(None), ValueError, type(None)]
        assert order == ["one begins", "one ends", "two begins", "three begins", "three ends"]
        assert busy == Busy()

    asyncio.run(play())


def test_one_that_gives_up_waiting() -> None:
    """A waiter that is cancelled leaves the others in order."""

    async def play() -> None:
        busy = Busy()
        async with busy.alone_with("a"):
            waiter = asyncio.create_task(busy.alone_with("a").__aenter__())
            await asyncio.sleep(0)
            waiter.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiter
        async with busy.alone_with("a"), busy.alone_with("b"):
            pass
        assert busy == Busy()

    asyncio.run(play())
