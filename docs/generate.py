"""Writes docs/reference/ from the code itself; tests/test_docs.py fails when it is out of date.

.venv-dev/bin/python docs/generate.py
"""

from __future__ import annotations

import json
import sys
import types
from collections.abc import Iterator
from enum import Enum, StrEnum
from inspect import Parameter, signature
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal, Union, get_args, get_origin

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import typer  # noqa: E402
from pydantic import BaseModel, SecretStr  # noqa: E402
from pydantic.fields import FieldInfo  # noqa: E402
from ruamel.yaml import YAML  # noqa: E402
from typer.models import OptionInfo  # noqa: E402

from gateway import sections  # noqa: E402
from gateway.__main__ import app as command_line  # noqa: E402
from gateway.assembly import KINDS  # noqa: E402
from gateway.model.site import Role, Tier  # noqa: E402
from gateway.web.app import create_app  # noqa: E402
from gateway.web.settings import WebSettings  # noqa: E402

HEADER = "<!-- Written by docs/generate.py: change the code, then run it again. -->\n"
UNITS = {
    "wear_cost_per_kwh": "currency/kWh", "co2_g_per_kwh": "g/kWh", "loss_w_per_k": "W/K", "resistance_k_per_w": "K/W",
    "capacitance_wh_per_k": "Wh/K", "latitude": "degrees", "longitude": "degrees", "baudrate": "bit/s",
}  # fmt: skip
SUFFIXES = {
    "_percent": "%", "_ms": "ms", "_wh": "Wh", "_w": "W", "_a": "A", "_v": "V", "_c": "°C", "_l": "l", "_s": "s",
}  # fmt: skip
SECTIONS = (
    ("battery", sections.BatterySection, "roles battery, hybrid_inverter"),
    ("charger", sections.ChargerSection, "role ev_charger"),
    ("water_heater", sections.WaterHeaterSection, "role water_heater"),
    ("heat_pump", sections.HeatPumpSection, "role heat_pump"),
)


def pages() -> dict[str, str]:
    """Every page of the reference: file name -> text."""
    return {
        "site-file.md": site_file(),
        "command-line.md": commands(),
        "api.md": api(),
        "devices.md": devices(),
    }


# --- the site file


def site_file() -> str:
    """Every option of the site file, from the models that check it."""
    lines = [
        HEADER, "# The site file", "",
        "One YAML file holds the home; [config/site/example.yaml](../../config/site/example.yaml) shows all of it at once.",
        "Unknown keys are refused by name with the nearest known one. `./hearth check --site FILE` names every mistake",
        "with its line and remedy. A mistake in one device leaves that device out; the rest of the home runs.", "",
        "Secrets: write `!secret NAME` and put `NAME: ...` into `secrets.yaml` beside the file (mode 0600), or hand it in",
        "as a systemd credential of that name.", "",
        "## site", "", *_options(sections.SiteSection),
        "", "## web", "", *_options(WebSettings),
        "", "## circuits", "", "By id; a tree below the main fuse.", "", *_options(sections.CircuitSection),
        "", "## connections", "",
        "By name; each has one `kind`. One task owns one connection.",
    ]  # fmt: skip
    for name, kind in KINDS.items():
        lines += ["", f"### kind: {name}", "", _sentence(kind.connection), "", *_options(kind.connection)]
    lines += [
        "", "## devices", "",
        "By id: letters, digits, `_` and `-`, at most 40, never changed afterwards, and none of "
        + ", ".join(f"`{name}`" for name in sections.PSEUDO_DEVICES) + ".",
        "", "| option | type | unit | default | meaning |", "|---|---|---|---|---|",
        "| `name` | text | | the id | What people call it |",
        f"| `role` | {_choices(r.value for r in Role)} | | required | What it is to the home; exactly one main_meter |",
        "| `connection` | text | | required | Name of one of the connections above |",
        "| `circuit` | text | | none | The circuit it hangs on; none: directly below the main fuse |",
        f"| `tier` | {_choices(t.value for t in Tier)} | | by role | What becomes of it while the grid is away: cars, pool "
        "pumps and appliances are non_essential, all else nice |",
    ]  # fmt: skip
    done: list[type[BaseModel]] = []
    for kind in KINDS.values():
        if kind.device is None or kind.device in done:
            continue
        done.append(kind.device)
        names = ", ".join(n for n, k in KINDS.items() if k.device is kind.device)
        lines += ["", f"### a device on {names}", "", _sentence(kind.device), "", *_options(kind.device)]
    for name, model, where in SECTIONS:
        lines += ["", f"### {name}: ({where})", "", _sentence(model), "", *_options(model)]
    return "\n".join(lines) + "\n"


def _options(model: type[BaseModel]) -> list[str]:
    rows = ["| option | type | unit | default | meaning |", "|---|---|---|---|---|"]
    for name, found in model.model_fields.items():
        about = found.description or ""
        meaning = _cell(about if about.endswith("...") else about.removesuffix("."))
        rows.append(f"| `{name}` | {_type(found)} | {_unit(name)} | {_default(found)} | {meaning} |")
    return rows


def _unit(name: str) -> str:
    if name in UNITS:
        return UNITS[name]
    return next((unit for suffix, unit in SUFFIXES.items() if name.endswith(suffix)), "")


def _default(found: FieldInfo) -> str:
    if found.is_required():
        return "required"
    value = found.get_default(call_default_factory=True)
    if isinstance(value, SecretStr) or value == "":
        return "empty"
    if value is None:
        return "none"
    return f"`{json.dumps(value)}`"


def _type(found: FieldInfo) -> str:
    bounds = []
    for item in found.metadata:
        for attribute, sign in (("ge", ">="), ("gt", ">"), ("le", "<="), ("lt", "<")):
            if getattr(item, attribute, None) is not None:
                bounds.append(f"{sign} {getattr(item, attribute):g}")
    return " ".join([_type_name(found.annotation), *([f"({', '.join(bounds)})"] if bounds else [])])


def _type_name(kind: Any) -> str:
    if get_origin(kind) is Literal:
        return _choices(str(choice) for choice in get_args(kind))
    if get_origin(kind) in (Union, types.UnionType):
        return " or ".join(_type_name(part) for part in get_args(kind) if part is not type(None))
    if get_origin(kind) is dict:
        key, value = get_args(kind)
        return f"map of {_type_name(key)} to {_type_name(value)}"
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind.__name__.lower()
    if get_origin(kind) in (list, tuple):
        return f"list of {_type_name(get_args(kind)[0])}"
    if hasattr(kind, "__metadata__"):
        return _type_name(kind.__origin__)
    return {str: "text", float: "number", int: "whole number", bool: "true or false", SecretStr: "secret text"}[kind]


def _choices(values: Iterator[str] | Any) -> str:
    return ", ".join(f"`{value}`" for value in values)


def _sentence(model: type[BaseModel]) -> str:
    return (model.__doc__ or "").strip().splitlines()[0]


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


# --- the command line


def commands() -> str:
    """Every command with its arguments and options, from typer."""
    lines = [
        HEADER, "# The command line", "",
        "Run as `./hearth COMMAND` from the folder of the clone; the launcher makes its own virtual environment.",
    ]  # fmt: skip
    for path, command in _walk("hearth", command_line):
        assert command.callback is not None
        lines += ["", f"## {path}", "", _cell((command.callback.__doc__ or "").strip()), ""]
        rows = [_parameter(item) for item in signature(command.callback, eval_str=True).parameters.values()]
        if any(rows):
            lines += ["| argument or option | type | default | meaning |", "|---|---|---|---|", *filter(None, rows)]
        if path == "hearth sim":
            lines += ["Its first word is one of the processes of [the simulated home](../simulated-home.md)."]
    return "\n".join(lines) + "\n"


def _walk(path: str, group: typer.Typer) -> Iterator[tuple[str, Any]]:
    """Commands with their full names, sorted; the name is the function's unless another was given."""
    found = [(f"{path} {c.name or c.callback.__name__}", c) for c in group.registered_commands if c.callback]
    for child in group.registered_groups:
        if child.typer_instance is not None:
            found += _walk(f"{path} {child.name}", child.typer_instance)
    yield from sorted(found, key=lambda item: item[0])


def _parameter(item: Parameter) -> str:
    """One row of a command's table; empty for what is hidden or not given by people."""
    kind, *about = [item.annotation, *getattr(item.annotation, "__metadata__", ())]
    info = about[0] if about else None
    if kind is typer.Context or getattr(info, "hidden", False):
        return ""
    kind = get_args(kind)[0] if about else kind
    plain = next((part for part in get_args(kind) if part is not type(None)), kind)
    switch, option = plain is bool, isinstance(info, OptionInfo)
    # In Annotated, typer keeps the first name given by hand where a default would stand.
    names_given = [getattr(info, "default", None), *(getattr(info, "param_decls", None) or ())]
    dashed = ", ".join(n for n in names_given if isinstance(n, str)) or "--" + item.name.replace("_", "-")
    name = f"`{dashed}`" if option else f"`{item.name.upper()}`"
    names = {str: "text", Path: "path", float: "number", int: "whole number", bool: "switch"}
    low, high = getattr(info, "min", None), getattr(info, "max", None)
    bounds = f" ({low:g} to {high:g})" if low is not None and high is not None else ""
    kind_words = " or ".join(f"`{one.value}`" for one in plain) if issubclass(plain, StrEnum) else names[plain]
    default = "none" if item.default is None else f"`{item.default}`"
    given = "required" if item.default is Parameter.empty else "off" if switch else default
    return f"| {name} | {kind_words}{bounds} | {given} | {_cell(getattr(info, 'help', '') or '')} |"


# --- the HTTP API


def api() -> str:
    """Every path of the HTTP API, from its OpenAPI document."""
    # The routes only take these along; an OpenAPI document asks none of them.
    parts = (
        "facts",
        "clock",
        "bills",
        "appliances",
        "envelopes",
        "chain",
        "offers",
        "sources",
        "archive",
        "savings",
        "plans",
        "questions",
        "tariffs",
        "alerts",
    )
    home: Any = SimpleNamespace(**dict.fromkeys(parts))
    document = create_app(home, settings=WebSettings()).openapi()
    lines = [
        HEADER, "# The HTTP API", "",
        "The gateway serves its own OpenAPI document at `/api/v1/openapi.json`. Powers are W, energies Wh, money",
        "micro-units of the site's currency, times aware UTC; positive is consumption, import and charging. Errors are",
        "problem bodies (RFC 9457): what is wrong, where, how to mend it. Requests that change something need a login",
        "and are checked for Host and Origin.", "",
        "| method | path | what | query | body | answer |", "|---|---|---|---|---|---|",
    ]  # fmt: skip
    for path, methods in document["paths"].items():
        if not path.startswith(("/api/", "/healthz", "/readyz", "/metrics")):
            continue
        for method, operation in methods.items():
            query = ", ".join(f"`{p['name']}`" for p in operation.get("parameters", []) if p["in"] == "query")
            what = _cell(operation.get("description", operation.get("summary", "")))
            body, answer = _schema(operation.get("requestBody", {})), _schema(operation["responses"].get("200", {}))
            lines.append(f"| {method.upper()} | `{path}` | {what} | {query} | {body} | {answer} |")
    lines += ["", "## Bodies and answers"]
    for name, schema in sorted(document["components"]["schemas"].items()):
        if name in ("HTTPValidationError", "ValidationError") or "properties" not in schema:
            continue
        lines += ["", f"### {name}", ""]
        lines += [_cell(schema["description"]), ""] if "description" in schema else []
        for field_name, values in schema["properties"].items():
            must = "" if field_name in schema.get("required", []) else ", may be absent"
            lines.append(f"- `{field_name}`: {_json_type(values)}{must}")
    return "\n".join(lines) + "\n"


def _schema(part: dict[str, Any]) -> str:
    content = part.get("content", {})
    for kind, body in content.items():
        return _json_type(body["schema"]) if body.get("schema") else kind
    return ""


def _json_type(values: dict[str, Any]) -> str:
    if "$ref" in values:
        return str(values["$ref"]).rsplit("/", 1)[1]
    if "anyOf" in values:
        return " or ".join(_json_type(part) for part in values["anyOf"])
    if values.get("type") == "array":
        return f"list of {_json_type(values.get('items', {}))}"
    if "enum" in values:
        return _choices(values["enum"])
    if "const" in values:
        return f"`{values['const']}`"
    if isinstance(values.get("additionalProperties"), dict):
        return f"map of {_json_type(values['additionalProperties'])}"
    return str(values.get("format") or values.get("type") or "anything")


# --- devices


def devices() -> str:
    """Every device profile shipped, with its source and how far it was verified."""
    lines = [
        HEADER, "# Devices", "",
        "A device is a file of data. Name it as `profile:` in the site file; [add a meter](../how-to/add-a-meter.md) says",
        "how to write another. The mark says honestly what a profile was tried against.", "",
        "| profile | device | measures | obeys | source | verified |", "|---|---|---|---|---|---|",
    ]  # fmt: skip
    for folder in ("modbus", "mqtt"):
        for path in sorted((ROOT / "config" / "devices" / folder).glob("*.yaml")):
            profile = YAML(typ="safe").load(path)
            if "maker" in profile:
                lines.append(_profile(folder, path.stem, profile))
    lines += [
        "",
        "Chargers need no profile: any OCPP 1.6J charge point, see [connect a charger](../how-to/connect-a-charger.md).",
    ]
    return "\n".join(lines) + "\n"


def _profile(folder: str, name: str, profile: dict[str, Any]) -> str:
    rows = [*profile.get("registers", []), *profile.get("readings", []), *profile.get("states", [])]
    measures = ", ".join(dict.fromkeys(str(row["quantity"]) for row in rows))
    commands = profile.get("commands", profile.get("controls", []))
    obeys = ", ".join(str(c["kind"] if isinstance(c, dict) else c) for c in commands)
    source = profile["source"]
    where = f"{source['manual']}, {source['version']}, {source['page']}"
    return (
        f"| [{name}](../../config/devices/{folder}/{name}.yaml) | {profile['maker']} {profile['model']} | {measures} | "
        f"{obeys or 'reads only'} | {_cell(where)} | {_cell(profile['verified'])} |"
    )


def main() -> None:
    """Write the reference."""
    folder = ROOT / "docs" / "reference"
    folder.mkdir(exist_ok=True)
    for name, text in pages().items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
