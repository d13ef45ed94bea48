"""Seasons of charging with outages of charger, network and gateway: is the ledger's energy the registers', every time?

    .venv/bin/python benchmarks/sessions.py [--seeds 200] [--quick]

Asserts nothing. A season is 90 days of one charger of random manners; see tests/adapters/season.py.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from adapters.sqlite.store import SqliteStore
from benchmarks.table import Row
from tests.adapters.season import Season, lost_and_doubled, merged
from tests.adapters.season_parts import BEGIN, Manners


@dataclass(frozen=True)
class Played:
    """What became of one season."""

    manners: Manners
    sessions: int
    lost: int
    doubled: int
    merged: int
    """Transactions that no message tells from the one before: booked with it."""
    still_open: int
    off_wh: float
    """Booked less true, of the whole season: what a charger never sent is lacking, kWh where its register is reset."""
    within: bool
    """Every session has the energy its messages tell, to the Wh."""
    kills: int
    repeats: int
    seconds: float

    @property
    def good(self) -> bool:
        return self.within and not (self.lost or self.doubled or self.still_open)


async def play(seed: int) -> Played:
    """One season on a database of its own."""
    with tempfile.TemporaryDirectory() as folder:
        store, began = SqliteStore.open(Path(folder) / "hearth.sqlite"), time.perf_counter()
        season = Season(store, seed)
        await season.run()
        seconds = time.perf_counter() - began
        booked = await store.sessions(BEGIN, BEGIN + timedelta(days=200))
        await store.close()
    off = sum(s.energy_wh for s in booked) - sum(run.true_wh for run in season.true)
    lost, doubled = lost_and_doubled(season, booked)
    return Played(
        season.manners, len(season.true), lost, doubled, merged(season, booked), sum(s.end is None for s in booked), off,
        not season.beyond(booked), season.kills, season.repeats, seconds,
    )  # fmt: skip


def kind(manners: Manners) -> str:
    """The manners by which the table is grouped."""
    order = "any order" if manners.version == 2 and manners.any_order else "in order"
    ids = ", garbage ids" if manners.version == 16 and manners.garbage_ids else ""
    forgets = ", forgets over a reboot" if manners.forgets else ""
    own = "per session" if manners.per_session else manners.register
    return f"{'1.6' if manners.version == 16 else '2.x'}, {order}{ids}{forgets}, register {own}"


def table(seasons: list[Played]) -> list[str]:
    """Rows by manners."""
    groups: dict[str, list[Played]] = defaultdict(list)
    for season in seasons:
        groups[kind(season.manners)].append(season)
    lines = [
        "| charger | seasons | sessions | lost | doubled | told by no message from the one before |"
        " largest difference, Wh | every session as told |",
        "|-|-|-|-|-|-|-|-|",
    ]
    for name, played in sorted(groups.items()):
        lines.append(
            f"| {name} | {len(played)} | {sum(p.sessions for p in played)} | {sum(p.lost for p in played)} |"
            f" {sum(p.doubled for p in played)} | {sum(p.merged for p in played)} | {max(abs(p.off_wh) for p in played):.0f} |"
            f" {sum(p.within for p in played)} of {len(played)} |"
        )
    return lines


def run(quick: bool, seeds: int = 200) -> tuple[list[Row], list[str]]:
    """The promise as one row, and the table behind it."""
    seasons = [asyncio.run(play(seed)) for seed in range(10 if quick else seeds)]
    good = sum(season.good for season in seasons)
    measured = (
        f"{good} of {len(seasons)} seasons: {sum(s.sessions for s in seasons)} sessions,"
        f" {sum(s.lost for s in seasons)} lost, {sum(s.doubled for s in seasons)} doubled,"
        f" {sum(s.merged for s in seasons)} booked with the one before as no message tells them apart,"
        f" {sum(s.kills for s in seasons)} kills of the gateway, {sum(s.repeats for s in seasons)} lost answers"
    )
    how = f"90 days each, random manners and outages, real book and database; {sum(s.seconds for s in seasons) / len(seasons):.1f} s a season"
    promise = "charging ledger over a season of outages"
    return [
        Row(promise, "each session's energy = its register as told, to the Wh; 0 lost, 0 doubled", measured, how)
    ], table(seasons)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--quick", action="store_true")
    asked = parser.parse_args()
    rows, lines = run(asked.quick, asked.seeds)
    print("\n".join(["| promise | target | measured | how |", "|-|-|-|-|", *(row.line() for row in rows), "", *lines]))


if __name__ == "__main__":
    main()
