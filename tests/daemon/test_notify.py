"""What the service manager hears."""

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hikaze.daemon.notify import Notifier

pytestmark = pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="needs unix sockets")


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    """Listen as systemd does, and give the socket and its NOTIFY_SOCKET."""
    if request.param == "abstract" and os.uname().sysname != "Linux":
        pytest.skip("abstract sockets are Linux's")
    name = str(tmp_path / "notify") if request.param == "path" else f"@hikaze-test-{os.getpid()}"
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as listener:
        listener.bind("\0" + name[1:] if name[0] == "@" else name)
        listener.settimeout(5)
        yield listener, name


def test_messages(manager: tuple[socket.socket, str]):
    """Each state is one datagram of NAME=value lines."""
    listener, name = manager
    notifier = Notifier({"NOTIFY_SOCKET": name})

    notifier.status("reading\nthe log: 12 %")
    notifier.ready()
    notifier.watchdog()
    notifier.extend(1.5)
    notifier.stopping()

    assert [listener.recv(1000) for _ in range(5)] == [
        b"STATUS=reading the log: 12 %",
        b"READY=1\nSTATUS=serving",
        b"WATCHDOG=1",
        b"EXTEND_TIMEOUT_USEC=1500000",
        b"STOPPING=1",
    ]


def test_reload_carries_the_time(manager: tuple[socket.socket, str]):
    """A reload says when it began, as systemd asks of Type=notify-reload."""
    listener, name = manager

    Notifier({"NOTIFY_SOCKET": name}).reloading()

    first, second = listener.recv(1000).split(b"\n")
    assert first == b"RELOADING=1"
    assert second.startswith(b"MONOTONIC_USEC=")
    assert second.partition(b"=")[2].isdigit()


@pytest.mark.parametrize("env", [{}, {"NOTIFY_SOCKET": ""}])
def test_no_manager(env: dict[str, str], caplog: pytest.LogCaptureFixture):
    """Without a service manager nothing is sent and nothing is said."""
    Notifier(env).ready()

    assert caplog.messages == []


@pytest.mark.parametrize("name", ["/nowhere/notify", "@hikaze-nobody", "vsock:2:1234", "/" + "x" * 200, "/a\0b"])
def test_a_deaf_manager_is_logged(name: str, caplog: pytest.LogCaptureFixture):
    """A manager that cannot be reached costs a warning and never the daemon."""
    with caplog.at_level(logging.WARNING):
        Notifier({"NOTIFY_SOCKET": name}).ready()

    assert len(caplog.messages) == 1


def test_a_full_queue_does_not_block(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    """A manager that does not read stops nobody: what does not fit is logged and dropped."""
    name = str(tmp_path / "notify")
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as listener:
        listener.bind(name)
        notifier = Notifier({"NOTIFY_SOCKET": name})
        for _ in range(5_000):
            notifier.watchdog()
            if caplog.messages:
                break

    assert caplog.messages


@pytest.mark.parametrize(
    ("env", "seconds"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "30000000"}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({"WATCHDOG_USEC": "-5"}, None),
    ],
)
def test_watchdog_interval(env: dict[str, str], seconds: float | None):
    """A sign of life is due every half of the time the manager waits, if it watches this process."""
    assert Notifier(env).watchdog_seconds == seconds
