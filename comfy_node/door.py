"""Who may come through ComfyUI to the daemon, and how far: decisions about a request's head, nothing else.

The daemon trusts whoever speaks on its socket, so what it would ask of a browser is asked here. The threats are web
pages in the browser of somebody who uses this ComfyUI (forged requests, names that are bound to another address to get
at it) and, where ComfyUI listens beyond this machine, everybody who can reach it: it asks nobody for a password.
Fetch metadata: https://www.w3.org/TR/fetch-metadata/
"""

import ipaddress
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

Access = Literal["full", "view"]

ACCESS_VARIABLE = "HIKAZE_COMFYUI_ACCESS"
HOSTS_VARIABLE = "HIKAZE_COMFYUI_HOSTS"

_READS = ("GET", "HEAD")
_METHODS = (*_READS, "POST", "PUT", "PATCH", "DELETE")
_DEFAULT_PORTS = {"http": 80, "https": 443}
# What a proxy between the browser and ComfyUI adds: the peer's address is the proxy's then, not the browser's.
_FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP", "CF-Connecting-IP")

# What the overlay reads to show and choose models. Folders, disks and duplicates are the owner's affair.
_FOR_VIEWERS = re.compile(
    r"/api/(?:status|tags|events|resolve|openapi\.json|migration/pending_models?|lora-sets(?:/[0-9]{1,18})?"
    r"|models(?:/[0-9a-z_]{1,80}(?:/history)?)?|images/(?:get_sample_imgs|get_img_count|pending/[0-9]{1,18}(?:/info)?"
    r"|[0-9a-f]{64}(?:_[0-9]{1,18})?(?:\.webp|/info)))",
    re.ASCII,
)


@dataclass(frozen=True)
class Head:
    """The head of a request; each header as all of its values. `path` is the daemon's, percent-decoded."""

    method: str
    path: str
    peer: str | None = None
    host: tuple[str, ...] = ()
    origin: tuple[str, ...] = ()
    site: tuple[str, ...] = ()
    content_type: tuple[str, ...] = ()
    mark: tuple[str, ...] = ()
    is_forwarded: bool = False


@dataclass(frozen=True)
class Rules:
    """How this ComfyUI stands: does it listen beyond this machine, and what its owner allows.

    `hosts` are the names its owner gave it, `names` those this machine has by itself; all in lower case.
    """

    beyond: bool
    all_may_write: bool = False
    hosts: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Refusal:
    """An answer that ends the request; `kind` tells the page which it is: `refused` or `viewer`."""

    status: int
    kind: Literal["refused", "viewer"]
    detail: str


def rules_of(listen: str | None, machine: str, env: Mapping[str, str]) -> Rules:
    """Give the rules of a ComfyUI that listens on some addresses (as its `--listen` has them) on a machine.

    Where that is not known it is taken to listen beyond it.
    """
    addresses = [part.strip() for part in (listen or "").split(",") if part.strip()]
    machine = machine.lower()
    return Rules(
        beyond=not addresses or not all(map(_is_loopback, addresses)),
        all_may_write=env.get(ACCESS_VARIABLE, "").strip().lower() == "full",
        hosts=frozenset(name.strip().lower() for name in env.get(HOSTS_VARIABLE, "").split(",") if name.strip()),
        names=frozenset({machine, f"{machine}.local"}) if machine else frozenset(),
    )


def read_head(method: str, path: str, peer: str | None, header: Callable[[str], Sequence[str]]) -> Head:
    """Take a request's head apart; `header` gives all values of a header."""

    def every(name: str) -> tuple[str, ...]:
        return tuple(header(name))

    return Head(
        method=method,
        path=path,
        peer=peer,
        host=every("Host"),
        origin=every("Origin"),
        site=every("Sec-Fetch-Site"),
        content_type=every("Content-Type"),
        mark=every("X-Hikaze"),
        is_forwarded=any(every(name) for name in _FORWARDED),
    )


def access_of(head: Head, rules: Rules) -> Access:
    """Give how far a request may go: where ComfyUI can be reached from elsewhere its owner has to allow more."""
    if rules.all_may_write:
        return "full"
    return "view" if rules.beyond or not _is_near(head) else "full"


def check(head: Head, rules: Rules) -> Refusal | None:
    """Decide on a request for the daemon; None lets it through."""
    return _check_sender(head, rules) or _check_session(head) or _check_viewer(head, rules)


def check_start(head: Head, rules: Rules) -> Refusal | None:
    """Decide on a request to start the daemon: only a page of this machine's own browser may ask for it."""
    refusal = _check_sender(head, rules)
    if refusal is not None:
        return refusal
    if not may_start(head, rules):
        return Refusal(403, "viewer", "Start it on the machine that ComfyUI runs on, with `hikazed run`.")
    return None


def may_start(head: Head, rules: Rules) -> bool:
    """Tell whether whoever asks sits at this machine and may do everything."""
    return _is_near(head) and access_of(head, rules) == "full"


# Who sent it ------------------------------------------------------------------------------------------


def _check_sender(head: Head, rules: Rules) -> Refusal | None:
    return _check_host(head, rules) or _check_origin(head) or _check_site(head) or _check_mark(head)


def _check_host(head: Head, rules: Rules) -> Refusal | None:
    """Refuse names that are not known to be ours: a page elsewhere may have its own name lead to this machine."""
    name = _name_of(head.host[0]) if len(head.host) == 1 else ""
    if name and (_is_loopback(name) or name in rules.hosts):
        return None
    if rules.beyond and name and (_is_address(name) or name in rules.names):
        return None
    return _refused(
        f"This address is not known to be ComfyUI's: its owner can add it to {HOSTS_VARIABLE} in the environment that"
        " ComfyUI is started in."
    )


def _check_origin(head: Head) -> Refusal | None:
    if not head.origin or (len(head.origin) == 1 and _is_same(head.origin[0], head.host[0])):
        return None
    return _refused("Pages of another origin may not talk to Hikaze: open ComfyUI's own page.")


def _check_site(head: Head) -> Refusal | None:
    if head.site in ((), ("same-origin",)) or (head.site == ("none",) and head.method in _READS):
        return None
    return _refused("Another site asked for this: open ComfyUI's own page.")


def _check_mark(head: Head) -> Refusal | None:
    """Ask a write for what neither a form nor a plain cross-site request can carry; the daemon asks, too."""
    if head.method not in _METHODS:
        return Refusal(405, "refused", f"Use {', '.join(_METHODS)} here.")
    kinds = [kind.partition(";")[0].strip(" \t").lower() for kind in head.content_type]
    if head.method in _READS or head.mark == ("1",) or kinds == ["application/json"]:
        return None
    return _refused("A write needs `Content-Type: application/json` or the header `X-Hikaze: 1`.")


# How far it may go ------------------------------------------------------------------------------------


def _check_session(head: Head) -> Refusal | None:
    if head.path != "/api/session":
        return None
    return _refused("Inside ComfyUI nobody needs a token, so none is given; outside of it use `hikazed open`.")


def _check_viewer(head: Head, rules: Rules) -> Refusal | None:
    if access_of(head, rules) == "full" or (head.method in _READS and _is_for_viewers(head.path)):
        return None
    return Refusal(
        403,
        "viewer",
        "This ComfyUI can be reached from other machines, so here models can be looked at and chosen only; its owner"
        f" allows more by setting {ACCESS_VARIABLE}=full in the environment that ComfyUI is started in.",
    )


def _is_for_viewers(path: str) -> bool:
    return bool(_FOR_VIEWERS.fullmatch(path)) or "api" not in path.replace("\\", "/").casefold().split("/")


def _is_near(head: Head) -> bool:
    """Tell whether the browser runs on this machine: it came over loopback, by such a name, and by no proxy."""
    by_name = len(head.host) == 1 and _is_loopback(_name_of(head.host[0]))
    return by_name and not head.is_forwarded and head.peer is not None and _is_loopback(head.peer)


# Names and addresses ----------------------------------------------------------------------------------


def _is_loopback(name: str) -> bool:
    if name == "localhost" or name.endswith(".localhost"):  # RFC 6761: always loopback
        return True
    address = _address(name)
    if address is None:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback


def _is_address(name: str) -> bool:
    return _address(name) is not None


def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return None


def _name_of(host: str) -> str:
    """Give the name or address in a Host header, without its port; empty where it cannot be read."""
    return _split("http", host)[0] if host.isascii() else ""


def _is_same(origin: str, host: str) -> bool:
    """Tell whether an Origin header names what a Host header does; a proxy may speak https where ComfyUI does not."""
    scheme, _, netloc = origin.partition("://")
    if scheme not in _DEFAULT_PORTS or not netloc or not origin.isascii():
        return False
    return _split(scheme, netloc) in (_split(scheme, host), _split("http", host)) and _split(scheme, netloc)[0] != ""


def _split(scheme: str, netloc: str) -> tuple[str, int]:
    if set(netloc) & set("@/?#\\ \t"):
        return "", 0
    try:
        parts = urlsplit(f"{scheme}://{netloc}")
        return (parts.hostname or "").rstrip("."), parts.port or _DEFAULT_PORTS[scheme]
    except ValueError:
        return "", 0


def _refused(detail: str) -> Refusal:
    return Refusal(403, "refused", detail)
