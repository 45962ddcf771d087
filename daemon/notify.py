"""Tell the service manager how the daemon is: systemd's readiness protocol.

One datagram of `NAME=value` lines to the socket that NOTIFY_SOCKET names, `@` standing for the NUL of an
abstract name. Source: sd_notify(3), https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html.
Our own few lines, because `sdnotify` on PyPI has had no release since 2017 and is no more than this.
"""

import logging
import os
import socket
import time
from collections.abc import Mapping

_log = logging.getLogger(__name__)


class Notifier:
    """Sends the daemon's state to the service manager; does nothing where there is none, and never raises."""

    def __init__(self, env: Mapping[str, str]) -> None:
        """Take NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID from the environment given."""
        self._address = env.get("NOTIFY_SOCKET", "")
        self.watchdog_seconds = _watchdog_seconds(env)

    def ready(self, status: str = "serving") -> None:
        """Say that start-up, or a reload, is finished."""
        self._send("READY=1", f"STATUS={_line(status)}")

    def status(self, text: str) -> None:
        """Show one line in `systemctl status`."""
        self._send(f"STATUS={_line(text)}")

    def stopping(self) -> None:
        """Say that the daemon has begun to stop."""
        self._send("STOPPING=1")

    def reloading(self) -> None:
        """Say that the configuration is read again; `ready` ends it."""
        self._send("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def watchdog(self) -> None:
        """Say that the daemon is alive; due every `watchdog_seconds` where that is not None."""
        self._send("WATCHDOG=1")

    def extend(self, seconds: float) -> None:
        """Ask for this much more time to start or stop, as a long rebuild needs."""
        self._send(f"EXTEND_TIMEOUT_USEC={int(seconds * 1_000_000)}")

    def _send(self, *lines: str) -> None:
        if not self._address:
            return
        try:
            _send_datagram(self._address, "\n".join(lines).encode("utf-8", "replace"))
        except (OSError, ValueError) as error:  # the service manager's trouble must not become ours
            _log.warning("Could not tell the service manager at %s %s: %s", self._address, lines[0], error)


def _send_datagram(address: str, message: bytes) -> None:
    if not hasattr(socket, "AF_UNIX") or address[0] not in "/@":
        raise ValueError("only unix sockets are supported")
    name = os.fsencode("\0" + address[1:] if address[0] == "@" else address)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.setblocking(False)  # a full queue must not stop the event loop
        sender.sendto(message, name)


def _watchdog_seconds(env: Mapping[str, str]) -> float | None:
    """Half of the time that sd_watchdog_enabled(3) gives, which is the ping interval it recommends."""
    usec, pid = env.get("WATCHDOG_USEC", ""), env.get("WATCHDOG_PID", "")
    if not (usec.isascii() and usec.isdigit()) or int(usec) == 0:
        return None
    if pid and pid != str(os.getpid()):
        return None
    return int(usec) / 2_000_000


def _line(text: str) -> str:
    return " ".join(text.split())
