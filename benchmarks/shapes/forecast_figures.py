"""The day-ahead load forecast beside LightGBM, scikit-learn, statsmodels and the EMHASS recipe, real and synthetic homes.

    python benchmarks/shapes/forecast_figures.py FOLDER [--yardstick PYTHON] [--real 1] [--synthetic 10] [--skip 0] [--light]

FOLDER is as in benchmarks/forecast.py. Issued at each local midnight for the next 24 hours over the last 60 days of
each home (--skip 60: the 60 before, on which everything was chosen); every method may learn of all days before. PYTHON
has lightgbm, scikit-learn and statsmodels; without it only our own figures are told. Anchors of the band: the quantiles of the last
20 days of the same kind, and the usual day with the quantiles of 56 days' errors; the better one of each home counts.
Synthetic: set "normal" of homes.py, seeds 11 to 13, every tenth home (seed 1 with --skip).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

import numpy as np

from benchmarks.forecast import homes as real_homes
from benchmarks.shapes import homes as synthetic
from benchmarks.table import Row
from gateway.core.learning.blocks import SLOTS, Blocks
from gateway.core.learning.day_type import day_type
from gateway.core.learning.forecast import forecast_blocks
from gateway.core.learning.load_learning import fit, learn
from gateway.core.learning.load_model import LoadModel

JUDGED = 60


class Days(NamedTuple):
    """One home's load by local day and quarter hour of the clock, W (NaN = missing); `step` quarter hours are alike."""

    name: str
    first: date
    power_w: np.ndarray
    step: int


class Told(NamedTuple):
    """Our forecasts of the judged days, W, and what they cost, ms of processor time."""

    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    forecast_ms: float
    learn_ms: float
    state_bytes: int


def local_days(name: str, start: datetime, zone: ZoneInfo, power_w: np.ndarray) -> Days:
    """The hour that comes twice counts as its mean, the one that is skipped is missing."""
    at = start.timestamp() + 900.0 * np.arange(len(power_w))
    hours, back = np.unique(at // 3600, return_inverse=True)
    offset = [(datetime.fromtimestamp(h * 3600, zone).utcoffset() or timedelta()).total_seconds() for h in hours]
    local = at + np.array(offset)[back]
    first = int(local[0] // 86400)
    index = ((local - first * 86400) // 900).astype(int)
    size = (int(local[-1] // 86400) - first + 1) * SLOTS
    known = ~np.isnan(power_w)
    total, count = np.bincount(index[known], power_w[known], size), np.bincount(index[known], minlength=size)
    rows = np.where(count > 0, total / np.maximum(count, 1), np.nan).reshape(-1, SLOTS)
    step = next(s for s in (4, 2, 1) if np.nanmax(np.ptp(rows.reshape(-1, SLOTS // s, s), axis=2)) < 1e-6)
    return Days(name, date.fromordinal(date(1970, 1, 1).toordinal() + first), rows, step)


def real(folder: Path) -> list[Days]:
    return [
        local_days(home.name, home.start, home.zone, home.power_w)
        for home in real_homes(folder)
        if len(home.power_w) >= (2 * JUDGED + 30) * SLOTS
    ]


def made_up(seeds: Iterable[int], every: int) -> list[Days]:
    """What the home itself uses: the net power without its panels."""
    return [
        local_days(home.id, home.start, ZoneInfo(home.zone), home.watts.astype(float) + home.pv)
        for seed in seeds
        for number, home in enumerate(synthetic.homes("normal", seed))
        if number % every == 0
    ]


def blocks_before(days: Days, day: int, window: int = 63) -> Blocks:
    begin = max(0, day - window)
    weekday = (days.first.weekday() + np.arange(begin, day + 3)) % 7
    weekend = np.repeat((weekday >= 5)[:, None], SLOTS, axis=1)
    start = datetime.combine(days.first + timedelta(days=day), datetime.min.time(), UTC)
    return Blocks(start, days.power_w[begin:day], weekend)


def ours(days: Days, skip: int) -> Told:
    """As the hub does it: the history at once, then a day at a time; thirty days of learning before the first judged."""
    end = len(days.power_w) - skip
    first, ordinal = end - JUDGED, days.first.toordinal()
    model = fit(blocks_before(days, first - 30, 365), ordinal + first - 31)
    rows, spent = [], np.zeros(2)
    for day in range(first - 29, end):
        begin = time.process_time()
        model = learn(model, blocks_before(days, day), ordinal + day - 1)
        between = time.process_time()
        if day >= first:
            told = forecast_blocks(blocks_before(days, day), ZoneInfo("UTC"), 2 * SLOTS, model)
            spent += (time.process_time() - between, between - begin)
            rows.append([told.mean[:SLOTS], told.low[:SLOTS], told.high[:SLOTS]])
    mean, low, high = np.array(rows).swapaxes(0, 1)
    return Told(mean, low, high, *(1000 * spent / JUDGED).tolist(), len(json.dumps(model.to_document())))


def yardsticks(all_days: list[Days], skip: int, python: Path, light: bool) -> dict[str, list[np.ndarray]]:
    """Method -> forecasts of each home's judged days, W by quarter hour."""
    given: dict[str, np.ndarray] = {"judged": np.array(JUDGED)}
    for k, days in enumerate(all_days):
        rows = days.power_w[: len(days.power_w) - skip]
        given[f"p{k}"] = rows.reshape(len(rows), -1, days.step).mean(axis=2)
        given[f"w{k}"] = (days.first.weekday() + np.arange(len(rows))) % 7
        given[f"t{k}"] = np.zeros(0)
    with tempfile.TemporaryDirectory() as folder:
        np.savez(f"{folder}/in.npz", **given)
        script = Path(__file__).with_name("yardsticks.py")
        command = [str(python), str(script), f"{folder}/in.npz", f"{folder}/out.npz", *(["--light"] if light else [])]
        subprocess.run(command, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
        told = np.load(f"{folder}/out.npz")
        names = ("lightgbm",) if light else ("lightgbm", "hgb", "knn", "ets")
        return {n: [np.repeat(told[f"{n}{k}"], days.step, axis=1) for k, days in enumerate(all_days)] for n in names}


def rmse(told: np.ndarray, truth: np.ndarray) -> float:
    return float(np.sqrt(np.nanmean((told - truth) ** 2)))


def pinball(truth: np.ndarray, low: np.ndarray, high: np.ndarray) -> float:
    """The loss of the 10 and the 90 % quantile together, W."""
    below, above = truth - low, truth - high
    return float(np.nanmean(np.maximum(0.1 * below, -0.9 * below) + np.maximum(0.9 * above, -0.1 * above)))


def best_anchor(days: Days, skip: int) -> float:
    """The pinball loss of the better of the two usual bands, W."""
    power, end = days.power_w, len(days.power_w) - skip
    weekend = np.repeat((((days.first.weekday() + np.arange(len(power))) % 7) >= 5)[:, None], SLOTS, axis=1)
    usual = np.stack([day_type(power[:i], weekend, i) if i > 1 else power[0] for i in range(end)])
    kind, losses = weekend[:, 0], []
    for anchor in ("last twenty", "errors"):
        loss = []
        for day in range(end - JUDGED, end):
            if anchor == "errors":
                low, high = usual[day] + np.nanquantile((power[:end] - usual)[day - 56 : day], (0.1, 0.9), axis=0)
            else:
                low, high = np.nanquantile(power[np.flatnonzero(kind[:day] == kind[day])[-20:]], (0.1, 0.9), axis=0)
            loss.append(pinball(power[day], low, high))
        losses.append(float(np.mean(loss)))
    return min(losses)


def judged(label: str, all_days: list[Days], skip: int, python: Path | None, light: bool) -> list[Row]:
    """The rows of one set of homes, the worst home beside the mean."""
    told = [ours(days, skip) for days in all_days]
    truth = [days.power_w[len(days.power_w) - skip - JUDGED : len(days.power_w) - skip] for days in all_days]
    how = f"{len(all_days)} {label} homes, 60 days each, issued at midnight for 24 h"
    beside = yardsticks(all_days, skip, python, light) if python else {}
    found = []
    for name, theirs in beside.items():
        ratio = np.array([rmse(t.mean, y) / rmse(other, y) for t, y, other in zip(told, truth, theirs, strict=True)])
        words = f"{ratio.mean():.3f}, wins {100 * (ratio < 1).mean():.0f} %, worst home {ratio.max():.3f}"
        goal = "<= 0.96, wins >= 90 %, worst <= 1.02" if name == "lightgbm" else "beside"
        found.append(Row(f"Load a day ahead, RMSE against {name}", goal, words, f"{how}; all history for both"))
    if not beside:
        found.append(
            Row("Load a day ahead, RMSE against LightGBM", "<= 0.96", "not measured", "no yardstick environment")
        )
    held = np.array(
        [
            ((y >= t.low - 1e-9) & (y <= t.high + 1e-9))[~np.isnan(y)].mean()
            for t, y in zip(told, truth, strict=True)
        ]
    )  # fmt: skip
    within = 100 * ((held >= 0.78) & (held <= 0.82)).mean()
    words = f"mean {held.mean():.3f}, {held.min():.3f} to {held.max():.3f}; {within:.0f} % of homes within"
    found.append(Row("80 % interval of the load holds", "0.78-0.82 per home", words, how))
    loss = np.array(
        [pinball(y, t.low, t.high) / best_anchor(d, skip) for t, y, d in zip(told, truth, all_days, strict=True)]
    )
    words = f"{loss.mean():.3f}, worst home {loss.max():.3f}"
    found.append(Row("Pinball loss of the interval against the best anchor", "<= 0.95", words, how))
    return found + (cost(told) if label == "real" else [])


def cost(told: list[Told]) -> list[Row]:
    """Processor time and state on this machine."""
    draw = np.random.default_rng(0)
    blocks, spent = blocks_before(Days("year", date(2024, 1, 1), draw.gamma(0.5, 900, (365, SLOTS)), 1), 365, 365), []
    for _ in range(20):
        begin = time.process_time()
        model: LoadModel = fit(blocks, 1)
        spent.append(1000 * (time.process_time() - begin))
    ms, step = float(np.mean([t.forecast_ms for t in told])), float(np.mean([t.learn_ms for t in told]))
    state = max(*(t.state_bytes for t in told), len(json.dumps(model.to_document())))
    return [
        Row("Refit of a home-year, load forecast", "<= 20 ms", f"{np.median(spent):.1f} ms (least {min(spent):.1f})", "CPU time"),
        Row("One load forecast of 48 h / one day learned", "not slower than before", f"{ms:.1f} ms / {step:.1f} ms", "CPU time"),
        Row("State of the load forecast", "<= 16 KiB", f"{state / 1024:.1f} KiB", "JSON document, largest home"),
        Row("RSS added by a refit of a home-year and a forecast", "<= 10 MB", f"{grown_mb():.1f} MB", "peak of a process of its own over numpy and the year's array"),
    ]  # fmt: skip


def grown_mb() -> float:
    """How much the peak of a fresh process grows by a refit, a day learned and a forecast, MB."""
    script = """
import numpy as np
from benchmarks.shapes.forecast_figures import *
days = Days("year", date(2024, 1, 1), np.random.default_rng(0).gamma(0.5, 900, (366, SLOTS)), 1)
before = peak_kb()
model = learn(fit(blocks_before(days, 365, 365), 1), blocks_before(days, 366), 2)
forecast_blocks(blocks_before(days, 366), ZoneInfo("UTC"), 2 * SLOTS, model)
print((peak_kb() - before) / 1024)
"""
    root = Path(__file__).resolve().parent.parent.parent
    environment = {**os.environ, "PYTHONPATH": str(root), "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", script], cwd=root, env=environment, check=True, capture_output=True)
    return float(done.stdout)


def peak_kb() -> int:
    """The peak of this process; getrusage would tell that of the process that started it where that was larger."""
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1])


def rows(
    quick: bool, folder: Path, python: Path | None = None, skip: int = 0, every: int = 10, light: bool = False,
    thin: int = 1,
) -> list[Row]:  # fmt: skip
    """All rows; `quick` leaves the synthetic homes out, `light` all yardsticks but LightGBM; `thin`: every so manieth home."""
    found = judged("real", real(folder)[::thin], skip, python, light)
    if not quick:
        found += judged("synthetic", made_up((1,) if skip else synthetic.TEST, every), skip, python, True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--yardstick", type=Path, help="a Python with lightgbm, scikit-learn and statsmodels")
    parser.add_argument("--real", type=int, default=1, help="every how manieth real home")
    parser.add_argument("--synthetic", type=int, default=10, help="every how manieth home; 0 for none")
    parser.add_argument("--skip", type=int, default=0)
    parser.add_argument("--light", action="store_true", help="LightGBM only")
    o = parser.parse_args()
    if not o.folder.is_dir():
        parser.error(f"{o.folder} is no folder; name the one that holds the homes' *.csv or *.csv.gz")
    print("| promise | target | measured | how |\n|---|---|---|---|")
    for row in rows(o.synthetic == 0, o.folder, o.yardstick, o.skip, max(1, o.synthetic), o.light, max(1, o.real)):
        print(row.line(), flush=True)


if __name__ == "__main__":
    main()
