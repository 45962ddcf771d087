"""What a model file says about itself, read from its first bytes: never unpickled, never more than a bounded part.

A model file is hostile input. Whatever its bytes are, reading gives a `Header`, with a `problem` where they make
no sense; the only exception is an OSError from the disk. The formats:

- safetensors: https://github.com/huggingface/safetensors (README, and `validate` in safetensors/src/tensor.rs)
- GGUF 1 to 3: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, with the block sizes of ggml-common.h
- ZIP, which `torch.save` writes: APPNOTE.TXT 4.3, https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT
- pickle, which older ones wrote: recognised, and left alone
"""

import errno
import json
import math
import os
import re
import stat
import struct
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Annotated, BinaryIO, Literal

import msgspec

from ..names import extension

MAX_HEADER = 100_000_000
"""The most bytes a safetensors header may have, by its own library."""

MAX_GGUF_HEADER = 64 * 1024 * 1024
"""The most bytes of a GGUF header that are read; the largest vocabularies take a sixth of it."""

MAX_GGUF_ITEMS = 2_000_000
"""The most entries, tensors and words of a vocabulary that a GGUF header may list; the largest have 800,000."""

MAX_ENTRIES = 1_000_000
"""The most members a header may list; the largest single-file models have some 140,000 tensors.

Counted before the JSON is decoded, for a hostile header of 100 MB could otherwise become gigabytes of objects.
"""

MAX_METADATA = 4 * 1024 * 1024
"""The most bytes of metadata that are kept, all values together."""

MAX_VALUE = 1024 * 1024
"""The most bytes of one metadata value that is kept."""

MAX_KEY = 256
"""The most characters of a metadata key that is kept."""

MAX_SUMMARY_VALUE = 4 * 1024
"""The most characters of one metadata value in a summary."""

_MAX_SUMMARY_METADATA = 46 * 1024  # bytes of JSON; with the bounds on the other parts, 64 KiB in all

_MAX_SIZE = 2**63 - 1
_MAX_DIMENSIONS = 64
_MAX_DTYPES = 64
_MAX_CUTS = 32
_MAX_CUT_NAME = 64

Format = Literal["safetensors", "gguf", "zip", "pickle", "unknown"]


class Header(msgspec.Struct, frozen=True):
    """What a file says about itself.

    `metadata` is its text metadata (numbers as text), less what is too long to keep, which `dropped` names.
    `dtypes` gives the parameters by kind of number. `expected_size` is the size in bytes the file must have by
    its own header, None where it does not say. `complete` is False for a file that certainly lacks its end, True
    for one that has the size it claims (bytes of a preallocated download can still be unwritten), None where it
    cannot be told. `problem` is a sentence, without its subject, on what is wrong with the header.
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


class Tensor(msgspec.Struct, frozen=True, gc=False):
    """One tensor of a file; the shape is written as PyTorch writes it, the slowest dimension first."""

    name: str
    dtype: str
    shape: tuple[int, ...]


class _Malformed(Exception):
    """The header makes no sense; the text is the problem as a sentence without its subject."""


class _Truncated(Exception):
    """The file ends inside its header."""


def open_regular(path: str) -> BinaryIO:
    """Open a regular file for reading, with no chance to wait for a FIFO or to wake a device.

    Raises OSError, also where the path leads to anything but a regular file. The caller closes it.
    """
    _refuse_irregular(os.stat(path).st_mode, path)
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags)
    try:
        _refuse_irregular(os.fstat(descriptor).st_mode, path)
        return open(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def _refuse_irregular(mode: int, path: str) -> None:
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, "This is a folder, not a model file", path)
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "This is no regular file, and cannot be a model", path)


def read_header(path: str) -> Header:
    """Read what the file says about itself. Raises OSError, and nothing else."""
    return read(path)[0]


def read_tensors(path: str) -> list[Tensor]:
    """Read the names and shapes of the file's tensors; none where its header is malformed. Raises OSError."""
    return read(path)[1]


def read(path: str) -> tuple[Header, list[Tensor]]:
    """Read header and tensors in one go. Raises OSError."""
    with open_regular(path) as file:
        return read_from(file, os.fstat(file.fileno()).st_size, path)


def read_from(file: BinaryIO, size: int, name: str) -> tuple[Header, list[Tensor]]:
    """Read header and tensors of an open file of `size` bytes, whose position is moved. Raises OSError.

    The name serves for its extension alone, and only where the bytes can be read in two ways.
    """
    file.seek(0)
    start = file.read(9)
    match _format_of(start, extension(name)):
        case "safetensors":
            return _read_safetensors(file, size)
        case "gguf":
            return _read_gguf(file, size)
        case "zip":
            return Header("zip", complete=_zip_complete(file, size)), []
        case "pickle":
            return Header("pickle"), []
        case "unknown":
            return Header("unknown"), []


def _format_of(start: bytes, ending: str) -> Format:
    plausible = start[8:9] == b"{" and int.from_bytes(start[:8], "little") <= MAX_HEADER
    if start.startswith(b"GGUF"):
        return "gguf"
    if plausible:
        return "safetensors"
    if start.startswith(b"PK\x03\x04"):
        return "zip"
    if ending in {".safetensors", ".sft"}:
        return "safetensors"
    if start[:1] == b"\x80" and start[1:2] in {b"\x02", b"\x03", b"\x04", b"\x05"}:
        return "pickle"
    return "unknown"


def shortfall(header: Header, size: int) -> str | None:
    """Tell, as a sentence without its subject, that a file of `size` bytes lacks its end; None if it may be whole."""
    if header.expected_size is None:
        missing = "list of contents" if header.format == "zip" else "header"
        return None if header.complete is not False else f"ends before its {missing} does; the download is incomplete"
    if size >= header.expected_size:
        return None
    there = f"{size:,} of {header.expected_size:,} bytes"
    consequence = "the download is incomplete" if header.problem is None else f"it {header.problem}"
    return f"is shorter than its header says ({there}); {consequence}"


# Safetensors

_BITS = (
    dict.fromkeys(("BOOL", "U8", "I8", "F8_E5M2", "F8_E4M3", "F8_E5M2FNUZ", "F8_E4M3FNUZ", "F8_E8M0"), 8)
    | dict.fromkeys(("I16", "U16", "F16", "BF16"), 16)
    | dict.fromkeys(("I32", "U32", "F32"), 32)
    | dict.fromkeys(("I64", "U64", "F64", "C64"), 64)
    | {"F4": 4, "F6_E2M3": 6, "F6_E3M2": 6}
)
_DTYPE = re.compile(r"[A-Za-z0-9_]{1,24}")

_Natural = Annotated[int, msgspec.Meta(ge=0, le=_MAX_SIZE)]


class _Entry(msgspec.Struct, gc=False):
    dtype: str
    shape: Annotated[tuple[_Natural, ...], msgspec.Meta(max_length=_MAX_DIMENSIONS)]
    data_offsets: tuple[_Natural, _Natural]


# A header is split into its members first: decoding each to its type is then three times as fast as `json`.
_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_METADATA = msgspec.json.Decoder(dict[str, msgspec.Raw] | None)
_TEXT = msgspec.json.Decoder(str)
_ENTRY = msgspec.json.Decoder(_Entry)


def _read_safetensors(file: BinaryIO, size: int) -> tuple[Header, list[Tensor]]:
    file.seek(0)
    length = int.from_bytes(file.read(8).ljust(8, b"\0"), "little")
    data = 8 + length
    if size < 8:
        return Header("safetensors", expected_size=8, complete=False), []
    if length > MAX_HEADER:
        return _oversized(length, size), []
    raw = file.read(length) if data <= size else b""
    if len(raw) < length:
        return Header("safetensors", expected_size=data, complete=False), []
    try:
        metadata, dropped, entries = _parse_safetensors(raw)
        end = data + _data_end(entries)
        tensors = [Tensor(name, entry.dtype, entry.shape) for name, entry in entries.items()]
        dtypes = _parameters(tensors)
    except _Malformed as problem:
        return Header("safetensors", problem=str(problem)), []
    header = Header(
        "safetensors",
        metadata=metadata,
        tensor_count=len(tensors),
        parameters=sum(dtypes.values()),
        dtypes=dtypes,
        expected_size=end,
        complete=None if size > end else size == end,
        problem=f"has {size - end:,} bytes more than its header says, and will not load" if size > end else None,
        dropped=dropped,
    )
    return header, tensors


def _oversized(length: int, size: int) -> Header:
    return Header(
        "safetensors",
        expected_size=8 + length,
        complete=False if 8 + length > size else None,
        problem=f"claims a header of {length:,} bytes, more than a safetensors file can have; download it again",
    )


def _parse_safetensors(raw: bytes) -> tuple[dict[str, str], tuple[str, ...], dict[str, _Entry]]:
    if raw.count(b":") > MAX_ENTRIES or raw.count(b",") > 4 * MAX_ENTRIES:
        raise _Malformed("lists more tensors in its header than any model has")
    try:
        if not raw.isascii():
            raw.decode()
        members = _MEMBERS.decode(raw)
        described = members.pop("__metadata__", None)
        metadata, dropped = _decode_metadata(described) if described is not None else ({}, ())
        entries = {name: _ENTRY.decode(value) for name, value in members.items()}
    except (ValueError, RecursionError) as error:  # msgspec's errors and UnicodeDecodeError are ValueErrors
        raise _Malformed("has a header that is no valid safetensors header; download it again") from error
    if _repeats_a_name(raw, len(entries), described is not None):
        raise _Malformed("describes a tensor twice in its header")
    return metadata, dropped, entries


def _decode_metadata(described: msgspec.Raw) -> tuple[dict[str, str], tuple[str, ...]]:
    kept = _Kept()
    for key, value in (_METADATA.decode(described) or {}).items():
        if kept.has_room(key, len(value)):
            kept.add(key, _TEXT.decode(value))
    return kept.metadata, tuple(kept.dropped)


class _Kept:
    """The part of a header's metadata that is worth its room."""

    def __init__(self) -> None:
        self.metadata: dict[str, str] = {}
        self.dropped: list[str] = []
        self._left = MAX_METADATA

    def has_room(self, key: str, size: int) -> bool:
        """Tell whether a value of this many bytes can be kept, and note its key where it cannot."""
        if len(key) <= MAX_KEY and size <= min(MAX_VALUE, self._left):
            return True
        if len(self.dropped) < _MAX_CUTS:
            self.dropped.append(key[:MAX_KEY])
        return False

    def add(self, key: str, value: str) -> None:
        self.metadata[key] = value
        self._left -= len(key) + len(value)


def _repeats_a_name(raw: bytes, tensors: int, has_metadata: bool) -> bool:
    # A decoder keeps the last of two equal names. A quick count finds nearly all headers to be free of that.
    counted = raw.count(b'"data_offsets"') == tensors
    if counted and raw.count(b'"__metadata__"') == has_metadata:
        return False
    try:
        json.loads(raw, object_pairs_hook=_refuse_repeated)
    except (ValueError, RecursionError):
        return True
    return False


def _refuse_repeated(pairs: list[tuple[str, object]]) -> None:
    if len({name for name, _ in pairs}) < len(pairs):
        raise ValueError


def _data_end(entries: dict[str, _Entry]) -> int:
    """Give where the last tensor's data ends. The tensors must lie side by side, as the library demands it."""
    end = 0
    for entry in sorted(entries.values(), key=lambda entry: entry.data_offsets):
        first, last = entry.data_offsets
        if first != end or last < first:
            raise _Malformed("has tensors that overlap or leave gaps; download it again")
        bits = _BITS.get(entry.dtype)
        if bits is not None and _elements(entry.shape) * bits != (last - first) * 8:
            raise _Malformed("gives a tensor a size that does not fit its shape; download it again")
        end = last
    return end


def _elements(shape: Sequence[int]) -> int:
    product = math.prod(shape)
    if product > _MAX_SIZE:
        raise _Malformed("claims a tensor larger than any file")
    return product


def _parameters(tensors: Iterable[Tensor]) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for tensor in tensors:
        counts[tensor.dtype] += _elements(tensor.shape)
    if len(counts) > _MAX_DTYPES or not all(map(_DTYPE.fullmatch, counts)) or counts.total() > _MAX_SIZE:
        raise _Malformed("names kinds of numbers that do not exist")
    return dict(counts.most_common())


# GGUF

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
    """Takes values off the front of a GGUF file, within bounds; raises _Truncated, _Malformed and OSError."""

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
            raise _Truncated
        return taken

    def skip(self, length: int) -> None:
        self._advance(length)
        self._file.seek(self.position)

    def _advance(self, length: int) -> None:
        if self.position + length > MAX_GGUF_HEADER:
            raise _Malformed(f"has a header of more than {MAX_GGUF_HEADER:,} bytes, which is not read")
        if self.position + length > self._size:
            raise _Truncated
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
            raise _Malformed("lists more in its header than any model has")
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
            raise _Malformed("has a header of no kind that is known; download it again")

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
                raise _Truncated
            length: int = unpack(start)[0]
            self._advance(width + length)
            read(length)


def _read_gguf(file: BinaryIO, size: int) -> tuple[Header, list[Tensor]]:
    try:
        reader = _GgufReader(file, size)
        return _parse_gguf(reader, size)
    except _Truncated:
        return Header("gguf", complete=False), []
    except _Malformed as problem:
        return Header("gguf", problem=str(problem)), []


def _parse_gguf(reader: _GgufReader, size: int) -> tuple[Header, list[Tensor]]:
    if reader.version not in {1, 2, 3}:
        raise _Malformed(f"is of GGUF version {reader.version}, which this program cannot read")
    tensor_count = reader.count()
    kept = _Kept()
    for _ in range(reader.count()):
        _take_pair(reader, kept)
    tensors: list[Tensor] = []
    ends: list[int | None] = []
    for _ in range(tensor_count):
        tensor, end = _take_tensor(reader)
        tensors.append(tensor)
        ends.append(end)
    dtypes = _parameters(tensors)
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


def _take_pair(reader: _GgufReader, kept: _Kept) -> None:
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
    if dimensions > _MAX_DIMENSIONS:
        raise _Malformed("has a tensor of impossible shape")
    lengths = [reader.length() for _ in range(dimensions)]
    kind = reader.natural("I")
    offset = reader.natural("Q")
    dtype, block, block_bytes = _GGUF_BLOCKS.get(kind, ("unknown", 0, 0))
    elements = _elements(lengths)
    end = offset + -(-elements // block) * block_bytes if block else None
    if end is not None and end > _MAX_SIZE:
        raise _Malformed("claims a tensor larger than any file")
    return Tensor(name, dtype, tuple(reversed(lengths))), end


def _gguf_size(position: int, alignment: str, ends: Sequence[int | None]) -> int | None:
    if not alignment.isdecimal() or not 0 < int(alignment) <= _GGUF_MAX_ALIGNMENT:
        raise _Malformed("has an impossible alignment")
    if not ends:
        return position
    start = -(-position // int(alignment)) * int(alignment)
    known = [end for end in ends if end is not None]
    return start + max(known) if len(known) == len(ends) else None


# ZIP

_END_RECORD = struct.Struct("<4s4H2IH")  # signature, disks, entries, directory's size and offset, comment's length
_END_LOCATOR = struct.Struct("<4sIQI")
_MAX_COMMENT = 65535


def _zip_complete(file: BinaryIO, size: int) -> bool | None:
    """Tell whether the archive's list of contents, which is written last, is there."""
    length = min(size, _MAX_COMMENT + _END_RECORD.size + _END_LOCATOR.size)
    file.seek(size - length)
    tail = file.read(length)
    position = tail.rfind(b"PK\x05\x06")
    if position < 0:
        return False
    if len(tail) - position < _END_RECORD.size:
        return False
    record = _END_RECORD.unpack_from(tail, position)
    directory_size, offset, comment = record[5], record[6], record[7]
    if position + _END_RECORD.size + comment != len(tail):
        return None
    if offset == 0xFFFFFFFF:
        return _zip64_complete(file, size, tail[:position])
    return True if offset + directory_size <= size - len(tail) + position else None


def _zip64_complete(file: BinaryIO, size: int, before: bytes) -> bool | None:
    if len(before) < _END_LOCATOR.size:
        return None
    signature, _, offset, _ = _END_LOCATOR.unpack(before[-_END_LOCATOR.size :])
    if signature != b"PK\x06\x07" or offset >= size:
        return None
    file.seek(offset)
    return True if file.read(4) == b"PK\x06\x06" else None


# Summary


def summary(header: Header) -> dict[str, object]:
    """Give what is worth keeping of a header, as JSON of at most 64 KiB.

    Metadata values are cut at 4,096 characters, and where all of it is too much the longest go first; `cut`
    names them (the first 32).
    """
    kept, cut = _short_metadata(header.metadata)
    return {
        "format": header.format,
        "tensor_count": header.tensor_count,
        "parameters": header.parameters,
        "dtypes": header.dtypes,
        "metadata": kept,
        "cut": [name[:_MAX_CUT_NAME] for name in (*cut, *header.dropped)[:_MAX_CUTS]],
        "problem": header.problem,
    }


def _short_metadata(metadata: dict[str, str]) -> tuple[dict[str, str], list[str]]:
    short = {key: value[:MAX_SUMMARY_VALUE] for key, value in metadata.items()}
    fitting: set[str] = set()
    left = _MAX_SUMMARY_METADATA
    for key in sorted(short, key=lambda key: len(short[key])):
        left -= len(msgspec.json.encode({key: short[key]}))
        if left < 0:
            break
        fitting.add(key)
    kept = {key: value for key, value in short.items() if key in fitting}
    return kept, [key for key, value in metadata.items() if kept.get(key) != value]
