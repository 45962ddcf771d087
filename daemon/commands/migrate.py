"""The command `migrate`: the library of an earlier Hikaze, brought along by the daemon."""

import os
from collections.abc import Mapping
from typing import Any

from ...events.pathtext import to_text
from .everyday import CommandError, Desk, watched
from .terminal import number

MIGRATE = "/api/migration/migrate_legacy_db"

_GOES_ON = (
    "the daemon goes on bringing it along; `hikazed status` shows how far it is, `hikazed migrate --cancel` ends it"
)
_FOLDERS = 10  # that no root holds, named to a person


def migrate(desk: Desk) -> int:
    """Bring an earlier library along, and say what came and what did not; 1 where it did not come to its end."""
    if desk.args.cancel:
        return _cancel(desk)
    try:
        with watched(desk, "bringing the earlier library along", lambda task: task["task"] == "migration"):
            done = desk.client.send("POST", MIGRATE, _wish(desk))
    except KeyboardInterrupt:
        raise CommandError(_GOES_ON) from None
    if desk.json:
        desk.screen.json(done)
    else:
        _show(desk, done)
    if done["status"] != "done":
        raise CommandError("it was cancelled before all had come; ask again, and the rest comes, nothing twice")
    return 0


def _wish(desk: Desk) -> dict[str, Any]:
    images = desk.args.images
    return {
        "legacy_db_path": _path(desk.args.source),
        "legacy_images_dir": None if images is None else _path(images),
    }


def _path(path: str) -> str:
    return to_text(os.path.abspath(os.path.expanduser(path)))


def _cancel(desk: Desk) -> int:
    found = desk.client.send("DELETE", MIGRATE, {})
    if desk.json:
        desk.screen.json(found)
    elif found["cancelled"]:
        desk.screen.line("cancelled; what came along stays")
    else:
        desk.screen.line("nothing is being brought along")
    return 0


def _show(desk: Desk, done: Mapping[str, Any]) -> None:
    screen = desk.screen
    for line in _told(done):
        screen.line(line)
    folders = done["unwatched"]
    if folders:
        screen.line()
        screen.line("folders that are not watched; watch them with --models TYPE=DIR, so that their files are seen")
        for folder in folders[:_FOLDERS]:
            screen.line(f"  {folder}")
        if len(folders) > _FOLDERS:
            screen.line(f"  and {number(len(folders) - _FOLDERS, 'folder')} more")
    if done["problems"]:
        screen.line()
        rows = ((each["table"], each["id"], each["what"]) for each in done["problems"])
        screen.table(("TABLE", "ID", "WHAT DID NOT COME ALONG"), rows)


def _told(done: Mapping[str, Any]) -> list[str]:
    """Give the figures as lines; those that are 0 are left out, but for the first."""
    lines = [f"{number(done['models'], 'model')}, {number(done['pending'], 'pending model', 'pending models')}"]
    brought = [number(done[name], noun) for name, noun in (("tags", "tag"), ("images", "picture")) if done[name]]
    if brought:
        lines.append("with " + ", ".join(brought))
    for name, told in (
        ("united", "united with what was known"),
        ("missing", "whose file is gone: put it back, and it is seen"),
        ("already", "that came before, unchanged"),
    ):
        if done[name]:
            lines.append(f"{done[name]:,} {told}")
    if done["problems"]:
        lines.append(f"{number(len(done['problems']), 'thing')} did not come along, see below")
    return lines
