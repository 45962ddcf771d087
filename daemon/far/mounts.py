"""Which paths lie on a file system that may hang, told without touching one.

To ask a hung mount anything, even whether a folder is there, is to wait for ever. So a path is resolved here
component by component on the near side, and given up at the first mount point that belongs to such a file system.
"""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence

from ..mounts import Mount
from ..rootcheck import is_network

_MOST_LINKS = 40  # what the kernel follows, see path_resolution(7)


def far_points(mounts: Iterable[Mount]) -> dict[str, Mount]:
    """Give the mount points behind which somebody else answers, or does not.

    Of two mounts on one point the later lies on top. `autofs` mounts when it is touched, which may hang as well.
    A machine whose `/` is far has no near side to tell it from, and is taken as it is.
    """
    tops = {mount.point: mount for mount in mounts if mount.point != "/"}
    return {point: mount for point, mount in tops.items() if is_network(mount.fstype) or mount.fstype == "autofs"}


def on_network(path: str, mounts: Sequence[Mount]) -> Mount | None:
    """Give the network or FUSE file system that a path lies on, or would once it is made; here `/` counts too."""
    real, far = Resolver(far_points(mounts)).resolved(path)
    if far is not None:
        return far
    holding = [mount for mount in mounts if _holds(mount.point, real)]
    # Of two on one point the later lies on top; the longest point is the innermost.
    inner = max(enumerate(holding), key=lambda pair: (len(pair[1].point), pair[0]), default=None)
    return inner[1] if inner is not None and is_network(inner[1].fstype) else None


def _holds(folder: str, path: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")


class Resolver:
    """Finds the far mount that paths lie on. It remembers folders, so use a new one after a while."""

    def __init__(self, far: Mapping[str, Mount], readlink: Callable[[str], str] = os.readlink) -> None:
        """Resolve against the far mounts by their points."""
        self._far = far
        self._readlink = readlink
        self._known: dict[str, tuple[str, Mount | None]] = {}

    def mount_of(self, path: str) -> Mount | None:
        """Give the far mount that an absolute path leads to; None where all of it lies on this machine."""
        return self.resolved(path)[1] if self._far else None

    def resolved(self, path: str) -> tuple[str, Mount | None]:
        """Give the real path, and the far mount it leads to; behind that point no link is resolved."""
        folder, name = os.path.split(path)
        if folder == path:
            return path, None
        known = self._known.get(folder)
        if known is None:
            known = self._known[folder] = self._walk("/", _parts(folder))
        real, mount = known
        if mount is not None:
            return os.path.join(real, name), mount
        return self._walk(real, [name])

    def _walk(self, here: str, parts: list[str]) -> tuple[str, Mount | None]:
        """Go from a real folder through components; the last one of `parts` comes first."""
        links = 0
        while parts:
            name = parts.pop()
            if name in ("", "."):
                continue
            if name == "..":
                here = os.path.dirname(here)
                continue
            path = os.path.join(here, name)
            if path in self._far:
                return os.path.join(path, *reversed(parts)), self._far[path]
            try:
                target = self._readlink(path)
            except OSError:  # no link, or nothing at all
                here = path
                continue
            links += 1
            if links > _MOST_LINKS:
                return path, None
            parts += _parts(target)
            if target.startswith("/"):
                here = "/"
        return here, None


def _parts(path: str) -> list[str]:
    return path.split("/")[::-1]
