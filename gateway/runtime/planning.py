"""The plan loop: at each slot boundary and on each cause, in one worker thread with a time limit."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from gateway.core.planning.request import PlanRequest
from gateway.model.effect import Beside
from gateway.model.plan import Block, IntentKind, Plan
from gateway.model.snapshot import Snapshot
from gateway.ports import Clock, LearnedStore
from gateway.runtime.surprise import Surprise

if TYPE_CHECKING:
    from gateway.core.planning.scheduler import Worked

log = logging.getLogger(__name__)

SLOT_S = 300.0
PRICING_S = 3.0
"""So long alternatives are priced after each plan, s of the world's time; the rest keep the price they had."""
SHOWN_FIRST = 2
"""Of so many blocks of each device the price is always of the plan in force."""
LOOKED_ANEW = ("forecast", "surprise")
"""Causes by which only what is expected changes."""
SETTLE_S = 0.1
"""Causes that come together make one plan (real s)."""


Change = Callable[[PlanRequest], PlanRequest]


@dataclass(frozen=True, slots=True)
class Way:
    """One way to go on from what is asked now, to set others beside it: the request as it was asked, solved, and told."""

    request: PlanRequest
    worked: Worked
    plan: Plan


@dataclass(slots=True)
class PlanLoop:
    """Keeps the newest plan; `cause` asks for another one at once."""

    clock: Clock
    store: LearnedStore
    request: Callable[[str], PlanRequest | None]
    on_plan: Callable[[Plan], None]
    plan: Plan | None = None
    durations_ms: list[float] = field(default_factory=list)
    turn: int = 0
    """Counts what changed of what is asked of the home: limits, events, cars, wishes, prices."""
    _based_on: PlanRequest | None = None
    _work: Worked | None = None
    """The plan in force as it was solved: what its alternatives are solved on from, in the one thread."""
    _cause: str = "start"
    _surprise: Surprise = field(default_factory=Surprise)
    _cars: frozenset[object] | None = None
    """What the plan knows of the cars, as of the last snapshot."""
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _thread: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, thread_name_prefix="plan"))

    def cause(self, what: str) -> None:
        """Ask for a new plan because of `what`."""
        self._cause = what
        self.turn += what not in LOOKED_ANEW
        self._wake.set()

    async def run(self) -> None:
        """Plan until cancelled."""
        while True:
            await self.clock.sleep(0, real_floor=SETTLE_S)
            self._wake.clear()
            cause, self._cause = self._cause, "time"
            await self.once(cause)
            await self._until_next()

    async def once(self, cause: str) -> None:
        """Make one plan now; without a snapshot there is nothing to plan yet."""
        request = self.request(cause)
        if request is None:
            return
        run = asyncio.get_running_loop().run_in_executor
        started = self.clock.monotonic()
        worked, made = await run(self._thread, _worked, request)
        plan = priced_as(made, self.plan)
        self.durations_ms = [*self.durations_ms[-199:], (self.clock.monotonic() - started) / self.clock.speed * 1000]
        before, self.plan, self._based_on, self._work = self.plan, plan, request, worked
        if before is None or before.method != plan.method:
            log.info("plan: %s, because of %s", plan.method, cause)
        self.on_plan(plan)
        # In force first; what the alternatives would cost is for reading and may come a moment later.
        plan = await self._priced(request, plan, worked)
        await self.store.save_plan(plan)

    async def _priced(self, request: PlanRequest, plan: Plan, worked: Worked) -> Plan:
        """The plan with the alternatives of the blocks that are read first, priced one by one until a cause comes."""
        run, started, before = asyncio.get_running_loop().run_in_executor, self.clock.monotonic(), plan
        for block in pricing_order(plan, request.now):
            spent_s = (self.clock.monotonic() - started) / self.clock.speed
            if self._wake.is_set() or spent_s >= PRICING_S:
                break
            micro, co2_g = await run(self._thread, _counterfactual, request, plan, block, worked)
            way = block.alternative if micro is not None else ""
            found = replace(
                block, alternative=way, alternative_cost_micro=micro, alternative_co2_g=co2_g, priced_at=plan.made_at
            )
            plan = replace(plan, blocks=tuple(found if each is block else each for each in plan.blocks))
        if plan is not before:
            self.plan = plan
            self.on_plan(plan)
        return plan

    async def counterfactual(self, device: str, start: datetime) -> tuple[Block, int | None, float | None] | None:
        """The exact cost of the alternative to one block (micro-units, g CO2), None where there is no other way.

        None when there is no such block.
        """
        if self.plan is None or self._based_on is None:
            return None
        block = _asked(self.plan, device, start)
        if block is None:
            return None
        run = asyncio.get_running_loop().run_in_executor
        micro, co2_g = await run(self._thread, _counterfactual, self._based_on, self.plan, block, self._work)
        return block, micro, co2_g

    async def charge_now(self, device: str) -> tuple[int, float] | None:
        """What charging this car from now on at full power costs more than the plan in force (micro-units, g CO2).

        Exact: both ways are solved, whatever the plan intends now. None without a plan for it.
        """
        if self.plan is None or self._based_on is None or not self.plan.slots:
            return None
        if not any(block.device == device for block in self.plan.blocks):
            return None
        start, last = self.plan.slots[0].start, self.plan.slots[-1]
        end = last.start + timedelta(seconds=last.duration_s)
        instead = Block(device, IntentKind.HOLD, start, end, 0.0, 0.0, "", "charge now")
        run = asyncio.get_running_loop().run_in_executor
        micro, co2_g = await run(self._thread, _counterfactual, self._based_on, self.plan, instead, self._work)
        return micro or 0, co2_g or 0.0  # it charges so already

    def watch(self, snapshot: Snapshot) -> None:
        """Ask for a new plan when a car said something new, or house, sun or battery went far from the plan for two minutes."""
        cars = cars_known(snapshot)
        if self._cars is not None and cars != self._cars:
            self.cause("car")
        self._cars = cars
        charge = self._based_on.snapshot.soc_percent() if self._based_on is not None else None
        if self._surprise.sure(snapshot, self.plan, charge, self.clock.monotonic()):
            self.cause("surprise")

    async def way(self, change: Change | None = None) -> Way | None:
        """The plan for what is asked now, changed where `change` is given; None when nothing can be planned yet."""
        request = self.request("question")
        if request is None:
            return None
        return await asyncio.get_running_loop().run_in_executor(self._thread, _way, request, change)

    async def beside(self, way: Way, change: Change, *, own_prices: bool = False) -> tuple[Plan, Beside]:
        """The plan for the request of `way`, changed, and what it means beside that way; `own_prices` as in the core."""
        run = asyncio.get_running_loop().run_in_executor
        return await run(self._thread, _beside, way, change, own_prices)

    async def without(self, event: str) -> Plan | None:
        """The plan the home would follow now if one event were unknown; None when nothing can be planned yet."""
        request = self.request("baseline")
        if request is None:
            return None
        limits = tuple(limit for limit in request.limits if limit.source != event)
        prices = tuple(price for price in request.price_signals if price.event != event)
        free = replace(request, limits=limits, price_signals=prices)
        return await asyncio.get_running_loop().run_in_executor(self._thread, _plan, free, False)

    async def _until_next(self) -> None:
        now = self.clock.now()
        left = SLOT_S - now.timestamp() % SLOT_S
        floor = 2.0 if self.clock.speed > 1 else 0.0
        wake = asyncio.ensure_future(self._wake.wait())
        pause = asyncio.ensure_future(self.clock.sleep(left, real_floor=floor))
        try:
            await asyncio.wait({wake, pause}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            wake.cancel()
            pause.cancel()


def _asked(plan: Plan, device: str, start: datetime) -> Block | None:
    """The block of that start, or the one that holds it now.

    A block that runs begins anew with each plan: who still looks at the plan before asks by a start just gone.
    """
    exact = next((b for b in plan.blocks if b.device == device and b.start == start), None)
    first = plan.slots[0].start if plan.slots else plan.made_at
    if exact is not None or start < first - timedelta(seconds=2 * SLOT_S):
        return exact
    return plan.block(device, max(start, first))


def cars_known(snapshot: Snapshot) -> frozenset[object]:
    """What a plan depends on of each car and does not follow from the meter: session, tag, needs, phases, charge."""
    return frozenset(
        (status.id, status.transaction, status.tag, status.needs, status.soc_percent is None)
        + (() if status.switches_phases else (status.phases_in_use,))
        for status in snapshot.chargers.values()
    )


def _plan(request: PlanRequest, alternatives: bool) -> Plan:
    from gateway.core.planning.scheduler import make_plan

    return make_plan(request, alternatives=alternatives)


def _worked(request: PlanRequest) -> tuple[Worked, Plan]:
    from gateway.core.planning.scheduler import make_plan, work_out

    worked = work_out(request)
    return worked, make_plan(request, alternatives=False, worked=worked)


def _way(request: PlanRequest, change: Change | None) -> Way:
    return Way(request, *_worked(change(request) if change is not None else request))


def _beside(way: Way, change: Change, own_prices: bool) -> tuple[Plan, Beside]:
    from gateway.core.planning.beside import beside

    other, plan = _worked(change(way.request))
    return plan, beside(way.worked, other, own_prices=own_prices)


def _counterfactual(
    request: PlanRequest, plan: Plan, block: Block, worked: Worked | None
) -> tuple[int | None, float | None]:
    from gateway.core.planning.scheduler import counterfactual

    return counterfactual(request, plan, block, worked)


def pricing_order(plan: Plan, now: datetime) -> list[Block]:
    """The blocks that have an alternative, those that are read first before the others.

    First the one in force and the next of each device, then the soonest without any price, then the longest ago priced.
    """
    seen, ranked = dict[str, int](), []
    for block in sorted(plan.blocks, key=lambda each: each.start):
        if not block.alternative or block.end <= now:
            continue
        seen[block.device] = seen.get(block.device, 0) + 1
        rank = 0 if seen[block.device] <= SHOWN_FIRST else 1 if block.priced_at is None else 2
        ranked.append((rank, block.priced_at if rank == 2 else None, block))
    ranked.sort(key=lambda each: (each[0], each[1] or now, each[2].start, each[2].device))
    return [block for _, _, block in ranked]


def priced_as(plan: Plan, before: Plan | None) -> Plan:
    """The plan with what its blocks' alternatives cost in the plan before, until they are priced anew.

    Without it the page would lose what waiting saves for a moment at every new plan.
    """
    return replace(plan, blocks=tuple(_as_before(block, before) for block in plan.blocks))


def _as_before(block: Block, before: Plan | None) -> Block:
    if before is None or block.alternative_cost_micro is not None:
        return block
    same = (
        b for b in before.blocks if (b.device, b.kind, b.alternative) == (block.device, block.kind, block.alternative)
    )
    known = next((b for b in same if b.start < block.end and block.start < b.end), None)
    if known is None:
        return block
    return replace(
        block,
        alternative_cost_micro=known.alternative_cost_micro,
        alternative_co2_g=known.alternative_co2_g,
        priced_at=known.priced_at,
    )
