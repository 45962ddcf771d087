"""The daemon with little patience, for the journeys with network file systems: it polls and gives up in seconds."""

import os
import sys
from collections.abc import Sequence

from hikaze.daemon.__main__ import parser
from hikaze.daemon.app import run
from hikaze.daemon.config import load
from hikaze.daemon.far.disks import FarDisks
from hikaze.daemon.polling import Polling

POLL_S = (1.0, 3.0)
LIMIT_S = 4.0
BACK_OFF_S = (0.5, 2.0)


def main(argv: Sequence[str]) -> int:
    """Run the daemon."""
    config = load(vars(parser().parse_args(["run", *argv])), os.environ)
    return run(
        config,
        disks=lambda hints: FarDisks(hints, Polling(*POLL_S), limit_s=LIMIT_S, back_off_s=BACK_OFF_S, patience_s=2.0),
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
