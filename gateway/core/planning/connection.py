"""The connection to the grid in the program: what is bought in steps of rising cost, what is sold, what is cut.

    W   |  over     what nobody controls, above the limit of the connection
        |-------    hard: fuse, contract, envelope
        |  costly   above the home's usual peak, or above what a joined event leaves
        |-------
        |  plain    the price of energy
        0

Each step is a column of its own with bounds only; as each costs more than the one below, they fill in order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from gateway.core.planning.arrival import on_arrival
from gateway.core.planning.charges import PeakMonth, TierSpan
from gateway.core.planning.home import Home
from gateway.core.planning.limits import JOINED_EVENT
from gateway.core.planning.lp import Index, LinearProgram
from gateway.core.planning.slots import Array

OVER_LIMIT = 100_000.0
"""The fuses are the guard's; a plan that cannot be carried out is only useless."""
OVER_PEAK = 1_200.0
"""Above the home's usual peak: dearer than any price, cheaper than an event, a departure or a cold tank."""
CURTAIL = 1_000.0
"""All micro-units per Wh."""
QUARTER_S = 900
LEAST = 0.001
"""What is cut at no loss costs this much, so that it is cut only where it must be."""
LOST_SUN = "Some sun"
"""So begins each sentence of sun that is lost."""


@dataclass(frozen=True, slots=True)
class Connection:
    """The columns of the connection over the slots, W (all >= 0)."""

    bought: tuple[Index, ...]
    """Their sum is the import."""
    sold: Index
    cut: Index
    over: Index
    """The last of `bought`."""
    tops: Index
    """What each priced peak is above what is free, W."""


def connect(lp: LinearProgram, home: Home) -> Connection:
    """The connection's columns with their costs, peaks and tiers."""
    count, hours = home.slots.count, home.slots.hours
    # An export price above the import price would pay for sending the same energy round in circles.
    sell = np.minimum(home.sell / 1000, home.buy_cost)
    bought = [lp.columns(count, 0.0, width, (home.buy_cost + more) * hours) for width, more in _steps(home)]
    forced = np.maximum(0.0, home.base_w - home.import_w)
    over = lp.columns(count, 0.0, forced, (home.buy_cost + OVER_LIMIT) * hours)
    sold = lp.columns(count, 0.0, home.export_w, -sell * hours)
    cut = lp.columns(count, 0.0, -home.pv_w, (LEAST if home.request.can_curtail else CURTAIL) * hours)
    bought.append(over)
    tops = [top for peak in home.charges.peaks for top in _charge_peak(lp, peak, bought)]
    for span in home.charges.tiers:
        _charge_tiers(lp, span, bought, hours)
    return Connection(tuple(bought), sold, cut, over, np.array(tops, dtype=np.int32))


def _steps(home: Home) -> list[tuple[Array, Array]]:
    """Width in W and extra cost in micro-units per Wh of each step of the import up to its hard limit."""
    count, hard = home.slots.count, home.import_w
    marks = [(np.full(count, home.usual_peak_w), OVER_PEAK), (home.soft_import_w, JOINED_EVENT)]
    marks = [(mark, price) for mark, price in marks if (mark < hard).any()]
    ends = np.sort(np.array([np.minimum(mark, hard) for mark, _ in marks] + [hard]), axis=0)
    steps, low = [], np.zeros(count)
    for high in ends:
        more = sum((np.where(mark <= low, price, 0.0) for mark, price in marks), np.zeros(count))
        steps.append((np.maximum(0.0, high - low), more))
        low = high
    return steps


def _charge_peak(lp: LinearProgram, peak: PeakMonth, bought: Sequence[Index]) -> Iterator[int]:
    """A column for each peak above what is free, and a row for each window that may exceed it.

    In short windows each slot keeps below the peak: nothing is won by bursts within a quarter hour.
    """
    if peak.price <= 0 and not peak.charge.steps:
        return
    for number, day in enumerate(peak.rivals):
        free_w = peak.free_of(number)
        top = lp.columns(1, 0.0, np.inf, peak.price)
        yield int(top[0])
        if peak.charge.window_s <= QUARTER_S:
            where = np.concatenate([where for where, _ in day])
            same = np.full(len(where), top[0], dtype=np.int32)
            lp.rows(-np.inf, free_w, *((step[where], 1.0) for step in bought), (same, -1.0))
            continue
        for where, share in day:
            lp.total((-np.inf, free_w), *((step[where], share) for step in bought), (top, -1.0))


def _charge_tiers(lp: LinearProgram, span: TierSpan, bought: Sequence[Index], hours: Array) -> None:
    """The energy of a period in steps of rising price; what falls with use is priced at the step that holds now."""
    if not span.rises or len(span.added) < 2:
        return
    steps = [lp.columns(1, 0.0, width, added) for width, added in zip(span.widths_wh, span.added, strict=True)]
    terms = [(step[span.where], hours[span.where]) for step in bought]
    lp.total((0.0, 0.0), *terms, *((step, -1.0) for step in steps))


def above_usual(home: Home, x: Array, connection: Connection) -> list[str]:
    """A sentence when the plan draws more at once than the home would by itself."""
    most = sum((x[bought] for bought in connection.bought), np.zeros(home.slots.count))
    if float((most - home.usual_peak_w).max()) <= 50:
        return []
    at = home.slots.start(int(most.argmax())).astimezone(home.request.site.timezone)
    # The usual peak counts from now on: a car that waits is taken to have charged as it came (arrival.py).
    waits = any(c.need_wh > after.need_wh + 1 for c, after in zip(home.cars, on_arrival(home).cars, strict=True))
    itself = "from now on if its cars had charged as they came" if waits else "by itself"
    return [
        f"The home draws up to {most.max() / 1000:.1f} kW at {at:%H:%M}, more than the {home.usual_peak_w / 1000:.1f} kW "
        f"it would reach {itself}, so that what you asked for is ready in time."
    ]


def unused_sun(home: Home, x: Array, connection: Connection) -> list[str]:
    """Sentences for sun that is cut or sold at a loss, more than 10 Wh of it."""
    hours, words = home.slots.hours, []
    paying = home.sell < 0
    cut = x[connection.cut] * hours
    if float(cut[~paying].sum()) > 10:
        words.append(f"{LOST_SUN} cannot be used or exported.")
    if float(cut[paying].sum()) > 10:
        words.append(f"{LOST_SUN} is cut while selling it would cost money.")
    if not home.request.can_curtail and float((x[connection.sold] * hours)[paying].sum()) > 100:
        words.append(f"{LOST_SUN} is sold at a loss: the price is negative and the panels cannot be turned down.")
    return words
