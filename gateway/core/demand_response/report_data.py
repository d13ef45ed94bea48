"""What is known of the home for its reports, and what of it a utility may be told."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from gateway.core.demand_response.baseline.rows import BaselineRow
from gateway.core.demand_response.report_windows import AHEAD, FORECASTS, ahead
from gateway.model.agreement import Shared
from gateway.model.dr import DrEvent, ReportDescriptor
from gateway.model.reading import Interval

STATES = frozenset({"OPERATING_STATE", "SIMPLE_LEVEL"})
STORAGE = frozenset({
    "STORAGE_CHARGE_LEVEL", "STORAGE_USABLE_CAPACITY", "STORAGE_MAX_CHARGE_POWER", "STORAGE_MAX_DISCHARGE_POWER",
    "STORAGE_DISPATCH_FORECAST",
})  # fmt: skip
MOMENTARY = STATES | (STORAGE - {"STORAGE_DISPATCH_FORECAST"}) | {"READING", "SETPOINT"}
"""Told as of one moment, not of a span."""


@dataclass(frozen=True, slots=True)
class Storage:
    """A battery as a utility may see it: charge in percent, energy in Wh, powers as magnitudes in W; None: not known."""

    soc_percent: float | None
    usable_wh: float
    charge_w: float
    discharge_w: float


@dataclass(frozen=True, slots=True)
class Held:
    """A setpoint over [start, end): `value` in its own unit (W for cars and batteries, degC, 0/1), `power_w` as a power.

    None where no number tells it, as of a battery that is free inside a band, or where it is no power.
    """

    start: datetime
    end: datetime
    value: float | None
    power_w: float | None


@dataclass(frozen=True, slots=True)
class Peak:
    """The highest power measured in [start, start + 60 s), W, import positive."""

    start_s: float
    power_w: float


@dataclass(frozen=True, slots=True)
class ReportData:
    """What is known of the home: intervals of the whole site and of its devices, the baseline, and momentary values.

    `register_wh` is the main meter's import counter now, `registers_wh` those of devices. `forecast` and
    `device_forecasts` are what the plan expects, `stored_wh` what it expects the batteries to be able to give (instants
    as rows). `ahead` holds by payload type what else can be told of the time to come: offers, reservations. `setpoints`
    are what devices were told, in order of time.
    """

    site: Sequence[Interval] = ()
    devices: Mapping[str, Sequence[Interval]] = field(default_factory=dict)
    baseline: Sequence[BaselineRow] = ()
    device_baselines: Mapping[str, Sequence[BaselineRow]] = field(default_factory=dict)
    forecast: Sequence[BaselineRow] = ()
    device_forecasts: Mapping[str, Sequence[BaselineRow]] = field(default_factory=dict)
    storage: Mapping[str, Storage] = field(default_factory=dict)
    stored_wh: Sequence[BaselineRow] = ()
    ahead: Mapping[str, Sequence[BaselineRow]] = field(default_factory=dict)
    setpoints: Mapping[str, Sequence[Held]] = field(default_factory=dict)
    peaks: Sequence[Peak] = ()
    soc_percent: float | None = None
    register_wh: float | None = None
    registers_wh: Mapping[str, float] = field(default_factory=dict)
    acts_on: Collection[str] = ()
    """The devices the event acts on; none: not known, so any of `devices`."""
    resource: str = "home"


def needed(descriptor: ReportDescriptor, devices: Collection[str]) -> frozenset[Shared]:
    """What the owner must have agreed to share for a report."""
    kind = descriptor.payload_type
    found = {Shared.DEVICES} if any(target in devices for target in descriptor.targets) else set()
    if kind in STATES:
        found.add(Shared.STATE)
    elif kind in STORAGE:
        found = {Shared.STORAGE}
    elif kind in AHEAD:
        found = {Shared.FLEXIBILITY}
    elif kind == "SETPOINT":
        found = {Shared.DEVICES}
    else:
        found.add(Shared.USAGE)
    if kind in FORECASTS or (ahead(descriptor) and kind not in AHEAD):
        found = (found - {Shared.USAGE}) | {Shared.FORECAST}
    return frozenset(found)


WORDS: Mapping[Shared, str] = {
    Shared.STATE: "whether the home takes part",
    Shared.USAGE: "what the home uses",
    Shared.DEVICES: "single devices",
    Shared.STORAGE: "the battery",
    Shared.FORECAST: "what the home expects to use",
    Shared.FLEXIBILITY: "what the home could shift",
}


def held_back(event: DrEvent, share: Collection[Shared], devices: Collection[str] = ()) -> list[str]:
    """What the event asks to be told and is not, because the owner does not share it: one sentence each."""
    found: dict[Shared, list[str]] = {}
    for descriptor in event.reports:
        for kind in sorted(needed(descriptor, devices) - set(share)):
            found.setdefault(kind, []).append(descriptor.payload_type)
    return [
        f"Not told, because you do not share {WORDS[kind]}: {', '.join(dict.fromkeys(types))}."
        for kind, types in found.items()
    ]
