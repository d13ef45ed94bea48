"""What the command line does beside running the gateway: check, export, backup, restore."""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, date, datetime, time
from pathlib import Path
from zoneinfo import ZoneInfo

from adapters.modbus.settings import ModbusTcpSettings
from adapters.mqtt.settings import MqttSettings
from adapters.ocpp.credentials import Credentials
from adapters.ocpp.settings import OcppDeviceSettings
from adapters.sqlite.store import SqliteStore
from gateway.assembly import CONFIG, KINDS, Wired, load_shapes, load_strategies, wire
from gateway.charger_house import PKI
from gateway.config import DeviceEntry, SiteFile, load_site
from gateway.core.metering.csv_rows import COLUMNS, LENGTH_COLUMN
from gateway.core.metering.green_button import Source, green_button
from gateway.folder import DATABASE, hold_folder, make_folder
from gateway.model.errors import DeviceError, DeviceUnreachable, Finding, ServerError, StoreError
from gateway.model.reading import INTERVAL_S, Interval
from gateway.ports import Clock, Meter
from gateway.runtime.energy import device_name, read_intervals
from gateway.runtime.system_clock import SystemClock
from gateway.site_advice import advice
from gateway.site_tariff import load_site_tariff
from gateway.web.settings import WebSettings

ASK_S = 15.0
CONNECT_S = 4.0
CERTIFICATES = ".certificates"
"""Put behind a backup's name: the folder of the hub's own certificates and keys."""


async def check_site(path: Path, *, devices: bool, config: Path = CONFIG, data: Path | None = None) -> list[Finding]:
    """All findings of a site file; with `devices` every device is asked once. Raises SiteFileError when unusable.

    `data` is the gateway's folder, where the passwords of adopted chargers are kept.
    """
    clock = SystemClock()
    site_file = load_site(path, KINDS, WebSettings)
    tariff = load_site_tariff(site_file, config)
    load_strategies(config / "dr" / f"{site_file.strategies}.yaml")
    load_shapes(site_file, config)
    store = SqliteStore.open(Path(":memory:"))
    try:
        wired = wire(site_file, store, clock, lambda device, what: None, config)
        findings = [*site_file.findings, *wired.findings, *await _without_password(site_file, data)]
        findings += advice(site_file, tariff, config / "tariffs")
        if devices:
            findings += await _ask_devices(wired, site_file, clock)
        return findings
    finally:
        await store.close()


async def _without_password(site_file: SiteFile, data: Path | None) -> list[Finding]:
    """Chargers that must show a password which nobody knows: they would be refused for ever."""
    asked = [
        (entry, entry.settings)
        for entry in site_file.devices
        if isinstance(entry.settings, OcppDeviceSettings) and entry.settings.needs_password
    ]
    if not asked:
        return []
    known = await _with_kept_password({settings.charge_point_id for _, settings in asked}, data)
    where = f"in {data}" if data is not None else "by the gateway"
    return [
        Finding(
            f"{site_file.path}:{entry.line}: devices.{entry.device.id}.security_profile",
            f"asks for a password, and none is known: there is no password here, and none is kept {where}",
            "Add 'password: !secret ...'; if it was adopted on the page Chargers, name the gateway's folder with --data.",
            severity="warning",
        )
        for entry, settings in asked
        if settings.charge_point_id not in known
    ]


async def _with_kept_password(identities: set[str], data: Path | None) -> set[str]:
    if data is None or not (data / DATABASE).is_file():
        return set()
    try:
        store = SqliteStore.open_beside(data / DATABASE)
    except StoreError:
        return set()
    try:
        credentials = Credentials(store)
        return {identity for identity in identities if await credentials.knows(identity)}
    finally:
        await store.close()


async def _ask_devices(wired: Wired, site_file: SiteFile, clock: Clock) -> list[Finding]:
    """Ask every device once and every server; what shares a connection waits its turn there."""
    tasks = [asyncio.create_task(connection.run()) for connection in wired.connections]
    entries = {entry.device.id: entry for entry in site_file.devices}
    asked = (_ask(meter, entries[meter.id], site_file, clock) for meter in wired.meters)
    findings = [finding for finding in await asyncio.gather(*asked) if finding is not None]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for name, server in wired.servers.items():
        try:
            await server.programs()
        except ServerError as error:
            where = f"{site_file.path}: connections.{name}"
            findings.append(Finding(where, error.reason, error.remedy or "Check URL and credentials."))
    return findings


async def _ask(meter: Meter, entry: DeviceEntry, site_file: SiteFile, clock: Clock) -> Finding | None:
    """One reading of one device; a connection gets a few seconds to come up first."""
    where = f"{site_file.path}:{entry.line}: devices.{meter.id}"
    settings = site_file.connections[entry.connection]
    address = f" ({settings.host}:{settings.port})" if isinstance(settings, ModbusTcpSettings | MqttSettings) else ""
    begun = clock.monotonic()
    try:
        async with asyncio.timeout(ASK_S):
            while True:
                try:
                    await meter.read()
                    return None
                except DeviceUnreachable as error:
                    if clock.monotonic() - begun > CONNECT_S:
                        return Finding(where, error.reason + address, error.remedy or "Check power, cable and address.")
                await clock.sleep(0, real_floor=0.2)
    except DeviceError as error:
        return Finding(where, error.reason + address, error.remedy or "Check its profile and unit.")
    except TimeoutError:
        what = f"said nothing within {ASK_S:g} s{address}"
        return Finding(where, what, "Check its address, topic and connection.")


async def export_intervals(
    device: str, data: Path, start: date, end: date, resolution_s: int = INTERVAL_S, site: Path | None = None
) -> list[str]:
    """CSV lines of one device's intervals over the days [start, end), to 0.001 Wh; quarter hours as `import` reads them.

    What is missing has no line; other lengths have a column with the minutes. Days are those of the site file's zone, of
    UTC without one. Raises StoreError when there are none.
    """
    zone = load_site(site, KINDS, WebSettings).site.timezone if site else ZoneInfo("UTC")
    rows = await _export_rows(device, data, zone, start, end, resolution_s)

    def number(value: float | None) -> str:
        return "" if value is None else str(round(value, 3))

    names, length = COLUMNS, ""
    if resolution_s != INTERVAL_S:
        names, length = [*COLUMNS, LENGTH_COLUMN], f",{resolution_s // 60}"
    known = (r for r in rows if r.net_wh is not None)
    lines = (f"{r.start.isoformat()},{r.device},{number(r.import_wh)},{number(r.export_wh)}{length}" for r in known)
    return [",".join(names), *lines]


async def export_green_button(
    device: str, data: Path, start: date, end: date, resolution_s: int, site: Path
) -> Iterator[str]:
    """One device's intervals as Green Button XML, in pieces; raises StoreError when there are none."""
    home = load_site(site, KINDS, WebSettings).site
    rows = await _export_rows(device, data, home.timezone, start, end, resolution_s)
    source = Source(home.name, home.timezone, device, device_name(home, device))
    return green_button(source, rows, SystemClock().now())


async def _export_rows(
    device: str, data: Path, zone: ZoneInfo, start: date, end: date, resolution_s: int
) -> list[Interval]:
    first, last = (datetime.combine(day, time(), zone).astimezone(UTC) for day in (start, end))
    store = SqliteStore.open_beside(_database(data))
    try:
        rows = await read_intervals(store, zone, device, first, last, resolution_s)
    finally:
        await store.close()
    if not rows:
        raise StoreError(f"{data}: no intervals of '{device}' in that time. Mend: check the device's id and the days.")
    return rows


async def backup_data(data: Path, target: Path) -> None:
    """A consistent copy of the database, also while the gateway runs; raises StoreError when there is none."""
    store = SqliteStore.open_beside(_database(data))
    try:
        await store.backup(target)
    finally:
        await store.close()
    _copy_certificates(data / PKI, target.with_name(target.name + CERTIFICATES))


def _copy_certificates(source: Path, target: Path) -> None:
    """The hub's own certificates and keys, without which chargers that trust them must be set up anew."""
    if not source.is_dir():
        return
    try:
        target.mkdir(mode=0o700, exist_ok=True)
        for path in source.iterdir():
            if path.is_file():
                _copy_to_disk(path, target / path.name)
    except OSError as error:
        raise StoreError(f"{target}: the certificates cannot be copied: {error.strerror}") from error


def restore_data(source: Path, data: Path) -> Path | None:
    """Put a backup in place; returns where the former database was kept, whole. Raises StoreError for an unusable backup.

    The copy is on the disk before it gets its name: a full disk or a crash leaves the former database where it was.
    """
    target, kept = data / DATABASE, None
    if target.exists() and source.exists() and target.samefile(source):
        raise StoreError(f"{source}: is the database of {data} itself. Mend: name a backup")
    SqliteStore.verify(source)
    make_folder(data)
    hold_folder(data)
    part = target.with_name(f"{DATABASE}.part")
    try:
        _copy_to_disk(source, part)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise StoreError(f"{data}: the backup cannot be copied there: {error.strerror}") from error
    if target.exists():
        kept = target.with_name(f"{DATABASE}.before-restore-{secrets.token_hex(3)}")
        # What was committed last may stand in its log alone: the log goes along.
        for suffix in ("-wal", "-shm"):
            with suppress(FileNotFoundError):
                target.with_name(DATABASE + suffix).rename(kept.with_name(kept.name + suffix))
        target.rename(kept)
    part.replace(target)
    _restore_certificates(source.with_name(source.name + CERTIFICATES), data / PKI)
    return kept


def _restore_certificates(source: Path, target: Path) -> None:
    if not source.is_dir():
        return
    if target.is_dir():
        target.rename(target.with_name(f"{PKI}.before-restore-{secrets.token_hex(3)}"))
    _copy_certificates(source, target)


def _copy_to_disk(source: Path, target: Path) -> None:
    with source.open("rb") as old, target.open("wb") as new:
        target.chmod(0o600)
        shutil.copyfileobj(old, new)
        new.flush()
        os.fsync(new.fileno())


def _database(data: Path) -> Path:
    """The database in a data folder; a folder without one is a mistake, not an empty home."""
    found = data / DATABASE
    if not found.is_file():
        raise StoreError(
            f"{data}: there is no Hearth database here. Mend: name the folder the gateway runs with (--data)"
        )
    return found
