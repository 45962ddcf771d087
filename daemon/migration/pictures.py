"""The pictures of an earlier library, made ready beside their places: from an original, or from tiers it had made.

All functions block; call them in a thread. What is made ready lies in `images/tmp/` under a token, as all that is on
its way; whatever becomes of the source meanwhile, what was looked at is what is kept.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace

from .. import companions
from ..hashing import ReadingStopped
from ..imagestore import ImageStore
from ..pictures import (
    HIGH_PIXELS,
    MAX_BYTES,
    RATIOS,
    TIERS,
    Picture,
    PictureRefused,
    inspect,
    inspect_original,
    write_tiers,
)

_ROUNDING = 2  # pixels by which the sides of a tier of Hikaze 2 may differ from ours
_NOT_PLAIN = 0b0010_1110  # flags of a VP8X chunk: profile, EXIF, XMP, animation


@dataclass(frozen=True, slots=True)
class Ready:
    """A picture that is made ready: the original lies at `incoming(token)`, or its tiers at `staged(token, tier)`.

    `original` is the SHA-256 of the file it was made of, `label` its name to people.
    """

    token: str
    picture: Picture
    original: str
    label: str = ""
    has_tiers: bool = False


def receive(store: ImageStore, path: str, label: str = "") -> Ready:
    """Take in an original. Raises `PictureRefused` and OSError; then nothing is left of it."""
    token = store.new_token()
    try:
        store.receive(token, path)
        return Ready(token, *inspect_original(store.incoming(token)), label)
    except ReadingStopped as error:
        store.discard(token)
        raise PictureRefused(str(error)) from error
    except BaseException:
        store.discard(token)
        raise


def with_tiers(store: ImageStore, ready: Ready, tiers: Mapping[str, str] | None = None) -> Ready:
    """Make the tiers of an original that was taken in; those made of it before are taken where they are whole and fit.

    Raises what `write_tiers` raises.
    """
    if ready.has_tiers:
        return ready
    if not tiers or not _take_tiers(store, ready, tiers):
        write_tiers(store.incoming(ready.token), lambda tier: store.staged(ready.token, tier))
    return replace(ready, has_tiers=True)


def _take_tiers(store: ImageStore, ready: Ready, tiers: Mapping[str, str]) -> bool:
    """Stage the tiers as they are, durably; False where one of them is not what it should be."""
    high, token = ready.picture, ready.token
    if not set(TIERS) <= set(tiers) or high.width * high.height > HIGH_PIXELS:
        return False
    for tier in TIERS:
        staged = store.staged(token, tier)
        try:
            companions.copy(store.incoming(token) if tier == "high" else tiers[tier], staged, MAX_BYTES)
            found = high if tier == "high" else inspect(staged)
            if not (_fits(found, high, RATIOS[tier]) and _is_plain(staged)):
                return False
            _sync(staged)
        except (PictureRefused, ReadingStopped, FileNotFoundError):
            return False
    return True


def _fits(tier: Picture, high: Picture, ratio: float) -> bool:
    sides = ((tier.width, high.width), (tier.height, high.height))
    return tier.format == "WEBP" and all(abs(side - whole * ratio) <= _ROUNDING for side, whole in sides)


def _is_plain(path: str) -> bool:
    """Tell whether a WebP carries nothing but its pixels (RFC 9649, 2.7)."""
    with open(path, "rb") as file:
        head = file.read(21)
    return head[12:16] != b"VP8X" or not head[20] & _NOT_PLAIN


def _sync(path: str) -> None:
    """Make a file durable that was copied."""
    with open(path, "rb+") as file:
        os.fsync(file.fileno())
