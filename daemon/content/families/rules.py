"""How a rule tells a model family by tensor names and shapes: the language of the tables in the modules beside it.

A rule names only what no other family has. Where a shape is given it must be met, for many families share their
names: so a file with the right names and other shapes is of no family that is known here.
"""

import math
from collections.abc import Mapping, Sequence
from itertools import product
from typing import NamedTuple

from ..header import Tensor
from ..tensornames import TensorNames

Axis = int | tuple[int, ...] | None
"""The lengths one axis may have: one, some, or (None) any."""

Shape = tuple[Axis, ...]


class Match(NamedTuple):
    """What a rule tells: the family's id (None where only the part is sure), and finer facts on it."""

    family: str | None
    variant: str | None = None


class Rule(NamedTuple):
    """The tensors (each as the names it may have), those that must not be there, and shapes that prove a match."""

    match: Match
    has: tuple[tuple[str, ...], ...]
    lacks: tuple[str, ...]
    shapes: tuple[tuple[str, Shape], ...]


def rule(
    family: str | None,
    has: str = "",
    *,
    lacks: str = "",
    shapes: Mapping[str, Shape] | None = None,
    variant: str | None = None,
) -> Rule:
    """Make a rule. `has` and `lacks` are names with blanks between; in `has`, `name.(a|b)` stands for either."""
    return Rule(
        Match(family, variant),
        tuple(_alternatives(name) for name in has.split()),
        tuple(lacks.split()),
        tuple((shapes or {}).items()),
    )


def _alternatives(name: str) -> tuple[str, ...]:
    start, opened, rest = name.partition("(")
    inner, _, end = rest.partition(")")
    return tuple(start + one + end for one in inner.split("|")) if opened else (name,)


class Table:
    """Rules, put together once for each prefix that their names may stand behind, and found by one of their names.

    For each of 10,000 files in turn the putting together would cost more than to read their headers.
    """

    def __init__(self, rules: Sequence[Rule], homes: Sequence[str] = ("",)) -> None:
        self.rules = tuple(rules)
        homed = [(home, _below(home, one)) for home in homes for one in self.rules]
        self._by_name: dict[str, list[tuple[int, str, Rule]]] = {}
        for number, (home, one) in enumerate(homed):
            for name in one.has[0] if one.has else one.shapes[0][:1]:
                self._by_name.setdefault(name, []).append((number, home, one))

    def find(self, names: TensorNames) -> tuple[Match, str] | None:
        """Give what the rules tell, and behind which prefix; None where no rule fits, or several families' do."""
        asked = {rule[0]: rule for name in names.among(self._by_name.keys()) for rule in self._by_name[name]}
        found = [(one.match, home) for _, (_, home, one) in sorted(asked.items()) if fits(one, names)]
        if len({match.family for match, _ in found}) != 1:
            return None
        return found[0]


def _below(home: str, one: Rule) -> Rule:
    return one._replace(
        has=tuple(tuple(home + name for name in names) for names in one.has),
        lacks=tuple(home + name for name in one.lacks),
        shapes=tuple((home + name, shape) for name, shape in one.shapes),
    )


def fits(one: Rule, names: TensorNames) -> bool:
    """Tell whether the tensors are as the rule wants them."""
    for alternatives in one.has:
        if not any(name in names for name in alternatives):
            return False
    for name, shape in one.shapes:
        tensor = names.get(name)
        if tensor is None or not is_shaped(tensor, shape):
            return False
    return not any(name in names for name in one.lacks)


def is_shaped(tensor: Tensor, wanted: Shape) -> bool:
    """Tell whether a tensor has this shape, also where two numbers of four bits are packed into one byte.

    So packed are NVFP4 (half as many columns) and the NF4 of bitsandbytes (one column, half as many rows as there
    are numbers).
    """
    if len(tensor.shape) != len(wanted):
        return False
    if all(_is_long(length, axis) for length, axis in zip(tensor.shape, wanted, strict=True)):
        return True
    if tensor.dtype != "U8" or len(wanted) != 2:
        return False
    rows, columns = tensor.shape
    if _is_long(rows, wanted[0]) and _is_long(2 * columns, wanted[1]):
        return True
    return columns == 1 and 2 * rows in _sizes(wanted)


def _is_long(length: int, axis: Axis) -> bool:
    match axis:
        case None:
            return True
        case int():
            return length == axis
        case _:
            return length in axis


def _sizes(wanted: Shape) -> set[int]:
    lengths = [(axis,) if isinstance(axis, int) else axis or () for axis in wanted]
    return {math.prod(one) for one in product(*lengths)}
