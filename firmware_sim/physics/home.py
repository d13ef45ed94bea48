"""All physics of the home in one place: at every step the grid is the sum of all parts."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any

from firmware_sim.physics.car import LOCAL, PHASES, Car
from firmware_sim.physics.grid import Grid
from firmware_sim.physics.inverter import Battery, HybridInverter, Orders
from firmware_sim.physics.machines import Dishwasher, PoolPump
from firmware_sim.physics.pv import dc_available_w
from firmware_sim.physics.replay import Phases, Replay
from firmware_sim.physics.room import Room
from firmware_sim.physics.tank import Tank, tapped_l_per_h

LONGEST_STEP_S, SHORT_STEP_S = 60.0, 0.5
L1, L2, L3 = 0, 1, 2


@dataclass
class Energies:
    """Wh since the start, all >= 0 unless named a change."""

    house_wh: float = 0.0
    pv_dc_wh: float = 0.0
    battery_in_wh: float = 0.0
    battery_out_wh: float = 0.0
    inverter_export_wh: float = 0.0
    inverter_import_wh: float = 0.0
    inverter_loss_wh: float = 0.0
    battery_loss_wh: float = 0.0
    ev_wh: float = 0.0
    ev_loss_wh: float = 0.0
    driven_wh: float = 0.0
    tank_wh: float = 0.0
    tank_drawn_wh: float = 0.0
    tank_loss_wh: float = 0.0
    hp_wh: float = 0.0
    hp_ambient_wh: float = 0.0
    pool_wh: float = 0.0
    dishwasher_wh: float = 0.0
    room_gain_wh: float = 0.0
    room_loss_wh: float = 0.0


class Home:
    """The physical home; `advance(now)` integrates from where it stood in steps of at most 60 s."""

    def __init__(
        self, start: datetime, seed: int, replay: Replay, *, left_on_w: float = 0.0, cools: bool = False
    ) -> None:
        dice = random.Random(f"{seed} counters")
        self.now, self.seed = start, seed
        self.extra_w: Phases = (left_on_w, 0.0, 0.0)
        self.grid = Grid(float(dice.randint(4_000_000, 9_000_000)), float(dice.randint(2_000_000, 6_000_000)))
        self.inverter = HybridInverter(Battery())
        self.tank, self.room, self.car = Tank(), Room(cools=cools), Car(seed)
        self.pool, self.dishwasher = PoolPump(), Dishwasher()
        self.energy = Energies()
        self.replay = replay
        self._lifetime = {
            key: float(dice.randint(1_000_000, 5_000_000))
            for key in ("pv", "in", "out", "export", "tank", "hp", "ev", "pool", "dishwasher")
        }
        self.car.live(start)
        self._start = (self.grid.import_wh, self.grid.export_wh, self._stored())
        self._house: Phases = (0.0, 0.0, 0.0)
        self._sky = (0.0, 0.0)
        self._loads = (0.0, 0.0, 0.0)
        self._machines = (0.0, 0.0)
        self._ev_amps = 0.0
        self._flow = (0.0, 0.0, 0.0)
        self._step(1e-3)

    def advance(self, until: datetime) -> None:
        """Integrate to `until` exactly; a time that lies before is ignored (a clock set back)."""
        while self.now < until:
            self._step(min((until - self.now).total_seconds(), self._longest_step_s()))

    def set(self, values: dict[str, Any]) -> None:
        """Obey the wishes of the devices' firmware; unknown keys raise KeyError, wrong values ValueError."""
        for key, value in values.items():
            if not math.isfinite(value):
                raise ValueError(f"{key} must be a number, not {value}")
            if key == "ev_offer_a":
                self.car.offer(float(value), self.now)
            elif key == "relay_on":
                self.tank.relay_on = bool(value)
            elif key == "pool_on":
                self.pool.relay_on = bool(value)
            elif key == "pool_rated_w":
                self.pool.rated_w = float(value)
            elif key == "dishwasher_on":
                self.dishwasher.plug(closed=bool(value))
            elif key == "hp_target_c":
                self.room.target_c = float(value)
            else:
                name, kind = _ORDERS[key]
                setattr(self.inverter.orders, name, kind(value))

    def free_inverter(self) -> None:
        """Nobody commands the inverter: plain self-consumption."""
        self.inverter.orders = Orders()

    def state(self) -> dict[str, Any]:
        """The state line of the hub: production negative, charging positive, Wh counters."""
        flow_pv, flow_battery, flow_ac = self._flow
        tank_w, hp_w, ev_w = self._loads
        life, energy, battery = self._lifetime, self.energy, self.inverter.battery
        return {
            "t": self.now.isoformat(),
            "irradiance_w_m2": self._sky[0],
            "outdoor_c": self._sky[1],
            "grid_w": self.grid.power_w,
            "voltage_v": self.grid.voltage_v,
            "current_a": self.grid.current_a,
            "grid_import_wh": self.grid.import_wh,
            "grid_export_wh": self.grid.export_wh,
            "grid_phase_import_wh": self.grid.phase_import_wh,
            "grid_phase_export_wh": self.grid.phase_export_wh,
            "house_w": list(self._house),
            "pv_w": -flow_pv,
            "inverter_w": [flow_ac / 3] * 3,
            "battery_w": flow_battery,
            "soc_percent": battery.soc_percent,
            "pv_energy_wh": life["pv"] + energy.pv_dc_wh,
            "battery_charged_wh": life["in"] + energy.battery_in_wh,
            "battery_discharged_wh": life["out"] + energy.battery_out_wh,
            "inverter_export_wh": life["export"] + energy.inverter_export_wh,
            "inverter_import_wh": energy.inverter_import_wh,
            "relay_on": self.tank.relay_on,
            "tank_c": self.tank.temperature_c,
            "tank_w": tank_w,
            "tank_energy_wh": life["tank"] + energy.tank_wh,
            "pool_on": self.pool.relay_on,
            "pool_w": self._machines[0],
            "pool_energy_wh": life["pool"] + energy.pool_wh,
            "dishwasher_on": self.dishwasher.relay_on,
            "dishwasher_w": self._machines[1],
            "dishwasher_energy_wh": life["dishwasher"] + energy.dishwasher_wh,
            "hp_target_c": self.room.target_c,
            "room_c": self.room.temperature_c,
            "hp_w": hp_w,
            "hp_energy_wh": life["hp"] + energy.hp_wh,
            "ev": {
                "plugged": self.car.plugged,
                "soc_percent": self.car.soc_percent,
                "battery_wh": self.car.battery_wh,
                "max_current_a": 16.0,
                "phases": PHASES,
                "current_a": [self._ev_amps] * 3,
                "power_w": ev_w,
                "energy_wh": life["ev"] + energy.ev_wh,
            },
        }

    def report(self) -> dict[str, Any]:
        """Energies since the start and the peaks per phase, for tests."""
        first_import, first_export, stored = self._start
        now = self._stored()
        energies = {field.name: getattr(self.energy, field.name) for field in fields(Energies)}
        return energies | {
            "t": self.now.isoformat(),
            "grid_import_wh": self.grid.import_wh - first_import,
            "grid_export_wh": self.grid.export_wh - first_export,
            "losses_wh": self.energy.inverter_loss_wh + self.energy.battery_loss_wh,
            "stored_wh": {part: now[part] - stored[part] for part in now},
            "highest_a": self.grid.highest_a,
            "longest_s_above_a": {str(limit): runs for limit, runs in self.grid.longest_s.items()},
        }

    def _longest_step_s(self) -> float:
        """To the next full minute at most, where load and sun change; short while the car changes its current."""
        to_minute = LONGEST_STEP_S - self.now.second - self.now.microsecond / 1e6
        return min(to_minute, SHORT_STEP_S) if self.car.moving else to_minute

    def _step(self, dt_s: float) -> None:
        self.energy.driven_wh += self.car.live(self.now)
        self._sky = (self.replay.irradiance_w_m2(self.now), self.replay.outdoor_c(self.now))
        load, extra = self.replay.load_w(self.now), self.extra_w
        self._house = (load[L1] + extra[L1], load[L2] + extra[L2], load[L3] + extra[L3])
        ev = self._ev_phases(dt_s)
        tank_w, hp_w = self.tank.power_w(), self.room.power_w()
        self._loads = (tank_w, hp_w, sum(ev))
        parts = [self._house[phase] + ev[phase] for phase in (L1, L2, L3)]
        self._machines = pool_w, dishwasher_w = self.pool.power_w(), self.dishwasher.power_w()
        parts[L1] += pool_w
        parts[L2] += tank_w + dishwasher_w
        parts[L3] += hp_w
        flow, cells_lost_wh = self.inverter.step(dc_available_w(*self._sky), sum(parts), dt_s)
        self._flow = (flow.pv_w, flow.battery_w, flow.ac_w)
        self.grid.step([part + flow.ac_w / 3 for part in parts], dt_s)
        self._account(dt_s, flow.loss_w, cells_lost_wh)
        self.now += timedelta(seconds=dt_s)

    def _ev_phases(self, dt_s: float) -> list[float]:
        self.car.drive_current(self.now, dt_s)
        per_phase = [self.car.current_a * volts for volts in self.grid.voltage_v]
        most = self.car.most_w(dt_s)
        share = min(1.0, most / sum(per_phase)) if sum(per_phase) > 0 else 1.0
        self._ev_amps = self.car.current_a * share
        return [power * share for power in per_phase]

    def _account(self, dt_s: float, inverter_loss_w: float, cells_lost_wh: float) -> None:
        hours, energy = dt_s / 3600, self.energy
        (pv_w, battery_w, ac_w), (tank_w, hp_w, ev_w) = self._flow, self._loads
        energy.house_wh += sum(self._house) * hours
        energy.pv_dc_wh += pv_w * hours
        energy.battery_in_wh += max(battery_w, 0.0) * hours
        energy.battery_out_wh += max(-battery_w, 0.0) * hours
        energy.inverter_export_wh += max(-ac_w, 0.0) * hours
        energy.inverter_import_wh += max(ac_w, 0.0) * hours
        energy.inverter_loss_wh += inverter_loss_w * hours
        energy.battery_loss_wh += cells_lost_wh
        energy.ev_wh += ev_w * hours
        energy.ev_loss_wh += self.car.charge(ev_w, dt_s)
        energy.tank_wh += tank_w * hours
        energy.hp_wh += hp_w * hours
        energy.pool_wh += self._machines[0] * hours
        energy.dishwasher_wh += self._machines[1] * hours
        self.dishwasher.step(dt_s)
        energy.hp_ambient_wh += hp_w * (self.room.heat_per_w - 1) * hours
        drawn, lost = self.tank.step(tank_w, tapped_l_per_h(self.seed, self.now.astimezone(LOCAL)), dt_s)
        gains, leaked = self.room.step(hp_w, self._sky[0], self._sky[1], dt_s)
        energy.tank_drawn_wh, energy.tank_loss_wh = energy.tank_drawn_wh + drawn, energy.tank_loss_wh + lost
        energy.room_gain_wh, energy.room_loss_wh = energy.room_gain_wh + gains, energy.room_loss_wh + leaked

    def _stored(self) -> dict[str, float]:
        return {
            "battery": self.inverter.battery.stored_wh,
            "tank": self.tank.stored_wh,
            "room": self.room.stored_wh,
            "ev": self.car.stored_wh,
        }


_ORDERS: dict[str, tuple[str, type[float] | type[bool]]] = {
    "battery_low_w": ("low_w", float),
    "battery_high_w": ("high_w", float),
    "pv_limit_percent": ("pv_limit_percent", float),
    "battery_reserve_percent": ("reserve_percent", float),
    "grid_charge": ("grid_charge", bool),
}
