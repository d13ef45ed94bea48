"""Delivered energy of events against the truth: the same home lived through without the event.

    python benchmarks/delivered.py [--homes 20] [--events 2]

Five shipped meters with four sets of added devices each (car; car, sun and battery; car, tank and heat pump; all) live
through days of May to December 2016 under the product's planner, with and without an event of level 2 from 18 to 20 h,
announced an hour before. Twins share everything up to the announcement: what their meters differ by is the truth. What
the product claims is made as it makes it: the plan without the event kept when it starts (again for a car that comes
later), the house's baseline by the method that fits the home, the sun as it shone. Plain 10-in-10 stands beside it, on
the same unmeasured house and on the meter as a utility sees it. Prints tables; asserts nothing.
"""

from __future__ import annotations

import argparse
import copy
import random
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np
from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.yearly_homes import START, ZONE, HomeCase, record_of, setup_of  # noqa: E402
from gateway.core.demand_response.baseline.devices import device_baseline  # noqa: E402
from gateway.core.demand_response.baseline.history import History  # noqa: E402
from gateway.core.demand_response.baseline.methods import DEFAULT, METHODS  # noqa: E402
from gateway.core.demand_response.baseline.placebo import HISTORY_DAYS, assessed  # noqa: E402
from gateway.core.demand_response.baseline.rows import BaselineRow  # noqa: E402
from gateway.core.demand_response.delivered import Delivered, delivered  # noqa: E402
from gateway.core.demand_response.response import to_limits  # noqa: E402
from gateway.core.demand_response.strategies import parse_strategies  # noqa: E402
from gateway.core.planning.controllers import Planned, standing  # noqa: E402
from gateway.core.planning.replay_forecast import Forecaster  # noqa: E402
from gateway.core.planning.request import PlanRequest  # noqa: E402
from gateway.core.planning.scheduler import make_plan  # noqa: E402
from gateway.core.planning.twin import METER, STEP_S, Array, Record, Setup, Twin  # noqa: E402
from gateway.model.authority import Authority  # noqa: E402
from gateway.model.dr import Signal, Timeline  # noqa: E402
from gateway.model.plan import Plan  # noqa: E402
from gateway.model.reading import Interval, IntervalQuality  # noqa: E402
from gateway.model.setpoint import Limit  # noqa: E402
from gateway.model.site import Role  # noqa: E402
from gateway.model.snapshot import Snapshot  # noqa: E402
from gateway.runtime.dr_baselines import planned_w  # noqa: E402
from gateway.runtime.dr_before import steady  # noqa: E402

METERS = ("3aa4", "b841", "d209", "4d23", "7863")
SETS: tuple[Callable[[str], HomeCase], ...] = (
    lambda name: HomeCase(name, 0.0, 0.0, 0.0, (1,), "jp_tokyo_tiers_2024"),
    lambda name: HomeCase(name, 5.0, 10.0, 5.0, (1, 2, 3), "be_flanders_capacity_example"),
    lambda name: HomeCase(name, 0.0, 0.0, 0.0, (1,), "jp_tokyo_tiers_2024", heat=True),
    lambda name: HomeCase(name, 4.0, 5.0, 2.5, (1,), "us_california_tou_example", heat=True),
)
CONTROLLED = (Role.EV_CHARGER, Role.WATER_HEATER, Role.HEAT_PUMP)
BEGIN_H, LAST_H, NOTICE = 18, 20, timedelta(hours=1)
WARM = timedelta(hours=30)
"""So long before the event the twin lives by plain rules, then, 6 h before, by the planner."""
LEVEL = 2


@dataclass(slots=True)
class EventTwin(Twin):
    """A twin that knows the limits of an event."""

    limits: tuple[Limit, ...] = ()

    def snapshot(self, index: int, plan: Plan | None, net_w: float, powers: Mapping[str, float]) -> Snapshot:
        """With the limits in force at that time."""
        now = Twin.snapshot(self, index, plan, net_w, powers)
        return replace(now, limits=tuple(limit for limit in self.limits if limit.holds(now.now)))


@dataclass(slots=True)
class EventPlanned(Planned):
    """The planner that is told the limits of an event."""

    limits: tuple[Limit, ...] = ()

    def _request(self, twin: Twin, index: int, grid_w: Array) -> PlanRequest:
        request = Planned._request(self, twin, index, grid_w)
        return replace(request, limits=tuple(limit for limit in self.limits if limit.end > request.now))

    def without(self, twin: Twin, index: int, grid_w: Array) -> Plan:
        """The plan of the same home if there were no event."""
        request = Planned._request(self, twin, index, grid_w)
        free = replace(request.snapshot, limits=())
        return make_plan(replace(request, snapshot=free), alternatives=False)


@dataclass
class Lived:
    """What a twin did from one quarter hour on, W by device, and the plans without the event, by when they were made."""

    power_w: dict[str, Array]
    without: list[tuple[int, Plan]] = field(default_factory=list)
    arrivals: list[int] = field(default_factory=list)
    off_w: float = 0.0
    """How far the heat pump was from its plan in the hour before the announcement, W."""


@dataclass(frozen=True)
class Outcome:
    """One event of one home, Wh: the truth and what was claimed."""

    home: str
    day: date
    true_wh: float
    devices_true_wh: float
    found: Delivered
    plain_wh: float
    meter_plain_wh: float


def strategies_limits(setup: Setup, start: datetime, end: datetime) -> tuple[Limit, ...]:
    """What the event means for the home's devices by the shipped table."""
    table = parse_strategies(YAML(typ="safe").load(ROOT / "config/dr/default.yaml"))
    signal = Signal("SIMPLE", (LEVEL,), "", start, end, "u:e", "u:p", 0, None, Authority.DEMAND_RESPONSE)
    return tuple(to_limits(Timeline((signal,)), start, table, site=setup.site))


def live(setup: Setup, record: Record, begin: int, end: int) -> tuple[Lived, Lived, int]:
    """Both lives up to the event's end: without it and with it, and where both begin to be written."""
    names = [METER, *(d.id for d in setup.site.devices if d.role not in (Role.MAIN_METER, Role.PV))]
    power = {name: np.zeros(record.count) for name in names}
    twin, calm = EventTwin(setup, record), standing(setup.site, record.start)
    first, planned_from = begin - int(WARM.total_seconds()) // STEP_S, begin - 24
    known = begin - int(NOTICE.total_seconds()) // STEP_S
    planner = EventPlanned(setup, Forecaster(record, setup.site, hours=28))
    for index in range(first, known):
        plan = (calm if index < planned_from else planner).plan(twin, index, power[METER])
        _write(power, index, twin.step(index, plan))
    limits, off_w = (
        strategies_limits(setup, record.at(begin), record.at(end)),
        _off_w(planner._plan, record, power, known),
    )
    lives = []
    for told in ((), limits):
        mine, its = copy.deepcopy(twin), {name: values.copy() for name, values in power.items()}
        mine.limits = told
        own = replace(planner, limits=told, _plan=None)
        lives.append(_on(mine, own, its, known, begin, end))
        lives[-1].off_w = off_w
    return lives[0], lives[1], known


def _on(twin: EventTwin, planner: EventPlanned, power: dict[str, Array], known: int, begin: int, end: int) -> Lived:
    lived, cars = Lived(power), -1
    for index in range(known, end):
        home = sum(twin.visit(d.id, index) is not None for d in twin.setup.of_kind(Role.EV_CHARGER))
        if index in (known, begin) or home > cars:
            lived.without.append((index, planner.without(twin, index, power[METER])))
            if home > cars:
                lived.arrivals.append(index)
        cars = home
        _write(power, index, twin.step(index, planner.plan(twin, index, power[METER])))
    return lived


def _write(power: dict[str, Array], index: int, watts: Mapping[str, float]) -> None:
    for name, value in watts.items():
        power[name][index] = value


def claim(setup: Setup, record: Record, lived: Lived, begin: int, end: int) -> Outcome:
    """What the product says was delivered; the truth is filled in by the caller."""
    start, stop = record.at(begin), record.at(end)
    history = History(_intervals(record, record.house_w, 0, end), ZONE, temperature_c=_weather(record, end))
    house = assessed(history, start, stop)
    rows = {}
    for device in setup.site.of_role(*CONTROLLED):
        rows[device.id] = device_baseline(start, stop, power_w=0.0, planned_w=_planned(record, lived, device.id, begin))
    sun = [BaselineRow(record.at(i), STEP_S, float(record.solar_w[i]) / 4) for i in range(begin, end)]
    stores = [
        row
        for device in setup.site.of_role(Role.BATTERY)
        for row in device_baseline(start, stop, power_w=0.0, planned_w=_planned(record, lived, device.id, begin))
    ]
    extra = [*(row for device in rows.values() for row in device), *sun, *stores]
    measured = {name: _intervals(record, lived.power_w[name], begin, end) for name in rows}
    whole = _intervals(record, lived.power_w[METER], begin, end)
    found = delivered(rows, measured, home=house.plus(extra), home_measured=whole)
    used = sum(x.net_wh or 0.0 for x in whole)
    plain = METHODS[DEFAULT](history, start, stop).plus(extra)
    meter = METHODS[DEFAULT](_seen(record, begin, end, setup), start, stop)
    nothing = Outcome("", start.date(), 0.0, 0.0, found, 0.0, 0.0)
    return replace(nothing, plain_wh=(plain.energy_wh or 0.0) - used, meter_plain_wh=(meter.energy_wh or 0.0) - used)


def _seen(record: Record, begin: int, end: int, setup: Setup) -> History:
    """The meter as a utility sees it: the house, its sun, and cars that charged on arrival on the days before."""
    net = record.house_w + record.solar_w
    for visit in record.visits:
        if visit.first < begin - 96:
            quarters = max(1, round(visit.need_wh / 3680 * 4))
            net[visit.first : visit.first + quarters] += visit.need_wh * 4 / quarters
    return History(_intervals(record, net, 0, end), ZONE)


def _planned(record: Record, lived: Lived, device: str, begin: int) -> Callable[[datetime], float | None] | None:
    """The plan without the event, made before the home prepared for it; of a battery as the event began, of a car that
    came later when it came. A heat pump differs from its plan by as much as it did just before."""
    plans = dict(lived.without)
    first = min(plans)
    wanted = {"battery": [begin], "car": [first, *lived.arrivals]}.get(device, [first])
    slots: list[tuple[datetime, float]] = []
    for index in wanted:
        mine = [(slot.start, slot.power_w[device]) for slot in plans[index].slots if device in slot.power_w]
        slots = [slot for slot in slots if slot[0] < record.at(index)] + mine
    if not slots:
        return None
    told = planned_w(slots)
    if device != "pump":
        return told
    return lambda when: max(0.0, (told(when) or 0.0) + lived.off_w)


def _off_w(plan: Plan | None, record: Record, power: Mapping[str, Array], index: int) -> float:
    """Measured less planned in the hour before, W."""
    slots = [(slot.start, slot.power_w["pump"]) for slot in plan.slots if "pump" in slot.power_w] if plan else []
    told = planned_w(slots) if slots else None
    misses = [float(power["pump"][i]) - (told(record.at(i)) or 0.0) for i in range(index - 4, index)] if told else [0.0]
    return steady(misses)


def _intervals(record: Record, watts: Array, first: int, last: int) -> list[Interval]:
    """Quarter hours of a series, as the store would hold them."""
    return [
        Interval("x", record.at(i), STEP_S, max(0.0, float(watts[i]) / 4), max(0.0, -float(watts[i]) / 4),
                 IntervalQuality.VALID, "counter")
        for i in range(first, last)
    ]  # fmt: skip


def _weather(record: Record, end: int) -> dict[int, float]:
    return {int(record.at(i).timestamp()) // 3600: float(record.outdoor_c[i]) for i in range(0, end, 4)}


def event_days(case: HomeCase, count: int) -> list[int]:
    """Working days of May to December, as days from the start, by a dice of the home."""
    dice, found = random.Random(f"events {case}"), list[int]()
    while len(found) < count:
        number = dice.randrange(121, 355)
        if (START + timedelta(days=number)).weekday() < 5:
            found.append(number)
    return found


def one_event(name: str, case: HomeCase, number: int) -> Outcome:
    """One event of one home."""
    record = record_of(case, HISTORY_DAYS + 3, number - HISTORY_DAYS - 1)
    day = (START + timedelta(days=number)).date()
    begin, end = (
        int((datetime(day.year, day.month, day.day, hour, tzinfo=ZONE) - record.start).total_seconds()) // STEP_S
        for hour in (BEGIN_H, LAST_H)
    )
    setup = setup_of(case)
    without, having, _ = live(setup, record, begin, end)
    saved = {name: (without.power_w[name] - having.power_w[name])[begin:end].sum() / 4 for name in having.power_w}
    devices = sum(saved[d.id] for d in setup.site.of_role(*CONTROLLED))
    return replace(
        claim(setup, record, having, begin, end), home=name, day=day, true_wh=float(saved[METER]),
        devices_true_wh=float(devices),
    )  # fmt: skip


def table(outcomes: Sequence[Outcome], took_s: float) -> None:
    """Print what was found."""
    devices = [o for o in outcomes if o.found.per_device]
    claimed, true = (np.array([f(o) for o in devices]) for f in (_claimed, lambda o: o.devices_true_wh))
    inside = np.mean([(o.found.low_wh or 0) <= o.devices_true_wh <= (o.found.high_wh or 0) for o in devices])
    print(f"{len(outcomes)} events of {len({o.home for o in outcomes})} homes in {took_s:.0f} s; kWh an event, mean")
    print("| what | truth | claimed | error of the sum | mean absolute error | inside the stated interval |")
    print("|---|---|---|---|---|---|")
    _line("controlled devices", true, claimed, f"{100 * inside:.0f} %")
    whole = [o for o in outcomes if o.found.home_low_wh is not None]
    truth = np.array([o.true_wh for o in whole])
    cover = np.mean([(o.found.home_low_wh or 0) <= o.true_wh <= (o.found.home_high_wh or 0) for o in whole])
    _line(
        "whole home, method that fits", truth, np.array([o.found.home_wh or 0.0 for o in whole]), f"{100 * cover:.0f} %"
    )
    _line("whole home, 10-in-10 on the unmeasured house", truth, np.array([o.plain_wh for o in whole]), "")
    _line("whole home, plain 10-in-10 on the meter", truth, np.array([o.meter_plain_wh for o in whole]), "")
    print("\n| whole home | one home: RMS error of an event | all homes together: error of the sum |\n|---|---|---|")
    claims: tuple[tuple[str, Callable[[Outcome], float]], ...] = (
        ("method that fits", lambda o: o.found.home_wh or 0.0),
        ("10-in-10 on the unmeasured house", lambda o: o.plain_wh),
        ("plain 10-in-10 on the meter", lambda o: o.meter_plain_wh),
    )
    for words, told in claims:
        misses = np.array([told(o) - o.true_wh for o in whole])
        print(f"| {words} | {np.sqrt(np.mean(misses**2)) / 1000:.2f} kWh | {100 * misses.sum() / truth.sum():+.0f} % |")
    chosen = [o.found.method for o in whole]
    print("chosen:", ", ".join(f"{name} {chosen.count(name)}" for name in sorted(set(chosen))))


def _claimed(outcome: Outcome) -> float:
    return sum(outcome.found.per_device.values())


def _line(words: str, true: Array, told: Array, inside: str) -> None:
    share = 100 * (told.sum() - true.sum()) / true.sum()
    print(
        f"| {words} | {true.mean() / 1000:.2f} | {told.mean() / 1000:.2f} | {share:+.0f} % | "
        f"{np.abs(told - true).mean() / 1000:.2f} | {inside} |"
    )


def main() -> None:
    """Run the events and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--homes", type=int, default=20)
    parser.add_argument("--events", type=int, default=2)
    parser.add_argument("--each", action="store_true", help="print every event")
    options = parser.parse_args()
    cases = [(f"{name} {n}", made(name)) for n, made in enumerate(SETS) for name in METERS][: options.homes]
    began, outcomes = time.perf_counter(), []
    for name, case in cases:
        for number in event_days(case, options.events):
            found = one_event(name, case, number)
            outcomes.append(found)
            if options.each:
                parts = ", ".join(f"{k} {v:.0f}" for k, v in found.found.per_device.items())
                print(
                    f"{name} {found.day} true {found.true_wh:.0f} devices {found.devices_true_wh:.0f} ({parts}) whole "
                    f"{found.found.home_wh:.0f} [{found.found.home_low_wh:.0f}, {found.found.home_high_wh:.0f}]",
                    flush=True,
                )
    table(outcomes, time.perf_counter() - began)


if __name__ == "__main__":
    main()
