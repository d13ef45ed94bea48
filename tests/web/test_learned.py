"""What was learned of the home, as its owner reads it."""

from __future__ import annotations

import html
from pathlib import Path

import pytest
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from gateway.model.learned import DrawPattern, Learned, ThermalModel
from gateway.web import pages
from gateway.web.learned import learned_parts
from tests.core.homes import SITE

TEMPLATES = Path(pages.__file__).parent / "templates"
HEAT = ThermalModel(1 / 180, 8000, 310, 3.0, 0.21, 14, "", 3.0, 120, "panels")
WORKDAY = tuple(2000.0 if hour == 7 else 100.0 for hour in range(24))
WATER = DrawPattern(WORKDAY, (200.0,) * 24, WORKDAY, (300.0,) * 24, 4400, 600, 21, "")


def test_the_owner_reads_what_the_home_loses_how_slowly_it_cools_and_how_wrong_that_is():
    _, heat = learned_parts(SITE, Learned({"heat_pump": HEAT}, {"tank": WATER}, {}))
    assert heat.name == "Heat pump"
    assert "loses 180 W of heat per degree" in heat.sentence and "44 h" in heat.sentence
    assert dict(heat.facts)["Error a day ahead"] == "0.2 K"
    assert dict(heat.facts)["Warmed by people and sun"] == "430 W"
    assert dict(heat.facts)["The site file says"] == "167 W per K"
    assert "14 days" in heat.note and "3 times its electricity" in heat.note


def test_the_owner_reads_how_much_hot_water_and_when():
    water, _ = learned_parts(SITE, Learned({"heat_pump": HEAT}, {"tank": WATER}, {}))
    assert water.sentence == "You draw about 4.4 kWh of hot water a day, most of it around 07:30."
    assert dict(water.facts)["A day differs by"] == "± 600 Wh"


@pytest.mark.parametrize(
    ("why", "words"),
    [({"tank": "3 of 7 days are known so far."}, "3 of 7 days"), ({}, "after the next midnight")],
    ids=["too few days", "not asked yet"],
)
def test_what_is_not_learned_yet_says_why(why, words):
    water, heat = learned_parts(SITE, Learned({}, {}, why))
    assert water.facts == heat.facts == () and "Not learned yet" in water.sentence
    assert words in water.note


def test_the_part_of_the_page_shows_every_one():
    parts = learned_parts(SITE, Learned({"heat_pump": HEAT}, {"tank": WATER}, {}))
    templates = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined)
    text = html.unescape(templates.get_template("learned.html").render(learned=parts))
    assert "What Hearth learned of your home" in text
    assert all(part.sentence in text and part.note in text for part in parts)
    assert all(value in text for part in parts for _, value in part.facts)
