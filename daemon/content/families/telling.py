"""Which family of models a file belongs to (its base model), and which part of one it is.

Tensors are the witness: their names, and shapes where the names are shared. Metadata is asked only where they are
silent, for it is often wrong: tools copy it along, and people edit it. A wrong guess is worse than none: a rule asks
for what only its family has, and where two families answer none is told.

The facts were read from ComfyUI's model detection and from the published files; the rules are in tables of their own
(the modules beside it), in the language of `rules.py`.
"""

from collections.abc import Sequence

import msgspec

from ..header import Header, Tensor
from ..tensornames import TensorNames
from . import parts
from .adapters import read_adapter
from .diffusers import DIFFUSERS
from .dit import TRANSFORMERS
from .lora import Evidence, family_of_adapter
from .metadata import family_by_metadata
from .rules import Match, Table
from .unet import APART, UNETS
from .wan import WANS

BASE_MODELS = {
    "sd-1": "SD 1.x",
    "sd-2": "SD 2.x",
    "sd-x4-upscaler": "SD x4 Upscaler",
    "sdxl": "SDXL",
    "sdxl-refiner": "SDXL Refiner",
    "playground-2.5": "Playground v2.5",
    "ssd-1b": "SSD-1B",
    "segmind-vega": "Segmind Vega",
    "koala": "KOALA",
    "kolors": "Kolors",
    "svd": "SVD",
    "sv3d": "SV3D",
    "zero123": "Stable Zero123",
    "sd-3": "SD3",
    "sd-3.5": "SD3.5",
    "stable-cascade": "Stable Cascade",
    "stable-audio": "Stable Audio",
    "flux-1": "Flux.1",
    "flux-2": "Flux.2",
    "chroma": "Chroma",
    "chroma-radiance": "Chroma Radiance",
    "longcat-image": "LongCat-Image",
    "ovis-image": "Ovis-Image",
    "auraflow": "AuraFlow",
    "pixart": "PixArt",
    "sana": "Sana",
    "hunyuan-dit": "HunyuanDiT",
    "hunyuan-video": "Hunyuan Video",
    "hunyuan-video-1.5": "Hunyuan Video 1.5",
    "hunyuan-image-2.1": "HunyuanImage 2.1",
    "hunyuan3d": "Hunyuan3D",
    "framepack": "FramePack",
    "wan": "Wan",
    "wan-2.1": "Wan 2.1",
    "wan-2.2": "Wan 2.2",
    "ltx-video": "LTX Video",
    "ltx-2": "LTX-2",
    "cosmos": "Cosmos",
    "anima": "Anima",
    "mochi": "Mochi",
    "cogvideox": "CogVideoX",
    "lumina-2": "Lumina 2",
    "newbie": "NewBie",
    "z-image": "Z-Image",
    "hidream": "HiDream",
    "hidream-o1": "HiDream-O1",
    "qwen-image": "Qwen-Image",
    "qwen-image-2.1": "Qwen-Image 2.1",
    "mage-flow": "Mage-Flow",
    "lens": "Lens",
    "omnigen-2": "OmniGen2",
    "boogu-image": "Boogu-Image",
    "krea-2": "Krea 2",
    "ideogram-4": "Ideogram 4",
    "ernie-image": "ERNIE-Image",
    "pixeldit": "PixelDiT",
    "kandinsky-5": "Kandinsky 5",
    "minimax-h3": "MiniMax H3",
    "seedvr2": "SeedVR2",
    "ace-step": "ACE-Step",
    "ace-step-1.5": "ACE-Step 1.5",
}
"""The name of each family, by its id. The name becomes a tag; the id stays, whatever the name becomes."""


class Family(msgspec.Struct, frozen=True):
    """What a file is. `id` and `base_model` (which becomes a tag) are None where only its part is sure.

    `part` is one of checkpoint, diffusion_model, adapter, controlnet, model_patch, t2i_adapter, ip_adapter, vae,
    text_encoder, language_model, clip_vision and embedding, or None. `variant` is a finer fact for those who look
    closely: the size, the purpose, or the name of a text encoder.
    """

    id: str | None
    base_model: str | None
    part: str | None
    evidence: Evidence
    variant: str | None = None


# Looked for in this order: a controlnet can bring the model along that it was made for.
_PARTS: tuple[tuple[Table, str], ...] = (
    (parts.CONTROLS, "controlnet"),
    (parts.PATCHES, "model_patch"),
    (parts.ADAPTERS, "t2i_adapter"),
    (parts.PICTURE_ADAPTERS, "ip_adapter"),
)
_DENOISERS = (UNETS, TRANSFORMERS, WANS, DIFFUSERS)
_REST: tuple[tuple[Table, str], ...] = (
    (parts.VAES, "vae"),
    (parts.TEXT_ENCODERS, "text_encoder"),
    (parts.CLIP_VISIONS, "clip_vision"),
    (parts.LANGUAGE_MODELS, "language_model"),
)
_MAX_EMBEDDED = 8
# Each block of a UNet tells whether it is Stable Diffusion 1 or XL. Their adapters are the most, and the largest.
_TOLD_BY_PIECES = frozenset({"sd-1", "sdxl"})
_MANY = 1024
_PIECES = 4
_PIECE = 120
_WITH_A_MODEL = (
    "first_stage_model.",
    "vae.",
    "cond_stage_model.",
    "conditioner.",
    "text_encoders.",
    "text_encoder.",
    "pretransform.",
)


def family_of(header: Header, tensors: Sequence[Tensor], names: TensorNames | None = None) -> Family | None:
    """Give what a file is, None where nothing is sure. `names` spares the laying out where it was done before."""
    if not tensors:
        return None
    names = names if names is not None else TensorNames(tensors)
    found = _of_whole(names)
    if found is not None and found.id is not None:
        return found
    named = family_by_metadata(header.metadata)
    if found is None and (told := _of_adapter(names, named)) is not None:
        return told
    if named is None:
        return found
    return _told(found.part if found else None, named, "metadata", found.variant if found else None)


def _told(part: str | None, family: str | None, evidence: Evidence, variant: str | None = None) -> Family:
    return Family(family, None if family is None else BASE_MODELS[family], part, evidence, variant)


def _of_whole(names: TensorNames) -> Family | None:
    if len(names.tensors) <= _MAX_EMBEDDED:
        found = parts.EMBEDDINGS.find(names)
        if found is not None:
            return _of(found[0], "embedding")
    return _in_tables(names, _PARTS) or _denoiser(names) or _in_tables(names, _REST)


def _of_adapter(names: TensorNames, named: str | None) -> Family | None:
    """Give what an adapter is for, None for a file that is none; of one of many matrices a few may be enough."""
    if len(names.tensors) > _MANY and (pieces := read_adapter(TensorNames(_pieces(names.tensors)))) is not None:
        family, evidence = family_of_adapter(pieces, named)
        if family in _TOLD_BY_PIECES:
            return _told("adapter", family, evidence)
    adapter = read_adapter(names)
    return _told("adapter", *family_of_adapter(adapter, named)) if adapter is not None else None


def _pieces(tensors: Sequence[Tensor]) -> list[Tensor]:
    step = (len(tensors) - _PIECE) // (_PIECES - 1)
    return [tensor for number in range(_PIECES) for tensor in tensors[number * step : number * step + _PIECE]]


def _in_tables(names: TensorNames, tables: Sequence[tuple[Table, str]]) -> Family | None:
    for table, part in tables:
        found = table.find(names)
        if found is not None:
            return _of(found[0], part)
    return None


def _denoiser(names: TensorNames) -> Family | None:
    found = [one for table in _DENOISERS if (one := table.find(names)) is not None]
    if len({match.family for match, _ in found}) != 1:
        return None
    match, home = found[0]
    for family, marks, apart in APART:
        if match.family == family and names.has(*marks):
            match = Match(apart)
    whole = home != "" and names.starts_any(_WITH_A_MODEL)
    return _of(match, "checkpoint" if whole else "diffusion_model")


def _of(match: Match, part: str) -> Family:
    return _told(part, match.family, "tensors", match.variant)
