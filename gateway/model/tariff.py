"""Tariffs as data: what a kWh, a peak and a month cost, when."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, time
from enum import StrEnum
from zoneinfo import ZoneInfo

HOLIDAY = 7
"""The weekday number of a public holiday, after Sunday (6)."""


@dataclass(frozen=True, slots=True)
class Window:
    """Some local hours of some weekdays of some months; the default holds always.

    `start` = `end` means the whole day; `start` > `end` passes midnight and belongs to the day it begins on. Empty
    weekdays (0 = Monday, 7 = a holiday of the tariff) or months (1-12) mean all of them; `season` names one of the
    tariff's seasons.
    """

    start: time = time(0)
    end: time = time(0)
    weekdays: frozenset[int] = frozenset()
    months: frozenset[int] = frozenset()
    season: str = ""


@dataclass(frozen=True, slots=True)
class Rate:
    """A price for some local hours of some weekdays of some months.

    `import_micro_per_kwh` and `export_micro_per_kwh` are micro-units of the currency per kWh, taxes included unless
    the tariff states a VAT; a negative import price pays the consumer. Where the factors are not zero, the spot price
    times the factor is added; `spot_typical_micro_per_kwh` stands in where nobody tells the spot price. `start` =
    `end` means the whole day; `start` > `end` passes midnight. Empty weekdays (0 = Monday, 7 = holiday) or months
    (1-12) mean all of them; `season` names one of the tariff's seasons.
    """

    name: str
    import_micro_per_kwh: int
    export_micro_per_kwh: int
    start: time = time(0)
    end: time = time(0)
    weekdays: frozenset[int] = frozenset()
    months: frozenset[int] = frozenset()
    season: str = ""
    spot_factor: float = 0.0
    export_spot_factor: float = 0.0
    spot_typical_micro_per_kwh: int = 0


@dataclass(frozen=True, slots=True)
class Season:
    """Local days from `first` to `last`, both (month, day) and included; `first` after `last` passes New Year."""

    name: str
    first: tuple[int, int]
    last: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Holiday:
    """A day that counts as a holiday: one `day`, or each year on (month, day), or `easter` days after Easter Sunday."""

    day: date | None = None
    yearly: tuple[int, int] | None = None
    easter: int | None = None


class Period(StrEnum):
    """Over what energy or a peak is counted, in local time."""

    DAY = "day"
    MONTH = "month"


@dataclass(frozen=True, slots=True)
class TierStep:
    """Up to `up_to_wh` of the period's import a kWh costs `add_micro_per_kwh` more; None: all that is above."""

    up_to_wh: float | None
    add_micro_per_kwh: int


@dataclass(frozen=True, slots=True)
class Tiers:
    """What is added to the price of imported energy by how much was imported in the period so far.

    With `per_day` the steps' energies are per day and are multiplied by the days of the period.
    """

    period: Period
    steps: tuple[TierStep, ...]
    per_day: bool = False


@dataclass(frozen=True, slots=True)
class PeakStep:
    """A month whose peak is at most `up_to_w` costs `micro_per_month`; None: all above."""

    up_to_w: float | None
    micro_per_month: int


@dataclass(frozen=True, slots=True)
class DemandCharge:
    """What a month's peak import costs.

    The peak is the highest mean import over one clock-aligned window of `window_s` inside `when`; with `mean_of` > 1
    the mean of that many highest, each of another local day. At least `least_w` is billed. Either a price per kW and
    month, or steps.
    """

    name: str
    micro_per_kw_month: int = 0
    steps: tuple[PeakStep, ...] = ()
    when: Window = Window()
    window_s: int = 900
    mean_of: int = 1
    least_w: float = 0.0


@dataclass(frozen=True, slots=True)
class Contracted:
    """Power that was contracted for a window: import above it is not allowed; it costs per kW and day."""

    name: str
    power_w: float
    micro_per_kw_day: int = 0
    when: Window = Window()


@dataclass(frozen=True, slots=True)
class Tariff:
    """Rates tried in order, the first that fits an instant holds; the last must fit always."""

    id: str
    name: str
    currency: str
    timezone: ZoneInfo
    rates: tuple[Rate, ...]
    fixed_micro_per_day: int = 0
    source: str = ""
    """Where the figures come from, with their date."""
    fixed_micro_per_month: int = 0
    vat_percent: float = 0.0
    """Added to everything that is paid (energy bought, fixed parts, demand), not to what export earns."""
    seasons: tuple[Season, ...] = ()
    holidays: tuple[Holiday, ...] = ()
    tiers: Tiers | None = None
    demand: tuple[DemandCharge, ...] = ()
    contracted: tuple[Contracted, ...] = ()
    valid_from: date | None = None
    """The first local day on which it holds; None: ever since."""
    others: tuple[Tariff, ...] = ()
    """The home's other tariffs, which hold on other days; none of them has others itself."""

    @property
    def versions(self) -> tuple[Tariff, ...]:
        """All tariffs of the home, each alone, in the order in which they begin."""
        alone = (*self.others, replace(self, others=()) if self.others else self)
        return tuple(sorted(alone, key=lambda each: each.valid_from or date.min))

    def on(self, day: date) -> Tariff:
        """The tariff in force on a local day, alone; before the first begins that one holds."""
        if not self.others:
            return self
        versions = self.versions
        begun = [each for each in versions if each.valid_from is None or each.valid_from <= day]
        return begun[-1] if begun else versions[0]

    def at(self, when: datetime) -> Tariff:
        """The same tariffs with the one in force at an instant on the face: its own fields are those of that time."""
        if not self.others:
            return self
        held = self.on(when.astimezone(self.timezone).date())
        return replace(held, others=tuple(each for each in self.versions if each != held))

    @property
    def needs_spot(self) -> bool:
        """Whether some price of it, or of the home's other tariffs, follows the spot price."""
        return any(r.spot_factor or r.export_spot_factor for each in (self, *self.others) for r in each.rates)


@dataclass(frozen=True, slots=True)
class ToDate:
    """What the running periods hold so far: import, Wh, and each demand charge's highest peaks, W, one a local day.

    The planner needs it, because what a peak costs depends on those that were there already.
    """

    tier_wh: float = 0.0
    peaks_w: tuple[tuple[str, tuple[float, ...]], ...] = ()
    """Demand charge's name -> the highest daily peaks so far, highest first, at most `mean_of`."""
    day: date | None = None
    """The local day that runs."""
    today_w: tuple[tuple[str, float], ...] = ()
    """Demand charge's name -> the peak of `day` so far; where it is high enough it is one of `peaks_w`."""

    def peaks(self, name: str) -> tuple[float, ...]:
        """The peaks so far of one demand charge, W."""
        return next((peaks for known, peaks in self.peaks_w if known == name), ())

    def today(self, name: str, day: date) -> float:
        """The peak so far of one demand charge on a local day that runs, W; 0 when none is known of it."""
        return next((peak for known, peak in self.today_w if known == name and day == self.day), 0.0)


class BillKind(StrEnum):
    """What a line of a bill is for."""

    IMPORT = "import"
    EXPORT = "export"
    TIER = "tier"
    DEMAND = "demand"
    CONTRACTED = "contracted"
    FIXED = "fixed"
    VAT = "vat"


@dataclass(frozen=True, slots=True)
class BillLine:
    """One line of a bill: money in micro-units without VAT (what is paid positive, what is earned negative).

    `wh` is the energy of lines about energy (>= 0). Lines about a peak carry its `month` (first day), the billed mean
    power `peak_w` and the start of the highest window `peak_at`, None where nothing was imported inside.
    """

    kind: BillKind
    name: str
    micro: int
    wh: float = 0.0
    days: int = 0
    month: date | None = None
    peak_w: float | None = None
    peak_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Bill:
    """What metered intervals cost; `missing_s` is the time without data, which is billed no energy."""

    lines: tuple[BillLine, ...]
    import_wh: float
    export_wh: float
    missing_s: int = 0
    days: int = 0
    """Local days touched."""

    @property
    def micro(self) -> int:
        """All that is to be paid, VAT included; micro-units, negative where more is earned."""
        return sum(line.micro for line in self.lines)

    @property
    def fixed_micro(self) -> int:
        """The fixed parts without VAT, micro-units."""
        return self.of(BillKind.FIXED)

    def of(self, kind: BillKind) -> int:
        """The sum of the lines of one kind, micro-units without VAT."""
        return sum(line.micro for line in self.lines if line.kind is kind)
