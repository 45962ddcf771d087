"""What nodes loaded last is kept as long as ComfyUI keeps the nodes."""

import gc
from collections.abc import Callable

from hikaze.comfy_node.keeping import Shelf, Shelves
from hikaze.comfy_node.modelfile import Stamp


def stamp(name: str, mtime_ns: int = 1) -> Stamp:
    """Give the state of a file."""
    return Stamp(name, 10, mtime_ns, 1, 1)


def reader() -> tuple[list[str], Callable[[Stamp], str]]:
    """Give a stand-in for loading, and the list of what it loaded."""
    read: list[str] = []

    def load(wanted: Stamp) -> str:
        read.append(wanted.path)
        return f"{wanted.path}@{wanted.mtime_ns}"

    return read, load


class Node:
    """Stands for the object that ComfyUI keeps for each node."""


def test_a_file_is_read_once() -> None:
    """What a node, or another, has already is not read again, in whatever order it is wanted."""
    read, load = reader()
    shelf = Shelf[str]()
    nodes = [Node(), Node()]
    for node in nodes:
        shelf.held_by(node)

    assert shelf.take("1", [stamp("a"), stamp("b")], load) == ["a@1", "b@1"]
    assert shelf.take("1", [stamp("b"), stamp("c"), stamp("b")], load) == ["b@1", "c@1", "b@1"]
    assert shelf.take("2", [stamp("c")], load) == ["c@1"]
    assert read == ["a", "b", "c"]


def test_what_is_wanted_no_more_is_let_go() -> None:
    """What a node's last run did not want is read again when it is wanted again."""
    read, load = reader()
    shelf = Shelf[str]()

    for wanted in ("a", "b", "a"):
        shelf.take("1", [stamp(wanted)], load)

    assert read == ["a", "b", "a"]


def test_a_changed_file_is_read_again() -> None:
    """A file that is another one now is read, its neighbour is not."""
    read, load = reader()
    shelf = Shelf[str]()
    shelf.take("1", [stamp("a"), stamp("b")], load)

    assert shelf.take("1", [stamp("a", 2), stamp("b")], load) == ["a@2", "b@1"]
    assert read == ["a", "b", "a"]


def test_as_many_nodes_as_there_are() -> None:
    """Files are kept for as many nodes as ComfyUI keeps, the last ones."""
    read, load = reader()
    shelf = Shelf[str]()
    nodes = [Node(), Node()]
    for node in nodes:
        shelf.held_by(node)

    for name in ("1", "2", "3", "3", "2", "1"):
        shelf.take(name, [stamp(name)], load)

    assert read == ["1", "2", "3", "1"]


def test_the_shelf_goes_with_the_last_node() -> None:
    """When ComfyUI lets all nodes go, what they loaded goes too; until then all of them share it."""
    read, load = reader()
    shelves = Shelves[str]()
    first, second = Node(), Node()
    held = [shelves.hold(first), shelves.hold(second)]
    assert held[0] is held[1] is shelves.now()
    shelves.now().take("1", [stamp("a")], load)
    held.pop()
    shelves.now().take("1", [stamp("a")], load)

    held.clear()
    gc.collect()
    shelves.now().take("1", [stamp("a")], load)

    assert read == ["a", "a"]
