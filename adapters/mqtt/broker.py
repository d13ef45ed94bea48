"""One broker: one connection with one owner task; hands each device the messages on its own topics."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import random
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, cast

import aiomqtt

from adapters.mqtt.mailbox import Mailbox, Message
from adapters.mqtt.settings import MqttSettings
from gateway.model.errors import DeviceUnreachable
from gateway.ports import Clock

log = logging.getLogger(__name__)

FIRST_RECONNECT_S = 0.5
NEAR_RECONNECT_S = 10.0
"""A broker in the home is there again in seconds, and so is what stands behind it."""
FAR_RECONNECT_S = 30.0
MAX_ROUTES = 4096
"""Topics whose mailboxes are kept at hand."""
IO_TIMEOUT_S = 5.0
GOODBYE_S = 1.0


class _Inlet(asyncio.Queue[aiomqtt.Message]):
    """The client's queue, which never holds a message: each is sorted into the mailboxes as it comes.

    So the mailboxes are the only place where messages wait, and the only one where they can be lost.
    """

    def __init__(self, sort: Callable[[aiomqtt.Message], None]) -> None:
        super().__init__()
        self._sort = sort

    def put_nowait(self, item: aiomqtt.Message) -> None:
        self._sort(item)


class Broker:
    """A broker as a Connection: reconnects by itself, subscribes anew, never lets one payload hurt the rest."""

    def __init__(self, name: str, settings: MqttSettings, clock: Clock) -> None:
        self.name = name
        self.connects = 0
        """How often the connection was opened."""
        self._settings = settings
        self._clock = clock
        self._boxes: dict[str, list[Mailbox]] = {}
        """Mailboxes by topic filter; most filters are plain topics."""
        self._routes: dict[str, list[Mailbox]] = {}
        """Mailboxes by topic, as found; forgotten whenever a filter comes or goes."""
        self._subscribed: set[str] = set()
        self._wanted = asyncio.Event()
        self._client: aiomqtt.Client | None = None
        self._main = False
        self._reachable: bool | None = None
        self._will: aiomqtt.Will | None = None

    @property
    def listening(self) -> bool:
        """Whether the broker is there and has taken every subscription."""
        return self._client is not None and self._boxes.keys() <= self._subscribed

    @property
    def connected(self) -> bool:
        """Whether the broker is there now."""
        return self._client is not None

    @property
    def dropped(self) -> int:
        """Messages lost, by all devices together, because they were too big or came faster than they were read."""
        return sum(box.dropped for box in {box for boxes in self._boxes.values() for box in boxes})

    @property
    def discovery_prefix(self) -> str:
        """Where Home Assistant's discovery stands on this broker."""
        return self._settings.discovery_prefix

    def full_topic(self, topic: str) -> str:
        """A device's topic with the broker's prefix before it."""
        return self._settings.topic_prefix + topic

    def watch(self, topics: Iterable[str], partial: Iterable[str] = (), *, main: bool = False) -> Mailbox:
        """A mailbox for messages on these topics or filters; may be asked for before or while connected.

        With `main` the home's main meter stands behind the broker, which is then dialled as often as a near one.
        """
        box = Mailbox(partial)
        self._main = self._main or main
        self.watch_instead(box, topics)
        return box

    def watch_instead(self, box: Mailbox, topics: Iterable[str]) -> None:
        """The mailbox hears these topics or filters from now on; those nobody asks for are unsubscribed."""
        kept = {topic: [each for each in boxes if each is not box] for topic, boxes in self._boxes.items()}
        for topic in set(topics):
            kept.setdefault(topic, []).append(box)
        self._boxes = {topic: boxes for topic, boxes in kept.items() if boxes}
        self._routes.clear()
        self._wanted.set()

    async def publish(self, topic: str, payload: str, device: str) -> None:
        """Send one command, never retained, QoS 1; raises DeviceUnreachable when the broker does not take it."""
        client = self._client
        if client is None:
            raise DeviceUnreachable(device, f"publish to {topic}", f"{self.name} is not connected")
        try:
            await client.publish(topic, payload, qos=1, retain=False, timeout=IO_TIMEOUT_S)
        except aiomqtt.MqttError as error:
            raise DeviceUnreachable(device, f"publish to {topic}", f"{self.name} did not take it: {error}") from error

    def set_will(self, topic: str, payload: str) -> None:
        """What the broker shall say, retained, when this connection ends; takes effect at the next connect."""
        self._will = aiomqtt.Will(topic, payload, qos=1, retain=True)

    async def show(self, topic: str, payload: str, *, qos: int) -> None:
        """Publish a state of the home, retained; raises DeviceUnreachable when the broker does not take it.

        Never for commands: a retained command would be obeyed again at each reconnect.
        """
        client = self._client
        if client is None:
            raise DeviceUnreachable(self.name, f"show {topic}", "it is not connected")
        try:
            await client.publish(topic, payload, qos=qos, retain=True, timeout=IO_TIMEOUT_S)
        except aiomqtt.MqttError as error:
            raise DeviceUnreachable(self.name, f"show {topic}", f"the broker did not take it: {error}") from error

    async def run(self) -> None:
        """Keep the connection open until cancelled: reconnect with jitter after 0.5, 1, 2 s ... and `longest_wait_s`."""
        delay_s = FIRST_RECONNECT_S
        while True:
            before = self.connects
            try:
                await self._serve()
            except (aiomqtt.MqttError, OSError, ValueError) as error:
                self._note(False, str(error))
            finally:
                self._client = None
            delay_s = FIRST_RECONNECT_S if self.connects > before else delay_s
            await self._clock.sleep(0, real_floor=delay_s * random.uniform(0.7, 1.0))
            delay_s = min(self.longest_wait_s, delay_s * 2)

    @property
    def longest_wait_s(self) -> float:
        """The longest pause between two attempts, s: 10 in the home or before the main meter, else 30."""
        return NEAR_RECONNECT_S if self._main or is_near(self._settings.host) else FAR_RECONNECT_S

    async def _serve(self) -> None:
        async with self._make_client() as client:
            self._subscribed.clear()
            self._wanted.set()
            self._client = client
            self.connects += 1
            self._note(True)
            subscribing = asyncio.create_task(self._keep_subscribed(client), name=f"{self.name} subscriptions")
            try:
                async for _ in client.messages:
                    pass  # none comes by this way; the loop ends, with the reason, when the connection does
            except asyncio.CancelledError:
                await self._say_goodbye(client)
                raise
            finally:
                subscribing.cancel()

    async def _say_goodbye(self, client: aiomqtt.Client) -> None:
        """A connection that is closed in order leaves no last will, so its words are said here."""
        if self._will is None:
            return
        with suppress(aiomqtt.MqttError):
            await client.publish(self._will.topic, self._will.payload, qos=1, retain=True, timeout=GOODBYE_S)

    def _make_client(self) -> aiomqtt.Client:
        settings = self._settings
        return aiomqtt.Client(
            settings.host, settings.port, username=settings.username,
            password=settings.password.get_secret_value() if settings.password else None,
            keepalive=settings.keepalive_s, timeout=IO_TIMEOUT_S,
            tls_params=self._tls_parameters() if settings.tls else None, will=self._will,
            queue_type=cast(Any, lambda maxsize: _Inlet(self._sort)),
        )  # fmt: skip

    def _tls_parameters(self) -> aiomqtt.TLSParameters:
        settings = self._settings
        return aiomqtt.TLSParameters(settings.ca_file, settings.cert_file, settings.key_file)

    async def _keep_subscribed(self, client: aiomqtt.Client) -> None:
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            try:
                await self._subscribe(client)
            except aiomqtt.MqttError as error:
                log.warning("%s: cannot subscribe: %s", self.name, error)
                await self._clock.sleep(0, real_floor=IO_TIMEOUT_S)
                self._wanted.set()

    async def _subscribe(self, client: aiomqtt.Client) -> None:
        new, gone = sorted(self._boxes.keys() - self._subscribed), sorted(self._subscribed - self._boxes.keys())
        if new:
            await client.subscribe([(topic, 1) for topic in new])
            self._subscribed.update(new)
        if gone:
            await client.unsubscribe(gone)
            self._subscribed.difference_update(gone)

    def _sort(self, message: aiomqtt.Message) -> None:
        payload, topic = message.payload, message.topic.value
        boxes = self._routes.get(topic)
        if boxes is None:
            boxes = self._route(message.topic)
        if boxes:
            said = Message(topic, payload if isinstance(payload, bytes) else b"", message.retain)
            for box in boxes:
                box.put(said)

    def _route(self, topic: aiomqtt.Topic) -> list[Mailbox]:
        found = [box for filter_, boxes in self._boxes.items() if topic.matches(filter_) for box in boxes]
        if len(self._routes) >= MAX_ROUTES:
            self._routes.clear()
        self._routes[topic.value] = found
        return found

    def _note(self, reachable: bool, reason: str = "") -> None:
        if reachable != self._reachable:
            if reachable:
                log.info("%s: connected", self.name)
            else:
                log.warning("%s: not connected, will keep trying: %s", self.name, reason)
        self._reachable = reachable


def is_near(host: str) -> bool:
    """Whether a broker stands in the home: loopback, a private address, or a name only a home's network knows."""
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return "." not in host or host.endswith((".local", ".lan", ".home", ".internal", ".home.arpa"))
    return address.is_private or address.is_loopback or address.is_link_local
