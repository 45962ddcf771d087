"""Who may ask the daemon for what: decisions about a request's head, made before any handler runs.

The threats are web pages in the user's own browser (forged requests, DNS rebinding, an `Origin: null` frame,
another program's server on the same loopback address) and other users of the machine. So the Host must be one
of ours (a rebound name is not), a browser must say the request comes from our own page, every call carries a
token that no other page knows, and a write carries a mark that a form or a plain cross-site request cannot
have. There is no CORS: a preflight gets 405. On the unix socket the file mode and the peer check replace the
token. Fetch metadata: https://www.w3.org/TR/fetch-metadata/; bearer tokens: RFC 6750.
"""

import hmac
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

_READS = ("GET", "HEAD")
_WRITES = ("POST", "PUT", "PATCH", "DELETE")
# What `k` opens: exactly the two picture routes, so that a key in a URL (history, logs) opens nothing else.
_PICTURE = re.compile(r"/api/images/(?:[0-9a-f]{64}(?:_[0-9]{1,18})?\.webp|pending/[0-9]{1,18})", re.ASCII)
_SESSION = "/api/session"
_HTTP_PORT = 80

CODE_LIFE_MS = 5 * 60 * 1000  # long enough for a browser to start, short enough for a terminal's scrollback
MOST_CODES = 32  # nobody opens more pages at once; a loop calling `open` must not grow the daemon


@dataclass(frozen=True)
class Request:
    """The head of a request; each header as the tuple of its values, as sent, so that a repeat is seen."""

    method: str
    path: str
    host: tuple[str, ...] = ()
    origin: tuple[str, ...] = ()
    sec_fetch_site: tuple[str, ...] = ()
    content_type: tuple[str, ...] = ()
    hikaze_header: tuple[str, ...] = ()
    authorization: tuple[str, ...] = ()
    query_key: str | None = None
    over_socket: bool = False


@dataclass(frozen=True)
class Policy:
    """What this daemon accepts: the exact Host values on TCP (lower case), its token and its picture key."""

    hosts: frozenset[str]
    token: str = field(repr=False)
    image_key: str = field(repr=False)
    socket_hosts: frozenset[str] = frozenset({"localhost"})


@dataclass(frozen=True)
class Refusal:
    """An answer that ends the request: HTTP status, the problem's title and detail, and headers to add."""

    status: int
    title: str
    detail: str
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


def policy_for(host: str, port: int, token: str, image_key: str) -> Policy:
    """Give the policy of a daemon that listens on `host` (no brackets) and the port it really got."""
    name = f"[{host}]" if ":" in host else host
    hosts = {f"{each}:{port}" for each in (name.lower(), "localhost")}
    if port == _HTTP_PORT:  # browsers leave the default port out
        hosts |= {name.lower(), "localhost"}
    return Policy(frozenset(hosts), token, image_key)


def read_head(
    method: str,
    path: str,
    header: Callable[[str], Sequence[str]],
    query_key: str | None,
    *,
    over_socket: bool,
) -> Request:
    """Take a request's head apart; `header` gives all values of a header, `path` is percent-decoded."""
    return Request(
        method=method,
        path=path,
        host=tuple(header("Host")),
        origin=tuple(header("Origin")),
        sec_fetch_site=tuple(header("Sec-Fetch-Site")),
        content_type=tuple(header("Content-Type")),
        hikaze_header=tuple(header("X-Hikaze")),
        authorization=tuple(header("Authorization")),
        query_key=query_key,
        over_socket=over_socket,
    )


def check(request: Request, policy: Policy) -> Refusal | None:
    """Decide on a request; None lets it through. Cheap and public facts come first, the token after them.

    A write without a mark gets 415 where it has a body of another type (that is what to change) and 403
    where it has no Content-Type at all (the header is what is missing).
    """
    return (
        _check_host(request, policy)
        or _check_origin(request)
        or _check_site(request)
        or _check_method(request)
        or _check_token(request, policy)
        or _check_mark(request)
    )


def is_api(path: str) -> bool:
    """Tell whether a percent-decoded path belongs to the API: whether any of its segments is `api`.

    Wider than the router (`//api`, `/./API`, `/x/../api` too), so that where the two differ a token is asked
    for. No static file may lie in a folder named api.
    """
    return "api" in path.replace("\\", "/").casefold().split("/")


def _check_host(request: Request, policy: Policy) -> Refusal | None:
    allowed = policy.socket_hosts if request.over_socket else policy.hosts
    # isascii, because lower() turns some other letters (the Kelvin sign) into ASCII ones.
    if len(request.host) == 1 and request.host[0].isascii() and request.host[0].lower() in allowed:
        return None
    names = " or ".join(sorted(allowed))
    return _forbidden(f"This address is not one of ours: use {names} as the host of the request.")


def _check_origin(request: Request) -> Refusal | None:
    ours = f"http://{request.host[0].lower()}"
    if request.origin in ((), (ours,)):
        return None
    return _forbidden("Pages of another origin may not talk to hikazed: open its own page with `hikazed open`.")


def _check_site(request: Request) -> Refusal | None:
    if request.sec_fetch_site in ((), ("same-origin",)):
        return None
    if request.sec_fetch_site == ("none",) and request.method in _READS:
        return None  # typed, bookmarked, or opened by a program
    return _forbidden("Another site asked for this: open the page with `hikazed open` or type its address.")


def _check_method(request: Request) -> Refusal | None:
    allowed = (*_READS, *_WRITES) if is_api(request.path) else _READS
    if request.method in allowed:
        return None
    return Refusal(
        405,
        "Method not allowed",
        f"Use {', '.join(allowed)} here; hikazed answers no cross-origin preflight.",
        {"Allow": ", ".join(allowed)},
    )


def _check_token(request: Request, policy: Policy) -> Refusal | None:
    if request.over_socket or not is_api(request.path):
        return None
    if request.path == _SESSION and request.method == "POST":
        return None
    if _key_opens(request, policy) or _bears(request, policy.token):
        return None
    challenge = 'Bearer realm="hikaze"'
    if request.authorization:
        challenge += ', error="invalid_token"'
    return Refusal(
        401,
        "Not authorized",
        "Send `Authorization: Bearer TOKEN`; a page gets its token by the link that `hikazed open` makes.",
        {"WWW-Authenticate": challenge},
    )


def _check_mark(request: Request) -> Refusal | None:
    if request.method in _READS or request.hikaze_header == ("1",):
        return None
    if not request.content_type:
        return _forbidden("A write needs `Content-Type: application/json` or the header `X-Hikaze: 1`.")
    if len(request.content_type) == 1 and _media_type(request.content_type[0]) == "application/json":
        return None
    return Refusal(
        415,
        "Unsupported media type",
        "Send JSON as `Content-Type: application/json`; for a body of another type add `X-Hikaze: 1`.",
    )


def _key_opens(request: Request, policy: Policy) -> bool:
    if request.query_key is None or request.method not in _READS or not _PICTURE.fullmatch(request.path):
        return False
    return _same(request.query_key, policy.image_key)


def _bears(request: Request, token: str) -> bool:
    if len(request.authorization) != 1:
        return False
    scheme, _, credentials = request.authorization[0].partition(" ")
    return scheme.lower() == "bearer" and _same(credentials.strip(" "), token)


def _same(given: str, secret: str) -> bool:
    # As bytes, because compare_digest raises on text that is not ASCII. An empty secret opens nothing.
    return bool(secret) and hmac.compare_digest(_bytes(given), _bytes(secret))


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _media_type(content_type: str) -> str:
    return content_type.partition(";")[0].strip(" \t").lower()


def _forbidden(detail: str) -> Refusal:
    return Refusal(403, "Forbidden", detail)


class Codes:
    """One-time codes that a freshly opened page trades for its token; kept in memory only."""

    def __init__(self, make: Callable[[], str] = lambda: secrets.token_urlsafe(32)) -> None:
        """Take the maker of codes, which must be unguessable and never repeat."""
        self._make = make
        self._minted: dict[str, int] = {}

    def mint(self, now: int) -> str:
        """Give a code valid for five minutes from `now` (a monotonic clock's ms); a 33rd ends the oldest."""
        self._forget_old(now)
        while len(self._minted) >= MOST_CODES:
            del self._minted[next(iter(self._minted))]
        code = self._make()
        self._minted[code] = now
        return code

    def redeem(self, code: str, now: int) -> bool:
        """Use a code up; False where it is unknown, used or over five minutes old at `now` (ms)."""
        self._forget_old(now)
        matches = [known for known in self._minted if _same(code, known)]  # all compared, whichever it is
        for known in matches:
            del self._minted[known]
        return bool(matches)

    def _forget_old(self, now: int) -> None:
        self._minted = {code: then for code, then in self._minted.items() if now - then < CODE_LIFE_MS}


_PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
# An answer of the API opened as a document (a picture, JSON) has nothing to load and nothing to run.
_API_POLICY = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"


def security_headers(path: str) -> dict[str, str]:
    """Give the headers that every answer for `path` carries, refusals included."""
    return {
        "Content-Security-Policy": _API_POLICY if is_api(path) else _PAGE_POLICY,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
    }
