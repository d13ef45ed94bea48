"""The page Devices: what each device tells, what of it is doubted, and how often which rule spoke."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.model.quantity import Quantity
from gateway.model.site import Device
from gateway.runtime.words import local_time
from gateway.web.state import device_out
from gateway.web.view import HomeView
from gateway.web.wire import ValueOut
from gateway.web.words import ROLE_WORDS, age, watts


@dataclass(frozen=True, slots=True)
class RuleRow:
    """One validation rule: its name, how often it spoke today, when last and why."""

    rule: str
    count: int
    last: str
    words: str


@dataclass(frozen=True, slots=True)
class DevicePanel:
    """One device in full; `values` and `doubts` by quantity in words."""

    id: str
    name: str
    role: str
    profile: str
    online: bool
    age: str
    reason: str
    warning: str
    doubts: tuple[tuple[str, str], ...]
    values: tuple[tuple[str, str], ...]
    rules: tuple[RuleRow, ...]


def device_panels(home: HomeView) -> list[DevicePanel]:
    """Every configured device, in the order of the site file."""
    return [_panel(home, device) for device in home.site.devices]


def _panel(home: HomeView, device: Device) -> DevicePanel:
    shown, now, zone = device_out(home, device), home.clock.now(), home.site.timezone
    return DevicePanel(
        device.id,
        device.name,
        ROLE_WORDS[device.role],
        shown.profile,
        shown.online,
        age(shown.age_s),
        shown.reason,
        shown.warning,
        tuple((quantity_words(name), words) for name, words in shown.doubts.items()),
        tuple((quantity_words(name), _figure(name, value)) for name, value in shown.values.items()),
        tuple(
            RuleRow(row.rule.replace("_", " "), row.count, local_time(row.last, now, zone), row.words)
            for row in shown.vee
        ),
    )


def devices_sentence(panels: list[DevicePanel]) -> str:
    """How many devices are heard and how many are doubted."""
    if not panels:
        return "No device is set up in this home."
    silent = [panel.name for panel in panels if not panel.online]
    doubted = [panel.name for panel in panels if panel.doubts]
    told = f"{', '.join(silent)} {'is' if len(silent) == 1 else 'are'} silent" if silent else "All devices are heard"
    return told + (f"; readings of {', '.join(doubted)} are doubted." if doubted else " and believed.")


def quantity_words(name: str) -> str:
    """A quantity for a person: "Power L1", "Energy import"."""
    unit = {"W/m²": "_w_m2", "°C": "_c", "%": "_percent"}
    quantity = Quantity(name)
    ending = unit.get(quantity.unit, f"_{quantity.unit.lower()}") if quantity.unit else ""
    words = name.removesuffix(ending).replace("_", " ")
    words = " ".join(word.upper() if word in ("l1", "l2", "l3", "pv", "soc") else word for word in words.split())
    return words[:1].upper() + words[1:]


def _figure(name: str, value: ValueOut) -> str:
    if name == Quantity.ON.value:
        return "on" if value.value else "off"
    if value.unit == "Wh":
        return f"{value.value / 1000:,.1f} kWh".replace(",", " ")
    if value.unit == "W":
        return watts(value.value) + (" given" if value.value <= -1 else "")
    if name == Quantity.GRID_PRESENT.value:
        return "yes" if value.value else "no"
    digits = 0 if value.unit == "W/m²" else 1
    return f"{value.value:,.{digits}f} {value.unit}".replace(",", " ")
