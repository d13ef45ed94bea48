"""The home as the planner sees it: one request frozen into arrays over the slots."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np

from gateway.core.control.car import car_wish
from gateway.core.planning.at_once import with_minimum
from gateway.core.planning.cars import Car, Surroundings, make_car
from gateway.core.planning.charge_curve import most_w
from gateway.core.planning.charges import Charges, make_charges
from gateway.core.planning.comfort import reachable_band
from gateway.core.planning.doubt import doubt_w
from gateway.core.planning.heat_demand import (
    DRAW_BY_HOUR,
    DRAW_WH_PER_L,
    GAINS_W,
    heat_of,
    warm_enough,
    water_margin_k,
    water_w,
)  # fmt: skip
from gateway.core.planning.hygiene import hygiene_goal
from gateway.core.planning.limits import JOINED_EVENT, caps, is_joined, limits_of, overridden
from gateway.core.planning.parts import Battery, Heat
from gateway.core.planning.profiles import Profile, make_profile, under_way
from gateway.core.planning.request import PlanRequest
from gateway.core.planning.rooms import Room, Rooms, make_rooms
from gateway.core.planning.running import drawn_w, given_w
from gateway.core.planning.runs import Runs, make_runs, real_power
from gateway.core.planning.season import cooling_slots, room_band
from gateway.core.planning.site_limits import limited_sun, site_export, site_import
from gateway.core.planning.slots import Array, Slots, make_slots, sample, slot_carbon, slot_prices
from gateway.core.planning.sun_now import free_sun_w
from gateway.model.quantity import Quantity
from gateway.model.setpoint import LimitKind
from gateway.model.site import (
    ApplianceSpec,
    BatterySpec,
    Device,
    HeatPumpSpec,
    PoolPumpSpec,
    Role,
    WaterHeaterSpec,
)

__all__ = ["DRAW_BY_HOUR", "DRAW_WH_PER_L", "GAINS_W", "Battery", "Heat", "Home", "make_home"]

LOAD_W = 300.0
"""The house's load when there is no forecast at all, W."""
OUTDOOR_C = 8.0
AROUND_C = 20.0
"""Air around the tank."""
LOAD_UP = 1_000.0
"""What a utility's load-up of a tank and the owner's override of it are worth, micro-units per Wh."""
WARM_NOW = 300.0
"""The same of a heat pump."""
FIRM = JOINED_EVENT / 300.0
"""A kelvin of the room takes some 3 kWh: it is held against an event's price when it would be missed for an hour."""


@dataclass(frozen=True, slots=True)
class Home:
    """All of it; powers W, prices micro-units per Wh (carbon's weight included in `buy_cost`).

    A silent device is in none of the tuples: nothing is promised of it.
    """

    request: PlanRequest
    slots: Slots
    house_w: Array
    pv_w: Array
    buy: Array
    sell: Array
    carbon: Array
    import_w: Array
    soft_import_w: Array
    export_w: Array
    cars: tuple[Car, ...]
    batteries: tuple[Battery, ...]
    tanks: tuple[Heat, ...]
    pumps: tuple[Heat, ...]
    rooms: tuple[Room, ...] = ()
    """What devices share beside the connection."""
    extra: dict[str, Array] = field(default_factory=dict)
    """What-if only: device id -> a price in micro-units per Wh on its consumption."""
    charges: Charges = field(default_factory=Charges)
    """What peaks and tiers cost; the tier that holds now is part of `buy`."""
    usual_peak_w: float = math.inf
    """Above it the plan would make a peak that the home would not have by itself, W."""
    runs: tuple[Runs, ...] = ()
    profiles: tuple[Profile, ...] = ()
    """Appliances whose run waits."""
    given: dict[str, Array] = field(default_factory=dict)
    """Appliances that run: device id -> W."""

    @property
    def base_w(self) -> Array:
        """House, sun and the appliances that run, W: what nobody controls."""
        return np.asarray(self.house_w + self.pv_w + sum(self.given.values(), np.zeros(self.slots.count)))

    @property
    def given_w(self) -> Array:
        """What the heat pumps that run now draw, whatever is planned, W."""
        return np.asarray(sum((pump.given_w for pump in self.pumps), np.zeros(self.slots.count)))

    @property
    def buy_cost(self) -> Array:
        """Cost of one imported Wh, micro-units, with the owner's weight on carbon."""
        return self.buy / 1000 + self.carbon * self.request.preferences.carbon_weight_micro_per_kg / 1e6

    @property
    def headroom_w(self) -> Array:
        """What the connection leaves to all devices together, W; never below zero."""
        return np.maximum(0.0, self.import_w - self.base_w)

    @property
    def asked_w(self) -> Array:
        """How much of the connection's limit joined events ask to leave free, W."""
        return np.maximum(0.0, self.import_w - self.soft_import_w)

    def free_rooms(self) -> Rooms:
        """The rooms without what the heat pumps that run now take of them."""
        rooms = Rooms(self.rooms)
        for pump in self.pumps:
            rooms.take(pump.device.id, np.broadcast_to(pump.given_w, self.slots.count))
        return rooms


def make_home(request: PlanRequest) -> Home:
    """Freeze a request into arrays."""
    wishes = {
        device.id: car_wish(
            request.site, request.preferences, device, request.snapshot.chargers.get(device.id), request.now
        )
        for device in request.site.of_role(Role.EV_CHARGER)
    }
    slots = make_slots(request, [goal.ready for wish in wishes.values() for goal in wish.goals])
    buy, sell = slot_prices(request, slots)
    charges = make_charges(request, slots)
    buy = buy + charges.base(slots.count)
    house = np.maximum(0.0, sample(request.load, slots, LOAD_W))
    measured = request.snapshot.house_w()
    if measured is not None and math.isfinite(measured):
        house[0] = max(0.0, measured)
    pv = np.minimum(0.0, sample(request.solar, slots, 0.0))
    shines = free_sun_w(request.snapshot)
    if shines is not None and math.isfinite(shines):
        pv[0] = min(0.0, shines)
    pv = limited_sun(request, slots, pv)
    hard, soft = site_import(request, slots)
    home = Home(
        request, slots, house, pv, buy, sell, slot_carbon(request, slots), hard, soft,
        site_export(request, slots), (), (), (), (), charges=charges,
    )  # fmt: skip
    site = request.site
    home = _with_loads(home)
    around = Surroundings(request, slots, home.base_w, home.headroom_w, buy, home.carbon)
    chargers = [device for device in site.of_role(Role.EV_CHARGER) if _is_connected(request, device)]
    # Who comes first is served first by the rules.
    chargers.sort(key=lambda device: -wishes[device.id].preference.priority)
    cars = tuple(_careful(home, around, make_car(around, device, wishes[device.id])) for device in chargers)
    home = replace(
        home,
        cars=cars,
        batteries=tuple(
            _battery(home, d, d.spec) for d in site.devices
            if isinstance(d.spec, BatterySpec) and d.spec.capacity_wh > 0 and _charge(request, d) is not None
        ),
        tanks=tuple(
            _tank(home, d, d.spec) for d in site.devices if isinstance(d.spec, WaterHeaterSpec) and _is_heard(request, d)
        ),
        pumps=_pumps(home),
    )  # fmt: skip
    rooms = make_rooms(site, home.house_w + home.pv_w, home.given, _most_w(home))
    free = Rooms(rooms)
    # Those that run go on as far as the rooms let them.
    pumps = tuple(replace(p, given_w=free.fit(p.device.id, p.given_w)) for p in home.pumps)
    return replace(home, cars=with_minimum(cars, rooms, slots, home.headroom_w), rooms=rooms, pumps=pumps)


def _most_w(home: Home) -> dict[str, Array]:
    """What each device may draw at most, W."""
    found = {car.device.id: car.cap_w for car in home.cars}
    found |= {heat.device.id: heat.cap_w for heat in (*home.tanks, *home.pumps)}
    found |= {runs.device.id: np.full(home.slots.count, runs.power_w) for runs in home.runs}
    found |= {profile.device.id: profile.shapes.max(axis=0) for profile in home.profiles}
    return found | {battery.device.id: battery.charge_w for battery in home.batteries}


def _pumps(home: Home) -> tuple[Heat, ...]:
    """Those that run go on as far as the connection lets them beside the house and each other."""
    request, left, found = home.request, np.maximum(0.0, home.import_w - home.base_w), list[Heat]()
    for device in request.site.devices:
        if isinstance(device.spec, HeatPumpSpec) and _is_heard(request, device):
            pump = _pump(home, device, device.spec)
            found.append(replace(pump, given_w=np.minimum(pump.given_w, left)))
            left = left - found[-1].given_w
    return tuple(found)


def _careful(home: Home, around: Surroundings, car: Car) -> Car:
    """The same car with what a busier or darker day leaves of the fuse, as long as its departures can be met so."""
    doubt = doubt_w(home.request, home.slots)
    if not doubt.any():
        return car
    base = home.base_w + doubt
    room = np.maximum(0.0, home.import_w - base)
    careful = make_car(replace(around, base_w=base, headroom_w=room), car.device, car.wish)
    hours = home.slots.hours
    enough = all(float(careful.cap_w[s.window] @ hours[s.window]) >= s.need_wh for s in careful.stages)
    return replace(car, cap_w=careful.cap_w) if enough else car


def _with_loads(home: Home) -> Home:
    """The same with pool pumps and appliances."""
    request, slots = home.request, home.slots
    machines = [(d, d.spec) for d in request.site.devices if isinstance(d.spec, ApplianceSpec)]
    going = {d.id: under_way(request, slots, d, spec) for d, spec in machines}
    waiting = [make_profile(request, slots, d, spec) for d, spec in machines]
    pools = [(d, d.spec) for d in request.site.devices if isinstance(d.spec, PoolPumpSpec) and _is_heard(request, d)]
    return replace(
        home,
        given={name: power for name, power in going.items() if power is not None},
        profiles=tuple(profile for profile in waiting if profile is not None),
        runs=tuple(make_runs(request, slots, d, spec) for d, spec in pools),
    )


def _is_connected(request: PlanRequest, device: Device) -> bool:
    status = request.snapshot.chargers.get(device.id)
    return status is not None and status.connected


def _is_heard(request: PlanRequest, device: Device) -> bool:
    state = request.snapshot.devices.get(device.id)
    return state is not None and state.online


def _charge(request: PlanRequest, device: Device) -> float | None:
    """State of charge, percent 0-100; None when it is not heard, and nothing may be promised from the battery."""
    state = request.snapshot.devices.get(device.id)
    soc = state.get(Quantity.SOC) if state and state.online else None
    return None if soc is None or not math.isfinite(soc) else min(100.0, max(0.0, soc))


def _battery(home: Home, device: Device, spec: BatterySpec) -> Battery:
    request, count = home.request, home.slots.count
    soc = _charge(request, device) or 0.0
    floor = min(100.0, max(spec.min_soc_percent, request.preferences.battery_reserve_percent, 0.0))
    full = max(min(spec.max_soc_percent, 100.0), floor)
    most_in, most_out = most_w(spec, min(soc, floor), max(full, soc))
    charge, _ = caps(home.request, home.slots, device.id, max(0.0, most_in))
    discharge = np.where(overridden(home.request, home.slots, device.id, "pause"), 0.0, max(0.0, most_out))
    only_sun, export = np.full(count, not spec.grid_charge), np.full(count, spec.grid_export)
    reward = np.zeros(count)
    for limit in limits_of(request, LimitKind.BATTERY_DISCHARGE, device.id):
        held = home.slots.touched(limit.start, limit.end)
        if limit.value >= 1:
            only_sun |= held
        if limit.value >= 2:
            export, reward = export | held, np.where(held, -2000.0, reward)
    for limit in limits_of(request, LimitKind.BATTERY_SETPOINT, device.id):
        held = home.slots.touched(limit.start, limit.end)
        charge = np.where(held, np.minimum(charge, max(0.0, limit.value)), charge)
        discharge = np.where(held, np.minimum(discharge, max(0.0, -limit.value)), discharge)
        export = export | (held & (limit.value < 0))
        reward = np.where(held, 2000.0 * np.sign(limit.value), reward)
    for limit in limits_of(request, LimitKind.BATTERY_SOC, device.id):
        held, filling = home.slots.touched(limit.start, limit.end), soc < limit.value
        # The plan only knows the way: to more, or to no more than there is.
        charge = np.where(held & (not filling), 0.0, charge)
        discharge = np.where(held & filling, 0.0, discharge)
        reward = np.where(held, 2000.0 if filling else reward, reward)
    unit = spec.capacity_wh / 100
    return Battery(
        device, spec, soc * unit, floor * unit, max(full, soc) * unit, charge, discharge, only_sun, export, reward
    )


def _heat_price(home: Home, device: str, kinds: tuple[LimitKind, ...], cap: Array, price: float) -> tuple[Array, Array]:
    """Cap and extra price of heating under sheds and overrides: binding ones stop it, joined ones make it dear.

    `price` is what a load-up and an override are worth.
    """
    hard, soft = caps(home.request, home.slots, device, float(cap.max(initial=0.0)))
    cap, extra = np.minimum(cap, hard), np.where(soft < 1, JOINED_EVENT, 0.0)
    for kind in kinds:
        for limit in limits_of(home.request, kind, device):
            held = home.slots.touched(limit.start, limit.end)
            if kind is LimitKind.TANK_LOAD_UP:
                extra = np.where(held, -price, extra)
            elif kind is LimitKind.TANK_SHED and not is_joined(limit) and limit.value >= 1:
                cap = np.where(held, 0.0, cap)
            elif (kind is LimitKind.TANK_SHED and limit.value >= 1) or limit.value < 0:
                extra = np.where(held, JOINED_EVENT, extra)
    return cap, np.where(overridden(home.request, home.slots, device, "run"), -price, extra)


def _reading(home: Home, device: str, quantity: Quantity, low: float, high: float) -> float | None:
    state = home.request.snapshot.devices.get(device)
    value = state.get(quantity) if state else None
    return value if value is not None and low <= value <= high else None


def _tank(home: Home, device: Device, spec: WaterHeaterSpec) -> Heat:
    request, slots = home.request, home.slots
    capacity = max(1.0, spec.volume_l) * 1.163
    loss = max(0.01, spec.loss_w_per_k)
    high = max(spec.max_temperature_c, spec.min_temperature_c)
    low = min(high, max(request.preferences.water_min_c, spec.min_temperature_c))
    water = _reading(home, device.id, Quantity.TEMPERATURE, -10.0, 110.0)
    start = low + 5 if water is None else water
    running = bool(_reading(home, device.id, Quantity.ON, 0.5, 1.5))
    kinds = (LimitKind.TANK_SHED, LimitKind.TANK_LOAD_UP)
    rated = real_power(spec.power_w, _reading(home, device.id, Quantity.POWER, 1.0, 1e6) if running else None)
    cap, price = _heat_price(home, device.id, kinds, np.full(slots.count, rated), LOAD_UP)
    cap, drawn = np.minimum(cap, rated), water_w(request, slots, device, spec)
    keep, most = np.exp(-slots.hours * loss / capacity), np.full(slots.count, max(high, start))
    margin = water_margin_k(request, slots, device, spec)
    least = warm_enough(np.full(slots.count, low), margin, start, keep, AROUND_C + (cap - drawn) / loss, most)
    return Heat(
        device, start, least, most, keep, np.full(slots.count, AROUND_C), 1 / loss,
        drawn, cap, price, running, rated, capacity,
        hygiene_goal(request, slots, device, spec, water, home.buy_cost, home.base_w, float(margin.max())),
        least - low,
    )  # fmt: skip


def _pump(home: Home, device: Device, spec: HeatPumpSpec) -> Heat:
    """Its room, warmed or cooled; where it cools each W lowers it, so `gain_k_per_w` is negative."""
    request, slots, wishes = home.request, home.slots, home.request.preferences
    room = _reading(home, device.id, Quantity.TEMPERATURE, -20.0, 60.0)
    start = (wishes.comfort_low_c + wishes.comfort_high_c) / 2 if room is None else room
    most = max(0.0, spec.max_power_w)
    cap, price = _heat_price(home, device.id, (LimitKind.TEMPERATURE_OFFSET,), np.full(slots.count, most), WARM_NOW)
    resistance, mass, ratio, gains = heat_of(request, slots, device, spec)
    keep, around = (
        np.exp(-slots.hours / (resistance * mass)),
        sample(request.outdoor, slots, OUTDOOR_C) + gains * resistance,
    )
    low, high = room_band(request, slots, device.id, cools=False)
    gain: Array | float = resistance * ratio
    worth = mass / ratio
    if spec.cooling_eer is not None:
        cold_low, cold_high = room_band(request, slots, device.id, cools=True)
        outdoor = sample(request.outdoor, slots, OUTDOOR_C)
        most_k = resistance * ratio * most, resistance * max(0.5, spec.cooling_eer) * most
        cooling = cooling_slots(
            start, keep, around, outdoor, (low, cold_high), most_k, slots.hours, changes_over=spec.changes_over
        )
        low, high = np.where(cooling, cold_low, low), np.where(cooling, cold_high, high)
        ratios = np.where(cooling, -max(0.5, spec.cooling_eer), ratio)
        gain, worth = _one(resistance * ratios), mass / float(ratios[-1])
    low, high, beyond = reachable_band(start, keep, around, low, high, gain, most)
    return Heat(
        device, start, low, high, keep, around, gain, np.zeros(slots.count), cap, price,
        drawn_w(request, device, spec) > 0, most, worth, given_w=given_w(request, slots, device, spec, cap),
        beyond_k=beyond, firm=np.where(price >= JOINED_EVENT, FIRM, 1.0),
    )  # fmt: skip


def _one(values: Array) -> Array | float:
    """The value that all have; else all of them."""
    first = float(values[0])
    return first if (values == first).all() else values
