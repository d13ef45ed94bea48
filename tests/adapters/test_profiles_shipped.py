"""Every shipped Modbus profile: sound as data, and for the verified meters read out of frames written by hand."""

from __future__ import annotations

import asyncio
import functools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
import sunspec2
from ruamel.yaml import YAML

from adapters.modbus.block_reader import decode_register
from adapters.modbus.bus import Bus
from adapters.modbus.decode import SIZES, Decoded
from adapters.modbus.device import ModbusDevice
from adapters.modbus.planner import Block, Register, plan_blocks
from adapters.modbus.profile import Profile, load_profile
from adapters.modbus.profile_schema import schema_text
from adapters.modbus.settings import ModbusDeviceSettings, ModbusTcpSettings
from adapters.modbus.sunspec import Chain, Identity, load_models, resolve
from gateway.model.errors import SiteFileError
from gateway.model.quantity import Quantity as Q
from gateway.model.reading import Quality
from gateway.model.site import Device, Role
from gateway.runtime.system_clock import SystemClock
from tests.adapters.modbus_server import RawServer
from tests.adapters.shipped import NAMES, PROFILES, shipped

# ---- golden frames: request -> answer as hexadecimal, from the function code on

USUAL: dict[Q, float | None] = {
    Q.VOLTAGE_L1: 230.5, Q.VOLTAGE_L2: 231, Q.VOLTAGE_L3: 229.5, Q.CURRENT_L1: 10.25, Q.CURRENT_L2: 0.5,
    Q.CURRENT_L3: 2, Q.POWER_L1: -1500, Q.POWER_L2: 115, Q.POWER_L3: 459, Q.POWER: -926, Q.FREQUENCY: 50,
    Q.ENERGY_IMPORT: 70_000_000, Q.ENERGY_EXPORT: 200,
}  # fmt: skip
WITHOUT_FREQUENCY: dict[Q, float | None] = {quantity: USUAL[quantity] for quantity in USUAL if quantity != Q.FREQUENCY}
GOLDEN: dict[str, tuple[dict[str, str], dict[Q, float | None]]] = {
    # Floats, high word first. 230.5 231 229.5 V; 10.25 0.5 2 A; -1500 115 459 W; -926 W; 50 Hz, 1234.5 and 0.25 kWh.
    "eastron_sdm72": (
        {
            "04 0000 0012": "04 24 43668000 43670000 43658000 41240000 3F000000 40000000 C4BB8000 42E60000 43E58000",
            "04 0034 0002": "04 04 C4678000",
            "04 0046 0006": "04 0C 42480000 449A5000 3E800000",
        },
        USUAL | {Q.ENERGY_IMPORT: 1_234_500, Q.ENERGY_EXPORT: 250},
    ),
    # 32-bit integers, LOW word first, at most 11 registers: 0.1 V, 0.001 A, 0.1 W, 0.1 kWh; 0xAAE60 = 70000.0 kWh.
    "carlo_gavazzi_em24": (
        {
            "04 0000 0006": "04 0C 09010000 09060000 08F70000",
            "04 000C 000A": "04 14 280A0000 01F40000 07D00000 C568FFFF 047E0000",
            "04 0016 0002": "04 04 11EE0000",
            "04 0028 0002": "04 04 DBD4FFFF",
            "04 0037 0001": "04 02 01F4",
            "04 0042 0002": "04 04 AE60000A",
            "04 005C 0002": "04 04 00020000",
        },
        USUAL,
    ),
    # The Ethernet model: the same up to 0x28, then its own places. L2 overflows (EEEE): 0x7FFF in the high word.
    "carlo_gavazzi_em24_e1": (
        {
            "04 0000 0006": "04 0C 09010000 00007FFF 08F70000",
            "04 000C 000A": "04 14 280A0000 FFFF7FFF 07D00000 C568FFFF 00007FFF",
            "04 0016 0002": "04 04 11EE0000",
            "04 0028 0002": "04 04 FFFF7FFF",
            "04 0033 0003": "04 06 01F4 AE60000A",
            "04 004E 0002": "04 04 00020000",
        },
        USUAL | dict.fromkeys((Q.VOLTAGE_L2, Q.CURRENT_L2, Q.POWER_L2, Q.POWER)),
    ),
    # As the EM24 E1, but 50 registers at once: what lies between is read along and not looked at.
    "carlo_gavazzi_em340": (
        {
            "04 0000 002A": "04 54 09010000 09060000 08F70000" + "BAD0BAD0" * 3 + "280A0000 01F40000 07D00000"
                            "C568FFFF 047E0000 11EE0000" + "BAD0BAD0" * 8 + "DBD4FFFF",
            "04 0033 0003": "04 06 01F4 AE60000A",
            "04 004E 0002": "04 04 00020000",
        },
        USUAL,
    ),
    # 0.1 V, 0.01 A, 0.01 W, 0.01 kWh in 64 bits. L3 is not wired, and the variant has no export: all ones, 0x7FFFFFFF.
    "abb_b23": (
        {
            "03 5B00 001C": "03 38 00000901 00000906 FFFFFFFF" + "FFFFFFFF" * 3 + "00000401 00000032 FFFFFFFF FFFFFFFF"
                            "FFFE9648 FFFDB610 00002CEC 7FFFFFFF",
            "03 5000 0008": "03 10 0000000000BC614E FFFFFFFFFFFFFFFF",
            "03 5B2C 0001": "03 02 1388",
        },
        {Q.VOLTAGE_L1: 230.5, Q.VOLTAGE_L2: 231, Q.VOLTAGE_L3: None, Q.CURRENT_L1: 10.25, Q.CURRENT_L2: 0.5,
         Q.CURRENT_L3: None, Q.POWER: -926, Q.POWER_L1: -1500, Q.POWER_L2: 115, Q.POWER_L3: None, Q.FREQUENCY: 50,
         Q.ENERGY_IMPORT: 123_456_780, Q.ENERGY_EXPORT: None},
    ),
    # The manual's 3000, 3028, 3054, 3110, 3204 are 2999, 3027, 3053, 3109, 3203 on the wire; -1.5 0.125 0.5 -0.875 kW;
    # 1234567 Wh. L3 has no volts: NaN, and no export counter: the int64 marker.
    "schneider_iem3155": (
        {
            "03 0BB7 0006": "03 0C 41240000 3F000000 40000000",
            "03 0BD3 0006": "03 0C 43668000 43670000 FFC00000",
            "03 0BED 0008": "03 10 BFC00000 3E000000 3F000000 BF600000",
            "03 0C25 0002": "03 04 42480000",
            "03 0C83 0008": "03 10 000000000012D687 8000000000000000",
        },
        {Q.CURRENT_L1: 10.25, Q.CURRENT_L2: 0.5, Q.CURRENT_L3: 2, Q.VOLTAGE_L1: 230.5, Q.VOLTAGE_L2: 231,
         Q.VOLTAGE_L3: None, Q.POWER_L1: -1500, Q.POWER_L2: 125, Q.POWER_L3: 500, Q.POWER: -875, Q.FREQUENCY: 50,
         Q.ENERGY_IMPORT: 1_234_567, Q.ENERGY_EXPORT: None},
    ),
    # Floats of 32 bits on odd addresses, counters of 64 bits in Wh: 1234567.25 and 250.
    "siemens_pac2200": (
        {
            "03 0001 001E": "03 3C 43668000 43670000 43658000" + "BAD0BAD0" * 3 + "41240000 3F000000 40000000"
                            + "BAD0BAD0" * 3 + "C4BB8000 42E60000 43E58000",
            "03 0041 0002": "03 04 C4678000",
            "03 0321 000C": "03 18 4132D68740000000" + "BAD0" * 4 + "406F400000000000",
        },
        WITHOUT_FREQUENCY | {Q.ENERGY_IMPORT: 1_234_567.25, Q.ENERGY_EXPORT: 250},
    ),
    # Power is the difference of two registers: nothing drawn, 1200.0 W fed in; 12345 x 0.1 kWh.
    "growatt_hybrid_grid": (
        {
            "04 03FD 0002": "04 04 00000000",
            "04 0405 0002": "04 04 00002EE0",
            "04 0416 0002": "04 04 00003039",
        },
        {Q.POWER: -1200, Q.ENERGY_IMPORT: 1_234_500},
    ),
}  # fmt: skip


class GoldenServer(RawServer):
    """Answers exactly the requests it was given; any other is an illegal address."""

    def __init__(self, frames: dict[str, str]) -> None:
        super().__init__()
        self.frames = {bytes.fromhex(request): bytes.fromhex(answer) for request, answer in frames.items()}
        self.asked: list[bytes] = []

    def _reply(self, function: int, address: int, count: int, pdu: bytes) -> bytes:
        self.asked.append(pdu)
        return self.frames.get(pdu, bytes([function | 0x80, 2]))


@asynccontextmanager
async def a_device(server: RawServer, profile: str) -> AsyncIterator[ModbusDevice]:
    settings = ModbusTcpSettings(kind="modbus_tcp", host="127.0.0.1", port=server.port, timeout_s=2)
    bus = Bus("bus", settings, SystemClock())
    assert await bus.open()
    device = Device("dev", "Device", Role.MAIN_METER)
    yield ModbusDevice(device, ModbusDeviceSettings(profile=profile), shipped(profile), bus, SystemClock())
    bus.close()
    await asyncio.sleep(0)


@pytest.mark.parametrize("name", GOLDEN)
async def test_the_golden_frames_of_a_meter_become_its_readings(name: str) -> None:
    frames, wanted = GOLDEN[name]
    async with GoldenServer(frames).serve() as server, a_device(server, name) as device:
        readings = {reading.quantity: reading for reading in await device.read()}
        assert isinstance(server, GoldenServer)
        assert sorted(server.asked) == sorted(server.frames), "the requests are those of the table, each once"
    assert {quantity: reading.value for quantity, reading in readings.items()} == pytest.approx(wanted)
    for reading in readings.values():
        assert (reading.quality is Quality.MISSING) == (reading.value is None) == bool(reading.reason)


async def test_all_values_of_one_block_carry_one_time() -> None:
    async with GoldenServer(GOLDEN["abb_b23"][0]).serve() as server, a_device(server, "abb_b23") as device:
        times = {reading.quantity: reading.time for reading in await device.read()}
    fast = {times[q] for q in (Q.VOLTAGE_L1, Q.CURRENT_L2, Q.POWER, Q.POWER_L1, Q.POWER_L3)}
    assert len(fast) == 1
    assert fast != {times[Q.ENERGY_IMPORT]}


# ---- every shipped profile


def registers_of(profile: Profile, choice: int = 0) -> list[Register]:
    """The registers of a profile; for SunSpec those of a device that has the `choice`-th model of each reading."""
    if profile.models is None:
        return list(profile.registers)
    numbers = {reading.models[min(choice, len(reading.models) - 1)] for reading in profile.readings}
    chain = {number: (40070 + 202 * at, 200) for at, number in enumerate(sorted(numbers))}
    found = [resolve(r, Chain(40000, Identity("", "", "", ""), chain), profile.models) for r in profile.readings]
    return [register for register in found if register is not None]


def blocks_of(profile: Profile) -> list[Block]:
    choices = range(max((len(reading.models) for reading in profile.readings), default=1))
    groups = [[r for r in registers_of(profile, n) if r.slow == slow] for n in choices for slow in (False, True)]
    return [block for group in groups for block in plan_blocks(group, profile.limits)]


NOT_A_NUMBER = {"float32": 0x7FC00000, "float64": 0x7FF8_0000_0000_0000}


def nothing_known(register: Register) -> int:
    """What a device puts where it knows nothing: its marker, NaN, else the type's largest number."""
    if register.nan:
        return register.nan[0]
    bits = 16 * SIZES[register.type]
    if register.type in NOT_A_NUMBER:
        return NOT_A_NUMBER[register.type]
    return (1 << (bits - 1 if register.type.startswith("int") else bits)) - 1


def image_of(registers: tuple[Register, ...], raw: dict[Register, int]) -> dict[int, int]:
    image: dict[int, int] = {}
    for register in registers:
        size = SIZES[register.type]
        words = [raw[register] >> 16 * (size - 1 - at) & 0xFFFF for at in range(size)]
        if register.word_order == "little":
            words.reverse()
        image |= {register.address + at: word for at, word in enumerate(words)}
    return image


def decoded(block: Block, image: dict[int, int]) -> dict[Register, Decoded]:
    words = [image.get(block.address + at, 0) for at in range(block.count)]
    return {register: decode_register(register, block, words) for register in block.registers}


@pytest.mark.parametrize("name", NAMES)
def test_every_profile_is_read_within_its_limits(name: str) -> None:
    profile = shipped(name)
    for block in blocks_of(profile):
        assert 1 <= block.count <= profile.limits.max_read_registers
        assert block.address + block.count <= 65536
        assert all(block.address <= r.start and r.end <= block.address + block.count for r in block.registers)
        assert not (profile.limits.even_only and (block.address % 2 or block.count % 2))


@pytest.mark.parametrize("name", NAMES)
def test_a_device_that_knows_nothing_gives_no_number(name: str) -> None:
    for block in blocks_of(shipped(name)):
        image = image_of(block.registers, {register: nothing_known(register) for register in block.registers})
        for register, found in decoded(block, image).items():
            assert found.value is None, f"{register} became {found.value}"
            assert found.reason


@pytest.mark.parametrize("name", NAMES)
def test_every_listed_marker_is_missing(name: str) -> None:
    for block in blocks_of(shipped(name)):
        for register, marker in [(r, marker) for r in block.registers for marker in r.nan]:
            assert 0 <= marker < 1 << 16 * SIZES[register.type], "markers are unsigned and fit the type"
            assert decoded(block, image_of((register,), {register: marker}))[register].value is None


@pytest.mark.parametrize("name", NAMES)
def test_zeros_are_read_without_harm_and_never_as_a_negative_zero(name: str) -> None:
    for block in blocks_of(shipped(name)):
        for found in decoded(block, {}).values():
            assert found.value is None or str(found.value) == "0.0"


@pytest.mark.parametrize("name", NAMES)
def test_the_ranges_fit_the_quantities_and_our_sign(name: str) -> None:
    profile = shipped(name)
    for register in profile.registers:
        if register.states:
            assert {meant for _, meant in register.states} <= {0, 1}, (
                "a state is one of a few numbers: it needs no range"
            )
            continue
        assert register.low is not None and register.high is not None, f"{register.quantity} has no range"
        assert register.low < register.high
        if register.quantity.is_counter:
            assert register.low == 0 and register.scale > 0, "a counter counts up, whichever way its name says"
            assert register.scale in (1, 10, 100, 1000), "counters come in Wh, 0.01, 0.1 or 1 kWh"
        if register.quantity is Q.PV_POWER:
            assert register.high <= 50, "panels never consume more than a trifle"
        if register.quantity.unit == "V":
            assert register.low >= 0 and register.high <= 1000
        if register.quantity in (Q.SOC, Q.FREQUENCY):
            assert (register.low, register.high) == ((0, 100) if register.quantity is Q.SOC else (40, 70))


@pytest.mark.parametrize("name", NAMES)
def test_a_profile_says_honestly_what_it_was_tried_against(name: str) -> None:
    text = (PROFILES / f"{name}.yaml").read_text()
    verified = shipped(name).verified
    assert verified.startswith(("against ", "unverified: "))
    if "ssumption" in text:
        assert verified.startswith("unverified: "), "what rests on an assumption is not verified"


# ---- SunSpec point tables


WIDER = {"enum16": "uint16", "bitfield16": "uint16", "count": "uint16"}
"""Types that our tables hold as plain numbers."""


def published(
    number: int,
) -> tuple[dict[str, tuple[int, str, int | None]], dict[str, tuple[int, str, int | None]], int]:
    """(points, points of a module, where modules begin) of a model as pysunspec2 has it: offset, type, scale's offset."""
    path = Path(sunspec2.__file__).parent / "models" / "json" / f"model_{number}.json"
    group = json.loads(path.read_text())["group"]
    scales: dict[str, int] = {}

    def table(points: list[dict[str, Any]]) -> tuple[dict[str, tuple[int, str, int | None]], int]:
        found, at = {}, 0
        for point in points:
            if point["type"] == "sunssf":
                scales[point["name"]] = at
            found[point["name"]] = (at, WIDER.get(point["type"], point["type"]), point.get("sf"))
            at += point["size"]
        return {name: (at, kind, scales.get(sf) if sf else None) for name, (at, kind, sf) in found.items()}, at

    table(group["points"])  # the scale factors may stand behind the points that use them
    points, length = table(group["points"])
    modules = group.get("groups", [])
    return points, table(modules[0]["points"])[0] if modules else {}, length


def test_the_point_tables_are_those_of_the_published_models() -> None:
    table = load_models(PROFILES / "sunspec_models.yaml")
    assert {101, 103, 111, 113, 124, 160, 203, 213, 701, 713} <= table.models.keys()
    for number, model in table.models.items():
        points, module_points, length = published(number)
        for ours, theirs in ((model.points, points), (model.module_points, module_points)):
            assert {name: (p.at, p.type, p.sf) for name, p in ours.items()} == {name: theirs[name] for name in ours}
        if model.module_points:
            assert model.module_at == length


# ---- sums, and the files themselves


def write(folder: Path, *registers: str) -> None:
    head = "maker: M\nmodel: X\nsource: {manual: m, version: '1', page: '2'}\nverified: 'against nothing'\nregisters:\n"
    lines = [f"  - {{quantity: power_w, function: input, type: int16, {register}}}\n" for register in registers]
    (folder / "mine.yaml").write_text(head + "".join(lines))


async def test_registers_that_say_so_are_added_up_and_an_optional_one_may_be_away() -> None:
    frames = {"04 0334 0001": "04 02 0064", "04 0334 0003": "84 02"}
    async with GoldenServer(frames).serve() as server, a_device(server, "victron_energy_grid") as device:
        readings = {reading.quantity: reading for reading in await device.read()}
    assert readings[Q.POWER].value == readings[Q.POWER_L1].value == 100
    assert readings[Q.POWER_L2].quality is Quality.MISSING


@pytest.mark.parametrize(
    ("registers", "place"),
    [
        (("address: 0, sum: true", "address: 1"), r"registers\[1\].quantity"),
        (("address: 0, sum: true", "address: 1, sum: true, group: slow"), r"registers\[1\].group"),
    ],
    ids=["only one says sum", "in two groups"],
)
def test_a_sum_that_would_lie_is_refused(tmp_path: Path, registers: tuple[str, ...], place: str) -> None:
    write(tmp_path, *registers)
    with pytest.raises(SiteFileError, match=place):
        load_profile("mine", tmp_path)


def test_the_schema_for_editors_is_current() -> None:
    kept = (PROFILES / "profile.schema.json").read_text()
    remedy = (
        'python -c "from adapters.modbus.profile_schema import schema_text; '
        "print(schema_text(), end='')\" > config/devices/modbus/profile.schema.json"
    )
    assert kept == schema_text(), remedy


@functools.cache
def schema() -> Any:
    """The schema for editors, compiled once."""
    document = json.loads(schema_text())
    return jsonschema.validators.validator_for(document)(document)


@pytest.mark.parametrize("name", NAMES)
def test_every_profile_obeys_its_schema_and_points_editors_to_it(name: str) -> None:
    text = (PROFILES / f"{name}.yaml").read_text()
    schema().validate(YAML(typ="safe").load(text))
    assert text.startswith("# yaml-language-server: $schema=profile.schema.json\n")
