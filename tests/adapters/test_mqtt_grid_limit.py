"""The grid operator's limit over MQTT: a bridge's JSON, a contact on a Shelly's input."""

from __future__ import annotations

from tests.adapters.mqtt_samples import Heard, values


async def test_a_bridge_tells_all_of_it_in_one_object() -> None:
    said = {"dimmed": True, "import_limit_w": 4200, "export_limit_w": None, "heartbeat": 17}
    heard = values(await Heard("grid_limit_json", "eebus/limit").say("eebus/limit", said))
    assert {name: value for name, value in heard.items() if value is not None} == {
        "dimmed": 1, "import_limit_w": 4200, "heartbeat": 17,
    }  # fmt: skip


async def test_a_contact_on_a_shellys_input_is_heard_when_it_changes_and_when_it_is_asked() -> None:
    box = Heard("shelly_gen2_contact", "shellyplusi4-a8032ab1", channel=1)
    change = {"src": "shellyplusi4-a8032ab1", "method": "NotifyStatus", "params": {"input:1": {"id": 1, "state": True}}}
    assert values(await box.say("shellyplusi4-a8032ab1/events/rpc", change)) == {"dimmed": 1}
    assert values(await box.say("shellyplusi4-a8032ab1/status/input:1", {"id": 1, "state": False})) == {"dimmed": 0}
