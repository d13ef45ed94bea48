"""Amounts as they stand on bills: each country's way is understood, and what means two things is asked again."""

from __future__ import annotations

import pytest

from gateway.model.errors import WishRefused
from gateway.web.amounts import money


@pytest.mark.parametrize(
    ("typed", "currency", "amount"),
    [
        ("84,10", "EUR", 84.1), ("84.10 EUR", "EUR", 84.1), ("EUR 84.10", "EUR", 84.1), ("84,10 €", "EUR", 84.1),
        ("€84.10", "EUR", 84.1), ("-€5", "EUR", -5.0), ("−5", "EUR", -5.0), ("-12.50", "EUR", -12.5),
        ("1.234,56", "EUR", 1234.56), ("1,234.56", "USD", 1234.56), ("$1,234.56", "USD", 1234.56),
        ("1 234,56", "EUR", 1234.56), ("1\u00a0234,56\u00a0€", "EUR", 1234.56), ("1’234.50", "CHF", 1234.5),
        ("1.234.567", "EUR", 1234567.0), ("1.234", "EUR", 1.234), ("0,123", "EUR", 0.123), ("1234,567", "EUR", 1234.567),
        ("12 345 kr", "KR", 12345.0),
    ],
)  # fmt: skip
def test_an_amount_is_read_as_it_stands_on_the_bill(typed: str, currency: str, amount: float) -> None:
    assert money(typed, currency) == pytest.approx(amount)


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("1,234", "can be read in two ways. Write 1234 or 1.234."), ("-1,234", "Write -1234 or -1.234."),
        ("", "is missing"), ("eighty", "cannot be read"), ("84.10 USD", "in EUR"), ("1,2,3", "cannot be read"),
        ("1e5", "cannot be read"), ("nan", "cannot be read"), ("9" * 400, "cannot be read"), ("1.23.456", "cannot be read"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_for_sure_is_refused_with_the_reason(typed: str, words: str) -> None:
    with pytest.raises(WishRefused) as refused:
        money(typed, "EUR")
    assert words in str(refused.value)
