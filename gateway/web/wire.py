"""The API's shapes: what goes out, and (forbidding extras, with bounds) what comes in."""

from __future__ import annotations

from datetime import date, datetime, time
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

Name = Annotated[str, Field(min_length=1, max_length=100)]


def _within_calendar(when: datetime) -> datetime:
    """Far from both ends of the calendar, where a zone or a day more would lead out of it."""
    if not 1970 <= when.year <= 2200:
        raise ValueError("must lie between the years 1970 and 2200")
    return when


Instant = Annotated[AwareDatetime, AfterValidator(_within_calendar)]
"""An aware time of the years in which there is data."""


class Out(BaseModel):
    """Something that goes out; powers in W with the one sign rule (consumption positive)."""

    model_config = ConfigDict(from_attributes=True)


class In(BaseModel):
    """Something that comes in."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class ValueOut(Out):
    value: float
    unit: str


class RuleCountOut(Out):
    """How often a validation rule spoke about a device today, when last, and in which words."""

    rule: str
    count: int
    last: datetime
    words: str


class DeviceOut(Out):
    """A configured device; `values` are fresh and valid only, `reason` says why it is not online.

    `doubts` says by quantity why its last reading was not believed, `vee` how often which rule spoke today, `warning`
    why it is slow.
    """

    id: str
    name: str
    role: str
    online: bool
    age_s: float | None
    values: dict[str, ValueOut]
    reason: str
    doubts: dict[str, str]
    vee: list[RuleCountOut]
    profile: str
    warning: str


class SetpointOut(Out):
    kind: str
    value: float
    low: float
    until: datetime
    authority: int
    authority_words: str
    reason: str
    source: str


class NextChangeOut(Out):
    at: datetime
    text: str
    device: str
    saves_micro: int | None
    saves_co2_g: float | None
    refuse: str


class StateOut(Out):
    """The home now. `price_micro_per_kwh` in micro-units of `currency`."""

    home_time: datetime
    timezone: str
    tick_s: float
    speed: float
    simulated: bool
    headline: str
    grid_w: float | None
    pv_w: float | None
    battery_w: float | None
    house_w: float | None
    car_w: float | None
    heat_w: float | None
    soc_percent: float | None
    currency: str
    price_micro_per_kwh: int | None
    export_price_micro_per_kwh: int | None
    rate: str
    co2_g_per_kwh: float
    next_change: NextChangeOut | None
    devices: dict[str, DeviceOut]
    setpoints: dict[str, SetpointOut]


class RollupOut(Out):
    """One minute of one series."""

    start: datetime
    mean: float
    low: float
    high: float
    last: float
    count: int
    suspect: int


class ReadingsOut(Out):
    device: str
    quantity: str
    unit: str
    rollups: list[RollupOut]


class IntervalOut(Out):
    """Amounts of one interval, Wh; None when missing."""

    start: datetime
    duration_s: int
    import_wh: float | None
    export_wh: float | None
    quality: str
    method: str


class IntervalsOut(Out):
    device: str
    intervals: list[IntervalOut]


class SlotOut(Out):
    start: datetime
    duration_s: int
    power_w: dict[str, float]
    soc_percent: float | None
    tank_c: float | None
    room_c: float | None
    import_price_micro_per_kwh: int
    export_price_micro_per_kwh: int


class BlockOut(Out):
    device: str
    kind: str
    start: datetime
    end: datetime
    power_w: float
    energy_wh: float
    reason: str
    alternative: str
    alternative_cost_micro: int | None
    alternative_co2_g: float | None
    priced_at: datetime | None = None
    """When the plan was made to which the cost of the alternative belongs."""
    cools: bool = False
    """Of a heat pump: it cools."""


class PlanOut(Out):
    made_at: datetime
    cause: str
    method: str
    cost_micro: int
    reference_cost_micro: int
    co2_g: float
    solve_ms: float
    relaxed: list[str]
    slots: list[SlotOut]
    blocks: list[BlockOut]


class ChargerOut(Out):
    """What is known of one charge point; currents in A per phase.

    `vehicle` is the name of the household's car that stands there; it needs `needed_wh` at the charger by `departure`,
    which may be its own word.
    """

    id: str
    name: str
    phase: str
    connected: bool
    transaction: str
    session_start: datetime | None
    session_wh: float
    power_w: float | None
    current_a: list[float | None]
    offered_a: float | None
    soc_percent: float | None
    accepted_limit_a: float | None
    accepted_at: datetime | None
    meter_age_s: float | None
    rung: str
    model: str
    mode: str
    ready_by: time
    target_wh: float
    reason: str
    vehicle: str = ""
    guest: bool = False
    departure: datetime | None = None
    needed_wh: float | None = None


class ForecastOut(Out):
    """Mean and 10/90 % quantiles per slot, W."""

    name: str
    start: datetime
    step_s: int
    unit: str
    method: str
    mean: list[float]
    low: list[float]
    high: list[float]


class ForecastAccuracyOut(Out):
    """How well one local day was foretold at its midnight; `bias_w` is positive where too much was forecast.

    `coverage` is the share of the quarter hours inside the 80 % band, `skill` is 1 - RMSE / RMSE of "as a week before",
    `came_w` the mean that was measured.
    """

    day: date
    name: str
    quarters: int
    mae_w: float
    rmse_w: float
    bias_w: float
    coverage: float
    skill: float | None
    came_w: float


class QuantilesOut(Out):
    """The 10, 50 and 90 % quantile."""

    low: float
    mid: float
    high: float


class EvDayOut(Out):
    """A car's working day or weekend day: hours of the local clock (a later quantile that is smaller lies after midnight).

    `arrives` is the chance that a car is plugged in at all on such a day, `energy_wh` what a stay took.
    """

    arrives: float
    arrival_h: QuantilesOut
    departure_h: QuantilesOut
    energy_wh: QuantilesOut


class EvForecastOut(Out):
    """The cars at one charger; `why` says what is missing while nothing is learned, and the rest is then empty.

    `plugged` are the chances, 0-1, of being plugged in, by hour from `start`: of the habit alone, whatever the car does now.
    """

    charger: str
    name: str
    start: datetime
    step_s: int = 3600
    plugged: list[float] = []
    workday: EvDayOut | None = None
    weekend: EvDayOut | None = None
    stays: int = 0
    days: int = 0
    method: str = ""
    why: str = ""


class OccupancyOut(Out):
    """The chance, 0-1, that somebody is at home, by hour from `start`: an estimate from the load, which sees no person.

    An hour counts as lived in above `active_above_w`; `base_w` is the home's own base level. `why` says what is missing
    while nothing is learned, and the rest is then empty.
    """

    start: datetime
    step_s: int = 3600
    home: list[float] = []
    base_w: float | None = None
    active_above_w: float | None = None
    days: int = 0
    method: str = ""
    why: str = ""


class ForecastsOut(Out):
    load: ForecastOut | None
    solar: ForecastOut | None


class NotificationOut(Out):
    time: datetime
    cause: str
    level: str
    text: str
    ended: datetime | None


class AuditOut(Out):
    time: datetime
    step: str
    subject: str
    text: str
    authority: int
    source: str


class SaidOut(Out):
    """What will happen now, in one sentence."""

    text: str


class OverrideIn(In):
    """The owner's word about one device; "auto" ends a running override."""

    device: Name
    action: Literal["run", "pause", "auto"]
    minutes: float = Field(120, ge=1, le=1440)
    event: str = Field("", max_length=200)


class OptIn(In):
    choice: Literal["join", "skip"]
