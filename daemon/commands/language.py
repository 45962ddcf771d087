"""The language of searches in one screen: what `hikazed models --help` ends with, and the table of docs/search.md.

And how a query is kept whole among the arguments of a command. Nothing is imported here that takes time.
"""

from collections.abc import Sequence

ROWS = (
    ("anime girl", "both words, anywhere in name, tags, trigger words, texts, prompts, file names"),
    ('"anime girl"', 'this text, just so; “ ” do as well; a " in it is written twice'),
    ("anime OR manga", "one of both; AND binds closer and may be left out; capitals only"),
    ('-anime   NOT anime   -"a b"', "not so; also before a group and before anything below"),
    ("(anime OR manga) -photo", "a group"),
    ("name:detail", "in its name, or one it had before"),
    ('tag:anime   tag:"hair color"', "the tag of this name"),
    ("tag:hair*   tag:*", "a tag that begins so; any tag"),
    ("type:loras", "the type, also as lora, ckpt, unet, clip, ..."),
    ("size:>2gb   size:1gb..2gb", "also >= < <=; b kb mb gb tb, each 1024 of the one before"),
    ("size:2gb   size:2.1gb", "about so much: 1.5 to 2.5 gb, 2.05 to 2.15 gb"),
    ("added:<30d   added:>1y", "younger, older; h d w m y, m is 30 days, y is 365; added:1w..2w"),
    ("added:2026-11   added:>2026", "within a year, month or day, by the daemon's clock; behind it"),
    ("added:2026-01..2026-03", "from the beginning of the first to the end of the last"),
    ("used:<30d   used:2026-11", "when ComfyUI last queued a prompt that loads it; as with added"),
    ("is:missing   is:offline   is:present", "no file is left; all are on disks that are away; one is here"),
    ("is:duplicate   is:untagged", "its content lies in several files; it has no tag"),
    ("is:favorite   is:unused", "one of your favourites; no prompt that loads it was ever queued"),
    ("hash:1f3b9a", "SHA-256, AutoV1, V2, V3, BLAKE3 or CRC32 begins so; 4 digits or more"),
    ("path:flux/styles", "in the path of one of its files; \\ does as well"),
)
"""What is written, and what it finds."""

NOTES = (
    "Any part of a word is found, from one letter on, in any script; case, accents and width do not matter.",
    'What would be read otherwise is put in quotes: "re:zero", "-x", "OR", ":)".',
)


def screen() -> str:
    """Give the language as plain text."""
    wide = max(len(written) for written, _ in ROWS)
    lines = [f"  {written:<{wide}}  {finds}" for written, finds in ROWS]
    return "\n".join(["how to ask:", *lines, "", *NOTES])


def markdown() -> str:
    """Give the language as the table that docs/search.md holds."""
    rows = (f"| {_code(written)} | {finds} |" for written, finds in ROWS)
    return "\n".join(["| write | and find |", "|---|---|", *rows])


def _code(written: str) -> str:
    return " · ".join(f"`{one}`" for one in written.split("   "))


def with_query_kept(argv: Sequence[str]) -> list[str]:
    """Give the arguments with a query's `-word` made a word in its own right, which argparse would take for an option.

    A space before it does that, and says nothing in a query.
    """
    kept, command, is_value = list[str](), "", False
    for argument in argv:
        is_option = argument.startswith("--")
        if (
            command == "models"
            and not is_value
            and not is_option
            and argument[:1] == "-"
            and argument not in ("-", "-h")
        ):
            argument = " " + argument
        elif not (command or is_option or is_value):
            command = argument
        is_value = is_option and "=" not in argument and argument not in _SWITCHES
        kept.append(argument)
    return kept


_SWITCHES = ("--", "--json", "--facets", "--help")
"""The options of `models`, and of no command, behind which no value stands."""
