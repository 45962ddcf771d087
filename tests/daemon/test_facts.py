"""What a person is told of a model and of a pending one."""

from typing import Any

import pytest
from hikaze.daemon.commands import facts

SAID = {
    "source": "lora-manager",
    "path": "/m/one.metadata.json",
    "name": "One",
    "notes": "at 0.8\n" + "very " * 20,
    "description": "long",
    "links": [],
    "prompts": {"positive": "", "negative": ""},
    "trigger_words": ["a", "b"],
    "tags": ["t"],
    "favorite": True,
    "sha256": "",
    "facts": {},
    "problem": "`civitai` is no object",
}
TEXTS = {
    "name": "one",
    "type": "loras",
    "size_bytes": 10,
    "created_at": 0,
    "tags": ["x"],
    "trigger_words": [],
    "description": "two",
    "community_links": "",
    "prompts": {"positive": "", "negative": "n"},
    "header": {"rank": 16, "metadata": {}},
    "provided": [SAID],
}
MODEL: dict[str, Any] = TEXTS | {
    "sha256": "ab" * 32,
    "state": "present",
    "favorite": False,
    "images": [],
    "cover": None,
    "hash_state": "denied",
    "denied": [{"path": "/m/two", "sha256": "cd" * 32}],
    "locations": [{"path": "/m/one", "state": "present", "claimed": True}],
}
PENDING: dict[str, Any] = TEXTS | {
    "id": 7,
    "type": None,
    "state": "missing",
    "path": "/p/one",
    "sha256": None,
    "replaces": "ef" * 32,
    "image": "7.png",
}


def test_a_model() -> None:
    """Short lines tell what is not certain of its hash, and what each sidecar says."""
    told = list(facts.of_model(MODEL))

    assert ("hash", "an earlier library told of it, but other content lies where it had the file") in told
    assert ("present", "/m/one (not compared yet)") in told
    assert ("denied", f"/m/two is {'cd' * 32}") in told
    assert dict(told)["sidecar"] == (
        "one.metadata.json (lora-manager): 'One', noted 'at 0.8 very very very very very very very very very very very"
        " very ve…', a description, 2 words, 1 tag, a favorite, `civitai` is no object"
    )
    assert ("header", "rank: 16") in told
    assert not {"links", "prompt", "cover", "pictures", "favorite"} & {title for title, _ in told}


def test_a_pending_model() -> None:
    """It is told with what is missing of it, and whose path it took."""
    told = dict(facts.of_pending(PENDING))

    assert told["type"] == "not known; say it with --type when it is imported"
    assert (told["missing"], told["instead of"], told["picture"]) == ("/p/one", "ef" * 32, "7.png")
    assert "content of" not in told


def test_a_sidecar_that_says_nothing() -> None:
    """It is named all the same."""
    nothing = dict.fromkeys(SAID, "") | {"path": "/m/a.txt", "source": "text", "prompts": {}}

    assert dict(facts.of_model(MODEL | {"provided": [nothing]}))["sidecar"] == "a.txt (text): nothing that is shown"


def test_offered_prompts() -> None:
    """Prompts of a picture are told as offered, where nobody has written any."""
    offered = {"offered_prompts": {"positive": "a cat", "negative": "bad", "image": "ab" * 32 + "_3"}}
    without = {"prompts": {"positive": "", "negative": ""}}

    assert [value for title, value in facts.of_model(MODEL | without | offered) if title == "offered"] == [
        "prompt (from picture …_3): a cat",
        "negative prompt (from picture …_3): bad",
    ]
    assert not [title for title, _value in facts.of_model(MODEL | offered) if title == "offered"]
    pending = PENDING | without | {"offered_prompts": {"positive": "a cat", "negative": "", "image": "7"}}
    assert ("offered", "prompt (from its picture): a cat") in list(facts.of_pending(pending))


STUDIED: dict[str, Any] = {
    "format": "safetensors",
    "tensor_count": 722,
    "parameters": 114_000_000,
    "problem": None,
    "rules": 1,
    "metadata": {"ss_steps": "10"},
    "facts": {
        "base_model": "SDXL",
        "evidence": "tensors",
        "precision": "fp16",
        "parameters": 114_000_000,
        "adapter": {"kind": "LoRA", "rank": 32, "alpha": 16.0, "targets": ["unet"]},
        "trained_words": [{"word": "inkwash", "count": 30}],
    },
    "told": {"tags": ["SDXL"], "trigger_words": ["inkwash"], "description": ""},
}
FROM_FILES: dict[str, Any] = {
    "tags": ["ink", "SDXL", "style"],
    "tag_origins": {"ink": "user", "SDXL": "header", "style": "provider"},
    "trigger_words": ["inkwash", "brush"],
    "origins": {"trigger_words": "header", "description": "provider", "prompts": "user", "community_links": "none"},
    "header": STUDIED,
}


@pytest.mark.parametrize("told", [facts.of_model(MODEL | FROM_FILES), facts.of_pending(PENDING | FROM_FILES)])
def test_where_it_comes_from(told: facts.Facts) -> None:
    """Tags and texts that no person gave are told with whom they come from, and the header in words."""
    lines = list(told)

    assert ("tags", "ink, SDXL (from the header), style (from a sidecar)") in lines
    assert ("words", "inkwash, brush (from the header)") in lines
    assert ("about", "two (from a sidecar)") in lines
    assert ("negative", "n") in lines
    assert [text for title, text in lines if title == "header"] == [
        "base model: SDXL (by its tensors)",
        "kind: LoRA, rank 32, alpha 16, for UNet",
        "precision: fp16, 114 million parameters",
        "trained words: inkwash (30)",
        "format: safetensors",
        "tensor_count: 722",
    ]


def test_a_header_that_nobody_studied() -> None:
    """Of a header that was read before there were facts its plain fields are told."""
    told = list(facts.of_pending(PENDING | {"header": {"format": "gguf", "parameters": 7, "metadata": {"a": "b"}}}))

    assert [text for title, text in told if title == "header"] == ["format: gguf", "parameters: 7"]


def test_earlier_names() -> None:
    """A model is told with the names it had before, those of its files as such."""
    names = [{"kind": "name", "name": "Tusche"}, {"kind": "file", "name": "ink_v1.pt"}]

    assert dict(facts.of_model(MODEL | {"earlier_names": names}))["before"] == "Tusche, ink_v1.pt (a file)"
    assert "before" not in dict(facts.of_model(MODEL | {"earlier_names": []}))
