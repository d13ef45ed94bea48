"""The drawing of the home: what each thing does now, in figures, words, and the thickness of its line."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from math import sqrt

from gateway.model.site import Role
from gateway.model.snapshot import ChargePhase, Snapshot
from gateway.runtime.words import local_time
from gateway.web.state import HEAT, state_of
from gateway.web.view import HomeView
from gateway.web.wire import DeviceOut, StateOut
from gateway.web.words import age, co2, money, watts

FLOWS_FROM_W = 15.0
FULL_WIDTH_W = 11_000.0
BATTERIES = (Role.BATTERY, Role.HYBRID_INVERTER)
SUNS = (Role.PV, Role.HYBRID_INVERTER)
PLACES = {
    "sun": (180, 56),
    "grid": (52, 190),
    "house": (180, 192),
    "battery": (308, 190),
    "car": (96, 336),
    "heat": (264, 336),
}


@dataclass(frozen=True, slots=True)
class Node:
    """One thing in the drawing. `state` is "on", "off" (hollow) or "silent" (grey, with its age in `word`).

    `toward` says whether power flows to the house ("in"), from it ("out") or not ("none"); `width` of the line in px.
    """

    key: str
    name: str
    figure: str
    word: str
    state: str
    toward: str
    width: float
    x: int
    y: int


def picture(home: HomeView, state: StateOut) -> list[Node]:
    """The things this home has, the house last."""
    snapshot = home.snapshot()
    nodes = []
    if home.site.of_role(*SUNS):
        nodes.append(_node("sun", "Sun", state.pv_w, _sun_word(state), _silent(home, state, SUNS)))
    nodes.append(
        _node("grid", "Grid", state.grid_w, _grid_word(state.grid_w), _silent(home, state, (Role.MAIN_METER,)))
    )
    if home.site.of_role(*BATTERIES):
        nodes.append(
            _node("battery", "Battery", state.battery_w, _battery_word(state), _silent(home, state, BATTERIES))
        )
    if home.site.of_role(Role.EV_CHARGER):
        silent = _silent(home, state, (Role.EV_CHARGER,))
        nodes.append(_node("car", "Car", state.car_w, _car_word(snapshot), silent))
    if home.site.of_role(*HEAT):
        cools = snapshot is not None and snapshot.plan is not None and bool(snapshot.plan.cooling)
        busy = "running" if cools else "heating"
        word = busy if (state.heat_w or 0) > FLOWS_FROM_W else "resting"
        nodes.append(_node("heat", "Heat", state.heat_w, word, _silent(home, state, HEAT)))
    # What the house uses cannot be told while the main meter is silent: it is the remainder.
    nodes.append(_node("house", "House", state.house_w, "uses", "" if state.house_w is not None else "not known"))
    return nodes


def _node(key: str, name: str, power_w: float | None, word: str, silent: str) -> Node:
    x, y = PLACES[key]
    if silent or power_w is None:
        return Node(key, name, "–", silent or "not known", "silent", "none", 0.0, x, y)
    flows = abs(power_w) >= FLOWS_FROM_W
    produces = power_w < 0 or (key == "grid" and power_w > 0)
    toward = "none" if not flows else "in" if produces and not (key == "grid" and power_w < 0) else "out"
    width = round(2 + 8 * sqrt(min(abs(power_w), FULL_WIDTH_W) / FULL_WIDTH_W), 1) if flows else 0.0
    # A few watts of noise around zero are no flow.
    figure = watts(power_w if flows else 0.0)
    return Node(key, name, figure, word, "on" if flows or key == "house" else "off", toward, width, x, y)


def _silent(home: HomeView, state: StateOut, roles: tuple[Role, ...]) -> str:
    devices = [state.devices[device.id] for device in home.site.of_role(*roles)]
    return "" if any(device.online for device in devices) or not devices else _age_word(devices[0])


def _age_word(device: DeviceOut) -> str:
    return age(device.age_s)


def _sun_word(state: StateOut) -> str:
    return "gives" if (state.pv_w or 0) < -FLOWS_FROM_W else "down"


def _grid_word(grid_w: float | None) -> str:
    if grid_w is None or abs(grid_w) < FLOWS_FROM_W:
        return "in balance"
    return "buying" if grid_w > 0 else "selling"


def _battery_word(state: StateOut) -> str:
    power = state.battery_w or 0.0
    verb = "charging" if power > FLOWS_FROM_W else "feeding" if power < -FLOWS_FROM_W else "resting"
    return verb if state.soc_percent is None else f"{state.soc_percent:.0f} % {verb}"


def _car_word(snapshot: Snapshot | None) -> str:
    phases = [charger.phase for charger in snapshot.chargers.values()] if snapshot else []
    if ChargePhase.CHARGING in phases:
        return "charging"
    return "waiting" if ChargePhase.PLUGGED in phases else "not here"


def live_document(home: HomeView) -> str:
    """What an open page updates in place, and a key that changes when its cards should be fetched anew."""
    state = state_of(home)
    nodes = [asdict(node) for node in picture(home, state)]
    zone = home.site.timezone
    document = {
        "time": local_time(state.home_time, state.home_time, zone),
        "headline": state.headline,
        "nodes": nodes,
        "price": price_words(state),
        "co2": co2_words(state),
        "figures": {device.id: device_figure(device) for device in state.devices.values()},
        "key": cards_key(home, state),
    }
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))


def cards_key(home: HomeView, state: StateOut) -> str:
    """Rises with what the cards say, not with what they measure."""
    snapshot = home.snapshot()
    chargers = snapshot.chargers.values() if snapshot else ()
    plan = home.plan()
    parts = [
        [(d.id, d.online) for d in state.devices.values()],
        [(s.reason, s.authority) for s in state.setpoints.values()],
        state.next_change.model_dump_json() if state.next_change else "",
        [(c.id, c.phase.value, c.transaction) for c in chargers],
        [(r.key, r.opt.value, str(r.cancelled_at), r.delivered_wh) for r in home.event_records()],
        str(plan.made_at if plan else ""),
    ]
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:12]


def device_figure(device: DeviceOut) -> str:
    """The one figure of a device card."""
    if not device.online:
        return "–"
    power = device.values.get("power_w")
    if power is not None:
        return watts(power.value)
    return next((f"{v.value:.1f} {v.unit}" for v in device.values.values()), "–")


def price_words(state: StateOut) -> str:
    """What a kWh costs now."""
    if state.price_micro_per_kwh is None:
        return "–"
    return f"{money(state.price_micro_per_kwh, state.currency, 3)}/kWh"


def co2_words(state: StateOut) -> str:
    """What a kWh emits now."""
    return f"{co2(state.co2_g_per_kwh)}/kWh"
