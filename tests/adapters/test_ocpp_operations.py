"""Operations on a charge point of each version, what it tells of itself, and the record of its frames."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from adapters.ocpp.facts import Make
from adapters.ocpp.frames import KEPT_FRAMES, KEPT_IN_ALL, FrameLog, from_lines, to_lines
from adapters.ocpp.operations import RESTART_S, Operations, schedule_words
from adapters.ocpp.receiver import Receiver
from adapters.ocpp.schemas import Schemas
from adapters.ocpp.secrecy import redacted
from gateway.model.charging import Operation
from gateway.model.errors import CommandRefused
from tests.fakes import START, FakeClock, FakeStore

SCHEMAS = {version: Schemas(version) for version in ("1.6", "2.0.1", "2.1")}
NAMES = (
    "pin",
    "PINs",
    "token",
    "uid",
    "rfid",
    "userPassword",
    "apiKey",
    "client_secret",
    "cardPin",
    "id_token",
    "tag",
    "psk",
)
SETTINGS = ("WifiPSK", "WiFiPassphrase", "VendorPIN", "APNKey", "FreeVendTag", "wifi_key", "vendor.Password", "simPin")
OUTLET: Any = SimpleNamespace(
    id="car",
    evse=2,
    limiter=SimpleNamespace(rung=SimpleNamespace(words="TxProfile in A"), works_now=True, now_words="at most 8 A"),
)


@dataclass
class FakePoint:
    """A charge point that answers from a table and whose messages are checked against the standard."""

    version: str
    answers: dict[str, Any] = field(default_factory=dict)
    identity: str = "CP1"
    features: dict[str, str] = field(default_factory=dict)
    why_away: str = "the charger is not connected"
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.frames = FrameLog()
        self.facts: Any = SimpleNamespace(make=Make("Acme", "One", "1.2"), serial="S1")
        self.peer: Any = SimpleNamespace(address="127.0.0.1", security_profile=2)

    async def call(self, action: str, payload: dict[str, Any]) -> dict[str, Any]:
        SCHEMAS[self.version].check(action, payload)
        self.calls.append((action, payload))
        answer = self.answers.get(action, {"status": "Accepted"})
        if isinstance(answer, str):
            raise CommandRefused("car", action, answer)
        return dict(answer)


def operations(receiver: Receiver | None = None, store: FakeStore | None = None) -> Operations:
    return Operations(receiver, FakeClock(), store or FakeStore())


@pytest.mark.parametrize(
    ("version", "operation", "call"),
    [
        ("1.6", Operation.RESET_SOFT, ("Reset", {"type": "Soft"})),
        ("1.6", Operation.RESET_HARD, ("Reset", {"type": "Hard"})),
        ("2.0.1", Operation.RESET_SOFT, ("Reset", {"type": "OnIdle"})),
        ("2.1", Operation.RESET_HARD, ("Reset", {"type": "Immediate"})),
        ("1.6", Operation.UNLOCK, ("UnlockConnector", {"connectorId": 2})),
        ("2.0.1", Operation.UNLOCK, ("UnlockConnector", {"evseId": 2, "connectorId": 1})),
        ("1.6", Operation.UNAVAILABLE, ("ChangeAvailability", {"connectorId": 2, "type": "Inoperative"})),
        ("2.1", Operation.AVAILABLE, ("ChangeAvailability", {"operationalStatus": "Operative", "evse": {"id": 2}})),
        ("2.0.1", Operation.CONFIGURATION, ("GetBaseReport", {"requestId": 1, "reportBase": "FullInventory"})),
    ],
)
async def test_each_version_is_asked_in_its_own_words(version: str, operation: Operation, call: Any) -> None:
    point = FakePoint(version)
    assert await operations().operate(point, OUTLET, operation)
    assert point.calls == [call]


@pytest.mark.parametrize("operation", [Operation.RESET_SOFT, Operation.UNLOCK, Operation.AVAILABLE])
async def test_a_charger_that_says_no_is_quoted(operation: Operation) -> None:
    refusing = {name: {"status": "Rejected"} for name in ("Reset", "UnlockConnector", "ChangeAvailability")}
    with pytest.raises(CommandRefused, match="Rejected"):
        await operations().operate(FakePoint("1.6", refusing), OUTLET, operation)


async def test_scheduled_is_a_yes_that_takes_its_time() -> None:
    point = FakePoint("1.6", {"ChangeAvailability": {"status": "Scheduled"}})
    assert "once the car is done" in await operations().operate(point, OUTLET, Operation.UNAVAILABLE)


async def test_the_absence_after_a_reset_of_ours_is_explained_and_only_for_its_time() -> None:
    clock, point = FakeClock(), FakePoint("2.0.1")
    before = point.why_away
    await Operations(None, clock, FakeStore()).operate(point, OUTLET, Operation.RESET_HARD)
    await clock.settle()
    assert point.why_away == "the charger restarts, as asked at 16:30 UTC"
    await clock.advance(RESTART_S)
    assert point.why_away == before


@asynccontextmanager
async def receiving(folder: Path) -> AsyncIterator[Receiver]:
    receiver = Receiver("127.0.0.1", 0, folder, FakeClock())
    task = asyncio.create_task(receiver.run())
    await asyncio.wait_for(receiver.serving.wait(), 5)
    try:
        yield receiver
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize(
    ("version", "answers", "url_at"),
    [
        ("1.6", {"GetDiagnostics": {"fileName": "d.zip"}}, ("GetDiagnostics", "location")),
        ("1.6", {"GetDiagnostics": "NotImplemented", "GetLog": {"status": "Accepted", "filename": "d.zip"}}, None),
        ("2.0.1", {"GetLog": {"status": "Accepted", "filename": "d.zip"}}, None),
        ("2.1", {"GetLog": {"status": "AcceptedCanceled", "filename": "d.zip"}}, None),
    ],
)
async def test_a_log_goes_to_the_receiver_and_is_listed(
    tmp_path: Path, version: str, answers: dict[str, Any], url_at: Any
) -> None:
    async with receiving(tmp_path) as receiver:
        known, point = operations(receiver), FakePoint(version, answers)
        assert "uploads d.zip" in await known.operate(point, OUTLET, Operation.UPLOAD_LOG)
        payload = point.calls[-1][1]
        url = payload["location"] if url_at else payload["log"]["remoteLocation"]
        async with httpx.AsyncClient() as charger:
            assert (await charger.put(url + "d.zip", content=b"log")).status_code == 201
        assert known.about(point, OUTLET).uploads == ("20261121-163000-d.zip",)


@pytest.mark.parametrize(
    ("version", "answers", "said"),
    [
        ("2.0.1", {"GetLog": {"status": "Accepted"}}, "The charger uploads its log; it appears here."),
        ("2.1", {"GetLog": {"status": "AcceptedCanceled"}}, "The charger uploads its log; it appears here."),
        ("1.6", {"GetDiagnostics": {}}, "The charger says that it has nothing to upload."),
        (
            "1.6",
            {"GetDiagnostics": "No", "GetLog": {"status": "Accepted"}},
            "The charger uploads its log; it appears here.",
        ),
    ],
)
async def test_a_log_without_a_name_comes_all_the_same_and_only_the_charger_says_that_there_is_none(
    tmp_path: Path, version: str, answers: dict[str, Any], said: str
) -> None:
    async with receiving(tmp_path) as receiver:
        assert await operations(receiver).operate(FakePoint(version, answers), OUTLET, Operation.UPLOAD_LOG) == said


async def test_without_a_receiver_a_log_is_refused_with_the_remedy() -> None:
    with pytest.raises(CommandRefused, match="does not receive uploads"):
        await operations().operate(FakePoint("1.6"), OUTLET, Operation.UPLOAD_LOG)


@pytest.mark.parametrize("version", ["1.6", "2.0.1", "2.1"])
async def test_the_limits_a_charger_combines_are_told_in_words(version: str) -> None:
    periods = [{"startPeriod": 0, "limit": 16.0}, {"startPeriod": 900, "limit": 6.0}]
    schedule = {"chargingRateUnit": "A", "chargingSchedulePeriod": periods}
    name = "chargingSchedule" if version == "1.6" else "schedule"
    point = FakePoint(version, {"GetCompositeSchedule": {"status": "Accepted", name: schedule}})
    said = await operations().operate(point, OUTLET, Operation.COMPOSITE_SCHEDULE)
    assert said == "The charger keeps from now 16 A, after 15 min 6 A."
    assert schedule_words({}) == "The charger names no limit at all."
    periods = [{"startPeriod": start, "limit": 6} for start in (0, 59, 90)]
    said = schedule_words({"chargingRateUnit": "A", "chargingSchedulePeriod": periods})
    assert said == "The charger keeps from now 6 A, after 59 s 6 A, after 1 min 30 s 6 A."


async def test_a_configuration_is_read_and_shown_without_its_secrets() -> None:
    keys = [
        {"key": "AuthorizationKey", "value": "hunter2", "readonly": False},
        {"key": "NumberOfConnectors", "value": "2"},
    ]
    point = FakePoint("1.6", {"GetConfiguration": {"configurationKey": keys}})
    known = operations()
    assert await known.operate(point, OUTLET, Operation.CONFIGURATION) == "2 settings were read."
    about = known.about(point, OUTLET)
    assert about.features == {"AuthorizationKey": "***", "NumberOfConnectors": "2"}
    assert (about.vendor, about.serial, about.security_profile, about.rung) == ("Acme", "S1", 2, "TxProfile in A")
    assert about.rung_seen_working and about.in_force == "at most 8 A"


async def test_no_secret_stays_in_what_is_told_of_a_charger() -> None:
    secret = {
        "WifiPSK": "hunter2", "WiFiPassphrase": "hunter2", "VendorPIN": "hunter2", "APNKey": "hunter2",
        "FreeVendTag": "hunter2", "vendor_api_key": "hunter2", "WifiCtrlr.Passphrase": "hunter2",
        "VendorCtrlr.Setting(WifiPSK)": "hunter2", "FTPUrl": "ftp://me:hunter2@host/", "Cloud": '{"pwd":"hunter2"}',
    }  # fmt: skip
    plain = {
        "GetConfigurationMaxKeys": "50",
        "TokenReader.Enabled": "true",
        "OCPPCommCtrlr.PublicKeyWithSignedMeterValue": "Never",
    }
    point = FakePoint("1.6", features={**secret, **plain})
    features = operations().about(point, OUTLET).features
    assert "hunter2" not in str(features) and {name: features[name] for name in plain} == plain
    assert features["FTPUrl"] == "ftp://***@host/"


async def test_a_security_event_is_kept_without_the_secrets_in_its_words_and_so_is_what_an_older_version_kept() -> None:
    store, point = FakeStore(), FakePoint("1.6")
    time, words = "2026-11-21T10:00:00Z", "password=hunter2 by tag 04AABBCC"
    await store.put("ocpp/security/CP1", {"events": [{"time": time, "text": f"InvalidLogin: {words}"}]})
    known = operations(store=store)
    await known.recall("CP1")
    known.noted("CP1", "SecurityEventNotification", {"type": "InvalidLogin", "timestamp": time, "techInfo": words})
    await FakeClock.settle()
    told = [event.text for event in known.about(point, OUTLET).security_events]
    kept = str(await store.get("ocpp/security/CP1"))
    assert len(told) == 2 and all(text.startswith("InvalidLogin: password=*** by tag ***") for text in told)
    assert "hunter2" not in kept and "04AABBCC" not in kept


async def test_security_events_are_kept_over_a_restart() -> None:
    store, point = FakeStore(), FakePoint("2.0.1")
    before = operations(store=store)
    for number in range(60):
        told = {"type": "TamperDetectionActivated", "timestamp": "2026-11-21T10:00:00Z", "techInfo": str(number)}
        before.noted("CP1", "SecurityEventNotification", told)
    await FakeClock.settle()
    after = operations(store=store)
    await after.recall("CP1")
    events = after.about(point, OUTLET).security_events
    assert len(events) == 50 and events[-1].text == "TamperDetectionActivated: 59"
    after.noted("CP1", "LogStatusNotification", {"status": "Uploaded"})
    assert after.upload_status("CP1") == "Uploaded"


# ---- frames


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ('[2,"a","Authorize",{"idTag":"04AABBCC"}]', "04AABBCC"),
        ('[2,"a","TransactionEvent",{"idToken":{"idToken":"04AABBCC","type":"ISO14443"}}]', "04AABBCC"),
        ('[2,"a","Authorize",{"idTag":"04AAB', "04AAB"),
        ('[2,"a","X",{"IDTAG" : 4711}', "4711"),
        ('[2,"a","ChangeConfiguration",{"key":"AuthorizationKey","value":"hunter2"}]', "hunter2"),
        ('[2,"a","ChangeConfiguration",{"value":"hunter2","key":"AuthorizationKey"', "hunter2"),
        ('[3,"a",{"configurationKey":[{"key":"VendorPassword","readonly":false,"value":"hunter2"}]}]', "hunter2"),
        (
            '[2,"a","SetVariables",{"setVariableData":[{"component":{"name":"SecurityCtrlr"},'
            '"variable":{"name":"BasicAuthPassword"},"attributeValue":"hunter2"}]}]',
            "hunter2",
        ),
        (
            '[2,"a","NotifyReport",{"reportData":[{"variable":{"name":"BasicAuthPassword"},'
            '"variableAttribute":[{"value":"hunter2"}]}]}]',
            "hunter2",
        ),
        ('[2,"a","SetNetworkProfile",{"connectionData":{"basicAuthPassword":"hunter2"}}]', "hunter2"),
        ('[2,"a","GetLog",{"log":{"remoteLocation":"ftp://me:hunter2@host/x"}}]', "hunter2"),
        ('[2,"a","GetDiagnostics",{"location":"http://h:1/upload/AbCdEfGhIjKlMnOpQr12/"}]', "AbCdEfGhIjKlMnOpQr12"),
        ('[2,"a","X",{"d":"-----BEGIN EC @-----\\nMHcC\\n-----END EC @-----"}]'.replace("@", "PRIVATE KEY"), "MHcC"),
        ("GET /ocpp/CP1 ws://CP1:hunter2@hub/", "hunter2"),
        ("GET / HTTP/1.1 Authorization: Basic Q1AxOmh1bnRlcjI=", "Q1AxOmh1bnRlcjI"),
        (r'[2,"a","DataTransfer",{"vendorId":"v","data":"{\"idTag\":\"04AABBCC\"}"}]', "04AABBCC"),
        (r'[2,"a","DataTransfer",{"vendorId":"v","data":"{\"a\":[{\"password\":\"hunter2\"}]}"}]', "hunter2"),
        (r'[2,"a","DataTransfer",{"vendorId":"v","data":"{\"password\":\"hunter2\"}"}', "hunter2"),
        ('[2,"a","DataTransfer",{"vendorId":"v","data":"user=me&password=hunter2"}]', "hunter2"),
        ('[2,"a","DataTransfer",{"vendorId":"v","data":"<login><pwd>hunter2</pwd></login>"}]', "hunter2"),
        ('[2,"a","DataTransfer",{"vendorId":"v","messageId":"rfid","data":"04AABBCC"}]', "04AABBCC"),
        *((f'[2,"a","DataTransfer",{{"vendorId":"v","data":{{"{name}":"hunter2"}}}}]', "hunter2") for name in NAMES),
        *((f'[2,"a","DataTransfer",{{"data":{{"{name}":["hunter2",{{"x":"hunter2"}}]}}', "hunter2") for name in NAMES),
        *((f'[3,"a",{{"configurationKey":[{{"key":"{key}","value":"hunter2"}}]}}]', "hunter2") for key in SETTINGS),
        *((f'[3,"a",{{"configurationKey":[{{"key":"{key}","value":"hunter2"}}', "hunter2") for key in SETTINGS),
        (
            '[2,"a","NotifyReport",{"reportData":[{"component":{"name":"WifiCtrlr"},"variable":{"name":"Passphrase"},'
            '"variableAttribute":[{"value":"hunter2"}]}]}]',
            "hunter2",
        ),
        (
            '[2,"a","NotifyEvent",{"eventData":[{"actualValue":"04AABBCC","component":{"name":"TokenReader"},'
            '"variable":{"name":"Token"}}]}]',
            "04AABBCC",
        ),
        (
            '[2,"a","MeterValues",{"meterValue":[{"sampledValue":[{"format":"SignedData","value":"0a0b0c0d"}]}]}]',
            "0a0b",
        ),
        ('[2,"a","MeterValues",{"meterValue":[{"sampledValue":[{"format":"SignedData","value":"0a0b0c0d"}]}]}', "0a0b"),
        ('[2,"a","TransactionEvent",{"signedMeterValue":{"signedMeterData":"T0NNRnx7"}}]', "T0NNRnx7"),
        ('[2,"a","DataTransfer",{"data":"OCMF|{\\"ID\\":\\"04AABBCC\\"}|{}"}]', "04AABBCC"),
        ('[2,"a","Authorize",{"idTag":["04AABBCC"]}]', "04AABBCC"),
        ('[2,"a","Authorize",{"idTag":{"v":"04AABBCC"}}]', "04AABBCC"),
        ('[2,"a","Authorize",{"id_tag":"04AABBCC"}]', "04AABBCC"),
        ("[2,'a','Authorize',{'idTag':'04AABBCC'}]", "04AABBCC"),
        ('[2,"a","StatusNotification",{"info":"RFID 04:AA:BB:CC read"}]', "04:AA:BB:CC"),
        ('[2,"a","NotifyCustomerInformation",{"data":"04AABBCC Jane","seqNo":0}]', "Jane"),
        ('[2,"a","SetNetworkProfile",{"connectionData":{"vpn":{"server":"h","key":"hunter2"}}}]', "hunter2"),
    ],
)
def test_no_secret_stays_in_a_frame_even_in_broken_json(text: str, hidden: str) -> None:
    assert hidden in text and hidden not in redacted(text)


def test_what_is_no_secret_stays_and_a_tag_keeps_one_mark() -> None:
    text = '[3,"a",{"configurationKey":[{"key":"Password","value":"x"},{"key":"MeterInterval","value":"60"}]}]'
    assert '"value":"60"' in redacted(text)
    marks = [redacted(f'[2,"{n}","Authorize",{{"idTag":"{tag}"}}]')[-15:] for n, tag in enumerate("AAB")]
    assert marks[0] == marks[1] != marks[2]


@pytest.mark.parametrize(
    "text",
    [
        '[2,"a","GetConfiguration",{"key":["AuthorizationKey","WifiPSK"]}]',
        '[3,"a",{"configurationKey":[{"key":"GetConfigurationMaxKeys","value":"50"}],"unknownKey":["WifiPSK"]}]',
        '[3,"a",{"idTagInfo":{"status":"Accepted","expiryDate":"2026-11-21T16:30:00Z"}}]',
        '[3,"a",{"idTokenInfo":{"status":"Blocked"}}]',
        '[2,"a","MeterValues",{"connectorId":1,"meterValue":[{"timestamp":"2026-11-21T16:30:00Z","sampledValue":'
        '[{"value":"5","measurand":"Energy.Active.Import.Register","unit":"Wh","phase":"L1-N"}]}]}]',
        '[2,"a","StatusNotification",{"connectorId":1,"errorCode":"ReaderFailure","info":"RFID reader failure"}]',
        '[4,"a","OccurenceConstraintViolation","StopTransaction must contain transactionId",{}]',
        '[2,"a","DataTransfer",{"vendorId":"com.acme","data":"{\\"mode\\": \\"eco\\", \\"limit\\": 16}"}]',
        '[2,"a","TransactionEvent",{"transactionInfo":{"transactionId":"3f2a-11"},"triggerReason":"Authorized"}]',
        "[2,'a','Heartbeat',{'status':'Accepted', \"key\": \"MeterInterval\"",
    ],
)
def test_what_is_no_secret_is_shown_as_it_was_written(text: str) -> None:
    assert redacted(text) == text


def test_a_signed_record_shows_how_long_it_was_and_keeps_the_public_key() -> None:
    said = redacted('[2,"a","X",{"signedMeterValue":{"signedMeterData":"T0NNRnx7","publicKey":"abc"}}]')
    assert '"signedMeterData":"***(8 characters)","publicKey":"abc"' in said


def test_what_one_frame_calls_a_tag_is_marked_in_all_the_others() -> None:
    log = FrameLog()
    log.keep(START, "in", '[2,"a","StatusNotification",{"info":"seen 04AABBCC here","connectorId":1}]')
    log.keep(START, "in", '[2,"b","Authorize",{"idTag":"04AABBCC"}]')
    first, second = (frame.text for frame in log.frames())
    assert "04AABBCC" not in first + second and second[-12:-3] in first and '"connectorId":1' in first


@pytest.mark.slow
def test_hostile_text_is_redacted_in_no_time() -> None:
    log = FrameLog()
    for piece in ("://a:b", "pin={", 'pin="', "tag ", "a:", '"key":"', "-----BEGIN ", "[", '"\\', "a\\", "ab:"):
        log.keep(START, "in", piece * (12_000 // len(piece)))
    begun = perf_counter()
    log.frames()
    assert perf_counter() - begun < 2.0


def test_the_record_is_bounded_and_goes_through_a_file_and_back() -> None:
    log = FrameLog()
    for number in range(KEPT_FRAMES + 50):
        log.keep(START, "in", f'[2,"{number}","Heartbeat",{{}}]')
    assert len(log.frames()) == KEPT_FRAMES and '"349"' in log.frames()[-1].text
    assert from_lines("".join(to_lines(log.frames()))) == log.frames()
    for _ in range(20):
        log.keep(START, "in", "x" * 1_000_000)
    assert sum(len(frame.text) for frame in log.frames()) <= KEPT_IN_ALL
    with pytest.raises(ValueError, match="line 2"):
        from_lines('{"time":"2026-11-21T16:30:00Z","direction":"in","text":""}\n{"time":5}\n')
