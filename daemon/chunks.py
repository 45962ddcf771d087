"""A long list in parts."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

_Item = TypeVar("_Item")


def chunks(items: Sequence[_Item], size: int) -> Iterator[Sequence[_Item]]:
    """Give the items in parts of at most `size`."""
    for start in range(0, len(items), size):
        yield items[start : start + size]
