"""Reports on their way: nothing lost in an outage of a week, oldest first, and one that is refused blocks no other."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from gateway.model.dr import DrReport, ReportRow
from gateway.model.errors import ServerError, ServerRefused, ServerUnreachable
from gateway.runtime.outbox import TRIES, Outbox
from tests.fakes import START, FakeClock, FakeStore


def report(number: int, event: str = "e1") -> DrReport:
    row = ReportRow(0, START, 3600, float(number), "OK")
    key = f"utility/{event}/USAGE-{number:08x}/20261121T{number % 24:02d}0000Z/home"
    return DrReport(key, "utility", "p", event, f"USAGE {number}", "USAGE", "DIRECT_READ", "KWH", "home", (row,))


class Server:
    """A utility's server that takes, refuses or does not answer."""

    name = "utility"

    def __init__(self) -> None:
        self.got: list[str] = []
        self.tried: list[str] = []
        self.down = False
        self.refuses: set[str] = set()
        self.fails_on: set[str] = set()

    async def programs(self):
        return []

    async def events(self):
        return []

    async def send(self, report: DrReport) -> None:
        self.tried.append(report.key)
        if self.down:
            raise ServerUnreachable(self.name, "no answer")
        if report.key in self.fails_on:
            raise ServerUnreachable(self.name, "the report was answered with 500")
        if report.key in self.refuses:
            raise ServerRefused(self.name, "the report was answered with 400")
        self.got.append(report.key)


class Box:
    def __init__(self, *, works: bool = True) -> None:
        self.clock, self.store, self.server = FakeClock(), FakeStore(), Server()
        self.works = works
        self.outbox = Outbox(self.clock, self.store, lambda server: self.works)

    async def keep(self, *reports: DrReport) -> None:
        for one in reports:
            await self.store.enqueue(one, self.clock.now())

    async def round(self) -> ServerError | None:
        return await self.outbox.round(self.server)

    async def minutes(self, count: int) -> None:
        """Pass time with a round a minute."""
        for _ in range(count):
            await self.clock.advance(60)
            await self.round()

    def words(self) -> list[str]:
        return [row.text for row in self.store.audit_rows]


@pytest.mark.slow
async def test_a_week_without_the_server_loses_no_report_and_they_arrive_oldest_first():
    box = Box()
    box.server.down = True
    task = asyncio.create_task(box.outbox.deliver(box.server))
    for number in range(7 * 24):
        await box.keep(report(number))
        await box.clock.advance(3600)
    assert not box.server.got
    box.server.down = False
    for _ in range(60):
        await box.clock.advance(60)
    task.cancel()
    assert box.server.got == [report(number).key for number in range(7 * 24)]


async def test_each_report_is_sent_once_even_after_a_restart():
    box = Box()
    await box.keep(report(1), report(2))
    await box.round()
    box.outbox = Outbox(box.clock, box.store)
    await box.round()
    assert box.server.got == [report(1).key, report(2).key]
    assert box.words() == ["report USAGE delivered"] * 2


async def test_a_silent_server_is_not_asked_for_every_report():
    box = Box()
    box.server.down = True
    await box.keep(report(1), report(2))
    assert isinstance(await box.round(), ServerUnreachable) and box.server.tried == [report(1).key]


async def test_a_report_that_is_refused_does_not_hold_up_the_others():
    """Wrong before: the first report that the server refused kept all later ones back for ever."""
    box = Box()
    box.server.refuses = {report(1).key}
    await box.keep(report(1), report(2), report(3))
    assert await box.round() is None
    assert box.server.got == [report(2).key, report(3).key]


async def test_a_report_refused_again_and_again_is_set_aside_with_a_word():
    box = Box()
    box.server.refuses = {report(1).key}
    await box.keep(report(1))
    await box.minutes(60)
    assert len(box.server.tried) == TRIES
    assert box.words() == ["report USAGE set aside: the report was answered with 400"]
    (words,) = box.outbox.set_aside("utility:e1")
    assert words == "The utility's server does not take the report USAGE: the report was answered with 400"
    assert box.outbox.set_aside("utility:e2") == []


async def test_what_was_set_aside_still_arrives_when_the_server_takes_it_within_the_week():
    box = Box()
    box.server.refuses = {report(1).key}
    await box.keep(report(1))
    await box.minutes(60)
    box.server.refuses.clear()
    await box.clock.advance(timedelta(days=1).total_seconds())
    await box.round()
    assert box.server.got == [report(1).key] and not box.outbox.set_aside("utility:e1")


async def test_after_a_week_of_refusals_it_is_given_up():
    box = Box()
    box.server.refuses = {report(1).key}
    await box.keep(report(1))
    await box.minutes(60)
    for _ in range(8):
        await box.clock.advance(86_400)
        await box.round()
    assert box.words()[-1].startswith("report USAGE given up after a week") and not await box.store.pending("utility")


@pytest.mark.parametrize("refused", [1, 2])
async def test_an_account_that_does_not_work_counts_against_no_report(refused):
    """Wrong credentials are mended by a person; meanwhile no report is to blame, and the server is not hammered."""
    box = Box(works=False)
    box.server.refuses = {report(n).key for n in range(1, refused + 1)}
    await box.keep(report(1), report(2))
    for _ in range(20):
        assert isinstance(await box.round(), ServerRefused)
        await box.clock.advance(600)
    box.works, box.server.refuses = True, set()
    await box.round()
    assert box.server.got[-1] == report(2).key and not box.words()[0].startswith("report USAGE set")


async def test_a_report_that_the_server_always_answers_with_500_holds_up_no_other():
    """Wrong before: it stopped every later report to that server for ever, and nobody was told."""
    box = Box()
    box.server.fails_on = {report(1, "gone").key}
    await box.keep(report(1, "gone"), *(report(number) for number in range(2, 5)))
    task = asyncio.create_task(box.outbox.deliver(box.server))
    await box.clock.advance(120)
    assert box.server.got == [report(number).key for number in range(2, 5)]
    await box.clock.advance(3600)
    (words,) = box.outbox.set_aside("utility:gone")
    assert words.endswith("USAGE: the report was answered with 500") and len(box.server.tried) < 20
    assert "report USAGE set aside: the report was answered with 500" in box.words()
    await box.clock.advance(8 * 86_400)
    task.cancel()
    assert box.words()[-1].startswith("report USAGE given up after a week") and len(box.server.tried) < 30


async def test_reports_that_always_fail_with_nothing_else_to_send_are_told_and_kept():
    """Wrong before: 4,618 tries in eight days, and the owner heard nothing."""
    box = Box()
    kept = [report(1), report(2)]
    box.server.fails_on = {one.key for one in kept}
    await box.keep(*kept)
    task = asyncio.create_task(box.outbox.deliver(box.server))
    await box.clock.advance(23 * 3600)
    assert not box.outbox.set_aside("utility:e1")
    for _ in range(7 * 24):
        await box.clock.advance(3600)
    words = box.outbox.set_aside("utility:e1")
    assert len(words) == 2 and all("USAGE" in one and one.endswith("answered with 500") for one in words)
    assert len(box.server.tried) < 2000 and not box.outbox.set_aside("utility:e2")
    box.server.fails_on = set()
    await box.clock.advance(1000)
    task.cancel()
    assert box.server.got == [one.key for one in kept] and not box.outbox.set_aside("utility:e1")


async def hours(box: Box, count: int) -> None:
    """Pass time with a round an hour."""
    for _ in range(count):
        await box.clock.advance(3600)
        await box.round()


async def test_a_report_that_always_fails_is_told_after_a_day_however_often_the_hub_restarts():
    """Wrong before: the day began anew with each restart, so that with one each 20 h it was never told."""
    box = Box()
    box.server.fails_on = {report(1).key, report(2, "young").key}
    await box.keep(report(1))
    await hours(box, 20)
    assert not box.outbox.set_aside("utility:e1")
    box.outbox = Outbox(box.clock, box.store)
    await box.keep(report(2, "young"))
    await hours(box, 6)
    assert len(box.outbox.set_aside("utility:e1")) == 1 and not box.outbox.set_aside("utility:young")


async def test_a_moment_without_the_account_does_not_begin_the_day_anew():
    """Wrong before: one minute of the account down each 22 h, and the owner never heard of ten days of failures."""
    box = Box()
    box.server.fails_on = {report(1).key}
    await box.keep(report(1))
    await hours(box, 22)
    box.works = False
    await box.minutes(1)
    box.works = True
    await hours(box, 3)
    assert len(box.outbox.set_aside("utility:e1")) == 1


async def test_an_outage_is_no_day_of_failures_of_an_old_report():
    """Wrong before: after five failures within a minute it was told that the server answered otherwise for a day."""
    box = Box(works=False)
    box.server.down = True
    await box.keep(report(1))
    await hours(box, 72)
    box.works = True
    await hours(box, 24)
    assert not box.outbox.set_aside("utility:e1")
    await hours(box, 2)
    assert len(box.outbox.set_aside("utility:e1")) == 1
    box.works = False
    assert not box.outbox.set_aside("utility:e1"), "that is told of the server"


async def test_a_server_that_nobody_reaches_is_no_matter_of_a_report():
    """Its looks go on working for a little while: what failed then is not told a day later."""
    box = Box()
    box.server.down = True
    await box.keep(report(1), report(2))
    await box.minutes(20)
    assert {report(1).key, report(2).key} == set(box.server.tried)
    box.works = False
    await box.minutes(1)
    await box.clock.advance(3 * 86_400)
    assert not box.outbox.set_aside("utility:e1")


async def test_several_reports_that_the_server_chokes_on_hold_up_no_other():
    box = Box()
    box.server.fails_on = {report(number).key for number in (1, 2, 4)}
    await box.keep(*(report(number) for number in range(1, 7)))
    await box.minutes(30)
    assert box.server.got == [report(3).key, report(5).key, report(6).key]


async def test_while_no_report_gets_through_the_server_is_to_blame_and_order_is_kept():
    """Its looks work, its reports do not, for nine days: nothing is lost, and they arrive oldest first."""
    box = Box()
    kept = [report(number) for number in range(1, 6)]
    box.server.fails_on = {one.key for one in kept}
    await box.keep(*kept)
    for _ in range(9 * 24):
        await box.clock.advance(3600)
        assert await box.round() is not None
    assert len(box.server.tried) <= 2 * 9 * 24 and not box.words()
    box.server.fails_on = set()
    assert await box.round() is None
    assert box.server.got == [one.key for one in kept]


async def test_after_such_an_outage_one_that_fails_for_good_is_found_out_all_the_same():
    box = Box()
    kept = [report(number) for number in range(1, 6)]
    box.server.fails_on = {one.key for one in kept}
    await box.keep(*kept)
    await box.minutes(60)
    box.server.fails_on = {kept[0].key}
    await box.minutes(2)
    assert sorted(box.server.got) == [one.key for one in kept[1:]]


async def test_an_account_that_does_not_work_is_asked_with_one_report_a_round():
    box = Box(works=False)
    box.server.down = True
    await box.keep(report(1), report(2))
    await box.minutes(20)
    assert set(box.server.tried) == {report(1).key}
