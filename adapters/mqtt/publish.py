"""The home outwards: Home Assistant discovery, plain state topics, and wishes that come back."""

from __future__ import annotations

import json
import logging

from adapters.mqtt.broker import Broker
from adapters.mqtt.commands import OnCommand, value_of
from adapters.mqtt.counters import Counters
from adapters.mqtt.discovery import HEADLINE, OPT_OUT, REFUSED, RESERVE, documents, has_battery
from adapters.mqtt.entities import Kind, Sensor, controls_of, sensors_of, sensors_of_site
from adapters.mqtt.mailbox import Message
from adapters.mqtt.settings import MqttSettings
from adapters.mqtt.topics import slug, topics_of
from gateway.model.errors import DeviceUnreachable, HearthError, WishRefused
from gateway.model.preferences import Preferences
from gateway.model.site import Role, Site
from gateway.model.snapshot import Snapshot
from gateway.ports import Clock

log = logging.getLogger(__name__)

UNKNOWN = "None"
"""Home Assistant's word for a value that is not known."""
MAX_TEXT = 250
"""Characters; Home Assistant refuses states of more than 255."""


class HomePublisher:
    """Shows the home on a broker and hears wishes; construct it before the broker's `run`, for the last will.

    Everything shown is retained and sent only when it changed; wishes that are retained are ignored. Counters go on
    from what the broker kept, so they are held back until everything retained has been heard:

        subscribed .. retained counters .. our own "online" comes back .. counters are shown
    """

    def __init__(self, broker: Broker, site: Site, clock: Clock, settings: MqttSettings, on_command: OnCommand) -> None:
        self.name = f"{broker.name} outwards"
        self.ignored_commands = 0
        """Wishes not handed on: retained, or not understood, or refused."""
        self._broker, self._site, self._clock, self._settings = broker, site, clock, settings
        self._on_command = on_command
        self._topics = topics_of(site, settings)
        self._sensors = self._sensors_by_topic()
        self._commands = self._commands_by_topic()
        self._counters = Counters()
        self._remembered = False
        self._greeted = 0
        self._shown_at: float | None = None
        self._sent: dict[str, str] = {}
        self._refused = UNKNOWN
        broker.set_will(self._topics.availability, "offline")
        counted = [topic for topic, sensor in self._sensors.items() if sensor.counter]
        self._box = broker.watch([*self._commands, self._topics.availability, *counted])

    async def run(self) -> None:
        """Hear what comes back, wishes above all, until cancelled."""
        while True:
            await self._box.arrived.wait()
            for message in self._box.take():
                await self._hear(message)

    async def update(
        self, snapshot: Snapshot, preferences: Preferences, *, opted_out: bool = False, headline: str = ""
    ) -> None:
        """Show what changed: wishes at once, measured values every `publish_every_s`; never raises for the broker.

        `opted_out` says that the utility's events are being skipped, `headline` in one sentence what happens now.
        """
        if not self._broker.listening:
            return
        try:
            if self._greeted != self._broker.connects:
                await self._greet()
            await self._show(self._wishes(preferences, opted_out, headline), qos=1)
            if self._is_due():
                await self._show(self._there(snapshot), qos=1)
                await self._show(self._measured(snapshot), qos=0)
                await self._show(self._counted(snapshot), qos=1)
        except DeviceUnreachable as error:
            log.debug("%s: %s", self.name, error)  # the broker says so itself; all is shown again once it is back

    async def _greet(self) -> None:
        connects = self._broker.connects
        self._sent.clear()
        self._shown_at = None
        for topic, document in documents(self._site, self._topics).items():
            await self._broker.show(topic, json.dumps(document, ensure_ascii=False), qos=1)
        await self._broker.show(self._topics.availability, "online", qos=1)
        self._greeted = connects

    def _is_due(self) -> bool:
        now = self._clock.monotonic()
        if self._shown_at is not None and now - self._shown_at < self._settings.publish_every_s:
            return False
        self._shown_at = now
        return True

    async def _show(self, values: dict[str, str], *, qos: int) -> None:
        for topic, payload in values.items():
            if self._sent.get(topic) != payload:
                await self._broker.show(topic, payload, qos=qos)
                self._sent[topic] = payload

    # ---- what is shown

    def _there(self, snapshot: Snapshot) -> dict[str, str]:
        """Each device's own availability: a value of a dead meter is no value."""
        states = {device.id: snapshot.devices.get(device.id) for device in self._site.devices}
        return {
            self._topics.availability_of(slug(name)): "online" if state and state.online else "offline"
            for name, state in states.items()
        }

    def _measured(self, snapshot: Snapshot) -> dict[str, str]:
        return {
            topic: _text(sensor, sensor.look(snapshot)) for topic, sensor in self._sensors.items() if not sensor.counter
        }

    def _counted(self, snapshot: Snapshot) -> dict[str, str]:
        if not self._remembered:
            self._shown_at = None  # look again at the next update
            return {}
        counted = {}
        for topic, sensor in self._sensors.items():
            register_wh = sensor.look(snapshot) if sensor.counter else None
            if isinstance(register_wh, float | int):
                counted[topic] = str(self._counters.show(topic, register_wh))
        return counted

    def _wishes(self, preferences: Preferences, opted_out: bool, headline: str) -> dict[str, str]:
        here = self._topics
        values = {
            here.state(OPT_OUT): "ON" if opted_out else "OFF",
            here.state(HEADLINE): headline[:MAX_TEXT] or UNKNOWN,
            here.state(REFUSED): self._refused,
        }
        if has_battery(self._site):
            values[here.state(RESERVE)] = f"{preferences.battery_reserve_percent:g}"
        for charger in self._site.of_role(Role.EV_CHARGER):
            wish = preferences.charging_of(charger.id)
            values[here.state("charge_mode", slug(charger.id))] = wish.mode.value
            values[here.state("ready_by", slug(charger.id))] = f"{wish.ready_by:%H:%M}"
        return values

    # ---- what is heard

    async def _hear(self, message: Message) -> None:
        if message.topic in self._commands:
            await self._obey(message)
        elif message.topic == self._topics.availability:
            self._hear_availability(message)
        elif not self._remembered:
            self._counters.remember(message.topic, message.payload)

    def _hear_availability(self, message: Message) -> None:
        if message.retained:
            return
        if message.payload == b"online":
            self._remembered = True
        else:
            self._greeted = 0  # the last will of an older connection came late: say online once more

    async def _obey(self, message: Message) -> None:
        device, name = self._commands[message.topic]
        try:
            if message.retained:
                raise WishRefused("it was retained: nobody says so now")
            await self._on_command(device, name, value_of(name, message.payload))
        except HearthError as refusal:
            self.ignored_commands += 1
            log.warning("%s: a wish on %s was not followed: %s", self.name, message.topic, refusal)
            self._refused = f"{device or 'home'}, {name}: {refusal}"[:MAX_TEXT]
            self._sent.pop(self._topics.state(name, slug(device) if device else ""), None)  # show what holds instead

    def _sensors_by_topic(self) -> dict[str, Sensor]:
        found = {self._topics.state(sensor.key): sensor for sensor in sensors_of_site()}
        for device in self._site.devices:
            found |= {self._topics.state(sensor.key, slug(device.id)): sensor for sensor in sensors_of(device)}
        return found

    def _commands_by_topic(self) -> dict[str, tuple[str, str]]:
        names = [OPT_OUT, *([RESERVE] if has_battery(self._site) else [])]
        found = {self._topics.command(name): ("", name) for name in names}
        for device in self._site.devices:
            for control in controls_of(device):
                found[self._topics.command(control.key, slug(device.id))] = (device.id, control.key)
        return found


def _text(sensor: Sensor, value: float | str | None) -> str:
    if value is None:
        return UNKNOWN
    if isinstance(value, str):
        return value
    return f"{value:.0f}" if sensor.kind is Kind.POWER else f"{value:.1f}"
