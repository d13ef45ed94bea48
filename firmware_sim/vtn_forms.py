"""The forms of the VTN's page: a program, an event, and the change or end of one."""

from __future__ import annotations

from html import escape

from firmware_sim import vtn_compose
from firmware_sim.vtn_store import Object

HINTS = {
    "name": "Evening peak", "values": "2", "start": "now, +10, 18:00", "duration": "1h", "randomize": "5m",
    "priority": "0 is the highest", "targets": "groups, with commas", "reports": "usage,baseline,state",
    "currency": "EUR",
}  # fmt: skip
LABELS = {
    "name": "Name", "values": "Values, one for each interval", "start": "Start", "duration": "Length of each interval",
    "randomize": "Start at random within", "priority": "Priority", "targets": "Targets", "reports": "Reports asked",
    "currency": "Currency of a price",
}  # fmt: skip
KIND_WORDS = {
    "level": "level 0 to 3", "import-limit": "most to draw, kW", "export-limit": "most to feed in, kW",
    "price": "price per kWh", "export-price": "price of fed-in kWh", "ghg": "g CO2 per kWh",
    "dispatch": "battery setpoint, kW", "charge-state": "charge to reach, %", "offset": "offset -10 to 10",
    "emergency": "grid emergency, a text",
}  # fmt: skip
CHANGEABLE = ("values", "start", "duration", "priority", "targets")


def program_form() -> str:
    """Make a program."""
    return (
        '<form method="post" action="/desk/program"><label>Name <input name="name" required></label>'
        '<label>Description, a web address <input name="description"></label>'
        '<label class="check"><input type="checkbox" name="binding" value="yes"> taking part is a duty</label>'
        "<button>Create program</button></form>"
    )


def event_form(programs: list[Object]) -> str:
    """Publish an event in one of the programs."""
    if not programs:
        return '<p class="none">An event needs a program: create one first.</p>'
    chosen = "".join(_option(str(item["id"]), str(item.get("programName"))) for item in reversed(programs))
    kinds = "".join(_option(kind, f"{kind}: {KIND_WORDS[kind]}") for kind in vtn_compose.KINDS)
    fields = "".join(_field(name, required=name == "values") for name in LABELS)
    return (
        f'<form method="post" action="/desk/event"><label>Program <select name="program">{chosen}</select></label>'
        f'<label>What <select name="kind">{kinds}</select></label>{fields}<button>Publish event</button></form>'
    )


def event_acts(event: Object) -> str:
    """Change or cancel one event."""
    key = escape(str(event["id"]), quote=True)
    hidden = f'<input type="hidden" name="id" value="{key}">'
    fields = "".join(_field(name) for name in CHANGEABLE)
    return (
        f'<details><summary>Change or cancel</summary><form method="post" action="/desk/change">{hidden}{fields}'
        "<button>Change what is filled in</button></form>"
        f'<form method="post" action="/desk/cancel">{hidden}<button>Cancel: delete it</button>'
        '<button name="how" value="zero">Cancel: keep it with no length</button></form></details>'
    )


def _field(name: str, *, required: bool = False) -> str:
    hint = escape(HINTS[name], quote=True)
    return f'<label>{LABELS[name]} <input name="{name}" placeholder="{hint}"{" required" if required else ""}></label>'


def _option(value: str, words: str) -> str:
    return f'<option value="{escape(value, quote=True)}">{escape(words)}</option>'
