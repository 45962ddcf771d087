"""A pack of the tests: a node that tells what was done to a model, and so needs no sampling."""

import json


class HikazeTestProbe:
    """Tells the patches of a model and its text encoder, in order: kind, strength, and a number of the LoRA's."""

    RETURN_TYPES = ()
    FUNCTION = "tell"
    OUTPUT_NODE = True
    CATEGORY = "tests"

    @classmethod
    def INPUT_TYPES(cls) -> dict:  # noqa: N802 - ComfyUI's name
        """Describe the inputs."""
        return {"required": {"model": ("MODEL",), "clip": ("CLIP",)}}

    def tell(self, model, clip) -> dict:
        """Send what there is to the history."""
        told = {"model": patches(model), "clip": patches(clip.patcher), "loaded": loaded()}
        return {"ui": {"told": [json.dumps(told)]}}


def patches(patcher) -> dict:
    """Give the patches by layer: the strength of each, and the first number of its first matrix."""
    return {
        key: [(patch[0], round(float(patch[1].weights[0].flatten()[0]), 3)) for patch in found]
        for key, found in patcher.patches.items()
    }


def loaded() -> list[str]:
    """Give the files that were read from the disk since this was last asked."""
    told, READ[:] = list(READ), []
    return told


def listen() -> None:
    """Note each file that ComfyUI reads weights from."""
    import comfy.utils  # pyright: ignore[reportMissingImports] - ComfyUI has it

    read = comfy.utils.load_torch_file

    def noting(path, *arguments, **named):
        READ.append(path)
        return read(path, *arguments, **named)

    comfy.utils.load_torch_file = noting


READ: list[str] = []
NODE_CLASS_MAPPINGS = {"HikazeTestProbe": HikazeTestProbe}
listen()
