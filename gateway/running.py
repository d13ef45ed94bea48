"""The process of the gateway: from the folder and the site file to the end, over every new site file between."""

from __future__ import annotations

import asyncio
import logging
import signal
from pathlib import Path

from adapters.ocpp.quirks import Quirks, load_quirks
from adapters.sqlite.store import SqliteStore
from gateway.app import Gateway
from gateway.assembly import CONFIG
from gateway.charger_house import ChargerHouse
from gateway.folder import DATABASE, hold_folder, make_folder
from gateway.model.errors import SiteFileError
from gateway.reload import Basis, first_of, read_anew, read_basis
from gateway.runtime.memory import keep_little
from gateway.runtime.system_clock import SystemClock

log = logging.getLogger(__name__)


async def run_gateway(
    path: Path, data: Path, clock: SystemClock, *, simulated: bool = False, config: Path = CONFIG
) -> None:
    """Run the gateway until SIGTERM or SIGINT; SIGHUP has it take the site file up anew. Raises SiteFileError or HearthError when it cannot start at all."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for noisy in ("httpx", "httpcore", "websockets", "pymodbus", "aiomqtt", "uvicorn.error"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    keep_little()
    hang_up = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGHUP, hang_up.set)
    basis = read_basis(path, config)
    make_folder(data)
    hold_folder(data)
    store = SqliteStore.open(data / DATABASE)
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    house = ChargerHouse(data, clock, _quirks(config))
    try:
        fresh: Basis | None = basis
        while fresh is not None:
            gateway, fresh = Gateway(fresh.site_file, fresh.tariff, store, clock, simulated, config, house), None
            try:
                await gateway.start()
                fresh = await _next_basis(gateway, stop, hang_up, config)
            finally:
                await gateway.stop(release=fresh is None)
    finally:
        await house.stop()
        await store.close()


async def _next_basis(gateway: Gateway, stop: asyncio.Event, hang_up: asyncio.Event, config: Path) -> Basis | None:
    """Wait for a sound new site file, and answer it, or for the end (None); this one goes on while it is broken."""
    while True:
        await first_of(stop, hang_up, gateway.site_changed)
        if stop.is_set():
            return None
        hang_up.clear()
        gateway.site_changed.clear()
        try:
            return await asyncio.to_thread(read_anew, gateway.site_file, config)
        except SiteFileError as error:
            gateway.tell_broken(error)


def _quirks(config: Path) -> Quirks:
    """What is known beforehand of chargers by their make; a broken table costs that, not the start."""
    try:
        return load_quirks(config / "devices" / "ocpp" / "quirks.yaml")
    except SiteFileError as error:
        log.error("what is known of chargers by their make is left out: %s", error)
        return Quirks()
