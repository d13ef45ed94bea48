"""Utilities' servers as they are: hints, answers, devices, clocks, silence, replays; and the owner who changes their mind."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest

from gateway.core.demand_response.strategies import parse_strategies
from gateway.model.agreement import Agreement, DrPolicy
from gateway.model.authority import Authority
from gateway.model.dr import (
    DrEvent,
    DrResource,
    Duration,
    IntervalPeriod,
    OptState,
    ReportDescriptor,
    ServerFacts,
)
from gateway.model.errors import ServerUnreachable
from gateway.model.preferences import Preferences
from gateway.model.setpoint import LimitKind
from tests.fakes import START, FakeStore
from tests.runtime.test_demand_response import FakeServer, Utility, event


@dataclass
class Lively(FakeServer):
    """A server that hints, keeps our devices, wants answers and tells its clock."""

    poll_s: float = 60.0
    skew_s: float | None = None
    unread: tuple[str, ...] = ()
    unlisted: tuple[str, ...] = ()
    hint: asyncio.Event = field(default_factory=asyncio.Event)
    resources: list[DrResource] = field(default_factory=list)
    gone: list[DrResource] = field(default_factory=list)
    answers: list[tuple[str, OptState]] = field(default_factory=list)
    deaf: bool = False

    async def wait(self) -> None:
        await self.hint.wait()
        self.hint.clear()

    async def enrol_resources(self, resources: Sequence[DrResource], gone: Sequence[DrResource] = ()) -> None:
        self.resources, self.gone = list(resources), list(gone)

    async def answer(self, event: DrEvent, opt: OptState) -> None:
        if self.deaf:
            raise ServerUnreachable(self.name, "away")
        self.answers.append((event.id, opt))

    @property
    def facts(self) -> ServerFacts:
        return ServerFacts(clock_skew_s=self.skew_s, unread=self.unread, unlisted=self.unlisted)


def home(**preferences: object) -> tuple[Utility, Lively]:
    made = Utility(preferences=Preferences(**preferences))  # type: ignore[arg-type]
    made.server = server = Lively()
    made.dr.servers = {"utility": server}
    return made, server


async def follow(made: Utility, seconds: float) -> None:
    """Let the server's loop and the timeline's run for so long."""
    tasks = [asyncio.create_task(made.dr.poll(made.server)), asyncio.create_task(made.dr.follow())]
    await made.clock.advance(seconds)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_hint_leads_to_a_look_at_once_and_polling_goes_on_beside_it() -> None:
    made, server = home()
    task = asyncio.create_task(made.dr.poll(server))
    await made.clock.advance(1)
    assert server.looks == 1
    server.listed = [event()]
    server.hint.set()
    await made.clock.advance(1)
    assert server.looks == 2 and "utility:e1" in made.dr.records
    await made.clock.advance(70)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert server.looks == 3


async def test_our_devices_are_enrolled_once_a_day_with_their_powers() -> None:
    made, server = home()
    await follow(made, 200)
    known = {resource.name: resource for resource in server.resources}
    assert set(known) == {"inverter", "car", "tank", "heat_pump"}
    assert known["car"].consumes_w == pytest.approx(11_040) and known["inverter"].produces_w == 5_000


async def test_each_choice_and_each_version_is_answered_once_and_a_lost_answer_is_told_later() -> None:
    made, server = home()
    server.listed = [event()]
    await follow(made, 130)
    assert server.answers == [("e1", OptState.JOINED)]
    server.deaf = True
    await made.dr.opt("e1", "skip", "owner")
    await follow(made, 30)
    server.deaf = False
    await follow(made, 400)
    assert server.answers == [("e1", OptState.JOINED), ("e1", OptState.SKIPPED)]
    server.listed = [event(level=3)]
    await follow(made, 130)
    assert server.answers[2:] == [("e1", OptState.SKIPPED)]


async def test_an_answer_of_the_owner_does_not_wait_for_the_next_look() -> None:
    made, server = home()
    server.listed = [event()]
    task = asyncio.create_task(made.dr.poll(server))
    await made.clock.advance(2)
    await made.dr.opt("e1", "skip", "owner")
    await made.clock.advance(1)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert server.answers[-1] == ("e1", OptState.SKIPPED)


async def test_clocks_that_differ_are_told_and_from_half_a_minute_on_nothing_is_joined_until_they_agree() -> None:
    made, server = home()
    server.listed, server.skew_s = [event()], 45.0
    await follow(made, 10)
    record = made.dr.records["utility:e1"]
    assert record.opt is OptState.SKIPPED and "apart by 45 s" in record.opt_reason
    assert "differs from this hub's by 45 s" in made.notices.open["clock utility"].text
    server.skew_s = 1.0
    await follow(made, 130)
    assert made.dr.records["utility:e1"].opt is OptState.JOINED and "clock utility" not in made.notices.open


async def test_a_server_that_falls_silent_means_the_programs_safe_value_until_it_is_heard() -> None:
    made, server = home()
    made.dr.strategies = parse_strategies({"programs": {"p1": {"safe": {"import_kw": 5, "after_s": 600}}}})
    await follow(made, 10)
    server.error = ServerUnreachable("utility", "no route")
    await follow(made, 500)
    assert not made.dr.in_force()
    await follow(made, 400)
    (held,) = made.dr.in_force()
    assert (held.kind, held.value, held.authority) == (LimitKind.SITE_IMPORT, 5_000, Authority.BINDING_LIMIT)
    server.error = None
    await follow(made, 400)
    assert not made.dr.in_force()


async def test_two_servers_may_use_one_id() -> None:
    made, _ = home()
    await made.look(event())
    other = FakeServer("aggregator", [replace(event(level=3), server="aggregator")])
    await made.dr.look(other)
    assert set(made.dr.records) == {"utility:e1", "aggregator:e1"}
    assert made.dr.find("e1") is None and made.dr.find("aggregator:e1") is not None
    await made.look()
    assert made.dr.records["utility:e1"].cancelled_at is not None
    assert made.dr.records["aggregator:e1"].cancelled_at is None


async def test_a_change_of_mind_about_a_program_decides_its_events_anew_but_not_those_the_owner_decided() -> None:
    made, _ = home()
    await made.look(event(), replace(event(), id="e2", fingerprint="2"))
    await made.dr.opt("e2", "join", "owner")
    made.preferences = Preferences(agreements={"utility:p1": Agreement("none")})
    made.dr.reconsider()
    await follow(made, 5)
    assert made.dr.records["utility:e1"].opt is OptState.SKIPPED
    assert made.dr.records["utility:e2"].opt is OptState.JOINED


async def test_an_agreement_ends_at_its_time_and_from_then_on_nothing_is_joined() -> None:
    until = START + timedelta(minutes=20)
    made, _ = home(agreements={"p1": Agreement("voluntary", until=until)})
    await made.look(event(start=START + timedelta(minutes=30)))
    assert made.dr.records["utility:e1"].opt is OptState.JOINED
    await follow(made, 25 * 60)
    assert made.dr.records["utility:e1"].opt is OptState.SKIPPED


async def test_a_policy_of_one_program_stands_above_the_general_one() -> None:
    made, _ = home(dr_policy=DrPolicy.NEVER, agreements={"utility:p1": Agreement(policy=DrPolicy.ASK)})
    await made.look(event())
    assert made.dr.records["utility:e1"].opt is OptState.UNDECIDED


async def test_an_event_of_a_server_that_left_the_site_file_ends() -> None:
    store = FakeStore()
    before = Utility(store=store)
    await before.look(event())
    after = Utility(store=store)
    after.dr.configured = ()
    await after.dr.resume()
    assert after.dr.records["utility:e1"].cancelled_at is not None


async def test_an_event_that_only_asks_for_reports_ends_when_it_is_withdrawn() -> None:
    made, _ = home()
    asks = replace(event(), intervals=(), reports=(ReportDescriptor("USAGE", repeat=-1),))
    await made.look(asks)
    await made.look()
    assert made.dr.records["utility:e1"].cancelled_at is not None


async def test_a_binding_agreement_that_ends_in_mid_event_binds_no_more() -> None:
    """Wrong before: the event went on as binding, and could not be skipped."""
    until = START + timedelta(minutes=40)
    made, server = home(agreements={"p1": Agreement("binding", until=until)})
    server.listed = [event(start=START + timedelta(minutes=30))]
    await follow(made, 35 * 60)
    assert made.dr.records["utility:e1"].opt is OptState.BINDING and made.dr.in_force()
    await follow(made, 10 * 60)
    assert made.dr.records["utility:e1"].opt is OptState.SKIPPED and not made.dr.in_force()


async def test_the_safe_value_of_a_program_the_owner_refused_binds_nobody() -> None:
    made, server = home(agreements={"p1": Agreement("none")})
    made.dr.strategies = parse_strategies({"programs": {"p1": {"safe": {"import_kw": 2, "after_s": 60}}}})
    await follow(made, 10)
    server.error = ServerUnreachable("utility", "no route")
    await follow(made, 900)
    assert not made.dr.in_force()


async def test_an_event_deleted_and_made_again_under_its_id_begins_anew() -> None:
    made, _ = home()
    now = IntervalPeriod(start_now=True, duration=Duration(seconds=600))
    await made.look(replace(event(), period=now))
    await made.look()
    await made.clock.advance(1_800)
    await made.look(replace(event(), period=now))
    assert made.dr.records["utility:e1"].first_seen == made.clock.now() and made.dr.in_force()


@pytest.mark.parametrize(
    "odd",
    [
        {"priority": 10**400},
        {
            "period": IntervalPeriod(
                datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC), randomize_start=Duration(seconds=3600)
            )
        },
        {"period": IntervalPeriod(datetime(9999, 12, 31, 22, 0, tzinfo=UTC), duration=Duration(seconds=5400))},
        {"period": IntervalPeriod(START, duration=Duration(seconds=0.01)), "duration": Duration(infinite=True)},
    ],
    ids=[
        "a priority beyond all numbers",
        "a start at the end of the calendar",
        "an end there",
        "a loop of hundredths of a second",
    ],
)
async def test_one_event_beyond_all_bounds_hides_no_other_and_stops_no_start(odd: dict[str, object]) -> None:
    """Wrong before: the loop of its server died, and the gateway did not start again."""
    store = FakeStore()
    made = Utility(store=store)
    good = event(start=START - timedelta(minutes=1))
    await made.look(good, replace(event(), id="odd", fingerprint="odd", **odd))  # type: ignore[arg-type]
    assert (LimitKind.DEVICE_POWER, "car") in made.kinds()
    again = Utility(store=store)
    await again.dr.resume()
    assert (LimitKind.DEVICE_POWER, "car") in again.kinds()


@pytest.mark.parametrize("unread", [("e1",), ("",)], ids=["listed, but unreadable", "beside one without an id"])
async def test_an_event_that_became_unreadable_is_not_withdrawn_by_that_even_after_a_restart(
    unread: tuple[str, ...],
) -> None:
    made, server = home()
    await made.look(event())
    server.unread = unread
    await made.look()
    assert made.dr.records["utility:e1"].cancelled_at is None
    server.unread = ()
    await made.look()
    assert made.dr.records["utility:e1"].cancelled_at is not None


async def test_a_server_that_was_silent_before_a_restart_is_so_after_it_and_its_safe_value_goes_on() -> None:
    made, server = home()
    rules = {"programs": {"p1": {"safe": {"import_kw": 5, "after_s": 600}}}}
    made.dr.strategies = parse_strategies(rules)
    await follow(made, 10)
    server.error = ServerUnreachable("utility", "away")
    await follow(made, 1000)
    assert (LimitKind.SITE_IMPORT, "") in made.kinds()
    again = Utility(store=made.store)
    again.clock = again.dr.clock = made.clock
    again.dr.strategies, again.server = parse_strategies(rules), server
    again.dr.servers = {"utility": server}
    await again.dr.resume()
    await follow(again, 5)
    assert (LimitKind.SITE_IMPORT, "") in again.kinds()
    server.error = None
    await follow(again, 400)
    assert (LimitKind.SITE_IMPORT, "") not in again.kinds()
    assert not await made.store.get("dr-silent utility")


@pytest.mark.parametrize(
    "word", [Agreement(standing="none"), Agreement(share=())], ids=["no part", "no devices shared"]
)
async def test_a_server_none_of_whose_programs_may_know_devices_is_told_none_and_forgets_them(word: Agreement) -> None:
    made, server = home()
    await follow(made, 70)
    assert server.resources and not server.gone
    made.preferences = Preferences(agreements={"utility:p1": word})
    await follow(made, 70)
    assert server.resources == []
    assert {each.name for each in server.gone} == {"inverter", "car", "tank", "heat_pump"}
    made.preferences = Preferences()
    await follow(made, 70)
    assert server.resources and not server.gone


@pytest.mark.parametrize(("wished", "within"), [(None, 8), (3600.0, 65)], ids=["away", "asked to be left alone"])
async def test_a_server_that_hints_is_back_and_is_looked_at_although_the_pause_after_a_failure_is_long(
    wished: float | None, within: float
) -> None:
    made, server = home()
    server.error = ServerUnreachable("utility", "away", retry_after_s=wished)
    task = asyncio.create_task(made.dr.poll(server))
    await made.clock.advance(900)
    server.error, server.listed, looks = None, [event()], server.looks
    server.hint.set()
    await made.clock.advance(within)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert server.looks > looks and "utility:e1" in made.dr.records


async def test_an_event_for_a_group_that_cannot_be_listed_is_not_withdrawn() -> None:
    """Wrong before: after a restart beside a server that answers 500 by groups a binding limit was gone."""
    made, server = home()
    server.listed = [event(targets=("street",))]
    await made.dr.look(server)
    server.listed, server.unlisted = [], ("street",)
    await made.dr.look(server)
    assert made.dr.records["utility:e1"].cancelled_at is None
    server.unlisted = ()
    await made.dr.look(server)
    assert made.dr.records["utility:e1"].cancelled_at is not None
