"""The account of a charging session: whatever the order of things, its sums are the session's and stay what they were."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.tariff.ledger import Mix, Prices, Watched, account, reason_of
from gateway.model.authority import Authority
from gateway.model.plan import IntentKind
from gateway.model.session import ChargeReason, EvSession
from gateway.model.setpoint import Setpoint, SetpointKind

T0 = datetime(2026, 11, 21, 18, 0, tzinfo=UTC)
LATER = T0 + timedelta(days=1)
DEAR, CHEAP = Prices(400_000, 80_000, 300.0), Prices(100_000, 80_000, 200.0)
EDGE = T0 + timedelta(hours=2)


def prices(when: datetime) -> Prices:
    return DEAR if when < EDGE else CHEAP


def charged(*points: tuple[float, float], end_h: float | None = None) -> EvSession:
    """A session with (hours, Wh) as its curve."""
    curve = tuple((int((T0 + timedelta(hours=h)).timestamp()), wh) for h, wh in points)
    last = points[-1][1]
    end = None if end_h is None else T0 + timedelta(hours=end_h)
    return EvSession(7, "k", "car", 1, "T", T0, 0.0, last, end, None if end is None else last, curve=curve)


def made(session: EvSession, mixes=None, watched=None, kept=None):
    return account(session, [EDGE], mixes or {}, watched or {}, prices, kept, LATER)


def test_energy_is_priced_at_the_rate_of_its_time() -> None:
    found = made(charged((0, 0), (4, 4000), end_h=4))
    assert found.energy_wh == 4000 and found.cost_micro == 2 * 400_000 + 2 * 100_000
    assert found.co2_g == pytest.approx(2 * 300 + 2 * 200)


def test_sun_is_counted_at_what_it_would_have_earned_and_emits_nothing() -> None:
    quarters = {T0 + timedelta(minutes=15 * i): Mix(0.5, 0.0) for i in range(4)}
    found = made(charged((0, 0), (1, 1000), end_h=1), mixes=quarters)
    assert (found.solar_wh, found.solar_percent, found.cost_micro) == (500, 50, 200_000 + 40_000)
    assert found.co2_g == pytest.approx(150) and found.settled


def test_a_price_edge_inside_a_quarter_hour_cuts_it() -> None:
    edge = T0 + timedelta(minutes=10)
    session = charged((0, 0), (0.25, 900), end_h=0.25)
    found = account(session, [edge], {}, {}, lambda when: DEAR if when < edge else CHEAP, None, LATER)
    assert [(part.end - part.start).total_seconds() for part in found.slices] == [600, 300]
    assert found.cost_micro == (600 * 400 + 300 * 100)


def test_a_later_change_of_the_tariff_does_not_change_what_was_booked() -> None:
    session = charged((0, 0), (1, 1000), end_h=1)
    before = made(session)
    after = account(session, [EDGE], {}, {}, lambda when: Prices(9_000_000, 0, 0.0), before, LATER)
    assert after == before


def test_a_utilitys_price_that_nobody_tells_of_any_more_stays_where_it_was_booked() -> None:
    session = charged((0, 0), (0.25, 900), end_h=0.25)
    edge = T0 + timedelta(minutes=10)
    before = account(session, [edge], {}, {}, lambda when: DEAR if when < edge else CHEAP, None, LATER)
    after = account(session, [], {}, {}, lambda when: DEAR, before, LATER)
    assert after == before


def test_energy_that_comes_late_is_booked_at_its_own_time() -> None:
    early = made(charged((0, 0), (1, 1000), (4, 1000), end_h=4))
    late = made(charged((0, 0), (1, 1000), (3, 1000), (4, 2000), end_h=4), kept=early)
    assert late.cost_micro - early.cost_micro == 100_000


def test_reasons_share_the_energy_by_what_was_seen_and_the_rest_flowed_unseen() -> None:
    seen = {T0: Watched({ChargeReason.CHEAP: 30.0, ChargeReason.ASKED: 10.0}, 20.0, 0.0, 40.0)}
    found = made(charged((0, 0), (0.5, 1000), end_h=0.5), watched=seen)
    assert found.reasons == ((ChargeReason.ALONE, 500), (ChargeReason.CHEAP, 375), (ChargeReason.ASKED, 125))
    assert found.solar_wh == 250 and not found.slices[0].measured


def test_what_was_seen_gives_way_to_closed_interval_data_and_the_reasons_stay() -> None:
    session = charged((0, 0), (0.25, 1000), end_h=0.25)
    first = made(session, watched={T0: Watched({ChargeReason.SUN: 1.0}, 1.0, 0.0, 1.0)})
    second = made(session, mixes={T0: Mix(0.8, 0.1)}, kept=first)
    assert (first.solar_wh, second.solar_wh, second.battery_wh, second.grid_wh) == (1000, 800, 100, 100)
    assert second.reasons == first.reasons and second.settled


def test_a_session_stored_without_a_curve_is_spread_evenly() -> None:
    session = replace(charged((0, 0), (4, 4000), end_h=4), curve=())
    assert made(session).cost_micro == 2 * 400_000 + 2 * 100_000


WISH = Setpoint("car", SetpointKind.CURRENT, 16.0, LATER, Authority.PLAN, "why")


@pytest.mark.parametrize(
    ("setpoint", "mode", "intent", "cheap", "reason"),
    [
        (None, "smart", None, False, ChargeReason.ALONE),
        (replace(WISH, value=0.0), "smart", IntentKind.HOLD, True, ChargeReason.STOPPING),
        (WISH, "now", None, True, ChargeReason.ASKED),
        (WISH, "solar", None, False, ChargeReason.SUN),
        (WISH, "min_solar", None, False, ChargeReason.MINIMUM),
        (WISH, "smart", IntentKind.CHARGE_AT, True, ChargeReason.CHEAP),
        (WISH, "smart", IntentKind.CHARGE_AT, False, ChargeReason.PLANNED),
        (WISH, "smart", IntentKind.SURPLUS_ONLY, False, ChargeReason.SUN),
        (WISH, "smart", None, False, ChargeReason.UNPLANNED),
        (replace(WISH, authority=Authority.OWNER_FLOOR), "smart", IntentKind.HOLD, False, ChargeReason.READY),
        (replace(WISH, authority=Authority.OWNER_OVERRIDE), "off", None, False, ChargeReason.ASKED),
        (replace(WISH, authority=Authority.DEMAND_RESPONSE), "now", None, False, ChargeReason.EVENT),
        (replace(WISH, authority=Authority.ELECTRICAL_SAFETY), "now", None, False, ChargeReason.FUSE),
    ],
)
def test_why_a_car_charges_follows_from_who_commanded_it(setpoint, mode, intent, cheap, reason) -> None:
    assert reason_of(setpoint, mode, intent, cheap, False) is reason


rises = st.lists(st.tuples(st.integers(1, 4000), st.floats(0, 3000)), min_size=1, max_size=30)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(rises, st.lists(st.integers(0, 40_000), max_size=4), st.floats(0, 1))
def test_whatever_the_cuts_the_slices_sum_to_the_session_and_made_again_nothing_changes(steps, cuts, solar) -> None:
    at, wh, curve = int(T0.timestamp()) + 17, 0.0, [(int(T0.timestamp()) + 17, 0.0)]
    for seconds, more in steps:
        at, wh = at + seconds, wh + more
        curve.append((at, wh))
    end = datetime.fromtimestamp(at, UTC)
    session = EvSession(1, "k", "car", 1, "T", T0, 0.0, wh, end, wh, curve=tuple(curve))
    edges = sorted(T0 + timedelta(seconds=cut) for cut in cuts)
    mixes = {T0 + timedelta(minutes=15 * i): Mix(solar, (1 - solar) / 2) for i in range(200)}
    found = account(session, edges, mixes, {}, prices, None, end)
    assert found.energy_wh == pytest.approx(wh, abs=0.001)
    assert sum(energy for _, energy in found.reasons) == pytest.approx(wh, abs=0.01)
    assert found.solar_wh + found.battery_wh + found.grid_wh == pytest.approx(found.energy_wh, abs=0.01)
    assert account(session, edges, mixes, {}, prices, found, end) == found
