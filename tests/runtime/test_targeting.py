"""The home's rating in time: measured after midnight and after events, counted as things are now, shared with consent."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gateway.core.demand_response.answers import answers
from gateway.model.agreement import Agreement, DrPolicy
from gateway.model.dr import DrProgram, DrRating, EventRecord, OptState
from gateway.model.errors import ServerUnreachable
from gateway.model.flex import Direction, FlexOffer
from gateway.model.preferences import ChargeMode, ChargingPreference, Preferences
from gateway.model.reading import Interval, IntervalQuality
from gateway.model.session import EvSession
from gateway.model.snapshot import DeviceState
from gateway.model.targeting import ProgramKind
from gateway.runtime.learn import Learn
from gateway.runtime.targeting import TargetingLoop
from tests.core.homes import SITE
from tests.fakes import START, FakeStore
from tests.runtime.test_demand_response import Utility, event

ZONE = SITE.timezone


class Home(Utility):
    """A home whose car charges 7 kW from 18 to 20 h local, with the loop that rates it."""

    def __init__(self, preferences: Preferences | None = None, days: int = 30) -> None:
        super().__init__(FakeStore(), preferences)
        self.offline: set[str] = set()
        self.offers: list[FlexOffer] = []
        for name in ("meter", "house", "car", "tank"):
            for row in rows(name, days):
                self.store.interval_rows[row.device, row.start] = row
        self.loop = TargetingLoop(
            SITE, self.clock, self.store, Learn(SITE, self.clock, self.store), self.dr, lambda: self.preferences,
            self.snapshot, {"car", "tank", "inverter"}, lambda: self.offers,
        )  # fmt: skip

    def snapshot(self):
        states = {d.id: DeviceState(d.id, d.role, d.id not in self.offline, 1.0) for d in SITE.devices}
        return type("Frozen", (), {"devices": states})()

    def score(self, kind: ProgramKind) -> int:
        found = self.loop.current()
        assert found is not None
        return next(each.score for each in found.suitability if each.program is kind)


def rows(name: str, days: int) -> list[Interval]:
    first = (START - timedelta(days=days)).replace(hour=0, minute=0, second=0, microsecond=0)
    made = []
    for index in range(int((START - first).total_seconds() // 900)):
        start = first + timedelta(seconds=900 * index)
        hour = start.astimezone(ZONE).hour
        charging = 7000.0 if hour in (18, 19) else 0.0
        watts = {"meter": 800 + charging, "house": 600.0, "car": charging, "tank": 200.0}[name]
        if name != "car" or charging:  # a charger is silent without a session
            made.append(Interval(name, start, 900, watts / 4, 0.0, IntervalQuality.VALID, "counter"))
    return made


def less(home: Home, hour: int) -> float:
    found = home.loop.current()
    assert found is not None
    return found.hours[hour].less.mean_w


async def test_before_the_first_measurement_there_is_nothing_to_tell() -> None:
    home = Home()
    assert home.loop.current() is None and home.loop.document() is None


async def test_it_is_measured_once_a_local_day_and_after_each_event() -> None:
    home = Home()
    assert await home.loop.refresh() and not await home.loop.refresh()
    await home.look(event())
    home.clock.step(3 * 3600)
    assert await home.loop.refresh(), "an event has ended"
    assert not await home.loop.refresh()
    home.clock.step(86_400)
    assert await home.loop.refresh(), "a midnight has passed"


async def test_the_hours_are_local_and_a_charger_without_a_session_drew_nothing() -> None:
    home = Home()
    await home.loop.refresh()
    assert less(home, 18) == pytest.approx(7200) and less(home, 3) == pytest.approx(200)
    found = home.loop.current()
    assert found is not None and found.hours[3].less.days == 27  # 28 but for the night before the first session
    assert "inverter" in found.left_out, "never measured"
    assert "heat_pump" in found.left_out and "does not steer" in found.left_out["heat_pump"]


async def test_before_its_first_session_a_charger_is_unknown_not_idle() -> None:
    home = Home()
    first = START - timedelta(days=4)
    for row in rows("car", 30):
        if row.start < first:
            del home.store.interval_rows["car", row.start]
    await home.loop.refresh()
    found = home.loop.current()
    assert found is not None and found.hours[3].less.days in (3, 4) and found.hours[18].less.low_w == 0


async def test_a_device_that_is_not_reached_is_not_counted_from_that_moment_on() -> None:
    home = Home()
    await home.loop.refresh()
    home.offline.add("car")
    found = home.loop.current()
    assert found is not None and "car" not in found.counted and less(home, 18) == pytest.approx(200)
    home.offline.clear()
    assert less(home, 18) == pytest.approx(7200)


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        (Preferences(charging={"car": ChargingPreference(mode=ChargeMode.OFF)}), "switched off"),
        (Preferences(vacation_until=START + timedelta(days=3)), "away"),
        (Preferences(dr_policy=DrPolicy.NEVER), "never to take part"),
    ],
)
async def test_what_the_owner_forbids_is_never_counted(wish: Preferences, words: str) -> None:
    home = Home(wish)
    await home.loop.refresh()
    found = home.loop.current()
    assert found is not None and words in found.left_out["car"]
    assert home.score(ProgramKind.EV_SHIFT) == 0


async def test_an_agreement_with_a_program_counts_before_the_general_never() -> None:
    home = Home(Preferences(dr_policy=DrPolicy.NEVER, agreements={"utility:p": Agreement(standing="voluntary")}))
    await home.loop.refresh()
    assert home.score(ProgramKind.EV_SHIFT) == 0
    home.dr.programs["utility:p"] = DrProgram("p", "utility", "Evenings")
    assert home.score(ProgramKind.EV_SHIFT) > 0


async def test_a_car_that_is_plugged_in_at_noon_could_take_its_evening_s_energy_there() -> None:
    home = Home()
    await home.loop.refresh()
    before = home.score(ProgramKind.MIDDAY_SOAK)
    for day in range(1, 30):
        start = (START - timedelta(days=day)).replace(hour=8)
        home.store.session_rows[f"{day}"] = EvSession(
            day, f"{day}", "car", 1, "", start, 0, 0, start + timedelta(hours=11)
        )
    home.loop._made_for = ("", 0)
    await home.loop.refresh()
    assert before < 20 < 2 * before < home.score(ProgramKind.MIDDAY_SOAK)


async def test_what_ran_during_an_event_says_nothing_of_what_there_was_to_shed() -> None:
    home = Home()
    evening = datetime(START.year, START.month, START.day, 17, tzinfo=UTC) - timedelta(days=3)
    for row in rows("car", 30):
        if evening <= row.start < evening + timedelta(hours=1):
            home.store.interval_rows["car", row.start] = replace(row, import_wh=0.0)
    await home.loop.refresh()
    assert less(home, 18) < 7000, "as if that evening had been without a car"
    home.dr.records["x"] = EventRecord(event(evening), evening, opt=OptState.JOINED)
    home.loop._made_for = ("", 0)
    await home.loop.refresh()
    found = home.loop.current()
    assert found is not None and found.hours[18].less.mean_w == pytest.approx(7200) and found.hours[18].less.days == 27


async def test_the_plan_s_offers_stand_beside_without_devices_that_are_not_counted() -> None:
    home = Home()
    await home.loop.refresh()
    start = datetime(START.year, START.month, START.day, 17, 15, tzinfo=UTC)
    home.offers = [FlexOffer(Direction.DOWN, start, 3600, 4000, 3000, 5000, 0, 0, {"car": 3000, "tank": 1000})]
    hour = (start + timedelta(minutes=30)).astimezone(ZONE).hour
    found = home.loop.current()
    assert found is not None and found.hours[hour].offered_less_w == 4000
    home.offline.add("car")
    found = home.loop.current()
    assert found is not None and found.hours[hour].offered_less_w == 1000


async def test_nothing_is_shared_without_consent_and_nothing_after_it_is_withdrawn() -> None:
    home = Home()
    await home.loop.refresh()
    assert home.loop.shared() is None and home.loop.document() is not None
    home.preferences = replace(home.preferences, share_suitability=True)
    shared = home.loop.shared()
    assert shared is not None and set(shared["ratings"][0]) == {"program", "label", "score"}
    home.preferences = replace(home.preferences, share_suitability=False)
    assert home.loop.shared() is None


class Told:
    """A utility's server that keeps ratings, and may be away."""

    def __init__(self) -> None:
        self.name, self.held, self.calls, self.away = "utility", list[DrRating](), 0, False

    async def tell_suitability(self, ratings) -> bool:
        self.calls += 1
        if self.away:
            raise ServerUnreachable("utility", "no route")
        self.held = list(ratings)
        return True


async def sharing() -> tuple[Home, Told]:
    home, server = Home(Preferences(share_suitability=True)), Told()
    home.dr.servers = {"utility": server}  # type: ignore[dict-item]
    await home.loop.refresh()
    await home.loop.tell()
    return home, server


async def test_a_server_is_told_once_and_at_most_every_quarter_of_an_hour() -> None:
    home, server = await sharing()
    assert [each.program for each in server.held] == [kind.value for kind in ProgramKind] and home.loop.told == [
        "utility"
    ]
    await home.loop.tell()
    home.preferences = replace(home.preferences, charging={"car": ChargingPreference(ChargeMode.OFF)})
    await home.loop.tell()
    assert server.calls == 1
    await home.clock.advance(901)
    await home.loop.tell()
    assert server.calls == 2 and server.held[1].score == 0


@pytest.mark.parametrize("days", [3, 30])
async def test_devices_that_are_not_reached_for_a_moment_change_nothing_that_is_shared(days: int) -> None:
    """Wrong before: a broker's restart made a flexible home, and one that is not known yet, one of score 0."""
    home = Home(Preferences(share_suitability=True), days=days)
    await home.loop.refresh()
    before = home.loop.shared()
    assert (before is None) == (days == 3)
    home.offline = {"car", "tank", "inverter"}
    assert home.loop.shared() == before and home.score(ProgramKind.EV_SHIFT) == 0


@pytest.mark.parametrize("days", [0, 5])
async def test_a_home_that_is_not_known_yet_shares_nothing_and_a_server_is_told_nothing(days: int) -> None:
    home, server = Home(Preferences(share_suitability=True), days=days), Told()
    if not days:
        home.store.interval_rows.clear()
    home.dr.servers = {"utility": server}  # type: ignore[dict-item]
    await home.loop.refresh()
    await home.loop.tell()
    assert home.loop.current() is not None and home.loop.document() is None and home.loop.shared() is None
    assert server.calls == 0 and home.loop.told == []


async def test_what_is_not_known_any_more_is_taken_back() -> None:
    home, server = await sharing()
    home.store.interval_rows.clear()
    home.loop._made_for = ("", 0)
    await home.loop.refresh()
    await home.loop.tell()
    assert server.held == [] and home.loop.told == []


async def test_a_withdrawal_is_told_at_once_and_again_until_the_server_has_heard_also_after_a_restart() -> None:
    home, server = await sharing()
    home.preferences, server.away = replace(home.preferences, share_suitability=False), True
    await home.loop.tell()
    assert server.held and home.loop.told == ["utility"]
    again = replace(home.loop, _told={}, _resumed=False, _base=None)
    server.away = False
    await again.tell()
    assert server.held == [] and again.told == []
    await again.tell()
    assert server.calls == 3


async def test_what_a_kill_left_in_doubt_is_taken_back_with_the_consent() -> None:
    home, server = await sharing()
    await home.clock.advance(901)
    home.offline.add("car")
    server.away = True  # it may have heard
    await home.loop.tell()
    assert home.loop.told == ["utility"]
    home.preferences, server.away = Preferences(), False
    await home.loop.tell()
    assert server.held == [] and home.loop.told == []


async def test_without_consent_no_server_is_asked_anything() -> None:
    home, server = Home(), Told()
    home.dr.servers = {"utility": server}  # type: ignore[dict-item]
    await home.loop.refresh()
    await home.loop.tell()
    assert server.calls == 0


# ---- answers


def record(opt: OptState, **more) -> EventRecord:
    return EventRecord(event(), START, opt=opt, **more)


@pytest.mark.parametrize(
    ("kept", "said"),
    [
        (record(OptState.JOINED), [True]),
        (record(OptState.SKIPPED, chosen=True), [False]),
        (record(OptState.UNDECIDED), [False]),
        (record(OptState.JOINED, overridden_at=START, overridden_devices=("car",)), [False]),
        (record(OptState.BINDING), []),
        (record(OptState.JOINED, cancelled_at=START), []),
        (replace(record(OptState.JOINED), event=event(test=True)), []),
        (replace(record(OptState.SKIPPED), event=event(level=-3)), []),
    ],
    ids=["joined", "skipped", "not answered", "left by hand", "binding", "withdrawn", "test", "not understood"],
)  # fmt: skip
def test_each_end_of_an_event_is_the_answer_it_is(kept: EventRecord, said: list[bool]) -> None:
    assert [answer.joined for answer in answers([(kept, START)], {})] == said


async def test_leaving_events_by_hand_lowers_the_chance_and_staying_raises_it() -> None:
    home = Home()
    await home.loop.refresh()
    chances = []
    for devices in ((), ("car",)):
        for index in range(5):
            when = START - timedelta(days=2 + index)
            kept = EventRecord(event(when, id=f"{index}{devices}"), when, opt=OptState.JOINED)
            home.dr.records[kept.key] = replace(kept, overridden_devices=devices)
        found = home.loop.current()
        assert found is not None
        chances.append(found.joining.probability)
    assert chances[0] > 0.8 and chances[1] == pytest.approx(0.5, abs=0.02)
