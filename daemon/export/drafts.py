"""What we know of a model in the fields of each format, as its program reads them; what else a file holds, it keeps.

- ComfyUI-Lora-Manager: py/utils/models.py, which takes no file without the first eight fields
- Civitai Helper: the body of Civitai's answer, https://developer.civitai.com/site/reference/model-versions
- A1111 and Forge: modules/ui_extra_networks_user_metadata.py
- StabilityMatrix: StabilityMatrix.Core/Models/ConnectedModelInfo.cs
- SwarmUI: src/Text2Image/T2IModelHandler.cs; its hash is that of the tensors alone, which we do not know
"""

import html
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from ...events.catalog import Provided
from ...projections.text import tag_key
from .known import Beside, Known, joined


def keys(tags: Iterable[str]) -> set[str]:
    """Give the keys by which tags are the same."""
    return {tag_key(tag) for tag in tags}


class Draft:
    """A file's object on its way to what it shall say."""

    def __init__(self, former: Mapping[str, Any], said: Provided) -> None:
        """Begin with what the file holds and says."""
        self.document = dict(former)
        self.said = said

    def put(self, key: str, value: Any, *, is_said: bool = False) -> None:
        """Have a key say a value, unless it says it already in its own way."""
        if not is_said or key not in self.document:
            self.document[key] = value

    def default(self, **values: Any) -> None:
        """Have keys that the format wants, and that are not there."""
        self.document = values | self.document

    def part(self, key: str) -> "Draft":
        """Give the object under a key, which is made where there is none."""
        found = self.document.get(key)
        inner = Draft(found if isinstance(found, dict) else {}, self.said)
        self.document[key] = inner.document
        return inner

    def says_text(self, known: Known) -> bool:
        """Tell whether the file says notes and description, as one text."""
        return joined(self.said.notes, self.said.description) == joined(known.notes, known.description)

    def says_tags(self, known: Known) -> bool:
        """Tell whether the file says the tags."""
        return keys(self.said.tags) == keys(known.tags)

    def says_words(self, known: Known) -> bool:
        """Tell whether the file says the trigger words."""
        return self.said.trigger_words == known.trigger_words


# The formats ------------------------------------------------------------------------------------------


def _lora_manager(draft: Draft, known: Known, beside: Beside) -> dict[str, Any]:
    draft.put("file_name", beside.stem)
    draft.put("model_name", known.name, is_said=known.name == beside.stem)
    draft.put("file_path", f"{beside.folder}/{beside.model}".replace("\\", "/"))
    draft.put("size", known.size)
    draft.default(modified=known.created_at / 1000)
    if known.confirmed:
        draft.put("sha256", known.sha256)
    draft.default(**{} if "sha256" in draft.document else {"sha256": "", "hash_status": "pending"})
    draft.default(base_model="Unknown")
    if known.base_model:
        draft.put("base_model", known.base_model)
    draft.default(preview_url=f"{beside.folder}/{beside.preview}" if beside.preview else "")
    draft.put("notes", known.notes, is_said=draft.said.notes == known.notes)
    if known.description:
        draft.put("modelDescription", _markup(known.description), is_said=draft.said.description == known.description)
    draft.put("tags", list(known.tags), is_said=draft.says_tags(known))
    draft.put("trainedWords", list(known.trigger_words), is_said=draft.says_words(known))
    draft.put("favorite", known.favorite)
    draft.default(civitai=_ids(known), **_LORA_MANAGER | _LORA_MANAGER_KINDS.get(known.type, {}))
    return draft.document


_LORA_MANAGER = {"modelDescription": "", "from_civitai": True, "exclude": False}
_LORA_MANAGER_KINDS = {
    "loras": {"usage_tips": "{}"},
    "checkpoints": {"sub_type": "checkpoint"},
    "diffusion_models": {"sub_type": "diffusion_model"},
    "embeddings": {"sub_type": "embedding"},
}


def _ids(known: Known) -> dict[str, int]:
    ids = {"id": known.version_id, "modelId": known.model_id}
    return {name: number for name, number in ids.items() if number is not None}


def _civitai_info(draft: Draft, known: Known, beside: Beside) -> dict[str, Any]:
    draft.default(**_ids(known))
    draft.put("name", known.name, is_said=known.name == beside.stem)
    draft.put("description", _markup(joined(known.notes, known.description)), is_said=draft.says_text(known))
    draft.put("trainedWords", list(known.trigger_words), is_said=draft.says_words(known))
    if known.base_model:
        draft.put("baseModel", known.base_model)
    model = draft.part("model")
    model.default(name=known.name, type=_CIVITAI_TYPES.get(known.type, "Other"), nsfw=False, poi=False)
    model.put("tags", list(known.tags), is_said=draft.says_tags(known))
    if not draft.says_text(known):
        model.put("description", "")  # it stands in ours
    draft.document["model"] = model.document
    if "files" not in draft.document:
        draft.put("files", [_civitai_file(known, beside)])
    draft.default(images=[])
    return draft.document


def _civitai_file(known: Known, beside: Beside) -> dict[str, Any]:
    hashes = {"SHA256": known.sha256.upper()} if known.confirmed else {}
    return {"name": beside.model, "sizeKB": known.size / 1024, "type": "Model", "primary": True, "hashes": hashes}


_CIVITAI_TYPES = {
    "checkpoints": "Checkpoint",
    "diffusion_models": "Checkpoint",
    "loras": "LORA",
    "embeddings": "TextualInversion",
    "hypernetworks": "Hypernetwork",
    "controlnet": "Controlnet",
    "vae": "VAE",
    "upscale_models": "Upscaler",
}


def _a1111(draft: Draft, known: Known, _beside: Beside) -> dict[str, Any]:
    if known.description:
        draft.put("description", known.description, is_said=draft.said.description == known.description)
    draft.default(description="")
    if known.base_model and (version := _sd_version(known.base_model)):
        draft.put("sd version", version)
    draft.put("activation text", ", ".join(known.trigger_words), is_said=draft.says_words(known))
    draft.default(**{"preferred weight": 0})
    said = draft.said.prompts.negative == known.prompts.negative
    draft.put("negative text", known.prompts.negative, is_said=said)
    draft.put("notes", known.notes, is_said=draft.said.notes == known.notes)
    return draft.document


_SD_VERSIONS = {
    "SD1": ("sd 1", "sd1"),
    "SD2": ("sd 2", "sd2"),
    "SD3": ("sd 3", "sd3"),
    "SDXL": ("sdxl", "pony", "illustrious", "noobai"),
}


def _sd_version(base_model: str) -> str:
    """Give what A1111 calls a base model, empty where it knows none like it."""
    folded = base_model.casefold()
    return next((version for version, starts in _SD_VERSIONS.items() if folded.startswith(starts)), "")


def _stability_matrix(draft: Draft, known: Known, beside: Beside) -> dict[str, Any]:
    ids = {"ModelId": known.model_id, "VersionId": known.version_id}
    draft.default(**{name: number for name, number in ids.items() if number is not None}, ModelName=known.name)
    if known.name not in (beside.stem, draft.document["ModelName"]):
        draft.put("UserTitle", known.name)
    text = _markup(joined(known.notes, known.description))
    draft.put("ModelDescription", text, is_said=draft.says_text(known))
    draft.default(Nsfw=False)
    draft.put("Tags", list(known.tags), is_said=draft.says_tags(known))
    draft.default(ModelType=_CIVITAI_TYPES.get(known.type, "Other"), VersionName="", VersionDescription="")
    if not draft.says_text(known):
        draft.put("VersionDescription", "")  # it stands in ours
    if known.base_model:
        draft.put("BaseModel", known.base_model)
    draft.default(ImportedAt=datetime.fromtimestamp(known.created_at / 1000, UTC).isoformat())
    hashes = draft.part("Hashes")
    if known.confirmed:
        hashes.put("SHA256", known.sha256.upper())
    draft.put("TrainedWords", list(known.trigger_words), is_said=draft.says_words(known))
    return draft.document


def _swarm(draft: Draft, known: Known, beside: Beside) -> dict[str, Any]:
    draft.put("modelspec.title", known.name, is_said=known.name == beside.stem)
    text = _markup(joined(known.notes, known.description))
    draft.put("modelspec.description", text, is_said=draft.says_text(known))
    said = draft.says_words(known)
    draft.put("modelspec.trigger_phrase", ", ".join(known.trigger_words), is_said=said)
    draft.put("modelspec.tags", list(known.tags), is_said=draft.says_tags(known))
    return draft.document


FILL: Mapping[str, Callable[[Draft, Known, Beside], dict[str, Any]]] = {
    "lora-manager": _lora_manager,
    "civitai-info": _civitai_info,
    "a1111": _a1111,
    "stability-matrix": _stability_matrix,
    "swarm": _swarm,
}


def _markup(text: str) -> str:
    """Give text as the HTML that providers write: what looks like markup in it is text."""
    paragraphs = html.escape(text, quote=False).split("\n\n")
    return "".join(f"<p>{paragraph.replace(chr(10), '<br>')}</p>" for paragraph in paragraphs if paragraph)
