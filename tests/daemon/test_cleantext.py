"""HTML of providers becomes clean text; what is text already stays."""

import re

import pytest
from hikaze.daemon.sidecars import cleantext
from hypothesis import given
from hypothesis import strategies as st

PIECES = [
    *("<", ">", "/", "!", "--", '"', "'", "=", " ", "\n", "a", "p", "on", "&lt;", "&gt;", "&amp;", "&#60;", "\0"),
    *("<p>", "</p>", "<b>", "<a href=", "<script>", "</script>", "<!--", "-->", "<lora:x:1>", "\u202e", "\ud800"),
    *("https://x.y", "onclick", "<li>", "<ul>", "</ul>", "<pre>", "x", "style", "<svg/", "&", "&#x202e;", "\ufeff"),
]
# What a browser would take for a tag of HTML, or for any tag with something in it that acts.
TAG = re.compile(r"<(?:/?(?:p|b|a|i|script|svg|img|li|ul|pre)[\s/>]|!--|[a-z][^<>]*\bon[a-z]+\s*=)", re.IGNORECASE)


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>One</p><p>Two</p>", "One\n\nTwo"),
        ("<p>One</p>\n\n  <p>Two</p>\n", "One\n\nTwo"),
        ("<p>One<br>Two<br/>Three</p>", "One\nTwo\nThree"),
        ("<p>One</p><hr /><p>Two</p>", "One\n\n---\n\nTwo"),
        ("<h1>Title</h1><div>a</div><div>b</div>", "Title\n\na\nb"),
        ("<p>some <strong>bold</strong>, <em>odd</em>ly   spaced\ntext</p>", "some bold, oddly spaced text"),
        ("Try:<ul><li>one</li><li><p>two</p></li></ul>end", "Try:\n\n- one\n- two\n\nend"),
        ("<ol><li>a<ul><li>b</li></ul></li><li>c</li></ol>", "- a\n  - b\n- c"),
        ("<ul><li></li><li>x</li></ul>", "- x"),
        ("<table><tr><th>a</th><td>b</td></tr><tr><td>c</td></tr></table>", "a b\nc"),
        ("<pre>a\n  b\n\n\n\nc</pre>", "a\n  b\n\nc"),
        ("<p>a&nbsp;b &amp; c &eacute; &#39;d&#39;</p>", "a b & c \u00e9 'd'"),
        ("<p>x<!-- <p>hidden</p> -->y</p>", "xy"),
        ("<p>x</p><script>alert('<p>y</p>')</script><STYLE>p{}</STYLE ><p>z</p>", "x\n\nz"),
        ("<p>x</p><script>never closed", "x"),
        ("<!DOCTYPE html><html><head><title>t</title></head><body>x</body></html>", "x"),
        ("<p>x <img src=x onerror=alert(1)> y</p>", "x y"),
        ('<p title="a > b">x</p>', "x"),
        ('<p title="never closed>x</p> <b>y</b>', "x\n\ny"),
        ("<p>a < b and <c", "a < b and <c"),
        ("<p>strength <b", "strength < b"),
        ("<b>Use</b> <lora:foo:0.8> now", "Use <lora:foo:0.8> now"),
        ("<o:p>Word</o:p><p>x</p>", "Word\n\nx"),
        ("<svg><script>x</script></svg>", ""),
        ("<p></p>", ""),
    ],
)
def test_html_becomes_text(html: str, text: str):
    """Paragraphs, lists and line breaks are kept, as text; what a browser would not show is left out."""
    assert cleantext.clean(html) == text


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ('<a href="https://x.y/z?a=1&amp;b=2">here</a>', "here (https://x.y/z?a=1&b=2)"),
        ("<a class=c href='http://x.y'>here</a>!", "here (http://x.y)!"),
        ("<a href=https://x.y/>https://x.y</a>", "https://x.y"),
        ("<a href='https://www.x.y/'>x.y</a>", "x.y"),
        ("<a href='https://x.y'><img src='https://i.j/k.png'></a>", "https://x.y"),
        ("<a href='https://x.y'>one<a href='https://z.w'>two", "one (https://x.y)two (https://z.w)"),
        ("<a href='javascript:alert(1)'>bad</a>", "bad"),
        ("<a href=' JaVaScRiPt:alert(1)'>bad</a>", "bad"),
        ("<a href='data:text/html,x'>bad</a>", "bad"),
        ("<a href='/models/1'>here</a>", "here"),
        ("<a href='https://x.y/&#x202e;gpj'>bad</a>", "bad"),
        ("<a href='https://" + "x" * 3000 + "'>long</a>", "long"),
        ("<a>no address</a>", "no address"),
    ],
)
def test_links(html: str, text: str):
    """A link to the web stands behind its words; any other is only its words."""
    assert cleantext.clean(html) == text


@pytest.mark.parametrize(
    "text",
    [
        "a < b > c",
        "I <3 this <- really",
        "(<lora:foo:1>:1.2), 1girl",
        "<cat-toy> is the word",
        "x <b and no more",
        "Tom & Jerry &amp; &lt;p&gt;",
        "  spaced\n\n\tas it is  ",
        "if x <y and z = 3 > 2",
        "<https://x.y/?a=b>",
        "\u200f\u05e9\u05dc\u05d5\u05dd\u200e \U0001f468\u200d\U0001f469",
        "",
    ],
)
def test_plain_text_stays(text: str):
    """What has no tag of HTML in it is text already, and not a letter of it changes."""
    assert not cleantext.is_html(text)
    assert cleantext.clean(text) == text


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("a\0b\x07c\x7f\x9bd", "abcd"),
        ("safe\u202egpj.exe\u2066x\u2069", "safegpj.exex"),
        ("\ufeffa\u200bb\u2060", "ab"),
        ("a\r\nb\rc\x85d\u2028e", "a\nb\nc\nd\ne"),
        ("a\ud800b", "a\ufffdb"),
        ("<p>&#x202e;x&#0;&#7;&ZeroWidthSpace;y</p>", "x\ufffdy"),
        ("<\u202escript>x</script>", ""),
    ],
)
def test_tricky_characters(text: str, cleaned: str):
    """Characters that nobody sees, or that turn the writing round, are left out, also where they are entities."""
    assert cleantext.clean(text) == cleaned


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>&lt;script&gt;alert(1)&lt;/script&gt;</p>", "< script>alert(1)< /script>"),
        ("<p>&#60;img src=x onerror=alert(1)&#62;</p>", "< img src=x onerror=alert(1)>"),
        ("<p>&lt;x onclick=alert(1)></p>", "< x onclick=alert(1)>"),
        ("<i></i><<b>script>", "< script>"),
        ("<p>&amp;lt;b&amp;gt;</p>", "&lt;b&gt;"),
        ("<p>&lt;lora:foo:1&gt; 1 &lt; 2</p>", "<lora:foo:1> 1 < 2"),
    ],
)
def test_what_only_looks_like_a_tag(html: str, text: str):
    """A tag that was written as text is decoded once, and a space says that it is text."""
    cleaned = cleantext.clean(html)

    assert cleaned == text
    assert not cleantext.is_html(cleaned)


def test_it_stays_within_its_bounds():
    """However long the text, no more comes out than was asked for, and an ellipsis says that there was more."""
    assert cleantext.clean("x" * 10, 5) == "xxx \u2026"
    assert cleantext.clean("<p>" + "y" * 500_000) == "y" * (cleantext.MAX_OUT - 2) + " \u2026"


@pytest.mark.parametrize(
    "piece",
    [
        *(
            "<",
            "<a ",
            "<a '",
            '<a ">"',
            "<b>",
            "<p>x</p>",
            "</",
            "<!--",
            "<script",
            "<script>",
            "<style></styl",
            "&lt;",
        ),
        *(
            "&#",
            "<li>",
            "<ul><li>",
            "<a href='",
            "<a href=https://x.y>z",
            "<x onclick",
            "<x on   ",
            "<pre>\n",
            "<!",
            "<?",
        ),
    ],
)
@pytest.mark.parametrize("start", ["", "<p>"])
def test_hostile_text_takes_no_longer(piece: str, start: str):
    """The time it takes grows with the text and not with its square: this would take minutes otherwise."""
    text = start + piece * (100_000 // len(piece))

    assert len(cleantext.clean(text)) <= cleantext.MAX_OUT


@pytest.mark.parametrize(
    ("text", "address"),
    [
        (" https://civitai.com/models/1?modelVersionId=2 ", "https://civitai.com/models/1?modelVersionId=2"),
        ("HTTP://x.y", "HTTP://x.y"),
        ("ftp://x.y", ""),
        ("x.y/z", ""),
        ("https://", ""),
        ("https://[", ""),
        ("https://x.y/a b", ""),
        ('https://x.y/"onclick=', ""),
        ("https://x.y\0", ""),
        ("javascript:alert(1)//https://x.y", ""),
        ("", ""),
    ],
)
def test_web_address(text: str, address: str):
    """Only an address in the web that can be shown as it is is one."""
    assert cleantext.web_address(text) == address


@given(text=st.lists(st.sampled_from(PIECES)).map("".join) | st.text())
def test_nothing_looks_like_markup_afterwards(text: str):
    """Whatever goes in, no markup comes out, nor what UTF-8 has no form for, and to clean it again changes nothing."""
    cleaned = cleantext.clean(text)

    assert not cleantext.is_html(cleaned)
    assert cleantext.is_html(cleantext.visible(text)) or cleaned == cleantext.visible(text)
    assert not cleantext.is_html(cleantext.visible(text)) or TAG.search(cleaned) is None
    assert cleantext.clean(cleaned) == cleaned
    cleaned.encode()
