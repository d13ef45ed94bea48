"""Set-up of an OCPP 1.6 charger after it connected or booted: idempotent, and each step may fail alone."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from adapters.ocpp.dispatch import CallFailed, LinkLost
from adapters.ocpp.facts import ChargerFacts
from adapters.ocpp.wire import clean, to_number

log = logging.getLogger(__name__)

Call = Callable[[str, dict[str, Any]], Awaitable[dict[str, Any]]]

MEASURANDS = (
    "Energy.Active.Import.Register",
    "Power.Active.Import",
    "Current.Import",
    "Voltage",
    "Current.Offered",
    "SoC",
)
INTERVAL_KEY, SAMPLED_KEY, PING_KEY = "MeterValueSampleInterval", "MeterValuesSampledData", "WebSocketPingInterval"
CONFIGURATION_KEYS = 500


@dataclass(frozen=True, slots=True)
class Features:
    """What a charger announced: top stack level (None unknown), limit units in order of trial, sampling interval s."""

    max_stack: int | None = None
    units: tuple[str, ...] = ("A", "W")
    interval_s: float | None = None
    configuration: dict[str, tuple[str, bool]] = field(default_factory=dict)
    """Key -> (value, read only)."""


class SetUp:
    """The steps for one charger; `call` raises CallFailed, a lost link ends the whole set-up."""

    def __init__(self, device: str, call: Call, facts: ChargerFacts) -> None:
        self._device = device
        self._call = call
        self._facts = facts

    async def read_features(self) -> Features:
        """GetConfiguration of everything; what it does not tell stays unknown; raises LinkLost."""
        answer = await self._ask("GetConfiguration", {}) or {}
        known = {
            clean(item.get("key")): (clean(item.get("value"), 500), item.get("readonly") is True)
            for item in (answer.get("configurationKey") or [])[:CONFIGURATION_KEYS]
        }
        stack = to_number(known.get("ChargeProfileMaxStackLevel", ("", False))[0])
        interval = to_number(known.get(INTERVAL_KEY, ("", False))[0])
        units = _units(known.get("ChargingScheduleAllowedChargingRateUnit", ("", False))[0])
        return Features(int(stack) if stack is not None else None, units, interval or None, known)

    async def configure(self, features: Features, sample_interval_s: int, ping_interval_s: float) -> float:
        """Ask for our sampling and pings; the sampling interval that holds, s; raises LinkLost."""
        taken = await self._change(features, INTERVAL_KEY, str(sample_interval_s))
        await self._choose_measurands(features)
        await self._change(features, PING_KEY, str(round(ping_interval_s)))
        return float(sample_interval_s) if taken else (features.interval_s or float(sample_interval_s))

    async def trigger(self, message: str, **fields: Any) -> bool:
        """Ask the charger to send a message now; whether it will; raises LinkLost."""
        answer = await self._ask("TriggerMessage", {"requestedMessage": message, **fields})
        return answer is not None and answer.get("status") == "Accepted"

    async def _choose_measurands(self, features: Features) -> None:
        """The whole list, else what was learned, else one by one; a charger that dropped out at that is left alone."""
        wanted = ",".join(self._facts.get("measurands") or MEASURANDS)
        if await self._change(features, SAMPLED_KEY, wanted) or self._facts.get("probe_broke"):
            return
        # Some firmware reboots when it is probed: if we never come back from here, the mark stays.
        await self._facts.learn("probe_broke", True)
        single = [name for name in MEASURANDS if await self._change(features, SAMPLED_KEY, name)]
        while len(single) > 1 and not await self._change(features, SAMPLED_KEY, ",".join(single)):
            single.pop()
        await self._facts.learn("probe_broke", None)
        if single:
            await self._facts.learn("measurands", single)

    async def _change(self, features: Features, key: str, value: str) -> bool:
        held, read_only = features.configuration.get(key, ("", False))
        if held.replace(" ", "") == value:
            return True
        if read_only:
            return False
        answer = await self._ask("ChangeConfiguration", {"key": key, "value": value})
        return answer is not None and answer.get("status") in ("Accepted", "RebootRequired")

    async def _ask(self, action: str, request: dict[str, Any]) -> dict[str, Any] | None:
        try:
            return await self._call(action, request)
        except LinkLost:
            raise
        except CallFailed as error:
            log.debug("%s: %s failed: %s", self._device, action, error)
            return None


def _units(announced: str) -> tuple[str, ...]:
    """The announced unit first; the standard's words are Current and Power, chargers also say A and W."""
    words = announced.lower().replace(" ", "").split(",")
    power_only = any(word in ("power", "w") for word in words) and not any(word in ("current", "a") for word in words)
    return ("W", "A") if power_only else ("A", "W")
