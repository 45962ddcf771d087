"""Handlers for the export of what is known beside the models' files."""

import msgspec
from aiohttp import web

from ..export.run import NoSuchModel, UnderWay, Wish
from ..http import ApiError, answer, read_body
from ..services import Services
from ..shapes import ExportBody


async def export(services: Services, request: web.Request) -> web.Response:
    """Write what is asked for, and answer with what came of it."""
    body: ExportBody = await read_body(request, ExportBody)
    models = None if body.models == "all" else tuple(dict.fromkeys(body.models))
    wish = Wish(body.format, models, body.replace, body.pictures, body.dry_run)
    try:
        report = await services.exporter.run(wish)
    except NoSuchModel as error:
        raise ApiError(404, str(error)) from error
    except UnderWay as error:
        raise ApiError(409, str(error)) from error
    return answer(msgspec.to_builtins(report) | {"dry_run": body.dry_run})


async def cancel_export(services: Services, _request: web.Request) -> web.Response:
    """End the export that is under way."""
    return answer({"cancelled": services.exporter.cancel()})
