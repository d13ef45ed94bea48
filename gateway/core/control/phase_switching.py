"""One phase or three: for chargers that announced they can switch, and for cars that can use it.

    sun, room  ____________/~~~~~~~~~~~~~~~~~~\\____________
    3 phases               |      |==========|     |            6 A x 3 and a little more: up
    1 phase    ==================>|          |<dwell>|=======   too little for 6 A x 3, enough for 6 A: down
                           |<dwell>|

A switch is wanted for a whole dwell before it is made, and at most so many are made on a local day: contactors wear,
and some cars need a new plug after many. The current is 0 A while it is made.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date

from gateway.core.control.timing import ControlTiming
from gateway.model.setpoint import Setpoint
from gateway.model.site import ChargerSpec
from gateway.model.snapshot import ChargerStatus

MOST_A_DAY = 10
MARGIN_A = 0.5
"""Three phases must have so much more than the minimum before a car goes back to them, A."""


@dataclass(frozen=True, slots=True)
class PhaseRun:
    """How one charger stands: `phases` 1 or 3, since when (monotonic home s), and what is wanted instead since when."""

    phases: int
    since: float = float("-inf")
    wanted_since: float | None = None
    told: bool = False
    """Whether the charger was told; else it stands as we found it."""
    day: date | None = None
    """Local day on which `count` switches were made."""
    count: int = 0
    one_phase_car: str = ""
    """The transaction whose car was seen on one phase though it had three: switching gives it nothing."""


def can_switch(spec: ChargerSpec, status: ChargerStatus | None) -> bool:
    """Whether this charger announced it, is connected, and has three phases to choose from."""
    return status is not None and status.connected and status.switches_phases and len(spec.phases) == 3


def found(commanded: Setpoint | None, status: ChargerStatus) -> PhaseRun:
    """How a charger stands that nothing is remembered of: a restart reads it from the command, else from the car."""
    if commanded is not None and commanded.phases:
        return PhaseRun(commanded.phases, told=True)
    return PhaseRun(1 if status.transaction and status.phases_in_use == 1 else 3)


def seen(run: PhaseRun, status: ChargerStatus, timing: ControlTiming, mono: float) -> PhaseRun:
    """The run with what the car shows: on one phase long after three were given, it has no more."""
    if not status.transaction:
        return replace(run, one_phase_car="")
    settled = run.told and mono - run.since > timing.phase_dwell_s / 2
    if run.phases == 3 and settled and status.phases_in_use == 1:
        return replace(run, one_phase_car=status.transaction)
    return run


def wanted(run: PhaseRun, on_three_a: float, on_one_a: float, spec: ChargerSpec) -> int:
    """On how many phases it should charge, given what it would get on three and on one, A per phase."""
    if run.one_phase_car:
        return run.phases
    if run.phases == 3:
        return 1 if on_three_a < spec.min_current_a <= on_one_a else 3
    return 3 if on_three_a >= min(spec.min_current_a + MARGIN_A, spec.max_current_a) else 1


def step(run: PhaseRun, want: int, timing: ControlTiming, mono: float, today: date) -> PhaseRun:
    """The run a tick later: switched once the wish has held for the dwell, the last switch is as old, and the day allows."""
    if want == run.phases:
        return replace(run, wanted_since=None)
    since = mono if run.wanted_since is None else run.wanted_since
    count = run.count if run.day == today else 0
    waited = min(mono - since, mono - run.since) >= timing.phase_dwell_s
    if not waited or count >= MOST_A_DAY:
        return replace(run, wanted_since=since)
    return PhaseRun(want, mono, told=True, day=today, count=count + 1, one_phase_car=run.one_phase_car)


def switching(run: PhaseRun, timing: ControlTiming, mono: float) -> bool:
    """Whether the switch is being made: the car gets 0 A until a car would have followed."""
    return run.told and mono - run.since <= timing.settle_s
