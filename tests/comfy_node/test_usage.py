"""Which models queued prompts use: what they name, what of it is a file, and what is counted."""

import json
from pathlib import Path
from typing import Any

import pytest
from hikaze.comfy_node.server import noting, was_queued
from hikaze.comfy_node.usage import Counter, Name, names_in, path_of


def node(class_type: str, **inputs: Any) -> dict[str, Any]:
    """Make a node of a prompt."""
    return {"class_type": class_type, "inputs": inputs}


LORAS = [
    {"full_path": "/l/a.safetensors"},
    {"full_path": "/l/off.safetensors", "enabled": False},
    {"full_path": "/l/none.safetensors", "strength_model": 0, "strength_clip": 0},
    {"full_path": "b.safetensors", "strength_model": 0.5},
]


@pytest.mark.parametrize(
    ("prompt", "names"),
    [
        ({"1": node("CheckpointLoaderSimple", ckpt_name="x/a.ckpt")}, {Name("x/a.ckpt", "checkpoints")}),
        ({"1": node("DualCLIPLoader", clip_name1="a.sft", clip_name2="b.gguf", type="flux")},
         {Name("a.sft", "text_encoders"), Name("b.gguf", "text_encoders")}),
        ({"1": node("UpscaleModelLoader", model_name="4x.PTH")}, {Name("4x.PTH")}),
        ({"1": node("Power Lora Loader", lora_1={"on": True, "lora": "a.pt", "strength": 1},
                    lora_2={"on": False, "lora": "b.pt"})}, {Name("a.pt", "loras")}),
        ({"1": node("CLIPTextEncode", text="a (embedding:easy/neg:1.2), embedding:b")},
         {Name("easy/neg", "embeddings"), Name("b", "embeddings")}),
        ({"1": node("HikazeCheckpointLoader", hikaze_payload=json.dumps({"ckpt_path": "/c/x.safetensors"}))},
         {Name("/c/x.safetensors", "checkpoints")}),
        ({"1": node("HikazeLoraPowerLoader", hikaze_payload=json.dumps({"version": 2, "LoRAs": LORAS}))},
         {Name("/l/a.safetensors", "loras"), Name("b.safetensors", "loras")}),
        ({"1": node("HikazeLoraPowerLoader", hikaze_payload="{")}, set()),
        ({"1": node("KSampler", seed=1, model=["2", 0], sampler_name="euler")}, set()),
        ({"1": {"class_type": "X"}, "2": None, "3": {"inputs": []}}, set()),
        (None, set()),
        ([], set()),
    ],
)  # fmt: skip
def test_what_a_prompt_names(prompt: object, names: set[Name]) -> None:
    """Loaders of every pack name files; our own nodes name those that they use."""
    assert names_in(prompt) == names


@pytest.fixture
def folders(tmp_path: Path) -> dict[str, tuple[list[str], set[str]]]:
    """Make ComfyUI's folders, with a file of one name in two of them."""
    for path in ("loras/a.pt", "vae/a.pt", "loras/sub/b.pt", "embeddings/neg.safetensors"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    return {name: ([str(tmp_path / name)], {".pt"}) for name in ("embeddings", "loras", "vae")}


def test_which_file_a_name_means(tmp_path: Path, folders: Any) -> None:
    """A name is looked up as ComfyUI does, in the folders of its type first."""
    assert path_of(Name("a.pt", "vae"), folders) == str(tmp_path / "vae/a.pt")
    assert path_of(Name("a.pt", "nothing"), folders) == str(tmp_path / "loras/a.pt")
    assert path_of(Name("sub\\b.pt"), folders) == str(tmp_path / "loras/sub/b.pt")
    assert path_of(Name("neg", "embeddings"), folders) == str(tmp_path / "embeddings/neg.safetensors")
    assert path_of(Name(str(tmp_path / "vae/a.pt")), folders) == str(tmp_path / "vae/a.pt")
    assert path_of(Name("/no/where.pt"), folders) is None
    assert path_of(Name("where.pt"), folders) is None


def test_only_what_was_queued_is_counted(tmp_path: Path, folders: Any) -> None:
    """A prompt that ComfyUI refused counts nothing, one that it took counts once, whatever becomes of it."""
    queued: set[str] = set()
    counter = Counter(queued.__contains__)
    prompt = {"1": node("LoraLoader", lora_name="a.pt"), "2": node("Lora2", lora_name="a.pt")}
    for number in range(3):
        counter.note(str(number), prompt, at_s=number, time_ms=number + 1)
    counter.settle(folders, 5)
    assert counter.take() == []

    queued |= {"0", "2"}
    counter.settle(folders, 6)
    counter.settle(folders, 7)
    assert counter.take() == [{"path": str(tmp_path / "loras/a.pt"), "count": 2, "last": 3}]
    assert counter.take() == []

    counter.settle(folders, 1_000)
    queued.add("1")
    counter.settle(folders, 1_001)
    assert counter.take() == []


class Old:
    """A queue of an older ComfyUI."""

    def __init__(self) -> None:
        """Begin with a prompt that runs, one that waits, and one that is done."""
        self.running, self.waiting, self.done = [(0, "r", {})], [(1, "w", {})], {"d": {"prompt": ()}}

    def get_current_queue(self) -> tuple[list[Any], list[Any]]:
        """Give what runs and what waits."""
        return self.running, self.waiting

    def get_history(self, prompt_id: str) -> dict[str, Any]:
        """Give what is done."""
        return {prompt_id: self.done[prompt_id]} if prompt_id in self.done else {}


class New(Old):
    """A queue as ComfyUI has it now: what it gives need not be copied."""

    get_current_queue_volatile = Old.get_current_queue

    def get_history(self, prompt_id: str, map_function: Any = None) -> dict[str, Any]:
        """Give what is made of what is done."""
        return {prompt_id: map_function(self.done[prompt_id])} if prompt_id in self.done else {}


@pytest.mark.parametrize("queue", [Old(), New()])
def test_what_a_queue_has_taken(queue: Old) -> None:
    """A prompt was queued if it waits, runs or is done, in older ComfyUIs as well."""
    assert [was_queued(queue, prompt) for prompt in ("r", "w", "d", "x")] == [True, True, True, False]


def test_a_prompt_is_noted_by_its_id(tmp_path: Path, folders: Any) -> None:
    """A prompt without an id gets one, by which the queue can be asked; nothing else of it is touched."""
    queued: set[str] = set()
    counter = Counter(queued.__contains__)
    prompt = {"1": node("LoraLoader", lora_name="a.pt")}
    named = noting(counter)({"prompt": prompt, "prompt_id": 7, "client_id": "c"})
    assert named == {"prompt": prompt, "prompt_id": 7, "client_id": "c"}
    given = noting(counter)({"prompt": prompt})
    assert given["prompt"] is prompt
    queued |= {"7", given["prompt_id"]}
    counter.settle(folders, 1e12)
    assert [(use["path"], use["count"]) for use in counter.take()] == [(str(tmp_path / "loras/a.pt"), 2)]
    assert noting(counter)({}).keys() == {"prompt_id"}
