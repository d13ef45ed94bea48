"""The year's highest quarter hour: looked up once, kept up to date, forgotten after a year."""

from __future__ import annotations

from datetime import datetime, timedelta

from gateway.model.reading import Interval, IntervalQuality
from gateway.runtime.highest_peak import HighestPeak
from tests.core.homes import SITE
from tests.fakes import START, FakeClock, FakeStore


def quarter(start: datetime, watts: float | None) -> Interval:
    wh = None if watts is None else watts / 4
    return Interval("meter", start, 900, wh, 0.0, IntervalQuality.VALID, "counter")


async def test_the_highest_quarter_hour_of_a_year_is_known_and_grows_and_is_forgotten() -> None:
    clock, store = FakeClock(), FakeStore()
    await store.save_intervals(
        [quarter(START - timedelta(days=364), 7_000), quarter(START - timedelta(days=3), 4_000), quarter(START, None)]
    )
    peak = HighestPeak(SITE, clock, store)
    assert peak.watts() == 0
    await peak.once()
    assert peak.watts() == 7_000
    await clock.advance(2 * 86_400)
    await store.save_intervals([quarter(START + timedelta(days=1), 5_000)])
    await peak.once()
    assert peak.watts() == 5_000


async def test_a_correction_of_the_last_day_is_seen() -> None:
    clock, store = FakeClock(), FakeStore()
    await store.save_intervals([quarter(START, 9_000)])
    peak = HighestPeak(SITE, clock, store)
    await clock.advance(1_800)
    await peak.once()
    await store.save_intervals([quarter(START, 3_000)])
    await clock.advance(900)
    await peak.once()
    assert peak.watts() == 3_000
