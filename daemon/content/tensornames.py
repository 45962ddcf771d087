"""The tensor names of one file, laid out so that thousands are searched at once."""

from collections.abc import Sequence, Set
from functools import cached_property

from .header import Tensor


class TensorNames:
    """Answers questions about the tensors of one file; what a question needs is laid out when first asked."""

    def __init__(self, tensors: Sequence[Tensor]) -> None:
        self.tensors = tensors
        self._by_name = {tensor.name: tensor for tensor in tensors}

    @cached_property
    def each(self) -> list[str]:
        """The names, in the file's order."""
        return [tensor.name for tensor in self.tensors]

    @cached_property
    def tops(self) -> frozenset[str]:
        """What stands before the first dot of each name."""
        return frozenset(name.partition(".")[0] for name in self.each)

    @cached_property
    def lines(self) -> str:
        """All names in one text, each with a line break before and behind it."""
        return "\n" + "\n".join(self.each) + "\n"

    def __contains__(self, name: str) -> bool:
        return name in self._by_name

    def get(self, name: str) -> Tensor | None:
        """Give the tensor of this name."""
        return self._by_name.get(name)

    def among(self, wanted: Set[str]) -> Set[str]:
        """Give those of the wanted names that are there."""
        return self._by_name.keys() & wanted

    def has(self, *names: str) -> bool:
        """Tell whether all of these are there."""
        return all(name in self._by_name for name in names)

    def starts(self, *prefixes: str) -> bool:
        """Tell whether some name starts with one of these."""
        return any("\n" + prefix in self.lines for prefix in prefixes)

    def starts_any(self, prefixes: tuple[str, ...]) -> bool:
        """Tell the same as `starts` in one pass: quicker where there are many prefixes and none is there."""
        return any(name.startswith(prefixes) for name in self.each)

    def holds(self, *fragments: str) -> bool:
        """Tell whether one of these is part of some name."""
        return any(fragment in self.lines for fragment in fragments)
