"""The witness judges by its own reading of the standards; the published schemas judge that reading."""

from __future__ import annotations

import json

import pytest

from firmware_sim.ocpp2.shapes import BOOKS
from firmware_sim.ocpp16 import shapes as sixteen
from firmware_sim.ocppj.shapes import Anything, Flag, Group, Many, Number, OneOf, Text, Time, Whole, Wrong
from tests.firmware_sim.central import FOLDERS, SCHEMAS, request_name

BOOK = {"1.6": (sixteen.CALLS, sixteen.ANSWERS), **{name: (book.calls, book.answers) for name, book in BOOKS.items()}}
MESSAGES = [
    (version, name, shape)
    for version, (calls, answers) in BOOK.items()
    for name, shape in (
        *((request_name(version, action), shape) for action, shape in calls.items()),
        *((f"{action}Response", shape) for action, shape in answers.items()),
    )
]


def differences(shape, found, definitions, path):
    """Where our shape and the published schema of one value disagree."""
    while "$ref" in found:
        found = definitions[found["$ref"].rsplit("/", 1)[-1]]
    if isinstance(shape, Anything):
        return
    if isinstance(shape, Group):
        yield from group_differences(shape, found, definitions, path)
    elif isinstance(shape, Many):
        stricter = shape.least and "minItems" not in found  # 1.6 section 7.13: one period or more
        if (shape.least or None, shape.most) != (1 if stricter else found.get("minItems"), found.get("maxItems")):
            yield f"{path}: {shape.least}..{shape.most} items"
        yield from differences(shape.item, found["items"], definitions, f"{path}[]")
    elif isinstance(shape, OneOf):
        if set(shape.words) != set(found.get("enum", ())):
            yield f"{path}: words {set(shape.words) ^ set(found.get('enum', ()))}"
    elif isinstance(shape, Text):
        if found["type"] != "string" or shape.most != found.get("maxLength"):
            yield f"{path}: {shape.most} characters, not {found.get('maxLength')}"
    else:
        kinds = {Whole: "integer", Number: "number", Flag: "boolean", Time: "string"}
        if found["type"] != kinds[type(shape)]:
            yield f"{path}: {found['type']}"


def group_differences(shape, found, definitions, path):
    theirs = {name: value for name, value in found.get("properties", {}).items() if name != "customData"}
    ours = {name.rstrip("?"): value for name, value in shape.fields.items()}
    must = {name for name in shape.fields if not name.endswith("?")}
    if set(theirs) != set(ours):
        yield f"{path}: fields {set(theirs) ^ set(ours)}"
    if must != set(found.get("required", ())):
        yield f"{path}: required {must ^ set(found.get('required', ()))}"
    for name in set(theirs) & set(ours):
        yield from differences(ours[name], theirs[name], definitions, f"{path}.{name}")


@pytest.mark.parametrize(
    ("version", "name", "shape"), MESSAGES, ids=lambda value: value if isinstance(value, str) else ""
)
def test_our_reading_of_each_message_is_that_of_the_published_schema(version, name, shape):
    text = (SCHEMAS / FOLDERS[version] / "schemas" / f"{name}.json").read_text(encoding="utf-8-sig")
    found = json.loads(text)
    assert list(differences(shape, found, found.get("definitions", {}), "")) == []


@pytest.mark.parametrize(
    ("shape", "value", "kind"),
    [
        (Text(3), "four", "property"),
        (Text(3), 3, "type"),
        (Whole(0), True, "type"),
        (Whole(0), 1.0, "type"),
        (Whole(0), -1, "property"),
        (Number(decimals=1), 6.05, "property"),
        (Number(), "6", "type"),
        (Flag(), 1, "type"),
        (Time(), "yesterday", "property"),
        (Time(), "2026-11-21T17:20:00", "property"),
        (OneOf(("A", "W")), "VA", "property"),
        (Many(Whole()), [], "occurrence"),
        (Many(Whole(), most=1), [1, 2], "occurrence"),
        (Many(Whole()), 1, "type"),
        (Group({"a": Whole()}), {}, "occurrence"),
        (Group({"a": Whole()}), {"a": 1, "b": 2}, "format"),
        (Group({"a": Whole()}), {"a": 1, "customData": {}}, "format"),
        (Group({"a": Whole()}), [], "type"),
    ],
)
def test_what_breaks_a_shape_is_named_by_its_kind(shape, value, kind):
    with pytest.raises(Wrong) as wrong:
        shape.check(value, "")
    assert wrong.value.kind == kind


@pytest.mark.parametrize(
    ("shape", "value"),
    [
        (Number(decimals=1), 6.1),
        (Number(decimals=1), 16),
        (Time(), "2026-11-21T17:20:00.123Z"),
        (Time(), "2026-11-21T18:20:00+01:00"),
        (Group({"a?": Whole()}, custom=True), {"customData": {"vendorId": "x"}}),
    ],
)
def test_what_fits_passes(shape, value):
    shape.check(value, "")
