"""The HTTP API: what the home knows, and the wishes it takes."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response, StreamingResponse

from gateway.model.quantity import Quantity
from gateway.model.site import Role
from gateway.runtime.agreements import with_consents
from gateway.runtime.energy import series_of
from gateway.web.dr import effect_out, event_out
from gateway.web.dr_view import DrHome
from gateway.web.habits import add_habits
from gateway.web.problems import Problem
from gateway.web.state import charger_out, device_out, state_of
from gateway.web.stream import Streams
from gateway.web.view import HomeView
from gateway.web.wire import (
    AuditOut,
    ChargerOut,
    DeviceOut,
    ForecastAccuracyOut,
    ForecastOut,
    ForecastsOut,
    Instant,
    NotificationOut,
    OptIn,
    OverrideIn,
    PlanOut,
    ReadingsOut,
    RollupOut,
    SaidOut,
    StateOut,
)
from gateway.web.wire_dr import DrEventOut, EffectOut
from gateway.web.wire_preferences import PreferencesModel
from gateway.web.wire_shapes import LoadShapeOut, load_shape_out

Time = Annotated[Instant | None, Query(description="Aware ISO 8601 time, e.g. 2026-11-21T18:00:00Z.")]
READINGS_SPAN = timedelta(days=7)
LONG_SPAN = timedelta(days=400)


def api_routes(home: DrHome, streams: Streams) -> APIRouter:
    """Every path below /api/v1."""
    router = APIRouter(prefix="/api/v1")
    _add_live(router, home, streams)
    _add_history(router, home)
    _add_learned(router, home)
    _add_events(router, home)
    _add_wishes(router, home)
    return router


def _add_live(router: APIRouter, home: HomeView, streams: Streams) -> None:
    @router.get("/state")
    async def state() -> StateOut:
        """The home now, every configured device with its online state and age."""
        return state_of(home)

    @router.get("/stream", response_class=StreamingResponse)
    async def stream() -> Response:
        """The state as server-sent events named "state", at each change, at most one a second."""
        return streams.open(lambda view: state_of(view).model_dump_json())

    @router.get("/devices")
    async def devices() -> list[DeviceOut]:
        """Every configured device."""
        return [device_out(home, device) for device in home.site.devices]

    @router.get("/chargers")
    async def chargers() -> list[ChargerOut]:
        """Every charge point with its session, limit and wishes."""
        return [charger_out(home, device) for device in home.site.of_role(Role.EV_CHARGER)]

    @router.get("/notifications")
    async def notifications() -> list[NotificationOut]:
        """What a person should know, newest first."""
        return [NotificationOut.model_validate(row) for row in await home.notifications()]


def _add_history(router: APIRouter, home: HomeView) -> None:
    @router.get("/readings")
    async def readings(device: str, quantity: Quantity, start: Time = None, end: Time = None) -> ReadingsOut:
        """One-minute roll-ups of one series with start in [start, end), at most 7 days; the last hour when not said."""
        check_series(home, device)
        since, until = span_of(home, start, end, timedelta(hours=1), READINGS_SPAN)
        rows = await home.rollups(device, quantity.value, since, until)
        found = [RollupOut.model_validate(row) for row in rows]
        return ReadingsOut(device=device, quantity=quantity.value, unit=quantity.unit, rollups=found)

    @router.get("/audit")
    async def audit(start: Time = None, end: Time = None) -> list[AuditOut]:
        """Asked, decided, commanded, confirmed, released: newest first, the last day when not said."""
        since, until = span_of(home, start, end, timedelta(days=1), LONG_SPAN)
        return [AuditOut.model_validate(row) for row in await home.audit(since, until)]


def _add_learned(router: APIRouter, home: HomeView) -> None:
    @router.get("/plan")
    async def plan() -> PlanOut:
        """The newest plan; 404 before the first."""
        found = home.plan()
        if found is None:
            raise Problem(404, "There is no plan yet. The first is made within a minute of the first meter reading.")
        return PlanOut.model_validate(found)

    @router.get("/loadshape")
    async def loadshape() -> LoadShapeOut:
        """The class of each past day, the typical shapes, what kind of home it is, and tomorrow's chances."""
        return load_shape_out(home)

    _add_forecast(router, home)
    add_habits(router, home)


def _add_forecast(router: APIRouter, home: HomeView) -> None:
    @router.get("/forecast")
    async def forecast(
        step: Annotated[Literal["15", "30", "60"], Query(description="Minutes of a slot.")] = "15",
    ) -> ForecastsOut:
        """The forecasts of the uncontrolled load and of the sun (negative), with 10 and 90 % quantiles."""
        load, solar = (f and f.by(60 * int(step)) for f in (home.load_forecast(), home.solar_forecast()))
        return ForecastsOut(
            load=ForecastOut.model_validate(load) if load else None,
            solar=ForecastOut.model_validate(solar) if solar else None,
        )

    @router.get("/forecast/accuracy")
    async def accuracy(
        days: Annotated[int, Query(ge=1, le=366, description="So many local days before today.")] = 30,
        name: Annotated[Literal["load", "solar"], Query(description="Which forecast.")] = "load",
    ) -> list[ForecastAccuracyOut]:
        """How well each past day was foretold at its midnight, oldest first; days not kept or not measured are left out."""
        yesterday = home.clock.now().astimezone(home.site.timezone).date() - timedelta(days=1)
        found = await home.forecast_accuracy(yesterday - timedelta(days=days - 1), yesterday, name)
        return [ForecastAccuracyOut.model_validate(day) for day in found]


def _add_events(router: APIRouter, home: DrHome) -> None:
    @router.get("/dr/events")
    async def events() -> list[DrEventOut]:
        """Every demand-response event known."""
        return [event_out(home, record) for record in home.event_records()]

    @router.get("/dr/events/{event:path}/effect")
    async def effect(event: str) -> EffectOut:
        """What taking part would change, worked out now from two plans; 409 says why there is nothing to compare."""
        record = next((r for r in home.event_records() if event in (r.key, r.event.id)), None)
        if record is None:
            raise Problem(404, f"There is no event '{event[:100]}'. GET /api/v1/dr/events lists them.")
        return effect_out(home, record, await home.desk.effect(record))


def _add_wishes(router: APIRouter, home: HomeView) -> None:
    @router.post("/dr/events/{event_id:path}/opt")
    async def opt(event_id: str, wish: OptIn, request: Request) -> SaidOut:
        """Join or skip an event."""
        if not any(event_id in (record.key, record.event.id) for record in home.event_records()):
            raise Problem(404, f"There is no event '{event_id[:100]}'. GET /api/v1/dr/events lists them.")
        return SaidOut(text=await home.opt(event_id, wish.choice, request.state.who))

    @router.post("/overrides")
    async def override(wish: OverrideIn, request: Request) -> SaidOut:
        """The owner's word about one device, at once."""
        who = request.state.who
        return SaidOut(text=await home.override(wish.device, wish.action, wish.minutes, who, wish.event))

    @router.get("/preferences")
    async def preferences() -> PreferencesModel:
        """What the owner wants."""
        return PreferencesModel.model_validate(home.preferences())

    @router.put("/preferences")
    async def set_preferences(wish: PreferencesModel, request: Request) -> PreferencesModel:
        """Replace the preferences; the plan is made anew. A body without `agreements` leaves them as they are."""
        said = wish.to_model()
        if wish.agreements is None:
            said = with_consents(said, home.preferences())
        await home.set_preferences(said, request.state.who)
        return PreferencesModel.model_validate(home.preferences())


def check_series(home: HomeView, device: str) -> None:
    """Raises Problem (404) for what has no data in this home."""
    known = series_of(home.site)
    if device not in known:
        raise Problem(404, f"There is no device '{device[:100]}'. Known: {', '.join(known)}.")


def span_of(
    home: HomeView, start: datetime | None, end: datetime | None, default: timedelta, longest: timedelta
) -> tuple[datetime, datetime]:
    """The half-open span asked for; raises Problem (422) for one that is empty or too long."""
    until = end or (start + default if start else home.clock.now())
    since = start or until - default
    if since >= until:
        raise Problem(422, "start: must be before end. Swap them or leave one out.")
    if until - since > longest:
        raise Problem(422, f"start, end: at most {longest.days} days at a time. Ask for a shorter span.")
    return since, until
