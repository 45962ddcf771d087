"""The commands that work on the data folder itself: `check` beside a running daemon, `rebuild` only without one."""

import os
from contextlib import closing, suppress

import apsw

from ..events.log import EventLog, LogError
from ..events.pathtext import shown, to_text
from ..projections.runner import Views
from .checkup import LOG, VIEWS_FILE, NoLibrary, check
from .commands import CommandError, Desk
from .config import load
from .instance import DataLock, find_running, pid_alive
from .terminal import Progress, number

_NEW = "views.rebuilt.db"  # beside the old, so that the exchange is one rename


def check_library(desk: Desk) -> int:
    """Look the library over, and say what is wrong and how to cure it; 1 where something is."""
    data = _data_folder(desk)
    try:
        with desk.screen.progress("checking") as progress:
            found = check(data, lambda what, done, total: progress.show(done, total, what))
    except NoLibrary as error:
        raise CommandError(str(error)) from error
    if desk.json:
        findings = [{"part": each.part, "what": each.what, "cure": each.cure} for each in found.findings]
        desk.screen.json({"items": findings, "next": None})
    else:
        for each in found.findings:
            desk.screen.line(each.what)
            desk.screen.line(f"  -> {each.cure}")
    if found.findings:
        raise CommandError(f"{_shown(data)} has {number(len(found.findings), 'fault')}; see to each as it says")
    if not desk.json:
        looked_at = f"{number(found.events, 'event')}, {number(found.pictures, 'picture file')}"
        desk.screen.line(f"{_shown(data)} is sound: {looked_at}")
    return 0


def rebuild(desk: Desk) -> int:
    """Build the read tables anew from the log; the old ones stay in place until the new are whole."""
    data = _data_folder(desk)
    if not os.path.exists(os.path.join(data, LOG)):
        raise CommandError(f"there is no library in {_shown(data)}; name its folder with --data")
    old, new = os.path.join(data, VIEWS_FILE), os.path.join(data, _NEW)
    with DataLock(data), desk.screen.progress("building the read tables") as progress:
        try:
            _remove(new)
            position, head = _build(new, os.path.join(data, LOG), progress)
            _remove(old)
            os.replace(new, old)
        except (LogError, OSError, apsw.Error) as error:
            raise CommandError(f"the read tables could not be built, the old ones are still there: {error}") from error
    if position < head:
        raise CommandError(f"only {position:,} of {head:,} events could be read: the rest is a newer Hikaze's; update")
    if desk.json:
        desk.screen.json({"position": position})
    else:
        desk.screen.line(f"built the read tables in {_shown(data)} anew from {number(position, 'event')}")
    return 0


def _build(path: str, log_path: str, progress: Progress) -> tuple[int, int]:
    """Build the read tables at a path; give the positions to which they, and the log, go."""
    with closing(EventLog(log_path)) as log:
        views = Views(path, log, progress=lambda done, total: progress.show(done, total))
        views.close()
        return views.position, log.head


def _remove(path: str) -> None:
    for ending in ("", "-wal", "-shm"):  # the database first: without its -wal it may be torn
        with suppress(FileNotFoundError):
            os.remove(path + ending)


def _data_folder(desk: Desk) -> str:
    """Give the data folder that is meant: the one named, else a running daemon's, else the one `run` would take."""
    if desk.data is not None:
        return desk.data
    running = find_running(desk.config_dir)
    if running is not None and running.data and pid_alive(running.pid) is not False:
        return running.data
    return load({}, desk.env).data


def _shown(path: str) -> str:
    return shown(to_text(path))
