"""Several batteries at one connection: who serves the home now, so that none charges from another's discharge.

Each battery may follow the meter by itself inside its band; two that do so on both sides of zero find any split with
the meter at zero to be right, one discharging into the other for ever. So (docs/decisions/0011):

    one leads       ~ both sides of zero, all others at [0, 0]      no write when the sun goes and comes
    more are needed ~ one side of zero only, that of the home's net:
                      surplus -> all [0, max]                deficit -> all [-max, 0]
    one is forced   ~ charging from the grid -> no other discharges; discharging -> no other charges

Who leads: by sun the emptier, by need the fuller, and it keeps the lead until another is better by 10 points.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from gateway.core.control.wish import Wish
from gateway.model.site import BatterySpec, Device

SURPLUS, DEFICIT = 1, -1
TURN_W = 100.0
"""The home's net must be beyond zero by this before the side changes, W."""
FULL_SHARE, EXTEND_S = 0.95, 60.0
"""From this part of what those at work can give, standing so long, one more joins."""
SPARE_SHARE, SHRINK_S = 0.7, 600.0
"""Below this part of what one fewer could give, standing so long, one leaves."""
LEAD_POINTS, LEAD_S = 10.0, 900.0
"""Another takes the lead when its state of charge is better by this, percent points, and so long after the last change."""
WAITS = "Another battery serves the home now; they take turns."


@dataclass(frozen=True, slots=True)
class Store:
    """One battery with the band it would have if it were alone; `power_w` what it does now, W, charging positive."""

    device: Device
    spec: BatterySpec
    wish: Wish
    soc: float | None
    power_w: float

    @property
    def forced(self) -> int:
        """1: it must charge, -1: it must discharge, 0: it may rest."""
        return SURPLUS if self.wish.low > 0 else DEFICIT if self.wish.value < 0 else 0

    def may(self, side: int) -> bool:
        """Whether it can still take (surplus) or give (deficit)."""
        if side == SURPLUS:
            return self.wish.value > 0 and (self.soc is None or self.soc < self.spec.max_soc_percent)
        return self.wish.low < 0 and (self.soc is None or self.soc > self.spec.min_soc_percent)

    def most_w(self, side: int) -> float:
        """The most it takes or gives, W, a magnitude."""
        return max(0.0, self.wish.value) if side == SURPLUS else max(0.0, -self.wish.low)

    def merit(self, side: int) -> float:
        """How gladly it would lead: the emptier by sun, the fuller by need, percent points."""
        soc = 50.0 if self.soc is None else self.soc
        return -soc if side == SURPLUS else soc


@dataclass(frozen=True, slots=True)
class Team:
    """Who is at work on which side, the leader first; times in monotonic home s."""

    side: int = DEFICIT
    active: tuple[str, ...] = ()
    led_since: float = -math.inf
    wanted: int = 0
    """How many would be right, other than are at work, since `wanted_since`."""
    wanted_since: float = -math.inf
    of_side: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    """Who was at work on each side last: the sun comes back to those it left."""


def share_bands(stores: Sequence[Store], net_w: float, team: Team, mono: float) -> tuple[dict[str, Wish], Team]:
    """The bands of batteries side by side, by device id; alone a battery keeps its own.

    `net_w`: what the home takes besides these batteries, W, import positive; `mono` in s of home time.
    """
    if len(stores) < 2:
        return {store.device.id: store.wish for store in stores}, team
    forced = [store for store in stores if store.forced]
    if forced:
        return _beside_forced(stores, forced), replace(team, active=(), of_side={})
    team = _turned(stores, net_w, team)
    team = _manned(stores, net_w, team, mono)
    return {store.device.id: _band(store, stores, team) for store in stores}, team


def _beside_forced(stores: Sequence[Store], forced: Sequence[Store]) -> dict[str, Wish]:
    """The strongest order says which way energy flows; among equals charging, as its energy may come from the grid."""
    first = min(forced, key=lambda store: (store.wish.authority, -store.forced))
    bands = {}
    for store in stores:
        words = f"{first.device.name} {'charges' if first.forced == SURPLUS else 'discharges'} by order: this one does not work against it."
        bands[store.device.id] = _one_sided(store.wish, first.forced, words)
    return bands


def _one_sided(wish: Wish, side: int, words: str = "") -> Wish:
    low, value = (
        (max(0.0, wish.low), max(0.0, wish.value)) if side == SURPLUS else (min(0.0, wish.low), min(0.0, wish.value))
    )
    if (low, value) == (wish.low, wish.value):
        return wish
    against = low == value == 0.0
    return replace(wish, low=low, value=value, reason=words if words and against else wish.reason)


def _turned(stores: Sequence[Store], net_w: float, team: Team) -> Team:
    """The side of the home's net, once it is clearly there and somebody can serve it."""
    side = SURPLUS if net_w < -TURN_W else DEFICIT if net_w > TURN_W else team.side
    if side == team.side or not any(store.may(side) for store in stores):
        return team
    known = team.of_side.get(side, ())
    # A leader that serves both sides alone stays: nothing is written for a cloud.
    alone = team.active if len(team.active) == 1 and any(_is(s, team.active) and s.may(side) for s in stores) else ()
    return replace(team, side=side, active=known or alone, wanted=0, of_side={**team.of_side, team.side: team.active})


def _is(store: Store, names: Sequence[str]) -> bool:
    return store.device.id in names


def _manned(stores: Sequence[Store], net_w: float, team: Team, mono: float) -> Team:
    """Those at work: the leader by merit, and as many as the net needs."""
    able = {store.device.id: store for store in stores if store.may(team.side)}
    active = tuple(name for name in team.active if name in able)
    order = sorted(able, key=lambda name: (not able[name].spec.follows_meter, -able[name].merit(team.side)))
    if not order:
        return replace(team, active=(), wanted=0)
    if not active:
        # Whoever took over because its leader is full or empty need not wait.
        return replace(team, active=(order[0],), led_since=mono, wanted=0)
    active, led = _led(active, order, able, team, mono)
    team = replace(team, active=active, led_since=led)
    return _enough(net_w, team, order, able, mono)


def _led(
    active: tuple[str, ...], order: Sequence[str], able: Mapping[str, Store], team: Team, mono: float
) -> tuple[tuple[str, ...], float]:
    best, now = able[order[0]], able[active[0]]
    better = (
        best.merit(team.side) - now.merit(team.side) >= LEAD_POINTS
        and best.spec.follows_meter >= now.spec.follows_meter
    )
    if best is now or not better or mono - team.led_since < LEAD_S:
        return active, team.led_since
    rest = [name for name in active if name != best.device.id]
    return (best.device.id, *rest)[: len(active)], mono


def _enough(net_w: float, team: Team, order: Sequence[str], able: Mapping[str, Store], mono: float) -> Team:
    """One more, or one fewer, once that has been right for a while."""
    active, need_w = team.active, abs(net_w) if (net_w > 0) == (team.side == DEFICIT) else 0.0
    more = [name for name in order if name not in active]
    wanted = 0
    if more and need_w > FULL_SHARE * sum(able[name].most_w(team.side) for name in active):
        wanted = 1
    elif len(active) > 1 and need_w < SPARE_SHARE * sum(able[name].most_w(team.side) for name in active[:-1]):
        wanted = -1
    if wanted != team.wanted:
        return replace(team, wanted=wanted, wanted_since=mono)
    if not wanted or mono - team.wanted_since < (EXTEND_S if wanted > 0 else SHRINK_S):
        return team
    active = (*active, more[0]) if wanted > 0 else active[:-1]
    return replace(team, active=active, wanted=0, wanted_since=mono)


def _band(store: Store, stores: Sequence[Store], team: Team) -> Wish:
    name = store.device.id
    if name not in team.active:
        return replace(store.wish, low=0.0, value=0.0, reason=WAITS) if team.active else store.wish
    return store.wish if len(team.active) == 1 else _one_sided(store.wish, team.side)
