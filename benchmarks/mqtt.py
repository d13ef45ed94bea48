"""CPU per MQTT message, from the socket to a list of readings, beside bare aiomqtt reading one field of the same.

    python benchmarks/mqtt.py [--messages 4000]

Publisher and broker are processes of their own, so that only the receiving side is counted. Paced, every message is
read by itself; flat out, a device that is behind reads the latest only, and what it need not decode is work saved.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from adapters.mqtt.broker import Broker
from adapters.mqtt.device import MqttDevice
from adapters.mqtt.profile import load_profile
from adapters.mqtt.settings import MqttDeviceSettings, MqttSettings
from benchmarks.table import ROOT, Row
from gateway.model.site import Device, Role
from gateway.runtime.system_clock import SystemClock

TOPICS = 10
REPEATS = 5
PACE_PER_S = 1000
PROFILE = "zigbee2mqtt_plug"
END = "bench/end"


def payload(number: int) -> str:
    """A plug's state, about 130 bytes."""
    state = {"current": 8.71, "energy": 1234.5 + number / 1000, "linkquality": 120, "power": 1998.5, "state": "ON",
             "update": {"state": "idle"}, "voltage": 230.1, "time": 1}  # fmt: skip
    return json.dumps(state)


def publish(port: int, messages: int, pace_per_s: int) -> None:
    """What the publisher's process does: wait for a line, send all, then say that it was all."""
    import paho.mqtt.client as paho
    from paho.mqtt.enums import CallbackAPIVersion

    client = paho.Client(CallbackAPIVersion.VERSION2)
    client.max_inflight_messages_set(0)
    client.connect("127.0.0.1", port)
    client.loop_start()
    print("ready", flush=True)
    sys.stdin.readline()
    begin = time.monotonic()
    for number in range(messages):
        if pace_per_s and (early := begin + number / pace_per_s - time.monotonic()) > 0:
            time.sleep(early)
        client.publish(f"bench/{number % TOPICS}", payload(number), qos=1)
    client.publish(END, json.dumps({"power": 0}), qos=1).wait_for_publish(60)
    client.disconnect()


@contextmanager
def mosquitto() -> Iterator[int]:
    """A broker that keeps what a slow reader has not read yet."""
    program = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "mosquitto.conf"
        file.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\nmax_queued_messages 0\n")
        process = subprocess.Popen([program, "-c", str(file)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            for _ in range(100):
                with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                    break
                time.sleep(0.05)
            yield port
        finally:
            process.terminate()
            process.wait(5)


async def start_publisher(port: int, messages: int, pace: int) -> asyncio.subprocess.Process:
    """A publisher that is connected and sends once it is let go."""
    pipe = asyncio.subprocess.PIPE
    arguments = ("--publish", str(port), str(messages), str(pace))
    process = await asyncio.create_subprocess_exec(sys.executable, __file__, *arguments, stdin=pipe, stdout=pipe)
    assert process.stdout
    await process.stdout.readline()
    return process


async def let_go(process: asyncio.subprocess.Process) -> None:
    assert process.stdin
    process.stdin.write(b"\n")
    await process.stdin.drain()


async def bare(port: int, messages: int, pace: int) -> tuple[float, int]:
    """CPU us per message of aiomqtt alone, and how many were decoded."""
    import aiomqtt

    process, count, total = await start_publisher(port, messages, pace), 0, 0.0
    async with aiomqtt.Client("127.0.0.1", port) as client:
        await client.subscribe([(f"bench/{number}", 1) for number in range(TOPICS)] + [(END, 1)])
        begin = time.process_time()
        await let_go(process)
        async for message in client.messages:
            if message.topic.value == END:
                break
            assert isinstance(message.payload, bytes)
            total += json.loads(message.payload)["power"]
            count += 1
        spent = time.process_time() - begin
    await process.wait()
    assert (count, total) == (messages, messages * 1998.5)
    return 1e6 * spent / messages, count


async def ours(port: int, messages: int, pace: int) -> tuple[float, int]:
    """CPU us per message through broker, mailbox, decode and readings, and how many messages were decoded."""
    clock, profile = SystemClock(), load_profile(PROFILE, ROOT / "config" / "devices" / "mqtt")
    process = await start_publisher(port, messages, pace)
    broker = Broker("bench", MqttSettings(kind="mqtt", host="127.0.0.1", port=port), clock)
    ended, told = asyncio.Event(), 0

    def device(topic: str) -> MqttDevice:
        settings = MqttDeviceSettings(profile=PROFILE, topic=topic)
        return MqttDevice(Device(topic, "D", Role.APPLIANCE), settings, profile, broker, clock)

    async def read(meter: MqttDevice) -> None:
        nonlocal told
        while True:
            readings = await meter.read()
            assert len(readings) == 5
            told += 1

    async def wait_for_end(meter: MqttDevice) -> None:
        await meter.read()
        ended.set()

    loops: list[Any] = [read(device(f"bench/{number}")) for number in range(TOPICS)]
    tasks = [asyncio.create_task(each) for each in (broker.run(), wait_for_end(device(END)), *loops)]
    while not broker.listening:
        await asyncio.sleep(0.01)
    begin = time.process_time()
    await let_go(process)
    await ended.wait()
    await asyncio.sleep(0.01)
    spent = time.process_time() - begin
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await process.wait()
    assert broker.dropped == 0
    return 1e6 * spent / messages, told


def compare(messages: int, pace: int) -> tuple[float, float, float, float]:
    """Medians: our us and bare us per message, their ratio, and the share of messages that we decoded."""
    with mosquitto() as port:
        pairs = [
            (asyncio.run(ours(port, messages, pace)), asyncio.run(bare(port, messages, pace))) for _ in range(REPEATS)
        ]
    mine, theirs = [each[0][0] for each in pairs], [each[1][0] for each in pairs]
    ratio = statistics.median(a / b for a, b in zip(mine, theirs, strict=True))
    decoded = statistics.median(each[0][1] / messages for each in pairs)
    return statistics.median(mine), statistics.median(theirs), ratio, decoded


def rows(quick: bool, messages: int = 4000) -> list[Row]:
    """The promise about MQTT messages."""
    messages = 1000 if quick else messages
    paced, flat = compare(messages, PACE_PER_S), compare(2 * messages, 0)
    words = [
        f"{how}: {mine:.0f} us CPU against {theirs:.0f} us, {ratio:.2f}x ({decoded:.0%} of messages decoded)"
        for how, (mine, theirs, ratio, decoded) in ((f"{PACE_PER_S} a second", paced), ("flat out", flat))
    ]
    how = (
        f"{REPEATS} x {messages} messages of {len(payload(1))} B JSON to {TOPICS} topics at QoS 1, alternating; ours "
        "reads five quantities of each, aiomqtt alone one field"
    )
    return [Row("an MQTT message", "<= 1.5x the CPU of bare aiomqtt", "; ".join(words), how)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=4000)
    parser.add_argument("--publish", nargs=3, type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.publish:
        publish(*options.publish)
        return
    for row in rows(False, options.messages):
        print(row.line())


if __name__ == "__main__":
    main()
