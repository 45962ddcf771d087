"""Where ComfyUI keeps its models: find an installation, and read its folders as ComfyUI itself would.

Source of names, order and meaning: ComfyUI's folder_paths.py, utils/extra_config.py and apply_custom_paths
in main.py, as of 0.3.75, and the folder names that later versions added.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import yaml

from ..events.pathtext import shown, to_text
from .names import canonical_type

EXTRA_PATHS_FILE = "extra_model_paths.yaml"

# Types in ComfyUI's order, each with its folders below models/; the first is where ComfyUI saves.
# Not here: configs (no models), diffusers (folders, not files); custom_nodes, datasets, fonts (not ours).
MODEL_FOLDERS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("checkpoints", ("checkpoints",)),
    ("loras", ("loras",)),
    ("vae", ("vae",)),
    ("text_encoders", ("text_encoders", "clip")),
    ("diffusion_models", ("unet", "diffusion_models")),
    ("clip_vision", ("clip_vision",)),
    ("style_models", ("style_models",)),
    ("embeddings", ("embeddings",)),
    ("vae_approx", ("vae_approx",)),
    ("controlnet", ("controlnet", "t2i_adapter")),
    ("gligen", ("gligen",)),
    ("upscale_models", ("upscale_models",)),
    ("latent_upscale_models", ("latent_upscale_models",)),
    ("hypernetworks", ("hypernetworks",)),
    ("photomaker", ("photomaker",)),
    ("classifiers", ("classifiers",)),
    ("model_patches", ("model_patches",)),
    ("audio_encoders", ("audio_encoders",)),
    ("background_removal", ("background_removal",)),
    ("frame_interpolation", ("frame_interpolation",)),
    ("geometry_estimation", ("geometry_estimation",)),
    ("optical_flow", ("optical_flow",)),
    ("detection", ("detection",)),
)
OUTPUT_FOLDERS = ("checkpoints", "clip", "vae", "diffusion_models", "loras")

# Below the user's home, unless absolute. Windows' portable build unpacks into a folder around ComfyUI.
USUAL_PLACES = (
    "ComfyUI",
    "comfyui",
    "comfy/ComfyUI",
    "Documents/ComfyUI",
    "ai/ComfyUI",
    "AI/ComfyUI",
    "stable-diffusion/ComfyUI",
    "ComfyUI_windows_portable/ComfyUI",
    "/opt/ComfyUI",
    "/opt/comfyui",
    "/workspace/ComfyUI",
)

_NOT_MODELS = frozenset({"configs", "custom_nodes", "datasets", "fonts", "diffusers"})
_MOST_YAML_BYTES = 256 * 1024  # ten times what the longest hand-written one has; PyYAML takes seconds a MiB
# What PyYAML raises for broken files: its own error, and where a tag or number lies (`!!timestamp x`) also these.
_YAML_ERRORS = (yaml.YAMLError, OSError, ValueError, LookupError, AttributeError, TypeError, RecursionError)


class NotComfyUI(Exception):
    """The folder holds no `models` folder; the message says what to give instead."""


@dataclass(frozen=True)
class Folders:
    """Model folders as (type, folder), per type in ComfyUI's order: the first of a type is where imports go.

    `own` are the folders of the installation itself: ComfyUI lists them whether they exist or not, so that a
    missing one is nothing to warn of. The warnings are sentences for the user.
    """

    items: tuple[tuple[str, str], ...]
    own: frozenset[str]
    warnings: tuple[str, ...] = ()


def nothing_is_far(_path: str) -> bool:
    """Take every path to lie on this machine."""
    return False


def find(start: str, home: str, is_far: Callable[[str], bool] = nothing_is_far) -> str | None:
    """Give the ComfyUI above the folder `start`, else beside it, else in the usual places, else None.

    One that `is_far` says may hang is passed by: whoever has it there names it.
    """
    start = os.path.abspath(start)
    # Also where the links in `start` lead: a pack is often a link in custom_nodes, or linked from there.
    starts = dict.fromkeys((start, os.path.realpath(start)))
    for candidates in (_above, _beside):
        for each in starts:
            for candidate in candidates(each):
                if not is_far(candidate) and is_comfyui(candidate, is_far):
                    return candidate
    usual = (os.path.join(home, *place.split("/")) if place[0] != "/" else place for place in USUAL_PLACES)
    near = (place for place in usual if not is_far(place))
    return next((os.path.normpath(place) for place in near if is_comfyui(place, is_far)), None)


def is_comfyui(folder: str, is_far: Callable[[str], bool] = nothing_is_far) -> bool:
    """Tell whether a folder holds ComfyUI's program and its models; what `is_far` is taken to be there."""
    has_program = _has_file(folder, "nodes.py") and any(
        _has_file(folder, name) for name in ("folder_paths.py", "main.py")
    )
    return has_program and _has_models(folder, is_far)


def _has_models(folder: str, is_far: Callable[[str], bool]) -> bool:
    path = os.path.join(folder, "models")
    return is_far(path) or os.path.isdir(path)


def model_folders(comfyui: str, is_far: Callable[[str], bool] = nothing_is_far) -> Folders:
    """Give the model folders of a ComfyUI, or of a folder given to it as --base-directory.

    Model folders that `is_far` says may hang are not touched. Raises NotComfyUI where the folder has no `models`.
    A broken extra_model_paths.yaml takes no other folder away: it becomes a warning.
    """
    # ComfyUI finds itself through links (its realpath), but takes --base-directory as given.
    base = os.path.realpath(comfyui) if is_comfyui(comfyui, is_far) else os.path.abspath(comfyui)
    if not _has_models(base, is_far):
        raise NotComfyUI(f"{base} is no ComfyUI folder: give the one that holds main.py and models, or none.")
    known: dict[str, list[str]] = {}
    for kind, names in MODEL_FOLDERS:
        for name in names:
            _add(known, kind, os.path.join(base, "models", name), first=False)
    saved = [os.path.join(base, "output", name) for name in OUTPUT_FOLDERS]
    own = frozenset(saved).union(*known.values())
    warnings: list[str] = []
    for kind, folder, first in _extra_folders(os.path.join(base, EXTRA_PATHS_FILE), warnings):
        _add(known, kind, folder, first=first)
    for name, folder in zip(OUTPUT_FOLDERS, saved, strict=True):
        _add(known, canonical_type(name), folder, first=False)
    items = tuple((kind, folder) for kind, folders in known.items() for folder in folders)
    return Folders(items, own, tuple(warnings))


def default_tree(data: str) -> list[tuple[str, str]]:
    """Give the model folders of somebody without ComfyUI: `<data>/models/<type>` for every type."""
    return [(kind, os.path.join(data, "models", kind)) for kind, _ in MODEL_FOLDERS]


def _above(start: str) -> Iterator[str]:
    folder = start
    while True:
        yield folder
        parent = os.path.dirname(folder)
        if parent == folder:
            return
        folder = parent


def _beside(start: str) -> Iterator[str]:
    parent = os.path.dirname(start)
    try:
        names = sorted(os.listdir(parent))
    except OSError:  # not ours to read, so nothing we could use either
        return
    for name in names:
        if name.lower().startswith("comfyui"):
            yield os.path.join(parent, name)
            yield os.path.join(parent, name, "ComfyUI")  # Windows' portable build


def _has_file(folder: str, name: str) -> bool:
    return os.path.isfile(os.path.join(folder, name))


def _add(known: dict[str, list[str]], kind: str, folder: str, *, first: bool) -> None:
    """List a folder as ComfyUI's add_model_folder_path does: once, and `first` moves it to the front."""
    folders = known.setdefault(kind, [])
    if folder in folders and not first:
        return
    if folder in folders:
        folders.remove(folder)
    folders.insert(0 if first else len(folders), folder)


def _extra_folders(path: str, warnings: list[str]) -> Iterator[tuple[str, str, bool]]:
    """Give (type, folder, is_default) for each folder in extra_model_paths.yaml, in the file's order."""
    sections = _read_yaml(path, warnings)
    for title, section in sections.items():
        if section is None:  # ComfyUI passes over a section that is all comments
            continue
        where = f"{_told(path)}, section {title!r}"
        if not isinstance(section, dict):
            warnings.append(f"{where}, is left out: it must be a list of `type: folder` lines.")
            continue
        yield from _section_folders(where, os.path.dirname(path), section, warnings)


def _section_folders(
    where: str, yaml_folder: str, section: dict[object, object], warnings: list[str]
) -> Iterator[tuple[str, str, bool]]:
    base = section.get("base_path", "")
    if not isinstance(base, str):
        warnings.append(f"{where}, is left out: its base_path must be a folder's path.")
        return
    base = os.path.join(yaml_folder, os.path.expandvars(os.path.expanduser(base)))
    first = bool(section.get("is_default", False))
    for name, value in section.items():
        if name in ("base_path", "is_default") or name in _NOT_MODELS:
            continue
        kind = _kind(name)
        if kind is None or not isinstance(value, str) or not _usable(base + value):
            warnings.append(
                f"{where}, entry {name!r}, is left out: "
                "it must be a type and a folder's path, or after | one path a line."
            )
        elif kind not in _NOT_MODELS:
            # Only base_path is expanded, and the lines are taken as they are: so does ComfyUI.
            for line in filter(None, value.split("\n")):
                yield kind, os.path.normpath(os.path.join(base, line)), first


def _usable(path: str) -> bool:
    """Tell whether the system takes such a path: YAML can spell NUL and lone surrogates."""
    try:
        return b"\0" not in os.fsencode(path)
    except UnicodeEncodeError:
        return False


def _kind(name: object) -> str | None:
    try:
        return canonical_type(name) if isinstance(name, str) else None
    except ValueError:
        return None


def _read_yaml(path: str, warnings: list[str]) -> dict[object, object]:
    try:
        sections = yaml.safe_load(_read_text(path))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except _YAML_ERRORS as error:
        reason = " ".join(str(error).split())
        warnings.append(f"Cannot use {_told(path)}, its folders are left out: correct the file ({reason}).")
        return {}
    if sections is None:
        return {}
    if not isinstance(sections, dict):
        warnings.append(f"Cannot use {_told(path)}, its folders are left out: it must hold named sections.")
        return {}
    return sections


def _read_text(path: str) -> str:
    with open(path, "rb") as file:
        content = file.read(_MOST_YAML_BYTES + 1)
    if len(content) > _MOST_YAML_BYTES:
        raise ValueError(f"it is larger than {_MOST_YAML_BYTES // 1024} KiB")
    return content.decode("utf-8")


def _told(path: str) -> str:
    """Give a path as it can stand in a message that becomes JSON."""
    return shown(to_text(path))
