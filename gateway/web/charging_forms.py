"""The page Charging and its forms: modes, settings, departures, vehicles, guests; what is refused stays as typed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import time, timedelta
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import ValidationError

from gateway.model.authority import Authority
from gateway.model.errors import WishRefused
from gateway.model.preferences import ChargeGoal, ChargeMode, ChargingPreference, Departure, Preferences, Vehicle
from gateway.model.site import Device, Role
from gateway.model.snapshot import ChargePhase
from gateway.web import charging as cards
from gateway.web.form_fields import fields_of, figure, maybe_figure, refusal_words
from gateway.web.pages import Pages
from gateway.web.state import charger_status
from gateway.web.view import HomeView
from gateway.web.wire_preferences import PreferencesModel

SESSIONS_SHOWN = 8
NEW_VEHICLE = cards.vehicle_fields(Vehicle("New car")) | {"name": ""}
NEW_DEPARTURE = {"at": "07:00", "target_kwh": "", "target_soc": ""} | {f"day{day}": "yes" for day in range(7)}


@dataclass(frozen=True, slots=True)
class Wrong:
    """What was refused: in which form (and of which charger or vehicle), why, and what had been typed."""

    form: str = ""
    which: str = ""
    words: str = ""
    typed: dict[str, str] = field(default_factory=dict)

    def of(self, form: str, which: str) -> str:
        """The words for one form; empty when it was not that one."""
        return self.words if (self.form, self.which) == (form, which) else ""

    def values(self, form: str, which: str, kept: dict[str, str]) -> dict[str, str]:
        """What a form shows: what was typed into it when it was refused, else what is kept."""
        if not self.of(form, which):
            return kept
        # An unchecked box is not sent at all.
        return {key: self.typed.get(key, "") for key in kept}


def charging_routes(home: HomeView, pages: Pages) -> APIRouter:
    """The page and what it takes."""
    router = APIRouter(include_in_schema=False)

    async def show(request: Request, wrong: Wrong = Wrong(), kept: str = "") -> HTMLResponse:
        now = home.clock.now()
        sessions = await home.sessions(now - timedelta(days=60), now + timedelta(days=1))
        found = [cards.charger_card(home, device) for device in home.site.of_role(Role.EV_CHARGER)]
        vehicles = home.preferences().vehicles
        return pages.page(
            request, "charging.html", 422 if wrong.form else 200,
            headline=found[0].status if found else "No charger is set up in this home.",
            path="/charging", chargers=found, wrong=wrong, kept=kept if kept in controls(found, vehicles) else "",
            days=cards.DAY_NAMES, currency=home.site.currency,
            sessions=[cards.session_row(home, session) for session in reversed(sessions[-SESSIONS_SHOWN:])],
            vehicles=[(v.name, cards.vehicle_words(v), cards.vehicle_fields(v)) for v in vehicles],
            own_cars=[("", "None in particular"), *((v.name, v.name) for v in vehicles)],
            new_vehicle=NEW_VEHICLE, new_departure=NEW_DEPARTURE,
        )  # fmt: skip

    @router.get("/charging")
    async def page(request: Request, kept: str = "") -> HTMLResponse:
        return await show(request, kept=kept)

    def add(form: str, which: str, take: Callable[[dict[str, str], str], Awaitable[str]]) -> None:
        @router.post(f"/do/{form}")
        async def taken(request: Request) -> Response:
            fields, _ = await fields_of(request)
            try:
                pages.say(request, await take(fields, request.state.who))
            except (WishRefused, ValidationError, ValueError) as refused:
                place, words = fields.get(which, ""), refusal_words(refused)
                if place in wishes.places(form):
                    return await show(request, Wrong(form, place, words, fields))
                pages.say(request, words, refused=True)
                return RedirectResponse("/charging", 303)
            return RedirectResponse(f"/charging?{urlencode({'kept': control_of(form, fields)})}", 303)

        @router.get(f"/do/{form}")
        async def back() -> Response:
            """A page of a refused form that is loaded anew."""
            return RedirectResponse("/charging", 303)

    wishes = ChargingWishes(home)
    add("charging", "charger", wishes.settings)
    add("departure", "charger", wishes.departure)
    add("guest", "charger", wishes.guest)
    add("vehicle", "was", wishes.vehicle)
    return router


@dataclass(frozen=True, slots=True)
class ChargingWishes:
    """Each form as a change of the owner's preferences; every door raises WishRefused or ValueError."""

    home: HomeView

    def places(self, form: str) -> set[str]:
        """Which chargers or vehicles the page has a form of this kind for."""
        if form == "vehicle":
            return {"", *(vehicle.name for vehicle in self._whole().vehicles)}
        return {device.id for device in self.home.site.of_role(Role.EV_CHARGER)}

    async def settings(self, fields: dict[str, str], who: str) -> str:
        """Change only what the form sent; returns what will happen."""
        device = self._device(fields)
        wish = changed(self._wish(device), fields)
        await self._keep(self._whole().with_charging(device.id, wish), who)
        return f"{device.name}: {self._held(device, wish) or mode_words(wish)}. The plan is being made anew."

    def _held(self, device: Device, wish: ChargingPreference) -> str:
        """What will be when an event, a limit or a pause keeps a plugged car from charging at once; else empty."""
        setpoint, status = self.home.setpoints().get(device.id), charger_status(self.home.snapshot(), device.id)
        plugged = status is not None and status.phase is ChargePhase.PLUGGED
        if wish.mode is not ChargeMode.NOW or not plugged or setpoint is None or setpoint.value > 0:
            return ""
        by_event = any(record.key == setpoint.source for record in self.home.event_records())
        if setpoint.authority > Authority.DEMAND_RESPONSE and not by_event:
            return ""
        return f"waits for now, and charges at once after that. {setpoint.reason.rstrip('.')}"

    async def departure(self, fields: dict[str, str], who: str) -> str:
        """Add a departure, or with `remove` take the one of that index away."""
        device = self._device(fields)
        wish = self._wish(device)
        if "remove" in fields:
            index = int(fields["remove"])
            departures = tuple(d for i, d in enumerate(wish.departures) if i != index)
            words = "that departure is gone"
        else:
            made = departure_from(fields)
            rest = (d for d in wish.departures if (d.at, d.days) != (made.at, made.days))
            departures = tuple(sorted((*rest, made), key=lambda d: (d.days, d.at)))
            words = f"it leaves at {cards.departure_words(made)}"
        await self._keep(self._whole().with_charging(device.id, replace(wish, departures=departures)), who)
        return f"{device.name}: {words}. The plan is being made anew."

    async def guest(self, fields: dict[str, str], who: str) -> str:
        """Declare the open session a guest's, or end that."""
        device = self._device(fields)
        status = charger_status(self.home.snapshot(), device.id)
        wish = self._wish(device)
        if fields.get("guest") != "yes":
            await self._keep(self._whole().with_charging(device.id, replace(wish, guest_session="")), who)
            return f"{device.name}: no guest any more; it follows the plan."
        if status is None or not status.transaction:
            raise WishRefused("There is no session yet. Plug the guest's car in first, then press Guest again.")
        made = replace(wish, guest_session=status.transaction)
        await self._keep(self._whole().with_charging(device.id, made), who)
        return f"{device.name}: a guest's car charges at once with {wish.guest_current_a:g} A, for this session only."

    async def vehicle(self, fields: dict[str, str], who: str) -> str:
        """Add a vehicle, change the one named `was`, or with `remove` take it away."""
        whole, was = self._whole(), fields.get("was", "")
        rest = tuple(vehicle for vehicle in whole.vehicles if vehicle.name != was)
        if "remove" in fields:
            await self._keep(_renamed(replace(whole, vehicles=rest), was, ""), who)
            return f"{was} is gone."
        made = vehicle_from(fields)
        place = next((i for i, vehicle in enumerate(whole.vehicles) if vehicle.name == was), len(rest))
        vehicles = (*rest[:place], made, *rest[place:])
        await self._keep(_renamed(replace(whole, vehicles=vehicles), was, made.name), who)
        return f"{made.name} is kept: {cards.vehicle_words(made)}."

    def _device(self, fields: dict[str, str]) -> Device:
        device = self.home.site.device(fields.get("charger", ""))
        if device is None or device.role is not Role.EV_CHARGER:
            raise WishRefused("There is no such charger. Reload the page.")
        return device

    def _wish(self, device: Device) -> ChargingPreference:
        return self._whole().charging_of(device.id)

    def _whole(self) -> Preferences:
        return self.home.preferences()

    async def _keep(self, preferences: Preferences, who: str) -> None:
        # Through the door of the wire, whose bounds hold for forms too.
        await self.home.set_preferences(PreferencesModel.model_validate(preferences).to_model(), who)


def controls(chargers: Sequence[cards.ChargerCard], vehicles: Sequence[Vehicle]) -> set[str]:
    """The controls that the page has now."""
    parts = ("mode", "charging", "boxes", "departure", "guest")
    own = {f"{part} {card.id}" for card in chargers for part in parts}
    return own | {"vehicle ", *(f"vehicle {vehicle.name}" for vehicle in vehicles)}


def control_of(form: str, fields: dict[str, str]) -> str:
    """Which control of the page sent this form: the focus goes back to it, for the page is loaded anew."""
    if form == "vehicle":
        return f"vehicle {'' if 'remove' in fields else fields.get('name', '')}"
    part = next((key for key in ("mode", "boxes") if form == "charging" and key in fields), form)
    return f"{part} {fields.get('charger', '')}"


def changed(wish: ChargingPreference, fields: dict[str, str]) -> ChargingPreference:
    """One charger's wishes with what a form sent; boxes count only in the form that has them (`boxes`)."""
    new: dict[str, object] = {}
    if "mode" in fields:
        new["mode"] = ChargeMode(fields["mode"])
    if "goal" in fields:
        new["goal"] = ChargeGoal(fields["goal"])
    if "ready_by" in fields:
        new["ready_by"] = time.fromisoformat(fields["ready_by"])
    scales = {"target_kwh": ("target_wh", 1000.0), "target_soc": ("target_soc_percent", 1.0),
              "guest_current": ("guest_current_a", 1.0)}  # fmt: skip
    for key, (name, scale) in scales.items():
        if key in fields:
            new[name] = figure(fields[key]) * scale
    if "max_price" in fields:
        price = maybe_figure(fields["max_price"])
        new["max_price_micro_per_kwh"] = None if price is None else round(price * 1e6)
    if "minimum_soc" in fields:
        new["minimum_soc_percent"] = maybe_figure(fields["minimum_soc"])
    if "minimum_kwh" in fields:
        kwh = maybe_figure(fields["minimum_kwh"])
        new["minimum_wh"] = None if kwh is None else kwh * 1000
    if "max_co2" in fields:
        new["max_co2_g_per_kwh"] = maybe_figure(fields["max_co2"])
    if "priority" in fields:
        new["priority"] = int(figure(fields["priority"]))
    if "default_vehicle" in fields:
        new["default_vehicle"] = fields["default_vehicle"]
    for box in fields.get("boxes", "").split():
        if box in ("trust_car", "unknown_tag_is_guest"):
            new[box] = fields.get(box) == "yes"
    return replace(wish, **new)  # type: ignore[arg-type]


def departure_from(fields: dict[str, str]) -> Departure:
    """A departure as a form sent it."""
    days = tuple(day for day in range(7) if fields.get(f"day{day}") == "yes")
    if not days:
        raise WishRefused("A departure needs at least one day of the week.")
    kwh = maybe_figure(fields.get("target_kwh", ""))
    soc = maybe_figure(fields.get("target_soc", ""))
    return Departure(time.fromisoformat(fields.get("at", "")), days, None if kwh is None else kwh * 1000, soc)


def vehicle_from(fields: dict[str, str]) -> Vehicle:
    """A vehicle as a form sent it."""
    if not fields.get("name"):
        raise WishRefused("A vehicle needs a name.")
    tags = tuple(tag.strip() for tag in fields.get("tags", "").split(",") if tag.strip())
    mode = fields.get("mode", "")
    return Vehicle(
        fields["name"], tags, figure(fields.get("battery_kwh", "")) * 1000, int(figure(fields.get("phases", "3"))),
        figure(fields.get("max_current", "32")), figure(fields.get("efficiency", "90")),
        maybe_figure(fields.get("target_soc", "")), ChargeMode(mode) if mode else None,
    )  # fmt: skip


def _renamed(preferences: Preferences, was: str, name: str) -> Preferences:
    """A charger's own vehicle follows its name; what is gone is nobody's."""
    if not was or was == name:
        return preferences
    charging = {
        charger: replace(wish, default_vehicle=name) if wish.default_vehicle == was else wish
        for charger, wish in preferences.charging.items()
    }
    return replace(preferences, charging=charging)


def mode_words(wish: ChargingPreference) -> str:
    """What a charge mode means, in a few words."""
    green = wish.goal is ChargeGoal.GREENEST
    words = {
        ChargeMode.OFF: "charging is off",
        ChargeMode.NOW: "charges at once, as fast as it may",
        ChargeMode.SOLAR: "charges from surplus sun only",
        ChargeMode.MIN_SOLAR: "charges slowly, faster with surplus sun",
        ChargeMode.SMART: f"charges when power is {'cleanest' if green else 'cheapest'}, {_goal(wish)}",
    }[wish.mode]
    least = [] if wish.minimum_soc_percent is None else [f"{wish.minimum_soc_percent:g} %"]
    least += [] if wish.minimum_wh is None else [f"{wish.minimum_wh / 1000:g} kWh"]
    return words if not least or wish.mode is ChargeMode.OFF else f"{words}; at once up to {' or '.join(least)}"


def _goal(wish: ChargingPreference) -> str:
    if wish.departures:
        return "ready for its departures"
    return f"{wish.target_wh / 1000:g} kWh by {wish.ready_by:%H:%M}"
