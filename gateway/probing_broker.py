"""What `hearth probe mqtt` does: listen on a broker for a while and suggest lines for the site file."""

from __future__ import annotations

import asyncio
import json

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from adapters.mqtt.broker import Broker
from adapters.mqtt.probe import Heard, load_profiles, probe_broker
from adapters.mqtt.settings import MqttSettings
from gateway.assembly import CONFIG
from gateway.ports import Clock

MOST_UNKNOWN = 20


def run_probe(settings: MqttSettings, seconds: float, clock: Clock, *, everything: bool, as_json: bool) -> int:
    """Listen and print what was heard; exit code 0, or 1 when nothing is known. Raises DeviceUnreachable."""
    heard = asyncio.run(_listen(settings, seconds, clock, everything=everything))
    typer.echo(in_json(heard) if as_json else "\n".join(in_words(heard, settings)))
    return 0 if heard.suggestions else 1


async def _listen(settings: MqttSettings, seconds: float, clock: Clock, *, everything: bool) -> Heard:
    console = Console(stderr=True)
    broker = Broker(f"{settings.host}:{settings.port}", settings, clock)
    owner = asyncio.create_task(broker.run())
    columns = (TextColumn("listening"), BarColumn(), TextColumn("{task.fields[topics]} topics"))
    try:
        with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
            task = bar.add_task("listening", total=seconds, topics=0)

            def tell(spent_s: float, topics: int) -> None:
                bar.update(task, completed=spent_s, topics=topics)

            profiles = load_profiles(CONFIG / "devices" / "mqtt")
            return await probe_broker(broker, clock, seconds, profiles, everything=everything, tell=tell)
    finally:
        owner.cancel()
        await asyncio.gather(owner, return_exceptions=True)


def in_words(heard: Heard, settings: MqttSettings) -> list[str]:
    """What was heard, what it suggests, and the lines for the site file."""
    lines = [f"{heard.topics} topics heard, {len(heard.suggestions)} devices known"]
    for each in heard.suggestions:
        shown = ", ".join(f"{quantity.value} {value:g}" for quantity, value in each.values.items())
        lines.append(f"  {each.topic}: {each.profile}, {each.name} ({each.percent} % of its values: {shown})")
    lines += [f"  no profile knows {topic}" for topic in heard.unknown[:MOST_UNKNOWN]]
    if len(heard.unknown) > MOST_UNKNOWN:
        lines.append(f"  ... nor {len(heard.unknown) - MOST_UNKNOWN} other topics")
    if not heard.suggestions:
        return lines
    port = "" if settings.port == 1883 else f", port: {settings.port}"
    lines += [
        "",
        "For the site file:",
        "connections:",
        f"  broker: {{kind: mqtt, host: {settings.host}{port}}}",
        "devices:",
    ]
    for index, each in enumerate(heard.suggestions, 1):
        lines += [
            f"  device_{index}:", f"    name: {each.topic}", "    role: sub_meter  # check", "    connection: broker",
            f"    profile: {each.profile}", f"    topic: {each.topic}",
            *([f"    channel: {each.channel}"] if each.channel else []),
        ]  # fmt: skip
    return lines


def in_json(heard: Heard) -> str:
    """The same for programs."""
    rows = [
        {"topic": s.topic, "channel": s.channel, "profile": s.profile, "name": s.name, "percent": s.percent,
         "values": {quantity.value: value for quantity, value in s.values.items()}}
        for s in heard.suggestions
    ]  # fmt: skip
    return json.dumps({"topics": heard.topics, "devices": rows, "unknown": list(heard.unknown)}, indent=2)
