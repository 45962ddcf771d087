"""Prompts in API format."""

import json
from typing import Any

from .harness import Graph


def checkpoint(payload: str | dict[str, Any]) -> dict[str, Any]:
    """Give our checkpoint loader."""
    return _node("HikazeCheckpointLoader", hikaze_payload=_text(payload))


def loras(payload: str | dict[str, Any] | list[Any]) -> dict[str, Any]:
    """Give our LoRA loader, behind the checkpoint loader 1."""
    return _node("HikazeLoraPowerLoader", model=["1", 0], clip=["1", 1], hikaze_payload=_text(payload))


def probed(ckpt_path: str, payload: str | dict[str, Any] | list[Any]) -> Graph:
    """Load a checkpoint (1) and LoRAs (2), and tell what was done (3)."""
    probe = _node("HikazeTestProbe", model=["2", 0], clip=["2", 1])
    return {"1": checkpoint({"ckpt_path": ckpt_path}), "2": loras(payload), "3": probe}


def picture(ckpt_path: str, payload: str | dict[str, Any] | list[Any], seed: int = 1) -> Graph:
    """Make a picture of 64 by 64 in one step: checkpoint (1), LoRAs (2), up to the saved file (9)."""
    sampler = {"seed": seed, "steps": 1, "cfg": 1.0, "sampler_name": "euler", "scheduler": "normal", "denoise": 1.0}
    return {
        "1": checkpoint({"ckpt_path": ckpt_path}),
        "2": loras(payload),
        "4": _node("CLIPTextEncode", text="a wind over the sea", clip=["2", 1]),
        "5": _node("CLIPTextEncode", text="", clip=["2", 1]),
        "6": _node("EmptyLatentImage", width=64, height=64, batch_size=1),
        "7": _node("KSampler", model=["2", 0], positive=["4", 0], negative=["5", 0], latent_image=["6", 0], **sampler),
        "8": _node("VAEDecode", samples=["7", 0], vae=["1", 2]),
        "9": _node("SaveImage", images=["8", 0], filename_prefix="hikaze"),
    }


def _node(kind: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": kind, "inputs": inputs}


def _text(payload: str | dict[str, Any] | list[Any]) -> str:
    return payload if isinstance(payload, str) else json.dumps(payload)
