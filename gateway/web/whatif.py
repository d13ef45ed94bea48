"""The page What if: a form, the progress of a replay, its answer; and the same as an API."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import ValidationError

from gateway.model.errors import HearthError, WishRefused
from gateway.model.tariff import Tariff
from gateway.model.whatif import Answer
from gateway.runtime.whatif import Asked, Tariffs
from gateway.web.form_fields import fields_of, figure, refusal_words
from gateway.web.pages import Pages
from gateway.web.problems import Problem
from gateway.web.questions import Questions
from gateway.web.wire_whatif import WhatIfIn, WhatIfOut, asked_out
from gateway.web.words import money, watt_hours

FIGURES = ("pv_kwp", "battery_kwh", "ev_kwh_per_day", "heat_pump_kw")
CHART_W, CHART_H, LEAST_BAR = 600, 140, 1.0


def whatif_routes(pages: Pages, questions: Questions, tariffs: Tariffs) -> APIRouter:
    """The page /whatif with its forms, and /api/v1/whatif."""
    router = APIRouter()
    _add_page(router, pages, questions, tariffs)
    _add_api(router, questions, tariffs)
    return router


def _add_page(router: APIRouter, pages: Pages, questions: Questions, tariffs: Tariffs) -> None:
    def show(request: Request, wrong: str = "", typed: dict[str, str] | None = None) -> HTMLResponse:
        asked, currency = questions.last, questions.tariff.currency
        return pages.page(
            request, "whatif.html", 422 if wrong else 200, path="/whatif", asked=asked, wrong=wrong,
            headline=headline(asked, currency), names=tariffs.names(), own=questions.tariff.at(pages.home.clock.now()).name,
            answer=None if asked is None or asked.answer is None else answer_words(asked.answer),
            values={key: (typed or {}).get(key, "") for key in (*FIGURES, "tariff", "days")},
        )  # fmt: skip

    @router.get("/whatif", include_in_schema=False)
    async def page(request: Request) -> HTMLResponse:
        return show(request)

    @router.post("/do/whatif", include_in_schema=False)
    async def ask(request: Request) -> Response:
        fields, _ = await fields_of(request)
        try:
            wish = _typed(fields)
            questions.ask(wish.to_model(_named(tariffs, wish.tariff)), wish.days)
        except (WishRefused, ValidationError, ValueError) as refused:
            return show(request, refusal_words(refused), fields)
        return RedirectResponse("/whatif", 303)

    @router.post("/do/whatif-cancel", include_in_schema=False)
    async def cancel(request: Request) -> Response:
        try:
            questions.cancel()
        except WishRefused as refused:
            pages.say(request, str(refused), refused=True)
        return RedirectResponse("/whatif", 303)


def _add_api(router: APIRouter, questions: Questions, tariffs: Tariffs) -> None:
    @router.post("/api/v1/whatif", status_code=202)
    async def ask(wish: WhatIfIn) -> WhatIfOut:
        """Begin to replay the home's history with something changed; GET tells how far it is."""
        return asked_out(questions.ask(wish.to_model(_named(tariffs, wish.tariff)), wish.days))

    @router.get("/api/v1/whatif")
    async def read() -> WhatIfOut:
        """The last question: its progress, and its answer once it is there; 404 before the first."""
        if questions.last is None:
            raise Problem(404, "Nothing was asked yet. POST /api/v1/whatif asks.")
        return asked_out(questions.last)

    @router.delete("/api/v1/whatif")
    async def cancel() -> WhatIfOut:
        """End the question that is being answered."""
        return asked_out(questions.cancel())


def _named(tariffs: Tariffs, name: str | None) -> Tariff | None:
    """The tariff of a question; only a name of the list, so that no path is ever made of what was sent."""
    if not name:
        return None
    if name not in tariffs.names():
        raise WishRefused(f"There is no tariff '{name[:60]}'. Known: {', '.join(tariffs.names())}.")
    try:
        return tariffs.load(name)
    except HearthError as error:
        raise WishRefused(str(error)) from error


def _typed(fields: dict[str, str]) -> WhatIfIn:
    """What the form's texts mean; raises ValueError and ValidationError."""
    told: dict[str, Any] = {key: figure(fields[key]) for key in FIGURES if fields.get(key)}
    if fields.get("days"):
        told["days"] = int(figure(fields["days"]))
    return WhatIfIn.model_validate(told | ({"tariff": fields["tariff"]} if fields.get("tariff") else {}))


# ---- words and picture


def headline(asked: Asked | None, currency: str) -> str:
    """One sentence about where the question stands."""
    if asked is None:
        return "What would your own past have cost under other conditions?"
    if asked.answer is None:
        if asked.phase == "running":
            return f"Replaying your history: {100 * asked.share:.0f} % done."
        return asked.words
    micro = asked.answer.year_micro
    if abs(micro) < 1e6:
        return "That would hardly have changed your bill."
    return f"That would have {'saved' if micro < 0 else 'cost'} you about {money(abs(micro), currency)} a year{'' if micro < 0 else ' more'}."


def answer_words(answer: Answer) -> dict[str, Any]:
    """An answer as texts and bars."""
    unit = answer.currency
    now, then = answer.flows_now, answer.flows_then
    flows = (
        ("Bought", now.import_wh, then.import_wh), ("Sold", now.export_wh, then.export_wh),
        ("Made by the sun", now.solar_wh, then.solar_wh), ("Into batteries", now.charged_wh, then.charged_wh),
        ("Into cars", now.cars_wh, then.cars_wh), ("Heat pump", now.heat_wh, then.heat_wh),
    )  # fmt: skip
    return {
        "days": f"{answer.days:.0f}",
        "missing": f"{100 * answer.missing_share:.1f} %",
        "now": money(answer.now.micro, unit),
        "then": money(answer.then.micro, unit),
        "difference": money(answer.micro, unit),
        "low": money(answer.low_micro, unit),
        "high": money(answer.high_micro, unit),
        "real": money(answer.real.micro, unit),
        "gap": None if answer.gap_percent is None else f"{answer.gap_percent:+.1f} %",
        "peaks": f"{answer.peak_now_w / 1000:.1f} kW, then {answer.peak_then_w / 1000:.1f} kW",
        "missed": answer.missed_departures,
        "flows": [(name, watt_hours(a), watt_hours(b)) for name, a, b in flows if a or b],
        "months": [(f"{m.month:%b %Y}", money(m.now_micro, unit), money(m.then_micro, unit)) for m in answer.months],
        "bars": bars(answer),
        "notes": answer.notes,
    }


def bars(answer: Answer) -> dict[str, Any]:
    """Two bars a month in a box of CHART_W x CHART_H, from a common zero line."""
    figures = [micro for month in answer.months for micro in (month.now_micro, month.then_micro)]
    top, bottom = max([0, *figures]), min([0, *figures])
    scale = CHART_H / max(1, top - bottom)
    width = CHART_W / max(1, len(answer.months))
    rows = []
    for place, month in enumerate(answer.months):
        for offset, kind, micro in ((0.1, "now", month.now_micro), (0.5, "then", month.then_micro)):
            y = scale * (top - max(0, micro))
            rows.append(
                {
                    "x": round(width * (place + offset), 1), "y": round(y, 1), "width": round(width * 0.38, 1),
                    "height": round(max(LEAST_BAR, scale * abs(micro)), 1), "kind": kind,
                }
            )  # fmt: skip
    return {"rows": rows, "zero": round(scale * top, 1), "width": CHART_W, "height": CHART_H}
