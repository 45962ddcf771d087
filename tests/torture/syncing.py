"""What a power cut could still take away at some moment of a story, told from the calls that it made.

The rules are the strictest that POSIX allows (and ALICE, OSDI 2014, assumes): what was written to a file is durable
once that file was synced, and a name that came, went or changed once its folder was, whatever else was synced.
"""

import os
import re
from collections.abc import Iterable, Iterator

from .killing import Call

_PATH = re.compile(r'<(?P<fd>[^<>]*)>|"(?P<name>[^"]*)"')


def undurable(calls: Iterable[Call]) -> Iterator[tuple[Call, frozenset[str]]]:
    """Give each call with the files and folders, by their paths, that hold something undurable when it is made."""
    open_ends = _Disk()
    for call in calls:
        yield call, frozenset(open_ends.dirty)
        open_ends.take(call)


class _Disk:
    """Files that were written to, and folders in which names changed, since they were last synced."""

    def __init__(self) -> None:
        self.dirty: set[str] = set()

    def take(self, call: Call) -> None:
        """Take in a call that was made; one that failed changed nothing."""
        arguments, _, answer = call.text.rpartition(" = ")
        if answer.startswith("-1"):
            return
        fds = [match["fd"] for match in _PATH.finditer(arguments) if match["fd"] is not None]
        names = [match["name"] for match in _PATH.finditer(arguments) if match["name"] is not None]
        match call.name:
            case "fsync" | "fdatasync":
                self.dirty.discard(fds[0])
            case "write" | "pwrite64" | "pwritev" | "pwritev2" | "ftruncate" | "fallocate":
                self.dirty.add(fds[0])
            case "copy_file_range" | "sendfile":
                self.dirty.add(fds[-1] if call.name == "copy_file_range" else fds[0])
            case "open" | "openat" | "creat" if "O_CREAT" in arguments or call.name == "creat":
                self._changed(names[-1])
            case "rename" | "renameat" | "renameat2":
                self._changed(*names)
                if names[0] in self.dirty:
                    self.dirty.remove(names[0])
                    self.dirty.add(names[1])
            case "link" | "linkat":
                self._changed(names[1])
            case "mkdir" | "mkdirat" | "unlink" | "unlinkat" | "rmdir":
                self._changed(names[0])
                self.dirty.discard(names[0])
            case _:
                pass

    def _changed(self, *paths: str) -> None:
        self.dirty.update(os.path.dirname(path) for path in paths)
