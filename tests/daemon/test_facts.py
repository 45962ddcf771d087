"""What a person is told of a model and of a pending one."""

from typing import Any

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
