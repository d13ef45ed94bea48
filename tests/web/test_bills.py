"""The page Bills and its API: months in words, a real bill taken as it is typed, its gap told, and nobody let in."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta

import httpx
import pytest

from gateway.core.tariff.versions import joined
from gateway.model.bill import BillGap, RealBill
from gateway.model.reading import Interval, IntervalQuality
from gateway.model.tariff import Bill, BillKind, BillLine, Rate, Tariff
from gateway.runtime.bills import Bills
from gateway.web.app import create_app
from gateway.web.bill_words import gap_words, tariff_words
from gateway.web.bills import bill_routes
from gateway.web.pages import Pages
from gateway.web.settings import WebSettings
from tests.web.conftest import OWN, browser
from tests.web.fake_home import FakeHome
from tests.web.scene import SITE, ZONE

TARIFF = Tariff("night", "Day & night", "EUR", ZONE, (Rate("all day", 300_000, 50_000),), 250_000, vat_percent=6)
FORM = {"first_day": "2026-10-01", "last_day": "2026-10-31", "amount": "86,30", "import_kwh": "312,5", "note": "A-17"}
WISH = {"first_day": "2026-10-01", "last_day": "2026-10-31", "amount_micro": 86_300_000, "import_wh": 312_500}


class MeteredHome(FakeHome):
    """October is measured but for the 2nd and the 3rd, at 400 W, with a peak at 18:30 of the 5th."""

    def __init__(self) -> None:
        super().__init__()
        self.bills = Bills(SITE, self.clock, self.store, TARIFF)

    async def measure(self) -> None:
        start, end = datetime(2026, 9, 30, 22, tzinfo=UTC), datetime(2026, 10, 31, 23, tzinfo=UTC)
        gap = datetime(2026, 10, 1, 22, tzinfo=UTC), datetime(2026, 10, 3, 22, tzinfo=UTC)
        peak, at, rows = datetime(2026, 10, 5, 16, 30, tzinfo=UTC), start, []
        while at < end:
            wh = 1500.0 if at == peak else 100.0
            if not gap[0] <= at < gap[1]:
                rows.append(Interval("meter", at, 900, wh, 10.0, IntervalQuality.VALID, "counter"))
            at += timedelta(minutes=15)
        await self.store.save_intervals(rows)


def client_of(home: MeteredHome, *, demo: bool) -> httpx.AsyncClient:
    app = create_app(home, settings=WebSettings(demo_login=demo))  # type: ignore[arg-type]
    app.include_router(bill_routes(home, Pages(home, app.state.login), home.bills))  # type: ignore[arg-type]
    return browser(app, headers={"origin": OWN})  # type: ignore[return-value]


@pytest.fixture
async def metered() -> MeteredHome:
    home = MeteredHome()
    home.store.interval_rows.clear()
    await home.measure()
    return home


@pytest.fixture
async def owner(metered: MeteredHome) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(metered, demo=True) as client:
        yield client


async def test_the_page_tells_each_month_with_cost_energy_peak_and_what_is_known(owner: httpx.AsyncClient) -> None:
    text = (await owner.get("/bills")).text
    assert "<h1>In 2026 so far the grid has cost €" in text and "October 2026" in text
    assert "Data for 29 of 31 days." in text
    assert "6.0 kW" in text and "Mon 05 Oct, 18:30" in text
    assert "€7.75" in text, "the fixed part of 31 days"


async def test_a_months_lines_sum_to_its_cost(owner: httpx.AsyncClient) -> None:
    (month,) = (await owner.get("/api/v1/bills")).json()["months"]
    assert sum(line["micro"] for line in month["lines"]) == month["cost_micro"]
    assert (month["month"], month["days"], month["days_with_data"]) == ("2026-10", 31, 29)
    assert month["missing_s"] == 2 * 86_400 and month["fixed_micro"] == 31 * 250_000
    assert month["import_wh"] == pytest.approx(((29 * 24 + 1) * 4 - 1) * 100 + 1500)


@pytest.mark.slow
async def test_a_bill_is_taken_as_a_person_types_it_and_its_gap_is_said_at_once(owner: httpx.AsyncClient) -> None:
    answer = await owner.post("/do/bill", data=FORM)
    assert (answer.status_code, answer.headers["location"]) == (303, "/bills?year=2026#real")
    text = (await owner.get("/bills?year=2026")).text
    assert 'role="status">Kept. Hearth counts ' in text and "your bill says 86.30:" in text
    assert "1 Oct 2026 to 31 Oct 2026" in text and "A-17" in text and "the bill 312 kWh" in text
    (real,) = (await owner.get("/api/v1/bills")).json()["real"]
    assert (real["amount_micro"], real["import_wh"], real["export_wh"]) == (86_300_000, 312_500, None)
    assert real["gap_micro"] == 86_300_000 - real["counted_micro"] and real["days_with_data"] == 29


@pytest.mark.slow
@pytest.mark.parametrize(
    ("field", "typed", "words"),
    [
        ("amount", "eighty", "cannot be read"),
        ("amount", "nan", "cannot be read"),
        ("amount", "1e300", "cannot be read"),
        ("amount", "9" * 30, "amount micro"),
        ("amount", "1,234", "Write 1234 or 1.234."),
        ("first_day", "1 October", "could not be read"),
        ("last_day", "2026-09-01", "Swap them"),
        ("last_day", "2027-06-01", "must have passed"),
        ("last_day", "9999-12-31", "last day"),
        ("import_kwh", "-5", "import wh"),
        ("note", "x" * 201, "note"),
    ],
)
async def test_a_bill_that_cannot_be_read_is_refused_and_what_was_typed_stays(
    owner: httpx.AsyncClient, field: str, typed: str, words: str
) -> None:
    answer = await owner.post("/do/bill", data=FORM | {field: typed})
    assert answer.status_code == 422 and words in answer.text
    assert (f'value="{typed}"' in answer.text and 'value="86,30"' in answer.text) or field == "amount"
    assert (await owner.get("/api/v1/bills")).json()["real"] == []


@pytest.mark.slow
async def test_a_bill_can_be_deleted_on_the_page_and_by_the_api(owner: httpx.AsyncClient) -> None:
    number = (await owner.post("/api/v1/bills", json=WISH)).json()["number"]
    assert (await owner.post("/do/bill-delete", data={"number": str(number)})).status_code == 303
    assert "Deleted: the bill of 86.30 EUR for 2026-10-01 to 2026-10-31." in (await owner.get("/bills")).text
    number = (await owner.post("/api/v1/bills", json=WISH)).json()["number"]
    assert (await owner.delete(f"/api/v1/bills/{number}")).status_code == 200
    again = await owner.delete(f"/api/v1/bills/{number}")
    assert again.status_code == 404 and "GET /api/v1/bills lists them" in again.json()["detail"]


@pytest.mark.slow
@pytest.mark.parametrize("number", ["", "x", "-1", "²", "9" * 400])
async def test_deleting_what_is_not_there_is_refused_in_words(owner: httpx.AsyncClient, number: str) -> None:
    assert (await owner.post("/do/bill-delete", data={"number": number})).status_code == 303
    assert "There is no bill number" in (await owner.get("/bills")).text


@pytest.mark.parametrize(
    "wish",
    [
        WISH | {"amount_micro": 10**13}, WISH | {"import_wh": -1}, WISH | {"extra": 1}, WISH | {"first_day": "0001-01-01"},
        {"first_day": "2026-10-01"}, WISH | {"amount_micro": 1.5},
    ],
)  # fmt: skip
async def test_the_api_takes_only_what_can_be_a_bill(owner: httpx.AsyncClient, wish: dict[str, object]) -> None:
    answer = await owner.post("/api/v1/bills", json=wish)
    assert answer.status_code == 422 and answer.headers["content-type"] == "application/problem+json"


@pytest.mark.slow
async def test_the_same_bill_twice_is_a_conflict(owner: httpx.AsyncClient) -> None:
    assert (await owner.post("/api/v1/bills", json=WISH)).status_code == 200
    again = await owner.post("/api/v1/bills", json=WISH)
    assert again.status_code == 409 and "there already" in again.json()["detail"]


async def test_who_has_not_logged_in_may_look_but_not_enter(metered: MeteredHome) -> None:
    async with client_of(metered, demo=False) as reader:
        text = (await reader.get("/bills")).text
        assert "Log in</a> to enter a bill." in text and "/do/bill" not in text
        assert (await reader.post("/api/v1/bills", json=WISH)).status_code == 401
        assert (await reader.delete("/api/v1/bills/1")).status_code == 401
    assert await metered.bills.gaps() == ()


async def test_another_sites_page_cannot_delete_a_bill(metered: MeteredHome, owner: httpx.AsyncClient) -> None:
    await owner.post("/api/v1/bills", json=WISH)
    assert (await owner.delete("/api/v1/bills/1", headers={"origin": "http://evil.example"})).status_code == 403
    assert len(await metered.bills.gaps()) == 1


@pytest.mark.slow
@pytest.mark.parametrize("query", ["", "year=2026", "year=banana", "year=0000", "year=9999", "year=%00", "year=²026"])
async def test_any_address_shows_a_page(owner: httpx.AsyncClient, query: str) -> None:
    assert (await owner.get(f"/bills?{query}")).status_code == 200


@pytest.mark.parametrize("year", [1900, 2027, 10**30])
async def test_the_api_refuses_a_year_without_bills(owner: httpx.AsyncClient, year: int) -> None:
    assert (await owner.get(f"/api/v1/bills?year={year}")).status_code == 422


async def test_a_year_without_data_says_so(owner: httpx.AsyncClient) -> None:
    assert "There is no interval data of 2024" in (await owner.get("/bills?year=2024")).text


@pytest.mark.slow
async def test_a_note_is_text_and_never_a_part_of_the_page(owner: httpx.AsyncClient) -> None:
    await owner.post("/do/bill", data=FORM | {"note": "<script>x</script>"})
    text = (await owner.get("/bills")).text
    assert "<script>x" not in text and "&lt;script&gt;x" in text


def gap(counted: int, real: int, known: int = 31, import_wh: float | None = None) -> BillGap:
    bill = Bill((BillLine(BillKind.IMPORT, "all", counted),), 305_000.0, 0.0)
    return BillGap(RealBill(date(2026, 10, 1), date(2026, 11, 1), real, import_wh), bill, known)


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (gap(84_100_000, 86_300_000, 29),
         "Hearth counts 84.10 EUR for these days, your bill says 86.30: 2.6 % more. Data for 29 of 31 days."),
        (gap(84_100_000, 84_110_000),
         "Hearth counts 84.10 EUR for these days, your bill says 84.11: the same. Data for 31 of 31 days."),
        (gap(84_100_000, -12_000_000),
         "Hearth counts 84.10 EUR for these days, your bill says -12.00: 96.10 less. Data for 31 of 31 days."),
        (gap(0, 5_000_000, 0),
         "Hearth counts 0.00 EUR for these days, your bill says 5.00: 5.00 more. Data for 0 of 31 days."),
        (gap(84_100_000, 42_050_000, import_wh=312_000.0),
         "Hearth counts 84.10 EUR for these days, your bill says 42.05: 50.0 % less. "
         "The meter has 305 kWh taken, the bill 312 kWh: 2.3 % more. Data for 31 of 31 days."),
    ],
)  # fmt: skip
def test_the_gap_in_words(found: BillGap, words: str) -> None:
    assert gap_words(found, "EUR") == words


def test_the_page_names_every_tariff_that_held_with_its_first_day() -> None:
    old = Tariff("old", "Day and night", "EUR", ZONE, (Rate("all", 300_000, 0),))
    new = Tariff("new", "Dynamic", "EUR", ZONE, (Rate("all", 300_000, 0),), valid_from=date(2026, 7, 1))
    assert tariff_words(old) == "the tariff “Day and night”"
    assert tariff_words(joined([old, new])) == "the tariff of each day (“Day and night”, “Dynamic” from 01 July 2026)"
