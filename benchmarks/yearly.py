"""The closed loop over a year: what homes cost under no control, self-consumption, the plan and perfect foresight.

    python benchmarks/yearly.py [--homes b841,d209,4d23,3aa4] [--days 365] [--jobs 2] [--only year|weeks|plain]

Homes, added devices and tariffs were fixed here before anything was tuned on them (see HOMES and PLAIN). Loads are
hourly means of real meters (NOTICE), shaped within the hour by patterns of another home; the sun is the irradiance
measured in the same hours. Each quarter hour the twin of the home follows the plan by the rules of the tick; the plan
(24 h at 15 min) is made every hour of the home's own forecasts of the past (made anew every 3 h). Foresight knows house,
sun and weather for 48 h and plans every 3 h. Departures and needs of the car are told when it is plugged in, as a car
that speaks ISO 15118 does, and come true. A tariff's local time is taken to be the home's. Prints tables; asserts
nothing.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import random
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from ruamel.yaml import YAML  # noqa: E402

from firmware_sim.physics.replay import DATA, HomeData, Replay, load_data  # noqa: E402
from gateway.core.planning.controllers import Planned, Standing, standing  # noqa: E402
from gateway.core.planning.home import DRAW_BY_HOUR, DRAW_WH_PER_L  # noqa: E402
from gateway.core.planning.replay import Replayed, replay, run  # noqa: E402
from gateway.core.planning.replay_forecast import Forecaster  # noqa: E402
from gateway.core.planning.request import UNEVEN_STEPS  # noqa: E402
from gateway.core.planning.twin import DAY, Array, Record, Setup, Twin, Visit  # noqa: E402
from gateway.core.tariff.bill import bill_of  # noqa: E402
from gateway.core.tariff.rates import parse_tariff  # noqa: E402
from gateway.model.plan import Plan  # noqa: E402
from gateway.model.preferences import Preferences  # noqa: E402
from gateway.model.site import (  # noqa: E402
    BatterySpec,
    ChargerSpec,
    Device,
    HeatPumpSpec,
    Role,
    Site,
    WaterHeaterSpec,
)
from gateway.model.whatif import Control  # noqa: E402

ZONE = ZoneInfo("Europe/Brussels")
START = datetime(2016, 1, 1, tzinfo=UTC)
PV_PERFORMANCE = 0.85
"""AC energy of a kWp under 1 kW/m2 of horizontal irradiance."""
SEASONS = {"winter": 14, "spring": 105, "summer": 196, "autumn": 287}
"""First day of the weeks of the full product plan."""
WARM_DAYS = 28


@dataclass(frozen=True)
class HomeCase:
    """One home: its meter, what is added to it, its tariff."""

    name: str
    pv_kwp: float
    battery_kwh: float
    battery_kw: float
    ev_phases: tuple[int, ...]
    tariff: str
    heat: bool = False


HOMES = (
    HomeCase("b841", 5.0, 10.0, 5.0, (1, 2, 3), "us_california_tou_example"),
    HomeCase("d209", 4.0, 5.0, 2.5, (1,), "uk_economy7_example"),
    HomeCase("4d23", 6.0, 13.5, 5.0, (1, 2, 3), "ca_ontario_ulo_2024"),
    HomeCase("3aa4", 6.0, 10.0, 5.0, (1,), "be_flanders_capacity_example"),
)
PLAIN = (
    HomeCase("7863", 0.0, 0.0, 0.0, (1,), "ca_ontario_ulo_2024", heat=True),
    HomeCase("7863", 0.0, 0.0, 0.0, (1,), "fr_heures_creuses_2024", heat=True),
    HomeCase("7863", 0.0, 0.0, 0.0, (1,), "es_20td_2025", heat=True),
)


def home_data(name: str) -> HomeData:
    """The shipped hours of one meter, with weather and patterns."""
    data = load_data()
    if name == "3aa4":
        return data
    with gzip.open(DATA / "more_homes_60min_2016.csv.gz", "rt", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return replace(data, load_w=tuple(float(row[f"{name}_w"]) for row in rows))


def record_of(case: HomeCase, days: int, first_day: int = 0) -> Record:
    """The home's quarter hours with the added panels and car."""
    source, start = Replay(1, home_data(case.name)), START + timedelta(days=first_day)
    count = days * DAY
    house, sun, out, draw = (np.zeros(count) for _ in range(4))
    for index in range(count):
        at = start + timedelta(minutes=15 * index)
        minutes = [at + timedelta(minutes=m) for m in (1, 4, 7, 10, 13)]
        house[index] = sum(sum(source.load_w(m)) for m in minutes) / len(minutes)
        sun[index] = -case.pv_kwp * PV_PERFORMANCE * sum(source.irradiance_w_m2(m) for m in minutes) / len(minutes)
        out[index] = source.outdoor_c(at)
        draw[index] = _draw_w(at) if case.heat else 0.0
    visits = tuple(_visits(case, start, count)) if case.ev_phases else ()
    return Record(start, house, sun, np.ones(count, dtype=bool), out, draw, visits)


def _draw_w(at: datetime) -> float:
    """Hot water of a day as the planner expects it, 30 % more or less, by a dice of the day."""
    local = at.astimezone(ZONE)
    dice = random.Random(f"draw {local.date()} {local.hour}").uniform(0.7, 1.3)
    return DRAW_WH_PER_L * 200.0 * DRAW_BY_HOUR.get(local.hour, 0) / 100 * dice


def _visits(case: HomeCase, start: datetime, count: int) -> list[Visit]:
    """Home from about 17:45 to 7:30 on working days after 30-70 km (6-14 kWh), a Saturday trip, Sundays at home."""
    dice = random.Random(f"car {case.name} {start.date()}")
    found: list[Visit] = []
    day = start.astimezone(ZONE).date() + timedelta(days=1)
    last = 0
    while True:
        weekday = day.weekday()
        leaves, back = {5: ((11, 0), (16, 0))}.get(weekday, ((7, 30), (17, 45)))
        if weekday != 6:
            gone = _quarter(start, datetime(day.year, day.month, day.day, *leaves, tzinfo=ZONE))
            here = _quarter(start, datetime(day.year, day.month, day.day, *back, tzinfo=ZONE)) + dice.randint(-2, 3)
            if gone >= count:
                return found
            found.append(Visit("car", last, gone, round(dice.uniform(6_000, 14_000))))
            last = here
        day += timedelta(days=1)


def _quarter(start: datetime, when: datetime) -> int:
    return int((when.astimezone(UTC) - start) / timedelta(minutes=15))


def setup_of(case: HomeCase) -> Setup:
    """The home's devices, wishes and tariff."""
    devices = [Device("meter", "Main meter", Role.MAIN_METER)]
    if case.pv_kwp:
        devices.append(Device("panels", "Panels", Role.PV))
    if case.battery_kwh:
        power = case.battery_kw * 1000
        devices.append(Device("battery", "Battery", Role.BATTERY, BatterySpec(case.battery_kwh * 1000, power, power)))
    devices.append(Device("car", "Car", Role.EV_CHARGER, ChargerSpec(case.ev_phases, max_current_a=16.0)))
    if case.heat:
        devices.append(Device("tank", "Water heater", Role.WATER_HEATER, WaterHeaterSpec(2_000, 200)))
        devices.append(Device("pump", "Heat pump", Role.HEAT_PUMP, HeatPumpSpec(2_500, 3.2, 0.0055, 8_000)))
    site = Site(case.name, ZONE, 50.85, 4.35, "EUR", 3, 25.0, tuple(devices))
    tariff = parse_tariff(YAML(typ="safe").load(ROOT / f"config/tariffs/{case.tariff}.yaml"))
    return Setup(site, replace(tariff, timezone=ZONE), Preferences(hygiene_days=0))


@dataclass(frozen=True)
class Way:
    """One home under one control, as numbers."""

    case: HomeCase
    control: str
    micro: int
    months: tuple[int, ...]
    peak_w: float
    switches_a_day: float
    missed: int
    cold_k_h: float
    plans: int
    fallbacks: int
    took_s: float
    over_contract: int


def live(job: tuple[HomeCase, Control, int]) -> Way:
    """One home under one control for some days."""
    case, control, days = job
    setup, record, began = setup_of(case), record_of(case, days), time.perf_counter()
    found = replay(setup, record, control)
    return _way(case, control, setup, found, time.perf_counter() - began)


def _way(case: HomeCase, control: str, setup: Setup, found: Replayed, took_s: float) -> Way:
    record, metered = found.record, found.metered
    edges = [START + timedelta(days=d) for d in range(record.count // DAY + 1)]
    firsts = [edge.timestamp() for edge in edges if edge.day == 1 or edge is edges[0]] + [edges[-1].timestamp()]
    months = tuple(bill_of(setup.tariff, metered.between(a, b)).micro for a, b in pairwise(firsts) if b > a)
    twin = Twin(setup, record)
    over = (
        sum(found.grid_w[i] > twin.import_limit_w(i) + 1 for i in range(record.count)) if setup.tariff.contracted else 0
    )
    return Way(
        case, str(control), found.bill(setup.tariff).micro, months, float(found.grid_w.max()),
        found.switches / (record.count / DAY), found.missed_departures, found.cold_k_h, found.plans, found.fallbacks,
        took_s, int(over),
    )  # fmt: skip


def year(cases: tuple[HomeCase, ...], days: int, map_: Callable[..., object]) -> None:
    """The second figure."""
    controls = (Control.NONE, Control.SELF_CONSUMPTION, Control.FORESIGHT, Control.PLAN)
    jobs = [(case, control, days) for case in cases for control in controls]
    print(f"{days} days, energy, peaks and fixed parts billed; money without sign of its currency\n", flush=True)
    print(
        "| home | tariff | control | cost | peak kW | switches/day | missed | fallbacks | s |\n|---|---|---|---|---|---|---|---|---|"
    )
    by: dict[str, dict[str, Way]] = {}
    for way in map_(live, jobs):  # type: ignore[attr-defined]
        by.setdefault(way.case.name, {})[way.control] = way
        print(
            f"| {way.case.name} | {way.case.tariff} | {way.control} | {way.micro / 1e6:.2f} | {way.peak_w / 1000:.2f} | "
            f"{way.switches_a_day:.1f} | {way.missed} | {way.fallbacks}/{way.plans} | {way.took_s:.0f} |",
            flush=True,
        )
        if len(by[way.case.name]) == len(controls):
            verdict(by[way.case.name])


def verdict(ways: dict[str, Way]) -> None:
    """Share of foresight's gain, worst month and peak ratio of one home."""
    none, own, plan, best = (ways[c] for c in ("none", "self-consumption", "plan", "foresight"))
    gain, most = own.micro - plan.micro, own.micro - best.micro
    share = f"{100 * gain / most:.1f} %" if most > 1e6 else "no gain to share"
    worst = max(100 * (p - o) / abs(o) for p, o in zip(plan.months, own.months, strict=True) if abs(o) > 1e6)
    print(
        f"  {plan.case.name}: share of foresight's gain {share}; worst month against self-consumption {worst:+.2f} %; "
        f"peak ratio {plan.peak_w / none.peak_w:.2f} of none ({own.peak_w / none.peak_w:.2f} self-consumption)",
        flush=True,
    )


def plain(days: int, map_: Callable[..., object]) -> None:
    """The third figure: car, water heater and heat pump only."""
    controls = (Control.NONE, Control.PLAN, Control.FORESIGHT)
    jobs = [(case, control, days) for case in PLAIN for control in controls]
    print(
        "\n| home 7863 without sun and battery | control | cost | saved % | peak kW | cold K h | missed | over contract | s |\n|---|---|---|---|---|---|---|---|---|"
    )
    by: dict[str, dict[str, Way]] = {}
    for way in map_(live, jobs):  # type: ignore[attr-defined]
        by.setdefault(way.case.tariff, {})[way.control] = way
        none = by[way.case.tariff]["none"]
        print(
            f"| {way.case.tariff} | {way.control} | {way.micro / 1e6:.2f} | {100 * (none.micro - way.micro) / none.micro:.1f} | "
            f"{way.peak_w / 1000:.2f} | {way.cold_k_h:.0f} | {way.missed} | {way.over_contract} | {way.took_s:.0f} |",
            flush=True,
        )
        if len(by[way.case.tariff]) == 3:
            plan, best = by[way.case.tariff]["plan"], by[way.case.tariff]["foresight"]
            print(
                f"  share of foresight {100 * (none.micro - plan.micro) / max(1, none.micro - best.micro):.1f} %",
                flush=True,
            )


@dataclass(slots=True)
class Later:
    """Self-consumption until the week begins, then the planner."""

    first: int
    before: Standing
    after: Planned

    def plan(self, twin: Twin, index: int, grid_w: Array) -> Plan | None:
        """The plan in force."""
        return (self.before if index < self.first else self.after).plan(twin, index, grid_w)


def week(job: tuple[HomeCase, str, str]) -> tuple[str, str, str, float, int]:
    """One week of one home under self-consumption, the hourly plan, the product's plan or foresight: its cost."""
    case, season, way = job
    setup = setup_of(case)
    record = record_of(case, WARM_DAYS + 7, SEASONS[season] - min(WARM_DAYS, SEASONS[season]))
    first, calm = WARM_DAYS * DAY, standing(setup.site, record.start)
    own = Forecaster(record, setup.site, hours=48)
    planned = {
        "hourly": lambda: Planned(setup, own),
        "product": lambda: Planned(setup, own, every=1, forecast_every=1, steps=UNEVEN_STEPS),
        "foresight": lambda: Planned(
            setup, Forecaster(record, setup.site, hours=48, knows=True), every=12, steps=((48.0, 900),), knows=True
        ),
    }
    found = run(setup, record, Later(first, calm, planned[way]()) if way in planned else calm)
    span = [record.start.timestamp() + 900 * i for i in (first, record.count)]
    bill = bill_of(setup.tariff, found.metered.between(*span))
    mean = bill.micro / max(1.0, bill.import_wh) if bill.import_wh else 0.0
    return case.name, season, way, bill.micro - mean * found.stored_wh, found.missed_departures


def weeks(cases: tuple[HomeCase, ...], map_: Callable[..., object]) -> None:
    """The full product plan, one week a season; what the battery holds at the end counts at the week's mean price."""
    ways = ("self-consumption", "foresight", "hourly", "product")
    jobs = [(case, season, way) for case in cases for season in SEASONS for way in ways]
    print(f"\n| home | season | {' | '.join(ways)} |\n|---|---|---|---|---|---|")
    row: list[float] = []
    for name, season, _, micro, _ in map_(week, jobs):  # type: ignore[attr-defined]
        row.append(micro)
        if len(row) == len(ways):
            print(f"| {name} | {season} | {' | '.join(f'{value / 1e6:.2f}' for value in row)} |", flush=True)
            row = []


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--homes", default=",".join(case.name for case in HOMES))
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", choices=("year", "weeks", "plain"))
    options = parser.parse_args()
    cases = tuple(case for case in HOMES if case.name in options.homes.split(","))
    with ProcessPoolExecutor(options.jobs) as pool:
        if options.only in (None, "year"):
            year(cases, options.days, pool.map)
        if options.only in (None, "plain"):
            plain(options.days, pool.map)
        if options.only in (None, "weeks"):
            weeks(cases, pool.map)


if __name__ == "__main__":
    main()
