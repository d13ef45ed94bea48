"""Commands of one MQTT device: sent, confirmed by its echo or its answer, remembered while they hold."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from adapters.mqtt.broker import Broker
from adapters.mqtt.decode import fill
from adapters.mqtt.profile import Command, Profile
from gateway.model.errors import CommandRefused
from gateway.model.quantity import Quantity
from gateway.model.setpoint import Setpoint, SetpointKind
from gateway.ports import Clock

CONFIRM_S = 5.0
MIN_CONFIRM_REAL_S = 1.0

Until = Callable[[Callable[[], bool]], Awaitable[None]]
"""Waits until a condition holds, looking again at each message of the device."""


@dataclass(frozen=True, slots=True)
class _Sent:
    """The last wish the device confirmed: when (monotonic home s) and for how long."""

    setpoint: Setpoint
    at: float
    life_s: float


class Commander:
    """Sends the commands of one device; `known` are the values it told last, `until` waits for its messages."""

    def __init__(
        self, device: str, broker: Broker, clock: Clock, known: Mapping[Quantity, float], until: Until
    ) -> None:
        self._device, self._broker, self._clock = device, broker, clock
        self._known, self._until = known, until
        self._sent: dict[SetpointKind, _Sent] = {}
        self._reply: dict[str, Any] | None = None

    def hear_reply(self, document: dict[str, Any]) -> None:
        """The device answered a command."""
        self._reply = document

    async def apply(self, profile: Profile, setpoint: Setpoint) -> None:
        """Send a setpoint and return once the device echoed it; raises DeviceUnreachable or CommandRefused."""
        command = profile.commands.get(setpoint.kind)
        if command is None:
            raise CommandRefused(self._device, "apply setpoint", f"{profile.model} takes no {setpoint.kind.value}")
        life_s = (setpoint.until - self._clock.now()).total_seconds()
        if life_s <= 0:
            raise CommandRefused(self._device, "apply setpoint", "its end has passed")
        if self._holds(setpoint, command, life_s):
            return
        await self._send(command, setpoint.value, life_s)
        self._sent[setpoint.kind] = _Sent(setpoint, self._clock.monotonic(), life_s)

    async def release(self, profile: Profile, value: float | None) -> None:
        """Hand control back with `value`, or with nothing more when it is None; raises DeviceError."""
        self._sent.clear()
        if value is None:
            return
        for command in profile.commands.values():
            timeless = replace(command, payload=_without_seconds(command.payload)) if command.dead_man else command
            await self._send(timeless, value, 0)

    async def _send(self, command: Command, value: float, life_s: float) -> None:
        self._reply = None
        was_so = self._echoes(command, value)  # then its echo proves nothing: wait for its answer, if it gives one
        document = fill(command.payload, value, max(1, math.ceil(life_s)))
        payload = document if isinstance(document, str) else json.dumps(document)
        await self._broker.publish(command.topic, payload, self._device)
        await self._confirm(command, value, by_echo=not (was_so and command.reply_topic))
        if refusal := self._refusal():
            raise CommandRefused(self._device, f"set {command.kind.value}", f"the device answers {refusal}")

    async def _confirm(self, command: Command, value: float, *, by_echo: bool) -> None:
        patience_s = max(CONFIRM_S / self._clock.speed, MIN_CONFIRM_REAL_S)
        try:
            async with asyncio.timeout(patience_s):
                await self._until(lambda: self._reply is not None or (by_echo and self._echoes(command, value)))
        except TimeoutError:
            if self._echoes(command, value):
                return
            reason = f"it did not confirm {value:g} within {patience_s:g} s"
            raise CommandRefused(self._device, f"set {command.kind.value}", reason) from None

    def _refusal(self) -> str:
        error = (self._reply or {}).get("error")
        return "" if error is None else json.dumps(error)

    def _echoes(self, command: Command, value: float) -> bool:
        known = self._known.get(command.echo)
        return known is not None and abs(known - value) <= command.tolerance

    def _holds(self, setpoint: Setpoint, command: Command, life_s: float) -> bool:
        """Whether the device still does the same and, with a dead-man, will do so for long enough."""
        sent = self._sent.get(setpoint.kind)
        if sent is None or not setpoint.same_wish(sent.setpoint) or not self._echoes(command, setpoint.value):
            return False
        if not command.dead_man:
            return True
        left_s = sent.at + sent.life_s - self._clock.monotonic()
        return sent.life_s / 2 <= left_s <= life_s + 1.0


def _without_seconds(payload: Any) -> Any:
    """The payload without its dead-man field."""
    if isinstance(payload, dict):
        return {key: _without_seconds(part) for key, part in payload.items() if part != "{seconds}"}
    return payload
