"""What the daemon and its processes for far file systems say to each other."""

import socket
import sys

import pytest
from hikaze.daemon.far import wire as farwire
from hikaze.daemon.far.wire import Beat


def test_a_message_that_is_sent_is_read() -> None:
    """What one side sends the other reads, and then that nobody is there any more."""
    ours, theirs = socket.socketpair()
    with ours, theirs.makefile("rb") as source, theirs:
        ours.sendall(farwire.packed(Beat(7)))
        assert farwire.read(source) == Beat(7)
        ours.close()
        assert farwire.read(source) is None


@pytest.mark.skipif(sys.platform != "linux", reason="only there a reset tells of what was not read")
def test_the_other_side_goes_with_something_unread() -> None:
    """A side that goes without having read all is gone like any other: that is no error."""
    ours, theirs = socket.socketpair()
    with ours, theirs.makefile("rb") as source, theirs:
        theirs.sendall(farwire.packed(Beat(1)))
        ours.close()
        assert farwire.read(source) is None
