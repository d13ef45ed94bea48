"""What the utilities tell of the next 48 hours as a drawing: levels, prices, carbon and limits, a lane each.

```
 Level      |    [ 2 ]      |            height is the value over the lane's greatest
 Price      |__|--|____|-|__|            (limits: the lower, the tighter)
            now            +48 h
```
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway.model.dr import Signal
from gateway.web.dr import ask_words
from gateway.web.dr_view import DrHome
from gateway.web.words import span

AHEAD = timedelta(hours=48)
LANE = 40.0
"""Height of the tallest bar, px."""
LEAST = 6.0
LEAST_WIDE, NARROW = 4, 1.5
"""So many px wide is any bar; up to so many percent it may be less on a telephone."""
LANES = (
    ("SIMPLE", "Level", "grid"),
    ("IMPORT_CAPACITY_LIMIT", "Draw at most", "accent"),
    ("EXPORT_CAPACITY_LIMIT", "Feed in at most", "sun"),
    ("PRICE", "Price", "price"),
    ("EXPORT_PRICE", "Feed-in price", "sun"),
    ("GHG", "Carbon", "house"),
)


@dataclass(frozen=True, slots=True)
class Bar:
    """One value: left and width in percent, top and height in px, and what it says."""

    left: float
    width: float
    top: float
    height: float
    words: str
    alone: bool
    """Nothing of its kind follows at once: what is drawn wider covers nothing."""

    @property
    def widths(self) -> tuple[str, ...]:
        """Widths of what is drawn for it, one over the other: what is short and alone is LEAST_WIDE px wide on any screen."""
        share = f"{self.width:.2f}%"
        return (share, str(LEAST_WIDE)) if self.alone and self.width < NARROW else (share,)


@dataclass(frozen=True, slots=True)
class Lane:
    """One kind of signal; `reach` is its least and greatest value in figures."""

    name: str
    colour: str
    reach: str
    bars: tuple[Bar, ...]


def lanes(home: DrHome) -> list[Lane]:
    """Every kind that is told something of in the next 48 hours, what asks first."""
    found = []
    for kind, name, colour in LANES:
        mine = [(signal, value) for signal in home.timeline().signals if (value := _value(signal, kind)) is not None]
        mine = [(s, v) for s, v in mine if _edges(s, home.clock.now()) is not None]
        if mine:
            found.append(_lane(home, name, colour, mine))
    return found


def hours(home: DrHome) -> list[tuple[float, str]]:
    """Local hours along the 48: (percent of the width, words); a day begins with its name."""
    now, zone = home.clock.now(), home.site.timezone
    first = now.replace(minute=0, second=0, microsecond=0)
    each = [first + timedelta(hours=i) for i in range(1, 49)]
    marked = [hour for hour in each if hour.astimezone(zone).hour % 12 == 0]
    return [((hour - now) / AHEAD * 100, _hour_words(hour.astimezone(zone))) for hour in marked]


def _hour_words(local: datetime) -> str:
    return f"{local:%a}" if local.hour == 0 else f"{local:%H:%M}"


def _lane(home: DrHome, name: str, colour: str, mine: list[tuple[Signal, float]]) -> Lane:
    ordered = sorted(mine, key=lambda item: item[1])
    low, high = _short(*ordered[0]), _short(*ordered[-1])
    most = max(abs(value) for _, value in mine) or 1.0
    starts = {signal.start for signal, _ in mine}
    bars = [bar for s, value in mine if (bar := _bar(home, s, value, most, s.end not in starts)) is not None]
    return Lane(name, colour, low if low == high else f"{low} to {high}", tuple(bars))


def _bar(home: DrHome, signal: Signal, value: float, most: float, alone: bool) -> Bar | None:
    now = home.clock.now()
    edges = _edges(signal, now)
    if edges is None:
        return None
    left, right = ((edge - now) / AHEAD * 100 for edge in edges)
    height = max(LEAST, abs(value) / most * LANE)
    when = span(signal.start, signal.end, now, home.site.timezone)
    says = ask_words(signal.kind, signal.values, signal.unit, signal.currency or home.site.currency)
    return Bar(left, right - left, LANE - height, height, f"{when}: {says}", alone)


def _edges(signal: Signal, now: datetime) -> tuple[datetime, datetime] | None:
    """Where a signal lies within the 48 hours; None outside of them."""
    start, end = max(now, signal.start), min(now + AHEAD, signal.end or now + AHEAD)
    return (start, end) if start < end else None


def _value(signal: Signal, kind: str) -> float | None:
    value = signal.values[0] if signal.kind == kind and signal.values else None
    return None if value is None or isinstance(value, str | bool) else float(value)


def _short(signal: Signal, value: float) -> str:
    if signal.kind == "SIMPLE":
        return f"{value:g}"
    if signal.kind.endswith("CAPACITY_LIMIT"):
        return f"{value:g} {signal.unit.replace('KW', 'kW') or 'kW'}"
    return f"{value:.0f} g" if signal.kind == "GHG" else f"{value:.3f}"
