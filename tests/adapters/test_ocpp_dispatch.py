"""The message exchange in every OCPP version, in memory: answered as OCPP-J says, mended, never ended."""

from __future__ import annotations

import asyncio
import gc
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from adapters.ocpp.dispatch import AnswerWrong, CallRefused, Dispatch, LinkLost, NoAnswer, Refusal
from adapters.ocpp.frames import FrameLog
from adapters.ocpp.rpc import TIMEOUTS_S, spelled
from adapters.ocpp.schemas import Schemas
from tests.fakes import FakeClock

VERSIONS = ("1.6", "2.0.1", "2.1")
SCHEMAS = {version: Schemas(version) for version in VERSIONS}
TIME = "2026-11-21T16:30:00Z"
STATUS_16 = {"connectorId": 1, "errorCode": "NoError", "status": "Available"}
EVENT = {
    "eventType": "Started",
    "timestamp": TIME,
    "triggerReason": "CablePluggedIn",
    "seqNo": 0,
    "transactionInfo": {"transactionId": "t1"},
}


class Wire:
    """One end of an exchange in memory; `handled` is what the inbox got."""

    def __init__(self, version: str = "1.6", frames: FrameLog | None = None) -> None:
        self.sent: list[list[Any]] = []
        self.handled: list[tuple[str, dict[str, Any]]] = []
        self.answered: list[str] = []
        self.answer: dict[str, Any] = {}
        self.error: Exception | None = None
        self.frames = frames or FrameLog()
        self.dispatch = Dispatch(
            self._send, self._handle, self.answered.append, SCHEMAS[version], self.frames, FakeClock(), version
        )

    async def _send(self, text: str) -> None:
        self.sent.append(json.loads(text))

    async def _handle(self, action: str, payload: dict[str, Any]) -> dict[str, Any]:
        self.handled.append((action, payload))
        if self.error is not None:
            raise self.error
        return self.answer

    async def says(self, *texts: str) -> list[list[Any]]:
        """What comes out, from now on, when the charger says this."""
        before = len(self.sent)
        for text in texts:
            self.dispatch.receive(text)
        await FakeClock.settle()
        return self.sent[before:]


@asynccontextmanager
async def wire(version: str = "1.6", frames: FrameLog | None = None) -> AsyncIterator[Wire]:
    made = Wire(version, frames)
    work = asyncio.create_task(made.dispatch.work())
    try:
        yield made
    finally:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)


def call(action: Any, payload: Any, message_id: Any = "a", kind: Any = 2) -> str:
    return json.dumps([kind, message_id, action, payload])


UNREADABLE = [
    "",
    "{",
    "hello",
    "[2]",
    "{}",
    "null",
    '[2,{},"Heartbeat",{}]',
    "[2,null]",
    "[" * 100_000,
    '[2,"a","Heartbeat",{"x":NaN}]',
]


@pytest.mark.parametrize("text", UNREADABLE, ids=lambda text: text[:24] or "nothing")
async def test_what_cannot_be_read_is_dropped_in_1_6_and_answered_with_id_minus_one_in_2_x(text: str) -> None:
    for version in VERSIONS:
        async with wire(version) as end:
            said = await end.says(text)
            expected = [] if version == "1.6" else [[4, "-1", "RpcFrameworkError"]]
            assert [frame[:3] for frame in said] == expected
            assert sum(end.frames.violations.values()) == 1
            assert (await end.says(call("Heartbeat", {})))[0][1] == "a"


@pytest.mark.parametrize(
    ("version", "frame", "answer"),
    [
        ("1.6", [7, "a", {}], None),
        ("1.6", ["2", "a", "Heartbeat", {}], None),
        ("1.6", [6, "a", "Heartbeat", {}], None),
        ("2.0.1", [7, "a", {}], [4, "a", "MessageTypeNotSupported"]),
        ("2.0.1", [6, "a", "NotifyPeriodicEventStream", {}], [4, "a", "MessageTypeNotSupported"]),
        ("2.1", [True, "a", {}], [4, "a", "MessageTypeNotSupported"]),
        ("2.1", [5, "a", "FormatViolation", "", {}], None),
        ("1.6", [2, "a"], [4, "a", "FormationViolation"]),
        ("2.0.1", [2, "a", "Heartbeat", []], [4, "a", "FormatViolation"]),
        ("2.1", [2, "a", ["Heartbeat"], {}], [4, "a", "FormatViolation"]),
        ("1.6", [2, "a", "Fly", {}], [4, "a", "NotImplemented"]),
        ("2.0.1", [2, "a", "Fly", {}], [4, "a", "NotImplemented"]),
        ("2.1", [2, "a", "HeartbeatResponse", {"currentTime": TIME}], [4, "a", "NotImplemented"]),
        ("1.6", [2, "a", "StatusNotification", {}], [4, "a", "OccurenceConstraintViolation"]),
        ("2.0.1", [2, "a", "StatusNotification", {}], [4, "a", "OccurrenceConstraintViolation"]),
        ("1.6", [2, "a", "StatusNotification", STATUS_16 | {"connectorId": []}], [4, "a", "TypeConstraintViolation"]),
        ("2.1", [2, "a", "TransactionEvent", EVENT | {"seqNo": "x"}], [4, "a", "TypeConstraintViolation"]),
    ],
)
async def test_each_version_answers_with_its_own_words(
    version: str, frame: list[Any], answer: list[Any] | None
) -> None:
    async with wire(version) as end:
        said = await end.says(json.dumps(frame))
        assert [part[:3] for part in said] == ([] if answer is None else [answer])
        assert not end.handled and end.frames.violations


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("code", ["SecurityError", "FormationViolation", "OccurrenceConstraintViolation", "NoSuchCode"])
async def test_a_refusal_of_a_handler_is_spelled_as_the_version_does(version: str, code: str) -> None:
    async with wire(version) as end:
        end.error = Refusal(code, "because")
        said = await end.says(call("Heartbeat", {}))
    assert said == [[4, "a", spelled(code, version), "because", {}]]
    assert spelled("OccurrenceConstraintViolation", "1.6") == "OccurenceConstraintViolation"
    assert spelled("NoSuchCode", version) == "GenericError"


async def test_a_handler_that_fails_costs_one_error_and_the_next_call_is_answered() -> None:
    async with wire() as end:
        end.error = ValueError("oops")
        assert (await end.says(call("Heartbeat", {})))[0][2] == "InternalError"
        end.error, end.answer = None, {"currentTime": TIME}
        assert await end.says(call("Heartbeat", {}, "b")) == [[3, "b", {"currentTime": TIME}]]


@pytest.mark.parametrize(
    ("action", "sent", "meant", "odd"),
    [
        ("StatusNotification", STATUS_16 | {"info": None}, STATUS_16, "null for absent"),
        ("StatusNotification", STATUS_16 | {"connectorId": "1"}, STATUS_16, "text for a number"),
        ("StatusNotification", STATUS_16 | {"status": "available "}, STATUS_16, "unknown word"),
        ("StatusNotification", STATUS_16 | {"status": "Dozing"}, STATUS_16 | {"status": "Dozing"}, "unknown word"),
        ("StatusNotification", STATUS_16 | {"colour": 1}, STATUS_16 | {"colour": 1}, "unknown field"),
        ("StatusNotification", STATUS_16 | {"info": "x" * 60}, STATUS_16 | {"info": "x" * 50}, "text too long"),
        ("StatusNotification", STATUS_16 | {"info": ["x"]}, STATUS_16, "unreadable field dropped"),
        (
            "MeterValues",
            {"connectorId": 1, "meterValue": {"timestamp": TIME, "sampledValue": {"value": 5}}},
            {"connectorId": 1, "meterValue": [{"timestamp": TIME, "sampledValue": [{"value": "5"}]}]},
            "one thing for a list",
        ),
        (
            "MeterValues",
            {"connectorId": 1, "meterValue": [{"timestamp": TIME, "sampledValue": [{"value": "5"}, "x"]}]},
            {"connectorId": 1, "meterValue": [{"timestamp": TIME, "sampledValue": [{"value": "5"}]}]},
            "unreadable item dropped",
        ),
        (
            "StopTransaction",
            {"meterStop": 5, "timestamp": TIME, "transactionId": "tx\u00fc"},
            {"meterStop": 5, "timestamp": TIME, "transactionId": -1},
            "garbage transaction id",
        ),
        (
            "StopTransaction",
            {"meterStop": 5.0, "timestamp": TIME, "transactionId": None},
            {"meterStop": 5, "timestamp": TIME, "transactionId": -1},
            "garbage transaction id",
        ),
    ],
)
async def test_what_a_real_charger_may_do_is_mended_and_counted(
    action: str, sent: dict[str, Any], meant: dict[str, Any], odd: str
) -> None:
    async with wire() as end:
        assert (await end.says(call(action, sent)))[0][0] == 3
        assert end.handled == [(action, meant)]
        assert end.frames.violations[odd]


STOP_16 = {"transactionId": 1, "meterStop": 5, "timestamp": TIME}
START_16 = {"connectorId": 1, "idTag": "T", "meterStart": 5, "timestamp": TIME}
SAMPLE_16 = {"timestamp": TIME, "sampledValue": [{"value": "5"}]}


@pytest.mark.parametrize(
    ("version", "action", "whole", "missing"),
    [
        ("1.6", "StopTransaction", STOP_16, "timestamp"),
        ("1.6", "StopTransaction", STOP_16, "meterStop"),
        ("1.6", "StartTransaction", START_16, "timestamp"),
        ("1.6", "StartTransaction", START_16, "meterStart"),
        ("1.6", "StartTransaction", START_16, "idTag"),
        ("1.6", "StatusNotification", STATUS_16, "errorCode"),
        ("1.6", "BootNotification", {"chargePointVendor": "Acme", "chargePointModel": "One"}, "chargePointModel"),
        ("1.6", "SecurityEventNotification", {"type": "InvalidLogin", "timestamp": TIME}, "timestamp"),
        ("2.0.1", "TransactionEvent", EVENT, "timestamp"),
        ("2.0.1", "TransactionEvent", EVENT, "seqNo"),
        ("2.1", "TransactionEvent", EVENT, "triggerReason"),
        (
            "2.0.1",
            "BootNotification",
            {"reason": "PowerUp", "chargingStation": {"model": "M", "vendorName": "V"}},
            "reason",
        ),
        (
            "2.1",
            "StatusNotification",
            {"timestamp": TIME, "connectorStatus": "Available", "evseId": 1, "connectorId": 1},
            "timestamp",
        ),
    ],
)
@pytest.mark.parametrize("how", ["left out", "null"])
async def test_a_required_field_that_says_nothing_by_its_absence_may_be_missing_and_that_is_counted(
    version: str, action: str, whole: dict[str, Any], missing: str, how: str
) -> None:
    rest = {key: value for key, value in whole.items() if key != missing}
    async with wire(version) as end:
        end.answer = ANSWERS.get((version, action), {})
        said = await end.says(call(action, rest if how == "left out" else whole | {missing: None}))
        assert said[0][:2] == [3, "a"]
        assert end.handled == [(action, rest)]
        assert end.frames.violations[f"no {missing}"] == 1


BOOTED = {"status": "Accepted", "currentTime": TIME, "interval": 60}
ANSWERS = {
    ("1.6", "StartTransaction"): {"transactionId": 1, "idTagInfo": {"status": "Accepted"}},
    ("1.6", "BootNotification"): BOOTED,
    ("2.0.1", "BootNotification"): BOOTED,
}


@pytest.mark.parametrize(
    ("version", "action", "sent", "meant"),
    [
        ("1.6", "StopTransaction", STOP_16 | {"meterStop": ""}, {"transactionId": 1, "timestamp": TIME}),
        (
            "1.6",
            "MeterValues",
            {"connectorId": 1, "meterValue": [{"sampledValue": [{"value": "5"}]}]},
            {"connectorId": 1, "meterValue": [{"sampledValue": [{"value": "5"}]}]},
        ),
        (
            "2.0.1",
            "TransactionEvent",
            EVENT | {"idToken": {"idToken": "T1"}},
            EVENT | {"idToken": {"idToken": "T1"}},
        ),
        (
            "2.0.1",
            "TransactionEvent",
            EVENT | {"idToken": "T1", "evse": 2, "transactionInfo": "t1"},
            EVENT | {"idToken": {"idToken": "T1"}, "evse": {"id": 2}},
        ),
        (
            "2.1",
            "TransactionEvent",
            EVENT | {"meterValue": {"sampledValue": {"value": 5}}},
            EVENT | {"meterValue": [{"sampledValue": [{"value": 5}]}]},
        ),
    ],
)
async def test_what_is_missing_inside_costs_nothing_of_the_rest(
    version: str, action: str, sent: dict[str, Any], meant: dict[str, Any]
) -> None:
    async with wire(version) as end:
        assert (await end.says(call(action, sent)))[0][0] == 3
        assert end.handled == [(action, meant)]


async def test_a_line_lost_in_the_middle_of_a_call_leaves_no_answer_that_nobody_takes() -> None:
    told: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    made = Wire()
    blocked = asyncio.Event()

    async def stuck(_: str) -> None:
        await blocked.wait()
        raise LinkLost("the line is gone")

    made.dispatch._send_text = stuck
    sending = asyncio.create_task(made.dispatch.call("ClearCache", {}))
    await FakeClock.settle()
    made.dispatch.close()
    blocked.set()
    with pytest.raises(LinkLost):
        await sending
    del sending
    gc.collect()
    await FakeClock.settle()
    assert not told


async def test_a_transaction_id_too_long_is_kept_whole() -> None:
    async with wire("2.0.1") as end:
        await end.says(call("TransactionEvent", EVENT | {"transactionInfo": {"transactionId": "t" * 50}}))
        assert end.handled[0][1]["transactionInfo"]["transactionId"] == "t" * 50


async def test_2_0_1_firmware_that_writes_as_in_1_6_is_heard_in_that_shape() -> None:
    async with wire("2.0.1") as end:
        stop = {"meterStop": 5, "timestamp": TIME, "transactionId": 1}
        said = await end.says(call("StatusNotification", STATUS_16), call("StopTransaction", stop, "b"))
        assert said == [[3, "a", {}], [3, "b", {}]]
        assert end.handled == [("StatusNotification", STATUS_16), ("StopTransaction", stop)]
        assert end.frames.violations["1.6 message"] == 2


async def test_an_older_message_on_a_newer_line_is_mended_like_any_other() -> None:
    async with wire("2.0.1") as end:
        assert await end.says(call("StopTransaction", {"transactionId": "1", "meterStop": 5})) == [[3, "a", {}]]
        assert end.handled == [("StopTransaction", {"transactionId": 1, "meterStop": 5})]
        assert end.frames.violations["no timestamp"] == end.frames.violations["1.6 message"] == 1
        assert (await end.says(call("StopTransaction", {"transactionId": []}, "b")))[0][0] == 3
        assert (await end.says(call("StopTransaction", {}, "c")))[0][2] == "OccurrenceConstraintViolation"


@pytest.mark.parametrize("action", ["BootNotification", "StartTransaction", "StopTransaction", "MeterValues"])
async def test_a_message_that_says_nothing_at_all_is_refused(action: str) -> None:
    async with wire() as end:
        for payload in ({}, {"timestamp": None}):
            assert (await end.says(call(action, payload)))[0][2] == "OccurenceConstraintViolation"
        assert not end.handled


async def test_a_transaction_message_sent_again_gets_the_same_answer_and_is_handled_once_even_after_a_reconnect() -> (
    None
):
    frames = FrameLog()
    start = call("StartTransaction", {"connectorId": 1, "idTag": "T", "meterStart": 0, "timestamp": TIME})
    async with wire(frames=frames) as end:
        end.answer = {"transactionId": 7, "idTagInfo": {"status": "Accepted"}}
        first = await end.says(start)
        assert await end.says(start) == first
        assert len(end.handled) == 1 and end.answered == ["StartTransaction"] * 2
    async with wire(frames=frames) as later:
        assert await later.says(start) == first
        assert not later.handled


async def test_a_message_id_used_again_for_something_else_is_something_else() -> None:
    async with wire() as end:
        end.answer = {"transactionId": 7, "idTagInfo": {"status": "Accepted"}}
        for meter in (0, 10):
            payload = {"connectorId": 1, "idTag": "T", "meterStart": meter, "timestamp": TIME}
            await end.says(call("StartTransaction", payload))
        assert len(end.handled) == 2


async def test_a_message_that_is_only_sent_is_handled_and_never_answered() -> None:
    stream = {"id": 1, "pending": 0, "basetime": TIME, "data": [{"t": 0, "v": "5"}]}
    async with wire("2.1") as end:
        assert await end.says(call("NotifyPeriodicEventStream", stream, kind=6)) == []
        assert end.handled == [("NotifyPeriodicEventStream", stream)]
        assert await end.says(call("NotifyPeriodicEventStream", {}, kind=6), call("Heartbeat", {}, kind=6)) == []
        assert len(end.handled) == 1
        assert (await end.says(call("NotifyPeriodicEventStream", stream)))[0][2] == "NotImplemented"


async def test_in_2_1_a_charger_is_told_which_answer_could_not_be_read() -> None:
    for version, expected in (("2.0.1", []), ("2.1", ["FormatViolation"])):
        async with wire(version) as end:
            asking = asyncio.create_task(end.dispatch.call("ClearCache", {}))
            await FakeClock.settle()
            said = await end.says(json.dumps([3, end.sent[0][1], {}]))
            with pytest.raises(AnswerWrong):
                await asking
            assert [frame[2] for frame in said if frame[0] == 5 and frame[1] == end.sent[0][1]] == expected


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_handler_that_calls_out_cannot_deadlock_whoever_speaks_first(
    version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(TIMEOUTS_S, "ClearCache", 0.02)
    heard: list[str] = []
    async with wire(version) as end:

        async def handle(action: str, payload: dict[str, Any]) -> dict[str, Any]:
            try:  # the charger answers nothing before it is answered itself
                await end.dispatch.call("ClearCache", {})
            except NoAnswer:
                heard.append(action)
            return {"currentTime": TIME}

        end.dispatch._handle = handle
        outside = asyncio.create_task(end.dispatch.call("ClearCache", {}))
        end.dispatch.receive(call("Heartbeat", {}))
        with pytest.raises(NoAnswer):
            await outside
        async with asyncio.timeout(1):
            while len(end.sent) < 3:
                await asyncio.sleep(0.005)
    assert heard == ["Heartbeat"] and [3, "a", {"currentTime": TIME}] in end.sent


async def test_a_hung_charger_delays_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TIMEOUTS_S, "ClearCache", 0.05)
    async with wire() as hung, wire() as well:
        waits = asyncio.create_task(hung.dispatch.call("ClearCache", {}))
        asking = asyncio.create_task(well.dispatch.call("ClearCache", {}))
        await FakeClock.settle()
        await well.says(json.dumps([3, well.sent[0][1], {"status": "Accepted"}]))
        assert await asking == {"status": "Accepted"} and not waits.done()
        with pytest.raises(NoAnswer):
            await waits


async def test_an_answer_of_another_id_kind_or_twice_is_counted_and_matched_to_nothing() -> None:
    async with wire() as end:
        asking = asyncio.create_task(end.dispatch.call("ClearCache", {}))
        await FakeClock.settle()
        right = end.sent[0][1]
        await end.says(json.dumps([3, "other", {}]), json.dumps([4, 17, "X", "", {}]), json.dumps([3, [right], {}]))
        assert not asking.done()
        await end.says(json.dumps([4, right, "Custom", 5]), json.dumps([3, right, {"status": "Accepted"}]))
        with pytest.raises(CallRefused, match="Custom"):
            await asking
        assert end.frames.violations["late or unsolicited answer"] == 3


@pytest.mark.slow
@pytest.mark.parametrize("version", VERSIONS)
def test_every_message_of_the_standard_compiles_and_refuses_what_is_no_object(version: str) -> None:
    schemas = SCHEMAS[version]
    for name in schemas.names():
        assert not schemas.fits(name, 5)
