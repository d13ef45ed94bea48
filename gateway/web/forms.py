"""What the pages' forms send: wishes and logins, each answered at once with what will happen (303, then the page)."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import ValidationError

from gateway.model.errors import WishRefused
from gateway.web.charging_forms import charging_routes
from gateway.web.comfort_text import schedule_from, schedule_lines
from gateway.web.form_fields import fields_of, refusal_words
from gateway.web.guard import COOKIE
from gateway.web.login import LASTS, Login
from gateway.web.pages import Pages
from gateway.web.view import HomeView
from gateway.web.wire import OptIn, OverrideIn
from gateway.web.wire_energy import EditIn, UndoIn
from gateway.web.wire_preferences import PreferencesModel


def form_routes(home: HomeView, pages: Pages, login: Login) -> APIRouter:
    """The pages that take something."""
    router = APIRouter(include_in_schema=False)
    _add_wishes(router, home, pages)
    _add_edits(router, home, pages)
    _add_preferences(router, home, pages)
    _add_login(router, pages, login)
    router.include_router(charging_routes(home, pages))
    return router


def _add_wishes(router: APIRouter, home: HomeView, pages: Pages) -> None:
    @router.post("/do/override")
    async def override(request: Request) -> Response:
        fields, back = await fields_of(request)
        try:
            wish = OverrideIn.model_validate(fields)
            who = request.state.who
            pages.say(request, await home.override(wish.device, wish.action, wish.minutes, who, wish.event))
        except (WishRefused, ValidationError) as refused:
            pages.say(request, refusal_words(refused), refused=True)
        return RedirectResponse(back, 303)

    @router.post("/do/opt")
    async def opt(request: Request) -> Response:
        fields, back = await fields_of(request)
        try:
            wish = OptIn(choice=fields.get("choice", ""))  # type: ignore[arg-type]
            pages.say(request, await home.opt(fields.get("event", ""), wish.choice, request.state.who))
        except (WishRefused, ValidationError) as refused:
            pages.say(request, refusal_words(refused), refused=True)
        return RedirectResponse(back, 303)


def _add_edits(router: APIRouter, home: HomeView, pages: Pages) -> None:
    @router.post("/do/correct")
    async def correct(request: Request) -> Response:
        fields, _ = await fields_of(request)
        try:
            wish = EditIn.model_validate({key: value for key, value in _energies(fields).items() if value})
            evenly, who = wish.spread == "evenly", request.state.who
            said = await home.correct(
                wish.device, wish.start, wish.end, wish.import_wh, wish.export_wh,
                evenly=evenly, reason=wish.reason, who=who,
            )  # fmt: skip
            pages.say(request, said)
        except (WishRefused, ValidationError) as refused:
            pages.say(request, refusal_words(refused), refused=True)
        return RedirectResponse(_day_page(home, fields), 303)

    @router.post("/do/undo")
    async def undo(request: Request) -> Response:
        fields, _ = await fields_of(request)
        try:
            wish = UndoIn.model_validate(fields)
            pages.say(request, await home.undo_edits(wish.device, wish.start, wish.end, request.state.who))
        except (WishRefused, ValidationError) as refused:
            pages.say(request, refusal_words(refused), refused=True)
        return RedirectResponse(_day_page(home, fields), 303)


def _energies(fields: dict[str, str]) -> dict[str, str]:
    """The form's fields with decimal points in the energies."""
    points = {key: fields[key].replace(",", ".") for key in ("import_wh", "export_wh") if key in fields}
    return fields | points


def _day_page(home: HomeView, fields: dict[str, str]) -> str:
    """The page of the day and device that a form was about."""
    try:
        start = datetime.fromisoformat(fields.get("start", "")).astimezone(home.site.timezone)
    except (ValueError, OverflowError):
        return "/energy"
    return f"/energy?{urlencode({'day': start.date().isoformat(), 'device': fields.get('device', '')})}#data"


def _add_preferences(router: APIRouter, home: HomeView, pages: Pages) -> None:
    def show(request: Request, values: dict[str, str], wrong: str = "") -> Response:
        headline = "What this home should want for you."
        return pages.page(
            request, "preferences.html", 422 if wrong else 200,
            headline=headline, values=values, wrong=wrong,
        )  # fmt: skip

    @router.get("/preferences")
    async def preferences(request: Request) -> Response:
        return show(request, _shown(home))

    @router.post("/preferences")
    async def set_preferences(request: Request) -> Response:
        fields, _ = await fields_of(request)
        try:
            wish = _preferences_from(home, fields)
            await home.set_preferences(wish.to_model(), request.state.who)
        except (WishRefused, ValidationError, ValueError, OverflowError) as refused:
            # What was typed stays in the form.
            return show(request, _shown(home) | fields, refusal_words(refused))
        pages.say(request, "Kept. The plan is being made anew.")
        return RedirectResponse("/preferences", 303)


def _shown(home: HomeView) -> dict[str, str]:
    """The preferences as the form's texts."""
    wish = home.preferences()
    return {
        "comfort_low_c": f"{wish.comfort_low_c:g}",
        "comfort_high_c": f"{wish.comfort_high_c:g}",
        "comfort_schedule": schedule_lines(wish.comfort_schedule),
        "water_min_c": f"{wish.water_min_c:g}",
        "hygiene_c": f"{wish.hygiene_c:g}",
        "hygiene_days": f"{wish.hygiene_days}",
        "battery_reserve_percent": f"{wish.battery_reserve_percent:g}",
        "dr_policy": wish.dr_policy.value,
        "carbon_per_kg": f"{wish.carbon_weight_micro_per_kg / 1e6:g}",
        "vacation_until": _local(home, wish.vacation_until, wish.vacation_until, "%Y-%m-%d"),
        "storm_from": _local(home, wish.storm_from, wish.storm_until, "%Y-%m-%dT%H:%M"),
        "storm_until": _local(home, wish.storm_until, wish.storm_until, "%Y-%m-%dT%H:%M"),
        "island_soc_percent": f"{wish.island_soc_percent:g}",
        "battery_to_car": "yes" if wish.battery_to_car else "",
        "accept_higher_peak": "yes" if wish.accept_higher_peak else "",
        "comfort_weight": f"{wish.comfort_weight:g}",
        "share_suitability": "yes" if wish.share_suitability else "",
        "quiet_from": f"{wish.quiet_from:%H:%M}",
        "quiet_until": f"{wish.quiet_until:%H:%M}",
    }


def _local(home: HomeView, at: datetime | None, until: datetime | None, layout: str) -> str:
    """An instant in local time; none of what is over: sent again with another wish it would be refused."""
    if at is None or until is None or until <= home.clock.now():
        return ""
    return at.astimezone(home.site.timezone).strftime(layout)


def _preferences_from(home: HomeView, fields: dict[str, str]) -> PreferencesModel:
    whole = PreferencesModel.model_validate(home.preferences()).model_dump()
    figures = ("comfort_low_c", "comfort_high_c", "water_min_c", "hygiene_c", "hygiene_days", "battery_reserve_percent",
               "comfort_weight", "island_soc_percent")  # fmt: skip
    for key in (*figures, "dr_policy"):
        whole[key] = fields.get(key, "").replace(",", ".") or whole[key]
    for key in ("quiet_from", "quiet_until"):
        whole[key] = fields.get(key, "") or whole[key]
    whole["carbon_weight_micro_per_kg"] = round(float(fields.get("carbon_per_kg", "0").replace(",", ".") or 0) * 1e6)
    if "comfort_schedule" in fields:
        whole["comfort_schedule"] = schedule_from(fields["comfort_schedule"])
    whole["accept_higher_peak"] = fields.get("accept_higher_peak") == "yes"
    whole["share_suitability"] = fields.get("share_suitability") == "yes"
    whole["battery_to_car"] = fields.get("battery_to_car") == "yes"
    day = fields.get("vacation_until", "")
    end = datetime.combine(datetime.fromisoformat(day).date(), time(16), home.site.timezone) if day else None
    whole["vacation_until"] = end.astimezone(UTC) if end else None
    for key in ("storm_from", "storm_until"):
        typed = fields.get(key, "")
        at = datetime.fromisoformat(typed).replace(tzinfo=home.site.timezone) if typed else None
        whole[key] = at.astimezone(UTC) if at else None
    return PreferencesModel.model_validate(whole)


def _add_login(router: APIRouter, pages: Pages, login: Login) -> None:
    async def show(request: Request, wrong: str = "") -> Response:
        set_up = await login.is_set_up()
        return pages.page(request, "login.html", 401 if wrong else 200, headline="", set_up=set_up, wrong=wrong)

    @router.get("/login")
    async def login_page(request: Request) -> Response:
        return await show(request)

    @router.post("/login")
    async def log_in(request: Request) -> Response:
        fields, _ = await fields_of(request)
        address = request.client.host if request.client else ""
        code, password = fields.get("code", ""), fields.get("password", "")
        try:
            token = await (login.set_up(code, password, address) if code else login.log_in(password, address))
        except WishRefused as refused:
            return await show(request, str(refused))
        answer = RedirectResponse("/", 303)
        secure = request.url.scheme == "https"
        seconds = int(LASTS / timedelta(seconds=1))
        answer.set_cookie(COOKIE, token, max_age=seconds, httponly=True, samesite="strict", secure=secure)
        return answer

    @router.post("/logout")
    async def log_out(request: Request) -> Response:
        await login.log_out(request.cookies.get(COOKIE, ""))
        answer = RedirectResponse("/login", 303)
        answer.delete_cookie(COOKIE)
        return answer
