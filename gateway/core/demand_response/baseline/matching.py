"""Day matching as CAISO knows it: the mean of similar days, scaled by how the event day itself began.

    similar day |..mean per slot of the days taken........|== event ==|
    event day   |.......|-- adjustment --|.. 1 h gap .....|== event ==|
                       -4 h             -1 h              start
    factor = energy of the event day / mean energy of the days taken, over the adjustment window, within 1 +- cap

Facts: California ISO Baseline Accuracy Work Group, proposal of 2017: 10-in-10 with +-20 % is the standing rule, the
highest 5-in-10 (weekends 3-in-5) with +-40 % the residential one, weather matching takes the four days whose highest
temperature is nearest out of 90. The standing rule looks back 45 days and takes ten working days, or four of the other
days. Interpretations: fewer days than the rule wants are taken where there are no more; a holiday is no working day;
without positive energy on both sides of the adjustment window (solar export) the factor is 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from gateway.core.demand_response.baseline.history import History, Window
from gateway.core.demand_response.baseline.rows import Baseline, BaselineRow


@dataclass(frozen=True, slots=True)
class Rule:
    """How days are matched; pairs are for working days and for the others. `cap` bounds the factor, 1 +- cap."""

    name: str
    recent: tuple[int, int]
    highest: tuple[int, int] | None
    cap: float
    look_back_days: int = 45
    by_weather: bool = False


TEN_IN_TEN = Rule("10-in-10", (10, 4), None, 0.2)
TEN_IN_TEN_WIDE = Rule("10-in-10-wide", (10, 4), None, 0.4)
FIVE_IN_TEN = Rule("5-in-10", (10, 5), (5, 3), 0.4)
WEATHER = Rule("weather", (4, 4), None, 0.4, look_back_days=90, by_weather=True)


def matched(history: History, start: datetime, end: datetime, rule: Rule) -> Baseline:
    """The baseline of [start, end) by a rule; without rows when it finds no day."""
    window = history.window(start, end)
    kind = 0 if history.works(window.day) else 1
    days = _nearest(history, window, rule, kind) if rule.by_weather else _recent(history, window, rule, kind)
    if not days:
        return Baseline(method=rule.name)
    factor = adjustment(history, start, days, rule.cap)
    energies = [history.energies(day, window) or () for day in days]
    means = [factor * sum(slot) / len(slot) for slot in zip(*energies, strict=True)]
    rows = (BaselineRow(slot, seconds, mean) for (slot, seconds), mean in zip(window.slots, means, strict=True))
    return Baseline(tuple(rows), factor, tuple(days), rule.name)


def adjustment(history: History, start: datetime, days: Sequence[date], cap: float) -> float:
    """How the day began against the days taken: a factor within 1 +- cap, 1 where it cannot be told."""
    window = history.adjusting(start)
    today = history.total(window.day, window)
    usual = [total for day in days if (total := history.total(day, window)) is not None]
    if today is None or today <= 0 or sum(usual) <= 0:
        return 1.0
    return min(1 + cap, max(1 - cap, today * len(usual) / sum(usual)))


def _recent(history: History, window: Window, rule: Rule, kind: int) -> list[date]:
    found: list[tuple[float, date]] = []
    for day in history.days_before(window, rule.look_back_days):
        total = history.total(day, window)
        if total is not None:
            found.append((total, day))
        if len(found) == rule.recent[kind]:
            break
    if rule.highest is not None:
        found = sorted(found, reverse=True)[: rule.highest[kind]]
    return sorted((day for _, day in found), reverse=True)


def _nearest(history: History, window: Window, rule: Rule, kind: int) -> list[date]:
    """The days whose highest temperature is nearest to the event day's, the newer first among equals."""
    today = history.highest_c(window.day)
    if today is None:
        return []
    found = [
        (abs(high - today), -day.toordinal(), day)
        for day in history.days_before(window, rule.look_back_days)
        if (high := history.highest_c(day)) is not None and history.total(day, window) is not None
    ]
    return [day for _, _, day in sorted(found)[: rule.recent[kind]]]
