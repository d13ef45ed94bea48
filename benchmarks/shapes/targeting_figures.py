"""Figures of targeting: what it says of synthetic homes against the devices that truly ran there.

The generator's homes come without their parts, so each is made again from the same dice, and its loads are kept.
Tuning seeds by default; the test seeds only with --test, for the judged figures.

    power         the interval of the power that could be left off in an hour (car, tank, heat pump, cooling as if each had
                  a meter), learned from 28 days, against the next day: share of hours inside, over hours in which
                  anything was ever movable, and the evening's mean (17-21 h)
    response      slope of the whole home's daily energy by temperature against that of its heat pump and cooling alone
    joining       owners with a chance drawn from the prior answer 12 events: share whose truth lies in the interval
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.shapes.homes import COMMON, TEST, TUNING, _varied
from benchmarks.shapes.loads import Loads, run
from benchmarks.shapes.sky import PLACES, Calendar, calendar, sky
from gateway.core.learning.flexible import DeviceDays, amount, less_over, movable
from gateway.core.learning.joining import Answer, joining
from gateway.core.learning.temperature_response import temperature_response
from gateway.model.site import Role

Array = NDArray[np.float64]
WINDOW, EVENING = 28, range(17, 21)
ROLES = {"boiler": Role.WATER_HEATER, "car": Role.EV_CHARGER, "heat": Role.HEAT_PUMP, "cool": Role.HEAT_PUMP}


class Made(NamedTuple):
    """A home with its parts: outdoor degC and W by quarter hour."""

    cal: Calendar
    air: Array
    loads: Loads


def made_homes(seed: int, count: int) -> Iterator[Made]:
    """The first homes of the "normal" set with what ran in them."""
    for k in range(count):
        dice = np.random.default_rng([2, seed, k])
        place = PLACES[int(dice.integers(len(PLACES)))]
        cal = calendar(place.zone, date(2023, int(dice.integers(1, 13)), 1), 365)
        plan = _varied(dice, COMMON[k % 15], cal, place, False)
        air, light = sky(dice, cal, place, plan.cloudy)
        yield Made(cal, air, run(dice, plan, cal, air, light, True))


def by_hour(made: Made, watts: Array) -> Array:
    """Days x 24 local hours, mean W; NaN for the hour that is skipped in spring."""
    days = len(made.cal.dates)
    cell = made.cal.day * 24 + made.cal.hour.astype(np.intp)
    count = np.bincount(cell, minlength=days * 24)
    total = np.bincount(cell, watts, days * 24)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan).reshape(days, 24)


def power_cover(made: Made, step: int) -> tuple[list[bool], list[bool], list[float]]:
    """Hours inside, evenings inside, and the width of an evening's interval as a share of its mean."""
    days = [
        DeviceDays(name, name, role, float(np.max(watts)), by_hour(made, watts))
        for name, role in ROLES.items()
        if np.max(watts := getattr(made.loads, name)) > 0
    ]
    if not days:
        return [], [], []
    whole = movable(days, np.zeros_like(days[0].load_w))
    evenings = less_over(list(whole.parts.values()), EVENING)
    hours, windows, widths = [], [], []
    for day in range(WINDOW, whole.less_w.shape[0], step):
        past = slice(day - WINDOW, day)
        for hour in range(24):
            found, truth = amount(whole.less_w[past, hour], whole.rated_w), whole.less_w[day, hour]
            if found is not None and np.isfinite(truth) and found.high_w > 0:
                hours.append(found.low_w - 1e-6 <= truth <= found.high_w + 1e-6)
        found, truth = amount(evenings[past], whole.rated_w), evenings[day]
        if found is not None and np.isfinite(truth) and found.high_w > 0:
            windows.append(found.low_w - 1e-6 <= truth <= found.high_w + 1e-6)
            widths.append((found.high_w - found.low_w) / max(found.mean_w, 1.0))
    return hours, windows, widths


class Slope(NamedTuple):
    """Truth and estimate of one slope, Wh per K and day; None where there is no such load, or none was found."""

    truth: float | None
    found: float | None
    inside: bool


def slopes(made: Made) -> dict[str, Slope]:
    """The home's response against that of its heat pump and its cooling alone, on the same change point."""
    use = sum(made.loads[:-1], np.zeros_like(made.air))
    energy, air = by_hour(made, use).mean(axis=1) * 24, by_hour(made, made.air).mean(axis=1)
    said = temperature_response(energy, air)
    result = {}
    for name, watts in (("heat", made.loads.heat), ("cool", made.loads.cool)):
        own = temperature_response(np.nanmean(by_hour(made, watts), axis=1) * 24, air) if np.max(watts) > 0 else None
        result[name] = _slope(name, own, said)
    return result


def _slope(name: str, own: object, said: object) -> Slope:
    kind = "heating" if name == "heat" else "cooling"
    truth, found = (getattr(each, f"{kind}_wh_per_k", None) for each in (own, said))
    low, high = (getattr(said, f"{kind}_{end}", None) for end in ("low", "high"))
    return Slope(truth, found, bool(truth and low is not None and low <= truth <= high))


def joining_cover(seed: int, owners: int) -> float:
    """Share of owners whose true chance lies in the 80 % interval after 12 answers."""
    dice, now = np.random.default_rng([9, seed]), datetime(2026, 1, 1, tzinfo=UTC)
    hits = 0
    for truth in dice.random(owners):
        said = [Answer(now - timedelta(days=7.0 * i), bool(dice.random() < truth)) for i in range(12)]
        found = joining(said, now)
        hits += found.low <= truth <= found.high
    return hits / owners


def rows(quick: bool = True, seeds: tuple[int, ...] = TUNING) -> list[tuple[str, str]]:
    """(figure, value) of all homes together, the worst home beside."""
    homes = [made for seed in seeds for made in made_homes(seed, 6 if quick else 40)]
    started = time.perf_counter()
    found = [power_cover(made, 9 if quick else 3) for made in homes]
    found = [each for each in found if each[0]]
    responses = [slopes(made) for made in homes]
    spent = (time.perf_counter() - started) / len(homes)
    hours, evenings = ([np.mean(each[i]) for each in found if each[i]] for i in (0, 1))
    pooled = [np.mean([hit for each in found for hit in each[i]]) for i in (0, 1)]
    width = np.median([w for each in found for w in each[2]])
    table = [
        ("homes with something movable", f"{len(found)} of {len(homes)}"),
        ("hour's power inside its 80 % interval", f"{pooled[0]:.3f} (worst home {min(hours):.3f})"),
        ("evening's power inside its 80 % interval", f"{pooled[1]:.3f} (worst home {min(evenings):.3f})"),
        ("width of the evening's interval / mean, median", f"{width:.2f}"),
    ]
    for name in ("heat", "cool"):
        each = [r[name] for r in responses]
        real = [s for s in each if s.truth]
        right = [s for s in real if s.found]
        none = [s for s in each if not s.truth]
        error = np.median([abs(s.found / s.truth - 1) for s in right if s.found and s.truth]) if right else float("nan")
        inside = np.mean([s.inside for s in right]) if right else float("nan")
        table.append((f"{name}: response found where there is one", f"{len(right)} of {len(real)}"))
        table.append(
            (f"{name}: response found where there is none", f"{sum(bool(s.found) for s in none)} of {len(none)}")
        )
        table.append((f"{name}: slope's error, median; inside its interval", f"{error:.2f}; {inside:.2f}"))
    table.append(
        ("chance of joining inside its 80 % interval", f"{joining_cover(seeds[0], 300 if quick else 2000):.3f}")
    )
    table.append(("time a home", f"{1000 * spent:.0f} ms for all its days"))
    return table


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--test", action="store_true", help="the seeds of the judged figures")
    given = parser.parse_args()
    for name, value in rows(given.quick, TEST if given.test else TUNING):
        print(f"{name:55} {value}")


if __name__ == "__main__":
    main()
