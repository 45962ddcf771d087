"""Handlers for files that are sent into a drop folder, whole or in pieces."""

from collections.abc import Awaitable, Callable

from aiohttp import BodyPartReader, MultipartReader, web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.web_protocol import RequestPayloadError

from ...events.pathtext import shown, to_text
from .. import uploads
from ..http import ApiError, answer, one, problem, whole
from ..services import Services
from ..uploads import BadKind, BadUpload, DiskFull, NotNow, Standing, UploadRefused

_CHUNK = 1 << 18
_STATUS: dict[type[UploadRefused], int] = {BadUpload: 422, BadKind: 415, NotNow: 409, DiskFull: 507}

Read = Callable[[], Awaitable[bytes]]


async def upload(services: Services, request: web.Request) -> web.Response:
    """Take a file, or a piece of one, into a drop folder."""
    key, size = one(request, "upload"), _number(request, "size")
    offset, root = _number(request, "offset") or 0, _number(request, "root")
    try:
        if request.content_type == "multipart/form-data":
            if key is not None:
                raise ApiError(415, "send a piece as application/octet-stream; a form holds a whole file")
            part = await _file_of(request)
            wanted = uploads.wish(None, one(request, "name") or part.filename or "", size, root)
            done = await services.uploads.take(wanted, 0, _from_form(part))
        else:
            if key is None and offset:
                raise ApiError(422, "a piece needs a key; add ?upload= with one")
            wanted = uploads.wish(key, one(request, "name", required=True) or "", size, root)
            done = await services.uploads.take(wanted, offset, _from_body(request), _length(request))
    except UploadRefused as error:
        return _refusal(error)
    return answer(_told(key, done))


async def cancel_upload(services: Services, request: web.Request) -> web.Response:
    """Take an unfinished upload away."""
    key = one(request, "upload", required=True) or ""
    try:
        uploads.check_key(key)
        cancelled = await services.uploads.cancel(key)
    except UploadRefused as error:
        return _refusal(error)
    return answer({"upload": key, "cancelled": cancelled})


def _told(key: str | None, done: Standing) -> dict[str, object]:
    path = None if done.path is None else shown(to_text(done.path))
    return {"upload": key, "name": done.name, "offset": done.offset, "size": done.size, "done": done.done, "path": path}


def _refusal(error: UploadRefused) -> web.Response:
    status = _STATUS[type(error)]
    if error.offset is None:
        return problem(status, str(error))
    return problem(status, str(error), offset=error.offset)


def _number(request: web.Request, name: str) -> int | None:
    text = one(request, name)
    return None if text is None else whole(text, name)


def _length(request: web.Request) -> int | None:
    """Give how many bytes come, where that is announced: of those that come packed it is not."""
    return None if "Content-Encoding" in request.headers else request.content_length


def _from_body(request: web.Request) -> Read:
    async def read() -> bytes:
        try:
            return await request.content.readany()
        except (RequestPayloadError, HttpProcessingError) as error:
            raise ApiError(400, "the body broke off or is garbled; ask how much is here, then go on") from error

    return read


async def _file_of(request: web.Request) -> BodyPartReader:
    """Give the file of a form, which is its one part."""
    try:
        reader = await request.multipart()
        part = await reader.next()
    except (ValueError, AssertionError, RuntimeError) as error:
        raise ApiError(400, f"the form could not be read: {error}") from error
    if part is None or isinstance(part, MultipartReader) or part.name != "file":
        raise ApiError(422, "the form must have one part, the file, in a field named file")
    return part


def _from_form(part: BodyPartReader) -> Read:
    async def read() -> bytes:
        chunk = b""
        try:
            while not chunk and not part.at_eof():  # now and then it gives nothing before its end
                chunk = await part.read_chunk(_CHUNK)
        except (ValueError, AssertionError, RuntimeError, RequestPayloadError, HttpProcessingError) as error:
            raise ApiError(400, f"the form could not be read: {error}") from error
        return chunk

    return read
