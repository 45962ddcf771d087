"""How text is compared: what counts as the same tag, the order of names, and what a search looks in."""

import unicodedata


def tag_key(name: str) -> str:
    """Give what two spellings of one tag have in common: Unicode case folding of the NFC form."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def fold(text: str) -> str:
    """Give a text without case, accents and width, for searching and sorting.

    That is NFKD, its marks dropped, folded, and `_LETTERS` for those letters that Unicode takes for no others with
    an accent, though a keyboard without them has only those: so that "soren" finds "Søren".
    """
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", text)
    folded = "".join(c for c in decomposed if not unicodedata.combining(c)).casefold()
    return folded if folded.isascii() else folded.translate(_LETTERS)


_LETTERS = str.maketrans(
    {
        **dict(zip("æœþ", ("ae", "oe", "th"), strict=True)),
        **dict(zip("øłđðħŧŋıȷəǝɛɔ", "olddhtnijeeeo", strict=True)),
        # with bar, stroke or hook, as in alphabets of Africa, America and the Caucasus
        **dict(zip("ƀɓȼƈɖɗɇƒǥɠɨɉƙƚɫɲƞɵƥɋɍɽƭʈʉʋɏƴƶȥ", "bbccddefggijkllnnopqrrttuvyyzz", strict=True)),
    }
)
