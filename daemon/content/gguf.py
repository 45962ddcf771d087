"""The header of a GGUF file: its text and numbers, its tensors, and the size it must have.

GGUF 1 to 3: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, with the block sizes of ggml-common.h
"""

import struct
from collections.abc import Sequence
from typing import BinaryIO, Literal

from .parts import MAX_DIMENSIONS, MAX_SIZE, Header, Kept, Malformed, Tensor, Truncated, count_parameters, elements_of

MAX_GGUF_HEADER = 64 * 1024 * 1024
"""The most bytes of a GGUF header that are read; the largest vocabularies take a sixth of it."""

MAX_GGUF_ITEMS = 2_000_000
"""The most entries, tensors and words of a vocabulary that a GGUF header may list; the largest have 800,000."""

_GGUF_BLOCKS = {  # type: (name, elements in a block, bytes of a block)
    0: ("F32", 1, 4),
    1: ("F16", 1, 2),
    2: ("Q4_0", 32, 18),
    3: ("Q4_1", 32, 20),
    6: ("Q5_0", 32, 22),
    7: ("Q5_1", 32, 24),
    8: ("Q8_0", 32, 34),
    9: ("Q8_1", 32, 40),
    10: ("Q2_K", 256, 84),
    11: ("Q3_K", 256, 110),
    12: ("Q4_K", 256, 144),
    13: ("Q5_K", 256, 176),
    14: ("Q6_K", 256, 210),
    15: ("Q8_K", 256, 292),
    16: ("IQ2_XXS", 256, 66),
    17: ("IQ2_XS", 256, 74),
    18: ("IQ3_XXS", 256, 98),
    19: ("IQ1_S", 256, 50),
    20: ("IQ4_NL", 32, 18),
    21: ("IQ3_S", 256, 110),
    22: ("IQ2_S", 256, 82),
    23: ("IQ4_XS", 256, 136),
    24: ("I8", 1, 1),
    25: ("I16", 1, 2),
    26: ("I32", 1, 4),
    27: ("I64", 1, 8),
    28: ("F64", 1, 8),
    29: ("IQ1_M", 256, 56),
    30: ("BF16", 1, 2),
    34: ("TQ1_0", 256, 54),
    35: ("TQ2_0", 256, 66),
    39: ("MXFP4", 32, 17),
    40: ("NVFP4", 64, 36),
    41: ("Q1_0", 128, 18),
}
_GGUF_NUMBERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_GGUF_STRING = 8
_GGUF_ARRAY = 9
_GGUF_MAX_NESTING = 4
_GGUF_MAX_ALIGNMENT = 1024 * 1024


class _GgufReader:
    """Takes values off the front of a GGUF file, within bounds; raises Truncated, Malformed and OSError."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file = file
        self._size = size
        self._items = 0
        self.position = 0
        self._file.seek(0)
        self.take(4)
        version = self.take(4)
        # The format does not say in which byte order it is; a small number read the wrong way round is large.
        self._order: Literal["<", ">"] = "<" if version[:2] != b"\0\0" else ">"
        self.version: int = struct.unpack(self._order + "I", version)[0]
        self._length = struct.Struct(self._order + ("I" if self.version == 1 else "Q"))

    def take(self, length: int) -> bytes:
        self._advance(length)
        taken = self._file.read(length)
        if len(taken) < length:
            raise Truncated
        return taken

    def skip(self, length: int) -> None:
        self._advance(length)
        self._file.seek(self.position)

    def _advance(self, length: int) -> None:
        if self.position + length > MAX_GGUF_HEADER:
            raise Malformed(f"has a header of more than {MAX_GGUF_HEADER:,} bytes, which is not read")
        if self.position + length > self._size:
            raise Truncated
        self.position += length

    def number(self, code: str) -> int | float | bool:
        layout = self._order + code
        return struct.unpack(layout, self.take(struct.calcsize(layout)))[0]

    def natural(self, code: str) -> int:
        return int(self.number(code))

    def count(self) -> int:
        """Take the length of a list, each item of which is counted against the bound for the whole file."""
        items = self.length()
        self._items += items
        if self._items > MAX_GGUF_ITEMS:
            raise Malformed("lists more in its header than any model has")
        return items

    def length(self) -> int:
        return self._length.unpack(self.take(self._length.size))[0]

    def text(self) -> str:
        return self.take(self.length()).decode("utf-8", "replace")

    def skip_value(self, kind: int, nesting: int = 0) -> None:
        if kind == _GGUF_STRING:
            self.skip(self.length())
        elif kind in _GGUF_NUMBERS:
            self.skip(struct.calcsize("<" + _GGUF_NUMBERS[kind]))
        elif kind == _GGUF_ARRAY and nesting < _GGUF_MAX_NESTING:
            self._skip_array(nesting + 1)
        else:
            raise Malformed("has a header of no kind that is known; download it again")

    def _skip_array(self, nesting: int) -> None:
        kind = self.natural("I")
        if kind in _GGUF_NUMBERS:
            self.skip(self.length() * struct.calcsize("<" + _GGUF_NUMBERS[kind]))
            return
        if kind == _GGUF_STRING:
            self._skip_texts(self.count())
            return
        for _ in range(self.count()):
            self.skip_value(kind, nesting)

    def _skip_texts(self, texts: int) -> None:
        # Written out for vocabularies: one call for each of 800,000 words instead of four.
        read, unpack, width = self._file.read, self._length.unpack, self._length.size
        for _ in range(texts):
            start = read(width)
            if len(start) < width:
                raise Truncated
            length: int = unpack(start)[0]
            self._advance(width + length)
            read(length)


def read_gguf(file: BinaryIO, size: int) -> tuple[Header, list[Tensor]]:
    """Read header and tensors of an open GGUF file of `size` bytes. Raises OSError."""
    try:
        reader = _GgufReader(file, size)
        return _parse_gguf(reader, size)
    except Truncated:
        return Header("gguf", complete=False), []
    except Malformed as problem:
        return Header("gguf", problem=str(problem)), []


def _parse_gguf(reader: _GgufReader, size: int) -> tuple[Header, list[Tensor]]:
    if reader.version not in {1, 2, 3}:
        raise Malformed(f"is of GGUF version {reader.version}, which this program cannot read")
    tensor_count = reader.count()
    kept = Kept()
    for _ in range(reader.count()):
        _take_pair(reader, kept)
    tensors: list[Tensor] = []
    ends: list[int | None] = []
    for _ in range(tensor_count):
        tensor, end = _take_tensor(reader)
        tensors.append(tensor)
        ends.append(end)
    dtypes = count_parameters(tensors)
    expected = _gguf_size(reader.position, kept.metadata.get("general.alignment", "32"), ends)
    header = Header(
        "gguf",
        metadata=kept.metadata,
        tensor_count=tensor_count,
        parameters=sum(dtypes.values()),
        dtypes=dtypes,
        expected_size=expected,
        complete=None if expected is None else size >= expected,
        dropped=tuple(kept.dropped),
    )
    return header, tensors


def _take_pair(reader: _GgufReader, kept: Kept) -> None:
    key = reader.text()
    kind = reader.natural("I")
    if kind in _GGUF_NUMBERS:
        value = _number_text(reader.number(_GGUF_NUMBERS[kind]))
        if kept.has_room(key, len(value)):
            kept.add(key, value)
    elif kind == _GGUF_STRING:
        length = reader.length()
        if kept.has_room(key, length):
            kept.add(key, reader.take(length).decode("utf-8", "replace"))
        else:
            reader.skip(length)
    else:
        reader.skip_value(kind)


def _number_text(value: int | float | bool) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case float():
            return f"{value:.8g}"
        case _:
            return str(value)


def _take_tensor(reader: _GgufReader) -> tuple[Tensor, int | None]:
    """Take one tensor, and where its data ends, counted from the first; None where its type is not known."""
    name = reader.text()
    dimensions = reader.natural("I")
    if dimensions > MAX_DIMENSIONS:
        raise Malformed("has a tensor of impossible shape")
    lengths = [reader.length() for _ in range(dimensions)]
    kind = reader.natural("I")
    offset = reader.natural("Q")
    dtype, block, block_bytes = _GGUF_BLOCKS.get(kind, ("unknown", 0, 0))
    elements = elements_of(lengths)
    end = offset + -(-elements // block) * block_bytes if block else None
    if end is not None and end > MAX_SIZE:
        raise Malformed("claims a tensor larger than any file")
    return Tensor(name, dtype, tuple(reversed(lengths))), end


def _gguf_size(position: int, alignment: str, ends: Sequence[int | None]) -> int | None:
    if not alignment.isdecimal() or not 0 < int(alignment) <= _GGUF_MAX_ALIGNMENT:
        raise Malformed("has an impossible alignment")
    if not ends:
        return position
    start = -(-position // int(alignment)) * int(alignment)
    known = [end for end in ends if end is not None]
    return start + max(known) if len(known) == len(ends) else None
