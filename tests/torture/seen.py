"""Reads from a picture the number that `contents.picture` put in, whatever was made of it since."""

import io

from PIL import Image

from .contents import SHADES


def code_of(raw: bytes) -> int:
    """Give the number that a picture shows, whatever format it has by now."""
    with Image.open(io.BytesIO(raw)) as opened:
        grey = opened.convert("L")
        return sum(_level(grey, quarter) << (2 * quarter) for quarter in range(4))


def _level(grey: Image.Image, quarter: int) -> int:
    """Give which shade a quarter of a picture has, by its middle."""
    at = (grey.width * (1 + 2 * (quarter % 2)) // 4, grey.height * (1 + 2 * (quarter // 2)) // 4)
    shade = grey.getpixel(at)
    assert isinstance(shade, int)
    return min(range(len(SHADES)), key=lambda level: abs(SHADES[level] - shade))
