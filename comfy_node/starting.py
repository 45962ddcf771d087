"""Starting the daemon for somebody whose page asks for it: by what command, and whether it came up.

The daemon that ran last has left a note of how it was started (`started.json`, beside its `daemon.json`): starting it
the same way brings the same library back. Without one it is `hikazed run`, wherever that program is.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .whereabouts import STARTED_FILE, config_folder, read_ours, to_path

INSTALLED_FILE = "installed.json"
LOG_FILE = "started-by-comfyui.log"
PROGRAM_VARIABLE = "HIKAZE_PROGRAM"

AWAY = "Hikaze's daemon does not run"
# On Windows a session of its own is made by flags.
_FLAGS = subprocess.DETACHED_PROCESS | subprocess.CREATE_NEW_PROCESS_GROUP if sys.platform == "win32" else 0
# What ComfyUI's own Python was told is not for another Python.
_NOT_FOR_OTHERS = ("PYTHONHOME", "PYTHONPATH", "PYTHONEXECUTABLE", "VIRTUAL_ENV", "__PYVENV_LAUNCHER__")


@dataclass(frozen=True)
class Command:
    """How to start the daemon: what to run and where, and how a person would say it. No `argv`: only a person can."""

    argv: tuple[str, ...]
    said: str
    cwd: str | None = None
    env: Mapping[str, str] = field(default_factory=dict[str, str])
    returns: bool = False
    """Whether it returns when the daemon is up: that of a service manager."""


class CannotStart(Exception):
    """The daemon could not be started; the message is one sentence that says what to do."""


def find(env: Mapping[str, str], pack: str, which: Callable[[str], str | None] = shutil.which) -> Command | None:
    """Give how to start the daemon, None where its program cannot be found. `pack` is the folder of this node pack."""
    named = env.get(PROGRAM_VARIABLE, "")
    if named:
        return Command((named, "run"), f"`{named} run`")
    noted = _as_before(read_ours(os.path.join(config_folder(env), STARTED_FILE)))
    if noted is not None:
        return noted
    installed = read_ours(os.path.join(pack, INSTALLED_FILE)) or {}
    command = _texts(installed.get("command"))
    if command and os.path.isfile(command[0]):
        return Command((*command, "run"), "`hikazed run`")
    beside = os.path.join(pack, ".venv", "Scripts" if os.name == "nt" else "bin", "hikazed")
    program = which("hikazed") or which(beside)
    return None if program is None else Command((program, "run"), "`hikazed run`")


def _as_before(note: Mapping[str, Any] | None) -> Command | None:
    if note is None:
        return None
    unit, by_user = note.get("unit"), note.get("by_user") is True
    if isinstance(unit, str) and unit:
        said = f"`systemctl {'--user ' if by_user else ''}start {unit}`"
        return Command(("systemctl", "--user", "start", unit) if by_user else (), said, returns=True)
    argv, cwd, env = _texts(note.get("command")), note.get("cwd"), note.get("env")
    if not argv or "run" not in argv or not os.path.isfile(argv[0]):
        return None  # it was uninstalled, or moved, meanwhile
    there = to_path(cwd) if isinstance(cwd, str) else ""
    kept = {str(key): to_path(str(value)) for key, value in env.items()} if isinstance(env, dict) else {}
    return Command(argv, "`hikazed run`", there if os.path.isdir(there) else None, kept)


def _texts(value: object) -> tuple[str, ...]:
    whole = isinstance(value, list) and all(isinstance(each, str) for each in value)
    return tuple(map(to_path, value)) if isinstance(value, list) and whole else ()


def how(command: Command | None, *, is_near: bool) -> str:
    """Say in one sentence how the daemon is started."""
    if not is_near:  # what programs there are on the machine is not for everybody
        return f"{AWAY}; whoever runs this ComfyUI can start it there, with `hikazed run`."
    if command is None:
        return f"{AWAY}; install it with `pipx install hikaze`, and start it with `hikazed run`."
    return f"{AWAY}; start it with {command.said}."


def launch(command: Command, env: Mapping[str, str]) -> "subprocess.Popen[bytes]":
    """Start the daemon as a process of its own, that lives on when ComfyUI ends. Raises `CannotStart`."""
    kept = {key: value for key, value in env.items() if key not in _NOT_FOR_OTHERS}
    log = _log_path(env)
    try:
        os.makedirs(os.path.dirname(log), mode=0o700, exist_ok=True)
        with open(log, "wb", opener=_private) as output:
            return subprocess.Popen(  # noqa: S603 - what the owner's own daemon noted, or the owner installed
                command.argv,
                cwd=command.cwd,
                env={**kept, **command.env},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=output,
                start_new_session=True,
                creationflags=_FLAGS,
            )
    except (OSError, ValueError) as error:
        raise CannotStart(f"{command.argv[0]} could not be started ({error}); start the daemon by hand.") from error


def last_words(env: Mapping[str, str]) -> str:
    """Give the last line that a daemon started here wrote, empty without one."""
    try:
        with open(_log_path(env), "rb") as file:
            lines = file.read(64 * 1024).decode("utf-8", "replace").strip().splitlines()
    except OSError:
        return ""
    return lines[-1].strip() if lines else ""


def _log_path(env: Mapping[str, str]) -> str:
    return os.path.join(config_folder(env), LOG_FILE)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
