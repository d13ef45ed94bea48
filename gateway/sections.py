"""The sections of the site file: every option with its type, unit, default and a sentence."""

from __future__ import annotations

import re
from datetime import time
from itertools import pairwise
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from gateway.model.envelope import Counts, EnvelopeSpec
from gateway.model.site import (
    ApplianceSpec,
    BatterySpec,
    ChargerSpec,
    Circuit,
    HeatPumpSpec,
    PoolPumpSpec,
    Role,
    WaterHeaterSpec,
)


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _time_of_day(value: Any) -> time:
    """Only what says hours and minutes: a lone 8 would be taken for eight seconds, 08:00Z for another place's hour."""
    if isinstance(value, time) and value.tzinfo is None:
        return value
    # YAML 1.1 reads an unquoted 17:00 as the sexagesimal number 1020.
    if isinstance(value, int) and not isinstance(value, bool) and (value == 0 or 60 <= value <= 1440):
        value = f"{value // 60:02d}:{value % 60:02d}"
    if not isinstance(value, str) or not _HH_MM.fullmatch(value):
        raise ValueError('is no time of day; write local time as "HH:MM" in quotes, without a zone')
    return time(0) if value == "24:00" else time.fromisoformat(value)


_HH_MM = re.compile(r"([01]\d|2[0-3]):[0-5]\d|24:00")
TimeOfDay = Annotated[time, BeforeValidator(_time_of_day)]
"""Local wall time, "HH:MM"; "24:00" is the midnight that ends a day."""


class SiteSection(Strict):
    """The home itself."""

    name: str = Field(description="What the owner calls the home")
    timezone: str = Field(description="IANA time zone, e.g. Europe/Brussels")
    latitude: float = Field(ge=-90, le=90, description="Degrees north")
    longitude: float = Field(ge=-180, le=180, description="Degrees east")
    currency: str = Field(default="EUR", pattern="^[A-Z]{3}$", description="ISO 4217 code of the tariff's currency")
    phases: int = Field(default=3, ge=1, le=3, description="Phases of the grid connection")
    main_fuse_a: float = Field(gt=0, le=400, description="Rating of the main fuse per phase, A")
    nominal_voltage_v: float = Field(default=230.0, gt=80, lt=300, description="Voltage of one phase, V")
    import_limit_w: float | None = Field(default=None, ge=0, description="Contracted import limit, W; none by default")
    export_limit_w: float | None = Field(default=None, ge=0, description="Contracted export limit, W; none by default")
    co2_g_per_kwh: float = Field(default=300.0, ge=0, description="Carbon intensity of grid energy, g per kWh")
    sharing: Literal["fair", "priority"] = Field(
        default="fair", description="How cars share what the fuses leave: alike, or by priority and departure"
    )
    tariff: Annotated[str, Field(min_length=1)] | Annotated[
        list[Annotated[str, Field(min_length=1)]], Field(min_length=1, max_length=20)
    ] = Field(
        description="Name of a file in config/tariffs, without .yaml; or a list of them in the order in which they hold, "
        "each but the first with its valid_from"
    )  # fmt: skip
    dr_strategies: str = Field(default="default", description="Name of a file in config/dr, without .yaml")
    shapes_file: str = Field(
        default="", description="Dictionary of load shapes made by hearth train-shapes, beside the site file or by its "
        "whole path; the shipped one by default"
    )  # fmt: skip


Fuse = Annotated[float, Field(gt=0, le=400)]


class CircuitSection(Strict):
    """A branch of the installation with a fuse or a power limit of its own."""

    name: str = Field(default="", description="What people call it; default: its id")
    fuse_a: Fuse | tuple[Fuse, Fuse, Fuse] | None = Field(
        default=None, description="Rating of its fuse, A: one number, or one per phase [L1, L2, L3]; none by default"
    )
    limit_w: float | None = Field(default=None, ge=0, description="Most it may draw in all, W; none by default")
    parent: str = Field(default="", description="The circuit it hangs on; default: directly below the main fuse")
    meter: str = Field(
        default="", description="Id of the sub_meter that measures all of it; default: cars count by their limits"
    )

    def circuit(self, circuit_id: str) -> Circuit:
        """The frozen noun of it."""
        fuse = (self.fuse_a,) * 3 if isinstance(self.fuse_a, float) else self.fuse_a
        return Circuit(circuit_id, self.name or circuit_id, fuse, self.limit_w, self.parent, self.meter)


PowerAtSoc = tuple[Annotated[float, Field(ge=0, le=100)], Annotated[float, Field(ge=0)], Annotated[float, Field(ge=0)]]


class BatterySection(Strict):
    """A battery as the plan sees it."""

    capacity_wh: float = Field(gt=0, description="Usable capacity, Wh")
    max_charge_w: float = Field(gt=0, description="Greatest charging power, W")
    max_discharge_w: float = Field(gt=0, description="Greatest discharging power, W")
    charge_efficiency: float = Field(default=0.95, gt=0.3, le=1, description="Stored over taken")
    discharge_efficiency: float = Field(default=0.95, gt=0.3, le=1, description="Given over taken from store")
    wear_cost_per_kwh: float = Field(default=0.0, ge=0, description="Money lost per kWh discharged, currency units")
    min_soc_percent: float = Field(default=5.0, ge=0, le=100, description="Never discharged below, %")
    max_soc_percent: float = Field(default=100.0, ge=0, le=100, description="Never charged above, %")
    grid_charge: bool = Field(default=True, description="May charge from the grid")
    grid_export: bool = Field(default=False, description="May discharge into the grid")
    follows_meter: bool = Field(
        default=True, description="Keeps the grid at zero by itself inside its band; false: it only takes a power"
    )
    power_by_soc: tuple[PowerAtSoc, ...] = Field(
        default=(),
        max_length=20,
        description="Rows [SoC %, most charging W, most discharging W] where a full, empty or small battery takes or "
        "gives less: linear between rows, flat outside; none by default",
    )

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.min_soc_percent >= self.max_soc_percent:
            raise ValueError("min_soc_percent must be below max_soc_percent")
        if any(low[0] >= high[0] for low, high in pairwise(self.power_by_soc)):
            raise ValueError("power_by_soc: the SoC must rise from row to row")
        if any(row[1] > self.max_charge_w or row[2] > self.max_discharge_w for row in self.power_by_soc):
            raise ValueError("power_by_soc: no row may pass max_charge_w or max_discharge_w")
        for column, most in ((1, "charge"), (2, "discharge")):
            if self.power_by_soc and not any(row[column] > 0 for row in self.power_by_soc):
                raise ValueError(f"power_by_soc: some row must let it {most}")
        return self

    def spec(self) -> BatterySpec:
        """The frozen noun of it."""
        values = self.model_dump()
        wear = values.pop("wear_cost_per_kwh") * 1000.0
        return BatterySpec(**values, wear_cost_micro_per_wh=wear)


class ChargerSection(Strict):
    """One charge point with one connector."""

    phases: tuple[Annotated[int, Field(ge=1, le=3)], ...] = Field(
        default=(1, 2, 3), min_length=1, max_length=3, description="Grid phases it loads, e.g. [1, 2, 3] or [2]"
    )
    min_current_a: float = Field(default=6.0, ge=6, le=32, description="Least current of a charging car, A")
    max_current_a: float = Field(default=16.0, ge=6, le=80, description="Greatest current per phase, A")
    safe_current_a: float = Field(default=6.0, ge=0, le=32, description="Current when nothing is known, A: 0 or >= 6")
    ev_battery_wh: float = Field(default=60_000.0, gt=0, description="Battery of the usual car, Wh")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if len(set(self.phases)) < len(self.phases):
            raise ValueError("phases names a phase twice")
        if self.min_current_a > self.max_current_a:
            raise ValueError("min_current_a must not be above max_current_a")
        if self.safe_current_a and not self.min_current_a <= self.safe_current_a <= self.max_current_a:
            raise ValueError("safe_current_a must be 0, or between min_current_a and max_current_a")
        return self

    def spec(self) -> ChargerSpec:
        """The frozen noun of it."""
        return ChargerSpec(**self.model_dump())


class WaterHeaterSection(Strict):
    """An electric tank on a relay."""

    power_w: float = Field(gt=0, description="Heating element, W")
    volume_l: float = Field(gt=0, description="Tank, litres")
    min_temperature_c: float = Field(default=45.0, ge=5, le=90, description="Least comfortable water, degC")
    max_temperature_c: float = Field(default=65.0, ge=20, le=95, description="The tank's own thermostat, degC")
    loss_w_per_k: float = Field(default=1.5, ge=0, description="Standing loss, W per K over the room")
    phase: int = Field(default=1, ge=1, le=3, description="Grid phase it hangs on")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.min_temperature_c >= self.max_temperature_c:
            raise ValueError("min_temperature_c must be below max_temperature_c")
        return self

    def spec(self) -> WaterHeaterSpec:
        """The frozen noun of it."""
        return WaterHeaterSpec(**self.model_dump())


class HeatPumpSection(Strict):
    """A heat pump heating, and perhaps cooling, one zone."""

    max_power_w: float = Field(gt=0, description="Electric power while running, W")
    cop: float = Field(default=3.0, ge=1, le=8, description="Heat out over power in")
    resistance_k_per_w: float = Field(default=0.006, gt=0, description="K of inside over outside per W of heat")
    capacitance_wh_per_k: float = Field(default=4000.0, gt=0, description="Heat the home holds, Wh per K")
    phase: int = Field(default=1, ge=1, le=3, description="Grid phase it hangs on")
    min_run_s: float = Field(
        default=0.0,
        ge=0,
        le=7200,
        description="A compressor that started runs at least so long, s; 0: looks after itself",
    )
    min_pause_s: float = Field(default=0.0, ge=0, le=7200, description="One that stopped rests at least so long, s")

    cooling_eer: float | None = Field(
        default=None, ge=1, le=12, description="Heat taken out of the room over power in; absent: it cannot cool"
    )
    changes_over: bool = Field(
        default=True,
        description="It goes over between heating and cooling by itself; false: you switch it, each plan has one season",
    )

    def spec(self) -> HeatPumpSpec:
        """The frozen noun of it."""
        return HeatPumpSpec(**self.model_dump())


class PoolPumpSection(Strict):
    """A pool's filter pump on a relay."""

    power_w: float = Field(gt=0, description="Power while running, W")
    hours_per_day: float = Field(default=6.0, ge=0, le=24, description="How long it runs each day, h")
    earliest: TimeOfDay = Field(default=time(0), description='From when each day it may run, local time, e.g. "09:00"')
    latest: TimeOfDay = Field(
        default=time(0), description="By when each day's hours are done; the same as earliest: any time of the day"
    )
    min_run_h: float = Field(default=1.0, ge=0, le=24, description="Least length of one run, h")
    phase: int = Field(default=1, ge=1, le=3, description="Grid phase it hangs on")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        first, last = self.earliest.hour + self.earliest.minute / 60, self.latest.hour + self.latest.minute / 60
        if self.hours_per_day > (last - first if last > first else last + 24 - first) + 1e-6:
            raise ValueError("hours_per_day do not fit between earliest and latest")
        return self

    def spec(self) -> PoolPumpSpec:
        """The frozen noun of it."""
        return PoolPumpSpec(**self.model_dump())


class ApplianceSection(Strict):
    """A machine on a relay that runs one fixed profile when the owner asks for it."""

    profile_w: tuple[Annotated[float, Field(ge=0, le=20_000)], ...] = Field(
        min_length=1,
        max_length=200,
        description="Its mean power in each step from the start, W, e.g. [2000, 100, 1800]",
    )
    step_s: int = Field(default=900, ge=60, le=3600, description="Length of one step, s")
    phase: int = Field(default=1, ge=1, le=3, description="Grid phase it hangs on")

    @model_validator(mode="after")
    def _draws(self) -> Self:
        if max(self.profile_w) <= 0:
            raise ValueError("profile_w must draw something")
        return self

    def spec(self) -> ApplianceSpec:
        """The frozen noun of it."""
        return ApplianceSpec(**self.model_dump())


class EnvelopeSection(Strict):
    """What a grid operator's limit means that a contact or a bridge tells."""

    limit_w: float = Field(
        default=4200.0, ge=0, description="The limit while a contact asks for one without saying how much, W"
    )
    counts: Counts = Field(
        default=Counts.SITE,
        description="What the limit counts: site (all the meter shows) or devices (only the controllable ones)",
    )
    inverted: bool = Field(default=False, description="The contact opens to dim, so that a broken wire dims too")
    heartbeat_s: float = Field(
        default=120.0, ge=5, le=86_400, description="After so long without a sign of life the failsafe holds, s"
    )
    failsafe_w: float | None = Field(
        default=None, ge=0, description="What may be drawn while nobody is heard, W; default: limit_w"
    )
    failsafe_s: float = Field(
        default=7200.0, ge=0, le=7 * 86_400, description="Least length of a failsafe, unless the operator is heard, s"
    )

    def spec(self) -> EnvelopeSpec:
        """The frozen noun of it."""
        values = self.model_dump()
        values["failsafe_w"] = self.limit_w if self.failsafe_w is None else self.failsafe_w
        return EnvelopeSpec(**values)


SPECS: dict[str, tuple[type[Strict], tuple[Role, ...]]] = {
    "battery": (BatterySection, (Role.BATTERY, Role.HYBRID_INVERTER)),
    "charger": (ChargerSection, (Role.EV_CHARGER,)),
    "water_heater": (WaterHeaterSection, (Role.WATER_HEATER,)),
    "heat_pump": (HeatPumpSection, (Role.HEAT_PUMP,)),
    "pool_pump": (PoolPumpSection, (Role.POOL_PUMP,)),
    "appliance": (ApplianceSection, (Role.APPLIANCE,)),
    "envelope": (EnvelopeSection, (Role.GRID_LIMIT,)),
}
PSEUDO_DEVICES = ("house", "solar")
RESERVED_FOR = {"grid": Role.MAIN_METER, "pv": Role.PV}
"""Names that a plan gives to the grid connection and the panels: natural for these devices, wrong for any other."""
"""Names that intervals and plans use for what is no device."""
DEVICE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")
