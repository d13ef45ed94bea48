"""The profile files' shape: what pydantic checks, and the JSON Schema for editors."""

from __future__ import annotations

import json
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from adapters.profiles.shape import Range, Scale, SourceWire, Wire, Words
from adapters.profiles.words import mistake
from gateway.model.quantity import Quantity

_TOPIC = "MQTT topic without wildcards; {topic} stands for the device's own, {channel} for its channel."
_PATH = "Keys and indices into the JSON, joined by dots, or a list when a key holds a dot; empty: the whole payload."

_ADDED = ("W", "A", "Wh")
"""Units of what belongs together when it is added; volts, degrees and percents never do."""


class PartWire(Wire):
    topic: str = Field(description=_TOPIC)
    path: str | list[str] = Field(default="", description=_PATH)
    scale: Scale = Field(default=1.0, description="Factor to the quantity's unit; negative for what is subtracted.")


class StateWire(Wire):
    topic: str = Field(default="", description=_TOPIC + " Left out when there is a sum.")
    quantity: Quantity = Field(description="What it measures; the unit is in the name.")
    path: str | list[str] = Field(default="", description=_PATH)
    scale: Scale = Field(default=1.0, description="Factor to the quantity's unit, e.g. 1000 for kWh.")
    sign: Literal[1, -1] = Field(default=1, description="-1 when the device counts production or discharge positive.")
    map: dict[str, float] = Field(default={}, description="What words mean as numbers, e.g. {ON: 1, OFF: 0}.")
    range: Range | None = Field(default=None, description="Lowest and highest value to be believed.")
    partial: bool = Field(default=False, description="The topic carries only what changed: no message may be skipped.")
    add_list: bool = Field(
        default=False,
        description="A list (one value per channel) is added up; only power, current and energy. Without it a list "
        "has no value, unless the site file says which channel.",
    )
    sum: list[PartWire] = Field(default=[], description="The quantity is the sum of these; the first opens a telegram.")
    arrive: Literal["together", "alone"] = Field(
        default="together",
        description="together: the parts of a sum come as one telegram, the first listed first; alone: on change.",
    )

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if bool(self.topic) == bool(self.sum):
            raise ValueError("give either a topic or a sum")
        if self.add_list and (self.quantity.unit not in _ADDED or self.sum):
            what = f"a list of {self.quantity} is not to be added up" if not self.sum else "a sum has no list"
            raise mistake(what, "Leave add_list out; it goes with power, current and energy that have a topic.")
        return self


class AvailabilityWire(Wire):
    topic: str = Field(description=_TOPIC)
    path: str = Field(default="", description="Key of the word in a JSON payload; the bare word is understood too.")
    online: list[str] = Field(description="Words that mean it is there.")
    offline: list[str] = Field(description="Words that mean it is gone.")


class CommandWire(Wire):
    kind: Literal["on", "target_temperature_c"] = Field(description="The kind of setpoint it carries.")
    topic: str = Field(description=_TOPIC)
    payload: dict[str, Any] | str = Field(
        description="{value}, {on} (true or false), {ON|OFF} (first word for on) and {seconds} are filled in."
    )
    echo: Quantity = Field(description="The quantity by which the device confirms.")
    tolerance: float = Field(default=0.01, ge=0, description="How far the echo may be off, in its unit.")
    reply_topic: str = Field(default="", description="Where the device answers the command, if it does.")


class RequestWire(Wire):
    topic: str = Field(description=_TOPIC)
    payload: str = Field(description="What makes the device tell its whole state; {topic} and {channel} are filled in.")


class ProfileWire(Wire):
    """One kind of MQTT device."""

    maker: Words = Field(description="Who makes it.")
    model: Words = Field(description="What it is.")
    source: SourceWire = Field(description="The document the table was taken from.")
    verified: Words = Field(description="Against what it was checked, in words.")
    states: list[StateWire] = Field(min_length=1, description="What the device tells.")
    availability: AvailabilityWire | None = Field(default=None, description="Its last will: a hint, never proof.")
    commands: list[CommandWire] = Field(default=[], description="What it takes.")
    request: RequestWire | None = Field(default=None, description="How to ask for its whole state.")


TABLES: tuple[type[Wire], ...] = (
    ProfileWire,
    StateWire,
    PartWire,
    CommandWire,
    AvailabilityWire,
    RequestWire,
    SourceWire,
)
"""All tables of the file, for suggestions."""


def schema_text() -> str:
    """The JSON Schema of a profile file, as kept in config/devices/mqtt/profile.schema.json."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **ProfileWire.model_json_schema()}
    return json.dumps(schema | {"title": "Hearth MQTT device profile"}, indent=1) + "\n"
