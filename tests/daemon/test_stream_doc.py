"""What docs/stream.md says of the live stream."""

import re
from pathlib import Path

from hikaze.events.catalog import EVENTS
from hikaze.events.codec import name_of

STREAM = Path(__file__).parents[2] / "docs" / "stream.md"


def test_every_event_is_described() -> None:
    """Each event of the catalogue is in the table of types, and nothing that there is not."""
    rows = [
        line.split("|")[1] for line in STREAM.read_text(encoding="utf-8").split("\n## ")[0].split("\n") if "|" in line
    ]
    told = set[str]()
    for cell in rows[2:]:
        subject = ""
        for name in re.findall(r"`([\w-]+)`", cell):
            told.add(subject + name if name.startswith("-") else name)
            subject = subject if name.startswith("-") else name.split("-")[0]

    assert told == {name_of(event) for event in EVENTS}
