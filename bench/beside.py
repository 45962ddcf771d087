"""What other managers leave beside models: a sidecar of each in turn, and a preview."""

import hashlib
import json
import os
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .library import FILES_A_FOLDER, name_of, small_safetensors, some_words
from .stock import Stock, put

PREVIEWS = (".preview", "")
BASE_MODELS = ("SDXL 1.0", "Pony", "Illustrious", "SD 1.5", "Flux.1 D")
PICTURES_TOLD = 5  # pictures that a provider lists, each with how it was made


@dataclass(frozen=True, slots=True)
class Beside:
    """A model root in which every model has a sidecar and a preview, and the paths of all three."""

    root: str
    models: list[str]
    sidecars: list[str]
    previews: list[str]


def make(root: str, models: int, stock: Stock) -> Beside:
    """Fill a model root, in folders of 50."""
    made = Beside(root, [], [], [])
    for number in range(models):
        folder = os.path.join(root, f"{number // FILES_A_FOLDER:05}")
        os.makedirs(folder, exist_ok=True)
        stem = os.path.join(folder, name_of(number).replace(" ", "_"))
        content = small_safetensors(number)
        ending, told = _KINDS[number % len(_KINDS)]
        extension, picture = stock.original(number)
        made.models.append(put(f"{stem}.safetensors", content))
        text = told(_Told(number, hashlib.sha256(content).hexdigest()))
        made.sidecars.append(put(stem + ending, text.encode()))
        made.previews.append(put(f"{stem}{PREVIEWS[number % len(PREVIEWS)]}{extension}", picture))
    return made


class _Told:
    """What is told of a model; the same number gives the same."""

    def __init__(self, number: int, sha256: str) -> None:
        self.number, self.sha256 = number, sha256
        pick = random.Random(number)  # noqa: S311
        self.words = some_words(60)
        pick.shuffle(self.words)
        self.base = pick.choice(BASE_MODELS)
        self.tags = self.words[:5]
        self.triggers = [f"{self.words[5]} style", self.words[6]]

    @property
    def text(self) -> str:
        return " ".join(self.words[:50])

    @property
    def html(self) -> str:
        return (
            f"<h2>About</h2><p>{self.text} <strong>v{self.number}</strong>&nbsp;</p><ul><li>{self.words[1]}</li></ul>"
        )

    @property
    def version(self) -> dict[str, object]:
        """What Civitai says of a model's version."""
        return {
            "id": 200_000 + self.number,
            "modelId": 100_000 + self.number,
            "name": "v1.0",
            "description": self.html,
            "baseModel": self.base,
            "trainedWords": self.triggers,
            "stats": {"downloadCount": self.number, "rating": 4.9},
            "model": {"name": name_of(self.number), "type": "LORA", "nsfw": False, "tags": self.tags},
            "files": [{"id": 1, "sizeKB": 223.1, "hashes": {"SHA256": self.sha256.upper()}, "primary": True}],
            "images": [self._picture(number) for number in range(PICTURES_TOLD)],
        }

    def _picture(self, number: int) -> dict[str, object]:
        meta = {"prompt": f"{self.text}, {number}", "negativePrompt": "lowres, bad hands", "seed": number, "steps": 28}
        url = f"https://image.civitai.com/x/{self.number}/{number}.jpeg"
        return {"url": url, "width": 832, "height": 1216, "nsfwLevel": 1, "type": "image", "meta": meta}


def _lora_manager(told: _Told) -> str:
    whole = {
        "file_name": name_of(told.number).replace(" ", "_"),
        "model_name": name_of(told.number),
        "sha256": told.sha256,
        "base_model": told.base,
        "notes": " ".join(told.words[10:20]) if told.number % 3 else "",
        "tags": told.tags,
        "modelDescription": told.html,
        "favorite": told.number % 10 == 0,
        "usage_tips": json.dumps({"strength_min": 0.5, "strength_max": 1.0}),
        "trainedWords": told.triggers,
        "civitai": told.version,
        "from_civitai": True,
    }
    return json.dumps(whole, indent=2)


def _civitai_info(told: _Told) -> str:
    return json.dumps(told.version, indent=4)


def _a1111(told: _Told) -> str:
    whole = {
        "description": told.text,
        "sd version": "SDXL",
        "activation text": ", ".join(told.triggers),
        "negative text": "lowres",
        "preferred weight": 0.8,
        "notes": " ".join(told.words[10:20]),
    }
    return json.dumps(whole, indent=4)


def _stability_matrix(told: _Told) -> str:
    whole = {
        "ModelId": 100_000 + told.number,
        "ModelName": name_of(told.number),
        "ModelDescription": told.html,
        "Tags": told.tags,
        "ModelType": "LORA",
        "VersionName": "v1.0",
        "BaseModel": told.base,
        "Hashes": {"SHA256": told.sha256.upper()},
        "TrainedWords": told.triggers,
        "UserTitle": None,
        "Source": "Civitai",
    }
    return json.dumps(whole, indent=2)


def _rgthree(told: _Told) -> str:
    whole = {
        "file": f"{name_of(told.number)}.safetensors",
        "name": name_of(told.number),
        "type": "LORA",
        "baseModel": told.base,
        "sha256": told.sha256,
        "links": [f"https://civitai.com/models/{100_000 + told.number}"],
        "trainedWords": [{"word": word, "civitai": True} for word in told.triggers],
        "images": [],
        "raw": {"civitai": told.version},
    }
    return json.dumps(whole, indent=2)


def _swarm(told: _Told) -> str:
    whole = {
        "modelspec.title": name_of(told.number),
        "modelspec.description": told.html,
        "modelspec.tags": ", ".join(told.tags),
        "modelspec.trigger_phrase": ", ".join(told.triggers),
    }
    return json.dumps(whole, indent=2)


def _note(told: _Told) -> str:
    return f"{told.text}\n\nhttps://civitai.com/models/{100_000 + told.number}\n"


_KINDS: Sequence[tuple[str, Callable[[_Told], str]]] = (
    (".metadata.json", _lora_manager),
    (".civitai.info", _civitai_info),
    (".json", _a1111),
    (".cm-info.json", _stability_matrix),
    (".safetensors.rgthree-info.json", _rgthree),
    (".swarm.json", _swarm),
    (".txt", _note),
)
