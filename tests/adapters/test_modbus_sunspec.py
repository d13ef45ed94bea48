"""SunSpec devices: the walk, preferences between models, scale factors on the run, and chains that lie."""

from __future__ import annotations

import pytest

from gateway.model.errors import DeviceAnswerWrong, DeviceError
from gateway.model.quantity import Quantity
from gateway.model.reading import Quality
from tests.adapters.modbus_server import (
    AT_103,
    RawServer,
    a_bus,
    a_device,
    common,
    hybrid,
    model_103,
    reconnected,
    sunspec,
    values_of,
)


async def test_a_hybrid_inverter_reads_with_our_signs() -> None:
    async with RawServer().serve() as server, a_bus(server) as bus:
        hybrid(server)
        values = await values_of(a_device(bus, "sunspec_hybrid"))
        assert values == {
            Quantity.POWER: -3210, Quantity.ENERGY_EXPORT: 655_360, Quantity.PV_POWER: -2000,
            Quantity.BATTERY_POWER: -1500, Quantity.PV_ENERGY: 900, Quantity.BATTERY_CHARGED: 700,
            Quantity.BATTERY_DISCHARGED: 600, Quantity.SOC: 55.5,
        }  # fmt: skip


@pytest.mark.slow
async def test_another_inverter_after_a_reconnect_is_walked_anew() -> None:
    async with RawServer().serve() as server, a_bus(server) as bus:
        hybrid(server)
        device = a_device(bus, "sunspec_hybrid")
        await device.read()
        hybrid(server, serial="S2", base=50000)
        server.registers |= {40000: 0, 40001: 0}
        server.mood = ["die"]
        with pytest.raises(DeviceError):
            await device.read()
        await reconnected(bus, 2)
        assert (await values_of(device))[Quantity.POWER] == -3210


@pytest.mark.slow
@pytest.mark.parametrize(("serial", "asked"), [("S1", 1), ("S2", 2)], ids=["the same device", "another device"])
async def test_what_one_inverter_refuses_is_asked_of_another(serial: str, asked: int) -> None:
    async with RawServer().serve() as server, a_bus(server) as bus:
        sunspec(server, model_103())
        server.holes = {AT_103 + 24}
        device = a_device(bus, "sunspec_inverter")
        values = await values_of(device)
        assert (values[Quantity.POWER], values[Quantity.ENERGY_EXPORT]) == (-3210, None)
        once = len([r for r in server.requests if r[2:] == (AT_103, 27)])
        sunspec(server, model_103(), serial=serial)
        server.mood = ["die"]
        with pytest.raises(DeviceError):
            await device.read()
        await reconnected(bus, 2)
        await device.read()
        alone = [r for r in server.requests if r[2:] == (AT_103, 27)]
        assert len(alone) == once * asked


async def test_a_device_without_sunspec_says_so_with_the_remedy() -> None:
    async with RawServer().serve() as server, a_bus(server) as bus:
        with pytest.raises(DeviceAnswerWrong, match="Enable SunSpec"):
            await a_device(bus, "sunspec_hybrid").read()


async def test_a_scale_factor_that_changes_between_two_polls_is_followed() -> None:
    async with RawServer().serve() as server, a_bus(server) as bus:
        sunspec(server, model_103())
        device = a_device(bus, "sunspec_inverter")
        assert (await values_of(device))[Quantity.POWER] == -3210
        server.registers |= {AT_103 + 14: 321, AT_103 + 15: 1}
        assert (await values_of(device))[Quantity.POWER] == -3210
        server.registers[AT_103 + 15] = 0x8000
        assert (await values_of(device))[Quantity.POWER] is None


@pytest.mark.slow
@pytest.mark.parametrize("reconnect", [False, True], ids=["the line is kept", "after a reconnect"])
async def test_models_that_move_are_found_again_and_nothing_is_read_in_between(reconnect: bool) -> None:
    """Wrong before: the same identity was taken for the same models, and registers of another one for power."""
    async with RawServer().serve() as server, a_bus(server) as bus:
        sunspec(server, model_103())
        device = a_device(bus, "sunspec_inverter")
        assert (await values_of(device))[Quantity.POWER] == -3210
        for chain, power in (([model_113()], -1500), ([[120, 26] + [7] * 26, model_103()], -3210)):
            sunspec(server, *chain)
            if reconnect:
                server.mood = ["die"]
                with pytest.raises(DeviceError):
                    await device.read()
                await reconnected(bus, bus.connects + 1)
            else:
                with pytest.raises(DeviceAnswerWrong, match="is no longer at"):
                    await device.read()
            assert (await values_of(device))[Quantity.POWER] == power


async def test_after_a_time_out_the_whole_chain_is_compared() -> None:
    """A device may be exchanged, or get other firmware, behind a gateway whose connection stays."""
    async with RawServer().serve() as server, a_bus(server, timeout_s=0.05) as bus:
        sunspec(server, model_103())
        device = a_device(bus, "sunspec_inverter")
        await device.read()
        server.mood = ["silent"]
        with pytest.raises(DeviceError):
            await device.read()
        bus._breakers[1].answered()  # its back-off is over
        before = len(server.requests)
        await device.read()
        assert [r[2:] for r in server.requests[before : before + 5]] == [
            (40000, 2), (40002, 66), (40002, 2), (AT_103, 2), (AT_103 + 52, 2),
        ]  # fmt: skip


async def test_a_chain_without_an_end_marker_ends_where_the_device_refuses() -> None:
    async with RawServer().serve() as server, a_bus(server) as bus:
        sunspec(server, model_103())
        server.holes = set(range(AT_103 + 52, AT_103 + 200))
        assert (await values_of(a_device(bus, "sunspec_inverter")))[Quantity.POWER] == -3210
        sunspec(server)
        server.holes = set(range(AT_103, AT_103 + 200))
        with pytest.raises(DeviceAnswerWrong, match="exception 2"):
            await a_device(bus, "sunspec_inverter").read()


async def test_of_a_model_that_comes_twice_the_first_counts() -> None:
    second = model_103()
    second[14] = 9
    async with RawServer().serve() as server, a_bus(server) as bus:
        sunspec(server, model_103(), second)
        assert (await values_of(a_device(bus, "sunspec_inverter")))[Quantity.POWER] == -3210


def model_113() -> list[int]:
    m113 = [113, 60] + [0] * 60
    m113[16:18], m113[22:24], m113[32:34] = [0x4366, 0x8000], [0x44BB, 0x8000], [0x449A, 0x5000]
    return m113


def model_701() -> list[int]:
    m701 = [701, 153] + [0] * 153
    m701[10], m701[116], m701[47], m701[114] = 50, 1, 2305, 0xFFFF
    m701[19:23], m701[120] = [0, 0, 0, 77], 0
    return m701


@pytest.mark.parametrize(
    ("models", "power", "volts", "energy"),
    [
        ([model_103()], -3210, 0, 655_360),
        ([model_113()], -1500, 230.5, 1234.5),
        ([model_701()], -500, 230.5, 77),
        ([model_113(), model_103()], -3210, 0, 655_360),
        ([model_103(), model_701()], -500, 230.5, 77),
    ],
    ids=["integers", "floating point", "7xx", "integers before floats", "7xx before 1xx"],
)
async def test_one_profile_reads_an_inverter_of_any_family(
    models: list[list[int]], power: float, volts: float, energy: float
) -> None:
    async with RawServer().serve() as server, a_bus(server) as bus:
        sunspec(server, *models)
        values = await values_of(a_device(bus, "sunspec_inverter"))
    assert (values[Quantity.POWER], values[Quantity.ENERGY_EXPORT]) == (power, energy)
    assert values[Quantity.VOLTAGE_L1] == pytest.approx(volts)


async def test_one_profile_reads_a_meter_in_integers_or_in_floating_point() -> None:
    m203, m213 = [203, 105] + [0] * 105, [213, 124] + [0] * 124
    m203[18], m203[22] = 0x10000 - 926, 0
    m213[28:30] = [0xC467, 0x8000]
    for model in (m203, m213):
        async with RawServer().serve() as server, a_bus(server) as bus:
            sunspec(server, model)
            assert (await values_of(a_device(bus, "sunspec_meter")))[Quantity.POWER] == -926


async def test_a_floating_point_sunspec_meter_is_read_and_its_nan_is_missing() -> None:
    m213 = [213, 124] + [0] * 124
    for at, value in {12: 0x43668000, 26: 0x42480000, 28: 0xC4678000, 30: 0xC4BB8000, 32: 0x7FC00000, 60: 0x43FA0000,
                      68: 0x499C4000}.items():  # fmt: skip
        m213[at : at + 2] = [value >> 16, value & 0xFFFF]
    async with RawServer().serve() as server, a_bus(server) as bus:
        sunspec(server, m213)
        device = a_device(bus, "sunspec_meter_float")
        readings = {reading.quantity: reading for reading in await device.read()}
    values = {quantity: reading.value for quantity, reading in readings.items()}
    assert (
        values[Quantity.VOLTAGE_L1],
        values[Quantity.FREQUENCY],
        values[Quantity.POWER],
        values[Quantity.POWER_L1],
    ) == (230.5, 50, -926, -1500)
    assert (values[Quantity.ENERGY_IMPORT], values[Quantity.ENERGY_EXPORT]) == (1_280_000, 500)
    assert readings[Quantity.POWER_L2].quality is Quality.MISSING


async def test_a_7xx_device_turns_production_negative_and_scales_within_the_block() -> None:
    m701, m713 = [701, 153] + [0] * 153, [713, 7] + [0] * 7
    m701[10], m701[116] = 321, 1  # 3210 W injected
    m701[17:19], m701[115] = [0, 50_000], 0xFFFD  # 50.000 Hz
    m701[19:27], m701[120] = [0, 0, 0x0001, 0x0000, 0, 0, 0, 7], 2  # 6553600 Wh injected, 700 Wh absorbed
    m701[41], m701[64], m701[87] = 107, 107, 0x8000
    m713[4], m713[8] = 555, 0xFFFF
    async with RawServer().serve() as server, a_bus(server) as bus:
        sunspec(server, m701, m713)
        values = await values_of(a_device(bus, "sunspec_der"))
    assert (values[Quantity.POWER], values[Quantity.POWER_L1], values[Quantity.POWER_L3]) == (-3210, -1070, None)
    assert (values[Quantity.ENERGY_EXPORT], values[Quantity.ENERGY_IMPORT]) == (6_553_600, 700)
    assert values[Quantity.FREQUENCY] == pytest.approx(50)
    assert values[Quantity.SOC] == pytest.approx(55.5)


@pytest.mark.parametrize(
    ("chain", "reason"),
    [
        ([model_113()] * 4 + [[1, 0]], "model 1 at .* is 0 long"),
        ([[200, 2, 0, 0]] * 61, "the chain has no end"),
        ([[103, 0xFFF0]], "the chain has no end"),
        ([[0] * 20], "model 0 at"),
    ],
    ids=["a model of no length", "more models than there are", "a model beyond the last register", "zeros"],
)
async def test_a_chain_of_models_that_does_not_end_is_refused(chain: list[list[int]], reason: str) -> None:
    async with RawServer().serve() as server, a_bus(server) as bus:
        sunspec(server, *chain)
        with pytest.raises(DeviceAnswerWrong, match=reason):
            await a_device(bus, "sunspec_inverter").read()


async def test_a_model_shorter_than_its_points_is_not_read_beyond_its_end() -> None:
    async with RawServer().serve() as server, a_bus(server) as bus:
        sunspec(server, [103, 14, *model_103()[2:16]])
        values = await values_of(a_device(bus, "sunspec_inverter"))
    assert (values[Quantity.POWER], values[Quantity.ENERGY_EXPORT]) == (-3210, None)


@pytest.mark.parametrize("length", [0, 10, 200])
async def test_a_common_model_of_a_wrong_length_is_refused(length: int) -> None:
    async with RawServer().serve() as server, a_bus(server) as bus:
        sunspec(server, model_103())
        server.registers[40003] = length
        with pytest.raises(DeviceAnswerWrong, match=f"it is {length} long"):
            await a_device(bus, "sunspec_inverter").read()
    assert len(common()) == 68
