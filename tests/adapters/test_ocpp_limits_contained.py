"""Chargers that disobey, hang or die: contained and told of; and what is kept, spared and left behind."""

from __future__ import annotations

import asyncio
import math
import random
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from adapters.ocpp.dispatch import NoAnswer
from adapters.ocpp.evidence import combines, seen_working, tells_apart
from adapters.ocpp.limits import Limiter
from adapters.ocpp.pace import DEFAULT_PACE, TX_PACE, Pace, paced
from adapters.ocpp.rungs import Composite, Rung
from adapters.ocpp.v16.profiles import Profiles16
from gateway.model.errors import CommandRefused
from gateway.model.site import ChargerSpec
from gateway.model.snapshot import ChargePhase
from tests.adapters.limit_boxes import Box, Drive, Quirk, Stored
from tests.fakes import START

VERSIONS = ("1.6", "2.0.1", "2.1")


async def ready(version: str = "1.6", quirk: Quirk | None = None, **more: object) -> tuple[Box, Drive]:
    box = Box(version, quirk or Quirk(), **more)  # type: ignore[arg-type]
    with suppress(CommandRefused):
        await box.limiter.set_safe_default()
    return box, Drive(box)


# ---- disobedience is contained

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


# ---- what is remembered


async def test_a_way_is_kept_for_the_make_only_once_seen_working() -> None:
    box, drive = await ready("1.6", Quirk(refuses=lambda p: p.kind != "Relative"))
    await drive.run(10.0, 4)
    assert box.limiter.rung.kind == "Relative" and box.facts.get("rung") is None
    await drive.run(10.0, 80)
    assert box.limiter.seen_working
    assert box.facts.get("rung") == Rung("TxProfile", "Relative", 4, "A").to_document()
    after = Box("1.6", box.quirk, clock=box.clock, store=box.store)
    await after.facts.load()
    after.limiter.learn_features(4, ("A", "W"))
    await after.begin()
    await Drive(after).run(9.0, 3)
    assert len(after.written(transactional=True)) == 1 and not after.limiter.seen_working


async def test_a_way_accepted_and_ignored_is_not_kept() -> None:
    box, drive = await ready("1.6", Quirk(ignores=lambda p: p.purpose == "TxProfile", offers=False))
    await drive.run(10.0, 250)
    assert box.facts.get("rung") == Rung("TxDefaultProfile", "Absolute", 4, "A").to_document()


async def test_after_a_reboot_it_must_prove_itself_again() -> None:
    box, drive = await ready()
    await drive.run(10.0, 80)
    seen = [box.limiter.seen_working]
    box.limiter.reboot()
    seen.append(box.limiter.seen_working)
    box.limiter.learn_features(4, ("A", "W"))
    await drive.run(9.0, 80)
    assert [*seen, box.limiter.seen_working] == [True, False, True]


async def test_a_shipped_first_rung_is_tried_first() -> None:
    box = Box("1.6", Quirk(refuses=lambda p: p.stack != 0))
    await box.facts.learn("first_rung", {"purpose": "TxProfile", "kind": "Absolute", "stack": 0, "unit": "A"})
    box.limiter.learn_features(4, ("A", "W"))
    await box.begin()
    await Drive(box).run(10.0, 3)
    assert len(box.written(transactional=True)) == 1


async def test_a_shipped_never_zero_is_never_sent_zero() -> None:
    box, drive = await ready()
    await box.facts.learn("never_zero", True)
    await drive.run(10.0, 30)
    box.quirk = replace(box.quirk, starts_by_itself=False)
    writes = box.count("SetChargingProfile")
    await drive.run(0.0, 3)
    assert box.count("SetChargingProfile") == writes and box.count("RemoteStopTransaction") == 1


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_car_that_takes_little_by_itself_leaves_no_ceiling_behind(version: str) -> None:
    """Every way is tried, as the raise shows no effect; the station's maximum must not stay on the charger."""
    box, drive = await ready(version, Quirk(offers=False), car_a=6.0, max_stack=0)
    await drive.run(16.0, 400)
    assert not drive.told and not [p for p in box.profiles if "Max" in p.purpose]
    writes = box.count("SetChargingProfile")
    await drive.run(16.0, 600)
    assert box.count("SetChargingProfile") - writes <= 12, "tried once, then only renewed"
    box.car_a = 16.0
    await drive.run(16.0, 60)
    assert max(box.currents()) == 16.0


# ---- amperes and watts


async def test_watts_are_reckoned_anew_when_a_car_draws_on_one_phase() -> None:
    box, drive = await ready("1.6", Quirk(refuses=lambda p: p.unit != "W", one_phase_car=True, offers=False))
    await drive.run(10.0, 40)
    assert max(box.currents()) == pytest.approx(10.0, abs=0.05)
    await drive.run(0.0, 30)
    await drive.run(8.0, 2)
    assert max(box.currents()) == pytest.approx(8.0, abs=0.05), "its phases are known for this session"


@pytest.mark.parametrize("phases", [(1, 2, 3), (2,)])
async def test_a_one_phase_charger_is_told_so(phases: tuple[int, ...]) -> None:
    box, drive = await ready("1.6", spec=ChargerSpec(phases=phases))
    await drive.run(10.0, 3)
    numbers = {phase for p in box.profiles for _, _, phase in p.periods}
    assert numbers == {len(phases)}


# ---- phases


@pytest.mark.parametrize("version", VERSIONS)
async def test_phases_change_at_rest_only(version: str) -> None:
    box, drive = await ready(version, switches=True)
    await drive.run(16.0, 60, phases=3)
    assert box.currents() == [16.0, 16.0, 16.0]
    await drive.run(10.0, 1, phases=1)
    assert box.currents() == [0.0, 0.0, 0.0]
    await drive.run(10.0, 40, phases=1)
    assert box.currents() == [10.0, 0.0, 0.0]
    await drive.run(6.0, 60, phases=3)
    assert box.currents() == [6.0, 6.0, 6.0]


async def test_a_charger_that_announced_nothing_is_never_told_to_change_phases() -> None:
    box, drive = await ready("2.0.1")
    await drive.run(10.0, 60, phases=1)
    assert max(box.currents()) == 10.0
    assert {phase for p in box.profiles for _, _, phase in p.periods} == {3}


# ---- starting


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_charger_that_waits_to_be_started_is_started_within_a_minute_and_a_beat(version: str) -> None:
    box, drive = await ready(version, Quirk(starts_by_itself=False))
    box.show()
    await drive.run(10.0, 59)
    assert box.tx_start is None
    await drive.run(10.0, 15)
    assert max(box.currents()) == 10.0
    start = next(payload for _, name, payload in box.calls if "Start" in name)
    assert "chargingProfile" in start


async def test_nobody_is_started_who_should_not_charge() -> None:
    box, drive = await ready("1.6", Quirk(starts_by_itself=False))
    box.show()
    await drive.run(0.0, 200)
    assert box.count("RemoteStartTransaction") == 0


async def test_a_driver_who_ended_the_session_is_not_overruled() -> None:
    box, drive = await ready()
    await drive.run(10.0, 60)
    box.quirk = replace(box.quirk, starts_by_itself=False)
    await box.end()
    await drive.run(10.0, 300)
    assert box.count("RemoteStartTransaction") == 0 and box.tx_start is None


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_change_of_availability_with_our_own_stop_is_undone_by_both(version: str) -> None:
    """Wrong before: made operative again, it waited for a driver, as if he had ended the session."""
    box, drive = await ready(version, Quirk(refuses=lambda p: p.periods[0][1] == 0))
    await drive.run(10.0, 30)
    box.quirk = replace(box.quirk, starts_by_itself=False)
    box.limiter._pauser.restarts = True  # it began anew after a RemoteStop before: availability comes first
    await drive.run(0.0, 30)
    assert not box.in_service and box.tx_start is None and box.count("ChangeAvailability") == 1
    await drive.run(8.0, 90)
    starts = sum(name.endswith("StartTransaction") for _, name, _ in box.calls)
    assert box.in_service and starts == 1 and max(box.currents()) == 8.0


async def test_our_own_stop_is_undone_by_a_start() -> None:
    """Q6: a charger that refuses 0 A was stopped by us."""
    box, drive = await ready("1.6", Quirk(refuses=lambda p: p.periods[0][1] == 0))
    await drive.run(10.0, 30)
    box.quirk = replace(box.quirk, starts_by_itself=False)
    await drive.run(0.0, 30)
    assert box.tx_start is None and box.count("RemoteStopTransaction") == 1
    await drive.run(8.0, 5)
    assert max(box.currents()) == 8.0


async def test_a_charger_that_hangs_after_a_stop_is_told_of_and_never_stopped_again() -> None:
    """Q14: stuck in Finishing until it is unplugged."""
    quirk = Quirk(refuses=lambda p: p.periods[0][1] == 0, stuck_after_stop=True)
    box, drive = await ready("1.6", quirk)
    await drive.run(10.0, 30)
    box.quirk = replace(box.quirk, starts_by_itself=False)
    await drive.run(0.0, 30)
    await drive.run(8.0, 700)
    assert any("does not start again" in told for told in drive.told)
    assert box.facts.get("no_remote_stop") is True
    box.stuck, box.plugged = False, False
    box.show()
    await drive.run(8.0, 61)
    box.plugged = True
    await box.begin()
    stops = box.count("RemoteStopTransaction")
    await drive.run(0.0, 15)
    assert box.count("RemoteStopTransaction") == stops and box.count("ChangeAvailability") == 1
    await drive.run(0.0, 15)
    assert max(box.currents()) == 0.0, "the change waited for the end of the transaction: stopped after all"


async def test_q14_that_takes_zero_is_paused_by_zero_and_never_stopped() -> None:
    box, drive = await ready("1.6", Quirk(starts_by_itself=False, stuck_after_stop=True))
    box.show()
    for wish in (10.0, 0.0, 9.0, 0.0, 12.0):
        await drive.run(wish, 120)
        assert max(box.currents()) == wish
    assert box.count("RemoteStopTransaction") == 0 and box.count("RemoteStartTransaction") == 1


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


# ---- the charger's memory


def cloudy(seconds: int) -> list[float]:
    """A day's wish that follows the sun second by second, with clouds; A."""
    draw = random.Random(4)
    wish, result = 0.0, []
    for second in range(seconds):
        height = max(0.0, math.sin(math.pi * second / seconds)) * 17
        wish += (height - wish) * 0.01 + draw.gauss(0, 0.35) - (4.0 if draw.random() < 0.003 else 0.0)
        result.append(min(16.0, max(0.0, wish)))
    return result


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "quirk", "transactional", "most"),
    [
        ("transaction profiles", Quirk(), True, 7200),
        ("default profiles", Quirk(refuses=lambda p: p.purpose == "TxProfile"), False, 330),
    ],
)
async def test_a_day_of_sun_and_clouds_spares_the_chargers_memory(
    name: str, quirk: Quirk, transactional: bool, most: int
) -> None:
    """Eight hours, the wish another one every second; a reduction is never late by a second."""
    box, drive = await ready("1.6", quirk)
    until_s, over = 8 * 3600, 0
    await drive.run(6.0, 30)
    wishes = cloudy(until_s)
    for wish in wishes:
        await box.limiter.apply(wish, box.clock.now() + timedelta(seconds=120))
        over += max(box.currents()) > max(wish, 0.0) + 0.05
        await box.clock.advance(1)
    count = len(box.written(transactional))
    assert over == 0
    assert count <= most
    others = len(box.written(not transactional))
    assert others <= 5


@pytest.mark.parametrize("pace", [TX_PACE, DEFAULT_PACE], ids=["tx", "default"])
def test_what_is_written_is_never_above_the_wish_and_a_reduction_never_waits(pace: Pace) -> None:
    draw = random.Random(1)
    for _ in range(5000):
        wish = draw.choice([0.0, round(draw.uniform(6, 32), 1)])
        held = draw.choice([0.0, round(draw.uniform(6, 32), 1)])
        now, raised, lowered = 1000.0, draw.uniform(0, 1000), draw.uniform(0, 1000)
        found = paced(wish, held, raised, lowered, pace, 6.0, now)
        assert found is None or (found <= wish and (found == 0 or found >= 6))
        assert (found if found is not None else held) <= wish


async def test_a_limit_without_an_answer_is_told_again_even_if_it_was_held_before() -> None:
    """The charger may have taken the raise whose answer was lost: what it held before is no longer known."""
    box, drive = await ready()
    await drive.run(6.0, 90)
    box.quirk = replace(box.quirk, silent=lambda p: True)
    with pytest.raises(NoAnswer):
        await box.limiter.apply(16.0, box.clock.now() + timedelta(seconds=120))
    box.quirk = replace(box.quirk, silent=lambda p: False)
    before = box.count("SetChargingProfile")
    await box.limiter.apply(6.0, box.clock.now() + timedelta(seconds=120))
    assert box.count("SetChargingProfile") == before + 1


async def test_a_way_that_worked_and_went_silent_is_left_after_two_tries() -> None:
    box, drive = await ready()
    await drive.run(10.0, 60)
    box.quirk = replace(box.quirk, silent=lambda p: p.kind == "Absolute")
    await drive.run(8.0, 15)
    assert max(box.currents()) == 8.0 and box.limiter.rung.kind == "Relative"


async def test_before_a_transaction_a_wish_below_the_safe_default_is_written_once_and_renewed_seldom() -> None:
    box, drive = await ready("1.6", Quirk(starts_by_itself=False))
    box.plugged = False
    box.show()
    await drive.run(0.0, 3600)
    assert len(box.written(transactional=False)) <= 1 + 1 + 4
    assert box.live.phase is ChargePhase.AVAILABLE


async def test_a_reconnect_without_reboot_writes_no_default_again() -> None:
    box, _ = await ready()
    for _ in range(5):
        box.limiter.learn_features(4, ("A", "W"))
        await box.limiter.set_safe_default()
    assert box.count("SetChargingProfile") == 1
    box.limiter.reboot()
    await box.limiter.set_safe_default()
    assert box.count("SetChargingProfile") == 2


# ---- several connectors


async def test_profile_ids_are_unique_by_connector_and_the_station_belongs_to_the_first() -> None:
    box = Box("1.6")
    told: list[tuple[int, int]] = []

    async def note(action: str, payload: dict[str, Any]) -> dict[str, Any]:
        told.append((payload["connectorId"], payload["csChargingProfiles"]["chargingProfileId"]))
        return {"status": "Rejected"}

    for connector in (1, 2):
        limiter = Limiter(
            "car",
            box.spec,
            box.live,
            box.book,
            box.facts,
            box.clock,
            note,
            Profiles16(),
            connector,
        )
        with pytest.raises(CommandRefused):
            await limiter.set_safe_default()
    assert {number for place, number in told} == {1, 11}


# ---- evidence


@pytest.mark.parametrize(
    ("name", "limit", "offered", "drawn", "before", "seen"),
    [
        ("offered as told", 10.0, 10.0, 8.0, None, True),
        ("offered more", 10.0, 16.0, 8.0, None, False),
        ("held at the limit", 10.0, None, 9.6, 0.0, True),
        ("stands at the limit, and nobody knows where before", 10.0, None, 9.6, None, False),
        ("stands where it stood before", 10.0, None, 9.6, 9.6, False),
        ("drawn above", 10.0, 10.0, 16.0, None, False),
        ("draws little by itself", 10.0, None, 6.0, 6.0, False),
        ("fell to the limit", 10.0, None, 7.0, 16.0, True),
        ("paused", 0.0, None, 0.0, 16.0, True),
        ("paused, but drew nothing before", 0.0, None, 0.0, 0.0, False),
        ("nothing known", 10.0, None, None, None, False),
    ],
)
def test_a_limit_is_seen_working(
    name: str, limit: float, offered: float | None, drawn: float | None, before: float | None, seen: bool
) -> None:
    assert seen_working(limit, offered, drawn, before) is seen, name


def test_a_limit_at_the_maximum_or_at_the_default_proves_nothing() -> None:
    assert not tells_apart(15.0, 16.0, 6.0) and not tells_apart(6.5, 16.0, 6.0)
    assert tells_apart(10.0, 16.0, 6.0)


def test_a_combined_schedule_in_watts_is_reckoned_per_phase() -> None:
    assert combines(Composite(6900.0, "W"), 10.0, 3, 230.0) is True
    assert combines(Composite(16.0, "A"), 10.0, 3, 230.0) is False
    assert combines(Composite(6.0, "A"), 10.0, 3, 230.0) is None
