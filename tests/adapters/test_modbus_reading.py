"""Reading a meter with registers: sweeps, what it refuses, what is nonsense, and how long it takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.modbus.block_reader import FIRST_RETRY_S, LAST_RETRY_S
from adapters.modbus.cycle import SWEEPS, Cycle
from adapters.modbus.device import SLOW_AGAIN_S
from gateway.model.errors import DeviceError, DeviceUnreachable
from gateway.model.quantity import Quantity
from gateway.model.reading import Quality
from gateway.runtime.system_clock import SystemClock
from tests.adapters.modbus_server import RawServer, a_bus, a_device, reconnected, sdm630, values_of
from tests.adapters.shipped import shipped

HEAD = "maker: M\nmodel: X\nsource: {manual: m, version: '1', page: '2'}\nverified: 'against nothing'\n"


async def test_the_golden_sdm630_frame_is_read_in_three_requests() -> None:
    async with RawServer().serve() as server, a_bus(server) as bus:
        sdm630(server)
        values = await values_of(a_device(bus, "eastron_sdm630"))
        assert server.requests == [(1, 4, 0, 18), (1, 4, 52, 2), (1, 4, 70, 6)]
        assert values[Quantity.VOLTAGE_L1] == 230.5
        assert values[Quantity.CURRENT_L1] == 10.25
        assert values[Quantity.POWER_L1] == values[Quantity.POWER] == -1500
        assert values[Quantity.FREQUENCY] == 50
        assert values[Quantity.ENERGY_IMPORT] == 1_234_500
        assert values[Quantity.ENERGY_EXPORT] == 250


async def test_the_second_sweep_leaves_the_slow_registers_out() -> None:
    async with RawServer().serve() as server, a_bus(server) as bus:
        sdm630(server)
        device = a_device(bus, "eastron_sdm630")
        await device.read()
        assert Quantity.ENERGY_IMPORT not in await values_of(device)
        assert len(server.requests) == 5


async def test_an_inverted_meter_turns_powers_and_swaps_counters() -> None:
    async with RawServer().serve() as server, a_bus(server) as bus:
        sdm630(server)
        values = await values_of(a_device(bus, "eastron_sdm630", invert=True))
        assert values[Quantity.POWER] == 1500
        assert (values[Quantity.ENERGY_IMPORT], values[Quantity.ENERGY_EXPORT]) == (250, 1_234_500)
        assert values[Quantity.CURRENT_L1] == 10.25


async def test_a_miswired_meter_is_read_as_the_site_file_corrects_it() -> None:
    async with RawServer().serve() as server, a_bus(server) as bus:
        sdm630(server)
        values = await values_of(a_device(bus, "eastron_sdm630", phases=[2, 1, 3], invert_phases=[2]))
        assert (values[Quantity.POWER_L1], values[Quantity.POWER_L2], values[Quantity.POWER]) == (0, 1500, 1500)
        assert (values[Quantity.VOLTAGE_L2], values[Quantity.ENERGY_IMPORT]) == (230.5, None)


async def test_nonsense_from_the_meter_is_missing_with_its_reason_never_zero() -> None:
    async with RawServer().serve() as server, a_bus(server) as bus:
        sdm630(server)
        server.registers.update({0: 0x7FC0, 1: 0, 52: 0x7F7F, 53: 0xFFFF})  # not a number; 3.4e38 W
        readings = {r.quantity: r for r in await a_device(bus, "eastron_sdm630").read()}
        for quantity in (Quantity.VOLTAGE_L1, Quantity.POWER):
            assert readings[quantity].value is None
            assert readings[quantity].quality is Quality.MISSING
            assert readings[quantity].reason


# ---- what the device refuses


async def test_a_refused_block_is_split_and_only_the_hole_is_missing() -> None:
    async with RawServer().serve() as server, a_bus(server) as bus:
        sdm630(server)
        server.holes = {16}
        device = a_device(bus, "eastron_sdm630")
        readings = {r.quantity: r for r in await device.read()}
        assert readings[Quantity.POWER_L3].quality is Quality.MISSING
        assert readings[Quantity.VOLTAGE_L1].value == 230.5
        learned = len(server.requests)
        await device.read()
        assert all(16 not in range(a, a + c) for _, _, a, c in server.requests[learned:])


def refusals(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.message for record in caplog.records if "left out" in record.message]


@pytest.mark.parametrize("code", [2, 3])
async def test_a_refused_block_is_missing_with_its_reason_and_the_others_are_read(
    code: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Wrong before: one block answered with exception 3 lost every reading of the device."""
    async with RawServer().serve() as server, a_bus(server) as bus:
        sdm630(server)
        server.exceptions = {52: code}
        device = a_device(bus, "eastron_sdm630")
        for _ in range(3):
            readings = {r.quantity: r for r in await device.read()}
            assert readings[Quantity.VOLTAGE_L1].value == 230.5
            assert readings[Quantity.POWER].quality is Quality.MISSING
            assert readings[Quantity.POWER].reason == f"the device refuses register 52 (exception {code})"
        assert len(refusals(caplog)) == 1
        assert len([r for r in server.requests if r[2] == 52]) == 1, "it is left out indeed"


async def test_what_was_learned_is_kept_when_a_later_block_fails(caplog: pytest.LogCaptureFixture) -> None:
    """Wrong before: the refused register was asked for, and warned about, in every sweep again."""
    async with RawServer().serve() as server, a_bus(server) as bus:
        sdm630(server)
        server.holes = {0, 1}
        server.exceptions = {52: 4}
        device = a_device(bus, "eastron_sdm630")
        for _ in range(3):
            assert (await values_of(device))[Quantity.POWER] is None
        assert len([r for r in server.requests if r[2:] == (0, 2)]) == 1
        assert len(refusals(caplog)) == 1
        server.exceptions = {}
        values = await values_of(device)
        assert (values[Quantity.VOLTAGE_L1], values[Quantity.CURRENT_L1]) == (None, 10.25)


@pytest.mark.parametrize("code", [1, 4, 6])
async def test_a_block_that_fails_costs_its_own_values_only(code: int) -> None:
    """Wrong before: exception 1, 4 or 6 of one block threw away what the others had given."""
    async with RawServer().serve() as server, a_bus(server) as bus:
        sdm630(server)
        server.exceptions = {52: code}
        device = a_device(bus, "eastron_sdm630")
        readings = {r.quantity: r for r in await device.read()}
        assert (readings[Quantity.VOLTAGE_L1].value, readings[Quantity.FREQUENCY].value) == (230.5, 50)
        assert readings[Quantity.POWER].quality is Quality.MISSING
        assert f"exception {code}" in readings[Quantity.POWER].reason
        server.exceptions = {}
        assert (await values_of(device))[Quantity.POWER] == -1500


@pytest.mark.slow
async def test_a_block_that_gets_no_answer_is_missing_and_left_out_for_a_while() -> None:
    """Wrong before: a time-out of one block lost the sweep; each sweep again."""
    clock = ForwardClock()
    async with RawServer().serve() as server, a_bus(server, clock=clock) as bus:
        sdm630(server)
        server.silent_at = {52}
        device = a_device(bus, "eastron_sdm630", clock=clock)
        readings = {r.quantity: r for r in await device.read()}
        assert readings[Quantity.VOLTAGE_L1].value == 230.5
        assert "did not answer within" in readings[Quantity.POWER].reason
        assert readings[Quantity.FREQUENCY].quality is Quality.MISSING, "the unit is not asked at once again"
        clock.ahead_s += 1
        values = await values_of(device)
        assert (values[Quantity.VOLTAGE_L1], values[Quantity.POWER]) == (230.5, None)
        assert len([r for r in server.requests if r[2] == 52]) == 1
        server.silent_at = set()
        clock.ahead_s += SLOW_AGAIN_S
        values = await values_of(device)
        assert (values[Quantity.POWER], values[Quantity.FREQUENCY]) == (-1500, 50), "slow ones come before their time"


async def test_a_device_of_which_nothing_can_be_read_is_unreachable_though_it_has_refused_something_before() -> None:
    async with RawServer().serve() as server, a_bus(server) as bus:
        sdm630(server)
        server.exceptions = {52: 2}
        device = a_device(bus, "eastron_sdm630")
        await device.read()
        server.dead_units = {1}
        with pytest.raises(DeviceUnreachable):
            await device.read()


PARTS = (
    "  - {quantity: power_w, function: holding, address: 0, type: uint16, sum: true, nan: [65535]}\n"
    "  - {quantity: power_w, function: holding, address: 20, type: uint16, sum: true, optional: true, nan: [65535],"
    " range: [0, 5000]}\n"
)


@pytest.mark.parametrize(
    ("second", "power"),
    [(65535, 100), (900, 1000), (6000, None), ("refused", 100), ("failing", None)],
    ids=["never had", "has", "has, out of range", "does not exist", "unknown"],
)
async def test_an_optional_part_counts_nothing_only_when_the_device_says_that_it_has_none(
    tmp_path: Path, second: int | str, power: int | None
) -> None:
    (tmp_path / "mine.yaml").write_text(HEAD + "registers:\n" + PARTS)
    async with RawServer().serve() as server, a_bus(server) as bus:
        server.registers = {0: 100, 20: second if isinstance(second, int) else 0}
        server.exceptions = {20: {"refused": 2, "failing": 4}[second]} if isinstance(second, str) else {}
        assert (await values_of(a_device(bus, "mine", folder=tmp_path)))[Quantity.POWER] == power


@pytest.mark.parametrize("then", [65535, "refused"])
async def test_an_optional_part_once_seen_is_missed_when_it_goes(tmp_path: Path, then: int | str) -> None:
    """Wrong before: a string that said "not available" for a while made the sum of the others pass for the whole."""
    (tmp_path / "mine.yaml").write_text(HEAD + "registers:\n" + PARTS)
    async with RawServer().serve() as server, a_bus(server) as bus:
        server.registers = {0: 100, 20: 900}
        device = a_device(bus, "mine", folder=tmp_path)
        assert (await values_of(device))[Quantity.POWER] == 1000
        server.registers[20] = then if isinstance(then, int) else 0
        server.exceptions = {20: 2} if then == "refused" else {}
        (reading,) = await device.read()
        assert (reading.value, reading.quality) == (None, Quality.MISSING)
        assert "not available" in reading.reason or "refuses register 20" in reading.reason


async def test_a_wrong_profile_warns_once_for_each_register(caplog: pytest.LogCaptureFixture) -> None:
    """Wrong before: a B23's profile against an SDM630 logged two warnings every second for ever."""
    async with RawServer().serve() as server, a_bus(server) as bus:
        server.holes = set(range(20000, 23000))
        server.exceptions = dict.fromkeys(range(23000, 30000), 3)
        device = a_device(bus, "abb_b23")
        readings = await device.read()
        assert readings and all(r.quality is Quality.MISSING and r.reason for r in readings)
        asked, warned = len(server.requests), refusals(caplog)
        assert len(warned) == len(set(warned)) == len(shipped("abb_b23").registers)
        for _ in range(3):
            await device.read()
        assert (len(server.requests), refusals(caplog)) == (asked, warned)


@pytest.mark.slow
async def test_what_was_learned_outlives_a_reconnect(caplog: pytest.LogCaptureFixture) -> None:
    """Wrong before: each reconnect asked for all refused registers again, and warned of each again."""
    async with RawServer().serve() as server, a_bus(server) as bus:
        sdm630(server)
        server.exceptions = {52: 3}
        device = a_device(bus, "eastron_sdm630")
        await device.read()
        server.mood = ["die"]
        with pytest.raises(DeviceError):
            await device.read()
        await reconnected(bus, 2)
        values = await values_of(device)
        assert (values[Quantity.POWER], values[Quantity.VOLTAGE_L1]) == (None, 230.5)
        assert len([r for r in server.requests if r[2] == 52]) == len(refusals(caplog)) == 1


class ForwardClock(SystemClock):
    """The system's clock, set forward by `ahead_s`."""

    ahead_s = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead_s


async def test_a_refused_register_is_tried_again_ever_more_rarely_without_another_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """An inverter may refuse at night what it has by day."""
    clock = ForwardClock()
    async with RawServer().serve() as server, a_bus(server, clock=clock) as bus:
        sdm630(server)
        server.exceptions = {52: 2}
        device = a_device(bus, "eastron_sdm630", clock=clock)
        asked = []
        for minute in range(10):
            assert (await values_of(device))[Quantity.POWER] is None
            asked.append((minute, len([r for r in server.requests if r[2] == 52])))
            clock.ahead_s += FIRST_RETRY_S
        assert asked == [(0, 1), (1, 2), (2, 2), (3, 3), (4, 3), (5, 3), (6, 3), (7, 4), (8, 4), (9, 4)]
        clock.ahead_s += LAST_RETRY_S
        server.exceptions = {}
        assert (await values_of(device))[Quantity.POWER] == -1500
        assert len(refusals(caplog)) == 1


async def test_a_device_that_refused_everything_while_it_started_is_read_a_minute_later() -> None:
    clock = ForwardClock()
    async with RawServer().serve() as server, a_bus(server, clock=clock) as bus:
        sdm630(server)
        server.holes = set(range(100))
        device = a_device(bus, "eastron_sdm630", clock=clock)
        assert set((await values_of(device)).values()) == {None}
        server.holes = set()
        clock.ahead_s += FIRST_RETRY_S
        assert (await values_of(device))[Quantity.POWER] == -1500


# ---- holes, bytes and offsets of a profile


async def test_a_declared_hole_is_never_asked_for_and_a_pair_always_in_one_request(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(
        HEAD + "limits: {max_read_registers: 20, max_gap: 20, holes: [[2, 3]], read_together: [[6, 12]]}\n"
        "registers:\n"
        "  - {quantity: power_l1_w, function: holding, address: 1, type: int16}\n"
        "  - {quantity: power_l2_w, function: holding, address: 4, type: int16}\n"
        "  - {quantity: energy_import_wh, function: holding, address: 7, type: int16}\n"
        "  - {quantity: energy_export_wh, function: holding, address: 11, type: int16}\n"
    )
    async with RawServer().serve() as server, a_bus(server) as bus:
        server.holes = {2, 3}
        assert list((await values_of(a_device(bus, "mine", folder=tmp_path))).values()) == [1, 4, 7, 11]
        assert server.requests == [(1, 3, 1, 1), (1, 3, 4, 9)]


async def test_bytes_words_offset_and_double_precision_are_read_as_the_profile_says(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(
        HEAD + "byte_order: little\n"
        "registers:\n"
        "  - {quantity: temperature_c, function: input, address: 0, type: uint16, scale: 0.1, offset: -40}\n"
        "  - {quantity: power_w, function: input, address: 1, type: int32, word_order: little, sign: -1, offset: 10}\n"
        "  - {quantity: energy_import_wh, function: input, address: 3, type: float64, byte_order: big}\n"
    )
    async with RawServer().serve() as server, a_bus(server) as bus:
        # 0x0258 = 600 -> 60 - 40 degC; 0x000005DC = 1500 -> -(1500 + 10) W; 1234567.25 Wh
        server.registers = dict(enumerate([0x5802, 0xDC05, 0x0000, 0x4132, 0xD687, 0x4000, 0x0000]))
        values = await values_of(a_device(bus, "mine", folder=tmp_path))
    assert values == {
        Quantity.TEMPERATURE: pytest.approx(20), Quantity.POWER: -1510, Quantity.ENERGY_IMPORT: 1_234_567.25,
    }  # fmt: skip


# ---- how long it takes


@pytest.mark.parametrize(
    ("taken", "warns"),
    [([2.0] * (SWEEPS - 1), False), ([0.5] * SWEEPS, False), ([0.5] * 6 + [9.0] * 4, False), ([1.4] * SWEEPS, True),
     ([1.4] * SWEEPS + [0.2] * SWEEPS, False)],
    ids=["too few to say", "in time", "a few slow ones", "too slow", "better again"],
)  # fmt: skip
def test_the_median_of_ten_sweeps_decides_whether_the_period_can_be_met(taken: list[float], warns: bool) -> None:
    cycle = Cycle(1.0)
    for seconds in taken:
        cycle.took(seconds)
    assert cycle.last_s == taken[-1]
    assert bool(cycle.warning) is warns


def test_the_warning_says_how_slow_it_is_and_what_helps() -> None:
    cycle = Cycle(1.0)
    for _ in range(SWEEPS):
        cycle.took(1.4)
    assert cycle.warning == (
        "reading takes 1.4 s, longer than its period of 1 s: "
        "raise period_s, raise the baud rate or read fewer devices on this line"
    )


@pytest.mark.slow
async def test_a_slow_line_is_measured_and_told_of_with_the_waiting_for_the_bus() -> None:
    async with RawServer().serve() as server, a_bus(server, timeout_s=0.1) as bus:
        sdm630(server)
        server.timeout_s, server.always = 0.1, "unhurried"
        device = a_device(bus, "eastron_sdm630", period_s=0.05)
        taken = [device.cycle_s]
        for _ in range(SWEEPS):
            await device.read()
            taken.append(device.cycle_s)
        assert taken[0] is None
        assert all(seconds is not None and seconds >= 0.06 for seconds in taken[1:]), "two requests of 30 ms each"
        assert "longer than its period of 0.05 s" in device.warning
        server.always = ""
        for _ in range(SWEEPS):
            await device.read()
        assert device.warning == ""
