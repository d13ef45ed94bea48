"""The other way of a block of heating or cooling: what somebody would do who turns the device up now, or lets it wait.

temperature         _____                        _____
heat now    _______/     \\______    planned ____/     \\____     it reaches now what it would reach then,
            |  block     |                  |    |               never beyond its band
"""

from __future__ import annotations

import re
from calendar import day_name
from dataclasses import replace

import numpy as np

from gateway.core.planning.connection import LOST_SUN
from gateway.core.planning.home import Heat, Home
from gateway.core.planning.limits import Mask
from gateway.core.planning.reserve import SOON_H, below_h
from gateway.core.planning.schedule import Schedule
from gateway.core.planning.slots import Array
from gateway.model.plan import Block, IntentKind

NUDGE = 5_000.0
"""Micro-units per Wh that force an alternative upon the optimiser; never part of a cost that is told."""
FIRMER = 20.0
"""The band holds so many times firmer against a nudge: a kelvin of a room takes some 2 kWh and is missed for hours.

Only as far as the plan itself holds it: a firmer band that the plan misses would be met, and told as the block's price.
"""
LEAST_H = 0.25
"""So long it runs at least when it is turned up."""
FURTHER_K = 0.2
"""An alternative that leaves a band so much further than the plan does is none."""


def bent_heat(heat: Heat, schedule: Schedule, block: Block, home: Home) -> Heat:
    """A tank or a room whose block waits as far as its band lets it, or which runs at once as far as it would later."""
    kept_c = np.minimum(heat.low_c, schedule.state[heat.device.id])
    firm = replace(heat, firm=heat.firm * FIRMER, low_c=kept_c)
    span = home.slots.touched(block.start, block.end)
    if block.kind is IntentKind.RUN:
        return replace(firm, price=np.where(span, NUDGE, heat.price))
    most, now = _turned_up(heat, schedule.state[heat.device.id], span, home)
    # A relay is whole or off; its own search keeps it below the maximum.
    cap = heat.cap_w if heat in home.tanks else np.where(now, np.minimum(heat.cap_w, most), heat.cap_w)
    return replace(firm, price=np.where(now, -NUDGE, heat.price), cap_w=np.maximum(cap, heat.given_w))


def _turned_up(heat: Heat, state: Array, span: Mask, home: Home) -> tuple[Array, Mask]:
    """The most it takes within its band in each slot, W, and the slots from the block's first on in which it runs so."""
    first, last = int(np.argmax(span)), int(np.flatnonzero(span)[-1])
    sign = -1.0 if heat.cooling[first] else 1.0
    goal = sign * _next_top(sign * state, last)
    most, runs, ran_h = np.zeros(len(state)), np.zeros(len(state), dtype=bool), 0.0
    now = heat.start_c if first == 0 else float(state[first - 1])
    end = np.where(heat.cooling, heat.low_c + heat.beyond_k, heat.high_c - heat.beyond_k)
    push = (1 - heat.keep) * heat.gains_k_per_w
    for i in range(first, last + 1):
        if ran_h >= LEAST_H and sign * (now - goal) >= 0:
            break
        idle = heat.keep[i] * now + (1 - heat.keep[i]) * heat.around_c[i] - push[i] * heat.draw_w[i]
        most[i] = min(float(heat.cap_w[i]), max(0.0, float((end[i] - idle) / push[i])))
        runs[i], ran_h = True, ran_h + float(home.slots.hours[i])
        now = float(idle + push[i] * most[i])
    return most, runs


def _next_top(state: Array, last: int) -> float:
    """Where the first rise behind slot `last` ends; the level there when none comes."""
    falls = np.flatnonzero(np.diff(state[last:]) < 0)
    rises = np.flatnonzero(np.diff(state[last:]) > 0)
    if not len(rises):
        return float(state[last])
    after = falls[falls > rises[0]]
    return float(state[last + int(after[0])] if len(after) else state[-1])


def keeps_wishes(home: Home, schedule: Schedule, other: Schedule) -> bool:
    """Whether the other schedule leaves no band and no reserve further than the first, and relaxes no other kind of wish."""
    if _kinds(other) - _kinds(schedule):
        return False
    for battery in home.batteries:
        # So short a while below its reserve breaks no wish of a plan, either.
        if below_h(home, battery, other.state) > below_h(home, battery, schedule.state) + SOON_H + 1e-6:
            return False
    return all(_outside_k(heat, other) <= _outside_k(heat, schedule) + FURTHER_K for heat in (*home.tanks, *home.pumps))


def _kinds(schedule: Schedule) -> set[str]:
    """The sentences of what is missed, without figures and days; sun that is lost is no wish, the price tells it."""
    missed = (words for words in schedule.relaxed if not words.startswith(LOST_SUN))
    return {re.sub(rf"[0-9]+([.,:][0-9]+)?|{'|'.join(day_name)}", "", words) for words in missed}


def _outside_k(heat: Heat, schedule: Schedule) -> float:
    """The furthest outside its band, K; the end of it that is passed by itself counts where it was opened to."""
    state = schedule.state[heat.device.id]
    low = heat.low_c - np.where(heat.cooling, 0.0, np.broadcast_to(heat.spare_k, state.shape))
    return max(0.0, float((low - state).max()), float((state - heat.high_c).max()))
