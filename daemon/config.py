"""What the daemon is told: defaults, then the TOML file, then the environment, then the command line.

A later source replaces a setting of an earlier one whole, lists included.
"""

import ipaddress
import os
import socket
import sys
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self, TypeVar

import platformdirs

from .names import canonical_type

CONFIG_FILE = "hikazed.toml"
SOCKET_FILE = "hikazed.sock"
DEFAULT_LISTEN = "127.0.0.1:8790"

_SETTINGS = frozenset({"data", "comfyui", "listen", "socket", "pending", "models"})
_T = TypeVar("_T")


class ConfigError(Exception):
    """A setting cannot be used; the message is one sentence that names the source and the key."""


@dataclass(frozen=True)
class Config:
    """The settings, complete: every path is absolute, every type ComfyUI's own name.

    `models` holds what was named, as (type, folder), the first of a type being where imports go; where it is
    empty and `comfyui` is None the caller looks for a ComfyUI. `socket` is None where there are none.
    """

    data: str
    comfyui: str | None
    models: tuple[tuple[str, str], ...]
    pending: tuple[str, ...]
    listen_host: str
    listen_port: int
    socket: str | None


@dataclass(frozen=True)
class Platform:
    """What the machine says: the user's folders, where the command was given, what its sockets can do."""

    home: str
    config_dir: str
    data_dir: str
    cwd: str
    unix_sockets: bool
    socket_path_bytes: int

    @classmethod
    def here(cls) -> Self:
        """Describe this machine and this process."""
        return cls(
            home=os.path.expanduser("~"),
            config_dir=platformdirs.user_config_dir("hikaze", appauthor=False),
            data_dir=platformdirs.user_data_dir("hikaze", appauthor=False),
            cwd=os.getcwd(),
            # Windows' Python knows AF_UNIX from 3.14 on, its asyncio serves none.
            unix_sockets=hasattr(socket, "AF_UNIX") and os.name == "posix",
            # sun_path less its NUL: unix(7) gives Linux 108 bytes, macOS's sys/un.h 104.
            socket_path_bytes=103 if sys.platform == "darwin" else 107,
        )


@dataclass(frozen=True)
class _Source:
    """Where settings came from: how to name one of them in a message, and what relative paths start at."""

    name: Callable[[str], str]
    base: str
    home: str

    def refuse(self, key: str, problem: str) -> ConfigError:
        return ConfigError(f"{self.name(key)} {problem}.")

    def folder(self, key: str, value: str) -> str:
        """Give a path as an absolute one, ~ being the user's home."""
        if not value or "\0" in value:
            raise self.refuse(key, "must name a folder or file, without NUL")
        if value == "~" or value.startswith(("~/", "~" + os.sep)):
            value = os.path.join(self.home, value[2:])
        return os.path.normpath(os.path.join(self.base, os.path.expanduser(value)))


@dataclass(frozen=True)
class _Settings:
    """One source's settings, checked; None is what it does not say."""

    data: str | None = None
    comfyui: str | None = None
    models: tuple[tuple[str, str], ...] | None = None
    pending: tuple[str, ...] | None = None
    listen: tuple[str, int] | None = None
    socket: str | None = None


def load(flags: Mapping[str, Any], env: Mapping[str, str], platform: Platform | None = None) -> Config:
    """Give the settings, or raise ConfigError.

    Flags by their long names: `data`, `config`, `comfyui`, `listen`, `socket` as text, `models` (TYPE=DIR)
    and `pending` as lists of text; None or absent is not given. Reads the TOML file and nothing else.
    """
    platform = platform or Platform.here()
    sources = (
        _from_flags(flags, platform),
        _from_env(env, platform),
        _from_file(flags.get("config"), platform),
    )

    def said(pick: Callable[[_Settings], _T | None]) -> _T | None:
        return next((found for found in map(pick, sources) if found is not None), None)

    data = said(lambda source: source.data) or _default_data(env, platform)
    models = said(lambda source: source.models) or ()
    pending = said(lambda source: source.pending)
    if pending is None:  # an empty list is a choice: no drop folder
        pending = (os.path.join(data, "pending"),)
    check_roots(models, pending)
    host, port = said(lambda source: source.listen) or parse_listen(DEFAULT_LISTEN)
    return Config(
        data=data,
        comfyui=said(lambda source: source.comfyui),
        models=models,
        pending=pending,
        listen_host=host,
        listen_port=port,
        socket=_socket(said(lambda source: source.socket), data, env, platform),
    )


def check_roots(models: Iterable[tuple[str, str]], pending: Iterable[str]) -> None:
    """Raise ConfigError where one folder is both a model root and a pending root.

    Call it again on the folders that a ComfyUI brings.
    """
    roots = {os.path.normcase(folder): kind for kind, folder in models}
    for folder in pending:
        kind = roots.get(os.path.normcase(folder))
        if kind is not None:
            raise ConfigError(
                f"{folder} cannot be both the folder for {kind} and a pending folder: "
                "give another folder as pending, for example one inside it."
            )


def parse_listen(text: str) -> tuple[str, int]:
    """Take `HOST:PORT` apart (`[::1]:PORT` for IPv6, `:0` for any free port); loopback only.

    Raises ValueError with the part of a sentence that follows the setting's name.
    """
    host, colon, port = text.strip().rpartition(":")
    if not colon or not (port.isascii() and port.isdigit()) or len(port) > 5 or int(port) > 65535:
        raise ValueError("must be HOST:PORT with a port from 0 to 65535, such as 127.0.0.1:8790")
    return _loopback(host), int(port)


def _loopback(host: str) -> str:
    if host == "" or host.lower() == "localhost":  # RFC 6761: always the loopback address
        return "127.0.0.1"
    bracketed = host.startswith("[") and host.endswith("]")
    try:
        address = ipaddress.ip_address(host[1:-1] if bracketed else host)
    except ValueError:
        address = None
    if isinstance(address, ipaddress.IPv6Address) and not bracketed:
        raise ValueError(f"must have the IPv6 address in brackets, such as [{host}]:8790")
    loopback = address == ipaddress.IPv6Address("::1") or (
        isinstance(address, ipaddress.IPv4Address) and not bracketed and address.is_loopback
    )
    if address is None or not loopback:
        raise ValueError(
            "must be a loopback address such as 127.0.0.1:8790: to reach hikazed from other machines, "
            "put a reverse proxy in front of it"
        )
    return str(address)


def _from_flags(flags: Mapping[str, Any], platform: Platform) -> _Settings:
    source = _Source(lambda key: f"--{key}", platform.cwd, platform.home)
    given = {key: value for key, value in flags.items() if key in _SETTINGS and value is not None}
    if "models" in given:
        given["models"] = _pairs(source, given["models"])
    return _checked(source, given)


def _from_env(env: Mapping[str, str], platform: Platform) -> _Settings:
    source = _Source(lambda key: f"HIKAZE_{key.upper()} in the environment", platform.cwd, platform.home)
    given: dict[str, Any] = {}
    for key in _SETTINGS:
        text = env.get(f"HIKAZE_{key.upper()}", "")
        if text:  # an empty variable is the usual way to unset one
            given[key] = _split(text) if key in ("models", "pending") else text
    if "models" in given:
        given["models"] = _pairs(source, given["models"])
    return _checked(source, given)


def _from_file(chosen: str | None, platform: Platform) -> _Settings:
    source = _Source(lambda key: f"--{key}", platform.cwd, platform.home)
    path = source.folder("config", chosen) if chosen is not None else ""
    path = path or os.path.join(platform.config_dir, CONFIG_FILE)
    given = _read_toml(path, required=chosen is not None)
    source = _Source(lambda key: f"{path}: {key}", os.path.dirname(path), platform.home)
    unknown = sorted(given.keys() - _SETTINGS)
    if unknown:
        raise source.refuse(unknown[0], f"is no setting of hikazed; there are {', '.join(sorted(_SETTINGS))}")
    if "models" in given:
        given["models"] = _table(source, given["models"])
    return _checked(source, given)


def _read_toml(path: str, *, required: bool) -> dict[str, Any]:
    try:
        with open(path, "rb") as file:
            return tomllib.load(file)
    except FileNotFoundError as error:
        if not required:
            return {}
        raise ConfigError(f"{path}, given with --config, does not exist.") from error
    except OSError as error:
        raise ConfigError(f"Cannot read {path} ({error.strerror}): make it a file that you may read.") from error
    except (ValueError, RecursionError) as error:  # TOMLDecodeError and UnicodeDecodeError are ValueErrors
        raise ConfigError(f"{path} is not valid TOML ({error}): correct it there.") from error


def _checked(source: _Source, given: Mapping[str, Any]) -> _Settings:
    """Check types and make paths absolute; `models` has become a list of (key, type, folder) by now."""
    paths = {key: _path(source, key, given.get(key)) for key in ("data", "comfyui", "socket")}
    return _Settings(
        **paths,
        models=_models(source, given["models"]) if "models" in given else None,
        pending=_pending(source, given["pending"]) if "pending" in given else None,
        listen=_listen(source, given["listen"]) if "listen" in given else None,
    )


def _path(source: _Source, key: str, value: object) -> str | None:
    return None if value is None else source.folder(key, _text(source, key, value))


def _text(source: _Source, key: str, value: object) -> str:
    if not isinstance(value, str):
        raise source.refuse(key, f"must be text in quotes, not {_shown(value)}")
    return value


def _listen(source: _Source, value: object) -> tuple[str, int]:
    try:
        return parse_listen(_text(source, "listen", value))
    except ValueError as error:
        raise source.refuse("listen", f"{error}") from error


def _pending(source: _Source, value: object) -> tuple[str, ...]:
    folders = (source.folder("pending", text) for text in _texts(source, "pending", value))
    return tuple(dict.fromkeys(folders))


def _models(source: _Source, entries: Iterable[tuple[str, str, str]]) -> tuple[tuple[str, str], ...]:
    found: dict[tuple[str, str], None] = {}
    for key, kind, folder in entries:
        try:
            found[canonical_type(kind), source.folder(key, folder)] = None
        except ValueError as error:
            raise ConfigError(f"{source.name(key)} names no type: {error}") from error
    return tuple(found)


def _texts(source: _Source, key: str, value: object) -> list[str]:
    if not isinstance(value, list | tuple):
        raise source.refuse(key, f"must be a list of folders in square brackets, not {_shown(value)}")
    return [_text(source, key, each) for each in value]


def _pairs(source: _Source, value: object) -> list[tuple[str, str, str]]:
    """Take `TYPE=DIR` texts apart."""
    pairs: list[tuple[str, str, str]] = []
    for text in _texts(source, "models", value):
        kind, sign, folder = text.partition("=")
        if not (sign and kind.strip() and folder):
            raise source.refuse("models", f"must be TYPE=DIR, such as loras=/disk/loras, not {text!r}")
        pairs.append(("models", kind, folder))
    return pairs


def _table(source: _Source, value: object) -> list[tuple[str, str, str]]:
    """Take the TOML table of types apart, each with its folder or list of folders."""
    if not isinstance(value, dict):
        raise source.refuse("models", f"must be a table of types and their folders, not {_shown(value)}")
    entries: list[tuple[str, str, str]] = []
    for kind, folders in value.items():
        key = f"models.{kind}"
        several = [folders] if isinstance(folders, str) else _texts(source, key, folders)
        entries += ((key, kind, folder) for folder in several)
    return entries


def _split(text: str) -> list[str]:
    return [part for part in text.split(os.pathsep) if part]


def _default_data(env: Mapping[str, str], platform: Platform) -> str:
    """Give systemd's StateDirectory= (the first; systemd.exec(5) joins by colons), else the user's folder."""
    first = env.get("STATE_DIRECTORY", "").partition(":")[0] if os.name == "posix" else ""
    return os.path.normpath(os.path.join(platform.cwd, first or platform.data_dir))


def _socket(given: str | None, data: str, env: Mapping[str, str], platform: Platform) -> str | None:
    if not platform.unix_sockets:
        return None
    runtime = env.get("XDG_RUNTIME_DIR", "")
    # The XDG base directory specification: a relative path in the variable is to be ignored.
    folder = os.path.join(runtime, "hikaze") if os.path.isabs(runtime) else data
    path = given or os.path.join(folder, SOCKET_FILE)
    size = len(os.fsencode(path))
    if size > platform.socket_path_bytes:
        raise ConfigError(
            f"The socket path {path} has {size} bytes, and the system takes {platform.socket_path_bytes}: "
            "give a shorter one with --socket."
        )
    return path


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."
