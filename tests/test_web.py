"""The page as it is built and committed: whole, with nothing from elsewhere; and the sources' own rules."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path, PurePosixPath

import pytest

WEB = Path(__file__).parents[1] / "web"
DIST = WEB / "dist"
BUILT = {path.relative_to(DIST).as_posix(): path for path in sorted(DIST.rglob("*")) if path.is_file()}
CODE = [name for name in BUILT if not name.endswith((".txt", ".woff2", ".png", ".webp"))]
SOURCES = [path for path in sorted((WEB / "src").rglob("*")) if path.suffix in {".ts", ".vue"}]

# Hosts that may be named in what is built, none of which is ever asked for anything.
NAMED_ONLY = {
    "www.w3.org": "names of XML namespaces",
    "vuejs.org": "where an error of Vue is explained, in its text",
}
# What loads nothing, though it has a src, a href or an action.
INERT = ("#", "data:")


class Page(HTMLParser):
    """What a page's markup refers to, and what it holds that the Content-Security-Policy forbids."""

    def __init__(self, markup: str) -> None:
        """Read the markup."""
        super().__init__()
        self.loads: list[str] = []
        self.inline: list[str] = []
        self._within = ""
        self.feed(markup)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what a tag loads, and what it says that belongs into a file."""
        given = dict(attrs)
        self._within = tag
        self.loads += [value for name, value in attrs if name in {"src", "href", "action", "srcset"} and value]
        self.inline += [f"{tag} {name}" for name in given if name == "style" or name.startswith("on")]

    def handle_endtag(self, tag: str) -> None:
        """Leave a tag."""
        if tag == self._within:
            self._within = ""

    def handle_data(self, data: str) -> None:
        """Note code that stands in the markup itself."""
        if self._within in {"script", "style"} and data.strip():
            self.inline.append(self._within)


def text(name: str) -> str:
    """Give a built file as text."""
    return BUILT[name].read_text("utf-8")


def wanted_by(name: str) -> set[str]:
    """Give the files that a built file loads when it is loaded, by their names in web/dist."""
    if name.endswith(".html"):
        found = Page(text(name)).loads
    elif name.endswith(".css"):
        found = re.findall(r"url\(\s*[\"']?([^\"')]+)|@import\s*[\"']([^\"']+)", text(name))
        found = [each for pair in found for each in pair if each]
    elif name.endswith((".js", ".mjs")):
        found = re.findall(r"(?:\bfrom|\bimport)\s*\(?\s*[\"'`](\.[^\"'`]+)[\"'`]", text(name))
    else:
        found = []
    return {beside(name, each) for each in found if not each.startswith(INERT)}


def beside(name: str, reference: str) -> str:
    """Give what a reference in a built file stands for, by its name in web/dist; another origin stays what it is."""
    if re.match(r"\w+:|//", reference):
        return reference
    parts: list[str] = [] if reference.startswith("/") else list(PurePosixPath(name).parent.parts)
    for part in reference.lstrip("/").split("/"):
        if part == "..":
            parts = parts[:-1]
        elif part != ".":
            parts.append(part)
    return "/".join(parts)


def test_everything_that_is_referred_to_is_there() -> None:
    """Each file that the page loads is in web/dist, and comes from nowhere else."""
    missing = {(name, each) for name in CODE for each in wanted_by(name) if each not in BUILT}

    assert missing == set()


def test_nothing_lies_about() -> None:
    """Each file in web/dist/assets is named by another: nothing is left of an earlier build."""
    assets = [name for name in BUILT if name.startswith("assets/")]
    left = [
        name for name in assets if not any(PurePosixPath(name).name in text(other) for other in CODE if other != name)
    ]

    assert left == []


def test_the_markup_holds_no_code() -> None:
    """No script, no style and no handler stands in the markup, where the daemon's policy would stop it."""
    inline = {name: Page(text(name)).inline for name in CODE if name.endswith(".html")}

    assert inline == {"comfy/choosing.html": [], "index.html": []}


@pytest.mark.parametrize("name", CODE)
def test_no_other_host(name: str) -> None:
    """No built file names a host that is not known to be a mere name."""
    hosts = set(re.findall(r"(?:https?:|wss?:|[\"'`(=])//([\w-]+(?:\.[\w-]+)+)", text(name)))

    assert hosts <= NAMED_ONLY.keys()


@pytest.mark.parametrize(
    ("markup", "loads", "inline"),
    [
        ('<script type="module" src="./assets/a.js"></script>', ["./assets/a.js"], []),
        ('<link href="https://fonts.example.org/a.css">', ["https://fonts.example.org/a.css"], []),
        ("<script>go()</script>", [], ["script"]),
        ('<style>p { color: red }</style><p style="x" onclick="y">z', [], ["style", "p style", "p onclick"]),
    ],
)
def test_what_the_reader_of_markup_sees(markup: str, loads: list[str], inline: list[str]) -> None:
    """The rules above see what a page loads and what it holds itself."""
    page = Page(markup)

    assert (page.loads, page.inline) == (loads, inline)


def test_only_one_source_knows_an_address() -> None:
    """In the sources the API's addresses are in web/src/api.ts alone; tests may name those they answer for."""
    knows = [path.relative_to(WEB / "src").as_posix() for path in SOURCES if "/api/" in path.read_text("utf-8")]

    assert [name for name in knows if not name.endswith(".test.ts")] == ["api.ts"]


def test_the_lock_file_names_no_host() -> None:
    """Every package of the page is locked by its checksum, and none by where one machine had it from."""
    packages: dict[str, dict[str, object]] = json.loads((WEB / "package-lock.json").read_text("utf-8"))["packages"]
    installed = {name: package for name, package in packages.items() if name}

    assert [name for name, package in installed.items() if "resolved" in package or "integrity" not in package] == []
    assert [name for name, package in installed.items() if package.get("hasInstallScript")] == []


def test_the_notices_name_what_is_used() -> None:
    """The notices name every package that the page declares to run with, and its license."""
    declared: dict[str, str] = json.loads((WEB / "package.json").read_text("utf-8"))["dependencies"]
    notices = text("THIRD-PARTY.txt")
    named = set(re.findall(r"^## (\S+) - \S+ \(.+\)$", notices, re.MULTILINE))

    # Of `vue` itself nothing is left but the parts that it hands on.
    assert declared.keys() - {"vue"} | {"@vue/runtime-core"} <= named
