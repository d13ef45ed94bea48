"""Home Assistant as the judge of what the home shows: a real one, started, asked, and stopped.

    HEARTH_HOME_ASSISTANT=/path/to/venv/bin/python .venv-dev/bin/python -m tests.judges.home_assistant

The named Python needs `homeassistant` with `paho-mqtt`, `home-assistant-frontend` and the recorder's requirements
(docs/how-to/mqtt-and-home-assistant.md). The judge boards it as a new owner would, adds the broker by its own dialog,
waits for the entities, fills in the Energy page and asks Home Assistant what it thinks of it. Its statistics are made
every five minutes, so a run takes up to six.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect

from tests.adapters.conftest import free_port

START_S = 90.0
ENTITIES_S = 30.0
STATISTICS_S = 330.0
WISHES: tuple[tuple[str, str, str, dict[str, Any]], ...] = (
    ("select", "select_option", "car_charge_mode", {"option": "solar"}),
    ("text", "set_value", "car_ready_by", {"value": "06:30"}),
    ("number", "set_value", "battery_reserve_percent", {"value": 35}),
    ("switch", "turn_on", "dr_opt_out", {}),
    ("button", "press", "tank_override_run", {}),
)
"""Domain, service, the end of the entity's unique id, data."""
CONFIGURATION = """\
homeassistant: {{name: Judge, unit_system: metric, currency: EUR, country: BE, time_zone: Europe/Brussels}}
http: {{server_host: 127.0.0.1, server_port: {port}}}
recorder: {{commit_interval: 1}}
history:
energy:
"""


@dataclass
class Verdict:
    """What Home Assistant said."""

    version: str = ""
    states: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By unique id: the registry's entry with the state beside it."""
    devices: list[str] = field(default_factory=list)
    statistics: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By entity id: the metadata of its statistics."""
    energy: dict[str, Any] = field(default_factory=dict)
    """The answer to energy/validate."""
    wishes: list[tuple[str, str, Any]] = field(default_factory=list)
    """What reached the home of what was set in Home Assistant: device, name, value."""
    complaints: list[str] = field(default_factory=list)
    """Warnings and errors about MQTT, sensors or energy in its log."""

    def entity(self, ending: str) -> str:
        """The id of the entity whose unique id ends so."""
        return str(next(entry["entity_id"] for unique, entry in self.states.items() if unique.endswith(ending)))

    @property
    def issues(self) -> list[dict[str, Any]]:
        """Everything the Energy page would complain about."""
        parts = (*self.energy.get("energy_sources", ()), *self.energy.get("device_consumption", ()))
        return [issue for part in parts for issue in part]


class Judge:
    """A running Home Assistant and a conversation with it."""

    def __init__(self, port: int, log: Path) -> None:
        self._base, self._log, self._ids = f"http://127.0.0.1:{port}", log, count(1)
        self._token = ""
        self._socket: ClientConnection | None = None

    async def board(self) -> None:
        """Make an owner by the onboarding dialog, and log in."""
        async with httpx.AsyncClient(base_url=self._base, timeout=30) as http:
            owner = {"client_id": f"{self._base}/", "name": "Judge", "username": "judge",
                     "password": os.urandom(12).hex(), "language": "en"}  # fmt: skip
            code = (await http.post("/api/onboarding/users", json=owner)).raise_for_status().json()["auth_code"]
            form = {"grant_type": "authorization_code", "code": code, "client_id": f"{self._base}/"}
            self._token = (await http.post("/auth/token", data=form)).raise_for_status().json()["access_token"]
        self._socket = await connect(f"{self._base.replace('http', 'ws')}/api/websocket", max_size=None)
        await self._socket.recv()
        await self._socket.send(json.dumps({"type": "auth", "access_token": self._token}))
        assert json.loads(await self._socket.recv())["type"] == "auth_ok"

    async def add_broker(self, port: int) -> None:
        """The MQTT integration by its own dialog."""
        headers = {"Authorization": f"Bearer {self._token}"}
        async with httpx.AsyncClient(base_url=self._base, timeout=30, headers=headers) as http:
            flow = await http.post("/api/config/config_entries/flow", json={"handler": "mqtt"})
            step = f"/api/config/config_entries/flow/{flow.raise_for_status().json()['flow_id']}"
            made = await http.post(step, json={"broker": "127.0.0.1", "port": port})
            assert made.json().get("type") == "create_entry", made.text

    async def ask(self, kind: str, **arguments: Any) -> Any:
        """One websocket command's result."""
        assert self._socket
        number = next(self._ids)
        await self._socket.send(json.dumps({"id": number, "type": kind, **arguments}))
        async with asyncio.timeout(30):
            while True:
                answer = json.loads(await self._socket.recv())
                if answer.get("id") == number and answer.get("type") == "result":
                    assert answer["success"], (kind, answer["error"])
                    return answer["result"]

    async def look(self, verdict: Verdict, prefix: str) -> None:
        """Take down the home's devices, entities and states."""
        entries = await self.ask("config/entity_registry/list")
        states = {state["entity_id"]: state for state in await self.ask("get_states")}
        details = [entry for entry in entries if entry["platform"] == "mqtt"]
        for entry in details:
            full = await self.ask("config/entity_registry/get", entity_id=entry["entity_id"])
            if full["unique_id"].startswith(prefix):
                verdict.states[full["unique_id"]] = {**entry, "now": states.get(entry["entity_id"], {})}
        devices = await self.ask("config/device_registry/list")
        verdict.devices = sorted(each["name"] for each in devices if each["manufacturer"] == "Hearth")

    async def wish(self, verdict: Verdict) -> None:
        """Set what a person may set, each by Home Assistant's own service."""
        for domain, service, ending, data in WISHES:
            target = {"entity_id": verdict.entity(ending)}
            await self.ask("call_service", domain=domain, service=service, target=target, service_data=data)

    async def fill_energy_page(self, verdict: Verdict) -> None:
        """Choose our sensors as the how-to tells the owner to."""

        def grid(key: str, ending: str) -> dict[str, Any]:
            cost = {"stat_compensation": None} if key.endswith("to") else {"stat_cost": None}
            return {key: verdict.entity(ending), **cost, "entity_energy_price": None, "number_energy_price": None}

        battery = {"type": "battery", "stat_energy_from": verdict.entity("store_battery_discharged_wh"),
                   "stat_energy_to": verdict.entity("store_battery_charged_wh")}  # fmt: skip
        sources = [
            {"type": "grid", "flow_from": [grid("stat_energy_from", "grid_meter_energy_import_wh")],
             "flow_to": [grid("stat_energy_to", "grid_meter_energy_export_wh")], "cost_adjustment_day": 0.0},
            {"type": "solar", "stat_energy_from": verdict.entity("roof_energy_produced_wh"),
             "config_entry_solar_forecast": None},
            battery,
        ]  # fmt: skip
        used = ("car_energy_import_wh", "tank_energy_import_wh", "heat_pump_energy_import_wh")
        devices = [{"stat_consumption": verdict.entity(ending)} for ending in used]
        await self.ask("energy/save_prefs", energy_sources=sources, device_consumption=devices)

    async def settle(self, verdict: Verdict, patience_s: float) -> None:
        """Ask for the verdict until there are statistics to judge by, or the patience ends."""
        deadline = time.monotonic() + patience_s
        while True:
            verdict.energy = await self.ask("energy/validate")
            ids = await self.ask("recorder/list_statistic_ids")
            verdict.statistics = {each["statistic_id"]: each for each in ids}
            if not verdict.issues or time.monotonic() > deadline:
                break
            await asyncio.sleep(5)
        words = ("mqtt", "sensor", "energy", "recorder")
        lines = self._log.read_text().splitlines()
        verdict.complaints = [
            line for line in lines
            if (" WARNING " in line or " ERROR " in line) and any(word in line.lower() for word in words)
        ]  # fmt: skip


@asynccontextmanager
async def running(python: str, folder: Path) -> AsyncIterator[Judge]:
    """A Home Assistant in `folder`, ended by its process id at the end."""
    port, log = free_port(), folder / "run.log"
    (folder / "configuration.yaml").write_text(CONFIGURATION.format(port=port))
    command = [python, "-m", "homeassistant", "-c", str(folder), "--skip-pip"]
    with log.open("wb") as out:
        process = await asyncio.create_subprocess_exec(*command, stdout=out, stderr=out)
    judge = Judge(port, log)
    try:
        await _started(port)
        await judge.board()
        yield judge
    finally:
        process.terminate()
        with suppress(TimeoutError):
            async with asyncio.timeout(30):
                await process.wait()
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _started(port: int) -> None:
    async with asyncio.timeout(START_S), httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
        while True:
            with suppress(httpx.HTTPError):
                if (await http.get("/api/onboarding")).status_code == 200:
                    return
            await asyncio.sleep(0.5)


async def judge_home(python: str, patience_s: float = STATISTICS_S) -> Verdict:
    """Show a home with every kind of device, and hear what Home Assistant makes of it."""
    from tests.judges.shown_home import PREFIX, shown

    verdict = Verdict(version=_version(python))
    with tempfile.TemporaryDirectory() as folder:
        async with shown(Path(folder)) as home, running(python, Path(folder)) as judge:
            await judge.add_broker(home.port)
            async with asyncio.timeout(ENTITIES_S):
                while len(verdict.states) < home.entities:
                    await asyncio.sleep(0.5)
                    await judge.look(verdict, PREFIX)
            await asyncio.sleep(3)  # counters follow once the broker's memory has been heard
            await judge.look(verdict, PREFIX)
            await judge.wish(verdict)
            await judge.fill_energy_page(verdict)
            await judge.settle(verdict, patience_s)
            verdict.wishes = home.wishes
    return verdict


def _version(python: str) -> str:
    command = [python, "-c", "import homeassistant.const as c; print(c.__version__)"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def report(verdict: Verdict) -> str:
    """All of it in lines."""
    lines = [f"Home Assistant {verdict.version}: {', '.join(verdict.devices)}; {len(verdict.states)} entities"]
    for unique, entry in sorted(verdict.states.items()):
        attributes = entry["now"].get("attributes", {})
        about = [attributes.get(key) for key in ("device_class", "state_class", "unit_of_measurement")]
        lines.append(f"  {unique}: {entry['now'].get('state')!r} {about}")
    for name, each in sorted(verdict.statistics.items()):
        lines.append(f"  statistics {name}: {each['statistics_unit_of_measurement']}, sum {each['has_sum']}")
    lines += [f"wishes heard: {verdict.wishes}", f"energy/validate: {verdict.energy}"]
    return "\n".join([*lines, f"complaints in its log: {verdict.complaints or 'none'}", ""])


def main() -> None:
    verdict = asyncio.run(judge_home(os.environ["HEARTH_HOME_ASSISTANT"]))
    sys.stdout.write(report(verdict))
    sys.exit(bool(verdict.issues or verdict.complaints))


if __name__ == "__main__":
    main()
