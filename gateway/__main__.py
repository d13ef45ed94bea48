"""The command line: `hearth demo`, `run`, `check`, `probe`, `sim`, `import`, `export`, `train-shapes`, `whatif`, `backup`, `restore`."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from gateway.verify_record import verify_record
from gateway.whatif_command import whatif

ROOT = Path(__file__).resolve().parent.parent
app = typer.Typer(
    name="hearth",
    help="Hearth, the home energy gateway. Start with: hearth demo",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
probe_app = typer.Typer(help="Find out what answers at an address.", no_args_is_help=True)
app.add_typer(probe_app, name="probe")

SiteOption = Annotated[Path, typer.Option("--site", help="The site file (YAML); see config/site/example.yaml")]
DataOption = Annotated[Path, typer.Option("--data", help="Folder of the database and what the hub keeps")]
DATA = Path("data")
ConfigOption = Annotated[Path, typer.Option("--config", hidden=True, help="Folder of profiles, tariffs and strategies")]
CONFIG = ROOT / "config"


def say(text: str) -> None:
    """Tell the person at the terminal; on stderr, so that stdout stays for data."""
    from rich.console import Console

    Console(stderr=True, highlight=False, soft_wrap=True).print(f"[dim]hearth:[/] {text}")


@contextmanager
def told() -> Iterator[None]:
    """What cannot be done is said in words with exit code 2, never as a traceback."""
    from gateway.model.errors import HearthError, SiteFileError

    try:
        yield
    except SiteFileError as error:
        for finding in error.findings:
            say(f"[red]{finding}[/]")
        raise typer.Exit(2) from error
    except HearthError as error:
        say(f"[red]{error}[/]")
        raise typer.Exit(2) from error


@app.command()
def demo(
    speed: Annotated[float, typer.Option(help="Home seconds per real second", min=1, max=1000)] = 10.0,
    port: Annotated[int, typer.Option(help="Port of the pages on 127.0.0.1", min=1, max=65535)] = 8080,
    duration: Annotated[float | None, typer.Option(help="Stop by itself after so many real seconds")] = None,
    left_on: Annotated[
        float,
        typer.Option(
            help="A heater of so many W that was forgotten the evening before: it raises an alert", min=0, max=5000
        ),
    ] = 0.0,
) -> None:
    """A simulated home with the gateway and its pages; nothing to configure. Opens at 17:30 home time."""
    import signal

    from gateway.demo import Demo, DemoError

    for name in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, lambda *_: sys.exit(0))
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a script's background job is born deaf to it
    try:
        Demo(port, speed, say, left_on_w=left_on).run(duration)
    except DemoError as error:
        say(f"[red]{error}[/]")
        raise typer.Exit(2) from error
    except KeyboardInterrupt:
        say("stopped")


@app.command()
def run(
    site: SiteOption,
    data: DataOption = DATA,
    speed: Annotated[float, typer.Option(hidden=True)] = 1.0,
    home_epoch: Annotated[str | None, typer.Option(hidden=True)] = None,
    real_epoch: Annotated[float | None, typer.Option(hidden=True)] = None,
    demo_home: Annotated[bool, typer.Option("--demo", hidden=True)] = False,
    config: ConfigOption = CONFIG,
) -> None:
    """Run the gateway of a real home until it is stopped (SIGTERM, Ctrl-C)."""
    from gateway.running import run_gateway
    from gateway.runtime.system_clock import SystemClock

    epoch = datetime.fromisoformat(home_epoch).astimezone(UTC) if home_epoch else None
    clock = SystemClock(speed=speed, home_epoch=epoch, real_epoch=real_epoch)
    with told():
        asyncio.run(run_gateway(site, data, clock, simulated=demo_home, config=config))


@app.command()
def check(
    site: SiteOption,
    level: Annotated[str, typer.Option(help="syntax, or devices (reads every device once)")] = "syntax",
    as_json: Annotated[bool, typer.Option("--json", help="Findings as JSON")] = False,
    data: DataOption = DATA,
    config: ConfigOption = CONFIG,
) -> None:
    """Check a site file. Exit code 0: good, 1: findings, 2: unusable."""
    from gateway.model.errors import SiteFileError
    from gateway.tools import check_site

    if level not in ("syntax", "devices"):
        say(f"[red]unknown level '{level}'[/]. Known: syntax, devices")
        raise typer.Exit(2)
    try:
        findings, code = asyncio.run(check_site(site, devices=level == "devices", config=config, data=data)), 0
    except SiteFileError as error:
        findings, code = error.findings, 2
    if as_json:
        rows = [{"where": f.where, "what": f.what, "remedy": f.remedy, "severity": f.severity} for f in findings]
        print(json.dumps(rows, indent=2))
    else:
        for finding in findings:
            print(finding)
        if not findings:
            print(f"{site}: good")
    raise typer.Exit(code or (1 if findings else 0))


@probe_app.command("modbus")
def probe_modbus(
    host: Annotated[str, typer.Argument(help="Host name or address of a Modbus TCP device or gateway")] = "",
    serial: Annotated[str, typer.Option(help="A serial line instead, e.g. /dev/ttyUSB0")] = "",
    port: Annotated[int, typer.Option(help="TCP port", min=1, max=65535)] = 502,
    units: Annotated[str, typer.Option(help="Unit ids, e.g. 1-10 or 1,126; the usual ones come first")] = "1-247",
    framing: Annotated[str, typer.Option(help="tcp, or rtu for a converter that passes RTU frames through")] = "tcp",
    baud: Annotated[str, typer.Option(help="Serial speeds to try")] = "9600,19200,2400,38400,115200",
    parity: Annotated[str, typer.Option(help="Serial parities to try: N, E, O")] = "N,E,O",
    timeout: Annotated[float, typer.Option(help="How long to wait for a first answer, s", min=0.05, max=10)] = 0.5,
    profile: Annotated[str, typer.Option(help="With --watch: the profile to read with")] = "",
    watch: Annotated[bool, typer.Option("--watch", help="Live values of the device found, until Ctrl-C")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="What was found as JSON")] = False,
) -> None:
    """Name the Modbus devices at HOST or on a serial line, and their profiles; it only reads, on one connection."""
    from gateway.probing import place_of
    from gateway.probing_terminal import run_probe, run_watch
    from gateway.runtime.system_clock import SystemClock

    numbers, clock = _numbers(units), SystemClock()
    try:
        place = place_of(host, serial, port, framing, timeout, baud, parity)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    with told():
        try:
            if watch:
                run_watch(place, numbers, clock, profile)
                return
            code = run_probe(place, numbers, clock, json=as_json)
        except KeyboardInterrupt:
            say("stopped")
            return
    raise typer.Exit(code)


@probe_app.command("mqtt")
def probe_mqtt(
    host: Annotated[str, typer.Argument(help="Host name or address of the broker")],
    port: Annotated[int, typer.Option(help="TCP port; 8883 with TLS", min=1, max=65535)] = 1883,
    username: Annotated[str | None, typer.Option(help="User name at the broker")] = None,
    password: Annotated[str | None, typer.Option(help="Its password", envvar="HEARTH_MQTT_PASSWORD")] = None,
    ca_file: Annotated[str | None, typer.Option(help="CA certificate that signed the broker's; means TLS")] = None,
    seconds: Annotated[float, typer.Option(help="How long to listen, s; many devices speak each minute", min=1)] = 60,
    everything: Annotated[bool, typer.Option("--all", help="Listen to every topic, not only known ones")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="What was heard as JSON")] = False,
) -> None:
    """Listen on a broker and name the devices that speak there, with the profiles that read them."""
    from adapters.mqtt.settings import MqttSettings
    from gateway.probing_broker import run_probe
    from gateway.runtime.system_clock import SystemClock

    login = {"username": username, "password": password, "ca_file": ca_file, "tls": ca_file is not None}
    settings = MqttSettings.model_validate({"kind": "mqtt", "host": host, "port": port, **login})
    with told():
        code = run_probe(settings, seconds, SystemClock(), everything=everything, as_json=as_json)
    raise typer.Exit(code)


@probe_app.command("ocpp")
def probe_ocpp(
    port: Annotated[int, typer.Option(help="TCP port to listen on, plain and TLS", min=1, max=65535)] = 8887,
    path: Annotated[str, typer.Option(help="Path before the charger's identity")] = "/ocpp",
    seconds: Annotated[float, typer.Option(help="How long to listen, s", min=1)] = 600,
    data: DataOption = DATA,
    as_json: Annotated[bool, typer.Option("--json", help="Who dialled as JSON, at the end")] = False,
) -> None:
    """Say what to type into a charger, listen, and tell live which chargers dial and how far they come."""
    from adapters.ocpp.settings import OcppSettings
    from gateway.probing_chargers import run_probe
    from gateway.runtime.system_clock import SystemClock

    settings = OcppSettings.model_validate({"kind": "ocpp", "port": port, "path": path})
    with told():
        code = run_probe(settings, data, seconds, SystemClock(), as_json=as_json)
    raise typer.Exit(code)


@probe_app.command("source")
def probe_source(
    site: SiteOption,
    name: Annotated[str, typer.Argument(help="Name of one source in the site file; all of them without it")] = "",
    config: ConfigOption = CONFIG,
) -> None:
    """Ask the sources of prices, carbon and weather of a site file once, and say what they told."""
    from gateway.assembly import KINDS
    from gateway.config import load_site
    from gateway.probing_sources import probe_sources
    from gateway.runtime.system_clock import SystemClock
    from gateway.web.settings import WebSettings

    async def ask() -> None:
        async for line in probe_sources(load_site(site, KINDS, WebSettings), config / "sources", SystemClock(), name):
            print(line)

    with told():
        asyncio.run(ask())


@probe_app.command("openadr")
def probe_openadr(
    url: Annotated[str, typer.Argument(help="Base URL of the utility's server (VTN), up to but without /programs")],
    client_id: Annotated[str, typer.Option(help="Client id from the utility; none for a public server")] = "",
    secret_file: Annotated[
        Path | None, typer.Option(help="File with the client secret; else HEARTH_CLIENT_SECRET, else it is asked for")
    ] = None,
    token_url: Annotated[str, typer.Option(help="Token endpoint, where the server does not name it")] = "",
    ca_file: Annotated[str, typer.Option(help="PEM file of the server's own certificate authority")] = "",
    cert_file: Annotated[str, typer.Option(help="Our client certificate (PEM), where the server asks for one")] = "",
    key_file: Annotated[str, typer.Option(help="Private key of the client certificate (PEM)")] = "",
    ven_name: Annotated[str, typer.Option(help="Name of this home at the server: is it known there?")] = "",
    version: Annotated[str, typer.Option(help="auto, 3.1.0 or 3.0.1")] = "auto",
    insecure: Annotated[bool, typer.Option("--insecure", help="Do not check the server's certificate")] = False,
    send_report: Annotated[
        bool, typer.Option("--send-report", help="Send a test report for the first event, and remove it again")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="What was found as JSON")] = False,
) -> None:
    """Say whether an account at a utility's OpenADR 3 server works. Exit code 0: yes, 1: with warnings, 2: no."""
    from gateway.probing_openadr import run_probe, secret_of, settings_of
    from gateway.runtime.system_clock import SystemClock

    with told():
        settings = settings_of(
            url, client_id=client_id, client_secret=secret_of(client_id, secret_file), token_url=token_url,
            ca_file=ca_file, cert_file=cert_file, key_file=key_file, ven_name=ven_name, version=version,
            verify=not insecure,
        )  # fmt: skip
        code = run_probe(settings, SystemClock(), send_report=send_report, as_json=as_json)
    raise typer.Exit(code)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []})
def sim(context: typer.Context) -> None:
    """Run one simulated device (house, meter, inverter, relay, thermostat, chargepoint, chargers, vtn, vtn-ctl, sources); all options are its own."""
    import os

    os.execv(sys.executable, [sys.executable, "-m", "firmware_sim", *context.args])


@app.command("import")
def import_csv(
    file: Annotated[Path, typer.Argument(help="CSV with columns start,device,import_wh,export_wh (15-minute rows)")],
    data: DataOption = DATA,
    site: Annotated[
        Path | None, typer.Option("--site", help="The site file: checks ids, makes house and solar")
    ] = None,
    home_epoch: Annotated[str | None, typer.Option(hidden=True)] = None,
) -> None:
    """Bring interval history in while the gateway is stopped; a bad row is named with its line, the others come in."""
    from gateway.importing import import_history
    from gateway.runtime.system_clock import SystemClock

    if not file.is_file():
        say(f"[red]{file}: no such file[/]")
        raise typer.Exit(2)
    now = datetime.fromisoformat(home_epoch).astimezone(UTC) if home_epoch else SystemClock().now()
    with told():
        result = asyncio.run(import_history(file, data, say, now, site))
    for finding in result.findings[:20]:
        print(finding)
    if len(result.findings) > 20:
        print(f"... and {len(result.findings) - 20} more rows")
    there = result.rows - result.written
    say(f"{result.rows} intervals imported ({there} stood so already), {len(result.findings)} rows refused")
    if result.corrected:
        say(f"{result.corrected} rows left out: corrected by a person; undo the correction first")
    if result.derived:
        say(f"{result.derived} intervals of house and solar made anew")
    if result.underived:
        say("house, solar and where the energy came from are not made of these rows: run again with --site SITE_FILE")
    raise typer.Exit(1 if result.findings or result.corrected else 0)


@app.command()
def export(
    device: Annotated[str, typer.Argument(help="Device id, or house, solar")],
    data: DataOption = DATA,
    start: Annotated[str, typer.Option(help="First day, YYYY-MM-DD")] = "1970-01-01",
    end: Annotated[str, typer.Option(help="Day after the last, YYYY-MM-DD")] = "9999-01-01",
    form: Annotated[str, typer.Option("--format", help="csv, or green-button (ESPI XML; needs --site)")] = "csv",
    resolution: Annotated[int, typer.Option(help="Length of the intervals, minutes: 5, 15, 30 or 60")] = 15,
    site: Annotated[Path | None, typer.Option("--site", help="The site file, for its names and time zone")] = None,
) -> None:
    """Write interval data to standard output; CSV of 15 minutes is in the form that `import` reads."""
    from gateway.tools import export_green_button, export_intervals

    if form not in ("csv", "green-button") or resolution not in (5, 15, 30, 60):
        say(f"[red]{form} of {resolution} minutes is not known[/]. Known: csv, green-button of 5, 15, 30 or 60 minutes")
        raise typer.Exit(2)
    if form == "green-button" and site is None:
        say("[red]Green Button data names the home and its time zone[/]. State the site file: --site site.yaml")
        raise typer.Exit(2)
    first, last, length = _day(start).date(), _day(end).date(), resolution * 60
    with told():
        if form == "green-button" and site is not None:
            for piece in asyncio.run(export_green_button(device, data, first, last, length, site)):
                print(piece, end="")
            return
        for line in asyncio.run(export_intervals(device, data, first, last, length, site)):
            print(line)


@app.command("train-shapes")
def train(
    folder: Annotated[
        Path,
        typer.Argument(
            help="Folder of interval CSVs (also .csv.gz) of 5 to 60 minutes, else as hearth import takes them"
        ),
    ],
    out: Annotated[Path, typer.Option("--out", help="The dictionary to write; name it as shapes_file in a site file")],
    timezone: Annotated[str, typer.Option(help="IANA time zone of the homes, for their local days")] = "UTC",
    config: ConfigOption = CONFIG,
) -> None:
    """Fit the dictionary of load shapes to many homes. Exit code 0: written, 1: written, something was refused, 2: not."""
    from zoneinfo import ZoneInfo

    from rich.console import Console
    from rich.progress import track

    from gateway.assembly import shipped_shapes
    from gateway.runtime.system_clock import SystemClock
    from gateway.training import Trained, train_shapes

    def tell(read: Trained) -> None:
        for each in read.files:
            print(each)
            for finding in each.findings:
                print(f"  {finding}")
        for path in read.passed:
            print(f"{path}: passed over, it is no .csv or .csv.gz")

    try:
        zone = ZoneInfo(timezone)
    except (KeyError, ValueError, OSError) as error:
        raise typer.BadParameter(f"'{timezone}' is no IANA time zone; write e.g. Europe/Brussels") from error
    if not folder.is_dir():
        say(f"[red]{folder}: no such folder[/]")
        raise typer.Exit(2)
    screen = Console(stderr=True)
    with told():
        made = train_shapes(
            folder, out, shipped_shapes(config), zone, SystemClock().now(),
            lambda files: track(files, "reading homes", console=screen), tell,
        )  # fmt: skip
    say(f"{out}: {', '.join(made.shapes)}, from {made.days} days of {made.homes} homes")
    raise typer.Exit(1 if made.findings else 0)


app.command()(whatif)
app.command("verify-record")(verify_record)


@app.command()
def backup(target: Path, data: DataOption = DATA) -> None:
    """Copy the database to TARGET while the gateway runs."""
    from gateway.tools import backup_data

    with told():
        asyncio.run(backup_data(data, target))
    say(f"backup written to {target}")


@app.command()
def restore(source: Path, data: DataOption = DATA) -> None:
    """Put a backup in place of the database (the gateway must be stopped); the old one is kept beside it."""
    from gateway.tools import restore_data

    with told():
        kept = restore_data(source, data)
    say(f"{source} restored" + (f"; the former database is kept as {kept}" if kept else ""))


def _day(text: str) -> datetime:
    try:
        day = datetime.fromisoformat(text).replace(tzinfo=UTC)
    except ValueError as error:
        raise typer.BadParameter(f"'{text}' is not a day; write YYYY-MM-DD") from error
    if day.year < 1970:
        raise typer.BadParameter(f"'{text}': there is no data from before 1970")
    return day


def _numbers(text: str) -> list[int]:
    result: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        if not first.strip().isdigit() or (last and not last.strip().isdigit()):
            raise typer.BadParameter(f"'{text}' is not a list of unit ids; write 1-10 or 1,126")
        if last and int(last) < int(first):
            raise typer.BadParameter(f"'{part}' counts backwards; write {last}-{first}")
        if int(last or first) > 255:
            raise typer.BadParameter(f"'{part}' is no unit id; they end at 255 (247 on a serial line)")
        result += range(int(first), int(last or first) + 1)
    return result


def main() -> None:
    """Entry point of the `hearth` command."""
    app()


if __name__ == "__main__":
    main()
