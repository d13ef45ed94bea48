"""Set-up of an OCPP 1.6 charger after it connected or booted: idempotent, and each step may fail alone."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from adapters.ocpp.dialect import Host
from adapters.ocpp.dispatch import CallFailed, CallRefused, LinkLost, NoAnswer
from adapters.ocpp.samples import REGISTER
from adapters.ocpp.wanted import ALIGNED_S, DEFAULT_INTERVAL_S, MEASURANDS, MOST_SILENCES
from adapters.ocpp.wire import blanked, clean, to_number

log = logging.getLogger(__name__)

INTERVAL_KEY, SAMPLED_KEY, PING_KEY = "MeterValueSampleInterval", "MeterValuesSampledData", "WebSocketPingInterval"
ALIGNED_INTERVAL_KEY, ALIGNED_KEY = "ClockAlignedDataInterval", "MeterValuesAlignedData"
STACK_KEY, UNITS_KEY = "ChargeProfileMaxStackLevel", "ChargingScheduleAllowedChargingRateUnit"
PROFILES_KEY, SWITCHING_KEY = "SupportedFeatureProfiles", "ConnectorSwitch3to1PhaseSupported"
WANTED_KEYS = (
    STACK_KEY, UNITS_KEY, PROFILES_KEY, SWITCHING_KEY, INTERVAL_KEY, SAMPLED_KEY, ALIGNED_INTERVAL_KEY, ALIGNED_KEY,
    PING_KEY, "ChargingScheduleMaxPeriods", "MaxChargingProfilesInstalled", "NumberOfConnectors",
    "ConnectorPhaseRotation", "SecurityProfile",
)  # fmt: skip
CONFIGURATION_KEYS = 500


@dataclass(frozen=True, slots=True)
class Features:
    """What a charger announced: top stack level (None unknown), limit units in order of trial, sampling interval s."""

    max_stack: int | None = None
    units: tuple[str, ...] = ("A", "W")
    interval_s: float | None = None
    switches_phases: bool = False
    limits: bool = True
    """False when its list of feature profiles leaves out smart charging."""
    configuration: Mapping[str, tuple[str, bool]] = field(default_factory=dict)
    """Key -> (value, read only)."""

    def text(self, key: str) -> str:
        """The value of a key, "" when it is not known."""
        return self.configuration.get(key, ("", False))[0]


def to_features(known: Mapping[str, tuple[str, bool]]) -> Features:
    """The features of a configuration, key -> (value, read only); what it does not tell stays unknown."""
    told = Features(configuration=known)
    stack, interval = to_number(told.text(STACK_KEY)), to_number(told.text(INTERVAL_KEY))
    profiles = told.text(PROFILES_KEY).replace(" ", "").lower()
    return Features(
        max_stack=int(stack) if stack is not None else None,
        units=_units(told.text(UNITS_KEY)),
        interval_s=interval or None,
        switches_phases=told.text(SWITCHING_KEY).lower() == "true",
        limits=not profiles or "smartcharging" in profiles,
        configuration=known,
    )


class SetUp:
    """The steps for one charger; `call` raises CallFailed, a lost link ends the whole set-up."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._device = host.identity
        self._call = host.ask
        self._facts = host.facts
        self._silences: Counter[str] = Counter()
        self._refused = False

    async def run(self) -> None:
        """All of it; raises LinkLost."""
        self._silences.clear()
        self._refused = False
        connectors = list(self._host.connectors.values())
        for connector in connectors:
            await self.trigger("StatusNotification", connectorId=connector.evse)
        features = await self.read_features()
        if self._refused and await self._host.older_inside(False):
            return  # it dialled as 2.x, and is no 1.6 either
        self._announce(features)
        for connector in connectors:
            await connector.begin_anew(features.max_stack, features.units)
        wanted_s = min((connector.settings.sample_interval_s for connector in connectors), default=DEFAULT_INTERVAL_S)
        interval_s = await self.configure(features, wanted_s, self._host.ping_interval_s)
        for connector in connectors:
            connector.live.interval_s = interval_s

    async def read_features(self) -> Features:
        """GetConfiguration of everything, else of what matters; what it does not tell stays unknown; raises LinkLost."""
        return to_features(await self._configuration({}) or await self._configuration({"key": list(WANTED_KEYS)}))

    async def _configuration(self, request: dict[str, Any]) -> dict[str, tuple[str, bool]]:
        answer = await self._ask("GetConfiguration", request) or {}
        return {
            clean(item.get("key")): (clean(item.get("value"), 500), item.get("readonly") is True)
            for item in (answer.get("configurationKey") or [])[:CONFIGURATION_KEYS]
        }

    def _announce(self, features: Features) -> None:
        self._host.features.update({key: blanked(key, value) for key, (value, _) in features.configuration.items()})
        self._host.switches_phases = features.switches_phases
        if not features.limits:
            log.warning("%s: it does not announce smart charging; it may take no limits", self._device)

    async def configure(self, features: Features, sample_interval_s: int, ping_interval_s: float) -> float:
        """Ask for our sampling and pings; the sampling interval that holds, s; raises LinkLost."""
        taken = await self._change(features, INTERVAL_KEY, str(sample_interval_s))
        await self._choose_measurands(features)
        await self._align(features)
        await self._change(features, PING_KEY, str(round(ping_interval_s)))
        return float(sample_interval_s) if taken else (features.interval_s or float(sample_interval_s))

    async def _align(self, features: Features) -> None:
        """The register at each quarter hour, also between sessions, where the charger can and does not yet."""
        if ALIGNED_KEY in features.configuration and REGISTER not in features.text(ALIGNED_KEY):
            await self._change(features, ALIGNED_KEY, REGISTER)
        held_s = to_number(features.text(ALIGNED_INTERVAL_KEY))
        if ALIGNED_INTERVAL_KEY in features.configuration and not 0 < (held_s or 0) <= ALIGNED_S:
            await self._change(features, ALIGNED_INTERVAL_KEY, str(ALIGNED_S))

    async def trigger(self, message: str, **fields: Any) -> bool:
        """Ask the charger to send a message now; whether it will; raises LinkLost."""
        answer = await self._ask("TriggerMessage", {"requestedMessage": message, **fields})
        return answer is not None and answer.get("status") == "Accepted"

    async def _choose_measurands(self, features: Features) -> None:
        """The whole list, else what was learned, else one by one; a charger that dropped out at that is left alone."""
        wanted = ",".join(self._facts.get("measurands") or MEASURANDS)
        if (
            await self._change(features, SAMPLED_KEY, wanted)
            or self._facts.get("probe_broke")
            or self._facts.get("never_probe")
        ):
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
        """None for a refusal, a wrong answer or none; what stays unanswered is not asked on and on; raises LinkLost."""
        if self._silences[action] >= MOST_SILENCES:
            return None
        try:
            return await self._call(action, request)
        except LinkLost:
            raise
        except NoAnswer:
            self._silences[action] += 1
        except CallFailed as error:
            self._refused |= action == "GetConfiguration" and isinstance(error, CallRefused)
            log.debug("%s: %s failed: %s", self._device, action, error)
        return None


def _units(announced: str) -> tuple[str, ...]:
    """The announced unit first; the standard's words are Current and Power, chargers also say A and W."""
    words = announced.lower().replace(" ", "").split(",")
    power_only = any(word in ("power", "w") for word in words) and not any(word in ("current", "a") for word in words)
    return ("W", "A") if power_only else ("A", "W")
