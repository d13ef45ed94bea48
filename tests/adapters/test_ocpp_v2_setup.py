"""Set-up of chargers: discovery, our samples, the makes that must not be probed; each step may fail alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from adapters.ocpp import dispatch
from adapters.ocpp.care import SET_UP_APART_S
from adapters.ocpp.facts import ChargerFacts, Make
from adapters.ocpp.quirks import Quirks, load_quirks
from gateway.model.errors import SiteFileError
from tests.adapters.ocpp2_fakes import peer2
from tests.adapters.ocpp_fakes import FakeFacts, Home, Peer, home, peer, stamp, until

VERSIONS = pytest.mark.parametrize("version", ["2.0.1", "2.1"])
TABLE = Path(__file__).parents[2] / "config" / "devices" / "ocpp" / "quirks.yaml"


async def test_set_up_reads_in_small_batches_and_asks_for_our_samples() -> None:
    place = home()
    station = place.charger()
    async with place.serving(), peer2(place) as charger:
        charger.most_items = 2
        charger.variables |= {
            ("DeviceDataCtrlr", "ItemsPerMessage"): "2",
            ("SmartChargingCtrlr", "ProfileStackLevel"): "3",
            ("SmartChargingCtrlr", "RateUnit"): "W",
            ("SmartChargingCtrlr", "ACPhaseSwitchingSupported"): "true",
            ("AlignedDataCtrlr", "Interval"): "0",
            ("SampledDataCtrlr", "TxEndedMeasurands"): "SoC,Energy.Active.Import.Register",
        }
        await charger.boot()
        await charger.is_set_up()
        assert charger.variables["SampledDataCtrlr", "TxUpdatedInterval"] == "10"
        assert charger.variables["SampledDataCtrlr", "TxUpdatedMeasurands"].startswith("Energy.Active.Import.Register,")
        assert charger.variables["AlignedDataCtrlr", "Interval"] == "900"
        assert charger.variables["SampledDataCtrlr", "TxEndedMeasurands"].startswith("SoC,")
        assert charger.variables["OCPPCommCtrlr", "WebSocketPingInterval"] == "20"
        assert station.status().switches_phases
        unit = charger.limits()[0]["chargingProfile"]["chargingSchedule"][0]["chargingRateUnit"]
        assert unit == "W"
        before = len([1 for action, _ in charger.calls if action == "SetVariables"])
        await charger.boot()
        await place.clock.advance(11)
        await until(lambda: [action for action, _ in charger.calls].count("GetBaseReport") == 2)
        assert len([1 for action, _ in charger.calls if action == "SetVariables"]) == before  # all was held


async def test_measurands_are_probed_one_by_one_when_the_list_is_refused() -> None:
    place = home()
    place.charger()
    known = {"Energy.Active.Import.Register", "Power.Active.Import"}
    async with place.serving(), peer2(place) as charger:
        take = charger.rules["SetVariables"]

        def choosy(payload: dict[str, Any]) -> dict[str, Any] | None:
            (item, *_) = payload["setVariableData"]
            if (
                item["variable"]["name"] == "TxUpdatedMeasurands"
                and not set(item["attributeValue"].split(",")) <= known
            ):
                refused = {"component": item["component"], "variable": item["variable"], "attributeStatus": "Rejected"}
                return {"setVariableResult": [refused]}
            return take(payload)

        charger.rules["SetVariables"] = choosy
        await charger.boot()
        await charger.is_set_up()
        assert set(charger.variables["SampledDataCtrlr", "TxUpdatedMeasurands"].split(",")) == known


async def test_set_up_goes_on_when_every_step_is_refused_or_odd() -> None:
    place = home()
    station = place.charger()
    async with place.serving(), peer2(place) as charger:
        for action in ("GetVariables", "SetVariables", "TriggerMessage", "SetChargingProfile", "GetBaseReport"):
            charger.rules[action] = lambda _: {"status": "NotSupported", "nonsense": [1]}
        await charger.boot()
        await charger.is_set_up()
        assert station.status().connected
        assert await charger.send("Heartbeat")


@VERSIONS
async def test_a_charger_without_boot_notification_is_asked_and_set_up_anyway(version: str) -> None:
    place = home()
    station = place.charger()
    async with place.serving(), peer2(place, version=version) as charger:
        charger.rules["TriggerMessage"] = lambda _: {"status": "NotImplemented"}
        await until(lambda: station.status().connected)
        await place.clock.advance(3)
        await charger.is_set_up()
        assert charger.calls[0] == ("TriggerMessage", {"requestedMessage": "BootNotification"})


async def test_an_inventory_is_kept_as_text_whatever_it_leaves_out() -> None:
    place = home()
    place.charger()
    async with place.serving(), peer2(place) as charger:
        report = [
            {"component": {"name": "EVSE", "evse": {"id": 1}}, "variable": {"name": "Power"},
             "variableAttribute": [{"value": "11000"}, {"type": "MaxSet", "value": "22000"}]},
            {"component": {"name": "SecurityCtrlr"}, "variable": {"name": "BasicAuthPassword"},
             "variableAttribute": [{"value": "secret"}]},
        ]  # fmt: skip
        await charger.send(
            "NotifyReport", requestId=1, generatedAt=stamp(place.clock.now()), seqNo=0, reportData=report
        )
        await charger.send("NotifyReport", requestId=1, generatedAt=stamp(place.clock.now()), seqNo=1)
        features = place.csms.points["CP1"].features
        assert features["EVSE#1.Power"] == "11000"
        assert features["SecurityCtrlr.BasicAuthPassword"] == "***"


async def test_a_charger_that_stays_silent_is_not_asked_on_and_on(monkeypatch: pytest.MonkeyPatch) -> None:
    for action in ("GetVariables", "SetVariables", "GetBaseReport"):
        monkeypatch.setitem(dispatch.TIMEOUTS_S, action, 0.02)
    place = home()
    station = place.charger()
    async with place.serving(), peer2(place) as charger:
        for action in ("GetVariables", "SetVariables", "GetBaseReport"):
            charger.rules[action] = lambda _: None
        await charger.boot()
        await charger.is_set_up()
        asked = [action for action, _ in charger.calls if action in ("GetVariables", "SetVariables", "GetBaseReport")]
        assert asked == ["GetVariables"] * 2 + ["SetVariables"] * 2 + ["GetBaseReport"]
        assert charger.limits() and station.status().connected


async def test_the_boots_of_a_while_are_one_set_up_and_a_later_one_is_another() -> None:
    place = home()
    place.charger()
    async with place.serving(), peer(place) as charger:

        def set_ups() -> int:
            return sum(action == "GetConfiguration" and not payload for action, payload in charger.calls)

        for _ in range(6):
            await charger.boot()
        await until(lambda: set_ups() == 1)
        await place.clock.advance(SET_UP_APART_S - 1)
        assert set_ups() == 1
        await place.clock.advance(2)
        await until(lambda: set_ups() == 2)
        await place.clock.advance(60)
        await place.clock.settle()
        assert set_ups() == 2
        await charger.boot()
        await until(lambda: set_ups() == 3)


# ---- 1.6


def _tells(charger: Peer, **values: str) -> None:
    keys = [{"key": key, "value": value, "readonly": False} for key, value in values.items()]
    charger.rules["GetConfiguration"] = lambda _: {"configurationKey": keys}


def _changes(charger: Peer) -> dict[str, str]:
    return {payload["key"]: payload["value"] for action, payload in charger.calls if action == "ChangeConfiguration"}


async def test_a_16_charger_is_asked_for_its_register_at_each_quarter_hour() -> None:
    place = home()
    station = place.charger()
    async with place.serving(), peer(place) as charger:
        _tells(
            charger,
            ClockAlignedDataInterval="0",
            MeterValuesAlignedData="",
            NumberOfConnectors="1",
            ConnectorPhaseRotation="1.RST",
            ConnectorSwitch3to1PhaseSupported="true",
            SupportedFeatureProfiles="Core, SmartCharging",
            AuthorizationKey="secret",
        )
        await charger.boot()
        await charger.is_set_up()
        assert _changes(charger)["ClockAlignedDataInterval"] == "900"
        assert _changes(charger)["MeterValuesAlignedData"] == "Energy.Active.Import.Register"
        assert station.status().switches_phases
        features = place.csms.points["CP1"].features
        assert (features["ConnectorPhaseRotation"], features["AuthorizationKey"]) == ("1.RST", "***")


async def test_a_16_charger_without_smart_charging_is_named(caplog: pytest.LogCaptureFixture) -> None:
    place = home()
    place.charger()
    async with place.serving(), peer(place) as charger:
        _tells(charger, SupportedFeatureProfiles="Core")
        await charger.boot()
        await charger.is_set_up()
    assert "does not announce smart charging" in caplog.text


async def test_a_16_charger_that_tells_nothing_unasked_is_asked_for_what_matters() -> None:
    place = home()
    place.charger()
    async with place.serving(), peer(place) as charger:
        await charger.boot()
        await charger.is_set_up()
        asked = [payload for action, payload in charger.calls if action == "GetConfiguration"]
        assert asked[0] == {} and "ChargeProfileMaxStackLevel" in asked[1]["key"]


async def test_connectors_that_are_no_device_are_noted_once() -> None:
    place = home()
    station = place.charger()
    async with place.serving(), peer(place) as charger:
        for number in (0, 2, 3, 2):
            await charger.send(
                "StatusNotification",
                connectorId=number, errorCode="NoError", status="Charging", timestamp=stamp(place.clock.now()),
            )  # fmt: skip
        assert place.csms.points["CP1"].features["Connectors that are no device"] == "2, 3"
        assert station.status().phase.value == "available"


async def test_a_connector_configured_while_its_charger_is_connected_is_set_up_too() -> None:
    place = home()
    place.charger(device_id="left")
    async with place.serving(), peer2(place) as charger:
        await charger.boot()
        await charger.is_set_up()
        right = place.charger(device_id="right", connector=2)
        await place.clock.advance(SET_UP_APART_S)
        await until(lambda: [action for action, _ in charger.calls].count("GetBaseReport") == 2)
        assert any(limit["evseId"] == 2 for limit in charger.limits())
        await charger.event("Started", register=0, evse=2)
        assert (right.status().connected, right.status().version) == (True, "2.0.1")
        assert right.status().transaction


async def test_the_version_spoken_last_is_known_after_a_restart_of_the_gateway() -> None:
    before = home()
    before.charger()
    async with before.serving(), peer2(before, version="2.1") as charger:
        await charger.boot()
    after = Home(before.clock, before.sessions, before.facts)
    station = after.charger()
    await after.csms.points["CP1"].recall()
    assert (station.status().version, station.status().model) == ("2.1", "Acme Two")


# ---- makes that must not be probed


@pytest.mark.parametrize(
    ("vendor", "firmware", "probed"),
    [("ABB", "1.8.21", False), ("abb e-mobility", "1.6.5", False), ("ABB", "v1.8.22", True), ("Acme", "1.0", True)],
)
async def test_a_make_known_to_break_is_never_probed(vendor: str, firmware: str, probed: bool) -> None:
    place = home()
    place.charger()
    point = place.csms.points["CP1"]
    point.use(load_quirks(TABLE))
    async with place.serving(), peer(place) as charger:

        def change(payload: dict[str, Any]) -> dict[str, Any]:
            return {"status": "Rejected" if payload["key"] == "MeterValuesSampledData" else "Accepted"}

        charger.rules["ChangeConfiguration"] = change
        await charger.send(
            "BootNotification", chargePointVendor=vendor, chargePointModel="Terra AC", firmwareVersion=firmware
        )
        await charger.is_set_up()
        tries = [payload for action, payload in charger.calls if payload.get("key") == "MeterValuesSampledData"]
        assert (len(tries) > 1) is probed


def test_without_a_table_nothing_is_forbidden() -> None:
    assert Quirks.model_validate({}).of("ABB", "Terra", "1.0") == {}


def test_all_entries_that_fit_count_and_the_first_one_first() -> None:
    entries = [{"vendor": "A*", "whole_amps": True}, {"model": "x", "whole_amps": False, "never_zero": True}]
    assert Quirks.model_validate({"quirks": entries}).of("acme", "X", "") == {"whole_amps": True, "never_zero": True}


async def test_what_a_charger_turns_out_to_do_stands_above_the_table() -> None:
    facts = ChargerFacts("c", FakeFacts(), load_quirks(TABLE))
    await facts.boot(Make("Autel", "MaxiCharger", "1.0"))
    assert facts.get("remote_start") is True
    await facts.learn("remote_start", False)
    assert facts.get("remote_start") is False


def test_a_table_with_a_slip_is_named(tmp_path: Path) -> None:
    path = tmp_path / "quirks.yaml"
    path.write_text("quirks:\n  - vendor: ABB\n    never_prob: true\n")
    with pytest.raises(SiteFileError, match="never_prob"):
        load_quirks(path)
