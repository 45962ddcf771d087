"""The two doors of the daemon: loopback TCP for browsers, a unix socket for programs of the same user."""

import contextlib
import os
import secrets
import socket
import stat
import struct
from asyncio import BaseTransport
from collections.abc import Callable

from aiohttp import web

from .access import policy_for
from .config import Config
from .http import make_app
from .instance import Secrets
from .routes.table import API, PAGE
from .services import Services

STOP_S = 1.5  # requests under way get so long to end when the daemon stops


class CannotStart(Exception):
    """The daemon cannot start; the message says why and what to do."""


async def listen(config: Config, services: Services, stack: contextlib.AsyncExitStack) -> None:
    """Serve on both doors until `stack` is closed; raises `CannotStart` where one cannot be opened."""
    listener = _bind_tcp(config.listen_host, config.listen_port)
    port = listener.getsockname()[1]
    host = f"[{config.listen_host}]" if ":" in config.listen_host else config.listen_host
    services.url = f"http://{host}:{port}"
    policy = policy_for(config.listen_host, port, services.secrets.token, services.secrets.image_key)
    await _site(
        stack,
        lambda runner: web.SockSite(runner, listener),
        make_app(services, API + PAGE, policy, over_socket=False),
    )
    if config.socket is not None:
        bound = _bind_unix(config.socket)
        stack.callback(_remove_socket, config.socket, os.stat(config.socket).st_ino)
        await _site(
            stack,
            lambda runner: web.SockSite(runner, bound),
            make_app(services, API + PAGE, policy, over_socket=True),
        )


async def _site(
    stack: contextlib.AsyncExitStack,
    site: Callable[[web.AppRunner], web.BaseSite],
    app: web.Application,
) -> None:
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=STOP_S, handler_cancellation=False)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    await site(runner).start()


def _bind_tcp(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    if os.name == "posix":
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise CannotStart(
            f"cannot listen on {host}:{port} ({error.strerror}); choose another with --listen HOST:PORT,"
            " or :0 for a free one"
        ) from error
    listener.listen(128)
    listener.setblocking(False)
    return listener


def _bind_unix(path: str) -> socket.socket:
    """Listen on a unix socket; a socket that nobody serves any more gives way, anything else does not."""
    bound = socket.socket(socket.AF_UNIX)
    try:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        _clear_stale(path)
        bound.bind(path)
        os.chmod(path, 0o600)
    except CannotStart:
        bound.close()
        raise
    except OSError as error:
        bound.close()
        raise CannotStart(f"cannot listen on {path} ({error.strerror}); choose another with --socket PATH") from error
    bound.listen(128)
    bound.setblocking(False)
    return bound


def _clear_stale(path: str) -> None:
    try:
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            raise CannotStart(f"{path} is not a socket of ours; choose another with --socket PATH")
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1)
        try:
            probe.connect(path)
        except (ConnectionRefusedError, FileNotFoundError):
            os.unlink(path)
            return
        except OSError:
            pass
    raise CannotStart(
        f"another daemon serves {path}; stop it with `hikazed stop`, or choose another with --socket PATH"
    )


def _remove_socket(path: str, inode: int) -> None:
    with contextlib.suppress(OSError):
        if os.stat(path).st_ino == inode:
            os.unlink(path)


def is_same_user(transport: BaseTransport | None) -> bool:
    """Check the user at the other end of a unix socket, where the system tells (unix(7), SO_PEERCRED)."""
    peer = None if transport is None else transport.get_extra_info("socket")
    if peer is None or not hasattr(socket, "SO_PEERCRED"):
        return True  # the socket's mode lets nobody else in
    credentials = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    _, user, _ = struct.unpack("3i", credentials)
    return user == os.getuid()


def is_trusted(request: web.Request, known: Secrets) -> bool:
    """Tell whether a caller of `/api/session` is allowed in without a code."""
    transport = request.transport
    if transport is not None and transport.get_extra_info("socket").family == getattr(socket, "AF_UNIX", None):
        return True
    given = request.headers.get("Authorization", "")
    return secrets.compare_digest(given.encode(errors="replace"), f"Bearer {known.token}".encode())
