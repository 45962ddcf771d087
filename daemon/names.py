"""What the name of a file or folder tells: a model, an unfinished download, a type, a companion picture.

Everything here is pure: a name is the last part of a path, as Python's `os` functions give it, and a folder's
content is a list of such names. Nothing is opened or looked up.
"""

import os.path
import re
import unicodedata
from collections.abc import Iterable, Iterator

# Models

MODEL_EXTENSIONS = frozenset({".safetensors", ".sft", ".ckpt", ".pt", ".pt2", ".pth", ".bin", ".pkl", ".gguf"})
"""The endings ComfyUI loads (its `supported_pt_extensions`), and `.gguf`; in lower case."""

DOWNLOAD_SUFFIXES = (
    ".part",  # Firefox, wget2, KGet, most scripts
    ".partial",  # Edge and Internet Explorer
    ".crdownload",  # Chromium, also as `Unconfirmed 1234.crdownload`
    ".download",  # Safari
    ".opdownload",  # Opera
    ".downloading",
    ".incomplete",  # huggingface_hub, Transmission, slskd
    ".unfinished",
    ".filepart",  # WinSCP
    ".fdmdownload",  # Free Download Manager
    ".aria2",  # aria2's control file, beside the file itself
    ".aria2__temp",
    ".lftp-pget-status",
    ".!ut",  # uTorrent
    ".!qB",  # qBittorrent
    ".!bt",  # BitComet and others
    ".bc!",
    ".jc!",
    ".xltd",  # Xunlei
    ".td",
)
"""What downloaders append to the name of a file that is not all there, in their own spelling."""

_TEMPORARY_SUFFIXES = tuple(suffix.casefold() for suffix in (*DOWNLOAD_SUFFIXES, ".tmp", ".temp"))
_MARKER_SUFFIXES = tuple(suffix.casefold() for suffix in (*DOWNLOAD_SUFFIXES, ".st"))  # .st: axel's state file


def is_temporary(name: str) -> bool:
    """Tell whether the name says that its content is not final: a download under way or an editor's lock.

    It holds for folders too: Safari downloads into a folder called `foo.safetensors.download`.
    """
    return name.startswith(".~") or name.casefold().endswith(_TEMPORARY_SUFFIXES)


def is_model_name(name: str) -> bool:
    """Tell whether a file of this name would be a model.

    A name that starts with a dot never is: `._foo.safetensors` is what macOS leaves beside a file on foreign
    disks, and `.hikaze-...` is ours.
    """
    return not name.startswith(".") and extension(name) in MODEL_EXTENSIONS and not is_temporary(name)


def stem(name: str) -> str:
    """Give the name less its last extension."""
    return os.path.splitext(name)[0]


def extension(name: str) -> str:
    """Give the last extension in lower case, with its dot; empty where there is none."""
    return os.path.splitext(name)[1].lower()


def has_download_marker(name: str, siblings: Iterable[str]) -> bool:
    """Tell whether a name beside this one says that it is being downloaded, as `foo.ckpt.aria2` does.

    It walks over all siblings; for a whole folder `being_downloaded` is one walk instead of one for each.
    """
    return name in being_downloaded((name, *siblings))


def being_downloaded(names: Iterable[str]) -> frozenset[str]:
    """Give the names beside which a downloader's marker lies (`foo.ckpt` with `foo.ckpt.aria2`)."""
    listed = list(names)
    marked = set(_marked(listed))
    return frozenset(name for name in listed if _fold(name) in marked) if marked else frozenset()


def marker_names(name: str) -> list[str]:
    """Give the names a downloader's marker for this file would have, for a look at the disk one by one."""
    return [name + suffix for suffix in (*DOWNLOAD_SUFFIXES, ".st")]


def _marked(names: Iterable[str]) -> Iterator[str]:
    for name in names:
        folded = _fold(name)
        if folded.endswith(_MARKER_SUFFIXES):
            yield folded[: -max(len(suffix) for suffix in _MARKER_SUFFIXES if folded.endswith(suffix))]


def _fold(name: str) -> str:
    """Give the form in which names are equal for disks and people that take `Foo` and `foo` for one."""
    return name.lower() if name.isascii() else unicodedata.normalize("NFC", name).casefold()


# Types

TYPES = (
    "checkpoints",
    "loras",
    "vae",
    "text_encoders",
    "diffusion_models",
    "clip_vision",
    "style_models",
    "embeddings",
    "diffusers",
    "vae_approx",
    "controlnet",
    "gligen",
    "upscale_models",
    "latent_upscale_models",
    "hypernetworks",
    "photomaker",
    "classifiers",
    "model_patches",
    "audio_encoders",
    "background_removal",
    "frame_interpolation",
    "geometry_estimation",
    "optical_flow",
    "detection",
)
"""ComfyUI's own folder names that hold models, ordered as in its `folder_paths.py`; custom packs add more."""

_OTHER_NAMES = {
    "checkpoints": "checkpoint ckpt ckpts stable-diffusion sd-models",
    "loras": "lora lycoris lycos locon locons loha lohas dora doras",
    "vae": "vaes",
    "text_encoders": "text_encoder clip clips clip_gguf t5",
    "diffusion_models": "diffusion_model unet unets unet_gguf",
    "clip_vision": "clip_visions",
    "style_models": "style_model",
    "embeddings": "embedding textual_inversion textual_inversions",
    "diffusers": "diffuser",
    "vae_approx": "approx_vae",
    "controlnet": "controlnets control_net control_nets t2i_adapter t2i_adapters control_lora control_loras",
    "upscale_models": "upscale_model upscale upscaler upscalers esrgan realesrgan swinir",
    "latent_upscale_models": "latent_upscale_model latent_upscale",
    "hypernetworks": "hypernetwork",
    "classifiers": "classifier",
    "model_patches": "model_patch",
    "audio_encoders": "audio_encoder",
    "photomaker": "photomakers",
}
_PLAUSIBLE_TYPE = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,63}")


def _key(name: str) -> str:
    # Stable-diffusion, stable_diffusion and StableDiffusion are one folder in three programs.
    return "".join(filter(str.isalnum, name.casefold()))


_TYPE_OF = {_key(name): name for name in TYPES} | {
    _key(other): name for name, others in _OTHER_NAMES.items() for other in others.split()
}


def type_of_folder(name: str) -> str | None:
    """Give ComfyUI's type for a folder's name, in any case and in other programs' spellings, or None."""
    return _TYPE_OF.get(_key(name))


def canonical_type(name: str) -> str:
    """Give the type a person means: ComfyUI's own name where there is one, else the name itself.

    Raises ValueError where it could not be the name of a model folder.
    """
    wanted = name.strip()
    known = type_of_folder(wanted)
    if known is not None:
        return known
    if _PLAUSIBLE_TYPE.fullmatch(wanted):
        return wanted
    raise ValueError(
        "A type is the name of a ComfyUI model folder, such as loras: 1 to 64 letters, digits, dots, "
        "hyphens or underscores, with no dot in front."
    )


# Companion pictures

PICTURE_EXTENSIONS = (".webp", ".png", ".jpeg", ".jpg", ".gif", ".avif")
"""The pictures we can show, the preferred ones first; in lower case."""


class Folder:
    """The names in one folder, put in order once, so that each model's picture is found without a walk."""

    def __init__(self, names: Iterable[str]) -> None:
        """Take the names of everything in the folder; their order does not matter."""
        self._pictures: dict[str, list[str]] = {}
        self._models: dict[str, list[str]] = {}
        for name in sorted(names):
            if is_model_name(name):
                self._models.setdefault(_fold(stem(name)), []).append(name)
            elif extension(name) in PICTURE_EXTENSIONS:
                self._pictures.setdefault(_fold(name), []).append(name)

    def picture_of(self, model_name: str) -> str | None:
        """Give the name of the model's companion picture; see `companion_picture`."""
        fitting = [
            (prefix, picture)
            for prefix, ending in _companion_endings(model_name)
            for picture in self._pictures.get(_fold(prefix + ending), ())
        ]
        exact = (picture for prefix, picture in fitting if picture.startswith(prefix))
        inexact = (picture for _, picture in fitting if not self._belongs_exactly(picture))
        return next(exact, None) or next(inexact, None)

    def models_of(self, picture_name: str) -> list[str]:
        """Give the names of the models whose companion picture this is; see `models_of_picture`."""
        return sorted(
            model
            for owner in _possible_stems(picture_name)
            for model in self._models.get(_fold(owner), ())
            if self.picture_of(model) == picture_name
        )

    def _belongs_exactly(self, picture: str) -> bool:
        return any(
            picture.startswith(prefix) and _fold(picture) == _fold(prefix + ending)
            for owner in _possible_stems(picture)
            for model in self._models.get(_fold(owner), ())
            for prefix, ending in _companion_endings(model)
        )


def companion_picture(model_name: str, siblings: Iterable[str]) -> str | None:
    """Give the picture that lies beside a model and shows what it makes, or None.

    In order of choice `foo.preview.*`, `foo.*`, `foo.example.0.*` and `foo.safetensors.*`, each in the order
    of `PICTURE_EXTENSIONS`, with the stem spelled exactly; then the same in any case, unless the picture is
    exactly another model's. `foo.v2.png` is not `foo`'s. For many models of one folder make one `Folder`.
    """
    return Folder(siblings).picture_of(model_name)


def companion_names(model_name: str) -> list[str]:
    """Give the names that its companion picture may have, the preferred ones first; in any other case it may, too."""
    return [prefix + ending for prefix, ending in _companion_endings(model_name)]


def models_of_picture(picture_name: str, siblings: Iterable[str]) -> list[str]:
    """Give the models that have this picture as their companion: the inverse of `companion_picture`."""
    return Folder((picture_name, *siblings)).models_of(picture_name)


def _companion_endings(model_name: str) -> Iterator[tuple[str, str]]:
    base = stem(model_name)
    for prefix, middle in ((base, ".preview"), (base, ""), (base, ".example.0"), (model_name, "")):
        for ending in PICTURE_EXTENSIONS:
            yield prefix, middle + ending


def _possible_stems(picture_name: str) -> Iterator[str]:
    base = stem(picture_name)
    yield base
    for middle in (".preview", ".example.0"):
        if base.casefold().endswith(middle):
            yield base[: -len(middle)]
    if is_model_name(base):
        yield stem(base)
