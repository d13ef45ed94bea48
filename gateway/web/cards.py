"""The cards of the pages: devices, chargers, events, each in words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from gateway.model.dr import EventPhase, EventRecord, OptState
from gateway.model.site import Role
from gateway.runtime.words import local_time
from gateway.web.dr import asks, event_time, is_information, is_understood
from gateway.web.picture import FLOWS_FROM_W, device_figure
from gateway.web.state import device_out
from gateway.web.view import HomeView
from gateway.web.wire import DeviceOut
from gateway.web.words import ROLE_WORDS, age, co2, countdown, money, saving, span, watt_hours

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


@dataclass(frozen=True, slots=True)
class EventCard:
    """One event: when, who asks, what, what it means, where the home stands, and what came of it."""

    id: str
    name: str
    who: str
    when: str
    countdown: str
    phase: str
    asks: str
    means: str
    opt: str
    opt_reason: str
    may_join: bool
    may_skip: bool
    information: bool
    test: bool
    delivered: str
    earned: str


PHASE_ORDER = (EventPhase.ACTIVE, EventPhase.UPCOMING, EventPhase.ENDED, EventPhase.CANCELLED)
OPT_WORDS = {
    OptState.UNDECIDED: "Waits for you",
    OptState.JOINED: "Joined",
    OptState.SKIPPED: "Skipped",
    OptState.BINDING: "Binding",
}
MEANING = {
    OptState.UNDECIDED: "Nothing happens unless you join.",
    OptState.JOINED: "Your comfort band and the car's departure still hold.",
    OptState.SKIPPED: "The home carries on as planned without it.",
    OptState.BINDING: "You agreed to this program: comfort and departure give way for its duration. The fuse always holds.",
}

INFORMATION_MEANING = "It asks nothing of you; the plan counts with it."
UNUSED_MEANING = "Nothing changes in your home."
UNUSED_PRICES = "cannot be used"
"""What the reason says of prices without a unit or value."""


def event_cards(home: HomeView) -> list[EventCard]:
    """Active first, then what comes, then what was (newest first)."""
    timed = [(event_time(home, record), record) for record in home.event_records()]
    cards: list[EventCard] = []
    for phase in PHASE_ORDER:
        mine = [(t, r) for t, r in timed if t.phase is phase]
        mine.sort(key=lambda item: item[0].start or item[1].first_seen, reverse=phase is not EventPhase.UPCOMING)
        cards += [_event_card(home, record) for _, record in mine]
    return cards


def _event_card(home: HomeView, record: EventRecord) -> EventCard:
    when, now, opt = event_time(home, record), home.clock.now(), record.opt
    information = is_information(record)
    under_way = when.phase in (EventPhase.ACTIVE, EventPhase.UPCOMING)
    # Reports count what is not understood as not done, whatever was chosen; so there is nothing to choose.
    known = is_understood(record)
    unused = not known or (information and UNUSED_PRICES in record.opt_reason)
    open_choice = under_way and opt is not OptState.BINDING and not information and known
    until = {EventPhase.UPCOMING: when.start, EventPhase.ACTIVE: when.end}.get(when.phase)
    word = "starts" if when.phase is EventPhase.UPCOMING else "ends"
    return EventCard(
        record.key,
        record.event.name or "Event without a name",
        home.program_name(record.event.program_key),
        span(when.start, when.end, now, home.site.timezone) if when.start else "no time stated",
        f"{word} {countdown((until - now).total_seconds())}" if until else "",
        when.phase.value,
        asks(home, record),
        _means(opt, information, unused) if under_way else "",
        "For information" if information else OPT_WORDS[opt] if known else "Not understood",
        "" if information and not unused else record.opt_reason,
        open_choice and opt is not OptState.JOINED,
        open_choice and opt is not OptState.SKIPPED,
        information,
        record.event.test,
        _delivered(record),
        money(record.earned_micro, home.site.currency) if record.earned_micro is not None else "",
    )


def _means(opt: OptState, information: bool, unused: bool) -> str:
    if unused:
        return UNUSED_MEANING
    return INFORMATION_MEANING if information else MEANING[opt]


def _delivered(record: EventRecord) -> str:
    """What the controlled devices delivered with its error, and the whole home's figure with its 80 % interval."""
    if record.delivered_wh is None:
        return ""
    words = f"{watt_hours(record.delivered_wh)} {'less' if record.delivered_wh >= 0 else 'more'} than without the event"
    if record.delivered_low_wh is not None and record.delivered_high_wh is not None:
        words += f" by the controlled devices ({_kwh_range(record.delivered_low_wh, record.delivered_high_wh)})"
    low, high = record.home_delivered_low_wh, record.home_delivered_high_wh
    if record.home_delivered_wh is None or low is None or high is None:
        return words
    return f"{words}; {watt_hours(record.home_delivered_wh)} by the whole home (80 % sure: {_kwh_range(low, high)})"


def _kwh_range(low_wh: float, high_wh: float) -> str:
    return f"{low_wh / 1000:.1f} to {high_wh / 1000:.1f} kWh"


def plan_sentence(home: HomeView) -> str:
    """What the plan of the day costs against doing nothing clever."""
    plan = home.plan()
    if plan is None:
        return "There is no plan yet; the first is made within a minute of the first meter reading."
    saved = plan.reference_cost_micro - plan.cost_micro
    gain = f", {money(saved, home.site.currency)} less than without a plan" if saved >= 5000 else ""
    hours = round(sum(slot.duration_s for slot in plan.slots) / 3600)
    return f"The next {hours} hours cost about {money(plan.cost_micro, home.site.currency)}{gain}; {co2(plan.co2_g)}."
