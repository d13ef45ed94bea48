"""The loop that watches the main meter's wiring: one notification for a mistake, ended when it is mended."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from gateway.model.preferences import Preferences
from gateway.model.quantity import CURRENTS, POWERS, VOLTAGES, Quantity
from gateway.model.site import ChargerSpec, Device, Role, Site
from gateway.model.snapshot import ChargePhase, ChargerStatus, DeviceState, Snapshot
from gateway.runtime.live import Changes
from gateway.runtime.notices import Notices
from gateway.runtime.wiring import LOOK_S, WiringLoop
from tests.fakes import FakeClock, FakeStore

NIGHT = datetime(2026, 11, 21, 22, 0, tzinfo=UTC)
NOON = datetime(2026, 11, 21, 11, 30, tzinfo=UTC)
HOUSE = (700.0, 900.0, 1200.0)


def site(*phases: int) -> Site:
    devices = (
        Device("grid_meter", "Main meter", Role.MAIN_METER),
        Device("roof", "Roof", Role.PV),
        Device("wallbox", "Wallbox", Role.EV_CHARGER, ChargerSpec(phases=phases or (1, 2, 3))),
    )
    return Site("Home", ZoneInfo("Europe/Berlin"), 52.5, 13.4, "EUR", 3, 25.0, devices)


@dataclass
class Scene:
    """A home whose meter's inputs can be wired wrongly: `order` says which input shows grid phase 1, 2, 3."""

    site: Site
    signs: tuple[int, int, int] = (1, 1, 1)
    order: tuple[int, int, int] = (1, 2, 3)
    pv_w: float = 0.0
    car_a: tuple[float, float, float] = (0.0, 0.0, 0.0)
    now: datetime = NIGHT
    online: bool = True
    notices: Notices = field(default_factory=lambda: Notices(FakeStore(), FakeClock(), Changes()))

    def __post_init__(self) -> None:
        self.loop = WiringLoop(self.site, FakeClock(), self.notices, lambda: None)

    def look(self, times: int) -> list[str]:
        for _ in range(times):
            self.loop.look(self.snapshot())
        return sorted(self.notices.open)

    def snapshot(self) -> Snapshot:
        spec = self.site.of_role(Role.EV_CHARGER)[0].spec
        assert isinstance(spec, ChargerSpec)
        true_w = [load + self.pv_w / 3 for load in HOUSE]
        for phase, amps in zip(spec.phases, self.car_a, strict=False):
            true_w[phase - 1] += 230.0 * amps
        values: dict[Quantity, float] = {}
        for phase, seen in enumerate(self.order):
            watts = self.signs[seen - 1] * true_w[phase]
            values |= {POWERS[seen - 1]: watts, VOLTAGES[seen - 1]: 230.0, CURRENTS[seen - 1]: abs(watts) / 225.0}
        values[Quantity.POWER] = sum(values[power] for power in POWERS)
        meter = DeviceState("grid_meter", Role.MAIN_METER, self.online, 0.5, values)
        roof = DeviceState("roof", Role.PV, True, 0.5, {Quantity.POWER: self.pv_w})
        drawn = self.car_a
        car = ChargerStatus("wallbox", ChargePhase.CHARGING, True, current_a=drawn, meter_age_s=3.0)
        return Snapshot(self.now, {"grid_meter": meter, "roof": roof}, {"wallbox": car}, Preferences())


def test_a_turned_transformer_is_told_once_and_ended_when_it_is_mended() -> None:
    scene = Scene(site(), signs=(1, -1, 1))
    assert scene.look(60) == ["wiring turned L2"]
    text = scene.notices.open["wiring turned L2"].text
    assert text.startswith("Check the meter's current transformers: the current transformer on L2 of Main meter")
    assert "`invert_phases: [2]` in devices.grid_meter" in text
    scene.signs = (1, 1, 1)
    assert scene.look(60) == []


def test_right_wiring_by_night_and_export_by_day_are_never_told() -> None:
    scene = Scene(site())
    assert scene.look(60) == []
    sunny = Scene(site(), now=NOON, pv_w=-9000.0)
    assert sunny.look(60) == []


def test_by_day_panels_that_nobody_listed_may_produce() -> None:
    assert Scene(site(), signs=(1, -1, 1), now=NOON).look(60) == []


def test_an_inverter_that_gives_power_by_night_excuses_a_negative_phase() -> None:
    assert Scene(site(), signs=(1, -1, 1), pv_w=-600.0).look(60) == []


@pytest.mark.parametrize(
    ("phases", "order", "cause"),
    [
        ((1,), (2, 1, 3), "wiring moved 1 to 2"),
        ((3,), (2, 3, 1), "wiring moved 3 to 1"),
        ((1,), (1, 2, 3), None),
        ((1, 2, 3), (2, 1, 3), None),  # a car on all phases cannot tell them apart
    ],
)
def test_a_cars_changes_show_which_input_is_which_phase(
    phases: tuple[int, ...], order: tuple[int, int, int], cause: str | None
) -> None:
    scene = Scene(site(*phases), order=order, now=NOON, pv_w=-3000.0)
    for amps in (0.0, 12.0, 0.0, 16.0, 6.0):
        scene.car_a = (amps,) * 3 if len(phases) == 3 else (amps, 0.0, 0.0)
        scene.look(9)
    assert sorted(scene.notices.open) == ([cause] if cause else [])


def test_a_load_that_comes_with_the_car_proves_nothing() -> None:
    scene = Scene(site(1), now=NOON)
    for amps, extra in ((0.0, 0.0), (12.0, -5400.0), (0.0, 0.0), (12.0, -5400.0), (0.0, 0.0)):
        scene.car_a, scene.pv_w = (amps, 0.0, 0.0), extra
        scene.look(9)
    assert scene.notices.open == {}


def test_a_silent_meter_and_a_charger_without_measurements_are_no_evidence() -> None:
    scene = Scene(site(1), signs=(-1, 1, 1), online=False)
    assert scene.look(60) == []
    assert (
        WiringLoop(replace(site(), devices=()), FakeClock(), scene.notices, lambda: None).look(scene.snapshot()) is None
    )


def test_a_notification_from_before_a_restart_ends_when_the_site_file_was_mended() -> None:
    scene = Scene(site())
    scene.notices.later_raise("wiring turned L2", "warning", "from before")
    assert scene.look(5) == ["wiring turned L2"]
    assert scene.look(60) == []


async def test_the_loop_looks_at_the_newest_snapshot_every_few_seconds() -> None:
    clock, scene = FakeClock(), Scene(site(), signs=(1, -1, 1))
    loop = WiringLoop(scene.site, clock, scene.notices, scene.snapshot)
    task = asyncio.create_task(loop.run())
    await clock.advance(60 * LOOK_S)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert list(scene.notices.open) == ["wiring turned L2"]
