"""What every HTTP client of ours does alike, where it costs memory."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError

from adapters.http.manners import tls_context
from adapters.sources.settings import OptionText
from gateway.model.errors import ServerRefused


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
