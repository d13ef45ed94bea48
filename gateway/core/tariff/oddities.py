"""What a tariff says that can be, but hardly is: prices that look like cents."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.model.errors import Finding
from gateway.model.tariff import Tariff

MOST_PLAUSIBLE = dict.fromkeys(("EUR", "USD", "GBP", "CHF", "AUD", "CAD", "NZD", "SGD"), 5.0)
"""No household pays so much for a kWh in these currencies; in one not named here nothing is judged."""


def oddities(tariff: Tariff) -> Iterator[Finding]:
    """Warnings about a sound tariff; their place is a key of its file."""
    most = MOST_PLAUSIBLE.get(tariff.currency)
    for n, rate in enumerate(tariff.rates if most is not None else ()):
        prices = {"import": rate.import_micro_per_kwh, "export": rate.export_micro_per_kwh,
                  "spot_typical": rate.spot_typical_micro_per_kwh}  # fmt: skip
        for key, micro in prices.items():
            if most is not None and abs(micro) >= most * 1_000_000:
                what = f"{micro / 1e6:g} {tariff.currency} per kWh looks like cents"
                yield Finding(
                    f"rates[{n}].{key}", what, f"Write {tariff.currency}, e.g. {micro / 1e8:g}.", severity="warning"
                )
