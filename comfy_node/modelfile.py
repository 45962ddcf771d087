"""Whether a model file is whole, as far as its beginning and its size tell, in a few milliseconds.

ComfyUI would find out as well, but only in the middle of a run, and not say it in one sentence.
"""

import json
import os
import stat
import zipfile
from dataclasses import dataclass
from typing import Any, BinaryIO

SAFETENSORS = (".safetensors", ".sft")
# More than any header there is; the format's own limit.
MOST_HEADER_BYTES = 100_000_000
AGAIN = "download or copy it again"

_LENGTH = 8
_METADATA = "__metadata__"
_ZIP = b"PK\x03\x04"


class FileFault(Exception):
    """A file cannot be loaded; the message is one sentence that ends with what to do, and leaves out the path."""


@dataclass(frozen=True)
class Stamp:
    """What tells one state of a file from the next without reading it."""

    path: str
    size: int
    mtime_ns: int
    inode: int
    device: int

    @classmethod
    def of(cls, path: str) -> "Stamp":
        """Look at a file."""
        found = os.stat(path)
        return cls(path, found.st_size, found.st_mtime_ns, found.st_ino, found.st_dev)


def check(path: str) -> None:
    """Make sure that a model file is here, can be read, and is not cut off."""
    try:
        found = os.stat(path)
        if not stat.S_ISREG(found.st_mode):
            raise FileFault("it is not a file but a folder or a device")
        _check_content(path, found.st_size)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise FileFault("there is no such file; choose it again in the node") from error
    except OSError as error:
        raise FileFault(f"it cannot be read: {error.strerror or error}") from error


def _check_content(path: str, size: int) -> None:
    if size == 0:
        raise FileFault(f"it is empty; {AGAIN}")
    with open(path, "rb") as file:
        if path.lower().endswith(SAFETENSORS):
            _check_length(size, _whole_length(file, size))
        elif file.read(len(_ZIP)) == _ZIP and not zipfile.is_zipfile(path):
            raise FileFault(f"it is cut off; {AGAIN}")


def _check_length(size: int, whole: int) -> None:
    if size < whole:
        raise FileFault(f"it is cut off: {size:,} of {whole:,} bytes are there; {AGAIN}")
    if size > whole:
        raise FileFault(f"it is damaged: {size - whole:,} bytes follow its end; {AGAIN}")


def _whole_length(file: BinaryIO, size: int) -> int:
    """Give the length that a safetensors file must have, by its header."""
    length = int.from_bytes(file.read(_LENGTH), "little")
    if size < _LENGTH or length > MOST_HEADER_BYTES or file.read(1) != b"{":
        raise FileFault(f"it is no safetensors file; {AGAIN}")
    if size < _LENGTH + length:
        raise FileFault(f"it is cut off within its header; {AGAIN}")
    file.seek(_LENGTH)
    return _LENGTH + length + _data_length(file.read(length))


def _data_length(header: bytes) -> int:
    try:
        tensors: dict[str, dict[str, Any]] = json.loads(header)
        return max((int(tensor["data_offsets"][1]) for name, tensor in tensors.items() if name != _METADATA), default=0)
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError) as error:
        raise FileFault(f"its header is damaged; {AGAIN}") from error
