"""Value templates of Home Assistant discovery: read as text, never run."""

from __future__ import annotations

import pytest

from adapters.mqtt.ha_template import Shape, TemplateRefused, read_template

UNDERSTOOD = {
    "": Shape(),
    "{{ value }}": Shape(),
    "{{value_json}}": Shape(),
    "{{ value | float }}": Shape(),
    "{{ value_json.power }}": Shape(("power",)),
    "{{ value_json.a.b }}": Shape(("a", "b")),
    "{{value_json['ENERGY']['Total']}}": Shape(("ENERGY", "Total")),
    '{{ value_json["em:0"].act_power }}': Shape(("em:0", "act_power")),
    "{{ value_json.ENERGY.Power[1] }}": Shape(("ENERGY", "Power", "1")),
    "{{ value_json.power | float(0) | round(1) }}": Shape(("power",)),
    "{{ value_json.power | is_defined }}": Shape(("power",)),
    "{{ value | float / 1000 }}": Shape((), 1 / 1000),
    "{{ (value_json.e | float * 1000) | round(2) }}": Shape(("e",), 1000),
    "{{ 1000 * value_json.e }}": Shape(("e",), 1000),
    "{{ value_json.e / 60 / 1000 }}": Shape(("e",), 1 / 60 / 1000),
    "{{ value | float * -1 }}": Shape((), -1),
    "{{ -(value_json.p) }}": Shape(("p",), -1),
    "{{ value_json.e / 1000 | round(3) }}": Shape(("e",), 1 / 1000),
}
REFUSED = {
    "{% if value_json.x %}1{% endif %}": "no path",
    "{{ value_json.a + value_json.b }}": "not understood",
    "{{ value_json.a * value_json.b }}": "two values",
    "{{ 1 / value_json.a }}": "two values",
    "{{ value_json.a / 0 }}": "not understood",
    "{{ states('sensor.x') }}": "states",
    "{{ value.__class__ }}": "speaks of value",
    "{{ value_json.a if value_json.b else 0 }}": "not understood",
    "{{ value | regex_replace('a', 'b') }}": "regex_replace",
    "{{ value | int(range(9)) }}": "not understood",
    "{{ value }}{{ value }}": "no path",
    "{{ value ": "no path",
    "{{ }}": "not understood",
    "{{ 5 }}": "no path",
    "plain": "no path",
    "{{ value_json['a\\'b'] }}": "no path",
    "{{ value_json." + "a." * 400 + "b }}": "no path",
    "{{ " + "(" * 200 + "value" + ")" * 200 + " }}": "too long",
    "{{ " + "(" * 480 + " }}": "too long",
    "{{ " + "-" * 480 + "value }}": "too long",
}


@pytest.mark.parametrize("text", UNDERSTOOD)
def test_the_usual_templates_are_a_path_and_a_factor(text: str) -> None:
    shape = read_template(text)
    assert shape.path == UNDERSTOOD[text].path
    assert shape.scale == pytest.approx(UNDERSTOOD[text].scale)


@pytest.mark.parametrize("text", REFUSED)
def test_anything_else_is_refused_with_the_reason(text: str) -> None:
    with pytest.raises(TemplateRefused, match=REFUSED[text]):
        read_template(text)


def test_brackets_within_reason_are_followed() -> None:
    assert read_template("{{ ((((value_json.a)) / 10)) }}") == Shape(("a",), 0.1)
