"""What devices were told, read back from the words of the audit: the same number as the setpoint itself."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.model.audit import AuditRow
from gateway.model.authority import Authority
from gateway.model.setpoint import Setpoint, SetpointKind
from gateway.runtime.setpoint_history import held, number
from gateway.runtime.tick import describe
from tests.core.homes import SITE
from tests.fakes import START, FakeStore

K = SetpointKind
DEVICES = {device.id: device for device in SITE.devices}
TOLD = {
    "a car on its three phases": ("car", K.CURRENT, 10.0, 0.0, (6900.0, 6900.0)),
    "a tank that is on": ("tank", K.SWITCH, 1.0, 0.0, (1.0, 2000.0)),
    "a tank that is off": ("tank", K.SWITCH, 0.0, 0.0, (0.0, 0.0)),
    "a thermostat": ("heat_pump", K.TEMPERATURE, 21.5, 0.0, (21.5, None)),
    "a fixed battery": ("inverter", K.BATTERY_BAND, -1500.0, -1500.0, (-1500.0, -1500.0)),
    "a free battery": ("inverter", K.BATTERY_BAND, 1500.0, -1500.0, (None, None)),
}


def setpoint(device: str, kind: SetpointKind, value: float, low: float) -> Setpoint:
    return Setpoint(device, kind, value, START, Authority.PLAN, "It is cheap.", low)


@pytest.mark.parametrize("name", TOLD)
async def test_the_words_of_a_command_read_back_as(name: str) -> None:
    device, kind, value, low, expected = TOLD[name]
    told, store = setpoint(device, kind, value, low), FakeStore()
    await store.append(AuditRow(START, "commanded", device, describe(told)))
    found = await held(store, SITE, SITE.devices, {}, START, START + timedelta(hours=1))
    (row,) = found[device]
    assert (row.start, row.end) == (START, START + timedelta(hours=1))
    assert (row.value, row.power_w) == number(SITE, DEVICES[device], told) == expected


async def test_a_device_without_any_row_was_told_all_the_time_what_it_is_told_now() -> None:
    now = START + timedelta(hours=1)
    one_phase = replace(setpoint("car", K.CURRENT, 10.0, 0.0), phases=1)
    found = await held(FakeStore(), SITE, SITE.devices, {"car": one_phase}, START, now)
    assert [(x.start, x.end, x.power_w) for x in found["car"]] == [(START, now, 2300.0)]


async def test_other_words_about_a_device_change_nothing() -> None:
    store, now = FakeStore(), START + timedelta(hours=1)
    limit = replace(setpoint("inverter", K.PV_LIMIT, 50.0, 0.0))
    for row in (
        AuditRow(START, "commanded", "inverter", describe(setpoint("inverter", K.BATTERY_BAND, 900.0, 900.0))),
        AuditRow(START + timedelta(minutes=5), "commanded", "inverter", describe(limit)),
        AuditRow(START + timedelta(minutes=6), "confirmed", "inverter", "it draws 900 W"),
    ):
        await store.append(row)
    found = await held(store, SITE, SITE.devices, {}, START, now)
    assert [(x.start, x.end, x.power_w) for x in found["inverter"]] == [(START, now, 900.0)]
