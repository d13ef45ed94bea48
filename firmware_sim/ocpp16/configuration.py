"""The configuration keys of the simulated charge point: OCPP 1.6 edition 2 section 9, security whitepaper 4."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from firmware_sim.ocppj import quirks
from firmware_sim.ocppj.acceptance import MAX_PERIODS, MAX_PROFILES, stack_levels, watts_only
from firmware_sim.ocppj.options import Options
from firmware_sim.ocppj.sampling import KNOWN_ONLY, MEASURED

PASSWORD = "AuthorizationKey"
SHORTEST_PASSWORD, LONGEST_PASSWORD = 16, 40


@dataclass
class Key:
    """One configuration key; `reboot` keys answer RebootRequired, `secret` ones are never reported."""

    value: str
    readonly: bool = False
    reboot: bool = False
    secret: bool = False


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
        known = [self._told(name) for name in listed if name in self.keys]
        return {"configurationKey": known, "unknownKey": [name for name in listed if name not in self.keys]}

    def _told(self, name: str) -> dict[str, Any]:
        key = self.keys[name]
        value = {} if key.secret else {"value": key.value}
        return {"key": name, "readonly": key.readonly, **value}

    def _fits(self, name: str, value: str) -> bool:
        if name == PASSWORD:
            return SHORTEST_PASSWORD <= len(value) <= LONGEST_PASSWORD
        if name.startswith("MeterValues"):
            allowed = MEASURED if self.strict_measurands else MEASURED + KNOWN_ONLY
            return all(item.strip() in allowed for item in value.split(",") if item.strip())
        old = self.keys[name].value
        if old in ("true", "false"):
            return value.lower() in ("true", "false")
        return not old.isdigit() or value.isdigit()


def standard(options: Options, connectors: int) -> Configuration:
    """The keys of a station as it leaves the factory."""
    habits = options.quirks
    units = "W" if quirks.WATTS_WORD in habits else "Power" if watts_only(habits) else "Current,Power"
    energy_and_more = ",".join(MEASURED[:5])
    keys = {
        PASSWORD: Key("", secret=True),
        "AuthorizeRemoteTxRequests": Key("false"),
        "ChargeProfileMaxStackLevel": Key(str(stack_levels(habits)), readonly=True),
        "ChargingScheduleAllowedChargingRateUnit": Key(
            "Current" if quirks.AMPS_ONLY in habits else units, readonly=True
        ),
        "ChargingScheduleMaxPeriods": Key(str(MAX_PERIODS), readonly=True),
        "ClockAlignedDataInterval": Key("0"),
        "ConnectionTimeOut": Key("120"),
        "ConnectorPhaseRotation": Key(",".join(f"{number}.RST" for number in range(1, connectors + 1))),
        "ConnectorSwitch3to1PhaseSupported": Key("true" if options.switches_phases else "false", readonly=True),
        "CpoName": Key(""),
        "GetConfigurationMaxKeys": Key("50", readonly=True),
        "HeartbeatInterval": Key("300"),
        "LocalAuthorizeOffline": Key("true"),
        "LocalPreAuthorize": Key("false"),
        "MaxChargingProfilesInstalled": Key(str(MAX_PROFILES), readonly=True),
        "MeterValueSampleInterval": Key(str(round(options.meter_interval_s))),
        "MeterValuesAlignedData": Key(energy_and_more),
        "MeterValuesSampledData": Key(energy_and_more),
        "NumberOfConnectors": Key(str(connectors), readonly=True),
        "ResetRetries": Key("1"),
        "SecurityProfile": Key(str(options.address.security.profile), readonly=True),
        "StopTransactionOnEVSideDisconnect": Key("true", readonly=True),
        "StopTransactionOnInvalidId": Key("true"),
        "StopTxnAlignedData": Key(""),
        "StopTxnSampledData": Key(""),
        "SupportedFeatureProfiles": Key("Core,SmartCharging,RemoteTrigger", readonly=True),
        "SupportedFileTransferProtocols": Key("HTTP,HTTPS", readonly=True),
        "TransactionMessageAttempts": Key("3"),
        "TransactionMessageRetryInterval": Key("5"),
        "UnlockConnectorOnEVSideDisconnect": Key("true"),
        "WebSocketPingInterval": Key("30", reboot=True),
    }
    return Configuration(keys, quirks.MEASURAND_REFUSE_LIST in habits)
