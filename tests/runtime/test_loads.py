"""What is remembered of pumps, tanks and appliances: counted at each tick, kept, and taken up after a restart."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

import pytest

from gateway.model.errors import StoreError, WishRefused
from gateway.model.loads import RunPhase, next_window
from gateway.model.preferences import ComfortSpan, Preferences
from gateway.model.quantity import Quantity as Q
from gateway.model.setpoint import Setpoint, SetpointKind
from gateway.model.site import ApplianceSpec, Device, PoolPumpSpec, Role
from gateway.model.snapshot import DeviceState, Snapshot
from gateway.runtime.appliance_wishes import ApplianceWishes
from gateway.runtime.load_watch import LoadWatch
from gateway.runtime.wish_check import check
from gateway.runtime.wish_documents import preferences_document, preferences_from
from tests.core.homes import SITE
from tests.fakes import START, FakeClock, FakeStore

HOUR = timedelta(hours=1)
PUMP = PoolPumpSpec(1_100, 6, time(9), time(18), 1.0)
POOL = Device("pool", "Pool pump", Role.POOL_PUMP, PUMP)
WASH = Device("wash", "Dishwasher", Role.APPLIANCE, ApplianceSpec((2_000, 100, 1_800, 100), 900))
HOME = replace(SITE, devices=(*SITE.devices, POOL, WASH))


def switch(device: str, value: float) -> Setpoint:
    return Setpoint(device, SetpointKind.SWITCH, value, START + 24 * HOUR, 7, "test")  # type: ignore[arg-type]


def seen(now: datetime, *, pool_w: float | None = 0.0, wash_w: float = 0.0, water_c: float = 50.0, told: float = 0.0):
    devices = {
        "pool": DeviceState("pool", Role.POOL_PUMP, pool_w is not None, 1.0, {Q.POWER: pool_w or 0.0}),
        "wash": DeviceState("wash", Role.APPLIANCE, True, 1.0, {Q.POWER: wash_w, Q.ON: float(wash_w > 0)}),
        "tank": DeviceState("tank", Role.WATER_HEATER, True, 1.0, {Q.TEMPERATURE: water_c}),
    }
    return Snapshot(now, devices, {}, Preferences(), commanded={"wash": switch("wash", told)})


class World:
    """A clock, a store, and what remembers."""

    def __init__(self, store: FakeStore | None = None, now: datetime = START) -> None:
        self.clock, self.store = FakeClock(now), store or FakeStore()
        self.causes: list[str] = []
        self.wishes = ApplianceWishes(HOME, self.clock, self.store, self.causes.append)
        self.watch = LoadWatch(HOME, self.clock, self.store)

    async def pass_(self, seconds: float, value: float = 0.0, **change) -> None:
        """One tick later, in which the dishwasher's relay is wished `value`."""
        await self.clock.advance(seconds)
        snapshot = seen(self.clock.now(), **change)
        setpoints = {"wash": switch("wash", value)}
        self.wishes.observe(snapshot, setpoints)
        self.watch.observe(snapshot, setpoints)


# --- appliances


async def test_a_wish_is_committed_before_it_is_promised():
    world = World()
    run = await world.wishes.ask("wash", None, START + 14 * HOUR, "owner")
    assert run.phase is RunPhase.WAITING and world.causes == ["appliance"]
    again = World(world.store)
    await again.wishes.resume()
    assert again.wishes.runs["wash"] == run


async def test_a_wish_that_cannot_be_kept_is_not_promised():
    world = World()
    world.store.broken = True
    with pytest.raises(StoreError):
        await world.wishes.ask("wash", None, START + 14 * HOUR, "owner")
    assert world.wishes.runs == {} and world.causes == []


@pytest.mark.parametrize(
    ("device", "after_h", "by_h", "words"),
    [
        ("tank", None, 5, "There is no appliance 'tank'"),
        ("wash", None, 0.5, "takes 1.0 hours, so it is done at 18:30 at the earliest"),
        ("wash", 3, 3.5, "done at 21:30 at the earliest"),
        ("wash", None, 24 * 8, "at most 7 days ahead"),
    ],
    ids=["no appliance", "too soon", "window too short", "too far ahead"],
)
async def test_a_wish_that_cannot_be_met_is_refused_in_words(device, after_h, by_h, words):
    world = World()
    after = START + after_h * HOUR if after_h is not None else None
    with pytest.raises(WishRefused, match=words):
        await world.wishes.ask(device, after, START + by_h * HOUR, "owner")


async def test_it_waits_begins_when_its_relay_took_the_word_and_is_done_at_its_end():
    world = World()
    await world.wishes.ask("wash", None, START + 14 * HOUR, "owner")
    await world.pass_(1, value=0, told=1)
    await world.pass_(1, value=1, told=0)
    assert world.wishes.runs["wash"].phase is RunPhase.WAITING
    await world.pass_(1, value=1, told=1)
    assert world.wishes.runs["wash"].phase is RunPhase.RUNNING
    await world.pass_(3_590, value=1, told=1, wash_w=80)
    assert world.wishes.runs["wash"].phase is RunPhase.RUNNING
    await world.pass_(20, value=1, told=1, wash_w=80)
    assert world.wishes.runs["wash"].phase is RunPhase.RUNNING, "it still draws"
    await world.pass_(20, value=1, told=1, wash_w=2)
    assert world.wishes.runs["wash"].phase is RunPhase.DONE
    assert world.causes == ["appliance"] * 3


async def test_a_restart_in_the_middle_of_a_run_goes_on_with_it():
    world = World()
    await world.wishes.ask("wash", None, START + 14 * HOUR, "owner")
    task = asyncio.create_task(world.wishes.run())
    await world.pass_(1, value=1, told=1)
    await world.clock.settle()
    again = World(world.store, START + timedelta(minutes=10))
    await again.wishes.resume()
    assert again.wishes.runs["wash"] == world.wishes.runs["wash"]
    assert again.wishes.runs["wash"].phase is RunPhase.RUNNING
    task.cancel()


async def test_a_machine_that_is_seen_running_after_a_restart_counts_as_begun():
    world = World()
    await world.wishes.ask("wash", None, START + 14 * HOUR, "owner")
    snapshot = replace(seen(START, wash_w=1_900), commanded={})
    world.wishes.observe(snapshot, {"wash": switch("wash", 0)})
    assert world.wishes.runs["wash"].phase is RunPhase.RUNNING


async def test_a_binding_limit_makes_the_run_end_later_by_as_much():
    world = World()
    await world.wishes.ask("wash", None, START + 14 * HOUR, "owner")
    await world.pass_(1, value=1, told=1)
    before = world.wishes.runs["wash"].ends_at
    await world.pass_(1, value=1, told=1)
    await world.pass_(300, value=0)
    after = world.wishes.runs["wash"].ends_at
    assert before is not None and after is not None and after - before == timedelta(seconds=300)


async def test_a_waiting_wish_can_be_taken_back_and_a_running_one_cannot():
    world = World()
    await world.wishes.ask("wash", None, START + 14 * HOUR, "owner")
    await world.wishes.cancel("wash", "owner")
    assert world.wishes.runs == {} and world.store.documents["appliances"] == {"runs": []}
    await world.wishes.ask("wash", None, START + 14 * HOUR, "owner")
    await world.pass_(1, value=1, told=1)
    for refused in (world.wishes.cancel("wash", "x"), world.wishes.ask("wash", None, START + 9 * HOUR, "x")):
        with pytest.raises(WishRefused, match="running"):
            await refused


async def test_a_run_that_cannot_be_read_is_left_and_the_others_hold():
    world = World()
    await world.wishes.ask("wash", None, START + 14 * HOUR, "owner")
    world.store.documents["appliances"]["runs"].insert(0, {"device": "wash", "not_before": "yesterday"})
    again = World(world.store)
    await again.wishes.resume()
    assert again.wishes.runs["wash"].phase is RunPhase.WAITING


# --- pool, tank


async def test_the_pools_time_is_counted_until_its_window_ends_and_survives_a_restart():
    world = World()
    await world.pass_(1)
    before = world.watch.loads({}).ran_s["pool"]
    for _ in range(6):
        await world.pass_(100, pool_w=1_050.0)
    await world.pass_(100, pool_w=0.0)
    await world.pass_(100, pool_w=None)
    assert world.watch.loads({}).ran_s["pool"] == pytest.approx(before + 600)
    await world.watch.keep()
    again = World(world.store, world.clock.now())
    await again.watch.resume()
    await again.pass_(1)
    assert again.watch.loads({}).ran_s["pool"] == pytest.approx(before + 600, abs=1)
    await again.pass_(60 * 60)  # 18:00 local is past: a new day's hours
    assert again.watch.loads({}).ran_s["pool"] == 0


async def test_a_long_silence_counts_as_little_as_nobody_knows():
    world = World()
    await world.pass_(1, pool_w=1_050.0)
    before = world.watch.loads({}).ran_s["pool"]
    await world.pass_(1_200, pool_w=1_050.0)
    assert world.watch.loads({}).ran_s["pool"] == pytest.approx(before + 300)


async def test_a_pump_first_seen_in_mid_window_is_taken_to_have_run_its_share():
    world = World()
    await world.pass_(1, pool_w=0.0)
    start, end = next_window(PUMP, SITE.timezone, world.clock.now())
    share = (world.clock.now() - start) / (end - start)
    assert 0 < share < 1
    assert world.watch.loads({}).ran_s["pool"] == pytest.approx(share * PUMP.hours_per_day * 3600)


async def test_the_last_hot_day_of_a_tank_is_kept():
    world = World()
    await world.pass_(1)
    first = world.watch.loads({}).hot_at["tank"]
    await world.pass_(3_600, water_c=58.0)
    assert world.watch.loads({}).hot_at["tank"] == first
    await world.pass_(3_600, water_c=59.8)
    hot = world.watch.loads({}).hot_at["tank"]
    assert hot == world.clock.now()
    await world.watch.keep()
    again = World(world.store)
    await again.watch.resume()
    assert abs(again.watch.loads({}).hot_at["tank"] - hot) < timedelta(seconds=1)


async def test_since_when_a_relay_stands_is_known():
    world = World()
    await world.pass_(10, value=0)
    await world.pass_(10, value=1)
    await world.pass_(10, value=1, wash_w=1_900)
    loads = world.watch.loads({})
    assert loads.stands["wash"].value == 1 and loads.stands["wash"].since == START + timedelta(seconds=20)
    assert loads.seen["wash"].since == START + timedelta(seconds=30)


# --- preferences

SPAN = ComfortSpan(time(22), time(6, 30), 16.0, 18.5, (0, 1, 2, 3, 4))


def test_the_comfort_schedule_and_hygiene_survive_as_a_document_and_an_old_one_opens():
    wish = Preferences(comfort_schedule=(SPAN,), hygiene_c=65.0, hygiene_days=14)
    assert preferences_from(preferences_document(wish)) == wish
    old = preferences_document(Preferences())
    for name in ("comfort_schedule", "hygiene_c", "hygiene_days"):
        del old[name]
    assert preferences_from(old) == Preferences()


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        (Preferences(comfort_schedule=(replace(SPAN, low_c=20.0),)), "lower end first"),
        (Preferences(comfort_schedule=(replace(SPAN, days=()),)), "at least one day"),
        (Preferences(comfort_schedule=(replace(SPAN, end=time(22)),)), "another time than it begins"),
        (Preferences(comfort_schedule=(SPAN,) * 15), "at most 14"),
        (Preferences(hygiene_c=90.0), "between 50 and 80"),
        (Preferences(hygiene_days=-1), "1 to 60 days"),
    ],
    ids=["band upside down", "no day", "no length", "too many", "too hot", "never before"],
)
def test_what_cannot_be_is_refused(wish, words):
    with pytest.raises(WishRefused, match=words):
        check(wish, HOME, START)


def test_a_span_over_midnight_belongs_to_the_day_it_begins():
    friday = replace(SPAN, days=(4,))
    assert friday.holds(datetime(2026, 11, 20, 23, tzinfo=UTC)) and friday.holds(datetime(2026, 11, 21, 6, tzinfo=UTC))
    assert not friday.holds(datetime(2026, 11, 20, 6, tzinfo=UTC))
    assert not friday.holds(datetime(2026, 11, 21, 22, tzinfo=UTC))
