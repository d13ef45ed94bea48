"""How well the habits of cars and people are known, on made-up ones: nobody's real sessions or presence are at hand.

    python benchmarks/shapes/habits_figures.py [--homes 40]

Cars: commuters with an hour of arrival and departure of their own, scattered, home office some days, a share of days
without plugging in, energy after the way they drove; eight weeks to learn, four to judge. Beside: the same hour a week
ago, and the car's overall share of time plugged in. People: the days on which nobody is at home in set "normal" of
homes.py, seed 1 (there the truth is known by day only). Prints a table; asserts nothing.
"""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

import numpy as np

from benchmarks.shapes import homes as synthetic
from benchmarks.table import Row
from gateway.core.learning.ev_habit import learn_ev, stays_of
from gateway.core.learning.local_hours import local_hours
from gateway.core.learning.occupancy import DAYS, levels, present
from gateway.model.habits import EvHabit
from gateway.model.session import EvSession

ZONE = ZoneInfo("Europe/Brussels")
END = datetime(2026, 5, 25, tzinfo=ZONE)
LEARNED, JUDGED = 56, 28
SEED = 5


def lived(draw: np.random.Generator) -> list[EvSession]:
    """Twelve weeks of one car."""
    came_h, away_h = draw.normal(17.8, 1.2), draw.normal(9.5, 1.0)
    scatter, lazy, office = draw.uniform(0.2, 1.2), draw.uniform(0, 0.5), draw.integers(0, 5, draw.integers(0, 3))
    found, free = [], END - timedelta(days=LEARNED + JUDGED + 1)
    for number in range(LEARNED + JUDGED):
        day = END - timedelta(days=LEARNED + JUDGED - number)
        weekend = day.weekday() >= 5
        came = day + timedelta(hours=float(draw.normal(came_h, scatter) if not weekend else draw.normal(16, 3)))
        stay = 24 - away_h + float(draw.normal(0, scatter))
        if day.weekday() in office or draw.random() < (0.6 if weekend else lazy) or came < free:
            continue
        free = came + timedelta(hours=stay)
        wh = float(draw.gamma(6, 1500))
        found.append(
            EvSession(number, f"{number}", "car", 1, "", came.astimezone(UTC), 0.0, wh, free.astimezone(UTC), wh)
        )
    return found


def cars(count: int) -> list[Row]:
    """Brier score of being plugged in by the hour, how the chances hold, and the bands of arrival and energy."""
    draw, day = np.random.default_rng(SEED), END - timedelta(days=JUDGED)
    told, truth, week_ago, flat, held, came = [], [], [], [], [], []
    for _ in range(count):
        sessions = lived(draw)
        habit = learn_ev("car", [s for s in sessions if s.end and s.end <= day], day.astimezone(UTC), ZONE)
        if not isinstance(habit, EvHabit):
            continue
        grid = local_hours(END.date(), LEARNED + JUDGED, ZONE)
        here = grid.share([(s.start, s.end) for s in sessions if s.end])
        truth.append(here[LEARNED:])
        told.append(np.array([habit.plugged[(day.weekday() + n) % 7] for n in range(JUDGED)]))
        week_ago.append(here[LEARNED - 7 : -7])
        flat.append(np.full_like(truth[-1], here[:LEARNED].mean()))
        for stay in stays_of([s for s in sessions if s.start >= day], END.astimezone(UTC)):
            local = stay.start.astimezone(ZONE)
            of = habit.on(local)
            held.append(of.energy_wh.low <= stay.energy_wh <= of.energy_wh.high)
            at = local.hour + local.minute / 60
            came.append((at - of.arrival_h.low) % 24 <= (of.arrival_h.high - of.arrival_h.low) % 24)
    y, p = np.array(truth), np.array(told)
    brier = [float(((x - y) ** 2).mean()) for x in (p, np.array(week_ago), np.array(flat))]
    bins = (p * 10).astype(int).clip(0, 9)
    off = sum(abs(float((p - y)[bins == b].sum())) for b in range(10)) / y.size
    how = f"{len(truth)} made-up cars, seed {SEED}, {LEARNED} days to learn, {JUDGED} judged"
    words = (
        f"Brier {brier[0]:.3f}; a week ago {brier[1]:.3f}, overall share {brier[2]:.3f}; calibration error {off:.3f}"
    )
    return [
        Row("Car plugged in, by the hour", "better than both", words, how),
        Row("80 % band of a stay's energy holds", "0.78-0.82", f"{np.mean(held):.3f}", f"{len(held)} stays; {how}"),
        Row("80 % band of the arrival holds", "0.78-0.82", f"{np.mean(came):.3f}", f"{len(came)} stays; {how}"),
    ]


def people(every: int) -> Row:
    """The share of the hours 7-22 that seem lived in, on days when somebody is at home and on days when nobody is."""
    there, gone = [], []
    for number, home in enumerate(synthetic.homes("normal", 1)):
        if number % every:
            continue
        used = np.add.reduceat((home.watts + home.pv)[: home.bounds[-1]], np.arange(0, home.bounds[-1], 4)) / 4
        days = [used[a // 4 : b // 4] for a, b in zip(home.bounds[:-1], home.bounds[1:], strict=True)]
        whole = np.array([np.resize(row, 24) for row in days])
        for first in range(0, len(whole) - DAYS, DAYS):
            part = whole[first : first + DAYS]
            seen = np.nanmean(present(part, levels(part)[1])[:, 7:22], axis=1)
            labels = np.array(home.day_labels[first : first + DAYS])
            gone += seen[labels == "away"].tolist()
            there += seen[labels != "away"].tolist()
    mark = 0.25
    words = (
        f"{np.nanmean(there):.2f} of the hours at home, {np.nanmean(gone):.2f} away; "
        f"under {mark}: {np.mean(np.array(gone) < mark):.2f} of {len(gone)} away days, {np.mean(np.array(there) < mark):.2f} of the others"
    )
    return Row("Somebody at home, estimated from the load", "beside", words, f"every {every}. home of normal, seed 1")


def rows(quick: bool, count: int = 40) -> list[Row]:
    """All rows; `quick` takes few homes."""
    return [*cars(10 if quick else count), people(40 if quick else 8)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--homes", type=int, default=40)
    print("| promise | target | measured | how |\n|---|---|---|---|")
    for row in rows(False, parser.parse_args().homes):
        print(row.line(), flush=True)


if __name__ == "__main__":
    main()
