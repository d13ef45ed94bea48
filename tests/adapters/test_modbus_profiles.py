"""Modbus profiles, decoding and planning: pure."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.modbus.control import revert_seconds, storage_rates
from adapters.modbus.decode import SIZES, decode, scale_factor, text
from adapters.modbus.planner import ReadLimits, Register, plan_blocks, split
from adapters.modbus.profile import load_profile, profile_names
from gateway.model.errors import SiteFileError
from gateway.model.quantity import Quantity

PROFILES = Path(__file__).parents[2] / "config" / "devices" / "modbus"


@pytest.mark.parametrize("name", profile_names(PROFILES))
def test_every_shipped_profile_loads_and_names_its_source(name: str) -> None:
    profile = load_profile(name, PROFILES)
    assert profile.source
    assert profile.verified


@pytest.mark.parametrize(
    ("line", "place", "remedy"),
    [
        ("{quantity: powr_w, function: input, address: 0, type: float32}", "registers[0].quantity", "power_w"),
        ("{quantity: power_w, function: input, address: 0, type: flot32}", "registers[0].type", "float32"),
        ("{quantity: power_w, function: coil, address: 0, type: float32}", "registers[0].function", "input"),
        ("{quantity: power_w, function: input, adress: 0, type: float32}", "registers[0].adress", "address"),
    ],
    ids=["unknown quantity", "wrong type", "wrong function", "unknown key"],
)
def test_a_mistake_is_named_with_place_and_remedy(tmp_path: Path, line: str, place: str, remedy: str) -> None:
    write_profile(tmp_path, f"  - {line}")
    with pytest.raises(SiteFileError) as caught:
        load_profile("mine", tmp_path)
    assert any(place in finding.where and remedy in finding.remedy for finding in caught.value.findings)


def test_a_quantity_given_twice_is_named(tmp_path: Path) -> None:
    line = "  - {quantity: power_w, function: input, address: 0, type: float32}\n"
    write_profile(tmp_path, line + line)
    with pytest.raises(SiteFileError, match=r"registers\[1\].quantity: power_w stands already"):
        load_profile("mine", tmp_path)


def test_an_unknown_profile_gets_a_suggestion() -> None:
    with pytest.raises(SiteFileError, match="Did you mean eastron_sdm630"):
        load_profile("eastron_sdm63", PROFILES)


def test_broken_yaml_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("maker: [\nmodel: }\n")
    with pytest.raises(SiteFileError, match=r"mine.yaml line \d"):
        load_profile("mine", tmp_path)


def write_profile(folder: Path, registers: str) -> None:
    head = "maker: M\nmodel: X\nsource: {manual: m, version: '1', page: '2'}\nverified: no\nregisters:\n"
    (folder / "mine.yaml").write_text(head.replace("verified: no", "verified: 'no'") + registers)


@pytest.mark.parametrize(
    ("registers", "kind", "order", "value"),
    [
        ([0x4366, 0x8000], "float32", "big", 230.5),
        ([0x8000, 0x4366], "float32", "little", 230.5),
        ([0xFFFF], "int16", "big", -1.0),
        ([0xFFFE, 0xFFFF], "int32", "little", -2.0),
        ([0, 1, 0, 0], "uint64", "big", 2.0**32),
        ([0x7FC0, 0], "float32", "big", None),
        ([0x7F80, 0], "float32", "big", None),
        ([1], "int32", "big", None),
    ],
)
def test_registers_become_numbers_or_nothing(registers: list[int], kind: str, order: str, value: float | None) -> None:
    assert decode(registers, kind, word_order=order).value == value


@given(st.integers(-(2**31), 2**31 - 1))
def test_decoding_undoes_encoding(number: int) -> None:
    registers = list(struct.unpack(">2H", struct.pack(">i", number)))
    assert decode(registers, "int32").value == number


@pytest.mark.parametrize(("register", "factor"), [(0, 1), (0xFFFE, 0.01), (3, 1000), (0x8000, None), (11, None)])
def test_scale_factors(register: int, factor: float | None) -> None:
    assert scale_factor(register).value == factor


def test_a_marker_is_missing_with_its_reason() -> None:
    found = decode([0x8000], "int16", nan=(0x8000,))
    assert found.value is None
    assert "0x8000" in found.reason


def test_strings_lose_their_padding() -> None:
    assert text([0x4142, 0x4300, 0]) == "ABC"


@given(
    st.lists(st.tuples(st.integers(0, 400), st.sampled_from(sorted(SIZES)), st.booleans()), max_size=30),
    st.builds(ReadLimits, st.integers(6, 125), st.integers(0, 40), st.booleans()),
)
def test_no_block_breaks_a_limit_or_a_number(spans: list[tuple[int, str, bool]], limits: ReadLimits) -> None:
    registers = [Register(Quantity.POWER, "input" if one else "holding", address, kind) for address, kind, one in spans]
    blocks = plan_blocks(registers, limits)
    assert sorted(map(repr, registers)) == sorted(repr(r) for block in blocks for r in block.registers)
    for block in blocks:
        assert block.count <= limits.max_read_registers
        assert all(block.address <= r.start and r.end <= block.address + block.count for r in block.registers)
        if limits.even_only:
            assert block.address % 2 == 0 == block.count % 2


def test_a_split_cuts_at_the_largest_gap() -> None:
    limits = ReadLimits(125, 100)
    registers = [Register(Quantity.POWER, "input", address, "int16") for address in (0, 1, 50, 51)]
    (block,) = plan_blocks(registers, limits)
    assert [(b.address, b.count) for b in split(block, limits)] == [(0, 2), (50, 2)]


def test_a_band_is_held_inside_what_the_register_can_say() -> None:
    assert storage_rates(-9000, 9000, 5000, 0.01) == (10000, 10000)
    assert revert_seconds(0.2) == 1
    assert revert_seconds(1e6) == 65_534
