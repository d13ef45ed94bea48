"""From a site file to adapters: what measures, what takes commands, what owns a connection; plain constructor calls."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from adapters.modbus.settings import ModbusDeviceSettings, ModbusRtuSettings, ModbusTcpSettings
from adapters.mqtt.settings import MqttDeviceSettings, MqttSettings
from adapters.ocpp.settings import OcppDeviceSettings, OcppSettings
from adapters.openadr.settings import OpenAdrSettings
from adapters.openadr2b.settings import OpenAdr2bSettings
from adapters.p1.settings import P1DeviceSettings, P1SerialSettings, P1TcpSettings
from adapters.pushed.settings import PushedDeviceSettings, PushedSettings
from adapters.sources.settings import CarbonSettings, PricesSettings, SourceSettings, WeatherSettings
from adapters.sqlite.store import SqliteStore
from gateway.charger_house import ChargerHouse
from gateway.config import DeviceEntry, Kind, SiteFile
from gateway.core.demand_response.proof_rules import parse_proof
from gateway.core.demand_response.strategies import Strategies, parse_strategies
from gateway.core.learning.shape_dictionary import ShapeDictionary
from gateway.core.tariff.rates import parse_tariff
from gateway.model.envelope import EnvelopeSpec
from gateway.model.errors import Finding, SiteFileError
from gateway.model.site import Device, Role
from gateway.model.tariff import Tariff
from gateway.ports import Actuator, Clock, Connection, DrServer, EvCharger, Meter, Pushable

MAX_SHAPES_BYTES = 256 * 1024
CONFIG = Path(__file__).resolve().parent.parent / "config"
SHAPES = Path("shapes", "homes.json")
KINDS = {
    "modbus_tcp": Kind(ModbusTcpSettings, ModbusDeviceSettings),
    "modbus_rtu": Kind(ModbusRtuSettings, ModbusDeviceSettings),
    "p1_tcp": Kind(P1TcpSettings, P1DeviceSettings),
    "p1_serial": Kind(P1SerialSettings, P1DeviceSettings),
    "mqtt": Kind(MqttSettings, MqttDeviceSettings),
    "ocpp": Kind(OcppSettings, OcppDeviceSettings),
    "pushed": Kind(PushedSettings, PushedDeviceSettings),
    "openadr": Kind(OpenAdrSettings, None),
    "openadr2b": Kind(OpenAdr2bSettings, None),
    "prices": Kind(PricesSettings, None),
    "carbon": Kind(CarbonSettings, None),
    "weather": Kind(WeatherSettings, None),
}


@dataclass(slots=True)
class Wired:
    """The adapters of one site: what measures, what takes commands, what owns a connection, who sends events."""

    connections: list[Connection] = field(default_factory=list)
    meters: list[Meter] = field(default_factory=list)
    chargers: dict[str, EvCharger] = field(default_factory=dict)
    actuators: dict[str, Actuator] = field(default_factory=dict)
    servers: dict[str, DrServer] = field(default_factory=dict)
    sources: list[Any] = field(default_factory=list)
    """Who tells prices, carbon and weather, in the order of the site file."""
    desks: dict[str, Any] = field(default_factory=dict)
    """Connection -> its CSMS, for the installer."""
    brokers: dict[str, Any] = field(default_factory=dict)
    stale_after_s: dict[str, float] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    needs: dict[str, list[Any]] = field(default_factory=dict)
    """Connection -> what each Modbus device on it needs of its line."""
    doors: dict[str, Pushable] = field(default_factory=dict)
    """Devices that somebody tells of over the API, by id."""
    left_out: dict[str, str] = field(default_factory=dict)
    """Device id -> why it could not be wired, in words."""


def wire(
    site_file: SiteFile,
    store: SqliteStore,
    clock: Clock,
    on_change: Callable[[str, str], None],
    config: Path = CONFIG,
    house: ChargerHouse | None = None,
) -> Wired:
    """Build the adapters; a device whose profile cannot be used is left out with a finding.

    A CSMS is taken from `house`, which keeps its connections while the site file changes.
    """
    wired = Wired()
    kept = house.take(site_file, store, on_change) if house is not None else {}
    owners: dict[str, Any] = {
        name: kept.get(name) or _connection(name, settings, store, clock, on_change)
        for name, settings in site_file.connections.items()
        if not isinstance(settings, SourceSettings)
    }
    wired.sources = _sources(wired, site_file, config / "sources", clock)
    for name, owner in owners.items():
        if isinstance(site_file.connections[name], OcppSettings):
            wired.desks[name] = owner
        if name in kept:
            continue
        if isinstance(site_file.connections[name], OpenAdrSettings | OpenAdr2bSettings):
            wired.servers[name] = owner
        else:
            wired.connections.append(owner)
        if isinstance(site_file.connections[name], MqttSettings):
            wired.brokers[name] = owner
    for entry in site_file.devices:
        try:
            _add_device(wired, entry, owners[entry.connection], clock, config / "devices")
        except SiteFileError as error:
            wired.left_out[entry.device.id] = f"left out: {error.findings[0].what}"
            wired.findings += [_at_device(site_file, entry, finding) for finding in error.findings]
        except Finding as finding:
            wired.left_out[entry.device.id] = f"left out: {finding.what}"
            wired.findings.append(_at_device(site_file, entry, finding))
    wired.findings += _line_findings(site_file, wired)
    return wired


def _sources(wired: Wired, site_file: SiteFile, folder: Path, clock: Clock) -> list[Any]:
    """The sources of prices, carbon and weather; one that cannot be made is left out with a finding."""
    made: list[Any] = []
    for name, settings in site_file.connections.items():
        if not isinstance(settings, SourceSettings):
            continue
        from adapters.sources.make import make_source

        try:
            made.append(make_source(name, settings, site_file.site, folder, site_file.path.parent, clock))
        except SiteFileError as error:
            wired.findings += [_at_connection(site_file, name, finding) for finding in error.findings]
        except Finding as finding:
            wired.findings.append(_at_connection(site_file, name, finding))
    return made


def _at_connection(site_file: SiteFile, name: str, finding: Finding) -> Finding:
    return Finding(f"{site_file.path}: connections.{name}.{finding.where}", finding.what, finding.remedy)


def _line_findings(site_file: SiteFile, wired: Wired) -> list[Finding]:
    """What is wrong with the Modbus lines, given the devices on them."""
    lines = {
        name: settings
        for name, settings in site_file.connections.items()
        if isinstance(settings, ModbusTcpSettings | ModbusRtuSettings)
    }
    if not lines:
        return []
    from adapters.modbus.line_check import line_findings

    found = line_findings(lines, wired.needs)
    return [Finding(f"{site_file.path}: {f.where}", f.what, f.remedy, severity="warning") for f in found]


def _at_device(site_file: SiteFile, entry: DeviceEntry, finding: Finding) -> Finding:
    where = f"{site_file.path}:{entry.line}: devices.{entry.device.id}: {finding.where}"
    return Finding(where, finding.what, finding.remedy)


def _connection(
    name: str, settings: Any, store: SqliteStore, clock: Clock, on_change: Callable[[str, str], None]
) -> Any:
    """The owner of one connection; each protocol library is imported only when the site uses it."""
    if isinstance(settings, ModbusTcpSettings | ModbusRtuSettings):
        from adapters.modbus.bus import Bus

        return Bus(name, settings, clock)
    if isinstance(settings, P1TcpSettings | P1SerialSettings):
        from adapters.p1.connection import P1Line

        return P1Line(name, settings, clock)
    if isinstance(settings, MqttSettings):
        from adapters.mqtt.broker import Broker

        return Broker(name, settings, clock)
    if isinstance(settings, OcppSettings):
        from adapters.ocpp.csms import Csms

        return Csms(name, settings, clock, store, store, on_change)
    if isinstance(settings, PushedSettings):
        from adapters.pushed.device import PushedDoor

        return PushedDoor(name, settings, clock)
    if isinstance(settings, OpenAdr2bSettings):
        from adapters.openadr2b.client import Vtn2b

        return Vtn2b(name, settings, clock, store)
    from adapters.openadr.client import Vtn

    return Vtn(name, settings, clock)


def _add_device(wired: Wired, entry: DeviceEntry, owner: Any, clock: Clock, profiles: Path) -> None:
    device, settings = entry.device, _patient(entry.device, entry.settings)
    made: Any
    if isinstance(settings, ModbusDeviceSettings):
        from adapters.modbus.device import ModbusDevice
        from adapters.modbus.profile import load_profile

        profile = load_profile(settings.profile, profiles / "modbus")
        made = ModbusDevice(device, settings, profile, owner, clock, main=device.role is Role.MAIN_METER)
        wired.needs.setdefault(entry.connection, []).append(profile.needs)
        stale = max(10.0, 3 * settings.period_s)
    elif isinstance(settings, P1DeviceSettings):
        from adapters.p1.device import P1Meter

        made = P1Meter(device, settings, owner, clock)
        stale = settings.expire_after_s
    elif isinstance(settings, MqttDeviceSettings):
        from adapters.mqtt.make import mqtt_device
        from adapters.p1.telegram import parse

        made = mqtt_device(device, settings, profiles / "mqtt", owner, clock, lambda raw: parse(raw).values())
        stale = settings.expire_after_s
    elif isinstance(settings, OcppDeviceSettings):
        made = owner.charger(device, settings)
        wired.chargers[device.id] = made
        stale = 3 * settings.sample_interval_s
    elif isinstance(settings, PushedDeviceSettings):
        from adapters.pushed.device import PushedDevice

        made = wired.doors[device.id] = PushedDevice(device, settings, clock)
        stale = settings.expire_after_s
    else:
        raise Finding("connection", "carries no devices", "Name another connection.")
    wired.meters.append(made)
    wired.stale_after_s[device.id] = max(stale, 2.0 * clock.speed if clock.speed > 1 else 0.0)
    if device.id not in wired.chargers and device.role in _COMMANDED:
        wired.actuators[device.id] = made


def _patient(device: Device, settings: Any) -> Any:
    """The settings; a grid operator's box counts as silent no sooner than its envelope says that it may be."""
    if not isinstance(device.spec, EnvelopeSpec) or not hasattr(settings, "expire_after_s"):
        return settings
    return settings.model_copy(update={"expire_after_s": max(settings.expire_after_s, device.spec.heartbeat_s)})


_COMMANDED = (
    Role.BATTERY, Role.HYBRID_INVERTER, Role.WATER_HEATER, Role.HEAT_PUMP, Role.POOL_PUMP, Role.APPLIANCE,
)  # fmt: skip


def read_yaml(path: Path) -> dict[str, Any]:
    """A YAML file of config/ as a plain map; raises SiteFileError when it is missing or broken."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        document = YAML(typ="safe").load(path)
    except OSError as error:
        known = ", ".join(sorted(p.stem for p in path.parent.glob("*.yaml")))
        raise SiteFileError([Finding(str(path), "there is no such file", f"Known: {known}.")]) from error
    except YAMLError as error:
        raise SiteFileError([Finding(str(path), f"is not YAML: {error}", "Mend the line named.")]) from error
    except ValueError as error:  # bytes that are no UTF-8 text, or a number of thousands of digits
        raise SiteFileError(
            [Finding(str(path), f"holds what cannot be read: {str(error)[:80]}", "Save it as UTF-8 text.")]
        ) from error
    if not isinstance(document, dict):
        what = "is empty" if document is None else "is no map of keys"
        raise SiteFileError([Finding(str(path), what, "Write 'key: value' lines, as the files beside it have them.")])
    return {str(key): value for key, value in document.items()}


def load_strategies(path: Path) -> Strategies:
    """A table of config/dr; raises SiteFileError."""
    try:
        document = read_yaml(path)
        parse_proof(document.get("proof"))
        return parse_strategies(document)
    except ValueError as error:
        raise SiteFileError(
            [Finding(str(path), str(error), "Correct it: config/dr/default.yaml is a sound one.")]
        ) from error


def load_shapes(site_file: SiteFile, config: Path = CONFIG) -> ShapeDictionary:
    """The dictionary of load shapes that the site file names, else the one that comes with Hearth; raises SiteFileError."""
    named = site_file.named_shapes
    return _shapes_of(named) if named is not None else shipped_shapes(config)


def shipped_shapes(config: Path = CONFIG) -> ShapeDictionary:
    """The dictionary of load shapes that comes with Hearth; raises SiteFileError.

    A folder of configuration data of one's own need not have it.
    """
    own = config / SHAPES
    return _shapes_of(own if own.is_file() else CONFIG / SHAPES)


def _shapes_of(path: Path) -> ShapeDictionary:
    try:
        if path.stat().st_size > MAX_SHAPES_BYTES:
            raise Finding(str(path), f"is larger than {MAX_SHAPES_BYTES // 1024} KiB", "Is it a dictionary of shapes?")
        return ShapeDictionary.from_document(json.loads(path.read_text("utf-8")), str(path))
    except Finding as finding:
        raise SiteFileError([finding]) from finding
    except OSError as error:
        remedy = "Name a file that hearth train-shapes wrote, or leave shapes_file out."
        raise SiteFileError([Finding(str(path), f"cannot be read ({error.strerror})", remedy)]) from error
    except ValueError as error:
        raise SiteFileError([Finding(str(path), f"is not JSON ({error})", "Copy it again.")]) from error


def load_tariff(path: Path, currency: str) -> Tariff:
    """A tariff of config/tariffs in the site's currency; raises SiteFileError."""
    try:
        tariff = parse_tariff(read_yaml(path))
    except Finding as finding:
        raise SiteFileError([Finding(f"{path}: {finding.where}", finding.what, finding.remedy)]) from finding
    if tariff.id != path.stem:
        what = f"'{tariff.id}' is not the file's name"
        raise SiteFileError([Finding(f"{path}: id", what, f"Write id: {path.stem}, or rename the file.")])
    if tariff.currency != currency:
        what = f"counts in {tariff.currency}, but the site's currency is {currency}"
        raise SiteFileError([Finding(str(path), what, "Choose another tariff, or correct site.currency.")])
    return tariff
