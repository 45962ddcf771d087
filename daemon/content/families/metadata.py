"""Which family a file's metadata names. Only a second witness: it is asked where the tensors say nothing.

Read are the fields that programs write, not people: `modelspec.architecture` (https://github.com/Stability-AI/ModelSpec),
`ss_base_model_version` and `ss_v2` (kohya's trainers and those that follow them), `general.architecture` (GGUF), and
the class in a diffusers `config`. A title, a file's name or a merge recipe proves nothing.
"""

import re
from collections.abc import Mapping

_CLASS = re.compile(r'"_class_name"\s*:\s*"(\w{1,64})"')
_MAX_FIELD = 256
_MAX_CONFIG = 64 * 1024
_CLASSES = {
    "FluxTransformer2DModel": "flux-1",
    "NunchakuFluxTransformer2dModel": "flux-1",
    "Flux2Transformer2DModel": "flux-2",
    "ChromaTransformer2DModel": "chroma",
    "LTXVideoTransformer3DModel": "ltx-video",
    "QwenImageTransformer2DModel": "qwen-image",
    "NunchakuQwenImageTransformer2DModel": "qwen-image",
    "ZImageTransformer2DModel": "z-image",
    "NunchakuZImageTransformer2DModel": "z-image",
    "AuraFlowTransformer2DModel": "auraflow",
    "HunyuanVideoTransformer3DModel": "hunyuan-video",
    "HunyuanDiT2DModel": "hunyuan-dit",
    "MochiTransformer3DModel": "mochi",
    "CogVideoXTransformer3DModel": "cogvideox",
    "SanaTransformer2DModel": "sana",
    "NunchakuSanaTransformer2DModel": "sana",
    "HiDreamImageTransformer2DModel": "hidream",
    "Lumina2Transformer2DModel": "lumina-2",
    "WanTransformer3DModel": "wan",
    "Kandinsky5Transformer3DModel": "kandinsky-5",
}

# What a converter wrote that had looked at the tensors. One name can stand for several families: `sd3` is 3.5, too.
_GGUF = {
    "flux": "flux-1",
    "sd1": "sd-1",
    "sdxl": "sdxl",
    "aura": "auraflow",
    "ltxv": "ltx-video",
    "hyvid": "hunyuan-video",
    "wan": "wan",
    "hidream": "hidream",
    "cosmos": "cosmos",
    "qwen_image": "qwen-image",
    "chroma": "chroma",
    "ideogram": "ideogram-4",
}

# Written in small letters, with dots and low lines as dashes; an end after a slash (`/lora`) is not looked at.
_STARTS = (
    ("stable-diffusion-xl-v1-refiner", "sdxl-refiner"),
    ("stable-diffusion-xl-v0-9-refiner", "sdxl-refiner"),
    ("stable-diffusion-xl", "sdxl"),
    ("stable-diffusion-v1", "sd-1"),
    ("stable-diffusion-v2", "sd-2"),
    ("stable-diffusion-3-3-5", "sd-3.5"),
    ("stable-diffusion-3-5", "sd-3.5"),
    ("stable-diffusion-v3-5", "sd-3.5"),
    ("stable-diffusion-3-medium", "sd-3"),
    ("stable-diffusion-3-m", "sd-3"),
    ("stable-diffusion-v3-medium", "sd-3"),
    ("stable-video-diffusion", "svd"),
    ("stable-cascade", "stable-cascade"),
    ("segmind-stable-diffusion-1b", "ssd-1b"),
    ("flux-1", "flux-1"),
    ("flux1", "flux-1"),
    ("flux-dev", "flux-1"),
    ("flux-schnell", "flux-1"),
    ("flux-kontext", "flux-1"),
    ("flux-2", "flux-2"),
    ("flux2", "flux-2"),
    ("chroma-radiance", "chroma-radiance"),
    ("chroma", "chroma"),
    ("auraflow", "auraflow"),
    ("pixart", "pixart"),
    ("hunyuan-dit", "hunyuan-dit"),
    ("hunyuan-video-1-5", "hunyuan-video-1.5"),
    ("hunyuanvideo1-5", "hunyuan-video-1.5"),
    ("hunyuan-video", "hunyuan-video"),
    ("hunyuan-image-2-1", "hunyuan-image-2.1"),
    ("framepack", "framepack"),
    # Some trainers write `wan2.1` whatever they train, so a version is believed of the larger tools' names alone.
    ("wan-2-2-ti2v-5b", "wan-2.2"),
    ("wan-2-1-text2video-1-3b", "wan-2.1"),
    ("wan-2-1-image2video", "wan-2.1"),
    ("wan-2-2-image2video", "wan-2.2"),
    ("wan2-2", "wan-2.2"),
    ("wan2-1", "wan"),
    ("wan", "wan"),
    ("lightricks-ltx-video-2", "ltx-2"),
    ("lightricks-ltx-video", "ltx-video"),
    ("nvidia-cosmos", "cosmos"),
    ("genmo-mochi", "mochi"),
    ("lumina-2", "lumina-2"),
    ("lumina2", "lumina-2"),
    ("z-image", "z-image"),
    ("zimage", "z-image"),
    ("hidream-i1", "hidream"),
    ("hidream-o1", "hidream-o1"),
    ("qwen-image-2-1", "qwen-image-2.1"),
    ("qwen-image", "qwen-image"),
    ("omnigen-2", "omnigen-2"),
    ("kandinsky5", "kandinsky-5"),
    ("anima", "anima"),
    ("krea-2", "krea-2"),
    ("krea2", "krea-2"),
    ("ideogram-4", "ideogram-4"),
    ("ernie-image", "ernie-image"),
    ("longcat-image", "longcat-image"),
    ("ovis-image", "ovis-image"),
    ("boogu", "boogu-image"),
    ("mage-flow", "mage-flow"),
    ("minimax-h3", "minimax-h3"),
    ("ace-step-1-5", "ace-step-1.5"),
    ("ace-step", "ace-step"),
    ("nvidia-sana", "sana"),
    ("kolors", "kolors"),
)
# kohya's own names, and what others write into the same field.
_VERSIONS = (
    ("sdxl-refiner", "sdxl-refiner"),
    ("sdxl", "sdxl"),
    ("sd-xl", "sdxl"),
    ("sd-v1", "sd-1"),
    ("sd-1", "sd-1"),
    ("sd1", "sd-1"),
    ("sd15", "sd-1"),
    ("sd-v2", "sd-2"),
    ("sd-2", "sd-2"),
    ("sd21", "sd-2"),
    ("sd3-m", "sd-3"),
    ("sd3-medium", "sd-3"),
    ("sd3-5", "sd-3.5"),
    ("sd35", "sd-3.5"),
    ("sd-3-5", "sd-3.5"),
)


def family_by_metadata(metadata: Mapping[str, str]) -> str | None:
    """Give the id of the family that metadata names, None where it names none, or two fields name two."""
    named = {
        _by_name(metadata.get("modelspec.architecture", ""), _STARTS),
        _by_name(metadata.get("ss_base_model_version", ""), _VERSIONS + _STARTS),
        "sd-2" if metadata.get("ss_v2") == "True" else None,
        _GGUF.get(metadata.get("general.architecture", "")),
        _by_class(metadata),
    }
    named.discard(None)
    return named.pop() if len(named) == 1 else None


def _by_name(value: str, starts: tuple[tuple[str, str], ...]) -> str | None:
    if len(value) > _MAX_FIELD:
        return None
    name = re.sub(r"[._\s]+", "-", value.strip().lower()).partition("/")[0]
    return next((family for start, family in starts if _begins(name, start)), None)


def _begins(name: str, start: str) -> bool:
    """Tell whether a name starts with these words: `flux-1` starts `flux-1-dev`, but not `flux-10`."""
    return name.startswith(start) and not name[len(start) : len(start) + 1].isalnum()


def _by_class(metadata: Mapping[str, str]) -> str | None:
    for field in ("_class_name", "model_class"):
        if metadata.get(field, "") in _CLASSES:
            return _CLASSES[metadata[field]]
    found = set(_CLASS.findall(metadata.get("config", "")[:_MAX_CONFIG]))
    families = {_CLASSES[name] for name in found if name in _CLASSES}
    return families.pop() if len(families) == 1 else None
