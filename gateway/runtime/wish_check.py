"""What may be wished: bounds, names and references, refused in words a person can act on."""

from __future__ import annotations

from datetime import datetime, time

from gateway.model.agreement import Agreement
from gateway.model.errors import WishRefused
from gateway.model.preferences import ChargingPreference, Departure, Preferences, Vehicle
from gateway.model.site import Role, Site, WaterHeaterSpec
from gateway.runtime.agreements import CONSENTS
from gateway.runtime.wish_bounds import MOST_AHEAD, check_times

MOST_DEPARTURES = 14
MOST_VEHICLES = 20
MOST_SPANS = 14
MOST_AGREEMENTS = 100
MOST_AGREED = 10 * MOST_AHEAD


def check(preferences: Preferences, site: Site, now: datetime) -> None:
    """Raises WishRefused with the reason when preferences cannot hold at a site; `now` is aware UTC."""
    check_times(preferences, now)
    _check_home(preferences)
    _check_agreements(preferences.agreements)
    _check_vehicles(preferences.vehicles)
    chargers = {device.id for device in site.of_role(Role.EV_CHARGER)}
    for charger, wish in preferences.charging.items():
        if charger not in chargers:
            raise WishRefused(f"There is no charger '{charger}'.")
        _check_charging(wish)
        if wish.default_vehicle and preferences.vehicle(wish.default_vehicle) is None:
            raise WishRefused(f"There is no vehicle '{wish.default_vehicle}'. Add it first, or choose another.")


def _check_home(preferences: Preferences) -> None:
    if not 5 <= preferences.comfort_low_c <= preferences.comfort_high_c <= 30:
        raise WishRefused("The comfort band must lie between 5 and 30 °C, lower end first.")
    if not 0 <= preferences.battery_reserve_percent <= 100:
        raise WishRefused("The battery reserve is a percentage between 0 and 100.")
    if not 30 <= preferences.water_min_c <= 70:
        raise WishRefused("The least water temperature lies between 30 and 70 °C.")
    _check_schedule(preferences)
    _check_hygiene(preferences)
    if not 0 <= preferences.island_soc_percent <= 100:
        raise WishRefused("The charge kept while the grid is lost is a percentage between 0 and 100.")
    if not 0 <= preferences.comfort_weight <= 1:
        raise WishRefused("What warmth counts against money lies between 0 and 1.")
    if preferences.carbon_weight_micro_per_kg < 0:
        raise WishRefused("What avoiding CO2 is worth cannot be negative.")
    if unknown := set(preferences.consents.values()) - CONSENTS:
        raise WishRefused(f"'{sorted(unknown)[0]}' is not a consent; use binding, voluntary or none.")


def _check_agreements(agreements: dict[str, Agreement]) -> None:
    if len(agreements) > MOST_AGREEMENTS:
        raise WishRefused(f"At most {MOST_AGREEMENTS} agreements can be kept. Remove one first.")
    for program, word in agreements.items():
        if word.standing not in CONSENTS | {""}:
            raise WishRefused(
                f"{program}: '{word.standing}' is not a standing; use binding, voluntary, none or nothing."
            )
        if len(set(word.share)) != len(word.share):
            raise WishRefused(f"{program}: something is shared twice. Name each kind once.")
        if word.until is not None and word.until.tzinfo is None:
            raise WishRefused(f"{program}: the end of the agreement needs its time zone.")


def check_new_agreements(preferences: Preferences, held: Preferences, now: datetime) -> None:
    """Raises WishRefused for a newly asked agreement that has ended already, or would end much too far ahead.

    One that was in force and has ended since is no reason to refuse another wish.
    """
    for program, word in preferences.agreements.items():
        before = held.agreements.get(program)
        if word.until is None or (before is not None and before.until == word.until):
            continue
        if word.until <= now:
            raise WishRefused(
                f"{program}: the agreement would have ended already ({word.until.isoformat()}). Choose a later day, or none."
            )
        if word.until > now + MOST_AGREED:
            raise WishRefused(
                f"{program}: an agreement ends at most {MOST_AGREED.days} days ahead. Choose a nearer day."
            )


def _check_schedule(preferences: Preferences) -> None:
    if len(preferences.comfort_schedule) > MOST_SPANS:
        raise WishRefused(f"The comfort schedule holds at most {MOST_SPANS} entries. Remove one first.")
    for span in preferences.comfort_schedule:
        if not 5 <= span.low_c <= span.high_c <= 30:
            raise WishRefused("Each band of the comfort schedule must lie between 5 and 30 °C, lower end first.")
        if not span.days or any(day not in range(7) for day in span.days):
            raise WishRefused("Each entry of the comfort schedule needs at least one day of the week.")
        if span.start == span.end != time(0):
            raise WishRefused("An entry of the comfort schedule must end at another time than it begins.")


def _check_hygiene(preferences: Preferences) -> None:
    if not 50 <= preferences.hygiene_c <= 80:
        raise WishRefused("The temperature for hygiene lies between 50 and 80 °C.")
    if not 0 <= preferences.hygiene_days <= 60:
        raise WishRefused("Hygiene is asked for every 1 to 60 days, or 0 for never.")


def check_new_hygiene(preferences: Preferences, held: Preferences, site: Site) -> None:
    """Raises WishRefused for a newly asked hygiene that a tank's thermostat stops below.

    What was in force before, the defaults among it, is no reason to refuse another wish.
    """
    asked = (preferences.hygiene_c, preferences.hygiene_days)
    if asked == (held.hygiene_c, held.hygiene_days) or preferences.hygiene_days <= 0:
        return
    for device in site.of_role(Role.WATER_HEATER):
        most = device.spec.max_temperature_c if isinstance(device.spec, WaterHeaterSpec) else asked[0]
        if most < preferences.hygiene_c:
            raise WishRefused(
                f"{device.name}: the tank's thermostat stops at {most:g} °C: it cannot be heated to "
                f"{preferences.hygiene_c:g} °C against legionella. Set the thermostat higher (max_temperature_c in "
                "the site file), or ask for hygiene every 0 days, which is never."
            )


def _check_charging(wish: ChargingPreference) -> None:
    _check_targets(wish.target_wh, wish.target_soc_percent)
    if wish.minimum_soc_percent is not None and not 0 <= wish.minimum_soc_percent <= 100:
        raise WishRefused("The battery level to charge to at once is a percentage between 0 and 100.")
    if wish.minimum_wh is not None and not 0 <= wish.minimum_wh <= 200_000:
        raise WishRefused("The energy to charge at once lies between 0 and 200 kWh.")
    if wish.max_price_micro_per_kwh is not None and not -10_000_000 <= wish.max_price_micro_per_kwh <= 10_000_000:
        raise WishRefused("The highest price to charge at lies between -10 and 10 per kWh.")
    if wish.max_co2_g_per_kwh is not None and not 0 <= wish.max_co2_g_per_kwh <= 2000:
        raise WishRefused("The most CO2 to charge at lies between 0 and 2000 g per kWh.")
    if not -10 <= wish.priority <= 10:
        raise WishRefused("The priority lies between -10 and 10; higher is served first.")
    if not 6 <= wish.guest_current_a <= 80:
        raise WishRefused("A guest's current lies between 6 and 80 A.")
    if len(wish.departures) > MOST_DEPARTURES:
        raise WishRefused(f"At most {MOST_DEPARTURES} departures can be planned for a charger. Remove one first.")
    for departure in wish.departures:
        _check_departure(departure)


def _check_departure(departure: Departure) -> None:
    if not departure.days or any(day not in range(7) for day in departure.days):
        raise WishRefused("A departure needs at least one day of the week.")
    _check_targets(departure.target_wh, departure.target_soc_percent)


def _check_targets(target_wh: float | None, target_soc_percent: float | None) -> None:
    if target_wh is not None and not 0 <= target_wh <= 200_000:
        raise WishRefused("The charging target lies between 0 and 200 kWh.")
    if target_soc_percent is not None and not 0 <= target_soc_percent <= 100:
        raise WishRefused("The state of charge to reach is a percentage between 0 and 100.")


def _check_vehicles(vehicles: tuple[Vehicle, ...]) -> None:
    if len(vehicles) > MOST_VEHICLES:
        raise WishRefused(f"At most {MOST_VEHICLES} vehicles can be kept. Remove one first.")
    names = [vehicle.name for vehicle in vehicles]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise WishRefused(f"There are two vehicles '{twice}'. Give each its own name.")
    tags = [tag.casefold() for vehicle in vehicles for tag in vehicle.tags]
    if shared := next((tag for tag in tags if tags.count(tag) > 1), None):
        raise WishRefused(f"The tag '{shared}' belongs to two vehicles. Leave it with one.")
    for vehicle in vehicles:
        _check_vehicle(vehicle)


def _check_vehicle(vehicle: Vehicle) -> None:
    if not vehicle.name.strip():
        raise WishRefused("A vehicle needs a name.")
    if not 1_000 <= vehicle.battery_wh <= 300_000:
        raise WishRefused(f"{vehicle.name}: the battery lies between 1 and 300 kWh.")
    if vehicle.phases not in (1, 2, 3):
        raise WishRefused(f"{vehicle.name}: a car charges on 1, 2 or 3 phases.")
    if not 6 <= vehicle.max_current_a <= 80:
        raise WishRefused(f"{vehicle.name}: the most current lies between 6 and 80 A.")
    if not 50 <= vehicle.efficiency_percent <= 100:
        raise WishRefused(f"{vehicle.name}: the efficiency lies between 50 and 100 %.")
    if any(not 0 < len(tag) <= 255 for tag in vehicle.tags):
        raise WishRefused(f"{vehicle.name}: a tag has between 1 and 255 characters.")
    _check_targets(None, vehicle.target_soc_percent)
