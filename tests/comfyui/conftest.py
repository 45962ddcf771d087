"""One real ComfyUI for all tests here that do not need one of their own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from . import tiny
from .harness import ComfyUI, is_here


@pytest.fixture(scope="session")
def _real() -> None:
    """Skip what needs a real ComfyUI where none was set up."""
    if not is_here():
        pytest.skip("no ComfyUI was set up: sh tools/comfyui.sh")


@pytest.fixture(scope="session")
def comfyui(_real: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ComfyUI]:
    """Give a running ComfyUI with a tiny checkpoint and some LoRAs."""
    running = furnished(tmp_path_factory.mktemp("comfyui"))
    running.start()
    yield running
    running.stop()


def furnished(base: Path) -> ComfyUI:
    """Make a ComfyUI with models, still to be started."""
    made = ComfyUI(base)
    tiny.write_checkpoint(made.folder("checkpoints") / "tiny.safetensors")
    for number, name in enumerate(("a", "b", "sub/c"), 1):
        tiny.write_lora(made.folder("loras") / f"{name}.safetensors", number / 100)
    return made
