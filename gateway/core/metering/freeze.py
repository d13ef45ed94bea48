"""Freezing the home: from the latest readings to one immutable Snapshot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from gateway.model.loads import NO_LOADS, Loads
from gateway.model.plan import Plan
from gateway.model.preferences import Preferences
from gateway.model.quantity import CURRENTS, POWERS, Quantity
from gateway.model.setpoint import Limit, Override, Setpoint
from gateway.model.site import Device, Role, Site
from gateway.model.snapshot import ChargerStatus, DeviceState, Snapshot


@dataclass(frozen=True, slots=True)
class Latest:
    """The last valid value of one series and when it came, s of monotonic home time."""

    value: float
    at: float


@dataclass(frozen=True, slots=True)
class Wishes:
    """What people, servers and the planner want at the moment of freezing."""

    preferences: Preferences
    limits: tuple[Limit, ...] = ()
    overrides: tuple[Override, ...] = ()
    plan: Plan | None = None
    loads: Loads = NO_LOADS


NO_DOUBTS: Mapping[str, Mapping[Quantity, str]] = {}
NO_PACES: Mapping[str, float] = {}


def freeze(
    site: Site,
    latest: Mapping[str, Mapping[Quantity, Latest]],
    silent: Mapping[str, str],
    chargers: Mapping[str, ChargerStatus],
    stale_after_s: Mapping[str, float],
    wishes: Wishes,
    commanded: Mapping[str, Setpoint],
    disobeying: frozenset[str],
    now: datetime,
    monotonic: float,
    doubts: Mapping[str, Mapping[Quantity, str]] = NO_DOUBTS,
    paces_s: Mapping[str, float] = NO_PACES,
) -> Snapshot:
    """The home's state at `now`: per device only values younger than its own limit in `stale_after_s`, s.

    `silent` says in words why a device does not answer; its values still count until they are stale, so that one
    lost poll does not blind the tick. `doubts` says per device which quantities were last not believed, and why, and
    `paces_s` how often a device usually speaks, s, where that is known.
    """
    states = {
        device.id: _device_state(
            device,
            latest.get(device.id, {}),
            silent.get(device.id) or doubts.get(device.id, {}).get(Quantity.POWER, ""),
            stale_after_s.get(device.id, 30.0),
            monotonic,
        )
        for device in site.devices
        if device.role is not Role.EV_CHARGER
    }
    for name, pace_s in paces_s.items():
        states[name] = replace(states[name], pace_s=pace_s)
    for device in site.of_role(Role.EV_CHARGER):
        states[device.id] = _charger_state(
            device, latest.get(device.id, {}), chargers.get(device.id), stale_after_s.get(device.id, 60.0), monotonic
        )
    states = {name: replace(state, doubts=dict(doubts[name])) if doubts.get(name) else state
              for name, state in states.items()}  # fmt: skip
    return Snapshot(
        now=now,
        devices=states,
        chargers=dict(chargers),
        preferences=wishes.preferences,
        limits=wishes.limits,
        overrides=wishes.overrides,
        plan=wishes.plan,
        commanded=dict(commanded),
        disobeying=disobeying,
        loads=wishes.loads,
    )


def _device_state(
    device: Device, series: Mapping[Quantity, Latest], reason: str, stale_after_s: float, monotonic: float
) -> DeviceState:
    fresh = {
        quantity: item.value
        for quantity, item in series.items()
        if monotonic - item.at <= _limit(quantity, stale_after_s)
    }
    age = min((monotonic - item.at for q, item in series.items() if _tells_age(device, q)), default=None)
    online = age is not None and age <= stale_after_s
    return DeviceState(
        device.id, device.role, online, age, fresh, "" if online else reason or _silence(age)
    )  # fmt: skip


def _tells_age(device: Device, quantity: Quantity) -> bool:
    # The guard trusts the main meter by its age: a counter or a voltage must not vouch for a silent power.
    return device.role is not Role.MAIN_METER or quantity in (Quantity.POWER, *POWERS, *CURRENTS)


def _limit(quantity: Quantity, stale_after_s: float) -> float:
    # Slow groups (counters, temperatures) are read at a tenth of the pace of powers.
    slow = quantity.is_counter or quantity in (
        Quantity.TEMPERATURE,
        Quantity.OUTDOOR_TEMPERATURE,
        Quantity.TARGET_TEMPERATURE,
        Quantity.SOC,
    )
    return stale_after_s * 12 if slow else stale_after_s


def _charger_state(
    device: Device,
    series: Mapping[Quantity, Latest],
    status: ChargerStatus | None,
    stale_after_s: float,
    monotonic: float,
) -> DeviceState:
    state = _device_state(device, series, "", stale_after_s, monotonic)
    online = status is not None and status.connected
    reason = "" if online else "the charger is not connected; check its CSMS address and its network"
    return DeviceState(device.id, device.role, online, state.age_s, state.values, reason)


def _silence(age: float | None) -> str:
    return "no answer since the start" if age is None else f"silent for {age:.0f} s"
