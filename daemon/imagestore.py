"""The picture files of a data folder: where each lies, and how it gets there without ever being half there.

Tiers are made in `images/tmp/`. Before they are renamed to their places a marker `<sha256>_<seq>.intent` is
written, and removed once the log knows the picture; `recover` takes back what a crash left in between. A
picture that is taken away goes to `images/removed/`, where an undo finds it, in the same way (`.removal`).
"""

import logging
import os
import re
import secrets
import shutil
from collections.abc import Callable
from contextlib import suppress

from .hashing import open_regular
from .names import PICTURE_EXTENSIONS
from .pictures import MAX_BYTES, TIERS, PictureRefused
from .place import fsync_dir, make_folder

log = logging.getLogger(__name__)

_INTENT = re.compile(r"([0-9a-f]{64})_(\d{1,18})\.intent")
_REMOVAL = re.compile(r"([0-9a-f]{64})_(\d{1,18})\.removal")
_PENDING_FILE = re.compile(r"(\d{1,18})(\.[a-z]+)")


class ImageStore:
    """The pictures below `<data>/images`."""

    def __init__(self, data: str) -> None:
        """Keep pictures in a data folder, which exists."""
        self.folder = os.path.join(data, "images")
        self.staging = os.path.join(self.folder, "tmp")
        self.pending_folder = os.path.join(self.folder, "pending")
        self.removed = os.path.join(self.folder, "removed")

    def path(self, sha256: str, seq: int, tier: str) -> str:
        """Give the path of a tier of a model's picture."""
        return os.path.join(self.folder, sha256[:2], _name(sha256, seq, tier))

    def staged(self, token: str, tier: str) -> str:
        """Give the path at which a tier is made before it has its place."""
        return os.path.join(self.staging, f"{token}_{tier}.webp")

    def new_token(self) -> str:
        """Give a name for a picture on its way."""
        make_folder(self.staging)
        return secrets.token_hex(8)

    def incoming(self, token: str) -> str:
        """Give the path at which an original is received."""
        return os.path.join(self.staging, f"{token}.original")

    def promote(self, token: str, sha256: str, seq: int) -> None:
        """Put staged tiers into their places; durable, and undone by `recover` until `settle` is called.

        Where the disk refused in the middle, call it again.
        """
        self._mark(self._intent(sha256, seq))
        make_folder(os.path.dirname(self.path(sha256, seq, "high")))
        for tier in TIERS:
            staged, target = self.staged(token, tier), self.path(sha256, seq, tier)
            if os.path.exists(staged) or not os.path.exists(target):
                os.replace(staged, target)
        self._sync(sha256, seq)

    def settle(self, sha256: str, seq: int) -> None:
        """The log knows the picture: it stays."""
        _forget(self._intent(sha256, seq))

    def withdraw(self, sha256: str, seq: int) -> None:
        """The log refused the picture: take its files away again, those that the disk holds on to at the next start."""
        try:
            for tier in TIERS:
                _remove(self.path(sha256, seq, tier))
            self._sync(sha256, seq)
        except OSError as error:
            log.warning("picture %d of %s is taken back at the next start: %s", seq, sha256[:12], error)
        else:
            self.settle(sha256, seq)

    def demote(self, token: str, sha256: str, seq: int) -> None:
        """Let the tiers of a picture be on their way again, as they are: the opposite of `promote`, and as durable.

        Where the disk refused in the middle, call it again, or `promote`.
        """
        for tier in TIERS:
            with suppress(FileNotFoundError):
                os.replace(self.path(sha256, seq, tier), self.staged(token, tier))
        self._sync(sha256, seq)
        self.settle(sha256, seq)

    def discard(self, token: str) -> None:
        """Remove what is staged under a token."""
        for tier in TIERS:
            _forget(self.staged(token, tier))
        _forget(self.incoming(token))
        _forget(self._aside(token))

    def doom(self, sha256: str, seq: int) -> None:
        """Remember that a picture is about to be taken away; `take_away` or `recover` follows."""
        make_folder(self.staging)
        self._mark(self._removal(sha256, seq))

    def take_away(self, sha256: str, seq: int) -> None:
        """The log knows the picture no more: move its files out of sight, to where an undo finds them.

        Those that the disk holds on to follow at the next start.
        """
        try:
            make_folder(self.removed)
            for tier in TIERS:
                with suppress(FileNotFoundError):
                    os.replace(self.path(sha256, seq, tier), os.path.join(self.removed, _name(sha256, seq, tier)))
            fsync_dir(self.removed)
            self._sync(sha256, seq)
        except OSError as error:
            log.warning("picture %d of %s is moved away at the next start: %s", seq, sha256[:12], error)
        else:
            self.spare(sha256, seq)

    def spare(self, sha256: str, seq: int) -> None:
        """The picture is not taken away after all, or it is gone: forget that it was to be."""
        _forget(self._removal(sha256, seq))

    # The originals of pending models' pictures

    def pending_path(self, pending: int, extension: str) -> str:
        """Give the path of a pending model's original picture."""
        return os.path.join(self.pending_folder, f"{pending}{extension}")

    def receive(self, token: str, path: str) -> None:
        """Copy a picture that lies somewhere to where originals are received. Raises what `open_regular` raises."""
        with open_regular(path) as original, open(self.incoming(token), "xb", opener=_private) as copy:
            if os.fstat(original.fileno()).st_size > MAX_BYTES:
                raise PictureRefused(f"the picture is too large; at most {MAX_BYTES >> 20} MiB are taken")
            shutil.copyfileobj(original, copy, 1 << 20)

    def keep_pending(self, pending: int, extension: str, received: str) -> None:
        """Make a received original, durably, a pending model's picture."""
        make_folder(self.pending_folder)
        with open(received, "rb") as original:
            os.fsync(original.fileno())
        os.replace(received, self.pending_path(pending, extension))
        fsync_dir(self.pending_folder)

    def set_aside(self, pending: int, extension: str, token: str) -> None:
        """Keep a pending model's picture until `token` is discarded, so that `put_back` can give it its place again."""
        picture, aside = self.pending_path(pending, extension), self._aside(token)
        with suppress(FileNotFoundError):
            try:
                os.link(picture, aside)
            except FileNotFoundError:
                raise
            except OSError:  # not all file systems have hard links
                shutil.copyfile(picture, aside)

    def put_back(self, pending: int, extension: str, token: str) -> None:
        """Undo `keep_pending`: what was set aside, nothing perhaps, is the picture again."""
        try:
            os.replace(self._aside(token), self.pending_path(pending, extension))
        except FileNotFoundError:
            _remove(self.pending_path(pending, extension))

    def drop_pending(self, pending: int, *, but: str | None = None) -> None:
        """Remove a pending model's originals, all but the one of the extension `but`."""
        for extension in PICTURE_EXTENSIONS:
            if extension != but:
                _remove(self.pending_path(pending, extension))

    # After a crash

    def recover(self, known: Callable[[str, int], bool], pending_picture: Callable[[int], str | None]) -> None:
        """Finish or take back what was under way: `known` tells whether the log has a picture, `pending_picture`
        the extension of the original that the log has for a pending model. Call before anything is staged.
        """
        with suppress(FileNotFoundError):
            for name in os.listdir(self.staging):
                if match := _INTENT.fullmatch(name):
                    sha256, seq = match[1], int(match[2])
                    (self.settle if known(sha256, seq) else self.withdraw)(sha256, seq)
                elif match := _REMOVAL.fullmatch(name):
                    sha256, seq = match[1], int(match[2])
                    (self.spare if known(sha256, seq) else self.take_away)(sha256, seq)
                else:
                    _remove(os.path.join(self.staging, name))
        with suppress(FileNotFoundError):
            for name in os.listdir(self.pending_folder):
                match = _PENDING_FILE.fullmatch(name)
                if match and pending_picture(int(match[1])) != match[2]:
                    _remove(os.path.join(self.pending_folder, name))

    def _sync(self, sha256: str, seq: int) -> None:
        """Make what came to the place of a picture, or went from it, durable: before its marker goes."""
        with suppress(FileNotFoundError):
            fsync_dir(os.path.dirname(self.path(sha256, seq, "high")))

    def _mark(self, path: str) -> None:
        with open(path, "wb", opener=_private):
            pass
        fsync_dir(self.staging)

    def _aside(self, token: str) -> str:
        return os.path.join(self.staging, f"{token}.aside")

    def _intent(self, sha256: str, seq: int) -> str:
        return os.path.join(self.staging, f"{sha256}_{seq}.intent")

    def _removal(self, sha256: str, seq: int) -> str:
        return os.path.join(self.staging, f"{sha256}_{seq}.removal")


def _name(sha256: str, seq: int, tier: str) -> str:
    return f"{sha256}_{seq}_{tier}.webp"


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _remove(path: str) -> None:
    with suppress(FileNotFoundError):
        os.remove(path)


def _forget(path: str) -> None:
    """Remove scaffolding; where the disk will not let go of it, `recover` does at the next start."""
    try:
        _remove(path)
    except OSError as error:
        log.warning("%s is removed at the next start: %s", path, error.strerror)
