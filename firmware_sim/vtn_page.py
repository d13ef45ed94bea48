"""The VTN's page for people: events with what the homes say of them, reports as small charts, who is enrolled."""

from __future__ import annotations

from datetime import datetime
from html import escape
from pathlib import Path
from string import Template
from typing import Any
from zoneinfo import ZoneInfo

from firmware_sim.vtn_chart import chart
from firmware_sim.vtn_forms import event_acts, event_form, program_form
from firmware_sim.vtn_said import delivered_kwh, series, states
from firmware_sim.vtn_script import Script
from firmware_sim.vtn_store import Object, Store
from firmware_sim.vtn_time import phase, span

FRAME = Template((Path(__file__).parent / "vtn_page.html").read_text(encoding="utf-8"))
VALUES_SHOWN = 12


def page(store: Store, script: Script, faults: list[str], said: str = "") -> str:
    """The whole page as HTML, local times; `said` is what was wrong with the last form."""
    now, zone = store.now(), script.zone
    events = [_event(event, store, now, zone) for event in reversed(store.items["events"].values())]
    reports = [_report(report, store, zone) for report in reversed(store.items["reports"].values())]
    vens = [_ven(ven, store) for ven in store.items["vens"].values()]
    waiting = [_row(_at(due, zone), _planned(entry)) for due, entry in script.waiting]
    return FRAME.substitute(
        now=_at(now, zone, "%A %H:%M:%S"),
        said=f'<p class="wrong" role="alert">{escape(said)}</p>' if said else "",
        program_form=program_form(),
        event_form=event_form(list(store.items["programs"].values())),
        faults="".join(f'<span class="fault">{escape(kind)}</span>' for kind in faults),
        events="".join(events) or '<p class="none">No event is published.</p>',
        waiting=_table(("At", "Will happen"), waiting) if waiting else "",
        reports="".join(reports) or '<p class="none">No report has arrived.</p>',
        vens=_table(("VEN", "Client", "Resources"), vens) if vens else '<p class="none">No VEN is enrolled.</p>',
    )


def _event(event: Object, store: Store, now: datetime, zone: ZoneInfo) -> str:
    start, end = span(event)
    state = phase(event, now)
    program = store.items["programs"].get(event["programID"], {})
    payloads = "".join(
        f"<li>interval {escape(str(interval['id']))}: {escape(_values(interval['payloads']))}</li>"
        for interval in (event.get("intervals") or [])[:VALUES_SHOWN]
    )
    return (
        f'<article class="{state}"><h3>{escape(str(event.get("eventName") or event["id"]))}'
        f'<b class="phase">{state}</b></h3>'
        f"<p>{_at(start, zone)} to {_at(end, zone)} &middot; {escape(str(program.get('programName', '?')))}"
        f"{_priority(event)}</p><ul>{payloads}</ul>{_homes(event, store)}{event_acts(event)}</article>"
    )


def _homes(event: Object, store: Store) -> str:
    """What each home says: taking part or not, delivered energy."""
    reports = list(store.items["reports"].values())
    said = [
        (state.client, state.words, "opted-out" if state.opted_out else "taking") for state in states(event, reports)
    ]
    for (client, resource), kwh in delivered_kwh(event, reports).items():
        said.append((f"{client}, {resource}", f"{kwh:.3g} kWh less than its baseline", ""))
    lines = "".join(f'<li class="{kind}">{escape(client)}: {escape(words)}</li>' for client, words, kind in said)
    return f'<ul class="homes">{lines}</ul>' if lines else ""


def _priority(event: Object) -> str:
    priority = event.get("priority")
    return "" if priority is None else f" &middot; priority {escape(str(priority))}"


def _report(report: Object, store: Store, zone: ZoneInfo) -> str:
    event = store.items["events"].get(report["eventID"], {})
    rows = [
        _row(str(resource["resourceName"]), str(interval["id"]), _values(interval["payloads"]))
        for resource in report["resources"]
        for interval in resource["intervals"][:VALUES_SHOWN]
    ]
    charts = "".join(
        f"<figure>{drawn}<figcaption>{escape(f'{resource}: {kind}')}</figcaption></figure>"
        for resource, kind, values in series(report)
        if (drawn := chart(f"{resource} {kind}", values))
    )
    arrived = _at(datetime.fromisoformat(report["modificationDateTime"]), zone)
    return (
        f"<article><h3>{escape(str(report.get('reportName') or 'Report'))}</h3>"
        f"<p>{arrived} &middot; from {escape(str(report['clientName']))}"
        f" &middot; on {escape(str(event.get('eventName') or report['eventID']))}</p>"
        f"{charts}{_table(('Resource', 'Interval', 'Values'), rows)}</article>"
    )


def _ven(ven: Object, store: Store) -> str:
    owned = [item["resourceName"] for item in store.items["resources"].values() if item["venID"] == ven["id"]]
    return _row(str(ven["venName"]), str(ven["clientID"]), ", ".join(map(str, owned)) or "none")


def _planned(entry: Object) -> str:
    for verb in ("cancel", "modify"):
        if verb in entry:
            return f"{verb} {entry[verb]}"
    event: Object = entry.get("event") or {}
    return f"publish {event.get('eventName', 'a program')}"


def _values(payloads: list[dict[str, Any]]) -> str:
    return "; ".join(f"{part.get('type')} {', '.join(map(_number, part.get('values', [])))}" for part in payloads)


def _number(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _at(at: datetime, zone: ZoneInfo, pattern: str = "%a %H:%M") -> str:
    return at.astimezone(zone).strftime(pattern)


def _table(heads: tuple[str, ...], rows: list[str]) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in heads)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def _row(*cells: str) -> str:
    return f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>"
