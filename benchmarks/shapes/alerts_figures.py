"""How well alerts find what was put into otherwise normal homes, beside general anomaly scores.

    python -m benchmarks.shapes.alerts_figures [--seeds 1,2,3] [--homes N] [--yardstick PYTHON] [--alone]

The house is watched as the hub watches it: what is usual is learned at each local midnight from the sixty days before,
then every closed quarter hour is judged. The air and the light outside are told, as a weather source tells them.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import pickle
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from benchmarks.shapes.alerts_panels import weak_days
from benchmarks.shapes.anomalies import anomalous, insert
from benchmarks.shapes.evaluate import GRACE, Alerts, match_alerts, total
from benchmarks.shapes.homes import TEST, Home, homes
from benchmarks.shapes.sky import SLOT_S, Floats, Ints
from benchmarks.table import ROOT, Row
from gateway.core.learning.alerts.always_on import always_on_rise, at_home, bustle
from gateway.core.learning.alerts.episode import QUIET
from gateway.core.learning.alerts.house import excess, may_heat_lately, quiet_levels, usual
from gateway.core.learning.alerts.usual import LEAST_DAYS, PAST_DAYS, QUARTERS
from gateway.model.alert import AlertKind

YARDSTICK = Path(sys.prefix).parent / "yardstick" / "bin" / "python"
Signs = dict[AlertKind, list[int]]


def wall(home: Home, values: Floats) -> tuple[Floats, Ints]:
    """Days x 96 by wall-clock quarter, nan where there is none, and the slot of each."""
    count = len(home.bounds) - 1
    found, slots = np.full((count, QUARTERS), np.nan), np.zeros((count, QUARTERS), dtype=np.int64)
    for day, (begin, end) in enumerate(zip(home.bounds[:-1], home.bounds[1:], strict=True)):
        length = int(end - begin)
        at = np.arange(length)
        at = at if length == QUARTERS else np.where(at >= 8, at + (QUARTERS - length), at)
        found[day, at], slots[day, at] = values[begin:end], np.arange(begin, end)
        slots[day] = np.maximum.accumulate(np.maximum(slots[day], begin))
    return found, slots


def watched(home: Home) -> list[tuple[str, int]]:
    """(kind, slot) of each alert that the product's detectors raise in one home."""
    load, slots = wall(home, home.watts + home.pv)
    load[np.abs(load) > 1e5] = np.nan
    air, made, light = (wall(home, values)[0] for values in (home.weather, home.pv, home.irradiance))
    signs: Signs = {kind: [] for kind in AlertKind}
    signs[AlertKind.PV_LOW] = [int(slots[day][0]) for day in weak_days(home, made, light, slots)]
    for day in range(LEAST_DAYS, len(load)):
        past = slice(max(0, day - PAST_DAYS), day)
        known = usual(load[past], air[past])
        if known is None:
            continue
        found = excess(known, load[day - 1 : day + 1], air[day - 1 : day + 1])
        signs[AlertKind.SPIKE] += [int(s) for s in slots[day][found.spike > 0]]
        signs[AlertKind.LEFT_ON] += [int(s) for s in slots[day][found.left_on > 0]]
        levels = at_home(quiet_levels(known, load[past], air[past]), np.array([bustle(row) for row in load[past]]))
        midnight = int(slots[day][0])
        if always_on_rise(levels, may_heat_lately(known, air[past])) > 0:
            signs[AlertKind.ALWAYS_ON].append(midnight)
    return sorted((kind.value, slot) for kind, seen in signs.items() for slot in once(seen, QUIET[kind]))


def once(seen: Sequence[int], quiet: timedelta) -> Iterator[int]:
    """The first sign of each episode, as gateway/core/learning/alerts/episode.py tells it."""
    last: int | None = None
    for slot in seen:
        if last is None or (slot - last) * SLOT_S > quiet.total_seconds():
            yield slot
        last = slot


def scored(home: Home, raised: Sequence[tuple[str, int]]) -> Alerts:
    """What was raised against the truth; a sign of a quarter is known when the quarter has closed."""
    told = [(kind, home.start + timedelta(seconds=SLOT_S * (slot + 1))) for kind, slot in raised]
    return match_alerts(told, home.events)


def general(home: Home, rule: str) -> list[int]:
    """Slots that a general score would tell, 28 days known: "z3", "mad6" or "q95" (more than the 95 % level of the quarter)."""
    load, slots = wall(home, home.watts + home.pv)
    found: list[int] = []
    for day in range(28, len(load)):
        past = load[day - 28 : day]
        if rule == "z3":
            over = load[day] > np.nanmean(past, axis=0) + 3 * np.nanstd(past, axis=0)
        elif rule == "mad6":
            middle = np.nanmedian(past, axis=0)
            over = load[day] > middle + 6 * np.nanmedian(np.abs(past - middle), axis=0)
        else:
            over = load[day] > np.nanquantile(past, 0.95, axis=0)
        found += [int(s) for s in slots[day][over]]
    return found


def as_kinds(slots: Sequence[int]) -> list[tuple[str, int]]:
    """A general score tells no kind: each of its episodes counts as the spike, and one of a day or longer as left on."""
    raised: list[tuple[str, int]] = []
    begun = last = None
    for slot in slots:
        if last is None or begun is None or slot - last > 24:
            begun = slot
            raised.append(("spike", slot))
        elif slot - begun == QUARTERS:
            raised.append(("left_on", slot))
        last = slot
    return raised


def isolation_forest(found: Sequence[Home], python: Path) -> list[list[int]] | None:
    """The slots that scikit-learn's IsolationForest (1 %) tells, by home; None where the yardstick is not installed."""
    if not python.exists():
        return None
    with tempfile.TemporaryDirectory() as folder:
        given, made = Path(folder) / "homes", Path(folder) / "slots"
        given.write_bytes(pickle.dumps([home.watts + home.pv for home in found]))
        subprocess.run([str(python), "-c", FOREST, str(given), str(made)], check=True, cwd=ROOT)
        return list(pickle.loads(made.read_bytes()))


FOREST = """
import pickle, sys
import numpy as np
from sklearn.ensemble import IsolationForest
made = []
for load in pickle.load(open(sys.argv[1], "rb")):
    at = np.arange(len(load)); hour = at % 96 / 96 * 2 * np.pi
    rows = np.stack([np.sin(hour), np.cos(hour), np.nan_to_num(load)], 1)
    seen = IsolationForest(n_estimators=50, contamination=0.01, random_state=0).fit(rows[: 60 * 96])
    made.append([int(k) for k in np.flatnonzero(seen.predict(rows) < 0) if load[k] > np.nanmean(load)])
pickle.dump(made, open(sys.argv[2], "wb"))
"""


def words(found: Alerts, days: float) -> str:
    """Recall by kind, precision, false alarms."""
    recall = ", ".join(f"{kind} {found.recall(kind):.2f}" for kind in GRACE if found.events.get(kind))
    return f"{recall}; precision {found.precision:.2f}; {found.false_per_month(days):.2f} false a home-month"


def rows(
    quick: bool, seeds: Sequence[int] = TEST, python: Path = YARDSTICK, most: int | None = None, alone: bool = False
) -> list[Row]:
    """The product, then the general scores on the same homes; quick: eight homes of the first seed."""
    most = 8 if quick else most
    chosen = [home for seed in (seeds[:1] if quick else seeds) for home in _some(seed, most)]
    days = sum(len(home.watts) for home in chosen) / QUARTERS
    begun = time.process_time()
    parts = [scored(home, watched(home)) for home in chosen]
    cpu_ms = (time.process_time() - begun) / days * 1e3
    how = f"{len(chosen)} synthetic homes x 365 d, seeds {', '.join(map(str, seeds[:1] if quick else seeds))}"
    target = "spike >= 0.92, left on >= 0.90; precision >= 0.75; <= 0.50 false a home-month"
    found = [
        Row("alerts, recall", target, words(total(parts), days), how),
        Row("alerts, cost", "-", f"{cpu_ms:.2f} ms CPU a home-day", "all four kinds, learned anew each midnight"),
        Row("alerts, state", "<= 16 KiB", f"{PAST_DAYS * QUARTERS * 2 / 1024:.1f} KiB", "sixty days of quarter hours as int16 W; the hub reads them from its store"),
    ]  # fmt: skip
    if alone:
        return found
    for rule in ("z3", "mad6", "q95"):
        parts = [scored(home, as_kinds(general(home, rule))) for home in chosen]
        found.append(Row(f"yardstick {rule}", "-", words(total(parts), days), how))
    slots = isolation_forest(chosen, python)
    if slots is None:
        found.append(Row("yardstick IsolationForest", "-", f"not run: no {python}", how))
    else:
        parts = [scored(home, as_kinds(each)) for home, each in zip(chosen, slots, strict=True)]
        found.append(Row("yardstick IsolationForest 1 %", "-", words(total(parts), days), how))
    return found


def real_homes(path: Path, seed: int) -> Iterator[Home]:
    """The meters of an opengrid file (hourly kW, UTC, temp and gti or the like beside), with anomalies put in.

    Natural peaks count as false there: nobody knows what truly happened.
    """
    with gzip.open(path, "rt") as file:
        lines = list(csv.reader(file))
    names, table = lines[0], lines[1:]
    start = datetime.fromisoformat(table[0][0].replace("Z", "+00:00"))
    start = start if start.tzinfo else start.replace(tzinfo=UTC)
    columns = np.array([[float(cell) if cell else np.nan for cell in row[1:]] for row in table]).T
    series = dict(zip(names[1:], columns, strict=True))
    air = next(values for name, values in series.items() if "temp" in name.lower())
    for k, (name, values) in enumerate(series.items()):
        if values is air or "irr" in name.lower() or "rad" in name.lower():
            continue
        watts, _, events = insert(values * 1000, start, [seed, k], step_s=3600)
        whole = len(watts) // 24 * 24
        quarters, outside = (np.repeat(each[:whole], 4) for each in (watts, air))
        none = np.zeros(len(quarters))
        bounds = np.arange(0, len(quarters) + 1, QUARTERS)
        yield Home(name, "UTC", start, quarters, [], "", events, outside, none, none, bounds)


def _some(seed: int, most: int | None) -> Iterator[Home]:
    for k, home in enumerate(anomalous(homes("normal", seed), seed)):
        if most is not None and k >= most:
            return
        yield home


def main(argv: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description="Figures of the alerts.")
    parser.add_argument("--seeds", default=",".join(map(str, TEST)))
    parser.add_argument("--homes", type=int, default=None, help="of each seed only so many")
    parser.add_argument("--alone", action="store_true", help="without the general scores, which take longer")
    parser.add_argument("--yardstick", type=Path, default=YARDSTICK, help="a Python with scikit-learn")
    parser.add_argument("--real", type=Path, default=None, help="an opengrid file instead of the synthetic homes")
    args = parser.parse_args(argv)
    if args.real is not None:
        found = list(real_homes(args.real, int(args.seeds.split(",")[0])))
        days = sum(len(home.watts) for home in found) / QUARTERS
        print(f"{len(found)} real meters: {words(total(scored(home, watched(home)) for home in found), days)}")
        return
    np.seterr(all="ignore")
    for row in rows(False, [int(seed) for seed in args.seeds.split(",")], args.yardstick, args.homes, args.alone):
        print(row.line(), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
