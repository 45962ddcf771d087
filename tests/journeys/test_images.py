"""Pictures: given, counted, served for ever, taken away; and what is no picture is refused and leaves nothing."""

import http.client
import io
import os
import struct
import zlib
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, PngImagePlugin

from .harness import Daemon, OverSocket, files_below, form, picture, picture_files, png, tier_files

seeds = count(1)


@pytest.fixture
def sha256(shared: Daemon) -> str:
    """Give a model without pictures."""
    seed = next(seeds)
    return shared.bring_in(shared.drop / f"model {seed}.safetensors", seed)


def upload(daemon: Daemon, sha256: str, content: bytes) -> int:
    """Give a model a picture, and give its number."""
    answer = daemon.upload("/api/images/upload", content, sha256=sha256)
    assert answer.status == 200, answer.body
    assert answer.json["base_name"] == f"{sha256}_{answer.json['seq']}"
    return answer.json["seq"]


def names(daemon: Daemon, sha256: str) -> list[str]:
    """Give the base names of a model's pictures, as all calls tell them alike."""
    listed = daemon.get("/api/images/get_sample_imgs", sha256=sha256)["images"]
    assert daemon.get("/api/images/get_img_count", sha256=sha256) == {"count": len(listed)}
    assert daemon.model(sha256)["images"] == listed
    return listed


def saved(format_: str, size: tuple[int, int] = (64, 48), **how: Any) -> bytes:
    """Give a picture in a format."""
    target = io.BytesIO()
    Image.new("RGB", size, "teal").save(target, format_, **how)
    return target.getvalue()


def test_numbers_are_never_used_again(shared: Daemon, sha256: str) -> None:
    """The first picture has number 0, each later one the next, whatever was taken away before."""
    assert [upload(shared, sha256, png()) for _ in range(3)] == [0, 1, 2]
    shared.delete(f"/api/images/delete?sha256={sha256}&seq=1")
    assert names(shared, sha256) == [f"{sha256}_0", f"{sha256}_2"]
    shared.delete(f"/api/images/delete?sha256={sha256}&seq=2")
    shared.restart()
    assert upload(shared, sha256, png()) == 3
    for seq in (0, 3):
        shared.delete(f"/api/images/delete?sha256={sha256}&seq={seq}")
    assert names(shared, sha256) == []
    assert shared.model(sha256)["cover"] is None
    assert [path for path in picture_files(shared) if sha256 in path] == []
    assert upload(shared, sha256, png()) == 4
    assert shared.ask("DELETE", f"/api/images/delete?sha256={sha256}&seq=1", headers={"X-Hikaze": "1"}).status == 404


def test_more_than_ten_pictures_are_in_order(shared: Daemon, sha256: str) -> None:
    """Pictures are listed in order of their numbers, not of their digits."""
    for _ in range(11):
        upload(shared, sha256, png((8, 8)))
    assert names(shared, sha256) == [f"{sha256}_{seq}" for seq in range(11)]
    assert [path for path in picture_files(shared) if sha256 in path] == tier_files(names(shared, sha256))


def test_three_tiers(shared: Daemon, sha256: str) -> None:
    """A picture is served as WebP in three sizes, none of them larger than the original."""
    upload(shared, sha256, png((2000, 3000)))
    upload(shared, sha256, png((300, 200)))

    def size(seq: int, quality: str) -> tuple[int, int]:
        answer = shared.ask("GET", f"/api/images/{sha256}_{seq}.webp?quality={quality}")
        assert answer.headers["Content-Type"] == "image/webp"
        with Image.open(io.BytesIO(answer.body)) as image:
            assert image.format == "WEBP"
            return image.size

    wide, high = size(0, "high")
    assert 1_980_000 < wide * high <= 2_000_000
    assert size(0, "medium") == (round(wide * 0.66), round(high * 0.66))
    assert size(0, "low") == (round(wide * 0.33), round(high * 0.33))
    assert [size(1, quality) for quality in ("high", "medium", "low")] == [(300, 200), (198, 132), (99, 66)]
    plain = shared.ask("GET", f"/api/images/{sha256}_0.webp").body
    assert plain == shared.ask("GET", f"/api/images/{sha256}_0.webp?quality=high").body
    assert shared.ask("GET", f"/api/images/{sha256}_0.webp?quality=best").status == 422
    assert shared.ask("GET", f"/api/images/{sha256}_7.webp").status == 404
    assert shared.ask("GET", f"/api/images/{'0' * 64}.webp").status == 404


def test_pictures_are_kept_for_ever_by_who_has_them(shared: Daemon, sha256: str) -> None:
    """A picture is immutable and has an ETag; the cover is asked for again and changes with the choice."""
    for colour in ("red", "blue"):
        upload(shared, sha256, png(colour=colour))
    answer = shared.ask("GET", f"/api/images/{sha256}_0.webp")
    assert "immutable" in answer.headers["Cache-Control"]
    again = shared.ask("GET", f"/api/images/{sha256}_0.webp", headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status, again.body) == (304, b"")

    cover = shared.ask("GET", f"/api/images/{sha256}.webp")
    assert cover.body == answer.body
    assert "immutable" not in cover.headers["Cache-Control"]
    assert shared.model(sha256)["cover"] == 0
    shared.patch(f"/api/models/{sha256}", {"cover": 1})
    other = shared.ask("GET", f"/api/images/{sha256}.webp", headers={"If-None-Match": cover.headers["ETag"]})
    assert other.status == 200
    assert other.body == shared.ask("GET", f"/api/images/{sha256}_1.webp").body
    shared.delete(f"/api/images/delete?sha256={sha256}&seq=1")
    assert shared.model(sha256)["cover"] == 0


@pytest.mark.parametrize("format_", ["PNG", "JPEG", "WEBP", "GIF", "AVIF"])
def test_formats(shared: Daemon, sha256: str, format_: str) -> None:
    """PNG, JPEG, WebP, GIF and AVIF are taken, told by their bytes."""
    assert upload(shared, sha256, saved(format_)) == 0
    added = shared.events("image-added")[-1]["data"]
    assert (added["format"], added["width"], added["height"]) == (format_, 64, 48)


def test_texts_are_kept_with_the_event_alone(shared: Daemon, sha256: str) -> None:
    """What a picture says of its making goes into its event and never into the WebP; rotation is applied."""
    told = PngImagePlugin.PngInfo()
    told.add_text("parameters", "a secret prompt, Steps: 20")
    upload(shared, sha256, saved("PNG", pnginfo=told))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter
    exif[0x010E] = "a secret description"
    upload(shared, sha256, saved("JPEG", exif=exif.tobytes()))

    first, second = shared.events("image-added")[-2:]
    assert first["data"]["texts"] == {"parameters": "a secret prompt, Steps: 20"}
    assert second["data"]["texts"]["ImageDescription"] == "a secret description"
    assert (second["data"]["width"], second["data"]["height"]) == (48, 64)
    for path in files_below(shared.data / "images"):
        assert b"secret" not in (shared.data / "images" / path).read_bytes()


def bomb() -> bytes:
    """Give a small PNG of 40,000 by 40,000 pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 40_000, 40_000, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(10**6))) + chunk(b"IEND", b"")
    )


HOSTILE = {
    "bomb": bomb,
    "truncated": lambda: png((400, 400))[:300],
    "text": lambda: b"not a picture",
    "svg": lambda: b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
    "bmp": lambda: saved("BMP"),
    "tiff": lambda: saved("TIFF"),
    "html": lambda: b"GIF89a<script>",
    "empty": lambda: b"",
    "random": lambda: b"\x89PNG\r\n\x1a\n" + os.urandom(5000),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_what_is_no_picture_is_refused(shared: Daemon, sha256: str, kind: str) -> None:
    """A bomb, a truncated file, a wrong type: a clear refusal, and nothing is left of it."""
    before = picture_files(shared), shared.get("/api/status")["position"]
    answer = shared.upload("/api/images/upload", HOSTILE[kind](), sha256=sha256)

    assert 400 <= answer.status < 500
    assert answer.detail.endswith((".", "it", "try again")) or " " in answer.detail
    assert (picture_files(shared), shared.get("/api/status")["position"]) == before
    assert names(shared, sha256) == []


def test_forms_that_are_not_right(shared: Daemon, sha256: str) -> None:
    """A form without its parts, for no model, or cut short is refused, and nothing is left of it."""
    before = picture_files(shared)
    body, kind = form(png(), {"sha256": sha256})
    no_model, _ = form(png(), {})
    unknown, _ = form(png(), {"sha256": "0" * 64})
    odd, _ = form(png(), {"sha256": "../../etc/passwd"})
    other_name, _ = form(png(), {"sha256": sha256}, name="file")
    mark = {"X-Hikaze": "1"}
    for sent, type_, statuses in [
        (no_model, kind, (422,)),
        (unknown, kind, (404,)),
        (odd, kind, (404, 422)),
        (other_name, kind, (422,)),
        (body[:200], kind, (400, 422)),
        (body, "multipart/form-data", (400,)),
        (body, "application/json", (415,)),
        (b"", kind, (400, 422)),
    ]:
        answer = shared.ask("POST", "/api/images/upload", sent, mark | {"Content-Type": type_})
        assert (sent[:150], answer.status in statuses, answer.status) == (sent[:150], True, answer.status)
        assert answer.detail
    assert picture_files(shared) == before
    assert names(shared, sha256) == []


@pytest.mark.parametrize("announced", [True, False], ids=["announced", "chunked"])
def test_a_picture_of_200_megabytes(shared: Daemon, sha256: str, announced: bool) -> None:
    """An upload of 200 MB is refused, whether its length is told before or not, and nothing is left of it."""
    block = os.urandom(1 << 20)
    head, tail = form(b"MARK", {"sha256": sha256})[0].split(b"MARK")
    kind = form(b"", {})[1]
    connection = OverSocket(shared.socket, 30)
    try:
        connection.putrequest("POST", "/api/images/upload")
        connection.putheader("X-Hikaze", "1")
        connection.putheader("Content-Type", kind)
        if announced:
            connection.putheader("Content-Length", str(len(head) + 200 * len(block) + len(tail)))
        else:
            connection.putheader("Transfer-Encoding", "chunked")
        connection.endheaders()
        try:
            for part in (head, *(block for _ in range(200)), tail):
                connection.send(part if announced else b"%x\r\n%b\r\n" % (len(part), part))
            if not announced:
                connection.send(b"0\r\n\r\n")
        except (BrokenPipeError, ConnectionResetError):
            pass  # it has heard enough
        try:
            response = connection.getresponse()
            assert response.status == 413
            assert b"too large" in response.read()
        except (ConnectionResetError, http.client.RemoteDisconnected, BrokenPipeError):
            assert announced is not None  # the answer was lost with the connection, as TCP may do
    finally:
        connection.close()
    shared.wait_for(lambda: files_below(shared.data / "images" / "tmp") == [], what="nothing is left")
    assert names(shared, sha256) == []


def test_an_upload_that_breaks_off(shared: Daemon, sha256: str) -> None:
    """A client that goes away in the middle leaves nothing behind."""
    body, kind = form(os.urandom(1 << 20), {"sha256": sha256})
    connection = OverSocket(shared.socket, 30)
    connection.putrequest("POST", "/api/images/upload")
    connection.putheader("X-Hikaze", "1")
    connection.putheader("Content-Type", kind)
    connection.putheader("Content-Length", str(len(body)))
    connection.endheaders()
    connection.send(body[: len(body) // 2])
    shared.wait_for(lambda: files_below(shared.data / "images" / "tmp"), what="it is being received")
    connection.close()

    shared.wait_for(lambda: files_below(shared.data / "images" / "tmp") == [], what="nothing is left")
    assert names(shared, sha256) == []


def test_pictures_of_pending_models(shared: Daemon, tmp_path: Path) -> None:
    """A pending model is given a picture, another takes its place, and a bad one leaves it alone."""
    path = shared.put_lora(shared.drop / "pictured.safetensors", 1000)
    number = shared.wait_pending(path)["id"]
    address = f"/api/images/pending/{number}"
    assert shared.ask("GET", address).status == 404
    first = picture(tmp_path / "a.jpg").read_bytes()
    assert shared.upload(address, first).status == 200
    assert shared.ask("GET", address).body == first
    second = png(colour="red")
    assert shared.upload(address, second).status == 200
    assert shared.upload(address, b"no picture").status in (415, 422)
    served = shared.ask("GET", address)
    assert (served.body, served.headers["Content-Type"]) == (second, "image/png")
    assert [name for name in picture_files(shared) if name.startswith("pending/")] == [f"pending/{number}.png"]
    assert shared.upload("/api/images/pending/999999", second).status == 404

    sha256 = shared.import_one(number).json["sha256"]
    assert names(shared, sha256) == [f"{sha256}_0"]
    assert [name for name in picture_files(shared) if name.startswith("pending/")] == []
