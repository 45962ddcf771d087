"""The composition root: builds the daemon from its parts, starts them in order, stops them in reverse."""

import asyncio
import contextlib
import logging
import os
import secrets
import signal
import sys
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from importlib.metadata import version
from typing import TextIO

import apsw
import platformdirs

from ..events.errors import LogError
from ..events.pathtext import shown, to_path, to_text
from ..events.writer import Unwritable
from ..projections import comfyui as told_folders
from ..projections import images, pending
from . import comfyui, dismissing, exchange, roots, startnote
from .access import Codes
from .commands.terminal import inert
from .config import Config, ConfigError
from .disks import Disks
from .export.run import Exporter
from .far.disks import FarDisks
from .folders import Plan, folders_of, make_drop_folders, refuse_network_folder
from .gallery import Gallery
from .imagestore import ImageStore
from .importer import Importer
from .ingest import STEPS, Busy, Step, Tools
from .instance import DataLock, InstanceError, Running, announce, load_secrets, prepare, withdraw
from .library import Library
from .listen import CannotStart, is_same_user, is_trusted, listen
from .migration.look import Lookout
from .migration.rows import Rows
from .migration.run import Migration
from .notify import Notifier
from .observer import Observer
from .patience import Pool
from .pictured import Pictured
from .routes.system import page_files
from .services import Services
from .uploading import Uploads
from .watch import Hint, Watcher

if sys.platform != "win32":
    import resource

HintSource = Callable[[Callable[[Hint], None]], Watcher]


def run(
    config: Config,
    *,
    steps: Sequence[Step] = STEPS,
    hint_source: HintSource = Watcher,
    disks: Callable[[HintSource], Disks] = FarDisks,
) -> int:
    """Run the daemon until it is told to stop; gives the exit code. The reason of a failure goes to stderr.

    `steps` are those of an import, `hint_source` makes what tells where to look, `disks` what looks there. Where a
    thread hangs in a file system this ends the process itself, once all is in order.
    """
    _log_to(sys.stderr)
    _raise_file_limit()
    os.umask(0o077)
    pool = Pool()
    code = _run(config, pool, lambda: _serve(config, steps, hint_source, disks))
    if pool.hangs():
        logging.getLogger(__name__).warning("a file system does not answer; the daemon ends without what waits for it")
        logging.shutdown()
        sys.stdout.flush()
        os._exit(code)
    return code


def _run(config: Config, pool: Pool, serve: Callable[[], Coroutine[None, None, int]]) -> int:
    try:
        refuse_network_folder(config.data)
        prepare(config.data)
        with DataLock(config.data):
            exchange.finish(config.data)
            with asyncio.Runner() as runner:
                runner.get_loop().set_default_executor(pool)
                return runner.run(serve())
    except (CannotStart, InstanceError, ConfigError, LogError, Unwritable, comfyui.NotComfyUI) as error:
        return _refuse(str(error))
    except apsw.Error as error:
        return _refuse(
            f"the library in {config.data} cannot be opened ({error}); free its disk if that is full, else run"
            " `hikazed check` to see what is damaged"
        )
    except OSError as error:
        where = f" {error.filename!r}" if error.filename else ""
        return _refuse(f"the disk refused{where} ({error.strerror or error}); see to it and start again")


def _refuse(why: str) -> int:
    print(f"hikazed: {inert(why)}", file=sys.stderr)  # noqa: T201 - the one line for a person
    return 1


class _Inert(logging.Formatter):
    """Writes log lines in which no name of a file can move the cursor or begin a line of its own."""

    def format(self, record: logging.LogRecord) -> str:
        """Give the record as text; a traceback keeps its lines."""
        head, *trace = super().format(record).split("\nTraceback", 1)
        return "\nTraceback".join([inert(head), *trace])


def _log_to(stream: TextIO) -> None:
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_Inert("%(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.getLogger("aiohttp").setLevel(logging.WARNING)
    # What a client sends wrong is answered, not logged with a traceback; our own faults are logged by the guard.
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)


def _raise_file_limit() -> None:
    """Allow as many open files as the system lets us: pages, streams and folders under watch each take one."""
    if sys.platform != "win32":
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


async def _serve(
    config: Config, steps: Sequence[Step], hint_source: HintSource, disks: Callable[[HintSource], Disks]
) -> int:
    """Start, serve, stop: the order of each is written out here."""
    notifier = Notifier(os.environ)
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):  # Windows' loop has no signal handlers
            loop.add_signal_handler(number, stopping.set)

    plan = folders_of(config, os.path.dirname(os.path.abspath(__file__)), makes_drop_folders=False)
    notifier.status("opening the library")
    with _rebuild_shown(notifier) as told:
        library = Library(config.data, host=_host_id(config.data), progress=told)
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(library.close)
        library.start()
        services = _build(config, plan, library, stopping, steps, disks(hint_source))
        if library.newer:
            services.notes.append(_newer_warning(library))
        elif library.damage is None:
            if (wanted := plan.wanted) is not None:
                await library.write(lambda db: roots.adjust(db, wanted), actor="daemon")
            await asyncio.to_thread(make_drop_folders, config, roots.every(library.db))
            await asyncio.to_thread(_recover_images, services)
            await services.importer.recover()
            await dismissing.recover(library, config.data)
            await services.migration.recover()
        await listen(config, services, stack)
        places = [platformdirs.user_config_dir("hikaze", appauthor=False), config.data]
        running = _running(config, services)
        services.notes += [("other programs may not find this daemon", cure) for cure in announce(running, places)]
        stack.callback(withdraw, running, places)
        with contextlib.suppress(OSError):  # of which `announce` has warned: it is the same folder
            startnote.leave(places[0], startnote.of_this_process())
        stack.push_async_callback(services.exporter.close)
        if not library.newer and library.damage is None:
            services.observer.start()
            stack.push_async_callback(services.observer.close)
            services.importer.start()
            stack.push_async_callback(services.importer.close)
            services.migration.start()
            stack.push_async_callback(services.migration.close)
            services.uploads.start()
            stack.push_async_callback(services.uploads.close)
        if notifier.watchdog_seconds is not None:
            pinging = asyncio.create_task(_ping(notifier, notifier.watchdog_seconds))
            stack.callback(pinging.cancel)
        _say_ready(services, config.socket)
        notifier.ready()
        stack.callback(notifier.stopping)
        await stopping.wait()
        library.news.nudge()  # the live streams notice that the daemon stops
    return 0


async def _ping(notifier: Notifier, every_s: float) -> None:
    """Tell the service manager that the event loop runs: nothing that hangs in a file system keeps it from that."""
    while True:
        notifier.watchdog()
        await asyncio.sleep(every_s)


def _build(
    config: Config,
    plan: Plan,
    library: Library,
    stopping: asyncio.Event,
    steps: Sequence[Step],
    disks: Disks,
) -> Services:
    store, busy, known = ImageStore(config.data), Busy(), load_secrets(config.data)
    gallery = Gallery(library, store, busy, disks)
    order = plan.order_with(roots.every(library.db))
    observer = Observer(library, busy, gallery.take_companions, disks=disks, pictures=gallery)

    async def bring_along(number: int) -> None:
        await gallery.take_companion(number)
        await observer.read_beside(number)

    def planned(type_: str) -> Sequence[str]:
        told = told_folders.order(library.db).get(type_, ())
        return (*order.get(type_, ()), *map(to_path, told))

    tools = Tools(
        library,
        store,
        busy,
        config.data,
        lambda type_: roots.destinations(roots.every(library.db), type_, planned(type_), plan.ours),
        bring_along,
        disks.answers,
    )
    importer = Importer(tools, observer.look_again, observer.compare_with_known, steps)
    lookout = Lookout(library, disks, observer)
    rows = Rows(library, store, busy, lookout, observer.writing_at)
    return Services(
        version=version("hikaze"),
        data=config.data,
        library=library,
        store=store,
        gallery=gallery,
        pictured=Pictured(library),
        tools=tools,
        importer=importer,
        observer=observer,
        migration=Migration(library, config.data, rows, lookout, observer.confirm_claims),
        uploads=Uploads(lambda: roots.every(library.db), disks.answers, observer.judge, observer.look_at_renamed),
        exporter=Exporter(library, store, disks.answers),
        secrets=known,
        codes=Codes(),
        may_connect=is_same_user,
        is_trusted=lambda request: is_trusted(request, known),
        free_space=disks.free_space,
        page=page_files(),
        stopping=stopping,
        notes=list(plan.warnings),
    )


def _recover_images(services: Services) -> None:
    with contextlib.closing(services.library.reader()) as db:
        services.store.recover(
            lambda sha256, seq: images.has(db, sha256, seq), lambda number: pending.picture_of(db, number)
        )


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
        for root in roots.every(services.library.db):
            if root.kind == "pending":
                print(f"drop  {shown(to_text(root.path))}", flush=True)  # noqa: T201


def _monotonic_ms() -> int:
    return time.monotonic_ns() // 1_000_000


@contextlib.contextmanager
def _rebuild_shown(notifier: Notifier) -> Iterator[Callable[[int, int], None]]:
    """Show how far the read tables are built: to the service manager, and on a terminal to a person."""
    screen = contextlib.ExitStack()
    bar = _bar(screen) if sys.stderr.isatty() else None

    def tell(done: int, of: int) -> None:
        notifier.status(f"building the read tables: {done:,} of {of:,} events")
        notifier.extend(30)
        if bar is not None:
            bar(done, of)

    with screen:
        yield tell


def _bar(screen: contextlib.ExitStack) -> Callable[[int, int], None]:
    from rich.console import Console
    from rich.progress import Progress

    progress = screen.enter_context(Progress(console=Console(stderr=True), transient=True))
    task = progress.add_task("building the read tables", total=None, visible=False)
    return lambda done, of: progress.update(task, completed=done, total=of, visible=True)


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
