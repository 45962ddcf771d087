"""Pictures: tell what a file really is, keep the texts it carries, and make its three WebP tiers.

A picture is hostile until it is decoded. So a file is read whole and bounded, its type is told by its first
bytes, its size in pixels is checked before anything is decoded, and PNG and JPEG are taken apart here:
Pillow gets the parts that make pixels and nothing else. That way a text of any size or shape costs only that
text, and never the picture. All functions block; call them in a thread.
"""

import base64
import contextlib
import hashlib
import math
import os
import stat
import struct
import warnings
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from io import BytesIO

from PIL import AvifImagePlugin, Image, ImageCms, WebPImagePlugin

TIERS: tuple[str, ...] = ("high", "medium", "low")
HIGH_PIXELS = 2_000_000
"""Most pixels `high` may have: what a full-screen look at a picture can show."""
RATIOS = {"high": 1.0, "medium": 0.66, "low": 0.33}
"""The sides of a tier, as a part of those of `high`."""
QUALITIES = {"high": 80, "medium": 60, "low": 45}
"""WebP quality of a tier: the smaller it is shown, the less of it is seen."""
METHOD = 4
"""WebP effort: 6 takes three times as long for files 3 % smaller, 2 loses visibly."""

MAX_BYTES = 100 * 1024 * 1024
"""Largest file taken: the file is held in memory, and a generated picture has 1 to 20 MiB."""
MAX_PIXELS = 100_000_000
"""Most pixels taken: decoding needs 4 bytes a pixel, and cameras and upscalers stay below it."""
MAX_SIDE = 65_535
"""Longest side taken, in pixels: only a PNG can go beyond, and each row costs memory however narrow it is."""
MAX_TEXT_BYTES = 1024 * 1024
"""Most UTF-8 bytes of text kept of one picture, names included: all of it goes into an event."""

_WEBP_SIDE = 16_383  # the format has 14 bits for a side
_MAX_INFLATED = 8 * MAX_TEXT_BYTES  # of all compressed texts: a thousand bombs cost no more than eight texts
_MAX_ICC_BYTES = 8 * 1024 * 1024  # the largest printers' profiles are about half of that
_MAX_PARTS = 100_000  # chunks or segments of a file: 100 MiB of PNG in 8 KiB chunks is 12,800
_MAX_SCANS = 100  # of a progressive JPEG, each a pass over all pixels: usual are 10

_OUR_KEYS = {"exif", "xmp"}  # of `Picture.texts`: no keyword in a PNG may pass for them
_EXTENSIONS = {"PNG": ".png", "JPEG": ".jpg", "WEBP": ".webp", "GIF": ".gif", "AVIF": ".avif"}
# Importing these two registers them; otherwise Pillow loads all of its forty plug-ins at the first WebP.
_REGISTERED = (AvifImagePlugin, WebPImagePlugin)

# Set once, for the process: nothing else in the daemon uses Pillow. Its own limit only warns at first, from
# 89 million pixels on; ours is checked by `_refuse_large` before anything is decoded.
Image.MAX_IMAGE_PIXELS = None
# What it still warns of is a broken EXIF block in an AVIF, which is no reason to tell the log.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")


class PictureRefused(Exception):
    """A picture that is not taken; the message is one sentence saying what is wrong and what to do."""


@dataclass(frozen=True, slots=True)
class Picture:
    """What a picture file is: by its content, never by its name.

    `extension` has its dot and fits `format`; `width` and `height` are pixels as shown, EXIF orientation
    applied. `texts` has at most `MAX_TEXT_BYTES`, without NUL and lone surrogates: PNG texts under their
    keywords, `comment` of a JPEG or GIF, EXIF texts under the names of their tags (`UserComment`, ...), the
    EXIF block whole as base64 under `exif`, and the XMP packet under `xmp`.
    """

    format: str
    extension: str
    width: int
    height: int
    texts: dict[str, str]


def inspect(path: str) -> Picture:
    """Read the picture at `path` and decode all of its first frame.

    Raises `PictureRefused` where it is no whole picture of a type we take, `OSError` where the file cannot be
    read.
    """
    return _inspected(_read(path))


def inspect_original(path: str) -> tuple[Picture, str]:
    """Do as `inspect`, and give the SHA-256 of the very bytes that were looked at, in hexadecimal."""
    data = _read(path)
    return _inspected(data), hashlib.sha256(data).hexdigest()


def digest(path: str) -> str:
    """Give the SHA-256 of a picture's file, as `inspect_original` does. Raises as `inspect` does."""
    return hashlib.sha256(_read(path)).hexdigest()


def _inspected(data: bytes) -> Picture:
    with _opened(data) as (kind, image, beside):
        exif = _read_exif(beside.exif)
        width, height = _turned(image.size, exif.orientation)
    return Picture(kind, _EXTENSIONS[kind], width, height, _kept_texts(beside, exif))


def write_tiers(path: str, target: Callable[[str], str]) -> dict[str, tuple[int, int]]:
    """Write the tiers of the picture at `path` to `target(tier)`, durably, and give their sizes in pixels.

    What lies at a target is replaced; nothing is written before all three are encoded. The folder's entry is
    the caller's to make durable. Raises `PictureRefused` where the picture cannot be decoded, `OSError` where
    reading or writing fails; then no file of ours is left.
    """
    encoded = _encode_tiers(_read(path))
    written: list[str] = []
    try:
        for tier, (_size, data) in encoded.items():
            place = target(tier)
            written.append(place)
            _write(place, data)
    except BaseException:
        for place in written:
            with contextlib.suppress(OSError):
                os.unlink(place)
        raise
    return {tier: size for tier, (size, _data) in encoded.items()}


def tier_sizes(width: int, height: int) -> dict[str, tuple[int, int]]:
    """Give the size of each tier, in pixels, of a picture of this size: never larger, and no side below 1.

    The longest side is also held to what WebP can say, 16,383 pixels.
    """
    scale = min(1.0, math.sqrt(HIGH_PIXELS / (width * height)), _WEBP_SIDE / max(width, height))
    high = max(1, math.floor(width * scale)), max(1, math.floor(height * scale))
    return {tier: (max(1, round(high[0] * ratio)), max(1, round(high[1] * ratio))) for tier, ratio in RATIOS.items()}


# --- The file, taken apart ---


@dataclass(slots=True)
class _Beside:
    """What a file carries beside its pixels; `inflatable` is what its texts may yet inflate to, in bytes."""

    texts: dict[str, str] = field(default_factory=dict[str, str])
    exif: bytes = b""
    xmp: bytes = b""
    icc: bytes | None = None
    inflatable: int = _MAX_INFLATED


def _read(path: str) -> bytes:
    # Without O_NONBLOCK opening a named pipe would wait for its writer.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
    with open(os.open(path, flags), "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise PictureRefused("This is not a file with a picture in it: choose a picture file.")
        # The bytes are counted too: the file may be growing.
        data = file.read(MAX_BYTES + 1) if status.st_size <= MAX_BYTES else b""
    size = max(status.st_size, len(data))
    if size > MAX_BYTES:
        raise PictureRefused(
            f"The picture file has {size / 2**20:.1f} MiB, more than the {MAX_BYTES // 2**20} MiB allowed: "
            "save it smaller and try again."
        )
    if not data:
        raise PictureRefused("The picture file is empty: copy or download it again.")
    return data


@contextlib.contextmanager
def _opened(data: bytes) -> Iterator[tuple[str, Image.Image, _Beside]]:
    """Give the format, the decoded first frame, and what lay beside it."""
    kind = _kind(data)
    beside = _Beside()
    match kind:
        case "PNG":
            data = _split_png(data, beside)
        case "JPEG":
            data = _split_jpeg(data, beside)
        case "WEBP":
            _refuse_large(*_webp_canvas(data))
        case _:
            pass
    with _decoding(kind):
        image = Image.open(BytesIO(data), formats=[kind])
    with image:
        _refuse_large(*image.size)
        with _decoding(kind):
            image.load()
        _take_info(image, beside)
        yield kind, image, beside


@contextlib.contextmanager
def _decoding(kind: str) -> Iterator[None]:
    """Turn whatever Pillow raises into a refusal.

    This is broad on purpose: a damaged picture makes Pillow's plug-ins raise nearly every built-in type, and
    no list of them is promised. Bytes come from memory here, so no error can be one of the disk.
    """
    try:
        yield
    except Exception as error:
        raise _damaged(kind) from error


def _damaged(kind: str) -> PictureRefused:
    return PictureRefused(
        f"The picture is damaged or incomplete and cannot be read as {kind}: copy or download it again."
    )


def _refuse_large(width: int, height: int) -> None:
    if width * height > MAX_PIXELS or max(width, height) > MAX_SIDE:
        raise PictureRefused(
            f"The picture has {width} x {height} pixels, more than the {MAX_PIXELS // 10**6} million "
            f"({MAX_SIDE} on a side) allowed: scale it down and try again."
        )


def _kind(data: bytes) -> str:
    """Tell the format by the file's signature."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "GIF"
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "WEBP"
    # ISO 14496-12, 4.3: the box of brands. HEIC shares the container and the general brands, not these two.
    if data[4:8] == b"ftyp" and not {b"avif", b"avis"}.isdisjoint(_brands(data)):
        return "AVIF"
    raise PictureRefused("This is no picture of a type that can be used: convert it to PNG, JPEG, WebP, GIF or AVIF.")


def _brands(data: bytes) -> set[bytes]:
    end = min(int.from_bytes(data[:4], "big"), 1024)
    return {data[at : at + 4] for at in range(8, end, 4)}


def _take_info(image: Image.Image, beside: _Beside) -> None:
    """Take what Pillow found itself: all of WebP, GIF and AVIF, and a JPEG's colour profile."""
    info = image.info
    beside.exif = beside.exif or _bytes(info.get("exif"))
    beside.xmp = beside.xmp or _bytes(info.get("xmp"))
    if beside.icc is None:
        beside.icc = _bytes(info.get("icc_profile"))
    if comment := _bytes(info.get("comment")):
        beside.texts["comment"] = _text(comment[: 2 * MAX_TEXT_BYTES])


def _bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else b""


# The chunks that make pixels. Not among them: the frames of an animated PNG, whose IDAT is the first frame or
# the picture meant for whoever shows no animation.
_PNG_PIXELS = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"}


def _split_png(data: bytes, beside: _Beside) -> bytes:
    """Give a PNG of the pixels alone, and collect the rest (W3C PNG, third edition, 5.3 and 11.3)."""
    view = memoryview(data)
    kept = [view[:8]]
    position = 8
    for _ in range(_MAX_PARTS):
        head = data[position : position + 8]
        end = position + 12 + int.from_bytes(head[:4], "big")
        name = head[4:]
        if len(head) < 8 or end > len(data):
            raise _damaged("PNG")
        if name in _PNG_PIXELS:
            kept.append(view[position:end])
        else:
            _take_png_chunk(name, view[position + 8 : end - 4], beside)
        if name == b"IEND":
            return b"".join(kept)
        position = end
    raise _damaged("PNG")


def _take_png_chunk(name: bytes, body: memoryview, beside: _Beside) -> None:
    if name == b"eXIf":
        beside.exif = bytes(body)
    elif name in {b"iCCP", b"tEXt", b"zTXt", b"iTXt"} and len(body) <= _MAX_ICC_BYTES:
        key, _, rest = bytes(body).partition(b"\0")
        if name == b"iCCP":
            if beside.icc is None:  # the first alone: each is a possible bomb
                beside.icc = _inflate(rest[1:], _MAX_ICC_BYTES) or b""
        elif 1 <= len(key) <= 79:
            _take_png_text(name, _text(key), rest, beside)


def _take_png_text(name: bytes, key: str, rest: bytes, beside: _Beside) -> None:
    compressed = name == b"zTXt"
    if name == b"iTXt":
        compressed = rest[:1] == b"\1"
        rest = rest[2:].partition(b"\0")[2].partition(b"\0")[2]  # language, translated keyword
    elif compressed:
        rest = rest[1:]
    if compressed:
        value = _inflate(rest, min(MAX_TEXT_BYTES, beside.inflatable))
        beside.inflatable -= MAX_TEXT_BYTES if value is None else len(value)
    else:
        value = rest if len(rest) <= MAX_TEXT_BYTES else None
    if value is None:
        return
    if key == "XML:com.adobe.xmp":
        beside.xmp = value
    elif key not in _OUR_KEYS:
        # Of two with one keyword the last counts: so does Pillow read them, and most tools with it.
        beside.texts[key] = _text(value)


def _inflate(data: bytes, limit: int) -> bytes | None:
    """Inflate zlib data; None where it is broken, or longer than `limit` bytes."""
    stream = zlib.decompressobj()
    try:
        value = stream.decompress(data, limit + 1) if limit > 0 else b""
    except zlib.error:
        return None
    return value if stream.eof and len(value) <= limit else None


_JPEG_ALONE = {0x01, *range(0xD0, 0xDA)}  # markers without length: TEM, RST0 to RST7, SOI, EOI
_JPEG_EXIF = b"Exif\0\0"
_JPEG_XMP = b"http://ns.adobe.com/xap/1.0/\0"


def _split_jpeg(data: bytes, beside: _Beside) -> bytes:
    """Give a JPEG of the pixels and the colour profile alone, and collect the rest (ITU T.81, B.1, B.2)."""
    view = memoryview(data)
    kept = [view[:2]]
    comments: list[bytes] = []
    exif: list[bytes] = []
    position = 2
    for _ in range(_MAX_PARTS):
        position = data.find(b"\xff", position)  # libjpeg too skips what lies between two segments
        head = data[position : position + 4] if position >= 0 else b""
        if len(head) < 4:
            break
        marker, end = head[1], position + 2 + int.from_bytes(head[2:], "big")
        if marker in {0x00, 0xFF} or marker in _JPEG_ALONE:
            position += 1 if marker == 0xFF else 2
            continue
        if marker == 0xDA:
            if data.count(b"\xff\xda", position) > _MAX_SCANS:
                break
            kept.append(view[position:])
            beside.exif = b"".join(exif)
            if comments:
                beside.texts["comment"] = _text(b"\n".join(comments)[: 2 * MAX_TEXT_BYTES])
            return b"".join(kept)
        body = data[position + 4 : end]
        if marker == 0xE1 and body.startswith(_JPEG_EXIF):
            exif.append(body[len(_JPEG_EXIF) :])  # a block over 64 KiB goes on in a second segment
        elif marker == 0xE1 and body.startswith(_JPEG_XMP):
            beside.xmp = body[len(_JPEG_XMP) :]
        elif marker == 0xFE:
            comments.append(body)
        elif _makes_pixels(marker, body):
            kept.append(view[position:end])
        position = max(end, position + 4)
    raise _damaged("JPEG")


def _makes_pixels(marker: int, body: bytes) -> bool:
    if not 0xE0 <= marker <= 0xEF:
        return True
    # JFIF and Adobe tell how the colours are coded, and the profile what they mean.
    return marker in {0xE0, 0xEE} or (marker == 0xE2 and body.startswith(b"ICC_PROFILE\0"))


def _webp_canvas(data: bytes) -> tuple[int, int]:
    """Give the size a WebP claims (RFC 9649, 2.5 to 2.7); its decoder makes the canvas when it is opened."""
    match data[12:16]:
        case b"VP8X":
            return int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1
        case b"VP8L":
            bits = int.from_bytes(data[21:25], "little")
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        case b"VP8 ":
            return (
                int.from_bytes(data[26:28], "little") & 0x3FFF,
                int.from_bytes(data[28:30], "little") & 0x3FFF,
            )
        case _:
            raise _damaged("WEBP")


# --- Texts ---


@dataclass(frozen=True, slots=True)
class _Exif:
    orientation: int = 1
    texts: dict[str, str] = field(default_factory=dict[str, str])


_ORIENTATION, _EXIF_IFD, _USER_COMMENT = 0x0112, 0x8769, 0x9286
# Where generators put what they did: ComfyUI writes its workflow into Make and Model of a WebP, others use
# UserComment, and Windows shows XPTitle and XPComment (UTF-16, whatever the byte order of the block).
_EXIF_TEXTS = {
    0x010E: "ImageDescription",
    0x010F: "Make",
    0x0110: "Model",
    0x0131: "Software",
    0x013B: "Artist",
    0x8298: "Copyright",
    _USER_COMMENT: "UserComment",
    0x9C9B: "XPTitle",
    0x9C9C: "XPComment",
}
_EXIF_WIDTHS = {1: 1, 2: 1, 3: 2, 4: 4, 7: 1}  # bytes of BYTE, ASCII, SHORT, LONG, UNDEFINED


def _read_exif(block: bytes) -> _Exif:
    """Read orientation and texts of an EXIF block, as far as it is sound (CIPA DC-008, 4.5 and 4.6)."""
    tiff = block.removeprefix(_JPEG_EXIF)
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(tiff[:4])
    if order is None or len(tiff) < 8:
        return _Exif()
    fields = _read_ifd(tiff, order, struct.unpack_from(order + "I", tiff, 4)[0])
    fields = _read_ifd(tiff, order, _number(fields.get(_EXIF_IFD, b""), order)) | fields
    orientation = _number(fields.get(_ORIENTATION, b""), order)
    texts = {
        name: _user_comment(fields[tag], order) if tag == _USER_COMMENT else _exif_text(fields[tag], name)
        for tag, name in _EXIF_TEXTS.items()
        if tag in fields
    }
    kept = {name: text for name, text in texts.items() if text}
    return _Exif(orientation if orientation in _TURNS else 1, kept)


def _read_ifd(tiff: bytes, order: str, start: int) -> dict[int, bytes]:
    """Give the values of one directory by tag, those we use; none where `start` is 0 or out of the block."""
    if not 8 <= start <= len(tiff) - 2:
        return {}
    (count,) = struct.unpack_from(order + "H", tiff, start)
    fields: dict[int, bytes] = {}
    for at in range(start + 2, min(start + 2 + 12 * count, len(tiff) - 11), 12):
        tag, kind, length, offset = struct.unpack_from(order + "HHII", tiff, at)
        start = at + 8 if (size := length * _EXIF_WIDTHS.get(kind, 0)) <= 4 else offset
        known = tag in _EXIF_TEXTS or tag in {_ORIENTATION, _EXIF_IFD}
        # The first of each tag alone: thousands may point to the same megabyte.
        if known and tag not in fields and 0 < size <= 2 * MAX_TEXT_BYTES and start + size <= len(tiff):
            fields[tag] = tiff[start : start + size]
    return fields


def _number(value: bytes, order: str) -> int:
    return int.from_bytes(value, "little" if order == "<" else "big") if len(value) in {2, 4} else 0


def _exif_text(value: bytes, name: str) -> str:
    return _clean(value.decode("utf-16-le", "replace")) if name.startswith("XP") else _text(value)


def _user_comment(value: bytes, order: str) -> str:
    """Decode a UserComment: eight bytes name the character set, then comes the text."""
    charset, body = value[:8], value[8:]
    if charset != b"UNICODE\0":
        return _text(body if charset in {b"ASCII\0\0\0", b"JIS\0\0\0\0\0", bytes(8)} else value)
    if body[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        return _clean(body.decode("utf-16", "replace"))
    # It should follow the block's byte order and often does not; spaces and ASCII tell by their zero bytes.
    zeros_first, zeros_second = body[::2].count(0), body[1::2].count(0)
    if zeros_first != zeros_second:
        order = ">" if zeros_first > zeros_second else "<"
    return _clean(body.decode("utf-16-be" if order == ">" else "utf-16-le", "replace"))


def _text(value: bytes) -> str:
    """Decode text that should be Latin-1 or ASCII by its format, and is UTF-8 wherever it can be read so."""
    try:
        return _clean(value.decode())
    except UnicodeDecodeError:
        return _clean(value.decode("latin-1"))


def _clean(text: str) -> str:
    return text.replace("\0", "")  # padding, for the most part; SQLite's text functions would stop there


def _kept_texts(beside: _Beside, exif: _Exif) -> dict[str, str]:
    """Give all texts of a picture, the largest left out until the rest fits `MAX_TEXT_BYTES`.

    So one huge text never costs the small ones, and an EXIF text is kept before the block it came from.
    """
    texts = exif.texts | beside.texts
    if beside.exif and len(beside.exif) <= MAX_TEXT_BYTES:
        texts["exif"] = base64.b64encode(beside.exif).decode()
    if beside.xmp and len(beside.xmp) <= MAX_TEXT_BYTES:
        texts["xmp"] = _text(beside.xmp)
    kept: set[str] = set()
    room = MAX_TEXT_BYTES
    for size, key in sorted((len(key.encode()) + len(text.encode()), key) for key, text in texts.items()):
        room -= size
        if room < 0:
            break
        kept.add(key)
    return {key: text for key, text in texts.items() if key in kept}


# --- The tiers ---

# Only the top five bits of alpha count, so what is hidden in the lower ones (generators put the prompt there)
# is gone for certain, whatever the picture: WebP keeps alpha bit by bit. 32 steps still make a soft edge.
_ALPHA = [((value >> 3) * 255 + 15) // 31 for value in range(256)]

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def _encode_tiers(data: bytes) -> dict[str, tuple[tuple[int, int], bytes]]:
    with _opened(data) as (kind, image, beside):
        orientation = _read_exif(beside.exif).orientation
        sizes = tier_sizes(*_turned(image.size, orientation))
        with _decoding(kind):
            # Scaled first: turning and colours then cost two million pixels at most, and sizes are the same.
            picture = _scaled(_alpha_rebuilt(_plain(image)), _turned(sizes["high"], orientation))
            picture = _to_srgb(_turn(picture, orientation), beside.icc)
    picture.info = {}  # some versions of Pillow write profile and EXIF from there
    encoding: dict[str, Future[bytes]] = {}
    # While one core encodes `high`, as much work as all else, another does the smaller two.
    with ThreadPoolExecutor(2, "picture-tier") as pool:
        for tier in TIERS:
            picture = _scaled(picture, sizes[tier])
            encoding[tier] = pool.submit(_encode, picture, QUALITIES[tier])
    return {tier: (sizes[tier], future.result()) for tier, future in encoding.items()}


def _turned(size: tuple[int, int], orientation: int) -> tuple[int, int]:
    return (size[1], size[0]) if orientation >= 5 else size


def _turn(image: Image.Image, orientation: int) -> Image.Image:
    return image.transpose(_TURNS[orientation]) if orientation in _TURNS else image


def _plain(image: Image.Image) -> Image.Image:
    """Give the picture as L, LA, RGB, RGBA or CMYK of 8 bits: what can be scaled and has one meaning."""
    key = image.info.get("transparency")
    if image.mode.startswith("I"):  # 16-bit grey, which a plain conversion would clip to white
        image = image.point(lambda value: value * (1 / 257) + 0.5).convert("L")
        if isinstance(key, int):
            image.info["transparency"] = key // 257
    if image.mode in {"LA", "RGBA", "CMYK"}:
        return image
    grey = image.mode in {"1", "L"}
    wanted = ("LA" if grey else "RGBA") if image.has_transparency_data else ("L" if grey else "RGB")
    return image if image.mode == wanted else image.convert(wanted)


def _alpha_rebuilt(image: Image.Image) -> Image.Image:
    """Drop alpha that shows nothing; else keep of it what can be seen, and no colour where nothing is."""
    if image.mode not in {"LA", "RGBA"}:
        return image
    alpha = image.getchannel("A").point(_ALPHA)
    colour = image.convert(image.mode[:-1])
    if alpha.getextrema() == (255, 255):
        return colour
    colour.paste(0, mask=alpha.point([255] + [0] * 255))
    colour.putalpha(alpha)
    return colour


def _scaled(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    if image.size == size:
        return image
    # Pillow premultiplies alpha for this. The gap lets it first shrink by a whole number what is far larger.
    # Lanczos costs a quarter more, and makes files 5 % larger.
    return image.resize(size, Image.Resampling.BICUBIC, reducing_gap=3.0)


def _to_srgb(image: Image.Image, icc: bytes | None) -> Image.Image:
    """Give the picture as RGB or RGBA in sRGB, the colours as they are where the profile is of no use."""
    alpha = image.getchannel("A") if image.mode in {"LA", "RGBA"} else None
    colour = image if alpha is None else image.convert(image.mode[:-1])
    converted = _through_profile(colour, icc) if icc else None
    colour = converted or colour.convert("RGB")
    if alpha is not None:
        colour.putalpha(alpha)
    return colour


def _through_profile(image: Image.Image, icc: bytes) -> Image.Image | None:
    try:
        return ImageCms.profileToProfile(image, BytesIO(icc), ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, ImportError):  # broken or of other colours; a Pillow built without lcms
        return None


def _encode(image: Image.Image, quality: int) -> bytes:
    buffer = BytesIO()
    image.save(buffer, "WEBP", quality=quality, method=METHOD)
    return buffer.getvalue()


def _write(path: str, data: bytes) -> None:
    # A file of our own each time: nothing is written through a link, or into a file others may read.
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
    with open(os.open(path, flags, 0o600), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
