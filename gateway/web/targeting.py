"""What this home is good for in demand response: the API, and the words for the Programs page."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import datetime

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from gateway.model.targeting import Amount, ProgramKind, Targeting
from gateway.web.dr_view import DrHome
from gateway.web.form_fields import fields_of
from gateway.web.pages import Pages
from gateway.web.problems import Problem
from gateway.web.wire import Out

PROGRAM_WORDS = {
    ProgramKind.EVENING_SHED: ("Drawing less in the evening", "17 to 21 h"),
    ProgramKind.EV_SHIFT: ("Charging the car later", "16 to 22 h"),
    ProgramKind.PRE_CONDITION: ("Heating or cooling ahead", "rest from 17 to 21 h"),
    ProgramKind.MIDDAY_SOAK: ("Drawing more at midday", "10 to 15 h"),
}
NOT_YET = "Nothing is measured yet: look again in a few minutes."
TOO_FEW = "Nothing yet: too few days are measured."


class AmountOut(Out):
    """A power in W, a magnitude: mean of `days` days and the 80 % interval for the next one."""

    mean_w: float
    low_w: float
    high_w: float
    days: int


class HourFlexOut(Out):
    """One local hour: what could be drawn less and more; `offered_*` is what the plan offers now, null where it does not.
    `less` and `more` are null while nothing is measured."""

    hour: int
    less: AmountOut | None
    more: AmountOut | None
    offered_less_w: float | None
    offered_more_w: float | None


class SuitabilityOut(Out):
    """One kind of program: score 0-100, "none", "low", "medium" or "high", and why. Not known yet: score null, "unknown"."""

    program: ProgramKind
    score: int | None
    label: str
    amount: AmountOut | None
    reasons: list[str]


class JoiningOut(Out):
    """The probability of joining an event with its 80 % interval; `joined` of `answers`, old ones counted less."""

    probability: float
    low: float
    high: float
    joined: float
    answers: float
    prior: str


class HabitOut(Out):
    """The most frequent class of the last days, its share, and how the days vary (entropy in bits)."""

    name: str
    share: float
    entropy_bits: float
    steady: float
    days: int


class ResponseOut(Out):
    """Wh a day per K below `heat_below_c` and above `cool_above_c`, with 80 % intervals; null: no such response."""

    base_wh: float
    days: int
    error_wh: float
    heat_below_c: float | None
    heating_wh_per_k: float | None
    heating_low: float | None
    heating_high: float | None
    cool_above_c: float | None
    cooling_wh_per_k: float | None
    cooling_low: float | None
    cooling_high: float | None


class TargetingOut(Out):
    """What the home is good for. `left_out`: device -> why it is not counted. `would_share` is all that a utility
    is told, null while too few days are measured; `told` names the servers that hold it, or may."""

    made_at: datetime
    hours: list[HourFlexOut]
    suitability: list[SuitabilityOut]
    joining: JoiningOut
    habit: HabitOut | None
    response: ResponseOut | None
    counted: list[str]
    left_out: dict[str, str]
    consent: bool
    would_share: dict[str, object] | None
    told: list[str]


@dataclass(frozen=True, slots=True)
class RatedRow:
    """One kind of program for the page."""

    name: str
    when: str
    label: str
    score: int | None
    """None: not known yet."""
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rated:
    """The section of the Programs page."""

    rows: tuple[RatedRow, ...]
    hours: tuple[tuple[str, str, str], ...]
    joining: str
    left_out: tuple[str, ...]
    document: str
    """Empty while too few days are measured."""
    consent: bool
    told: str


def targeting_routes(home: DrHome, pages: Pages) -> APIRouter:
    """GET /api/v1/targeting and .../targeting/shared; POST /do/suitability."""
    router = APIRouter()

    @router.get("/api/v1/targeting")
    async def targeting() -> TargetingOut:
        """For the owner: flexible power by hour, suitability, chance of joining; no utility is told this."""
        found, document = home.targeting.current(), home.targeting.document()
        if found is None:
            raise Problem(503, NOT_YET)
        return TargetingOut(
            made_at=found.made_at,
            hours=[HourFlexOut.model_validate(hour) for hour in found.hours],
            suitability=[SuitabilityOut.model_validate(each) for each in found.suitability],
            joining=JoiningOut.model_validate(found.joining),
            habit=HabitOut.model_validate(found.habit) if found.habit else None,
            response=ResponseOut.model_validate(found.response) if found.response else None,
            counted=list(found.counted),
            left_out=dict(found.left_out),
            consent=home.preferences().share_suitability,
            would_share=document,
            told=home.targeting.told,
        )

    @router.get("/api/v1/targeting/shared")
    async def shared() -> dict[str, object]:
        """What a utility may be handed: label and score for each kind of program; refused without the owner's consent."""
        if not home.preferences().share_suitability:
            raise Problem(403, "The owner did not agree to share this. It is a preference: share_suitability.")
        document = home.targeting.shared()
        if document is None:
            raise Problem(503, NOT_YET if home.targeting.current() is None else TOO_FEW)
        return document

    @router.post("/do/suitability", include_in_schema=False)
    async def consent(request: Request) -> Response:
        fields, _ = await fields_of(request)
        wish = fields.get("share") == "yes"
        await home.set_preferences(replace(home.preferences(), share_suitability=wish), request.state.who)
        pages.say(
            request,
            "Shared: label and score." if wish else "Not shared any more. Servers that hold it are asked to forget it.",
        )
        return RedirectResponse("/programs#suitability", 303)

    return router


def rated(home: DrHome) -> Rated | None:
    """The home's rating for the page; None before the first measurement."""
    found, document = home.targeting.current(), home.targeting.document()
    if found is None:
        return None
    names = {device.id: device.name for device in home.site.devices}
    return Rated(
        rows=tuple(
            RatedRow(*PROGRAM_WORDS[each.program], each.label, each.score, each.reasons) for each in found.suitability
        ),
        hours=tuple(
            (
                f"{h.hour:02d}–{h.hour + 1:02d} h",
                _kilowatts(h.less, h.offered_less_w),
                _kilowatts(h.more, h.offered_more_w),
            )
            for h in found.hours
        ),
        joining=_joining_words(found),
        left_out=tuple(f"{names.get(name, name)}: {why}" for name, why in found.left_out.items()),
        document=json.dumps(document, indent=2) if document is not None else "",
        consent=home.preferences().share_suitability,
        told=", ".join(home.targeting.told),
    )


def _kilowatts(found: Amount | None, offered_w: float | None) -> str:
    past = "–"
    if found is not None:
        past = f"{found.mean_w / 1000:.1f} kW ({found.low_w / 1000:.1f} to {found.high_w / 1000:.1f})"
    return past if offered_w is None else f"{past}; the plan offers {offered_w / 1000:.1f}"


def _joining_words(found: Targeting) -> str:
    j = found.joining
    heard = f"{j.joined:.1f} of {j.answers:.1f} answers joined, old ones counted less" if j.answers else "no answer yet"
    return (
        f"Chance that this home takes part in an event: {100 * j.probability:.0f} % "
        f"({100 * j.low:.0f} to {100 * j.high:.0f} %, 8 times in 10). It starts {j.prior}; {heard}."
    )
