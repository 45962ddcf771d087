"""The commands that work on the data folder itself.

`check` and `backup` beside a running daemon or without one, `rebuild` and `restore` only without.
"""

import os
from contextlib import closing, suppress

import apsw

from ...events.errors import LogError
from ...events.log import EventLog
from ...events.pathtext import shown, to_text
from ...projections.runner import Views, put_in_place
from .. import backup, exchange, guard
from .. import restore as restoring
from ..checkup import LOG, VIEWS_FILE, NoLibrary, check
from ..config import load
from ..instance import DataLock, find_running, pid_alive, prepare
from .everyday import CommandError, Desk
from .terminal import Progress, moment, number, size

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
    if not (os.path.exists(os.path.join(data, LOG)) or exchange.is_interrupted(data)):
        raise CommandError(f"there is no library in {_shown(data)}; name its folder with --data")
    with DataLock(data), desk.screen.progress("building the read tables") as progress:
        try:
            exchange.finish(data)
            guard.mend(os.path.join(data, LOG))
            position, head = _build_in_place(data, progress)
        except (LogError, OSError, apsw.Error) as error:
            raise CommandError(f"the read tables could not be built, the old ones are still there: {error}") from error
    if position < head:
        raise CommandError(f"only {position:,} of {head:,} events could be read: the rest is a newer Hikaze's; update")
    if desk.json:
        desk.screen.json({"position": position})
    else:
        desk.screen.line(f"built the read tables in {_shown(data)} anew from {number(position, 'event')}")
    return 0


def back_up(desk: Desk) -> int:
    """Write a backup of the log and the pictures to a file; pictures that are missing are told of, and no failure."""
    data, target = _data_folder(desk), os.path.abspath(os.path.expanduser(desk.args.file))
    try:
        with desk.screen.progress("backing up") as progress:
            made = backup.back_up(
                data,
                target,
                overwrite=desk.args.overwrite,
                progress=lambda what, done, total: progress.show(done, total, what),
            )
    except backup.BackupFailed as error:
        raise CommandError(str(error)) from error
    if desk.json:
        desk.screen.json(
            {
                "path": _shown(made.path),
                "position": made.position,
                "pictures": made.pictures,
                "size_bytes": made.size,
                "missing": made.missing,
            }
        )
    else:
        holds = f"{number(made.position, 'event')}, {number(made.pictures, 'picture file')}, {size(made.size)}"
        desk.screen.line(f"backed up {_shown(data)} to {_shown(made.path)}: {holds}")
    if made.missing:
        lacks = number(len(made.missing), "picture file is", "picture files are")
        desk.screen.note(f"{lacks} missing, and so from the backup; `hikazed check` names them")
    return 0


def restore(desk: Desk) -> int:
    """Put the library of a backup in the place of the one there is, which is kept aside."""
    from ..folders import refuse_network_folder
    from ..listen import CannotStart  # with all of the daemon's HTTP, which no other command here needs

    data, path = _data_folder(desk), os.path.abspath(os.path.expanduser(desk.args.file))
    try:
        restoring.look_at(path)
        prepare(data)
        refuse_network_folder(data)
        with DataLock(data), desk.screen.progress("restoring") as progress:
            done = restoring.restore(data, path, lambda what, done, total: progress.show(done, total, what))
            _build_in_place(data, progress)
    except (restoring.RestoreFailed, CannotStart) as error:
        raise CommandError(str(error)) from error
    except (LogError, OSError, apsw.Error) as error:
        raise CommandError(_INTERRUPTED.format(error)) from error
    if desk.json:
        desk.screen.json(
            {
                "position": done.position,
                "made_at": done.made_at,
                "replaced": None if done.replaced is None else _shown(done.replaced),
                "missing": done.missing,
            }
        )
        return 0
    desk.screen.line(f"{_shown(data)} is as it was at {moment(done.made_at)}, {number(done.position, 'event')}")
    if done.replaced is not None:
        desk.screen.line(f"what was there lies in {_shown(done.replaced)}; remove it when you do not need it any more")
    return 0


_INTERRUPTED = (
    "the restore could not be finished ({}): see to it, then run it again or start the daemon, which goes on; nothing"
    " is lost"
)


def _build_in_place(data: str, progress: Progress) -> tuple[int, int]:
    """Build the read tables anew beside the old ones and exchange them; give the positions as `_build` does."""
    new = os.path.join(data, _NEW)
    _remove(new)
    positions = _build(new, os.path.join(data, LOG), progress)
    put_in_place(new, os.path.join(data, VIEWS_FILE))
    return positions


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
