"""Lists of tensors as the files of many model families have them, from compact specs."""

import re
from collections.abc import Callable, Iterable, Iterator

from hikaze.daemon.content.header import Tensor

_RANGE = re.compile(r"\{(\d+)-(\d+)\}|\{([\w,.]+)\}")


def listed(spec: str, prefix: str = "", dtype: str = "BF16") -> list[Tensor]:
    """Make tensors of lines `name shape`, as in `blocks.{0-3}.attn.{q,k}.weight 1536x4096`; `-` is a single number."""
    lines = (line.strip() for line in spec.splitlines())
    return [tensor for line in lines if line for tensor in _line(line, prefix, dtype)]


def _line(line: str, prefix: str, dtype: str) -> Iterator[Tensor]:
    name, _, shape = line.rpartition(" ")
    lengths = tuple(int(length) for length in shape.split("x")) if shape != "-" else ()
    for full in _expanded(name):
        yield Tensor(prefix + full, dtype, lengths)


def _expanded(name: str) -> Iterator[str]:
    found = _RANGE.search(name)
    if found is None:
        yield name
        return
    first, last, listing = found.groups()
    choices: Iterable[object] = listing.split(",") if listing else range(int(first), int(last) + 1)
    for choice in choices:
        yield from _expanded(name[: found.start()] + str(choice) + name[found.end() :])


def without(tensors: Iterable[Tensor], *fragments: str) -> list[Tensor]:
    """Leave out the tensors whose names hold one of these."""
    return [tensor for tensor in tensors if not any(fragment in tensor.name for fragment in fragments)]


def matrices(layers: str, style: str = "kohya", rank: int = 16) -> list[Tensor]:
    """Make an adapter's matrices for layers given as lines `layer GIVESxTAKES`, in the way one trainer writes them."""
    made: list[Tensor] = []
    for tensor in listed(layers):
        gives, takes = tensor.shape[:2]
        made.extend(Tensor(name, "F16", shape) for name, shape in _STYLES[style](tensor.name, gives, takes, rank))
    return made


Named = list[tuple[str, tuple[int, ...]]]
Writer = Callable[[str, int, int, int], Named]


def _kohya(layer: str, gives: int, takes: int, rank: int) -> Named:
    return _flat("lora_unet_")(layer, gives, takes, rank)


def _flat(prefix: str) -> Writer:
    def write(layer: str, gives: int, takes: int, rank: int) -> Named:
        flat = ("" if layer.startswith("lora_") else prefix) + layer.replace(".", "_")
        return [
            (f"{flat}.alpha", ()),
            (f"{flat}.lora_down.weight", (rank, takes)),
            (f"{flat}.lora_up.weight", (gives, rank)),
        ]

    return write


def _dotted(prefix: str, down: str, up: str) -> Writer:
    def write(layer: str, gives: int, takes: int, rank: int) -> Named:
        return [(f"{prefix}{layer}{down}", (rank, takes)), (f"{prefix}{layer}{up}", (gives, rank))]

    return write


def _loha(layer: str, gives: int, takes: int, rank: int) -> Named:
    flat = "lora_unet_" + layer.replace(".", "_")
    pairs = (("w1_a", (gives, rank)), ("w1_b", (rank, takes)), ("w2_a", (gives, rank)), ("w2_b", (rank, takes)))
    return [(f"{flat}.alpha", ()), *((f"{flat}.hada_{end}", shape) for end, shape in pairs)]


def _lokr(layer: str, gives: int, takes: int, rank: int) -> Named:
    flat = "lycoris_" + layer.replace(".", "_")
    whole = [(f"{flat}.lokr_w1", (8, 8)), (f"{flat}.lokr_w2", (gives // 8, takes // 8))]
    return [(f"{flat}.alpha", ()), *whole] if rank else whole


def _lokr_parted(layer: str, gives: int, takes: int, rank: int) -> Named:
    flat = "lora_unet_" + layer.replace(".", "_")
    return [
        (f"{flat}.lokr_w1", (16, 16)),
        (f"{flat}.lokr_w2_a", (gives // 16, rank)),
        (f"{flat}.lokr_w2_b", (rank, takes // 16)),
    ]


def _dora(layer: str, gives: int, takes: int, rank: int) -> Named:
    flat = "lora_unet_" + layer.replace(".", "_")
    return [*_kohya(layer, gives, takes, rank), (f"{flat}.dora_scale", (gives, 1))]


_STYLES: dict[str, Writer] = {
    "kohya": _kohya,
    "onetrainer": _flat("lora_transformer_"),
    "diffusers": _dotted("unet.", ".lora_A.weight", ".lora_B.weight"),
    "old diffusers": _dotted("unet.", ".lora.down.weight", ".lora.up.weight"),
    "processor": _dotted("unet.", "_lora.down.weight", "_lora.up.weight"),
    "transformer": _dotted("transformer.", ".lora_A.weight", ".lora_B.weight"),
    "diffusion_model": _dotted("diffusion_model.", ".lora_A.weight", ".lora_B.weight"),
    "old diffusion_model": _dotted("diffusion_model.", ".lora_down.weight", ".lora_up.weight"),
    "peft": _dotted("base_model.model.", ".lora_A.weight", ".lora_B.weight"),
    "peft default": _dotted("", ".lora_A.default.weight", ".lora_B.default.weight"),
    "bare": _dotted("", ".lora_A.weight", ".lora_B.weight"),
    "loha": _loha,
    "lokr": _lokr,
    "lokr parted": _lokr_parted,
    "dora": _dora,
    "cascade": _flat("lora_prior_unet_"),
    "xlabs": _dotted("", ".down.weight", ".up.weight"),
}
