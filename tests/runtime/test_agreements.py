"""Agreements with programs: bounds, their short form, and what a desk tells of programs and servers."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from gateway.core.demand_response.strategies import parse_strategies
from gateway.model.agreement import Agreement, DrPolicy, Shared
from gateway.model.dr import OptState
from gateway.model.errors import WishRefused
from gateway.model.preferences import Preferences
from gateway.runtime.agreements import with_agreement, with_consents
from gateway.runtime.dr_desk import DrDesk
from gateway.runtime.wishes import OwnerWishes
from tests.core.homes import SITE
from tests.fakes import START, FakeClock, FakeStore
from tests.runtime.test_demand_response import Utility, event

KEY = "utility:p1"


def owner(store: FakeStore | None = None, clock: FakeClock | None = None) -> OwnerWishes:
    return OwnerWishes(SITE, clock or FakeClock(), store or FakeStore(), lambda what: None)


@pytest.mark.parametrize(
    ("word", "words"),
    [
        (Agreement("perhaps"), "not a standing"),
        (Agreement("binding", until=START - timedelta(seconds=1)), "would have ended already"),
        (Agreement("binding", until=START), "would have ended already"),
        (Agreement("binding", until=datetime(2100, 1, 1, tzinfo=START.tzinfo)), "days ahead"),
        (Agreement("binding", until=datetime(2027, 1, 1)), "time zone"),  # noqa: DTZ001
        (Agreement("binding", share=(Shared.STATE, Shared.STATE)), "shared twice"),
    ],
)  # fmt: skip
async def test_an_agreement_that_cannot_hold_is_refused_with_the_reason(word: Agreement, words: str) -> None:
    wishes = owner()
    with pytest.raises(WishRefused, match=words):
        await wishes.set_preferences(Preferences(agreements={KEY: word}), "owner")
    assert wishes.preferences.agreements == {}


async def test_an_agreement_that_has_ended_since_is_no_reason_to_refuse_another_wish() -> None:
    clock = FakeClock()
    wishes = owner(clock=clock)
    agreed = Preferences(agreements={KEY: Agreement("binding", until=START + timedelta(hours=1))})
    await wishes.set_preferences(agreed, "owner")
    await clock.advance(7200)
    await wishes.set_preferences(replace(agreed, comfort_low_c=18.0), "owner")
    assert wishes.preferences.comfort_low_c == 18.0


async def test_agreements_survive_a_restart() -> None:
    store, word = FakeStore(), Agreement("voluntary", DrPolicy.ASK, (Shared.USAGE,), START + timedelta(days=9), START)
    await owner(store).set_preferences(Preferences(agreements={KEY: word}), "owner")
    again = owner(store)
    await again.resume()
    assert again.preferences.agreements == {KEY: word}


def test_an_agreement_replaces_what_was_said_of_the_program_by_its_id() -> None:
    before = Preferences(consents={"p1": "binding", "other": "none"}, agreements={"p1": Agreement("binding")})
    after = with_agreement(before, KEY, Agreement("voluntary", DrPolicy.ASK), START)
    assert after.agreements == {KEY: Agreement("voluntary", DrPolicy.ASK, since=START)}
    assert after.consents == {KEY: "voluntary", "other": "none"}
    assert with_agreement(after, KEY, Agreement(), START).consents == {"other": "none"}


@pytest.mark.parametrize(
    ("said", "standing"),
    [
        ({KEY: "voluntary"}, ("voluntary", DrPolicy.ASK)),
        ({KEY: "none"}, ("none", None)),
        ({"p1": "binding"}, ("binding", None)),
        ({}, ("", None)),
    ],
)
def test_a_consent_that_an_older_client_changed_counts_and_one_it_left_does_not(
    said: dict[str, str], standing: tuple[str, DrPolicy | None]
) -> None:
    held = with_agreement(Preferences(), KEY, Agreement("voluntary", DrPolicy.ASK, (Shared.STATE,)), START)
    word = with_consents(Preferences(consents=said), held).agreements[KEY]
    assert (word.standing, word.policy) == standing and word.share == (Shared.STATE,)


async def test_the_desk_tells_programs_and_servers_and_an_agreement_decides_the_events_anew() -> None:
    home = Utility()
    table = {"return_s": 0, "programs": {"p1": {1: {"ev": "pause"}, "pays": {"per_kwh": 0.25}}}}
    home.dr.strategies = parse_strategies(table)
    wishes = OwnerWishes(SITE, home.clock, home.store, lambda what: None)
    home.dr.preferences = lambda: wishes.preferences
    desk = DrDesk(home.clock, home.dr, None, wishes)  # type: ignore[arg-type]
    await home.look(event())
    (state,) = desk.programs()
    assert (state.program.name, state.pays.per_kwh, state.live) == ("Evening peak", 0.25, ("utility:e1",))
    assert [(s.name, s.ok, s.heard) for s in desk.servers()] == [("utility", False, None)]
    assert home.dr.records["utility:e1"].opt is OptState.JOINED
    await desk.agree(KEY, Agreement("none", share=()), "owner")
    home.dr.reconsider()
    await home.dr._reconsidered()
    assert home.dr.records["utility:e1"].opt is OptState.SKIPPED
    assert desk.agreed(home.dr.records["utility:e1"]).share == ()
    with pytest.raises(WishRefused, match="no program"):
        await desk.agree("utility:ghost", Agreement("none"), "owner")
