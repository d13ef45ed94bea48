"""The alert loop: a heater left on is told once, in the morning, with what it costs; the owner's answer teaches."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from gateway.model.alert import AlertKind, Answer, Cause
from gateway.model.errors import WishRefused
from gateway.model.preferences import Preferences
from gateway.model.reading import Interval, IntervalQuality
from gateway.model.site import Site
from gateway.model.tariff import Rate
from gateway.runtime.alerts import Alerts
from gateway.runtime.live import Changes
from gateway.runtime.notices import Notices
from tests.fakes import FakeClock, FakeStore

NOW = datetime(2026, 5, 20, 12, tzinfo=UTC)
SITE = Site("Home", ZoneInfo("Europe/Brussels"), 50.85, 4.35, "EUR", 3, 25.0, ())
CAUSE = "alert left_on"


async def home(left_on_w: float, hours: float, now: datetime = NOW, days: int = 30) -> Alerts:
    """A home with `days` of history until `now`, and a load that began `hours` before."""
    store, clock = FakeStore(), FakeClock(now)
    dice = np.random.default_rng(1)
    rows = []
    for k in range(days * 96):
        start = now - timedelta(minutes=15 * (days * 96 - k))
        watts = 120 + 60 * (dice.random() < 0.4) + (900 if 18 <= start.hour < 21 else 0)
        watts += left_on_w if start >= now - timedelta(hours=hours) else 0
        rows.append(Interval("house", start, 900, watts / 4, 0.0, IntervalQuality.VALID, "t"))
    await store.save_intervals(rows)
    notices = Notices(store, clock, Changes())
    return Alerts(SITE, clock, store, notices, lambda when: Rate("flat", 300_000, 50_000))


async def test_a_usual_home_has_no_alert() -> None:
    alerts = await home(0, 0)
    await alerts.once()
    assert alerts.found == [] and not alerts.notices.open and alerts.learned_days >= 29


async def test_a_heater_left_on_is_told_once_with_power_begin_and_cost() -> None:
    alerts = await home(1500, 23)
    await alerts.once()
    await alerts.once()
    found = [alert for alert in alerts.found if alert.kind is AlertKind.LEFT_ON]
    assert len(found) == 1
    alert = found[0]
    assert alert.power_w == pytest.approx(1500, rel=0.1)
    assert abs(alert.begun - (NOW - timedelta(hours=23))) <= timedelta(hours=1)
    assert alert.cost_micro == pytest.approx(23 * 1.5 * 300_000, rel=0.15)
    assert alert.year_micro == pytest.approx(8766 * 1.5 * 300_000, rel=0.1)
    assert sum(alert.evidence.marked) == pytest.approx(24, abs=1)
    assert any(alert.evidence.marked) and not all(alert.evidence.marked)
    assert "without a break since" in alerts.notices.open[CAUSE].text


async def test_at_night_it_waits_for_the_morning() -> None:
    alerts = await home(1500, 23, now=NOW.replace(hour=1))
    await alerts.once()
    assert alerts.found and CAUSE not in alerts.notices.open
    alerts.clock.step(5 * 3600)  # type: ignore[attr-defined]
    alerts._tell(alerts.clock.now())
    assert CAUSE in alerts.notices.open


@pytest.mark.parametrize(("start", "end", "told"), [(time(9), time(15), False), (time(0), time(0), True), (time(15), time(9), True)])  # fmt: skip
async def test_the_owner_sets_the_quiet_hours(start: time, end: time, told: bool) -> None:
    alerts = await home(1500, 23)
    alerts.preferences = lambda: Preferences(quiet_from=start, quiet_until=end)
    await alerts.once()
    assert alerts.found and (CAUSE in alerts.notices.open) is told, "it is 14:00 there"


async def test_an_alarm_never_waits_for_the_morning() -> None:
    alerts = await home(0, 0, now=NOW.replace(hour=1))
    alerts.notices.later_raise("control", "alarm", "Something is wrong.")
    await alerts.once()
    assert "control" in alerts.notices.open


async def test_accepting_takes_back_half_of_what_dismissing_added_and_ends_the_pause() -> None:
    alerts = await home(1500, 23)
    await alerts.once()
    known = alerts.found[0].id
    await alerts.answer(known, Answer.DISMISSED)
    before = alerts._lessons[Cause(AlertKind.LEFT_ON)]
    assert "sooner" in await alerts.answer(known, Answer.ACCEPTED)
    after = alerts._lessons[Cause(AlertKind.LEFT_ON)]
    assert after.more_w == pytest.approx(before.more_w / 2) and after.muted_until is None
    for k in range(6):
        alerts._put(replace(alerts.found[0], id=f"later {k}", answer=Answer.NONE))
        await alerts.answer(f"later {k}", Answer.ACCEPTED)
    assert alerts._lessons[Cause(AlertKind.LEFT_ON)].more_w == 0, "as at first, and never below that"


async def test_no_number_of_dismissals_silences_a_kind_for_ever() -> None:
    alerts = await home(9000, 23)
    await alerts.once()
    known = next(alert for alert in alerts.found if alert.kind is AlertKind.LEFT_ON)
    for k in range(3):
        alerts._put(replace(known, id=f"later {k}"))
        await alerts.answer(f"later {k}", Answer.DISMISSED)
    assert alerts._lessons[Cause(AlertKind.LEFT_ON)].more_w == 3000


async def test_a_restart_forgets_nothing_and_tells_nothing_twice() -> None:
    alerts = await home(1500, 23)
    await alerts.once()
    again = Alerts(SITE, alerts.clock, alerts.store, alerts.notices, alerts.rate_at)
    await again.resume()
    assert again.found == alerts.found
    await again.once()
    assert [a.id for a in again.found] == [a.id for a in alerts.found]


async def test_a_dismissed_cause_is_silent_and_then_needs_more() -> None:
    alerts = await home(200, 23)
    await alerts.once()
    (known,) = alerts.found
    said = await alerts.answer(known.id, Answer.DISMISSED)
    assert "Dismissed" in said and "100 W more" in said
    assert CAUSE not in alerts.notices.open
    fresh = Alerts(SITE, FakeClock(NOW), await copied(alerts), alerts.notices, alerts.rate_at)
    await fresh.resume()
    assert fresh.found[0].answer is Answer.DISMISSED
    fresh._episodes.clear()
    fresh.found.clear()
    await fresh.once()
    assert fresh.found == [], "muted"
    fresh.clock.step(8 * 86400)  # type: ignore[attr-defined]
    assert fresh._lessons[Cause(AlertKind.LEFT_ON)].more_w == pytest.approx(100, rel=0.1)


async def copied(alerts: Alerts) -> FakeStore:
    store = FakeStore()
    assert isinstance(alerts.store, FakeStore)
    store.documents = dict(alerts.store.documents)
    store.interval_rows = dict(alerts.store.interval_rows)
    return store


async def test_an_accepted_one_is_kept_and_an_unknown_one_refused() -> None:
    alerts = await home(1500, 23)
    await alerts.once()
    assert "told again" in await alerts.answer(alerts.found[0].id, Answer.ACCEPTED)
    with pytest.raises(WishRefused, match="no alert"):
        await alerts.answer("nothing", Answer.ACCEPTED)


async def test_it_ends_a_day_after_it_was_switched_off() -> None:
    alerts = await home(1500, 23)
    await alerts.once()
    assert isinstance(alerts.store, FakeStore)
    for k in range(60 * 4):
        start = NOW + timedelta(minutes=15 * k)
        await alerts.store.save_intervals([Interval("house", start, 900, 35.0, 0.0, IntervalQuality.VALID, "t")])
    alerts.clock.step(30 * 3600)  # type: ignore[attr-defined]
    await alerts.once()
    assert alerts.found[0].ended is not None and CAUSE not in alerts.notices.open
