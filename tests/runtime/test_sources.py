"""Sources over days: asked in turns, kept on disk, missed out loud, and what stands in while they are silent."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gateway.model.errors import ServerError, ServerRefused, ServerUnreachable
from gateway.model.series import Point, Series, SeriesKind
from gateway.runtime.live import Changes
from gateway.runtime.notices import Notices
from gateway.runtime.series import clipped, overlay, told_without_gap, with_yesterday
from gateway.runtime.sources import Sources
from tests.core.homes import SITE
from tests.fakes import FakeClock, FakeStore

SPOT, CARBON, TEMPERATURE = SeriesKind.SPOT, SeriesKind.CARBON, SeriesKind.TEMPERATURE
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MIDNIGHT = datetime(2026, 11, 20, 23, 0, tzinfo=UTC)  # of 21 November in Brussels
NOON = MIDNIGHT + 12 * HOUR


def hourly(start: datetime, count: int, value: float = 100.0, step: float = 1.0) -> tuple[Point, ...]:
    return tuple(Point(start + i * HOUR, start + (i + 1) * HOUR, value + i * step) for i in range(count))


@dataclass
class Teller:
    """A source that tells `points` of each kind, or raises; a day-ahead one publishes at 14:00 local."""

    clock: FakeClock
    name: str = "market"
    kinds: tuple[SeriesKind, ...] = (SPOT,)
    every_s: float = 3600.0
    day_ahead: bool = True
    points: dict[SeriesKind, tuple[Point, ...]] = field(default_factory=dict)
    error: Exception | None = None
    identity: str = "one"
    title: str = "The market"
    dropped: int = 0
    dropped_why: str = ""
    longest_pause_s: float = 3600.0
    asked: list[tuple[datetime, datetime, datetime]] = field(default_factory=list)
    closed: int = 0

    async def fetch(self, start: datetime, end: datetime) -> list[Series]:
        self.asked.append((self.clock.now(), start, end))
        if self.error is not None:
            raise self.error
        now, currency = self.clock.now(), "EUR" if SPOT in self.kinds else ""
        return [Series(kind, points, self.name, now, currency) for kind, points in self.points.items()]

    def expected(self, now: datetime) -> datetime:
        if not self.day_ahead:
            return now
        days = (now - MIDNIGHT) // DAY + 1
        return MIDNIGHT + (days + (now >= self._out(now) + 2 * HOUR)) * DAY

    def next_news(self, now: datetime, until: datetime | None) -> datetime | None:
        if not self.day_ahead:
            return None
        days = (now - MIDNIGHT) // DAY
        told = until is not None and until >= MIDNIGHT + (days + 2) * DAY
        return self._out(now) + (DAY if told else timedelta())

    async def close(self) -> None:
        self.closed += 1

    def _out(self, now: datetime) -> datetime:
        return MIDNIGHT + ((now - MIDNIGHT) // DAY) * DAY + 14 * HOUR


class Home:
    """Sources over a fake store at noon."""

    def __init__(self, *tellers: Teller, store: FakeStore | None = None, clock: FakeClock | None = None) -> None:
        self.clock = clock or FakeClock(NOON)
        self.store = store or FakeStore()
        self.notices = Notices(self.store, self.clock, Changes())
        self.changed: list[SeriesKind] = []
        self.tellers = tellers
        for teller in tellers:
            teller.clock = self.clock
        self.sources = Sources(
            SITE, self.clock, self.store, self.notices, tellers, self.changed.append, chance=lambda: 0.5
        )

    async def pass_(self, hours: float) -> None:
        """Let the loops run for so long."""
        loops = [asyncio.create_task(self.sources.follow(t)) for t in self.tellers]
        loops.append(asyncio.create_task(self.sources.watch()))
        await self.clock.advance(hours * 3600)
        for task in loops:
            task.cancel()
        await asyncio.gather(*loops, return_exceptions=True)

    @property
    def told(self) -> list[str]:
        return [notification.text for notification in self.notices.open.values()]


def market(**more: Any) -> Teller:
    return Teller(FakeClock(NOON), **{"points": {SPOT: hourly(MIDNIGHT, 24)}, **more})


def sky(**more: Any) -> Teller:
    points = {TEMPERATURE: hourly(MIDNIGHT - DAY, 60, 0.0, 0.1)}
    return Teller(FakeClock(NOON), "sky", (TEMPERATURE,), day_ahead=False, **{"points": points, **more})


async def test_a_source_is_asked_from_yesterday_on_and_its_prices_hold() -> None:
    home = Home(market())
    await home.sources.ask(home.tellers[0])
    spot = home.sources.spot()
    assert spot is not None
    assert (spot.at(NOON), spot.at(MIDNIGHT + DAY), spot.currency, spot.source) == (112.0, None, "EUR", "market")
    _, start, end = home.tellers[0].asked[0]
    assert (start, end) == (MIDNIGHT - DAY, MIDNIGHT + 4 * DAY)
    assert home.changed == [SPOT]


async def test_the_same_answer_again_asks_for_no_new_plan_and_another_one_does() -> None:
    home = Home(market())
    await home.sources.ask(home.tellers[0])
    await home.sources.ask(home.tellers[0])
    assert home.changed == [SPOT]
    home.tellers[0].points = {SPOT: hourly(MIDNIGHT, 48)}
    await home.sources.ask(home.tellers[0])
    assert home.changed == [SPOT, SPOT]


async def test_after_a_restart_without_the_network_the_kept_prices_hold_and_their_age_is_shown() -> None:
    before = Home(market())
    await before.sources.ask(before.tellers[0])
    assert before.store.commits == 1, "prices are on the disk before anything else happens"
    later = FakeClock(NOON + 3 * HOUR)
    home = Home(market(error=ServerUnreachable("market", "no way")), store=before.store, clock=later)
    await home.sources.resume()
    await home.sources.ask(home.tellers[0])
    spot = home.sources.spot()
    assert spot is not None
    assert (spot.at(NOON), spot.points) == (112.0, before.sources.spot().points)  # type: ignore[union-attr]
    (state,) = home.sources.state()
    assert (state.age_s, state.until, state.error) == (3 * 3600, MIDNIGHT + DAY, "no way")
    home.tellers[0].error = None
    await home.sources.ask(home.tellers[0])
    assert home.changed == [], "what was kept and what is told again are the same to the last digit"


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"identity": "another area", "kinds": {"spot": {"fetched_at": 1, "currency": "EUR", "points": [[1, 2, 3]]}}},
        {"identity": "one", "kinds": {"spot": {"fetched_at": 1, "points": []}}},
        {"identity": "one", "kinds": {"spot": {"fetched_at": 1, "currency": "EUR", "points": [[1, 2]]}}},
        {"identity": "one", "kinds": {"gold": {}}},
        {"identity": "one", "kinds": []},
    ],
    ids=["empty", "another area", "no points", "short points", "unknown kind", "a list"],
)
async def test_a_kept_answer_that_is_not_ours_or_not_whole_is_left(document: dict[str, Any]) -> None:
    home = Home(market())
    await home.store.put("series market", document)
    await home.sources.resume()
    assert home.sources.spot() is None


async def test_a_disk_that_fails_costs_the_keeping_not_the_prices() -> None:
    home = Home(market())
    home.store.broken = True
    await home.sources.ask(home.tellers[0])
    assert home.sources.spot() is not None
    assert home.changed == [SPOT]


@pytest.mark.slow
async def test_what_is_kept_is_bounded_from_yesterday_to_ten_days_ahead() -> None:
    home = Home(market(points={SPOT: hourly(MIDNIGHT - 30 * DAY, 24 * 365)}))
    await home.sources.ask(home.tellers[0])
    points = home.sources.spot().points  # type: ignore[union-attr]
    assert (points[0].start, points[-1].end) == (MIDNIGHT - DAY, NOON + 10 * DAY)
    fine = tuple(Point(MIDNIGHT + timedelta(minutes=i), MIDNIGHT + timedelta(minutes=i + 1), 1.0) for i in range(9000))
    home.tellers[0].points = {SPOT: fine}
    await home.sources.ask(home.tellers[0])
    assert len(json.dumps(home.store.documents["series market"])) < 150_000


PACES = [
    # at local hour, told up to (days from midnight), seconds until the next question
    (3, 1, 3600.0),
    (13.5, 1, 1800.0 + 180),
    (15, 1, 900.0),
    (15, 2, 3600.0),
]


@pytest.mark.parametrize(("hour", "days", "pause_s"), PACES, ids=["far", "soon out", "late", "told"])
async def test_it_asks_again_a_little_after_the_hour_of_publication(hour: float, days: int, pause_s: float) -> None:
    teller = market(points={SPOT: hourly(MIDNIGHT, 24 * days)})
    home = Home(teller, clock=FakeClock(MIDNIGHT + hour * HOUR))
    assert await home.sources.ask(teller) == pytest.approx(pause_s)


async def test_a_failing_source_is_left_alone_longer_and_longer_up_to_an_hour() -> None:
    home = Home(market(error=ServerUnreachable("market", "down")))
    pauses = [await home.sources.ask(home.tellers[0]) for _ in range(9)]
    assert pauses == [60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]
    home.tellers[0].error = None
    await home.sources.ask(home.tellers[0])
    home.tellers[0].error = ServerUnreachable("market", "down again")
    assert await home.sources.ask(home.tellers[0]) == 60


@pytest.mark.parametrize(
    ("error", "pause_s"),
    [
        (ServerUnreachable("market", "busy", retry_after_s=1800.0), 1800),
        (ServerUnreachable("market", "busy", retry_after_s=5.0), 60),
        (ServerUnreachable("market", "busy", retry_after_s=1e9), 3600),
        (ServerRefused("market", "wrong key"), 3600),
    ],
    ids=["its wish", "too short", "too long", "refused"],
)
async def test_the_services_own_wish_is_followed_within_bounds(error: ServerError, pause_s: float) -> None:
    home = Home(market(error=error))
    assert await home.sources.ask(home.tellers[0]) == pause_s


@pytest.mark.slow
async def test_a_day_of_an_hourly_source_is_about_thirty_questions_and_the_client_is_closed() -> None:
    home = Home(market(points={SPOT: hourly(MIDNIGHT, 48)}))
    await home.pass_(24)
    assert 20 <= len(home.tellers[0].asked) <= 40
    assert home.tellers[0].closed == 1


async def test_a_failure_is_logged_once_and_so_is_the_recovery(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    home = Home(market(error=ServerUnreachable("market", "down")))
    await home.pass_(10)
    home.tellers[0].error = None
    await home.sources.ask(home.tellers[0])
    said = [record.message for record in caplog.records if record.message.startswith("market")]
    assert said == ["market: down", "market answers again"]


async def test_prices_of_tomorrow_that_do_not_come_are_told_and_ended_when_they_do() -> None:
    home = Home(market())
    await home.pass_(3.9)  # 15:54: out since 14:00, not late yet
    assert home.told == []
    await home.pass_(0.2)
    (words,) = home.told
    assert words == (
        "Prices of tomorrow are not told yet. The plan counts with the tariff's typical price from Sun 00:00."
    )
    home.tellers[0].points = {SPOT: hourly(MIDNIGHT, 48)}
    await home.sources.ask(home.tellers[0])
    assert home.told == []


async def test_prices_that_ran_out_are_told_with_since_when() -> None:
    home = Home(market())
    await home.sources.ask(home.tellers[0])
    home.tellers[0].error = ServerUnreachable("market", "down")
    await home.clock.advance(15 * 3600)
    home.sources.tell()
    (words,) = home.told
    assert words == "Prices are missing since Sun 00:00. The plan counts with the tariff's typical price."
    spot = home.sources.spot()
    assert spot is not None
    assert spot.at(home.clock.now()) is None, "yesterday's prices are nobody's prices today"


async def test_before_the_first_question_nothing_is_missed() -> None:
    home = Home(market())
    home.sources.tell()
    assert home.told == []
    assert home.sources.state()[0].standing_in == ""


@pytest.mark.slow
async def test_yesterdays_same_hours_stand_in_for_the_temperature_for_two_days() -> None:
    home = Home(sky())
    await home.sources.ask(home.tellers[0])
    told = home.sources.temperature()
    assert told is not None
    end = MIDNIGHT + 36 * HOUR
    assert told.at(end - HOUR) == pytest.approx(5.9)
    assert told.at(end) == pytest.approx(told.at(end - DAY) or 0.0)
    assert told.at(NOON + 47 * HOUR) is not None
    assert told.at(NOON + 49 * HOUR) is None
    home.tellers[0].error = ServerUnreachable("sky", "down")
    await home.pass_(30)
    assert home.told == ["The outdoor temperature is missing since Sun 12:00. Yesterday's same hours stand in."]
    await home.pass_(48)
    assert home.told == ["The outdoor temperature is missing since Sun 12:00. The home's own last day stands in."]
    assert home.sources.temperature() is None or home.sources.temperature().at(home.clock.now()) is None  # type: ignore[union-attr]


async def test_carbon_that_was_told_for_today_only_is_tomorrow_what_it_was_today() -> None:
    points = {CARBON: hourly(MIDNIGHT, 24, 200.0)}
    home = Home(Teller(FakeClock(NOON), "grid", (CARBON,), day_ahead=False, points=points))
    await home.sources.ask(home.tellers[0])
    carbon = home.sources.carbon()
    assert carbon is not None
    assert [carbon.at(MIDNIGHT + h * HOUR) for h in (23, 24, 47)] == [223.0, 200.0, 223.0]
    assert home.told == []


async def test_carbon_told_by_the_day_is_asked_anew_behind_its_midnight_and_nobody_is_woken() -> None:
    class ByTheDay(Teller):
        async def fetch(self, start: datetime, end: datetime) -> list[Series]:
            days = (self.clock.now() - MIDNIGHT) // DAY
            self.points = {CARBON: hourly(MIDNIGHT + days * DAY, 24)}
            return await super().fetch(start, end)

    teller = ByTheDay(FakeClock(NOON), "sky", (CARBON,), day_ahead=False, every_s=3 * 3600.0)
    home = Home(teller)
    await home.pass_(12.4)
    assert not home.store.notification_rows
    assert any(MIDNIGHT + DAY <= at < MIDNIGHT + DAY + timedelta(minutes=20) for at, _, _ in teller.asked)


async def test_the_first_source_of_the_site_file_counts_and_the_second_fills_its_gaps() -> None:
    first = market(points={SPOT: hourly(MIDNIGHT + 12 * HOUR, 6, 10.0, 0.0)})
    second = market(name="second", points={SPOT: hourly(MIDNIGHT, 48, 99.0, 0.0)})
    home = Home(first, second)
    for teller in home.tellers:
        await home.sources.ask(teller)
    spot = home.sources.spot()
    assert spot is not None
    assert [spot.at(MIDNIGHT + h * HOUR) for h in (11, 12, 17, 18, 47)] == [99.0, 10.0, 10.0, 99.0, 99.0]
    assert spot.source == "market, second"
    first.error = ServerUnreachable("market", "down")
    await home.pass_(6)
    assert home.told == [], "the second one tells all that is expected"


async def test_a_source_that_tells_more_than_was_asked_of_it_is_heard_of_its_own_kinds_only() -> None:
    home = Home(market(points={SPOT: hourly(MIDNIGHT, 24), CARBON: hourly(MIDNIGHT, 24)}))
    await home.sources.ask(home.tellers[0])
    assert home.sources.carbon() is None
    assert home.sources.irradiance() is None
    assert home.sources.cloud() is None


async def test_a_home_without_sources_has_no_series_and_no_worry() -> None:
    home = Home()
    await home.sources.resume()
    home.sources.tell()
    assert (home.sources.spot(), home.sources.state(), home.told) == (None, [], [])


async def test_the_sites_own_figure_stands_in_where_no_carbon_was_ever_told() -> None:
    grid = Teller(FakeClock(NOON), "grid", (CARBON,), day_ahead=False, error=ServerUnreachable("grid", "down"))
    home = Home(grid)
    await home.sources.ask(grid)
    home.sources.tell()
    figure = replace(SITE).co2_g_per_kwh
    assert home.told == [
        f"The carbon intensity of the grid is missing. The site's own figure stands in ({figure:g} g/kWh)."
    ]
    assert home.sources.state()[0].standing_in == home.told[0]


async def test_a_source_that_tells_of_last_week_only_is_told_and_heard_again_when_it_tells_of_today() -> None:
    home = Home(market(points={SPOT: hourly(MIDNIGHT - 7 * DAY, 24)}))
    await home.pass_(3)
    (state,) = home.sources.state()
    assert state.error == "Prices: tells nothing of now; its last value ended 15 Nov 2026 00:00"
    assert home.told == [state.standing_in]
    assert state.standing_in == "Prices are missing. The plan counts with the tariff's typical price."
    asked = len(home.tellers[0].asked)
    assert asked >= 3, "it is asked again and again, whatever it told"
    home.tellers[0].points = {SPOT: hourly(MIDNIGHT, 48)}
    await home.pass_(1.1)
    (state,) = home.sources.state()
    assert (state.error, state.standing_in, home.told) == ("", "", [])
    assert home.sources.spot() is not None


async def test_a_source_that_tells_of_next_month_only_says_when_it_begins() -> None:
    home = Home(market(points={SPOT: hourly(MIDNIGHT + 30 * DAY, 24)}))
    await home.sources.ask(home.tellers[0])
    (state,) = home.sources.state()
    assert state.error == "Prices: tells nothing of now; its first value begins 21 Dec 2026 00:00"
    assert home.sources.spot() is None


async def test_a_mistake_in_an_adapter_is_a_failure_of_its_source_and_not_its_end(
    caplog: pytest.LogCaptureFixture,
) -> None:
    broken = market(error=IndexError("tuple index out of range"))
    home = Home(broken)
    await home.pass_(2)
    (state,) = home.sources.state()
    assert state.error == "its answer could not be worked with (IndexError); the log says where"
    assert 3 <= len(broken.asked) <= 8, "at the pace of a failing source"
    assert [r.message for r in caplog.records if "IndexError" in r.message] == [f"market: {state.error}"], "once"
    broken.error = None
    await home.sources.ask(broken)
    assert (home.sources.state()[0].error, home.sources.spot() is not None) == ("", True)


async def test_a_file_that_was_mended_is_read_within_a_minute_however_long_it_was_wrong() -> None:
    home = Home(market(error=ServerUnreachable("market", "no such file"), longest_pause_s=60.0))
    for _ in range(12):
        assert await home.sources.ask(home.tellers[0]) <= 60.0


async def test_one_kind_that_tells_nothing_costs_the_others_nothing_at_a_restart() -> None:
    kinds = {CARBON: hourly(MIDNIGHT - 9 * DAY, 24), TEMPERATURE: hourly(MIDNIGHT, 24)}
    before = Home(Teller(FakeClock(NOON), "sky", (CARBON, TEMPERATURE), day_ahead=False, points=kinds))
    await before.sources.ask(before.tellers[0])
    for kept in (before.store.documents["series sky"], _with(before.store.documents["series sky"], "carbon", [])):
        store = FakeStore()
        await store.put("series sky", kept)
        home = Home(Teller(FakeClock(NOON), "sky", (CARBON, TEMPERATURE), day_ahead=False), store=store)
        await home.sources.resume()
        assert home.sources.temperature() is not None
        assert home.sources.carbon() is None


def _with(document: dict[str, Any], kind: str, points: list[Any]) -> dict[str, Any]:
    """As the version before kept it."""
    kept = {"fetched_at": NOON.timestamp(), "currency": "", "points": points}
    return document | {"kinds": document["kinds"] | {kind: kept}}


async def test_the_archive_keeps_the_price_that_counted_where_two_sources_tell_of_one_hour() -> None:
    first = market(points={SPOT: hourly(MIDNIGHT, 24, 10.0, 0.0)})
    second = market(name="second", points={SPOT: hourly(MIDNIGHT, 48, 99.0, 0.0)})
    home = Home(first, second)
    for teller in home.tellers:
        await home.sources.ask(teller)
    kept = await home.sources.archive.between(SPOT, MIDNIGHT, MIDNIGHT + 2 * DAY)
    assert kept is not None
    assert [kept.at(MIDNIGHT + h * HOUR) for h in (0, 23, 24, 47)] == [10.0, 10.0, 99.0, 99.0]


def test_overlay_fills_gaps_only_and_keeps_the_order() -> None:
    first = (Point(NOON, NOON + HOUR, 1.0), Point(NOON + 2 * HOUR, NOON + 3 * HOUR, 2.0))
    second = (Point(NOON - HOUR, NOON + 4 * HOUR, 9.0),)
    merged = overlay(first, second)
    assert [(p.start, p.end, p.value) for p in merged] == [
        (NOON - HOUR, NOON, 9.0),
        (NOON, NOON + HOUR, 1.0),
        (NOON + HOUR, NOON + 2 * HOUR, 9.0),
        (NOON + 2 * HOUR, NOON + 3 * HOUR, 2.0),
        (NOON + 3 * HOUR, NOON + 4 * HOUR, 9.0),
    ]
    assert overlay((), second) == second
    assert overlay(first, ()) == first


def test_a_gap_ends_what_is_told_from_now_on() -> None:
    points = (*hourly(NOON, 3), *hourly(NOON + 5 * HOUR, 3))
    assert told_without_gap(points, NOON) == NOON + 3 * HOUR
    assert told_without_gap(points, NOON + 4 * HOUR) is None
    assert told_without_gap((), NOON) is None


def test_yesterday_fills_a_gap_of_today_from_now_on_only() -> None:
    points = (*hourly(MIDNIGHT - DAY, 24, 0.0), *hourly(MIDNIGHT, 10, 50.0))
    filled = with_yesterday(points, NOON, MIDNIGHT + DAY)
    values = Series(CARBON, filled, "s", NOON)
    assert [values.at(MIDNIGHT + h * HOUR) for h in (9, 11, 12, 23)] == [59.0, None, 12.0, 23.0]
    assert clipped(points, NOON, NOON) == ()
