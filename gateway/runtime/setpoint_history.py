"""What devices were told over a span of time, read back from the audit; a power only where it is one."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

from gateway.core.demand_response.report_data import Held
from gateway.model.audit import AuditRow
from gateway.model.setpoint import Setpoint, SetpointKind
from gateway.model.site import ApplianceSpec, ChargerSpec, Device, HeatPumpSpec, PoolPumpSpec, Site, WaterHeaterSpec
from gateway.ports import AuditStore

LOOK_BACK = timedelta(days=1)
MOST_ROWS = 20_000
_CURRENT = re.compile(r"(\d+\.\d) A(?: on (\d) phases?)? until")
_SWITCH = re.compile(r"(on|off) until")
_TEMPERATURE = re.compile(r"(-?\d+\.\d) °C until")
_BAND = re.compile(r"between (-?\d+) W and (-?\d+) W until")
Number = tuple[float | None, float | None]
"""The value in its own unit (W for cars and batteries, degC, 0/1), and as a power, W; None where there is none."""


async def held(
    audit: AuditStore, site: Site, devices: Collection[Device], commanded: Mapping[str, Setpoint], start: datetime,
    now: datetime,
) -> dict[str, list[Held]]:  # fmt: skip
    """What each device was told from `start` to `now`, as far as it is known; `commanded` is what holds now.

    A row is written when a wish changes: a device without any row was told all the time what it is told now.
    """
    rows = list(reversed(await audit.audit(start - LOOK_BACK, now, limit=MOST_ROWS)))
    found = {}
    for device in devices:
        own = [row for row in rows if row.subject == device.id and row.step == "commanded"]
        told = _from_rows(site, device, own, commanded.get(device.id), now)
        setpoint = commanded.get(device.id)
        if not told and setpoint is not None:
            told = _spans([(start, number(site, device, setpoint))], now)
        if told:
            found[device.id] = told
    return found


def number(site: Site, device: Device, setpoint: Setpoint) -> Number:
    """A setpoint as a number: a current by phases and voltage, a switch by the device's rated power."""
    if setpoint.kind is SetpointKind.BATTERY_BAND:
        return _band(setpoint.low, setpoint.value)
    if setpoint.kind is SetpointKind.CURRENT:
        return _current(site, device, setpoint.value, setpoint.phases)
    if setpoint.kind is SetpointKind.SWITCH:
        return _switch(device, bool(setpoint.value))
    return setpoint.value, None


def _from_rows(
    site: Site, device: Device, rows: Sequence[AuditRow], last: Setpoint | None, now: datetime
) -> list[Held]:
    phases = last.phases if last is not None else 0
    told = [(row.time, _told(site, device, row.text, phases)) for row in rows]
    return _spans([(at, found) for at, found in told if found is not None], now)


def _told(site: Site, device: Device, text: str, phases: int) -> Number | None:
    """The number in the words of a row; None for other words, and for a limit of the panels beside the battery."""
    if found := _CURRENT.match(text):
        return _current(site, device, float(found[1]), int(found[2] or phases))
    if found := _SWITCH.match(text):
        return _switch(device, found[1] == "on")
    if found := _BAND.match(text):
        return _band(float(found[1]), float(found[2]))
    found = _TEMPERATURE.match(text)
    return (float(found[1]), None) if found else None


def _spans(told: Sequence[tuple[datetime, Number]], now: datetime) -> list[Held]:
    ends = [*(at for at, _ in told[1:]), now]
    return [Held(at, end, *found) for (at, found), end in zip(told, ends, strict=False)]


def _current(site: Site, device: Device, amps: float, phases: int) -> Number:
    own = len(device.spec.phases) if isinstance(device.spec, ChargerSpec) else 1
    power = amps * site.nominal_voltage_v * (phases or own)
    return power, power


def _band(low: float, high: float) -> Number:
    """A battery that is free inside a band follows the meter: no number tells that."""
    return (high, high) if low == high else (None, None)


def _switch(device: Device, on: bool) -> Number:
    rated = _rated_w(device)
    return float(on), (rated if on else 0.0)


def _rated_w(device: Device) -> float | None:
    spec = device.spec
    if isinstance(spec, WaterHeaterSpec | PoolPumpSpec):
        return spec.power_w
    if isinstance(spec, HeatPumpSpec):
        return spec.max_power_w
    return sum(spec.profile_w) / len(spec.profile_w) if isinstance(spec, ApplianceSpec) and spec.profile_w else None
