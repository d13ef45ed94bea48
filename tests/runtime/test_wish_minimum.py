"""A car's minimum is kept, refused in words when it cannot be, and absent from what older versions stored."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from gateway.model.errors import WishRefused
from gateway.model.preferences import ChargingPreference, Preferences
from gateway.runtime.wish_check import check
from gateway.runtime.wish_documents import preferences_document, preferences_from
from gateway.web.wire_preferences import ChargingModel, PreferencesModel
from tests.core.homes import SITE
from tests.fakes import START

WISH = ChargingPreference(minimum_soc_percent=30.0, minimum_wh=5_000.0)


def test_a_minimum_comes_back_from_disk_and_over_the_api_as_it_was() -> None:
    kept = Preferences(charging={"car": WISH})
    assert preferences_from(json.loads(json.dumps(preferences_document(kept)))) == kept
    sent = PreferencesModel.model_validate(kept).model_dump_json()
    assert PreferencesModel.model_validate_json(sent).to_model() == kept


def test_a_document_and_a_body_of_an_earlier_version_know_no_minimum() -> None:
    document = preferences_document(Preferences(charging={"car": WISH}))
    del document["charging"]["car"]["minimum_soc_percent"], document["charging"]["car"]["minimum_wh"]
    assert preferences_from(document).charging["car"] == ChargingPreference()
    assert ChargingModel.model_validate({"mode": "smart"}).to_model() == ChargingPreference()


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        (replace(WISH, minimum_soc_percent=-1.0), "percentage"),
        (replace(WISH, minimum_soc_percent=101.0), "percentage"),
        (replace(WISH, minimum_soc_percent=float("nan")), "percentage"),
        (replace(WISH, minimum_wh=-1.0), "between 0 and 200 kWh"),
        (replace(WISH, minimum_wh=250_000.0), "between 0 and 200 kWh"),
    ],
)
def test_a_minimum_out_of_bounds_is_refused_in_words(wish: ChargingPreference, words: str) -> None:
    check(Preferences(charging={"car": WISH}), SITE, START)
    with pytest.raises(WishRefused, match=words):
        check(Preferences(charging={"car": wish}), SITE, START)
