"""Modbus profiles, decoding and planning: pure."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.modbus.control import revert_seconds, storage_rates
from adapters.modbus.decode import SIZES, decode, encode, scale_factor, text
from adapters.modbus.planner import ReadLimits, Register, block_of, hole_in, plan_blocks, split
from adapters.modbus.probe_match import load_profiles
from adapters.modbus.profile import load_profile
from adapters.mqtt.profile import load_profile as load_mqtt_profile
from gateway.assembly import KINDS, wire
from gateway.config import load_site
from gateway.model.errors import SiteFileError
from gateway.model.quantity import Quantity
from gateway.runtime.system_clock import SystemClock
from gateway.web.settings import WebSettings
from tests.adapters.shipped import NAMES, PROFILES, shipped


@pytest.mark.parametrize("name", NAMES)
def test_every_shipped_profile_loads_and_names_its_source(name: str) -> None:
    profile = shipped(name)
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


FRAME = "{function: 6, address: 9, fields: [{type: uint16, of: value, range: [0, 1]}]}"
RELEASE = "release: [{function: 6, address: 9, fields: [{type: uint16, value: 0}]}]"
FIELD = "setpoint: pv_limit_percent, release: [{function: 6, address: 9, fields: [{type: uint16, value: 0}]}]"


def one_frame(text: str) -> str:
    return f"writes: [{{{FIELD}, frames: [{text}]}}]"


@pytest.mark.parametrize(
    ("line", "place", "words"),
    [
        ("limits: {holes: [[4, 6]]}", "registers[0].address", "hole 4-6"),
        ("limits: {holes: [[6, 6]], even_only: true}", "registers[1].address", "hole 6-6"),
        ("limits: {read_together: [[4, 40]], max_read_registers: 20}", "registers[0].address", "needs 37 registers"),
        ("limits: {holes: [[9, 8]]}", "limits.holes[0]", "9 is behind 8"),
        ("limits: {hols: []}", "limits.hols", "holes"),
        ("limits: {min_gap_ms: -1}", "limits.min_gap_ms", "greater"),
        ("serial: {baudrat: 2400}", "serial.baudrate", "Add it"),
        ("serial: {baudrate: 2400, parity: X}", "serial.parity", "Known are: N, E, O"),
        ("byte_order: middle", "byte_order", "big, little"),
        (f"writes: [{{setpoint: pv_limit, frames: [{FRAME}], {RELEASE}}}]", "writes[0].setpoint", "pv_limit_percent"),
        (f"writes: [{{setpoint: pv_limit_percent, frames: [{FRAME}]}}]", "writes[0].release", "missing"),
        (f"writes: [{{{FIELD}, frames: [{FRAME}]}}, {{{FIELD}, frames: [{FRAME}]}}]", "writes[1].setpoint", "already"),
        (one_frame("{function: 5, address: 9, fields: []}"), "writes[0].frames[0].function", "6, 16"),
        (one_frame("{function: 6, address: 9, fields: [{type: int32, of: value, range: [0, 1]}]}"),
         "writes[0].frames[0].function", "cannot write 2 registers"),
        (one_frame("{function: 6, address: 9, fields: [{type: int16, of: value}]}"),
         "writes[0].frames[0].fields[0]", "needs its range"),
        (one_frame("{function: 6, address: 9, fields: [{type: int16, of: value, value: 1, range: [0, 1]}]}"),
         "writes[0].frames[0].fields[0]", "exactly one of"),
        (one_frame("{function: 6, address: 9, fields: [{type: int16, of: low, range: [0, 1]}]}"),
         "writes[0].frames[0].fields[0].of", "no lower end"),
        (one_frame("{function: 6, address: 9, fields: [{type: int16, value: 40000}]}"),
         "writes[0].frames[0].fields[0].value", "does not fit into int16"),
        (one_frame("{function: 16, address: 65535, fields: [{type: int32, of: value, range: [0, 1]}]}"),
         "writes[0].frames[0].address", "beyond register 65535"),
        (one_frame("{function: 6, address: 9, fields: [{type: int16, value: 1}]}"), "writes[0].frames", "no field"),
    ],
)  # fmt: skip
def test_a_mistake_in_limits_and_writes_is_named_with_place_and_remedy(
    tmp_path: Path, line: str, place: str, words: str
) -> None:
    registers = (
        "  - {quantity: power_w, function: input, address: 5, type: int32}\n"
        "  - {quantity: frequency_hz, function: input, address: 7, type: int16}\n"
    )
    write_profile(tmp_path, f"{registers}{line}\n")
    with pytest.raises(SiteFileError) as caught:
        load_profile("mine", tmp_path)
    assert any(place in f.where and words in f"{f.what} {f.remedy}" for f in caught.value.findings), caught.value


def test_a_point_that_another_place_has_not_got_is_named(tmp_path: Path) -> None:
    (tmp_path / "sunspec_models.yaml").write_text((PROFILES / "sunspec_models.yaml").read_text())
    (tmp_path / "mine.yaml").write_text(
        "kind: sunspec\nmaker: M\nmodel: X\nsource: {manual: m, version: '1', page: '2'}\nverified: 'no'\nreadings:\n"
        "  - {quantity: voltage_l1_v, models: [701], point: VL1, otherwise: [{models: [103], point: VL1}]}\n"
    )
    with pytest.raises(SiteFileError, match=r"readings\[0\].otherwise\[0\].point: model 103 has no point VL1"):
        load_profile("mine", tmp_path)


def test_a_quantity_given_twice_is_named(tmp_path: Path) -> None:
    line = "  - {quantity: power_w, function: input, address: 0, type: float32}\n"
    write_profile(tmp_path, line + line)
    with pytest.raises(SiteFileError, match=r"registers\[1\].quantity: power_w stands already"):
        load_profile("mine", tmp_path)


def test_an_unknown_profile_gets_a_suggestion() -> None:
    with pytest.raises(SiteFileError, match="Did you mean eastron_sdm630"):
        load_profile("eastron_sdm63", PROFILES)


@pytest.mark.parametrize(
    ("line", "place", "what", "remedy"),
    [
        ("scale: 0", "registers[0].scale", "every value 0", "Write the factor"),
        ("scale: .nan", "registers[0].scale", "no number", "finite"),
        ("scale: -.inf", "registers[0].scale", "no number", "finite"),
        ("offset: .inf", "registers[0].offset", "no number", "finite"),
        ("range: [500, 0]", "registers[0].range", "500 is not below 0", "[lowest, highest]"),
        ("range: [5, 5]", "registers[0].range", "5 is not below 5", "[lowest, highest]"),
        ("range: [0, .inf]", "registers[0].range[1]", "no number", "finite"),
        ("nan: [-1]", "registers[0].nan[0]", "-1 is no raw value of int32", "0x00000000 to 0xFFFFFFFF"),
        ("nan: [0, 0x100000000]", "registers[0].nan[1]", "no raw value of int32", "0x00000000 to 0xFFFFFFFF"),
    ],
)
def test_a_number_that_cannot_be_is_named_with_place_and_remedy(
    tmp_path: Path, line: str, place: str, what: str, remedy: str
) -> None:
    write_profile(tmp_path, f"  - {{quantity: power_w, function: input, address: 5, type: int32, {line}}}\n")
    assert_named(tmp_path, place, what, remedy)


@pytest.mark.parametrize(
    ("old", "new", "place", "what", "remedy"),
    [
        ("verified: 'no'", "verified: ''", "verified", "empty", "Write it down"),
        ("verified: 'no'", "verified: '  '", "verified", "empty", "Write it down"),
        ("maker: M", "maker:", "maker", "empty", "Write it down"),
        ("version: '1'", "version: 1.8", "source.version", "1.8 is read as a number", 'Quote it: "1.8"'),
        ("version: '1'", "version: 2024-03-01", "source.version", "a date", 'Quote it: "2024-03-01"'),
        ("maker: M", "maker: true", "maker", "yes/no", "Quote it"),
        ("maker: M", "maker: M\nnan: {int16: [-32768]}", "nan.int16[0]", "no raw value of int16", "0x0000 to 0xFFFF"),
        ("maker: M", "maker: M\nslow_period_s: .inf", "slow_period_s", "no number", "finite"),
    ],
)
def test_a_mistake_in_the_head_is_named_with_place_and_remedy(
    tmp_path: Path, old: str, new: str, place: str, what: str, remedy: str
) -> None:
    write_profile(tmp_path, "  - {quantity: power_w, function: input, address: 5, type: int32}\n")
    text = (tmp_path / "mine.yaml").read_text()
    (tmp_path / "mine.yaml").write_text(text.replace(old, new))
    assert_named(tmp_path, place, what, remedy)


def test_a_wish_whose_range_is_upside_down_is_named(tmp_path: Path) -> None:
    write = one_frame("{function: 6, address: 9, fields: [{type: uint16, of: value, range: [100, 0]}]}")
    write_profile(tmp_path, f"  - {{quantity: power_w, function: input, address: 5, type: int32}}\n{write}\n")
    assert_named(tmp_path, "writes[0].frames[0].fields[0].range", "100 is not below 0", "[lowest, highest]")


@pytest.mark.parametrize(
    ("first", "second", "remedy"),
    [
        ("quantity: power_w, address: 5, type: int32", "quantity: frequency_hz, address: 5, type: int32", "both addresses"),
        ("quantity: power_w, address: 5, type: int32", "quantity: frequency_hz, address: 6, type: int16", "address and type"),
        ("quantity: power_w, address: 5, type: int32", "quantity: frequency_hz, address: 4, type: int64", "address and type"),
        ("quantity: power_w, address: 5, type: int32, sum: true", "quantity: power_w, address: 5, type: int32, sum: true",
         "Remove one"),
        ("quantity: power_w, address: 5, type: int32, sum: true", "quantity: power_l1_w, address: 6, type: int32",
         "address and type"),
    ],
    ids=["one number, two meanings", "the second word", "around it", "added twice", "half of a sum's part"],
)  # fmt: skip
def test_numbers_that_share_words_are_named(tmp_path: Path, first: str, second: str, remedy: str) -> None:
    write_profile(tmp_path, f"  - {{function: input, {first}}}\n  - {{function: input, {second}}}\n")
    assert_named(tmp_path, "registers[1].address", "registers[0]", remedy)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("function: input, quantity: power_w, sum: true", "function: input, quantity: power_l1_w"),
        ("function: input, quantity: power_w", "function: holding, quantity: frequency_hz"),
    ],
    ids=["a phase that is part of the sum", "another table of the device"],
)
def test_a_number_may_stand_twice_where_that_says_something(tmp_path: Path, first: str, second: str) -> None:
    write_profile(tmp_path, f"  - {{{first}, address: 5, type: int32}}\n  - {{{second}, address: 5, type: int32}}\n")
    assert len(load_profile("mine", tmp_path).registers) == 2


def test_a_model_nobody_knows_is_named_with_those_that_are_known(tmp_path: Path) -> None:
    (tmp_path / "sunspec_models.yaml").write_text((PROFILES / "sunspec_models.yaml").read_text())
    (tmp_path / "mine.yaml").write_text(
        "kind: sunspec\nmaker: M\nmodel: X\nsource: {manual: m, version: '1', page: '2'}\nverified: 'no'\nreadings:\n"
        "  - {quantity: power_w, models: [103, 999], point: W}\n"
    )
    assert_named(tmp_path, "readings[0].models[1]", "no table of SunSpec model 999", "Known are: 1, 101")


def assert_named(folder: Path, place: str, what: str, remedy: str) -> None:
    with pytest.raises(SiteFileError) as caught:
        load_profile("mine", folder)
    assert [f.where for f in caught.value.findings] == [f"mine.yaml: {place}"]
    assert what in caught.value.findings[0].what
    assert remedy in caught.value.findings[0].remedy


BROKEN_FILES = {
    "no text": (b"\xff\xfe", "not UTF-8"),
    "another alphabet": ("maker: Schnäder\n".encode("latin-1"), "not UTF-8"),
    "zero bytes": (b"maker: M\x00\n", "not YAML"),
    "no date": (b"maker: 2024-13-45\n", "not YAML"),
    "without end": (b"[" * 500, "not YAML"),
    "empty": (b"", "is empty"),
    "only remarks": (b"# to do\n", "is empty"),
    "a list": (b"- 1\n", "holds no keys"),
}


@pytest.mark.parametrize("name", BROKEN_FILES)
def test_a_file_that_is_no_profile_is_named_in_words_for_people(tmp_path: Path, name: str) -> None:
    content, words = BROKEN_FILES[name]
    (tmp_path / "mine.yaml").write_bytes(content)
    for load in (load_profile, load_mqtt_profile):
        with pytest.raises(SiteFileError) as caught:
            load("mine", tmp_path)
        (finding,) = caught.value.findings
        assert finding.where.startswith("mine.yaml") and words in finding.what and finding.remedy
        assert "Wire" not in str(finding)


def test_a_profile_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").mkdir()
    for load in (load_profile, load_mqtt_profile):
        with pytest.raises(SiteFileError, match=r"mine.yaml: cannot be read \(Is a directory\)"):
            load("mine", tmp_path)


def test_a_probe_leaves_broken_profiles_out_with_one_line_each(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_profile(tmp_path, "  - {quantity: power_w, function: input, address: 5, type: int32}\n")
    (tmp_path / "torn.yaml").write_bytes(b"\xff\xfe")
    (tmp_path / "void.yaml").write_bytes(b"")
    assert [profile.name for profile in load_profiles(tmp_path)] == ["mine"]
    assert [("torn.yaml" in line, "void.yaml" in line) for line in caplog.messages] == [(True, False), (False, True)]


def test_a_torn_profile_costs_its_own_device_only(tmp_path: Path) -> None:
    for kind in ("modbus", "mqtt"):
        (tmp_path / "devices" / kind).mkdir(parents=True)
        (tmp_path / "devices" / kind / "torn.yaml").write_bytes(b"\xff\xfe")
    write_profile(
        tmp_path / "devices" / "modbus", "  - {quantity: power_w, function: input, address: 5, type: int32}\n"
    )
    (tmp_path / "home.yaml").write_text(
        "site: {name: H, timezone: Europe/Brussels, latitude: 50, longitude: 4, main_fuse_a: 25, tariff: demo_tou}\n"
        "connections: {bus: {kind: modbus_tcp, host: 127.0.0.1}, broker: {kind: mqtt, host: 127.0.0.1}}\n"
        "devices:\n"
        "  main: {role: main_meter, connection: bus, profile: mine}\n"
        "  torn: {role: sub_meter, connection: bus, profile: torn, unit: 2}\n"
        "  plug: {role: sub_meter, connection: broker, profile: torn, topic: plug}\n"
    )
    site = load_site(tmp_path / "home.yaml", KINDS, WebSettings)
    wired = wire(site, None, SystemClock(), lambda device, what: None, tmp_path)  # type: ignore[arg-type]
    assert [meter.id for meter in wired.meters] == ["main"]
    assert wired.left_out == dict.fromkeys(("torn", "plug"), "left out: is not UTF-8 text")


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
        ([0x4132, 0xD687, 0, 0], "float64", "big", 1_234_567),
        ([0x7FF8, 0, 0, 0], "float64", "big", None),
        ([0x8000, 0x4366], "float32", "big", None),
        ([0x0000, 0x4248], "float32", "big", None),
    ],
)
def test_registers_become_numbers_or_nothing(registers: list[int], kind: str, order: str, value: float | None) -> None:
    assert decode(registers, kind, word_order=order).value == value


@pytest.mark.slow
@given(st.integers(-(2**31), 2**31 - 1), st.sampled_from(["big", "little"]), st.sampled_from(["big", "little"]))
def test_decoding_undoes_encoding(number: int, words: str, bytes_: str) -> None:
    for kind in ("int32", "int64", "float64"):
        registers = encode(number, kind, word_order=words, byte_order=bytes_)
        assert decode(registers, kind, word_order=words, byte_order=bytes_).value == number
    assert encode(number, "int32") == list(struct.unpack(">2H", struct.pack(">i", number)))


@pytest.mark.parametrize(("number", "kind"), [(70000, "uint16"), (-1, "uint32"), (40000, "int16"), (1e39, "float32")])
def test_a_number_too_large_for_its_registers_is_never_cut_to_fit(number: float, kind: str) -> None:
    with pytest.raises(ValueError, match="does not fit"):
        encode(number, kind)


@pytest.mark.parametrize(("register", "factor"), [(0, 1), (0xFFFE, 0.01), (3, 1000), (0x8000, None), (11, None)])
def test_scale_factors(register: int, factor: float | None) -> None:
    assert scale_factor(register).value == factor


def test_a_marker_is_missing_with_its_reason() -> None:
    found = decode([0x8000], "int16", nan=(0x8000,))
    assert found.value is None
    assert "0x8000" in found.reason


def test_strings_lose_their_padding() -> None:
    assert text([0x4142, 0x4300, 0]) == "ABC"


SPANS = st.lists(st.tuples(st.integers(0, 400), st.integers(0, 8)).map(lambda s: (s[0], s[0] + s[1])), max_size=4)


@pytest.mark.slow
@given(
    st.lists(st.tuples(st.integers(0, 400), st.sampled_from(sorted(SIZES)), st.booleans()), max_size=30),
    st.builds(ReadLimits, st.integers(40, 125), st.integers(0, 40), st.booleans(), SPANS.map(tuple), SPANS.map(tuple)),
)
def test_no_block_breaks_a_limit_or_a_number(spans: list[tuple[int, str, bool]], limits: ReadLimits) -> None:
    every = [Register(Quantity.POWER, "input" if one else "holding", address, kind) for address, kind, one in spans]
    registers = [r for r in every if not hole_in(block_of([r], limits), limits)]
    blocks = plan_blocks(registers, limits)
    assert sorted(map(repr, registers)) == sorted(repr(r) for block in blocks for r in block.registers)
    for block in blocks:
        assert block.count <= limits.max_read_registers
        assert all(block.address <= r.start and r.end <= block.address + block.count for r in block.registers)
        if limits.even_only:
            assert block.address % 2 == 0 == block.count % 2


def test_registers_that_belong_together_are_never_split_and_a_hole_never_bridged() -> None:
    limits = ReadLimits(125, 100, holes=((20, 21),), read_together=((0, 9),))
    registers = [Register(Quantity.POWER, "input", address, "int16") for address in (0, 5, 12, 25)]
    first, second = plan_blocks(registers, limits)
    assert [(b.address, b.count) for b in (first, second)] == [(0, 13), (25, 1)]
    assert [(b.address, b.count) for b in split(first, limits)] == [(0, 10), (12, 1)]
    assert split(split(first, limits)[0], limits) == []


def test_a_split_cuts_at_the_largest_gap() -> None:
    limits = ReadLimits(125, 100)
    registers = [Register(Quantity.POWER, "input", address, "int16") for address in (0, 1, 50, 51)]
    (block,) = plan_blocks(registers, limits)
    assert [(b.address, b.count) for b in split(block, limits)] == [(0, 2), (50, 2)]


def test_a_band_is_held_inside_what_the_register_can_say() -> None:
    assert storage_rates(-9000, 9000, 5000, 0.01) == (10000, 10000)
    assert revert_seconds(0.2) == 1
    assert revert_seconds(1e6) == 65_534
