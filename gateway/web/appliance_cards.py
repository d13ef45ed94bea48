"""Appliances in words: what each does, what may be asked of it, and when the plan lets it start."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from gateway.model.loads import ApplianceRun, RunPhase
from gateway.model.plan import IntentKind
from gateway.model.site import Role
from gateway.runtime.words import local_time
from gateway.web.view import ApplianceDesk, HomeView


@dataclass(frozen=True, slots=True)
class ApplianceCard:
    """One appliance on a page: what it does, and what may be asked of it."""

    id: str
    name: str
    words: str
    waits: bool
    may_ask: bool
    by: str


def planned_start(home: HomeView, run: ApplianceRun) -> datetime | None:
    """When the plan lets a run that waits start; None when it does not know."""
    plan = home.plan()
    if plan is None or run.phase is not RunPhase.WAITING:
        return None
    starts = (block.start for block in plan.blocks if block.device == run.device and block.kind is IntentKind.RUN)
    return min(starts, default=None)


def appliance_cards(home: HomeView, desk: ApplianceDesk) -> list[ApplianceCard]:
    """Every appliance, in the order of the site file."""
    cards = []
    for device in home.site.of_role(Role.APPLIANCE):
        run = desk.runs.get(device.id)
        waits = run is not None and run.phase is RunPhase.WAITING
        runs = run is not None and run.phase is RunPhase.RUNNING
        by = run.done_by.astimezone(home.site.timezone).strftime("%H:%M") if run else "07:00"
        cards.append(ApplianceCard(device.id, device.name, _words(home, run), waits, not runs, by))
    return cards


def _words(home: HomeView, run: ApplianceRun | None) -> str:
    zone, now = home.site.timezone, home.clock.now()
    if run is None:
        return "Switch it on and ask for a run here; the plan chooses the cheapest time."
    if run.phase is RunPhase.DONE:
        return f"Done at {local_time(run.done_at or now, now, zone)}."
    if run.phase is RunPhase.RUNNING:
        return f"Running until about {local_time(run.ends_at or now, now, zone)}; it is not interrupted."
    start = planned_start(home, run)
    when = f"Starts about {local_time(start, now, zone)}" if start is not None else "Waits for the plan"
    return f"{when}; done by {local_time(run.done_by, now, zone)}."
