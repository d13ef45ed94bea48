"""The simulated charge point against a bare central system that speaks frames by hand (OCPP-J 1.6)."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import itertools
import json
import time
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed

from firmware_sim import chargepoint
from firmware_sim.ocpp16.station import Station16
from firmware_sim.ocppj import quirks
from firmware_sim.ocppj.car import Car
from firmware_sim.ocppj.line import Address
from firmware_sim.ocppj.options import Options
from firmware_sim.ocppj.profiles import Supply
from tests.firmware_sim.central import Brisk, profile

NOW = datetime(2026, 11, 21, 17, 20, tzinfo=UTC)
PARKED = Car(plugged=True, energy_wh=1000.0)
SUPPLY = Supply(230.0, 3)
ANSWERS = {
    "BootNotification": {"status": "Accepted", "currentTime": "2026-11-21T17:20:00Z", "interval": 300},
    "Authorize": {"idTagInfo": {"status": "Accepted"}},
    "StopTransaction": {},
    "Heartbeat": {"currentTime": "2026-11-21T17:20:00Z"},
}


class Central:
    """A central system that records every call, names transactions from 71 on, and can call back."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict]] = []
        self.headers: list = []
        self.ids = itertools.count(71)
        self.boot = ANSWERS["BootNotification"]
        self.ws = None
        self.answers: dict[str, asyncio.Future] = {}
        self.news = asyncio.Event()

    async def handle(self, ws) -> None:
        self.ws = ws
        self.headers.append(ws.request.headers)
        with contextlib.suppress(ConnectionClosed):
            async for text in ws:
                await self.take(ws, *json.loads(text))

    async def take(self, ws, kind, message_id, *rest) -> None:
        if kind != 2:
            self.answers.pop(message_id).set_result(rest)
            return
        action, payload = rest
        await ws.send(json.dumps([3, message_id, self.answer_to(action)]))
        self.calls.append((action, payload))
        self.news.set()

    def answer_to(self, action: str) -> dict:
        if action == "StartTransaction":
            return {"transactionId": next(self.ids), "idTagInfo": {"status": "Accepted"}}
        return self.boot if action == "BootNotification" else ANSWERS.get(action, {})

    async def ask(self, action: str, payload: dict) -> dict | list:
        """The CALLRESULT's payload, or [code, text, details] of a CALLERROR."""
        future = asyncio.get_running_loop().create_future()
        message_id = f"c{time.monotonic_ns()}"
        self.answers[message_id] = future
        await self.ws.send(json.dumps([2, message_id, action, payload]))
        async with asyncio.timeout(5):
            rest = await future
        return rest[0] if len(rest) == 1 else rest

    async def seen(self, action: str, count: int = 1) -> list[dict]:
        """The payloads of `action`, once there are `count`."""
        async with asyncio.timeout(10):
            while len(found := [payload for name, payload in self.calls if name == action]) < count:
                self.news.clear()
                await self.news.wait()
        return found


@contextlib.asynccontextmanager
async def charging(*named: str, speed: float = 100.0, car: Car = PARKED, **options):
    """A central system and a running station with `named` quirks; `offers` collects what the house is told."""
    central, offers = Central(), []
    async with serve(central.handle, "127.0.0.1", 0, subprotocols=["ocpp1.6"]) as server:
        port = server.sockets[0].getsockname()[1]
        address = Address(f"ws://127.0.0.1:{port}/ocpp/CP_1", "CP_1", options.pop("password", None))
        built = Options(address, quirks=frozenset(named), **options)
        clock = Brisk(NOW, time.time(), speed)
        station = Station16(clock, built, [lambda amps, phases: offers.append(amps)], car=car)
        task = asyncio.create_task(station.run())
        try:
            yield central, station, offers
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def until(condition) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.005)


async def limit(central: Central, raw: dict, connector: int = 1) -> str:
    payload = {"connectorId": connector, "csChargingProfiles": raw}
    return (await central.ask("SetChargingProfile", payload))["status"]


async def test_it_boots_authorizes_starts_and_measures_when_a_car_is_there():
    async with charging(password="secret") as (central, _station, offers):
        values = (await central.seen("MeterValues"))[0]
        actions = [action for action, _ in central.calls if action not in ("StatusNotification", "MeterValues")]
        assert actions == ["BootNotification", "Authorize", "StartTransaction"]
        start = (await central.seen("StartTransaction"))[0]
        assert (start["connectorId"], start["idTag"], start["meterStart"]) == (1, "HEARTH01", 1000)
        assert start["timestamp"].endswith("Z")
        assert values["transactionId"] == 71
        sampled = {(v["measurand"], v.get("phase")): (v["value"], v["unit"])
                   for v in values["meterValue"][0]["sampledValue"]}  # fmt: skip
        assert sampled["Energy.Active.Import.Register", None] == ("1000", "Wh")
        assert {phase for name, phase in sampled if name == "Current.Import"} == {"L1", "L2", "L3"}
        assert ("Current.Offered", None) in sampled
        assert offers == [32.0]
        expected = "Basic " + base64.b64encode(b"CP_1:secret").decode()
        assert central.headers[0]["Authorization"] == expected


async def test_statuses_follow_the_car_and_unplugging_stops_the_transaction():
    async with charging(car=Car()) as (central, station, offers):
        await until(lambda: station.booted)
        station.connectors[0].car = PARKED
        await central.seen("StartTransaction")
        station.connectors[0].car = replace(PARKED, current_a=(16.0, 16.0, 16.0), power_w=11_000.0)
        await until(lambda: station.connectors[0].status == "Charging")
        await limit(central, profile(0))
        station.connectors[0].car = PARKED
        await until(lambda: station.connectors[0].status == "SuspendedEVSE")
        station.connectors[0].car = Car(energy_wh=2500.0)
        stop = (await central.seen("StopTransaction"))[0]
        assert (stop["transactionId"], stop["meterStop"], stop["reason"]) == (71, 2500, "EVDisconnected")
        await until(lambda: station.connectors[0].status == "Available")
        assert offers[-1] == 0.0


@pytest.mark.parametrize(("amps", "offered"), [(16.0, 16.0), (6.0, 6.0), (5.9, 0.0), (0.0, 0.0), (11.3, 11.3)])
async def test_an_accepted_limit_becomes_the_offered_current_and_never_between_0_and_6(amps, offered):
    async with charging() as (central, _station, offers):
        await central.seen("StartTransaction")
        await until(lambda: offers == [32.0])
        assert await limit(central, profile(amps)) == "Accepted"
        await until(lambda: offers[-1:] == [offered])


async def test_an_expired_profile_falls_back_to_the_default_with_nobody_on_the_line():
    async with charging(speed=200.0) as (central, station, offers):
        await central.seen("StartTransaction")
        assert await limit(central, profile(6, "TxDefaultProfile", id=1)) == "Accepted"
        assert await limit(central, profile(16, id=2, duration=60)) == "Accepted"
        await until(lambda: offers[-1:] == [16.0])
        station.line.drop(60.0)
        await until(lambda: offers[-1:] == [6.0])


@pytest.mark.parametrize(
    ("quirk", "raw", "status"),
    [
        ("", profile(), "Accepted"),
        (quirks.REJECT_ABSOLUTE, profile(kind="Absolute"), "Rejected"),
        (quirks.REJECT_ABSOLUTE, profile(kind="Relative"), "Accepted"),
        (quirks.STACK0_ONLY, profile(level=1), "Rejected"),
        (quirks.STACK0_ONLY, profile(level=0), "Accepted"),
        (quirks.WATTS_ONLY, profile(unit="A"), "Rejected"),
        (quirks.WATTS_ONLY, profile(5000, unit="W"), "Accepted"),
        (quirks.NO_ZERO, profile(0), "Rejected"),
        (quirks.NO_ZERO, profile(6), "Accepted"),
        (quirks.REJECT_TX, profile(), "Rejected"),
        (quirks.REJECT_TX, profile(purpose="TxDefaultProfile"), "Accepted"),
    ],
)
async def test_each_quirk_refuses_its_own(quirk, raw, status):
    async with charging(*filter(None, [quirk])) as (central, station, _):
        await central.seen("StartTransaction")
        await until(lambda: station.connectors[0].transaction and station.connectors[0].transaction.id)
        assert await limit(central, raw) == status


async def test_a_tx_profile_outside_a_transaction_is_refused():
    async with charging(car=Car()) as (central, _station, _):
        await central.seen("BootNotification")
        assert await limit(central, profile()) == "Rejected"


async def test_whole_amps_are_cut_down():
    async with charging(quirks.WHOLE_AMPS) as (central, _station, offers):
        await central.seen("StartTransaction")
        await limit(central, profile(11.9))
        await until(lambda: offers[-1:] == [11.0])


async def test_a_liar_accepts_and_keeps_its_current():
    async with charging() as (central, station, offers):
        await central.seen("StartTransaction")
        await until(lambda: offers == [32.0])
        station.later(station.misbehave(quirks.LIE, 60.0))
        await asyncio.sleep(0)
        assert await limit(central, profile(8)) == "Accepted"
        await station.clock.sleep(5)  # of home time, a few looks at its limits
        assert offers == [32.0]


async def test_requests_are_answered_as_the_standard_says():
    async with charging() as (central, station, _):
        await central.seen("StartTransaction")
        await until(lambda: station.connectors[0].transaction.id == 71)
        assert (await central.ask("NoSuchAction", {}))[0] == "NotImplemented"
        assert (await central.ask("SetChargingProfile", {"connectorId": 1}))[0] == "OccurenceConstraintViolation"
        assert await central.ask("GetDiagnostics", {"location": "ftp://x"}) == {}
        report = await central.ask("GetConfiguration", {"key": ["NumberOfConnectors", "Nonsense"]})
        assert report["configurationKey"] == [{"key": "NumberOfConnectors", "readonly": True, "value": "1"}]
        assert report["unknownKey"] == ["Nonsense"]
        for key, value, status in [
            ("MeterValueSampleInterval", "5", "Accepted"),
            ("MeterValueSampleInterval", "often", "Rejected"),
            ("MeterValuesSampledData", "SoC,Frequency", "Accepted"),
            ("MeterValuesSampledData", "SoC,Bananas", "Rejected"),
            ("NumberOfConnectors", "2", "Rejected"),
            ("Nonsense", "1", "NotSupported"),
            ("WebSocketPingInterval", "10", "RebootRequired"),
        ]:
            assert await central.ask("ChangeConfiguration", {"key": key, "value": value}) == {"status": status}, key
        await limit(central, profile(10))
        schedule = await central.ask("GetCompositeSchedule", {"connectorId": 1, "duration": 600})
        assert schedule["chargingSchedule"]["chargingSchedulePeriod"][0]["limit"] == 10.0
        assert await central.ask("ClearChargingProfile", {"id": 1}) == {"status": "Accepted"}
        assert await central.ask("ClearChargingProfile", {"id": 1}) == {"status": "Unknown"}
        change = {"connectorId": 1, "type": "Inoperative"}
        assert await central.ask("ChangeAvailability", change) == {"status": "Scheduled"}
        assert await central.ask("RemoteStopTransaction", {"transactionId": 5}) == {"status": "Rejected"}
        assert await central.ask("RemoteStopTransaction", {"transactionId": 71}) == {"status": "Accepted"}
        assert (await central.seen("StopTransaction"))[0]["reason"] == "Remote"
        await until(lambda: station.connectors[0].status == "Unavailable")


async def test_a_boot_accepted_by_trigger_ends_the_wait_of_a_pending_one():
    """Wrong before: it slept on for the pending interval and told no status until then."""
    before = ANSWERS["BootNotification"]
    async with charging(speed=1.0) as (central, station, _):
        central.boot = before | {"status": "Pending", "interval": 300}
        await central.seen("BootNotification")
        await central.ask("TriggerMessage", {"requestedMessage": "StatusNotification", "connectorId": 1})
        assert (await central.seen("StatusNotification"))[0]["connectorId"] == 1, "what a trigger asks for may go out"
        assert not station.booted
        central.boot = before
        await central.ask("TriggerMessage", {"requestedMessage": "BootNotification"})
        await central.seen("BootNotification", 2)
        await central.seen("StatusNotification", 3)
        assert station.booted


async def test_the_strict_one_refuses_a_whole_list_for_one_measurand():
    async with charging(quirks.MEASURAND_REFUSE_LIST) as (central, _, _2):
        await central.seen("BootNotification")
        wish = {"key": "MeterValuesSampledData", "value": "SoC,Frequency"}
        assert await central.ask("ChangeConfiguration", wish) == {"status": "Rejected"}


async def test_a_remote_start_with_a_profile_begins_limited():
    async with charging(wait_for_remote_start=True) as (central, station, offers):
        await until(lambda: station.booted and station.connectors[0].status == "Preparing")
        wish = {"idTag": "PHONE", "chargingProfile": profile(9)}
        assert await central.ask("RemoteStartTransaction", wish) == {"status": "Accepted"}
        assert (await central.seen("StartTransaction"))[0]["idTag"] == "PHONE"
        await until(lambda: offers == [9.0])


async def test_a_trigger_brings_meter_values():
    async with charging(car=Car()) as (central, station, _):
        await until(lambda: station.booted)
        answered = await central.ask("TriggerMessage", {"requestedMessage": "MeterValues", "connectorId": 1})
        assert answered == {"status": "Accepted"}
        values = (await central.seen("MeterValues"))[0]
        assert values["meterValue"][0]["sampledValue"][0]["context"] == "Trigger"


@pytest.mark.slow
async def test_what_happened_offline_is_replayed_in_order_without_a_boot():
    async with charging() as (central, station, _):
        await central.seen("MeterValues")
        station.line.drop(0.5)
        await until(lambda: not station.line.up)
        heard = len(central.calls)
        station.connectors[0].car = replace(PARKED, energy_wh=1500.0)
        await until(lambda: station.line.waiting >= 2)
        station.connectors[0].car = Car(energy_wh=1600.0)
        stop = (await central.seen("StopTransaction"))[0]
        later = [(action, payload) for action, payload in central.calls[heard:] if action != "StatusNotification"]
        assert [action for action, _ in later][-1] == "StopTransaction"
        assert {action for action, _ in later[:-1]} == {"MeterValues"}
        stamps = [payload["meterValue"][0]["timestamp"] for _, payload in later[:-1]] + [stop["timestamp"]]
        assert stamps == sorted(stamps)
        assert stop["meterStop"] == 1600


@pytest.mark.slow
async def test_a_reboot_boots_again_forgets_the_tx_profile_and_goes_on_with_the_same_transaction():
    async with charging() as (central, station, offers):
        await central.seen("StartTransaction")
        await limit(central, profile(7, "TxDefaultProfile", id=1))
        await limit(central, profile(16, id=2))
        await until(lambda: offers[-1:] == [16.0])
        station.later(station.misbehave(quirks.REBOOT, None))
        await central.seen("BootNotification", 2)
        await until(lambda: offers[-1:] == [7.0])
        assert 0.0 in offers
        assert len(await central.seen("StartTransaction")) == 1
        before = len(await central.seen("MeterValues"))
        assert (await central.seen("MeterValues", before + 1))[-1]["transactionId"] == 71


@pytest.mark.slow
async def test_a_reset_stops_the_transaction_and_starts_another():
    async with charging() as (central, _station, _):
        await central.seen("StartTransaction")
        assert await central.ask("Reset", {"type": "Soft"}) == {"status": "Accepted"}
        assert (await central.seen("StopTransaction"))[0]["reason"] == "SoftReset"
        assert len(await central.seen("StartTransaction", 2)) == 2


async def test_a_hanging_station_answers_nothing_and_wakes_up():
    async with charging() as (central, station, _):
        await central.seen("StartTransaction")
        station.later(station.misbehave(quirks.HANG, 0.15))
        await asyncio.sleep(0.02)
        asked = asyncio.create_task(central.ask("GetConfiguration", {}))
        await asyncio.sleep(0.08)
        assert not asked.done()
        assert "configurationKey" in await asked


async def test_without_a_boot_notification_it_charges_all_the_same():
    async with charging(quirks.NO_BOOT) as (central, _, _2):
        await central.seen("StartTransaction")
        assert "BootNotification" not in [action for action, _ in central.calls]


async def test_a_repeated_start_and_a_garbage_transaction_id():
    async with charging(quirks.REPEAT_START, quirks.GARBAGE_TRANSACTION_ID) as (central, _station, _):
        first, second = await central.seen("StartTransaction", 2)
        assert first == second
        assert (await central.seen("MeterValues"))[0]["transactionId"] == 2**63 - 1


@pytest.mark.slow
async def test_the_process_follows_the_house_and_takes_faults_from_it():
    from firmware_sim.hub import HubClient, HubServer

    told: asyncio.Queue[dict] = asyncio.Queue()
    hub = HubServer(lambda device, message: told.put_nowait(message["set"]), lambda device: None)
    port = await hub.start(0)
    central = Central()
    async with serve(central.handle, "127.0.0.1", 0, subprotocols=["ocpp1.6"]) as server:
        url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/ocpp"
        args = chargepoint.parser().parse_args(["--hub", str(port), "--url", url, "--speed", "100"])
        process = asyncio.create_task(chargepoint.serve(args))
        ev = {"plugged": True, "soc_percent": 40.0, "phases": 3, "current_a": [0, 0, 0], "power_w": 0, "energy_wh": 5}
        hub.broadcast({"ev": ev, "voltage_v": [230, 230, 230]})
        async with asyncio.timeout(10):
            assert await told.get() == {"ev_offer_a": 32.0}
            driver = HubClient("test", port)
            sending = asyncio.create_task(driver.run())
            await driver.send({"fault": {"device": "chargepoint", "kind": "reboot"}})
            assert await told.get() == {"ev_offer_a": 0.0}
        for task in (process, sending):
            task.cancel()
        await asyncio.gather(process, sending, return_exceptions=True)
    await hub.close()
