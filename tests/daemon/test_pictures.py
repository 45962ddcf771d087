import base64
import importlib
import os
import stat
import struct
import subprocess
import sys
import warnings
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hikaze.daemon.pictures import (
    HIGH_PIXELS,
    MAX_BYTES,
    MAX_TEXT_BYTES,
    TIERS,
    Picture,
    PictureRefused,
    inspect,
    tier_sizes,
    write_tiers,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, PngImagePlugin

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)
FORMATS = ["PNG", "JPEG", "WEBP", "GIF", "AVIF"]
XMP = '<x:xmpmeta xmlns:x="adobe:ns:meta/">castle \u57ce</x:xmpmeta>'
SECRET = "masterpiece, castle"  # noqa: S105 - a prompt
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def encoded(kind: str, image: Image.Image | None = None, **options: Any) -> bytes:
    buffer = BytesIO()
    (image or Image.linear_gradient("L").resize((48, 32)).convert("RGB")).save(buffer, kind, **options)
    return buffer.getvalue()


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png_with(*chunks: bytes, image: Image.Image | None = None, late: bool = False) -> bytes:
    """Give a PNG with more chunks, after its header or, if late, before its end."""
    data = encoded("PNG", image)
    at = len(data) - 12 if late else 33
    return data[:at] + b"".join(chunks) + data[at:]


def exif(fields: dict[int, Any], inner: dict[int, Any] | None = None) -> bytes:
    block = Image.Exif()
    block.update(fields)
    block.get_ifd(0x8769).update(inner or {})
    return block.tobytes()


def average(image: Image.Image) -> tuple[int, ...]:
    pixel = image.resize((1, 1), Image.Resampling.BOX).getpixel((0, 0))
    return pixel if isinstance(pixel, tuple) else (int(pixel or 0),)


def near(colour: tuple[int, ...], wanted: tuple[int, ...], by: int = 12) -> bool:
    return len(colour) == len(wanted) and all(abs(a - b) <= by for a, b in zip(colour, wanted, strict=True))


@pytest.fixture
def save(tmp_path: Path) -> Callable[[bytes], str]:
    def write(data: bytes) -> str:
        path = tmp_path / "picture"
        path.write_bytes(data)
        return str(path)

    return write


@pytest.fixture
def tiers(tmp_path: Path, save: Callable[[bytes], str]) -> Callable[[bytes], dict[str, Image.Image]]:
    def make(data: bytes) -> dict[str, Image.Image]:
        sizes = write_tiers(save(data), lambda tier: str(tmp_path / tier))
        images: dict[str, Image.Image] = {tier: Image.open(BytesIO((tmp_path / tier).read_bytes())) for tier in TIERS}
        assert {tier: image.size for tier, image in images.items()} == sizes
        assert {image.format for image in images.values()} == {"WEBP"}
        return images

    return make


# --- What a picture is ---


@pytest.mark.parametrize(
    ("kind", "extension"),
    [("PNG", ".png"), ("JPEG", ".jpg"), ("WEBP", ".webp"), ("GIF", ".gif"), ("AVIF", ".avif")],
)
def test_the_content_tells_the_type(tmp_path: Path, kind: str, extension: str):
    """A picture is what its content says, whatever its name says."""
    path = tmp_path / "foo.tiff"
    path.write_bytes(encoded(kind))

    assert inspect(str(path)) == Picture(kind, extension, 48, 32, {})


@pytest.mark.parametrize("orientation", range(1, 9))
def test_width_and_height_are_as_shown(save: Callable[[bytes], str], orientation: int):
    """EXIF orientation counts: a picture lying on its side has its sides the other way round."""
    picture = inspect(save(encoded("JPEG", exif=exif({0x0112: orientation}))))

    assert (picture.width, picture.height) == ((48, 32) if orientation < 5 else (32, 48))


def test_png_texts(save: Callable[[bytes], str]):
    """All three kinds of PNG text are found, before and behind the pixels, UTF-8 read as such."""
    info = PngImagePlugin.PngInfo()
    info.add_text("parameters", "castle, Stra\u00dfe")
    info.add_text("prompt", '{"3": {}}', zip=True)
    info.add_itxt("Title", "\u57ce", lang="ja", tkey="\u984c")
    info.add_itxt("workflow", '{"nodes": []}', zip=True)
    info.add(b"tEXt", "raw\0\u57ce".encode(), after_idat=True)

    assert inspect(save(encoded("PNG", pnginfo=info))).texts == {
        "parameters": "castle, Stra\u00dfe",
        "prompt": '{"3": {}}',
        "Title": "\u57ce",
        "workflow": '{"nodes": []}',
        "raw": "\u57ce",
    }


def test_a_keyword_cannot_pass_for_exif(save: Callable[[bytes], str]):
    """What is under `exif` and `xmp` is the EXIF block and the XMP packet, or nothing."""
    data = png_with(chunk(b"tEXt", b"exif\0!"), chunk(b"tEXt", b"xmp\0!"), chunk(b"tEXt", b"\0no name"))

    assert inspect(save(data)).texts == {}


@pytest.mark.parametrize("kind", ["JPEG", "GIF"])
def test_comment(save: Callable[[bytes], str], kind: str):
    """The comment of a JPEG or a GIF is kept."""
    assert inspect(save(encoded(kind, comment=b"a castle"))).texts == {"comment": "a castle"}


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "AVIF"])
def test_xmp(save: Callable[[bytes], str], kind: str):
    """The XMP packet is kept as text."""
    data = encoded(kind, xmp=XMP.encode()) if kind != "PNG" else None
    data = data or png_with(chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP.encode()))

    assert inspect(save(data)).texts == {"xmp": XMP}


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "AVIF"])
def test_exif(save: Callable[[bytes], str], kind: str):
    """The EXIF block is kept whole, and its texts by name."""
    fields = {0x010F: "workflow:{}", 0x010E: "Gr\u00fc\u00dfe".encode(), 0x9C9C: "\u57ce".encode("utf-16-le")}
    block = exif(fields, {0x9286: b"ASCII\0\0\0castle"})

    texts = inspect(save(encoded(kind, exif=block))).texts

    kept = base64.b64decode(texts.pop("exif")).removeprefix(b"Exif\0\0")
    assert kept == block.removeprefix(b"Exif\0\0")
    assert texts == {
        "Make": "workflow:{}",
        "ImageDescription": "Gr\u00fc\u00dfe",
        "XPComment": "\u57ce",
        "UserComment": "castle",
    }


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (b"ASCII\0\0\0castle\0\0", "castle"),
        (bytes(8) + "\u57ce".encode(), "\u57ce"),
        (b"UNICODE\0" + "castle \u57ce".encode("utf-16-be"), "castle \u57ce"),
        (b"UNICODE\0" + "castle \u57ce".encode("utf-16-le"), "castle \u57ce"),
        (b"UNICODE\0" + "castle".encode("utf-16"), "castle"),
        (b"UNICODE\0" + "\u57ce\u5e02".encode("utf-16-be"), "\u57ce\u5e02"),
        (b"UNICODE\0" + b"\0a\xd8\0\0b", "a\ufffdb"),
        (b"a plain text", "a plain text"),
    ],
)
def test_user_comment(save: Callable[[bytes], str], value: bytes, text: str):
    """A UserComment is read in its character set, in either byte order, as tools really write it."""
    texts = inspect(save(encoded("JPEG", exif=exif({}, {0x9286: value})))).texts

    assert texts["UserComment"] == text


def test_large_texts_are_left_out_largest_first(save: Callable[[bytes], str]):
    """Texts over the limit cost only themselves: the picture is taken, and the smaller texts are kept."""
    sizes = {"a": MAX_TEXT_BYTES, "b": 600_000, "c": 400_000, "d": 6}
    plain = [chunk(b"tEXt", key.encode() + b"\0" + b"x" * size) for key, size in sizes.items()]
    packed = chunk(b"zTXt", b"z\0\0" + zlib.compress(b"x" * (MAX_TEXT_BYTES + 1)))

    texts = inspect(save(png_with(*plain, packed, late=True))).texts

    assert {key: len(text) for key, text in texts.items()} == {"b": 600_000, "c": 400_000, "d": 6}


def test_text_bombs_cost_little(save: Callable[[bytes], str]):
    """A thousand compressed texts that inflate to a terabyte in all are not inflated one by one."""
    bomb = zlib.compress(bytes(2 * MAX_TEXT_BYTES))
    bombs = [chunk(b"zTXt", b"z%d\0\0" % n + bomb) for n in range(1000)]
    bombs += [chunk(b"iCCP", b"p\0\0" + bomb)] * 1000
    broken = chunk(b"zTXt", b"k\0\0broken")

    assert inspect(save(png_with(*bombs, broken, chunk(b"tEXt", b"d\0small")))).texts == {"d": "small"}


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(st.binary(min_size=1, max_size=79), st.binary(max_size=200), max_size=5), st.binary())
def test_texts_are_valid_json(tmp_path_factory: pytest.TempPathFactory, chunks: dict[bytes, bytes], comment: bytes):
    """Whatever bytes stand in a text, what is kept is text that JSON and SQLite can hold."""
    path = tmp_path_factory.mktemp("json") / "picture"
    texts = [chunk(b"tEXt", key + b"\0" + value) for key, value in chunks.items()]
    path.write_bytes(png_with(*texts, chunk(b"eXIf", exif({}, {0x9286: b"UNICODE\0" + comment})[6:])))

    kept = inspect(str(path)).texts

    assert msgspec.json.decode(msgspec.json.encode(kept)) == kept
    assert "\0" not in "".join([*kept, *kept.values()])


# --- What is refused ---


def header(width: int, height: int) -> bytes:
    return PNG_SIGNATURE + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))


def huge_png(width: int, height: int) -> bytes:
    return header(width, height) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")


def huge_webp(form: bytes) -> bytes:
    side = (16_000).to_bytes(2, "little")
    body = {
        b"VP8X": bytes(4) + 2 * (16_000).to_bytes(3, "little"),
        b"VP8L": b"\x2f" + (15_999 | 15_999 << 14).to_bytes(4, "little"),
        b"VP8 ": b"\0\0\0\x9d\x01\x2a" + side + side,
    }[form]
    chunks = b"WEBP" + form + len(body).to_bytes(4, "little") + body + bytes(len(body) % 2)
    return b"RIFF" + len(chunks).to_bytes(4, "little") + chunks


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "is empty"),
        (b"just some text", "no picture of a type"),
        (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "no picture of a type"),
        (b"<!doctype html><img src=x>", "no picture of a type"),
        (encoded("TIFF"), "no picture of a type"),
        (encoded("BMP"), "no picture of a type"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100), "no picture of a type"),
        (PNG_SIGNATURE, "damaged or incomplete"),
        (b"\xff\xd8\xff\xe0", "damaged or incomplete"),
        (b"GIF89a", "damaged or incomplete"),
        (b"RIFF\x10\0\0\0WEBPJUNK", "damaged or incomplete"),
        (b"\0\0\0\x14ftypavif\0\0\0\0mif1", "damaged or incomplete"),
        (huge_png(10_001, 10_000), "10001 x 10000 pixels"),
        (huge_png(2**31 - 1, 2**31 - 1), "pixels"),
        (huge_png(1, 70_000), "1 x 70000 pixels"),
        (huge_webp(b"VP8X"), "pixels"),
        (huge_webp(b"VP8L"), "pixels"),
        (huge_webp(b"VP8 "), "pixels"),
        (b"GIF89a" + b"\xff" * 4 + bytes(3) + b"," + bytes(9) + b"\x02\x01\0\0;", "65535 x 65535 pixels"),
        (PNG_SIGNATURE + chunk(b"tEXt", b"k\0") * 100_001, "damaged or incomplete"),
    ],
)
def test_what_is_no_picture_is_refused(tmp_path: Path, save: Callable[[bytes], str], data: bytes, reason: str):
    """What is no whole picture of a type we take is refused in one sentence, and no tier is written."""
    path = save(data)

    with pytest.raises(PictureRefused, match=reason) as told:
        inspect(path)
    with pytest.raises(PictureRefused, match=reason):
        write_tiers(path, lambda tier: str(tmp_path / tier))

    assert str(told.value).endswith(".")
    assert os.listdir(tmp_path) == ["picture"]


@pytest.mark.parametrize("kind", FORMATS)
def test_a_truncated_picture_is_refused(save: Callable[[bytes], str], kind: str):
    """A picture that ends early is found out, as all of it is decoded."""
    data = encoded(kind)

    with pytest.raises(PictureRefused, match="damaged or incomplete"):
        inspect(save(data[: len(data) * 3 // 4]))


def test_a_huge_progressive_jpeg_is_refused(save: Callable[[bytes], str]):
    """A JPEG with scan after scan, each a pass over all pixels, is refused before it is decoded."""
    data = encoded("JPEG", progressive=True)
    scan = data[data.rindex(b"\xff\xda") : -2]

    with pytest.raises(PictureRefused):
        inspect(save(data[:-2] + scan * 100 + data[-2:]))


def test_a_file_too_large_is_refused(tmp_path: Path):
    """A file over 100 MiB is refused without being read, with its size and the limit."""
    path = tmp_path / "large.png"
    path.write_bytes(encoded("PNG"))
    os.truncate(path, 2 * MAX_BYTES)

    with pytest.raises(PictureRefused, match=r"200\.0 MiB, more than the 100 MiB"):
        inspect(str(path))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_named_pipe_is_refused(tmp_path: Path):
    """A named pipe is refused at once: nobody waits for its writer."""
    os.mkfifo(tmp_path / "foo.png")

    with pytest.raises(PictureRefused, match="choose a picture file"):
        inspect(str(tmp_path / "foo.png"))


def test_a_file_that_is_gone_is_an_error_of_the_disk(tmp_path: Path):
    """What keeps a file from being read is no refusal: it may pass."""
    with pytest.raises(FileNotFoundError):
        inspect(str(tmp_path / "gone.png"))


SMALL = {
    "png": encoded("PNG", exif=exif({0x010F: "x"}, {0x9286: b"UNICODE\0c\0"}), icc_profile=b"none"),
    "apng": encoded("PNG", save_all=True, append_images=[Image.new("RGB", (48, 32), RED)]),
    "palette": encoded("PNG", Image.new("P", (9, 9)), transparency=0),
    "jpeg": encoded("JPEG", exif=exif({0x0112: 6}), comment=b"c", xmp=b"<x/>"),
    "progressive": encoded("JPEG", progressive=True),
    "webp": encoded("WEBP", exif=exif({0x0112: 6}), xmp=b"<x/>"),
    "lossless": encoded("WEBP", lossless=True),
    "gif": encoded("GIF", save_all=True, append_images=[Image.new("RGB", (48, 32), RED)], comment=b"c"),
    "avif": encoded("AVIF", exif=exif({0x0112: 6}), xmp=b"<x/>", speed=10),
}


@settings(max_examples=250, deadline=None)
@given(
    data=st.sampled_from(sorted(SMALL)).map(SMALL.__getitem__),
    flips=st.lists(st.tuples(st.integers(0, 5000), st.integers(1, 255)), max_size=6),
    cut=st.none() | st.integers(0, 2000),
)
def test_damage_is_refused_or_harmless(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, flips: list[tuple[int, int]], cut: int | None
):
    """Whatever bytes of a picture are cut or changed, it is a picture or refused, and nothing else happens."""
    damaged = bytearray(data)
    for place, change in flips:
        damaged[place % len(data)] ^= change
    path = tmp_path_factory.mktemp("damage") / "picture"
    path.write_bytes(damaged[:cut])

    try:
        picture = inspect(str(path))
    except PictureRefused:
        with pytest.raises(PictureRefused):
            write_tiers(str(path), lambda tier: f"{path}.{tier}")
    else:
        assert msgspec.json.encode(picture.texts)
        if picture.width * picture.height < 10_000:
            assert write_tiers(str(path), lambda tier: f"{path}.{tier}")["high"] == (
                picture.width,
                picture.height,
            )


def test_no_warning_leaks():
    """A picture with a broken EXIF block is taken, and neither that nor its size makes Python warn."""
    broken = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x0e\x01\x02\0\xff\xff\0\0\x00\xff\0\0"
    large = huge_png(9_990, 9_990)
    script = (
        "import sys, tempfile\n"
        "from hikaze.daemon.pictures import inspect, PictureRefused\n"
        "for data in sys.argv[1:]:\n"
        "    with tempfile.NamedTemporaryFile() as file:\n"
        "        file.write(bytes.fromhex(data)); file.flush()\n"
        "        try: print(inspect(file.name).format)\n"
        "        except PictureRefused as told: print(told)\n"
    )
    with warnings.catch_warnings(action="ignore"):
        pictures = [encoded("AVIF", exif=broken, speed=10), encoded("WEBP", exif=broken), large]

    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script, *(data.hex() for data in pictures)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stderr == ""
    assert done.stdout.splitlines()[:2] == ["AVIF", "WEBP"]
    assert "damaged or incomplete" in done.stdout.splitlines()[2]


# --- The tiers ---


@settings(max_examples=300)
@given(st.integers(1, 65_535), st.integers(1, 65_535))
def test_tier_sizes(width: int, height: int):
    """Tiers are never enlarged, fit their limits, keep the shape, and follow one from the other."""
    sizes = tier_sizes(width, height)
    high = sizes["high"]

    assert list(sizes) == list(TIERS)
    assert 1 <= high[0] <= min(width, 16_383)
    assert 1 <= high[1] <= min(height, 16_383)
    assert high[0] * high[1] <= HIGH_PIXELS
    assert sizes["medium"] == tuple(max(1, round(0.66 * side)) for side in high)
    assert sizes["low"] == tuple(max(1, round(0.33 * side)) for side in high)
    assert abs(high[0] - high[1] * width / height) <= max(1, width / height)


@pytest.mark.parametrize(
    ("size", "high"),
    [
        ((1024, 1536), (1024, 1536)),
        ((1000, 2000), (1000, 2000)),
        ((3840, 2160), (1885, 1060)),
        ((1, 1), (1, 1)),
        ((1, 20_000), (1, 16_383)),
        ((65_535, 1500), (9347, 213)),
    ],
)
def test_size_of_high(size: tuple[int, int], high: tuple[int, int]):
    """`high` has the picture's own size up to 2,000,000 pixels and the longest side of WebP."""
    assert tier_sizes(*size)["high"] == high


def test_three_tiers(tiers: Callable[[bytes], dict[str, Image.Image]]):
    """A picture becomes three WebP files, each smaller than the one above."""
    images = tiers(encoded("PNG", Image.radial_gradient("L").resize((300, 200))))

    assert {tier: image.size for tier, image in images.items()} == {
        "high": (300, 200),
        "medium": (198, 132),
        "low": (99, 66),
    }


@pytest.mark.parametrize("size", [(1, 1), (1, 20_000), (20_000, 1), (2001, 1000)])
def test_tiers_of_any_shape(tiers: Callable[[bytes], dict[str, Image.Image]], size: tuple[int, int]):
    """A single pixel has tiers, and so has a line longer than WebP allows."""
    images = tiers(encoded("PNG", Image.new("RGB", size, RED)))

    assert {tier: image.size for tier, image in images.items()} == tier_sizes(*size)
    assert all(near(average(image), RED) for image in images.values())


@pytest.mark.parametrize("kind", FORMATS)
def test_no_metadata_is_carried_over(tmp_path: Path, tiers: Callable[[bytes], dict[str, Image.Image]], kind: str):
    """Nothing of texts, EXIF, XMP and profile is in a tier."""
    info = PngImagePlugin.PngInfo()
    info.add_text("parameters", SECRET)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    options: dict[str, Any] = {"exif": exif({0x010F: SECRET}), "icc_profile": profile}
    options |= {"comment": SECRET.encode()} if kind in {"JPEG", "GIF"} else {"xmp": SECRET.encode()}
    tiers(encoded(kind, None, pnginfo=info, **options))

    for tier in TIERS:
        data = (tmp_path / tier).read_bytes()
        assert SECRET.encode() not in data
        assert not {b"EXIF", b"XMP ", b"ICCP"} & {data[at : at + 4] for at in range(len(data))}


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "AVIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied(tiers: Callable[[bytes], dict[str, Image.Image]], kind: str, orientation: int):
    """A picture that its EXIF block turns or mirrors is upright in every tier."""
    upright = Image.new("RGB", (96, 64), (0, 0, 0))
    upright.paste(RED, (0, 0, 48, 32))
    upright.paste(BLUE, (48, 0, 96, 32))
    # How the camera held it, for each orientation: the opposite of how it is to be shown.
    stored = {
        1: upright,
        2: upright.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
        3: upright.transpose(Image.Transpose.ROTATE_180),
        4: upright.transpose(Image.Transpose.FLIP_TOP_BOTTOM),
        5: upright.transpose(Image.Transpose.TRANSPOSE),
        6: upright.transpose(Image.Transpose.ROTATE_90),
        7: upright.transpose(Image.Transpose.TRANSVERSE),
        8: upright.transpose(Image.Transpose.ROTATE_270),
    }[orientation]

    for image in tiers(encoded(kind, stored, exif=exif({0x0112: orientation}))).values():
        width, height = image.size
        assert width > height
        assert near(average(image.crop((4, 4, width // 2 - 4, height // 2 - 4))), RED, 20)
        assert near(average(image.crop((width // 2 + 4, 4, width - 4, height // 2 - 4))), BLUE, 20)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "GIF", "AVIF"])
def test_an_animation_shows_its_first_frame(tiers: Callable[[bytes], dict[str, Image.Image]], kind: str):
    """Of an animation the tiers show the first frame."""
    frames = [Image.new("RGB", (64, 64), colour) for colour in (RED, BLUE, GREEN)]
    images = tiers(encoded(kind, frames[0], save_all=True, append_images=frames[1:], duration=100))

    assert {getattr(image, "n_frames", 1) for image in images.values()} == {1}
    assert all(near(average(image), RED) for image in images.values())


def palette_with_hole() -> Image.Image:
    image = Image.new("P", (60, 60), 1)
    image.putpalette([*GREEN, *RED])
    image.paste(0, (0, 0, 60, 30))
    return image


def grey_with_alpha(alpha: int) -> Image.Image:
    image = Image.new("L", (60, 60), 200)
    image.putalpha(alpha)
    return image


@pytest.mark.parametrize(
    ("data", "mode", "colour"),
    [
        (encoded("JPEG", Image.new("CMYK", (60, 60), (0, 255, 255, 0))), "RGB", RED),
        (encoded("PNG", Image.new("I;16", (60, 60), 200 * 257)), "RGB", (200, 200, 200)),
        (encoded("PNG", Image.new("I;16", (60, 60), 65_535)), "RGB", (255, 255, 255)),
        (encoded("PNG", Image.new("1", (60, 60), 1)), "RGB", (255, 255, 255)),
        (encoded("PNG", Image.new("L", (60, 60), 90)), "RGB", (90, 90, 90)),
        (encoded("PNG", grey_with_alpha(255)), "RGB", (200, 200, 200)),
        (encoded("PNG", Image.new("RGBA", (60, 60), (*RED, 254))), "RGB", RED),
        (encoded("PNG", Image.new("P", (60, 60), 0)), "RGB", (0, 0, 0)),
        (encoded("GIF", Image.new("RGB", (60, 60), BLUE)), "RGB", BLUE),
        (encoded("PNG", grey_with_alpha(128)), "RGBA", (200, 200, 200, 132)),
        (encoded("WEBP", Image.new("RGBA", (60, 60), (*RED, 128))), "RGBA", (*RED, 132)),
        (encoded("PNG", palette_with_hole(), transparency=0), "RGBA", (*RED, 128)),
        (encoded("PNG", palette_with_hole(), transparency=b"\0\xff"), "RGBA", (*RED, 128)),
        (encoded("GIF", palette_with_hole(), transparency=0), "RGBA", (*RED, 128)),
        (encoded("PNG", palette_with_hole().convert("RGB"), transparency=GREEN), "RGBA", (*RED, 128)),
        (encoded("PNG", Image.new("I;16", (60, 60), 7), transparency=7), "RGBA", (0, 0, 0, 0)),
    ],
)
def test_every_kind_of_pixel(
    tiers: Callable[[bytes], dict[str, Image.Image]], data: bytes, mode: str, colour: tuple[int, ...]
):
    """Whatever its pixels are made of, a picture keeps its colours, and alpha only where it shows."""
    for image in tiers(data).values():
        assert image.mode == mode
        assert near(average(image), colour)


def test_bits_hidden_in_alpha_are_gone(tmp_path: Path, tiers: Callable[[bytes], dict[str, Image.Image]]):
    """What the low bits of alpha hide has no influence on any tier, where alpha shows and where not."""
    message = Image.effect_noise((64, 64), 200).point([value & 7 for value in range(256)])
    for alpha in (248, 128, 0):
        written: list[list[bytes]] = []
        for hidden in (Image.new("L", (64, 64)), message):
            image = Image.new("RGBA", (64, 64), (*RED, 255))
            image.paste(Image.new("RGBA", (64, 32), (*BLUE, 128)), (0, 0))
            image.putalpha(hidden.point([value | alpha for value in range(256)]))
            tiers(encoded("PNG", image))
            written.append([(tmp_path / tier).read_bytes() for tier in TIERS])
        assert written[0] == written[1]


def test_colour_hidden_under_alpha_is_gone(tmp_path: Path, tiers: Callable[[bytes], dict[str, Image.Image]]):
    """What colours there are where nothing shows has no influence on any tier."""
    written: list[list[bytes]] = []
    for hidden in (Image.new("L", (64, 64)), Image.radial_gradient("L").resize((64, 64))):
        image = hidden.convert("RGB")
        image.putalpha(0)
        image.paste((*RED, 255), (0, 0, 21, 21))
        tiers(encoded("PNG", image))
        written.append([(tmp_path / tier).read_bytes() for tier in TIERS])

    assert written[0] == written[1]


def swapped_profile() -> bytes:
    """Give a sound RGB profile in which red and blue have changed places."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return profile.replace(b"rXYZ", b"????", 1).replace(b"bXYZ", b"rXYZ", 1).replace(b"????", b"bXYZ", 1)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "AVIF"])
@pytest.mark.parametrize(
    ("profile", "colour"),
    [(swapped_profile(), BLUE), (b"no profile", RED), (swapped_profile()[:200], RED)],
    ids=["swapped", "none", "cut"],
)
def test_a_profile_is_applied_or_dropped(
    tiers: Callable[[bytes], dict[str, Image.Image]], kind: str, profile: bytes, colour: tuple[int, ...]
):
    """Colours are brought to sRGB; a broken profile is as none."""
    images = tiers(encoded(kind, Image.new("RGB", (60, 60), RED), icc_profile=profile))

    assert all(near(average(image), colour, 20) for image in images.values())


def test_a_profile_of_other_colours_is_dropped(tiers: Callable[[bytes], dict[str, Image.Image]]):
    """An RGB profile on a grey or CMYK picture is as none, and alpha passes a profile untouched."""
    profile = swapped_profile()
    grey = tiers(encoded("PNG", Image.new("L", (60, 60), 90), icc_profile=profile))
    cmyk = tiers(encoded("JPEG", Image.new("CMYK", (60, 60), (0, 255, 255, 0)), icc_profile=profile))
    clear = tiers(encoded("PNG", Image.new("RGBA", (60, 60), (*RED, 132)), icc_profile=profile))

    assert near(average(grey["high"]), (90, 90, 90))
    assert near(average(cmyk["high"]), RED)
    assert near(average(clear["high"]), (*BLUE, 132), 20)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
def test_tiers_are_private_files_of_our_own(tmp_path: Path, save: Callable[[bytes], str]):
    """A tier has mode 0600, and replaces what lies at its place instead of writing into it."""
    other = tmp_path / "other"
    other.write_text("precious")
    (tmp_path / "high").symlink_to(other)
    (tmp_path / "low").write_text("left over")
    (tmp_path / "low").chmod(0o644)

    write_tiers(save(encoded("PNG")), lambda tier: str(tmp_path / tier))

    assert other.read_text() == "precious"
    modes = {tier: (tmp_path / tier).lstat().st_mode for tier in TIERS}
    assert modes == dict.fromkeys(TIERS, stat.S_IFREG | 0o600)


def test_a_failed_write_leaves_no_tier(tmp_path: Path, save: Callable[[bytes], str]):
    """When one tier cannot be written, those before it are taken away, and the error passes."""
    path = save(encoded("PNG"))

    with pytest.raises(FileNotFoundError):
        write_tiers(path, lambda tier: str(tmp_path / ("away/low" if tier == "low" else tier)))

    assert os.listdir(tmp_path) == ["picture"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such limit")
def test_a_partial_tier_is_removed(tmp_path: Path, save: Callable[[bytes], str]):
    """When the disk takes only part of a tier, that part is removed."""
    resource = importlib.import_module("resource")
    path = save(encoded("PNG", Image.effect_noise((200, 200), 90)))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            write_tiers(path, lambda tier: str(tmp_path / tier))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)

    assert os.listdir(tmp_path) == ["picture"]
