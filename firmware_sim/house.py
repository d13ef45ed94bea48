"""`house`: the one process that owns the physics; every device hangs on its hub."""

from __future__ import annotations

import argparse
import logging
from typing import Any

from firmware_sim.clock import SimClock, add_clock_arguments, clock_from
from firmware_sim.hub import HubServer, Message
from firmware_sim.physics.home import Home
from firmware_sim.physics.replay import Replay, load_data
from firmware_sim.process import ready, run_process

log = logging.getLogger(__name__)
STEP_HOME_S, STEP_REAL_S = 1.0, 0.1


class House:
    """Steps the home and answers its devices."""

    def __init__(self, home: Home, clock: SimClock) -> None:
        self.home = home
        self._clock = clock
        self.hub = HubServer(self.on_message, self.on_leave)

    async def run(self, port: int) -> None:
        """Serve the hub and step the physics until cancelled."""
        ready("house", await self.hub.start(port))
        try:
            while True:
                self.step()
                await self._clock.sleep(STEP_HOME_S, STEP_REAL_S)
        finally:
            await self.hub.close()

    def step(self) -> None:
        """Integrate up to now and tell everybody."""
        self.home.advance(self._clock.now())
        self.hub.broadcast(self.home.state())

    def on_message(self, device: str, message: Message) -> Message | None:
        """Obey one line; what cannot be obeyed is logged, not believed."""
        self.home.advance(self._clock.now())
        try:
            return self._obey(message)
        except (KeyError, TypeError, ValueError) as error:
            log.warning("%s sent a line the house does not understand: %r", device or "somebody", error)
            return None

    def on_leave(self, device: str) -> None:
        """The safe value when a device's wire is cut: no charging offer, the inverter on its own."""
        self.home.advance(self._clock.now())
        if device == "chargepoint":
            self.home.set({"ev_offer_a": 0})
        elif device == "inverter":
            self.home.free_inverter()

    def _obey(self, message: Message) -> Message | None:
        if "set" in message:
            self.home.set(message["set"])
        elif "car" in message:
            car: dict[str, Any] = message["car"]
            self.home.car.move(plugged=car.get("plugged"), soc_percent=car.get("soc_percent"))
        elif "house" in message:
            first, second, third = (float(value) for value in message["house"]["extra_w"])
            self.home.extra_w = (first, second, third)
        elif "report" in message:
            return {"report": self.home.report()}
        return None


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="firmware_sim house", description="The physics of the simulated home.")
    add_clock_arguments(parser)
    parser.add_argument("--port", type=int, default=0, help="port of the hub on 127.0.0.1, 0 for any")
    parser.add_argument("--seed", type=int, default=1, help="the same seed is the same home")
    parser.add_argument(
        "--left-on", type=float, default=0.0, metavar="W", help="a constant load somebody forgot, on L1"
    )
    parser.add_argument("--cooling", action="store_true", help="the heat pump's thermostat stands in cooling")
    args = parser.parse_args(argv)
    clock = clock_from(args)
    replay = Replay(args.seed, load_data())
    home = Home(clock.now(), args.seed, replay, left_on_w=args.left_on, cools=args.cooling)
    run_process(House(home, clock).run(args.port))
