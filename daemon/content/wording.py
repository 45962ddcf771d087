"""What a header tells, in words for a person."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

_WORDS_SHOWN = 12
_GLOBALS_SHOWN = 3
_LONGEST = 200
_EVIDENCE = {"tensors": "by its tensors", "metadata": "by its metadata"}
_PARTS = {
    "diffusion_model": "diffusion model",
    "vae": "VAE",
    "text_encoder": "text encoder",
    "clip_vision": "CLIP vision encoder",
    "controlnet": "ControlNet",
    "t2i_adapter": "T2I adapter",
    "ip_adapter": "IP adapter",
    "upscale_model": "upscaler",
    "style_model": "style model",
    "gligen": "GLIGEN",
}
_TARGETS = {
    "unet": "UNet",
    "text_encoder": "text encoder",
    "text_encoder_2": "text encoder 2",
    "text_encoder_3": "text encoder 3",
}
_TRAINING = (
    ("trained on", "ss_sd_model_name"),
    ("steps", "ss_steps"),
    ("epochs", "ss_num_epochs"),
    ("training pictures", "ss_num_train_images"),
    ("resolution", "ss_resolution"),
    ("CLIP skip", "ss_clip_skip"),
    ("training note", "ss_training_comment"),
)
_MODELSPEC = (("title", "title"), ("author", "author"), ("license", "license"), ("usage", "usage_hint"))


class _Word(msgspec.Struct):
    word: str
    count: int


class _Adapter(msgspec.Struct):
    kind: str
    rank: int | None = None
    ranks: list[int] = []
    conv_ranks: list[int] = []
    alpha: float | None = None
    targets: list[str] = []


class _Facts(msgspec.Struct):
    base_model: str | None = None
    evidence: str | None = None
    part: str | None = None
    precision: str | None = None
    parameters: int = 0
    adapter: _Adapter | None = None
    trained_words: list[_Word] = []
    modelspec: dict[str, str] = {}
    training: dict[str, str] = {}


class _Header(msgspec.Struct):
    facts: _Facts = msgspec.field(default_factory=_Facts)
    problem: str | None = None
    pickle_globals: list[str] = []


def in_words(header: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Give titles and texts of what a header tells: of an event's header, or of its `facts` alone.

    Nothing is given where it is of no form that this version knows, as what other programs wrote may be.
    """
    try:
        told = msgspec.convert(header if "facts" in header or "format" in header else {"facts": header}, _Header)
    except msgspec.ValidationError:
        return
    facts = told.facts
    lines = (
        ("base model", _base_model(facts)),
        ("part", _part(facts.part)),
        ("kind", _kind(facts.adapter)),
        ("precision", _precision(facts)),
        ("trained words", _words(facts.trained_words)),
        *((title, _line(facts.modelspec.get(key, ""))) for title, key in _MODELSPEC),
        *((title, _line(facts.training.get(key, ""))) for title, key in _TRAINING),
        ("problem", f"it {told.problem}" if told.problem else ""),
        ("warning", _warning(told.pickle_globals)),
    )
    yield from ((title, text) for title, text in lines if text)


def _base_model(facts: _Facts) -> str:
    evidence = _EVIDENCE.get(facts.evidence or "")
    return f"{facts.base_model} ({evidence})" if facts.base_model and evidence else facts.base_model or ""


def _part(part: str | None) -> str:
    return "" if part is None or part == "adapter" else _PARTS.get(part, part.replace("_", " "))


def _kind(adapter: _Adapter | None) -> str:
    """Say what an adapter is: `LoRA, rank 32, alpha 16, for UNet and text encoder`."""
    if adapter is None:
        return ""
    ranks = adapter.ranks or ([adapter.rank] if adapter.rank is not None else [])
    targets = [_TARGETS.get(target, target) for target in adapter.targets]
    parts = (
        adapter.kind,
        f"rank {_span(ranks)}" if ranks else "",
        f"rank {_span(adapter.conv_ranks)} of convolutions" if adapter.conv_ranks else "",
        f"alpha {adapter.alpha:g}" if adapter.alpha is not None else "",
        f"for {_listed(targets)}" if targets else "",
    )
    return ", ".join(part for part in parts if part)


def _span(ranks: Sequence[int]) -> str:
    return str(ranks[0]) if len(ranks) == 1 else f"{ranks[0]} to {ranks[-1]}"


def _listed(words: Sequence[str]) -> str:
    return " and ".join(part for part in (", ".join(words[:-1]), words[-1]) if part)


def _precision(facts: _Facts) -> str:
    """Say how precise and how many the numbers are: `fp16, 114 million parameters`."""
    counted = f"{_rounded(facts.parameters)} parameters" if facts.parameters > 0 else ""
    return ", ".join(part for part in (facts.precision or "", counted) if part)


def _rounded(number: int) -> str:
    """Give a number with three digits, and the word for its size."""
    for size, word in ((10**9, "billion"), (10**6, "million")):
        if number >= size * 0.9995:
            shown = number / size
            return f"{shown:.3g} {word}" if shown < 999.5 else f"{shown:,.0f} {word}"
    return f"{number:,}"


def _words(words: Sequence[_Word]) -> str:
    """Say which words it was trained with, and how often: `mychar (30), 1girl (28), and 12 more`."""
    shown = [f"{word.word} ({word.count:,})" for word in words[:_WORDS_SHOWN]]
    more = len(words) - len(shown)
    return ", ".join([*shown, f"and {more} more"] if more else shown)


def _line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"


def _warning(names: Sequence[str]) -> str:
    """Say that to load the file would run code, and whose."""
    if not names:
        return ""
    more = len(names) - _GLOBALS_SHOWN
    asked = ", ".join(names[:_GLOBALS_SHOWN]) + (f" and {more} more" if more > 0 else "")
    return f"it asks for {asked}; loading it would run code: look for a .safetensors of it"
