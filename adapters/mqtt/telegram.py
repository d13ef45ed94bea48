"""P1 telegrams over MQTT: a reader at the smart meter's port that publishes each telegram as it is.

What a telegram says is not MQTT's business: whoever builds the device hands in the decoder.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping

from adapters.mqtt.broker import Broker
from adapters.mqtt.mailbox import Message
from adapters.mqtt.settings import MqttDeviceSettings
from adapters.mqtt.silence import Silence
from adapters.mqtt.troubles import Troubles
from gateway.model.errors import CommandRefused, DeviceUnreachable
from gateway.model.quantity import Quantity
from gateway.model.reading import Quality, Reading
from gateway.model.setpoint import Setpoint
from gateway.model.site import Device, Role
from gateway.ports import Clock

log = logging.getLogger(__name__)

Decode = Callable[[bytes], Mapping[Quantity, float | str]]
"""A telegram's values in our quantities and sign, text where one is missing; raises ValueError for a wrong checksum."""


class TelegramDevice:
    """A smart meter behind a broker, as Meter; readings carry the time at which the telegram came."""

    period_s = 0.0

    def __init__(
        self, device: Device, settings: MqttDeviceSettings, decode: Decode, broker: Broker, clock: Clock
    ) -> None:
        self.id = device.id
        self._settings, self._decode, self._broker, self._clock = settings, decode, broker, clock
        self._topic = broker.full_topic(settings.topic)
        self._box = broker.watch([self._topic], main=device.role is Role.MAIN_METER)
        self._silence = Silence(clock, settings.expire_after_s)
        self._troubles = Troubles(self.id)
        self._last = b""

    @property
    def bad_payloads(self) -> int:
        """Telegrams that were not believed."""
        return self._troubles.bad_payloads

    @property
    def dropped(self) -> int:
        """Messages that were too big."""
        return self._box.dropped

    @property
    def troubles(self) -> str:
        """What was wrong with its messages so far, in words; empty when nothing was."""
        return self._troubles.words(self.dropped)

    async def read(self) -> list[Reading]:
        """The readings of the next telegram; raises DeviceUnreachable when none comes in time.

        A telegram that is the last one over again is no news: some readers repeat it when the cable is out.
        """
        try:
            async with asyncio.timeout(self._silence.left_s):
                while True:
                    for message in self._box.take():
                        if readings := self._readings(message):
                            return readings
                    await self._box.arrived.wait()
        except TimeoutError:
            state = "no new telegram came" if self._broker.connected else "the broker is not connected"
            reason = f"{state} for {self._settings.expire_after_s:g} s"
            raise DeviceUnreachable(self.id, "read", reason, "Check the cable, and the reader's topic") from None

    async def apply(self, setpoint: Setpoint) -> None:
        """Raises CommandRefused: a meter takes no setpoint."""
        raise CommandRefused(self.id, "apply setpoint", "a smart meter takes none")

    async def release(self) -> None:
        """Nothing was ever taken."""

    def _readings(self, message: Message) -> list[Reading]:
        raw = (
            message.payload.strip() + b"\r\n"
        )  # publishers cut the end of the last line, which the checksum leaves out
        if raw == self._last:
            return []
        try:
            values = self._decode(raw)
        except ValueError as error:
            self._troubles.note(message.topic, str(error))
            return []
        if not message.retained:
            self._last = raw
            self._silence.heard(())
        return [self._reading(quantity, value, message.retained) for quantity, value in values.items()]

    def _reading(self, quantity: Quantity, value: float | str, retained: bool) -> Reading:
        now = self._clock.now()
        if isinstance(value, str):
            return Reading(self.id, quantity, None, now, Quality.MISSING, value)
        if retained:
            return Reading(self.id, quantity, value, now, Quality.SUSPECT, "retained, not yet live")
        return Reading(self.id, quantity, value, now)
