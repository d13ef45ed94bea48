"""An MQTT device: readings out of what it publishes, setpoints as commands that it must echo."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from datetime import datetime
from typing import Any

from adapters.mqtt.bind import bind
from adapters.mqtt.broker import Broker
from adapters.mqtt.commander import Commander
from adapters.mqtt.decode import BadPayload, Found, State, find, parse
from adapters.mqtt.ha_source import DiscoveredProfile
from adapters.mqtt.mailbox import Message
from adapters.mqtt.presence import Presence
from adapters.mqtt.profile import Profile
from adapters.mqtt.settings import MqttDeviceSettings
from adapters.mqtt.silence import Silence
from adapters.mqtt.sums import Summing
from adapters.mqtt.troubles import Troubles
from gateway.model.errors import DeviceUnreachable
from gateway.model.quantity import Quantity
from gateway.model.reading import Quality, Reading, Rule
from gateway.model.setpoint import Setpoint
from gateway.model.site import Device, Role
from gateway.ports import Clock

TELEGRAM_REAL_S = 2.0
"""Parts of one telegram are published within this time."""


class MqttDevice:
    """One device as Meter (it speaks by itself), and as Actuator for the setpoint kinds in `controls`."""

    period_s = 0.0

    def __init__(
        self, device: Device, settings: MqttDeviceSettings, profile: Profile | DiscoveredProfile, broker: Broker,
        clock: Clock,
    ) -> None:  # fmt: skip
        self.id = device.id
        self._settings, self._broker, self._clock = settings, broker, clock
        self._discovery = profile if isinstance(profile, DiscoveredProfile) else None
        self._troubles = Troubles(device.id)
        self._box = broker.watch((), main=device.role is Role.MAIN_METER)
        self._pending: dict[Quantity, Reading] = {}
        self._known: dict[Quantity, float] = {}
        self._offline = False
        self._commander = Commander(device.id, broker, clock, self._known, self._until)
        self._asked, self._asked_at = 0, -math.inf
        self._follow_at = math.inf
        """When a new description of the device is followed (monotonic home s)."""
        self._bind(profile.profile if isinstance(profile, DiscoveredProfile) else profile)

    def _bind(self, profile: Profile) -> None:
        """Read the device by this profile from now on."""
        settings = self._settings
        channel = settings.channel if "channel" in settings.model_fields_set else None
        self._profile = profile = bind(profile, self._broker.full_topic(settings.topic), channel)
        self.controls = frozenset(profile.commands)
        self._presence = Presence(profile.availability, profile.availability_mode)
        self._plain: dict[str, list[State]] = {}
        for state in profile.states:
            if not state.parts:
                self._plain.setdefault(state.topic, []).append(state)
        self._sums = [
            Summing(state, settings.expire_after_s if state.alone else TELEGRAM_REAL_S * self._clock.speed)
            for state in profile.states
            if state.parts
        ]
        self._summed = frozenset(topic for each in self._sums for topic in each.state.topics)
        self._replies = frozenset(command.reply_topic for command in profile.commands.values()) - {""}
        own = {state.quantity: state.expire_s for state in profile.states if state.expire_s is not None}
        self._silence = Silence(self._clock, settings.expire_after_s, own)
        self._box.partial = frozenset(state.topic for state in profile.states if state.partial)
        self._broker.watch_instead(self._box, self._topics())

    @property
    def bad_payloads(self) -> int:
        """Messages that could not be read."""
        return self._troubles.bad_payloads

    @property
    def dropped(self) -> int:
        """Messages that were too big, or too many at once."""
        return self._box.dropped

    @property
    def troubles(self) -> str:
        """What was wrong with its messages so far, in words; empty when nothing was."""
        return self._troubles.words(self.dropped, self._discovery.troubles if self._discovery else ())

    async def read(self) -> list[Reading]:
        """The device's next readings; raises DeviceUnreachable when it says it is gone or was silent too long.

        Once silent it says so at each call, until the device is heard again.
        """
        await self._ask_state(self._broker.connects)
        while not await self._wait(self._has_news, self._patience_s()):
            self._expire(self._silence.expired())
            if self._silence.over:
                self._forget()
                raise DeviceUnreachable(self.id, "read", self._why_silent())
            await self._ask_state(self._broker.connects, again=True)
        if self._pending:
            readings, self._pending = list(self._pending.values()), {}
            return readings
        self._offline = False  # said once; the next read waits for it to come back
        raise DeviceUnreachable(self.id, "read", "it says that it is offline")

    def _patience_s(self) -> float:
        """How long to wait for news before something else is to be done, s of the world."""
        until = min(self._follow_at, *(summing.ends_at for summing in self._sums), math.inf)
        return max(0.0, min(self._silence.patience_s, (until - self._clock.monotonic()) / self._clock.speed))

    def _why_silent(self) -> str:
        if not self._broker.connected:
            return f"the broker is not connected for {self._settings.expire_after_s:g} s"
        if self._discovery and self._discovery.troubles and not self._profile.states:
            return "; ".join(self._discovery.troubles)
        return f"nothing was heard from it for {self._settings.expire_after_s:g} s"

    def _expire(self, quantities: list[Quantity]) -> None:
        for quantity in quantities:
            self._known.pop(quantity, None)
            reason = "it was not told for as long as its device says it may take"
            self._pending[quantity] = Reading(self.id, quantity, None, self._clock.now(), Quality.MISSING, reason)

    async def apply(self, setpoint: Setpoint) -> None:
        """Send a setpoint and return once the device echoed it; raises DeviceUnreachable or CommandRefused."""
        self._take()
        await self._commander.apply(self._profile, setpoint)

    async def release(self) -> None:
        """Hand control back: the configured release value, or nothing more; raises DeviceError."""
        await self._commander.release(self._profile, self._settings.release_value)

    async def _ask_state(self, connects: int, *, again: bool = False) -> None:
        request, now = self._profile.request, self._clock.monotonic()
        if request is None or not self._broker.connected:
            return
        if connects == self._asked and not (again and now - self._asked_at >= self._settings.expire_after_s / 4):
            return
        self._asked, self._asked_at = connects, now
        try:
            await self._broker.publish(request.topic, request.payload, self.id)
        except DeviceUnreachable:
            return  # silence will tell

    async def _wait(self, ready: Callable[[], bool], real_s: float) -> bool:
        """Wait until `ready`, or until so much of the world's time passed; whether it became ready."""
        self._take()
        if ready():
            return True
        try:
            async with asyncio.timeout(real_s):
                await self._until(ready)
        except TimeoutError:
            return ready()
        return True

    async def _until(self, ready: Callable[[], bool]) -> None:
        self._take()
        while not ready():
            await self._box.arrived.wait()
            self._take()

    def _has_news(self) -> bool:
        return bool(self._pending) or self._offline

    def _take(self) -> None:
        for message in self._box.take():
            if self._discovery and self._discovery.hears(message.topic):
                if self._discovery.hear(message):
                    self._follow_at = self._clock.monotonic() + self._discovery.settle_s * self._clock.speed
                continue
            try:
                self._understand(message, parse(message.payload))
            except BadPayload as error:
                self._troubles.note(message.topic, str(error))
        for summing in self._sums:
            for lost in summing.lost(self._clock.monotonic()):
                self._troubles.note_incomplete(lost)
        if self._discovery and self._clock.monotonic() >= self._follow_at:
            self._follow_at = math.inf
            self._follow(self._discovery.profile)

    def _follow(self, profile: Profile) -> None:
        """The device describes itself anew: what it no longer tells is missing from now on."""
        before = {state.quantity for state in self._profile.states}
        self._forget()
        self._bind(profile)
        for quantity in before - {state.quantity for state in profile.states}:
            reason = "its device no longer describes it"
            self._pending[quantity] = Reading(self.id, quantity, None, self._clock.now(), Quality.MISSING, reason)

    def _understand(self, message: Message, document: Any) -> None:
        topic, retained, now = message.topic, message.retained, self._clock.now()
        if topic in self._presence.topics:
            self._hear_presence(self._presence.hear(topic, document))
        if topic in self._replies and isinstance(document, dict) and not retained:
            self._commander.hear_reply(document)
        told = []
        for state in self._plain.get(topic, ()):
            found = find(document, state)
            if found is not None:
                self._note(state.quantity, found, retained, now)
                told.append(state.quantity)
        if topic in self._summed:
            told += self._sum(message, document, now)
        if told and not retained:
            self._silence.heard(told)

    def _sum(self, message: Message, document: Any, now: datetime) -> list[Quantity]:
        told = []
        for summing in self._sums:
            total = summing.hear(message.topic, document, self._clock.monotonic(), retained=message.retained)
            if total is not None:
                self._note(summing.state.quantity, *total, now)
                told.append(summing.state.quantity)
        return told

    def _note(self, quantity: Quantity, found: Found, retained: bool, now: datetime) -> None:
        quality, reason, rule = Quality.VALID, found.reason, None
        if found.value is None:
            quality = Quality.MISSING
            self._known.pop(quantity, None)
        elif retained:
            quality, reason, rule = Quality.SUSPECT, "retained, not yet live", Rule.STALE_RETAINED
        else:
            self._known[quantity] = found.value
        self._offline = self._offline and retained
        self._pending[quantity] = Reading(self.id, quantity, found.value, now, quality, reason, rule)

    def _hear_presence(self, here: bool | None) -> None:
        if here is None:
            return
        self._offline = not here
        if not here:
            self._forget()

    def _forget(self) -> None:
        self._known.clear()
        for summing in self._sums:
            summing.forget()

    def _topics(self) -> set[str]:
        described = self._discovery.filters if self._discovery else frozenset()
        return {*self._plain, *self._summed, *self._replies, *self._presence.topics, *described}
