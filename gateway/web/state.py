"""The home now, as one answer: for the API, the stream and the pages alike."""

from __future__ import annotations

from gateway.model.plan import PlanSlot
from gateway.model.quantity import Quantity
from gateway.model.setpoint import Setpoint
from gateway.model.site import Device, Role
from gateway.model.snapshot import ChargerStatus, DeviceState, Snapshot
from gateway.runtime.car_words import car_facts
from gateway.web.view import HomeView
from gateway.web.wire import ChargerOut, DeviceOut, NextChangeOut, RuleCountOut, SetpointOut, StateOut, ValueOut

HEAT = (Role.WATER_HEATER, Role.HEAT_PUMP)
MACHINES = (Role.POOL_PUMP, Role.APPLIANCE)
"""Measured by themselves, shown as part of the house."""


def state_of(home: HomeView) -> StateOut:
    """Everything a page shows live; None where nothing is known."""
    snapshot, site = home.snapshot(), home.site
    change = home.next_change()
    rate, slot = home.rate(), slot_now(home)
    return StateOut(
        home_time=home.clock.now(),
        timezone=site.timezone.key,
        tick_s=home.tick_s,
        speed=home.clock.speed,
        simulated=home.simulated or home.clock.speed != 1,
        headline=home.headline(),
        grid_w=snapshot.grid_w() if snapshot else None,
        pv_w=snapshot.pv_w() if snapshot else None,
        battery_w=snapshot.battery_w() if snapshot else None,
        house_w=_house_w(home, snapshot),
        car_w=_cars_w(snapshot),
        heat_w=_heat_w(home, snapshot),
        soc_percent=snapshot.soc_percent() if snapshot else None,
        currency=site.currency,
        # The plan's slot knows prices from the utility's events; the tariff's rate is what it starts from.
        price_micro_per_kwh=slot.import_price_micro_per_kwh if slot else rate.import_micro_per_kwh if rate else None,
        export_price_micro_per_kwh=slot.export_price_micro_per_kwh
        if slot
        else rate.export_micro_per_kwh
        if rate
        else None,
        rate=rate.name if rate else "",
        co2_g_per_kwh=co2_now(home),
        next_change=NextChangeOut.model_validate(change) if change else None,
        devices={device.id: device_out(home, device) for device in site.devices},
        setpoints={device: setpoint_out(setpoint) for device, setpoint in home.setpoints().items()},
    )


def _house_w(home: HomeView, snapshot: Snapshot | None) -> float | None:
    """What is not shown elsewhere, W: the unmeasured remainder, the pool's pump and appliances."""
    house = snapshot.house_w() if snapshot else None
    if snapshot is None or house is None:
        return None
    machines = (snapshot.devices.get(device.id) for device in home.site.of_role(*MACHINES))
    return house + sum(state.get(Quantity.POWER) or 0.0 for state in machines if state is not None)


def device_out(home: HomeView, device: Device) -> DeviceOut:
    """One configured device, known or not."""
    snapshot, notes = home.snapshot(), home.device_notes(device.id)
    state = snapshot.devices.get(device.id) if snapshot else None
    if state is None:
        state = DeviceState(device.id, device.role, False, None, {}, "no reading yet")
    values = {quantity.value: ValueOut(value=value, unit=quantity.unit) for quantity, value in state.values.items()}
    return DeviceOut(
        id=device.id,
        name=device.name,
        role=device.role.value,
        online=state.online,
        age_s=state.age_s,
        values=values,
        reason=state.reason,
        doubts={quantity.value: words for quantity, words in state.doubts.items()},
        vee=[RuleCountOut.model_validate(count) for count in home.rule_counts(device.id)],
        profile=notes.profile,
        warning=notes.warning,
    )


def setpoint_out(setpoint: Setpoint) -> SetpointOut:
    """One command with its reason and authority."""
    return SetpointOut(
        kind=setpoint.kind.value,
        value=setpoint.value,
        low=setpoint.low,
        until=setpoint.until,
        authority=int(setpoint.authority),
        authority_words=setpoint.authority.words,
        reason=setpoint.reason,
        source=setpoint.source,
    )


def charger_out(home: HomeView, device: Device) -> ChargerOut:
    """One charger with its wishes and the reason for what it does."""
    snapshot, wish = home.snapshot(), home.preferences().charging_of(device.id)
    status = charger_status(snapshot, device.id)
    setpoint = home.setpoints().get(device.id)
    car = car_facts(home.site, home.preferences(), device, status, home.clock.now())
    return ChargerOut(
        id=device.id,
        name=device.name,
        phase=status.phase.value if status else "offline",
        connected=bool(status and status.connected),
        transaction=status.transaction if status else "",
        session_start=status.session_start if status else None,
        session_wh=round(status.session_wh, 1) if status else 0.0,
        power_w=status.power_w if status else None,
        current_a=list(status.current_a) if status else [None, None, None],
        offered_a=status.offered_a if status else None,
        soc_percent=status.soc_percent if status else None,
        accepted_limit_a=status.accepted_limit_a if status else None,
        accepted_at=status.accepted_at if status else None,
        meter_age_s=status.meter_age_s if status else None,
        rung=status.rung if status else "",
        model=status.model if status else "",
        mode=wish.mode.value,
        ready_by=wish.ready_by,
        target_wh=wish.target_wh,
        reason=setpoint.reason if setpoint else "",
        vehicle=car.vehicle,
        guest=car.guest,
        departure=car.leaves,
        needed_wh=round(car.need_wh, 1),
    )


def charger_status(snapshot: Snapshot | None, charger: str) -> ChargerStatus | None:
    """What the snapshot knows of one charger."""
    return snapshot.chargers.get(charger) if snapshot else None


def slot_now(home: HomeView) -> PlanSlot | None:
    """The plan's slot that holds now."""
    plan, now = home.plan(), home.clock.now()
    past = [slot for slot in plan.slots if slot.start <= now] if plan else []
    slot = past[-1] if past else None
    return slot if slot and (now - slot.start).total_seconds() < slot.duration_s else None


def co2_now(home: HomeView) -> float:
    """Grams of CO2 per kWh from the grid now: the utility's signal, else the site's figure."""
    for signal in home.timeline().at(home.clock.now()):
        value = signal.values[0] if signal.values else None
        if signal.kind == "GHG" and signal.unit in ("", "GHG") and isinstance(value, int | float):
            return float(value)
    return home.site.co2_g_per_kwh


def _cars_w(snapshot: Snapshot | None) -> float | None:
    return _sum([charger.power_w for charger in snapshot.chargers.values()]) if snapshot else None


def _heat_w(home: HomeView, snapshot: Snapshot | None) -> float | None:
    if snapshot is None:
        return None
    found = [snapshot.devices.get(device.id) for device in home.site.of_role(*HEAT)]
    return _sum([state.get(Quantity.POWER) for state in found if state])


def _sum(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None
