"""Checkpoints and LoRAs small enough for a test, and whole enough for ComfyUI: made by the standard library alone.

The checkpoint is a Stable Diffusion 1.5 of one level, with a tiny VAE. Most of its numbers are 0, and holes in the
file: of 300 MB some 5 are on the disk.
"""

import json
import math
import random
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

WIDTH, TIME, TEXT = 320, 1280, 768
RANK = 4
Shape = tuple[int, ...]
Tensor = tuple[Shape, bytes | None]  # half precision; without bytes all 0


# The way of a picture past all that is 0.
_THROUGH = ("input_blocks.0.0", "output_blocks.0.0.skip_connection", "output_blocks.1.0.skip_connection", "out.2")


@dataclass(frozen=True)
class Layer:
    """What a LoRA changes: a layer by the name that trainers give it, its sides, and that of its kernel, if any."""

    name: str
    gives: int
    takes: int
    kernel: int = 0

    def shapes(self) -> tuple[tuple[str, Shape], tuple[str, Shape]]:
        """Give the shapes of the two matrices."""
        inner, outer = ((self.kernel,) * 2, (1, 1)) if self.kernel else ((), ())
        return ("lora_up", (self.gives, RANK, *outer)), ("lora_down", (RANK, self.takes, *inner))


UNET_LAYER = Layer("lora_unet_input_blocks_1_1_transformer_blocks_0_attn1_to_q", WIDTH, WIDTH)
LAST_LAYER = Layer("lora_unet_out_2", 4, WIDTH, kernel=3)  # the one that a picture shows
TEXT_LAYER = Layer("lora_te_text_model_encoder_layers_0_mlp_fc1", 3072, TEXT)


def write_checkpoint(path: Path, seed: int = 1) -> Path:
    """Write a checkpoint; another seed gives other pictures."""
    tensors = dict(_zeros(_unet(), "model.diffusion_model."))
    tensors |= _zeros(_text_encoder(), "cond_stage_model.transformer.text_model.")
    noise = random.Random(seed)  # noqa: S311 - the same at each run
    tensors |= {f"first_stage_model.{name}": (shape, _noise(noise, shape)) for name, shape in _vae()}
    # A picture around a middle grey, not a black one.
    tensors[f"first_stage_model.taesd_decoder.{len(_DECODER) - 1}.bias"] = ((3,), _filled(0.5, (3,)))
    tensors["first_stage_model.vae_scale"] = ((), struct.pack("<e", 1))
    tensors["first_stage_model.vae_shift"] = ((), None)
    for name in _THROUGH:
        full = f"model.diffusion_model.{name}.weight"
        tensors[full] = (tensors[full][0], _noise(noise, tensors[full][0]))
    tensors["model.diffusion_model.out.0.weight"] = ((WIDTH,), _filled(1.0, (WIDTH,)))
    return write(path, tensors)


def write_lora(path: Path, value: float = 0.01, layers: tuple[Layer, ...] = (UNET_LAYER, TEXT_LAYER)) -> Path:
    """Write a LoRA; by the one value in its matrices a test knows it again."""
    tensors: dict[str, Tensor] = {}
    for layer in layers:
        for half, shape in layer.shapes():
            tensors[f"{layer.name}.{half}.weight"] = (shape, _filled(value, shape))
        tensors[f"{layer.name}.alpha"] = ((), struct.pack("<e", RANK))
    return write(path, tensors, {"ss_output_name": path.stem, "ss_network_dim": str(RANK)})


def write(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None) -> Path:
    """Write a safetensors file; what is all 0 is a hole."""
    header: dict[str, object] = {"__metadata__": dict(metadata)} if metadata else {}
    end = 0
    for name, (shape, _) in tensors.items():
        begin, end = end, end + 2 * math.prod(shape)
        header[name] = {"dtype": "F16", "shape": list(shape), "data_offsets": [begin, end]}
    said = json.dumps(header).encode()
    said += b" " * (-len(said) % 8)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(said)) + said)
        for shape, content in tensors.values():
            file.write(content) if content is not None else file.seek(2 * math.prod(shape), 1)
        file.truncate(8 + len(said) + end)
    return path


def _noise(noise: random.Random, shape: Shape) -> bytes:
    """Give numbers as a new network has them: small, by how many each layer adds up."""
    bound = 1 / math.sqrt(math.prod(shape[1:]) or shape[0])
    numbers = [struct.pack("<e", noise.uniform(-bound, bound)) for _ in range(256)]
    return b"".join([numbers[byte] for byte in noise.randbytes(math.prod(shape))])


def _filled(value: float, shape: Shape) -> bytes:
    return struct.pack("<e", value) * math.prod(shape)


def _zeros(shapes: Iterator[tuple[str, Shape]], prefix: str) -> Iterator[tuple[str, Tensor]]:
    return ((prefix + name, (shape, None)) for name, shape in shapes)


def _weight_and_bias(name: str, *shape: int) -> Iterator[tuple[str, Shape]]:
    yield f"{name}.weight", shape
    yield f"{name}.bias", shape[:1]


def _unet() -> Iterator[tuple[str, Shape]]:
    yield from _weight_and_bias("time_embed.0", TIME, WIDTH)
    yield from _weight_and_bias("time_embed.2", TIME, TIME)
    yield from _weight_and_bias("input_blocks.0.0", WIDTH, 4, 3, 3)
    for place, takes in (("input_blocks.1", WIDTH), ("output_blocks.0", 2 * WIDTH), ("output_blocks.1", 2 * WIDTH)):
        yield from _residual(f"{place}.0", takes)
        yield from _transformer(f"{place}.1")
    yield from _residual("middle_block.0", WIDTH)
    yield from _transformer("middle_block.1")
    yield from _residual("middle_block.2", WIDTH)
    yield from _weight_and_bias("out.0", WIDTH)
    yield from _weight_and_bias("out.2", 4, WIDTH, 3, 3)


def _residual(name: str, takes: int) -> Iterator[tuple[str, Shape]]:
    yield from _weight_and_bias(f"{name}.in_layers.0", takes)
    yield from _weight_and_bias(f"{name}.in_layers.2", WIDTH, takes, 3, 3)
    yield from _weight_and_bias(f"{name}.emb_layers.1", WIDTH, TIME)
    yield from _weight_and_bias(f"{name}.out_layers.0", WIDTH)
    yield from _weight_and_bias(f"{name}.out_layers.3", WIDTH, WIDTH, 3, 3)
    if takes != WIDTH:
        yield from _weight_and_bias(f"{name}.skip_connection", WIDTH, takes, 1, 1)


def _transformer(name: str) -> Iterator[tuple[str, Shape]]:
    yield from _weight_and_bias(f"{name}.norm", WIDTH)
    yield from _weight_and_bias(f"{name}.proj_in", WIDTH, WIDTH, 1, 1)
    yield from _weight_and_bias(f"{name}.proj_out", WIDTH, WIDTH, 1, 1)
    block = f"{name}.transformer_blocks.0"
    for number, context in ((1, WIDTH), (2, TEXT)):
        yield f"{block}.attn{number}.to_q.weight", (WIDTH, WIDTH)
        yield f"{block}.attn{number}.to_k.weight", (WIDTH, context)
        yield f"{block}.attn{number}.to_v.weight", (WIDTH, context)
        yield from _weight_and_bias(f"{block}.attn{number}.to_out.0", WIDTH, WIDTH)
    for number in (1, 2, 3):
        yield from _weight_and_bias(f"{block}.norm{number}", WIDTH)
    yield from _weight_and_bias(f"{block}.ff.net.0.proj", 8 * WIDTH, WIDTH)
    yield from _weight_and_bias(f"{block}.ff.net.2", WIDTH, 4 * WIDTH)


def _text_encoder() -> Iterator[tuple[str, Shape]]:
    yield "embeddings.token_embedding.weight", (49408, TEXT)
    yield "embeddings.position_embedding.weight", (77, TEXT)
    for number in range(12):
        layer = f"encoder.layers.{number}"
        for name in ("layer_norm1", "layer_norm2"):
            yield from _weight_and_bias(f"{layer}.{name}", TEXT)
        for name in ("q_proj", "k_proj", "v_proj", "out_proj"):
            yield from _weight_and_bias(f"{layer}.self_attn.{name}", TEXT, TEXT)
        yield from _weight_and_bias(f"{layer}.mlp.fc1", 3072, TEXT)
        yield from _weight_and_bias(f"{layer}.mlp.fc2", TEXT, 3072)
    yield from _weight_and_bias("final_layer_norm", TEXT)


# The layers of the tiny autoencoder, by their numbers; a block is three convolutions of 64.
_ENCODER = ("in", *"bnbbbnbbbnbbb", "out")
_DECODER = ("", "out", "", *"bbb", "", "n", *"bbb", "", "n", *"bbb", "", "n", "b", "colours")


def _vae() -> Iterator[tuple[str, Shape]]:
    plain = {"in": (64, 3, 3, 3), "n": (64, 64, 3, 3), "colours": (3, 64, 3, 3)}
    for half, layers, latent in (("encoder", _ENCODER, (4, 64, 3, 3)), ("decoder", _DECODER, (64, 4, 3, 3))):
        for number, layer in enumerate(layers):
            name = f"taesd_{half}.{number}"
            if layer == "b":
                for part in (0, 2, 4):
                    yield from _weight_and_bias(f"{name}.conv.{part}", 64, 64, 3, 3)
            elif layer == "n":
                yield f"{name}.weight", plain[layer]
            elif layer:
                yield from _weight_and_bias(name, *(latent if layer == "out" else plain[layer]))
