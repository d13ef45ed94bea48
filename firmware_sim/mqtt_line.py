"""A device's MQTT side: one paho client with a last will, reconnecting by itself, bridged into asyncio."""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.reasoncodes import ReasonCode


def add_broker_arguments(parser: argparse.ArgumentParser) -> None:
    """Add --broker-host, --broker-port, --username and --password."""
    parser.add_argument("--broker-host", default="127.0.0.1", help="host of the MQTT broker")
    parser.add_argument("--broker-port", type=int, default=1883, help="TCP port of the MQTT broker")
    parser.add_argument("--username", help="user at the broker; none means anonymous")
    parser.add_argument("--password", help="password at the broker")


class MqttLine:
    """Publishes JSON, listens to topics; `up` and `down` are (topic, payload), retained, down being the last will."""

    def __init__(self, args: argparse.Namespace, name: str, up: tuple[str, str], down: tuple[str, str]) -> None:
        self._address = (args.broker_host, args.broker_port)
        self._up, self._down = up, down
        self._topics: list[str] = []
        self._loop = asyncio.get_running_loop()
        self._inbox: asyncio.Queue[tuple[str, Any]] = asyncio.Queue()
        self.connected = asyncio.Event()
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=name)
        self._client.reconnect_delay_set(min_delay=1, max_delay=2)
        self._client.will_set(*down, qos=1, retain=True)
        if args.username:
            self._client.username_pw_set(args.username, args.password)
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = self._on_disconnect
        self._client.on_message = self._on_message

    def start(self, *topics: str) -> None:
        """Connect for good and subscribe to `topics` on every connection."""
        self._topics = list(topics)
        self._client.connect_async(*self._address, keepalive=15)
        self._client.loop_start()

    def publish(self, topic: str, body: Any, retain: bool = False) -> None:
        """Send JSON at QoS 0; nothing is kept for a broker that is away."""
        if self._client.is_connected():
            self._client.publish(topic, json.dumps(body, separators=(",", ":")), qos=0, retain=retain)

    async def messages(self) -> AsyncIterator[tuple[str, Any]]:
        """(topic, decoded payload) of each message; text that is not JSON comes as it is."""
        while True:
            yield await self._inbox.get()

    async def drop(self, for_s: float) -> None:
        """Be gone from the broker for `for_s` real seconds."""
        self.stop()
        await asyncio.sleep(for_s)
        self.start(*self._topics)

    def stop(self) -> None:
        """Say the last words and leave."""
        if self._client.is_connected():
            self._client.publish(*self._down, qos=1, retain=True)
        self._client.disconnect()
        self._client.loop_stop()

    def _on_connect(
        self, client: mqtt.Client, userdata: Any, flags: Any, reason: ReasonCode, properties: Any = None
    ) -> None:
        if reason.is_failure:
            return
        client.publish(*self._up, qos=1, retain=True)
        for topic in self._topics:
            client.subscribe(topic, qos=1)
        self._loop.call_soon_threadsafe(self.connected.set)

    def _on_disconnect(
        self, client: mqtt.Client, userdata: Any, flags: Any, reason: ReasonCode, properties: Any = None
    ) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self.connected.clear)

    def _on_message(self, client: mqtt.Client, userdata: Any, message: mqtt.MQTTMessage) -> None:
        try:
            body = json.loads(message.payload)
        except ValueError:
            body = message.payload.decode(errors="replace")
        self._loop.call_soon_threadsafe(self._inbox.put_nowait, (message.topic, body))
