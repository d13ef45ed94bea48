"""The effect of an event as sentences: departure, comfort, energy, money."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from gateway.model.dr import EventRecord
from gateway.model.effect import CarEffect, EventEffect
from gateway.runtime.words import called, local_time
from gateway.web.dr_view import DrHome
from gateway.web.words import co2, money, watt_hours

LEAST_MICRO = 5_000
"""Less than half a cent is nothing."""
LEAST_WH, LEAST_G, LEAST_K = 50.0, 50.0, 0.1
SAME = timedelta(minutes=15)
"""One slot of the plan: a car that is full this much later is full at the same time."""


def effect_lines(home: DrHome, record: EventRecord, effect: EventEffect) -> list[str]:
    """What taking part means, a sentence each, comfort and departure first."""
    found = [*_cars(home, effect), *_warmth(effect), *_energy(effect), *_money(home, record, effect)]
    found += [f"Gives way: {words}" for words in effect.relaxed]
    return found or ["Nothing that can be noticed changes."]


def pays_micro(home: DrHome, record: EventRecord, effect: EventEffect) -> int | None:
    """What the program pays for what is planned, micro-units; None where it is not known."""
    pay = home.desk.pays(record)
    if pay.per_kwh is None and pay.per_event is None:
        return None
    amount = (pay.per_event or 0.0) + (pay.per_kwh or 0.0) * max(0.0, effect.shifted_wh) / 1000
    return round(amount * 1e6)


def _cars(home: DrHome, effect: EventEffect) -> Iterator[str]:
    for car in effect.cars:
        words = _car(home, car)
        if words:
            yield words


def _car(home: DrHome, car: CarEffect) -> str:
    now, zone = home.clock.now(), home.site.timezone
    device = home.site.device(car.device)
    name = called(device) if device else car.device
    with_it, without = car.full_at, car.full_without
    if with_it is None or without is None:
        late = (
            f"is not charged by the end of the plan, instead of at {local_time(without, now, zone)}" if without else ""
        )
        return f"{name} {late}." if late and with_it is None else ""
    if abs(with_it - without) < SAME:
        return f"{name} has what it needs at {local_time(with_it, now, zone)}, as without the event."
    return f"{name} has what it needs at {local_time(with_it, now, zone)} instead of {local_time(without, now, zone)}."


def _warmth(effect: EventEffect) -> Iterator[str]:
    for what, with_it, without in (
        ("The rooms", effect.room_c, effect.room_without_c),
        ("The hot water", effect.tank_c, effect.tank_without_c),
    ):
        if with_it is None or without is None:
            continue
        change = round(with_it - without, 1)
        if abs(change) >= LEAST_K:
            way = "cooler" if change < 0 else "warmer"
            verb = "get" if what.endswith("s") else "gets"
            yield f"{what} {verb} {abs(change):.1f} K {way} at the coolest moment ({with_it:.1f} °C)."


def _energy(effect: EventEffect) -> Iterator[str]:
    if abs(effect.shifted_wh) >= LEAST_WH:
        way = "less" if effect.shifted_wh > 0 else "more"
        yield f"{watt_hours(effect.shifted_wh)} {way} from the grid while it lasts."
    if abs(effect.co2_g) >= LEAST_G:
        yield f"{'Avoids' if effect.co2_g < 0 else 'Emits'} {co2(abs(effect.co2_g))}{'' if effect.co2_g < 0 else ' more'}."


def _money(home: DrHome, record: EventRecord, effect: EventEffect) -> Iterator[str]:
    currency, pays = home.site.currency, pays_micro(home, record, effect)
    if abs(effect.cost_micro) >= LEAST_MICRO:
        yield f"{'Costs' if effect.cost_micro > 0 else 'Saves'} {money(abs(effect.cost_micro), currency)} on the bill."
    if pays is not None:
        yield f"The program pays about {money(pays, currency)}."
