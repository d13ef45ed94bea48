"""What real devices publish becomes readings in our units and signs: every shipped profile on published payloads."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, timedelta

import jsonschema  # type: ignore[import-untyped]
import pytest
from ruamel.yaml import YAML

from adapters.mqtt.broker import Message
from adapters.mqtt.profile import profile_names
from adapters.mqtt.profile_wire import schema_text
from gateway.model.errors import DeviceUnreachable
from gateway.model.quantity import Quantity
from gateway.model.reading import Quality, Rule
from tests.adapters.mqtt_samples import CLOCK, PROFILES, Heard, samples, values

SHELLY1, SHELLY3, SHELLY_EM = (
    "shellies/shellyem3-ECFABCC7F0F4",
    "shellypro3em-c82e18112233",
    "shellyproem50-aabbccddeeff",
)
TABLE = [
    ("tasmota_sensor_energy", "tasmota_energy", "sonoff_desk", 0, {
        "power_w": 56, "voltage_l1_v": 234, "current_l1_a": 0.392, "energy_import_wh": 514_153}),
    ("tasmota_sensor_energy", "tasmota_energy", "device", 0, {
        "power_w": 32, "voltage_l1_v": 238, "current_l1_a": 0.148, "energy_import_wh": 14_687.92}),
    ("tasmota_sensor_energy", "tasmota_energy", "tasmota", 0, {
        "power_w": 57, "voltage_l1_v": 235, "current_l1_a": 0.322, "energy_import_wh": 3_067}),
    ("tasmota_sensor_energy", "tasmota_channel", "tasmota", 1, {
        "power_w": 5, "voltage_l1_v": 235, "current_l1_a": 0.044, "energy_import_wh": 254}),
    ("tasmota_sensor_energy", "tasmota_energy", "shellyB", 0, {
        "power_w": 0, "voltage_l1_v": 0, "current_l1_a": 0, "energy_import_wh": 586}),
    ("tasmota_linky_tic", "tasmota_linky_tic", "compteur/tele", 0, {
        "power_w": 860, "current_l1_a": 3, "energy_import_wh": 7_970_903}),
    ("shelly_gen1", "shelly_gen1_em", SHELLY1, 0, {
        "power_w": 312.45, "current_l1_a": 1.48, "voltage_l1_v": 231.2, "energy_import_wh": 123_456.7,
        "energy_export_wh": 0}),
    ("shelly_gen1", "shelly_gen1_3em", SHELLY1, 0, {
        "power_l1_w": 312.45, "current_l1_a": 1.48, "voltage_l1_v": 231.2}),
    ("shelly_gen1", "shelly_gen1_plug", SHELLY1, 0, {"on": 0}),
    ("shelly_gen2", "shelly_gen2_3em", SHELLY3, 0, {
        "power_w": 2000.7, "power_l1_w": 1200.5, "power_l2_w": 450, "power_l3_w": 350.2,
        "voltage_l1_v": 230.0, "voltage_l2_v": 229.8, "voltage_l3_v": 231.2,
        "current_l1_a": 5.22, "current_l2_a": 1.96, "current_l3_a": 1.51, "energy_import_wh": 145_200}),
    ("shelly_gen2", "shelly_gen2_em", SHELLY_EM, 0, {"power_w": 0, "voltage_l1_v": 234.9, "current_l1_a": 0.08}),
    ("shelly_gen2", "shelly_gen2_switch", "shellypro4pm-f008d1d8b8b8", 0, {"on": 1}),
    ("zigbee2mqtt_plug", "zigbee2mqtt_plug", "zigbee2mqtt/plug", 0, {
        "power_w": 0, "voltage_l1_v": 233, "current_l1_a": 0, "energy_import_wh": 1_920, "on": 1}),
    ("dsmr_reader", "dsmr_reader_json", "dsmr/json", 0, {
        "power_w": 240, "power_l1_w": 368, "power_l2_w": None, "power_l3_w": None,
        "energy_import_wh": 12_397_641, "energy_export_wh": 1_903_393}),
    ("dsmr_reader", "dsmr_reader_topics", "dsmr/reading", 0, {
        "power_w": 240, "energy_import_wh": 12_397_641, "energy_export_wh": 1_903_393}),
    ("p1_esp8266", "p1_esp8266", "sensors/power/p1meter", 0, {
        "power_w": 313, "current_l1_a": 1.0, "voltage_l1_v": 233,
        "energy_import_wh": 4_174_359, "energy_export_wh": 4_174_359}),
    ("openevse", "openevse", "openevse", 0, {
        "current_l1_a": 16, "voltage_l1_v": 240, "energy_import_wh": 12_345, "current_offered_a": 16}),
    ("evcc_topics", "evcc_grid", "evcc", 0, {"power_w": -1200}),
    ("evcc_topics", "evcc_pv", "evcc", 0, {"power_w": -3500}),
    ("evcc_topics", "evcc_battery", "evcc", 0, {"power_w": 500, "soc_percent": 72}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("sample", "profile", "topic", "channel", "expected"), TABLE, ids=lambda value: str(value)[:24]
)
async def test_published_payloads_become_readings(
    sample: str, profile: str, topic: str, channel: int, expected: dict[str, float | None]
) -> None:
    heard = await Heard(profile, topic, channel=channel).hear(*samples(sample))
    assert values(heard) == pytest.approx(expected)


async def test_an_esphome_reader_tells_power_once_both_directions_are_there() -> None:
    meter = Heard("esphome_dsmr", "slimmelezer")
    assert await meter.hear(*samples("esphome")) == {}  # consumption only: half of a telegram
    assert values(await meter.say("slimmelezer/sensor/power_produced/state", "0.0")) == {"power_w": 368}
    counter = await meter.say("slimmelezer/sensor/energy_consumed_tariff_2/state", "4019.445")
    assert values(counter) == pytest.approx({"energy_import_wh": 12_397_641})


# ---- item 17 of the checklist, trap by trap


async def test_trap_arrays_a_two_channel_device_is_added_up_or_read_by_channel() -> None:
    energy = {"ENERGY": {"Total": [2.813, 0.254], "Power": [52, 5]}}
    both = await Heard("tasmota_energy", "d").say("tele/d/SENSOR", energy)
    second = await Heard("tasmota_channel", "d", channel=1).say("tele/d/SENSOR", energy)
    third = await Heard("tasmota_channel", "d", channel=2).say("tele/d/SENSOR", energy)
    assert values(both) == pytest.approx({"power_w": 57, "energy_import_wh": 3067})
    assert values(second) == pytest.approx({"power_w": 5, "energy_import_wh": 254})
    assert third == {}


async def test_trap_arrays_voltages_of_two_channels_are_never_added() -> None:
    energy = {"ENERGY": {"Voltage": [230, 231], "Power": [52, 5]}}
    both = await Heard("tasmota_energy", "d").say("tele/d/SENSOR", energy)
    assert values(both) == {"power_w": 57, "voltage_l1_v": None}
    assert both[Quantity.VOLTAGE_L1].reason == "2 channels, choose one with channel:"
    second = await Heard("tasmota_channel", "d", channel=1).say("tele/d/SENSOR", energy)
    assert values(second) == {"power_w": 5, "voltage_l1_v": 231}


async def test_trap_strings_numbers_as_strings_are_numbers() -> None:
    document = {"electricity_currently_delivered": "0.368", "electricity_currently_returned": "0.128"}
    heard = await Heard("dsmr_reader_json", "dsmr/json").say("dsmr/json", document)
    assert values(heard) == pytest.approx({"power_w": 240})


async def test_trap_zero_padded_strings_are_decimal_not_octal() -> None:
    heard = await Heard("tasmota_linky_tic", "c").say("c/SENSOR", {"TIC": {"BASE": "007970903", "IINST": "003"}})
    assert values(heard) == {"energy_import_wh": 7_970_903, "current_l1_a": 3}


@pytest.mark.parametrize("payload", ["nan", "NaN", "NAN", "inf", "-inf", "unavailable", "1e999", "false"])
async def test_trap_nan_is_missing_with_a_reason_never_zero(payload: str) -> None:
    reading = (await Heard("esphome_plug", "e").say("e/sensor/power/state", payload))[Quantity.POWER]
    assert (reading.value, reading.quality) == (None, Quality.MISSING)
    assert "the device says" in reading.reason


async def test_trap_nan_in_one_tariff_makes_the_sum_missing() -> None:
    meter = Heard("esphome_dsmr", "e")
    await meter.say("e/sensor/energy_consumed_tariff_1/state", "8378.196")
    reading = (await meter.say("e/sensor/energy_consumed_tariff_2/state", "nan"))[Quantity.ENERGY_IMPORT]
    assert (reading.value, reading.quality) == (None, Quality.MISSING)


async def test_trap_null_takes_back_what_was_known() -> None:
    meter = Heard("shelly_gen2_3em", "s")
    await meter.say("s/events/rpc", {"params": {"em:0": {"total_act_power": 500}}})
    assert meter.device._known[Quantity.POWER] == 500
    reading = (await meter.say("s/events/rpc", {"params": {"em:0": {"total_act_power": None}}}))[Quantity.POWER]
    assert (reading.value, reading.quality) == (None, Quality.MISSING)
    assert Quantity.POWER not in meter.device._known


async def test_trap_partial_a_notification_is_laid_over_the_status() -> None:
    meter = Heard("shelly_gen2_3em", "s")
    await meter.say("s/hearth/rpc", {"id": 1, "result": {"em:0": {"total_act_power": 900, "a_act_power": 300}}})
    changed = await meter.say("s/events/rpc", {"params": {"ts": 1.0, "em:0": {"id": 0, "a_act_power": 310}}})
    assert values(changed) == {"power_l1_w": 310}
    assert meter.device._known == {Quantity.POWER: 900, Quantity.POWER_L1: 310}
    assert await meter.say("s/events/rpc", {"params": {"ts": 2.0, "cloud": {"connected": False}}}) == {}


async def test_trap_partial_two_changes_before_one_read_both_count() -> None:
    meter = Heard("shelly_gen2_3em", "s")
    first = Message("s/events/rpc", b'{"params": {"em:0": {"a_act_power": 1}}}', False)
    second = Message("s/events/rpc", b'{"params": {"em:0": {"b_act_power": 2}}}', False)
    meter.device._box.put(first)
    meter.device._box.put(second)
    assert values({r.quantity: r for r in await meter.device.read()}) == {"power_l1_w": 1, "power_l2_w": 2}


async def test_trap_local_time_a_reading_is_stamped_when_it_comes_not_by_the_device() -> None:
    document = {"Time": "2099-03-29T02:30:00", "ENERGY": {"Power": 56}}  # no zone, and an hour that does not exist
    reading = (await Heard("tasmota_energy", "d").say("tele/d/SENSOR", document))[Quantity.POWER]
    assert reading.time.tzinfo is UTC
    assert abs(reading.time - CLOCK.now()) < timedelta(seconds=5)


@pytest.mark.parametrize(
    ("profile", "topic", "payload", "wh"),
    [
        ("tasmota_energy", "tele/d/SENSOR", {"ENERGY": {"Total": 1.5}}, 1500),  # kWh
        ("shelly_gen1_em", "d/emeter/0/total", "1500", 1500),  # Wh
        ("shelly_gen1_plug", "d/relay/0/energy", "90000", 1500),  # Watt-minutes
        ("openevse", "d/wh", "1500", 1500),  # Wh
        ("zigbee2mqtt_plug", "d", {"energy": 1.5}, 1500),  # kWh
    ],
)
async def test_trap_units_of_energy_are_all_wh_inside(profile: str, topic: str, payload: object, wh: float) -> None:
    heard = await Heard(profile, "d").say(topic, payload)
    assert values(heard) == pytest.approx({"energy_import_wh": wh})


async def test_trap_watt_minutes_since_the_last_message_are_not_taken_for_a_counter() -> None:
    assert await Heard("shelly_gen1_em", "d").say("d/emeter/0/energy", "52") == {}


async def test_trap_kilowatts_and_watts_are_all_w_inside() -> None:
    kilowatts = await Heard("dsmr_reader_json", "j").say(
        "j", {"electricity_currently_delivered": 0.368, "electricity_currently_returned": 0.0}
    )
    watts = Heard("p1_esp8266", "p")
    await watts.say("p/actual_consumption", "368")
    assert values(kilowatts) == pytest.approx(values(await watts.say("p/actual_returndelivery", "0")))


async def test_trap_two_shapes_on_one_topic_each_says_only_its_own() -> None:
    meter = Heard("tasmota_linky_tic", "compteur/tele")
    first, second = samples("tasmota_linky_tic")
    assert values(await meter.hear(first)) == {"power_w": 860, "current_l1_a": 4, "energy_import_wh": 7_970_903}
    assert values(await meter.hear(second)) == {"current_l1_a": 3, "energy_import_wh": 7_970_903}


async def test_trap_two_tariffs_of_a_linky_are_added() -> None:
    heard = await Heard("tasmota_linky_tic", "c").say("c/SENSOR", {"TIC": {"HCHC": "000001000", "HCHP": "000002000"}})
    assert values(heard) == {"energy_import_wh": 3000}


async def test_trap_empty_payload_costs_one_count_and_nothing_else() -> None:
    meter = Heard("zigbee2mqtt_plug", "z")
    assert await meter.say("z", b"") == {}
    assert meter.device.bad_payloads == 1
    assert values(await meter.say("z", {"power": 7})) == {"power_w": 7}


@pytest.mark.parametrize("payload", ['"online"', "online", '{"state":"online"}'])
async def test_trap_two_shapes_of_availability(payload: str) -> None:
    meter = Heard("zigbee2mqtt_plug", "z")
    await meter.say("z/availability", payload, retained=True)
    with pytest.raises(DeviceUnreachable, match="offline"):
        await meter.say("z/availability", payload.replace("online", "offline"))


# ---- parts of one telegram


async def test_parts_of_two_telegrams_are_never_mixed() -> None:
    meter = Heard("p1_esp8266", "p")
    assert await meter.say("p/actual_returndelivery", "500") == {}  # its consumption was lost
    assert await meter.say("p/actual_consumption", "0") == {}
    assert await meter.say("p/actual_consumption", "100") == {}  # its return delivery was lost
    assert values(await meter.say("p/actual_returndelivery", "0")) == {"power_w": 100}


NEVER = "sum{} incomplete, the last power_w: the part {} never came"


async def test_a_part_that_never_comes_is_counted_and_named_telegram_by_telegram() -> None:
    meter = Heard("p1_esp8266", "p")
    for watts in ("100", "110", "120"):
        assert await meter.say("p/actual_consumption", watts) == {}
    assert meter.device.troubles == "2 " + NEVER.format("s", "p/actual_returndelivery")


async def test_a_part_that_never_comes_is_counted_once_the_telegram_s_time_has_passed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("adapters.mqtt.device.TELEGRAM_REAL_S", 0.05)
    meter = Heard("p1_esp8266", "p", expire_after_s=0.2)
    await meter.say("p/actual_consumption", "100")
    assert meter.device.troubles == ""
    with pytest.raises(DeviceUnreachable):
        await meter.device.read()
    assert meter.device.troubles == "1 " + NEVER.format("", "p/actual_returndelivery")


async def test_the_first_part_may_be_the_one_that_never_comes() -> None:
    meter = Heard("dsmr_reader_json", "j")
    await meter.say("j", {"electricity_currently_returned": "0.1"})
    assert meter.device.troubles == "", "the product may have begun to listen in the middle of a telegram"
    await meter.say("j", {"electricity_currently_returned": "0.1"})
    assert meter.device.troubles == "1 " + NEVER.format("", "j electricity_currently_delivered")


async def test_whole_telegrams_and_a_retained_half_of_one_are_no_trouble() -> None:
    meter = Heard("p1_esp8266", "p")
    await meter.say("p/actual_returndelivery", "0", retained=True)
    await meter.say("p/actual_consumption", "90", retained=True)
    for watts in ("100", "110"):
        await meter.say("p/actual_consumption", watts)
        assert values(await meter.say("p/actual_returndelivery", "0")) == {"power_w": float(watts)}
    assert meter.device.troubles == ""


async def test_a_phase_that_is_never_told_is_named_though_the_others_are() -> None:
    meter = Heard("shelly_gen1_3em", "s", expire_after_s=0.05)
    for _ in range(4):
        for phase in (0, 1):
            await meter.say(f"s/emeter/{phase}/power", 100)
        await asyncio.sleep(0.02)
    assert meter.device.troubles == "1 " + NEVER.format("", "s/emeter/2/power")


async def test_phases_that_publish_on_change_are_added_as_last_heard() -> None:
    meter = Heard("shelly_gen1_3em", "s")
    for phase, power in enumerate((100, 200)):
        assert Quantity.POWER not in await meter.say(f"s/emeter/{phase}/power", power)
    assert values(await meter.say("s/emeter/2/power", -50)) == {"power_w": 250, "power_l3_w": -50}
    assert values(await meter.say("s/emeter/0/power", 110)) == {"power_w": 260, "power_l1_w": 110}


async def test_a_sum_of_retained_parts_is_suspect() -> None:
    meter = Heard("p1_esp8266", "p")
    await meter.say("p/actual_consumption", "313", retained=True)
    reading = (await meter.say("p/actual_returndelivery", "0"))[Quantity.POWER]
    assert (reading.quality, reading.reason) == (Quality.SUSPECT, "retained, not yet live")
    assert reading.rule is Rule.STALE_RETAINED


# ---- bursts and repetitions


async def test_a_repeated_message_says_the_same_once_more() -> None:
    meter = Heard("p1_esp8266", "p")
    message = Message("p/l1_voltage", b"233", False)
    assert values(await meter.hear(message, message)) == {"voltage_l1_v": 233}


async def test_after_a_burst_only_the_latest_of_each_topic_counts() -> None:
    meter = Heard("dsmr_reader_topics", "d")
    for number in range(100):
        meter.device._box.put(Message("d/electricity_currently_returned", b"0.0", False))
        meter.device._box.put(Message("d/electricity_currently_delivered", str(number / 100).encode(), False))
        meter.device._box.put(Message("d/electricity_currently_returned", b"0.5", False))
    assert values({r.quantity: r for r in await meter.device.read()}) == pytest.approx({"power_w": 490})
    assert meter.device._box.dropped == 0


# ---- the files


def test_the_schema_for_editors_is_current() -> None:
    kept = (PROFILES / "profile.schema.json").read_text()
    remedy = (
        'python -c "from adapters.mqtt.profile_wire import schema_text; '
        "print(schema_text(), end='')\" > config/devices/mqtt/profile.schema.json"
    )
    assert kept == schema_text(), remedy


@pytest.mark.parametrize("name", profile_names(PROFILES))
def test_every_profile_obeys_its_schema_and_points_editors_to_it(name: str) -> None:
    text = (PROFILES / f"{name}.yaml").read_text()
    jsonschema.validate(YAML(typ="safe").load(text), json.loads(schema_text()))
    assert text.startswith("# yaml-language-server: $schema=profile.schema.json\n")


def test_every_profile_is_fed_a_published_payload_or_named_here() -> None:
    fed = {profile for _, profile, *_ in TABLE}
    elsewhere = {"esphome_plug", "esphome_dsmr", "zigbee2mqtt_temperature", "zigbee2mqtt_thermostat",
                 "grid_limit_json", "shelly_gen2_contact", "mains", "shelly_gen2_mains"}  # fmt: skip
    assert set(profile_names(PROFILES)) == fed | elsewhere
