"""Pictures that lie beside model files: found by name, and copied before anybody looks into them."""

import os
import shutil
from collections.abc import Sequence
from errno import EFBIG

from .hashing import open_regular
from .listing import Listing
from .names import Folder, companion_names


def beside(folders: Listing[Folder], folder: str, models: Sequence[str]) -> list[str | None]:
    """Give the picture of each of some models in one folder, None where it has none."""
    try:
        listed = folders.of(folder)
    except OSError:
        return [None] * len(models)
    names = [listed.picture_of(name) for name in models]
    return [None if name is None else os.path.join(folder, name) for name in names]


def by_name(path: str) -> str | None:
    """Give the picture that has one of a companion's names, exactly."""
    folder, name = os.path.split(path)
    candidates = (os.path.join(folder, candidate) for candidate in companion_names(name))
    return next((candidate for candidate in candidates if os.path.isfile(candidate)), None)


def copy(path: str, to: str, most: int) -> None:
    """Copy a picture of at most `most` bytes to a new file. Raises what `open_regular` raises, and OSError."""
    with open_regular(path) as original, open(to, "xb", opener=_private) as target:
        if os.fstat(original.fileno()).st_size > most:
            raise OSError(EFBIG, "the picture is too large", path)
        shutil.copyfileobj(original, target, 1 << 20)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
