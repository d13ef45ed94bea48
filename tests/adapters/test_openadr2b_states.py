"""The state machine of OpenADR 2.0b against the simulated VTN: guide items G1 to G6, E2, and what goes wrong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from adapters.openadr2b.client import Vtn2b
from gateway.model.dr import OptState
from gateway.model.errors import ServerAnswerWrong, ServerError, ServerRefused, ServerUnreachable
from tests.adapters.openadr2b_witness import POLL_S, Lab, witness


@pytest.fixture
async def lab() -> AsyncIterator[Lab]:
    async with witness() as made:
        yield made
        assert made.utility.complaints == []


@pytest.fixture
async def ven(lab: Lab) -> AsyncIterator[Vtn2b]:
    made = lab.new_ven()
    yield made
    await made.close()


async def test_the_first_look_queries_registers_offers_reports_asks_for_all_events_and_polls(
    lab: Lab, ven: Vtn2b
) -> None:
    lab.utility.change(lab.event())

    found = await lab.look(ven)

    assert lab.utility.received[:5] == [
        "oadrQueryRegistration", "oadrCreatePartyRegistration", "oadrRegisterReport", "oadrRequestEvent", "oadrPoll",
    ]  # fmt: skip
    assert [event.id for event in found] == ["e1"]
    offered = next(iter(lab.utility.vens.values())).offered
    assert {"telemetry-usage/usage", "telemetry-usage/demand", "telemetry-status/status"} <= set(offered)


async def test_polls_keep_the_pace_the_vtn_asks_for_whatever_the_loop_does(lab: Lab, ven: Vtn2b) -> None:
    for _ in range(30):
        await lab.look(ven, after_s=1.0)

    assert lab.utility.received.count("oadrPoll") == 3


async def test_our_own_floor_makes_polls_rarer_still(lab: Lab) -> None:
    ven = lab.new_ven(poll_s=25.0)
    for _ in range(50):
        await lab.look(ven, after_s=1.0)

    assert lab.utility.received.count("oadrPoll") == 2
    await ven.close()


async def test_the_next_look_is_hinted_at_when_the_pace_allows_the_next_poll(lab: Lab, ven: Vtn2b) -> None:
    await lab.look(ven)
    waiting = asyncio.create_task(ven.wait())

    await lab.clock.advance(POLL_S - 0.01)
    early = waiting.done()
    await lab.clock.advance(0.01)
    await lab.clock.settle()

    assert not early and waiting.done()


async def test_before_registration_nothing_is_hinted_at_without_a_pause(lab: Lab) -> None:
    ven = lab.new_ven()
    waiting = asyncio.create_task(ven.wait())

    await lab.clock.advance(POLL_S - 0.01)

    assert not waiting.done()
    waiting.cancel()


async def test_several_payloads_are_drained_one_a_poll(lab: Lab, ven: Vtn2b) -> None:
    await lab.look(ven)
    lab.utility.change(lab.event())
    lab.utility.ask_report("telemetry-usage", ["usage"], 900, 900)
    lab.utility.ask_report("telemetry-status", ["status"], 900, 900)

    found = [len(await lab.look(ven)) for _ in range(3)]

    assert found == [1, 2, 3]


async def test_an_event_missing_from_a_distribution_is_cancelled(lab: Lab, ven: Vtn2b) -> None:
    lab.utility.change(lab.event("e1"))
    lab.utility.change(lab.event("e2"))
    await lab.look(ven)

    lab.utility.drop("e1")

    assert [event.id for event in await lab.look(ven)] == ["e2"]


async def test_an_empty_distribution_cancels_all(lab: Lab, ven: Vtn2b) -> None:
    lab.utility.change(lab.event())
    await lab.look(ven)

    lab.utility.drop("e1")

    assert await lab.look(ven) == []


async def test_a_poll_without_news_cancels_nothing(lab: Lab, ven: Vtn2b) -> None:
    lab.utility.change(lab.event())
    await lab.look(ven)

    assert [event.id for event in await lab.look(ven)] == ["e1"]


async def test_a_running_event_with_a_spread_start_ends_at_random_when_cancelled(lab: Lab, ven: Vtn2b) -> None:
    lab.utility.change(lab.event(start=lab.clock.now() - timedelta(minutes=5), after_s=120))
    await lab.look(ven)
    lab.utility.cancel("e1")

    seen = [bool(await lab.look(ven)) for _ in range(13)]

    assert seen[-1] is False and seen == sorted(seen, reverse=True)
    assert 0 < sum(seen) < 13


async def test_a_modification_replaces_and_an_older_one_is_refused(lab: Lab, ven: Vtn2b) -> None:
    first = lab.utility.change(lab.event())
    await lab.look(ven)
    lab.utility.change(lab.event(length_s=7200.0))
    second = (await lab.look(ven))[0]

    lab.utility.change(replace(first, number=0), keep_number=True)
    third = (await lab.look(ven))[0]

    assert second.intervals[0].period.duration.seconds == 7200  # type: ignore[union-attr]
    assert third == second
    assert [(o["number"], o["code"]) for o in lab.utility.opts] == [(0, "450")]


async def test_each_distribution_is_answered_again_and_the_same_modification_with_the_same_opt(
    lab: Lab, ven: Vtn2b
) -> None:
    lab.utility.change(lab.event())
    event = (await lab.look(ven))[0]
    await ven.answer(event, OptState.BINDING)
    lab.utility.change(lab.event("e2"))

    await lab.look(ven)

    assert [(o["event"], o["number"], o["opt"]) for o in lab.utility.opts] == [("e1", 0, "optIn"), ("e1", 0, "optIn")]


async def test_a_later_change_of_mind_is_told(lab: Lab, ven: Vtn2b) -> None:
    lab.utility.change(lab.event())
    event = (await lab.look(ven))[0]

    for opt in (OptState.JOINED, OptState.JOINED, OptState.SKIPPED, OptState.SKIPPED):
        await ven.answer(event, opt)

    assert [o["opt"] for o in lab.utility.opts] == ["optIn", "optOut"]


async def test_a_changed_event_is_answered_for_its_new_number(lab: Lab, ven: Vtn2b) -> None:
    lab.utility.change(lab.event())
    await ven.answer((await lab.look(ven))[0], OptState.SKIPPED)
    lab.utility.change(lab.event(length_s=1800.0))

    await lab.look(ven)

    assert [(o["number"], o["opt"]) for o in lab.utility.opts] == [(0, "optOut"), (1, "optOut")]


async def test_an_undecided_event_is_not_answered_before_it_starts_and_then_with_no(lab: Lab, ven: Vtn2b) -> None:
    lab.utility.change(lab.event())
    event = (await lab.look(ven))[0]
    await ven.answer(event, OptState.UNDECIDED)
    await lab.look(ven)
    before = list(lab.utility.opts)

    await lab.look(ven, after_s=1800)

    assert before == []
    assert [o["opt"] for o in lab.utility.opts] == ["optOut"]


async def test_an_event_that_runs_when_it_comes_is_not_refused_before_the_home_decided(lab: Lab, ven: Vtn2b) -> None:
    lab.utility.change(lab.event(start=lab.clock.now() - timedelta(minutes=1)))
    event = (await lab.look(ven))[0]
    early = list(lab.utility.opts)

    await ven.answer(event, OptState.JOINED)

    assert early == []
    assert [o["opt"] for o in lab.utility.opts] == ["optIn"]


async def test_a_completed_event_gets_no_answer(lab: Lab, ven: Vtn2b) -> None:
    lab.utility.change(lab.event(start=lab.clock.now() - timedelta(hours=3)))

    await ven.answer((await lab.look(ven))[0], OptState.JOINED)
    await lab.look(ven)

    assert lab.utility.opts == []


async def test_a_cancellation_of_an_event_never_heard_of_is_received_without_an_error(lab: Lab, ven: Vtn2b) -> None:
    lab.utility.change(lab.event(cancelled=True))

    assert await lab.look(ven) == []
    assert [(o["event"], o["code"]) for o in lab.utility.opts] == [("e1", "200")]


async def test_an_event_that_wants_no_answer_is_opted_out_of_by_an_opt_and_that_taken_back(
    lab: Lab, ven: Vtn2b
) -> None:
    lab.utility.change(lab.event(answer="never"))
    event = (await lab.look(ven))[0]

    for opt in (OptState.JOINED, OptState.SKIPPED, OptState.SKIPPED, OptState.JOINED):
        await ven.answer(event, opt)

    told = lab.utility.opts
    assert [o["opt"] for o in told] == ["optOut", "cancelled"]
    assert told[0]["opt_id"] == told[1]["opt_id"]


async def test_an_event_that_cannot_be_read_is_refused_and_hides_no_other(lab: Lab, ven: Vtn2b) -> None:
    broken = lab.event("broken")
    broken.signals[0].lengths_s = [60.0]
    lab.utility.change(broken)
    lab.utility.change(lab.event("good"))

    assert [event.id for event in await lab.look(ven)] == ["good"]
    assert [(o["event"], o["code"], o["opt"]) for o in lab.utility.opts] == [("broken", "454", "optOut")]
    assert len(ven.facts.unreadable) == 1 and "'broken'" in ven.facts.unreadable[0]


async def test_an_event_for_another_ven_is_refused(lab: Lab, ven: Vtn2b) -> None:
    lab.utility.change(lab.event(targets={"venID": ["somebody-else"]}))

    assert await lab.look(ven) == []
    assert [o["code"] for o in lab.utility.opts] == ["462"]


async def test_a_vtn_that_forgot_us_gets_us_again_within_the_same_look(lab: Lab, ven: Vtn2b) -> None:
    lab.utility.change(lab.event())
    await lab.look(ven)

    lab.utility.forget()

    assert [event.id for event in await lab.look(ven)] == ["e1"]
    assert len(lab.utility.vens) == 1


async def test_a_request_to_register_again_is_followed_under_the_same_ids(lab: Lab, ven: Vtn2b) -> None:
    await lab.look(ven)
    before = {v.id: v.registration for v in lab.utility.vens.values()}

    lab.utility.ask_reregistration()
    await lab.look(ven)

    assert {v.id: v.registration for v in lab.utility.vens.values()} == before
    assert lab.utility.received.count("oadrCreatePartyRegistration") == 2
    assert "oadrResponse" in lab.utility.received


async def test_an_ended_registration_releases_the_events_and_is_tried_anew_after_an_hour(lab: Lab, ven: Vtn2b) -> None:
    lab.utility.change(lab.event())
    await lab.look(ven)

    lab.utility.end_registrations()

    assert await lab.look(ven) == []
    assert lab.utility.vens == {}
    with pytest.raises(ServerRefused, match="ended the registration"):
        await lab.look(ven)
    assert [event.id for event in await lab.look(ven, after_s=3600)] == ["e1"]


async def test_we_restart_with_our_ids_and_our_answers(lab: Lab, ven: Vtn2b) -> None:
    lab.utility.change(lab.event())
    await ven.answer((await lab.look(ven))[0], OptState.JOINED)
    ids = {v.id: v.registration for v in lab.utility.vens.values()}

    again = lab.new_ven()
    found = await lab.look(again)
    await again.close()

    assert {v.id: v.registration for v in lab.utility.vens.values()} == ids
    assert [event.id for event in found] == ["e1"]
    assert [o["opt"] for o in lab.utility.opts] == ["optIn", "optIn"]


async def test_a_vtn_down_at_boot_is_tried_until_it_is_there(lab: Lab, ven: Vtn2b) -> None:
    await lab.stop()
    for _ in range(3):
        with pytest.raises(ServerUnreachable, match="cannot be reached"):
            await lab.look(ven)

    await lab.start()

    assert await lab.look(ven) == []
    assert ven.facts.ven


async def test_a_vtn_away_for_a_day_gives_the_events_of_that_day(lab: Lab, ven: Vtn2b) -> None:
    lab.utility.change(lab.event())
    await lab.look(ven)
    await lab.stop()
    with pytest.raises(ServerUnreachable):
        await lab.look(ven)
    await lab.clock.advance(86_400)

    lab.utility.change(lab.event("e2", start=lab.clock.now() + timedelta(hours=1)))
    await lab.start()

    assert [event.id for event in await lab.look(ven)] == ["e1", "e2"]


async def test_between_polls_a_failure_is_told_again_and_not_a_calm_empty_list(lab: Lab, ven: Vtn2b) -> None:
    await lab.look(ven)
    lab.api.fault("500", 60)
    with pytest.raises(ServerUnreachable):
        await lab.look(ven)

    with pytest.raises(ServerUnreachable, match="answered with 500"):
        await lab.look(ven, after_s=1.0)


async def test_a_change_whose_message_was_lost_on_the_way_is_asked_for(lab: Lab, ven: Vtn2b) -> None:
    await lab.look(ven)
    lab.utility.change(lab.event())
    lab.api.fault("lost-answer", 60)
    with pytest.raises(ServerUnreachable):
        await lab.look(ven)
    lab.api.fault("lost-answer", 0)

    assert [event.id for event in await lab.look(ven)] == ["e1"]


@pytest.mark.parametrize(
    ("fault", "error", "words"),
    [
        ("nonsense", ServerAnswerWrong, "not XML"),
        ("html", ServerAnswerWrong, "not an OpenADR 2.0b message"),
        ("bomb", ServerAnswerWrong, "entities is refused"),
        ("huge", ServerAnswerWrong, "more than 4 MB"),
        ("500", ServerUnreachable, "answered with 500"),
        ("unknown-ven", ServerRefused, "registers this home and then does not know it"),
    ],
)
async def test_what_a_vtn_may_answer_wrongly_is_an_error_of_ours_and_cancels_nothing(
    lab: Lab, ven: Vtn2b, fault: str, error: type[ServerError], words: str
) -> None:
    lab.utility.change(lab.event())
    await lab.look(ven)
    lab.api.fault(fault, 60)
    with pytest.raises(error, match=words):
        await lab.look(ven)
    lab.api.fault(fault, 0)

    assert [event.id for event in await lab.look(ven)] == ["e1"]


async def test_a_slow_vtn_is_given_up_in_time(lab: Lab, ven: Vtn2b, monkeypatch: Any) -> None:
    monkeypatch.setattr("adapters.openadr2b.web.REQUEST_TIMEOUT_S", 0.05)
    lab.api.fault("slow", 60)

    with pytest.raises(ServerUnreachable, match=r"no answer from .* within 0\.05 s"):
        await lab.look(ven)


async def test_an_answer_that_cannot_be_told_now_follows_with_the_next_poll(lab: Lab, ven: Vtn2b) -> None:
    lab.utility.change(lab.event())
    event = (await lab.look(ven))[0]
    lab.api.fault("500", 60)
    with pytest.raises(ServerUnreachable):
        await ven.answer(event, OptState.JOINED)
    lab.api.fault("500", 0)

    await lab.look(ven)

    assert [o["opt"] for o in lab.utility.opts] == ["optIn"]


@pytest.mark.parametrize("fault", ["no-reports", "no-answers"])
async def test_a_vtn_that_takes_no_reports_or_no_answers_still_gives_its_events(
    lab: Lab, ven: Vtn2b, fault: str
) -> None:
    lab.api.fault(fault, 60)
    lab.utility.change(lab.event())
    event = (await lab.look(ven))[0]

    await ven.answer(event, OptState.JOINED)

    assert [event.id for event in await lab.look(ven)] == ["e1"]
    assert lab.utility.received.count("oadrCreatePartyRegistration") == 1


async def test_programs_are_the_market_contexts_and_the_reports(lab: Lab, ven: Vtn2b) -> None:
    lab.utility.change(lab.event(market="http://utility.example/summer-peak"))
    await lab.clock.advance(POLL_S)

    programs = await ven.programs()

    assert [(p.id, p.name) for p in programs] == [
        ("http://utility.example/summer-peak", "summer-peak"),
        ("reports", "Reports to utility"),
    ]
