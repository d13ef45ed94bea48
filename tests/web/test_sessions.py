"""The ledger of sessions on a page, as JSON and as CSV: figures with units, filters, and nothing a spreadsheet runs."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from fastapi import FastAPI

from gateway.model.session import ChargeReason, EvSession, SessionAccount, SessionSlice
from gateway.runtime.ledger import LedgerRow
from gateway.web.pages import Pages
from gateway.web.sessions import session_routes
from tests.web.fake_home import FakeHome

NIGHT = datetime(2026, 11, 3, 22, 0, tzinfo=UTC)
OLD_COLUMNS = ["transaction", "charger", "start", "end", "energy_wh", "stop_reason"]


def row(number: int, start: datetime, tag: str = "ANNA", stop: str = "Local", account: bool = True) -> LedgerRow:
    end = start + timedelta(hours=1)
    session = EvSession(number, "k", "charger", 1, tag, start, 0.0, 2000.0, end, 2000.0, stop)
    part = SessionSlice(start, end, 2000.0, 500.0, 0.0, 300_000, 80_000, 250.0, True)
    why = ((ChargeReason.CHEAP, 1440.0), (ChargeReason.SUN, 400.0), (ChargeReason.ASKED, 160.0))
    kept = SessionAccount(number, 2000.0, 500.0, 0.0, 490_000, 375.0, why, (part,), True)
    return LedgerRow(session, kept if account else None)


class FakeLedger:
    def __init__(self, rows: list[LedgerRow]) -> None:
        self.held = rows

    async def rows(self, start: datetime, end: datetime) -> list[LedgerRow]:
        return [r for r in self.held if r.session.start < end and (r.session.end or end) > start]


class HomeWithLedger(FakeHome):
    def __init__(self, rows: list[LedgerRow]) -> None:
        super().__init__()
        self.ledger = FakeLedger(rows)


def visitor(rows: list[LedgerRow]) -> httpx.AsyncClient:
    home, app = HomeWithLedger(rows), FastAPI()
    app.include_router(session_routes(home, Pages(home, None)))  # type: ignore[arg-type]
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://home")


async def test_the_page_tells_energy_money_sun_and_why_of_each_session_and_of_the_month() -> None:
    async with visitor([row(1, NIGHT), row(2, NIGHT + timedelta(days=1))]) as browser:
        text = (await browser.get("/sessions?month=2026-11")).text
    assert "In November 2026 4.0 kWh were charged for €0.98, 25\N{NO-BREAK SPACE}% of it from your own sun" in text
    assert "72 % on cheap hours, 20 % on surplus sun, 8 % you asked to charge now" in text
    assert "€0.490/kWh" not in text and "€0.245/kWh" in text and "750 g CO₂" in text
    assert text.count('class="k-sun" fill') == 2


async def test_a_session_that_is_not_accounted_yet_shows_its_energy_and_dashes() -> None:
    async with visitor([row(1, NIGHT, account=False)]) as browser:
        text = (await browser.get("/sessions?month=2026-11")).text
        out = (await browser.get("/api/v1/sessions?start=2026-11-01T00:00:00Z&end=2026-12-01T00:00:00Z")).json()
    assert "2.0 kWh" in text and out[0]["cost_micro"] is None and out[0]["why"] == []


async def test_in_the_csv_what_is_not_accounted_yet_is_an_empty_cell() -> None:
    async with visitor([row(1, NIGHT, account=False)]) as browser:
        text = (await browser.get("/api/v1/sessions.csv?start=2026-11-01T00:00:00Z&end=2026-12-01T00:00:00Z")).text
    (line,) = csv.DictReader(io.StringIO(text))
    assert [line[name] for name in ("cost", "co2_g", "solar_wh", "battery_wh", "grid_wh", "why")] == [""] * 6
    assert line["energy_wh"] == "2000"


async def test_energies_are_told_to_a_tenth_of_a_watt_hour() -> None:
    odd = row(1, NIGHT)
    odd = replace(odd, session=replace(odd.session, meter_start_wh=0.1, meter_stop_wh=2000.4000000000001))
    async with visitor([odd]) as browser:
        text = (await browser.get("/api/v1/sessions?start=2026-11-01T00:00:00Z&end=2026-12-01T00:00:00Z")).text
    assert '"energy_wh":2000.3,' in text


@pytest.mark.parametrize(("query", "shown"), [("tag=ANNA", 1), ("tag=BEN", 1), ("", 2), ("charger=charger", 2)])
async def test_the_table_can_be_of_one_tag_or_charger(query: str, shown: int) -> None:
    async with visitor([row(1, NIGHT), row(2, NIGHT + timedelta(days=1), tag="BEN")]) as browser:
        text = (await browser.get(f"/sessions?month=2026-11&{query}")).text
    assert text.count('<th scope="row">') == shown


@pytest.mark.parametrize(
    "query", ["month=nonsense", "month=9999-12", "month=0001-01", "charger=%00", "tag=" + "x" * 500]
)
async def test_any_address_shows_a_page(query: str) -> None:
    async with visitor([row(1, NIGHT)]) as browser:
        assert (await browser.get(f"/sessions?{query}")).status_code == 200


async def test_a_session_belongs_to_the_local_month_in_which_it_began() -> None:
    midnight = datetime(2026, 10, 31, 23, 30, tzinfo=UTC)  # 00:30 of 1 November in Berlin
    async with visitor([row(1, midnight)]) as browser:
        november = (await browser.get("/sessions?month=2026-11")).text
        october = (await browser.get("/sessions?month=2026-10")).text
    assert "2.0 kWh were charged" in november and "No car has charged in October 2026" in october


async def test_the_csv_keeps_its_old_columns_first_and_holds_each_session_once() -> None:
    async with visitor([row(1, NIGHT), row(2, NIGHT + timedelta(days=30))]) as browser:
        answer = await browser.get("/api/v1/sessions.csv?start=2026-01-01T00:00:00Z&end=2027-01-01T00:00:00Z")
    table = list(csv.DictReader(io.StringIO(answer.text)))
    assert list(table[0])[: len(OLD_COLUMNS)] == OLD_COLUMNS and [r["transaction"] for r in table] == ["1", "2"]
    assert (table[0]["cost"], table[0]["currency"], table[0]["solar_wh"]) == ("0.490000", "EUR", "500")


async def test_a_formula_from_a_charger_is_no_formula_in_the_csv() -> None:
    evil = row(1, NIGHT, tag="=HYPERLINK(1)", stop=" +1+1")
    async with visitor([evil]) as browser:
        answer = await browser.get("/api/v1/sessions.csv?start=2026-11-01T00:00:00Z&end=2026-12-01T00:00:00Z")
        page = (await browser.get("/sessions?month=2026-11&tag=%3Cscript%3E")).text
    table = next(csv.DictReader(io.StringIO(answer.text)))
    assert table["tag"].startswith("'=") and table["stop_reason"].startswith("'") and "<script>x" not in page
    assert "&lt;script&gt;" in page


async def test_a_session_whose_energy_is_not_sure_says_so_on_the_page_in_the_api_and_in_the_csv() -> None:
    sure, odd, more = row(1, NIGHT), row(2, NIGHT + timedelta(hours=2)), row(3, NIGHT + timedelta(hours=3))
    odd = replace(odd, session=replace(odd.session, meter_refused_wh=900_000.0))
    more = replace(more, session=replace(more.session, meter_doubted=True))
    asked = "start=2026-11-01T00:00:00Z&end=2026-12-01T00:00:00Z"
    async with visitor([sure, odd, more]) as browser:
        page = (await browser.get("/sessions?month=2026-11")).text
        out = (await browser.get(f"/api/v1/sessions?{asked}")).json()
        table = list(csv.DictReader(io.StringIO((await browser.get(f"/api/v1/sessions.csv?{asked}")).text)))
    assert page.count("energy not sure: the register at its end, 900.0 kWh, cannot be true") == 1
    assert page.count("energy not sure: its register rose at the end by more than its samples told") == 1
    assert {each["transaction"]: each["refused_register_wh"] for each in out} == {1: None, 2: 900_000.0, 3: None}
    assert {each["transaction"]: each["register_doubted"] for each in out} == {1: False, 2: False, 3: True}
    assert {each["transaction"]: each["refused_register_wh"] for each in table} == {"1": "", "2": "900000", "3": ""}
    assert {each["transaction"]: each["register_doubted"] for each in table} == {"1": "", "2": "", "3": "yes"}
