"""The simulated utility's 2.0b events: given as JSON, told as eiEvent."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from firmware_sim.vtn2b_xml import Element, make, seconds, stamp

NEAR = timedelta(hours=1)


@dataclass
class Signal:
    """One signal: a value an interval; `lengths_s` empty: the event's length, divided equally.

    `item` is the unit as (element, description, units, scale), such as ("power:powerReal", "RealPower", "W", "k").
    """

    name: str = "SIMPLE"
    type: str = "level"
    values: list[float] = field(default_factory=lambda: [1.0])
    lengths_s: list[float] = field(default_factory=list)
    item: list[str] = field(default_factory=list)
    device_class: str = ""


@dataclass
class Event:
    """One event; `length_s` 0: no end. `after_s` is startafter."""

    id: str
    start: datetime
    length_s: float = 3600.0
    signals: list[Signal] = field(default_factory=lambda: [Signal()])
    market: str = "http://utility.example/peak"
    priority: int = 0
    test: str = "false"
    comment: str = ""
    answer: str = "always"
    after_s: float = 0.0
    notice_s: float = 0.0
    ramp_up_s: float = 0.0
    recovery_s: float = 0.0
    targets: dict[str, list[str]] = field(default_factory=dict)
    number: int = 0
    cancelled: bool = False

    def status(self, now: datetime) -> str:
        """eventStatus at `now`."""
        if self.cancelled:
            return "cancelled"
        if now < self.start:
            return "near" if self.start - now <= NEAR else "far"
        if self.length_s and now >= self.start + timedelta(seconds=self.length_s):
            return "completed"
        return "active"


def event_from(given: dict[str, Any]) -> Event:
    """An event from JSON; ValueError, KeyError or TypeError for one that makes no sense."""
    signals = [Signal(**signal) for signal in given.get("signals", [{}])]
    start = datetime.fromisoformat(str(given["start"]))
    if start.tzinfo is None:
        raise ValueError("start needs an offset")
    return Event(**{**given, "id": str(given["id"]), "start": start, "signals": signals})


def as_xml(event: Event, now: datetime) -> Element:
    """An oadrEvent."""
    return make(
        "oadr:oadrEvent",
        make(
            "ei:eiEvent",
            _descriptor(event, now),
            _period(event),
            make("ei:eiEventSignals", *(_signal(signal, event, n) for n, signal in enumerate(event.signals))),
            make("ei:eiTarget", *(make(f"ei:{kind}", x) for kind, names in event.targets.items() for x in names)),
        ),
        make("oadr:oadrResponseRequired", event.answer),
    )


def _descriptor(event: Event, now: datetime) -> Element:
    return make(
        "ei:eventDescriptor",
        make("ei:eventID", event.id),
        make("ei:modificationNumber", str(event.number)),
        make("ei:priority", str(event.priority)),
        make("ei:eiMarketContext", make("emix:marketContext", event.market)),
        make("ei:createdDateTime", stamp(now)),
        make("ei:eventStatus", event.status(now)),
        make("ei:testEvent", event.test),
        make("ei:vtnComment", event.comment) if event.comment else None,
    )


def _period(event: Event) -> Element:
    spread = make("xcal:tolerance", make("xcal:tolerate", make("xcal:startafter", seconds(event.after_s))))
    return make(
        "ei:eiActivePeriod",
        make(
            "xcal:properties",
            make("xcal:dtstart", make("xcal:date-time", stamp(event.start))),
            _duration("xcal:duration", event.length_s),
            spread if event.after_s else None,
            _duration("ei:x-eiNotification", event.notice_s) if event.notice_s else None,
            _duration("ei:x-eiRampUp", event.ramp_up_s) if event.ramp_up_s else None,
            _duration("ei:x-eiRecovery", event.recovery_s) if event.recovery_s else None,
        ),
        make("xcal:components"),
    )


def _signal(signal: Signal, event: Event, number: int) -> Element:
    lengths = signal.lengths_s or [event.length_s / len(signal.values)] * len(signal.values)
    intervals = [
        make(
            "ei:interval",
            _duration("xcal:duration", length),
            make("xcal:uid", make("xcal:text", str(uid))),
            make("ei:signalPayload", make("ei:payloadFloat", make("ei:value", repr(float(value))))),
        )
        for uid, (value, length) in enumerate(zip(signal.values, lengths, strict=True))
    ]
    device = make("power:endDeviceAsset", make("power:mrid", signal.device_class))
    return make(
        "ei:eiEventSignal",
        make("strm:intervals", *intervals),
        make("ei:eiTarget", device) if signal.device_class else None,
        make("ei:signalName", signal.name),
        make("ei:signalType", signal.type),
        make("ei:signalID", f"signal-{number}"),
        _item(signal.item) if signal.item else None,
    )


def _item(item: list[str]) -> Element:
    element, description, units, scale = item
    space = "power" if element.startswith("power:") else "oadr"
    attributes = make(
        "power:powerAttributes", make("power:hertz", "50"), make("power:voltage", "230"), make("power:ac", "true")
    )
    return make(
        element,
        make(f"{space}:itemDescription", description),
        make(f"{space}:itemUnits", units),
        make("scale:siScaleCode", scale),
        attributes if element == "power:powerReal" else None,
    )


def _duration(element: str, length_s: float) -> Element:
    return make(element, make("xcal:duration", seconds(length_s)))
