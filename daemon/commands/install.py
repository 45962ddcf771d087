"""The command `install`: our node pack, put into a ComfyUI or taken out of it."""

import os
import sys
from importlib.metadata import version

from .. import comfypack
from ..comfypack import CannotInstall
from .everyday import CommandError, Desk

_SAID = {
    "installed": "Hikaze {version} is in {path}; start ComfyUI anew to have it",
    "updated": "Hikaze in {path} is of version {version} now; start ComfyUI anew to have it",
    "removed": "Hikaze is gone from {path}; nothing of your library was touched",
    "absent": "there is no Hikaze in {path}",
}


def install(desk: Desk) -> int:
    """Put the pack into a ComfyUI, bring an earlier copy up to date, or take it out."""
    folder = os.path.abspath(os.path.expanduser(desk.args.comfyui))
    ours = version("hikaze")
    try:
        if desk.args.uninstall:
            path, done = comfypack.uninstall(folder)
        else:
            path, done = comfypack.install(folder, ours, (sys.executable, "-m", "hikaze.daemon"))
    except CannotInstall as error:
        raise CommandError(str(error)) from error
    except OSError as error:
        where = error.filename or folder
        raise CommandError(
            f"{where} cannot be written ({error.strerror or error}); see to it, then try again"
        ) from error
    if desk.json:
        desk.screen.json({"path": path, "done": done, "version": ours})
    else:
        desk.screen.line(_SAID[done].format(path=path, version=ours))
    return 0
