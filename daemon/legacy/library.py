"""The library of an earlier Hikaze, read without a byte of it changed: v1 (`hikaze_mm.sqlite3`) and Hikaze 2."""

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager

import apsw

from .copying import NotALibrary, SourceBusy, copied, form_of, open_copy, private_folder
from .forms import Forms
from .pictures import Pictures
from .row import Broken, Item, Picture, Row, Source, Unused
from .source import find

__all__ = [
    "Broken",
    "Item",
    "Legacy",
    "NotALibrary",
    "Picture",
    "Row",
    "Source",
    "SourceBusy",
    "Unused",
    "find",
    "snapshot",
]


class Legacy:
    """An earlier library as it was when the snapshot was taken. One thread at a time may use it."""

    def __init__(self, forms: Forms) -> None:
        """Read by the tables of one of the earlier ones."""
        self._forms = forms

    def count(self) -> int:
        """Give how many models and pending models it has, for progress; `rows` gives a little more than these."""
        return self._forms.count()

    def rows(self) -> Iterator[Item]:
        """Give everything in it: hashed models, those without a hash, pending models, tags that stand on nothing,
        then what else cannot be used. Always in this order, in memory that does not grow with the library.
        """
        return self._forms.rows()


@contextmanager
def snapshot(source: Source, folder: str) -> Iterator[Legacy]:
    """Give an earlier library as it is now, from a copy of its database in a folder of its own below `folder`
    (which is made if need be); the copy is removed in the end.

    Raises `NotALibrary`, `SourceBusy` where it was written to all the time, and OSError where it cannot be copied.
    """
    with private_folder(folder) as private, closing(open_copy(copied(source.database, private), source.database)) as db:
        form = form_of(db, source.database)
        with closing(Pictures(source.images, form, os.path.join(private, "pictures.db"))) as pictures:
            try:
                forms = Forms(db, form, pictures)
            except apsw.Error as error:
                raise NotALibrary(f"{source.database} cannot be read: {error}") from error
            yield Legacy(forms)
