"""Text that others wrote, made fit to be shown: HTML becomes plain text, and no character in it plays tricks.

What comes out is text and nothing else: a program that shows it as markup by mistake finds none in it. Every step
takes time in proportion to the text, whatever is in it, so this reads tags itself: `html.parser` of Python 3.11
takes quadratic time on some input.
"""

import re
from collections.abc import Iterator
from html import unescape
from urllib.parse import urlsplit

MAX_IN = 400_000
"""The most characters of a text that are looked at."""

MAX_OUT = 100_000
"""The most characters that come out, as many as a description may have."""

MAX_URL = 2_000
"""The most characters of a link."""


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_NAMES = "|".join(
    _words(
        "a abbr acronym address applet area article aside audio b base basefont bdi bdo bgsound big blink "
        "blockquote body br button canvas caption center cite code col colgroup data datalist dd del details "
        "dfn dialog dir div dl dt em embed fieldset figcaption figure font footer form frame frameset h1 h2 "
        "h3 h4 h5 h6 head header hgroup hr html i iframe img input ins kbd keygen label layer legend li link "
        "listing main map mark marquee math menu menuitem meta meter nav nobr noembed noframes noscript "
        "object ol optgroup option output p param picture plaintext pre progress q rp rt ruby s samp script "
        "search section select slot small source span strike strong style sub summary sup svg table tbody td "
        "template textarea tfoot th thead time title tr track tt u ul var video wbr xml xmp"
    )
)
_GIVES_AWAY = r"[^<>]*?\b(?:on[a-z]+|style|href|src)\s*="  # what no `<` of a plain text is followed by
_MARKUP = re.compile(
    rf"<(?:(?:{_NAMES})(?:[\s/][^<>]*)?>|/[a-z][^<>]*>|!--|!doctype\b|!\[cdata\[|\?xml\b|[a-z]{_GIVES_AWAY})",
    re.IGNORECASE,
)
_TAGLIKE = re.compile(rf"<(?=[/!?]|(?:{_NAMES})(?![\w:-])|[a-z]{_GIVES_AWAY})", re.IGNORECASE)

# What nobody sees and what turns the writing round: controls but for tab and newline, byte order marks and zero-width
# spaces, the bidirectional embeddings, overrides and isolates, the interlinear marks, what is no character.
_INVISIBLE = re.compile(
    "[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\u200b\u202a-\u202e\u2060\u2066-\u2069\ufdd0-\ufdef\ufeff\ufff9-\ufffb\ufffe\uffff]"
)
_LINE_ENDS = re.compile("\r\n?|[\x85\u2028\u2029]")
_SURROGATES = re.compile("[\ud800-\udfff]")


def visible(text: str) -> str:
    """Give the text less all that is invisible or turns the writing round; its line ends are newlines."""
    if text.isascii() and text.isprintable():
        return text
    text = _SURROGATES.sub("\ufffd", _LINE_ENDS.sub("\n", text))
    return _INVISIBLE.sub("", text)


def is_html(text: str) -> bool:
    """Tell whether the text is HTML: it has a tag that a browser knows. `a < b` and `<lora:foo:1>` are plain text."""
    return "<" in text and _MARKUP.search(text) is not None


def clean(text: str, most: int = MAX_OUT) -> str:
    """Give a text as plain text of at most `most` characters; what is plain already stays as it is.

    Of HTML the paragraphs are set apart by an empty line, items of lists begin with `- `, and links stand behind
    their words in parentheses. Where what is left still looks like a tag, because it was written with `&lt;`,
    a space behind its `<` says that it is text.
    """
    text = visible(text[:MAX_IN])
    if is_html(text):
        text = _TAGLIKE.sub("< ", visible(_Page().read(text)))
    return shortened(text, most)


def shortened(text: str, most: int) -> str:
    """Give at most `most` characters of a text, with an ellipsis where some are left out."""
    return text if len(text) <= most else text[: most - 2].rstrip() + " \u2026"


def web_address(text: str) -> str:
    """Give a link if it is one to the web that can be shown and followed, else nothing."""
    address = text.strip()
    if len(address) > MAX_URL or visible(address) != address or re.search(r"[\s<>\"]", address):
        return ""
    try:
        parts = urlsplit(address)
        host = parts.hostname
    except ValueError:
        return ""
    return address if parts.scheme in ("http", "https") and host else ""


_BLOCKS = frozenset(
    _words(
        "p h1 h2 h3 h4 h5 h6 blockquote table dl figure form fieldset section article aside header footer main nav "
        "address center details hgroup dir menu body"
    )
)
_LINES = frozenset(_words("div tr dt dd caption legend summary figcaption option"))
_DROPPED = frozenset(
    _words("script style iframe noembed noframes noscript template title svg math object applet textarea select")
)
_MAX_INDENT = 6
_SPACES = re.compile(r"[\s\xa0]+")
_TAG_NAME = re.compile(r"/?[a-zA-Z][^\s/>]*")
_TAG_END = re.compile(r"[>\"']")
_MAX_ATTRIBUTE = 8_000
_HREF = re.compile(r"""\bhref\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))""", re.IGNORECASE)
_NETWORK = re.compile(r"<(?:lora|lyco|locon|hypernet|embedding):[^<>]*>", re.IGNORECASE)
_BLANK_LINES = re.compile(r"\n{3,}")


class _Page:
    """One page of HTML on its way to text."""

    def __init__(self) -> None:
        self._out: list[str] = []
        self._break = 0  # newlines owed before the next word
        self._space = False  # a space owed before the next word
        self._dash = ""  # what the next word is to follow, as the first of an item
        self._lists = 0
        self._pre = 0
        self._link: tuple[str, int] | None = None

    def read(self, text: str) -> str:
        """Give the text of the page."""
        for name, piece in _pieces(text):
            if name:
                self._tag(name, piece)
            elif self._pre:
                self._put_lines(unescape(piece))
            else:
                self._put(unescape(piece))
        self._end_link()
        return _BLANK_LINES.sub("\n\n", "".join(self._out)).strip()

    def _put(self, text: str) -> None:
        words = _SPACES.sub(" ", text)
        self._space = self._space or words.startswith(" ")
        if words.strip():
            self._write(words.strip())
            self._space = words.endswith(" ")

    def _put_lines(self, text: str) -> None:
        for number, line in enumerate(text.split("\n")):
            self._break = min(self._break + 1, 2) if number else self._break
            if line:
                self._write(line)

    def _write(self, words: str) -> None:
        if self._out:
            self._out.append("\n" * self._break or (" " if self._space else ""))
        self._out += self._dash, words
        self._break, self._space, self._dash = 0, False, ""

    def _tag(self, name: str, tag: str) -> None:
        closes, name = name.startswith("/"), name.removeprefix("/")
        match name:
            case "br":
                self._break = min(self._break + 1, 2)
            case "hr":
                self._apart(2)
                self._write("---")
                self._apart(2)
            case "a":
                self._end_link()
                if not closes:
                    self._begin_link(tag)
            case "li":
                self._break = max(self._break, 1)
                self._dash = "" if closes else "  " * (min(self._lists, _MAX_INDENT) - 1) + "- "
            case "ul" | "ol":
                outer = max(0, self._lists - 1) if closes else self._lists
                self._lists = outer if closes else outer + 1
                self._apart(1 if outer else 2)
            case "pre":
                self._pre = max(0, self._pre + (-1 if closes else 1))
                self._apart(2)
            case "td" | "th":
                self._space = True
            case _ if name in _BLOCKS:
                self._apart(1 if self._lists else 2)
            case _ if name in _LINES:
                self._apart(1)
            case _ if _NETWORK.fullmatch(tag):  # what people write in prompts, and no browser knows
                self._put(tag)

    def _apart(self, lines: int) -> None:
        # A paragraph in an item stands beside its dash.
        if not self._dash:
            self._break = max(self._break, lines)

    def _begin_link(self, tag: str) -> None:
        found = _HREF.search(tag)
        if found:
            self._link = web_address(unescape(next(filter(None, found.groups()), ""))), len(self._out)

    def _end_link(self) -> None:
        if self._link is None:
            return
        address, start = self._link
        self._link = None
        words = "".join(self._out[start:]).strip()
        if not address or _bare(words) == _bare(address):
            return
        if words:
            self._out.append(f" ({address})")
        else:
            self._write(address)


def _bare(address: str) -> str:
    return address.removeprefix("https://").removeprefix("http://").removeprefix("www.").rstrip("/")


def _pieces(text: str) -> Iterator[tuple[str, str]]:
    """Give each tag of a page and its name (`/p` ends a paragraph), and what stands between tags, without a name.

    What browsers do not show is left out.
    """
    at, last_end, quotes = 0, text.rfind(">"), True
    while (start := text.find("<", at)) >= 0:
        yield "", text[at:start]
        name = _TAG_NAME.match(text, start + 1, last_end + 1)
        if text.startswith("<!--", start):
            at = _behind(text, "-->", start + 4)
        elif text.startswith(("<!", "<?"), start):
            at = _behind(text, ">", start)
        elif name:
            end = _tag_end(text, start) if quotes else 0
            # Quotation marks that lead nowhere once are not followed again: each time it could be to the very end.
            quotes = end > 0
            end = end or text.find(">", start) + 1
            yield name.group().lower(), text[start:end]
            at = _behind_dropped(text, name.group().lower(), end)
        else:
            yield "", "<"
            at = start + 1
    yield "", text[at:]


def _behind(text: str, end: str, start: int) -> int:
    found = text.find(end, start)
    return len(text) if found < 0 else found + len(end)


def _tag_end(text: str, start: int) -> int:
    """Give where a tag ends, 0 where nothing ends it; a quotation mark that none follows soon hides no end."""
    at = start + 1
    while found := _TAG_END.search(text, at):
        if found.group() == ">":
            return found.end()
        closing = text.find(found.group(), found.end(), found.end() + _MAX_ATTRIBUTE)
        at = max(found.end(), closing + 1)
    return 0


def _behind_dropped(text: str, name: str, at: int) -> int:
    """Give where it goes on behind an element that is dropped with all that is in it."""
    if name not in _DROPPED:
        return at
    end = re.compile(rf"</{name}(?=[\s/>])", re.IGNORECASE).search(text, at)
    return len(text) if end is None else end.start()
