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
from gateway.core.planning.rooms import Spare
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
    fits = profile.fits(home.free_rooms().left_w(name, room))
    cost = profile.extra + (profile.shapes * profile.price) @ home.slots.hours
    picks = lp.columns(len(profile.starts), 0.0, np.where(fits, 1.0, 0.0), cost)
    missed = lp.columns(1, 0.0, 1.0, MISSED_RUN * profile.energy_wh)
    lp.total(1.0, (picks, 1.0), (missed, 1.0))
    rows = lp.rows(0.0, 0.0, (power, 1.0))
    which, slot = np.nonzero(profile.shapes)
    lp.entries.append((rows[slot], picks[which], -profile.shapes[which, slot]))
    return power, picks


def place_loads(lp: LinearProgram, home: Home, columns: LoadColumns, market: Market, spares: tuple[Spare, ...]) -> None:
    """Bind each load to one start or to whole blocks within what is left; the first of `spares` that does is used."""
    for profile in home.profiles:
        index = _best_start(home, profile, market, spares)
        chosen = np.zeros(len(profile.starts))
        power = np.zeros(home.slots.count)
        if index is not None:
            chosen[index], power = 1.0, profile.shapes[index]
        lp.bound(columns.picks[profile.device.id], chosen, chosen)
        market = _placed(profile.device, power, market, spares)
    for runs in home.runs:
        power = _best_blocks(home, runs, market, spares)
        lp.bound(columns.power[runs.device.id], power, power)
        market = _placed(runs.device, power, market, spares)


def _placed(device: Device, power: Array, market: Market, spares: tuple[Spare, ...]) -> Market:
    """The market beside a load that was placed; it takes its power of what is left."""
    for spare in spares:
        spare.take(device.id, power)
    return market.less(power)


def loads_by_rule(home: Home, spare: Spare, taken_w: Array, *, plain: bool) -> dict[str, Array]:
    """Powers by device, W, without a solver, taken of `spare`; `plain`: at once, whatever it costs (the reference)."""
    power: dict[str, Array] = {}
    market, nothing = plain_market(home, taken_w), np.zeros(home.slots.count)
    for profile in home.profiles:
        index = _first_start(profile, spare) if plain else _best_start(home, profile, market, (spare,))
        found = power[profile.device.id] = nothing if index is None else profile.shapes[index]
        market = _placed(profile.device, found, market, (spare,))
    for runs in home.runs:
        found = _first_hours(home, runs, spare) if plain else _best_blocks(home, runs, market, (spare,))
        power[runs.device.id] = found
        market = _placed(runs.device, found, market, (spare,))
    return power


def _best_start(home: Home, profile: Profile, market: Market, spares: tuple[Spare, ...]) -> int | None:
    """The cheapest start that fits, as a row of the profile's; None when none does."""
    fits = next((found for spare in spares if (found := _fitting(profile, spare)).any()), None)
    if fits is None:
        return None
    cost = market.cost(profile.shapes) + profile.shapes * (profile.price * home.slots.hours)
    cost = cost + profile.shapes * _early(home, profile.device.id)
    total = np.where(fits, cost.sum(axis=1) + profile.extra, np.inf)
    return int(total.argmin())


def _first_start(profile: Profile, spare: Spare) -> int | None:
    found = np.flatnonzero(_fitting(profile, spare))
    return int(found[0]) if len(found) else None


def _fitting(profile: Profile, spare: Spare) -> Mask:
    return profile.fits(spare.of(profile.device.id))


def forced_w(home: Home, spare: Spare) -> dict[str, Array]:
    """What pool pumps that must run take, W by device, as far as it fits; taken of `spare`."""
    found = {}
    for runs in home.runs:
        found[runs.device.id] = np.where(runs.must & _able(runs, spare), runs.power_w, 0.0)
        spare.take(runs.device.id, found[runs.device.id])
    return found


def _best_blocks(home: Home, runs: Runs, market: Market, spares: tuple[Spare, ...]) -> Array:
    result = np.zeros(home.slots.count, dtype=bool)
    rate = market.cost(np.full(home.slots.count, runs.power_w)) / home.slots.hours
    rate = rate + (runs.price + _early(home, runs.device.id) / home.slots.hours) * runs.power_w
    start_cost = START_H * runs.power_w * float(np.median(np.abs(home.buy_cost)))
    # What must run keeps nothing free for a car that could wait.
    forced = runs.must & _able(runs, spares[-1])
    for number, day in enumerate(_days(runs)):
        for spare in spares:
            able = (_able(runs, spare) | forced) & day.window
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


def _able(runs: Runs, spare: Spare) -> Mask:
    room = spare.of(runs.device.id)
    return np.asarray((runs.cap_w >= runs.power_w - 1e-6) & (room >= runs.power_w - 1e-6) & (runs.power_w > 0))


def _first_hours(home: Home, runs: Runs, spare: Spare) -> Array:
    """From the opening of each window until its hours are done."""
    result, able = np.zeros(home.slots.count), _able(runs, spare)
    for day in _days(runs):
        need = day.need_h
        for index in np.flatnonzero(day.window & able):
            if need > 1e-6 or runs.must[index]:
                result[index] = runs.power_w
                need -= home.slots.hours[index]
    return result


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
