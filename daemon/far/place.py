"""One far file system: the process that touches it while it answers, and the tries to reach it while it does not."""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Any

from ...events.pathtext import shown, to_text
from ..disks import NoAnswer
from ..mounts import Mount
from ..watch import Hint
from .call import FarProcess, no_answer

log = logging.getLogger(__name__)


class Place:
    """One far file system: its process while it answers, and the tries to reach it while it does not."""

    def __init__(
        self, mount: Mount, limit_s: float, back_off_s: tuple[float, float], hear: Callable[[Hint], None]
    ) -> None:
        """Stand for a mount; no process is started before something is asked."""
        self.mount = mount
        self.answers = True
        self._limit_s = limit_s
        self._back_off_s = back_off_s
        self._hear = hear
        self._process: FarProcess | None = None
        self._starting = asyncio.Lock()
        self._retry = asyncio.Event()
        self._trying: asyncio.Task[None] | None = None
        self._killed: list[FarProcess] = []
        self._closing = False

    async def ask(self, name: str, *args: Any, patience_s: float | None = None) -> Any:
        """Have an order done by the process. Raises `NoAnswer`, at once while the file system is known not to."""
        if not self.answers or self._closing:
            raise no_answer(self.mount.point)
        return await (await self._started()).ask(name, *args, patience_s=patience_s)

    async def post(self, name: str, *args: Any) -> None:
        """Have an order done without waiting for it. Raises `NoAnswer` while the file system does not answer."""
        if not self.answers or self._closing:
            raise no_answer(self.mount.point)
        (await self._started()).post(name, *args)

    def tell(self, name: str, *args: Any) -> None:
        """Have an order done if there is a process to do it."""
        if self._process is not None:
            self._process.post(name, *args)

    def is_now(self, mount: Mount) -> None:
        """Another file system lies at the mount point now: its process knows nothing of the old one."""
        if mount.number != self.mount.number:
            self.mount = mount
            if self._process is not None:
                self._process.kill()
            self.try_now()

    def try_now(self) -> None:
        """Try to reach the file system now, if it did not answer."""
        self._retry.set()

    async def close(self) -> None:
        """End the process, and give up trying."""
        self._closing = True
        if self._trying is not None:
            self._trying.cancel()
            await asyncio.gather(self._trying, return_exceptions=True)
        if self._process is not None:
            self._process.kill()
        await asyncio.gather(*(process.gone() for process in self._killed))

    async def _started(self) -> FarProcess:
        async with self._starting:
            if self._process is None:
                self._killed = [process for process in self._killed if not process.has_ended()]
                process = FarProcess(self.mount.point, self._limit_s, self._hear, lambda: self._lose(process))
                try:
                    await process.start()
                except OSError as error:
                    log.warning("no process can be started to look at %s: %s", self._shown, error.strerror)
                    self._fall_silent(None)
                    raise no_answer(self.mount.point) from error
                self._process = process
            return self._process

    @property
    def _shown(self) -> str:
        return shown(to_text(self.mount.point))

    def _lose(self, process: FarProcess) -> None:
        """The process is gone. Whoever killed it, nothing is asked here before the file system has answered."""
        self._killed.append(process)
        if self._process is not process:
            return
        self._process = None
        self._fall_silent(process)

    def _fall_silent(self, killed: FarProcess | None) -> None:
        if self.answers and not self._closing:
            self.answers = False
            log.warning("%s does not answer", self._shown)
            self._trying = asyncio.create_task(self._try_again(killed))

    async def _try_again(self, killed: FarProcess | None) -> None:
        if killed is not None:
            await killed.gone()
        pause, longest = self._back_off_s
        while True:
            self._retry.clear()
            with contextlib.suppress(NoAnswer, OSError):
                await (await self._started()).ask("touch", self.mount.point)
                break
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._retry.wait()
            pause = min(pause * 2, longest)
        self.answers = True
        log.info("%s answers again", self._shown)
