"""A utility that changes an event after the home decided: what it asks now is decided now; a replay asks nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pytest

from gateway.model.agreement import Agreement, DrPolicy
from gateway.model.dr import (
    DrEvent,
    DrInterval,
    DrProgram,
    Duration,
    EventRecord,
    IntervalPeriod,
    OptState,
    Payload,
    ServerFacts,
)
from gateway.model.errors import WishRefused
from gateway.model.preferences import Preferences
from gateway.model.setpoint import LimitKind
from gateway.runtime.dr_news import DrNews
from tests.fakes import START
from tests.runtime.test_demand_response import FakeServer, Utility, event

KEY = "utility:e1"
LIMIT = ("IMPORT_CAPACITY_LIMIT", 2)


def asking(
    *payloads: tuple[str, float | str], start: datetime = START, length_s: float = 3600, **more: object
) -> DrEvent:
    """The one event of these tests with other content."""
    intervals = (DrInterval(0, tuple(Payload(kind, (value,)) for kind, value in payloads)),) if payloads else ()
    length = Duration(seconds=length_s)
    made = replace(event(start), intervals=intervals, period=IntervalPeriod(start=start, duration=length), **more)  # type: ignore[arg-type]
    return replace(made, fingerprint=repr((payloads, start, length_s, more)))


@dataclass
class Changing(FakeServer):
    """A server of two programs, whose listings may hold objects without an id."""

    nameless: int = 0
    poll_s: float = 60.0
    ahead_s: float | None = None

    async def programs(self) -> list[DrProgram]:
        return [DrProgram("p1", self.name, "Evening peak"), DrProgram("p2", self.name, "Summer")]

    @property
    def facts(self) -> ServerFacts:
        return ServerFacts(unread=("",) * self.nameless, clock_skew_s=self.ahead_s)


def home(**preferences: object) -> tuple[Utility, Changing]:
    made = Utility(preferences=Preferences(**preferences))  # type: ignore[arg-type]
    made.server = server = Changing()
    made.dr.servers = {"utility": server}
    return made, server


def record_of(made: Utility) -> EventRecord:
    return made.dr.records[KEY]


def words_of(made: Utility, cause: str = f"event {KEY}") -> str:
    found = made.notices.open.get(cause)
    return found.text if found is not None else ""


# ---- what is asked is decided


@pytest.mark.parametrize("policy", [DrPolicy.NEVER, DrPolicy.ASK])
@pytest.mark.parametrize("first", [[("PRICE", 0.3)], [], [("ALERT_OTHER", "hello")]], ids=["price", "empty", "news"])
async def test_an_event_that_asked_nothing_and_now_asks_for_a_level_goes_by_the_policy(
    policy: DrPolicy, first: list[tuple[str, float | str]]
) -> None:
    """Wrong before: it stayed joined, and acted against "never" and without being asked."""
    made, _ = home(dr_policy=policy)
    await made.look(asking(*first, units={"PRICE": "KWH"}))
    await made.look(asking(("SIMPLE", 3)))
    assert record_of(made).opt is (OptState.SKIPPED if policy is DrPolicy.NEVER else OptState.UNDECIDED)
    assert not made.kinds()
    assert "changed 'Peak relief'" in words_of(made, f"event {KEY} changed")


async def test_an_event_moved_to_a_program_the_owner_refused_lets_go() -> None:
    made, _ = home(agreements={"utility:p2": Agreement("none")})
    await made.look(asking(("SIMPLE", 3)))
    assert made.kinds()
    await made.look(asking(("SIMPLE", 3), program="p2"))
    assert record_of(made).opt is OptState.SKIPPED and not made.kinds()


async def test_a_skipped_event_that_becomes_a_limit_of_the_connection_binds() -> None:
    made, _ = home()
    await made.look(asking(("SIMPLE", 3)))
    await made.dr.opt(KEY, "skip", "owner")
    await made.look(asking(LIMIT))
    assert record_of(made).opt is OptState.BINDING and made.kinds() == {(LimitKind.SITE_IMPORT, "")}


async def test_a_limit_that_becomes_a_level_binds_no_more_and_goes_by_the_policy() -> None:
    made, _ = home(dr_policy=DrPolicy.NEVER)
    await made.look(asking(LIMIT))
    await made.look(asking(("SIMPLE", 3)))
    assert record_of(made).opt is OptState.SKIPPED and not made.kinds()
    await made.dr.opt(KEY, "join", "owner")
    await made.dr.opt(KEY, "skip", "owner")
    assert not made.kinds()


@pytest.mark.parametrize("choice", ["join", "skip"])
async def test_the_owners_word_holds_for_more_of_the_same(choice: str) -> None:
    made, _ = home(dr_policy=DrPolicy.ASK)
    await made.look(asking(("SIMPLE", 1)))
    await made.dr.opt(KEY, choice, "owner")
    await made.look(asking(("SIMPLE", 3)))
    assert record_of(made).opt is (OptState.JOINED if choice == "join" else OptState.SKIPPED)
    await made.look(asking(("CONTROL_SETPOINT", 500), units={"CONTROL_SETPOINT": "W"}))
    assert (record_of(made).opt, record_of(made).chosen) == (OptState.UNDECIDED, False)


OTHER_ASKS = {
    "alert": [asking(("SIMPLE", 2), ("ALERT_FLEX_ALERT", "save"))],
    "setpoint": [asking(("SIMPLE", 2), ("CONTROL_SETPOINT", 1))],
    "vendor": [asking(("SIMPLE", 2), ("SIMPLE_VENDOR", 1))],
    "price and back": [asking(("PRICE", 0.2), units={"PRICE": "KWH"}), asking(("SIMPLE", 3))],
    "empty and back": [asking(), asking(("SIMPLE", 3))],
    "not understood and back": [asking(("CTA2045_REBOOT", 0)), asking(("SIMPLE", 3))],
    "another program": [asking(("SIMPLE", 2), program="p2")],
}


@pytest.mark.parametrize("edits", OTHER_ASKS.values(), ids=OTHER_ASKS)
async def test_a_skip_by_hand_stands_whatever_else_the_event_asks(edits: list[DrEvent]) -> None:
    """Wrong before: the policy joined it again, and the car stood still."""
    made, _ = home()
    await made.look(asking(("SIMPLE", 2)))
    await made.dr.opt(KEY, "skip", "owner")
    for edit in edits:
        await made.look(edit)
        assert (record_of(made).opt, record_of(made).chosen) == (OptState.SKIPPED, True) and not made.kinds()
    assert words_of(made, f"event {KEY} changed").endswith("You skipped it, and it stays skipped.")


async def test_a_change_of_an_event_that_is_over_leaves_its_record_as_it_was() -> None:
    made, _ = home()
    await made.look(asking(("SIMPLE", 1)))
    await made.clock.advance(7200)
    made.preferences = Preferences(dr_policy=DrPolicy.NEVER)
    await made.look(asking(("SIMPLE", 2)))
    assert record_of(made).opt is OptState.JOINED and words_of(made, f"event {KEY} changed") == ""


# ---- replays and older versions


async def test_a_withdrawn_event_shown_again_in_the_same_version_keeps_its_times() -> None:
    """Wrong before: "now for an hour" ran a new hour with each replay."""
    made, _ = home()
    now = IntervalPeriod(start_now=True, duration=Duration(seconds=3600))
    shown = replace(asking(("SIMPLE", 2), modified="2026-11-20T12:00:00Z"), period=now)
    await made.look(shown)
    await made.look()
    await made.clock.advance(1800)
    await made.look(shown)
    assert record_of(made).first_seen == START and made.kinds(), "missing by mistake: it goes on to its end"
    await made.look()
    await made.clock.advance(5400)
    await made.look(shown)
    assert not made.kinds()
    await made.look(replace(shown, modified="2026-11-20T19:00:00Z"))
    assert made.kinds(), "the utility announced it anew"


async def test_an_older_version_never_takes_the_place_of_a_newer_one() -> None:
    """Wrong before: told twenty times in a row, it did."""
    made, _ = home()
    old = asking(("SIMPLE", 3), length_s=36_000, modified="2026-11-20T12:00:00Z")
    await made.look(old)
    await made.look(asking(("SIMPLE", 0), length_s=36_000, modified="2026-11-20T14:00:00Z"))
    for _ in range(50):
        await made.look(old)
    assert record_of(made).event.modified == "2026-11-20T14:00:00Z" and not made.kinds()


async def test_what_lies_between_two_marks_of_the_same_content_is_older() -> None:
    made, _ = home()
    await made.look(asking(("SIMPLE", 0), modified="2026-11-20T12:00:00Z"))
    await made.look(replace(asking(("SIMPLE", 0), modified="2026-11-20T12:00:00Z"), modified="2026-11-20T14:00:00Z"))
    await made.look(asking(("SIMPLE", 3), modified="2026-11-20T13:00:00Z"))
    assert not made.kinds()


async def test_a_mark_of_a_wrong_year_hides_no_later_change() -> None:
    made, _ = home()
    await made.look(asking(("SIMPLE", 0), modified="2036-01-01T00:00:00Z"))
    await made.look(asking(("SIMPLE", 2), modified=START.isoformat()))
    assert made.kinds()


@pytest.mark.parametrize("ahead_s", [60, 600, 19.5 * 3600])
async def test_a_mark_ahead_of_now_hides_no_later_change(ahead_s: float) -> None:
    """Wrong before: marked 19.5 h ahead, the event stood still, and the utility's release was ignored for hours."""
    made, _ = home()
    await made.look(asking(("SIMPLE", 2), modified=(START + timedelta(seconds=ahead_s)).isoformat()))
    await made.look(asking(("SIMPLE", 0), modified=(START - timedelta(minutes=1)).isoformat()))
    assert not made.kinds()


async def test_a_mark_that_was_ahead_is_not_believed_when_its_time_comes() -> None:
    """The release was stamped before the mark and is seen after it: the link was down meanwhile."""
    made, _ = home()
    await made.look(asking(("SIMPLE", 2), modified=(START + timedelta(minutes=10)).isoformat()))
    await made.clock.advance(900)
    await made.look(asking(("SIMPLE", 0), modified=(START + timedelta(minutes=5)).isoformat()))
    assert not made.kinds()


@pytest.mark.parametrize(("clock_s", "mark_s"), [(None, 20), (600, 620)])
async def test_a_mark_within_the_difference_of_the_clocks_is_believed(clock_s: float | None, mark_s: float) -> None:
    made, server = home()
    server.ahead_s = clock_s
    await made.look(asking(("SIMPLE", 0), modified=(START + timedelta(seconds=mark_s)).isoformat()))
    await made.look(asking(("SIMPLE", 2), modified=START.isoformat()))
    assert record_of(made).event.intervals[0].payloads[0].values == (0,)


async def test_a_mark_ahead_of_now_on_the_same_content_takes_no_good_mark_away() -> None:
    made, _ = home()
    calm = asking(("SIMPLE", 0), modified=START.isoformat())
    await made.look(calm)
    await made.look(replace(calm, modified=(START + timedelta(hours=9)).isoformat()))
    await made.look(asking(("SIMPLE", 2), modified=(START - timedelta(hours=1)).isoformat()))
    assert not made.kinds()


LOCAL = timedelta(hours=1)
"""What a server is ahead that writes its local time as UTC."""


def level_of(made: Utility) -> float | str | bool:
    return record_of(made).event.intervals[0].payloads[0].values[0]


def marked(level: int, at: datetime) -> DrEvent:
    return asking(("SIMPLE", level), modified=at.isoformat(), length_s=86_400)


async def restarted(made: Utility) -> None:
    """As after a restart: what is not on the disk is forgotten."""
    made.dr.older.clear()
    await made.dr.resume()


@pytest.mark.parametrize("minutes", [0, 8, 11])
@pytest.mark.parametrize("ahead", [timedelta(), LOCAL])
async def test_a_lagging_copy_changes_nothing_also_where_all_marks_are_ahead(ahead: timedelta, minutes: int) -> None:
    """Wrong before: marks an hour ahead had no order, and the level in force changed at each look (1 3 1 3 1 3).

    Told again after some looks the copy's mark is no longer ahead, then neither is.
    """
    made, _ = home()
    first, second = (marked(level, START + ahead - timedelta(minutes=m)) for level, m in ((1, 10), (3, 2)))
    await made.look(first)
    await made.look(second)
    await made.clock.advance(max(0.0, ahead.total_seconds() - 600 + minutes * 60))
    await restarted(made)
    for copy in (first, second) * 5:
        await made.look(copy)
        assert level_of(made) == 3
    assert sum("changed" in row.text for row in made.store.audit_rows) == 1


async def test_a_copy_from_before_its_mark_could_be_ahead_is_known_again() -> None:
    """The hub was off when the event was made: of a server an hour ahead the first mark it sees is of the past."""
    made, _ = home()
    first, second = marked(1, START - timedelta(minutes=30)), marked(3, START + LOCAL)
    for copy in (first, second, first, second, first):
        await made.look(copy)
    assert level_of(made) == 3


@pytest.mark.parametrize("released", [timedelta(minutes=-1), timedelta(minutes=5)])
async def test_a_release_by_a_mended_clock_is_not_lost_to_one_lagging_copy(released: timedelta) -> None:
    made, _ = home()
    wrong, right = marked(2, START + timedelta(hours=19.5)), marked(0, START + released)
    for copy in (wrong, right, wrong, right):
        await made.look(copy)
    assert level_of(made) == 0


async def test_a_mark_that_was_ahead_hides_no_later_change_after_a_restart_either() -> None:
    made, _ = home()
    await made.look(asking(("SIMPLE", 2), modified=(START + timedelta(minutes=10)).isoformat()))
    await made.clock.advance(900)
    await restarted(made)
    await made.look(asking(("SIMPLE", 0), modified=(START + timedelta(minutes=5)).isoformat()))
    assert not made.kinds()


async def test_of_many_versions_ahead_the_last_are_remembered() -> None:
    made, _ = home()
    for minutes in range(30):
        await made.look(marked(1 + minutes % 3, START + LOCAL + timedelta(minutes=minutes)))
    await made.look(marked(1, START + LOCAL + timedelta(minutes=27)))
    assert len(record_of(made).ahead) == 8 and level_of(made) == 3


@pytest.mark.parametrize("behind", [timedelta(minutes=1), timedelta(hours=19)])
async def test_a_clock_mended_in_part_hides_no_later_change(behind: timedelta) -> None:
    """Both marks are ahead, but the later told one was never told before: it is no lagging copy."""
    made, _ = home()
    await made.look(marked(2, START + timedelta(hours=19.5)))
    await made.look(marked(0, START + timedelta(hours=19.5) - behind))
    assert level_of(made) == 0 and not made.kinds()


async def test_an_event_announced_again_goes_by_the_policy_of_now() -> None:
    made, _ = home()
    await made.look(asking(("SIMPLE", 3)))
    await made.look()
    made.preferences = Preferences(dr_policy=DrPolicy.NEVER)
    await made.look(asking(("SIMPLE", 3)))
    assert record_of(made).opt is OptState.SKIPPED and not made.kinds()


# ---- objects without an id


async def test_an_object_without_an_id_that_was_there_before_hides_no_withdrawal() -> None:
    """Wrong before: beside one such object nothing was ever withdrawn."""
    made, server = home()
    server.nameless = 1
    await made.look(asking(LIMIT, length_s=1e6, units={LIMIT[0]: "KW"}))
    await made.look()
    assert record_of(made).cancelled_at is not None and not made.kinds()


async def test_an_event_that_may_be_the_one_without_an_id_is_kept_for_an_hour_at_most() -> None:
    made, server = home()
    await made.look(asking(LIMIT, length_s=1e6))
    server.nameless = 1
    await made.look()
    await made.clock.advance(3_500)
    await made.look()
    assert made.kinds()
    await made.clock.advance(200)
    await made.look()
    assert not made.kinds()


# ---- what the owner hears, and may choose


async def test_after_a_skip_and_after_a_withdrawal_nothing_says_that_it_is_on() -> None:
    made, _ = home()
    news = DrNews(made.clock, made.dr, made.notices)
    await made.look(asking(("SIMPLE", 2)))
    await news.once()
    assert "is on until" in words_of(made)
    await made.dr.opt(KEY, "skip", "owner")
    assert words_of(made) == ""
    await news.once()
    await made.look()
    await news.once()
    assert words_of(made) == ""


async def test_an_event_that_waits_says_so_while_it_is_on_and_no_more_once_withdrawn_or_over() -> None:
    made, _ = home(dr_policy=DrPolicy.ASK)
    news = DrNews(made.clock, made.dr, made.notices)
    await made.look(asking(("SIMPLE", 2)))
    await news.once()
    assert "is on until" in words_of(made) and "waits for your answer" in words_of(made)
    await made.look()
    await news.once()
    assert words_of(made) == ""


async def test_a_policy_that_ends_an_event_ends_its_words() -> None:
    made, _ = home()
    news = DrNews(made.clock, made.dr, made.notices)
    await made.look(asking(("SIMPLE", 2)))
    await news.once()
    record = record_of(made)
    made.preferences = Preferences(dr_policy=DrPolicy.NEVER)
    await made.dr.keep(record.with_opt(*made.dr.decision(record.event)), "decided", "")
    await news.once()
    assert words_of(made).endswith("You chose never to take part.")


LATER = START + timedelta(hours=5)
CALM = asking(("SIMPLE", 1), start=LATER)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        (asking(("SIMPLE", 3), start=LATER), "now level 3, "),
        (asking(("SIMPLE", 1), start=START + timedelta(hours=2)), "before level 1, "),
        (asking(("SIMPLE", 1), start=LATER, length_s=12 * 3600), "asks more"),
        (asking(("SIMPLE", 0), start=LATER), ""),
        (asking(("SIMPLE", 1), start=LATER, length_s=1800), ""),
        (asking(("SIMPLE", 1), start=LATER + timedelta(hours=1)), ""),
        (replace(CALM, name="Peak", fingerprint="renamed"), ""),
    ],
    ids=["higher", "earlier", "longer", "lower", "shorter", "put off", "renamed"],
)
async def test_a_change_that_asks_more_is_told_and_no_other(changed: DrEvent, told: str) -> None:
    """Wrong before: the owner heard of none."""
    made, _ = home()
    await made.look(CALM)
    await made.look(changed)
    found = words_of(made, f"event {KEY} changed")
    assert told in found and bool(told) == bool(found)


@pytest.mark.parametrize(
    ("before", "after", "more"),
    [
        ({}, {"intervals": (DrInterval(0, (Payload(LIMIT[0], (1,)),)),)}, True),
        ({}, {"intervals": (DrInterval(0, (Payload(LIMIT[0], (3,)),)),)}, False),
        ({"targets": ("car",)}, {}, True),
        ({}, {"targets": ("car",)}, False),
        ({"test": True}, {}, True),
    ],
    ids=[
        "a lower limit",
        "a higher limit",
        "one device, then the home",
        "the home, then one device",
        "no test any more",
    ],
)
async def test_a_lower_limit_more_devices_and_the_end_of_a_test_ask_more(
    before: dict[str, object], after: dict[str, object], more: bool
) -> None:
    made, _ = home()
    base = asking(LIMIT, start=LATER)
    await made.look(replace(base, fingerprint="1", **before))  # type: ignore[arg-type]
    await made.look(replace(base, fingerprint="2", **after))  # type: ignore[arg-type]
    assert bool(words_of(made, f"event {KEY} changed")) is more


@pytest.mark.parametrize("choice", ["join", "skip"])
async def test_there_is_nothing_to_choose_in_what_is_over_or_not_acted_on(choice: str) -> None:
    """Wrong before: it was noted as joined, and told as being on."""
    made, _ = home()
    await made.look(asking(("CTA2045_REBOOT", 0)))
    before = record_of(made)
    with pytest.raises(WishRefused, match="acts on"):
        await made.dr.opt(KEY, choice, "owner")
    await made.look(asking(("SIMPLE", 2)))
    await made.clock.advance(7200)
    with pytest.raises(WishRefused, match="over"):
        await made.dr.opt(KEY, choice, "owner")
    assert not before.chosen and not record_of(made).chosen


async def test_what_binds_says_why() -> None:
    """Wrong before: a limit of the connection was said to be bound by a consent that nobody gave."""
    made, _ = home()
    await made.look(asking(LIMIT))
    with pytest.raises(WishRefused, match="capacity limit of your connection"):
        await made.dr.opt(KEY, "skip", "owner")
    bound, _ = home(agreements={"p1": Agreement("binding")})
    await bound.look(asking(("SIMPLE", 2)))
    with pytest.raises(WishRefused, match="consented"):
        await bound.dr.opt(KEY, "skip", "owner")
