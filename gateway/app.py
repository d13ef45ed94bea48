"""Wiring by plain constructor calls: from a site file to a running gateway."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from adapters.modbus.settings import ModbusDeviceSettings
from adapters.mqtt.settings import MqttSettings
from adapters.p1.settings import P1DeviceSettings
from adapters.pki.signer import RecordSigner
from adapters.sqlite.store import SqliteStore
from gateway.assembly import CONFIG, load_shapes, read_yaml, wire
from gateway.charger_house import PKI, ChargerHouse
from gateway.config import SiteFile
from gateway.core.control.timing import ControlTiming
from gateway.core.demand_response.proof_rules import parse_proof
from gateway.core.demand_response.report_offers import offers_ahead
from gateway.core.demand_response.strategies import parse_strategies
from gateway.core.metering.freeze import Wishes
from gateway.core.planning.car_schedule import schedule_for
from gateway.core.tariff.holidays import is_holiday
from gateway.core.tariff.rates import price_at
from gateway.model.dr import DrReport
from gateway.model.errors import SiteFileError, StoreError
from gateway.model.plan import Plan
from gateway.model.series import SeriesKind
from gateway.model.site import Role
from gateway.model.snapshot import Snapshot
from gateway.model.tariff import Tariff
from gateway.ports import Clock, Closing
from gateway.reload import check_by_hand, read_site
from gateway.runtime.adoption import Adoption
from gateway.runtime.appliance_wishes import ApplianceWishes
from gateway.runtime.demand_response import DemandResponse
from gateway.runtime.dr_news import DrNews
from gateway.runtime.effects import Effects
from gateway.runtime.envelopes import Envelopes
from gateway.runtime.event_chain import EventAudit, EventChain
from gateway.runtime.highest_peak import HighestPeak
from gateway.runtime.home import Home
from gateway.runtime.installer import Installer
from gateway.runtime.learn import Learn
from gateway.runtime.ledger import Ledger
from gateway.runtime.ledger_prices import LedgerPrices
from gateway.runtime.live import Changes, HomeState
from gateway.runtime.load_watch import LoadWatch
from gateway.runtime.memory import give_back
from gateway.runtime.meters import Intake, MeterLoop
from gateway.runtime.notices import Notices
from gateway.runtime.offers import Offers
from gateway.runtime.outward import Outward
from gateway.runtime.planning import PlanLoop
from gateway.runtime.reporting import Reporting
from gateway.runtime.request import Requests
from gateway.runtime.running_month import RunningMonth
from gateway.runtime.shown import DeviceNotes
from gateway.runtime.sources import Sources
from gateway.runtime.supervisor import Supervisor, TaskHealth
from gateway.runtime.targeting import TargetingLoop
from gateway.runtime.tick import Tick
from gateway.runtime.watchdog import keep_watch
from gateway.runtime.wiring import WiringLoop
from gateway.runtime.wishes import OwnerWishes
from gateway.site_edit import add_device, file_hash
from gateway.tariff_folder import TariffFolder
from gateway.web.settings import WebSettings

log = logging.getLogger(__name__)

BROKEN_FILE = "site file changed"
"""Cause of the notification about a site file that cannot be taken up."""
TAKE_UP_S = 0.5
"""Real seconds between an adoption and the new site file: time for its answer."""
CLOSE_S = 2.0
"""Real seconds that taking back subscriptions may take."""
HOUSEKEEPING_FIRST_S, HOUSEKEEPING_S = 600.0, 6 * 3600.0


async def _closed(server: object) -> None:
    """Close a utility's server; one that is not there holds nobody up."""
    if isinstance(server, Closing):
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                await server.close()


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
        house: ChargerHouse | None = None,
    ) -> None:
        site = site_file.site
        self.site_changed = asyncio.Event()
        """Set when the site file has changed and this gateway must give way to one on the new file."""
        self.house = house
        self.config = config
        self.site_file, self.store, self.clock = site_file, store, clock
        self.changes = Changes()
        self.notices = Notices(store, clock, self.changes)
        store.on_trouble(self._store_trouble)
        self.supervisor = Supervisor(clock)
        self.wired = wire(site_file, store, clock, self._device_changed, config, house)
        self.state = HomeState(site, clock, self.wired.stale_after_s, self.wired.chargers)
        self.state.silent.update(self.wired.left_out)
        self.intake = Intake(self.state, clock, store, self.notices)
        self.sources = Sources(site, clock, store, self.notices, self.wired.sources, self._told_anew)
        self.wishes = OwnerWishes(site, clock, store, self._wish_changed)
        self.appliances = ApplianceWishes(site, clock, store, self._wish_changed)
        self.load_watch = LoadWatch(site, clock, store)
        shapes = load_shapes(site_file, config)
        self.learn = Learn(
            site,
            clock,
            store,
            lambda: self.plans.cause("forecast"),
            weather=self.sources.temperature,
            irradiance=self.sources.irradiance,
            dictionary=shapes,
            notices=self.notices,
            preferences=lambda: self.wishes.preferences,
        )
        self.chain = EventChain(clock, store, RecordSigner(store.folder / PKI))
        table = read_yaml(config / "dr" / f"{site_file.strategies}.yaml")
        self.dr = DemandResponse(
            site,
            clock,
            store,
            self.notices,
            parse_strategies(table),
            lambda: self.wishes.preferences,
            self._wish_changed,
            servers=self.wired.servers,
            chain=self.chain,
            configured=tuple(self.wired.servers),
        )
        self.tick = Tick(
            self.state,
            clock,
            ControlTiming.at_speed(clock.speed),
            self._frozen_wishes,
            self.wired.chargers,
            self.wired.actuators,
            EventAudit(store, self.chain, self.dr.records),
            self.notices,
            self._ticked,
        )
        self.state.on_overload = self.tick.hurry
        self.wiring = self._wiring_loop()
        self.envelopes = Envelopes(
            site, clock, store, self.notices, self.state, lambda: self.tick.last, self._wish_changed, self.wired.doors
        )
        self.month = RunningMonth(site, clock, store, tariff)
        self.highest = HighestPeak(site, clock, store)
        requests = Requests(
            site,
            clock,
            tariff,
            self.tick,
            self.learn,
            self.dr,
            self.wishes,
            self.month,
            self.sources,
            self.highest,
            self.envelopes,
        )
        self.plans = PlanLoop(clock, store, requests.make, self._planned)
        self.tick.devices.on_change = lambda device: self.plans.cause("battery")
        self.reporting = Reporting(
            site,
            clock,
            store,
            self.dr,
            self.tick,
            self.plans.without,
            rules=parse_proof(table.get("proof")),
            holiday=lambda day: is_holiday(tariff.holidays, day),
            ahead=lambda now: offers_ahead(self.offers.offers),
            on_queued=self._report_queued,
            archive=lambda day: self.home.archive.day(day),
        )
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
            lambda tariff, when: price_at(tariff, when, self.sources.spot()),
            shapes.typical,
            self._task_errors,
            self._installer(),
            simulated,
            notes=self._notes,
        )
        self.home.tariffs = TariffFolder(config / "tariffs", site.currency)
        prices = LedgerPrices(site, tariff, lambda: self.dr.timeline, self.sources.spot, self.sources.carbon)
        self.ledger = Ledger(site, clock, store, prices.at, prices.edges)
        self.home.ledger = self.ledger
        self.home.appliances = self.appliances
        self.home.sources = self.sources
        self.home.envelopes = self.envelopes
        self.home.chain, self.home.kept_back = self.chain, self.reporting.held_back
        self.offers = self.home.offers = Offers(clock, store, self.plans, site.co2_g_per_kwh)
        self.effects = Effects(clock, self.dr, self.plans, site.co2_g_per_kwh, self.changes.touch)
        self.targeting = self.home.targeting = TargetingLoop(
            site,
            clock,
            store,
            self.learn,
            self.dr,
            lambda: self.wishes.preferences,
            lambda: self.tick.last,
            frozenset({*self.wired.chargers, *self.wired.actuators}),
            lambda: self.offers.offers,
            names=len(shapes.names),
        )
        self.home.effects, self.news = self.effects, DrNews(clock, self.dr, self.notices)

    def _wiring_loop(self) -> WiringLoop | None:
        """Watches how the main meter's current transformers are mounted; a utility's own meter needs no such watch."""
        main = next((e for e in self.site_file.devices if e.device.role is Role.MAIN_METER), None)
        if main is None or isinstance(main.settings, P1DeviceSettings):
            return None
        correctable = isinstance(main.settings, ModbusDeviceSettings)
        return WiringLoop(self.site_file.site, self.clock, self.notices, lambda: self.tick.last, keys=correctable)

    async def start(self) -> None:
        """Resume what was under way before, then start every loop; nothing waits for a device."""
        await self.notices.resume()
        await self.wishes.resume()
        await self.appliances.resume()
        await self.load_watch.resume()
        await self.dr.resume()
        await self.envelopes.resume()
        await self.intake.resume()
        await self.sources.resume()
        self._tell_findings()
        start = self.supervisor.start
        self._show_outwards()
        if self.house is not None:
            self.house.start()
        for connection in self.wired.connections:
            start(f"connection {connection.name}", connection.run)
        for meter in self.wired.meters:
            role = next(d.role for d in self.state.site.devices if d.id == meter.id)
            start(f"meter {meter.id}", MeterLoop(meter, self.intake, self.clock, role).run)
        start("tick", self.tick.run)
        start("store", self.intake.run)
        start("notices", self.notices.run)
        start("running month", self.month.run)
        start("highest peak", self.highest.run)
        start("learn", self.learn.run)
        start("plan", self.plans.run)
        start("events", self.dr.follow)
        start("reports", self.reporting.run)
        start("event records", self.chain.run)
        start("flexibility", self.offers.run)
        start("effects", self.effects.run)
        start("suitability", self.targeting.run)
        start("event news", self.news.run)
        start("appliances", self.appliances.run)
        start("loads", self.load_watch.run)
        start("housekeeping", self._housekeeping)
        start("ledger", self.ledger.run)
        start("plan archive", self.home.archive.run)
        start("savings", self.home.savings.run)
        start("alerts", self.home.alerts.run)
        if self.wiring is not None:
            start("wiring", self.wiring.run)
        start("watchdog", lambda: keep_watch(self.tick, self.clock))
        start("memory", lambda: give_back(self.clock))
        for server in self.wired.servers.values():
            start(f"server {server.name}", lambda server=server: self.dr.poll(server))  # type: ignore[misc]
            start(f"outbox {server.name}", lambda server=server: self.reporting.deliver(server))  # type: ignore[misc]
        for source in self.wired.sources:
            start(f"source {source.name}", lambda source=source: self.sources.follow(source))  # type: ignore[misc]
        if self.wired.sources:
            start("sources", self.sources.watch)
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
        pause_s = HOUSEKEEPING_FIRST_S  # a hub that is restarted each day must come to it too
        while True:
            await self.clock.sleep(pause_s, real_floor=60)
            now, pause_s = self.clock.now(), HOUSEKEEPING_S
            await self.store.prune(now)
            await self.store.scrub(now)
            await self.store.keep_copy(now)

    async def stop(self, *, release: bool = True) -> None:
        """Orderly end: devices to their own safe behaviour (unless another gateway goes on), samples to disk, loops."""
        for task in self.supervisor.tasks("tick"):
            task.cancel()
        if release:
            await self.tick.release_all()
        with suppress(StoreError):
            await self.load_watch.keep()
            await self.intake.flush(final=True)
        await self.home.questions.close()
        await asyncio.gather(*(_closed(server) for server in self.wired.servers.values()))
        await self.supervisor.stop()

    def _installer(self) -> Installer:
        """The installer's view of every CSMS of the home."""
        desks = list(self.wired.desks.values())
        return Installer(
            desks,
            self.clock,
            self.store,
            self.adoption(),
            self.house.uploads if self.house is not None else None,
            urls=lambda identity: [url for desk in desks for url in desk.urls(identity)],
            root_certificate=lambda: next((desk.root_certificate() for desk in desks), ""),
        )

    def adoption(self) -> Adoption | None:
        """Adopts chargers into the site file that this gateway runs on."""
        if not self.wired.desks:
            return None
        held, known = self.site_file, file_hash(self.site_file.path)

        def add(device: str, entry: Mapping[str, Any]) -> None:
            now = file_hash(held.path)
            if now != known:  # by hand: what was written there is taken up together with the charger
                check_by_hand(held, entry, self.config)
            add_device(held.path, device, entry, expected=now, load=read_site)

        return Adoption(list(self.wired.desks.values()), add, self._take_up)

    def _take_up(self) -> None:
        """The answer to who asked goes out first; then the new site file is taken up."""

        async def soon() -> None:
            await self.clock.sleep(0, real_floor=TAKE_UP_S)
            self.site_changed.set()

        self.supervisor.start("new site file", soon)

    def _frozen_wishes(self) -> Wishes:
        loads = self.load_watch.loads(self.appliances.runs)
        limits = (*self.dr.in_force(), *self.envelopes.in_force())
        return Wishes(self.wishes.preferences, limits, self.wishes.active(), self.plans.plan, loads)

    def _ticked(self, snapshot: Snapshot) -> None:
        self.appliances.observe(snapshot, self.tick.setpoints)
        self.load_watch.observe(snapshot, self.tick.setpoints)
        self.plans.watch(snapshot)
        self.ledger.observe(snapshot, self.tick.setpoints)
        self.changes.touch()

    def _planned(self, plan: Plan) -> None:
        """A new plan: the tick follows it at once, and cars that told their needs are shown what it means for them."""
        self.tick.hurry()
        now = self.clock.now()
        for device, charger in self.wired.chargers.items():
            if charger.status().needs is None or not plan.slots:
                continue
            periods = [(now + timedelta(seconds=after), power) for after, power in schedule_for(plan, device, now)]
            charger.show_outlook([*periods, (plan.slots[-1].start + timedelta(seconds=plan.slots[-1].duration_s), 0.0)])

    async def _report_queued(self, report: DrReport) -> None:
        """A report handed to the outbox stands in its event's record, with the hash of what it says."""
        digest = sha256(repr(report.rows).encode()).hexdigest()
        await self.chain.add(f"{report.server}:{report.event}", "reported", key=report.key, digest=digest)

    def _wish_changed(self, what: str) -> None:
        if what == "preference":
            self.dr.reconsider()
        self.tick.hurry()
        self.plans.cause(what)
        self.changes.touch()

    def _told_anew(self, kind: SeriesKind) -> None:
        """What a source tells has changed: the plan counts with it at once."""
        if kind in (SeriesKind.SPOT, SeriesKind.CARBON):
            self.plans.cause("price")
        else:
            self.learn.hurry()
        self.changes.touch()

    def _device_changed(self, device: str, what: str) -> None:
        if what == "connected":
            self.tick.reachable(device)
        self.tick.hurry()
        if what in ("plugged", "unplugged", "session", "needs", "connected", "disconnected"):
            self.plans.cause("car")
        self.changes.touch()

    def _task_errors(self) -> dict[str, str]:
        return {name: h.last_error for name, h in self._health().items() if h.last_error and not h.running}

    def _health(self) -> dict[str, TaskHealth]:
        return self.supervisor.health | (self.house.supervisor.health if self.house is not None else {})

    def _store_trouble(self, cause: str, words: str | None) -> None:
        """What the store tells of the disk; None when it is over."""
        if words is None:
            self.notices.later_end(cause)
        else:
            self.notices.later_raise(cause, "warning" if cause == "disk reserve" else "alarm", words)

    def _notes(self, device: str) -> DeviceNotes:
        """What a device's adapter says beside its readings: its profile, its pace, the messages it could not use."""
        entry = next((e for e in self.site_file.devices if e.device.id == device), None)
        meter = next((m for m in self.wired.meters if m.id == device), None)
        said = (getattr(meter, name, "") for name in ("warning", "troubles"))
        return DeviceNotes(getattr(entry and entry.settings, "profile", ""), "; ".join(word for word in said if word))

    def tell_broken(self, error: SiteFileError) -> None:
        """The site file was changed and cannot be used: what was there before holds."""
        log.error("the site file is not taken up: %s", error)
        self.notices.later_end(BROKEN_FILE)
        words = f"The changed site file is not taken up, the one before holds: {error.findings[0]}"
        self.notices.later_raise(BROKEN_FILE, "warning", words)

    def _tell_findings(self) -> None:
        self.notices.later_end(BROKEN_FILE)
        for finding in [*self.site_file.findings, *self.wired.findings]:
            log.error("%s", finding)
            words = f"Left out of the home: {finding}" if finding.severity == "error" else str(finding)
            self.notices.later_raise(f"site file {finding.where}", "warning", words)
