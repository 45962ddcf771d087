"""Which folders of models this ComfyUI has, by type, in the form in which the daemon is told of them."""

import os
from collections.abc import Iterable, Mapping
from typing import Any

from .whereabouts import to_text

# Not models (node packs, configurations, training data, fonts), or folders in place of files (diffusers).
LEFT_OUT = frozenset({"configs", "custom_nodes", "datasets", "diffusers", "fonts"})

Known = Mapping[str, tuple[Iterable[str], Iterable[str]]]
"""What `folder_paths.folder_names_and_paths` holds: by type, its folders, the first being the default, and endings."""


def told(known: Known) -> list[dict[str, Any]]:
    """Give the folders by type, each type with its endings; no endings are every ending, as in ComfyUI.

    Packs write into ComfyUI's table what they like: what is no list of paths is passed over.
    """
    found: list[dict[str, Any]] = []
    for type_, (paths, endings) in sorted(_sound(known)):
        kept = sorted({ending.lower() for ending in endings if isinstance(ending, str) and ending.startswith(".")})
        given = [os.path.abspath(path) for path in paths if isinstance(path, str) and path and "\0" not in path]
        if given and (kept or not list(endings)):
            folders = [to_text(path) for path in dict.fromkeys(given)]
            found.append({"type": type_, "paths": folders, "extensions": kept})
    return found


def there(folders: Iterable[Mapping[str, Any]]) -> frozenset[str]:
    """Give those folders that exist now: one that is made later is to be told again."""
    return frozenset(path for folder in folders for path in folder["paths"] if os.path.isdir(path))


def _sound(known: Known) -> Iterable[tuple[str, tuple[Iterable[str], Iterable[str]]]]:
    for type_, pair in list(known.items()):
        if not isinstance(type_, str) or type_ in LEFT_OUT or not isinstance(pair, (list, tuple)) or len(pair) != 2:
            continue
        if all(isinstance(each, (list, tuple, set, frozenset)) for each in pair):
            yield type_, (pair[0], pair[1])
