"""Lets PyPI's torchvision, which is built for CUDA, be imported beside a torch that is built without.

Its own library cannot be loaded there, so that operators are unknown which it describes when it is imported.
tools/comfyui.sh copies this into ComfyUI's environment, where a .pth file has it imported at each start of Python.
"""

import importlib.abc
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType


class BeforeTorchvision(importlib.abc.MetaPathFinder):
    """Declares the operators just before torchvision is imported; finds nothing itself."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Find nothing, and declare the operators when their time has come."""
        del path, target
        if fullname == "torchvision":
            sys.meta_path.remove(self)
            declare()
        return None


def declare() -> None:
    """Tell a torch without CUDA of torchvision's operators."""
    import torch  # pyright: ignore[reportMissingImports] - it is there where this is run

    if torch.version.cuda is None:
        for name in ("nms", "qnms"):
            torch.library.define(f"torchvision::{name}", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")


sys.meta_path.insert(0, BeforeTorchvision())
