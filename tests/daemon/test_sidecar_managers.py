"""What other managers' files say, field by field: ComfyUI-Lora-Manager, StabilityMatrix, rgthree-comfy."""

import json
from typing import Any

import pytest
from hikaze.daemon.sidecars.formats import parse
from hikaze.events.catalog import Prompts, Provided

LORA_MANAGER: dict[str, Any] = {
    "file_name": "lanterns",
    "model_name": "Paper Lanterns",
    "file_path": "D:/models/loras/style/lanterns.safetensors",
    "size": 228454272,
    "modified": 1709287200.25,
    "sha256": "ab" * 32,
    "base_model": "Illustrious",
    "preview_url": "D:/models/loras/style/lanterns.webp",
    "preview_nsfw_level": 4,
    "notes": "good with 0.6\nnot with hands",
    "from_civitai": True,
    "civitai": {
        "id": 130072,
        "modelId": 43331,
        "name": "v3.0",
        "baseModel": "SDXL 1.0",
        "trainedWords": ["lantern girl, red kimono"],
        "description": "<p>Sharper eyes.</p>",
        "model": {
            "name": "Paper Lanterns (Civitai)",
            "type": "LORA",
            "nsfw": True,
            "description": "<p>Theirs.</p>",
            "tags": ["x"],
        },
        "files": [
            {"name": "other.safetensors", "primary": True, "hashes": {"SHA256": "CD" * 32, "AutoV2": "CDCDCDCDCD"}}
        ],
        "images": [{"url": "https://image.civitai.com/1.jpeg", "meta": None}],
        "customImages": [
            {"url": "", "id": "x1", "hasMeta": True, "meta": {"prompt": "mine", "negativePrompt": "not mine"}}
        ],
        "creator": {"username": "paperfox"},
    },
    "tags": ["style", "my favourites"],
    "modelDescription": "<p>A style.</p>",
    "civitai_deleted": True,
    "favorite": True,
    "exclude": True,
    "db_checked": True,
    "skip_metadata_refresh": False,
    "metadata_source": "civarchive",
    "last_checked_at": 1709287201.5,
    "hash_status": "completed",
    "autov3": "abcdef012345",
    "trainedWords": ["lantern girl", "night"],
    "hf_url": "https://huggingface.co/paperfox/lanterns",
    "usage_tips": '{"strength_min": 0, "strength_max": "1.2", "strength_range": "0-1.2", "strength": 0.7}',
    "sub_type": "lora",
}
"""A file as ComfyUI-Lora-Manager writes it, with all that the document of the formats names."""

MATRIX: dict[str, Any] = {
    "ModelId": 43331,
    "ModelName": "Paper Lanterns",
    "ModelDescription": "<p>A style.</p>",
    "Nsfw": True,
    "Tags": ["style", "lantern"],
    "ModelType": "LORA",
    "VersionId": 130072,
    "VersionName": "v3.0",
    "VersionDescription": "<p>Sharper eyes.</p>",
    "AuthorUsername": "paperfox",
    "BaseModel": "SDXL 1.0",
    "RemoteFileName": "lanterns.safetensors",
    "RemoteFileId": 2,
    "FileMetadata": {"fp": "fp16", "size": "full", "format": "SafeTensor"},
    "ImportedAt": "2024-03-01T12:00:00+00:00",
    "Hashes": {"SHA256": "AB" * 32, "CRC32": "01234567", "BLAKE3": "CD" * 32},
    "TrainedWords": ["lantern girl, red kimono", "night"],
    "Stats": {"favoriteCount": 3, "downloadCount": 1200},
    "UserTitle": "Lanterns, the good one",
    "ThumbnailImageUrl": "https://image.civitai.com/1.jpeg",
    "InferenceDefaults": {"Sampler": {"Name": "euler"}, "Steps": 25, "CfgScale": 5.5, "Width": 832, "Height": 1216},
    "Source": 0,
}

RGTHREE: dict[str, Any] = {
    "file": "style/lanterns.safetensors",
    "path": "/models/loras/style/lanterns.safetensors",
    "modified": 1709287200250.0,
    "imageLocal": "/rgthree/api/loras/img?file=style/lanterns.safetensors",
    "hasInfoFile": True,
    "name": "Paper Lanterns - v3.0",
    "type": "LORA",
    "baseModel": "SDXL 1.0",
    "baseModelFile": "sd_xl_base_1.0.safetensors",
    "sha256": "AB" * 32,
    "links": ["https://civitai.com/models/43331?modelVersionId=130072", "https://example.org/x", "file:///etc/passwd"],
    "trainedWords": [
        {"word": "lantern girl", "count": 80, "metadata": True, "civitai": True},
        {"word": "standing", "count": 75, "metadata": True},
        {"word": "outdoors", "count": 70, "metadata": True},
        {"word": "my word", "user": True},
        {"word": "red kimono", "civitai": True},
    ],
    "triggerWords": ["an old one"],
    "images": [
        {"url": "/rgthree/api/loras/img?file=style/lanterns.safetensors"},
        {"url": "https://image.civitai.com/3.jpeg", "positive": "lantern", "negative": "blurry", "seed": 1, "cfg": 5},
    ],
    "raw": {
        "civitai": {
            "id": 130072,
            "modelId": 43331,
            "baseModel": "SDXL 1.0",
            "trainedWords": ["lantern girl"],
            "model": {"name": "Paper Lanterns", "description": "<p>A style.</p>", "tags": ["style"], "nsfw": True},
            "creator": {"username": "paperfox"},
            "_sha256": "ab" * 32,
        },
        "metadata": {"ss_output_name": "lanterns", "ss_tag_frequency": {"x": {"standing": 75}}},
    },
    "strengthMin": 0.4,
    "strengthMax": 1,
    "userTags": ["my style"],
    "userNote": "works with anime",
}


def read(source: str, said: Any, name: str = "lanterns.metadata.json") -> Provided:
    """Parse a sidecar that holds a value."""
    provided = parse(source, json.dumps(said).encode(), name)
    assert provided is not None
    return provided


# ComfyUI-Lora-Manager ---------------------------------------------------------------------------------


def test_lora_manager():
    """Each field comes to where it belongs; what its user wrote there comes before what Civitai said."""
    assert read("lora-manager", LORA_MANAGER) == Provided(
        name="Paper Lanterns",
        notes="good with 0.6\nnot with hands",
        description="A style.\n\nSharper eyes.",
        links=(
            "https://huggingface.co/paperfox/lanterns",
            "https://civitai.com/models/43331?modelVersionId=130072",
        ),
        prompts=Prompts("mine", "not mine"),
        trigger_words=("lantern girl", "night", "red kimono"),
        tags=("style", "my favourites", "Illustrious", "nsfw"),
        favorite=True,
        sha256="ab" * 32,
        facts={
            "base_model": "Illustrious",
            "strength_min": 0,
            "strength_max": 1.2,
            "strength_range": "0-1.2",
            "strength": 0.7,
            "sub_type": "lora",
            "preview_nsfw_level": 4,
            "excluded": True,
            "gone_from_civitai": True,
            "from": "civarchive",
            "autov3": "abcdef012345",
            "version": "v3.0",
            "model_id": 43331,
            "version_id": 130072,
            "creator": "paperfox",
            "type": "LORA",
            "hashes": {"AutoV2": "cdcdcdcdcd"},
            "file_name": "other.safetensors",
        },
    )


def test_lora_manager_before_its_top_level_words():
    """Older files have trained words only in what Civitai said, and name the kind of a checkpoint otherwise."""
    said = {"civitai": {"trainedWords": ["a, b"]}, "model_type": "diffusion_model", "base_model": "Unknown"}

    provided = read("lora-manager", said)

    assert provided.trigger_words == ("a", "b")
    assert provided.tags == ()
    assert provided.facts == {"sub_type": "diffusion_model"}


def test_lora_manager_without_copies():
    """What was not copied out of what Civitai said is taken from there."""
    said = {"tags": [], "modelDescription": "", "civitai": {"model": {"description": "<p>Theirs.</p>", "tags": ["x"]}}}

    assert read("lora-manager", said) == Provided(description="Theirs.", tags=("x",))


def test_lora_manager_of_a_file_never_looked_up():
    """A file as it is written for a model that no provider knows says next to nothing, and is no problem."""
    said = {
        "file_name": "x",
        "model_name": "x",
        "file_path": "/m/x.safetensors",
        "size": 1,
        "modified": 1.0,
        "sha256": "",
        "hash_status": "pending",
        "base_model": "Unknown",
        "preview_url": "",
        "notes": "",
        "from_civitai": False,
        "civitai": None,
        "tags": [],
        "modelDescription": "",
        "favorite": False,
        "usage_tips": "{}",
        "metadata_source": None,
        "autov3": None,
    }

    assert read("lora-manager", said) == Provided(name="x")


@pytest.mark.parametrize(
    ("tips", "facts"),
    [
        ('{"strength": 0}', {"strength": 0}),
        ('{"strength": "0.55", "clip_strength": null}', {"strength": 0.55}),
        ({"strength": 1}, {"strength": 1}),
        ('{"strength": "much"}', {}),
        ('{"strength_range": "0.4-0.9", "unheard": 1}', {"strength_range": "0.4-0.9"}),
        ('{"clip_strength": 0.5, "clip_skip": 2}', {"clip_strength": 0.5, "clip_skip": 2}),
        ("{broken", {}),
        ("[1]", {}),
        ("", {}),
        (None, {}),
        ("[" * 20_000, {}),
    ],
)
def test_usage_tips(tips: Any, facts: dict[str, Any]):
    """Tips are JSON in a string, and numbers in it may be strings again; a strength of 0 is one."""
    assert read("lora-manager", {"usage_tips": tips}).facts == facts


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("AB" * 32, "ab" * 32),
        (" " + "ab" * 32 + "\n", "ab" * 32),
        ("ab" * 20, ""),
        ("xy" * 32, ""),
        (None, ""),
        (5, ""),
    ],
)
def test_hashes(given: Any, kept: str):
    """A SHA-256 is kept in lower case, and only if it is one."""
    assert read("lora-manager", {"sha256": given}).sha256 == kept


def test_a_hash_from_civitai_where_there_is_none():
    """Where the manager has not hashed the file, the hash is that of Civitai's file of this name."""
    said = {"sha256": "", "civitai": {"files": [{"name": "lanterns.pt", "hashes": {"SHA256": "CD" * 32}}]}}

    assert read("lora-manager", said).sha256 == "cd" * 32


@pytest.mark.parametrize(
    ("tags", "kept"),
    [
        (["a, b", "c"], ("a, b", "c")),
        ("a, b", ("a", "b")),
        ([{"name": "a"}, {"tag": "b"}, None, 3, [], "", " x\ty "], ("a", "b", "3", "x y")),
        (["e\u0301", "\u00c9"], ("\u00e9",)),
        (["\u202ea\0", "x" * 201], ("a",)),
        ({"a": 1}, ()),
    ],
)
def test_tags(tags: Any, kept: tuple[str, ...]):
    """Tags are a list of names or one text of them; each is kept once, in its first spelling, if it can be a tag."""
    assert read("lora-manager", {"tags": tags}).tags == kept


# StabilityMatrix --------------------------------------------------------------------------------------


def test_stability_matrix():
    """Each field comes to where it belongs; the title that its user gave is the name."""
    assert read("stability-matrix", MATRIX) == Provided(
        name="Lanterns, the good one",
        description="A style.\n\nSharper eyes.",
        links=("https://civitai.com/models/43331?modelVersionId=130072",),
        trigger_words=("lantern girl", "red kimono", "night"),
        tags=("style", "lantern", "SDXL 1.0", "nsfw"),
        sha256="ab" * 32,
        facts={
            "base_model": "SDXL 1.0",
            "model_id": 43331,
            "version_id": 130072,
            "hashes": {"CRC32": "01234567", "BLAKE3": "cd" * 32},
            "model_name": "Paper Lanterns",
            "version": "v3.0",
            "creator": "paperfox",
            "type": "LORA",
            "file_name": "lanterns.safetensors",
            "file": {"fp": "fp16", "size": "full", "format": "SafeTensor"},
            "settings": {
                "Sampler": {"Name": "euler"},
                "Steps": 25,
                "CfgScale": 5.5,
                "Width": 832,
                "Height": 1216,
            },
            "imported_at": "2024-03-01T12:00:00+00:00",
            "stats": {"favoriteCount": 3, "downloadCount": 1200},
        },
    )


@pytest.mark.parametrize(
    ("said", "links"),
    [
        ({"ModelId": 1, "VersionId": 2}, ("https://civitai.com/models/1?modelVersionId=2",)),
        ({"ModelId": 1, "Source": "Civitai"}, ("https://civitai.com/models/1",)),
        ({"ModelName": "4x Sharp/er", "Source": 1}, ("https://openmodeldb.info/models/4x%20Sharp%2Fer",)),
        ({"Source": 2, "SourceUrl": "/models/9?x=1"}, ("https://civarchive.com/models/9?x=1",)),
        (
            {"Source": "CivArchive", "SourceUrl": "https://civarchive.com/models/9"},
            ("https://civarchive.com/models/9",),
        ),
        ({"ModelId": 1, "Source": "Other", "SourceUrl": "javascript:x"}, ()),
        ({"ModelId": 1, "Source": [], "SourceUrl": 5}, ("https://civitai.com/models/1",)),
    ],
)
def test_where_stability_matrix_had_it_from(said: dict[str, Any], links: tuple[str, ...]):
    """The page is that of the site it was taken from, which stands there as a number or a name."""
    assert read("stability-matrix", said).links == links


# rgthree-comfy ----------------------------------------------------------------------------------------


def test_rgthree():
    """Each field comes to where it belongs; of the words, those that are only captions of the training are facts."""
    assert read("rgthree", RGTHREE, "lanterns.safetensors.rgthree-info.json") == Provided(
        name="Paper Lanterns - v3.0",
        notes="works with anime",
        description="A style.",
        links=("https://civitai.com/models/43331?modelVersionId=130072", "https://example.org/x"),
        prompts=Prompts("lantern", "blurry"),
        trigger_words=("lantern girl", "my word", "red kimono", "an old one"),
        tags=("my style", "SDXL 1.0", "style", "nsfw"),
        sha256="ab" * 32,
        facts={
            "base_model": "SDXL 1.0",
            "type": "LORA",
            "base_model_file": "sd_xl_base_1.0.safetensors",
            "strength_min": 0.4,
            "strength_max": 1,
            "training_words": ["standing", "outdoors"],
            "model_id": 43331,
            "version_id": 130072,
            "creator": "paperfox",
        },
    )


def test_rgthree_without_words():
    """A file that was made before anything was fetched has lists that are empty, or none."""
    said = {"file": "x.pt", "path": "/x.pt", "modified": 1.5, "images": [], "raw": {}}

    assert read("rgthree", said) == Provided()
    assert read("rgthree", said | {"trainedWords": ["plain", "words, too"]}).trigger_words == ("plain", "words", "too")
