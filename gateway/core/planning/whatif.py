"""What if: the home's own history under another tariff or with other devices, and how sure the answer is.

    history --> record --> replay as it is  --> bill now  (beside the real bill: how far the twin can be believed)
                      \\-> replay changed   --> bill then --> difference, 80 % of what other weeks would have given

The difference is told between two replays, so that what the twin gets wrong in both does not count.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from itertools import pairwise

import numpy as np

from gateway.core.planning.replay import Replayed, Told, replay
from gateway.core.planning.twin import HOURS, Record, Setup
from gateway.core.planning.whatif_record import History, daily_visits, record_of, with_panels
from gateway.core.tariff.bill import bill_of
from gateway.core.tariff.metered import Metered
from gateway.core.tariff.pieces import instant
from gateway.core.tariff.windows import midnight
from gateway.model.errors import WishRefused
from gateway.model.series import Series
from gateway.model.site import BatterySpec, ChargerSpec, Device, HeatPumpSpec, Role, Site
from gateway.model.tariff import Tariff
from gateway.model.whatif import Answer, Flows, Month, Question

WEEK_S = 7 * 86_400
DRAWS = 1000
BAND = (0.10, 0.90)
BATTERY_ID, CAR_ID, PUMP_ID = "added_battery", "added_car", "added_heat_pump"
DOUBTFUL_PERCENT = 10.0
FULL_DAYS = 330
"""From so many days on the year stands for itself."""


def ask(
    setup: Setup, history: History, question: Question, spot: Series | None = None, told: Told | None = None
) -> Answer:
    """Replay the history as it is and as asked; raises WishRefused for too little history, Stopped when told to."""
    tariff = question.tariff or setup.tariff
    if tariff.currency != setup.tariff.currency:
        raise WishRefused(
            f"The tariff {tariff.id} is in {tariff.currency}, the home's in {setup.tariff.currency}: ask for one in "
            f"{setup.tariff.currency}."
        )
    record, notes = record_of(setup.site, history)
    here = replace(setup, site=_twin_site(setup.site, record))
    then, changed, more = _changed(here, record, question)
    halves = (None, None) if told is None else (_half(told, 0.0), _half(told, 0.5))
    first = replay(here, record, question.control, spot, halves[0])
    second = replay(replace(then, tariff=tariff), changed, question.control, spot, halves[1])
    notes += [*more, *_cautions(setup.tariff, tariff, spot, record)]
    return _answer(setup, tariff, history, first, second, spot, tuple(notes))


def _half(told: Told, offset: float) -> Callable[[float], bool]:
    return lambda share: told(offset + share / 2)


def _twin_site(site: Site, record: Record) -> Site:
    """The devices that the twin runs anew: batteries, and chargers with sessions."""
    devices = []
    charged = {visit.charger for visit in record.visits}
    for device in site.devices:
        if isinstance(device.spec, BatterySpec) and device.spec.capacity_wh > 0:
            devices.append(replace(device, role=Role.BATTERY))
        elif device.id in charged:
            devices.append(device)
    return replace(site, devices=(Device("panels", "Panels", Role.PV), *devices))


def _changed(setup: Setup, record: Record, question: Question) -> tuple[Setup, Record, list[str]]:
    added, notes = list[Device](), list[str]()
    if question.pv_kwp > 0:
        record, words = with_panels(record, setup.site, question.pv_kwp)
        notes.append(words)
    if question.battery_kwh > 0:
        power = 1000 * (question.battery_kw or question.battery_kwh / 2)
        spec = BatterySpec(question.battery_kwh * 1000, power, power)
        added.append(Device(BATTERY_ID, "Added battery", Role.BATTERY, spec))
    if question.ev_kwh_per_day > 0:
        charger = ChargerSpec((1, 2, 3) if question.ev_kw > 7.4 else (1,), max_current_a=_amps(setup.site, question))
        car = Device(CAR_ID, "Added car", Role.EV_CHARGER, charger)
        visits = daily_visits(
            record, car, setup.site, question.ev_kwh_per_day, question.ev_leaves_h, question.ev_back_h
        )
        added, record = [*added, car], replace(record, visits=(*record.visits, *visits))
        notes.append(
            f"The added car comes home each day at {question.ev_back_h}:00, leaves at {question.ev_leaves_h}:00 and "
            f"takes {question.ev_kwh_per_day:g} kWh a day."
        )
    if question.heat_pump_kw > 0:
        added.append(Device(PUMP_ID, "Added heat pump", Role.HEAT_PUMP, HeatPumpSpec(question.heat_pump_kw * 1000)))
        notes.append(
            "The added heat pump heats a home of the usual size; the bill of your present heating is not counted."
        )
    site = replace(setup.site, devices=(*setup.site.devices, *added))
    return replace(setup, site=site), record, notes


def _amps(site: Site, question: Question) -> float:
    phases = 3 if question.ev_kw > 7.4 else 1
    return max(6.0, min(32.0, question.ev_kw * 1000 / site.nominal_voltage_v / phases))


def _cautions(before: Tariff, after: Tariff, spot: Series | None, record: Record) -> list[str]:
    notes = []
    if (before.needs_spot or after.needs_spot) and spot is None:
        notes.append("No dynamic prices are stored for this time: the tariff's typical price stands in for them.")
    if record.count < FULL_DAYS * 96:
        notes.append(f"It rests on {record.count / 96:.0f} days: other seasons are not in it.")
    return notes


def _answer(
    setup: Setup, tariff: Tariff, history: History, first: Replayed, second: Replayed, spot: Series | None,
    notes: tuple[str, ...],
) -> Answer:  # fmt: skip
    meter = next((device.id for device in setup.site.of_role(Role.MAIN_METER)), "")
    real = bill_of(setup.tariff, history.metered(meter), spot)
    now, then = first.bill(setup.tariff, spot), second.bill(tariff, spot)
    months = _months(setup.tariff, tariff, first.metered, second.metered, spot)
    low, high = _band(setup.tariff, tariff, first.metered, second.metered, spot, months)
    gap = _gap_percent(setup.tariff, history.metered(meter), first.metered, spot)
    if gap is not None and abs(gap) > DOUBTFUL_PERCENT:
        notes = (
            f"The replay of the home as it is differs by {gap:+.0f} % from the meter's bill: it was run in another way "
            "then, or had other devices. Take the difference as a hint.",
            *notes,
        )
    return Answer(
        first.record.count / 96, 1 - float(np.mean(first.record.known)), setup.tariff.currency, real, now, then,
        low, high, gap, months, _flows(first), _flows(second), float(first.grid_w.max()), float(second.grid_w.max()),
        second.missed_departures, second.cold_k_h, notes,
    )  # fmt: skip


def _gap_percent(tariff: Tariff, real: Metered, replayed: Metered, spot: Series | None) -> float | None:
    """How far the replay is from the real bill, percent, in the quarter hours that the meter knows."""
    known = ~np.isnan(real.import_wh)
    bills = [
        bill_of(tariff, Metered(real.start[known], real.end[known], m.import_wh[known], m.export_wh[known]), spot)
        for m in (real, replayed)
    ]
    return 100 * (bills[1].micro - bills[0].micro) / abs(bills[0].micro) if bills[0].micro else None


def _months(before: Tariff, after: Tariff, first: Metered, second: Metered, spot: Series | None) -> tuple[Month, ...]:
    """The bills of the local months that the replay touches."""
    start, end = first.start[0], first.end[-1]
    found = []
    day = instant(start).astimezone(before.timezone).date().replace(day=1)
    while midnight(before, day).timestamp() < end:
        after_day = _next_month(day)
        span = (max(start, midnight(before, day).timestamp()), min(end, midnight(before, after_day).timestamp()))
        if span[1] > span[0]:
            bills = [bill_of(t, m.between(*span), spot) for t, m in ((before, first), (after, second))]
            found.append(Month(day, bills[0].micro, bills[1].micro))
        day = after_day
    return tuple(found)


def _next_month(day: date) -> date:
    return date(day.year + day.month // 12, day.month % 12 + 1, 1)


def _band(
    before: Tariff, after: Tariff, first: Metered, second: Metered, spot: Series | None, months: tuple[Month, ...]
) -> tuple[int, int]:
    """The difference had the weeks been others of the same kind: a bootstrap over weeks, and over months for peaks."""
    edges = [*np.arange(first.start[0], first.end[-1] - 1, WEEK_S).tolist(), first.end[-1]]
    spans = list(pairwise(edges))
    energy = np.array([_energy(after, second, s, spot) - _energy(before, first, s, spot) for s in spans], dtype=float)
    total = float(sum(m.then_micro - m.now_micro for m in months))
    rest = (total - energy.sum()) / max(1, len(months))
    dice = np.random.default_rng(1)
    drawn = energy[dice.integers(0, len(energy), (DRAWS, len(energy)))].sum(axis=1)
    per_month = np.array([float(m.then_micro - m.now_micro) for m in months]) if _has_months(before, after) else None
    if per_month is not None and len(per_month) > 1:
        spread = per_month[dice.integers(0, len(per_month), (DRAWS, len(per_month)))].sum(axis=1) - per_month.sum()
        # Peaks and tiers count by months: whichever of the two spreads is wider is told.
        if spread.std() > drawn.std():
            drawn = energy.sum() + spread
    low, high = np.quantile(drawn + rest * len(months), BAND)
    return round(float(low)), round(float(high))


def _has_months(*tariffs: Tariff) -> bool:
    return any(tariff.demand or tariff.tiers is not None for tariff in tariffs)


def _energy(tariff: Tariff, data: Metered, span: tuple[float, float], spot: Series | None) -> int:
    """The bill of some days without what counts by months."""
    plain = replace(tariff, demand=(), tiers=None, contracted=(), fixed_micro_per_day=0, fixed_micro_per_month=0)
    return bill_of(plain, data.between(*span), spot).micro


def _flows(found: Replayed) -> Flows:
    def wh(role: Role) -> float:
        taken = (found.power_w[device.id] for device in found.site.of_role(role))
        return sum(float(np.maximum(0.0, watts).sum()) * HOURS for watts in taken)

    record, metered = found.record, found.metered
    return Flows(
        float(record.house_w.sum()) * HOURS, -float(record.solar_w.sum()) * HOURS,
        float(metered.import_wh.sum()), float(metered.export_wh.sum()),
        wh(Role.BATTERY), wh(Role.EV_CHARGER), wh(Role.HEAT_PUMP),
    )  # fmt: skip
