"""The folders that a running ComfyUI tells of: which of them are to be watched, and which roots come and go for it.

`examine` looks at the disk, touching nothing that may hang; `adjust` decides, by what is known.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import apsw

from ..events.catalog import ComfyuiFoldersTold, Folders, RootAdded, RootRemoved
from ..events.pathtext import shown, to_path, to_text
from ..events.record import New
from ..events.writer import Decision
from ..projections import comfyui as view
from . import mounts, newroot, roots
from .far.mounts import Resolver, far_points
from .mounts import Mount
from .names import MODEL_EXTENSIONS, NO_MODELS, canonical_type
from .roots import Root, Wanted
from .shapes import ComfyuiFolders

Told = tuple[Folders, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """A folder of ComfyUI's that could be watched: its path, its type, and its real path."""

    path: str
    type: str
    real: str


@dataclass(frozen=True, slots=True)
class Examined:
    """What a ComfyUI told, as it is kept, and what of it lies on the disk; `left_out` says of the others why."""

    told: Told
    found: tuple[Found, ...]
    left_out: tuple[tuple[str, str], ...]
    real_roots: Mapping[int, str]
    data: str


def sorted_out(folders: Iterable[ComfyuiFolders]) -> tuple[Told, list[tuple[str, str]]]:
    """Give the folders by the types that they are for us, in the order of those, and what is left out with why.

    Some packs have names of their own for a type, such as `unet_gguf`.
    """
    paths: dict[str, dict[str, None]] = {}
    endings: dict[str, set[str]] = {}
    left_out: list[tuple[str, str]] = []
    for each in folders:
        why, type_ = _type_of(each)
        for path in each.paths:
            wrong = why or ("" if os.path.isabs(to_path(path)) else "it is no absolute path")
            if wrong:
                left_out.append((path, wrong))
            else:
                paths.setdefault(type_, {})[to_text(os.path.normpath(to_path(path)))] = None
                endings.setdefault(type_, set()).update(ending.lower() for ending in each.extensions)
    return tuple(
        Folders(type_, tuple(paths[type_]), tuple(sorted(endings[type_]))) for type_ in sorted(paths)
    ), left_out


def _type_of(folders: ComfyuiFolders) -> tuple[str, str]:
    """Give why nothing of a type is watched, empty where all is well, and the type."""
    endings = {ending.lower() for ending in folders.extensions}
    if endings and not endings & MODEL_EXTENSIONS and endings <= NO_MODELS:
        return "no models are looked for there", ""
    try:
        return "", canonical_type(folders.type)
    except ValueError as error:
        return str(error), ""


def examine(
    told: Told, base: str, data: str, known: Sequence[Root], mounted: Sequence[Mount] | None = None
) -> Examined:
    """Look which of the folders are there and where they really lie.

    Of ComfyUI's own folders, those below its `base`, one that is not there is nothing to watch: it lists them whether
    they are there or not. Others may be on a disk that is away.
    """
    resolver = Resolver(far_points(mounts.read() if mounted is None else mounted))
    found: dict[str, Found] = {}
    left_out: list[tuple[str, str]] = []
    for type_, path in ((each.type, to_path(path)) for each in told for path in each.paths):
        real, far = resolver.resolved(path)
        is_far = far is not None
        real = real if is_far else os.path.realpath(path)
        if not is_far and _lies_in(path, to_path(base)) and not os.path.isdir(path):
            left_out.append((path, "it is not there"))
        elif real in found:
            left_out.append((path, f"it is the same folder as {shown(to_text(found[real].path))}"))
        else:
            found[real] = Found(path, type_, real)
    real_roots = {root.id: root.path if root.offline else _real(root.path, resolver) for root in known}
    return Examined(told, tuple(found.values()), tuple(left_out), real_roots, os.path.realpath(data))


def adjust(db: apsw.Connection, base: str, examined: Examined) -> Decision:
    """Decide which roots come and go. The value is `{roots, left_out}`.

    What somebody watches already stays as it is, and what the user removed stays removed.
    """
    before, others = view.told(db, base), view.paths(db, but=base)
    events: list[New] = []
    if before != examined.told:
        events.append(New(f"comfyui/{base}", ComfyuiFoldersTold(base, examined.told)))
    gone = _pairs(before) - _pairs(examined.told) - others
    watched = [root for root in roots.every(db) if not _is_to_go(root, gone)]
    events += [New(f"root/{root.id}", RootRemoved(root.id)) for root in roots.every(db) if _is_to_go(root, gone)]
    left_out, numbers = list(examined.left_out), list[int]()
    for each in examined.found:
        try:
            root, added = _watched(db, each, examined, watched)
        except (newroot.NotBeside, newroot.NotPossible) as error:
            left_out.append((each.path, str(error)))
            continue
        if root is None:
            left_out.append((each.path, "you removed it; add it again, and it is watched"))
            continue
        if added is not None:
            events.append(added)
            watched.append(root)
        numbers.append(root.id)
    told = [{"path": shown(to_text(path)), "why": why} for path, why in left_out]
    return Decision(events, {"roots": numbers, "left_out": told})


def _watched(
    db: apsw.Connection, each: Found, examined: Examined, watched: Sequence[Root]
) -> tuple[Root | None, New | None]:
    """Give the root that a folder is, and the event that makes it one where it is none; no root where it is refused."""
    wanted = Wanted(each.path, "model", each.type, "comfyui")
    real = newroot.Examined(each.real, None, examined.data, examined.real_roots)
    same = newroot.same_as(wanted, real, watched)
    if same is not None:
        return same, None
    before = roots.known_as(db, wanted)
    if before is not None and before.refused:
        return None, None
    last = max((root.id for root in watched), default=0)
    number = max(last, roots.last_number(db)) + 1 if before is None else before.number
    event = RootAdded(number, to_text(each.path), "model", each.type, "comfyui")
    root = Root(number, each.path, "model", each.type, True, "unseen", None, origin="comfyui")
    return root, New(f"root/{number}", event)


def _is_to_go(root: Root, gone: set[tuple[str, str]]) -> bool:
    return root.origin == "comfyui" and (to_text(root.path), root.type or "") in gone


def _pairs(told: Told) -> set[tuple[str, str]]:
    return {(path, each.type) for each in told for path in each.paths}


def _real(path: str, resolver: Resolver) -> str:
    real, far = resolver.resolved(path)
    return real if far is not None else os.path.realpath(path)


def _lies_in(path: str, folder: str) -> bool:
    return path.startswith(os.path.normpath(folder).rstrip(os.sep) + os.sep)
