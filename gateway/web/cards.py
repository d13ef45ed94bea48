"""The cards of the pages: devices, chargers, events, each in words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta

from gateway.model.authority import Authority
from gateway.model.dr import EventPhase, EventRecord, OptState
from gateway.model.plan import IntentKind
from gateway.model.session import EvSession
from gateway.model.setpoint import Override
from gateway.model.site import Device, Role
from gateway.model.snapshot import ChargePhase, ChargerStatus
from gateway.runtime.words import local_time
from gateway.web.dr import asks, event_time, is_information, is_understood
from gateway.web.picture import FLOWS_FROM_W, device_figure
from gateway.web.state import charger_status, device_out
from gateway.web.view import HomeView
from gateway.web.wire import DeviceOut
from gateway.web.words import ROLE_WORDS, age, co2, countdown, money, saving, span, watt_hours, watts

CONTROLLED = (Role.EV_CHARGER, Role.WATER_HEATER, Role.HEAT_PUMP)
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
class Waiting:
    """The signature card: the car waits; until when, why, what it saves, and Override."""

    title: str
    why: str
    saves: str
    ready: str
    event: str
    minutes: int


@dataclass(frozen=True, slots=True)
class ChargerCard:
    """One charge point for the owner."""

    id: str
    name: str
    status: str
    why: str
    phase: str
    plugged: bool
    power: str
    session: str
    soc: str
    limit: str
    mode: str
    ready_by: str
    target_kwh: str
    waiting: Waiting | None
    overridden: str


def charger_card(home: HomeView, device: Device) -> ChargerCard:
    """What one charger does, why, and what may be wished of it."""
    status = charger_status(home.snapshot(), device.id)
    setpoint = home.setpoints().get(device.id)
    wish = home.preferences().charging_of(device.id)
    running = _override(home, device)
    plugged = status is not None and status.phase in (ChargePhase.PLUGGED, ChargePhase.CHARGING)
    zone, now = home.site.timezone, home.clock.now()
    return ChargerCard(
        device.id,
        device.name,
        _status(home, device, status),
        setpoint.reason if setpoint and plugged else "",
        status.phase.value if status else "offline",
        plugged,
        watts(status.power_w if status else None),
        watt_hours(status.session_wh) if status and plugged else "–",
        f"{status.soc_percent:.0f} %" if status and status.soc_percent is not None else "–",
        f"{setpoint.value:.0f} A" if setpoint else "–",
        wish.mode.value,
        f"{wish.ready_by:%H:%M}",
        f"{wish.target_wh / 1000:g}",
        _waiting(home, device, status),
        f"Your override ({running.action}) holds until {local_time(running.end, now, zone)}." if running else "",
    )


def _status(home: HomeView, device: Device, status: ChargerStatus | None) -> str:
    if status is None or not status.connected:
        return "The charger is not connected to Hearth. It keeps its own safe limit until it comes back."
    if status.phase is ChargePhase.FAULTED:
        return "The charger reports a fault. Look at its display, then unplug and plug in again."
    if status.phase is ChargePhase.AVAILABLE:
        return "No car is plugged in."
    now, zone = home.clock.now(), home.site.timezone
    plan = home.plan()
    block, later = (plan.block(device.id, now), plan.next_block(device.id, now)) if plan else (None, None)
    if status.phase is ChargePhase.CHARGING and (status.power_w or 0) > 100:
        if block is not None:
            left = countdown((block.end - now).total_seconds()).removeprefix("in ")
            return f"Charging with {watts(status.power_w)}, planned for another {left}."
        return f"Charging with {watts(status.power_w)}."
    if later is not None:
        at = local_time(later.start, now, zone)
        return f"Plugged in and waiting; charging starts at {at}, {countdown((later.start - now).total_seconds())}."
    return "Plugged in, taking no power."


def _waiting(home: HomeView, device: Device, status: ChargerStatus | None) -> Waiting | None:
    setpoint, plan, now = home.setpoints().get(device.id), home.plan(), home.clock.now()
    if status is None or status.phase is not ChargePhase.PLUGGED or setpoint is None or setpoint.value > 0:
        return None
    if setpoint.authority is Authority.OWNER_OVERRIDE:
        return None
    block, later = (plan.block(device.id, now), plan.next_block(device.id, now)) if plan else (None, None)
    start = later.start if later else setpoint.until
    known = block is not None and block.kind is IntentKind.HOLD
    micro, grams = (block.alternative_cost_micro, block.alternative_co2_g) if block and known else (None, None)
    saves = saving(micro, grams, home.site.currency)
    wish = home.preferences().charging_of(device.id)
    at = local_time(start, now, home.site.timezone)
    event = setpoint.source if any(r.event.id == setpoint.source for r in home.event_records()) else ""
    return Waiting(
        f"Paused until {at}",
        setpoint.reason,
        f"Waiting {saves}." if saves else "",
        f"Still planned to be ready by {wish.ready_by:%H:%M}.",
        event,
        _minutes_until_ready(home, wish.ready_by),
    )


def _minutes_until_ready(home: HomeView, ready_by: time) -> int:
    """From now to the departure, at most four hours: an override should not outlive the evening."""
    now = home.clock.now().astimezone(home.site.timezone)
    ready = datetime.combine(now.date(), ready_by, home.site.timezone)
    ready = ready if ready > now else ready + timedelta(days=1)
    return int(min(240, max(1, (ready - now).total_seconds() // 60)))


def _override(home: HomeView, device: Device) -> Override | None:
    snapshot = home.snapshot()
    overrides = snapshot.overrides if snapshot else ()
    return next((o for o in overrides if o.device == device.id and o.end > home.clock.now()), None)


@dataclass(frozen=True, slots=True)
class SessionRow:
    """One charging session."""

    charger: str
    when: str
    energy: str
    lasted: str
    stop: str


def session_row(home: HomeView, session: EvSession) -> SessionRow:
    """A row of the ledger in local time."""
    now, zone = home.clock.now(), home.site.timezone
    device = home.site.device(session.charger)
    started = session.start.astimezone(zone)
    lasted = int(((session.end or now) - session.start).total_seconds() // 60)
    return SessionRow(
        device.name if device else session.charger,
        f"{started:%a %d %b %H:%M}",
        watt_hours(session.energy_wh),
        f"{lasted // 60} h {lasted % 60:02d} min" if lasted >= 60 else f"{lasted} min",
        session.stop_reason if session.end else "under way",
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
        record.event.id,
        record.event.name or "Event without a name",
        home.program_name(record.event.program),
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
