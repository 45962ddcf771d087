"""The three tiers of a picture, beside the encoding of the largest alone."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO

from hikaze.daemon.pictures import METHOD, QUALITIES, write_tiers

from .desk import Desk
from .measure import Row, seconds, side_by_side, times_the_floor_at_most
from .stock import some_picture

TIMES = 5
SIZE = (1024, 1536)


def rows(desk: Desk) -> Iterator[Row]:
    """One picture, and two at once."""
    desk.tell("tiers: high alone, all three, two pictures at once, in turn")
    folder = desk.folder("pictures")
    paths = [os.path.join(folder, f"{number}.png") for number in range(2)]
    picture = some_picture(SIZE)
    for path in paths:
        picture.save(path)
    with ThreadPoolExecutor(2) as pool:
        high, one, two = side_by_side(
            TIMES,
            lambda: picture.save(BytesIO(), "WEBP", quality=QUALITIES["high"], method=METHOD),
            lambda: _make(paths[0]),
            lambda: list(pool.map(_make, paths)),
        )
    yield Row(
        f"three tiers of a {SIZE[0]}x{SIZE[1]} PNG",
        "WebP encode of `high` alone",
        high,
        one,
        seconds,
        times_the_floor_at_most(1.9),
        "with decoding the PNG, and durable files",
    )
    yield Row(
        "tiers of two pictures at once",
        "one after the other",
        2 * one,
        two,
        seconds,
        times_the_floor_at_most(0.6),
        f"{2 * one / two:.2f} x the rate of one",
    )


def _make(path: str) -> None:
    write_tiers(path, lambda tier: f"{path}.{tier}.webp")
