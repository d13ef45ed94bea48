"""Set-up of an OCPP 2.0.1 or 2.1 charger after it connected or booted: idempotent, and each step may fail alone."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from typing import Any

from adapters.ocpp.dialect import Host
from adapters.ocpp.dispatch import CallFailed, LinkLost, NoAnswer
from adapters.ocpp.samples import REGISTER
from adapters.ocpp.v2.model import Variable, answered_variable
from adapters.ocpp.wanted import ALIGNED_S, DEFAULT_INTERVAL_S, HEARTBEAT_S, MEASURANDS, MOST_SILENCES
from adapters.ocpp.wire import clean, to_number

log = logging.getLogger(__name__)

SMALL_BATCH = 4
"""Items asked at once of a charger that does not say how many it takes."""
MOST_ITEMS = 50
INVENTORY_ID = 1

SMART, SAMPLED, ALIGNED, COMMUNICATION, DATA = (
    "SmartChargingCtrlr", "SampledDataCtrlr", "AlignedDataCtrlr", "OCPPCommCtrlr", "DeviceDataCtrlr",
)  # fmt: skip
MOST_READ, MOST_SET = (
    Variable(DATA, "ItemsPerMessage", "GetVariables"),
    Variable(DATA, "ItemsPerMessage", "SetVariables"),
)
UPDATED_S, UPDATED = Variable(SAMPLED, "TxUpdatedInterval"), Variable(SAMPLED, "TxUpdatedMeasurands")
STARTED, ENDED = Variable(SAMPLED, "TxStartedMeasurands"), Variable(SAMPLED, "TxEndedMeasurands")
ALIGNED_INTERVAL, ALIGNED_MEASURANDS = Variable(ALIGNED, "Interval"), Variable(ALIGNED, "Measurands")
PING, HEARTBEAT = Variable(COMMUNICATION, "WebSocketPingInterval"), Variable(COMMUNICATION, "HeartbeatInterval")
AVAILABLE, ENABLED = Variable(SMART, "Available"), Variable(SMART, "Enabled")
RATE_UNIT, STACK = Variable(SMART, "RateUnit"), Variable(SMART, "ProfileStackLevel")
SWITCHING = Variable(SMART, "ACPhaseSwitchingSupported")

READ = (
    MOST_SET, AVAILABLE, ENABLED, RATE_UNIT, STACK, SWITCHING,
    Variable(SMART, "PeriodsPerSchedule"), Variable(SMART, "Entries", "ChargingProfiles"),
    UPDATED_S, UPDATED, STARTED, ENDED, ALIGNED_INTERVAL, ALIGNED_MEASURANDS, PING, HEARTBEAT,
    Variable("TxCtrlr", "TxStartPoint"), Variable("TxCtrlr", "TxStopPoint"),
    Variable("SecurityCtrlr", "SecurityProfile"),
)  # fmt: skip


class SetUp:
    """The steps for one charge point; a lost link ends the whole set-up."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._known: dict[str, str] = {}
        self._silences: Counter[str] = Counter()

    async def discover(self) -> bool:
        """Read what matters of its device model; whether it told anything at all; raises LinkLost."""
        self._silences.clear()
        return await self._read(READ)

    async def run(self) -> None:
        """All that follows; raises LinkLost."""
        connectors = list(self._host.connectors.values())
        for connector in connectors:
            await self.trigger("StatusNotification", connector.evse, connectorId=1)
        self._look_at_smart_charging()
        for connector in connectors:
            await connector.begin_anew(self._whole(STACK), _units(self._text(RATE_UNIT)))
        wanted_s = min((connector.settings.sample_interval_s for connector in connectors), default=DEFAULT_INTERVAL_S)
        interval_s = await self._configure(wanted_s)
        for connector in connectors:
            connector.live.interval_s = interval_s
        await self._ask("GetBaseReport", {"requestId": INVENTORY_ID, "reportBase": "FullInventory"})

    async def trigger(self, message: str, evse: int | None = None, **fields: Any) -> bool:
        """Ask the charger to send a message now (F06); whether it will; raises LinkLost."""
        place = {} if evse is None else {"evse": {"id": evse, **fields}}
        answer = await self._ask("TriggerMessage", {"requestedMessage": message, **place})
        return answer is not None and answer.get("status") == "Accepted"

    # ---- discovery

    async def _read(self, variables: Sequence[Variable]) -> bool:
        """GetVariables in batches of what it takes at once; what it does not tell stays unknown."""
        told = await self._read_batch([MOST_READ])
        size = self._batch(MOST_READ)
        for start in range(0, len(variables), size):
            batch = variables[start : start + size]
            if await self._read_batch(batch):
                told = True
            elif len(batch) > 1 and told:
                for variable in batch:
                    await self._read_batch([variable])
        return told

    async def _read_batch(self, variables: Sequence[Variable]) -> bool:
        items = [variable.to_request() for variable in variables]
        answer = await self._ask("GetVariables", {"getVariableData": items})
        results = (answer or {}).get("getVariableResult") or []
        for variable in variables:
            for item in results:
                said = item.get("attributeStatus") == "Accepted" and item.get("attributeType", "Actual") == "Actual"
                if said and answered_variable(item) == variable.words.lower() and "attributeValue" in item:
                    self._known[variable.words] = clean(item["attributeValue"], 500)
        self._host.features.update(self._known)
        return bool(results)

    def _look_at_smart_charging(self) -> None:
        # A charger that does not tell whether it can is tried: some have neither variable and limit all the same.
        if "false" in (self._text(AVAILABLE).lower(), self._text(ENABLED).lower()):
            log.warning("%s: its smart charging is switched off or missing; it may take no limits", self._host.identity)
        self._host.switches_phases = self._text(SWITCHING).lower() == "true"

    # ---- configuration

    async def _configure(self, sample_interval_s: int) -> float:
        """Ask for our sampling, pings and heartbeats; the sampling interval that holds, s."""
        taken = await self._set({UPDATED_S: str(sample_interval_s)})
        await self._choose_measurands()
        await self._set({STARTED: REGISTER, ENDED: REGISTER}, only_known=True, keep_more=True)
        await self._set(
            {ALIGNED_INTERVAL: str(ALIGNED_S), ALIGNED_MEASURANDS: REGISTER}, only_known=True, keep_more=True
        )
        await self._set({HEARTBEAT: str(HEARTBEAT_S)}, only_known=True)
        await self._set({PING: str(round(self._host.ping_interval_s))})
        held = to_number(self._text(UPDATED_S))
        return float(sample_interval_s) if taken else (held or float(sample_interval_s))

    async def _choose_measurands(self) -> None:
        """The whole list, else what was learned, else one by one; fragile makes are not asked one by one."""
        facts = self._host.facts
        wanted = ",".join(facts.get("measurands") or MEASURANDS)
        if await self._set({UPDATED: wanted}) or facts.get("probe_broke") or facts.get("never_probe"):
            return
        # Some firmware reboots when it is probed: if we never come back from here, the mark stays.
        await facts.learn("probe_broke", True)
        single = [name for name in MEASURANDS if await self._set({UPDATED: name})]
        while len(single) > 1 and not await self._set({UPDATED: ",".join(single)}):
            single.pop()
        await facts.learn("probe_broke", None)
        if single:
            await facts.learn("measurands", single)

    async def _set(self, values: dict[Variable, str], *, only_known: bool = False, keep_more: bool = False) -> bool:
        """SetVariables where another value is held; whether all of them hold then (or after its next reboot).

        `only_known`: leave alone what it does not have; `keep_more`: a list that holds ours and more may stay.
        """
        due = {
            variable: value
            for variable, value in values.items()
            if not self._holds(variable, value, keep_more) and (variable.words in self._known or not only_known)
        }
        size = self._batch(MOST_SET)
        batches = [list(due.items())[start : start + size] for start in range(0, len(due), size)]
        return all([await self._set_batch(dict(batch)) for batch in batches])

    def _holds(self, variable: Variable, value: str, keep_more: bool) -> bool:
        held = self._text(variable).replace(" ", "")
        if keep_more and variable in (STARTED, ENDED, ALIGNED_MEASURANDS):
            return value in held.split(",")
        if keep_more and variable == ALIGNED_INTERVAL:
            return 0 < (to_number(held) or 0) <= ALIGNED_S
        return held == value

    async def _set_batch(self, values: dict[Variable, str]) -> bool:
        items = [{**variable.to_request(), "attributeValue": value} for variable, value in values.items()]
        answer = await self._ask("SetVariables", {"setVariableData": items})
        results = (answer or {}).get("setVariableResult") or []
        status = {answered_variable(item): item.get("attributeStatus") for item in results}
        taken = [
            variable for variable in values if status.get(variable.words.lower()) in ("Accepted", "RebootRequired")
        ]
        for variable in taken:
            if status[variable.words.lower()] == "RebootRequired":
                log.info("%s: %s holds after its next restart", self._host.identity, variable.words)
            self._known[variable.words] = values[variable]
        self._host.features.update(self._known)
        return len(taken) == len(values)

    # ---- inside

    def _text(self, variable: Variable) -> str:
        return self._known.get(variable.words, "")

    def _whole(self, variable: Variable) -> int | None:
        number = to_number(self._text(variable))
        return int(number) if number is not None else None

    def _batch(self, variable: Variable) -> int:
        return max(1, min(self._whole(variable) or SMALL_BATCH, MOST_ITEMS))

    async def _ask(self, action: str, request: dict[str, Any]) -> dict[str, Any] | None:
        """None for a refusal, a wrong answer or none; what stays unanswered is not asked on and on; raises LinkLost."""
        if self._silences[action] >= MOST_SILENCES:
            return None
        try:
            return await self._host.ask(action, request)
        except LinkLost:
            raise
        except NoAnswer:
            self._silences[action] += 1
        except CallFailed as error:
            log.debug("%s: %s failed: %s", self._host.identity, action, error)
        return None


def _units(announced: str) -> tuple[str, ...]:
    """The announced unit first (2.x RateUnit: A, W or both)."""
    words = {word.strip().upper() for word in announced.split(",")}
    return ("W", "A") if "W" in words and "A" not in words else ("A", "W")
