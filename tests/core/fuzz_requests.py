"""Random homes that ask for anything, and what must hold of every plan; shared by the tests and the benchmark."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from gateway.core.planning.home import Home, make_home
from gateway.core.planning.request import PlanRequest
from gateway.core.tariff.rates import parse_tariff
from gateway.model.authority import Authority
from gateway.model.dr import PricePoint
from gateway.model.loads import ApplianceRun, Loads
from gateway.model.plan import Forecast, Plan
from gateway.model.preferences import ChargeGoal, ChargeMode, ChargingPreference, Preferences
from gateway.model.quantity import Quantity as Q
from gateway.model.series import Point, Series, SeriesKind
from gateway.model.setpoint import Limit, LimitKind, Override
from gateway.model.site import (
    ApplianceSpec,
    BatterySpec,
    ChargerSpec,
    Circuit,
    Device,
    HeatPumpSpec,
    PoolPumpSpec,
    Role,
    Site,
    WaterHeaterSpec,
)
from gateway.model.snapshot import ChargePhase, ChargerStatus, DeviceState, Snapshot
from gateway.model.tariff import Tariff, ToDate

ZONE = ZoneInfo("Europe/Brussels")
DAYS = ("2026-03-28", "2026-03-29", "2026-10-24", "2026-10-25", "2026-01-31", "2026-07-01", "2026-11-21")
"""Two nights of each clock change, a month's end, summer, autumn."""
ODD = (float("nan"), float("inf"), -float("inf"), -1e9, 1e9)
BASE = {
    "id": "fuzz", "name": "Fuzz", "currency": "EUR", "timezone": "Europe/Brussels",
    "rates": [
        {"name": "peak", "import": 0.42, "export": 0.05, "from": "17:00", "to": "22:00"},
        {"name": "night", "import": 0.19, "export": 0.05, "from": "22:00", "to": "07:00"},
        {"name": "day", "import": 0.29, "export": 0.05},
    ],
}  # fmt: skip
EXTRAS: tuple[dict[str, object], ...] = (
    {},
    {"vat_percent": 21},
    {"demand": [{"name": "month", "per_kw_month": 4.1, "least_kw": 2.5}]},
    {"demand": [{"name": "evening", "per_kw_month": 12.0, "from": "16:00", "to": "21:00", "mean_of": 3}]},
    {"demand": [{"name": "steps", "mean_of": 3, "window_minutes": 60,
                 "steps": [{"up_to_kw": 2, "per_month": 14.0}, {"up_to_kw": 5, "per_month": 25.0}, {"per_month": 40.0}]}]},
    {"tiers": {"period": "month", "steps": [{"up_to_kwh": 300, "add": 0.0}, {"add": 0.08}]}},
    {"tiers": {"period": "day", "steps": [{"up_to_kwh": 8, "add": 0.0}, {"up_to_kwh": 12, "add": 0.1}, {"add": -0.05}]}},
    {"contracted": [{"name": "P1", "kw": 3.4, "per_kw_day": 0.08, "from": "08:00", "to": "22:00"}]},
    {"rates": [{"name": "spot", "import": 0.13, "export": 0.0, "spot_factor": 1.0, "export_spot_factor": 1.0,
                "spot_typical": 0.09}]},
)  # fmt: skip


def random_request(seed: int, *, time_limit_s: float = 2.0) -> PlanRequest:
    """A home with some of everything, in any state, asked for anything."""
    dice = random.Random(seed)
    day = datetime.fromisoformat(dice.choice(DAYS)).replace(tzinfo=ZONE)
    now = day.astimezone(UTC) + timedelta(seconds=dice.randrange(86_400), microseconds=dice.randrange(1000))
    site = _site(dice)
    preferences = _preferences(dice, site, now)
    return PlanRequest(
        site=site,
        snapshot=_snapshot(dice, site, preferences, now),
        load=_forecast(dice, "load", now, dice.choice([0.0, 400.0, 1500.0, 6_000.0, 40_000.0]), 1),
        solar=_forecast(dice, "solar", now, dice.choice([0.0, 0.0, 4_000.0, 30_000.0]), -1),
        outdoor=dice.choice([None, _forecast(dice, "outdoor", now, 8.0, 1)]),
        tariff=_tariff(dice),
        preferences=preferences,
        limits=tuple(_limits(dice, site, now)),
        price_signals=tuple(_signals(dice, now)),
        co2_g_per_kwh=dice.choice([0.0, 200.0]),
        now=now,
        cause="fuzz",
        time_limit_s=time_limit_s,
        spot=_spot(dice, now),
        to_date=ToDate(
            dice.choice([0.0, 250_000.0, 1e9]),
            tuple((name, (5_000.0, 3_000.0, 1_000.0)) for name in ("month", "evening", "steps") if dice.random() < 0.7),
        ),
        can_curtail=dice.random() < 0.5,
    )


def below_circuits(asked: PlanRequest, seed: int) -> PlanRequest:
    """The same request of a home with three phases whose devices hang below circuits, each on some phase."""
    dice = random.Random(f"circuits {seed}")
    circuits = (
        Circuit("house", "House", fuse_a=(20.0, dice.choice([10.0, 20.0]), 16.0)),
        Circuit("garage", "Garage", dice.choice([None, (16.0, 16.0, 16.0)]), dice.choice([None, 2_500.0]), "house"),
    )
    devices = []
    for device in asked.site.devices:
        spec, phase = device.spec, dice.randrange(1, 4)
        if isinstance(spec, (WaterHeaterSpec, HeatPumpSpec, PoolPumpSpec, ApplianceSpec)):
            spec = replace(spec, phase=phase)
        devices.append(replace(device, spec=spec, circuit=dice.choice(["", "house", "garage"])))
    return replace(asked, site=replace(asked.site, phases=3, devices=tuple(devices), circuits=circuits))


def much_sun(asked: PlanRequest, seed: int) -> PlanRequest:
    """The same request with a battery that is heard beside 20 to 40 kW of sun: of two days, or of a torn sky day and night."""
    dice = random.Random(f"sun {seed}")
    spec = BatterySpec(10_000, 5_000, 5_000, grid_charge=dice.random() < 0.8, grid_export=dice.random() < 0.2)
    others = tuple(device for device in asked.site.devices if device.id != "inverter")
    site = replace(asked.site, devices=(*others, Device("inverter", "Battery", Role.HYBRID_INVERTER, spec)))
    held = DeviceState("inverter", Role.HYBRID_INVERTER, True, 1.0, {Q.SOC: dice.choice([0.0, 20.0, 60.0, 100.0])})
    most, torn = dice.uniform(20_000.0, 40_000.0), dice.random() < 0.5
    starts = [(asked.now + timedelta(minutes=15 * i)).astimezone(ZONE) for i in range(192)]
    height = [math.sin((start.hour + start.minute / 60 - 7) / 11 * math.pi) for start in starts]
    sun = tuple(-most * dice.random() * (1.0 if torn else max(0.0, share)) for share in height)
    return replace(
        asked,
        site=site,
        snapshot=replace(asked.snapshot, devices={**asked.snapshot.devices, "inverter": held}),
        solar=Forecast("solar", asked.now, 900, sun),
    )


def _tariff(dice: random.Random) -> Tariff:
    return parse_tariff({**BASE, **dice.choice(EXTRAS)})


def _site(dice: random.Random) -> Site:
    phases = (1,) if dice.random() < 0.3 else (1, 2, 3)
    kinds = [
        Device("inverter", "Battery", Role.HYBRID_INVERTER, BatterySpec(
            dice.choice([0.0, 5_000, 12_000]), dice.choice([0.0, 5_000]), 5_000,
            grid_charge=dice.random() < 0.8, grid_export=dice.random() < 0.3)),
        Device("store", "Second battery", Role.BATTERY, BatterySpec(4_000, 2_000, 2_000)),
        Device("car", "Car", Role.EV_CHARGER, ChargerSpec(phases, max_current_a=dice.choice([5.0, 6.0, 16.0, 32.0]))),
        Device("van", "Van", Role.EV_CHARGER, ChargerSpec((dice.choice([1, 2, 3]),))),
        Device("tank", "Water heater", Role.WATER_HEATER, WaterHeaterSpec(dice.choice([0.0, 2_000]), 200)),
        Device("pump", "Heat pump", Role.HEAT_PUMP, HeatPumpSpec(2_500, min_run_s=dice.choice([0.0, 1800.0]))),
        Device("pool", "Pool pump", Role.POOL_PUMP, PoolPumpSpec(
            1_100, dice.choice([0.0, 6.0, 30.0]), time(dice.choice([0, 9])), time(dice.choice([0, 17])))),
        Device("dishwasher", "Dishwasher", Role.APPLIANCE, ApplianceSpec((2_000.0, 150.0, 150.0, 2_000.0, 50.0))),
    ]  # fmt: skip
    chosen = [device for device in kinds if dice.random() < 0.7]
    return Site(
        "Home", ZONE, 50.85, 4.35, "EUR", len(phases), dice.choice([16.0, 25.0, 40.0]),
        (Device("meter", "Main meter", Role.MAIN_METER), *chosen),
        import_limit_w=dice.choice([None, None, 0.0, 3_000.0, 9_000.0]),
        export_limit_w=dice.choice([None, 0.0, 2_000.0]),
    )  # fmt: skip


def _preferences(dice: random.Random, site: Site, now: datetime) -> Preferences:
    wishes = {
        device.id: ChargingPreference(
            dice.choice([ChargeMode.SMART, ChargeMode.SMART, *ChargeMode]),
            time(dice.randrange(24), dice.choice([0, 7, 30])),
            dice.choice([0.0, 50.0, 3_000.0, 40_000.0, 1e9]),
            goal=dice.choice(list(ChargeGoal)),
            max_price_micro_per_kwh=dice.choice([None, None, 200_000]),
            priority=dice.randrange(3),
        )
        for device in site.of_role(Role.EV_CHARGER)
    }
    return Preferences(
        charging=wishes,
        battery_reserve_percent=dice.choice([0.0, 20.0, 100.0]),
        comfort_low_c=dice.choice([5.0, 19.5, 30.0]),
        water_min_c=dice.choice([20.0, 45.0, 90.0]),
        vacation_until=dice.choice([None, None, now + timedelta(hours=30)]),
        carbon_weight_micro_per_kg=dice.choice([0, 100_000]),
        battery_to_car=dice.random() < 0.3,
        comfort_weight=dice.choice([1.0, 0.2, 0.0]),
        accept_higher_peak=dice.random() < 0.3,
    )


def _snapshot(dice: random.Random, site: Site, preferences: Preferences, now: datetime) -> Snapshot:
    states, chargers, runs = {}, {}, {}
    for device in site.devices:
        if device.role is Role.EV_CHARGER:
            phase = dice.choice([ChargePhase.PLUGGED, ChargePhase.CHARGING, *ChargePhase])
            watts = dice.choice([None, 0.0, 1_400.0, 7_000.0])
            chargers[device.id] = ChargerStatus(device.id, phase, dice.random() < 0.9, "1", power_w=watts)
            continue
        quantity = Q.SOC if isinstance(device.spec, BatterySpec) else Q.TEMPERATURE
        values = {quantity: dice.choice([-20.0, 0.0, 4.0, 20.5, 50.0, 55.0, 99.0, 130.0, *ODD[:1]])}
        if dice.random() < 0.4:
            values |= {Q.ON: 1.0, Q.POWER: dice.choice([900.0, 1_950.0])}
        states[device.id] = DeviceState(device.id, device.role, dice.random() < 0.9, 1.0, values)
        if device.role is Role.APPLIANCE and dice.random() < 0.8:
            start = now + timedelta(minutes=dice.randrange(-90, 600))
            done = start + timedelta(minutes=dice.choice([10, 120, 900]))
            begun = now - timedelta(minutes=20) if dice.random() < 0.3 else None
            ends = begun + timedelta(minutes=75) if begun else None
            runs[device.id] = ApplianceRun(device.id, start, done, "owner", now, begun, ends)
    overrides = tuple(
        Override(f"o{nth}", dice.choice(site.devices).id, dice.choice(["run", "pause"]), now, now + timedelta(hours=2), "x")
        for nth in range(dice.choice([0, 0, 1, 2]))
    )  # fmt: skip
    return Snapshot(now, states, chargers, preferences, overrides=overrides, loads=Loads(runs))


def _forecast(dice: random.Random, name: str, now: datetime, most: float, sign: int) -> Forecast:
    if dice.random() < 0.1:
        return Forecast(name, now, 900, ())
    count, step = dice.choice([(3, 900), (192, 900), (60, 3600)])
    mean = [sign * most * dice.random() for _ in range(count)]
    if dice.random() < 0.2:
        mean[dice.randrange(count)] = dice.choice(ODD[:3])
    spread = 0.4 * most if dice.random() < 0.7 else 0.0
    low, high = tuple(m - spread for m in mean), tuple(m + spread for m in mean)
    start = now + timedelta(hours=dice.choice([0, 0, -30, 5]))
    return Forecast(name, start, step, tuple(mean), low if spread else (), high if spread else ())


def _limits(dice: random.Random, site: Site, now: datetime) -> Iterator[Limit]:
    for _ in range(dice.choice([0, 0, 1, 2, 4])):
        start = now + timedelta(minutes=dice.randrange(-120, 2_000))
        end = start + timedelta(seconds=dice.randrange(1, 20_000))
        value = dice.choice([0.0, 1.0, 2.0, -2.0, 3_000.0, 9_000.0, -3_000.0, float("nan")])
        authority = dice.choice([Authority.BINDING_LIMIT, Authority.DEMAND_RESPONSE])
        device = dice.choice(["", *(device.id for device in site.devices)])
        kind = dice.choice([LimitKind.SITE_IMPORT, LimitKind.SITE_EXPORT, *LimitKind])
        yield Limit(kind, value, start, end, authority, "event", "The utility asks.", device)


def _signals(dice: random.Random, now: datetime) -> Iterator[PricePoint]:
    for _ in range(dice.choice([0, 0, 1, 3])):
        start = now + timedelta(hours=dice.uniform(-2, 40))
        kind = dice.choice(["PRICE", "EXPORT_PRICE", "GHG"])
        value = dice.choice([-300_000.0, 0.0, 900_000.0, float("nan"), 80.0])
        yield PricePoint(kind, value, start, start + timedelta(hours=2))


def _spot(dice: random.Random, now: datetime) -> Series | None:
    if dice.random() < 0.5:
        return None
    first = now.replace(minute=0, second=0, microsecond=0)
    points = tuple(
        Point(first + timedelta(hours=h), first + timedelta(hours=h + 1), dice.uniform(-80_000, 400_000))
        for h in range(dice.choice([3, 24, 40]))
        if dice.random() < 0.9
    )
    return Series(SeriesKind.SPOT, points, "file", now, "EUR")


def violations(asked: PlanRequest, plan: Plan) -> list[str]:
    """Every hard limit or law of energy that a plan breaks; empty is right."""
    home, wrong = make_home(asked), list[str]()
    start = asked.now.timestamp()
    if not plan.slots or plan.slots[0].start.timestamp() != math.floor(start):
        return ["the plan does not start now"]
    numbers = [value for slot in plan.slots for value in slot.power_w.values()]
    if not all(math.isfinite(value) for value in [*numbers, plan.cost_micro, plan.reference_cost_micro, plan.co2_g]):
        wrong.append("a number is not finite")
    energy = {battery.device.id: battery.start_wh for battery in home.batteries}
    for i, slot in enumerate(plan.slots):
        power, hours = slot.power_w, slot.duration_s / 3600
        if abs(power["grid"] - sum(w for name, w in power.items() if name != "grid")) > 1:
            wrong.append(f"slot {i}: energy does not balance")
        if power["grid"] > max(home.import_w[i], home.base_w[i]) + 2:
            wrong.append(f"slot {i}: imports {power['grid']:.0f} of {home.import_w[i]:.0f} W")
        if power["grid"] < -home.export_w[i] - 2:
            wrong.append(f"slot {i}: exports {-power['grid']:.0f} of {home.export_w[i]:.0f} W")
        if not home.pv_w[i] - 2 <= power["pv"] <= 2:
            wrong.append(f"slot {i}: more sun than there is")
        wrong += [f"slot {i}: {words}" for words in astray(home, power, i)]
        for car in home.cars:
            watts = power[car.device.id]
            if watts != 0 and not car.min_w - 1 <= watts <= car.cap_w[i] + 1:
                wrong.append(f"slot {i}: {car.device.id} at {watts:.0f} W")
        for heat in (*home.tanks, *home.pumps):
            if not -1 <= power[heat.device.id] <= heat.cap_w[i] + 1:
                wrong.append(f"slot {i}: {heat.device.id} at {power[heat.device.id]:.0f} W")
        for battery in home.batteries:
            watts, spec = power[battery.device.id], battery.spec
            if not -battery.discharge_w[i] - 1 <= watts <= battery.charge_w[i] + 1:
                wrong.append(f"slot {i}: {battery.device.id} at {watts:.0f} W")
            inside = watts * spec.charge_efficiency if watts > 0 else watts / spec.discharge_efficiency
            energy[battery.device.id] += inside * hours
            low, high = min(battery.start_wh, battery.floor_wh), battery.full_wh
            if not low - 20 <= energy[battery.device.id] <= high + 20:
                wrong.append(f"slot {i}: {battery.device.id} holds {energy[battery.device.id]:.0f} Wh")
        wrong += [f"slot {i}: {words}" for words in overloads(home, power, i)]
    wrong += [*unnamed_reserves(home, plan), *hot_tanks(home, plan)]
    for device in {block.device for block in plan.blocks}:
        blocks = [block for block in plan.blocks if block.device == device]
        if any(a.end != b.start for a, b in pairwise(blocks)):
            wrong.append(f"{device}: blocks do not meet")
    for car in home.cars:
        if unmet(plan, asked, car.device.id) and not any(car.device.name in words for words in plan.relaxed):
            wrong.append(f"{car.device.id}: is not ready in time and nobody is told")
    return wrong


def astray(home: Home, power: dict[str, float], index: int) -> Iterator[str]:
    """Batteries that fill each other, that feed the grid without leave, or a car that they should not feed."""
    flows = {battery.device.id: power[battery.device.id] for battery in home.batteries}
    if flows and min(flows.values()) < -5 and max(flows.values()) > 5:
        yield f"one battery fills the other: {flows}"
    given = -sum(min(0.0, watts) for watts in flows.values())
    to_car = home.request.preferences.battery_to_car
    cars = {car.device.id for car in home.cars}
    others = {"grid", "house", "pv", *flows, *(() if to_car else cars)}
    # Sun that is cut could have been used.
    lack = power["house"] + float(home.pv_w[index]) + sum(w for name, w in power.items() if name not in others)
    driving = sum(power[name] for name in cars) > 5
    for battery in home.batteries:
        if flows[battery.device.id] > -5 or (battery.export[index] and (to_car or not driving)):
            continue
        if given > max(0.0, lack) + 5:
            yield f"batteries give {given:.0f} W where the home lacks {lack:.0f} W"
        if power["grid"] < -5:
            yield f"{battery.device.id} gives {-flows[battery.device.id]:.0f} W while {-power['grid']:.0f} W are exported"


def unnamed_reserves(home: Home, plan: Plan) -> Iterator[str]:
    """Batteries that never come back to their reserve though nobody is told."""
    for battery in home.batteries:
        spec, held, most = battery.spec, battery.start_wh, battery.start_wh
        for slot in plan.slots:
            watts = slot.power_w[battery.device.id]
            inside = watts * spec.charge_efficiency if watts > 0 else watts / spec.discharge_efficiency
            held += inside * slot.duration_s / 3600
            most = max(most, held)
        told = any(battery.device.name in words and "reserve" in words for words in plan.relaxed)
        if most < battery.floor_wh - 0.02 * spec.capacity_wh and not told:
            yield f"{battery.device.id}: stays below its reserve and nobody is told"


def hot_tanks(home: Home, plan: Plan) -> Iterator[str]:
    """Tanks that are heated beyond their maximum."""
    for tank in home.tanks:
        now, most = tank.start_c, max(tank.start_c, float(tank.high_c.max()))
        for i, slot in enumerate(plan.slots):
            goal = tank.around_c[i] + tank.gains_k_per_w[i] * (slot.power_w[tank.device.id] - tank.draw_w[i])
            now = float(tank.keep[i] * now + (1 - tank.keep[i]) * goal)
            if now > most + 0.2:
                yield f"slot {i}: {tank.device.id} at {now:.1f} of {most:.1f} degC"
                break


def overloads(home: Home, power: dict[str, float], index: int) -> Iterator[str]:
    """Each phase of the main fuse and each circuit that devices load beyond what the house leaves them, added up anew."""
    site = home.request.site
    house_w = max(0.0, float(home.house_w[index] + home.pv_w[index]))
    volts = site.nominal_voltage_v
    fuses = [("main fuse", (site.main_fuse_a,) * site.phases, house_w / site.phases, site.devices)]
    fuses = fuses if site.phases > 1 else []  # the one phase is the connection
    for circuit in site.circuits:
        below = tuple(device for device in site.devices if circuit in site.above(device.circuit))
        if circuit.fuse_a is not None:
            fuses.append((circuit.name, circuit.fuse_a, 0.0, below))
        total = sum(power.get(device.id, 0.0) for device in below)
        fixed = sum(float(home.given[device.id][index]) for device in below if device.id in home.given)
        if circuit.limit_w is not None and total > max(circuit.limit_w, fixed) + 2:
            yield f"{circuit.name} at {total:.0f} W of {circuit.limit_w:.0f} W"
    for name, amps, alone_w, devices in fuses:
        for phase, most_a in zip((1, 2, 3), amps, strict=False):
            loads = [(device.id, power.get(device.id, 0.0) * carried(site, device, phase)) for device in devices]
            fixed = alone_w + sum(watts for name_, watts in loads if name_ in home.given)
            total = alone_w + sum(watts for _, watts in loads)
            if total > max(most_a * volts, fixed) + 2:
                yield f"L{phase} of {name} at {total:.0f} W of {most_a * volts:.0f} W"


def carried(site: Site, device: Device, phase: int) -> float:
    """The share of a device's power that a phase carries."""
    if isinstance(device.spec, BatterySpec):
        return 1 / site.phases
    if isinstance(device.spec, ChargerSpec):
        return device.spec.phases.count(phase) / len(device.spec.phases)
    return float(phase == getattr(device.spec, "phase", 1)) if device.spec is not None else 0.0


def unmet(plan: Plan, asked: PlanRequest, device: str) -> bool:
    """Whether a car that should be ready within the plan lacks more than 0.15 kWh at a departure."""
    car = next(car for car in make_home(asked).cars if car.device.id == device)
    if not car.plugged or car.open_end or car.mode in (ChargeMode.OFF, ChargeMode.SOLAR):
        return False
    got = [sum(s.power_w[device] * s.duration_s for s, inside in zip(plan.slots, stage.window, strict=True) if inside)
           for stage in car.stages]  # fmt: skip
    return any(stage.need_wh - wh / 3600 > 150 for stage, wh in zip(car.stages, got, strict=True))
