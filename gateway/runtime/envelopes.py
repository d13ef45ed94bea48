"""What the grid operator allows at the house itself: followed every tick, kept over a restart, told to the owner."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from gateway.core.control.envelope import GRACE, follow, grid_limit_w
from gateway.model.audit import AuditRow
from gateway.model.authority import Authority
from gateway.model.envelope import Counts, EnvelopePhase, EnvelopeSpec, EnvelopeState, Heard
from gateway.model.errors import StoreError, WishRefused
from gateway.model.quantity import Quantity
from gateway.model.reading import Reading
from gateway.model.setpoint import Limit, LimitKind
from gateway.model.site import Device, Role, Site
from gateway.model.snapshot import Snapshot
from gateway.ports import Clock, Pushable, Store
from gateway.runtime.live import HomeState
from gateway.runtime.notices import Notices

log = logging.getLogger(__name__)

KEY = "envelopes"
EXPECTED = timedelta(hours=2)
"""How long a limit without an end is expected to last: the plan must count with something (section 14a: rarely longer)."""


@dataclass(slots=True)
class Envelopes:
    """All local envelopes of the home; `on_change` re-plans and ticks."""

    site: Site
    clock: Clock
    store: Store
    notices: Notices
    live: HomeState
    seen: Callable[[], Snapshot | None]
    on_change: Callable[[str], None]
    doors: Mapping[str, Pushable] = field(default_factory=dict)
    """Devices that a bridge tells of over the HTTP API."""
    states: dict[str, EnvelopeState] = field(default_factory=dict)
    _ends: dict[str, datetime | None] = field(default_factory=dict)
    _beats: dict[str, tuple[float, datetime]] = field(default_factory=dict)
    _papers: set[asyncio.Task[None]] = field(default_factory=set)

    async def resume(self) -> None:
        """Take up what held before a restart: a limit holds on until it is heard otherwise."""
        kept = await self.store.get(KEY) or {}
        for device in self.devices():
            if isinstance(kept.get(device.id), dict):
                self.states[device.id] = _from_document(kept[device.id])

    def devices(self) -> tuple[Device, ...]:
        """The contacts and bridges of the home."""
        return self.site.of_role(Role.GRID_LIMIT)

    def in_force(self) -> tuple[Limit, ...]:
        """Follow every envelope up to now; the limits that hold, for the tick and, as far as known, for the plan."""
        return tuple(limit for device in self.devices() for limit in self._limits(device, self._followed(device)))

    def admits(self, name: str, token: str) -> bool:
        """Whether a bridge with this token may speak for an envelope."""
        door = self.doors.get(name)
        return door is not None and door.admits(token)

    async def tell(
        self, name: str, *, active: bool, import_w: float | None, export_w: float | None, duration_s: float | None
    ) -> str:
        """All that a bridge says of one envelope now, and a sign of life; magnitudes in W, None: no such limit.

        It is on the disk before this returns what holds, in words; raises WishRefused.
        """
        door, now = self.doors.get(name), self.clock.now()
        device = next((device for device in self.devices() if device.id == name), None)
        if door is None or device is None:
            known = ", ".join(self.doors) or "none: give a device of role grid_limit a connection of kind pushed"
            raise WishRefused(f"There is no envelope '{name}' that is told over the API. Known: {known}.")
        self._ends[name] = now + timedelta(seconds=duration_s) if active and duration_s else None
        told = {Quantity.DIMMED: float(active is not _spec(device).inverted)}
        limits = {Quantity.IMPORT_LIMIT: import_w, Quantity.EXPORT_LIMIT: export_w}
        for quantity, watts in limits.items():
            self.live.latest.get(name, {}).pop(quantity, None)
            if active and watts is not None:
                told[quantity] = watts
        for quantity, value in told.items():  # the tick must not wait for the meter's own loop
            self.live.take(Reading(name, quantity, value, now))
        door.push(told)
        self._followed(device)
        await self._keep(None)
        return self.words(device)

    def words(self, device: Device) -> str:
        """Where one envelope stands, for people."""
        state = self.states.get(device.id)
        return _WORDS[state.phase] if state is not None else _WORDS[EnvelopePhase.INIT]

    def _followed(self, device: Device) -> EnvelopeState:
        """One envelope up to now; a change is told, kept and acted on."""
        before, spec = self.states.get(device.id), _spec(device)
        heard = self._heard(device, spec)
        if heard.active is False:  # what was told for the limit that is over says nothing of the next one
            for quantity in (Quantity.IMPORT_LIMIT, Quantity.EXPORT_LIMIT):
                self.live.latest[device.id].pop(quantity, None)
        state = follow(before, spec, heard, self.clock.now())
        self.states[device.id] = state
        if before is None or (before.phase, before.import_w, before.export_w) != (
            state.phase, state.import_w, state.export_w,
        ):  # fmt: skip
            self._changed(device, before, state)
        elif state.phase is EnvelopePhase.INIT and self.clock.now() - state.since >= GRACE:
            self._tell_owner(device, state)
        return state

    def _heard(self, device: Device, spec: EnvelopeSpec) -> Heard:
        """What the newest readings say; a heartbeat counts by its change, without one any reading is a sign of life."""
        series = self.live.latest.get(device.id, {})
        if not series:
            return Heard(None)
        values = {quantity: latest.value for quantity, latest in series.items()}
        dimmed, import_w, export_w = (
            values.get(quantity) for quantity in (Quantity.DIMMED, Quantity.IMPORT_LIMIT, Quantity.EXPORT_LIMIT)
        )
        active: bool | None = None
        if dimmed is not None:
            active = (dimmed >= 0.5) is not spec.inverted
        elif import_w is not None or export_w is not None:
            active = True
        return Heard(self._alive_at(device, values), active, import_w, export_w, self._ends.get(device.id))

    def _alive_at(self, device: Device, values: Mapping[Quantity, float]) -> datetime:
        now, series = self.clock.now(), self.live.latest[device.id]
        newest = max(latest.at for latest in series.values())
        spoke = now - timedelta(seconds=self.clock.monotonic() - newest)
        beat = values.get(Quantity.HEARTBEAT)
        if beat is None:
            return spoke
        known = self._beats.get(device.id)
        if known is None or known[0] != beat:
            self._beats[device.id] = (
                beat,
                now - timedelta(seconds=self.clock.monotonic() - series[Quantity.HEARTBEAT].at),
            )
        return self._beats[device.id][1]

    def _limits(self, device: Device, state: EnvelopeState) -> list[Limit]:
        spec, now = _spec(device), self.clock.now()
        end = state.ends or now + EXPECTED
        found = []
        if state.import_w is not None:
            last = self.seen()
            house, sun = (last.house_w(), last.pv_w()) if last is not None else (None, None)
            watts = grid_limit_w(state.import_w, spec.counts, house, sun)
            what = "controllable devices draw" if spec.counts is Counts.DEVICES else "this home draws"
            words = f"{_WHY[state.phase]}: {what} at most {state.import_w / 1000:g} kW"
            found.append(
                _limit(LimitKind.SITE_IMPORT, watts, state, end, device, f"{words}{_until(state, self.site)}.")
            )
        if state.export_w is not None:
            words = f"{_WHY[state.phase]}: this home feeds in at most {state.export_w / 1000:g} kW"
            limit = _limit(
                LimitKind.SITE_EXPORT, state.export_w, state, end, device, f"{words}{_until(state, self.site)}."
            )
            found.append(limit)
        return found

    def _changed(self, device: Device, before: EnvelopeState | None, state: EnvelopeState) -> None:
        """On disk, in the audit and to the owner; the limit itself holds from this tick on, whatever the disk does."""
        cause, held = f"envelope {device.id}", state.import_w is not None or state.export_w is not None
        words = self._held_words(device, state) or "The grid operator sets no limit any more."
        self.notices.later_end(cause)
        if held and state.phase is not EnvelopePhase.INIT:  # in the first moments nobody can have been heard
            self._tell_owner(device, state)
        log.info("%s: %s. %s", device.id, state.phase.value, words)
        row = AuditRow(self.clock.now(), "asked" if held else "released", device.id, words, 2, cause)
        task = asyncio.get_running_loop().create_task(self._keep(row), name=f"{cause} kept")
        self._papers.add(task)
        task.add_done_callback(self._papers.discard)
        self.on_change("limit")

    def _held_words(self, device: Device, state: EnvelopeState) -> str:
        return " ".join(limit.reason for limit in self._limits(device, state))

    def _tell_owner(self, device: Device, state: EnvelopeState) -> None:
        level = "info" if state.phase is EnvelopePhase.LIMITED else "warning"
        words = f"{self._held_words(device, state)} {_REMEDY[state.phase]}".strip()
        self.notices.later_raise(f"envelope {device.id}", level, words)

    async def _keep(self, row: AuditRow | None) -> None:
        try:
            await self.store.put(KEY, {name: _document(state) for name, state in self.states.items()})
            if row is not None:
                await self.store.append(row)
        except StoreError as error:
            log.error("an envelope is not kept on disk: %s", error)


_WHY = {
    EnvelopePhase.INIT: "Nothing was heard of the grid operator yet",
    EnvelopePhase.UNLIMITED: "No limit",
    EnvelopePhase.LIMITED: "The grid operator limits the connection",
    EnvelopePhase.FAILSAFE: "The grid operator's signal is silent",
    EnvelopePhase.AUTONOMOUS: "The grid operator's signal is still silent",
}
_WORDS = {
    EnvelopePhase.INIT: "not heard yet: the safe value holds",
    EnvelopePhase.UNLIMITED: "no limit",
    EnvelopePhase.LIMITED: "limited by the grid operator",
    EnvelopePhase.FAILSAFE: "silent: the safe value holds",
    EnvelopePhase.AUTONOMOUS: "silent for long: the safe value holds on",
}
_CHECK = "Check the contact, the bridge and their wires."
_REMEDY = {
    EnvelopePhase.INIT: _CHECK,
    EnvelopePhase.UNLIMITED: "",
    EnvelopePhase.LIMITED: "",
    EnvelopePhase.FAILSAFE: _CHECK,
    EnvelopePhase.AUTONOMOUS: _CHECK,
}


def _spec(device: Device) -> EnvelopeSpec:
    return device.spec if isinstance(device.spec, EnvelopeSpec) else EnvelopeSpec()


def _limit(kind: LimitKind, watts: float, state: EnvelopeState, end: datetime, device: Device, words: str) -> Limit:
    return Limit(kind, watts, state.since, end, Authority.BINDING_LIMIT, f"envelope {device.id}", words)


def _until(state: EnvelopeState, site: Site) -> str:
    if state.ends is not None:
        return f" until {state.ends.astimezone(site.timezone):%H:%M}"
    return " until further notice" if state.phase is EnvelopePhase.LIMITED else " until it is heard again"


def _document(state: EnvelopeState) -> dict[str, Any]:
    times = {name: value.isoformat() if value else None for name, value in _times(state).items()}
    return {"phase": state.phase.value, "import_w": state.import_w, "export_w": state.export_w, **times}


def _times(state: EnvelopeState) -> dict[str, datetime | None]:
    return {"since": state.since, "heard": state.heard, "ends": state.ends}


def _from_document(document: Mapping[str, Any]) -> EnvelopeState:
    heard, ends = (datetime.fromisoformat(at) if (at := document.get(name)) else None for name in ("heard", "ends"))
    return EnvelopeState(
        EnvelopePhase(document["phase"]),
        datetime.fromisoformat(document["since"]),
        document.get("import_w"),
        document.get("export_w"),
        heard,
        None,
        ends,
    )
