"""What a pickle would make, found out without making it: nothing is imported, called or loaded.

The instructions of a pickle (protocols 0 to 5, https://docs.python.org/3/library/pickletools.html) are followed on a
stack of symbols: a name stays a name, a call stays what its result is known to be for a few functions of PyTorch
(torch/_utils.py), and an opaque thing for all others. Whatever the bytes are, this ends within its bounds, and gives
what was there until then.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .asked import Asked
from .symbols import Named, Thing, called, fill, storage_of

MAX_OPCODES = 1_000_000
"""The most instructions that are followed; a tensor takes some 35, the largest checkpoints have 5,000 tensors."""

MAX_TEXT = 4096
"""The most bytes of a text that are kept; a longer one is opaque."""

_MAX_LINE = 64 * 1024
_MAX_INTEGER = 16  # bytes; the magic number of old files has 10


@dataclass(slots=True)
class Walked:
    """What one pickle would make. `end` is the offset behind it; `short` says that the bytes ended inside it."""

    made: object = None
    end: int = 0
    problem: str | None = None
    short: bool = False


class _Strange(Exception):
    """The pickle makes no sense, or too much; the text is a problem as a sentence without its subject."""


class _Short(Exception):
    """The bytes end inside the pickle."""


def walk(data: bytes, start: int, asked: Asked) -> Walked:
    """Follow the pickle that begins at an offset, and add to `asked`. It never raises."""
    return _Machine(data, start, asked).run()


class _Machine:
    """Follows the instructions of one pickle."""

    def __init__(self, data: bytes, start: int, asked: Asked) -> None:
        self._data = data
        self._at = start
        self._asked = asked
        self._stack: list[Any] = []
        self._outer: list[list[Any]] = []  # the stacks below the marks
        self._memo: dict[int, Any] = {}

    def run(self) -> Walked:
        problem, short = None, False
        try:
            self._follow()
        except _Strange as error:
            problem = str(error)
        except _Short:
            problem, short = "ends inside its list of tensors", True
        except IndexError:  # of the stack
            problem = "has a list of tensors that makes no sense"
        return Walked(self._result(), self._at, problem, short)

    def _follow(self) -> None:
        data, instructions = self._data, _INSTRUCTIONS
        length = len(data)
        for _ in range(MAX_OPCODES - self._asked.opcodes):
            if self._at >= length:
                raise _Short
            self._asked.opcodes += 1
            code = data[self._at]
            self._at += 1
            if code == _STOP:
                return
            instruction = instructions.get(code)
            if instruction is None:
                raise _Strange("has a list of tensors that makes no sense")
            instruction(self)
        raise _Strange(f"has a list of tensors of more than {MAX_OPCODES:,} instructions, which is not read")

    def _result(self) -> object:
        """Give what was made; where the pickle stopped short, with what was not put into its place yet."""
        while self._outer:
            pending = self._stack
            self._stack = self._outer.pop()
            if self._stack:
                fill(self._stack[-1], pending)
        return self._stack[0] if self._stack else None

    # Operands

    def take(self, length: int) -> bytes:
        end = self._at + length
        if end > len(self._data):
            raise _Short
        taken = self._data[self._at : end]
        self._at = end
        return taken

    def natural(self, width: int) -> int:
        return int.from_bytes(self.take(width), "little")

    def line(self) -> bytes:
        end = self._data.find(b"\n", self._at, self._at + _MAX_LINE)
        if end < 0:
            raise _Short if len(self._data) < self._at + _MAX_LINE else _Strange("has a list of tensors without end")
        taken = self._data[self._at : end]
        self._at = end + 1
        return taken

    def number_line(self) -> int:
        text = self.line().removesuffix(b"L")
        if len(text) > 3 * _MAX_INTEGER or not text.removeprefix(b"-").isdigit():
            raise _Strange("has a list of tensors that makes no sense")
        return int(text)

    # The stack

    def push(self, value: object) -> None:
        self._stack.append(value)

    def push_text(self, length: int) -> None:
        """Take a text, and keep it where it is short enough for a name."""
        if length > MAX_TEXT:
            self._pass(length)
            self.push(Thing())
        else:
            self.push(self.take(length).decode("utf-8", "replace"))

    def push_bytes(self, length: int) -> None:
        self._pass(length)
        self.push(Thing())

    def _pass(self, length: int) -> None:
        if self._at + length > len(self._data):
            raise _Short
        self._at += length

    def push_integer(self, length: int) -> None:
        if length > _MAX_INTEGER:
            self._pass(length)
            self.push(Thing())
        else:
            self.push(int.from_bytes(self.take(length), "little", signed=True))

    def pop(self) -> Any:
        return self._stack.pop()

    def nothing(self) -> None:
        pass

    def mark(self) -> None:
        self._outer.append(self._stack)
        self._stack = []

    def pop_mark(self) -> list[Any]:
        items = self._stack
        self._stack = self._outer.pop()
        return items

    def drop(self) -> None:
        if self._stack:
            self._stack.pop()
        else:
            self.pop_mark()

    def duplicate(self) -> None:
        self.push(self._stack[-1])

    def push_tuple(self, length: int) -> None:
        if len(self._stack) < length:
            raise IndexError
        items = tuple(self._stack[-length:])
        del self._stack[-length:]
        self.push(items)

    def put_into_top(self, items: list[Any]) -> None:
        fill(self._stack[-1], items)

    def keep(self, index: int) -> None:
        self._memo[index] = self._stack[-1]

    def memoize(self) -> None:
        self.keep(len(self._memo))

    def recall(self, index: int) -> None:
        if index not in self._memo:
            raise _Strange("has a list of tensors that makes no sense")
        self.push(self._memo[index])

    # Names and calls

    def name(self, module: str, name: str) -> Named:
        full = f"{module}.{name}"
        self._asked.add(full)
        return Named(full)

    def name_on_stack(self) -> None:
        name, module = self.pop(), self.pop()
        known = isinstance(name, str) and isinstance(module, str)
        self.push(self.name(module, name) if known else self.name("?", "?"))

    def name_in_lines(self) -> Named:
        module, name = (self.line().decode("utf-8", "replace") for _ in range(2))
        return self.name(module, name)

    def extension(self, width: int) -> None:
        self.push(self.name("copyreg", f"extension {self.natural(width)}"))

    def call(self) -> None:
        arguments, function = self.pop(), self.pop()
        self.push(called(function, arguments))

    def call_with_names(self) -> None:
        self.pop()
        self.call()

    def call_marked(self) -> None:
        self.push(called(None, self.pop_mark()))

    def build(self) -> None:
        state = self.pop()
        if isinstance(self._stack[-1], Thing):
            self._stack[-1].state = state

    def persistent(self) -> None:
        self.push(storage_of(self.pop()))


_STOP = ord(".")


def _push(value: object) -> Callable[[_Machine], None]:
    return lambda machine: machine.push(value)


def _thing(machine: _Machine) -> None:
    machine.push(Thing())


def _float(machine: _Machine) -> None:
    machine.push(struct.unpack(">d", machine.take(8))[0])


def _string_line(machine: _Machine) -> None:
    text = machine.line()
    plain = len(text) <= MAX_TEXT and b"\\" not in text
    machine.push(text[1:-1].decode("utf-8", "replace") if plain else Thing())


def _text_line(machine: _Machine) -> None:
    text = machine.line()
    machine.push(text.decode("raw_unicode_escape", "replace") if len(text) <= MAX_TEXT else Thing())


def _integer_line(machine: _Machine) -> None:
    machine.push(machine.number_line())


def _marked(make: Callable[[list[Any]], object]) -> Callable[[_Machine], None]:
    return lambda machine: machine.push(make(machine.pop_mark()))


def _as_dict(items: list[Any]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    fill(made, items)
    return made


def _set_item(machine: _Machine) -> None:
    value, key = machine.pop(), machine.pop()
    machine.put_into_top([key, value])


def _instance(machine: _Machine) -> None:
    machine.name_in_lines()
    machine.call_marked()


def _opaque_line(machine: _Machine) -> None:
    machine.line()
    machine.push(Thing())


_INSTRUCTIONS: dict[int, Callable[[_Machine], object]] = {
    ord(code) if isinstance(code, str) else code: instruction
    for codes, instruction in (
        (("\x80",), lambda machine: machine.take(1)),  # protocol
        (("\x95",), lambda machine: machine.take(8)),  # frame
        (("N",), _push(None)),
        (("\x88",), _push(True)),
        (("\x89",), _push(False)),
        (("I", "L"), _integer_line),
        (("K",), lambda machine: machine.push(machine.natural(1))),
        (("M",), lambda machine: machine.push(machine.natural(2))),
        (("J",), lambda machine: machine.push_integer(4)),
        (("\x8a",), lambda machine: machine.push_integer(machine.natural(1))),
        (("\x8b",), lambda machine: machine.push_integer(machine.natural(4))),
        (("G",), _float),
        (("F",), _opaque_line),
        (("S",), _string_line),
        (("V",), _text_line),
        (("U", "\x8c"), lambda machine: machine.push_text(machine.natural(1))),
        (("T", "X"), lambda machine: machine.push_text(machine.natural(4))),
        (("\x8d",), lambda machine: machine.push_text(machine.natural(8))),
        (("C",), lambda machine: machine.push_bytes(machine.natural(1))),
        (("B",), lambda machine: machine.push_bytes(machine.natural(4))),
        (("\x8e", "\x96"), lambda machine: machine.push_bytes(machine.natural(8))),
        (("\x97",), _thing),  # a buffer from elsewhere
        (("\x98",), _Machine.nothing),
        (("(",), _Machine.mark),
        (("0",), _Machine.drop),
        (("1",), _Machine.pop_mark),
        (("2",), _Machine.duplicate),
        ((")",), _push(())),
        (("\x85",), lambda machine: machine.push_tuple(1)),
        (("\x86",), lambda machine: machine.push_tuple(2)),
        (("\x87",), lambda machine: machine.push_tuple(3)),
        (("t",), _marked(tuple)),
        (("]",), lambda machine: machine.push([])),
        (("l",), _marked(list)),
        (("a",), lambda machine: machine.put_into_top([machine.pop()])),
        (("e",), lambda machine: machine.put_into_top(machine.pop_mark())),
        (("}",), lambda machine: machine.push({})),
        (("d",), _marked(_as_dict)),
        (("s",), _set_item),
        (("u",), lambda machine: machine.put_into_top(machine.pop_mark())),
        (("\x8f",), _thing),
        (("\x90",), lambda machine: machine.put_into_top(machine.pop_mark())),
        (("\x91",), _marked(lambda _items: Thing())),
        (("p",), lambda machine: machine.keep(machine.number_line())),
        (("q",), lambda machine: machine.keep(machine.natural(1))),
        (("r",), lambda machine: machine.keep(machine.natural(4))),
        (("\x94",), _Machine.memoize),
        (("g",), lambda machine: machine.recall(machine.number_line())),
        (("h",), lambda machine: machine.recall(machine.natural(1))),
        (("j",), lambda machine: machine.recall(machine.natural(4))),
        (("c",), lambda machine: machine.push(machine.name_in_lines())),
        (("\x93",), _Machine.name_on_stack),
        (("\x82",), lambda machine: machine.extension(1)),
        (("\x83",), lambda machine: machine.extension(2)),
        (("\x84",), lambda machine: machine.extension(4)),
        (("R", "\x81"), _Machine.call),
        (("\x92",), _Machine.call_with_names),
        (("o",), _Machine.call_marked),
        (("i",), _instance),
        (("b",), _Machine.build),
        (("Q",), _Machine.persistent),
        (("P",), _opaque_line),
    )
    for code in codes
}
