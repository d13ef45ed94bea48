"""The device model of OCPP 2.x as text: "Component.Variable", with instance and EVSE where there are any; pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from adapters.ocpp.wire import blanked, clean, to_number


@dataclass(frozen=True, slots=True)
class Variable:
    """One variable of the charger's model."""

    component: str
    name: str
    instance: str = ""

    @property
    def words(self) -> str:
        """As it is kept and shown."""
        return self.component + "." + self.name + (f"({self.instance})" if self.instance else "")

    def to_request(self) -> dict[str, Any]:
        """Component and variable of a GetVariables or SetVariables item."""
        variable = {"name": self.name, **({"instance": self.instance} if self.instance else {})}
        return {"component": {"name": self.component}, "variable": variable}


def answered_variable(item: Mapping[str, Any]) -> str:
    """Which variable a result is about, in words and lower case: some chargers write the names their own way."""
    component, variable = _part(item, "component"), _part(item, "variable")
    instance = clean(variable.get("instance"))
    words = f"{clean(component.get('name'))}.{clean(variable.get('name'))}" + (f"({instance})" if instance else "")
    return words.lower()


def report_items(data: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """(name, actual value) of each variable in a NotifyReport; EVSEs that are left out are simply not there."""
    for item in data:
        component, variable = _part(item, "component"), _part(item, "variable")
        evse = component.get("evse")
        place = to_number(evse.get("id")) if isinstance(evse, Mapping) else to_number(evse)
        name = clean(component.get("name")) + (
            f"[{clean(component.get('instance'))}]" if component.get("instance") else ""
        )
        name += f"#{place:.0f}" if place is not None else ""
        name += "." + clean(variable.get("name"))
        name += f"({clean(variable.get('instance'))})" if variable.get("instance") else ""
        for attribute in item.get("variableAttribute") or []:
            if attribute.get("type", "Actual") == "Actual" and attribute.get("value") is not None:
                yield name, blanked(name, clean(attribute.get("value"), 500))


def _part(item: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = item.get(name)
    return part if isinstance(part, Mapping) else {}
