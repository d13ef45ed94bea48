"""The grid operator's limit over MQTT: a bridge's JSON, a contact on a Shelly's input."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.assembly import CONFIG, KINDS, wire
from gateway.config import load_site
from gateway.runtime.system_clock import SystemClock
from gateway.web.settings import WebSettings
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


@pytest.mark.parametrize(("heartbeat_s", "patience_s"), [(600, 600.0), (20, 60.0)])
def test_a_box_counts_as_silent_no_sooner_than_its_envelope_says(
    tmp_path: Path, heartbeat_s: int, patience_s: float
) -> None:
    (tmp_path / "home.yaml").write_text(
        "site: {name: H, timezone: Europe/Brussels, latitude: 50, longitude: 4, main_fuse_a: 25, tariff: demo_tou}\n"
        "connections: {broker: {kind: mqtt, host: 127.0.0.1}}\n"
        "devices:\n"
        "  main: {role: main_meter, connection: broker, profile: shelly_gen2_em, topic: main}\n"
        "  box: {role: grid_limit, connection: broker, profile: grid_limit_json, topic: box,"
        f" envelope: {{heartbeat_s: {heartbeat_s}}}}}\n"
    )
    site = load_site(tmp_path / "home.yaml", KINDS, WebSettings)
    wired = wire(site, None, SystemClock(), lambda device, what: None, CONFIG)  # type: ignore[arg-type]
    assert wired.stale_after_s["box"] == patience_s
    assert wired.stale_after_s["main"] == 60.0
    box = next(meter for meter in wired.meters if meter.id == "box")
    assert (
        f"nothing was heard from it for {patience_s:g} s" in box._why_silent() or "not connected" in box._why_silent()
    )
