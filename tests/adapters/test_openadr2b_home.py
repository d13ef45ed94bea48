"""The DR loop with a VTN of OpenADR 2.0b: an event becomes limits, its cancellation releases them."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from firmware_sim.vtn2b_events import Signal
from gateway.core.demand_response.strategies import parse_strategies
from gateway.model.agreement import DrPolicy
from gateway.model.preferences import Preferences
from gateway.ports import DrAnswering, DrEnrolling, DrFacts, DrPaced, DrWakeUp
from gateway.runtime.demand_response import DemandResponse
from gateway.runtime.live import Changes
from gateway.runtime.notices import Notices
from tests.adapters.openadr2b_witness import POLL_S, Lab, witness
from tests.core.homes import SITE

LEVELS = {"levels": {1: {"ev": "minimum"}, 2: {"ev": "pause"}, 3: {"ev": "pause"}}}


def loop(lab: Lab) -> DemandResponse:
    """The DR loop of a home that joins events unless told otherwise."""
    wishes = Preferences(dr_policy=DrPolicy.JOIN)
    notices = Notices(lab.facts, lab.clock, Changes())  # type: ignore[arg-type]
    strategies = parse_strategies(LEVELS)
    store: Any = lab.facts
    return DemandResponse(SITE, lab.clock, store, notices, strategies, lambda: wishes, lambda _: None)


async def test_an_event_of_2_0b_holds_the_home_and_its_absence_releases_it() -> None:
    async with witness() as lab:
        ven, home = lab.new_ven(), loop(lab)
        lab.utility.change(lab.event(start=lab.clock.now() - timedelta(minutes=1), signals=[Signal(values=[2])]))
        await lab.clock.advance(POLL_S)
        await home.look(ven)
        held = {(limit.device, limit.value) for limit in home.in_force()}
        programs = set(home.programs)

        lab.utility.drop("e1")
        await lab.clock.advance(POLL_S)
        await home.look(ven)
        await ven.close()

    assert ("car", 0.0) in held
    assert "utility:http://utility.example/peak" in programs
    assert home.in_force() == ()


async def test_a_request_for_a_report_changes_nothing_in_the_home() -> None:
    async with witness() as lab:
        ven, home = lab.new_ven(), loop(lab)
        await home.look(ven)
        lab.utility.ask_report("telemetry-usage", ["usage"], 900, 900)
        await lab.clock.advance(POLL_S)
        await home.look(ven)
        await ven.close()

    assert [record.opt.value for record in home.records.values()] == ["joined"]
    assert home.in_force() == ()


async def test_it_is_all_the_loop_may_ask_of_a_server() -> None:
    async with witness() as lab:
        ven = lab.new_ven()

    assert all(isinstance(ven, port) for port in (DrAnswering, DrEnrolling, DrFacts, DrPaced, DrWakeUp))


@pytest.mark.slow
async def test_the_loop_polls_in_the_vtns_pace_and_answers_what_it_decided() -> None:
    async with witness() as lab:
        ven, home = lab.new_ven(), loop(lab)
        running = asyncio.create_task(home.poll(ven))
        lab.utility.change(lab.event())
        for _ in range(120):
            await lab.clock.advance(0.5)
            await asyncio.sleep(0.005)
        polls, opts = lab.utility.received.count("oadrPoll"), list(lab.utility.opts)
        running.cancel()
        await ven.close()

    assert 5 <= polls <= 7
    assert lab.utility.complaints == []
    assert [(o["event"], o["opt"]) for o in opts] == [("e1", "optIn")]
