"""What ComfyUI is asked for: its folders, and to load and apply files as its own loaders do.

ComfyUI's modules are imported where they are used: they take seconds, and have long been there when a node runs.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .finding import Folders
from .keeping import Shelf
from .modelfile import Stamp
from .payload import Lora

if TYPE_CHECKING:
    import torch  # pyright: ignore[reportMissingImports]

Weights = dict[str, "torch.Tensor"]


def folders_of(kind: str) -> Folders:
    """Give ComfyUI's folders of a type as they are now: packs may add some at any time."""
    import folder_paths  # pyright: ignore[reportMissingImports]

    _, endings = folder_paths.folder_names_and_paths[kind]
    # A type without endings takes all files; one that a pack gave endings of its own still takes the usual ones.
    usual = folder_paths.supported_pt_extensions if endings else ()
    return Folders(kind, lambda path: folder_paths.get_full_path(kind, path), {*endings, *usual})


def load_checkpoint(path: str) -> tuple[Any, Any, Any]:
    """Load a checkpoint: model, text encoder and VAE."""
    import comfy.sd  # pyright: ignore[reportMissingImports]
    import folder_paths  # pyright: ignore[reportMissingImports]

    model, clip, vae, *_ = comfy.sd.load_checkpoint_guess_config(
        path, output_vae=True, output_clip=True, embedding_directory=folder_paths.get_folder_paths("embeddings")
    )
    return model, clip, vae


def apply_loras(
    model: Any, clip: Any, found: Sequence[tuple[Lora, str]], node: str, shelf: Shelf[Weights]
) -> tuple[Any, Any]:
    """Apply LoRAs one after the other, in order, each with its own strengths."""
    import comfy.sd  # pyright: ignore[reportMissingImports]

    loaded = shelf.take(node, [Stamp.of(path) for _, path in found], _load_weights)
    for (lora, _), weights in zip(found, loaded, strict=True):
        model, clip = comfy.sd.load_lora_for_models(model, clip, weights, lora.strength_model, lora.strength_clip)
    return model, clip


def _load_weights(stamp: Stamp) -> Weights:
    import comfy.utils  # pyright: ignore[reportMissingImports]

    return comfy.utils.load_torch_file(stamp.path, safe_load=True)
