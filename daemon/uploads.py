"""Which uploads are taken, as what, and into which drop folder: decisions alone; `uploading` acts on them.

UploadRefused
├── BadUpload     it can never be taken like this
├── BadKind       a file of this kind is none that is taken
├── NotNow        something stands in its way
└── DiskFull      its disk has no room for it
"""

import contextlib
import errno
import re
import sys
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from . import telling
from .hashing import named
from .names import PICTURE_EXTENSIONS, extension, is_model_name, may_be_sidecar
from .roots import Root
from .uploadparts import NoRoom, Record

LARGEST = 1 << 40  # 1 TiB
MOST = 64  # unfinished uploads; each may take all the room there is

_READ_ONLY = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_NAMELESS = frozenset({errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ})
_KEY = re.compile(r"[A-Za-z0-9_-]{8,64}")
_LONGEST_NAME = 255  # bytes
_OF_WINDOWS = re.compile(r"(?:con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])(?:\.|$)", re.IGNORECASE)


class UploadRefused(Exception):
    """An upload is not taken as it was sent; the message says what to do."""

    def __init__(self, why: str, offset: int | None = None) -> None:
        """Say why, and how much is here."""
        super().__init__(why)
        self.offset = offset


class BadUpload(UploadRefused):
    """It can never be taken like this."""


class BadKind(UploadRefused):
    """A file of this kind is none that is taken."""


class NotNow(UploadRefused):
    """Something stands in its way."""


class DiskFull(UploadRefused):
    """Its disk has no room for it."""


# What is asked for ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants to upload: under which key (None: in one go), as what, and into which drop folder."""

    key: str | None
    name: str
    size: int | None
    root: int | None = None


def wish(key: str | None, name: str, size: int | None, root: int | None = None) -> Wish:
    """Check what somebody wants to upload. Raises `BadUpload` and `BadKind`."""
    if key is not None:
        check_key(key)
    if key is not None and size is None:
        raise BadUpload("size is missing; add ?size= with the number of all bytes of the file")
    if size is not None and not 1 <= size <= LARGEST:
        raise BadUpload("the file is empty; send one with content" if size < 1 else "at most 1 TiB are taken")
    check_name(name)
    return Wish(key, name, size, root)


def check_key(key: str) -> None:
    """Raise `BadUpload` where a key is none."""
    if not _KEY.fullmatch(key):
        raise BadUpload("upload must be a key of 8 to 64 letters, digits, hyphens or underscores")


def check_name(name: str, *, windows: bool = sys.platform == "win32") -> None:
    """Raise `BadUpload` or `BadKind` where a file of this name is not taken; `windows` for what its names lack."""
    wrong = _wrong_with(name, windows=windows)
    if wrong is not None:
        raise BadUpload(f"the name {wrong}; rename the file, then send it again")
    if not (is_model_name(name) or extension(name) in PICTURE_EXTENSIONS or may_be_sidecar(name)):
        raise BadKind(
            f"a file that ends in {extension(name)!r} is neither a model (.safetensors, .ckpt, .gguf, ...) nor a"
            " picture or text that is read beside one; send one of those"
        )


def _wrong_with(name: str, *, windows: bool) -> str | None:
    try:
        length = len(name.encode())
    except UnicodeEncodeError:
        return "is no valid text"
    if not name:
        return "is empty"
    if "/" in name or "\\" in name:
        return "has a path in it (/ or \\), and only the file's own name is taken"
    if any(unicodedata.category(letter) == "Cc" for letter in name):
        return "has control characters in it"
    if name.startswith("."):
        return "begins with a dot, and such files are hidden"
    if length > _LONGEST_NAME:
        return f"is too long ({length} bytes, and disks take {_LONGEST_NAME})"
    if _OF_WINDOWS.match(name):
        return "is one that Windows keeps for devices"
    if windows and set(name) & set('<>:"|?*'):
        return 'has one of <>:"|?* in it, which Windows does not take'
    return None


def drop_folders(roots: Iterable[Root], wanted: int | None) -> list[Root]:
    """Give the drop folders that a file may go to, the first choice first. Raises `BadUpload` and `NotNow`."""
    folders = [root for root in roots if root.kind == "pending" and wanted in (None, root.id)]
    if not folders and wanted is not None:
        raise BadUpload(f"there is no drop folder {wanted}; GET /api/roots lists the folders")
    if not folders:
        raise NotNow("there is no drop folder; add one, then send the file again")
    online = [root for root in folders if not root.offline]
    if not online:
        raise NotNow(away(folders[0]))
    return online


def away(root: Root) -> str:
    """Say that a drop folder is away, and what to do."""
    if root.paused:
        return f"the drop folder {named(root.path)} is paused; resume it, then go on"
    what, cure = telling.of_absence(root, "", deleted=False)
    return f"{what}; {cure}"


@dataclass(frozen=True, slots=True)
class Standing:
    """How an upload stands: so many bytes are here; `path` is where it lies once it is done."""

    name: str
    offset: int
    size: int
    done: bool = False
    path: str | None = None


def must_fit(wanted: Wish, record: Record) -> None:
    """Raise `NotNow` where a key names another upload than the one that is wanted."""
    if (record.key, record.name, record.size) != (wanted.key, wanted.name, wanted.size):
        raise another(record.name, record.size)


def another(name: str, size: int | None) -> NotNow:
    """Say that a key is taken."""
    return NotNow(f"this key names the upload of {name!r} with {size} bytes; choose a new key for another file")


def too_many(size: int) -> BadUpload:
    """Say that more bytes came than there are to be."""
    return BadUpload(f"there are more bytes than size says ({size}); none of this piece was kept, send the right ones")


def must_be_whole(announced: int | None, here: int) -> None:
    """Raise `BadUpload` where less came than was announced."""
    if announced not in (None, here):
        raise BadUpload(f"{announced} bytes were announced, and {here} came; send it again")


def vanished(root: Root) -> str:
    """Say that somebody removed what was here."""
    return f"what was here of this upload vanished from {named(root.path)}; send it again from its beginning"


def silent() -> NotNow:
    """Say that nothing came for too long."""
    return NotNow("nothing came for a while; ask how much is here, and go on from there")


def mute(root: Root) -> str:
    """Say that the file system of a drop folder does not answer."""
    return f"the file system of the drop folder {named(root.path)} does not answer; try again when it does"


def unwritable(root: Root) -> str:
    """Say that nothing can be written to a drop folder."""
    return (
        f"nothing can be written to the drop folder {named(root.path)}: let the user that runs hikazed write to it, or"
        " mount its disk for writing"
    )


@contextlib.contextmanager
def said(root: Root, here: int | None = None) -> Iterator[None]:
    """Say of what a disk refuses what to do."""
    try:
        yield
    except NoRoom as error:
        raise DiskFull(str(error), here) from error
    except FileNotFoundError as error:
        raise NotNow(vanished(root)) from error
    except OSError as error:
        if error.errno in _READ_ONLY:
            raise NotNow(unwritable(root), here) from error
        if error.errno in _NAMELESS:
            raise BadUpload("the disk of the drop folder takes no such name; cancel this, and rename it") from error
        raise
