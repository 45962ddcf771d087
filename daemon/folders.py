"""Which folders the daemon watches: those that are named, those of a ComfyUI, or a tree of its own.

No folder on a file system that may hang is touched here in a way that could keep the daemon from starting.
"""

import contextlib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ..events.catalog import RootOrigin
from ..events.pathtext import shown, to_text
from . import comfyui, mounts
from .config import Config, check_roots
from .far.mounts import Resolver, far_points, on_network
from .listen import CannotStart
from .mounts import Mount
from .patience import within
from .roots import Root, Wanted

PATIENCE_S = 5.0  # so long the start waits for a folder elsewhere


@dataclass(frozen=True, slots=True)
class Plan:
    """Which folders to watch: the roots, the model folders of each type in order, and what is odd about them.

    `wanted` is None where it cannot be told now: then what was watched before is watched on. `ours` are folders that
    nobody named.
    """

    wanted: tuple[Wanted, ...] | None
    order: Mapping[str, tuple[str, ...]]
    warnings: tuple[tuple[str, str], ...]
    ours: frozenset[str] = frozenset()

    def order_with(self, known: Iterable[Root]) -> Mapping[str, tuple[str, ...]]:
        """Give the model folders of each type in order, those that were `known` before where none are planned."""
        if self.wanted is not None:
            return self.order
        found: dict[str, tuple[str, ...]] = {}
        for root in known:
            if root.type is not None:
                found[root.type] = (*found.get(root.type, ()), root.path)
        return found


def folders_of(
    config: Config, start: str, mounted: Sequence[Mount] | None = None, *, makes_drop_folders: bool = True
) -> Plan:
    """Decide which folders to watch: those that are named, those of a ComfyUI, or a tree of our own.

    `mounted` is the table of mounts, the system's if left out. Without `makes_drop_folders` they are made by
    `make_drop_folders`, when it is known which of them the user has paused or removed.
    """
    resolver = Resolver(far_points(mounts.read() if mounted is None else mounted))

    def is_far(path: str) -> bool:
        return resolver.mount_of(path) is not None

    warnings: list[tuple[str, str]] = []
    named, ours = list(config.models), frozenset[str]()
    by_settings = set(named)
    home = os.path.expanduser("~")
    found = config.comfyui or (None if named else comfyui.find(start, home, is_far))
    if found is not None:
        try:
            folders = within(PATIENCE_S, comfyui.model_folders, found, is_far)
        except TimeoutError:
            return Plan(None, {}, (_silent(found),))
        warnings += [(warning, "correct extra_model_paths.yaml") for warning in folders.warnings]
        # ComfyUI lists its own folders whether they exist or not: one that is not there is nothing to warn of.
        named += [
            pair for pair in folders.items if pair[1] not in folders.own or is_far(pair[1]) or os.path.isdir(pair[1])
        ]
    elif not named:
        named = [(type_, folder) for type_, folder in comfyui.default_tree(config.data)]
        ours = frozenset(folder for _, folder in named)
        by_settings = set(named)
        for folder in ours:
            os.makedirs(folder, mode=0o700, exist_ok=True)
    wanted: dict[str, Wanted] = {}
    order: dict[str, list[str]] = {}
    for type_, folder in named:
        real = _real(folder, resolver)
        if real not in wanted:
            origin: RootOrigin = "configuration" if (type_, folder) in by_settings else "comfyui"
            wanted[real] = Wanted(folder, "model", type_, origin)
            order.setdefault(type_, []).append(folder)
    for folder in config.pending:
        real = _real(folder, resolver)
        if makes_drop_folders:
            _make_drop_folder(folder, is_far=is_far(folder))
        wanted.setdefault(real, Wanted(folder, "pending"))
    check_roots(named, config.pending)
    in_order = {type_: tuple(those) for type_, those in order.items()}
    return Plan(tuple(wanted.values()), in_order, tuple(warnings), ours)


def make_drop_folders(config: Config, known: Iterable[Root]) -> None:
    """Make the drop folders of the configuration that are to be watched, where they are not there."""
    resolver = Resolver(far_points(mounts.read()))
    for root in known:
        if root.kind == "pending" and root.path in config.pending and not root.paused:
            _make_drop_folder(root.path, is_far=resolver.mount_of(root.path) is not None)


def _real(folder: str, resolver: Resolver) -> str:
    """Give a folder's real path; on a file system that may hang, only as far as that."""
    real, mount = resolver.resolved(folder)
    return os.path.realpath(folder) if mount is None else real


def _make_drop_folder(folder: str, *, is_far: bool) -> None:
    if not is_far:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        return
    with contextlib.suppress(TimeoutError, OSError):  # it is away then, and is told to be
        within(PATIENCE_S, lambda: os.makedirs(folder, mode=0o700, exist_ok=True))


def _silent(folder: str) -> tuple[str, str]:
    return (
        f"the ComfyUI folder {shown(to_text(folder))} does not answer; the folders watched are those known before",
        "see to the machine or network that holds it, and start hikazed again",
    )


def refuse_network_folder(data: str, mounted: Sequence[Mount] | None = None) -> None:
    """Raise `CannotStart` where the data folder lies on another machine's disk, or would once it is made."""
    mount = on_network(data, mounts.read() if mounted is None else mounted)
    if mount is not None:
        raise CannotStart(
            f"the data folder {data} lies on a network file system ({mount.fstype}), where a crash can damage"
            " the log; give one on a local disk with --data"
        )
