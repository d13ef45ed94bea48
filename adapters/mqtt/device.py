"""An MQTT device: readings out of what it publishes, setpoints as commands that it must echo."""

from __future__ import annotations

import asyncio
import json
import logging
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from adapters.mqtt.bind import bind
from adapters.mqtt.broker import Broker, Message
from adapters.mqtt.decode import BadPayload, Found, fill, find, parse
from adapters.mqtt.profile import Command, Profile
from adapters.mqtt.settings import MqttDeviceSettings
from adapters.mqtt.sums import Summing
from gateway.model.errors import CommandRefused, DeviceUnreachable
from gateway.model.quantity import Quantity
from gateway.model.reading import Quality, Reading
from gateway.model.setpoint import Setpoint, SetpointKind
from gateway.model.site import Device
from gateway.ports import Clock

log = logging.getLogger(__name__)

MIN_SILENCE_REAL_S = 2.0
"""However fast home time runs, a device gets this long of the world's time to speak."""
CONFIRM_S = 5.0
MIN_CONFIRM_REAL_S = 1.0
TELEGRAM_REAL_S = 2.0
"""Parts of one telegram are published within this time."""


@dataclass(frozen=True, slots=True)
class _Sent:
    """The last wish the device confirmed: when (monotonic home s) and for how long."""

    setpoint: Setpoint
    at: float
    life_s: float


class MqttDevice:
    """One device as Meter (it speaks by itself), and as Actuator for the setpoint kinds in `controls`."""

    period_s = 0.0

    def __init__(
        self, device: Device, settings: MqttDeviceSettings, profile: Profile, broker: Broker, clock: Clock
    ) -> None:
        self.id = device.id
        self.controls = frozenset(profile.commands)
        self.bad_payloads = 0
        self._settings, self._broker, self._clock = settings, broker, clock
        self._profile = bind(profile, broker.full_topic(settings.topic), settings.channel)
        partial = [state.topic for state in self._profile.states if state.partial]
        self._box = broker.watch(self._topics(), partial)
        self._plain = [state for state in self._profile.states if not state.parts]
        self._sums = [
            Summing(state, settings.expire_after_s if state.alone else TELEGRAM_REAL_S * clock.speed)
            for state in self._profile.states
            if state.parts
        ]
        self._pending: dict[Quantity, Reading] = {}
        self._known: dict[Quantity, float] = {}
        self._offline = False
        self._reply: dict[str, Any] | None = None
        self._sent: dict[SetpointKind, _Sent] = {}
        self._asked = 0

    async def read(self) -> list[Reading]:
        """The device's next readings; raises DeviceUnreachable when it says it is gone or was silent too long."""
        await self._ask_state(self._broker.connects)
        silence_s = self._settings.expire_after_s / 2
        if not await self._wait(self._has_news, silence_s, MIN_SILENCE_REAL_S / 2):
            await self._ask_state(self._broker.connects, again=True)
            if not await self._wait(self._has_news, silence_s, MIN_SILENCE_REAL_S / 2):
                self._forget()
                reason = "the broker is not connected" if not self._broker.connected else "nothing was heard from it"
                raise DeviceUnreachable(self.id, "read", f"{reason} for {self._settings.expire_after_s:g} s")
        if self._pending:
            readings, self._pending = list(self._pending.values()), {}
            return readings
        self._offline = False  # said once; the next read waits for it to come back
        raise DeviceUnreachable(self.id, "read", "it says that it is offline")

    async def apply(self, setpoint: Setpoint) -> None:
        """Send a setpoint and return once the device echoed it; raises DeviceUnreachable or CommandRefused."""
        command = self._profile.commands.get(setpoint.kind)
        if command is None:
            raise CommandRefused(self.id, "apply setpoint", f"{self._profile.model} takes no {setpoint.kind.value}")
        life_s = (setpoint.until - self._clock.now()).total_seconds()
        if life_s <= 0:
            raise CommandRefused(self.id, "apply setpoint", "its end has passed")
        self._take()
        if self._holds(setpoint, command, life_s):
            return
        await self._send(command, setpoint.value, life_s)
        self._sent[setpoint.kind] = _Sent(setpoint, self._clock.monotonic(), life_s)

    async def release(self) -> None:
        """Hand control back: the configured release value, or nothing more; raises DeviceError."""
        self._sent.clear()
        if self._settings.release_value is None:
            return
        for command in self._profile.commands.values():
            if not command.dead_man:
                await self._send(command, self._settings.release_value, 0)
            else:
                timeless = replace(command, payload=_without_seconds(command.payload))
                await self._send(timeless, self._settings.release_value, 0)

    async def _send(self, command: Command, value: float, life_s: float) -> None:
        self._reply = None
        was_so = self._echoes(command, value)  # then its echo proves nothing: wait for its answer, if it gives one
        document = fill(command.payload, value, max(1, math.ceil(life_s)))
        payload = document if isinstance(document, str) else json.dumps(document)
        await self._broker.publish(command.topic, payload, self.id)
        await self._confirm(command, value, by_echo=not (was_so and command.reply_topic))
        if refusal := self._refusal():
            raise CommandRefused(self.id, f"set {command.kind.value}", f"the device answers {refusal}")

    async def _confirm(self, command: Command, value: float, *, by_echo: bool) -> None:
        patience_s = max(CONFIRM_S / self._clock.speed, MIN_CONFIRM_REAL_S)
        try:
            async with asyncio.timeout(patience_s):
                await self._until(lambda: self._reply is not None or (by_echo and self._echoes(command, value)))
        except TimeoutError:
            if self._echoes(command, value):
                return
            reason = f"it did not confirm {value:g} within {patience_s:g} s"
            raise CommandRefused(self.id, f"set {command.kind.value}", reason) from None

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

    async def _ask_state(self, connects: int, *, again: bool = False) -> None:
        request = self._profile.request
        if request is None or not self._broker.connected or (connects == self._asked and not again):
            return
        self._asked = connects
        try:
            await self._broker.publish(request.topic, request.payload, self.id)
        except DeviceUnreachable:
            return  # silence will tell

    async def _wait(self, ready: Callable[[], bool], home_s: float, real_floor: float) -> bool:
        """Wait until `ready`, or until so much home time passed; whether it became ready."""
        waiting = asyncio.create_task(self._until(ready), name=f"{self.id} waits")
        ageing = asyncio.create_task(self._clock.sleep(home_s, real_floor=real_floor), name=f"{self.id} ages")
        try:
            await asyncio.wait({waiting, ageing}, return_when=asyncio.FIRST_COMPLETED)
            if waiting.done():
                waiting.result()
            return ready()
        finally:
            for task in (waiting, ageing):
                task.cancel()
            await asyncio.gather(waiting, ageing, return_exceptions=True)

    async def _until(self, ready: Callable[[], bool]) -> None:
        self._take()
        while not ready():
            await self._box.arrived.wait()
            self._take()

    def _has_news(self) -> bool:
        return bool(self._pending) or self._offline

    def _take(self) -> None:
        for message in self._box.take():
            try:
                self._understand(message, parse(message.payload))
            except BadPayload as error:
                self.bad_payloads += 1
                if self.bad_payloads == 1:
                    log.warning("%s: a payload on %s cannot be read: %s", self.id, message.topic, error)

    def _understand(self, message: Message, document: Any) -> None:
        availability = self._profile.availability
        if availability and message.topic == availability.topic:
            self._hear_availability(document)
        for command in self._profile.commands.values():
            if message.topic == command.reply_topic and isinstance(document, dict) and not message.retained:
                self._reply = document
        for state in self._plain:
            found = find(document, state) if state.topic == message.topic else None
            if found is not None:
                self._note(state.quantity, found, message.retained)
        for summing in self._sums:
            total = summing.hear(message.topic, document, self._clock.monotonic(), retained=message.retained)
            if total is not None:
                self._note(summing.state.quantity, *total)

    def _note(self, quantity: Quantity, found: Found, retained: bool) -> None:
        quality, reason = Quality.VALID, found.reason
        if found.value is None:
            quality = Quality.MISSING
            self._known.pop(quantity, None)
        elif retained:
            quality, reason = Quality.SUSPECT, "retained, not yet live"
        else:
            self._known[quantity] = found.value
        self._offline = self._offline and retained
        self._pending[quantity] = Reading(self.id, quantity, found.value, self._clock.now(), quality, reason)

    def _hear_availability(self, document: Any) -> None:
        availability = self._profile.availability
        assert availability is not None
        word = document
        for key in availability.path:
            word = word.get(key) if isinstance(word, dict) else word  # older versions send the bare word
        text = json.dumps(word) if isinstance(word, bool) else str(word)
        if text in availability.offline:
            self._offline = True
            self._forget()
        elif text in availability.online:
            self._offline = False

    def _forget(self) -> None:
        self._known.clear()
        for summing in self._sums:
            summing.forget()

    def _topics(self) -> set[str]:
        profile = self._profile
        topics = {topic for state in profile.states for topic in state.topics}
        topics |= {command.reply_topic for command in profile.commands.values() if command.reply_topic}
        return topics | ({profile.availability.topic} if profile.availability else set())


def _without_seconds(payload: Any) -> Any:
    """The payload without its dead-man field."""
    if isinstance(payload, dict):
        return {key: _without_seconds(part) for key, part in payload.items() if part != "{seconds}"}
    return payload
