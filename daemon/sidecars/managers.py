"""What other managers of models for ComfyUI write beside a model.

- ComfyUI-Lora-Manager, `foo.metadata.json`: py/utils/models.py of https://github.com/willmiao/ComfyUI-Lora-Manager
- StabilityMatrix, `foo.cm-info.json`: StabilityMatrix.Core/Models/ConnectedModelInfo.cs of
  https://github.com/LykosAI/StabilityMatrix
- rgthree-comfy, `foo.safetensors.rgthree-info.json`: py/server/utils_info.py and src_web/typings/rgthree.d.ts of
  https://github.com/rgthree/rgthree-comfy
"""

import json
from collections.abc import Iterator
from urllib.parse import quote

from ...events.catalog import Provided
from .civitai import link_page, mark_nsfw, take_hashes, take_prompts, take_version
from .fields import Draft, Sheet
from .values import sha256_of

_MAX_TIPS = 10_000

_LORA_MANAGER_FACTS = {
    "preview_nsfw_level": "preview_nsfw_level",
    "exclude": "excluded",
    "civitai_deleted": "gone_from_civitai",
    "metadata_source": "from",
    "autov3": "autov3",
}
_TIPS = ("strength_min", "strength_max", "strength_range", "strength", "clip_strength", "clip_skip")


def read_lora_manager(fields: dict[str, object], file_stem: str) -> Provided:
    """Give what a `.metadata.json` of ComfyUI-Lora-Manager says; what Civitai said stands in it whole, too.

    Its user may have changed tags and description since they were copied from there, so that those count no more.
    """
    draft = Draft()
    sheet = draft.sheet(fields)
    draft.name = sheet.line("model_name")
    draft.note(sheet.text("notes"))
    draft.favorite = sheet.flag("favorite")
    draft.sha256 = sha256_of(sheet.raw("sha256"))
    draft.trigger(sheet.words("trainedWords"))
    tags, description = sheet.names("tags"), sheet.text("modelDescription")
    draft.tag(tags)
    draft.base_model(sheet.line("base_model"))
    draft.describe(description)
    draft.link(sheet.line("hf_url"))
    _take_usage_tips(draft, sheet)
    draft.fact("sub_type", sheet.line("sub_type", "model_type"))
    draft.facts(sheet, _LORA_MANAGER_FACTS)
    copied = {name for name, copy in (("tags", tags), ("description", description)) if copy}
    civitai = sheet.sheet("civitai").less("model", copied)
    take_version(draft, civitai, file_stem)
    take_prompts(draft, civitai.sheets("customImages"))
    return draft.provided()


def _take_usage_tips(draft: Draft, sheet: Sheet) -> None:
    """Take the tips on strength, which are JSON in a string; a number may be a string again."""
    given = sheet.raw("usage_tips")
    tips = draft.sheet(_decoded(given) if isinstance(given, str) else given)
    for name in _TIPS:
        draft.fact(name, tips.raw(name) if name == "strength_range" else tips.number(name))


def _decoded(text: str) -> object:
    try:
        return json.loads(text[:_MAX_TIPS]) if text.strip() else None
    except (ValueError, RecursionError):
        return None


_MATRIX_FACTS = {
    "VersionName": "version",
    "AuthorUsername": "creator",
    "ModelType": "type",
    "RemoteFileName": "file_name",
    "FileMetadata": "file",
    "InferenceDefaults": "settings",
    "ImportedAt": "imported_at",
    "Stats": "stats",
}
_CIVITAI, _OPEN_MODEL_DB, _CIV_ARCHIVE = "Civitai", "OpenModelDb", "CivArchive"
_MATRIX_SOURCES = {0: _CIVITAI, 1: _OPEN_MODEL_DB, 2: _CIV_ARCHIVE}  # it writes the number of the name


def read_stability_matrix(fields: dict[str, object], file_stem: str) -> Provided:
    """Give what a `.cm-info.json` of StabilityMatrix says."""
    del file_stem
    draft = Draft()
    sheet = draft.sheet(fields)
    draft.name = sheet.line("UserTitle", "ModelName")
    draft.describe(sheet.text("ModelDescription"), sheet.text("VersionDescription"))
    draft.trigger(sheet.words("TrainedWords"))
    draft.tag(sheet.names("Tags"))
    draft.base_model(sheet.line("BaseModel"))
    mark_nsfw(draft, sheet.flag("Nsfw"))
    _link_matrix_source(draft, sheet)
    hashes = sheet.sheet("Hashes")
    draft.sha256 = sha256_of(hashes.raw("SHA256"))
    take_hashes(draft, hashes)
    draft.fact("model_name", sheet.line("ModelName") if sheet.line("UserTitle") else "")
    draft.facts(sheet, _MATRIX_FACTS)
    return draft.provided()


def _link_matrix_source(draft: Draft, sheet: Sheet) -> None:
    given = sheet.raw("Source")
    source = given if isinstance(given, str) else _MATRIX_SOURCES.get(int(sheet.number("Source") or 0), "")
    address = sheet.line("SourceUrl")
    if source == _CIVITAI:
        link_page(draft, sheet.raw("ModelId"), sheet.raw("VersionId"))
    if source == _CIV_ARCHIVE and address.startswith("/"):
        address = f"https://civarchive.com{address}"
    if source == _OPEN_MODEL_DB and sheet.line("ModelName"):
        draft.link(f"https://openmodeldb.info/models/{quote(sheet.line('ModelName'), safe='')}")
    draft.link(address)
    draft.fact("from", "" if source == _CIVITAI else source)


_RGTHREE_FACTS = {"baseModelFile": "base_model_file", "strengthMin": "strength_min", "strengthMax": "strength_max"}


def read_rgthree(fields: dict[str, object], file_stem: str) -> Provided:
    """Give what a `.rgthree-info.json` says; what Civitai said stands in it whole, under `raw`.

    Among its trained words are all the captions of the training; those that nobody calls trigger words are facts.
    """
    draft = Draft()
    sheet = draft.sheet(fields)
    draft.name = sheet.line("name")
    draft.note(sheet.text("userNote"))
    draft.tag(sheet.names("userTags"))
    draft.base_model(sheet.line("baseModel"))
    draft.sha256 = sha256_of(sheet.raw("sha256"))
    draft.link(*sheet.names("links"))
    draft.fact("type", sheet.line("type"))
    draft.facts(sheet, _RGTHREE_FACTS)
    _take_rgthree_words(draft, sheet)
    draft.prompts(*next(_rgthree_prompts(sheet.sheets("images")), ("", "")))
    take_version(draft, sheet.sheet("raw").sheet("civitai"), file_stem)
    return draft.provided()


def _take_rgthree_words(draft: Draft, sheet: Sheet) -> None:
    words = sheet.raw("trainedWords")
    captions, triggers = _parted(words) if isinstance(words, list) else ([], words)
    draft.trigger(draft.sheet({"trainedWords": triggers}).words("trainedWords"))
    draft.trigger(sheet.words("triggerWords"))
    draft.fact("training_words", captions)


def _parted(words: list[object]) -> tuple[list[object], list[object]]:
    captions: list[object] = []
    triggers: list[object] = []
    for word in words:
        sheet = Sheet(word)
        if sheet.flag("metadata") and not sheet.flag("civitai") and not sheet.flag("user"):
            captions.append(sheet.raw("word"))
        else:
            triggers.append(word)
    return captions, triggers


def _rgthree_prompts(images: list[Sheet]) -> Iterator[tuple[str, str]]:
    for image in images:
        positive = image.text("positive")
        if positive:
            yield positive, image.text("negative")
