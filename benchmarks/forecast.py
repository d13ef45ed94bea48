"""Day-ahead forecasts on real homes: RMSE against "same as yesterday" (d-1) "same as last week" (d-7) and the last week's mean.

    python benchmarks/forecast.py FOLDER [--days 60] [--skip 0]

FOLDER holds *.csv or *.csv.gz with a time column first and one power column per home (kW, or W when the column or
file name says so; temperature and irradiance columns are left out, those named pv go to a table of their own). Issued
at each local midnight for the next 24 hours from at most 63 days of history. Nothing is fitted on the days that are
judged: the band was made on the 60 days before them (--skip 60), the last 60 days of each home judge it. Prints a
table; asserts nothing.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import math
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from gateway.core.learning.blocks import Blocks, to_blocks
from gateway.core.learning.day_type import day_type
from gateway.core.learning.forecast import forecast_load, forecast_solar
from gateway.core.learning.sun import DIM_W_M2, clear_sky_w_m2
from gateway.model.reading import Interval, IntervalQuality

NOT_LOAD = ("temperature", "irradiance", "pv")
PANELS = {"ausgrid": (-33.87, 151.21), "emhass": (45.83, 6.86)}
"""Where the homes with panels stand, degrees north and east, by the start of the file's name."""
SLOTS = 96


@dataclass
class Home:
    """One home's load in W per quarter hour (NaN = missing) from `start`."""

    name: str
    start: datetime
    zone: ZoneInfo
    power_w: np.ndarray


@dataclass
class Score:
    """Sums over all judged slots of one home."""

    errors: dict[str, list[float]] = field(default_factory=lambda: {"ours": [], "d-1": [], "d-7": [], "week": []})
    inside: int = 0
    still: int = 0
    """Slots inside a band that stands still: the same quantiles of the last weeks' errors, put around the forecast."""
    width_w: float = 0.0
    count: int = 0
    spent_s: float = 0.0
    calls: int = 0

    def rmse(self, name: str) -> float:
        return math.sqrt(float(np.mean(self.errors[name]))) if self.errors[name] else math.nan


def homes(folder: Path, panels: bool = False) -> Iterator[Home]:
    """Every column of load of every file, or every one of panels."""
    for path in sorted([*folder.glob("*.csv"), *folder.glob("*.csv.gz")]):
        opener = gzip.open if path.suffix == ".gz" else open
        with opener(path, "rt") as file:
            rows = list(csv.reader(file))
        header, rows = rows[0], rows[1:]
        zone = ZoneInfo("Australia/Sydney") if "sydney" in header[0] else ZoneInfo("Europe/Brussels")
        times = [_time(row[0], zone) for row in rows]
        for column, name in enumerate(header[1:], 1):
            load = not any(word in name.lower() for word in NOT_LOAD)
            if "pv" in name.lower() if panels else load:
                scale = 1.0 if name.endswith("_w") else 1000.0
                yield _home(f"{path.name.split('.')[0][:24]} {name}", zone, times, [r[column] for r in rows], scale)


def _time(text: str, zone: ZoneInfo) -> datetime:
    when = datetime.fromisoformat(text)
    return (when.replace(tzinfo=zone) if when.tzinfo is None else when).astimezone(UTC)


def _home(name: str, zone: ZoneInfo, times: list[datetime], texts: list[str], scale: float) -> Home:
    step = int((times[1] - times[0]).total_seconds())
    size = int((times[-1] - times[0]).total_seconds()) // 900 + max(1, step // 900)
    total, count = np.zeros(size), np.zeros(size)
    for when, text in zip(times, texts, strict=True):
        if text:
            at = int((when - times[0]).total_seconds()) // 900
            total[at : at + max(1, step // 900)] += float(text) * scale
            count[at : at + max(1, step // 900)] += 1
    return Home(name, times[0], zone, np.where(count > 0, total / np.maximum(count, 1), np.nan))


def judge(home: Home, days: int, skip: int, panels: tuple[float, float] | None = None) -> Score:
    """Forecast `days` days of a home before its last `skip`, one after another; `panels` stand at degrees N and E."""
    score = Score()
    sign = 1.0 if panels is None else -1.0
    intervals = [
        Interval("house", home.start + timedelta(seconds=900 * i), 900, max(w, 0) / 4, max(-w, 0) / 4, IntervalQuality.VALID, "")
        for i, w in enumerate((sign * home.power_w).tolist())
        if not math.isnan(w)
    ]  # fmt: skip
    first = (home.start + timedelta(seconds=900 * len(home.power_w))).astimezone(home.zone)
    for back in range(min(days + skip, len(home.power_w) // SLOTS - 10), skip, -1):
        local = (first - timedelta(days=back)).replace(hour=0, minute=0, second=0, microsecond=0)
        now = local.astimezone(UTC)
        at = int((now - home.start).total_seconds()) // 900
        truth = sign * home.power_w[at : at + SLOTS]
        if at < 7 * SLOTS or len(truth) < SLOTS:
            continue
        _judge_day(home, intervals, now, at, truth, score, panels)
    return score


def _judge_day(
    home: Home, intervals: list[Interval], now: datetime, at: int, truth: np.ndarray, score: Score,
    panels: tuple[float, float] | None,
) -> None:  # fmt: skip
    since = now - timedelta(days=63)
    history = [i for i in intervals if since <= i.start < now]
    begin = time.perf_counter()
    if panels is None:
        forecast = forecast_load(history, now, home.zone, hours=24)
    else:
        forecast = forecast_solar(history, now, home.zone, *panels, hours=24)
    score.spent_s += time.perf_counter() - begin
    score.calls += 1
    sign = 1.0 if panels is None else -1.0
    yesterday, week = (sign * home.power_w[at - n * SLOTS :][:SLOTS] for n in (1, 7))
    last = np.array([sign * home.power_w[at - n * SLOTS :][:SLOTS] for n in range(1, 8)])
    mean, low, high = np.array(forecast.mean), np.array(forecast.low), np.array(forecast.high)
    good = ~(np.isnan(truth) | np.isnan(yesterday) | np.isnan(week))
    if panels is not None:  # the night is no forecast
        middle = now.timestamp() + 900 * (np.arange(SLOTS) + 0.5)
        good &= clear_sky_w_m2(middle, *panels) > DIM_W_M2
    for name, values in (("ours", mean), ("d-1", yesterday), ("d-7", week), ("week", _mean(last))):
        score.errors[name] += ((values - truth)[good] ** 2).tolist()
    score.inside += int(((truth >= low - 1e-9) & (truth <= high + 1e-9))[good].sum())
    if panels is None:
        below, above = _still_band(to_blocks(history, now, home.zone, 1))
        score.still += int(((truth >= mean + below - 1e-9) & (truth <= mean + above + 1e-9))[good].sum())
    score.width_w += float((high - low)[good].sum())
    score.count += int(good.sum())


def _mean(rows: np.ndarray) -> np.ndarray:
    """By slot, of the days that are known; of all slots where a slot is known of none."""
    known = ~np.isnan(rows)
    found = np.nansum(rows, axis=0) / np.maximum(known.sum(axis=0), 1)
    return np.where(known.any(axis=0), found, float(np.nanmean(rows)))


def _still_band(blocks: Blocks) -> tuple[np.ndarray, np.ndarray]:
    """What the band was before it corrected itself: quantiles by hour of the usual day's errors of six weeks."""
    power = blocks.power_w
    first = max(2, len(power) - 42)
    left = np.stack([power[i] - day_type(power[:i], blocks.weekend, i) for i in range(first, len(power))])
    pooled = np.concatenate([np.roll(left, shift, axis=1) for shift in (-4, -2, 0, 2, 4)])
    low, high = np.nanquantile(pooled, (0.1, 0.9), axis=0)
    return low, high


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--days", type=int, default=60)
    parser.add_argument("--skip", type=int, default=0)
    options = parser.parse_args()
    print(
        "| home | RMSE W | vs d-1 | vs d-7 | vs week's mean | 80 % band holds | one that stands still | width W | ms |\n|---|---|---|---|---|---|---|---|---|"
    )
    loads = [(home.name, judge(home, options.days, options.skip)) for home in homes(options.folder)]
    if not _table(loads):
        sys.exit(f"{options.folder}: no home with at least ten days of power values")
    print(
        "\nPanels, daylight only:\n\n| home | RMSE W | vs d-1 | vs d-7 | vs week's mean | 80 % band holds | one that stands still | width W | ms |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    suns = [
        (home.name, judge(home, options.days, options.skip, place))
        for home in homes(options.folder, panels=True)
        for name, place in PANELS.items()
        if home.name.startswith(name)
    ]
    _table(suns)


def _table(judged: list[tuple[str, Score]]) -> bool:
    """One row per home, the mean and the worst; whether there was any."""
    rows = []
    for name, score in judged:
        if not score.count or score.rmse("d-1") == 0:
            continue
        ours = score.rmse("ours")
        still = score.still / score.count if score.still else math.nan
        row = (
            ours / score.rmse("d-1"),
            ours / score.rmse("d-7"),
            ours / score.rmse("week"),
            score.inside / score.count,
            still,
        )
        rows.append(row)
        ms, width = 1000 * score.spent_s / score.calls, score.width_w / score.count
        print(
            f"| {name} | {ours:.0f} | {row[0]:.3f} | {row[1]:.3f} | {row[2]:.3f} | {row[3]:.3f} | {row[4]:.2f} | {width:.0f} | {ms:.1f} |"
        )
    if rows:
        table = np.array(rows)
        mean, worst = table.mean(axis=0), (*table[:, :3].max(axis=0), *table[:, 3:].min(axis=0))
        print(
            f"| mean of {len(rows)} | | {mean[0]:.3f} | {mean[1]:.3f} | {mean[2]:.3f} | {mean[3]:.3f} | {mean[4]:.2f} | | |"
        )
        print(
            f"| worst home | | {worst[0]:.3f} | {worst[1]:.3f} | {worst[2]:.3f} | {worst[3]:.3f} | {worst[4]:.2f} | | |"
        )
    return bool(rows)


if __name__ == "__main__":
    main()
