"""Wiring by plain constructor calls: from a site file to a running gateway."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from adapters.modbus.settings import ModbusDeviceSettings, ModbusRtuSettings, ModbusTcpSettings
from adapters.mqtt.settings import MqttDeviceSettings, MqttSettings
from adapters.ocpp.settings import OcppDeviceSettings, OcppSettings
from adapters.openadr.settings import OpenAdrSettings
from adapters.p1.settings import P1DeviceSettings, P1SerialSettings, P1TcpSettings
from adapters.sqlite.store import SqliteStore
from gateway.config import DeviceEntry, Kind, SiteFile, load_site
from gateway.core.control.timing import ControlTiming
from gateway.core.demand_response.strategies import parse_strategies
from gateway.core.learning.shapes import typical_shapes
from gateway.core.metering.freeze import Wishes
from gateway.core.tariff.rates import parse_tariff, price_at
from gateway.folder import hold_folder, make_folder
from gateway.model.errors import Finding, SiteFileError, StoreError
from gateway.model.site import Role
from gateway.model.snapshot import Snapshot
from gateway.model.tariff import Tariff
from gateway.ports import Actuator, Clock, Connection, DrServer, EvCharger, Meter
from gateway.runtime.demand_response import DemandResponse
from gateway.runtime.home import Home
from gateway.runtime.learn import Learn
from gateway.runtime.live import Changes, HomeState
from gateway.runtime.meters import Intake, MeterLoop
from gateway.runtime.notices import Notices
from gateway.runtime.outward import Outward
from gateway.runtime.planning import PlanLoop
from gateway.runtime.reporting import Reporting
from gateway.runtime.request import Requests
from gateway.runtime.supervisor import Supervisor
from gateway.runtime.system_clock import SystemClock
from gateway.runtime.tick import Tick
from gateway.runtime.watchdog import keep_watch
from gateway.runtime.wishes import OwnerWishes
from gateway.web.settings import WebSettings

log = logging.getLogger(__name__)

CONFIG = Path(__file__).resolve().parent.parent / "config"
DATABASE = "hearth.sqlite"
KINDS = {
    "modbus_tcp": Kind(ModbusTcpSettings, ModbusDeviceSettings),
    "modbus_rtu": Kind(ModbusRtuSettings, ModbusDeviceSettings),
    "p1_tcp": Kind(P1TcpSettings, P1DeviceSettings),
    "p1_serial": Kind(P1SerialSettings, P1DeviceSettings),
    "mqtt": Kind(MqttSettings, MqttDeviceSettings),
    "ocpp": Kind(OcppSettings, OcppDeviceSettings),
    "openadr": Kind(OpenAdrSettings, None),
}


@dataclass(slots=True)
class Wired:
    """The adapters of one site: what measures, what takes commands, what owns a connection, who sends events."""

    connections: list[Connection] = field(default_factory=list)
    meters: list[Meter] = field(default_factory=list)
    chargers: dict[str, EvCharger] = field(default_factory=dict)
    actuators: dict[str, Actuator] = field(default_factory=dict)
    servers: dict[str, DrServer] = field(default_factory=dict)
    brokers: dict[str, Any] = field(default_factory=dict)
    stale_after_s: dict[str, float] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    """Device id -> why it could not be wired, in words."""


async def run_gateway(
    path: Path, data: Path, clock: SystemClock, *, simulated: bool = False, config: Path = CONFIG
) -> None:
    """Run the gateway until SIGTERM or SIGINT; raises SiteFileError or HearthError when it cannot start at all."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for noisy in ("httpx", "httpcore", "websockets", "pymodbus", "aiomqtt", "uvicorn.error"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    site_file = load_site(path, KINDS, WebSettings)
    tariff = load_tariff(site_file.site_tariff_path(config), site_file.site.currency)
    make_folder(data)
    hold_folder(data)
    store = SqliteStore.open(data / DATABASE)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    gateway = Gateway(site_file, tariff, store, clock, simulated, config)
    try:
        await gateway.start()
        await stop.wait()
    finally:
        await gateway.stop()
        await store.close()


class Gateway:
    """One running gateway: its loops under one supervisor."""

    def __init__(
        self,
        site_file: SiteFile,
        tariff: Tariff,
        store: SqliteStore,
        clock: Clock,
        simulated: bool = False,
        config: Path = CONFIG,
    ) -> None:
        site = site_file.site
        self.site_file, self.store, self.clock = site_file, store, clock
        self.changes = Changes()
        self.notices = Notices(store, clock, self.changes)
        self.supervisor = Supervisor(clock)
        self.wired = wire(site_file, store, clock, self._device_changed, config)
        self.state = HomeState(site, clock, self.wired.stale_after_s, self.wired.chargers)
        self.state.silent.update(self.wired.left_out)
        self.intake = Intake(self.state, clock, store, self.notices)
        self.wishes = OwnerWishes(site, clock, store, self._wish_changed)
        self.learn = Learn(site, clock, store, lambda: self.plans.cause("forecast"))
        self.dr = DemandResponse(
            site,
            clock,
            store,
            self.notices,
            parse_strategies(read_yaml(config / "dr" / f"{site_file.strategies}.yaml")),
            lambda: self.wishes.preferences,
            self._wish_changed,
            poll_s=min(
                (s.poll_s for s in site_file.connections.values() if isinstance(s, OpenAdrSettings)), default=60
            ),
            servers=self.wired.servers,
        )
        self.tick = Tick(
            self.state,
            clock,
            ControlTiming.at_speed(clock.speed),
            self._frozen_wishes,
            self.wired.chargers,
            self.wired.actuators,
            store,
            self.notices,
            self._ticked,
        )
        self.state.on_overload = self.tick.hurry
        requests = Requests(site, clock, tariff, self.tick, self.learn, self.dr, self.wishes)
        self.plans = PlanLoop(clock, store, requests.make, lambda plan: self.tick.hurry())
        self.reporting = Reporting(site, clock, store, self.dr, self.tick, self.plans.without)
        self.home = Home(
            site,
            clock,
            store,
            self.changes,
            self.tick,
            self.plans,
            self.learn,
            self.dr,
            self.wishes,
            self.notices,
            self.intake,
            tariff,
            price_at,
            typical_shapes,
            self._task_errors,
            simulated,
        )

    async def start(self) -> None:
        """Resume what was under way before, then start every loop; nothing waits for a device."""
        await self.notices.resume()
        await self.wishes.resume()
        await self.dr.resume()
        await self.intake.resume()
        self._tell_findings()
        start = self.supervisor.start
        self._show_outwards()
        for connection in self.wired.connections:
            start(f"connection {connection.name}", connection.run)
        for meter in self.wired.meters:
            role = next(d.role for d in self.state.site.devices if d.id == meter.id)
            start(f"meter {meter.id}", MeterLoop(meter, self.intake, self.clock, role).run)
        start("tick", self.tick.run)
        start("store", self.intake.run)
        start("notices", self.notices.run)
        start("learn", self.learn.run)
        start("plan", self.plans.run)
        start("events", self.dr.follow)
        start("reports", self.reporting.run)
        start("housekeeping", self._housekeeping)
        start("watchdog", lambda: keep_watch(self.tick, self.clock))
        for server in self.wired.servers.values():
            start(f"server {server.name}", lambda server=server: self.dr.poll(server))  # type: ignore[misc]
            start(f"outbox {server.name}", lambda server=server: self.reporting.deliver(server))  # type: ignore[misc]
        start("web", self._web)

    def _show_outwards(self) -> None:
        """Brokers that the site file asks to show the home on; before they connect, for their last will."""
        for name, owner in self.wired.brokers.items():
            settings = self.site_file.connections[name]
            if isinstance(settings, MqttSettings) and settings.publish:
                from adapters.mqtt.publish import HomePublisher

                outward = Outward(self.home, self.clock)
                publisher = HomePublisher(owner, self.site_file.site, self.clock, settings, outward.command)
                outward.display = publisher
                self.supervisor.start(f"wishes over {name}", publisher.run)
                self.supervisor.start(f"show on {name}", outward.run)

    async def _web(self) -> None:
        from gateway.web.server import serve

        settings = self.site_file.web
        assert isinstance(settings, WebSettings)
        if self.home.simulated:
            settings = settings.model_copy(update={"demo_login": True})
        await serve(self.home, settings, self.clock)

    async def _housekeeping(self) -> None:
        while True:
            await self.clock.sleep(6 * 3600, real_floor=60)
            await self.store.prune(self.clock.now())

    async def stop(self) -> None:
        """Orderly end: devices to their own safe behaviour, samples to disk, then the loops."""
        for task in self.supervisor.tasks("tick"):
            task.cancel()
        await self.tick.release_all()
        with suppress(StoreError):
            await self.intake.flush(final=True)
        await self.supervisor.stop()

    def _frozen_wishes(self) -> Wishes:
        return Wishes(self.wishes.preferences, self.dr.in_force(), self.wishes.active(), self.plans.plan)

    def _ticked(self, snapshot: Snapshot) -> None:
        self.plans.watch(snapshot)
        self.changes.touch()

    def _wish_changed(self, what: str) -> None:
        if what == "preference":
            self.dr.rebuild()
        self.tick.hurry()
        self.plans.cause(what)
        self.changes.touch()

    def _device_changed(self, device: str, what: str) -> None:
        if what == "connected":
            self.tick.reachable(device)
        self.tick.hurry()
        if what in ("plugged", "unplugged", "session", "connected", "disconnected"):
            self.plans.cause("car")
        self.changes.touch()

    def _task_errors(self) -> dict[str, str]:
        return {name: h.last_error for name, h in self.supervisor.health.items() if h.last_error and not h.running}

    def _tell_findings(self) -> None:
        for finding in [*self.site_file.findings, *self.wired.findings]:
            log.error("%s", finding)
            words = f"Left out of the home: {finding}" if finding.severity == "error" else str(finding)
            self.notices.later_raise(f"site file {finding.where}", "warning", words)


def wire(
    site_file: SiteFile, store: SqliteStore, clock: Clock, on_change: Callable[[str, str], None], config: Path = CONFIG
) -> Wired:
    """Build the adapters; a device whose profile cannot be used is left out with a finding."""
    wired = Wired()
    owners = {
        name: _connection(name, settings, store, clock, on_change) for name, settings in site_file.connections.items()
    }
    for name, owner in owners.items():
        if isinstance(site_file.connections[name], OpenAdrSettings):
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
    return wired


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
    from adapters.openadr.client import Vtn

    return Vtn(name, settings, clock)


def _add_device(wired: Wired, entry: DeviceEntry, owner: Any, clock: Clock, profiles: Path) -> None:
    device, settings = entry.device, entry.settings
    made: Any
    if isinstance(settings, ModbusDeviceSettings):
        from adapters.modbus.device import ModbusDevice
        from adapters.modbus.profile import load_profile

        profile = load_profile(settings.profile, profiles / "modbus")
        made = ModbusDevice(device, settings, profile, owner, clock, main=device.role is Role.MAIN_METER)
        stale = max(10.0, 3 * settings.period_s)
    elif isinstance(settings, P1DeviceSettings):
        from adapters.p1.device import P1Meter

        made = P1Meter(device, settings, owner, clock)
        stale = settings.expire_after_s
    elif isinstance(settings, MqttDeviceSettings):
        from adapters.mqtt.device import MqttDevice
        from adapters.mqtt.profile import load_profile as load_topics

        made = MqttDevice(device, settings, load_topics(settings.profile, profiles / "mqtt"), owner, clock)
        stale = settings.expire_after_s
    elif isinstance(settings, OcppDeviceSettings):
        made = owner.charger(device, settings)
        wired.chargers[device.id] = made
        stale = 3 * settings.sample_interval_s
    else:
        raise Finding("connection", "carries no devices", "Name another connection.")
    wired.meters.append(made)
    wired.stale_after_s[device.id] = max(stale, 2.0 * clock.speed if clock.speed > 1 else 0.0)
    if device.id not in wired.chargers and device.role in _COMMANDED:
        wired.actuators[device.id] = made


_COMMANDED = (Role.BATTERY, Role.HYBRID_INVERTER, Role.WATER_HEATER, Role.HEAT_PUMP)


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
    return dict(document)


def load_tariff(path: Path, currency: str) -> Tariff:
    """A tariff of config/tariffs in the site's currency; raises SiteFileError."""
    try:
        tariff = parse_tariff(read_yaml(path))
    except Finding as finding:
        raise SiteFileError([Finding(f"{path}: {finding.where}", finding.what, finding.remedy)]) from finding
    if tariff.currency != currency:
        what = f"counts in {tariff.currency}, but the site's currency is {currency}"
        raise SiteFileError([Finding(str(path), what, "Choose another tariff, or correct site.currency.")])
    return tariff
