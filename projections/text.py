"""How text is compared: what counts as the same tag, the order of names, and what a search looks in."""

import unicodedata


def tag_key(name: str) -> str:
    """Give what two spellings of one tag have in common: Unicode case folding of the NFC form."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def fold(text: str) -> str:
    """Give a text without case, accents and width, for searching and sorting (NFKD, marks dropped, folded)."""
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(c for c in decomposed if not unicodedata.combining(c)).casefold()
