"""Uploads of one file in three pieces, each in a process of its own that may be killed: `-m tests.torture.one_upload`.

Each line on its standard input is a folder. The upload tells the thread that does all its work on the disk, and goes
on with the next line: until then strace can be attached to that. It tells each answer it gets, and in the end `ended`.
"""

import asyncio
import logging
import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from hikaze.daemon.uploads import UploadRefused

from ..daemon.uploadfolder import Sender, drop_folder

DATA = bytes(range(256)) * 12
PIECE = 1024
TRIES = 6


def main() -> None:
    """Upload until there are no more lines."""
    logging.disable()
    while line := sys.stdin.readline():
        child = os.fork()
        if not child:
            asyncio.run(_upload(Path(line.rstrip("\n"))))
            os._exit(0)
        os.waitpid(child, 0)
        _say("ended")


async def _upload(folder: Path) -> None:
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
    sender = Sender(drop_folder(folder))
    _say(await asyncio.to_thread(threading.get_native_id))
    sys.stdin.readline()
    for _ in range(TRIES):
        try:
            here = (await sender.send(size=len(DATA))).offset
            stands = await sender.send([DATA[here : here + PIECE]], here, size=len(DATA))
        except (OSError, UploadRefused):  # the disk refused something: somebody tries again
            continue
        _say(f"done {stands.path}" if stands.done else stands.offset)
        if stands.done:
            return


def _say(what: object) -> None:
    print(what, flush=True)  # noqa: T201 - this is how it tells


if __name__ == "__main__":
    main()
