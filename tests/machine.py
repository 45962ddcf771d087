"""What this machine lets a test do: mount file systems, trace system calls. What it does not is skipped.

`tools/test.sh` names in its last lines what is missing, and fails for it in CI.
"""

import os
import shutil
import subprocess
import sys
import tempfile

import pytest


def _may_mount() -> bool:
    if sys.platform != "linux" or os.geteuid() != 0 or shutil.which("mount") is None:
        return False
    with tempfile.TemporaryDirectory(prefix="hikaze-mount-") as folder:
        tried = subprocess.run(["mount", "-t", "tmpfs", "none", folder], capture_output=True, check=False)
        if tried.returncode != 0:
            return False
        subprocess.run(["umount", folder], check=True)
    return True


def _may_trace() -> bool:
    if shutil.which("strace") is None:
        return False
    return subprocess.run(["strace", "-o", os.devnull, "true"], capture_output=True, check=False).returncode == 0


MAY_MOUNT = _may_mount()
MAY_TRACE = _may_trace()
HAS_BINDFS = MAY_MOUNT and shutil.which("bindfs") is not None and os.path.exists("/dev/fuse")

needs_mount = pytest.mark.skipif(not MAY_MOUNT, reason="mounting needs root on Linux")
needs_strace = pytest.mark.skipif(not MAY_TRACE, reason="strace is not here, or may not trace")
needs_bindfs = pytest.mark.skipif(not HAS_BINDFS, reason="bindfs is not here, or may not mount")


def missing() -> list[str]:
    """Give what is missing here, each with why it is wanted."""
    wanted = {
        "right to mount (root): the tests with unplugged, swapped and full disks": MAY_MOUNT,
        "strace: the tests that kill an import at each system call": MAY_TRACE,
        "bindfs (Debian package) and /dev/fuse: the tests with file systems that give no hints, or hang": HAS_BINDFS,
    }
    return [what for what, there in wanted.items() if not there]


if __name__ == "__main__":
    print("".join(f"- {what}\n" for what in missing()), end="")  # noqa: T201 - for tools/test.sh
