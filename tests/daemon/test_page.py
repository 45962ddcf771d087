"""The page's files: each goes out as what it is, and is kept by browsers for as long as it holds."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiohttp import web
from hikaze.daemon.routes import system


def ask(name: str, page: dict[str, bytes]) -> web.Response:
    """Ask for a file of a page, which is made up."""
    services, request = SimpleNamespace(page=page), SimpleNamespace(match_info={"name": name} if name else {})
    return asyncio.run(system.static(cast(Any, services), cast(Any, request)))


@pytest.mark.parametrize(
    ("name", "kind", "kept"),
    [
        ("", "text/html; charset=utf-8", "no-cache"),
        ("index.html", "text/html; charset=utf-8", "no-cache"),
        ("icon.svg", "image/svg+xml", "no-cache"),
        ("THIRD-PARTY.txt", "text/plain; charset=utf-8", "no-cache"),
        ("comfy/hikaze.js", "text/javascript; charset=utf-8", "no-cache"),
        ("assets/index-B1a2C3d4.js", "text/javascript; charset=utf-8", "max-age=31536000, immutable"),
        ("assets/index-B1a2C3d4.css", "text/css; charset=utf-8", "max-age=31536000, immutable"),
        ("assets/sans-B1a2C3d4.woff2", "font/woff2", "max-age=31536000, immutable"),
        ("assets/anything", "application/octet-stream", "max-age=31536000, immutable"),
    ],
)
def test_a_file_goes_out_as_what_it_is(name: str, kind: str, kept: str) -> None:
    """The type is said by the name, whatever this system says; what is named by its content is kept for good."""
    answer = ask(name, {name or "index.html": b"x"})

    assert (answer.headers["Content-Type"], answer.headers["Cache-Control"]) == (kind, kept)


def test_a_file_that_is_not_there() -> None:
    """No other file is given, whatever the name says."""
    with pytest.raises(web.HTTPNotFound):
        ask("assets/../../app.py", {"index.html": b"x"})


def test_every_file_of_the_page_has_a_type() -> None:
    """Nothing is in the page that a browser would not know what to do with."""
    page = system.page_files()

    assert "index.html" in page
    assert [name for name in page if not name.endswith(tuple(system.KINDS))] == []
