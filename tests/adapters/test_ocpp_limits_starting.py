"""Amperes and watts, phases, and the charger that waits to be started or was stopped by us."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.model.site import ChargerSpec
from tests.adapters.limit_boxes import Quirk
from tests.adapters.limit_ready import VERSIONS, ready


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
