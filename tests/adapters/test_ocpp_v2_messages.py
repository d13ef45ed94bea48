"""Every message an OCPP 2.0.1 or 2.1 charger may send has its answer, and none ends the session."""

from __future__ import annotations

import copy
import json
import random
from typing import Any

import pytest

from adapters.ocpp.schemas import Schemas
from tests.adapters.ocpp2_fakes import peer2
from tests.adapters.ocpp_fakes import home

VERSIONS = pytest.mark.parametrize("version", ["2.0.1", "2.1"])


@pytest.mark.parametrize(
    ("version", "action", "payload", "answer"),
    [
        ("2.0.1", "Heartbeat", {}, {"currentTime": "2026-11-21T16:30:00.000Z"}),
        ("2.0.1", "Authorize", {"idToken": {"idToken": "X", "type": "Central"}}, {"idTokenInfo": {"status": "Accepted"}}),
        ("2.0.1", "DataTransfer", {"vendorId": "x"}, {"status": "UnknownVendorId"}),
        ("2.0.1", "ClearedChargingLimit", {"chargingLimitSource": "EMS"}, {}),
        ("2.0.1", "NotifyChargingLimit", {"chargingLimit": {"chargingLimitSource": "EMS"}}, {}),
        ("2.0.1", "LogStatusNotification", {"status": "Uploaded"}, {}),
        ("2.0.1", "FirmwareStatusNotification", {"status": "Installed"}, {}),
        ("2.0.1", "SecurityEventNotification", {"type": "X", "timestamp": "2026-11-21T16:30:00Z"}, {}),
        ("2.0.1", "ReservationStatusUpdate", {"reservationId": 1, "reservationUpdateStatus": "Expired"}, {}),
        ("2.0.1", "SignCertificate", {"csr": "x"}, {"status": "Rejected"}),
        ("2.0.1", "Get15118EVCertificate",
         {"iso15118SchemaVersion": "x", "action": "Install", "exiRequest": "x"}, {"status": "Failed", "exiResponse": ""}),
        ("2.1", "PullDynamicScheduleUpdate", {"chargingProfileId": 1}, {"status": "Rejected"}),
        ("2.1", "NotifyPriorityCharging", {"transactionId": "T", "activated": True}, {}),
        ("2.1", "NotifySettlement", {"pspRef": "x", "status": "Settled", "settlementAmount": 1,
                                     "settlementTime": "2026-11-21T16:30:00Z"}, {}),
    ],
)  # fmt: skip
async def test_every_message_of_a_charger_has_its_answer(
    version: str, action: str, payload: dict[str, Any], answer: dict[str, Any]
) -> None:
    place = home()
    station = place.charger()
    async with place.serving(), peer2(place, version=version) as charger:
        found = await charger.frame(action, payload)
        if action == "SignCertificate":  # whoever signs answers for it
            assert found[0] == 3
        else:
            assert found[2] == answer
        assert station.status().connected


@pytest.mark.slow
@VERSIONS
async def test_every_action_of_the_standard_is_answered_and_ends_nothing(version: str) -> None:
    place = home()
    station = place.charger()
    async with place.serving(), peer2(place, version=version) as charger:
        for action in sorted(Schemas(version).names()):
            if Schemas(version).answers(action):
                assert (await charger.frame(action, {}))[0] in (3, 4)
        assert station.status().connected
        assert await charger.send("Heartbeat")


async def test_the_pace_of_events_is_a_send_without_an_answer() -> None:
    place = home()
    place.charger()
    async with place.serving(), peer2(place, version="2.1") as charger:
        await charger.socket.send(
            '[6,"s1","NotifyPeriodicEventStream",{"id":1,"pending":0,"basetime":"2026-11-21T16:30:00Z",'
            '"data":[{"t":0,"v":"230"}]}]'
        )
        assert await charger.send("Heartbeat")


@pytest.mark.slow
@VERSIONS
async def test_thousands_of_twisted_messages_end_no_session_and_surprise_no_handler(version: str) -> None:
    place = home()
    station = place.charger()
    twister = random.Random(11)
    async with place.serving(), peer2(place, version=version) as charger:
        await charger.event("Started", register=0, state="Charging", evse=1)
        for number in range(1500):
            action, payload = twister.choice(SEEDS)
            twisted = _twisted(copy.deepcopy(payload), twister)
            await charger.socket.send(json.dumps([2, f"x{number}", action, twisted]))
            if number % 100 == 0:
                assert await charger.send("Heartbeat")
        assert await charger.send("Heartbeat")
        assert station.status().connected
        assert station.frames.violations["InternalError"] == 0
    assert [what for _, what in place.changes].count("connected") == 1


NOW = "2026-11-21T16:30:00Z"
SEEDS: list[tuple[str, dict[str, Any]]] = [
    ("BootNotification", {"reason": "PowerUp", "chargingStation": {"model": "M", "vendorName": "V"}}),
    ("BootNotification", {"chargePointVendor": "V", "chargePointModel": "M"}),
    ("StatusNotification", {"timestamp": NOW, "connectorStatus": "Occupied", "evseId": 1, "connectorId": 1}),
    ("StatusNotification", {"connectorId": 1, "errorCode": "NoError", "status": "Charging"}),
    ("TransactionEvent", {
        "eventType": "Updated", "timestamp": NOW, "triggerReason": "MeterValuePeriodic", "seqNo": 3,
        "transactionInfo": {"transactionId": "T-1", "chargingState": "Charging"}, "evse": {"id": 1},
        "idToken": {"idToken": "X", "type": "Local"}, "numberOfPhasesUsed": 3,
        "meterValue": [{"timestamp": NOW, "sampledValue": [
            {"value": 5, "phase": "L1", "unitOfMeasure": {"unit": "kWh", "multiplier": 2}}]}],
    }),
    ("MeterValues", {"evseId": 1, "meterValue": [{"timestamp": NOW, "sampledValue": [{"value": 5}]}]}),
    ("NotifyEVChargingNeeds", {"evseId": 1, "chargingNeeds": {
        "requestedEnergyTransfer": "AC_three_phase", "departureTime": NOW,
        "acChargingParameters": {"energyAmount": 1, "evMinCurrent": 6, "evMaxCurrent": 16, "evMaxVoltage": 230},
        "dcChargingParameters": {"evMaxCurrent": 1, "evMaxVoltage": 1, "stateOfCharge": 5}}}),
    ("NotifyReport", {"requestId": 1, "generatedAt": NOW, "seqNo": 0, "reportData": [{
        "component": {"name": "EVSE", "evse": {"id": 1}}, "variable": {"name": "Power"},
        "variableAttribute": [{"value": "1"}]}]}),
    ("SignCertificate", {"csr": "x"}),
    ("StartTransaction", {"connectorId": 1, "idTag": "T", "meterStart": 0, "timestamp": NOW}),
    ("StopTransaction", {"transactionId": 7, "meterStop": 5, "timestamp": NOW}),
]  # fmt: skip
ODD: list[Any] = [None, -1, 0, 1e300, 2**70, "", "x" * 300, "\ud800", "\x00", [], {}, [[]], {"id": []}, True, "-1", 1.5]


def _twisted(value: Any, twister: random.Random) -> Any:
    """The payload with one or two of its parts, however deep, made into something else."""
    for _ in range(twister.randint(1, 2)):
        spot = value
        while True:
            keys = list(spot) if isinstance(spot, dict) else list(range(len(spot)))
            if not keys:
                break
            key = twister.choice(keys)
            if isinstance(spot[key], dict | list) and twister.random() < 0.7:
                spot = spot[key]
                continue
            spot[key] = copy.deepcopy(twister.choice(ODD))
            break
    return value
