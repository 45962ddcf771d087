"""A graph of ComfyUI's: nodes with inputs, each a value or a link to another node's output, as it runs them.

Known from `PromptExecutor` and `folder_paths` of https://github.com/Comfy-Org/ComfyUI: an object of nodes by id, each
with `class_type` and `inputs`; a link is a list of a node's id and the number of its output.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

MAX_NODES = 10_000
"""The most nodes that are read; what lies behind them is not looked at."""

_HOPS = 20  # from a number's or a name's input to the node that holds it


@dataclass(frozen=True, slots=True)
class Node:
    """A node: its class, and its inputs by name."""

    id: str
    kind: str
    inputs: Mapping[str, Any]


class Graph:
    """Nodes by id, and ways along their links."""

    def __init__(self, nodes: Iterable[Node]) -> None:
        """Hold nodes; links that lead nowhere are values."""
        self.nodes = {node.id: node for node in nodes}
        self._links: dict[str, list[tuple[str, Node]]] = {}

    def linked(self, value: object) -> Node | None:
        """Give the node that an input's value leads to, None where it is a value of its own."""
        if isinstance(value, list) and len(value) == 2 and isinstance(value[0], str | int) and type(value[1]) is int:
            return self.nodes.get(str(value[0]))
        return None

    def links(self, node: Node) -> Sequence[tuple[str, Node]]:
        """Give the inputs of a node that are links, and where they lead."""
        known = self._links.get(node.id)
        if known is None:
            found = ((name, self.linked(value)) for name, value in node.inputs.items())
            known = self._links[node.id] = [(name, behind) for name, behind in found if behind is not None]
        return known

    def behind(self, starts: Iterable[Node], along: Callable[[str], bool] = lambda _name: True) -> list[Node]:
        """Give nodes and all that stand behind them, nearest first, by the links whose names `along` takes."""
        reached = {node.id: node for node in starts}
        waiting = list(reached.values())
        for node in waiting:  # it grows while it is walked
            for name, found in self.links(node):
                if found.id not in reached and along(name):
                    reached[found.id] = found
                    waiting.append(found)
        return waiting

    def leads_to(self, start: Node, ids: Set[str], along: Callable[[str], bool]) -> bool:
        """Tell whether one of some nodes stands behind another, by the links whose names `along` takes."""
        seen, waiting = {start.id}, [start]
        for node in waiting:  # it grows while it is walked
            for name, found in self.links(node):
                if found.id not in seen and along(name):
                    if found.id in ids:
                        return True
                    seen.add(found.id)
                    waiting.append(found)
        return False

    def ends(self) -> list[Node]:
        """Give the nodes that no other one uses, those that save first; all nodes where each is used."""
        used = {found.id for node in self.nodes.values() for _name, found in self.links(node)}
        ends = [node for node in self.nodes.values() if node.id not in used]
        return sorted(ends or self.nodes.values(), key=self._is_aside)

    def _is_aside(self, node: Node) -> tuple[bool, bool]:
        return not self.links(node), "save" not in node.kind.lower()

    def value(self, value: object, names: Sequence[str]) -> object:
        """Give the value of an input: through a link that of the input by one of `names`, or of a primitive's."""
        for _ in range(_HOPS):
            node = self.linked(value)
            if node is None:
                return value
            value = next((node.inputs[name] for name in (*names, *_PRIMITIVES) if name in node.inputs), None)
        return None


# What the nodes that only hold a value call it: ComfyUI's primitives, and the usual packs of nodes.
_PRIMITIVES = ("value", "seed", "int", "float", "number", "Number", "INT", "FLOAT", "string", "text", "", "a")


def of_api(fields: Mapping[str, Any]) -> Graph | None:
    """Give the graph that an object holds, None where it holds none; what in it is no node is left out."""
    nodes = [
        Node(str(key), kind[:200], inputs)
        for key, value in list(fields.items())[:MAX_NODES]
        if isinstance(value, dict)
        and isinstance(kind := value.get("class_type"), str)
        and isinstance(inputs := value.get("inputs", {}), dict)
    ]
    return Graph(nodes) if nodes else None
