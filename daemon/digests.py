"""The hashes of a content, worked out together while its blocks come: SHA-256, and those by which others call models.

- AutoV1: the first 8 digits of the SHA-256 of 64 KiB from 1 MiB on (`model_hash` of modules/sd_models.py, in
  https://github.com/AUTOMATIC1111/stable-diffusion-webui)
- AutoV3: the SHA-256 of a safetensors file behind its header (`addnet_hash_safetensors` of modules/hashes.py, there)
"""

import hashlib
import os
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from io import FileIO
from typing import BinaryIO

BLOCKS_KEPT = 3
"""How many blocks a second thread may be at work on: with one alone, each of the two would wait for the other."""

_AUTOV1_FROM, _AUTOV1_TO = 1 << 20, (1 << 20) + (64 << 10)
_AUTOV1_DIGITS = 8
_BEGINNING = 9  # bytes that tell a safetensors file
_TAIL = 64 << 10
_LONGEST_HEADER = 100_000_000  # bytes of a safetensors header, by its own library


class Digests:
    """Takes a file's blocks in, in order, for all its hashes; `close` ends the thread that it may have.

    The AutoV3 is ready when it is closed. With a thread a block is in use until `BLOCKS_KEPT` were taken, it included.
    """

    def __init__(self, size: int, *, side_by_side: bool) -> None:
        """Hash a file of `size` bytes; `side_by_side` works the AutoV3 out in a second thread."""
        self.sha256 = hashlib.sha256()
        self._size = size
        self._done = 0
        self._of_64_kib = hashlib.sha256()
        self._of_tensors = hashlib.sha256()
        self._tensors_at = size
        self._beside = ThreadPoolExecutor(1, "hikaze-autov3") if side_by_side else None
        self._left: deque[Future[None]] = deque()

    @property
    def autov1(self) -> str | None:
        """The AutoV1, None where the file ends before its part of it begins."""
        return self._of_64_kib.hexdigest()[:_AUTOV1_DIGITS] if self._size > _AUTOV1_FROM else None

    @property
    def autov3(self) -> str | None:
        """The AutoV3, None where the file is no safetensors file, or holds no tensors."""
        return self._of_tensors.hexdigest() if self._tensors_at < self._size else None

    def take(self, block: memoryview) -> None:
        """Take in the next block."""
        if not self._done:
            self._tensors_at = _tensors_at(block, self._size)
        at, self._done = self._done, self._done + len(block)
        if at < _AUTOV1_TO:
            self._of_64_kib.update(_part(block, at, _AUTOV1_FROM, _AUTOV1_TO))
        tensors = _part(block, at, self._tensors_at, self._size)
        if self._beside is None or not tensors:
            self._of_tensors.update(tensors)
            self.sha256.update(block)
            return
        self._left.append(self._beside.submit(self._of_tensors.update, tensors))
        self.sha256.update(block)
        if len(self._left) == BLOCKS_KEPT:
            self._left.popleft().result()

    def close(self) -> None:
        """End the second thread, when it is done with what it was given."""
        if self._beside is not None:
            self._beside.shutdown()


def _part(block: memoryview, at: int, begin: int, end: int) -> memoryview:
    """Give what of a block that lies `at` bytes from the beginning lies between two places in the file."""
    return block[max(0, begin - at) : max(0, end - at)]


def _tensors_at(start: memoryview, size: int) -> int:
    """Give where the tensors of a file begin, by its first bytes: at its end where it is no safetensors file."""
    length = int.from_bytes(start[:8], "little")
    plausible = bytes(start[8:9]) == b"{" and length <= _LONGEST_HEADER
    return min(8 + length, size) if plausible else size


def autov1_of(file: BinaryIO | FileIO) -> str | None:
    """Give the AutoV1 of an open file, whose position is moved; None where it is too short. Raises OSError."""
    found = _hash_at(file, _AUTOV1_FROM, _AUTOV1_TO - _AUTOV1_FROM)
    return None if found is None else found[:_AUTOV1_DIGITS]


def tail_of(file: BinaryIO | FileIO) -> str | None:
    """Give a digest of the end of the tensors of an open safetensors file; None where it has none. Raises OSError."""
    size = os.fstat(file.fileno()).st_size
    file.seek(0)
    behind = size - _tensors_at(memoryview(file.read(_BEGINNING) or b""), size)
    return _hash_at(file, size - min(behind, _TAIL), _TAIL)


def _hash_at(file: BinaryIO | FileIO, begin: int, length: int) -> str | None:
    """Hash a part of an open file; None where the file ends before it."""
    file.seek(begin)
    data = bytearray()
    while len(data) < length and (read := file.read(length - len(data))):
        data += read
    return hashlib.sha256(data).hexdigest() if data else None
