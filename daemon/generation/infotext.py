"""The text that AUTOMATIC1111's web UI writes into a picture, and all that write the same way.

A prompt over any number of lines, `Negative prompt:` with more of them, and a last line of `Key: value` pairs that
begins with `Steps:`. Learned from modules/infotext_utils.py of https://github.com/AUTOMATIC1111/stable-diffusion-webui,
modules/processing_info.py of https://github.com/vladmandic/sdnext, and what https://civitai.com puts into pictures.
"""

import json
import re
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from .told import (
    MAX_LINE,
    MAX_REFERENCES,
    Draft,
    Generation,
    hash_of,
    line_of,
    number_of,
    seed_of,
    size_of,
    text_of,
    whole_of,
)
from .urns import kind_of_urn, kind_of_word

MOST_PAIRS = 1_000
"""Pairs that are read of the last line; the longest seen, with ten of ADetailer's units, has about 200."""

# The line of settings begins with `Steps`; a prompt may hold the word, so something must follow it.
_SETTINGS = re.compile(r"^[ \t]*Steps: ?\d+ *(?:,|$)", re.MULTILINE)
_SETTINGS_INSIDE = re.compile(r"\bSteps: ?\d+, *(?:Sampler|CFG scale|Seed|Size|Schedule type|Model)\b")
_OTHER_SETTINGS = re.compile(
    r"^[ \t]*(?:Sampler|Seed|Size|CFG scale|Model hash): [^\n]*\b(?:Sampler|Seed|Size): ", re.MULTILINE
)
_NEGATIVE = re.compile(r"^[ \t]*Negative prompt: ?", re.MULTILINE)
_NEGATIVE_INSIDE = re.compile(r"(?:^|\s)Negative prompt: ?")
# Possessive, and bounded: a text made for it must not have them try every way to split a megabyte of blanks.
_BETWEEN = re.compile(r"[ \t,\n]*+")
_KEY = re.compile(r"([^\W_][\w \-/()+.']{0,60}?) {0,9}: *+")
_VALUE = re.compile(r"[^,\n]*")
_END_OF_PAIR = re.compile(r"[,\n]")
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*+"', re.DOTALL)
_SIZE = re.compile(r"(\d{1,6})\s*[xX]\s*(\d{1,6})")
_NETWORK = re.compile(r"<(lora|lyco|hypernet):([^:<>\n]{1,300})((?::[^:<>\n]{0,40}){0,8})>", re.IGNORECASE)
_WITH_HASH = re.compile(r"(.{1,300}?)\s*\[([0-9a-fA-F]{8,64})\]")

_KINDS = {"lora": "loras", "lyco": "loras", "hypernet": "hypernetworks"}
_HASHED_KINDS = {"lora": "loras", "lyco": "loras", "embed": "embeddings", "hypernet": "hypernetworks", "vae": "vae"}
_JSON = json.JSONDecoder(strict=False)


def is_infotext(text: str) -> bool:
    """Tell whether a text has the line of settings, or at least a negative prompt."""
    return _settings_at(text) is not None or _NEGATIVE.search(text) is not None


def read_infotext(text: str) -> Generation:
    """Give what such a text says. It never raises; what is broken off is told in `problem`."""
    draft = Draft()
    at = _settings_at(text)
    positive, negative = _prompts(text if at is None else text[:at])
    pairs, broken = _pairs("" if at is None else text[at:])
    draft.source = _source(pairs)
    draft.prompts(positive, negative)
    _tell(draft, pairs)
    _refer(draft, pairs)
    if at is None:
        draft.problem = "its line of settings is missing"
    elif broken:
        draft.problem = f"its settings are broken off at {broken!r}"
    return draft.generation()


def networks_in(draft: Draft, prompt: str) -> None:
    """Refer to what a prompt loads by `<lora:name:weight>` and the like."""
    for found in _NETWORK.finditer(prompt):
        draft.refer(_KINDS[found[1].lower()], found[2], weight=_weight(found[3]))


def _weight(parts: str) -> float | None:
    """Give the first of the weights behind a network's name; some are named (`te=0.5`, `unet=1`)."""
    numbers = [number_of(part.rpartition("=")[2]) for part in parts.split(":")]
    return next((number for number in numbers if number is not None), None)


def _settings_at(text: str) -> int | None:
    """Give where the settings begin: at the last line that looks so, else within a line, else None."""
    for pattern in (_SETTINGS, _SETTINGS_INSIDE, _OTHER_SETTINGS):
        found = [match.start() for match in pattern.finditer(text)]
        if found:
            return found[-1]
    return None


def _prompts(text: str) -> tuple[str, str]:
    split = _NEGATIVE.search(text) or _NEGATIVE_INSIDE.search(text)
    if split is None:
        return text, ""
    return text[: split.start()], text[split.end() :]


def _pairs(text: str) -> tuple[dict[str, Any], str]:
    """Give the settings by their keys, and the key at which they are broken off."""
    pairs: dict[str, Any] = {}
    broken = ""
    for key, value, is_whole in islice(_scan(text), MOST_PAIRS):
        pairs.setdefault(key, value)
        broken = broken or ("" if is_whole else key)
    return pairs, broken


def _scan(text: str) -> Iterator[tuple[str, Any, bool]]:
    """Give key, value and whether the value is whole, one after the other; each letter is read a bounded number
    of times.
    """
    at = 0
    while at < len(text):
        between = _BETWEEN.match(text, at)
        at = between.end() if between else at
        key = _KEY.match(text, at)
        if key is None:
            at = _behind_comma(text, at)
            continue
        value, end, is_whole = _value(text, key.end())
        yield key[1].strip(), value, is_whole
        at = _behind_comma(text, end)


def _behind_comma(text: str, at: int) -> int:
    found = _END_OF_PAIR.search(text, at)
    return found.end() if found else len(text)


def _value(text: str, at: int) -> tuple[Any, int, bool]:
    first = text[at : at + 1]
    if first == '"':
        quoted = _QUOTED.match(text, at)
        if quoted is not None:
            return _unquoted(quoted[0]), quoted.end(), True
        return text[at + 1 :].strip(), len(text), False
    if first in {"{", "["}:
        end = _end_of_line(text, at)
        try:
            value, length = _JSON.raw_decode(text[at:end])
            return value, at + length, True
        except (ValueError, RecursionError):
            if first == "{" or text.startswith('[{"', at):
                return None, end, False
    plain = _VALUE.match(text, at)
    return ("", at, True) if plain is None else (plain[0].strip(), plain.end(), True)


def _end_of_line(text: str, at: int) -> int:
    end = text.find("\n", at)
    return len(text) if end < 0 else end


def _unquoted(text: str) -> str:
    try:
        value = json.loads(text, strict=False)
    except (ValueError, RecursionError):
        return text[1:-1].replace('\\"', '"')
    return value if isinstance(value, str) else text


def _source(pairs: Mapping[str, Any]) -> str:
    """Tell whose text it is: others than the first name themselves."""
    version, app = str(pairs.get("Version", "")).lower(), str(pairs.get("App", "")).lower()
    if app.startswith("sd.next"):
        return "sdnext"
    if version.startswith(("fooocus", "ruinedfooocus")):
        return "fooocus"
    if version.startswith("comfyui"):
        return "comfyui"
    if re.match(r"f\d|neo\b|forge", version) or re.match(r"f\d", app):
        return "forge"
    return "a1111"


def _tell(draft: Draft, pairs: Mapping[str, Any]) -> None:
    get = _caseless(pairs)
    size = _SIZE.fullmatch(str(get("size", "")).strip())
    draft.tell(
        seed=seed_of(get("seed")),
        sampler=line_of(get("sampler")),
        scheduler=line_of(get("schedule type")) or line_of(get("scheduler")),
        steps=whole_of(get("steps")),
        cfg=number_of(get("cfg scale")),
        size=size_of(size[1], size[2]) if size else None,
        denoise=number_of(get("denoising strength")),
        clip_skip=whole_of(get("clip skip")) or whole_of(get("clip-skip")),
        model=line_of(get("model")),
    )


def _caseless(pairs: Mapping[str, Any]) -> Any:
    return {key.lower(): value for key, value in pairs.items()}.get


def _refer(draft: Draft, pairs: Mapping[str, Any]) -> None:
    get = _caseless(pairs)
    hashes = get("hashes") if isinstance(get("hashes"), dict) else {}
    model_hash = hash_of(get("model hash")) or hash_of(hashes.get("model"))
    draft.refer("checkpoints", get("model"), hash_=model_hash, is_a=_model_hash_kind(model_hash))
    vae_hash = hash_of(get("vae hash")) or hash_of(hashes.get("vae"))
    draft.refer("vae", get("vae"), hash_=vae_hash, is_a=_model_hash_kind(vae_hash))
    _refer_with_hash(draft, "checkpoints", get("refiner"))
    networks_in(draft, draft.positive)
    for kind, key in (("loras", "lora hashes"), ("embeddings", "ti hashes")):
        for name, short in _listed(get(key)):
            draft.refer(kind, name, hash_=short, is_a=_network_hash_kind(kind, short))
    for key, value in list(hashes.items())[:MOST_PAIRS]:
        word, colon, name = str(key).partition(":")
        short = hash_of(value)
        if colon and short and (kind := _HASHED_KINDS.get(word.lower())):
            draft.refer(kind, name, hash_=short, is_a=_network_hash_kind(kind, short))
    for name in line_list(get("embeddings")):
        draft.refer("embeddings", name)
    _refer_modules(draft, get)
    _refer_controlnets(draft, pairs)
    _refer_numbered(draft, get)
    upscaler = line_of(get("hires upscaler"))
    if upscaler and not upscaler.startswith(_NO_FILES):
        draft.refer("upscale_models", upscaler)
    refer_resources(draft, get("civitai resources"))


def _model_hash_kind(short: str | None) -> str | None:
    """Tell which hash of a model it is by its length: the web UI wrote 8 digits at first, then 10."""
    return {8: "autov1", 10: "autov2", 64: "sha256"}.get(len(short)) if short else None


def _network_hash_kind(kind: str, short: str | None) -> str | None:
    """Tell which hash of a network it is: 12 digits are of a LoRA's AutoV3, and of an embedding's SHA-256."""
    if short and len(short) == 12:
        return "autov3" if kind == "loras" else "sha256"
    return _model_hash_kind(short)


def _refer_with_hash(draft: Draft, kind: str, value: object, weight: float | None = None) -> None:
    line = line_of(value)
    found = _WITH_HASH.fullmatch(line) if line else None
    if found is None:
        draft.refer(kind, line, weight=weight)
    else:
        short = hash_of(found[2])
        draft.refer(kind, found[1], weight=weight, hash_=short, is_a=_model_hash_kind(short))


def _listed(value: object) -> Iterator[tuple[str, str | None]]:
    """Give name and hash of `a: 123, b: 456`; a name may hold commas and colons, a hash never does."""
    waiting = ""
    for part in text_of(value).split(",")[:MOST_PAIRS]:
        name, _, short = (waiting + part).rpartition(":")
        known = hash_of(short)
        if known:
            yield name.strip(), known
        waiting = "" if known else f"{waiting}{part},"[:MAX_LINE]


def line_list(value: object) -> list[str]:
    """Give the names in a list that is written with commas."""
    return [name.strip() for name in text_of(value).split(",") if name.strip()][:MOST_PAIRS]


def _refer_modules(draft: Draft, get: Any) -> None:
    """Refer to what Forge and SD.Next load beside the model: VAE and text encoders."""
    for number in range(1, 10):
        name = line_of(get(f"module {number}"))
        if name:
            is_vae = re.search(r"(?:^|[\W_])(?:ae|vae)(?:[\W_]|$)", name.lower()) is not None
            draft.refer("vae" if is_vae else "text_encoders", name)
    draft.refer("text_encoders", get("te"))
    draft.refer("diffusion_models", get("unet"))


_NO_FILES = ("Latent", "Lanczos", "Nearest", "None")  # ways to scale that load nothing


def _refer_numbered(draft: Draft, get: Any) -> None:
    """Refer to LoRAs as a node of ComfyUI's that saves such texts numbers them."""
    for number in range(MAX_REFERENCES):
        name = get(f"lora_{number} model name")
        if name is None:
            return
        short = hash_of(get(f"lora_{number} model hash"))
        weight = number_of(get(f"lora_{number} strength model"))
        draft.refer("loras", name, weight=weight, hash_=short, is_a=_network_hash_kind("loras", short))


_CONTROL_MODEL = re.compile(r"\bmodel: *([^,]{1,300})", re.IGNORECASE)
_CONTROL_WEIGHT = re.compile(r"\bweight: *([\d.]{1,20})", re.IGNORECASE)


def _refer_controlnets(draft: Draft, pairs: Mapping[str, Any]) -> None:
    for key, value in pairs.items():
        if re.fullmatch(r"ControlNet \d{1,2}", key) and isinstance(value, str):
            model, weight = _CONTROL_MODEL.search(value), _CONTROL_WEIGHT.search(value)
            if model:
                _refer_with_hash(draft, "controlnet", model[1], number_of(weight[1]) if weight else None)


def refer_resources(draft: Draft, resources: object) -> None:
    """Refer to what Civitai lists as used, by the names that things have there; kinds told otherwise are left out."""
    if not isinstance(resources, list):
        return
    told = {kind for kind, _stem in draft.references}
    for one in resources[:MOST_PAIRS]:
        if isinstance(one, dict):
            kind = kind_of_urn(one.get("air")) or kind_of_word(one.get("type"))
            name = line_of(one.get("modelName")) or line_of(one.get("air"))
            if kind and name and kind not in told:
                draft.refer(kind, name, weight=number_of(one.get("weight")))
                if kind == "checkpoints":
                    draft.tell(model=name)
