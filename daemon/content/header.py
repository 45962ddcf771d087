"""What a model file says about itself, read from its first bytes: never unpickled, never more than a bounded part.

A model file is hostile input. Whatever its bytes are, reading gives a `Header`, with a `problem` where they make
no sense; the only exception is an OSError from the disk. The formats:

- safetensors: https://github.com/huggingface/safetensors (README, and `validate` in safetensors/src/tensor.rs)
- GGUF: see `gguf`
- what `torch.save` writes (.ckpt, .pt, .pth, .bin), a ZIP archive or, of old, pickles: see `archive`
"""

import errno
import json
import os
import stat
from typing import Annotated, BinaryIO

import msgspec

from ..names import extension
from .archive import is_whole, read_pickle, read_zip
from .gguf import read_gguf
from .parts import (
    MAX_CUTS,
    MAX_DIMENSIONS,
    MAX_SIZE,
    Format,
    Header,
    Kept,
    Malformed,
    Tensor,
    count_parameters,
    elements_of,
)
from .parts import MAX_KEY as MAX_KEY
from .parts import MAX_VALUE as MAX_VALUE

MAX_HEADER = 100_000_000
"""The most bytes a safetensors header may have, by its own library."""

MAX_ENTRIES = 1_000_000
"""The most members a header may list; the largest single-file models have some 140,000 tensors.

Counted before the JSON is decoded, for a hostile header of 100 MB could otherwise become gigabytes of objects.
"""

MAX_SUMMARY_VALUE = 4 * 1024
"""The most characters of one metadata value in a summary."""

_MAX_SUMMARY_METADATA = 46 * 1024  # bytes of JSON; with the bounds on the other parts, 64 KiB in all

_MAX_CUT_NAME = 64


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
            return read_gguf(file, size)
        case "zip":
            return read_zip(file, size)
        case "pickle":
            return read_pickle(file, size)
        case "unknown":
            return Header("unknown"), []


def extent_from(file: BinaryIO, size: int, name: str) -> Header:
    """Read as much of an open file as tells whether it is whole, see `shortfall`. Raises OSError.

    It is `read_from`, less the tensors of archives: to follow a pickle takes time, and tells nothing of its end.
    """
    file.seek(0)
    match _format_of(file.read(9), extension(name)):
        case "zip":
            return Header("zip", complete=is_whole(file, size))
        case "pickle":
            return Header("pickle")
        case _:
            return read_from(file, size, name)[0]


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
_Natural = Annotated[int, msgspec.Meta(ge=0, le=MAX_SIZE)]


class _Entry(msgspec.Struct, gc=False):
    dtype: str
    shape: Annotated[tuple[_Natural, ...], msgspec.Meta(max_length=MAX_DIMENSIONS)]
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
        dtypes = count_parameters(tensors)
    except Malformed as problem:
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
        raise Malformed("lists more tensors in its header than any model has")
    try:
        if not raw.isascii():
            raw.decode()
        members = _MEMBERS.decode(raw)
        described = members.pop("__metadata__", None)
        metadata, dropped = _decode_metadata(described) if described is not None else ({}, ())
        entries = {name: _ENTRY.decode(value) for name, value in members.items()}
    except (ValueError, RecursionError) as error:  # msgspec's errors and UnicodeDecodeError are ValueErrors
        raise Malformed("has a header that is no valid safetensors header; download it again") from error
    if _repeats_a_name(raw, len(entries), described is not None):
        raise Malformed("describes a tensor twice in its header")
    return metadata, dropped, entries


def _decode_metadata(described: msgspec.Raw) -> tuple[dict[str, str], tuple[str, ...]]:
    kept = Kept()
    for key, value in (_METADATA.decode(described) or {}).items():
        if kept.has_room(key, len(value)):
            kept.add(key, _TEXT.decode(value))
    return kept.metadata, tuple(kept.dropped)


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
            raise Malformed("has tensors that overlap or leave gaps; download it again")
        bits = _BITS.get(entry.dtype)
        if bits is not None and elements_of(entry.shape) * bits != (last - first) * 8:
            raise Malformed("gives a tensor a size that does not fit its shape; download it again")
        end = last
    return end


# Summary


def summary(header: Header) -> dict[str, object]:
    """Give what is worth keeping of a header, as JSON of at most 64 KiB.

    Metadata values are cut at 4,096 characters, and where all of it is too much the longest go first; `cut`
    names them (the first 32). `pickle_globals` is there where an unpickler would be asked for them.
    """
    asked: dict[str, object] = {"pickle_globals": list(header.pickle_globals)} if header.pickle_globals else {}
    kept, cut = _short_metadata(header.metadata, _MAX_SUMMARY_METADATA - len(msgspec.json.encode(asked)))
    return asked | {
        "format": header.format,
        "tensor_count": header.tensor_count,
        "parameters": header.parameters,
        "dtypes": header.dtypes,
        "metadata": kept,
        "cut": [name[:_MAX_CUT_NAME] for name in (*cut, *header.dropped)[:MAX_CUTS]],
        "problem": header.problem,
    }


def _short_metadata(metadata: dict[str, str], left: int) -> tuple[dict[str, str], list[str]]:
    short = {key: value[:MAX_SUMMARY_VALUE] for key, value in metadata.items()}
    fitting: set[str] = set()
    for key in sorted(short, key=lambda key: len(short[key])):
        left -= len(msgspec.json.encode({key: short[key]}))
        if left < 0:
            break
        fitting.add(key)
    kept = {key: value for key, value in short.items() if key in fitting}
    return kept, [key for key, value in metadata.items() if kept.get(key) != value]
