"""The ledger while it runs: why and from what a car charges, over restarts and late news, summing to the register."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from adapters.ocpp.live import LiveState
from adapters.ocpp.samples import Sample
from adapters.ocpp.sessions import SessionBook
from adapters.sqlite.store import SqliteStore
from gateway.core.tariff.ledger import Prices
from gateway.model.authority import Authority
from gateway.model.preferences import ChargeMode, ChargingPreference, Preferences
from gateway.model.quantity import CURRENTS, Quantity
from gateway.model.reading import Interval, IntervalQuality
from gateway.model.session import ChargeReason
from gateway.model.setpoint import Setpoint, SetpointKind
from gateway.model.site import Role
from gateway.model.snapshot import ChargePhase, ChargerStatus, DeviceState, Snapshot
from gateway.runtime.ledger import Ledger, LedgerRow
from tests.core.homes import SITE
from tests.fakes import START, FakeClock

T0 = START  # 16:30 UTC
DEAR_UNTIL = T0 + timedelta(hours=1)


def prices(when: datetime) -> Prices:
    return Prices(400_000 if when < DEAR_UNTIL else 100_000, 50_000, 300.0)


class House:
    """A home whose car charges at 6 kW, with 3 kW of sun and 3 kW from the grid."""

    def __init__(self, store: SqliteStore) -> None:
        self.store, self.clock = store, FakeClock()
        self.book = SessionBook("car", store, self.clock)
        self.ledger = self.made()
        self.mode = ChargeMode.NOW
        self.setpoint = Setpoint("car", SetpointKind.CURRENT, 9.0, T0 + timedelta(days=1), Authority.PLAN, "why")
        self.register = 1000.0

    def made(self) -> Ledger:
        return Ledger(SITE, self.clock, self.store, prices, lambda start, end: [DEAR_UNTIL])

    def snapshot(self, transaction: int) -> Snapshot:
        car = ChargerStatus("car", ChargePhase.CHARGING, True, str(transaction), power_w=6000.0)
        meter = DeviceState("meter", Role.MAIN_METER, True, 0.0, {Quantity.POWER: 3000.0})
        sun = DeviceState(
            "inverter", Role.HYBRID_INVERTER, True, 0.0, {Quantity.PV_POWER: -3000.0, Quantity.BATTERY_POWER: 0.0}
        )
        wishes = Preferences(charging={"car": ChargingPreference(mode=self.mode)})
        states = {"meter": meter, "inverter": sun}
        return Snapshot(self.clock.now(), states, {"car": car}, wishes, commanded={"car": self.setpoint})

    async def charge(self, transaction: int, minutes: int, *, watched: bool = True) -> None:
        for _ in range(minutes):
            await self.clock.advance(60)
            self.register += 100.0
            await self.book.take_register(transaction, self.register, live=True, time=self.clock.now())
            if watched:
                self.ledger.observe(self.snapshot(transaction), {})
                await self.ledger.settle()

    async def close_quarters(self, start: datetime, count: int, solar_wh: float) -> None:
        """Interval data as the intake stores them: the sun gives `solar_wh` a quarter hour, the grid 1000 Wh."""
        rows = []
        for begin in (start + timedelta(minutes=15 * i) for i in range(count)):
            used = 1000.0 + solar_wh

            def row(name: str, taken: float, given: float, begin: datetime = begin) -> Interval:
                return Interval(name, begin, 900, taken, given, IntervalQuality.VALID, "counter")

            rows += [row("meter", 1000.0, 0.0), row("inverter", 0.0, solar_wh), row("inverter/pv", 0.0, solar_wh),
                     row("solar", 0.0, solar_wh), row("car", used, 0.0), row("house", 0.0, 0.0)]  # fmt: skip
        await self.store.save_intervals(rows)

    async def only(self) -> LedgerRow:
        (row,) = await self.ledger.rows(T0 - timedelta(days=1), T0 + timedelta(days=9))
        return row


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    store = SqliteStore.open(tmp_path / "hearth.sqlite")
    yield House(store)
    await store.close()


@pytest.mark.slow
async def test_while_it_charges_the_account_follows_with_prices_sun_and_reasons(house: House) -> None:
    session = await house.book.start(1, "ANNA", "now", T0, 1000.0)
    await house.charge(session.transaction, 45)
    house.mode = ChargeMode.MIN_SOLAR
    await house.charge(session.transaction, 45)
    account = (await house.only()).account
    assert account is not None and account.energy_wh == 9000 and not account.settled
    assert account.solar_percent == pytest.approx(50, abs=1)
    grid_and_sun = 3000 * 400 + 3000 * 50 + 1500 * 100 + 1500 * 50
    assert account.cost_micro == pytest.approx(grid_and_sun, rel=0.01)
    reasons = {ChargeReason.ASKED: 4500.0, ChargeReason.MINIMUM: 4500.0}
    assert dict(account.reasons) == pytest.approx(reasons, abs=110)  # a look a minute


@pytest.mark.slow
async def test_a_restart_keeps_what_was_seen_and_what_flowed_meanwhile_is_booked_as_unwatched(house: House) -> None:
    session = await house.book.start(1, "ANNA", "now", T0, 1000.0)
    await house.charge(session.transaction, 20)
    await house.charge(session.transaction, 25, watched=False)
    house.ledger = house.made()
    await house.ledger.settle()
    await house.charge(session.transaction, 15)
    account = (await house.only()).account
    assert account is not None and account.energy_wh == 6000
    seen = dict(account.reasons)
    assert seen[ChargeReason.ASKED] + seen[ChargeReason.ALONE] == pytest.approx(6000, abs=1)
    assert 1400 <= seen[ChargeReason.ALONE] <= 2600


@pytest.mark.slow
async def test_closed_interval_data_settle_an_ended_session_and_then_nothing_changes_any_more(house: House) -> None:
    session = await house.book.start(1, "ANNA", "now", T0, 1000.0)
    await house.charge(session.transaction, 60)
    await house.book.stop(session, house.clock.now(), house.register, "Local")
    await house.close_quarters(T0, 4, solar_wh=3000.0)
    await house.ledger.settle()
    account = (await house.only()).account
    assert account is not None and account.settled and account.energy_wh == 6000
    assert account.solar_percent == pytest.approx(75)
    assert account.cost_micro == 1500 * 400 + 4500 * 50
    assert await house.ledger.settle() == 0


async def test_hours_that_a_charger_replays_late_are_accounted_at_their_own_time(house: House) -> None:
    session = await house.book.start(1, "ANNA", "now", T0, 1000.0)
    await house.clock.advance(4 * 3600)
    await house.book.take_register(session.transaction, 9000.0, live=True, time=house.clock.now())
    await house.book.stop(session, house.clock.now(), 9000.0, "Local")
    await house.close_quarters(T0, 16, solar_wh=0.0)
    await house.ledger.settle()
    before = (await house.only()).account
    at = T0 + timedelta(minutes=55)
    for minutes, register in ((20, 5000.0), (55, 9000.0)):
        when = T0 + timedelta(minutes=minutes)
        await house.book.take_register(session.transaction, register, live=False, time=when)
    await house.ledger.settle()
    after = (await house.only()).account
    assert before is not None and after is not None and at < DEAR_UNTIL
    assert before.cost_micro == 2000 * 400 + 6000 * 100 and after.cost_micro == 8000 * 400
    assert after.energy_wh == before.energy_wh == 8000


async def test_two_cars_have_accounts_that_sum_to_both_registers(house: House) -> None:
    first = await house.book.start(1, "ANNA", "a", T0, 1000.0)
    second = await house.book.start(2, "BEN", "b", T0, 70_000.0)
    await house.clock.advance(1800)
    await house.book.take_register(first.transaction, 3000.0, time=house.clock.now())
    await house.book.take_register(second.transaction, 71_500.0, time=house.clock.now())
    await house.ledger.settle()
    rows = await house.ledger.rows(T0, T0 + timedelta(hours=1))
    assert {r.session.tag: r.account.energy_wh for r in rows if r.account} == {"ANNA": 2000, "BEN": 1500}


async def test_a_session_that_a_former_version_stored_is_accounted_too(house: House) -> None:
    session = await house.book.start(1, "ANNA", "a", T0, 1000.0)
    end = T0 + timedelta(hours=2)
    old = replace(session, end=end, meter_stop_wh=5000.0, meter_last_wh=5000.0, curve=(), meter_at=None)
    await house.store.save_session(old)
    await house.clock.advance(3 * 3600)
    await house.ledger.settle()
    account = (await house.only()).account
    assert account is not None and account.cost_micro == 2000 * 400 + 2000 * 100


async def test_a_session_that_ends_is_accounted_at_once_and_until_then_its_cost_is_unknown_never_0(
    house: House,
) -> None:
    session = await house.book.start(1, "ANNA", "now", T0, 1000.0)
    keeping = asyncio.create_task(house.ledger.run())
    await house.clock.advance(5)
    house.ledger.observe(house.snapshot(session.transaction), {})
    await house.clock.advance(60)
    await house.book.take_register(session.transaction, 3000.0, live=True, time=house.clock.now())
    await house.book.stop(session, house.clock.now(), 3000.0, "Local")
    assert (await house.only()).account is None
    house.ledger.observe(replace(house.snapshot(0), chargers={}), {})
    await soon(house, lambda row: row.account is not None)
    account = (await house.only()).account
    assert account is not None and account.energy_wh == 2000 and account.cost_micro > 0
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)


async def test_a_session_that_was_told_late_is_accounted_as_soon_as_somebody_asks(house: House) -> None:
    keeping = asyncio.create_task(house.ledger.run())
    await house.clock.advance(5)
    session = await house.book.start(1, "ANNA", "now", T0 - timedelta(hours=3), 1000.0)
    await house.book.stop(session, T0 - timedelta(hours=1), 4000.0, "Local")
    assert (await house.only()).account is None
    await soon(house, lambda row: row.account is not None and row.account.energy_wh == 3000)
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)


async def soon(house: House, holds: Callable[[LedgerRow], bool]) -> None:
    """Within seconds, long before the next regular round."""
    for _ in range(200):
        await house.clock.advance(0.02)
        await asyncio.sleep(0.005)
        if holds(await house.only()):
            return
    raise AssertionError(await house.only())


async def test_an_open_session_without_energy_yet_costs_nothing_and_one_with_energy_is_not_told_for_free(
    house: House,
) -> None:
    session = await house.book.start(1, "ANNA", "now", T0, 1000.0)
    await house.ledger.settle()
    account = (await house.only()).account
    assert account is not None and account.cost_micro == 0
    await house.charge(session.transaction, 1, watched=False)
    assert (await house.only()).account is None
    await house.ledger.settle()
    account = (await house.only()).account
    assert account is not None and account.cost_micro > 0


async def test_a_car_whose_charger_tells_only_currents_is_watched_by_its_derived_power(house: House) -> None:
    live = LiveState("car", (1, 2, 3), house.clock, 10.0)
    session = await house.book.start(1, "ANNA", "now", T0, 1000.0)
    for _ in range(10):
        await house.clock.advance(60)
        house.register += 110.0
        await house.book.take_register(session.transaction, house.register, live=True, time=house.clock.now())
        live.take_sample(Sample(None, dict.fromkeys(CURRENTS, 9.6)))
        seen = house.snapshot(session.transaction)
        status = replace(seen.chargers["car"], power_w=live.power_w())
        house.ledger.observe(replace(seen, chargers={"car": status}), {})
    await house.ledger.settle()
    account = (await house.only()).account
    assert account is not None and dict(account.reasons) == {ChargeReason.ASKED: pytest.approx(1100, abs=1)}
