"""Who may come in: strangers, other sites and other users are kept out, on both doors, from the start."""

import json
import socket
import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from .harness import Answer, Daemon, form, png

JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def model(shared: Daemon) -> str:
    """Give a model with a picture."""
    sha256 = shared.bring_in(shared.drop / "x.safetensors")
    assert shared.upload("/api/images/upload", png(), sha256=sha256).status == 200
    return sha256


@pytest.fixture
def bearer(shared: Daemon) -> dict[str, str]:
    """Give the header that opens the API on TCP."""
    return {"Authorization": f"Bearer {shared.token()}"}


@pytest.fixture(autouse=True)
def nothing_written(shared: Daemon, model: str) -> Iterator[None]:
    """See that what is refused, or only read, changes nothing."""
    before = shared.get("/api/status")["position"], shared.model(model)
    yield
    assert (shared.get("/api/status")["position"], shared.model(model)) == before


def raw(daemon: Daemon, head: str) -> int:
    """Send a head of a request as it is, over TCP, and give the status of the answer."""
    place = urlsplit(daemon.url)
    with socket.create_connection((str(place.hostname), place.port or 0), 5) as connection:
        connection.sendall(head.replace("\n", "\r\n").encode())
        return int(connection.recv(1000).split(b" ", 2)[1])


@pytest.mark.parametrize("path", ["/api/status", "/api/models", "/api/events", "/api/openapi.json", "/api/nothing"])
def test_tcp_asks_for_the_token(shared: Daemon, bearer: dict[str, str], path: str) -> None:
    """On TCP everything below /api/ needs the token, whether there is something or not."""
    assert shared.ask_tcp("GET", path).status == 401
    assert shared.ask_tcp("GET", path, headers={"Authorization": "Bearer wrong"}).status == 401
    assert shared.ask_tcp("GET", path, headers={"Authorization": ""}).status == 401
    assert shared.ask_tcp("GET", path, headers=bearer).status in (200, 404)


def test_the_page_is_public_and_empty(shared: Daemon, model: str) -> None:
    """The page needs no token and holds no data."""
    page = shared.ask_tcp("GET", "/")
    assert page.status == 200
    assert page.headers["Content-Type"].startswith("text/html")
    assert model not in page.body.decode()
    assert shared.token() not in page.body.decode()
    assert "Access-Control-Allow-Origin" not in page.headers
    assert "script-src 'self'" in page.headers["Content-Security-Policy"]


def test_the_host_is_checked(shared: Daemon) -> None:
    """A request for another host, as a rebound name makes it, is refused whatever else it carries."""
    port = urlsplit(shared.url).port
    token = shared.token()
    for host, status in [
        (f"127.0.0.1:{port}", 200),
        (f"localhost:{port}", 200),
        (f"evil.example:{port}", 403),
        (f"127.0.0.1.evil.example:{port}", 403),
        ("127.0.0.1", 403),
        ("127.0.0.1:1", 403),
        ("", 403),
    ]:
        head = f"GET /api/status HTTP/1.1\nHost: {host}\nAuthorization: Bearer {token}\nConnection: close\n\n"
        assert (host, raw(shared, head)) == (host, status)
    assert raw(shared, "GET / HTTP/1.1\nHost: evil.example\nConnection: close\n\n") == 403


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost:1", "http://127.0.0.1"])
@pytest.mark.parametrize("door", ["tcp", "socket"])
def test_other_origins_are_refused(shared: Daemon, bearer: dict[str, str], origin: str, door: str) -> None:
    """A page of another origin gets nothing, not even with the token, and no CORS header either."""
    ask = shared.ask_tcp if door == "tcp" else shared.ask_socket
    for method, path, body in [("GET", "/api/status", None), ("POST", "/api/tags", {"name": "evil"})]:
        answer = ask(method, path, body, bearer | {"Origin": origin})
        assert answer.status == 403
        assert not [name for name in answer.headers if name.lower().startswith("access-control")]


def test_its_own_origin_may(shared: Daemon, bearer: dict[str, str]) -> None:
    """The page's own origin is let in."""
    assert shared.ask_tcp("GET", "/api/status", headers=bearer | {"Origin": shared.url}).status == 200
    site = bearer | {"Origin": shared.url, "Sec-Fetch-Site": "cross-site"}
    assert shared.ask_tcp("GET", "/api/status", headers=site).status == 403


def test_no_preflight_is_answered(shared: Daemon) -> None:
    """There is no CORS: a preflight is refused."""
    headers = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    assert shared.ask_tcp("OPTIONS", "/api/tags", headers=headers).status in (403, 405)


def test_the_picture_key_opens_pictures_alone(shared: Daemon, model: str) -> None:
    """A picture takes the image key in its address; the key opens nothing else, and the token is no key."""
    key = json.loads((shared.data / "secrets.json").read_bytes())["image_key"]
    picture = f"/api/images/{model}_0.webp"

    assert shared.ask_tcp("GET", f"{picture}?k={key}").status == 200
    assert shared.ask_tcp("GET", f"/api/images/{model}.webp?quality=low&k={key}").status == 200
    assert shared.ask_tcp("GET", f"{picture}?k=wrong").status == 401
    assert shared.ask_tcp("GET", f"{picture}?k={shared.token()}").status == 401
    assert shared.ask_tcp("GET", picture).status == 401
    assert shared.ask_tcp("GET", f"/api/status?k={key}").status == 401
    assert shared.ask_tcp("GET", f"/api/images/get_img_count?sha256={model}&k={key}").status == 401
    assert shared.ask_tcp("DELETE", f"/api/images/delete?sha256={model}&seq=0&k={key}").status == 401
    assert shared.ask_tcp("GET", "/api/status", headers={"Authorization": f"Bearer {key}"}).status == 401


@pytest.mark.parametrize("door", ["tcp", "socket"])
def test_a_write_carries_a_mark(shared: Daemon, bearer: dict[str, str], model: str, door: str) -> None:
    """A write that a foreign form could send is refused: it needs JSON or the header."""
    ask = shared.ask_tcp if door == "tcp" else shared.ask_socket
    body, kind = form(png(), {"sha256": model})
    attempts = [
        ("POST", "/api/images/upload", body, {"Content-Type": kind}),
        ("POST", "/api/tags", b'{"name": "x"}', {"Content-Type": "text/plain"}),
        ("POST", "/api/tags", b'{"name": "x"}', {"Content-Type": "application/x-www-form-urlencoded"}),
        ("POST", "/api/scan", None, {}),
        ("DELETE", f"/api/images/delete?sha256={model}&seq=0", None, {}),
        ("DELETE", f"/api/images/delete?sha256={model}&seq=0", None, {"X-Hikaze": "0"}),
        ("POST", "/api/migration/import_a_model", b'{"id": "all"}', {}),
    ]
    for method, path, sent, headers in attempts:
        answer = ask(method, path, sent, bearer | headers)
        assert (path, answer.status) in [(path, 403), (path, 415)]
        assert "Content-Type: application/json" in answer.detail


def test_a_code_is_good_once(shared: Daemon) -> None:
    """The link's code gives token and image key to the one who comes first, and to nobody after."""

    def session(body: Any, headers: dict[str, str] | None = None) -> Answer:
        return shared.ask_tcp("POST", "/api/session", body, headers)

    made = shared.post("/api/session")
    assert made["url"].startswith(f"{shared.url}/#")
    assert shared.token() not in made["url"]

    given = session({"code": made["code"]})
    assert given.status == 200
    assert given.json["token"] == shared.token()
    assert session({"code": made["code"]}).status == 401
    assert session({"code": "guessed"}).status == 401
    assert session({}).status == 401
    evil = session({"code": shared.post("/api/session")["code"]}, {"Origin": "https://evil.example"})
    assert evil.status == 403


def test_reading_changes_nothing(shared: Daemon, model: str) -> None:
    """No GET changes anything, and HEAD is answered as GET is, without a body."""
    described = shared.get("/api/openapi.json")
    paths = [path for path, methods in described["paths"].items() if "get" in methods and path != "/api/events"]
    for path in paths:
        real = path.replace("{sha256}_{seq}", f"{model}_0").replace("{sha256}", model).replace("{id}", "1")
        answer = shared.ask("GET", f"{real}?sha256={model}&id=1")
        assert answer.status in (200, 404), (real, answer.body)
        assert shared.ask("HEAD", f"{real}?sha256={model}&id=1").body == b""


def test_modes_of_what_is_made(shared: Daemon) -> None:
    """Every file we make is 0600, every folder 0700, and so is the socket."""
    assert stat.S_IMODE(Path(shared.socket).stat().st_mode) == 0o600
    made = [path for path in shared.data.rglob("*") if shared.drop not in path.parents]
    made += (shared.home / "config").rglob("*")
    assert [path for path in made if path.name == "daemon.json"]
    for path in [shared.data, *made]:
        expected = 0o700 if path.is_dir() else 0o600
        assert (str(path), stat.S_IMODE(path.lstat().st_mode)) == (str(path), expected)


def test_others_of_the_same_user_can_read_the_tables(shared: Daemon, model: str) -> None:
    """`views.db` can be read while the daemon runs, with the names and columns that the contract gives."""
    contract = {
        "models": ["sha256", "path", "name", "type", "size_bytes", "created_at", "meta_json"],
        "tags": ["id", "name"],
        "model_tags": ["model_hash", "tag_id"],
        "pending_import": ["id", "path", "sha256", "name", "type", "size_bytes", "created_at", "meta_json"],
        "pending_model_tags": ["model_id", "tag_id"],
    }
    db = sqlite3.connect(f"file:{shared.data / 'views.db'}?mode=ro", uri=True, timeout=2)
    try:
        for table, columns in contract.items():
            have = [row[1] for row in db.execute(f"PRAGMA table_info({table})")]
            assert [column for column in have if column in columns] == columns
        ((path, meta),) = db.execute("SELECT path, meta_json FROM models WHERE sha256 = ?", (model,))
        assert path == shared.model(model)["path"]
        assert set(json.loads(meta)) == {"description", "community_links", "prompts", "trigger_words"}
    finally:
        db.close()


def test_a_body_that_is_not_what_it_should_be(shared: Daemon, model: str) -> None:
    """A body that is no JSON gets 400, one of another form 422, and neither changes anything."""
    attempts: list[tuple[str, str, bytes, int]] = [
        ("PATCH", f"/api/models/{model}", b"{", 400),
        ("PATCH", f"/api/models/{model}", b'{"name": 1}', 422),
        ("PATCH", f"/api/models/{model}", b'{"nome": "x"}', 422),
        ("PATCH", f"/api/models/{model}", b'{"name": ""}', 422),
        ("PATCH", f"/api/models/{model}", b'{"name": "   "}', 422),
        ("PATCH", f"/api/models/{model}", b'{"tags": "x"}', 422),
        ("PATCH", f"/api/models/{model}", b'{"cover": 7}', 422),
        ("PATCH", f"/api/models/{model}", b'{"description": "\\ud800"}', 400),
        ("PATCH", f"/api/models/{model}", b"[" * 100_000, 422),
        ("POST", "/api/tags", b'{"name": "  "}', 422),
        ("POST", "/api/tags", b"null", 422),
        ("POST", "/api/migration/import_a_model", b'{"id": 1, "conflict_strategy": "burn"}', 422),
        ("POST", "/api/migration/import_a_model", b'{"id": []}', 422),
        ("POST", "/api/migration/import_a_model", b'{"id": 999999}', 404),
        ("POST", "/api/migration/import_a_model", b'{"id": "some"}', 422),
    ]
    for method, path, body, status in attempts:
        answer = shared.ask(method, path, body, JSON)
        assert (body[:60], answer.status) == (body[:60], status)
        assert answer.detail
    for query in ("limit=0", "limit=1001", "limit=x", "limit=-1", "cursor=nonsense", "limit=1&limit=2"):
        assert (query, shared.ask("GET", f"/api/models?{query}").status) == (query, 422)


ABSENT = [
    ("DELETE", "/api/models/" + "0" * 64),
    ("GET", f"/api/models/{'0' * 64}/history"),
    ("POST", "/api/undo"),
    ("GET", "/api/trash"),
    ("POST", "/api/verify"),
    ("GET", "/api/models/sha256"),
    ("POST", "/api/models/sha256"),
    ("GET", "/api"),
    ("GET", "/api/"),
    ("GET", "/../../etc/passwd"),
    ("GET", "/%2e%2e/%2e%2e/etc/passwd"),
    ("GET", "/index.html/x"),
]


@pytest.mark.parametrize(("method", "path"), ABSENT)
def test_what_nobody_asked_for_yet_does_not_exist(shared: Daemon, method: str, path: str) -> None:
    """Routes of later issues, and paths that lead outside, are 404 or 405 and not described."""
    answer = shared.ask(method, path, {} if method == "POST" else None, {"X-Hikaze": "1"})
    assert answer.status in (404, 405)
    assert answer.detail
    described = shared.get("/api/openapi.json")["paths"]
    assert method.lower() not in described.get(path, {})
