"""What the plan keeps in hand against a busier or darker day than expected: a reserve in the batteries, priced.

    price   |      ______            ______
            |_____| dear |__________| dear |___
    load      ~ 90 % ~ mean ~ 10 %             how much more the house may draw during the dear hours
    battery        keeps ^ so much at the end of them

A battery that is planned to be empty exactly when the dear hours end is empty too early on half of all days. A Wh left
then is worth the chance that it is needed times what it saves: the dear price against filling it again afterwards.
Errors of one hour tell of those of the next: quantiles are added with a correlation that fades over hours.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gateway.core.planning.doubt import doubt_w
from gateway.core.planning.home import Home
from gateway.core.planning.rounding import runs
from gateway.core.planning.slots import Array, Slots

FADES_H = 3.0
"""After so many hours an error tells little (1/e) of the next."""
STEPS = ((0.5, 0.38), (0.5, 0.175))
"""Parts of the way from the mean to the 90 % quantile, and how likely a Wh in them is needed (normal errors)."""
AFTER_H = 12.0


@dataclass(frozen=True, slots=True)
class Reserve:
    """At the end of slot `index` each Wh (inside the batteries) of `widths_wh` is worth `worth` micro-units."""

    index: int
    widths_wh: tuple[float, ...]
    worth: tuple[float, ...]


def reserves(home: Home) -> tuple[Reserve, ...]:
    """What is worth keeping at the end of each run of dear hours without surplus sun."""
    doubt = doubt_w(home.request, home.slots)
    if not home.batteries or not doubt.any():
        return ()
    into = min(b.spec.charge_efficiency for b in home.batteries)
    out = min(b.spec.discharge_efficiency for b in home.batteries)
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
            found.append(
                Reserve(end - 1, tuple(part * energy for part, _ in STEPS), tuple(p * saved for _, p in STEPS))
            )
    return tuple(found)


def _energy(slots: Slots, doubt: Array, start: int, end: int) -> float:
    """The 90 % quantile of the energy above the mean over some slots, Wh."""
    parts, at = doubt[start:end] * slots.hours[start:end], slots.ahead_h[start:end]
    together = np.exp(-np.abs(at[:, None] - at[None, :]) / FADES_H)
    return float(np.sqrt(parts @ together @ parts))
