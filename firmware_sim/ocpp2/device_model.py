"""The device model of the simulated station: OCPP 2.0.1 part 2, referenced components and variables (section 3)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from firmware_sim.ocppj import quirks
from firmware_sim.ocppj.acceptance import MAX_PERIODS, MAX_PROFILES, stack_levels, watts_only
from firmware_sim.ocppj.options import Options
from firmware_sim.ocppj.sampling import KNOWN_ONLY, MEASURED

ITEMS_PER_MESSAGE = 10
REPORT_ROWS = 8
READ_ONLY, READ_WRITE, WRITE_ONLY = "ReadOnly", "ReadWrite", "WriteOnly"
PASSWORD_LENGTHS = {"2.0.1": (16, 40), "2.1": (16, 64)}


@dataclass(frozen=True)
class Place:
    """Which variable of which component; evse and connector 0 for the station's own."""

    component: str
    variable: str
    instance: str = ""
    evse: int = 0
    connector: int = 0

    def component_json(self) -> dict[str, Any]:
        """ComponentType."""
        evse = {"id": self.evse, **({"connectorId": self.connector} if self.connector else {})}
        return {"name": self.component, **({"evse": evse} if self.evse else {})}

    def variable_json(self) -> dict[str, Any]:
        """VariableType."""
        return {"name": self.variable, **({"instance": self.instance} if self.instance else {})}


@dataclass
class Variable:
    """One value as text; `reboot` ones answer RebootRequired."""

    value: str
    mutability: str = READ_ONLY
    kind: str = "string"
    reboot: bool = False
    unit: str = ""
    most: float | None = None


@dataclass
class DeviceModel:
    """All variables with their rules; values survive a reboot."""

    variables: dict[Place, Variable] = field(default_factory=dict)
    strict_measurands: bool = False
    password_length: tuple[int, int] = PASSWORD_LENGTHS["2.0.1"]

    def text(self, component: str, variable: str) -> str:
        """A variable of the station itself, "" when absent."""
        held = self.variables.get(Place(component, variable))
        return held.value if held else ""

    def number(self, component: str, variable: str) -> float:
        """A numeric variable of the station itself, 0.0 when absent."""
        return float(self.text(component, variable) or 0.0)

    def read(self, asked: dict[str, Any]) -> dict[str, Any]:
        """One GetVariableResult (B06)."""
        place, status = self._find(asked)
        held = self.variables.get(place)
        if held is not None and asked.get("attributeType", "Actual") != "Actual":
            status = "NotSupportedAttributeType"
        elif held is not None and held.mutability == WRITE_ONLY:
            status = "Rejected"
        said = {"attributeValue": held.value} if held and status == "Accepted" else {}
        return {"attributeStatus": status, **said, "component": asked["component"], "variable": asked["variable"]}

    def write(self, asked: dict[str, Any]) -> dict[str, Any]:
        """One SetVariableResult (B05)."""
        place, status = self._find(asked)
        held = self.variables.get(place)
        if held is not None:
            status = self._write(place, held, asked)
        return {"attributeStatus": status, "component": asked["component"], "variable": asked["variable"]}

    def report(self, base: str, habits: set[str]) -> list[dict[str, Any]]:
        """The rows of a NotifyReport for a report base (B07)."""
        return [
            _row(place, held)
            for place, held in self.variables.items()
            if (base == "FullInventory" or held.mutability != READ_ONLY)
            and not (quirks.INVENTORY_WITHOUT_EVSE in habits and place.evse)
        ]

    def rows_of(self, wanted: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The rows GetReport names (B08); all of them when it names none."""
        return [_row(place, held) for place, held in self.variables.items() if not wanted or _named(place, wanted)]

    def _write(self, place: Place, held: Variable, asked: dict[str, Any]) -> str:
        if asked.get("attributeType", "Actual") != "Actual":
            return "NotSupportedAttributeType"
        if held.mutability == READ_ONLY or not self._fits(place, held, asked["attributeValue"]):
            return "Rejected"
        held.value = asked["attributeValue"]
        return "RebootRequired" if held.reboot else "Accepted"

    def _fits(self, place: Place, held: Variable, value: str) -> bool:
        if place.variable == "BasicAuthPassword":
            return self.password_length[0] <= len(value) <= self.password_length[1]
        if held.kind == "MemberList" and "Measurands" in place.variable:
            allowed = MEASURED if self.strict_measurands else MEASURED + KNOWN_ONLY
            return all(item.strip() in allowed for item in value.split(",") if item.strip())
        if held.kind == "boolean":
            return value in ("true", "false")
        return held.kind != "integer" or value.isdigit()

    def _find(self, asked: dict[str, Any]) -> tuple[Place, str]:
        component, variable = asked["component"], asked["variable"]
        evse = component.get("evse", {})
        place = Place(
            component["name"],
            variable["name"],
            variable.get("instance", ""),
            evse.get("id", 0),
            evse.get("connectorId", 0),
        )
        if place in self.variables:
            return place, "Accepted"
        known = any((held.component, held.evse) == (place.component, place.evse) for held in self.variables)
        return place, "UnknownVariable" if known else "UnknownComponent"


def _row(place: Place, held: Variable) -> dict[str, Any]:
    value = {} if held.mutability == WRITE_ONLY else {"value": held.value}
    more: dict[str, Any] = {"unit": held.unit} if held.unit else {}
    more |= {"maxLimit": held.most} if held.most is not None else {}
    return {
        "component": place.component_json(),
        "variable": place.variable_json(),
        "variableAttribute": [{"type": "Actual", **value, "mutability": held.mutability}],
        "variableCharacteristics": {"dataType": held.kind, "supportsMonitoring": False, **more},
    }


def _named(place: Place, wanted: list[dict[str, Any]]) -> bool:
    return any(
        one["component"]["name"] == place.component
        and one["component"].get("evse", {}).get("id", place.evse) == place.evse
        and one.get("variable", {}).get("name", place.variable) == place.variable
        for one in wanted
    )


def standard(options: Options, version: str, connectors: int) -> DeviceModel:
    """The variables of a station as it leaves the factory."""
    rows = {
        **_station(options),
        **_smart_charging(options),
        **_metering(options),
        **_link(options),
        **{place: held for evse in range(1, connectors + 1) for place, held in _evse(options, evse)},
    }
    strict = quirks.MEASURAND_REFUSE_LIST in options.quirks
    return DeviceModel(rows, strict, PASSWORD_LENGTHS[version])


def _station(options: Options) -> dict[Place, Variable]:
    return {
        Place("ChargingStation", "Available"): Variable("true", kind="boolean"),
        Place("ChargingStation", "AvailabilityState"): Variable("Available", kind="OptionList"),
        Place("ChargingStation", "Model"): Variable(options.model),
        Place("ChargingStation", "VendorName"): Variable(options.vendor),
        Place("ChargingStation", "SupplyPhases"): Variable("3", kind="integer"),
        Place("AuthCtrlr", "Enabled"): Variable("true", READ_WRITE, "boolean"),
        Place("AuthCtrlr", "AuthorizeRemoteStart"): Variable("false", READ_WRITE, "boolean"),
        Place("AuthCtrlr", "LocalAuthorizeOffline"): Variable("true", READ_WRITE, "boolean"),
        Place("AuthCtrlr", "LocalPreAuthorize"): Variable("false", READ_WRITE, "boolean"),
        Place("DeviceDataCtrlr", "ItemsPerMessage", "GetReport"): _items(),
        Place("DeviceDataCtrlr", "ItemsPerMessage", "GetVariables"): _items(),
        Place("DeviceDataCtrlr", "ItemsPerMessage", "SetVariables"): _items(),
        Place("TxCtrlr", "EVConnectionTimeOut"): Variable("120", READ_WRITE, "integer", unit="s"),
        Place("TxCtrlr", "StopTxOnEVSideDisconnect"): Variable("true", kind="boolean"),
        Place("TxCtrlr", "StopTxOnInvalidId"): Variable("true", READ_WRITE, "boolean"),
        Place("TxCtrlr", "TxStartPoint"): Variable("PowerPathClosed", kind="MemberList"),
        Place("TxCtrlr", "TxStopPoint"): Variable("PowerPathClosed,EVConnected", kind="MemberList"),
    }


def _items() -> Variable:
    return Variable(str(ITEMS_PER_MESSAGE), kind="integer")


def _smart_charging(options: Options) -> dict[Place, Variable]:
    habits = options.quirks
    unit = "W" if watts_only(habits) else "A" if quirks.AMPS_ONLY in habits else "A,W"
    rows = {
        Place("SmartChargingCtrlr", "Available"): Variable("true", kind="boolean"),
        Place("SmartChargingCtrlr", "Enabled"): Variable("true", READ_WRITE, "boolean"),
        Place("SmartChargingCtrlr", "RateUnit"): Variable(unit, kind="MemberList"),
        Place("SmartChargingCtrlr", "PeriodsPerSchedule"): Variable(str(MAX_PERIODS), kind="integer"),
        Place("SmartChargingCtrlr", "Entries", "ChargingProfiles"): Variable(
            "0", kind="integer", most=float(MAX_PROFILES)
        ),
        Place("SmartChargingCtrlr", "ProfileStackLevel"): Variable(str(stack_levels(habits)), kind="integer"),
        Place("SmartChargingCtrlr", "LimitChangeSignificance"): Variable("1.0", READ_WRITE, "decimal"),
        Place("SmartChargingCtrlr", "ACPhaseSwitchingSupported"): Variable(
            "true" if options.switches_phases else "false", kind="boolean"
        ),
    }
    if quirks.NO_SMART_AVAILABLE in habits:
        del rows[Place("SmartChargingCtrlr", "Available")]
    if quirks.SMART_OFF in habits:
        rows[Place("SmartChargingCtrlr", "Enabled")] = Variable("false", READ_ONLY, "boolean")
    return rows


def _metering(options: Options) -> dict[Place, Variable]:
    measured = ",".join(MEASURED[:5])
    every = str(round(options.meter_interval_s))
    return {
        Place("SampledDataCtrlr", "Enabled"): Variable("true", READ_WRITE, "boolean"),
        Place("SampledDataCtrlr", "TxStartedMeasurands"): Variable(MEASURED[0], READ_WRITE, "MemberList"),
        Place("SampledDataCtrlr", "TxUpdatedMeasurands"): Variable(measured, READ_WRITE, "MemberList"),
        Place("SampledDataCtrlr", "TxUpdatedInterval"): Variable(every, READ_WRITE, "integer", unit="s"),
        Place("SampledDataCtrlr", "TxEndedMeasurands"): Variable(MEASURED[0], READ_WRITE, "MemberList"),
        Place("SampledDataCtrlr", "TxEndedInterval"): Variable("0", READ_WRITE, "integer", unit="s"),
        Place("AlignedDataCtrlr", "Enabled"): Variable("true", READ_WRITE, "boolean"),
        Place("AlignedDataCtrlr", "Measurands"): Variable(measured, READ_WRITE, "MemberList"),
        Place("AlignedDataCtrlr", "Interval"): Variable("0", READ_WRITE, "integer", unit="s"),
        Place("AlignedDataCtrlr", "TxEndedMeasurands"): Variable("", READ_WRITE, "MemberList"),
        Place("AlignedDataCtrlr", "TxEndedInterval"): Variable("0", READ_WRITE, "integer", unit="s"),
    }


def _link(options: Options) -> dict[Place, Variable]:
    security = options.address.security
    return {
        Place("OCPPCommCtrlr", "HeartbeatInterval"): Variable("300", READ_WRITE, "integer", unit="s"),
        Place("OCPPCommCtrlr", "WebSocketPingInterval"): Variable("30", READ_WRITE, "integer", True, "s"),
        Place("OCPPCommCtrlr", "OfflineThreshold"): Variable("60", READ_WRITE, "integer", unit="s"),
        Place("OCPPCommCtrlr", "FileTransferProtocols"): Variable("HTTP,HTTPS", kind="MemberList"),
        Place("OCPPCommCtrlr", "NetworkConfigurationPriority"): Variable("1", READ_WRITE, "SequenceList"),
        Place("SecurityCtrlr", "BasicAuthPassword"): Variable("", WRITE_ONLY),
        Place("SecurityCtrlr", "Identity"): Variable(options.id),
        Place("SecurityCtrlr", "OrganizationName"): Variable(options.vendor, READ_WRITE),
        Place("SecurityCtrlr", "SecurityProfile"): Variable(str(security.profile), kind="integer"),
        Place("SecurityCtrlr", "CertificateEntries"): Variable(str(len(security.roots_pem)), kind="integer"),
    }


def _evse(options: Options, evse: int) -> Iterator[tuple[Place, Variable]]:
    rating_w = options.max_current_a * 690.0
    yield Place("EVSE", "Available", evse=evse), Variable("true", kind="boolean")
    yield Place("EVSE", "AvailabilityState", evse=evse), Variable("Available", kind="OptionList")
    yield Place("EVSE", "Power", evse=evse), Variable("0", kind="decimal", unit="W", most=rating_w)
    yield Place("EVSE", "SupplyPhases", evse=evse), Variable("3", kind="integer")
    yield Place("Connector", "Available", evse=evse, connector=1), Variable("true", kind="boolean")
    yield Place("Connector", "ConnectorType", evse=evse, connector=1), Variable("sType2")
    yield Place("Connector", "SupplyPhases", evse=evse, connector=1), Variable("3", kind="integer")
