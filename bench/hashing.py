"""How fast a file is hashed, beside OpenSSL's own figure for this machine; and what the AutoV3 costs beside it."""

import json
import os
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from statistics import median

from hikaze.daemon.hashing import hash_file

from .desk import Desk
from .measure import Row, bytes_a_second, timed, times_the_floor_at_least

SIZE = 1 << 30
TIMES = 5


def rows(desk: Desk) -> Iterator[Row]:
    """SHA-256 of one large file in the page cache, and of two at once; and with the AutoV3 of a safetensors file."""
    size = desk.scaled(SIZE)
    desk.tell(f"hash: writing two files of {size >> 20} MiB")
    paths = [_written(os.path.join(desk.folder(f"hash-{number}"), "file"), size) for number in range(2)]
    desk.tell("hash: openssl, one file and two files in turn")
    model = _written(os.path.join(desk.folder("hash-model"), "file"), size, _header(size))
    floors, ones, twos, both = [], [], [], []
    with ThreadPoolExecutor(2) as pool:
        for _ in range(TIMES):
            floors.append(_openssl())
            ones.append(size / timed(lambda: hash_file(paths[0])))
            twos.append(2 * size / timed(lambda: list(pool.map(hash_file, paths))))
            both.append(size / timed(lambda: hash_file(model)))
    for path in (*paths, model):
        os.remove(path)
    floor = median(floors)
    yield Row(
        "SHA-256 of one file, warm",
        "openssl speed, 1 MiB blocks",
        floor,
        median(ones),
        bytes_a_second,
        times_the_floor_at_least(0.93),
    )
    yield Row(
        "SHA-256 of two files at once",
        "the same",
        floor,
        median(twos),
        bytes_a_second,
        times_the_floor_at_least(1.8),
        f"{median(twos) / median(ones):.2f} x one file",
    )
    yield Row(
        "SHA-256 and AutoV3 together, warm",
        "our SHA-256 of one file",
        median(ones),
        median(both),
        bytes_a_second,
        times_the_floor_at_least(0.9),
    )


def _header(size: int) -> bytes:
    """Give what stands before the tensors of a safetensors file."""
    told = json.dumps({"a": {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}}).encode()
    return len(told).to_bytes(8, "little") + told


def _written(path: str, size: int, before: bytes = b"") -> str:
    block = os.urandom(1 << 20)
    with open(path, "wb") as file:
        file.write(before)
        file.writelines(block for _ in range(max(1, size >> 20)))
        file.flush()
        os.fsync(file.fileno())
    return path


def _openssl() -> float:
    """Give OpenSSL's SHA-256 rate in bytes a second (its `+F` line: number, name, bytes a second)."""
    told = subprocess.run(
        ["openssl", "speed", "-mr", "-seconds", "1", "-evp", "sha256", "-bytes", "1048576"],  # noqa: S607
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return next(float(line.split(":")[-1]) for line in told.splitlines() if line.startswith("+F:"))
