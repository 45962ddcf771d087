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
from typing import TYPE_CHECKING

from .commands.language import screen, with_query_kept

HANDLERS = {
    "open": ("everyday", "open_page"),
    "stop": ("everyday", "stop"),
    "status": ("everyday", "status"),
    "scan": ("everyday", "scan"),
    "pending": ("everyday", "pending"),
    "import": ("importing", "import_models"),
    "models": ("finding", "models"),
    "show": ("everyday", "show"),
    "tag": ("everyday", "tag"),
    "migrate": ("migrate", "migrate"),
    "export": ("export", "export"),
    "duplicates": ("storage", "duplicates"),
    "storage": ("storage", "storage"),
    "log": ("everyday", "log"),
    "install": ("install", "install"),
    "rebuild": ("upkeep", "rebuild"),
    "check": ("upkeep", "check_library"),
    "backup": ("upkeep", "back_up"),
    "restore": ("upkeep", "restore"),
}
"""The module and function of each command, in `commands`; it takes an `everyday.Desk` and gives the exit code.

`run` is here.
"""

STRATEGIES = ("merge", "override", "ignore", "delete")
EXPORT_FORMATS = ("lora-manager", "civitai-info", "a1111", "stability-matrix", "swarm", "text")
STORED_BY = ("root", "type", "tag", "age")
ORDERS = ("best", *(sign + name for name in ("name", "added", "size", "changed", "used") for sign in ("", "-")))

if TYPE_CHECKING:
    _Commands = argparse._SubParsersAction[argparse.ArgumentParser]


def main(argv: Sequence[str] | None = None) -> int:
    """Do what the command line says, and give the exit code."""
    _let_every_character_through()
    top = parser()
    args = top.parse_args(with_query_kept(sys.argv[1:] if argv is None else argv))
    _check_together(top, args)
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
    from .commands.everyday import FAILURES, Desk
    from .commands.terminal import Screen
    from .config import Platform

    module, function = HANDLERS[args.command]
    screen = Screen(sys.stdout, sys.stderr)
    try:
        code = getattr(import_module(f".commands.{module}", __package__), function)(
            Desk(args, screen, Platform.here().config_dir)
        )
        screen.flush()
    except FAILURES as error:
        screen.flush()
        screen.note(f"hikazed: {error}")
        return 1
    return code


def _fail(message: str) -> int:
    from .commands.terminal import Screen

    Screen(sys.stdout, sys.stderr).note(f"hikazed: {message}")
    return 1


# What there is to say ---------------------------------------------------------------------------------


def parser() -> argparse.ArgumentParser:
    """Make the parser of the whole command line."""
    top = argparse.ArgumentParser(
        prog="hikazed", description="A model library for people who run ComfyUI.", allow_abbrev=False
    )
    _add_data(top, default=None)
    _add_socket(top, default=None)
    commands = top.add_subparsers(dest="command", metavar="COMMAND", title="commands", required=True)
    _add_run(commands)
    _add_talking(commands, "open", "give a link that opens the page once, and open it where there is a display")
    _add_talking(commands, "stop", "stop the daemon, and wait until it has stopped")
    _add_talking(commands, "status", "show how the daemon and the library are")
    _add_talking(commands, "scan", "look at all watched folders now")
    _add_pending(commands)
    _add_import(commands)
    _add_models(commands)
    _add_show(commands)
    _add_tag(commands)
    _add_migrate(commands)
    _add_export(commands)
    _add_duplicates(commands)
    _add_storage(commands)
    _add_log(commands)
    _add_install(commands)
    _add_alone(commands, "check", "look over log, read tables and pictures, beside a running daemon or without one")
    _add_alone(commands, "rebuild", "build the read tables anew from the log, while no daemon runs")
    _add_backup(commands)
    _add_restore(commands)
    return top


def _add_run(commands: "_Commands") -> None:
    run = _add(commands, "run", "be the daemon, in the foreground, until it is stopped")
    _add_data(run)
    run.add_argument("--config", metavar="FILE", help="the configuration file (TOML)")
    run.add_argument("--comfyui", metavar="DIR", help="a ComfyUI whose model folders to watch")
    run.add_argument(
        "--models",
        metavar="TYPE=DIR",
        action="append",
        type=_type_and_folder,
        help="watch a folder with models of one type; of several the first is where imports go",
    )
    run.add_argument("--pending", metavar="DIR", action="append", help="watch a drop folder (default: DATA/pending)")
    run.add_argument(
        "--listen", metavar="HOST:PORT", type=_address, help="address for browsers (default: 127.0.0.1:8790; :0: any)"
    )
    _add_socket(run)


def _add_pending(commands: "_Commands") -> None:
    command = _add_talking(commands, "pending", "list the pending models, newest first, or show all about one")
    command.add_argument("id", metavar="ID", nargs="?", type=_positive, help="a pending model, as the list shows it")
    _add_limit(command, "models")


def _add_import(commands: "_Commands") -> None:
    about = "import pending models; several at once are queued in the daemon, which goes on if this is interrupted"
    command = _add_talking(commands, "import", about)
    command.add_argument("ids", metavar="ID", nargs="*", type=_positive, help="a pending model, as `pending` lists it")
    command.add_argument("--all", action="store_true", help="import everything that is pending")
    command.add_argument(
        "--on-conflict", metavar="STRATEGY", choices=STRATEGIES, help=f"for known content: {', '.join(STRATEGIES)}"
    )
    command.add_argument("--type", metavar="TYPE", type=_text, help="import as this type, whatever the file tells")
    command.add_argument("--no-wait", action="store_true", help="only queue the imports, and do not wait for them")


def _add_models(commands: "_Commands") -> None:
    command = _add_talking(commands, "models", "list the models that a query finds, or all")
    command.formatter_class = argparse.RawDescriptionHelpFormatter
    command.epilog = screen()
    command.add_argument(
        "query", metavar="QUERY", nargs="*", type=_text, help="words and conditions, in one argument or in several"
    )
    command.add_argument("--type", metavar="TYPE", type=_text, help="only models of this type")
    command.add_argument(
        "--tag", metavar="NAME", action="append", type=_text, help="only with this tag; repeat for more"
    )
    command.add_argument("--not-tag", metavar="NAME", action="append", type=_text, help="only without this tag")
    orders = ", ".join(order for order in ORDERS if not order.startswith("-"))
    command.add_argument(
        "--sort", metavar="ORDER", choices=ORDERS, help=f"{orders}; downwards with a minus: --sort=-added"
    )
    command.add_argument("--facets", action="store_true", help="count the types and tags of what is found, too")
    _add_limit(command, "models")


def _add_show(commands: "_Commands") -> None:
    command = _add_talking(commands, "show", "show all that is known of a model")
    command.add_argument("model", metavar="MODEL", type=_text, help=_MODEL)


def _add_tag(commands: "_Commands") -> None:
    about = "list all tags, or those of a model, or change those of a model"
    command = _add_talking(commands, "tag", about)
    command.add_argument("model", metavar="MODEL", nargs="?", type=_text, help=_MODEL)
    for option, what in (("--add", "put tags on the model"), ("--remove", "take tags off the model")):
        command.add_argument(option, metavar="NAME", nargs="+", action="extend", type=_text, help=what)


def _add_migrate(commands: "_Commands") -> None:
    about = "bring the library of an earlier Hikaze along; nothing of it is changed, and nothing comes twice"
    command = _add_talking(commands, "migrate", about)
    command.add_argument("source", metavar="SOURCE", nargs="?", help="its data folder, or its database")
    command.add_argument("--images", metavar="DIR", help="the folder of its pictures (default: images beside it)")
    command.add_argument("--cancel", action="store_true", help="end what is being brought along; what came stays")


def _add_export(commands: "_Commands") -> None:
    about = "write what is known of models beside their files, in a format that other managers read"
    command = _add_talking(commands, "export", about)
    command.add_argument("models", metavar="MODEL", nargs="*", type=_text, help=_MODEL)
    command.add_argument("--all", action="store_true", help="export every model whose file is here")
    command.add_argument(
        "--format", metavar="FORMAT", required=True, choices=EXPORT_FORMATS, help=", ".join(EXPORT_FORMATS)
    )
    command.add_argument(
        "--replace", action="store_true", help="replace files that lie there; each is kept as NAME.bak-1 and so on"
    )
    command.add_argument("--pictures", action="store_true", help="write the cover, too, where no preview lies")
    command.add_argument("--dry-run", action="store_true", help="write nothing, and tell what would be written")


def _add_duplicates(commands: "_Commands") -> None:
    about = "list what lies on the disks more than once, and what it would give back; nothing is deleted"
    command = _add_talking(commands, "duplicates", about)
    command.add_argument(
        "--kind", choices=("equal", "relatives"), help="only equal content, or only models with the same tensors"
    )
    _add_limit(command, "groups")


def _add_storage(commands: "_Commands") -> None:
    command = _add_talking(commands, "storage", "show what takes how much room")
    command.add_argument("--by", choices=STORED_BY, help=f"only by one of {', '.join(STORED_BY)} (default: all)")


def _add_log(commands: "_Commands") -> None:
    command = _add_talking(commands, "log", "show what happened, oldest first")
    command.add_argument("--model", metavar="MODEL", type=_text, help=f"only what happened to a model: {_MODEL}")
    command.add_argument("--follow", action="store_true", help="show what happens from now on; with --json one a line")
    _add_limit(command, "events, the newest")


def _add_install(commands: "_Commands") -> None:
    about = "put Hikaze's nodes and overlay into a ComfyUI, or bring what is there up to date"
    command = _add(commands, "install", about)
    command.add_argument("--comfyui", metavar="DIR", required=True, help="the folder that holds ComfyUI's main.py")
    command.add_argument("--uninstall", action="store_true", help="take them out again; the library stays as it is")
    _add_json(command)


def _add_backup(commands: "_Commands") -> None:
    about = "write log and pictures to a file, beside a running daemon or without one; model files are not in it"
    command = _add_alone(commands, "backup", about)
    command.add_argument("file", metavar="FILE", type=_file, help="the file to write; best on another disk")
    command.add_argument("--overwrite", action="store_true", help="replace the backup that FILE is, if there is one")


def _add_restore(commands: "_Commands") -> None:
    about = "bring a backup back, while no daemon runs; what is there is kept in a folder beside it"
    command = _add_alone(commands, "restore", about)
    command.add_argument("file", metavar="FILE", type=_file, help="the backup to bring back")


_MODEL = "its SHA-256, the first six digits or more of it, or its exact name"


def _add_talking(commands: "_Commands", name: str, about: str) -> argparse.ArgumentParser:
    """Add a command that asks a running daemon."""
    command = _add(commands, name, about)
    _add_data(command)
    _add_socket(command)
    _add_json(command)
    return command


def _add_alone(commands: "_Commands", name: str, about: str) -> argparse.ArgumentParser:
    """Add a command that works on the data folder itself."""
    command = _add(commands, name, about)
    _add_data(command)
    _add_json(command)
    return command


def _add(commands: "_Commands", name: str, about: str) -> argparse.ArgumentParser:
    return commands.add_parser(name, help=about, description=f"{about[0].upper()}{about[1:]}.", allow_abbrev=False)


# Accepted before and after the command: there it must not undo, by its default, what was said before.


def _add_data(command: argparse.ArgumentParser, default: str | None = argparse.SUPPRESS) -> None:
    command.add_argument("--data", metavar="DIR", default=default, help="the data folder")


def _add_socket(command: argparse.ArgumentParser, default: str | None = argparse.SUPPRESS) -> None:
    command.add_argument("--socket", metavar="PATH", default=default, help="the daemon's unix socket")


def _add_json(command: argparse.ArgumentParser) -> None:
    command.add_argument("--json", action="store_true", help="print JSON, for scripts")


def _add_limit(command: argparse.ArgumentParser, what: str) -> None:
    command.add_argument("--limit", metavar="N", type=_positive, help=f"at most so many {what} (default: all)")


# Values, checked where they are said: what is refused here is wrong usage.


def _positive(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 upwards")
    return int(text)


def _text(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise argparse.ArgumentTypeError(f"{text!r} is not valid UTF-8") from None
    return text


def _file(text: str) -> str:
    if text in ("", "-"):
        raise argparse.ArgumentTypeError("a backup is a file with a name, which is verified; a pipe cannot be")
    return text


def _address(text: str) -> str:
    from .config import parse_listen

    try:
        parse_listen(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return text


def _type_and_folder(text: str) -> str:
    kind, _, folder = text.partition("=")
    if not (kind.strip() and folder):
        raise argparse.ArgumentTypeError(f"{text!r} is not TYPE=DIR, such as loras=/disk/loras")
    return text


def _check_together(top: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    """End as wrong usage where arguments do not go together."""
    match args.command:
        case "import" if args.all == bool(args.ids):
            top.error("import needs the ids of pending models, or --all")
        case "migrate" if args.cancel == bool(args.source):
            top.error("migrate needs the earlier library's data folder, or --cancel")
        case "export" if args.all == bool(args.models):
            top.error("export needs models, or --all")
        case "tag" if args.model is None and (args.add or args.remove):
            top.error("tag needs the model whose tags to change; put it first: hikazed tag MODEL --add NAME")
        case "check" | "rebuild" | "backup" | "restore" if args.socket is not None:
            top.error(f"{args.command} works on the data folder itself; say which with --data")
        case _:
            pass


if __name__ == "__main__":
    sys.exit(main())
