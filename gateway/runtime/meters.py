"""The meter loops: each device is read at its own pace; what fails or is too slow is told once."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from gateway.model.errors import DeviceError, DeviceUnreachable
from gateway.model.reading import Quality
from gateway.model.site import Role, Site
from gateway.ports import Clock, Meter, Paced
from gateway.runtime.intake import GRACE_S, Intake

__all__ = ["GRACE_S", "Intake", "MeterLoop"]

log = logging.getLogger(__name__)

TELL_AFTER_S = 3.0
"""A device that fails is told of after so long (real s)."""


@dataclass(slots=True)
class MeterLoop:
    """One device's reading loop; a failing device is noted once, and noted again when it is back."""

    meter: Meter
    intake: Intake
    clock: Clock
    role: Role
    failing_since: float | None = None
    told: bool = False

    async def run(self) -> None:
        """Read until cancelled."""
        floor = 0.1 if self.clock.speed > 1 else 0.0
        due = self.clock.monotonic()
        while True:
            await self._once()
            self._tell_pace()
            if self.meter.period_s > 0:
                # Counted from when it was due, not from when it came about: small delays do not add up.
                due = max(due + self.meter.period_s, self.clock.monotonic())
                await self.clock.sleep(due - self.clock.monotonic(), real_floor=floor)

    async def _once(self) -> None:
        try:
            readings = await self.meter.read()
        except DeviceError as error:
            self._failed(error)
            if self.meter.period_s <= 0:
                await self.clock.sleep(1.0, real_floor=1.0)
            return
        if any(reading.quality is Quality.VALID for reading in readings):
            if f"silent {self.meter.id}" in self.intake.notices.open:
                log.info("%s answers again", self.meter.id)
            self.intake.notices.later_end(f"silent {self.meter.id}")
            self.failing_since, self.told = None, False
        self.intake.take(readings, asked=self.meter.period_s > 0)

    def _tell_pace(self) -> None:
        """Tell once when the meter cannot be read as often as asked, and end it when it can."""
        if not isinstance(self.meter, Paced):
            return
        cause, words = f"slow {self.meter.id}", self.meter.warning
        if words and cause not in self.intake.notices.open:
            log.warning("%s: %s", self.meter.id, words)
            name = _name(self.intake.state.site, self.meter.id)
            self.intake.notices.later_raise(cause, "warning", f"{name}: {words}")
        elif not words:
            self.intake.notices.later_end(cause)

    def _failed(self, error: DeviceError) -> None:
        """Note a failure; tell about it once, when it has lasted (a connection may still be opening)."""
        state, now = self.intake.state, self.clock.monotonic()
        state.silent[self.meter.id] = error.reason
        if isinstance(error, DeviceUnreachable) and error.expected:
            return
        if self.failing_since is None:
            self.failing_since = now
        if self.told or now - self.failing_since < TELL_AFTER_S * self.clock.speed:
            return
        self.told = True
        log.warning("%s", error)
        words = f"{_name(state.site, self.meter.id)} does not answer: {error.reason}. {error.remedy}".strip()
        self.intake.notices.later_raise(f"silent {self.meter.id}", "warning", words)


def _name(site: Site, device_id: str) -> str:
    device = site.device(device_id)
    return device.name if device else device_id
