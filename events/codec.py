"""Events to bytes and back: JSON under an explicit name and schema number, old forms lifted to the newest."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from .catalog import EVENTS, Event

Kind = tuple[str, int]
Upcaster = Callable[[dict[str, Any]], dict[str, Any]]

UPCASTERS: Mapping[Kind, Upcaster] = {}
"""(name, schema n) -> what turns the decoded body of form n into form n + 1. Every event is at form 1 so far."""


class UnknownEvent(Exception):
    """An event's name or form is newer than this program."""


def name_of(event_type: type[Event]) -> str:
    """Give the name under which events of a type are stored."""
    return str(event_type.__struct_config__.tag)


def kind_of(event: Event) -> Kind:
    """Give the stored name and schema number of an event."""
    return name_of(type(event)), event.SCHEMA


class Codec:
    """Encodes events of a catalogue and decodes every form of them ever stored."""

    def __init__(
        self, events: tuple[type[Event], ...] = EVENTS, upcasters: Mapping[Kind, Upcaster] = UPCASTERS
    ) -> None:
        """Make the codec of some event types, and of their older forms by `upcasters`."""
        self._types = {name_of(event_type): event_type for event_type in events}
        self._upcasters = dict(upcasters)
        self._encoder = msgspec.json.Encoder()
        self._decoders: dict[Kind, Callable[[bytes], Event]] = {
            (name, event_type.SCHEMA): msgspec.json.Decoder(event_type).decode
            for name, event_type in self._types.items()
        }
        for name, schema in self._upcasters:
            self._decoders[name, schema] = self._decoder_of_old_form(name, schema)

    def knows(self, kind: Kind) -> bool:
        """Tell whether events of this name and schema number can be decoded."""
        return kind in self._decoders

    def encode(self, event: Event) -> bytes:
        """Give the JSON text of an event, in UTF-8."""
        return self._encoder.encode(event)

    def decoder(self, kind: Kind) -> Callable[[bytes], Event]:
        """Give what decodes bodies of a kind; raises `UnknownEvent` where the kind is newer than we are."""
        try:
            return self._decoders[kind]
        except KeyError:
            raise UnknownEvent(f"the event {kind[0]!r} in form {kind[1]} is newer than this program") from None

    def _decoder_of_old_form(self, name: str, schema: int) -> Callable[[bytes], Event]:
        newest = self._types[name]

        def decode(body: bytes) -> Event:
            fields: dict[str, Any] = msgspec.json.decode(body)
            for form in range(schema, newest.SCHEMA):
                fields = self._upcasters[name, form](fields)
            return msgspec.convert(fields, newest)

        return decode
