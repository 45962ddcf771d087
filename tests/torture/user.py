"""A process that does by the API what a person does, and writes down what was promised to it.

`python -m tests.torture.user SETTINGS` with a JSON file of `Settings`. Its journal has a line before each request
and one with the answer, each on the disk before it goes on: what was answered with 200 must never be gone. A request
that got no answer is sent again under its key until it has one, or the user is told to stop.
"""

import dataclasses
import http.client
import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..journeys.harness import OverSocket, form
from . import contents
from .storm import AT_WORK

Json = Any
PATIENCE_S = 40.0  # for one answer: the daemon may be stopped meanwhile
STRATEGIES = ("merge", "override", "ignore", "delete")
FIELDS = ("description", "community_links", "prompts", "trigger_words")


@dataclasses.dataclass(frozen=True)
class Settings:
    """What one user does; `first` is the number of its first request, `pause` a mean in seconds."""

    seed: int
    socket: str
    journal: str
    first: int = 0
    pause: float = 0.05


class User:
    """One process's work."""

    def __init__(self, settings: Settings) -> None:
        """Make ready; nothing is asked yet."""
        self.rng = random.Random(f"user {settings.seed} {settings.first}")  # noqa: S311 - dice, to be repeated
        self.settings = settings
        self.number = settings.first
        self.journal = open(settings.journal, "a", encoding="utf-8")  # noqa: SIM115 - open till the end
        self.stopped = False
        self.parent = os.getppid()

    def run(self) -> None:
        """Work until stopped."""
        deeds: list[tuple[int, Callable[[], None]]] = [
            (6, self.write_on_model), (6, self.tag_model), (6, self.write_on_pending), (5, self.tag_pending),
            (3, self.picture_model), (4, self.picture_pending), (10, self.import_one), (2, self.import_list),
            (1, self.import_all), (2, self.dismiss), (2, self.choose_cover), (1, self.remove_picture),
        ]  # fmt: skip
        while self.is_wanted():
            weights = [weight for weight, _ in deeds]
            self.rng.choices([deed for _, deed in deeds], weights)[0]()
            time.sleep(self.settings.pause * self.rng.expovariate(1.0))

    def is_wanted(self) -> bool:
        """Tell whether to go on: with another parent it is forgotten, for who began it died."""
        return not self.stopped and os.getppid() == self.parent

    # Asking

    def ask(self, method: str, path: str, body: Json = None, headers: Mapping[str, str] | None = None) -> Json:
        """Ask until there is an answer: (status, JSON). None once the user is told to stop."""
        raw = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        kind = {} if body is None or isinstance(body, bytes) else {"Content-Type": "application/json"}
        while self.is_wanted():
            connection = OverSocket(self.settings.socket, PATIENCE_S)
            try:
                connection.request(method, path, raw, kind | {"X-Hikaze": "1"} | dict(headers or {}))
                response = connection.getresponse()
                answer = response.status, json.loads(response.read()), response.headers
            except (OSError, http.client.HTTPException, ValueError):
                time.sleep(0.05)  # it is down, and comes back
            else:
                if answer[0] < 500:
                    return answer
                time.sleep(0.2)
            finally:
                connection.close()
        return None

    def items(self, path: str) -> list[Json]:
        """Give what a list has."""
        answer = self.ask("GET", path)
        return answer[1]["items"] if answer is not None and answer[0] == 200 else []

    def write(
        self, do: str, subject: Json, value: Json, method: str, path: str, body: Json, headers: Mapping[str, str]
    ) -> Json:
        """Ask for a change, and write down what came of it."""
        number, self.number = self.number, self.number + 1
        self.note({"n": number, "do": do, "subject": subject, "value": value})
        key = {"Idempotency-Key": f"{self.settings.seed}-{number}"}
        answer = self.ask(method, path, body, key | dict(headers))
        if answer is None:
            return None
        self.note({"n": number, "status": answer[0], "answer": answer[1]})
        return answer

    def note(self, line: Json) -> None:
        """Put a line onto the disk."""
        self.journal.write(json.dumps(line | {"at": time.time()}) + "\n")
        self.journal.flush()
        os.fsync(self.journal.fileno())

    def word(self) -> str:
        """Give a text that was never written before."""
        return f"w{self.settings.seed}-{self.number}"

    # Deeds

    def a_model(self) -> str | None:
        """Choose a model."""
        found = sorted(one["sha256"] for one in self.items("/api/models?limit=1000"))
        return self.rng.choice(found) if found else None

    def a_pending(self, *, sacred: bool = True) -> Json:
        """Choose a pending model; without `sacred` none of those that are to be left where they are."""
        found = [
            one
            for one in self.items("/api/migration/pending_models?limit=1000")
            if sacred or f"/{contents.LOST}/" not in one["path"]
        ]
        return self.rng.choice(found) if found else None

    def field(self) -> tuple[str, dict[str, Json]]:
        """Choose a text field and what it is to hold: (field, the change)."""
        name, word = self.rng.choice(FIELDS), self.word()
        value = {"prompts": {"positive": word}, "trigger_words": [word]}.get(name, word)
        return name, {name: value}

    def write_on_model(self) -> None:
        """Write a text of a model."""
        sha256 = self.a_model()
        if sha256 is not None:
            _, change = self.field()
            self.write("model-text", sha256, change, "PATCH", f"/api/models/{sha256}", change, {})

    def tag_model(self) -> None:
        """Put one more tag on a model."""
        sha256 = self.a_model()
        if sha256 is not None:
            self.tag("model-tag", sha256, f"/api/models/{sha256}")

    def tag(self, do: str, subject: Json, address: str) -> None:
        """Put one more tag on something, unless somebody else changed it meanwhile."""
        before = self.ask("GET", address)
        if before is None or before[0] != 200:
            return
        word = self.word()
        body = {"tags": [*before[1]["tags"], word]}
        self.write(do, subject, word, "PATCH", address, body, {"If-Match": before[2]["ETag"]})

    def write_on_pending(self) -> None:
        """Write a text of a pending model."""
        chosen = self.a_pending()
        if chosen is not None:
            _, change = self.field()
            address = f"/api/migration/pending_model?id={chosen['id']}"
            self.write("pending-text", chosen["id"], change, "PATCH", address, change, {})

    def tag_pending(self) -> None:
        """Put one more tag on a pending model."""
        chosen = self.a_pending()
        if chosen is not None:
            self.tag("pending-tag", chosen["id"], f"/api/migration/pending_model?id={chosen['id']}")

    def picture_model(self) -> None:
        """Give a model a picture."""
        sha256 = self.a_model()
        if sha256 is not None:
            code = 1 + self.number % (contents.CODES - 1)
            body, kind = form(contents.picture(code), {"sha256": sha256})
            self.write("model-picture", sha256, code, "POST", "/api/images/upload", body, {"Content-Type": kind})

    def picture_pending(self) -> None:
        """Give a pending model a picture: the same each time, so that it is certain which one it has."""
        chosen = self.a_pending()
        if chosen is not None:
            code = code_of_pending(chosen["id"])
            body, kind = form(contents.picture(code), {})
            address = f"/api/images/pending/{chosen['id']}"
            self.write("pending-picture", chosen["id"], code, "POST", address, body, {"Content-Type": kind})

    def import_one(self) -> None:
        """Import a pending model, and decide if it is asked what to do."""
        chosen = self.a_pending(sacred=False)
        if chosen is None:
            return
        kind = None if chosen["type"] else self.rng.choice(("loras", "checkpoints", "vae"))
        answer = self.ask_import(chosen["id"], None, kind)
        if answer is not None and answer[0] == 409 and answer[1].get("status") == "conflict":
            strategy = self.rng.choice((*STRATEGIES, None))
            if strategy is not None:
                self.ask_import(chosen["id"], strategy, kind)

    def ask_import(self, what: Json, strategy: str | None, kind: str | None) -> Json:
        """Ask for an import of one, several or all."""
        body = {"id": what, "conflict_strategy": strategy, "type": kind}
        return self.write("import", what, strategy, "POST", "/api/migration/import_a_model", body, {})

    def import_list(self) -> None:
        """Import some at once."""
        found = [one["id"] for one in (self.a_pending(sacred=False) for _ in range(3)) if one is not None]
        if found:
            self.ask_import(sorted(set(found)), self.rng.choice((*STRATEGIES, None)), "loras")

    def import_all(self) -> None:
        """Import whatever waits, where nothing is to be decided; those to be left alone are not in a drop folder."""
        if self.rng.random() < 0.2:
            self.ask_import("all", None, None)

    def dismiss(self) -> None:
        """Send a pending model away."""
        chosen = self.a_pending(sacred=False)
        if chosen is not None:
            address = f"/api/migration/pending_model?id={chosen['id']}"
            self.write("dismiss", chosen["id"], None, "DELETE", address, None, {})

    def choose_cover(self) -> None:
        """Let another picture stand for a model."""
        shown = [one for one in self.items("/api/models?limit=1000") if one["images"]]
        if shown:
            model = self.rng.choice(shown)
            seq = int(self.rng.choice(model["images"]).rpartition("_")[2])
            address = f"/api/models/{model['sha256']}"
            self.write("cover", model["sha256"], seq, "PATCH", address, {"cover": seq}, {})

    def remove_picture(self) -> None:
        """Take a picture away from a model that has several."""
        shown = [one for one in self.items("/api/models?limit=1000") if len(one["images"]) > 2]
        if shown:
            model = self.rng.choice(shown)
            seq = int(self.rng.choice(model["images"]).rpartition("_")[2])
            address = f"/api/images/delete?sha256={model['sha256']}&seq={seq}"
            self.write("remove-picture", model["sha256"], seq, "DELETE", address, None, {})


def code_of_pending(number: int) -> int:
    """Give the number that the picture of a pending model shows."""
    return 1 + number % (contents.CODES - 1)


def main(argv: Sequence[str]) -> int:
    """Use the library until SIGTERM."""
    user = User(Settings(**json.loads(Path(argv[0]).read_bytes())))

    def stop(*_: object) -> None:
        user.stopped = True

    signal.signal(signal.SIGTERM, stop)
    sys.stdout.write(AT_WORK)
    sys.stdout.flush()
    user.run()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
