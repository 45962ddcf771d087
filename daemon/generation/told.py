"""What a picture tells of how it was made, and the sheet on which the readers of the formats collect it."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

MAX_TEXT = 100_000
"""The most characters of a prompt: as many as a model's own prompt may have."""
MAX_LINE = 500
"""The most characters of a name."""
MAX_REFERENCES = 200
"""The most files that one picture refers to; a stack of LoRAs has some dozens."""
MOST_SEED = 2**64 - 1

_MODEL_FILE = re.compile(r"\.(?:safetensors|sft|ckpt|pt|pt2|pth|bin|gguf|onnx|pkl)\Z", re.IGNORECASE)
_DIGITS = re.compile(r"\d{1,20}(?:\.0{1,9})?")
_HEX = re.compile(r"[0-9a-f]{8,64}")


class Reference(msgspec.Struct, frozen=True):
    """A file that was used: of which kind (a type as ComfyUI calls it), and by which name.

    `hash` is lower-case hexadecimal, often a beginning only; `hash_kind` says which hash it is where the format
    does: sha256, autov1, autov2, autov3, blake3, crc32, or `tensors` (the SHA-256 of a file behind its header).
    """

    kind: str
    name: str
    hash: str | None = None
    hash_kind: str | None = None
    weight: float | None = None


class Generation(msgspec.Struct, frozen=True):
    """How a picture was made, as far as its texts tell; None (and an empty prompt) where they do not.

    `seed` is below 2**64. `size` is (width, height) of what the sampler made, in pixels, before any upscaling.
    `model` is the name of the main model as it is written. `source` is whose form the texts have. `problem` says in
    a sentence why not all could be read.
    """

    positive: str = ""
    negative: str = ""
    seed: int | None = None
    sampler: str | None = None
    scheduler: str | None = None
    steps: int | None = None
    cfg: float | None = None
    size: tuple[int, int] | None = None
    denoise: float | None = None
    clip_skip: int | None = None
    model: str | None = None
    references: tuple[Reference, ...] = ()
    source: str | None = None
    problem: str | None = None


# Values, each made what is wanted of it, or None ------------------------------------------------------


def text_of(value: object) -> str:
    """Give a text as it is kept: clean, stripped, of at most `MAX_TEXT` characters; empty where it is none."""
    return cleaned(value, MAX_TEXT) if isinstance(value, str) else ""


def line_of(value: object) -> str | None:
    """Give a text of one line, None where it is none or empty."""
    if not isinstance(value, str):
        return None
    return " ".join(cleaned(value, 4 * MAX_LINE).split())[:MAX_LINE].strip() or None


def cleaned(text: str, most: int) -> str:
    """Give a text without NUL and lone surrogates, neither of which SQLite and JSON take."""
    cut = text[: most + 1_000].replace("\0", "").replace("\r\n", "\n").strip()[:most].rstrip()
    return cut.encode("utf-8", "replace").decode()


def number_of(value: object) -> float | None:
    """Give a finite number, also one that is written as text."""
    if isinstance(value, str):
        value = value.strip()
        if len(value) > 40 or not value.isascii():
            return None
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if isinstance(value, int) and abs(value) > 2**64:
        return None
    return float(value) if math.isfinite(value) else None


def whole_of(value: object, most: int = 2**31) -> int | None:
    """Give a whole number from 0 to `most`, also one that is written as text or as a float."""
    if isinstance(value, str):
        value = value.strip()
        if not _DIGITS.fullmatch(value) or not value.isascii():
            return None
        value = int(value.partition(".")[0])  # not through a float: a seed has more digits than one keeps
    if isinstance(value, float):
        if not value.is_integer() or abs(value) > 2**64:
            return None
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 <= value <= most else None


def seed_of(value: object) -> int | None:
    """Give a seed: a whole number below 2**64; -1, which asks for a random one, is none."""
    return whole_of(value, MOST_SEED)


def size_of(width: object, height: object) -> tuple[int, int] | None:
    """Give a size in pixels where both sides make sense."""
    sides = whole_of(width, 100_000), whole_of(height, 100_000)
    return (sides[0], sides[1]) if sides[0] and sides[1] else None


def hash_of(value: object) -> str | None:
    """Give a hash of 8 to 64 hexadecimal digits in lower case, without what some programs write before it."""
    if not isinstance(value, str):
        return None
    text = value.strip().lower().removeprefix("0x")
    return text if _HEX.fullmatch(text) else None


def file_stem(name: str) -> str:
    """Give the name of a file without folders and ending, in lower case, to compare it."""
    return _MODEL_FILE.sub("", name.replace("\\", "/").rpartition("/")[2]).lower()


def without_ending(name: str) -> str:
    """Give a file's name without a model file's ending."""
    return _MODEL_FILE.sub("", name)


# The sheet --------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Draft:
    """What a reader has found so far. The first value given for a field is kept."""

    source: str | None = None
    positive: str = ""
    negative: str = ""
    facts: dict[str, object] = field(default_factory=dict[str, object])
    references: dict[tuple[str, str], Reference] = field(default_factory=dict[tuple[str, str], Reference])
    problem: str | None = None
    looked_through: set[str] = field(default_factory=set[str])

    def tell(self, **facts: object) -> None:
        """Keep values (`seed`, `steps`, ...) that are not None, unless the field has one."""
        for name, value in facts.items():
            if value is not None:
                self.facts.setdefault(name, value)

    def prompts(self, positive: object, negative: object) -> None:
        """Keep prompts, unless there are such."""
        self.positive = self.positive or text_of(positive)
        self.negative = self.negative or text_of(negative)

    def refer(
        self, kind: str, name: object, *, weight: float | None = None, hash_: str | None = None, is_a: str | None = None
    ) -> None:
        """Keep a file that was used; what is told of one file in several places is put together."""
        line = line_of(name)
        if line is None or line.lower() in {"none", "automatic", "baked vae"}:
            if hash_ is None:
                return
            line = ""
        key = kind, file_stem(line) or f"#{hash_}"
        known = self.references.get(key)
        if known is None and len(self.references) >= MAX_REFERENCES:
            self.problem = self.problem or f"it refers to more than {MAX_REFERENCES} files; the others are left out"
            return
        self.references[key] = Reference(
            kind,
            line if known is None else known.name,
            hash_ if known is None or known.hash is None else known.hash,
            is_a if known is None or known.hash is None else known.hash_kind,
            weight if known is None or known.weight is None else known.weight,
        )

    def has(self, kind: str) -> bool:
        """Tell whether a file of a kind is referred to."""
        return any(known == kind for known, _stem in self.references)

    def generation(self) -> Generation:
        """Give what was found."""
        told: Mapping[str, object] = {
            "positive": self.positive,
            "negative": self.negative,
            "references": tuple(self.references.values()),
            "source": self.source,
            "problem": self.problem,
        }
        return msgspec.convert(told | self.facts, Generation)


def united(first: Generation, second: Generation) -> Generation:
    """Give what two texts of one picture tell: the first has the say, the second fills what it leaves open."""
    draft = Draft(first.source or second.source, problem=first.problem or second.problem)
    for told in (first, second):
        for one in told.references:
            draft.refer(one.kind, one.name, weight=one.weight, hash_=one.hash, is_a=one.hash_kind)
    draft.prompts(first.positive, first.negative)
    if not first.positive:
        draft.prompts(second.positive, second.negative)
    for told in (first, second):
        fields = ("seed", "sampler", "scheduler", "steps", "cfg", "size", "denoise", "clip_skip", "model")
        draft.tell(**{name: getattr(told, name) for name in fields})
    return draft.generation()
