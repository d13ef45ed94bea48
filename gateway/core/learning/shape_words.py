"""Why a day has its class, in one sentence with the hours; and a name by rule for a shape that has none."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.core.learning.shape_day import HOURS, Array

WINDOWS = {
    "evening peak": ((17, 23),),
    "morning and evening": ((6, 9), (17, 22)),
    "daytime": ((9, 17),),
    "night": ((22, 24), (0, 7)),
    "double": ((6, 9), (11, 14)),
}
"""The local hours that explain a name; a name that is not here is explained by its busiest hours."""


def why(name: str, hours: Sequence[float], profile: Sequence[float], net_wh: float) -> str:
    """One sentence; `hours` are the day's 24 net Wh, `profile` the shares of what it takes, `net_wh` its net energy."""
    if name == "away":
        return f"Only {net_wh / 1000:.1f} kWh all day, and no hour stands out."
    if name == "flat":
        return f"The hours differ little: the busiest holds {100 * max(profile):.0f} % of the day's energy."
    if name == "solar dip":
        noon = sum(hours[11:15]) / 4
        night = (sum(hours[:5]) / 5) or 1e-9
        told = "feeds into the grid" if noon < 0 else f"takes {100 * noon / night:.0f} % of the night's level"
        return f"Between 11 and 15 h the home {told}."
    if name == "EV night":
        begin, length = _block(hours)
        share = sum([profile[(begin + i) % HOURS] for i in range(length)])
        return f"{100 * share:.0f} % of the day's energy falls into a block from {begin} to {_end(begin, length)} h."
    windows = WINDOWS.get(name) or (_busiest(hours),)
    share = sum([profile[h % HOURS] for begin, end in windows for h in range(begin, end)])
    return f"{100 * share:.0f} % of the day's energy falls {' and '.join(f'between {a} and {_end(a, b - a)} h' for a, b in windows)}."


def _block(hours: Sequence[float]) -> tuple[int, int]:
    """Where the highest hour between 20 and 8 h stands, with its neighbours of at least half of it: begin, length."""
    top = max((*range(20, 24), *range(8)), key=lambda h: hours[h])
    begin = end = top
    while hours[(begin - 1) % HOURS] > 0.5 * hours[top] and end - begin < 11:
        begin -= 1
    while hours[(end + 1) % HOURS] > 0.5 * hours[top] and end - begin < 11:
        end += 1
    return begin % HOURS, end - begin + 1


def _busiest(hours: Sequence[float], length: int = 4) -> tuple[int, int]:
    """The `length` hours in a row (round the clock) that hold most."""
    begin = max(range(HOURS), key=lambda h: sum(hours[(h + i) % HOURS] for i in range(length)))
    return begin, begin + length


def _end(begin: int, length: int) -> int:
    return (begin + length - 1) % HOURS + 1


def hill_name(curve: Array) -> str:
    """A name by rule for a found curve of 24 shares: where its busiest four hours begin, and whether it feeds in."""
    hours = curve.tolist()
    begin, _ = _busiest(hours)
    dip = " with solar dip" if min(hours[10:15]) < 0 else ""
    return f"peak {begin} to {_end(begin, 4)} h{dip}"
