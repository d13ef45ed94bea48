"""Chargers that disobey or hang: contained and told of; and what falls to safety without us."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.model.errors import CommandRefused
from gateway.model.site import ChargerSpec
from tests.adapters.limit_boxes import Quirk, Stored
from tests.adapters.limit_ready import VERSIONS, ready
from tests.fakes import START

CONTAINED = {
    "Q1 accepts all, obeys none, stops": (Quirk(ignores_all=True), 0.0, "RemoteStop"),
    "Q1 accepts all, obeys none, refuses to stop": (
        Quirk(ignores_all=True, refuses_actions=("RemoteStopTransaction", "RequestStopTransaction")),
        16.0,
        "it honours no way of limiting",
    ),
    "Q1 accepts all, obeys nothing at all": (Quirk(ignores_all=True, ignores_stop=True), 16.0, "no way of limiting"),
    "refuses every limit, stops": (Quirk(refuses=lambda p: True), 0.0, "every way of limiting was refused"),
    "Q6 0 A refused, and stops refused": (
        Quirk(
            refuses=lambda p: p.periods[0][1] == 0,
            refuses_actions=("RemoteStopTransaction", "RequestStopTransaction", "ChangeAvailability"),
        ),
        6.0,
        "0 A, RemoteStop and ChangeAvailability were refused",
    ),
}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", CONTAINED)
async def test_a_disobedient_charger_is_stopped_or_told_of(version: str, name: str) -> None:
    quirk, amps, words = CONTAINED[name]
    box, drive = await ready(version, quirk)
    await drive.run(6.0 if name.startswith("Q6") else 10.0, 300)
    await drive.run(0.0, 120)
    assert max(box.currents()) == amps
    assert any(words in told for told in drive.told), drive.told
    assert drive.disobeys is (amps > 1.0)


async def test_a_charger_that_refuses_every_limit_is_not_asked_on_and_on() -> None:
    box, drive = await ready("1.6", Quirk(refuses=lambda p: True))
    await box.begin()
    for _ in range(30):
        with suppress(CommandRefused):
            await box.limiter.apply(10.0, box.clock.now() + timedelta(seconds=120))
        await box.clock.advance(1)
    assert len(box.written(transactional=True)) + len(box.written(transactional=False)) < 8 + 20 + 30 + 10
    assert not drive.told


async def test_each_way_is_tried_before_the_charger_is_stopped() -> None:
    _, drive = await ready("1.6", Quirk(ignores_all=True), units=("A",), max_stack=0)
    await drive.run(10.0, 200)
    assert list(dict.fromkeys(told.split(",")[0] for told in drive.told)) == [
        "the same again",
        "TxProfile Relative",
        "TxDefaultProfile Absolute",
        "TxDefaultProfile Relative",
        "ChargePointMaxProfile Absolute",
        "RemoteStop",
        "car: limit: it obeys no limit",
    ]


async def test_a_charger_that_begins_anew_after_our_stop_is_taken_out_of_service() -> None:
    box, drive = await ready("1.6", Quirk(ignores_all=True), units=("A",), max_stack=0)
    await drive.run(10.0, 200)
    assert not box.in_service and max(box.currents()) == 0.0
    assert box.count("RemoteStopTransaction") <= 3


async def test_a_contained_charger_stays_contained_over_a_new_connection_until_its_car_is_unplugged() -> None:
    box, drive = await ready("1.6", Quirk(ignores_all=True), units=("A",), max_stack=0)
    await drive.run(10.0, 200)
    box.limiter.learn_features(0, ("A",))
    assert box.limiter.rung.purpose == "ChangeAvailability"
    box.quirk, box.plugged = replace(box.quirk, ignores_all=False), False
    box.show()
    await drive.run(10.0, 361)
    assert box.in_service, "out of service it would not tell that the car has gone"
    box.plugged = True
    box.show()
    await drive.run(10.0, 60)
    assert max(box.currents()) == 10.0 and box.limiter.rung.is_transactional


@pytest.mark.slow
async def test_a_charger_that_is_out_of_service_as_it_obeys_nothing_is_looked_at_seldom() -> None:
    """Wrong before: it was put back into service with each renewed wish, and charged freely until stopped again."""
    box, drive = await ready("1.6", Quirk(ignores_all=True), units=("A",), max_stack=0)
    await drive.run(10.0, 200)
    over, changes = drive.over_a_s, box.count("ChangeAvailability")
    await drive.run(10.0, 1200)
    assert box.count("ChangeAvailability") - changes <= 8
    assert drive.over_a_s - over < 4 * 6.0 * 16


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_charger_that_refuses_every_limit_does_not_take_more_than_its_maximum_and_gets_another_chance(
    version: str,
) -> None:
    """Wrong before: at a wish of its maximum it charged freely above that; after a pause it never began again."""
    box, drive = await ready(version, Quirk(refuses=lambda p: True), spec=ChargerSpec(max_current_a=10.0))
    box.rating_a = 16.0
    await drive.run(10.0, 120)
    assert max(box.currents()) == 0.0
    assert any("it obeys no limit" in told for told in drive.told)
    await drive.run(0.0, 60)
    box.quirk = replace(box.quirk, refuses=lambda p: False, starts_by_itself=False)
    await drive.run(10.0, 90)
    assert max(box.currents()) == 10.0, "its smart charging was enabled meanwhile"


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_charger_that_refuses_every_limit_resumes_after_a_pause_where_its_maximum_is_wanted(
    version: str,
) -> None:
    box, drive = await ready(version, Quirk(refuses=lambda p: True))
    await drive.run(16.0, 60)
    assert max(box.currents()) == 16.0
    await drive.run(0.0, 60)
    assert max(box.currents()) == 0.0
    box.quirk = replace(box.quirk, starts_by_itself=False)
    await drive.run(16.0, 90)
    assert max(box.currents()) == 16.0
    await drive.run(10.0, 60)
    assert max(box.currents()) == 0.0, "less than its maximum is none at all"


async def test_a_charger_that_obeys_nothing_is_stopped_within_four_minutes() -> None:
    box, drive = await ready("2.0.1", Quirk(ignores_all=True))
    await drive.run(10.0, 240)
    assert max(box.currents()) == 0.0 and {"RemoteStop", "ChangeAvailability"} & set(drive.told)


@pytest.mark.parametrize("version", VERSIONS)
async def test_another_systems_profile_above_ours_is_cleared_when_our_limit_is_not_seen_working(version: str) -> None:
    foreign = Stored(
        77, "TxDefaultProfile", "Absolute", 9, "A", 1, [(0, 16.0, 3)], START - timedelta(days=1), None, None
    )
    only_defaults = Quirk(refuses=lambda p: p.purpose == "TxProfile", foreign=foreign, offers=False)
    box, drive = await ready(version, only_defaults, max_stack=4)
    await drive.run(8.0, 90)
    assert any("clearing other systems" in told for told in drive.told)
    assert max(box.currents()) == 8.0 and foreign not in box.profiles
    assert any(p.stack == 0 and p.purpose == "TxDefaultProfile" for p in box.profiles), "our safe default is back"


async def test_a_sane_combined_schedule_shows_another_systems_profile_within_a_beat() -> None:
    foreign = Stored(
        77, "TxDefaultProfile", "Absolute", 9, "A", 1, [(0, 16.0, 3)], START - timedelta(days=1), None, None
    )
    only_defaults = Quirk(refuses=lambda p: p.purpose == "TxProfile", foreign=foreign, composite="right")
    box, drive = await ready("1.6", only_defaults)
    await drive.run(8.0, 13)
    assert max(box.currents()) == 8.0 and not drive.told


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_charger_that_gives_two_ampere_more_is_told_two_ampere_less(version: str) -> None:
    box, drive = await ready(version, Quirk(over_a=2.0))
    await drive.run(10.0, 60)
    assert max(box.currents()) == 10.0 and len(drive.told) == 1
    await drive.run(12.0, 60)
    assert max(box.currents()) == 12.0 and box.facts.get("over_a") == 2.0
    await drive.run(7.0, 60)
    assert max(box.currents()) == 0.0, "it cannot give so little, and must not give more"


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_reduction_never_waits_for_a_combined_schedule(version: str) -> None:
    """Wrong before: the first limit waited up to 15 s for a charger that answers no such question."""
    box, drive = await ready(version, Quirk(composite="silent"))
    await box.begin()
    for wish in (10.0, 8.0, 6.0):
        async with asyncio.timeout(0.2):
            await box.limiter.apply(wish, box.clock.now() + timedelta(seconds=120))
        await asyncio.sleep(0)
        assert max(box.currents()) == wish
    assert box.count("GetCompositeSchedule") == 3, "given up for each command, and asked again"
    await drive.run(7.0, 20)
    assert box.count("GetCompositeSchedule") == 3


async def test_a_combined_schedule_that_is_not_answered_is_not_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.ocpp.proof.ANSWER_S", 0.02)
    box, drive = await ready("1.6", Quirk(composite="silent"))
    await box.begin()
    await drive.run(10.0, 2)
    await asyncio.sleep(0.05)
    assert box.facts.get("composite") is False
    await drive.run(8.0, 30)
    assert box.count("GetCompositeSchedule") == 1


# ---- the dead man


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("name", "quirk", "within_s"),
    [
        ("transaction profile", Quirk(), 121),
        ("default above the safe one", Quirk(refuses=lambda p: p.purpose == "TxProfile"), 421),
        ("default at stack 0", Quirk(refuses=lambda p: p.purpose == "TxProfile" or p.stack != 0), 421),
        ("relative", Quirk(refuses=lambda p: p.kind != "Relative"), 121),
        ("watts", Quirk(refuses=lambda p: p.unit != "W"), 121),
        ("station maximum", Quirk(refuses=lambda p: "Max" not in p.purpose), 421),
    ],
)
async def test_without_the_gateway_the_charger_falls_to_its_safe_current_by_itself(
    version: str, name: str, quirk: Quirk, within_s: int
) -> None:
    box, drive = await ready(version, quirk)
    await drive.run(14.0, 100)
    assert max(box.currents()) == pytest.approx(14.0, abs=0.05)
    await box.clock.advance(within_s)
    assert max(box.currents()) == pytest.approx(6.0, abs=0.05)
    await box.clock.advance(86_400)
    assert max(box.currents()) == pytest.approx(6.0, abs=0.05)


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_pause_ends_at_the_safe_current_too(version: str) -> None:
    box, drive = await ready(version, Quirk(refuses=lambda p: p.purpose == "TxProfile"))
    await drive.run(0.0, 100)
    await box.clock.advance(1801)
    assert max(box.currents()) == 6.0
