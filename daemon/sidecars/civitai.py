"""What Civitai says of one version of a model: its API's answer, as Civitai Helper and others store it.

The form is that of `GET /api/v1/model-versions/{id}` (https://developer.civitai.com/site/reference/model-versions),
with what the programs add to it; a file of `{}` says that Civitai does not know the model.
"""

from collections.abc import Iterator

from ...events.catalog import Provided
from ..names import stem
from .fields import Draft, Sheet
from .values import identifier_of, line_of, sha256_of

_FACTS = {
    "status": "status",
    "availability": "availability",
    "nsfwLevel": "nsfw_level",
    "air": "air",
    "baseModelType": "base_model_type",
    "uploadType": "upload_type",
    "usageControl": "usage_control",
    "earlyAccessEndsAt": "early_access_ends_at",
    "earlyAccessConfig": "early_access",
    "trainingStatus": "training_status",
    "trainingDetails": "training",
    "createdAt": "created_at",
    "updatedAt": "updated_at",
    "publishedAt": "published_at",
    "stats": "stats",
}
_HASHES = ("AutoV1", "AutoV2", "AutoV3", "CRC32", "BLAKE3")
_LICENSE = ("allowNoCredit", "allowCommercialUse", "allowDerivatives", "allowDifferentLicense")


def read(fields: dict[str, object], file_stem: str) -> Provided:
    """Give what a `.civitai.info` says; `file_stem` as for `take_version`."""
    draft = Draft()
    version = draft.sheet(fields)
    take_version(draft, version, file_stem)
    helper = version.sheet("extensions").sheet("sd_civitai_helper")
    draft.fact("made_by", line_of(f"Civitai Helper {helper.line('version')}") if helper else "")
    draft.fact("not_on_civitai", helper.flag("skeleton_file"))
    return draft.provided()


def take_version(draft: Draft, version: Sheet, file_stem: str) -> None:
    """Take what Civitai says of a version; `file_stem` is the stem of the model's file, to know it among others."""
    model = version.sheet("model")
    draft.name = draft.name or model.line("name")
    draft.fact("version", version.line("name"))
    draft.describe(model.text("description"), version.text("description"))
    draft.trigger(version.words("trainedWords"))
    draft.trigger(version.words("triggerWords"))
    draft.tag(model.names("tags"))
    draft.base_model(version.line("baseModel"))
    mark_nsfw(draft, model.flag("nsfw"))
    link_page(draft, version.raw("modelId"), version.raw("id"))
    draft.fact("creator", creator_of(version) or creator_of(model))
    draft.fact("type", model.line("type"))
    draft.fact("person", model.flag("poi"))
    draft.fact("license", {key: model.raw(key) for key in _LICENSE if model.raw(key) not in (None, "")})
    draft.facts(version, _FACTS)
    take_file(draft, version.sheets("files"), file_stem)
    take_prompts(draft, version.sheets("images"))


def creator_of(sheet: Sheet) -> str:
    """Give who made it: older files have a name, newer ones an object with one."""
    creator = sheet.raw("creator")
    name = sheet.sheet("creator").line("username", "name") if isinstance(creator, dict) else sheet.line("creator")
    return "" if name == "{}" else name  # what Civitai Helper's fork writes of a model that was taken down


def link_page(draft: Draft, model: object, version: object) -> None:
    """Take the page of a version at Civitai by its two numbers."""
    model_id, version_id = identifier_of(model), identifier_of(version)
    draft.fact("model_id", model_id)
    draft.fact("version_id", version_id)
    if model_id is not None:
        page = f"https://civitai.com/models/{model_id}"
        draft.link(page if version_id is None else f"{page}?modelVersionId={version_id}")


def mark_nsfw(draft: Draft, yes: bool) -> None:
    """Take that it is not safe for work: a tag."""
    if yes:
        draft.tag(["nsfw"])


def take_file(draft: Draft, files: list[Sheet], file_stem: str) -> None:
    """Take the hashes of the file that this is, unless that cannot be told among several."""
    file = _the_file(files, file_stem)
    if file is None:
        return
    hashes = file.sheet("hashes")
    draft.sha256 = draft.sha256 or sha256_of(hashes.raw("SHA256"))
    take_hashes(draft, hashes)
    draft.fact("file_name", file.line("name"))
    draft.facts(file, {"metadata": "file", "pickleScanResult": "pickle_scan", "virusScanResult": "virus_scan"})


def take_hashes(draft: Draft, hashes: Sheet) -> None:
    """Take all the hashes but the one we know content by."""
    draft.fact("hashes", {key: value for key in _HASHES if (value := hashes.line(key).lower())})


def take_prompts(draft: Draft, images: list[Sheet]) -> None:
    """Take the prompts of the first picture that has any."""
    positive, negative = next(_prompts(images), ("", ""))
    draft.prompts(positive, negative)


def _prompts(images: list[Sheet]) -> Iterator[tuple[str, str]]:
    for image in images:
        meta = image.sheet("meta")
        # Some answers have the settings in an object of that name in `meta` itself.
        for settings in (meta, meta.sheet("meta")):
            positive = settings.text("prompt")
            if positive:
                yield positive, settings.text("negativePrompt")


def _the_file(files: list[Sheet], file_stem: str) -> Sheet | None:
    named = [file for file in files if stem(file.line("name")).casefold() == file_stem.casefold()]
    primary = [file for file in files if file.flag("primary")]
    models = [file for file in files if file.line("type") in ("Model", "Pruned Model", "")]
    return next((found[0] for found in (named, primary, models, files) if len(found) == 1), None)
