"""Appliances that run once when the owner asks: the API, the forms, and the part of the page Now."""

from __future__ import annotations

from datetime import datetime, time, timedelta

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import ValidationError

from gateway.model.errors import WishRefused
from gateway.model.loads import duration
from gateway.model.site import ApplianceSpec, Device, Role
from gateway.runtime.words import local_time
from gateway.web.appliance_cards import planned_start
from gateway.web.form_fields import fields_of, refusal_words
from gateway.web.pages import Pages
from gateway.web.problems import Problem
from gateway.web.view import ApplianceDesk, HomeView
from gateway.web.wire import In, Instant, Out, SaidOut


class ApplianceOut(Out):
    """An appliance with its last run; `lasts_s` is its profile's length, `starts_at` when the plan lets it start."""

    id: str
    name: str
    phase: str
    """idle, waiting, running or done."""
    lasts_s: int
    not_before: datetime | None = None
    done_by: datetime | None = None
    started_at: datetime | None = None
    ends_at: datetime | None = None
    done_at: datetime | None = None
    starts_at: datetime | None = None
    reason: str = ""


class RunIn(In):
    """Run once: done by an instant, not started before another (default: now)."""

    done_by: Instant
    not_before: Instant | None = None


class RunFields(In):
    """The form's fields: local wall times, the next such time is meant."""

    device: str
    by: time
    after: time | None = None


def appliance_routes(home: HomeView, pages: Pages, desk: ApplianceDesk) -> APIRouter:
    """The API's paths and the form of the pages."""
    router = APIRouter()
    _add_api(router, home, desk)
    _add_form(router, home, pages, desk)
    return router


def _add_api(router: APIRouter, home: HomeView, desk: ApplianceDesk) -> None:
    @router.get("/api/v1/appliances")
    async def appliances() -> list[ApplianceOut]:
        """Every appliance with its last run."""
        return [appliance_out(home, desk, device) for device in home.site.of_role(Role.APPLIANCE)]

    @router.post("/api/v1/appliances/{device}/run")
    async def run(device: str, wish: RunIn, request: Request) -> ApplianceOut:
        """Have it run once; the plan chooses when."""
        found = _known(home, device)
        await desk.ask(device, wish.not_before, wish.done_by, request.state.who)
        return appliance_out(home, desk, found)

    @router.delete("/api/v1/appliances/{device}/run")
    async def cancel(device: str, request: Request) -> SaidOut:
        """Take back a wish that still waits; its plug has power again."""
        found = _known(home, device)
        await desk.cancel(device, request.state.who)
        return SaidOut(text=_freed(found))


def _add_form(router: APIRouter, home: HomeView, pages: Pages, desk: ApplianceDesk) -> None:
    @router.post("/do/appliance", include_in_schema=False)
    async def appliance(request: Request) -> Response:
        fields, back = await fields_of(request)
        try:
            pages.say(request, await _obey(home, desk, fields, request.state.who))
        except (WishRefused, ValidationError) as refused:
            pages.say(request, refusal_words(refused), refused=True)
        return RedirectResponse(back, 303)


async def _obey(home: HomeView, desk: ApplianceDesk, fields: dict[str, str], who: str) -> str:
    """Take a form's wish; returns what will happen."""
    if fields.pop("action", "run") == "cancel":
        name = fields.get("device", "")
        await desk.cancel(name, who)
        found = home.site.device(name)
        return _freed(found) if found else ""
    wish = RunFields.model_validate({key: value for key, value in fields.items() if value})
    device, now = home.site.device(wish.device), home.clock.now()
    if device is None or not isinstance(device.spec, ApplianceSpec):
        raise WishRefused(f"There is no appliance '{wish.device[:100]}'.")
    start = next_time(home, wish.after, now) if wish.after is not None else None
    done_by = next_time(home, wish.by, (start or now) + duration(device.spec))
    run = await desk.ask(wish.device, start, done_by, who)
    return f"{device.name} will be done by {local_time(run.done_by, now, home.site.timezone)}; the plan chooses when."


def next_time(home: HomeView, at: time, after: datetime) -> datetime:
    """The next instant not before `after` at which a local clock shows `at`."""
    zone = home.site.timezone
    day = after.astimezone(zone).date()
    found = datetime.combine(day, at, zone)
    return found if found >= after else datetime.combine(day + timedelta(days=1), at, zone)


def _freed(device: Device) -> str:
    return f"{device.name} has power again: a machine that is switched on goes on at once."


def _known(home: HomeView, device: str) -> Device:
    found = home.site.device(device)
    if found is None or found.role is not Role.APPLIANCE:
        raise Problem(404, f"There is no appliance '{device[:100]}'. GET /api/v1/appliances lists them.")
    return found


def appliance_out(home: HomeView, desk: ApplianceDesk, device: Device) -> ApplianceOut:
    """One appliance for the API."""
    run = desk.runs.get(device.id)
    setpoint = home.setpoints().get(device.id)
    lasts = duration(device.spec) if isinstance(device.spec, ApplianceSpec) else timedelta(0)
    out = ApplianceOut(
        id=device.id,
        name=device.name,
        phase=run.phase.value if run else "idle",
        lasts_s=int(lasts.total_seconds()),
        reason=setpoint.reason if setpoint else "",
    )
    if run is None:
        return out
    times = {name: getattr(run, name) for name in ("not_before", "done_by", "started_at", "ends_at", "done_at")}
    return out.model_copy(update=times | {"starts_at": planned_start(home, run)})
