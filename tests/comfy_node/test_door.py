"""Who may come through ComfyUI to the daemon, and how far."""

from dataclasses import replace
from typing import Any

import pytest
from hikaze.comfy_node.door import Head, Rules, access_of, check, check_start, may_start, read_head, rules_of

HERE = Rules(beyond=False)
BEYOND = Rules(beyond=True, names=frozenset({"box", "box.local"}))
OPEN = replace(BEYOND, all_may_write=True)
SHA = "0a" * 32
PAGE = Head("GET", "/api/models", "127.0.0.1", ("127.0.0.1:8188",), site=("same-origin",))
WRITE = replace(
    PAGE,
    method="PATCH",
    path=f"/api/models/{SHA}",
    origin=("http://127.0.0.1:8188",),
    content_type=("application/json; charset=utf-8",),
)
FAR = replace(PAGE, peer="192.168.0.9", host=("192.168.0.2:8188",))


def told(head: Head, rules: Rules, **changed: Any) -> tuple[int, str] | None:
    """Give the status and kind of the refusal of a request that is a little different."""
    refusal = check(replace(head, **changed), rules)
    return None if refusal is None else (refusal.status, refusal.kind)


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"site": ()},
        {"site": ("none",)},
        {"method": "HEAD"},
        {"host": ("localhost:8188",)},
        {"host": ("LOCALHOST.:8188",)},
        {"host": ("hikaze.localhost",)},
        {"host": ("[::1]:8188",), "peer": "::1"},
        {"host": ("127.8.9.1",), "peer": "::ffff:127.0.0.1"},
        {"origin": ("http://127.0.0.1:8188",)},
        {"host": ("localhost",), "origin": ("https://localhost",)},
        {"path": "/api/roots"},
        {"path": "/"},
    ],
)
def test_a_page_of_this_machine_may_read(changed: dict[str, Any]) -> None:
    """Whoever sits at the machine reads everything."""
    assert told(PAGE, HERE, **changed) is None


@pytest.mark.parametrize("changed", [{}, {"content_type": (), "mark": ("1",)}, {"method": "DELETE"}, {"origin": ()}])
def test_a_page_of_this_machine_may_write(changed: dict[str, Any]) -> None:
    """And writes, with a mark that no form can carry."""
    assert told(WRITE, HERE, **changed) is None


REFUSED = (403, "refused")


@pytest.mark.parametrize("rules", [HERE, BEYOND, OPEN])
@pytest.mark.parametrize(
    ("changed", "answer"),
    [
        ({"origin": ("http://evil.example",)}, REFUSED),
        ({"origin": ("null",)}, REFUSED),
        ({"origin": ("http://127.0.0.1:9999",)}, REFUSED),
        ({"origin": ("http://127.0.0.1:8188", "http://evil.example")}, REFUSED),
        ({"origin": ("file://127.0.0.1:8188",)}, REFUSED),
        ({"origin": ("http://x@127.0.0.1:8188",)}, REFUSED),
        ({"site": ("cross-site",)}, REFUSED),
        ({"site": ("same-site",)}, REFUSED),
        ({"site": ("none",)}, REFUSED),
        ({"content_type": ("text/plain",)}, REFUSED),
        ({"content_type": ("application/x-www-form-urlencoded",)}, REFUSED),
        ({"content_type": ("application/json", "text/plain")}, REFUSED),
        ({"content_type": (), "mark": ("0",)}, REFUSED),
        ({"host": ()}, REFUSED),
        ({"host": ("127.0.0.1:8188", "127.0.0.1:8188")}, REFUSED),
        ({"host": ("evil.example:8188",), "origin": ("http://evil.example:8188",)}, REFUSED),
        ({"host": ("127.0.0.1.evil.example",), "origin": ()}, REFUSED),
        ({"host": ("localhost:8188@evil.example",), "origin": ()}, REFUSED),
        ({"host": ("\u212aocalhost",), "origin": ()}, REFUSED),
        ({"path": "/api/session"}, REFUSED),
        ({"method": "OPTIONS"}, (405, "refused")),
        ({"method": "CONNECT"}, (405, "refused")),
    ],
)
def test_other_sites_are_refused(rules: Rules, changed: dict[str, Any], answer: tuple[int, str]) -> None:
    """A forged request is refused wherever ComfyUI listens, and whatever its owner allows."""
    assert told(WRITE, rules, **changed) == answer


@pytest.mark.parametrize("host", ["192.168.0.2:8188", "[fd00::1%eth0]:8188", "box:8188", "Box.local"])
def test_names_by_which_a_machine_is_reached(host: str) -> None:
    """Where ComfyUI listens beyond its machine, an address cannot be forged by a name; its own names are known."""
    assert told(FAR, BEYOND, host=(host,)) is None
    assert told(FAR, HERE, host=(host,)) == REFUSED
    assert told(FAR, replace(HERE, hosts=frozenset({"box", "box.local"})), host=("box",)) is None


@pytest.mark.parametrize(
    "path",
    [
        "/api/status",
        "/api/models",
        "/api/models/get_types",
        f"/api/models/{SHA}",
        f"/api/models/{SHA}/history",
        "/api/tags",
        "/api/events",
        "/api/resolve",
        "/api/lora-sets",
        "/api/lora-sets/7",
        "/api/migration/pending_models",
        "/api/migration/pending_model",
        f"/api/images/{SHA}_12.webp",
        f"/api/images/{SHA}.webp",
        f"/api/images/{SHA}_0/info",
        "/api/images/pending/7",
        "/api/images/get_sample_imgs",
        "/assets/page.js",
        "/hikaze-way",
    ],
)
def test_what_a_viewer_needs(path: str) -> None:
    """Where ComfyUI listens beyond its machine everybody may look at models and choose them, and no more."""
    assert told(FAR, BEYOND, path=path) is None
    assert told(FAR, BEYOND, path=path, method="HEAD") is None
    assert told(WRITE, BEYOND, path=path, method="POST") == (403, "viewer")
    assert told(WRITE, OPEN, path=path, method="POST") is None


@pytest.mark.parametrize(
    "path",
    [
        "/api/roots",
        "/api/storage",
        "/api/duplicates",
        "/api/models/../roots",
        "/x/../api/roots",
        "//api/roots",
        "/API/roots",
        "\\api\\roots",
        "/api/images/../roots",
        f"/api/models/{SHA}/",
        "/api/status/",
        "/api",
    ],
)
def test_what_a_viewer_does_not_need(path: str) -> None:
    """Folders, disks and what is written strangely are not for a viewer, also one at the machine itself."""
    assert told(FAR, BEYOND, path=path) == (403, "viewer")
    assert told(PAGE, BEYOND, path=path) == (403, "viewer")
    assert told(FAR, OPEN, path=path) is None


def test_a_proxy_on_the_machine_is_not_the_machine() -> None:
    """Who comes by a reverse proxy, or by a name that an owner gave, is a viewer, though it listens here alone."""
    named = replace(HERE, hosts=frozenset({"ai.example"}))
    assert access_of(PAGE, HERE) == "full"
    assert access_of(replace(PAGE, is_forwarded=True), HERE) == "view"
    assert access_of(replace(PAGE, host=("ai.example",)), named) == "view"
    assert access_of(replace(PAGE, peer="10.0.0.1"), HERE) == "view"
    assert access_of(replace(PAGE, peer=None), HERE) == "view"
    assert access_of(replace(PAGE, host=("ai.example",)), replace(named, all_may_write=True)) == "full"


def test_only_this_machine_starts_the_daemon() -> None:
    """To start a program is for a page in this machine's own browser, and for nobody else."""
    start = replace(WRITE, method="POST", path="/hikaze-start")
    assert check_start(start, HERE) is None
    assert check_start(start, OPEN) is None
    for head, rules in (
        (replace(start, content_type=()), HERE),
        (replace(start, site=("cross-site",)), HERE),
        (replace(start, is_forwarded=True), HERE),
        (start, BEYOND),
        (replace(start, peer="192.168.0.9"), OPEN),
        (replace(start, peer="192.168.0.9", host=("192.168.0.2",), origin=("http://192.168.0.2",)), OPEN),
    ):
        refusal = check_start(head, rules)
        assert refusal is not None
        assert refusal.status == 403
        assert not (may_start(head, rules) and refusal.kind == "viewer")


@pytest.mark.parametrize(
    ("listen", "beyond"),
    [
        ("127.0.0.1", False),
        ("127.2.2.2,127.3.3.3", False),
        ("::1", False),
        ("localhost", False),
        ("0.0.0.0,::", True),
        ("0.0.0.0", True),  # noqa: S104 - nothing is bound, here and below
        ("127.0.0.1,192.168.0.2", True),
        ("box.lan", True),
        ("", True),
        (None, True),
    ],
)
def test_where_comfyui_listens(listen: str | None, beyond: bool) -> None:
    """What is not known to be loopback alone is taken for more."""
    assert rules_of(listen, "Box", {}) == Rules(beyond, names=frozenset({"box", "box.local"}))


def test_what_the_owner_allows() -> None:
    """The owner says it in the environment."""
    env = {"HIKAZE_COMFYUI_ACCESS": " Full ", "HIKAZE_COMFYUI_HOSTS": "AI.example, b.example ,"}
    assert rules_of("::", "", env) == Rules(True, True, frozenset({"ai.example", "b.example"}))
    assert not rules_of("::", "", {"HIKAZE_COMFYUI_ACCESS": "yes"}).all_may_write


def test_a_head_is_taken_apart() -> None:
    """Every value of a header counts, and what a proxy adds is seen."""
    headers = {"Host": ["a", "b"], "X-Forwarded-For": ["1.2.3.4"], "X-Hikaze": ["1"]}
    head = read_head("GET", "/", "::1", lambda name: headers.get(name, []))
    assert head == Head("GET", "/", "::1", host=("a", "b"), mark=("1",), is_forwarded=True)
