"""The page Energy: where a day's energy came from, its intervals, their correction."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from gateway.model.reading import INTERVAL_S, Interval, IntervalQuality
from gateway.model.site import Role
from gateway.runtime.edits import editable
from gateway.runtime.energy import Consumer, EnergyDay, device_name, series_of
from gateway.web.view import HomeView
from gateway.web.words import DASH, watt_hours

MINUTES = (15, 30, 60, 5)
STEP = timedelta(seconds=INTERVAL_S)
STORED = ("battery", "grid")
"""Consumers that are no use in the home: they keep or pass on."""
QUALITY_WORDS = {
    IntervalQuality.VALID: "measured",
    IntervalQuality.ESTIMATED: "estimated",
    IntervalQuality.EDITED: "corrected",
    IntervalQuality.MISSING: "missing",
}
SOURCES = (("sun", "sun"), ("battery", "battery"), ("grid", "grid"), ("unknown", "not known"))


@dataclass(frozen=True, slots=True)
class Part:
    """One source's part of a bar: its colour's key, and its place in percent of the longest bar."""

    key: str
    left: float
    width: float


@dataclass(frozen=True, slots=True)
class Bar:
    """One consumer: its energy, the bar's parts, and the same in words."""

    device: str
    name: str
    energy: str
    share: str
    parts: tuple[Part, ...]
    words: str


@dataclass(frozen=True, slots=True)
class IntervalRow:
    """One interval in words; `mark` is its quality's value, `start` and `end` ISO times for the forms."""

    when: str
    taken: str
    given: str
    mark: str
    quality: str
    method: str
    start: str
    end: str
    edited: bool
    correctable: bool


@dataclass(frozen=True, slots=True)
class Choice:
    """One option of a list: its value, its words, whether it is chosen."""

    value: str
    words: str
    chosen: bool


@dataclass(frozen=True, slots=True)
class Asked:
    """What the address of the page asks for."""

    day: date
    device: str
    minutes: int
    start: str

    def address(self, day: date | None = None) -> str:
        """The page's own address, or that of another day."""
        return f"/energy?day={day or self.day}&device={self.device}&minutes={self.minutes}"


def asked(home: HomeView, day: str, device: str, minutes: str, start: str) -> Asked:
    """The wish in an address; what cannot be read is today, the main meter, 15 minutes."""
    today = home.clock.now().astimezone(home.site.timezone).date()
    try:
        wanted = date.fromisoformat(day)
    except ValueError:
        wanted = today
    known = series_of(home.site)
    meter = next((d.id for d in home.site.of_role(Role.MAIN_METER)), known[0])
    length = int(minutes) if minutes.isdigit() and int(minutes) in MINUTES else MINUTES[0]
    return Asked(min(max(wanted, date(1971, 1, 1)), today), device if device in known else meter, length, start)


def sentence(day: EnergyDay, today: date) -> str:
    """What the home used and where it came from, in one sentence."""
    used = [consumer for consumer in day.consumers if consumer.device not in STORED]
    whole = sum(consumer.energy_wh for consumer in used)
    when = "Today the home has used" if day.day == today else f"On {day.day:%A %d %B %Y} the home used"
    if whole <= 0:
        return f"Nothing is known of {'today' if day.day == today else f'{day.day:%A %d %B %Y}'} yet."
    sums = [sum(parts) for parts in zip(*(_amounts(consumer) for consumer in used), strict=True)]
    parts = [
        f"{energy / whole * 100:.0f}\N{NO-BREAK SPACE}% {'of unknown origin' if key == 'unknown' else f'from the {words}'}"
        for (key, words), energy in zip(SOURCES, sums, strict=True)
        if energy / whole >= 0.005
    ]
    return f"{when} {watt_hours(whole)}: {', '.join(parts)}."


def measured_words(day: EnergyDay) -> str:
    """How far the day was measured: "Main meter: 96 quarter hours, 3 estimated, 1 corrected, 2 missing"."""
    counts = ((day.estimated, "estimated"), (day.edited, "corrected"), (day.missing, "missing"))
    told = [f"{count} {word}" for count, word in counts if count]
    return f"{day.quarters} quarter hours so far, {', '.join(told) if told else 'all measured'}."


def bars(day: EnergyDay) -> list[Bar]:
    """Every consumer as a stacked bar, on one scale."""
    top = max((consumer.energy_wh for consumer in day.consumers), default=0.0) or 1.0
    whole = sum(consumer.energy_wh for consumer in day.consumers) or 1.0
    return [_bar(consumer, top, whole) for consumer in day.consumers]


def _bar(consumer: Consumer, top: float, whole: float) -> Bar:
    parts, words, left = [], [], 0.0
    for (key, name), energy in zip(SOURCES, _amounts(consumer), strict=True):
        if energy >= 0.5:
            width = energy / top * 100
            parts.append(Part(key, round(left, 2), round(width, 2)))
            words.append(f"{name} {watt_hours(energy)}")
            left += width
    share, used = f"{consumer.energy_wh / whole * 100:.0f} %", watt_hours(consumer.energy_wh)

    return Bar(consumer.device, consumer.name, used, share, tuple(parts), " · ".join(words))


def _amounts(consumer: Consumer) -> tuple[float, ...]:
    return consumer.solar_wh, consumer.battery_wh, consumer.grid_wh, consumer.unknown_wh


async def interval_rows(home: HomeView, wish: Asked, day: EnergyDay) -> list[IntervalRow]:
    """The day's intervals of one device."""
    end = min(day.end, home.clock.now())
    rows = await home.resampled(wish.device, day.start, end, wish.minutes * 60) if end > day.start else []
    may = wish.minutes * 60 == INTERVAL_S and wish.device in editable(home.site)
    return [_row(row, home.site.timezone, may) for row in rows]


def _row(row: Interval, zone: ZoneInfo, may_correct: bool) -> IntervalRow:
    return IntervalRow(
        clock_words(row.start, zone),
        exact(row.import_wh),
        exact(row.export_wh),
        row.quality.value,
        QUALITY_WORDS[row.quality],
        row.method,
        row.start.isoformat(),
        row.end.isoformat(),
        row.quality is IntervalQuality.EDITED and may_correct,
        may_correct,
    )


def clock_words(when: datetime, zone: ZoneInfo) -> str:
    """Local wall time; the hour that comes twice is told apart: "02:15 again"."""
    local = when.astimezone(zone)
    return f"{local:%H:%M}{' again' if local.fold else ''}"


def exact(energy_wh: float | None) -> str:
    """An interval's energy in Wh; small ones with a decimal."""
    if energy_wh is None:
        return DASH
    return f"{energy_wh:.1f} Wh" if 0 < energy_wh < 100 else f"{energy_wh:.0f} Wh"


def devices(home: HomeView, wish: Asked) -> list[Choice]:
    """Every series of interval data to choose from."""
    return [Choice(name, device_name(home.site, name), name == wish.device) for name in series_of(home.site)]


def edges(home: HomeView, wish: Asked, day: EnergyDay) -> tuple[list[Choice], list[Choice]]:
    """Where a correction may start and end: every quarter hour of the day that has passed, in local words."""
    zone, last = home.site.timezone, min(day.end, home.clock.now())
    count = int((last - day.start) / STEP)
    starts = [day.start + STEP * index for index in range(count)]
    chosen = next((i for i, start in enumerate(starts) if start.isoformat() == wish.start), 0)
    first = [Choice(s.isoformat(), clock_words(s, zone), i == chosen) for i, s in enumerate(starts)]
    ends = [start + STEP for start in starts]
    words = ["24:00" if end == day.end else clock_words(end, zone) for end in ends]
    after = [Choice(e.isoformat(), w, i == chosen) for i, (e, w) in enumerate(zip(ends, words, strict=True))]
    return first, after


def downloads(wish: Asked, day: EnergyDay) -> list[tuple[str, str]]:
    """Addresses of the files to keep: (words, address)."""
    year = max(day.end - timedelta(days=365), datetime(1971, 1, 1, tzinfo=UTC))
    spans = (("This day", day.start, wish.minutes * 60), ("A year", year, INTERVAL_S))
    return [
        (
            f"{words}: {name}",
            f"/api/v1/intervals.{kind}?device={wish.device}&start={_utc(start)}&end={_utc(day.end)}&resolution_s={length}",
        )
        for words, start, length in spans
        for kind, name in (("csv", "CSV"), ("xml", "Green Button"))
    ]


def _utc(when: datetime) -> str:
    return f"{when.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
