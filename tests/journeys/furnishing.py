"""A library that looks like somebody's: pictures that resemble art, names, tags and texts as people write them."""

import colorsys
import io
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, PngImagePlugin

from .browsing import House

SIZES = ((512, 768), (640, 640), (512, 640), (768, 512))


# Pictures ---------------------------------------------------------------------------------------------


def art(number: int) -> Image.Image:
    """Paint a picture; the same number gives the same one."""
    pick = random.Random(number)  # noqa: S311 - the same pictures in every run
    painters: Sequence[Callable[[random.Random, tuple[int, int]], Image.Image]] = (hills, portrait, shapes, night)
    return painters[number % len(painters)](pick, SIZES[number % 3 if number % 5 else 3])


def colour(hue: float, saturation: float, value: float) -> tuple[int, int, int]:
    """Give a colour as Pillow takes it."""
    red, green, blue = colorsys.hsv_to_rgb(hue % 1, saturation, value)
    return round(red * 255), round(green * 255), round(blue * 255)


def sky(size: tuple[int, int], top: tuple[int, int, int], bottom: tuple[int, int, int]) -> Image.Image:
    """Paint a gradient from top to bottom with a little grain."""
    width, height = size
    down = np.linspace(0, 1, height, dtype=np.float32)[:, None, None] ** 1.2
    pixels = np.array(top, np.float32) * (1 - down) + np.array(bottom, np.float32) * down
    grain = np.random.default_rng(width * height).normal(0, 2.5, (height, width, 1)).astype(np.float32)
    return Image.fromarray((np.broadcast_to(pixels, (height, width, 3)) + grain).clip(0, 255).astype(np.uint8))


def hills(pick: random.Random, size: tuple[int, int]) -> Image.Image:
    """Paint a sun over hills in haze."""
    hue, (width, height) = pick.random(), size
    made = sky(size, colour(hue, 0.5, 0.45), colour(hue + 0.12, 0.45, 0.98))
    draw = ImageDraw.Draw(made, "RGBA")
    x, y, radius = width * pick.uniform(0.3, 0.7), height * pick.uniform(0.22, 0.4), width * pick.uniform(0.08, 0.15)
    for grow, strength in ((2.6, 26), (1.8, 40), (1.3, 70), (1, 255)):
        draw.ellipse(around(x, y, radius * grow), fill=(*colour(hue + 0.13, 0.2, 1), strength))
    for layer in range(5):
        base, bend = height * (0.5 + 0.1 * layer), pick.uniform(0, 6)
        ridge = [
            (
                at,
                base
                + height * (0.05 * np.sin(at / width * (3 + layer) + bend) + 0.02 * np.sin(at / width * 17 + bend)),
            )
            for at in range(0, width + 9, 8)
        ]
        draw.polygon(
            [(0, height), *ridge, (width, height)], fill=(*colour(hue + 0.02 * layer, 0.55, 0.62 - 0.1 * layer), 235)
        )
    return made.filter(ImageFilter.GaussianBlur(0.7))


def portrait(pick: random.Random, size: tuple[int, int]) -> Image.Image:
    """Paint head and shoulders before a halo, of nothing but round shapes."""
    hue, (width, height) = pick.random(), size
    made = sky(size, colour(hue, 0.45, 0.32), colour(hue + 0.06, 0.5, 0.75))
    draw = ImageDraw.Draw(made, "RGBA")
    x, y, unit = width * pick.uniform(0.44, 0.56), height * 0.4, min(size) * 0.2
    for ring in range(7, 0, -1):
        draw.ellipse(around(x, y, unit * (1 + ring * 0.28)), fill=(*colour(hue + 0.5, 0.35, 0.95), 16))
    hair, skin, cloth = (
        colour(hue + 0.55, 0.6, 0.25),
        colour(0.06, pick.uniform(0.25, 0.5), pick.uniform(0.6, 0.95)),
        colour(hue + 0.35, 0.55, 0.6),
    )
    draw.ellipse((x - unit * 1.25, y - unit * 1.35, x + unit * 1.25, y + unit * 2.3), fill=hair)
    draw.ellipse((x - unit * 2.3, y + unit * 1.75, x + unit * 2.3, y + unit * 6), fill=cloth)
    draw.rounded_rectangle(
        (x - unit * 0.36, y + unit * 0.7, x + unit * 0.36, y + unit * 2),
        unit * 0.3,
        fill=tuple(part * 9 // 10 for part in skin),
    )
    draw.ellipse((x - unit * 0.86, y - unit, x + unit * 0.86, y + unit * 1.2), fill=skin)
    draw.pieslice((x - unit * 0.98, y - unit * 1.2, x + unit * 0.98, y + unit * 0.9), 180, 360, fill=hair)
    for side in (-1, 1):
        draw.ellipse(around(x + side * unit * 0.34, y + unit * 0.12, unit * 0.075), fill=(30, 24, 30))
        draw.ellipse(around(x + side * unit * 0.46, y + unit * 0.46, unit * 0.16), fill=(230, 110, 110, 70))
    draw.arc(
        (x - unit * 0.24, y + unit * 0.42, x + unit * 0.24, y + unit * 0.72),
        20,
        160,
        fill=(120, 50, 60),
        width=max(2, int(unit * 0.05)),
    )
    return made.filter(ImageFilter.GaussianBlur(0.6))


def shapes(pick: random.Random, size: tuple[int, int]) -> Image.Image:
    """Paint a poster of a few large shapes."""
    hue, (width, height) = pick.random(), size
    paper = colour(hue + 0.1, 0.1, 0.95)
    made = sky(size, paper, colour(hue + 0.12, 0.16, 0.9))
    draw = ImageDraw.Draw(made, "RGBA")
    for number in range(5):
        x, y, radius = pick.uniform(0.1, 0.9) * width, pick.uniform(0.1, 0.9) * height, pick.uniform(0.12, 0.34) * width
        fill = (
            *colour(hue + pick.choice((0, 0.08, 0.45, 0.55)), pick.uniform(0.4, 0.8), pick.uniform(0.35, 0.95)),
            220,
        )
        if number % 2:
            draw.pieslice(around(x, y, radius), pick.randrange(360), pick.randrange(360) + 200, fill=fill)
        else:
            draw.rounded_rectangle(around(x, y, radius * 0.8), radius * 0.15, fill=fill)
    for line in range(9):
        at = height * (0.62 + 0.03 * line)
        draw.line((width * 0.1, at, width * pick.uniform(0.4, 0.9), at), fill=(*colour(hue, 0.7, 0.2), 150), width=3)
    return made


def night(pick: random.Random, size: tuple[int, int]) -> Image.Image:
    """Paint a street of lit windows at night."""
    hue, (width, height) = 0.6 + pick.random() * 0.25, size
    made = sky(size, colour(hue, 0.7, 0.12), colour(hue + 0.12, 0.75, 0.55))
    draw = ImageDraw.Draw(made, "RGBA")
    for _ in range(70):
        draw.ellipse(
            around(pick.random() * width, pick.random() * height * 0.5, pick.uniform(0.4, 1.6)),
            fill=(255, 255, 255, 150),
        )
    for depth in range(3):
        x = -20.0
        while x < width:
            wide, tall = width * pick.uniform(0.1, 0.2), height * pick.uniform(0.25, 0.5) * (1 + 0.25 * depth)
            draw.rectangle((x, height - tall, x + wide, height), fill=colour(hue, 0.55, 0.32 - 0.1 * depth))
            for at in range(int(tall // 24)):
                for column in range(int(wide // 18)):
                    if pick.random() < 0.35:
                        left, top = x + 6 + column * 18, height - tall + 8 + at * 24
                        draw.rectangle(
                            (left, top, left + 8, top + 12),
                            fill=(*colour(pick.choice((0.1, 0.13, 0.9, 0.5)), 0.5, 1), 210),
                        )
            x += wide + pick.uniform(2, 14)
    return made.filter(ImageFilter.GaussianBlur(0.5))


def around(x: float, y: float, radius: float) -> tuple[float, float, float, float]:
    """Give the square around a circle."""
    return x - radius, y - radius, x + radius, y + radius


def as_png(number: int, prompt: str) -> bytes:
    """Give a painted picture as a PNG that tells how it was made."""
    info, file = PngImagePlugin.PngInfo(), io.BytesIO()
    info.add_text(
        "parameters",
        f"{prompt}, soft morning light, masterpiece\nNegative prompt: photo, text, watermark, blurry\n"
        f"Steps: 28, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 6.5, Seed: {8_123_456_789 + number}, "
        "Size: 832x1216, Model: sdxl_base, Version: v1.9.4",
    )
    art(number).save(file, "PNG", pnginfo=info, compress_level=1)
    return file.getvalue()


# Models -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Made:
    """A model to be made: its name, tags, and how many pictures it has."""

    name: str
    tags: str
    pictures: int = 1
    more: "dict[str, Any] | None" = None


DESCRIPTION = """Soft **ink wash** landscapes in the manner of *sumi-e*.

- works from 0.6 to 0.9
- keep the negative short; it does not like `photo`

See [the notes](https://example.org/notes)."""
INK = {
    "description": DESCRIPTION,
    "community_links": "https://example.org/models/ink-wash\nask Mia for the training set",
    "trigger_words": ["ink wash", "sumi-e style", "misty valley"],
    "prompts": {"positive": "ink wash painting of a mountain valley in mist, pine trees", "negative": "photo, text"},
    "favorite": True,
}

MODELS = (
    Made("Ink Wash Landscapes", "landscape, ink, sdxl, style", 4, INK),
    Made("Porcelain Portraits XL", "portrait, sdxl, character", 2),
    Made("Brutalist Poster", "poster, style, flux"),
    Made("Neon Alley v2", "cityscape, cyberpunk, sdxl", 2, {"favorite": True}),
    Made("Mossy Ruins", "landscape, fantasy, flux"),
    Made("Quiet Portraits", "portrait, watercolour, sdxl", 1, {"favorite": True}),
    Made("Paper Cut Shapes", "style, concept, pony"),
    Made("Harbour at Night", "cityscape, landscape, flux"),
    Made("Alpine Haze", "landscape, photographic, sdxl"),
    Made("Gilded Saints", "portrait, concept, pony"),
    Made("Bauhaus Grid", "poster, style, sdxl", 2),
    Made("Rain on Glass", "cityscape, photographic, sd 1.5"),
    Made("Detail Slider XL", "slider, sdxl", 0),
    Made("Amber Portraits", "portrait, lighting, sdxl"),
    Made("Cut-out Collage", "style, poster, pony"),
    Made("Lantern Streets", "cityscape, anime, sdxl"),
    Made("Valley of Foxes", "landscape, anime, fantasy"),
    Made("Studio Faces", "portrait, photographic, flux"),
    Made("Risograph Prints", "style, poster, ink"),
    Made("Midnight Tram", "cityscape, anime, sd 1.5"),
    Made("Dunes at Dusk", "landscape, lighting, flux"),
    Made("Watercolour People", "portrait, watercolour, style"),
    Made("Hands, But Better", "concept, slider, pony", 0),
    Made("Tokyo Rooftops", "cityscape, anime, lighting"),
    Made("Undressed Study", "nsfw, portrait, concept"),
)
WAITING = (
    ("Cel Shade Heroes v3", 33),
    ("Winter Valley LoRA", 36),
    ("Folded Paper", 38),
    ("Old_Town-epoch12", 43),
    ("untitled_lora-000008", None),
)


def furnish(house: House) -> None:
    """Give a daemon a library and some that waits; one model is missing, one file is a conflict, one has failed."""
    for number, made in enumerate(MODELS):
        stem = house.home / "drop" / made.name
        if made.pictures:
            Path(f"{stem}.png").write_bytes(as_png(number, made.name.lower()))
        house.drop(made.name, number + 1, size=(8, 4_000 + 900 * (number * 7 % 11)))
    house.wait_for(lambda: house.status()["counts"]["pending"] == len(MODELS), "all are pending")
    house.ask("POST", "/api/migration/import_a_model", {"id": "all"})
    house.wait_for(lambda: house.status()["counts"]["models"] == len(MODELS), "all are imported")
    for number, made in enumerate(MODELS):
        model = house.patch(made.name, tags=made.tags.split(", "), **(made.more or {}))
        for extra in range(1, made.pictures):
            house.give(model["sha256"], as_png(number + 100 * extra, made.name.lower()))
    house.ask("PATCH", f"/api/models/{house.model('Detail Slider XL')['sha256']}", {"type": "checkpoints"})
    (house.home / "loras" / "Rain on Glass.safetensors").unlink()
    let_wait(house)


def let_wait(house: House) -> None:
    """Have some files wait to be imported."""
    for number, (name, picture) in enumerate(WAITING):
        if picture is not None:
            (house.home / "drop" / f"{name}.png").write_bytes(as_png(picture, name.lower()))
        house.drop(name, 500 + number, known_type=picture is not None, size=(8, 5_000 + 1_300 * number))
    (house.home / "drop" / "Ink Wash (copy).png").write_bytes(as_png(52, "ink wash"))
    house.drop("Ink Wash (copy)", 1, size=(8, 4_000))
    house.wait_for(lambda: house.status()["counts"]["pending"] == len(WAITING) + 1, "all wait")
    waits = house.pending()
    house.ask("POST", "/api/migration/import_a_model", {"id": waits["Ink Wash (copy)"]["id"]})
    unhoused = waits["Folded Paper"]["id"]
    house.ask("PATCH", "/api/migration/pending_model", {"type": "embeddings"}, id=unhoused)
    house.ask("POST", "/api/migration/import_a_model", {"id": [unhoused]})
    house.wait_for(lambda: (house.pending()["Folded Paper"]["import"] or {}).get("state") == "failed", "one has failed")
    house.wait_for(lambda: house.model("Rain on Glass")["state"] == "missing", "one is missing")
