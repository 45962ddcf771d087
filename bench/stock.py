"""Pictures as people have them, of which each file is one of its own: drawn a few times, and told apart by a text."""

import struct
import zlib
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO

from hikaze.daemon.pictures import METHOD, QUALITIES, TIERS, tier_sizes
from PIL import Image

Size = tuple[int, int]

DRAWN = 3  # pictures of each kind, which all others are copies of but for their text
_SITE_SIZE, _OWN_SIZE = (512, 768), (832, 1216)  # what model sites show; SDXL's usual size
_KINDS: tuple[tuple[str, str, Size], ...] = (
    (".jpg", "JPEG", _SITE_SIZE),
    (".jpg", "JPEG", _OWN_SIZE),
    (".jpg", "JPEG", _SITE_SIZE),
    (".jpg", "JPEG", _OWN_SIZE),
    (".png", "PNG", _OWN_SIZE),
)


@dataclass(frozen=True, slots=True)
class _Drawn:
    """A picture as a file, and its three tiers as an import would make them."""

    extension: str
    file: bytes
    tiers: dict[str, bytes]


class Stock:
    """Pictures by number; the same number gives the same."""

    @cached_property
    def _drawn(self) -> list[_Drawn]:
        return [_draw(*kind) for _ in range(DRAWN) for kind in _KINDS]

    def original(self, number: int) -> tuple[str, bytes]:
        """Give a picture's extension and its file, which is like no other."""
        drawn = self._of(number)
        text = f"masterpiece, best quality, a castle at dawn, number {number}".encode()
        return drawn.extension, _with_text(drawn.file, text)

    def tiers(self, number: int) -> dict[str, bytes]:
        """Give the WebP files of a picture's tiers."""
        return self._of(number).tiers

    def _of(self, number: int) -> _Drawn:
        return self._drawn[(number + number // len(self._drawn)) % len(self._drawn)]  # not in step with 2, 3 or 5


def some_picture(size: Size) -> Image.Image:
    """Make a picture with smooth parts, edges and grain, as generated ones have; its size is in pixels."""
    width, height = size
    smooth = Image.merge(
        "RGB",
        (
            Image.linear_gradient("L").resize(size),
            Image.radial_gradient("L").resize(size),
            Image.linear_gradient("L").rotate(90).resize(size),
        ),
    )
    edges = Image.effect_noise((width // 32, height // 32), 90).resize(size, Image.Resampling.NEAREST)
    grain = Image.effect_noise(size, 20)
    return Image.blend(Image.blend(smooth, edges.convert("RGB"), 0.35), grain.convert("RGB"), 0.2)


def put(path: str, content: bytes) -> str:
    """Write a file; gives its path."""
    with open(path, "wb") as file:
        file.write(content)
    return path


def encode_plainly(file: bytes) -> dict[str, bytes]:
    """Make the tiers of a picture with Pillow and nothing else."""
    with Image.open(BytesIO(file)) as opened:
        return _encoded(opened.convert("RGB"))


def _draw(extension: str, format_: str, size: Size) -> _Drawn:
    picture, file = some_picture(size), BytesIO()
    picture.save(file, format_, quality=90)
    return _Drawn(extension, file.getvalue(), _encoded(picture))


def _encoded(picture: Image.Image) -> dict[str, bytes]:
    """Encode the tiers, each from the one above."""
    made: dict[str, bytes] = {}
    for tier, size in tier_sizes(*picture.size).items():
        picture = picture if picture.size == size else picture.resize(size, Image.Resampling.LANCZOS)
        file = BytesIO()
        picture.save(file, "WEBP", quality=QUALITIES[tier], method=METHOD)
        made[tier] = file.getvalue()
    assert tuple(made) == TIERS
    return made


def _with_text(file: bytes, text: bytes) -> bytes:
    """Put a text into a PNG as a tEXt chunk at its end, into a JPEG as a comment at its beginning."""
    if file.startswith(b"\x89PNG"):
        chunk = b"tEXtparameters\0" + text
        whole = struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
        return file[:-12] + whole + file[-12:]
    return file[:2] + b"\xff\xfe" + struct.pack(">H", len(text) + 2) + text + file[2:]
