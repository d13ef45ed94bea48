"""decode(encode(x)) = x for every document the store keeps."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.sqlite.codec import from_json, to_json
from gateway.model.dr import DrEvent, DrInterval, DrReport, Duration, EventRecord, IntervalPeriod, OptState, Payload
from gateway.model.errors import StoreError
from gateway.model.learned import DayShape
from gateway.model.plan import Plan
from gateway.model.session import EvSession

numbers = st.floats(allow_nan=False)
texts = st.text(max_size=12)
times = st.datetimes(timezones=st.just(UTC))
st.register_type_strategy(float, numbers)
st.register_type_strategy(str, texts)
st.register_type_strategy(datetime, times)

durations = st.builds(Duration, st.integers(0, 99), st.integers(0, 99), numbers, st.booleans())
periods = st.builds(
    IntervalPeriod, st.none() | times, st.booleans(), st.none() | durations, st.none() | durations
)  # fmt: skip
payloads = st.builds(
    Payload, texts, st.lists(numbers | texts | st.booleans() | st.integers(-9, 9), max_size=3).map(tuple)
)  # fmt: skip
events = st.builds(
    DrEvent,
    intervals=st.lists(
        st.builds(DrInterval, st.integers(), st.lists(payloads, max_size=2).map(tuple), st.none() | periods), max_size=3
    ).map(tuple),
    period=st.none() | periods,
    duration=st.none() | durations,
    targets=st.lists(texts, max_size=2).map(tuple),
    units=st.dictionaries(texts, texts, max_size=2),
)
records = st.builds(EventRecord, event=events, opt=st.sampled_from(OptState), shifts_s=st.lists(numbers).map(tuple))


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(records)
def test_an_event_record_comes_back_as_it_was(record):
    assert from_json(EventRecord, to_json(record)) == record


@pytest.mark.slow
@pytest.mark.parametrize("kind", [DrReport, EvSession, DayShape, Plan])
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_every_other_document_comes_back_as_it_was(kind, data):
    document = data.draw(st.from_type(kind))
    assert from_json(kind, to_json(document)) == document


def test_a_true_value_stays_true_and_does_not_become_one():
    payload = Payload("X", (True, 1.0, "1", 1))
    assert [type(value) for value in from_json(Payload, to_json(payload)).values] == [bool, float, str, int]


def test_an_endless_duration_stays_endless():
    endless = Duration(seconds=float("inf"), infinite=True)
    assert from_json(Duration, to_json(endless)) == endless


def test_a_document_of_an_older_version_takes_the_new_defaults_and_drops_what_is_gone():
    assert from_json(Duration, '{"months": 1, "gone": 2}') == Duration(months=1)


@pytest.mark.parametrize("text", ["", "[]", '{"opt": "unheard"}', '{"first_seen": 5}'])
def test_a_document_that_is_none_is_a_store_error(text):
    with pytest.raises(StoreError, match="EventRecord"):
        from_json(EventRecord, text)
