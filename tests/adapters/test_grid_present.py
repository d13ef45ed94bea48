"""Whether the public grid is there, as devices tell it: states of an inverter's register, a contact over MQTT."""

from __future__ import annotations

import pytest

from adapters.modbus.block_reader import decode_register
from adapters.modbus.planner import Block
from gateway.model.preferences import Preferences
from gateway.model.quantity import Quantity as Q
from gateway.model.site import Role
from gateway.model.snapshot import DeviceState, GridState, Snapshot
from tests.adapters.mqtt_samples import Heard, values
from tests.adapters.shipped import shipped
from tests.fakes import START


def told(profile: str, raw: int) -> float | None:
    """What a shipped profile makes of the raw number in its register of the grid."""
    (register,) = [each for each in shipped(profile).registers if each.quantity is Q.GRID_PRESENT]
    block = Block(register.function, register.address, 1, (register,))
    return decode_register(register, block, [raw & 0xFFFF]).value


@pytest.mark.parametrize(
    ("raw", "present"),
    [(0, None), (1, 1), (2, 0), (3, 1), (240, 0), (7, None), (-1, None)],
    ids=["not known", "grid", "generator", "shore", "inverting", "a later one", "not available"],
)
def test_a_victron_tells_of_the_grid_by_its_active_ac_input(raw: int, present: float | None) -> None:
    """D-Bus path /Ac/ActiveIn/Source of com.victronenergy.system; register 826 of the CCGX Modbus-TCP register list."""
    assert told("victron_energy", raw) == present


@pytest.mark.parametrize(
    ("raw", "present"),
    [(0, None), (1, 0), (2, 1), (3, None), (4, None)],
    ids=["no emergency power", "active", "not active", "not available", "motor switch"],
)
def test_an_e3dc_tells_of_the_grid_by_its_emergency_power(raw: int, present: float | None) -> None:
    """Register 40084 of E3/DC's Modbus/TCP interface, simple mode."""
    assert told("e3dc", raw) == present


@pytest.mark.parametrize(
    ("payload", "present"),
    [("true", 1), ("false", 0), ("1", 1), ("0", 0), ("on", 1), ("OFF", 0), ("lost", 0), ("perhaps", None)],
)
async def test_an_mqtt_boolean_tells_of_the_grid(payload: str, present: float | None) -> None:
    heard = values(await Heard("mains", "house/mains").say("house/mains", payload))
    assert heard == {"grid_present": present}


async def test_a_shellys_input_behind_a_mains_relay_tells_of_the_grid() -> None:
    box = Heard("shelly_gen2_mains", "shellyplusi4-a8032ab1", channel=1)
    change = {
        "src": "shellyplusi4-a8032ab1",
        "method": "NotifyStatus",
        "params": {"input:1": {"id": 1, "state": False}},
    }
    assert values(await box.say("shellyplusi4-a8032ab1/events/rpc", change)) == {"grid_present": 0}
    answer = {"id": 1, "state": True}
    assert values(await box.say("shellyplusi4-a8032ab1/status/input:1", answer)) == {"grid_present": 1}


@pytest.mark.parametrize(("present", "state"), [(1.0, GridState.PRESENT), (0.0, GridState.LOST)])
def test_what_a_contact_tells_is_the_state_of_the_grid(present: float, state: GridState) -> None:
    """The contact is a sub-meter without power: it counts in no sum."""
    contact = DeviceState("mains", Role.SUB_METER, True, 1.0, {Q.GRID_PRESENT: present})
    meter = DeviceState("meter", Role.MAIN_METER, True, 1.0, {Q.POWER: 500.0})
    shot = Snapshot(START, {"mains": contact, "meter": meter}, {}, Preferences())
    assert shot.grid is state and shot.house_w() == 500.0
