"""Events become bytes and come back."""

from typing import Any, ClassVar

import msgspec
import pytest
from hikaze.events.catalog import Changes, Event, ModelEdited, ModelTagged, TagCreated
from hikaze.events.codec import Codec, UnknownEvent, kind_of


class Renamed(Event, frozen=True, tag="tag-renamed-thrice"):
    """An event whose form changed twice since its first version."""

    SCHEMA: ClassVar[int] = 3

    tag: int
    name: str
    spelling: str = "as typed"


UPCASTERS = {
    ("tag-renamed-thrice", 1): lambda fields: fields | {"tag": int(fields["tag"])},
    ("tag-renamed-thrice", 2): lambda fields: {"name" if key == "title" else key: fields[key] for key in fields},
}


@pytest.mark.parametrize(
    ("schema", "body"),
    [
        (1, {"event": "tag-renamed-thrice", "tag": "4", "title": "ink"}),
        (2, {"event": "tag-renamed-thrice", "tag": 4, "title": "ink"}),
        (3, {"event": "tag-renamed-thrice", "tag": 4, "name": "ink"}),
    ],
)
def test_old_forms_are_lifted(schema: int, body: dict[str, Any]) -> None:
    """A body of any older form is lifted, form by form, to the newest."""
    codec = Codec((Renamed,), UPCASTERS)

    assert codec.decoder(("tag-renamed-thrice", schema))(msgspec.json.encode(body)) == Renamed(4, "ink")


def test_fields_of_tomorrow_are_passed_over() -> None:
    """A field that a newer program added with a default does not keep us from reading the event."""
    assert Codec().decoder(("tag-created", 1))(b'{"event":"tag-created","tag":1,"name":"x","new":[1]}') == TagCreated(
        1, "x"
    )


@pytest.mark.parametrize("kind", [("tag-created", 2), ("tag-blessed", 1)])
def test_newer_kinds_are_unknown(kind: tuple[str, int]) -> None:
    """A name or a form that the catalogue does not have is refused, by name."""
    with pytest.raises(UnknownEvent, match=f"{kind[0]!r} in form {kind[1]}"):
        Codec().decoder(kind)
    assert not Codec().knows(kind)


def test_a_field_left_out_stays_left_out() -> None:
    """An edit says which fields it touched: none, empty and left out are three things."""
    codec = Codec()
    event = ModelEdited("a1", Changes(description="", favorite=False))

    body = codec.encode(event)

    assert body == b'{"event":"model-edited","model":"a1","changes":{"description":"","favorite":false}}'
    assert codec.decoder(kind_of(event))(body) == event


def test_the_stored_name_is_not_the_class_name() -> None:
    """What is stored is the explicit name and form, so a class may be renamed."""
    assert kind_of(ModelTagged("a1", 1)) == ("model-tagged", 1)
