"""The heat pump's thermostat and an outdoor sensor, in the shapes zigbee2mqtt publishes.

Sources: zigbee2mqtt's pages on MQTT topics and messages, availability, and climate exposes.
"""

from __future__ import annotations

import argparse
import asyncio
from dataclasses import dataclass, field
from typing import Any

from firmware_sim.clock import SimClock, add_clock_arguments, clock_from
from firmware_sim.hub import HubClient
from firmware_sim.mqtt_line import MqttLine, add_broker_arguments
from firmware_sim.process import ready, run_process

STATUS_S = 10.0
LOWEST_C, HIGHEST_C, STEP_C = 5.0, 30.0, 0.5
RUNNING_W = 50.0
ONLINE, OFFLINE = '{"state":"online"}', '{"state":"offline"}'


@dataclass
class Thermostat:
    """The zone valve's head and the heat pump's power plug as one zigbee device: pure."""

    target_c: float
    state: dict[str, Any] = field(default_factory=dict)
    """The house's latest state."""

    def accept(self, wanted: dict[str, Any]) -> bool:
        """Take a set message; True when the setpoint changed. Odd values are ignored, as a zigbee head does."""
        setpoint = wanted.get("occupied_heating_setpoint")
        if isinstance(setpoint, bool) or not isinstance(setpoint, (int, float)):
            return False
        if not LOWEST_C <= setpoint <= HIGHEST_C:
            return False
        before, self.target_c = self.target_c, round(setpoint / STEP_C) * STEP_C
        return self.target_c != before

    def zone(self) -> dict[str, Any]:
        """The thermostat's JSON state: degC, W, kWh."""
        power_w = float(self.state.get("hp_w", 0.0))
        return {
            "local_temperature": round(self.state["room_c"], 2),
            "occupied_heating_setpoint": self.target_c,
            "system_mode": "heat",
            "running_state": "heat" if power_w > RUNNING_W else "idle",
            "power": round(power_w, 1),
            "energy": round(self.state["hp_energy_wh"] / 1000.0, 3),
            "linkquality": 112,
        }

    def outdoor(self) -> dict[str, Any]:
        """The outdoor sensor's JSON state: degC and percent."""
        return {
            "temperature": round(self.state["outdoor_c"], 2),
            "humidity": 68.0,
            "battery": 87,
            "voltage": 2900,
            "linkquality": 74,
        }


class ThermostatProcess:
    """Both zigbee devices between the house and the broker."""

    def __init__(
        self, thermostat: Thermostat, topics: tuple[str, str], clock: SimClock, hub: HubClient, line: MqttLine
    ) -> None:
        self._thermostat, self._clock, self._hub, self._line = thermostat, clock, hub, line
        self._zone, self._outdoor = topics
        self._deaf = False

    async def run(self) -> None:
        """Serve until cancelled."""
        self._line.start(f"{self._zone}/set", f"{self._zone}/get", f"{self._outdoor}/get")
        try:
            async with asyncio.TaskGroup() as group:
                for work in (self._hub.run(), self._states(), self._faults(), self._requests(), self._periodic()):
                    group.create_task(work)
                group.create_task(self._greetings())
        finally:
            self._line.publish(f"{self._outdoor}/availability", {"state": "offline"}, retain=True)
            self._line.stop()

    async def _states(self) -> None:
        async for state in self._hub.states():
            first, self._thermostat.state = not self._thermostat.state, state
            if first:
                self._tell()

    async def _requests(self) -> None:
        async for topic, body in self._line.messages():
            if self._deaf:
                continue
            if topic.endswith("/set") and isinstance(body, dict) and self._thermostat.accept(body):
                await self._hub.set(hp_target_c=self._thermostat.target_c)
            self._tell()

    async def _periodic(self) -> None:
        await self._hub.set(hp_target_c=self._thermostat.target_c)
        while True:
            self._tell()
            await self._clock.sleep(STATUS_S, 0.1)

    async def _greetings(self) -> None:
        while True:
            await self._line.connected.wait()
            self._line.publish(f"{self._outdoor}/availability", {"state": "online"}, retain=True)
            self._tell()
            while self._line.connected.is_set():
                await asyncio.sleep(0.2)

    def _tell(self) -> None:
        if self._thermostat.state and not self._deaf:
            self._line.publish(self._zone, self._thermostat.zone())
            self._line.publish(self._outdoor, self._thermostat.outdoor())

    async def _faults(self) -> None:
        while True:
            fault = await self._hub.faults.get()
            for_s = float(fault.get("for_s", 30.0))
            if fault.get("kind") == "drop":
                await self._line.drop(for_s)
            elif fault.get("kind") == "hang":
                self._deaf = True
                await asyncio.sleep(for_s)
                self._deaf = False


def parser() -> argparse.ArgumentParser:
    """The options of this process."""
    options = argparse.ArgumentParser(prog="firmware_sim thermostat", description=__doc__)
    add_clock_arguments(options)
    add_broker_arguments(options)
    options.add_argument("--hub", type=int, required=True, help="TCP port of the house")
    options.add_argument("--prefix", default="zigbee2mqtt", help="base topic of the zigbee bridge")
    options.add_argument("--name", default="living-room", help="friendly name of the thermostat")
    options.add_argument("--outdoor-name", default="outdoor", help="friendly name of the outdoor sensor")
    options.add_argument("--target-c", type=float, default=20.0, help="setpoint at start, degC")
    return options


async def serve(args: argparse.Namespace) -> None:
    """Run both devices until cancelled."""
    zone, outdoor = f"{args.prefix}/{args.name}", f"{args.prefix}/{args.outdoor_name}"
    line = MqttLine(args, f"z2m-{args.name}", (f"{zone}/availability", ONLINE), (f"{zone}/availability", OFFLINE))
    hub = HubClient("heat", args.hub)
    process = ThermostatProcess(Thermostat(args.target_c), (zone, outdoor), clock_from(args), hub, line)
    ready("thermostat", args.broker_port)
    await process.run()


def main(argv: list[str]) -> None:
    """`python -m firmware_sim thermostat ...`"""
    run_process(serve(parser().parse_args(argv)))
