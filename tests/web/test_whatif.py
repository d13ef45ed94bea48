"""The page What if and its API: asked as a person types it, progress shown, an answer told, names and strangers checked."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import httpx
import pytest

from gateway.model.errors import WishRefused
from gateway.model.tariff import Bill, BillKind, BillLine, Rate, Tariff
from gateway.model.whatif import Answer, Flows, Month, Question
from gateway.runtime.whatif import Asked, AskPhase
from gateway.web.app import create_app
from gateway.web.pages import Pages
from gateway.web.settings import WebSettings
from gateway.web.whatif import bars, whatif_routes
from tests.web.conftest import OWN, browser
from tests.web.fake_home import FakeHome
from tests.web.scene import ZONE

TARIFF = Tariff("own", "Day & night", "EUR", ZONE, (Rate("all day", 300_000, 50_000),))


def bill(micro: int) -> Bill:
    return Bill((BillLine(BillKind.IMPORT, "all", micro),), 1_000_000.0, 0.0)


def months(*pairs: tuple[int, int]) -> tuple[Month, ...]:
    first = FakeHome().clock.now().date().replace(day=1)
    return tuple(Month(first.replace(month=i + 1), *pair) for i, pair in enumerate(pairs))


FLOWS = Flows(3e6, 0.0, 3e6, 0.0, 0.0, 0.0, 0.0)
ANSWER = Answer(
    100.0, 0.02, "EUR", bill(301_000_000), bill(300_000_000), bill(240_000_000), -70_000_000, -50_000_000, 0.4,
    months((100_000_000, 80_000_000), (200_000_000, 160_000_000)), FLOWS, replace(FLOWS, import_wh=2e6),
    4_000.0, 3_500.0, 0, 0.0, ("It rests on 100 days: other seasons are not in it.",),
)  # fmt: skip


class FakeQuestions:
    """Takes questions and answers when told to."""

    def __init__(self) -> None:
        self.last: Asked | None = None
        self.tariff = TARIFF

    def ask(self, question: Question, days: int) -> Asked:
        if self.last is not None and self.last.phase is AskPhase.RUNNING:
            raise WishRefused("Another question is being answered. Wait for it, or cancel it.")
        self.last = Asked(1, question, days, AskPhase.RUNNING, 0.25)
        return self.last

    def cancel(self) -> Asked:
        if self.last is None or self.last.phase is not AskPhase.RUNNING:
            raise WishRefused("No question is being answered.")
        self.last = replace(self.last, phase=AskPhase.CANCELLED, words="Cancelled.")
        return self.last

    def answer(self) -> None:
        assert self.last is not None
        self.last = replace(self.last, phase=AskPhase.DONE, share=1.0, answer=ANSWER)


class FakeTariffs:
    def names(self) -> Sequence[str]:
        return ("flat", "night")

    def load(self, name: str) -> Tariff:
        return replace(TARIFF, id=name)


@pytest.fixture
def questions() -> FakeQuestions:
    return FakeQuestions()


def client_of(questions: FakeQuestions, *, demo: bool) -> httpx.AsyncClient:
    home = FakeHome()
    home.questions, home.tariffs = questions, FakeTariffs()  # type: ignore[attr-defined]
    app = create_app(home, settings=WebSettings(demo_login=demo))  # type: ignore[arg-type]
    app.include_router(whatif_routes(Pages(home, app.state.login), questions, FakeTariffs()))  # type: ignore[arg-type]
    return browser(app, headers={"origin": OWN})  # type: ignore[return-value]


@pytest.fixture
async def owner(questions: FakeQuestions) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(questions, demo=True) as client:
        yield client


@pytest.mark.slow
async def test_a_question_is_taken_as_it_is_typed_and_its_progress_is_shown(
    owner: httpx.AsyncClient, questions: FakeQuestions
) -> None:
    told = await owner.post("/do/whatif", data={"tariff": "night", "pv_kwp": "4,5", "battery_kwh": "10", "days": "200"})
    assert (told.status_code, told.headers["location"]) == (303, "/whatif")
    assert questions.last is not None and questions.last.question.tariff is not None
    assert (questions.last.question.tariff.id, questions.last.question.pv_kwp, questions.last.days) == (
        "night",
        4.5,
        200,
    )
    text = (await owner.get("/whatif")).text
    assert "<h1>Replaying your history: 25 % done.</h1>" in text
    assert 'http-equiv="refresh" content="4"' in text


@pytest.mark.slow
async def test_an_answer_is_told_with_its_doubt_a_picture_and_what_it_rests_on(
    owner: httpx.AsyncClient, questions: FakeQuestions
) -> None:
    await owner.post("/do/whatif", data={"battery_kwh": "10"})
    questions.answer()
    text = (await owner.get("/whatif")).text
    assert "<h1>That would have saved you about €219.00 a year.</h1>" in text
    assert "€300.00" in text and "€240.00" in text and "−€60.00" in text
    assert "−€70.00 to −€50.00" in text and "differs by +0.4 %" in text
    assert text.count("<rect class=") == 4
    assert "other seasons are not in it" in text


async def test_what_was_typed_wrong_stays_in_the_form(owner: httpx.AsyncClient, questions: FakeQuestions) -> None:
    told = await owner.post("/do/whatif", data={"pv_kwp": "five"})
    assert told.status_code == 422
    assert 'value="five"' in told.text and 'role="alert"' in told.text
    assert questions.last is None


async def test_the_api_begins_tells_and_cancels(owner: httpx.AsyncClient, questions: FakeQuestions) -> None:
    assert (await owner.get("/api/v1/whatif")).status_code == 404
    begun = await owner.post("/api/v1/whatif", json={"ev_kwh_per_day": 8, "days": 90})
    assert begun.status_code == 202
    assert begun.json() | {"answer": None} == {
        "number": 1, "phase": "running", "share": 0.25, "days": 90, "words": "", "answer": None,
    }  # fmt: skip
    assert (await owner.delete("/api/v1/whatif")).json()["phase"] == "cancelled"
    refused = await owner.delete("/api/v1/whatif")
    assert refused.status_code in (409, 422) and "No question" in refused.text


async def test_the_api_gives_the_answer_in_micro_units(owner: httpx.AsyncClient, questions: FakeQuestions) -> None:
    await owner.post("/api/v1/whatif", json={})
    questions.answer()
    answer = (await owner.get("/api/v1/whatif")).json()["answer"]
    assert (answer["difference_micro"], answer["year_micro"]) == (-60_000_000, -219_000_000)
    assert (answer["low_micro"], answer["high_micro"]) == (-70_000_000, -50_000_000)
    assert [month["then_micro"] for month in answer["months"]] == [80_000_000, 160_000_000]


@pytest.mark.parametrize(
    "body",
    [
        {"tariff": "../../etc/passwd"},
        {"pv_kwp": -1},
        {"days": 5},
        {"control": "chaos"},
        {"unknown": 1},
    ],
)
async def test_what_makes_no_sense_is_refused_in_words(
    owner: httpx.AsyncClient, questions: FakeQuestions, body: dict[str, object]
) -> None:
    refused = await owner.post("/api/v1/whatif", json=body)
    assert refused.status_code in (409, 422)
    assert refused.json()["detail"]
    assert questions.last is None


async def test_a_stranger_may_look_but_not_ask(questions: FakeQuestions) -> None:
    async with client_of(questions, demo=False) as stranger:
        assert "Log in</a> to ask" in (await stranger.get("/whatif")).text
        assert (await stranger.post("/api/v1/whatif", json={})).status_code in (401, 403)
    assert questions.last is None


def test_bars_of_months_that_earn_hang_below_the_line() -> None:
    picture = bars(replace(ANSWER, months=months((100, -100))))
    now, then = picture["rows"]
    assert now["y"] == 0.0 and now["y"] + now["height"] == picture["zero"]
    assert then["y"] == picture["zero"]
