"""What chooses in a story: numbers, so that it stays a story when something that happens is left out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from .simulation import World

_Thing = TypeVar("_Thing")


@dataclass
class Numbers:
    """What chooses: numbers one after the other, zeros when they are used up."""

    values: Sequence[int]
    used: int = 0

    def next(self) -> int:
        """Give the next number."""
        self.used += 1
        return self.values[self.used - 1] if self.used <= len(self.values) else 0

    def pick(self, things: Sequence[_Thing]) -> _Thing:
        """Choose one of some things."""
        return things[self.next() % len(things)]

    def is_one_in(self, count: int) -> bool:
        """Say yes once in a while; a zero says no."""
        return self.next() % count == count - 1


Happening = Callable[[World, Numbers], None]
