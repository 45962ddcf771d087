"""What the files of a storm hold and what they are called: few contents that come again and again, every kind of name.

Everything here follows from a seed, and needs the standard library alone: the processes of a storm start often.
"""

import hashlib
import json
import os
import random
import struct
import zlib
from collections.abc import Mapping

SIZES = (600, 600, 600, 2_000, 2_000, 9_000, 70_000)
"""Bytes of tensor in the contents there are; equal ones on purpose, so that the size alone tells nothing."""

LOST = "sacred"
"""The folder in each root that no storm touches: what lies there must be there, untouched, whatever happens."""

MODEL = (".safetensors", ".sft", ".SafeTensors", ".ckpt", ".pt", ".pth", ".bin", ".gguf")
OTHER = ("", ".txt", ".json", ".part", ".crdownload", ".tmp", ".safetensors.part", ".ckpt.aria2", ".safetensors.txt")
MARKERS = (".aria2", ".part", ".crdownload")
"""What the storm lays beside a file to say that it is being downloaded."""

_STEMS = (
    "model", "Model", "MODEL", "a", "v1.5", "b.c.d", "-rf", "--", " leading", "trailing ", "dot.", "dots...",
    'quo"te', "it's", "`tick`", "per%cent", "%00", "100%25", "new\nline", "tab\there", "back\\slash", "$HOME", "*", "?",
    "a" * 40, "😀🎨", "日本語モデル", "Ünïcödé", "u\u0308ber", "\u00fcber", "\u202eevil", "caf\u00e9", "cafe\u0301",
    "~tilde", "#hash", "sp  ace", "()[]{}", "&amp;", "<b>", "NUL", "con", "0", "nbsp\u00a0", "stem.preview",
)  # fmt: skip
_BYTES = (b"\xff\xfe", b"caf\xe9", b"\x80", b"ok\xc3", b"\xed\xa0\x80x")  # no valid UTF-8


def safetensors(seed: int, size: int) -> bytes:
    """Give a whole safetensors file with `size` bytes in its one tensor; another seed is other content of that size."""
    rng = random.Random(f"{seed}/{size}")  # noqa: S311 - the same bytes in every run
    name = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_k.lora_down.weight"
    header = json.dumps({name: {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}}).encode()
    header += b" " * (-len(header) % 8)
    return struct.pack("<Q", len(header)) + header + rng.randbytes(size)


def pool() -> list[bytes]:
    """Give the contents of the storm."""
    return [safetensors(number, size) for number, size in enumerate(SIZES)]


def hashes() -> frozenset[str]:
    """Give the SHA-256 of each content that is whole: a file that holds one of them is finished."""
    return frozenset(hashlib.sha256(content).hexdigest() for content in pool())


def a_name(rng: random.Random) -> str:
    """Give a name for a file, a model's mostly, as the os functions take it."""
    return _fit(_stem(rng), rng.choice(MODEL if rng.random() < 0.85 else OTHER))


def a_folder(rng: random.Random) -> str:
    """Give a name for a folder; some look like files, or like downloads."""
    return _fit(_stem(rng), rng.choice(("", "", "", ".d", ".v2", ".safetensors", ".part", "..")))


def _stem(rng: random.Random) -> str:
    kind = rng.random()
    if kind < 0.45:
        return f"m{rng.randrange(12)}"
    if kind < 0.52:
        return os.fsdecode(rng.choice(_BYTES)) + str(rng.randrange(3))
    if kind < 0.56:
        return rng.choice(("x", "é")) * 300
    return rng.choice(_STEMS)


def _fit(stem: str, ending: str) -> str:
    """Give a name of at most 255 bytes, which is what file systems take; never one that is hidden or no name."""
    raw = os.fsencode(stem)
    room = 255 - len(ending)
    while len(raw) > room:
        stem = stem[:-1]
        raw = os.fsencode(stem)
    name = stem + ending
    return name if name.strip(".") else f"m{name}"


# Pictures ---------------------------------------------------------------------------------------------

SHADES = (20, 90, 160, 230)
COMPANION = 0
"""The code of the pictures that the storm lays beside models; those of people have others."""
CODES = len(SHADES) ** 4


def picture(code: int) -> bytes:
    """Give a PNG that shows a number below `CODES`, as four grey quarters; it survives being made into a WebP."""
    half = 32
    shades = [bytes([SHADES[code >> (2 * quarter) & 3]]) * half for quarter in range(4)]
    lines = (b"\0" + shades[0] + shades[1]) * half + (b"\0" + shades[2] + shades[3]) * half
    chunks: Mapping[bytes, bytes] = {
        b"IHDR": struct.pack(">IIBBBBB", 2 * half, 2 * half, 8, 0, 0, 0, 0),
        b"IDAT": zlib.compress(lines),
        b"IEND": b"",
    }
    body = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks.items()
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(body)
