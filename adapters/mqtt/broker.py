"""One broker: one connection with one owner task; hands each device the messages on its own topics."""

from __future__ import annotations

import asyncio
import logging
import random
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, cast

import aiomqtt

from adapters.mqtt.settings import MqttSettings
from gateway.model.errors import DeviceUnreachable
from gateway.ports import Clock

log = logging.getLogger(__name__)

MAX_RECONNECT_S = 30.0
MAX_QUEUED = 1000
MAX_PAYLOAD = 64 * 1024
"""Bytes; the largest honest device payloads (discovery, full status) are a few kilobytes."""
MAX_PARTIAL = 64
"""Messages kept per topic that carries only changes."""
IO_TIMEOUT_S = 5.0
GOODBYE_S = 1.0


@dataclass(frozen=True, slots=True)
class Message:
    """One message as a device sees it; `retained` ones are what somebody once said."""

    topic: str
    payload: bytes
    retained: bool


class Mailbox:
    """A device's unread messages: the latest per topic, or the last few where each carries only changes."""

    def __init__(self, partial: Iterable[str] = ()) -> None:
        self.arrived = asyncio.Event()
        self.dropped = 0
        """Messages that were too big, or too many, to be read."""
        self._partial = frozenset(partial)
        self._unread: dict[str, deque[Message]] = {}

    def put(self, message: Message) -> None:
        """Keep a message for the device; an older one of a topic that tells all is coalesced into it."""
        if len(message.payload) > MAX_PAYLOAD:
            self.dropped += 1
            return
        size = MAX_PARTIAL if message.topic in self._partial else 1
        unread = self._unread.pop(message.topic, None) or deque(maxlen=size)
        self._unread[message.topic] = unread  # at the end again: topics in the order in which they last spoke
        if size > 1 and len(unread) == size:
            self.dropped += 1
        unread.append(message)
        self.arrived.set()

    def take(self) -> list[Message]:
        """All unread messages, in order within each topic, the topic that spoke last at the end."""
        messages = [message for unread in self._unread.values() for message in unread]
        self._unread.clear()
        self.arrived.clear()
        return messages


class _BoundedQueue(asyncio.Queue[aiomqtt.Message]):
    """A full queue drops its oldest message, and counts it."""

    dropped = 0

    def put_nowait(self, item: aiomqtt.Message) -> None:
        if self.full():
            self.get_nowait()
            self.dropped += 1
        super().put_nowait(item)


class Broker:
    """A broker as a Connection: reconnects by itself, subscribes anew, never lets one payload hurt the rest."""

    def __init__(self, name: str, settings: MqttSettings, clock: Clock) -> None:
        self.name = name
        self.connects = 0
        """How often the connection was opened."""
        self._settings = settings
        self._clock = clock
        self._boxes: dict[str, list[Mailbox]] = {}
        self._subscribed: set[str] = set()
        self._wanted = asyncio.Event()
        self._client: aiomqtt.Client | None = None
        self._queue: _BoundedQueue | None = None
        self._dropped = 0
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
        """Messages lost because they came faster than they could be sorted."""
        return self._dropped + (self._queue.dropped if self._queue else 0)

    def full_topic(self, topic: str) -> str:
        """A device's topic with the broker's prefix before it."""
        return self._settings.topic_prefix + topic

    def watch(self, topics: Iterable[str], partial: Iterable[str] = ()) -> Mailbox:
        """A mailbox for messages on exactly these topics; may be asked for before or while connected."""
        box = Mailbox(partial)
        for topic in topics:
            self._boxes.setdefault(topic, []).append(box)
        self._wanted.set()
        return box

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
        """Keep the connection open until cancelled: reconnect with jitter, after 30 s at the latest."""
        delay_s = 0.5
        while True:
            before = self.connects
            try:
                await self._serve()
            except (aiomqtt.MqttError, OSError, ValueError) as error:
                self._note(False, str(error))
            finally:
                self._client = None
            delay_s = 0.5 if self.connects > before else min(MAX_RECONNECT_S, delay_s * 2)
            await self._clock.sleep(0, real_floor=delay_s * random.uniform(0.7, 1.0))

    async def _serve(self) -> None:
        async with self._make_client() as client:
            self._subscribed.clear()
            self._wanted.set()
            self._client = client
            self.connects += 1
            self._note(True)
            subscribing = asyncio.create_task(self._keep_subscribed(client), name=f"{self.name} subscriptions")
            try:
                async for message in client.messages:
                    self._sort(message)
            except asyncio.CancelledError:
                await self._say_goodbye(client)
                raise
            finally:
                subscribing.cancel()
                self._dropped = self.dropped
                self._queue = None

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
            queue_type=cast(Any, self._make_queue), max_queued_incoming_messages=MAX_QUEUED,
        )  # fmt: skip

    def _tls_parameters(self) -> aiomqtt.TLSParameters:
        settings = self._settings
        return aiomqtt.TLSParameters(settings.ca_file, settings.cert_file, settings.key_file)

    def _make_queue(self, maxsize: int) -> _BoundedQueue:
        self._queue = _BoundedQueue(maxsize)
        return self._queue

    async def _keep_subscribed(self, client: aiomqtt.Client) -> None:
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            new = sorted(self._boxes.keys() - self._subscribed)
            try:
                if new:
                    await client.subscribe([(topic, 1) for topic in new])
                    self._subscribed.update(new)
            except aiomqtt.MqttError as error:
                log.warning("%s: cannot subscribe: %s", self.name, error)
                await self._clock.sleep(0, real_floor=IO_TIMEOUT_S)
                self._wanted.set()

    def _sort(self, message: aiomqtt.Message) -> None:
        payload = message.payload if isinstance(message.payload, bytes) else str(message.payload or "").encode()
        for box in self._boxes.get(message.topic.value, ()):
            box.put(Message(message.topic.value, payload, message.retain))

    def _note(self, reachable: bool, reason: str = "") -> None:
        if reachable != self._reachable:
            if reachable:
                log.info("%s: connected", self.name)
            else:
                log.warning("%s: not connected, will keep trying: %s", self.name, reason)
        self._reachable = reachable
