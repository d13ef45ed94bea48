"""What the plan keeps in hand against a day other than expected: a reserve in the batteries, and room for sun; both priced.

    price   |      ______            ______
            |_____| dear |__________| dear |___
    load      ~ 90 % ~ mean ~ 10 %             how much more the house may draw during the dear hours
    battery        keeps ^ so much at the end of them
    sun       __/~~~~\\__    has room ^ for so much at the end of a surplus

A battery that is planned to be empty exactly when the dear hours end is empty too early on half of all days. A Wh left
then is worth the chance that it is needed times what it saves: the dear price against filling it again afterwards. So is
room in a battery that is planned to be full exactly when the sun sets: what does not fit is sold for less.
Errors of one hour tell of those of the next: quantiles are added with a correlation that fades over hours.
"""

from __future__ import annotations

import numpy as np

from gateway.core.planning.doubt import brighter_w, doubt_w
from gateway.core.planning.home import Home
from gateway.core.planning.peak_hedge import Reserve, against_peaks
from gateway.core.planning.rounding import runs
from gateway.core.planning.slots import Array, Slots

FADES_H = 3.0
"""After so many hours an error tells little (1/e) of the next."""
STEPS = ((0.5, 0.38), (0.5, 0.175))
"""Parts of the way from the mean to the 90 % quantile, and how likely a Wh in them is needed (normal errors)."""
ROOM_STEPS = (*STEPS, (0.5, 0.06))
"""Room is often free to have: a part beyond the quantile counts too."""
AFTER_H = 12.0


def reserves(home: Home) -> tuple[Reserve, ...]:
    """What is worth keeping: at the end of each run of dear hours without surplus sun, and against priced peaks."""
    return (*_against_dear(home), *against_peaks(home))


def rooms_for_sun(home: Home) -> tuple[Reserve, ...]:
    """What free room is worth at the end of each run of surplus sun, against a brighter or calmer day."""
    doubt, price, found = brighter_w(home.request, home.slots), home.buy_cost, []
    if not home.batteries or not doubt.any():
        return ()
    into, out = _efficiencies(home)
    for start, end in runs(home.base_w < 0):
        energy = _energy(home.slots, doubt, start, end) * into
        sold = float(np.minimum(home.sell[start:end] / 1000, price[start:end]).mean()) / into
        saved = float(price.min()) * out - sold
        if energy > 1 and saved > 0:
            found.append(_reserve(end - 1, energy, saved, ROOM_STEPS))
    return tuple(found)


def _against_dear(home: Home) -> tuple[Reserve, ...]:
    doubt = doubt_w(home.request, home.slots)
    if not home.batteries or not doubt.any():
        return ()
    into, out = _efficiencies(home)
    price, count = home.buy_cost, home.slots.count
    dear = (price > float(price.min()) / (into * out) + 1.0) & (home.base_w > 0)
    found = []
    for start, end in runs(dear):
        energy = _energy(home.slots, doubt, start, end) / out
        after = slice(
            end, max(end + 1, int(np.searchsorted(home.slots.ahead_h, home.slots.ahead_h[end - 1] + AFTER_H)))
        )
        again = np.where(home.base_w[after] < 0, np.minimum(home.sell[after] / 1000, price[after]), price[after])
        refill = float(again.min(initial=np.inf)) / into
        saved = float(price[start:end].mean()) * out - refill
        if end < count and energy > 1 and saved > 0:
            found.append(_reserve(end - 1, energy, saved, STEPS))
    return tuple(found)


def _reserve(index: int, energy_wh: float, saved: float, steps: tuple[tuple[float, float], ...]) -> Reserve:
    return Reserve(index, tuple(part * energy_wh for part, _ in steps), tuple(chance * saved for _, chance in steps))


def _efficiencies(home: Home) -> tuple[float, float]:
    into = min(b.spec.charge_efficiency for b in home.batteries)
    return into, min(b.spec.discharge_efficiency for b in home.batteries)


def _energy(slots: Slots, doubt: Array, start: int, end: int) -> float:
    """The 90 % quantile of the energy above the mean over some slots, Wh."""
    parts, at = doubt[start:end] * slots.hours[start:end], slots.ahead_h[start:end]
    together = np.exp(-np.abs(at[:, None] - at[None, :]) / FADES_H)
    return float(np.sqrt(parts @ together @ parts))
