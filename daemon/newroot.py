"""Whether a folder that somebody names can be watched: what it is on the disk, and how it lies to the others.

`examine` looks, and waits as long as the file system does not answer; all else is pure.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..events.catalog import RootKind
from ..events.pathtext import shown, to_text
from .names import canonical_type
from .rootcheck import Identity, identify
from .roots import Root, Wanted, is_same
from .trash import FOLDER_IN_DATA, FOLDER_IN_ROOT

KEPT_IN_DATA = ("images", FOLDER_IN_DATA)  # folders of the data folder that are the daemon's own

# File systems of the kernel. Their links lead into the folders of every process: models of others would be found there,
# each under a path that ends with its process, and a drop folder's imports would take them away.
_NO_DISK = frozenset({
    "binfmt_misc", "bpf", "cgroup", "cgroup2", "configfs", "debugfs", "devfs", "devpts", "devtmpfs", "efivarfs",
    "fusectl", "mqueue", "nsfs", "proc", "procfs", "pstore", "securityfs", "selinuxfs", "sysfs", "tracefs",
})  # fmt: skip


class NotPossible(Exception):
    """What was named can be no root, wherever the others lie; the message says why and what to do."""


class NotBeside(Exception):
    """The folder cannot be a root because of one that is watched; the message says which, and what to do."""


@dataclass(frozen=True, slots=True)
class Examined:
    """A folder as it lies on the disk: its real path, what it is, and the real paths of the roots, by id."""

    real: str
    identity: Identity | None
    data: str
    real_roots: Mapping[int, str]


def wanted(path: str, kind: str, type_: str | None) -> Wanted:
    """Give the root that somebody asks for, its path absolute and its type as ComfyUI spells it.

    Raises `NotPossible`.
    """
    if not path or "\0" in path:
        raise NotPossible("the path is empty or holds a NUL; give the folder's path from / on")
    full = os.path.expanduser(path)
    if not os.path.isabs(full):
        raise NotPossible(f"{shown(path)} is no absolute path; give the folder's path from / on, or from ~ on")
    return _of_kind(os.path.normpath(full), "pending" if kind == "pending" else "model", type_)


def _of_kind(path: str, kind: RootKind, type_: str | None) -> Wanted:
    if kind == "pending":
        if type_ is not None:
            raise NotPossible("a drop folder takes models of every type; leave out the type")
        return Wanted(path, kind, None, "user")
    if type_ is None or not type_.strip():
        raise NotPossible("a folder of models has one type; say which, such as checkpoints or loras")
    try:
        return Wanted(path, kind, canonical_type(type_), "user")
    except ValueError as error:
        raise NotPossible(str(error)) from error


def examine(path: str, data: str, roots: Sequence[Root]) -> Examined:
    """Look at a folder and where it really lies; nothing of a root that is away is touched. Raises `NotPossible`."""
    identity = _identified(path)
    return Examined(
        os.path.realpath(path),
        identity,
        os.path.realpath(data),
        {root.id: root.path if root.offline else os.path.realpath(root.path) for root in roots},
    )


def _identified(path: str) -> Identity | None:
    name = _shown(path)
    try:
        with os.scandir(path):
            return identify(path)
    except FileNotFoundError as error:
        raise NotPossible(f"there is no folder at {name}; make it first, or correct the path") from error
    except NotADirectoryError as error:
        raise NotPossible(f"{name} is a file; give the folder that it lies in") from error
    except PermissionError as error:
        raise NotPossible(
            f"{name} cannot be read by the user that runs hikazed; let that user read it, then add it"
        ) from error
    except OSError as error:
        raise NotPossible(f"{name} cannot be looked at ({error.strerror}); see to its disk, then add it") from error


def same_as(new: Wanted, found: Examined, roots: Sequence[Root]) -> Root | None:
    """Give the root that a folder is already, None where it is none.

    Raises `NotPossible` or `NotBeside` where it cannot be one.
    """
    _refuse_ours(new, found)
    if found.identity is not None and found.identity.fstype in _NO_DISK:
        raise NotPossible(
            f"{_shown(new.path)} lies on no disk, it shows what the system does; give a folder with files"
        )
    here = next((root for root in roots if _is_at(root, new, found)), None)
    if here is not None:
        if (here.kind, here.type) == (new.kind, new.type):
            return here
        raise NotBeside(f"{_shown(new.path)} is watched already, as {_said(here)}; remove it as that first")
    for root in roots:
        real = found.real_roots.get(root.id, root.path)
        if _lies_in(found.real, real):
            _refuse_inside(new, root)
        elif _lies_in(real, found.real) and new.kind == "pending":
            raise NotBeside(
                f"{_shown(root.path)}, {_said(root)}, lies inside {_shown(new.path)}; give a drop folder that holds no"
                " watched folder"
            )
    return None


def _is_at(root: Root, new: Wanted, found: Examined) -> bool:
    at = found.real_roots.get(root.id, root.path)
    return root.path == new.path or at == found.real or (not root.offline and is_same(found.identity, root))


def _refuse_inside(new: Wanted, root: Root) -> None:
    """Refuse a folder inside a root where it makes no sense: in all other cases the inner one counts."""
    if root.kind == "pending":
        raise NotBeside(
            f"{_shown(new.path)} lies inside the drop folder {_shown(root.path)}, where imports take files away; give a"
            " folder outside it"
        )
    if new.kind == "model" and root.type == new.type:
        cure = "resume that" if root.paused else "nothing need be added"
        raise NotBeside(
            f"{_shown(new.path)} lies inside {_shown(root.path)}, which is watched for {root.type} already; {cure}"
        )


def _refuse_ours(new: Wanted, found: Examined) -> None:
    name, data = _shown(new.path), found.data
    own = [os.path.join(data, folder) for folder in KEPT_IN_DATA]
    if FOLDER_IN_ROOT in found.real.split(os.sep) or any(_lies_in_or_is(found.real, folder) for folder in own):
        raise NotPossible(f"{name} is a folder in which Hikaze keeps its own files; give another one")
    if _lies_in_or_is(data, found.real):
        raise NotPossible(f"{name} holds Hikaze's data folder, {_shown(data)}; give a folder without it")


def _lies_in_or_is(path: str, folder: str) -> bool:
    return path == folder or _lies_in(path, folder)


def _lies_in(path: str, folder: str) -> bool:
    return path != folder and path.startswith(folder.rstrip(os.sep) + os.sep)


def _said(root: Root) -> str:
    return "a drop folder" if root.kind == "pending" else f"a folder for {root.type}"


def _shown(path: str) -> str:
    return shown(to_text(path))
