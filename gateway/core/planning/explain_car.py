"""The cars' part of the plan in words: wait, charge, done, and why."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np

from gateway.core.control.sun import has_solar
from gateway.core.planning.cars import Car
from gateway.core.planning.fallback import lacking_wh, minimum_lacking_wh, thrift_words
from gateway.core.planning.home import Home
from gateway.core.planning.limits import Mask
from gateway.core.planning.schedule import Schedule
from gateway.core.planning.slots import Array
from gateway.model.plan import IntentKind
from gateway.model.preferences import ChargeGoal, ChargeMode
from gateway.model.setpoint import Limit, LimitKind

CHEAPER = 0.97
"""A price below this share of another is worth a word."""
PLAIN_NAMES = ("car", "charger", "car charger", "electric car")


@dataclass(frozen=True, slots=True)
class CarStory:
    """One car in a schedule, asked for what it does and why."""

    home: Home
    schedule: Schedule
    car: Car

    @property
    def power(self) -> Array:
        """Its power over the slots, W."""
        return self.schedule.power_w[self.car.device.id]

    @property
    def name(self) -> str:
        """How it begins a sentence: "The car" when it is named for what it is, else its own name as it is."""
        name = self.car.device.name
        return f"The {name.lower()}" if name.lower() in PLAIN_NAMES else name

    def kinds(self) -> list[IntentKind]:
        """What it is meant to do in each slot."""
        car, power = self.car, self.power
        last = int(np.flatnonzero(power > 0).max(initial=-1))
        solar = car.mode is ChargeMode.SOLAR
        # A car with no departure in sight takes whatever sun there is meanwhile.
        open_end = car.open_end and car.mode is ChargeMode.SMART and car.need_wh > 100
        on_sun = (solar and car.need_wh > 0) or (open_end and self._has_solar())
        kinds = []
        for index, watts in enumerate(power):
            if watts > 0:
                kinds.append(IntentKind.SURPLUS_ONLY if solar else IntentKind.CHARGE_AT)
            elif on_sun and car.window[index]:
                kinds.append(IntentKind.SURPLUS_ONLY)
            elif index < last or (car.need_wh > 100 and car.window[index] and last < 0):
                kinds.append(IntentKind.HOLD)
            else:
                kinds.append(IntentKind.IDLE)
        return kinds

    def why(self, kind: IntentKind, a: int, b: int) -> str:
        """One sentence for the slots from `a` to before `b`."""
        car = self.car
        if not car.plugged:
            return "No car is plugged in."
        if car.mode is ChargeMode.OFF:
            return "Charging is switched off."
        if kind is IntentKind.IDLE:
            return self._idle(a)
        if kind is IntentKind.SURPLUS_ONLY:
            return self._on_sun(a, b)
        if kind is IntentKind.CHARGE_AT:
            return self._charging(a, b)
        later = np.flatnonzero(self.power[b:] > 0)
        if not len(later):
            return self._waits_on(a, b)
        start = b + int(later[0])
        return f"{self.name} waits until {clock(self.home, start)} {self._waiting(a, b, start)}; {self._full()}."

    def _on_sun(self, a: int, b: int) -> str:
        if self.car.mode is not ChargeMode.SOLAR:
            above = self._above(a, b)
            return f"{self.name} takes surplus sun only{f', because {above}' if above else ''}; {self._no_hurry()}."
        if not self._has_solar():
            return f"{self.name} does not charge: it is on sun only, and Hearth knows no solar system in this home."
        return f"{self.name} charges on surplus sun only, as you asked."

    def _waits_on(self, a: int, b: int) -> str:
        """It waits, and no charging is planned after."""
        above = self._above(a, b)
        if above:
            return f"{self.name} waits because {above}; {self._full()}."
        if not self._is_free():
            return self._cannot()
        return f"{self.name} waits for unusually cheap power; {self._no_hurry()}."

    def _above(self, a: int, b: int) -> str:
        """What keeps it from buying all the while, where that is the owner's limit of price or CO2; else empty."""
        above = bool((self.car.thrift_w[a:b] < self.car.min_w).all())
        return f"power is above your limit of {thrift_words(self.home, self.car)}" if above else ""

    def _is_free(self) -> bool:
        """Whether it could charge within the plan, and need not."""
        return self.car.open_end and bool((self.car.cap_w > 0).any())

    def _has_solar(self) -> bool:
        return has_solar(self.home.request.site) or bool((self.home.base_w < 0).any())

    def _idle(self, a: int) -> str:
        car = self.car
        if not car.window[a] and car.need_wh > 100 and not self.power.any():
            return f"{self.name} is expected to leave at {self._leaves()}."
        done = car.need_wh <= 100 or self.power.any()
        return f"{self.name} has what it needs." if done else self._cannot()

    def _waiting(self, a: int, b: int, start: int) -> str:
        car = self.car
        if car.mode is not ChargeMode.SMART:
            return self._event(a, b, []) or "because there is time enough"
        charging = self.power > 0
        charging[:start] = False
        causes = []
        if (above := self._above(a, b)) and not (car.thrift_w[charging] < car.min_w).any():
            causes.append(f"because {above} until then")
        elif above:
            causes.append(f"because {above}, and then charges in spite of it to be ready")
        elif self._lower(self._dirt_or_cost(), slice(a, b), charging):
            greener = car.wish.preference.goal is ChargeGoal.GREENEST
            causes.append(f"because power is {'cleaner' if greener else 'cheaper'} then")
        elif self.home.base_w[start] < 0 and self.power[start] <= -self.home.base_w[start] * 1.5:
            causes.append("because the sun will charge it then")
        return self._event(a, b, causes) or "because there is time enough"

    def _event(self, a: int, b: int, causes: list[str]) -> str:
        limit = limit_of(self.home, self.car.device.id, (LimitKind.DEVICE_POWER,), a, b)
        if limit is not None:
            span = f"from {local(self.home, limit.start)} to {local(self.home, limit.end)}"
            causes.append(("and " if causes else "because ") + f"the utility asks to save power {span}")
        elif left := left_words(self.home, self.schedule, self.car.device.id, self.car.min_w, a, b):
            causes.append(("and " if causes else "because ") + left)
        return " ".join(causes)

    def _dirt_or_cost(self) -> Array:
        greener = self.car.wish.preference.goal is ChargeGoal.GREENEST
        return self.home.carbon if greener else self.home.buy_cost

    def _lower(self, series: Array, here: slice, there: Mask) -> bool:
        hours = self.home.slots.hours
        now = float(series[here] @ hours[here] / hours[here].sum())
        then = float(series[there] @ hours[there] / hours[there].sum())
        return then < CHEAPER * now

    def _charging(self, a: int, b: int) -> str:
        car, name, until = self.car, self.name, clock(self.home, b)
        if car.run[a]:
            ends = a + int(np.argmin(car.run[a:])) if not car.run[a:].all() else len(car.run)
            return f"You asked to charge now, until {clock(self.home, ends)}; {self._full()}."
        if car.wish.guest:
            return f"A guest's car charges at once, with at most {car.wish.max_a:g} A."
        if car.mode is ChargeMode.NOW:
            return f"{name} charges because you chose to charge at once; {self._full()}."
        if car.at_once[a]:
            return f"{name} charges at once to your minimum of {car.wish.floor_words}; {self._full()}."
        if car.mode is ChargeMode.MIN_SOLAR:
            return f"{name} charges at its minimum, and more when the sun allows; {self._full()}."
        power, series = self.power[a:b], self._dirt_or_cost()
        if float(power.sum()) <= 1.2 * float(np.maximum(0.0, -self.home.base_w[a:b]).sum()):
            return f"{name} charges on the sun until {until}; {self._full()}."
        over = self.schedule.grid_w(self.home)[a:b] > self.home.soft_import_w[a:b] + 1
        if (car.soft_w[a:b] < power).any() or over.any():
            return f"{name} charges in spite of the event, or it would not be ready by {self._leaves()}."
        if (car.thrift_w[a:b] < power - 1).any():
            words = thrift_words(self.home, car)
            return f"{name} charges above your limit of {words}, or it would not be ready by {self._leaves()}."
        before = series[car.window & (car.cap_w > 0)]
        if len(before) and float(series[a:b].mean()) < CHEAPER * float(before.max()):
            best = float(series[a:b].max()) <= float(before.min()) * 1.02
            return f"{name} charges until {until} because {self._best(best)}; {self._full()}."
        which = "cleaner" if car.wish.preference.goal is ChargeGoal.GREENEST else "cheaper"
        return f"{name} charges until {until}, as no later time is {which}; {self._full()}."

    def _best(self, best: bool) -> str:
        if self.car.wish.preference.goal is ChargeGoal.GREENEST:
            return "power is cleanest then" if best else "power is dirtier at other times"
        return "power is cheapest then" if best else "power is dearer at other times"

    def _full(self) -> str:
        short = lacking_wh(self.home, self.car.departures[0], self.power)
        if short > 100 and not self.car.open_end:
            return f"it will lack {short / 1000:.1f} kWh at {self._leaves()}"
        short = minimum_lacking_wh(self.home, self.car, self.power)
        if short > 100:
            return f"it will lack {short / 1000:.1f} kWh of your minimum of {self.car.wish.floor_words}"
        if self.car.open_end:
            return self._no_hurry()
        if self.car.wish.from_car:
            return f"it will have what it asked for by {self._leaves()}"
        return f"it will be full by {self._leaves()}"

    def _no_hurry(self) -> str:
        return f"it need not be ready before {local(self.home, self.car.ready)}"

    def _leaves(self) -> str:
        """The car's departure as local time."""
        return f"{self.car.ready.astimezone(self.home.request.site.timezone):%H:%M}"

    def _cannot(self) -> str:
        return f"{self.name} cannot charge: a limit leaves less than its minimum."


def limit_of(home: Home, device: str, kinds: tuple[LimitKind, ...], a: int, b: int) -> Limit | None:
    """The first limit of these kinds on a device within the slots from `a` to before `b`."""
    start, end = home.slots.start(a), home.slots.start(b)
    fitting = (
        x for x in home.request.limits
        if x.kind in kinds and x.device in ("", device) and x.start < end and x.end > start
    )  # fmt: skip
    return next(fitting, None)


def left_words(home: Home, schedule: Schedule, device: str, least_w: float, a: int, b: int) -> str:
    """What leaves a device less than `least_w` W for most of the slots from `a` to before `b`; empty where nothing does."""
    most = np.minimum(home.import_w, home.soft_import_w)
    if _is_short(home, most - schedule.grid_w(home), least_w, a, b):
        limit = limit_of(home, "", (LimitKind.SITE_IMPORT,), a, a + 1)
        if limit is not None and limit.value <= float(most[a]) + 1:
            return f"the home may draw no more than {limit.value / 1000:.2g} kW until {local(home, limit.end)}"
        return "the connection holds no more beside what else runs"
    for room in home.rooms:
        share = room.shares.get(device, 0.0)
        drawn = sum((part * schedule.power_w[name] for name, part in room.shares.items()), np.zeros(home.slots.count))
        if share > 0 and _is_short(home, (room.room_w - drawn) / share, least_w, a, b):
            return f"{room.name} holds no more beside what else runs"
    return ""


def _is_short(home: Home, left_w: Array, least_w: float, a: int, b: int) -> bool:
    """Whether less is left as the block begins, and in at least half of it."""
    short, hours = left_w[a:b] < least_w - 1, home.slots.hours[a:b]
    return bool(short[0]) and float(hours @ short) >= 0.5 * float(hours.sum())


def sentence(words: str) -> str:
    """The words with one full stop, whether they came with one or not."""
    return f"{words.rstrip(' .')}."


def clock(home: Home, index: int) -> str:
    """The start of a slot as local time."""
    return local(home, home.slots.start(index))


def local(home: Home, when: datetime) -> str:
    """Local time; with the day when it is not within a day from now."""
    zone, now = home.request.site.timezone, home.request.now
    far = (when - now).total_seconds() >= 86_400
    return f"{when.astimezone(zone):%A %H:%M}" if far else f"{when.astimezone(zone):%H:%M}"
