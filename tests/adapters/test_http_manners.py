"""What every HTTP client of ours does alike, where it costs memory."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import httpx
import pytest
from pydantic import TypeAdapter, ValidationError

from adapters.http.manners import ClockDifference, shown, tls_context, whole_body
from adapters.sources.settings import OptionText
from gateway.model.errors import ServerAnswerWrong, ServerRefused, ServerUnreachable
from tests.adapters.openadr_lab import event, listed, running, vtn


@pytest.mark.slow
def test_a_client_brings_no_terminal_library_into_the_gateway() -> None:
    # given a process that has made a client and imported its library
    words = "import sys; from adapters.sources.web import Web; Web('x')._opened(); print('rich' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, timeout=60, check=True)
    # then the library's own command line, and all it would bring, was left out
    assert done.stdout.strip() == "False"


def test_who_only_trusts_shares_one_context() -> None:
    assert tls_context("a", "", shared=True) is tls_context("b", "", shared=True)


def test_who_may_show_a_certificate_has_a_context_of_his_own() -> None:
    assert tls_context("a", "") is not tls_context("a", "")
    assert tls_context("a", "") is not tls_context("a", "", shared=True)


def test_a_file_written_anew_is_read_anew(tmp_path: Path) -> None:
    # given a sound file of authorities in use
    system = Path("/etc/ssl/certs/ca-certificates.crt")
    if not system.is_file():
        pytest.skip("no authorities on this machine")
    mine = tmp_path / "ca.pem"
    mine.write_bytes(system.read_bytes())
    before = tls_context("a", str(mine), shared=True)
    # when it is written anew, and then broken
    os.utime(mine, (1, 1))
    after = tls_context("a", str(mine), shared=True)
    mine.write_text("no certificate")
    # then neither the old one nor the broken one is used
    assert after is not before
    with pytest.raises(ServerRefused, match="not a readable PEM file"):
        tls_context("a", str(mine), shared=True)


@pytest.mark.parametrize(
    ("text", "sound"),
    [("10Y1001A1001A82H", True), ("é_ü", True), ("a" * 100, True), ("a" * 101, False), ("", False), ("a b", False), ("a\n", False)],
)  # fmt: skip
def test_what_may_stand_in_an_address_is_bounded(text: str, sound: bool) -> None:
    reader = TypeAdapter(OptionText)
    if sound:
        assert reader.validate_python(text) == text
    else:
        with pytest.raises(ValidationError):
            reader.validate_python(text)


BOMB = gzip.compress(b" " * 30_000_000)
GZIP = {"Content-Encoding": "gzip"}


@pytest.mark.parametrize(
    ("raw", "headers", "error", "words"),
    [
        (gzip.compress(BOMB), {"Content-Encoding": "gzip, gzip"}, ServerAnswerWrong, "did not ask for"),
        (BOMB, GZIP, ServerAnswerWrong, "more than 4 MB"),
        (gzip.compress(b"[]"), {"Content-Encoding": "br"}, ServerAnswerWrong, "did not ask for"),
        (b"[]", GZIP, ServerAnswerWrong, "cannot be unpacked"),
        (gzip.compress(b"[]")[:-9], GZIP, ServerUnreachable, "cut short"),
        (b" " * 4_000_001, {}, ServerAnswerWrong, "more than 4 MB"),
    ],
    ids=["packed twice", "a bomb", "another packing", "not packed", "cut", "long"],
)
async def test_an_answer_is_bounded_packed_and_unpacked(
    raw: bytes, headers: dict[str, str], error: type[Exception], words: str
) -> None:
    response = httpx.Response(200, headers=headers, stream=_Stream(raw))
    with pytest.raises(error, match=words):
        await whole_body("utility", response, 4_000_000)


@pytest.mark.parametrize("headers", [{}, GZIP, {"Content-Encoding": "x-gzip"}, {"Content-Encoding": "identity"}])
async def test_an_answer_packed_once_or_not_is_read(headers: dict[str, str]) -> None:
    raw = gzip.compress(b"[1]") if "gzip" in headers.get("Content-Encoding", "") else b"[1]"
    response = httpx.Response(200, headers=headers, stream=_Stream(raw))
    assert await whole_body("utility", response, 4_000_000) == b"[1]"


class _Stream(httpx.AsyncByteStream):
    def __init__(self, raw: bytes) -> None:
        self._raw = raw

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for at in range(0, len(self._raw), 65_536):
            yield self._raw[at : at + 65_536]


async def test_a_vtn_is_asked_for_plain_answers_and_one_that_packs_twice_is_refused() -> None:
    with running() as server:
        server.objects["/events"] = [event("e")]
        assert await listed(vtn(server)) == ["e"]
        assert {seen["Accept-Encoding"] for seen in server.seen} == {"identity"}
        server.headers, server.public = {"Content-Encoding": "gzip, gzip"}, True
        server.raw["/events"] = gzip.compress(BOMB)
        with pytest.raises(ServerAnswerWrong):
            await listed(vtn(server, client_id="", client_secret=""))


NOW = datetime(2026, 11, 21, 18, tzinfo=UTC)


def _told(behind_s: float, age: str | None = None) -> dict[str, str]:
    date = {"date": format_datetime(NOW - timedelta(seconds=behind_s), usegmt=True)}
    return date if age is None else {**date, "age": age}


@pytest.mark.parametrize(
    ("answers", "seconds"),
    [
        ([], None),
        ([{}, {"date": "soon"}], None),
        ([_told(0)], 0.5),
        ([_told(300, "300")], 0.5),
        ([_told(300, "soon")], -299.5),
        ([_told(300, "9" * 400)], -299.5),
        ([_told(-300), _told(-300, "-5")], 300.5),
        ([_told(300), _told(0)], 0.5),
        ([_told(0), _told(300), _told(0)], 0.5),
        ([_told(300), _told(300), _told(0)], -299.5),
        ([_told(300), _told(300), _told(0), _told(0)], 0.5),
    ],
)
def test_a_clock_is_judged_by_its_last_answers_and_what_a_cache_says_of_their_age(
    answers: list[dict[str, str]], seconds: float | None
) -> None:
    difference = ClockDifference()
    for headers in answers:
        difference.note(headers, NOW)
    assert difference.seconds == seconds


def test_somebody_elses_words_fit_in_a_line() -> None:
    assert shown("é a\u00a0b\n\x00\ud800") == "é a b ??"
    assert shown("x" * 1000) == "x" * 197 + "..."
