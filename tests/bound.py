"""A folder seen through FUSE (bindfs): what changes behind it gives no hints, and it hangs when that is wanted."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# The kernel would show an old name for a second more: a rename behind the mount then looks like a copy and a loss.
_NO_CACHE = ("-o", "entry_timeout=0,attr_timeout=0,negative_timeout=0")


class Bound:
    """A folder, `behind`, and the mount point `at` which it is seen through bindfs."""

    def __init__(self, behind: Path, at: Path) -> None:
        """Mount one on the other; both are made."""
        self.behind, self.at = behind, at
        for folder in (behind, at):
            folder.mkdir(parents=True, exist_ok=True)
        self._mount()

    def _mount(self) -> None:
        self._process = subprocess.Popen(
            [shutil.which("bindfs") or "bindfs", "-f", *_NO_CACHE, str(self.behind), str(self.at)],
            stdin=subprocess.DEVNULL,
        )
        until = time.monotonic() + 20
        while not os.path.ismount(self.at):
            assert time.monotonic() < until, "bindfs did not mount"
            time.sleep(0.02)

    def hang(self) -> None:
        """Let nothing answer there any more, as a server that is gone."""
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Answer again."""
        self._process.send_signal(signal.SIGCONT)

    def unmount(self) -> None:
        """Take it away, whoever uses it, though nothing answers there."""
        subprocess.run(["umount", "-l", str(self.at)], check=True)
        self._process.kill()
        self._process.wait(20)

    def mount_again(self) -> None:
        """Mount it as it was."""
        self._mount()

    def close(self) -> None:
        """Take it away, whatever state it is in."""
        self.go_on()
        subprocess.run(["umount", "-l", str(self.at)], check=False, capture_output=True)
        self._process.kill()
        self._process.wait(20)


@contextmanager
def bound(behind: Path, at: Path) -> Iterator[Bound]:
    """Give a mounted folder, and take it away in the end."""
    made = Bound(behind, at)
    try:
        yield made
    finally:
        made.close()
