"""An alert's cause is its kind and its device: each has its own words, notification, evidence, answer and memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from gateway.core.learning.told import Told
from gateway.model.alert import Alert, AlertKind, Answer, Cause, Evidence
from gateway.model.reading import Interval, IntervalQuality
from gateway.model.site import Circuit, Device, Role, Site
from gateway.model.tariff import Rate
from gateway.runtime.alert_documents import document_of
from gateway.runtime.alert_past import Sign
from gateway.runtime.alert_sight import Sight
from gateway.runtime.alert_slow_facts import updated_slow
from gateway.runtime.alerts import KEPT, Alerts
from gateway.runtime.live import Changes
from gateway.runtime.notices import Notices
from tests.fakes import FakeClock, FakeStore

NOW = datetime(2026, 5, 20, 12, tzinfo=UTC)
POOL, WELL = Device("pool", "Pool pump", Role.POOL_PUMP), Device("well", "Well pump", Role.POOL_PUMP)
SITE = Site("Home", ZoneInfo("Europe/Brussels"), 50.85, 4.35, "EUR", 3, 25.0, (POOL, WELL))
BEFORE, AFTER = 60, 15
"""Days of the store before and after NOW."""
RATE = Rate("flat", 300_000, 50_000)
Watts = Callable[[datetime], float]
BY_DEVICE = [Cause(AlertKind.PUMP_DRIFT, "pool"), Cause(AlertKind.PUMP_DRIFT, "well")]


def pump(watts: float, hours: float) -> Watts:
    """A pump that runs so long from 10:00 on."""
    return lambda when: watts * (10 <= when.hour < 10 + hours)


def between(start: float, end: float, then: Watts, else_: Watts) -> Watts:
    """Something else from so many days after NOW until so many."""
    span = NOW + timedelta(days=start), NOW + timedelta(days=end)
    return lambda when: (then if span[0] <= when < span[1] else else_)(when)


async def home(pool: Watts, well: Watts) -> Alerts:
    store, clock = FakeStore(), FakeClock(NOW)
    rows = []
    for k in range((BEFORE + AFTER) * 96):
        start = NOW + timedelta(minutes=15 * k) - timedelta(days=BEFORE)
        rows += [
            Interval(name, start, 900, watts(start) / 4, 0.0, IntervalQuality.VALID, "t")
            for name, watts in (("pool", pool), ("well", well))
        ]
    await store.save_intervals(rows)
    return Alerts(SITE, clock, store, Notices(store, clock, Changes()), lambda when: RATE)


async def two_drifts() -> Alerts:
    """Both pumps run three hours longer than they did."""
    pool, well = (between(-14.6, AFTER, pump(watts, 9), pump(watts, 6)) for watts in (700, 900))
    alerts = await home(pool, well)
    await alerts.once()
    return alerts


def again(alerts: Alerts) -> Alerts:
    """The same home after a restart."""
    notices = Notices(alerts.notices.store, alerts.clock, Changes(), dict(alerts.notices.open))
    return Alerts(SITE, alerts.clock, alerts.store, notices, alerts.rate_at)


async def test_two_pumps_that_drift_are_two_alerts_with_their_own_words_notification_and_evidence() -> None:
    alerts = await two_drifts()
    pool, well = sorted(alerts.found, key=lambda alert: alert.what)
    assert [pool.cause, well.cause] == BY_DEVICE and pool.id != well.id
    assert pool.what.startswith("Pool pump has run 9.0 h") and well.what.startswith("Well pump has run 9.0 h")
    assert (pool.evidence.actual_w[-1], well.evidence.actual_w[-1]) == (pytest.approx(262.5), pytest.approx(337.5))
    assert sorted(alerts.notices.open) == ["alert pump_drift pool", "alert pump_drift well"]


async def test_dismissing_one_device_leaves_the_other_alone() -> None:
    alerts = await two_drifts()
    pool = next(alert for alert in alerts.found if alert.device == "pool")
    await alerts.answer(pool.id, Answer.DISMISSED)
    assert list(alerts.notices.open) == ["alert pump_drift well"]
    assert list(alerts._lessons) == [pool.cause]
    fresh = again(alerts)
    await fresh.resume()
    assert (fresh.found, fresh._lessons, fresh._episodes) == (alerts.found, alerts._lessons, alerts._episodes)
    await fresh.once()
    assert fresh.found == alerts.found and list(fresh.notices.open) == ["alert pump_drift well"]


async def test_a_second_device_is_told_though_the_first_ones_alert_is_still_open() -> None:
    pool = between(-14.6, 0, pump(700, 9), pump(700, 6))
    alerts = await home(pool, between(-1.6, AFTER, pump(900, 12), pump(900, 4)))
    for _ in range(14):
        await alerts.once()
        alerts.clock.step(86400)  # type: ignore[attr-defined]
    first, second = sorted(alerts.found, key=lambda alert: alert.told)
    assert first.device == "pool" and first.what.startswith("Pool pump")
    assert second.device == "well" and second.what.startswith("Well pump")
    assert second.evidence.actual_w[-1] == pytest.approx(450), "its own evidence"
    assert max(value or 0 for value in first.evidence.actual_w) == pytest.approx(262.5), "and the first keeps its own"


def kept(kind: AlertKind = AlertKind.LEFT_ON, name: str = "old", **more: object) -> Alert:
    """An alert of two days ago."""
    evidence = Evidence(NOW - timedelta(days=3), 3600, (1.0,), (1.0,), (True,))
    at = NOW - timedelta(days=2)
    alert = Alert(name, kind, at, at, 1500.0, 9.0, None, None, "EUR", "Something.", "", "", evidence)
    return replace(alert, **more)  # type: ignore[arg-type]


def before(alert: Alert) -> dict[str, object]:
    """The document of a version that knew of no devices."""
    return {name: value for name, value in document_of(alert).items() if name != "device"}


async def resumed(document: dict[str, object], *raised: str) -> Alerts:
    """A home that starts with what was kept and with open notifications."""
    store, clock = FakeStore(), FakeClock(NOW)
    await store.put("alerts", document)
    alerts = Alerts(SITE, clock, store, Notices(store, clock, Changes()), lambda when: RATE)
    for cause in raised:
        alerts.notices.later_raise(cause, "warning", "Something.")
    await alerts.resume()
    return alerts


async def test_documents_of_a_version_that_knew_no_devices_are_read_and_find_theirs() -> None:
    open_one = kept(AlertKind.PUMP_DRIFT, what="Well pump has run 9.0 h a day.", answer=Answer.DISMISSED)
    last = (NOW - timedelta(hours=1)).isoformat()
    episode = {"kind": "pump_drift", "begun": open_one.told.isoformat(), "last": last}
    lesson = {"more_w": 60.0, "muted_until": None}
    lessons = {"pump_drift": lesson, "left_on": lesson}
    alerts = await resumed({"alerts": [before(open_one), before(kept())], "episodes": [episode], "lessons": lessons})
    assert {alert.cause for alert in alerts.found} == {BY_DEVICE[1], Cause(AlertKind.LEFT_ON)}
    assert alerts._episodes[BY_DEVICE[1]].last == NOW - timedelta(hours=1)
    assert set(alerts._lessons) == {BY_DEVICE[1], Cause(AlertKind.LEFT_ON)}


async def test_what_cannot_be_read_costs_itself_only() -> None:
    odd = {"kind": "freezer", "begun": NOW.isoformat(), "last": NOW.isoformat()}
    whole = {"more_w": 60.0, "muted_until": None}
    lessons = {"freezer": whole, "spike": {}, "left_on": whole}
    alerts = await resumed({"alerts": [before(kept()), {"kind": "freezer"}], "episodes": [odd, {}], "lessons": lessons})
    assert len(alerts.found) == 1 and list(alerts._lessons) == [Cause(AlertKind.LEFT_ON)]


async def test_after_a_restart_a_notification_without_an_open_alert_is_ended() -> None:
    over, said = (
        kept(AlertKind.SPIKE, "b", ended=NOW),
        kept(AlertKind.METER, "c", device="pool", answer=Answer.ACCEPTED),
    )
    document = {"alerts": [document_of(alert) for alert in (kept(), over, said)]}
    causes = ("alert left_on", "alert spike", "alert meter pool", "alert always_on", "wiring whole")
    alerts = await resumed(document, *causes)
    assert sorted(alerts.notices.open) == ["alert left_on", "wiring whole"]


async def test_an_open_alert_is_never_pushed_out_by_those_that_are_over() -> None:
    alerts = await resumed({"alerts": [document_of(kept(told=NOW - timedelta(days=99)))]}, "alert left_on")
    for k in range(2 * KEPT):
        at = NOW - timedelta(hours=k)
        alerts._put(kept(AlertKind.SPIKE, f"s{k}", told=at, ended=at))
    assert len(alerts.found) == KEPT and alerts.found[-1].id == "old"
    assert [alert.told for alert in alerts.found] == sorted((alert.told for alert in alerts.found), reverse=True)


async def test_an_answer_to_an_old_alert_leaves_the_one_of_now_alone() -> None:
    old = kept(name="before", told=NOW - timedelta(days=9), ended=NOW - timedelta(days=8))
    alerts = await resumed({"alerts": [document_of(kept()), document_of(old)]}, "alert left_on")
    await alerts.answer("before", Answer.ACCEPTED)
    assert list(alerts.notices.open) == ["alert left_on"]
    assert [alert.answer for alert in alerts.found] == [Answer.NONE, Answer.ACCEPTED]


async def test_the_same_answer_twice_counts_once() -> None:
    alerts = await resumed({"alerts": [document_of(kept())]})
    await alerts.answer("old", Answer.DISMISSED)
    await alerts.answer("old", Answer.ACCEPTED)
    once = alerts._lessons[Cause(AlertKind.LEFT_ON)]
    assert once.more_w == pytest.approx(375)
    alerts.clock.step(60)  # type: ignore[attr-defined]
    for _ in range(4):
        assert "already" in await alerts.answer("old", Answer.ACCEPTED)
    assert alerts._lessons[Cause(AlertKind.LEFT_ON)] == once and alerts.found[0].answered == NOW


async def branch_home(circuit_w: float, main_short_w: float = 0.0) -> Alerts:
    """A pump of 600 W on a branch whose meter shows `circuit_w`; the main meter shows so much less than is used."""
    main, branch = Device("grid", "Main meter", Role.MAIN_METER), Device("sub", "Yard meter", Role.SUB_METER)
    site = replace(SITE, devices=(main, branch, replace(POOL, circuit="yard")), circuits=(Circuit("yard", "Yard", meter="sub"),))  # fmt: skip
    store, clock = FakeStore(), FakeClock(NOW)
    flows = {"grid": 600 - main_short_w, "sub": circuit_w, "pool": 600.0, "house": -main_short_w}
    for k in range(10 * 96):
        start = NOW - timedelta(minutes=15 * (k + 1))
        await store.save_intervals([
            Interval(name, start, 900, max(w, 0.0) / 4, max(-w, 0.0) / 4, IntervalQuality.VALID, "t")
            for name, w in flows.items()
        ])  # fmt: skip
    return Alerts(site, clock, store, Notices(store, clock, Changes()), lambda when: RATE)


@pytest.mark.parametrize(
    ("circuit_w", "main_short_w", "told"),
    [(600, 0, []), (400, 0, ["sub"]), (400, 200, ["sub"]), (400, 400, ["grid", "sub"]), (600, 300, ["grid"])],
)
async def test_each_meter_that_is_short_is_told_and_what_a_branch_explains_is_not_told_of_the_main_meter(
    circuit_w: float, main_short_w: float, told: list[str]
) -> None:
    alerts = await branch_home(circuit_w, main_short_w)
    await alerts._look_back(Told(), Told(), NOW)
    short = [sign.device for sign in alerts._slow.values() if "less than" in sign.what]
    assert sorted(str(device) for device in short) == told


async def test_a_meter_that_goes_wrong_in_another_way_is_shown_with_the_words_of_its_evidence() -> None:
    evidence = kept().evidence
    known = kept(AlertKind.METER, device="pool", what="It is short.")
    sight = Sight(50.0, 50.0, NOW, 1.0, replace(evidence, actual_w=(7.0,)))
    sign = Sign(AlertKind.METER, sight, "It stands still.", "Sure.", "Check.", "pool")
    after = updated_slow(known, sign, NOW, lambda when: RATE)
    assert (after.what, after.evidence.actual_w, after.power_w) == ("It stands still.", (7.0,), 50.0)
    assert after.begun == known.begun and after.id == known.id
