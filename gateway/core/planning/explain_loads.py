"""The pool pump's and the appliances' part of the plan in words, and the alternatives to each block."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from gateway.core.planning.explain_car import CHEAPER, clock, left_words, local
from gateway.core.planning.explain_held import and_then, event_words
from gateway.core.planning.home import Home
from gateway.core.planning.profiles import Profile
from gateway.core.planning.runs import Day, Runs
from gateway.core.planning.schedule import Schedule
from gateway.core.planning.slots import Array
from gateway.model.plan import Block, IntentKind
from gateway.model.site import Device

LOAD_ALTERNATIVES = {
    ("runs", IntentKind.RUN): "not run then",
    ("runs", IntentKind.IDLE): "run now",
    ("profile", IntentKind.RUN): "wait",
    ("profile", IntentKind.HOLD): "run now",
}
PLAIN_NAMES = ("pool pump", "dishwasher", "washing machine", "dryer", "tumble dryer", "washer", "oven")


def called(device: Device) -> str:
    """A device at the beginning of a sentence."""
    return f"The {device.name.lower()}" if device.name.lower() in PLAIN_NAMES else device.name


def run_kinds(power: Array) -> list[IntentKind]:
    """Run while it draws, else idle."""
    return [IntentKind.RUN if watts > 0 else IntentKind.IDLE for watts in power]


@dataclass(frozen=True, slots=True)
class RunsStory:
    """A pool pump in a schedule."""

    home: Home
    schedule: Schedule
    runs: Runs

    def why(self, kind: IntentKind, a: int, b: int) -> str:
        """One sentence for the slots from `a` to before `b`."""
        name, home = called(self.runs.device), self.home
        if kind is IntentKind.RUN:
            return f"{name} runs {clock(home, a)}-{clock(home, b)} {self._because(a, b)}."
        asked, after = event_words(home, self.runs.device.id, a, b)
        if asked:
            return asked if after == b else and_then(asked, self.why(kind, after, b))
        later = np.flatnonzero(self.schedule.power_w[self.runs.device.id][b:] > 0)
        if not len(later):
            return f"{name} rests: no more hours of it fall into the plan."
        start = b + int(later[0])
        return f"{name} rests until {clock(home, start)}: {self._waits(a, start)}."

    def _because(self, a: int, b: int) -> str:
        home, price = self.home, self.home.buy_cost
        day = self._day(a)
        if float(home.base_w[a:b].mean()) < -0.5 * self.runs.power_w:
            return "on the sun"
        if day is None:
            return "as you asked"
        if float(price[a:b].mean()) <= CHEAPER * float(price[day.window].mean()) and self._is_cheap(day, a, b):
            return "because power is cheap then"
        return f"so that its hours are done by {local(home, day.ends)}"

    def _is_cheap(self, day: Day, a: int, b: int) -> bool:
        """Whether each of its hours here is one of the cheapest that the day needs, and cheaper than the day's mean."""
        price, hours = self.home.buy_cost, self.home.slots.hours
        order = np.flatnonzero(day.window)[np.argsort(price[day.window], kind="stable")]
        enough = int(np.searchsorted(np.cumsum(hours[order]), day.need_h - 1e-6))
        dearest = float(price[order[min(enough, len(order) - 1)]])
        return float(price[a:b].max()) <= min(dearest / CHEAPER, float(price[day.window].mean()))

    def _waits(self, a: int, start: int) -> str:
        home = self.home
        if float(home.base_w[start]) < -0.5 * self.runs.power_w <= float(home.base_w[a]):
            return "it waits for the sun"
        if float(home.buy_cost[start]) < CHEAPER * float(home.buy_cost[a]):
            return "power is cheaper then"
        if left := left_words(home, self.schedule, self.runs.device.id, self.runs.power_w, a, start):
            return left
        day = self._day(a)
        return "its hours of the day are done" if day is None or day.need_h <= 0 else "its hours fit in after that"

    def _day(self, index: int) -> Day | None:
        return next((day for day in self.runs.days if day.window[index]), None)


@dataclass(frozen=True, slots=True)
class ProfileStory:
    """An appliance whose run waits."""

    home: Home
    schedule: Schedule
    profile: Profile

    def kinds(self) -> list[IntentKind]:
        """From its start to its end it runs, pauses of the profile included."""
        power = self.schedule.power_w[self.profile.device.id]
        used = np.flatnonzero(power > 0)
        if not len(used):
            return [IntentKind.IDLE] * len(power)
        first, last = int(used[0]), int(used[-1])
        before = [IntentKind.HOLD] * first
        return [*before, *[IntentKind.RUN] * (last + 1 - first), *[IntentKind.IDLE] * (len(power) - last - 1)]

    def why(self, kind: IntentKind, a: int, b: int) -> str:
        """One sentence for the slots from `a` to before `b`."""
        name, home = called(self.profile.device), self.home
        wish = self._done_by()
        if kind is IntentKind.RUN:
            because = self._because(a, b)
            return f"{name} starts {clock(home, a)} {because}{'' if because.endswith(wish) else f'; {wish}'}."
        if kind is IntentKind.HOLD:
            return f"{name} waits until {clock(home, b)} {self._waiting(a, b)}; {wish}."
        if self.schedule.power_w[self.profile.device.id].any():
            return f"{name} is done."
        return f"{name} cannot start: nothing is free for its whole run."

    def _because(self, a: int, b: int) -> str:
        home, price = self.home, self.home.buy_cost
        if float(home.base_w[a:b].mean()) < -0.3 * self.profile.energy_wh / max(
            0.1, float(home.slots.hours[a:b].sum())
        ):
            return "to use the sun"
        costs = (self.profile.shapes * home.slots.hours) @ price
        timely, own = np.flatnonzero(self.profile.late_h <= 0), self._start()
        if own in timely and costs[own] <= costs[timely].min() * 1.005 < CHEAPER * costs[timely].max():
            return "because power is cheapest then"
        if own in timely and own == timely[-1] and self._is_last_minute(own):
            return f"as it must be {self._done_by()}"
        return "as soon as it may" if own == 0 else "when there is room for it"

    def _is_last_minute(self, own: int) -> bool:
        """Whether a quarter of an hour later it would be too late."""
        ends = self.home.slots.start(self.profile.starts[own]) + self.profile.lasts
        return (self.profile.run.done_by - ends).total_seconds() < 900

    def _start(self) -> int:
        """Which of its starts is planned."""
        first = int(np.flatnonzero(self.schedule.power_w[self.profile.device.id] > 0)[0])
        return int(np.abs(np.array(self.profile.starts) - first).argmin())

    def _done_by(self) -> str:
        """The owner's wish, or when it is done where that is too late."""
        home, asked = self.home, self.profile.run.done_by
        if not self.schedule.power_w[self.profile.device.id].any() or self.profile.late_h[self._start()] <= 0:
            return f"done by {local(home, asked)}"
        ends = home.slots.start(self.profile.starts[self._start()]) + self.profile.lasts
        return f"done at {local(home, ends)}, not by {local(home, asked)}"

    def _waiting(self, a: int, b: int) -> str:
        home = self.home
        if home.slots.start(a) < self.profile.run.not_before:
            return "as you asked"
        if float(home.base_w[b]) < min(0.0, float(home.base_w[a])) - 50:
            return "for the sun"
        name, most = self.profile.device.id, float(self.profile.shapes.max())
        left, late = left_words(home, self.schedule, name, most, a, b), self.profile.late_h[self._start()] > 0
        if float(home.buy_cost[b]) < CHEAPER * float(home.buy_cost[a]) and not (left and late):
            return "when power is cheaper"
        if left:
            return f"because {left}"
        return "when there is room for it"


@dataclass(frozen=True, slots=True)
class LoadStory:
    """One device's kinds over the slots, and who says why."""

    device: Device
    role: str
    kinds: list[IntentKind]
    why: Callable[[IntentKind, int, int], str]


def load_stories(home: Home, schedule: Schedule) -> Iterator[LoadStory]:
    """Of each pool pump and each appliance with a run, in the order of the site."""
    for runs in home.runs:
        kinds = run_kinds(schedule.power_w[runs.device.id])
        yield LoadStory(runs.device, "runs", kinds, RunsStory(home, schedule, runs).why)
    for profile in home.profiles:
        story = ProfileStory(home, schedule, profile)
        yield LoadStory(profile.device, "profile", story.kinds(), story.why)
    for name, power in home.given.items():
        device = home.request.site.device(name)
        used = np.flatnonzero(power > 0)
        if device is not None:
            last = int(used[-1]) + 1 if len(used) else 1
            kinds = [IntentKind.RUN] * last + [IntentKind.IDLE] * (len(power) - last)
            yield LoadStory(device, "under way", kinds, partial(_under_way, device, home))


def _under_way(device: Device, home: Home, kind: IntentKind, a: int, b: int) -> str:
    """Why an appliance that runs goes on, or what comes after."""
    if kind is IntentKind.IDLE:
        return f"{called(device)} is done."
    return f"{called(device)} runs until about {clock(home, b)} and is not interrupted."


def bent_loads(home: Home, block: Block) -> Home:
    """The same home in which a pool pump or an appliance must do the block's alternative; others as they are."""
    return replace(
        home,
        runs=tuple(_bent_runs(home, r, block) if r.device.id == block.device else r for r in home.runs),
        profiles=tuple(_bent_profile(home, p, block) if p.device.id == block.device else p for p in home.profiles),
    )


def _bent_runs(home: Home, runs: Runs, block: Block) -> Runs:
    """Not in the block, or at once for one least run."""
    span = home.slots.touched(block.start, block.end)
    if block.kind is IntentKind.RUN:
        return replace(runs, cap_w=np.where(span, 0.0, runs.cap_w), must=runs.must & ~span)
    since = home.slots.ahead_h - home.slots.ahead_h[span][0]
    return replace(runs, must=runs.must | ((since >= 0) & (since < max(runs.min_run_h, 0.25))))


def _bent_profile(home: Home, profile: Profile, block: Block) -> Profile:
    """A start before the block's end, or any but the one planned, is as late as can be."""
    starts = home.slots.edges[list(profile.starts)]
    if block.kind is IntentKind.RUN:
        worse = starts < block.end.timestamp() - 1
    else:
        worse = np.arange(len(starts)) > 0
    return replace(profile, late_h=profile.late_h + np.where(worse, 1e4, 0.0))
