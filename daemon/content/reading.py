"""What an event keeps of a file's header: the header in short, and what it tells. The only place that makes it."""

from collections.abc import Sequence
from typing import Any

from .header import Header, Tensor, read, summary
from .study import study


def of_file(path: str, type_: str | None = None) -> tuple[Header, list[Tensor], dict[str, Any]]:
    """Read a file's header and tensors, and make of them what an event keeps. Raises OSError."""
    header, tensors = read(path)
    return header, tensors, header_dict(header, tensors, type_)


def header_dict(header: Header, tensors: Sequence[Tensor], type_: str | None) -> dict[str, Any]:
    """Give what an event keeps of a header, as JSON of at most 88 KiB: `summary`, and what `study` tells of it."""
    return summary(header) | study(header, tensors, type_)
