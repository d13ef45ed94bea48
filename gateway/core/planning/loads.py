"""Pool pumps and appliances in the solver and in the rules: relaxed, then placed whole, and what could not be met.

relax: a pump's power is free, a profile is a mixture of its starts  -->  place: whole blocks, one start  -->  solve
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

import numpy as np

from gateway.core.planning.home import Home
from gateway.core.planning.limits import Mask
from gateway.core.planning.lp import Index, LinearProgram
from gateway.core.planning.market import Market, plain_market
from gateway.core.planning.profiles import Profile
from gateway.core.planning.runs import Day, Runs, blocks
from gateway.core.planning.slots import Array
from gateway.model.site import Device

EARLY = 0.02
"""Micro-units per Wh and hour: what costs the same is done early."""
MISSED_HOURS = 5_000.0
"""Of a pump: dearer than a joined event, cheaper than a departure."""
MISSED_RUN = 20_000.0
"""Of an appliance: dearer than any lateness. Both micro-units per Wh."""
START_H = 0.1
"""A start of a pump must be worth so many hours of its power at the usual price."""


@dataclass(slots=True)
class LoadColumns:
    """Variables by device id: power over the slots, and for an appliance how much of each start."""

    power: dict[str, Index] = field(default_factory=dict)
    picks: dict[str, Index] = field(default_factory=dict)


def add_loads(lp: LinearProgram, home: Home) -> LoadColumns:
    """The relaxed loads."""
    columns = LoadColumns()
    for runs in home.runs:
        columns.power[runs.device.id] = _add_runs(lp, home, runs)
    for profile in home.profiles:
        power, picks = _add_profile(lp, home, profile)
        columns.power[profile.device.id], columns.picks[profile.device.id] = power, picks
    return columns


def _early(home: Home, device: str) -> Array:
    extra = home.extra.get(device)
    early = EARLY * home.slots.ahead_h
    return np.asarray((early if extra is None else early + extra) * home.slots.hours)


def _add_runs(lp: LinearProgram, home: Home, runs: Runs) -> Index:
    hours = home.slots.hours
    cap = np.where(runs.window, np.minimum(runs.cap_w, runs.power_w), 0.0)
    power = lp.columns(home.slots.count, 0.0, cap, _early(home, runs.device.id) + runs.price * hours)
    for day in runs.days:
        inside = np.flatnonzero(day.window)
        short = lp.columns(1, 0.0, np.inf, MISSED_HOURS)
        lp.total((day.need_h * runs.power_w, np.inf), (power[inside], hours[inside]), (short, 1.0))
    return power


def _add_profile(lp: LinearProgram, home: Home, profile: Profile) -> tuple[Index, Index]:
    count, name = home.slots.count, profile.device.id
    power = lp.columns(count, 0.0, np.inf, _early(home, name))
    room = np.maximum(0.0, home.import_w - home.base_w)
    fits = profile.fits(_room_w(home, profile.device, _phase(profile.device), room))
    cost = profile.extra + (profile.shapes * profile.price) @ home.slots.hours
    picks = lp.columns(len(profile.starts), 0.0, np.where(fits, 1.0, 0.0), cost)
    missed = lp.columns(1, 0.0, 1.0, MISSED_RUN * profile.energy_wh)
    lp.total(1.0, (picks, 1.0), (missed, 1.0))
    rows = lp.rows(0.0, 0.0, (power, 1.0))
    which, slot = np.nonzero(profile.shapes)
    lp.entries.append((rows[slot], picks[which], -profile.shapes[which, slot]))
    return power, picks


def place_loads(
    lp: LinearProgram, home: Home, columns: LoadColumns, market: Market, left_w: Array, cars_w: Array
) -> Array:
    """Bind each load to one start or to whole blocks; returns what they leave of `left_w`, W.

    Where there is a choice they keep out of what the relaxation gave the cars, `cars_w`.
    """
    for profile in home.profiles:
        index = _best_start(home, profile, market, left_w, cars_w)
        chosen = np.zeros(len(profile.starts))
        power = np.zeros(home.slots.count)
        if index is not None:
            chosen[index], power = 1.0, profile.shapes[index]
        lp.bound(columns.picks[profile.device.id], chosen, chosen)
        market, left_w = market.less(power), np.maximum(0.0, left_w - power)
    for runs in home.runs:
        power = _best_blocks(home, runs, market, left_w, cars_w)
        lp.bound(columns.power[runs.device.id], power, power)
        market, left_w = market.less(power), np.maximum(0.0, left_w - power)
    return left_w


def loads_by_rule(home: Home, left_w: Array, taken_w: Array, *, plain: bool) -> dict[str, Array]:
    """Powers by device, W, without a solver; `plain`: at once, whatever it costs (the reference)."""
    power: dict[str, Array] = {}
    market, nothing = plain_market(home, taken_w), np.zeros(home.slots.count)
    for profile in home.profiles:
        index = _first_start(home, profile, left_w) if plain else _best_start(home, profile, market, left_w, nothing)
        power[profile.device.id] = nothing if index is None else profile.shapes[index]
        market, left_w = market.less(power[profile.device.id]), left_w - power[profile.device.id]
    for runs in home.runs:
        found = _first_hours(home, runs, left_w) if plain else _best_blocks(home, runs, market, left_w, nothing)
        power[runs.device.id] = found
        market, left_w = market.less(found), left_w - found
    return power


def _best_start(home: Home, profile: Profile, market: Market, left_w: Array, cars_w: Array) -> int | None:
    """The cheapest start that fits, as a row of the profile's; None when none does."""
    fits = _fitting(home, profile, left_w - cars_w)
    fits = fits if fits.any() else _fitting(home, profile, left_w)
    if not fits.any():
        return None
    cost = market.cost(profile.shapes) + profile.shapes * (profile.price * home.slots.hours)
    cost = cost + profile.shapes * _early(home, profile.device.id)
    total = np.where(fits, cost.sum(axis=1) + profile.extra, np.inf)
    return int(total.argmin())


def _first_start(home: Home, profile: Profile, left_w: Array) -> int | None:
    found = np.flatnonzero(_fitting(home, profile, left_w))
    return int(found[0]) if len(found) else None


def _fitting(home: Home, profile: Profile, left_w: Array) -> Mask:
    return profile.fits(_room_w(home, profile.device, _phase(profile.device), left_w))


def _best_blocks(home: Home, runs: Runs, market: Market, left_w: Array, cars_w: Array) -> Array:
    result = np.zeros(home.slots.count, dtype=bool)
    rate = market.cost(np.full(home.slots.count, runs.power_w)) / home.slots.hours
    rate = rate + (runs.price + _early(home, runs.device.id) / home.slots.hours) * runs.power_w
    start_cost = START_H * runs.power_w * float(np.median(np.abs(home.buy_cost)))
    for number, day in enumerate(_days(runs)):
        for beside in (cars_w, 0.0):
            able = _able(home, runs, left_w - beside) & day.window
            found = _day_blocks(home, runs, day, able, rate, start_cost, first=number == 0)
            if float(home.slots.hours[found].sum()) >= day.need_h - 1e-6:
                break
        result |= found
    return np.where(result, runs.power_w, 0.0)


def _days(runs: Runs) -> tuple[Day, ...]:
    """Its days; hours that it must run outside of every window join the first."""
    if not runs.must.any() or not runs.days:
        return runs.days
    inside = np.any([day.window for day in runs.days], axis=0)
    first = runs.days[0]
    return (Day(first.window | (runs.must & ~inside), first.need_h, first.ends), *runs.days[1:])


def _day_blocks(home: Home, runs: Runs, day: Day, able: Mask, rate: Array, start_cost: float, *, first: bool) -> Mask:
    """Blocks of one day, sought among its own slots only."""
    inside = np.flatnonzero(day.window)
    result = np.zeros(home.slots.count, dtype=bool)
    if not len(inside):
        return result
    span = slice(int(inside[0]), int(inside[-1]) + 1)
    on = first and runs.running and span.start == 0
    result[span] = blocks(
        rate[span], home.slots.hours[span], able[span], day.need_h, runs.min_run_h, start_cost, runs.must[span], on=on
    )
    return result


def _able(home: Home, runs: Runs, left_w: Array) -> Mask:
    room = _room_w(home, runs.device, _phase(runs.device), left_w)
    return np.asarray((runs.cap_w >= runs.power_w - 1e-6) & (room >= runs.power_w - 1e-6) & (runs.power_w > 0))


def _first_hours(home: Home, runs: Runs, left_w: Array) -> Array:
    """From the opening of each window until its hours are done."""
    result, able = np.zeros(home.slots.count), _able(home, runs, left_w)
    for day in _days(runs):
        need = day.need_h
        for index in np.flatnonzero(day.window & able):
            if need > 1e-6 or runs.must[index]:
                result[index] = runs.power_w
                need -= home.slots.hours[index]
    return result


def _phase(device: Device) -> int:
    return int(getattr(device.spec, "phase", 1))


def _room_w(home: Home, device: Device, phase: int, left_w: Array) -> Array:
    """Of what is left, what its own phase of the main fuse and of its circuits holds, W."""
    site = home.request.site
    volts = site.nominal_voltage_v
    room = np.minimum(left_w, site.main_fuse_a * volts - np.maximum(0.0, home.base_w) / site.phases)
    for circuit in site.above(device.circuit):
        if circuit.fuse_a is not None:
            room = np.minimum(room, circuit.fuse_a[phase - 1] * volts)
        if circuit.limit_w is not None:
            room = np.minimum(room, circuit.limit_w)
    return np.asarray(room)


def missed_loads(home: Home, power: dict[str, Array]) -> list[str]:
    """A sentence for each day's hours and each run that the plan cannot meet."""
    hours, words = home.slots.hours, []
    for runs in home.runs:
        for day in runs.days:
            got = float(power[runs.device.id][day.window] @ hours[day.window]) / max(1.0, runs.power_w)
            if got < day.need_h - 0.1:
                at = day.ends.astimezone(home.request.site.timezone)
                lack = day.need_h - got
                words.append(f"{runs.device.name} will lack {lack:.1f} of its hours at {at:%H:%M}.")
    return words + [sentence for profile in home.profiles for sentence in _late(home, profile, power)]


def _late(home: Home, profile: Profile, power: dict[str, Array]) -> list[str]:
    zone, name = home.request.site.timezone, profile.device.name
    by = profile.run.done_by.astimezone(zone)
    start = np.flatnonzero(power[profile.device.id] > 0)
    if not len(start):
        return [f"{name} cannot run by {by:%H:%M}: no time is free for it within the plan."]
    done = home.slots.start(int(start[0])) + profile.lasts
    if done <= profile.run.done_by + timedelta(minutes=1):
        return []
    return [f"{name} will be done at {done.astimezone(zone):%H:%M}, not by {by:%H:%M}."]
