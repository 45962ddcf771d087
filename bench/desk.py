"""What all benchmarks share: a temporary folder, the scale, a line of progress, and a large library made once."""

import os
import sys
import tempfile
import time
from contextlib import AbstractContextManager
from functools import cached_property
from types import TracebackType
from typing import Self

from rich.console import Console

from .library import Library, make

MODELS = 100_000
FEW_MODELS = 10_000
FEWEST_MODELS = 1_000


class Desk(AbstractContextManager["Desk"]):
    """A temporary folder that is gone in the end, and what was put into it for more than one benchmark."""

    def __init__(self, scale: float) -> None:
        """Work at a scale: 1 is 100,000 models."""
        self.scale = scale
        self._begin = time.monotonic()
        self._temporary = tempfile.TemporaryDirectory(prefix="hikaze-bench-")
        self._lines = Console(stderr=True, highlight=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.tell("cleaning up")
        self._temporary.cleanup()

    def tell(self, what: str) -> None:
        """Say what is being done."""
        self._lines.print(f"{time.monotonic() - self._begin:6.1f} s  {what}")
        sys.stderr.flush()

    def scaled(self, number: int) -> int:
        """Give a number of things at this run's scale, never under a hundredth of it."""
        return max(round(number * self.scale), number // 100)

    def folder(self, name: str) -> str:
        """Make a new folder."""
        path = os.path.join(self._temporary.name, name)
        os.makedirs(path)
        return path

    @cached_property
    def large(self) -> Library:
        """A library of 100,000 models, each with a file; its read tables are not built yet."""
        return self._library("large", self.scaled(MODELS))

    @cached_property
    def small(self) -> Library:
        """The same with 10,000."""
        return self._library("small", self.scaled(FEW_MODELS))

    @cached_property
    def tiny(self) -> Library:
        """The same with 1,000."""
        return self._library("tiny", self.scaled(FEWEST_MODELS))

    def _library(self, name: str, models: int) -> Library:
        self.tell(f"making a library of {models:,} models with their files")
        return make(self.folder(name), models)
