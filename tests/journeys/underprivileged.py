"""The daemon as another user: `underprivileged.py UID` and the flags of `hikazed run`, started by root.

What is imported late otherwise is imported first, because Python itself may lie where only root may read.
"""

import codecs
import os
import sys
from collections.abc import Sequence

from hikaze.daemon.__main__ import parser
from hikaze.daemon.app import run
from hikaze.daemon.config import load
from hikaze.daemon.routes.system import page_files

NOBODY = 65534


def main(argv: Sequence[str]) -> int:
    """Become the user, then run."""
    user = int(argv[0])
    for name in ("ascii", "idna", "latin-1"):
        codecs.lookup(name)
    page_files()
    os.setgroups([])
    os.setgid(user)
    os.setuid(user)
    return run(load(vars(parser().parse_args(["run", *argv[1:]])), os.environ))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
