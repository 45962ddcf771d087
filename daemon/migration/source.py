"""Takes the rows of an earlier library out of threads, some at a time, and has their pictures made ready ahead."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack
from itertools import islice
from typing import TypeVar

from ..legacy import library as legacy
from ..legacy.library import Item, Legacy, Row, Source
from .ready import Prepared

AHEAD = 4  # rows whose pictures are made ready before their turn: two are being made while two wait
CHUNK = 50  # rows that are read at once, each with its texts

_Result = TypeVar("_Result")


class Reader:
    """The rows of an earlier library, read from a copy of its database below a folder."""

    def __init__(self, source: Source, folder: str) -> None:
        """Read a source; `open` comes first, `close` last."""
        self._source = source
        self._folder = folder
        self._stack = ExitStack()
        self._busy = False
        self._legacy: Legacy
        self._items: Iterator[Item]
        self.total = 0

    async def open(self) -> None:
        """Copy the database and count its rows. Raises what `legacy.snapshot` raises."""
        await self._in_thread(self._open)

    def _open(self) -> None:
        self._legacy = self._stack.enter_context(legacy.snapshot(self._source, self._folder))
        self.total = self._legacy.count()
        self._items = self._legacy.rows()

    async def items(self) -> AsyncIterator[Item]:
        """Give everything, in order."""
        while chunk := await self._in_thread(lambda: list(islice(self._items, CHUNK))):
            for item in chunk:
                yield item

    async def close(self) -> None:
        """Remove the copy; where a thread is at work on it still, the next start does."""
        if not self._busy:
            await asyncio.to_thread(self._stack.close)

    async def _in_thread(self, act: Callable[[], _Result]) -> _Result:
        self._busy = True
        result = await asyncio.to_thread(act)
        self._busy = False
        return result


class Ahead:
    """Has rows made ready before their turn, `AHEAD` of them, and gives all items in order."""

    def __init__(self, items: AsyncIterator[Item], prepare: Callable[[Row], Awaitable[Prepared | None]]) -> None:
        """Prepare the rows among some items."""
        self._items = items
        self._prepare = prepare
        self._waiting: deque[tuple[Item, asyncio.Future[Prepared | None] | None]] = deque()

    async def each(self) -> AsyncGenerator[tuple[Item, "asyncio.Future[Prepared | None] | None"], None]:
        """Give each item, and for a row what makes it ready."""
        async for item in self._items:
            begun = asyncio.ensure_future(self._prepare(item)) if isinstance(item, Row) else None
            self._waiting.append((item, begun))
            if len(self._waiting) > AHEAD:
                yield self._waiting.popleft()
        while self._waiting:
            yield self._waiting.popleft()

    async def left(self) -> list[Prepared]:
        """Give what was made ready and is not wanted any more; to be discarded."""
        begun = [ready for _, ready in self._waiting if ready is not None]
        done = await asyncio.gather(*begun, return_exceptions=True)
        return [prepared for prepared in done if isinstance(prepared, Prepared)]
