"""The pool's pump and the dishwasher of the simulated home, and their relays."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from firmware_sim.physics.home import Home
from firmware_sim.physics.machines import Dishwasher
from firmware_sim.physics.replay import Replay, load_data
from firmware_sim.relay import Relay, parser

NOW = datetime(2026, 11, 21, 17, 20, tzinfo=UTC)


def home() -> Home:
    return Home(NOW, 1, Replay(1, load_data()))


def test_the_pump_draws_while_its_relay_is_closed_and_is_metered():
    house = home()
    before = house.state()
    house.set({"pool_rated_w": 900, "pool_on": True})
    house.advance(NOW + timedelta(hours=1))
    after = house.state()
    assert (before["pool_w"], after["pool_w"]) == (0, 900)
    assert after["pool_energy_wh"] - before["pool_energy_wh"] == pytest.approx(900)
    assert house.report()["pool_wh"] == pytest.approx(900)


def test_the_dishwasher_begins_when_its_plug_gets_power_again_and_runs_its_programme_once():
    house = home()
    house.advance(NOW + timedelta(hours=1))
    assert house.report()["dishwasher_wh"] == 0, "a plug that is closed already starts nothing"
    house.set({"dishwasher_on": False})
    house.set({"dishwasher_on": True})
    house.advance(NOW + timedelta(hours=2))
    assert house.state()["dishwasher_w"] > 0
    house.advance(NOW + timedelta(hours=6))
    assert house.state()["dishwasher_w"] == 0
    assert 900 < house.report()["dishwasher_wh"] < 1_500


def test_a_dishwasher_that_is_cut_off_goes_on_where_it_was():
    machine = Dishwasher()
    machine.plug(closed=False)
    machine.plug(closed=True)
    machine.step(600)
    machine.plug(closed=False)
    machine.step(9_999)
    assert machine.power_w() == 0
    machine.plug(closed=True)
    assert machine.ran_s == 600 and machine.power_w() > 1_000


@pytest.mark.parametrize(
    ("name", "order", "probe"),
    [("tank", "relay_on", True), ("pool", "pool_on", False), ("dishwasher", "dishwasher_on", False)],
)
def test_each_relay_has_its_own_contact_and_only_the_tanks_a_probe(name, order, probe):
    relay = Relay(f"shellyplus1pm-{name}", load=name)
    assert relay.order == order and ("temperature:100" in relay.status()) is probe


def test_the_options_name_what_hangs_on_it():
    args = parser().parse_args(
        ["--hub", "1", "--broker-port", "2", "--name", "pool", "--power", "800",
         "--home-epoch", NOW.isoformat(), "--real-epoch", "0", "--speed", "1"]
    )  # fmt: skip
    assert (args.name, args.power, args.prefix) == ("pool", 800.0, None)
