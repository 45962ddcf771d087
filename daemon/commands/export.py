"""The command `export`: what is known of models, written beside their files by the daemon."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from .client import ClientError
from .everyday import CommandError, Desk, watched, whole_model
from .terminal import number

EXPORT = "/api/export"


def export(desk: Desk) -> int:
    """Write what is known of models beside their files; 1 where something could not be written."""
    args = desk.args
    models = "all" if args.all else [whole_model(desk, wanted)["sha256"] for wanted in args.models]
    wish = {"format": args.format, "models": models}
    wish |= {"replace": args.replace, "pictures": args.pictures, "dry_run": args.dry_run}
    try:
        with watched(desk, "writing beside the models", lambda task: task["task"] == "export"):
            done = desk.client.send("POST", EXPORT, wish)
    except KeyboardInterrupt:
        with suppress(ClientError):
            desk.client.send("DELETE", EXPORT, {})
        raise CommandError("the export was cancelled; what is written stays, and none of it is cut short") from None
    if desk.json:
        desk.screen.json(done)
    else:
        _show(desk, done)
    if done["not_written"]:
        raise CommandError(f"{number(done['not_written'], 'file')} not written; see to the reason of each")
    return 0


def _show(desk: Desk, done: Mapping[str, Any]) -> None:
    screen = desk.screen
    if done["dry_run"]:
        for path in done["paths"]:
            screen.line(path)
    verb = "would be written" if done["dry_run"] else "written"
    parts = [f"{number(done['written'], 'file')} {verb}", f"{done['unchanged']:,} unchanged"]
    if done["pictures"]:
        parts.insert(1, f"{number(done['pictures'], 'picture')} {verb}")
    if done["cancelled"]:
        parts.append("cancelled before all was done")
    screen.line(", ".join(parts))
    if done["skipped"]:
        screen.line()
        screen.table(("NOT WRITTEN", "WHY"), ((each["path"], each["why"]) for each in done["skipped"]))
    left = done["not_written"] - len(done["skipped"])
    if left:
        screen.line(f"and {number(left, 'file')} more")
