"""The configuration keys of the simulated charge point: OCPP 1.6 edition 2, section 9."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

MEASURED = (
    "Energy.Active.Import.Register",
    "Power.Active.Import",
    "Current.Import",
    "Voltage",
    "Current.Offered",
    "SoC",
)
"""What this station can measure; the order is that of its answers."""
KNOWN_ONLY = (
    "Energy.Active.Export.Register", "Energy.Reactive.Import.Register", "Energy.Active.Import.Interval",
    "Power.Active.Export", "Power.Offered", "Power.Factor", "Power.Reactive.Import", "Current.Export",
    "Frequency", "Temperature", "RPM",
)  # fmt: skip
"""Measurands of section 7.31 it knows by name but has no sensor for: accepted, never sent."""


@dataclass
class Key:
    """One configuration key; `reboot` keys answer RebootRequired."""

    value: str
    readonly: bool = False
    reboot: bool = False


@dataclass
class Configuration:
    """The keys with their rules; values survive a reboot."""

    keys: dict[str, Key] = field(default_factory=dict)
    strict_measurands: bool = False
    """Refuse the whole list for one measurand that is not measured."""

    def number(self, name: str) -> float:
        """A numeric key's value, 0.0 when absent."""
        return float(self.keys[name].value) if name in self.keys else 0.0

    def measurands(self, name: str = "MeterValuesSampledData") -> list[str]:
        """The configured measurands this station can really measure."""
        asked = [item.strip() for item in self.keys[name].value.split(",")]
        return [item for item in MEASURED if item in asked]

    def change(self, name: str, value: str) -> str:
        """ChangeConfiguration's status (section 5.3)."""
        key = self.keys.get(name)
        if key is None:
            return "NotSupported"
        if key.readonly or not self._fits(name, value):
            return "Rejected"
        key.value = value
        return "RebootRequired" if key.reboot else "Accepted"

    def report(self, names: list[str]) -> dict[str, Any]:
        """GetConfiguration's answer (section 5.8): all keys when none is named."""
        listed = names or list(self.keys)
        known = [
            {"key": name, "readonly": self.keys[name].readonly, "value": self.keys[name].value}
            for name in listed
            if name in self.keys
        ]
        return {"configurationKey": known, "unknownKey": [name for name in listed if name not in self.keys]}

    def _fits(self, name: str, value: str) -> bool:
        if name.startswith("MeterValues"):
            allowed = MEASURED if self.strict_measurands else MEASURED + KNOWN_ONLY
            return all(item.strip() in allowed for item in value.split(",") if item.strip())
        old = self.keys[name].value
        if old in ("true", "false"):
            return value.lower() in ("true", "false")
        return not old.isdigit() or value.isdigit()


def standard(meter_interval_s: float, watts_only: bool, stack_levels: int, strict_measurands: bool) -> Configuration:
    """The keys of a station as it leaves the factory."""
    energy_and_more = ",".join(MEASURED[:5])
    keys = {
        "AuthorizeRemoteTxRequests": Key("false"),
        "ChargeProfileMaxStackLevel": Key(str(stack_levels), readonly=True),
        "ChargingScheduleAllowedChargingRateUnit": Key("Power" if watts_only else "Current,Power", readonly=True),
        "ChargingScheduleMaxPeriods": Key("24", readonly=True),
        "ClockAlignedDataInterval": Key("0"),
        "ConnectionTimeOut": Key("120"),
        "ConnectorPhaseRotation": Key("1.RST"),
        "ConnectorSwitch3to1PhaseSupported": Key("false", readonly=True),
        "GetConfigurationMaxKeys": Key("50", readonly=True),
        "HeartbeatInterval": Key("300"),
        "LocalAuthorizeOffline": Key("true"),
        "LocalPreAuthorize": Key("false"),
        "MaxChargingProfilesInstalled": Key("10", readonly=True),
        "MeterValueSampleInterval": Key(str(round(meter_interval_s))),
        "MeterValuesAlignedData": Key(energy_and_more),
        "MeterValuesSampledData": Key(energy_and_more),
        "NumberOfConnectors": Key("1", readonly=True),
        "ResetRetries": Key("1"),
        "StopTransactionOnEVSideDisconnect": Key("true", readonly=True),
        "StopTransactionOnInvalidId": Key("true"),
        "StopTxnAlignedData": Key(""),
        "StopTxnSampledData": Key(""),
        "SupportedFeatureProfiles": Key("Core,SmartCharging,RemoteTrigger", readonly=True),
        "TransactionMessageAttempts": Key("3"),
        "TransactionMessageRetryInterval": Key("5"),
        "UnlockConnectorOnEVSideDisconnect": Key("true"),
        "WebSocketPingInterval": Key("30", reboot=True),
    }
    return Configuration(keys, strict_measurands)
