"""What nodes loaded last, so that a run with other strengths reads no file again.

ComfyUI's own LoRA loader keeps its last file in the object that ComfyUI makes for each node, and drops with the nodes
of an earlier prompt, or when memory is freed. A V3 node works by its class and never sees that object; so all objects
together hold one shelf, and it goes with the last of them.
"""

import weakref
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from .modelfile import Stamp

T = TypeVar("T")


class Shelf(Generic[T]):
    """What was loaded, by the node that asked for it and the state of the file."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._holders: weakref.WeakSet[object] = weakref.WeakSet()
        self._nodes: dict[str, dict[Stamp, T]] = {}

    def held_by(self, holder: object) -> None:
        """Take note of an object that keeps this shelf."""
        self._holders.add(holder)

    def take(self, node: str, stamps: Sequence[Stamp], load: Callable[[Stamp], T]) -> list[T]:
        """Give what a node wants, loading what no node has; what the node had and wants no more is let go first."""
        known = {stamp: loaded for kept in self._nodes.values() for stamp, loaded in kept.items() if stamp in stamps}
        self._nodes.pop(node, None)
        self._nodes[node] = known
        self._forget_the_oldest()
        for stamp in stamps:
            if stamp not in known:
                known[stamp] = load(stamp)
        return [known[stamp] for stamp in stamps]

    def _forget_the_oldest(self) -> None:
        """Keep as many nodes' files as ComfyUI keeps nodes."""
        while len(self._nodes) > max(1, len(self._holders)):
            del self._nodes[next(iter(self._nodes))]


class Shelves(Generic[T]):
    """Leads to the shelf that all objects of a node class hold, as long as one of them does."""

    def __init__(self) -> None:
        """Begin with no shelf."""
        self._shelf: weakref.ref[Shelf[T]] | None = None

    def now(self) -> Shelf[T]:
        """Give the shelf that is held; where none is, one that goes with its user."""
        shelf = self._shelf() if self._shelf is not None else None
        if shelf is None:
            shelf = Shelf[T]()
            self._shelf = weakref.ref(shelf)
        return shelf

    def hold(self, holder: object) -> Shelf[T]:
        """Give the shelf to an object that will keep it."""
        shelf = self.now()
        shelf.held_by(holder)
        return shelf
