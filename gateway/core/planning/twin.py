"""The twin of a home: what a quarter hour does to it, by the rules that the tick follows on the meter.

    record (house, sun, outdoors, cars at home) --.
    plan --> wishes of core/control ------------> one quarter hour --> powers, energy stored, heat --> the meter

Powers are means over a quarter hour: what happens inside one, a cloud or a kettle, is not seen.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from gateway.core.control.charging import charging_wish
from gateway.core.control.heating import tank_wish, thermostat_wish
from gateway.core.control.storage import battery_wish
from gateway.core.planning.following import stored_wh
from gateway.core.planning.home import AROUND_C, GAINS_W
from gateway.core.tariff.limits import import_limit_w
from gateway.model.charging import ChargingNeeds
from gateway.model.plan import Plan
from gateway.model.preferences import Preferences
from gateway.model.quantity import Quantity
from gateway.model.site import BatterySpec, ChargerSpec, Device, HeatPumpSpec, Role, Site, WaterHeaterSpec
from gateway.model.snapshot import ChargePhase, ChargerStatus, DeviceState, Snapshot
from gateway.model.tariff import Tariff

Array = NDArray[np.float64]
STEP_S = 900
HOURS = 0.25
DAY = 96
WATER_WH_PER_L_K = 1.163
FULL_WH = 1.0
"""A car that lacks less than this counts as full."""
METER, PANELS = "meter", "panels"


@dataclass(frozen=True, slots=True)
class Visit:
    """A car at home from quarter hour `first` until before `last`; by then it should have got `need_wh`, at the charger."""

    charger: str
    first: int
    last: int
    need_wh: float


@dataclass(frozen=True, slots=True)
class Record:
    """What nobody controls, in quarter hours from `start` (aware UTC, on a quarter): W by the sign rule, degC.

    Where `known` is false the values stand in for what is missing. `draw_w` is heat taken from each water heater.
    """

    start: datetime
    house_w: Array
    solar_w: Array
    known: NDArray[np.bool_]
    outdoor_c: Array
    draw_w: Array
    visits: tuple[Visit, ...] = ()
    since: Mapping[str, int] = field(default_factory=dict)
    """Batteries that came later: device id -> the first quarter hour in which they were there."""

    @property
    def count(self) -> int:
        """How many quarter hours there are."""
        return len(self.house_w)

    def at(self, index: int) -> datetime:
        """The start of a quarter hour, aware UTC."""
        return datetime.fromtimestamp(self.start.timestamp() + index * STEP_S, UTC)

    def is_there(self, device: str, index: int) -> bool:
        """Whether a battery stands in the home in a quarter hour."""
        return index >= self.since.get(device, 0)


@dataclass(frozen=True, slots=True)
class Setup:
    """What stands in the home and what its owner wants; the site's panels and meter are the record's own."""

    site: Site
    tariff: Tariff
    preferences: Preferences

    def of_kind(self, role: Role) -> tuple[Device, ...]:
        """The devices of one role."""
        return self.site.of_role(role)


@dataclass(slots=True)
class Twin:
    """The home as it stands at one quarter hour; `step` moves it on."""

    setup: Setup
    record: Record
    stored_wh: dict[str, float] = field(default_factory=dict)
    heat_c: dict[str, float] = field(default_factory=dict)
    heating: dict[str, bool] = field(default_factory=dict)
    got_wh: dict[str, float] = field(default_factory=dict)
    charging: dict[str, float] = field(default_factory=dict)
    _by_charger: dict[str, list[Visit]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Batteries begin at their reserve, heat in the lower half of its band."""
        low = self.setup.preferences.comfort_low_c
        for device in self.setup.site.devices:
            if isinstance(device.spec, BatterySpec):
                self.stored_wh[device.id] = self._floor_wh(device.spec)
            elif isinstance(device.spec, WaterHeaterSpec):
                self.heat_c[device.id] = self._water_floor_c(device.spec) + 5
            elif isinstance(device.spec, HeatPumpSpec):
                self.heat_c[device.id] = low + 0.5
        for visit in self.record.visits:
            self._by_charger.setdefault(visit.charger, []).append(visit)

    def visit(self, charger: str, index: int) -> Visit | None:
        """The car that is at home; those before it are forgotten."""
        visits = self._by_charger.get(charger, [])
        while visits and visits[0].last <= index:
            visits.pop(0)
            self.got_wh.pop(charger, None)
        return visits[0] if visits and visits[0].first <= index else None

    def step(self, index: int, plan: Plan | None) -> dict[str, float]:
        """One quarter hour: mean W of each device and of the grid ("meter"), by the sign rule."""
        powers: dict[str, float] = {}
        base = float(self.record.house_w[index] + self.record.solar_w[index])
        self._heat(index, plan, powers)
        self._charge_cars(index, plan, powers, base)
        net = base + sum(powers.values())
        for device in self.setup.of_kind(Role.BATTERY):
            flow = self._battery(device, index, plan, powers, net)
            powers[device.id], net = flow, net + flow
        powers[METER] = net
        return powers

    def snapshot(self, index: int, plan: Plan | None, net_w: float, powers: Mapping[str, float]) -> Snapshot:
        """The home at the start of a quarter hour, with the mean powers of it as far as they are known."""
        devices = {METER: _state(METER, Role.MAIN_METER, {Quantity.POWER: net_w})}
        sun = float(self.record.solar_w[index])
        devices[PANELS] = _state(PANELS, Role.PV, {Quantity.POWER: sun})
        for device in self.setup.site.devices:
            values = self._values(device, powers.get(device.id, 0.0))
            if values and self.record.is_there(device.id, index):
                devices[device.id] = _state(device.id, device.role, values)
        chargers = {d.id: self._status(d, index, powers) for d in self.setup.of_kind(Role.EV_CHARGER)}
        return Snapshot(self.record.at(index), devices, chargers, self.setup.preferences, plan=plan)

    def import_limit_w(self, index: int) -> float:
        """What the connection and the contract allow, W."""
        site = self.setup.site
        most = site.main_fuse_a * site.phases * site.nominal_voltage_v
        told = [most, site.import_limit_w, import_limit_w(self.setup.tariff, self.record.at(index))]
        return min(watts for watts in told if watts is not None)

    def _values(self, device: Device, power_w: float) -> dict[Quantity, float]:
        if isinstance(device.spec, BatterySpec):
            return {Quantity.POWER: power_w, Quantity.SOC: 100 * self.stored_wh[device.id] / device.spec.capacity_wh}
        if isinstance(device.spec, WaterHeaterSpec | HeatPumpSpec):
            running = float(self.heating.get(device.id, False))
            return {Quantity.POWER: power_w, Quantity.TEMPERATURE: self.heat_c[device.id], Quantity.ON: running}
        return {}

    def _status(self, device: Device, index: int, powers: Mapping[str, float]) -> ChargerStatus:
        visit = self.visit(device.id, index)
        if visit is None:
            return ChargerStatus(device.id, ChargePhase.AVAILABLE, True)
        needs = ChargingNeeds(self.record.at(visit.first), self.record.at(visit.last), visit.need_wh)
        power = powers.get(device.id, 0.0)
        phase = ChargePhase.CHARGING if self.charging.get(device.id) else ChargePhase.PLUGGED
        return ChargerStatus(
            device.id,
            phase,
            True,
            "1",
            self.record.at(visit.first),
            session_wh=self.got_wh.get(device.id, 0.0),
            power_w=power,
            needs=needs,
        )

    def _heat(self, index: int, plan: Plan | None, powers: dict[str, float]) -> None:
        tanks, pumps = self.setup.of_kind(Role.WATER_HEATER), self.setup.of_kind(Role.HEAT_PUMP)
        if not tanks and not pumps:
            return
        now = self.snapshot(index, plan, 0.0, {})
        for device in tanks:
            if isinstance(device.spec, WaterHeaterSpec):
                powers[device.id] = self._tank(device, device.spec, index, tank_wish(now, device).value > 0)
        for device in pumps:
            if isinstance(device.spec, HeatPumpSpec):
                target = thermostat_wish(now, device, self.setup.site.timezone).value
                powers[device.id] = self._pump(device, device.spec, index, target)

    def _tank(self, device: Device, spec: WaterHeaterSpec, index: int, on: bool) -> float:
        """The relay's mean power: the tank's own thermostat opens it at its maximum."""
        mass, loss = max(1.0, spec.volume_l) * WATER_WH_PER_L_K, max(0.01, spec.loss_w_per_k)
        keep, now = math.exp(-HOURS * loss / mass), self.heat_c[device.id]
        free = keep * now + (1 - keep) * (AROUND_C - float(self.record.draw_w[index]) / loss)
        most = max(0.0, spec.max_temperature_c - free) * loss / (1 - keep)
        power = min(spec.power_w, most) if on else 0.0
        self.heat_c[device.id] = free + (1 - keep) * power / loss
        self.heating[device.id] = on
        return power

    def _pump(self, device: Device, spec: HeatPumpSpec, index: int, target_c: float) -> float:
        """The mean power that brings the room to its target, as far as the heat pump can."""
        keep = math.exp(-HOURS / (spec.resistance_k_per_w * spec.capacitance_wh_per_k))
        around = float(self.record.outdoor_c[index]) + GAINS_W * spec.resistance_k_per_w
        free = keep * self.heat_c[device.id] + (1 - keep) * around
        gain = (1 - keep) * spec.resistance_k_per_w * max(0.5, spec.cop)
        power = min(max(0.0, (target_c - free) / gain), spec.max_power_w)
        self.heat_c[device.id] = free + gain * power
        self.heating[device.id] = power > 0.02 * spec.max_power_w
        return power

    def _charge_cars(self, index: int, plan: Plan | None, powers: dict[str, float], base_w: float) -> None:
        left = self.import_limit_w(index) - base_w - sum(powers.values())
        sun = -base_w - sum(powers.values())
        for device in self.setup.of_kind(Role.EV_CHARGER):
            visit = self.visit(device.id, index)
            lack = 0.0 if visit is None else visit.need_wh - self.got_wh.get(device.id, 0.0)
            watts = self._car(device, index, plan, base_w + sum(powers.values()), sun, left) if lack > FULL_WH else 0.0
            watts = min(watts, max(0.0, lack) / HOURS)
            self.got_wh[device.id] = self.got_wh.get(device.id, 0.0) + watts * HOURS
            self.charging[device.id] = watts
            powers[device.id] = watts
            left, sun = left - watts, sun - watts

    def _car(self, device: Device, index: int, plan: Plan | None, net_w: float, sun_w: float, left_w: float) -> float:
        """What the car may draw by the plan and its departure, W: nothing, or at least its minimum."""
        spec, volts = device.spec, self.setup.site.nominal_voltage_v
        if not isinstance(spec, ChargerSpec):
            return 0.0
        per_amp = volts * len(spec.phases)
        share = sun_w if sun_w >= spec.min_current_a * per_amp else 0.0
        now = self.snapshot(index, plan, net_w, {})
        amps = charging_wish(self.setup.site, now, device, share).value
        amps = math.floor(10 * min(amps, max(0.0, left_w) / per_amp)) / 10
        return amps * per_amp if amps >= spec.min_current_a else 0.0

    def _battery(self, device: Device, index: int, plan: Plan | None, powers: dict[str, float], net_w: float) -> float:
        """A battery follows the meter inside the band that the tick gives it."""
        spec = device.spec
        if not isinstance(spec, BatterySpec) or not self.record.is_there(device.id, index):
            return 0.0
        now = self.snapshot(index, plan, net_w, powers)
        wish = battery_wish(self.setup.site, now, device, self.import_limit_w(index) - net_w)
        stored = self.stored_wh[device.id]
        room = (spec.capacity_wh * spec.max_soc_percent / 100 - stored) / spec.charge_efficiency / HOURS
        stock = (stored - self._floor_wh(spec)) * spec.discharge_efficiency / HOURS
        flow = min(max(-net_w, wish.low), wish.value)
        if not spec.grid_charge:
            flow = min(flow, max(0.0, -net_w))
        if not spec.grid_export:
            flow = max(flow, min(0.0, -net_w))
        flow = min(max(flow, -max(0.0, stock)), max(0.0, room))
        self.stored_wh[device.id] = stored + stored_wh(spec, flow, HOURS)
        return flow

    def _floor_wh(self, spec: BatterySpec) -> float:
        least = max(spec.min_soc_percent, self.setup.preferences.battery_reserve_percent)
        return spec.capacity_wh * least / 100

    def _water_floor_c(self, spec: WaterHeaterSpec) -> float:
        return max(self.setup.preferences.water_min_c, spec.min_temperature_c)


def _state(name: str, role: Role, values: Mapping[Quantity, float]) -> DeviceState:
    return DeviceState(name, role, True, 1.0, values)
