"""The lies of the simulated devices, each as it looks on the wire."""

from __future__ import annotations

import asyncio
import struct
from datetime import UTC, datetime
from pathlib import Path

import pytest

from firmware_sim.clock import SimClock
from firmware_sim.inverter import SunSpecInverter
from firmware_sim.lies import ASKED, KINDS, LINE, REGISTERS, SCALES, STATE
from firmware_sim.meter import Sdm630
from firmware_sim.modbus_faults import Faults
from firmware_sim.modbus_frames import Frame, crc16
from firmware_sim.modbus_server import ModbusServer, answer

NOW = datetime(2026, 6, 10, 11, 0, tzinfo=UTC)
STATE_OF_HOME = {
    "voltage_v": [230.0, 231.0, 232.0], "grid_w": [1150.0, 462.0, -232.0], "current_a": [5.0, 2.0, 1.0],
    "pv_w": -900.0, "battery_w": 0.0, "inverter_w": [-300.0] * 3, "soc_percent": 50.0, "grid_import_wh": 123_456.0,
    "grid_export_wh": 65_432.0, "grid_phase_import_wh": [41_152.0] * 3, "grid_phase_export_wh": [0.0] * 3,
    "inverter_export_wh": 77_000.0, "pv_energy_wh": 77_000.0, "battery_charged_wh": 3_000.0,
    "battery_discharged_wh": 2_900.0,
}  # fmt: skip
PDU = bytes((4, 4, 0x43, 0x66, 0x00, 0x00))
"""The float32 230.0 as an answer of function 4."""
OLD = Frame(1, bytes((4, 2, 0x12, 0x34)), 6)


class StoppedClock(SimClock):
    """Home time as the test sets it."""

    seconds = 0.0

    def now(self) -> datetime:
        return datetime.fromtimestamp(NOW.timestamp() + self.__class__.seconds, UTC)


@pytest.fixture
def faults() -> Faults:
    StoppedClock.seconds = 0.0
    return Faults(StoppedClock(NOW, 0.0))


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("count", "0007 0000 0005 01 04 02 4366"),
        ("long", "0007 0000 000b 01 04 08 4366 0000 0000 0000"),
        ("wrong_function", "0007 0000 0007 01 03 04 4366 0000"),
        ("wrong_unit", "0007 0000 0007 02 04 04 4366 0000"),
        ("wrong_transaction", "0008 0000 0007 01 04 04 4366 0000"),
        ("truncated", "0007 0000 0007 01 04 04 43"),
        ("byte_count", "0007 0000 0007 01 04 06 4366 0000"),
        ("length", "0007 0000 000b 01 04 04 4366 0000"),
        ("bad_check", "0007 0001 0007 01 04 04 4366 0000"),
        ("garbage_prefix", "00ff55807e 0007 0000 0007 01 04 04 4366 0000"),
        ("glued", "0007 0000 0007 01 04 04 4366 0000 0007 0000 0007 01 04 04 5277 1111"),
        ("unsolicited", "0006 0000 0005 01 04 02 1234 0007 0000 0007 01 04 04 4366 0000"),
        ("answer_of_before", "0006 0000 0005 01 04 02 1234"),
    ],
)
async def test_a_lie_of_the_line_is_these_bytes(faults: Faults, kind: str, expected: str) -> None:
    await faults.through(OLD)
    faults.begin({"kind": kind, "for_s": 10})
    pieces = await faults.through(Frame(1, PDU, 7))
    assert [(piece.data, piece.after_s) for piece in pieces] == [(bytes.fromhex(expected), 0.0)]


async def test_what_comes_late_comes_whole_or_in_halves(faults: Faults) -> None:
    packed = Frame(1, PDU, 7).packed()
    faults.begin({"kind": "late", "for_s": 10, "seconds": 3})
    assert [(p.data, p.after_s) for p in await faults.through(Frame(1, PDU, 7))] == [(packed, 3.0)]
    StoppedClock.seconds = 11.0
    faults.begin({"kind": "half_then_stall", "for_s": 10, "seconds": 2})
    assert [(p.data, p.after_s) for p in await faults.through(Frame(1, PDU, 7))] == [
        (packed[:6], 0.0),
        (packed[6:], 2.0),
    ]


async def test_a_serial_frame_with_one_bit_turned_does_not_pass_its_check(faults: Faults) -> None:
    faults.begin({"kind": "bad_check", "for_s": 10})
    (piece,) = await faults.through(Frame(1, PDU))
    assert len(piece.data) == 9 and crc16(piece.data[:-2]) != piece.data[-2:]


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("not_a_number", "7fc00000"),
        ("infinity", "7f800000"),
        ("marker_7fffffff", "7fffffff"),
        ("marker_80000000", "80000000"),
        ("marker_8000", "80008000"),
        ("marker_ffff", "ffffffff"),
        ("zero_everything", "00000000"),
        ("words_swapped", "00004366"),
        ("bytes_swapped", "66430000"),
    ],
)
async def test_a_lie_about_the_registers_is_a_sound_frame_with_these_words(
    faults: Faults, kind: str, words: str
) -> None:
    faults.begin({"kind": kind, "for_s": 10})
    (piece,) = await faults.through(Frame(1, PDU, 7))
    assert piece.data == Frame(1, PDU[:2] + bytes.fromhex(words), 7).packed()


def shown(faults: Faults, start: int) -> float:
    meter = Sdm630(faults)
    meter.show(STATE_OF_HOME)
    (value,) = struct.unpack(">f", answer(meter, faults.asked(struct.pack(">BHH", 4, start, 2)))[2:])
    return float(value)


@pytest.mark.parametrize(
    ("fault", "start", "expected"),
    [
        ({"kind": "lie", "factor": 3}, 0x34, 4140.0),
        ({"kind": "sign_turned"}, 0x34, -1380.0),
        ({"kind": "sign_turned"}, 0x06, 5.0),
        ({"kind": "phases_do_not_add_up"}, 0x34, 2760.0),
        ({"kind": "phases_do_not_add_up"}, 0x0C, 1150.0),
        ({"kind": "out_of_range"}, 0x00, 4600.0),
        ({"kind": "counter_falls", "wh": 100_000}, 0x48, 23.456),
        ({"kind": "counter_jumps", "wh": 100_000}, 0x48, 223.456),
        ({"kind": "other_registers"}, 0x00, 5.0),
    ],
)
def test_an_untrue_meter_shows(faults: Faults, fault: dict, start: int, expected: float) -> None:
    faults.begin({**fault, "for_s": 10})
    assert shown(faults, start) == pytest.approx(expected, rel=1e-5)


def test_a_counter_against_power_runs_away_while_the_lie_is_told(faults: Faults) -> None:
    faults.begin({"kind": "counter_against_power", "for_s": 3600, "watts": 3600})
    StoppedClock.seconds = 100.0
    assert shown(faults, 0x48) == pytest.approx(123.556, rel=1e-5)


def test_a_frozen_meter_shows_what_it_showed_before(faults: Faults) -> None:
    meter = Sdm630(faults)
    meter.show(STATE_OF_HOME)
    faults.begin({"kind": "frozen", "for_s": 10})
    meter.show(STATE_OF_HOME | {"grid_w": [1.0, 1.0, 1.0]})
    assert struct.unpack(">f", answer(meter, struct.pack(">BHH", 4, 0x34, 2))[2:])[0] == 1380.0
    StoppedClock.seconds = 10.0
    meter.show(STATE_OF_HOME | {"grid_w": [1.0, 1.0, 1.0]})
    assert struct.unpack(">f", answer(meter, struct.pack(">BHH", 4, 0x34, 2))[2:])[0] == 3.0


POWER_AND_SCALE = struct.pack(">BHH", 3, 40_000 + 2 + 68 + 2 + 12, 2)
"""W and W_SF of model 103 behind the common model."""


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("scale_factor_changed", (90, 1)),
        ("scale_factor_wrong", (900, 1)),
        ("scale_factor_unimplemented", (900, 0x8000)),
        ("night_production", (2000, 0)),
    ],
)
def test_an_untrue_inverter_shows(faults: Faults, kind: str, words: tuple[int, int]) -> None:
    inverter = SunSpecInverter(faults, StoppedClock(NOW, 0.0))
    inverter.show(STATE_OF_HOME)
    assert struct.unpack(">HH", answer(inverter, POWER_AND_SCALE)[2:]) == (900, 0)
    faults.begin({"kind": kind, "for_s": 10})
    inverter.show(STATE_OF_HOME)
    assert struct.unpack(">HH", answer(inverter, POWER_AND_SCALE)[2:]) == words


def test_a_lie_nobody_knows_is_refused(faults: Faults) -> None:
    with pytest.raises(ValueError, match="no fault is called fib"):
        faults.begin({"kind": "fib"})


def test_every_kind_of_lie_is_in_the_document_of_the_simulated_home() -> None:
    text = (Path(__file__).parents[2] / "docs" / "simulated-home.md").read_text()
    assert [kind for kind in KINDS if f"`{kind}`" not in text] == []
    assert len({*LINE, *REGISTERS, *ASKED, *STATE, *SCALES}) >= 20


async def test_the_server_sends_what_the_faults_make_of_an_answer(faults: Faults) -> None:
    meter = Sdm630(faults)
    meter.show(STATE_OF_HOME)
    server = ModbusServer({1: meter}, faults)
    port = await server.listen(0, rtu=True)
    faults.begin({"kind": "wrong_unit", "for_s": 10})
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    request = bytes((1,)) + struct.pack(">BHH", 4, 0x34, 2)
    writer.write(request + crc16(request))
    assert (await reader.readexactly(9))[:3] == bytes((2, 4, 4))
    writer.close()
    await server.close()
