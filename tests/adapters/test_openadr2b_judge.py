"""OpenADR 2.0b against openleadr's own VTN, over mutual TLS: registration, events, opts, reports, restarts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from adapters.openadr2b.client import Vtn2b
from gateway.model.dr import DrReport, OptState, ReportRow
from gateway.model.errors import ServerError, ServerRefused, ServerUnreachable
from tests.adapters.openadr2b_lab import Authority, LeadrVtn, fingerprint_of
from tests.fakes import FakeClock, FakeStore

pytestmark = pytest.mark.filterwarnings("ignore:It is recommended to use web.AppKey")
POLL_S = 10.0


class Home:
    """A home with an account at the judge."""

    def __init__(self, folder: Path) -> None:
        self.authority = Authority(folder)
        self.cert = self.authority.issue("home-1")
        self.vtn = LeadrVtn(self.authority, fingerprint_of(self.cert[0]))
        self.clock = FakeClock(datetime.now(UTC))
        self.facts = FakeStore()
        self.ven = self.new_ven()

    def new_ven(self) -> Vtn2b:
        """Our side, as after a restart."""
        return Vtn2b("utility", self.vtn.settings(self.cert), self.clock, self.facts)  # type: ignore[arg-type]

    async def events(self) -> list[str]:
        """The ids of the events after the next poll, report requests left out."""
        await self.clock.advance(POLL_S)
        await self.ven.programs()
        return [event.id for event in await self.ven.events() if not event.id.startswith("report-")]


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[Home]:
    made = Home(tmp_path)
    await made.vtn.start()
    yield made
    await made.ven.close()
    await made.vtn.stop()


async def test_the_judge_registers_us_and_learns_our_reports(home: Home) -> None:
    assert await home.events() == []

    assert home.ven.facts.ven == "ven-1" and home.vtn.registrations == 1
    assert ("ven-1", "RealEnergy") in home.vtn.offered and ("ven-1", "RealPower") in home.vtn.offered
    assert abs(home.ven.facts.clock_skew_s or 99) < 15


async def test_an_event_reaches_us_and_its_opt_reaches_the_judge(home: Home) -> None:
    await home.events()
    announced = home.vtn.announce()

    assert await home.events() == [announced]
    event = next(event for event in await home.ven.events() if event.id == announced)
    await home.ven.answer(event, OptState.JOINED)
    await home.ven.answer(event, OptState.JOINED)

    assert home.vtn.opts == [(announced, "optIn")]
    assert [interval.payloads[0].values for interval in event.intervals] == [(2.0,)]


async def test_a_cancelled_event_is_gone_and_its_cancellation_is_confirmed(home: Home) -> None:
    await home.events()
    announced = home.vtn.announce()
    kept = home.vtn.announce()
    await home.events()

    home.vtn.server.cancel_event("ven-1", announced)

    assert await home.events() == [kept]
    left = [event.event_descriptor.event_id for event in home.vtn.server.events["ven-1"]]
    assert left == [kept]


async def test_the_judge_gets_the_reports_it_asked_for(home: Home) -> None:
    await home.events()
    asked = next(event for event in await home.ven.events() if event.id.startswith("report-"))
    assert asked.reports and asked.intervals[0].payloads == ()

    await home.ven.send(report(asked.id, 1.25))

    assert [(name, value) for name, _, value in home.vtn.values] == [("RealEnergy", 1.25)]


async def test_the_judge_restarts_without_its_memory_and_we_are_back(home: Home) -> None:
    await home.events()
    asked = next(event for event in await home.ven.events() if event.id.startswith("report-"))
    await home.vtn.stop(forget=True)
    await home.clock.advance(POLL_S)
    with pytest.raises(ServerUnreachable):
        await home.ven.programs()
    await home.vtn.start()
    announced = home.vtn.announce()

    assert await home.events() == [announced]
    event = next(event for event in await home.ven.events() if event.id == announced)
    await home.ven.answer(event, OptState.SKIPPED)
    await home.ven.send(report(asked.id, 0.5))  # kept for the request the judge has forgotten

    assert home.vtn.opts == [(announced, "optOut")]
    assert home.vtn.registrations == 2
    assert [value for _, _, value in home.vtn.values] == [0.5]


async def test_we_restart_and_are_the_same_home_to_the_judge(home: Home) -> None:
    await home.events()
    announced = home.vtn.announce()
    await home.events()
    await home.ven.answer((await home.ven.events())[0], OptState.JOINED)
    await home.ven.close()

    home.ven = home.new_ven()

    assert await home.events() == [announced]
    assert home.ven.facts.ven == "ven-1"


async def test_a_certificate_the_judge_does_not_know_is_refused_in_words(home: Home) -> None:
    stranger = home.authority.issue("stranger")
    ven = Vtn2b("utility", home.vtn.settings(stranger), home.clock)

    with pytest.raises(ServerRefused, match="does not register this home") as refused:
        await ven.programs()

    assert fingerprint_of(stranger[0]) in str(refused.value)
    await ven.close()


async def test_an_expired_certificate_of_ours_is_named_as_the_cause(home: Home) -> None:
    ven = Vtn2b("utility", home.vtn.settings(home.authority.issue("old", ended=True)), home.clock)

    with pytest.raises(ServerRefused, match="certificate expired on"):
        await ven.programs()

    await ven.close()


async def test_without_a_certificate_the_judge_breaks_off_and_we_say_what_to_ask(home: Home) -> None:
    ven = Vtn2b("utility", home.vtn.settings(("", "")), home.clock)

    with pytest.raises(ServerError, match=r"(accepts|refuses) this home's certificate"):
        await ven.programs()

    await ven.close()


async def test_a_server_of_another_authority_is_not_trusted(home: Home, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = Authority(tmp_path / "other", "other")
    settings = home.vtn.settings(home.cert).model_copy(update={"ca_file": str(other.file)})
    ven = Vtn2b("utility", settings, home.clock)

    with pytest.raises(ServerRefused, match="cannot be trusted"):
        await ven.programs()

    await ven.close()


async def test_the_fingerprint_of_the_server_is_checked_where_it_is_given(home: Home) -> None:
    right = fingerprint_of(str(home.authority.folder / "vtn.pem"))
    wrong = ":".join(["00"] * 10)
    for fingerprint, fine in ((right, True), (wrong, False)):
        ven = Vtn2b("utility", home.vtn.settings(home.cert, vtn_fingerprint=fingerprint), home.clock)
        if fine:
            assert await ven.programs()
        else:
            with pytest.raises(ServerRefused, match="another fingerprint"):
                await ven.programs()
        await ven.close()


async def test_two_polls_are_never_closer_than_the_judge_asks(home: Home) -> None:
    await home.events()
    await home.clock.advance(POLL_S - 0.5)
    announced = home.vtn.announce()

    await home.ven.programs()
    early = [event.id for event in await home.ven.events()]
    await home.clock.advance(0.5)
    await home.ven.programs()

    assert announced not in early
    assert announced in [event.id for event in await home.ven.events()]


def report(event: str, value: float) -> DrReport:
    """A quarter hour of the home."""
    start = datetime(2026, 11, 21, 17, 0, tzinfo=UTC)
    rows = (ReportRow(0, start, timedelta(minutes=15).total_seconds(), value, "OK"),)
    return DrReport(f"k-{value}", "utility", "reports", event, "n", "USAGE", "DIRECT_READ", "KWH", "home", rows)
