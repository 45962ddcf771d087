"""Reading what a node's widget holds; the cases are shared with the node's face, which reads the same."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from hikaze.comfy_node.payload import Lora, PayloadError, read_checkpoint, read_loras

CASES = json.loads(Path(__file__).parents[1].joinpath("payloads.json").read_text(encoding="utf-8"))


def read(node: str, text: str) -> Any:
    """Read a payload into the form that the table has."""
    if node == "checkpoint":
        return {"ckpt_path": read_checkpoint(text)}
    return [asdict(lora) for lora in read_loras(text)]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['node']}: {case['name']}")
def test_every_spelling(case: dict[str, Any]) -> None:
    """A payload gives what the table says, or its very sentence."""
    if "error" in case:
        with pytest.raises(PayloadError) as refused:
            read(case["node"], case["input"])
        assert str(refused.value) == case["error"]
    else:
        assert read(case["node"], case["input"]) == case["output"]


@pytest.mark.parametrize(
    "text", ["[" * 100_000, "9" * 10_000 + "x", '[{"path": "a", "strength_model": ' + "9" * 400 + "}]"]
)
def test_what_is_too_much(text: str) -> None:
    """Nesting and numbers beyond what anybody reads are refused like all else that is broken."""
    with pytest.raises(PayloadError):
        read_loras(text)


@pytest.mark.parametrize(
    ("lora", "works"),
    [
        (Lora("a"), True),
        (Lora("a", strength_model=0.0), True),
        (Lora("a", strength_clip=0.0), True),
        (Lora("a", strength_model=-0.0, strength_clip=0.0), False),
        (Lora("a", enabled=False), False),
    ],
)
def test_which_entries_do_something(lora: Lora, works: bool) -> None:
    """An entry does something when it is on and one of its strengths is not 0."""
    assert lora.works is works
