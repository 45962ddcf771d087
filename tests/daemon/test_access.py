"""What a page, a program or another user can and cannot do at the daemon's door."""

import dataclasses

import pytest
from hikaze.daemon.access import (
    CODE_LIFE_MS,
    MOST_CODES,
    Codes,
    Policy,
    Refusal,
    Request,
    check,
    is_api,
    policy_for,
    read_head,
    security_headers,
)
from hypothesis import given
from hypothesis import strategies as st

TOKEN = "t" * 43
KEY = "k" * 43
SHA = "0123456789abcdef" * 4
POLICY = policy_for("127.0.0.1", 8790, TOKEN, KEY)

# What our own page sends, and what a program of the user sends; every row below changes one thing.
PAGE = Request(
    method="GET",
    path="/api/models",
    host=("127.0.0.1:8790",),
    sec_fetch_site=("same-origin",),
    authorization=(f"Bearer {TOKEN}",),
)
PROGRAM = dataclasses.replace(PAGE, sec_fetch_site=())
WRITE = dataclasses.replace(
    PAGE,
    method="POST",
    path="/api/scan",
    origin=("http://127.0.0.1:8790",),
    content_type=("application/json",),
)
SOCKET = Request(method="GET", path="/api/models", host=("localhost",), over_socket=True)
SOCKET_WRITE = dataclasses.replace(SOCKET, method="POST", path="/api/scan", hikaze_header=("1",))
VISIT = Request(method="GET", path="/", host=("127.0.0.1:8790",), sec_fetch_site=("none",))
PICTURE = Request(method="GET", path=f"/api/images/{SHA}_0.webp", host=("127.0.0.1:8790",), query_key=KEY)


def status_of(request: Request, **changes: object) -> int | None:
    """Give the status of the refusal, or None where the request passes."""
    refusal = check(dataclasses.replace(request, **changes), POLICY)  # pyright: ignore[reportArgumentType]
    return refusal.status if refusal else None


@pytest.mark.parametrize(
    ("hosts", "status"),
    [
        (("127.0.0.1:8790",), None),
        (("localhost:8790",), None),
        (("LOCALHOST:8790",), None),
        ((), 403),
        (("",), 403),
        (("127.0.0.1:8790", "127.0.0.1:8790"), 403),
        (("127.0.0.1:8790", "evil.example"), 403),
        (("127.0.0.1:8790, evil.example",), 403),
        (("evil.example",), 403),
        (("evil.example:8790",), 403),
        (("127.0.0.1",), 403),
        (("localhost",), 403),
        (("127.0.0.1:80",), 403),
        (("127.0.0.1:8188",), 403),
        (("127.0.0.1:08790",), 403),
        (("127.0.0.1.:8790",), 403),
        (("localhost.:8790",), 403),
        (("evil.localhost:8790",), 403),
        (("localhost.evil.example:8790",), 403),
        (("user@127.0.0.1:8790",), 403),
        (("127.0.0.1:8790@evil.example",), 403),
        (("http://127.0.0.1:8790",), 403),
        (("[::1]:8790",), 403),
        (("[::ffff:127.0.0.1]:8790",), 403),
        (("127.1:8790",), 403),
        (("2130706433:8790",), 403),
        (("0.0.0.0:8790",), 403),
        ((" 127.0.0.1:8790",), 403),
        (("127.0.0.1:8790/",), 403),
        (("\uff4cocalhost:8790",), 403),  # a full-width l
    ],
)
def test_host(hosts: tuple[str, ...], status: int | None):
    """Only our own exact names and port are the host, for data as for the page (DNS rebinding ends here)."""
    assert status_of(PROGRAM, host=hosts) == status
    assert status_of(VISIT, host=hosts) == status


@pytest.mark.parametrize(
    ("host", "port", "named", "passes"),
    [
        ("::1", 8790, "[::1]:8790", True),
        ("::1", 8790, "localhost:8790", True),
        ("::1", 8790, "127.0.0.1:8790", False),
        ("127.0.0.1", 80, "127.0.0.1:80", True),
        ("127.0.0.1", 80, "127.0.0.1", True),
        ("127.0.0.1", 80, "localhost", True),
        ("127.0.0.1", 8080, "localhost", False),
        ("::1", 80, "[::1]", True),
    ],
)
def test_host_follows_the_listener(host: str, port: int, named: str, passes: bool):
    """The allowed names are those of the address and port really listened on."""
    refusal = check(dataclasses.replace(PROGRAM, host=(named,)), policy_for(host, port, TOKEN, KEY))

    assert (refusal is None) == passes


@pytest.mark.parametrize(
    ("origins", "status"),
    [
        ((), None),
        (("http://127.0.0.1:8790",), None),
        (("null",), 403),
        (("",), 403),
        (("https://127.0.0.1:8790",), 403),
        (("http://127.0.0.1",), 403),
        (("http://127.0.0.1:8188",), 403),
        (("http://localhost:8790",), 403),
        (("http://127.0.0.1:8790/",), 403),
        (("http://127.0.0.1:8790.evil.example",), 403),
        (("http://evil.example",), 403),
        (("HTTP://127.0.0.1:8790",), 403),
        (("http://127.0.0.1:8790", "http://evil.example"), 403),
        (("http://evil.example, http://127.0.0.1:8790",), 403),
        (("chrome-extension://abcdefghijklmnop",), 403),
    ],
)
def test_origin(origins: tuple[str, ...], status: int | None):
    """An Origin is the page's own or absent; `null` (a sandboxed frame, a file) is neither."""
    assert status_of(WRITE, origin=origins) == status
    assert status_of(PAGE, origin=origins) == status


@pytest.mark.parametrize(
    ("sites", "read", "write"),
    [
        ((), None, None),
        (("same-origin",), None, None),
        (("none",), None, 403),
        (("same-site",), 403, 403),
        (("cross-site",), 403, 403),
        (("",), 403, 403),
        (("Same-Origin",), 403, 403),
        (("anything",), 403, 403),
        (("same-origin", "cross-site"), 403, 403),
    ],
)
def test_fetch_site(sites: tuple[str, ...], read: int | None, write: int | None):
    """A browser must say that our own page asks; typed addresses and bookmarks may read."""
    assert status_of(PAGE, sec_fetch_site=sites) == read
    assert status_of(VISIT, sec_fetch_site=sites) == read
    assert status_of(WRITE, sec_fetch_site=sites) == write


@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        ((f"Bearer {TOKEN}",), None),
        ((f"bearer {TOKEN}",), None),
        ((f"Bearer  {TOKEN}",), None),
        ((), 401),
        (("",), 401),
        (("Bearer",), 401),
        (("Bearer ",), 401),
        ((TOKEN,), 401),
        ((f"Basic {TOKEN}",), 401),
        ((f"Bearer {TOKEN[:-1]}",), 401),
        ((f"Bearer {TOKEN}x",), 401),
        ((f"Bearer {KEY}",), 401),
        (("Bearer ключ",), 401),
        (("Bearer \udcff",), 401),
        ((f"Bearer {TOKEN}", f"Bearer {TOKEN}"), 401),
    ],
)
def test_token(authorization: tuple[str, ...], status: int | None):
    """On TCP every call of the API carries the token, whole and once."""
    assert status_of(PROGRAM, authorization=authorization) == status
    assert status_of(WRITE, authorization=authorization) == status


def test_challenge():
    """A refusal for want of a token says which scheme is wanted, and whether the one sent was wrong."""
    missing = check(dataclasses.replace(PROGRAM, authorization=()), POLICY)
    wrong = check(dataclasses.replace(PROGRAM, authorization=("Bearer x",)), POLICY)

    assert missing is not None
    assert missing.headers == {"WWW-Authenticate": 'Bearer realm="hikaze"'}
    assert wrong is not None
    assert wrong.headers == {"WWW-Authenticate": 'Bearer realm="hikaze", error="invalid_token"'}


def test_an_empty_token_opens_nothing():
    """A daemon that somehow has no token lets nobody in, rather than everybody."""
    policy = Policy(POLICY.hosts, token="", image_key="")

    assert check(dataclasses.replace(PROGRAM, authorization=("Bearer ",)), policy) is not None
    assert check(dataclasses.replace(PICTURE, query_key=""), policy) is not None


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({}, None),
        ({"method": "HEAD"}, None),
        ({"path": f"/api/images/{SHA}.webp"}, None),
        ({"path": "/api/images/pending/7"}, None),
        ({"query_key": None}, 401),
        ({"query_key": ""}, 401),
        ({"query_key": KEY[:-1]}, 401),
        ({"query_key": "ключ"}, 401),
        ({"query_key": TOKEN}, 401),
        ({"query_key": None, "authorization": (f"Bearer {TOKEN}",)}, None),
        ({"sec_fetch_site": ("cross-site",)}, 403),
        ({"host": ("evil.example:8790",)}, 403),
        ({"method": "POST", "path": "/api/images/pending/7", "hikaze_header": ("1",)}, 401),
        ({"method": "DELETE", "hikaze_header": ("1",)}, 401),
        ({"path": "/api/models"}, 401),
        ({"path": "/api/events"}, 401),
        ({"path": "/api/images/get_sample_imgs"}, 401),
        ({"path": "/api/images/delete"}, 401),
        ({"path": f"/api/images/{SHA}_0.webp/"}, 401),
        ({"path": f"/api/images/{SHA}_0.webp\n"}, 401),
        ({"path": f"/api/images/../models/{SHA}.webp"}, 401),
        ({"path": f"/api/models/{SHA}.webp"}, 401),
        ({"path": f"/API/images/{SHA}.webp"}, 401),
        ({"path": "/api/images/pending/../../status"}, 401),
        ({"path": "/api/images/pending/\u0667"}, 401),
        ({"path": "/api/images/pending/"}, 401),
    ],
)
def test_picture_key(changes: dict[str, object], status: int | None):
    """The key in a picture's URL reads pictures, and nothing else."""
    assert status_of(PICTURE, **changes) == status


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"method": "POST", "content_type": ("application/json",)}, None),
        ({"method": "POST", "hikaze_header": ("1",)}, None),
        ({"method": "POST"}, 403),
        ({"method": "POST", "content_type": ("text/plain",)}, 415),
        ({"method": "GET"}, 401),
        ({"method": "DELETE", "hikaze_header": ("1",)}, 401),
        ({"method": "POST", "path": "/api/session/", "hikaze_header": ("1",)}, 401),
        ({"method": "POST", "content_type": ("application/json",), "origin": ("null",)}, 403),
        ({"method": "POST", "content_type": ("application/json",), "sec_fetch_site": ("cross-site",)}, 403),
        ({"method": "POST", "content_type": ("application/json",), "host": ("evil.example:8790",)}, 403),
    ],
)
def test_session(changes: dict[str, object], status: int | None):
    """Trading a one-time code for the token needs no token, and every other check."""
    request = Request(method="POST", path="/api/session", host=("127.0.0.1:8790",))

    assert status_of(request, **changes) == status


@pytest.mark.parametrize(
    ("content_type", "mark", "status"),
    [
        (("application/json",), (), None),
        (("Application/JSON",), (), None),
        (("application/json; charset=utf-8",), (), None),
        (("application/json ;charset=utf-8",), (), None),
        ((), ("1",), None),
        (("multipart/form-data; boundary=x",), ("1",), None),
        (("application/octet-stream",), ("1",), None),
        ((), (), 403),
        ((), ("",), 403),
        ((), ("0",), 403),
        ((), ("1", "1"), 403),
        (("",), (), 415),
        (("text/plain",), (), 415),
        (("application/x-www-form-urlencoded",), (), 415),
        (("multipart/form-data; boundary=x",), (), 415),
        (("text/plain; application/json",), (), 415),
        (("text/plain, application/json",), (), 415),
        (("application/json", "text/plain"), (), 415),
        (("application/jsonp",), (), 415),
        (("application/problem+json",), (), 415),
    ],
)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("request_", [WRITE, SOCKET_WRITE], ids=["tcp", "socket"])
def test_mark(request_: Request, method: str, content_type: tuple[str, ...], mark: tuple[str, ...], status: int | None):
    """A write carries what no form and no plain cross-site request can: JSON's type or our header."""
    assert status_of(request_, method=method, content_type=content_type, hikaze_header=mark) == status


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"method": "OPTIONS", "path": "/api/models"}, 405),
        ({"method": "OPTIONS", "path": "/"}, 405),
        ({"method": "OPTIONS", "path": "/api/models", "origin": ("http://evil.example",)}, 403),
        ({"method": "TRACE", "path": "/api/models"}, 405),
        ({"method": "CONNECT", "path": "/"}, 405),
        ({"method": "PROPFIND", "path": "/api/models"}, 405),
        ({"method": "get", "path": "/api/models"}, 405),
        ({"method": "POST", "path": "/"}, 405),
        ({"method": "DELETE", "path": "/assets/app.js"}, 405),
        ({"method": "HEAD", "path": "/"}, None),
        ({"path": "/assets/app.js"}, None),
        ({"path": "/apis"}, None),
        ({"path": "/api"}, 401),
        ({"path": "/api/"}, 401),
        ({"path": "//api/models"}, 401),
        ({"path": "/./api/models"}, 401),
        ({"path": "/x/../api/models"}, 401),
        ({"path": "/API/models"}, 401),
        ({"path": "\\api\\models"}, 401),
    ],
)
def test_paths_and_methods(changes: dict[str, object], status: int | None):
    """The page is public and only read; the API is closed however it is spelled; nothing answers CORS."""
    assert status_of(dataclasses.replace(VISIT, sec_fetch_site=()), **changes) == status


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({}, None),
        ({"host": ("LocalHost",)}, None),
        ({"host": ()}, 403),
        ({"host": ("localhost:8790",)}, 403),
        ({"host": ("127.0.0.1:8790",)}, 403),
        ({"host": ("evil.example",)}, 403),
        ({"origin": ("http://localhost",)}, None),
        ({"origin": ("http://127.0.0.1:8188",)}, 403),
        ({"origin": ("null",)}, 403),
        ({"sec_fetch_site": ("cross-site",)}, 403),
        ({"method": "POST"}, 403),
        ({"method": "POST", "hikaze_header": ("1",)}, None),
        ({"method": "OPTIONS"}, 405),
    ],
)
def test_socket(changes: dict[str, object], status: int | None):
    """The unix socket asks for no token and keeps every other check (a program may pass a page's request on)."""
    assert status_of(SOCKET, **changes) == status


TEXTS = st.lists(st.text(), max_size=2).map(tuple)


@given(st.text(), st.text(), TEXTS, TEXTS, TEXTS, TEXTS, TEXTS, st.none() | st.text())
def test_no_token_no_data(
    method: str,
    rest: str,
    origin: tuple[str, ...],
    site: tuple[str, ...],
    content_type: tuple[str, ...],
    mark: tuple[str, ...],
    authorization: tuple[str, ...],
    key: str | None,
):
    """Whatever else a request says, without token and key nothing below /api/ answers on TCP."""
    request = Request(
        method=method,
        path="/api/" + rest,
        host=("127.0.0.1:8790",),
        origin=origin,
        sec_fetch_site=site,
        content_type=content_type,
        hikaze_header=mark,
        authorization=authorization,
        query_key=key,
    )

    refusal = check(request, POLICY)

    assert isinstance(refusal, Refusal) or request.path == "/api/session"


@given(st.text())
def test_api_paths(rest: str):
    """Every path the router could take for one of the API is one of the API."""
    assert is_api("/api/" + rest)
    assert is_api("/api")


def test_refusals_tell_no_secret():
    """Neither a refusal nor a policy in a log shows the token or the key."""
    refusal = check(dataclasses.replace(PROGRAM, authorization=()), POLICY)

    assert TOKEN not in repr(refusal) + repr(POLICY)
    assert KEY not in repr(refusal) + repr(POLICY)


def test_read_head():
    """The head keeps every value of a header, so that a repeated Host is seen."""
    headers = {"Host": ["a", "b"], "X-Hikaze": ["1"]}

    head = read_head("GET", "/", lambda name: headers.get(name, []), "k", over_socket=False)

    assert head == Request(method="GET", path="/", host=("a", "b"), hikaze_header=("1",), query_key="k")


def test_code_works_once():
    """A code opens once, and only the code that was given."""
    codes = Codes()
    code = codes.mint(now=0)

    assert [codes.redeem(each, now=1) for each in (code[:-1], "", "ключ", code, code)] == [
        False,
        False,
        False,
        True,
        False,
    ]


@pytest.mark.parametrize(("age", "works"), [(0, True), (CODE_LIFE_MS - 1, True), (CODE_LIFE_MS, False)])
def test_code_lives_five_minutes(age: int, works: bool):
    """A code ends after five minutes, unused or not."""
    codes = Codes()
    code = codes.mint(now=1_000)

    assert codes.redeem(code, now=1_000 + age) == works


def test_codes_are_bounded():
    """The oldest code gives way when 32 are out."""
    codes = Codes()
    minted = [codes.mint(now=0) for _ in range(MOST_CODES + 1)]

    assert [codes.redeem(code, now=1) for code in minted] == [False] + [True] * MOST_CODES


def test_codes_are_unguessable():
    """A code has 32 random bytes, in letters that stand in a URL's fragment as they are."""
    codes = Codes()

    minted = {codes.mint(now=0) for _ in range(20)}

    assert len(minted) == 20
    assert all(len(code) == 43 and code.replace("-", "").replace("_", "").isalnum() for code in minted)


def test_page_headers():
    """The page runs and loads its own files only, is framed by nobody, and tells no address onwards."""
    assert security_headers("/") == {
        "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
        "img-src 'self' data: blob:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; "
        "form-action 'none'",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
    }


def test_answer_headers():
    """An answer of the API that is opened as a document can run and load nothing."""
    policy = security_headers("/api/images/x.webp")["Content-Security-Policy"]

    assert policy == "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
