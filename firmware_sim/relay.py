"""A metering relay before the water heater, the pool's pump or the dishwasher, as a Shelly Plus 1PM (Gen2) speaks over
MQTT; before the water heater with a temperature add-on.

Topics and shapes from the maker's Gen2 API pages: MQTT, Switch, Temperature, Notifications.
"""

from __future__ import annotations

import argparse
import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from firmware_sim.clock import SimClock, add_clock_arguments, clock_from
from firmware_sim.hub import HubClient
from firmware_sim.mqtt_line import MqttLine, add_broker_arguments
from firmware_sim.process import ready, run_process

STATUS_S = 10.0
POWER_STEP_W = 5.0
"""A change of power by more than this is told at once."""


class RpcError(Exception):
    """An error answer: code and message as in the maker's RPC protocol."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


@dataclass(frozen=True, slots=True)
class Measured:
    """What the relay's own meter and the probe show."""

    power_w: float = 0.0
    voltage_v: float = 230.0
    energy_wh: float = 0.0
    tank_c: float = 0.0


@dataclass
class Relay:
    """The switch itself: pure, told the time; `toggle_at` is the dead-man."""

    prefix: str
    on: bool = False
    source: str = "init"
    toggle_at: datetime | None = None
    measured: Measured = Measured()
    load: str = "tank"
    """What hangs on it: tank, pool or dishwasher."""

    @property
    def order(self) -> str:
        """What the house calls its contact."""
        return "relay_on" if self.load == "tank" else f"{self.load}_on"

    def switch(self) -> dict[str, Any]:
        """Switch.GetStatus."""
        seen = self.measured
        return {
            "id": 0,
            "source": self.source,
            "output": self.on,
            "apower": round(seen.power_w, 1),
            "voltage": round(seen.voltage_v, 1),
            "current": round(seen.power_w / seen.voltage_v, 3) if seen.voltage_v else 0.0,
            "freq": 50.0,
            "aenergy": {"total": round(seen.energy_wh, 3), "by_minute": [0.0, 0.0, 0.0], "minute_ts": 0},
            "temperature": {"tC": 42.0, "tF": 107.6},
        }

    def temperature(self) -> dict[str, Any]:
        """Temperature.GetStatus of the add-on's probe in the tank."""
        celsius = round(self.measured.tank_c, 1)
        return {"id": 100, "tC": celsius, "tF": round(celsius * 1.8 + 32, 1)}

    def status(self) -> dict[str, Any]:
        """Shelly.GetStatus, the parts that matter here."""
        probe = {"temperature:100": self.temperature()} if self.load == "tank" else {}
        return {"switch:0": self.switch(), **probe, "mqtt": {"connected": True}}

    def call(self, method: str, params: dict[str, Any], now: datetime) -> Any:
        """Answer one RPC; raises RpcError."""
        if method == "Switch.Set":
            return self._set(params, now)
        answers = {
            "Switch.GetStatus": self.switch,
            "Temperature.GetStatus": self.temperature,
            "Shelly.GetStatus": self.status,
        }
        if method not in answers:
            raise RpcError(404, f"No handler for {method}")
        return answers[method]()

    def tick(self, now: datetime) -> bool:
        """Toggle back when the time is up; True when it did."""
        if self.toggle_at is None or now < self.toggle_at:
            return False
        self.on, self.source, self.toggle_at = not self.on, "timer", None
        return True

    def _set(self, params: dict[str, Any], now: datetime) -> dict[str, Any]:
        if params.get("id") != 0 or not isinstance(params.get("on"), bool):
            raise RpcError(-103, "Missing or bad argument 'id' or 'on'!")
        after = params.get("toggle_after")
        if after is not None and not isinstance(after, (int, float)):
            raise RpcError(-103, "Bad argument 'toggle_after'!")
        before, self.on, self.source = self.on, params["on"], "mqtt"
        self.toggle_at = None if after is None else now + timedelta(seconds=after)
        return {"was_on": before}


class RelayProcess:
    """The relay between the house and the broker."""

    def __init__(
        self, relay: Relay, clock: SimClock, hub: HubClient, line: MqttLine, rated: dict[str, float] | None = None
    ) -> None:
        self._rated = rated or {}
        self._relay, self._clock, self._hub, self._line = relay, clock, hub, line
        self._told: dict[str, Any] = {}
        self._deaf = False

    async def run(self) -> None:
        """Serve until cancelled."""
        prefix = self._relay.prefix
        self._line.start(f"{prefix}/rpc", f"{prefix}/command")
        try:
            async with asyncio.TaskGroup() as group:
                for work in (self._hub.run(), self._states(), self._faults(), self._requests(), self._periodic()):
                    group.create_task(work)
                group.create_task(self._timer())
                group.create_task(self._greetings())
        finally:
            self._line.stop()

    async def _states(self) -> None:
        async for state in self._hub.states():
            load = self._relay.load
            self._relay.measured = Measured(
                state[f"{load}_w"], state["voltage_v"][0], state[f"{load}_energy_wh"], state["tank_c"]
            )
            moved = abs(self._relay.measured.power_w - self._told.get("apower", 0.0)) > POWER_STEP_W
            if moved and not self._deaf:
                self._tell_change()

    async def _requests(self) -> None:
        async for topic, body in self._line.messages():
            if self._deaf:
                continue
            if topic.endswith("/command"):
                self._tell_all()
            elif isinstance(body, dict) and "method" in body:
                await self._answer(body)

    async def _answer(self, request: dict[str, Any]) -> None:
        reply: dict[str, Any] = {"id": request.get("id"), "src": self._relay.prefix, "dst": request.get("src")}
        before = self._relay.on
        try:
            reply["result"] = self._relay.call(request["method"], request.get("params") or {}, self._clock.now())
        except RpcError as error:
            reply["error"] = {"code": error.code, "message": error.message}
        if request.get("src"):
            self._line.publish(f"{request['src']}/rpc", reply)
        await self._follow(before)

    async def _timer(self) -> None:
        while True:
            await self._clock.sleep(1.0, 0.05)
            before = self._relay.on
            self._relay.tick(self._clock.now())
            await self._follow(before)

    async def _follow(self, before: bool) -> None:
        if self._relay.on != before:
            await self._hub.set(**{self._relay.order: self._relay.on})
            self._tell_change()

    async def _periodic(self) -> None:
        await self._hub.set(**{self._relay.order: self._relay.on}, **self._rated)
        while True:
            self._tell_all()
            await self._clock.sleep(STATUS_S, 0.1)

    async def _greetings(self) -> None:
        while True:
            await self._line.connected.wait()
            self._tell_all()
            while self._line.connected.is_set():
                await asyncio.sleep(0.2)

    def _tell_all(self) -> None:
        if self._deaf or self._hub.latest is None:
            return
        self._told = self._relay.switch()
        self._line.publish(f"{self._relay.prefix}/status/switch:0", self._told)
        if self._relay.load == "tank":
            self._line.publish(f"{self._relay.prefix}/status/temperature:100", self._relay.temperature())

    def _tell_change(self) -> None:
        now = self._relay.switch()
        changed = {key: value for key, value in now.items() if value != self._told.get(key)}
        self._told = now
        params = {"ts": round(self._clock.now().timestamp(), 2), "switch:0": {"id": 0, **changed}}
        body = {"src": self._relay.prefix, "dst": f"{self._relay.prefix}/events"}
        self._line.publish(f"{self._relay.prefix}/events/rpc", {**body, "method": "NotifyStatus", "params": params})
        self._line.publish(f"{self._relay.prefix}/status/switch:0", now)

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
    options = argparse.ArgumentParser(prog="firmware_sim relay", description=__doc__)
    add_clock_arguments(options)
    add_broker_arguments(options)
    options.add_argument("--hub", type=int, required=True, help="TCP port of the house")
    options.add_argument("--name", choices=("tank", "pool", "dishwasher"), default="tank", help="what hangs on it")
    options.add_argument("--power", type=float, metavar="W", help="what a pool's pump draws; 1100 by itself")
    options.add_argument("--prefix", help="topic prefix of the device; by itself shellyplus1pm-NAME")
    return options


async def serve(args: argparse.Namespace) -> None:
    """Run the relay until cancelled."""
    prefix, load = args.prefix or f"shellyplus1pm-{args.name}", args.name
    line = MqttLine(args, prefix, (f"{prefix}/online", "true"), (f"{prefix}/online", "false"))
    # A machine's plug has power until somebody takes it; the others begin without.
    relay = Relay(prefix, on=load == "dishwasher", load=load)
    rated = {"pool_rated_w": args.power} if load == "pool" and args.power is not None else {}
    name = "relay" if load == "tank" else f"relay {load}"
    process = RelayProcess(relay, clock_from(args), HubClient(name, args.hub), line, rated)
    ready("relay", args.broker_port)
    await process.run()


def main(argv: list[str]) -> None:
    """`python -m firmware_sim relay ...`"""
    run_process(serve(parser().parse_args(argv)))
