"""The cards of the pages: devices and the next change, each in words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from gateway.model.site import Role
from gateway.runtime.words import local_time
from gateway.web.picture import FLOWS_FROM_W, device_figure
from gateway.web.state import device_out
from gateway.web.view import HomeView
from gateway.web.wire import DeviceOut
from gateway.web.words import ROLE_WORDS, age, co2, countdown, money, saving

CONTROLLED = (Role.EV_CHARGER, Role.WATER_HEATER, Role.HEAT_PUMP, Role.POOL_PUMP, Role.APPLIANCE)
EXTRA = (("soc_percent", "charged"), ("temperature_c", ""), ("target_temperature_c", "target"))


@dataclass(frozen=True, slots=True)
class DeviceCard:
    """One configured device: its figure, what it does and why; grey with its age when silent."""

    id: str
    name: str
    role: str
    online: bool
    figure: str
    extra: str
    reason: str
    authority: str


def device_cards(home: HomeView) -> list[DeviceCard]:
    """Every configured device, in the order of the site file."""
    setpoints = home.setpoints()
    cards = []
    for device in home.site.devices:
        shown, setpoint = device_out(home, device), setpoints.get(device.id)
        power = shown.values.get("power_w")
        extra = [_way(device.role, power.value)] if power and abs(power.value) > FLOWS_FROM_W else []
        extra += [_phases(home, shown)] if device.role is Role.MAIN_METER else []
        extra += [f"{v.value:.0f} {v.unit} {w}".strip() for key, w in EXTRA if (v := shown.values.get(key))]
        cards.append(
            DeviceCard(
                device.id,
                device.name,
                ROLE_WORDS[device.role] if power or device.role is not Role.SUB_METER else "Sensor",
                shown.online,
                device_figure(shown),
                ", ".join(word for word in extra if word) if shown.online else age(shown.age_s),
                (setpoint.reason if setpoint else "") if shown.online else shown.reason,
                setpoint.authority.words if setpoint and shown.online else "",
            )
        )
    return cards


def _phases(home: HomeView, shown: DeviceOut) -> str:
    """Currents per phase against the fuse, for whoever looks for the one that is full."""
    amps = [v.value for n in (1, 2, 3) if (v := shown.values.get(f"current_l{n}_a"))]
    each = " · ".join(f"{value:.0f}" for value in amps)
    return f"{each} A of {home.site.main_fuse_a:g} A per phase" if amps else ""


def _way(role: Role, power_w: float) -> str:
    if role is Role.MAIN_METER:
        return "buying" if power_w > 0 else "selling"
    return "using" if power_w > 0 else "giving"


@dataclass(frozen=True, slots=True)
class ChangeCard:
    """The next change: when, what, what it saves, and the override that refuses it."""

    at: datetime
    when: str
    countdown: str
    text: str
    saves: str
    device: str
    refuse: str
    button: str
    minutes: int


def change_card(home: HomeView) -> ChangeCard | None:
    """The next change the plan intends, or None."""
    change = home.next_change()
    if change is None:
        return None
    now = home.clock.now()
    device = home.site.device(change.device)
    car = device is not None and device.role is Role.EV_CHARGER
    words = {"run": "Override: charge now" if car else "Run now instead", "pause": "Don't start", "": ""}
    # Refusing a start must outlast it; running instead of waiting lasts until it would have started.
    left = (change.at - now).total_seconds() / 60
    minutes = left + 120 if change.refuse == "pause" else max(left, 60)
    return ChangeCard(
        change.at,
        local_time(change.at, now, home.site.timezone),
        countdown((change.at - now).total_seconds()),
        # The page has said it in its headline already.
        change.text if change.text != home.headline() else f"{device.name if device else ''} starts charging.",
        saving(change.saves_micro, change.saves_co2_g, home.site.currency),
        change.device,
        change.refuse,
        words.get(change.refuse, "Refuse"),
        int(min(1440, max(1, minutes))),
    )


def plan_sentence(home: HomeView) -> str:
    """What the plan of the day costs against doing nothing clever."""
    plan = home.plan()
    if plan is None:
        return "There is no plan yet; the first is made within a minute of the first meter reading."
    saved = plan.reference_cost_micro - plan.cost_micro
    gain = f", {money(saved, home.site.currency)} less than without a plan" if saved >= 5000 else ""
    hours = round(sum(slot.duration_s for slot in plan.slots) / 3600)
    return f"The next {hours} hours cost about {money(plan.cost_micro, home.site.currency)}{gain}; {co2(plan.co2_g)}."
