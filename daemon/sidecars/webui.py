"""What the programs with a page of their own write beside a model.

- AUTOMATIC1111's web UI and Forge, `foo.json`: modules/ui_extra_networks_user_metadata.py and
  extensions-builtin/Lora/ui_edit_user_metadata.py of https://github.com/AUTOMATIC1111/stable-diffusion-webui;
  Civitai Helper and Civitai Browser+ write into the same file
- SwarmUI, `foo.swarm.json`: `T2IModel.ToNetObject` in src/Text2Image/T2IModel.cs and src/wwwroot/js/genpage/utiltab.js
  of https://github.com/mcmonkeyprojects/SwarmUI
"""

import re

from ...events.catalog import Provided
from .civitai import link_page
from .fields import Draft
from .values import sha256_of

# What only these programs call so, spaces included.
_A1111_OWN = frozenset(
    ("sd version", "activation text", "negative text", "preferred weight", "sd_version_str", "vae_te", "modelVersionId")
)
_A1111_ALL = _A1111_OWN | {"description", "notes", "vae", "extensions", "modelId", "sha256", "unpackList", "hikaze"}
# Whose file it is instead: kohya's settings, ComfyUI's workflows, the configurations of Hugging Face's libraries,
# an answer of Civitai's, a file of ComfyUI-Lora-Manager.
_FOREIGN = frozenset(
    (
        *("pretrained_model_name_or_path", "train_data_dir", "network_module", "network_dim", "LoRA_type"),
        *("output_dir", "output_name", "max_train_steps", "learning_rate", "nodes", "last_node_id", "class_type"),
        *("_class_name", "_diffusers_version", "architectures", "transformers_version", "model_type", "torch_dtype"),
        *("peft_type", "lora_alpha", "modelVersions", "trainedWords", "downloadUrl", "file_path", "model_name"),
        *("__metadata__", "weight_map"),
    )
)
_A1111_FACTS = {"vae": "vae", "vae_te": "vae"}


def read_a1111(fields: dict[str, object], file_stem: str) -> Provided | None:
    """Give what a `foo.json` says if it is the web UI's, None where it is anybody else's.

    It is where it has a key that only the web UI uses, or both of those that it always writes, or no other key than
    its own; a `description` alone, among others, does not make it so.
    """
    del file_stem
    if not _is_a1111(frozenset(fields)):
        return None
    draft = Draft()
    sheet = draft.sheet(fields)
    draft.describe(sheet.text("description"))
    draft.note(sheet.text("notes"))
    draft.trigger(sheet.words("activation text", "||"))
    draft.prompts("", sheet.text("negative text"))
    draft.base_model(sheet.line("sd version") or sheet.line("sd_version_str").removeprefix("SdVersion."))
    draft.fact("preferred_weight", sheet.number("preferred weight") or None)
    draft.facts(sheet, _A1111_FACTS)
    draft.sha256 = sha256_of(sheet.raw("sha256"))
    link_page(draft, sheet.raw("modelId"), sheet.raw("modelVersionId"))
    helper = sheet.sheet("extensions").sheet("sd_civitai_helper")
    draft.fact("made_by", f"Civitai Helper {helper.line('version')}" if helper else "")
    return draft.provided()


def _is_a1111(keys: frozenset[str]) -> bool:
    if keys & _FOREIGN:
        return False
    return bool(keys) and (bool(keys & _A1111_OWN) or keys >= {"description", "notes"} or keys <= _A1111_ALL)


def mentions_a1111(text: str) -> bool:
    """Tell whether a text that is no JSON any more has once been the web UI's."""
    return any(f'"{key}"' in text for key in _A1111_OWN)


_SWARM_FACTS = {
    "author": "creator",
    "license": "license",
    "usage_hint": "usage_hint",
    "date": "date",
    "architecture": "architecture",
    "class": "class",
    "prediction_type": "prediction_type",
    "preprocessor": "preprocessor",
    "merged_from": "merged_from",
    "special_format": "special_format",
    "lora_default_weight": "preferred_weight",
    "lora_default_confinement": "confinement",
}
_PREFIX = "modelspec."
_CIVITAI_PAGE = re.compile(r"https://civitai\.com/models/\d{1,15}(?:\?modelVersionId=\d{1,15})?")


def read_swarm(fields: dict[str, object], file_stem: str) -> Provided:
    """Give what a `.swarm.json` says; its keys begin with `modelspec.`, or are the same without that.

    The hash in it is that of the tensors alone, and no hash of the file.
    """
    del file_stem
    own = {key: value for key, value in fields.items() if not key.startswith(_PREFIX)}
    spec = {key.removeprefix(_PREFIX): value for key, value in fields.items() if key.startswith(_PREFIX)}
    draft = Draft()
    sheet = draft.sheet(own | spec)
    description = sheet.text("description")
    draft.name = sheet.line("title")
    draft.describe(description)
    page = _CIVITAI_PAGE.search(description)
    draft.link(page.group() if page else "")
    draft.trigger(sheet.words("trigger_phrase", ";"))
    draft.tag(sheet.names("tags"))
    draft.facts(sheet, _SWARM_FACTS)
    draft.fact("resolution", sheet.line("resolution").removeprefix("0x0"))
    draft.fact("negative_embedding", sheet.flag("is_negative_embedding"))
    draft.fact("tensor_sha256", sha256_of(sheet.raw("hash_sha256")) or sha256_of(sheet.raw("hash")))
    return draft.provided()
