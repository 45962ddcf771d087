"""How models are found by their words: short words lie in the row, long ones have an index of three letters each.

Looking through all that sidecars say of 10,000 models takes a tenth of a second and more, and an index of what is short
costs an import more than it saves. What the index finds is looked through for the word itself, so it need not be exact.
"""

from .tables import Tables
from .text import fold

SHORT = 400
"""Letters; as many stand in a row that SQLite reads with the rest of it."""
_GRAM = 3
_MOST_GRAMS = 30  # asked of the index for one word: what they find holds the word as good as surely

SCHEMA = """
CREATE VIRTUAL TABLE model_words USING fts5 (
    words, content = '', contentless_delete = 1, detail = 'none', tokenize = 'trigram case_sensitive 1'
);
"""
INDEXES = "CREATE INDEX models_by_words ON models (sha256, type, file_words, words);\n"


def long_words_of(db: Tables, model: str) -> str:
    """Give the long words of a model, which the index has; none of one that nobody knows."""
    row = db.select("SELECT long_words FROM models WHERE sha256 = ?", (model,)).fetchone()
    return "" if row is None else row[0]


def index_long_words(db: Tables, model: str, before: str, now: str) -> None:
    """Bring the index in step with a model's long words, those before and those that its row holds now."""
    if before == now:
        return
    if before:  # asking the index for what it has not would cost more than the entry
        db.execute("DELETE FROM model_words WHERE rowid = (SELECT rowid FROM models WHERE sha256 = ?)", (model,))
    if now:
        # By VALUES: with a SELECT here the index is written out for each model, which takes four times as long.
        db.execute(
            "INSERT INTO model_words (rowid, words) VALUES ((SELECT rowid FROM models WHERE sha256 = ?), ?)",
            (model, now),
        )


def short_and_long(words: str) -> tuple[str, str]:
    """Give what the columns `words` and `long_words` hold: the folded words, in one of them."""
    folded = fold(words)
    return (folded, "") if len(folded) <= SHORT else ("", folded)


def holds(word: str) -> tuple[str, list[str]]:
    """Give the condition that a model `m` holds a word, and its values."""
    folded = fold(word)
    grams = dict.fromkeys(folded[at : at + _GRAM] for at in range(len(folded) - _GRAM + 1))
    if not grams or "\0" in folded:  # too short for the index; or what it would take for the end
        return "(instr(m.words, ?) OR instr(m.long_words, ?))", [folded, folded]
    asked = " AND ".join(_quoted(gram) for gram in list(grams)[:_MOST_GRAMS])
    found = "m.rowid IN (SELECT rowid FROM model_words WHERE model_words MATCH ?)"
    # CASE, since SQLite would rather look through long words than ask an IN; and of the row once more, so that all
    # but these few lie in `models_by_words`.
    look = "(SELECT instr(l.long_words, ?) FROM models l WHERE l.rowid = m.rowid)"
    return f"(instr(m.words, ?) OR CASE WHEN {found} THEN {look} END)", [folded, asked, folded]


def _quoted(gram: str) -> str:
    return '"' + gram.replace('"', '""') + '"'
