"""`hearth probe ocpp` tells who dials, how far each comes, and what to write into the site file."""

from __future__ import annotations

import json
import socket
import threading
from pathlib import Path

import pytest
from ruamel.yaml import YAML
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from adapters.ocpp.settings import OcppSettings
from gateway.model.charging import WaitingCharger
from gateway.model.errors import DeviceUnreachable
from gateway.probing_chargers import in_words, run_probe
from gateway.runtime.system_clock import SystemClock
from tests.fakes import START


def settings_of(port: int) -> OcppSettings:
    return OcppSettings.model_validate({"kind": "ocpp", "host": "127.0.0.1", "port": port})


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def dial(port: int) -> None:
    """One charger that comes in and says what it is, and one that speaks a version nobody has."""
    boot = {"chargePointVendor": "Acme", "chargePointModel": "Wall"}
    for _ in range(100):
        try:
            with connect(f"ws://127.0.0.1:{port}/ocpp/CP_1", subprotocols=["ocpp1.6"]) as charger:  # type: ignore[list-item]
                charger.send(json.dumps([2, "1", "BootNotification", boot]))
                charger.recv()
            break
        except ConnectionRefusedError:
            threading.Event().wait(0.02)
    with pytest.raises(InvalidStatus):
        connect(f"ws://127.0.0.1:{port}/ocpp/CP_2", subprotocols=["ocpp1.2"])  # type: ignore[list-item]


@pytest.mark.slow
def test_it_tells_who_dialled_and_what_to_write(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    port = free_port()
    dialling = threading.Thread(target=dial, args=(port,))
    dialling.start()
    code = run_probe(settings_of(port), tmp_path, 1.5, SystemClock(), as_json=False)
    dialling.join()
    said = capsys.readouterr()
    assert code == 0
    assert f":{port}/ocpp/" in said.err
    for told in ("CP_1: connected, speaks OCPP 1.6", "CP_2: did not come in: it offers ocpp1.2", "Acme Wall"):
        assert told in said.out
    assert 'charge_point_id: "CP_1"' in said.out
    assert 'charge_point_id: "CP_2"' not in said.out


def waiting(identity: str, profile: int, connectors: int = 0) -> WaitingCharger:
    return WaitingCharger(identity, "192.168.1.9", START, START, "1.6", profile, "Acme", "Wall", connectors=connectors)


def test_a_password_it_was_shown_is_kept_by_name_and_never_told() -> None:
    """Wrong before: the lines for the site file let the charger in without the password it has."""
    told = in_words([waiting("CP_1", 1, connectors=2), waiting("CP_2", 0), waiting("CP_3", 3)])
    section = YAML(typ="safe").load("\n".join(told[told.index("devices:") : told.index("  charger_1_password: ...") - 2])
                                    .replace("!secret ", "secret "))  # fmt: skip
    first, second, third = section["devices"].values()
    assert (first["security_profile"], first["password"]) == (1, "secret charger_1_password")
    assert second["security_profile"] == 0 and "password" not in second
    assert third["security_profile"] == 3 and "password" not in third
    assert told[-1] == "  charger_1_password: ..." and "secrets.yaml" in told[-2]
    assert any("connector: 2" in line for line in told)


def test_nobody_is_told_as_such(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_probe(settings_of(free_port()), tmp_path, 0.1, SystemClock(), as_json=True) == 1
    assert json.loads(capsys.readouterr().out) == []


@pytest.mark.slow
def test_a_taken_port_is_named_with_the_remedy(tmp_path: Path) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(DeviceUnreachable, match="its page Chargers"),
    ):
        run_probe(settings_of(taken.getsockname()[1]), tmp_path, 1, SystemClock(), as_json=True)
