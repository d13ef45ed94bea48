"""`hearth probe openadr`: whether an account works, told in words, with exit codes and without a secret shown."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from gateway.__main__ import app
from tests.adapters.openadr_lab import Server, event, running
from tests.adapters.test_mqtt_security import make_certificates

SECRET = "hunter2-secret"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("HEARTH_CLIENT_SECRET", SECRET)
    with running() as state:
        state.secret = SECRET
        state.objects["/programs"] = [{"id": "p", "programName": "Day ahead"}]
        state.objects["/events"] = [event("e1"), event("e2", targets=["street"])]
        state.objects["/vens"] = [{"id": "v1", "venName": "ven-1", "targets": ["street"]}]
        yield state


def probe(url: str, *options: str) -> Result:
    return CliRunner().invoke(app, ["probe", "openadr", url, *options])


def lines(result: Result) -> dict[str, str]:
    told = (line.split(maxsplit=1)[1].partition(": ") for line in result.stdout.splitlines())
    return {what: words for what, _, words in reversed(list(told))}


def test_an_account_that_works_is_told_step_by_step(server):
    result = probe(server.url, "--client-id", "home", "--ven-name", "ven-1", "--send-report")
    assert lines(result) == {
        "server": f"{server.url} answers",
        "certificate": "none: plain http, fit for a server in this house only",
        "clock": lines(result)["clock"],
        "token": "the client id and secret are accepted",
        "version": "OpenADR 3.1.0",
        "VEN": "ven-1 is there as v1; groups: street",
        "programs": "1: Day ahead",
        "events": "2 readable, 1 of them for certain groups or homes",
        "push": "no MQTT broker is offered; Hearth looks at the set pace",
        "report": "one for event e1 was accepted",
    }
    # exit code 1 only for the plain http; the report was valid, and is gone again
    assert (result.exit_code, server.objects["/reports"], server.invalid) == (1, [], [])
    assert SECRET not in result.output


def test_nothing_is_changed_at_the_server_unless_asked_for(server):
    result = probe(server.url, "--client-id", "home", "--ven-name", "nobody")
    assert lines(result)["VEN"] == "nobody is not there yet: Hearth makes it at its first start"
    assert [line for line in server.asked if not line.startswith("GET")] == ["POST /auth/token"]


@pytest.mark.parametrize("path", ["/events", "/programs"])
def test_a_listing_without_objects_as_204_is_no_error(server, path):
    """Wrong before: the probe looks once, so that such a server never passed."""
    server.fail[path] = (204, {})
    found = lines(probe(server.url, "--client-id", "home", "--ven-name", "ven-1"))
    assert found[path[1:]].startswith(("none seen", "0 readable"))


def test_a_public_server_needs_no_credentials(server, monkeypatch):
    monkeypatch.delenv("HEARTH_CLIENT_SECRET")
    server.public = True
    found = lines(probe(server.url))
    assert found["token"].startswith("none asked for") and found["events"].startswith("2 readable")


def test_a_wrong_secret_ends_it_with_a_remedy(server):
    server.secret = "another"
    result = probe(server.url, "--client-id", "home")
    assert result.exit_code == 2 and "not accepted" in lines(result)["token"] and "events" not in lines(result)
    assert SECRET not in result.output


def test_the_secret_comes_from_a_file(server, monkeypatch, tmp_path):
    monkeypatch.delenv("HEARTH_CLIENT_SECRET")
    (tmp_path / "secret").write_text(f"{SECRET}\n")
    assert "accepted" in lines(probe(server.url, "--client-id", "home", "--secret-file", f"{tmp_path}/secret"))["token"]
    assert probe(server.url, "--client-id", "home", "--secret-file", f"{tmp_path}/none").exit_code == 2
    assert probe(server.url, "--client-id", "home").exit_code == 2  # nobody at the terminal to ask


def test_an_event_that_cannot_be_read_is_a_warning_with_the_reason(server):
    server.objects["/events"].append(event("odd", duration="soon"))
    result = probe(server.url, "--client-id", "home", "--json")
    told = [each for each in json.loads(result.stdout) if each["what"] == "events"]
    assert [each["level"] for each in told] == ["good", "warning"]
    assert "odd cannot be read: 'soon' is not an ISO 8601 duration" in told[1]["words"]


def test_listings_that_are_refused_are_errors_and_the_rest_is_still_told(server):
    server.fail["/events"] = (403, {})
    result = probe(server.url, "--client-id", "home")
    assert result.exit_code == 2 and "answered with 403" in lines(result)["events"] and "push" in lines(result)


def test_a_server_that_is_not_there():
    result = probe("http://127.0.0.1:9")
    assert result.exit_code == 2 and "cannot be reached" in lines(result)["server"]


@pytest.mark.parametrize("url", ["vtn.example", "http://vtn.example", "https://me:pw@vtn.example"])
def test_an_address_that_will_not_do_is_told_in_words(url):
    result = probe(url)
    assert result.exit_code == 2 and not result.stdout and "url" in result.output


def test_words_of_a_server_cannot_move_the_cursor(server):
    server.objects["/programs"] = [{"id": "p", "programName": "a\x1b[2Jb [red]c"}]
    assert lines(probe(server.url, "--client-id", "home"))["programs"] == "1: a?[2Jb [red]c"


@pytest.mark.slow
def test_the_certificate_is_named_and_one_nobody_vouches_for_is_refused(tmp_path: Path, monkeypatch) -> None:
    make_certificates(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.crt", tmp_path / "server.key")
    monkeypatch.delenv("HEARTH_CLIENT_SECRET", raising=False)
    with running(context) as server:
        server.public = True
        found = lines(probe(server.url, "--ca-file", f"{tmp_path}/ca.crt"))
        unknown = probe(server.url)
        unchecked = probe(server.url, "--insecure")
    assert found["certificate"].startswith("of CN=server, issued by CN=test ca, ends 20")
    assert unknown.exit_code == 2 and "--ca-file" in unknown.stdout
    assert unchecked.exit_code == 1 and "not checked" in lines(unchecked)["certificate"]
