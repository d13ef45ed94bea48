"""EV charging sessions: one row of the ledger each, with what it cost, where its energy came from and why."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class RegisterRun:
    """A stretch over which the charger's energy register only rose: readings in Wh over [since, until]."""

    first_wh: float
    last_wh: float
    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class EvSession:
    """One charging session; energies in Wh from the charger's own register.

    `transaction` is unique for ever; `transaction_key` is how the charger repeats itself (charger, connector, tag,
    timestamp, meterStart, or its own transaction id), by which a repeated start is recognised. `end` is None while
    it is open. `meter_start_wh` and `meter_last_wh` are of the register's present run; a register that was reset in
    mid-session leaves its former runs in `earlier`.
    """

    transaction: int
    transaction_key: str
    charger: str
    connector: int
    tag: str
    start: datetime
    meter_start_wh: float
    meter_last_wh: float
    end: datetime | None = None
    meter_stop_wh: float | None = None
    stop_reason: str = ""
    their_id: str = ""
    """The charger's own id of it (OCPP 2.x); empty for 1.6, where we give the id."""
    start_told: bool = True
    """False while its start was not told: an update or its end came first, and `start` is the earliest seen."""
    meter_told: bool = True
    """False while the register at its start was not told: `meter_start_wh` is the earliest seen."""
    meter_at: datetime | None = None
    """When the register showed `meter_last_wh`; None before the first sample."""
    earlier: tuple[RegisterRun, ...] = ()
    curve: tuple[tuple[int, float], ...] = ()
    """(seconds since 1970, energy of the session so far in Wh), thinned to the edges of each quarter hour."""
    seen: tuple[tuple[int, int], ...] = ()
    """Sequence numbers heard (OCPP 2.x), as closed ranges; of 1.6 number 0, once its charger has our answer to its start."""
    meter_refused_wh: float | None = None
    """The register that its stop told, Wh, where it cannot be true: the energy is what was seen before, and not sure."""
    meter_doubted: bool = False
    """Whether the charger's rating allows the register of its end and its sampled power does not: it is booked, not sure."""

    @property
    def energy_wh(self) -> float:
        """Energy delivered so far, never negative."""
        last = self.meter_stop_wh if self.meter_stop_wh is not None else self.meter_last_wh
        return self.earlier_wh + max(0.0, last - self.meter_start_wh)

    @property
    def earlier_wh(self) -> float:
        """Energy of the register's former runs, Wh."""
        return sum(run.last_wh - run.first_wh for run in self.earlier)


class ChargeReason(StrEnum):
    """Why a car charged at some time."""

    CHEAP = "cheap"
    PLANNED = "planned"
    GREEN = "green"
    SUN = "sun"
    MINIMUM = "minimum"
    ASKED = "asked"
    READY = "ready"
    EVENT = "event"
    FUSE = "fuse"
    UNPLANNED = "unplanned"
    STOPPING = "stopping"
    ALONE = "alone"


@dataclass(frozen=True, slots=True)
class SessionSlice:
    """A session's energy over the half-open [start, end), Wh >= 0, priced once; prices in micro-units per kWh.

    `solar_wh` and `battery_wh` are parts of `energy_wh`, the rest came from the grid. `measured` tells that the parts
    are of closed interval data. `reasons` are shares of the energy that sum to 1.
    """

    start: datetime
    end: datetime
    energy_wh: float
    solar_wh: float
    battery_wh: float
    import_micro_per_kwh: int
    export_micro_per_kwh: int
    co2_g_per_kwh: float
    measured: bool = False
    reasons: tuple[tuple[ChargeReason, float], ...] = ()


@dataclass(frozen=True, slots=True)
class SessionAccount:
    """What one session's energy cost and whence it came: the sums of its slices.

    `cost_micro` in micro-units of the currency; sun is counted at the export price of its time (what it would have
    earned), all else at the import price. `settled` tells that the session has ended and every slice is measured.
    """

    transaction: int
    energy_wh: float
    solar_wh: float
    battery_wh: float
    cost_micro: int
    co2_g: float
    reasons: tuple[tuple[ChargeReason, float], ...] = ()
    """Energy in Wh by reason, the largest first."""
    slices: tuple[SessionSlice, ...] = ()
    settled: bool = False
    seal: int = 0
    """Checksum of the session's end and curve it was made of: it is made anew when energy comes to be known late."""

    @property
    def grid_wh(self) -> float:
        """What came from the grid, or is of unknown origin, Wh."""
        return max(0.0, self.energy_wh - self.solar_wh - self.battery_wh)

    @property
    def solar_percent(self) -> float | None:
        """Share of the home's own sun, percent; None without energy."""
        return self.solar_wh / self.energy_wh * 100 if self.energy_wh > 0 else None
