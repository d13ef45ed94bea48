"""Signs that need weeks as alerts, with what they cost."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from gateway.model.alert import Alert, AlertKind
from gateway.model.site import Site
from gateway.runtime.alert_facts import PRICE_DAYS, YEAR_H, RateAt, mean_price
from gateway.runtime.alert_past import Sign


def made_slow(sign: Sign, site: Site, now: datetime, rate_at: RateAt) -> Alert:
    """A new alert."""
    sight = sign.sight
    fresh = Alert(
        f"{sign.cause.name.replace(' ', '-')}-{now:%Y%m%dT%H%M}", sign.kind, sight.begun, now, sight.power_w, sight.energy_wh, None, None,
        site.currency, sign.what, sign.sure, sign.advice, sight.evidence, device=sign.device,
    )  # fmt: skip
    return updated_slow(fresh, sign, now, rate_at)


def updated_slow(known: Alert, sign: Sign, now: datetime, rate_at: RateAt) -> Alert:
    """The same alert with what it costs by now; begin and words stay as they were told, a bill's and a meter's are anew."""
    if sign.kind is AlertKind.HIGH_BILL:
        sight = sign.sight
        return replace(
            known, what=sign.what, power_w=sight.power_w, energy_wh=sight.energy_wh, cost_micro=sign.cost_micro,
            evidence=sight.evidence,
        )  # fmt: skip
    hours = max((now - known.begun).total_seconds() / 3600, 0.0)
    if sign.kind is AlertKind.METER:
        # One meter can be wrong in several ways: the words are those of the evidence that is shown.
        return replace(
            known, what=sign.what, sure=sign.sure, advice=sign.advice, power_w=sign.sight.power_w,
            energy_wh=sign.sight.power_w * hours, evidence=sign.sight.evidence,
        )  # fmt: skip
    energy = known.power_w * hours
    # Panels lose at least the export price.
    price = mean_price(rate_at, now - PRICE_DAYS, now, export=sign.kind is AlertKind.PV_LOW)
    return replace(
        known,
        energy_wh=energy,
        cost_micro=None if price is None else round(energy * price / 1000),
        year_micro=None if price is None else round(known.power_w * YEAR_H * price / 1000),
        evidence=sign.sight.evidence,
    )
