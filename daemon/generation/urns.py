"""The kinds of models as others call them: in Civitai's resources, and in the names it gives to things (AIR)."""

import re

# Civitai's wiki, AIR, Uniform Resource Names for AI: urn:air:ecosystem:type:source:id@version
_URN = re.compile(r"urn:air:[\w.\-]{1,60}:([\w.\-]{1,60}):\w{1,60}:[^\s]{1,200}", re.IGNORECASE)

_KINDS = {
    "checkpoint": "checkpoints",
    "model": "checkpoints",
    "main": "checkpoints",
    "unet": "diffusion_models",
    "diffusionmodel": "diffusion_models",
    "lora": "loras",
    "lycoris": "loras",
    "locon": "loras",
    "dora": "loras",
    "embed": "embeddings",
    "embedding": "embeddings",
    "textualinversion": "embeddings",
    "hypernet": "hypernetworks",
    "hypernetwork": "hypernetworks",
    "vae": "vae",
    "controlnet": "controlnet",
    "upscaler": "upscale_models",
    "textencoder": "text_encoders",
}


def kind_of_word(word: object) -> str | None:
    """Give ComfyUI's name of a kind of model, None where it is no kind we know."""
    return _KINDS.get(re.sub(r"[\W_]", "", word.lower())) if isinstance(word, str) else None


def kind_of_urn(urn: object) -> str | None:
    """Give the kind that an AIR tells, None where it is none."""
    found = _URN.fullmatch(urn) if isinstance(urn, str) else None
    return kind_of_word(found[1]) if found else None
