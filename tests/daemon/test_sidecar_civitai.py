"""What `.civitai.info` says, field by field."""

import json
from typing import Any

import pytest
from hikaze.daemon.sidecars.formats import parse
from hikaze.events.catalog import Prompts, Provided

HASHES = {"AutoV1": "0A1B2C3D", "AutoV2": "DEADBEEF01", "AutoV3": "ABCDEF012345", "CRC32": "01234567"}
VERSION: dict[str, Any] = {
    "id": 130072,
    "modelId": 43331,
    "name": "v3.0",
    "createdAt": "2024-03-01T10:00:00.000Z",
    "updatedAt": "2024-03-02T10:00:00.000Z",
    "publishedAt": "2024-03-01T12:00:00.000Z",
    "status": "Published",
    "availability": "Public",
    "nsfwLevel": 3,
    "description": "<p>Sharper eyes.</p><ul><li>retrained</li></ul>",
    "trainedWords": ["lantern girl, (paper lantern, night:1.2)", "red kimono", "red kimono"],
    "baseModel": "SDXL 1.0",
    "baseModelType": "Standard",
    "air": "urn:air:sdxl:lora:civitai:43331@130072",
    "stats": {"downloadCount": 1200, "ratingCount": 0, "rating": 0, "thumbsUpCount": 80},
    "model": {
        "name": "Paper Lanterns",
        "type": "LORA",
        "nsfw": True,
        "poi": False,
        "description": '<p>A style.</p><p>More at <a href="https://example.org/lanterns">my page</a></p>',
        "tags": ["style", "lantern", "Style"],
        "allowNoCredit": False,
        "allowCommercialUse": ["Image"],
        "allowDerivatives": True,
        "allowDifferentLicense": False,
    },
    "files": [
        {"id": 1, "name": "lanterns-training.zip", "type": "Training Data", "hashes": {"SHA256": "EE" * 32}},
        {
            "id": 2,
            "name": "lanterns.safetensors",
            "sizeKB": 223100.5,
            "type": "Model",
            "primary": True,
            "metadata": {"fp": "fp16", "format": "SafeTensor"},
            "hashes": {**HASHES, "SHA256": "AB" * 32, "BLAKE3": "CD" * 32},
            "pickleScanResult": "Success",
            "virusScanResult": "Success",
            "downloadUrl": "https://civitai.com/api/download/models/130072",
        },
    ],
    "images": [
        {"url": "https://image.civitai.com/1.jpeg", "nsfwLevel": 1, "meta": None},
        {"url": "https://image.civitai.com/2.mp4", "type": "video", "nsfw": "Soft", "meta": {"seed": 1, "prompt": ""}},
        {
            "url": "https://image.civitai.com/3.jpeg",
            "nsfw": False,
            "meta": {"prompt": "lantern", "negativePrompt": "blurry"},
        },
        {"url": "https://image.civitai.com/4.jpeg", "meta": {"prompt": "never", "negativePrompt": "taken"}},
    ],
    "extensions": {"sd_civitai_helper": {"version": "1.8.2", "last_update": 1709287200, "skeleton_file": False}},
    "creator": {"username": "paperfox", "image": "https://image.civitai.com/u.jpeg"},
    "downloadUrl": "https://civitai.com/api/download/models/130072",
}
"""A file as Civitai Helper writes it, with all that the document of the formats names."""


def read(said: Any, name: str = "lanterns.civitai.info") -> Provided:
    """Parse a `.civitai.info` that holds a value."""
    provided = parse("civitai-info", json.dumps(said).encode(), name)
    assert provided is not None
    return provided


def test_every_field():
    """Each field of a version comes to where it belongs."""
    assert read(VERSION) == Provided(
        name="Paper Lanterns",
        description="A style.\n\nMore at my page (https://example.org/lanterns)\n\nSharper eyes.\n\n- retrained",
        links=("https://civitai.com/models/43331?modelVersionId=130072",),
        prompts=Prompts("lantern", "blurry"),
        trigger_words=("lantern girl", "(paper lantern, night:1.2)", "red kimono"),
        tags=("style", "lantern", "SDXL 1.0", "nsfw"),
        sha256="ab" * 32,
        facts={
            "version": "v3.0",
            "base_model": "SDXL 1.0",
            "model_id": 43331,
            "version_id": 130072,
            "creator": "paperfox",
            "type": "LORA",
            "license": {
                "allowNoCredit": False,
                "allowCommercialUse": ["Image"],
                "allowDerivatives": True,
                "allowDifferentLicense": False,
            },
            "status": "Published",
            "availability": "Public",
            "nsfw_level": 3,
            "air": "urn:air:sdxl:lora:civitai:43331@130072",
            "base_model_type": "Standard",
            "created_at": "2024-03-01T10:00:00.000Z",
            "updated_at": "2024-03-02T10:00:00.000Z",
            "published_at": "2024-03-01T12:00:00.000Z",
            "stats": {"downloadCount": 1200, "ratingCount": 0, "rating": 0, "thumbsUpCount": 80},
            "hashes": {name: value.lower() for name, value in HASHES.items()} | {"BLAKE3": "cd" * 32},
            "file_name": "lanterns.safetensors",
            "file": {"fp": "fp16", "format": "SafeTensor"},
            "pickle_scan": "Success",
            "virus_scan": "Success",
            "made_by": "Civitai Helper 1.8.2",
        },
    )


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("girl, red hair", ["girl", "red hair"]),
        (
            ["girl\nboy", " , ", None, 7, ["nested"], {"word": "from an object"}],
            ["girl", "boy", "7", "nested", "from an object"],
        ),
        ("smile :), wink ;(, grin", ["smile :)", "wink ;(", "grin"]),
        (
            "hatsune miku \\(vocaloid, miku\\), [a, b], {c, d}",
            ["hatsune miku \\(vocaloid, miku\\)", "[a, b]", "{c, d}"],
        ),
        ("((a, b), c), d)", ["((a, b), c)", "d)"]),
        ("<lora:lanterns:0.8>, <cat-toy>", ["<lora:lanterns:0.8>", "<cat-toy>"]),
        (["<b>girl</b>"], ["girl"]),
        ([], []),
        (None, []),
        ("", []),
    ],
)
def test_trained_words(said: Any, words: list[str]):
    """Trained words are a list or one text, with commas in any of them; commas in brackets part nothing."""
    assert list(read({"trainedWords": said}).trigger_words) == words


@pytest.mark.parametrize(
    ("name", "tags"),
    [
        ("Pony", ("Pony",)),
        (" SD 1.5 ", ("SD 1.5",)),
        ("Unknown", ()),
        ("other", ()),
        ("None", ()),
        ("", ()),
        (None, ()),
        (15, ("15",)),
    ],
)
def test_base_model(name: Any, tags: tuple[str, ...]):
    """The base model is a tag, unless nobody knows it."""
    assert read({"baseModel": name}).tags == tags


@pytest.mark.parametrize(
    ("said", "tags"), [(True, ("nsfw",)), ("true", ("nsfw",)), (False, ()), ("false", ()), (None, ())]
)
def test_not_safe_for_work(said: Any, tags: tuple[str, ...]):
    """What is not safe for work has a tag that says so."""
    assert read({"model": {"nsfw": said}}).tags == tags


@pytest.mark.parametrize(
    ("said", "links"),
    [
        ({"modelId": 5, "id": 6}, ("https://civitai.com/models/5?modelVersionId=6",)),
        ({"modelId": "5", "id": "6"}, ("https://civitai.com/models/5?modelVersionId=6",)),
        ({"modelId": 5}, ("https://civitai.com/models/5",)),
        ({"id": 6}, ()),
        ({"modelId": -1, "id": 6}, ()),
        ({"modelId": "5/../../x", "id": 6}, ()),
        ({"modelId": 1.5}, ()),
        ({"modelId": 10**30}, ()),
    ],
)
def test_the_page(said: dict[str, Any], links: tuple[str, ...]):
    """The page of a version is known by two numbers."""
    assert read(said).links == links


@pytest.mark.parametrize(
    ("creator", "model_creator", "name"),
    [
        ({"username": "fox"}, None, "fox"),
        ("{}", "fox", "fox"),
        ("{}", None, None),
        (None, "fox", "fox"),
        (None, {"username": "fox"}, "fox"),
        ("fox", "owl", "fox"),
    ],
)
def test_the_creator(creator: Any, model_creator: Any, name: str | None):
    """Who made it stands in one of two places, as a name or in an object; of a lost model it is the text `{}`."""
    assert read({"creator": creator, "model": {"creator": model_creator}}).facts.get("creator") == name


@pytest.mark.parametrize(
    ("files", "sha256"),
    [
        ([{"name": "x.pt", "hashes": {"SHA256": "AB" * 32}}], "ab" * 32),
        ([{"name": "x.pt", "primary": True, "hashes": {"SHA256": "AB" * 32}}, {"name": "y.pt"}], "ab" * 32),
        (
            [
                {"name": "x.pt", "primary": True, "hashes": {"SHA256": "CD" * 32}},
                {"name": "Lanterns.ckpt", "hashes": {"SHA256": "AB" * 32}},
            ],
            "ab" * 32,
        ),
        ([{"name": "x.pt", "hashes": {"SHA256": "AB" * 32}}, {"name": "y.pt", "hashes": {"SHA256": "CD" * 32}}], ""),
        ([{"hashes": {"SHA256": "AB" * 31}}], ""),
        ([{"hashes": {"SHA256": 12}}], ""),
        ([{"hashes": None}], ""),
        ([None, 5, "x"], ""),
        ({}, ""),
    ],
)
def test_the_hash_of_the_right_file(files: Any, sha256: str):
    """Of several files that one is meant which has this name, or is the main one; where none is, no hash is taken."""
    assert read({"files": files}).sha256 == sha256


def test_an_old_file():
    """A file of years ago lacks most fields, and has one switch for all pictures."""
    said = {
        "id": 1,
        "modelId": 2,
        "description": "",
        "model": {"name": "Old", "tags": "", "description": None},
        "images": [{"nsfw": "X", "meta": {"prompt": "p"}}],
        "files": [],
    }

    assert read(said) == Provided(
        name="Old",
        links=("https://civitai.com/models/2?modelVersionId=1",),
        prompts=Prompts("p"),
        facts={"model_id": 2, "version_id": 1},
    )


def test_not_known_to_civitai():
    """What Civitai does not know is a file of `{}`, or one of the helper's own making; neither is a problem."""
    made = {
        "id": "",
        "modelId": "",
        "model": {"name": ""},
        "extensions": {"sd_civitai_helper": {"skeleton_file": True}},
    }

    assert read({}) == Provided()
    assert read(made) == Provided(facts={"made_by": "Civitai Helper", "not_on_civitai": True})
