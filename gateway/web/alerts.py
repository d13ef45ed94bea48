"""The page Alerts and its API: what was noticed, what shows it, what it costs, and the owner's two buttons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from gateway.model.alert import Alert, AlertKind, Answer, Evidence
from gateway.model.errors import WishRefused
from gateway.runtime.words import local_time
from gateway.web.alert_desk import AlertDesk, Week
from gateway.web.form_fields import fields_of
from gateway.web.pages import Pages
from gateway.web.problems import Problem
from gateway.web.view import HomeView
from gateway.web.wire import In, Out, SaidOut
from gateway.web.words import money, watt_hours, watts

WEEKDAY_SAYS = timedelta(days=6)
WIDTH, HEIGHT = 720.0, 200.0
ANSWERS = {"accept": Answer.ACCEPTED, "dismiss": Answer.DISMISSED}
NAMES = {
    AlertKind.SPIKE: "Much more than usual",
    AlertKind.LEFT_ON: "Something was left on",
    AlertKind.ALWAYS_ON: "What is always on has grown",
    AlertKind.PV_LOW: "The panels give less than they should",
    AlertKind.BATTERY_LOSS: "The battery loses more than it used to",
    AlertKind.HEAT_DRIFT: "The heat pump needs more at the same weather",
    AlertKind.PUMP_DRIFT: "A pump needs more than it did",
    AlertKind.METER: "The meters do not add up",
    AlertKind.HIGH_BILL: "This month's bill will be high",
}
COLUMNS = {
    AlertKind.PV_LOW: ("Missing", "So far", "Lost so far"),
    AlertKind.BATTERY_LOSS: ("Lost beyond the usual", "So far", "Lost so far"),
    AlertKind.METER: ("Does not add up by", "So far", "Cost so far"),
    AlertKind.HIGH_BILL: ("As much as", "By the month's end", "Above the dearest month before"),
}
"""How power, energy and money are called where they are not what is drawn beyond the usual."""


class EvidenceOut(Out):
    """Mean W of each step from `start` on, beside the usual; null: not known."""

    start: datetime
    step_s: int
    actual_w: list[float | None]
    usual_w: list[float | None]
    marked: list[bool]


class AlertOut(Out):
    """One alert: `power_w` beyond the usual (for panels: missing), money in micro-units of `currency`.

    Its cause is `kind` and `device` together; `device` is null for what is about the whole home.
    """

    id: str
    kind: str
    device: str | None
    begun: datetime
    told: datetime
    ended: datetime | None
    power_w: float
    energy_wh: float
    cost_micro: int | None
    year_micro: int | None
    currency: str
    what: str
    sure: str
    advice: str
    evidence: EvidenceOut
    answer: str
    answered: datetime | None


class AnswerIn(In):
    """The owner's word about one alert."""

    answer: Literal["accept", "dismiss"]


@dataclass(frozen=True, slots=True)
class Drawing:
    """The evidence as SVG points: what was used, the usual, and a bar behind each marked step."""

    actual: tuple[str, ...]
    usual: tuple[str, ...]
    marks: tuple[tuple[float, float], ...]
    """x and width."""
    top_w: float
    first: str
    last: str


@dataclass(frozen=True, slots=True)
class AlertCard:
    """One alert in words for the page."""

    alert: Alert
    name: str
    state: str
    facts: tuple[tuple[str, str], ...]
    drawing: Drawing


def alert_routes(home: HomeView, pages: Pages, desk: AlertDesk) -> APIRouter:
    """The page /alerts, /api/v1/alerts and its answers."""
    router = APIRouter()

    @router.get("/api/v1/alerts")
    async def alerts() -> list[AlertOut]:
        """What the home noticed of its own use, newest first."""
        return [AlertOut.model_validate(alert) for alert in desk.found]

    @router.post("/api/v1/alerts/{alert}/answer")
    async def answer(alert: str, wish: AnswerIn) -> SaidOut:
        """Accept or dismiss an alert; a dismissed cause is silent for a week and then needs more."""
        if not any(each.id == alert for each in desk.found):
            raise Problem(404, f"There is no alert '{alert[:60]}'. GET /api/v1/alerts lists them.")
        return SaidOut(text=await desk.answer(alert, ANSWERS[wish.answer]))

    @router.get("/alerts", include_in_schema=False)
    async def page(request: Request) -> HTMLResponse:
        cards = [alert_card(alert, home) for alert in desk.found]
        return pages.page(
            request, "alerts.html", headline=sentence(desk), cards=cards, week=week_words(desk.week),
            learning=desk.learned_days < 14, days=desk.learned_days,
        )  # fmt: skip

    @router.post("/do/alert", include_in_schema=False)
    async def take(request: Request) -> Response:
        fields, back = await fields_of(request)
        said = ANSWERS.get(fields.get("answer", ""))
        try:
            if said is None:
                raise WishRefused("Say whether you keep it or dismiss it.")
            pages.say(request, await desk.answer(fields.get("alert", ""), said))
        except WishRefused as refused:
            pages.say(request, str(refused), refused=True)
        return RedirectResponse(back if back != "/" else "/alerts", 303)

    return router


def sentence(desk: AlertDesk) -> str:
    """The page in one sentence."""
    running = [alert for alert in desk.found if alert.ended is None and alert.answer is not Answer.DISMISSED]
    if running:
        return running[0].what
    if desk.learned_days < 14:
        return f"Hearth still learns what is usual here: {desk.learned_days} of 14 days are known."
    return "Nothing unusual: the home uses what it usually does."


def week_words(week: Week | None) -> str:
    """This week against the past at the same weather, in words; empty where the weather or the past is not known."""
    if week is None:
        return ""
    apart = week.used_wh - week.expected_wh
    usual = f"{watt_hours(week.expected_wh)} ± {watt_hours(week.within_wh)}"
    if not week.unusual:
        judged = "That is usual."
    else:
        judged = f"That is {watt_hours(apart)} {'more' if apart > 0 else 'less'}."
    return (
        f"The last 7 days took {watt_hours(week.used_wh)}. At this weather {usual} would be usual here, "
        f"by {week.days} days of the past. {judged}"
    )


def alert_card(alert: Alert, home: HomeView) -> AlertCard:
    """One alert with its figures and drawing."""
    now, zone = home.clock.now(), home.site.timezone
    power, energy, cost = COLUMNS.get(alert.kind, ("Beyond the usual", "So far", "Cost so far"))
    facts = [
        (power, watts(alert.power_w)),
        ("Since", _when(alert.begun, now, zone)),
        (energy, watt_hours(alert.energy_wh)),
    ]
    if alert.cost_micro is not None or alert.kind is not AlertKind.METER:
        facts.append((cost, money(alert.cost_micro, alert.currency)))
    if alert.year_micro is not None:
        facts.append(("A year, if it stays", money(alert.year_micro, alert.currency, 0)))
    state = f"over since {local_time(alert.ended, now, zone)}" if alert.ended else "now"
    if alert.answer is not Answer.NONE:
        state += f", {alert.answer.value}"
    device = home.site.device(alert.device) if alert.device is not None else None
    name = f"{NAMES[alert.kind]}: {device.name}" if device is not None else NAMES[alert.kind]
    return AlertCard(alert, name, state, tuple(facts), drawing(alert.evidence, now, zone))


def drawing(evidence: Evidence, now: datetime, zone: ZoneInfo) -> Drawing:
    """Lines over the steps; a step that is not known breaks the line."""
    count = max(len(evidence.actual_w), 1)
    values = [value for value in (*evidence.actual_w, *evidence.usual_w) if value is not None]
    top = max([*values, 100.0])
    step = WIDTH / count
    marks = tuple((round(k * step, 1), round(step, 1)) for k, marked in enumerate(evidence.marked) if marked)
    last = evidence.start + timedelta(seconds=evidence.step_s * count)
    return Drawing(
        _lines(evidence.actual_w, step, top), _lines(evidence.usual_w, step, top), marks, top,
        _when(evidence.start, now, zone), _when(last, now, zone),
    )  # fmt: skip


def _when(at: datetime, now: datetime, zone: ZoneInfo) -> str:
    """Local time, or the date where a weekday no longer says which."""
    local = at.astimezone(zone)
    return f"{local.day} {local:%b}" if now - at > WEEKDAY_SAYS else local_time(at, now, zone)


def _lines(values: Sequence[float | None], step: float, top: float) -> tuple[str, ...]:
    lines: list[list[str]] = [[]]
    for k, value in enumerate(values):
        if value is None:
            lines.append([])
            continue
        y = HEIGHT * (1 - max(value, 0.0) / top)
        lines[-1] += [f"{k * step:.1f},{y:.1f}", f"{(k + 1) * step:.1f},{y:.1f}"]
    return tuple(" ".join(line) for line in lines if line)
