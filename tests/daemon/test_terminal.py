"""What a person sees: inert text, sizes, tables, and progress that comes only when it is needed."""

import io
import json
import time

import pytest
from hikaze.daemon.commands.terminal import Screen, inert, moment, number, size, table
from hypothesis import given
from hypothesis import strategies as st


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("模型 ü 👩\u200d🔬", "模型 ü 👩\u200d🔬"),
        ("a\x1b[2Jb", r"a\x1b[2Jb"),
        ("a\nb\tc", r"a\nb\tc"),
        ("\u202egpj.exe", r"\u202egpj.exe"),
        ("bad\udcff", r"bad\udcff"),
        ("\x9b31m\u2028", r"\x9b31m\u2028"),
    ],
)
def test_text_from_outside_does_nothing(text: str, shown: str) -> None:
    """Control and direction characters are shown as their codes; letters of every script are themselves."""
    assert inert(text) == shown


@given(st.text(st.characters()))
def test_no_text_keeps_a_control_character(text: str) -> None:
    """Whatever the text, a terminal gets nothing but what is to be seen, and can encode it."""
    shown = inert(text)

    assert not any(ord(character) < 32 or 127 <= ord(character) < 160 for character in shown)
    shown.encode()


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (10_240, "10 KiB"),
        (1_048_575, "1.0 MiB"),
        (6_938_041_234, "6.5 GiB"),
        (2**50, "1024 TiB"),
    ],
)
def test_sizes_are_said_as_people_say_them(count: int, said: str) -> None:
    """A size has two or three digits and a unit."""
    assert size(count) == said


def test_times_are_those_of_the_clock_here() -> None:
    """A time is local; one that no clock shows is a number."""
    assert moment(1_700_000_000_123) == time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(1_700_000_000))
    assert moment(10**20) == str(10**20)


def test_one_is_not_several() -> None:
    """A count agrees with its noun."""
    assert (number(1, "model"), number(2000, "model"), number(0, "entry", "entries")) == (
        "1 model",
        "2,000 models",
        "0 entries",
    )


def test_a_table_has_aligned_columns() -> None:
    """Columns are as wide as their widest cell, in cells of the terminal; numbers lean right."""
    assert list(table(("NAME", ">N"), [("模型", 7), ("a\n", 10)])) == ["NAME   N", "模型   7", r"a\n   10"]


def test_a_table_without_names_has_no_head() -> None:
    """Rows alone are aligned as well, and no rows are nothing."""
    assert list(table((), [("a", "b"), ("ccc", "d")])) == ["a    b", "ccc  d"]
    assert list(table((), [])) == []


def test_a_table_is_cut_to_the_terminal() -> None:
    """The widest columns give way, and what is cut says so."""
    (_, line) = table(("PATH", ">ID"), [("x" * 50, 12345678)], width=30)

    assert line == "x" * 19 + "…  12345678"


def test_json_is_ascii_where_a_terminal_reads_it() -> None:
    """A name with a direction mark does nothing to a terminal in JSON either, and both read the same."""
    name = "模\u202e"
    screens = [Screen(stream, io.StringIO()) for stream in (Terminal(), io.TextIOWrapper(io.BytesIO(), "utf-8"))]

    ascii_, utf8 = (screen.encoded({"name": name}) for screen in screens)
    assert ascii_.isascii()
    assert name in utf8
    assert json.loads(ascii_) == json.loads(utf8)


def test_progress_is_shown_on_a_terminal_and_goes() -> None:
    """Work that takes long shows text, figures and a bar, with a hostile name made inert."""
    err = Terminal()
    with Screen(io.StringIO(), err).progress("importing", after=0.0) as progress:
        progress.show(1, 4, figures="1 of 4")
        progress.show(512, 1024, "hashing [red]\x1b]0;x", key="7", figures="512 B")
        until = time.monotonic() + 5
        while "512 B" not in err.getvalue() and time.monotonic() < until:
            time.sleep(0.01)
        progress.drop("7")
    shown = err.getvalue()
    assert "1 of 4" in shown
    assert r"hashing [red]\x1b]0;x" in shown
    assert "\x1b]0;x" not in shown


@pytest.mark.parametrize("err", [io.StringIO(), Terminal()])
def test_short_work_shows_nothing(err: io.StringIO) -> None:
    """What is over within a second, or has no terminal, leaves no trace."""
    with Screen(io.StringIO(), err).progress("importing", after=5.0 if err.isatty() else 0.0) as progress:
        progress.show(1, 2)
        time.sleep(0.02)
    assert err.getvalue() == ""
