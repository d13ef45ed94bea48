"""`hearth probe modbus` as a person types it: what it prints, its exit codes, and the live view."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import aclosing, contextmanager
from pathlib import Path

import pytest
from ruamel.yaml import YAML
from typer.testing import CliRunner

from adapters.modbus.probe import ProbeResult
from adapters.modbus.settings import ModbusDeviceSettings, ModbusTcpSettings
from firmware_sim.modbus_server import Registers
from gateway.__main__ import app
from gateway.assembly import KINDS, wire
from gateway.config import load_site
from gateway.model.quantity import Quantity
from gateway.probing import Found, Picture, in_words, place_of, snippet, watch
from gateway.runtime.system_clock import SystemClock
from gateway.web.settings import WebSettings
from tests.adapters.modbus_units import Table, floats, inverter, sdm630, serving

ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def served(units: Mapping[int, Registers]) -> Iterator[int]:
    """The units on a loop of their own thread: the command runs its own loop."""
    ports: list[int] = []
    ready, done = threading.Event(), threading.Event()

    async def serve() -> None:
        async with serving(units) as port:
            ports.append(port)
            ready.set()
            await asyncio.to_thread(done.wait)

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    assert ready.wait(5)
    try:
        yield ports[0]
    finally:
        done.set()
        thread.join(5)


@pytest.mark.slow
def test_what_is_found_is_told_with_reasons_and_lines_for_the_site_file() -> None:
    with served({1: sdm630(), 3: inverter()}) as port:
        result = CliRunner().invoke(app, ["probe", "modbus", "127.0.0.1", "--port", str(port), "--units", "1-4"])
    assert result.exit_code == 0, result.output
    assert "unit 1: does not say who it is" in result.stdout
    assert "eastron_sdm630, Eastron SDM630 (or eastron_sdm72: nobody can tell them apart)" in result.stdout
    assert "13 of 13 registers plausible: 230, 231, 229 V, 50.0 Hz, phases add up, 1560 W" in result.stdout
    assert "unit 3: Hearth Simulation Hybrid 8.0" in result.stdout
    lines = YAML(typ="safe").load(result.stdout.split("For the site file:")[1])
    assert lines["connections"]["modbus_line"] == {"kind": "modbus_tcp", "host": "127.0.0.1", "port": port}
    assert lines["devices"]["device_1"]["role"] == "main_meter"
    assert lines["devices"]["device_3"] | {"name": ""} == {
        "name": "", "role": "hybrid_inverter", "connection": "modbus_line", "profile": "sunspec_hybrid", "unit": 3,
    }  # fmt: skip


@pytest.mark.slow
def test_the_suggested_lines_make_a_site_file_that_works(tmp_path: Path) -> None:
    with served({1: sdm630()}) as port:
        result = CliRunner().invoke(app, ["probe", "modbus", "127.0.0.1", "--port", str(port), "--units", "1"])
    site = YAML(typ="safe").load((ROOT / "config" / "site" / "example.yaml").read_text())["site"]
    file = tmp_path / "home.yaml"
    with file.open("w") as out:
        YAML().dump({"site": site}, out)
        out.write(result.stdout.split("For the site file:")[1])
    loaded = load_site(file, KINDS, WebSettings)
    (entry,) = loaded.devices
    assert isinstance(entry.settings, ModbusDeviceSettings) and entry.settings.profile == "eastron_sdm630"
    assert wire(loaded, None, SystemClock(), lambda device, what: None).findings == []  # type: ignore[arg-type]


@pytest.mark.slow
def test_json_is_for_programs() -> None:
    with served({1: sdm630()}) as port:
        result = CliRunner().invoke(
            app, ["probe", "modbus", "127.0.0.1", "--port", str(port), "--units", "1", "--json"]
        )
    (found,) = json.loads(result.stdout)
    assert found["unit"] == 1
    assert found["candidates"][0]["profile"] == "eastron_sdm630"
    assert found["candidates"][0]["values"]["voltage_l1_v"] == pytest.approx(230.1, abs=0.01)


@pytest.mark.slow
def test_nothing_found_is_exit_code_1_with_hints() -> None:
    with served({}) as port:
        result = CliRunner().invoke(app, ["probe", "modbus", "127.0.0.1", "--port", str(port), "--units", "1-3"])
    assert result.exit_code == 1
    assert "nothing answered" in result.output and "--framing rtu" in result.output


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "either a host or --serial"),
        (["127.0.0.1", "--serial", "/dev/ttyUSB0"], "either a host or --serial"),
        (["127.0.0.1", "--framing", "ascii"], "write tcp or rtu"),
        (["127.0.0.1", "--units", "1-300"], "no unit id"),
        (["--serial", "/dev/nothing", "--baud", "fast"], "list of speeds"),
        (["--serial", "/dev/nothing", "--parity", "Q"], "list of parities"),
        (["--serial", "/dev/nothing"], "no such serial device"),
    ],
)
def test_what_cannot_be_asked_is_said_in_words(arguments: list[str], words: str) -> None:
    result = CliRunner().invoke(app, ["probe", "modbus", *arguments])
    assert result.exit_code == 2
    assert words in " ".join(result.output.replace("│", " ").split())


def test_an_unknown_device_gets_no_lines_and_honest_words() -> None:
    stranger = ProbeResult(9, "")
    assert in_words(stranger) == ["unit 9: does not say who it is; no shipped profile fits"]
    assert snippet([Found(ModbusTcpSettings(kind="modbus_tcp", host="h"), stranger)]) == []


def test_a_place_keeps_only_what_differs_from_the_usual() -> None:
    kept = place_of("meter.local", "", 502, "tcp", 0.5, "9600", "n").settings()
    assert kept.model_dump(exclude_unset=True) == {"kind": "modbus_tcp", "host": "meter.local"}
    serial = place_of("", "/dev/ttyUSB0", 502, "tcp", 0.5, "2400,9600", "e").settings()
    assert serial.model_dump(exclude_unset=True)["baudrate"] == 2400


async def pictures(units: Mapping[int, Registers], count: int) -> list[Picture]:
    async with serving(units) as port:
        settings = ModbusTcpSettings(kind="modbus_tcp", host="127.0.0.1", port=port)
        return [p async for p in some(watch(settings, 1, "eastron_sdm630", SystemClock(), period_s=0.05), count)]


async def some(source: AsyncIterator[Picture], count: int) -> AsyncIterator[Picture]:
    async with aclosing(source) as live:  # type: ignore[type-var]
        async for picture in live:
            yield picture
            count -= 1
            if count == 0:
                return


async def test_watching_shows_live_decoded_values() -> None:
    last = (await pictures({1: sdm630()}, 2))[-1]
    values = {reading.quantity: reading.value for reading in last.readings}
    assert values[Quantity.POWER] == 1560 and values[Quantity.FREQUENCY] == pytest.approx(50.01)
    assert last.error == "" and list(last.findings) == []


@pytest.mark.slow
async def test_watching_a_meter_with_a_turned_transformer_says_so() -> None:
    turned = sdm630()
    turned.words |= floats({14: -440.0, 52: 680.0}, range(0))
    last = (await pictures({1: turned}, 30))[-1]
    (finding,) = last.findings
    assert "current transformer on L2" in finding.what and finding.sure == "possible"


@pytest.mark.slow
async def test_watching_a_unit_that_answers_wrongly_says_why() -> None:
    last = (await pictures({1: Table(3, {})}, 1))[-1]
    assert last.error or all(reading.value is None for reading in last.readings)
