"""A month of metering with everything that goes wrong: every day's energy is what its counter says, or is marked."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from adapters.sqlite.store import SqliteStore
from gateway.model.reading import Interval
from tests.runtime.month import Month, Register, Trouble, amount, by_day, is_exact

RESOLUTION_WH = 2.0
"""A register shows whole Wh: the difference of two is right to so much."""
HOUR, DAY = 60, 1440
OCTOBER, MARCH = datetime.fromisoformat("2026-10-01"), datetime.fromisoformat("2027-03-25")


@asynccontextmanager
async def a_month(folder: Path, first: datetime, days: int, trouble: Trouble) -> AsyncIterator[Month]:
    store = SqliteStore.open(folder / "month.sqlite")
    try:
        month = Month(store, first, days, trouble)
        await month.run()
        yield month
    finally:
        await store.close()


def wrong_quarters(month: Month, register: Register, rows: list[Interval]) -> list[str]:
    """Quarter hours that claim to be exact and are not."""
    return [
        f"{register.device} {row.start:%d %H:%M} says {amount(register, row):.1f} Wh ({row.method}), in truth {true:.1f}"
        for row in rows
        if is_exact(row)
        and (true := month.true_wh(register, row.start, row.end)) is not None
        and abs((amount(register, row) or 0.0) - true) > RESOLUTION_WH
    ]


def wrong_days(month: Month, register: Register, rows: list[Interval]) -> list[str]:
    """Days, or runs of days with marked quarters, whose energy is not conserved."""
    found, told, true, unknown, since = [], 0.0, 0.0, 0.0, month.days[0]
    for begin, end, quarters in by_day(month, rows):
        told += sum(amount(register, row) or 0.0 for row in quarters)
        true += month.true_wh(register, begin, end)
        unknown += month.unknown_wh(register, begin, end)
        last_is_marked = not quarters or not is_exact(quarters[-1])
        if last_is_marked:  # a gap over midnight: the days share its energy
            continue
        if abs(told - true) > unknown + RESOLUTION_WH:
            found.append(
                f"{register.device} {register.quantity.value} {since:%m-%d %H:%M} to {end:%m-%d %H:%M}:"
                f" {told:.1f} Wh, in truth {true:.1f}, untellable {unknown:.1f}"
            )
        told = true = unknown = 0.0
        since = end
    return found


async def violations(month: Month) -> list[str]:
    """Everything in the store that is not as it must be."""
    found = []
    for register in month.registers:
        rows = await month.intervals(register.device)
        starts = [row.start for row in rows]
        if len(set(starts)) != len(starts):
            found.append(f"{register.device}: a quarter hour is there twice")
        expected = int((month.days[-1] - month.days[0]).total_seconds()) // 900
        if len(rows) != expected:
            found.append(f"{register.device}: {len(rows)} quarter hours instead of {expected}")
        found += [f"{row.device} {row.start}: negative" for row in rows if (amount(register, row) or 0.0) < 0]
        found += wrong_quarters(month, register, rows)
        found += wrong_days(month, register, rows)
    return found + await open_remainders(month)


async def open_remainders(month: Month) -> list[str]:
    """Quarter hours in which the house is not what is left of the grid."""
    house = {row.start: row for row in await month.intervals("house")}
    parts = {name: {row.start: row for row in await month.intervals(name)} for name in ("meter", "pv", "boiler")}
    found = []
    for start, row in house.items():
        nets = {name: rows[start].net_wh if start in rows else None for name, rows in parts.items()}
        if nets["meter"] is None:
            continue
        left = nets["meter"] - (nets["pv"] or 0.0) - (nets["boiler"] or 0.0)
        if row.net_wh is None or abs(row.net_wh - left) > 0.01:
            found.append(f"house {start:%d %H:%M}: {row.net_wh} Wh, the rest of the grid is {left:.2f} ({row.method})")
    return found


def at(day: int, hour: float) -> int:
    """Minutes from the start to an hour of a day, both from 0."""
    return int(day * DAY + hour * HOUR)


ALL = Trouble(
    silences=(("meter", at(2, 11), 5), ("meter", at(4, 9), 180), ("meter", at(6, 20), 26 * HOUR),
              ("pv", at(9, 10), 90), ("boiler", at(26, 3), 45)),
    kills=((at(1, 7.25), 2), (at(3, 23.99), 4), (at(5, 13.31), 1), (at(10, 0.02), 12), (at(24, 22.5), 200),
           (at(27, 6.6), 3)),
    restarts_register=(("boiler", at(11, 3.4), 0.0), ("meter", at(13, 10), 12.0), ("pv", at(15, 12), 77_000_000.0)),
    clock_steps=((at(17, 11), 7200.0), (at(17, 11.5), -7200.0), (at(19, 15), -3600.0), (at(19, 15.75), 3600.0)),
    repeats=frozenset(range(at(20, 8), at(20, 10))),
    delays=frozenset(range(at(21, 8), at(21, 10), 5)),
    spikes=(("meter", at(22, 9.1), 500_000.0), ("pv", at(22, 11.1), -1e9), ("boiler", at(22, 3.6), 30_000.0)),
)  # fmt: skip


@pytest.mark.slow
async def test_a_month_with_everything_that_goes_wrong_adds_up_day_by_day(tmp_path: Path) -> None:
    async with a_month(tmp_path, OCTOBER, 31, ALL) as month:
        assert month.minutes == 31 * DAY + HOUR, "the month has a day of 25 hours"
        assert await violations(month) == []


TROUBLES = {
    "nothing": Trouble(),
    "silent 5 min": Trouble(silences=(("meter", at(1, 11), 5),)),
    "silent 3 h": Trouble(silences=(("meter", at(1, 9), 180),)),
    "silent 26 h": Trouble(silences=(("meter", at(0, 20), 26 * HOUR),)),
    "silent over a kill": Trouble(silences=(("meter", at(1, 9), 180),), kills=((at(1, 10), 3),)),
    "kills": Trouble(kills=((at(0, 7.25), 2), (at(0, 23.99), 4), (at(1, 13.31), 1), (at(2, 0.02), 12))),
    "down 5 h": Trouble(kills=((at(1, 9), 300),)),
    "reset": Trouble(restarts_register=(("boiler", at(1, 3.4), 0.0),)),
    "swap to a lower register": Trouble(restarts_register=(("meter", at(1, 10), 12.0),)),
    "swap to a higher register": Trouble(restarts_register=(("pv", at(1, 12), 77_000_000.0),)),
    "clock 2 h ahead": Trouble(clock_steps=((at(1, 11), 7200.0), (at(1, 11.5), -7200.0))),
    "clock 1 h behind": Trouble(clock_steps=((at(1, 15), -3600.0), (at(1, 15.75), 3600.0))),
    "repeated": Trouble(repeats=frozenset(range(at(1, 8), at(1, 10)))),
    "late": Trouble(delays=frozenset(range(at(1, 8), at(1, 10), 5))),
    "spikes": Trouble(spikes=(("meter", at(1, 9.1), 5e5), ("pv", at(1, 11.1), -1e9), ("boiler", at(1, 3.6), 3e4))),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", TROUBLES)
async def test_each_trouble_by_itself_leaves_the_days_whole(name: str, tmp_path: Path) -> None:
    async with a_month(tmp_path, MARCH, 3, TROUBLES[name]) as month:
        assert await violations(month) == []


@pytest.mark.slow
async def test_the_day_of_23_hours_adds_up(tmp_path: Path) -> None:
    kills = tuple((at(day, random.Random(day).uniform(0, 24)), 2) for day in range(6))
    async with a_month(tmp_path, MARCH, 6, Trouble(kills=kills)) as month:
        assert month.minutes == 6 * DAY - HOUR
        assert await violations(month) == []


@pytest.mark.slow
async def test_a_quarter_hour_that_says_too_much_is_found(tmp_path: Path) -> None:
    async with a_month(tmp_path, MARCH, 1, TROUBLES["nothing"]) as month:
        row = (await month.intervals("boiler"))[14]
        await month.store.save_intervals([replace(row, import_wh=(row.import_wh or 0.0) + 5.0)])
        assert [words.split()[0] for words in await violations(month)] == ["boiler", "boiler", "house"]
