"""What is being worked on: who else would touch the same files, or the same pictures, waits or leaves them alone."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass(slots=True)
class Busy:
    """Paths that imports are working on (whoever looks at the disk passes them by), and locks by name.

    Belongs to the event loop; threads may look into `paths`.
    """

    paths: set[str] = field(default_factory=set[str])
    hashing: int = 0
    """Files that are hashed at this moment: as many as there are cores leave no core to read ahead with."""
    _locks: dict[str, asyncio.Lock] = field(default_factory=dict[str, asyncio.Lock])
    _wanted: Counter[str] = field(default_factory=Counter[str])

    @asynccontextmanager
    async def alone_with(self, name: str) -> AsyncIterator[None]:
        """Let one at a time change what belongs to a model (its hash) or a pending model (`pending/<id>`)."""
        lock = self._locks.setdefault(name, asyncio.Lock())
        self._wanted[name] += 1
        try:
            async with lock:
                yield
        finally:
            self._wanted[name] -= 1
            if not self._wanted[name]:
                del self._wanted[name], self._locks[name]
