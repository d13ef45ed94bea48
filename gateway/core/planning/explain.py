"""From powers to blocks: what each device is meant to do, from when to when, and one sentence why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise

import numpy as np

from gateway.core.planning.compressor import gathered
from gateway.core.planning.explain_battery import feeding_words, filling_words, for_storm, limited_words, still_words
from gateway.core.planning.explain_car import CHEAPER, CarStory, clock, limit_of, local, sentence
from gateway.core.planning.explain_cold import cooled_words, resting_words
from gateway.core.planning.explain_heat import band_words, coming_event, hygiene_words, waiting_words
from gateway.core.planning.explain_held import bound_heat_words, in_spite, outside_words, owner_first
from gateway.core.planning.explain_loads import LOAD_ALTERNATIVES, load_stories
from gateway.core.planning.fallback import thermostat
from gateway.core.planning.home import Battery, Heat, Home
from gateway.core.planning.limits import Mask
from gateway.core.planning.quiet import quiet_w
from gateway.core.planning.rounding import runs
from gateway.core.planning.schedule import Schedule
from gateway.core.planning.slots import Array
from gateway.model.plan import Block, IntentKind
from gateway.model.setpoint import LimitKind

NOTHING_W = 50.0
SHORT_H = 0.25
"""Battery intents shorter than this join what was before: fewer writes to the inverter."""
ALTERNATIVES = {
    ("car", IntentKind.HOLD): "charge now",
    ("car", IntentKind.CHARGE_AT): "wait",
    ("car", IntentKind.SURPLUS_ONLY): "wait",
    ("battery", IntentKind.CHARGE_AT): "not charge from the grid",
    ("battery", IntentKind.DISCHARGE_AT): "keep the energy",
    ("battery", IntentKind.HOLD): "feed the house now",
    ("battery", IntentKind.ZERO_GRID): "rest",
    ("heat", IntentKind.RUN): "wait",
    ("heat", IntentKind.IDLE): "heat now",
    ("cold", IntentKind.RUN): "wait",
    ("cold", IntentKind.IDLE): "cool now",
    **LOAD_ALTERNATIVES,
}


@dataclass(frozen=True, slots=True)
class Story:
    """A home with its schedule, asked for blocks."""

    home: Home
    schedule: Schedule

    def blocks(self) -> tuple[Block, ...]:
        """All blocks, by device in the order of the site, then by time."""
        found: list[Block] = []
        for car in sorted(self.home.cars, key=lambda car: self.home.request.site.devices.index(car.device)):
            story = CarStory(self.home, self.schedule, car)
            found += self._merged(car.device.id, "car", story.kinds(), story.why)
        for battery in self.home.batteries:
            kinds = self._battery_kinds(battery)
            blocks = self._merged(battery.device.id, "battery", kinds, partial(self._battery, battery))
            found += [self._chosen(battery, block) for block in blocks]
        for heat in (*self.home.tanks, *self.home.pumps):
            kinds, roles = self._heat_kinds(heat), ["cold" if cools else "heat" for cools in heat.cooling]
            found += self._merged(heat.device.id, roles, kinds, partial(self._heat, heat))
        for load in load_stories(self.home, self.schedule):
            found += self._merged(load.device.id, load.role, load.kinds, load.why)
        return tuple(found)

    def _merged(
        self, device: str, role: str | list[str], kinds: list[IntentKind], why: Callable[[IntentKind, int, int], str]
    ) -> list[Block]:
        slots, power = self.home.slots, self.schedule.power_w[device]
        why = owner_first(self.home, self.schedule, device, why)
        roles = role if isinstance(role, list) else [role] * len(kinds)
        turns = [i for i in range(1, len(kinds)) if (kinds[i], roles[i]) != (kinds[i - 1], roles[i - 1])]
        cuts = [0, *turns, len(kinds)]
        blocks = []
        for a, b in pairwise(cuts):
            hours = slots.hours[a:b]
            energy = float(power[a:b] @ hours)
            kind = kinds[a]
            other = ALTERNATIVES.get((roles[a], kind), "")
            if kind is IntentKind.SURPLUS_ONLY and energy <= 0:
                other = "charge now"
            blocks.append(
                Block(
                    device,
                    kind,
                    slots.start(a),
                    slots.start(b),
                    round(energy / float(hours.sum()), 1),
                    round(energy, 1),
                    why(kind, a, b),
                    other,
                    cools=roles[a] == "cold",
                )
            )
        return blocks

    # --- battery

    def _battery_kinds(self, battery: Battery) -> list[IntentKind]:
        flow, grid = self.schedule.power_w[battery.device.id], self.schedule.grid_w(self.home)
        state = self.schedule.state[battery.device.id]
        before = np.concatenate(([battery.start_wh], state[:-1]))
        # At the top of a priced peak it gives what is above it, no more: feeding the whole house would empty it too soon.
        shaving = (
            (flow < -NOTHING_W) & (grid > NOTHING_W) & (grid >= quiet_w(self.home, np.maximum(0.0, grid)) - NOTHING_W)
        )
        kinds = [
            IntentKind.HOLD
            if shaving[i]
            else _battery_kind(
                float(flow[i]), float(grid[i]), before[i] <= battery.floor_wh + 20, state[i] >= battery.full_wh - 20
            )
            for i in range(len(flow))
        ]
        return self._calm(kinds)

    def _chosen(self, battery: Battery, block: Block) -> Block:
        """The block without an alternative where a storm leaves none."""
        first = int(np.argmax(self.home.slots.touched(block.start, block.end)))
        return replace(block, alternative="") if for_storm(self.home, battery, first) else block

    def _calm(self, kinds: list[IntentKind]) -> list[IntentKind]:
        """Short intents join their neighbour, but never the one that is in force now."""
        result = list(kinds)
        hours = self.home.slots.hours
        start = 0
        for index in range(1, len(kinds) + 1):
            if index < len(kinds) and kinds[index] is kinds[start]:
                continue
            passive = kinds[start] in (IntentKind.ZERO_GRID, IntentKind.HOLD)
            if start > 0 and passive and hours[start:index].sum() < SHORT_H - 1e-6:
                result[start:index] = [result[start - 1]] * (index - start)
            start = index
        return result

    def _battery(self, battery: Battery, kind: IntentKind, a: int, b: int) -> str:
        price, until = self.home.buy_cost, clock(self.home, b)
        kinds = (LimitKind.BATTERY_SETPOINT, LimitKind.BATTERY_DISCHARGE)
        limit = limit_of(self.home, battery.device.id, kinds, a, a + 1)
        if limit is not None and kind in (IntentKind.CHARGE_AT, IntentKind.DISCHARGE_AT):
            return sentence(limit.reason)
        dear = int(b + np.argmax(price[b:])) if b < len(price) else b
        if words := still_words(self.home, battery, self.schedule, a, b):
            return words
        if kind is IntentKind.CHARGE_AT:
            return filling_words(self.home, battery, self.schedule, a, b)
        if kind is IntentKind.DISCHARGE_AT:
            return f"The battery feeds the grid until {until} because power pays well now."
        if kind is IntentKind.HOLD:
            if self.schedule.power_w[battery.device.id][a:b].min() < -NOTHING_W:
                return f"The battery gives no more than what would make a new peak, until {until}."
            if dear < len(price) and price[dear] > price[a] / CHEAPER:
                return f"The battery keeps its energy for {clock(self.home, dear)}, when power is dearer."
            return f"The battery keeps its energy until {until}."
        if self.home.base_w[a:b].mean() < 0:
            return "The battery stores surplus sun and feeds the house."
        return feeding_words(self.home, battery, self.schedule, a, b)

    # --- heat

    def _heat_kinds(self, heat: Heat) -> list[IntentKind]:
        power = self.schedule.power_w[heat.device.id]
        if heat in self.home.tanks:
            return [IntentKind.RUN if watts > NOTHING_W else IntentKind.IDLE for watts in power]
        # A room runs when it is heated above what its lower band needs, or cooled below what its upper one does.
        hold, _ = thermostat_at_least(heat)
        above = power > hold + 0.1 * heat.power_w
        for a, b in runs(above):
            if a > 0 and self.home.slots.hours[a:b].sum() < SHORT_H + 1e-6:
                above[a:b] = False
        above = _free(heat, gathered(self.home, heat, _free(heat, above)))
        return [IntentKind.RUN if up else IntentKind.IDLE for up in above]

    def _heat(self, heat: Heat, kind: IntentKind, a: int, b: int) -> str:
        room = heat not in self.home.tanks
        what, price, until = ("room" if room else "water"), self.home.buy_cost, clock(self.home, b)
        kinds = (LimitKind.TANK_SHED, LimitKind.TEMPERATURE_OFFSET, LimitKind.DEVICE_POWER)
        limit = limit_of(self.home, heat.device.id, kinds, a, a + 1)
        event = coming_event(self.home, heat.device.id, kinds, b) if kind is IntentKind.RUN else None
        held = hygiene_words(self.home, heat, a, b) if kind is IntentKind.RUN and not heat.cooling[a] else ""
        held = held or outside_words(self.home, heat, self.schedule, a, b)
        if held and limit is None:
            return held
        if limit is None and kind is IntentKind.IDLE:
            held = bound_heat_words(self.home, heat, self.schedule, a, b)
            if held:
                return held
        if heat.cooling[a]:
            ran = kind is IntentKind.RUN
            return (
                cooled_words(self.home, heat, a, b, event)
                if ran
                else resting_words(self.home, self.schedule, heat, a, b, limit)
            )
        if kind is IntentKind.RUN:
            if event is not None:
                return (
                    f"The {what} is heated before the event at {local(self.home, event.start)}, so that it stays warm."
                )
            words = hygiene_words(self.home, heat, a, b) or (band_words(self.home, heat, b) if room else "")
            if words:
                return words
            if in_spite(self.home, self.schedule, a, b):
                return f"The {what} is heated in spite of the event, or it would fall below its minimum."
            if float(self.home.base_w[a:b].mean()) < -0.5 * heat.power_w:
                return f"The {what} is heated until {until} with surplus sun."
            if b < len(price) and float(price[b : b + 24].max()) > float(price[a:b].mean()) / CHEAPER:
                return f"The {what} is heated until {until} because power is dearer later."
            return f"The {what} is heated until {until} to stay in its band."
        if limit is not None:
            return limited_words(self.home, limit, b, f"the {what} needs no more")
        return waiting_words(self.home, heat, self.schedule, a, b)


def thermostat_at_least(heat: Heat) -> tuple[Array, Array]:
    """Power that keeps a room at the lower end of its band, in cooling at the upper one, W, and its temperature."""
    end_c, start = heat.least_c, float(heat.least_c[0])
    start = max(heat.start_c, start) if heat.cooling[0] else min(heat.start_c, start)
    at_end = replace(heat, low_c=end_c, high_c=end_c, start_c=start, given_w=0.0)
    return thermostat(at_end, np.full(len(heat.keep), np.inf), plain=True)


def _free(heat: Heat, above: Mask) -> Mask:
    """While it draws what it does now whatever is planned, what is meant is what is planned next."""
    bound = np.broadcast_to(heat.given_w, above.shape) > 0
    free = np.flatnonzero(~bound)
    return np.where(bound, above & above[free[0]], above) if len(free) else above


def _battery_kind(flow: float, grid: float, empty: bool, full: bool) -> IntentKind:
    if flow > NOTHING_W:
        return IntentKind.CHARGE_AT if grid > NOTHING_W else IntentKind.ZERO_GRID
    if flow < -NOTHING_W:
        return IntentKind.DISCHARGE_AT if grid < -NOTHING_W else IntentKind.ZERO_GRID
    if abs(grid) <= NOTHING_W or (empty and grid > 0) or (full and grid < 0):
        return IntentKind.ZERO_GRID
    return IntentKind.HOLD
