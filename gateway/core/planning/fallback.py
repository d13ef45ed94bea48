"""Rules instead of an optimiser: self-consumption, plain thermostats, charging on arrival or in the cheapest slots.

They make the plan when the optimiser is missing or fails, and the reference that savings are told against.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from gateway.core.planning.cars import BARGAIN, Car, Stage
from gateway.core.planning.following import followed_w, stored_wh
from gateway.core.planning.home import Battery, Heat, Home
from gateway.core.planning.hot import held_hot, missed_heat
from gateway.core.planning.loads import forced_w, loads_by_rule, missed_loads
from gateway.core.planning.reserve import missed_reserve
from gateway.core.planning.rooms import Spare
from gateway.core.planning.schedule import Schedule
from gateway.core.planning.slots import Array
from gateway.model.preferences import ChargeMode


def rules(home: Home, *, plain: bool = False) -> Schedule:
    """A schedule by rules; `plain` charges on arrival and ignores prices and joined events (the reference)."""
    left, asked = np.maximum(0.0, home.headroom_w - home.given_w), home.asked_w
    # The reference follows what is asked of the connection; the owner's departures stand above it.
    left, asked = (np.maximum(0.0, left - asked), 0.0 * asked) if plain else (left, asked)
    all_w = np.maximum(0.0, left - asked)
    power: dict[str, Array] = {}
    state: dict[str, Array] = {}
    relaxed: list[str] = []
    spare = Spare(left, home.free_rooms())
    forced = {} if plain else forced_w(home, spare)
    for car in home.cars:
        name = car.device.id
        power[name] = charging(home, car, spare.of(name), spare.left_w - asked, plain=plain)
        spare.take(name, power[name])
        relaxed += [*missed(home, car, power[car.device.id]), *over_limit(home, car, power[car.device.id])]
    for name, load in forced.items():
        spare.give_back(name, load)
    spare.left_w = np.maximum(0.0, spare.left_w - asked)
    power |= loads_by_rule(home, spare, all_w - spare.left_w, plain=plain)
    for heat in (*home.tanks, *home.pumps):
        name, given = heat.device.id, np.broadcast_to(heat.given_w, home.slots.count)
        spare.give_back(name, given)
        power[name], state[name] = thermostat(held_hot(heat), spare.of(name), plain=plain)
        spare.take(name, power[name])
    cars = {car.device.id for car in home.cars}
    others = sum((p for name, p in power.items() if name not in cars), home.base_w)
    drawn = sum((power[name] for name in cars), np.zeros(home.slots.count))
    for battery in home.batteries:
        served = others + drawn if home.request.preferences.battery_to_car else others
        battery = replace(battery, charge_w=spare.rooms.left_w(battery.device.id, battery.charge_w))
        flow, energy = self_consumption(home, battery, served, others + drawn)
        spare.rooms.take(battery.device.id, flow)
        power[battery.device.id], state[battery.device.id] = flow, energy
        others = others + flow
    relaxed += [*missed_loads(home, power), *missed_heat(home, state), *missed_reserve(home, state)]
    power |= home.given
    return Schedule(power, state, curtailed(home, others + drawn), "fallback rules", tuple(relaxed))


def charging(home: Home, car: Car, left: Array, kind_left: Array, *, plain: bool = False) -> Array:
    """Power of a car by its mode, W; joined events yield only where the departure would be missed.

    `left` is what it may draw, `kind_left` what of the connection joined events leave to it, W.
    """
    cap = np.where(car.window, np.minimum(car.cap_w, left), 0.0)
    cap = np.where(cap >= car.min_w, cap, 0.0)
    if car.need_wh <= 0 or not car.plugged:
        return np.zeros(home.slots.count)
    if plain:
        return fill(home, car, cap, np.arange(home.slots.count))
    first = _at_once(home, car, cap)
    cap = np.where(first > 0, 0.0, cap)
    return first + _later(home, car, cap, first, kind_left)


def _at_once(home: Home, car: Car, cap: Array) -> Array:
    """Power up to the owner's minimum, from now on, W."""
    power = np.zeros(home.slots.count)
    for stage in car.stages:
        if stage.at_once:
            power = fill(home, car, np.where(stage.window, cap, 0.0), np.arange(home.slots.count), stage.need_wh)
    return power


def _later(home: Home, car: Car, cap: Array, first: Array, kind_left: Array) -> Array:
    """What the mode adds to what it charges `first`, W."""
    rest = car.need_wh - float(first @ home.slots.hours)
    kind = np.minimum(cap, np.minimum(car.kind_w, np.where(car.run, np.inf, kind_left)))
    kind = np.where(kind >= car.min_w, kind, 0.0)
    sun = np.minimum(kind, np.maximum(0.0, -home.base_w))
    if car.mode is ChargeMode.SOLAR and not car.run.any():
        return fill(home, car, np.where(sun >= car.min_w, sun, 0.0), np.arange(home.slots.count), rest)
    if car.mode is ChargeMode.MIN_SOLAR:
        kind = np.where(kind > 0, np.maximum(sun, np.minimum(kind, car.min_w)), 0.0)
    order = np.arange(home.slots.count)
    if car.mode is ChargeMode.SMART:
        order = np.lexsort((order, np.where(car.run, 0.0, home.buy_cost + car.dirt), ~car.run))
    if car.open_end and car.mode is ChargeMode.SMART:
        cheap = (home.buy_cost + car.dirt < bargain(home, car)) | car.run
        return fill(home, car, np.where(cheap | (sun >= car.min_w), kind, 0.0), order, rest)
    return _by_stages(home, car, kind, cap, order, car.need_wh - rest)


def _by_stages(home: Home, car: Car, kind: Array, cap: Array, order: NDArray[np.intp], given_wh: float) -> Array:
    """Each departure in turn: first what events and limits leave, then, as the owner's floor, the rest."""
    power = np.zeros(home.slots.count)
    hours = home.slots.hours
    for stage in car.departures:
        for most in (kind, cap):
            short = stage.need_wh - given_wh - float(power @ hours)
            if short > 1:
                free = np.where(stage.window & (power <= 0), most, 0.0)
                power = power + fill(home, car, free, order, short)
    return power


def bargain(home: Home, car: Car) -> float:
    """What a Wh may cost a car that need not be ready within the plan, micro-units."""
    return float(np.quantile(home.buy_cost + car.dirt, BARGAIN))


def fill(home: Home, car: Car, cap: Array, order: NDArray[np.intp], need_wh: float | None = None) -> Array:
    """Power at the cap, slot by slot in `order`, until the need is met; the last slot at least at the minimum."""
    need = car.need_wh if need_wh is None else need_wh
    power = np.zeros(home.slots.count)
    hours = home.slots.hours
    for index in order:
        if need <= 1:
            break
        if cap[index] >= car.min_w > 0:
            power[index] = max(car.min_w, min(cap[index], need / hours[index]))
            need -= power[index] * hours[index]
    return power


def missed(home: Home, car: Car, power: Array) -> list[str]:
    """A sentence for the owner's minimum and for each departure where the car will lack more than 0.1 kWh."""
    if not car.plugged:
        return []
    short = minimum_lacking_wh(home, car, power)
    words = [f"{car.device.name} will lack {short / 1000:.1f} kWh of your minimum of {car.wish.floor_words}."]
    words = words if short > 100 else []
    if car.open_end or car.mode in (ChargeMode.SOLAR, ChargeMode.OFF):
        return words
    for stage in car.departures:
        short = lacking_wh(home, stage, power)
        if short > 100:
            at = stage.ready.astimezone(home.request.site.timezone)
            words.append(f"{car.device.name} will lack {short / 1000:.1f} kWh at {at:%H:%M}.")
    return words


def minimum_lacking_wh(home: Home, car: Car, power: Array) -> float:
    """What it lacks of the owner's minimum as it leaves, Wh; 0 where none is wished."""
    if car.mode is ChargeMode.OFF or not car.at_once.any():
        return 0.0
    parked = replace(car.stages[0], window=car.at_once | car.departures[0].window)
    return lacking_wh(home, parked, power)


def lacking_wh(home: Home, stage: Stage, power: Array) -> float:
    """What a car with this power, W, lacks of a stage, Wh; not above 0 where it has it."""
    return stage.need_wh - float(power[stage.window] @ home.slots.hours[stage.window])


def over_limit(home: Home, car: Car, power: Array) -> list[str]:
    """A sentence when the departure makes the car charge above the owner's limit of price or CO2."""
    owed = ~(car.run | car.at_once)
    over = float(np.where(power > car.thrift_w + 1, power, 0.0)[owed] @ home.slots.hours[owed])
    if over <= 100:
        return []
    at = car.ready.astimezone(home.request.site.timezone)
    return [
        f"{car.device.name} charges {over / 1000:.1f} kWh above your limit of {thrift_words(home, car)}, "
        f"or it would not be ready by {at:%H:%M}."
    ]


def thrift_words(home: Home, car: Car) -> str:
    """The owner's limits as words: "0.25 EUR or 300 g CO2 per kWh"."""
    wish = car.wish.preference
    words = []
    if wish.max_price_micro_per_kwh is not None:
        whole, digits = divmod(wish.max_price_micro_per_kwh, 1_000_000)
        words.append(f"{whole}.{f'{digits:06}'.rstrip('0'):0<2} {home.request.site.currency}")
    if wish.max_co2_g_per_kwh is not None:
        words.append(f"{wish.max_co2_g_per_kwh:.0f} g CO2")
    return f"{' or '.join(words)} per kWh"


def thermostat(heat: Heat, left: Array, *, plain: bool) -> tuple[Array, Array]:
    """Heating or cooling by a plain thermostat in the middle of the band: power W, temperature degC at the end of each slot.

    The reference (`plain`) keeps the end of the band that costs least: savings are told against the same least comfort, never
    against more of it.
    """
    # What warms and cools keeps the ends of its band: in the middle it would cool what it warmed.
    at_end = plain or len(set(heat.cooling.tolist())) > 1
    target = heat.least_c if at_end else np.where(heat.price > 0, heat.least_c, (heat.low_c + heat.high_c) / 2)
    gain = (1 - heat.keep) * heat.gains_k_per_w
    still = (1 - heat.keep) * heat.around_c - gain * heat.draw_w
    given, most = np.broadcast_to(heat.given_w, heat.keep.shape), np.minimum(heat.cap_w, left)
    now, power, state = heat.start_c, list[float](), list[float]()
    columns = (heat.keep, still, gain, target, given, most)
    for keep, drift, per_w, goal, least, cap in zip(*(column.tolist() for column in columns), strict=True):
        free = keep * now + drift
        wanted = (goal - free) / per_w if per_w else 0.0
        power.append(max(least, min(max(0.0, wanted), cap)))
        now = free + per_w * power[-1]
        state.append(now)
    return np.array(power), np.array(state)


def step(heat: Heat, index: int, now_c: float, power_w: float) -> float:
    """Temperature at the end of a slot, degC."""
    keep = heat.keep[index]
    drive = heat.around_c[index] + heat.gains_k_per_w[index] * (power_w - heat.draw_w[index])
    return float(keep * now_c + (1 - keep) * drive)


def self_consumption(home: Home, battery: Battery, served: Array, net: Array) -> tuple[Array, Array]:
    """A battery that follows the meter: charges from what would be exported, discharges to the `served` load."""
    spec, hours = battery.spec, home.slots.hours
    flow, state = np.zeros(len(hours)), np.zeros(len(hours))
    energy = battery.start_wh
    span = (battery.floor_wh, battery.full_wh)
    for index, hour in enumerate(hours):
        power = followed_w(spec, energy, span, float(net[index]), float(served[index]), float(hour))
        flow[index] = min(max(power, -battery.discharge_w[index]), battery.charge_w[index])
        energy += stored_wh(spec, flow[index], float(hour))
        state[index] = energy
    return flow, state


def curtailed(home: Home, net: Array) -> Array:
    """The sun after what could not be exported was cut, W (zero or negative)."""
    cut = np.minimum(np.maximum(0.0, -net - home.export_w), -home.pv_w)
    return np.asarray(home.pv_w + cut)
