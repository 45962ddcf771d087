"""What ComfyUI tells the daemon, now and then and in the background: its folders, and which models were used."""

import asyncio
import logging
import os
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from . import folders
from .proxy import DaemonAway
from .usage import Counter
from .whereabouts import Address, to_path, to_text

TICK_S = 5.0
USES_EVERY_S = 30.0  # so long uses are gathered: a batch is one write of the daemon's, whatever runs meanwhile
AGAIN_S = 600.0  # a daemon that cannot be told from the one before it is told all the same, by then

log = logging.getLogger(__name__)

Ask = Callable[[str, str, Any, "str | None"], Awaitable[tuple[int, Any]]]
"""Asks the daemon: method, path, body, and a key under which it does the same write once. Raises `DaemonAway`."""


@dataclass
class _Batch:
    """Uses that are on their way: told under one key until the daemon says that it has them."""

    uses: list[dict[str, Any]]
    key: str
    is_by_links: bool = False
    """Whether the paths are those that links lead to: the daemon may know a file by that one."""


class Teller:
    """Tells the daemon what it does not know yet; `run` is a task for as long as ComfyUI runs."""

    def __init__(
        self, base: str, known: folders.Known, counter: Counter, find: Callable[[], Address | None], ask: Ask
    ) -> None:
        """Take ComfyUI's base folder and its own table of folders, which packs change as they like."""
        self._base, self._known, self._counter = base, known, counter
        self._find, self._ask = find, ask
        self._told: tuple[Any, ...] | None = None
        self._told_s = 0.0
        self._batch: _Batch | None = None
        self._sent_s = -USES_EVERY_S

    async def run(self) -> None:
        """Tell, again and again, until cancelled."""
        has_complained = False
        while True:
            try:
                await self.tick(time.monotonic())
                has_complained = False
            except Exception as error:
                # The outermost edge of a task in somebody else's program: the next tick may do better.
                if not has_complained:
                    log.warning("Hikaze's daemon could not be told of folders and uses", exc_info=error)
                has_complained = True
            await asyncio.sleep(TICK_S)

    async def tick(self, at_s: float) -> None:
        """Tell what is new, as it is at a time of a monotonic clock, in seconds."""
        found = await asyncio.to_thread(self._look, at_s)
        at = self._find()
        if at is None:
            return
        try:
            await self._tell_folders(at, found, at_s)
            await self._tell_uses(at_s)
        except DaemonAway:
            self._told = None  # whoever comes next is told all of it

    def _look(self, at_s: float) -> tuple[list[dict[str, Any]], frozenset[str]]:
        self._counter.settle(self._known, at_s)
        listed = folders.told(self._known)
        return listed, folders.there(listed)

    async def _tell_folders(self, at: Address, found: tuple[list[dict[str, Any]], frozenset[str]], at_s: float) -> None:
        state = (at, *found)
        if state == self._told and at_s - self._told_s < AGAIN_S:
            return
        status, answer = await self._ask("PUT", "/api/comfyui/folders", {"base": self._base, "folders": found[0]}, None)
        if status >= 500:
            return  # it cannot write just now
        if status >= 400:
            log.warning("Hikaze's daemon did not take ComfyUI's folders: %s", _detail(answer))
        self._told, self._told_s = state, at_s

    async def _tell_uses(self, at_s: float) -> None:
        if self._batch is None and at_s - self._sent_s >= USES_EVERY_S:
            uses = self._counter.take()
            self._batch = _Batch(uses, str(uuid.uuid4())) if uses else None
        if self._batch is None:
            return
        status, answer = await self._ask("POST", "/api/usage", {"used": self._batch.uses}, self._batch.key)
        if status >= 500:
            return
        if status >= 400:
            log.warning("Hikaze's daemon did not take what was used: %s", _detail(answer))
        batch, self._batch, self._sent_s = self._batch, None, at_s
        if status < 400 and not batch.is_by_links:
            uses = await asyncio.to_thread(_by_links, batch.uses, frozenset(answer["unknown"]))
            self._batch = _Batch(uses, str(uuid.uuid4()), is_by_links=True) if uses else None


def _by_links(uses: list[dict[str, Any]], unknown: frozenset[str]) -> list[dict[str, Any]]:
    """Give those uses that are not known, by the paths that links lead to."""
    found = [(use, to_text(os.path.realpath(to_path(use["path"])))) for use in uses if use["path"] in unknown]
    return [{**use, "path": real} for use, real in found if real != use["path"]]


def _detail(answer: Any) -> str:
    return str(answer.get("detail", answer)) if isinstance(answer, dict) else str(answer)
