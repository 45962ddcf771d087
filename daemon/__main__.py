"""The command line: `hikazed`.

Exit codes: 0; 1 refused or failed, with one line on stderr; 2 wrong usage. A flag that is wrong by itself is
wrong usage; a bad configuration file or environment, and settings that do not go together, are failures. Modules
are imported when a command needs them, so that `--help` answers at once.
"""

import argparse
import contextlib
import io
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn

HANDLERS = {
    "open": ("commands", "open_page"),
    "stop": ("commands", "stop"),
    "status": ("commands", "status"),
    "scan": ("commands", "scan"),
    "pending": ("commands", "pending"),
    "import": ("importing", "import_models"),
    "models": ("commands", "models"),
    "show": ("commands", "show"),
    "tag": ("commands", "tag"),
    "log": ("commands", "log"),
    "rebuild": ("upkeep", "rebuild"),
    "check": ("upkeep", "check_library"),
}
"""The module and function of each command; it takes a `commands.Desk` and gives the exit code. `run` is here."""

STRATEGIES = ("merge", "override", "ignore", "delete")
ORDERS = tuple(sign + name for name in ("name", "added", "size", "changed") for sign in ("", "-"))

_Commands = "argparse._SubParsersAction[argparse.ArgumentParser]"


def main(argv: Sequence[str] | None = None) -> int:
    """Do what the command line says, and give the exit code."""
    _let_every_character_through()
    args = parser().parse_args(argv)
    try:
        return _run(args) if args.command == "run" else _command(args)
    except KeyboardInterrupt:
        return _fail("interrupted; ask again to see how things stand")
    except BrokenPipeError:  # whoever read the answer has seen enough: `hikazed models | head`
        _forget_output()
        return 1


def _let_every_character_through() -> None:
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # what an old encoding cannot write is written as its code
            stream.reconfigure(errors="backslashreplace")


def _forget_output() -> None:
    with contextlib.suppress(OSError, ValueError):  # else Python complains again when it ends
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _run(args: argparse.Namespace) -> int:
    from .config import ConfigError, load

    try:
        config = load(vars(args), os.environ)
    except ConfigError as error:
        return _fail(str(error))
    from .app import run

    return run(config)


def _command(args: argparse.Namespace) -> int:
    from .commands import FAILURES, Desk
    from .config import Platform
    from .terminal import Screen

    module, function = HANDLERS[args.command]
    screen = Screen(sys.stdout, sys.stderr)
    try:
        code = getattr(import_module(f".{module}", __package__), function)(
            Desk(args, screen, Platform.here().config_dir)
        )
        screen.flush()
    except FAILURES as error:
        screen.flush()
        screen.note(f"hikazed: {error}")
        return 1
    return code


def _fail(message: str) -> int:
    from .terminal import Screen

    Screen(sys.stdout, sys.stderr).note(f"hikazed: {message}")
    return 1


# What there is to say ---------------------------------------------------------------------------------


class _Parser(argparse.ArgumentParser):
    """A parser that takes no abbreviations: an option of tomorrow must not change a script of today."""

    def __init__(self, **settings: object) -> None:
        super().__init__(**{**settings, "allow_abbrev": False})  # pyright: ignore[reportArgumentType]


def parser() -> argparse.ArgumentParser:
    """Make the parser of the whole command line."""
    top = _Parser(prog="hikazed", description="A model library for people who run ComfyUI.")
    _add_data(top)
    _add_socket(top)
    commands = top.add_subparsers(dest="command", metavar="COMMAND", title="commands", required=True)
    _run_options(commands)
    ...
    return top
