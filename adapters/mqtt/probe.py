"""Finds out who speaks on a broker: for the installer's `hearth probe mqtt`.

It listens to the roots that known kinds of devices use, never to everything unless told so, and says nothing itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from adapters.mqtt.broker import Broker
from adapters.mqtt.decode import BadPayload, State, find, find_part, parse
from adapters.mqtt.profile import Profile, load_profile, profile_names
from adapters.profiles.file import load_usable
from gateway.model.errors import DeviceUnreachable
from gateway.model.quantity import Quantity
from gateway.ports import Clock

ROOTS = (
    "tele/+/+", "stat/+/+", "shellies/#", "+/status/+", "+/events/rpc", "+/online", "zigbee2mqtt/+",
    "zigbee2mqtt/+/availability", "+/sensor/+/state", "dsmr/#", "sensors/#", "openevse/#", "evcc/#",
)  # fmt: skip
"""Filters under which the shipped profiles' devices speak as they leave the factory."""
EVERYTHING = ("#",)
LEAST_PERCENT = 20


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A profile that reads one device, its `topic` and `channel`, and how much of the profile it fills, in percent."""

    topic: str
    channel: int
    profile: str
    name: str
    percent: int
    values: Mapping[Quantity, float]


@dataclass(frozen=True, slots=True)
class Heard:
    """What was heard on a broker: how many topics, what they suggest, and topics that no profile knows."""

    topics: int
    suggestions: tuple[Suggestion, ...]
    unknown: tuple[str, ...]


async def probe_broker(
    broker: Broker, clock: Clock, seconds: float, profiles: Sequence[Profile], *, everything: bool = False,
    tell: Callable[[float, int], None] = lambda spent_s, topics: None,
) -> Heard:  # fmt: skip
    """Listen for some seconds and say what was heard; the broker's owner task must be running.

    Raises DeviceUnreachable when the broker was not there in all that time.
    """
    box = broker.watch(EVERYTHING if everything else ROOTS)
    payloads: dict[str, bytes] = {}
    begun, met = clock.monotonic(), False
    while (spent_s := (clock.monotonic() - begun) / clock.speed) < seconds:
        payloads |= {message.topic: message.payload for message in box.take()}
        met = met or broker.connected
        tell(spent_s, len(payloads))
        await clock.sleep(0, real_floor=min(0.1, seconds))
    if not met:
        raise DeviceUnreachable(broker.name, "connect", "no broker answers there", "Check address, port, user and TLS")
    return understand(payloads, profiles)


def load_profiles(folder: Path) -> list[Profile]:
    """All profiles of the folder that can be used; each of the others is told in one line."""
    return load_usable(profile_names(folder), lambda name: load_profile(name, folder))


def understand(payloads: Mapping[str, bytes], profiles: Iterable[Profile]) -> Heard:
    """Which devices these messages come from, the best profile of each; pure."""
    found: dict[str, list[Suggestion]] = {}
    known: set[str] = set()
    for profile in profiles:
        quantities = {state.quantity for state in profile.states}
        for (topic, channel), values in _devices(profile, payloads, known).items():
            percent = round(100 * len(values) / len(quantities))
            name = f"{profile.maker} {profile.model}"
            if percent >= LEAST_PERCENT:
                suggestion = Suggestion(topic, channel, profile.name, name, percent, values)
                found.setdefault(topic, []).append(suggestion)
    best = [suggestion for topic in sorted(found) for suggestion in _best(found[topic])]
    unknown = tuple(sorted(topic for topic in payloads if topic not in known))
    return Heard(len(payloads), tuple(best), unknown)


def _best(suggestions: Sequence[Suggestion]) -> list[Suggestion]:
    """Of one topic the profile that reads most of it, on each of its channels."""
    first = max(suggestions, key=lambda s: (len(s.values) * s.percent, s.profile))
    return sorted((s for s in suggestions if s.profile == first.profile), key=lambda s: s.channel)


def _devices(
    profile: Profile, payloads: Mapping[str, bytes], known: set[str]
) -> dict[tuple[str, int], dict[Quantity, float]]:
    """What the profile can read, by device (its topic and channel); adds the topics it read to `known`."""
    devices: dict[tuple[str, int], dict[Quantity, float]] = {}
    for state in profile.states:
        for template in state.topics:
            pattern = _pattern(template)
            for topic, payload in payloads.items():
                match = pattern.fullmatch(topic)
                value = _value(payload, state, template) if match else None
                if match is None or value is None:
                    continue
                known.add(topic)
                parts = match.groupdict()
                devices.setdefault((parts.get("topic") or "", int(parts.get("channel") or 0)), {})[state.quantity] = (
                    value
                )
    return devices


def _pattern(template: str) -> re.Pattern[str]:
    text = re.escape(template).replace(r"\{topic\}", "(?P<topic>.+)", 1).replace(r"\{channel\}", r"(?P<channel>\d+)", 1)
    return re.compile(text)


def _value(payload: bytes, state: State, template: str) -> float | None:
    """The state's value in the payload, of a sum the part on this topic; None when it does not speak of it."""
    try:
        document = parse(payload)
    except BadPayload:
        return None
    if not state.parts:
        found = find(document, state)
        return found.value if found is not None else None
    parts = (find_part(document, state, part) for part in state.parts if part.topic == template)
    return next((part.value for part in parts if part is not None), None)
