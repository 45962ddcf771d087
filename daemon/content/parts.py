"""What the reading of a model file gives, whatever its format: its header, its tensors, and the bounds on them."""

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec

MAX_METADATA = 4 * 1024 * 1024
"""The most bytes of metadata that are kept, all values together."""

MAX_VALUE = 1024 * 1024
"""The most bytes of one metadata value that is kept."""

MAX_KEY = 256
"""The most characters of a metadata key that is kept."""

MAX_SIZE = 2**63 - 1
MAX_DIMENSIONS = 64
_MAX_DTYPES = 64
MAX_CUTS = 32

Format = Literal["safetensors", "gguf", "zip", "pickle", "unknown"]


class Header(msgspec.Struct, frozen=True):
    """What a file says about itself.

    `metadata` is its text metadata (numbers as text), less what is too long to keep, which `dropped` names.
    `dtypes` gives the parameters by kind of number. `expected_size` is the size in bytes the file must have by
    its own header, None where it does not say. `complete` is False for a file that certainly lacks its end, True
    for one that has the size it claims (bytes of a preallocated download can still be unwritten), None where it
    cannot be told. `problem` is a sentence, without its subject, on what is wrong with the header. `pickle_globals`
    are the functions and classes that an unpickler would call or make, and that no file of tensors needs.
    """

    format: Format
    metadata: dict[str, str] = {}
    tensor_count: int = 0
    parameters: int = 0
    dtypes: dict[str, int] = {}
    expected_size: int | None = None
    complete: bool | None = None
    problem: str | None = None
    dropped: tuple[str, ...] = ()
    pickle_globals: tuple[str, ...] = ()


class Tensor(msgspec.Struct, frozen=True, gc=False):
    """One tensor of a file; the shape is written as PyTorch writes it, the slowest dimension first."""

    name: str
    dtype: str
    shape: tuple[int, ...]


class Malformed(Exception):
    """The header makes no sense; the text is the problem as a sentence without its subject."""


class Truncated(Exception):
    """The file ends inside its header."""


class Kept:
    """The part of a header's metadata that is worth its room."""

    def __init__(self) -> None:
        self.metadata: dict[str, str] = {}
        self.dropped: list[str] = []
        self._left = MAX_METADATA

    def has_room(self, key: str, size: int) -> bool:
        """Tell whether a value of this many bytes can be kept, and note its key where it cannot."""
        if len(key) <= MAX_KEY and size <= min(MAX_VALUE, self._left):
            return True
        if len(self.dropped) < MAX_CUTS:
            self.dropped.append(key[:MAX_KEY])
        return False

    def add(self, key: str, value: str) -> None:
        """Keep a value there is room for."""
        self.metadata[key] = value
        self._left -= len(key) + len(value)


_DTYPE = re.compile(r"[A-Za-z0-9_]{1,24}")


def elements_of(shape: Sequence[int]) -> int:
    """Give how many numbers a tensor of this shape has. Raises Malformed where no file could hold them."""
    product = math.prod(shape)
    if product > MAX_SIZE:
        raise Malformed("claims a tensor larger than any file")
    return product


def count_parameters(tensors: Iterable[Tensor]) -> dict[str, int]:
    """Give how many parameters there are of each kind of number, most first. Raises Malformed."""
    counts: Counter[str] = Counter()
    for tensor in tensors:
        counts[tensor.dtype] += elements_of(tensor.shape)
    if len(counts) > _MAX_DTYPES or not all(map(_DTYPE.fullmatch, counts)) or counts.total() > MAX_SIZE:
        raise Malformed("names kinds of numbers that do not exist")
    return dict(counts.most_common())
