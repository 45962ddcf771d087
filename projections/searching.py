"""What is searched of a model, and the index of the long texts among it.

What people may search for is short in most models, and lies in memory once somebody lists or searches
(`finding_words`). What sidecars and headers tell may be long: so texts of more than `SHORT` letters have an index of
three letters each, FTS5 without its own copy of the text. It follows the rows of other views, so those call nothing
here: `runner` has `follow` bring it in step with what events touched, and `fill` builds it at the end of a rebuild,
which is far cheaper than model by model. It keeps no positions, so it gives candidates: whoever asks looks at their
texts.
"""

from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b
from itertools import islice

import apsw
import msgspec

from ..events.record import Stored
from .tables import Tables, rows

VERSION = 1
LAYERS = ("name", "texts", "files", "earlier names", "earlier files")
NAME, TEXTS, FILES, HAD_NAMES, HAD_FILES = range(len(LAYERS))
SHORT = 256
"""Letters; to index a longer text takes a tenth of a millisecond and more, half a microsecond a letter."""
GRAM = 3
_MOST_GRAMS = 30  # asked of the index for one word: what they find holds the word as good as surely

# `model_indexed` tells by a digest what is in the index: to take out what is not there costs more than to put it in.
SCHEMA = """
CREATE VIRTUAL TABLE model_words USING fts5 (
    words, content = '', contentless_delete = 1, detail = 'none', tokenize = 'trigram case_sensitive 1'
);
CREATE TABLE model_indexed (model INTEGER PRIMARY KEY, digest INTEGER NOT NULL);
"""
INDEXES = ""
HANDLES = ()

_WORDS = "SELECT m.rowid, m.name_key, m.words FROM models m"
_FILL_AT_ONCE = 2_000


def apply(db: Tables, stored: Stored) -> None:
    """Do nothing: what events mean is in the rows of the other views."""


class Document(msgspec.Struct, frozen=True, gc=False):
    """All that is searched of a model, by layer, folded.

    Of the words all but their first line, which is the name; the files of all locations, each behind a slash, of a
    model without any the last one; and the names it had before, one a line.
    """

    model: int
    layers: tuple[str, ...]


def _behind(name: str, words: str) -> str:
    return words[len(name) + 1 :]  # SQLite's `substr` ends at a NUL


_AMONG = "WHERE m.rowid IN (SELECT value FROM json_each(?))"


def fill(db: apsw.Connection) -> None:
    """Build all of the index, which is empty, from the rows."""
    found = _long(db, "ORDER BY m.rowid")
    while some := list(islice(found, _FILL_AT_ONCE)):
        _put(db, some)


def follow(db: apsw.Connection, hashes: Iterable[str]) -> None:
    """Bring the index in step with the rows of some models."""
    asked = (msgspec.json.encode(rowids(db, hashes)).decode(),)
    known = dict(rows(db, f"SELECT m.model, m.digest FROM model_indexed m {_AMONG.replace('rowid', 'model')}", asked))  # noqa: S608
    wanted = dict(_long(db, _AMONG, asked))
    new = [(model, text) for model, text in sorted(wanted.items()) if known.get(model) != _digest(text)]
    replaced = {model for model, _ in new}
    old = [(model,) for model in known if model in replaced or model not in wanted]
    if old:
        db.executemany("DELETE FROM model_words WHERE rowid = ?", old)
        db.executemany("DELETE FROM model_indexed WHERE model = ?", old)
    _put(db, new)


def _long(db: apsw.Connection, which: str, values: tuple[str, ...] = ()) -> Iterator[tuple[int, str]]:
    for model, name, words in db.execute(f"{_WORDS} {which}", values):
        text = _behind(name, words)
        if len(text) > SHORT:
            yield model, text


def _put(db: apsw.Connection, new: Sequence[tuple[int, str]]) -> None:
    if new:
        # The tokenizer takes NUL for the end of a text.
        texts = ((model, text.replace("\0", " ")) for model, text in new)
        db.executemany("INSERT INTO model_words (rowid, words) VALUES (?, ?)", texts)
        db.executemany("INSERT INTO model_indexed VALUES (?, ?)", ((model, _digest(text)) for model, text in new))


def _digest(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big", signed=True)


# Queries ----------------------------------------------------------------------------------------------


def rowids(db: apsw.Connection, hashes: Iterable[str]) -> list[int]:
    """Give the rowids of models by their hashes; those that are unknown are left out."""
    asked = msgspec.json.encode(sorted(hashes)).decode()
    found = rows(
        db, "SELECT rowid FROM models WHERE sha256 IN (SELECT value FROM json_each(?)) ORDER BY rowid", (asked,)
    )
    return [model for (model,) in found]


def indexed(db: apsw.Connection) -> list[int]:
    """Give the models whose texts are in the index, by their rowids."""
    return _NUMBERS.decode(db.execute("SELECT json_group_array(model) FROM model_indexed").get)


def candidates(db: apsw.Connection, word: str) -> list[int] | None:
    """Give the models whose long texts hold every three letters of a folded word, None where the index cannot tell."""
    grams = dict.fromkeys(word[at : at + GRAM] for at in range(len(word) - GRAM + 1))
    asked = [_quoted(gram) for gram in grams if "\0" not in gram][:_MOST_GRAMS]
    if not asked:
        return None
    found = db.execute(
        "SELECT json_group_array(rowid) FROM model_words WHERE model_words MATCH ?", (" AND ".join(asked),)
    ).get
    return _NUMBERS.decode(found)


_NUMBERS = msgspec.json.Decoder(list[int])


def _quoted(gram: str) -> str:
    return '"' + gram.replace('"', '""') + '"'
