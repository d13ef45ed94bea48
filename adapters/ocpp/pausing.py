"""Pausing and starting a charger by other means than a limit: stop and start of transactions, availability."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from adapters.ocpp.facts import ChargerFacts
from adapters.ocpp.rungs import CHANGE_AVAILABILITY, LAST_RESORTS, REMOTE_STOP, Occasion, Profiles, Request, Rung
from gateway.model.errors import CommandRefused
from gateway.model.snapshot import ChargePhase

log = logging.getLogger(__name__)

START_AFTER_S = 60.0
"""A plugged charger that does not start by itself within this is started, s of home time."""
START_AGAIN_S = 300.0
STARTS = 3
"""After so many starts without a transaction, it is the driver's turn."""

Accepted = Callable[[Request], Awaitable[bool]]


class Pauser:
    """One connector's pauses; `accepted` asks the charger and says whether it said yes."""

    def __init__(
        self, device: str, facts: ChargerFacts, accepted: Accepted, start_after_s: float = START_AFTER_S
    ) -> None:
        self._device = device
        self._facts = facts
        self._accepted = accepted
        self._start_after_s = start_after_s
        self.paused_by: Rung | None = None
        """The last resort that keeps the charger from charging, by our wish."""
        self._wanted = False
        self._waits_since: float | None = None
        self._next_start = 0.0
        self._starts = 0
        self._had_session = False
        self._plugged_since_stop = True
        self.restarts = False
        """Whether it began anew by itself after we stopped it, the car still plugged in."""

    # ---- pausing

    def resorts(self) -> tuple[Rung, ...]:
        """What is left when no profile helps; a stop comes last where it would not last, or not be undone."""
        hangs = self._facts.get("no_remote_stop") is True
        return tuple(reversed(LAST_RESORTS)) if hangs or self.restarts else LAST_RESORTS

    async def pause(self, profiles: Profiles, at: Occasion, why: str) -> Rung:
        """0 A goes by no profile: stop the transaction, or take it out of service; raises CommandRefused, CallFailed."""
        for resort in self.resorts():
            if await self.stop_by(resort, profiles, at):
                if self.paused_by != resort:
                    log.info("%s: paused by %s, as %s", self._device, resort.words, why)
                self.paused_by = resort
                return resort
        raise CommandRefused(self._device, "pause", "0 A, RemoteStop and ChangeAvailability were refused")

    async def stop_by(self, resort: Rung, profiles: Profiles, at: Occasion) -> bool:
        """One last resort; whether the charger agreed."""
        stop = profiles.stop(at)
        if resort == REMOTE_STOP:
            return stop is not None and await self._accepted(stop)
        agreed = self.paused_by == CHANGE_AVAILABILITY or await self._accepted(profiles.availability(False, at))
        if agreed and stop is not None and self._facts.get("no_remote_stop") is not True:
            await self._accepted(stop)  # an open transaction would hold the change up ("Scheduled")
        return agreed

    # ---- starting

    def new_session(self, stopped: bool) -> None:
        """A transaction began; `stopped`: the one before was ended by us, as the charger obeys no limit."""
        ours = stopped or self.paused_by == REMOTE_STOP
        self.restarts = self.restarts or (ours and self._plugged_since_stop and self._starts == 0)
        self.paused_by = None
        self._plugged_since_stop = True
        self._had_session, self._waits_since, self._starts = True, None, 0

    def look(self, phase: ChargePhase | None, in_session: bool, wanted: bool | None, now: float) -> None:
        """Keep count of how long a plugged car has waited for a start that is wanted (monotonic home s; None: as before)."""
        wanted = self._wanted if wanted is None else wanted
        self._wanted = wanted
        if phase is ChargePhase.AVAILABLE:
            self._had_session, self._starts, self._next_start, self.restarts = False, 0, 0.0, False
            self._plugged_since_stop = False
            if self.paused_by == REMOTE_STOP:
                self.paused_by = None
        waits = phase is ChargePhase.PLUGGED and not in_session and wanted
        self._waits_since = (self._waits_since if self._waits_since is not None else now) if waits else None

    def start_is_due(self, now: float) -> bool:
        """Whether a start from here is due: by our own stop, or because the charger never starts by itself.

        A driver who ended the session at the charger is not overruled.
        """
        if self._waits_since is None or now < self._next_start or self._starts >= STARTS:
            return False
        if self.paused_by == REMOTE_STOP:
            return True
        early = self._facts.get("remote_start") is True
        return not self._had_session and now - self._waits_since >= (0.0 if early else self._start_after_s)

    async def start(
        self, profiles: Profiles, tag: str, profile: Request | None, at: Occasion, now: float, *, bare: bool = True
    ) -> None:
        """RemoteStart, with the limit inside where the charger takes it so; raises CommandRefused, CallFailed.

        `bare`: without a limit inside it is no danger either.
        """
        ours = self.paused_by == REMOTE_STOP
        self._starts, self._next_start = self._starts + 1, now + START_AGAIN_S
        if not await self._accepted(profiles.start(tag, profile, at)) and not (
            profile is not None and bare and await self._accepted(profiles.start(tag, None, at))
        ):
            log.info("%s: a start from here is refused", self._device)
        if ours and self._starts >= STARTS:
            await self._facts.learn("no_remote_stop", True)
            raise CommandRefused(
                self._device,
                "start",
                "it does not start again after a stop from here",
                "Unplug the car and plug it in.",
            )

    async def resume(self, profiles: Profiles, at: Occasion) -> None:
        """Undo a pause by availability."""
        if self.paused_by == CHANGE_AVAILABILITY and await self._accepted(profiles.availability(True, at)):
            self.paused_by, self._had_session = None, False  # we ended that session, so a start is ours to make
