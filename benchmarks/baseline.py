"""Placebo error of each baseline method on real homes beside the plain 10-in-10, and how far its interval holds.

    python benchmarks/baseline.py [FOLDER] [--events 12]

Without FOLDER the homes that ship in firmware_sim/data; FOLDER holds *.csv.gz like them: a column `timestamp` or
`start_utc` (UTC), one column of mean power per home (kW where the file's name says so, else W), outdoor temperature in
a column that says so. Events are the working days of the coldest (winter: 17-20 h) or hottest (summer: 16-20 h) days
of each home, local time; nobody responded, so every difference is error. Prints tables; asserts nothing.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from gateway.core.demand_response.baseline.history import History  # noqa: E402
from gateway.core.demand_response.baseline.methods import DEFAULT, METHODS  # noqa: E402
from gateway.core.demand_response.baseline.placebo import HISTORY_DAYS, choose, placebos, with_error  # noqa: E402
from gateway.core.demand_response.baseline.rows import Baseline, energy_in  # noqa: E402
from gateway.model.reading import Interval, IntervalQuality  # noqa: E402

ZONE = ZoneInfo("Europe/Brussels")
PLAIN = "10-in-10 plain"
CHOSEN = "chosen per home"
SEASONS = {"winter": ((17, 20), (1, 2, 3, 11, 12)), "summer": ((16, 20), (5, 6, 7, 8, 9))}


@dataclass
class Home:
    """One home's quarter hours as intervals, and the outdoor temperature by hour."""

    name: str
    intervals: list[Interval]
    temperature_c: dict[int, float]
    first: date
    last: date

    def history(self, day: date) -> History:
        """What is known before and on a day."""
        since = datetime.combine(day - timedelta(days=HISTORY_DAYS + 1), time(), ZONE)
        until = datetime.combine(day + timedelta(days=1), time(), ZONE)
        return History([x for x in self.intervals if since <= x.start < until], ZONE, temperature_c=self.temperature_c)


def shipped() -> Iterator[Home]:
    """The homes of firmware_sim/data."""
    folder = ROOT / "firmware_sim" / "data"
    (times, loads, outdoor) = _read(folder / "home_60min_2016.csv.gz")
    yield from _homes(times, {"3aa4": loads["load_w"]}, outdoor)
    (times, loads, _) = _read(folder / "more_homes_60min_2016.csv.gz")
    yield from _homes(times, {name.removesuffix("_w"): values for name, values in loads.items()}, outdoor)


def given(folder: Path) -> Iterator[Home]:
    """The homes of every file of a folder."""
    for path in sorted(folder.glob("*.csv.gz")):
        times, loads, outdoor = _read(path)
        if (times[1] - times[0]).total_seconds() >= 900:
            yield from _homes(times, loads, outdoor)


def _read(path: Path) -> tuple[list[datetime], dict[str, list[float]], dict[int, float]]:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    header, rows = rows[0], rows[1:]
    factor = 1000.0 if "_kw" in path.name else 1.0
    times = [datetime.fromisoformat(row[0]) for row in rows]
    times = [when if when.tzinfo else when.replace(tzinfo=UTC) for when in times]
    loads, outdoor = {}, {}
    for column, name in enumerate(header[1:], 1):
        if "temperature" in name or name == "outdoor_c":
            outdoor = {
                int(t.timestamp()) // 3600: float(r[column]) for t, r in zip(times, rows, strict=True) if r[column]
            }
        elif not any(word in name.lower() for word in ("irradiance", "pv")):
            loads[name] = [float(row[column]) * factor if row[column] else float("nan") for row in rows]
    return times, loads, outdoor


def _homes(times: list[datetime], loads: dict[str, list[float]], outdoor: dict[int, float]) -> Iterator[Home]:
    step = int((times[1] - times[0]).total_seconds())
    for name, watts in loads.items():
        found = [
            Interval(name, start + timedelta(seconds=900 * i), 900, value / 4, 0.0, IntervalQuality.VALID, "counter")
            for start, value in zip(times, watts, strict=True)
            if value == value
            for i in range(step // 900)
        ]
        if found:
            yield Home(name, found, outdoor, found[0].start.date(), found[-1].start.date())


def events(home: Home, season: str, most: int) -> list[date]:
    """The coldest or hottest working days of a season with a past, the most extreme first."""
    _, months = SEASONS[season]
    day, found = home.first + timedelta(days=70), []
    whole = History([], ZONE, temperature_c=home.temperature_c)
    while day < home.last:
        if day.month in months and day.weekday() < 5:
            high = whole.highest_c(day)
            if high is not None:
                found.append((high if season == "winter" else -high, day))
        day += timedelta(days=1)
    return [day for _, day in sorted(found)[:most]]


@dataclass
class Error:
    """Expected and true energy of one slot or event, Wh."""

    expected: float
    actual: float


class Table:
    """Errors by method, home and season."""

    def __init__(self) -> None:
        self.slots: dict[tuple[str, str], dict[str, list[Error]]] = {}
        self.sums: dict[tuple[str, str], dict[tuple[date, int], Error]] = {}
        self.inside: dict[str, list[bool]] = {}
        self.widths: dict[str, list[float]] = {}
        self.chosen: dict[str, int] = {}
        self.cut: dict[str, list[Interval]] = {}
        """The intervals of the event's hours, by home."""

    def note(self, season: str, method: str, home: Home, day: date, found: Baseline) -> None:
        """Hold one event's baseline against the meter."""
        rows = [(row.energy_wh, energy_in(self.part(home, found), row.start, row.end)) for row in found.rows]
        key = (season, method)
        for slot, (expected, actual) in enumerate(rows):
            if actual is None:
                return
            self.slots.setdefault(key, {}).setdefault(home.name, []).append(Error(expected, actual))
            total = self.sums.setdefault(key, {}).setdefault((day, slot), Error(0.0, 0.0))
            total.expected, total.actual = total.expected + expected, total.actual + actual
        if found.low_wh is not None and found.high_wh is not None:
            truth = sum(actual for _, actual in rows if actual is not None)
            self.inside.setdefault(method, []).append(found.low_wh <= truth <= found.high_wh)
            self.widths.setdefault(method, []).append(found.high_wh - found.low_wh)

    def part(self, home: Home, found: Baseline) -> list[Interval]:
        """The intervals of the event's day."""
        low, high = found.rows[0].start - timedelta(hours=1), found.rows[-1].end
        return [x for x in self.cut[home.name] if low <= x.start < high]

    def lines(self, season: str) -> Iterator[str]:
        """The rows of one season."""
        for method in (PLAIN, *METHODS, CHOSEN):
            homes = self.slots.get((season, method), {})
            if not homes:
                continue
            pairs = [(cvrmse(errors), abs(bias(errors))) for errors in homes.values() if sum(e.actual for e in errors)]
            own, own_bias = (float(np.median([pair[i] for pair in pairs])) for i in (0, 1))
            together = list(self.sums[season, method].values())
            cover = self.inside.get(method, [])
            yield (
                f"| {season} | {method} | {own:.3f} / {own_bias:.3f} | {cvrmse(together):.3f} / {bias(together):+.3f} "
                f"| {100 * np.mean(cover):.0f} % of {len(cover)}, {np.mean(self.widths[method]) / 1000:.2f} kWh |"
                if cover
                else f"| {season} | {method} | {own:.3f} / {own_bias:.3f} | {cvrmse(together):.3f} / {bias(together):+.3f} | |"
            )


def cvrmse(errors: Sequence[Error]) -> float:
    """Root mean square error of a slot as a share of the mean slot."""
    misses = np.array([e.expected - e.actual for e in errors])
    mean = abs(np.mean([e.actual for e in errors]))
    return float(np.sqrt(np.mean(misses**2)) / mean)


def bias(errors: Sequence[Error]) -> float:
    """What all slots together were expected too high, as a share."""
    return sum(e.expected - e.actual for e in errors) / abs(sum(e.actual for e in errors))


def run(homes: Sequence[Home], most: int, told: Callable[[str], None]) -> Table:
    """Every method on every event of every home; the choice is made per home and kept from event to event."""
    table = Table()
    for home in homes:
        for season, (hours, _) in SEASONS.items():
            current = DEFAULT
            for day in sorted(events(home, season, most)):
                start, end = (datetime.combine(day, time(hour), ZONE).astimezone(UTC) for hour in hours)
                history = home.history(day)
                table.cut[home.name] = [x for x in home.intervals if start <= x.start < end]
                if len(table.cut[home.name]) < (hours[1] - hours[0]) * 4:
                    continue
                found = {name: method(history, start, end) for name, method in METHODS.items()}
                scores = {name: placebos(history, start, end, name) for name in METHODS}
                current = choose(scores, current)
                table.chosen[current] = table.chosen.get(current, 0) + 1
                table.note(season, PLAIN, home, day, _plain(found[DEFAULT]))
                for name, made in found.items():
                    if made.rows:
                        table.note(season, name, home, day, with_error(made, scores[name]))
                if found[current].rows:
                    table.note(season, CHOSEN, home, day, with_error(found[current], scores[current]))
        told(home.name)
    return table


def _plain(adjusted: Baseline) -> Baseline:
    """10-in-10 without its same-day factor."""
    rows = tuple(type(row)(row.start, row.duration_s, row.energy_wh / adjusted.adjustment) for row in adjusted.rows)
    return Baseline(rows, 1.0, adjusted.days, PLAIN)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--events", type=int, default=12)
    given_here = parser.parse_args()
    homes = list(given(given_here.folder) if given_here.folder else shipped())
    table = run(homes, given_here.events, lambda name: print(f"{name} ", end="", file=sys.stderr, flush=True))
    print(f"{len(homes)} homes, {given_here.events} events a season")
    print(
        "| season | method | per home CVRMSE / bias (median) | all together CVRMSE / bias | 80 % interval holds, width |"
    )
    print("|---|---|---|---|---|")
    for season in SEASONS:
        for line in table.lines(season):
            print(line)
    print("chosen:", ", ".join(f"{name} {count}" for name, count in sorted(table.chosen.items())))


if __name__ == "__main__":
    main()
