"""What the name of a file or folder tells: a model, an unfinished download, a type, a companion picture.

Everything here is pure: a name is the last part of a path, as Python's `os` functions give it, and a folder's
content is a list of such names. Nothing is opened or looked up.
"""

import os.path
import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Iterator
from functools import partial

# Models

MODEL_EXTENSIONS = frozenset({".safetensors", ".sft", ".ckpt", ".pt", ".pt2", ".pth", ".bin", ".pkl", ".gguf"})
"""The endings ComfyUI loads (its `supported_pt_extensions`), and `.gguf`; in lower case."""

NO_MODELS = frozenset({
    "", "folder",
    ".bat", ".cfg", ".css", ".csv", ".cube", ".html", ".ini", ".js", ".json", ".jsonl", ".log", ".md", ".otf", ".py",
    ".srt", ".toml", ".tsv", ".ttf", ".txt", ".xml", ".yaml", ".yml",
    ".apng", ".avif", ".bmp", ".exr", ".gif", ".hdr", ".jpeg", ".jpg", ".png", ".svg", ".tif", ".tiff", ".webp",
    ".flac", ".m4a", ".mkv", ".mov", ".mp3", ".mp4", ".ogg", ".wav", ".webm",
})  # fmt: skip
"""Endings that some packs list in ComfyUI's folders, and that are texts, fonts, pictures or sounds; in lower case."""

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


def is_model_name(name: str, more: Collection[str] = ()) -> bool:
    """Tell whether a file of this name would be a model; `more` are endings that count as well where it lies.

    A name that starts with a dot never is: `._foo.safetensors` is what macOS leaves beside a file on foreign
    disks, and `.hikaze-...` is ours.
    """
    ending = extension(name)
    counts = ending in MODEL_EXTENSIONS or ending in more
    return counts and not name.startswith(".") and not is_temporary(name)


def are_models(more: Collection[str]) -> Callable[[str], bool]:
    """Give what tells whether a file of some name would be a model where some more endings count."""
    return partial(is_model_name, more=more) if more else is_model_name


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


# Companion pictures and sidecars

PICTURE_EXTENSIONS = (".webp", ".png", ".jpeg", ".jpg", ".gif", ".avif")
"""The pictures we can show, the preferred ones first; in lower case."""

UNTAKEN_EXTENSIONS = frozenset(
    (
        *(".mp4", ".webm", ".mov", ".m4v", ".mkv", ".avi", ".wmv", ".flv", ".ogv"),
        *(".jxl", ".jp2", ".bmp", ".tif", ".tiff", ".heic"),
    )
)
"""What other managers show as a preview and we cannot: videos, and pictures that nothing here decodes."""

SIDECAR_ENDINGS = (
    (".txt", "text"),
    (".md", "text"),
    (".description.txt", "text"),
    (".metadata.json", "lora-manager"),
    (".json", "a1111"),
    (".cm-info.json", "stability-matrix"),
    (".rgthree-info.json", "rgthree"),
    (".swarm.json", "swarm"),
    (".civitai.info", "civitai-info"),
)
"""What is appended to a model's stem to name a file that tells of it, and the format of that file.

Of rgthree's it is appended to the whole name. Those come first in which people write their own words.
"""

_SIDECAR_EXTENSIONS = frozenset({".txt", ".md", ".json", ".info"})


class Folder:
    """The names in one folder, put in order once, so that what lies beside each model is found without a walk."""

    def __init__(self, names: Iterable[str]) -> None:
        """Take the names of everything in the folder; their order does not matter."""
        self._pictures: dict[str, list[str]] = {}
        self._models: dict[str, list[str]] = {}
        self._sidecars: dict[str, list[str]] = {}
        self._untaken: dict[str, list[str]] = {}
        for name in sorted(names):
            ending = extension(name)
            if is_model_name(name):
                self._models.setdefault(_fold(stem(name)), []).append(name)
            elif ending in PICTURE_EXTENSIONS:
                self._pictures.setdefault(_fold(name), []).append(name)
            elif ending in _SIDECAR_EXTENSIONS:
                self._sidecars.setdefault(_fold(name), []).append(name)
            elif ending in UNTAKEN_EXTENSIONS:
                self._untaken.setdefault(_fold(stem(name)), []).append(name)

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

    def untaken_previews(self, model_name: str) -> list[str]:
        """Give the names of what lies where a companion picture would, and is none that we can show."""
        if not self._untaken:
            return []
        return [
            preview
            for prefix, middle in _companion_stems(model_name)
            for preview in self._untaken.get(_fold(prefix + middle), ())
            if preview.startswith(prefix) or not self._belongs_exactly(preview)
        ]

    def models_of_untaken(self, preview_name: str) -> list[str]:
        """Give the names of the models beside which this lies: the inverse of `untaken_previews`."""
        return sorted(
            model
            for owner in _possible_stems(preview_name)
            for model in self._models.get(_fold(owner), ())
            if preview_name in self.untaken_previews(model)
        )

    def sidecars_of(self, model_name: str) -> list[tuple[str, str]]:
        """Give the format and the name of each sidecar of a model, at most one for each of `SIDECAR_ENDINGS`.

        A file tells of the model whose name it spells exactly, else of one that it spells in any case; where that
        could be two models, of the one with the longer name: `foo.metadata.json` is `foo.ckpt`'s, unless there is a
        `foo.metadata.ckpt`. `foo.v2.json` never is `foo`'s.
        """
        found = ((source, self._sidecar(prefix, ending)) for prefix, ending, source in _sidecar_parts(model_name))
        return [(source, sidecar) for source, sidecar in found if sidecar is not None]

    def models_of_sidecar(self, sidecar_name: str) -> list[str]:
        """Give the names of the models that have this sidecar: the inverse of `sidecars_of`."""
        possible = {model for _, _, model in self._claims(sidecar_name)}
        return sorted(model for model in possible if sidecar_name in (name for _, name in self.sidecars_of(model)))

    def _sidecar(self, prefix: str, ending: str) -> str | None:
        inexact = None
        for sidecar in self._sidecars.get(_fold(prefix + ending), ()):
            exact, owner = sidecar.startswith(prefix), len(sidecar) - len(ending)
            if all((exact, owner) >= (other, longer) for other, longer, _ in self._claims(sidecar)):
                if exact:
                    return sidecar
                inexact = inexact or sidecar
        return inexact

    def _claims(self, sidecar: str) -> Iterator[tuple[bool, int, str]]:
        """Give each model that a sidecar may tell of: is it spelled exactly, how much of the name names it, which."""
        for ending, source in SIDECAR_ENDINGS:
            owner = sidecar[: -len(ending)]
            if sidecar[-len(ending) :].lower() != ending:
                continue
            for model in self._models.get(_fold(stem(owner) if source == "rgthree" else owner), ()):
                named = model if source == "rgthree" else stem(model)
                if _fold(named) == _fold(owner):
                    yield named == owner, len(owner), model

    def _belongs_exactly(self, picture: str) -> bool:
        return any(
            picture.startswith(prefix) and _fold(stem(picture)) == _fold(prefix + middle)
            for owner in _possible_stems(picture)
            for model in self._models.get(_fold(owner), ())
            for prefix, middle in _companion_stems(model)
        )


def companion_picture(model_name: str, siblings: Iterable[str]) -> str | None:
    """Give the picture that lies beside a model and shows what it makes, or None.

    In order of choice `foo.preview.*`, `foo.*`, `foo.example.0.*`, `foo.safetensors.*` and `foo.thumb.*`, each in
    the order of `PICTURE_EXTENSIONS`, with the stem spelled exactly; then the same in any case, unless the picture is
    exactly another model's. `foo.v2.png` is not `foo`'s. For many models of one folder make one `Folder`.
    """
    return Folder(siblings).picture_of(model_name)


def companion_names(model_name: str) -> list[str]:
    """Give the names that its companion picture may have, the preferred ones first; in any other case it may, too."""
    return [prefix + ending for prefix, ending in _companion_endings(model_name)]


def models_of_picture(picture_name: str, siblings: Iterable[str]) -> list[str]:
    """Give the models that have this picture as their companion: the inverse of `companion_picture`."""
    return Folder((picture_name, *siblings)).models_of(picture_name)


def sidecar_names(model_name: str) -> list[tuple[str, str]]:
    """Give the format and the name of each sidecar that a model may have; in any other case it may, too."""
    return [(source, prefix + ending) for prefix, ending, source in _sidecar_parts(model_name)]


def source_of_sidecar(sidecar_name: str, model_name: str) -> str | None:
    """Give the format that a file has as a model's sidecar, None where by its name it is none of this model's."""
    wanted = _fold(sidecar_name)
    return next((source for source, name in sidecar_names(model_name) if _fold(name) == wanted), None)


def may_be_sidecar(name: str) -> bool:
    """Tell whether a file of this name could tell of a model beside it."""
    return extension(name) in _SIDECAR_EXTENSIONS


def _companion_endings(model_name: str) -> Iterator[tuple[str, str]]:
    for prefix, middle in _companion_stems(model_name):
        for ending in PICTURE_EXTENSIONS:
            yield prefix, middle + ending


def _companion_stems(model_name: str) -> Iterator[tuple[str, str]]:
    base = stem(model_name)
    yield base, ".preview"
    yield base, ""
    yield base, ".example.0"
    yield model_name, ""
    yield base, ".thumb"  # SwarmUI takes it for a preview; SD.Next makes it, smaller, of the preview


def _possible_stems(picture_name: str) -> Iterator[str]:
    base = stem(picture_name)
    yield base
    for middle in (".preview", ".example.0", ".thumb"):
        if base.casefold().endswith(middle):
            yield base[: -len(middle)]
    if is_model_name(base):
        yield stem(base)


def _sidecar_parts(model_name: str) -> Iterator[tuple[str, str, str]]:
    base = stem(model_name)
    for ending, source in SIDECAR_ENDINGS:
        yield model_name if source == "rgthree" else base, ending, source
