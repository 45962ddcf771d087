"""The process that touches a far file system, so that only it hangs when that does: `python -m hikaze.daemon.far.side`.

Its socket is its standard input. Each order is worked on in a thread of its own. It ends with the daemon, and is
killed by it where the file system does not answer. It keeps nothing that is not on the disk.
"""

import ctypes
import io
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from .. import companions, looking
from ..grounds import Absent
from ..hashing import Hashed, ReadingStopped, hash_file
from ..listing import Listing
from ..looking import AsKnown, Fingerprint, Looked
from ..names import Folder, are_models, being_downloaded, is_model_name
from ..rootcheck import Identity, identify
from ..roots import Root
from ..scan import Known, Look, StoppedError, look, stat_file
from ..sidecars import look as sidecarlook
from ..sidecars.look import Asked, Beside
from ..sightings import Sighting
from ..watch import Hint, Watcher
from . import wire
from .wire import Beat, Done, Message, Order, Refused, Told

BEAT_S = 1.0
MOST_LOOKS = 16  # under way at once; there are one or two
_PR_SET_PDEATHSIG = 1  # prctl(2)

log = logging.getLogger(__name__)

_Item = TypeVar("_Item")


class Work:
    """One order under way; `alive` is called by what is done for it, whenever that gets on."""

    def __init__(self, number: int) -> None:
        """Begin with the order just taken."""
        self.number = number
        self._lively = False

    def alive(self) -> bool:
        """Say that the work gets on; False, so that it can stand for "shall I stop?" too."""
        self._lively = True
        return False

    def got_on(self, _done: int) -> None:
        """Say that the work gets on, for who reports how far it is."""
        self._lively = True

    def take_beat(self) -> bool:
        """Tell whether the work got on since this was asked last."""
        lively, self._lively = self._lively, False
        return lively

    def each(self, items: Iterable[_Item]) -> "_Steps[_Item]":
        """Give the items so that to come to the next one is a sign of life."""
        return _Steps(items, self.alive)


class _Steps(list[_Item]):
    """A list that tells when its next item is taken."""

    def __init__(self, items: Iterable[_Item], told: Callable[[], object]) -> None:
        super().__init__(items)
        self._told = told

    def __iter__(self) -> Iterator[_Item]:
        for item in super().__iter__():
            self._told()
            yield item


class _KnownSteps(dict[str, Known]):
    """What is known, which tells when it is asked for the next file: a folder may hold 100,000."""

    def __init__(self, known: Mapping[str, Known], told: Callable[[], object]) -> None:
        super().__init__(known)
        self._told = told

    def get(self, key: str, default: Any = None, /) -> Any:
        """Give what is known of a path."""
        self._told()
        return super().get(key, default)


class Far:
    """What can be asked for; each method is one order."""

    def __init__(self, tell: Callable[[Told], None]) -> None:
        """Pass hints to `tell`."""
        self._tell = tell
        self._marked = Listing(being_downloaded)
        self._folders = Listing(Folder)
        self._known: dict[int, dict[str, Known]] = {}
        self._watcher: Watcher | None = None

    def touch(self, _work: Work, point: str) -> None:
        """See that the file system answers, whatever it answers."""
        try:
            os.stat(point)
        except OSError:
            return

    def as_before(self, work: Work, roots: Sequence[Root]) -> list[bool]:
        """Tell of each root whether it is the folder it was."""
        return looking.as_before(work.each(roots))

    def identify(self, _work: Work, path: str) -> Identity | None:
        """Tell which folder is at a path now."""
        return identify(path)

    def any_as_known(self, work: Work, files: Sequence[AsKnown]) -> bool:
        """Tell whether one of some files lies there as it is known."""
        return looking.any_as_known(work.each(files))

    def know(self, _work: Work, token: int, known: Mapping[str, Known]) -> None:
        """Take in a part of what is known, for the look that names the same token."""
        self._known.setdefault(token, {}).update(known)
        while len(self._known) > MOST_LOOKS:  # of looks that were asked for by halves
            self._known.pop(next(iter(self._known)), None)

    def look(
        self,
        work: Work,
        top: str,
        token: int,
        barred: set[tuple[int, int]],
        beside: Sequence[str],
        closed: set[str],
        endings: Sequence[str],
        under: str | None,
        followed: Mapping[str, str] | None,
    ) -> Look:
        """Look at a root, or at a folder of it, knowing what was told under a token.

        `beside` are other roots here, `closed` those anywhere that may not be touched; `endings` count there as well.
        """
        barred = barred | looking.identities(work.each(beside))
        return self._look(work, top, self._known.pop(token, {}), barred, closed, endings, under, followed)

    def _look(
        self,
        work: Work,
        top: str,
        known: Mapping[str, Known],
        barred: Collection[tuple[int, int]],
        closed: Collection[str],
        endings: Collection[str],
        under: str | None,
        followed: Mapping[str, str] | None,
    ) -> Look:
        steps = _KnownSteps(known, work.alive)
        wanted = are_models(endings)
        return look(
            top, steps, barred=barred, closed=closed, under=under, followed=followed, wanted=wanted, stop=work.alive
        )

    def look_behind(
        self,
        work: Work,
        top: str,
        token: int,
        barred: set[tuple[int, int]],
        beside: Sequence[str],
        closed: set[str],
        endings: Sequence[str],
        links: Sequence[str],
        followed: Mapping[str, str] | None,
    ) -> Look:
        """Look behind links of a root on this machine that lead here."""
        total, known = Look(), self._known.pop(token, {})
        barred = barred | looking.identities(work.each(beside))
        for link in work.each(links):
            try:
                seen = stat_file(link)
            except OSError as error:
                total.unreadable.append((link, error.strerror or str(error)))
                continue
            if seen is None:
                behind = self._look(work, top, known, barred, closed, endings, link, followed)
                if behind.folders:
                    behind.links[link] = os.path.realpath(link)
                total.join(behind)
            elif (row := known.get(link)) is not None or is_model_name(os.path.basename(link), endings):
                total.files += 1
                if row is None:
                    total.new.append(seen)
                elif row != (seen.size, seen.mtime_ns, seen.ino):
                    total.changed.append(seen)
        return total

    def folders_among(self, work: Work, paths: Sequence[str]) -> list[str]:
        """Give those of some paths that are folders, or links to one."""
        return looking.folders_among(work.each(paths))

    def look_at_files(self, work: Work, roots: Sequence[Root], files: Sequence[tuple[str, bool]]) -> list[Looked]:
        """Look at files in the roots that are here."""
        return looking.look_at_files(roots, work.each(files), self._marked, far=True)

    def sightings_of(self, work: Work, taken: Sequence[Looked]) -> list[Sighting]:
        """Read what files at rest hold."""
        return looking.sightings_of(work.each(taken))

    def fingerprints(self, work: Work, paths: Sequence[str]) -> dict[str, Fingerprint | None]:
        """Look at files: None where there is none; left out is what cannot be looked at."""
        return looking.fingerprints(work.each(paths))

    def really_gone(self, work: Work, roots: Sequence[Root], paths: Sequence[str], busy: set[str]) -> list[Absent]:
        """Give those of some paths at which nothing lies."""
        return looking.really_gone(roots, work.each(paths), busy)

    def hash_file(self, work: Work, path: str) -> Hashed:
        """Hash a file."""
        return hash_file(path, progress=work.got_on)

    def sighted(self, _work: Work, root: Root, path: str, hashed: Hashed) -> Sighting | None:
        """Look at a hashed file once more."""
        return looking.sighted(root, path, hashed)

    def header_of(self, _work: Work, wanted: AsKnown, type_: str | None) -> dict[str, Any] | None:
        """Read what a file says of itself, if it is as it is known."""
        return looking.header_of(wanted, type_)

    def pictures_beside(self, _work: Work, folder: str, models: Sequence[str]) -> list[str | None]:
        """Give the picture that lies beside each of some models in a folder."""
        return companions.beside(self._folders, folder, models)

    def picture_named(self, _work: Work, path: str) -> str | None:
        """Give the picture that has exactly a name of a model's companion."""
        return companions.by_name(path)

    def copy_picture(self, _work: Work, path: str, to: str, most: int) -> None:
        """Copy a picture to a new file on the daemon's own disk."""
        companions.copy(path, to, most)

    def beside(self, work: Work, places: Sequence[tuple[str, Sequence[Asked]]]) -> dict[str, list[Beside]]:
        """Give what lies beside some model files."""
        steps = [(folder, work.each(asked)) for folder, asked in places]
        return sidecarlook.beside(self._folders, work.each(steps))

    def owners_of(self, _work: Work, folder: str, names: Sequence[str]) -> dict[str, str | None]:
        """Give the models in a folder that some of its files belong to."""
        return sidecarlook.owners(self._folders, folder, names)

    def watch(self, _work: Work, folder: str, shown_as: str | None) -> None:
        """Watch a folder: what is changed there through this machine need not wait for the next look."""
        if self._watcher is None:
            self._watcher = Watcher(self._hear)
        self._watcher.watch(folder, shown_as)

    def unwatch(self, _work: Work, folder: str, shown_as: str | None) -> None:
        """Stop watching what was watched with the same arguments."""
        if self._watcher is not None:
            self._watcher.unwatch(folder, shown_as)

    def _hear(self, hint: Hint) -> None:
        self._tell(Told(hint))


class Desk:
    """Takes orders from a socket and sends back what comes of them."""

    def __init__(self, line: socket.socket) -> None:
        """Serve one line to the daemon."""
        self._line = line
        self._source: io.BufferedReader = line.makefile("rb")
        self._sending = threading.Lock()
        self._far = Far(self._send)
        self._works: dict[int, Work] = {}

    def serve(self) -> None:
        """Work until the daemon is gone."""
        threading.Thread(target=self._beat, daemon=True).start()
        while isinstance(order := wire.read(self._source), Order):
            threading.Thread(target=self._work, args=(order,), daemon=True).start()

    def _work(self, order: Order) -> None:
        work = Work(order.number)
        self._works[order.number] = work
        try:
            answer: Message = Done(order.number, getattr(self._far, order.name)(work, *order.args))
        except (OSError, ValueError, ReadingStopped, StoppedError) as error:
            answer = Refused(order.number, error)
        except Exception as error:
            # The outermost edge: what the daemon is told is what it logs, and it looks again.
            log.exception("%s failed in the process for a far file system", order.name)
            answer = Refused(order.number, RuntimeError(f"{type(error).__name__}: {error}"))
        finally:
            self._works.pop(order.number, None)
        if order.number:
            self._send(answer)

    def _beat(self) -> None:
        pause = threading.Event()
        while not pause.wait(BEAT_S):
            for work in list(self._works.values()):
                if work.take_beat() and work.number:
                    self._send(Beat(work.number))

    def _send(self, message: Message) -> None:
        with self._sending:
            try:
                self._line.sendall(wire.packed(message))
            except OSError:  # the daemon is gone: nobody is left to hear, and to clean up for
                os._exit(0)


def _die_with_the_daemon() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def main() -> None:
    """Serve the line that is standard input, then end at once: threads may hang in the file system for ever."""
    _die_with_the_daemon()
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    os.umask(0o077)
    Desk(socket.socket(fileno=0)).serve()
    os._exit(0)


if __name__ == "__main__":
    main()
