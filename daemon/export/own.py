"""Our own exports, met again beside the models: they say nothing that the library which wrote them does not know."""

from collections.abc import Iterable
from typing import Protocol

from ...events.catalog import Provided
from ...events.errors import LogError
from ..sidecars.look import Beside
from ..sidecars.ours import exported_at
from .mark import Moment

KEPT = 1_000  # moments that were looked up; all files of one export have the same


class Holds(Protocol):
    """Tells whether the log has an event of an id (hexadecimal) at a position."""

    async def __call__(self, position: int, event: str) -> bool:
        """Look into the log."""
        ...


class OwnExports:
    """Tells the exports of this library from those of another, or of an older state that was since restored over."""

    def __init__(self, holds: Holds) -> None:
        """Know the log by `holds`."""
        self._holds = holds
        self._known: dict[Moment, bool] = {}

    async def set_aside(self, looked: Iterable[tuple[str | int, Beside]]) -> None:
        """Count as silent what this library wrote of its models (by hash) or pending models (by number) itself.

        One that was copied to another model is that one's news.
        """
        for owner, found in looked:
            own = [sidecar for sidecar, provided in found.told if await self._is_own(owner, provided)]
            found.told = [(sidecar, provided) for sidecar, provided in found.told if sidecar not in own]
            found.silent += own

    async def _is_own(self, owner: str | int, provided: Provided) -> bool:
        moment = exported_at(provided)
        if moment is None or (isinstance(owner, str) and provided.sha256 not in ("", owner)):
            return False
        known = self._known.get(moment)
        if known is None:
            if len(self._known) >= KEPT:
                self._known.clear()
            try:
                known = self._known[moment] = await self._holds(moment.position, moment.event)
            except LogError:  # behind a log that is damaged nothing is written: a new start asks again
                return True
        return known
