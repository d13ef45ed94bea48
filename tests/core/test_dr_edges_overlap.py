"""Cancelled, randomised and overlapping events: their timelines, written by hand, as in test_dr_edges.py."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.core.demand_response.timeline import build_timeline
from gateway.model.dr import OptState
from tests.core.dr_bodies import NOON, NOW, SEEN, cap, case, ev, known, lasting, record_of, rows, step, t, words

FORM = {
    "B5 now for PT0S": case(ev(step(1), start=NOW, length="PT0S"), rows=[]),
    "B5 now, and PT0S as the event's duration": case(ev(step(1), start=NOW, duration="PT0S"), rows=[]),
    "B5 now for PT0S in the interval": case(ev(step(1, start=NOW, length="PT0S")), rows=[]),
    "B5 now for PT0S in every interval": case(
        ev(step(1, length="PT0S"), step(2, length="PT0S"), start=NOW, length="PT1H"), rows=[]
    ),
    "B5 an interval with a duration of its own is not cancelled": case(
        ev(step(1), step(2, start=t("10:00"), length="PT1H"), start=NOW, length="PT0S"), rows=["SIMPLE 2 10:00/11:00"]
    ),
    "B5 PT0S at a stated start is of no length": case(lasting(1, "15:00", "PT0S"), rows=[]),
    "B5 cancelled by deletion": case(known(lasting(1, "10:00", "PT9H"), cancelled_at=SEEN), rows=[]),
}

RANDOM = {
    "C10 later": case(known(lasting(1, "10:00", "PT1H", jitter="PT10M"), shifts_s=(300.0,)), rows=["SIMPLE 1 10:05/11:05"]),
    "C10 earlier": case(known(lasting(1, "10:00", "PT1H", jitter="PT10M"), shifts_s=(-300.0,)), rows=["SIMPLE 1 09:55/10:55"]),
    "C10 an absolute later start moves alike": case(
        known(ev(step(1, start=t("10:00")), step(2, start=t("15:00")), length="PT1H"), shifts_s=(300.0, 300.0)),
        rows=["SIMPLE 1 10:05/11:05", "SIMPLE 2 15:05/16:05"],
    ),
    "C10 a later draw leaves no gap": case(
        known(ev(step(1), step(2), step(3), start=t("10:00"), length="PT1H"), shifts_s=(0.0, 300.0, 300.0)),
        rows=["SIMPLE 1 10:00/11:05", "SIMPLE 2 11:05/12:05", "SIMPLE 3 12:05/13:05"],
    ),
    "C10 an earlier later draw cuts the one before": case(
        known(ev(step(1), step(2), start=t("10:00"), length="PT1H"), shifts_s=(120.0, -300.0)),
        rows=["SIMPLE 1 10:02/10:55", "SIMPLE 2 10:55/11:55"],
    ),
    "C10 a loop is moved as a whole": case(
        known(ev(step(1), start=t("10:00"), length="PT1H", duration="PT2H"), shifts_s=(300.0,)),
        rows=["SIMPLE 1 10:05/11:05", "SIMPLE 1 11:05/12:05"],
    ),
    "C10 a loop moved by more than its round": case(
        known(ev(step(1), step(2), start="2026-11-01T00:00:00Z", length="PT6H", duration="P9999Y"),
              shifts_s=(108_000.0, 108_000.0)),
        rows=["SIMPLE 2 12:00/18:00"],
        build={"past_s": 0.0, "horizon_s": 0.0},
    ),
    "C10 the cut end moves alike": case(
        known(ev(step(1), step(2), start=t("10:00"), length="PT1H", duration="PT90M"), shifts_s=(300.0, 300.0)),
        rows=["SIMPLE 1 10:05/11:05", "SIMPLE 2 11:05/11:35"],
    ),
    "C10 shared values move alike": case(
        known(ev(step(PRICE=[1, 2]), start=t("10:00"), length="PT1H"), shifts_s=(300.0,)),
        rows=["PRICE 1 10:05/10:35", "PRICE 2 10:35/11:05"],
    ),
    "C10 an event that grew follows the last draw": case(
        known(ev(step(1), step(2), start=t("10:00"), length="PT1H"), shifts_s=(300.0,)),
        rows=["SIMPLE 1 10:05/11:05", "SIMPLE 2 11:05/12:05"],
    ),
    "C10 a capacity limit starts later, ends as stated": case(
        known(cap(4, "10:00", "PT1H"), shifts_s=(300.0,)), rows=["IMPORT_CAPACITY_LIMIT 4 10:05/11:00"]
    ),
    "C10 a capacity limit starts earlier, ends as stated": case(
        known(cap(4, "10:00", "PT1H"), shifts_s=(-300.0,)), rows=["IMPORT_CAPACITY_LIMIT 4 09:55/11:00"]
    ),
    "C10 a draw longer than the limit leaves nothing of it": case(
        known(cap(4, "10:00", "PT1H"), shifts_s=(5400.0,)), rows=[]
    ),
    "C10 a limit of no length stays so": case(
        known(ev(step(IMPORT_CAPACITY_LIMIT=[1], length="PT0S"), step(IMPORT_CAPACITY_LIMIT=[4]), start=t("10:00"), length="PT1H"),
              shifts_s=(-300.0, -300.0)),
        rows=["IMPORT_CAPACITY_LIMIT 4 09:55/11:00"],
    ),
    "C10 the level moves, the limit beside it keeps its end": case(
        known(ev(step(SIMPLE=[1], IMPORT_CAPACITY_LIMIT=[4]), start=t("10:00"), length="PT1H"), shifts_s=(300.0,)),
        rows=["IMPORT_CAPACITY_LIMIT 4 10:05/11:00", "SIMPLE 1 10:05/11:05"],
    ),
}  # fmt: skip

A, B, C = "a", "b", "c"
DEVICES = {"devices": {"car": "ev-1", "ev-1": "ev-1", "tank": "tank-1"}}
OVERLAP = {
    "C12 the lower number displaces, the other resumes": case(
        lasting(1, "10:00", "PT6H", id=A, priority=5), lasting(2, "12:00", "PT1H", id=B, priority=1),
        rows=["SIMPLE 1 10:00/12:00", "SIMPLE 2 12:00/13:00", "SIMPLE 1 13:00/16:00"],
    ),
    "C12 three within each other": case(
        lasting(1, "10:00", "PT6H", id=A, priority=3), lasting(2, "11:00", "PT4H", id=B, priority=2),
        lasting(3, "12:00", "PT1H", id=C, priority=0),
        rows=["SIMPLE 1 10:00/11:00", "SIMPLE 2 11:00/12:00", "SIMPLE 3 12:00/13:00", "SIMPLE 2 13:00/15:00",
              "SIMPLE 1 15:00/16:00"],
    ),
    "C12 no priority is the lowest": case(
        lasting(3, "10:00", "PT1H", id=A), lasting(1, "10:00", "PT1H", id=B, priority=99), rows=["SIMPLE 1 10:00/11:00"]
    ),
    "C12 a priority that is none is the lowest": case(
        lasting(3, "10:00", "PT1H", id=A, priority=-1), lasting(1, "10:00", "PT1H", id=B, priority=99),
        rows=["SIMPLE 1 10:00/11:00"],
    ),
    "C12 equal: the higher level": case(
        lasting(1, "10:00", "PT1H", id=A, priority=1), lasting(2, "10:00", "PT1H", id=B, priority=1),
        rows=["SIMPLE 2 10:00/11:00"],
    ),
    "C12 equal: the smaller capacity, in whatever unit": case(
        cap(4, "10:00", "PT1H", id=A), cap(3000, "10:00", "PT1H", "W", id=B), cap(0.005, "10:00", "PT1H", "MW", id=C),
        rows=["IMPORT_CAPACITY_LIMIT 3000 10:00/11:00"],
    ),
    "C12 equal in all: the one modified last": case(
        ev(step(PRICE=[1]), start=t("10:00"), length="PT1H", id=A, modificationDateTime="2026-11-20T10:00:00Z"),
        ev(step(PRICE=[2]), start=t("10:00"), length="PT1H", id=B, modificationDateTime="2026-11-20T09:00:00Z"),
        rows=["PRICE 1 10:00/11:00"],
    ),
    "C12 modification times that are none": case(
        known(ev(step(PRICE=[1]), start=t("10:00"), length="PT1H", id=A, modificationDateTime="17:55:45")),
        known(ev(step(PRICE=[2]), start=t("10:00"), length="PT1H", id=B, modificationDateTime="soon"), first_seen=NOON),
        rows=["PRICE 2 10:00/11:00"],
    ),
    "C12 a contract before an invitation": case(
        known(lasting(1, "10:00", "PT1H", id=A), opt=OptState.BINDING), lasting(3, "10:00", "PT2H", id=B, priority=0),
        rows=["SIMPLE 1 10:00/11:00", "SIMPLE 3 11:00/12:00"],
    ),
    "C12 consent makes it binding": case(
        lasting(1, "10:00", "PT1H", id=A), known({**lasting(3, "10:00", "PT1H", id=B, priority=0), "programID": "q"}),
        rows=["SIMPLE 1 10:00/11:00"], build={"consents": {"vtn:p": "binding"}},
    ),
    "C12 kinds do not compete": case(
        lasting(1, "10:00", "PT1H", id=A, priority=0), ev(step(ALERT_FLEX_ALERT=["x"]), start=t("10:00"), length="PT1H", id=B),
        rows=["ALERT_FLEX_ALERT x 10:00/11:00", "SIMPLE 1 10:00/11:00"],
    ),
    "C12 endless below a short one": case(
        ev(step(1), start=t("10:00"), length="P9999Y", id=A), lasting(2, "12:00", "PT1H", id=B, priority=1),
        rows=["SIMPLE 1 10:00/12:00", "SIMPLE 2 12:00/13:00", "SIMPLE 1 13:00/..."],
    ),
    "C12 touching events do not overlap": case(
        lasting(1, "10:00", "PT1H", id=A, priority=0), lasting(2, "11:00", "PT1H", id=B),
        rows=["SIMPLE 1 10:00/11:00", "SIMPLE 2 11:00/12:00"],
    ),
    "C12 within one event the later start holds, even if it is milder": case(
        ev(step(3, start=t("10:00"), length="PT4H"), step(1, start=t("11:00"), length="PT1H")),
        rows=["SIMPLE 3 10:00/11:00", "SIMPLE 1 11:00/12:00", "SIMPLE 3 12:00/14:00"],
    ),
    "C12 a loop below a short event": case(
        ev(step(1), start=t("10:00"), length="PT1H", duration="PT3H", id=A), lasting(2, "10:30", "PT1H", id=B, priority=0),
        rows=["SIMPLE 1 10:00/10:30", "SIMPLE 2 10:30/11:30", "SIMPLE 1 11:30/12:00", "SIMPLE 1 12:00/13:00"],
    ),
    "C12 a level out of range displaces nothing": case(
        lasting(7, "10:00", "PT1H", id=A, priority=0), lasting(1, "10:00", "PT1H", id=B), rows=["SIMPLE 1 10:00/11:00"]
    ),
    "C12 a payload without a value displaces nothing": case(
        ev(step(), start=t("10:00"), length="PT1H", id=A, priority=0), lasting(1, "10:00", "PT1H", id=B),
        rows=["SIMPLE 1 10:00/11:00"],
    ),
    "C12 a capacity in words displaces none in kW": case(
        cap("little", "10:00", "PT1H", id=A, priority=0), cap(4, "10:00", "PT1H", id=B),
        rows=["IMPORT_CAPACITY_LIMIT 4 10:00/11:00"],
    ),
    "C12 a targeted and a general event stand side by side": case(
        lasting(1, "10:00", "PT1H", id=A), lasting(2, "10:00", "PT1H", id=B, priority=0, targets=["car"]),
        rows=["SIMPLE 1 10:00/11:00", "SIMPLE 2 10:00/11:00"], build=DEVICES,
    ),
    "C12 two devices do not compete": case(
        lasting(1, "10:00", "PT1H", id=A, targets=["tank"]), lasting(2, "10:00", "PT1H", id=B, targets=["car"]),
        rows=["SIMPLE 1 10:00/11:00", "SIMPLE 2 10:00/11:00"], build=DEVICES,
    ),
    "C12 one device under two names competes": case(
        lasting(1, "10:00", "PT1H", id=A, priority=0, targets=["ev-1"]), lasting(2, "10:00", "PT1H", id=B, targets=["car"]),
        rows=["SIMPLE 1 10:00/11:00"], build=DEVICES,
    ),
    "C12 groups of the utility's mean the whole home": case(
        lasting(1, "10:00", "PT1H", id=A, priority=0, targets=["areaX"]),
        lasting(2, "10:00", "PT1H", id=B, targets=["ven_0999"]), lasting(3, "10:00", "PT1H", id=C),
        rows=["SIMPLE 1 10:00/11:00"], build=DEVICES,
    ),
    "C12 two servers with one id: neither ends the other's level": case(
        known(lasting(1, "10:00", "PT2H", id=A), "one"), known(lasting(2, "11:00", "PT2H", id=A, priority=0), "two"),
        rows=["SIMPLE 1 10:00/12:00", "SIMPLE 2 11:00/13:00"],
    ),
}  # fmt: skip

TABLE = {**FORM, **RANDOM, **OVERLAP}


@pytest.mark.parametrize("name", TABLE)
def test_the_timeline_of(name):
    assert rows(TABLE[name]) == TABLE[name].rows


def test_a_test_event_never_displaces_a_real_one():
    """Only 2.0b knows test events (oadrDistributeEvent, testEvent); its adapter sets the mark."""
    real, trial = (
        record_of(lasting(1, "10:00", "PT1H", priority=9)),
        record_of(lasting(3, "10:00", "PT2H", id="b", priority=0)),
    )
    trial = replace(trial, event=replace(trial.event, test=True))
    built = build_timeline([real, trial], {}, NOON)
    assert [(s.values[0], s.test, words(s.end)) for s in built.signals] == [(1, False, "11:00"), (3, True, "12:00")]
