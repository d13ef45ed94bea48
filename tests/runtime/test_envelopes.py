"""The grid operator's limit in the living home: from a contact or a bridge to the car, over silence and restarts."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from adapters.pushed.device import PushedDevice
from adapters.pushed.settings import PushedDeviceSettings
from gateway.core.metering.freeze import Wishes
from gateway.model.envelope import Counts, EnvelopePhase, EnvelopeSpec
from gateway.model.errors import WishRefused
from gateway.model.quantity import Quantity as Q
from gateway.model.setpoint import LimitKind
from gateway.model.site import Device, Role
from gateway.runtime.envelopes import Envelopes
from tests.core.homes import SITE
from tests.fakes import FakeClock, FakeStore
from tests.runtime.fakes_devices import NOW_CHARGING, FakeCharger, Rig, reading

TOKEN = "a token of the bridge's"


def home(
    spec: EnvelopeSpec | None = None, store: FakeStore | None = None, clock: FakeClock | None = None
) -> tuple[Rig, Envelopes, FakeCharger]:
    """A home with a car that charges now and an envelope `grid`, told through a bridge."""
    device = Device("grid_box", "Control box", Role.GRID_LIMIT, spec or EnvelopeSpec())
    site = replace(SITE, devices=(*SITE.devices, device))
    car = FakeCharger()
    rig = Rig(
        site=site,
        chargers={"car": car},
        store=store or FakeStore(),
        wishes=Wishes(NOW_CHARGING),
        clock=clock or FakeClock(),
    )
    door = PushedDevice(device, PushedDeviceSettings(token=TOKEN), rig.clock)
    envelopes = Envelopes(
        site, rig.clock, rig.store, rig.notices, rig.state, lambda: rig.tick.last, lambda what: rig.tick.hurry(),
        {"grid_box": door},
    )  # fmt: skip
    rig.tick.wishes = lambda: Wishes(NOW_CHARGING, envelopes.in_force())
    return rig, envelopes, car


def contact(rig: Rig, closed: bool) -> None:
    rig.state.take(reading("grid_box", Q.DIMMED, float(closed), rig.clock.now()))


async def seconds(rig: Rig, count: int, closed: bool | None = None) -> None:
    """So many seconds; the contact speaks each of them unless it is dead (None)."""
    for _ in range(count):
        if closed is not None:
            contact(rig, closed)
        await rig.run(1)


async def test_a_contact_that_closes_limits_the_meter_within_seconds_and_frees_it_again() -> None:
    rig, _, car = home()
    await seconds(rig, 30, closed=False)
    assert car.amps == 16.0
    await seconds(rig, 3, closed=True)
    assert car.amps * 690 + rig.house_a * 690 <= 4_200
    await seconds(rig, 30, closed=True)
    assert "at most 4.2 kW" in rig.notices.open["envelope grid_box"].text
    await seconds(rig, 60, closed=False)
    assert car.amps == 16.0 and "envelope grid_box" not in rig.notices.open


async def test_a_contact_that_falls_silent_means_the_safe_value_and_says_what_to_check() -> None:
    rig, envelopes, car = home(EnvelopeSpec(failsafe_w=5_000, heartbeat_s=120))
    await seconds(rig, 30, closed=False)
    await seconds(rig, 115)
    assert envelopes.states["grid_box"].phase is EnvelopePhase.UNLIMITED
    await seconds(rig, 10)
    assert envelopes.states["grid_box"].phase is EnvelopePhase.FAILSAFE and car.amps * 690 <= 5_000
    open_now = rig.notices.open["envelope grid_box"]
    assert open_now.level == "warning" and "Check the contact" in open_now.text
    await seconds(rig, 3, closed=False)
    assert envelopes.states["grid_box"].phase is EnvelopePhase.UNLIMITED


async def test_a_wire_that_opens_to_dim_dims_when_it_breaks() -> None:
    rig, envelopes, _ = home(EnvelopeSpec(inverted=True))
    await seconds(rig, 5, closed=True)
    assert not envelopes.in_force()
    await seconds(rig, 2, closed=False)
    assert [limit.value for limit in envelopes.in_force()] == [4_200]


async def test_a_restart_keeps_the_limit_until_it_is_heard_otherwise() -> None:
    store = FakeStore()
    rig, _, _ = home(store=store)
    await seconds(rig, 5, closed=True)
    again, envelopes, _ = home(store=store, clock=FakeClock(rig.clock.now() + timedelta(seconds=2)))
    await envelopes.resume()
    assert envelopes.states["grid_box"].phase is EnvelopePhase.LIMITED
    assert [limit.value for limit in envelopes.in_force()] == [4_200]
    await seconds(again, 2, closed=False)
    assert not envelopes.in_force()


async def test_what_a_bridge_says_is_on_the_disk_before_it_is_answered_and_ends_by_itself() -> None:
    rig, envelopes, _ = home()
    words = await envelopes.tell("grid_box", active=True, import_w=6_000, export_w=2_000, duration_s=60)
    assert words == "limited by the grid operator"
    kept = await rig.store.get("envelopes")
    assert kept is not None and kept["grid_box"]["import_w"] == 6_000
    found = {limit.kind: limit.value for limit in envelopes.in_force()}
    assert found == {LimitKind.SITE_IMPORT: 6_000, LimitKind.SITE_EXPORT: 2_000}
    await rig.run(61)
    assert not envelopes.in_force()


async def test_a_bridge_needs_its_token_and_a_name_that_exists() -> None:
    _, envelopes, _ = home()
    assert envelopes.admits("grid_box", TOKEN)
    assert not envelopes.admits("grid_box", "another one, just as long") and not envelopes.admits("car", TOKEN)
    with pytest.raises(WishRefused, match="grid_box"):
        await envelopes.tell("nobody", active=True, import_w=None, export_w=None, duration_s=None)


async def test_a_heartbeat_that_does_not_change_is_no_sign_of_life() -> None:
    rig, envelopes, _ = home()
    for beat in range(200):
        rig.state.take(reading("grid_box", Q.DIMMED, 0.0, rig.clock.now()))
        rig.state.take(reading("grid_box", Q.HEARTBEAT, float(min(beat, 20)), rig.clock.now()))
        await rig.run(1)
    assert envelopes.states["grid_box"].phase is EnvelopePhase.FAILSAFE


async def test_where_only_controllable_devices_count_the_household_comes_on_top() -> None:
    rig, envelopes, _ = home(EnvelopeSpec(counts=Counts.DEVICES))
    rig.house_a = 4.0
    await seconds(rig, 10, closed=True)
    (limit,) = envelopes.in_force()
    assert limit.value == pytest.approx(4_200 + 4 * 690, abs=60)
    assert "controllable devices" in limit.reason


async def test_a_limit_of_before_does_not_come_back_with_the_next_one() -> None:
    """Wrong before: an export limit told with the first came back with the second, which told none."""
    rig, envelopes, _ = home()

    async def say(**told: float) -> None:
        for quantity, value in told.items():
            rig.state.take(reading("grid_box", Q(quantity), value, rig.clock.now()))
        await rig.run(1)

    await say(dimmed=1.0, export_limit_w=0.0)
    assert [limit.kind for limit in envelopes.in_force()] == [LimitKind.SITE_EXPORT]
    await say(dimmed=0.0)
    assert not envelopes.in_force()
    await say(dimmed=1.0, import_limit_w=2_000.0)
    assert [(limit.kind, limit.value) for limit in envelopes.in_force()] == [(LimitKind.SITE_IMPORT, 2_000)]
