"""An event left, set aside, withdrawn or never answered: reports tell what was while it was, and no window is lost."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from gateway.core.demand_response.standing import followed
from gateway.core.demand_response.strategies import parse_strategies
from gateway.model.agreement import DrPolicy
from gateway.model.dr import DrInterval, DrReport, Duration, IntervalPeriod, OptState, Payload, ReportDescriptor
from gateway.model.preferences import Preferences
from tests.runtime.test_demand_response import LEVELS, Utility, event
from tests.runtime.test_reporting import BEGIN, END, Proof

ASKED = (ReportDescriptor("SIMPLE_LEVEL"), ReportDescriptor("OPERATING_STATE"), ReportDescriptor("USAGE"))
FOUR = tuple(DrInterval(number, (Payload("SIMPLE", (2,)),)) for number in range(4))
QUARTERS = IntervalPeriod(start=BEGIN, duration=Duration(seconds=900))
MINUTE = timedelta(minutes=1)


async def home_with(
    asked: tuple[ReportDescriptor, ...] = ASKED, policy: DrPolicy | None = None, **more: object
) -> Proof:
    """A home that was told of the event, draws 400 W, and whose car and tank stand still."""
    wishes = Preferences(dr_policy=policy) if policy is not None else Preferences()
    home = Proof(Utility(preferences=wishes))
    await home.measured("meter", lambda at: 400.0)
    for device in ("car", "tank"):
        await home.measured(device, lambda at: 0.0)
    await home.utility.look(event(reports=asked, **more))
    return home


def told(home: Proof) -> dict[str, list[tuple[int, object, str]]]:
    """The rows of every report, by payload type and, where it is not the home's, its device."""
    found = home.store.outbox.values()
    return {_name(r): [(row.interval, row.value, row.quality) for row in r.rows] for r in found}


def _name(report: DrReport) -> str:
    return report.payload_type if report.resource == "home" else f"{report.payload_type} {report.resource}"


def ends(home: Proof) -> set[datetime]:
    rows = [row for report in home.store.outbox.values() for row in report.rows]
    return {row.start + timedelta(seconds=row.duration_s) for row in rows}


async def test_an_event_followed_for_most_of_its_time_and_then_skipped_is_told_as_followed() -> None:
    """Wrong before: level 0 and OPTED_OUT for the whole of it, no usage, and nobody knew what was delivered."""
    home = await home_with()
    await home.to(BEGIN + 50 * MINUTE)
    await home.dr.opt("e1", "skip", "the owner")
    await home.to(END + 10 * MINUTE)
    assert told(home) == {
        "SIMPLE_LEVEL": [(0, 2.0, "OK")],
        "OPERATING_STATE": [(0, "RUNNING_CURTAILED", "OK")],
        "USAGE": [(0, pytest.approx(0.4), "OK")],
    }
    assert home.record.delivered_wh == pytest.approx(4000 * 50 / 60)
    assert home.reporting.held_back(home.record) == [
        "Not told of the time after it, because you skipped the event: USAGE."
    ]


async def test_a_stretch_that_was_skipped_delivers_nothing() -> None:
    """Wrong before: skipped for 50 of 60 minutes and joined again, the whole hour counted as delivered."""
    home = await home_with()
    await home.to(BEGIN + 5 * MINUTE)
    await home.dr.opt("e1", "skip", "the owner")
    await home.to(BEGIN + 55 * MINUTE)
    await home.dr.opt("e1", "join", "the owner")
    await home.dr.overridden("e1", "car")
    await home.dr.followed("e1", "car")
    await home.to(END + 10 * MINUTE)
    assert followed(home.record, BEGIN, END) == ((BEGIN, BEGIN + 5 * MINUTE), (BEGIN + 55 * MINUTE, END))
    assert home.record.delivered_wh == pytest.approx(4000 * 10 / 60)
    low, high = home.record.delivered_low_wh, home.record.delivered_high_wh
    assert low is not None and high is not None and low <= 4000 * 10 / 60 <= high


async def test_what_was_followed_stays_told_when_a_later_interval_is_skipped() -> None:
    """Wrong before: a skip in the last quarter hour rewrote all four."""
    home = await home_with(intervals=FOUR, period=QUARTERS)
    await home.to(BEGIN + 34 * MINUTE)
    await home.dr.opt("e1", "skip", "the owner")
    await home.to(END + 10 * MINUTE)
    found = told(home)
    assert [value for _, value, _ in found["SIMPLE_LEVEL"]] == [2.0, 2.0, 0.0, 0.0]
    states = [value for _, value, _ in found["OPERATING_STATE"]]
    assert states == ["RUNNING_CURTAILED"] * 2 + ["RUNNING_OPTED_OUT"] * 2
    assert [number for number, _, _ in found["USAGE"]] == [0, 1, 2]


async def test_a_home_whose_tank_goes_on_follows_though_its_car_was_set_aside() -> None:
    """Wrong before: one device set aside made the whole home report level 0 and OPTED_OUT."""
    asked = (*ASKED[:2], ReportDescriptor("OPERATING_STATE", targets=("car", "tank")))
    home = await home_with(asked)
    await home.to(BEGIN + MINUTE)
    await home.dr.overridden("e1", "car")
    await home.to(END + 10 * MINUTE)
    assert told(home) == {
        "SIMPLE_LEVEL": [(0, 2.0, "OK")],
        "OPERATING_STATE": [(0, "RUNNING_CURTAILED", "OK")],
        "OPERATING_STATE car": [(0, "IDLE_OPTED_OUT", "OK")],
        "OPERATING_STATE tank": [(0, "IDLE_CURTAILED", "OK")],
    }


async def test_a_home_that_set_every_device_of_the_event_aside_has_opted_out_from_then_on() -> None:
    home = await home_with(ASKED[:2], intervals=FOUR, period=QUARTERS)
    await home.to(BEGIN + 16 * MINUTE)
    await home.dr.overridden("e1", "car")
    await home.to(BEGIN + 31 * MINUTE)
    await home.dr.overridden("e1", "tank")
    await home.to(BEGIN + 46 * MINUTE)
    await home.dr.followed("e1", "tank")
    await home.to(END + 10 * MINUTE)
    assert [value for _, value, _ in told(home)["SIMPLE_LEVEL"]] == [2.0, 2.0, 0.0, 2.0]


async def test_an_event_withdrawn_while_it_ran_is_reported_and_measured_until_then() -> None:
    """Wrong before: no report, and what was delivered stayed unknown for ever."""
    home = await home_with()
    await home.to(BEGIN + 45 * MINUTE)
    await home.utility.look()
    await home.to(END + 10 * MINUTE)
    assert told(home) == {
        "SIMPLE_LEVEL": [(0, 2.0, "OK")],
        "OPERATING_STATE": [(0, "RUNNING_CURTAILED", "OK")],
        "USAGE": [(0, pytest.approx(0.3), "OK")],
    }
    assert ends(home) == {BEGIN + 45 * MINUTE}
    assert home.record.delivered_wh == pytest.approx(3000.0)


async def test_an_event_withdrawn_and_announced_again_owes_the_whole_report_besides() -> None:
    home = await home_with(ASKED[2:])
    await home.to(BEGIN + 15 * MINUTE)
    await home.utility.look()
    await home.to(BEGIN + 35 * MINUTE)
    assert home.record.delivered_wh == pytest.approx(1000.0)
    await home.utility.look(event(reports=ASKED[2:], fingerprint="again"))
    assert home.record.delivered_wh is None
    await home.to(END + 10 * MINUTE)
    assert ends(home) == {BEGIN + 15 * MINUTE, END} and home.record.delivered_wh == pytest.approx(4000.0)


async def test_an_event_withdrawn_before_its_start_owes_nothing() -> None:
    home = await home_with()
    await home.to(BEGIN - MINUTE)
    await home.utility.look()
    await home.to(END + 10 * MINUTE)
    assert not home.store.outbox and home.record.delivered_wh is None


async def test_an_event_nobody_answered_tells_its_state_and_no_more() -> None:
    """Wrong before: no report at all. Interpretation: nobody opted out of it, so the state is NORMAL."""
    home = await home_with(policy=DrPolicy.ASK)
    await home.to(END + 10 * MINUTE)
    assert home.record.opt is OptState.UNDECIDED
    assert told(home) == {"SIMPLE_LEVEL": [(0, 0.0, "OK")], "OPERATING_STATE": [(0, "RUNNING_NORMAL", "OK")]}


async def test_an_event_skipped_before_its_start_tells_its_state_and_the_page_says_what_is_kept_back() -> None:
    home = await home_with()
    await home.dr.opt("e1", "skip", "the owner")
    await home.to(END + 10 * MINUTE)
    assert told(home) == {"SIMPLE_LEVEL": [(0, 0.0, "OK")], "OPERATING_STATE": [(0, "RUNNING_OPTED_OUT", "OK")]}
    assert home.record.delivered_wh is None
    assert home.reporting.held_back(home.record) == ["Not told, because you skipped the event: USAGE."]


async def test_the_level_followed_two_days_ago_is_still_known() -> None:
    """Wrong before: a report of a day ago and more told level 0, as the timeline reaches back a day."""
    home = await home_with(ASKED[:1], intervals=FOUR, period=replace(QUARTERS, duration=Duration(seconds=43_200)))
    await home.to(BEGIN + timedelta(hours=1))
    await home.clock.advance(timedelta(days=2).total_seconds())
    home.dr.rebuild()
    await home.reporting.once()
    assert [value for _, value, _ in told(home)["SIMPLE_LEVEL"]] == [2.0] * 4


async def earned(left: str) -> int | None:
    home = Utility()
    home.dr.strategies = parse_strategies({**LEVELS, "programs": {"p1": {"pays": {"per_event": 5, "per_kwh": 1}}}})
    await home.look(event(test=left == "a test"))
    await home.clock.advance(45 * 60)
    if left == "skipped":
        await home.dr.opt("e1", "skip", "the owner")
    if left == "skipped for a while":
        await home.dr.opt("e1", "skip", "the owner")
        await home.clock.advance(60)
        await home.dr.opt("e1", "join", "the owner")
    if left == "withdrawn":
        await home.look()
    for device in {"car set aside": ("car",), "all set aside": ("car", "tank")}.get(left, ()):
        await home.dr.overridden("e1", device)
    if left == "all set aside for a while":
        for device in ("car", "tank"):
            await home.dr.overridden("e1", device)
        await home.clock.advance(60)
        await home.dr.followed("e1", "tank")
    await home.dr.update("utility:e1", delivered_wh=0.0 if left == "nothing delivered" else 2000.0)
    return home.dr.records["utility:e1"].earned_micro


EARNED = {
    "followed": 7_000_000, "car set aside": 7_000_000, "all set aside": 2_000_000, "skipped": 2_000_000,
    "skipped for a while": 2_000_000, "all set aside for a while": 2_000_000, "withdrawn": 2_000_000, "nothing delivered": 0, "a test": None,
}  # fmt: skip


@pytest.mark.parametrize("left", EARNED)
async def test_what_is_paid_per_event_is_earned_by_following_it_to_its_end(left: str) -> None:
    """Wrong before: it was credited for a test, and for an event set aside on every device with nothing delivered."""
    assert await earned(left) == EARNED[left]
