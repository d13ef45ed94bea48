"""The plan's picture: 12 hours measured and 24 planned on one axis, stacked by kind of energy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from gateway.model.plan import Block, IntentKind, Plan, PlanSlot
from gateway.model.quantity import Quantity
from gateway.model.reading import Interval
from gateway.model.site import Role
from gateway.runtime.words import local_time
from gateway.web.picture import BATTERIES
from gateway.web.state import HEAT, MACHINES
from gateway.web.view import HomeView
from gateway.web.words import INTENT_WORDS, co2, day_words, money, span, watt_hours, watts

STEP = timedelta(minutes=15)
BACK = timedelta(hours=12)
AHEAD = timedelta(hours=24)
NEAR = timedelta(hours=12)
"""Blocks that begin later are folded up."""
LEAST_WH = 20.0
"""Less than this in a block is nothing, Wh."""
UP = ("house", "heat", "car", "battery_charge", "export")
DOWN = ("solar", "battery_discharge", "import")


@dataclass(frozen=True, slots=True)
class BlockRow:
    """One block of the plan, in words."""

    day: str
    device: str
    name: str
    what: str
    when: str
    figures: str
    reason: str
    alternative: str
    costs: str
    """With the time of the plan that it was reckoned for; empty while that is not known: who touches the block is told."""
    start: str
    now: bool


def block_rows(home: HomeView, plan: Plan) -> list[BlockRow]:
    """The blocks from now on, in order of start."""
    now = home.clock.now()
    blocks = sorted((b for b in plan.blocks if b.end > now), key=lambda b: (b.start, b.device))
    return [_row(home, block, now) for block in blocks]


def _row(home: HomeView, block: Block, now: datetime) -> BlockRow:
    device, zone = home.site.device(block.device), home.site.timezone
    first = max(block.start, now)
    known = bool(block.alternative) and block.alternative_cost_micro is not None
    return BlockRow(
        day_words(first, now, zone),
        block.device,
        device.name if device else block.device,
        _what(block),
        span(block.start, block.end, first, zone),
        f"{watts(block.power_w)} · {watt_hours(block.energy_wh)}" if abs(block.energy_wh) >= LEAST_WH else "",
        block.reason,
        block.alternative,
        _costs(home, block, now) if known else "",
        block.start.isoformat(),
        block.start <= now,
    )


def _what(block: Block) -> str:
    # A room at its lower band still takes power: "rest" would be a lie.
    if block.kind is IntentKind.IDLE and abs(block.energy_wh) >= LEAST_WH:
        return "Keep the minimum"
    return INTENT_WORDS.get(block.kind.value, block.kind.value)


def _costs(home: HomeView, block: Block, now: datetime) -> str:
    said = difference(block.alternative_cost_micro, block.alternative_co2_g, home.site.currency)
    return f"{said}, as of {local_time(block.priced_at, now, home.site.timezone)}" if block.priced_at else said


def difference(micro: int | None, grams: float | None, currency: str) -> str:
    """What an alternative costs more or less; a dash when not known."""
    if micro is None:
        return "–"
    if abs(micro) < 5000:
        return "about the same"
    paid, way = money(abs(micro), currency), "more" if micro > 0 else "less"
    if grams is None or abs(grams) < 5:
        return f"{paid} {way}"
    if (grams > 0) is (micro > 0):
        return f"{paid} and {co2(abs(grams))} {way}"
    return f"{paid} {way}, but {co2(abs(grams))} {'more' if grams > 0 else 'less'}"


@dataclass(frozen=True, slots=True)
class HourRow:
    """One hour of the chart as a table row."""

    when: str
    price: str
    house: str
    car: str
    heat: str
    sun: str
    grid: str
    soc: str


async def chart_document(home: HomeView, plan: Plan | None) -> dict[str, Any]:
    """Columns for the chart, powers in kW: stacked outermost first; None where nothing is known."""
    now = home.clock.now()
    first = _floor(now - BACK)
    times = [first + STEP * i for i in range(int((BACK + AHEAD) / STEP))]
    past = await _measured(home, first, now)
    columns = [_column(home, when, now, past, plan) for when in times]
    socs = await _soc_history(home, first, now)
    return {
        "times": [int(when.timestamp()) for when in times],
        "now": int(now.timestamp()),
        "zone": home.site.timezone.key,
        "price": [_price(home, plan, when) for when in times],
        "soc": [socs.get(when, c.get("soc")) for when, c in zip(times, columns, strict=True)],
        "up": {key: [_kw(c.get(key)) for c in columns] for key in UP},
        "down": {key: [_kw(c.get(key)) for c in columns] for key in DOWN},
        "blocks": [_block_mark(home, block, now) for block in plan.blocks] if plan else [],
    }


def hour_rows(home: HomeView, plan: Plan) -> list[HourRow]:
    """The planned hours for those who cannot see the chart."""
    now, rows, currency = home.clock.now(), [], home.site.currency
    hour = now.replace(minute=0, second=0, microsecond=0)
    for when in (hour + timedelta(hours=i) for i in range(1, 25)):
        slot = _slot(plan, when)
        if slot is None:
            continue
        planned = _planned(home, slot)
        grid = slot.power_w.get("grid")
        way = "" if grid is None or abs(grid) < 15 else " bought" if grid > 0 else " sold"
        rows.append(
            HourRow(
                local_time(when, now, home.site.timezone),
                money(slot.import_price_micro_per_kwh, currency, 3),
                watts(planned.get("house")),
                watts(planned.get("car")),
                watts(planned.get("heat")),
                watts(planned.get("solar")),
                watts(grid) + way,
                "–" if slot.soc_percent is None else f"{slot.soc_percent:.0f} %",
            )
        )
    return rows


def _column(
    home: HomeView, when: datetime, now: datetime, past: Mapping[datetime, dict[str, float]], plan: Plan | None
) -> dict[str, float | None]:
    if when + STEP <= now:
        return dict(past.get(when, {}))
    slot = _slot(plan, max(when, now))
    return {**_planned(home, slot), "soc": slot.soc_percent} if slot else {}


def _planned(home: HomeView, slot: PlanSlot) -> dict[str, float]:
    power = slot.power_w
    groups = _groups(home)
    battery = sum(power.get(device, 0.0) for device in groups["battery"])
    grid = power.get("grid", 0.0)
    return {
        "house": power.get("house", 0.0) + sum(power.get(device, 0.0) for device in groups["machines"]),
        "car": sum(power.get(device, 0.0) for device in groups["car"]),
        "heat": sum(power.get(device, 0.0) for device in groups["heat"]),
        "battery_charge": max(0.0, battery),
        "battery_discharge": min(0.0, battery),
        "solar": power.get("pv", 0.0),
        "export": max(0.0, -grid),
        "import": min(0.0, -grid),
    }


def _groups(home: HomeView) -> dict[str, list[str]]:
    roles = {
        "car": (Role.EV_CHARGER,),
        "heat": HEAT,
        "machines": MACHINES,
        "battery": BATTERIES,
        "meter": (Role.MAIN_METER,),
    }
    return {key: [device.id for device in home.site.of_role(*of)] for key, of in roles.items()}


async def _measured(home: HomeView, start: datetime, end: datetime) -> dict[datetime, dict[str, float]]:
    """Mean powers of the past slots, W, by kind; the battery is what its inverter gave beyond the sun."""
    groups = _groups(home)
    series = {
        "house": await _sums(home, ["house"], start, end),
        "solar": await _sums(home, ["solar"], start, end),
        **{key: await _sums(home, devices, start, end) for key, devices in groups.items()},
    }
    hybrid = bool(home.site.of_role(Role.HYBRID_INVERTER))
    found: dict[datetime, dict[str, float]] = {}
    for when in sorted({when for rows in series.values() for when in rows}):
        values = {key: rows.get(when, 0.0) for key, rows in series.items()}
        battery = values["battery"] - (values["solar"] if hybrid else 0.0)
        found[when] = {
            "house": max(0.0, values["house"] + values["machines"]),
            "car": values["car"],
            "heat": values["heat"],
            "solar": min(0.0, values["solar"]),
            "battery_charge": max(0.0, battery),
            "battery_discharge": min(0.0, battery),
            "export": max(0.0, -values["meter"]),
            "import": min(0.0, -values["meter"]),
        }
    return found


async def _sums(home: HomeView, devices: list[str], start: datetime, end: datetime) -> dict[datetime, float]:
    total: dict[datetime, float] = {}
    for device in devices:
        for row in await home.intervals(device, start, end):
            power = _mean_w(row)
            if power is not None:
                total[row.start] = total.get(row.start, 0.0) + power
    return total


def _mean_w(row: Interval) -> float | None:
    return None if row.net_wh is None else row.net_wh * 3600 / row.duration_s


async def _soc_history(home: HomeView, start: datetime, end: datetime) -> dict[datetime, float]:
    found: dict[datetime, float] = {}
    for device in home.site.of_role(*BATTERIES)[:1]:
        for row in await home.rollups(device.id, Quantity.SOC.value, start, end):
            found[_floor(row.start)] = round(row.last, 1)
    return found


def _block_mark(home: HomeView, block: Block, now: datetime) -> dict[str, Any]:
    row = _row(home, block, now)
    return {
        "from": int(block.start.timestamp()),
        "to": int(block.end.timestamp()),
        "text": f"{row.name} · {row.what} {row.when}",
        "reason": row.reason,
        "costs": f"Otherwise, {row.alternative}: {row.costs}." if row.costs else "",
    }


def _price(home: HomeView, plan: Plan | None, when: datetime) -> float | None:
    """From the plan, which knows the utility's prices; where it does not reach, from the tariff."""
    slot = _slot(plan, when) if plan else None
    if slot is not None:
        return slot.import_price_micro_per_kwh / 1e6
    rate = home.rate_at(when)
    return rate.import_micro_per_kwh / 1e6 if rate else None


def _slot(plan: Plan | None, when: datetime) -> PlanSlot | None:
    slots = plan.slots if plan else ()
    return next((s for s in slots if s.start <= when < s.start + timedelta(seconds=s.duration_s)), None)


def _kw(power_w: float | None) -> float | None:
    return None if power_w is None else round(power_w / 1000, 3)


def _floor(when: datetime) -> datetime:
    return when.replace(minute=when.minute // 15 * 15, second=0, microsecond=0)
