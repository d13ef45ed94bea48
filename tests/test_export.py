"""`hearth export`: the same energy as CSV and as Green Button, in the lengths a person asks for."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.__main__ import app

SITE = Path(__file__).resolve().parent.parent / "config" / "site" / "example.yaml"
ROWS = "start,device,import_wh,export_wh\n" + "".join(
    f"2025-10-{26 + i // 96:02d}T{i % 96 // 4:02d}:{i % 4 * 15:02d}:00Z,house,{100 + i}.0,0\n" for i in range(192)
)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    rows = tmp_path / "rows.csv"
    rows.write_text(ROWS)
    result = CliRunner().invoke(app, ["import", str(rows), "--data", str(tmp_path / "data")])
    assert result.exit_code == 0, result.output
    return tmp_path / "data"


def export(data: Path, *options: str) -> str:
    result = CliRunner().invoke(app, ["export", "house", "--data", str(data), *options])
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.mark.parametrize(("minutes", "count"), [(5, 576), (15, 192), (30, 96), (60, 48)])
def test_every_length_tells_the_same_energy(data: Path, minutes: int, count: int) -> None:
    lines = export(data, "--resolution", str(minutes)).splitlines()[1:]
    assert len(lines) == count
    told = sum(float(line.split(",")[2]) for line in lines)
    # A thousandth is printed.
    assert told == pytest.approx(sum(100 + i for i in range(192)), abs=0.0005 * count)


@pytest.mark.slow
def test_green_button_names_the_home_and_keeps_local_days(data: Path) -> None:
    text = export(data, "--format", "green-button", "--site", str(SITE), "--start", "2025-10-26", "--end", "2025-10-27")
    readings = re.findall(r"<start>(\d+)</start></timePeriod><value>(\d+)</value>", text)
    # The local day has 25 hours and begins at 22:00 UTC, of which the data know the last 23.
    assert len(readings) == 92
    assert sum(int(value) for _, value in readings) == 1000 * sum(100 + i for i in range(92))
    assert "<dstEndRule>AE0E3000</dstEndRule>" in text


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--format", "green-button"], "--site site.yaml"),
        (["--format", "pdf"], "Known: csv, green-button"),
        (["--resolution", "7"], "5, 15, 30 or 60 minutes"),
        (["--format", "green-button", "--site", "nowhere.yaml"], "nowhere.yaml"),
    ],
)
def test_what_cannot_be_exported_is_said_in_words(data: Path, options: list[str], words: str) -> None:
    result = CliRunner().invoke(app, ["export", "house", "--data", str(data), *options])
    assert result.exit_code == 2
    assert words in result.output.replace("\n", " ")
    assert "Traceback" not in result.output
