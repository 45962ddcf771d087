"""Handlers for bringing the library of an earlier Hikaze along."""

import asyncio
import os

from aiohttp import web

from ...events.pathtext import to_path
from ..http import ApiError, answer, how, read_body, read_raw
from ..legacy import library as legacy
from ..services import Services
from ..shapes import MigrateBody


async def migrate(services: Services, request: web.Request) -> web.Response:
    """Bring an earlier library along, and answer with what came of it."""
    raw = await read_raw(request)
    body: MigrateBody = await read_body(request, MigrateBody)
    database = _whole(body.legacy_db_path, "legacy_db_path")
    images = None if body.legacy_images_dir is None else _whole(body.legacy_images_dir, "legacy_images_dir")
    try:
        source = await asyncio.to_thread(legacy.find, database, images)
    except OSError as error:
        raise ApiError(422, f"it cannot be read ({error}); make it readable for the user that runs hikazed") from error
    return answer(await services.migration.bring(source, **how(request, raw)))


def _whole(text: str, name: str) -> str:
    path = to_path(text)
    if "\0" in path or not os.path.isabs(path):
        raise ApiError(422, f"{name} must be a whole path, from the root of the file system on")
    return path


async def cancel_migration(services: Services, request: web.Request) -> web.Response:  # noqa: ARG001 - as all handlers
    """End the migration that is under way, after the row it is at."""
    cancelled, position = await services.migration.cancel()
    return answer({"cancelled": cancelled, "position": position})
