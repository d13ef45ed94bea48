"""Amounts of money as people copy them from a bill, whatever their country writes between the digits."""

from __future__ import annotations

import re

from gateway.model.errors import WishRefused

LONGEST = 40
"""No amount has more characters; beyond some hundred digits a number is no longer one."""
_SAME = {0xA0: " ", 0x2009: " ", 0x202F: " ", 0x2019: "'", 0x2212: "-", 0x2012: "-", 0x2013: "-"}
"""Blanks, apostrophes and minus signs of print, as the keyboard has them."""
_SIGNS = {"€": ("EUR",), "£": ("GBP",), "¥": ("JPY", "CNY"), "$": ("USD", "AUD", "CAD", "NZD", "SGD", "HKD")}
_TWO_WAYS = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}")
_PLAIN = re.compile(r"[+-]?(\d+[.,]?\d*|[.,]\d+)")
_GROUPED = re.compile(
    r"[+-]?\d{1,3}((\.\d{3})+,\d{0,2}|(,\d{3})+\.\d{0,2}|(\.\d{3}){2,}|(,\d{3}){2,}|([ ']\d{3})+([.,]\d*)?)"
)


def money(text: str, currency: str) -> float:
    """An amount in the currency: "84,10", "1.234,56", "1 234.56", "84.10 EUR", "−5"; raises WishRefused with why.

    "1,234" is a thousand in one country and little more than one in the next, so it is asked for again.
    """
    plain = _without_currency(text.translate(_SAME).strip(), currency)
    if _TWO_WAYS.fullmatch(plain):
        ways = f"{plain.replace(',', '')} or {plain.replace(',', '.')}"
        raise WishRefused(f"The amount '{plain}' can be read in two ways. Write {ways}.")
    if len(text) <= LONGEST and _PLAIN.fullmatch(plain):
        return float(plain.replace(",", "."))
    if len(text) <= LONGEST and _GROUPED.fullmatch(plain):
        return float(_ungrouped(plain))
    what = f"The amount '{text[:40]}' cannot be read" if text.strip() else "The amount is missing"
    raise WishRefused(f"{what}. Write it in {currency}, e.g. 84.10 or 84,10.")


def _without_currency(text: str, currency: str) -> str:
    """The figure alone; another currency than the home's stays where it is, and is refused with it."""
    for name in (currency, *(sign for sign, codes in _SIGNS.items() if currency in codes)):
        found = re.fullmatch(rf"(-?)\s*{re.escape(name)}\s*(.+)|(.+?)\s*{re.escape(name)}", text, re.IGNORECASE)
        if found is not None:
            return f"{found[1]}{found[2]}" if found[3] is None else found[3]
    return text


def _ungrouped(text: str) -> str:
    """Digits and a point: the last mark begins the fraction, unless it is one of those between the thousands."""
    marks = re.findall(r"[., ']", text)
    whole, _, rest = text.rpartition(marks[-1])
    if marks[-1] in ".," and marks.count(marks[-1]) == 1:
        return re.sub(r"[., ']", "", whole) + "." + rest
    return re.sub(r"[., ']", "", text)
