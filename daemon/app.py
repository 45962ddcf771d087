"""The composition root: builds the daemon from its parts, starts them in order, stops them in reverse."""

import asyncio
import contextlib
import logging
import os
import secrets
import signal
import socket
import stat
import struct
import sys
import time
from asyncio import BaseTransport
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version

import platformdirs
from aiohttp import web

from ..events.log import LogError
from ..projections import images, pending
from . import comfyui, rootcheck, roots
from .access import Codes, policy_for
from .config import Config, ConfigError, check_roots
from .gallery import Gallery
from .http import make_app
from .imagestore import ImageStore
from .importer import Importer
from .ingest import STEPS, Busy, Step, Tools
from .instance import DataLock, InstanceError, Running, Secrets, announce, load_secrets, prepare, withdraw
from .library import Library
from .notify import Notifier
from .observer import Observer
from .roots import Wanted
from .routes import API, PAGE
from .routes_system import page_files
from .services import Services

STOP_S = 1.5  # requests under way get so long to end when the daemon stops

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Plan:
    """Which folders to watch: the roots, the model folders of each type in order, and what is odd about them."""

    wanted: tuple[Wanted, ...]
    order: Mapping[str, tuple[str, ...]]
    warnings: tuple[tuple[str, str], ...]


class CannotStart(Exception):
    """The daemon cannot start; the message says why and what to do."""


def run(config: Config, *, steps: Sequence[Step] = STEPS) -> int:
    """Run the daemon until it is told to stop; gives the exit code. The reason of a failure goes to stderr."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    logging.getLogger("aiohttp").setLevel(logging.WARNING)
    os.umask(0o077)
    try:
        prepare(config.data)
        with DataLock(config.data):
            return asyncio.run(_serve(config, steps))
    except (CannotStart, InstanceError, ConfigError, LogError, comfyui.NotComfyUI) as error:
        print(f"hikazed: {error}", file=sys.stderr)  # noqa: T201 - the one line for a person
        return 1


async def _serve(config: Config, steps: Sequence[Step]) -> int:
    """Start, serve, stop: the order of each is written out here."""
    notifier = Notifier(os.environ)
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):  # Windows' loop has no signal handlers
            loop.add_signal_handler(number, stopping.set)

    _refuse_network_folder(config.data)
    plan = folders_of(config, os.path.dirname(os.path.abspath(__file__)))
    notifier.status("opening the library")
    library = Library(config.data, host=_host_id(config.data), progress=_rebuild_teller(notifier))
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(library.close)
        library.start()
        services = _build(config, plan, library, stopping, steps)
        if library.newer:
            services.notes.append(_newer_warning(library))
        else:
            await library.write(lambda db: roots.adjust(db, plan.wanted), actor="daemon")
            await asyncio.to_thread(_recover_images, services)
            await services.importer.recover()
        await _listen(config, services, stack)
        places = [platformdirs.user_config_dir("hikaze", appauthor=False), config.data]
        running = _running(config, services)
        services.notes += [("other programs may not find this daemon", cure) for cure in announce(running, places)]
        stack.callback(withdraw, running, places)
        if not library.newer:
            services.observer.start()
            stack.push_async_callback(services.observer.close)
            services.importer.start()
            stack.push_async_callback(services.importer.close)
        _say_ready(services, config.socket)
        notifier.ready()
        stack.callback(notifier.stopping)
        await stopping.wait()
    return 0


def _build(
    config: Config, plan: Plan, library: Library, stopping: asyncio.Event, steps: Sequence[Step]
) -> Services:
    store, busy, known = ImageStore(config.data), Busy(), load_secrets(config.data)
    gallery = Gallery(library, store, busy)
    tools = Tools(
        library, store, busy, config.data, lambda type_: plan.order.get(type_, ()), gallery.take_companion
    )
    observer = Observer(library, busy, gallery.take_companion)
    importer = Importer(tools, observer.look_again, observer.compare_with_known, steps)
    return Services(
        version=version("hikaze"),
        data=config.data,
        library=library,
        store=store,
        gallery=gallery,
        tools=tools,
        importer=importer,
        observer=observer,
        secrets=known,
        codes=Codes(),
        may_connect=_is_same_user,
        is_trusted=lambda request: _is_trusted(request, known),
        page=page_files(),
        stopping=stopping,
        notes=list(plan.warnings),
    )


def _recover_images(services: Services) -> None:
    with contextlib.closing(services.library.reader()) as db:
        services.store.recover(
            lambda sha256, seq: images.has(db, sha256, seq), lambda number: pending.picture_of(db, number)
        )


# Folders ----------------------------------------------------------------------------------------------


def folders_of(config: Config, start: str) -> Plan:
    """Decide which folders to watch: those that are named, those of a ComfyUI, or a tree of our own."""
    warnings: list[tuple[str, str]] = []
    named = list(config.models)
    home = os.path.expanduser("~")
    found = config.comfyui or (None if named else comfyui.find(start, home))
    if found is not None:
        folders = comfyui.model_folders(found)
        warnings += [(warning, "correct extra_model_paths.yaml") for warning in folders.warnings]
        # ComfyUI lists its own folders whether they exist or not: one that is not there is nothing to warn of.
        named += [pair for pair in folders.items if os.path.isdir(pair[1]) or pair[1] not in folders.own]
    elif not named:
        named = [(type_, folder) for type_, folder in comfyui.default_tree(config.data)]
        for _, folder in named:
            os.makedirs(folder, mode=0o700, exist_ok=True)
    wanted: dict[str, Wanted] = {}
    order: dict[str, list[str]] = {}
    for type_, folder in named:
        real = os.path.realpath(folder)
        if real not in wanted:
            wanted[real] = Wanted(folder, "model", type_)
            order.setdefault(type_, []).append(folder)
    for folder in config.pending:
        real = os.path.realpath(folder)
        os.makedirs(folder, mode=0o700, exist_ok=True)
        wanted.setdefault(real, Wanted(folder, "pending"))
    check_roots(named, config.pending)
    return Plan(
        tuple(wanted.values()), {type_: tuple(those) for type_, those in order.items()}, tuple(warnings)
    )


def _refuse_network_folder(data: str) -> None:
    identity = rootcheck.identify(data)
    if identity is not None and rootcheck.is_network(identity.fstype):
        raise CannotStart(
            f"the data folder {data} lies on a network file system ({identity.fstype}), where a crash can damage"
            " the log; give one on a local disk with --data"
        )


# Listening --------------------------------------------------------------------------------------------


async def _listen(config: Config, services: Services, stack: contextlib.AsyncExitStack) -> None:
    listener = _bind_tcp(config.listen_host, config.listen_port)
    port = listener.getsockname()[1]
    host = f"[{config.listen_host}]" if ":" in config.listen_host else config.listen_host
    services.url = f"http://{host}:{port}"
    policy = policy_for(config.listen_host, port, services.secrets.token, services.secrets.image_key)
    await _site(
        services, stack, lambda runner: web.SockSite(runner, listener), make_app(services, API + PAGE, policy, over_socket=False)
    )
    if config.socket is not None:
        bound = _bind_unix(config.socket)
        stack.callback(_remove_socket, config.socket, os.stat(config.socket).st_ino)
        await _site(
            services, stack, lambda runner: web.SockSite(runner, bound), make_app(services, API + PAGE, policy, over_socket=True)
        )


async def _site(
    services: Services,
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
            f"cannot listen on {host}:{port} ({error.strerror}); choose another with --listen HOST:PORT, or :0 for a free one"
        ) from error
    listener.listen(128)
    listener.setblocking(False)
    return listener


def _bind_unix(path: str) -> socket.socket:
    """Listen on a unix socket; a socket that nobody serves any more gives way, anything else does not."""
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    bound = socket.socket(socket.AF_UNIX)
    try:
        _clear_stale(path)
        bound.bind(path)
        os.chmod(path, 0o600)
    except OSError as error:
        bound.close()
        raise CannotStart(
            f"cannot listen on {path} ({error.strerror}); choose another with --socket PATH"
        ) from error
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


def _is_same_user(transport: BaseTransport | None) -> bool:
    """Check the user at the other end of a unix socket, where the system tells (unix(7), SO_PEERCRED)."""
    peer = None if transport is None else transport.get_extra_info("socket")
    if peer is None or not hasattr(socket, "SO_PEERCRED"):
        return True  # the socket's mode lets nobody else in
    credentials = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    _, user, _ = struct.unpack("3i", credentials)
    return user == os.getuid()


def _is_trusted(request: web.Request, known: Secrets) -> bool:
    """Tell whether a caller of `/api/session` is allowed in without a code."""
    transport = request.transport
    if transport is not None and transport.get_extra_info("socket").family == getattr(socket, "AF_UNIX", None):
        return True
    given = request.headers.get("Authorization", "")
    return secrets.compare_digest(given.encode(), f"Bearer {known.token}".encode())


# Telling ----------------------------------------------------------------------------------------------


def _running(config: Config, services: Services) -> Running:
    return Running(
        url=services.url,
        socket=config.socket,
        token=services.secrets.token,
        pid=os.getpid(),
        data=config.data,
        version=services.version,
    )


def _say_ready(services: Services, path: str | None) -> None:
    print(f"ready {services.url} socket {path or '-'}", flush=True)  # noqa: T201 - the line other programs wait for
    if sys.stdout.isatty():
        code = services.codes.mint(_monotonic_ms())
        print(f"open  {services.url}/#code={code}", flush=True)  # noqa: T201
        print(f"data  {services.data}", flush=True)  # noqa: T201


def _monotonic_ms() -> int:
    return time.monotonic_ns() // 1_000_000


def _rebuild_teller(notifier: Notifier) -> Callable[[int, int], None]:
    def tell(done: int, of: int) -> None:
        notifier.status(f"building the read tables: {done:,} of {of:,} events")
        notifier.extend(30)

    return tell


def _newer_warning(library: Library) -> tuple[str, str]:
    name, schema = library.newer[0]
    return (
        f"this library was written by a newer Hikaze (event {name}, form {schema}); nothing is written to it",
        "update Hikaze",
    )


def _host_id(data: str) -> bytes:
    """Give the id of this installation, made the first time: which machine wrote an event."""
    path = os.path.join(data, "host")
    try:
        with open(path, "rb") as file:
            known = bytes.fromhex(file.read(64).decode("ascii", "replace").strip())
            if len(known) == 16:
                return known
    except (FileNotFoundError, ValueError):
        pass
    made = secrets.token_bytes(16)
    with open(path, "w", encoding="ascii", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(made.hex() + "\n")
    return made

