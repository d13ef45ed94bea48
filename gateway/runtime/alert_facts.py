"""An alert in words and money, made of what was seen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from gateway.model.alert import Alert, AlertKind, Answer, Evidence
from gateway.model.site import Site
from gateway.model.tariff import Rate
from gateway.runtime.alert_sight import Facts, Sight
from gateway.runtime.words import local_time

YEAR_H = 8766
PRICE_DAYS = timedelta(days=14)
UNKNOWN = "something left on, or heating or cooling, for the weather is not known here"
RateAt = Callable[[datetime], Rate]
ADVICE = {
    AlertKind.SPIKE: "Look at ovens, heaters and the car.",
    AlertKind.LEFT_ON: "Look for a heater, a pump, a light or a fan that was forgotten.",
    AlertKind.ALWAYS_ON: "Look for a new device that never sleeps, or an old refrigerator or pump that runs on and on.",
}


def made_alert(kind: AlertKind, sight: Sight, facts: Facts, site: Site, now: datetime, rate_at: RateAt) -> Alert:
    """A new alert of what the house shows by itself: a spike, something left on, growth of what is always on."""
    fresh = Alert(
        f"{kind.value}-{now:%Y%m%dT%H%M}", kind, sight.begun, now, 0.0, 0.0, None, None, site.currency,
        _what(kind, sight, facts, site, now), _sure(kind, facts), ADVICE[kind], sight.evidence, None, Answer.NONE, None,
    )  # fmt: skip
    return updated(fresh, sight, facts, now, rate_at)


def updated(known: Alert, sight: Sight, facts: Facts, now: datetime, rate_at: RateAt) -> Alert:
    """The same alert with what it costs by now; its begin, power and words stay as they were told, a spike may grow."""
    stays = known.kind is not AlertKind.SPIKE
    hours = max((now - known.begun).total_seconds() / 3600, 0.0)
    power = (known.power_w or sight.power_w) if stays else max(known.power_w, sight.power_w)
    energy = power * hours if stays else max(known.energy_wh, sight.energy_wh)
    price = mean_price(rate_at, known.begun, now)
    year = mean_price(rate_at, now - timedelta(days=1), now)
    return replace(
        known,
        power_w=power,
        energy_wh=energy,
        cost_micro=None if price is None else round(energy * price / 1000),
        year_micro=None if year is None or not stays else round(power * YEAR_H * year / 1000),
        evidence=_marked(sight.evidence, known.begun),
    )


def _marked(evidence: Evidence, begun: datetime) -> Evidence:
    """The same, marked from the begin that was told."""
    step = timedelta(seconds=evidence.step_s)
    marked = tuple(evidence.start + step * (k + 1) > begun for k in range(len(evidence.actual_w)))
    return replace(evidence, marked=marked)


def mean_price(rate_at: RateAt, start: datetime, end: datetime, *, export: bool = False) -> float | None:
    """Micro-units per kWh taken, or given, over the hours of a span, at most its last PRICE_DAYS; None where not known."""
    start = max(start, end - PRICE_DAYS)
    count = max(1, round((end - start).total_seconds() / 3600))
    try:
        rates = [rate_at(start + timedelta(hours=k)) for k in range(count)]
    except ValueError:
        return None
    return sum(rate.export_micro_per_kwh if export else rate.import_micro_per_kwh for rate in rates) / count


def _what(kind: AlertKind, sight: Sight, facts: Facts, site: Site, now: datetime) -> str:
    since = local_time(sight.begun, now, site.timezone)
    power = f"{sight.power_w / 1000:.1f} kW" if sight.power_w >= 995 else f"{sight.power_w:.0f} W"
    if kind is AlertKind.SPIKE:
        return f"The home has drawn about {power} more than usual since {since}."
    if kind is AlertKind.LEFT_ON and facts.weather:
        return f"Something of about {power} has been on without a break since {since}."
    if kind is AlertKind.LEFT_ON:
        return f"About {power} more than usual has been drawn without a break since {since}: {UNKNOWN}."
    if facts.weather:
        return f"What is always on has grown by about {power} since {since}."
    return f"The quietest hours draw about {power} more since {since}: {UNKNOWN}."


def _sure(kind: AlertKind, facts: Facts) -> str:
    basis = f"compared with {min(facts.days, 60)} days of this home"
    if kind is AlertKind.SPIKE:
        return f"No usual day of this hour was so high for two hours; {basis}."
    weather = (
        "weather taken off" if facts.weather else "the weather is not known, so heating and cooling are still in it"
    )
    if kind is AlertKind.LEFT_ON:
        return f"Even its quietest hours are above what is usual, for eight hours or for a day; {weather}; {basis}."
    return f"The quiet hours of two weeks lie above those of the four weeks before, days away left out; {weather}; {basis}."
