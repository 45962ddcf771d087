"""A note of how the daemon was started, so that somebody who finds it away can start it the same way.

ComfyUI's page offers that: a daemon with another data folder would show another library.
"""

import os
import sys
from collections.abc import Mapping, Sequence

import msgspec

from ..events.pathtext import to_text
from .instance import write_ours

NOTE_FILE = "started.json"

_OURS = ("HIKAZE_",)  # settings in the environment
_OTHERS = frozenset({"STATE_DIRECTORY"})


class Started(msgspec.Struct, frozen=True):
    """How a daemon was started: by which command, where, and with which settings in the environment.

    Or, where a service manager did it, by which unit; `by_user` says that it is a manager of the user's own.
    """

    command: list[str]
    cwd: str
    env: dict[str, str]
    unit: str = ""
    by_user: bool = False


def of_process(
    executable: str, argv: Sequence[str], cwd: str, env: Mapping[str, str], pid: int, cgroup: str
) -> Started | None:
    """Give how a process was started, None where that was not by our command line.

    `argv` is the whole of it, the interpreter first; `cgroup` what /proc/self/cgroup holds.
    """
    if "run" not in argv[1:]:
        return None
    kept = {key: to_text(value) for key, value in env.items() if key.startswith(_OURS) or key in _OTHERS}
    unit, by_user = _unit(env, pid, cgroup)
    return Started([to_text(executable), *map(to_text, argv[1:])], to_text(cwd), kept, unit, by_user)


def _unit(env: Mapping[str, str], pid: int, cgroup: str) -> tuple[str, bool]:
    """Give the systemd unit that started this very process: others in the unit of somebody else are not its service."""
    if env.get("SYSTEMD_EXEC_PID") != str(pid):
        return "", False
    path = next((line[3:] for line in cgroup.splitlines() if line.startswith("0::")), "")
    name = path.rpartition("/")[2]
    return (name, "/user@" in path) if name.endswith(".service") else ("", False)


def leave(folder: str, note: Started | None) -> None:
    """Leave the note in the folder of settings, in place of an older one. Raises OSError."""
    if note is not None:
        write_ours(os.path.join(folder, NOTE_FILE), msgspec.json.encode(note))


def of_this_process() -> Started | None:
    """Give how this process was started."""
    try:
        with open("/proc/self/cgroup", encoding="utf-8", errors="replace") as file:
            cgroup = file.read(4096)
    except OSError:  # no Linux
        cgroup = ""
    return of_process(sys.executable, sys.orig_argv, os.getcwd(), os.environ, os.getpid(), cgroup)
