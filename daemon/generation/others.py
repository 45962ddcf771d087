"""What generators with forms of their own write: SwarmUI, Fooocus, InvokeAI, NovelAI, Draw Things.

Learned from: docs/Image Metadata Format.md of https://github.com/mcmonkeyprojects/SwarmUI; modules/meta_parser.py of
https://github.com/lllyasviel/Fooocus; invokeai/app/invocations/metadata.py of https://github.com/invoke-ai/InvokeAI and
its earlier `sd-metadata` and `Dream`; pictures of https://novelai.net and https://drawthings.ai.
"""

import html
import json
import re
from collections.abc import Mapping
from typing import Any

from .infotext import line_list, networks_in
from .told import Draft, Generation, hash_of, line_of, number_of, seed_of, size_of, text_of, whole_of

MOST = 200
"""The most entries of one list that are read."""

Fields = Mapping[str, Any]


def fields_of(text: str) -> dict[str, Any] | None:
    """Give the object that a text is in JSON, None where it is none. NaN and Infinity, as Python writes them, pass."""
    if text.lstrip()[:1] != "{":
        return None
    try:
        value = json.loads(text.rstrip("\0"), strict=False)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value[:MOST] if isinstance(value, list) else []


# SwarmUI ----------------------------------------------------------------------------------------------

_SWARM_FILES = {
    "model": "checkpoints",
    "refinermodel": "checkpoints",
    "vae": "vae",
    "refinervae": "vae",
    "controlnetmodel": "controlnet",
    "used_embeddings": "embeddings",
    "loras": "loras",
    "used_loras": "loras",
}


def read_swarm(fields: Fields) -> Generation | None:
    """Give what SwarmUI's object tells, None where it is another's."""
    told = fields.get("sui_image_params")
    if not isinstance(told, dict):
        return None
    draft = Draft("swarmui")
    draft.prompts(told.get("prompt"), told.get("negativeprompt"))
    draft.tell(
        seed=seed_of(told.get("seed")),
        steps=whole_of(told.get("steps")),
        cfg=number_of(told.get("cfgscale")),
        sampler=line_of(told.get("sampler")),
        scheduler=line_of(told.get("scheduler")),
        size=size_of(told.get("width"), told.get("height")),
        clip_skip=_swarm_clip_skip(told.get("clipstopatlayer")),
        model=line_of(told.get("model")),
    )
    for key in ("model", "refinermodel", "vae", "refinervae", "controlnetmodel"):
        draft.refer(_SWARM_FILES[key], told.get(key))
    weights = [number_of(weight) for weight in _swarm_list(told.get("loraweights"))]
    for at, name in enumerate(_swarm_list(told.get("loras"))):
        draft.refer("loras", name, weight=weights[at] if at < len(weights) else None)
    networks_in(draft, draft.positive)
    for one in map(_object, _list(fields.get("sui_models"))):
        kind = _SWARM_FILES.get(str(one.get("param")))
        if kind:
            known = hash_of(one.get("hash"))
            draft.refer(kind, one.get("name"), hash_=known, is_a="tensors" if known else None)
    return draft.generation()


def _swarm_list(value: object) -> list[Any]:
    """Give a list that may be written as one text with commas."""
    return line_list(value)[:MOST] if isinstance(value, str) else _list(value)


def _swarm_clip_skip(value: object) -> int | None:
    number = number_of(value)
    return None if number is None else whole_of(abs(number))


# Fooocus ----------------------------------------------------------------------------------------------

_PAIR = re.compile(r"\(\s*(\d{1,6})\s*,\s*(\d{1,6})\s*\)")


def read_fooocus(fields: Fields) -> Generation | None:
    """Give what Fooocus' object tells, None where it is another's."""
    version = str(fields.get("version", ""))
    if "base_model" not in fields or not (version.startswith("Fooocus") or "guidance_scale" in fields):
        return None
    draft = Draft("fooocus")
    draft.prompts(fields.get("prompt"), fields.get("negative_prompt"))
    size = _PAIR.fullmatch(str(fields.get("resolution", "")).strip())
    draft.tell(
        seed=seed_of(fields.get("seed")),
        steps=whole_of(fields.get("steps")),
        cfg=number_of(fields.get("guidance_scale")),
        sampler=line_of(fields.get("sampler")),
        scheduler=line_of(fields.get("scheduler")),
        size=size_of(size[1], size[2]) if size else None,
        clip_skip=whole_of(fields.get("clip_skip")),
        model=line_of(fields.get("base_model")),
    )
    for kind, key in (("checkpoints", "base_model"), ("checkpoints", "refiner_model"), ("vae", "vae")):
        name = fields.get(key)
        if name != "Default (model)":
            known = hash_of(fields.get(f"{key}_hash"))
            draft.refer(kind, name, hash_=known, is_a="autov2" if known and len(known) == 10 else None)
    for one in _list(fields.get("loras")):
        match one:
            case [str() as name, weight, *rest]:
                known = hash_of(rest[0]) if rest else None
                is_a = "autov2" if known and len(known) == 10 else None
                draft.refer("loras", name, weight=number_of(weight), hash_=known, is_a=is_a)
            case _:
                pass
    return draft.generation()


# InvokeAI ---------------------------------------------------------------------------------------------

_INVOKE_HASHES = {"blake3": "blake3", "sha256": "sha256"}


def read_invoke(fields: Fields) -> Generation:
    """Give what InvokeAI's object tells: that of version 3 and later, or `sd-metadata` before it."""
    image = fields.get("image")
    if isinstance(image, dict):
        return _read_early_invoke(fields, image)
    draft = Draft("invokeai")
    draft.prompts(fields.get("positive_prompt"), fields.get("negative_prompt"))
    draft.tell(
        seed=seed_of(fields.get("seed")),
        steps=whole_of(fields.get("steps")),
        cfg=number_of(fields.get("cfg_scale")),
        scheduler=line_of(fields.get("scheduler")),
        size=size_of(fields.get("width"), fields.get("height")),
        denoise=number_of(fields.get("strength")),
        model=line_of(_invoke_model(fields.get("model"))[0]),
    )
    _refer_invoke(draft, "checkpoints", fields.get("model"))
    _refer_invoke(draft, "checkpoints", fields.get("refiner_model"))
    _refer_invoke(draft, "vae", fields.get("vae"))
    for one in map(_object, _list(fields.get("loras"))):
        _refer_invoke(draft, "loras", one.get("model") or one.get("lora"), number_of(one.get("weight")))
    for one in map(_object, _list(fields.get("controlnets"))):
        _refer_invoke(draft, "controlnet", one.get("control_model"), number_of(one.get("control_weight")))
    return draft.generation()


def _invoke_model(value: object) -> tuple[object, str | None, str | None]:
    """Give name, hash and kind of hash of a model: versions before 4 have no hash, and the name under another key."""
    fields = _object(value)
    kind, _, digits = str(fields.get("hash", "")).partition(":")
    known = hash_of(digits)
    name = fields.get("name") or fields.get("model_name") or value
    return name, known, _INVOKE_HASHES.get(kind) if known else None


def _refer_invoke(draft: Draft, kind: str, value: object, weight: float | None = None) -> None:
    name, known, is_a = _invoke_model(value)
    draft.refer(kind, name, weight=weight, hash_=known if is_a else None, is_a=is_a)


_UNWANTED = re.compile(r"\[([^\[\]]{1,10000})\]")


def _read_early_invoke(fields: Fields, image: Fields) -> Generation:
    draft = Draft("invokeai")
    prompt = image.get("prompt")
    parts = [_object(one).get("prompt") for one in _list(prompt)] if isinstance(prompt, list) else [prompt]
    _early_prompt(draft, ", ".join(text for part in parts if (text := text_of(part))))
    draft.tell(
        seed=seed_of(image.get("seed")),
        steps=whole_of(image.get("steps")),
        cfg=number_of(image.get("cfg_scale")),
        sampler=line_of(image.get("sampler")),
        size=size_of(image.get("width"), image.get("height")),
        denoise=number_of(image.get("strength")),
        model=line_of(fields.get("model_weights")),
    )
    known = hash_of(fields.get("model_hash"))
    is_sha = known is not None and len(known) == 64
    name = fields.get("model_weights")
    draft.refer("checkpoints", name, hash_=known if is_sha else None, is_a="sha256" if is_sha else None)
    return draft.generation()


def _early_prompt(draft: Draft, text: str) -> None:
    """Keep a prompt in which what is not wanted stands in square brackets."""
    draft.prompts(_UNWANTED.sub("", text), ", ".join(_UNWANTED.findall(text)))


_DREAM = re.compile(r'\A"(.{0,20000}?)"((?: +-{1,2}\w{1,20}(?: *[^\s"-][^\s"]{0,100})?){0,60})\s*\Z', re.DOTALL)
_OPTION = re.compile(r"-{1,2}(\w)[a-z_]{0,19} *([^\s\"-][^\s\"]{0,100})")


def read_dream(text: str) -> Generation | None:
    """Give what the command of InvokeAI's first versions tells (`"a cat" -s 50 -S 42 -W 512 -H 512 -C 7.5`)."""
    found = _DREAM.match(text[:40_000])
    if found is None:
        return None
    options = dict(_OPTION.findall(found[2]))
    draft = Draft("invokeai")
    _early_prompt(draft, found[1])
    draft.tell(
        seed=seed_of(options.get("S")),
        steps=whole_of(options.get("s")),
        cfg=number_of(options.get("C")),
        sampler=line_of(options.get("A")),
        size=size_of(options.get("W"), options.get("H")),
    )
    return draft.generation()


# NovelAI ----------------------------------------------------------------------------------------------


def read_novelai(fields: Fields, described: str, made_by: str | None) -> Generation:
    """Give what the object in `Comment` tells; the prompt stands in `Description`, too, and the model in `Source`."""
    draft = Draft("novelai")
    draft.prompts(fields.get("prompt") or described, fields.get("uc"))
    draft.tell(
        seed=seed_of(fields.get("seed")),
        steps=whole_of(fields.get("steps")),
        cfg=number_of(fields.get("scale")),
        sampler=line_of(fields.get("sampler")),
        scheduler=line_of(fields.get("noise_schedule")),
        size=size_of(fields.get("width"), fields.get("height")),
        denoise=number_of(fields.get("strength")),
        model=line_of(made_by),
    )
    return draft.generation()


# Draw Things ------------------------------------------------------------------------------------------

_CREATOR = re.compile(r"CreatorTool\s{0,9}(?:=\s{0,9}[\"']|>)\s{0,9}Draw Things")


def read_draw_things(xmp: str) -> Generation | None:
    """Give what the XMP packet of Draw Things tells, None where it is another's: an object in its user comment."""
    if not _CREATOR.search(xmp):
        return None
    comment = xmp.partition("<exif:UserComment>")[2].partition("</exif:UserComment>")[0]
    start, end = comment.find("{"), comment.rfind("}") + 1
    if start < 0:
        return None
    fields = fields_of(html.unescape(comment[start:end]))
    if fields is None:
        return Draft("draw things", problem="its settings are broken").generation()
    draft = Draft("draw things")
    draft.prompts(fields.get("c"), fields.get("uc"))
    width, _, height = str(fields.get("size", ""))[:40].partition("x")
    draft.tell(
        seed=seed_of(fields.get("seed")),
        steps=whole_of(fields.get("steps")),
        cfg=number_of(fields.get("scale")),
        sampler=line_of(fields.get("sampler")),
        size=size_of(width, height),
        denoise=number_of(fields.get("strength")),
        model=line_of(fields.get("model")),
    )
    draft.refer("checkpoints", fields.get("model"))
    for one in map(_object, _list(fields.get("lora"))):
        draft.refer("loras", one.get("model"), weight=number_of(one.get("weight")))
    return draft.generation()
