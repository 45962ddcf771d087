"""Where the daemon of this user is: by its `daemon.json`, as the daemon's own command line finds it.

The folders are those that platformdirs gives the daemon; it is not to be had in every ComfyUI.
"""

import json
import os
import re
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

ANNOUNCEMENT_FILE = "daemon.json"
STARTED_FILE = "started.json"
SOCKET_FILE = "hikazed.sock"

_MOST_BYTES = 64 * 1024  # the daemon's own small files; anything longer is not its
_ESCAPED = re.compile("\0([0-9a-f]{4})")
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class Address:
    """How a daemon is reached: by its socket, else by `url` with its token. `mark` is another for another daemon."""

    socket: str | None
    url: str = "http://localhost"
    token: str = field(default="", repr=False)
    mark: str = ""


def config_folder(env: Mapping[str, str], platform: str = sys.platform) -> str:
    """Give the folder in which the daemon announces itself to the programs of its user."""
    home, named = os.path.expanduser("~"), env.get("XDG_CONFIG_HOME", "").strip()
    if platform == "win32":
        base = env.get("LOCALAPPDATA") or os.path.join(home, "AppData", "Local")
    elif os.path.isabs(named):
        base = named
    elif platform == "darwin":
        base = os.path.join(home, "Library", "Application Support")
    else:
        base = os.path.join(home, ".config")
    return os.path.join(base, "hikaze")


def find(env: Mapping[str, str]) -> Address | None:
    """Give where the daemon said it is, None where none did. It may have died since: only a connection tells.

    By `HIKAZE_SOCKET`, else by `HIKAZE_DATA`, else the last one started by this user.
    """
    last = _announced(os.path.join(config_folder(env), ANNOUNCEMENT_FILE))
    given, data = env.get("HIKAZE_SOCKET", ""), env.get("HIKAZE_DATA", "")
    if given:
        return last if last is not None and last.socket == given else Address(given)
    if data:
        return _announced(os.path.join(data, ANNOUNCEMENT_FILE)) or _at_socket(os.path.join(data, SOCKET_FILE))
    runtime = env.get("XDG_RUNTIME_DIR", "")
    return last or (_at_socket(os.path.join(runtime, "hikaze", SOCKET_FILE)) if os.path.isabs(runtime) else None)


def _at_socket(path: str) -> Address | None:
    return Address(path) if os.path.exists(path) else None


def _announced(path: str) -> Address | None:
    said = read_ours(path)
    if said is None:
        return None
    path_, url, token = said.get("socket"), said.get("url"), said.get("token")
    mark = f"{said.get('pid')} {url}"
    if isinstance(path_, str) and hasattr(socket, "AF_UNIX"):
        return Address(to_path(path_), mark=mark)
    if isinstance(url, str) and isinstance(token, str) and url.startswith("http://"):
        return Address(None, url, token, mark)
    return None


def read_ours(path: str) -> dict[str, Any] | None:
    """Read one of the daemon's small files; None where there is none, or what is there is not the daemon's."""
    try:
        with open(path, "rb") as file:
            content = file.read(_MOST_BYTES + 1)
        found = json.loads(content) if len(content) <= _MOST_BYTES else None
    except (OSError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def to_text(path: str) -> str:
    """Give a path as the daemon writes it in JSON: what is no UTF-8 is NUL and its four hexadecimal digits."""
    return path if path.isascii() else _SURROGATE.sub(lambda unit: f"\0{ord(unit.group()):04x}", path)


def to_path(text: str) -> str:
    """Give back the path for Python's `os` functions; the inverse of `to_text`."""
    return _ESCAPED.sub(lambda unit: chr(int(unit.group(1), 16)), text) if "\0" in text else text
