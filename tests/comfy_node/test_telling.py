"""What ComfyUI tells the daemon, and when."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from hikaze.comfy_node.proxy import DaemonAway
from hikaze.comfy_node.telling import AGAIN_S, USES_EVERY_S, Teller
from hikaze.comfy_node.usage import Counter
from hikaze.comfy_node.whereabouts import Address

DONE: dict[str, Any] = {"unknown": []}


class Daemon:
    """A daemon as the teller sees it: where it is, what it was asked, and what it answers."""

    def __init__(self, top: Path) -> None:
        """Stand somewhere, beside a ComfyUI with one folder."""
        self.at: Address | None = Address("/s", mark="1")
        self.asked: list[tuple[str, Any, str | None]] = []
        self.answers: list[int | Exception] = []
        self.known: Any = {"loras": ([str(top)], {".pt"})}
        self.counter = Counter(lambda _prompt: True)
        self.teller = Teller("/base", self.known, self.counter, lambda: self.at, self.ask)

    async def ask(self, method: str, path: str, body: Any, key: str | None) -> tuple[int, Any]:
        """Answer as it is told to, else that all is well."""
        self.asked.append((f"{method} {path}", body, key))
        answer = self.answers.pop(0) if self.answers else 200
        if isinstance(answer, Exception):
            raise answer
        return answer, DONE if answer == 200 else {"detail": "no"}

    def tick(self, at_s: float) -> list[str]:
        """Let some time pass, and give what it was asked."""
        before = len(self.asked)
        asyncio.run(self.teller.tick(at_s))
        return [what for what, _, _ in self.asked[before:]]

    def use(self, prompt: str, name: str) -> None:
        """Queue a prompt."""
        loader = {"1": {"class_type": "LoraLoader", "inputs": {"lora_name": name}}}
        self.counter.note(prompt, loader, at_s=0, time_ms=5)


@pytest.fixture
def daemon(tmp_path: Path) -> Daemon:
    """Give a daemon beside a ComfyUI with a file."""
    (tmp_path / "a.pt").touch()
    return Daemon(tmp_path)


FOLDERS, USES = "PUT /api/comfyui/folders", "POST /api/usage"


def test_folders_are_told_once(daemon: Daemon, tmp_path: Path) -> None:
    """And again when they change, when one appears, to another daemon, and after a while."""
    assert daemon.tick(0) == [FOLDERS]
    assert daemon.asked[0][1]["folders"] == [{"type": "loras", "paths": [str(tmp_path)], "extensions": [".pt"]}]
    assert daemon.tick(1) == []
    daemon.known["vae"] = ([str(tmp_path / "vae")], {".pt"})
    assert daemon.tick(2) == [FOLDERS]
    (tmp_path / "vae").mkdir()
    assert daemon.tick(3) == [FOLDERS]
    daemon.at = None
    assert daemon.tick(4) == []
    daemon.at = Address("/s", mark="2")
    assert daemon.tick(5) == [FOLDERS]
    assert daemon.tick(5 + AGAIN_S) == [FOLDERS]


def test_what_was_not_heard_is_told_again(daemon: Daemon) -> None:
    """A daemon that is away or cannot write is told later; what it refuses it is not told each time."""
    daemon.answers = [DaemonAway(), 503]
    assert [daemon.tick(at) for at in range(4)] == [[FOLDERS], [FOLDERS], [FOLDERS], []]
    daemon.known["vae"] = (["/v"], {".pt"})
    daemon.answers = [422]
    assert [daemon.tick(at) for at in range(4, 6)] == [[FOLDERS], []]


def test_uses_are_told_in_batches(daemon: Daemon, tmp_path: Path) -> None:
    """A batch keeps its key until it was heard, so that it counts once; what comes meanwhile waits for the next."""
    daemon.tick(0)
    daemon.use("p", "a.pt")
    daemon.answers = [DaemonAway(), 200, 503, 200]
    assert daemon.tick(1) == [USES]
    daemon.use("q", "a.pt")
    assert daemon.tick(2) == [FOLDERS, USES]
    assert daemon.tick(3) == [USES]
    told = [(body, key) for what, body, key in daemon.asked if what == USES]
    assert told == [told[0]] * 3
    assert told[0] == ({"used": [{"path": str(tmp_path / "a.pt"), "count": 1, "last": 5}]}, told[0][1])
    assert daemon.tick(4) == []
    assert daemon.tick(3 + USES_EVERY_S) == [USES]
    assert daemon.asked[-1][2] != told[0][1]
    daemon.use("r", "a.pt")
    daemon.answers = [422]
    assert daemon.tick(3 + 2 * USES_EVERY_S) == [USES]
    assert daemon.tick(3 + 9 * USES_EVERY_S) == []
