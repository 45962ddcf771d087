"""Which folders the daemon watches: those that are named, those of a ComfyUI, or a tree of its own."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from . import comfyui, rootcheck
from .config import Config, check_roots
from .listen import CannotStart
from .roots import Wanted


@dataclass(frozen=True, slots=True)
class Plan:
    """Which folders to watch: the roots, the model folders of each type in order, and what is odd about them."""

    wanted: tuple[Wanted, ...]
    order: Mapping[str, tuple[str, ...]]
    warnings: tuple[tuple[str, str], ...]


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
    return Plan(tuple(wanted.values()), {type_: tuple(those) for type_, those in order.items()}, tuple(warnings))


def refuse_network_folder(data: str) -> None:
    """Raise `CannotStart` where the data folder lies on another machine's disk."""
    identity = rootcheck.identify(data)
    if identity is not None and rootcheck.is_network(identity.fstype):
        raise CannotStart(
            f"the data folder {data} lies on a network file system ({identity.fstype}), where a crash can damage"
            " the log; give one on a local disk with --data"
        )
