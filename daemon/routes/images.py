"""Handlers for pictures."""

import asyncio
import hashlib
import os
from email.utils import formatdate

import msgspec
from aiohttp import BodyPartReader, web

from ...projections import images, models
from ..http import ApiError, answer, how, number, one, sha256_of, whole
from ..pictured import info
from ..pictures import MAX_BYTES, TIERS
from ..services import Services
from ..shapes import ImageInfo

_CHUNK = 1 << 18
IMMUTABLE = "private, max-age=31536000, immutable"
REVALIDATED = "private, no-cache"


async def get_sample_images(services: Services, request: web.Request) -> web.Response:
    """Give the base names of a model's pictures."""
    sha256 = _known(services, request)
    return answer({"images": [f"{sha256}_{seq}" for seq in images.sequences(services.library.db, sha256)]})


async def get_image_count(services: Services, request: web.Request) -> web.Response:
    """Give how many pictures a model has."""
    sha256 = _known(services, request)
    return answer({"count": len(images.sequences(services.library.db, sha256))})


async def get_image(services: Services, request: web.Request) -> web.StreamResponse:
    """Give a picture of a model; its bytes never change."""
    sha256 = sha256_of(request.match_info["sha256"])
    seq = whole(request.match_info["seq"], "seq")
    if not images.has(services.library.db, sha256, seq):
        raise ApiError(404, f"there is no picture {seq} of model {sha256[:12]}")
    return await _send(services, request, sha256, seq, IMMUTABLE)


async def get_cover(services: Services, request: web.Request) -> web.StreamResponse:
    """Give the picture that stands for a model."""
    sha256 = sha256_of(request.match_info["sha256"])
    seq = images.cover(services.library.db, sha256)
    if seq is None:
        raise ApiError(404, f"model {sha256[:12]} has no picture; upload one")
    return await _send(services, request, sha256, seq, REVALIDATED)


async def _send(services: Services, request: web.Request, sha256: str, seq: int, caching: str) -> web.StreamResponse:
    tier = one(request, "quality") or "high"
    if tier not in TIERS:
        raise ApiError(422, f"quality must be one of {', '.join(TIERS)}")
    etag = f'"{sha256[:32]}_{seq}_{tier}"'
    headers = {"ETag": etag, "Cache-Control": caching}
    if etag in [tag.strip().removeprefix("W/") for tag in request.headers.get("If-None-Match", "").split(",")]:
        return web.Response(status=304, headers=headers)
    path = services.store.path(sha256, seq, tier)
    return await _file(path, "image/webp", headers)


async def _file(path: str, media_type: str, headers: dict[str, str]) -> web.StreamResponse:
    try:
        with await asyncio.to_thread(open, path, "rb") as file:
            body = await asyncio.to_thread(file.read)
            modified = os.fstat(file.fileno()).st_mtime
    except FileNotFoundError:
        raise ApiError(404, "the picture's file is gone from the data folder; `hikazed check` tells more") from None
    headers = headers | {"Last-Modified": formatdate(modified, usegmt=True)}
    return web.Response(body=body, content_type=media_type, headers=headers)


async def upload_image(services: Services, request: web.Request) -> web.Response:
    """Take a picture for a model."""
    token, fields = await _receive(services, request, ("sha256",))
    try:
        sha256 = sha256_of(fields.get("sha256", ""))
        ways = how(request, sha256.encode())
    except BaseException:
        await asyncio.to_thread(services.store.discard, token)
        raise
    seq, written = await services.gallery.add(sha256, token, **ways)
    return answer({"base_name": f"{sha256}_{seq}", "seq": seq, "position": written.position})


async def delete_image(services: Services, request: web.Request) -> web.Response:
    """Take a picture away from a model."""
    sha256 = sha256_of(one(request, "sha256", required=True) or "")
    seq = number(request, "seq", least=0, most=2**53)
    written = await services.gallery.remove(sha256, seq, **how(request))
    return answer({"position": written.position})


async def _receive(services: Services, request: web.Request, wanted: tuple[str, ...]) -> tuple[str, dict[str, str]]:
    """Receive a multipart form: the part `image` goes to a file, others are short texts. Gives (token, texts)."""
    if request.content_type != "multipart/form-data":
        raise ApiError(415, "send the picture as multipart/form-data, in a part named image")
    length = request.content_length
    if length is not None and length > MAX_BYTES + (1 << 20):
        raise ApiError(413, _TOO_LARGE, {"Connection": "close"})
    token = services.store.new_token()
    try:
        return token, await _receive_parts(services.store.incoming(token), request, wanted)
    except BaseException:
        await asyncio.to_thread(services.store.discard, token)
        raise


async def _receive_parts(target: str, request: web.Request, wanted: tuple[str, ...]) -> dict[str, str]:
    fields: dict[str, str] = {}
    received = False
    try:
        reader = await request.multipart()
        async for part in reader:
            if not isinstance(part, BodyPartReader):
                raise ApiError(422, "a multipart inside a multipart is not taken")
            if part.name == "image" and not received:
                await _receive_file(part, target)
                received = True
            elif part.name in wanted:
                fields[part.name] = (await _short(part)).decode(errors="replace").strip()
            else:
                raise ApiError(422, f"the form has a part that is not taken here: {part.name!r}")
    except (ValueError, AssertionError, RuntimeError) as error:
        raise ApiError(400, f"the form could not be read: {error}") from error
    missing = [name for name in wanted if name not in fields] + ([] if received else ["image"])
    if missing:
        raise ApiError(422, f"the form lacks the part {missing[0]}")
    return fields


_TOO_LARGE = f"the picture is too large; at most {MAX_BYTES >> 20} MiB are taken, make it smaller"


async def _receive_file(part: BodyPartReader, target: str) -> None:
    size = 0
    with open(target, "xb", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
        while chunk := await part.read_chunk(_CHUNK):
            size += len(chunk)
            if size > MAX_BYTES:
                raise ApiError(413, _TOO_LARGE, {"Connection": "close"})
            await asyncio.to_thread(file.write, chunk)


async def _short(part: BodyPartReader) -> bytes:
    text = await part.read_chunk(1 << 12)
    if await part.read_chunk(1):
        raise ApiError(422, f"the part {part.name} is too long")
    return text


# Pending models


async def get_pending_image(services: Services, request: web.Request) -> web.StreamResponse:
    """Give the original picture of a pending model."""
    found = _pending_picture(services, whole(request.match_info["id"], "id", least=1))
    number_, extension, position = found
    etag = f'"p{number_}_{position}"'
    headers = {"ETag": etag, "Cache-Control": REVALIDATED}
    if etag in request.headers.get("If-None-Match", ""):
        return web.Response(status=304, headers=headers)
    return await _file(services.store.pending_path(number_, extension), _MEDIA_TYPES[extension], headers)


_MEDIA_TYPES = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".webp": "image/webp",
    ".gif": "image/gif",
    ".avif": "image/avif",
}


def _pending_picture(services: Services, number_: int) -> tuple[int, str, int]:
    row = services.library.db.execute(
        "SELECT picture, picture_position FROM pending_import WHERE id = ?", (number_,)
    ).fetchone()
    if row is None:
        raise ApiError(404, f"there is no pending model {number_}; list them with `hikazed pending`")
    if row[0] is None:
        raise ApiError(404, f"pending model {number_} has no picture; give it one by POST to this address")
    return number_, row[0], row[1]


async def give_pending_image(services: Services, request: web.Request) -> web.Response:
    """Take a picture for a pending model, in place of the one it has."""
    number_ = whole(request.match_info["id"], "id", least=1)
    token, _ = await _receive(services, request, ())
    written = await services.gallery.give_pending(number_, token, **how(request))
    return answer({"position": written.position})


# What pictures tell


async def get_image_info(services: Services, request: web.Request) -> web.Response:
    """Give what a picture of a model tells of how it was made."""
    sha256 = sha256_of(request.match_info["sha256"])
    seq = whole(request.match_info["seq"], "seq")
    position = images.position(services.library.db, sha256, seq)
    if position is None:
        raise ApiError(404, f"there is no picture {seq} of model {sha256[:12]}")
    return await _info(services, request, f"{sha256}_{seq}", position)


async def get_pending_image_info(services: Services, request: web.Request) -> web.Response:
    """Give what the picture of a pending model tells of how it was made."""
    number_, _extension, position = _pending_picture(services, whole(request.match_info["id"], "id", least=1))
    return await _info(services, request, str(number_), position)


async def _info(services: Services, request: web.Request, image: str, position: int) -> web.Response:
    told = await services.pictured.told(position)
    links = await services.pictured.linked(told.generation)
    body, tag = await asyncio.to_thread(_encoded, info(image, told, links))
    # What a picture tells never changes, but the models that are known do: so it is asked each time, and answered
    # at length only where something is new.
    headers = {"ETag": tag, "Cache-Control": REVALIDATED}
    if headers["ETag"] in request.headers.get("If-None-Match", ""):
        return web.Response(status=304, headers=headers)
    return answer(body, headers=headers)


def _encoded(told: ImageInfo) -> tuple[bytes, str]:
    body = msgspec.json.encode(told)
    return body, f'"{hashlib.sha256(body).hexdigest()[:32]}"'


def _known(services: Services, request: web.Request) -> str:
    sha256 = sha256_of(one(request, "sha256", required=True) or "")
    if models.get(services.library.db, sha256) is None:
        raise ApiError(404, f"there is no model {sha256[:12]}; it may not be imported yet")
    return sha256
