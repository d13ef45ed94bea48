"""The DR loop: events come, change, vanish; the home keeps, decides and acts, with or without the server."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import pytest

from gateway.core.demand_response.strategies import parse_strategies
from gateway.model.agreement import DrPolicy
from gateway.model.authority import Authority
from gateway.model.dr import DrEvent, DrInterval, DrProgram, DrReport, Duration, IntervalPeriod, OptState, Payload
from gateway.model.errors import ServerError, ServerUnreachable, WishRefused
from gateway.model.preferences import Preferences
from gateway.model.setpoint import LimitKind
from gateway.runtime.demand_response import DemandResponse
from gateway.runtime.live import Changes
from gateway.runtime.notices import Notices
from tests.core.homes import SITE
from tests.fakes import START, FakeClock, FakeStore

LEVELS = {
    "return_s": 0,
    "levels": {1: {"ev": "minimum"}, 2: {"ev": "pause", "water_heater": "shed"}, 3: {"ev": "pause"}},
}
HOUR = Duration(seconds=3600)


@dataclass
class FakeServer:
    """A utility's server; `error` makes every look fail."""

    name: str = "utility"
    listed: list[DrEvent] = field(default_factory=list)
    error: ServerError | None = None
    looks: int = 0

    async def programs(self) -> list[DrProgram]:
        self.looks += 1
        if self.error is not None:
            raise self.error
        return [DrProgram("p1", self.name, "Evening peak")]

    async def events(self) -> list[DrEvent]:
        if self.error is not None:
            raise self.error
        return list(self.listed)

    async def send(self, report: DrReport) -> None:
        raise AssertionError("the DR loop sends nothing")


def event(start: datetime = START + timedelta(minutes=30), level: int = 2, **more: object) -> DrEvent:
    made = DrEvent(
        id="e1",
        server="utility",
        program="p1",
        name="Peak relief",
        intervals=(DrInterval(0, (Payload("SIMPLE", (level,)),)),),
        period=IntervalPeriod(start=start, duration=HOUR),
        fingerprint=f"{start.isoformat()}-{level}",
    )
    return replace(made, **more)  # type: ignore[arg-type]


class Utility:
    """A DR loop with one server on fake time."""

    def __init__(self, store: FakeStore | None = None, preferences: Preferences | None = None) -> None:
        self.clock, self.store, self.changed = FakeClock(), store or FakeStore(), list[tuple[float, str]]()
        self.server = FakeServer()
        self.preferences = preferences or Preferences()
        self.notices = Notices(self.store, self.clock, Changes())
        self.dr = DemandResponse(
            SITE,
            self.clock,
            self.store,
            self.notices,
            parse_strategies(LEVELS),
            lambda: self.preferences,
            lambda what: self.changed.append((self.clock.monotonic(), what)),
            servers={"utility": self.server},
        )

    async def look(self, *events: DrEvent) -> None:
        self.server.listed = list(events)
        await self.dr.look(self.server)

    def kinds(self) -> set[tuple[LimitKind, str]]:
        return {(limit.kind, limit.device) for limit in self.dr.in_force()}


async def test_an_announced_event_is_joined_kept_and_in_force_from_its_start_to_its_end() -> None:
    home = Utility()
    await home.look(event())
    assert home.dr.records["utility:e1"].opt is OptState.JOINED
    assert home.store.event_rows["e1"].first_seen == START
    assert not home.kinds()
    await home.clock.advance(1800)
    assert (LimitKind.DEVICE_POWER, "car") in home.kinds()
    await home.clock.advance(3600)
    assert not home.kinds()


async def test_the_loop_wakes_the_tick_at_each_edge_to_the_second() -> None:
    home = Utility()
    await home.look(event())
    task = asyncio.create_task(home.dr.follow())
    await home.clock.advance(2 * 3600)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert [at for at, what in home.changed if at > 0] == pytest.approx([1800.0, 5400.0], abs=0.01)


async def test_an_event_missing_from_a_complete_listing_is_cancelled_but_a_failed_poll_cancels_nothing() -> None:
    home = Utility()
    await home.look(event(START))
    home.server.error = ServerUnreachable("utility", "no answer")
    with pytest.raises(ServerUnreachable):
        await home.dr.look(home.server)
    assert home.kinds()
    home.server.error = None
    await home.look()
    assert not home.kinds() and home.dr.records["utility:e1"].cancelled_at == START


@pytest.mark.parametrize("policy", [DrPolicy.ASK, DrPolicy.NEVER])
async def test_withdrawal_of_an_event_nobody_joined_is_recorded_too(policy: DrPolicy) -> None:
    """Wrong before: without a place in the timeline it passed as over."""
    home = Utility(preferences=Preferences(dr_policy=policy))
    await home.look(event())
    await home.look()
    assert home.dr.records["utility:e1"].cancelled_at is not None


async def test_an_event_that_ended_and_left_the_list_is_not_cancelled() -> None:
    home = Utility()
    await home.look(event())
    await home.clock.advance(3 * 3600)
    await home.look()
    assert home.dr.records["utility:e1"].cancelled_at is None


async def test_a_changed_event_keeps_its_anchor_and_opt_state_and_moves_its_limits() -> None:
    home = Utility()
    await home.look(event())
    await home.dr.opt("e1", "join", "owner")
    await home.clock.advance(60)
    await home.look(event(START))
    record = home.dr.records["utility:e1"]
    assert (record.first_seen, record.opt) == (START, OptState.JOINED)
    assert home.kinds()


async def test_an_event_corrected_to_something_the_home_understands_is_decided_anew() -> None:
    home = Utility()
    await home.look(event(START, level=99))
    assert (
        home.dr.records["utility:e1"].opt is OptState.SKIPPED
        and "not understand" in home.dr.records["utility:e1"].opt_reason
    )
    await home.look(event(START, level=2))
    assert home.dr.records["utility:e1"].opt is OptState.JOINED and home.kinds()


async def test_a_restart_keeps_draws_opt_state_and_limits() -> None:
    home = Utility()
    wide = event(START, period=IntervalPeriod(START, duration=HOUR, randomize_start=Duration(seconds=600)))
    await home.look(wide)
    await home.dr.opt("e1", "skip", "owner")
    again = Utility(home.store)
    await again.dr.resume()
    assert again.dr.records == home.dr.records
    assert again.dr.records["utility:e1"].shifts_s[0] != 0.0
    await again.dr.look(FakeServer(listed=[wide]))
    assert again.dr.records["utility:e1"].opt is OptState.SKIPPED


async def test_a_skipped_event_ends_at_once_and_a_binding_one_cannot_be_skipped() -> None:
    home = Utility()
    await home.look(event(START))
    await home.dr.opt("e1", "skip", "owner")
    assert not home.kinds()
    bound = Utility(preferences=Preferences(consents={"p1": "binding"}))
    await bound.look(event(START))
    assert {limit.authority for limit in bound.dr.in_force()} == {Authority.BINDING_LIMIT}
    with pytest.raises(WishRefused, match="binding"):
        await bound.dr.opt("e1", "skip", "owner")


async def test_an_override_releases_that_device_only() -> None:
    home = Utility()
    await home.look(event(START))
    await home.dr.overridden("e1", "car")
    assert home.kinds() == {(LimitKind.TANK_SHED, "tank")}
    assert home.store.event_rows["e1"].overridden_devices == ("car",)


async def test_following_the_plan_again_takes_the_override_back() -> None:
    """Wrong before: the event stayed set aside for the device, so "follow the plan again" could not undo an override."""
    home = Utility()
    await home.look(event(START))
    held = home.kinds()
    await home.dr.overridden("e1", "car")
    await home.dr.followed("e1", "car")
    await home.dr.followed("e1", "tank")
    assert home.kinds() == held
    record = home.store.event_rows["e1"]
    assert (record.overridden_devices, record.overridden_at) == ((), None)


async def test_a_server_that_fails_is_told_once_and_the_loop_goes_on_until_it_is_back() -> None:
    home = Utility()
    home.server.error = ServerUnreachable("utility", "answered 500", "Nothing to do here.")
    task = asyncio.create_task(home.dr.poll(home.server))
    await home.clock.advance(300)
    assert home.server.looks > 3
    assert "server utility" in home.notices.open
    home.server.error, home.server.listed = None, [event()]
    await home.clock.advance(400)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert "server utility" not in home.notices.open
    assert home.dr.records["utility:e1"].opt is OptState.JOINED


async def test_a_server_that_says_when_to_come_back_is_obeyed() -> None:
    home = Utility()
    home.server.error = ServerUnreachable("utility", "busy", retry_after_s=120.0)
    task = asyncio.create_task(home.dr.poll(home.server))
    await home.clock.advance(119)
    assert home.server.looks == 1
    await home.clock.advance(2)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert home.server.looks == 2


async def test_a_choice_made_while_a_report_is_kept_is_not_lost() -> None:
    """Wrong before: the older record, once on disk, took the place of the owner's newer one."""
    home = Utility()
    await home.look(event())
    home.store.gate.clear()
    report = asyncio.create_task(home.dr.update("utility:e1", reported=("USAGE",)))
    choice = asyncio.create_task(home.dr.opt("e1", "skip", "owner"))
    await home.clock.settle()
    again = asyncio.create_task(home.dr.update("utility:e1", delivered_wh=1.0))
    await home.clock.settle()
    home.store.gate.set()
    await asyncio.gather(report, choice, again)
    record = home.dr.records["utility:e1"]
    assert (record.opt, record.reported, record.delivered_wh) == (OptState.SKIPPED, ("USAGE",), 1.0)
    assert home.store.event_rows["e1"] == record
