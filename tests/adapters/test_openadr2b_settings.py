"""What the site file may say about a 2.0b server, and what it is told when it says it wrongly."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from adapters.openadr2b.settings import OpenAdr2bSettings

GOOD = {"kind": "openadr2b", "url": "https://vtn.example.org/OpenADR2/Simple/2.0b/", "ven_name": "home"}


def test_a_url_and_a_name_are_enough() -> None:
    settings = OpenAdr2bSettings(**GOOD)  # type: ignore[arg-type]

    assert settings.base == "https://vtn.example.org/OpenADR2/Simple/2.0b" and settings.poll_s == 10


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"url": "vtn.example.org"}, "is not a web address"),
        ({"url": "http://vtn.example.org"}, "plain http can be read"),
        ({"url": "http://vtn.example.org", "local": True}, "plain http can be read"),
        ({"cert_file": "home.pem"}, "belong together"),
        ({"vtn_fingerprint": "AB:CD"}, "ten pairs"),
        ({"ven_name": ""}, "at least 1 character"),
        ({"poll_s": 0.0}, "greater than or equal"),
        ({"client_secret": "x"}, "Extra inputs"),
    ],
)
def test_what_is_wrong_is_said(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        OpenAdr2bSettings(**{**GOOD, **change})


@pytest.mark.parametrize("url", ["http://127.0.0.1:8080/x", "http://vtn.local/x", "http://192.168.1.4/x"])
def test_plain_http_is_for_this_house(url: str) -> None:
    assert OpenAdr2bSettings(**{**GOOD, "url": url, "local": True}).base == url  # type: ignore[arg-type]
