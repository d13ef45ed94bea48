"""The closed loop over a year: what homes cost under no control, self-consumption, the plan and perfect foresight.

    python benchmarks/yearly.py [--homes b841,d209,4d23,3aa4] [--days 365] [--jobs 2] [--only year|weeks|plain|plain-weeks]

Homes, added devices and tariffs stand in benchmarks/yearly_homes.py. Each quarter hour the twin of the home follows the
plan by the rules of the tick; the plan (24 h at 15 min) is made every hour of the home's own forecasts of the past (made
anew every 3 h). Foresight knows house, sun and weather for 48 h and plans every 3 h. Departures and needs of the car are
told when it is plugged in, as a car that speaks ISO 15118 does, and come true. A month is billed from local midnight to
local midnight; an hour or two of a next month at the end are left out. Prints tables; asserts nothing.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.yearly_homes import HOMES, PLAIN, START, ZONE, HomeCase, record_of, setup_of  # noqa: E402
from gateway.core.planning.controllers import Planned, Standing, standing  # noqa: E402
from gateway.core.planning.replay import Replayed, replay, run  # noqa: E402
from gateway.core.planning.replay_forecast import Forecaster  # noqa: E402
from gateway.core.planning.request import UNEVEN_STEPS  # noqa: E402
from gateway.core.planning.twin import DAY, Array, Setup, Twin  # noqa: E402
from gateway.core.tariff.bill import bill_of  # noqa: E402
from gateway.model.plan import Plan  # noqa: E402
from gateway.model.whatif import Control  # noqa: E402

SEASONS = {"winter": 14, "spring": 105, "summer": 196, "autumn": 287}
"""First day of the weeks of the full product plan."""
WARM_DAYS = 28


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


def month_edges(count: int) -> list[float]:
    """Where the local months of `count` quarter hours from the start begin, s since 1970, and where the last one ends."""
    days = [(START + timedelta(days=1 + d)).astimezone(ZONE).replace(hour=0) for d in range(count // DAY)]
    end = START + timedelta(days=count // DAY)
    inner = [day.timestamp() for day in days if day.day == 1 and day < end]
    last = [] if inner and end.timestamp() - inner[-1] <= 7200 else [end.timestamp()]
    return [START.timestamp(), *inner, *last]


def _way(case: HomeCase, control: str, setup: Setup, found: Replayed, took_s: float) -> Way:
    record, metered = found.record, found.metered
    months = tuple(bill_of(setup.tariff, metered.between(a, b)).micro for a, b in pairwise(month_edges(record.count)))
    twin = Twin(setup, record)
    over = (
        sum(found.grid_w[i] > twin.import_limit_w(i) + 1 for i in range(record.count)) if setup.tariff.contracted else 0
    )
    return Way(
        case, str(control), sum(months), months, float(found.grid_w.max()),
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


@dataclass(frozen=True)
class Week:
    """One week of one home under one way, behind four weeks of plain self-consumption."""

    case: HomeCase
    season: str
    way: str
    micro: float
    """What the week adds to the bill; what the battery holds at the end counts at the mean price."""
    missed: int
    cold_k_h: float
    took_s: float


def week(job: tuple[HomeCase, str, str]) -> Week:
    """One week under "plain" rules, the hourly plan, the product's plan or foresight."""
    case, season, way = job
    setup, began = setup_of(case), time.perf_counter()
    warm = min(WARM_DAYS, SEASONS[season])
    record = record_of(case, warm + 7, SEASONS[season] - warm)
    first, calm = warm * DAY, standing(setup.site, record.start)
    own = Forecaster(record, setup.site, hours=48)
    planned = {
        "hourly": lambda: Planned(setup, own),
        "product": lambda: Planned(setup, own, every=1, forecast_every=1, steps=UNEVEN_STEPS),
        "foresight": lambda: Planned(
            setup, Forecaster(record, setup.site, hours=48, knows=True), every=12, steps=((48.0, 900),), knows=True
        ),
    }
    found = run(setup, record, Later(first, calm, planned[way]()) if way in planned else calm)
    began_s, first_s, last_s = (record.start.timestamp() + 900 * i for i in (0, first, record.count))
    # Of a month's peak only what the week adds to it is the week's.
    before, until = (bill_of(setup.tariff, found.metered.between(began_s, end)) for end in (first_s, last_s))
    mean = until.micro / max(1.0, until.import_wh) if until.import_wh else 0.0
    took_s = time.perf_counter() - began
    return Week(
        case, season, way, until.micro - before.micro - mean * found.stored_wh, found.missed_departures,
        found.cold_k_h, took_s,
    )  # fmt: skip


def weeks(cases: tuple[HomeCase, ...], ways: tuple[str, ...], map_: Callable[..., object]) -> None:
    """One week a season under each of `ways`, of which the first is what the others are measured by."""
    jobs = [(case, season, way) for case in cases for season in SEASONS for way in ways]
    shares = [f"{way} of foresight's gain" for way in ways if way in ("hourly", "product")]
    head = ["home", "tariff", "season", *ways, *shares, "missed", "cold K h", "s"]
    print(f"\n| {' | '.join(head)} |\n|{'---|' * len(head)}")
    row: list[Week] = []
    total = dict.fromkeys(ways, 0.0)
    for found in map_(week, jobs):  # type: ignore[attr-defined]
        row.append(found)
        total[found.way] += found.micro
        if len(row) == len(ways):
            costs = {each.way: each.micro for each in row}
            tail = [str(sum(e.missed for e in row)), " ".join(f"{e.cold_k_h:.0f}" for e in row)]
            cells = [row[0].case.name, row[0].case.tariff, row[0].season, *_money(costs), *tail]
            print(f"| {' | '.join(cells)} | {sum(e.took_s for e in row):.0f} |", flush=True)
            row = []
    print(f"| all |  |  | {' | '.join(_money(total))} |", flush=True)


def _money(costs: dict[str, float]) -> list[str]:
    plain_micro, most = next(iter(costs.values())), next(iter(costs.values())) - costs["foresight"]
    shares = [f"{100 * (plain_micro - costs[w]) / most:.0f} %" for w in costs if w in ("hourly", "product")]
    return [*(f"{value / 1e6:.2f}" for value in costs.values()), *(shares if most > 1e5 else ["-"] * len(shares))]


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--homes", default=",".join(case.name for case in HOMES))
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", choices=("year", "weeks", "plain", "plain-weeks"))
    options = parser.parse_args()
    cases = tuple(case for case in HOMES if case.name in options.homes.split(","))
    with ProcessPoolExecutor(options.jobs) as pool:
        if options.only in (None, "year"):
            year(cases, options.days, pool.map)
        if options.only in (None, "plain"):
            plain(options.days, pool.map)
        if options.only in (None, "weeks"):
            weeks(cases, ("self-consumption", "foresight", "hourly", "product"), pool.map)
        if options.only == "plain-weeks":
            weeks(PLAIN, ("charge on arrival", "foresight", "hourly"), pool.map)


if __name__ == "__main__":
    main()
