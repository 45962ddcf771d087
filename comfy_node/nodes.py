"""The two loader nodes, as ComfyUI's V3 schema has them. They run from paths alone, and contact nobody."""

import asyncio
from collections.abc import Callable
from typing import Any, ClassVar

from comfy_api.latest import io  # pyright: ignore[reportMissingImports] - ComfyUI has it

from .finding import Refusal, find_checkpoint, find_loras, fingerprint
from .keeping import Shelves
from .loading import Weights, apply_loras, folders_of, load_checkpoint
from .payload import Lora, PayloadError, read_checkpoint, read_loras

PAYLOAD = "hikaze_payload"
WIDGET = "HK_PAYLOAD"  # which our part of the page draws; web/src/comfy/widget.ts has the same
CATEGORY = "Hikaze"


class PayloadInput(io.String.Input):
    """A text for the API and for validation, and a widget of our own for the page."""

    def as_dict(self) -> dict[str, Any]:
        """Describe the input, as ComfyUI sends it to the page."""
        return super().as_dict() | {"widgetType": WIDGET}


def payload_input(default: str) -> PayloadInput:
    """Make the one input of our own; without a tooltip, which would lie over the face."""
    # ComfyUI would take {a|b} out of texts with dynamic prompts.
    return PayloadInput(PAYLOAD, default=default, multiline=False, dynamic_prompts=False)


class HikazeCheckpointLoader(io.ComfyNode):
    """Loads the checkpoint at a path."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Describe the node to ComfyUI."""
        return io.Schema(
            node_id="HikazeCheckpointLoader",
            display_name="Hikaze Checkpoint Loader",
            category=CATEGORY,
            description="Loads a checkpoint that you choose in Hikaze's library.",
            inputs=[payload_input('{"ckpt_path": ""}')],
            outputs=[
                io.Model.Output(display_name="MODEL", tooltip="The diffusion model."),
                io.Clip.Output(display_name="CLIP", tooltip="The text encoder."),
                io.Vae.Output(display_name="VAE", tooltip="The VAE, for pictures to and from latent space."),
            ],
        )

    @classmethod
    async def validate_inputs(cls, hikaze_payload: str | None = None) -> bool | str:
        """Refuse what could not be loaded, before anything runs."""
        return await _validated(_check_checkpoint, hikaze_payload)

    @classmethod
    def fingerprint_inputs(cls, hikaze_payload: str | None = None) -> str:
        """Tell whether the file behind the path is another one now."""
        return _fingerprint(lambda: [read_checkpoint(hikaze_payload or "")], "checkpoints")

    @classmethod
    def execute(cls, hikaze_payload: str) -> io.NodeOutput:
        """Load the checkpoint."""
        return io.NodeOutput(*load_checkpoint(_check_checkpoint(hikaze_payload)))


class HikazeLoraPowerLoader(io.ComfyNode):
    """Applies a list of LoRAs, in order, each with its own strengths."""

    shelves: ClassVar[Shelves[Weights]] = Shelves()

    def __init__(self) -> None:
        """Hold what the nodes of this class loaded, for as long as ComfyUI keeps one of their objects."""
        super().__init__()
        self.shelf = self.shelves.hold(self)

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Describe the node to ComfyUI."""
        return io.Schema(
            node_id="HikazeLoraPowerLoader",
            display_name="Hikaze LoRA Power Loader",
            category=CATEGORY,
            description="Applies the LoRAs that you choose in Hikaze's library, in order, each with its own strengths.",
            inputs=[
                io.Model.Input("model", tooltip="The diffusion model that the LoRAs are applied to."),
                io.Clip.Input("clip", tooltip="The text encoder that the LoRAs are applied to."),
                payload_input('{"version": 2, "LoRAs": []}'),
            ],
            outputs=[
                io.Model.Output(display_name="MODEL", tooltip="The diffusion model with the LoRAs."),
                io.Clip.Output(display_name="CLIP", tooltip="The text encoder with the LoRAs."),
            ],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    async def validate_inputs(cls, hikaze_payload: str | None = None) -> bool | str:
        """Refuse what could not be loaded, before anything runs."""
        return await _validated(_check_loras, hikaze_payload)

    @classmethod
    def fingerprint_inputs(cls, hikaze_payload: str | None = None, **_: object) -> str:
        """Tell whether a file behind a path is another one now."""
        return _fingerprint(lambda: [lora.path for lora in read_loras(hikaze_payload or "") if lora.works], "loras")

    @classmethod
    def execute(cls, model: Any, clip: Any, hikaze_payload: str) -> io.NodeOutput:
        """Apply the LoRAs that are on and have a strength."""
        found = _check_loras(hikaze_payload)
        return io.NodeOutput(*apply_loras(model, clip, found, str(cls.hidden.unique_id), cls.shelves.now()))


def _check_checkpoint(payload: str) -> str:
    return find_checkpoint(read_checkpoint(payload), folders_of("checkpoints"))


def _check_loras(payload: str) -> list[tuple[Lora, str]]:
    return find_loras(read_loras(payload), folders_of("loras"))


async def _validated(check: Callable[[str], object], payload: str | None) -> bool | str:
    if payload is None:
        return True  # another node will give it: what it says is known in the run only
    try:
        # A disk that hangs must not hold up ComfyUI's server.
        await asyncio.to_thread(check, payload)
    except (PayloadError, Refusal) as refusal:
        return str(refusal)
    return True


def _fingerprint(read: Callable[[], list[str]], kind: str) -> str:
    try:
        return fingerprint(read(), folders_of(kind))
    except PayloadError:
        return ""
