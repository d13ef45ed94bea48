"""What a measured day would have cost without Hearth: the stated baseline, told from what was measured.

    baseline's grid = measured grid + (baseline's car - car) + (baseline's heat - heat) + (baseline's battery - battery)

House, sun and all that is not simulated are therefore the measured ones to the last Wh. Heat is told as a difference
too: the same water was drawn and the same heat lost, only the temperature is another one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from gateway.core.planning.following import followed_w, stored_wh
from gateway.core.tariff.bill import Metered, bill_of
from gateway.model.savings import StoredMore
from gateway.model.series import Series
from gateway.model.site import BatterySpec
from gateway.model.tariff import Tariff

Array = NDArray[np.float64]
SLOW_CAR, WORSE_BATTERY, LEAKY = 0.7, 0.03, 1.3
"""How far what is assumed may be wrong: the car's full power, the battery's efficiencies, the loss of heat."""


@dataclass(frozen=True, slots=True)
class MeasuredBattery:
    """A battery over the day: `wh` a quarter hour (charging positive), `soc_wh` in it at the day's start and end."""

    device: str
    spec: BatterySpec
    floor_wh: float
    wh: Array
    start_wh: float
    end_wh: float
    more_wh: float = 0.0
    """What it had more than the baseline's at the day's start, Wh inside."""


@dataclass(frozen=True, slots=True)
class MeasuredHeat:
    """A tank or a heated zone: `wh` a quarter hour, `at_c` at the quarters' edges (one more), `low_c` its least comfort.

    `wh_per_k` is the electricity that warms it by 1 K, `loss_wh_per_k_h` what 1 K more costs in an hour.
    """

    device: str
    wh: Array
    at_c: Array
    low_c: Array
    max_w: float
    wh_per_k: float
    loss_wh_per_k_h: float
    more_k: float = 0.0
    """How much warmer it was than the baseline's at the day's start, K."""


@dataclass(frozen=True, slots=True)
class ChargedSession:
    """One session within the day, [begin, end] s since 1970; energies in Wh, what it really still got.

    `left_wh` from the later of its begin and the day's start on, `after_wh` after the day's end.
    """

    begin: float
    end: float
    left_wh: float
    after_wh: float
    full_w: float


@dataclass(frozen=True, slots=True)
class MeasuredCar:
    """One charger: `wh` a quarter hour, and its sessions in order."""

    device: str
    wh: Array
    sessions: tuple[ChargedSession, ...]
    more_wh: float = 0.0
    """What the car that stood here at the day's start had more than the baseline's, Wh at the charger."""


@dataclass(frozen=True, slots=True)
class MeasuredDay:
    """One local day in quarter hours: `start` s since 1970; `import_wh` and `export_wh` of the main meter, NaN unknown.

    `most_w` is what the connection allows. `price_before` and `price_after` are what a stored Wh counts at the day's
    two midnights, micro-units.
    """

    start: Array
    import_wh: Array
    export_wh: Array
    cars: tuple[MeasuredCar, ...] = ()
    heats: tuple[MeasuredHeat, ...] = ()
    batteries: tuple[MeasuredBattery, ...] = ()
    most_w: float = math.inf
    price_before: float = 0.0
    price_after: float = 0.0
    seconds: float = 900.0


@dataclass(frozen=True, slots=True)
class Baseline:
    """The day without Hearth: the main meter's energies, and what the home has more stored, Wh, before and after."""

    import_wh: Array
    export_wh: Array
    more_before: StoredMore
    more_after: StoredMore
    wear_micro: float = 0.0
    """What the batteries' discharge wears off, micro-units."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """The day's money in micro-units, energies' part and VAT only, and the baseline itself."""

    cost_micro: int
    baseline_micro: int
    settled_micro: int
    uncertain_micro: int
    baseline: Baseline = field(repr=False)
    wear_micro: float = 0.0
    """What the batteries' discharge really wore off, micro-units; no part of the money saved."""

    @property
    def saved_micro(self) -> int:
        """Negative where the day lost."""
        return self.baseline_micro - self.cost_micro + self.settled_micro


def compare(day: MeasuredDay, tariff: Tariff, spot: Series | None = None) -> Comparison:
    """What the day cost beside its baseline, with how far the assumptions move that."""
    found = _compared(day, tariff, spot)
    others = [_compared(other, tariff, spot).saved_micro for other in _doubted(day)]
    spread = math.sqrt(sum((other - found.saved_micro) ** 2 for other in others))
    return replace(found, uncertain_micro=round(spread))


def energy_only(tariff: Tariff) -> Tariff:
    """The tariff's prices of energy alone: fixed parts are the same both ways, peaks and tiers belong to a month."""
    return replace(
        tariff, fixed_micro_per_day=0, fixed_micro_per_month=0, tiers=None, demand=(), contracted=()
    )  # fmt: skip


def baseline(day: MeasuredDay) -> Baseline:
    """The day as it would have been without Hearth."""
    known = ~(np.isnan(day.import_wh) & np.isnan(day.export_wh))
    net = np.nan_to_num(day.import_wh) - np.nan_to_num(day.export_wh)
    before, after, wear = dict[str, float](), dict[str, float](), 0.0
    for battery in day.batteries:
        net = net - battery.wh
    for heat in day.heats:
        wh, kelvin = thermostat(heat, day.seconds / 3600, known)
        net = net + wh - heat.wh
        before[heat.device], after[heat.device] = heat.more_k * heat.wh_per_k, kelvin * heat.wh_per_k
    for car in day.cars:
        room = np.maximum(0.0, day.most_w * day.seconds / 3600 - net + car.wh)
        wh, more = on_arrival(car, day.start, day.seconds, room)
        net = net + wh - car.wh
        before[car.device], after[car.device] = car.more_wh, more
    for battery in day.batteries:
        wh, end = self_consumption(battery, net, day.seconds / 3600, known)
        net, wear = net + wh, wear + worn_micro(battery.spec, wh)
        efficiency = battery.spec.discharge_efficiency
        before[battery.device] = battery.more_wh * efficiency
        after[battery.device] = (battery.end_wh - end) * efficiency
    # What flowed both ways within one quarter hour does so in either home.
    both = np.minimum(np.nan_to_num(day.import_wh), np.nan_to_num(day.export_wh))
    net = np.where(known, net, 0.0)
    return Baseline(
        np.maximum(net, 0.0) + both, np.maximum(-net, 0.0) + both, StoredMore(before), StoredMore(after), wear
    )


def worn_micro(spec: BatterySpec, wh: Array) -> float:
    """What a discharge wears off, micro-units; `wh` charging positive, at the battery's AC side."""
    return float(np.maximum(0.0, -wh).sum()) * spec.wear_cost_micro_per_wh


def on_arrival(car: MeasuredCar, start: Array, seconds: float, room_wh: Array) -> tuple[Array, float]:
    """Every session at full power from its start until it has what it really got: Wh a quarter hour.

    Also what the real car has more at the day's end, Wh. `room_wh` is what the connection leaves.
    """
    wh, more, ahead = np.zeros(len(start)), 0.0, car.more_wh
    for session in car.sessions:
        left = session.left_wh
        if session.begin < start[0]:
            left, ahead = left + ahead, 0.0
        for index, at in enumerate(start):
            shared = min(at + seconds, session.end) - max(at, session.begin)
            if left <= 0 or shared <= 0:
                continue
            # Who really got more than this power could give was faster: the rest comes at the end.
            most = left if session.end <= at + seconds else session.full_w * shared / 3600
            given = min(left, most, max(0.0, room_wh[index] - wh[index]))
            wh[index] += given
            left -= given
        if session.after_wh > 0:
            more += left - session.after_wh
    return wh, more


def thermostat(heat: MeasuredHeat, hours: float, known: NDArray[np.bool_]) -> tuple[Array, float]:
    """A plain thermostat at the least comfort: Wh a quarter hour, and how much warmer the real one is at the end, K."""
    wh, more = np.zeros(len(heat.wh)), heat.more_k
    keep = math.exp(-heat.loss_wh_per_k_h * hours / heat.wh_per_k)
    for index, real in enumerate(heat.wh):
        # The warmer one loses more: the difference fades by itself.
        more *= keep
        if not known[index]:
            wh[index] = real
            continue
        without = heat.at_c[index + 1] - more - real / heat.wh_per_k
        wh[index] = min(max(0.0, (heat.low_c[index] - without) * heat.wh_per_k), heat.max_w * hours)
        more += (real - wh[index]) / heat.wh_per_k
    return wh, more


def self_consumption(
    battery: MeasuredBattery, net_wh: Array, hours: float, known: NDArray[np.bool_]
) -> tuple[Array, float]:
    """The battery in its own mode, following the meter: Wh a quarter hour, and what is in it at the end."""
    spec, inside = battery.spec, battery.start_wh - battery.more_wh
    span = (battery.floor_wh, spec.capacity_wh * spec.max_soc_percent / 100)
    wh = np.zeros(len(net_wh))
    for index, net in enumerate(net_wh):
        if not known[index]:
            continue
        power = followed_w(spec, inside, span, net / hours, net / hours, hours)
        wh[index] = power * hours
        inside += stored_wh(spec, power, hours)
    return wh, inside


def month_rest(
    tariff: Tariff, real: Metered, without: Metered, spot: Series | None = None
) -> tuple[int, int]:  # fmt: skip
    """What peaks and tiers cost over a month's counted quarter hours: (really, in the baseline), micro-units."""
    plain = energy_only(tariff)
    rest = replace(tariff, fixed_micro_per_day=0, fixed_micro_per_month=0, contracted=())
    costs = [bill_of(rest, data, spot).micro - bill_of(plain, data, spot).micro for data in (real, without)]
    return costs[0], costs[1]


def _compared(day: MeasuredDay, tariff: Tariff, spot: Series | None) -> Comparison:
    other = baseline(day)
    plain = energy_only(tariff)
    real, without = (
        bill_of(plain, Metered(day.start, day.start + day.seconds, taken, given), spot).micro
        for taken, given in ((day.import_wh, day.export_wh), (other.import_wh, other.export_wh))
    )
    settled = other.more_after.total_wh * day.price_after - other.more_before.total_wh * day.price_before
    wear = sum(worn_micro(battery.spec, battery.wh) for battery in day.batteries)
    return Comparison(real, without, round(settled), 0, other, wear)


def _doubted(day: MeasuredDay) -> list[MeasuredDay]:
    """The same day with one assumption each moved as far as it may be wrong."""
    found = []
    if any(car.sessions for car in day.cars):
        found.append(replace(day, cars=tuple(replace(c, sessions=_slower(c)) for c in day.cars)))
    if day.batteries:
        found.append(replace(day, batteries=tuple(replace(b, spec=_worse(b.spec)) for b in day.batteries)))
    if day.heats:
        leaky = tuple(replace(h, loss_wh_per_k_h=h.loss_wh_per_k_h * LEAKY) for h in day.heats)
        found.append(replace(day, heats=leaky))
    return found


def _slower(car: MeasuredCar) -> tuple[ChargedSession, ...]:
    return tuple(replace(session, full_w=session.full_w * SLOW_CAR) for session in car.sessions)


def _worse(spec: BatterySpec) -> BatterySpec:
    return replace(
        spec,
        charge_efficiency=spec.charge_efficiency - WORSE_BATTERY,
        discharge_efficiency=spec.discharge_efficiency - WORSE_BATTERY,
    )


def stored_from(day: MeasuredDay, more: Mapping[str, float]) -> MeasuredDay:
    """The same day begun with what the baseline of the day before was apart by, Wh of electricity by device id."""
    return replace(
        day,
        cars=tuple(replace(c, more_wh=more.get(c.device, 0.0)) for c in day.cars),
        heats=tuple(replace(h, more_k=more.get(h.device, 0.0) / h.wh_per_k) for h in day.heats),
        batteries=tuple(
            replace(b, more_wh=more.get(b.device, 0.0) / b.spec.discharge_efficiency) for b in day.batteries
        ),
    )
